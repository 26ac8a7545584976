//! The one table of what can go wrong: code, HTTP status, title, and close codes of sockets.
//!
//! Codes are stable for ever. Over HTTP they are RFC 9457 problems; over the socket the same
//! codes stand in `nack`, `refused` and `error`.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use switchboard_actors::Refusal;
use switchboard_domain::conversation::Rejection;
use switchboard_domain::ids::Seq;
use switchboard_domain::person::AgentRef;
use switchboard_store::Fault;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts;
use crate::auth::AuthError;
use crate::directory::{self, LastChange};
use crate::edge::native::wire::time::Rfc3339;
use crate::edge::request_id::RequestId;

/// What went wrong, as programs compare it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table gives each its words")]
pub enum Code {
    BadRequest,
    BadFrame,
    UnknownType,
    Unauthenticated,
    Forbidden,
    UnknownRole,
    IdentityRequired,
    OriginRefused,
    Csrf,
    MissingScope,
    BadCredentials,
    TooManyAttempts,
    LinkUsed,
    LinkExpired,
    LastOwner,
    NotFound,
    NoMessage,
    WidgetDisabled,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    Gap,
    StaleHead,
    Closed,
    Open,
    AlreadyAccepted,
    AlreadyRated,
    AlreadyExists,
    Unassigned,
    SameAgent,
    NotTransferred,
    AtCapacity,
    QueueFull,
    TooLate,
    InProgress,
    Changed,
    PreconditionRequired,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    KeyReused,
    RateLimited,
    Internal,
    Busy,
    UnknownOutcome,
    Quarantined,
    Draining,
    StorageFull,
}

impl Code {
    /// Every code, in the order of the table.
    pub const ALL: [Self; 48] = [
        Self::BadRequest,
        Self::BadFrame,
        Self::UnknownType,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::UnknownRole,
        Self::IdentityRequired,
        Self::OriginRefused,
        Self::Csrf,
        Self::MissingScope,
        Self::BadCredentials,
        Self::TooManyAttempts,
        Self::LinkUsed,
        Self::LinkExpired,
        Self::LastOwner,
        Self::NotFound,
        Self::NoMessage,
        Self::WidgetDisabled,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::Gap,
        Self::StaleHead,
        Self::Closed,
        Self::Open,
        Self::AlreadyAccepted,
        Self::AlreadyRated,
        Self::AlreadyExists,
        Self::Unassigned,
        Self::SameAgent,
        Self::NotTransferred,
        Self::AtCapacity,
        Self::QueueFull,
        Self::TooLate,
        Self::InProgress,
        Self::Changed,
        Self::PreconditionRequired,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::KeyReused,
        Self::RateLimited,
        Self::Internal,
        Self::Busy,
        Self::UnknownOutcome,
        Self::Quarantined,
        Self::Draining,
        Self::StorageFull,
    ];

