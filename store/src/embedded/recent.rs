//! What was appended lately, and its way into the log.
//!
//! The events of a batch are one row at the end of the table `recent`, whatever logs they belong
//! to: in the table `run`, clustered by log, each would write a page of its own. (Measured for
//! rows of single events: 5 instead of 28 µs of CPU for an append.) The same events are kept in
//! memory, where reads find them. Later they are filed in `run`, many of one log in one row.
//!
//! There are two generations. Appends go to the young one; when it is full it becomes the old one,
//! which never changes again, and each following batch files a slice of it, log by log. When all
//! of it is filed, its rows in `recent` are deleted and the generation is forgotten. So at any
//! moment `run` holds a beginning of each stream without a gap, and the generations the rest;
//! events may be in both.
//!
//! A reader looks here first and into the database second: what leaves this place meanwhile is in
//! the database already.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::Seq;

use super::block::{Block, Row, pack_batch, unpack_batch};
use super::error::Stop;
use super::runs;
use crate::port::ConversationKey;
use crate::record::{BatchPlace, stream_code};

/// Bytes of records of a full generation.
const BYTES_MAX: usize = 8 << 20;
/// Into how many slices a full generation is cut: one takes a fraction of a millisecond.
const SLICES: usize = 16;

const INSERT: &str = "INSERT INTO recent (id, heads, records) VALUES (?1, ?2, ?3)";
const DELETE: &str = "DELETE FROM recent WHERE id <= ?1";
const ALL: &str = "SELECT id, heads, records FROM recent ORDER BY id";

#[derive(Debug, Default)]
struct Generation {
    logs: HashMap<ConversationKey, Vec<Row>>,
    rows: usize,
    bytes: usize,
    /// The highest id of its rows in `recent`.
    id_max: i64,
}

impl Generation {
    fn add(&mut self, id: i64, key: ConversationKey, row: Row) {
        self.rows += 1;
        self.bytes += row.record.len();
        self.id_max = self.id_max.max(id);
        self.logs.entry(key).or_default().push(row);
    }

    fn rows_of(&self, key: &ConversationKey, stream: Stream) -> impl Iterator<Item = &Row> {
        self.rows_of_log(key).iter().filter(move |row| row.head.stream == stream)
    }

    fn rows_of_log(&self, key: &ConversationKey) -> &[Row] {
        self.logs.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    fn is_full(&self, rows_max: usize) -> bool {
        self.rows >= rows_max || self.bytes >= BYTES_MAX
    }
}

#[derive(Debug, Default)]
struct Generations {
    young: Generation,
    old: Arc<Generation>,
}

/// What is durable and perhaps not in `event` yet; shared by the writer and the readers.
#[derive(Debug, Default)]
pub(super) struct Recent {
    generations: Mutex<Generations>,
}

impl Recent {
    /// The rows of one stream that `wanted` lets through, in rising order.
    pub(super) fn rows(
        &self,
        key: &ConversationKey,
        stream: Stream,
        wanted: impl Fn(&Row) -> bool,
    ) -> Vec<Row> {
        let generations = self.generations.lock();
        let old = Arc::clone(&generations.old);
        let young: Vec<Row> =
            generations.young.rows_of(key, stream).filter(|row| wanted(row)).cloned().collect();
        drop(generations);
        let mut rows: Vec<Row> =
            old.rows_of(key, stream).filter(|row| wanted(row)).cloned().collect();
        rows.extend(young);
        // They are in order already, unless a damaged page made some go round again.
        rows.sort_by_key(|row| row.head.seq);
        rows
    }

    /// The newest position of a stream here; 0 when none of its rows are here.
    pub(super) fn head(&self, key: &ConversationKey, stream: Stream) -> Seq {
        let generations = self.generations.lock();
        let newest = |generation: &Generation| {
            generation.rows_of(key, stream).map(|row| row.head.seq).max().unwrap_or_default()
        };
        newest(&generations.young).max(newest(&generations.old))
    }

    /// Reads the table again after a restart.
    pub(super) fn load(connection: &Connection) -> Result<Self, Stop> {
        let mut young = Generation::default();
        for_each(connection, |id, key, row| young.add(id, key, row))?;
        let generations = Generations { young, old: Arc::default() };
        Ok(Self { generations: Mutex::new(generations) })
    }
}

/// Shows every row of the table with the id of its batch, in the order they were written.
pub(super) fn for_each(
    connection: &Connection,
    mut look: impl FnMut(i64, ConversationKey, Row),
) -> Result<(), Stop> {
    let mut statement = connection.prepare(ALL)?;
    let mut batches = statement.query(())?;
    while let Some(batch) = batches.next()? {
        let id = batch.get(0)?;
        let blob = |column| -> rusqlite::Result<&[u8]> { Ok(batch.get_ref(column)?.as_blob()?) };
        for (key, row) in unpack_batch(&BatchPlace(id), blob(1)?, blob(2)?)? {
            look(id, key, row);
        }
    }
    Ok(())
}

/// The writer's side: adds rows and moves them on, in steps that follow its transactions.
#[derive(Debug)]
pub(super) struct Mover {
    pub(super) recent: Arc<Recent>,
    /// Rows of a full generation.
    rows_max: usize,
    /// The id of the last batch in `recent`.
    id_last: i64,
    /// The logs of the old generation in the order of `run`, and how many of them are filed.
    order: Vec<ConversationKey>,
    filed: usize,
    /// What the transaction under way does.
    pending: Pending,
}

#[derive(Debug, Default)]
struct Pending {
    added: Vec<(ConversationKey, Row)>,
    /// How many logs of `order` are filed once it is committed.
    filed: usize,
    /// The old generation is done with.
    old_is_done: bool,
    /// So is all of the young one, except what was added after.
    young_is_done: bool,
}

impl Mover {
    pub(super) fn new(recent: Arc<Recent>, rows_max: usize) -> Self {
        let id_last = recent.generations.lock().young.id_max;
        let pending = Pending::default();
        Self { recent, rows_max, id_last, order: Vec::new(), filed: 0, pending }
    }

