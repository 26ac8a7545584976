//! Sessions and messages as clients of this dialect read them.

use std::sync::Arc;

use serde::Serialize;
use switchboard_domain::conversation::{Conversation, Rating};
use switchboard_domain::ids::{AgentId, Seq, TenantId, Timestamp};
use switchboard_domain::person::{AgentRef, Principal, Side};
use switchboard_domain::receipt::Receipt;

use super::words;
use crate::directory::Person;
use crate::edge::device;
use crate::edge::dialect::history::Line;
use crate::edge::dialect::people::id_of;
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;
use crate::edge::time::Rfc3339;

/// Under which name the beginning of a conversation keeps the label of its client.
pub(super) const LABEL: &str = "session";
/// The department of who names none.
pub(super) const GENERAL: &str = "general";
/// Who says what the system says.
const SYSTEM: &str = "System";

/// How a session is named: by the label of its client, else by its id.
///
/// Pages may say what they like in the context of what they begin through another door. Only
/// through this one does somebody begin who has the same id, and no widget.
pub(super) fn label_of(state: &Conversation) -> String {
    let is_ours = state.widget.is_none() && state.visitor.id.uuid() == state.id.uuid();
    let label = if is_ours { context(state, LABEL) } else { None };
    label.unwrap_or_else(|| state.id.to_string())
}

fn context(state: &Conversation, name: &str) -> Option<String> {
    let found = state.context.iter().find(|(known, _)| **known == *name);
    found.map(|(_, text)| (**text).to_owned())
}

/// How many messages a session has, those of the system too.
pub(super) const fn count(state: &Conversation) -> u32 {
    let counts = state.ordinals;
    counts.visitor.saturating_add(counts.agent).saturating_add(counts.system)
}

/// Who began a session.
#[derive(Debug, Serialize)]
pub(super) struct User {
    name: Option<String>,
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
}

/// Where and with what it began.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    user_agent: Option<String>,
    ip_address: Option<String>,
    referrer: Option<String>,
    page_url: Option<String>,
}

impl User {
    /// Name and address.
    pub(super) fn new(state: &Conversation) -> Self {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let visitor = &state.visitor;
        let (name, email, phone) =
            (text(&visitor.name), text(&visitor.email), text(&visitor.phone));
        Self { name, email, phone, metadata: None }
    }

    /// With where and with what it began, for agents and for who began it.
    pub(super) fn with_metadata(self, state: &Conversation) -> Self {
        let metadata = Metadata {
            user_agent: context(state, device::USER_AGENT),
            ip_address: context(state, device::ADDRESS),
            referrer: context(state, "referrer"),
            page_url: context(state, "page"),
        };
        Self { metadata: Some(metadata), ..self }
    }
}

/// An agent by name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent {
    #[serde(rename = "_id")]
    id: Option<Arc<str>>,
    first_name: String,
    last_name: String,
    /// Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl Agent {
    /// The agent for a reader on that side.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        agent: &AgentRef,
        side: Side,
    ) -> Result<Self, Problem> {
        let person = doors.directory.person(tenant, agent.id).await?;
        let person = person.as_ref().map(|person| &person.value);
        let (first_name, last_name) = names(agent, person);
        let email = person.and_then(|person| person.email.as_deref().map(str::to_owned));
        Ok(Self {
            id: id_of(doors, tenant, Principal::Agent(agent.id)).await?,
            first_name,
            last_name,
            email: email.filter(|_| side == Side::Agent),
        })
    }
}

/// First and last name: as they were told, else the shown name split at its last space.
fn names(agent: &AgentRef, person: Option<&Person>) -> (String, String) {
    if let Some(person) = person.filter(|person| person.display_name.is_none())
        && let (Some(given), Some(family)) = (&person.given_name, &person.family_name)
    {
        return ((**given).to_owned(), (**family).to_owned());
    }
    let (first, last) = agent.name.rsplit_once(' ').unwrap_or((&agent.name, ""));
    (first.to_owned(), last.to_owned())
}

/// The newest message, shortened.
#[derive(Debug, Serialize)]
struct LastMessage {
    content: String,
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Rfc3339,
}

