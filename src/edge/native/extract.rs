//! What handlers take from a request: the caller, the body, the query. Whatever is wrong becomes
//! a problem of the one table.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{
    FromRequest, FromRequestParts, MatchedPath, Path, Query as AxumQuery, Request,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use switchboard_domain::ids::ConversationId;
use switchboard_domain::person::Principal;

use super::cookies;
use super::scopes::{self, Needed};
use crate::auth::{Identity, Via};
use crate::edge::doors::{Doors, bearer};
use crate::edge::listener::Peer;
use crate::edge::problem::{Code, Problem};

/// Where pages show that a change is theirs.
const CSRF_HEADER: &str = "x-switchboard-csrf";

/// An authenticated caller, by token or by cookie.
#[derive(Clone, Debug)]
pub struct Caller(pub Arc<Identity>);

/// An authenticated caller, and what its pages show with every change they ask for; `None` for
/// one who came with a token.
#[derive(Clone, Debug)]
pub struct Csrf(pub Arc<Identity>, pub Option<String>);

/// A caller by token, or nobody: for what is open to strangers. A bad token is not nobody, and a
/// cookie is not looked at: pages of ours in other sites' frames send it without meaning it.
#[derive(Clone, Debug)]
pub struct MaybeCaller(pub Option<Arc<Identity>>);

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Address(pub IpAddr);

impl FromRequestParts<Arc<Doors>> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Problem> {
        let peer = Extension::<Peer>::from_request_parts(parts, doors)
            .await
            .map_err(|_missing| Problem::new(Code::Internal))?;
        Ok(Self(peer.address))
    }
}

impl FromRequestParts<Arc<Doors>> for MaybeCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Problem> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        let Address(address) = Address::from_request_parts(parts, doors).await?;
        let refused = |problem| refused(doors, address, problem);
        let token = bearer(&parts.headers).ok_or_else(|| refused(Code::Unauthenticated.into()))?;
        let identity =
            doors.auth.authenticate(token).await.map_err(|error| refused(error.into()))?;
        check_scope(parts, &identity)?;
        if let Some(origin) = parts.headers.get(header::ORIGIN) {
            let allowed =
                origin.to_str().is_ok_and(|origin| doors.allows_origin(&identity.tenant, origin));
            if !allowed {
                return Err(Code::OriginRefused.into());
            }
        }
        Ok(Self(Some(alive(doors, identity))))
    }
}

/// Whether an API key opens this route.
fn check_scope(parts: &Parts, identity: &Identity) -> Result<(), Problem> {
    if !matches!(identity.via, Via::Key(_)) {
        return Ok(());
    }
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    match scopes::needed(&parts.method, route) {
        Needed::Any => Ok(()),
        Needed::Scope(scope) if identity.permits(scope) => Ok(()),
        Needed::Scope(scope) => {
            let words = format!("the API key does not have the scope `{}`", scope.word());
            Err(Problem::with(Code::MissingScope, words))
        }
        Needed::Person => {
            Err(Problem::with(Code::MissingScope, "no API key opens this: a person must come"))
        }
    }
}

/// A refused credential is paid for.
fn refused(doors: &Doors, address: IpAddr, problem: Problem) -> Problem {
    match doors.charge(&doors.budgets.refusals, address) {
        Ok(()) => problem,
        Err(limited) => limited,
    }
}

/// Whatever an agent asks shows that the agent is there.
fn alive(doors: &Doors, identity: Identity) -> Arc<Identity> {
    if let Principal::Agent(agent) = identity.caller.author.principal {
        doors.presence.alive(&identity.tenant, agent);
    }
    Arc::new(identity)
}

impl FromRequestParts<Arc<Doors>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Problem> {
        let Csrf(caller, _) = Csrf::from_request_parts(parts, doors).await?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<Arc<Doors>> for Csrf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Problem> {
        let MaybeCaller(caller) = MaybeCaller::from_request_parts(parts, doors).await?;
        if let Some(caller) = caller {
            return Ok(Self(caller, None));
        }
        let Address(address) = Address::from_request_parts(parts, doors).await?;
        let cookie = cookies::sign_in(&parts.headers).ok_or(Code::Unauthenticated)?;
        let found = doors.auth.authenticate_cookie(cookie).await;
        let (identity, csrf) = found.map_err(|error| refused(doors, address, error.into()))?;
        check_page(doors, parts, &csrf)?;
        Ok(Self(alive(doors, identity), Some(csrf)))
    }
}

