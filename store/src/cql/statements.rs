//! Every statement, prepared once. All but the conditional ones may be sent twice: they carry
//! their time, so the second changes nothing.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::session::Session;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;
use scylla::statement::{Consistency, SerialConsistency};

use super::Retention;
use super::error::ConnectError;
use super::sabotage::Sabotage;

/// How long the driver waits for an answer. Longer than the database's own 2 s, so that it is the
/// database that says what happened.
const PLAIN_TIMEOUT: Duration = Duration::from_millis(2_500);
/// The same for conditional writes, which take four rounds and may have to take turns.
const CONDITIONAL_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for leases and claims: a lease is trusted for four seconds, and an attempt that fails
/// must leave time for a look and another.
const LEASE_TIMEOUT: Duration = Duration::from_secs(1);
/// Rows of one page.
const PAGE_ROWS: i32 = 500;

/// A statement of the schema, which is not worth preparing. Tables take a while to be made.
pub(super) fn unprepared(cql: &str) -> Statement {
    let mut statement = Statement::new(cql);
    statement.set_request_timeout(Some(Duration::from_secs(60)));
    statement
}

/// Prepares, by what a statement does.
struct Preparing<'session> {
    session: &'session Session,
    retention: Retention,
    sabotage: Sabotage,
}

impl Preparing<'_> {
    async fn any(&self, cql: &str) -> Result<PreparedStatement, ConnectError> {
        let cql = cql.replace("{event}", self.retention.table());
        let prepared = self.session.prepare(cql.as_str()).await;
        let mut prepared = prepared.map_err(|why| ConnectError::Statement {
            statement: cql.clone(),
            why: why.to_string(),
        })?;
        prepared.set_consistency(Consistency::LocalQuorum);
        prepared.set_serial_consistency(Some(SerialConsistency::LocalSerial));
        prepared.set_page_size(PAGE_ROWS);
        Ok(prepared)
    }

    /// Reads and writes without a condition. The driver tries reads again, elsewhere.
    async fn read(&self, cql: &str) -> Result<PreparedStatement, ConnectError> {
        let mut prepared = self.any(cql).await?;
        prepared.set_is_idempotent(true);
        prepared.set_request_timeout(Some(PLAIN_TIMEOUT));
        Ok(prepared)
    }

    /// The driver tries no write again: whoever wrote must know what each attempt came to.
    async fn write(&self, cql: &str) -> Result<PreparedStatement, ConnectError> {
        let mut prepared = self.read(cql).await?;
        prepared.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy)));
        Ok(prepared)
    }

    /// Conditional writes, and the reads that resolve what came of them.
    async fn conditional(&self, cql: &str) -> Result<PreparedStatement, ConnectError> {
        let mut prepared = self.any(cql).await?;
        prepared.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy)));
        prepared.set_request_timeout(Some(CONDITIONAL_TIMEOUT));
        Ok(prepared)
    }

    /// The one that moves a head.
    async fn of_heads(&self, cql: &str) -> Result<PreparedStatement, ConnectError> {
        self.conditional(&self.sabotage.moving(cql)).await
    }

    /// What keeps a lease must be answered while there is time to ask again.
    async fn lease_write(&self, cql: &str) -> Result<PreparedStatement, ConnectError> {
        let mut prepared = self.conditional(cql).await?;
        prepared.set_request_timeout(Some(LEASE_TIMEOUT));
        Ok(prepared)
    }

    async fn lease_read(&self, cql: &str) -> Result<PreparedStatement, ConnectError> {
        let mut prepared = self.serial_read(cql).await?;
        prepared.set_request_timeout(Some(LEASE_TIMEOUT));
        Ok(prepared)
    }

    async fn serial_read(&self, cql: &str) -> Result<PreparedStatement, ConnectError> {
        let mut prepared = self.conditional(cql).await?;
        prepared.set_consistency(Consistency::LocalSerial);
        Ok(prepared)
    }
}

