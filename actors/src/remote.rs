//! The other nodes: what lives there is asked, and heard of, over envelopes.
//!
//! What is asked is answered by the owner, or by one who is not with `Moved`. When the link to the
//! owner ends, all that was asked there ends as lost: nobody knows what became of it. Whoever asked
//! asks again, with the same key.

mod form;
pub(crate) mod home;
mod message;
mod notices;
mod shards;
mod warm;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_cluster::ownership::NodeName;
use switchboard_cluster::transport::{NotSent, Peer, Receiver, Transport};
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::TenantId;
use switchboard_domain::person::Caller;
use switchboard_store::{ConversationKey, Fault};
use tokio::sync::oneshot;
use tokio::time::Instant;

pub use self::notices::Notices;

pub(crate) use self::message::{Answer, News, Question, Word};
pub(crate) use self::warm::Warm;

use self::message::{Envelope, Message};
use self::warm::HandOns;
use crate::answer::{Refusal, Subscribed};
use crate::delivery::{Delivery, Outlet};
use crate::fanout::Subscription;
use crate::maps::{HashMap, HashSet};
use crate::region::{Handle, Regions};
use crate::tenant::HasNews;
use crate::world::World;

/// The other nodes, as the actors of this one see them: it hears what they send, and sends through
/// the transport it is given.
pub struct Remote {
    transport: OnceLock<Arc<dyn Transport>>,
    regions: OnceLock<Weak<Regions>>,
    world: OnceLock<Weak<World>>,
    next_id: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
    /// Nodes that must still hear that they are told of a conversation no more.
    lost: Mutex<Vec<(NodeName, ConversationKey)>>,
    /// Nodes that can be sent to.
    linked: Mutex<HashMap<NodeName, Linked>>,
    /// Whether this node serves whatever it is given.
    takes_shards: AtomicBool,
    /// What conversations hand on when their shards change hands.
    hand_ons: HandOns,
    /// The doors, which hear what those of other nodes tell.
    notices: OnceLock<Arc<dyn Notices>>,
    /// Nodes whose doors must still hear that they missed something.
    behind: Mutex<HashSet<NodeName>>,
    /// Tells that a tenant has something to tell other nodes.
    pub(crate) news: Arc<HasNews>,
}

/// A node that can be sent to.
struct Linked {
    /// Of the transport.
    version: u8,
    /// Whether it said that it serves what it is given.
    takes_shards: bool,
}

/// Somebody waits for an answer of another node.
struct Waiting {
    node: NodeName,
    wait: Wait,
}

enum Wait {
    /// Of a conversation, and nobody has to be woken for it.
    Then { then: Then, until: Instant },
    /// Of a conversation.
    Conversation {
        key: ConversationKey,
        answer: oneshot::Sender<Answer>,
        /// The subscription to enter when the answer says so.
        enters: Option<Enters>,
    },
    /// Of a tenant's home.
    Home(oneshot::Sender<home::Answer>),
}

/// What is done when a question ends, in the task of whoever ends it. Whoever drops it leaves the
/// answer lost, so it is always done, and once.
struct Then(Option<Box<dyn FnOnce(Outcome<Answer>) + Send>>);

impl Then {
    fn run(mut self, outcome: Outcome<Answer>) {
        if let Some(then) = self.0.take() {
            then(outcome);
        }
    }
}

impl Drop for Then {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then(Outcome::Lost);
        }
    }
}

/// Who subscribes on this node to a conversation of another.
pub(crate) struct Enters {
    pub(crate) caller: Caller,
    pub(crate) stream: Stream,
    pub(crate) ref_id: u64,
    pub(crate) outlet: Outlet,
}

/// Who asked, on another node.
#[derive(Clone)]
pub(crate) struct Asker {
    remote: Arc<Remote>,
    node: NodeName,
    id: u64,
}

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Outcome<A> {
    /// It was answered.
    Answered(A),
    /// It was not sent.
    NotSent(NotSent),
    /// The link ended, or time ran out, before the answer came.
    Lost,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting.lock().len();
        f.debug_struct("Remote").field("waiting", &waiting).finish_non_exhaustive()
    }
}

