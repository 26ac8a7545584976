//! The engine of a single node: SQLite, in one file.
//!
//! - One thread writes; calls that wait share a transaction and its fsync (`writer`). An answer
//!   means that the write would survive a power cut (P1).
//! - A few threads read, each on a connection of its own; they see what is durable, never what is
//!   being written.
//! - Every queue is bounded; what does not fit is refused as [`Fault::Busy`] (P7).
//! - A full disk refuses writes as [`Fault::Full`] and reads go on. A failed sync ends the engine:
//!   it acknowledges nothing more, and [`Store::failed`] says so, for the process has to end.
//! - The data directory belongs to one process at a time.

mod error;
mod meter;
mod directory;
mod column;
mod block;
mod runs;
mod layout_1;
mod schema;
mod recent;
mod events;
mod checkpoints;
mod receipts;
mod documents;
mod queue;
mod health;
mod heads;
mod sabotage;
mod carrier;
mod writer;
mod reader;
mod backup;
mod restore;
#[cfg(test)]
mod inject;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use switchboard_domain::conversation::{Conversation, Event};
use switchboard_domain::ids::{ConversationId, DeviceId, TenantId, Timestamp};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;
use tokio::sync::oneshot;

use crate::port::{
    Append, ConversationKey, Document, DocumentKey, Expect, Fault, List, Page, Reading, Reply,
    SendLookup, Store,
};
use carrier::{Carrier, Extent, Pace, Wishes, carry_over};
use directory::Directory;
use error::{Stop, attempt, attempt_io, error_of};
use health::Health;
use queue::Queue;
use reader::{Read, Reader};
use recent::{Mover, Recent};
use sabotage::Sabotage;
use writer::{Queued, Tables, Task, Writer};

pub use backup::{Report, backup, verify};
pub use error::Error;
pub use meter::{Commit, Meter, NoMeter};
pub use restore::restore;

/// Bytes that a job takes in the queue beside its records.
const JOB_BYTES: usize = 256;
/// Conversations deleted in one transaction: about 14 ms, so that appends do not wait long.
const PURGE_CHUNK: usize = 100;
/// How long SQLite waits for an operator who writes to the database by hand.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Where the engine works, and how much it may take.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory; created if need be.
    pub dir: PathBuf,
    /// Writes that may wait.
    pub writes_max: usize,
    /// Bytes of writes that may wait.
    pub write_bytes_max: usize,
    /// Reads that may wait.
    pub reads_max: usize,
    /// Threads that read.
    pub readers: usize,
    /// Events that are kept in memory before they are filed, many of one log at once. There may be
    /// twice as many, while the first ones are being filed.
    pub recent_rows_max: usize,
    /// Bytes of pages kept in memory by the writer; each reader keeps an eighth of it.
    pub cache_bytes: usize,
}

impl Config {
    /// The usual bounds, in that data directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            // Half a second of work at full speed: longer waits help nobody.
            writes_max: 16_384,
            write_bytes_max: 64 << 20,
            reads_max: 4_096,
            readers: 2,
            // Enough for many events of each busy log, few enough to be read again in a blink when
            // the store opens.
            recent_rows_max: 8_192,
            cache_bytes: 64 << 20,
        }
    }
}

/// The open engine. Dropping it finishes what waits and closes the database.
pub struct Embedded {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    config: Config,
    #[cfg(test)]
    inject: inject::Inject,
    /// Last, so that the directory is free only after the threads have ended.
    _directory: Directory,
}

/// What calls need, also those that outlive the handle.
struct Shared {
    writes: Arc<Queue<Queued>>,
    reads: Arc<Queue<Read>>,
    health: Arc<Health>,
    recent: Arc<Recent>,
    wishes: Arc<Wishes>,
    meter: Arc<dyn Meter>,
}

