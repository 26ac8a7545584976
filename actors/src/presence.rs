//! The agents of a tenant: who is there, and with how many free slots.
//!
//! One actor a tenant owns the presence and the slots of all its agents, so a snapshot and the
//! changes after it come from one place. Supervised by: the tenants' supervisor. Ends: with the
//! node. It begins again from what agents chose (documents), from the cards of the open
//! conversations and from the connections that are open. What it had heard by calls without a
//! connection is heard again at the next call.
//!
//! What an agent owns is true in the log alone: a slot is reserved before a conversation is asked
//! to change hands, and kept or given back by what the log then says (P11).
//!
//! Among nodes it acts on the tenant's home alone. There the connections of another node are one
//! connection of each agent who has any, which closes when the node is gone. On a guest it shows
//! its watchers what the home shows.

mod agent;
mod handle;
mod home;
mod reserved;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use switchboard_cluster::ownership::NodeName;
use switchboard_domain::conversation::Rejection;
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, Timestamp};
use switchboard_domain::person::{AgentRef, Role};
use switchboard_domain::presence::Status;
use switchboard_domain::queue::Candidate;

pub use self::handle::{CONNECTED_WITHIN, Handle};

pub(crate) use self::home::connection_of;

use self::agent::Agent;
use self::home::Place;
use crate::answer::Refusal;
use crate::cards::Moved;
use crate::delivery::{Delivery, Outlet};
use crate::mailbox::{Permit, Reply};
use crate::maps::HashMap;
use crate::observe;
use crate::queue;
use crate::tenant::Tenant;
use crate::world::World;

/// What the directory of people says of an agent who connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name to show.
    pub name: Arc<str>,
    /// The rights.
    pub role: Role,
    /// For whom the agent works; empty means for every department.
    pub departments: Arc<[DepartmentId]>,
}

/// An agent as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPresence {
    /// Who.
    pub agent: AgentRef,
    /// The status that others see: the chosen one while anything of the agent is alive.
    pub effective: Status,
    /// The status the agent chose.
    pub chosen: Status,
    /// How many conversations the agent takes.
    pub capacity: usize,
    /// How many the agent has.
    pub active: usize,
    /// What the agent can.
    pub skills: Arc<[Arc<str>]>,
    /// For whom the agent works; empty means for every department.
    pub departments: Arc<[DepartmentId]>,
    /// The department that the agent says to sit in now: colleagues read it, nothing is routed by
    /// it.
    pub desk: Option<DepartmentId>,
}

/// What a watcher of presence is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Every agent; for agents.
    Agents,
    /// Whether anybody is there; for visitors.
    Anybody,
}

/// The messages of presence.
pub(crate) enum Message {
    /// A connection of an agent opened.
    Connected {
        agent: AgentId,
        connection: u64,
        profile: Profile,
        _permit: Permit,
        reply: Reply<AgentPresence>,
    },
    /// A connection of an agent closed.
    Disconnected { agent: AgentId, connection: u64 },
    /// A sign of life.
    Alive { agent: AgentId, _permit: Permit },
    /// Change what an agent chose.
    Set { agent: AgentRef, setting: Setting, _permit: Permit, reply: Reply<AgentPresence> },
    /// Show one agent.
    Get { agent: AgentId, _permit: Permit, reply: Reply<Option<AgentPresence>> },
    /// Show all agents.
    All { _permit: Permit, reply: Reply<Arc<[AgentPresence]>> },
    /// When each agent was last heard of.
    Seen { _permit: Permit, reply: Reply<HashMap<AgentId, Timestamp>> },
    /// Show all agents as routing sees them.
    Candidates { _permit: Permit, reply: Reply<Vec<Candidate>> },
    /// Keep a slot for a conversation for a while; answers the agent's name.
    Reserve {
        agent: AgentRef,
        conversation: ConversationId,
        _permit: Permit,
        reply: Reply<Arc<str>>,
    },
    /// Nothing came of a reservation.
    Cancel { agent: AgentId, conversation: ConversationId },
    /// The log says that a conversation changed hands.
    Moved(Moved),
    /// Tell an outlet at once and on every change.
    Watch { view: View, outlet: Outlet, _permit: Permit, reply: Reply<()> },
    /// Tell it no more.
    Unwatch { outlet_id: u64 },
    /// Guests' connections are otherwise than before; a new guest wants to be shown all agents.
    Desks { node: NodeName, is_new: bool },
    /// The home shows these agents, and whether anybody is there.
    Mirrored { agents: Arc<[AgentPresence]>, anybody: Option<bool> },
    /// Look whether the home is here.
    Settle,
    /// Begin: look who is home, and catch up with the cards.
    Wake,
    /// Look whose time has run out.
    Look,
    /// Say how it stands.
    Observe(Reply<observe::Presence>),
}

