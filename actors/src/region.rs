//! Conversations by key: a fixed number of regions, each with its share of the shards.
//!
//! A region owns: which of its conversations are in memory, and their failures. Supervised by:
//! the regions' supervisor; it supervises its conversations. Ends: drained with the node.
//!
//! A region only routes: it starts a conversation on demand and never waits for the store. An
//! idle conversation is drained, writes its checkpoint and goes; what arrives meanwhile waits
//! here and wakes it again, in order. One that fails is started again by the next request, from
//! the log; one that fails too often is refused for a while and disturbs nobody else (P8).

mod slot;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ractor::concurrency::oneshot;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use switchboard_cluster::ownership::Owner;
use switchboard_cluster::shard::Shard;
use switchboard_domain::conversation::{Request, Stream};
use switchboard_domain::ids::Seq;
use switchboard_domain::person::Caller;
use switchboard_store::{ConversationKey, Page, Range, Store};
use tokio::time::Instant;

use self::slot::Slot;
use crate::answer::{Done, History, Refusal, View};
use crate::conversation::{self, Begin, Parcel, Stretch};
use crate::delivery::Outlet;
use crate::fanout::Fanout;
use crate::mailbox::{Address, BUSY, Gauge, Permit, Reply, answered};
use crate::meter::{Dropped, Kind, Meter, Outcome};
use crate::observe;
use crate::published::Published;
use crate::supervisor::{Failures, REST, back_off};
use crate::system::Config;
use crate::world::World;

/// Regions of a node: enough that no single one is a bottleneck on any machine we mean to use.
pub(crate) const REGIONS: usize = 16;
/// How many times more a region admits than a conversation: it only routes.
const MAILBOX_FACTOR: usize = 16;
/// Failures of a conversation within ten seconds after which it is quarantined (P8).
const FAILURES_MAX: usize = 5;
/// Events that one reading of history gives at most.
const HISTORY_EVENTS_MAX: usize = 1_000;
/// Sweeps between two looks for connections that went without a word.
const SWEEPS_PER_PRUNING: u32 = 10;
/// A conversation may stay this part of the idle time longer than it should.
const SWEEPS_PER_IDLE: u32 = 5;

/// Talks to conversations wherever they live. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Regions>);

struct Regions {
    config: Config,
    store: Arc<dyn Store>,
    meter: Arc<dyn Meter>,
    regions: Vec<Region>,
    is_draining: AtomicBool,
}

struct Region {
    address: Arc<Address<Message>>,
    fanout: Arc<Fanout>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    pub(crate) fn new(world: &World) -> Self {
        let (config, store) = (world.config.clone(), Arc::clone(&world.store));
        let meter = Arc::clone(&world.meter);
        let region = || Region {
            address: Arc::new(Address::new(config.mailbox_max * MAILBOX_FACTOR)),
            fanout: Arc::new(Fanout::new(Arc::clone(&meter), config.sabotage.leaks_notes())),
        };
        let regions = std::iter::repeat_with(region).take(REGIONS).collect();
        let is_draining = AtomicBool::new(false);
        Self(Arc::new(Regions { config, store, meter, regions, is_draining }))
    }

