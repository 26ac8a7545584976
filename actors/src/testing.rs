//! What the tests of the actors share: a clock turned by hand, a store that breaks on demand, and
//! short ways to ask.

pub(crate) mod cluster;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use switchboard_cluster::ownership::{Epoch, NodeName, Owner, Ownership, Single};
use switchboard_cluster::shard::Shard;
use switchboard_domain::conversation::{
    Command, Contact, Conversation, Created, Event, Request, SendKey, Start, Stream,
};
use switchboard_domain::ids::{
    AgentId, ConversationId, DepartmentId, DeviceId, Id, Number, Seq, TenantId, Timestamp,
    VisitorId,
};
use switchboard_domain::person::{AgentRef, Author, Caller, Principal, Role};
use switchboard_domain::receipt::Receipt;
use switchboard_store::memory::Memory;
use switchboard_store::{
    Append, ConversationKey, Document, DocumentKey, Expect, Fault, List, Page, Range, Reading,
    Reply, SendLookup, Store,
};
use uuid::Uuid;

use crate::answer::{Done, Refusal};
use crate::clock::Clock;
use crate::delivery::{Delivery, Outlet};
use crate::meter::Unmetered;
use crate::observe::Region;
use crate::subscriber::{Ended, Receiver, queue};
use crate::system::{Config, System};

/// A clock that stands until it is turned. Its ids are counted.
#[derive(Debug)]
pub(crate) struct HandClock {
    now_ms: AtomicI64,
    ids: AtomicU64,
}

impl HandClock {
    pub(crate) fn turn_ms(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Default for HandClock {
    fn default() -> Self {
        Self { now_ms: AtomicI64::new(1_750_000_000_000), ids: AtomicU64::new(1) }
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::Relaxed))
    }

    fn fresh_id(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.ids.fetch_add(1, Ordering::Relaxed)))
    }
}

/// The ownership of every shard, while it is not lost.
#[derive(Debug)]
pub(crate) struct Lease {
    single: Single,
    is_lost: AtomicBool,
}

impl Default for Lease {
    fn default() -> Self {
        let single = Single::new(NodeName("test".into()), Epoch(1));
        Self { single, is_lost: AtomicBool::new(false) }
    }
}

impl Lease {
    pub(crate) fn lose(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// It is had again, under the same epoch.
    pub(crate) fn regain(&self) {
        self.is_lost.store(false, Ordering::Relaxed);
    }
}

impl Ownership for Lease {
    fn node(&self) -> &NodeName {
        self.single.node()
    }

    fn owner(&self, shard: Shard) -> Owner {
        if self.is_lost.load(Ordering::Relaxed) {
            return Owner::Nobody;
        }
        self.single.owner(shard)
    }

    fn moved(&self, _shard: Shard, _to: NodeName) {}

    fn holds(&self, shard: Shard, epoch: Epoch) -> bool {
        !self.is_lost.load(Ordering::Relaxed) && self.single.holds(shard, epoch)
    }
}

/// What goes wrong at the next append to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prank {
    /// Nothing.
    None,
    /// The actor panics before anything is stored.
    Panic,
    /// Stored, and the actor panics before it knows.
    StoredThenPanic,
    /// Not stored, and the answer says that nobody knows.
    LostUnknown,
    /// Stored, and the answer says that nobody knows.
    StoredUnknown,
    /// The disk is full.
    Full,
    /// Stored after as long as that.
    Slow(Duration),
}

/// The memory engine, broken on demand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubled {
    pub(crate) memory: Memory,
    pranks: Arc<Mutex<HashMap<ConversationId, VecDeque<Prank>>>>,
    pub(crate) n_find_sends: Arc<AtomicU64>,
    /// Questions about single conversations.
    pub(crate) n_reads: Arc<AtomicU64>,
    pub(crate) loses_checkpoints: Arc<AtomicBool>,
    /// Whether conversations cannot be read at the moment.
    pub(crate) is_busy: Arc<AtomicBool>,
    /// Whether a newer program wrote their checkpoints.
    pub(crate) is_newer: Arc<AtomicBool>,
    pub(crate) checkpoints_take_ms: Arc<AtomicU64>,
    pub(crate) lists_take_ms: Arc<AtomicU64>,
    /// How long it takes to read receipts, which a list reads of each conversation.
    pub(crate) receipts_take_ms: Arc<AtomicU64>,
}

