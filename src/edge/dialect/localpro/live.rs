//! The socket of the dialect. A user hears the own session. An agent hears of every session in
//! sight what its user does, and of those that it subscribed to also what agents do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use switchboard_actors::Published;
use switchboard_actors::delivery::{Delivery, Unsubscribed};
use switchboard_domain::conversation::{Body, Conversation, Status, Stream, TransferTarget};
use switchboard_domain::ids::{ConversationId, Seq};
use switchboard_domain::person::{AgentRef, Author, Principal, Side};
use switchboard_domain::receipt::Receipt;
use switchboard_store::Range;

use super::desk::{Desk, Standing};
use super::label::no_session;
use super::wire::{AdminSession, Agent, label_of};
use super::words;
use crate::accounts::api_key::Scope;
use crate::edge::dialect::caller::require_scope;
use crate::edge::dialect::failed::Failed;
use crate::edge::dialect::follow::Follow;
use crate::edge::dialect::history::Line;
use crate::edge::dialect::people::id_of;
use crate::edge::dialect::request::in_words;
use crate::edge::dialect::seat::Seat;
use crate::edge::dialect::web_socket::{Dialect, Link};
use crate::edge::problem::{Close, Code, Problem};
use crate::edge::time::Rfc3339;

/// Receipts of which is remembered how far they were told.
const RECEIPTS_MAX: usize = 1_024;
/// Events that are read at once for the message that a receipt names.
const AROUND: usize = 50;
/// Events that are read for it at most: what lies further back was read long ago.
const BACK_MAX: usize = 1_000;
/// Sessions that one connection subscribes to.
const SUBSCRIBED_MAX: usize = 256;

/// A connection of this dialect.
#[derive(Debug)]
pub(super) struct Live {
    follow: Follow,
    /// The session of a user.
    own: Option<ConversationId>,
    /// Sessions that an agent subscribed to.
    subscribed: HashSet<ConversationId>,
    /// Up to where it was told that somebody had read.
    read: HashMap<(ConversationId, Principal), Seq>,
}

impl Dialect for Live {
    async fn enter(link: &mut Link) -> Result<Self, Close> {
        let begun = async {
            let follow = Follow::begin(link.seat()).await?;
            let own = match link.identity.caller.author.principal {
                // A visitor of this dialect has one session, of the same id.
                Principal::Visitor(visitor) => Some(ConversationId::new(visitor.uuid())),
                Principal::Agent(_) | Principal::Bot(_) | Principal::System => None,
            };
            // It may have ended, and go on.
            link.hear_all(own).await;
            Ok::<_, Problem>((own, follow))
        };
        let (own, follow) = begun.await.map_err(|problem| {
            tracing::warn!(code = problem.code.as_str(), "a connection could not begin");
            Close::Void
        })?;
        let now = Rfc3339(link.doors.clock.now());
        link.tell(&json!({ "type": "connection_established", "timestamp": now })).await?;
        Ok(Self { follow, own, subscribed: HashSet::new(), read: HashMap::new() })
    }

    async fn heard(&mut self, link: &mut Link, said: Value) -> Result<(), Close> {
        let answer = match require_scope(&link.identity, Scope::ConversationsWrite) {
            Ok(()) => self.does(link, &said).await,
            Err(problem) => Err(problem),
        };
        match answer {
            Ok(None) => Ok(()),
            Ok(Some(frame)) => link.tell(&frame).await,
            Err(problem) => link.tell(&Self::refusal(&problem)).await,
        }
    }

    async fn deliver(&mut self, link: &mut Link, delivery: Delivery) -> Result<(), Close> {
        Box::pin(self.told(link, delivery)).await.or_else(Failed::settle)
    }

