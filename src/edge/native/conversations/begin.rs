//! The beginning of a conversation over HTTP: open to strangers, who become visitors by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::conversation::Priority;
use switchboard_domain::ids::ConversationId;
use switchboard_domain::person::Side;
use switchboard_domain::receipt::Receipt;
use utoipa::ToSchema;

use super::super::extract::{Address, Json, MaybeCaller, idempotency_key};
use super::super::idempotency::{Answer, Repeatable, Try, once};
use super::super::sealed;
use super::super::wire::card::Card;
use super::super::wire::event::priority_named;
use crate::auth::Identity;
use crate::directory::Contact;
use crate::directory::widget::Address as WidgetAddress;
use crate::edge::device::note_device;
use crate::edge::doors::Doors;
use crate::edge::opening::{self, Begun, Wish, known_department};
use crate::edge::problem::{Code, Problem};

/// Where the answer holds a new visitor's secret.
const SECRET: &str = "/visitor/secret";

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
    /// Whether it is left for later: then it begins also where no more may wait (`queue_full`).
    #[serde(default)]
    leave: bool,
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
    pub(super) text: String,
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
    Json { value: mut begin, digest }: Json<Begin>,
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
    note_device(&mut begin.context, &headers, address);
    let key = idempotency_key(&headers)?.unwrap_or_default().to_owned();
    let answer = once(&doors, &headers, request, |this_try| {
        Box::pin(begin_once(&doors, identity.as_deref(), widget, begin, this_try, &key))
    })
    .await?;
    Ok(answer.map_body(|body| sealed::open(body, SECRET, &key)).into_response())
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
    // A repeated request of a known visitor is the same conversation, whatever happened to the
    // first. A stranger's first try left no secret with anybody: it begins anew.
    let id = if this_try.resumed && identity.is_none() {
        doors.clock.fresh_id()
    } else {
        this_try.operation
    };
    let wish = Wish {
        subject: begin.subject,
        department,
        priority,
        skills: begin.skills,
        contact,
        context: pairs(begin.context),
        fields: pairs(begin.fields),
        message: begin.message.map(|message| message.text),
        leaves: begin.leave,
    };
    let id = (ConversationId::new(id), this_try.resumed);
    let Begun { state, secret } = opening::begin(doors, identity, &address, wish, id).await?;
    doors.trails.began(tenant, &state);
    let card = DomainCard::of(&state);
    let mut answer =
        Answer::new(StatusCode::CREATED, &Card::new(&card, Side::Visitor, &Receipt::default()));
    if let Some(secret) = secret {
        answer = answer.map_body(|mut body| {
            body["visitor"]["secret"] = sealed::seal(&secret, key);
            body
        });
    }
    Ok(answer)
}

fn pairs(map: BTreeMap<String, String>) -> Vec<(Arc<str>, Arc<str>)> {
    map.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}
