//! The protocol under a model checker: every order of steps, up to a bound.
//!
//! Two models drive the machines of this crate. [`lease`] proves that a node which trusts its
//! lease holds shards that nobody else has claimed; [`log`] takes that for granted and proves
//! that nothing acknowledged is lost, doubled or changed.

pub mod lease;
pub mod log;

#[cfg(test)]
mod tests;
