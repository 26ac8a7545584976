//! What a chat is.
//!
//! Pure rules: commands become events, state is a fold over events. Nothing here reads a clock,
//! draws randomness, waits or does input or output; time, ids and facts from elsewhere are passed
//! in. Read the modules in the order below.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod ids;
pub mod limit;
pub mod person;
pub mod message;
pub mod conversation;
pub mod card;
pub mod search;
pub mod receipt;
pub mod intake;
pub mod trail;
pub mod presence;
pub mod capacity;
pub mod queue;
pub mod schedule;
pub mod permission;
pub mod invariant;
