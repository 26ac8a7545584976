//! Budgets: how much of something an address or a connection may do in a while.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::{Duration, Instant};

/// Addresses remembered by one limiter. When there are more, those whose budget is full again are
/// forgotten; if that does not help, strangers share one budget.
const ADDRESSES_MAX: usize = 50_000;

/// The section `[limits]`. These apply in production; structural bounds always do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Conversations that one address may begin in a minute without a token.
    pub creates_per_minute: u32,
    /// Refused tokens and unknown ids of one address in a minute.
    pub refusals_per_minute: u32,
    /// Frames of one connection in a second, on average over ten.
    pub frames_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { creates_per_minute: 20, refusals_per_minute: 60, frames_per_second: 50 }
    }
}

/// A budget that fills again evenly.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    left: f32,
    filled_at: Instant,
}

/// How large a budget is and how fast it fills.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// At most so many at once.
    pub burst: f32,
    /// So many come back in a second.
    pub per_second: f32,
}

impl Rate {
    /// So many in that time, all of them at once if need be.
    #[must_use]
    pub fn new(n: u32, every: Duration) -> Self {
        let burst = f32::from(u16::try_from(n).unwrap_or(u16::MAX));
        Self { burst, per_second: burst / every.as_secs_f32() }
    }
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub const fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.burst, filled_at: now }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.fill(rate, now);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }

    /// How long until there is one; zero when there is.
    #[must_use]
    pub fn wait(&mut self, rate: Rate, now: Instant) -> Duration {
        self.fill(rate, now);
        let missing = (1.0 - self.left).max(0.0);
        if missing > 0.0 {
            // A hair more, for what rounding takes.
            Duration::from_secs_f32(missing / rate.per_second) + Duration::from_millis(1)
        } else {
            Duration::ZERO
        }
    }

    /// Gives one back that was taken.
    pub fn give_back(&mut self, rate: Rate) {
        self.left = (self.left + 1.0).min(rate.burst);
    }

    /// Whether nothing was taken, or all of it came back.
    #[must_use]
    pub fn is_full(&mut self, rate: Rate, now: Instant) -> bool {
        self.fill(rate, now);
        self.left >= rate.burst
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f32();
        self.left = (self.left + passed * rate.per_second).min(rate.burst);
        self.filled_at = now;
    }
}

/// One budget per address.
#[derive(Debug)]
pub struct PerAddress {
    rate: Rate,
    buckets: Mutex<HashMap<Option<IpAddr>, Bucket>>,
}

impl PerAddress {
    /// Budgets of that rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes one from an address's budget; answers whether there was one.
    pub fn take(&self, address: IpAddr, now: Instant) -> bool {
        let mut buckets = self.buckets.lock();
        let mut key = Some(network(address));
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| {
                bucket.fill(self.rate, now);
                bucket.left < self.rate.burst
            });
            if buckets.len() >= ADDRESSES_MAX {
                key = None;
            }
        }
        let bucket = buckets.entry(key).or_insert_with(|| Bucket::full(self.rate, now));
        bucket.take(self.rate, now)
    }
}

/// What counts as one address: of IPv6 the /64, because one customer has all of it.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_and_comes_back() {
        let rate = Rate::new(3, Duration::from_secs(3));
        let start = Instant::now();
        let mut bucket = Bucket::full(rate, start);
        let taken: Vec<bool> = (0..4).map(|_| bucket.take(rate, start)).collect();
        assert_eq!(taken, [true, true, true, false]);
        assert!(bucket.take(rate, start + Duration::from_millis(1_001)));
        assert!(!bucket.take(rate, start + Duration::from_millis(1_002)));
    }

    #[test]
    fn addresses_have_budgets_of_their_own() {
        let limiter = PerAddress::new(Rate::new(1, Duration::from_secs(60)));
        let now = Instant::now();
        let take = |address: &str| limiter.take(address.parse().unwrap(), now);
        assert!(take("192.0.2.1"));
        assert!(!take("192.0.2.1"));
        assert!(take("192.0.2.2"));
        assert!(take("2001:db8::1"));
        assert!(!take("2001:db8::2"), "one /64 is one address");
        assert!(!take("::ffff:192.0.2.1"), "a mapped address is the same address");
    }
}
