//! Saving a live database, and checking that every record of it is as written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::{ConversationId, Seq, TenantId};

use super::block::{Head, Row, stream_of_code};
use super::column::{Blob16, unsigned};
use super::error::{Error, attempt, attempt_io, error_of};
use super::{BUSY_TIMEOUT, directory, documents, layout_1, receipts, recent, runs, schema};
use crate::port::ConversationKey;
use crate::record::{CheckpointPlace, decode_checkpoint, stream_code};

const RUNS: &str = "SELECT first, last, heads, records, tenant, conversation, stream FROM filed \
     ORDER BY tenant, conversation, stream, last";
/// The same, before [`schema::BLOCKS_SINCE`].
const RUNS_2: &str = "SELECT first, last, heads, records, tenant, conversation, stream FROM run \
     ORDER BY tenant, conversation, stream, last";
const CHECKPOINTS: &str = "SELECT tenant, conversation, public_head, internal_head, record \
     FROM checkpoint";
const RECEIPTS: &str = "SELECT principal, received, read, by_visitor, by_agent, by_system, \
     checksum, tenant, conversation FROM receipt";
const DOCUMENTS: &str = "SELECT id, version, bytes, checksum, tenant, kind FROM document";

/// What a checked database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Conversations that have events.
    pub conversations: u64,
    /// Events, of both streams.
    pub events: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Receipts.
    pub receipts: u64,
    /// Documents.
    pub documents: u64,
}

/// Writes a copy of the database in the data directory `dir` to the file `to`, as it was at one
/// moment, and checks it as [`verify`] does. Works beside a running server, also from another
/// process; only reads `dir`.
///
/// # Errors
///
/// [`Error::Exists`] when there is something at `to`; whatever [`verify`] finds; and what the file
/// system or SQLite refuse. `to` then does not exist.
pub fn backup(dir: &Path, to: &Path) -> Result<Report, Error> {
    refuse_existing(to)?;
    let unfinished = beside(to);
    remove_if_there(&unfinished)?;
    let copied = copy_live(&directory::database_in(dir), &unfinished)
        .and_then(|()| verify_file(&unfinished));
    let report = match copied {
        Ok(report) => report,
        Err(error) => {
            remove_if_there(&unfinished)?;
            return Err(error);
        }
    };
    finish(&unfinished, to)?;
    Ok(report)
}

/// Checks the database of a data directory: its structure, the checksum of every record, and that
/// every stream is dense. Works beside a running server.
///
/// # Errors
///
/// [`Error::Damaged`] or [`Error::Record`] naming the first thing that is not as it was written.
pub fn verify(dir: &Path) -> Result<Report, Error> {
    verify_file(&directory::database_in(dir))
}

pub(super) fn refuse_existing(path: &Path) -> Result<(), Error> {
    match attempt_io("look for", path, path.try_exists())? {
        true => Err(Error::Exists { path: path.to_owned() }),
        false => Ok(()),
    }
}

/// The name under which a file is written until it is complete.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        outcome => attempt_io("remove", path, outcome),
    }
}

/// Makes a complete file durable under its final name.
pub(super) fn finish(unfinished: &Path, to: &Path) -> Result<(), Error> {
    // SQLite has no connection to this file any more, so opening it costs no lock.
    let synced = File::open(unfinished).and_then(|file| file.sync_all());
    attempt_io("sync", unfinished, synced)?;
    attempt_io("name", to, fs::rename(unfinished, to))?;
    directory::sync(to.parent().unwrap_or(Path::new(".")))
}

fn open(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = attempt("open the database", Connection::open_with_flags(path, flags))?;
    attempt("set a connection up", connection.busy_timeout(BUSY_TIMEOUT))?;
    schema::check(&connection)?;
    Ok(connection)
}

fn copy_live(from: &Path, to: &Path) -> Result<(), Error> {
    let connection = open(from)?;
    let name = to.to_str().ok_or_else(|| Error::Io {
        what: "write a name that is not UTF-8,",
        path: to.to_owned(),
        source: std::io::ErrorKind::InvalidInput.into(),
    })?;
    attempt("copy the database", connection.execute("VACUUM INTO ?1", [name]))?;
    Ok(())
}

pub(super) fn verify_file(path: &Path) -> Result<Report, Error> {
    let connection = open(path)?;
    // One moment of a database that may be written meanwhile.
    let moment = attempt("begin to read", connection.unchecked_transaction())?;
    let structure =
        moment.pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0));
    let structure = attempt("check the structure", structure)?;
    if structure != "ok" {
        return Err(Error::Damaged { what: structure.into() });
    }
    let mut report = Report::default();
    verify_events(&moment, &mut report)?;
    verify_checkpoints(&moment, &mut report)?;
    verify_receipts(&moment, &mut report)?;
    verify_documents(&moment, &mut report)?;
    Ok(report)
}

/// Calls `check` with every row.
fn for_each(
    connection: &Connection,
    sql: &str,
    mut check: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<Result<(), Error>>,
) -> Result<(), Error> {
    let what = "read a table";
    let mut statement = attempt(what, connection.prepare(sql))?;
    let mut rows = attempt(what, statement.query(()))?;
    while let Some(row) = attempt(what, rows.next())? {
        attempt(what, check(row))??;
    }
    Ok(())
}

fn key(tenant: &str, conversation: Blob16) -> ConversationKey {
    let conversation = ConversationId::from(conversation);
    ConversationKey { tenant: TenantId(Arc::from(tenant)), conversation }
}

