//! The place of one conversation in its region: in memory, or on its way out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use switchboard_cluster::ownership::Ownership;
use switchboard_cluster::shard::Shard;
use tokio::time::Instant;

use super::line::Line;
use crate::conversation::{Message, Parcel};

/// A conversation that is in memory.
pub(super) struct Slot {
    line: Arc<Line>,
    /// Some once the actor takes no more: what waits for its next life.
    waiting: Option<VecDeque<Parcel>>,
}

impl Slot {
    pub(super) const fn live(line: Arc<Line>) -> Self {
        Self { line, waiting: None }
    }

    /// The way to its actor, as long as that takes messages.
    pub(super) fn line(&self) -> Option<&Arc<Line>> {
        self.waiting.is_none().then_some(&self.line)
    }

    pub(super) const fn is_live(&self) -> bool {
        self.waiting.is_none()
    }

    /// Whether its shard is held as when it began.
    pub(super) fn is_held(&self, ownership: &dyn Ownership, shard: Shard) -> bool {
        ownership.holds(shard, self.line.epoch())
    }

    /// Requests that are not handled yet.
    pub(super) fn depth(&self) -> usize {
        self.line.depth()
    }

    /// Passes a message on, or keeps it for the next life; gives it back when too much waits.
    pub(super) fn send(&mut self, message: Message, now: Instant) -> Result<(), Message> {
        self.forward(self.line.admit(message, now)?);
        Ok(())
    }

    /// As [`send`](Self::send), for what was admitted before.
    pub(super) fn forward(&mut self, parcel: Parcel) {
        let parcel = match &mut self.waiting {
            Some(waiting) => return waiting.push_back(parcel),
            None => self.line.deliver(parcel),
        };
        if let Err(parcel) = parcel {
            // It ended or failed by itself; its supervision event is on the way.
            self.waiting = Some(VecDeque::from([parcel]));
        }
    }

    /// Lets an idle one go; says whether it did.
    pub(super) fn leave_if_idle(&mut self, now: Instant, idle: Duration) -> bool {
        let leaves = self.line.is_idle(now, idle);
        if leaves {
            self.leave();
        }
        leaves
    }

    /// Lets the actor handle what it has, write its checkpoint and end.
    pub(super) fn leave(&mut self) {
        if self.waiting.is_none() {
            // One that takes no more has ended already.
            self.line.drain();
            self.waiting = Some(VecDeque::new());
        }
    }

    /// What waits for the next life.
    pub(super) fn into_waiting(self) -> VecDeque<Parcel> {
        self.waiting.unwrap_or_default()
    }
}
