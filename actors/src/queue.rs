//! Who waits, and who is given the next one.
//!
//! One actor a tenant owns the lines of all its departments. Supervised by: the tenants'
//! supervisor. Ends: with the node. It begins again from the cards of the open conversations.
//!
//! What it offers it carries out one after another: reserve at presence, route the conversation,
//! and the log says what came of it. It never stands still for that: an offer runs beside it, and
//! so does the telling of those who wrote while nobody was there that somebody is there now.
//!
//! Among nodes it acts on the tenant's home alone, and elsewhere lies idle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use switchboard_cluster::ownership::Epoch;
use switchboard_domain::card::Card;
use switchboard_domain::conversation::{Command, Request, Status};
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, TenantId, WidgetId};
use switchboard_domain::person::{AgentRef, Caller};
use switchboard_domain::queue::{Candidate, Offer, Policy, Queue, Waiting};
use switchboard_store::ConversationKey;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::Refusal;
use crate::mailbox::{Permit, Reply};
use crate::maps::{HashMap, HashSet};
use crate::observe;
use crate::presence;
use crate::remote::home::Place;
use crate::tenant::Tenant;
use crate::world::World;

/// How often visitors are told their places at most. A place is not a stop-watch.
const PLACES_EVERY: Duration = Duration::from_secs(5);
/// How often it looks for something to give while something waits, where nothing else makes it look:
/// a slot that was promised runs out without a word, and what was asked may not be answered.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What those read who wrote while nobody was there, once somebody is.
const AVAILABLE: &str = "An agent is now available";

/// Talks to the queues of any tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    world: Arc<World>,
}

impl Handle {
    pub(crate) const fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    /// Sets how a department routes; `None` as department for conversations without one.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the queue does not answer.
    pub async fn set_policy(
        &self,
        tenant: &TenantId,
        department: Option<DepartmentId>,
        policy: Policy,
    ) -> Result<(), Refusal> {
        let tenant = self.world.tenants.get(&self.world, tenant);
        tenant.policies.lock().insert(department.clone(), policy);
        // The home hears of it soon, and keeps to it.
        tenant.told_policies(&HashMap::from_iter([(department, policy)]));
        let within = self.world.config.answer_within;
        let changed = |_permit, reply| Message::PoliciesChanged { asked: Some((_permit, reply)) };
        tenant.queue.ask(within, changed).await
    }

    /// Sets which widgets route in a way of their own, whatever the department says.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the queue does not answer.
    pub async fn set_widget_policies(
        &self,
        tenant: &TenantId,
        policies: BTreeMap<WidgetId, Policy>,
    ) -> Result<(), Refusal> {
        let tenant = self.world.tenants.get(&self.world, tenant);
        if *tenant.widget_policies.lock() == policies {
            return Ok(());
        }
        *tenant.widget_policies.lock() = policies;
        let within = self.world.config.answer_within;
        let changed = |_permit, reply| Message::PoliciesChanged { asked: Some((_permit, reply)) };
        tenant.queue.ask(within, changed).await
    }

    /// How many wait for a department, or without one: as far as this node has heard.
    #[must_use]
    pub fn waiting(&self, tenant: &TenantId, department: Option<&DepartmentId>) -> usize {
        let tenant = self.world.tenants.get(&self.world, tenant);
        tenant.cards().waiting(department.map(|id| &*id.0))
    }

    /// What waits and is owned by this node, in line or outside it. Asked for again and again: what
    /// happened in between is remembered until then.
    #[must_use]
    pub fn waiting_here(&self) -> Vec<Waits> {
        let Some(conversations) = self.world.conversations.get() else { return Vec::new() };
        let mut waiting = Vec::new();
        for tenant in self.world.tenants.all() {
            let came = tenant.take_came();
            for card in tenant.cards().all() {
                let key = ConversationKey { tenant: tenant.id.clone(), conversation: card.id };
                if card.status == Status::Waiting && tenant.owns(&key) {
                    let is_visitor_here =
                        came.contains(&card.id) || conversations.fanout(&key).has_visitor(&key);
                    waiting.push(Waits { key, card, is_visitor_here });
                }
            }
        }
        waiting
    }

    /// Hears from now on when as many wait no more in some line of a tenant.
    #[must_use]
    pub fn lines(&self, tenant: &TenantId) -> Lines {
        Lines(self.world.tenants.get(&self.world, tenant).cards().lines())
    }
}

/// A conversation that waits, see [`Handle::waiting_here`].
#[derive(Clone, Debug)]
pub struct Waits {
    /// Which.
    pub key: ConversationKey,
    /// As lists show it.
    pub card: Arc<Card>,
    /// Whether its visitor listens, on any node, or did since it was last asked for.
    pub is_visitor_here: bool,
}

