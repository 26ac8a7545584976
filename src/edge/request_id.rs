//! The short id of a request, so that a person can quote what went wrong: it stands in the answer
//! and in the lines of the log.

use std::fmt;
use std::future::Future;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use uuid::Uuid;

/// Where an answer names it.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: RequestId;
}

/// Sixteen hexadecimal digits that no other request has, as chance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// The half of a fresh id that is random.
    #[must_use]
    pub fn new(fresh: Uuid) -> Self {
        Self(fresh.as_u64_pair().1)
    }

    /// Of the request that this task answers; `None` where ids are not told, as in dialects.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|id| *id).ok()
    }

    /// Answers a request under this id.
    pub async fn answer<F: Future<Output = Response>>(self, answer: F) -> Response {
        let mut response = CURRENT.scope(self, answer).await;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            tracing::debug!(request = %self, status = status.as_u16(), "a request was refused");
            if let Ok(value) = HeaderValue::try_from(self.to_string()) {
                response.headers_mut().insert(HEADER, value);
            }
        }
        response
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
