//! Receipts in SQLite.

use rusqlite::{Connection, OptionalExtension, Row};
use switchboard_domain::conversation::Ordinals;
use switchboard_domain::ids::{Seq, Timestamp};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;

use super::column::{Blob16, position, unsigned};
use super::error::{Stop, unreadable};
use super::writer::Tables;
use crate::port::{ConversationKey, Fault, Reading};
use crate::record::{ReceiptPlace, checksum, damaged, principal_code, principal_of_code};

const ONE: &str = "SELECT principal, received, read, by_visitor, by_agent, by_system, checksum \
     FROM receipt WHERE tenant = ?1 AND conversation = ?2 AND principal = ?3";
const ALL: &str = "SELECT principal, received, read, by_visitor, by_agent, by_system, checksum \
     FROM receipt WHERE tenant = ?1 AND conversation = ?2";
const PUT: &str = "INSERT OR REPLACE INTO receipt \
     (tenant, conversation, principal, received, read, by_visitor, by_agent, by_system, checksum) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const NOTE: &str = "INSERT OR IGNORE INTO reading \
     (tenant, conversation, principal, upto, at, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const READINGS: &str = "SELECT principal, upto, at, checksum \
     FROM reading WHERE tenant = ?1 AND conversation = ?2";

/// Raises receipts.
pub(super) fn put(
    tables: &mut Tables<'_>,
    receipts: &[(ConversationKey, Principal, Receipt)],
) -> Result<(), Stop> {
    // All are read before any is written, because a damaged one refuses.
    let mut raised = Vec::with_capacity(receipts.len());
    for (key, principal, receipt) in receipts {
        let id = Blob16::from(key.conversation);
        let code = principal_code(*principal);
        let stored = tables
            .connection
            .prepare_cached(ONE)?
            .query_row((&*key.tenant.0, id, code), |row| Ok(decode(key, row)))
            .optional()?;
        let stored = stored.transpose()?.map(|(_, stored)| stored).unwrap_or_default();
        raised.push((key, *principal, stored.furthest(*receipt)));
    }
    for (key, principal, receipt) in raised {
        let place = ReceiptPlace { key, principal };
        if let Some(at) = receipt.read_at {
            tables.connection.prepare_cached(NOTE)?.execute((
                &*key.tenant.0,
                Blob16::from(key.conversation),
                principal_code(principal),
                position(receipt.read),
                at.0,
                checksum(&place, &reading_bytes(receipt.read, at)),
            ))?;
        }
        tables.connection.prepare_cached(PUT)?.execute((
            &*key.tenant.0,
            Blob16::from(key.conversation),
            principal_code(principal),
            position(receipt.received),
            position(receipt.read),
            receipt.read_ordinals.visitor,
            receipt.read_ordinals.agent,
            receipt.read_ordinals.system,
            checksum(&place, &bytes(receipt)),
        ))?;
    }
    Ok(())
}

/// All receipts of a conversation.
pub(super) fn get(
    connection: &Connection,
    key: &ConversationKey,
) -> Result<Vec<(Principal, Receipt)>, Fault> {
    let query = || -> rusqlite::Result<Vec<Result<(Principal, Receipt), Fault>>> {
        let mut statement = connection.prepare_cached(ALL)?;
        let columns = (&*key.tenant.0, Blob16::from(key.conversation));
        statement.query_map(columns, |row| Ok(decode(key, row)))?.collect()
    };
    let of = format_args!("receipts of {}/{}", key.tenant, key.conversation);
    query().map_err(|why| unreadable(&of, &why))?.into_iter().collect()
}

/// The receipt of a row as [`ONE`] and [`ALL`] answer it.
pub(super) fn decode(key: &ConversationKey, row: &Row<'_>) -> Result<(Principal, Receipt), Fault> {
    let columns = || -> rusqlite::Result<(Option<Principal>, Receipt, u32)> {
        let principal = principal_of_code(row.get_ref(0)?.as_blob()?);
        let receipt = Receipt {
            received: Seq(unsigned(row.get(1)?)),
            read: Seq(unsigned(row.get(2)?)),
            read_at: None,
            read_ordinals: Ordinals {
                visitor: row.get(3)?,
                agent: row.get(4)?,
                system: row.get(5)?,
            },
        };
        Ok((principal, receipt, row.get(6)?))
    };
    let of = format_args!("receipt of {}/{}", key.tenant, key.conversation);
    let (principal, receipt, sum) = columns().map_err(|why| unreadable(&of, &why))?;
    let Some(principal) = principal else {
        return Err(unreadable(&of, &rusqlite::Error::InvalidQuery));
    };
    let place = ReceiptPlace { key, principal };
    if checksum(&place, &bytes(receipt)) != sum {
        return Err(damaged(&place, &"its checksum does not hold"));
    }
    Ok((principal, receipt))
}

/// When people read a conversation.
pub(super) fn readings(
    connection: &Connection,
    key: &ConversationKey,
) -> Result<Vec<Reading>, Fault> {
    type Columns = (Vec<u8>, i64, i64, u32);
    let of = format_args!("readings of {}/{}", key.tenant, key.conversation);
    let query = || -> rusqlite::Result<Vec<Columns>> {
        let mut statement = connection.prepare_cached(READINGS)?;
        let columns = (&*key.tenant.0, Blob16::from(key.conversation));
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        statement.query_map(columns, row)?.collect()
    };
    let decode = |(code, upto, at, sum): Columns| {
        let principal = principal_of_code(&code);
        let principal = principal.ok_or_else(|| unreadable(&of, &rusqlite::Error::InvalidQuery))?;
        let (upto, at) = (Seq(unsigned(upto)), Timestamp(at));
        let place = ReceiptPlace { key, principal };
        if checksum(&place, &reading_bytes(upto, at)) != sum {
            return Err(damaged(&place, &"its checksum does not hold"));
        }
        Ok(Reading { by: principal, upto, at })
    };
    query().map_err(|why| unreadable(&of, &why))?.into_iter().map(decode).collect()
}

fn reading_bytes(upto: Seq, at: Timestamp) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&upto.0.to_le_bytes());
    bytes[8..].copy_from_slice(&at.0.to_le_bytes());
    bytes
}

fn bytes(receipt: Receipt) -> Vec<u8> {
    let Ordinals { visitor, agent, system } = receipt.read_ordinals;
    let mut bytes = Vec::with_capacity(28);
    bytes.extend(receipt.received.0.to_le_bytes());
    bytes.extend(receipt.read.0.to_le_bytes());
    bytes.extend([visitor, agent, system].into_iter().flat_map(u32::to_le_bytes));
    bytes
}
