//! The one thread that writes. It takes everything that waits, up to a bound, runs it in one
//! transaction, and answers after the commit: the more callers wait, the more share one fsync.
//! What arrives while a commit runs is the next batch. A few callers never wait for company; many
//! do, because a commit costs much the same for ten as for a hundred ([`Crowd`]).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::carrier::{Extent, Pace, carry_over_or_fail};
use super::error::{Error, Stop, attempt, meaning};
use super::heads::HeadsCache;
use super::health::Health;
use super::meter::{Commit, Meter};
use super::queue::Queue;
use super::recent::Mover;
use super::sabotage::Sabotage;
use crate::port::Fault;

/// Jobs of one transaction. More would not make the share of the fsync noticeably smaller, only
/// the wait of the first one longer.
const BATCH_MAX: usize = 512;
/// Among so many callers the next batch waits until as many are there again. Fewer are in no crowd,
/// and what matters to them is how long they wait; behind a full batch as many wait already.
const COMPANY: Range<usize> = 6..BATCH_MAX;
/// How many times what a batch took the next one waits for company at most.
const PAUSE_FACTOR: u32 = 2;
/// How long a batch waits for company at most: a few syncs of a slow disk.
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// What a job works on.
pub(super) struct Tables<'writer> {
    /// Inside the transaction of the batch.
    pub(super) connection: &'writer Connection,
    pub(super) heads: &'writer mut HeadsCache,
    pub(super) mover: &'writer mut Mover,
}

