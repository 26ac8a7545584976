//! Sessions, messages and people as clients of this dialect read them.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use switchboard_actors::Published;
use switchboard_actors::presence::AgentPresence;
use switchboard_domain::conversation::{Body, Conversation};
use switchboard_domain::ids::{Number, TenantId, Timestamp};
use switchboard_domain::limit::CAPACITY_DEFAULT;
use switchboard_domain::person::{AgentRef, Principal, Side};

use super::words;
use crate::directory::Person;
use crate::edge::dialect::encoded::{Encoded, Slot};
use crate::edge::dialect::history::Line;
use crate::edge::doors::Doors;
use crate::edge::numbers::{Name, name_of};
use crate::edge::problem::Problem;
use crate::edge::time::Rfc3339;

/// Under which name the beginning of a conversation keeps the client's own object.
pub(super) const METADATA: &str = "metadata";

/// A chat session.
#[derive(Debug, Serialize)]
pub(super) struct Session {
    id: u64,
    status: &'static str,
    subject: Option<String>,
    /// Agents only, as all that moves when something internal happens (P13).
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
    /// Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    required_skills: Option<Vec<String>>,
    metadata: Value,
    customer_id: Name,
    customer_name: Option<String>,
    /// Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_email: Option<Option<String>>,
    agent_id: Option<Name>,
    agent: Option<Agent>,
    created_at: Rfc3339,
    updated_at: Rfc3339,
    closed_at: Option<Rfc3339>,
}

/// An agent by number and name.
#[derive(Debug, Serialize)]
pub(super) struct Agent {
    id: Name,
    name: String,
}

impl Agent {
    /// The agent as events name it.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        agent: &AgentRef,
    ) -> Result<Self, Problem> {
        let id = name_of(doors, tenant, Principal::Agent(agent.id)).await?;
        Ok(Self { id, name: (*agent.name).to_owned() })
    }
}

impl Session {
    /// The session for a reader on that side. From here on its number is known.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        state: &Conversation,
        side: Side,
    ) -> Result<Self, Problem> {
        doors.numbers.shown(tenant, state);
        let internal = side == Side::Agent;
        let text = |text: &Arc<str>| (**text).to_owned();
        let metadata = state.context.iter().find(|(name, _)| **name == *METADATA);
        let metadata = metadata.and_then(|(_, json)| serde_json::from_str(json).ok());
        let agent = match &state.agent {
            Some(agent) => Some(Agent::new(doors, tenant, agent).await?),
            None => None,
        };
        Ok(Self {
            id: state.number.0,
            status: words::status(state.status),
            subject: state.subject.as_ref().map(text),
            priority: internal.then(|| words::priority(state.priority)),
            required_skills: internal.then(|| state.skills.iter().map(text).collect()),
            metadata: metadata.unwrap_or_default(),
            customer_id: name_of(doors, tenant, Principal::Visitor(state.visitor.id)).await?,
            customer_name: state.visitor.name.as_ref().map(text),
            customer_email: internal.then(|| state.visitor.email.as_ref().map(text)),
            agent_id: agent.as_ref().map(|agent| agent.id),
            agent,
            created_at: Rfc3339(state.created_at),
            updated_at: Rfc3339(if internal { state.last_at } else { state.last_public_at }),
            closed_at: state.closed_at.map(Rfc3339),
        })
    }
}

/// A message of a session.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    id: String,
    session_id: u64,
    sender_id: Name,
    sender_type: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    content: String,
    attachment_url: Option<String>,
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
        session: Number,
        line: &Line,
    ) -> Result<Self, Problem> {
        let event = &line.published.event;
        let has_files = matches!(&event.body, Body::Message { files, .. } if !files.is_empty());
        Ok(Self {
            id: event.id.to_string(),
            session_id: session.0,
            sender_id: name_of(doors, tenant, event.from.principal).await?,
            sender_type: words::sender(event.from.principal),
            kind: if has_files { "file" } else { "text" },
            content: (*line.text).to_owned(),
            attachment_url: None,
            created_at: Rfc3339(event.at),
        })
    }
}

/// The message that an event is, encoded once for all who hear it; `None` for any other event.
///
/// # Errors
///
/// When the directory fails.
pub(super) async fn message(
    doors: &Doors,
    tenant: &TenantId,
    session: Number,
    published: &Arc<Published>,
) -> Result<Option<Encoded>, Problem> {
    if let Some(known) = Encoded::of(published, Slot::Phase5) {
        return Ok(Some(known));
    }
    let Some(line) = Line::new(published) else { return Ok(None) };
    let message = Message::new(doors, tenant, session, &line).await?;
    Encoded::make(published, Slot::Phase5, &message).map(Some)
}

/// How an agent is available.
#[derive(Debug, Serialize)]
pub(super) struct Availability {
    status: &'static str,
    max_concurrent_chats: usize,
    current_chats: usize,
    skills: Vec<String>,
}

impl Availability {
    /// What the agent chose; `None` of presence for one who was never there.
    pub(super) fn new(person: &Person, presence: Option<&AgentPresence>) -> Self {
        let skills = presence.map_or(person.skills.as_slice(), |known| &known.skills);
        Self {
            status: presence.map_or("offline", |known| words::presence(known.chosen)),
            max_concurrent_chats: presence.map_or(person.capacity, |known| known.capacity),
            current_chats: presence.map_or(0, |known| known.active),
            skills: skills.iter().map(|skill| (**skill).to_owned()).collect(),
        }
    }
}

/// How busy an agent is.
#[derive(Debug, Serialize)]
pub(super) struct Workload {
    agent_id: u64,
    active_chats: usize,
    max_concurrent_chats: usize,
    available_slots: usize,
}

impl Workload {
    /// As presence counts it.
    pub(super) fn new(person: &Person, presence: Option<&AgentPresence>) -> Self {
        let active_chats = presence.map_or(0, |known| known.active);
        let max = presence.map_or(person.capacity, |known| known.capacity);
        Self {
            agent_id: person.number.0,
            active_chats,
            max_concurrent_chats: max,
            // A person may have given more than the agent takes.
            available_slots: max.saturating_sub(active_chats),
        }
    }
}

/// Who a chat is with.
#[derive(Debug, Serialize)]
pub(super) struct CustomerContext {
    pub(super) customer: Customer,
    /// Agents only: tickets are linked by internal events (P13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous_tickets_count: Option<usize>,
    pub(super) previous_chats_count: usize,
    pub(super) account_status: String,
}

/// A customer.
#[derive(Debug, Serialize)]
pub(super) struct Customer {
    pub(super) id: Name,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) account_age_days: i64,
}

/// What waits, and how long.
#[derive(Debug, Serialize)]
pub(super) struct QueueStats {
    pub(super) pending: usize,
    pub(super) active: usize,
    /// Closed since midnight, UTC.
    pub(super) closed: usize,
    /// Seconds from the start of a chat to the first answer, or until now while it waits, on
    /// average over the chats counted here.
    pub(super) average_wait_time: i64,
}

/// Days between two moments.
pub(super) const fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    let ms = to.ms_since(from);
    if ms < 0 { 0 } else { ms / 86_400_000 }
}

const _: () = assert!(CAPACITY_DEFAULT == 5, "clients of this dialect expect five chats");
