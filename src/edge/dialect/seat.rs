//! What a connection of a dialect holds among those who hear, whatever carries its bytes.
//!
//! A seat hears conversations at their regions as every other socket does, and gives back all of
//! it when its connection ends. When a conversation goes to another owner, or its owner is gone,
//! the seat asks for it again until it is to be had, and its client keeps its connection.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use switchboard_actors::answer::Subscribed;
use switchboard_actors::delivery::{Delivery, Outlet, Unsubscribed};
use switchboard_actors::inbox::{Change, Row, Rows, ViewDelta};
use switchboard_actors::presence::View;
use switchboard_actors::{Published, Refusal};
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::{ConversationId, Seq, Timestamp};
use switchboard_domain::person::{Principal, Side};
use switchboard_store::Range;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::presences::profile;
use crate::edge::problem::{Close, Code, Problem};
use crate::telemetry::spawn_light;

/// Conversations that one connection hears.
const ROOMS_MAX: usize = 512;
/// How long a connection that begins waits for what it is to hear; the rest comes later.
pub const ENTRY_WITHIN: Duration = Duration::from_secs(2);
/// How long until a conversation that was not to be had is asked for again; twice as long each
/// time, up to eight times.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
const DOUBLINGS_MAX: u32 = 3;
/// Conversations that one connection asks for at once: each waits for its owner.
const ASKED_MAX: usize = 8;
/// Events read at once of what was said while a subscription was lost.
const PAGE: usize = 200;
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
    /// Up to where its client was told; `None` until the subscription stands.
    told: Option<Seq>,
    /// Whether the subscription stands.
    stands: bool,
    /// How often it was asked for in vain.
    n_tries: u32,
}

impl Room {
    const fn new(ref_id: u64) -> Self {
        Self { ref_id, number: None, told: None, stands: false, n_tries: 0 }
    }
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
    asking: Arc<Semaphore>,
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
        let asking = Arc::new(Semaphore::new(ASKED_MAX));
        let rooms = HashMap::new();
        Self { doors, identity, address, began_at, outlet, rooms, next_ref: 0, asking }
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
        self.rooms.insert(conversation, Room::new(ref_id));
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

    /// Hears these from now on, each as soon as it is to be had. Waits for them, but not long: an
    /// owner may be on its way. What is out of sight is passed over.
    pub async fn hear_all(&mut self, conversations: impl IntoIterator<Item = ConversationId>) {
        let asked: Vec<_> = conversations.into_iter().filter_map(|it| self.hear(it)).collect();
        // Those that are late are not given up.
        let _late = timeout(ENTRY_WITHIN, join_all(asked)).await;
    }

    /// Hears a conversation from now on, as soon as it is to be had; `None` when it is heard
    /// already, or when the connection hears as many as it may. What is out of sight is told as
    /// [`Unsubscribed::Forbidden`].
    pub fn hear(&mut self, conversation: ConversationId) -> Option<JoinHandle<()>> {
        if self.rooms.contains_key(&conversation) || self.rooms.len() >= ROOMS_MAX {
            return None;
        }
        let ref_id = self.next_ref();
        self.rooms.insert(conversation, Room::new(ref_id));
        Some(self.ask_for(conversation, ref_id, Duration::ZERO))
    }

    /// A subscription was lost: the conversation is asked for again until it is to be had.
    fn hear_again(&mut self, conversation: ConversationId) {
        let ref_id = self.next_ref();
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let after = AGAIN_AFTER * 2_u32.pow(room.n_tries.min(DOUBLINGS_MAX));
        (room.ref_id, room.stands, room.n_tries) = (ref_id, false, room.n_tries.saturating_add(1));
        drop(self.ask_for(conversation, ref_id, after));
    }

    /// A subscription ended without being asked to.
    pub fn unsubscribed(&mut self, conversation: ConversationId, why: Unsubscribed) {
        match why {
            Unsubscribed::Forbidden => drop(self.rooms.remove(&conversation)),
            Unsubscribed::Lost => self.hear_again(conversation),
        }
    }

    /// Asks for a conversation beside the connection's own task, which is told what comes of it.
    fn ask_for(
        &self,
        conversation: ConversationId,
        ref_id: u64,
        after: Duration,
    ) -> JoinHandle<()> {
        let key = self.doors.key(&self.identity.tenant, conversation);
        let (doors, identity) = (Arc::clone(&self.doors), Arc::clone(&self.identity));
        let (outlet, asking) = (self.outlet.clone(), Arc::clone(&self.asking));
        spawn_light(async move {
            if !after.is_zero() {
                sleep(after).await;
            }
            // It is never closed.
            let _permit = asking.acquire().await;
            let (conversations, caller) = (&doors.conversations, &identity.caller);
            let asked = conversations.subscribe(&key, caller, Stream::Public, ref_id, &outlet);
            let why = match asked.await {
                Ok(()) => return,
                Err(Refusal::Rejected(_)) => Unsubscribed::Forbidden,
                Err(refusal) => {
                    tracing::debug!(%conversation, %refusal, "asked for in vain");
                    Unsubscribed::Lost
                }
            };
            // Who has left meanwhile hears nothing.
            outlet.push(Delivery::Unsubscribed { conversation, stream: Stream::Public, why });
        })
    }

