//! The newest events of one stream, so that a resume or a duplicate needs no read of the store.

use std::collections::VecDeque;
use std::sync::Arc;

use switchboard_domain::ids::Seq;
use switchboard_store::Range;

use crate::published::Published;

/// Events kept of a stream: a screenful, and what a short break of a connection misses.
const EVENTS_MAX: usize = 64;
/// Bytes of text kept of a stream.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A dense run of events that ends at the head.
#[derive(Debug, Default)]
pub(super) struct Recent {
    events: VecDeque<Arc<Published>>,
    text_bytes: usize,
}

impl Recent {
    /// Takes in the next event of the stream.
    pub(super) fn push(&mut self, published: Arc<Published>) {
        self.text_bytes += published.text_bytes();
        self.events.push_back(published);
        while self.events.len() > EVENTS_MAX || self.text_bytes > TEXT_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.text_bytes -= oldest.text_bytes();
        }
    }

    /// The event at a position, if it is among the newest.
    pub(super) fn get(&self, seq: Seq) -> Option<&Arc<Published>> {
        let first = self.events.front()?.event.seq;
        let idx = usize::try_from(seq.0.checked_sub(first.0)?).ok()?;
        self.events.get(idx)
    }

    /// The stretch asked for, if all of it is among the newest.
    pub(super) fn read(&self, range: Range, limit: usize) -> Option<Vec<Arc<Published>>> {
        let first = self.events.front()?.event.seq;
        let (start, end) = match range {
            Range::After(after) => {
                let start = usize::try_from(after.next().0.checked_sub(first.0)?).ok()?;
                (start, start.saturating_add(limit).min(self.events.len()))
            }
            Range::Before(before) => {
                let end = usize::try_from(before.0.checked_sub(first.0)?).ok()?;
                let end = end.min(self.events.len());
                // Fewer than asked for are all there are only when the run begins at 1.
                let start = if first == Seq(1) {
                    end.saturating_sub(limit)
                } else {
                    end.checked_sub(limit)?
                };
                (start, end)
            }
        };
        Some(self.events.range(start.min(end)..end).map(Arc::clone).collect())
    }
}

#[cfg(test)]
mod tests {
    use switchboard_domain::conversation::{Body, Event, Ordinals, Stream};
    use switchboard_domain::ids::{Id, Timestamp};
    use switchboard_domain::person::Author;

    use super::*;

    fn recent(first: u64, last: u64, text_bytes: usize) -> Recent {
        let mut recent = Recent::default();
        for seq in first..=last {
            let body = Body::Message { text: "x".repeat(text_bytes).into(), files: Vec::new() };
            let event = Event {
                stream: Stream::Public,
                seq: Seq(seq),
                public_head: Seq(seq),
                id: Id::from_u128(u128::from(seq)),
                at: Timestamp(0),
                from: Author::SYSTEM,
                key: None,
                ordinals: Ordinals::default(),
                body,
            };
            recent.push(Arc::new(Published::new(Id::from_u128(1), event)));
        }
        recent
    }

    fn check(recent: &Recent, range: Range, limit: usize, expect: Option<&[u64]>) {
        let read = recent.read(range, limit);
        let seqs: Option<Vec<_>> =
            read.map(|events| events.iter().map(|it| it.event.seq.0).collect());
        assert_eq!(seqs.as_deref(), expect, "{range:?} limit {limit}");
    }

    #[test]
    fn only_a_stretch_that_is_wholly_there_is_answered() {
        let tail = recent(11, 20, 1);
        check(&tail, Range::After(Seq(10)), 3, Some(&[11, 12, 13]));
        check(&tail, Range::After(Seq(18)), 9, Some(&[19, 20]));
        check(&tail, Range::After(Seq(20)), 9, Some(&[]));
        check(&tail, Range::After(Seq(99)), 9, Some(&[]));
        check(&tail, Range::After(Seq(9)), 3, None);
        check(&tail, Range::Before(Seq(14)), 3, Some(&[11, 12, 13]));
        check(&tail, Range::Before(Seq(99)), 2, Some(&[19, 20]));
        check(&tail, Range::Before(Seq(13)), 3, None);
        check(&recent(1, 5, 1), Range::Before(Seq(3)), 9, Some(&[1, 2]));
        check(&Recent::default(), Range::After(Seq(0)), 9, None);
    }

    #[test]
    fn it_is_bounded_in_events_and_bytes() {
        let many = recent(1, 200, 1);
        assert!(many.get(Seq(136)).is_none());
        assert_eq!(many.get(Seq(137)).map(|it| it.event.seq), Some(Seq(137)));
        let long = recent(1, 10, 16_000);
        assert!(long.get(Seq(6)).is_none());
        assert!(long.get(Seq(7)).is_some());
    }
}
