//! Which node is a tenant's home, and what home and guests must still tell each other.
//!
//! The home is the owner of the tenant's shard: presence and queue live there. Every other node
//! that serves the tenant is its guest. A guest tells the home what its conversations and its
//! connections became; the home tells each guest what the tenant's conversations and agents
//! became. Both tell the newest of each thing, once for many changes, so that what waits here is
//! bounded by how many things there are (P7).
//!
//! A visit begins with everything that the guest knows at first hand, and with everything that
//! the home knows. It ends when the link does, when the home is another's, or when either side
//! finds that it missed something; then another begins. So nothing that was lost stays lost.

mod noted;
mod visits;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_cluster::ownership::{Epoch, NodeName, Owner, Ownership};
use switchboard_cluster::shard::Shard;
use switchboard_domain::card::Card;
use switchboard_domain::ids::{AgentId, ConversationId, TenantId};
use switchboard_domain::presence::Status;
use switchboard_store::ConversationKey;
use tokio::time::Instant;

use super::Desks;
use super::unsaid::{ToGuest, ToHome};
use crate::cards::Cards;
use crate::maps::{HashMap, HashSet};
use crate::presence::AgentPresence;
use crate::region;
use crate::remote::Remote;
use crate::remote::home::{News, Word};

/// How often a guest says that it follows still, and the home says no if it does not know.
const STILL_EVERY: Duration = Duration::from_secs(1);
/// How long a home waits before it compares what it was told with the store once more: until then
/// every node has found it, and every checkpoint from before is written.
const VERIFY_AFTER: Duration = Duration::from_secs(3);
/// How long a node tells anew of what ended: until its checkpoint is written for certain.
const ENDED_KEPT: Duration = Duration::from_mins(1);
/// How often what a node must not tell any more is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(10);
/// How often an agent's sign of life is passed on: far more often than their lease ends.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// One tenant's link to other nodes. There is none on a node that is alone.
pub(crate) struct Link {
    tenant: TenantId,
    shard: Shard,
    ownership: Arc<dyn Ownership>,
    remote: Arc<Remote>,
    state: Mutex<State>,
    /// Agents as they were told last, by the home or here.
    agents: Mutex<HashMap<AgentId, AgentPresence>>,
}

struct State {
    role: Role,
    /// The newest cards that conversations of this node told themselves.
    own: HashMap<ConversationId, Own>,
    /// What the home has not been told.
    to_home: ToHome,
    /// When a sign of life of an agent was last passed on.
    alive: HashMap<AgentId, Instant>,
    forgot_at: Instant,
}

/// What a conversation of this node told.
struct Own {
    card: Arc<Card>,
    /// Under which epoch of its shard.
    epoch: Epoch,
    /// When it told that it ended.
    ended_at: Option<Instant>,
}

enum Role {
    /// The home cannot be reached, or nobody knows which node it is.
    Adrift,
    Guest(Guest),
    Home(Home),
}

struct Guest {
    home: NodeName,
    visit: u64,
    /// Of the last bulletin.
    version: u64,
    /// Open conversations of which the home has not said in this visit that it knows them.
    unconfirmed: HashSet<ConversationId>,
    said_at: Instant,
}

struct Home {
    epoch: Epoch,
    stage: Stage,
    guests: HashMap<NodeName, Followed>,
    /// Agents whom guests saw before this was the home.
    seen: HashSet<AgentId>,
    /// Whether something may have happened that nobody told.
    is_in_doubt: bool,
    is_verifying: bool,
    verified_at: Instant,
}

/// How far a home has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// What the store says is being read.
    Reads,
    /// The actors may begin.
    Begins,
    /// They serve.
    Serves,
    /// They serve, and all nodes have had time to tell what they know.
    HasGathered,
}

struct Followed {
    visit: u64,
    version: u64,
    is_whole: bool,
    to_guest: ToGuest,
    /// Agents with a connection there.
    desks: HashSet<AgentId>,
    /// Conversations that wait and whose visitor came to listen, as their owner there said; `None`
    /// of a node of an earlier version, which does not say all.
    listening: Option<HashSet<ConversationId>>,
}

