//! Writing logs: taking one over, and appending to it as its one owner.
//!
//! An INSERT carries no condition, so nothing in the database stops an owner that was overtaken.
//! What makes it harmless is that its rows never count: each owner writes under an epoch of its
//! own, and the head says which epoch counts from where on. The order of a take-over is what
//! makes that safe, step by step as in docs/decisions/0016: head, tail, cut, the tail written again
//! as it is, the head on exactly the condition of the one that was read, and only then new rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all, try_join};
use parking_lot::Mutex;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::statement::Consistency;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use switchboard_domain::conversation::{Event, Heads, Stream};
use switchboard_domain::ids::Seq;
use uuid::Uuid;

use super::Engine;
use super::column::{bigint, bucket, counted, outbox, stream as stream_column};
use super::cut::{Extent, Rule, cut};
use super::database::Applied;
use crate::port::{Append, ConversationKey, Fault};
use crate::record::{EventPlace, encode_event};

/// Logs whose state is remembered. Each takes about 200 bytes; one that is forgotten is taken
/// over again at its next append.
const LOGS_MAX: usize = 65_536;
/// Bits of an epoch that count activations within one epoch of the owner.
const ACTIVATION_BITS: u32 = 32;
/// Times that a take-over begins again because somebody else moved the head meanwhile.
const TAKE_OVERS: usize = 4;
/// Rows and bytes that are written at once: a batch stays below what servers warn of.
const BATCH_ROWS: usize = 50;
const BATCH_BYTES: usize = 32 * 1024;
/// Positions of one partition.
const BATCH_TIMEOUT: Duration = Duration::from_millis(2_500);

const STREAMS: [Stream; 2] = [Stream::Public, Stream::Internal];

/// What the owner knows of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    /// The epoch that the caller owns it under.
    owner: u64,
    pub(super) rule: Rule,
    /// Everything up to here is stored at quorum.
    pub(super) heads: Heads,
    /// Whether the head is written; before its first event a log has none.
    is_begun: bool,
    /// Whether nothing that was sent is still in doubt.
    is_settled: bool,
}

/// One log.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Whoever writes has the turn.
    pub(super) turn: tokio::sync::Mutex<()>,
    served: Mutex<Option<Served>>,
    /// When it was last asked for.
    used: AtomicU64,
}

impl Log {
    pub(super) fn served(&self) -> Option<Served> {
        *self.served.lock()
    }

    pub(super) fn forget(&self) {
        *self.served.lock() = None;
    }
}

/// The logs that this engine writes.
#[derive(Debug, Default)]
pub(super) struct Logs {
    by_key: Mutex<HashMap<ConversationKey, Arc<Log>>>,
    asked: AtomicU64,
    /// Take-overs of this engine. Two of one log never share an epoch, for the number is from
    /// memory: from a row, a late write could bring it back.
    activations: AtomicI64,
}

impl Logs {
    pub(super) fn of(&self, key: &ConversationKey) -> Arc<Log> {
        let now = self.asked.fetch_add(1, Ordering::Relaxed);
        let mut by_key = self.by_key.lock();
        if by_key.len() >= LOGS_MAX && !by_key.contains_key(key) {
            let old = now.saturating_sub(LOGS_MAX as u64 / 2);
            by_key.retain(|_, log| {
                Arc::strong_count(log) > 1 || log.used.load(Ordering::Relaxed) >= old
            });
        }
        let log = by_key.entry(key.clone()).or_default();
        log.used.store(now, Ordering::Relaxed);
        Arc::clone(log)
    }

    /// The log, if its state is remembered.
    pub(super) fn known(&self, key: &ConversationKey) -> Option<Arc<Log>> {
        self.by_key.lock().get(key).cloned()
    }

    /// Forgets every log, for tests that empty the tables.
    #[cfg(any(test, feature = "testkit"))]
    pub(super) fn forget_all(&self) {
        self.by_key.lock().clear();
    }

    /// An epoch that no take-over had before.
    fn epoch(&self, owner: u64) -> Result<i64, Fault> {
        let activation = self.activations.fetch_add(1, Ordering::Relaxed) + 1;
        let too_many = || Fault::Failed { what: "the epochs are used up".into() };
        let owner = i64::from(i32::try_from(owner).map_err(|_too_large| too_many())?);
        if activation >> ACTIVATION_BITS != 0 {
            return Err(too_many());
        }
        Ok((owner << ACTIVATION_BITS) | activation)
    }
}

/// A row of the event table, but for whose it is.
#[derive(Debug)]
struct Put {
    stream: Stream,
    seq: Seq,
    epoch: i64,
    upto: Heads,
    outbox: (Option<Uuid>, Option<i64>),
    record: Vec<u8>,
    /// When it was first written, in microseconds.
    at: i64,
}