impl Remote {
    /// Nobody is there yet. Give it to the transport as what hears, then
    /// [connect](Self::connect) it.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            transport: OnceLock::new(),
            regions: OnceLock::new(),
            world: OnceLock::new(),
            next_id: AtomicU64::new(1),
            waiting: Mutex::default(),
            lost: Mutex::default(),
            linked: Mutex::default(),
            takes_shards: AtomicBool::new(false),
            hand_ons: HandOns::default(),
            notices: OnceLock::new(),
            behind: Mutex::default(),
            news: Arc::default(),
        })
    }

    /// Sends through that transport from now on. Once.
    pub fn connect(&self, transport: Arc<dyn Transport>) {
        drop(self.transport.set(transport));
    }

    pub(crate) fn serve(&self, regions: &Arc<Regions>) {
        drop(self.regions.set(Arc::downgrade(regions)));
    }

    pub(crate) fn serve_tenants(&self, world: &Arc<World>) {
        drop(self.world.set(Arc::downgrade(world)));
    }

    fn handle(&self) -> Option<Handle> {
        self.regions.get()?.upgrade().map(Handle::of)
    }

    fn world(&self) -> Option<Arc<World>> {
        self.world.get()?.upgrade()
    }

    /// Whether a node can be sent to.
    pub(crate) fn is_linked(&self, node: &NodeName) -> bool {
        self.linked.lock().contains_key(node)
    }

    /// The envelope of something that an owner tells.
    pub(crate) fn envelope(&self, key: &ConversationKey, news: News) -> Bytes {
        Envelope::from(Message::Tell { key: key.clone(), news }).write()
    }

    pub(crate) fn send(&self, node: &NodeName, envelope: &Bytes) -> Result<(), NotSent> {
        self.transport.get().ok_or(NotSent::Down)?.send(node, envelope.clone())
    }

    /// Sends what goes first when the node takes too little.
    pub(crate) fn offer(&self, node: &NodeName, envelope: &Bytes) -> Result<(), NotSent> {
        self.transport.get().ok_or(NotSent::Down)?.offer(node, envelope.clone())
    }

    /// Says something to an owner that nobody waits for.
    pub(crate) fn say(&self, node: &NodeName, key: &ConversationKey, word: Word) {
        // Lossy: the next one says more.
        let is_ephemeral = word.is_ephemeral();
        let said = Envelope::from(Message::Say { key: key.clone(), word }).write();
        let said = if is_ephemeral { self.offer(node, &said) } else { self.send(node, &said) };
        said.ok();
    }

    /// Tells a node that it is told of a conversation no more; again later, if it cannot be told.
    pub(crate) fn tell_lost(&self, node: &NodeName, key: &ConversationKey) {
        if self.send(node, &self.envelope(key, News::Lost)) == Err(NotSent::Full) {
            self.lost.lock().push((node.clone(), key.clone()));
        }
    }

    /// Tells what could not be told before, and gives up what was asked too long ago.
    pub(crate) fn settle(&self) {
        self.catch_up();
        let now = Instant::now();
        self.give_up(|waiting| matches!(waiting.wait, Wait::Then { until, .. } if until <= now));
        self.hand_ons.expire();
        let lost = std::mem::take(&mut *self.lost.lock());
        for (node, key) in lost {
            self.tell_lost(&node, &key);
        }
    }

    /// Nobody on this node listens any more, unless somebody is about to.
    pub(crate) fn unlisten(&self, owner: &NodeName, key: &ConversationKey, stream: Stream) {
        let is_awaited = self.waiting.lock().values().any(|it| match &it.wait {
            Wait::Conversation { key: of, enters: Some(enters), .. } => {
                of == key && enters.stream == stream
            }
            Wait::Conversation { enters: None, .. } | Wait::Then { .. } | Wait::Home(_) => false,
        });
        if !is_awaited {
            self.say(owner, key, Word::Unlisten { stream });
        }
    }

    /// Asks the owner of a conversation and waits for the answer.
    pub(crate) async fn ask(
        &self,
        node: &NodeName,
        key: &ConversationKey,
        question: Question,
        enters: Option<Enters>,
        within: Duration,
    ) -> Outcome<Answer> {
        let wait = |answer| Wait::Conversation { key: key.clone(), answer, enters };
        let ask = |id| Message::Ask { id, key: key.clone(), question }.into();
        self.ask_and_wait(node, wait, ask, within).await
    }

    /// Asks the owner of a conversation and does `then` with what becomes of it, as a rule in the
    /// task that hears the answer.
    pub(crate) fn ask_then(
        &self,
        node: &NodeName,
        key: &ConversationKey,
        question: Question,
        until: Instant,
        then: impl FnOnce(Outcome<Answer>) + Send + 'static,
    ) {
        let id = self.fresh_number();
        let then = Then(Some(Box::new(then)));
        let waiting = Waiting { node: node.clone(), wait: Wait::Then { then, until } };
        self.waiting.lock().insert(id, waiting);
        let ask = Envelope::from(Message::Ask { id, key: key.clone(), question }).write();
        if let Err(why) = self.send(node, &ask) {
            let waiting = self.waiting.lock().remove(&id);
            if let Some(Waiting { wait: Wait::Then { then, .. }, .. }) = waiting {
                then.run(Outcome::NotSent(why));
            }
        }
    }

    /// Waits for some answers no longer.
    fn give_up(&self, which: impl Fn(&Waiting) -> bool) {
        let lost: Vec<_> = self.waiting.lock().extract_if(|_, waiting| which(waiting)).collect();
        // What is done then may ask again, so not before here.
        drop(lost);
    }

    /// Asks the home of a tenant and waits for the answer.
    pub(crate) async fn ask_home(
        &self,
        node: &NodeName,
        tenant: &TenantId,
        question: home::Question,
        within: Duration,
    ) -> Outcome<home::Answer> {
        let ask = |id| home::Message::Ask { id, tenant: tenant.clone(), question }.into();
        self.ask_and_wait(node, Wait::Home, ask, within).await
    }

    async fn ask_and_wait<A>(
        &self,
        node: &NodeName,
        wait: impl FnOnce(oneshot::Sender<A>) -> Wait,
        ask: impl FnOnce(u64) -> Envelope,
        within: Duration,
    ) -> Outcome<A> {
        let id = self.fresh_number();
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().insert(id, Waiting { node: node.clone(), wait: wait(answer) });
        let _forget = Forget { remote: self, id };
        if let Err(why) = self.send(node, &ask(id).write()) {
            return Outcome::NotSent(why);
        }
        match tokio::time::timeout(within, answered).await {
            Ok(Ok(answer)) => Outcome::Answered(answer),
            Ok(Err(_)) | Err(_) => Outcome::Lost,
        }
    }

    /// Tells the home of a tenant something that nobody waits for.
    pub(crate) fn say_home(
        &self,
        node: &NodeName,
        tenant: &TenantId,
        visit: u64,
        word: home::Word,
    ) -> Result<(), NotSent> {
        let said = home::Message::Say { tenant: tenant.clone(), visit, word };
        self.send(node, &Envelope::from(said).write())
    }

    /// Tells a guest of a tenant.
    pub(crate) fn tell_guest(
        &self,
        node: &NodeName,
        tenant: &TenantId,
        visit: u64,
        news: home::News,
    ) -> Result<(), NotSent> {
        let told = home::Message::Tell { tenant: tenant.clone(), visit, news };
        self.send(node, &Envelope::from(told).write())
    }

    /// Whether a node that begins to follow a home says which of its conversations are listened to
    /// by their visitors. One of an earlier version says it of those alone that come later.
    pub(crate) fn says_who_listens(&self, node: &NodeName) -> bool {
        self.version_of(node) >= Some(home::LISTENING_SINCE)
    }

    /// Whether a node answers a request with where it was stored alone.
    pub(crate) fn answers_stored(&self, node: &NodeName) -> bool {
        self.version_of(node) >= Some(message::STORED_SINCE)
    }

    /// A number that no other visit or question of this node has.
    pub(crate) fn fresh_number(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn answered(&self, from: &NodeName, id: u64, answer: Answer) {
        let waiting = self.waiting.lock().remove(&id);
        let (key, waits, enters) = match waiting.map(|it| it.wait) {
            Some(Wait::Conversation { key, answer, enters }) => (key, answer, enters),
            Some(Wait::Then { then, .. }) => return then.run(Outcome::Answered(answer)),
            Some(Wait::Home(_)) | None => return,
        };
        if let (Some(enters), Answer::Listening { log, head, state, receipt }) = (enters, &answer)
            && let Some(handle) = self.handle()
        {
            // Here and now: what the owner tells next is for this subscription too.
            let Enters { caller, stream, ref_id, outlet } = enters;
            let subscribed = Box::new(Subscribed {
                stream,
                log: *log,
                head: *head,
                state: Arc::clone(state),
                receipt: *receipt,
            });
            let conversation = key.conversation;
            let marker = Delivery::Subscribed { conversation, ref_id, subscribed };
            let (principal, role) = (caller.author.principal, caller.role);
            let subscription = Subscription { outlet, principal, role, stream };
            let fanout = handle.fanout(&key);
            fanout.subscribe_there(&key, state.heads, subscription, marker, from);
        }
        // Nobody waits any more when it cannot be sent.
        drop(waits.send(answer));
    }

    fn home_answered(&self, id: u64, answer: home::Answer) {
        let waiting = self.waiting.lock().remove(&id);
        if let Some(Waiting { wait: Wait::Home(waits), .. }) = waiting {
            // Nobody waits any more when it cannot be sent.
            drop(waits.send(answer));
        }
    }
}

