//! Departments over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchboard_domain::ids::{DepartmentId, TenantId};
use switchboard_domain::person::Role;
use switchboard_domain::queue::Policy;
use utoipa::ToSchema;

use super::audit::note;
use super::caller::{change, require};
use super::extract::{Caller, Json, PathId, if_match};
use super::idempotency::{Answer, Repeatable, once};
use crate::directory::audit::{Deed, Kind, Subject};
use crate::directory::department::Routing;
use crate::directory::{Department as Stored, PAGE_MAX, Revision, Versioned};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// A department.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// Its short name; never changes.
    id: String,
    /// What people read.
    name: String,
    /// How its conversations find their agent.
    #[serde(default)]
    routing: Routing,
}

/// What can be changed about a department.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DepartmentChange)]
pub struct Replace {
    /// As in the path, or left out.
    #[serde(default)]
    id: Option<String>,
    /// What people read.
    name: String,
    /// How its conversations find their agent.
    #[serde(default)]
    routing: Routing,
}

/// All departments.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Departments)]
pub struct All {
    items: Vec<Department>,
}

impl From<&Stored> for Department {
    fn from(stored: &Stored) -> Self {
        Self {
            id: stored.id.to_string(),
            name: (*stored.name).to_owned(),
            routing: stored.routing.unwrap_or_default(),
        }
    }
}

/// The queue's policy of a routing.
#[must_use]
pub const fn policy(routing: Routing) -> Policy {
    match routing {
        Routing::Manual => Policy::Manual,
        Routing::LeastBusy => Policy::LeastBusy,
        Routing::RoundRobin => Policy::RoundRobin,
        Routing::Skills => Policy::Skills,
    }
}

/// Tells the queue how every department and every widget of a tenant routes.
///
/// # Errors
///
/// The directory's.
pub async fn apply_policies(doors: &Doors, tenant: &TenantId) -> Result<(), Problem> {
    for department in doors.directory.departments(tenant).await? {
        route(doors, tenant, &department).await?;
    }
    apply_widgets(doors, tenant).await
}

/// Tells the queue which widgets of a tenant route in a way of their own.
///
/// # Errors
///
/// The directory's.
pub async fn apply_widgets(doors: &Doors, tenant: &TenantId) -> Result<(), Problem> {
    let mut policies = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = doors.directory.widgets(tenant, after.as_deref(), PAGE_MAX).await?;
        for widget in &page {
            if let Some(routing) = widget.value.settings.routing {
                policies.insert(widget.value.id.clone(), policy(routing));
            }
        }
        match page.last().filter(|_| page.len() == PAGE_MAX) {
            Some(last) => after = Some(last.value.id.to_string()),
            None => break,
        }
    }
    Ok(doors.queue.set_widget_policies(tenant, policies).await?)
}

async fn route(
    doors: &Doors,
    tenant: &TenantId,
    department: &Versioned<Stored>,
) -> Result<(), Problem> {
    let routing = department.value.routing.unwrap_or_default();
    let id = Some(department.value.id.clone());
    Ok(doors.queue.set_policy(tenant, id, policy(routing)).await?)
}

/// `GET /v1/departments`
///
/// # Errors
///
/// [`Problem`].
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<Response, Problem> {
    require(&identity, Role::Agent)?;
    let found = doors.directory.departments(&identity.tenant).await?;
    let items = found.iter().map(|department| Department::from(&department.value)).collect();
    Ok(axum::Json(All { items }).into_response())
}

/// `GET /v1/departments/{id}`
///
/// # Errors
///
/// [`Problem`].
pub async fn get(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
) -> Result<Answer, Problem> {
    require(&identity, Role::Agent)?;
    let id = DepartmentId(id.into());
    let found = doors.directory.department(&identity.tenant, &id).await?.ok_or(Code::NotFound)?;
    Ok(answer(StatusCode::OK, &found))
}

/// `POST /v1/departments`
///
/// # Errors
///
/// [`Problem`].
pub async fn create(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    headers: HeaderMap,
    Json { value, digest }: Json<Department>,
) -> Result<Answer, Problem> {
    require(&identity, Role::Admin)?;
    let request = Repeatable {
        tenant: identity.tenant.clone(),
        principal: Some(identity.caller.author.principal),
        route: "POST /v1/departments".to_owned(),
        digest,
    };
    let department = Stored::new(&value.id, &value.name, Some(value.routing))?
        .changed_by(change(&doors, &identity));
    once(&doors, &headers, request, |_| async {
        let made = doors.directory.create_department(&identity.tenant, department).await?;
        route(&doors, &identity.tenant, &made).await?;
        let deed = Deed::created(subject(&made.value), seen(&made.value));
        note(&doors, &identity, deed).await?;
        Ok(answer(StatusCode::CREATED, &made))
    })
    .await
}

/// `PUT /v1/departments/{id}`, with `If-Match`.
///
/// # Errors
///
/// [`Problem`].
pub async fn replace(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
    headers: HeaderMap,
    Json { value, .. }: Json<Replace>,
) -> Result<Answer, Problem> {
    require(&identity, Role::Admin)?;
    let version = if_match(&headers)?;
    if value.id.is_some_and(|body_id| body_id != id) {
        return Err(Problem::with(Code::Invalid, "`id` is not that of the path"));
    }
    let department =
        Stored::new(&id, &value.name, Some(value.routing))?.changed_by(change(&doors, &identity));
    let tenant = &identity.tenant;
    let Revision { before, after } =
        doors.directory.replace_department(tenant, department, version).await?;
    route(&doors, tenant, &after).await?;
    let deed = Deed::changed(subject(&after.value), seen(&before.value), seen(&after.value));
    note(&doors, &identity, deed).await?;
    Ok(answer(StatusCode::OK, &after))
}

/// `DELETE /v1/departments/{id}`, with `If-Match`.
///
/// # Errors
///
/// [`Problem`].
pub async fn delete(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    require(&identity, Role::Admin)?;
    let version = if_match(&headers)?;
    let id = DepartmentId(id.into());
    let removed = doors.directory.delete_department(&identity.tenant, &id, version).await?;
    doors.queue.set_policy(&identity.tenant, Some(id), Policy::Manual).await?;
    let deed = Deed::removed(subject(&removed.value), seen(&removed.value));
    note(&doors, &identity, deed).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn answer(status: StatusCode, department: &Versioned<Stored>) -> Answer {
    Answer::new(status, &Department::from(&department.value)).with_version(department.version)
}

fn subject(department: &Stored) -> Subject {
    Subject::new(Kind::Department, &department.id, &department.name)
}

/// What the audit says of it.
fn seen(department: &Stored) -> Value {
    let Department { id: _, name, routing } = Department::from(department);
    json!({"name": name, "routing": routing})
}
