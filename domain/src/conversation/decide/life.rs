//! Ending and beginning again, and what the visitor says of it.

use std::sync::Arc;

use super::super::event::{AssignedBy, Body, Rating, Resolution};
use super::super::rejection::Rejection;
use super::super::state::{Conversation, Status};
use super::{Decided, Draft, require_open};
use crate::limit::{COMMENT_BYTES_MAX, SCORE_MAX, SCORE_MIN, TEXT_BYTES_MAX};
use crate::message;
use crate::person::{AgentRef, Author, Side};

/// Ends it and releases its agent. What is closed can be closed with another resolution by
/// agents; that corrects the resolution and leaves the time of the end.
pub(super) fn close(state: &Conversation, from: &Author, resolution: Resolution) -> Decided {
    match state.status {
        Status::Closed if state.resolution == resolution => return Ok(Vec::new()),
        Status::Closed if from.principal.side() == Side::Visitor => return Ok(Vec::new()),
        Status::Waiting | Status::Active | Status::Closed => {}
        Status::Archived => return Err(Rejection::Closed),
    }
    Ok(vec![Draft::public(from, Body::Closed { resolution })])
}

/// Opens it again, to wait or to be owned by `agent` at once (a person's decision, so capacity
/// does not bind it). Visitors begin a new one instead.
pub(super) fn reopen(state: &Conversation, from: &Author, agent: Option<&AgentRef>) -> Decided {
    match state.status {
        Status::Closed => {}
        Status::Waiting | Status::Active => return Err(Rejection::Open),
        Status::Archived => return Err(Rejection::Closed),
    }
    let mut drafts = vec![Draft::public(from, Body::Reopened)];
    if let Some(agent) = agent {
        let body = Body::Assigned { agent: agent.clone(), by: AssignedBy::Assign, previous: None };
        drafts.push(Draft::public(from, body));
    }
    Ok(drafts)
}

/// Puts away what is closed.
pub(super) fn archive(state: &Conversation, from: &Author) -> Decided {
    match state.status {
        Status::Waiting | Status::Active => Err(Rejection::Open),
        Status::Closed => Ok(vec![Draft::public(from, Body::Archived)]),
        Status::Archived => Ok(Vec::new()),
    }
}

/// The visitor's judgement: once in the life of the conversation, after it ended.
pub(super) fn rate(state: &Conversation, from: &Author, rating: &Rating) -> Decided {
    if state.status.is_open() {
        return Err(Rejection::Open);
    }
    if state.rating.is_some() {
        return Err(Rejection::AlreadyRated);
    }
    if !(SCORE_MIN..=SCORE_MAX).contains(&rating.score) {
        return Err(Rejection::Invalid { what: "score", why: "must be 1 to 5" });
    }
    let comment = rating
        .comment
        .as_ref()
        .map(|raw| message::optional_text("comment", raw, COMMENT_BYTES_MAX))
        .transpose()?
        .flatten();
    Ok(vec![Draft::public(from, Body::Rated(Rating { score: rating.score, comment }))])
}

/// Nobody is there: it waits as an offline message. Says nothing while an agent has it.
pub(super) fn go_offline(state: &Conversation, from: &Author) -> Decided {
    require_open(state)?;
    if state.status != Status::Waiting || state.offline {
        return Ok(Vec::new());
    }
    Ok(vec![Draft::public(from, Body::WentOffline)])
}

/// The visitor has been away for as long as a place is kept: it waits on, outside the line. Says
/// nothing where an answer finds the visitor all the same: a message left while nobody was there,
/// and who gave an address.
pub(super) fn leave_line(state: &Conversation, from: &Author) -> Decided {
    require_open(state)?;
    if !state.is_in_line() || state.offline || state.visitor.email.is_some() {
        return Ok(Vec::new());
    }
    Ok(vec![Draft::public(from, Body::VisitorLeft)])
}

/// The visitor is back: at the end of the line. Says nothing unless the place was given up.
pub(super) fn return_to_line(state: &Conversation, from: &Author) -> Decided {
    require_open(state)?;
    if state.status != Status::Waiting || state.is_in_line() {
        return Ok(Vec::new());
    }
    Ok(vec![Draft::public(from, Body::VisitorReturned)])
}

/// Somebody is there now. Says nothing unless it waits as an offline message.
pub(super) fn announce_agent(state: &Conversation, from: &Author, text: &Arc<str>) -> Decided {
    require_open(state)?;
    if !state.offline {
        return Ok(Vec::new());
    }
    let text = message::text("text", text, TEXT_BYTES_MAX)?;
    Ok(vec![Draft::public(from, Body::AgentAvailable { text })])
}
