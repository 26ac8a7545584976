//! What agents see beside a conversation: who it is with, on what device and page, and what was
//! before.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::conversation::Conversation as DomainConversation;
use switchboard_domain::ids::{ConversationId, VisitorId};
use switchboard_domain::permission::Subject;
use switchboard_domain::person::{Role, Side};
use switchboard_domain::trail::Page as TrailPage;
use switchboard_store::{List, ListScope};
use utoipa::ToSchema;

use super::super::caller::{require, sees};
use super::super::extract::{Caller, Conversation};
use super::super::wire::card::Card;
use super::super::wire::incoming::LIMIT_MAX;
use super::super::wire::time::Rfc3339;
use crate::auth::Identity;
use crate::directory::Contact;
use crate::edge::device::{ADDRESS, USER_AGENT};
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;
use crate::edge::trails::page_of;

/// Earlier conversations that are shown; the newest say most.
const EARLIER_MAX: usize = 10;

/// What stands beside a conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConversationContext)]
pub struct Context<'a> {
    contact: ContactShown<'a>,
    device: Device<'a>,
    /// The page that the visitor is on, or began on.
    page: Option<PageShown<'a>>,
    /// Where the visitor has been lately, oldest first.
    #[schema(max_items = 20)]
    pages: Vec<PageShown<'a>>,
    /// Where the visitor came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<&'a str>,
    /// Answers to what the widget asked.
    fields: BTreeMap<&'a str, &'a str>,
    /// Other conversations of the visitor, newest first.
    #[schema(max_items = 10)]
    earlier: Vec<Card<'a>>,
    /// How many there are, counted to 200.
    earlier_total: usize,
}

/// Who it is with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextContact)]
struct ContactShown<'a> {
    name: Option<&'a str>,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    /// Whether the site says so; else it is what somebody typed.
    verified: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    first_seen_at: Option<Rfc3339>,
}

/// On what it is written, as of its beginning.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextDevice)]
struct Device<'a> {
    user_agent: Option<&'a str>,
    locale: Option<&'a str>,
    /// The network of the visitor's address: its last part is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
}

/// A page, or what the visitor did on it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextPage)]
struct PageShown<'a> {
    url: &'a str,
    title: &'a str,
    /// In the words of the site; absent for looking at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    did: Option<&'a str>,
    #[schema(value_type = String, format = DateTime)]
    at: Rfc3339,
}

impl<'a> From<&'a TrailPage> for PageShown<'a> {
    fn from(page: &'a TrailPage) -> Self {
        Self { url: &page.url, title: &page.title, did: page.did.as_deref(), at: Rfc3339(page.at) }
    }
}

/// `GET /v1/conversations/{id}/context`
///
/// # Errors
///
/// [`Problem`].
pub async fn context(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
) -> Result<Response, Problem> {
    require(&identity, Role::Agent)?;
    let key = doors.key(&identity.tenant, id);
    let state = doors.conversations.state(&key, &identity.caller).await?.state;
    let known = doors.directory.known_visitor(&identity.tenant, state.visitor.id).await?;
    let told = known.as_ref().map(|known| known.contact.clone()).unwrap_or_default();
    let contact = told.or(Contact {
        name: state.visitor.name.clone(),
        email: state.visitor.email.clone(),
        phone: state.visitor.phone.clone(),
    });
    let trail = trail(&doors, &identity, &state);
    let others = others(&doors, &identity, state.visitor.id, id).await?;
    let shown: Vec<_> = others.iter().take(EARLIER_MAX).map(DomainCard::of).collect();
    let faces = doors.directory.faces(&identity.tenant);
    let mut earlier = Vec::with_capacity(shown.len());
    for card in &shown {
        let receipts = doors.store.receipts(&doors.key(&identity.tenant, card.id)).await?;
        let own = receipts.into_iter().find(|(who, _)| *who == identity.caller.author.principal);
        let own = own.map(|(_, receipt)| receipt).unwrap_or_default();
        earlier.push(Card::new(card, Side::Agent, &own).with_face(&faces));
    }
    let said = |name: &str| said(&state, name);
    let context = Context {
        contact: ContactShown {
            name: contact.name.as_deref(),
            email: contact.email.as_deref(),
            phone: contact.phone.as_deref(),
            verified: state.visitor.verified,
            first_seen_at: known.as_ref().map(|known| Rfc3339(known.created_at)),
        },
        device: Device {
            user_agent: said(USER_AGENT),
            locale: said("locale"),
            address: said(ADDRESS),
        },
        page: trail.last().map(PageShown::from),
        pages: trail.iter().map(PageShown::from).collect(),
        referrer: said("referrer"),
        fields: state.fields.iter().map(|(name, value)| (&**name, &**value)).collect(),
        earlier,
        earlier_total: others.len(),
    };
    Ok(axum::Json(context).into_response())
}

/// What the beginning of a conversation says under a name.
fn said<'a>(state: &'a DomainConversation, name: &str) -> Option<&'a str> {
    state.context.iter().find(|(of, _)| **of == *name).map(|(_, value)| &**value)
}

/// Where the visitor has been; at least where the conversation began.
fn trail(doors: &Doors, identity: &Identity, state: &DomainConversation) -> Vec<TrailPage> {
    let now = doors.clock.now();
    let mut pages = doors.trails.pages(&identity.tenant, state.visitor.id, now);
    if pages.is_empty() {
        pages.extend(page_of(state));
    }
    pages
}

/// Other conversations of a visitor that the caller sees.
async fn others(
    doors: &Doors,
    identity: &Identity,
    visitor: VisitorId,
    this: ConversationId,
) -> Result<Vec<DomainConversation>, Problem> {
    let list = List {
        tenant: identity.tenant.clone(),
        statuses: Vec::new(),
        department: None,
        scope: ListScope::Visitor(visitor),
        after: None,
        limit: LIMIT_MAX,
    };
    let mut found = doors.store.list(list).await?;
    found.retain(|state| state.id != this && sees(doors, identity, Subject::of(state)));
    Ok(found)
}
