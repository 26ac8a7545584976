//! TMS: REST below `/v1/chat` and a WebSocket at `/v1/chat/ws`, for consoles of several tenants
//! and for pages that embed `/chat-widget.js`. Sessions are named by our ids, people by their
//! external ones. `docs/dialects/tms.md` says what is spoken.

mod words;
mod wire;
mod desk;
mod rest;
mod live;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::request::Shape;
use super::seat::Places;
use crate::edge::doors::Doors;

/// How this dialect says that something was refused.
#[derive(Debug)]
pub struct Tms;

impl Shape for Tms {
    fn body(_: StatusCode, words: &str) -> Value {
        json!({ "error": words })
    }
}

/// The routes.
pub fn routes(doors: &Arc<Doors>, places: &Places) -> Router {
    rest::router().layer(Extension(places.clone())).with_state(Arc::clone(doors))
}