/// Forgets who waited, also when the waiting was given up.
struct Forget<'a> {
    remote: &'a Remote,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.remote.waiting.lock().remove(&self.id);
    }
}

/// What hears; a handle of its own, because answers are sent from tasks.
#[derive(Debug)]
struct Hearing(Arc<Remote>);

impl Remote {
    /// The side of it that the transport tells.
    #[must_use]
    pub fn receiver(self: &Arc<Self>) -> Arc<dyn Receiver> {
        Arc::new(Hearing(Arc::clone(self)))
    }
}

impl Receiver for Hearing {
    fn up(&self, peer: &Peer) {
        let linked = Linked { version: peer.version, takes_shards: false };
        self.0.linked.lock().insert(peer.node.clone(), linked);
        self.0.say_takes(&peer.node);
        // Tenants whose home is there follow it from now on.
        self.0.news.soon();
        self.0.doors_linked(&peer.node);
    }

    fn receive(&self, from: &NodeName, envelope: Bytes) {
        match Envelope::read(&envelope) {
            Some(Envelope::Conversation(message)) => self.hear_of_conversation(from, message),
            Some(Envelope::Tenant(message)) => self.hear_of_tenant(from, message),
            Some(Envelope::Doors { words }) => self.0.hear_of_doors(from, &words),
            Some(Envelope::Shards(message)) => self.0.hear_of_shards(from, message),
            None => tracing::error!(node = %from, "an envelope that says nothing"),
        }
    }

