//! API keys, over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchboard_domain::ids::{AgentId, Timestamp};
use switchboard_domain::person::Role;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit::note;
use super::caller::require;
use super::extract::{Caller, Json, PathId};
use super::wire::time::Rfc3339;
use crate::accounts::api_key::{ApiKey, Scope, Scopes, Wanted};
use crate::directory::audit::{Deed, Kind, Subject};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct Key {
    id: Uuid,
    name: String,
    /// Such as `conversations:read`.
    scopes: Vec<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Rfc3339,
    /// Who made it.
    created_by: Uuid,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Rfc3339>,
    /// To the hour; absent for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Rfc3339>,
    /// Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Key {
    fn new(key: &ApiKey, secret: Option<String>) -> Self {
        Self {
            id: key.id,
            name: (*key.name).to_owned(),
            scopes: key.scopes.iter().map(Scope::word).collect(),
            created_at: Rfc3339(key.created_at),
            created_by: key.created_by.uuid(),
            expires_at: key.expires_at.map(Rfc3339),
            last_used_at: key.last_used_at.map(Rfc3339),
            secret,
        }
    }
}

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKeys)]
pub struct All {
    items: Vec<Key>,
}

/// `GET /v1/keys`
///
/// # Errors
///
/// [`Problem`].
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    let keys = doors.directory.api_keys(&identity.tenant).await?;
    let items = keys.iter().map(|key| Key::new(&key.value, None)).collect();
    Ok(axum::Json(All { items }).into_response())
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub struct Create {
    name: String,
    scopes: Vec<String>,
    /// RFC 3339; absent for no end.
    #[serde(default)]
    expires_at: Option<String>,
}

/// `POST /v1/keys`
///
/// # Errors
///
/// [`Problem`].
pub async fn create(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: create, .. }: Json<Create>,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    let invalid = |field: &'static str, words: &'static str| Problem {
        field: Some(field.into()),
        ..Problem::with(Code::Invalid, words)
    };
    let scopes = create.scopes.iter().map(|word| Scope::named(word));
    let scopes: Option<Vec<Scope>> = scopes.collect();
    let scopes = scopes.ok_or_else(|| invalid("scopes", "`scopes` names one that is not known"))?;
    let expires_at = create.expires_at.as_deref().map(|text| {
        let at = text.parse::<jiff::Timestamp>();
        at.map(|at| Timestamp(at.as_millisecond()))
            .map_err(|_no_time| invalid("expires_at", "`expires_at` is no RFC 3339 time"))
    });
    let wanted = Wanted {
        name: &create.name,
        scopes: Scopes::of(scopes),
        expires_at: expires_at.transpose()?,
        created_by: AgentId::new(identity.id()),
        now: doors.clock.now(),
    };
    let (key, secret) = doors.directory.create_api_key(&identity.tenant, wanted).await?;
    tracing::info!(tenant = %identity.tenant, key = %key.value.id, "an API key was made");
    note(&doors, &identity, Deed::created(subject(&key.value), seen(&key.value))).await?;
    let key = Key::new(&key.value, Some(secret));
    Ok((StatusCode::CREATED, axum::Json(key)).into_response())
}

/// `DELETE /v1/keys/{id}`: what it opened is closed at once.
///
/// # Errors
///
/// [`Problem`].
pub async fn delete(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    let id: Uuid = id.parse().map_err(|_no_id: uuid::Error| Problem::new(Code::NotFound))?;
    let key = doors.auth.revoke_key(&identity.tenant, id).await?;
    note(&doors, &identity, Deed::removed(subject(&key.value), seen(&key.value))).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn subject(key: &ApiKey) -> Subject {
    Subject::new(Kind::Key, &key.id, &key.name)
}

/// What the audit says of it.
fn seen(key: &ApiKey) -> Value {
    let Key { name, scopes, expires_at, .. } = Key::new(key, None);
    json!({"name": name, "scopes": scopes, "expires_at": expires_at})
}
