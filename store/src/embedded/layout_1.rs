//! The events of schema version 1: a row for each, in `event` and `recent`. Only read, on the way
//! to the present layout, and to check backups that are of that version.

use std::sync::Arc;

use rusqlite::{Connection, Row as SqlRow};
use switchboard_domain::ids::{Seq, TenantId};

use super::block::{Head, Row, stream_of_code};
use super::column::{Blob16, unsigned};
use super::runs;
use crate::port::ConversationKey;

/// What is recent may be in the log already: then it comes twice in a row.
pub(super) const EVENTS: &str = "\
     SELECT tenant, conversation, stream, seq, epoch, device, n, record FROM event \
     UNION ALL SELECT tenant, conversation, stream, seq, epoch, device, n, record FROM recent \
     ORDER BY 1, 2, 3, 4";
/// The same, once `recent` has made room for its successor.
const EVENTS_RENAMED: &str = "\
     SELECT tenant, conversation, stream, seq, epoch, device, n, record FROM event \
     UNION ALL SELECT tenant, conversation, stream, seq, epoch, device, n, record FROM recent_1 \
     ORDER BY 1, 2, 3, 4";
const IS_LEFT: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'recent_1')";
/// Removes what is filed.
pub(super) const DROP: &str = "DROP VIEW log; DROP TABLE event; DROP TABLE recent_1;";

/// Events of one log that are filed together.
const PAGE_ROWS: usize = 1_024;

/// Whether events of version 1 wait to be filed.
pub(super) fn is_left(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(IS_LEFT, (), |row| row.get(0))
}

/// Files every event in `run`. Records are taken over as they are: what was damaged stays so, and
/// is noticed when it is read.
pub(super) fn file_all(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(EVENTS_RENAMED)?;
    let mut rows = statement.query(())?;
    let mut of: Option<ConversationKey> = None;
    let mut page: Vec<Row> = Vec::new();
    while let Some(row) = rows.next()? {
        let (key, row) = event(row)?;
        if of.as_ref() != Some(&key) || page.len() == PAGE_ROWS {
            file(connection, of.as_ref(), &page)?;
            page.clear();
            of = Some(key);
        }
        page.push(row);
    }
    file(connection, of.as_ref(), &page)
}

fn file(
    connection: &Connection,
    key: Option<&ConversationKey>,
    page: &[Row],
) -> rusqlite::Result<()> {
    let Some(key) = key else { return Ok(()) };
    let rows: Vec<&Row> = page.iter().collect();
    runs::file(connection, key, &rows)
}

/// A row of [`EVENTS`].
pub(super) fn event(row: &SqlRow<'_>) -> rusqlite::Result<(ConversationKey, Row)> {
    let tenant = TenantId(Arc::from(row.get_ref(0)?.as_str()?));
    let key = ConversationKey { tenant, conversation: row.get::<_, Blob16>(1)?.into() };
    let code: u8 = row.get(2)?;
    let no_stream = || rusqlite::Error::IntegralValueOutOfRange(2, code.into());
    let device: Option<Blob16> = row.get(5)?;
    let n: Option<i64> = row.get(6)?;
    let head = Head {
        stream: stream_of_code(code).ok_or_else(no_stream)?,
        seq: Seq(unsigned(row.get(3)?)),
        epoch: unsigned(row.get(4)?),
        key: device.zip(n.map(unsigned)),
    };
    Ok((key, Row { head, record: row.get(7)? }))
}
