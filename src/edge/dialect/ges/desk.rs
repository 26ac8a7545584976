//! What the routes ask of the core: the same commands and queries as our own API.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde::Serialize;
use switchboard_domain::card::Card;
use switchboard_domain::conversation::{
    Command, Contact, Conversation, Priority, Rating, Resolution, Status,
};
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, TenantId};
use switchboard_domain::person::{Role, Side};
use switchboard_domain::presence::Status as Presence;
use switchboard_store::{ConversationKey, List, ListScope};

use super::session::{self, Label};
use super::wire::{Admin, Analytics, Chat, Message, is_online};
use super::words::Wanted;
use crate::auth::Identity;
use crate::directory::Contact as Told;
use crate::edge::caller::{self, require, sees};
use crate::edge::commands::{self, ask};
use crate::edge::device::note_device;
use crate::edge::dialect::caller::authenticate;
use crate::edge::dialect::history::{self, Line};
use crate::edge::dialect::standing::look_at_all;
use crate::edge::doors::Doors;
use crate::edge::opening::{self, Opening, known_department};
use crate::edge::problem::{Code, Problem};

/// Chats that one list gives, unless it says otherwise.
const CHATS_DEFAULT: usize = 50;
/// Chats that one list gives at most.
const CHATS_MAX: usize = 200;
/// Ended chats that are looked through for one list.
const LOOKED_AT_MAX: usize = 10_000;

/// The beginning of a chat.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) department: Option<String>,
    pub(super) message: Option<String>,
}

/// A chat, with a message or all of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) chat: Chat,
    /// Whether anybody is there to answer.
    pub(super) admin_online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) messages: Option<Vec<Message>>,
    /// Admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) analytics: Option<Analytics>,
}

/// Which chats a list holds.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) status: Option<Wanted>,
    pub(super) department: Option<DepartmentId>,
    pub(super) assigned_to: Option<String>,
    pub(super) rating: Option<u8>,
}

impl Filter {
    /// Whether a list holds a chat; `agent` is who it is narrowed to.
    fn holds(&self, card: &Card, agent: Option<AgentId>) -> bool {
        self.status.is_none_or(|status| status.is_of(card.status, card.resolution))
            && self.department.as_ref().is_none_or(|it| card.department() == Some(&*it.0))
            && (agent.is_none() || card.agent == agent)
            && (self.rating.is_none() || card.score() == self.rating)
    }

    /// The statuses of what has ended and may be in it.
    const fn ended(&self) -> &'static [Status] {
        match self.status {
            None | Some(Wanted::Closed) => &[Status::Closed, Status::Archived],
            Some(Wanted::Resolved) => &[Status::Closed],
            Some(Wanted::Waiting | Wanted::Active) => &[],
        }
    }
}

/// Somebody asks something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'a> {
    pub(super) doors: &'a Arc<Doors>,
    pub(super) identity: &'a Identity,
}

/// A visitor, by the label that opens their chat.
#[derive(Debug)]
pub(super) struct Visit {
    identity: Arc<Identity>,
    conversation: ConversationId,
    label: String,
}

impl Visit {
    /// Whoever shows a label of that tenant. A wrong one is paid for by its address, and answers
    /// like one that never was.
    pub(super) async fn by_label(
        doors: &Doors,
        tenant: &TenantId,
        label: String,
        address: IpAddr,
    ) -> Result<Self, Problem> {
        let no_chat = || Problem::with(Code::NotFound, "there is no such chat");
        let read = Label::parse(&label);
        let token = read.as_ref().and_then(|label| label.credential(tenant));
        let (Some(read), Some(token)) = (read, token) else {
            doors.charge(&doors.budgets.refusals, address)?;
            return Err(no_chat());
        };
        let conversation = read.conversation;
        match authenticate(doors, Some(&token.reveal()), address).await {
            Ok(identity) => Ok(Self { identity, conversation, label }),
            Err(problem) if problem.code == Code::Unauthenticated => Err(no_chat()),
            Err(problem) => Err(problem),
        }
    }

