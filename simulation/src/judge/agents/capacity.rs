//! P11 by the logs: who had how much at any time.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_domain::ids::{AgentId, Timestamp};

/// A conversation changed hands.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) at: Timestamp,
    pub(super) conversation: u32,
    pub(super) from: Option<AgentId>,
    pub(super) to: Option<AgentId>,
    /// Whether capacity bound it: the agent took it, or the queue gave it.
    pub(super) is_bound: bool,
}

/// Where an agent had more by accepts and routes than they take.
///
/// What a person hands on is not bound by capacity, and may come between the promise of a slot and
/// what is made of it; so it counts for nothing here. Of the rest each had a slot when it was taken,
/// and keeps it until it changes hands, so that there are never more of them than slots.
///
/// Logs are ordered by their times, which are those of one simulated clock; what happens in one
/// millisecond is taken together.
pub(super) fn above(
    changes: &[Change],
    capacity_of: impl Fn(AgentId) -> Option<usize>,
) -> Vec<String> {
    let mut by_time: BTreeMap<Timestamp, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        by_time.entry(change.at).or_default().push(change);
    }
    let mut held: BTreeMap<AgentId, BTreeSet<u32>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, changes) in by_time {
        for Change { conversation, from, to, is_bound, .. } in &changes {
            if let Some(from) = from {
                held.entry(*from).or_default().remove(conversation);
            }
            if let Some(to) = to.filter(|_| *is_bound) {
                held.entry(to).or_default().insert(*conversation);
            }
        }
        for to in changes.iter().filter(|it| it.is_bound).filter_map(|it| it.to) {
            let has = held.get(&to).cloned().unwrap_or_default();
            if let Some(capacity) = capacity_of(to).filter(|capacity| has.len() > *capacity) {
                wrong.push(format!("P11: {to} takes {capacity} and has {has:?} at {}", at.0));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: i64, conversation: u32, from: u128, to: u128, is_bound: bool) -> Change {
        let agent = |n: u128| (n > 0).then(|| AgentId::from_u128(n));
        Change { at: Timestamp(at), conversation, from: agent(from), to: agent(to), is_bound }
    }

    #[test]
    fn an_agent_who_takes_one_has_one_at_a_time() {
        let above = |changes: &[Change]| above(changes, |_| Some(1)).len();
        let (first, second) = (change(1, 1, 0, 7, true), change(2, 2, 0, 7, true));
        assert_eq!(above(&[first.clone(), second.clone()]), 1);
        // What ended before, or in the same moment, does not count; nor does what a person gave.
        assert_eq!(above(&[first.clone(), change(2, 1, 7, 0, false), second.clone()]), 0);
        assert_eq!(above(&[change(1, 1, 0, 7, false), second.clone()]), 0);
        assert_eq!(above(&[first, change(2, 2, 0, 8, true)]), 0);
    }
}
