//! What the doors may ask of conversations.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ractor::concurrency::{OneshotReceiver, oneshot};
use switchboard_cluster::ownership::{Epoch, Ownership};
use switchboard_cluster::shard::Shard;
use switchboard_domain::conversation::{Rejection, Request, Stream};
use switchboard_domain::ids::{ConversationId, Seq};
use switchboard_domain::person::{AgentRef, Caller};
use switchboard_domain::trail;
use switchboard_store::{ConversationKey, Page, Range, Store};
use tokio::time::Instant;

use super::line::Lines;
use super::mend::Mending;
use super::{Message, Place, Remote, shard, there};
use crate::answer::{Done, History, Refusal, Stored, View};
use crate::clock::Clock;
use crate::conversation::{self, Answering, Hears, Parcel, Stretch, Then, Way};
use crate::delivery::Outlet;
use crate::fanout::Fanout;
use crate::mailbox::{Address, BUSY, Reply, answered};
use crate::meter::{Dropped, Kind, Meter, Outcome};
use crate::observe;
use crate::published::Published;
use crate::system::Config;
use crate::world::World;

/// Regions of a node: enough that no single one is a bottleneck on any machine we mean to use.
const REGIONS: usize = 16;
/// How many times more a region admits than a conversation: it only routes.
const MAILBOX_FACTOR: usize = 16;
/// Events that one reading of history gives at most.
const HISTORY_EVENTS_MAX: usize = 1_000;

/// Talks to conversations wherever they live. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Regions>);

pub(crate) struct Regions {
    pub(super) config: Config,
    pub(super) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    meter: Arc<dyn Meter>,
    regions: Vec<Place>,
    is_draining: AtomicBool,
    pub(super) mending: Mending,
    /// Who owns what, and the other nodes; `None` on a node that is alone.
    pub(super) others: Option<Others>,
}

