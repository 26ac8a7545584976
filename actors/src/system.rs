//! The actors of a node as a whole: start, handles, drain.
//!
//! ```text
//! root               one-for-one; its end is the end of the node
//! ├─ checkpoints     the one writer of checkpoints                     escalates
//! ├─ regions 0–15    each supervises its conversations                 escalate
//! └─ per tenant      presence, inbox, queue                            rest
//! ```

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ractor::concurrency::{JoinHandle, oneshot};
use ractor::{Actor, ActorRef};
use switchboard_cluster::ownership::{Epoch, Owner, Ownership};
use switchboard_cluster::shard::Shard;
use switchboard_domain::conversation::Conversation;
use switchboard_domain::ids::TenantId;
use switchboard_domain::permission::AgentsSee;
use switchboard_domain::queue::Policy;
use switchboard_store::{Fault, Store};

use crate::clock::Clock;
use crate::mailbox::{Address, Reply, answered};
use crate::meter::{Kind, Meter};
use crate::observe::{self, Observed};
use crate::sabotage::Sabotage;
use crate::supervisor::{self, Begin, Child, OnLimit};
use crate::tenant::{Tenant, Tenants};
use crate::world::World;
use crate::{checkpoint, inbox, presence, queue, region, tenant};

/// Conversations repaired at once at the start.
const REPAIR_BATCH: usize = 256;

/// How the actors behave.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a conversation stays in memory without a request.
    pub idle: Duration,
    /// How often a changed conversation's checkpoint and receipts are written at most.
    pub checkpoint_every: Duration,
    /// Requests that may wait for one conversation; regions and tenants' actors take 16 times
    /// as many, because they serve many.
    pub mailbox_max: usize,
    /// How long a handle waits for an answer.
    pub answer_within: Duration,
    /// Which conversations plain agents see.
    pub agents_see: AgentsSee,
    /// How conversations are routed that came through no widget; `None` for their department's way.
    pub bare_policy: Option<Policy>,
    /// Planted faults; none outside of fault campaigns.
    pub sabotage: Sabotage,
}

impl Config {
    /// The figures of the design.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            idle: Duration::from_secs(15),
            checkpoint_every: Duration::from_secs(1),
            mailbox_max: 256,
            answer_within: Duration::from_secs(5),
            agents_see: AgentsSee::All,
            bare_policy: None,
            sabotage: Sabotage::from_environment(),
        }
    }
}

/// Why the actors did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be read or repaired.
    #[error("repairing checkpoints")]
    Repair(#[source] Fault),
    /// An actor did not start.
    #[error("starting the actors: {what}")]
    Spawn {
        /// The framework's words.
        what: Box<str>,
    },
}

/// The running actors of a node.
#[derive(Debug)]
pub struct System {
    world: Arc<World>,
    conversations: region::Handle,
    restarts: Arc<AtomicU64>,
    root: ActorRef<supervisor::Message>,
    root_ended: JoinHandle<()>,
}

/// Tells when the actors of a node have ended. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Life(ActorRef<supervisor::Message>);

impl Life {
    /// Waits until the actors have ended: drained, or failed for good, with nothing left to start
    /// them again. In the second case the process must end and be started again. Cancel safe.
    pub async fn ended(&self) {
        // Without a time-out it only answers when they have.
        drop(self.0.wait(None).await);
    }
}

impl System {
    /// Repairs what a crash left behind, then starts the actors.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or an actor does not start.
    pub async fn start(
        config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ownership: Arc<dyn Ownership>,
        meter: Arc<dyn Meter>,
    ) -> Result<Self, StartError> {
        Self::join(config, store, clock, ownership, meter, None).await
    }

