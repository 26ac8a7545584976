//! What REST and the socket ask of the core: the same commands and queries as our own API.

use std::sync::Arc;

use switchboard_actors::Published;
use switchboard_actors::answer::View;
use switchboard_domain::conversation::{Body, Command, Conversation, Rating, Resolution, Stream};
use switchboard_domain::ids::{ConversationId, Seq, Timestamp};
use switchboard_domain::person::{AgentRef, Author, Principal, Side};
use switchboard_domain::receipt::Receipt;
use switchboard_store::{ConversationKey, Range};

use super::wire::{Agent, Details, Judgement, Message, Note, Read, Since, label_of};
use crate::auth::Identity;
use crate::edge::commands::ask;
use crate::edge::dialect::history::{self, Line};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};
use crate::edge::time::Rfc3339;

/// Internal events that are read for the notes of a session: the newest ones.
const INTERNAL_MAX: usize = 1_000;

/// Somebody asks something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'a> {
    pub(super) doors: &'a Arc<Doors>,
    pub(super) identity: &'a Identity,
}

/// A session as it stands, and how far it was read.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) state: Arc<Conversation>,
    /// The furthest receipt of each side.
    user: Receipt,
    agents: Receipt,
    /// Messages of the user that no agent has read.
    pub(super) n_unread: u32,
}

impl Standing {
    /// How far each side has read it now.
    pub(super) fn read(&self) -> Read {
        let now = |receipt| Since::new(receipt, std::iter::empty());
        Read { user: now(&self.user), agents: now(&self.agents) }
    }
}

