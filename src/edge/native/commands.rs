//! From wire words to commands: what HTTP and the socket share.

use std::sync::Arc;

use switchboard_domain::conversation::{
    Body, Command, Rating, Resolution, Stream, Target, TransferTarget,
};
use switchboard_domain::ids::{DepartmentId, Number, Seq, Timestamp};
use switchboard_store::{ConversationKey, Range};
use xxhash_rust::xxh3::Xxh3;

use super::caller;
use super::wire::event::priority_named;
use super::wire::incoming::{Args, LIMIT_MAX, MessageBody, SendKind};
use crate::auth::Identity;
pub use crate::edge::commands::{agent, ask, ask_then, one_shot};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// What a send writes, and the digest of it.
#[must_use]
pub fn send(kind: SendKind, body: MessageBody, if_head: Option<Seq>) -> (Command, u64) {
    let mut digest = Xxh3::new();
    digest.update(&[match kind {
        SendKind::Message => 1,
        SendKind::Note => 2,
        SendKind::Whisper => 3,
    }]);
    for part in std::iter::once(&body.text).chain(&body.files) {
        // A length before each part keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(&(part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    let text: Arc<str> = body.text.into();
    let command = match kind {
        SendKind::Message => {
            Command::Send { text, files: body.files.into_iter().map(Arc::from).collect(), if_head }
        }
        SendKind::Note => Command::Note { text },
        SendKind::Whisper => Command::Whisper { text },
    };
    (command, digest.digest())
}

/// The command of an action; `Accept` goes through presence and its capacity.
///
/// # Errors
///
/// [`Code::Invalid`] for an unknown action or missing arguments; what the directory and the log
/// say of agents and messages.
pub async fn action(
    doors: &Doors,
    identity: &Identity,
    key: &ConversationKey,
    action: &str,
    args: Args,
) -> Result<Command, Problem> {
    let none = Args::default();
    let takes_nothing = matches!(
        action,
        "accept"
            | "unassign"
            | "requeue"
            | "close"
            | "resolve"
            | "reopen"
            | "archive"
            | "refuse_transfer"
            | "watch"
    );
    if takes_nothing && args != none {
        return Err(Problem::with(Code::Invalid, format!("`{action}` takes no arguments")));
    }
    Ok(match action {
        "accept" => Command::Accept { agent: caller::agent(identity)? },
        "unassign" => Command::Unassign,
        "requeue" => Command::Requeue,
        "close" => Command::Close { resolution: Resolution::None },
        "resolve" => Command::Close { resolution: Resolution::Resolved },
        "reopen" => Command::Reopen { agent: Some(caller::agent(identity)?) },
        "archive" => Command::Archive,
        "refuse_transfer" => Command::RefuseTransfer,
        "watch" => Command::Watch,
        "assign" => {
            let name = need("agent", args.agent)?;
            Command::Assign { agent: agent(doors, identity, &name).await? }
        }
        "transfer" => transfer(doors, identity, args).await?,
        "priority" => {
            let name = need("priority", args.priority)?;
            let priority = priority_named(&name)
                .ok_or_else(|| Problem::with(Code::Invalid, "there is no such priority"))?;
            Command::Prioritise { priority }
        }
        "department" => Command::SetDepartment {
            department: match args.department.filter(|id| !id.is_empty()) {
                None => None,
                Some(id) => Some(department(doors, identity, id).await?),
            },
        },
        "tag" => {
            let tags = need("tags", args.tags)?;
            Command::Tag { tags: tags.into_iter().map(Arc::from).collect() }
        }
        "note" => Command::Note { text: need("text", args.text)?.into() },
        "rate" => Command::Rate(Rating {
            score: need("score", args.score)?,
            comment: args.comment.map(Arc::from),
        }),
        "ticket" => Command::LinkTicket { ticket: Number(need("ticket", args.ticket)?) },
        "edit" | "redact" => {
            let stream = Stream::from(args.stream.unwrap_or_default());
            let seq = Seq(need("seq", args.seq)?);
            let target = target(doors, identity, key, stream, seq).await?;
            match action {
                "edit" => Command::Edit { stream, target, text: need("text", args.text)?.into() },
                _ => Command::Redact { stream, target },
            }
        }
        _ => return Err(Problem::with(Code::Invalid, "there is no such action")),
    })
}

async fn transfer(doors: &Doors, identity: &Identity, args: Args) -> Result<Command, Problem> {
    let to = match (args.agent, args.department) {
        (Some(name), None) => TransferTarget::Agent(agent(doors, identity, &name).await?),
        (None, Some(id)) => TransferTarget::Department(department(doors, identity, id).await?),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::with(
                Code::Invalid,
                "a transfer needs either `agent` or `department`",
            ));
        }
    };
    Ok(Command::Transfer { to, reason: args.reason.unwrap_or_default().into() })
}

/// A department of the caller's tenant.
///
/// # Errors
///
/// [`Code::Invalid`] when there is none of that id.
pub async fn department(
    doors: &Doors,
    identity: &Identity,
    id: String,
) -> Result<DepartmentId, Problem> {
    let id = DepartmentId(id.into());
    match doors.directory.department(&identity.tenant, &id).await? {
        Some(_) => Ok(id),
        None => Err(Problem::with(Code::Invalid, "there is no such department")),
    }
}

/// What the log says of the message at a position.
async fn target(
    doors: &Doors,
    identity: &Identity,
    key: &ConversationKey,
    stream: Stream,
    seq: Seq,
) -> Result<Target, Problem> {
    let found = doors.conversations.event(key, &identity.caller, stream, seq).await?;
    let absent = Target { seq, author: None, at: Timestamp::default(), redacted: false };
    let Some(published) = found else { return Ok(absent) };
    if !matches!(
        published.event.body,
        Body::Message { .. } | Body::Note { .. } | Body::Whisper { .. }
    ) {
        return Ok(absent);
    }
    Ok(Target {
        seq,
        author: Some(published.event.from.clone()),
        at: published.event.at,
        redacted: is_redacted(doors, identity, key, stream, seq).await?,
    })
}

/// Whether a later event removed the text at a position. Edits are rare and soon after.
async fn is_redacted(
    doors: &Doors,
    identity: &Identity,
    key: &ConversationKey,
    stream: Stream,
    seq: Seq,
) -> Result<bool, Problem> {
    let mut after = seq;
    loop {
        let range = Range::After(after);
        let page =
            doors.conversations.history(key, &identity.caller, stream, range, LIMIT_MAX).await?;
        let redacted = |body: &Body| matches!(body, Body::Redacted { seq: of } if *of == seq);
        if page.events.iter().any(|published| redacted(&published.event.body)) {
            return Ok(true);
        }
        match page.events.last() {
            Some(last) if page.more => after = last.event.seq,
            Some(_) | None => return Ok(false),
        }
    }
}

fn need<T>(name: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::with(Code::Invalid, format!("`{name}` is missing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_has_equal_digests_and_other_content_others() {
        let digest = |kind, text: &str, files: &[&str]| {
            let files = files.iter().map(|file| (*file).to_owned()).collect();
            send(kind, MessageBody { text: text.to_owned(), files }, None).1
        };
        let first = digest(SendKind::Message, "ab", &["c"]);
        assert_eq!(first, digest(SendKind::Message, "ab", &["c"]));
        for other in [
            digest(SendKind::Note, "ab", &["c"]),
            digest(SendKind::Message, "a", &["bc"]),
            digest(SendKind::Message, "abc", &[]),
            digest(SendKind::Message, "ab", &["c", ""]),
        ] {
            assert_ne!(first, other);
        }
    }
}
