//! Logs in a database that many nodes share: taking one over, appending to it as its one owner, and
//! reading it.
//!
//! A plain write carries no condition, so nothing in the database stops an owner that was
//! overtaken. What makes it harmless is that its rows never count: each owner writes under an epoch
//! of its own, and the head says which epoch counts from where on. The order of a take-over is what
//! makes that safe, step by step as in docs/decisions/0016: head, tail, cut, the tail written again
//! as it is, the head on exactly the condition of the one that was read, and only then new rows.
//!
//! What the database does is behind [`Tables`]: CQL, or one that a simulation makes lose, delay and
//! lie.

mod cut;
mod history;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use futures_util::future::{join, join_all, try_join};
use parking_lot::Mutex;
use switchboard_domain::conversation::{Event, Heads, Stream};
use switchboard_domain::ids::Seq;

use self::cut::{Extent, cut};
use crate::port::{Append, ConversationKey, Fault, HandOn};
use crate::record::{EventPlace, encode_event};

pub use self::cut::Rule;
pub use self::tables::{Applied, Outbox, Record, Row, Stretch, Tables};

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
/// Positions of one partition, which stays below a megabyte.
const PARTITION_EVENTS: u64 = 1_000;

const STREAMS: [Stream; 2] = [Stream::Public, Stream::Internal];

/// What the owner knows of a log.
#[derive(Clone, Copy, Debug)]
struct Served {
    /// The epoch that the caller owns it under.
    owner: u64,
    rule: Rule,
    /// Everything up to here is stored at quorum.
    heads: Heads,
    /// Whether the head is written; before its first event a log has none.
    is_begun: bool,
    /// Whether nothing that was sent is still in doubt.
    is_settled: bool,
}

/// One log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Whoever writes has the turn.
    pub(crate) turn: tokio::sync::Mutex<()>,
    served: Mutex<Option<Served>>,
    /// When it was last asked for.
    used: AtomicU64,
}

impl Log {
    fn served(&self) -> Option<Served> {
        *self.served.lock()
    }

    /// Whether it is known to go beyond these heads.
    #[cfg(feature = "cql")]
    pub(crate) fn is_beyond(&self, heads: Heads) -> bool {
        self.served().is_some_and(|it| !covers(heads, it.heads))
    }

    pub(crate) fn forget(&self) {
        *self.served.lock() = None;
    }
}

/// The logs that an engine writes and reads.
#[derive(Debug)]
pub struct Logs<T> {
    tables: T,
    /// Whether rows go away from the beginning of a log on, after a time.
    expires: bool,
    by_key: Mutex<HashMap<ConversationKey, Arc<Log>>>,
    asked: AtomicU64,
    /// Take-overs of this engine. Two of one log never share an epoch, for the number is from
    /// memory: from a row, a late write could bring it back.
    activations: AtomicI64,
}

impl<T: Tables> Logs<T> {
    /// The logs in these tables; `expires` says whether their rows go away after a time.
    #[must_use]
    pub fn new(tables: T, expires: bool) -> Self {
        Self {
            tables,
            expires,
            by_key: Mutex::default(),
            asked: AtomicU64::new(0),
            activations: AtomicI64::new(0),
        }
    }

