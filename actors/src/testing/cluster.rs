//! Nodes of one process over a network in memory, one store, and owners that change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_cluster::ownership::{Epoch, NodeName, Owner, Ownership};
use switchboard_cluster::shard::Shard;
use switchboard_cluster::transport::memory::Network;
use switchboard_cluster::transport::{Peer, Receiver, VERSIONS, Versions};
use switchboard_domain::conversation::{Command, Request, SendKey};
use switchboard_domain::person::Caller;
use switchboard_store::memory::Memory;
use switchboard_store::{ConversationKey, Store};

use super::{HandClock, Troubled};
use crate::answer::{Done, Refusal, Stored};
use crate::meter::Unmetered;
use crate::region::{self, Remote};
use crate::remote::since;
use crate::system::{Config, System};

/// What a node hears, of which it must understand everything: a variant that a version does not
/// have would be an envelope that says nothing to it.
#[derive(Debug)]
struct Hearing {
    receiver: Arc<dyn Receiver>,
    versions: Versions,
}

impl Receiver for Hearing {
    fn up(&self, peer: &Peer) {
        assert!(peer.version <= self.versions.newest, "{peer:?}");
        self.receiver.up(peer);
    }

    fn receive(&self, from: &NodeName, envelope: Bytes) {
        let since = since(&envelope);
        assert!(since <= self.versions.newest, "{from} says what version {since} brought");
        self.receiver.receive(from, envelope);
    }

    fn down(&self, node: &NodeName) {
        self.receiver.down(node);
    }
}

/// Who owns which shard, as the rows of a cluster would say; the first node owns all others.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<HashMap<Shard, (usize, Epoch)>>);

impl Table {
    pub(crate) fn of(&self, shard: Shard) -> (usize, Epoch) {
        self.0.lock().get(&shard).copied().unwrap_or((0, Epoch(1)))
    }

    pub(crate) fn give(&self, shard: Shard, to: usize) {
        let (_, Epoch(epoch)) = self.of(shard);
        self.0.lock().insert(shard, (to, Epoch(epoch + 1)));
    }
}

/// A node's view of it: what it owns it knows, of the rest what it heard last.
#[derive(Debug)]
pub(crate) struct View {
    idx: usize,
    name: NodeName,
    table: Arc<Table>,
    heard: Mutex<HashMap<Shard, NodeName>>,
    given: Mutex<Vec<(NodeName, Shard, Epoch)>>,
}

impl View {
    /// What other nodes said that they gave to this one.
    pub(crate) fn given(&self) -> Vec<(NodeName, Shard, Epoch)> {
        self.given.lock().clone()
    }
}

impl Ownership for View {
    fn node(&self) -> &NodeName {
        &self.name
    }

    fn owner(&self, shard: Shard) -> Owner {
        let (owner, epoch) = self.table.of(shard);
        if owner == self.idx {
            return Owner::Here(epoch);
        }
        let heard = self.heard.lock().get(&shard).cloned();
        match heard.unwrap_or_else(|| name(0)) {
            node if node == self.name => Owner::Nobody,
            node => Owner::There(node),
        }
    }

    fn moved(&self, shard: Shard, to: NodeName) {
        self.heard.lock().insert(shard, to);
    }

    fn given(&self, from: &NodeName, shard: Shard, epoch: Epoch) {
        self.given.lock().push((from.clone(), shard, epoch));
    }

    fn holds(&self, shard: Shard, epoch: Epoch) -> bool {
        self.table.of(shard) == (self.idx, epoch)
    }
}

pub(crate) fn name(idx: usize) -> NodeName {
    NodeName(format!("node-{idx}").into())
}

/// Lets what is on the way arrive.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

pub(crate) struct Cluster {
    /// The node that died.
    pub(crate) dead: Mutex<Option<usize>>,
    pub(crate) network: Network,
    pub(crate) table: Arc<Table>,
    pub(crate) clock: Arc<HandClock>,
    nodes: Vec<Node>,
}

struct Node {
    system: System,
    view: Arc<View>,
    remote: Arc<Remote>,
}

impl Cluster {
    pub(crate) async fn start(count: usize, seed: u64) -> Self {
        Self::with(Config::standard(), count, seed).await
    }

    pub(crate) async fn with(config: Config, count: usize, seed: u64) -> Self {
        Self::of_versions(config, &vec![VERSIONS; count], seed).await
    }