/// Hears when as many wait no more, see [`Handle::lines`].
#[derive(Debug)]
pub struct Lines(watch::Receiver<()>);

impl Lines {
    /// Waits until something changed since the last call, or since this was made. Cancel safe.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The cards stay as long as their tenant.
            std::future::pending::<()>().await;
        }
    }
}

/// The messages of the queue.
pub(crate) enum Message {
    /// Policies of departments changed.
    PoliciesChanged { asked: Option<(Permit, Reply<()>)> },
    /// Look whether the home is here.
    Settle,
    /// Take what changed from the cards.
    Wake,
    /// A visitor subscribed and has not heard the place of that conversation.
    Listens { conversation: ConversationId, _permit: Permit },
    /// Somebody came, left, or has a slot more or less.
    AgentsChanged,
    /// The agents as they are now; at most one is on its way.
    Agents(Vec<Candidate>),
    /// An offer came to an end; at most one runs.
    Offered { conversation: ConversationId, is_taken: bool },
    /// The telling that somebody is there came to an end; at most one runs. Those are left that
    /// were not told.
    Announced { left: Offline },
    /// Tell visitors their places.
    TellPlaces,
    /// Look again: some time has passed.
    LookAgain,
    /// Say how it stands.
    Observe(Reply<observe::Queue>),
}

impl ractor::Message for Message {}

/// The behavior of the queue.
#[derive(Clone, Copy)]
pub(crate) struct Behavior;

/// What the queue owns.
pub(crate) struct State {
    world: Arc<World>,
    tenant: Arc<Tenant>,
    presence: presence::Handle,
    myself: ActorRef<Message>,
    queue: Queue,
    /// Whether agents were asked for, or an offer runs.
    is_busy: bool,
    /// Whether something changed meanwhile that makes another look worthwhile.
    looks_again: bool,
    /// Whether a look is due already; none is asked for twice.
    looks_later: bool,
    /// What waits as an offline message.
    offline: Offline,
    /// Whether offline messages are being told that somebody is there.
    is_announcing: bool,
    /// The places that visitors were told last.
    told: HashMap<ConversationId, Place>,
    tells_places: bool,
    told_at: Option<Instant>,
    n_routed: u64,
    is_home: bool,
    /// Since which epoch, among nodes.
    since: Option<Epoch>,
}

/// Conversations that wait as offline messages.
type Offline = HashSet<ConversationId>;

impl Actor for Behavior {
    type Msg = Message;
    type State = State;
    type Arguments = (Arc<World>, Arc<Tenant>);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (world, tenant): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Some(conversations) = world.conversations.get().cloned() else {
            return Err("the regions are not there".into());
        };
        let presence = presence::Handle::new(Arc::clone(&world), conversations);
        let mut state = State {
            world,
            tenant,
            presence,
            myself,
            queue: Queue::new(Policy::Manual),
            is_busy: false,
            looks_again: false,
            looks_later: false,
            offline: Offline::default(),
            is_announcing: false,
            told: HashMap::default(),
            tells_places: false,
            told_at: None,
            n_routed: 0,
            is_home: false,
            since: None,
        };
        if state.tenant.link().is_none() {
            state.begin();
        }
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if !state.is_home {
            state.handle_as_guest(message);
            return Ok(());
        }
        match message {
            Message::PoliciesChanged { asked } => {
                state.set_policies();
                state.look();
                say_done(asked);
            }
            Message::Settle => state.look_who_is_home(),
            Message::Wake => state.take_changes(),
            Message::Listens { conversation, .. } => {
                state.told.remove(&conversation);
                state.tell_places_soon();
            }
            Message::AgentsChanged => {
                state.announce();
                state.look();
            }
            Message::Agents(agents) => state.offer(&agents),
            Message::Offered { conversation, is_taken } => state.offered(conversation, is_taken),
            Message::Announced { left } => state.announced(left),
            Message::TellPlaces => state.tell_places(),
            Message::LookAgain => {
                state.looks_later = false;
                state.look();
            }
            Message::Observe(reply) => drop(reply.send(Ok(state.observe()))),
        }
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

/// Nobody waits any more when the answer cannot be sent.
fn say_done(asked: Option<(Permit, Reply<()>)>) {
    if let Some((_permit, reply)) = asked {
        drop(reply.send(Ok(())));
    }
}

impl State {
    /// What is offered is the home's to offer.
    fn handle_as_guest(&mut self, message: Message) {
        match message {
            Message::PoliciesChanged { asked } => say_done(asked),
            Message::Wake => {
                drop(self.tenant.cards().take_for_queue());
                self.look_who_is_home();
            }
            Message::Settle => self.look_who_is_home(),
            Message::LookAgain => self.looks_later = false,
            Message::Observe(reply) => drop(reply.send(Ok(self.observe()))),
            Message::Listens { .. }
            | Message::AgentsChanged
            | Message::Agents(_)
            | Message::Offered { .. }
            | Message::Announced { .. }
            | Message::TellPlaces => {}
        }
    }

