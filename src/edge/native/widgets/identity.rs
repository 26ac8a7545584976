//! The key with which a site says who its visitors are.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchboard_domain::ids::WidgetId;
use switchboard_domain::person::Role;
use utoipa::ToSchema;

use super::super::audit::note;
use super::super::caller::require;
use super::super::extract::{Caller, PathId, Query};
use crate::directory::audit::{Action, Deed};
use crate::directory::identity_key::Replaced;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// What becomes of the key so far.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// `1` refuses it at once; else it is good for a day.
    #[serde(default)]
    revoke: Option<String>,
}

/// A key, shown once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityKey)]
pub struct Made {
    /// For the header of tokens.
    kid: String,
    /// What to sign with, by HS256: these very characters.
    secret: String,
}

/// `POST /v1/widgets/{id}/identity-key`
///
/// # Errors
///
/// [`Problem`].
pub async fn rotate(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
    Query(Rotate { revoke }): Query<Rotate>,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    let replaced = match revoke.as_deref() {
        None | Some("0") => Replaced::Retires,
        Some("1") => Replaced::Refused,
        Some(_) => return Err(Problem::with(Code::BadRequest, "`revoke` is 0 or 1")),
    };
    let widget = WidgetId(id.into());
    let found = doors.directory.widget(&identity.tenant, &widget).await?.ok_or(Code::NotFound)?;
    let key = doors.auth.rotate_identity_key(&identity.tenant, &widget, replaced).await?;
    let deed = Deed {
        action: Action::Rotated,
        subject: super::subject(&found.value),
        before: Value::Null,
        after: json!({"kid": key.name, "revoked": replaced == Replaced::Refused}),
    };
    note(&doors, &identity, deed).await?;
    let made = Made { kid: (*key.name).to_owned(), secret: (*key.secret).to_owned() };
    Ok((StatusCode::CREATED, axum::Json(made)).into_response())
}
