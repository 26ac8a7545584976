//! Leases and claims in the simulated database.

use std::time::Duration;

use futures_util::FutureExt;
use switchboard_cluster::ownership::NodeName;
use switchboard_cluster::rows::{
    LeaseRow, LeaseVersion, Outcome, OwnerRow, Reply, Rows, Unreadable,
};
use switchboard_cluster::shard::Shard;

use super::{Line, Told, Truth};

/// As long as the CQL engine waits for the rows of leases, which must leave time to ask again.
const WITHIN: Duration = Duration::from_secs(1);

/// The rows as one life of a node reaches them.
#[derive(Debug)]
pub(crate) struct SharedRows(Line);

impl SharedRows {
    pub(crate) const fn new(line: Line) -> Self {
        Self(line)
    }

    fn read<T: Send + 'static>(
        &self,
        label: String,
        read: impl FnOnce(&Truth) -> Reply<Result<T, Unreadable>> + Send + 'static,
    ) -> Reply<Result<T, Unreadable>> {
        let line = self.0.clone();
        Box::pin(async move {
            let find = move |truth: &mut Truth| read(truth).now_or_never();
            match line.one(label, WITHIN, find).await {
                Told::Answered(Some(found)) => found,
                Told::Answered(None) | Told::Refused | Told::Nothing => Err(Unreadable),
            }
        })
    }

    fn swap<T: Send + 'static>(
        &self,
        label: String,
        swap: impl FnOnce(&Truth) -> Reply<Outcome<T>> + Send + 'static,
    ) -> Reply<Outcome<T>> {
        let line = self.0.clone();
        Box::pin(async move {
            let write = move |truth: &mut Truth| swap(truth).now_or_never();
            match line.one(label, WITHIN, write).await {
                Told::Answered(Some(outcome)) => outcome,
                Told::Answered(None) | Told::Refused | Told::Nothing => Outcome::Unknown,
            }
        })
    }
}

impl Rows for SharedRows {
    fn leases(&self) -> Reply<Result<Vec<(NodeName, LeaseRow)>, Unreadable>> {
        self.read("reads leases".to_owned(), |truth| truth.leases.leases())
    }

    fn lease(&self, node: &NodeName) -> Reply<Result<Option<LeaseRow>, Unreadable>> {
        let (label, node) = (format!("reads the lease of {node}"), node.clone());
        self.read(label, move |truth| truth.leases.lease(&node))
    }

    fn swap_lease(
        &self,
        node: &NodeName,
        expect: Option<LeaseVersion>,
        row: LeaseRow,
    ) -> Reply<Outcome<LeaseRow>> {
        let label = format!("writes the lease of {node}: {} {:?}", row.beat, row.state);
        let node = node.clone();
        self.swap(label, move |truth| truth.leases.swap_lease(&node, expect, row))
    }

    fn owners(&self) -> Reply<Result<Vec<(Shard, OwnerRow)>, Unreadable>> {
        self.read("reads owners".to_owned(), |truth| truth.leases.owners())
    }

    fn swap_owner(
        &self,
        shard: Shard,
        expect: Option<OwnerRow>,
        row: OwnerRow,
    ) -> Reply<Outcome<OwnerRow>> {
        let label = format!("writes the owner of {}: {}", shard.index(), row.epoch.0);
        self.swap(label, move |truth| truth.leases.swap_owner(shard, expect, row))
    }
}