    /// What each region needs to start, and where to register it.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Arc<Address<Message>>, Arc<Fanout>)> {
        self.0.regions.iter().map(|it| (Arc::clone(&it.address), Arc::clone(&it.fanout)))
    }

    /// Carries a request out. For an unseen conversation `Create` begins it.
    ///
    /// Dropping the future does not take the request back.
    ///
    /// # Errors
    ///
    /// Nothing was changed, except that [`Refusal::Unknown`] leaves it open; then the same key
    /// may be sent again.
    pub async fn ask(&self, key: &ConversationKey, request: Request) -> Result<Done, Refusal> {
        let began = Instant::now();
        let request = Box::new(request);
        let result = self.call(key, |reply| conversation::Message::Ask { request, reply }).await;
        self.0.meter.request(outcome(&result), began.elapsed());
        result
    }

    /// The state as the caller may see it.
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn state(&self, key: &ConversationKey, caller: &Caller) -> Result<View, Refusal> {
        let caller = Box::new(caller.clone());
        self.call(key, |reply| conversation::Message::Look { caller, reply }).await
    }

    /// Reads a stretch of a stream, at most `limit` events (and at most 1,000), bounded by the
    /// durable head.
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn history(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        stream: Stream,
        range: Range,
        limit: usize,
    ) -> Result<History, Refusal> {
        let limit = limit.min(HISTORY_EVENTS_MAX);
        let caller = Box::new(caller.clone());
        let stretch = self
            .call(key, |reply| conversation::Message::Read { caller, stream, range, limit, reply })
            .await?;
        let head = match stretch {
            Stretch::Here(history) => return Ok(history),
            Stretch::Stored(head) => head,
        };
        // Not in the actor, so that a long read delays no message. What is beyond the head the
        // owner did not vouch for.
        let range = match range {
            Range::After(seq) => Range::After(seq),
            Range::Before(seq) => Range::Before(seq.min(head.next())),
        };
        let page = Page { key: key.clone(), stream, range, limit };
        let events = self.0.store.read(page).await.map_err(Refusal::Store)?;
        let events = events
            .into_iter()
            .filter(|event| event.seq <= head)
            .map(|event| Arc::new(Published::new(key.conversation, event)))
            .collect();
        Ok(History::new(events, head, range))
    }

    /// One event; `None` beyond the head.
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn event(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        stream: Stream,
        seq: Seq,
    ) -> Result<Option<Arc<Published>>, Refusal> {
        let Some(before) = seq.0.checked_sub(1) else { return Ok(None) };
        let history = self.history(key, caller, stream, Range::After(Seq(before)), 1).await?;
        Ok(history.events.into_iter().next())
    }

    /// Enters a subscription. When this answers, a [`Delivery::Subscribed`] with `ref_id` is in
    /// the outlet, and every later event of the stream follows it there.
    ///
    /// [`Delivery::Subscribed`]: crate::delivery::Delivery::Subscribed
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn subscribe(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        stream: Stream,
        ref_id: u64,
        outlet: &Outlet,
    ) -> Result<(), Refusal> {
        let caller = Box::new(caller.clone());
        let outlet = outlet.clone();
        self.call(key, |reply| conversation::Message::Subscribe {
            caller,
            stream,
            ref_id,
            outlet,
            reply,
        })
        .await
    }

    /// Ends a subscription, if there is one.
    pub fn unsubscribe(&self, key: &ConversationKey, stream: Stream, outlet_id: u64) {
        self.0.region(key).fanout.unsubscribe(key, stream, outlet_id);
    }

    /// Raises the caller's receipt in the public stream.
    pub fn receipt(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        received: Option<Seq>,
        read: Option<Seq>,
    ) {
        let caller = Box::new(caller.clone());
        // Lossy: the next receipt says more, and nothing waits for this one.
        drop(self.send(key, conversation::Message::Receipt { caller, received, read }));
    }

    /// Tells the other subscribers that the caller types. Lossy, and only for subscribers.
    pub fn typing(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        on: bool,
        preview: Option<Arc<str>>,
    ) {
        self.0.region(key).fanout.typing(key, caller, on, preview);
    }

    /// Tells the visitors who are subscribed to a conversation.
    pub(crate) fn fanout(&self, key: &ConversationKey) -> &Fanout {
        &self.0.region(key).fanout
    }

    /// What each region says of itself.
    pub(crate) async fn observe(&self) -> Vec<observe::Region> {
        let mut observed = Vec::with_capacity(REGIONS);
        for region in &self.0.regions {
            let (reply, answer) = oneshot();
            let asked = region.address.cast(Message::Observe(reply.into()));
            let within = self.0.config.answer_within;
            let mut found = match asked {
                Ok(()) => answered(within, answer).await.unwrap_or_default(),
                Err(_) => observe::Region::default(),
            };
            (found.subscribed, found.subscriptions) = region.fanout.counts();
            found.mailbox = region.address.gauge().depth();
            observed.push(found);
        }
        observed
    }

    /// Refuses new requests, lets accepted ones end, and waits until every conversation has
    /// written its checkpoint and gone.
    pub(crate) async fn drain(&self) {
        self.0.is_draining.store(true, Ordering::SeqCst);
        for region in &self.0.regions {
            let (reply, empty) = oneshot();
            if region.address.cast(Message::Drain(reply.into())).is_ok() {
                // A region that fails meanwhile takes its conversations with it.
                drop(empty.await);
            }
        }
    }

    async fn call<T>(
        &self,
        key: &ConversationKey,
        message: impl FnOnce(Reply<T>) -> conversation::Message,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot();
        self.send(key, message(reply.into()))?;
        answered(self.0.config.answer_within, answer).await
    }

    fn send(&self, key: &ConversationKey, message: conversation::Message) -> Result<(), Refusal> {
        if self.0.is_draining.load(Ordering::Relaxed) {
            return Err(Refusal::Draining);
        }
        let address = &self.0.region(key).address;
        let meter = &self.0.meter;
        meter.mailbox_depth(Kind::Region, address.gauge().depth());
        let Some(permit) = address.gauge().enter() else {
            meter.dropped(Dropped::Request);
            return Err(BUSY);
        };
        let key = key.clone();
        address.cast(Message::Route { key, message, _permit: permit }).map_err(|_refused| BUSY)
    }
}

