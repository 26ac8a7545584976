//! The time of day and fresh ids of this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use switchboard_actors::clock::Clock;
use switchboard_domain::ids::Timestamp;
use uuid::{ContextV7, Uuid};

/// The system's clock. Ids rise with every call, also within a millisecond and when the clock is
/// set back, so that what was made later sorts later.
#[derive(Debug, Default)]
pub struct SystemClock {
    ids: Mutex<Ids>,
}

/// What makes ids of one millisecond rise.
#[derive(Debug)]
struct Ids {
    context: ContextV7,
    /// The newest time an id was made for: an id is never made for an earlier one.
    newest: Duration,
}

impl Default for Ids {
    fn default() -> Self {
        Self { context: ContextV7::new(), newest: Duration::ZERO }
    }
}

impl SystemClock {
    fn fresh_id_at(&self, now: Duration) -> Uuid {
        let mut ids = self.ids.lock();
        ids.newest = ids.newest.max(now);
        let at = uuid::Timestamp::from_unix(
            &ids.context,
            ids.newest.as_secs(),
            ids.newest.subsec_nanos(),
        );
        Uuid::new_v7(at)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = since_epoch().as_millis();
        Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    fn fresh_id(&self) -> Uuid {
        self.fresh_id_at(since_epoch())
    }
}

/// A clock set before 1970 reads as 1970: times inform and never order.
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_within_a_millisecond_and_when_the_clock_is_set_back() {
        let clock = SystemClock::default();
        let noon = Duration::from_secs(1_700_000_000);
        let times = (0..5_000).map(|_| noon).chain((0..5_000).map(|_| noon / 2));
        let ids: Vec<Uuid> = times.map(|at| clock.fresh_id_at(at)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids[0].get_version_num(), 7);
    }

    #[test]
    fn an_id_tells_the_time_it_was_made() {
        let clock = SystemClock::default();
        let before = clock.now().0.cast_unsigned();
        let (seconds, nanos) = clock.fresh_id().get_timestamp().unwrap().to_unix();
        let made = seconds * 1_000 + u64::from(nanos) / 1_000_000;
        let after = clock.now().0.cast_unsigned();
        assert!((before..=after).contains(&made), "{before} {made} {after}");
    }
}
