//! The straight way to a conversation that is in memory, past its region.
//!
//! A region opens a line when a conversation begins and closes it before it ends. Between the two
//! whoever has a message puts it into the actor's mailbox without waking the region. What finds no
//! line, or one that is closing, goes to the region, which starts the conversation or keeps the
//! message for its next life.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ractor::ActorRef;
use switchboard_cluster::ownership::Epoch;
use switchboard_store::ConversationKey;
use tokio::time::Instant;

use crate::conversation::{Message, Parcel};
use crate::mailbox::{Gauge, deliver};
use crate::maps::{HashMap, give_back};

/// The open lines of a region.
#[derive(Default)]
pub(crate) struct Lines(Mutex<HashMap<ConversationKey, Arc<Line>>>);

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("open", &self.0.lock().len()).finish_non_exhaustive()
    }
}

impl Lines {
    pub(super) fn get(&self, key: &ConversationKey) -> Option<Arc<Line>> {
        self.0.lock().get(key).cloned()
    }

    pub(super) fn open(&self, key: ConversationKey, line: Arc<Line>) {
        self.0.lock().insert(key, line);
    }

    pub(super) fn close(&self, key: &ConversationKey) {
        self.0.lock().remove(key);
    }

    pub(super) fn give_back(&self) {
        give_back(&mut self.0.lock());
    }

    pub(super) fn close_all(&self) {
        *self.0.lock() = HashMap::default();
    }
}

/// The way to one conversation's actor.
pub(super) struct Line {
    actor: ActorRef<Parcel>,
    gauge: Gauge,
    epoch: Epoch,
    opened_at: Instant,
    /// Milliseconds after `opened_at`.
    touched_ms: AtomicU64,
}

impl Line {
    pub(super) fn new(actor: ActorRef<Parcel>, gauge: Gauge, epoch: Epoch) -> Self {
        Self { actor, gauge, epoch, opened_at: Instant::now(), touched_ms: AtomicU64::new(0) }
    }

    /// Under which epoch of its shard the conversation began.
    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Requests that are not handled yet.
    pub(super) fn depth(&self) -> usize {
        self.gauge.depth()
    }

    /// A message with its permit; gives it back when too much waits.
    pub(super) fn admit(&self, message: Message, now: Instant) -> Result<Parcel, Message> {
        let Some(permit) = self.gauge.enter() else { return Err(message) };
        self.touched_ms.fetch_max(self.ms(now), Ordering::Relaxed);
        Ok(Parcel::new(message, permit))
    }

    /// Puts it into the mailbox; gives it back when the actor takes no more.
    pub(super) fn deliver(&self, parcel: Parcel) -> Result<(), Parcel> {
        deliver(&self.actor, parcel)
    }

    pub(super) fn is_idle(&self, now: Instant, idle: Duration) -> bool {
        let touched_at = Duration::from_millis(self.touched_ms.load(Ordering::Relaxed));
        now.duration_since(self.opened_at) >= touched_at + idle && self.depth() == 0
    }

    /// Lets the actor handle what it has and end.
    pub(super) fn drain(&self) {
        // One that takes no more has ended already.
        drop(self.actor.drain());
    }

    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.opened_at).as_millis()).unwrap_or(u64::MAX)
    }
}