    /// Begins where the home is here under another epoch than before; lets everything go where it
    /// is here no more.
    fn look_who_is_home(&mut self) {
        let Some(link) = self.tenant.link() else { return };
        let since = link.home_epoch();
        if since == self.since {
            return;
        }
        self.since = since;
        self.queue = Queue::new(Policy::Manual);
        self.offline = Offline::default();
        self.told = HashMap::default();
        self.is_home = since.is_some();
        if self.is_home {
            self.begin();
            self.announce();
            self.look();
            self.tell_places_soon();
        }
    }

    /// Takes in everything that is open.
    fn begin(&mut self) {
        self.is_home = true;
        // What ran for a home before this one is not waited for.
        (self.is_busy, self.looks_again) = (false, false);
        (self.is_announcing, self.tells_places) = (false, false);
        self.set_policies();
        for card in self.tenant.cards().all() {
            self.take_in(card.id, Some(&card));
        }
    }

    fn set_policies(&mut self) {
        for (department, policy) in &*self.tenant.policies.lock() {
            self.queue.set_policy(department.clone(), Some(*policy));
        }
        self.queue.set_widget_policies(self.tenant.widget_policies.lock().clone());
        self.queue.set_bare_policy(self.world.config.bare_policy);
    }

    fn take_changes(&mut self) {
        for (conversation, card) in self.tenant.cards().take_for_queue() {
            self.take_in(conversation, card.as_deref());
        }
        self.world.meter.queue_depth(self.queue.len());
        self.announce();
        self.look();
        self.tell_places_soon();
    }

    fn take_in(&mut self, conversation: ConversationId, card: Option<&Card>) {
        match card {
            Some(card) if card.status == Status::Waiting && card.offline => {
                self.offline.insert(conversation);
            }
            _ => {
                self.offline.remove(&conversation);
            }
        }
        match card {
            // Whoever has left the line waits on without a place in it.
            Some(card) if card.status == Status::Waiting && card.waiting_since.is_none() => {
                self.queue.leave(conversation);
            }
            Some(card) if card.status == Status::Waiting => self.queue.enter(Waiting {
                conversation,
                department: card.department().map(|name| DepartmentId(name.into())),
                widget: card.widget().map(|name| WidgetId(name.into())),
                priority: card.priority,
                skills: card.skills().map(Arc::from).collect(),
                since: card.waiting_since.unwrap_or(card.created_at),
            }),
            Some(_) => self.queue.served(conversation, self.world.clock.now()),
            None => self.queue.leave(conversation),
        }
    }

    /// Tells what waits as an offline message that somebody is there, if somebody is.
    fn announce(&mut self) {
        if self.is_announcing || self.offline.is_empty() || !self.tenant.anybody_online() {
            return;
        }
        let Some(conversations) = self.world.conversations.get().cloned() else { return };
        self.is_announcing = true;
        let mut left = std::mem::take(&mut self.offline);
        let tenant = Arc::clone(&self.tenant);
        let myself = self.myself.clone();
        ractor::concurrency::spawn(async move {
            // What is told moves to the top of lists of what is recent: in this order nothing
            // changes places there.
            let mut all = tenant.cards().among(&left);
            all.sort_unstable_by_key(|card| (card.last_at, card.id));
            left = all.iter().map(|card| card.id).collect();
            for conversation in all.into_iter().map(|card| card.id) {
                // Whoever came may have gone again.
                if !tenant.anybody_online() {
                    break;
                }
                let key = ConversationKey { tenant: tenant.id.clone(), conversation };
                let command = Command::AnnounceAgent { text: AVAILABLE.into() };
                let request = Request { caller: Caller::SYSTEM, key: None, command };
                match conversations.ask(&key, request).await {
                    // What was taken or ended meanwhile has nothing to be told.
                    Ok(_) | Err(Refusal::Rejected(_)) => {
                        left.remove(&conversation);
                    }
                    Err(refusal) => tracing::debug!(
                        tenant = %key.tenant, %conversation, error = %refusal,
                        "nobody was announced"
                    ),
                }
            }
            drop(myself.cast(Message::Announced { left }));
        });
    }

