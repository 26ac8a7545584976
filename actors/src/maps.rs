//! Hashed maps and sets of the actors. In which order they are gone through is different in each
//! process; with the feature `repeatable`, which simulations switch on, it is the same.

#[cfg(feature = "repeatable")]
pub(crate) type State = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
#[cfg(not(feature = "repeatable"))]
pub(crate) type State = std::hash::RandomState;

pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, State>;
pub(crate) type HashSet<T> = std::collections::HashSet<T, State>;
