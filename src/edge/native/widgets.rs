//! Widgets over HTTP: what anybody may know, and settings for admins.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_domain::ids::WidgetId;
use switchboard_domain::person::Role;
use switchboard_domain::schedule::{Hours as OpenHours, Invalid, Schedule, Week};
use utoipa::ToSchema;

use super::agents::PageQuery;
use super::caller::require;
use super::extract::{Caller, Json, PathId, Query, if_match};
use super::idempotency::{Answer, Repeatable, once};
use super::wire::time::Rfc3339;
use crate::directory::widget::{Address, Hours, Settings, Theme, Weekday};
use crate::directory::{PAGE_MAX, Versioned, Widget as Stored};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// What anybody may know of a widget.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicWidget)]
pub struct Public {
    id: String,
    /// The title of its window.
    name: String,
    welcome: String,
    /// What to show while nobody is there.
    offline_message: String,
    theme: Theme,
    /// Departments to choose from.
    departments: Vec<Choice>,
    /// Whether it is within the hours.
    open: bool,
    /// Whether anybody is there.
    online: bool,
    /// When it opens next; absent while open, and when that is not within a year.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_open_at: Option<Rfc3339>,
}

/// A department to choose.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DepartmentChoice)]
pub struct Choice {
    id: String,
    name: String,
}

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

/// `GET /v1/widgets/{id}`: open to everybody.
///
/// # Errors
///
/// [`Problem`].
pub async fn public(
    State(doors): State<Arc<Doors>>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let address = Address::parse(&id).ok_or(Code::NotFound)?;
    let tenant = &address.tenant;
    let widget = doors.directory.widget(tenant, &address.widget).await?.ok_or(Code::NotFound)?;
    let settings = &widget.value.settings;
    let mut departments = Vec::new();
    for id in settings.department_ids() {
        if let Some(found) = doors.directory.department(tenant, &id).await? {
            let name = (*found.value.name).to_owned();
            departments.push(Choice { id: id.to_string(), name });
        }
    }
    let title = settings.theme.title.clone();
    let now = doors.clock.now();
    let schedule = match &settings.hours {
        None => Schedule::always(),
        Some(hours) => schedule(hours).map_err(|why| {
            tracing::error!(widget = %address, %why, "stored hours cannot be used");
            Problem::new(Code::Internal)
        })?,
    };
    let open = schedule.is_open(now);
    let public = Public {
        id: address.to_string(),
        name: title.unwrap_or_else(|| settings.name.clone()),
        welcome: settings.welcome.clone().unwrap_or_default(),
        offline_message: settings.offline_message.clone().unwrap_or_default(),
        theme: settings.theme.clone(),
        departments,
        open,
        online: doors.presence.anybody_online(tenant),
        next_open_at: schedule.next_opening(now).filter(|_| !open).map(Rfc3339),
    };
    Ok(axum::Json(public).into_response())
}

/// The schedule that a widget's hours say.
fn schedule(hours: &Hours) -> Result<Schedule, Invalid> {
    let mut week = Week::default();
    for (weekday, spans) in &hours.days {
        let day = match weekday {
            Weekday::Mon => &mut week.monday,
            Weekday::Tue => &mut week.tuesday,
            Weekday::Wed => &mut week.wednesday,
            Weekday::Thu => &mut week.thursday,
            Weekday::Fri => &mut week.friday,
            Weekday::Sat => &mut week.saturday,
            Weekday::Sun => &mut week.sunday,
        };
        for span in spans {
            day.push(OpenHours { opens: span.from.parse()?, closes: span.to.parse()? });
        }
    }
    let closed = |day: &String| Ok((day.parse()?, Vec::new()));
    let holidays = hours.holidays.iter().map(closed).collect::<Result<_, Invalid>>()?;
    Schedule::new(hours.timezone.parse()?, week, holidays)
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
    require(&identity, Role::Admin)?;
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
    let widget = Stored::new(&value.id, value.settings)?;
    once(&doors, &headers, request, |_| async {
        let made = doors.directory.create_widget(&identity.tenant, widget).await?;
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
    let widget = Stored::new(&id, value)?;
    let changed = doors.directory.replace_widget(&identity.tenant, widget, version).await?;
    Ok(answer(StatusCode::OK, &changed))
}

impl From<&Stored> for Widget {
    fn from(stored: &Stored) -> Self {
        Self { id: stored.id.to_string(), settings: stored.settings.clone() }
    }
}

fn answer(status: StatusCode, widget: &Versioned<Stored>) -> Answer {
    Answer::new(status, &Widget::from(&widget.value)).with_version(widget.version)
}

#[cfg(test)]
mod tests {
    use switchboard_domain::ids::Timestamp;

    use super::*;

    #[test]
    fn hours_are_those_of_their_time_zone_and_holidays_are_closed() {
        let hours: Hours = serde_json::from_value(serde_json::json!({
            "timezone": "Europe/Berlin",
            "days": { "mon": [{ "from": "09:00", "to": "17:00" }] },
            "holidays": ["2026-01-12"],
        }))
        .unwrap();
        let schedule = schedule(&hours).unwrap();
        // Monday 2026-01-05; Berlin is an hour ahead.
        let midnight = 1_767_571_200_000;
        for (hour, open) in [(7, false), (8, true), (15, true), (16, false), (24 * 7 + 10, false)] {
            let at = Timestamp(midnight + hour * 3_600_000);
            assert_eq!(schedule.is_open(at), open, "{hour}");
        }
    }
}