    fn down(&self, node: &NodeName) {
        self.0.linked.lock().remove(node);
        // Their senders go, and who waits learns of it.
        self.0.give_up(|waiting| waiting.node == *node);
        self.0.lost.lock().retain(|(it, _)| it != node);
        if let Some(handle) = self.0.handle() {
            handle.gone(node);
        }
        if let Some(world) = self.0.world() {
            for tenant in world.tenants.all() {
                tenant.gone(node);
            }
        }
        self.0.doors_gone(node);
    }
}

impl Hearing {
    fn hear_of_conversation(&self, from: &NodeName, message: Message) {
        let remote = &self.0;
        match message {
            Message::Ask { id, key, question } => {
                let asker = Asker { remote: Arc::clone(remote), node: from.clone(), id };
                match remote.handle() {
                    Some(handle) => handle.asked(asker, key, question),
                    None => asker.answer(Answer::Moved { to: None }),
                }
            }
            Message::Answer { id, answer } => remote.answered(from, id, answer),
            Message::Tell { key, news } => {
                let Some(handle) = remote.handle() else { return };
                for stream in handle.fanout(&key).told(&key, from, news) {
                    remote.unlisten(from, &key, stream);
                }
            }
            Message::Say { key, word } => {
                if let Some(handle) = remote.handle() {
                    handle.said(from, &key, word);
                }
            }
        }
    }

