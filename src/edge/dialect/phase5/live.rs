//! The Socket.IO half of the dialect: what a client emits, and what it is told.
//!
//! Whoever started a chat and whoever has it hear it by themselves; others join. New chats, and
//! chats that come to an agent, are seen in the agent's own live lists, so it does not matter
//! through which door or on which node they were begun or assigned.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::json;
use switchboard_actors::Published;
use switchboard_actors::delivery::Delivery;
use switchboard_actors::inbox::{Rows, ViewDelta, Watch};
use switchboard_actors::presence::AgentPresence;
use switchboard_domain::card::{Card, Sort};
use switchboard_domain::conversation::{Body, Conversation, Status, TransferTarget};
use switchboard_domain::ids::{AgentId, ConversationId, Number, Timestamp};
use switchboard_domain::person::{AgentRef, Author, Principal, Side};
use switchboard_domain::presence;
use switchboard_store::ListScope;

use super::desk::{Desk, Named, Start};
use super::wire::{Agent, message};
use super::words;
use crate::accounts::api_key::Scope;
use crate::edge::caller;
use crate::edge::dialect::acknowledged::{Answer, Done, acknowledge};
use crate::edge::dialect::caller::require_scope;
use crate::edge::dialect::encoded::Encoded;
use crate::edge::dialect::failed::Failed;
use crate::edge::dialect::follow::open_of;
use crate::edge::dialect::request::in_words;
use crate::edge::dialect::socket_io::{Dialect, Heard, Link};
use crate::edge::numbers::name_of;
use crate::edge::problem::{Close, Code, Problem};

/// Waiting chats that an agent's live list shows.
const ROWS: usize = 200;
/// Chats that were told as new and are remembered, so that none is told twice.
const TOLD_MAX: usize = 1_024;

/// A connection of this dialect.
#[derive(Debug)]
pub struct Live {
    /// The live list of waiting chats; agents only.
    waiting: Option<u64>,
    /// The live list of the agent's own chats.
    own: Option<u64>,
    told: Told,
    /// Chats to be told as assigned as soon as they are heard.
    assigned: HashSet<ConversationId>,
    /// What was last told of each agent.
    statuses: HashMap<AgentId, presence::Status>,
}

/// Which waiting chats were told as new: those since a moment, each once.
#[derive(Debug)]
struct Told {
    /// What began to wait before it is not new.
    since: Timestamp,
    newest: VecDeque<(ConversationId, Timestamp)>,
}

impl Told {
    /// By what a chat that waits is remembered, if it is news.
    fn news(&self, card: &Card) -> Option<(ConversationId, Timestamp)> {
        let since = card.waiting_since?;
        let name = (card.id, since);
        (since >= self.since && !self.newest.contains(&name)).then_some(name)
    }

    fn remember(&mut self, name: (ConversationId, Timestamp)) {
        self.newest.push_back(name);
        if self.newest.len() > TOLD_MAX
            && let Some((_, since)) = self.newest.pop_front()
        {
            self.since = self.since.max(since);
        }
    }
}

/// A message as it is told.
#[derive(Serialize)]
struct NewMessage<'a> {
    session_id: u64,
    message: &'a Encoded,
}

impl Dialect for Live {
    type Profile = ();

    async fn enter(link: &mut Link, (): ()) -> Result<Self, Close> {
        let mut live = Self {
            waiting: None,
            own: None,
            told: Told { since: link.began_at, newest: VecDeque::new() },
            assigned: HashSet::new(),
            statuses: HashMap::new(),
        };
        match link.identity.caller.author.principal {
            Principal::Agent(agent) => live.enter_agent(link, agent).await,
            Principal::Visitor(_) => enter_customer(link).await,
            Principal::Bot(_) | Principal::System => Ok(()),
        }
        .map_err(|problem| {
            tracing::warn!(code = problem.code.as_str(), "a connection could not begin");
            Close::Void
        })?;
        Ok(live)
    }

    async fn heard(&mut self, link: &mut Link, heard: Heard) -> Result<(), Close> {
        let answer = match require_scope(&link.identity, Scope::ConversationsWrite) {
            Ok(()) => Box::pin(self.emitted(link, &heard)).await,
            Err(problem) => Err(problem),
        };
        acknowledge(link, heard.ack(), answer).await
    }

    async fn deliver(&mut self, link: &mut Link, delivery: Delivery) -> Result<(), Close> {
        let delivered = match delivery {
            Delivery::Event(published) if link.is_news(&published) => event(link, &published).await,
            Delivery::Event(_) => Ok(()),
            other => Box::pin(self.deliver_other(link, other)).await,
        };
        delivered.or_else(Failed::settle)
    }

    fn words(problem: &Problem) -> String {
        in_words(problem)
    }
}

/// A customer hears own open chats.
async fn enter_customer(link: &mut Link) -> Result<(), Problem> {
    let Principal::Visitor(visitor) = link.identity.caller.author.principal else { return Ok(()) };
    let open = open_of(link, visitor).await?;
    link.hear_all(open).await;
    Ok(())
}

