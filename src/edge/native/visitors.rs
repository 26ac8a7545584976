//! Visitors over HTTP: what they tell of themselves.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_domain::person::Principal;
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Caller, Json};
use crate::directory::Contact;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// What a visitor tells of themselves; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VisitorChange)]
pub struct Patch {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
}

/// A visitor, to themselves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Visitor)]
pub struct Me<'a> {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
}

/// `PATCH /v1/visitors/me`. Whom the site has identified is who the site says, and changes nothing.
///
/// # Errors
///
/// [`Problem`].
pub async fn patch(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: patch, .. }: Json<Patch>,
) -> Result<Response, Problem> {
    let (None, Principal::Visitor(id)) = (&identity.person, identity.caller.author.principal)
    else {
        return Err(Problem::with(Code::Forbidden, "only visitors without an account"));
    };
    let Patch { name, email, phone } = &patch;
    let said = Contact::new(name.as_deref(), email.as_deref(), phone.as_deref())?;
    let visitor = doors.directory.update_contact(&identity.tenant, id, &said).await?;
    let Contact { name, email, phone } = &visitor.value.contact;
    if let Some(email) = email.as_deref() {
        doors.directory.note_address(&identity.tenant, email, id).await?;
    }
    let [name, email, phone] = [name, email, phone].map(Option::as_deref);
    Ok(axum::Json(Me { id: id.uuid(), name, email, phone }).into_response())
}
