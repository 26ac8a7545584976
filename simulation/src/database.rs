//! The database that all nodes share, and the way to it.
//!
//! What is written plainly lies in three replicas, each of which takes a write soon, late or never; two
//! of them make it durable and are asked by a read. What is written by condition, and what is not about
//! logs, is one truth.
//!
//! A request may be lost on the way, or its answer; be carried out seconds late; or be refused and not
//! carried out. One that gets no answer in time is nobody's to know about.

mod ambush;
mod census;
mod rows;
mod store;
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use switchboard_cluster::rows::MemoryRows;
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::Seq;
use switchboard_loadtest::rng::Rng;
use switchboard_store::ConversationKey;
use switchboard_store::log::{Row, Rule};
use switchboard_store::memory::Memory;
use tokio::sync::oneshot;

use crate::node::{Effect, Outbox};
use crate::world::{Act, World};

use self::ambush::{Ambush, Deed};
use self::census::Census;

pub use self::census::TakeOvers;
pub(crate) use self::rows::SharedRows;
pub(crate) use self::store::SharedStore;
pub(crate) use self::tables::SharedTables;

/// Replicas of each row.
const REPLICAS: usize = 3;
/// How long one step of a request takes as a rule.
const STEP: Duration = Duration::from_millis(1);
/// How long one takes that is carried out after nobody waits for it any more.
const LATE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(9));
/// How long a coordinator waits for its replicas.
const QUORUM_WITHIN: Duration = Duration::from_secs(2);

/// Rows by log, stream and position, and of one position by epoch.
pub(crate) type Replica = BTreeMap<(ConversationKey, bool, Seq, i64), Row>;

/// What there is one truth of.
#[derive(Debug)]
pub(crate) struct Truth {
    heads: BTreeMap<ConversationKey, Rule>,
    /// Which conversations are behind their logs, each with the time of the newest word on it.
    marks: BTreeMap<ConversationKey, (i64, bool)>,
    /// Checkpoints, receipts, documents and numbers.
    memory: Memory,
    leases: MemoryRows,
    /// Whether a head is moved from any lower one: a planted fault.
    has_loose_heads: bool,
}

/// Hands an answer to who waits for it, if anybody still does.
pub(crate) type Answer = Box<dyn FnOnce() + Send>;

/// What a node asks of the database.
pub(crate) struct Request {
    label: String,
    deed: Deed,
    op: Op,
}

enum Op {
    /// Of the one truth.
    One(Run),
    /// At two replicas.
    Write { apply: Apply, tell: Box<dyn FnOnce(bool) + Send> },
    /// Of two replicas.
    Read(Find),
}

/// `None` stands for a request that is refused; so below.
type Run = Box<dyn FnOnce(Option<&mut Truth>) -> Answer + Send>;
type Apply = Arc<dyn Fn(&mut Replica) + Send + Sync>;
type Find = Box<dyn FnOnce(Option<[&Replica; 2]>) -> Answer + Send>;

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Told<T> {
    /// This.
    Answered(T),
    /// It was not carried out, and never will be.
    Refused,
    /// Nobody knows.
    Nothing,
}

/// A node's way to the database.
#[derive(Clone)]
pub(crate) struct Line(Outbox);

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Line {
    pub(crate) const fn new(outbox: Outbox) -> Self {
        Self(outbox)
    }

    /// Asks the one truth.
    async fn one<T: Send + 'static>(
        &self,
        label: String,
        within: Duration,
        run: impl FnOnce(&mut Truth) -> T + Send + 'static,
    ) -> Told<T> {
        self.deed((label, Deed::Other), within, run).await
    }

    /// Asks it for something of a conversation.
    async fn deed<T: Send + 'static>(
        &self,
        (label, deed): (String, Deed),
        within: Duration,
        run: impl FnOnce(&mut Truth) -> T + Send + 'static,
    ) -> Told<T> {
        let (tell, told) = oneshot::channel();
        let run = move |truth: Option<&mut Truth>| answer(tell, truth.map(run));
        self.send(label, deed, Op::One(Box::new(run)));
        wait(within, told).await
    }

    /// Writes at two replicas.
    async fn write(
        &self,
        (key, label): (ConversationKey, String),
        within: Duration,
        apply: impl Fn(&mut Replica) + Send + Sync + 'static,
    ) -> Told<()> {
        let (tell, told) = oneshot::channel();
        let tell = move |is_done: bool| {
            // Nobody waits any more when it cannot be sent.
            let _sent = tell.send(is_done.then_some(()));
        };
        let op = Op::Write { apply: Arc::new(apply), tell: Box::new(tell) };
        self.send(label, Deed::Put(key), op);
        wait(within, told).await
    }

    /// Reads rows at two replicas.
    async fn read(
        &self,
        (key, label): (ConversationKey, String),
        within: Duration,
        find: impl Fn(&Replica) -> Vec<Row> + Send + 'static,
    ) -> Told<Vec<Row>> {
        let (tell, told) = oneshot::channel();
        let find = move |replicas: Option<[&Replica; 2]>| {
            answer(tell, replicas.map(|both| merged(both.map(&find))))
        };
        self.send(label, Deed::Read(key), Op::Read(Box::new(find)));
        wait(within, told).await
    }

    fn send(&self, label: String, deed: Deed, op: Op) {
        self.0.lock().push(Effect::Request(Request { label, deed, op }));
    }
}

