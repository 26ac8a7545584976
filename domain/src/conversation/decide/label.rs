//! What agents put on a conversation, out of the visitor's sight.

use std::sync::Arc;

use super::super::event::{Body, Priority};
use super::super::state::Conversation;
use super::create::labels;
use super::{Decided, Draft, require_kept, require_open};
use crate::ids::{DepartmentId, Number};
use crate::limit::TAGS_MAX;
use crate::person::Author;

/// Changes the priority.
pub(super) fn prioritise(state: &Conversation, from: &Author, priority: Priority) -> Decided {
    require_kept(state)?;
    if state.priority == priority {
        return Ok(Vec::new());
    }
    let body = Body::Prioritised { priority, previous: state.priority };
    Ok(vec![Draft::internal(from, body)])
}

/// Changes the department; the agent, if any, stays.
pub(super) fn set_department(
    state: &Conversation,
    from: &Author,
    department: Option<&DepartmentId>,
) -> Decided {
    require_kept(state)?;
    if state.department.as_ref() == department {
        return Ok(Vec::new());
    }
    let body = Body::DepartmentChanged {
        department: department.cloned(),
        previous: state.department.clone(),
    };
    Ok(vec![Draft::internal(from, body)])
}

/// Replaces the tags.
pub(super) fn tag(state: &Conversation, from: &Author, tags: &[Arc<str>]) -> Decided {
    require_kept(state)?;
    let tags = labels("tags", tags, TAGS_MAX)?;
    if state.tags == tags {
        return Ok(Vec::new());
    }
    Ok(vec![Draft::internal(from, Body::Tagged { tags })])
}

/// Links a ticket, instead of the one linked before.
pub(super) fn link_ticket(state: &Conversation, from: &Author, ticket: Number) -> Decided {
    require_kept(state)?;
    if state.ticket == Some(ticket) {
        return Ok(Vec::new());
    }
    Ok(vec![Draft::internal(from, Body::Ticketed { ticket })])
}

/// A supervisor looks over the agent's shoulder: colleagues learn of it.
pub(super) fn watch(state: &Conversation, from: &Author) -> Decided {
    require_open(state)?;
    Ok(vec![Draft::internal(from, Body::Watched)])
}
