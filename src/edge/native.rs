//! Our own API: HTTP under `/v1` and one WebSocket at `/v1/stream`. docs/PROTOCOL.md says what
//! clients rely on.

pub use super::{caller, cookies, presences};

pub mod wire;
pub mod extract;
pub mod commands;
pub mod idempotency;
pub mod sealed;
pub mod routes;
pub mod openapi;
pub mod conversations;
pub mod actions;
pub mod messages;
pub mod auth;
pub mod scopes;
pub mod keys;
pub mod tenants;
pub mod avatars;
pub mod agents;
pub mod preferences;
pub mod drafts;
pub mod audit;
pub mod departments;
pub mod widgets;
pub mod links;
pub mod visitors;
pub mod demo;
pub mod stream;
pub mod connection;
