//! Chats, messages and admins as clients of this dialect read them.

use std::sync::Arc;

use serde::Serialize;
use switchboard_actors::presence::AgentPresence;
use switchboard_domain::conversation::{Body, Conversation, Resolution};
use switchboard_domain::ids::{TenantId, Timestamp};
use switchboard_domain::person::{Principal, Side};
use uuid::Uuid;

use super::words;
use crate::directory::Person;
use crate::edge::dialect::history::Line;
use crate::edge::dialect::people::id_of;
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;
use crate::edge::time::Rfc3339;

/// A chat.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chat {
    id: Uuid,
    session_id: String,
    status: &'static str,
    visitor_name: Option<Arc<str>>,
    assigned_to: Option<Arc<str>>,
    is_offline_message: bool,
    first_response_at: Option<Rfc3339>,
    resolved_at: Option<Rfc3339>,
    /// Seconds from the beginning to the first answer.
    response_time: Option<i64>,
    /// Seconds from the beginning until it was resolved.
    resolution_time: Option<i64>,
    rating: Option<u8>,
    rating_comment: Option<Arc<str>>,
    created_at: Rfc3339,
    updated_at: Rfc3339,
    #[serde(flatten)]
    internal: Option<Internal>,
}

/// What admins alone read of a chat: how to reach the visitor, and what moves when something
/// internal happens (P13).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Internal {
    visitor_email: Option<Arc<str>>,
    visitor_phone: Option<Arc<str>>,
    department: Option<Arc<str>>,
}

impl Chat {
    /// The chat for a reader on that side, under a label of theirs.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        state: &Conversation,
        label: String,
        side: Side,
    ) -> Result<Self, Problem> {
        let is_agents = side == Side::Agent;
        let assigned_to = match &state.agent {
            Some(agent) => id_of(doors, tenant, Principal::Agent(agent.id)).await?,
            None => None,
        };
        let seconds = |at: Timestamp| at.ms_since(state.created_at) / 1_000;
        let resolved_at = state.closed_at.filter(|_| state.resolution == Resolution::Resolved);
        let rating = state.rating.as_ref();
        Ok(Self {
            id: state.id.uuid(),
            session_id: label,
            status: words::status(state.status, state.resolution),
            visitor_name: state.visitor.name.clone(),
            assigned_to,
            is_offline_message: state.offline,
            first_response_at: state.first_response_at.map(Rfc3339),
            resolved_at: resolved_at.map(Rfc3339),
            response_time: state.first_response_at.map(seconds),
            resolution_time: resolved_at.map(seconds),
            rating: rating.map(|rating| rating.score),
            rating_comment: rating.and_then(|rating| rating.comment.clone()),
            created_at: Rfc3339(state.created_at),
            updated_at: Rfc3339(if is_agents { state.last_at } else { state.last_public_at }),
            internal: is_agents.then(|| Internal {
                visitor_email: state.visitor.email.clone(),
                visitor_phone: state.visitor.phone.clone(),
                department: state.department.as_ref().map(|department| Arc::clone(&department.0)),
            }),
        })
    }
}

/// A message of a chat.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    id: Uuid,
    chat_id: Uuid,
    message: Arc<str>,
    message_type: &'static str,
    sender_type: &'static str,
    sender_id: Option<Arc<str>>,
    sender_name: Option<Arc<str>>,
    file_url: Option<Arc<str>>,
    file_name: Option<Arc<str>>,
    file_size: Option<u64>,
    created_at: Rfc3339,
}

impl Message {
    /// What was said, as it reads now.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        line: &Line,
    ) -> Result<Self, Problem> {
        let event = &line.published.event;
        let has_files = matches!(&event.body, Body::Message { files, .. } if !files.is_empty());
        Ok(Self {
            id: event.id.uuid(),
            chat_id: line.published.conversation.uuid(),
            message: Arc::clone(&line.text),
            message_type: if has_files { "FILE" } else { "TEXT" },
            sender_type: words::sender(event.from.principal),
            sender_id: id_of(doors, tenant, event.from.principal).await?,
            sender_name: event.from.name.clone(),
            file_url: None,
            file_name: None,
            file_size: None,
            created_at: Rfc3339(event.at),
        })
    }
}

