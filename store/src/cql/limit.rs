//! How much is asked of the database at once. The bound rises slowly while all goes well and
//! falls fast when the database has too much to do; what does not fit waits a moment or is
//! refused as busy, so that a slow database is never met with more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::port::Fault;

/// The bound never falls below this, so that a recovered database is noticed.
const FLIGHT_MIN: usize = 8;
/// The bound at the start: about what keeps one small node busy.
const FLIGHT_START: usize = 128;
/// The bound never rises above this: a connection carries 32,768 requests, and beyond a thousand
/// more in flight only wait in the database's own queues.
const FLIGHT_MAX: usize = 1_024;
/// Answers after which the bound is looked at again.
const WINDOW: usize = 128;
/// What the bound rises by after a window without overload.
const RISE: usize = 8;
/// Requests that may wait for their turn.
const WAITING_MAX: usize = 4_096;
/// How long one waits for its turn before it is refused. Longer would outlive the caller's patience.
const WAIT: Duration = Duration::from_secs(1);

/// The bound on requests in flight.
#[derive(Debug)]
pub(super) struct Limit {
    turns: Semaphore,
    waiting: AtomicUsize,
    bound: Mutex<Bound>,
}

/// The bound and what was seen since it was last looked at.
#[derive(Debug)]
struct Bound {
    most: usize,
    /// Turns that are still to be taken out of circulation, because the bound fell while they
    /// were in use.
    excess: usize,
    answers: usize,
    overloads: usize,
}

/// What to do with a turn that comes back.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Keep,
    /// Take it out of circulation.
    Drop,
    /// Keep it, and add so many.
    Add(usize),
}

impl Bound {
    const fn new(most: usize) -> Self {
        Self { most, excess: 0, answers: 0, overloads: 0 }
    }

    /// Takes an answer in: additive increase, multiplicative decrease.
    fn answered(&mut self, is_overload: bool) -> Change {
        self.answers += 1;
        self.overloads += usize::from(is_overload);
        if self.overloads > 0 && self.answers >= WINDOW.min(self.most) {
            let fewer = (self.most * 7 / 10).max(FLIGHT_MIN);
            self.excess += self.most - fewer;
            *self = Self { excess: self.excess, ..Self::new(fewer) };
        } else if self.answers >= WINDOW {
            let more = (self.most + RISE).min(FLIGHT_MAX);
            let added = more - self.most;
            let paid = added.min(self.excess);
            *self = Self { excess: self.excess - paid, ..Self::new(more) };
            if self.excess == 0 && added > paid {
                return Change::Add(added - paid);
            }
        }
        if self.excess > 0 {
            self.excess -= 1;
            return Change::Drop;
        }
        Change::Keep
    }
}

/// A turn to ask. Give it back with what came of it.
#[derive(Debug)]
pub(super) struct Turn<'limit> {
    limit: &'limit Limit,
    permit: SemaphorePermit<'limit>,
}

impl Limit {
    pub(super) fn new() -> Self {
        Self {
            turns: Semaphore::new(FLIGHT_START),
            waiting: AtomicUsize::new(0),
            bound: Mutex::new(Bound::new(FLIGHT_START)),
        }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, Fault> {
        if let Ok(permit) = self.turns.try_acquire() {
            return Ok(Turn { limit: self, permit });
        }
        let _waiting = Waiting::enter(&self.waiting).ok_or(Fault::Busy)?;
        match timeout(WAIT, self.turns.acquire()).await {
            Ok(Ok(permit)) => Ok(Turn { limit: self, permit }),
            Ok(Err(_)) | Err(_) => Err(Fault::Busy),
        }
    }
}

impl Turn<'_> {
    /// Gives the turn back.
    pub(super) fn answered(self, is_overload: bool) {
        match self.limit.bound.lock().answered(is_overload) {
            Change::Keep => {}
            Change::Drop => self.permit.forget(),
            Change::Add(more) => self.limit.turns.add_permits(more),
        }
    }
}

/// One that waits; leaves the count when dropped, however its wait ends.
struct Waiting<'limit>(&'limit AtomicUsize);

impl<'limit> Waiting<'limit> {
    fn enter(waiting: &'limit AtomicUsize) -> Option<Self> {
        let entered = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(entered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(bound: &mut Bound, answers: usize, is_overload: bool) -> (usize, usize) {
        let (mut dropped, mut added) = (0, 0);
        for _ in 0..answers {
            match bound.answered(is_overload) {
                Change::Keep => {}
                Change::Drop => dropped += 1,
                Change::Add(more) => added += more,
            }
        }
        (dropped, added)
    }

    #[test]
    fn the_bound_rises_slowly_and_falls_fast() {
        let mut bound = Bound::new(100);
        assert_eq!(feed(&mut bound, WINDOW, false), (0, RISE));
        assert_eq!(bound.most, 100 + RISE);
        let (dropped, added) = feed(&mut bound, 1_000, true);
        assert!(bound.most < 30 && added == 0, "{bound:?}");
        assert_eq!(dropped + bound.excess, 108 - bound.most, "turns in circulation follow");
    }

    #[test]
    fn the_bound_stays_within_its_ends() {
        let mut bound = Bound::new(FLIGHT_START);
        feed(&mut bound, 100_000, true);
        assert_eq!((bound.most, bound.excess), (FLIGHT_MIN, 0));
        let (_, added) = feed(&mut bound, 1_000_000, false);
        assert_eq!(bound.most, FLIGHT_MAX);
        assert_eq!(added, FLIGHT_MAX - FLIGHT_MIN);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_turn_is_told_busy() {
        let limit = Limit::new();
        let mut turns = Vec::new();
        for _ in 0..FLIGHT_START {
            turns.push(limit.turn().await.expect("there is a turn"));
        }
        assert!(matches!(limit.turn().await, Err(Fault::Busy)), "after a moment");
        turns.pop().expect("one is in use").answered(false);
        assert!(limit.turn().await.is_ok());
        assert_eq!(limit.waiting.load(Ordering::Relaxed), 0);
    }
}
