//! The socket of the dialect: agents hear whatever they may see, customers their own sessions.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use switchboard_actors::Published;
use switchboard_actors::delivery::Delivery;
use switchboard_domain::conversation::{Body, TransferTarget};
use switchboard_domain::ids::ConversationId;
use switchboard_domain::person::Author;

use super::desk::Desk;
use super::words;
use crate::accounts::api_key::Scope;
use crate::edge::dialect::caller::require_scope;
use crate::edge::dialect::failed::Failed;
use crate::edge::dialect::follow::Follow;
use crate::edge::dialect::history::Line;
use crate::edge::dialect::people::id_of;
use crate::edge::dialect::request::in_words;
use crate::edge::dialect::web_socket::{Dialect, Link};
use crate::edge::problem::{Close, Code, Problem};

/// A connection of this dialect.
#[derive(Debug)]
pub(super) struct Live {
    follow: Follow,
}

impl Dialect for Live {
    async fn enter(link: &mut Link) -> Result<Self, Close> {
        let follow = Follow::begin(link.seat()).await.map_err(|problem| {
            tracing::warn!(code = problem.code.as_str(), "a connection could not begin");
            Close::Void
        })?;
        Ok(Self { follow })
    }

    async fn heard(&mut self, link: &mut Link, said: Value) -> Result<(), Close> {
        let answer = match require_scope(&link.identity, Scope::ConversationsWrite) {
            Ok(()) => does(link, &said).await,
            Err(problem) => Err(problem),
        };
        match answer {
            Ok(None) => Ok(()),
            Ok(Some(frame)) => link.tell(&frame).await,
            // Neither stored nor refused: whoever reads "refused" would send it again.
            Err(problem) if problem.code == Code::UnknownOutcome => Err(Close::Void),
            Err(problem) => {
                let mut frame = Self::refusal(&problem);
                if let Some(session) = said.get("session_id") {
                    frame["session_id"] = session.clone();
                }
                link.tell(&frame).await
            }
        }
    }

    async fn deliver(&mut self, link: &mut Link, delivery: Delivery) -> Result<(), Close> {
        Box::pin(self.told(link, delivery)).await.or_else(Failed::settle)
    }

    fn refusal(problem: &Problem) -> Value {
        json!({ "type": "error", "error": in_words(problem) })
    }
}

#[derive(Deserialize)]
struct SendMessage {
    session_id: String,
    content: Option<String>,
    message_type: Option<String>,
}

#[derive(Deserialize)]
struct Typing {
    session_id: String,
    is_typing: bool,
}

fn parsed<T: DeserializeOwned>(said: &Value) -> Result<T, Problem> {
    T::deserialize(said).map_err(|error| Problem::with(Code::BadRequest, error.to_string()))
}

/// Does what a client said; the answer is a frame, if it gets one of its own.
async fn does(link: &mut Link, said: &Value) -> Result<Option<Value>, Problem> {
    let (doors, identity) = (Arc::clone(&link.doors), Arc::clone(&link.identity));
    let desk = Desk { doors: &doors, identity: &identity };
    match said.get("type").and_then(Value::as_str) {
        Some("send_message") => {
            let SendMessage { session_id, content, message_type } = parsed(said)?;
            let sent = desk.send(&session_id, content, message_type.as_deref()).await?;
            // Whoever writes hears it as everybody does, in its place among the others.
            link.join(sent.published.conversation).await?;
            Ok(None)
        }
        Some("typing_indicator") => {
            let Typing { session_id, is_typing } = parsed(said)?;
            let id = desk.find(&session_id).await?.id;
            link.join(id).await?;
            let key = doors.key(&identity.tenant, id);
            doors.conversations.typing(&key, &identity.caller, is_typing, None);
            Ok(None)
        }
        Some("ping") => Ok(Some(json!({ "type": "pong" }))),
        Some(_) => Err(Problem::with(Code::UnknownType, "there is no such type")),
        None => Err(Problem::with(Code::BadFrame, "type is missing")),
    }
}

impl Live {
    async fn told(&mut self, link: &mut Link, delivery: Delivery) -> Result<(), Failed> {
        match delivery {
            Delivery::Event(published) => {
                if self.follow.hears(&published) {
                    event(link, &published).await?;
                }
                Ok(())
            }
            Delivery::Subscribed { conversation, ref_id, subscribed } => {
                let missed =
                    self.follow.stands(link.seat(), conversation, ref_id, &subscribed).await?;
                for published in &missed {
                    event(link, published).await?;
                }
                Ok(())
            }
            Delivery::Unsubscribed { conversation, why, .. } => {
                link.unsubscribed(conversation, why);
                Ok(())
            }
            Delivery::View(delta) => {
                for published in &self.follow.view(link.seat(), &delta).await? {
                    event(link, published).await?;
                }
                Ok(())
            }
            // A session of this customer began elsewhere.
            Delivery::Conversation(conversation) => {
                drop(link.hear(conversation));
                Ok(())
            }
            Delivery::Typing { conversation, from, on, .. } => {
                typing(link, conversation, &from, on).await
            }
            Delivery::Receipt { .. }
            | Delivery::Presence { .. }
            | Delivery::AnybodyOnline(_)
            | Delivery::QueuePosition { .. }
            | Delivery::Page { .. }
            | Delivery::Viewing { .. }
            | Delivery::Company(_)
            | Delivery::Preferences { .. }
            | Delivery::Drafts { .. }
            | Delivery::Drain { .. }
            | Delivery::Revoked
            | Delivery::Door(_) => Ok(()),
        }
    }
}

/// Tells an event.
async fn event(link: &mut Link, published: &Arc<Published>) -> Result<(), Failed> {
    let conversation = published.conversation;
    match &published.event.body {
        Body::Message { .. } | Body::AgentAvailable { .. } => {
            let Some(line) = Line::new(published) else { return Ok(()) };
            let (doors, identity) = (Arc::clone(&link.doors), Arc::clone(&link.identity));
            let message = Desk { doors: &doors, identity: &identity }.message(&line).await?;
            let session = conversation.uuid();
            let frame = json!({ "type": "new_message", "session_id": session, "message": message });
            Ok(link.tell(&frame).await?)
        }
        Body::Created(_) => session(link, "session_created", conversation).await,
        Body::Assigned { .. } | Body::Transferred { to: TransferTarget::Agent(_), .. } => {
            session(link, "session_assigned", conversation).await
        }
        Body::TransferRefused => session(link, "session_assigned", conversation).await,
        Body::Closed { .. } => session(link, "session_ended", conversation).await,
        _ => Ok(()),
    }
}

/// Tells how a session stands now.
async fn session(
    link: &mut Link,
    kind: &'static str,
    conversation: ConversationId,
) -> Result<(), Failed> {
    let (doors, identity) = (Arc::clone(&link.doors), Arc::clone(&link.identity));
    let desk = Desk { doors: &doors, identity: &identity };
    let session = desk.shown(&*desk.look(conversation).await?).await?;
    let frame = json!({ "type": kind, "session_id": conversation.uuid(), "session": session });
    Ok(link.tell(&frame).await?)
}

/// Tells who types.
async fn typing(
    link: &mut Link,
    conversation: ConversationId,
    from: &Author,
    on: bool,
) -> Result<(), Failed> {
    let user = id_of(&link.doors, &link.identity.tenant, from.principal).await?;
    let frame = json!({
        "type": "typing_indicator",
        "session_id": conversation.uuid(),
        "user_id": user,
        "user_name": from.name.as_deref(),
        "author_type": words::author(from.principal),
        "is_typing": on,
    });
    Ok(link.tell(&frame).await?)
}
