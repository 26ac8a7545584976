//! The REST half of the dialect, and the door of its socket.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use switchboard_domain::person::Principal;

use super::Tms;
use super::desk::{Desk, Filter, Start, Started};
use super::live::Live;
use super::wire::{Message, Note, Session};
use crate::edge::dialect::caller::of_handshake;
use crate::edge::dialect::cors::Origins;
use crate::edge::dialect::request::{self, Asked, BODY_BYTES_MAX, Doorway, Part, Said};
use crate::edge::dialect::seat::Places;
use crate::edge::dialect::web_socket;
use crate::edge::doors::Doors;
use crate::edge::listener::Peer;
use crate::edge::problem::{Code, Problem};

type Answer<T> = request::Answer<Tms, T>;
type Refused = request::Refused<Tms>;
type Caller = request::Caller<Tms>;

/// The routes.
pub(super) fn router() -> Router<Arc<Doors>> {
    Router::new()
        .route("/v1/chat/ws", get(socket))
        .route("/v1/chat/sessions", get(sessions).post(start))
        .route("/v1/chat/sessions/{session}", get(session))
        .route("/v1/chat/sessions/{session}/messages", get(messages).post(send))
        .route("/v1/chat/sessions/{session}/assign", post(assign))
        .route("/v1/chat/sessions/{session}/transfer", post(transfer))
        .route("/v1/chat/sessions/{session}/end", post(end))
        .route("/v1/chat/sessions/{session}/notes", get(notes).post(note))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

impl Caller {
    fn at<'a>(&'a self, doors: &'a Arc<Doors>) -> Desk<'a> {
        Desk { doors, identity: &self.identity }
    }
}

async fn socket(
    State(doors): Doorway,
    Extension(peer): Extension<Peer>,
    Extension(origins): Extension<Arc<Origins>>,
    Extension(places): Extension<Places>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    let upgrade =
        upgrade.map_err(|rejection| Problem::with(Code::BadRequest, rejection.body_text()))?;
    let identity = of_handshake(&doors, None, &headers, &uri, peer.address).await?;
    origins.check(&identity.tenant, &headers)?;
    Ok(web_socket::open::<Live>(doors, &places, upgrade, identity, peer.address).await?)
}

async fn sessions(
    State(doors): Doorway,
    caller: Caller,
    Asked(filter, _): Asked<Tms, Filter>,
) -> Answer<Value> {
    let sessions = caller.at(&doors).sessions(filter).await?;
    Ok(Json(json!({ "sessions": sessions })))
}

async fn session(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Tms>,
) -> Answer<Session> {
    let desk = caller.at(&doors);
    let state = desk.find(&session).await?;
    Ok(Json(desk.shown(&state).await?))
}

async fn start(
    State(doors): Doorway,
    caller: Caller,
    headers: HeaderMap,
    Said(start, _): Said<Tms, Start>,
) -> Result<Response, Refused> {
    let desk = caller.at(&doors);
    let Started { state, link } = desk.start(start, &headers, caller.address).await?;
    if let Principal::Visitor(visitor) = caller.identity.caller.author.principal {
        // The starter's sockets hear the session from its beginning.
        doors.auth.tell_visitor(&caller.identity.tenant, visitor, state.id);
    }
    let mut body = json!(desk.shown(&state).await?);
    if let Some(link) = link {
        body["link"] = Value::String(link);
    }
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn messages(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Tms>,
) -> Answer<Value> {
    let messages = caller.at(&doors).messages(&session).await?;
    Ok(Json(json!({ "messages": messages })))
}

#[derive(Deserialize)]
struct Send {
    content: Option<String>,
    message_type: Option<String>,
}

async fn send(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Tms>,
    Said(Send { content, message_type }, _): Said<Tms, Send>,
) -> Result<(StatusCode, Json<Message>), Refused> {
    let desk = caller.at(&doors);
    let sent = desk.send(&session, content, message_type.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(desk.message(&sent).await?)))
}

#[derive(Deserialize)]
struct Assign {
    agent_id: String,
}

async fn assign(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Tms>,
    Said(Assign { agent_id }, _): Said<Tms, Assign>,
) -> Answer<Session> {
    let desk = caller.at(&doors);
    let state = desk.assign(&session, &agent_id, None).await?;
    Ok(Json(desk.shown(&state).await?))
}

#[derive(Deserialize)]
struct Transfer {
    agent_id: String,
    reason: Option<String>,
}

async fn transfer(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Tms>,
    Said(Transfer { agent_id, reason }, _): Said<Tms, Transfer>,
) -> Answer<Session> {
    let desk = caller.at(&doors);
    let state = desk.assign(&session, &agent_id, reason).await?;
    Ok(Json(desk.shown(&state).await?))
}

async fn end(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Tms>,
) -> Answer<Session> {
    let desk = caller.at(&doors);
    let state = desk.end(&session).await?;
    Ok(Json(desk.shown(&state).await?))
}

#[derive(Deserialize)]
struct NewNote {
    content: String,
}

async fn note(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Tms>,
    Said(NewNote { content }, _): Said<Tms, NewNote>,
) -> Result<(StatusCode, Json<Note>), Refused> {
    Ok((StatusCode::CREATED, Json(caller.at(&doors).note(&session, content).await?)))
}

async fn notes(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Tms>,
) -> Answer<Value> {
    let notes = caller.at(&doors).notes(&session).await?;
    Ok(Json(json!({ "notes": notes })))
}
