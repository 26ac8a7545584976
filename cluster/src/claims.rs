//! Which shards one life of a node owns, and the steps by which it gets and gives them.
//!
//! A pure machine. From time to time it is shown a [`Survey`] and answers with what is to be
//! done; each deed is a conditional write or a word to the actors, and its end is told back.
//!
//! A shard is claimed by raising its epoch, and only when nobody else can own it: it was never
//! claimed, it was released, its owner's life is over, or the owner is this very life. It is given
//! away in this order: the actors settle what they have written, the row is released, and the next
//! owner is told. From the release on this life does not own the shard, whatever became of it,
//! until it claims a higher epoch.
//!
//! Every deed names the row that it expects, which no other row will ever equal. So a plan made
//! from an old survey, or a word of another node that is wrong or late, can do in vain, not harm.

use std::collections::{BTreeMap, BTreeSet};

use crate::ownership::{Epoch, NodeName};
use crate::placement::Placement;
use crate::rows::{LeaseRow, Life, Outcome, OwnerRow};
use crate::rules::{Rule, Rules};
use crate::shard::Shard;

/// Shards that one node gives away at the same time; as one has gone the next begins. What is on its
/// way is nobody's for as long as its writes take, so it waits for few others.
pub const LEAVING_MAX: usize = 8;

/// The rows as read for one round of decisions.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Who owns what, perhaps a little old. A shard that was never claimed is left out.
    pub owners: BTreeMap<Shard, OwnerRow>,
    /// The leases of the owners' nodes, each read serially **after** the owners. In the other
    /// order a lease could still show the life before the owner's, which is over.
    pub leases: BTreeMap<NodeName, LeaseRow>,
}

impl Survey {
    /// Whether a life is over for good. Its lease was in the row when it claimed; so if the row
    /// is another life's now, that one has waited for its end. Without a row nothing is proven:
    /// only leases that are over may be removed by hand, and their shards then wait for a new
    /// life of that node.
    fn is_over(&self, life: &Life) -> bool {
        let lease = self.leases.get(&life.node);
        lease.is_some_and(|lease| lease.boot != life.boot || lease.state.is_over())
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Write the owner's row; answer with [`Claims::claimed`].
    Claim {
        /// The shard.
        shard: Shard,
        /// What must stand there; `None` for no row.
        expect: Option<OwnerRow>,
        /// What to write.
        row: OwnerRow,
    },
    /// Accept nothing more for this shard and settle what is written; then call
    /// [`Claims::settled`].
    Settle {
        /// The shard.
        shard: Shard,
        /// The epoch it was served under.
        epoch: Epoch,
    },
    /// Write the owner's row; answer with [`Claims::released`].
    Release {
        /// The shard.
        shard: Shard,
        /// What must stand there.
        expect: OwnerRow,
        /// What to write.
        row: OwnerRow,
    },
    /// Drop everything of this shard: it is another's.
    Drop {
        /// The shard.
        shard: Shard,
    },
}

impl Deed {
    /// The shard whose row it writes; `None` for a word to the actors.
    pub(crate) const fn writes(&self) -> Option<Shard> {
        match self {
            Self::Claim { shard, .. } | Self::Release { shard, .. } => Some(*shard),
            Self::Settle { .. } | Self::Drop { .. } => None,
        }
    }
}

/// The shards of one life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claims {
    life: Life,
    rules: Rules,
    shards: BTreeMap<Shard, Place>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// A claim is under way for this epoch.
    Claiming(Epoch),
    /// Served here.
    Held(Epoch),
    /// Served no more; what is written is being settled.
    Settling(Epoch),
    /// A release is under way, or its outcome unknown.
    Releasing { epoch: Epoch, is_asked: bool },
}

impl Claims {
    /// A new life owns nothing.
    #[must_use]
    pub const fn new(life: Life, rules: Rules) -> Self {
        Self { life, rules, shards: BTreeMap::new() }
    }

    /// The epoch under which writes of a shard may be acknowledged while the lease is trusted.
    #[must_use]
    pub fn holds(&self, shard: Shard) -> Option<Epoch> {
        match self.shards.get(&shard)? {
            Place::Held(epoch) | Place::Settling(epoch) => Some(*epoch),
            Place::Releasing { epoch, .. } if !self.rules.keeps(Rule::HandOffEndsServing) => {
                Some(*epoch)
            }
            Place::Claiming(_) | Place::Releasing { .. } => None,
        }
    }

