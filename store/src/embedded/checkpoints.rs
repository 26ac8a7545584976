//! Checkpoints in SQLite, the lists read from them, and the marks that say they are behind.

use std::cmp::Reverse;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use switchboard_domain::conversation::{Conversation, Heads, Status};
use switchboard_domain::ids::{ConversationId, Seq, TenantId, Timestamp};

use super::column::{Blob16, integer, position, unsigned};
use super::error::{Stop, unreadable};
use super::events;
use super::writer::Tables;
use crate::port::{ConversationKey, Fault, List, ListScope};
use crate::record::{CheckpointPlace, decode_checkpoint, encode_checkpoint};

const HEADS: &str = "SELECT public_head, internal_head FROM checkpoint \
     WHERE tenant = ?1 AND conversation = ?2";
const PUT: &str = "INSERT OR REPLACE INTO checkpoint \
     (tenant, conversation, number, status, department, agent, visitor, last_at, \
      last_public_at, closed_at, public_head, internal_head, record) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const GET: &str = "SELECT record FROM checkpoint WHERE tenant = ?1 AND conversation = ?2";
const CLEAR: &str = "DELETE FROM dirty WHERE tenant = ?1 AND conversation = ?2";
const DIRTY: &str = "SELECT tenant, conversation FROM dirty LIMIT ?1";
const BY_NUMBER: &str = "SELECT conversation FROM checkpoint WHERE tenant = ?1 AND number = ?2";

// One stretch of an index each, newest first, without reading the rows themselves.
const BY_STATUS: &str = "SELECT last_at, conversation, status, department FROM checkpoint \
     WHERE tenant = ?1 AND status = ?2 AND (last_at, conversation) < (?3, ?4) \
     ORDER BY last_at DESC, conversation DESC";
const BY_AGENT: &str = "SELECT last_at, conversation, status, department FROM checkpoint \
     WHERE tenant = ?1 AND status = ?2 AND (last_at, conversation) < (?3, ?4) AND agent IS ?5 \
     ORDER BY last_at DESC, conversation DESC";
const BY_VISITOR: &str = "SELECT last_public_at, conversation, status, department FROM checkpoint \
     WHERE tenant = ?1 AND visitor = ?2 AND (last_public_at, conversation) < (?3, ?4) \
     ORDER BY last_public_at DESC, conversation DESC";

const CLOSED: &str = "SELECT conversation FROM checkpoint \
     WHERE tenant = ?1 AND closed_at < ?2 \
     AND NOT EXISTS (SELECT 1 FROM dirty \
         WHERE dirty.tenant = ?1 AND dirty.conversation = checkpoint.conversation) \
     ORDER BY closed_at LIMIT ?3";
const PURGE: [&str; 5] = [
    "DELETE FROM block WHERE id IN \
         (SELECT block FROM run WHERE tenant = ?1 AND conversation = ?2)",
    "DELETE FROM run WHERE tenant = ?1 AND conversation = ?2",
    "DELETE FROM receipt WHERE tenant = ?1 AND conversation = ?2",
    "DELETE FROM reading WHERE tenant = ?1 AND conversation = ?2",
    "DELETE FROM checkpoint WHERE tenant = ?1 AND conversation = ?2",
];
/// Gives at most 1 MiB of free pages back to the file system.
const SHRINK: &str = "PRAGMA incremental_vacuum(256)";

const STATUSES: [Status; 4] = [Status::Waiting, Status::Active, Status::Closed, Status::Archived];

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Waiting => "waiting",
        Status::Active => "active",
        Status::Closed => "closed",
        Status::Archived => "archived",
    }
}

/// A checkpoint with its stored form.
#[derive(Debug)]
pub(super) struct Encoded {
    key: ConversationKey,
    checkpoint: Conversation,
    record: Vec<u8>,
}

impl Encoded {
    pub(super) fn new(key: ConversationKey, checkpoint: Conversation) -> Result<Self, Fault> {
        let record = encode_checkpoint(CheckpointPlace(&key), &checkpoint)?;
        Ok(Self { key, checkpoint, record })
    }

    /// What it takes in the queue.
    pub(super) fn bytes(&self) -> usize {
        self.record.len()
    }
}