impl Desk<'_> {
    pub(super) fn side(&self) -> Side {
        self.identity.caller.author.principal.side()
    }

    pub(super) fn key(&self, id: ConversationId) -> ConversationKey {
        self.doors.key(&self.identity.tenant, id)
    }

    /// A conversation as it stands, if the caller may see it.
    pub(super) async fn look(&self, id: ConversationId) -> Result<Arc<Conversation>, Problem> {
        Ok(self.doors.conversations.state(&self.key(id), &self.identity.caller).await?.state)
    }

    /// The same, and how far it was read.
    pub(super) async fn standing(&self, id: ConversationId) -> Result<Standing, Problem> {
        let key = self.key(id);
        let View { state, side, other, .. } =
            self.doors.conversations.state(&key, &self.identity.caller).await?;
        let (user, agents) = match self.side() {
            Side::Visitor => (side, other),
            Side::Agent | Side::System => (other, side),
        };
        let n_unread = agents.unread(Side::Agent, state.ordinals);
        Ok(Standing { state, user, agents, n_unread })
    }

    /// Carries a command out.
    pub(super) async fn command(
        &self,
        id: ConversationId,
        command: Command,
    ) -> Result<Arc<Conversation>, Problem> {
        Ok(ask(self.doors, self.identity, &self.key(id), None, command).await?.state)
    }

    /// Writes a message.
    pub(super) async fn send(
        &self,
        id: ConversationId,
        content: Option<String>,
    ) -> Result<Message, Problem> {
        let text = content.unwrap_or_default().into();
        let command = Command::Send { text, files: Vec::new(), if_head: None };
        let done = ask(self.doors, self.identity, &self.key(id), None, command).await?;
        let line = done.events.iter().find_map(Line::new).ok_or(Code::Internal)?;
        self.message(&done.state, &line, &Read::default()).await
    }

    /// A message as it reads now.
    pub(super) async fn message(
        &self,
        state: &Conversation,
        line: &Line,
        read: &Read,
    ) -> Result<Message, Problem> {
        Message::new(self.doors, &self.identity.tenant, label_of(state), line, read).await
    }

    /// The lines of a page, oldest first, as messages. Whoever reads the newest has read all.
    pub(super) async fn messages(
        &self,
        standing: &Standing,
        page: &Page,
    ) -> Result<(Vec<Message>, usize), Problem> {
        let state = &standing.state;
        let (lines, head) = history::look(self.doors, self.identity, state.id).await?;
        let read = self.read(standing).await?;
        let mut messages = Vec::new();
        for line in lines.iter().skip(page.skipped()).take(page.limit) {
            messages.push(self.message(state, line, &read).await?);
        }
        if page.skipped().saturating_add(page.limit) >= lines.len() {
            let key = self.key(state.id);
            let caller = &self.identity.caller;
            self.doors.conversations.receipt(&key, caller, None, Some(head));
        }
        Ok((messages, lines.len()))
    }

    /// How far each side has read a session, and since when.
    async fn read(&self, standing: &Standing) -> Result<Read, Problem> {
        let readings = self.doors.store.readings(&self.key(standing.state.id)).await?;
        let of = |side: Side| {
            let own = readings.iter().filter(move |reading| reading.by.side() == side);
            own.map(|reading| (reading.upto, reading.at))
        };
        Ok(Read {
            user: Since::new(&standing.user, of(Side::Visitor)),
            agents: Since::new(&standing.agents, of(Side::Agent)),
        })
    }

    /// Ends a session, if it has not ended.
    pub(super) async fn end(&self, id: ConversationId) -> Result<Arc<Conversation>, Problem> {
        self.command(id, Command::Close { resolution: Resolution::None }).await
    }

    /// The user judges a session that has ended.
    pub(super) async fn rate(
        &self,
        id: ConversationId,
        score: u8,
        feedback: Option<String>,
    ) -> Result<Judgement, Problem> {
        let command = Command::Rate(Rating { score, comment: feedback.map(Arc::from) });
        let done = ask(self.doors, self.identity, &self.key(id), None, command).await?;
        let rated = done.events.iter().find_map(|published| match &published.event.body {
            Body::Rated(rating) => Some(Judgement::new(rating, Some(published.event.at))),
            _ => None,
        });
        rated.ok_or_else(|| Code::Internal.into())
    }

    /// What the log says of a session beside its state. Agents only.
    pub(super) async fn details(&self, state: &Conversation) -> Result<Details, Problem> {
        let (key, caller) = (self.key(state.id), &self.identity.caller);
        let newest = Range::Before(Seq(u64::MAX));
        let conversations = &self.doors.conversations;
        let internal =
            conversations.history(&key, caller, Stream::Internal, newest, INTERNAL_MAX).await?;
        let mut notes = Vec::new();
        for published in &internal.events {
            notes.extend(self.note(published).await?);
        }
        Ok(Details { notes, rated_at: self.rated_at(state).await? })
    }

    async fn rated_at(&self, state: &Conversation) -> Result<Option<Timestamp>, Problem> {
        if state.rating.is_none() {
            return Ok(None);
        }
        let (key, caller) = (self.key(state.id), &self.identity.caller);
        let mut before = Seq(u64::MAX);
        loop {
            let range = Range::Before(before);
            let conversations = &self.doors.conversations;
            let page =
                conversations.history(&key, caller, Stream::Public, range, INTERNAL_MAX).await?;
            let rated =
                |published: &&Arc<Published>| matches!(published.event.body, Body::Rated(_));
            if let Some(published) = page.events.iter().find(rated) {
                return Ok(Some(published.event.at));
            }
            match page.events.first() {
                Some(first) if page.more => before = first.event.seq,
                Some(_) | None => return Ok(None),
            }
        }
    }

    /// The note that an event is; `None` for any other event.
    pub(super) async fn note(&self, published: &Published) -> Result<Option<Note>, Problem> {
        let event = &published.event;
        let Body::Note { text, .. } = &event.body else { return Ok(None) };
        let added_by = match &event.from {
            Author { principal: Principal::Agent(id), name: Some(name) } => {
                let agent = AgentRef { id: *id, name: name.clone() };
                Some(Agent::new(self.doors, &self.identity.tenant, &agent, self.side()).await?)
            }
            _ => None,
        };
        Ok(Some(Note { content: (**text).to_owned(), added_by, added_at: Rfc3339(event.at) }))
    }
}

/// A page of something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// From 1.
    pub(super) page: usize,
    /// So many on each.
    pub(super) limit: usize,
}

/// Things on one page at most.
const LIMIT_MAX: usize = 200;

impl Page {
    /// As somebody asked for it.
    pub(super) fn new(
        page: Option<usize>,
        limit: Option<usize>,
        default: usize,
    ) -> Result<Self, Problem> {
        let (page, limit) = (page.unwrap_or(1), limit.unwrap_or(default));
        if page == 0 || !(1..=LIMIT_MAX).contains(&limit) {
            let words = format!("page counts from 1, and limit must be 1 to {LIMIT_MAX}");
            return Err(Problem::with(Code::Invalid, words));
        }
        Ok(Self { page, limit })
    }

    /// Everything on one page.
    pub(super) const ALL: Self = Self { page: 1, limit: usize::MAX };

    /// How many come before it.
    pub(super) const fn skipped(&self) -> usize {
        (self.page - 1).saturating_mul(self.limit)
    }

    /// How many pages so many things need; one when there are none.
    pub(super) const fn pages(&self, total: usize) -> usize {
        let pages = total.div_ceil(self.limit);
        if pages == 0 { 1 } else { pages }
    }
}
