use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::lease::{Ask, Lease};
use crate::members::Members;
use crate::ownership::{Boot, Many, Owner, Ownership};
use crate::placement::Candidate;
use crate::rows::{Fate, LeaseState, MemoryRows, Rows};
use crate::shard::SHARDS;
use crate::time::{Moment, Times};

fn name(node: u8) -> NodeName {
    NodeName(format!("node-{node}").into())
}

fn life(node: u8, boot: u128) -> Life {
    Life { node: name(node), boot: Boot(Uuid::from_u128(boot)) }
}

fn shard() -> Shard {
    Shard::of("", "", b"")
}

fn placed(node: u8) -> Placement {
    [(shard(), name(node))].into_iter().collect()
}

fn survey(owner: Option<OwnerRow>, leases: &[(u8, u128, LeaseState)]) -> Survey {
    let lease = |&(node, boot, state): &(u8, u128, LeaseState)| {
        let boot = Boot(Uuid::from_u128(boot));
        (name(node), LeaseRow { boot, beat: 1, state, address: Arc::from(""), weight: 1 })
    };
    Survey {
        owners: owner.map(|row| (shard(), row)).into_iter().collect(),
        leases: leases.iter().map(lease).collect(),
    }
}

fn owned(epoch: u64, holder: Option<Life>) -> OwnerRow {
    OwnerRow { epoch: Epoch(epoch), holder }
}

#[test]
fn a_shard_is_claimed_only_when_nobody_else_can_own_it() {
    use LeaseState::{Dead, Draining, Released, Up};
    let other = || Some(owned(3, Some(life(2, 20))));
    for (what, owner, leases, claims) in [
        ("never claimed", None, vec![], true),
        ("released", Some(owned(3, None)), vec![(2, 20, Up)], true),
        ("the owner lives", other(), vec![(2, 20, Up)], false),
        ("the owner drains", other(), vec![(2, 20, Draining)], false),
        ("the owner's life ended", other(), vec![(2, 20, Dead)], true),
        ("the owner left", other(), vec![(2, 20, Released)], true),
        ("the owner's node lives anew", other(), vec![(2, 21, Up)], true),
        ("nothing proves its end", other(), vec![], false),
        ("this life forgot it", Some(owned(3, Some(life(1, 10)))), vec![(1, 10, Up)], true),
        ("an earlier life had it", Some(owned(3, Some(life(1, 9)))), vec![(1, 10, Up)], true),
    ] {
        let mut mine = Claims::new(life(1, 10), Rules::ALL);
        let before = owner.clone();
        let deeds = mine.plan(&survey(owner, &leases), &placed(1));
        let epoch = before.as_ref().map_or(1, |row| row.epoch.0 + 1);
        let row = owned(epoch, Some(life(1, 10)));
        let claim = Deed::Claim { shard: shard(), expect: before, row };
        assert_eq!(deeds, if claims { vec![claim] } else { vec![] }, "{what}");
        assert_eq!(mine.holds(shard()), None, "{what}: not before it is known");
    }
}

/// A life that serves the shard under epoch 1.
fn serving() -> Claims {
    let mut mine = Claims::new(life(1, 10), Rules::ALL);
    assert_eq!(mine.plan(&survey(None, &[]), &placed(1)).len(), 1);
    assert_eq!(mine.plan(&survey(None, &[]), &placed(1)), [], "one claim at a time");
    assert_eq!(mine.claimed(shard(), &Outcome::Applied), Some(Epoch(1)));
    mine
}

#[test]
fn a_claim_that_is_not_known_to_be_carried_out_is_not_served() {
    for outcome in [Outcome::Unknown, Outcome::Refused(None)] {
        let mut mine = Claims::new(life(1, 10), Rules::ALL);
        mine.plan(&survey(None, &[]), &placed(1));
        assert_eq!(mine.claimed(shard(), &outcome), None);
        assert!(mine.is_empty());
        // It was carried out after all: the epoch is raised once more.
        let mine_by_row = Some(owned(1, Some(life(1, 10))));
        let deeds = mine.plan(&survey(mine_by_row, &[]), &placed(1));
        assert!(matches!(&deeds[..], [Deed::Claim { row, .. }] if row.epoch == Epoch(2)));
    }
}

