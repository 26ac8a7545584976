//! The binary on a real CQL server, whose address is in `CQL_SERVER`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod server;
mod alone;
mod cluster;
mod listener;