    /// The table: word on the wire, HTTP status, title.
    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest => ("bad_request", S::BAD_REQUEST, "The request is malformed"),
            Self::BadFrame => ("bad_frame", S::BAD_REQUEST, "The frame is malformed"),
            Self::UnknownType => ("unknown_type", S::BAD_REQUEST, "The frame's type is not known"),
            Self::Unauthenticated => {
                ("unauthenticated", S::UNAUTHORIZED, "A valid token is needed")
            }
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "The caller may not do this"),
            Self::UnknownRole => {
                ("unknown_role", S::FORBIDDEN, "The token names a role that is not known")
            }
            Self::IdentityRequired => {
                ("identity_required", S::FORBIDDEN, "The site must say who the visitor is")
            }
            Self::OriginRefused => {
                ("origin_refused", S::FORBIDDEN, "Pages of this origin may not call here")
            }
            Self::Csrf => (
                "csrf",
                S::FORBIDDEN,
                "A change with a cookie needs X-Switchboard-CSRF and an Origin of ours",
            ),
            Self::MissingScope => {
                ("missing_scope", S::FORBIDDEN, "The API key does not have the scope for this")
            }
            Self::BadCredentials => {
                ("bad_credentials", S::UNAUTHORIZED, "The mail address or the password is wrong")
            }
            Self::TooManyAttempts => {
                ("too_many_attempts", S::TOO_MANY_REQUESTS, "Too many wrong passwords; wait")
            }
            Self::LinkUsed => ("link_used", S::GONE, "The link was used or replaced"),
            Self::LinkExpired => ("link_expired", S::GONE, "The link has expired"),
            Self::LastOwner => ("last_owner", S::CONFLICT, "Somebody has to own the tenant"),
            Self::NotFound => ("not_found", S::NOT_FOUND, "There is no such thing"),
            Self::NoMessage => ("no_message", S::NOT_FOUND, "There is no message at that position"),
            Self::WidgetDisabled => ("widget_disabled", S::NOT_FOUND, "The widget is switched off"),
            Self::MethodNotAllowed => {
                ("method_not_allowed", S::METHOD_NOT_ALLOWED, "The method is not allowed here")
            }
            Self::RequestTimeout => {
                ("request_timeout", S::REQUEST_TIMEOUT, "The request took too long to arrive")
            }
            Self::Conflict => ("conflict", S::CONFLICT, "The key was used for other content"),
            Self::Gap => ("gap", S::CONFLICT, "A number was left out"),
            Self::StaleHead => ("stale_head", S::CONFLICT, "Somebody else wrote meanwhile"),
            Self::Closed => ("closed", S::CONFLICT, "The conversation is closed"),
            Self::Open => ("open", S::CONFLICT, "The conversation is still open"),
            Self::AlreadyAccepted => {
                ("already_accepted", S::CONFLICT, "Another agent has the conversation")
            }
            Self::AlreadyRated => {
                ("already_rated", S::CONFLICT, "The conversation was rated already")
            }
            Self::AlreadyExists => ("already_exists", S::CONFLICT, "It exists already"),
            Self::Unassigned => ("unassigned", S::CONFLICT, "The conversation has no agent"),
            Self::SameAgent => ("same_agent", S::CONFLICT, "The agent has it already"),
            Self::NotTransferred => {
                ("not_transferred", S::CONFLICT, "There is no transfer to refuse")
            }
            Self::AtCapacity => ("at_capacity", S::CONFLICT, "The agent is at capacity"),
            Self::QueueFull => {
                ("queue_full", S::CONFLICT, "Everybody is busy, and no more may wait")
            }
            Self::TooLate => ("too_late", S::CONFLICT, "The time to change this is over"),
            Self::InProgress => {
                ("in_progress", S::CONFLICT, "A request with this key is being handled")
            }
            Self::Changed => {
                ("changed", S::PRECONDITION_FAILED, "It was changed since it was read")
            }
            Self::PreconditionRequired => {
                ("precondition_required", S::PRECONDITION_REQUIRED, "If-Match is needed")
            }
            Self::TooLarge => ("too_large", S::PAYLOAD_TOO_LARGE, "It is over its limit"),
            Self::UnsupportedMediaType => (
                "unsupported_media_type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The body must be application/json",
            ),
            Self::Invalid => ("invalid", S::UNPROCESSABLE_ENTITY, "A value is not valid"),
            Self::KeyReused => (
                "key_reused",
                S::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key was used for another request",
            ),
            Self::RateLimited => ("rate_limited", S::TOO_MANY_REQUESTS, "Too many requests"),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "Something broke"),
            Self::Busy => ("busy", S::SERVICE_UNAVAILABLE, "Too much waits; try again"),
            Self::UnknownOutcome => (
                "unknown_outcome",
                S::SERVICE_UNAVAILABLE,
                "No answer in time; a retry with the same key is safe",
            ),
            Self::Quarantined => (
                "quarantined",
                S::SERVICE_UNAVAILABLE,
                "The conversation failed repeatedly; try later",
            ),
            Self::Draining => ("draining", S::SERVICE_UNAVAILABLE, "The node is going away"),
            Self::StorageFull => {
                ("storage_full", S::INSUFFICIENT_STORAGE, "The disk is full; reading goes on")
            }
        }
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().1
    }

    /// The same in words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }
}

/// Why the server closes a socket. 4000–4099: reconnect and resume; 4500 and up: do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Close {
    /// The other side is gone; there is nobody to tell.
    Gone,
    /// Not WebSocket.
    NotWebSocket,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A frame was too large.
    TooLarge,
    /// The node goes away.
    Drain,
    /// The client reads too slowly.
    Slow,
    /// The client did not answer pings.
    NoPong,
    /// The client sends too much.
    Rate,
    /// The outcome of a request is unknown: begin afresh and send it again under its number.
    Void,
    /// No valid token in time, or it expired or was revoked.
    Unauthenticated,
    /// Too many bad frames, or frames of the wrong kind.
    Protocol,
}