    /// As [`start`](Self::start), on a node among others that are reached through `remote`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn join(
        config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ownership: Arc<dyn Ownership>,
        meter: Arc<dyn Meter>,
        remote: Option<Arc<region::Remote>>,
    ) -> Result<Self, StartError> {
        let mut repaired = Vec::new();
        if !config.sabotage.counts_from_memory() {
            // A node that is alone has nobody to tell.
            let told = remote.as_ref().map(|_| &mut repaired);
            repair(&*store, &*ownership, told).await.map_err(StartError::Repair)?;
        }
        let world = Arc::new(World {
            // Each conversation in memory has at most two messages there; it admits them all.
            checkpoints: Address::new(usize::MAX),
            config,
            store,
            clock,
            ownership,
            remote,
            meter,
            tenants: Tenants::default(),
            conversations: OnceLock::new(),
        });
        // Before anybody asks for them, so that nothing newer was told.
        for (tenant, state, epoch) in repaired {
            world.tenants.get(&world, &tenant).tell_repaired(&state, epoch);
        }
        let conversations = region::Handle::new(&world);
        drop(world.conversations.set(conversations.clone()));
        let restarts = Arc::new(AtomicU64::new(0));
        let begin = Begin {
            children: children(&world, &conversations),
            meter: Arc::clone(&world.meter),
            restarts: Arc::clone(&restarts),
        };
        let (root, root_ended) = supervisor::start(begin)
            .await
            .map_err(|error| StartError::Spawn { what: error.to_string().into() })?;
        world.tenants.live_under(&world, root.clone());
        if let Some(remote) = &world.remote {
            remote.serve_tenants(&world);
            tenant::keep(&world);
        }
        Ok(Self { world, conversations, restarts, root, root_ended })
    }

    /// Conversations by key.
    #[must_use]
    pub fn conversations(&self) -> region::Handle {
        self.conversations.clone()
    }

    /// The agents of each tenant.
    #[must_use]
    pub fn presence(&self) -> presence::Handle {
        presence::Handle::new(Arc::clone(&self.world), self.conversations.clone())
    }

    /// The live lists of each tenant.
    #[must_use]
    pub fn inbox(&self) -> inbox::Handle {
        inbox::Handle::new(Arc::clone(&self.world))
    }

    /// The queues of each tenant.
    #[must_use]
    pub fn queue(&self) -> queue::Handle {
        queue::Handle::new(Arc::clone(&self.world))
    }

    /// Counts of everything that runs.
    pub async fn observe(&self) -> Observed {
        let mut tenants = Vec::new();
        for tenant in self.world.tenants.all() {
            tenants.push(self.observe_tenant(&tenant).await);
        }
        tenants.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        let regions = self.conversations.observe().await;
        let is_here = |shard| matches!(self.world.ownership.owner(shard), Owner::Here(_));
        Observed {
            shards: Shard::all().filter(|shard| is_here(*shard)).count(),
            regions,
            tenants,
            restarts: self.restarts.load(Ordering::Relaxed),
        }
    }

    /// Tells when the actors have ended, apart from the system itself.
    #[must_use]
    pub fn life(&self) -> Life {
        Life(self.root.clone())
    }

    /// Stops taking requests, lets the accepted ones end, writes checkpoints and stops; at the
    /// latest after `deadline`.
    pub async fn drain(self, deadline: Duration) {
        let settled = tokio::time::timeout(deadline, async {
            self.conversations.drain().await;
            if let Some(checkpoints) = self.world.checkpoints.actor() {
                // One that is gone has nothing to write.
                drop(checkpoints.drain_and_wait(None).await);
            }
        });
        if settled.await.is_err() {
            tracing::warn!(
                "not everything settled in time, the rest is repaired at the next start"
            );
        }
        self.root.stop(None);
        drop(self.root_ended.await);
    }

    async fn observe_tenant(&self, tenant: &Tenant) -> observe::Tenant {
        let within = self.world.config.answer_within;
        observe::Tenant {
            tenant: tenant.id.clone(),
            presence: look(&tenant.presence, within, presence::Message::Observe).await,
            inbox: look(&tenant.inbox, within, inbox::Message::Observe).await,
            queue: look(&tenant.queue, within, queue::Message::Observe).await,
        }
    }
}

#[cfg(test)]
impl System {
    /// One tenant, to look at and to break.
    pub(crate) fn tenant(&self, id: &TenantId) -> Arc<Tenant> {
        self.world.tenants.get(&self.world, id)
    }

