//! What users ask of their session, by its label.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use switchboard_actors::delivery::Delivery;
use switchboard_actors::subscriber;
use switchboard_domain::conversation::Stream;

use super::desk::{Desk, Page, Standing};
use super::label::{self, Opened};
use super::wire::{Session, label_of};
use super::{Hall, Localpro, words};
use crate::edge::dialect::request::{
    self, Asked, BODY_BYTES_MAX, Doorway, Part, Said, Shape, Stranger, not_served,
};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};
use crate::edge::time::Rfc3339;

/// Messages on a page when nobody says how many.
const MESSAGES: usize = 50;

type Answer<T> = request::Answer<Localpro, T>;
pub(super) type Refused = request::Refused<Localpro>;

/// The routes.
pub(super) fn router() -> Router<Arc<Doors>> {
    Router::new()
        .route("/api/live-chat/sessions/{session}", get(session))
        .route("/api/live-chat/sessions/{session}/messages", get(messages).post(send))
        .route("/api/live-chat/sessions/{session}/end", patch(end))
        .route("/api/live-chat/sessions/{session}/rate", post(rate))
        .route("/api/live-chat/sessions/{session}/typing", post(typing))
        .route("/api/live-chat/upload", post(not_served::<Localpro>))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// Somebody whose label opens a session.
#[derive(Debug)]
struct Guest(Opened);

impl FromRequestParts<Arc<Doors>> for Guest {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Refused> {
        let stranger = Stranger::<Localpro>::from_request_parts(parts, doors).await?;
        let Part(label, _) = Part::<Localpro>::from_request_parts(parts, doors).await?;
        let hall = parts.extensions.get::<Arc<Hall>>().ok_or(Code::Internal)?;
        doors.charge(&hall.calls, stranger.address)?;
        let by = (label.as_str(), stranger.address);
        let opened = label::open(doors, hall, &parts.headers, by).await?;
        Ok(Self(opened))
    }
}

impl Guest {
    fn at<'a>(&'a self, doors: &'a Arc<Doors>) -> Desk<'a> {
        Desk { doors, identity: &self.0.identity }
    }
}

/// An answer that something was done.
pub(super) fn done(message: &str, data: &Value) -> Value {
    json!({ "success": true, "message": message, "data": data })
}

async fn session(State(doors): Doorway, guest: Guest) -> Answer<Value> {
    let Standing { state, n_unread, .. } = guest.at(&doors).standing(guest.0.conversation).await?;
    let session = Session::new(&doors, &guest.0.identity.tenant, &state, n_unread).await?;
    Ok(Json(json!({ "success": true, "data": session })))
}

#[derive(Deserialize)]
pub(super) struct Write {
    pub(super) content: Option<String>,
}

/// Whether a message comes with files.
pub(super) fn has_files(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media.is_some_and(|media| media.trim_start().starts_with("multipart/"))
}

/// What is answered to a message with files.
pub(super) fn files_later() -> Response {
    let status = StatusCode::NOT_IMPLEMENTED;
    (status, Json(Localpro::body(status, "files are not served yet"))).into_response()
}

async fn send(
    State(doors): Doorway,
    guest: Guest,
    headers: HeaderMap,
    said: Result<Said<Localpro, Write>, Refused>,
) -> Result<Response, Refused> {
    if has_files(&headers) {
        return Ok(files_later());
    }
    let Said(Write { content }, _) = said?;
    let message = guest.at(&doors).send(guest.0.conversation, content).await?;
    let body = done("The message was sent", &json!(message));
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

#[derive(Deserialize)]
struct Pages {
    page: Option<usize>,
    limit: Option<usize>,
}

async fn messages(
    State(doors): Doorway,
    guest: Guest,
    Asked(Pages { page, limit }, _): Asked<Localpro, Pages>,
) -> Answer<Value> {
    let page = Page::new(page, limit, MESSAGES)?;
    let desk = guest.at(&doors);
    let standing = desk.standing(guest.0.conversation).await?;
    let (messages, total) = desk.messages(&standing, &page).await?;
    Ok(Json(listed(&json!(messages), messages.len(), total, &page)))
}

/// A page of a list.
pub(super) fn listed(data: &Value, count: usize, total: usize, page: &Page) -> Value {
    json!({
        "success": true,
        "count": count,
        "total": total,
        "page": page.page,
        "pages": page.pages(total),
        "data": data,
    })
}

#[derive(Deserialize)]
struct End {
    rating: Option<u8>,
    feedback: Option<String>,
}

async fn end(
    State(doors): Doorway,
    guest: Guest,
    Said(End { rating, feedback }, _): Said<Localpro, End>,
) -> Answer<Value> {
    let (desk, id) = (guest.at(&doors), guest.0.conversation);
    if rating.is_some_and(|score| !(1..=5).contains(&score)) {
        return Err(Problem::with(Code::Invalid, "rating must be 1 to 5").into());
    }
    let state = desk.end(id).await?;
    if let Some(score) = rating {
        desk.rate(id, score, feedback).await?;
    }
    let data = json!({
        "sessionId": label_of(&state),
        "status": words::status(state.status),
        "endedAt": state.closed_at.map(Rfc3339),
    });
    Ok(Json(done("The session has ended", &data)))
}

#[derive(Deserialize)]
struct Rate {
    score: u8,
    feedback: Option<String>,
}

async fn rate(
    State(doors): Doorway,
    guest: Guest,
    Said(Rate { score, feedback }, _): Said<Localpro, Rate>,
) -> Answer<Value> {
    let rating = guest.at(&doors).rate(guest.0.conversation, score, feedback).await?;
    Ok(Json(done("The rating was kept", &json!({ "rating": rating }))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typing {
    is_typing: bool,
}

async fn typing(
    State(doors): Doorway,
    guest: Guest,
    Said(Typing { is_typing }, _): Said<Localpro, Typing>,
) -> Answer<Value> {
    let (key, caller) = (guest.at(&doors).key(guest.0.conversation), &guest.0.identity.caller);
    // Only who hears a conversation may type in it: for the moment of this request.
    let (outlet, mut deliveries) = subscriber::queue();
    doors.conversations.subscribe(&key, caller, Stream::Public, 0, &outlet).await?;
    while let Ok(delivery) = deliveries.next().await {
        if matches!(delivery, Delivery::Subscribed { .. } | Delivery::Unsubscribed { .. }) {
            break;
        }
    }
    doors.conversations.typing(&key, caller, is_typing, None);
    doors.conversations.unsubscribe(&key, Stream::Public, outlet.id());
    Ok(Json(json!({ "success": true, "message": "It was told" })))
}
