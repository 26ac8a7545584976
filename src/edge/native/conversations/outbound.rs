//! An agent writes to somebody first.
//!
//! Whom the agent meets: a visitor by id; else, if exactly one visitor is here of whom the site
//! itself says that the address is theirs, that visitor; else whoever has the link. An address
//! that somebody merely typed is never enough, for it would hand the words to an impostor.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_actors::{Delivery, Done, Refusal};
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::conversation::{
    Command, Contact as DomainContact, Conversation, Created, Priority, Rejection, Request, Start,
};
use switchboard_domain::ids::{ConversationId, LogId, VisitorId, WidgetId};
use switchboard_domain::person::{AgentRef, Side};
use switchboard_domain::receipt::Receipt;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::caller;
use super::super::extract::{Caller, Json, idempotency_key};
use super::super::idempotency::{Answer, Repeatable, Try, once};
use super::super::sealed;
use super::super::wire::card::Card;
use super::begin::BeginMessage;
use crate::auth::Identity;
use crate::directory::Contact;
use crate::directory::visitor::Known;
use crate::directory::widget::Address;
use crate::edge::doors::Doors;
use crate::edge::opening::known_department;
use crate::edge::problem::{Code, Problem};

/// Where the answer holds the link.
const LINK: &str = "/link";

/// A conversation that an agent begins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOutbound)]
pub struct Outbound {
    /// The id of the widget in which it is answered.
    widget: String,
    /// Whom to write to, by address.
    #[serde(default)]
    contact: Option<OutboundContact>,
    /// Or a visitor whom we know.
    #[serde(default)]
    visitor: Option<Uuid>,
    /// The first message.
    message: BeginMessage,
    #[serde(default)]
    department: Option<String>,
}

/// Somebody by address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutboundContact {
    email: String,
    #[serde(default)]
    name: Option<String>,
}

/// What came of it: the card, and how the visitor comes to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Written<'a> {
    #[serde(flatten)]
    card: Card<'a>,
    /// Leads in once, within a week; `null` when the visitor was told or will find it.
    link: Option<String>,
    /// Whether the visitor was here and was told.
    live: bool,
}

/// `POST /v1/conversations/outbound`
///
/// # Errors
///
/// [`Problem`].
pub async fn outbound(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    headers: HeaderMap,
    Json { value: wanted, digest }: Json<Outbound>,
) -> Result<Response, Problem> {
    let agent = caller::agent(&identity)?;
    let request = Repeatable {
        tenant: identity.tenant.clone(),
        principal: Some(identity.caller.author.principal),
        route: "POST /v1/conversations/outbound".to_owned(),
        digest,
    };
    let key = idempotency_key(&headers)?.unwrap_or_default().to_owned();
    let answer = once(&doors, &headers, request, |this_try| {
        Box::pin(write_once(&doors, &identity, agent, wanted, this_try, &key))
    })
    .await?;
    Ok(answer.map_body(|body| sealed::open(body, LINK, &key)).into_response())
}

/// Whom it is for.
struct Addressee {
    id: VisitorId,
    known: Known,
}