    /// Ends every region at once, as a failure would.
    pub(crate) fn kill_regions(&self) {
        for place in self.conversations.places() {
            if let Some(region) = place.address.actor() {
                region.kill();
            }
        }
    }
}

/// Asks an actor how it stands; zeros when it does not answer. Needs no permit, because whoever
/// observes wants to see a full mailbox.
async fn look<M: ractor::Message, T: Default>(
    address: &Address<M>,
    within: Duration,
    message: fn(Reply<T>) -> M,
) -> T {
    let (reply, answer) = oneshot();
    match address.cast(message(reply.into())) {
        Ok(()) => answered(within, answer).await.unwrap_or_default(),
        Err(_) => T::default(),
    }
}

/// What was repaired, and under which epoch of its shard.
type Repaired = (TenantId, Conversation, Epoch);

/// Checkpoints that a crash left behind their logs are written anew, before anybody reads a list.
/// Those of other nodes are theirs to write; but they list these too, and the owner before did not
/// live to tell them: they go into `repaired`.
async fn repair(
    store: &dyn Store,
    ownership: &dyn Ownership,
    mut repaired: Option<&mut Vec<Repaired>>,
) -> Result<(), Fault> {
    let mut looked_at = REPAIR_BATCH;
    let mut empty = BTreeSet::new();
    loop {
        let behind = store.dirty(looked_at).await?;
        let is_all = behind.len() < looked_at;
        let owned =
            behind.into_iter().filter_map(|key| match ownership.owner(region::shard(&key)) {
                Owner::Here(epoch) => Some((key, epoch)),
                Owner::There(_) | Owner::Nobody => None,
            });
        let owned: Vec<_> = owned.take(REPAIR_BATCH).collect();
        if owned.is_empty() && is_all {
            return Ok(());
        }
        if owned.is_empty() {
            // So many are other nodes' to repair; ours may lie behind them.
            looked_at = looked_at.saturating_mul(2);
        }
        let mut checkpoints = Vec::with_capacity(owned.len());
        for (key, epoch) in owned {
            match region::open(store, &key, epoch).await? {
                Some(state) => {
                    if let Some(repaired) = &mut repaired {
                        repaired.push((key.tenant.clone(), state.clone(), epoch));
                    }
                    checkpoints.push((key, state));
                }
                // Its owner was killed before the first event was stored. Opening it takes the
                // mark away; where both are stored at once there is no such mark.
                None if empty.insert(key.clone()) => store.open(&key, epoch.0).await?,
                None => {
                    let what = format!("conversation {} is marked and empty", key.conversation);
                    return Err(Fault::Damaged { what: what.into() });
                }
            }
        }
        if !checkpoints.is_empty() {
            tracing::info!(conversations = checkpoints.len(), "checkpoints repaired from the log");
            store.put_checkpoints(checkpoints).await?;
        }
    }
}

fn children(world: &Arc<World>, conversations: &region::Handle) -> Vec<Child> {
    let mut children = vec![checkpoints(world)];
    for (idx, place) in conversations.places().enumerate() {
        let world = Arc::clone(world);
        let name = format!("region {idx}");
        children.push(Child::new(name, Kind::Region, OnLimit::Escalate, move |supervisor| {
            let address = Arc::clone(&place.address);
            let begin = (Arc::clone(&world), place.clone());
            async move {
                let (actor, _) =
                    Actor::spawn_linked(None, region::Behavior, begin, supervisor).await?;
                address.set(actor.clone());
                Ok(actor.get_cell())
            }
        }));
    }
    children
}

fn checkpoints(world: &Arc<World>) -> Child {
    let world = Arc::clone(world);
    Child::new("checkpoints", Kind::Checkpoints, OnLimit::Escalate, move |supervisor| {
        let world = Arc::clone(&world);
        async move {
            let begin = Arc::clone(&world);
            let (actor, _) =
                Actor::spawn_linked(None, checkpoint::Behavior, begin, supervisor).await?;
            world.checkpoints.set(actor.clone());
            Ok(actor.get_cell())
        }
    })
}

#[cfg(test)]
mod tests;
