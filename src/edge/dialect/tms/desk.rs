//! What both REST and the socket ask of the core: the same commands and queries as our own API.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde::Deserialize;
use switchboard_actors::Published;
use switchboard_domain::conversation::{
    Body, Command, Conversation, Priority, Resolution, Status, Stream, TransferTarget,
};
use switchboard_domain::ids::{ConversationId, Seq};
use switchboard_domain::permission::Subject;
use switchboard_domain::person::{Principal, Role, Side};
use switchboard_store::{ConversationKey, List, ListScope, Range};

use super::wire::{Message, Note, Session};
use super::words::Standing;
use crate::auth::Identity;
use crate::directory::Contact;
use crate::directory::widget::Address;
use crate::edge::caller::{self, require, sees};
use crate::edge::commands::{self, ask};
use crate::edge::device::note_device;
use crate::edge::dialect::history::{self, Line};
use crate::edge::dialect::people::id_of;
use crate::edge::dialect::standing::look_at_all;
use crate::edge::dialect::vocabulary::asked;
use crate::edge::doors::Doors;
use crate::edge::opening::{self, Outbound, To, Wish, Written};
use crate::edge::problem::{Code, Problem};
use crate::edge::search;
use crate::edge::time::Rfc3339;

/// Sessions that one list gives at most.
const SESSIONS_MAX: usize = 200;
/// Sessions that one list gives when nobody says how many.
const SESSIONS: usize = 50;
/// Notes that one list gives: the newest ones.
const NOTES_MAX: usize = 1_000;

/// Somebody asks something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'a> {
    pub(super) doors: &'a Arc<Doors>,
    pub(super) identity: &'a Identity,
}

/// Which sessions a list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    status: Option<String>,
    assigned_agent_id: Option<String>,
    customer_email: Option<String>,
    widget_id: Option<String>,
    search: Option<String>,
    limit: Option<usize>,
}

/// The start of a session.
#[derive(Debug, Deserialize)]
pub(super) struct Start {
    widget_id: String,
    customer_email: Option<String>,
    customer_name: Option<String>,
}

