//! How logs changed hands: which take-overs read what the owner before had left, and which were
//! handed on.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_store::ConversationKey;

use super::ambush::Deed;

/// Take-overs of logs that had begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakeOvers {
    /// The new owner read the head or rows before it moved the head.
    pub cold: u64,
    /// It moved the head and had read neither since the owner before moved it.
    pub warm: u64,
    /// Of these: how often it wrote its first row and had read nothing in between, cards and
    /// receipts neither.
    pub unread: u64,
}

/// A life of a node.
type Life = (usize, u64);

/// Who read what, since when it matters.
#[derive(Debug, Default)]
pub(super) struct Census {
    counts: TakeOvers,
    /// Who read the head or rows of a log since its head last moved.
    readers: BTreeMap<ConversationKey, BTreeSet<Life>>,
    /// Who took a conversation over without reading, and has written no row yet.
    silent: BTreeMap<ConversationKey, Life>,
}

impl Census {
    pub(super) const fn counts(&self) -> TakeOvers {
        self.counts
    }

    /// Something is carried out; `moves` says whether it moved a head.
    pub(super) fn note(&mut self, by: Life, deed: &Deed, moves: bool) {
        match deed {
            Deed::Look(key) | Deed::Read(key) => {
                self.readers.entry(key.clone()).or_default().insert(by);
                self.breaks_silence(by, key);
            }
            Deed::Glance(key) => self.breaks_silence(by, key),
            Deed::Move(key) if moves => {
                let readers = self.readers.remove(key).unwrap_or_default();
                self.silent.remove(key);
                if readers.contains(&by) {
                    self.counts.cold += 1;
                } else {
                    self.counts.warm += 1;
                    self.silent.insert(key.clone(), by);
                }
            }
            Deed::Put(key) => {
                if self.silent.remove(key) == Some(by) {
                    self.counts.unread += 1;
                }
            }
            Deed::Move(_) | Deed::Other => {}
        }
    }

    fn breaks_silence(&mut self, by: Life, key: &ConversationKey) {
        if self.silent.get(key) == Some(&by) {
            self.silent.remove(key);
        }
    }
}
