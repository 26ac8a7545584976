//! Documents and numbers in SQLite.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use switchboard_domain::ids::TenantId;

use super::column::{integer, unsigned};
use super::error::{Stop, unreadable};
use super::writer::Tables;
use crate::port::{Document, DocumentKey, Expect, Fault, NUMBERS_START};
use crate::record::{DocumentPlace, checksum, damaged};

const GET: &str = "SELECT id, version, bytes, checksum FROM document \
     WHERE tenant = ?1 AND kind = ?2 AND id = ?3";
const PAGE: &str = "SELECT id, version, bytes, checksum FROM document \
     WHERE tenant = ?1 AND kind = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
const FIRST_PAGE: &str = "SELECT id, version, bytes, checksum FROM document \
     WHERE tenant = ?1 AND kind = ?2 AND ?3 IS NULL ORDER BY id LIMIT ?4";
const VERSION: &str = "SELECT version FROM document \
     WHERE tenant = ?1 AND kind = ?2 AND id = ?3";
const PUT: &str = "INSERT OR REPLACE INTO document (tenant, kind, id, version, bytes, checksum) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const DELETE: &str = "DELETE FROM document WHERE tenant = ?1 AND kind = ?2 AND id = ?3";
const TAKE: &str = "INSERT INTO number (tenant, next) VALUES (?1, ?2 + ?3) \
     ON CONFLICT (tenant) DO UPDATE SET next = next + ?3 RETURNING next";

/// Reads a document.
pub(super) fn get(connection: &Connection, key: &DocumentKey) -> Result<Option<Document>, Fault> {
    let query = || -> rusqlite::Result<Option<Result<Document, Fault>>> {
        let mut statement = connection.prepare_cached(GET)?;
        statement
            .query_row((&*key.tenant.0, key.kind, &*key.id), |row| {
                decode(&key.tenant, key.kind, row)
            })
            .optional()
    };
    query().map_err(|why| unreadable(&name(key), &why))?.transpose()
}

/// A page of the documents of one kind.
pub(super) fn page(
    connection: &Connection,
    tenant: &TenantId,
    kind: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Document>, Fault> {
    let sql = if after.is_some() { PAGE } else { FIRST_PAGE };
    let query = || -> rusqlite::Result<Vec<Result<Document, Fault>>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(sql)?;
        let columns = (&*tenant.0, kind, after, limit);
        statement.query_map(columns, |row| decode(tenant, kind, row))?.collect()
    };
    let of = format_args!("documents {tenant}/{kind}");
    query().map_err(|why| unreadable(&of, &why))?.into_iter().collect()
}

/// The document of a row `id, version, bytes, checksum`.
pub(super) fn decode(
    tenant: &TenantId,
    kind: &str,
    row: &Row<'_>,
) -> rusqlite::Result<Result<Document, Fault>> {
    let id: Arc<str> = Arc::from(row.get_ref(0)?.as_str()?);
    let version = unsigned(row.get(1)?);
    let bytes: Vec<u8> = row.get(2)?;
    let sum: u32 = row.get(3)?;
    let place = DocumentPlace { tenant, kind, id: &id, version };
    if checksum(&place, &bytes) != sum {
        return Ok(Err(damaged(&place, &"its checksum does not hold")));
    }
    Ok(Ok(Document { id, version, bytes }))
}

fn name(key: &DocumentKey) -> String {
    format!("document {}/{}/{}", key.tenant, key.kind, key.id)
}

/// Writes a document if `expect` holds; answers its new version.
pub(super) fn put(
    tables: &mut Tables<'_>,
    key: &DocumentKey,
    expect: Expect,
    bytes: &[u8],
) -> Result<u64, Stop> {
    let version = check(tables.connection, key, expect)?.unwrap_or(0) + 1;
    let place = DocumentPlace { tenant: &key.tenant, kind: key.kind, id: &key.id, version };
    tables.connection.prepare_cached(PUT)?.execute((
        &*key.tenant.0,
        key.kind,
        &*key.id,
        integer(version),
        bytes,
        checksum(&place, bytes),
    ))?;
    Ok(version)
}

/// Removes a document if `expect` holds.
pub(super) fn delete(
    tables: &mut Tables<'_>,
    key: &DocumentKey,
    expect: Expect,
) -> Result<(), Stop> {
    check(tables.connection, key, expect)?;
    let columns = (&*key.tenant.0, key.kind, &*key.id);
    tables.connection.prepare_cached(DELETE)?.execute(columns)?;
    Ok(())
}

/// The stored version, once `expect` holds.
fn check(connection: &Connection, key: &DocumentKey, expect: Expect) -> Result<Option<u64>, Stop> {
    let stored = connection
        .prepare_cached(VERSION)?
        .query_row((&*key.tenant.0, key.kind, &*key.id), |row| row.get(0))
        .optional()?
        .map(unsigned);
    if expect.holds(stored) { Ok(stored) } else { Err(Fault::Changed.into()) }
}

/// Takes `count` numbers for good; answers the first.
pub(super) fn take_numbers(
    tables: &mut Tables<'_>,
    tenant: &TenantId,
    count: u64,
) -> Result<u64, Stop> {
    let mut statement = tables.connection.prepare_cached(TAKE)?;
    let columns = (&*tenant.0, integer(NUMBERS_START), integer(count));
    let next: i64 = statement.query_row(columns, |row| row.get(0))?;
    Ok(unsigned(next) - count)
}