    pub(crate) fn of(&self, key: &ConversationKey) -> Arc<Log> {
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
    fn known(&self, key: &ConversationKey) -> Option<Arc<Log>> {
        self.by_key.lock().get(key).cloned()
    }

    /// Forgets every log, for tests that empty the tables.
    #[cfg(all(feature = "cql", any(test, feature = "testkit")))]
    pub(crate) fn forget_all(&self) {
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

    /// Serves the log under an epoch from now on: takes it over, unless it is served already.
    ///
    /// # Errors
    ///
    /// As [`Store::open`](crate::port::Store::open).
    pub async fn open(&self, key: &ConversationKey, owner: u64) -> Result<(), Fault> {
        let log = self.of(key);
        let _turn = log.turn.lock().await;
        let served = self.serve(&log, key, owner).await?;
        if served.heads == Heads::default() {
            // Nothing was stored of it, and a mark that came before the first event would stay.
            self.tables.unmark(key).await?;
        }
        Ok(())
    }

    /// Serves the log no more, and answers what its next owner may begin with. `None` when somebody
    /// appends to it, it is not served under this epoch, or anything of it is in doubt.
    pub fn hand_on(&self, key: &ConversationKey, owner: u64) -> Option<HandOn> {
        let log = self.known(key)?;
        let served = log.served().filter(|it| it.owner == owner && it.is_begun && it.is_settled)?;
        // Whoever would go on under this epoch takes it over first, which the next owner notices.
        log.forget();
        let Rule { epoch, starts } = served.rule;
        Some(HandOn { epoch, starts, heads: served.heads })
    }

    /// Serves the log under an epoch from now on, by moving its head from exactly the one that was
    /// handed on. Whether that stood there; nothing else is read or written.
    ///
    /// # Errors
    ///
    /// [`Fault::Busy`] when the tables do not answer, or nobody can say what became of the write.
    pub async fn open_warm(
        &self,
        key: &ConversationKey,
        owner: u64,
        handed: HandOn,
    ) -> Result<bool, Fault> {
        let log = self.of(key);
        let _turn = log.turn.lock().await;
        let HandOn { epoch, starts, heads } = handed;
        let before = Rule { epoch, starts };
        let epoch = self.epoch(owner)?;
        let starts = Heads { public: heads.public.next(), internal: heads.internal.next() };
        let is_served = log.served().is_some_and(|it| it.owner >= owner);
        if is_served || before.epoch >= epoch || !covers(starts, before.starts) {
            return Ok(false);
        }
        let rule = Rule { epoch, starts };
        let is_taken = self.take_head(key, before, rule).await.map_err(not_sent)?;
        if is_taken {
            let served = Served { owner, rule, heads, is_begun: true, is_settled: true };
            *log.served.lock() = Some(served);
        }
        Ok(is_taken)
    }

    /// Whether the log has a head. A plain read shows every head that rows follow: they leave only
    /// after its owner knows that it stands at quorum.
    ///
    /// # Errors
    ///
    /// [`Fault::Busy`] when the tables do not answer.
    pub async fn is_begun(&self, key: &ConversationKey) -> Result<bool, Fault> {
        Ok(self.tables.head_as_read(key).await?.is_some())
    }

    /// A checkpoint with these heads was stored: takes the mark away, if that has caught up. Only
    /// the owner knows how far the log goes.
    ///
    /// # Errors
    ///
    /// What the tables answer.
    pub async fn checkpointed(&self, key: &ConversationKey, heads: Heads) -> Result<(), Fault> {
        let Some(log) = self.known(key) else { return Ok(()) };
        let _turn = log.turn.lock().await;
        let caught_up = log.served().is_some_and(|it| covers(heads, it.heads));
        if caught_up { self.tables.unmark(key).await } else { Ok(()) }
    }

    /// Appends to the log in its turn.
    ///
    /// # Errors
    ///
    /// As [`Store::append`](crate::port::Store::append).
    pub async fn append(&self, append: &Append) -> Result<(), Fault> {
        let log = self.of(&append.key);
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
            let epoch = self.epoch(owner)?;
            let Some(before) = self.tables.head(key).await? else {
                let starts = Heads { public: Seq(1), internal: Seq(1) };
                return Ok(serving(Rule { epoch, starts }, Heads::default(), false));
            };
            if before.epoch >= epoch {
                return Err(Fault::Fenced);
            }
            let heads = self.adopt(key, before).await?;
            let starts = Heads { public: heads.public.next(), internal: heads.internal.next() };
            let rule = Rule { epoch, starts };
            if self.take_head(key, before, rule).await? {
                return Ok(serving(rule, heads, true));
            }
        }
        Err(Fault::Busy)
    }

    /// Reads the tail that the last owner left, writes what is adopted of it again so that it is
    /// on a quorum, and answers the cut.
    async fn adopt(&self, key: &ConversationKey, before: Rule) -> Result<Heads, Fault> {
        // Checkpoints follow acknowledgements, so what they cover is on a quorum already.
        let covered = self.tables.covered(key).await?.unwrap_or_default();
        let base =
            |stream| Seq(before.starts.of(stream).0.saturating_sub(1)).max(covered.of(stream));
        let base = Heads { public: base(Stream::Public), internal: base(Stream::Internal) };
        let (public, internal) = try_join(
            self.tail(key, Stream::Public, before.epoch, base.public),
            self.tail(key, Stream::Internal, before.epoch, base.internal),
        )
        .await?;
        let extents = |rows: &[Row]| -> Vec<Extent> {
            rows.iter().map(|row| Extent { seq: row.seq, upto: row.upto }).collect()
        };
        let heads = cut(base, &extents(&public), &extents(&internal));
        let tail = public.into_iter().chain(internal);
        let adopted: Vec<Row> = tail.filter(|row| row.seq <= heads.of(row.stream)).collect();
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
    ) -> Result<Vec<Row>, Fault> {
        let mut tail: Vec<Row> = Vec::new();
        let mut next = base.next();
        loop {
            let partition = partition(next);
            for row in self.tables.tail(key, stream, partition, next).await? {
                if row.epoch == epoch && row.seq == next {
                    next = next.next();
                    tail.push(row);
                }
            }
            // It goes on in the next partition only if it fills this one.
            if self::partition(next) == partition {
                return Ok(tail);
            }
        }
    }

    /// Moves the head, if it is still exactly the one that was read. Whether that is certain.
    async fn take_head(
        &self,
        key: &ConversationKey,
        before: Rule,
        rule: Rule,
    ) -> Result<bool, Fault> {
        match self.tables.move_head(key, before, rule).await? {
            Applied::Yes => Ok(true),
            Applied::No => Ok(false),
            Applied::Unknown => Ok(self.tables.head(key).await? == Some(rule)),
        }
    }

    /// Writes the first head of a log. Whether that is certain.
    async fn begin(&self, key: &ConversationKey, served: Served) -> Result<bool, Fault> {
        let begun = match self.tables.begin_head(key, served.rule).await? {
            Applied::Yes => true,
            Applied::No => false,
            Applied::Unknown => self.tables.head(key).await.map_err(not_sent)? == Some(served.rule),
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
            let place = EventPlace { key, stream, seq, epoch: number(epoch) };
            let record = encode_event(place, event)?;
            let at = self.tables.now();
            rows.push(Row { stream, seq, epoch, upto: heads, outbox: outbox(event), record, at });
        }
        // Until it is known what became of the rows.
        *log.served.lock() = Some(Served { is_settled: false, ..served });
        let mark = async { if append.mark_dirty { self.tables.mark(key).await } else { Ok(()) } };
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
    async fn put(&self, key: &ConversationKey, rows: &[Row]) -> Result<(), Fault> {
        let mut groups: Vec<&[Row]> = Vec::new();
        for partition in
            rows.chunk_by(|a, b| (a.stream, partition(a.seq)) == (b.stream, partition(b.seq)))
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
        let sent: Vec<_> = groups
            .into_iter()
            .filter_map(|group| {
                let partition = partition(group.first()?.seq);
                Some(self.tables.put(key, partition, group))
            })
            .collect();
        let sent = join_all(sent).await;
        if sent.iter().all(Result::is_ok) {
            return Ok(());
        }
        let none = sent.iter().all(|sent| matches!(sent, Err(Fault::Busy)));
        Err(if none { Fault::Busy } else { Fault::Unknown })
    }

    /// Takes the head of a log away, so that the log is empty. Whether that is certain.
    #[cfg(feature = "cql")]
    pub(crate) async fn drop_head(&self, key: &ConversationKey) -> Result<bool, Fault> {
        let Some(head) = self.tables.head(key).await? else { return Ok(true) };
        match self.tables.drop_head(key, head).await? {
            Applied::Yes => Ok(true),
            Applied::No => Ok(false),
            Applied::Unknown => Ok(self.tables.head(key).await?.is_none()),
        }
    }
}

/// The partition of a position.
pub(crate) fn partition(seq: Seq) -> i64 {
    i64::try_from(seq.0.saturating_sub(1) / PARTITION_EVENTS).unwrap_or(i64::MAX)
}

/// An epoch as records have it.
fn number(epoch: i64) -> u64 {
    u64::try_from(epoch).unwrap_or(0)
}

/// Device and number of the outbox that an event came from.
fn outbox(event: &Event) -> Outbox {
    event.key.map_or((None, None), |key| (Some(key.device.uuid()), Some(key.n.cast_signed())))
}

fn covers(heads: Heads, other: Heads) -> bool {
    other.public <= heads.public && other.internal <= heads.internal
}

/// A read that failed before anything of the caller's was sent.
fn not_sent(fault: Fault) -> Fault {
    if matches!(fault, Fault::Unknown) { Fault::Busy } else { fault }
}

#[cfg(test)]
mod tests;
