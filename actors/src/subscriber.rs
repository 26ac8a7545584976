//! A connection's queue of things to tell its client: ordered and bounded.
//!
//! One queue serves all subscriptions of a connection. It allocates nothing while idle, because
//! most connections are. When it is over its bound, ephemeral items go first, then state is
//! conflated (a newer item of the same slot replaces the older), and if durable events still do
//! not fit the queue fails: the connection is cut as slow and loses nothing, because its client
//! resumes from the log (P5, P7).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Frames a queue holds before it sheds.
pub const ITEMS_MAX: usize = 256;
/// Bytes a queue holds before it sheds, by the items' own estimate.
pub const BYTES_MAX: usize = 256 * 1024;

/// What may happen to an item when the queue is over its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Must arrive, in order; if it does not fit, the connection is cut.
    Durable,
    /// Only the newest of the same slot matters.
    State {
        /// Which state: items of one slot replace each other.
        slot: u64,
    },
    /// May be dropped.
    Ephemeral,
}

/// An item as the queue sees it.
pub trait Item: Send + 'static {
    /// What may happen to it.
    fn class(&self) -> Class;
    /// About how many bytes it will be on the wire.
    fn weight(&self) -> usize;
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits its turn.
    Queued,
    /// It replaced an older item of its slot.
    Conflated,
    /// It was ephemeral and there was no room.
    Dropped,
    /// It had to arrive and there was no room: the queue failed now, and its connection is cut.
    Cut,
    /// The queue failed before, or its connection is gone.
    Closed,
}

impl Pushed {
    /// Whether the connection still listens.
    #[must_use]
    pub const fn is_heard(self) -> bool {
        match self {
            Self::Queued | Self::Conflated | Self::Dropped => true,
            Self::Cut | Self::Closed => false,
        }
    }
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    bytes: usize,
    ended: Option<Ended>,
    /// The connection's task, while it waits.
    waiting: Option<Waker>,
}

/// Why a queue gives nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client read too slowly.
    Slow,
    /// The connection closed it.
    Closed,
}

#[derive(Debug)]
struct Shared<T> {
    id: u64,
    queue: Mutex<Queue<T>>,
}

/// The side that tells. Clones tell the same connection.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The connection's side.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

/// A new queue.
#[must_use]
pub fn queue<T: Item>() -> (Sender<T>, Receiver<T>) {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let shared = Arc::new(Shared {
        id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        queue: Mutex::new(Queue { items: VecDeque::new(), bytes: 0, ended: None, waiting: None }),
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T: Item> Sender<T> {
    /// Tells the queues of a process apart.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Whether the connection is gone or being cut, so that subscriptions can be dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.queue.lock().ended.is_some()
    }

    /// Whether an item of that state still waits to be taken. Who sends changes of a state asks
    /// before, because a change must not replace another.
    #[must_use]
    pub fn holds(&self, slot: u64) -> bool {
        let queue = self.0.queue.lock();
        queue.items.iter().any(|item| item.class() == Class::State { slot })
    }

    /// Puts an item at the end of the queue.
    pub fn push(&self, item: T) -> Pushed {
        let mut queue = self.0.queue.lock();
        let pushed = queue.push(item);
        let waiting = if pushed == Pushed::Dropped { None } else { queue.waiting.take() };
        drop(queue);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        pushed
    }
}

impl<T: Item> Queue<T> {
    fn push(&mut self, item: T) -> Pushed {
        if self.ended.is_some() {
            return Pushed::Closed;
        }
        if let Class::State { slot } = item.class()
            && let Some(older) =
                self.items.iter_mut().find(|old| old.class() == Class::State { slot })
        {
            self.bytes = self.bytes - older.weight() + item.weight();
            *older = item;
            return Pushed::Conflated;
        }
        if self.is_full(&item) {
            if item.class() == Class::Ephemeral {
                return Pushed::Dropped;
            }
            self.drop_ephemeral();
            if self.is_full(&item) {
                self.end(Ended::Slow);
                return Pushed::Cut;
            }
        }
        self.bytes += item.weight();
        self.items.push_back(item);
        Pushed::Queued
    }

    fn is_full(&self, item: &T) -> bool {
        self.items.len() >= ITEMS_MAX || self.bytes + item.weight() > BYTES_MAX
    }

    fn drop_ephemeral(&mut self) {
        self.items.retain(|item| item.class() != Class::Ephemeral);
        self.bytes = self.items.iter().map(Item::weight).sum();
    }

    fn take(&mut self) -> Option<Result<T, Ended>> {
        if let Some(why) = self.ended {
            return Some(Err(why));
        }
        let item = self.items.pop_front()?;
        self.bytes -= item.weight();
        if self.items.is_empty() && self.items.capacity() > 16 {
            self.items = VecDeque::new();
        }
        Some(Ok(item))
    }

    fn end(&mut self, why: Ended) {
        self.ended = Some(why);
        self.items = VecDeque::new();
        self.bytes = 0;
    }
}

impl<T: Item> Receiver<T> {
    /// The next item; waits for one. Cancel safe.
    pub async fn next(&mut self) -> Result<T, Ended> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&self, context: &Context<'_>) -> Poll<Result<T, Ended>> {
        let mut queue = self.0.queue.lock();
        if let Some(taken) = queue.take() {
            return Poll::Ready(taken);
        }
        if !queue.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(context.waker())) {
            queue.waiting = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// The next item, if one waits.
    pub fn try_next(&mut self) -> Option<Result<T, Ended>> {
        self.0.queue.lock().take()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.ended = Some(Ended::Closed);
        queue.items = VecDeque::new();
        queue.waiting = None;
    }
}

#[cfg(test)]
mod tests;
