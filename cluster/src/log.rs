//! A log as its owner sees it in replicated rows: which rows count, and up to where.
//!
//! A log has two streams, each with dense seqs from 1. Rows are written without a condition, to
//! replicas that take them late or never; what makes them safe is the head, a row that is written
//! by conditional writes alone. It names the epoch of the owner and the first seqs that are its.
//!
//! - **Reader rule.** From the head's start on, only rows of the head's epoch count. Below it the
//!   row of the highest epoch counts. All others are orphans: never shown, never in the way.
//! - **Cut.** The rows that count are adopted append by append, up to the first append of which
//!   any row is missing.

pub mod takeover;
pub mod writer;

use std::collections::BTreeMap;

use crate::ownership::Epoch;
use crate::rules::{Rule, Rules};

/// The streams of a log.
pub const STREAMS: usize = 2;

/// Positions in all streams: in each the newest seq, or the first, of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Heads(pub [u64; STREAMS]);

impl Heads {
    /// The positions right after these.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.map(|seq| seq.saturating_add(1)))
    }

    /// Whether a position lies at or below these.
    #[must_use]
    pub fn cover(self, at: At) -> bool {
        self.of(at.stream).is_some_and(|head| at.seq <= head)
    }

    fn of(self, stream: u8) -> Option<u64> {
        self.0.get(usize::from(stream)).copied()
    }
}

/// One position of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// Which stream, below [`STREAMS`].
    pub stream: u8,
    /// Dense, from 1.
    pub seq: u64,
}

/// A generation of a log's owner: of the shard, and within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogEpoch {
    /// The epoch of the shard's claim.
    pub shard: Epoch,
    /// Which life of the log's owner within the claim: from a counter in the memory of the node,
    /// never from a row, and never the same twice in one boot.
    pub activation: u64,
}

/// The heads before and after one append: its rows are those in between, and stand or fall
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The heads that it was appended to.
    pub after: Heads,
    /// The heads with it.
    pub upto: Heads,
}

impl Span {
    /// The positions of its rows, stream by stream.
    pub fn positions(self) -> impl Iterator<Item = At> {
        let streams = (0_u8..).zip(self.after.0.into_iter().zip(self.upto.0));
        streams.flat_map(|(stream, (after, upto))| {
            (after.saturating_add(1)..=upto).map(move |seq| At { stream, seq })
        })
    }
}

/// A row of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row<E> {
    /// Where it stands.
    pub at: At,
    /// By whom it was written.
    pub epoch: LogEpoch,
    /// The append that it belongs to.
    pub span: Span,
    /// The writer's time of writing. Written again as it is, the row keeps it.
    pub stamp: u64,
    /// What it says.
    pub entry: E,
}

/// A log's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// Whose rows count from `start` on.
    pub epoch: LogEpoch,
    /// The first seq of each stream that is this owner's to give.
    pub start: Heads,
    /// The heads of a log that was put away with every row settled. Nobody serves it while this
    /// is set.
    pub mark: Option<Heads>,
}

/// Rows by position, as far as they count.
pub type Counting<E> = BTreeMap<At, Row<E>>;

/// Picks the rows that count under a head, of all rows that were found. `None` is the head of a
/// log that nobody ever owned: nothing counts.
#[must_use]
pub fn counting<E>(head: Option<&Head>, rows: Vec<Row<E>>, rules: Rules) -> Counting<E> {
    let mut counting = Counting::new();
    let Some(head) = head else { return counting };
    for row in rows {
        let is_tail = head.start.of(row.at.stream).is_none_or(|start| row.at.seq >= start);
        if is_tail && row.epoch != head.epoch && rules.keeps(Rule::StartBoundsTheTail) {
            continue;
        }
        let rival = counting.get(&row.at).map(|rival: &Row<E>| rival.epoch);
        let wins = match rival {
            None => true,
            Some(rival) if rules.keeps(Rule::HighestBelowStart) => row.epoch > rival,
            Some(rival) => row.epoch < rival,
        };
        if wins {
            counting.insert(row.at, row);
        }
    }
    counting
}

/// Takes rows that count, append by append, as long as each is whole. `from` is where to begin;
/// answers the heads reached and the rows in the order of their appends.
#[must_use]
pub fn cut<E>(from: Heads, mut counting: Counting<E>, rules: Rules) -> (Heads, Vec<Row<E>>) {
    let mut heads = from;
    let mut rows = Vec::new();
    while let Some(span) = next_span(heads, &counting, rules) {
        rows.extend(span.positions().filter_map(|at| counting.remove(&at)));
        heads = span.upto;
    }
    (heads, rows)
}

fn next_span<E>(heads: Heads, counting: &Counting<E>, rules: Rules) -> Option<Span> {
    let firsts = (0_u8..).zip(heads.next().0).map(|(stream, seq)| At { stream, seq });
    if rules.keeps(Rule::WholeAppends) {
        let mut spans = firsts.filter_map(|at| counting.get(&at)).map(|row| row.span);
        spans.find(|span| {
            let belongs = |at| counting.get(&at).is_some_and(|row| row.span == *span);
            span.after == heads && span.positions().all(belongs)
        })
    } else {
        let (at, _) = firsts.filter_map(|at| Some((at, counting.get(&at)?))).next()?;
        let mut upto = heads;
        *upto.0.get_mut(usize::from(at.stream))? = at.seq;
        Some(Span { after: heads, upto })
    }
}

#[cfg(test)]
mod tests;
