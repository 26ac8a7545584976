//! A conversation as lists, subscriptions and HTTP show it.
//!
//! Visitors get a smaller card. What it leaves out is not only what they may not read, but also
//! what moves when something internal happens: priority, department, skills, tags, tickets and the
//! time of the newest event of either stream (P13).

use serde::Serialize;
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::conversation::Status;
use switchboard_domain::person::Side;
use switchboard_domain::receipt::Receipt;
use utoipa::ToSchema;
use uuid::Uuid;

use super::event::{priority_name, resolution_name};
use super::person::{Agent, Person};
use super::time::Rfc3339;
use crate::accounts::avatar::Faces;

/// A conversation in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct Card<'a> {
    /// Its id.
    id: Uuid,
    /// Its integer name, unique within the tenant.
    number: u64,
    /// `waiting`, `active`, `closed` or `archived`.
    status: &'static str,
    /// How it ended, `none` or `resolved`; absent while open.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'static str>,
    /// Whether it waits as an offline message.
    offline: bool,
    /// Whether it was handed to its agent, who has not written yet.
    transferred: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    /// Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<&'a str>,
    /// `low`, `medium`, `high` or `urgent`. Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
    /// Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    skills: Option<Vec<&'a str>>,
    /// Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<&'a str>>,
    /// Who began it.
    visitor: Visitor<'a>,
    /// Who owns it.
    agent: Option<Agent<'a>>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Rfc3339,
    #[schema(value_type = String, format = DateTime)]
    last_at: Rfc3339,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<Rfc3339>,
    /// The identity of the history.
    log: Uuid,
    /// The newest position in the public stream.
    head: u64,
    /// The newest position in the internal stream. Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    internal_head: Option<u64>,
    /// The newest public message.
    last: Option<Last<'a>>,
    /// Messages of the other side after the reader's read receipt.
    unread: u32,
    /// The visitor's rating.
    rating: Option<Rating<'a>>,
    /// The linked ticket's number. Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<Option<u64>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardVisitor)]
struct Visitor<'a> {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    /// Whether the site says who this is; else it is what somebody typed. Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardMessage)]
struct Last<'a> {
    from: Person<'a>,
    text: &'a str,
    #[schema(value_type = String, format = DateTime)]
    at: Rfc3339,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardRating)]
struct Rating<'a> {
    score: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
}

impl<'a> Card<'a> {
    /// The card of a conversation for a reader on `side` with that receipt.
    #[must_use]
    pub fn new(card: &'a DomainCard, side: Side, receipt: &Receipt) -> Self {
        Self::with_unread(card, side, card.unread(side, receipt))
    }

    /// The card of a conversation whose unread messages are counted already.
    #[must_use]
    pub fn with_unread(card: &'a DomainCard, side: Side, unread: u32) -> Self {
        let internal = side == Side::Agent;
        Self {
            id: card.id.uuid(),
            number: card.number.0,
            status: status_name(card.status),
            resolution: (!card.status.is_open()).then(|| resolution_name(card.resolution)),
            offline: card.offline,
            transferred: card.transferred,
            subject: card.subject(),
            department: card.department().filter(|_| internal),
            priority: internal.then(|| priority_name(card.priority)),
            skills: internal.then(|| card.skills().collect()),
            tags: internal.then(|| card.tags().collect()),
            visitor: Visitor {
                id: card.visitor.uuid(),
                name: card.visitor_name(),
                email: card.visitor_email().filter(|_| internal),
                verified: internal.then_some(card.verified),
            },
            agent: card.agent.map(|id| Agent {
                id: id.uuid(),
                name: card.agent_name().unwrap_or_default(),
                avatar: None,
                title: None,
            }),
            created_at: Rfc3339(card.created_at),
            last_at: Rfc3339(if internal { card.last_at } else { card.last_public_at }),
            waiting_since: card.waiting_since.map(Rfc3339),
            log: card.log.uuid(),
            head: card.heads.public.0,
            internal_head: internal.then_some(card.heads.internal.0),
            last: card.last.map(|last| Last {
                from: Person { id: None, ..Person::new(last.from, card.last_name()) },
                text: card.last_text().unwrap_or_default(),
                at: Rfc3339(last.at),
            }),
            unread,
            rating: card.score().map(|score| Rating { score, comment: card.comment() }),
            ticket: internal.then(|| card.ticket().map(|number| number.0)),
        }
    }
}

impl<'a> Card<'a> {
    /// The same with picture and title of its agent.
    #[must_use]
    pub fn with_face(self, faces: &'a Faces) -> Self {
        Self { agent: self.agent.map(|agent| agent.with_face(faces)), ..self }
    }
}

/// The name of a status.
#[must_use]
pub const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Waiting => "waiting",
        Status::Active => "active",
        Status::Closed => "closed",
        Status::Archived => "archived",
    }
}

/// The statuses that a filter names; `None` for a name we do not know.
#[must_use]
pub fn statuses_named(name: &str) -> Option<Vec<Status>> {
    Some(match name {
        "waiting" => vec![Status::Waiting],
        "active" => vec![Status::Active],
        "closed" => vec![Status::Closed],
        "archived" => vec![Status::Archived],
        "open" => vec![Status::Waiting, Status::Active],
        _ => return None,
    })
}
