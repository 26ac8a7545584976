//! What nodes send each other: in order and once while two are linked, with delays; and what keeps it
//! from arriving.
//!
//! As the wire of the product, a link ends when one side hears nothing of the other for five seconds.
//! Each side learns of that by itself; what either sends until then is taken and lost. What is held
//! up for less arrives late.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_cluster::ownership::NodeName;
use switchboard_cluster::transport::{
    CREDIT_BYTES, ENVELOPE_BYTES_MAX, NotSent, Peer, Transport, VERSIONS,
};

use crate::node::Outbox;
use crate::trace::print_of;
use crate::world::World;

/// How long an envelope takes at most, as a rule.
const DELAY: Duration = Duration::from_millis(4);
/// How long a side hears nothing before it ends the link.
const SILENCE: Duration = Duration::from_secs(5);
/// How much later than the other a side may learn of that.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);
/// When two that lost each other try again.
const DIAL_AFTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// What an envelope costs beyond its bytes.
const OVERHEAD: usize = 64;

/// What one node believes of its link to another.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    is_up: bool,
    connection: u64,
    /// Bytes on the way.
    bytes: usize,
}

/// The sides of all links, by who believes and of whom.
#[derive(Debug)]
pub(crate) struct Sides(Vec<Vec<Side>>);

impl Sides {
    fn at(&mut self, of: usize, to: usize) -> Option<&mut Side> {
        self.0.get_mut(of)?.get_mut(to)
    }
}

/// One node's transport.
pub(crate) struct Port {
    me: usize,
    names: Arc<[NodeName]>,
    sides: Arc<Mutex<Sides>>,
    outbox: Outbox,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Port {
    fn take(&self, to: &NodeName, envelope: Bytes, credit: usize) -> Result<(), NotSent> {
        let to = self.names.iter().position(|name| name == to).ok_or(NotSent::Down)?;
        let mut sides = self.sides.lock();
        let side = sides.at(self.me, to).filter(|side| side.is_up).ok_or(NotSent::Down)?;
        if envelope.len() > ENVELOPE_BYTES_MAX {
            return Err(NotSent::TooLong);
        }
        let bytes = side.bytes + envelope.len() + OVERHEAD;
        if bytes > credit {
            return Err(NotSent::Full);
        }
        side.bytes = bytes;
        let connection = side.connection;
        self.outbox.lock().push(crate::node::Effect::Envelope { to, connection, envelope });
        Ok(())
    }
}

impl Transport for Port {
    fn send(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.take(to, envelope, CREDIT_BYTES)
    }

    fn offer(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.take(to, envelope, CREDIT_BYTES / 2)
    }
}

/// The link of two nodes, the first of which has the smaller number.
#[derive(Debug, Default)]
struct Link {
    is_linked: bool,
    /// Which connection of these two.
    connection: u64,
    /// When the last envelope of each way arrives.
    arrives_at: [Duration; 2],
    /// By how many faults each way is blocked, and what waits there.
    blocked: [u32; 2],
    waiting: [Vec<Bytes>; 2],
    silent_since: Option<Duration>,
    dials_at: Option<Duration>,
}

/// All links.
pub(crate) struct Network {
    names: Arc<[NodeName]>,
    sides: Arc<Mutex<Sides>>,
    links: Vec<((usize, usize), Link)>,
    /// How long an envelope takes at most.
    pub(crate) delay: Duration,
}

impl Network {
    pub(crate) fn new(names: Arc<[NodeName]>) -> Self {
        let count = names.len();
        let sides = Arc::new(Mutex::new(Sides(vec![vec![Side::default(); count]; count])));
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let links = pairs.map(|pair| (pair, Link::default())).collect();
        Self { names, sides, links, delay: DELAY }
    }

    /// The transport of one life of a node.
    pub(crate) fn port(&self, me: usize, outbox: Outbox) -> Port {
        Port { me, names: Arc::clone(&self.names), sides: Arc::clone(&self.sides), outbox }
    }

    pub(crate) fn name(&self, idx: usize) -> NodeName {
        self.names[idx].clone()
    }

    /// The link of two nodes, and which way it is from the one to the other.
    fn link(&mut self, from: usize, to: usize) -> Option<(&mut Link, usize)> {
        let pair = (from.min(to), from.max(to));
        let (_, link) = self.links.iter_mut().find(|(it, _)| *it == pair)?;
        Some((link, usize::from(from > to)))
    }

    fn believes(&self, of: usize, to: usize) -> bool {
        self.sides.lock().at(of, to).is_some_and(|side| side.is_up)
    }

    /// Whatever goes wrong between nodes beside what is blocked no longer does.
    pub(crate) fn mend(&mut self) {
        self.delay = DELAY;
    }
}

impl World {
    /// Takes an envelope on its way.
    pub(crate) fn envelope(&mut self, from: usize, to: usize, connection: u64, envelope: Bytes) {
        let now = self.now;
        let delay = self.rng.between(Duration::from_micros(100), self.network.delay);
        let Some((link, way)) = self.network.link(from, to) else { return };
        if !link.is_linked || link.connection != connection {
            return;
        }
        // Not before the one that was sent before it; whether the way is blocked shows at its end, so
        // that what was sent before a block waits before what is sent meanwhile.
        let at = link.arrives_at[way].max(now + delay);
        link.arrives_at[way] = at;
        self.after(at - now, move |world| world.envelope_arrives(from, to, connection, envelope));
    }