    /// What was not told is told when somebody comes next, or when something else is to be.
    fn announced(&mut self, left: Offline) {
        self.is_announcing = false;
        let is_more = !self.offline.is_empty();
        self.offline.extend(left);
        if is_more {
            self.announce();
        }
    }

    /// Looks for something to give: asks who is there, unless that is under way already.
    fn look(&mut self) {
        if self.is_busy {
            self.looks_again = true;
            return;
        }
        if !self.queue.routes() {
            return;
        }
        self.look_later();
        self.is_busy = true;
        self.looks_again = false;
        let tenant = Arc::clone(&self.tenant);
        let within = self.world.config.answer_within;
        let myself = self.myself.clone();
        // Beside the actor, so that calls go down and nobody waits in a circle.
        ractor::concurrency::spawn(async move {
            let ask = |_permit, reply| presence::Message::Candidates { _permit, reply };
            let agents = tenant.presence.ask(within, ask).await.unwrap_or_default();
            drop(myself.cast(Message::Agents(agents)));
        });
    }

    /// Nothing that waits is forgotten when nobody says that it can be given now.
    fn look_later(&mut self) {
        if !std::mem::replace(&mut self.looks_later, true) {
            self.myself.send_after(LOOK_EVERY, || Message::LookAgain);
        }
    }

    fn offer(&mut self, agents: &[Candidate]) {
        self.is_busy = false;
        let offer = self.queue.next(agents, self.world.clock.now());
        let Some(Offer { conversation, agent }) = offer else {
            if self.looks_again {
                self.look();
            }
            return;
        };
        self.is_busy = true;
        let key = ConversationKey { tenant: self.tenant.id.clone(), conversation };
        let presence = self.presence.clone();
        let myself = self.myself.clone();
        ractor::concurrency::spawn(async move {
            let is_taken = route(&presence, &key, agent).await;
            drop(myself.cast(Message::Offered { conversation, is_taken }));
        });
    }

    fn offered(&mut self, conversation: ConversationId, is_taken: bool) {
        self.is_busy = false;
        if is_taken {
            self.n_routed += 1;
            self.queue.served(conversation, self.world.clock.now());
        } else {
            // Somebody else took it, or the agent has no slot any more: the cards say which. An
            // agent's change makes the queue look again, so a refusal does not spin.
            self.queue.failed(conversation);
        }
        if is_taken || self.looks_again {
            self.look();
        }
    }

    /// Sees to it that places are told, now or when the last time is long enough ago.
    fn tell_places_soon(&mut self) {
        if std::mem::replace(&mut self.tells_places, true) {
            return;
        }
        let wait = self.told_at.map_or(Duration::ZERO, |at| {
            (at + PLACES_EVERY).saturating_duration_since(Instant::now())
        });
        self.myself.send_after(wait, || Message::TellPlaces);
    }

    fn tell_places(&mut self) {
        self.tells_places = false;
        self.told_at = Some(Instant::now());
        let Some(conversations) = self.world.conversations.get() else { return };
        // Of those alone that somebody is told: most of a long line may be away.
        let mut told = HashMap::default();
        for (conversation, place) in self.queue.lines().flat_map(|line| self.queue.places(line)) {
            let position = u32::try_from(place.shown()).unwrap_or(u32::MAX);
            let eta = place.eta_s;
            let now = Place { position, eta };
            let is_known = self.told.get(&conversation) == Some(&now);
            if is_known || self.tenant.tell_place(conversations, conversation, now) {
                told.insert(conversation, now);
            }
        }
        self.told = told;
        self.tenant.forget_listening();
    }

    fn observe(&self) -> observe::Queue {
        observe::Queue {
            waiting: self.queue.len(),
            routed: self.n_routed,
            mailbox: self.tenant.queue.gauge().depth(),
        }
    }
}

/// Gives a conversation to an agent, within the agent's capacity (P11).
async fn route(presence: &presence::Handle, key: &ConversationKey, agent: AgentId) -> bool {
    let unnamed = AgentRef { id: agent, name: Arc::default() };
    let request = |name| Request {
        caller: Caller::SYSTEM,
        key: None,
        command: Command::Route { agent: AgentRef { id: agent, name } },
    };
    match presence.within_capacity(key, &unnamed, request).await {
        Ok(done) => done.state.agent.as_ref().is_some_and(|it| it.id == agent),
        Err(refusal) => {
            tracing::debug!(
                tenant = %key.tenant, conversation = %key.conversation, error = %refusal,
                "offer came to nothing"
            );
            false
        }
    }
}

#[cfg(test)]
mod tests;
