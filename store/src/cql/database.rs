//! Asking the database: in turn, by prepared statements, and with a clear word on what came of it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt, TryStreamExt};
use scylla::client::session::Session;
use scylla::deserialize::row::DeserializeRow;
use scylla::response::query_result::QueryResult;
use scylla::serialize::batch::BatchValues;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::Batch;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row};

use super::error::{Failure, Outcome};
use super::limit::Limit;
use super::sabotage::Sabotage;
use super::statements::Statements;
use crate::log::Applied;
use crate::port::Fault;

/// How often a plain write is sent, before its outcome is left open. Each attempt waits longer
/// than the one before, so that a database in trouble is not asked more than twice a second.
const ATTEMPTS: u32 = 4;
const BACKOFF: Duration = Duration::from_millis(40);

/// The session, its statements, the bound on what is asked at once, and the clock.
#[derive(Debug)]
pub(super) struct Database {
    session: Session,
    pub(super) of: Statements,
    pub(super) sabotage: Sabotage,
    limit: Limit,
    /// The time last given, in microseconds.
    last: AtomicI64,
}

impl Database {
    pub(super) fn new(session: Session, statements: Statements, sabotage: Sabotage) -> Self {
        let (limit, last) = (Limit::new(), AtomicI64::new(0));
        Self { session, of: statements, sabotage, limit, last }
    }

    /// A time for a write: later than every one given before.
    pub(super) fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        let given = |last: i64| now.max(last.saturating_add(1));
        let before =
            self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(given(last)));
        before.map_or(now, given)
    }

    /// All rows of a read, page by page.
    pub(super) async fn rows<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<Vec<R>, Fault>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static,
    {
        let turn = self.limit.turn().await?;
        let read = async {
            let pager = self.session.execute_iter(statement.clone(), values).await?;
            let rows = pager.rows_stream::<R>().map_err(|why| Failure::unreadable(&why))?;
            rows.try_collect::<Vec<R>>().await.map_err(Failure::from)
        };
        let answer: Result<Vec<R>, Failure> = read.boxed().await;
        turn.answered(is_overload(&answer));
        answer.map_err(Failure::of_read)
    }

    /// The one row of a read by its whole key.
    pub(super) async fn row<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<Option<R>, Fault>
    where
        R: for<'frame> DeserializeRow<'frame, 'frame>,
    {
        first_row(self.once(statement, values).await)
    }

    /// The same without waiting for a turn: a lease must not be lost to a crowd of messages.
    pub(super) async fn row_at_once<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<Option<R>, Fault>
    where
        R: for<'frame> DeserializeRow<'frame, 'frame>,
    {
        first_row(self.send(statement, values).await)
    }

    /// Writes until it is done or time is up.
    pub(super) async fn write(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send + Sync,
    ) -> Result<(), Fault> {
        self.insist(|| self.once(statement, &values).map_ok(drop).boxed()).await
    }

    /// Writes rows of one partition until it is done or time is up.
    pub(super) async fn write_batch(
        &self,
        batch: &Batch,
        values: impl BatchValues + Send + Sync,
    ) -> Result<(), Fault> {
        self.insist(|| self.batch_once(batch, &values).boxed()).await
    }

    async fn batch_once(
        &self,
        batch: &Batch,
        values: impl BatchValues + Send + Sync,
    ) -> Result<(), Failure> {
        let turn = self.limit.turn().await.map_err(|_busy| Failure::no_turn())?;
        let sent = self.session.batch(batch, values).boxed().await;
        let answer = sent.map(drop).map_err(Failure::from);
        turn.answered(is_overload(&answer));
        answer
    }

    /// Sends the same row again and again, with the same time, until it is stored, surely is not,
    /// or nobody can say.
    async fn insist<'sent>(
        &self,
        send: impl Fn() -> BoxFuture<'sent, Result<(), Failure>> + Send,
    ) -> Result<(), Fault> {
        let mut wait = BACKOFF;
        let mut is_open = false;
        for attempt in 1..=ATTEMPTS {
            let Err(failure) = send().await else { return Ok(()) };
            is_open |= failure.outcome == Outcome::Unknown;
            let is_last = attempt == ATTEMPTS;
            if is_last || failure.outcome == Outcome::Wrong {
                return Err(if is_open { Fault::Unknown } else { failure.of_write() });
            }
            if failure.outcome == Outcome::NotDone && !is_open {
                // Nothing is in doubt: better to be told busy at once than to wait.
                return Err(failure.of_write());
            }
            tokio::time::sleep(wait).await;
            wait *= 3;
        }
        Err(Fault::Unknown)
    }

    /// A conditional write, sent once.
    pub(super) async fn condition(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<Applied, Fault> {
        applied(self.once(statement, values).await)
    }

    /// The same without waiting for a turn.
    pub(super) async fn condition_at_once(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<Applied, Fault> {
        applied(self.send(statement, values).await)
    }

    async fn once(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<QueryResult, Failure> {
        let turn = self.limit.turn().await.map_err(|_busy| Failure::no_turn())?;
        let answer = self.send(statement, values).await;
        turn.answered(is_overload(&answer));
        answer
    }

    async fn send(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Send,
    ) -> Result<QueryResult, Failure> {
        let answer = self.session.execute_unpaged(statement, values).boxed().await;
        answer.map_err(Failure::from)
    }

    /// Runs a statement of the tests' own; answers how many rows came of it.
    #[cfg(any(test, feature = "testkit"))]
    pub(super) async fn run(&self, cql: String) -> Result<usize, Fault> {
        let sent = self.session.query_unpaged(super::statements::unprepared(&cql), ()).await;
        let answer = sent.map_err(|why| Failure::from(why).of_write())?;
        Ok(answer.into_rows_result().map_or(0, |rows| rows.rows_num()))
    }
}

fn first_row<R>(answer: Result<QueryResult, Failure>) -> Result<Option<R>, Fault>
where
    R: for<'frame> DeserializeRow<'frame, 'frame>,
{
    let unreadable = |why: &dyn std::fmt::Display| Failure::unreadable(why).of_read();
    let rows = answer.map_err(Failure::of_read)?.into_rows_result();
    let rows = rows.map_err(|why| unreadable(&why))?;
    rows.maybe_first_row::<R>().map_err(|why| unreadable(&why))
}

fn applied(answer: Result<QueryResult, Failure>) -> Result<Applied, Fault> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) if failure.outcome == Outcome::Unknown => return Ok(Applied::Unknown),
        Err(failure) => return Err(failure.of_write()),
    };
    let unreadable = |why: &dyn std::fmt::Display| Failure::unreadable(why).of_write();
    let rows = answer.into_rows_result().map_err(|why| unreadable(&why))?;
    // Some servers name the row that stood against it, some only whether it was applied.
    let row: Row = rows.first_row().map_err(|why| unreadable(&why))?;
    match row.columns.first() {
        Some(Some(CqlValue::Boolean(true))) => Ok(Applied::Yes),
        Some(Some(CqlValue::Boolean(false))) => Ok(Applied::No),
        _ => Err(unreadable(&"a conditional write without [applied]")),
    }
}

fn is_overload<T>(answer: &Result<T, Failure>) -> bool {
    answer.as_ref().is_err_and(|failure| failure.is_overload)
}
