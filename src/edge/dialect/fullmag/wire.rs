//! Rooms and messages as clients of this dialect read them.

use std::sync::Arc;

use serde::Serialize;
use switchboard_actors::Published;
use switchboard_actors::answer::View;
use switchboard_domain::conversation::Status;
use switchboard_domain::ids::{ConversationId, TenantId};
use switchboard_domain::person::{Principal, Side};
use uuid::Uuid;

use crate::edge::dialect::encoded::{Encoded, Slot};
use crate::edge::dialect::history::Line;
use crate::edge::dialect::people;
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;
use crate::edge::time::Rfc3339;

/// A chat room.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Room {
    id: Uuid,
    user_id: Arc<str>,
    support_agent_id: Option<Arc<str>>,
    status: &'static str,
    /// Its beginning; what was redacted is empty.
    last_message: Option<Arc<str>>,
    /// Messages of the other side that nobody on the reader's side has read.
    unread_count: u32,
    created_at: Rfc3339,
    updated_at: Rfc3339,
}

/// The word for a status. What is archived is closed here.
pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Waiting => "waiting",
        Status::Active => "open",
        Status::Closed | Status::Archived => "closed",
    }
}

/// The id of somebody; the system has the nil UUID.
///
/// # Errors
///
/// When the directory fails.
pub(super) async fn id_of(
    doors: &Doors,
    tenant: &TenantId,
    principal: Principal,
) -> Result<Arc<str>, Problem> {
    let id = people::id_of(doors, tenant, principal).await?;
    Ok(id.unwrap_or_else(|| Uuid::nil().to_string().into()))
}

impl Room {
    /// A room for a reader on that side.
    ///
    /// # Errors
    ///
    /// When the directory fails.
    pub(super) async fn new(
        doors: &Doors,
        tenant: &TenantId,
        view: &View,
        side: Side,
    ) -> Result<Self, Problem> {
        let state = &*view.state;
        let support_agent_id = match &state.agent {
            Some(agent) => Some(id_of(doors, tenant, Principal::Agent(agent.id)).await?),
            None => None,
        };
        // Nothing internal moves what a customer reads (P13).
        let updated_at = if side == Side::Agent { state.last_at } else { state.last_public_at };
        Ok(Self {
            id: state.id.uuid(),
            user_id: id_of(doors, tenant, Principal::Visitor(state.visitor.id)).await?,
            support_agent_id,
            status: status(state.status),
            last_message: state.last.as_ref().map(|last| Arc::clone(&last.text)),
            unread_count: view.side.unread(side, state.ordinals),
            created_at: Rfc3339(state.created_at),
            updated_at: Rfc3339(updated_at),
        })
    }
}

/// A message, as it is told while it happens.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    id: Uuid,
    message: Arc<str>,
    sender_id: Arc<str>,
    is_from_support: bool,
    created_at: Rfc3339,
}

impl Message {
    /// The message that a line is.
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
        Ok(Self {
            id: event.id.uuid(),
            message: Arc::clone(&line.text),
            sender_id: id_of(doors, tenant, event.from.principal).await?,
            is_from_support: event.from.principal.side() != Side::Visitor,
            created_at: Rfc3339(event.at),
        })
    }
}

/// The message that an event is, encoded once for all who hear it; `None` for any other event.
///
/// # Errors
///
/// When the directory fails.
pub(super) async fn message(
    doors: &Doors,
    tenant: &TenantId,
    published: &Arc<Published>,
) -> Result<Option<Encoded>, Problem> {
    if let Some(known) = Encoded::of(published, Slot::Fullmag) {
        return Ok(Some(known));
    }
    let Some(line) = Line::new(published) else { return Ok(None) };
    let message = Message::new(doors, tenant, &line).await?;
    Encoded::make(published, Slot::Fullmag, &message).map(Some)
}

/// A message, as it is kept.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    #[serde(flatten)]
    message: Message,
    chat_room_id: Uuid,
    is_read: bool,
}

impl Kept {
    /// A message of that room.
    pub(super) const fn new(message: Message, room: ConversationId, is_read: bool) -> Self {
        Self { message, chat_room_id: room.uuid(), is_read }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_words_stand_for_every_status() {
        for (known, word) in [
            (Status::Waiting, "waiting"),
            (Status::Active, "open"),
            (Status::Closed, "closed"),
            (Status::Archived, "closed"),
        ] {
            assert_eq!(status(known), word);
        }
    }
}
