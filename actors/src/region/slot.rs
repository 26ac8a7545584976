//! The place of one conversation in its region: in memory, or on its way out.

use std::collections::VecDeque;
use std::time::Duration;

use ractor::ActorRef;
use tokio::time::Instant;

use crate::conversation::{Message, Parcel};
use crate::mailbox::{Gauge, deliver};

/// A conversation that is in memory.
pub(super) struct Slot {
    actor: ActorRef<Parcel>,
    gauge: Gauge,
    touched_at: Instant,
    /// Some once the actor takes no more: what waits for its next life.
    waiting: Option<VecDeque<Parcel>>,
}

impl Slot {
    pub(super) fn live(actor: ActorRef<Parcel>, gauge: Gauge) -> Self {
        Self { actor, gauge, touched_at: Instant::now(), waiting: None }
    }

    pub(super) const fn is_live(&self) -> bool {
        self.waiting.is_none()
    }

    /// Requests that are not handled yet.
    pub(super) fn depth(&self) -> usize {
        self.gauge.depth()
    }

    /// Passes a message on, or keeps it for the next life; gives it back when too much waits.
    pub(super) fn send(&mut self, message: Message, now: Instant) -> Result<(), Message> {
        let Some(permit) = self.gauge.enter() else { return Err(message) };
        self.touched_at = now;
        self.forward(Parcel::new(message, permit));
        Ok(())
    }

    /// As [`send`](Self::send), for what was admitted before.
    pub(super) fn forward(&mut self, parcel: Parcel) {
        let parcel = match &mut self.waiting {
            Some(waiting) => return waiting.push_back(parcel),
            None => deliver(&self.actor, parcel),
        };
        if let Err(parcel) = parcel {
            // It ended or failed by itself; its supervision event is on the way.
            self.waiting = Some(VecDeque::from([parcel]));
        }
    }

    pub(super) fn leave_if_idle(&mut self, now: Instant, idle: Duration) {
        if now.duration_since(self.touched_at) >= idle && self.depth() == 0 {
            self.leave();
        }
    }

    /// Lets the actor handle what it has, write its checkpoint and end.
    pub(super) fn leave(&mut self) {
        if self.waiting.is_none() {
            // One that takes no more has ended already.
            drop(self.actor.drain());
            self.waiting = Some(VecDeque::new());
        }
    }

    /// What waits for the next life.
    pub(super) fn into_waiting(self) -> VecDeque<Parcel> {
        self.waiting.unwrap_or_default()
    }
}
