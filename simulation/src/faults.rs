//! What goes wrong, when and for how long: drawn from the seed.

use std::fmt;
use std::time::Duration;

use switchboard_loadtest::rng::Rng;

use crate::Faults;
use crate::database::Way;
use crate::people;
use crate::world::World;

/// How long things go wrong.
const STORM: Duration = Duration::from_secs(40);
/// How many things go wrong meanwhile.
const FAULTS: (u64, u64) = (2, 6);
/// How long one of them lasts.
const LASTS: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(14));
/// The same for many: until just after others have taken over what a node had that was not heard of,
/// which is when two could take themselves for the owner.
const LASTS_FOR_A_LEASE: (Duration, Duration) =
    (Duration::from_millis(5_500), Duration::from_millis(8_500));
/// How long a way that flaps is open or not.
const FLAP: Duration = Duration::from_millis(700);
/// How far restarts are apart that nothing else goes wrong with.
const RESTART_EVERY: Duration = Duration::from_secs(8);
/// How slow the database is where nodes are killed and come back at once, in milliseconds a step.
const SLOW_MS: u64 = 40;
/// How long a node that goes is not heard by one of the others: until all it had is another's.
const UNHEARD_FOR: Duration = Duration::from_secs(1);
/// How long everybody may take to catch up.
const CALM: Duration = Duration::from_secs(90);

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    /// A node is killed, and started again when this is over.
    Crash(usize),
    /// A node is killed, and started again at once: the others still take it for who it was.
    Restart(usize),
    /// A node stands still.
    Pause(usize),
    /// A node is told to end, and started again.
    Drain(usize),
    /// A node reaches nobody and nobody it, no database either.
    Isolated { node: usize, holds: bool },
    /// A node is parted from the other nodes, not from the database.
    Apart(usize),
    /// Two nodes do not reach each other.
    Parted(usize, usize),
    /// One node is not heard by another.
    Unheard { from: usize, to: usize },
    /// Two nodes reach each other by turns.
    Flapping(usize, usize),
    /// The link of two nodes ends, and is made again.
    Dropped(usize, usize),
    /// A node is parted from the database.
    Cut { node: usize, ways: Vec<Way>, holds: bool },
    /// So many of a thousand requests to the database go wrong in each way.
    Lies(u64),
    /// The database is slow, by up to so many milliseconds a step.
    Slow(u64),
    /// The links are slow, by up to so many milliseconds.
    SlowLinks(u64),
    /// Three owners of a conversation get into each other's way.
    Ambush(u32),
}

impl Fault {
    fn draw(rng: &mut Rng, nodes: usize, conversations: u32) -> Self {
        let node = rng.index(nodes);
        let other = another(rng, node, nodes);
        let holds = rng.chance(60);
        match rng.below(18) {
            0 | 1 => Self::Crash(node),
            2 | 3 => Self::Pause(node),
            4 => Self::Drain(node),
            5 => Self::Isolated { node, holds },
            6 => Self::Apart(node),
            7 => Self::Parted(node, other),
            8 => Self::Unheard { from: node, to: other },
            9 => Self::Flapping(node, other),
            10 => Self::Dropped(node, other),
            11 | 12 => {
                let ways = [vec![Way::To, Way::From], vec![Way::To], vec![Way::From]];
                let ways = ways[rng.index(3)].clone();
                Self::Cut { node, ways, holds }
            }
            13 => Self::Lies(5 + rng.below(60)),
            14 => Self::Ambush(u32::try_from(rng.below(u64::from(conversations))).unwrap_or(0)),
            15 | 16 => Self::Restart(node),
            _ => match rng.chance(50) {
                true => Self::Slow(50 + rng.below(800)),
                false => Self::SlowLinks(50 + rng.below(600)),
            },
        }
    }

    fn begin(&self, world: &mut World) {
        let others = |node: usize, world: &World| {
            (0..world.nodes()).filter(move |other| *other != node).collect::<Vec<_>>()
        };
        match self {
            Self::Crash(node) => world.crash(*node),
            Self::Restart(node) => {
                world.crash(*node);
                world.start(*node);
            }
            Self::Pause(node) => world.pause(*node),
            Self::Drain(node) => world.drain(*node),
            Self::Isolated { node, holds } => {
                Self::Apart(*node).begin(world);
                world.cut_database(*node, Way::To, *holds);
                world.cut_database(*node, Way::From, *holds);
            }
            Self::Apart(node) => {
                for other in others(*node, world) {
                    Self::Parted(*node, other).begin(world);
                }
            }
            Self::Parted(a, b) => {
                world.block(*a, *b);
                world.block(*b, *a);
            }
            Self::Unheard { from, to } => world.block(*from, *to),
            // Begins open, and each turn is an event of its own.
            Self::Flapping(..) => {}
            Self::Dropped(a, b) => world.cut(*a, *b, Duration::from_millis(50)),
            Self::Cut { node, ways, holds } => {
                for way in ways {
                    world.cut_database(*node, *way, *holds);
                }
            }
            Self::Lies(wrong) => world.database.wrong = *wrong,
            Self::Slow(ms) => world.database.step = Duration::from_millis(*ms),
            Self::Ambush(conversation) => world.lie_in_wait(people::key(*conversation)),
            Self::SlowLinks(ms) => world.network.delay = Duration::from_millis(*ms),
        }
    }