    /// Begins a chat; it waits, as an offline message while nobody is there.
    pub(super) async fn start(
        doors: &Doors,
        tenant: &TenantId,
        start: Start,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Self, Problem> {
        doors.charge(&doors.budgets.creates, address)?;
        let told = Told::new(start.name.as_deref(), start.email.as_deref(), start.phone.as_deref());
        let told = told?;
        let department = match start.department.filter(|slug| !slug.is_empty()) {
            Some(slug) => Some(known_department(doors, tenant, slug).await?),
            None => None,
        };
        let (caller, token) = opening::new_visitor(doors, tenant, told.clone()).await?;
        let visitor = token.visitor;
        if let Some(email) = told.email.as_deref() {
            doors.directory.note_address(tenant, email, visitor).await?;
        }
        let mut context = BTreeMap::new();
        note_device(&mut context, headers, address);
        // The label says one id for the visitor and the chat.
        let conversation = ConversationId::new(visitor.uuid());
        let opening = Opening {
            id: conversation,
            resumed: false,
            visitor: Contact {
                id: visitor,
                name: told.name,
                email: told.email,
                phone: told.phone,
                verified: false,
            },
            widget: None,
            subject: None,
            department,
            priority: Priority::Medium,
            skills: Vec::new(),
            context: context.into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
            fields: Vec::new(),
            welcome: None,
            message: start.message.map(Arc::from),
        };
        opening::open(doors, tenant, &caller, opening).await?;
        let identity = authenticate(doors, Some(&token.reveal()), address).await?;
        Ok(Self { identity, conversation, label: session::label_of(&token) })
    }

    fn desk<'a>(&'a self, doors: &'a Arc<Doors>) -> Desk<'a> {
        Desk { doors, identity: &self.identity }
    }

    /// Writes a message.
    pub(super) async fn send(&self, doors: &Arc<Doors>, text: String) -> Result<Shown, Problem> {
        let (state, message) = self.desk(doors).send(self.conversation, text).await?;
        let shown = self.shown(doors, &state).await?;
        Ok(Shown { message: Some(message), ..shown })
    }

    /// The chat with the message that it began with, if it did.
    pub(super) async fn begun(&self, doors: &Arc<Doors>) -> Result<Shown, Problem> {
        let mut shown = self.read(doors).await?;
        shown.message = shown.messages.take().and_then(|mut messages| messages.pop());
        Ok(shown)
    }

    /// The chat with its messages, oldest first. The visitor has read them.
    pub(super) async fn read(&self, doors: &Arc<Doors>) -> Result<Shown, Problem> {
        let desk = self.desk(doors);
        let state = desk.look(self.conversation).await?;
        let lines = history::read(doors, &self.identity, state.id).await?;
        let messages = Some(desk.messages(&lines).await?);
        Ok(Shown { messages, ..self.shown(doors, &state).await? })
    }

    /// Rates the chat.
    pub(super) async fn rate(&self, doors: &Arc<Doors>, rating: Rating) -> Result<Shown, Problem> {
        let state = self.desk(doors).command(self.conversation, Command::Rate(rating)).await?;
        self.shown(doors, &state).await
    }

    async fn shown(&self, doors: &Arc<Doors>, state: &Conversation) -> Result<Shown, Problem> {
        let tenant = &self.identity.tenant;
        let chat = Chat::new(doors, tenant, state, self.label.clone(), Side::Visitor).await?;
        Ok(Shown::new(doors, tenant, chat))
    }
}

impl Shown {
    fn new(doors: &Doors, tenant: &TenantId, chat: Chat) -> Self {
        let admin_online = doors.presence.anybody_online(tenant);
        Self { chat, admin_online, message: None, messages: None, analytics: None }
    }
}

impl Desk<'_> {
    fn key(&self, id: ConversationId) -> ConversationKey {
        self.doors.key(&self.identity.tenant, id)
    }

    async fn look(&self, id: ConversationId) -> Result<Arc<Conversation>, Problem> {
        Ok(self.doors.conversations.state(&self.key(id), &self.identity.caller).await?.state)
    }

    async fn command(
        &self,
        id: ConversationId,
        command: Command,
    ) -> Result<Arc<Conversation>, Problem> {
        Ok(ask(self.doors, self.identity, &self.key(id), None, command).await?.state)
    }

