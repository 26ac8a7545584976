//! The log in SQLite.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use switchboard_domain::conversation::{Event, Heads, Sent, Stream};
use switchboard_domain::ids::{DeviceId, Seq};
use switchboard_domain::person::Principal;

use super::column::{Blob16, integer, position, unsigned};
use super::error::{Stop, unreadable};
use super::writer::Tables;
use crate::port::{Append, ConversationKey, Fault, Page, Range, SendLookup};
use crate::record::{EventPlace, decode_event, encode_event, stream_code};

const INSERT: &str = "INSERT INTO event \
     (tenant, conversation, stream, seq, epoch, device, n, record) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
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
    let stored = match tables.heads.get(key) {
        Some(heads) => heads,
        None => heads(tables.connection, key)?,
    };
    check(tables.connection, key, events, stored)?;
    let mut heads = stored;
    for (event, record) in events.iter().zip(&encoded.records) {
        let head = head_mut(&mut heads, event.stream);
        if event.seq == head.next() {
            *head = event.seq;
            insert(tables.connection, key, *epoch, event, record)?;
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
    connection: &Connection,
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
            one(connection, key, stream, seq)?.as_ref() == Some(event)
        };
        if !is_same {
            return Err(Fault::Occupied { stream, seq }.into());
        }
    }
    Ok(())
}

fn insert(
    connection: &Connection,
    key: &ConversationKey,
    epoch: u64,
    event: &Event,
    record: &[u8],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(INSERT)?;
    statement.execute((
        &*key.tenant.0,
        Blob16::from(key.conversation),
        stream_code(event.stream),
        position(event.seq),
        integer(epoch),
        event.key.map(|key| Blob16::from(key.device)),
        event.key.map(|key| integer(key.n)),
        record,
    ))?;
    Ok(())
}

fn head_mut(heads: &mut Heads, stream: Stream) -> &mut Seq {
    match stream {
        Stream::Public => &mut heads.public,
        Stream::Internal => &mut heads.internal,
    }
}

/// The newest stored positions.
pub(super) fn heads(connection: &Connection, key: &ConversationKey) -> rusqlite::Result<Heads> {
    let mut statement = connection.prepare_cached(HEAD)?;
    let mut head = |stream| {
        let id = Blob16::from(key.conversation);
        statement
            .query_row((&*key.tenant.0, id, stream_code(stream)), |row| row.get(0))
            .optional()
            .map(|seq| Seq(unsigned(seq.unwrap_or(0))))
    };
    Ok(Heads { public: head(Stream::Public)?, internal: head(Stream::Internal)? })
}

fn one(
    connection: &Connection,
    key: &ConversationKey,
    stream: Stream,
    seq: Seq,
) -> Result<Option<Event>, Stop> {
    let mut statement = connection.prepare_cached(ONE)?;
    let id = Blob16::from(key.conversation);
    let mut rows = statement.query((&*key.tenant.0, id, stream_code(stream), position(seq)))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(decode(key, stream, row)??))
}

/// The event of a row that begins with `seq, epoch, record`.
fn decode(
    key: &ConversationKey,
    stream: Stream,
    row: &Row<'_>,
) -> rusqlite::Result<Result<Event, Fault>> {
    let seq = Seq(unsigned(row.get(0)?));
    let epoch = unsigned(row.get(1)?);
    let record = row.get_ref(2)?.as_blob()?;
    Ok(decode_event(EventPlace { key, stream, seq, epoch }, record))
}

/// Reads a stretch of one stream.
pub(super) fn read(connection: &Connection, page: &Page) -> Result<Vec<Event>, Fault> {
    let Page { key, stream, range, limit } = page;
    let (sql, from) = match range {
        Range::After(seq) => (AFTER, *seq),
        Range::Before(seq) => (BEFORE, *seq),
    };
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
    match range {
        Range::After(_) => {}
        Range::Before(_) => events.reverse(),
    }
    Ok(events)
}

fn log(key: &ConversationKey, stream: Stream) -> Arc<str> {
    Arc::from(format!("log {}/{}/{stream:?}", key.tenant, key.conversation))
}

/// Looks a send up: reads what that device wrote, newest first.
pub(super) fn find_send(
    connection: &Connection,
    key: &ConversationKey,
    principal: Principal,
    device: DeviceId,
    n: u64,
) -> Result<SendLookup, Fault> {
    let mut found = SendLookup::default();
    for stream in [Stream::Public, Stream::Internal] {
        let mut query = || -> rusqlite::Result<Result<(), Fault>> {
            let mut statement = connection.prepare_cached(OF_DEVICE)?;
            let id = Blob16::from(key.conversation);
            let device = Blob16::from(device);
            let mut rows = statement.query((&*key.tenant.0, id, stream_code(stream), device))?;
            while let Some(row) = rows.next()? {
                let row_n = unsigned(row.get(3)?);
                // Only two rows matter, so only they are decoded: the newest, and the one asked for.
                if row_n <= found.last_n && row_n != n {
                    continue;
                }
                let event = match decode(key, stream, row)? {
                    Ok(event) => event,
                    Err(fault) => return Ok(Err(fault)),
                };
                let Some(key) = event.key.filter(|_| event.from.principal == principal) else {
                    continue;
                };
                found.last_n = found.last_n.max(key.n);
                if key.n == n {
                    let Event { stream, seq, .. } = event;
                    found.sent = Some(Sent { n, digest: key.digest, stream, seq });
                }
            }
            Ok(Ok(()))
        };
        query().map_err(|why| unreadable(&log(key, stream), &why))??;
    }
    Ok(found)
}