/// Whether a request with a cookie was meant by a page of ours: browsers send cookies along
/// whoever asks, so a change has to name its origin and show what only our pages can read.
fn check_page(doors: &Doors, parts: &Parts, csrf: &str) -> Result<(), Problem> {
    let origin = parts.headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or_default());
    let is_ours = origin.is_some_and(|origin| doors.is_own_origin(origin));
    if parts.method.is_safe() {
        return if origin.is_none() || is_ours { Ok(()) } else { Err(Code::OriginRefused.into()) };
    }
    let shown = parts.headers.get(CSRF_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_shown: bool = shown.ct_eq(csrf.as_bytes()).into();
    if is_ours && is_shown { Ok(()) } else { Err(Code::Csrf.into()) }
}

/// A conversation by its path. A text that is no id names nothing.
#[derive(Clone, Copy, Debug)]
pub struct Conversation(pub ConversationId);

impl FromRequestParts<Arc<Doors>> for Conversation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Problem> {
        let PathId(id) = PathId::from_request_parts(parts, doors).await?;
        id.parse().map(Self).map_err(|_no_id| Code::NotFound.into())
    }
}

/// The parameter `id` of a path.
#[derive(Clone, Debug)]
pub struct PathId(pub String);

impl FromRequestParts<Arc<Doors>> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Problem> {
        let Path(params) = Path::<Vec<(String, String)>>::from_request_parts(parts, doors)
            .await
            .map_err(|_not_text| Problem::new(Code::NotFound))?;
        let id = params.into_iter().find(|(name, _)| name == "id").map(|(_, id)| id);
        id.map(Self).ok_or_else(|| Code::NotFound.into())
    }
}

/// The query; parameters that nothing reads are refused.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Doors>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Problem> {
        AxumQuery::<T>::from_request_parts(parts, doors)
            .await
            .map(|AxumQuery(query)| Self(query))
            .map_err(|rejection| Problem::with(Code::BadRequest, rejection.body_text()))
    }
}

/// A JSON body, and a digest of its bytes.
#[derive(Clone, Debug)]
pub struct Json<T> {
    /// What it says.
    pub value: T,
    /// Tells the same key with another body apart.
    pub digest: [u8; 32],
}

impl<T: DeserializeOwned> FromRequest<Arc<Doors>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, doors: &Arc<Doors>) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, doors).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(Code::TooLarge)
            } else {
                Problem::with(Code::BadRequest, rejection.body_text())
            }
        })?;
        // An action without arguments needs no body, and then no type either.
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        if !is_json && &*bytes != b"{}" {
            return Err(Code::UnsupportedMediaType.into());
        }
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Problem::with(Code::BadRequest, error.to_string()))?;
        Ok(Self { value, digest: Sha256::digest(&bytes).into() })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// The key under which a POST may be repeated.
///
/// # Errors
///
/// [`Code::BadRequest`] when it is no text.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let bad = || Problem::with(Code::BadRequest, "Idempotency-Key must be 1 to 255 characters");
    match headers.get("idempotency-key") {
        None => Ok(None),
        Some(value) => {
            let key = value.to_str().map_err(|_not_text| bad())?;
            if key.is_empty() || key.len() > 255 { Err(bad()) } else { Ok(Some(key)) }
        }
    }
}

/// What `If-Match` asks for: a version, or `None` for any (`*`).
///
/// # Errors
///
/// [`Code::PreconditionRequired`] without the header, [`Code::BadRequest`] when it is no tag of
/// ours.
pub fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let value = headers.get(header::IF_MATCH).ok_or(Code::PreconditionRequired)?;
    let tag = value.to_str().unwrap_or_default();
    if tag == "*" {
        return Ok(None);
    }
    tag.strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'))
        .and_then(|tag| tag.parse().ok())
        .map(Some)
        .ok_or_else(|| Problem::with(Code::BadRequest, "If-Match is no tag of ours"))
}
