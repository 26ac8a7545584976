//! Time, and all that happens in it: drives the nodes, and carries between them, the database and
//! the clients what they send.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_actors::Config;
use switchboard_actors::sabotage::Sabotage;
use switchboard_cluster::ownership::NodeName;
use switchboard_cluster::transport::Receiver;
use switchboard_loadtest::rng::Rng;

use crate::clients::Clients;
use crate::database::{Answer, Database};
use crate::network::Network;
use crate::node::{Circumstances, Doors, Effect, Life, Outbox};
use crate::people::Tenancy;
use crate::trace::Trace;
use crate::{Faults, Outcome, Plan};

/// How long a node runs before the next one does. Whatever goes from one to another takes longer.
pub(crate) const TICK: Duration = Duration::from_millis(2);
/// How often links are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long what a client and a node say to each other takes.
const CLIENT_DELAY: Duration = Duration::from_millis(2);
/// How much a clock may be faster or slower than time, in thousandths.
const RATE_OFF: u64 = 30;
/// How many starts of a hundred are slow, and how many ticks each of their steps takes at most.
const SLOW_STARTS: u64 = 30;
const SLOW_STEP: u64 = 12;
/// When a node that ended by itself is started again.
const RESTART_AFTER: Duration = Duration::from_secs(2);

/// Something that happens.
pub(crate) type Act = Box<dyn FnOnce(&mut World)>;

/// A node, whether it runs or not.
struct Node {
    life: Option<Life>,
    rate: u32,
    /// Whether somebody wants it to run.
    is_wanted: bool,
}

/// Everything.
pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) rng: Rng,
    pub(crate) network: Network,
    pub(crate) database: Database,
    pub(crate) clients: Clients,
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    nodes: Vec<Node>,
    agenda: BTreeMap<(Duration, u64), Act>,
    entered: u64,
    lives: u64,
    /// Lives that ended by themselves without having been told to.
    pub(crate) exits: Vec<String>,
    trace: Trace,
    config: Config,
    pub(crate) tenancy: Tenancy,
}

impl World {
    pub(crate) fn new(seed: u64, plan: &Plan) -> Self {
        let names: Arc<[NodeName]> =
            (0..plan.nodes).map(|idx| NodeName(format!("node-{idx}").into())).collect();
        let mut rng = Rng::new(seed);
        let mut node = || {
            let off = rng.below(2 * RATE_OFF + 1);
            let rate = u32::try_from(1_000 - RATE_OFF + off).unwrap_or(1_000);
            Node { life: None, rate, is_wanted: true }
        };
        let nodes = (0..plan.nodes).map(|_| node()).collect();
        let tenancy = Tenancy::draw(&mut rng);
        Self {
            now: Duration::ZERO,
            rng,
            network: Network::new(names),
            database: Database::new(plan.nodes, plan.planted.contains("loose_head")),
            clients: Clients::new(plan.conversations, plan.agents),
            seed,
            faults: plan.faults,
            nodes,
            agenda: BTreeMap::new(),
            entered: 0,
            lives: 0,
            exits: Vec::new(),
            trace: Trace::new(plan.keeps_trace),
            config: config(&plan.planted, &tenancy),
            tenancy,
        }
    }

    /// From the start of the nodes to the verdict.
    pub(crate) fn run(mut self) -> Outcome {
        self.start_all();
        self.look_every();
        self.serve_clients();
        let faults = self.storm();
        let is_quiet = self.calm_down();
        self.judge(faults, is_quiet)
    }

    pub(crate) fn into_trace(self) -> (u64, u64, Vec<String>) {
        let (events, sum) = self.trace.sum();
        (events, sum, self.trace.into_lines())
    }

    /// Lets time pass until something holds, at most so long; whether it does.
    pub(crate) fn until(&mut self, at_most: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + at_most;
        while self.now < end && !holds(self) {
            self.tick();
        }
        holds(self)
    }

    fn tick(&mut self) {
        self.now += TICK;
        for idx in 0..self.nodes.len() {
            let Some(life) = self.nodes[idx].life.as_mut().filter(|life| !life.is_paused()) else {
                continue;
            };
            life.advance();
            let (number, effects) = (life.number(), life.take_effects());
            for effect in effects {
                self.carry((idx, number), effect);
            }
            self.bury(idx);
        }
        while let Some(entry) = self.agenda.first_entry().filter(|it| it.key().0 <= self.now) {
            let act = entry.remove();
            act(self);
        }
    }

    fn carry(&mut self, from: (usize, u64), effect: Effect) {
        match effect {
            Effect::Envelope { to, connection, envelope } => {
                self.envelope(from.0, to, connection, envelope);
            }
            Effect::Request(request) => self.request(from, request),
            Effect::Tell(tell) => self.after(CLIENT_DELAY, tell),
        }
    }

    /// Takes a life away that ended by itself.
    fn bury(&mut self, idx: usize) {
        let node = &mut self.nodes[idx];
        let Some(life) = node.life.as_ref().filter(|life| life.has_ended()) else { return };
        // One that does not get its lease, or cannot read its store, ends as the binary does.
        if life.has_failed() {
            self.exits.push(format!("node {idx} at {:?}: it could not start", self.now));
        } else if node.is_wanted && life.doors().is_some() {
            self.exits.push(format!("node {idx} at {:?}", self.now));
        }
        self.crash(idx);
        self.after(RESTART_AFTER, move |world| world.start(idx));
    }

