//! What a connection of a dialect holds among those who hear, whatever carries its bytes.
//!
//! A seat hears conversations at their regions as every other socket does, and gives back all of
//! it when its connection ends.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::delivery::Outlet;
use switchboard_actors::presence::View;
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::{ConversationId, Timestamp};
use switchboard_domain::person::{Principal, Side};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::presences::profile;
use crate::edge::problem::{Close, Code, Problem};

/// Conversations that one connection hears.
const ROOMS_MAX: usize = 512;
/// How long after its token's end a connection is ended.
const EXPIRY_GRACE: Duration = Duration::from_secs(30);
/// A token for many years must not overflow a timer.
pub const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// How many connections all dialects may have together.
#[derive(Clone, Debug)]
pub struct Places(Arc<Semaphore>);

/// One of them, for as long as it is held.
pub type Place = OwnedSemaphorePermit;

impl Places {
    /// So many.
    #[must_use]
    pub fn new(n_places: usize) -> Self {
        Self(Arc::new(Semaphore::new(n_places.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes one.
    ///
    /// # Errors
    ///
    /// [`Code::Busy`] when all are taken.
    pub fn take(&self) -> Result<Place, Problem> {
        let place = Arc::clone(&self.0).try_acquire_owned();
        place.map_err(|_full| Problem::with(Code::Busy, "too many connections"))
    }
}

/// A conversation that a connection hears.
#[derive(Clone, Copy, Debug)]
struct Room {
    ref_id: u64,
    /// Its integer name; `None` until the subscription stands.
    number: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub struct Seat {
    /// What every door reaches.
    pub doors: Arc<Doors>,
    /// Who is connected.
    pub identity: Arc<Identity>,
    /// Where the client called from.
    pub address: IpAddr,
    /// When it was let in, which is before its client knows.
    pub began_at: Timestamp,
    /// Where deliveries to this connection wait.
    pub outlet: Outlet,
    rooms: HashMap<ConversationId, Room>,
    next_ref: u64,
}

impl Seat {
    /// A seat that hears nothing yet.
    #[must_use]
    pub fn new(
        doors: Arc<Doors>,
        identity: Arc<Identity>,
        address: IpAddr,
        began_at: Timestamp,
        outlet: Outlet,
    ) -> Self {
        Self { doors, identity, address, began_at, outlet, rooms: HashMap::new(), next_ref: 0 }
    }

    /// Hears the public stream of a conversation from now on; to hear it already is fine.
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn join(&mut self, conversation: ConversationId) -> Result<(), Problem> {
        if self.rooms.contains_key(&conversation) {
            return Ok(());
        }
        if self.rooms.len() >= ROOMS_MAX {
            return Err(Problem::with(Code::TooLarge, "too many conversations are joined"));
        }
        let ref_id = self.next_ref();
        self.rooms.insert(conversation, Room { ref_id, number: None });
        let key = self.doors.key(&self.identity.tenant, conversation);
        let caller = &self.identity.caller;
        let conversations = &self.doors.conversations;
        let entered =
            conversations.subscribe(&key, caller, Stream::Public, ref_id, &self.outlet).await;
        entered.map_err(|refusal| {
            self.rooms.remove(&conversation);
            refusal.into()
        })
    }

    /// A subscription stands; answers whether it is still wanted.
    pub fn joined(&mut self, conversation: ConversationId, ref_id: u64, number: u64) -> bool {
        match self.rooms.get_mut(&conversation) {
            Some(room) if room.ref_id == ref_id => {
                room.number = Some(number);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Forgets a conversation that is heard no more.
    pub fn left(&mut self, conversation: ConversationId) {
        self.rooms.remove(&conversation);
    }

    /// Hears a conversation no more.
    pub fn quit(&mut self, conversation: ConversationId) {
        if self.rooms.remove(&conversation).is_some() {
            let key = self.doors.key(&self.identity.tenant, conversation);
            self.doors.conversations.unsubscribe(&key, Stream::Public, self.outlet.id());
        }
    }

    /// Hears only those of what it hears.
    pub fn quit_all_but(&mut self, kept: &HashSet<ConversationId>) {
        let others: Vec<_> = self
            .rooms
            .keys()
            .filter(|conversation| !kept.contains(conversation))
            .copied()
            .collect();
        for conversation in others {
            self.quit(conversation);
        }
    }

    /// Whether a conversation is heard.
    #[must_use]
    pub fn is_in(&self, conversation: ConversationId) -> bool {
        self.rooms.contains_key(&conversation)
    }

    /// The integer name of a conversation that is heard.
    #[must_use]
    pub fn number(&self, conversation: ConversationId) -> Option<u64> {
        self.rooms.get(&conversation)?.number
    }

    /// A number that this connection has not used.
    pub const fn next_ref(&mut self) -> u64 {
        self.next_ref += 1;
        self.next_ref
    }

    /// Which side the client is on.
    #[must_use]
    pub fn side(&self) -> Side {
        self.identity.caller.author.principal.side()
    }

    /// Makes the connection known to others.
    pub async fn enter(&self) {
        let Self { doors, identity, outlet, .. } = self;
        doors.connections.enter(outlet, identity);
        doors.metrics.streams.opened(kind(identity.caller.author.principal));
        let tenant = &identity.tenant;
        let person = identity.person.as_ref().filter(|_| self.side() == Side::Agent);
        if let Some(person) = person {
            let profile = profile(&person.value, identity.caller.role);
            let connected = doors.presence.connected(tenant, person.value.id, outlet.id(), profile);
            if let Err(refusal) = connected.await {
                tracing::warn!(%refusal, "an agent connected without presence");
            }
            doors.presence.watch(tenant, View::Agents, outlet).await;
        }
    }

    /// Takes back everything that others hold of it.
    pub fn leave(&mut self, close: Close) {
        let Self { doors, identity, outlet, rooms, .. } = self;
        let tenant = &identity.tenant;
        doors.connections.leave(outlet.id());
        for (conversation, _) in rooms.drain() {
            let key = doors.key(tenant, conversation);
            doors.conversations.unsubscribe(&key, Stream::Public, outlet.id());
        }
        if let Some(agent) = identity.caller.author.principal.agent() {
            doors.presence.disconnected(tenant, agent, outlet.id());
            doors.presence.unwatch(tenant, outlet.id());
            doors.inbox.unwatch_all(tenant, outlet.id());
        }
        let principal = kind(identity.caller.author.principal);
        doors.metrics.streams.ended(principal, close.row().0);
    }

    /// When a connection with that credential ends.
    #[must_use]
    pub fn expiry(&self, now: Instant) -> Option<Instant> {
        let left_ms = self.identity.expires_at?.ms_since(self.doors.clock.now()).max(0);
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        Some(now + left.min(YEAR) + EXPIRY_GRACE)
    }

    /// The time of the credential is over, as far as was known when it was shown. Answers until
    /// when it lasts now.
    ///
    /// # Errors
    ///
    /// The connection is over.
    pub async fn extended(&mut self) -> Result<Option<Instant>, Close> {
        match self.doors.auth.extended(&self.identity).await {
            Ok(Some(identity)) => {
                self.identity = Arc::new(identity);
                Ok(self.expiry(Instant::now()))
            }
            Ok(None) => Err(Close::Unauthenticated),
            Err(_) => Err(Close::Void),
        }
    }
}

/// The kind of a principal, as metrics name it.
const fn kind(principal: Principal) -> &'static str {
    match principal {
        Principal::Agent(_) => "agent",
        Principal::Bot(_) => "bot",
        Principal::Visitor(_) | Principal::System => "visitor",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_connection_is_gone() {
        let places = Places::new(1);
        let place = places.take().unwrap();
        assert_eq!(places.take().unwrap_err().code, Code::Busy);
        drop(place);
        assert!(places.take().is_ok());
    }
}
