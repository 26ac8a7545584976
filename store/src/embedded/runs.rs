//! The log where it stays: runs of events of one stream, a row for each run.
//!
//! The rows are clustered by log. SQLite reads a whole row to compare its key, so a run that is
//! long has its values in the table `block`, and its row in `run` says where. (With everything in
//! one row, filing a run read forty pages of others.)

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};
use switchboard_domain::conversation::{Event, Stream};
use switchboard_domain::ids::Seq;

use super::block::{Block, Head, Row, Span, pack_run, unpack_run};
use super::column::{Blob16, position, unsigned};
use super::error::Stop;
use crate::port::{ConversationKey, Range};
use crate::record::{RunPlace, stream_code};

/// Events of one run. Runs of this length are on disks, so it never shrinks: what reads backwards
/// counts on it.
const EVENTS_MAX: usize = 64;
/// Bytes of records from which on a run is full.
const BYTES_FULL: usize = 32 << 10;

/// Bytes of the values of a run that has them itself: with its key it fits the part of a row that
/// SQLite keeps in the tree, 1,002 bytes of a page of 4 KiB.
const OWN_BYTES_MAX: usize = 768;

const INSERT: &str = "INSERT INTO run \
     (tenant, conversation, stream, last, first, heads, records, block) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const INSERT_BLOCK: &str = "INSERT INTO block (heads, records) VALUES (?1, ?2)";
const NEWEST: &str = "SELECT last FROM run \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 ORDER BY last DESC LIMIT 1";
const BEHIND: &str = "SELECT first, last, heads, records FROM filed \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 AND last > ?4 ORDER BY last";
const UP_TO: &str = "SELECT first, last, heads, records FROM filed \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 AND last < ?4 AND first <= ?5 \
     ORDER BY last DESC";
const ALL_BACKWARDS: &str = "SELECT first, last, heads, records FROM filed \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = ?3 ORDER BY last DESC";

/// Files rows of one log that come in the order of their streams and positions. What is filed
/// already is left out: after a restart some come a second time.
pub(super) fn file(
    connection: &Connection,
    key: &ConversationKey,
    rows: &[&Row],
) -> rusqlite::Result<()> {
    for stream in rows.chunk_by(|one, next| one.head.stream == next.head.stream) {
        let Some(Head { stream: code, .. }) = stream.first().map(|row| row.head) else { continue };
        let mut newest = newest(connection, key, code)?;
        let fresh = stream.iter().copied().filter(|row| {
            let is_fresh = row.head.seq > newest;
            newest = newest.max(row.head.seq);
            is_fresh
        });
        let fresh: Vec<&Row> = fresh.collect();
        for dense in fresh.chunk_by(|one, next| one.head.seq.next() == next.head.seq) {
            let mut rest = dense;
            while !rest.is_empty() {
                let (run, behind) = rest.split_at(length_of_run(rest));
                insert_run(connection, key, run)?;
                rest = behind;
            }
        }
    }
    Ok(())
}

/// How many of these rows make one run.
fn length_of_run(rows: &[&Row]) -> usize {
    let mut bytes = 0;
    let fits = |row: &&&Row| {
        let is_full = bytes >= BYTES_FULL;
        bytes += row.record.len();
        !is_full
    };
    rows.iter().take(EVENTS_MAX).take_while(fits).count()
}

fn insert_run(
    connection: &Connection,
    key: &ConversationKey,
    run: &[&Row],
) -> rusqlite::Result<()> {
    let Some(place) = place_of(key, run) else { return Ok(()) };
    let Block { mut heads, mut records } = pack_run(&place, run);
    let mut block = None;
    if heads.len() + records.len() > OWN_BYTES_MAX {
        let values = (std::mem::take(&mut heads), std::mem::take(&mut records));
        block = Some(connection.prepare_cached(INSERT_BLOCK)?.insert(values)?);
    }
    connection.prepare_cached(INSERT)?.execute((
        &*key.tenant.0,
        Blob16::from(key.conversation),
        stream_code(place.stream),
        position(place.last),
        position(place.first),
        heads,
        records,
        block,
    ))?;
    Ok(())
}

/// Where a run of these rows belongs; nowhere without any.
fn place_of<'key>(key: &'key ConversationKey, run: &[&Row]) -> Option<RunPlace<'key>> {
    let (first, last) = (run.first()?.head, run.last()?.head);
    Some(RunPlace { key, stream: first.stream, first: first.seq, last: last.seq })
}

/// The whole run of a row that begins with `first, last, heads, records`.
pub(super) fn unpack<'key>(
    key: &'key ConversationKey,
    stream: Stream,
    row: &SqlRow<'_>,
) -> Result<(RunPlace<'key>, Vec<Row>), Stop> {
    let heads = heads(key, stream, row)?;
    let records = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    let whole = |(head, span): (Head, Span)| Row { head, record: Arc::from(span.of(records)) };
    Ok((place(key, stream, row)?, heads.into_iter().map(whole).collect()))
}