fn answer<T: Send + 'static>(tell: oneshot::Sender<Option<T>>, answer: Option<T>) -> Answer {
    // Nobody waits any more when it cannot be sent.
    Box::new(move || drop(tell.send(answer)))
}

async fn wait<T>(within: Duration, told: oneshot::Receiver<Option<T>>) -> Told<T> {
    let answer = async {
        match told.await {
            Ok(answer) => answer,
            // It was lost on the way, which nobody notices.
            Err(_lost) => std::future::pending().await,
        }
    };
    match tokio::time::timeout(within, answer).await {
        Ok(Some(answer)) => Told::Answered(answer),
        Ok(None) => Told::Refused,
        Err(_late) => Told::Nothing,
    }
}

/// The rows of two replicas, by rising position, and those of one position by falling epoch.
fn merged(both: [Vec<Row>; 2]) -> Vec<Row> {
    let mut rows: Vec<Row> = both.into_iter().flatten().collect();
    rows.sort_by_key(|row| (row.seq, std::cmp::Reverse(row.epoch)));
    // A row of one epoch is written again as it is.
    rows.dedup_by_key(|row| (row.seq, row.epoch));
    rows
}

fn is_public(stream: Stream) -> bool {
    stream == Stream::Public
}

/// The database as the world has it.
pub(crate) struct Database {
    truth: Truth,
    replicas: [Replica; REPLICAS],
    /// How many of a thousand requests go wrong, in each of the ways.
    pub(crate) wrong: u64,
    /// How long a step takes at most.
    pub(crate) step: Duration,
    /// The ways from and to each node.
    ways: Vec<Ways>,
    ambush: Option<Ambush>,
    census: Census,
}

/// Whether a node reaches the database, and is reached by it: by how many faults it is not.
#[derive(Default)]
struct Ways {
    cut: [u32; 2],
    /// Whether what cannot pass waits until it can, or is lost.
    holds: bool,
    held: Vec<Act>,
}

/// A direction between a node and the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    To,
    From,
}

impl Database {
    pub(crate) fn new(nodes: usize, has_loose_heads: bool) -> Self {
        let truth = Truth {
            heads: BTreeMap::new(),
            marks: BTreeMap::new(),
            memory: Memory::new(),
            leases: MemoryRows::default(),
            has_loose_heads,
        };
        let ways = std::iter::repeat_with(Ways::default).take(nodes).collect();
        let (replicas, census) = (Default::default(), Census::default());
        Self { truth, replicas, wrong: 0, step: STEP, ways, ambush: None, census }
    }

    /// How logs changed hands so far.
    pub(crate) const fn take_overs(&self) -> TakeOvers {
        self.census.counts()
    }

    /// Which head stands for the log that a deed moves.
    fn moved(&self, deed: &Deed) -> Option<Rule> {
        let Deed::Move(key) = deed else { return None };
        self.truth.heads.get(key).copied()
    }

    fn delay(&self, rng: &mut Rng) -> Duration {
        rng.between(Duration::from_micros(100), self.step)
    }

    fn goes_wrong(&self, rng: &mut Rng) -> bool {
        rng.below(1_000) < self.wrong
    }
}

impl World {
    /// Takes a request of a node on its way.
    pub(crate) fn request(&mut self, from: (usize, u64), request: Request) {
        let (database, rng) = (&self.database, &mut self.rng);
        let mut delay = database.delay(rng);
        if database.goes_wrong(rng) {
            self.trace(format_args!("{from:?} loses {}", request.label));
            return;
        }
        if database.goes_wrong(rng) {
            delay = rng.between(LATE.0, LATE.1);
        }
        self.after(delay, move |world| world.request_passes(from, request));
    }

