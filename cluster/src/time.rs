//! Time as the machines of this crate see it: a monotonic clock's reading, handed in.

use std::time::Duration;

/// A reading of one node's monotonic clock, counted from some moment of its own. Readings of two
/// nodes are never compared: no wall clock takes part in who owns what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Duration);

impl Moment {
    /// So much later; the end of time when there is no such moment.
    #[must_use]
    pub const fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// How long ago `earlier` was; nothing when it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// How long things of a lease take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Times {
    renew_every: Duration,
    trust_for: Duration,
    watch_for: Duration,
}

/// Times under which a node would trust its lease for longer than others wait, or hardly ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimesError {
    /// One late renewal would already cost the lease.
    #[error("a lease must be trusted for at least twice as long as a renewal takes to come")]
    TrustTooShort,
    /// Clocks that differ in rate could make two owners.
    #[error("others must watch for at least a tenth longer than a lease is trusted")]
    WatchTooShort,
}

impl Times {
    /// Renew every second, trust for four, watch for five.
    pub const DEFAULT: Self = Self {
        renew_every: Duration::from_secs(1),
        trust_for: Duration::from_secs(4),
        watch_for: Duration::from_secs(5),
    };

    /// Checks that the times can work together.
    ///
    /// # Errors
    /// When a lease would be trusted for less than two renewals, or others would watch for less
    /// than 1.1 times the trust: the tenth is what two clocks may differ in rate.
    pub fn new(
        renew_every: Duration,
        trust_for: Duration,
        watch_for: Duration,
    ) -> Result<Self, TimesError> {
        if trust_for < renew_every.saturating_mul(2) {
            return Err(TimesError::TrustTooShort);
        }
        if watch_for.saturating_mul(10) < trust_for.saturating_mul(11) {
            return Err(TimesError::WatchTooShort);
        }
        Ok(Self { renew_every, trust_for, watch_for })
    }

    /// How often a node renews its lease.
    #[must_use]
    pub const fn renew_every(self) -> Duration {
        self.renew_every
    }

    /// How long a node trusts its lease, from when the renewal that succeeded was sent.
    #[must_use]
    pub const fn trust_for(self) -> Duration {
        self.trust_for
    }

    /// How long another must see a lease unchanged before it may mark it dead.
    #[must_use]
    pub const fn watch_for(self) -> Duration {
        self.watch_for
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_never_trusted_for_as_long_as_others_watch() {
        let s = Duration::from_secs;
        assert_eq!(Times::new(s(1), s(4), s(5)), Ok(Times::DEFAULT));
        assert_eq!(Times::new(s(1), s(10), s(11)).map(Times::watch_for), Ok(s(11)));
        assert_eq!(Times::new(s(1), s(10), s(10)), Err(TimesError::WatchTooShort));
        assert_eq!(Times::new(s(3), s(4), s(60)), Err(TimesError::TrustTooShort));
    }
}
