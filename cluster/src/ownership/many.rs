//! One node of many: what its lease and its claims say, for everybody to ask at any moment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::{Epoch, NodeName, Owner, Ownership};
use crate::claims::Claims;
use crate::lease::Lease;
use crate::rows::OwnerRow;
use crate::shard::Shard;
use crate::time::Moment;

/// Reads this node's monotonic clock. It must count through sleep of the machine
/// (`CLOCK_BOOTTIME` on Linux), or a lease would be trusted after others saw it end.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// A node among others. The one who drives lease and claims [publishes](Self::publish) each
/// change; the actors ask.
pub struct Many {
    node: NodeName,
    clock: Clock,
    /// Until when the lease is trusted, in nanoseconds of the clock; 0 for not at all.
    trusted_until: AtomicU64,
    table: RwLock<Table>,
    calls: Mutex<Calls>,
    was_called: Notify,
}

/// What was said to whoever drives lease and claims. Each shard is in it once (P7).
#[derive(Debug, Default)]
pub struct Calls {
    /// Others ask for what is not served here.
    pub in_vain: bool,
    /// Others gave these away under these epochs, for this node to have.
    pub given: BTreeMap<Shard, Epoch>,
}

#[derive(Debug, Default)]
struct Table {
    /// Shards of this node: the epoch, and whether new requests are accepted.
    held: BTreeMap<Shard, (Epoch, bool)>,
    /// Who held the others when the rows were last read.
    others: BTreeMap<Shard, NodeName>,
}

impl fmt::Debug for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Many").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Many {
    /// A node that owns nothing yet.
    #[must_use]
    pub fn new(node: NodeName, clock: Clock) -> Self {
        Self {
            node,
            clock,
            trusted_until: AtomicU64::new(0),
            table: RwLock::default(),
            calls: Mutex::default(),
            was_called: Notify::new(),
        }
    }

    /// Takes over what lease and claims say now. Call it after everything that either was told.
    pub fn publish(&self, lease: &Lease, claims: &Claims) {
        let held = claims.shards().filter_map(|shard| {
            let epoch = claims.holds(shard)?;
            Some((shard, (epoch, claims.serves(shard) == Some(epoch))))
        });
        let held = held.collect();
        let until = lease.trusted_until().map_or(0, nanoseconds);
        // Never is an old table seen with a new lease: a new life holds what it claimed itself.
        let mut table = self.table.write();
        table.held = held;
        self.trusted_until.store(until, Ordering::Release);
    }

    /// Takes over who owns the other shards, as read. Where a shard is on its way to is as it was
    /// heard last; also where the row still names this node, which was read before it gave the shard
    /// away. A node that drains may read no other.
    pub fn learn(&self, owners: &BTreeMap<Shard, OwnerRow>) {
        let Table { held, others: known } = &mut *self.table.write();
        let mut heard = std::mem::take(known);
        let others = owners.iter().filter_map(|(&shard, row)| match &row.holder {
            Some(life) if life.node != self.node => Some((shard, life.node.clone())),
            Some(_) if held.contains_key(&shard) => None,
            Some(_) | None => heard.remove(&shard).map(|node| (shard, node)),
        });
        *known = others.collect();
    }

    /// Waits until something was said since this was last awaited. Cancel safe.
    pub async fn was_called(&self) {
        self.was_called.notified().await;
    }

    /// What was said since it was last taken.
    #[must_use]
    pub fn take_calls(&self) -> Calls {
        std::mem::take(&mut self.calls.lock())
    }

    fn is_trusted(&self) -> bool {
        nanoseconds((self.clock)()) < self.trusted_until.load(Ordering::Acquire)
    }
}

impl Ownership for Many {
    fn node(&self) -> &NodeName {
        &self.node
    }

    fn owner(&self, shard: Shard) -> Owner {
        let table = self.table.read();
        match (table.held.get(&shard), table.others.get(&shard)) {
            (Some((epoch, true)), _) if self.is_trusted() => Owner::Here(*epoch),
            (None, Some(node)) => Owner::There(node.clone()),
            (Some(_), _) | (None, None) => Owner::Nobody,
        }
    }

    fn moved(&self, shard: Shard, to: NodeName) {
        if to == self.node {
            self.asked_in_vain();
        } else {
            self.table.write().others.insert(shard, to);
        }
    }

    fn asked_in_vain(&self) {
        self.calls.lock().in_vain = true;
        self.was_called.notify_one();
    }

    fn given(&self, from: &NodeName, shard: Shard, epoch: Epoch) {
        let mut table = self.table.write();
        if table.others.get(&shard) == Some(from) {
            table.others.remove(&shard);
        }
        drop(table);
        self.calls.lock().given.insert(shard, epoch);
        self.was_called.notify_one();
    }

    fn holds(&self, shard: Shard, epoch: Epoch) -> bool {
        let table = self.table.read();
        table.held.get(&shard).is_some_and(|(held, _)| *held == epoch) && self.is_trusted()
    }
}

fn nanoseconds(moment: Moment) -> u64 {
    u64::try_from(moment.0.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ownership::Boot;
    use crate::rows::Life;

    #[test]
    fn rows_from_before_a_shard_was_given_away_do_not_hide_where_it_went() {
        let node = |name: &str| NodeName(name.into());
        let many = Many::new(node("one"), Arc::new(Moment::default));
        let [given, released, told] = [0, 1, 2].map(|n| Shard::numbered(n).unwrap());
        let row = |holder: Option<&str>| {
            let holder = holder.map(|name| Life { node: node(name), boot: Boot(Uuid::nil()) });
            OwnerRow { epoch: Epoch(1), holder }
        };
        for shard in [given, released, told] {
            many.moved(shard, node("two"));
        }
        let read = [(given, row(Some("one"))), (released, row(None)), (told, row(Some("three")))];
        many.learn(&read.into());
        let owners = [given, released, told].map(|shard| many.owner(shard));
        assert_eq!(owners, ["two", "two", "three"].map(|name| Owner::There(node(name))));
    }
}