type Columns<'row> =
    (&'row str, Uuid, i8, i64, i64, i64, i64, i64, Option<Uuid>, Option<i64>, &'row [u8], i64);

impl Put {
    fn columns<'row>(&'row self, key: &'row ConversationKey) -> Columns<'row> {
        (
            &*key.tenant.0,
            key.conversation.uuid(),
            stream_column(self.stream),
            bucket(self.seq),
            bigint(self.seq.0),
            self.epoch,
            bigint(self.upto.public.0),
            bigint(self.upto.internal.0),
            self.outbox.0,
            self.outbox.1,
            &self.record,
            self.at,
        )
    }
}

/// The epoch and the starts.
pub(super) type HeadRow = (i64, i64, i64);

fn rule_of((epoch, public, internal): HeadRow) -> Rule {
    let starts = Heads { public: Seq(counted(public)), internal: Seq(counted(internal)) };
    Rule { epoch, starts }
}

impl Engine {
    /// Serves the log under an epoch from now on: takes it over, unless it is served already.
    pub(super) async fn open(&self, key: &ConversationKey, owner: u64) -> Result<(), Fault> {
        let log = self.logs.of(key);
        let _turn = log.turn.lock().await;
        let served = self.serve(&log, key, owner).await?;
        if served.heads == Heads::default() {
            // Nothing was stored of it, and a mark that came before the first event would stay.
            self.unmark(key).await?;
        }
        Ok(())
    }

    /// Whether the log has a head. A plain read shows every head that rows follow: they leave only
    /// after its owner knows that it stands at quorum.
    pub(super) async fn is_begun(&self, key: &ConversationKey) -> Result<bool, Fault> {
        let values = (&*key.tenant.0, key.conversation.uuid());
        let head: Option<HeadRow> = self.database.row(&self.database.of.head_read, values).await?;
        Ok(head.is_some())
    }

    /// Appends to the log in its turn.
    pub(super) async fn append(&self, append: &Append) -> Result<(), Fault> {
        let log = self.logs.of(&append.key);
        let _turn = log.turn.lock().await;
        for _ in 0..TAKE_OVERS {
            let served = self.serve(&log, &append.key, append.epoch).await?;
            let fresh = self.check(&append.key, served, &append.events).await?;
            if !fresh.is_empty() && !served.is_begun && !self.begin(&append.key, served).await? {
                // Somebody else began it.
                log.forget();
                continue;
            }
            return self.write(&log, append, &fresh).await;
        }
        Err(Fault::Busy)
    }

    async fn serve(&self, log: &Log, key: &ConversationKey, owner: u64) -> Result<Served, Fault> {
        if let Some(served) = log.served() {
            if served.owner > owner {
                return Err(Fault::Fenced);
            }
            if served.owner == owner && served.is_settled {
                return Ok(served);
            }
        }
        let served = self.take_over(key, owner).await.map_err(|fault| match fault {
            // Of what the caller wants stored, nothing was sent yet.
            Fault::Unknown => Fault::Busy,
            fault => fault,
        })?;
        *log.served.lock() = Some(served);
        Ok(served)
    }

    /// Settles what earlier owners left, and shuts them out.
    async fn take_over(&self, key: &ConversationKey, owner: u64) -> Result<Served, Fault> {
        let serving =
            |rule, heads, is_begun| Served { owner, rule, heads, is_begun, is_settled: true };
        for _ in 0..TAKE_OVERS {
            let epoch = self.logs.epoch(owner)?;
            let Some(head) = self.head(key).await? else {
                let starts = Heads { public: Seq(1), internal: Seq(1) };
                return Ok(serving(Rule { epoch, starts }, Heads::default(), false));
            };
            let before = rule_of(head);
            if before.epoch >= epoch {
                return Err(Fault::Fenced);
            }
            let heads = self.adopt(key, before).await?;
            let starts = Heads { public: heads.public.next(), internal: heads.internal.next() };
            let rule = Rule { epoch, starts };
            if self.take_head(key, head, rule).await? {
                return Ok(serving(rule, heads, true));
            }
        }
        Err(Fault::Busy)
    }

    /// The head, with all that is under way settled.
    async fn head(&self, key: &ConversationKey) -> Result<Option<HeadRow>, Fault> {
        let values = (&*key.tenant.0, key.conversation.uuid());
        self.database.row(&self.database.of.head, values).await
    }

