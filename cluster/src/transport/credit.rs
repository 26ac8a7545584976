//! How much may wait for one peer.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{CREDIT_BYTES, ENVELOPE_BYTES_MAX, NotSent};

/// What an envelope costs beyond its bytes, in memory on both sides.
const ENVELOPE_OVERHEAD: usize = 64;

/// Of which credit an envelope is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// All there is.
    Whole,
    /// Half of it, so that what is lossy goes first when a peer is slow.
    Half,
}

impl Share {
    const fn bytes(self) -> usize {
        match self {
            Self::Whole => CREDIT_BYTES,
            Self::Half => CREDIT_BYTES / 2,
        }
    }
}

/// The bytes that are on the way to a peer or wait for it.
#[derive(Debug, Default)]
pub(super) struct Credit(AtomicUsize);

impl Credit {
    /// Takes credit for an envelope.
    pub(super) fn take(&self, envelope_bytes: usize, of: Share) -> Result<(), NotSent> {
        if envelope_bytes > ENVELOPE_BYTES_MAX {
            return Err(NotSent::TooLong);
        }
        let more = |used: usize| {
            let used = used + cost(envelope_bytes);
            (used <= of.bytes()).then_some(used)
        };
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|_used| NotSent::Full)
    }

    /// Gives back what envelopes that arrived had taken.
    pub(super) fn give_back(&self, costs: usize) {
        self.0.fetch_sub(costs, Ordering::Relaxed);
    }

    /// What is taken at the moment.
    pub(super) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an envelope takes of the credit.
pub(super) const fn cost(envelope_bytes: usize) -> usize {
    envelope_bytes + ENVELOPE_OVERHEAD
}
