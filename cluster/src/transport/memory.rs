//! Nodes of one process that send each other envelopes through memory, for tests: delays drawn
//! from a seed, links that are cut with things on the way, partitions that are noticed late.
//!
//! On a runtime of one thread with paused time the same seed gives the same run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::credit::{Credit, Share, cost};
use super::{NotSent, Peer, Receiver, Transport, VERSIONS, Versions};
use crate::ownership::NodeName;

/// The longest delay of an envelope.
const DELAY_MAX: Duration = Duration::from_millis(4);

/// A network in memory. Clones are the same network.
#[derive(Clone, Debug)]
pub struct Network(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    dice: u64,
    nodes: HashMap<NodeName, Listener>,
    /// By sender and receiver.
    links: HashMap<(NodeName, NodeName), Link>,
}

/// A node that hears.
#[derive(Clone, Debug)]
struct Listener {
    receiver: Arc<dyn Receiver>,
    versions: Versions,
}

/// One direction between two nodes.
#[derive(Debug)]
struct Link {
    queue: mpsc::UnboundedSender<(Instant, Bytes)>,
    credit: Arc<Credit>,
    arrives_at: Instant,
    /// Whether what is on the way still arrives. Held while something does.
    gate: Arc<Mutex<bool>>,
    task: AbortHandle,
}

/// One node of a network.
#[derive(Clone, Debug)]
pub struct Node {
    name: NodeName,
    network: Network,
}

impl Network {
    /// A network without nodes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Zero would be drawn for ever.
        let state = State { dice: seed | 1, nodes: HashMap::new(), links: HashMap::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A node that may send once it [listens](Self::listen).
    #[must_use]
    pub fn node(&self, name: NodeName) -> Node {
        Node { name, network: self.clone() }
    }

    /// A node hears from now on, and is connected to all who do.
    pub fn listen(&self, name: &NodeName, receiver: Arc<dyn Receiver>) {
        self.listen_as(name, receiver, VERSIONS);
    }

    /// The same for a node that knows these versions alone.
    pub fn listen_as(&self, name: &NodeName, receiver: Arc<dyn Receiver>, versions: Versions) {
        let others: Vec<_> = self.0.lock().nodes.keys().cloned().collect();
        self.0.lock().nodes.insert(name.clone(), Listener { receiver, versions });
        for other in others {
            self.connect(name, &other);
        }
    }

    /// Connects two nodes that were cut from one another, if they know a version in common.
    pub fn connect(&self, one: &NodeName, other: &NodeName) {
        let (to_one, to_other, version) = {
            let state = &mut *self.0.lock();
            let (Some(to_one), Some(to_other)) =
                (state.nodes.get(one).cloned(), state.nodes.get(other).cloned())
            else {
                return;
            };
            let Some(version) = to_one.versions.agree(to_other.versions) else { return };
            if state.links.contains_key(&(one.clone(), other.clone())) {
                return;
            }
            let (to_one, to_other) = (to_one.receiver, to_other.receiver);
            state.link(one, other, &to_other);
            state.link(other, one, &to_one);
            (to_one, to_other, version)
        };
        to_one.up(&Peer { node: other.clone(), version });
        to_other.up(&Peer { node: one.clone(), version });
    }

    /// Ends the links between two nodes. What has not arrived by now never does; both learn of it
    /// after a while, and until then what they send is taken and lost.
    pub async fn cut(&self, one: &NodeName, other: &NodeName, noticed_after: Duration) {
        let ways = [(one.clone(), other.clone()), (other.clone(), one.clone())];
        for way in &ways {
            let gate = self.0.lock().links.get(way).map(|link| Arc::clone(&link.gate));
            if let Some(gate) = gate {
                *gate.lock() = false;
            }
        }
        tokio::time::sleep(noticed_after).await;
        for (from, to) in ways {
            let (link, heard_by) = {
                let mut state = self.0.lock();
                let link = state.links.remove(&(from.clone(), to.clone()));
                (link, state.nodes.get(&to).map(|it| Arc::clone(&it.receiver)))
            };
            let Some(link) = link else { continue };
            link.task.abort();
            if let Some(heard_by) = heard_by {
                heard_by.down(&from);
            }
        }
    }

    /// Takes a node away, as a crash would: it says and hears nothing any more, and the others
    /// notice at once.
    pub async fn crash(&self, name: &NodeName) {
        let others: Vec<_> = {
            let mut state = self.0.lock();
            state.nodes.remove(name);
            state.nodes.keys().cloned().collect()
        };
        for other in others {
            self.cut(name, &other, Duration::ZERO).await;
        }
    }
}

impl State {
    fn link(&mut self, from: &NodeName, to: &NodeName, receiver: &Arc<dyn Receiver>) {
        let (queue, mut arriving) = mpsc::unbounded_channel::<(Instant, Bytes)>();
        let gate = Arc::new(Mutex::new(true));
        let credit = Arc::new(Credit::default());
        let (open, paid, by, receiver) =
            (Arc::clone(&gate), Arc::clone(&credit), from.clone(), Arc::clone(receiver));
        let task = tokio::spawn(async move {
            while let Some((at, envelope)) = arriving.recv().await {
                tokio::time::sleep_until(at).await;
                let bytes = envelope.len();
                let is_open = open.lock();
                if !*is_open {
                    return;
                }
                receiver.receive(&by, envelope);
                drop(is_open);
                paid.give_back(cost(bytes));
            }
        });
        let arrives_at = Instant::now();
        let link = Link { queue, credit, arrives_at, gate, task: task.abort_handle() };
        self.links.insert((from.clone(), to.clone()), link);
    }

    /// A number drawn by the seed.
    fn draw(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }
}

impl Transport for Node {
    fn send(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.send_of(to, envelope, Share::Whole)
    }

    fn offer(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.send_of(to, envelope, Share::Half)
    }
}

impl Node {
    fn send_of(&self, to: &NodeName, envelope: Bytes, of: Share) -> Result<(), NotSent> {
        let mut state = self.network.0.lock();
        let longest = u64::try_from(DELAY_MAX.as_micros()).unwrap_or(u64::MAX);
        let delay = Duration::from_micros(state.draw() % longest);
        let link = state.links.get_mut(&(self.name.clone(), to.clone())).ok_or(NotSent::Down)?;
        link.credit.take(envelope.len(), of)?;
        // Later than the one before it, so that they arrive in order.
        link.arrives_at = link.arrives_at.max(Instant::now() + delay);
        link.queue.send((link.arrives_at, envelope)).map_err(|_envelope| NotSent::Down)
    }
}