/// What a node among others needs to find an owner.
pub(super) struct Others {
    pub(super) ownership: Arc<dyn Ownership>,
    pub(super) remote: Arc<Remote>,
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
        let region = || Place {
            address: Arc::new(Address::new(config.mailbox_max * MAILBOX_FACTOR)),
            fanout: Arc::new(Fanout::new(
                Arc::clone(&meter),
                config.sabotage.leaks_notes(),
                world.remote.clone(),
            )),
            lines: Arc::new(Lines::default()),
        };
        let regions = std::iter::repeat_with(region).take(REGIONS).collect();
        let is_draining = AtomicBool::new(false);
        let others = world.remote.as_ref().map(|remote| Others {
            ownership: Arc::clone(&world.ownership),
            remote: Arc::clone(remote),
        });
        let clock = Arc::clone(&world.clock);
        let mending = Mending::default();
        let regions =
            Regions { config, store, clock, meter, regions, is_draining, mending, others };
        let regions = Arc::new(regions);
        if let Some(others) = &regions.others {
            others.remote.serve(&regions);
            there::keep_settled(&regions);
        }
        Self(regions)
    }

    pub(crate) const fn of(regions: Arc<Regions>) -> Self {
        Self(regions)
    }

    pub(super) fn regions(&self) -> &Regions {
        &self.0
    }

    pub(super) const fn shared(&self) -> &Arc<Regions> {
        &self.0
    }

    /// What each region needs to start, and where to register it.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.0.regions.iter().cloned()
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
        let result = match &self.0.others {
            None => self.ask_here(key, request).await,
            Some(others) => Box::pin(self.ask_owner(others, key, request)).await,
        };
        let outcome = result.as_ref().map(|done| (done.duplicate, done.events.is_empty()));
        self.0.meter.request(outcome_of(outcome), began.elapsed());
        result
    }

    pub(super) async fn ask_here(
        &self,
        key: &ConversationKey,
        request: Request,
    ) -> Result<Done, Refusal> {
        let request = Box::new(request);
        let ask = |reply| {
            let answering = Answering::Reply(reply);
            conversation::Message::Ask { request, answering }
        };
        self.call(key, ask).await
    }

    /// How long an answer may take.
    #[must_use]
    pub fn answer_within(&self) -> Duration {
        self.0.config.answer_within
    }

    /// Carries a request out, as [`ask`](Self::ask), and does `then` with as little of the answer
    /// as whoever sends a message must know. `then` must not wait: as a rule it is done in the task
    /// that brings the answer, so that nobody is woken who would only pass it on. It is done once
    /// and always; how long an answer may take is for the caller to watch.
    pub fn ask_then(
        &self,
        key: &ConversationKey,
        request: Request,
        then: impl FnOnce(Result<Stored, Refusal>) + Send + 'static,
    ) {
        let began = Instant::now();
        let meter = Arc::clone(&self.0.meter);
        let then = move |result: Result<Stored, Refusal>| {
            let outcome = result.as_ref().map(|stored| (stored.duplicate, stored.placed.is_none()));
            meter.request(outcome_of(outcome), began.elapsed());
            then(result);
        };
        match &self.0.others {
            None => self.do_here(key, request, |done| then(done.map(|done| (&done).into()))),
            Some(others) => self.do_among(others, key, request, then),
        }
    }

    /// Carries a request out on this node and does `then` with the answer, in the conversation's
    /// own task.
    pub(super) fn do_here(
        &self,
        key: &ConversationKey,
        request: Request,
        then: impl FnOnce(Result<Done, Refusal>) + Send + 'static,
    ) {
        let (handle, of) = (self.clone(), key.clone());
        let then = Then::new(move |result, way| {
            if is_hidden(way, &result) {
                ractor::concurrency::spawn(async move {
                    then(handle.look_in_vain(&of).await.and(result));
                });
            } else {
                then(result);
            }
        });
        let answering = Answering::Then(then);
        // One that is refused is answered so.
        drop(self.send(key, conversation::Message::Ask { request: Box::new(request), answering }));
    }

    /// The state as the caller may see it.
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn state(&self, key: &ConversationKey, caller: &Caller) -> Result<View, Refusal> {
        match &self.0.others {
            None => self.look_here(key, caller).await,
            Some(others) => Box::pin(self.look_at_owner(others, key, caller)).await,
        }
        .map_err(there::of_reading)
    }

    pub(super) async fn look_here(
        &self,
        key: &ConversationKey,
        caller: &Caller,
    ) -> Result<View, Refusal> {
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
        match &self.0.others {
            None => self.read_here(key, caller, stream, range, limit).await,
            Some(others) => {
                Box::pin(self.read_at_owner(others, key, caller, stream, range, limit)).await
            }
        }
        .map_err(there::of_reading)
    }

    pub(super) async fn read_here(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        stream: Stream,
        range: Range,
        limit: usize,
    ) -> Result<History, Refusal> {
        let caller = Box::new(caller.clone());
        let read = |reply| conversation::Message::Read { caller, stream, range, limit, reply };
        match self.call(key, read).await? {
            Stretch::Here(history) => Ok(history),
            Stretch::Stored(head) => self.stored(key, stream, range, limit, head).await,
        }
    }

    /// Reads a stretch from the store, up to a head that the owner vouched for. On the owner's node
    /// alone: another's engine does not know which rows count, and how far.
    pub(super) async fn stored(
        &self,
        key: &ConversationKey,
        stream: Stream,
        range: Range,
        limit: usize,
        head: Seq,
    ) -> Result<History, Refusal> {
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
        match &self.0.others {
            None => self.subscribe_here(key, caller, stream, ref_id, outlet).await,
            Some(others) => {
                let entered = self.subscribe_at_owner(others, key, caller, stream, ref_id, outlet);
                Box::pin(entered).await
            }
        }
        .map_err(there::of_reading)
    }

    pub(super) async fn subscribe_here(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        stream: Stream,
        ref_id: u64,
        outlet: &Outlet,
    ) -> Result<(), Refusal> {
        let caller = Box::new(caller.clone());
        let hears = Hears::Here { ref_id, outlet: outlet.clone() };
        self.call(key, |reply| conversation::Message::Subscribe { caller, stream, hears, reply })
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
        if let Some(others) = self.elsewhere(key) {
            return others.say_receipt(key, caller, received, read);
        }
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

    /// Tells agents who hear the internal stream where the visitor went. Lossy, and only for
    /// subscribers.
    pub fn page(&self, key: &ConversationKey, caller: &Caller, page: &Arc<trail::Page>) {
        self.0.region(key).fanout.page(key, caller, page);
    }

    /// Tells agents who hear the internal stream who looks at the conversation.
    pub fn viewing(&self, key: &ConversationKey, agents: &Arc<[AgentRef]>) {
        self.0.region(key).fanout.viewing(key, agents);
    }

    /// The subscriptions among which those of a conversation are.
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

    /// Lets the conversations of a shard end what they have accepted, write their checkpoints and
    /// go; answers when none is left in memory. What comes meanwhile is served again only if the
    /// shard is.
    pub async fn let_go(&self, shard: Shard) {
        self.look_who_is_home();
        let region = &self.0.regions[usize::from(shard.index()) % REGIONS];
        Self::let_go_of(region, Some(shard)).await;
    }

    /// The same for all shards.
    pub async fn let_all_go(&self) {
        for region in &self.0.regions {
            Self::let_go_of(region, None).await;
        }
    }

    /// A shard came or goes, and with it perhaps the home of a tenant, which need not wait until it
    /// is found.
    pub(super) fn look_who_is_home(&self) {
        if let Some(others) = &self.0.others {
            others.remote.news.soon();
        }
    }

    async fn let_go_of(region: &Place, shard: Option<Shard>) {
        let (gone, all_gone) = oneshot();
        if region.address.cast(Message::LetGo { shard, gone: gone.into() }).is_ok() {
            // A region that fails meanwhile takes its conversations with it.
            drop(all_gone.await);
        }
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
        let way = self.send(key, message(reply.into()))?;
        self.answer_of(key, way, answer).await
    }

    /// Waits for the answer to what went that way.
    pub(super) async fn answer_of<T>(
        &self,
        key: &ConversationKey,
        way: Way,
        answer: OneshotReceiver<Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let answer = answered(self.0.config.answer_within, answer).await;
        if is_hidden(way, &answer) {
            self.look_in_vain(key).await?;
        }
        answer
    }

    /// Asks the store what it is asked when nothing is known of a conversation: of one that nobody
    /// has. Whoever may not see one that happens to be in memory would else be refused sooner than
    /// for one that never was, and learn by it which of the two it is (P10).
    async fn look_in_vain(&self, key: &ConversationKey) -> Result<(), Refusal> {
        let conversation = ConversationId::new(self.0.clock.fresh_id());
        let nobodys = ConversationKey { tenant: key.tenant.clone(), conversation };
        // It is never begun, so that it is not opened under any epoch.
        let looked = super::open(&*self.0.store, &nobodys, Epoch::default()).await;
        looked.map(drop).map_err(Refusal::Store)
    }

    /// Puts a message on its way. One that is refused is answered so, too.
    pub(super) fn send(
        &self,
        key: &ConversationKey,
        message: conversation::Message,
    ) -> Result<Way, Refusal> {
        let refuse = |message: conversation::Message, refusal: Refusal| {
            message.refuse(refusal.clone());
            Err(refusal)
        };
        if self.0.is_draining.load(Ordering::Relaxed) {
            return refuse(message, Refusal::Draining);
        }
        let Place { address, lines, .. } = self.0.region(key);
        let meter = &self.0.meter;
        let message = match self.send_past(address, lines, key, message) {
            Ok(()) => return Ok(Way::Straight),
            Err(message) => message,
        };
        meter.mailbox_depth(Kind::Region, address.gauge().depth());
        let Some(permit) = address.gauge().enter() else {
            meter.dropped(Dropped::Request);
            return refuse(message, BUSY);
        };
        let key = key.clone();
        match address.cast(Message::Route { key, message, _permit: permit }) {
            Err(Message::Route { message, .. }) => refuse(message, BUSY),
            Err(_) => Err(BUSY),
            Ok(()) => Ok(Way::Routed),
        }
    }

    /// Puts a message straight into a conversation's mailbox; gives it back when the region must
    /// see to it. While messages wait for the region none passes it, so that a caller's messages
    /// stay in order.
    fn send_past(
        &self,
        address: &Address<Message>,
        lines: &Lines,
        key: &ConversationKey,
        mut message: conversation::Message,
    ) -> Result<(), conversation::Message> {
        if address.gauge().depth() > 0 {
            return Err(message);
        }
        let Some(line) = lines.get(key) else { return Err(message) };
        if let Some(others) = &self.0.others
            && !others.ownership.holds(shard(key), line.epoch())
        {
            // The region lets it go.
            return Err(message);
        }
        self.0.meter.mailbox_depth(Kind::Conversation, line.depth());
        message.come_by(Way::Straight);
        let sent = line.admit(message, Instant::now());
        let sent = sent.and_then(|parcel| line.deliver(parcel).map_err(Parcel::into_message));
        sent.map_err(|mut message| {
            message.come_by(Way::Routed);
            message
        })
    }
}

