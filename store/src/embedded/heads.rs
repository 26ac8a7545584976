//! The newest positions of logs that were written lately, so that most appends ask the database
//! nothing. Only the writer writes, so what it remembers is what is stored.

use std::collections::HashMap;

use switchboard_domain::conversation::Heads;

use crate::port::ConversationKey;

/// Logs remembered in each generation: about 5 MiB in both together.
const GENERATION_MAX: usize = 16_384;

/// Two generations: when the young one is full it becomes the old one, and the old one goes. A
/// log written within the last [`GENERATION_MAX`] others is always remembered.
#[derive(Debug, Default)]
pub(super) struct HeadsCache {
    young: HashMap<ConversationKey, Heads>,
    old: HashMap<ConversationKey, Heads>,
}

impl HeadsCache {
    pub(super) fn get(&self, key: &ConversationKey) -> Option<Heads> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    pub(super) fn put(&mut self, key: &ConversationKey, heads: Heads) {
        if let Some(known) = self.young.get_mut(key) {
            *known = heads;
            return;
        }
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key.clone(), heads);
    }

    /// After a rollback nothing is certain.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use switchboard_domain::conversation::Heads;
    use switchboard_domain::ids::Seq;

    use super::{GENERATION_MAX, HeadsCache};
    use crate::testkit::key;

    fn heads(public: u64) -> Heads {
        Heads { public: Seq(public), internal: Seq(0) }
    }

    #[test]
    fn the_newest_word_counts_and_the_size_is_bounded() {
        let mut cache = HeadsCache::default();
        let count = 3 * u64::try_from(GENERATION_MAX).expect("it is small");
        for number in 0..count {
            cache.put(&key("acme", number), heads(1));
            cache.put(&key("acme", 0), heads(number));
            assert_eq!(cache.get(&key("acme", 0)), Some(heads(number)));
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION_MAX);
        assert_eq!(cache.get(&key("acme", 1)), None, "it was written long ago");
        assert_eq!(cache.get(&key("acme", count - 1)), Some(heads(1)));
        cache.clear();
        assert_eq!(cache.get(&key("acme", 0)), None);
    }
}
