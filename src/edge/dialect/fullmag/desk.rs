//! What both REST and Socket.IO ask of the core: the same commands and queries as our own API.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use switchboard_actors::answer::View;
use switchboard_domain::conversation::{Command, Conversation, Priority, Resolution};
use switchboard_domain::ids::{ConversationId, VisitorId};
use switchboard_domain::person::{Principal, Side};
use switchboard_store::ConversationKey;

use super::Profile;
use super::wire::{Kept, Message, Room, id_of, message};
use crate::auth::Identity;
use crate::edge::caller::{self, sees};
use crate::edge::commands::{self, ask};
use crate::edge::device::note_device;
use crate::edge::dialect::encoded::Encoded;
use crate::edge::dialect::history;
use crate::edge::dialect::standing::look_at_all;
use crate::edge::doors::Doors;
use crate::edge::opening::{self, Current, Opening};
use crate::edge::problem::{Code, Problem};

/// Rooms that one list gives: those with the newest activity.
const ROOMS_MAX: usize = 500;

/// Somebody asks something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'a> {
    pub(super) doors: &'a Arc<Doors>,
    pub(super) identity: &'a Identity,
    /// Which side the caller is on.
    pub(super) side: Side,
}

impl<'a> Desk<'a> {
    /// The desk of a caller.
    ///
    /// # Errors
    ///
    /// [`Code::Forbidden`] for who is neither a customer nor support.
    pub(super) fn new(
        doors: &'a Arc<Doors>,
        identity: &'a Identity,
        profile: Profile,
    ) -> Result<Self, Problem> {
        Ok(Self { doors, identity, side: profile.side(identity)? })
    }

    fn key(&self, id: ConversationId) -> ConversationKey {
        self.doors.key(&self.identity.tenant, id)
    }

    /// Refuses customers.
    ///
    /// # Errors
    ///
    /// [`Code::Forbidden`].
    pub(super) fn require_support(&self) -> Result<(), Problem> {
        match self.side {
            Side::Agent | Side::System => Ok(()),
            Side::Visitor => Err(Code::Forbidden.into()),
        }
    }

    /// Refuses whoever says to be somebody else.
    ///
    /// # Errors
    ///
    /// [`Code::Forbidden`].
    pub(super) async fn require_self(&self, said: &str) -> Result<(), Problem> {
        let (tenant, principal) = (&self.identity.tenant, self.identity.caller.author.principal);
        if *id_of(self.doors, tenant, principal).await? == *said {
            return Ok(());
        }
        Err(Problem::with(Code::Forbidden, "the token is somebody else's"))
    }

    /// A room by its name, if the caller may see it.
    pub(super) async fn find(&self, room: &str) -> Result<View, Problem> {
        self.look(named(room)?).await
    }

    async fn look(&self, id: ConversationId) -> Result<View, Problem> {
        Ok(self.doors.conversations.state(&self.key(id), &self.identity.caller).await?)
    }

    /// The room as the caller sees it.
    pub(super) async fn shown(&self, view: &View) -> Result<Room, Problem> {
        Room::new(self.doors, &self.identity.tenant, view, self.side).await
    }

    /// The room as the caller sees it now.
    pub(super) async fn shown_now(&self, id: ConversationId) -> Result<Room, Problem> {
        self.shown(&self.look(id).await?).await
    }

    async fn command(&self, id: ConversationId, command: Command) -> Result<(), Problem> {
        ask(self.doors, self.identity, &self.key(id), None, command).await?;
        Ok(())
    }