impl Troubled {
    /// What a node that starts after this one died finds.
    pub(crate) fn left_behind(&self) -> Self {
        Self { memory: self.memory.clone(), ..Self::default() }
    }

    /// What goes wrong at the next appends to a conversation, one each.
    pub(crate) fn plan(&self, key: &ConversationKey, pranks: &[Prank]) {
        self.pranks.lock().entry(key.conversation).or_default().extend(pranks);
    }
}

impl Store for Troubled {
    fn append(&self, append: Append) -> Reply<()> {
        let mut pranks = self.pranks.lock();
        let prank = pranks.get_mut(&append.key.conversation).and_then(VecDeque::pop_front);
        let memory = self.memory.clone();
        async move {
            let unknown = Err(Fault::Failed { what: "planned".into() });
            match prank.unwrap_or(Prank::None) {
                Prank::None => memory.append(append).await,
                Prank::Panic => panic!("planned"),
                Prank::StoredThenPanic => {
                    drop(memory.append(append).await);
                    panic!("planned")
                }
                Prank::LostUnknown => unknown,
                Prank::StoredUnknown => {
                    memory.append(append).await?;
                    unknown
                }
                Prank::Full => Err(Fault::Full),
                Prank::Slow(wait) => {
                    tokio::time::sleep(wait).await;
                    memory.append(append).await
                }
            }
        }
        .boxed()
    }

    fn read(&self, page: Page) -> Reply<Vec<Event>> {
        self.n_reads.fetch_add(1, Ordering::Relaxed);
        self.memory.read(page)
    }

    fn find_send(
        &self,
        key: &ConversationKey,
        principal: Principal,
        device: DeviceId,
        n: u64,
    ) -> Reply<SendLookup> {
        self.n_find_sends.fetch_add(1, Ordering::Relaxed);
        self.memory.find_send(key, principal, device, n)
    }

    fn checkpoint(&self, key: &ConversationKey) -> Reply<Option<Conversation>> {
        self.n_reads.fetch_add(1, Ordering::Relaxed);
        if self.is_busy.load(Ordering::Relaxed) {
            return async { Err(Fault::Busy) }.boxed();
        }
        if self.is_newer.load(Ordering::Relaxed) {
            let newer = Fault::TooNew { what: "a checkpoint record", found: 9, known: 8 };
            return async { Err(newer) }.boxed();
        }
        self.memory.checkpoint(key)
    }

    fn put_checkpoints(&self, checkpoints: Vec<(ConversationKey, Conversation)>) -> Reply<()> {
        if self.loses_checkpoints.load(Ordering::Relaxed) {
            return async { Err(Fault::Busy) }.boxed();
        }
        let (memory, takes) = (self.memory.clone(), Arc::clone(&self.checkpoints_take_ms));
        async move {
            tokio::time::sleep(Duration::from_millis(takes.load(Ordering::Relaxed))).await;
            memory.put_checkpoints(checkpoints).await
        }
        .boxed()
    }

    fn dirty(&self, limit: usize) -> Reply<Vec<ConversationKey>> {
        self.memory.dirty(limit)
    }

    fn list(&self, list: List) -> Reply<Vec<Conversation>> {
        let memory = self.memory.clone();
        let takes = Duration::from_millis(self.lists_take_ms.load(Ordering::Relaxed));
        async move {
            tokio::time::sleep(takes).await;
            memory.list(list).await
        }
        .boxed()
    }

    fn by_number(&self, tenant: &TenantId, number: u64) -> Reply<Option<ConversationId>> {
        self.memory.by_number(tenant, number)
    }

    fn put_receipts(&self, receipts: Vec<(ConversationKey, Principal, Receipt)>) -> Reply<()> {
        self.memory.put_receipts(receipts)
    }