    fn envelope_arrives(&mut self, from: usize, to: usize, connection: u64, envelope: Bytes) {
        let Some((link, way)) = self.network.link(from, to) else { return };
        if !link.is_linked || link.connection != connection {
            return;
        }
        if link.blocked[way] > 0 {
            link.waiting[way].push(envelope);
            return;
        }
        if let Some(side) = self.network.sides.lock().at(from, to) {
            side.bytes = side.bytes.saturating_sub(envelope.len() + OVERHEAD);
        }
        let (bytes, print) = (envelope.len(), print_of(&envelope));
        self.trace(format_args!("{from} to {to}: {bytes} bytes, {print:016x}"));
        let name = self.network.name(from);
        self.reach(to, move |receiver| receiver.receive(&name, envelope));
    }

    /// Blocks the way from one node to another.
    pub(crate) fn block(&mut self, from: usize, to: usize) {
        if let Some((link, way)) = self.network.link(from, to) {
            link.blocked[way] += 1;
        }
    }

    /// Takes one reason away why the way is blocked; what was held up follows if it was the last.
    pub(crate) fn unblock(&mut self, from: usize, to: usize) {
        let Some((link, way)) = self.network.link(from, to) else { return };
        link.blocked[way] = link.blocked[way].saturating_sub(1);
        if link.blocked[way] > 0 {
            return;
        }
        // At once, before what is on its way still.
        let (connection, waiting) = (link.connection, std::mem::take(&mut link.waiting[way]));
        for envelope in waiting {
            self.envelope_arrives(from, to, connection, envelope);
        }
    }

    /// Ends the link of two nodes. Each side learns of it after a while, up to so long.
    pub(crate) fn cut(&mut self, a: usize, b: usize, within: Duration) {
        let Some((link, _)) = self.network.link(a, b) else { return };
        link.is_linked = false;
        link.waiting = Default::default();
        link.silent_since = None;
        link.dials_at = None;
        let connection = link.connection;
        for (of, to) in [(a, b), (b, a)] {
            let noticed_after = self.rng.between(Duration::ZERO, within);
            let Some(life) = self.life_of(of).filter(|_| self.network.believes(of, to)) else {
                continue;
            };
            self.after(noticed_after, move |world| {
                if world.life_of(of) == Some(life) {
                    world.side_ends(of, to, connection);
                }
            });
        }
    }

    /// One side learns that a connection has ended; perhaps for the second time.
    fn side_ends(&mut self, of: usize, to: usize, connection: u64) {
        {
            let mut sides = self.network.sides.lock();
            let side = sides.at(of, to).filter(|it| it.is_up && it.connection == connection);
            let Some(side) = side else { return };
            *side = Side::default();
        }
        self.trace(format_args!("{of} has lost {to}"));
        let name = self.network.name(to);
        self.reach(of, move |receiver| receiver.down(&name));
    }

    /// A node is gone: the others notice soon, or when they hear nothing of it.
    pub(crate) fn gone(&mut self, node: usize) {
        for other in (0..self.nodes()).filter(|other| *other != node) {
            if let Some(side) = self.network.sides.lock().at(node, other) {
                *side = Side::default();
            }
            let Some((link, way)) = self.network.link(node, other) else { continue };
            let within =
                if link.blocked[way] > 0 { SILENCE + NOTICED_WITHIN } else { NOTICED_WITHIN / 20 };
            self.cut(node, other, within);
        }
    }

    /// Ends links that are silent for too long, and links whoever can be.
    pub(crate) fn look_after_links(&mut self) {
        for idx in 0..self.network.links.len() {
            let (a, b) = self.network.links[idx].0;
            let is_apart = !self.can_hear(a) || !self.can_hear(b);
            let believes = self.network.believes(a, b) || self.network.believes(b, a);
            let now = self.now;
            let dial = self.rng.between(DIAL_AFTER.0, DIAL_AFTER.1);
            let link = &mut self.network.links[idx].1;
            let is_silent = is_apart || link.blocked != [0, 0];
            if link.is_linked {
                let since = *link.silent_since.get_or_insert(now);
                if !is_silent {
                    link.silent_since = None;
                } else if now - since > SILENCE {
                    self.cut(a, b, NOTICED_WITHIN);
                }
            } else if is_silent || believes {
                link.dials_at = None;
            } else if now >= *link.dials_at.get_or_insert(now + dial) {
                self.link(a, b);
            }
        }
    }

    fn link(&mut self, a: usize, b: usize) {
        let now = self.now;
        let Some((link, _)) = self.network.link(a, b) else { return };
        let connection = link.connection + 1;
        let blocked = link.blocked;
        let arrives_at = [now; 2];
        *link = Link { is_linked: true, connection, arrives_at, blocked, ..Link::default() };
        self.trace(format_args!("{a} and {b} are linked"));
        for (of, to) in [(a, b), (b, a)] {
            if let Some(side) = self.network.sides.lock().at(of, to) {
                *side = Side { is_up: true, connection, bytes: 0 };
            }
            let peer = Peer { node: self.network.name(to), version: VERSIONS.newest };
            self.reach(of, move |receiver| receiver.up(&peer));
        }
    }
}
