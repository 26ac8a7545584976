//! POSTs that may be repeated under an `Idempotency-Key`: done once, answered alike.
//!
//! Messages, notes and actions are repeated through the log itself (P3); this is for the rest.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_domain::ids::TenantId;
use switchboard_domain::person::Principal;
use uuid::Uuid;

use super::extract::idempotency_key;
use crate::directory::{Claimed, Scope};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// A good answer, as it is kept and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    status: u16,
    etag: Option<u64>,
    body: serde_json::Value,
}

impl Answer {
    /// An answer with that body.
    #[must_use]
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).unwrap_or_default();
        Self { status: status.as_u16(), etag: None, body }
    }

    /// The same with another body.
    #[must_use]
    pub fn map_body(self, change: impl FnOnce(serde_json::Value) -> serde_json::Value) -> Self {
        Self { body: change(self.body), ..self }
    }

    /// The same with an ETag.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Self { etag: Some(version), ..self }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = (status, axum::Json(self.body)).into_response();
        if let Some(version) = self.etag
            && let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\""))
        {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// What a request that may be repeated is known by.
#[derive(Debug)]
pub struct Repeatable {
    /// Whose.
    pub tenant: TenantId,
    /// Who asks; `None` for strangers.
    pub principal: Option<Principal>,
    /// The route with its parameters filled in.
    pub route: String,
    /// The digest of its body.
    pub digest: [u8; 32],
}

/// What a piece of work is told of earlier tries.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// The same for every try of a key; fresh without a key.
    pub operation: Uuid,
    /// Whether an earlier try may have done part of the work.
    pub resumed: bool,
}

/// Does `work` once per key.
///
/// # Errors
///
/// [`Code::KeyReused`] for another body under the same key, [`Code::InProgress`] while the first
/// request runs, and the work's own. A failed request may be repeated.
pub async fn once<F>(
    doors: &Arc<Doors>,
    headers: &HeaderMap,
    request: Repeatable,
    work: impl FnOnce(Try) -> F,
) -> Result<Answer, Problem>
where
    F: Future<Output = Result<Answer, Problem>>,
{
    let Some(key) = idempotency_key(headers)? else {
        return work(Try { operation: doors.clock.fresh_id(), resumed: false }).await;
    };
    let Repeatable { tenant, principal, route, digest } = request;
    let scope = Scope { tenant, principal, route };
    let claim = match doors.directory.claim_idempotency(&scope, key, digest).await? {
        Claimed::New(claim) => claim,
        Claimed::Same(answer) => {
            return serde_json::from_slice(&answer)
                .map_err(|error| Problem::with(Code::Internal, error.to_string()));
        }
        Claimed::Other => return Err(Code::KeyReused.into()),
        Claimed::InProgress => {
            return Err(Problem { retry_after_ms: Some(500), ..Code::InProgress.into() });
        }
    };
    match work(Try { operation: claim.operation, resumed: claim.resumed }).await {
        Ok(answer) => {
            let kept = serde_json::to_vec(&answer).unwrap_or_default();
            doors.directory.finish_idempotency(claim, kept).await?;
            Ok(answer)
        }
        Err(problem) => {
            // An unknown outcome keeps its operation id, so that a retry is the same work.
            if problem.code != Code::UnknownOutcome {
                doors.directory.abandon_idempotency(claim).await?;
            }
            Err(problem)
        }
    }
}
