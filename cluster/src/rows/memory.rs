//! The rows in memory, for tests: exact, or slow, or with requests that are lost, late, or carried
//! out while nobody hears of it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

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
    shared: Arc<Shared>,
    /// How long a request is on its way, and its answer again.
    delay: Duration,
}

struct Shared {
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
        let tables = self.shared.tables.lock();
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
        let shared = Shared { tables: Mutex::default(), fate: Box::new(fate) };
        Self { shared: Arc::new(shared), delay: Duration::ZERO }
    }

    /// Rows whose every request is on its way for so long, and its answer again. Needs a runtime
    /// with time.
    #[must_use]
    pub fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Carries the late writes out, oldest first; answers how many there were.
    pub fn land(&self) -> usize {
        let mut tables = self.shared.tables.lock();
        let late = std::mem::take(&mut tables.late);
        for write in &late {
            tables.write(write);
        }
        late.len()
    }

    fn answer<T: Send + 'static>(
        &self,
        carry_out: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Reply<T> {
        let (shared, delay) = (Arc::clone(&self.shared), self.delay);
        if delay.is_zero() {
            return Box::pin(ready(carry_out(&shared)));
        }
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            let answer = carry_out(&shared);
            tokio::time::sleep(delay).await;
            answer
        })
    }

    fn read<T: Send + 'static>(
        &self,
        find: impl FnOnce(&Tables) -> T + Send + 'static,
    ) -> Reply<Result<T, Unreadable>> {
        self.answer(|shared| match (shared.fate)() {
            Fate::Answered => Ok(find(&shared.tables.lock())),
            Fate::AnswerLost | Fate::Lost | Fate::Late => Err(Unreadable),
        })
    }
}

impl Shared {
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
        self.read(|tables| tables.leases.clone().into_iter().collect())
    }

    fn lease(&self, node: &NodeName) -> Reply<Result<Option<LeaseRow>, Unreadable>> {
        let node = node.clone();
        self.read(move |tables| tables.leases.get(&node).cloned())
    }

    fn swap_lease(
        &self,
        node: &NodeName,
        expect: Option<LeaseVersion>,
        row: LeaseRow,
    ) -> Reply<Outcome<LeaseRow>> {
        let write = Write::Lease { node: node.clone(), expect, row };
        self.answer(|shared| match shared.swap(write) {
            Some(Swapped::Applied) => Outcome::Applied,
            Some(Swapped::Lease(row)) => Outcome::Refused(row),
            Some(Swapped::Owner(_)) | None => Outcome::Unknown,
        })
    }

    fn owners(&self) -> Reply<Result<Vec<(Shard, OwnerRow)>, Unreadable>> {
        self.read(|tables| tables.owners.clone().into_iter().collect())
    }

    fn swap_owner(
        &self,
        shard: Shard,
        expect: Option<OwnerRow>,
        row: OwnerRow,
    ) -> Reply<Outcome<OwnerRow>> {
        let write = Write::Owner { shard, expect, row };
        self.answer(|shared| match shared.swap(write) {
            Some(Swapped::Applied) => Outcome::Applied,
            Some(Swapped::Owner(row)) => Outcome::Refused(row),
            Some(Swapped::Lease(_)) | None => Outcome::Unknown,
        })
    }
}
