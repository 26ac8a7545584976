//! Making a backup the database of a data directory.
//!
//! What was acknowledged after the backup is gone, and its positions will be given again. So each
//! restored history gets a new identity: a client that knows more than we do sees another log id,
//! drops what it kept and asks for a snapshot.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, Row, Transaction};
use switchboard_domain::conversation::{Body, Stream};
use switchboard_domain::ids::{ConversationId, LogId, Seq, TenantId};

use super::backup::{Report, beside, finish, refuse_existing, remove_if_there, verify_file};
use super::column::{Blob16, integer, unsigned};
use super::directory::Directory;
use super::error::{Error, attempt, attempt_io};
use super::schema;
use crate::port::{ConversationKey, Fault};
use crate::record::{
    CheckpointPlace, EventPlace, decode_checkpoint, decode_event, encode_checkpoint, encode_event,
};

/// Rows rewritten between two looks at the table.
const PAGE_ROWS: i64 = 1_000;

const BEGINNINGS: &str = "SELECT tenant, conversation, epoch, record FROM event \
     WHERE stream = 0 AND seq = 1 AND (tenant, conversation) > (?1, ?2) \
     ORDER BY tenant, conversation LIMIT ?3";
const RECENT_BEGINNINGS: &str = "SELECT tenant, conversation, epoch, record FROM recent \
     WHERE stream = 0 AND seq = 1 AND (tenant, conversation) > (?1, ?2) \
     ORDER BY tenant, conversation LIMIT ?3";
const CHECKPOINTS: &str = "SELECT tenant, conversation, 0, record FROM checkpoint \
     WHERE (tenant, conversation) > (?1, ?2) ORDER BY tenant, conversation LIMIT ?3";
const PUT_BEGINNING: &str = "UPDATE event SET record = ?3, epoch = ?4 \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = 0 AND seq = 1";
const PUT_RECENT_BEGINNING: &str = "UPDATE recent SET record = ?3, epoch = ?4 \
     WHERE tenant = ?1 AND conversation = ?2 AND stream = 0 AND seq = 1";
const PUT_CHECKPOINT: &str = "UPDATE checkpoint SET record = ?3 \
     WHERE tenant = ?1 AND conversation = ?2 AND ?4 = 0";

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
    let transaction = attempt("begin to rename logs", connection.transaction())?;
    let beginning = |found: &Found| -> Result<Vec<u8>, Fault> {
        let key = &found.key;
        let place = EventPlace { key, stream: Stream::Public, seq: Seq(1), epoch: found.epoch };
        let mut event = decode_event(place, &found.record)?;
        if let Body::Created(created) = &mut event.body {
            created.log = renamed(created.log);
        }
        encode_event(place, &event)
    };
    rewrite(&transaction, BEGINNINGS, PUT_BEGINNING, beginning)?;
    rewrite(&transaction, RECENT_BEGINNINGS, PUT_RECENT_BEGINNING, beginning)?;
    rewrite(&transaction, CHECKPOINTS, PUT_CHECKPOINT, |found| {
        let mut checkpoint = decode_checkpoint(CheckpointPlace(&found.key), &found.record)?;
        checkpoint.log = renamed(checkpoint.log);
        encode_checkpoint(CheckpointPlace(&found.key), &checkpoint)
    })?;
    attempt("finish renaming logs", transaction.commit())
}

/// A row to be rewritten.
struct Found {
    key: ConversationKey,
    epoch: u64,
    record: Vec<u8>,
}

impl Found {
    fn new(row: &Row<'_>) -> rusqlite::Result<Self> {
        let tenant = TenantId(Arc::from(row.get_ref(0)?.as_str()?));
        let conversation = row.get::<_, Blob16>(1)?.into();
        let key = ConversationKey { tenant, conversation };
        Ok(Self { key, epoch: unsigned(row.get(2)?), record: row.get(3)? })
    }
}

/// Replaces the record of every row that `select` finds, page by page in the order of its key.
fn rewrite(
    transaction: &Transaction<'_>,
    select: &str,
    update: &str,
    renew: impl Fn(&Found) -> Result<Vec<u8>, Fault>,
) -> Result<(), Error> {
    let what = "rename logs";
    // Before every key: no tenant has an empty name and the nil conversation.
    let mut after = (Arc::<str>::from(""), ConversationId::from_u128(0));
    loop {
        let page = || -> rusqlite::Result<Vec<Found>> {
            let mut statement = transaction.prepare_cached(select)?;
            let columns = (&*after.0, Blob16::from(after.1), PAGE_ROWS);
            statement.query_map(columns, Found::new)?.collect()
        };
        let page = attempt(what, page())?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (Arc::clone(&last.key.tenant.0), last.key.conversation);
        for found in &page {
            let (tenant, id) = (&*found.key.tenant.0, Blob16::from(found.key.conversation));
            let record = renew(found)?;
            let put = || {
                let columns = (tenant, id, record, integer(found.epoch));
                transaction.prepare_cached(update)?.execute(columns)
            };
            attempt(what, put())?;
        }
    }
}
