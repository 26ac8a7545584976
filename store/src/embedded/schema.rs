//! The tables, and the steps from any older version to them.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::{Error, attempt};
use super::layout_1;

/// Marks a database file as ours: "SWBD".
const APPLICATION_ID: i32 = 0x5357_4244;

/// One step per version; the last one leads to [`version`]. A step never changes once it was
/// released.
const STEPS: &[Step] = &[step_1, step_2, step_3, step_4];

/// The version from which on events are filed in runs.
pub(super) const RUNS_SINCE: u32 = 2;
/// The version from which on large runs have their values in blocks.
pub(super) const BLOCKS_SINCE: u32 = 4;

type Step = fn(&Transaction<'_>) -> rusqlite::Result<()>;

fn step_1(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES_1)
}

/// From a row for each event to a row for a run of them, which step 4 fills.
fn step_2(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES_2)
}

fn step_3(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES_3)
}

/// Large runs no longer stand between the keys of others. What is filed stays where it is; events
/// of version 1 are filed now, for they are filed as everything is.
fn step_4(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES_4)?;
    if layout_1::is_left(transaction)? {
        layout_1::file_all(transaction)?;
        transaction.execute_batch(layout_1::DROP)?;
    }
    Ok(())
}

/// Clustered keys (`WITHOUT ROWID`): a page of a log is one range of one tree, and a purge frees
/// whole pages.
const TABLES_1: &str = "
CREATE TABLE event (
    tenant TEXT NOT NULL,
    conversation BLOB NOT NULL,
    stream INTEGER NOT NULL,            -- 0 public, 1 internal
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    device BLOB,                        -- of the idempotency key; NULL without one
    n INTEGER,
    record BLOB NOT NULL,
    PRIMARY KEY (tenant, conversation, stream, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE recent (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    conversation BLOB NOT NULL,
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    device BLOB,
    n INTEGER,
    record BLOB NOT NULL
) STRICT;

-- For people: the log without its two halves.
CREATE VIEW log AS
    SELECT tenant, conversation, stream, seq, epoch, device, n, record FROM event
    UNION
    SELECT tenant, conversation, stream, seq, epoch, device, n, record FROM recent;

CREATE TABLE dirty (
    tenant TEXT NOT NULL,
    conversation BLOB NOT NULL,
    PRIMARY KEY (tenant, conversation)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    tenant TEXT NOT NULL,
    conversation BLOB NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    department TEXT,
    agent BLOB,
    visitor BLOB NOT NULL,
    last_at INTEGER NOT NULL,           -- milliseconds, as all times here
    last_public_at INTEGER NOT NULL,
    closed_at INTEGER,
    public_head INTEGER NOT NULL,
    internal_head INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (tenant, conversation)
) STRICT, WITHOUT ROWID;

-- What follows in each list index after its order is there to filter without reading the row.
CREATE INDEX checkpoint_by_status
    ON checkpoint (tenant, status, last_at, conversation, department);
CREATE INDEX checkpoint_by_agent
    ON checkpoint (tenant, agent, status, last_at, conversation, department);
CREATE INDEX checkpoint_by_visitor
    ON checkpoint (tenant, visitor, last_public_at, conversation, status, department);
CREATE INDEX checkpoint_by_number ON checkpoint (tenant, number);
CREATE INDEX checkpoint_by_closing ON checkpoint (tenant, closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE receipt (
    tenant TEXT NOT NULL,
    conversation BLOB NOT NULL,
    principal BLOB NOT NULL,
    received INTEGER NOT NULL,
    read INTEGER NOT NULL,
    by_visitor INTEGER NOT NULL,        -- messages of each side at `read`
    by_agent INTEGER NOT NULL,
    by_system INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (tenant, conversation, principal)
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE number (
    tenant TEXT NOT NULL PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// The events of a commit are one row of `recent`, and filed in `run` later, many of one log in
/// one row. What `heads` and `records` are is said in `block.rs`.
const TABLES_2: &str = "
ALTER TABLE recent RENAME TO recent_1;

CREATE TABLE recent (
    id INTEGER PRIMARY KEY,
    heads BLOB NOT NULL,                -- of each event: whose, where, its key, its length
    records BLOB NOT NULL
) STRICT;

CREATE TABLE run (
    tenant TEXT NOT NULL,
    conversation BLOB NOT NULL,
    stream INTEGER NOT NULL,            -- 0 public, 1 internal
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    heads BLOB NOT NULL,                -- of each event: its key, its length
    records BLOB NOT NULL,
    PRIMARY KEY (tenant, conversation, stream, last)
) STRICT, WITHOUT ROWID;
";

/// When receipts rose.
const TABLES_3: &str = "
CREATE TABLE reading (
    tenant TEXT NOT NULL,
    conversation BLOB NOT NULL,
    principal BLOB NOT NULL,
    upto INTEGER NOT NULL,
    at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (tenant, conversation, principal, upto)
) STRICT, WITHOUT ROWID;
";

/// SQLite reads a whole row to compare its key, however long the row is. So the tree that is
/// searched keeps short rows, and a run that is long has its values in a row of their own, found by
/// number.
const TABLES_4: &str = "
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    heads BLOB NOT NULL,
    records BLOB NOT NULL
) STRICT;

-- Where the values of a run are; NULL for a run that has them itself.
ALTER TABLE run ADD COLUMN block INTEGER;

-- Runs with their values, wherever those are.
CREATE VIEW filed AS
    SELECT run.tenant, run.conversation, run.stream, run.last, run.first,
        coalesce(block.heads, run.heads) AS heads,
        coalesce(block.records, run.records) AS records
    FROM run LEFT JOIN block ON block.id = run.block;
";

/// The schema version of this program.
pub(super) fn version() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Brings a database to [`version`], all steps in one transaction. A database of a newer program,
/// or of another one, is refused and left as it is.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let found = check(connection)?;
    if found == version() {
        return Ok(());
    }
    let upgrade = |connection: &mut Connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
            step(&transaction)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version())?;
        transaction.commit()
    };
    attempt("bring the schema up to date", upgrade(connection))?;
    tracing::info!(from = found, to = version(), "schema brought up to date");
    Ok(())
}

/// The tables of version 1, for the tests of what becomes of them.
#[cfg(test)]
pub(super) fn write_version_1(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    step_1(transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", 1)
}

/// The schema version found, 0 for an empty database; refuses what this program cannot read.
pub(super) fn check(connection: &Connection) -> Result<u32, Error> {
    let what = "read the schema version";
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let owner = attempt(what, pragma("application_id"))?;
    let found = attempt(what, pragma("user_version"))?;
    let tables =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let is_empty = attempt(what, tables)? == 0 && found == 0 && owner == 0;
    if !is_empty && owner != i64::from(APPLICATION_ID) {
        return Err(Error::Foreign);
    }
    match u32::try_from(found) {
        Ok(found) if found <= version() => Ok(found),
        _ => {
            Err(Error::TooNew { found: u32::try_from(found).unwrap_or(u32::MAX), known: version() })
        }
    }
}
