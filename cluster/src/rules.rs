//! The rules of the protocol by name, so that a model can take one away and show what breaks.
//!
//! Only tests and the feature `model` can take a rule away. In every other build [`Rules`] is
//! empty and all of them always stand.

/// Which rules stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    #[cfg(any(test, feature = "model"))]
    removed: Option<Rule>,
}

impl Rules {
    /// All of them.
    #[cfg(any(test, feature = "model"))]
    pub const ALL: Self = Self { removed: None };

    /// All but one.
    #[cfg(any(test, feature = "model"))]
    #[must_use]
    pub const fn without(rule: Rule) -> Self {
        Self { removed: Some(rule) }
    }

    /// Whether a rule stands.
    #[cfg(any(test, feature = "model"))]
    #[must_use]
    pub fn keeps(self, rule: Rule) -> bool {
        self.removed != Some(rule)
    }

    #[cfg(not(any(test, feature = "model")))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    pub(crate) const fn keeps(self, _rule: Rule) -> bool {
        true
    }
}

/// A rule that something breaks without. docs/CLUSTER.md says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A lease is trusted from when its renewal was sent, not from when the answer came.
    TrustFromSending,
    /// A lease is marked dead only after it was watched for the whole time.
    WatchToTheEnd,
    /// A shard is claimed only after its owner's lease is over.
    ClaimAfterTheEnd,
    /// The leases are read after the owners whose end they are to prove.
    LeasesAfterOwners,
    /// The lease is checked after a write is durable and before it is acknowledged.
    CheckAfterWrite,
    /// The head is written only over exactly the head that was read first.
    ExactHead,
    /// Rows leave only after the new head is known to be written.
    HeadBeforeRows,
    /// The first life of a log takes its head as every other does.
    FirstLifeTakesHead,
    /// From its start on only rows of the head's epoch count.
    StartBoundsTheTail,
    /// Below the start the row of the highest epoch counts.
    HighestBelowStart,
    /// Rows of two epochs at one seq stand side by side.
    EpochInKey,
    /// The tail is written again at quorum before it is adopted.
    RewriteTail,
    /// The tail is written again as it is, not under the new epoch.
    RewriteAsIs,
    /// A seq whose write has an unknown outcome is given to nothing else.
    SeqNeverReused,
    /// A life that failed begins again by a take-over.
    RestartTakesOver,
    /// A new boot keeps nothing of the old one.
    BootKeepsNothing,
    /// A write is acknowledged only after all lower ones are durable.
    LowerFirst,
    /// What makes retries safe is rebuilt at a take-over.
    DedupeRebuilt,
    /// … from rows that count within the cut alone.
    DedupeFromCounting,
    /// A duplicate of a pending write waits for it.
    DuplicateWaits,
    /// An activation is numbered from memory, not from the head.
    ActivationFromMemory,
    /// An append is adopted whole or not at all.
    WholeAppends,
    /// Every row is settled before a shard is handed on.
    SettleBeforeHandOff,
    /// A node that handed a shard on serves it no more.
    HandOffEndsServing,
    /// What makes retries safe is handed on.
    DedupeHandedOn,
    /// Every row is settled before a log is marked clean.
    SettleBeforeMark,
    /// A mark with unknown outcome ends serving.
    UnknownMarkEnds,
    /// The mark is taken away before the log is served again.
    MarkCleared,
    /// A history is read up to the bound that its owner vouched for.
    OwnerBoundsReads,
}
