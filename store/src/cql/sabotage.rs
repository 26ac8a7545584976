//! A deliberate fault, which proves that the test of late writes can fail. It exists only under
//! the cargo feature `sabotage`.

use std::borrow::Cow;

use super::tables::HeadRow;
use crate::log::Rule;

/// Whether it is planted in an engine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sabotage {
    /// A head is moved from any lower one, not only from the one that was read.
    #[cfg(feature = "sabotage")]
    loose_head: bool,
}

#[cfg(feature = "sabotage")]
impl Sabotage {
    /// As `SWITCHBOARD_SABOTAGE` names it, with commas between.
    pub(super) fn chosen() -> Self {
        let sabotage = Self::named(&std::env::var("SWITCHBOARD_SABOTAGE").unwrap_or_default());
        if sabotage.loose_head {
            tracing::warn!(?sabotage, "the store is sabotaged and will show what does not count");
        }
        sabotage
    }

    pub(super) fn named(names: &str) -> Self {
        Self { loose_head: names.split(',').any(|fault| fault == "loose_head") }
    }

    /// The statement that moves a head; its condition comes last.
    pub(super) fn moving(self, cql: &str) -> Cow<'_, str> {
        match cql.split_once(" IF ") {
            Some((update, _exact)) if self.loose_head => {
                let loose = "epoch < ? AND public_start >= ? AND internal_start >= ?";
                Cow::Owned(format!("{update} IF {loose}"))
            }
            _ => Cow::Borrowed(cql),
        }
    }

    /// What that condition compares with.
    pub(super) const fn expected(self, read: HeadRow, next: Rule) -> HeadRow {
        if self.loose_head { (next.epoch, 0, 0) } else { read }
    }
}

#[cfg(not(feature = "sabotage"))]
impl Sabotage {
    /// None: the feature is off.
    pub(super) const fn chosen() -> Self {
        Self {}
    }

    pub(super) const fn moving(self, cql: &str) -> Cow<'_, str> {
        Cow::Borrowed(cql)
    }

    pub(super) const fn expected(self, read: HeadRow, _next: Rule) -> HeadRow {
        read
    }
}