/// What came of a start.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) state: Arc<Conversation>,
    /// How the customer comes to a session that an agent started; see [`Written::link`].
    pub(super) link: Option<String>,
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

    /// A session by its id, if the caller may see it. A text that is no id names nothing.
    pub(super) async fn find(&self, session: &str) -> Result<Arc<Conversation>, Problem> {
        self.look(session.parse().map_err(|_no_id| Code::NotFound)?).await
    }

    /// A conversation as it stands, if the caller may see it.
    pub(super) async fn look(&self, id: ConversationId) -> Result<Arc<Conversation>, Problem> {
        Ok(self.doors.conversations.state(&self.key(id), &self.identity.caller).await?.state)
    }

    /// Conversations as they stand, as far as the caller may see them.
    async fn look_at_all(
        &self,
        ids: impl IntoIterator<Item = ConversationId>,
    ) -> Result<Vec<Arc<Conversation>>, Problem> {
        let found = look_at_all(self.doors, self.identity, ids).await?;
        Ok(found.into_iter().map(|view| view.state).collect())
    }

    async fn command(
        &self,
        id: ConversationId,
        command: Command,
    ) -> Result<Arc<Conversation>, Problem> {
        Ok(ask(self.doors, self.identity, &self.key(id), None, command).await?.state)
    }

    /// Starts a session: an agent with a customer by address, or a customer for themselves.
    pub(super) async fn start(
        &self,
        start: Start,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Started, Problem> {
        let no_widget = || Problem::with(Code::NotFound, "there is no such widget");
        let widget = Address::parse(&start.widget_id).ok_or_else(no_widget)?;
        if widget.tenant != self.identity.tenant
            || self.doors.directory.widget(&widget.tenant, &widget.widget).await?.is_none()
        {
            return Err(no_widget());
        }
        let (name, email) = (start.customer_name, start.customer_email);
        let contact = Contact::new(name.as_deref(), email.as_deref(), None)?;
        let id = self.doors.clock.fresh_id();
        if self.side() == Side::Agent {
            let agent = caller::agent(self.identity)?;
            if contact.email.is_none() {
                return Err(Problem::with(Code::Invalid, "customer_email is required"));
            }
            let (to, widget) = (To::Contact(contact), widget.widget);
            let wanted = Outbound { widget, to, department: None, message: None };
            let Written { state, link, live: _ } =
                opening::write_first(self.doors, self.identity, agent, wanted, (id, false)).await?;
            return Ok(Started { state, link });
        }
        let mut context = BTreeMap::new();
        note_device(&mut context, headers, address);
        let wish = Wish {
            subject: None,
            department: None,
            priority: Priority::Medium,
            skills: Vec::new(),
            contact,
            context: context.into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
            fields: Vec::new(),
            message: None,
            leaves: false,
        };
        let id = (ConversationId::new(id), false);
        let begun = opening::begin(self.doors, Some(self.identity), &widget, wish, id).await?;
        Ok(Started { state: begun.state, link: None })
    }

    /// Writes a message.
    pub(super) async fn send(
        &self,
        session: &str,
        content: Option<String>,
        message_type: Option<&str>,
    ) -> Result<Line, Problem> {
        match message_type {
            None | Some("text") => {}
            Some(_) => return Err(Problem::with(Code::Invalid, "message_type must be text")),
        }
        let text = content.unwrap_or_default().into();
        let id = self.find(session).await?.id;
        let command = Command::Send { text, files: Vec::new(), if_head: None };
        let done = ask(self.doors, self.identity, &self.key(id), None, command).await?;
        done.events.iter().find_map(Line::new).ok_or_else(|| Code::Internal.into())
    }

    /// A message as the caller reads it.
    pub(super) async fn message(&self, line: &Line) -> Result<Message, Problem> {
        Message::new(self.doors, &self.identity.tenant, line).await
    }

    /// The messages of a session, oldest first, as they read now. The caller has read them.
    pub(super) async fn messages(&self, session: &str) -> Result<Vec<Message>, Problem> {
        let id = self.find(session).await?.id;
        let mut messages = Vec::new();
        for line in history::read(self.doors, self.identity, id).await? {
            messages.push(self.message(&line).await?);
        }
        Ok(messages)
    }

    /// Gives a session to an agent. One that another has is moved: it is `transferred` until the
    /// new agent writes.
    pub(super) async fn assign(
        &self,
        session: &str,
        agent: &str,
        reason: Option<String>,
    ) -> Result<Arc<Conversation>, Problem> {
        require(self.identity, Role::Agent)?;
        let state = self.find(session).await?;
        let agent = commands::agent(self.doors, self.identity, agent).await?;
        match &state.agent {
            // As it was asked for.
            Some(owner) if owner.id == agent.id => Ok(state),
            Some(_) => {
                let (to, reason) = (TransferTarget::Agent(agent), reason.unwrap_or_default());
                let reason = reason.into();
                self.command(state.id, Command::Transfer { to, reason }).await
            }
            None => self.command(state.id, Command::Assign { agent }).await,
        }
    }

    /// Ends a session.
    pub(super) async fn end(&self, session: &str) -> Result<Arc<Conversation>, Problem> {
        let id = self.find(session).await?.id;
        self.command(id, Command::Close { resolution: Resolution::None }).await
    }

    /// Writes a note for colleagues.
    pub(super) async fn note(&self, session: &str, content: String) -> Result<Note, Problem> {
        require(self.identity, Role::Agent)?;
        let id = self.find(session).await?.id;
        let command = Command::Note { text: content.into() };
        let done = ask(self.doors, self.identity, &self.key(id), None, command).await?;
        for published in &done.events {
            if let Some(note) = self.note_of(published).await? {
                return Ok(note);
            }
        }
        Err(Code::Internal.into())
    }

    /// The notes of a session, oldest first.
    pub(super) async fn notes(&self, session: &str) -> Result<Vec<Note>, Problem> {
        require(self.identity, Role::Agent)?;
        let id = self.find(session).await?.id;
        let (key, caller) = (self.key(id), &self.identity.caller);
        let range = Range::Before(Seq(u64::MAX));
        let conversations = &self.doors.conversations;
        let read = conversations.history(&key, caller, Stream::Internal, range, NOTES_MAX).await?;
        let mut notes = Vec::new();
        for published in &read.events {
            notes.extend(self.note_of(published).await?);
        }
        Ok(notes)
    }

    async fn note_of(&self, published: &Published) -> Result<Option<Note>, Problem> {
        let event = &published.event;
        let Body::Note { text, .. } = &event.body else { return Ok(None) };
        Ok(Some(Note {
            id: event.id.to_string(),
            session_id: published.conversation.uuid(),
            content: (**text).to_owned(),
            author_id: id_of(self.doors, &self.identity.tenant, event.from.principal).await?,
            author_name: event.from.name.as_deref().map(str::to_owned),
            created_at: Rfc3339(event.at),
        }))
    }

    /// The sessions that a filter leaves, the newest activity first.
    pub(super) async fn sessions(&self, filter: Filter) -> Result<Vec<Session>, Problem> {
        let standing = asked("status", filter.status.as_deref(), Standing::named)?;
        let limit = filter.limit.unwrap_or(SESSIONS);
        if !(1..=SESSIONS_MAX).contains(&limit) {
            let words = format!("limit must be 1 to {SESSIONS_MAX}");
            return Err(Problem::with(Code::Invalid, words));
        }
        let Some(scope) = self.scope(filter.assigned_agent_id.as_deref()).await? else {
            return Ok(Vec::new());
        };
        let mut found = match filter.search.as_deref().or(filter.customer_email.as_deref()) {
            Some(text) => self.searched(text).await?,
            None => self.listed(standing, scope, limit).await?,
        };
        found.retain(|state| {
            let email = filter.customer_email.as_deref();
            let widget = filter.widget_id.as_deref();
            standing.is_none_or(|standing| Standing::of(state) == standing)
                && scope.holds(state)
                && email.is_none_or(|email| {
                    state.visitor.email.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(email))
                })
                && widget
                    .is_none_or(|widget| state.widget.as_ref().is_some_and(|it| *it.0 == *widget))
        });
        found.sort_by_key(|state| Reverse((self.moved_at(state), state.id)));
        found.truncate(limit);
        let mut sessions = Vec::with_capacity(found.len());
        for state in &found {
            sessions.push(self.shown(state).await?);
        }
        Ok(sessions)
    }

    /// When something last happened, as far as the caller knows (P13).
    fn moved_at(&self, state: &Conversation) -> switchboard_domain::ids::Timestamp {
        if self.side() == Side::Agent { state.last_at } else { state.last_public_at }
    }

    /// Whose sessions a filter by agent leaves; `None` when nobody is called so. Customers have
    /// their own alone.
    async fn scope(&self, agent: Option<&str>) -> Result<Option<ListScope>, Problem> {
        if let Principal::Visitor(visitor) = self.identity.caller.author.principal {
            if agent.is_some() {
                return Err(Problem::with(Code::Forbidden, "customers filter by status alone"));
            }
            return Ok(Some(ListScope::Visitor(visitor)));
        }
        require(self.identity, Role::Agent)?;
        match agent {
            None => Ok(Some(ListScope::All)),
            Some("unassigned") => Ok(Some(ListScope::Unassigned)),
            Some("me") => Ok(Some(ListScope::Agent(caller::agent(self.identity)?.id))),
            Some(name) => match commands::agent(self.doors, self.identity, name).await {
                Ok(agent) => Ok(Some(ListScope::Agent(agent.id))),
                Err(problem) if problem.code == Code::NotFound => Ok(None),
                Err(problem) => Err(problem),
            },
        }
    }

    /// What the search box finds.
    async fn searched(&self, text: &str) -> Result<Vec<Arc<Conversation>>, Problem> {
        require(self.identity, Role::Agent)?;
        let cards = search::search(self.doors, self.identity, text, search::FOUND_MAX).await?;
        self.look_at_all(cards.iter().map(|card| card.id)).await
    }

    /// What is open from memory, where it is as it stands; what ended from the store.
    async fn listed(
        &self,
        standing: Option<Standing>,
        scope: ListScope,
        limit: usize,
    ) -> Result<Vec<Arc<Conversation>>, Problem> {
        let mut found = Vec::new();
        if standing != Some(Standing::Ended) {
            let mut cards = self.doors.inbox.open_cards(&self.identity.tenant);
            cards.retain(|card| {
                let status = match standing {
                    None | Some(Standing::Ended) => true,
                    Some(Standing::Waiting) => card.status == Status::Waiting,
                    Some(Standing::Active | Standing::Transferred) => {
                        card.status == Status::Active
                            && card.transferred == (standing == Some(Standing::Transferred))
                    }
                };
                let scope = match scope {
                    ListScope::All => true,
                    ListScope::Unassigned => card.agent.is_none(),
                    ListScope::Agent(agent) => card.agent == Some(agent),
                    ListScope::Visitor(visitor) => card.visitor == visitor,
                };
                status && scope && sees(self.doors, self.identity, card.sight())
            });
            cards.sort_by_key(|card| Reverse((card.last_at, card.id)));
            found = self.look_at_all(cards.iter().take(limit).map(|card| card.id)).await?;
        }
        if matches!(standing, None | Some(Standing::Ended)) {
            let list = List {
                tenant: self.identity.tenant.clone(),
                statuses: vec![Status::Closed, Status::Archived],
                department: None,
                scope,
                after: None,
                limit,
            };
            for state in self.doors.store.list(list).await? {
                // What the list has as ended may be open again, and then was found already.
                let is_new = found.iter().all(|known: &Arc<Conversation>| known.id != state.id);
                if is_new && sees(self.doors, self.identity, Subject::of(&state)) {
                    found.push(Arc::new(state));
                }
            }
        }
        Ok(found)
    }
}
