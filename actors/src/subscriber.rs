//! A connection's queue of things to tell its client: ordered and bounded.
//!
//! One queue serves all subscriptions of a connection. It allocates nothing while idle, because
//! most connections are. When it is over its bound, ephemeral items go first, then state is
//! conflated (a newer item of the same slot replaces the older), and if durable events still do
//! not fit the queue fails: the connection is cut as slow and loses nothing, because its client
//! resumes from the log (P5, P7). That subscriptions ended is beside that bound, which is their number:
//! a node that dies ends hundreds of a connection at once, and must not cut it.
//!
//! A connection that sleeps with nothing to write may let items past ([`Line`]): whoever has one
//! tells it to the client at once and wakes nobody. As soon as one cannot be told so, or the
//! connection writes itself, all that follows waits its turn again: the order stays one.

use std::collections::VecDeque;
use std::fmt;
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
    /// Whether it counts towards the queue's bound; what does not has a bound of its own.
    fn counts(&self) -> bool {
        true
    }
}

/// A way to the client past the queue, for while the connection sleeps.
pub trait Line<T>: fmt::Debug + Send + Sync {
    /// Tells an item now, without waiting. Gives back what is left for the connection to do: the
    /// item itself, or what completes it.
    fn tell(&self, item: T) -> Option<T>;
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Nothing waited before it, and the client was told at once.
    Told,
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
            Self::Told | Self::Queued | Self::Conflated | Self::Dropped => true,
            Self::Cut | Self::Closed => false,
        }
    }
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    /// Of those that count.
    n_counted: usize,
    bytes: usize,
    ended: Option<Ended>,
    /// The connection's task, while it waits.
    waiting: Option<Waker>,
    /// Whether items may go past: nothing waits, and the connection writes nothing.
    is_passed: bool,
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
    line: Option<Box<dyn Line<T>>>,
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
    queue_beside(None)
}

/// A new queue with a line past it.
#[must_use]
pub fn queue_beside<T: Item>(line: Option<Box<dyn Line<T>>>) -> (Sender<T>, Receiver<T>) {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let shared = Arc::new(Shared {
        id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        queue: Mutex::new(Queue {
            items: VecDeque::new(),
            n_counted: 0,
            bytes: 0,
            ended: None,
            waiting: None,
            is_passed: false,
        }),
        line,
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

    /// Tells an item at once if it may go past, or puts it at the end of the queue.
    pub fn push(&self, item: T) -> Pushed {
        let mut queue = self.0.queue.lock();
        // Under the lock, so that no other item and no word of the connection comes between.
        let left = match &self.0.line {
            Some(line) if queue.is_passed => line.tell(item),
            Some(_) | None => Some(item),
        };
        let Some(item) = left else { return Pushed::Told };
        queue.is_passed = false;
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
        if item.counts() {
            self.n_counted += 1;
            self.bytes += item.weight();
        }
        self.items.push_back(item);
        Pushed::Queued
    }

    fn is_full(&self, item: &T) -> bool {
        let is_full = self.n_counted >= ITEMS_MAX || self.bytes + item.weight() > BYTES_MAX;
        item.counts() && is_full
    }

    fn drop_ephemeral(&mut self) {
        self.items.retain(|item| item.class() != Class::Ephemeral);
        let counted = || self.items.iter().filter(|item| item.counts());
        (self.n_counted, self.bytes) = (counted().count(), counted().map(Item::weight).sum());
    }

    fn take(&mut self) -> Option<Result<T, Ended>> {
        if let Some(why) = self.ended {
            return Some(Err(why));
        }
        let item = self.items.pop_front()?;
        self.is_passed = false;
        if item.counts() {
            self.n_counted -= 1;
            self.bytes -= item.weight();
        }
        if self.items.is_empty() && self.items.capacity() > 16 {
            self.items = VecDeque::new();
        }
        Some(Ok(item))
    }

    fn end(&mut self, why: Ended) {
        self.is_passed = false;
        self.ended = Some(why);
        self.items = VecDeque::new();
        (self.n_counted, self.bytes) = (0, 0);
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

    /// Lets items past until the next one is taken, or until [`hold`](Self::hold), if none waits.
    /// Whoever calls this has written all that was taken, and sleeps: an empty queue gives its room
    /// back.
    pub fn let_past(&mut self) {
        let mut queue = self.0.queue.lock();
        if queue.items.is_empty() {
            queue.items = VecDeque::new();
        }
        queue.is_passed = self.0.line.is_some() && queue.items.is_empty() && queue.ended.is_none();
    }

    /// Lets nothing past from here on: the connection is about to write.
    pub fn hold(&mut self) {
        self.0.queue.lock().is_passed = false;
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
        queue.is_passed = false;
        queue.items = VecDeque::new();
        queue.waiting = None;
    }
}

#[cfg(test)]
mod tests;
