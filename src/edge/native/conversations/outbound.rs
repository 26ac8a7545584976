//! An agent writes to somebody first. Whom the agent meets is said in
//! [`write_first`](opening::write_first).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::ids::{VisitorId, WidgetId};
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
use crate::edge::doors::Doors;
use crate::edge::opening::{self, To, known_department};
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

async fn write_once(
    doors: &Arc<Doors>,
    identity: &Identity,
    agent: AgentRef,
    wanted: Outbound,
    this_try: Try,
    key: &str,
) -> Result<Answer, Problem> {
    let tenant = &identity.tenant;
    let department = match wanted.department {
        None => None,
        Some(id) => Some(known_department(doors, tenant, id).await?),
    };
    let to = match (wanted.contact, wanted.visitor) {
        (None, Some(id)) => To::Visitor(VisitorId::new(id)),
        (Some(OutboundContact { email, name }), None) => {
            To::Contact(Contact::new(name.as_deref(), Some(&email), None)?)
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::with(Code::Invalid, "give either `contact` or `visitor`"));
        }
    };
    let wanted = opening::Outbound {
        widget: WidgetId(wanted.widget.as_str().into()),
        to,
        department,
        message: Some(wanted.message.text),
    };
    let id = (this_try.operation, this_try.resumed);
    let written = opening::write_first(doors, identity, agent, wanted, id).await?;
    let card = DomainCard::of(&written.state);
    let faces = doors.directory.faces(tenant);
    let card = Card::new(&card, Side::Agent, &Receipt::default()).with_face(&faces);
    let shown = Written { card, link: None, live: written.live };
    let answer = Answer::new(StatusCode::CREATED, &shown);
    Ok(answer.map_body(|mut body| {
        if let Some(link) = written.link {
            body["link"] = sealed::seal(&link, key);
        }
        body
    }))
}