    /// Reads the tail that the last owner left, writes what is adopted of it again so that it is
    /// on a quorum, and answers the cut.
    async fn adopt(&self, key: &ConversationKey, before: Rule) -> Result<Heads, Fault> {
        // Checkpoints follow acknowledgements, so what they cover is on a quorum already.
        let covered = self.card_heads(key).await?.unwrap_or_default();
        let base =
            |stream| Seq(before.starts.of(stream).0.saturating_sub(1)).max(covered.of(stream));
        let base = Heads { public: base(Stream::Public), internal: base(Stream::Internal) };
        let (public, internal) = try_join(
            self.tail(key, Stream::Public, before.epoch, base.public),
            self.tail(key, Stream::Internal, before.epoch, base.internal),
        )
        .await?;
        let extents = |rows: &[Put]| -> Vec<Extent> {
            rows.iter().map(|row| Extent { seq: row.seq, upto: row.upto }).collect()
        };
        let heads = cut(base, &extents(&public), &extents(&internal));
        let tail = public.into_iter().chain(internal);
        let adopted: Vec<Put> = tail.filter(|row| row.seq <= heads.of(row.stream)).collect();
        self.put(key, &adopted).await?;
        Ok(heads)
    }

    /// The rows of one epoch that follow a position without a gap.
    async fn tail(
        &self,
        key: &ConversationKey,
        stream: Stream,
        epoch: i64,
        base: Seq,
    ) -> Result<Vec<Put>, Fault> {
        type Row = (i64, i64, i64, i64, Option<Uuid>, Option<i64>, Vec<u8>, i64);
        let mut tail: Vec<Put> = Vec::new();
        let mut next = base.next();
        loop {
            let partition = bucket(next);
            let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
            let values = (tenant, id, stream_column(stream), partition, bigint(next.0));
            let rows: Vec<Row> = self.database.rows(&self.database.of.tail, values).await?;
            for (seq, of, public, internal, device, n, record, at) in rows {
                if of != epoch || Seq(counted(seq)) != next {
                    continue;
                }
                let upto = Heads { public: Seq(counted(public)), internal: Seq(counted(internal)) };
                tail.push(Put { stream, seq: next, epoch, upto, outbox: (device, n), record, at });
                next = next.next();
            }
            // It goes on in the next partition only if it fills this one.
            if bucket(next) == partition {
                return Ok(tail);
            }
        }
    }

    /// Moves the head, if it is still exactly the one that was read. Whether that is certain.
    async fn take_head(
        &self,
        key: &ConversationKey,
        before: HeadRow,
        rule: Rule,
    ) -> Result<bool, Fault> {
        let (public, internal) = (bigint(rule.starts.public.0), bigint(rule.starts.internal.0));
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let expected = self.sabotage.expected(before, rule);
        let values = (rule.epoch, public, internal, tenant, id, expected.0, expected.1, expected.2);
        match self.database.condition(&self.database.of.take_head, values).await? {
            Applied::Yes => Ok(true),
            Applied::No => Ok(false),
            Applied::Unknown => Ok(self.head(key).await? == Some((rule.epoch, public, internal))),
        }
    }

    /// Writes the first head of a log. Whether that is certain.
    async fn begin(&self, key: &ConversationKey, served: Served) -> Result<bool, Fault> {
        let row = (served.rule.epoch, 1, 1);
        let values = (&*key.tenant.0, key.conversation.uuid(), row.0, row.1, row.2);
        let begun = match self.database.condition(&self.database.of.begin_head, values).await? {
            Applied::Yes => true,
            Applied::No => false,
            Applied::Unknown => self.head(key).await.map_err(not_sent)? == Some(row),
        };
        Ok(begun)
    }