#[test]
fn a_shard_is_settled_then_released_and_not_held_from_the_release_on() {
    let mut mine = serving();
    let here = Some(owned(1, Some(life(1, 10))));
    assert_eq!(mine.plan(&survey(here.clone(), &[]), &placed(2)), []);
    assert_eq!(mine.give(&placed(2), |_| false), [], "not to one that cannot take it");
    assert_eq!((mine.serves(shard()), mine.is_moving()), (Some(Epoch(1)), false));
    let deeds = mine.give(&placed(2), |node| *node == name(2));
    assert_eq!(deeds, [Deed::Settle { shard: shard(), epoch: Epoch(1) }]);
    assert!(mine.is_moving());
    assert_eq!((mine.serves(shard()), mine.holds(shard())), (None, Some(Epoch(1))));
    let release = mine.settled(shard());
    assert!(matches!(&release, Some(Deed::Release { row, .. }) if row.holder.is_none()));
    assert_eq!(mine.holds(shard()), None);
    // Unknown: tried again, and served by nobody meanwhile, though it should be served here.
    assert_eq!(mine.released(shard(), &Outcome::Unknown), None);
    assert_eq!(mine.plan(&survey(here, &[]), &placed(1)), [release.expect("asked")]);
    assert_eq!(mine.holds(shard()), None);
    let gone = Outcome::Refused(Some(owned(1, None)));
    assert_eq!(mine.released(shard(), &gone), Some(Epoch(1)), "it was carried out the first time");
    assert!(mine.is_empty());
}

#[test]
fn a_release_that_shows_later_and_a_claim_by_another_end_it_too() {
    for row in [owned(1, None), owned(2, Some(life(2, 20)))] {
        let mut mine = serving();
        mine.give(&placed(2), |_| true);
        mine.settled(shard());
        mine.released(shard(), &Outcome::Unknown);
        let deeds = mine.plan(&survey(Some(row), &[]), &placed(2));
        assert_eq!((deeds, mine.is_empty()), (vec![Deed::Drop { shard: shard() }], true));
    }
    let mut mine = serving();
    let taken = survey(Some(owned(2, Some(life(2, 20)))), &[(2, 20, LeaseState::Up)]);
    assert_eq!(mine.plan(&taken, &placed(1)), [Deed::Drop { shard: shard() }]);
    assert_eq!(mine.holds(shard()), None);
}

#[test]
fn a_claim_that_came_through_unknown_is_given_back_when_another_should_own_it() {
    let mut mine = Claims::new(life(1, 10), Rules::ALL);
    let here = survey(Some(owned(4, Some(life(1, 10)))), &[]);
    let deeds = mine.plan(&here, &placed(2));
    assert!(matches!(&deeds[..], [Deed::Release { expect, .. }] if expect.epoch == Epoch(4)));
    assert_eq!((mine.holds(shard()), mine.plan(&here, &placed(2))), (None, vec![]));
    assert_eq!(mine.released(shard(), &Outcome::Applied), Some(Epoch(4)));
}

#[test]
fn what_is_said_to_be_given_is_claimed_over_just_that_row() {
    let mut mine = Claims::new(life(1, 10), Rules::ALL);
    assert_eq!(mine.given(shard(), Epoch(3), &placed(2)), None, "another should serve it");
    let row = owned(4, Some(life(1, 10)));
    let claim = Deed::Claim { shard: shard(), expect: Some(owned(3, None)), row };
    assert_eq!(mine.given(shard(), Epoch(3), &placed(1)), Some(claim));
    assert_eq!(mine.given(shard(), Epoch(3), &placed(1)), None, "one claim at a time");
    assert_eq!(mine.holds(shard()), None, "not before it is known");
    assert_eq!(mine.claimed(shard(), &Outcome::Applied), Some(Epoch(4)));
    assert_eq!(mine.given(shard(), Epoch(3), &placed(1)), None, "it was, and is old");
    // A survey from before the claim changes nothing.
    let old = survey(Some(owned(3, None)), &[]);
    assert_eq!((mine.plan(&old, &placed(1)), mine.holds(shard())), (vec![], Some(Epoch(4))));
}

#[test]
fn shards_are_given_away_a_few_at_a_time_and_each_that_went_makes_room() {
    let mut mine = Claims::new(life(1, 10), Rules::ALL);
    let all: Placement = Shard::all().map(|shard| (shard, name(1))).collect();
    assert_eq!(mine.plan(&Survey::default(), &all).len(), usize::from(SHARDS));
    for shard in Shard::all() {
        mine.claimed(shard, &Outcome::Applied);
    }
    let nowhere = Placement::default();
    let mut leaving = mine.give(&nowhere, |_| true);
    assert_eq!(leaving.len(), LEAVING_MAX);
    assert_eq!(mine.give(&nowhere, |_| true), []);
    let mut given = 0;
    while let Some(Deed::Settle { shard, epoch }) = leaving.pop() {
        assert!(mine.give(&nowhere, |_| true).is_empty(), "it has not gone yet");
        mine.settled(shard);
        assert_eq!(mine.released(shard, &Outcome::Applied), Some(epoch));
        given += 1;
        let next = mine.give(&nowhere, |_| true);
        assert_eq!(next.len(), 1.min(usize::from(SHARDS - given) - leaving.len()));
        leaving.extend(next);
    }
    assert_eq!((given, mine.is_empty()), (SHARDS, true));
}