/// Names each statement, how it is prepared, and its text.
macro_rules! statements {
    ($($name:ident: $way:ident = $cql:expr;)*) => {
        /// The statements by what they do.
        #[derive(Debug)]
        pub(super) struct Statements {
            $(pub(super) $name: PreparedStatement,)*
        }

        impl Statements {
            pub(super) async fn prepare(
                session: &Session,
                retention: Retention,
                sabotage: Sabotage,
            ) -> Result<Self, ConnectError> {
                let preparing = Preparing { session, retention, sabotage };
                Ok(Self { $($name: preparing.$way($cql).await?,)* })
            }
        }
    };
}

statements! {
    put_event: write = "INSERT INTO {event} (tenant, conversation, stream, bucket, seq, epoch, \
        public_upto, internal_upto, device, n, record) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    events: read = "SELECT seq, epoch, record FROM {event} WHERE tenant = ? AND conversation = ? \
        AND stream = ? AND bucket = ? AND seq >= ? AND seq <= ?";
    tail: read = "SELECT seq, epoch, public_upto, internal_upto, device, n, record, \
        WRITETIME(record) FROM {event} WHERE tenant = ? AND conversation = ? \
        AND stream = ? AND bucket = ? AND seq >= ?";
    sends: read = "SELECT seq, epoch, device, n, record FROM {event} WHERE tenant = ? \
        AND conversation = ? AND stream = ? AND bucket = ? AND seq <= ?";
    drop_events: write = "DELETE FROM {event} USING TIMESTAMP ? WHERE tenant = ? \
        AND conversation = ? AND stream = ? AND bucket = ?";

    head_read: read = "SELECT epoch, public_start, internal_start FROM conversation_head \
        WHERE tenant = ? AND conversation = ?";
    head: serial_read = "SELECT epoch, public_start, internal_start FROM conversation_head \
        WHERE tenant = ? AND conversation = ?";
    begin_head: conditional = "INSERT INTO conversation_head (tenant, conversation, epoch, \
        public_start, internal_start) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS";
    take_head: of_heads = "UPDATE conversation_head SET epoch = ?, public_start = ?, \
        internal_start = ? WHERE tenant = ? AND conversation = ? \
        IF epoch = ? AND public_start = ? AND internal_start = ?";
    drop_head: conditional = "DELETE FROM conversation_head WHERE tenant = ? AND conversation = ? \
        IF epoch = ? AND public_start = ? AND internal_start = ?";

    card: read = "SELECT public_head, internal_head, record FROM conversation_card \
        WHERE tenant = ? AND conversation = ?";
    card_heads: read = "SELECT public_head, internal_head FROM conversation_card \
        WHERE tenant = ? AND conversation = ?";
    put_card: write = "INSERT INTO conversation_card (tenant, conversation, public_head, \
        internal_head, record) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?";
    drop_card: write = "DELETE FROM conversation_card USING TIMESTAMP ? \
        WHERE tenant = ? AND conversation = ?";

    mark: write = "INSERT INTO conversation_behind (slice, tenant, conversation) \
        VALUES (?, ?, ?) USING TIMESTAMP ?";
    unmark: write = "DELETE FROM conversation_behind USING TIMESTAMP ? \
        WHERE slice = ? AND tenant = ? AND conversation = ?";
    marks: read = "SELECT tenant, conversation FROM conversation_behind WHERE slice = ? LIMIT ?";
    is_marked: read = "SELECT conversation FROM conversation_behind \
        WHERE slice = ? AND tenant = ? AND conversation = ?";

    put_entry: write = "INSERT INTO list_entry (tenant, list, bucket, at, conversation, status, \
        agent, department) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    drop_entry: write = "DELETE FROM list_entry USING TIMESTAMP ? \
        WHERE tenant = ? AND list = ? AND bucket = ? AND at = ? AND conversation = ?";
    entries: read = "SELECT at, conversation, status, agent, department FROM list_entry \
        WHERE tenant = ? AND list = ? AND bucket = ? AND (at, conversation) < (?, ?) LIMIT ?";
    oldest_entries: read = "SELECT at, conversation FROM list_entry \
        WHERE tenant = ? AND list = ? AND bucket = ? \
        AND (at, conversation) > (?, ?) AND (at, conversation) < (?, ?) \
        ORDER BY at ASC, conversation ASC LIMIT ?";
    put_bucket: write = "INSERT INTO list_bucket (tenant, list, bucket) VALUES (?, ?, ?)";
    buckets: read = "SELECT bucket FROM list_bucket WHERE tenant = ? AND list = ? AND bucket <= ?";

    number: read = "SELECT conversation FROM conversation_number WHERE tenant = ? AND number = ?";
    put_number: write = "INSERT INTO conversation_number (tenant, number, conversation) \
        VALUES (?, ?, ?) USING TIMESTAMP ?";
    drop_number: write = "DELETE FROM conversation_number USING TIMESTAMP ? \
        WHERE tenant = ? AND number = ?";

    receipts: read = "SELECT principal, kind, upto, visitor, agent, system, checksum FROM receipt \
        WHERE tenant = ? AND conversation = ? GROUP BY principal, kind";
    readings: read = "SELECT principal, kind, upto, WRITETIME(checksum) FROM receipt \
        WHERE tenant = ? AND conversation = ?";
    put_receipt: write = "INSERT INTO receipt (tenant, conversation, principal, kind, upto, \
        visitor, agent, system, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    drop_receipts: write = "DELETE FROM receipt USING TIMESTAMP ? \
        WHERE tenant = ? AND conversation = ?";

    document: read = "SELECT version, bytes, checksum, writer FROM document \
        WHERE tenant = ? AND kind = ? AND slice = ? AND id = ?";
    document_now: serial_read = "SELECT version, bytes, checksum, writer FROM document \
        WHERE tenant = ? AND kind = ? AND slice = ? AND id = ?";
    documents: read = "SELECT id, version, bytes, checksum FROM document \
        WHERE tenant = ? AND kind = ? AND slice = ? AND id > ? LIMIT ?";
    create_document: conditional = "INSERT INTO document (version, bytes, checksum, writer, \
        tenant, kind, slice, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS";
    replace_document: conditional = "UPDATE document \
        SET version = ?, bytes = ?, checksum = ?, writer = ? \
        WHERE tenant = ? AND kind = ? AND slice = ? AND id = ? IF version = ?";
    drop_document: conditional = "DELETE FROM document \
        WHERE tenant = ? AND kind = ? AND slice = ? AND id = ? IF version = ?";

    block: serial_read = "SELECT next, writer FROM number_block WHERE tenant = ?";
    begin_block: conditional = "INSERT INTO number_block (tenant, next, writer) \
        VALUES (?, ?, ?) IF NOT EXISTS";
    take_block: conditional = "UPDATE number_block SET next = ?, writer = ? \
        WHERE tenant = ? IF next = ?";

    lease: lease_read = "SELECT boot, beat, state, address, weight FROM node_lease \
        WHERE node = ?";
    leases: read = "SELECT node, boot, beat, state, address, weight FROM node_lease";
    begin_lease: lease_write = "INSERT INTO node_lease (node, boot, beat, state, address, weight) \
        VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS";
    replace_lease: lease_write = "UPDATE node_lease SET boot = ?, beat = ?, state = ?, \
        address = ?, weight = ? WHERE node = ? IF boot = ? AND beat = ?";

    owner: lease_read = "SELECT epoch, node, boot FROM shard_owner WHERE shard = ?";
    owners: read = "SELECT shard, epoch, node, boot FROM shard_owner";
    begin_owner: lease_write = "INSERT INTO shard_owner (shard, epoch, node, boot) \
        VALUES (?, ?, ?, ?) IF NOT EXISTS";
    replace_owner: lease_write = "UPDATE shard_owner SET epoch = ?, node = ?, boot = ? \
        WHERE shard = ? IF epoch = ? AND node = ? AND boot = ?";
}