    fn receipts(&self, key: &ConversationKey) -> Reply<Vec<(Principal, Receipt)>> {
        self.n_reads.fetch_add(1, Ordering::Relaxed);
        let (memory, key) = (self.memory.clone(), key.clone());
        let takes = Duration::from_millis(self.receipts_take_ms.load(Ordering::Relaxed));
        async move {
            tokio::time::sleep(takes).await;
            memory.receipts(&key).await
        }
        .boxed()
    }

    fn readings(&self, key: &ConversationKey) -> Reply<Vec<Reading>> {
        self.memory.readings(key)
    }

    fn document(&self, key: &DocumentKey) -> Reply<Option<Document>> {
        self.memory.document(key)
    }

    fn put_document(&self, key: DocumentKey, expect: Expect, bytes: Vec<u8>) -> Reply<u64> {
        self.memory.put_document(key, expect, bytes)
    }

    fn delete_document(&self, key: DocumentKey, expect: Expect) -> Reply<()> {
        self.memory.delete_document(key, expect)
    }

    fn documents(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Reply<Vec<Document>> {
        self.memory.documents(tenant, kind, after, limit)
    }

    fn take_numbers(&self, tenant: &TenantId, count: u64) -> Reply<u64> {
        self.memory.take_numbers(tenant, count)
    }

    fn purge_closed(&self, tenant: &TenantId, before: Timestamp, limit: usize) -> Reply<usize> {
        self.memory.purge_closed(tenant, before, limit)
    }

    fn failed(&self) -> BoxFuture<'static, Fault> {
        self.memory.failed()
    }
}

/// A running system over a store that breaks on demand.
pub(crate) struct Node {
    pub(crate) system: System,
    pub(crate) store: Troubled,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) lease: Arc<Lease>,
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::open(Troubled::default(), Config::standard()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::open(Troubled::default(), config).await
    }

    /// A node that opens a store which another may have left behind.
    pub(crate) async fn open(store: Troubled, config: Config) -> Self {
        let engine = Arc::new(store.clone());
        Self { store, ..Self::over(engine, config).await }
    }

    /// A node over an engine of which the test keeps hold itself.
    pub(crate) async fn over(engine: Arc<dyn Store>, config: Config) -> Self {
        let clock = Arc::new(HandClock::default());
        let lease = Arc::new(Lease::default());
        let system = System::start(
            config,
            engine,
            Arc::clone(&clock) as _,
            Arc::clone(&lease) as _,
            Arc::new(Unmetered),
        );
        let system = system.await.expect("the system starts");
        Self { system, store: Troubled::default(), clock, lease }
    }

    pub(crate) async fn ask(
        &self,
        key: &ConversationKey,
        caller: Caller,
        send_key: Option<SendKey>,
        command: Command,
    ) -> Result<Done, Refusal> {
        self.system.conversations().ask(key, Request { caller, key: send_key, command }).await
    }

    /// Begins the conversation numbered `n` by the visitor numbered `n`.
    pub(crate) async fn create(&self, n: u128) -> ConversationKey {
        self.create_in(n, None).await
    }

    pub(crate) async fn create_in(&self, n: u128, department: Option<&str>) -> ConversationKey {
        let key = key(n);
        let done = self.ask(&key, visitor(n), None, create(n, department)).await;
        done.expect("a conversation begins");
        key
    }

    /// The visitor of `key` says the `n`th thing from device 1.
    pub(crate) async fn say(&self, key: &ConversationKey, n: u64) -> Result<Done, Refusal> {
        let visitor = visitor(key.conversation.uuid().as_u128());
        self.ask(key, visitor, Some(send_key(1, n)), send(&format!("message {n}"))).await
    }

    pub(crate) async fn history(&self, key: &ConversationKey, caller: &Caller) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(Seq(0), |last| last.seq);
            let page = self
                .system
                .conversations()
                .history(key, caller, Stream::Public, Range::After(after), 7)
                .await
                .expect("history is read");
            events.extend(page.events.iter().map(|published| published.event.clone()));
            if !page.more {
                return events;
            }
        }
    }

    /// The sum of what all regions say.
    pub(crate) async fn regions(&self) -> Region {
        let observed = self.system.observe().await;
        observed.regions.iter().fold(Region::default(), |sum, it| Region {
            live: sum.live + it.live,
            passivating: sum.passivating + it.passivating,
            quarantined: sum.quarantined + it.quarantined,
            subscribed: sum.subscribed + it.subscribed,
            subscriptions: sum.subscriptions + it.subscriptions,
            mailbox: sum.mailbox + it.mailbox,
            conversations_mailbox: sum.conversations_mailbox + it.conversations_mailbox,
            activations: sum.activations + it.activations,
            passivations: sum.passivations + it.passivations,
            failures: sum.failures + it.failures,
        })
    }

    /// Lets the idle time pass, and the actors do what is due.
    pub(crate) async fn idle(&self) {
        pass(Duration::from_secs(20)).await;
    }
}