/// The rows in memory answer at once.
fn at_once<T>(answer: impl Future<Output = T>) -> T {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the rows in memory never wait"),
    }
}

/// A node with all its machines, driven the way the real one is.
struct Node {
    index: u8,
    boots: u128,
    lease: Lease,
    members: Members,
    claims: Claims,
    many: Many,
    placed: (Vec<Candidate>, Placement),
    paused_until: u64,
    /// What it gave away and tells others of.
    gave: Vec<(Shard, Epoch)>,
}

const STEP_MS: u64 = 250;
/// Few shards, so that each is fought over.
const FEW: usize = 24;

impl Node {
    fn new(index: u8, now: &Arc<AtomicU64>) -> Self {
        let clock = Arc::clone(now);
        let clock = Arc::new(move || Moment(Duration::from_millis(clock.load(Ordering::Relaxed))));
        let boot = u128::from(index) * 1_000;
        Self {
            index,
            boots: boot,
            lease: Self::join(index, boot),
            members: Members::new(Times::DEFAULT, Rules::ALL),
            claims: Claims::new(life(index, boot), Rules::ALL),
            many: Many::new(name(index), clock),
            placed: (Vec::new(), Placement::default()),
            paused_until: 0,
            gave: Vec::new(),
        }
    }

    fn join(index: u8, boot: u128) -> Lease {
        Lease::join(life(index, boot), Arc::from(""), 1 + index, Times::DEFAULT, Rules::ALL)
    }

    /// A new life, as after a lost lease or a restart.
    fn boot(&mut self) {
        self.boots += 1;
        self.lease = Self::join(self.index, self.boots);
        self.claims = Claims::new(life(self.index, self.boots), Rules::ALL);
        self.many.publish(&self.lease, &self.claims);
    }

    fn run(&mut self, now: Moment, rows: &MemoryRows) {
        let me = name(self.index);
        while let Some(ask) = self.lease.poll(now) {
            match ask {
                Ask::Read => self.lease.read(now, at_once(rows.lease(&me))),
                Ask::Swap { expect, row } => {
                    self.lease.swapped(now, at_once(rows.swap_lease(&me, expect, row)));
                }
            }
        }
        if self.lease.end().is_some() {
            self.boot();
        }
        self.many.publish(&self.lease, &self.claims);
        if let Ok(leases) = at_once(rows.leases()) {
            self.members.observe(now, leases);
        }
        let overdue = self.members.overdue(now).filter(|(node, _)| **node != me);
        for (node, row) in overdue {
            let dead = row.marked(LeaseState::Dead);
            drop(at_once(rows.swap_lease(node, Some(row.version()), dead)));
        }
        if self.lease.is_trusted(now) {
            self.decide(now, rows);
        }
        self.many.publish(&self.lease, &self.claims);
    }

    fn decide(&mut self, now: Moment, rows: &MemoryRows) {
        let candidates = self.members.candidates(now);
        if self.placed.0 != candidates {
            let placement = Placement::over(&candidates);
            let few = placement.iter().take(FEW).map(|(shard, node)| (shard, node.clone()));
            self.placed = (candidates, few.collect());
        }
        let placement = self.placed.1.clone();
        let Ok(owners) = at_once(rows.owners()) else { return };
        let owners: BTreeMap<_, _> = owners.into_iter().collect();
        self.many.learn(&owners);
        let read = |node: NodeName| {
            let lease = at_once(rows.lease(&node)).ok().flatten()?;
            Some((node, lease))
        };
        let leases =
            self.claims.doubted(&owners, &placement).into_iter().filter_map(read).collect();
        let mut deeds = self.claims.plan(&Survey { owners, leases }, &placement);
        deeds.extend(self.claims.give(&placement, |_| true));
        for deed in deeds {
            self.carry_out(deed, rows);
        }
    }

    /// Another node says that it gave a shard away.
    fn hear(&mut self, (shard, epoch): (Shard, Epoch), now: Moment, rows: &MemoryRows) {
        if self.lease.is_trusted(now)
            && let Some(claim) = self.claims.given(shard, epoch, &self.placed.1)
        {
            self.carry_out(claim, rows);
            self.many.publish(&self.lease, &self.claims);
        }
    }

