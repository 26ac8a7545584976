//! Conversations by key: a fixed number of regions, each with its share of the shards.
//!
//! A region owns: which of its conversations are in memory, and their failures. Supervised by:
//! the regions' supervisor; it supervises its conversations. Ends: drained with the node.
//!
//! A region only starts and ends: it begins a conversation on demand and never waits for the
//! store; while that is in memory, messages go to it past the region ([`line`]). An
//! idle conversation is drained, writes its checkpoint and goes; what arrives meanwhile waits
//! here and wakes it again, in order. One that fails begins again from the log a moment later, or
//! with the next request; one that fails too often is refused for a while and disturbs nobody
//! else (P8).

mod asked;
mod handle;
mod line;
mod mend;
mod there;
mod slot;

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use switchboard_cluster::ownership::{Epoch, Owner};
use switchboard_cluster::shard::Shard;
use switchboard_domain::conversation::Conversation;
use switchboard_store::load::load;
use switchboard_store::{ConversationKey, Fault, Store};
use tokio::time::Instant;

pub use self::handle::Handle;
pub use crate::remote::{Notices, Remote};

pub(crate) use self::handle::Regions;

use self::line::{Line, Lines};
use self::slot::Slot;
use crate::answer::Refusal;
use crate::conversation::{self, Begin, Parcel};
use crate::fanout::Fanout;
use crate::mailbox::{Address, BUSY, Gauge, Permit, Reply};
use crate::maps::{HashMap, give_back};
use crate::meter::{Dropped, Kind};
use crate::observe;
use crate::supervisor::{Failures, REST, back_off};
use crate::world::World;

/// Failures of a conversation within ten seconds after which it is quarantined (P8).
const FAILURES_MAX: usize = 5;
/// How long to wait where nobody serves a shard.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Sweeps between two looks for connections that went without a word.
const SWEEPS_PER_PRUNING: u32 = 10;
/// A conversation may stay this part of the idle time longer than it should.
const SWEEPS_PER_IDLE: u32 = 5;

/// The messages of a region.
pub(crate) enum Message {
    /// Pass a message on to a conversation.
    Route { key: ConversationKey, message: conversation::Message, _permit: Permit },
    /// Start a conversation again that failed, so that it tells what it stored.
    Restart { key: ConversationKey },
    /// Have a conversation write its checkpoint, which an owner before left behind the log.
    Mend { key: ConversationKey },
    /// Tell what a quarantined conversation stored and cannot tell itself.
    TellFromLog { key: ConversationKey },
    /// Let idle conversations go.
    Sweep,
    /// Let conversations go whose shard is another's now.
    Settle,
    /// Let the conversations of a shard go, `None` for all, and say when the last has gone.
    LetGo { shard: Option<Shard>, gone: RpcReplyPort<()> },
    /// Let all conversations go and say when the last has gone.
    Drain(RpcReplyPort<()>),
    /// Say how it stands.
    Observe(Reply<observe::Region>),
}

impl ractor::Message for Message {}

/// What outlives a region: where it can be reached, who listens there, and the ways past it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) address: Arc<Address<Message>>,
    pub(crate) fanout: Arc<Fanout>,
    lines: Arc<Lines>,
}

/// The behavior of a region.
pub(crate) struct Behavior;

