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

    /// The shard of that number; `None` from [`SHARDS`] on.
    #[must_use]
    pub const fn numbered(index: u16) -> Option<Self> {
        if index < SHARDS { Some(Self(index)) } else { None }
    }

    /// All shards, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }

    /// Its number, below [`SHARDS`].
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_same_shard_in_every_version() {
        // Stored on disk and in leases: these numbers never change.
        for (tenant, kind, key, expect) in [
            ("default", "conversation", &b"1"[..], 654),
            ("default", "presence", b"1", 106),
            ("other", "conversation", b"1", 35),
            ("", "", b"", 554),
        ] {
            assert_eq!(Shard::of(tenant, kind, key).index(), expect, "{tenant} {kind} {key:?}");
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Shard::of("ab", "c", b"d"), Shard::of("a", "bc", b"d"));
        assert_ne!(Shard::of("a", "bc", b"d"), Shard::of("a", "b", b"cd"));
    }

    #[test]
    fn keys_spread_evenly() {
        let mut counts = vec![0_u32; usize::from(SHARDS)];
        for key in 0..102_400_u32 {
            counts[usize::from(Shard::of("default", "x", &key.to_be_bytes()).index())] += 1;
        }
        // A hundred each on average; six standard deviations either way.
        assert!(counts.iter().all(|count| (40..=160).contains(count)));
    }
}
