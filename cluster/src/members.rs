//! Who is there: the leases of all nodes as one node sees them, and which of them are overdue.

use std::collections::BTreeMap;

use crate::ownership::NodeName;
use crate::placement::Candidate;
use crate::rows::{LeaseRow, LeaseState};
use crate::rules::{Rule, Rules};
use crate::time::{Moment, Times};

/// The leases as seen from here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Members {
    times: Times,
    rules: Rules,
    seen: BTreeMap<NodeName, Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    row: LeaseRow,
    /// When this version was first here.
    since: Moment,
}

impl Members {
    /// Nobody was seen yet.
    #[must_use]
    pub const fn new(times: Times, rules: Rules) -> Self {
        Self { times, rules, seen: BTreeMap::new() }
    }

    /// Takes a list of all leases in, at the moment its answer came. A list that is a little old
    /// makes a lease live longer, never shorter.
    pub fn observe(&mut self, now: Moment, leases: Vec<(NodeName, LeaseRow)>) {
        let mut before = std::mem::take(&mut self.seen);
        for (node, row) in leases {
            let since = match before.remove(&node) {
                Some(seen) if seen.row.version() == row.version() => seen.since,
                _ => now,
            };
            self.seen.insert(node, Seen { row, since });
        }
    }

    /// The lease of a node, as last seen.
    #[must_use]
    pub fn lease(&self, node: &NodeName) -> Option<&LeaseRow> {
        self.seen.get(node).map(|seen| &seen.row)
    }

    /// Leases that stood unchanged for the whole watch. They are to be written over with
    /// [`LeaseRow::marked`] dead if they still stand at exactly this version: a renewal that
    /// came after they were read makes that fail, and the watch begins anew.
    pub fn overdue(&self, now: Moment) -> impl Iterator<Item = (&NodeName, &LeaseRow)> {
        let is_overdue = move |seen: &Seen| {
            let watched = now.since(seen.since) >= self.times.watch_for();
            !seen.row.state.is_over() && (watched || !self.rules.keeps(Rule::WatchToTheEnd))
        };
        self.seen
            .iter()
            .filter(move |(_, seen)| is_overdue(seen))
            .map(|(node, seen)| (node, &seen.row))
    }

    /// When the next lease becomes overdue, if none of them changes.
    #[must_use]
    pub fn next_overdue(&self, now: Moment) -> Option<Moment> {
        let lives = self.seen.values().filter(|seen| !seen.row.state.is_over());
        let ends = lives.map(|seen| seen.since.after(self.times.watch_for()));
        ends.filter(|end| *end > now).min()
    }

    /// Who takes shards: nodes that are up and not overdue.
    #[must_use]
    pub fn candidates(&self, now: Moment) -> Vec<Candidate> {
        let takes = |seen: &Seen| {
            seen.row.state == LeaseState::Up && now.since(seen.since) < self.times.watch_for()
        };
        self.seen
            .iter()
            .filter(|(_, seen)| takes(seen))
            .map(|(node, seen)| Candidate { node: node.clone(), weight: seen.row.weight })
            .collect()
    }

    /// Where the nodes that have not ended are reached.
    pub fn addresses(&self) -> impl Iterator<Item = (&NodeName, &str)> {
        let lives = self.seen.iter().filter(|(_, seen)| !seen.row.state.is_over());
        lives.map(|(node, seen)| (node, &*seen.row.address))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::ownership::Boot;

    fn lease(beat: u64, state: LeaseState) -> LeaseRow {
        LeaseRow {
            boot: Boot(Uuid::from_u128(1)),
            beat,
            state,
            address: Arc::from("a:1"),
            weight: 1,
        }
    }

    fn at(ms: u64) -> Moment {
        Moment(Duration::from_millis(ms))
    }

    fn overdue(members: &Members, ms: u64) -> Vec<u64> {
        members.overdue(at(ms)).map(|(_, row)| row.beat).collect()
    }

    #[test]
    fn a_lease_is_overdue_after_a_whole_watch_of_one_version() {
        let name = NodeName("one".into());
        let see = |members: &mut Members, ms, beat, state| {
            members.observe(at(ms), vec![(name.clone(), lease(beat, state))]);
        };
        let mut members = Members::new(Times::DEFAULT, Rules::default());
        see(&mut members, 1_000, 7, LeaseState::Up);
        see(&mut members, 5_999, 7, LeaseState::Up);
        assert_eq!(overdue(&members, 5_999), [0_u64; 0]);
        assert_eq!(members.next_overdue(at(5_999)), Some(at(6_000)));
        assert_eq!(overdue(&members, 6_000), [7]);
        assert_eq!(members.next_overdue(at(6_000)), None);
        assert!(members.candidates(at(6_000)).is_empty());
        // A renewal begins the watch anew; so does an older version, read from a slow replica.
        see(&mut members, 6_100, 8, LeaseState::Up);
        see(&mut members, 7_000, 7, LeaseState::Up);
        see(&mut members, 8_000, 8, LeaseState::Up);
        assert_eq!(overdue(&members, 12_999), [0_u64; 0]);
        assert_eq!(members.candidates(at(12_999)).len(), 1);
        assert_eq!(overdue(&members, 13_000), [8]);
        // What is over is not marked again, what drains takes nothing.
        see(&mut members, 14_000, 9, LeaseState::Dead);
        assert_eq!(overdue(&members, 60_000), [0_u64; 0]);
        assert_eq!(members.next_overdue(at(14_000)), None);
        assert_eq!(members.addresses().count(), 0);
        see(&mut members, 60_000, 10, LeaseState::Draining);
        assert!(members.candidates(at(60_000)).is_empty());
        assert_eq!(members.addresses().collect::<Vec<_>>(), [(&name, "a:1")]);
    }
}
