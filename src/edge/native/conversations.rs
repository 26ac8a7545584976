//! Conversations over HTTP: begin, find, change.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_actors::{Done, Refusal};
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::conversation::{
    Command, Contact as DomainContact, Created, Priority, Rejection, Request, Status,
};
use switchboard_domain::ids::{ConversationId, DepartmentId, LogId, Seq, TenantId, Timestamp};
use switchboard_domain::person::{Author, Caller as DomainCaller, Principal, Role, Side};
use switchboard_domain::{permission, receipt::Receipt};
use switchboard_store::{ConversationKey, List, ListScope};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller;
use super::commands;
use super::extract::{Address, Caller, Conversation, Json, MaybeCaller, Query};
use super::idempotency::{Answer, Repeatable, Try, once};
use super::wire::card::{Card, statuses_named};
use super::wire::event::priority_named;
use super::wire::incoming::{Args, LIMIT_MAX};
use crate::auth::Identity;
use crate::directory::Contact;
use crate::directory::widget::Address as WidgetAddress;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// The beginning of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConversation)]
pub struct Begin {
    /// The widget it comes through.
    widget: String,
    #[serde(default)]
    department: Option<String>,
    /// What it is about.
    #[serde(default)]
    subject: Option<String>,
    /// `low`, `medium` (default), `high` or `urgent`.
    #[serde(default)]
    priority: Option<String>,
    /// Skills an agent needs for it.
    #[serde(default)]
    skills: Vec<String>,
    #[serde(default)]
    contact: Option<BeginContact>,
    /// Page, referrer, title, locale and the like, at most 4 KiB.
    #[serde(default)]
    context: BTreeMap<String, String>,
    /// Answers to pre-chat fields, at most 4 KiB.
    #[serde(default)]
    fields: BTreeMap<String, String>,
    /// The first message.
    #[serde(default)]
    message: Option<BeginMessage>,
}

/// How to reach the visitor.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewContact)]
pub struct BeginContact {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
}

/// A first message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FirstMessage)]
pub struct BeginMessage {
    text: String,
}

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConversationPage)]
pub struct Page<'a> {
    /// Newest activity first.
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
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// `POST /v1/conversations`: open to strangers, who become visitors by it.
///
/// # Errors
///
/// [`Problem`].
pub async fn begin(
    State(doors): State<Arc<Doors>>,
    Address(address): Address,
    MaybeCaller(identity): MaybeCaller,
    headers: HeaderMap,
    Json { value: begin, digest }: Json<Begin>,
) -> Result<Response, Problem> {
    let widget = WidgetAddress::parse(&begin.widget).ok_or(Code::NotFound)?;
    if identity.as_ref().is_some_and(|identity| identity.tenant != widget.tenant) {
        return Err(Code::NotFound.into());
    }
    if identity.is_none() {
        doors.charge(&doors.budgets.creates, address)?;
    }
    let request = Repeatable {
        tenant: widget.tenant.clone(),
        principal: identity.as_ref().map(|identity| identity.caller.author.principal),
        route: "POST /v1/conversations".to_owned(),
        digest,
    };
    let key = super::extract::idempotency_key(&headers)?.unwrap_or_default().to_owned();
    let answer = once(&doors, &headers, request, |this_try| {
        Box::pin(begin_once(&doors, identity.as_deref(), widget, begin, this_try, &key))
    })
    .await?;
    Ok(answer.map_body(|body| unseal(body, &key)).into_response())
}

