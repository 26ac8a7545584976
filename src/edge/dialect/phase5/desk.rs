//! What both REST and Socket.IO ask of the core: the same commands and queries as our own API.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use switchboard_domain::conversation::{Command, Conversation, Priority, Resolution, Status};
use switchboard_domain::ids::{ConversationId, Number};
use switchboard_domain::limit::{CAPACITY_MAX, CAPACITY_MIN};
use switchboard_domain::permission::Subject;
use switchboard_domain::person::{AgentRef, Principal, Role, Side};
use switchboard_store::{ConversationKey, List, ListScope};

use super::wire::{
    Availability, Customer, CustomerContext, METADATA, Message, QueueStats, Session, Workload,
    days_between, message,
};
use super::words;
use crate::auth::Identity;
use crate::directory::{PAGE_MAX, Person};
use crate::edge::caller::{self, require, sees};
use crate::edge::commands::{self, ask};
use crate::edge::device::note_device;
use crate::edge::dialect::encoded::Encoded;
use crate::edge::dialect::history;
use crate::edge::dialect::standing::look_at_all;
use crate::edge::dialect::vocabulary::asked;
use crate::edge::doors::Doors;
use crate::edge::numbers::name_of;
use crate::edge::opening::{self, Opening};
use crate::edge::problem::{Code, Problem};

/// Sessions that one list gives.
const SESSIONS_MAX: usize = 200;
/// Conversations counted for the numbers of a day.
const COUNTED_MAX: usize = 10_000;
/// Conversations read at once for those numbers, and of one customer.
const PER_PAGE: usize = 200;
const DAY_MS: i64 = 86_400_000;

/// Somebody asks something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'a> {
    pub(super) doors: &'a Arc<Doors>,
    pub(super) identity: &'a Identity,
}

/// The start of a chat.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Start {
    subject: Option<String>,
    priority: Option<String>,
    required_skills: Vec<String>,
    metadata: Map<String, Value>,
}

/// Somebody as clients name them: an integer, or a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Named {
    Number(u64),
    Text(String),
}

