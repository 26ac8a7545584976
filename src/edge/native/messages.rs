//! Messages over HTTP, for those without WebSocket.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use switchboard_actors::answer::History;
use switchboard_actors::delivery::Delivery;
use switchboard_actors::{Published, subscriber};
use switchboard_domain::conversation::{SendKey, Stream};
use switchboard_domain::ids::{DeviceId, Seq};
use switchboard_domain::person::Side;
use switchboard_store::{ConversationKey, Range};
use tokio::time::{Duration, timeout};
use utoipa::ToSchema;
use uuid::Uuid;

use super::commands;
use super::conversations::{act_once, key_reused};
use super::extract::{Caller, Conversation, Json, Query, idempotency_key};
use super::wire::incoming::{Args, LIMIT_MAX, MessageBody, SendKind, StreamName};
use super::wire::{Codec, event};
use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// The longest wait of a long poll, in seconds: less than proxies usually allow.
const WAIT_SECONDS_MAX: u64 = 25;

/// Which events a page holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default)]
    stream: StreamName,
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
    /// Seconds to wait for something new.
    #[serde(default)]
    wait: Option<u64>,
}

/// `GET /v1/conversations/{id}/messages`: a page of events, or a long poll.
///
/// # Errors
///
/// [`Problem`].
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let key = doors.key(&identity.tenant, id);
    let stream = Stream::from(which.stream);
    let range = match (which.after, which.before) {
        (Some(_), Some(_)) => {
            return Err(Problem::with(Code::BadRequest, "give `after` or `before`, not both"));
        }
        (None, Some(before)) => Range::Before(Seq(before)),
        (after, None) => Range::After(Seq(after.unwrap_or(0))),
    };
    let limit = which.limit.unwrap_or(50).clamp(1, LIMIT_MAX);
    let read = || doors.conversations.history(&key, &identity.caller, stream, range, limit);
    let mut history = read().await?;
    let wait = which.wait.unwrap_or(0).min(WAIT_SECONDS_MAX);
    if let (Range::After(after), true, 1..) = (range, history.events.is_empty(), wait) {
        let waited = wait_for(&doors, &identity, &key, stream, after);
        // Nothing in time is an empty page.
        let _in_time = timeout(Duration::from_secs(wait), Box::pin(waited)).await;
        history = read().await?;
    }
    Ok(page(&history, &identity))
}

/// Waits until the stream has something after a position.
async fn wait_for(
    doors: &Doors,
    identity: &Identity,
    key: &ConversationKey,
    stream: Stream,
    after: Seq,
) -> Result<(), Problem> {
    let (outlet, mut deliveries) = subscriber::queue();
    doors.conversations.subscribe(key, &identity.caller, stream, 0, &outlet).await?;
    // What came between the first read and the subscription shows in its head.
    while let Ok(delivery) = deliveries.next().await {
        let newest = match delivery {
            Delivery::Subscribed { subscribed, .. } => subscribed.head,
            Delivery::Event(published) => published.event.seq,
            Delivery::Unsubscribed { .. } | Delivery::Revoked | Delivery::Drain { .. } => break,
            Delivery::Receipt { .. }
            | Delivery::Typing { .. }
            | Delivery::View(_)
            | Delivery::Presence { .. }
            | Delivery::AnybodyOnline(_)
            | Delivery::Conversation(_)
            | Delivery::Page { .. }
            | Delivery::Viewing { .. }
            | Delivery::Company(_)
            | Delivery::Preferences { .. }
            | Delivery::Drafts { .. }
            | Delivery::QueuePosition { .. }
            | Delivery::Door(_) => continue,
        };
        if newest > after {
            break;
        }
    }
    doors.conversations.unsubscribe(key, stream, outlet.id());
    Ok(())
}

/// `{"items":[…],"more":…,"head":…}` of events that are encoded already.
fn page(history: &History, identity: &Identity) -> Response {
    let reader = identity.caller.author.principal;
    let visible = |published: &&Arc<Published>| {
        published.event.stream == Stream::Public || reader.side() == Side::Agent
    };
    let mut bytes = b"{\"items\":[".to_vec();
    for (idx, published) in history.events.iter().filter(visible).enumerate() {
        if idx > 0 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(&event::encoded(published, Codec::Json, reader));
    }
    let end = format!("],\"more\":{},\"head\":{}}}", history.more, history.head);
    bytes.extend_from_slice(end.as_bytes());
    json(StatusCode::OK, bytes)
}