async fn begin_once(
    doors: &Arc<Doors>,
    identity: Option<&Identity>,
    address: WidgetAddress,
    begin: Begin,
    this_try: Try,
    key: &str,
) -> Result<Answer, Problem> {
    let tenant = &address.tenant;
    let widget = doors.directory.widget(tenant, &address.widget).await?.ok_or(Code::NotFound)?;
    let settings = &widget.value.settings;
    let priority = match begin.priority.as_deref() {
        None => Priority::Medium,
        Some(name) => priority_named(name)
            .ok_or_else(|| Problem::with(Code::Invalid, "there is no such priority"))?,
    };
    let department = match begin.department {
        None => None,
        Some(id) => Some(known_department(doors, tenant, id).await?),
    };
    let said = begin.contact.unwrap_or_default();
    let contact = Contact::new(said.name.as_deref(), said.email.as_deref(), said.phone.as_deref())?;
    let (caller, contact, secret) = match identity {
        Some(identity) => known_visitor(doors, identity, contact).await?,
        None => new_visitor(doors, tenant, contact).await?,
    };
    let Principal::Visitor(visitor) = caller.author.principal else {
        return Err(Problem::with(Code::Forbidden, "conversations are begun by visitors"));
    };
    let created = Created {
        log: LogId::new(doors.clock.fresh_id()),
        number: doors.directory.take_number(tenant).await?,
        visitor: DomainContact {
            id: visitor,
            name: contact.name,
            email: contact.email,
            phone: contact.phone,
        },
        widget: Some(address.widget.clone()),
        subject: begin.subject.map(Arc::from),
        department,
        priority,
        skills: begin.skills.into_iter().map(Arc::from).collect(),
        context: pairs(begin.context),
        fields: pairs(begin.fields),
    };
    let command = Command::Create {
        created: Box::new(created),
        welcome: settings.welcome.as_deref().filter(|text| !text.trim().is_empty()).map(Arc::from),
        message: begin.message.map(|message| message.text.into()),
        offline: !doors.presence.anybody_online(tenant),
    };
    // A repeated request of a known visitor is the same conversation, whatever happened to the
    // first. A stranger's first try left no secret with anybody: it begins anew.
    let id = if this_try.resumed && identity.is_none() {
        doors.clock.fresh_id()
    } else {
        this_try.operation
    };
    let conversation = doors.key(tenant, ConversationId::new(id));
    let request = Request { caller: caller.clone(), key: None, command };
    let state = match doors.conversations.ask(&conversation, request).await {
        Ok(Done { state, .. }) => state,
        Err(Refusal::Rejected(Rejection::Exists)) if this_try.resumed => {
            doors.conversations.state(&conversation, &caller).await?.state
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let card = DomainCard::of(&state);
    let mut answer =
        Answer::new(StatusCode::CREATED, &Card::new(&card, Side::Visitor, &Receipt::default()));
    if let Some(secret) = secret {
        answer = answer.map_body(|mut body| {
            body["visitor"]["secret"] = serde_json::Value::String(seal(&secret, key));
            body
        });
    }
    Ok(answer)
}

type Visitor = (DomainCaller, Contact, Option<String>);

async fn known_visitor(
    doors: &Doors,
    identity: &Identity,
    said: Contact,
) -> Result<Visitor, Problem> {
    let Principal::Visitor(id) = identity.caller.author.principal else {
        return Err(Problem::with(Code::Forbidden, "conversations are begun by visitors"));
    };
    if identity.person.is_none() && said != Contact::default() {
        doors.directory.update_contact(&identity.tenant, id, &said).await?;
    }
    let kept = doors.directory.contact(&identity.tenant, id).await?.unwrap_or_default();
    let contact = Contact {
        name: said.name.or(kept.name),
        email: said.email.or(kept.email),
        phone: said.phone.or(kept.phone),
    };
    Ok((identity.caller.clone(), contact, None))
}

async fn new_visitor(
    doors: &Doors,
    tenant: &TenantId,
    contact: Contact,
) -> Result<Visitor, Problem> {
    let (visitor, token) = doors.directory.create_visitor(tenant, contact).await?;
    let author = Author {
        principal: Principal::Visitor(visitor.value.id),
        name: visitor.value.contact.name.clone(),
    };
    let caller = DomainCaller { author, role: Role::Visitor };
    Ok((caller, visitor.value.contact.clone(), Some(token.reveal())))
}

async fn known_department(
    doors: &Doors,
    tenant: &TenantId,
    id: String,
) -> Result<DepartmentId, Problem> {
    let id = DepartmentId(id.into());
    match doors.directory.department(tenant, &id).await? {
        Some(_) => Ok(id),
        None => Err(Problem::with(Code::Invalid, "there is no such department")),
    }
}

fn pairs(map: BTreeMap<String, String>) -> Vec<(Arc<str>, Arc<str>)> {
    map.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// A visitor's secret as it may be kept with the answer to a repeatable request: combined with a
/// stream made from the key, which is not kept. Without a key it is not kept at all.
fn seal(secret: &str, key: &str) -> String {
    if key.is_empty() {
        return secret.to_owned();
    }
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(combined(secret.as_bytes(), key))
}

fn unseal(mut body: serde_json::Value, key: &str) -> serde_json::Value {
    use base64::Engine;
    if let Some(sealed) = body["visitor"]["secret"].as_str()
        && !key.is_empty()
        && let Ok(bytes) = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(sealed)
        && let Ok(secret) = String::from_utf8(combined(&bytes, key))
    {
        body["visitor"]["secret"] = serde_json::Value::String(secret);
    }
    body
}

fn combined(bytes: &[u8], key: &str) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let blocks = (0u32..).flat_map(|block| {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(b"visitor secret")
            .chain_update(block.to_le_bytes())
            .chain_update(key)
            .finalize()
            .into();
        digest
    });
    bytes.iter().zip(blocks).map(|(byte, mask)| byte ^ mask).collect()
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
    Ok(axum::Json(Card::new(&card, side, &view.own)).into_response())
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
    let statuses = statuses_of(filter.status.as_deref())?;
    let principal = identity.caller.author.principal;
    let (scope, after) = match principal {
        Principal::Visitor(visitor) => {
            // Activity moves with internal events too: visitors get no place in that order (P13).
            if filter.cursor.is_some() || filter.department.is_some() || filter.agent.is_some() {
                return Err(Problem::with(Code::BadRequest, "visitors filter by status alone"));
            }
            (ListScope::Visitor(visitor), None)
        }
        Principal::Agent(_) | Principal::Bot(_) | Principal::System => (
            scope_of(&doors, &identity, filter.agent.as_deref()).await?,
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
    found.retain(|state| {
        let subject = permission::Subject::of(state);
        let departments = caller::departments(&identity);
        permission::sees(&identity.caller, doors.agents_see, departments, subject)
    });
    let mut cards = Vec::with_capacity(found.len());
    for state in &found {
        let key = doors.key(&identity.tenant, state.id);
        let receipts = doors.store.receipts(&key).await?;
        let own = receipts.into_iter().find(|(whose, _)| *whose == principal);
        cards.push((DomainCard::of(state), own.map(|(_, receipt)| receipt).unwrap_or_default()));
    }
    let items = cards.iter().map(|(card, own)| Card::new(card, principal.side(), own)).collect();
    Ok(axum::Json(Page { items, next }).into_response())
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
    agent: Option<&str>,
) -> Result<ListScope, Problem> {
    Ok(match agent {
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
    Ok(axum::Json(Card::new(&card, side, &own.unwrap_or_default())).into_response())
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
