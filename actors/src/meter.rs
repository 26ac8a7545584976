//! What the actors tell the metrics. The door implements it; tests and tools take [`Unmetered`].

use std::fmt;
use std::time::Duration;

use crate::subscriber::Pushed;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Stored durably.
    Stored,
    /// Stored before under the same key.
    Duplicate,
    /// Allowed, and there was nothing to store.
    Unchanged,
    /// The rules said no.
    Rejected,
    /// Too much waited.
    Busy,
    /// The disk is full.
    StorageFull,
    /// Unknown: no answer in time, or the actor failed.
    Unknown,
}

/// What was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// Typing and previews.
    Ephemeral,
    /// A connection, cut because it read too slowly.
    SlowConnection,
    /// A request, refused because a mailbox was full.
    Request,
}

/// A kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the actor of that name")]
pub enum Kind {
    Region,
    Conversation,
    Checkpoints,
    Presence,
    Inbox,
    Queue,
}

/// Where counts go. Every method is called on a hot path and must not block.
pub trait Meter: Send + Sync + fmt::Debug + 'static {
    /// A request ended; `took` is from its arrival at the handle to its answer.
    fn request(&self, _outcome: Outcome, _took: Duration) {}
    /// A conversation was loaded into memory.
    fn activated(&self, _took: Duration) {}
    /// A conversation that was loaded began with what the owner before handed on: its log was not
    /// read.
    fn began_warm(&self) {}
    /// A conversation left memory.
    fn passivated(&self) {}
    /// An actor failed and was, or will be, started again.
    fn restarted(&self, _kind: Kind) {}
    /// A conversation failed too often and is refused for a while.
    fn quarantined(&self) {}
    /// So many requests waited in a mailbox when one more came.
    fn mailbox_depth(&self, _kind: Kind, _depth: usize) {}
    /// Something was not delivered.
    fn dropped(&self, _what: Dropped) {}
    /// Something was put into a connection's queue; what was not delivered counts as dropped.
    fn pushed(&self, pushed: Pushed) {
        match pushed {
            Pushed::Dropped => self.dropped(Dropped::Ephemeral),
            Pushed::Cut => self.dropped(Dropped::SlowConnection),
            Pushed::Told | Pushed::Queued | Pushed::Conflated | Pushed::Closed => {}
        }
    }
    /// So many conversations wait in a department's queue.
    fn queue_depth(&self, _depth: usize) {}
    /// A conversation waited so long for its agent.
    fn queue_wait(&self, _waited: Duration) {}
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmetered;

impl Meter for Unmetered {}