/// Writes checkpoints that are not older than the stored ones, and takes the mark from logs that
/// they have caught up with.
pub(super) fn put(tables: &mut Tables<'_>, checkpoints: &[Encoded]) -> Result<(), Stop> {
    for encoded in checkpoints {
        let Encoded { key, checkpoint, record } = encoded;
        let is_covered = |heads: Heads| {
            heads.public <= checkpoint.heads.public && heads.internal <= checkpoint.heads.internal
        };
        let log = events::heads(tables, key)?;
        let key_columns = (&*key.tenant.0, Blob16::from(key.conversation));
        if is_covered(log) {
            tables.connection.prepare_cached(CLEAR)?.execute(key_columns)?;
        }
        let stored = tables
            .connection
            .prepare_cached(HEADS)?
            .query_row(key_columns, |row| {
                Ok(Heads {
                    public: Seq(unsigned(row.get(0)?)),
                    internal: Seq(unsigned(row.get(1)?)),
                })
            })
            .optional()?;
        if stored.is_none_or(is_covered) {
            write(tables.connection, key, checkpoint, record)?;
        }
    }
    Ok(())
}

fn write(
    connection: &Connection,
    key: &ConversationKey,
    checkpoint: &Conversation,
    record: &[u8],
) -> rusqlite::Result<()> {
    let department = checkpoint.department.as_ref().map(|department| &*department.0);
    let agent = checkpoint.agent.as_ref().map(|agent| Blob16::from(agent.id));
    connection.prepare_cached(PUT)?.execute((
        &*key.tenant.0,
        Blob16::from(key.conversation),
        integer(checkpoint.number.0),
        status_name(checkpoint.status),
        department,
        agent,
        Blob16::from(checkpoint.visitor.id),
        checkpoint.last_at.0,
        checkpoint.last_public_at.0,
        checkpoint.closed_at.map(|at| at.0),
        position(checkpoint.heads.public),
        position(checkpoint.heads.internal),
        record,
    ))?;
    Ok(())
}

/// The stored checkpoint.
pub(super) fn get(
    connection: &Connection,
    key: &ConversationKey,
) -> Result<Option<Conversation>, Fault> {
    let query = || -> rusqlite::Result<Option<Result<Conversation, Fault>>> {
        let mut statement = connection.prepare_cached(GET)?;
        let mut rows = statement.query((&*key.tenant.0, Blob16::from(key.conversation)))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(decode_checkpoint(CheckpointPlace(key), row.get_ref(0)?.as_blob()?)))
    };
    query().map_err(|why| unreadable(&CheckpointPlace(key), &why))?.transpose()
}

/// Logs whose checkpoint is behind.
pub(super) fn dirty(connection: &Connection, limit: usize) -> Result<Vec<ConversationKey>, Fault> {
    let query = || -> rusqlite::Result<Vec<ConversationKey>> {
        let mut statement = connection.prepare_cached(DIRTY)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        statement
            .query_map([limit], |row| {
                let tenant = TenantId(Arc::from(row.get_ref(0)?.as_str()?));
                Ok(ConversationKey { tenant, conversation: row.get::<_, Blob16>(1)?.into() })
            })?
            .collect()
    };
    query().map_err(|why| unreadable(&"dirty marks", &why))
}

/// The conversation of that number.
pub(super) fn by_number(
    connection: &Connection,
    tenant: &TenantId,
    number: u64,
) -> Result<Option<ConversationId>, Fault> {
    let query = || {
        let mut statement = connection.prepare_cached(BY_NUMBER)?;
        statement.query_row((&*tenant.0, integer(number)), |row| row.get::<_, Blob16>(0)).optional()
    };
    let found =
        query().map_err(|why| unreadable(&format_args!("number {tenant}/{number}"), &why))?;
    Ok(found.map(ConversationId::from))
}