impl Embedded {
    /// Opens the database of a data directory, creates it if there is none, and brings its schema
    /// up to date.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] when another process has it, [`Error::TooNew`] and [`Error::Foreign`] when
    /// this program must not touch it, and whatever the file system or SQLite refuses.
    pub fn open(config: Config, meter: Arc<dyn Meter>) -> Result<Self, Error> {
        Self::open_sabotaged(config, meter, Sabotage::chosen())
    }

    fn open_sabotaged(
        config: Config,
        meter: Arc<dyn Meter>,
        sabotage: Sabotage,
    ) -> Result<Self, Error> {
        let directory = Directory::lock(&config.dir)?;
        let path = directory.database();
        let create = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = open_connection(&path, create)?;
        attempt("set the database up", set_up_writer(&connection, &config, sabotage))?;
        schema::migrate(&mut connection)?;
        recover(&connection)?;
        directory.sync()?;
        let recent = load_recent(&connection)?;

        let shared = Arc::new(Shared {
            writes: Arc::new(Queue::new(config.writes_max, config.write_bytes_max)),
            reads: Arc::new(Queue::new(config.reads_max, usize::MAX)),
            health: Arc::new(Health::new()),
            recent: Arc::clone(&recent),
            wishes: Arc::new(Wishes::new()),
            meter,
        });
        let writer = Writer::new(
            connection,
            Arc::clone(&shared.writes),
            Arc::clone(&shared.health),
            Arc::clone(&shared.meter),
            sabotage,
            Mover::new(recent, config.recent_rows_max),
            Pace::new(Arc::clone(&shared.wishes)),
        )?;
        #[cfg(test)]
        let inject = writer.inject.clone();
        let mut embedded = Self {
            shared,
            threads: Vec::new(),
            config,
            #[cfg(test)]
            inject,
            _directory: directory,
        };
        embedded.spawn("store-writer".to_owned(), move || writer.run())?;
        let connection = open_connection(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        attempt("set the carrier up", set_up_writer(&connection, &embedded.config, sabotage))?;
        let carrier = Carrier {
            connection,
            wishes: Arc::clone(&embedded.shared.wishes),
            health: Arc::clone(&embedded.shared.health),
        };
        embedded.spawn("store-carrier".to_owned(), move || carrier.run())?;
        for number in 0..embedded.config.readers.max(1) {
            let connection = open_connection(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            attempt("set a reader up", set_up_reader(&connection, &embedded.config))?;
            let reader = Reader { connection, queue: Arc::clone(&embedded.shared.reads) };
            embedded.spawn(format!("store-reader-{number}"), move || reader.run())?;
        }
        tracing::info!(path = %path.display(), "store opened");
        Ok(embedded)
    }

    /// Writes a copy of the live database to the file `to`, as it was at one moment, and checks
    /// every record of it. Appends go on meanwhile.
    ///
    /// # Errors
    ///
    /// As [`backup()`].
    pub async fn backup(&self, to: PathBuf) -> Result<Report, Error> {
        let (reply, answer) = oneshot::channel();
        let dir = self.config.dir.clone();
        let copy = move || {
            // The caller may have gone away; the copy is complete all the same.
            drop(reply.send(backup(&dir, &to)));
        };
        let spawned = thread::Builder::new().name("store-backup".to_owned()).spawn(copy);
        attempt_io("start a thread for a backup of", &self.config.dir, spawned)?;
        let stopped = || Error::Damaged { what: "the backup stopped before its end".into() };
        answer.await.unwrap_or_else(|_closed| Err(stopped()))
    }

    /// Writes that wait now.
    #[must_use]
    pub fn writes_waiting(&self) -> usize {
        self.shared.writes.len()
    }

    /// Reads that wait now.
    #[must_use]
    pub fn reads_waiting(&self) -> usize {
        self.shared.reads.len()
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let spawned = thread::Builder::new().name(name).spawn(run);
        let thread = attempt_io("start a thread for", &self.config.dir, spawned)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shared.writes.close();
        self.shared.reads.close();
        self.shared.wishes.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Each connection stays on one thread, so it needs no lock of its own.
fn open_connection(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    attempt("open the database", Connection::open_with_flags(path, flags))
}

/// The pragmas of the writer and the carrier.
fn set_up_writer(
    connection: &Connection,
    config: &Config,
    sabotage: Sabotage,
) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let pages = connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))?;
    if pages == 0 {
        // Later these would change nothing, and write all the same, which a full disk refuses.
        connection.pragma_update(None, "page_size", 4_096)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", sabotage.synchronous())?;
    // The writer carries the log over itself, so that a failed sync is not swallowed.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    set_up(connection, config.cache_bytes)
}

fn load_recent(connection: &Connection) -> Result<Arc<Recent>, Error> {
    let recent = Recent::load(connection).map_err(|stop| error_of("read recent events", stop));
    recent.map(Arc::new)
}

/// What a killed process wrote and never synced is readable now, and would be answered as stored.
/// Carrying the write-ahead log over syncs it first. A full disk does not undo that sync, and must
/// not keep a server from starting that can at least read.
fn recover(connection: &Connection) -> Result<(), Error> {
    match carry_over(connection, Extent::Truncate) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            tracing::warn!("the disk is full; the store serves reads");
            Ok(())
        }
        outcome => attempt("recover the write-ahead log", outcome),
    }
}