/// Where a tenant's actors are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Here, and they serve.
    Here,
    /// On another node.
    There(NodeName),
    /// Nowhere at the moment.
    Nowhere,
}

/// Who says what a conversation is now.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    /// The conversation itself, which this node owns under that epoch.
    Own(Epoch),
    /// An answer of its owner to a client of this node.
    Answer,
    /// A node of the tenant.
    Node(&'a NodeName),
    /// The store.
    Store,
}

/// What follows from a change of hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// This was the home and is not any more.
    pub(super) has_ended: bool,
    /// This is the home from now on, under that epoch.
    pub(super) begins: Option<Epoch>,
    /// The home should compare what it knows with the store.
    pub(super) verifies: bool,
    /// This is a guest from now on, and has said of whatever it knows at first hand but not yet
    /// who listens.
    pub(super) follows: bool,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("shard", &self.shard).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(
        tenant: TenantId,
        ownership: Arc<dyn Ownership>,
        remote: Arc<Remote>,
    ) -> Self {
        let shard = shard(&tenant);
        let state = Mutex::new(State {
            role: Role::Adrift,
            own: HashMap::default(),
            to_home: ToHome::default(),
            alive: HashMap::default(),
            forgot_at: Instant::now(),
        });
        Self { tenant, shard, ownership, remote, state, agents: Mutex::default() }
    }

    pub(super) const fn shard(&self) -> Shard {
        self.shard
    }

    pub(super) fn ownership(&self) -> &dyn Ownership {
        &*self.ownership
    }

    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Where the actors are, as far as this node knows.
    pub(super) fn at(&self) -> At {
        match self.ownership.owner(self.shard) {
            Owner::Here(epoch) if self.stage(epoch) >= Some(Stage::Serves) => At::Here,
            Owner::Here(_) | Owner::Nobody => At::Nowhere,
            Owner::There(node) => At::There(node),
        }
    }

    fn stage(&self, epoch: Epoch) -> Option<Stage> {
        match &self.state.lock().role {
            Role::Home(home) if home.epoch == epoch => Some(home.stage),
            Role::Home(_) | Role::Guest(_) | Role::Adrift => None,
        }
    }

    /// The epoch under which the actors are at home here and may begin.
    pub(crate) fn home_epoch(&self) -> Option<Epoch> {
        match &self.state.lock().role {
            Role::Home(home) if home.stage >= Stage::Begins => Some(home.epoch),
            Role::Home(_) | Role::Guest(_) | Role::Adrift => None,
        }
    }

    /// Whether this is still the home under that epoch, at this moment.
    pub(crate) fn holds(&self, epoch: Epoch) -> bool {
        self.ownership.holds(self.shard, epoch)
    }

    /// What was read from the store is taken in: the actors may begin.
    pub(super) fn may_begin(&self, epoch: Epoch) {
        self.come_to(epoch, Stage::Begins);
    }

    /// Presence serves from now on.
    pub(crate) fn serves(&self, epoch: Epoch) {
        self.come_to(epoch, Stage::Serves);
    }

    fn come_to(&self, epoch: Epoch, stage: Stage) {
        if let Role::Home(home) = &mut self.state.lock().role
            && home.epoch == epoch
        {
            home.stage = home.stage.max(stage);
        }
    }

    /// It could not be read: the next look begins again.
    pub(super) fn failed(&self, epoch: Epoch) {
        let state = &mut *self.state.lock();
        if matches!(&state.role, Role::Home(home) if home.epoch == epoch) {
            self.leave(&mut state.role);
        }
    }

    /// Looks who is home, and becomes what follows from it.
    pub(super) fn settle(&self, cards: &Cards, desks: &Desks) -> Turn {
        let now = Instant::now();
        let state = &mut *self.state.lock();
        self.forget(state, now);
        match (self.ownership.owner(self.shard), &mut state.role) {
            (Owner::Here(epoch), Role::Home(home)) if home.epoch == epoch => {
                Turn { verifies: home.begins_to_verify(now), ..Turn::default() }
            }
            (Owner::Here(epoch), role) => {
                let has_ended = self.leave(role);
                *role = Role::Home(Home::new(epoch, now));
                Turn { has_ended, begins: Some(epoch), ..Turn::default() }
            }
            (Owner::There(node), Role::Guest(guest)) if guest.home == node => {
                if now.duration_since(guest.said_at) >= STILL_EVERY {
                    guest.said_at = now;
                    // The next one says the same.
                    self.say(&node, guest.visit, Word::Still);
                }
                Turn::default()
            }
            // What was read from the store is for the home to confirm: all of it, so it is there first.
            (Owner::There(node), _) if self.remote.is_linked(&node) && cards.are_rebuilt() => {
                let has_ended = self.leave(&mut state.role);
                let follows = self.follow(state, node, (cards, desks), now);
                Turn { has_ended, follows, ..Turn::default() }
            }
            (Owner::There(_) | Owner::Nobody, role) => {
                Turn { has_ended: self.leave(role), ..Turn::default() }
            }
        }
    }

    /// Ends what this node was; says whether that was the home.
    fn leave(&self, role: &mut Role) -> bool {
        let Role::Home(home) = std::mem::replace(role, Role::Adrift) else { return false };
        for (node, followed) in &home.guests {
            self.say_over(node, followed.visit);
        }
        true
    }

    /// Begins to follow a home; whether it is told so.
    fn follow(
        &self,
        state: &mut State,
        home: NodeName,
        known: (&Cards, &Desks),
        now: Instant,
    ) -> bool {
        let (cards, desks) = known;
        let visit = self.remote.fresh_number();
        let agents = self.agents.lock();
        let seen = agents.iter().filter(|(_, it)| it.effective != Status::Offline);
        let seen = seen.map(|(agent, _)| *agent).collect();
        drop(agents);
        if !self.say(&home, visit, Word::Follow { desks: desks.agents(), seen }) {
            return false;
        }
        // Everything that is known at first hand, and what only the home may forget.
        state.own.retain(|id, own| self.owns(*id, own.epoch));
        state.to_home.begin_anew(state.own.values().map(|own| &own.card));
        let mut unconfirmed = cards.ids();
        unconfirmed.retain(|id| !state.own.contains_key(id));
        let guest = Guest { home, visit, version: 0, unconfirmed, said_at: now };
        state.role = Role::Guest(guest);
        self.has_news();
        true
    }

    /// Forgets what this node need not, or must not, tell anew.
    fn forget(&self, state: &mut State, now: Instant) {
        if now.duration_since(state.forgot_at) < FORGET_EVERY {
            return;
        }
        state.forgot_at = now;
        state.alive.retain(|_, at| now.duration_since(*at) < ALIVE_EVERY);
        let is_recent = |own: &Own| {
            own.ended_at.is_none_or(|ended_at| now.duration_since(ended_at) < ENDED_KEPT)
        };
        state.own.retain(|id, own| is_recent(own) && self.owns(*id, own.epoch));
    }

    /// Whether this node owns a conversation as it did under that epoch.
    fn owns(&self, conversation: ConversationId, epoch: Epoch) -> bool {
        self.ownership.holds(region::shard(&self.key(conversation)), epoch)
    }

    fn key(&self, conversation: ConversationId) -> ConversationKey {
        ConversationKey { tenant: self.tenant.clone(), conversation }
    }

    fn say(&self, home: &NodeName, visit: u64, word: Word) -> bool {
        self.remote.say_home(home, &self.tenant, visit, word).is_ok()
    }

    /// Says to a guest that this is not its home. Should that be lost, it asks again.
    pub(super) fn say_over(&self, guest: &NodeName, visit: u64) {
        let to = match self.ownership.owner(self.shard) {
            Owner::There(node) => Some(node.0),
            Owner::Here(_) | Owner::Nobody => None,
        };
        self.remote.tell_guest(guest, &self.tenant, visit, News::Over { to }).ok();
    }

    /// A node is gone: its visit ends. Says whether this is the home.
    pub(super) fn gone(&self, node: &NodeName) -> bool {
        let state = &mut *self.state.lock();
        match &mut state.role {
            Role::Home(home) => {
                home.guests.remove(node);
                home.is_in_doubt = true;
                home.verified_at = Instant::now();
                true
            }
            Role::Guest(guest) if guest.home == *node => {
                state.role = Role::Adrift;
                false
            }
            Role::Guest(_) | Role::Adrift => false,
        }
    }

    /// What is noted is told soon.
    pub(super) fn has_news(&self) {
        self.remote.news.soon();
    }
}