    fn carry_out(&mut self, deed: Deed, rows: &MemoryRows) {
        match deed {
            Deed::Claim { shard, expect, row } => {
                let outcome = at_once(rows.swap_owner(shard, expect, row));
                self.claims.claimed(shard, &outcome);
            }
            Deed::Settle { shard, .. } => {
                if let Some(release) = self.claims.settled(shard) {
                    self.many.publish(&self.lease, &self.claims);
                    self.carry_out(release, rows);
                }
            }
            Deed::Release { shard, expect, row } => {
                let outcome = at_once(rows.swap_owner(shard, Some(expect), row));
                self.gave.extend(self.claims.released(shard, &outcome).map(|epoch| (shard, epoch)));
            }
            Deed::Drop { .. } => {}
        }
    }
}

/// Checks that each shard has one holder at most, and that it is the one in the row.
fn check(nodes: &[Node], owners: &BTreeMap<Shard, OwnerRow>) -> Result<(), TestCaseError> {
    for shard in Shard::all().take(FEW) {
        let holders = nodes.iter().filter_map(|node| {
            let epoch = node.claims.holds(shard)?;
            node.many.holds(shard, epoch).then(|| (epoch, node.lease.life().clone()))
        });
        let holders: Vec<_> = holders.collect();
        prop_assert!(holders.len() <= 1, "{shard:?} is held by {holders:?}");
        if let Some((epoch, life)) = holders.into_iter().next() {
            prop_assert_eq!(owners.get(&shard), Some(&owned(epoch.0, Some(life))));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_shard_has_one_holder_at_most_and_its_proper_one_in_the_end(seed: u64) {
        let draws = Arc::new(AtomicU64::new(0));
        let chance = {
            let draws = Arc::clone(&draws);
            move |one_in: u64| {
                let number = draws.fetch_add(1, Ordering::Relaxed);
                let drawn = xxh3_64(&[seed.to_le_bytes(), number.to_le_bytes()].concat());
                drawn.is_multiple_of(one_in)
            }
        };
        let faulty = Arc::new(AtomicU64::new(1));
        let fate = {
            let (chance, faulty) = (chance.clone(), Arc::clone(&faulty));
            move || match () {
                () if faulty.load(Ordering::Relaxed) == 0 => Fate::Answered,
                () if chance(12) => Fate::Late,
                () if chance(12) => Fate::AnswerLost,
                () if chance(12) => Fate::Lost,
                () => Fate::Answered,
            }
        };
        let rows = MemoryRows::with_fates(fate);
        let now = Arc::new(AtomicU64::new(0));
        let mut nodes: Vec<_> = (0..3).map(|index| Node::new(index, &now)).collect();
        for step in 0..400_u64 {
            let ms = now.fetch_add(STEP_MS, Ordering::Relaxed) + STEP_MS;
            if step == 280 {
                faulty.store(0, Ordering::Relaxed);
            }
            if chance(10) {
                rows.land();
            }
            for node in &mut nodes {
                if step < 280 && chance(60) {
                    node.paused_until = ms + if chance(2) { 1_500 } else { 12_000 };
                }
                if step < 280 && chance(150) {
                    node.boot();
                }
                if node.paused_until <= ms {
                    node.run(Moment(Duration::from_millis(ms)), &rows);
                }
            }
            // What was given away is told at once, late, twice, or never.
            let gave: Vec<_> = nodes.iter().flat_map(|node| node.gave.clone()).collect();
            for node in nodes.iter_mut().filter(|node| node.paused_until <= ms) {
                let heard = gave.iter().filter(|_| chance(3));
                heard.for_each(|it| node.hear(*it, Moment(Duration::from_millis(ms)), &rows));
            }
            for node in &mut nodes {
                node.gave.retain(|_| !chance(4));
            }
            let fates = faulty.swap(0, Ordering::Relaxed);
            let owners = at_once(rows.owners()).unwrap_or_default().into_iter().collect();
            faulty.store(fates, Ordering::Relaxed);
            check(&nodes, &owners)?;
        }
        let placement = Placement::over(&nodes[0].members.candidates(Moment(
            Duration::from_millis(now.load(Ordering::Relaxed)),
        )));
        for shard in Shard::all().take(FEW) {
            let proper = placement.of(shard).expect("somebody is up").clone();
            for node in &nodes {
                match node.many.owner(shard) {
                    Owner::Here(_) => prop_assert_eq!(node.many.node(), &proper),
                    Owner::There(there) => prop_assert_eq!(&there, &proper),
                    Owner::Nobody => prop_assert!(false, "seed {seed}: {shard:?} has no owner"),
                }
            }
        }
    }
}
