//! One node: the code of a real one on a runtime of its own, which runs when the world drives it.

mod start;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_actors::clock::Clock;
use switchboard_actors::duties::Duties;
use switchboard_actors::meter::Unmetered;
use switchboard_actors::region::Remote;
use switchboard_actors::{Config, System};
use switchboard_cluster::driver::{Driver, Settings, Standing};
use switchboard_cluster::ownership::{Boot, NodeName, Ownership};
use switchboard_cluster::time::{Moment, Times};
use switchboard_cluster::transport::{Receiver, Transport};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

pub(crate) use self::start::{Doors, Routing};

use self::start::{route_all, serve};
use crate::clock::LifeClock;
use crate::database::{Line, Request, SharedRows, SharedStore, SharedTables};
use crate::world::{TICK, World};

/// How long a start waits for its lease, as the binary does.
const LEASE_WITHIN: Duration = Duration::from_secs(30);
/// How long a drain waits for each of its steps.
const HAND_OFF_WITHIN: Duration = Duration::from_secs(12);
const SETTLE_WITHIN: Duration = Duration::from_secs(5);
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// What leaves a node.
pub(crate) enum Effect {
    /// To another node, by a connection.
    Envelope { to: usize, connection: u64, envelope: Bytes },
    /// To the database.
    Request(Request),
    /// To a client.
    Tell(Box<dyn FnOnce(&mut World) + Send>),
}

/// What left a node and the world has not taken yet, in order.
pub(crate) type Outbox = Arc<Mutex<Vec<Effect>>>;

/// Something that reaches a node, done within its runtime.
type Arrival = Box<dyn FnOnce() + Send>;

/// What a life needs to know of its node and of the others.
pub(crate) struct Circumstances {
    pub(crate) name: NodeName,
    /// Which life of all lives of all nodes.
    pub(crate) number: u64,
    pub(crate) now: Duration,
    /// How fast its clock goes, in thousandths.
    pub(crate) rate: u32,
    pub(crate) config: Config,
    /// How its tenant's departments route, as its directory says.
    pub(crate) routing: Routing,
    /// How many ticks a step takes while it starts; `None` for as many steps as there are in each.
    pub(crate) starts_slowly: Option<u32>,
    pub(crate) outbox: Outbox,
    pub(crate) transport: Arc<dyn Transport>,
}

/// One life of a node, from its start to its crash or end.
pub(crate) struct Life {
    number: u64,
    runtime: Runtime,
    outbox: Outbox,
    remote: Arc<dyn Receiver>,
    doors: Arc<OnceLock<Doors>>,
    drain: Arc<Notify>,
    progress: Arc<Progress>,
    starts_slowly: Option<u32>,
    ticks: u32,
    paused: Option<Paused>,
}

/// How far a life has come.
#[derive(Default)]
struct Progress {
    has_lease: AtomicBool,
    /// Whether it gave up on telling its queue how departments route.
    has_failed: AtomicBool,
    has_ended: AtomicBool,
}

struct Paused {
    since: Duration,
    arrivals: Vec<Arrival>,
}

impl Life {
    /// Begins as the binary does: links first, then the lease, then the actors.
    pub(crate) fn begin(of: Circumstances) -> std::io::Result<Self> {
        let mut runtime = Builder::new_current_thread();
        if of.starts_slowly.is_some() {
            // So that its steps can be counted.
            runtime.event_interval(1);
        }
        let runtime = runtime.enable_time().start_paused(true).build()?;
        let (number, outbox, starts_slowly) = (of.number, Arc::clone(&of.outbox), of.starts_slowly);
        let remote = Remote::new();
        remote.connect(Arc::clone(&of.transport));
        let receiver = remote.receiver();
        let (doors, drain) = (Arc::default(), Arc::<Notify>::default());
        let progress = Arc::<Progress>::default();
        let running = Running {
            of,
            remote,
            doors: Arc::clone(&doors),
            drain: Arc::clone(&drain),
            progress: Arc::clone(&progress),
        };
        let ended = Arc::clone(&progress);
        runtime.spawn(async move {
            Box::pin(running.run()).await;
            ended.has_ended.store(true, Ordering::Relaxed);
        });
        let (remote, paused, ticks) = (receiver, None, 0);
        Ok(Self {
            number,
            runtime,
            outbox,
            remote,
            doors,
            drain,
            progress,
            starts_slowly,
            ticks,
            paused,
        })
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.progress.has_ended.load(Ordering::Relaxed)
    }

    /// Whether its start failed, with a lease and actors.
    pub(crate) fn has_failed(&self) -> bool {
        self.progress.has_failed.load(Ordering::Relaxed)
    }

    /// Where clients come in, once it serves them.
    pub(crate) fn doors(&self) -> Option<Doors> {
        self.doors.get().cloned()
    }

    pub(crate) fn receiver(&self) -> Arc<dyn Receiver> {
        Arc::clone(&self.remote)
    }

