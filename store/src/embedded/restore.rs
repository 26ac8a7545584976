//! Making a backup the database of a data directory.
//!
//! What was acknowledged after the backup is gone, and its positions will be given again. So each
//! restored history gets a new identity: a client that knows more than we do sees another log id,
//! drops what it kept and asks for a snapshot.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Row as SqlRow, Transaction, params_from_iter};
use switchboard_domain::conversation::{Body, Stream};
use switchboard_domain::ids::{ConversationId, LogId, TenantId};

use super::backup::{Report, beside, finish, refuse_existing, remove_if_there, verify_file};
use super::block::{Block, Head, pack_run};
use super::column::Blob16;
use super::directory::Directory;
use super::error::{Error, Stop, attempt, attempt_io, error_of};
use super::recent::Mover;
use super::{load_recent, runs, schema};
use crate::port::ConversationKey;
use crate::record::{
    CheckpointPlace, EventPlace, decode_checkpoint, encode_checkpoint, encode_event,
};

/// Rows rewritten between two looks at the table.
const PAGE_ROWS: i64 = 1_000;
const WHAT: &str = "rename logs";

const BEGINNINGS: &str = "SELECT first, last, heads, records, tenant, conversation FROM filed \
     WHERE stream = 0 AND first = 1 AND (tenant, conversation) > (?1, ?2) \
     ORDER BY tenant, conversation LIMIT ?3";
const CHECKPOINTS: &str = "SELECT record, tenant, conversation FROM checkpoint \
     WHERE (tenant, conversation) > (?1, ?2) ORDER BY tenant, conversation LIMIT ?3";
/// Where the values are: in the run or in its block.
const PUT_BEGINNING: [&str; 2] = [
    "UPDATE run SET heads = ?3, records = ?4 \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = 0 AND first = 1 AND block IS NULL",
    "UPDATE block SET heads = ?3, records = ?4 WHERE id = (SELECT block FROM run \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = 0 AND first = 1)",
];
const PUT_CHECKPOINT: [&str; 1] = ["UPDATE checkpoint SET record = ?3 \
     WHERE tenant = ?1 AND conversation = ?2"];

/// Makes the backup file `from` the database of the data directory `dir`, after checking it. Every
/// conversation gets a new log id.
///
/// # Errors
///
/// [`Error::Exists`] when `dir` holds a database already, [`Error::InUse`] when a server runs on
/// it; whatever [`verify`](super::verify) finds; and what the file system refuses. `dir` then
/// holds no database.
pub fn restore(from: &Path, dir: &Path) -> Result<Report, Error> {
    let directory = Directory::lock(dir)?;
    let to = directory.database();
    refuse_existing(&to)?;
    let unfinished = beside(&to);
    match prepare(from, &unfinished) {
        Ok(report) => {
            finish(&unfinished, &to)?;
            Ok(report)
        }
        Err(error) => {
            remove_if_there(&unfinished)?;
            Err(error)
        }
    }
}

fn prepare(from: &Path, unfinished: &Path) -> Result<Report, Error> {
    attempt_io("copy to", unfinished, fs::copy(from, unfinished))?;
    verify_file(unfinished)?;
    rename_logs(unfinished)?;
    verify_file(unfinished)
}

/// Gives each history a new identity: the old one mixed with a number that was never used before.
fn rename_logs(path: &Path) -> Result<(), Error> {
    let mut mix = [0; 16];
    let drawn = getrandom::fill(&mut mix).map_err(|why| std::io::Error::other(why.to_string()));
    attempt_io("draw a random number for", path, drawn)?;
    let mix = u128::from_le_bytes(mix);
    let renamed = |log: LogId| LogId::from_u128(log.uuid().as_u128() ^ mix);

    let mut connection = attempt("open the copy", Connection::open(path))?;
    // A backup of an older version is brought up to date first, so that one shape is rewritten.
    schema::migrate(&mut connection)?;
    let mut mover = Mover::new(load_recent(&connection)?, usize::MAX);
    let transaction = attempt("begin to rename logs", connection.transaction())?;
    attempt("file recent events", mover.file_all(&transaction))?;
    rewrite(&transaction, BEGINNINGS, &PUT_BEGINNING, |key, row| {
        let (place, mut rows) = runs::unpack(key, Stream::Public, row)?;
        if let Some(first) = rows.first_mut() {
            let Head { stream, seq, epoch, .. } = first.head;
            let mut event = first.decode(key)?;
            if let Body::Created(created) = &mut event.body {
                created.log = renamed(created.log);
            }
            let record = encode_event(EventPlace { key, stream, seq, epoch }, &event)?;
            first.record = record.into();
        }
        let Block { heads, records } = pack_run(&place, &rows.iter().collect::<Vec<_>>());
        Ok([heads, records])
    })?;
    rewrite(&transaction, CHECKPOINTS, &PUT_CHECKPOINT, |key, row| {
        let record = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let mut checkpoint = decode_checkpoint(CheckpointPlace(key), record)?;
        checkpoint.log = renamed(checkpoint.log);
        Ok([encode_checkpoint(CheckpointPlace(key), &checkpoint)?])
    })?;
    attempt("finish renaming logs", transaction.commit())
}

/// Whose row, and the values it gets.
type Renewed<const N: usize> = (ConversationKey, [Vec<u8>; N]);

/// Replaces values of every row that `select` finds, page by page in the order of its key.
fn rewrite<const N: usize>(
    transaction: &Transaction<'_>,
    select: &str,
    updates: &[&str],
    renew: impl Fn(&ConversationKey, &SqlRow<'_>) -> Result<[Vec<u8>; N], Stop>,
) -> Result<(), Error> {
    // Before every key: no tenant has an empty name and the nil conversation.
    let mut after = (Arc::<str>::from(""), ConversationId::from_u128(0));
    loop {
        let page = || -> Result<Vec<Renewed<N>>, Stop> {
            let mut statement = transaction.prepare_cached(select)?;
            let mut rows = statement.query((&*after.0, Blob16::from(after.1), PAGE_ROWS))?;
            let mut page = Vec::new();
            while let Some(row) = rows.next()? {
                let tenant = row.get_ref("tenant")?.as_str().map_err(rusqlite::Error::from)?;
                let tenant = TenantId(Arc::from(tenant));
                let conversation = row.get::<_, Blob16>("conversation")?.into();
                let key = ConversationKey { tenant, conversation };
                let values = renew(&key, row)?;
                page.push((key, values));
            }
            Ok(page)
        };
        let page = page().map_err(|stop| error_of(WHAT, stop))?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = (Arc::clone(&last.tenant.0), last.conversation);
        for (key, values) in page {
            let id = Blob16::from(key.conversation);
            let key_columns =
                [Value::from(key.tenant.0.to_string()), Value::from(id.bytes().to_vec())];
            let columns: Vec<Value> =
                key_columns.into_iter().chain(values.map(Value::from)).collect();
            for update in updates {
                let columns = params_from_iter(&columns);
                let put = || transaction.prepare_cached(update)?.execute(columns);
                attempt(WHAT, put())?;
            }
        }
    }
}