/// A visitor's judgement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Judgement {
    score: u8,
    feedback: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rated_at: Option<Rfc3339>,
}

impl Judgement {
    /// A rating, and when it was given.
    pub(super) fn new(rating: &Rating, at: Option<Timestamp>) -> Self {
        let feedback = rating.comment.as_deref().map(str::to_owned);
        Self { score: rating.score, feedback, rated_at: at.map(Rfc3339) }
    }
}

/// A session, as its user reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    session_id: String,
    user: User,
    status: &'static str,
    assigned_agent: Option<Agent>,
    agent_name: Option<String>,
    message_count: u32,
    unread_count: u32,
    started_at: Rfc3339,
    ended_at: Option<Rfc3339>,
}

impl Session {
    /// The session.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        state: &Conversation,
        unread_count: u32,
    ) -> Result<Self, Problem> {
        let assigned_agent = match &state.agent {
            Some(agent) => Some(Agent::new(doors, tenant, agent, Side::Visitor).await?),
            None => None,
        };
        Ok(Self {
            session_id: label_of(state),
            user: User::new(state),
            status: words::status(state.status),
            assigned_agent,
            agent_name: state.agent.as_ref().map(|agent| (*agent.name).to_owned()),
            message_count: count(state),
            unread_count,
            started_at: Rfc3339(state.created_at),
            ended_at: state.closed_at.map(Rfc3339),
        })
    }
}

/// A session, as agents read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdminSession {
    session_id: String,
    user: User,
    status: &'static str,
    priority: &'static str,
    department: String,
    tags: Vec<String>,
    assigned_agent: Option<Agent>,
    agent_name: Option<String>,
    last_message: Option<LastMessage>,
    message_count: u32,
    unread_count: u32,
    started_at: Rfc3339,
    ended_at: Option<Rfc3339>,
    first_response_at: Option<Rfc3339>,
    rating: Option<Judgement>,
    created_at: Rfc3339,
    updated_at: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<Note>>,
}

/// What the log says of a session beside its state.
#[derive(Debug)]
pub(super) struct Details {
    pub(super) notes: Vec<Note>,
    pub(super) rated_at: Option<Timestamp>,
}

impl AdminSession {
    /// The session, with details where one is looked at.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        state: &Conversation,
        unread_count: u32,
        details: Option<Details>,
    ) -> Result<Self, Problem> {
        let assigned_agent = match &state.agent {
            Some(agent) => Some(Agent::new(doors, tenant, agent, Side::Agent).await?),
            None => None,
        };
        let (notes, rated_at) = match details {
            Some(Details { notes, rated_at }) => (Some(notes), rated_at),
            None => (None, None),
        };
        Ok(Self {
            session_id: label_of(state),
            user: User::new(state).with_metadata(state),
            status: words::status(state.status),
            priority: words::priority(state.priority),
            department: department(state),
            tags: state.tags.iter().map(|tag| (**tag).to_owned()).collect(),
            assigned_agent,
            agent_name: state.agent.as_ref().map(|agent| (*agent.name).to_owned()),
            last_message: state.last.as_ref().map(|last| LastMessage {
                content: (*last.text).to_owned(),
                kind: words::kind(last.from.principal),
                timestamp: Rfc3339(last.at),
            }),
            message_count: count(state),
            unread_count,
            started_at: Rfc3339(state.created_at),
            ended_at: state.closed_at.map(Rfc3339),
            first_response_at: state.first_response_at.map(Rfc3339),
            rating: state.rating.as_ref().map(|rating| Judgement::new(rating, rated_at)),
            created_at: Rfc3339(state.created_at),
            updated_at: Rfc3339(state.last_at),
            notes,
        })
    }
}

/// The department of a session.
pub(super) fn department(state: &Conversation) -> String {
    state.department.as_ref().map_or(GENERAL, |department| &*department.0).to_owned()
}

/// A note for colleagues.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    pub(super) content: String,
    pub(super) added_by: Option<Agent>,
    pub(super) added_at: Rfc3339,
}

/// How far each side has read a session, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    pub(super) user: Since,
    pub(super) agents: Since,
}

