//! The tables of logs in CQL.

use std::sync::Arc;
use std::time::Duration;

use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::statement::Consistency;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use switchboard_domain::conversation::{Heads, Stream};
use switchboard_domain::ids::Seq;
use uuid::Uuid;

use super::cards::mark_slice;
use super::column::{bigint, counted, stream as stream_column};
use super::database::Database;
use crate::log::{Applied, Record, Row, Rule, Stretch, Tables};
use crate::port::{ConversationKey, Fault};

/// As long as the driver waits for any plain write.
const BATCH_TIMEOUT: Duration = Duration::from_millis(2_500);

/// The epoch and the starts.
pub(super) type HeadRow = (i64, i64, i64);

fn rule_of((epoch, public, internal): HeadRow) -> Rule {
    let starts = Heads { public: Seq(counted(public)), internal: Seq(counted(internal)) };
    Rule { epoch, starts }
}

fn row_of(Rule { epoch, starts }: Rule) -> HeadRow {
    (epoch, bigint(starts.public.0), bigint(starts.internal.0))
}

type Columns<'row> =
    (&'row str, Uuid, i8, i64, i64, i64, i64, i64, Option<Uuid>, Option<i64>, &'row [u8], i64);

fn columns<'row>(key: &'row ConversationKey, partition: i64, row: &'row Row) -> Columns<'row> {
    (
        &*key.tenant.0,
        key.conversation.uuid(),
        stream_column(row.stream),
        partition,
        bigint(row.seq.0),
        row.epoch,
        bigint(row.upto.public.0),
        bigint(row.upto.internal.0),
        row.outbox.0,
        row.outbox.1,
        &row.record,
        row.at,
    )
}

impl Tables for Arc<Database> {
    async fn head(&self, key: &ConversationKey) -> Result<Option<Rule>, Fault> {
        let values = (&*key.tenant.0, key.conversation.uuid());
        let head: Option<HeadRow> = self.row(&self.of.head, values).await?;
        Ok(head.map(rule_of))
    }

    async fn head_as_read(&self, key: &ConversationKey) -> Result<Option<Rule>, Fault> {
        let values = (&*key.tenant.0, key.conversation.uuid());
        let head: Option<HeadRow> = self.row(&self.of.head_read, values).await?;
        Ok(head.map(rule_of))
    }

    async fn begin_head(&self, key: &ConversationKey, head: Rule) -> Result<Applied, Fault> {
        let row = row_of(head);
        let values = (&*key.tenant.0, key.conversation.uuid(), row.0, row.1, row.2);
        self.condition(&self.of.begin_head, values).await
    }

    async fn move_head(
        &self,
        key: &ConversationKey,
        before: Rule,
        head: Rule,
    ) -> Result<Applied, Fault> {
        let (row, expected) = (row_of(head), self.sabotage.expected(row_of(before), head));
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let values = (row.0, row.1, row.2, tenant, id, expected.0, expected.1, expected.2);
        self.condition(&self.of.take_head, values).await
    }

    async fn drop_head(&self, key: &ConversationKey, before: Rule) -> Result<Applied, Fault> {
        let row = row_of(before);
        let values = (&*key.tenant.0, key.conversation.uuid(), row.0, row.1, row.2);
        self.condition(&self.of.drop_head, values).await
    }

    async fn tail(
        &self,
        key: &ConversationKey,
        stream: Stream,
        partition: i64,
        first: Seq,
    ) -> Result<Vec<Row>, Fault> {
        type Found = (i64, i64, i64, i64, Option<Uuid>, Option<i64>, Vec<u8>, i64);
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let values = (tenant, id, stream_column(stream), partition, bigint(first.0));
        let rows: Vec<Found> = self.rows(&self.of.tail, values).await?;
        let row = |(seq, epoch, public, internal, device, n, record, at): Found| {
            let upto = Heads { public: Seq(counted(public)), internal: Seq(counted(internal)) };
            Row { stream, seq: Seq(counted(seq)), epoch, upto, outbox: (device, n), record, at }
        };
        Ok(rows.into_iter().map(row).collect())
    }

    async fn events(&self, key: &ConversationKey, stretch: Stretch) -> Result<Vec<Record>, Fault> {
        let Stretch { stream, partition, first, last } = stretch;
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let within = (bigint(first.0), bigint(last.0));
        let values = (tenant, id, stream_column(stream), partition, within.0, within.1);
        let rows: Vec<(i64, i64, Vec<u8>)> = self.rows(&self.of.events, values).await?;
        let record = |(seq, epoch, bytes)| Record {
            seq: Seq(counted(seq)),
            epoch,
            outbox: (None, None),
            bytes,
        };
        Ok(rows.into_iter().map(record).collect())
    }

    async fn sends(&self, key: &ConversationKey, stretch: Stretch) -> Result<Vec<Record>, Fault> {
        type Found = (i64, i64, Option<Uuid>, Option<i64>, Vec<u8>);
        let Stretch { stream, partition, last, .. } = stretch;
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let values = (tenant, id, stream_column(stream), partition, bigint(last.0));
        let rows: Vec<Found> = self.rows(&self.of.sends, values).await?;
        let record = |(seq, epoch, device, n, bytes): Found| Record {
            seq: Seq(counted(seq)),
            epoch,
            outbox: (device, n),
            bytes,
        };
        Ok(rows.into_iter().map(record).collect())
    }

    async fn put(&self, key: &ConversationKey, partition: i64, rows: &[Row]) -> Result<(), Fault> {
        let put_event = &self.of.put_event;
        if let [row] = rows {
            return self.write(put_event, columns(key, partition, row)).await;
        }
        let statements = vec![BatchStatement::from(put_event.clone()); rows.len()];
        let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
        batch.set_consistency(Consistency::LocalQuorum);
        batch.set_is_idempotent(true);
        batch.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy)));
        batch.set_request_timeout(Some(BATCH_TIMEOUT));
        let values: Vec<_> = rows.iter().map(|row| columns(key, partition, row)).collect();
        self.write_batch(&batch, values).await
    }

    async fn covered(&self, key: &ConversationKey) -> Result<Option<Heads>, Fault> {
        let values = (&*key.tenant.0, key.conversation.uuid());
        let row: Option<(i64, i64)> = self.row(&self.of.card_heads, values).await?;
        Ok(row.map(|(public, internal)| Heads {
            public: Seq(counted(public)),
            internal: Seq(counted(internal)),
        }))
    }

    async fn mark(&self, key: &ConversationKey) -> Result<(), Fault> {
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let values = (mark_slice(key), tenant, id, Database::now(self));
        self.write(&self.of.mark, values).await
    }

    async fn unmark(&self, key: &ConversationKey) -> Result<(), Fault> {
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let values = (Database::now(self), mark_slice(key), tenant, id);
        self.write(&self.of.unmark, values).await
    }

    fn now(&self) -> i64 {
        Database::now(self)
    }
}
