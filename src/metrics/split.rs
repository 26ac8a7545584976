//! A metric told apart by one label whose values are known beforehand.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The value that counts what has none of the known ones, so that no client can make labels.
const OTHER: &str = "other";

/// One metric for each value of a label. Clones count for the same.
#[derive(Debug)]
pub struct Split<M> {
    label: &'static str,
    parts: Arc<[(&'static str, M)]>,
}

impl<M> Clone for Split<M> {
    fn clone(&self) -> Self {
        Self { label: self.label, parts: Arc::clone(&self.parts) }
    }
}

impl<M: Default> Split<M> {
    /// A metric for each of the values, and one for all others.
    #[must_use]
    pub fn new(label: &'static str, values: &[&'static str]) -> Self {
        let values = values.iter().copied().chain([OTHER]);
        Self { label, parts: values.map(|value| (value, M::default())).collect() }
    }
}

impl<M> Split<M> {
    /// The metric of a value. They are so few that looking at each beats hashing.
    #[must_use]
    pub fn of(&self, value: &str) -> &M {
        let known = self.parts.iter().find(|(known, _)| *known == value);
        &known.unwrap_or(&self.parts[self.parts.len() - 1]).1
    }
}

impl<M: EncodeMetric + TypedMetric> EncodeMetric for Split<M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (value, metric) in self.parts.iter() {
            let labels = [(self.label, *value)];
            metric.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn an_unknown_value_counts_as_other() {
        let split: Split<Counter> = Split::new("kind", &["a", "b"]);
        split.of("b").inc();
        split.of("made up by a client").inc();
        split.of("other").inc();
        assert_eq!(["a", "b", "other"].map(|value| split.of(value).get()), [0, 1, 2]);
    }
}
