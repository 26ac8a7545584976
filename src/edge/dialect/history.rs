//! What was said in a conversation, as it reads now: the messages of its public stream, with what
//! became of them since.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchboard_actors::Published;
use switchboard_domain::conversation::{Body, Stream};
use switchboard_domain::ids::{ConversationId, Seq, Timestamp};
use switchboard_store::Range;

use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;

/// Messages that one history gives: the newest ones.
const MESSAGES_MAX: usize = 5_000;
/// Events read at once.
const EVENTS_PER_PAGE: usize = 1_000;

/// A message, or a line of the system that clients show as one.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its event.
    pub published: Arc<Published>,
    /// Its text as it reads now; empty once redacted.
    pub text: Arc<str>,
    /// When its text was last changed.
    pub edited_at: Option<Timestamp>,
    /// When its text was removed.
    pub deleted_at: Option<Timestamp>,
}

impl Line {
    /// What an event says as it is written; `None` for an event that says nothing.
    #[must_use]
    pub fn new(published: &Arc<Published>) -> Option<Self> {
        let text = match &published.event.body {
            Body::Message { text, .. } | Body::AgentAvailable { text } => Arc::clone(text),
            _ => return None,
        };
        Some(Self { published: Arc::clone(published), text, edited_at: None, deleted_at: None })
    }
}

/// The messages of a conversation, oldest first. The caller has read them.
///
/// # Errors
///
/// What the caller may not see is not found.
pub async fn read(
    doors: &Doors,
    identity: &Identity,
    conversation: ConversationId,
) -> Result<Vec<Line>, Problem> {
    let (lines, head) = look(doors, identity, conversation).await?;
    let key = doors.key(&identity.tenant, conversation);
    doors.conversations.receipt(&key, &identity.caller, None, Some(head));
    Ok(lines)
}

/// The messages of a conversation, oldest first, and where its public stream ends. That the caller
/// has read them is not said.
///
/// # Errors
///
/// What the caller may not see is not found.
pub async fn look(
    doors: &Doors,
    identity: &Identity,
    conversation: ConversationId,
) -> Result<(Vec<Line>, Seq), Problem> {
    let key = doors.key(&identity.tenant, conversation);
    let caller = &identity.caller;
    let mut lines: BTreeMap<Seq, Line> = BTreeMap::new();
    let mut changes = Vec::new();
    let mut before = Seq(u64::MAX);
    let mut head = Seq(0);
    loop {
        let range = Range::Before(before);
        let page = doors
            .conversations
            .history(&key, caller, Stream::Public, range, EVENTS_PER_PAGE)
            .await?;
        for published in page.events.iter().rev() {
            let event = &published.event;
            head = head.max(event.seq);
            match Line::new(published) {
                Some(line) => drop(lines.insert(event.seq, line)),
                None => changes.push(Arc::clone(published)),
            }
        }
        match page.events.first() {
            Some(first) if page.more && lines.len() < MESSAGES_MAX => before = first.event.seq,
            Some(_) | None => break,
        }
    }
    // The changes were found newest first, and the newest counts.
    for change in changes.into_iter().rev() {
        let at = Some(change.event.at);
        match &change.event.body {
            Body::Edited { seq, text } => {
                if let Some(line) = lines.get_mut(seq) {
                    (line.text, line.edited_at) = (Arc::clone(text), at);
                }
            }
            Body::Redacted { seq } => {
                if let Some(line) = lines.get_mut(seq) {
                    (line.text, line.deleted_at) = (Arc::default(), at);
                }
            }
            _ => {}
        }
    }
    Ok((lines.into_values().collect(), head))
}
