//! Leases of nodes and claims of shards, as rows that are written by condition only.
//!
//! The rows know no rule: who may mark a lease dead, and when a shard may be claimed, is for
//! whoever keeps the cluster to decide. What is promised here is that each change happens on
//! exactly the row that was seen, and that its outcome is known: an answer that did not come is
//! resolved by reading the row serially.

use std::sync::Arc;

use uuid::Uuid;

use super::Engine;
use super::column::{bigint, counted};
use super::database::Applied;
use crate::port::Fault;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The life that holds it.
    pub boot: Uuid,
    /// Rises by one with each renewal.
    pub beat: u64,
    /// How it stands.
    pub state: LeaseState,
    /// Where other nodes reach it.
    pub address: String,
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

/// The rows of leases and claims.
#[derive(Clone, Debug)]
pub struct Leases {
    engine: Arc<Engine>,
}

type LeaseRow = (Uuid, i64, String, String);
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
        let row: Option<LeaseRow> = database.row(&database.of.lease, (node,)).await?;
        Ok(row.map(lease_of))
    }

    /// All leases. Good for seeing whether one still beats; a change must name what it saw, so
    /// that an old answer does no harm.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn leases(&self) -> Result<Vec<(String, Lease)>, Fault> {
        type Row = (String, Uuid, i64, String, String);
        let database = &self.engine.database;
        let rows: Vec<Row> = database.rows(&database.of.leases, ()).await?;
        let lease = |(node, boot, beat, state, address): Row| {
            (node, lease_of((boot, beat, state, address)))
        };
        Ok(rows.into_iter().map(lease).collect())
    }

    /// Replaces a node's lease, if it still is exactly `seen`. Begins it, renews it (the beat
    /// rises), marks it dead or releases it. `false` when it is another by now.
    ///
    /// # Errors
    ///
    /// [`Fault::Unknown`] when nobody can say what came of it: whoever renewed must take that
    /// for a refusal. [`Fault::Busy`] when it was surely not done.
    pub async fn replace_lease(
        &self,
        node: &str,
        seen: Option<&Lease>,
        lease: &Lease,
    ) -> Result<bool, Fault> {
        let database = &self.engine.database;
        let (beat, state, address) = (bigint(lease.beat), lease.state.name(), &*lease.address);
        let applied = match seen {
            None => {
                let values = (node, lease.boot, beat, state, address);
                database.condition(&database.of.begin_lease, values).await?
            }
            Some(seen) => {
                let (seen_beat, seen_state) = (bigint(seen.beat), seen.state.name());
                let values =
                    (lease.boot, beat, state, address, node, seen.boot, seen_beat, seen_state);
                database.condition(&database.of.replace_lease, values).await?
            }
        };
        match applied {
            Applied::Yes => Ok(true),
            Applied::No => Ok(false),
            Applied::Unknown => {
                let stored = self.lease(node).await.map_err(|_unanswered| Fault::Unknown)?;
                resolved(stored.as_ref(), seen, lease)
            }
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
        let row: Option<ClaimRow> = database.row(&database.of.owner, shard).await?;
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
    /// epoch, or releases it. `false` when it is another by now.
    ///
    /// # Errors
    ///
    /// As [`Self::replace_lease`].
    pub async fn replace_claim(
        &self,
        shard: u16,
        seen: Option<&Claim>,
        claim: &Claim,
    ) -> Result<bool, Fault> {
        let database = &self.engine.database;
        let row = i32::from(shard);
        let (node, boot) = owner_columns(claim);
        let applied = match seen {
            None => {
                let values = (row, bigint(claim.epoch), node, boot);
                database.condition(&database.of.begin_owner, values).await?
            }
            Some(seen) => {
                let (_, seen_boot) = owner_columns(seen);
                let values = (bigint(claim.epoch), node, boot, row, bigint(seen.epoch), seen_boot);
                database.condition(&database.of.replace_owner, values).await?
            }
        };
        match applied {
            Applied::Yes => Ok(true),
            Applied::No => Ok(false),
            Applied::Unknown => {
                let stored = self.claim(shard).await.map_err(|_unanswered| Fault::Unknown)?;
                resolved(stored.as_ref(), seen, claim)
            }
        }
    }
}

/// What a serial read tells of a change whose answer did not come. The row may be as it was
/// because the change was lost or because it has not arrived yet; only the writer's own next
/// condition rules the latter out.
fn resolved<T: PartialEq>(stored: Option<&T>, seen: Option<&T>, wanted: &T) -> Result<bool, Fault> {
    if stored == Some(wanted) {
        Ok(true)
    } else if stored == seen {
        Err(Fault::Unknown)
    } else {
        Ok(false)
    }
}

fn lease_of((boot, beat, state, address): LeaseRow) -> Lease {
    Lease { boot, beat: counted(beat), state: LeaseState::of(&state), address }
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
        assert!(matches!(resolved(Some(&wanted), Some(&seen), &wanted), Ok(true)));
        assert!(matches!(resolved(Some(&other), Some(&seen), &wanted), Ok(false)));
        assert!(matches!(resolved(None, Some(&seen), &wanted), Ok(false)));
        assert!(matches!(resolved(Some(&seen), Some(&seen), &wanted), Err(Fault::Unknown)));
        assert!(matches!(resolved(None, None, &wanted), Err(Fault::Unknown)));
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
