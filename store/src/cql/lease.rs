//! Leases of nodes and claims of shards, as rows that are written by condition only.
//!
//! The rows know no rule: who may mark a lease dead, and when a shard may be claimed, is for
//! whoever keeps the cluster to decide. What is promised here is that each change happens on
//! exactly the row that was seen, and that its outcome is told as far as it can be known: an answer
//! that did not come is resolved by reading the row serially.

use std::sync::Arc;

use uuid::Uuid;

use super::Engine;
use super::column::{bigint, counted};
use crate::log::Applied;
use crate::port::Fault;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The life that holds it.
    pub boot: Uuid,
    /// Rises by one with each writing of the row, so that (boot, beat) names one version of it.
    pub beat: u64,
    /// How it stands.
    pub state: LeaseState,
    /// Where other nodes reach it.
    pub address: String,
    /// How many shares of the shards it should have.
    pub weight: u8,
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// It serves.
    Up,
    /// It serves, and hands over what it owns.
    Draining,
    /// It was marked by another node and must not serve.
    Dead,
    /// It ended by itself.
    Released,
}

impl LeaseState {
    const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Dead => "dead",
            Self::Released => "released",
        }
    }

    /// The state of a name. An unknown one, of a newer program, is not serving.
    fn of(name: &str) -> Self {
        match name {
            "up" => Self::Up,
            "draining" => Self::Draining,
            "released" => Self::Released,
            _ => Self::Dead,
        }
    }
}

/// Who owns a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Rises by one with each claim.
    pub epoch: u64,
    /// Whose it is; `None` once it was released.
    pub owner: Option<(String, Uuid)>,
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced<T> {
    /// It was carried out.
    Done,
    /// The row is another: this, or `None` for no row. The change stands in it no more, if it ever
    /// did, and never will again.
    Not(Option<T>),
    /// It was carried out, or was not, or will be.
    Unknown,
}

/// The rows of leases and claims.
#[derive(Clone, Debug)]
pub struct Leases {
    engine: Arc<Engine>,
}

type LeaseRow = (Uuid, i64, String, String, i16);
type ClaimRow = (i64, Option<String>, Option<Uuid>);

impl Leases {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// A node's lease, with all that is under way settled.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn lease(&self, node: &str) -> Result<Option<Lease>, Fault> {
        let database = &self.engine.database;
        let row: Option<LeaseRow> = database.row_at_once(&database.of.lease, (node,)).await?;
        Ok(row.map(lease_of))
    }

    /// All leases. Good for seeing whether one still beats; a change must name what it saw, so
    /// that an old answer does no harm.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn leases(&self) -> Result<Vec<(String, Lease)>, Fault> {
        type Row = (String, Uuid, i64, String, String, i16);
        let database = &self.engine.database;
        let rows: Vec<Row> = database.rows(&database.of.leases, ()).await?;
        let lease = |(node, boot, beat, state, address, weight): Row| {
            (node, lease_of((boot, beat, state, address, weight)))
        };
        Ok(rows.into_iter().map(lease).collect())
    }

    /// Replaces a node's lease, if it still is that boot's at that beat, `None` for no row:
    /// begins it, renews it, marks it dead or releases it.
    pub async fn replace_lease(
        &self,
        node: &str,
        seen: Option<(Uuid, u64)>,
        lease: &Lease,
    ) -> Replaced<Lease> {
        let database = &self.engine.database;
        let (beat, state, address) = (bigint(lease.beat), lease.state.name(), &*lease.address);
        let weight = i16::from(lease.weight);
        let applied = match seen {
            None => {
                let values = (node, lease.boot, beat, state, address, weight);
                database.condition_at_once(&database.of.begin_lease, values).await
            }
            Some((boot, seen)) => {
                let values = (lease.boot, beat, state, address, weight, node, boot, bigint(seen));
                database.condition_at_once(&database.of.replace_lease, values).await
            }
        };
        let is_seen = |stored: Option<&Lease>| stored.map(|it| (it.boot, it.beat)) == seen;
        match told(applied) {
            Applied::Yes => Replaced::Done,
            refused => resolved(refused, self.lease(node).await, is_seen, lease),
        }
    }

    /// Who owns a shard, with all that is under way settled. `None` when nobody ever did.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn claim(&self, shard: u16) -> Result<Option<Claim>, Fault> {
        let database = &self.engine.database;
        let shard = (i32::from(shard),);
        let row: Option<ClaimRow> = database.row_at_once(&database.of.owner, shard).await?;
        Ok(row.map(claim_of))
    }

    /// Who owns which shard. It may be a moment old.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn claims(&self) -> Result<Vec<(u16, Claim)>, Fault> {
        type Row = (i32, i64, Option<String>, Option<Uuid>);
        let database = &self.engine.database;
        let rows: Vec<Row> = database.rows(&database.of.owners, ()).await?;
        let claim = |(shard, epoch, node, boot): Row| {
            let shard = u16::try_from(shard).ok()?;
            Some((shard, claim_of((epoch, node, boot))))
        };
        Ok(rows.into_iter().filter_map(claim).collect())
    }

    /// Replaces the claim of a shard, if it still is exactly `seen`: claims it under the next
    /// epoch, or releases it.
    pub async fn replace_claim(
        &self,
        shard: u16,
        seen: Option<&Claim>,
        claim: &Claim,
    ) -> Replaced<Claim> {
        let database = &self.engine.database;
        let row = i32::from(shard);
        let (node, boot) = owner_columns(claim);
        let applied = match seen {
            None => {
                let values = (row, bigint(claim.epoch), node, boot);
                database.condition_at_once(&database.of.begin_owner, values).await
            }
            Some(seen) => {
                let (was, was_boot) = owner_columns(seen);
                let values =
                    (bigint(claim.epoch), node, boot, row, bigint(seen.epoch), was, was_boot);
                database.condition_at_once(&database.of.replace_owner, values).await
            }
        };
        let is_seen = |stored: Option<&Claim>| stored == seen;
        match told(applied) {
            Applied::Yes => Replaced::Done,
            refused => resolved(refused, self.claim(shard).await, is_seen, claim),
        }
    }
}