    fn end(&self, world: &mut World) {
        match self {
            Self::Crash(node) => world.start(*node),
            Self::Pause(node) => world.go_on(*node),
            Self::Isolated { node, .. } => {
                Self::Apart(*node).end(world);
                world.open_database(*node, Way::To);
                world.open_database(*node, Way::From);
            }
            Self::Apart(node) => {
                for other in (0..world.nodes()).filter(|other| other != node) {
                    Self::Parted(*node, other).end(world);
                }
            }
            Self::Parted(a, b) => {
                world.unblock(*a, *b);
                world.unblock(*b, *a);
            }
            Self::Unheard { from, to } => world.unblock(*from, *to),
            Self::Cut { node, ways, .. } => {
                for way in ways {
                    world.open_database(*node, *way);
                }
            }
            Self::Lies(_) | Self::Slow(_) => world.mend_database(),
            Self::SlowLinks(_) => world.network.mend(),
            Self::Ambush(_) => world.end_ambush(),
            // One that drained is started again when it has ended.
            Self::Restart(_) | Self::Drain(_) | Self::Flapping(..) | Self::Dropped(..) => {}
        }
    }
}

/// One of the other nodes; the same where there is no other.
fn another(rng: &mut Rng, node: usize, nodes: usize) -> usize {
    (node + 1 + rng.index(nodes.saturating_sub(1))) % nodes.max(1)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl World {
    /// Lets things go wrong for a while; answers what did.
    pub(crate) fn storm(&mut self) -> Vec<String> {
        if self.faults != Faults::All {
            return self.restarts();
        }
        let count = FAULTS.0 + self.rng.below(FAULTS.1 - FAULTS.0 + 1);
        let mut told = Vec::new();
        for _ in 0..count {
            let begins = self.rng.between(Duration::ZERO, STORM * 3 / 4);
            let lasts = if self.rng.chance(40) { LASTS_FOR_A_LEASE } else { LASTS };
            let lasts = self.rng.between(lasts.0, lasts.1).min(STORM - begins);
            let (nodes, conversations) = (self.nodes(), self.clients.conversations);
            let fault = Fault::draw(&mut self.rng, nodes, conversations);
            // It takes two leases that run out.
            let lasts = if matches!(fault, Fault::Ambush(_)) { STORM - begins } else { lasts };
            told.push(format!("{:?} for {lasts:?}: {fault}", self.now + begins));
            self.plan(fault, begins, lasts);
        }
        told.sort_unstable();
        self.until(STORM + Duration::from_secs(1), |_| false);
        told
    }

    /// Has nodes end and start again, one after the other, with links that end meanwhile if they
    /// are to.
    fn restarts(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        if self.faults == Faults::Restarts {
            // So that what a node had is not all others' when it is back.
            self.plan(Fault::Slow(SLOW_MS), Duration::ZERO, STORM);
        }
        let count = STORM.as_millis() / RESTART_EVERY.as_millis();
        for (turn, node) in
            (0..self.nodes()).cycle().take(usize::try_from(count).unwrap_or(0)).enumerate()
        {
            let begins = RESTART_EVERY * u32::try_from(turn).unwrap_or(0);
            let fault = match self.faults {
                Faults::Restarts => Fault::Restart(node),
                Faults::All | Faults::Drains | Faults::DrainsUnheard => Fault::Drain(node),
            };
            told.push(format!("{:?}: {fault:?}", self.now + begins));
            self.plan(fault, begins, Duration::ZERO);
            if self.faults == Faults::DrainsUnheard {
                let nodes = self.nodes();
                let to = another(&mut self.rng, node, nodes);
                self.plan(Fault::Unheard { from: node, to }, begins, UNHEARD_FOR);
            }
        }
        self.until(STORM + Duration::from_secs(1), |_| false);
        told
    }

    fn plan(&mut self, fault: Fault, begins: Duration, lasts: Duration) {
        if let Fault::Flapping(a, b) = fault {
            let mut at = begins;
            while at + FLAP < begins + lasts {
                let turn = self.rng.between(FLAP / 7, FLAP);
                self.plan(Fault::Parted(a, b), at, turn / 2);
                at += turn;
            }
        }
        let ends = fault.clone();
        self.after(begins, move |world| {
            world.trace(format_args!("begins: {fault}"));
            fault.begin(world);
        });
        self.after(begins + lasts, move |world| {
            world.trace(format_args!("ends: {ends}"));
            ends.end(world);
        });
    }

    /// Nothing goes wrong any more: waits until everybody knows what became of what they said.
    /// Whether that came to be.
    pub(crate) fn calm_down(&mut self) -> bool {
        self.mend_database();
        self.network.mend();
        for idx in 0..self.nodes() {
            self.go_on(idx);
            self.start(idx);
        }
        self.clients.stop_talking();
        let count = self.nodes();
        self.until(CALM, |world| {
            world.clients.are_sure() && (0..count).all(|idx| world.serves(idx))
        })
    }
}