impl Close {
    /// The code and the reason, at most 123 bytes.
    #[must_use]
    pub const fn row(self) -> (u16, &'static str) {
        match self {
            Self::Gone => (1000, ""),
            Self::NotWebSocket => (1002, "not WebSocket"),
            Self::NotUtf8 => (1007, "not UTF-8"),
            Self::TooLarge => (1009, "the frame is too large"),
            Self::Drain => (4001, "the node goes away; reconnect"),
            Self::Slow => (4008, "too slow; reconnect and resume"),
            Self::NoPong => (4012, "no answer to pings; reconnect"),
            Self::Rate => (4013, "too many frames; reconnect later"),
            Self::Void => (4100, "an outcome is unknown; reconnect and send again"),
            Self::Unauthenticated => (4500, "no valid token"),
            Self::Protocol => (4501, "the protocol was broken"),
        }
    }
}

/// What went wrong, with what the caller may know of it.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What.
    pub code: Code,
    /// In words for a developer; `None` when the title says it all.
    pub detail: Option<Cow<'static, str>>,
    /// Which field is not valid, as clients name it.
    pub field: Option<Box<str>>,
    /// Who has it, for [`Code::AlreadyAccepted`].
    pub by: Option<Box<AgentRef>>,
    /// Who changed it last, for [`Code::Changed`], when that is known.
    pub last_change: Option<Box<LastChange>>,
    /// The number expected next, for [`Code::Gap`].
    pub expect: Option<u64>,
    /// The newest position, for [`Code::StaleHead`].
    pub newest: Option<Seq>,
    /// When to try again, in milliseconds.
    pub retry_after_ms: Option<u32>,
}

impl Problem {
    /// A problem that needs no more words.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            field: None,
            by: None,
            last_change: None,
            expect: None,
            newest: None,
            retry_after_ms: None,
        }
    }

    /// A problem in more words.
    #[must_use]
    pub fn with(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let code = match &rejection {
            Rejection::NotFound => Code::NotFound,
            Rejection::Exists => Code::AlreadyExists,
            Rejection::Forbidden => Code::Forbidden,
            Rejection::Closed => Code::Closed,
            Rejection::Open => Code::Open,
            Rejection::AlreadyAccepted { .. } => Code::AlreadyAccepted,
            Rejection::Unassigned => Code::Unassigned,
            Rejection::SameAgent => Code::SameAgent,
            Rejection::NotTransferred => Code::NotTransferred,
            Rejection::StaleHead { .. } => Code::StaleHead,
            Rejection::Conflict => Code::Conflict,
            Rejection::Gap { .. } => Code::Gap,
            Rejection::TooLarge { .. } => Code::TooLarge,
            Rejection::Invalid { .. } => Code::Invalid,
            Rejection::TooLate => Code::TooLate,
            Rejection::NoMessage => Code::NoMessage,
            Rejection::AlreadyRated => Code::AlreadyRated,
            Rejection::AtCapacity => Code::AtCapacity,
        };
        let mut problem = Self::with(code, rejection.to_string());
        match rejection {
            Rejection::AlreadyAccepted { by } => problem.by = Some(Box::new(by)),
            Rejection::Gap { expect } => problem.expect = Some(expect),
            Rejection::StaleHead { newest } => problem.newest = Some(newest),
            Rejection::NotFound
            | Rejection::Exists
            | Rejection::Forbidden
            | Rejection::Closed
            | Rejection::Open
            | Rejection::Unassigned
            | Rejection::SameAgent
            | Rejection::NotTransferred
            | Rejection::Conflict
            | Rejection::TooLarge { .. }
            | Rejection::Invalid { .. }
            | Rejection::TooLate
            | Rejection::NoMessage
            | Rejection::AlreadyRated
            | Rejection::AtCapacity => {}
        }
        problem
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rejected(rejection) => rejection.into(),
            Refusal::Busy { retry_after_ms } => {
                Self { retry_after_ms: Some(retry_after_ms), ..Self::new(Code::Busy) }
            }
            Refusal::StorageFull => Code::StorageFull.into(),
            Refusal::Unknown => Code::UnknownOutcome.into(),
            Refusal::Quarantined => Code::Quarantined.into(),
            Refusal::Draining => Code::Draining.into(),
            // Longer than a question waits for that.
            Refusal::Moved => Self { retry_after_ms: Some(200), ..Self::new(Code::Busy) },
            Refusal::Store(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Code::StorageFull.into(),
            Fault::Busy => Self { retry_after_ms: Some(200), ..Self::new(Code::Busy) },
            Fault::Changed => Code::Changed.into(),
            fault @ (Fault::Occupied { .. }
            | Fault::NotDense { .. }
            | Fault::Damaged { .. }
            | Fault::TooNew { .. }
            | Fault::Fenced
            | Fault::Unknown
            | Fault::Failed { .. }) => {
                let request = RequestId::current().map(tracing::field::display);
                tracing::error!(request, %fault, "the store failed a request");
                Code::Internal.into()
            }
        }
    }
}

