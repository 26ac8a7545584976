//! The log in SQLite.

use std::sync::Arc;

use rusqlite::Connection;
use switchboard_domain::conversation::{Event, Heads, Sent, Stream};
use switchboard_domain::ids::{DeviceId, Seq};
use switchboard_domain::person::Principal;

use super::block::{Head, Row};
use super::column::Blob16;
use super::error::{Stop, unreadable};
use super::recent::Recent;
use super::runs;
use super::writer::Tables;
use crate::port::{Append, ConversationKey, Fault, Page, Range, SendLookup};
use crate::record::{EventPlace, encode_event};

const MARK: &str = "INSERT OR IGNORE INTO dirty (tenant, conversation) VALUES (?1, ?2)";

/// Events whose stored forms were made before they came to the writer, so that the one thread
/// that everybody waits for does not do it.
#[derive(Debug)]
pub(super) struct Encoded {
    append: Append,
    /// One record for each event.
    records: Vec<Arc<[u8]>>,
}

impl Encoded {
    pub(super) fn new(append: Append) -> Result<Self, Fault> {
        let record = |event: &Event| -> Result<Arc<[u8]>, Fault> {
            Ok(encode_event(place(&append.key, event, append.epoch), event)?.into())
        };
        let records = append.events.iter().map(record).collect::<Result<_, _>>()?;
        Ok(Self { append, records })
    }

    /// What it takes in the queue.
    pub(super) fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.len()).sum()
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

fn row(event: &Event, epoch: u64, record: &Arc<[u8]>) -> Row {
    let key = event.key.map(|key| (Blob16::from(key.device), key.n));
    let head = Head { stream: event.stream, seq: event.seq, epoch, key };
    Row { head, record: Arc::clone(record) }
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
    let head = |stream| -> rusqlite::Result<Seq> {
        let filed = runs::newest(tables.connection, key, stream)?;
        Ok(filed.max(tables.mover.recent.head(key, stream)))
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
    runs::one(tables.connection, key, stream, seq)
}

/// Reads a stretch of one stream: first from what is recent, then from the database, because rows
/// go from the one to the other.
pub(super) fn read(
    connection: &Connection,
    recent: &Recent,
    page: &Page,
) -> Result<Vec<Event>, Fault> {
    let Page { key, stream, range, limit } = page;
    let is_wanted = |row: &Row| match range {
        Range::After(after) => row.head.seq > *after,
        Range::Before(before) => row.head.seq < *before,
    };
    let recent = recent.rows(key, *stream, is_wanted);
    let filed = runs::read(connection, key, *stream, *range, *limit);
    let mut events = filed.map_err(|why| refusal(key, *stream, why))?;
    // What the database has is a stretch without a gap; what is recent goes on behind it.
    let newest = events.last().map_or(Seq(0), |event| event.seq);
    let fresh = recent.iter().filter(|row| row.head.seq > newest);
    let first = match range {
        Range::After(after) => {
            let room = limit.saturating_sub(events.len());
            for row in fresh.take(room) {
                events.push(row.decode(key)?);
            }
            Some(*after)
        }
        Range::Before(_) => {
            for row in fresh {
                events.push(row.decode(key)?);
            }
            events.drain(..events.len().saturating_sub(*limit));
            None
        }
    };
    check_dense(key, *stream, first, &events)?;
    Ok(events)
}

/// What a reader is told of a stop.
fn refusal(key: &ConversationKey, stream: Stream, stop: Stop) -> Fault {
    match stop {
        Stop::Refused(fault) => fault,
        Stop::Sqlite(error) => unreadable(&log(key, stream), &error),
    }
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
struct Search {
    principal: Principal,
    n: u64,
    found: SendLookup,
}

impl Search {
    /// Takes a row in. Only two rows matter, so only they are decoded: the newest, and the one
    /// asked for.
    fn take_in<E>(
        &mut self,
        row_n: u64,
        decode: impl FnOnce() -> Result<Event, E>,
    ) -> Result<(), E> {
        if row_n <= self.found.last_n && row_n != self.n {
            return Ok(());
        }
        let Event { key, from, stream, seq, .. } = decode()?;
        let Some(key) = key.filter(|_| from.principal == self.principal) else { return Ok(()) };
        self.found.last_n = self.found.last_n.max(key.n);
        if key.n == self.n {
            self.found.sent = Some(Sent { n: key.n, digest: key.digest, stream, seq });
        }
        Ok(())
    }
}

/// Looks a send up among what that device wrote, newest first.
pub(super) fn find_send(
    connection: &Connection,
    recent: &Recent,
    key: &ConversationKey,
    (principal, device, n): (Principal, DeviceId, u64),
) -> Result<SendLookup, Fault> {
    let device = Blob16::from(device);
    let mut search = Search { principal, n, found: SendLookup::default() };
    for stream in [Stream::Public, Stream::Internal] {
        for row in recent.rows(key, stream, |row| row.head.is_of(device)).iter().rev() {
            search.take_in(row.head.n(), || row.decode(key))?;
        }
        runs::for_each_of_device(connection, key, stream, device, |head, decode| {
            search.take_in(head.n(), decode)
        })
        .map_err(|why| refusal(key, stream, why))?;
    }
    Ok(search.found)
}
