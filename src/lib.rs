//! Switchboard, a live-chat cluster in one binary: the doors, the side services and the wiring.

pub mod config;
pub mod telemetry;
pub mod clock;
pub mod phase;
pub mod metrics;
pub mod auth;
pub mod directory;
pub mod accounts;
pub mod edge;
pub mod peers;
pub mod notices;
pub mod place;
#[cfg(feature = "cql")]
pub mod database;
#[cfg(feature = "cql")]
pub mod rows;
pub mod node;
pub mod cli;