/// What is surely not done now may be tried again like what nobody knows of.
fn told(applied: Result<Applied, Fault>) -> Applied {
    applied.unwrap_or_else(|fault| {
        tracing::debug!(%fault, "a lease or a claim was not written");
        Applied::Unknown
    })
}

/// What a serial read tells of a change that was refused, or whose answer did not come. The row
/// may be as it was because the change was lost or because it has not arrived yet; only the
/// writer's own next condition rules the latter out.
fn resolved<T: PartialEq>(
    applied: Applied,
    stored: Result<Option<T>, Fault>,
    is_seen: impl Fn(Option<&T>) -> bool,
    wanted: &T,
) -> Replaced<T> {
    match stored {
        Err(_unanswered) => Replaced::Unknown,
        Ok(Some(stored)) if applied == Applied::Unknown && stored == *wanted => Replaced::Done,
        Ok(stored) if applied == Applied::Unknown && is_seen(stored.as_ref()) => Replaced::Unknown,
        Ok(stored) => Replaced::Not(stored),
    }
}

fn lease_of((boot, beat, state, address, weight): LeaseRow) -> Lease {
    let weight = u8::try_from(weight).unwrap_or(1);
    Lease { boot, beat: counted(beat), state: LeaseState::of(&state), address, weight }
}

fn claim_of((epoch, node, boot): ClaimRow) -> Claim {
    Claim { epoch: counted(epoch), owner: node.zip(boot) }
}

fn owner_columns(claim: &Claim) -> (Option<&str>, Option<Uuid>) {
    claim.owner.as_ref().map_or((None, None), |(node, boot)| (Some(node), Some(*boot)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unanswered_change_is_known_only_by_a_row_that_differs() {
        let (seen, wanted, other) = (1, 2, 3);
        let resolved = |applied, stored| {
            resolved(applied, Ok(stored), |stored| stored == Some(&seen), &wanted)
        };
        assert_eq!(resolved(Applied::Unknown, Some(wanted)), Replaced::Done);
        assert_eq!(resolved(Applied::Unknown, Some(other)), Replaced::Not(Some(other)));
        assert_eq!(resolved(Applied::Unknown, None), Replaced::Not(None));
        assert_eq!(resolved(Applied::Unknown, Some(seen)), Replaced::Unknown);
        // What was refused was refused, even if the row reads alike.
        assert_eq!(resolved(Applied::No, Some(wanted)), Replaced::Not(Some(wanted)));
        assert_eq!(resolved(Applied::No, None), Replaced::Not(None));
    }

    #[test]
    fn what_cannot_be_read_again_stays_unknown() {
        for applied in [Applied::Unknown, Applied::No] {
            let unread = resolved(applied, Err(Fault::Busy), |_| false, &1);
            assert_eq!(unread, Replaced::Unknown);
        }
    }

    #[test]
    fn a_state_has_one_name() {
        for state in [LeaseState::Up, LeaseState::Draining, LeaseState::Dead, LeaseState::Released]
        {
            assert_eq!(LeaseState::of(state.name()), state);
        }
        assert_eq!(LeaseState::of("resting"), LeaseState::Dead, "what is not known does not serve");
    }
}
