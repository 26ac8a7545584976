//! The measuring instruments of Switchboard: a protocol client, a history of what it saw, a checker
//! that judges the history, and the campaigns and benches that are built from them.
//!
//! Nothing here knows the server's insides: it speaks the wire protocol, kills processes and counts.

pub mod bench;
pub mod blackout;
pub mod capacity;
pub mod checker;
pub mod client;
mod cluster;
pub mod crowd;
pub mod faults;
pub mod fsync;
pub mod history;
pub mod hostile;
pub mod kill;
pub mod links;
pub mod load;
pub mod machine;
pub mod memory;
pub mod notes;
pub mod powercut;
pub mod race;
pub mod report;
pub mod rng;
pub mod search;
pub mod server;
pub mod writer;