/// What the actors of this node begin from.
impl Link {
    /// Agents as they were told last.
    pub(crate) fn agents(&self) -> HashMap<AgentId, AgentPresence> {
        self.agents.lock().clone()
    }

    /// Agents whom other nodes saw before this was the home, since it was last asked.
    pub(crate) fn take_seen(&self) -> HashSet<AgentId> {
        match &mut self.state.lock().role {
            Role::Home(home) => std::mem::take(&mut home.seen),
            Role::Guest(_) | Role::Adrift => HashSet::default(),
        }
    }

    /// Who has a connection on a guest; nobody on one that is gone.
    pub(crate) fn desks_of(&self, node: &NodeName) -> HashSet<AgentId> {
        match &self.state.lock().role {
            Role::Home(home) => {
                home.guests.get(node).map(|it| it.desks.clone()).unwrap_or_default()
            }
            Role::Guest(_) | Role::Adrift => HashSet::default(),
        }
    }

    /// The guests.
    pub(crate) fn guests(&self) -> Vec<NodeName> {
        match &self.state.lock().role {
            Role::Home(home) => home.guests.keys().cloned().collect(),
            Role::Guest(_) | Role::Adrift => Vec::new(),
        }
    }

    /// Whether the newest that is known of a conversation was told by itself, here.
    pub(super) fn is_own(&self, conversation: ConversationId) -> bool {
        let state = self.state.lock();
        state.own.get(&conversation).is_some_and(|own| self.owns(conversation, own.epoch))
    }