async fn write_once(
    doors: &Arc<Doors>,
    identity: &Identity,
    agent: AgentRef,
    wanted: Outbound,
    this_try: Try,
    key: &str,
) -> Result<Answer, Problem> {
    let tenant = &identity.tenant;
    let widget = WidgetId(wanted.widget.as_str().into());
    let found = doors.directory.widget(tenant, &widget).await?.ok_or(Code::NotFound)?;
    if !found.value.settings.enabled {
        return Err(Code::WidgetDisabled.into());
    }
    let department = match wanted.department {
        None => None,
        Some(id) => Some(known_department(doors, tenant, id).await?),
    };
    let is_address = wanted.contact.is_some();
    let addressee = addressee(doors, identity, wanted.contact, wanted.visitor).await?;
    let Contact { name, email, phone } = addressee.known.contact;
    if let Some(email) = email.as_deref() {
        doors.directory.note_address(tenant, email, addressee.id).await?;
    }
    let created = Created {
        log: LogId::new(doors.clock.fresh_id()),
        number: doors.directory.take_number(tenant).await?,
        visitor: DomainContact {
            id: addressee.id,
            name,
            email,
            phone,
            verified: addressee.known.verified,
        },
        widget: Some(widget.clone()),
        subject: None,
        department,
        priority: Priority::Medium,
        skills: Vec::new(),
        context: Vec::new(),
        fields: Vec::new(),
    };
    let command = Command::Create {
        created: Box::new(created),
        welcome: None,
        message: Some(wanted.message.text.into()),
        start: Start::Assigned(agent),
    };
    let id = ConversationId::new(this_try.operation);
    let conversation = doors.key(tenant, id);
    let request = Request { caller: identity.caller.clone(), key: None, command };
    let state = match doors.conversations.ask(&conversation, request).await {
        Ok(Done { state, .. }) => state,
        // An earlier try got so far, perhaps with another addressee.
        Err(Refusal::Rejected(Rejection::Exists)) if this_try.resumed => {
            doors.conversations.state(&conversation, &identity.caller).await?.state
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let by_link = is_address && !state.visitor.verified;
    answer(doors, identity, &state, widget, by_link, key).await
}

/// Tells the visitor, or makes the link.
async fn answer(
    doors: &Doors,
    identity: &Identity,
    state: &Conversation,
    widget: WidgetId,
    by_link: bool,
    key: &str,
) -> Result<Answer, Problem> {
    let (tenant, visitor) = (&identity.tenant, state.visitor.id);
    let link = if by_link {
        let token = doors.directory.create_link(tenant, visitor, state.id).await?;
        let address = Address { tenant: tenant.clone(), widget };
        Some(format!("{}/chat?widget={address}#{token}", doors.public_url))
    } else {
        None
    };
    let told = doors.auth.tell_visitor(tenant, visitor, &Delivery::Conversation(state.id));
    let card = DomainCard::of(state);
    let faces = doors.directory.faces(tenant);
    let card = Card::new(&card, Side::Agent, &Receipt::default()).with_face(&faces);
    let answer = Answer::new(StatusCode::CREATED, &Written { card, link: None, live: told > 0 });
    Ok(answer.map_body(|mut body| {
        if let Some(link) = link {
            body["link"] = sealed::seal(&link, key);
        }
        body
    }))
}

async fn addressee(
    doors: &Doors,
    identity: &Identity,
    contact: Option<OutboundContact>,
    visitor: Option<Uuid>,
) -> Result<Addressee, Problem> {
    let tenant = &identity.tenant;
    let known = async |id: VisitorId| {
        doors.directory.known_visitor(tenant, id).await?.ok_or(Problem::new(Code::NotFound))
    };
    match (contact, visitor.map(VisitorId::new)) {
        (None, Some(id)) => Ok(Addressee { id, known: known(id).await? }),
        (Some(OutboundContact { email, name }), None) => {
            let contact = Contact::new(name.as_deref(), Some(&email), None)?;
            let Some(email) = contact.email.as_deref() else {
                return Err(Problem {
                    field: Some("email".into()),
                    ..Problem::with(Code::Invalid, "`email` is empty")
                });
            };
            if let Some(id) = doors.connections.verified_visitor(tenant, email) {
                return Ok(Addressee { id, known: known(id).await? });
            }
            // The secret of this visitor is never known to anybody: the link makes another.
            let (made, _unknown) = doors.directory.create_visitor(tenant, contact).await?;
            let made = &made.value;
            let known = Known {
                contact: made.contact.clone(),
                verified: false,
                created_at: made.created_at,
            };
            Ok(Addressee { id: made.id, known })
        }
        (None, None) | (Some(_), Some(_)) => {
            Err(Problem::with(Code::Invalid, "give either `contact` or `visitor`"))
        }
    }
}
