//! Which rows of a log count, and what a new owner adopts of the last one's.
//!
//! Pure, because the safety of the whole store rests on it: an owner that was overtaken may
//! still write, late and singly, and none of that may ever be shown.

use switchboard_domain::conversation::{Heads, Stream};
use switchboard_domain::ids::Seq;

/// The head of a log, as its owner wrote it: from `starts` on only rows of `epoch` count, and
/// below that the row of the highest epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The epoch.
    pub epoch: i64,
    /// The first positions of this epoch.
    pub starts: Heads,
}

impl Rule {
    /// Of rows by rising position, and of one position by falling epoch: those that count.
    pub(super) fn choose<T>(
        self,
        stream: Stream,
        rows: impl IntoIterator<Item = T>,
        place: impl Fn(&T) -> (Seq, i64),
    ) -> Vec<T> {
        let start = self.starts.of(stream);
        let mut chosen: Vec<T> = Vec::new();
        for row in rows {
            let (seq, epoch) = place(&row);
            let is_first = chosen.last().is_none_or(|last| place(last).0 < seq);
            if is_first && (seq < start || epoch == self.epoch) {
                chosen.push(row);
            }
        }
        chosen
    }
}

/// Where an append ended that a row came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) seq: Seq,
    /// The heads after the whole append.
    pub(super) upto: Heads,
}

/// The heads that a new owner goes on from: what follows `base` without a gap in each stream,
/// less what came with an append of which a part is missing. Such an append was never
/// acknowledged, and is stored together or not at all (P4).
pub(super) fn cut(base: Heads, public: &[Extent], internal: &[Extent]) -> Heads {
    let mut heads = Heads {
        public: contiguous(base.public, public),
        internal: contiguous(base.internal, internal),
    };
    loop {
        let whole = |extent: &&Extent| {
            extent.upto.public <= heads.public && extent.upto.internal <= heads.internal
        };
        let shortened = Heads {
            public: last_whole(base.public, heads.public, public, whole),
            internal: last_whole(base.internal, heads.internal, internal, whole),
        };
        if shortened == heads {
            return heads;
        }
        heads = shortened;
    }
}

fn contiguous(base: Seq, rows: &[Extent]) -> Seq {
    rows.iter().fold(base, |head, row| if row.seq == head.next() { row.seq } else { head })
}

fn last_whole(base: Seq, head: Seq, rows: &[Extent], whole: impl Fn(&&Extent) -> bool) -> Seq {
    let within = rows.iter().take_while(|row| row.seq <= head);
    within.take_while(whole).last().map_or(base, |row| row.seq)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heads(public: u64, internal: u64) -> Heads {
        Heads { public: Seq(public), internal: Seq(internal) }
    }

    fn rows(rows: &[(u64, (u64, u64))]) -> Vec<Extent> {
        rows.iter()
            .map(|&(seq, (public, internal))| Extent {
                seq: Seq(seq),
                upto: heads(public, internal),
            })
            .collect()
    }

    #[test]
    fn below_the_start_the_highest_epoch_counts_and_from_it_only_the_owners() {
        let rule = Rule { epoch: 5, starts: heads(3, 1) };
        let rows = [(1, 2), (1, 1), (2, 1), (3, 9), (3, 5), (3, 4), (4, 4), (5, 5)];
        let chosen = rule.choose(Stream::Public, rows, |&(seq, epoch)| (Seq(seq), epoch));
        assert_eq!(chosen, [(1, 2), (2, 1), (3, 5), (5, 5)]);
        let chosen = rule.choose(Stream::Internal, rows, |&(seq, epoch)| (Seq(seq), epoch));
        assert_eq!(chosen, [(3, 5), (5, 5)]);
    }

    #[test]
    fn a_cut_ends_at_a_gap_and_before_half_an_append() {
        let alone = |seq| (seq, (seq, 0));
        let cases = [
            // Nothing, and all of it.
            (heads(0, 0), vec![], vec![], heads(0, 0)),
            (heads(4, 2), vec![], vec![], heads(4, 2)),
            (heads(4, 0), vec![alone(5), alone(6)], vec![], heads(6, 0)),
            // A gap.
            (heads(4, 0), vec![alone(5), alone(7)], vec![], heads(5, 0)),
            (heads(4, 0), vec![alone(6)], vec![], heads(4, 0)),
            // An append over both streams: whole, without its note, without its message.
            (heads(4, 1), vec![(5, (5, 2))], vec![(2, (5, 2))], heads(5, 2)),
            (heads(4, 1), vec![(5, (5, 2))], vec![], heads(4, 1)),
            (heads(4, 1), vec![], vec![(2, (5, 2))], heads(4, 1)),
            // One of three events is missing, and what was whole before it stays.
            (heads(4, 1), vec![alone(5), (6, (8, 1)), (7, (8, 1))], vec![], heads(5, 1)),
            // The half of one append takes the whole one after it along.
            (heads(4, 1), vec![(5, (5, 2)), (6, (6, 2))], vec![], heads(4, 1)),
        ];
        for (base, public, internal, expected) in cases {
            let found = cut(base, &rows(&public), &rows(&internal));
            assert_eq!(found, expected, "{base:?} {public:?} {internal:?}");
        }
    }

    proptest! {
        /// Appends of any shape, of which the first ones arrived whole and one in part.
        #[test]
        fn whole_appends_are_adopted_and_half_ones_are_not(
            shapes in prop::collection::vec((0_u64..4, 0_u64..4), 1..8),
            whole in 0_usize..8,
            arrived in prop::collection::vec(any::<bool>(), 6),
        ) {
            let shapes: Vec<_> = shapes.into_iter().filter(|shape| *shape != (0, 0)).collect();
            let whole = whole.min(shapes.len());
            let (mut public, mut internal) = (Vec::new(), Vec::new());
            let mut at = heads(0, 0);
            let mut expected = at;
            for (idx, (messages, notes)) in shapes.iter().take(whole + 1).enumerate() {
                let upto = heads(at.public.0 + messages, at.internal.0 + notes);
                let is_whole = idx < whole;
                let mut arrived = arrived.iter().map(|arrived| is_whole || *arrived);
                let mut missing = false;
                for (stream, from, count) in
                    [(&mut public, at.public, *messages), (&mut internal, at.internal, *notes)]
                {
                    for seq in from.0 + 1..=from.0 + count {
                        if arrived.next().unwrap_or(true) {
                            stream.push(Extent { seq: Seq(seq), upto });
                        } else {
                            missing = true;
                        }
                    }
                }
                at = upto;
                if !missing {
                    expected = upto;
                }
            }
            prop_assert_eq!(cut(heads(0, 0), &public, &internal), expected);
        }
    }
}
