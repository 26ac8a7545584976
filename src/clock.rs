//! The time of day and fresh ids of this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use switchboard_actors::clock::Clock;
use switchboard_domain::ids::Timestamp;
use uuid::Uuid;

/// The system's clock. Ids rise with every call, also within a millisecond and when the clock is
/// set back, so that what was made later sorts later.
#[derive(Debug, Default)]
pub struct SystemClock {
    ids: Mutex<Ids>,
}

/// What makes ids of one millisecond rise, and the random bits that keep those of two nodes apart.
#[derive(Debug)]
struct Ids {
    /// The newest millisecond an id was made for: an id is never made for an earlier one.
    newest_ms: u64,
    /// Begins at random in each millisecond, in the lower half of its bits, and rises by one.
    count: u64,
    random: Random,
}

/// Random bytes of the system, many with one call: each message needs a few.
#[derive(Debug)]
struct Random {
    bytes: [u8; 512],
    used: usize,
}

impl Random {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        if self.used + N > self.bytes.len() {
            getrandom::fill(&mut self.bytes).expect("the system gives random bytes");
            self.used = 0;
        }
        let taken = std::array::from_fn(|idx| self.bytes[self.used + idx]);
        self.used += N;
        taken
    }
}

impl Default for Ids {
    fn default() -> Self {
        let bytes = [0; 512];
        let random = Random { used: bytes.len(), bytes };
        Self { newest_ms: 0, count: 0, random }
    }
}

/// The bits that say what kind of id it is, and those of the count that lie below them.
const VERSION: u128 = 0x7 << 76;
const VARIANT: u128 = 0b10 << 62;
const COUNT_LOW: u128 = (1 << 30) - 1;

impl Ids {
    /// As RFC 9562 has it in its method 1: 48 bits of time, 42 of a count, 32 random ones.
    fn next(&mut self, now: Duration) -> Uuid {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        if now_ms > self.newest_ms {
            self.newest_ms = now_ms;
            self.count = u64::from_le_bytes(self.random.take()) >> 23;
        } else {
            self.count += 1;
        }
        let count = u128::from(self.count);
        let random = u128::from(u32::from_le_bytes(self.random.take()));
        let high = u128::from(self.newest_ms) << 80 | VERSION | count >> 30 << 64;
        Uuid::from_u128(high | VARIANT | (count & COUNT_LOW) << 32 | random)
    }
}

impl SystemClock {
    fn fresh_id_at(&self, now: Duration) -> Uuid {
        self.ids.lock().next(now)
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
