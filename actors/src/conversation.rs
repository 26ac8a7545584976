//! One conversation in memory: the only one who appends to its log.
//!
//! Owns: the state, the newest events, the receipts. Supervised by: its region, which starts it
//! for the first request and again after a failure. Ends: drained when idle, after its checkpoint
//! is written; or by failing, when the outcome of an append is unknown or something panics. Its
//! next life begins from the log (P8).

mod answering;
mod ask;
mod read;
mod receipts;
mod recent;

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use switchboard_cluster::ownership::Epoch;
use switchboard_cluster::shard::Shard;
use switchboard_domain::conversation::{Conversation, Dedupe, Event, Rejection, Request, Stream};
use switchboard_domain::ids::Seq;
use switchboard_domain::permission::{self, AgentsSee, Subject};
use switchboard_domain::person::{Author, Caller, Principal, Role};
use switchboard_store::{ConversationKey, Fault, Page, Range};
use tokio::time::Instant;

pub(crate) use self::answering::{Answering, Then, Way};

use self::receipts::Receipts;
use self::recent::Recent;
use crate::answer::{History, Refusal, View};
use crate::checkpoint;
use crate::delivery::Outlet;
use crate::fanout::Fanout;
use crate::mailbox::{Permit, Reply};
use crate::published::Published;
use crate::region;
use crate::remote::{Asker, Warm};
use crate::tenant::Tenant;
use crate::world::World;

/// Events read at once when the last life failed before it could tell them.
const UNHEARD_PAGE: usize = 64;

/// What can be asked of a conversation.
pub(crate) enum Message {
    /// Carry a request out.
    Ask { request: Box<Request>, answering: Answering },
    /// Show the state.
    Look { caller: Box<Caller>, reply: Reply<View> },
    /// Show a stretch of a stream.
    Read { caller: Box<Caller>, stream: Stream, range: Range, limit: usize, reply: Reply<Stretch> },
    /// Enter a subscription.
    Subscribe { caller: Box<Caller>, stream: Stream, hears: Hears, reply: Reply<()> },
    /// Raise the caller's receipt.
    Receipt { caller: Box<Caller>, received: Option<Seq>, read: Option<Seq> },
    /// Hand over what the checkpoint is to hold.
    Flush,
    /// The same, whether it was handed over before or not: what is stored is behind the log.
    Mend,
}

/// Who hears a stream from now on.
pub(crate) enum Hears {
    /// A connection of this node.
    Here { ref_id: u64, outlet: Outlet },
    /// A node, for one of its connections.
    There(Asker),
}

impl Message {
    /// Notes how it comes.
    pub(crate) const fn come_by(&mut self, way: Way) {
        if let Self::Ask { answering: Answering::Then(then), .. } = self {
            then.way = way;
        }
    }

