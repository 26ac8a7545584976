//! What a handle answers: done, or refused and why.

use std::sync::Arc;

use switchboard_domain::conversation::{Conversation, Event, Rejection, Status, Stream};
use switchboard_domain::ids::{EventId, LogId, Seq, Timestamp};
use switchboard_domain::receipt::Receipt;
use switchboard_store::{Fault, Range};

use crate::published::Published;

/// A command was carried out, and what it stored is durable.
#[derive(Clone, Debug)]
pub struct Done {
    /// What was stored, in order. For a duplicate: the event stored at first. Empty when the
    /// command asked for what already was.
    pub events: Vec<Arc<Published>>,
    /// Whether the same key had been stored before; then nothing new was.
    pub duplicate: bool,
    /// The state after it.
    pub state: Arc<Conversation>,
}

/// A message was stored, or had been before: as little of it as its sender must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where its first event stands; `None` when the command asked for what already was.
    pub placed: Option<Placed>,
    /// Whether the same key had been stored before; then nothing new was.
    pub duplicate: bool,
    /// Whether its conversation waits for an agent, and nobody has noted that none is there.
    pub waits: bool,
}

/// Where an event stands in its stream, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its position.
    pub seq: Seq,
    /// What tells it from all others.
    pub id: EventId,
    /// When it was stored.
    pub at: Timestamp,
}

impl From<&Done> for Stored {
    fn from(done: &Done) -> Self {
        Self::new(done.events.first().map(|it| &it.event), done.duplicate, &done.state)
    }
}

impl Stored {
    pub(crate) fn new(first: Option<&Event>, duplicate: bool, state: &Conversation) -> Self {
        let placed = first.map(|event| Placed { seq: event.seq, id: event.id, at: event.at });
        let waits = state.status == Status::Waiting && !state.offline;
        Self { placed, duplicate, waits }
    }
}

/// A subscription was entered: everything up to `head` is to be read from history, everything
/// after it comes through the subscriber, without gap or double.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// Which stream.
    pub stream: Stream,
    /// The identity of the history; another one than the client's forces a snapshot.
    pub log: LogId,
    /// The newest durable position in the stream at that moment.
    pub head: Seq,
    /// The state at that moment.
    pub state: Arc<Conversation>,
    /// The caller's own receipt.
    pub receipt: Receipt,
}

/// A conversation as it stands.
#[derive(Clone, Debug)]
pub struct View {
    /// The state.
    pub state: Arc<Conversation>,
    /// The caller's own receipt.
    pub own: Receipt,
    /// The furthest receipt of the caller's own side: of all agents for an agent.
    pub side: Receipt,
    /// The furthest receipt of the other side: agents' for a visitor, the visitor's for agents.
    pub other: Receipt,
}

/// A stretch of one stream.
#[derive(Clone, Debug)]
pub struct History {
    /// The events, in rising order.
    pub events: Vec<Arc<Published>>,
    /// The newest durable position of the stream when this was read.
    pub head: Seq,
    /// Whether more lies in the direction that was read.
    pub more: bool,
}

impl History {
    /// A stretch that was read in the direction of `range`.
    pub(crate) fn new(events: Vec<Arc<Published>>, head: Seq, range: Range) -> Self {
        let more = match range {
            Range::After(_) => events.last().is_some_and(|last| last.event.seq < head),
            Range::Before(_) => events.first().is_some_and(|first| first.event.seq > Seq(1)),
        };
        Self { events, head, more }
    }
}

/// Nothing was changed, or the outcome is unknown where it says so.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The rules said no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too much waits before this actor. Nothing was changed.
    #[error("too many requests wait; try again in {retry_after_ms} ms")]
    Busy {
        /// When to try again, in milliseconds.
        retry_after_ms: u32,
    },
    /// The disk is full. Nothing was changed; reads go on.
    #[error("the disk is full")]
    StorageFull,
    /// No answer in time, or the actor failed: the outcome is unknown. A retry with the same key
    /// is safe (P4).
    #[error("no answer; the outcome is unknown")]
    Unknown,
    /// The actor failed too often on this conversation and is quarantined for a while.
    #[error("the conversation is quarantined after repeated failures")]
    Quarantined,
    /// The node is draining; connect again elsewhere or later.
    #[error("the node is draining")]
    Draining,
    /// Whoever serves this now is not the one that was asked. Nothing was changed.
    #[error("it is on its way to another node")]
    Moved,
    /// The store broke.
    #[error("the store failed")]
    Store(#[source] Fault),
}
