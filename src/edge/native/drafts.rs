//! What the caller wrote and has not sent: the same in each of their browsers.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{ConversationId, Timestamp};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::agent_person;
use super::extract::{Caller, Conversation, Json};
use super::wire::time::Rfc3339;
use crate::directory::drafts::{self, Mode};
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;

/// All that a person has not sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Drafts)]
pub struct All {
    /// Rises by one with every change; 0 for whoever never wrote.
    version: u64,
    /// One for each conversation at most.
    items: Vec<Draft>,
}

/// What was written for one conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Draft {
    conversation: Uuid,
    /// Which text the person had before them.
    mode: Mode,
    /// The reply; empty for none.
    #[schema(value_type = String)]
    message: Arc<str>,
    /// The note; empty for none.
    #[schema(value_type = String)]
    note: Arc<str>,
    /// The newest word of a colleague that was known when the reply was begun; 0 for none.
    since: u64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    at: Rfc3339,
}

/// What was written now or a while ago.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DraftWrite)]
pub struct Write {
    #[serde(default)]
    mode: Mode,
    /// At most as long as a message can be. Without both texts the draft is taken away.
    #[serde(default)]
    #[schema(value_type = String)]
    message: Arc<str>,
    /// The same.
    #[serde(default)]
    #[schema(value_type = String)]
    note: Arc<str>,
    #[serde(default)]
    since: u64,
    /// How long ago the last letter was written, in milliseconds.
    age_ms: u64,
}

/// What is kept for the conversation then.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptDraft)]
pub struct Kept {
    /// Of all drafts of the person.
    version: u64,
    /// `null` when nothing is kept; another text than was sent, when that was written later.
    draft: Option<Draft>,
}

impl Draft {
    fn new(conversation: ConversationId, draft: &drafts::Draft) -> Self {
        Self {
            conversation: conversation.uuid(),
            mode: draft.mode,
            message: Arc::clone(&draft.message),
            note: Arc::clone(&draft.note),
            since: draft.since,
            at: Rfc3339(Timestamp(draft.at)),
        }
    }
}

impl Write {
    fn at(self, now: Timestamp) -> drafts::Draft {
        let age_ms = i64::try_from(self.age_ms).unwrap_or(i64::MAX);
        drafts::Draft {
            mode: self.mode,
            message: self.message,
            note: self.note,
            since: self.since,
            at: now.0.saturating_sub(age_ms),
        }
    }
}

/// `GET /v1/agents/me/drafts`
///
/// # Errors
///
/// [`Problem`].
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<axum::Json<All>, Problem> {
    let person = agent_person(&identity)?;
    let stored = doors.directory.drafts(&identity.tenant, person.id).await?;
    let items = stored.value.all.iter().map(|(id, draft)| Draft::new(*id, draft));
    Ok(axum::Json(All { version: stored.version, items: items.collect() }))
}

/// `PUT /v1/agents/me/drafts/{id}`
///
/// # Errors
///
/// [`Code::Invalid`](crate::edge::problem::Code::Invalid) for what is too long or too much.
pub async fn put(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Conversation(id): Conversation,
    Json { value: written, .. }: Json<Write>,
) -> Result<axum::Json<Kept>, Problem> {
    let person = agent_person(&identity)?;
    let (directory, tenant) = (&doors.directory, &identity.tenant);
    let draft = written.at(doors.clock.now());
    let stored = directory.keep_draft(tenant, person.id, id, &draft).await?;
    doors.auth.tell_drafts(tenant, person.id, stored.version);
    let draft = stored.value.all.get(&id).map(|draft| Draft::new(id, draft));
    Ok(axum::Json(Kept { version: stored.version, draft }))
}
