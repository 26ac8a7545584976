//! Writing: messages, notes, whispers, and changing what was written.

use std::sync::Arc;

use super::super::command::Target;
use super::super::event::{Body, Stream};
use super::super::rejection::Rejection;
use super::super::state::Conversation;
use super::{Decided, Draft, require_kept, require_open};
use crate::ids::{Seq, Timestamp};
use crate::limit::{FILE_ID_BYTES_MAX, FILES_MAX, TEXT_BYTES_MAX};
use crate::message;
use crate::permission::{edit_window_ms, supervises};
use crate::person::{Author, Caller, Side};

/// A public message, by the visitor while waiting or active, and by any agent who sees the
/// conversation: writing in it does not take it over. A text may be empty only beside files.
pub(super) fn send(
    state: &Conversation,
    from: &Author,
    text: &Arc<str>,
    files: &[Arc<str>],
    if_head: Option<Seq>,
) -> Decided {
    require_open(state)?;
    if let (Some(seen), Some(newest)) = (if_head, state.newest_by_others(from.principal))
        && newest > seen
    {
        return Err(Rejection::StaleHead { newest });
    }
    if files.len() > FILES_MAX {
        return Err(Rejection::TooLarge { what: "files", max: FILES_MAX });
    }
    if let Some(file) = files.iter().find(|file| file.is_empty() || file.len() > FILE_ID_BYTES_MAX)
    {
        return Err(if file.is_empty() {
            Rejection::Invalid { what: "files", why: "must be ids of files" }
        } else {
            Rejection::TooLarge { what: "file id", max: FILE_ID_BYTES_MAX }
        });
    }
    let text = if files.is_empty() {
        message::text("text", text, TEXT_BYTES_MAX)?
    } else {
        message::optional_text("text", text, TEXT_BYTES_MAX)?.unwrap_or_default()
    };
    Ok(vec![Draft::public(from, Body::Message { text, files: files.to_vec() })])
}

/// A note for colleagues; also after the end, until it is archived.
pub(super) fn note(state: &Conversation, from: &Author, text: &Arc<str>) -> Decided {
    require_kept(state)?;
    let text = message::text("text", text, TEXT_BYTES_MAX)?;
    Ok(vec![Draft::internal(from, Body::Note { text, transfer: false })])
}

/// A word for the owning agent, or for whoever will own it.
pub(super) fn whisper(state: &Conversation, from: &Author, text: &Arc<str>) -> Decided {
    require_open(state)?;
    let text = message::text("text", text, TEXT_BYTES_MAX)?;
    Ok(vec![Draft::internal(from, Body::Whisper { text })])
}

/// Only authors edit, within their window: visitors while it is open, agents until it is archived.
pub(super) fn edit(
    state: &Conversation,
    caller: &Caller,
    stream: Stream,
    target: &Target,
    text: &Arc<str>,
    now: Timestamp,
) -> Decided {
    require_changeable(state, caller)?;
    let author = author_of(state, stream, target)?;
    require_own_and_in_time(state, caller, author, target, now)?;
    let text = message::text("text", text, TEXT_BYTES_MAX)?;
    let body = Body::Edited { seq: target.seq, text };
    Ok(vec![Draft { stream, body, from: caller.author.clone() }])
}

/// Authors redact like they edit; supervisors redact anything at any time.
pub(super) fn redact(
    state: &Conversation,
    caller: &Caller,
    stream: Stream,
    target: &Target,
    now: Timestamp,
) -> Decided {
    if supervises(caller) {
        author_of(state, stream, target)?;
    } else {
        require_changeable(state, caller)?;
        let author = author_of(state, stream, target)?;
        require_own_and_in_time(state, caller, author, target, now)?;
    }
    let body = Body::Redacted { seq: target.seq };
    Ok(vec![Draft { stream, body, from: caller.author.clone() }])
}

fn require_changeable(state: &Conversation, caller: &Caller) -> Result<(), Rejection> {
    match caller.author.principal.side() {
        Side::Visitor => require_open(state),
        Side::Agent | Side::System => require_kept(state),
    }
}

/// The author of what is to be changed; what was redacted is no message any more.
fn author_of<'a>(
    state: &Conversation,
    stream: Stream,
    target: &'a Target,
) -> Result<&'a Author, Rejection> {
    let head = state.heads.of(stream);
    match &target.author {
        Some(author) if !target.redacted && target.seq <= head => Ok(author),
        Some(_) | None => Err(Rejection::NoMessage),
    }
}

fn require_own_and_in_time(
    state: &Conversation,
    caller: &Caller,
    author: &Author,
    target: &Target,
    now: Timestamp,
) -> Result<(), Rejection> {
    if author.principal != caller.author.principal {
        return Err(Rejection::Forbidden);
    }
    // A clock that was set back must not open a window again.
    if now.max(state.last_at).ms_since(target.at) > edit_window_ms(caller) {
        return Err(Rejection::TooLate);
    }
    Ok(())
}
