//! Carrying the write-ahead log over into the database.
//!
//! Not by SQLite's own automatic checkpoint: that one keeps the answers of a batch waiting, and
//! swallows a failed sync. Instead a thread of its own copies the bulk while the writer goes on,
//! and then the writer copies the little that came meanwhile between two batches. Only the
//! writer can empty the log, because only then nothing is added to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::error::meaning;
use super::health::Health;
use super::queue::Queue;
use crate::port::Fault;

/// Frames in the log from which on it is carried over: 16 MiB.
const FRAMES: u32 = 4_000;
/// Frames that must come after an attempt before the next one, when readers hold it up.
const FRAMES_AGAIN: u32 = 1_000;

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    /// As far as readers allow, without waiting for them.
    Passive,
    /// Everything, and give the file back.
    Truncate,
}

/// Copies what is in the log into the database, and syncs both.
pub(super) fn carry_over(connection: &Connection, extent: Extent) -> rusqlite::Result<()> {
    let sql = match extent {
        Extent::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Extent::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    connection.query_row(sql, (), |_| Ok(()))
}

/// Carries over, and judges a failure. A full disk can be mended; after any other failure nothing
/// can be promised, for the next sync may succeed without the pages that this one lost.
pub(super) fn carry_over_or_fail(connection: &Connection, extent: Extent, health: &Health) {
    match carry_over(connection, extent) {
        Ok(()) => {}
        Err(error) if matches!(meaning(&error), Some(Fault::Full | Fault::Busy)) => {
            tracing::warn!(%error, "the write-ahead log could not be carried over");
        }
        Err(error) => {
            health.fail(&format!("could not carry the write-ahead log over: {error}"));
        }
    }
}

/// What the writer and the thread tell each other.
#[derive(Debug)]
pub(super) struct Wishes {
    /// Holds something while the thread is wanted.
    wanted: Queue<()>,
    /// The bulk is copied; the rest is the writer's.
    is_copied: AtomicBool,
}

impl Wishes {
    pub(super) fn new() -> Self {
        Self { wanted: Queue::new(1, 1), is_copied: AtomicBool::new(false) }
    }

    /// Lets the thread end.
    pub(super) fn close(&self) {
        self.wanted.close();
    }
}

/// The thread that copies the bulk.
pub(super) struct Carrier {
    pub(super) connection: Connection,
    pub(super) wishes: Arc<Wishes>,
    pub(super) health: Arc<Health>,
}

impl Carrier {
    /// Works until it is told to end, or the store failed.
    pub(super) fn run(self) {
        let mut taken = Vec::with_capacity(1);
        while self.wishes.wanted.take(&mut taken, 1).is_some() && self.health.check().is_ok() {
            taken.clear();
            carry_over_or_fail(&self.connection, Extent::Passive, &self.health);
            self.wishes.is_copied.store(true, Ordering::Release);
        }
    }
}

/// The writer's part: notices that the log is long, and finishes.
#[derive(Debug)]
pub(super) struct Pace {
    wishes: Arc<Wishes>,
    /// From how many frames on the thread is asked again.
    next_at: u32,
}

impl Pace {
    pub(super) const fn new(wishes: Arc<Wishes>) -> Self {
        Self { wishes, next_at: FRAMES }
    }

    /// After a commit that left so many frames in the log: whether the writer should finish now.
    pub(super) fn is_time_to_finish(&mut self, frames: u32) -> bool {
        if self.wishes.is_copied.swap(false, Ordering::Acquire) {
            self.next_at = frames.saturating_add(FRAMES_AGAIN);
            return true;
        }
        if frames < FRAMES {
            self.next_at = FRAMES;
        } else if frames >= self.next_at {
            // Refused while it is wanted already.
            let _ = self.wishes.wanted.push((), 0);
            self.next_at = frames.saturating_add(FRAMES_AGAIN);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::{FRAMES, FRAMES_AGAIN, Pace, Wishes};

    #[test]
    fn the_thread_copies_and_then_the_writer_finishes() {
        let wishes = Arc::new(Wishes::new());
        let mut pace = Pace::new(Arc::clone(&wishes));
        assert!(!pace.is_time_to_finish(FRAMES - 1));
        assert_eq!(wishes.wanted.len(), 0, "the log is short");
        for _ in 0..3 {
            assert!(!pace.is_time_to_finish(FRAMES));
            assert_eq!(wishes.wanted.len(), 1, "the thread is asked once");
        }
        wishes.wanted.take(&mut Vec::new(), 1);
        wishes.is_copied.store(true, Ordering::Relaxed);
        assert!(pace.is_time_to_finish(FRAMES + 10));
        assert!(!pace.is_time_to_finish(FRAMES + 20), "readers hold the log up");
        assert_eq!(wishes.wanted.len(), 0);
        assert!(!pace.is_time_to_finish(FRAMES + 10 + FRAMES_AGAIN));
        assert_eq!(wishes.wanted.len(), 1, "the next attempt");
        wishes.wanted.take(&mut Vec::new(), 1);
        assert!(!pace.is_time_to_finish(3), "the log was emptied");
        assert!(!pace.is_time_to_finish(FRAMES));
        assert_eq!(wishes.wanted.len(), 1);
    }
}
