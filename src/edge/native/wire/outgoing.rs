//! Frames to clients. Events are not here: see [`event`](super::event).

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::card::Card;
use super::person::{Agent, Person};
use super::time::Rfc3339;
use super::{Codec, plain};

/// A frame.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "fields are those of docs/PROTOCOL.md")]
pub enum Frame<'a> {
    /// The hello was accepted.
    Ready { connection: Uuid, node: &'a str, principal: Person<'a>, ping_ms: u32, limits: Limits },
    /// The subscription stands; events follow.
    Subscribed {
        conversation: Uuid,
        #[serde(skip_serializing_if = "Option::is_none")]
        stream: Option<&'static str>,
        log: Uuid,
        head: u64,
        mode: Mode,
        from: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<Box<Card<'a>>>,
    },
    /// A send is stored.
    Ack(Ack),
    /// A send is not stored.
    Nack {
        conversation: Uuid,
        n: u64,
        code: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u32>,
    },
    /// How far somebody has got.
    Receipt { conversation: Uuid, by: Person<'a>, read: u64, received: u64 },
    /// Somebody types.
    Typing {
        conversation: Uuid,
        from: Person<'a>,
        on: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        preview: Option<&'a str>,
    },
    /// An action was carried out.
    Done {
        #[serde(rename = "ref")]
        reference: Uuid,
        conversation: Uuid,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
    /// Something was refused.
    Refused {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<Uuid>,
        #[serde(skip_serializing_if = "Option::is_none")]
        re: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation: Option<Uuid>,
        #[serde(skip_serializing_if = "Option::is_none")]
        stream: Option<&'static str>,
        code: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<Agent<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u32>,
    },
    /// A live list.
    View {
        #[serde(rename = "ref")]
        reference: Uuid,
        version: u64,
        total: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshot: Option<Vec<Card<'a>>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        changes: Option<Vec<Change<'a>>>,
    },
    /// Where a waiting visitor stands.
    Queue {
        conversation: Uuid,
        position: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        eta_s: Option<(u32, u32)>,
    },
    /// Who is there: for agents.
    #[serde(rename = "presence")]
    Presences { agents: Vec<Presence<'a>>, snapshot: bool },
    /// Whether anybody is there: for visitors.
    #[serde(rename = "presence")]
    AnybodyOnline { online: bool },
    /// The visitor went to another page, or did something there: for agents.
    Page {
        conversation: Uuid,
        url: &'a str,
        title: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        did: Option<&'a str>,
        at: Rfc3339,
    },
    /// Who looks at a conversation: for agents.
    Viewing { conversation: Uuid, agents: Vec<Agent<'a>> },
    /// Who is with conversations of watched lists: for agents.
    Company { items: Vec<Company<'a>> },
    /// An agent began a conversation with this visitor.
    Conversation { conversation: Uuid },
    /// What this agent likes was changed, on another page or this one.
    Preferences { version: u64 },
    /// What this agent has not sent was changed, on another page or this one.
    Drafts { version: u64 },
    /// The node goes away.
    Drain { reconnect_in_ms: u32 },
    /// A frame was no good.
    Error {
        code: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
    },
    /// Are you there?
    Ping,
    /// I am.
    Pong,
}

/// A send is stored, and where.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of docs/PROTOCOL.md")]
pub struct Ack {
    pub conversation: Uuid,
    pub n: u64,
    pub seq: u64,
    pub id: Uuid,
    pub at: Rfc3339,
    pub duplicate: bool,
}

impl Ack {
    /// The bytes of the frame.
    #[must_use]
    pub fn encoded(&self, codec: Codec) -> Bytes {
        match codec {
            Codec::Json => plain::ack(self),
            Codec::MessagePack => codec.encode(&Frame::Ack(*self)),
        }
    }
}

/// What a client must keep to.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limits {
    /// Bytes of one text.
    pub text_bytes: usize,
    /// Sends without an ack before the server stops reading.
    pub unacked: usize,
}

/// What follows a `subscribed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything after the given position.
    Replay,
    /// The newest events; drop what was cached.
    Snapshot,
}

/// A change of a live list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change<'a> {
    /// It is in the list, like this.
    Put(Box<Card<'a>>),
    /// It left the list.
    Drop(Uuid),
}

/// Who is with a conversation.
#[derive(Clone, Debug, Serialize)]
pub struct Company<'a> {
    /// Which one.
    pub conversation: Uuid,
    /// All of them; empty when the last has left.
    pub agents: Vec<Companion<'a>>,
}

/// An agent who looks at a conversation.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Companion<'a> {
    /// Who.
    pub agent: Agent<'a>,
    /// Whether they type in it, too.
    pub typing: bool,
}

/// An agent's availability.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Presence<'a> {
    /// Who.
    pub agent: Agent<'a>,
    /// `online`, `away`, `busy` or `offline`.
    pub status: &'static str,
    /// How many conversations the agent takes.
    pub capacity: usize,
    /// How many it has.
    pub active: usize,
}
