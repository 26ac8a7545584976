//! A whole node in this process, called from outside over loopback: one binary, because linking is
//! what costs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod http;
mod tokens;
mod widgets;
mod outbound;
mod context;
mod search;
mod identity;
mod node;
mod harness;
mod straight_line;
mod stream;
mod hostile;
mod openapi;
mod matrix;
mod request_ids;
mod strangers;
mod browser;
mod accounts;
mod audit;
mod people;
mod keys;
mod drafts;
mod line;
mod preferences;
mod contract;
