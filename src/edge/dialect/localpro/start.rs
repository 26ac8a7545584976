//! How sessions begin: under a label that the client chose.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use switchboard_domain::conversation::{Contact as DomainContact, Conversation, Priority, Stream};
use switchboard_domain::ids::{ConversationId, DepartmentId, Seq, TenantId};
use switchboard_domain::person::Caller;
use switchboard_store::Range;

use super::desk::{Desk, Standing};
use super::rest::{Refused, done};
use super::wire::{GENERAL, LABEL, Read, User, count, label_of};
use super::{Hall, Localpro, label, words};
use crate::auth::{Identity, VisitorToken};
use crate::directory::Contact;
use crate::directory::session_label::{SessionLabel, is_label};
use crate::edge::device::note_device;
use crate::edge::dialect::history::Line;
use crate::edge::dialect::request::{BODY_BYTES_MAX, Doorway, Said, Stranger};
use crate::edge::doors::Doors;
use crate::edge::opening::{self, Opening};
use crate::edge::problem::{Code, Problem};
use crate::edge::time::Rfc3339;

/// The routes.
pub(super) fn router() -> Router<Arc<Doors>> {
    Router::new()
        .route("/api/live-chat/sessions", post(start))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StartUser {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    session_id: Option<String>,
    #[serde(default)]
    user: StartUser,
    page_url: Option<String>,
}

async fn start(
    State(doors): Doorway,
    Extension(hall): Extension<Arc<Hall>>,
    stranger: Stranger<Localpro>,
    headers: HeaderMap,
    Said(start, _): Said<Localpro, Start>,
) -> Result<Response, Refused> {
    doors.charge(&hall.calls, stranger.address)?;
    let tenant = &stranger.tenant;
    let Start { session_id, user: StartUser { name, email, phone }, page_url } = start;
    let label = session_id.as_deref().unwrap_or_default();
    if !is_label(label) {
        let words = "sessionId must be 8 to 128 letters, digits, and any of -_.:~";
        return Err(Problem::with(Code::Invalid, words).into());
    }
    if let Some(known) = doors.directory.session_label(tenant, label).await? {
        let known = known.value;
        let shown = label::by_cookie(&doors, tenant, &headers, label, known).await?;
        let Some(identity) = shown else {
            doors.charge(&hall.guesses, stranger.address)?;
            return Err(Problem::with(Code::AlreadyExists, "sessionId is taken").into());
        };
        let data = started(&doors, &identity, known.conversation).await?;
        return Ok(Json(done("The session goes on", &data)).into_response());
    }
    let contact = Contact::new(name.as_deref(), email.as_deref(), phone.as_deref())?;
    if contact.name.is_none() || contact.email.is_none() {
        return Err(Problem::with(Code::Invalid, "a user needs a name and an email").into());
    }
    doors.charge(&doors.budgets.creates, stranger.address)?;
    let mut context = BTreeMap::from([(LABEL.to_owned(), label.to_owned())]);
    let referrer = headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    for (name, text) in [("page", page_url.as_deref()), ("referrer", referrer)] {
        context.extend(text.map(|text| (name.to_owned(), text.to_owned())));
    }
    note_device(&mut context, &headers, stranger.address);
    let (state, token) = begin(&doors, tenant, label, contact, context).await?;
    let identity = doors.auth.vouched_visitor(tenant, token.visitor).await?;
    let data = started(&doors, &identity, state.id).await?;
    let body = Json(done("The session has begun", &data));
    let mut response = (StatusCode::CREATED, body).into_response();
    if let Some(cookie) = label::cookie(label, &token) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Takes a label and begins its session. A visitor of this dialect has one session and no other
/// credential, so both have the same id.
async fn begin(
    doors: &Doors,
    tenant: &TenantId,
    label: &str,
    contact: Contact,
    context: BTreeMap<String, String>,
) -> Result<(Arc<Conversation>, VisitorToken), Problem> {
    let (caller, token) = opening::new_visitor(doors, tenant, contact.clone()).await?;
    let visitor = token.visitor;
    let conversation = ConversationId::new(visitor.uuid());
    let names = SessionLabel { conversation, visitor, sealed: label::is_guessable(label) };
    doors.directory.take_session_label(tenant, label, names).await?;
    let email = contact.email.clone();
    let begun = async {
        let opening = opening(doors, tenant, &caller, (conversation, contact, context)).await?;
        if let Some(email) = &email {
            doors.directory.note_address(tenant, email, visitor).await?;
        }
        opening::open(doors, tenant, &caller, opening).await
    };
    match begun.await {
        Ok(state) => Ok((state, token)),
        Err(problem) => {
            doors.directory.give_up_session_label(tenant, label).await?;
            Err(problem)
        }
    }
}

async fn opening(
    doors: &Doors,
    tenant: &TenantId,
    caller: &Caller,
    (id, contact, context): (ConversationId, Contact, BTreeMap<String, String>),
) -> Result<Opening, Problem> {
    let general = DepartmentId(GENERAL.into());
    let department = doors.directory.department(tenant, &general).await?.map(|_| general);
    let name = caller.author.name.as_deref().unwrap_or_default();
    let Contact { name: told, email, phone } = contact;
    let visitor = switchboard_domain::ids::VisitorId::new(id.uuid());
    Ok(Opening {
        id,
        resumed: false,
        visitor: DomainContact { id: visitor, name: told, email, phone, verified: false },
        widget: None,
        subject: None,
        department,
        priority: Priority::Medium,
        skills: Vec::new(),
        context: context.into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
        fields: Vec::new(),
        welcome: Some(welcome(name).into()),
        message: None,
    })
}

/// What a new session says first.
fn welcome(name: &str) -> String {
    format!("Welcome, {name}. Somebody from our team will answer you here soon.")
}

/// The session and its first line.
async fn started(
    doors: &Arc<Doors>,
    identity: &Identity,
    id: ConversationId,
) -> Result<Value, Problem> {
    let desk = Desk { doors, identity };
    let Standing { state, n_unread, .. } = desk.standing(id).await?;
    let (key, caller) = (desk.key(id), &identity.caller);
    // The welcome is the event after the beginning.
    let range = Range::After(Seq(0));
    let first = doors.conversations.history(&key, caller, Stream::Public, range, 2).await?;
    let welcome = match first.events.iter().find_map(Line::new) {
        Some(line) => Some(desk.message(&state, &line, &Read::default()).await?),
        None => None,
    };
    Ok(json!({
        "session": {
            "sessionId": label_of(&state),
            "user": User::new(&state).with_metadata(&state),
            "status": words::status(state.status),
            // As it was at the beginning: what became of them is for agents (P13).
            "priority": words::priority(Priority::Medium),
            "department": GENERAL,
            "messageCount": count(&state),
            "unreadCount": n_unread,
            "startedAt": Rfc3339(state.created_at),
        },
        "welcomeMessage": welcome,
    }))
}