#[derive(Deserialize)]
struct OfSession {
    session_id: Named,
}

#[derive(Deserialize)]
struct SendMessage {
    session_id: Named,
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Option<String>,
}

#[derive(Deserialize)]
struct Typing {
    session_id: Named,
    is_typing: bool,
}

#[derive(Deserialize)]
struct UpdateStatus {
    availability_status: String,
}

impl Live {
    /// Does what a client emitted.
    async fn emitted(&mut self, link: &mut Link, heard: &Heard) -> Answer {
        let (doors, identity) = (link.doors.clone(), link.identity.clone());
        let desk = Desk { doors: &doors, identity: &identity };
        match heard.event() {
            "chat:start" => {
                let start = heard.data::<Option<Start>>()?.unwrap_or_default();
                let state = desk.start(start, &HeaderMap::new(), link.address).await?;
                link.join(state.id).await?;
                let session = desk.shown(&state).await?;
                Ok(json!({ "session": session, "message": super::STARTED }).into())
            }
            "chat:accept" => {
                caller::agent(&identity)?;
                let OfSession { session_id } = heard.data()?;
                let id = desk.find(&session_id).await?.id;
                let state = desk.accept(id).await?;
                if !link.is_in(id) {
                    self.assigned.insert(id);
                    link.join(id).await?;
                }
                Ok(json!({ "session": desk.shown(&state).await? }).into())
            }
            "chat:join" => {
                let OfSession { session_id } = heard.data()?;
                let state = desk.find(&session_id).await?;
                link.join(state.id).await?;
                Ok(json!({ "session": desk.shown(&state).await? }).into())
            }
            "chat:send_message" => {
                let SendMessage { session_id, kind, content } = heard.data()?;
                match kind.as_deref() {
                    None | Some("text") => {}
                    Some("file") => {
                        let words = "files are not served yet";
                        return Err(Problem::with(Code::Invalid, words));
                    }
                    Some(_) => return Err(Problem::with(Code::Invalid, "type is text or file")),
                }
                let id = desk.named(&session_id).await?;
                Ok(Done::Kept(desk.send(id, content.unwrap_or_default()).await?))
            }
            "chat:typing" => {
                let Typing { session_id, is_typing } = heard.data()?;
                let id = desk.find(&session_id).await?.id;
                let key = doors.key(&identity.tenant, id);
                doors.conversations.typing(&key, &identity.caller, is_typing, None);
                Ok(json!({}).into())
            }
            "chat:end" => {
                let OfSession { session_id } = heard.data()?;
                let id = desk.find(&session_id).await?.id;
                let state = desk.end(id).await?;
                Ok(json!({ "session": desk.shown(&state).await? }).into())
            }
            "agent:update_status" => {
                let UpdateStatus { availability_status } = heard.data()?;
                let known = desk.set_status(&availability_status).await?;
                serde_json::to_value(known)
                    .map(Done::Said)
                    .map_err(|error| Problem::with(Code::Internal, error.to_string()))
            }
            "agent:activity_ping" => {
                let agent = caller::agent(&identity)?.id;
                doors.presence.alive(&identity.tenant, agent);
                Ok(json!({}).into())
            }
            _ => Err(Problem::with(Code::Invalid, "there is no such event")),
        }
    }
}

/// Tells an event of a chat that is heard.
async fn event(link: &Link, published: &Arc<Published>) -> Result<(), Failed> {
    let event = &published.event;
    let Some(number) = link.number(published.conversation) else { return Ok(()) };
    let (doors, tenant) = (&link.doors, &link.identity.tenant);
    match &event.body {
        Body::Message { .. } | Body::AgentAvailable { .. } => {
            if let Some(message) = message(doors, tenant, Number(number), published).await? {
                let told = NewMessage { session_id: number, message: &message };
                link.emit("chat:new_message", &told).await?;
            }
            Ok(())
        }
        Body::Assigned { agent, .. }
        | Body::Transferred { to: TransferTarget::Agent(agent), .. } => {
            let state = look(link, published.conversation).await?;
            tell_assigned(link, &state, agent).await
        }
        Body::TransferRefused => {
            let state = look(link, published.conversation).await?;
            match &state.agent {
                Some(agent) => tell_assigned(link, &state, agent).await,
                None => Ok(()),
            }
        }
        Body::Closed { resolution } => {
            let ended_by = name_of(doors, tenant, event.from.principal).await?;
            let reason = words::reason(*resolution);
            let told = json!({ "session_id": number, "ended_by": ended_by, "reason": reason });
            Ok(link.emit("chat:ended", &told).await?)
        }
        _ => Ok(()),
    }
}

async fn look(link: &Link, conversation: ConversationId) -> Result<Arc<Conversation>, Problem> {
    Desk { doors: &link.doors, identity: &link.identity }.look(conversation).await
}

/// Says who has a chat now.
async fn tell_assigned(link: &Link, state: &Conversation, agent: &AgentRef) -> Result<(), Failed> {
    let (doors, tenant) = (&link.doors, &link.identity.tenant);
    let agent = Agent::new(doors, tenant, agent).await?;
    let session = Desk { doors, identity: &link.identity }.shown(state).await?;
    let told = json!({ "session_id": state.number.0, "agent": agent, "session": session });
    Ok(link.emit("chat:session_assigned", &told).await?)
}