impl Regions {
    fn region(&self, key: &ConversationKey) -> &Region {
        &self.regions[usize::from(shard(key).index()) % REGIONS]
    }
}

fn shard(key: &ConversationKey) -> Shard {
    Shard::of(&key.tenant.0, "conversation", key.conversation.uuid().as_bytes())
}

fn outcome(result: &Result<Done, Refusal>) -> Outcome {
    match result {
        Ok(done) if done.duplicate => Outcome::Duplicate,
        Ok(done) if done.events.is_empty() => Outcome::Unchanged,
        Ok(_) => Outcome::Stored,
        Err(Refusal::Rejected(_)) => Outcome::Rejected,
        Err(Refusal::Busy { .. } | Refusal::Quarantined | Refusal::Draining) => Outcome::Busy,
        Err(Refusal::StorageFull) => Outcome::StorageFull,
        Err(Refusal::Unknown | Refusal::Store(_)) => Outcome::Unknown,
    }
}

/// The messages of a region.
pub(crate) enum Message {
    /// Pass a message on to a conversation.
    Route { key: ConversationKey, message: conversation::Message, _permit: Permit },
    /// Start a conversation again that failed, so that it tells what it stored.
    Restart { key: ConversationKey },
    /// Let idle conversations go.
    Sweep,
    /// Let all conversations go and say when the last has gone.
    Drain(RpcReplyPort<()>),
    /// Say how it stands.
    Observe(Reply<observe::Region>),
}

/// The behavior of a region.
pub(crate) struct Behavior;

/// What a region owns.
pub(crate) struct State {
    world: Arc<World>,
    fanout: Arc<Fanout>,
    myself: ActorRef<Message>,
    slots: HashMap<ConversationKey, Slot>,
    by_actor: HashMap<ActorId, ConversationKey>,
    failures: HashMap<ConversationKey, Failing>,
    is_draining: bool,
    drained: Option<RpcReplyPort<()>>,
    n_sweeps: u32,
    n_activations: u64,
    n_passivations: u64,
    n_failures: u64,
}

#[derive(Debug, Default)]
struct Failing {
    failures: Failures,
    quarantined_until: Option<Instant>,
}

impl Failing {
    fn is_quarantined(&self, now: Instant) -> bool {
        self.quarantined_until.is_some_and(|until| now < until)
    }
}

impl Actor for Behavior {
    type Msg = Message;
    type State = State;
    type Arguments = (Arc<World>, Arc<Fanout>);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (world, fanout): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        myself.send_interval(world.config.idle / SWEEPS_PER_IDLE, || Message::Sweep);
        Ok(State {
            world,
            fanout,
            myself,
            slots: HashMap::new(),
            by_actor: HashMap::new(),
            failures: HashMap::new(),
            is_draining: false,
            drained: None,
            n_sweeps: 0,
            n_activations: 0,
            n_passivations: 0,
            n_failures: 0,
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Route { key, message, _permit } => state.route(key, message).await,
            Message::Restart { key } => state.restart(key).await,
            Message::Sweep => {
                state.sweep(state.world.config.idle);
                Ok(())
            }
            Message::Drain(reply) => {
                state.is_draining = true;
                state.drained = Some(reply);
                state.let_all_go();
                state.say_when_empty();
                Ok(())
            }
            Message::Observe(reply) => {
                // Nobody waits any more when the answer cannot be sent.
                drop(reply.send(Ok(state.observe())));
                Ok(())
            }
        }
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(cell, ..) => {
                let Some(key) = state.by_actor.remove(&cell.get_id()) else { return Ok(()) };
                state.n_passivations += 1;
                state.world.meter.passivated();
                state.gone(key).await
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                let Some(key) = state.by_actor.remove(&cell.get_id()) else { return Ok(()) };
                state.failed(&key, &error);
                state.gone(key).await
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => Ok(()),
        }
    }
}

impl State {
    async fn route(
        &mut self,
        key: ConversationKey,
        message: conversation::Message,
    ) -> Result<(), ActorProcessingErr> {
        if self.is_draining {
            message.refuse(Refusal::Draining);
            return Ok(());
        }
        let now = Instant::now();
        if self.failures.get(&key).is_some_and(|failing| failing.is_quarantined(now)) {
            message.refuse(Refusal::Quarantined);
            return Ok(());
        }
        if !self.slots.contains_key(&key) && !self.activate(&key).await? {
            message.refuse(BUSY);
            return Ok(());
        }
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        self.world.meter.mailbox_depth(Kind::Conversation, slot.depth());
        if let Err(message) = slot.send(message, now) {
            self.world.meter.dropped(Dropped::Request);
            message.refuse(BUSY);
        }
        Ok(())
    }