    fn refusal(problem: &Problem) -> Value {
        json!({ "type": "error", "success": false, "message": in_words(problem) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typing {
    is_typing: bool,
    session_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadReceipt {
    message_id: String,
    session_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfSession {
    session_id: String,
}

fn parsed<T: DeserializeOwned>(said: &Value) -> Result<T, Problem> {
    T::deserialize(said).map_err(|error| Problem::with(Code::BadRequest, error.to_string()))
}

impl Live {
    /// Does what a client said; the answer is a frame, if it gets one of its own.
    async fn does(&mut self, link: &mut Link, said: &Value) -> Result<Option<Value>, Problem> {
        match said.get("type").and_then(Value::as_str) {
            Some("typing") => {
                let Typing { is_typing, session_id } = parsed(said)?;
                let id = self.meant(link, session_id.as_deref()).await?;
                link.join(id).await?;
                let key = link.doors.key(&link.identity.tenant, id);
                link.doors.conversations.typing(&key, &link.identity.caller, is_typing, None);
                Ok(None)
            }
            Some("read_receipt") => {
                let ReadReceipt { message_id, session_id } = parsed(said)?;
                let id = self.meant(link, session_id.as_deref()).await?;
                let seq = position_of(link, id, &message_id).await?;
                let key = link.doors.key(&link.identity.tenant, id);
                let caller = &link.identity.caller;
                link.doors.conversations.receipt(&key, caller, None, Some(seq));
                Ok(None)
            }
            Some("subscribe_session") if link.side() == Side::Agent => {
                let OfSession { session_id } = parsed(said)?;
                let id = self.meant(link, Some(&session_id)).await?;
                if self.subscribed.len() >= SUBSCRIBED_MAX {
                    let words = "too many sessions are subscribed to";
                    return Err(Problem::with(Code::TooLarge, words));
                }
                link.join(id).await?;
                self.subscribed.insert(id);
                Ok(None)
            }
            Some("unsubscribe_session") if link.side() == Side::Agent => {
                let OfSession { session_id } = parsed(said)?;
                let state = self.meant_now(link, Some(&session_id)).await?;
                self.subscribed.remove(&state.id);
                // What is open is heard by every agent.
                if !state.status.is_open() {
                    link.quit(state.id);
                }
                Ok(None)
            }
            Some("subscribe_session" | "unsubscribe_session") => Err(Code::Forbidden.into()),
            Some("ping") => Ok(Some(json!({ "type": "pong" }))),
            Some(_) => Err(Problem::with(Code::UnknownType, "there is no such type")),
            None => Err(Problem::with(Code::BadFrame, "type is missing")),
        }
    }

    /// The session that a frame means, by its id.
    async fn meant(&self, seat: &Seat, session: Option<&str>) -> Result<ConversationId, Problem> {
        Ok(self.meant_now(seat, session).await?.id)
    }

    /// The session that a frame means: a user's own, whose name need not be said; of agents the
    /// one they name. What the client may not see is not there.
    async fn meant_now(
        &self,
        seat: &Seat,
        session: Option<&str>,
    ) -> Result<Arc<Conversation>, Problem> {
        let desk = Desk { doors: &seat.doors, identity: &seat.identity };
        let Some(own) = self.own else {
            return desk.find(session.ok_or_else(no_session)?).await;
        };
        let state = desk.look(own).await?;
        let is_own = session.is_none_or(|session| session == label_of(&state));
        if is_own { Ok(state) } else { Err(no_session()) }
    }

    async fn told(&mut self, link: &mut Link, delivery: Delivery) -> Result<(), Failed> {
        match delivery {
            Delivery::Event(published) => {
                if self.follow.hears(&published) {
                    self.event(link, &published).await?;
                }
                Ok(())
            }
            Delivery::Subscribed { conversation, ref_id, subscribed } => {
                let missed =
                    self.follow.stands(link.seat(), conversation, ref_id, &subscribed).await?;
                for published in &missed {
                    self.event(link, published).await?;
                }
                Ok(())
            }
            Delivery::Unsubscribed { conversation, why, .. } => {
                if why == Unsubscribed::Forbidden {
                    self.subscribed.remove(&conversation);
                }
                link.unsubscribed(conversation, why);
                Ok(())
            }
            Delivery::View(delta) => {
                for published in &self.follow.view(link.seat(), &delta).await? {
                    self.event(link, published).await?;
                }
                // What was subscribed to is heard after its end too.
                for conversation in &self.subscribed {
                    drop(link.hear(*conversation));
                }
                Ok(())
            }
            Delivery::Conversation(conversation) => {
                drop(link.hear(conversation));
                Ok(())
            }
            Delivery::Typing { conversation, from, on, .. } => {
                self.typing(link, conversation, &from, on).await
            }
            Delivery::Receipt { conversation, by, receipt } => {
                self.receipt(link, conversation, &by, &receipt).await
            }
            Delivery::Presence { .. }
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

    /// Whether the client hears what agents do in a session.
    fn hears_agents(&self, seat: &Seat, conversation: ConversationId) -> bool {
        seat.side() == Side::Visitor || self.subscribed.contains(&conversation)
    }

    /// Tells an event.
    async fn event(&self, link: &mut Link, published: &Arc<Published>) -> Result<(), Failed> {
        let event = &published.event;
        let conversation = published.conversation;
        match &event.body {
            Body::Created(_) if link.side() == Side::Agent => new_session(link, conversation).await,
            Body::Message { .. } | Body::AgentAvailable { .. } => {
                let is_own = event.from.principal == link.identity.caller.author.principal;
                let is_user = event.from.principal.side() == Side::Visitor;
                if is_own || !(is_user || self.hears_agents(link, conversation)) {
                    return Ok(());
                }
                message(link, published).await
            }
            Body::Assigned { agent, previous, .. }
            | Body::Transferred { to: TransferTarget::Agent(agent), previous } => {
                if self.hears_agents(link, conversation) {
                    assigned(link, conversation, agent).await?;
                }
                if previous.is_none() {
                    changed(link, conversation, Status::Active).await?;
                }
                Ok(())
            }
            Body::TransferRefused => self.came_back(link, conversation).await,
            Body::Transferred { to: TransferTarget::Department(_), previous: Some(_) }
            | Body::Unassigned { .. }
            | Body::Reopened => changed(link, conversation, Status::Waiting).await,
            Body::Closed { .. } => changed(link, conversation, Status::Closed).await,
            Body::Archived => changed(link, conversation, Status::Archived).await,
            _ => Ok(()),
        }
    }

    /// A session was not taken over: who had it before has it, else nobody.
    async fn came_back(&self, link: &mut Link, conversation: ConversationId) -> Result<(), Failed> {
        let desk = Desk { doors: &link.doors, identity: &link.identity };
        let state = desk.look(conversation).await?;
        match &state.agent {
            Some(agent) if self.hears_agents(link, conversation) => {
                assigned(link, conversation, agent).await
            }
            Some(_) => Ok(()),
            None => changed(link, conversation, Status::Waiting).await,
        }
    }

    async fn typing(
        &self,
        link: &mut Link,
        conversation: ConversationId,
        from: &Author,
        on: bool,
    ) -> Result<(), Failed> {
        let is_user = from.principal.side() == Side::Visitor;
        if !is_user && !self.hears_agents(link, conversation) {
            return Ok(());
        }
        let kind = if is_user { "user_typing" } else { "agent_typing" };
        let session = name_of(link, conversation).await?;
        let frame = json!({ "type": kind, "sessionId": session, "isTyping": on });
        Ok(link.tell(&frame).await?)
    }

    /// Tells up to which message somebody has read.
    async fn receipt(
        &mut self,
        link: &mut Link,
        conversation: ConversationId,
        by: &Author,
        receipt: &Receipt,
    ) -> Result<(), Failed> {
        if !self.hears_agents(link, conversation) {
            return Ok(());
        }
        if self.read.len() >= RECEIPTS_MAX {
            self.read.clear();
        }
        let before = self.read.insert((conversation, by.principal), receipt.read);
        if receipt.read <= before.unwrap_or_default() {
            return Ok(());
        }
        let key = link.doors.key(&link.identity.tenant, conversation);
        let range = Range::Before(receipt.read.next());
        let (conversations, caller) = (&link.doors.conversations, &link.identity.caller);
        let around = conversations.history(&key, caller, Stream::Public, range, AROUND).await;
        let around = around.map_err(Problem::from)?;
        let newest = around.events.iter().rev().find_map(Line::new);
        let Some(newest) = newest else { return Ok(()) };
        let by = id_of(&link.doors, &link.identity.tenant, by.principal).await?;
        let frame = json!({
            "type": "read_receipt",
            "sessionId": name_of(link, conversation).await?,
            "messageId": newest.published.event.id.to_string(),
            "readBy": by,
        });
        Ok(link.tell(&frame).await?)
    }
}

/// Where a message stands, by its id.
async fn position_of(
    seat: &Seat,
    conversation: ConversationId,
    message: &str,
) -> Result<Seq, Problem> {
    let key = seat.doors.key(&seat.identity.tenant, conversation);
    let mut before = Seq(u64::MAX);
    for _ in 0..BACK_MAX / AROUND {
        let (conversations, caller) = (&seat.doors.conversations, &seat.identity.caller);
        let range = Range::Before(before);
        let page = conversations.history(&key, caller, Stream::Public, range, AROUND).await?;
        let mut lines = page.events.iter().filter_map(Line::new);
        let named = lines.find(|line| line.published.event.id.to_string() == message);
        if let Some(named) = named {
            return Ok(named.published.event.seq);
        }
        match page.events.first() {
            Some(first) if page.more => before = first.event.seq,
            Some(_) | None => break,
        }
    }
    Err(Problem::with(Code::NoMessage, "there is no such message"))
}

async fn name_of(seat: &Seat, conversation: ConversationId) -> Result<String, Problem> {
    let desk = Desk { doors: &seat.doors, identity: &seat.identity };
    Ok(label_of(&*desk.look(conversation).await?))
}

async fn new_session(link: &mut Link, conversation: ConversationId) -> Result<(), Failed> {
    let desk = Desk { doors: &link.doors, identity: &link.identity };
    let Standing { state, n_unread, .. } = desk.standing(conversation).await?;
    let (doors, tenant) = (&link.doors, &link.identity.tenant);
    let session = AdminSession::new(doors, tenant, &state, n_unread, None).await?;
    Ok(link.tell(&json!({ "type": "new_session", "session": session })).await?)
}

async fn message(link: &mut Link, published: &Arc<Published>) -> Result<(), Failed> {
    let Some(line) = Line::new(published) else { return Ok(()) };
    let desk = Desk { doors: &link.doors, identity: &link.identity };
    let standing = desk.standing(published.conversation).await?;
    let message = desk.message(&standing.state, &line, &standing.read()).await?;
    let is_user = published.event.from.principal.side() == Side::Visitor;
    let kind = if is_user { "user_message" } else { "agent_message" };
    let session = label_of(&standing.state);
    let frame = json!({ "type": kind, "sessionId": session, "message": message });
    Ok(link.tell(&frame).await?)
}

async fn assigned(
    link: &mut Link,
    conversation: ConversationId,
    agent: &AgentRef,
) -> Result<(), Failed> {
    let shown = Agent::new(&link.doors, &link.identity.tenant, agent, link.side()).await?;
    let mut shown = json!(shown);
    shown["name"] = Value::String((*agent.name).to_owned());
    let session = name_of(link, conversation).await?;
    let frame = json!({ "type": "agent_assigned", "sessionId": session, "agent": shown });
    Ok(link.tell(&frame).await?)
}

async fn changed(
    link: &mut Link,
    conversation: ConversationId,
    status: Status,
) -> Result<(), Failed> {
    let session = name_of(link, conversation).await?;
    let status = words::status(status);
    let frame = json!({ "type": "session_status_changed", "sessionId": session, "status": status });
    Ok(link.tell(&frame).await?)
}
