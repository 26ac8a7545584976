//! The log in SQLite.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};
use switchboard_domain::conversation::{Event, Heads, Sent, Stream};
use switchboard_domain::ids::{DeviceId, Seq};
use switchboard_domain::person::Principal;

use super::column::{Blob16, position, unsigned};
use super::error::{Stop, unreadable};
use super::recent::{Recent, Row};
use super::writer::Tables;
use crate::port::{Append, ConversationKey, Fault, Page, Range, SendLookup};
use crate::record::{EventPlace, decode_event, encode_event, stream_code};

const HEAD: &str = "SELECT seq FROM event \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 ORDER BY seq DESC LIMIT 1";
const ONE: &str = "SELECT seq, epoch, record FROM event \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 AND seq = ?4";
const AFTER: &str = "SELECT seq, epoch, record FROM event \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 AND seq > ?4 \
     ORDER BY seq LIMIT ?5";
const BEFORE: &str = "SELECT seq, epoch, record FROM event \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 AND seq < ?4 \
     ORDER BY seq DESC LIMIT ?5";
const OF_DEVICE: &str = "SELECT seq, epoch, record, n FROM event \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 AND device = ?4 ORDER BY seq DESC";
const MARK: &str = "INSERT OR IGNORE INTO dirty (tenant, conversation) VALUES (?1, ?2)";

/// Events whose stored forms were made before they came to the writer, so that the one thread
/// that everybody waits for does not do it.
#[derive(Debug)]
pub(super) struct Encoded {
    append: Append,
    /// One record for each event.
    records: Vec<Vec<u8>>,
}

impl Encoded {
    pub(super) fn new(append: Append) -> Result<Self, Fault> {
        let record = |event: &Event| encode_event(place(&append.key, event, append.epoch), event);
        let records = append.events.iter().map(record).collect::<Result<_, _>>()?;
        Ok(Self { append, records })
    }

    /// What it takes in the queue.
    pub(super) fn bytes(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }
}

fn place<'key>(key: &'key ConversationKey, event: &Event, epoch: u64) -> EventPlace<'key> {
    EventPlace { key, stream: event.stream, seq: event.seq, epoch }
}

/// Stores events: first all checks, then all writes, so a refusal has written nothing.
pub(super) fn append(tables: &mut Tables<'_>, encoded: &Encoded) -> Result<(), Stop> {
    let Append { key, epoch, events, mark_dirty } = &encoded.append;
    let stored = heads(tables, key)?;
    check(tables, key, events, stored)?;
    let mut heads = stored;
    for (event, record) in events.iter().zip(&encoded.records) {
        let head = head_mut(&mut heads, event.stream);
        if event.seq == head.next() {
            *head = event.seq;
            tables.mover.add(key, row(event, *epoch, record));
        }
    }
    if *mark_dirty {
        let id = Blob16::from(key.conversation);
        tables.connection.prepare_cached(MARK)?.execute((&*key.tenant.0, id))?;
    }
    tables.heads.put(key, heads);
    Ok(())
}

/// Whether every event is stored already as it is, or follows.
fn check(
    tables: &Tables<'_>,
    key: &ConversationKey,
    events: &[Event],
    stored: Heads,
) -> Result<(), Stop> {
    let mut heads = stored;
    for (idx, event) in events.iter().enumerate() {
        let (stream, seq) = (event.stream, event.seq);
        let head = head_mut(&mut heads, stream);
        if seq == head.next() {
            *head = seq;
            continue;
        }
        if seq == Seq(0) || seq > *head {
            return Err(Fault::NotDense { stream, seq }.into());
        }
        let is_same = if seq > stored.of(stream) {
            let earlier = events.iter().take(idx);
            earlier.filter(|it| (it.stream, it.seq) == (stream, seq)).all(|it| it == event)
        } else {
            one(tables, key, stream, seq)?.as_ref() == Some(event)
        };
        if !is_same {
            return Err(Fault::Occupied { stream, seq }.into());
        }
    }
    Ok(())
}

fn row(event: &Event, epoch: u64, record: &[u8]) -> Row {
    let key = event.key.map(|key| (Blob16::from(key.device), key.n));
    Row { stream: event.stream, seq: event.seq, epoch, key, record: record.to_vec() }
}

fn head_mut(heads: &mut Heads, stream: Stream) -> &mut Seq {
    match stream {
        Stream::Public => &mut heads.public,
        Stream::Internal => &mut heads.internal,
    }
}

/// The newest stored positions, as the writer sees them.
pub(super) fn heads(tables: &Tables<'_>, key: &ConversationKey) -> rusqlite::Result<Heads> {
    if let Some(heads) = tables.heads.get(key) {
        return Ok(heads);
    }
    let mut statement = tables.connection.prepare_cached(HEAD)?;
    let mut head = |stream| -> rusqlite::Result<Seq> {
        let id = Blob16::from(key.conversation);
        let moved = statement
            .query_row((&*key.tenant.0, id, stream_code(stream)), |row| row.get(0))
            .optional()?;
        let recent = tables.mover.recent.head(key, stream);
        Ok(Seq(unsigned(moved.unwrap_or(0))).max(recent))
    };
    Ok(Heads { public: head(Stream::Public)?, internal: head(Stream::Internal)? })
}

fn one(
    tables: &Tables<'_>,
    key: &ConversationKey,
    stream: Stream,
    seq: Seq,
) -> Result<Option<Event>, Stop> {
    if let Some(row) = tables.mover.find(key, stream, seq) {
        return Ok(Some(row.decode(key)?));
    }
    let mut statement = tables.connection.prepare_cached(ONE)?;
    let id = Blob16::from(key.conversation);
    let mut rows = statement.query((&*key.tenant.0, id, stream_code(stream), position(seq)))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(decode(key, stream, row)??))
}

