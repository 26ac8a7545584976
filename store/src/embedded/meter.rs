//! What the engine tells of its work.

use std::fmt::Debug;
use std::time::Duration;

/// Hears of the engine's work, for metrics. Called on the engine's threads: count and return.
pub trait Meter: Send + Sync + Debug + 'static {
    /// A batch is durable and answered.
    fn committed(&self, commit: Commit) {
        let _ = commit;
    }

    /// The writer emptied the write-ahead log; appends waited that long.
    fn checkpointed(&self, took: Duration) {
        let _ = took;
    }

    /// A call was refused because too much waits.
    fn refused(&self) {}
}

/// One durable batch.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// How many calls shared it.
    pub jobs: usize,
    /// Bytes of the records that they brought.
    pub bytes: usize,
    /// How long the first of them had waited for its turn.
    pub waited: Duration,
    /// From the begin of the transaction until it was synced.
    pub took: Duration,
}

/// Hears and forgets.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMeter;

impl Meter for NoMeter {}