    async fn send(
        &self,
        id: ConversationId,
        text: String,
    ) -> Result<(Arc<Conversation>, Message), Problem> {
        let command = Command::Send { text: text.into(), files: Vec::new(), if_head: None };
        let done = ask(self.doors, self.identity, &self.key(id), None, command).await?;
        let line = done.events.iter().find_map(Line::new).ok_or(Code::Internal)?;
        let message = Message::new(self.doors, &self.identity.tenant, &line).await?;
        Ok((done.state, message))
    }

    async fn messages(&self, lines: &[Line]) -> Result<Vec<Message>, Problem> {
        let mut messages = Vec::with_capacity(lines.len());
        for line in lines {
            messages.push(Message::new(self.doors, &self.identity.tenant, line).await?);
        }
        Ok(messages)
    }

    /// The chat as admins read it.
    async fn chat(&self, state: &Conversation) -> Result<Chat, Problem> {
        let label = session::name_of(state.id);
        Chat::new(self.doors, &self.identity.tenant, state, label, Side::Agent).await
    }

    /// The chat without its messages.
    pub(super) async fn shown(&self, state: &Conversation) -> Result<Shown, Problem> {
        Ok(Shown::new(self.doors, &self.identity.tenant, self.chat(state).await?))
    }

    /// The chat that an admin names: by its label, or by its id.
    pub(super) async fn named(&self, name: &str) -> Result<Arc<Conversation>, Problem> {
        require(self.identity, Role::Agent)?;
        let no_chat = || Problem::with(Code::NotFound, "there is no such chat");
        let label = Label::parse(name).map(|label| label.conversation);
        let id = label.or_else(|| name.parse().ok()).ok_or_else(no_chat)?;
        match self.look(id).await {
            Err(problem) if problem.code == Code::NotFound => Err(no_chat()),
            looked => looked,
        }
    }

    /// A chat with its messages and counts. The admin has read them.
    pub(super) async fn read(&self, state: &Conversation) -> Result<Shown, Problem> {
        let lines = history::read(self.doors, self.identity, state.id).await?;
        let analytics = Some(Analytics::new(state, &lines));
        let messages = Some(self.messages(&lines).await?);
        Ok(Shown { messages, analytics, ..self.shown(state).await? })
    }

    /// An admin writes a message.
    pub(super) async fn reply(&self, id: ConversationId, text: String) -> Result<Shown, Problem> {
        let (state, message) = self.send(id, text).await?;
        Ok(Shown { message: Some(message), ..self.shown(&state).await? })
    }

    /// Changes where a chat stands; what already stands there is left alone.
    pub(super) async fn set_status(
        &self,
        state: &Conversation,
        wanted: Wanted,
    ) -> Result<Arc<Conversation>, Problem> {
        let command = match (wanted, state.status) {
            (Wanted::Waiting, Status::Closed) => Command::Reopen { agent: None },
            (Wanted::Waiting, _) => Command::Requeue,
            (Wanted::Active, Status::Closed) => {
                Command::Reopen { agent: Some(caller::agent(self.identity)?) }
            }
            (Wanted::Active, Status::Active) => return self.look(state.id).await,
            (Wanted::Active, _) => Command::Accept { agent: caller::agent(self.identity)? },
            (Wanted::Resolved, _) => Command::Close { resolution: Resolution::Resolved },
            (Wanted::Closed, _) => Command::Close { resolution: Resolution::None },
        };
        self.command(state.id, command).await
    }

    /// Gives a chat to an admin, or back.
    pub(super) async fn assign(
        &self,
        state: &Conversation,
        admin: Option<&str>,
    ) -> Result<Arc<Conversation>, Problem> {
        let command = match admin {
            None => Command::Requeue,
            Some(name) => {
                let agent = commands::agent(self.doors, self.identity, name).await?;
                if state.agent.as_ref().is_some_and(|owner| owner.id == agent.id) {
                    return self.look(state.id).await;
                }
                Command::Assign { agent }
            }
        };
        self.command(state.id, command).await
    }

    /// Puts a chat into a department, or into none.
    pub(super) async fn set_department(
        &self,
        state: &Conversation,
        slug: Option<String>,
    ) -> Result<Arc<Conversation>, Problem> {
        let department = self.department(slug).await?;
        self.command(state.id, Command::SetDepartment { department }).await
    }