fn place<'key>(
    key: &'key ConversationKey,
    stream: Stream,
    row: &SqlRow<'_>,
) -> rusqlite::Result<RunPlace<'key>> {
    let (first, last) = (Seq(unsigned(row.get(0)?)), Seq(unsigned(row.get(1)?)));
    Ok(RunPlace { key, stream, first, last })
}

/// The newest position of a stream that is filed, 0 without any.
pub(super) fn newest(
    connection: &Connection,
    key: &ConversationKey,
    stream: Stream,
) -> rusqlite::Result<Seq> {
    let mut statement = connection.prepare_cached(NEWEST)?;
    let newest = statement
        .query_row((&*key.tenant.0, Blob16::from(key.conversation), stream_code(stream)), |row| {
            row.get(0)
        })
        .optional()?;
    Ok(Seq(newest.map_or(0, unsigned)))
}

/// The event at that position, if it is filed.
pub(super) fn one(
    connection: &Connection,
    key: &ConversationKey,
    stream: Stream,
    seq: Seq,
) -> Result<Option<Event>, Stop> {
    let before = Seq(seq.0.saturating_sub(1));
    Ok(read(connection, key, stream, Range::After(before), 1)?.pop().filter(|it| it.seq == seq))
}

/// Events of a stretch of one stream, at most `limit`, in rising order.
pub(super) fn read(
    connection: &Connection,
    key: &ConversationKey,
    stream: Stream,
    range: Range,
    limit: usize,
) -> Result<Vec<Event>, Stop> {
    let mut events = Vec::new();
    let (tenant, id, code) = (&*key.tenant.0, Blob16::from(key.conversation), stream_code(stream));
    match range {
        Range::After(after) => {
            let mut statement = connection.prepare_cached(BEHIND)?;
            let mut rows = statement.query((tenant, id, code, position(after)))?;
            while events.len() < limit
                && let Some(row) = rows.next()?
            {
                let heads = heads(key, stream, row)?;
                let records = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
                let wanted = heads.iter().filter(|(head, _)| head.seq > after);
                for (head, span) in wanted.take(limit - events.len()) {
                    events.push(head.decode(key, span.of(records))?);
                }
            }
        }
        Range::Before(before) => {
            let newest = Seq(before.0.saturating_sub(1));
            // The run that holds the newest one ends less than a run's length behind it.
            let end = Seq(newest.0.saturating_add(u64::try_from(EVENTS_MAX).unwrap_or(u64::MAX)));
            let mut statement = connection.prepare_cached(UP_TO)?;
            let mut rows = statement.query((tenant, id, code, position(end), position(newest)))?;
            while events.len() < limit
                && let Some(row) = rows.next()?
            {
                let heads = heads(key, stream, row)?;
                let records = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
                let wanted = heads.iter().rev().filter(|(head, _)| head.seq < before);
                for (head, span) in wanted.take(limit - events.len()) {
                    events.push(head.decode(key, span.of(records))?);
                }
            }
            events.reverse();
        }
    }
    Ok(events)
}