/// Something to write. It may be run again after its transaction was rolled back.
pub(super) trait Job: Send {
    /// Does the work and keeps its own answer.
    ///
    /// # Errors
    ///
    /// When SQLite failed, so that the transaction must end.
    fn run(&mut self, tables: &mut Tables<'_>) -> rusqlite::Result<()>;

    /// Answers: what the work said, or the fault that befell the transaction.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

/// A job made of a function and somebody who waits for its answer.
pub(super) struct Task<T, F> {
    pub(super) work: F,
    pub(super) said: Option<Result<T, Fault>>,
    pub(super) reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&mut Tables<'_>) -> Result<T, Stop> + Send,
{
    fn run(&mut self, tables: &mut Tables<'_>) -> rusqlite::Result<()> {
        self.said = Some(match (self.work)(tables) {
            Ok(answer) => Ok(answer),
            Err(Stop::Refused(fault)) => Err(fault),
            Err(Stop::Sqlite(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let never_run = || Err(Fault::Failed { what: "the job was never run".into() });
        let Self { said, reply, .. } = *self;
        let answer = committed.and_then(|()| said.unwrap_or_else(never_run));
        // The caller may have gone away; the work is done all the same.
        drop(reply.send(answer));
    }
}

/// A job that waits, since when.
pub(super) struct Queued {
    pub(super) job: Box<dyn Job>,
    pub(super) since: Instant,
}

pub(super) struct Writer {
    connection: Connection,
    queue: Arc<Queue<Queued>>,
    health: Arc<Health>,
    meter: Arc<dyn Meter>,
    sabotage: Sabotage,
    heads: HeadsCache,
    mover: Mover,
    /// Frames in the write-ahead log after the last commit.
    frames: Arc<AtomicU32>,
    pace: Pace,
    /// Where those who wait for answers run, if that is known.
    runtime: Option<Handle>,
    #[cfg(test)]
    pub(super) inject: super::inject::Inject,
}

impl Writer {
    /// Answers on the runtime from which it is called, on its own thread if there is none.
    pub(super) fn new(
        mut connection: Connection,
        queue: Arc<Queue<Queued>>,
        health: Arc<Health>,
        meter: Arc<dyn Meter>,
        sabotage: Sabotage,
        mover: Mover,
        pace: Pace,
    ) -> Result<Self, Error> {
        let frames = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&frames);
        let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
            count.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        attempt("watch the write-ahead log", connection.wal_hook(Some(hook)))?;
        Ok(Self {
            connection,
            queue,
            health,
            meter,
            sabotage,
            heads: HeadsCache::default(),
            mover,
            frames,
            pace,
            runtime: Handle::try_current().ok(),
            #[cfg(test)]
            inject: super::inject::Inject::default(),
        })
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _ending = Ending { queue: Arc::clone(&self.queue), health: Arc::clone(&self.health) };
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut crowd = Crowd::default();
        while let Some(bytes) = self.queue.take(&mut batch, BATCH_MAX) {
            let (jobs, began) = (batch.len(), Instant::now());
            self.write(&mut batch, bytes);
            crowd.take_in(jobs, began.elapsed());
            self.carry_over_when_due();
            self.queue.gather(crowd.jobs, crowd.pause());
        }
        if self.health.check().is_ok() {
            carry_over_or_fail(&self.connection, Extent::Truncate, &self.health);
        }
    }

    /// Runs a batch and answers every job of it.
    fn write(&mut self, batch: &mut Vec<Queued>, bytes: usize) {
        let began = Instant::now();
        let waited = batch.first().map(|first| began - first.since).unwrap_or_default();
        match self.commit(batch) {
            Ok(()) => {
                let took = began.elapsed();
                let commit = Commit { jobs: batch.len(), bytes, waited, took };
                self.answer_all(batch);
                self.meter.committed(commit);
            }
            Err(Fault::Damaged { .. }) if batch.len() > 1 => self.write_one_by_one(batch),
            Err(fault) => answer(batch, &Err(fault)),
        }
    }

    /// Answers a batch that is durable. Many are answered by a task on the threads of those who
    /// wait: waking one from a foreign thread takes a lock for each. (Measured with 200 callers:
    /// 3 % of what a message costs the server.)
    fn answer_all(&self, batch: &mut Vec<Queued>) {
        match &self.runtime {
            Some(runtime) if batch.len() >= COMPANY.start => {
                let mut batch = std::mem::replace(batch, Vec::with_capacity(BATCH_MAX));
                runtime.spawn(async move { answer(&mut batch, &Ok(())) });
            }
            _ => answer(batch, &Ok(())),
        }
    }

    /// One job stumbled over a damaged page: the others must not suffer from it.
    fn write_one_by_one(&mut self, batch: &mut Vec<Queued>) {
        for queued in batch.drain(..) {
            let mut alone = vec![queued];
            let outcome = self.commit(&mut alone);
            answer(&mut alone, &outcome);
        }
    }

    /// Runs a batch in one transaction. An error means that nothing of it was stored, except
    /// after [`Fault::Failed`]: then the outcome is unknown.
    fn commit(&mut self, batch: &mut Vec<Queued>) -> Result<(), Fault> {
        self.health.check()?;
        let outcome = self.transact(batch);
        if let Err(failure) = outcome {
            self.heads.clear();
            self.mover.rolled_back();
            return Err(self.recover(&failure));
        }
        self.mover.committed();
        Ok(())
    }

    fn transact(&mut self, batch: &mut Vec<Queued>) -> Result<(), Failure> {
        let run = |statement: &str| self.connection.prepare_cached(statement)?.execute(());
        run("BEGIN IMMEDIATE").map_err(Failure::Before)?;
        self.mover.file_slice(&self.connection).map_err(Failure::Before)?;
        let mut tables =
            Tables { connection: &self.connection, heads: &mut self.heads, mover: &mut self.mover };
        for queued in batch.iter_mut() {
            queued.job.run(&mut tables).map_err(Failure::Before)?;
        }
        self.mover.write_added(&self.connection).map_err(Failure::Before)?;
        if self.sabotage.acks_before_commit() {
            answer(batch, &Ok(()));
            self.sabotage.dawdle();
        }
        #[cfg(test)]
        self.inject.commit().map_err(Failure::AtCommit)?;
        run("COMMIT").map_err(Failure::AtCommit)?;
        Ok(())
    }

    /// Ends the transaction and says what its failure means.
    fn recover(&self, failure: &Failure) -> Fault {
        let (Failure::Before(error) | Failure::AtCommit(error)) = failure;
        let is_open = !self.connection.is_autocommit();
        if is_open && let Err(error) = self.connection.execute_batch("ROLLBACK") {
            return self.fail("roll back", &error);
        }
        let fault = meaning(error);
        match (failure, fault) {
            // Nothing was synced, and SQLite took the frames back: a definite refusal.
            (_, Some(Fault::Full)) => Fault::Full,
            (Failure::Before(_), Some(fault)) => fault,
            (Failure::Before(_), None) => self.fail("write", error),
            // After a failed sync the kernel may call lost pages clean, so a second sync would
            // succeed without them. Nothing can be promised any more.
            (Failure::AtCommit(_), _) => self.fail("commit", error),
        }
    }

    fn fail(&self, what: &str, error: &rusqlite::Error) -> Fault {
        self.health.fail(&format!("could not {what}: {error}"));
        self.health.fault()
    }

    /// Empties the write-ahead log between two batches, when most of it is copied.
    fn carry_over_when_due(&mut self) {
        let frames = self.frames.load(Ordering::Relaxed);
        if self.pace.is_time_to_finish(frames) && self.health.check().is_ok() {
            let began = Instant::now();
            carry_over_or_fail(&self.connection, Extent::Passive, &self.health);
            self.meter.checkpointed(began.elapsed());
        }
    }
}

/// What the last batches were like, the newest most. One small batch between large ones is no sign
/// that the callers are gone: they have their answers of the batch before and will be back.
#[derive(Debug, Default)]
struct Crowd {
    jobs: usize,
    took: Duration,
}

impl Crowd {
    fn take_in(&mut self, jobs: usize, took: Duration) {
        self.jobs = jobs.max(self.jobs / 2);
        self.took = (self.took + took) / 2;
    }

    /// How long to wait for it before the next batch is taken.
    fn pause(&self) -> Duration {
        match COMPANY.contains(&self.jobs) {
            true => (self.took * PAUSE_FACTOR).min(PAUSE_MAX),
            false => Duration::ZERO,
        }
    }
}

enum Failure {
    /// Nothing was committed.
    Before(rusqlite::Error),
    /// The commit itself failed.
    AtCommit(rusqlite::Error),
}

fn answer(batch: &mut Vec<Queued>, outcome: &Result<(), Fault>) {
    for queued in batch.drain(..) {
        queued.job.answer(outcome.clone());
    }
}

/// If the thread ends in a panic, nobody waits for it in vain.
struct Ending {
    queue: Arc<Queue<Queued>>,
    health: Arc<Health>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if thread::panicking() {
            self.health.fail("the writer panicked");
        }
        self.queue.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_crowd_waits_for_company_and_never_long() {
        let took = Duration::from_micros(700);
        for (jobs, expect) in [(1, 0), (5, 0), (6, 1_400), (511, 1_400), (512, 0)] {
            let crowd = Crowd { jobs, took };
            assert_eq!(crowd.pause(), Duration::from_micros(expect), "{jobs} jobs");
        }
        let slow = Crowd { jobs: 10, took: Duration::from_secs(1) };
        assert_eq!(slow.pause(), PAUSE_MAX);
    }

    #[test]
    fn a_crowd_is_remembered_for_some_batches() {
        let mut crowd = Crowd::default();
        crowd.take_in(100, Duration::from_millis(2));
        let alone = Duration::from_micros(200);
        let pauses = std::iter::repeat_with(|| {
            crowd.take_in(1, alone);
            crowd.pause()
        });
        let pauses: Vec<Duration> = pauses.take(8).collect();
        assert!(pauses.is_sorted_by(|one, next| one >= next), "{pauses:?}");
        assert_eq!(pauses.iter().filter(|pause| !pause.is_zero()).count(), 4, "{pauses:?}");
    }
}