    /// Starts a conversation's actor, if its shard is served here.
    async fn activate(&mut self, key: &ConversationKey) -> Result<bool, ActorProcessingErr> {
        let shard = shard(key);
        let Owner::Here(epoch) = self.world.ownership.owner(shard) else { return Ok(false) };
        let begin = Begin {
            key: key.clone(),
            shard,
            epoch,
            world: Arc::clone(&self.world),
            fanout: Arc::clone(&self.fanout),
            tenant: self.world.tenants.get(&self.world, &key.tenant),
            is_behind: self.failures.contains_key(key),
        };
        let supervisor = self.myself.get_cell();
        let (actor, _) =
            Actor::spawn_linked(None, conversation::Behavior, begin, supervisor).await?;
        self.by_actor.insert(actor.get_id(), key.clone());
        self.n_activations += 1;
        let gauge = Gauge::new(self.world.config.mailbox_max);
        self.slots.insert(key.clone(), Slot::live(actor, gauge));
        Ok(true)
    }

    fn failed(&mut self, key: &ConversationKey, error: &ActorProcessingErr) {
        let now = Instant::now();
        let failing = self.failures.entry(key.clone()).or_default();
        let count = failing.failures.record(now);
        tracing::error!(
            tenant = %key.tenant, conversation = %key.conversation, %error, count,
            "conversation failed, will begin again from the log"
        );
        self.n_failures += 1;
        self.world.meter.restarted(Kind::Conversation);
        if count >= FAILURES_MAX {
            failing.quarantined_until = Some(now + REST);
            self.fanout.lose(key);
            self.world.meter.quarantined();
            tracing::error!(
                tenant = %key.tenant, conversation = %key.conversation, "conversation quarantined"
            );
        } else {
            let key = key.clone();
            self.myself.send_after(back_off(count), || Message::Restart { key });
        }
    }

    async fn restart(&mut self, key: ConversationKey) -> Result<(), ActorProcessingErr> {
        if self.is_draining || self.slots.contains_key(&key) || !self.activate(&key).await? {
            return Ok(());
        }
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.forward(Parcel::flush());
        }
        Ok(())
    }

    /// A conversation's actor ended: what arrived meanwhile wakes the next.
    async fn gone(&mut self, key: ConversationKey) -> Result<(), ActorProcessingErr> {
        let waiting = self.slots.remove(&key).map(Slot::into_waiting).unwrap_or_default();
        if !waiting.is_empty() {
            let now = Instant::now();
            let refusal = if self.failures.get(&key).is_some_and(|it| it.is_quarantined(now)) {
                Some(Refusal::Quarantined)
            } else if !self.activate(&key).await? {
                Some(BUSY)
            } else {
                None
            };
            let mut slot = self.slots.get_mut(&key);
            for parcel in waiting {
                match (&refusal, &mut slot) {
                    (None, Some(slot)) => slot.forward(parcel),
                    (Some(refusal), _) => parcel.message.refuse(refusal.clone()),
                    (None, None) => parcel.message.refuse(Refusal::Unknown),
                }
            }
        }
        if self.is_draining {
            self.let_all_go();
        }
        self.say_when_empty();
        Ok(())
    }

    fn sweep(&mut self, idle: std::time::Duration) {
        let now = Instant::now();
        for slot in self.slots.values_mut() {
            slot.leave_if_idle(now, idle);
        }
        self.failures
            .retain(|_, failing| failing.is_quarantined(now) || !failing.failures.are_over(now));
        self.n_sweeps += 1;
        if self.n_sweeps.is_multiple_of(SWEEPS_PER_PRUNING) {
            self.fanout.prune();
        }
    }

    fn let_all_go(&mut self) {
        for slot in self.slots.values_mut() {
            slot.leave();
        }
    }

    fn say_when_empty(&mut self) {
        if self.slots.is_empty()
            && let Some(reply) = self.drained.take()
        {
            // Requests are refused from here on by the handle; nobody may wait any more.
            drop(reply.send(()));
        }
    }

    fn observe(&self) -> observe::Region {
        let now = Instant::now();
        let live = self.slots.values().filter(|slot| slot.is_live()).count();
        observe::Region {
            live,
            passivating: self.slots.len() - live,
            quarantined: self.failures.values().filter(|it| it.is_quarantined(now)).count(),
            conversations_mailbox: self.slots.values().map(Slot::depth).sum(),
            activations: self.n_activations,
            passivations: self.n_passivations,
            failures: self.n_failures,
            ..observe::Region::default()
        }
    }
}

#[cfg(test)]
mod tests;
