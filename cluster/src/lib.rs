//! Where things live: shards, owners and leases, and how the owner of a log takes it over from the
//! one before. Knows keys and payloads, never conversations.
//!
//! Everything that decides is a pure machine, fed with time and answers; a model checker drives
//! the same code (`model`). docs/CLUSTER.md tells the protocol and why it holds.

pub mod shard;
pub mod ownership;
pub mod time;
pub mod rows;
pub mod lease;
pub mod members;
pub mod placement;
pub mod claims;
pub mod driver;
pub mod log;
pub mod rules;
pub mod transport;
#[cfg(any(test, feature = "model"))]
pub mod model;
