//! Presence among nodes: what it is on the tenant's home and on a guest, and how it changes.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use switchboard_cluster::ownership::{Epoch, NodeName};
use switchboard_domain::ids::{AgentId, ConversationId, Timestamp};
use switchboard_domain::person::AgentRef;
use switchboard_domain::presence::Status;
use switchboard_store::Fault;
use xxhash_rust::xxh3::xxh3_64;

use super::agent::Agent;
use super::reserved::Reserved;
use super::{AgentPresence, Message, State, View, answer, stored};
use crate::answer::Refusal;
use crate::delivery::Delivery;
use crate::mailbox::BUSY;
use crate::maps::HashMap;
use crate::tenant::Link;

/// The connection that stands for all connections of a node that died with the last home.
const LAST_HOME: u64 = u64::MAX;
/// How long after a failed reading of the store it is read again.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// Where the tenant's home is, as this actor last saw it.
#[derive(Debug)]
pub(super) enum Place {
    /// Here, because there are no other nodes.
    Alone,
    /// Here, since that epoch.
    Home(Epoch, Reserved),
    /// Elsewhere: here is known what was told.
    Guest,
}

impl State {
    /// On a guest questions come here only while the home changes.
    pub(super) async fn handle_as_guest(&mut self, myself: &ActorRef<Message>, message: Message) {
        let now = self.world.clock.now();
        match message {
            Message::Connected { reply, .. } | Message::Set { reply, .. } => {
                answer(reply, Err(Refusal::Moved));
            }
            Message::Get { reply, .. } => answer(reply, Err(Refusal::Moved)),
            Message::All { reply, .. } => answer(reply, Err(Refusal::Moved)),
            Message::Seen { reply, .. } => answer(reply, Err(Refusal::Moved)),
            Message::Candidates { reply, .. } => answer(reply, Err(Refusal::Moved)),
            Message::Reserve { reply, .. } => answer(reply, Err(Refusal::Moved)),
            Message::Watch { view, outlet, reply, .. } => {
                self.watch(view, outlet, now);
                answer(reply, Ok(()));
            }
            Message::Unwatch { outlet_id } => {
                self.tenant.watchers.lock().remove(&outlet_id);
            }
            Message::Mirrored { agents, anybody } => self.pass_on(&agents, anybody),
            Message::Settle => self.look_who_is_home(myself).await,
            Message::Wake => {
                let shown = self.show_all(now);
                self.pass_on(&shown, Some(self.tenant.anybody_online()));
                self.look_who_is_home(myself).await;
            }
            Message::Observe(reply) => answer(reply, Ok(self.observe(now))),
            // Whoever is home heard it, or hears all anew.
            Message::Disconnected { .. }
            | Message::Alive { .. }
            | Message::Cancel { .. }
            | Message::Moved(_)
            | Message::Desks { .. }
            | Message::Look => {}
        }
    }

    /// Tells the watchers what the home shows.
    pub(super) fn pass_on(&self, agents: &[AgentPresence], anybody: Option<bool>) {
        for shown in agents {
            let agents = Arc::new([shown.clone()]);
            self.tell(View::Agents, &Delivery::Presence { agents, snapshot: false });
        }
        if let Some(online) = anybody {
            self.tell(View::Anybody, &Delivery::AnybodyOnline(online));
        }
    }

    /// Begins where the home is here under another epoch than before; lets everything go where it
    /// is here no more.
    pub(super) async fn look_who_is_home(&mut self, myself: &ActorRef<Message>) {
        let tenant = Arc::clone(&self.tenant);
        let Some(link) = tenant.link() else { return };
        match (link.home_epoch(), &self.place) {
            (Some(epoch), Place::Home(since, _)) if epoch == *since => {
                link.serves(epoch);
            }
            (Some(epoch), _) => match self.begin(link, epoch).await {
                Ok(()) => link.serves(epoch),
                Err(fault) => {
                    tracing::warn!(tenant = %tenant.id, error = %fault, "presence not read yet");
                    self.let_go();
                    myself.send_after(READ_AGAIN, || Message::Settle);
                }
            },
            (None, _) => self.let_go(),
        }
    }

    pub(super) fn let_go(&mut self) {
        self.agents = HashMap::default();
        self.looks_at = None;
        self.place = Place::Guest;
    }

