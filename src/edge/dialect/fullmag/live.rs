//! The Socket.IO half of the dialect: what a client emits, and what it is told.
//!
//! Everybody joins a room to hear it. What is refused is said in the acknowledgement, or as
//! `exception` to who asked for none. That somebody waits for support is seen in a live list of
//! waiting rooms, so it does not matter through which door or on which node the customer wrote.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use switchboard_actors::Published;
use switchboard_actors::delivery::Delivery;
use switchboard_actors::inbox::{ViewDelta, Watch};
use switchboard_domain::card::{Card, Sort};
use switchboard_domain::conversation::{Body, Status, Stream, TransferTarget};
use switchboard_domain::ids::{ConversationId, Seq, Timestamp};
use switchboard_domain::person::{AgentRef, Author, Side};
use switchboard_store::{ListScope, Range};

use super::Profile;
use super::desk::Desk;
use super::wire::{id_of, message};
use crate::accounts::api_key::Scope;
use crate::auth::Identity;
use crate::edge::dialect::acknowledged::{Answer, Done, acknowledge};
use crate::edge::dialect::caller::require_scope;
use crate::edge::dialect::failed::Failed;
use crate::edge::dialect::request::in_words;
use crate::edge::dialect::socket_io::{Ack, Dialect, Heard, Link};
use crate::edge::problem::{Close, Code, Problem};

/// Waiting rooms that the live list of one connection shows.
const ROWS: usize = 200;
/// Rooms whose first message is remembered, so that none is told twice.
const TOLD_MAX: usize = 1_024;
/// Events read at once in search of a room's first message.
const PAGE: usize = 100;
/// How a customer is called who has neither name nor mail address.
const NAMELESS: &str = "Customer";

/// A connection of this dialect.
#[derive(Debug)]
pub struct Live {
    profile: Profile,
    told: Told,
}

/// Which rooms were told as requests, or are none.
#[derive(Debug)]
struct Told {
    /// What a customer first wrote before it is not new.
    since: Timestamp,
    rooms: VecDeque<(ConversationId, Timestamp)>,
}

impl Told {
    fn knows(&self, room: ConversationId) -> bool {
        self.rooms.iter().any(|(known, _)| *known == room)
    }

    /// Remembers a room that was first written in at that time.
    fn remember(&mut self, room: ConversationId, at: Timestamp) {
        self.rooms.push_back((room, at));
        if self.rooms.len() > TOLD_MAX
            && let Some((_, at)) = self.rooms.pop_front()
        {
            self.since = self.since.max(Timestamp(at.0 + 1));
        }
    }
}

impl Dialect for Live {
    type Profile = Profile;

    fn admits(profile: &Profile, identity: &Identity) -> Result<(), Problem> {
        profile.side(identity).map(drop)
    }

    async fn enter(link: &mut Link, profile: Profile) -> Result<Self, Close> {
        if link.side() == Side::Agent {
            let watch = Watch {
                id: link.next_ref(),
                statuses: vec![Status::Waiting],
                department: None,
                scope: ListScope::All,
                sort: Sort::Recent,
                limit: ROWS,
            };
            let (tenant, caller) = (&link.identity.tenant, &link.identity.caller);
            let watching = link.doors.inbox.watch(tenant, caller, watch, &link.outlet).await;
            watching.map_err(|refusal| {
                tracing::warn!(%refusal, "a connection could not begin");
                Close::Void
            })?;
        }
        Ok(Self { profile, told: Told { since: link.began_at, rooms: VecDeque::new() } })
    }

    async fn heard(&mut self, link: &mut Link, heard: Heard) -> Result<(), Close> {
        let answer = match require_scope(&link.identity, Scope::ConversationsWrite) {
            Ok(()) => Box::pin(self.emitted(link, &heard)).await,
            Err(problem) => Err(problem),
        };
        answered(link, heard.ack(), answer).await
    }

