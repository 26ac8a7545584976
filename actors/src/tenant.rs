//! What the actors of one tenant share, and where they are reached.
//!
//! On a node among others this is the tenant's home, where presence and queue act, or a guest of
//! it ([`link`]). Cards are on every node that serves the tenant, and lists are made of them there.

mod link;
mod there;
mod unsaid;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use switchboard_cluster::ownership::Epoch;
use switchboard_domain::card::Card;
use switchboard_domain::conversation::{Conversation, Status};
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, TenantId, WidgetId};
use switchboard_domain::person::Principal;
use switchboard_domain::queue::Policy;
use switchboard_domain::receipt::Receipt;

pub(crate) use self::link::Link;
pub(crate) use self::there::{Found, HasNews, keep};

use self::link::By;
use crate::cards::{Cards, Concerns};
use crate::delivery::Outlet;
use crate::mailbox::Address;
use crate::maps::{HashMap, HashSet};
use crate::meter::{Kind, Meter};
use crate::sabotage::Sabotage;
use crate::supervisor::{self, Child, OnLimit};
use crate::world::World;
use crate::{inbox, presence, queue};

/// How many times more a tenant's actors admit than a conversation: they serve all of them.
const MAILBOX_FACTOR: usize = 16;

/// One tenant on this node.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    cards: Cards,
    meter: Arc<dyn Meter>,
    pub(crate) presence: Address<presence::Message>,
    pub(crate) inbox: Address<inbox::Message>,
    pub(crate) queue: Address<queue::Message>,
    /// `None` on a node that is alone: then this is the home.
    link: Option<Link>,
    sabotage: Sabotage,
    departments: RwLock<HashMap<AgentId, Arc<[DepartmentId]>>>,
    anybody_online: AtomicBool,
    /// How its departments route, as told; `None` for conversations without one.
    pub(crate) policies: Mutex<Policies>,
    /// Which widgets route in a way of their own. Each node reads that for itself.
    pub(crate) widget_policies: Mutex<BTreeMap<WidgetId, Policy>>,
    /// Who watches which list.
    pub(crate) watches: inbox::Watches,
    /// Which agents are with which conversation.
    pub(crate) company: inbox::Board,
    /// The open connections of agents; they outlive presence's actor, which begins again from them.
    pub(crate) desks: Desks,
    /// Conversations that wait here and whose visitor subscribed since that was last asked for.
    came: Mutex<HashSet<ConversationId>>,
    /// Who is told of presence, in the order in which they came; they outlive its actor.
    pub(crate) watchers: Mutex<BTreeMap<u64, (presence::View, Outlet)>>,
}

/// How departments route; `None` as department for conversations without one.
pub(crate) type Policies = HashMap<Option<DepartmentId>, Policy>;

/// The open connections of agents on this node, by the connection's number.
#[derive(Debug, Default)]
pub(crate) struct Desks(Mutex<HashMap<u64, AgentId>>);

impl Desks {
    pub(crate) fn open(&self, connection: u64, agent: AgentId) {
        self.0.lock().insert(connection, agent);
    }

    pub(crate) fn close(&self, connection: u64) {
        self.0.lock().remove(&connection);
    }

    /// Each connection with its agent.
    pub(crate) fn all(&self) -> Vec<(u64, AgentId)> {
        self.0.lock().iter().map(|(connection, agent)| (*connection, *agent)).collect()
    }

    /// Who has a connection.
    fn agents(&self) -> Vec<AgentId> {
        let agents: HashSet<AgentId> = self.0.lock().values().copied().collect();
        agents.into_iter().collect()
    }

    fn has(&self, agent: AgentId) -> bool {
        self.0.lock().values().any(|it| *it == agent)
    }
}

impl Tenant {
    fn new(id: TenantId, world: &World) -> Self {
        let mailbox_max = world.config.mailbox_max * MAILBOX_FACTOR;
        let link = world
            .remote
            .as_ref()
            .map(|remote| Link::new(id.clone(), Arc::clone(&world.ownership), Arc::clone(remote)));
        Self {
            cards: Cards::new(id.clone(), link.is_some()),
            link,
            id,
            meter: Arc::clone(&world.meter),
            sabotage: world.config.sabotage,
            presence: Address::new(mailbox_max),
            inbox: Address::new(mailbox_max),
            queue: Address::new(mailbox_max),
            departments: RwLock::default(),
            anybody_online: AtomicBool::new(false),
            policies: Mutex::default(),
            widget_policies: Mutex::default(),
            watches: inbox::Watches::default(),
            company: inbox::Board::default(),
            desks: Desks::default(),
            came: Mutex::default(),
            watchers: Mutex::default(),
        }
    }

