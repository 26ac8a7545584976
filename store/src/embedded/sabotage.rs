//! Deliberate faults, which prove that the durability campaigns can fail.
//!
//! Without the cargo feature `sabotage` this is an empty struct and its answers are constants.

/// The faults chosen for this engine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sabotage {
    /// Never sync.
    #[cfg(feature = "sabotage")]
    no_fsync: bool,
    /// Answer before the commit.
    #[cfg(feature = "sabotage")]
    ack_before_commit: bool,
}

impl Sabotage {
    /// As `SWITCHBOARD_SABOTAGE` names them, with commas between.
    #[cfg(feature = "sabotage")]
    pub(super) fn chosen() -> Self {
        let sabotage = Self::named(&std::env::var("SWITCHBOARD_SABOTAGE").unwrap_or_default());
        if sabotage.no_fsync || sabotage.ack_before_commit {
            tracing::warn!(?sabotage, "the store is sabotaged and will lose data");
        }
        sabotage
    }

    #[cfg(feature = "sabotage")]
    pub(super) fn named(names: &str) -> Self {
        let has = |name| names.split(',').any(|fault| fault == name);
        Self { no_fsync: has("no_fsync"), ack_before_commit: has("ack_before_commit") }
    }

    /// None.
    #[cfg(not(feature = "sabotage"))]
    pub(super) const fn chosen() -> Self {
        Self {}
    }

    /// The setting of `PRAGMA synchronous`.
    pub(super) const fn synchronous(self) -> &'static str {
        #[cfg(feature = "sabotage")]
        if self.no_fsync {
            return "OFF";
        }
        "FULL"
    }

    /// Whether callers are answered before the commit.
    pub(super) const fn acks_before_commit(self) -> bool {
        #[cfg(feature = "sabotage")]
        if self.ack_before_commit {
            return true;
        }
        false
    }

    /// Waits as long as a slow disk takes to commit, so that what was answered too early can be
    /// lost.
    pub(super) fn dawdle(self) {
        #[cfg(feature = "sabotage")]
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
