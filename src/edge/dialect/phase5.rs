//! The phase5 help desk: REST below `/api/live-chat` and `/api/agent-availability`, and Socket.IO
//! on the namespace `/`. People and sessions are named by integers; customers start chats that wait
//! until an agent accepts. `docs/dialects/phase5.md` says what is spoken.

mod words;
mod wire;
mod desk;
mod rest;
mod live;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use serde_json::{Value, json};

pub use self::live::Live;

use super::request::Shape;
use crate::edge::doors::Doors;

/// What a customer is told who started a chat.
const STARTED: &str = "The chat is open and waits for an agent to accept it.";

/// The REST routes.
pub fn routes(doors: &Arc<Doors>) -> Router {
    rest::router().with_state(Arc::clone(doors))
}

/// How this dialect says that something was refused.
#[derive(Debug)]
pub struct Phase5;

impl Shape for Phase5 {
    fn body(_: StatusCode, words: &str) -> Value {
        json!({ "success": false, "message": words })
    }
}
