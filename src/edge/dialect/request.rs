//! What handlers of a dialect take from a request, and how they refuse: in the dialect's own
//! shape, whatever went wrong.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use switchboard_domain::ids::TenantId;

use super::caller::of_request;
use super::cors::Origins;
use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::listener::Peer;
use crate::edge::problem::{Code, Problem};

/// Bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 128 * 1024;

/// What every handler can reach.
pub type Doorway = State<Arc<Doors>>;

/// How a dialect says that something was refused.
pub trait Shape: Send + Sync + 'static {
    /// Whether bodies are JSON whatever they say of themselves: some clients say nothing, which
    /// browsers send as plain text.
    const READS_ANY_MEDIA: bool = false;

    /// The body of an answer with that status.
    fn body(status: StatusCode, words: &str) -> Value;

    /// The status of a problem. What is not valid is a bad request to these clients.
    #[must_use]
    fn status(problem: &Problem) -> StatusCode {
        match problem.code {
            Code::Invalid => StatusCode::BAD_REQUEST,
            code => code.status(),
        }
    }
}

/// A refusal over HTTP.
#[must_use]
pub fn refused<S: Shape>(problem: &Problem) -> Response {
    let status = S::status(problem);
    let mut response = (status, Json(S::body(status, &in_words(problem)))).into_response();
    let headers = response.headers_mut();
    if let Some(ms) = problem.retry_after_ms {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A refusal in words.
#[must_use]
pub fn in_words(problem: &Problem) -> String {
    match (&problem.by, &problem.detail) {
        (Some(by), _) => format!("{}: {}", problem.code.title(), by.name),
        (None, Some(detail)) => detail.clone().into_owned(),
        (None, None) => problem.code.title().to_owned(),
    }
}

/// What is refused until it is spoken.
pub async fn not_spoken<S: Shape>(_: Caller<S>) -> Response {
    not_served::<S>().await
}

/// The same where clients say no token.
pub async fn not_served<S: Shape>() -> Response {
    let status = StatusCode::NOT_IMPLEMENTED;
    (status, Json(S::body(status, "this part of the API is not served yet"))).into_response()
}

/// A problem that is told in the shape of a dialect.
#[derive(Debug)]
pub struct Refused<S>(Problem, PhantomData<fn() -> S>);

impl<S, E: Into<Problem>> From<E> for Refused<S> {
    fn from(problem: E) -> Self {
        Self(problem.into(), PhantomData)
    }
}

impl<S: Shape> IntoResponse for Refused<S> {
    fn into_response(self) -> Response {
        refused::<S>(&self.0)
    }
}

/// What most handlers answer.
pub type Answer<S, T> = Result<Json<T>, Refused<S>>;

/// Who asks, and from where.
#[derive(Debug)]
pub struct Caller<S> {
    /// Who.
    pub identity: Arc<Identity>,
    /// From where.
    pub address: IpAddr,
    shape: PhantomData<fn() -> S>,
}

impl<S: Shape> FromRequestParts<Arc<Doors>> for Caller<S> {
    type Rejection = Refused<S>;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Refused<S>> {
        let address = address(parts)?;
        let origins = parts.extensions.get::<Arc<Origins>>().ok_or(Code::Internal)?;
        let identity = of_request(doors, &parts.method, &parts.headers, address).await?;
        origins.check(&identity.tenant, &parts.headers)?;
        Ok(Self { identity, address, shape: PhantomData })
    }
}

/// The tenant of those who come without a token, to a dialect that knows no tenants.
#[derive(Clone, Debug)]
pub struct Home(pub TenantId);

/// Somebody who comes without a token, to a route that asks for none.
#[derive(Debug)]
pub struct Stranger<S> {
    /// Whose visitor that is.
    pub tenant: TenantId,
    /// From where.
    pub address: IpAddr,
    shape: PhantomData<fn() -> S>,
}

impl<S: Shape> FromRequestParts<Arc<Doors>> for Stranger<S> {
    type Rejection = Refused<S>;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Doors>) -> Result<Self, Refused<S>> {
        let address = address(parts)?;
        let origins = parts.extensions.get::<Arc<Origins>>().ok_or(Code::Internal)?;
        let Home(tenant) = parts.extensions.get::<Home>().cloned().ok_or(Code::Internal)?;
        origins.check(&tenant, &parts.headers)?;
        Ok(Self { tenant, address, shape: PhantomData })
    }
}

/// Where a request came from.
///
/// # Errors
///
/// [`Code::Internal`] when the listener did not say.
pub fn address(parts: &Parts) -> Result<IpAddr, Problem> {
    let peer = parts.extensions.get::<Peer>().ok_or(Code::Internal)?;
    Ok(peer.address)
}

/// The part of a path that names something.
#[derive(Debug)]
pub struct Part<S>(pub String, pub PhantomData<fn() -> S>);

impl<S: Shape> FromRequestParts<Arc<Doors>> for Part<S> {
    type Rejection = Refused<S>;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Refused<S>> {
        let Path(part) = Path::<String>::from_request_parts(parts, doors)
            .await
            .map_err(|_not_text| Problem::new(Code::NotFound))?;
        Ok(Self(part, PhantomData))
    }
}

/// A query; parameters that nothing reads are passed over.
#[derive(Debug)]
pub struct Asked<S, T>(pub T, pub PhantomData<fn() -> S>);

impl<S: Shape, T: DeserializeOwned> FromRequestParts<Arc<Doors>> for Asked<S, T> {
    type Rejection = Refused<S>;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Refused<S>> {
        let Query(asked) = Query::<T>::from_request_parts(parts, doors)
            .await
            .map_err(|rejection| Problem::with(Code::BadRequest, rejection.body_text()))?;
        Ok(Self(asked, PhantomData))
    }
}

/// A JSON body; fields that nothing reads are passed over, because other clients may say more.
#[derive(Debug)]
pub struct Said<S, T>(pub T, pub PhantomData<fn() -> S>);

impl<S: Shape, T: DeserializeOwned> FromRequest<Arc<Doors>> for Said<S, T> {
    type Rejection = Refused<S>;

    async fn from_request(request: Request, doors: &Arc<Doors>) -> Result<Self, Refused<S>> {
        let media = request.headers().get(header::CONTENT_TYPE);
        let media = media.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let is_json = media.eq_ignore_ascii_case("application/json");
        let bytes = Bytes::from_request(request, doors).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(Code::TooLarge)
            } else {
                Problem::with(Code::BadRequest, rejection.body_text())
            }
        })?;
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        if !is_json && !S::READS_ANY_MEDIA && &*bytes != b"{}" {
            return Err(Code::UnsupportedMediaType.into());
        }
        let said = serde_json::from_slice(&bytes);
        let said = said.map_err(|error| Problem::with(Code::BadRequest, error.to_string()))?;
        Ok(Self(said, PhantomData))
    }
}
