//! Distributions counted with atomics alone, because each message is observed several times.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Upper bounds of times, in nanoseconds: from a hit in memory to the longest time-out, denser
/// where an fsync lies.
const TIMES: &[u64] = &[
    SECOND / 20_000,
    SECOND / 10_000,
    SECOND / 4_000,
    SECOND / 2_000,
    SECOND / 1_000,
    SECOND / 500,
    SECOND / 200,
    SECOND / 100,
    SECOND / 50,
    SECOND / 20,
    SECOND / 10,
    SECOND / 4,
    SECOND / 2,
    SECOND,
    5 * SECOND,
    30 * SECOND,
    300 * SECOND,
    3_600 * SECOND,
];

/// Upper bounds of sizes: powers of two up to the bound of a mailbox and of a batch.
const SIZES: &[u64] = &[0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// How long things took. Clones count for the same.
#[derive(Clone, Debug)]
pub struct Times(Arc<Buckets>);

/// How many things there were. Clones count for the same.
#[derive(Clone, Debug)]
pub struct Sizes(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds: &'static [u64],
    /// How much of the counted unit makes one of the unit shown.
    scale: u64,
    /// One for each bound and one above all. What was seen at all is their sum.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Default for Times {
    fn default() -> Self {
        Self(Arc::new(Buckets::new(TIMES, SECOND)))
    }
}

impl Default for Sizes {
    fn default() -> Self {
        Self(Arc::new(Buckets::new(SIZES, 1)))
    }
}

impl Times {
    /// Counts one.
    pub fn observe(&self, took: Duration) {
        self.0.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl Sizes {
    /// Counts one.
    pub fn observe(&self, size: usize) {
        self.0.observe(u64::try_from(size).unwrap_or(u64::MAX));
    }
}

impl Buckets {
    fn new(bounds: &'static [u64], scale: u64) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, scale, counts, sum: AtomicU64::new(0) }
    }

    fn observe(&self, value: u64) {
        let idx = self.bounds.partition_point(|bound| *bound < value);
        self.counts[idx].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let counts: Vec<u64> =
            self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let bounds = self.bounds.iter().map(|bound| self.shown(*bound)).chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = self.shown(self.sum.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    /// In the unit shown. Above 2^53 it is rounded, which is finer than any graph.
    fn shown(&self, value: u64) -> f64 {
        value as f64 / self.scale as f64
    }
}

impl TypedMetric for Times {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Times {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Sizes {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Sizes {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_is_not_below_it() {
        let sizes = Sizes::default();
        for size in [0, 1, 3, 4, 5, 100_000] {
            sizes.observe(size);
        }
        let times = Times::default();
        times.observe(Duration::from_micros(50));
        times.observe(Duration::from_micros(51));
        let mut registry = Registry::default();
        registry.register("sizes", "Sizes", sizes);
        registry.register("times", "Times", times);
        let mut shown = String::new();
        text::encode(&mut shown, &registry).unwrap();
        for line in [
            "sizes_bucket{le=\"0.0\"} 1",
            "sizes_bucket{le=\"1.0\"} 2",
            "sizes_bucket{le=\"2.0\"} 2",
            "sizes_bucket{le=\"4.0\"} 4",
            "sizes_bucket{le=\"512.0\"} 5",
            "sizes_bucket{le=\"+Inf\"} 6",
            "sizes_sum 100013.0",
            "sizes_count 6",
            "times_bucket{le=\"0.00005\"} 1",
            "times_bucket{le=\"0.0001\"} 2",
            "times_sum 0.000101",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
        }
    }
}
