//! Where things live: shards, owners and leases. Knows keys and payloads, never conversations.

pub mod shard;
pub mod ownership;
