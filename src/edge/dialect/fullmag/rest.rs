//! The REST half of the dialect.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;

use super::desk::Desk;
use super::wire::{Kept, Room};
use super::{Fullmag, Profile};
use crate::edge::dialect::request::{self, BODY_BYTES_MAX, Doorway, Refused};
use crate::edge::doors::Doors;
use crate::edge::problem::Code;

type Answer<T> = request::Answer<Fullmag, T>;
type Caller = request::Caller<Fullmag>;
type Part = request::Part<Fullmag>;
type Said<T> = request::Said<Fullmag, T>;
type Set = Extension<Profile>;

/// The routes.
pub(super) fn router() -> Router<Arc<Doors>> {
    Router::new()
        .route("/api/chat/room", get(own_room))
        .route("/api/chat/room/{room}", get(room))
        .route("/api/chat/room/{room}/messages", get(messages))
        .route("/api/chat/room/{room}/read", post(read))
        .route("/api/chat/room/{room}/close", post(close))
        .route("/api/chat/support/rooms", get(rooms))
        .route("/api/chat/support/room/{room}/assign", post(assign))
        .route("/api/chat/{*rest}", any(nothing))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// What is not there is told in this dialect's shape too.
async fn nothing() -> Refused<Fullmag> {
    Code::NotFound.into()
}

async fn own_room(
    State(doors): Doorway,
    caller: Caller,
    Extension(profile): Set,
    headers: HeaderMap,
) -> Answer<Room> {
    let desk = Desk::new(&doors, &caller.identity, profile)?;
    Ok(Json(desk.own_room(&headers, caller.address).await?))
}

async fn room(
    State(doors): Doorway,
    caller: Caller,
    Extension(profile): Set,
    request::Part(room, _): Part,
) -> Answer<Room> {
    let desk = Desk::new(&doors, &caller.identity, profile)?;
    Ok(Json(desk.shown(&desk.find(&room).await?).await?))
}

async fn messages(
    State(doors): Doorway,
    caller: Caller,
    Extension(profile): Set,
    request::Part(room, _): Part,
) -> Answer<Vec<Kept>> {
    let desk = Desk::new(&doors, &caller.identity, profile)?;
    Ok(Json(desk.messages(&desk.find(&room).await?).await?))
}

async fn read(
    State(doors): Doorway,
    caller: Caller,
    Extension(profile): Set,
    request::Part(room, _): Part,
) -> Answer<Room> {
    let desk = Desk::new(&doors, &caller.identity, profile)?;
    Ok(Json(desk.read(&desk.find(&room).await?).await?))
}

async fn close(
    State(doors): Doorway,
    caller: Caller,
    Extension(profile): Set,
    request::Part(room, _): Part,
) -> Answer<Room> {
    let desk = Desk::new(&doors, &caller.identity, profile)?;
    let id = desk.find(&room).await?.state.id;
    Ok(Json(desk.close(id).await?))
}

async fn rooms(
    State(doors): Doorway,
    caller: Caller,
    Extension(profile): Set,
) -> Answer<Vec<Room>> {
    Ok(Json(Desk::new(&doors, &caller.identity, profile)?.rooms().await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assign {
    /// The caller, when nobody is named.
    support_agent_id: Option<String>,
}

async fn assign(
    State(doors): Doorway,
    caller: Caller,
    Extension(profile): Set,
    request::Part(room, _): Part,
    request::Said(Assign { support_agent_id }, _): Said<Assign>,
) -> Answer<Room> {
    let desk = Desk::new(&doors, &caller.identity, profile)?;
    desk.require_support()?;
    let id = desk.find(&room).await?.state.id;
    match support_agent_id {
        Some(agent) => desk.assign(id, &agent).await?,
        None => desk.take(id).await?,
    }
    Ok(Json(desk.shown_now(id).await?))
}
