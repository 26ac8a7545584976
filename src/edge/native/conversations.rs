//! Conversations over HTTP: find, change. How they begin is in [`begin`] and
//! [`outbound`].

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_actors::{Done, Refusal};
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::conversation::{Rejection, Status};
use switchboard_domain::ids::{ConversationId, DepartmentId, Seq, Timestamp, VisitorId};
use switchboard_domain::permission::Subject;
use switchboard_domain::person::{Principal, Role, Side};
use switchboard_store::{ConversationKey, List, ListScope};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{self, sees};
use super::commands;
use super::extract::{Caller, Conversation, Json, Query};
use super::wire::card::{Card, statuses_named};
use super::wire::incoming::{Args, LIMIT_MAX};
use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};
use crate::edge::search;

pub mod begin;
pub mod outbound;
pub mod context;
mod waiting;

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConversationPage)]
pub struct Page<'a> {
    /// Newest activity first, or as the queue serves them.
    items: Vec<Card<'a>>,
    /// For the next page; absent on the last.
    next: Option<String>,
}

/// Which conversations a page holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    department: Option<String>,
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    visitor: Option<Uuid>,
    #[serde(default)]
    q: Option<String>,
    #[serde(default)]
    sort: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// `GET /v1/conversations/{id}`
///
/// # Errors
///
/// [`Problem`].
pub async fn get(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
) -> Result<Response, Problem> {
    card_of(&doors, &identity, &doors.key(&identity.tenant, id)).await
}

/// The card of a conversation as the caller sees it.
///
/// # Errors
///
/// [`Problem`].
pub async fn card_of(
    doors: &Doors,
    identity: &Identity,
    key: &ConversationKey,
) -> Result<Response, Problem> {
    let view = doors.conversations.state(key, &identity.caller).await?;
    let card = DomainCard::of(&view.state);
    let side = identity.caller.author.principal.side();
    let faces = doors.directory.faces(&identity.tenant);
    Ok(axum::Json(Card::new(&card, side, &view.own).with_face(&faces)).into_response())
}

/// `GET /v1/conversations`: a visitor's own, or those that an agent sees.
///
/// # Errors
///
/// [`Problem`].
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let limit = filter.limit.unwrap_or(50).clamp(1, LIMIT_MAX);
    if let Some(text) = filter.q.as_deref() {
        return found(&doors, &identity, &filter, text, limit).await;
    }
    match filter.sort.as_deref() {
        None | Some("recent") => {}
        Some("waiting") => return waiting::waiting(&doors, &identity, &filter, limit).await,
        Some(_) => return Err(Problem::with(Code::Invalid, "there is no such order")),
    }
    let statuses = statuses_of(filter.status.as_deref())?;
    let principal = identity.caller.author.principal;
    let (scope, after) = match principal {
        Principal::Visitor(visitor) => {
            // Activity moves with internal events too: visitors get no place in that order (P13).
            let Filter { cursor, department, agent, visitor: whose, .. } = &filter;
            if cursor.is_some() || department.is_some() || agent.is_some() || whose.is_some() {
                return Err(Problem::with(Code::BadRequest, "visitors filter by status alone"));
            }
            (ListScope::Visitor(visitor), None)
        }
        Principal::Agent(_) | Principal::Bot(_) | Principal::System => (
            scope_of(&doors, &identity, &filter).await?,
            filter.cursor.as_deref().map(cursor_from).transpose()?,
        ),
    };
    let is_visitor = matches!(scope, ListScope::Visitor(_));
    let asked = if is_visitor { LIMIT_MAX } else { limit };
    let mut found = doors
        .store
        .list(List {
            tenant: identity.tenant.clone(),
            statuses,
            department: filter.department.map(|id| DepartmentId(id.into())),
            scope,
            after,
            limit: asked,
        })
        .await?;
    let next = match found.last() {
        Some(last) if found.len() == asked && !is_visitor => Some(cursor(last.last_at, last.id)),
        Some(_) | None => None,
    };
    if is_visitor {
        found.sort_by_key(|state| std::cmp::Reverse(state.last_public_at));
        found.truncate(limit);
    }
    found.retain(|state| sees(&doors, &identity, Subject::of(state)));
    let mut cards = Vec::with_capacity(found.len());
    for state in &found {
        let key = doors.key(&identity.tenant, state.id);
        let receipts = doors.store.receipts(&key).await?;
        let own = receipts.into_iter().find(|(whose, _)| *whose == principal);
        cards.push((DomainCard::of(state), own.map(|(_, receipt)| receipt).unwrap_or_default()));
    }
    let faces = doors.directory.faces(&identity.tenant);
    let side = principal.side();
    let shown = cards.iter().map(|(card, own)| Card::new(card, side, own).with_face(&faces));
    let items = shown.collect();
    Ok(axum::Json(Page { items, next }).into_response())
}

