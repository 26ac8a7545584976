//! Tenants, over HTTP: all of them to the owners of `default`, each to its own people.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchboard_domain::ids::TenantId;
use switchboard_domain::person::Role;
use utoipa::ToSchema;

use super::audit::note;
use super::caller::require;
use super::departments;
use super::extract::{Caller, Json, PathId};
use super::wire::time::Rfc3339;
use crate::accounts::links::{INVITATION_MS, Made};
use crate::auth::Identity;
use crate::directory::audit::{Action, Deed, Kind, Subject};
use crate::directory::{Revision, tenant};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// A customer account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tenant {
    id: String,
    name: String,
    /// Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    setup: Option<Setup>,
}

/// The link with which somebody becomes the owner of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SetupLink)]
pub struct Setup {
    /// Shown this once.
    link: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Rfc3339>,
}

impl Setup {
    fn of(doors: &Doors, made: &Made) -> Self {
        Self {
            link: format!("{}/console#setup={}", doors.public_url, made.token),
            expires_at: made.expires_at.map(Rfc3339),
        }
    }
}

/// All tenants.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenants)]
pub struct All {
    items: Vec<Tenant>,
}

/// `GET /v1/tenants`
///
/// # Errors
///
/// [`Problem`].
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<Response, Problem> {
    require_operator(&identity)?;
    let mut items = Vec::new();
    for id in doors.directory.tenants().await? {
        items.push(shown(&doors, &id).await?);
    }
    Ok(axum::Json(All { items }).into_response())
}

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTenant)]
pub struct Create {
    /// 1 to 63 of a–z, 0–9 and -.
    id: String,
    name: String,
}

/// `POST /v1/tenants`
///
/// # Errors
///
/// [`Code::AlreadyExists`], [`Code::Invalid`].
pub async fn create(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: Create { id, name }, .. }: Json<Create>,
) -> Result<Response, Problem> {
    require_operator(&identity)?;
    let id = TenantId(id.into());
    doors.directory.create_tenant(&id, &name).await?;
    departments::apply_policies(&doors, &id).await?;
    let lifetime = Some((doors.clock.now(), INVITATION_MS));
    let made = doors.directory.make_setup(&id, lifetime).await?;
    let tenant =
        Tenant { setup: made.map(|made| Setup::of(&doors, &made)), ..shown(&doors, &id).await? };
    tracing::info!(tenant = %id, "a tenant was made");
    let deed = Deed::created(subject(&id, Some(&name)), seen(Some(&name)));
    note(&doors, &identity, deed).await?;
    Ok((StatusCode::CREATED, axum::Json(tenant)).into_response())
}

/// `POST /v1/tenants/{id}/setup`: another link, in place of the one before.
///
/// # Errors
///
/// [`Code::AlreadyExists`] when the tenant has its owner.
pub async fn set_up(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    require_operator(&identity)?;
    let id = TenantId(id.into());
    let found = doors.directory.tenant(&id).await?.ok_or(Code::NotFound)?;
    let lifetime = Some((doors.clock.now(), INVITATION_MS));
    let made = doors.directory.make_setup(&id, lifetime).await?.ok_or(Code::AlreadyExists)?;
    let deed = Deed {
        action: Action::Invited,
        subject: subject(&id, found.value.name.as_deref()),
        before: Value::Null,
        after: Value::Null,
    };
    note(&doors, &identity, deed).await?;
    Ok((StatusCode::CREATED, axum::Json(Setup::of(&doors, &made))).into_response())
}

/// `GET /v1/tenants/me`
///
/// # Errors
///
/// [`Problem`].
pub async fn mine(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<Response, Problem> {
    require(&identity, Role::Agent)?;
    Ok(axum::Json(shown(&doors, &identity.tenant).await?).into_response())
}

/// What an administrator changes of their tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantChange)]
pub struct Patch {
    name: String,
}

/// `PATCH /v1/tenants/me`
///
/// # Errors
///
/// [`Problem`].
pub async fn patch(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: Patch { name }, .. }: Json<Patch>,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    let Revision { before, after } = doors.directory.rename_tenant(&identity.tenant, &name).await?;
    let [was, is] = [&before, &after].map(|tenant| tenant.value.name.as_deref());
    let deed = Deed::changed(subject(&identity.tenant, is), seen(was), seen(is));
    note(&doors, &identity, deed).await?;
    Ok(axum::Json(shown(&doors, &identity.tenant).await?).into_response())
}

/// Only the owners of the tenant `default` know of others (P10).
fn require_operator(identity: &Identity) -> Result<(), Problem> {
    require(identity, Role::Owner)?;
    if *identity.tenant.0 == *tenant::DEFAULT { Ok(()) } else { Err(Code::Forbidden.into()) }
}

async fn shown(doors: &Doors, id: &TenantId) -> Result<Tenant, Problem> {
    let name = doors.directory.tenant(id).await?.and_then(|it| it.value.name.clone());
    let name = name.unwrap_or_else(|| id.0.clone());
    Ok(Tenant { id: (*id.0).to_owned(), name: (*name).to_owned(), setup: None })
}

fn subject(id: &TenantId, name: Option<&str>) -> Subject {
    Subject::new(Kind::Tenant, id, name.unwrap_or(&id.0))
}

/// What the audit says of one.
fn seen(name: Option<&str>) -> Value {
    json!({"name": name})
}
