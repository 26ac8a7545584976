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
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub use self::live::Live;

use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// What a customer is told who started a chat.
const STARTED: &str = "The chat is open and waits for an agent to accept it.";

/// The REST routes.
pub fn routes(doors: &Arc<Doors>) -> Router {
    rest::router().with_state(Arc::clone(doors))
}

/// A refusal as this dialect says it over HTTP.
#[must_use]
pub fn refused(problem: &Problem) -> Response {
    // What is not valid is a bad request here.
    let status = match problem.code {
        Code::Invalid => StatusCode::BAD_REQUEST,
        code => code.status(),
    };
    let mut response = (status, axum::Json(refusal(problem))).into_response();
    let headers = response.headers_mut();
    if let Some(ms) = problem.retry_after_ms {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The same as a body, and as the acknowledgement of an event.
fn refusal(problem: &Problem) -> Value {
    json!({ "success": false, "message": in_words(problem) })
}

/// A refusal in words.
fn in_words(problem: &Problem) -> String {
    match (&problem.by, &problem.detail) {
        (Some(by), _) => format!("{}: {}", problem.code.title(), by.name),
        (None, Some(detail)) => detail.clone().into_owned(),
        (None, None) => problem.code.title().to_owned(),
    }
}