    fn hear_of_tenant(&self, from: &NodeName, message: home::Message) {
        let remote = &self.0;
        let Some(world) = remote.world() else {
            // Whoever asks must not wait for one that has not begun to act.
            if let home::Message::Ask { id, .. } = message {
                let asker = Asker { remote: Arc::clone(remote), node: from.clone(), id };
                asker.answer_home(home::Answer::Moved { to: None });
            }
            return;
        };
        let tenant = |id| world.tenants.get(&world, id);
        match message {
            home::Message::Ask { id, tenant: of, question } => {
                let asker = Asker { remote: Arc::clone(remote), node: from.clone(), id };
                tenant(&of).asked(&world, asker, question);
            }
            home::Message::Answer { id, answer } => remote.home_answered(id, answer),
            home::Message::Say { tenant: of, visit, word } => {
                tenant(&of).said(&world, from, visit, word);
            }
            home::Message::Tell { tenant: of, visit, news } => {
                tenant(&of).told(&world, from, visit, news);
            }
        }
    }
}

impl Asker {
    pub(crate) const fn node(&self) -> &NodeName {
        &self.node
    }

    pub(crate) fn answer(&self, answer: Answer) {
        let message = |answer| Message::Answer { id: self.id, answer }.into();
        self.send(&message(answer), |refusal| message(Answer::Refused { refusal }));
    }

    pub(crate) fn answer_home(&self, answer: home::Answer) {
        let message = |answer| home::Message::Answer { id: self.id, answer }.into();
        self.send(&message(answer), |refusal| message(home::Answer::Refused { refusal }));
    }

    /// Says where the streams stand to one who listens from now on.
    pub(crate) fn listens(&self, subscribed: Subscribed) {
        let Subscribed { log, head, state, receipt, .. } = subscribed;
        self.answer(Answer::Listening { log, head, state, receipt });
    }

    fn send(&self, envelope: &Envelope, refused: impl FnOnce(Refusal) -> Envelope) {
        let mut sent = self.remote.send(&self.node, &envelope.write());
        if sent == Err(NotSent::TooLong) {
            let fault = Fault::Failed { what: "the answer is too long".into() };
            sent = self.remote.send(&self.node, &refused(Refusal::Store(fault)).write());
        }
        if let Err(error) = sent {
            // Who asked waits in vain, and asks again.
            tracing::debug!(node = %self.node, %error, "an answer was not sent");
        }
    }
}

/// The version that brought what an envelope says.
#[cfg(test)]
pub(crate) fn since(envelope: &[u8]) -> u8 {
    match Envelope::read(envelope).expect("it says something") {
        Envelope::Shards(message) => message.since(),
        Envelope::Conversation(message) => message.since(),
        Envelope::Tenant(_) | Envelope::Doors { .. } => 1,
    }
}

#[cfg(test)]
impl Remote {
    /// An envelope of about that length, an answer for which nobody waits.
    pub(crate) fn ballast(bytes: usize) -> Bytes {
        let to = Some("x".repeat(bytes).into());
        Envelope::from(Message::Answer { id: 0, answer: Answer::Moved { to } }).write()
    }
}
