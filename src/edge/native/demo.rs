//! The demo's one-click sign-in: only for people at this machine, talking to it directly.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_domain::ids::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::Json;
use super::wire::time::Rfc3339;
use crate::auth::{Mint, role};
use crate::directory::demo::PEOPLE;
use crate::directory::origin::is_loopback_host;
use crate::edge::doors::Doors;
use crate::edge::listener::Peer;
use crate::edge::problem::{Code, Problem};

/// How long a demo token is good, in seconds.
const LIFETIME_S: i64 = 8 * 60 * 60;

/// Whom to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// `ada` or `ben`.
    r#as: String,
}

/// A token and whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedIn {
    token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Rfc3339,
    principal: SignedInAs,
}

/// Who signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedInAs {
    kind: &'static str,
    id: Uuid,
    name: &'static str,
    role: &'static str,
}

/// `POST /v1/demo/sign-in`
///
/// # Errors
///
/// [`Code::NotFound`] unless this is a demo and the caller sits at this machine.
pub async fn sign_in(
    State(doors): State<Arc<Doors>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Json { value: SignIn { r#as }, .. }: Json<SignIn>,
) -> Result<Response, Problem> {
    if !doors.demo || !is_local(&peer, &headers) {
        return Err(Code::NotFound.into());
    }
    let person = PEOPLE
        .into_iter()
        .find(|person| person.external_id == r#as)
        .ok_or_else(|| Problem::with(Code::Invalid, "`as` is neither ada nor ben"))?;
    let now = doors.clock.now();
    let token = doors
        .auth
        .keys()
        .mint(&Mint {
            subject: person.external_id,
            name: Some(person.name),
            email: Some(person.email),
            role: person.role,
            now,
            lifetime_s: LIFETIME_S,
        })
        .map_err(|error| {
            tracing::error!(%error, "a demo token could not be signed");
            Problem::new(Code::Internal)
        })?;
    let identity = doors.auth.authenticate(&token).await?;
    let expires_at = identity.expires_at.unwrap_or(Timestamp(now.0 + LIFETIME_S * 1_000));
    Ok(axum::Json(SignedIn {
        token,
        expires_at: Rfc3339(expires_at),
        principal: SignedInAs {
            kind: "agent",
            id: identity.id(),
            name: person.name,
            role: role::word(identity.caller.role),
        },
    })
    .into_response())
}

/// Whether a request comes from this machine and names it: a loopback peer, a loopback `Host`, and
/// no proxy between.
fn is_local(peer: &Peer, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let passed_on = ["x-forwarded-host", "x-real-ip", "via"];
    peer.direct.ip().is_loopback()
        && !peer.is_forwarded
        && !passed_on.iter().any(|name| headers.contains_key(*name))
        && is_loopback_host(name)
}