    /// The epoch under which new requests for a shard are accepted.
    #[must_use]
    pub fn serves(&self, shard: Shard) -> Option<Epoch> {
        match self.shards.get(&shard)? {
            Place::Held(epoch) => Some(*epoch),
            Place::Claiming(_) | Place::Settling(_) | Place::Releasing { .. } => None,
        }
    }

    /// The shards that may be held or served; [`Self::holds`] and [`Self::serves`] say which.
    pub fn shards(&self) -> impl Iterator<Item = Shard> {
        self.shards.keys().copied()
    }

    /// Whether nothing is owned, claimed or being given away: then the lease may be released.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// The nodes whose leases a survey must read after these owners: they hold shards that
    /// should be this life's.
    #[must_use]
    pub fn doubted(
        &self,
        owners: &BTreeMap<Shard, OwnerRow>,
        placement: &Placement,
    ) -> BTreeSet<NodeName> {
        let mine = owners.iter().filter(|(shard, _)| {
            placement.of(**shard) == Some(&self.life.node) && !self.shards.contains_key(shard)
        });
        let holders = mine.filter_map(|(_, row)| row.holder.as_ref());
        holders.filter(|life| **life != self.life).map(|life| life.node.clone()).collect()
    }

    /// What to do, given the rows and who should serve what. A claim is handed out once and not
    /// again before it is answered.
    pub fn plan(&mut self, survey: &Survey, placement: &Placement) -> Vec<Deed> {
        let mut deeds = Vec::new();
        self.drop_lost(survey, &mut deeds);
        self.release_again(survey, placement, &mut deeds);
        self.take(survey, placement, &mut deeds);
        deeds
    }

    /// What to give away now: shards that others should serve and can take, as many as may be on
    /// their way at once. To be asked after each plan, and whenever one has gone.
    pub fn give(&mut self, placement: &Placement, takes: impl Fn(&NodeName) -> bool) -> Vec<Deed> {
        let is_leaving =
            |place: &&Place| matches!(place, Place::Settling(_) | Place::Releasing { .. });
        let n_leaving = self.shards.values().filter(is_leaving).count();
        let mut deeds = Vec::new();
        for (&shard, place) in &mut self.shards {
            let Place::Held(epoch) = *place else { continue };
            let goes = match placement.of(shard) {
                Some(node) => *node != self.life.node && takes(node),
                None => true,
            };
            if goes && n_leaving + deeds.len() < LEAVING_MAX {
                deeds.push(Deed::Settle { shard, epoch });
                *place = Place::Settling(epoch);
            }
        }
        deeds
    }

    /// Another node says that it gave a shard away under that epoch, for this life to have: the
    /// claim, which expects just that. `None` where this life is at it already, or should not
    /// serve it as far as it knows: then a survey must tell.
    pub fn given(&mut self, shard: Shard, epoch: Epoch, placement: &Placement) -> Option<Deed> {
        if self.shards.contains_key(&shard) || placement.of(shard) != Some(&self.life.node) {
            return None;
        }
        Some(self.claim(shard, Some(OwnerRow { epoch, holder: None })))
    }