    /// What the store says, what was last shown, who is connected where, and what the last home
    /// reserved.
    pub(super) async fn begin(&mut self, link: &Link, epoch: Epoch) -> Result<(), Fault> {
        let mut agents = self.read_all().await?;
        let reserved = Reserved::read(&*self.world.store, &self.tenant.id).await?;
        let now = self.world.clock.now();
        let mut seen = link.take_seen();
        for (id, shown) in link.agents() {
            if shown.effective != Status::Offline {
                seen.insert(id);
            }
            let agent = agents.entry(id).or_insert_with(|| Agent::named(&shown.agent.name));
            agent.told = Some(shown);
        }
        self.agents = agents;
        self.keep_for_now(seen, now);
        self.place = Place::Home(epoch, reserved);
        self.looks_at = None;
        for node in link.guests() {
            self.take_desks(&node, false, now);
        }
        self.catch_up();
        if let Place::Home(_, reserved) = &self.place
            && !self.world.config.sabotage.forgets_promised_slots()
        {
            for (agent, conversation) in reserved.recent(now) {
                let agent = self.agents.entry(agent).or_default();
                // One that is full has no slot that could be given away twice.
                drop(agent.capacity.reserve(conversation, now));
            }
        }
        link.note_all_agents(None, &self.show_all(now), self.tenant.anybody_online());
        Ok(())
    }

    /// Whoever was there with the last home has the time of a reload to be heard of again.
    pub(super) fn keep_for_now(&mut self, seen: impl IntoIterator<Item = AgentId>, now: Timestamp) {
        for id in seen {
            if let Some(agent) = self.agents.get_mut(&id) {
                agent.presence.connected(LAST_HOME);
                agent.presence.disconnected(LAST_HOME, now);
            }
        }
    }

    /// Takes over who is connected at a guest.
    pub(super) fn take_desks(&mut self, node: &NodeName, is_new: bool, now: Timestamp) {
        let tenant = Arc::clone(&self.tenant);
        let Some(link) = tenant.link() else { return };
        let (desks, connection) = (link.desks_of(node), connection_of(node));
        for id in &desks {
            self.agents.entry(*id).or_default();
        }
        self.keep_for_now(link.take_seen(), now);
        for (id, agent) in &mut self.agents {
            if desks.contains(id) {
                agent.presence.connected(connection);
            } else {
                agent.presence.disconnected(connection, now);
            }
        }
        self.tell_all_changes();
        if is_new {
            link.note_all_agents(Some(node), &self.show_all(now), self.tenant.anybody_online());
        }
    }

    pub(super) async fn read_all(&self) -> Result<HashMap<AgentId, Agent>, Fault> {
        let agents = stored::read_all(&*self.world.store, &self.tenant.id).await?;
        for (id, agent) in &agents {
            self.tenant.set_departments(*id, Arc::clone(&agent.departments));
        }
        Ok(agents)
    }

    /// Reserves, and among nodes writes that down before it says so: the next home must know (P11).
    pub(super) async fn reserve_durably(
        &mut self,
        agent: &AgentRef,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Result<Arc<str>, Refusal> {
        let name = self.reserve(agent, conversation, now)?;
        let Place::Home(_, reserved) = &mut self.place else { return Ok(name) };
        let (world, tenant) = (&self.world, &self.tenant);
        let written =
            reserved.write(&*world.store, &tenant.id, (agent.id, conversation), now).await;
        let is_home_still = self.is_home_still();
        if written.is_ok() && is_home_still {
            return Ok(name);
        }
        self.change(agent.id, |it| it.capacity.cancel(conversation));
        match written {
            // The next home found it or not, and keeps the same slot when it is asked.
            Ok(_) => Err(Refusal::Moved),
            Err(fault) => {
                tracing::debug!(tenant = %self.tenant.id, error = %fault, "a reservation was not written");
                Err(BUSY)
            }
        }
    }

    /// Asked after a write, as with an append: the next home may have read before it.
    pub(super) fn is_home_still(&self) -> bool {
        match (&self.place, self.tenant.link()) {
            (Place::Home(epoch, _), Some(link)) => link.holds(*epoch),
            (Place::Guest, Some(_)) => false,
            (Place::Alone, _) | (_, None) => true,
        }
    }
}

/// The connection that stands for all of a guest's: beyond those that are counted here.
pub(crate) fn connection_of(node: &NodeName) -> u64 {
    xxh3_64(node.0.as_bytes()) | 1 << 63
}
