//! The tables of logs in the simulated database.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use switchboard_domain::conversation::{Heads, Stream};
use switchboard_domain::ids::Seq;
use switchboard_store::log::{Applied, Record, Row, Rule, Stretch, Tables};
use switchboard_store::{ConversationKey, Fault};

use super::ambush::Deed;
use super::{Line, Replica, Told, Truth, is_public};
use crate::clock::LifeClock;

/// How long a plain request waits, and a conditional one, as with the CQL engine.
pub(super) const PLAIN: Duration = Duration::from_millis(2_500);
pub(super) const CONDITIONAL: Duration = Duration::from_secs(5);
/// How often a plain write is sent, and how long it rests in between, as with the CQL engine.
const ATTEMPTS: u32 = 4;
const BACKOFF: Duration = Duration::from_millis(40);

/// The logs as one life of a node reaches them.
#[derive(Debug)]
pub(crate) struct SharedTables {
    line: Line,
    clock: Arc<LifeClock>,
    /// The time last given.
    last: AtomicI64,
}

impl SharedTables {
    pub(crate) const fn new(line: Line, clock: Arc<LifeClock>) -> Self {
        Self { line, clock, last: AtomicI64::new(0) }
    }

    async fn look<T: Send + 'static>(
        &self,
        key: &ConversationKey,
        label: String,
        find: impl FnOnce(&mut Truth) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        of_read(self.line.deed((label, Deed::Look(key.clone())), CONDITIONAL, find).await)
    }

    async fn condition(
        &self,
        label: String,
        write: impl FnOnce(&mut Truth) -> bool + Send + 'static,
    ) -> Result<Applied, Fault> {
        of_condition(&self.line.one(label, CONDITIONAL, write).await)
    }

    async fn stretch(
        &self,
        key: &ConversationKey,
        (stream, first, last): (Stream, Seq, Seq),
    ) -> Result<Vec<Row>, Fault> {
        let label = format!("reads {} {stream:?} {}..={}", key.conversation, first.0, last.0);
        let (of, key, public) = (key.clone(), key.clone(), is_public(stream));
        let find = move |replica: &Replica| {
            let first = (key.clone(), public, first, i64::MIN);
            let last = (key.clone(), public, last, i64::MAX);
            replica.range(first..=last).map(|(_, row)| row.clone()).collect()
        };
        of_read(self.line.read((of, label), PLAIN, find).await)
    }

    async fn mark_as(&self, key: &ConversationKey, is_behind: bool) -> Result<(), Fault> {
        let at = self.now();
        let write = || async {
            let label = format!("marks {} {is_behind}", key.conversation);
            let key = key.clone();
            let write = move |truth: &mut Truth| {
                let mark = truth.marks.entry(key).or_default();
                // Of two words of one time the one that takes away stands.
                *mark = (*mark).max((at, is_behind));
                if mark.0 == at {
                    mark.1 &= is_behind;
                }
            };
            self.line.one(label, PLAIN, write).await
        };
        insist(write).await
    }
}

/// Sends the same again and again until it is done, surely is not, or nobody can say.
async fn insist<F: Future<Output = Told<()>>>(send: impl Fn() -> F) -> Result<(), Fault> {
    let (mut wait, mut is_open) = (BACKOFF, false);
    for attempt in 1..=ATTEMPTS {
        match send().await {
            Told::Answered(()) => return Ok(()),
            Told::Refused if !is_open => return Err(Fault::Busy),
            Told::Refused => {}
            Told::Nothing => is_open = true,
        }
        if attempt < ATTEMPTS {
            tokio::time::sleep(wait).await;
            wait *= 3;
        }
    }
    Err(Fault::Unknown)
}

const fn of_condition(told: &Told<bool>) -> Result<Applied, Fault> {
    match told {
        Told::Answered(true) => Ok(Applied::Yes),
        Told::Answered(false) => Ok(Applied::No),
        Told::Refused => Err(Fault::Busy),
        Told::Nothing => Ok(Applied::Unknown),
    }
}

pub(super) fn of_read<T>(told: Told<T>) -> Result<T, Fault> {
    match told {
        Told::Answered(found) => Ok(found),
        Told::Refused | Told::Nothing => Err(Fault::Busy),
    }
}