    /// Whether any shard is being claimed or given away.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.shards.values().any(|place| !matches!(place, Place::Held(_)))
    }

    /// Shards that another claimed. That happens only after this life's lease was lost.
    fn drop_lost(&mut self, survey: &Survey, deeds: &mut Vec<Deed>) {
        self.shards.retain(|&shard, place| {
            let (Place::Held(epoch) | Place::Settling(epoch) | Place::Releasing { epoch, .. }) =
                *place
            else {
                return true;
            };
            let stands = survey.owners.get(&shard).is_none_or(|row| row.epoch <= epoch);
            if !stands {
                deeds.push(Deed::Drop { shard });
            }
            stands
        });
    }

    fn release_again(&mut self, survey: &Survey, placement: &Placement, deeds: &mut Vec<Deed>) {
        for (&shard, place) in &mut self.shards {
            if let Place::Releasing { epoch, is_asked: is_asked @ false } = place {
                // The last attempt's outcome is unknown; the same again does no harm.
                let row = survey.owners.get(&shard);
                if row.is_none_or(|row| row.holder.is_some()) {
                    *is_asked = true;
                    deeds.push(release(shard, *epoch, &self.life));
                }
            }
        }
        // A claim that was carried out after all, of a shard that is another's by now: nobody
        // else can take it while this life lasts.
        for (&shard, row) in &survey.owners {
            let is_forgotten = row.holder.as_ref() == Some(&self.life)
                && !self.shards.contains_key(&shard)
                && placement.of(shard) != Some(&self.life.node);
            if is_forgotten {
                self.shards.insert(shard, Place::Releasing { epoch: row.epoch, is_asked: true });
                deeds.push(release(shard, row.epoch, &self.life));
            }
        }
        // What is seen released is gone, too late for a warm hand-over.
        self.shards.retain(|&shard, place| {
            let Place::Releasing { epoch, is_asked: false } = *place else { return true };
            let row = survey.owners.get(&shard);
            let is_gone = row.is_some_and(|row| row.epoch == epoch && row.holder.is_none());
            if is_gone {
                deeds.push(Deed::Drop { shard });
            }
            !is_gone
        });
    }

    fn take(&mut self, survey: &Survey, placement: &Placement, deeds: &mut Vec<Deed>) {
        for (shard, node) in placement.iter() {
            if *node != self.life.node || self.shards.contains_key(&shard) {
                continue;
            }
            let row = survey.owners.get(&shard);
            let holder = row.and_then(|row| row.holder.as_ref());
            let is_free = match holder {
                None => true,
                Some(life) => *life == self.life || survey.is_over(life),
            };
            if !is_free && self.rules.keeps(Rule::ClaimAfterTheEnd) {
                continue;
            }
            deeds.push(self.claim(shard, row.cloned()));
        }
    }

    fn claim(&mut self, shard: Shard, expect: Option<OwnerRow>) -> Deed {
        let before = expect.as_ref().map_or(0, |row| row.epoch.0);
        let epoch = Epoch(before.saturating_add(1));
        self.shards.insert(shard, Place::Claiming(epoch));
        let row = OwnerRow { epoch, holder: Some(self.life.clone()) };
        Deed::Claim { shard, expect, row }
    }

    /// How a claim ended. Only one that is known to be carried out is served; any other is
    /// forgotten, and what became of it shows in the next survey. Answers the epoch that is
    /// served from now on.
    pub fn claimed(&mut self, shard: Shard, outcome: &Outcome<OwnerRow>) -> Option<Epoch> {
        let Some(&Place::Claiming(epoch)) = self.shards.get(&shard) else { return None };
        if *outcome == Outcome::Applied {
            self.shards.insert(shard, Place::Held(epoch));
            return Some(epoch);
        }
        self.shards.remove(&shard);
        None
    }

    /// The actors have settled a shard that is to be given away. From here on this life owns it
    /// no more.
    pub fn settled(&mut self, shard: Shard) -> Option<Deed> {
        let Some(&Place::Settling(epoch)) = self.shards.get(&shard) else { return None };
        self.shards.insert(shard, Place::Releasing { epoch, is_asked: true });
        Some(release(shard, epoch, &self.life))
    }

    /// How a release ended. Answers the epoch that was given back once that is known; then the
    /// next owner may be told. An unknown one is tried again with the next survey.
    pub fn released(&mut self, shard: Shard, outcome: &Outcome<OwnerRow>) -> Option<Epoch> {
        let Some(Place::Releasing { epoch, is_asked }) = self.shards.get_mut(&shard) else {
            return None;
        };
        let epoch = *epoch;
        match outcome {
            Outcome::Unknown => {
                *is_asked = false;
                None
            }
            Outcome::Applied | Outcome::Refused(_) => {
                self.shards.remove(&shard);
                let is_free = |row: &OwnerRow| row.epoch == epoch && row.holder.is_none();
                let gone = match outcome {
                    Outcome::Refused(row) => row.as_ref().is_some_and(is_free),
                    Outcome::Applied | Outcome::Unknown => true,
                };
                gone.then_some(epoch)
            }
        }
    }
}

fn release(shard: Shard, epoch: Epoch, life: &Life) -> Deed {
    let expect = OwnerRow { epoch, holder: Some(life.clone()) };
    Deed::Release { shard, expect, row: OwnerRow { epoch, holder: None } }
}

#[cfg(test)]
mod tests;
