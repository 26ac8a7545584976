//! The engine for many nodes: ScyllaDB, or Apache Cassandra from version 4 on.
//!
//! One owner appends to a log at a time, so an append is plain inserts at quorum; conditional
//! writes are kept for what several may want at once: taking a log over, documents, blocks of
//! numbers, leases. Who wants to write a log [opens](Store::open) it first. What is derived from
//! logs is written plainly, with times that follow the log itself, so that late writes of an owner
//! that was overtaken change nothing.
//!
//! When the database does not answer, reads and writes are refused as busy, or, where nobody can
//! say whether a write was carried out, as [unknown](Fault::Unknown). The engine goes on by itself once the
//! database does.

mod cards;
mod column;
mod database;
mod documents;
mod error;
mod lease;
mod limit;
mod lists;
mod receipts;
mod sabotage;
mod schema;
mod statements;
mod tables;
#[cfg(any(test, feature = "testkit"))]
mod testing;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use switchboard_domain::conversation::{Conversation, Event};
use switchboard_domain::ids::{ConversationId, DeviceId, TenantId, Timestamp};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;
use tokio::runtime::Handle;
use tokio::sync::MutexGuard;
use uuid::Uuid;

use crate::log::Logs;
use crate::port::{
    Append, ConversationKey, Document, DocumentKey, Expect, Fault, HandOn, List, Page, Reading,
    Reply, SendLookup, Store,
};
use database::Database;
pub use error::ConnectError;
pub use lease::{Claim, Lease, LeaseState, Leases, Replaced};
use sabotage::Sabotage;
use statements::Statements;

/// How long a start waits for the first node to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The same for one connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3);
/// Letters of a keyspace's name, as the database bounds it.
const KEYSPACE_MAX: usize = 48;
/// Locks that take turns for conditional writes. Two names that share one wait for each other a
/// few milliseconds.
const TURNS: usize = 256;

/// Where the database is, and how it is used.
#[derive(Clone)]
pub struct Config {
    /// Addresses of some nodes, `host:port`; the others are learnt from them.
    pub nodes: Vec<String>,
    /// The keyspace that holds the tables.
    pub keyspace: String,
    /// How often [`migrate`] has a new keyspace keep each row.
    pub replication: u8,
    /// How long events are kept.
    pub retention: Retention,
    /// The data centre that is asked. All nodes of a cluster must use the same one.
    pub datacenter: Option<String>,
    /// Name and password.
    pub credentials: Option<(String, String)>,
}

/// The password stays out of logs.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("nodes", &self.nodes)
            .field("keyspace", &self.keyspace)
            .field("replication", &self.replication)
            .field("retention", &self.retention)
            .field("datacenter", &self.datacenter)
            .finish_non_exhaustive()
    }
}

/// How long events are kept: each has a table of its own, so that rows of one age expire together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// Until their conversation is purged.
    #[default]
    Kept,
    /// Thirty days.
    Days30,
    /// Ninety days.
    Days90,
    /// Four hundred days.
    Days400,
}

impl Retention {
    const fn table(self) -> &'static str {
        match self {
            Self::Kept => "event_kept",
            Self::Days30 => "event_30d",
            Self::Days90 => "event_90d",
            Self::Days400 => "event_400d",
        }
    }
}

/// Makes the keyspace and brings its tables up to what this program needs. May be run again.
///
/// # Errors
///
/// When no node answers, or the database refuses.
pub async fn migrate(config: &Config) -> Result<(), ConnectError> {
    let session = session(config).await?;
    schema::migrate(&session, &config.keyspace, config.replication).await
}

/// A store in a CQL database. Clones share it.
#[derive(Clone, Debug)]
pub struct Cql {
    engine: Arc<Engine>,
    runtime: Handle,
}

#[derive(Debug)]
struct Engine {
    database: Arc<Database>,
    logs: Logs<Arc<Database>>,
    turns: Turns,
    authors: Authors,
}

impl Cql {
    /// Connects to a database whose schema is in place.
    ///
    /// # Errors
    ///
    /// When no node answers or the tables are not what this program needs. Each error names the
    /// setting that it is about.
    pub async fn connect(config: &Config) -> Result<Self, ConnectError> {
        Self::connect_with(config, Sabotage::chosen()).await
    }

