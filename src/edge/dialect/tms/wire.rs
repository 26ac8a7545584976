//! Sessions and messages as clients of this dialect read them.

use std::sync::Arc;

use serde::Serialize;
use switchboard_domain::conversation::{Body, Conversation, Preview};
use switchboard_domain::ids::TenantId;
use switchboard_domain::person::{Principal, Side};
use uuid::Uuid;

use super::words::{self, Standing};
use crate::directory::widget::Address;
use crate::edge::dialect::history::Line;
use crate::edge::dialect::people::id_of;
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;
use crate::edge::time::Rfc3339;

/// A chat session.
#[derive(Debug, Serialize)]
pub(super) struct Session {
    id: Uuid,
    widget_id: Option<String>,
    status: &'static str,
    subject: Option<String>,
    customer_id: Option<Arc<str>>,
    customer_name: Option<String>,
    assigned_agent_id: Option<Arc<str>>,
    assigned_agent_name: Option<String>,
    last_message: Option<LastMessage>,
    created_at: Rfc3339,
    updated_at: Rfc3339,
    ended_at: Option<Rfc3339>,
    #[serde(flatten)]
    internal: Option<Internal>,
}

/// What agents alone see of it (P13).
#[derive(Debug, Serialize)]
struct Internal {
    customer_email: Option<String>,
    department: Option<String>,
    priority: &'static str,
    tags: Vec<String>,
}

/// The newest message, shortened.
#[derive(Debug, Serialize)]
struct LastMessage {
    content: String,
    author_type: &'static str,
    created_at: Rfc3339,
}

impl From<&Preview> for LastMessage {
    fn from(last: &Preview) -> Self {
        Self {
            content: (*last.text).to_owned(),
            author_type: words::author(last.from.principal),
            created_at: Rfc3339(last.at),
        }
    }
}

impl Session {
    /// The session for a reader on that side.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        state: &Conversation,
        side: Side,
    ) -> Result<Self, Problem> {
        let text = |text: &Arc<str>| (**text).to_owned();
        let widget = state.widget.clone();
        let widget = widget.map(|widget| Address { tenant: tenant.clone(), widget });
        let customer = Principal::Visitor(state.visitor.id);
        let agent = match &state.agent {
            Some(agent) => id_of(doors, tenant, Principal::Agent(agent.id)).await?,
            None => None,
        };
        let is_agent = side == Side::Agent;
        Ok(Self {
            id: state.id.uuid(),
            widget_id: widget.map(|widget| widget.to_string()),
            status: Standing::of(state).word(),
            subject: state.subject.as_ref().map(text),
            customer_id: id_of(doors, tenant, customer).await?,
            customer_name: state.visitor.name.as_ref().map(text),
            assigned_agent_id: agent,
            assigned_agent_name: state.agent.as_ref().map(|agent| text(&agent.name)),
            last_message: state.last.as_ref().map(LastMessage::from),
            created_at: Rfc3339(state.created_at),
            updated_at: Rfc3339(if is_agent { state.last_at } else { state.last_public_at }),
            ended_at: state.closed_at.map(Rfc3339),
            internal: is_agent.then(|| Internal {
                customer_email: state.visitor.email.as_ref().map(text),
                department: state.department.as_ref().map(|department| text(&department.0)),
                priority: words::priority(state.priority),
                tags: state.tags.iter().map(text).collect(),
            }),
        })
    }
}

/// A message of a session.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    id: String,
    session_id: Uuid,
    message_type: &'static str,
    content: String,
    author_type: &'static str,
    author_id: Option<Arc<str>>,
    author_name: Option<String>,
    created_at: Rfc3339,
    edited_at: Option<Rfc3339>,
    deleted_at: Option<Rfc3339>,
}

impl Message {
    /// A message as it reads now.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        line: &Line,
    ) -> Result<Self, Problem> {
        let event = &line.published.event;
        let has_files = matches!(&event.body, Body::Message { files, .. } if !files.is_empty());
        Ok(Self {
            id: event.id.to_string(),
            session_id: line.published.conversation.uuid(),
            message_type: if has_files { "file" } else { "text" },
            content: (*line.text).to_owned(),
            author_type: words::author(event.from.principal),
            author_id: id_of(doors, tenant, event.from.principal).await?,
            author_name: event.from.name.as_deref().map(str::to_owned),
            created_at: Rfc3339(event.at),
            edited_at: line.edited_at.map(Rfc3339),
            deleted_at: line.deleted_at.map(Rfc3339),
        })
    }
}

/// A note for colleagues.
#[derive(Debug, Serialize)]
pub(super) struct Note {
    pub(super) id: String,
    pub(super) session_id: Uuid,
    pub(super) content: String,
    pub(super) author_id: Option<Arc<str>>,
    pub(super) author_name: Option<String>,
    pub(super) created_at: Rfc3339,
}
