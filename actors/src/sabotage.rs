//! Planted faults. They exist only under the cargo feature `sabotage`, and only to prove that the
//! fault campaigns can go red: a checker that never fails proves nothing.

/// Which faults are planted; none without the feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sabotage {
    #[cfg(feature = "sabotage")]
    planted: Planted,
}

#[cfg(feature = "sabotage")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Planted {
    no_dedupe: bool,
    seq_from_memory: bool,
    leak_notes: bool,
    over_capacity: bool,
    leak_cards: bool,
    deaf: bool,
    no_lease_check: bool,
    no_dedupe_handed_on: bool,
    no_slot_kept: bool,
    no_slots_handed_on: bool,
    no_early_tenants: bool,
}

#[cfg(feature = "sabotage")]
impl Sabotage {
    /// Those that the environment names in `SWITCHBOARD_SABOTAGE`, separated by commas. Names of
    /// faults that others plant are passed over.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::named(&std::env::var("SWITCHBOARD_SABOTAGE").unwrap_or_default())
    }

    /// Those of these names.
    #[must_use]
    pub fn named(names: &str) -> Self {
        let has = |name| names.split(',').any(|it| it.trim() == name);
        let planted = Planted {
            no_dedupe: has("no_dedupe"),
            seq_from_memory: has("seq_from_memory"),
            leak_notes: has("leak_notes"),
            over_capacity: has("over_capacity"),
            leak_cards: has("leak_cards"),
            deaf: has("deaf"),
            no_lease_check: has("no_lease_check"),
            no_dedupe_handed_on: has("no_dedupe_handed_on"),
            no_slot_kept: has("no_slot_kept"),
            no_slots_handed_on: has("no_slots_handed_on"),
            no_early_tenants: has("no_early_tenants"),
        };
        if planted != Planted::default() {
            tracing::error!(?planted, "sabotaged: this node breaks its promises on purpose");
        }
        Self { planted }
    }

    /// A retry is stored again (breaks P3).
    pub(crate) const fn skips_dedupe(self) -> bool {
        self.planted.no_dedupe
    }

    /// Positions go on from a stale checkpoint, and a taken one is acknowledged (breaks P1, P2).
    pub(crate) const fn counts_from_memory(self) -> bool {
        self.planted.seq_from_memory
    }

    /// Internal events reach public subscribers (breaks P13).
    pub(crate) const fn leaks_notes(self) -> bool {
        self.planted.leak_notes
    }

    /// A slot is given to whoever asks (breaks P11).
    pub(crate) const fn ignores_capacity(self) -> bool {
        self.planted.over_capacity
    }

    /// Cards stay in memory for ever (breaks P7).
    pub(crate) const fn leaks_cards(self) -> bool {
        self.planted.leak_cards
    }

    /// Frames that are none are passed over without a word, however many come.
    #[must_use]
    pub const fn passes_over_bad_frames(self) -> bool {
        self.planted.deaf
    }

    /// What was written is acknowledged, whoever owns the shard by then (breaks P1, P6).
    pub(crate) const fn skips_lease_check(self) -> bool {
        self.planted.no_lease_check
    }

    /// A warm hand-off leaves the memory of safe retries behind (breaks P3).
    pub(crate) const fn forgets_what_is_handed_on(self) -> bool {
        self.planted.no_dedupe_handed_on
    }

    /// A slot is promised and not kept until the log says who has it (breaks P11).
    pub(crate) const fn keeps_no_slot(self) -> bool {
        self.planted.no_slot_kept
    }

    /// A home knows nothing of the slots that the one before promised (breaks P11).
    pub(crate) const fn forgets_promised_slots(self) -> bool {
        self.planted.no_slots_handed_on
    }

    /// A tenant that is asked for before its actors can live never has any: nobody owns its agents
    /// and its queue.
    pub(crate) const fn forgets_early_tenants(self) -> bool {
        self.planted.no_early_tenants
    }
}

#[cfg(not(feature = "sabotage"))]
impl Sabotage {
    /// None: the feature is off.
    #[must_use]
    pub const fn from_environment() -> Self {
        Self {}
    }

    pub(crate) const fn skips_dedupe(self) -> bool {
        false
    }

    pub(crate) const fn counts_from_memory(self) -> bool {
        false
    }

    pub(crate) const fn leaks_notes(self) -> bool {
        false
    }

    pub(crate) const fn ignores_capacity(self) -> bool {
        false
    }

    pub(crate) const fn leaks_cards(self) -> bool {
        false
    }

    /// Never: the feature is off.
    #[must_use]
    pub const fn passes_over_bad_frames(self) -> bool {
        false
    }

    pub(crate) const fn skips_lease_check(self) -> bool {
        false
    }

    pub(crate) const fn forgets_what_is_handed_on(self) -> bool {
        false
    }

    pub(crate) const fn keeps_no_slot(self) -> bool {
        false
    }

    pub(crate) const fn forgets_promised_slots(self) -> bool {
        false
    }

    pub(crate) const fn forgets_early_tenants(self) -> bool {
        false
    }
}

#[cfg(all(test, feature = "sabotage"))]
mod tests;
