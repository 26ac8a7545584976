//! Whether a page may show a widget: asked by the loader when nothing comes up, so that it can say
//! which setting or domain is wrong.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::extract::{PathId, Query};
use crate::directory::origin::Origin;
use crate::directory::widget::Address;
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;

/// The one route that pages of every origin may read: it tells a page about itself.
pub const ROUTE: &str = "/v1/widgets/{id}/check";

/// Which page asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// As browsers write it.
    origin: String,
}

/// Whether a page may show a widget.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WidgetCheck)]
pub struct Check {
    allowed: bool,
    /// What is wrong: `unknown_widget`, `disabled`, or `origin` when the page is not among those
    /// that may show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// `GET /v1/widgets/{id}/check`: open to everybody.
///
/// # Errors
///
/// [`Problem`].
pub async fn check(
    State(doors): State<Arc<Doors>>,
    PathId(id): PathId,
    Query(Which { origin }): Query<Which>,
) -> Result<Response, Problem> {
    let reason = reason(&doors, &id, &origin).await?;
    Ok(axum::Json(Check { allowed: reason.is_none(), reason }).into_response())
}

async fn reason(doors: &Doors, id: &str, origin: &str) -> Result<Option<&'static str>, Problem> {
    let widget = match Address::parse(id) {
        Some(address) => doors.directory.widget(&address.tenant, &address.widget).await?,
        None => None,
    };
    let Some(widget) = widget else { return Ok(Some("unknown_widget")) };
    let settings = &widget.value.settings;
    if !settings.enabled {
        return Ok(Some("disabled"));
    }
    let allowed = origin.parse::<Origin>().is_ok_and(|origin| {
        let mut lists = doors.origins.iter().chain(&settings.allowed_origins);
        lists.any(|pattern| pattern.allows(&origin))
    });
    Ok((!allowed).then_some("origin"))
}
