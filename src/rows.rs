//! The rows of the cluster in the database of the CQL engine: the cluster's port in the words of
//! the store's.

use switchboard_cluster::ownership::{Boot, Epoch, NodeName};
use switchboard_cluster::rows::{
    LeaseRow, LeaseState, LeaseVersion, Life, Outcome, OwnerRow, Reply, Rows, Unreadable,
};
use switchboard_cluster::shard::Shard;
use switchboard_store::Fault;
use switchboard_store::cql;
use switchboard_store::cql::{Claim, Lease, Leases, Replaced};

/// The rows of leases and claims.
#[derive(Clone, Debug)]
pub struct CqlRows(Leases);

impl CqlRows {
    /// Those of a database.
    #[must_use]
    pub const fn new(leases: Leases) -> Self {
        Self(leases)
    }
}

impl Rows for CqlRows {
    fn leases(&self) -> Reply<Result<Vec<(NodeName, LeaseRow)>, Unreadable>> {
        let leases = self.0.clone();
        Box::pin(async move {
            let listed = leases.leases().await.map_err(|fault| unreadable(&fault))?;
            let row = |(node, lease): (String, Lease)| (NodeName(node.into()), row_of(lease));
            Ok(listed.into_iter().map(row).collect())
        })
    }

    fn lease(&self, node: &NodeName) -> Reply<Result<Option<LeaseRow>, Unreadable>> {
        let (leases, node) = (self.0.clone(), node.clone());
        Box::pin(async move {
            let lease = leases.lease(&node.0).await.map_err(|fault| unreadable(&fault))?;
            Ok(lease.map(row_of))
        })
    }

    fn swap_lease(
        &self,
        node: &NodeName,
        expect: Option<LeaseVersion>,
        row: LeaseRow,
    ) -> Reply<Outcome<LeaseRow>> {
        let (leases, node) = (self.0.clone(), node.clone());
        Box::pin(async move {
            let seen = expect.map(|version| (version.boot.0, version.beat));
            let lease = Lease {
                boot: row.boot.0,
                beat: row.beat,
                state: state_to(row.state),
                address: row.address.as_ref().to_owned(),
                weight: row.weight,
            };
            outcome(leases.replace_lease(&node.0, seen, &lease).await, row_of)
        })
    }

    fn owners(&self) -> Reply<Result<Vec<(Shard, OwnerRow)>, Unreadable>> {
        let leases = self.0.clone();
        Box::pin(async move {
            let listed = leases.claims().await.map_err(|fault| unreadable(&fault))?;
            let row =
                |(shard, claim): (u16, Claim)| Some((Shard::numbered(shard)?, owner_of(claim)));
            Ok(listed.into_iter().filter_map(row).collect())
        })
    }

    fn swap_owner(
        &self,
        shard: Shard,
        expect: Option<OwnerRow>,
        row: OwnerRow,
    ) -> Reply<Outcome<OwnerRow>> {
        let leases = self.0.clone();
        Box::pin(async move {
            let (seen, claim) = (expect.map(claim_of), claim_of(row));
            let replaced = leases.replace_claim(shard.index(), seen.as_ref(), &claim).await;
            outcome(replaced, owner_of)
        })
    }
}

fn unreadable(fault: &Fault) -> Unreadable {
    tracing::debug!(%fault, "the rows of the cluster were not read");
    Unreadable
}

fn outcome<T, R>(replaced: Replaced<T>, row: impl Fn(T) -> R) -> Outcome<R> {
    match replaced {
        Replaced::Done => Outcome::Applied,
        Replaced::Not(stands) => Outcome::Refused(stands.map(row)),
        Replaced::Unknown => Outcome::Unknown,
    }
}

fn row_of(lease: Lease) -> LeaseRow {
    LeaseRow {
        boot: Boot(lease.boot),
        beat: lease.beat,
        state: state_of(lease.state),
        address: lease.address.into(),
        weight: lease.weight,
    }
}

fn owner_of(claim: Claim) -> OwnerRow {
    let life = |(node, boot): (String, _)| Life { node: NodeName(node.into()), boot: Boot(boot) };
    OwnerRow { epoch: Epoch(claim.epoch), holder: claim.owner.map(life) }
}

fn claim_of(row: OwnerRow) -> Claim {
    let owner = |life: Life| (life.node.0.as_ref().to_owned(), life.boot.0);
    Claim { epoch: row.epoch.0, owner: row.holder.map(owner) }
}

const fn state_of(state: cql::LeaseState) -> LeaseState {
    match state {
        cql::LeaseState::Up => LeaseState::Up,
        cql::LeaseState::Draining => LeaseState::Draining,
        cql::LeaseState::Dead => LeaseState::Dead,
        cql::LeaseState::Released => LeaseState::Released,
    }
}

const fn state_to(state: LeaseState) -> cql::LeaseState {
    match state {
        LeaseState::Up => cql::LeaseState::Up,
        LeaseState::Draining => cql::LeaseState::Draining,
        LeaseState::Dead => cql::LeaseState::Dead,
        LeaseState::Released => cql::LeaseState::Released,
    }
}
