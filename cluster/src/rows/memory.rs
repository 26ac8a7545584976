//! The rows in memory, for tests: exact, or with requests that are lost, late, or carried out
//! while nobody hears of it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::ready;

use parking_lot::Mutex;

use super::{LeaseRow, LeaseVersion, Outcome, OwnerRow, Reply, Rows, Unreadable};
use crate::ownership::NodeName;
use crate::shard::Shard;

/// What happens to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is carried out and answered.
    #[default]
    Answered,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is lost.
    Lost,
    /// The answer is "unknown"; the write is carried out at [`MemoryRows::land`], if its
    /// condition still holds then.
    Late,
}

/// Rows in memory.
pub struct MemoryRows {
    tables: Mutex<Tables>,
    fate: Box<dyn Fn() -> Fate + Send + Sync>,
}

#[derive(Default)]
struct Tables {
    leases: BTreeMap<NodeName, LeaseRow>,
    owners: BTreeMap<Shard, OwnerRow>,
    late: Vec<Write>,
}

#[derive(Clone)]
enum Write {
    Lease { node: NodeName, expect: Option<LeaseVersion>, row: LeaseRow },
    Owner { shard: Shard, expect: Option<OwnerRow>, row: OwnerRow },
}

impl fmt::Debug for MemoryRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables.lock();
        f.debug_struct("MemoryRows")
            .field("leases", &tables.leases.len())
            .field("owners", &tables.owners.len())
            .field("late", &tables.late.len())
            .finish_non_exhaustive()
    }
}

impl Default for MemoryRows {
    fn default() -> Self {
        Self::with_fates(Fate::default)
    }
}

impl MemoryRows {
    /// `fate` is asked once for each request.
    #[must_use]
    pub fn with_fates(fate: impl Fn() -> Fate + Send + Sync + 'static) -> Self {
        Self { tables: Mutex::default(), fate: Box::new(fate) }
    }

    /// Carries the late writes out, oldest first; answers how many there were.
    pub fn land(&self) -> usize {
        let mut tables = self.tables.lock();
        let late = std::mem::take(&mut tables.late);
        for write in &late {
            tables.write(write);
        }
        late.len()
    }

    fn read<T: Send + 'static>(&self, find: impl FnOnce(&Tables) -> T) -> Result<T, Unreadable> {
        match (self.fate)() {
            Fate::Answered => Ok(find(&self.tables.lock())),
            Fate::AnswerLost | Fate::Lost | Fate::Late => Err(Unreadable),
        }
    }

    fn swap(&self, write: Write) -> Option<Swapped> {
        let mut tables = self.tables.lock();
        match (self.fate)() {
            Fate::Answered => Some(tables.write(&write)),
            Fate::AnswerLost => {
                tables.write(&write);
                None
            }
            Fate::Lost => None,
            Fate::Late => {
                tables.late.push(write);
                None
            }
        }
    }
}

enum Swapped {
    Applied,
    Lease(Option<LeaseRow>),
    Owner(Option<OwnerRow>),
}

impl Tables {
    fn write(&mut self, write: &Write) -> Swapped {
        match write {
            Write::Lease { node, expect, row } => {
                let stands = self.leases.get(node);
                if stands.map(LeaseRow::version) != *expect {
                    return Swapped::Lease(stands.cloned());
                }
                self.leases.insert(node.clone(), row.clone());
            }
            Write::Owner { shard, expect, row } => {
                let stands = self.owners.get(shard);
                if stands != expect.as_ref() {
                    return Swapped::Owner(stands.cloned());
                }
                self.owners.insert(*shard, row.clone());
            }
        }
        Swapped::Applied
    }
}

impl Rows for MemoryRows {
    fn leases(&self) -> Reply<Result<Vec<(NodeName, LeaseRow)>, Unreadable>> {
        let leases = self.read(|tables| tables.leases.clone().into_iter().collect());
        Box::pin(ready(leases))
    }

    fn lease(&self, node: &NodeName) -> Reply<Result<Option<LeaseRow>, Unreadable>> {
        Box::pin(ready(self.read(|tables| tables.leases.get(node).cloned())))
    }

    fn swap_lease(
        &self,
        node: &NodeName,
        expect: Option<LeaseVersion>,
        row: LeaseRow,
    ) -> Reply<Outcome<LeaseRow>> {
        let outcome = match self.swap(Write::Lease { node: node.clone(), expect, row }) {
            Some(Swapped::Applied) => Outcome::Applied,
            Some(Swapped::Lease(row)) => Outcome::Refused(row),
            Some(Swapped::Owner(_)) | None => Outcome::Unknown,
        };
        Box::pin(ready(outcome))
    }

    fn owners(&self) -> Reply<Result<Vec<(Shard, OwnerRow)>, Unreadable>> {
        let owners = self.read(|tables| tables.owners.clone().into_iter().collect());
        Box::pin(ready(owners))
    }

    fn swap_owner(
        &self,
        shard: Shard,
        expect: Option<OwnerRow>,
        row: OwnerRow,
    ) -> Reply<Outcome<OwnerRow>> {
        let outcome = match self.swap(Write::Owner { shard, expect, row }) {
            Some(Swapped::Applied) => Outcome::Applied,
            Some(Swapped::Owner(row)) => Outcome::Refused(row),
            Some(Swapped::Lease(_)) | None => Outcome::Unknown,
        };
        Box::pin(ready(outcome))
    }
}