    /// Answers it without carrying it out.
    pub(crate) fn refuse(self, refusal: Refusal) {
        // Nobody waits any more when the answer cannot be sent.
        match self {
            Self::Ask { answering, .. } => answering.answer(Err(refusal)),
            Self::Look { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Read { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Subscribe { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Receipt { .. } | Self::Flush | Self::Mend => {}
        }
    }
}

/// A message with the permit it waits by.
pub(crate) struct Parcel {
    pub(crate) message: Message,
    _permit: Option<Permit>,
}

impl ractor::Message for Parcel {}

impl Parcel {
    pub(crate) const fn new(message: Message, permit: Permit) -> Self {
        Self { message, _permit: Some(permit) }
    }

    /// What was in it, without the permit.
    pub(crate) fn into_message(self) -> Message {
        self.message
    }

    /// From the writer of checkpoints, at most one a conversation; and from the region to one
    /// that is to begin again from the log.
    pub(crate) const fn flush() -> Self {
        Self { message: Message::Flush, _permit: None }
    }

    /// From the region, to one whose checkpoint an owner before left behind its log.
    pub(crate) const fn mend() -> Self {
        Self { message: Message::Mend, _permit: None }
    }
}

/// A stretch of a stream, or where to find it.
#[derive(Debug)]
pub(crate) enum Stretch {
    /// It was in memory.
    Here(History),
    /// It is in the store, up to this head.
    Stored(Seq),
}

/// What a conversation begins its life with.
pub(crate) struct Begin {
    pub(crate) key: ConversationKey,
    pub(crate) shard: Shard,
    pub(crate) epoch: Epoch,
    pub(crate) world: Arc<World>,
    pub(crate) fanout: Arc<Fanout>,
    pub(crate) tenant: Arc<Tenant>,
    /// Whether its checkpoint may be behind its log, because it failed a moment ago.
    pub(crate) is_behind: bool,
    /// What its last owner handed on.
    pub(crate) warm: Option<Warm>,
}

/// The behavior of a conversation.
pub(crate) struct Behavior;

/// What a conversation owns.
pub(crate) struct State {
    key: ConversationKey,
    shard: Shard,
    epoch: Epoch,
    world: Arc<World>,
    fanout: Arc<Fanout>,
    tenant: Arc<Tenant>,
    myself: ActorRef<Parcel>,
    is_loaded: bool,
    /// `None` before the first event.
    conversation: Option<Arc<Conversation>>,
    public: Recent,
    internal: Recent,
    receipts: Receipts,
    /// Whether the state differs from what was last handed over for the checkpoint.
    is_ahead: bool,
    /// Whether the writer of checkpoints knows that there is something to hand over.
    is_reported: bool,
    /// Whether the store has marked the checkpoint as behind the log since it was handed over.
    is_marked: bool,
    /// What its last owner handed on, until it is tried.
    warm: Option<Warm>,
    /// Whether sends of owners before are unknown to it: a planted fault.
    is_forgetful: bool,
}

/// Why a request was not carried out.
pub(crate) enum Trouble {
    /// Refused; the conversation goes on.
    Refused(Refusal),
    /// Refused, and the conversation must begin again from the log.
    Failed { refusal: Refusal, why: ActorProcessingErr },
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Rejection> for Trouble {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(Refusal::Rejected(rejection))
    }
}

impl Trouble {
    /// A read failed: nothing was changed, and what the store says next time counts.
    fn unread(fault: Fault) -> Self {
        Self::Refused(Refusal::Store(fault))
    }
}

impl Actor for Behavior {
    type Msg = Parcel;
    type State = State;
    type Arguments = Begin;

    /// Waits for nothing: the region starts conversations and must not stand still.
    async fn pre_start(
        &self,
        myself: ActorRef<Parcel>,
        begin: Begin,
    ) -> Result<State, ActorProcessingErr> {
        let Begin { key, shard, epoch, world, fanout, tenant, is_behind, warm } = begin;
        Ok(State {
            key,
            shard,
            epoch,
            world,
            fanout,
            tenant,
            myself,
            is_loaded: false,
            conversation: None,
            public: Recent::default(),
            internal: Recent::default(),
            receipts: Receipts::default(),
            is_ahead: is_behind,
            is_reported: false,
            is_marked: false,
            warm,
            is_forgetful: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Parcel>,
        parcel: Parcel,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if !state.is_loaded
            && let Err(fault) = state.load().await
        {
            parcel.message.refuse(Refusal::Store(fault.clone()));
            if matches!(fault, Fault::Busy | Fault::TooNew { .. }) {
                // Nothing is wrong with it: the store does not answer at the moment, or a newer
                // program wrote it and will have it again. Whoever comes next tries again.
                drop(myself.drain());
                return Ok(());
            }
            return Err(fault.into());
        }
        let failed = state.handle(parcel.message).await;
        if state.conversation.is_none() {
            // Nothing is known of it: it needs no actor. What comes meanwhile wakes another.
            drop(myself.drain());
        }
        failed
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Parcel>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.settle().await;
        state.hand_on();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Parcel>,
        _event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl State {
    async fn handle(&mut self, message: Message) -> Result<(), ActorProcessingErr> {
        if !self.is_vouched_for(&message) {
            message.refuse(Refusal::Moved);
            return Ok(());
        }
        match message {
            Message::Ask { request, answering } => self.answer_ask(*request, answering).await,
            Message::Look { caller, reply } => {
                let view = self.look(&caller).await;
                answer(reply, view)
            }
            Message::Read { caller, stream, range, limit, reply } => {
                answer(reply, self.stretch(&caller, stream, range, limit))
            }
            Message::Subscribe { caller, stream, hears, reply } => {
                let entered = self.subscribe(&caller, stream, hears).await;
                answer(reply, entered)
            }
            Message::Receipt { caller, received, read } => {
                self.raise_receipt(&caller, received, read).await;
                Ok(())
            }
            Message::Flush => {
                self.hand_over();
                Ok(())
            }
            Message::Mend => {
                self.mend().await;
                Ok(())
            }
        }
    }

    /// Whether an answer would still be the owner's. A request is checked after its append; what
    /// is only read must be checked here, or another owner may know better.
    fn is_vouched_for(&self, message: &Message) -> bool {
        match message {
            Message::Look { .. } | Message::Read { .. } | Message::Subscribe { .. } => {
                self.world.ownership.holds(self.shard, self.epoch)
            }
            Message::Ask { .. } | Message::Receipt { .. } | Message::Flush | Message::Mend => true,
        }
    }

    /// Reads the state from the log, which alone is true.
    async fn load(&mut self) -> Result<(), Fault> {
        let began = Instant::now();
        let store = &*self.world.store;
        let stale = match self.world.config.sabotage.counts_from_memory() {
            true => store.checkpoint(&self.key).await?,
            false => None,
        };
        // Also after a failure: what the last life left in doubt is settled before it is read.
        let loaded = match stale {
            Some(stale) => Some(stale),
            None => match self.open_warm().await {
                Some(state) => {
                    self.world.meter.began_warm();
                    Some(state)
                }
                None => region::open(&*self.world.store, &self.key, self.epoch).await?,
            },
        };
        self.conversation = loaded.map(Arc::new);
        self.tell_unheard().await?;
        self.is_loaded = true;
        self.world.meter.activated(began.elapsed());
        Ok(())
    }

    /// Begins with what the last owner handed on, once; `None` when nothing was, or the log is not
    /// as that one left it, or nobody can say.
    async fn open_warm(&mut self) -> Option<Conversation> {
        let Warm { handed, state, receipts } = self.warm.take()?;
        let opened = self.world.store.open_warm(&self.key, self.epoch.0, handed).await;
        if !matches!(opened, Ok(true)) {
            return None;
        }
        if let Some(receipts) = receipts {
            self.receipts.load(receipts);
        }
        let mut state = Arc::unwrap_or_clone(state);
        if self.world.config.sabotage.forgets_what_is_handed_on() {
            state.dedupe = Dedupe::default();
            self.is_forgetful = true;
        }
        Some(state)
    }

    /// Leaves to the next owner what it may begin with, if the shard is being given away.
    /// Everything is settled by now.
    fn hand_on(&self) {
        let Some(remote) = &self.world.remote else { return };
        if !self.is_loaded || !remote.is_giving(self.shard, self.epoch) {
            return;
        }
        let Some(state) = self.conversation.clone() else { return };
        let handed = self.world.store.hand_on(&self.key, self.epoch.0);
        if let Some(handed) = handed.filter(|it| it.heads == state.heads) {
            let warm = Warm { handed, state, receipts: self.receipts.known().map(Into::into) };
            remote.hand_on(self.shard, self.epoch, &self.key, &warm);
        }
    }

    /// Tells what the last life stored and failed before it could tell. Nothing, as a rule.
    async fn tell_unheard(&mut self) -> Result<(), Fault> {
        let Some(state) = self.conversation.clone() else { return Ok(()) };
        self.tenant.put_unheard(&state, self.epoch);
        // Who has listened by way of the owner before listens on.
        self.tell_of_listener(&state);
        let Some(published) = self.fanout.resume(&self.key, self.epoch) else { return Ok(()) };
        for stream in [Stream::Public, Stream::Internal] {
            let (mut after, head) = (published.of(stream), state.heads.of(stream));
            while after < head {
                let range = Range::After(after);
                let page = Page { key: self.key.clone(), stream, range, limit: UNHEARD_PAGE };
                let events = self.world.store.read(page).await?;
                let Some(last) = events.last() else { break };
                after = last.seq;
                let unheard: Vec<_> =
                    events.into_iter().map(|event| self.remember(event)).collect();
                self.fanout.publish(&self.key, &unheard);
            }
        }
        Ok(())
    }

    /// The state, if the caller may know of it.
    fn seen_by(&self, caller: &Caller) -> Result<&Arc<Conversation>, Rejection> {
        let state = self.conversation.as_ref().ok_or(Rejection::NotFound)?;
        if self.is_seen_by(caller, state) { Ok(state) } else { Err(Rejection::NotFound) }
    }

    fn is_seen_by(&self, caller: &Caller, state: &Conversation) -> bool {
        let agents_see = self.world.config.agents_see;
        let departments = match (agents_see, caller.author.principal.agent()) {
            (AgentsSee::Departments, Some(agent)) => self.tenant.departments_of(agent),
            _ => Arc::default(),
        };
        permission::sees(caller, agents_see, &departments, Subject::of(state))
    }

    /// Tells everybody else of a change, after it is durable and applied.
    fn tell(&mut self, events: &[Arc<Published>]) {
        let Some(state) = self.conversation.clone() else { return };
        if self.world.config.agents_see != AgentsSee::All {
            self.fanout
                .recheck(&self.key, |principal, role| self.may_hear(principal, role, &state));
        }
        self.fanout.publish(&self.key, events);
        if self.tenant.put_card(&state, self.epoch) {
            self.tell_of_listener(&state);
        }
        self.report();
    }

    /// A visitor who listens wants to hear the place, from now on.
    fn tell_of_listener(&self, state: &Conversation) {
        if self.fanout.has_visitor(&self.key) {
            self.tenant.visitor_listens(state);
        }
    }

    fn may_hear(&self, principal: Principal, role: Role, state: &Conversation) -> bool {
        let caller = Caller { author: Author { principal, name: None }, role };
        self.is_seen_by(&caller, state)
    }

    /// Says once that there is something for the checkpoint.
    fn report(&mut self) {
        if !self.is_reported {
            let changed = checkpoint::Message::Changed(self.myself.clone());
            self.is_reported = self.world.checkpoints.cast(changed).is_ok();
        }
    }

    /// The owner before may have left its checkpoint behind the log.
    async fn mend(&mut self) {
        if self.conversation.is_some() {
            self.is_ahead = true;
            self.hand_over();
        } else if let Err(fault) = self.world.store.open(&self.key, self.epoch.0).await {
            // It was killed before the first event was stored, and left nothing but the mark.
            tracing::debug!(conversation = %self.key.conversation, %fault, "the mark stays");
        }
    }

    fn hand_over(&mut self) {
        self.is_reported = false;
        let put = self.changes();
        if let Err(checkpoint::Message::Put { state, receipts, .. }) =
            self.world.checkpoints.cast(put)
        {
            self.is_ahead |= state.is_some();
            self.receipts.put_back(receipts);
        }
    }

    /// What is not in a checkpoint yet. From here on an append marks the checkpoint again.
    fn changes(&mut self) -> checkpoint::Message {
        let state = self.conversation.as_deref().filter(|_| self.is_ahead);
        let state = state.map(|state| Box::new(state.clone()));
        self.is_ahead = false;
        self.is_marked = false;
        let receipts = self.receipts.take_raised();
        checkpoint::Message::Put { key: self.key.clone(), state, receipts }
    }

    /// Writes the checkpoint before the conversation leaves memory. If that fails the mark stays,
    /// and the next activation folds the log and writes again.
    async fn settle(&mut self) {
        if !self.world.ownership.holds(self.shard, self.epoch) {
            // The next owner's are newer.
            return;
        }
        let checkpoint::Message::Put { key, state, receipts } = self.changes() else { return };
        let store = Arc::clone(&self.world.store);
        if let Some(state) = state
            && let Err(fault) = store.put_checkpoints(vec![(key.clone(), *state)]).await
        {
            tracing::warn!(conversation = %key.conversation, error = %fault, "no checkpoint");
        }
        let receipts: Vec<_> =
            receipts.into_iter().map(|(by, receipt)| (key.clone(), by, receipt)).collect();
        if !receipts.is_empty()
            && let Err(fault) = store.put_receipts(receipts).await
        {
            tracing::warn!(conversation = %key.conversation, error = %fault, "receipts lost");
        }
    }

    const fn recent(&self, stream: Stream) -> &Recent {
        match stream {
            Stream::Public => &self.public,
            Stream::Internal => &self.internal,
        }
    }

    fn remember(&mut self, event: Event) -> Arc<Published> {
        let recent = match event.stream {
            Stream::Public => &mut self.public,
            Stream::Internal => &mut self.internal,
        };
        let published = Arc::new(Published::new(self.key.conversation, event));
        recent.push(Arc::clone(&published));
        published
    }
}

/// Sends an answer; a failure behind it ends the conversation's life.
fn answer<T>(reply: Reply<T>, result: Result<T, Trouble>) -> Result<(), ActorProcessingErr> {
    let (result, failed) = split(result);
    // Nobody waits any more when the answer cannot be sent.
    drop(reply.send(result));
    failed
}

/// The answer, and whether a failure behind it ends the conversation's life.
fn split<T>(result: Result<T, Trouble>) -> (Result<T, Refusal>, Result<(), ActorProcessingErr>) {
    match result {
        Ok(answer) => (Ok(answer), Ok(())),
        Err(Trouble::Refused(refusal)) => (Err(refusal), Ok(())),
        Err(Trouble::Failed { refusal, why }) => (Err(refusal), Err(why)),
    }
}
