//! Shards: the unit of placement.

use xxhash_rust::xxh3::Xxh3;

/// How many shards there are, on any number of nodes. About ten for each node of the largest
/// cluster we mean to serve.
pub const SHARDS: u16 = 1024;

/// One shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u16);

impl Shard {
    /// The shard of a key: the same on every node and in every version.
    #[must_use]
    pub fn of(tenant: &str, kind: &str, key: &[u8]) -> Self {
        let mut hasher = Xxh3::new();
        for part in [tenant.as_bytes(), kind.as_bytes(), key] {
            // A length before each part keeps ("ab", "c") and ("a", "bc") apart.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let low = hasher.digest() & u64::from(SHARDS - 1);
        Self(u16::try_from(low).unwrap_or_default())
    }

    /// Its number, below [`SHARDS`].
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }
}