/// What the search box finds.
async fn found(
    doors: &Doors,
    identity: &Identity,
    filter: &Filter,
    text: &str,
    limit: usize,
) -> Result<Response, Problem> {
    caller::require(identity, Role::Agent)?;
    let Filter { status, department, agent, visitor, sort, cursor, .. } = filter;
    let others = [status, department, agent, sort, cursor];
    if others.iter().any(|other| other.is_some()) || visitor.is_some() {
        return Err(Problem::with(Code::BadRequest, "`q` goes with `limit` alone"));
    }
    let found = search::search(doors, identity, text, limit).await?;
    answer(doors, identity, &found, None).await
}

/// A page of cards as an agent sees them.
async fn answer(
    doors: &Doors,
    identity: &Identity,
    cards: &[Arc<DomainCard>],
    next: Option<String>,
) -> Result<Response, Problem> {
    let mut own = Vec::with_capacity(cards.len());
    for card in cards {
        let receipts = doors.store.receipts(&doors.key(&identity.tenant, card.id)).await?;
        let mine = receipts.into_iter().find(|(who, _)| *who == identity.caller.author.principal);
        own.push(mine.map(|(_, receipt)| receipt).unwrap_or_default());
    }
    let faces = doors.directory.faces(&identity.tenant);
    let shown = cards.iter().zip(&own);
    let items = shown.map(|(card, own)| Card::new(card, Side::Agent, own).with_face(&faces));
    Ok(axum::Json(Page { items: items.collect(), next }).into_response())
}

fn statuses_of(name: Option<&str>) -> Result<Vec<Status>, Problem> {
    match name {
        None => Ok(Vec::new()),
        Some(name) => statuses_named(name)
            .ok_or_else(|| Problem::with(Code::Invalid, "there is no such status")),
    }
}

async fn scope_of(
    doors: &Doors,
    identity: &Identity,
    filter: &Filter,
) -> Result<ListScope, Problem> {
    if let Some(visitor) = filter.visitor {
        if filter.agent.is_some() || filter.cursor.is_some() {
            let words = "`visitor` goes with neither `agent` nor `cursor`";
            return Err(Problem::with(Code::BadRequest, words));
        }
        return Ok(ListScope::Visitor(VisitorId::new(visitor)));
    }
    Ok(match filter.agent.as_deref() {
        None => ListScope::All,
        Some("none") => ListScope::Unassigned,
        Some("me") => ListScope::Agent(caller::agent(identity)?.id),
        Some(name) => ListScope::Agent(commands::agent(doors, identity, name).await?.id),
    })
}

fn cursor(at: Timestamp, id: ConversationId) -> String {
    format!("{:x}.{}", at.0, id.uuid().simple())
}

fn cursor_from(text: &str) -> Result<(Timestamp, ConversationId), Problem> {
    let parsed = text.split_once('.').and_then(|(at, id)| {
        let at = i64::from_str_radix(at, 16).ok()?;
        Some((Timestamp(at), ConversationId::new(Uuid::try_parse(id).ok()?)))
    });
    parsed.ok_or_else(|| Problem::with(Code::BadRequest, "`cursor` is none of ours"))
}

