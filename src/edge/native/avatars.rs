//! Pictures of people, over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use switchboard_domain::person::Role;

use super::agents::{named, subject};
use super::audit::note;
use super::caller::{self, require};
use super::extract::{Caller, PathId};
use crate::accounts::avatar::repaint;
use crate::auth::Identity;
use crate::directory::Person;
use crate::directory::audit::Deed;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// `GET /v1/avatars/{id}`: to everybody, for ever.
///
/// # Errors
///
/// [`Code::NotFound`].
pub async fn get(State(doors): State<Arc<Doors>>, PathId(id): PathId) -> Result<Response, Problem> {
    let png = doors.directory.avatar(&id).await?.ok_or(Code::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, png).into_response())
}

/// `PUT /v1/agents/{id}/avatar`: by administrators.
///
/// # Errors
///
/// [`Problem`].
pub async fn put(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    let person = named(&doors, &identity, &id).await?;
    require(&identity, person.value.role_in_effect())?;
    set(&doors, &identity, &person.value, &headers, body).await
}

/// `DELETE /v1/agents/{id}/avatar`: by administrators.
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
    let person = named(&doors, &identity, &id).await?;
    require(&identity, person.value.role_in_effect())?;
    keep(&doors, &identity, &person.value, None).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `PUT /v1/agents/me/avatar`
///
/// # Errors
///
/// [`Problem`].
pub async fn put_mine(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let person = caller::agent_person(&identity)?;
    set(&doors, &identity, person, &headers, body).await
}

/// `DELETE /v1/agents/me/avatar`
///
/// # Errors
///
/// [`Problem`].
pub async fn delete_mine(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<Response, Problem> {
    let person = caller::agent_person(&identity)?;
    keep(&doors, &identity, person, None).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn set(
    doors: &Doors,
    identity: &Identity,
    person: &Person,
    headers: &HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let media = media.unwrap_or_default().trim();
    if !matches!(media, "image/png" | "image/jpeg" | "image/webp") {
        let words = "the picture must be image/png, image/jpeg or image/webp";
        return Err(Problem::with(Code::UnsupportedMediaType, words));
    }
    let upload = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::TooLarge),
        _ => Problem::with(Code::BadRequest, rejection.body_text()),
    })?;
    let png = repaint(media, upload.to_vec()).await?;
    keep(doors, identity, person, Some(png)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Gives a person that picture, or none, and notes it.
async fn keep(
    doors: &Doors,
    identity: &Identity,
    person: &Person,
    png: Option<Vec<u8>>,
) -> Result<(), Problem> {
    let (directory, tenant) = (&doors.directory, &identity.tenant);
    let shown = || json!({"avatar": directory.faces(tenant).of(person.id)});
    let before = shown();
    directory.set_avatar(tenant, person.id, png).await?;
    note(doors, identity, Deed::changed(subject(person), before, shown())).await
}