fn record(row: Row) -> Record {
    Record { seq: row.seq, epoch: row.epoch, outbox: row.outbox, bytes: row.record }
}

impl Tables for SharedTables {
    async fn head(&self, key: &ConversationKey) -> Result<Option<Rule>, Fault> {
        let label = format!("reads the head of {}", key.conversation);
        let of = key.clone();
        self.look(key, label, move |truth| truth.heads.get(&of).copied()).await
    }

    async fn head_as_read(&self, key: &ConversationKey) -> Result<Option<Rule>, Fault> {
        self.head(key).await
    }

    async fn begin_head(&self, key: &ConversationKey, head: Rule) -> Result<Applied, Fault> {
        let label = format!("begins {} {head:?}", key.conversation);
        let key = key.clone();
        let begin = move |truth: &mut Truth| {
            let is_free = !truth.heads.contains_key(&key);
            if is_free {
                truth.heads.insert(key, head);
            }
            is_free
        };
        self.condition(label, begin).await
    }

    async fn move_head(
        &self,
        key: &ConversationKey,
        before: Rule,
        head: Rule,
    ) -> Result<Applied, Fault> {
        let label = format!("moves {} {before:?} {head:?}", key.conversation);
        let (of, key) = (key.clone(), key.clone());
        let write = move |truth: &mut Truth| {
            let is_loose = truth.has_loose_heads;
            let Some(stands) = truth.heads.get_mut(&key) else { return false };
            let holds = if is_loose { stands.epoch < head.epoch } else { *stands == before };
            if holds {
                *stands = head;
            }
            holds
        };
        of_condition(&self.line.deed((label, Deed::Move(of)), CONDITIONAL, write).await)
    }

    async fn drop_head(&self, key: &ConversationKey, before: Rule) -> Result<Applied, Fault> {
        let label = format!("drops {} {before:?}", key.conversation);
        let key = key.clone();
        let write = move |truth: &mut Truth| {
            let holds = truth.heads.get(&key) == Some(&before);
            if holds {
                truth.heads.remove(&key);
            }
            holds
        };
        self.condition(label, write).await
    }

    async fn tail(
        &self,
        key: &ConversationKey,
        stream: Stream,
        _partition: i64,
        first: Seq,
    ) -> Result<Vec<Row>, Fault> {
        self.stretch(key, (stream, first, Seq(u64::MAX))).await
    }

    async fn events(&self, key: &ConversationKey, stretch: Stretch) -> Result<Vec<Record>, Fault> {
        let rows = self.stretch(key, (stretch.stream, stretch.first, stretch.last)).await?;
        Ok(rows.into_iter().map(record).collect())
    }

    async fn sends(&self, key: &ConversationKey, stretch: Stretch) -> Result<Vec<Record>, Fault> {
        self.events(key, stretch).await
    }

    async fn put(&self, key: &ConversationKey, _partition: i64, rows: &[Row]) -> Result<(), Fault> {
        let seqs: Vec<_> = rows.iter().map(|row| (row.stream, row.seq.0, row.epoch)).collect();
        let write = || async {
            let label = format!("puts {} {seqs:?}", key.conversation);
            let (of, key, rows) = (key.clone(), key.clone(), rows.to_vec());
            let apply = move |replica: &mut Replica| {
                for row in &rows {
                    let place = (key.clone(), is_public(row.stream), row.seq, row.epoch);
                    replica.insert(place, row.clone());
                }
            };
            self.line.write((of, label), PLAIN, apply).await
        };
        insist(write).await
    }

    async fn covered(&self, key: &ConversationKey) -> Result<Option<Heads>, Fault> {
        let label = format!("reads how far {} is covered", key.conversation);
        let of = key.clone();
        let find = move |truth: &mut Truth| truth.checkpoint(&of).map(|card| card.heads);
        self.look(key, label, find).await
    }

    async fn mark(&self, key: &ConversationKey) -> Result<(), Fault> {
        self.mark_as(key, true).await
    }

    async fn unmark(&self, key: &ConversationKey) -> Result<(), Fault> {
        self.mark_as(key, false).await
    }

    fn now(&self) -> i64 {
        let now = i64::try_from(self.clock.elapsed().as_micros()).unwrap_or(i64::MAX);
        let given = |last: i64| now.max(last.saturating_add(1));
        let before =
            self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(given(last)));
        before.map_or(now, given)
    }
}