/// How far a side has read, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Since {
    upto: Seq,
    /// By position; with each the first time at which as much or more had been read.
    known: Vec<(Seq, Timestamp)>,
}

impl Since {
    /// From the furthest receipt of a side, and what is kept of its earlier ones.
    pub(super) fn new(receipt: &Receipt, kept: impl Iterator<Item = (Seq, Timestamp)>) -> Self {
        let newest = receipt.read_at.map(|at| (receipt.read, at));
        let mut known: Vec<_> = kept.chain(newest).collect();
        known.sort_unstable();
        let mut first = Timestamp(i64::MAX);
        for (_, at) in known.iter_mut().rev() {
            first = first.min(*at);
            *at = first;
        }
        Self { upto: receipt.read, known }
    }

    /// When an event was read, as far as that is known.
    fn at(&self, seq: Seq) -> Option<Timestamp> {
        let idx = self.known.partition_point(|(upto, _)| *upto < seq);
        self.known.get(idx).map(|(_, at)| *at)
    }
}

/// A message of a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    #[serde(rename = "_id")]
    id: String,
    session_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    content: String,
    #[serde(flatten)]
    by: By,
    attachments: [(); 0],
    metadata: Changes,
    is_read: bool,
    read_at: Option<Rfc3339>,
    created_at: Rfc3339,
    updated_at: Rfc3339,
}

/// Who answered, where somebody did.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum By {
    User {},
    System { agent_name: &'static str },
    Agent { agent_name: Option<String>, agent_id: Option<Arc<str>>, agent_avatar: Option<String> },
}

/// What became of a message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Changes {
    is_edited: bool,
    edited_at: Option<Rfc3339>,
    is_deleted: bool,
    deleted_at: Option<Rfc3339>,
}

impl Message {
    /// A message as it reads now.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        session_id: String,
        line: &Line,
        read: &Read,
    ) -> Result<Self, Problem> {
        let event = &line.published.event;
        let from = event.from.principal;
        let by = match from.side() {
            Side::Visitor => By::User {},
            Side::System => By::System { agent_name: SYSTEM },
            Side::Agent => By::Agent {
                agent_name: event.from.name.as_deref().map(str::to_owned),
                agent_id: id_of(doors, tenant, from).await?,
                agent_avatar: from.agent().and_then(|agent| avatar(doors, tenant, agent)),
            },
        };
        let other = if from.side() == Side::Visitor { &read.agents } else { &read.user };
        let changed = line.deleted_at.or(line.edited_at);
        Ok(Self {
            id: event.id.to_string(),
            session_id,
            kind: words::kind(from),
            content: (*line.text).to_owned(),
            by,
            attachments: [],
            metadata: Changes {
                is_edited: line.edited_at.is_some(),
                edited_at: line.edited_at.map(Rfc3339),
                is_deleted: line.deleted_at.is_some(),
                deleted_at: line.deleted_at.map(Rfc3339),
            },
            is_read: other.upto >= event.seq,
            read_at: other.at(event.seq).map(Rfc3339),
            created_at: Rfc3339(event.at),
            updated_at: Rfc3339(changed.unwrap_or(event.at)),
        })
    }
}

fn avatar(doors: &Doors, tenant: &TenantId, agent: AgentId) -> Option<String> {
    let faces = doors.directory.faces(tenant);
    faces.of(agent).map(|path| format!("{}{path}", doors.public_url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_since_the_first_receipt_at_or_above_it() {
        let kept = [(Seq(4), Timestamp(50)), (Seq(2), Timestamp(20)), (Seq(7), Timestamp(40))];
        let newest = Receipt { read: Seq(9), read_at: Some(Timestamp(90)), ..Receipt::default() };
        let since = Since::new(&newest, kept.into_iter());
        for (seq, at) in [(1, 20), (2, 20), (3, 40), (7, 40), (8, 90), (9, 90)] {
            assert_eq!(since.at(Seq(seq)), Some(Timestamp(at)), "{seq}");
        }
        assert_eq!(since.at(Seq(10)), None, "not read yet");
        assert_eq!(Since::new(&Receipt::default(), std::iter::empty()).at(Seq(1)), None);
    }
}