/// The counts of one chat; times in whole seconds.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Analytics {
    chat_id: Uuid,
    total_messages: usize,
    visitor_messages: usize,
    admin_messages: usize,
    /// From what the visitor wrote first since the last answer, to the answer.
    avg_response_time: Option<i64>,
    longest_response_time: Option<i64>,
    shortest_response_time: Option<i64>,
    /// `None` while it is open.
    session_duration: Option<i64>,
}

impl Analytics {
    /// Of a chat whose messages are these.
    pub(super) fn new(state: &Conversation, lines: &[Line]) -> Self {
        let said = lines.iter().map(|line| {
            let event = &line.published.event;
            (event.from.principal.side(), event.at)
        });
        let said: Vec<_> = said.collect();
        let answers_s = answers_s(&said);
        let count = |side| said.iter().filter(|(by, _)| *by == side).count();
        let n_answers = i64::try_from(answers_s.len()).unwrap_or(i64::MAX);
        Self {
            chat_id: state.id.uuid(),
            total_messages: said.len(),
            visitor_messages: count(Side::Visitor),
            admin_messages: count(Side::Agent),
            avg_response_time: answers_s.iter().sum::<i64>().checked_div(n_answers),
            longest_response_time: answers_s.iter().max().copied(),
            shortest_response_time: answers_s.iter().min().copied(),
            session_duration: state.closed_at.map(|at| at.ms_since(state.created_at) / 1_000),
        }
    }
}

/// How long the visitor waited for each answer, in seconds.
fn answers_s(said: &[(Side, Timestamp)]) -> Vec<i64> {
    let mut asked_at = None;
    let mut answers_s = Vec::new();
    for (by, at) in said {
        match by {
            Side::Visitor => asked_at = asked_at.or(Some(*at)),
            Side::Agent => {
                answers_s.extend(asked_at.take().map(|asked_at| at.ms_since(asked_at) / 1_000));
            }
            Side::System => {}
        }
    }
    answers_s
}

/// Somebody who answers, as far as presence goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Admin {
    user_id: Arc<str>,
    is_online: bool,
    last_seen_at: Option<Rfc3339>,
    department: Option<Arc<str>>,
    user: User,
}

/// Who that is.
#[derive(Debug, Serialize)]
struct User {
    name: Arc<str>,
    email: Option<Arc<str>>,
    role: &'static str,
}

impl Admin {
    /// As presence knows a person.
    pub(super) fn new(person: &Person, known: &AgentPresence, seen_at: Option<Timestamp>) -> Self {
        Self {
            user_id: Arc::clone(&person.external_id),
            is_online: is_online(known),
            last_seen_at: seen_at.map(Rfc3339),
            department: known.desk.as_ref().map(|desk| Arc::clone(&desk.0)),
            user: User {
                name: person.full_name(),
                email: person.email.clone(),
                role: words::role(person.role_in_effect()),
            },
        }
    }
}

/// Whether somebody is there to answer, in the one sense of every door.
pub(super) const fn is_online(known: &AgentPresence) -> bool {
    known.effective.takes_offers()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &[(Side, i64)], expected: &[i64]) {
        let said: Vec<_> = said.iter().map(|(by, s)| (*by, Timestamp(s * 1_000))).collect();
        assert_eq!(answers_s(&said), expected, "{said:?}");
    }

    #[test]
    fn an_answer_is_counted_from_the_first_unanswered_question() {
        use Side::{Agent, System, Visitor};
        check(&[], &[]);
        check(&[(Visitor, 0)], &[]);
        check(&[(Agent, 0), (Agent, 5)], &[]);
        check(&[(Visitor, 0), (Visitor, 10), (System, 11), (Agent, 30), (Agent, 40)], &[30]);
        check(&[(Visitor, 0), (Agent, 7), (Visitor, 10), (Agent, 11)], &[7, 1]);
    }
}