    async fn department(&self, slug: Option<String>) -> Result<Option<DepartmentId>, Problem> {
        Ok(match slug.filter(|slug| !slug.is_empty()) {
            Some(slug) => Some(known_department(self.doors, &self.identity.tenant, slug).await?),
            None => None,
        })
    }

    /// A page of chats: what is open first, then what ended, the newest activity first in both.
    pub(super) async fn chats(
        &self,
        filter: &Filter,
        page: usize,
        limit: Option<usize>,
    ) -> Result<Vec<Chat>, Problem> {
        require(self.identity, Role::Agent)?;
        let limit = limit.unwrap_or(CHATS_DEFAULT).clamp(1, CHATS_MAX);
        let n_before = page.saturating_sub(1).saturating_mul(limit);
        let agent = match &filter.assigned_to {
            Some(name) => Some(commands::agent(self.doors, self.identity, name).await?.id),
            None => None,
        };
        let holds = |card: &Card| {
            filter.holds(card, agent) && sees(self.doors, self.identity, card.sight())
        };
        let mut chats = Vec::new();
        let mut open = self.doors.inbox.open_cards(&self.identity.tenant);
        open.retain(|card| holds(card));
        open.sort_by_key(|card| Reverse((card.last_at, card.id)));
        let newest = open.iter().skip(n_before).take(limit).map(|card| card.id);
        for view in look_at_all(self.doors, self.identity, newest).await? {
            // It may have ended since; then it belongs to what follows.
            if view.state.status.is_open() {
                chats.push(self.chat(&view.state).await?);
            }
        }
        let statuses = filter.ended();
        let mut n_before = n_before.saturating_sub(open.len());
        let mut n_looked_at = 0;
        let mut after = None;
        while !statuses.is_empty() && chats.len() < limit && n_looked_at < LOOKED_AT_MAX {
            let list = List {
                tenant: self.identity.tenant.clone(),
                statuses: statuses.to_vec(),
                department: filter.department.clone(),
                scope: ListScope::All,
                after,
                limit: CHATS_MAX,
            };
            let ended = self.doors.store.list(list).await?;
            n_looked_at += ended.len();
            let found = ended.iter().filter(|state| holds(&Card::of(state)));
            let found: Vec<_> = found.collect();
            for state in found.iter().skip(n_before).take(limit - chats.len()) {
                chats.push(self.chat(state).await?);
            }
            n_before = n_before.saturating_sub(found.len());
            match ended.last() {
                Some(last) if ended.len() == CHATS_MAX => after = Some((last.last_at, last.id)),
                Some(_) | None => break,
            }
        }
        Ok(chats)
    }

    /// The caller says to be there or not, and in which department.
    pub(super) async fn beat(
        &self,
        is_online: bool,
        department: Option<Option<String>>,
    ) -> Result<Admin, Problem> {
        let person = caller::agent_person(self.identity)?;
        let (tenant, agent) = (&self.identity.tenant, person.agent());
        let desk = match department {
            Some(slug) => Some(self.department(slug).await?),
            None => None,
        };
        let status = if is_online { Presence::Online } else { Presence::Offline };
        let mut known = self.doors.presence.set_status(tenant, &agent, status).await?;
        if let Some(desk) = desk {
            known = self.doors.presence.set_desk(tenant, &agent, desk).await?;
        }
        let seen = self.doors.presence.seen(tenant).await?;
        Ok(Admin::new(person, &known, seen.get(&agent.id).copied()))
    }

    /// Who is there to answer.
    pub(super) async fn admins(&self) -> Result<Vec<Admin>, Problem> {
        require(self.identity, Role::Agent)?;
        let tenant = &self.identity.tenant;
        let seen = self.doors.presence.seen(tenant).await?;
        let mut admins = Vec::new();
        for known in self.doors.presence.all(tenant).await?.iter().filter(|it| is_online(it)) {
            let id = known.agent.id;
            if let Some(person) = self.doors.directory.person(tenant, id).await? {
                admins.push(Admin::new(&person.value, known, seen.get(&id).copied()));
            }
        }
        Ok(admins)
    }
}