/// The event of a row that begins with `seq, epoch, record`.
fn decode(
    key: &ConversationKey,
    stream: Stream,
    row: &SqlRow<'_>,
) -> rusqlite::Result<Result<Event, Fault>> {
    let seq = Seq(unsigned(row.get(0)?));
    let epoch = unsigned(row.get(1)?);
    let record = row.get_ref(2)?.as_blob()?;
    Ok(decode_event(EventPlace { key, stream, seq, epoch }, record))
}

/// Reads a stretch of one stream: first from what is recent, then from the database, because rows
/// go from the one to the other.
pub(super) fn read(
    connection: &Connection,
    recent: &Recent,
    page: &Page,
) -> Result<Vec<Event>, Fault> {
    let Page { key, stream, range, limit } = page;
    let (sql, from, is_after) = match range {
        Range::After(seq) => (AFTER, *seq, true),
        Range::Before(seq) => (BEFORE, *seq, false),
    };
    let is_wanted = |row: &Row| if is_after { row.seq > from } else { row.seq < from };
    let recent = recent.rows(key, *stream, is_wanted);
    let query = || -> rusqlite::Result<Result<Vec<Event>, Fault>> {
        let mut statement = connection.prepare_cached(sql)?;
        let id = Blob16::from(key.conversation);
        let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
        let mut rows =
            statement.query((&*key.tenant.0, id, stream_code(*stream), position(from), limit))?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            match decode(key, *stream, row)? {
                Ok(event) => events.push(event),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(events))
    };
    let mut events = query().map_err(|why| unreadable(&log(key, *stream), &why))??;
    if !is_after {
        events.reverse();
    }
    // What the database has is a stretch without a gap; what is recent goes on behind it.
    let newest = events.last().map_or(Seq(0), |event| event.seq);
    let fresh = recent.iter().filter(|row| row.seq > newest);
    if is_after {
        let room = limit.saturating_sub(events.len());
        for row in fresh.take(room) {
            events.push(row.decode(key)?);
        }
    } else {
        for row in fresh {
            events.push(row.decode(key)?);
        }
        events.drain(..events.len().saturating_sub(*limit));
    }
    let first = if is_after { Some(from) } else { None };
    check_dense(key, *stream, first, &events)?;
    Ok(events)
}

/// A row whose key was damaged is not where it is looked for. That must not pass for a shorter log.
fn check_dense(
    key: &ConversationKey,
    stream: Stream,
    mut before: Option<Seq>,
    events: &[Event],
) -> Result<(), Fault> {
    for Event { seq, .. } in events {
        if let Some(before) = before.filter(|before| before.next() != *seq) {
            let what = format!("{}: {seq} follows {before}", log(key, stream));
            return Err(Fault::Damaged { what: what.into() });
        }
        before = Some(*seq);
    }
    Ok(())
}

fn log(key: &ConversationKey, stream: Stream) -> Arc<str> {
    Arc::from(format!("log {}/{}/{stream:?}", key.tenant, key.conversation))
}

/// What the log says of one outbox, gathered row by row.
struct Search<'key> {
    key: &'key ConversationKey,
    principal: Principal,
    n: u64,
    found: SendLookup,
}

impl Search<'_> {
    /// Takes a row in. Only two rows matter, so only they are decoded: the newest, and the one
    /// asked for.
    fn take_in(
        &mut self,
        row_n: u64,
        decode: impl FnOnce(&ConversationKey) -> Result<Event, Fault>,
    ) -> Result<(), Fault> {
        if row_n <= self.found.last_n && row_n != self.n {
            return Ok(());
        }
        let Event { key, from, stream, seq, .. } = decode(self.key)?;
        let Some(key) = key.filter(|_| from.principal == self.principal) else { return Ok(()) };
        self.found.last_n = self.found.last_n.max(key.n);
        if key.n == self.n {
            self.found.sent = Some(Sent { n: key.n, digest: key.digest, stream, seq });
        }
        Ok(())
    }
}

/// Looks a send up: reads what that device wrote, newest first.
pub(super) fn find_send(
    connection: &Connection,
    recent: &Recent,
    key: &ConversationKey,
    (principal, device, n): (Principal, DeviceId, u64),
) -> Result<SendLookup, Fault> {
    let device = Blob16::from(device);
    let mut search = Search { key, principal, n, found: SendLookup::default() };
    for stream in [Stream::Public, Stream::Internal] {
        let of_device = |row: &Row| row.key.is_some_and(|(of, _)| of == device);
        for row in recent.rows(key, stream, of_device).iter().rev() {
            let row_n = row.key.map_or(0, |(_, n)| n);
            search.take_in(row_n, |key| row.decode(key))?;
        }
        let mut query = || -> rusqlite::Result<Result<(), Fault>> {
            let mut statement = connection.prepare_cached(OF_DEVICE)?;
            let id = Blob16::from(key.conversation);
            let mut rows = statement.query((&*key.tenant.0, id, stream_code(stream), device))?;
            while let Some(row) = rows.next()? {
                let row_n = unsigned(row.get(3)?);
                let taken = search.take_in(row_n, |key| {
                    decode(key, stream, row).map_err(|why| unreadable(&log(key, stream), &why))?
                });
                if taken.is_err() {
                    return Ok(taken);
                }
            }
            Ok(Ok(()))
        };
        query().map_err(|why| unreadable(&log(key, stream), &why))??;
    }
    Ok(search.found)
}