    /// The customer's one open room, begun when there is none.
    pub(super) async fn own_room(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Room, Problem> {
        let Principal::Visitor(visitor) = self.identity.caller.author.principal else {
            return Err(Problem::with(Code::Forbidden, "rooms are of customers"));
        };
        let id = match opening::current(self.doors, self.identity, visitor).await? {
            Current::Open(state) => state.id,
            Current::Begin(id) => {
                self.begin(id, visitor, headers, address).await?;
                id
            }
        };
        self.shown_now(id).await
    }

    async fn begin(
        &self,
        id: ConversationId,
        visitor: VisitorId,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Arc<Conversation>, Problem> {
        let (doors, tenant) = (self.doors, &self.identity.tenant);
        let mut context = BTreeMap::new();
        note_device(&mut context, headers, address);
        let opening = Opening {
            id,
            resumed: true,
            visitor: opening::contact(doors, tenant, visitor).await?,
            widget: None,
            subject: None,
            department: None,
            priority: Priority::Medium,
            skills: Vec::new(),
            context: context.into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
            fields: Vec::new(),
            welcome: None,
            message: None,
        };
        let state = opening::open(doors, tenant, &self.identity.caller, opening).await?;
        doors.auth.tell_visitor(tenant, visitor, id);
        Ok(state)
    }

    /// The messages of a room, oldest first, as they read now.
    pub(super) async fn messages(&self, view: &View) -> Result<Vec<Kept>, Problem> {
        let room = view.state.id;
        let (lines, _) = history::look(self.doors, self.identity, room).await?;
        let mut messages = Vec::with_capacity(lines.len());
        for line in &lines {
            let event = &line.published.event;
            let is_by_own_side =
                (event.from.principal.side() == Side::Visitor) == (self.side == Side::Visitor);
            // Whoever it was written to reads it.
            let reader = if is_by_own_side { &view.other } else { &view.side };
            let message = Message::new(self.doors, &self.identity.tenant, line).await?;
            messages.push(Kept::new(message, room, reader.read >= event.seq));
        }
        Ok(messages)
    }

    /// The caller has read all there is.
    pub(super) async fn read(&self, view: &View) -> Result<Room, Problem> {
        let state = &view.state;
        let head = state.heads.public;
        let key = self.key(state.id);
        self.doors.conversations.receipt(&key, &self.identity.caller, None, Some(head));
        self.shown_now(state.id).await
    }

    /// Ends a room.
    pub(super) async fn close(&self, id: ConversationId) -> Result<Room, Problem> {
        self.command(id, Command::Close { resolution: Resolution::None }).await?;
        self.shown_now(id).await
    }

    /// Every open room that the caller sees, the newest activity first.
    pub(super) async fn rooms(&self) -> Result<Vec<Room>, Problem> {
        self.require_support()?;
        let mut cards = self.doors.inbox.open_cards(&self.identity.tenant);
        cards.retain(|card| sees(self.doors, self.identity, card.sight()));
        cards.sort_by_key(|card| Reverse((card.last_at, card.id)));
        let newest = cards.iter().take(ROOMS_MAX).map(|card| card.id);
        let mut rooms = Vec::new();
        for view in look_at_all(self.doors, self.identity, newest).await? {
            // It may have ended since.
            if view.state.status.is_open() {
                rooms.push(self.shown(&view).await?);
            }
        }
        Ok(rooms)
    }

    /// Whoever of the support side opens a waiting room has it; what somebody has stays theirs.
    pub(super) async fn opened(&self, view: &View) -> Result<Room, Problem> {
        if self.side == Side::Agent && view.state.agent.is_none() && view.state.status.is_open() {
            match self.take(view.state.id).await {
                // Somebody was faster, or it ended.
                Err(problem) if matches!(problem.code, Code::AlreadyAccepted | Code::Closed) => {}
                taken => taken?,
            }
            return self.shown_now(view.state.id).await;
        }
        self.shown(view).await
    }

    /// Takes a waiting room.
    pub(super) async fn take(&self, id: ConversationId) -> Result<(), Problem> {
        let agent = caller::agent(self.identity)?;
        self.command(id, Command::Take { agent }).await
    }

    /// Gives a room to somebody of the support side.
    pub(super) async fn assign(&self, id: ConversationId, agent: &str) -> Result<(), Problem> {
        let agent = commands::agent(self.doors, self.identity, agent).await?;
        self.command(id, Command::Assign { agent }).await
    }

    /// Writes a message.
    pub(super) async fn send(&self, room: &str, text: String) -> Result<Encoded, Problem> {
        let id = named(room)?;
        let command = Command::Send { text: text.into(), files: Vec::new(), if_head: None };
        let done = ask(self.doors, self.identity, &self.key(id), None, command).await?;
        for published in &done.events {
            let message = message(self.doors, &self.identity.tenant, published).await?;
            if let Some(message) = message {
                return Ok(message);
            }
        }
        Err(Code::Internal.into())
    }
}

/// The id that a room is named by; whether the caller may see it is asked with what is done.
fn named(room: &str) -> Result<ConversationId, Problem> {
    room.parse().map_err(|_not_uuid| Code::NotFound.into())
}