    async fn connect_with(config: &Config, sabotage: Sabotage) -> Result<Self, ConnectError> {
        let session = session(config).await?;
        session.use_keyspace(&config.keyspace, false).await.map_err(|why| {
            ConnectError::Keyspace { keyspace: config.keyspace.clone(), why: why.to_string() }
        })?;
        schema::check(schema::applied(&session).await?)?;
        let statements = Statements::prepare(&session, config.retention, sabotage);
        let statements = Box::pin(statements).await?;
        let database = Arc::new(Database::new(session, statements, sabotage));
        let logs = Logs::new(Arc::clone(&database), config.retention != Retention::Kept);
        let (turns, authors) = (Turns::default(), Authors::new());
        let engine = Engine { database, logs, turns, authors };
        Ok(Self { engine: Arc::new(engine), runtime: Handle::current() })
    }

    /// The leases of nodes and the claims of shards, in the same database.
    #[must_use]
    pub fn leases(&self) -> Leases {
        Leases::new(Arc::clone(&self.engine))
    }

    /// Carries out a write, also when nobody waits for it any more.
    fn carry_out<T: Send + 'static>(
        &self,
        write: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Reply<T> {
        let written = self.runtime.spawn(write.boxed());
        async { written.await.unwrap_or(Err(Fault::Unknown)) }.boxed()
    }
}

async fn session(config: &Config) -> Result<Session, ConnectError> {
    let is_name = config.keyspace.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name || config.keyspace.is_empty() || config.keyspace.len() > KEYSPACE_MAX {
        return Err(ConnectError::Keyspace {
            keyspace: config.keyspace.clone(),
            why: "a name has 1 to 48 letters, digits and underscores".into(),
        });
    }
    let unreachable =
        |why: String| ConnectError::Unreachable { nodes: config.nodes.join(", "), why };
    let profile = ExecutionProfile::builder().consistency(Consistency::LocalQuorum).build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.nodes)
        .connection_timeout(CONNECTION_TIMEOUT)
        // How rows are spread, so that requests go to a node that has them; not what tables hold.
        .fetch_schema_metadata(true)
        .fetch_full_schema_metadata(false)
        .default_execution_profile_handle(profile.into_handle());
    if let Some(datacenter) = &config.datacenter {
        builder = builder.prefer_datacenter(datacenter.clone());
    }
    if let Some((name, password)) = &config.credentials {
        builder = builder.user(name, password);
    }
    let built = tokio::time::timeout(CONNECT_TIMEOUT, builder.build().boxed()).await;
    let built = built.map_err(|_late| unreachable("no answer in 15 s".into()))?;
    built.map_err(|why| unreachable(why.to_string()))
}

/// Turns of conditional writes of one name, within this process.
#[derive(Debug)]
struct Turns(Vec<tokio::sync::Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self(std::iter::repeat_with(tokio::sync::Mutex::default).take(TURNS).collect())
    }
}

impl Turns {
    async fn of(&self, name: &[u8]) -> MutexGuard<'_, ()> {
        let sum = usize::try_from(crc32c::crc32c(name)).unwrap_or(0);
        self.0[sum % TURNS].lock().await
    }
}

/// Names of the authors of conditional writes, each given once.
#[derive(Debug)]
struct Authors {
    boot: u64,
    given: AtomicU64,
}

impl Authors {
    fn new() -> Self {
        Self { boot: Uuid::new_v4().as_u64_pair().0, given: AtomicU64::new(0) }
    }

    fn next(&self) -> Uuid {
        Uuid::from_u64_pair(self.boot, self.given.fetch_add(1, Ordering::Relaxed))
    }
}

impl Store for Cql {
    fn open(&self, key: &ConversationKey, epoch: u64) -> Reply<()> {
        let (engine, key) = (Arc::clone(&self.engine), key.clone());
        self.carry_out(async move { engine.logs.open(&key, epoch).await })
    }

    fn is_begun(&self, key: &ConversationKey) -> Reply<bool> {
        let (engine, key) = (Arc::clone(&self.engine), key.clone());
        async move { engine.logs.is_begun(&key).await }.boxed()
    }

    fn hand_on(&self, key: &ConversationKey, epoch: u64) -> Option<HandOn> {
        self.engine.logs.hand_on(key, epoch)
    }