    /// A node for each of these versions of the transport, and it knows no other.
    pub(crate) async fn of_versions(config: Config, versions: &[Versions], seed: u64) -> Self {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let nodes = versions.iter().map(|versions| (*versions, Arc::clone(&store)));
        Self::of_nodes(config, nodes.collect(), seed).await
    }

    /// A node for each of these, which are one store in the end.
    pub(crate) async fn over(stores: &[Troubled], seed: u64) -> Self {
        let nodes = stores.iter().map(|it| (VERSIONS, Arc::new(it.clone()) as Arc<dyn Store>));
        Self::of_nodes(Config::standard(), nodes.collect(), seed).await
    }

    async fn of_nodes(config: Config, of: Vec<(Versions, Arc<dyn Store>)>, seed: u64) -> Self {
        let network = Network::new(seed);
        let (table, clock, dead) = (Arc::default(), Arc::default(), Mutex::default());
        let mut it = Self { dead, network, table, clock, nodes: Vec::new() };
        for (versions, store) in of {
            it.join(config.clone(), versions, store).await;
        }
        it
    }

    /// One more node.
    pub(crate) async fn join(&mut self, config: Config, versions: Versions, store: Arc<dyn Store>) {
        let idx = self.nodes.len();
        let view = View {
            idx,
            name: name(idx),
            table: Arc::clone(&self.table),
            heard: Mutex::default(),
            given: Mutex::default(),
        };
        let view = Arc::new(view);
        let remote = Remote::new();
        remote.connect(Arc::new(self.network.node(name(idx))));
        let system = System::join(
            config,
            store,
            Arc::clone(&self.clock) as _,
            Arc::clone(&view) as _,
            Arc::new(Unmetered),
            Some(Arc::clone(&remote)),
        );
        let system = system.await.expect("the node starts");
        let receiver = Arc::new(Hearing { receiver: remote.receiver(), versions });
        self.network.listen_as(&name(idx), receiver, versions);
        self.nodes.push(Node { system, view, remote });
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn system(&self, idx: usize) -> &System {
        &self.nodes[idx].system
    }

    pub(crate) fn view(&self, idx: usize) -> &View {
        &self.nodes[idx].view
    }

    pub(crate) fn remote(&self, idx: usize) -> &Arc<Remote> {
        &self.nodes[idx].remote
    }

    pub(crate) fn at(&self, idx: usize) -> region::Handle {
        self.nodes[idx].system.conversations()
    }

    pub(crate) async fn ask(
        &self,
        idx: usize,
        key: &ConversationKey,
        caller: Caller,
        send_key: Option<SendKey>,
        command: Command,
    ) -> Result<Done, Refusal> {
        self.at(idx).ask(key, Request { caller, key: send_key, command }).await
    }

    /// As [`ask`](Self::ask), as a door does that wakes nobody for the answer.
    pub(crate) async fn store(
        &self,
        idx: usize,
        key: &ConversationKey,
        caller: Caller,
        send_key: Option<SendKey>,
        command: Command,
    ) -> Result<Stored, Refusal> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let request = Request { caller, key: send_key, command };
        self.at(idx).ask_then(key, request, |result| drop(answer.send(result)));
        answered.await.expect("it is done always")
    }

    /// Says to all nodes but the owner itself who owns a shard now.
    pub(crate) fn announce(&self, shard: Shard) {
        let (owner, _) = self.table.of(shard);
        for node in &self.nodes {
            node.view.moved(shard, name(owner));
        }
    }

    pub(crate) async fn live(&self, idx: usize) -> usize {
        self.nodes[idx].system.observe().await.regions.iter().map(|it| it.live).sum()
    }

    /// Where a client of that node is connected now.
    pub(crate) fn place_of(&self, at: usize) -> usize {
        if *self.dead.lock() == Some(at) { (at + 1) % self.len() } else { at }
    }

    /// A node that lives.
    pub(crate) fn any(&self, dice: &mut Dice) -> usize {
        let end = u64::try_from(self.len()).expect("small");
        self.place_of(usize::try_from(dice.below(end)).expect("small"))
    }

    pub(crate) async fn stop(self) {
        for node in self.nodes {
            node.system.drain(Duration::from_secs(5)).await;
        }
    }
}

/// Draws numbers.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
