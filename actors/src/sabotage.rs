//! Planted faults. They exist only under the cargo feature `sabotage`, and only to prove that the
//! fault campaigns can go red: a checker that never fails proves nothing.

/// Which faults are planted; none without the feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sabotage {
    #[cfg(feature = "sabotage")]
    planted: Option<Planted>,
}

#[cfg(feature = "sabotage")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    NoDedupe,
    SeqFromMemory,
    LeakNotes,
}

#[cfg(feature = "sabotage")]
impl Sabotage {
    /// The fault of that name; `None` for an unknown name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let planted = match name {
            "" => None,
            "no_dedupe" => Some(Planted::NoDedupe),
            "seq_from_memory" => Some(Planted::SeqFromMemory),
            "leak_notes" => Some(Planted::LeakNotes),
            _ => return None,
        };
        Some(Self { planted })
    }

    /// A retry is stored again (breaks P3).
    pub(crate) fn skips_dedupe(self) -> bool {
        self.planted == Some(Planted::NoDedupe)
    }

    /// Positions go on from a stale checkpoint, and a taken one is acknowledged (breaks P1, P2).
    pub(crate) fn counts_from_memory(self) -> bool {
        self.planted == Some(Planted::SeqFromMemory)
    }

    /// Internal events reach public subscribers (breaks P13).
    pub(crate) fn leaks_notes(self) -> bool {
        self.planted == Some(Planted::LeakNotes)
    }
}

#[cfg(not(feature = "sabotage"))]
impl Sabotage {
    pub(crate) const fn skips_dedupe(self) -> bool {
        false
    }

    pub(crate) const fn counts_from_memory(self) -> bool {
        false
    }

    pub(crate) const fn leaks_notes(self) -> bool {
        false
    }
}