    fn open_warm(&self, key: &ConversationKey, epoch: u64, handed: HandOn) -> Reply<bool> {
        let (engine, key) = (Arc::clone(&self.engine), key.clone());
        self.carry_out(async move { engine.logs.open_warm(&key, epoch, handed).await })
    }

    fn append(&self, append: Append) -> Reply<()> {
        let engine = Arc::clone(&self.engine);
        self.carry_out(async move { engine.logs.append(&append).await })
    }

    fn read(&self, page: Page) -> Reply<Vec<Event>> {
        let engine = Arc::clone(&self.engine);
        async move { engine.logs.read(&page).await }.boxed()
    }

    fn find_send(
        &self,
        key: &ConversationKey,
        principal: Principal,
        device: DeviceId,
        n: u64,
    ) -> Reply<SendLookup> {
        let (engine, key) = (Arc::clone(&self.engine), key.clone());
        async move { engine.logs.find_send(&key, (principal, device, n)).await }.boxed()
    }

    fn checkpoint(&self, key: &ConversationKey) -> Reply<Option<Conversation>> {
        let (engine, key) = (Arc::clone(&self.engine), key.clone());
        async move { engine.card(&key).await }.boxed()
    }

    fn put_checkpoints(&self, checkpoints: Vec<(ConversationKey, Conversation)>) -> Reply<()> {
        let engine = Arc::clone(&self.engine);
        self.carry_out(async move { engine.put_cards(&checkpoints).await })
    }

    fn dirty(&self, limit: usize) -> Reply<Vec<ConversationKey>> {
        let engine = Arc::clone(&self.engine);
        async move { engine.marked(limit).await }.boxed()
    }

    fn list(&self, list: List) -> Reply<Vec<Conversation>> {
        let engine = Arc::clone(&self.engine);
        async move { engine.list(&list).await }.boxed()
    }

    fn by_number(&self, tenant: &TenantId, number: u64) -> Reply<Option<ConversationId>> {
        let (engine, tenant) = (Arc::clone(&self.engine), tenant.clone());
        async move { engine.by_number(&tenant, number).await }.boxed()
    }

    fn put_receipts(&self, receipts: Vec<(ConversationKey, Principal, Receipt)>) -> Reply<()> {
        let engine = Arc::clone(&self.engine);
        self.carry_out(async move { engine.put_receipts(&receipts).await })
    }

    fn receipts(&self, key: &ConversationKey) -> Reply<Vec<(Principal, Receipt)>> {
        let (engine, key) = (Arc::clone(&self.engine), key.clone());
        async move { engine.receipts(&key).await }.boxed()
    }

    fn readings(&self, key: &ConversationKey) -> Reply<Vec<Reading>> {
        let (engine, key) = (Arc::clone(&self.engine), key.clone());
        async move { engine.readings(&key).await }.boxed()
    }

    fn document(&self, key: &DocumentKey) -> Reply<Option<Document>> {
        let (engine, key) = (Arc::clone(&self.engine), key.clone());
        async move { engine.document(&key).await }.boxed()
    }

    fn put_document(&self, key: DocumentKey, expect: Expect, bytes: Vec<u8>) -> Reply<u64> {
        let engine = Arc::clone(&self.engine);
        self.carry_out(async move { engine.put_document(&key, expect, &bytes).await })
    }

    fn delete_document(&self, key: DocumentKey, expect: Expect) -> Reply<()> {
        let engine = Arc::clone(&self.engine);
        self.carry_out(async move { engine.delete_document(&key, expect).await })
    }

    fn documents(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Reply<Vec<Document>> {
        let (engine, tenant) = (Arc::clone(&self.engine), tenant.clone());
        async move { engine.documents(&tenant, kind, after.as_deref(), limit).await }.boxed()
    }

    fn take_numbers(&self, tenant: &TenantId, count: u64) -> Reply<u64> {
        let (engine, tenant) = (Arc::clone(&self.engine), tenant.clone());
        self.carry_out(async move { engine.take_numbers(&tenant, count).await })
    }

    fn purge_closed(&self, tenant: &TenantId, before: Timestamp, limit: usize) -> Reply<usize> {
        let (engine, tenant) = (Arc::clone(&self.engine), tenant.clone());
        self.carry_out(async move { engine.purge(&tenant, before, limit).await })
    }

    /// Never: what does not answer today may answer tomorrow.
    fn failed(&self) -> BoxFuture<'static, Fault> {
        pending().boxed()
    }
}