/// Lets time pass in small steps; with paused time, everything due happens on the way.
pub(crate) async fn pass(time: Duration) {
    let steps = 20;
    for _ in 0..steps {
        tokio::time::sleep(time / steps).await;
    }
}

pub(crate) fn tenant() -> TenantId {
    TenantId("default".into())
}

pub(crate) fn key(n: u128) -> ConversationKey {
    ConversationKey { tenant: tenant(), conversation: ConversationId::from_u128(n) }
}

pub(crate) fn visitor(n: u128) -> Caller {
    let principal = Principal::Visitor(VisitorId::from_u128(n));
    Caller { author: Author { principal, name: None }, role: Role::Visitor }
}

pub(crate) fn agent(n: u128) -> Caller {
    let AgentRef { id, name } = agent_ref(n);
    let author = Author { principal: Principal::Agent(id), name: Some(name) };
    Caller { author, role: Role::Agent }
}

pub(crate) fn supervisor(n: u128) -> Caller {
    Caller { role: Role::Supervisor, ..agent(n) }
}

pub(crate) fn agent_ref(n: u128) -> AgentRef {
    AgentRef { id: AgentId::from_u128(n), name: format!("agent {n}").into() }
}

pub(crate) fn create(n: u128, department: Option<&str>) -> Command {
    Command::Create {
        created: Box::new(Created {
            department: department.map(|name| DepartmentId(name.into())),
            ..Created::by(
                Contact {
                    name: Some("Vera".into()),
                    ..Contact::anonymous(VisitorId::from_u128(n))
                },
                Id::from_u128(n),
                Number(1_000_000 + u64::try_from(n).unwrap_or(0)),
            )
        }),
        welcome: None,
        message: None,
        start: Start::Waiting,
    }
}

pub(crate) fn send(text: &str) -> Command {
    Command::Send { text: text.into(), files: Vec::new(), if_head: None }
}

pub(crate) fn note(text: &str) -> Command {
    Command::Note { text: text.into() }
}

pub(crate) fn accept(n: u128) -> Command {
    Command::Accept { agent: agent_ref(n) }
}

/// The `n`th send of a device; its content is its number.
pub(crate) fn send_key(device: u128, n: u64) -> SendKey {
    SendKey { device: DeviceId::from_u128(device), n, digest: n }
}

/// A connection: its outlet, and what arrives.
pub(crate) fn connection() -> (Outlet, Receiver<Delivery>) {
    queue()
}

/// Everything that waits in a connection's queue.
pub(crate) fn take_all(receiver: &mut Receiver<Delivery>) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while let Some(Ok(delivery)) = receiver.try_next() {
        taken.push(delivery);
    }
    taken
}

/// The positions of the events that wait in a connection's queue.
pub(crate) fn take_seqs(receiver: &mut Receiver<Delivery>) -> Vec<u64> {
    let events = take_all(receiver).into_iter();
    events
        .filter_map(|delivery| match delivery {
            Delivery::Event(published) => Some(published.event.seq.0),
            _ => None,
        })
        .collect()
}

pub(crate) fn has_ended(receiver: &mut Receiver<Delivery>) -> Option<Ended> {
    match receiver.try_next() {
        Some(Err(ended)) => Some(ended),
        Some(Ok(_)) | None => None,
    }
}