impl Regions {
    pub(super) fn places(&self) -> &[Place] {
        &self.regions
    }

    pub(super) fn region(&self, key: &ConversationKey) -> &Place {
        &self.regions[usize::from(shard(key).index()) % REGIONS]
    }
}

/// Whether a conversation was refused as not found by one that is in memory.
const fn is_hidden<T>(way: Way, answer: &Result<T, Refusal>) -> bool {
    matches!((way, answer), (Way::Straight, Err(Refusal::Rejected(Rejection::NotFound))))
}

/// What became of a request that was carried out, as a duplicate or with nothing to store, or was
/// refused.
const fn outcome_of(result: Result<(bool, bool), &Refusal>) -> Outcome {
    match result {
        Ok((true, _)) => Outcome::Duplicate,
        Ok((false, true)) => Outcome::Unchanged,
        Ok((false, false)) => Outcome::Stored,
        Err(Refusal::Rejected(_)) => Outcome::Rejected,
        Err(Refusal::Busy { .. } | Refusal::Quarantined | Refusal::Draining | Refusal::Moved) => {
            Outcome::Busy
        }
        Err(Refusal::StorageFull) => Outcome::StorageFull,
        Err(Refusal::Unknown | Refusal::Store(_)) => Outcome::Unknown,
    }
}