async fn tell_typing(
    link: &Link,
    conversation: ConversationId,
    from: &Author,
    on: bool,
) -> Result<(), Failed> {
    let Some(number) = link.number(conversation) else { return Ok(()) };
    let user = name_of(&link.doors, &link.identity.tenant, from.principal).await?;
    let told = json!({ "session_id": number, "user_id": user, "is_typing": on });
    Ok(link.emit("chat:typing", &told).await?)
}

impl Live {
    /// An agent hears own chats, and sees what waits and what comes.
    async fn enter_agent(&mut self, link: &mut Link, agent: AgentId) -> Result<(), Problem> {
        // The live list would bring these in only after the client knows that it is here.
        let open = link.doors.inbox.open_cards(&link.identity.tenant);
        let own = open.iter().filter(|card| card.agent == Some(agent)).take(ROWS);
        link.hear_all(own.map(|card| card.id)).await;
        let lists = [(Status::Waiting, ListScope::All), (Status::Active, ListScope::Agent(agent))];
        for (status, scope) in lists {
            let id = link.next_ref();
            let list = if status == Status::Waiting { &mut self.waiting } else { &mut self.own };
            *list = Some(id);
            let watch = Watch {
                id,
                statuses: vec![status],
                department: None,
                scope,
                sort: Sort::Recent,
                limit: ROWS,
            };
            let (tenant, caller) = (&link.identity.tenant, &link.identity.caller);
            link.doors.inbox.watch(tenant, caller, watch, &link.outlet).await?;
        }
        Ok(())
    }

    async fn deliver_other(&mut self, link: &mut Link, delivery: Delivery) -> Result<(), Failed> {
        match delivery {
            Delivery::Subscribed { conversation, ref_id, subscribed } => {
                let state = &subscribed.state;
                let Some(missed) = link.stands(conversation, ref_id, &subscribed).await? else {
                    return Ok(());
                };
                for published in &missed {
                    event(link, published).await?;
                }
                // Told only now, so that what a client reads upon it leaves no gap to what it
                // hears.
                match &state.agent {
                    Some(agent) if self.assigned.remove(&conversation) => {
                        tell_assigned(link, state, agent).await
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Delivery::Unsubscribed { conversation, why, .. } => {
                link.unsubscribed(conversation, why);
                Ok(())
            }
            Delivery::Typing { conversation, from, on, .. } => {
                tell_typing(link, conversation, &from, on).await
            }
            Delivery::View(delta) => self.view(link, &delta).await,
            Delivery::Presence { agents, snapshot } if link.side() == Side::Agent => {
                self.presence(link, &agents, snapshot).await
            }
            // Somebody wrote to this customer, or another socket of theirs started a chat.
            Delivery::Conversation(conversation) => {
                drop(link.hear(conversation));
                Ok(())
            }
            Delivery::Event(_)
            | Delivery::Receipt { .. }
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

    /// A step of one of the agent's live lists.
    async fn view(&mut self, link: &mut Link, delta: &ViewDelta) -> Result<(), Failed> {
        let is_first = matches!(delta.rows, Rows::Snapshot(_));
        if self.waiting == Some(delta.id) {
            for row in delta.rows.shown() {
                match self.waiting(link, &row.card).await {
                    Err(Failed::Problem(problem)) => link.unread(delta.id, row, problem)?,
                    told => told?,
                }
            }
        } else if self.own == Some(delta.id) {
            for row in delta.rows.shown() {
                let conversation = row.card.id;
                if !link.is_in(conversation) {
                    if !is_first {
                        self.assigned.insert(conversation);
                    }
                    drop(link.hear(conversation));
                }
            }
        }
        Ok(())
    }

    /// Tells a chat that waits: once, when it begins to.
    async fn waiting(&mut self, link: &Link, card: &Card) -> Result<(), Failed> {
        let Some(name) = self.told.news(card) else { return Ok(()) };
        let state = look(link, card.id).await?;
        let session = Desk { doors: &link.doors, identity: &link.identity }.shown(&state).await?;
        link.emit("chat:new_session", &json!({ "session": session })).await?;
        self.told.remember(name);
        Ok(())
    }

    /// Tells whose status changed.
    async fn presence(
        &mut self,
        link: &Link,
        agents: &[AgentPresence],
        snapshot: bool,
    ) -> Result<(), Failed> {
        for known in agents {
            let agent = known.agent.id;
            let before = self.statuses.insert(agent, known.effective);
            // Who was never there was offline.
            if snapshot || before.unwrap_or(presence::Status::Offline) == known.effective {
                continue;
            }
            let tenant = &link.identity.tenant;
            let name = name_of(&link.doors, tenant, Principal::Agent(agent)).await?;
            let status = words::presence(known.effective);
            let told = json!({ "agent_id": name, "status": status });
            link.emit("agent:status_changed", &told).await?;
        }
        Ok(())
    }
}