/// What can be changed about a conversation by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConversationChange)]
pub struct Change {
    #[serde(default)]
    priority: Option<String>,
    /// Empty for none.
    #[serde(default)]
    department: Option<String>,
    /// All tags from now on.
    #[serde(default)]
    tags: Option<Vec<String>>,
}

/// `PATCH /v1/conversations/{id}`
///
/// # Errors
///
/// [`Problem`]; what came before it in the order priority, department, tags is done.
pub async fn change(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    Json { value: change, .. }: Json<Change>,
) -> Result<Response, Problem> {
    let key = doors.key(&identity.tenant, id);
    let steps = [
        (
            "priority",
            change.priority.map(|priority| Args { priority: Some(priority), ..Args::default() }),
        ),
        (
            "department",
            change
                .department
                .map(|department| Args { department: Some(department), ..Args::default() }),
        ),
        ("tag", change.tags.map(|tags| Args { tags: Some(tags), ..Args::default() })),
    ];
    // All are understood before the first is done.
    let mut wanted = Vec::new();
    for (action, args) in steps {
        if let Some(args) = args {
            wanted.push(commands::action(&doors, &identity, &key, action, args).await?);
        }
    }
    for command in wanted {
        commands::ask(&doors, &identity, &key, None, command).await?;
    }
    card_of(&doors, &identity, &key).await
}

/// A position in the public stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Position {
    seq: u64,
}

/// `POST /v1/conversations/{id}/read`
///
/// # Errors
///
/// [`Problem`].
pub async fn read(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    Json { value: Position { seq }, .. }: Json<Position>,
) -> Result<StatusCode, Problem> {
    let key = doors.key(&identity.tenant, id);
    doors.conversations.state(&key, &identity.caller).await?;
    doors.conversations.receipt(&key, &identity.caller, None, Some(Seq(seq)));
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/conversations/{id}/received`
///
/// # Errors
///
/// [`Problem`].
pub async fn received(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    Json { value: Position { seq }, .. }: Json<Position>,
) -> Result<StatusCode, Problem> {
    let key = doors.key(&identity.tenant, id);
    doors.conversations.state(&key, &identity.caller).await?;
    doors.conversations.receipt(&key, &identity.caller, Some(Seq(seq)), None);
    Ok(StatusCode::NO_CONTENT)
}

/// What an action without arguments may carry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Carries an action out, at most once per `Idempotency-Key`, and answers the card after it.
///
/// # Errors
///
/// [`Problem`].
pub async fn act(
    doors: &Arc<Doors>,
    identity: &Identity,
    id: ConversationId,
    headers: &HeaderMap,
    action: &str,
    args: Args,
) -> Result<Response, Problem> {
    let key = doors.key(&identity.tenant, id);
    let done = act_once(doors, identity, &key, headers, action, args).await?;
    // The state is that of the command's own moment; only the unread count needs a receipt.
    let own = doors.conversations.state(&key, &identity.caller).await.map(|view| view.own);
    let card = DomainCard::of(&done.state);
    let side = identity.caller.author.principal.side();
    let (own, faces) = (own.unwrap_or_default(), doors.directory.faces(&identity.tenant));
    Ok(axum::Json(Card::new(&card, side, &own).with_face(&faces)).into_response())
}

/// The same, answering what was done.
///
/// # Errors
///
/// [`Problem`].
pub async fn act_once(
    doors: &Arc<Doors>,
    identity: &Identity,
    key: &ConversationKey,
    headers: &HeaderMap,
    action: &str,
    args: Args,
) -> Result<Done, Problem> {
    let once = super::extract::idempotency_key(headers)?.map(|idempotency_key| {
        let content = format!("{action} {args:?}");
        commands::one_shot(action, idempotency_key, content.as_bytes())
    });
    let command = commands::action(doors, identity, key, action, args).await?;
    commands::ask(doors, identity, key, once, command).await.map_err(key_reused)
}

/// Over HTTP a key used for other content has its own code.
pub fn key_reused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Rejected(Rejection::Conflict) => Code::KeyReused.into(),
        refusal => refusal.into(),
    }
}