fn set_up_reader(connection: &Connection, config: &Config) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    set_up(connection, config.cache_bytes / 8)
}

fn set_up(connection: &Connection, cache_bytes: usize) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    // Closing must not carry the log over: after a failed sync that would hide the loss.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Plans do not depend on bound values here; without this each use of a statement plans it anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let cache_kib = i64::try_from(cache_bytes / 1_024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 0)
}

impl Shared {
    /// Hands work to the writer at once, so that calls are carried out in the order they were
    /// made; the future only waits.
    fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnMut(&mut Tables<'_>) -> Result<T, Stop> + Send + 'static,
    ) -> Reply<T> {
        if let Err(fault) = self.health.check() {
            return ready(Err(fault)).boxed();
        }
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work, said: None, reply });
        let queued = Queued { job, since: Instant::now() };
        if self.writes.push(queued, bytes.saturating_add(JOB_BYTES)).is_err() {
            return self.refuse();
        }
        self.wait(answer)
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Reply<T> {
        if let Err(fault) = self.health.check() {
            return ready(Err(fault)).boxed();
        }
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            // The caller may have gone away.
            drop(reply.send(work(connection)));
        });
        if self.reads.push(read, 0).is_err() {
            return self.refuse();
        }
        self.wait(answer)
    }

    fn refuse<T: Send + 'static>(&self) -> Reply<T> {
        self.meter.refused();
        ready(Err(Fault::Busy)).boxed()
    }

    fn wait<T: Send + 'static>(&self, answer: oneshot::Receiver<Result<T, Fault>>) -> Reply<T> {
        let health = Arc::clone(&self.health);
        async move { answer.await.unwrap_or_else(|_closed| Err(health.fault())) }.boxed()
    }
}

impl Store for Embedded {
    fn append(&self, append: Append) -> Reply<()> {
        let encoded = match events::Encoded::new(append) {
            Ok(encoded) => encoded,
            Err(fault) => return ready(Err(fault)).boxed(),
        };
        self.shared.write(encoded.bytes(), move |tables| events::append(tables, &encoded))
    }

    fn read(&self, page: Page) -> Reply<Vec<Event>> {
        let recent = Arc::clone(&self.shared.recent);
        self.shared.read(move |connection| events::read(connection, &recent, &page))
    }

    fn find_send(
        &self,
        key: &ConversationKey,
        principal: Principal,
        device: DeviceId,
        n: u64,
    ) -> Reply<SendLookup> {
        let (key, send) = (key.clone(), (principal, device, n));
        let recent = Arc::clone(&self.shared.recent);
        self.shared.read(move |connection| events::find_send(connection, &recent, &key, send))
    }

