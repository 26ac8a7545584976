//! The REST half of the dialect.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use switchboard_domain::person::{Principal, Role};

use super::Phase5;
use super::desk::{Desk, Named, Start};
use super::wire::{Availability, Workload};
use crate::edge::caller::require;
use crate::edge::dialect::request::{
    self, Asked, BODY_BYTES_MAX, Doorway, Part, Said, not_served, not_spoken,
};
use crate::edge::doors::Doors;

type Answer<T> = request::Answer<Phase5, T>;
type Refused = request::Refused<Phase5>;
type Caller = request::Caller<Phase5>;

/// The routes. What the second part will speak is refused in this dialect's own shape.
pub(super) fn router() -> Router<Arc<Doors>> {
    Router::new()
        .route("/api/agent-availability/my-status", get(my_status).put(set_my_status))
        .route("/api/agent-availability/my-max-chats", put(set_my_max_chats))
        .route("/api/agent-availability/my-skills", put(set_my_skills))
        .route("/api/live-chat/start", post(start))
        .route("/api/live-chat/agent/sessions", get(sessions))
        .route("/api/live-chat/agent/{agent}/workload", get(workload))
        .route("/api/live-chat/admin/agents-workload", get(workloads))
        .route("/api/live-chat/queue/stats", get(queue_stats))
        .route("/api/live-chat/{session}/assign", post(assign))
        .route("/api/live-chat/{session}/transfer", post(transfer))
        .route("/api/live-chat/{session}/messages", get(messages))
        .route("/api/live-chat/{session}/customer-context", get(customer_context))
        .route("/api/live-chat/{session}/convert-to-ticket", post(not_spoken::<Phase5>))
        .route("/api/chat-upload/upload", post(not_spoken::<Phase5>))
        // Pages load files without a token: the name is what opens them.
        .route("/uploads/chat/{filename}", get(not_served::<Phase5>))
        .route("/api/canned-responses", get(not_spoken::<Phase5>).post(not_spoken::<Phase5>))
        .route("/api/canned-responses/shortcut/{shortcut}", get(not_spoken::<Phase5>))
        .route("/api/canned-responses/{id}/use", post(not_spoken::<Phase5>))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

impl Caller {
    fn at<'a>(&'a self, doors: &'a Arc<Doors>) -> Desk<'a> {
        Desk { doors, identity: &self.identity }
    }
}

async fn my_status(State(doors): Doorway, caller: Caller) -> Answer<Availability> {
    Ok(Json(caller.at(&doors).availability().await?))
}

#[derive(Deserialize)]
struct SetStatus {
    availability_status: String,
}

async fn set_my_status(
    State(doors): Doorway,
    caller: Caller,
    Said(SetStatus { availability_status }, _): Said<Phase5, SetStatus>,
) -> Answer<Availability> {
    Ok(Json(caller.at(&doors).set_status(&availability_status).await?))
}

#[derive(Deserialize)]
struct SetMaxChats {
    max_concurrent_chats: usize,
}

async fn set_my_max_chats(
    State(doors): Doorway,
    caller: Caller,
    Said(SetMaxChats { max_concurrent_chats }, _): Said<Phase5, SetMaxChats>,
) -> Answer<Availability> {
    Ok(Json(caller.at(&doors).set_capacity(max_concurrent_chats).await?))
}

#[derive(Deserialize)]
struct SetSkills {
    skills: Vec<String>,
}

async fn set_my_skills(
    State(doors): Doorway,
    caller: Caller,
    Said(SetSkills { skills }, _): Said<Phase5, SetSkills>,
) -> Answer<Availability> {
    Ok(Json(caller.at(&doors).set_skills(skills).await?))
}

async fn start(
    State(doors): Doorway,
    caller: Caller,
    headers: HeaderMap,
    Said(start, _): Said<Phase5, Start>,
) -> Result<Response, Refused> {
    let desk = caller.at(&doors);
    let state = desk.start(start, &headers, caller.address).await?;
    if let Principal::Visitor(visitor) = caller.identity.caller.author.principal {
        // The starter's sockets hear the chat from its beginning.
        doors.auth.tell_visitor(&caller.identity.tenant, visitor, state.id);
    }
    let body = json!({
        "success": true,
        "session": desk.shown(&state).await?,
        "message": super::STARTED,
        "customer_context": desk.context(&state).await?,
    });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

#[derive(Deserialize)]
struct Which {
    status: Option<String>,
}

async fn sessions(
    State(doors): Doorway,
    caller: Caller,
    Asked(Which { status }, _): Asked<Phase5, Which>,
) -> Answer<Value> {
    let sessions = caller.at(&doors).sessions(status.as_deref()).await?;
    Ok(Json(json!({ "success": true, "sessions": sessions })))
}

async fn messages(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Phase5>,
) -> Answer<Value> {
    let desk = caller.at(&doors);
    let state = desk.find(&Named::Text(session)).await?;
    let messages = desk.messages(&state).await?;
    Ok(Json(json!({ "success": true, "messages": messages })))
}

async fn customer_context(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Phase5>,
) -> Answer<super::wire::CustomerContext> {
    require(&caller.identity, Role::Agent)?;
    let desk = caller.at(&doors);
    let state = desk.find(&Named::Text(session)).await?;
    Ok(Json(desk.context(&state).await?))
}

#[derive(Deserialize)]
struct Assign {
    agent_id: Named,
}

async fn assign(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Phase5>,
    Said(Assign { agent_id }, _): Said<Phase5, Assign>,
) -> Answer<Value> {
    let desk = caller.at(&doors);
    require(&caller.identity, Role::Admin)?;
    let state = desk.find(&Named::Text(session)).await?;
    let state = desk.assign(state.id, &agent_id).await?;
    Ok(Json(done("Chat assigned", &desk.shown(&state).await?)))
}

#[derive(Deserialize)]
struct Transfer {
    target_agent_id: Named,
    reason: Option<String>,
}

async fn transfer(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Phase5>,
    Said(Transfer { target_agent_id, reason }, _): Said<Phase5, Transfer>,
) -> Answer<Value> {
    let desk = caller.at(&doors);
    require(&caller.identity, Role::Agent)?;
    let state = desk.find(&Named::Text(session)).await?;
    let state = desk.transfer(state.id, &target_agent_id, reason).await?;
    Ok(Json(done("Chat transferred", &desk.shown(&state).await?)))
}

fn done(message: &str, session: &super::wire::Session) -> Value {
    json!({ "success": true, "message": message, "session": session })
}

async fn queue_stats(State(doors): Doorway, caller: Caller) -> Answer<super::wire::QueueStats> {
    Ok(Json(caller.at(&doors).queue_stats().await?))
}

async fn workload(
    State(doors): Doorway,
    caller: Caller,
    Part(agent, _): Part<Phase5>,
) -> Answer<Workload> {
    let agent = agent.parse().map_or(Named::Text(agent), Named::Number);
    Ok(Json(caller.at(&doors).workload(&agent).await?))
}

async fn workloads(State(doors): Doorway, caller: Caller) -> Answer<Value> {
    let agents = caller.at(&doors).workloads().await?;
    Ok(Json(json!({ "success": true, "agents": agents })))
}
