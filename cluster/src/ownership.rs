//! Who owns a shard, and whether that may still be said.

mod many;

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::shard::Shard;

pub use self::many::{Calls, Clock, Many};

/// A node of the cluster, by its configured name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(pub Arc<str>);

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One life of a node: a new one with every start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot(pub Uuid);

/// A generation of a shard's owner. It rises with every claim and fences older owners (P6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Where a shard is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// By this node, under this epoch.
    Here(Epoch),
    /// By another node.
    There(NodeName),
    /// By nobody at the moment; ask again.
    Nobody,
}

/// The cluster as the actors see it.
pub trait Ownership: Send + Sync + fmt::Debug + 'static {
    /// This node.
    fn node(&self) -> &NodeName;

    /// Who serves a shard.
    fn owner(&self, shard: Shard) -> Owner;

    /// Another node, asked in vain, says who serves a shard. A hint, until the rows are read.
    fn moved(&self, shard: Shard, to: NodeName);

    /// Another node asks for a shard that is not served here: it may have been given to this node, and
    /// wait for its claim.
    fn asked_in_vain(&self) {}

    /// Another node says that it gave a shard away under that epoch, for this one to have. The
    /// rows decide whether that is so.
    fn given(&self, _from: &NodeName, _shard: Shard, _epoch: Epoch) {}

    /// Whether this node still owns the shard under that epoch, at this moment. Asked after a
    /// write is durable and before it is acknowledged.
    fn holds(&self, shard: Shard, epoch: Epoch) -> bool;
}

/// One node that owns everything: a single node with an embedded store, whose lock on the data
/// directory keeps every other process out.
#[derive(Debug)]
pub struct Single {
    node: NodeName,
    epoch: Epoch,
}

impl Single {
    /// `epoch` must be higher than in every earlier life of this data directory.
    #[must_use]
    pub const fn new(node: NodeName, epoch: Epoch) -> Self {
        Self { node, epoch }
    }
}

impl Ownership for Single {
    fn node(&self) -> &NodeName {
        &self.node
    }

    fn owner(&self, _shard: Shard) -> Owner {
        Owner::Here(self.epoch)
    }

    /// There are no others.
    fn moved(&self, _shard: Shard, _to: NodeName) {}

    fn holds(&self, _shard: Shard, epoch: Epoch) -> bool {
        epoch == self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_node_owns_everything_under_its_own_epoch_alone() {
        let single = Single::new(NodeName("one".into()), Epoch(7));
        for key in 0..100_u8 {
            let shard = Shard::of("default", "conversation", &[key]);
            assert_eq!(single.owner(shard), Owner::Here(Epoch(7)));
            assert!(single.holds(shard, Epoch(7)));
            assert!(!single.holds(shard, Epoch(6)) && !single.holds(shard, Epoch(8)));
        }
        assert_eq!(single.node().to_string(), "one");
    }
}
