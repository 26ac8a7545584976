//! The REST half of the dialect.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use switchboard_actors::delivery::Delivery;
use switchboard_domain::person::{Principal, Role};

use super::desk::{Desk, Named, Start};
use super::refused;
use super::wire::{Availability, Workload};
use crate::auth::Identity;
use crate::edge::caller::require;
use crate::edge::dialect::caller::of_request;
use crate::edge::dialect::cors::Origins;
use crate::edge::doors::Doors;
use crate::edge::listener::Peer;
use crate::edge::problem::{Code, Problem};

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 128 * 1024;

type Doorway = State<Arc<Doors>>;

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
        .route("/api/live-chat/{session}/convert-to-ticket", post(not_spoken))
        .route("/api/chat-upload/upload", post(not_spoken))
        .route("/api/canned-responses", get(not_spoken).post(not_spoken))
        .route("/api/canned-responses/shortcut/{shortcut}", get(not_spoken))
        .route("/api/canned-responses/{id}/use", post(not_spoken))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// A problem that is told in this dialect.
#[derive(Debug)]
struct Refused(Problem);

impl<E: Into<Problem>> From<E> for Refused {
    fn from(problem: E) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refused(&self.0)
    }
}

type Answer<T> = Result<Json<T>, Refused>;

/// Who asks, and from where.
struct Caller {
    identity: Arc<Identity>,
    address: IpAddr,
}

impl Caller {
    fn at<'a>(&'a self, doors: &'a Arc<Doors>) -> Desk<'a> {
        Desk { doors, identity: &self.identity }
    }
}

impl FromRequestParts<Arc<Doors>> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Refused> {
        let missing = |_| Problem::new(Code::Internal);
        let Extension(peer) =
            Extension::<Peer>::from_request_parts(parts, doors).await.map_err(missing)?;
        let Extension(origins) =
            Extension::<Arc<Origins>>::from_request_parts(parts, doors).await.map_err(missing)?;
        let identity = of_request(doors, &parts.method, &parts.headers, peer.address).await?;
        origins.check(&identity.tenant, &parts.headers)?;
        Ok(Self { identity, address: peer.address })
    }
}

/// The part of a path that names something.
struct Part(String);

impl FromRequestParts<Arc<Doors>> for Part {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Refused> {
        let Path(part) = Path::<String>::from_request_parts(parts, doors)
            .await
            .map_err(|_not_text| Problem::new(Code::NotFound))?;
        Ok(Self(part))
    }
}

/// A JSON body; fields that nothing reads are passed over, because other clients may say more.
struct Said<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<Doors>> for Said<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, doors: &Arc<Doors>) -> Result<Self, Refused> {
        let media = request.headers().get(header::CONTENT_TYPE);
        let media = media.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let is_json = media.eq_ignore_ascii_case("application/json");
        let bytes = Bytes::from_request(request, doors).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(Code::TooLarge)
            } else {
                Problem::with(Code::BadRequest, rejection.body_text())
            }
        })?;
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        if !is_json && &*bytes != b"{}" {
            return Err(Code::UnsupportedMediaType.into());
        }
        let said = serde_json::from_slice(&bytes);
        Ok(Self(said.map_err(|error| Problem::with(Code::BadRequest, error.to_string()))?))
    }
}

/// What is refused until the second part.
async fn not_spoken(_: Caller) -> Response {
    let words = "this part of the API is not served yet";
    (StatusCode::NOT_IMPLEMENTED, Json(json!({ "success": false, "message": words })))
        .into_response()
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
    Said(SetStatus { availability_status }): Said<SetStatus>,
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
    Said(SetMaxChats { max_concurrent_chats }): Said<SetMaxChats>,
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
    Said(SetSkills { skills }): Said<SetSkills>,
) -> Answer<Availability> {
    Ok(Json(caller.at(&doors).set_skills(skills).await?))
}

async fn start(
    State(doors): Doorway,
    caller: Caller,
    headers: HeaderMap,
    Said(start): Said<Start>,
) -> Result<Response, Refused> {
    let desk = caller.at(&doors);
    let state = desk.start(start, &headers, caller.address).await?;
    if let Principal::Visitor(visitor) = caller.identity.caller.author.principal {
        // The starter's sockets hear the chat from its beginning.
        let begun = Delivery::Conversation(state.id);
        doors.connections.tell_visitor(&caller.identity.tenant, visitor, &begun);
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
    query: Result<Query<Which>, QueryRejection>,
) -> Answer<Value> {
    let Query(Which { status }) =
        query.map_err(|rejection| Problem::with(Code::BadRequest, rejection.body_text()))?;
    let sessions = caller.at(&doors).sessions(status.as_deref()).await?;
    Ok(Json(json!({ "success": true, "sessions": sessions })))
}

async fn messages(State(doors): Doorway, caller: Caller, Part(session): Part) -> Answer<Value> {
    let desk = caller.at(&doors);
    let state = desk.find(&Named::Text(session)).await?;
    let messages = desk.messages(&state).await?;
    Ok(Json(json!({ "success": true, "messages": messages })))
}

async fn customer_context(
    State(doors): Doorway,
    caller: Caller,
    Part(session): Part,
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
    Part(session): Part,
    Said(Assign { agent_id }): Said<Assign>,
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
    Part(session): Part,
    Said(Transfer { target_agent_id, reason }): Said<Transfer>,
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

async fn workload(State(doors): Doorway, caller: Caller, Part(agent): Part) -> Answer<Workload> {
    let agent = agent.parse().map_or(Named::Text(agent), Named::Number);
    Ok(Json(caller.at(&doors).workload(&agent).await?))
}

async fn workloads(State(doors): Doorway, caller: Caller) -> Answer<Value> {
    let agents = caller.at(&doors).workloads().await?;
    Ok(Json(json!({ "success": true, "agents": agents })))
}
