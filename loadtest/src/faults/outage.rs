//! How long clients waited, read from the history: until the first ack of each conversation after a
//! moment, and for each message that was sent in a stretch of time.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use crate::history::{Conversation, Key, Op};

/// An ack that comes so long after a moment can be no answer that was on its way before it.
const ON_THE_WAY_US: u64 = 500_000;

/// One message that was acked.
#[derive(Clone, Copy, Debug)]
struct Ack {
    /// When it was sent first.
    first_us: u64,
    /// When the attempt was made that was acked.
    attempt_us: u64,
    at_us: u64,
}

/// The acks of a history by conversation, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Acks {
    by_conversation: BTreeMap<Conversation, Vec<Ack>>,
}

impl Acks {
    pub(super) fn of(history: &[Op]) -> Self {
        let mut attempts: HashMap<Key, (u64, u64)> = HashMap::new();
        let mut acks = Self::default();
        for op in history {
            match op {
                Op::Attempt { at_us, key, .. } => {
                    attempts.entry(*key).or_insert((*at_us, *at_us)).1 = *at_us;
                }
                Op::Acked { at_us, key, .. } => {
                    if let Some((first_us, attempt_us)) = attempts.remove(key) {
                        let of = acks.by_conversation.entry(key.conversation).or_default();
                        of.push(Ack { first_us, attempt_us, at_us: *at_us });
                    }
                }
                _ => {}
            }
        }
        acks
    }

    /// The conversations of which anything was acked.
    pub(super) fn conversations(&self) -> Vec<Conversation> {
        self.by_conversation.keys().copied().collect()
    }

    /// How long after that moment each of these conversations had its first ack; none for one that
    /// had none.
    pub(super) fn first_after(
        &self,
        at_us: u64,
        conversations: &[Conversation],
    ) -> Vec<Option<Duration>> {
        let first = |conversation: &Conversation| {
            let acks = self.by_conversation.get(conversation)?;
            let is_later = |ack: &&Ack| {
                ack.at_us >= at_us
                    && (ack.attempt_us >= at_us || ack.at_us >= at_us + ON_THE_WAY_US)
            };
            let ack = acks.iter().find(is_later)?;
            Some(Duration::from_micros(ack.at_us - at_us))
        };
        conversations.iter().map(first).collect()
    }

    /// How long each message waited for its ack that was sent first in this stretch.
    pub(super) fn waits(&self, within: Range<u64>) -> Vec<Duration> {
        let acks = self.by_conversation.values().flatten();
        let sent_then = acks.filter(|ack| within.contains(&ack.first_us));
        sent_then.map(|ack| Duration::from_micros(ack.at_us.saturating_sub(ack.first_us))).collect()
    }
}

/// Durations in order, to be told as percentiles.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn extend(&mut self, times: impl IntoIterator<Item = Duration>) {
        self.0.extend(times);
        self.0.sort_unstable();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that so many percent do not exceed; nothing when there are none.
    pub(super) fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }

    pub(super) fn max(&self) -> Option<Duration> {
        self.0.last().copied()
    }

    /// All of them in milliseconds.
    pub(super) fn millis(&self) -> Vec<u64> {
        self.0.iter().map(millis).collect()
    }

    /// p50, p99 and the longest in milliseconds; zeros when there are none.
    pub(super) fn summary(&self) -> [u64; 3] {
        [self.percentile(50), self.percentile(99), self.max()]
            .map(|time| time.as_ref().map_or(0, millis))
    }

    /// p50, p99 and the longest, in seconds.
    pub(super) fn told(&self) -> String {
        let seconds = |time: Option<Duration>| {
            time.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64()))
        };
        let [p50, p99] = [50, 99].map(|percent| seconds(self.percentile(percent)));
        format!("{p50} / {p99} / {}", seconds(self.max()))
    }
}

fn millis(time: &Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Stream;

    fn attempt(n: u64, at_us: u64) -> Op {
        let key = Key { conversation: 0, sender: 0, n };
        Op::Attempt { at_us, key, stream: Stream::Public, text: "".into() }
    }

    fn acked(n: u64, at_us: u64) -> Op {
        let key = Key { conversation: 0, sender: 0, n };
        Op::Acked { at_us, key, seq: n, id: "".into() }
    }

    #[test]
    fn what_was_on_its_way_does_not_count_as_the_first_ack_after_a_kill() {
        let history = [attempt(1, 10), acked(1, 30), attempt(2, 40), acked(2, 900)];
        let acks = Acks::of(&history);
        assert_eq!(acks.first_after(20, &[0, 1]), [Some(Duration::from_micros(880)), None]);
        // Half a second later it must have come from somebody who lives.
        let history = [attempt(1, 10), acked(1, 600_000)];
        let first = Acks::of(&history).first_after(20, &[0]);
        assert_eq!(first, [Some(Duration::from_micros(599_980))]);
    }

    #[test]
    fn a_message_waits_from_its_first_attempt() {
        let history =
            [attempt(1, 10), attempt(1, 50), acked(1, 70), attempt(2, 100), acked(2, 101)];
        let acks = Acks::of(&history);
        assert_eq!(acks.waits(0..100), [Duration::from_micros(60)]);
        assert_eq!(acks.waits(100..200), [Duration::from_micros(1)]);
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut times = Times::default();
        assert_eq!(times.percentile(50), None);
        times.extend((1..=200).rev().map(Duration::from_secs));
        let percentiles = [0, 50, 99, 100].map(|percent| times.percentile(percent));
        assert_eq!(percentiles, [1, 100, 198, 200].map(|s| Some(Duration::from_secs(s))));
        assert_eq!(times.told(), "100.0 / 198.0 / 200.0");
    }
}