    fn request_passes(&mut self, from: (usize, u64), request: Request) {
        self.pass(from.0, Way::To, move |world| world.arrives(from, request));
    }

    fn arrives(&mut self, from: (usize, u64), request: Request) {
        if let Some(request) = self.caught(from, request) {
            self.carry_out(from, request);
        }
    }

    fn carry_out(&mut self, from: (usize, u64), Request { label, deed, op }: Request) {
        let refuses = self.database.goes_wrong(&mut self.rng);
        self.trace(format_args!("{from:?} {label}{}", if refuses { " refused" } else { "" }));
        let before = self.database.moved(&deed);
        match op {
            Op::One(run) => {
                let answer = run((!refuses).then_some(&mut self.database.truth));
                let moves = self.database.moved(&deed) != before;
                self.database.census.note(from, &deed, moves);
                self.answer(from, answer);
            }
            Op::Read(find) => {
                let chance = self.rng.index(REPLICAS);
                let without = self.is_read_without(from, &deed).unwrap_or(chance);
                self.database.census.note(from, &deed, false);
                let [a, b, c] = &self.database.replicas;
                let asked = [[b, c], [a, c], [a, b]][without];
                let answer = find((!refuses).then_some(asked));
                self.answer(from, answer);
            }
            Op::Write { tell, .. } if refuses => self.answer(from, Box::new(move || tell(false))),
            Op::Write { apply, tell } => {
                self.database.census.note(from, &deed, false);
                self.replicate(from, &apply, tell);
            }
        }
    }

    /// Has each replica take a write when it does, and answers once two have.
    fn replicate(&mut self, from: (usize, u64), apply: &Apply, tell: Box<dyn FnOnce(bool) + Send>) {
        let mut taken = Vec::with_capacity(REPLICAS);
        for idx in 0..REPLICAS {
            let (database, rng) = (&self.database, &mut self.rng);
            let mut delay = database.delay(rng);
            if database.goes_wrong(rng) {
                delay = rng.between(LATE.0, LATE.1);
            }
            if database.goes_wrong(rng) {
                continue;
            }
            taken.push(delay);
            let apply = Arc::clone(apply);
            self.after(delay, move |world| {
                if let Some(replica) = world.database.replicas.get_mut(idx) {
                    apply(replica);
                }
            });
        }
        taken.sort_unstable();
        if let Some(at) = taken.get(1).filter(|at| **at < QUORUM_WITHIN) {
            // At the same moment as the second of them took it, and after it.
            self.after(*at, move |world| world.answer(from, Box::new(move || tell(true))));
        }
    }

    fn answer(&mut self, to: (usize, u64), answer: Answer) {
        let (database, rng) = (&self.database, &mut self.rng);
        let delay = database.delay(rng);
        if database.goes_wrong(rng) {
            return;
        }
        self.after(delay, move |world| {
            world.pass(to.0, Way::From, move |world| world.deliver(to, answer));
        });
    }

    /// Does something that comes by a way, now or when the way is open again.
    fn pass(&mut self, node: usize, way: Way, act: impl FnOnce(&mut Self) + 'static) {
        let Some(ways) = self.database.ways.get_mut(node) else { return };
        if ways.cut[usize::from(way == Way::From)] == 0 {
            act(self);
        } else if ways.holds {
            ways.held.push(Box::new(move |world| world.pass(node, way, act)));
        }
    }

    pub(crate) fn cut_database(&mut self, node: usize, way: Way, holds: bool) {
        if let Some(ways) = self.database.ways.get_mut(node) {
            ways.cut[usize::from(way == Way::From)] += 1;
            ways.holds = holds;
        }
    }

    pub(crate) fn open_database(&mut self, node: usize, way: Way) {
        let Some(ways) = self.database.ways.get_mut(node) else { return };
        let cut = &mut ways.cut[usize::from(way == Way::From)];
        *cut = cut.saturating_sub(1);
        for held in std::mem::take(&mut ways.held) {
            held(self);
        }
    }

    /// Whatever goes wrong with the database no longer does.
    pub(crate) fn mend_database(&mut self) {
        self.database.wrong = 0;
        self.database.step = STEP;
    }
}
