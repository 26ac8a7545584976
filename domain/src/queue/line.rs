//! One line in order: sorted runs of bounded length, end to end. Most who come stand behind all
//! others, or nearly so; then runs are full, and a place costs little more than what it says. Where
//! somebody stands is counted by runs.

use std::ops::Range;

use crate::ids::{ConversationId, Timestamp};

/// How many a run holds at most.
const RUN_MAX: usize = 256;

/// A rank, and who has it: no two are the same.
pub(super) type Spot = (Timestamp, ConversationId);

/// Who waits in one line, first to last.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// None of them empty, each sorted and before the next one.
    runs: Vec<Vec<Spot>>,
    len: usize,
}

impl Line {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Spot> {
        self.runs.iter().flatten().copied()
    }

    /// Where a spot is, from 1; where it would be, if it is not there.
    pub(super) fn position(&self, spot: Spot) -> usize {
        let at = self.run_of(spot);
        let before: usize = self.runs.iter().take(at).map(Vec::len).sum();
        let within = self.runs.get(at).map_or(0, |run| run.partition_point(|it| *it < spot));
        before + within + 1
    }

    /// Takes a spot in that is not there.
    pub(super) fn insert(&mut self, spot: Spot) {
        self.len += 1;
        // One that is behind all others goes into the last run.
        let at = self.run_of(spot).min(self.runs.len().saturating_sub(1));
        let Some(run) = self.runs.get_mut(at) else { return self.runs.push(vec![spot]) };
        let within = run.partition_point(|it| *it < spot);
        if run.len() < RUN_MAX {
            return run.insert(within, spot);
        }
        // Runs never grow beyond their room. Who is last has none.
        let over = if within == RUN_MAX { Some(spot) } else { run.pop() };
        if within < RUN_MAX {
            run.insert(within, spot);
        }
        let Some(over) = over else { return };
        match self.runs.get_mut(at + 1).filter(|next| next.len() < RUN_MAX) {
            Some(next) => next.insert(0, over),
            None => self.runs.insert(at + 1, vec![over]),
        }
    }

    /// Takes a spot out; whether it was there.
    pub(super) fn remove(&mut self, spot: Spot) -> bool {
        let at = self.run_of(spot);
        let Some(run) = self.runs.get_mut(at) else { return false };
        let Ok(within) = run.binary_search(&spot) else { return false };
        run.remove(within);
        self.len -= 1;
        self.tidy(at);
        true
    }

    /// Joins a run that became short with a neighbour, if both fit into half of one.
    fn tidy(&mut self, at: usize) {
        for pair in [at.saturating_sub(1)..at + 1, at..at + 2] {
            if self.fits(pair.clone()) {
                let behind = self.runs.remove(pair.start + 1);
                if let Some(run) = self.runs.get_mut(pair.start) {
                    run.extend(behind);
                }
                return;
            }
        }
        if self.runs.get(at).is_some_and(Vec::is_empty) {
            self.runs.remove(at);
        }
    }

    fn fits(&self, pair: Range<usize>) -> bool {
        let runs = self.runs.get(pair).unwrap_or_default();
        runs.len() == 2 && runs.iter().map(Vec::len).sum::<usize>() <= RUN_MAX / 2
    }

    /// The run in which a spot is, or would be; the number of runs for one behind all.
    fn run_of(&self, spot: Spot) -> usize {
        self.runs.partition_point(|run| run.last().is_some_and(|last| *last < spot))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn spot(rank: i64, id: u128) -> Spot {
        (Timestamp(rank), ConversationId::from_u128(id))
    }

    #[test]
    fn who_comes_a_little_late_leaves_no_room_unused() {
        let mut line = Line::default();
        for n in 0..10_000_u32 {
            // Of ten that come, the last is the first.
            line.insert(spot(i64::from(n - n % 10 + (n + 1) % 10), 0));
        }
        assert_eq!(line.runs.len(), 10_000_usize.div_ceil(RUN_MAX));
        let (_, full) = line.runs.split_last().expect("many runs");
        assert!(full.iter().all(|run| (run.len(), run.capacity()) == (RUN_MAX, RUN_MAX)));
    }

    #[test]
    fn whoever_comes_last_fills_the_last_run() {
        let mut line = Line::default();
        for n in 0..1_000 {
            line.insert(spot(n, 0));
        }
        let lengths: Vec<usize> = line.runs.iter().map(Vec::len).collect();
        assert_eq!(lengths, [256, 256, 256, 232]);
        for n in 0..800 {
            assert!(line.remove(spot(n, 0)));
        }
        assert_eq!((line.runs.len(), line.position(spot(900, 0))), (1, 101));
    }

    proptest! {
        #[test]
        fn a_line_is_a_sorted_set(
            deeds in prop::collection::vec((any::<bool>(), 0_i64..400, 0_u128..3), 0..2_000),
        ) {
            let mut line = Line::default();
            let mut expect = BTreeSet::new();
            for (comes, rank, id) in deeds {
                let spot = spot(rank, id);
                if comes && expect.insert(spot) {
                    line.insert(spot);
                } else if !comes {
                    prop_assert_eq!(line.remove(spot), expect.remove(&spot));
                }
                prop_assert_eq!(line.position(spot), expect.range(..spot).count() + 1);
            }
            prop_assert!(line.iter().eq(expect.iter().copied()));
            prop_assert_eq!(line.len(), expect.len());
            prop_assert!(line.runs.iter().all(|run| !run.is_empty() && run.len() <= RUN_MAX));
        }
    }
}