/// What a region owns.
pub(crate) struct State {
    world: Arc<World>,
    fanout: Arc<Fanout>,
    lines: Arc<Lines>,
    myself: ActorRef<Message>,
    slots: HashMap<ConversationKey, Slot>,
    by_actor: HashMap<ActorId, ConversationKey>,
    failures: HashMap<ConversationKey, Failing>,
    is_draining: bool,
    drained: Option<RpcReplyPort<()>>,
    /// Who waits for the conversations of a shard to go.
    leaving: Vec<(Option<Shard>, RpcReplyPort<()>)>,
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
    type Arguments = (Arc<World>, Place);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (world, place): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Place { fanout, lines, .. } = place;
        // Those of a region that failed lead nowhere any more.
        lines.close_all();
        myself.send_interval(world.config.idle / SWEEPS_PER_IDLE, || Message::Sweep);
        Ok(State {
            world,
            fanout,
            lines,
            myself,
            slots: HashMap::default(),
            by_actor: HashMap::default(),
            failures: HashMap::default(),
            is_draining: false,
            drained: None,
            leaving: Vec::new(),
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
            Message::Mend { key } => state.mend(key).await,
            Message::TellFromLog { key } => {
                state.tell_from_log(key);
                Ok(())
            }
            Message::Sweep => {
                state.sweep(state.world.config.idle);
                Ok(())
            }
            Message::Settle => {
                state.settle();
                Ok(())
            }
            Message::LetGo { shard, gone } => {
                state.let_go(shard);
                state.leaving.push((shard, gone));
                state.say_when_empty();
                Ok(())
            }
            Message::Drain(reply) => {
                state.is_draining = true;
                state.drained = Some(reply);
                state.let_go(None);
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
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => Ok(()),
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
        self.let_go_if_lost(&key);
        let is_new = !self.slots.contains_key(&key);
        if is_new && !self.activate(&key).await? {
            message.refuse(Refusal::Moved);
            return Ok(());
        }
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        self.world.meter.mailbox_depth(Kind::Conversation, slot.depth());
        if let Err(message) = slot.send(message, now) {
            self.world.meter.dropped(Dropped::Request);
            message.refuse(BUSY);
        }
        if is_new {
            self.open_line(key);
        }
        Ok(())
    }

    /// Lets a conversation go whose shard this node does not hold as it did when it began; what
    /// comes meanwhile waits for its next life, here or nowhere.
    fn let_go_if_lost(&mut self, key: &ConversationKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.is_live() && !slot.is_held(&*self.world.ownership, shard(key)) {
            self.lines.close(key);
            slot.leave();
        }
    }

    fn settle(&mut self) {
        let ownership = &*self.world.ownership;
        for (key, slot) in &mut self.slots {
            if slot.is_live() && !slot.is_held(ownership, shard(key)) {
                self.lines.close(key);
                slot.leave();
            }
        }
        self.fanout.settle(ownership);
    }

    /// Lets messages past the region, after all that came before them was passed on.
    fn open_line(&self, key: ConversationKey) {
        if let Some(line) = self.slots.get(&key).and_then(Slot::line) {
            self.lines.open(key, Arc::clone(line));
        }
    }

    /// Starts a conversation's actor, if its shard is served here.
    async fn activate(&mut self, key: &ConversationKey) -> Result<bool, ActorProcessingErr> {
        let shard = shard(key);
        let Owner::Here(epoch) = self.world.ownership.owner(shard) else { return Ok(false) };
        let warm = self.world.remote.as_ref().and_then(|remote| remote.use_up(key, epoch));
        let begin = Begin {
            key: key.clone(),
            shard,
            epoch,
            world: Arc::clone(&self.world),
            fanout: Arc::clone(&self.fanout),
            tenant: self.world.tenants.get(&self.world, &key.tenant),
            is_behind: self.failures.contains_key(key),
            warm,
        };
        let supervisor = self.myself.get_cell();
        let (actor, _) =
            Actor::spawn_linked(None, conversation::Behavior, begin, supervisor).await?;
        self.by_actor.insert(actor.get_id(), key.clone());
        self.n_activations += 1;
        let gauge = Gauge::new(self.world.config.mailbox_max);
        self.slots.insert(key.clone(), Slot::live(Arc::new(Line::new(actor, gauge, epoch))));
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
            self.tell_from_log(key.clone());
        } else {
            let key = key.clone();
            self.myself.send_after(back_off(count), || Message::Restart { key });
        }
    }

    /// Tells lists and slots what a quarantined conversation stored and cannot tell itself: a slot
    /// that the log has given away must not be given twice meanwhile (P11). If the log is the
    /// poison, this ends with its task.
    fn tell_from_log(&self, key: ConversationKey) {
        if self.look_again(&key, || Message::TellFromLog { key: key.clone() }) {
            return;
        }
        let world = Arc::clone(&self.world);
        ractor::concurrency::spawn(async move {
            if let Err(fault) = catch_up(&world, &key).await {
                tracing::error!(
                    tenant = %key.tenant, conversation = %key.conversation, error = %fault,
                    "a quarantined conversation could not be caught up with"
                );
            }
        });
    }

    async fn restart(&mut self, key: ConversationKey) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        let rests = self.failures.get(&key).is_some_and(|failing| failing.is_quarantined(now));
        if self.is_draining || rests || self.slots.contains_key(&key) {
            return Ok(());
        }
        if !self.activate(&key).await? {
            self.look_again(&key, || Message::Restart { key: key.clone() });
            return Ok(());
        }
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.forward(Parcel::flush());
        }
        self.open_line(key);
        Ok(())
    }

    /// Puts off what nobody else does while nobody serves the shard; whether it does. A lease that
    /// ran out may be renewed before another node takes over, and then nothing tells of it.
    fn look_again(&self, key: &ConversationKey, then: impl FnOnce() -> Message) -> bool {
        let is_nobodys = self.world.ownership.owner(shard(key)) == Owner::Nobody;
        if is_nobodys {
            let then = then();
            self.myself.send_after(LOOK_AGAIN, || then);
        }
        is_nobodys
    }

    async fn mend(&mut self, key: ConversationKey) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        let rests = self.failures.get(&key).is_some_and(|failing| failing.is_quarantined(now));
        if self.is_draining || rests {
            return Ok(());
        }
        self.let_go_if_lost(&key);
        let is_new = !self.slots.contains_key(&key);
        if is_new && !self.activate(&key).await? {
            self.look_again(&key, || Message::Mend { key: key.clone() });
            return Ok(());
        }
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.forward(Parcel::mend());
        }
        if is_new {
            self.open_line(key);
        }
        Ok(())
    }

    /// A conversation's actor ended: what arrived meanwhile wakes the next.
    async fn gone(&mut self, key: ConversationKey) -> Result<(), ActorProcessingErr> {
        self.lines.close(&key);
        let waiting = self.slots.remove(&key).map(Slot::into_waiting).unwrap_or_default();
        if !waiting.is_empty() {
            let now = Instant::now();
            let refusal = if self.failures.get(&key).is_some_and(|it| it.is_quarantined(now)) {
                Some(Refusal::Quarantined)
            } else if !self.activate(&key).await? {
                Some(Refusal::Moved)
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
            self.open_line(key);
        }
        if self.is_draining {
            self.let_go(None);
        }
        self.say_when_empty();
        Ok(())
    }

    fn sweep(&mut self, idle: Duration) {
        let now = Instant::now();
        for (key, slot) in &mut self.slots {
            if slot.leave_if_idle(now, idle) {
                self.lines.close(key);
            }
        }
        self.failures
            .retain(|_, failing| failing.is_quarantined(now) || !failing.failures.are_over(now));
        give_back(&mut self.slots);
        give_back(&mut self.by_actor);
        self.lines.give_back();
        self.n_sweeps += 1;
        if self.n_sweeps.is_multiple_of(SWEEPS_PER_PRUNING) {
            self.fanout.prune();
        }
    }

    fn let_go(&mut self, of: Option<Shard>) {
        for (key, slot) in &mut self.slots {
            if of.is_none_or(|of| of == shard(key)) {
                self.lines.close(key);
                slot.leave();
            }
        }
    }

    fn say_when_empty(&mut self) {
        let slots = &self.slots;
        let is_here = |of: Option<Shard>| match of {
            None => !slots.is_empty(),
            Some(of) => slots.keys().any(|key| shard(key) == of),
        };
        for (_, gone) in self.leaving.extract_if(.., |(of, _)| !is_here(*of)) {
            // Whoever asked may have gone.
            drop(gone.send(()));
        }
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

/// Brings card and checkpoint of a conversation up to its log.
async fn catch_up(world: &Arc<World>, key: &ConversationKey) -> Result<(), Fault> {
    // Who owns it otherwise tells of it.
    let Owner::Here(epoch) = world.ownership.owner(shard(key)) else { return Ok(()) };
    let Some(state) = open(&*world.store, key, epoch).await? else { return Ok(()) };
    world.tenants.get(world, &key.tenant).put_unheard(&state, epoch);
    world.store.put_checkpoints(vec![(key.clone(), state)]).await
}

/// The state of a conversation for its owner, `None` when nothing was ever stored of it. What an
/// earlier owner left in doubt is settled before it is read.
pub(crate) async fn open(
    store: &dyn Store,
    key: &ConversationKey,
    epoch: Epoch,
) -> Result<Option<Conversation>, Fault> {
    // Anybody can make an id up: it must cost no more than a look.
    if !store.is_begun(key).await? {
        return Ok(None);
    }
    store.open(key, epoch.0).await?;
    load(store, key).await
}

/// The shard that a conversation lies in.
pub(crate) fn shard(key: &ConversationKey) -> Shard {
    Shard::of(&key.tenant.0, "conversation", key.conversation.uuid().as_bytes())
}

#[cfg(test)]
mod tests;