    /// Does something so much later.
    pub(crate) fn after(&mut self, wait: Duration, act: impl FnOnce(&mut Self) + 'static) {
        self.entered += 1;
        self.agenda.insert((self.now + wait, self.entered), Box::new(act));
    }

    pub(crate) fn trace(&mut self, what: fmt::Arguments<'_>) {
        self.trace.add(self.now, what);
    }

    fn look_every(&mut self) {
        self.look_after_links();
        self.after(LOOK_EVERY, Self::look_every);
    }

    fn start_all(&mut self) {
        for idx in 0..self.nodes.len() {
            self.start(idx);
        }
    }

    /// Starts a node, unless it runs.
    pub(crate) fn start(&mut self, idx: usize) {
        if self.nodes[idx].life.is_some() {
            return;
        }
        self.lives += 1;
        let outbox: Outbox = Arc::new(Mutex::default());
        let is_slow = self.rng.chance(SLOW_STARTS) || self.faults == Faults::Restarts;
        let ticks = 1 + u32::try_from(self.rng.below(SLOW_STEP)).unwrap_or(0);
        let of = Circumstances {
            name: self.network.name(idx),
            number: self.lives,
            now: self.now,
            rate: self.nodes[idx].rate,
            config: self.config.clone(),
            routing: self.tenancy.routing(),
            starts_slowly: is_slow.then_some(ticks),
            transport: Arc::new(self.network.port(idx, Arc::clone(&outbox))),
            outbox,
        };
        self.trace(format_args!("{idx} starts"));
        self.nodes[idx].is_wanted = true;
        self.nodes[idx].life = Life::begin(of).ok();
    }

    /// Ends a node at once, with all that it had under way.
    pub(crate) fn crash(&mut self, idx: usize) {
        let Some(life) = self.nodes[idx].life.take() else { return };
        self.trace(format_args!("{idx} is gone"));
        drop(life);
        self.gone(idx);
        self.clients_lose(idx);
    }

    pub(crate) fn pause(&mut self, idx: usize) {
        let now = self.now;
        if let Some(life) = &mut self.nodes[idx].life {
            life.pause(now);
            self.trace(format_args!("{idx} stands still"));
        }
    }

    pub(crate) fn go_on(&mut self, idx: usize) {
        let now = self.now;
        if let Some(life) = self.nodes[idx].life.as_mut().filter(|life| life.is_paused()) {
            life.go_on(now);
            self.trace(format_args!("{idx} goes on"));
        }
    }

    pub(crate) fn drain(&mut self, idx: usize) {
        let node = &mut self.nodes[idx];
        if let Some(life) = &node.life {
            life.drain();
            node.is_wanted = false;
            self.trace(format_args!("{idx} drains"));
        }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn life_of(&self, idx: usize) -> Option<u64> {
        Some(self.nodes.get(idx)?.life.as_ref()?.number())
    }

    /// Whether a node runs and does not stand still.
    pub(crate) fn can_hear(&self, idx: usize) -> bool {
        self.nodes.get(idx).and_then(|it| it.life.as_ref()).is_some_and(|it| !it.is_paused())
    }

    /// Whether a node serves clients, as soon as it does not stand still.
    pub(crate) fn serves(&self, idx: usize) -> bool {
        self.nodes.get(idx).and_then(|it| it.life.as_ref()).is_some_and(|it| it.doors().is_some())
    }

    /// Hands something to the receiver of a node, if it lives.
    pub(crate) fn reach(&mut self, idx: usize, act: impl FnOnce(&dyn Receiver) + Send + 'static) {
        if let Some(life) = &mut self.nodes[idx].life {
            let receiver = life.receiver();
            life.reach(Box::new(move || act(&*receiver)));
        }
    }

    /// Hands an answer of the database to one life of a node.
    pub(crate) fn deliver(&mut self, (idx, number): (usize, u64), answer: Answer) {
        let life = self.nodes[idx].life.as_mut().filter(|life| life.number() == number);
        if let Some(life) = life {
            life.reach(answer);
        }
    }

    /// Runs something for a client on a node, by its doors; whether the node is there.
    pub(crate) fn visit<F>(
        &mut self,
        idx: usize,
        task: impl FnOnce(Doors, Outbox) -> F + Send + 'static,
    ) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(life) = &mut self.nodes[idx].life else { return false };
        let Some(doors) = life.doors() else { return false };
        let outbox = life.outbox();
        life.reach(Box::new(move || drop(tokio::spawn(task(doors, outbox)))));
        true
    }
}

/// Settings of nodes that put conversations away sooner than in real life.
fn config(planted: &str, tenancy: &Tenancy) -> Config {
    Config {
        idle: Duration::from_secs(4),
        bare_policy: tenancy.bare_policy(),
        sabotage: sabotage(planted),
        ..Config::standard()
    }
}

#[cfg(feature = "sabotage")]
fn sabotage(planted: &str) -> Sabotage {
    Sabotage::named(planted)
}

#[cfg(not(feature = "sabotage"))]
fn sabotage(_planted: &str) -> Sabotage {
    Sabotage::default()
}