impl Desk<'_> {
    fn side(&self) -> Side {
        self.identity.caller.author.principal.side()
    }

    fn key(&self, id: ConversationId) -> ConversationKey {
        self.doors.key(&self.identity.tenant, id)
    }

    /// The session as the caller sees it.
    pub(super) async fn shown(&self, state: &Conversation) -> Result<Session, Problem> {
        Session::new(self.doors, &self.identity.tenant, state, self.side()).await
    }

    /// The conversation of a session's number, if the caller may see it.
    pub(super) async fn find(&self, session: &Named) -> Result<Arc<Conversation>, Problem> {
        self.look(self.named(session).await?).await
    }

    /// The id of a session by its name; whether the caller may see it is asked with what is done.
    pub(super) async fn named(&self, session: &Named) -> Result<ConversationId, Problem> {
        let number = match session {
            Named::Number(number) => Some(*number),
            Named::Text(text) => text.parse().ok(),
        };
        let number = number.ok_or(Code::NotFound)?;
        self.doors.numbers.find(self.doors, self.identity, number).await
    }

    /// A conversation as it stands, if the caller may see it.
    pub(super) async fn look(&self, id: ConversationId) -> Result<Arc<Conversation>, Problem> {
        Ok(self.doors.conversations.state(&self.key(id), &self.identity.caller).await?.state)
    }

    async fn command(
        &self,
        id: ConversationId,
        command: Command,
    ) -> Result<Arc<Conversation>, Problem> {
        Ok(ask(self.doors, self.identity, &self.key(id), None, command).await?.state)
    }

    /// A customer starts a chat, which waits until an agent accepts it.
    pub(super) async fn start(
        &self,
        start: Start,
        headers: &HeaderMap,
        address: std::net::IpAddr,
    ) -> Result<Arc<Conversation>, Problem> {
        let Principal::Visitor(visitor) = self.identity.caller.author.principal else {
            return Err(Problem::with(Code::Forbidden, "chats are started by customers"));
        };
        let priority = asked("priority", start.priority.as_deref(), words::priority_named)?;
        let priority = priority.unwrap_or(Priority::Medium);
        let tenant = &self.identity.tenant;
        let contact = opening::contact(self.doors, tenant, visitor).await?;
        let mut context = BTreeMap::new();
        if let Some(page) = start.metadata.get("page_url").and_then(Value::as_str) {
            context.insert("page".to_owned(), page.to_owned());
        }
        if !start.metadata.is_empty() {
            context.insert(METADATA.to_owned(), Value::Object(start.metadata).to_string());
        }
        note_device(&mut context, headers, address);
        let opening = Opening {
            id: ConversationId::new(self.doors.clock.fresh_id()),
            resumed: false,
            visitor: contact,
            widget: None,
            subject: start.subject.map(Arc::from),
            department: None,
            priority,
            skills: start.required_skills.into_iter().map(Arc::from).collect(),
            context: context.into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
            fields: Vec::new(),
            welcome: None,
            message: None,
        };
        opening::open(self.doors, tenant, &self.identity.caller, opening).await
    }

    /// An agent takes a waiting chat.
    pub(super) async fn accept(&self, id: ConversationId) -> Result<Arc<Conversation>, Problem> {
        let agent = caller::agent(self.identity)?;
        self.command(id, Command::Accept { agent }).await
    }

    /// An admin gives a chat to an agent.
    pub(super) async fn assign(
        &self,
        id: ConversationId,
        agent: &Named,
    ) -> Result<Arc<Conversation>, Problem> {
        require(self.identity, Role::Admin)?;
        let agent = self.agent(agent).await?;
        self.command(id, Command::Assign { agent }).await
    }

    /// Hands a chat on to another agent.
    pub(super) async fn transfer(
        &self,
        id: ConversationId,
        agent: &Named,
        reason: Option<String>,
    ) -> Result<Arc<Conversation>, Problem> {
        let to = switchboard_domain::conversation::TransferTarget::Agent(self.agent(agent).await?);
        let reason = reason.unwrap_or_default().into();
        self.command(id, Command::Transfer { to, reason }).await
    }

    /// Ends a chat.
    pub(super) async fn end(&self, id: ConversationId) -> Result<Arc<Conversation>, Problem> {
        self.command(id, Command::Close { resolution: Resolution::None }).await
    }

    /// Writes a message.
    pub(super) async fn send(
        &self,
        id: ConversationId,
        content: String,
    ) -> Result<Encoded, Problem> {
        let command = Command::Send { text: content.into(), files: Vec::new(), if_head: None };
        let done = ask(self.doors, self.identity, &self.key(id), None, command).await?;
        let (tenant, number) = (&self.identity.tenant, done.state.number);
        for published in &done.events {
            if let Some(message) = message(self.doors, tenant, number, published).await? {
                return Ok(message);
            }
        }
        Err(Code::Internal.into())
    }

    /// Whoever answers by that name.
    async fn person(
        &self,
        name: &Named,
    ) -> Result<Arc<crate::directory::Versioned<Person>>, Problem> {
        require(self.identity, Role::Agent)?;
        let tenant = &self.identity.tenant;
        let by_number = match name {
            Named::Number(number) => {
                self.doors.directory.person_by_number(tenant, Number(*number)).await?
            }
            Named::Text(_) => None,
        };
        let found = match (by_number, name) {
            (Some(found), _) => Some(found),
            (None, Named::Number(number)) => {
                let external_id = number.to_string();
                self.doors.directory.person_by_external(tenant, &external_id).await?
            }
            (None, Named::Text(text)) => {
                let agent = commands::agent(self.doors, self.identity, text).await?;
                self.doors.directory.person(tenant, agent.id).await?
            }
        };
        let works = |person: &Person| !person.disabled && person.role >= Role::Agent;
        found.filter(|found| works(&found.value)).ok_or_else(|| {
            Problem::with(
                Code::NotFound,
                "there is no such agent; agents are known once their token was seen, or by \
                 POST /v1/agents",
            )
        })
    }

    async fn agent(&self, name: &Named) -> Result<AgentRef, Problem> {
        Ok(self.person(name).await?.value.agent())
    }

    /// The sessions of one status, or with `None` what waits and what the caller has.
    pub(super) async fn sessions(&self, status: Option<&str>) -> Result<Vec<Session>, Problem> {
        let me = caller::agent(self.identity)?.id;
        let statuses = asked("status", status, words::statuses_named)?;
        let statuses = statuses.unwrap_or(&[Status::Waiting, Status::Active]);
        let mut states = Vec::new();
        if statuses.iter().any(|status| status.is_open()) {
            let mut cards = self.doors.inbox.open_cards(&self.identity.tenant);
            cards.retain(|card| {
                statuses.contains(&card.status)
                    && (card.status == Status::Waiting || card.agent == Some(me))
                    && sees(self.doors, self.identity, card.sight())
            });
            cards.sort_by_key(|card| (card.created_at, card.id));
            let oldest = cards.iter().take(SESSIONS_MAX).map(|card| card.id);
            let found = look_at_all(self.doors, self.identity, oldest).await?;
            states.extend(found.into_iter().map(|view| view.state));
            // It may have ended or moved since; then it belongs to another list.
            states.retain(|state| statuses.contains(&state.status));
        } else {
            let list = self.list(statuses, ListScope::All, SESSIONS_MAX);
            let found = self.doors.store.list(list).await?;
            let seen = found
                .into_iter()
                .filter(|state| sees(self.doors, self.identity, Subject::of(state)));
            states.extend(seen.map(Arc::new));
        }
        let mut sessions = Vec::with_capacity(states.len());
        for state in &states {
            sessions.push(self.shown(state).await?);
        }
        Ok(sessions)
    }

    fn list(&self, statuses: &[Status], scope: ListScope, limit: usize) -> List {
        List {
            tenant: self.identity.tenant.clone(),
            statuses: statuses.to_vec(),
            department: None,
            scope,
            after: None,
            limit,
        }
    }

    /// The messages of a chat, oldest first, as they read now. The caller has read them.
    pub(super) async fn messages(&self, state: &Conversation) -> Result<Vec<Message>, Problem> {
        let tenant = &self.identity.tenant;
        let mut messages = Vec::new();
        for line in history::read(self.doors, self.identity, state.id).await? {
            messages.push(Message::new(self.doors, tenant, state.number, &line).await?);
        }
        Ok(messages)
    }

    /// Who a chat is with, and what was before.
    pub(super) async fn context(&self, state: &Conversation) -> Result<CustomerContext, Problem> {
        let (doors, tenant) = (self.doors, &self.identity.tenant);
        let visitor = state.visitor.id;
        let principal = Principal::Visitor(visitor);
        let person = doors
            .directory
            .person(tenant, switchboard_domain::ids::AgentId::new(visitor.uuid()))
            .await?;
        let person = person.as_ref().map(|person| &person.value);
        let known = doors.directory.known_visitor(tenant, visitor).await?;
        let since = person
            .and_then(|person| person.account_created_at)
            .or_else(|| known.as_ref().map(|known| known.created_at))
            .unwrap_or(state.created_at);
        let mut others =
            doors.store.list(self.list(&[], ListScope::Visitor(visitor), PER_PAGE)).await?;
        others.retain(|other| {
            other.id != state.id && sees(self.doors, self.identity, Subject::of(other))
        });
        let n_tickets = others.iter().filter(|other| other.ticket.is_some()).count();
        let contact = known.map(|known| known.contact).unwrap_or_default();
        let text = |text: Option<Arc<str>>| text.map(|text| (*text).to_owned());
        let status = person.and_then(|person| person.account_status.clone());
        Ok(CustomerContext {
            customer: Customer {
                id: name_of(doors, tenant, principal).await?,
                name: text(contact.name.or_else(|| state.visitor.name.clone())),
                email: text(contact.email.or_else(|| state.visitor.email.clone())),
                account_age_days: days_between(since, doors.clock.now()),
            },
            previous_tickets_count: (self.side() == Side::Agent).then_some(n_tickets),
            previous_chats_count: others.len(),
            account_status: text(status).unwrap_or_else(|| "active".to_owned()),
        })
    }

    /// What waits, what is answered, and what was closed today.
    pub(super) async fn queue_stats(&self) -> Result<QueueStats, Problem> {
        require(self.identity, Role::Agent)?;
        let now = self.doors.clock.now();
        let midnight = now.0 - now.0.rem_euclid(DAY_MS);
        let mut stats = QueueStats { pending: 0, active: 0, closed: 0, average_wait_time: 0 };
        let mut waits_ms: Vec<i64> = Vec::new();
        let list = |statuses: &[Status], after| List {
            after,
            ..self.list(statuses, ListScope::All, PER_PAGE)
        };
        for card in self.doors.inbox.open_cards(&self.identity.tenant) {
            if !sees(self.doors, self.identity, card.sight()) {
                continue;
            }
            if card.status == Status::Waiting {
                stats.pending += 1;
                waits_ms.extend(card.waiting_since.map(|since| now.ms_since(since)));
            } else {
                stats.active += 1;
            }
        }
        // What is open was counted from memory; the times of answers are in the lists.
        for statuses in [&[Status::Active] as &[Status], &[Status::Closed, Status::Archived]] {
            let mut after = None;
            let mut n_read = 0;
            loop {
                let page = self.doors.store.list(list(statuses, after)).await?;
                let is_last = page.len() < PER_PAGE;
                n_read += page.len();
                let today = page.iter().take_while(|state| state.last_at.0 >= midnight);
                let mut n_today = 0;
                for state in today {
                    n_today += 1;
                    if !sees(self.doors, self.identity, Subject::of(state)) {
                        continue;
                    }
                    if state.closed_at.is_some_and(|at| at.0 >= midnight) {
                        stats.closed += 1;
                    }
                    let answered = state.first_response_at;
                    waits_ms.extend(answered.map(|at| at.ms_since(state.created_at)));
                }
                if is_last || n_today < page.len() || n_read >= COUNTED_MAX {
                    break;
                }
                after = page.last().map(|last| (last.last_at, last.id));
            }
        }
        let n_waits = i64::try_from(waits_ms.len()).unwrap_or(i64::MAX).max(1);
        stats.average_wait_time = waits_ms.iter().sum::<i64>().max(0) / n_waits / 1_000;
        Ok(stats)
    }

    /// How busy an agent is.
    pub(super) async fn workload(&self, agent: &Named) -> Result<Workload, Problem> {
        let person = self.person(agent).await?;
        let presence = self.doors.presence.get(&self.identity.tenant, person.value.id).await?;
        Ok(Workload::new(&person.value, presence.as_ref()))
    }

    /// How busy everybody is who answers.
    pub(super) async fn workloads(&self) -> Result<Vec<Workload>, Problem> {
        require(self.identity, Role::Admin)?;
        let tenant = &self.identity.tenant;
        let present = self.doors.presence.all(tenant).await?;
        let mut workloads = Vec::new();
        let mut after = None;
        loop {
            let people = self.doors.directory.people(tenant, after, PAGE_MAX).await?;
            for person in people.iter().map(|person| &person.value) {
                if person.role >= Role::Agent && !person.disabled {
                    let presence = present.iter().find(|known| known.agent.id == person.id);
                    workloads.push(Workload::new(person, presence));
                }
            }
            match people.last() {
                Some(last) if people.len() == PAGE_MAX => after = Some(last.value.id),
                Some(_) | None => return Ok(workloads),
            }
        }
    }

    /// How the caller is available.
    pub(super) async fn availability(&self) -> Result<Availability, Problem> {
        let person = caller::agent_person(self.identity)?;
        let presence = self.doors.presence.get(&self.identity.tenant, person.id).await?;
        Ok(Availability::new(person, presence.as_ref()))
    }

    /// The caller chooses a status.
    pub(super) async fn set_status(&self, word: &str) -> Result<Availability, Problem> {
        let person = caller::agent_person(self.identity)?;
        let status = words::presence_named(word).ok_or_else(|| {
            Problem::with(Code::Invalid, "availability_status is online, offline, busy or away")
        })?;
        let tenant = &self.identity.tenant;
        let known = self.doors.presence.set_status(tenant, &person.agent(), status).await?;
        Ok(Availability::new(person, Some(&known)))
    }

    /// The caller says how many chats at once.
    pub(super) async fn set_capacity(&self, max: usize) -> Result<Availability, Problem> {
        let person = caller::agent_person(self.identity)?;
        if !(CAPACITY_MIN..=CAPACITY_MAX).contains(&max) {
            let words = format!("max_concurrent_chats must be {CAPACITY_MIN} to {CAPACITY_MAX}");
            return Err(Problem::with(Code::Invalid, words));
        }
        let tenant = &self.identity.tenant;
        let known = self.doors.presence.set_capacity(tenant, &person.agent(), max).await?;
        Ok(Availability::new(person, Some(&known)))
    }

    /// The caller says all skills.
    pub(super) async fn set_skills(&self, skills: Vec<String>) -> Result<Availability, Problem> {
        let person = caller::agent_person(self.identity)?;
        let skills = skills.into_iter().map(Arc::from).collect();
        let tenant = &self.identity.tenant;
        let known = self.doors.presence.set_skills(tenant, &person.agent(), skills).await?;
        Ok(Availability::new(person, Some(&known)))
    }
}
