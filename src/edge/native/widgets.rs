//! Widgets over HTTP: settings for admins. What anybody may know is in [`public`], whether a page
//! may show one in [`check`], how to put it there in [`embed`], and what opening hours say of a
//! moment in [`hours`].

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_domain::ids::WidgetId;
use switchboard_domain::person::Role;
use utoipa::ToSchema;

use super::agents::PageQuery;
use super::audit::{note, view};
use super::caller::{change, require};
use super::departments::apply_widgets;
use super::extract::{Caller, Json, PathId, Query, if_match};
use super::idempotency::{Answer, Repeatable, once};
use crate::directory::audit::{Deed, Kind, Subject};
use crate::directory::widget::Settings;
use crate::directory::{PAGE_MAX, Revision, Versioned, Widget as Stored};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

pub mod public;
pub mod check;
pub mod embed;
pub mod hours;
pub mod identity;

/// A widget with its settings.
#[derive(Debug, Serialize, ToSchema)]
pub struct Widget {
    id: String,
    settings: Settings,
}

/// A widget to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWidget)]
pub struct Create {
    id: String,
    settings: Settings,
}

/// A page of widgets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WidgetPage)]
pub struct Page {
    items: Vec<Widget>,
    /// For the next page; absent on the last.
    next: Option<String>,
}

/// `GET /v1/widgets`
///
/// # Errors
///
/// [`Problem`].
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    // Whoever writes to somebody chooses the widget.
    require(&identity, Role::Agent)?;
    let limit = query.limit().clamp(1, PAGE_MAX);
    let found = doors.directory.widgets(&identity.tenant, query.cursor(), limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.value.id.to_string());
    let items = found.iter().map(|widget| Widget::from(&widget.value)).collect();
    Ok(axum::Json(Page { items, next }).into_response())
}

/// `GET /v1/widgets/{id}/settings`
///
/// # Errors
///
/// [`Problem`].
pub async fn get(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
) -> Result<Answer, Problem> {
    require(&identity, Role::Admin)?;
    let id = WidgetId(id.into());
    let found = doors.directory.widget(&identity.tenant, &id).await?.ok_or(Code::NotFound)?;
    Ok(answer(StatusCode::OK, &found))
}

/// `POST /v1/widgets`
///
/// # Errors
///
/// [`Problem`].
pub async fn create(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    headers: HeaderMap,
    Json { value, digest }: Json<Create>,
) -> Result<Answer, Problem> {
    require(&identity, Role::Admin)?;
    let request = Repeatable {
        tenant: identity.tenant.clone(),
        principal: Some(identity.caller.author.principal),
        route: "POST /v1/widgets".to_owned(),
        digest,
    };
    let widget = Stored::new(&value.id, value.settings)?.changed_by(change(&doors, &identity));
    once(&doors, &headers, request, |_| async {
        let made = doors.directory.create_widget(&identity.tenant, widget).await?;
        apply_widgets(&doors, &identity.tenant).await?;
        let deed = Deed::created(subject(&made.value), view(&made.value.settings));
        note(&doors, &identity, deed).await?;
        Ok(answer(StatusCode::CREATED, &made))
    })
    .await
}

/// `PUT /v1/widgets/{id}/settings`, with `If-Match`.
///
/// # Errors
///
/// [`Problem`].
pub async fn replace(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
    headers: HeaderMap,
    Json { value, .. }: Json<Settings>,
) -> Result<Answer, Problem> {
    require(&identity, Role::Admin)?;
    let version = if_match(&headers)?;
    let widget = Stored::new(&id, value)?.changed_by(change(&doors, &identity));
    let tenant = &identity.tenant;
    let Revision { before, after } =
        doors.directory.replace_widget(tenant, widget, version).await?;
    apply_widgets(&doors, tenant).await?;
    let [was, is] = [&before, &after].map(|widget| view(&widget.value.settings));
    note(&doors, &identity, Deed::changed(subject(&after.value), was, is)).await?;
    Ok(answer(StatusCode::OK, &after))
}

/// `DELETE /v1/widgets/{id}`, with `If-Match`. Conversations that came through it go on.
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
    let tenant = &identity.tenant;
    let removed = doors.auth.remove_widget(tenant, &WidgetId(id.into()), version).await?;
    apply_widgets(&doors, tenant).await?;
    let deed = Deed::removed(subject(&removed.value), view(&removed.value.settings));
    note(&doors, &identity, deed).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<&Stored> for Widget {
    fn from(stored: &Stored) -> Self {
        Self { id: stored.id.to_string(), settings: stored.settings.clone() }
    }
}

fn answer(status: StatusCode, widget: &Versioned<Stored>) -> Answer {
    Answer::new(status, &Widget::from(&widget.value)).with_version(widget.version)
}

/// A widget, for the audit.
fn subject(widget: &Stored) -> Subject {
    Subject::new(Kind::Widget, &widget.id, &widget.settings.name)
}
