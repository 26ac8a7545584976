//! Owning: who answers, and how that changes hands.

use std::sync::Arc;

use super::super::event::{AssignedBy, Body, TransferTarget};
use super::super::rejection::Rejection;
use super::super::state::{Conversation, Status};
use super::{Decided, Draft, require_open};
use crate::limit::REASON_BYTES_MAX;
use crate::message;
use crate::person::{AgentRef, Author, Principal};

/// An agent takes it for itself. Of two, the first wins and the other is told who (P11). The
/// owner's second `Accept` is a no-op; it does not end a pending transfer, only writing does.
pub(super) fn accept(state: &Conversation, from: &Author, agent: &AgentRef) -> Decided {
    for_oneself(state, from, agent, AssignedBy::Accept)
}

/// The same beyond capacity, as when a person assigns: it is this person who decides.
pub(super) fn take(state: &Conversation, from: &Author, agent: &AgentRef) -> Decided {
    for_oneself(state, from, agent, AssignedBy::Assign)
}

fn for_oneself(state: &Conversation, from: &Author, agent: &AgentRef, by: AssignedBy) -> Decided {
    if from.principal.agent() != Some(agent.id) {
        return Err(Rejection::Forbidden);
    }
    require_open(state)?;
    match &state.agent {
        None => Ok(assigned(state, from, agent, by)),
        Some(owner) if owner.id == agent.id => Ok(Vec::new()),
        Some(owner) => Err(Rejection::AlreadyAccepted { by: owner.clone() }),
    }
}

/// The queue gives it to an agent: only while it waits, whoever that is for.
pub(super) fn route(state: &Conversation, from: &Author, agent: &AgentRef) -> Decided {
    require_open(state)?;
    match &state.agent {
        None => Ok(assigned(state, from, agent, AssignedBy::Route)),
        Some(owner) => Err(Rejection::AlreadyAccepted { by: owner.clone() }),
    }
}

/// A person gives it to an agent, whoever had it before.
pub(super) fn assign(state: &Conversation, from: &Author, agent: &AgentRef) -> Decided {
    require_open(state)?;
    require_other(state, agent)?;
    Ok(assigned(state, from, agent, AssignedBy::Assign))
}

/// The agent gives it back, or a supervisor takes it away: it waits from now on.
pub(super) fn unassign(state: &Conversation, from: &Author) -> Decided {
    require_open(state)?;
    let agent = state.agent.clone().ok_or(Rejection::Unassigned)?;
    Ok(vec![Draft::public(from, Body::Unassigned { agent })])
}

/// As [`unassign`], but fine while it waits already.
pub(super) fn requeue(state: &Conversation, from: &Author) -> Decided {
    if state.status == Status::Waiting { Ok(Vec::new()) } else { unassign(state, from) }
}

/// Hands it on. To an agent: owned by that agent at once, `transferred` until it writes or
/// refuses. To a department: it waits there. The reason, if any, is a note: visitors learn that
/// it was transferred, never why.
pub(super) fn transfer(
    state: &Conversation,
    from: &Author,
    to: &TransferTarget,
    reason: &Arc<str>,
) -> Decided {
    require_open(state)?;
    match to {
        TransferTarget::Agent(agent) => require_other(state, agent)?,
        TransferTarget::Department(department) => {
            if state.status == Status::Waiting && state.department.as_ref() == Some(department) {
                return Ok(Vec::new());
            }
        }
    }
    let body = Body::Transferred { to: to.clone(), previous: state.agent.clone() };
    let mut drafts = vec![Draft::public(from, body)];
    if let Some(text) = message::optional_text("reason", reason, REASON_BYTES_MAX)? {
        drafts.push(Draft::internal(from, Body::Note { text, transfer: true }));
    }
    Ok(drafts)
}

/// The agent it was transferred to sends it back, or the system does for an agent that is gone:
/// to the one who had it, or to wait when nobody had.
pub(super) fn refuse_transfer(state: &Conversation, from: &Author) -> Decided {
    require_open(state)?;
    let owner = state.agent.as_ref().map(|agent| agent.id);
    let own =
        from.principal == Principal::System || (owner.is_some() && owner == from.principal.agent());
    if state.transferred.is_none() || !own {
        return Err(Rejection::NotTransferred);
    }
    Ok(vec![Draft::public(from, Body::TransferRefused)])
}

fn assigned(state: &Conversation, from: &Author, agent: &AgentRef, by: AssignedBy) -> Vec<Draft> {
    let previous = state.agent.clone();
    vec![Draft::public(from, Body::Assigned { agent: agent.clone(), by, previous })]
}

fn require_other(state: &Conversation, agent: &AgentRef) -> Result<(), Rejection> {
    match &state.agent {
        Some(owner) if owner.id == agent.id => Err(Rejection::SameAgent),
        Some(_) | None => Ok(()),
    }
}