impl ractor::Message for Message {}

/// Something an agent chose.
#[derive(Clone, Debug)]
pub(crate) enum Setting {
    Status(Status),
    Capacity(usize),
    Skills(Vec<Arc<str>>),
    Desk(Option<DepartmentId>),
}

/// The behavior of presence.
#[derive(Clone, Copy)]
pub(crate) struct Behavior;

/// What presence owns.
pub(crate) struct State {
    world: Arc<World>,
    tenant: Arc<Tenant>,
    agents: HashMap<AgentId, Agent>,
    /// When a look is due already; none is asked for twice.
    looks_at: Option<Timestamp>,
    place: Place,
}

impl Actor for Behavior {
    type Msg = Message;
    type State = State;
    type Arguments = (Arc<World>, Arc<Tenant>);

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        (world, tenant): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let place = if tenant.link().is_some() { Place::Guest } else { Place::Alone };
        let mut state = State { world, tenant, agents: HashMap::default(), looks_at: None, place };
        let agents = state.read_all().await?;
        match (&state.place, state.tenant.link()) {
            (Place::Guest, Some(link)) => {
                // Until the home shows them.
                let known = link.agents();
                let now = state.world.clock.now();
                let shown = agents.iter().filter(|(id, _)| !known.contains_key(id));
                let shown: Vec<_> = shown.map(|(id, agent)| agent.show(*id, now)).collect();
                link.mirror(shown);
            }
            _ => state.agents = agents,
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match state.place {
            Place::Alone | Place::Home(..) => state.handle(&myself, message).await,
            Place::Guest => state.handle_as_guest(&myself, message).await,
        }
        state.look_again(&myself);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Message>,
        _event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl State {
    async fn handle(&mut self, myself: &ActorRef<Message>, message: Message) {
        let now = self.world.clock.now();
        match message {
            Message::Connected { agent, connection, profile, reply, .. } => {
                answer(reply, self.connected(agent, connection, &profile).await);
            }
            Message::Disconnected { agent, connection } => {
                self.change(agent, |it| it.presence.disconnected(connection, now));
            }
            Message::Alive { agent, .. } => self.change(agent, |it| it.presence.renewed(now)),
            Message::Set { agent, setting, reply, .. } => {
                answer(reply, self.set(&agent, setting, now).await);
            }
            Message::Get { agent, reply, .. } => {
                answer(reply, Ok(self.agents.get(&agent).map(|it| it.show(agent, now))));
            }
            Message::All { reply, .. } => answer(reply, Ok(self.show_all(now))),
            Message::Seen { reply, .. } => {
                let seen = self.agents.iter();
                let seen = seen.filter_map(|(id, it)| Some((*id, it.presence.seen_at(now)?)));
                answer(reply, Ok(seen.collect()));
            }
            Message::Candidates { reply, .. } => {
                let candidates = self.agents.iter().map(|(id, it)| it.candidate(*id, now));
                answer(reply, Ok(candidates.collect()));
            }
            Message::Reserve { agent, conversation, reply, .. } => {
                answer(reply, self.reserve_durably(&agent, conversation, now).await);
            }
            Message::Cancel { agent, conversation } => {
                self.change(agent, |it| it.capacity.cancel(conversation));
                self.tell_queue();
            }
            Message::Moved(moved) => self.moved(moved),
            Message::Watch { view, outlet, reply, .. } => {
                self.watch(view, outlet, now);
                answer(reply, Ok(()));
            }
            Message::Unwatch { outlet_id } => {
                self.tenant.watchers.lock().remove(&outlet_id);
            }
            Message::Desks { node, is_new } => self.take_desks(&node, is_new, now),
            // Of a home before this one.
            Message::Mirrored { .. } => {}
            Message::Settle => self.look_who_is_home(myself).await,
            Message::Wake => self.catch_up(),
            Message::Look => {
                self.looks_at = None;
                self.tell_all_changes();
            }
            Message::Observe(reply) => answer(reply, Ok(self.observe(now))),
        }
    }

    async fn connected(
        &mut self,
        id: AgentId,
        connection: u64,
        profile: &Profile,
    ) -> Result<AgentPresence, Refusal> {
        self.tenant.set_departments(id, Arc::clone(&profile.departments));
        let agent = self.agents.entry(id).or_default();
        let chose = agent.presence.chosen();
        agent.presence.connected(connection);
        let is_new = agent.take_in(profile) || agent.presence.chosen() != chose;
        if is_new {
            self.store(id).await?;
        }
        self.change(id, |_| {});
        self.show(id)
    }

    async fn set(
        &mut self,
        agent: &AgentRef,
        setting: Setting,
        now: Timestamp,
    ) -> Result<AgentPresence, Refusal> {
        let found = self.agents.entry(agent.id).or_insert_with(|| Agent::named(&agent.name));
        let before = found.clone();
        match setting {
            Setting::Status(status) => {
                found.presence.choose(status);
                // Only agents choose for themselves: whoever does is there, even when the call's
                // own sign of life came before anything was known of them.
                found.presence.renewed(now);
            }
            Setting::Capacity(max) => found.capacity.set_max(max)?,
            Setting::Skills(skills) => found.set_skills(skills)?,
            Setting::Desk(desk) => found.desk = desk,
        }
        // Heartbeats say the same again and again.
        let is_new = !stored::is_same(found, &before);
        if is_new && let Err(refusal) = self.store(agent.id).await {
            self.agents.insert(agent.id, before);
            return Err(refusal);
        }
        self.change(agent.id, |_| {});
        self.show(agent.id)
    }

    /// What an agent chose must outlive the node.
    async fn store(&self, id: AgentId) -> Result<(), Refusal> {
        let Some(agent) = self.agents.get(&id) else { return Ok(()) };
        let written = stored::write(&*self.world.store, &self.tenant.id, id, agent).await;
        written.map_err(Refusal::Store)?;
        // The next home may have read before, and is asked the same.
        if self.is_home_still() { Ok(()) } else { Err(Refusal::Moved) }
    }

    fn reserve(
        &mut self,
        agent: &AgentRef,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Result<Arc<str>, Refusal> {
        let found = self.agents.entry(agent.id).or_insert_with(|| Agent::named(&agent.name));
        let reserved = found.capacity.reserve(conversation, now);
        if !self.world.config.sabotage.ignores_capacity() {
            reserved?;
        }
        if self.world.config.sabotage.keeps_no_slot() {
            found.capacity.cancel(conversation);
        }
        Ok(Arc::clone(&found.name))
    }

    fn moved(&mut self, moved: Moved) {
        let Moved { conversation, from, to } = moved;
        if let Some(from) = from {
            self.change(from, |it| it.capacity.release(conversation));
        }
        if let Some(to) = to {
            self.agents.entry(to).or_default();
            self.change(to, |it| it.capacity.own(conversation));
        }
        self.tell_queue();
    }

    /// Takes the slots from the cards, which say what the log says, and who is there from the open
    /// connections. One that closes meanwhile says so in a message that follows.
    fn catch_up(&mut self) {
        for (connection, id) in self.tenant.desks.all() {
            self.agents.entry(id).or_default().presence.connected(connection);
        }
        let mut owned: HashMap<AgentId, Vec<(ConversationId, Arc<str>)>> = HashMap::default();
        for card in self.tenant.cards().all() {
            if let Some(agent) = card.agent {
                let name = card.agent_name().unwrap_or_default().into();
                owned.entry(agent).or_default().push((card.id, name));
            }
        }
        for (id, agent) in &mut self.agents {
            let owned = owned.remove(id).unwrap_or_default();
            agent.own_exactly(owned.into_iter().map(|(conversation, _)| conversation));
        }
        for (id, owned) in owned {
            let name = owned.first().map(|(_, name)| Arc::clone(name)).unwrap_or_default();
            let mut agent = Agent::named(&name);
            agent.own_exactly(owned.into_iter().map(|(conversation, _)| conversation));
            self.agents.insert(id, agent);
        }
        self.tell_all_changes();
        self.tell_queue();
    }

    fn watch(&mut self, view: View, outlet: Outlet, now: Timestamp) {
        let first = match view {
            View::Agents => Delivery::Presence { agents: self.show_all(now), snapshot: true },
            View::Anybody => Delivery::AnybodyOnline(self.tenant.anybody_online()),
        };
        if self.push(&outlet, first) {
            self.tenant.watchers.lock().insert(outlet.id(), (view, outlet));
        }
    }

    /// Changes one agent, if known, and tells the watchers what they can see of it.
    fn change(&mut self, id: AgentId, change: impl FnOnce(&mut Agent)) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        change(agent);
        self.tell_changes(id);
    }

    fn tell_all_changes(&mut self) {
        let ids: Vec<_> = self.agents.keys().copied().collect();
        for id in ids {
            self.tell_changes(id);
        }
    }

    fn tell_changes(&mut self, id: AgentId) {
        let now = self.world.clock.now();
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let shown = agent.show(id, now);
        if agent.told.as_ref() == Some(&shown) {
            return;
        }
        let took_offers = agent.told.as_ref().is_some_and(|told| told.effective.takes_offers());
        let takes_offers = shown.effective.takes_offers();
        agent.told = Some(shown.clone());
        if let Some(link) = self.tenant.link() {
            link.note_agent(&shown);
        }
        let delivery = Delivery::Presence { agents: Arc::new([shown]), snapshot: false };
        self.tell(View::Agents, &delivery);
        if took_offers != takes_offers {
            self.tell_anybody();
            self.tell_queue();
        }
    }

    fn tell_anybody(&mut self) {
        let online = self
            .agents
            .values()
            .any(|it| it.told.as_ref().is_some_and(|told| told.effective.takes_offers()));
        if self.tenant.anybody_online() != online {
            self.tenant.set_anybody_online(online);
            if let Some(link) = self.tenant.link() {
                link.note_anybody(online);
            }
            self.tell(View::Anybody, &Delivery::AnybodyOnline(online));
        }
    }

    fn tell(&self, view: View, delivery: &Delivery) {
        self.tenant
            .watchers
            .lock()
            .retain(|_, (wants, outlet)| *wants != view || self.push(outlet, delivery.clone()));
    }

    /// Whether the outlet still listens.
    fn push(&self, outlet: &Outlet, delivery: Delivery) -> bool {
        let pushed = outlet.push(delivery);
        self.world.meter.pushed(pushed);
        pushed.is_heard()
    }

    /// Slots or presence changed: the queue may have something to give.
    fn tell_queue(&self) {
        // A queue that is away looks for itself when it comes back.
        drop(self.tenant.queue.cast(queue::Message::AgentsChanged));
    }

    /// Asks to be woken when the first presence falls by time alone.
    fn look_again(&mut self, myself: &ActorRef<Message>) {
        let now = self.world.clock.now();
        let falls = self.agents.values().filter_map(|it| it.presence.falls_at(now)).min();
        let Some(falls) = falls else { return };
        if self.looks_at.is_some_and(|at| at <= falls) {
            return;
        }
        self.looks_at = Some(falls);
        let wait_ms = u64::try_from(falls.ms_since(now)).unwrap_or(0);
        myself.send_after(Duration::from_millis(wait_ms), || Message::Look);
    }

    fn show(&self, id: AgentId) -> Result<AgentPresence, Refusal> {
        let now = self.world.clock.now();
        let agent = self.agents.get(&id).ok_or(Rejection::NotFound)?;
        Ok(agent.show(id, now))
    }

    fn show_all(&self, now: Timestamp) -> Arc<[AgentPresence]> {
        let mut all: Vec<_> = match (&self.place, self.tenant.link()) {
            (Place::Guest, Some(link)) => link.agents().into_values().collect(),
            _ => self.agents.iter().map(|(id, it)| it.show(*id, now)).collect(),
        };
        all.sort_by_key(|it| it.agent.id);
        all.into()
    }

    fn observe(&self, now: Timestamp) -> observe::Presence {
        observe::Presence {
            agents: self.agents.len(),
            alive: self.agents.values().filter(|it| it.presence.is_alive(now)).count(),
            watchers: self.tenant.watchers.lock().len(),
            slots_taken: self.agents.values().map(|it| it.capacity.n_taken(now)).sum(),
            slots_owned: self.agents.values().map(|it| it.capacity.n_owned()).sum(),
            mailbox: self.tenant.presence.gauge().depth(),
        }
    }
}

fn answer<T>(reply: Reply<T>, result: Result<T, Refusal>) {
    // Nobody waits any more when the answer cannot be sent.
    drop(reply.send(result));
}

#[cfg(test)]
mod tests;