    fn checkpoint(&self, key: &ConversationKey) -> Reply<Option<Conversation>> {
        let key = key.clone();
        self.shared.read(move |connection| checkpoints::get(connection, &key))
    }

    fn put_checkpoints(&self, checkpoints: Vec<(ConversationKey, Conversation)>) -> Reply<()> {
        let encoded = checkpoints
            .into_iter()
            .map(|(key, checkpoint)| checkpoints::Encoded::new(key, checkpoint))
            .collect::<Result<Vec<_>, _>>();
        let encoded = match encoded {
            Ok(encoded) => encoded,
            Err(fault) => return ready(Err(fault)).boxed(),
        };
        let bytes = encoded.iter().map(checkpoints::Encoded::bytes).sum();
        self.shared.write(bytes, move |tables| checkpoints::put(tables, &encoded))
    }

    fn dirty(&self, limit: usize) -> Reply<Vec<ConversationKey>> {
        self.shared.read(move |connection| checkpoints::dirty(connection, limit))
    }

    fn list(&self, list: List) -> Reply<Vec<Conversation>> {
        self.shared.read(move |connection| checkpoints::list(connection, &list))
    }

    fn by_number(&self, tenant: &TenantId, number: u64) -> Reply<Option<ConversationId>> {
        let tenant = tenant.clone();
        self.shared.read(move |connection| checkpoints::by_number(connection, &tenant, number))
    }

    fn put_receipts(&self, receipts: Vec<(ConversationKey, Principal, Receipt)>) -> Reply<()> {
        let bytes = receipts.len().saturating_mul(size_of::<(ConversationKey, Receipt)>());
        self.shared.write(bytes, move |tables| receipts::put(tables, &receipts))
    }

    fn receipts(&self, key: &ConversationKey) -> Reply<Vec<(Principal, Receipt)>> {
        let key = key.clone();
        self.shared.read(move |connection| receipts::get(connection, &key))
    }

    fn readings(&self, key: &ConversationKey) -> Reply<Vec<Reading>> {
        let key = key.clone();
        self.shared.read(move |connection| receipts::readings(connection, &key))
    }

    fn document(&self, key: &DocumentKey) -> Reply<Option<Document>> {
        let key = key.clone();
        self.shared.read(move |connection| documents::get(connection, &key))
    }

    fn put_document(&self, key: DocumentKey, expect: Expect, bytes: Vec<u8>) -> Reply<u64> {
        self.shared.write(bytes.len(), move |tables| documents::put(tables, &key, expect, &bytes))
    }

    fn delete_document(&self, key: DocumentKey, expect: Expect) -> Reply<()> {
        self.shared.write(0, move |tables| documents::delete(tables, &key, expect))
    }

    fn documents(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Reply<Vec<Document>> {
        let tenant = tenant.clone();
        self.shared.read(move |connection| {
            documents::page(connection, &tenant, kind, after.as_deref(), limit)
        })
    }

    fn take_numbers(&self, tenant: &TenantId, count: u64) -> Reply<u64> {
        let tenant = tenant.clone();
        self.shared.write(0, move |tables| documents::take_numbers(tables, &tenant, count))
    }

    fn purge_closed(&self, tenant: &TenantId, before: Timestamp, limit: usize) -> Reply<usize> {
        let shared = Arc::clone(&self.shared);
        let tenant = tenant.clone();
        let purge = async move {
            let mut purged = 0;
            while purged < limit {
                let chunk = PURGE_CHUNK.min(limit - purged);
                let tenant = tenant.clone();
                let count = shared
                    .write(0, move |tables| checkpoints::purge(tables, &tenant, before, chunk))
                    .await?;
                purged += count;
                if count < chunk {
                    break;
                }
            }
            Ok(purged)
        };
        purge.boxed()
    }

    fn failed(&self) -> BoxFuture<'static, Fault> {
        Arc::clone(&self.shared.health).failed().boxed()
    }
}

#[cfg(test)]
mod tests;