    /// The events that are not stored yet, once all of them fit.
    async fn check<'events>(
        &self,
        key: &ConversationKey,
        served: Served,
        events: &'events [Event],
    ) -> Result<Vec<&'events Event>, Fault> {
        let mut stored = BTreeMap::new();
        for stream in STREAMS {
            let taken = events.iter().filter(|event| {
                event.stream == stream && event.seq.0 > 0 && event.seq <= served.heads.of(stream)
            });
            let (first, last) = taken.fold((Seq(u64::MAX), Seq(0)), |(first, last), event| {
                (first.min(event.seq), last.max(event.seq))
            });
            let found = self.stretch(key, stream, served.rule, first, last).await?;
            stored.extend(
                found.into_iter().map(|event| ((stream == Stream::Public, event.seq), event)),
            );
        }
        let mut heads = served.heads;
        let mut fresh: Vec<&Event> = Vec::with_capacity(events.len());
        for event in events {
            let (stream, seq) = (event.stream, event.seq);
            if seq == heads.of(stream).next() {
                match stream {
                    Stream::Public => heads.public = seq,
                    Stream::Internal => heads.internal = seq,
                }
                fresh.push(event);
                continue;
            }
            let same = fresh.iter().find(|it| (it.stream, it.seq) == (stream, seq)).copied();
            match same.or_else(|| stored.get(&(stream == Stream::Public, seq))) {
                None => return Err(Fault::NotDense { stream, seq }),
                Some(stored) if stored != event => return Err(Fault::Occupied { stream, seq }),
                Some(_) => {}
            }
        }
        Ok(fresh)
    }

    /// Writes events that follow the head, and the mark if it is asked for.
    async fn write(&self, log: &Log, append: &Append, fresh: &[&Event]) -> Result<(), Fault> {
        let key = &append.key;
        let Some(mut served) = log.served() else { return Err(Fault::Busy) };
        let mut heads = served.heads;
        for event in fresh {
            match event.stream {
                Stream::Public => heads.public = event.seq,
                Stream::Internal => heads.internal = event.seq,
            }
        }
        let mut rows = Vec::with_capacity(fresh.len());
        for event in fresh {
            let (stream, seq, epoch) = (event.stream, event.seq, served.rule.epoch);
            let place = EventPlace { key, stream, seq, epoch: counted(epoch) };
            let record = encode_event(place, event)?;
            let at = self.database.now();
            rows.push(Put { stream, seq, epoch, upto: heads, outbox: outbox(event), record, at });
        }
        let mark = async { if append.mark_dirty { self.mark(key).await } else { Ok(()) } };
        let (marked, put) = join(mark, self.put(key, &rows)).await;
        served.is_begun |= !fresh.is_empty();
        match (put, marked) {
            (Ok(()), Ok(())) => served.heads = heads,
            // Surely not stored: the positions are free again.
            (Err(Fault::Busy), _) => {
                *log.served.lock() = Some(served);
                return Err(Fault::Busy);
            }
            // Rows may still appear, so that nothing else may ever be written at these positions
            // under this epoch: whoever goes on takes the log over first.
            (Err(_), _) | (Ok(()), Err(_)) => {
                served.is_settled = false;
                *log.served.lock() = Some(served);
                return Err(Fault::Unknown);
            }
        }
        *log.served.lock() = Some(served);
        Ok(())
    }

    /// Writes rows, those of one partition together. [`Fault::Busy`] when surely none is stored.
    async fn put(&self, key: &ConversationKey, rows: &[Put]) -> Result<(), Fault> {
        let mut groups: Vec<&[Put]> = Vec::new();
        for partition in
            rows.chunk_by(|a, b| (a.stream, bucket(a.seq)) == (b.stream, bucket(b.seq)))
        {
            let mut rest = partition;
            while !rest.is_empty() {
                let mut bytes = 0;
                let fit = rest.iter().take(BATCH_ROWS).take_while(|row| {
                    bytes += row.record.len();
                    bytes <= BATCH_BYTES
                });
                let (group, others) = rest.split_at(fit.count().max(1));
                groups.push(group);
                rest = others;
            }
        }
        let sent: Vec<_> = groups.into_iter().map(|group| self.put_group(key, group)).collect();
        let sent = join_all(sent).await;
        if sent.iter().all(Result::is_ok) {
            return Ok(());
        }
        let none = sent.iter().all(|sent| matches!(sent, Err(Fault::Busy)));
        Err(if none { Fault::Busy } else { Fault::Unknown })
    }

    async fn put_group(&self, key: &ConversationKey, rows: &[Put]) -> Result<(), Fault> {
        let put_event = &self.database.of.put_event;
        if let [row] = rows {
            return self.database.write(put_event, row.columns(key)).await;
        }
        let statements = vec![BatchStatement::from(put_event.clone()); rows.len()];
        let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
        batch.set_consistency(Consistency::LocalQuorum);
        batch.set_is_idempotent(true);
        batch.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy)));
        batch.set_request_timeout(Some(BATCH_TIMEOUT));
        let values: Vec<_> = rows.iter().map(|row| row.columns(key)).collect();
        self.database.write_batch(&batch, values).await
    }

    /// Takes the head of a log away, so that the log is empty. Whether that is certain.
    pub(super) async fn drop_head(&self, key: &ConversationKey) -> Result<bool, Fault> {
        let Some((epoch, public, internal)) = self.head(key).await? else { return Ok(true) };
        let values = (&*key.tenant.0, key.conversation.uuid(), epoch, public, internal);
        match self.database.condition(&self.database.of.drop_head, values).await? {
            Applied::Yes => Ok(true),
            Applied::No => Ok(false),
            Applied::Unknown => Ok(self.head(key).await?.is_none()),
        }
    }
}

/// A read that failed before anything of the caller's was sent.
fn not_sent(fault: Fault) -> Fault {
    if matches!(fault, Fault::Unknown) { Fault::Busy } else { fault }
}