fn verify_events(connection: &Connection, report: &mut Report) -> Result<(), Error> {
    let version = schema::check(connection)?;
    if version < schema::RUNS_SINCE {
        let mut walk = Walk::default();
        for_each(connection, layout_1::EVENTS, |row| {
            let (key, row) = layout_1::event(row)?;
            Ok(walk.step(&key, row.head, &row.record))
        })?;
        walk.finish(report);
        return Ok(());
    }
    // What is recent goes on where a log ends, or comes twice. It is bounded.
    let mut recent: BTreeMap<(ConversationKey, u8), Vec<Row>> = BTreeMap::new();
    let loaded = recent::for_each(connection, |_, key, row| {
        recent.entry((key, stream_code(row.head.stream))).or_default().push(row);
    });
    loaded.map_err(|stop| error_of("read a table", stop))?;
    let mut walk = Walk::default();
    let mut last: Option<(ConversationKey, u8)> = None;
    let runs = if version < schema::BLOCKS_SINCE { RUNS_2 } else { RUNS };
    for_each(connection, runs, |row| {
        let key = key(row.get_ref(4)?.as_str()?, row.get(5)?);
        let code: u8 = row.get(6)?;
        let Some(stream) = stream_of_code(code) else {
            let what = format!("log {}/{}: no stream {code}", key.tenant, key.conversation);
            return Ok(Err(Error::Damaged { what: what.into() }));
        };
        let of = (key, code);
        if last.as_ref() != Some(&of) {
            // Logs that have only recent events come between others, so that each is met once.
            let until = recent.split_off(&of);
            let outcome = walk.all(std::mem::replace(&mut recent, until));
            if outcome.is_err() {
                return Ok(outcome);
            }
        }
        let records = row.get_ref(3)?.as_blob()?;
        let heads = match runs::heads(&of.0, stream, row) {
            Ok(heads) => heads,
            Err(stop) => return Ok(Err(error_of("read a table", stop))),
        };
        for (head, span) in heads {
            if let Err(error) = walk.step(&of.0, head, span.of(records)) {
                return Ok(Err(error));
            }
        }
        last = Some(of);
        Ok(Ok(()))
    })?;
    walk.all(recent)?;
    walk.finish(report);
    Ok(())
}

/// A walk along every log, in the order of their keys.
#[derive(Default)]
struct Walk {
    /// The log that the last event belonged to, and its position.
    last: Option<(ConversationKey, Stream, Seq)>,
    conversations: u64,
    events: u64,
}

impl Walk {
    /// Checks one event: its record holds, and it follows the one before it or was met already.
    fn step(&mut self, key: &ConversationKey, head: Head, record: &[u8]) -> Result<(), Error> {
        let is_new = self.last.as_ref().is_none_or(|(of, ..)| of != key);
        let newest = match &self.last {
            Some((of, stream, seq)) if of == key && *stream == head.stream => *seq,
            _ => Seq(0),
        };
        let is_twice = head.seq <= newest && head.seq != Seq(0);
        if head.seq != newest.next() && !is_twice {
            let ConversationKey { tenant, conversation } = key;
            let Head { stream, seq, .. } = head;
            let what = format!("log {tenant}/{conversation}/{stream:?}: {seq} follows {newest}");
            return Err(Error::Damaged { what: what.into() });
        }
        head.decode(key, record)?;
        if !is_twice {
            self.events += 1;
            self.conversations += u64::from(is_new);
            self.last = Some((key.clone(), head.stream, head.seq));
        }
        Ok(())
    }

    /// Checks what is recent of some logs.
    fn all(&mut self, recent: BTreeMap<(ConversationKey, u8), Vec<Row>>) -> Result<(), Error> {
        for ((key, _), mut rows) in recent {
            rows.sort_by_key(|row| row.head.seq);
            for row in rows {
                self.step(&key, row.head, &row.record)?;
            }
        }
        Ok(())
    }

    fn finish(self, report: &mut Report) {
        report.conversations = self.conversations;
        report.events = self.events;
    }
}

fn verify_checkpoints(connection: &Connection, report: &mut Report) -> Result<(), Error> {
    for_each(connection, CHECKPOINTS, |row| {
        let key = key(row.get_ref(0)?.as_str()?, row.get(1)?);
        let heads = (Seq(unsigned(row.get(2)?)), Seq(unsigned(row.get(3)?)));
        let place = CheckpointPlace(&key);
        let checkpoint = match decode_checkpoint(place, row.get_ref(4)?.as_blob()?) {
            Ok(checkpoint) => checkpoint,
            Err(fault) => return Ok(Err(fault.into())),
        };
        report.checkpoints += 1;
        if heads != (checkpoint.heads.public, checkpoint.heads.internal) {
            let what = format!("{place}: its columns do not tell its heads");
            return Ok(Err(Error::Damaged { what: what.into() }));
        }
        Ok(Ok(()))
    })
}

fn verify_receipts(connection: &Connection, report: &mut Report) -> Result<(), Error> {
    for_each(connection, RECEIPTS, |row| {
        let key = key(row.get_ref(7)?.as_str()?, row.get(8)?);
        report.receipts += 1;
        Ok(receipts::decode(&key, row).map(drop).map_err(Error::from))
    })
}

fn verify_documents(connection: &Connection, report: &mut Report) -> Result<(), Error> {
    for_each(connection, DOCUMENTS, |row| {
        let tenant = TenantId(Arc::from(row.get_ref(4)?.as_str()?));
        let kind: String = row.get(5)?;
        report.documents += 1;
        Ok(documents::decode(&tenant, &kind, row)?.map(drop).map_err(Error::from))
    })
}
