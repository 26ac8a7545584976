//! How long it takes until one's turn, learned from those whose turn came.

use std::collections::VecDeque;

use crate::limit::{ETA_SAMPLES_MAX, ETA_SAMPLES_MIN};

/// What the newest served conversations of one line waited, per place they had before them.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// Oldest first.
    per_place_ms: VecDeque<i64>,
}

impl Samples {
    /// One that came at `position` was served after `waited_ms`.
    pub(super) fn add(&mut self, waited_ms: i64, position: u16) {
        if self.per_place_ms.len() == ETA_SAMPLES_MAX {
            self.per_place_ms.pop_front();
        }
        let n_places = i64::from(position.max(1));
        self.per_place_ms.push_back(waited_ms.max(0) / n_places);
    }

    /// The middle and the slow end (p50, p80) of the time to wait at `position`, in whole seconds
    /// from 1; `None` until [`ETA_SAMPLES_MIN`] were seen.
    pub(super) fn eta_s(&self, position: usize) -> Option<(u32, u32)> {
        if self.per_place_ms.len() < ETA_SAMPLES_MIN {
            return None;
        }
        let mut sorted: Vec<i64> = self.per_place_ms.iter().copied().collect();
        sorted.sort_unstable();
        let n_places = i64::try_from(position).unwrap_or(i64::MAX);
        let eta_s = |percent: usize| {
            // The nearest rank: the smallest sample that `percent` of all do not exceed.
            let idx = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            let seconds = sorted[idx].saturating_mul(n_places) / 1_000;
            u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)
        };
        Some((eta_s(50), eta_s(80)))
    }
}
