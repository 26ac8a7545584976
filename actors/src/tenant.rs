//! What the actors of one tenant share, and where they are reached.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use switchboard_domain::card::Card;
use switchboard_domain::conversation::{Conversation, Status};
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, TenantId};
use switchboard_domain::person::Principal;
use switchboard_domain::queue::Policy;
use switchboard_domain::receipt::Receipt;

use crate::cards::{Cards, Concerns};
use crate::delivery::Outlet;
use crate::mailbox::Address;
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
    sabotage: Sabotage,
    departments: RwLock<HashMap<AgentId, Arc<[DepartmentId]>>>,
    anybody_online: AtomicBool,
    /// How its departments route, as told; `None` for conversations without one.
    pub(crate) policies: Mutex<HashMap<Option<DepartmentId>, Policy>>,
    /// Who watches which list.
    pub(crate) watches: inbox::Watches,
    /// The open connections of agents; they outlive presence's actor, which begins again from them.
    pub(crate) desks: Mutex<HashMap<u64, AgentId>>,
    /// Who is told of presence; they outlive its actor.
    pub(crate) watchers: Mutex<HashMap<u64, (presence::View, Outlet)>>,
}

impl Tenant {
    fn new(id: TenantId, world: &World) -> Self {
        let mailbox_max = world.config.mailbox_max * MAILBOX_FACTOR;
        Self {
            cards: Cards::new(id.clone()),
            id,
            meter: Arc::clone(&world.meter),
            sabotage: world.config.sabotage,
            presence: Address::new(mailbox_max),
            inbox: Address::new(mailbox_max),
            queue: Address::new(mailbox_max),
            departments: RwLock::default(),
            anybody_online: AtomicBool::new(false),
            policies: Mutex::default(),
            watches: inbox::Watches::default(),
            desks: Mutex::default(),
            watchers: Mutex::default(),
        }
    }

    /// The cards of its open conversations.
    pub(crate) const fn cards(&self) -> &Cards {
        &self.cards
    }

    /// Takes in what a conversation is now and tells whom it concerns.
    pub(crate) fn put_card(&self, state: &Conversation) {
        if self.sabotage.leaks_cards() {
            #[expect(clippy::mem_forget, reason = "a planted leak that the memory gate must find")]
            std::mem::forget(Card::of(state));
        }
        self.tell(self.cards.put(state));
    }

    /// As [`put_card`](Self::put_card), if the cards are behind: its actor failed before it could
    /// tell them.
    pub(crate) fn put_unheard(&self, state: &Conversation) {
        if self.cards.are_behind(state) {
            self.put_card(state);
        }
    }

    /// Takes in how far agents have read a conversation.
    pub(crate) fn put_readers(
        &self,
        conversation: ConversationId,
        receipts: impl Iterator<Item = (Principal, Receipt)>,
    ) {
        self.tell(self.cards.set_readers(conversation, receipts));
    }

    /// A visitor subscribed to a conversation, and wants to hear its place if it waits.
    pub(crate) fn visitor_listens(&self, state: &Conversation) {
        if state.status == Status::Waiting
            && let Some(permit) = self.queue.gauge().enter()
        {
            let conversation = state.id;
            // Lossy: a place that is not heard now is heard when it changes.
            drop(self.queue.cast(queue::Message::Listens { conversation, _permit: permit }));
        }
    }

    /// An actor that is away is woken when it comes back, and then begins from the cards.
    fn tell(&self, concerns: Concerns) {
        if concerns.inbox {
            drop(self.inbox.cast(inbox::Message::Wake));
        }
        if let Some(waited) = concerns.waited {
            self.meter.queue_wait(waited);
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
    /// Under whom the tenants' actors live. Set once, before the first tenant is touched.
    pub(crate) fn live_under(&self, supervisor: ActorRef<supervisor::Message>) {
        drop(self.supervisor.set(supervisor));
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
        for child in children(world, &tenant) {
            if let Some(supervisor) = self.supervisor.get() {
                // A supervisor that is gone means that the node goes down.
                drop(supervisor.cast(supervisor::Message::Add(child)));
            }
        }
        tenant
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
            tenant.cards.rebuild(&*world.store).await.map_err(failed)?;
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