fn json(status: StatusCode, bytes: impl Into<axum::body::Body>) -> Response {
    let mut response = (status, bytes.into()).into_response();
    let value = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

fn stored(published: &Published, identity: &Identity) -> Response {
    let reader = identity.caller.author.principal;
    json(StatusCode::CREATED, event::encoded(published, Codec::Json, reader))
}

/// A message to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessage)]
pub struct Write {
    text: String,
    /// Ids of files.
    #[serde(default)]
    files: Vec<String>,
    /// The newest public message by somebody else that the writer has seen.
    #[serde(default)]
    if_head: Option<u64>,
    /// An outbox of the client's own, instead of an `Idempotency-Key`.
    #[serde(default)]
    device: Option<Uuid>,
    /// The number within it.
    #[serde(default)]
    n: Option<u64>,
}

/// `POST /v1/conversations/{id}/messages`
///
/// # Errors
///
/// [`Problem`].
pub async fn send(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    headers: HeaderMap,
    Json { value: write, .. }: Json<Write>,
) -> Result<Response, Problem> {
    let key = doors.key(&identity.tenant, id);
    let body = MessageBody { text: write.text, files: write.files };
    let (command, digest) = commands::send(SendKind::Message, body, write.if_head.map(Seq));
    let send_key = match (write.device, write.n, idempotency_key(&headers)?) {
        (Some(device), Some(n), None) => Some(SendKey { device: DeviceId::new(device), n, digest }),
        (None, None, Some(once)) => {
            Some(SendKey { digest, ..commands::one_shot("send", once, &[]) })
        }
        (None, None, None) => None,
        (Some(_), Some(_), Some(_)) => {
            return Err(Problem::with(
                Code::BadRequest,
                "give an Idempotency-Key or `device` and `n`, not both",
            ));
        }
        (Some(_), None, _) | (None, Some(_), _) => {
            return Err(Problem::with(Code::BadRequest, "`device` and `n` go together"));
        }
    };
    let by_header = write.device.is_none();
    let done = commands::ask(&doors, &identity, &key, send_key, command)
        .await
        .map_err(|refusal| if by_header { key_reused(refusal) } else { refusal.into() })?;
    match done.events.first() {
        Some(published) => Ok(stored(published, &identity)),
        None => Err(Code::UnknownOutcome.into()),
    }
}

/// A note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewNote)]
pub struct Note {
    text: String,
}

/// `POST /v1/conversations/{id}/notes`
///
/// # Errors
///
/// [`Problem`].
pub async fn note(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    headers: HeaderMap,
    Json { value: Note { text }, .. }: Json<Note>,
) -> Result<Response, Problem> {
    let key = doors.key(&identity.tenant, id);
    let args = Args { text: Some(text), ..Args::default() };
    let done = act_once(&doors, &identity, &key, &headers, "note", args).await?;
    match done.events.first() {
        Some(published) => Ok(stored(published, &identity)),
        None => Err(Code::UnknownOutcome.into()),
    }
}

/// Another text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageEdit)]
pub struct Edit {
    text: String,
}

/// Which stream a message is in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct In {
    #[serde(default)]
    stream: StreamName,
}

/// `PATCH /v1/conversations/{id}/messages/{seq}`
///
/// # Errors
///
/// [`Problem`].
pub async fn edit(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    Path((_, seq)): Path<(String, String)>,
    Query(In { stream }): Query<In>,
    headers: HeaderMap,
    Json { value: Edit { text }, .. }: Json<Edit>,
) -> Result<Response, Problem> {
    let args = Args {
        stream: Some(stream),
        seq: Some(position(&seq)?),
        text: Some(text),
        ..Args::default()
    };
    changed(&doors, &identity, id, &headers, ("edit", args)).await
}

/// `DELETE /v1/conversations/{id}/messages/{seq}`
///
/// # Errors
///
/// [`Problem`].
pub async fn redact(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    Path((_, seq)): Path<(String, String)>,
    Query(In { stream }): Query<In>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let args = Args { stream: Some(stream), seq: Some(position(&seq)?), ..Args::default() };
    changed(&doors, &identity, id, &headers, ("redact", args)).await
}

async fn changed(
    doors: &Arc<Doors>,
    identity: &Identity,
    id: switchboard_domain::ids::ConversationId,
    headers: &HeaderMap,
    (action, args): (&str, Args),
) -> Result<Response, Problem> {
    let key = doors.key(&identity.tenant, id);
    let done = act_once(doors, identity, &key, headers, action, args).await?;
    let reader = identity.caller.author.principal;
    match done.events.first() {
        Some(published) => Ok(json(StatusCode::OK, event::encoded(published, Codec::Json, reader))),
        // Redacted before: as it was asked for.
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

fn position(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_no_number| Code::NotFound.into())
}