    /// What a row of a live list is to tell could not be read. What is out of sight is passed over;
    /// what cannot be had now, as while its owner changes, is shown again in a moment.
    ///
    /// # Errors
    ///
    /// Any other problem.
    pub fn unread(&self, list: u64, row: &Row, problem: Problem) -> Result<(), Problem> {
        unread(&self.outlet, problem, || {
            let rows = Rows::Changes(vec![Change::Put(row.clone())]);
            // Dialects count no steps.
            Delivery::View(ViewDelta { id: list, version: 0, total: 0, rows })
        })
    }

    /// A subscription stands; answers whether it is still wanted.
    pub fn joined(&mut self, conversation: ConversationId, ref_id: u64, number: u64) -> bool {
        match self.rooms.get_mut(&conversation) {
            Some(room) if room.ref_id == ref_id => {
                (room.number, room.stands, room.n_tries) = (Some(number), true, 0);
                true
            }
            Some(_) => false,
            None => {
                // It was left while it was asked for.
                let key = self.doors.key(&self.identity.tenant, conversation);
                self.doors.conversations.unsubscribe(&key, Stream::Public, self.outlet.id());
                false
            }
        }
    }

    /// The same for a client that reads what was before by itself: answers what was said while the
    /// subscription was lost, in order, or `None` where it is not wanted.
    ///
    /// # Errors
    ///
    /// When the history cannot be read.
    pub async fn stands(
        &mut self,
        conversation: ConversationId,
        ref_id: u64,
        subscribed: &Subscribed,
    ) -> Result<Option<Vec<Arc<Published>>>, Problem> {
        if !self.joined(conversation, ref_id, subscribed.state.number.0) {
            return Ok(None);
        }
        let told = self.rooms.get(&conversation).and_then(|room| room.told);
        let missed = match told {
            Some(upto) if upto < subscribed.head => {
                match self.between(conversation, upto, subscribed.head).await {
                    Ok(missed) => missed,
                    Err(Refusal::Rejected(rejection)) => {
                        return Err(Refusal::Rejected(rejection).into());
                    }
                    Err(_gone_again) => {
                        self.hear_again(conversation);
                        return Ok(None);
                    }
                }
            }
            Some(_) | None => Vec::new(),
        };
        if let Some(room) = self.rooms.get_mut(&conversation) {
            room.told = Some(subscribed.head);
        }
        Ok(Some(missed))
    }

    /// The events after one position, up to another.
    async fn between(
        &self,
        conversation: ConversationId,
        mut after: Seq,
        upto: Seq,
    ) -> Result<Vec<Arc<Published>>, Refusal> {
        let key = self.doors.key(&self.identity.tenant, conversation);
        let (conversations, caller) = (&self.doors.conversations, &self.identity.caller);
        let mut found = Vec::new();
        while after < upto {
            let range = Range::After(after);
            let page = conversations.history(&key, caller, Stream::Public, range, PAGE).await?;
            let Some(last) = page.events.last() else { break };
            after = last.event.seq;
            found.extend(page.events.into_iter().filter(|published| published.event.seq <= upto));
        }
        Ok(found)
    }

    /// Whether an event is to be told, of a conversation that [stands](Self::stands); then it was.
    pub fn is_news(&mut self, published: &Published) -> bool {
        let event = &published.event;
        // P13: whatever happens elsewhere, only the public stream is told.
        if event.stream != Stream::Public {
            return false;
        }
        match self.rooms.get_mut(&published.conversation) {
            Some(room) if room.stands && room.told.is_none_or(|told| told < event.seq) => {
                room.told = Some(event.seq);
                true
            }
            Some(_) | None => false,
        }
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

/// A problem with what `delivery` is to tell: delivers it again in a moment where that may help.
fn unread(
    outlet: &Outlet,
    problem: Problem,
    delivery: impl FnOnce() -> Delivery,
) -> Result<(), Problem> {
    match problem.code {
        Code::NotFound => Ok(()),
        Code::Busy => {
            let (outlet, again) = (outlet.clone(), delivery());
            drop(spawn_light(async move {
                sleep(AGAIN_AFTER).await;
                outlet.push(again);
            }));
            Ok(())
        }
        _ => Err(problem),
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
    use switchboard_actors::subscriber;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_had_now_is_shown_again_and_ends_no_connection() {
        let (outlet, mut deliveries) = subscriber::queue();
        let met = |code| unread(&outlet, Problem::new(code), || Delivery::AnybodyOnline(true));
        met(Code::NotFound).unwrap();
        assert_eq!(met(Code::Internal).unwrap_err().code, Code::Internal);
        met(Code::Busy).unwrap();
        assert!(deliveries.try_next().is_none(), "not at once");
        sleep(2 * AGAIN_AFTER).await;
        let shown = deliveries.try_next().unwrap().unwrap();
        assert!(matches!(shown, Delivery::AnybodyOnline(true)), "{shown:?}");
        assert!(deliveries.try_next().is_none(), "once");
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_is_gone() {
        let places = Places::new(1);
        let place = places.take().unwrap();
        assert_eq!(places.take().unwrap_err().code, Code::Busy);
        drop(place);
        assert!(places.take().is_ok());
    }
}
