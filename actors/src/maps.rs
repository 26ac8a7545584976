//! Hashed maps and sets of the actors. In which order they are gone through is different in each
//! process; with the feature `repeatable`, which simulations switch on, it is the same.

use std::hash::Hash;

#[cfg(feature = "repeatable")]
pub(crate) type State = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
#[cfg(not(feature = "repeatable"))]
pub(crate) type State = std::hash::RandomState;

pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, State>;
pub(crate) type HashSet<T> = std::collections::HashSet<T, State>;

/// Room that a map keeps whatever is in it, in entries.
const ROOM_KEPT: usize = 512;

/// Gives back the room of a rush that is over.
pub(crate) fn give_back<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() / 8 > map.len().max(ROOM_KEPT / 8) {
        map.shrink_to(2 * map.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_until_most_of_it_is_empty() {
        let mut map: HashMap<u32, u32> = (0..10_000).map(|n| (n, n)).collect();
        for left in [8_000, 2_000] {
            map.retain(|n, _| *n < left);
            give_back(&mut map);
            assert!(map.capacity() > 8_000, "{left} are left: {}", map.capacity());
        }
        map.retain(|n, _| *n < 1_000);
        give_back(&mut map);
        assert!((2_000..4_000).contains(&map.capacity()), "{}", map.capacity());
        map.clear();
        give_back(&mut map);
        assert!(map.capacity() <= ROOM_KEPT, "{}", map.capacity());
    }
}
