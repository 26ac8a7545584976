//! The time of day and fresh ids of one node, repeatable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use switchboard_actors::clock::Clock;
use switchboard_domain::ids::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

/// When every simulation begins, in milliseconds of 1970.
const BEGINS_MS: i64 = 1_750_000_000_000;

/// What one life of a node reads the time from. It must be asked within the node's runtime.
#[derive(Debug)]
pub(crate) struct LifeClock {
    /// When the life began, and what time it was then.
    began: (Instant, Duration),
    /// No two lives have the same.
    life: u64,
    ids: AtomicU64,
}

impl LifeClock {
    pub(crate) fn new(now: Duration, life: u64) -> Self {
        Self { began: (Instant::now(), now), life, ids: AtomicU64::new(0) }
    }

    /// The time since the simulation began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.1 + self.began.0.elapsed()
    }
}

impl Clock for LifeClock {
    fn now(&self) -> Timestamp {
        let ms = i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(BEGINS_MS.saturating_add(ms))
    }

    fn fresh_id(&self) -> Uuid {
        let ms = u128::from(self.now().0.cast_unsigned());
        let count = u128::from(self.ids.fetch_add(1, Ordering::Relaxed));
        Uuid::from_u128(ms << 80 | 0x7 << 76 | 0b10 << 62 | u128::from(self.life) << 40 | count)
    }
}