impl From<directory::Error> for Problem {
    fn from(error: directory::Error) -> Self {
        match error {
            directory::Error::NotFound => Code::NotFound.into(),
            directory::Error::Exists => Code::AlreadyExists.into(),
            directory::Error::Changed => Code::Changed.into(),
            directory::Error::Outdated(last) => {
                Self { last_change: Some(last), ..Self::new(Code::Changed) }
            }
            directory::Error::LastOwner => Code::LastOwner.into(),
            directory::Error::Invalid { field, why } => Self {
                field: Some(field.into()),
                ..Self::with(Code::Invalid, format!("`{field}` {why}"))
            },
            directory::Error::LinkUsed => Code::LinkUsed.into(),
            directory::Error::LinkExpired => Code::LinkExpired.into(),
            directory::Error::Store(fault) => fault.into(),
            directory::Error::Random(error) => {
                let request = RequestId::current().map(tracing::field::display);
                tracing::error!(request, %error, "the system gives no random bytes");
                Code::Internal.into()
            }
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            // Callers are not told why.
            AuthError::Invalid(_) | AuthError::Disabled => Code::Unauthenticated.into(),
            AuthError::UnknownRole => Code::UnknownRole.into(),
            AuthError::Directory(error) => error.into(),
        }
    }
}

impl From<accounts::Error> for Problem {
    fn from(error: accounts::Error) -> Self {
        match error {
            accounts::Error::BadCredentials => Code::BadCredentials.into(),
            accounts::Error::TooManyAttempts { retry_after_ms } => {
                Self { retry_after_ms: Some(retry_after_ms), ..Self::new(Code::TooManyAttempts) }
            }
            accounts::Error::LinkUsed => Code::LinkUsed.into(),
            accounts::Error::LinkExpired => Code::LinkExpired.into(),
            accounts::Error::NoAccount => Code::Forbidden.into(),
            accounts::Error::Busy => Self { retry_after_ms: Some(1_000), ..Code::Busy.into() },
            accounts::Error::Directory(error) => error.into(),
            accounts::Error::Hash(error) => {
                let request = RequestId::current().map(tracing::field::display);
                tracing::error!(request, %error, "a password could not be hashed");
                Code::Internal.into()
            }
        }
    }
}

/// A problem as RFC 9457 writes it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Always `about:blank`: the code tells problems apart.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The stable code.
    code: &'static str,
    /// The code in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// More words, for developers.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// Which field is not valid, for `invalid`; absent when it is no single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// Who has it, for `already_accepted`; who changed it last, for `changed`, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By<'a>>,
    /// When it was changed last, beside that `by`.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Rfc3339>,
    /// The number expected next, for `gap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<u64>,
    /// The newest message by somebody else, for `stale_head`.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<u64>,
    /// For people to quote; the same as in the header `x-request-id` and in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct By<'a> {
    id: Uuid,
    name: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let last = self.last_change.as_deref();
        let by = self.by.as_deref().or(last.map(|last| &last.by));
        let body = ProblemBody {
            kind: "about:blank",
            code: self.code.as_str(),
            title: self.code.title(),
            status: status.as_u16(),
            detail: self.detail.as_deref(),
            field: self.field.as_deref(),
            by: by.map(|by| By { id: by.id.uuid(), name: &by.name }),
            at: last.map(|last| Rfc3339(last.at)),
            expect: self.expect,
            newest: self.newest.map(|seq| seq.0),
            request_id: RequestId::current().map(|id| id.to_string()),
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, bytes).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(ms) = self.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_in_the_table_once() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            let status = code.status();
            assert!(status.is_client_error() || status.is_server_error(), "{code:?}");
        }
    }

    #[test]
    fn close_reasons_fit_a_control_frame() {
        for close in [Close::Drain, Close::Slow, Close::NoPong, Close::Rate, Close::Void] {
            assert!(close.row().1.len() <= 123, "{close:?}");
        }
    }
}