    /// Whether every owner of a shard can be reached.
    pub(super) fn reaches_all(&self) -> bool {
        let mut nodes = HashSet::default();
        for shard in Shard::all() {
            match self.ownership.owner(shard) {
                Owner::Here(_) => {}
                Owner::There(node) => drop(nodes.insert(node)),
                Owner::Nobody => return false,
            }
        }
        nodes.iter().all(|node| self.remote.is_linked(node))
    }

    /// What is known was compared with the store; when it began, every owner could be reached or
    /// not.
    pub(super) fn verified(&self, epoch: Epoch, reached_all: bool) {
        let Role::Home(home) = &mut self.state.lock().role else { return };
        if home.epoch == epoch {
            home.is_verifying = false;
            home.is_in_doubt &= !reached_all;
            home.verified_at = Instant::now();
            if home.stage == Stage::Serves {
                home.stage = Stage::HasGathered;
            }
            self.has_news();
        }
    }
}

impl Home {
    fn new(epoch: Epoch, now: Instant) -> Self {
        Self {
            epoch,
            stage: Stage::Reads,
            guests: HashMap::default(),
            seen: HashSet::default(),
            is_in_doubt: true,
            is_verifying: false,
            verified_at: now,
        }
    }

    /// Whether it is time to compare with the store.
    fn begins_to_verify(&mut self, now: Instant) -> bool {
        let is_due = now.duration_since(self.verified_at) >= VERIFY_AFTER;
        let begins =
            self.is_in_doubt && is_due && !self.is_verifying && self.stage >= Stage::Serves;
        self.is_verifying |= begins;
        begins
    }
}

/// The shard that a tenant's actors lie in.
pub(super) fn shard(tenant: &TenantId) -> Shard {
    Shard::of(&tenant.0, "tenant", tenant.0.as_bytes())
}