    /// The cards of its open conversations.
    pub(crate) const fn cards(&self) -> &Cards {
        &self.cards
    }

    /// What it has to do with other nodes; `None` on a node that is alone.
    pub(crate) const fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// Takes in what a conversation is now, whose shard this node holds under that epoch, and tells
    /// whom it concerns. Whether it begins to wait.
    pub(crate) fn put_card(&self, state: &Conversation, epoch: Epoch) -> bool {
        if self.sabotage.leaks_cards() {
            #[expect(clippy::mem_forget, reason = "a planted leak that the memory gate must find")]
            std::mem::forget(Card::of(state));
        }
        let card = Arc::new(Card::of(state));
        let begins_to_wait = card.status == Status::Waiting && !self.cards.waits(card.id);
        let concerns = self.cards.put(&card);
        self.tell(concerns);
        if let Some(link) = &self.link {
            link.note_card(&card, By::Own(epoch), concerns.is_pressing);
        }
        begins_to_wait
    }

    /// As [`put_card`](Self::put_card), if the cards may be behind: its actor failed before it
    /// could tell them, or nobody here told other nodes of it yet.
    pub(crate) fn put_unheard(&self, state: &Conversation, epoch: Epoch) {
        if self.link.is_some() || self.cards.are_behind(state) {
            self.put_card(state, epoch);
        }
    }

    /// Takes in how far agents have read a conversation, which this node owns under that epoch.
    pub(crate) fn put_readers(
        &self,
        conversation: ConversationId,
        receipts: impl Iterator<Item = (Principal, Receipt)>,
        epoch: Epoch,
    ) {
        self.tell(self.cards.set_readers(conversation, receipts));
        if let Some(link) = &self.link {
            link.note_readers(conversation, By::Own(epoch));
        }
    }

    /// A visitor listens to a conversation that is owned here, and wants to hear its place if it
    /// waits. To be said whenever either of the two begins.
    pub(crate) fn visitor_listens(&self, state: &Conversation) {
        if state.status != Status::Waiting {
            return;
        }
        let conversation = state.id;
        self.came.lock().insert(conversation);
        if let Some(link) = &self.link
            && !self.is_home()
        {
            link.note_listening(conversation);
        } else {
            self.listens(conversation);
        }
    }

    /// Whose visitors came, even if they have gone again, since the last call.
    pub(crate) fn take_came(&self) -> HashSet<ConversationId> {
        std::mem::take(&mut *self.came.lock())
    }

    fn listens(&self, conversation: ConversationId) {
        if let Some(permit) = self.queue.gauge().enter() {
            // Lossy: a place that is not heard now is heard when it changes.
            drop(self.queue.cast(queue::Message::Listens { conversation, _permit: permit }));
        }
    }

    /// An actor that is away is woken when it comes back, and then begins from the cards.
    fn tell(&self, concerns: Concerns) {
        if let Some(waited) = concerns.waited {
            self.meter.queue_wait(waited);
        }
        self.tell_actors(concerns);
    }

    fn tell_actors(&self, concerns: Concerns) {
        if concerns.inbox {
            drop(self.inbox.cast(inbox::Message::Wake));
        }
        if let Some(moved) = concerns.moved {
            drop(self.presence.cast(presence::Message::Moved(moved)));
        }
        if concerns.queue {
            drop(self.queue.cast(queue::Message::Wake));
        }
    }

    /// For whom an agent works, as told at the last connection; empty for one never seen.
    pub(crate) fn departments_of(&self, agent: AgentId) -> Arc<[DepartmentId]> {
        self.departments.read().get(&agent).cloned().unwrap_or_default()
    }

    pub(crate) fn set_departments(&self, agent: AgentId, departments: Arc<[DepartmentId]>) {
        self.departments.write().insert(agent, departments);
    }

    pub(crate) fn anybody_online(&self) -> bool {
        self.anybody_online.load(Ordering::Relaxed)
    }

    pub(crate) fn set_anybody_online(&self, online: bool) {
        self.anybody_online.store(online, Ordering::Relaxed);
    }
}

/// The tenants that were touched since the start. The door lets only known tenants in, so these
/// are few.
#[derive(Default)]
pub(crate) struct Tenants {
    known: RwLock<HashMap<TenantId, Arc<Tenant>>>,
    supervisor: OnceLock<ActorRef<supervisor::Message>>,
}

impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants").field("known", &self.known.read().len()).finish_non_exhaustive()
    }
}

impl Tenants {
    /// Under whom the tenants' actors live, from now on; those of tenants that were touched before
    /// begin. Set once.
    pub(crate) fn live_under(&self, world: &Arc<World>, supervisor: ActorRef<supervisor::Message>) {
        // Nobody is touched meanwhile, so that each one's actors are started once.
        let known = self.known.write();
        drop(self.supervisor.set(supervisor));
        if world.config.sabotage.forgets_early_tenants() {
            return;
        }
        for tenant in known.values() {
            self.start(world, tenant);
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Tenant>> {
        self.known.read().values().cloned().collect()
    }

    /// The tenant; its actors are started at the first touch and are there soon after.
    pub(crate) fn get(&self, world: &Arc<World>, id: &TenantId) -> Arc<Tenant> {
        if let Some(tenant) = self.known.read().get(id) {
            return Arc::clone(tenant);
        }
        let mut known = self.known.write();
        if let Some(tenant) = known.get(id) {
            return Arc::clone(tenant);
        }
        let tenant = Arc::new(Tenant::new(id.clone(), world));
        known.insert(id.clone(), Arc::clone(&tenant));
        if let Some(link) = &tenant.link {
            // It looks for its home soon.
            link.has_news();
        }
        self.start(world, &tenant);
        tenant
    }

    /// Starts a tenant's actors, once there is somebody under whom they live: the first conversation
    /// may be asked for before that, by another node.
    fn start(&self, world: &Arc<World>, tenant: &Arc<Tenant>) {
        let Some(supervisor) = self.supervisor.get() else { return };
        for child in children(world, tenant) {
            // A supervisor that is gone means that the node goes down.
            drop(supervisor.cast(supervisor::Message::Add(child)));
        }
    }
}

/// A tenant's actors. One that fails too often rests, and other tenants go on.
fn children(world: &Arc<World>, tenant: &Arc<Tenant>) -> [Child; 3] {
    use {inbox::Message as Inbox, presence::Message as Presence, queue::Message as Queue};
    let presence = Place { address: |tenant| &tenant.presence, wake: || Presence::Wake };
    let inbox = Place { address: |tenant| &tenant.inbox, wake: || Inbox::Wake };
    let queue = Place { address: |tenant| &tenant.queue, wake: || Queue::Wake };
    [
        child(world, tenant, Kind::Presence, presence::Behavior, &presence),
        child(world, tenant, Kind::Inbox, inbox::Behavior, &inbox),
        child(world, tenant, Kind::Queue, queue::Behavior, &queue),
    ]
}

/// Where an actor of a tenant lives.
struct Place<M> {
    address: fn(&Tenant) -> &Address<M>,
    /// What it is told once it can be reached: what it missed before is to be caught up with.
    wake: fn() -> M,
}

fn child<B>(
    world: &Arc<World>,
    tenant: &Arc<Tenant>,
    kind: Kind,
    behavior: B,
    place: &Place<B::Msg>,
) -> Child
where
    B: Actor<Arguments = (Arc<World>, Arc<Tenant>)> + Copy,
{
    let name = format!("{kind:?} of {}", tenant.id);
    let (world, tenant) = (Arc::clone(world), Arc::clone(tenant));
    let Place { address, wake } = *place;
    Child::new(name, kind, OnLimit::Rest, move |supervisor: ActorCell| {
        let (world, tenant) = (Arc::clone(&world), Arc::clone(&tenant));
        async move {
            // Guests may follow a home that still reads.
            let tell = |card: &Arc<Card>| {
                if let Some(link) = &tenant.link {
                    link.note_card(card, By::Store, true);
                    link.note_readers(card.id, By::Store);
                }
            };
            tenant.cards.rebuild(&*world.store, &tell).await.map_err(failed)?;
            if let Some(link) = &tenant.link {
                // A visit begins with what was read.
                link.has_news();
            }
            let begin = (world, Arc::clone(&tenant));
            let (actor, _) = Actor::spawn_linked(None, behavior, begin, supervisor).await?;
            address(&tenant).set(actor.clone());
            // It has just been started.
            drop(actor.cast(wake()));
            Ok(actor.get_cell())
        }
    })
}

fn failed(fault: switchboard_store::Fault) -> SpawnErr {
    SpawnErr::StartupFailed(fault.into())
}