/// A page of a list: stretches of an index, merged, then the checkpoints themselves.
pub(super) fn list(connection: &Connection, list: &List) -> Result<Vec<Conversation>, Fault> {
    let query = || -> rusqlite::Result<Vec<Result<Conversation, Fault>>> {
        // One transaction, so that the index and the rows tell the same moment.
        let transaction = connection.unchecked_transaction()?;
        let mut positions = positions(&transaction, list)?;
        positions.sort_unstable_by_key(|position| Reverse(*position));
        positions.truncate(list.limit);
        let mut page = Vec::with_capacity(positions.len());
        for (_, conversation) in positions {
            let key = ConversationKey { tenant: list.tenant.clone(), conversation };
            page.extend(get(&transaction, &key).transpose());
        }
        transaction.commit()?;
        Ok(page)
    };
    let page = query().map_err(|why| unreadable(&format_args!("list of {}", list.tenant), &why))?;
    page.into_iter().collect()
}

type Position = (Timestamp, ConversationId);

/// The first `limit` positions of each stretch of index that the list is made of.
fn positions(connection: &Connection, list: &List) -> rusqlite::Result<Vec<Position>> {
    let tenant = &*list.tenant.0;
    let newest = (Timestamp(i64::MAX), ConversationId::from_u128(u128::MAX));
    let (at, id) = list.after.unwrap_or(newest);
    let (at, id) = (at.0, Blob16::from(id));
    let mut found = Vec::new();
    let mut take = |rows: rusqlite::Rows<'_>| take(rows, list, &mut found);
    if let ListScope::Visitor(visitor) = list.scope {
        let mut statement = connection.prepare_cached(BY_VISITOR)?;
        take(statement.query((tenant, Blob16::from(visitor), at, id))?)?;
        return Ok(found);
    }
    let is_wanted = |status| list.statuses.is_empty() || list.statuses.contains(status);
    for status in STATUSES.iter().filter(|status| is_wanted(status)) {
        let status = status_name(*status);
        let agent = match list.scope {
            ListScope::Agent(agent) => Some(Some(Blob16::from(agent))),
            ListScope::Unassigned => Some(None),
            ListScope::All | ListScope::Visitor(_) => None,
        };
        if let Some(agent) = agent {
            let mut statement = connection.prepare_cached(BY_AGENT)?;
            take(statement.query((tenant, status, at, id, agent))?)?;
        } else {
            let mut statement = connection.prepare_cached(BY_STATUS)?;
            take(statement.query((tenant, status, at, id))?)?;
        }
    }
    Ok(found)
}

/// Takes the first rows of one stretch that the list's filters let through.
fn take(
    mut rows: rusqlite::Rows<'_>,
    list: &List,
    found: &mut Vec<Position>,
) -> rusqlite::Result<()> {
    let mut left = list.limit;
    while left > 0 {
        let Some(row) = rows.next()? else { break };
        if is_listed(row, list)? {
            found.push((Timestamp(row.get(0)?), row.get::<_, Blob16>(1)?.into()));
            left -= 1;
        }
    }
    Ok(())
}

fn is_listed(row: &Row<'_>, list: &List) -> rusqlite::Result<bool> {
    let status = row.get_ref(2)?.as_str()?;
    let department = row.get_ref(3)?.as_str_or_null()?;
    let has_status = list.statuses.is_empty()
        || list.statuses.iter().any(|wanted| status_name(*wanted) == status);
    let has_department =
        list.department.as_ref().is_none_or(|wanted| department == Some(&*wanted.0));
    Ok(has_status && has_department)
}

/// Deletes up to `limit` conversations that were closed before that time; answers how many.
pub(super) fn purge(
    tables: &mut Tables<'_>,
    tenant: &TenantId,
    before: Timestamp,
    limit: usize,
) -> Result<usize, Stop> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let closed: Vec<Blob16> = tables
        .connection
        .prepare_cached(CLOSED)?
        .query_map((&*tenant.0, before.0, limit), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if !closed.is_empty() {
        // Else what is recent of them would come back.
        tables.mover.file_all(tables.connection)?;
    }
    for id in &closed {
        for sql in PURGE {
            tables.connection.prepare_cached(sql)?.execute((&*tenant.0, *id))?;
        }
        let key = ConversationKey { tenant: tenant.clone(), conversation: (*id).into() };
        tables.heads.put(&key, Heads::default());
    }
    if !closed.is_empty() {
        let mut statement = tables.connection.prepare_cached(SHRINK)?;
        let mut rows = statement.query(())?;
        while rows.next()?.is_some() {}
    }
    Ok(closed.len())
}