    pub(crate) fn outbox(&self) -> Outbox {
        Arc::clone(&self.outbox)
    }

    /// What has left it since this was last asked.
    pub(crate) fn take_effects(&self) -> Vec<Effect> {
        std::mem::take(&mut *self.outbox.lock())
    }

    /// Lets something reach it: now, or when it goes on.
    pub(crate) fn reach(&mut self, arrival: Arrival) {
        match &mut self.paused {
            Some(paused) => paused.arrivals.push(arrival),
            None => {
                let _within = self.runtime.enter();
                arrival();
            }
        }
    }

    /// Runs for one tick.
    pub(crate) fn advance(&mut self) {
        if self.paused.is_some() {
            return;
        }
        let is_starting =
            self.progress.has_lease.load(Ordering::Relaxed) && self.doors.get().is_none();
        let Some(ticks) = self.starts_slowly.filter(|_| is_starting) else {
            self.runtime.block_on(async { tokio::time::sleep(TICK).await });
            return;
        };
        self.ticks += 1;
        let makes_a_step = self.ticks.is_multiple_of(ticks);
        // Time goes on, whatever is left to do.
        self.runtime.block_on(async {
            if makes_a_step {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(TICK).await;
        });
    }

    pub(crate) fn pause(&mut self, since: Duration) {
        if self.paused.is_none() {
            self.paused = Some(Paused { since, arrivals: Vec::new() });
        }
    }

    /// Goes on: its clock jumps, and what waited is there before any of its timers is.
    pub(crate) fn go_on(&mut self, now: Duration) {
        let Some(Paused { since, arrivals }) = self.paused.take() else { return };
        {
            let _within = self.runtime.enter();
            for arrival in arrivals {
                arrival();
            }
        }
        self.runtime.block_on(tokio::time::advance(now.saturating_sub(since)));
    }

    /// Gives everything away and ends, as on SIGTERM.
    pub(crate) fn drain(&self) {
        self.drain.notify_one();
    }
}

/// What runs in a life.
struct Running {
    of: Circumstances,
    remote: Arc<Remote>,
    doors: Arc<OnceLock<Doors>>,
    drain: Arc<Notify>,
    progress: Arc<Progress>,
}

impl Running {
    /// In the order of the binary: the lease, the actors, the shards that come and go, how departments
    /// route, and then clients and what others give.
    async fn run(self) {
        let clock = Arc::new(LifeClock::new(self.of.now, self.of.number));
        let duties = Duties::among(Some(Arc::clone(&self.remote)));
        let line = Line::new(Arc::clone(&self.of.outbox));
        let rows = Arc::new(SharedRows::new(line.clone()));
        let driver = Driver::start(self.settings(&clock), rows, Arc::new(duties.clone()));
        if !matches!(driver.settled(LEASE_WITHIN).await, Standing::In { .. }) {
            return;
        }
        self.progress.has_lease.store(true, Ordering::Relaxed);
        let tables = SharedTables::new(line.clone(), Arc::clone(&clock));
        let ownership = driver.ownership();
        let system = System::join(
            self.of.config.clone(),
            Arc::new(SharedStore::new(tables, line)),
            clock as Arc<dyn Clock>,
            Arc::clone(&ownership) as Arc<dyn Ownership>,
            Arc::new(Unmetered),
            Some(Arc::clone(&self.remote)),
        );
        let Ok(system) = system.await else { return };
        duties.begin(&system.conversations(), &*ownership);
        let (asks, asked) = mpsc::channel(1);
        let doors = Doors::of(&system, asks);
        if route_all(&doors.queue, &self.of.routing).await.is_err() {
            self.progress.has_failed.store(true, Ordering::Relaxed);
            return;
        }
        // It is set once.
        let _set = self.doors.set(doors);
        self.remote.take_shards();
        if serve(&driver, &system, asked, &self.drain).await {
            leave(driver, system).await;
        }
    }

    fn settings(&self, clock: &Arc<LifeClock>) -> Settings {
        let (clock, rate) = (Arc::clone(clock), self.of.rate);
        let (number, boots) = (self.of.number, AtomicU64::new(0));
        Settings {
            node: self.of.name.clone(),
            address: self.of.name.0.clone(),
            weight: 1,
            times: Times::DEFAULT,
            clock: Arc::new(move || Moment(clock.elapsed() * rate / 1_000)),
            boots: Arc::new(move || {
                Boot(Uuid::from_u64_pair(number, boots.fetch_add(1, Ordering::Relaxed)))
            }),
        }
    }
}

/// Drains in the order of the binary. What does not end in time is taken over by others.
async fn leave(driver: Driver, system: System) {
    driver.drain();
    let _handed_off = tokio::time::timeout(HAND_OFF_WITHIN, driver.ended()).await;
    system.drain(SETTLE_WITHIN).await;
    driver.leave();
    let _left = tokio::time::timeout(LEAVE_WITHIN, driver.ended()).await;
}
