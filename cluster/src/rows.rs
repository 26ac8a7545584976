//! The port: the rows that say who lives and who owns what, and the one way to write them.
//!
//! Every write is a conditional one (a light-weight transaction): it is carried out if the row is
//! as expected, refused with the row as it is, or nobody knows. What nobody knows may still be
//! carried out at any later time; the machines live with that.

mod memory;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::ownership::{Boot, Epoch, NodeName};
use crate::shard::Shard;

pub use self::memory::{Fate, MemoryRows};

/// The answer of the port, some time later. Dropping it leaves the outcome unknown.
pub type Reply<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a conditional write ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was carried out.
    Applied,
    /// It was not and never will be; the row is this, `None` for no row.
    Refused(Option<T>),
    /// It was, or it was not, or it will be.
    Unknown,
}

/// Nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rows of the cluster could not be read")]
pub struct Unreadable;

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseState {
    /// It takes shards.
    Up,
    /// It gives its shards away.
    Draining,
    /// It gave everything back and ended.
    Released,
    /// Another node watched it in vain and marked it so.
    Dead,
}

impl LeaseState {
    /// Whether the life that the lease belongs to is over for good.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Released | Self::Dead)
    }
}

/// A node's lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseRow {
    /// Whose life.
    pub boot: Boot,
    /// Rises with every write of the row, so that (boot, beat) names one version of it.
    pub beat: u64,
    /// What the node says of itself, or others of it.
    pub state: LeaseState,
    /// Where other nodes reach it.
    pub address: Arc<str>,
    /// How many shares of the shards it should have, from 1.
    pub weight: u8,
}

impl LeaseRow {
    /// What a conditional write of it expects.
    #[must_use]
    pub const fn version(&self) -> LeaseVersion {
        LeaseVersion { boot: self.boot, beat: self.beat }
    }

    /// The row that says this life is over.
    #[must_use]
    pub fn marked(&self, state: LeaseState) -> Self {
        Self { beat: self.beat.saturating_add(1), state, ..self.clone() }
    }
}

/// One version of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseVersion {
    /// Whose life.
    pub boot: Boot,
    /// Which writing of the row.
    pub beat: u64,
}

/// One life of a node, fully named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life {
    /// The node.
    pub node: NodeName,
    /// Which start of it.
    pub boot: Boot,
}

/// A shard's owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnerRow {
    /// Rises by one with every claim.
    pub epoch: Epoch,
    /// Who claimed it last; `None` once it was released.
    pub holder: Option<Life>,
}

/// Where the rows are. Implementations answer within a bound of their own, with
/// [`Outcome::Unknown`] when they cannot tell.
pub trait Rows: Send + Sync + fmt::Debug + 'static {
    /// All leases, perhaps a little old: what is done about them is a conditional write.
    fn leases(&self) -> Reply<Result<Vec<(NodeName, LeaseRow)>, Unreadable>>;

    /// One lease, with every write that was answered before (a serial read).
    fn lease(&self, node: &NodeName) -> Reply<Result<Option<LeaseRow>, Unreadable>>;

    /// Writes a lease if it stands at `expect`, `None` for no row.
    fn swap_lease(
        &self,
        node: &NodeName,
        expect: Option<LeaseVersion>,
        row: LeaseRow,
    ) -> Reply<Outcome<LeaseRow>>;

    /// All owners, perhaps a little old. A shard that was never claimed is left out.
    fn owners(&self) -> Reply<Result<Vec<(Shard, OwnerRow)>, Unreadable>>;

    /// Writes an owner if the row is exactly `expect`, `None` for no row.
    fn swap_owner(
        &self,
        shard: Shard,
        expect: Option<OwnerRow>,
        row: OwnerRow,
    ) -> Reply<Outcome<OwnerRow>>;
}