/// Shows `look` every event that an outbox sent, newest first: its head, and a way to decode it.
pub(super) fn for_each_of_device(
    connection: &Connection,
    key: &ConversationKey,
    stream: Stream,
    device: Blob16,
    mut look: impl FnMut(Head, &dyn Fn() -> Result<Event, Stop>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut statement = connection.prepare_cached(ALL_BACKWARDS)?;
    let id = Blob16::from(key.conversation);
    let mut rows = statement.query((&*key.tenant.0, id, stream_code(stream)))?;
    while let Some(row) = rows.next()? {
        let heads = heads(key, stream, row)?;
        for (head, span) in heads.iter().rev().filter(|(head, _)| head.is_of(device)) {
            let decode = || -> Result<Event, Stop> {
                let records = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
                Ok(head.decode(key, span.of(records))?)
            };
            look(*head, &decode)?;
        }
    }
    Ok(())
}

/// The heads of a row that begins with `first, last, heads`.
pub(super) fn heads(
    key: &ConversationKey,
    stream: Stream,
    row: &SqlRow<'_>,
) -> Result<Vec<(Head, Span)>, Stop> {
    let heads = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(unpack_run(&place(key, stream, row)?, heads)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::schema;
    use crate::record::{EventPlace, encode_event};
    use crate::testkit::{key, message};

    /// Rows of one stream, at those positions, with texts of that size.
    fn rows(key: &ConversationKey, seqs: impl Iterator<Item = u64>, bytes: usize) -> Vec<Row> {
        let row = |seq| {
            let event = message(seq, &"x".repeat(bytes));
            let head = Head { stream: Stream::Public, seq: Seq(seq), epoch: 3, key: None };
            let place = EventPlace { key, stream: head.stream, seq: head.seq, epoch: head.epoch };
            Row { head, record: encode_event(place, &event).expect("it has a form").into() }
        };
        seqs.map(row).collect()
    }

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().expect("it opens");
        schema::migrate(&mut connection).expect("the tables are made");
        connection
    }

    fn file_rows(connection: &Connection, key: &ConversationKey, rows: &[Row]) {
        file(connection, key, &rows.iter().collect::<Vec<_>>()).expect("they are filed");
    }

    /// First and last position of every run.
    fn runs(connection: &Connection) -> Vec<(u64, u64)> {
        let mut statement =
            connection.prepare("SELECT first, last FROM run ORDER BY last").expect("it is SQL");
        let pairs =
            statement.query_map((), |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))));
        pairs.and_then(Iterator::collect).expect("they are read")
    }

    fn seqs(
        connection: &Connection,
        key: &ConversationKey,
        range: Range,
        limit: usize,
    ) -> Vec<u64> {
        let events = read(connection, key, Stream::Public, range, limit).expect("they are read");
        events.iter().map(|event| event.seq.0).collect()
    }

    #[test]
    fn runs_are_bounded_in_events_and_in_bytes() {
        let (connection, short, long) = (store(), key("acme", 1), key("acme", 2));
        file_rows(&connection, &short, &rows(&short, 1..=150, 10));
        assert_eq!(runs(&connection), [(1, 64), (65, 128), (129, 150)]);
        let connection = store();
        file_rows(&connection, &long, &rows(&long, 1..=5, BYTES_FULL / 2));
        assert_eq!(runs(&connection), [(1, 2), (3, 4), (5, 5)]);
    }

    #[test]
    fn long_runs_have_their_values_elsewhere_and_read_alike() {
        let (connection, key) = (store(), key("acme", 1));
        let own = |connection: &Connection| {
            let sql = "SELECT last FROM run WHERE block IS NULL AND length(records) > 0";
            let mut statement = connection.prepare(sql).expect("it is SQL");
            let lasts = statement.query_map((), |row| Ok(unsigned(row.get(0)?)));
            lasts.and_then(Iterator::collect::<Result<Vec<u64>, _>>).expect("they are read")
        };
        file_rows(&connection, &key, &rows(&key, 1..=2, 10));
        file_rows(&connection, &key, &rows(&key, 3..=42, 100));
        file_rows(&connection, &key, &rows(&key, 43..=43, OWN_BYTES_MAX));
        file_rows(&connection, &key, &rows(&key, 44..=44, 10));
        assert_eq!(own(&connection), [2, 44]);
        let whole = seqs(&connection, &key, Range::After(Seq(0)), 500);
        assert_eq!(whole, (1..=44).collect::<Vec<_>>());
        // As versions 2 and 3 left them.
        connection
            .execute_batch(
                "UPDATE run SET (heads, records, block) =
                     (SELECT heads, records, NULL FROM block WHERE id = run.block)
                     WHERE block IS NOT NULL;
                 DELETE FROM block;",
            )
            .expect("they are moved");
        assert_eq!(own(&connection), [2, 42, 43, 44]);
        assert_eq!(seqs(&connection, &key, Range::After(Seq(0)), 500), whole);
        file_rows(&connection, &key, &rows(&key, 45..=84, 100));
        assert_eq!(seqs(&connection, &key, Range::Before(Seq(85)), 50).len(), 50);
    }

    #[test]
    fn what_is_filed_already_is_left_out() {
        let (connection, key) = (store(), key("acme", 1));
        file_rows(&connection, &key, &rows(&key, 1..=5, 10));
        file_rows(&connection, &key, &rows(&key, 1..=3, 10));
        file_rows(&connection, &key, &rows(&key, [4, 5, 6, 6, 7].into_iter(), 10));
        assert_eq!(runs(&connection), [(1, 5), (6, 7)]);
    }

    #[test]
    fn every_stretch_is_read_from_either_side() {
        let (connection, key) = (store(), key("acme", 1));
        // Runs of very different lengths, as busy and quiet times leave them.
        let mut end = 0;
        for length in [1, 64, 3, 1, 1, 40, 70, 2] {
            file_rows(&connection, &key, &rows(&key, end + 1..=end + length, 10));
            end += length;
        }
        for from in 0..=end + 2 {
            for limit in [0, 1, 2, 63, 64, 65, 500] {
                let after: Vec<u64> = (from + 1..=end).take(limit).collect();
                assert_eq!(seqs(&connection, &key, Range::After(Seq(from)), limit), after);
                let mut before: Vec<u64> = (1..from.min(end + 1)).rev().take(limit).collect();
                before.reverse();
                assert_eq!(seqs(&connection, &key, Range::Before(Seq(from)), limit), before);
            }
            let one = one(&connection, &key, Stream::Public, Seq(from)).expect("it is read");
            assert_eq!(one.is_some(), (1..=end).contains(&from), "{from}");
        }
        let whole = seqs(&connection, &key, Range::Before(Seq(u64::MAX)), 500);
        assert_eq!(whole.len() as u64, end);
    }
}