    /// Takes a row into the transaction; [`write_added`](Self::write_added) writes it.
    pub(super) fn add(&mut self, key: &ConversationKey, row: Row) {
        self.pending.added.push((key.clone(), row));
    }

    /// Writes the rows that the transaction added, before it is committed.
    pub(super) fn write_added(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.pending.added.is_empty() {
            return Ok(());
        }
        let id = self.id_next();
        let Block { heads, records } = pack_batch(&BatchPlace(id), &self.pending.added);
        connection.prepare_cached(INSERT)?.execute((id, heads, records))?;
        Ok(())
    }

    /// The id of the batch that the transaction under way writes.
    const fn id_next(&self) -> i64 {
        self.id_last.saturating_add(1)
    }

    /// A row that is perhaps not filed yet, also of the transaction under way.
    pub(super) fn find(&self, key: &ConversationKey, stream: Stream, seq: Seq) -> Option<Row> {
        let is_it = |row: &Row| row.head.stream == stream && row.head.seq == seq;
        let added = self.pending.added.iter().find(|(of, row)| of == key && is_it(row));
        match added {
            Some((_, row)) => Some(row.clone()),
            None => self.recent.rows(key, stream, is_it).pop(),
        }
    }

    /// Files a slice of the old generation, once there is one.
    pub(super) fn file_slice(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.order.is_empty() {
            self.turn();
        }
        if self.order.is_empty() {
            return Ok(());
        }
        let old = Arc::clone(&self.recent.generations.lock().old);
        let mut rows = 0;
        while let Some(key) = self.order.get(self.filed + self.pending.filed).cloned() {
            if rows > self.rows_max / SLICES {
                return Ok(());
            }
            rows += self.file_or_keep(connection, &old, &key)?;
            self.pending.filed += 1;
        }
        connection.prepare_cached(DELETE)?.execute([old.id_max])?;
        self.pending.old_is_done = true;
        Ok(())
    }

    /// Files the rows of one log. If its place in `run` is damaged they go round once more, so
    /// that one bad page does not stop all others.
    fn file_or_keep(
        &mut self,
        connection: &Connection,
        old: &Generation,
        key: &ConversationKey,
    ) -> rusqlite::Result<usize> {
        let rows = old.rows_of_log(key);
        match file_log(connection, key, rows.iter().collect()) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                let (tenant, conversation) = (&key.tenant, &key.conversation);
                tracing::error!(%tenant, %conversation, %error, "a log cannot be written to");
                for row in rows {
                    self.add(key, row.clone());
                }
            }
            outcome => outcome?,
        }
        Ok(rows.len())
    }

    /// Files everything, so that `run` alone is the log.
    pub(super) fn file_all(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        {
            let generations = self.recent.generations.lock();
            for generation in [&*generations.old, &generations.young] {
                for (key, rows) in &generation.logs {
                    file_log(connection, key, rows.iter().collect())?;
                }
            }
        }
        let mut added: HashMap<&ConversationKey, Vec<&Row>> = HashMap::new();
        for (key, row) in &self.pending.added {
            added.entry(key).or_default().push(row);
        }
        for (key, rows) in added {
            file_log(connection, key, rows)?;
        }
        self.pending.added.clear();
        connection.prepare_cached(DELETE)?.execute([self.id_last])?;
        self.pending.old_is_done = true;
        self.pending.young_is_done = true;
        Ok(())
    }

    /// The transaction is durable: readers may know of it.
    pub(super) fn committed(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.filed += pending.filed;
        let mut generations = self.recent.generations.lock();
        if pending.old_is_done {
            generations.old = Arc::default();
            self.order.clear();
            self.filed = 0;
        }
        if pending.young_is_done {
            generations.young = Generation::default();
        }
        if !pending.added.is_empty() {
            self.id_last = self.id_next();
        }
        for (key, row) in pending.added {
            generations.young.add(self.id_last, key, row);
        }
    }

    /// The transaction never was.
    pub(super) fn rolled_back(&mut self) {
        self.pending = Pending::default();
    }

    /// Makes a full young generation the old one.
    fn turn(&mut self) {
        let mut generations = self.recent.generations.lock();
        if !generations.young.is_full(self.rows_max) {
            return;
        }
        let full = std::mem::take(&mut generations.young);
        self.order = full.logs.keys().cloned().collect();
        generations.old = Arc::new(full);
        drop(generations);
        self.order.sort_unstable();
    }
}

/// Files the rows of one log. They are in order already, unless a damaged page made some go round
/// again.
fn file_log(
    connection: &Connection,
    key: &ConversationKey,
    mut rows: Vec<&Row>,
) -> rusqlite::Result<()> {
    rows.sort_by_key(|row| (stream_code(row.head.stream), row.head.seq));
    runs::file(connection, key, &rows)
}
