//! Which node should serve a shard: a suggestion that every node computes alike from who is
//! there. Only claims decide.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::Xxh3;

use crate::ownership::NodeName;
use crate::shard::{SHARDS, Shard};

/// The largest weight. Each unit of weight costs one hash per shard.
pub const WEIGHT_MAX: u8 = 64;

/// A node that takes shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: NodeName,
    /// How many shares it should have; 0 counts as 1 and more than [`WEIGHT_MAX`] as that.
    pub weight: u8,
}

/// For each shard the node that should serve it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Empty when nobody takes any.
    nodes: BTreeMap<Shard, NodeName>,
}

impl FromIterator<(Shard, NodeName)> for Placement {
    fn from_iter<I: IntoIterator<Item = (Shard, NodeName)>>(places: I) -> Self {
        Self { nodes: places.into_iter().collect() }
    }
}

impl Placement {
    /// Rendezvous hashing with tickets: a node draws as many tickets for a shard as it has
    /// weight, and the highest ticket of all wins. A node that comes takes shards from the others
    /// and moves none between them; one that goes leaves its own and moves no other. Integers
    /// alone take part, so all nodes agree to the last shard.
    #[must_use]
    pub fn over(candidates: &[Candidate]) -> Self {
        let best = |shard| {
            let tickets = candidates.iter().map(|candidate| (ticket(candidate, shard), candidate));
            // Names break the tie that never comes.
            let best = tickets.max_by(|a, b| (a.0, &a.1.node).cmp(&(b.0, &b.1.node)));
            best.map(|(_, candidate)| (shard, candidate.node.clone()))
        };
        Shard::all().filter_map(best).collect()
    }

    /// Each shard that somebody should serve, and who.
    pub fn iter(&self) -> impl Iterator<Item = (Shard, &NodeName)> {
        self.nodes.iter().map(|(shard, node)| (*shard, node))
    }

    /// Who should serve it; `None` when nobody takes any.
    #[must_use]
    pub fn of(&self, shard: Shard) -> Option<&NodeName> {
        self.nodes.get(&shard)
    }
}

fn ticket(candidate: &Candidate, shard: Shard) -> u64 {
    let draw = |number: u8| {
        let mut hasher = Xxh3::new();
        hasher.update(candidate.node.0.as_bytes());
        hasher.update(&[number]);
        hasher.update(&shard.index().to_le_bytes());
        hasher.digest()
    };
    (0..candidate.weight.clamp(1, WEIGHT_MAX)).map(draw).max().unwrap_or_default()
}

const _: () = assert!(SHARDS.is_power_of_two(), "shards are masked from a hash");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(weights: &BTreeMap<u8, u8>) -> Vec<Candidate> {
        let name = |id: &u8| NodeName(format!("node-{id}").into());
        weights.iter().map(|(id, &weight)| Candidate { node: name(id), weight }).collect()
    }

    fn some_nodes() -> impl Strategy<Value = BTreeMap<u8, u8>> {
        prop::collection::btree_map(any::<u8>(), 1_u8..6, 1..9)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn a_node_that_comes_or_goes_moves_its_own_shards_alone(
            weights in some_nodes(), id: u8, weight in 1_u8..6,
        ) {
            let mut more = weights.clone();
            prop_assume!(more.insert(id, weight).is_none());
            let (few, many) = (candidates(&weights), candidates(&more));
            let (without, with) = (Placement::over(&few), Placement::over(&many));
            let name = NodeName(format!("node-{id}").into());
            for shard in Shard::all() {
                prop_assert!(with.of(shard) == without.of(shard) || with.of(shard) == Some(&name));
            }
        }

        #[test]
        fn more_weight_takes_shards_and_gives_none(weights in some_nodes()) {
            let Some((&id, &weight)) = weights.first_key_value() else { return Ok(()) };
            let mut heavier = weights.clone();
            heavier.insert(id, weight + 1);
            let (before, after) =
                (Placement::over(&candidates(&weights)), Placement::over(&candidates(&heavier)));
            let name = NodeName(format!("node-{id}").into());
            for shard in Shard::all() {
                prop_assert!(after.of(shard) == before.of(shard) || after.of(shard) == Some(&name));
            }
        }

        #[test]
        fn the_order_of_the_nodes_does_not_matter(weights in some_nodes()) {
            let mut nodes = candidates(&weights);
            let forward = Placement::over(&nodes);
            nodes.reverse();
            prop_assert_eq!(forward, Placement::over(&nodes));
        }
    }

    #[test]
    fn shards_spread_by_weight() {
        let nodes = candidates(&BTreeMap::from([(1, 1), (2, 2), (3, 5)]));
        let placement = Placement::over(&nodes);
        let mut counts = BTreeMap::<&NodeName, u32>::new();
        for shard in Shard::all() {
            *counts.entry(placement.of(shard).expect("somebody is there")).or_default() += 1;
        }
        let counts: Vec<u32> = counts.into_values().collect();
        // 128, 256 and 640 are the fair shares; the draw is fixed, the bounds five deviations wide.
        assert!((75..=180).contains(&counts[0]), "{counts:?}");
        assert!((186..=326).contains(&counts[1]), "{counts:?}");
        assert!((562..=718).contains(&counts[2]), "{counts:?}");
    }

    #[test]
    fn nobody_serves_when_nobody_is_there() {
        assert_eq!(Placement::over(&[]).of(Shard::of("", "", b"")), None);
    }
}
