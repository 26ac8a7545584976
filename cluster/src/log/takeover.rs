//! How a new owner takes a log over: read the head, read the tail, cut, write the tail again,
//! write the head, and only then serve.
//!
//! A pure machine: it hands out one [`Ask`] at a time and is told the answer. Any two steps may
//! be any time apart, and the node may have lost its shard in between without knowing: the head
//! is written only over exactly the head that was read first, so at most one of all who try
//! succeeds, and what it adopted is what it read.

use std::mem;

use super::{Head, Heads, LogEpoch, Row, counting, cut};
use crate::rows::Outcome;
use crate::rules::{Rule, Rules};

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask<E> {
    /// Read the head serially; answer with [`TakeOver::head`].
    ReadHead,
    /// Read all rows after these positions, of every epoch, at quorum; answer with
    /// [`TakeOver::tail`].
    ReadTail {
        /// From right after these on.
        after: Heads,
    },
    /// Write these rows again at quorum, each as it is: position, epoch, stamp and all; then call
    /// [`TakeOver::rewritten`].
    Rewrite(Vec<Row<E>>),
    /// Write the head by a conditional write; answer with [`TakeOver::swapped`].
    Swap {
        /// What must stand there, exactly; `None` for no row.
        expect: Option<Head>,
        /// What to write.
        head: Head,
    },
}

/// A log that was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taken<E> {
    /// The head, known to be written.
    pub head: Head,
    /// Up to where the log goes.
    pub heads: Heads,
    /// The rows after the checkpoint, in order: state and the memory of safe retries are rebuilt
    /// from the checkpoint and from these alone.
    pub rows: Vec<Row<E>>,
}

/// What a node hands on with a log that it settled: whoever takes the shard next may take the log
/// without reading its tail, once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(any(test, feature = "model"), derive(Clone))]
pub struct Warm {
    /// The head that it was served under.
    pub head: Head,
    /// Up to where it goes; every row is at quorum.
    pub heads: Heads,
}

/// A take-over under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TakeOver<E> {
    epoch: LogEpoch,
    /// The heads of the checkpoint: what is up to there is known.
    from: Heads,
    rules: Rules,
    step: Step<E>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step<E> {
    Head,
    Tail { found: Option<Head> },
    Rewrite { found: Option<Head>, heads: Heads, rows: Vec<Row<E>> },
    Swap { found: Option<Head>, heads: Heads, rows: Vec<Row<E>> },
    Done,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Next<E> {
    /// The next thing to do.
    Ask(Ask<E>),
    /// It is this owner's.
    Taken(Taken<E>),
    /// A newer owner has it: this shard, or this life of the log, is over.
    Superseded,
    /// Rows that were settled are missing. Nothing may be served: the store has lost what it had
    /// acknowledged.
    Missing {
        /// Up to where the log must go.
        expected: Heads,
        /// Up to where it goes.
        found: Heads,
    },
}

impl<E: Clone> TakeOver<E> {
    /// Begins. `from` are the heads of a checkpoint, zero without one: its state must have been
    /// acknowledged or adopted by an owner. A supervised restart begins here too, with a higher
    /// activation.
    #[must_use]
    pub fn begin(epoch: LogEpoch, from: Heads, rules: Rules) -> (Self, Ask<E>) {
        (Self { epoch, from, rules, step: Step::Head }, Ask::ReadHead)
    }

    /// Begins with what the last owner handed on, together with the state at those heads. When
    /// the head is another meanwhile it goes on as without.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "what was handed on is good for one try")]
    pub fn begin_warm(epoch: LogEpoch, warm: Warm, rules: Rules) -> (Self, Ask<E>) {
        let Warm { head, heads } = warm;
        let mut machine = Self { epoch, from: heads, rules, step: Step::Head };
        let ask = machine.swap(Some(head), heads, Vec::new());
        (machine, ask)
    }

    /// From where it needs rows: right after these.
    #[must_use]
    pub const fn from(&self) -> Heads {
        self.from
    }

    /// The head as read.
    pub fn head(&mut self, found: Option<Head>) -> Next<E> {
        if found.is_some_and(|head| head.epoch >= self.epoch) {
            // A write of this very machine whose outcome was unknown lands here too: an
            // activation is used once.
            return self.superseded();
        }
        self.step = Step::Tail { found };
        Next::Ask(Ask::ReadTail { after: self.from })
    }

    /// All rows after the checkpoint, as found at quorum.
    pub fn tail(&mut self, rows: Vec<Row<E>>) -> Next<E> {
        let Step::Tail { found } = self.step else { return self.again() };
        let counting = counting(found.as_ref(), rows, self.rules);
        let (heads, rows) = cut(self.from, counting, self.rules);
        if let Some(expected) = found.and_then(|head| head.mark)
            && expected != heads
        {
            return Next::Missing { expected, found: heads };
        }
        if found.is_none() && !self.rules.keeps(Rule::FirstLifeTakesHead) {
            self.step = Step::Done;
            return Next::Taken(Taken { head: self.goal(found, heads), heads, rows });
        }
        let is_settled = found.is_some_and(|head| head.mark.is_some());
        if rows.is_empty() || is_settled || !self.rules.keeps(Rule::RewriteTail) {
            return Next::Ask(self.swap(found, heads, rows));
        }
        let mut again = rows.clone();
        if !self.rules.keeps(Rule::RewriteAsIs) {
            for row in &mut again {
                row.epoch = self.epoch;
            }
        }
        self.step = Step::Rewrite { found, heads, rows };
        Next::Ask(Ask::Rewrite(again))
    }

    /// The tail is at quorum.
    pub fn rewritten(&mut self) -> Next<E> {
        match mem::replace(&mut self.step, Step::Done) {
            Step::Rewrite { found, heads, rows } => Next::Ask(self.swap(found, heads, rows)),
            step => {
                self.step = step;
                self.again()
            }
        }
    }

    /// How the write of the head ended. Refused or unknown: again from the beginning.
    pub fn swapped(&mut self, outcome: &Outcome<Head>) -> Next<E> {
        match (mem::replace(&mut self.step, Step::Done), outcome) {
            (Step::Swap { found, heads, rows }, Outcome::Applied) => {
                let head = self.goal(found, heads);
                Next::Taken(Taken { head, heads, rows })
            }
            (_, Outcome::Applied | Outcome::Refused(_) | Outcome::Unknown) => self.again(),
        }
    }

    fn swap(&mut self, found: Option<Head>, heads: Heads, rows: Vec<Row<E>>) -> Ask<E> {
        let head = self.goal(found, heads);
        self.step = Step::Swap { found, heads, rows };
        Ask::Swap { expect: found, head }
    }

    fn goal(&self, found: Option<Head>, heads: Heads) -> Head {
        let kept =
            found.and_then(|head| head.mark).filter(|_| !self.rules.keeps(Rule::MarkCleared));
        Head { epoch: self.epoch, start: heads.next(), mark: kept }
    }

    fn again(&mut self) -> Next<E> {
        self.step = Step::Head;
        Next::Ask(Ask::ReadHead)
    }

    fn superseded(&mut self) -> Next<E> {
        self.step = Step::Done;
        Next::Superseded
    }
}