    async fn deliver(&mut self, link: &mut Link, delivery: Delivery) -> Result<(), Close> {
        let delivered = match delivery {
            Delivery::Event(published) if link.is_news(&published) => event(link, &published).await,
            Delivery::View(delta) => self.view(link, &delta).await,
            Delivery::Typing { conversation, from, on, .. } => {
                typing(link, conversation, &from, on).await
            }
            Delivery::Subscribed { conversation, ref_id, subscribed } => {
                let missed = link.stands(conversation, ref_id, &subscribed).await;
                match missed {
                    Ok(missed) => tell_all(link, &missed.unwrap_or_default()).await,
                    Err(problem) => Err(problem.into()),
                }
            }
            Delivery::Unsubscribed { conversation, why, .. } => {
                link.unsubscribed(conversation, why);
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
            | Delivery::Conversation(_)
            | Delivery::Drain { .. }
            | Delivery::Revoked
            | Delivery::Door(_) => Ok(()),
        };
        delivered.or_else(Failed::settle)
    }

    fn words(problem: &Problem) -> String {
        in_words(problem)
    }
}

async fn answered(link: &Link, ack: &Ack, answer: Answer) -> Result<(), Close> {
    match answer {
        Err(problem) if !ack.is_wanted() && problem.code != Code::UnknownOutcome => {
            let refusal = json!({ "status": "error", "message": in_words(&problem) });
            link.emit("exception", &refusal).await
        }
        answer => acknowledge(link, ack, answer).await,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Register {
    user_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JoinRoom {
    room_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SendMessage {
    room_id: String,
    sender_id: String,
    message: String,
    is_from_support: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typing {
    room_id: String,
    user_id: String,
    is_typing: bool,
}

impl Live {
    /// Does what a client emitted.
    async fn emitted(&self, link: &mut Link, heard: &Heard) -> Answer {
        let (doors, identity) = (link.doors.clone(), link.identity.clone());
        let desk = Desk::new(&doors, &identity, self.profile)?;
        match heard.event() {
            "register" => {
                let Register { user_id } = heard.data()?;
                desk.require_self(&user_id).await?;
                Ok(Done::Said(json!({})))
            }
            "joinRoom" => {
                let JoinRoom { room_id } = heard.data()?;
                let view = desk.find(&room_id).await?;
                link.join(view.state.id).await?;
                Ok(Done::Said(json!({ "room": desk.opened(&view).await? })))
            }
            "sendMessage" => {
                let SendMessage { room_id, sender_id, message, is_from_support } = heard.data()?;
                desk.require_self(&sender_id).await?;
                if is_from_support
                    .is_some_and(|is_support| is_support != (desk.side == Side::Agent))
                {
                    let words = "isFromSupport is not true of this token";
                    return Err(Problem::with(Code::Forbidden, words));
                }
                Ok(Done::Kept(desk.send(&room_id, message).await?))
            }
            "typing" => {
                let Typing { room_id, user_id, is_typing } = heard.data()?;
                desk.require_self(&user_id).await?;
                let room = desk.find(&room_id).await?.state.id;
                let key = doors.key(&identity.tenant, room);
                doors.conversations.typing(&key, &identity.caller, is_typing, None);
                Ok(Done::Said(json!({})))
            }
            _ => Err(Problem::with(Code::Invalid, "there is no such event")),
        }
    }

    /// A step of the live list of waiting rooms.
    async fn view(&mut self, link: &Link, delta: &ViewDelta) -> Result<(), Failed> {
        for row in delta.rows.shown() {
            match self.request(link, &row.card).await {
                Err(Failed::Problem(problem)) => link.unread(delta.id, row, problem)?,
                told => told?,
            }
        }
        Ok(())
    }

    /// Tells a request for support: once, when the customer first writes in a room that waits.
    async fn request(&mut self, link: &Link, card: &Card) -> Result<(), Failed> {
        if card.ordinals.visitor == 0 || self.told.knows(card.id) {
            return Ok(());
        }
        let is_old = card.last.is_some_and(|last| last.at < self.told.since);
        let first = if is_old { None } else { first_message(link, card.id).await? };
        let Some((at, message)) = first else {
            self.told.remember(card.id, self.told.since);
            return Ok(());
        };
        self.told.remember(card.id, at);
        let waited_then = card.waiting_since.is_some_and(|since| since <= at);
        if at < self.told.since || !waited_then {
            return Ok(());
        }
        let name = card.visitor_name().or_else(|| card.visitor_email()).unwrap_or(NAMELESS);
        let told = json!({ "roomId": card.id.uuid(), "userName": name, "message": message });
        Ok(link.emit("newChatRequest", &told).await?)
    }
}

/// What a room's customer wrote first, and when.
async fn first_message(
    link: &Link,
    room: ConversationId,
) -> Result<Option<(Timestamp, Arc<str>)>, Problem> {
    let key = link.doors.key(&link.identity.tenant, room);
    let (conversations, caller) = (&link.doors.conversations, &link.identity.caller);
    let mut after = Seq(0);
    loop {
        let range = Range::After(after);
        let page = conversations.history(&key, caller, Stream::Public, range, PAGE).await?;
        for published in &page.events {
            let event = &published.event;
            if let Body::Message { text, .. } = &event.body
                && event.from.principal.side() == Side::Visitor
            {
                return Ok(Some((event.at, Arc::clone(text))));
            }
        }
        match page.events.last() {
            Some(last) if page.more => after = last.event.seq,
            Some(_) | None => return Ok(None),
        }
    }
}

/// Tells what was missed, in order.
async fn tell_all(link: &Link, missed: &[Arc<Published>]) -> Result<(), Failed> {
    for published in missed {
        event(link, published).await?;
    }
    Ok(())
}

/// Tells an event of a room that is heard.
async fn event(link: &Link, published: &Arc<Published>) -> Result<(), Failed> {
    match &published.event.body {
        Body::Assigned { agent, .. }
        | Body::Transferred { to: TransferTarget::Agent(agent), .. } => joined(link, agent).await,
        _ => match message(&link.doors, &link.identity.tenant, published).await? {
            Some(message) => Ok(link.emit("newMessage", &message).await?),
            None => Ok(()),
        },
    }
}

/// Says who answers now.
async fn joined(link: &Link, agent: &AgentRef) -> Result<(), Failed> {
    let message = format!("You are talking with {} now.", agent.name);
    let told = json!({ "agentName": *agent.name, "message": message });
    Ok(link.emit("supportJoined", &told).await?)
}

async fn typing(link: &Link, room: ConversationId, from: &Author, on: bool) -> Result<(), Failed> {
    if !link.is_in(room) {
        return Ok(());
    }
    let user = id_of(&link.doors, &link.identity.tenant, from.principal).await?;
    Ok(link.emit("userTyping", &json!({ "userId": user, "isTyping": on })).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_not_news_again() {
        let mut told = Told { since: Timestamp(5), rooms: VecDeque::new() };
        let room = |n: usize| ConversationId::from_u128(n as u128);
        for n in 0..=TOLD_MAX {
            told.remember(room(n), Timestamp(10));
        }
        assert!(!told.knows(room(0)) && told.knows(room(1)) && told.knows(room(TOLD_MAX)));
        assert_eq!(told.since, Timestamp(11));
    }
}
