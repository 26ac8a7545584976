//! The binary on a real CQL server, whose address is in `CQL_SERVER`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod server;
mod alone;
mod cluster;
mod listener;
#[path = "../it/http.rs"]
#[expect(dead_code, reason = "other tests ask more")]
mod http;
#[path = "../it/tokens.rs"]
#[expect(dead_code, reason = "other tests make bad tokens too")]
mod tokens;
mod node;
mod contract;
