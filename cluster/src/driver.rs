//! Feeds the machines of one node with time and rows: its lease, who else is there, and its
//! claims. Decides nothing: what may be done and when, the machines say.
//!
//! One task owns them all. It sends what they ask for, tells them how that ended, and
//! [publishes](Many::publish) after each step, before anything leaves that depends on it. A life
//! that was lost ends with all that it had under way, and the next begins with nothing kept.
//!
//! Rounds go one after another: who is there, who owns what, whose leases prove what, then the
//! deeds that follow; a new one begins when every deed of the one before was answered. Shards that
//! change hands do not wait for rounds: what leaves goes a few at a time, and what another node
//! says it gave to this one is claimed at once.

mod run;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::ownership::{Boot, Clock, Epoch, Many, NodeName};
use crate::rows::{Reply, Rows};
use crate::shard::Shard;
use crate::time::Times;

/// What a driver needs to know of its node.
#[derive(Clone)]
pub struct Settings {
    /// Its name: two processes of one name take turns, the later waits for the earlier.
    pub node: NodeName,
    /// Where other nodes reach it.
    pub address: Arc<str>,
    /// How many shares of the shards it should have, from 1.
    pub weight: u8,
    /// How long things of a lease take.
    pub times: Times,
    /// The monotonic clock that everything is measured by.
    pub clock: Clock,
    /// Names each life of the node, never twice alike.
    pub boots: Arc<dyn Fn() -> Boot + Send + Sync>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("node", &self.node)
            .field("address", &self.address)
            .field("weight", &self.weight)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// Those who act on shards, as the driver sees them. Nothing here may block.
pub trait Work: Send + Sync + fmt::Debug + 'static {
    /// The shard is served here from now on.
    fn claimed(&self, shard: Shard, epoch: Epoch);

    /// Nothing more is accepted for the shard: settle what is written, then answer. An answer
    /// that does not come keeps the shard here, for nobody.
    fn settle(&self, shard: Shard, epoch: Epoch) -> Reply<()>;

    /// Whether a node takes shards now. One that is not told of them would leave them nobody's
    /// until it finds them by itself; one that cannot serve yet would not answer for them.
    fn takes(&self, node: &NodeName) -> bool;

    /// The shard was given back, for that node to have, which may be told so.
    fn released(&self, shard: Shard, epoch: Epoch, next: Option<&NodeName>);

    /// The shard is another's: drop everything of it.
    fn drop_shard(&self, shard: Shard);

    /// The life is over: drop everything of every shard.
    fn drop_all(&self);
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has no lease yet, or none any more.
    Joining,
    /// It has a lease. Settled once it owns what it should, as far as others let it.
    In {
        /// Whether nothing is left to claim or to give away.
        is_settled: bool,
    },
    /// It gave everything back. The driver has ended.
    Ended,
}

/// Other nodes by name, and where each is reached.
pub type Peers = BTreeMap<NodeName, Arc<str>>;

/// What a driver can be told.
#[derive(Clone, Copy, Debug)]
enum Order {
    Drain,
    Leave,
}

/// A running driver. It goes on until it is told to leave, whether this is kept or not.
#[derive(Clone, Debug)]
pub struct Driver {
    many: Arc<Many>,
    orders: mpsc::UnboundedSender<Order>,
    standing: watch::Receiver<Standing>,
    peers: watch::Receiver<Peers>,
}

impl Driver {
    /// Begins the first life of a node. Must be called within a runtime.
    #[must_use]
    pub fn start(settings: Settings, rows: Arc<dyn Rows>, work: Arc<dyn Work>) -> Self {
        let many = Arc::new(Many::new(settings.node.clone(), Arc::clone(&settings.clock)));
        let (orders, received) = mpsc::unbounded_channel();
        let (tell, standing) = watch::channel(Standing::Joining);
        let (name, peers) = watch::channel(Peers::default());
        let run = run::Run::new(settings, rows, work, Arc::clone(&many), tell, name);
        tokio::spawn(run.go(received));
        Self { many, orders, standing, peers }
    }

    /// What actors ask: who serves this shard, and do I still hold it.
    #[must_use]
    pub fn ownership(&self) -> Arc<Many> {
        Arc::clone(&self.many)
    }

    /// The other nodes whose lives are not over, each with the address in its lease: as this node
    /// last read them. The sender goes when the driver ends.
    #[must_use]
    pub fn peers(&self) -> watch::Receiver<Peers> {
        self.peers.clone()
    }

    /// How it stands now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Waits until the node owns what it should, at most so long; how it stands then.
    pub async fn settled(&self, within: Duration) -> Standing {
        let is_there = |standing: &Standing| {
            matches!(standing, Standing::In { is_settled: true } | Standing::Ended)
        };
        let mut standing = self.standing.clone();
        // Late or not, what counts is how it stands.
        let _waited = tokio::time::timeout(within, standing.wait_for(is_there)).await;
        self.standing()
    }

    /// Gives every shard away, a few at a time, and then the lease. Other nodes take over, whether
    /// they can be told or not.
    pub fn drain(&self) {
        // An error means that it has ended already; so below.
        let _told = self.orders.send(Order::Drain);
    }

    /// Gives the lease back at once, and with it all shards. Everything must be settled: from
    /// here on nothing is acknowledged any more.
    pub fn leave(&self) {
        let _told = self.orders.send(Order::Leave);
    }

    /// Waits until the driver has ended: told to, or because the rows' engine broke.
    pub async fn ended(&self) {
        let mut standing = self.standing.clone();
        // An error means that the task is gone, which is as good.
        let _ended = standing.wait_for(|standing| *standing == Standing::Ended).await;
    }
}

#[cfg(test)]
mod tests;
