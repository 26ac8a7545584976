//! One shard, some nodes, one table of leases and owners.
//!
//! Time passes in whole units and everybody's clock shows the same; a node may stand still for
//! any time between two steps. Conditional writes are carried out at any time after they were
//! sent, or never, and their outcome may stay unknown. The promise (P6): whenever a node would
//! acknowledge something, no other has claimed the shard since.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stateright::{Model, Property};
use uuid::Uuid;

use crate::claims::{Claims, Deed, Survey};
use crate::lease::{Ask, End, Lease};
use crate::members::Members;
use crate::ownership::{Boot, Epoch, NodeName};
use crate::placement::Placement;
use crate::rows::{LeaseRow, LeaseState, LeaseVersion, Life, Outcome, OwnerRow};
use crate::rules::{Rule, Rules};
use crate::shard::Shard;
use crate::time::{Moment, Times};

/// How far the checker goes, and which rules stand.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Nodes.
    pub nodes: u8,
    /// Units of time; a renewal is due each unit, a lease is trusted for two and watched for
    /// three.
    pub time: u64,
    /// Lives of each node.
    pub lives: u8,
    /// Epochs of the shard: with this one claiming ends.
    pub claims: u64,
    /// Conditional writes that may be on their way, each node, with nobody waiting for them.
    pub late: usize,
    /// Whether the first node alone owns and renews, and the others alone watch and claim.
    /// Otherwise everybody does everything.
    pub has_roles: bool,
    /// Which rules stand.
    pub rules: Rules,
}

impl Bounds {
    /// What the test command goes through.
    pub const SMALL: Self = Self {
        nodes: 2,
        time: 3,
        lives: 1,
        claims: 2,
        late: 1,
        has_roles: true,
        rules: Rules::ALL,
    };

    /// The same without one rule.
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self { rules: Rules::without(rule), ..self }
    }

    fn times() -> Times {
        let unit = Duration::from_secs(1);
        Times::new(unit, 2 * unit, 3 * unit).unwrap_or(Times::DEFAULT)
    }
}

/// A state of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    now: Moment,
    leases: BTreeMap<NodeName, LeaseRow>,
    owner: Option<OwnerRow>,
    /// The epoch that was given back last: of that others may be told at any later time.
    given: Option<Epoch>,
    writes: Vec<Write>,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    lives: u8,
    lease: Lease,
    members: Members,
    claims: Claims,
    /// A request of the lease that waits for its answer.
    asked: Option<Ask>,
    /// The first half of a survey.
    owners: Option<BTreeMap<Shard, OwnerRow>>,
    /// … or the other half, for those who read in the wrong order.
    leases: Option<BTreeMap<NodeName, LeaseRow>>,
    /// A write of the shard's row that waits for its answer.
    deed: Option<Deed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Write {
    by: u8,
    life: u8,
    is_awaited: bool,
    row: Rowed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Rowed {
    Lease { node: NodeName, expect: Option<LeaseVersion>, row: LeaseRow, is_own: bool },
    Owner { expect: Option<OwnerRow>, row: OwnerRow },
}

/// One step of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Time passes.
    Tick,
    /// A node reads or writes its lease, as is due.
    Renew(u8),
    /// A node lists the leases, and marks one that is overdue.
    Watch(u8),
    /// A node reads the first half of a survey.
    Survey(u8),
    /// A node reads the other half and decides.
    Plan(u8),
    /// A node has settled the shard that it gives away.
    Settled(u8),
    /// A node is told that the shard was given away, and claims it without a survey.
    Given(u8),
    /// A write is carried out, or refused.
    Land(usize),
    /// A node waits no longer for its writes.
    GiveUp(u8),
    /// A node whose life is over begins another; or one begins anew out of the blue.
    Boot(u8),
    /// A node drains.
    Drain(u8),
}

fn shard() -> Shard {
    Shard::of("", "", b"")
}

fn name(node: u8) -> NodeName {
    NodeName(format!("node-{node}").into())
}

fn placed(node: u8) -> Placement {
    [(shard(), name(node))].into_iter().collect()
}

fn node_of(bounds: &Bounds, node: u8, lives: u8) -> Node {
    let boot = Boot(Uuid::from_u128(u128::from(node) * 256 + u128::from(lives)));
    let life = Life { node: name(node), boot };
    let times = Bounds::times();
    Node {
        lives,
        lease: Lease::join(life.clone(), Arc::from(""), 1, times, bounds.rules),
        members: Members::new(times, bounds.rules),
        claims: Claims::new(life, bounds.rules),
        asked: None,
        owners: None,
        leases: None,
        deed: None,
    }
}

impl Model for Bounds {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let nodes = (0..self.nodes).map(|node| node_of(self, node, 1)).collect();
        let mut state = State {
            now: Moment::default(),
            leases: BTreeMap::new(),
            owner: None,
            given: None,
            writes: Vec::new(),
            nodes,
        };
        // All have joined, and the first has claimed the shard.
        let join = |node| [Action::Renew(node), Action::Renew(node), Action::Land(0)];
        let claim = [Action::Survey(0), Action::Plan(0), Action::Land(0)];
        for action in (0..self.nodes).flat_map(join).chain(claim) {
            state.step(self, action);
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < Moment::default().after(Duration::from_secs(self.time)) {
            actions.push(Action::Tick);
        }
        for (index, node) in (0_u8..).zip(&state.nodes) {
            let owns = index == 0 || !self.has_roles;
            // A new life of the owner is one who wants the shard back.
            let contends = index > 0 || !self.has_roles || node.lives > 1;
            if owns && node.lease.wakes_at().is_some_and(|at| at <= state.now) {
                actions.push(Action::Renew(index));
            }
            let is_in = node.lease.trusted_until().is_some();
            if is_in && contends && node.deed.is_none() {
                actions.push(Action::Watch(index));
            }
            // Whoever drains has to decide, too.
            let drains =
                state.leases.get(&name(index)).is_some_and(|lease| lease.state != LeaseState::Up);
            let may_claim = state.owner.as_ref().is_none_or(|row| row.epoch.0 < self.claims);
            let decides = (contends && may_claim) || drains;
            let is_halfway = node.owners.is_some() || node.leases.is_some();
            if is_in && decides && node.deed.is_none() {
                actions.push(if is_halfway { Action::Plan(index) } else { Action::Survey(index) });
            }
            let is_told = contends && may_claim && !drains && state.given.is_some();
            if is_in && is_told && node.deed.is_none() {
                actions.push(Action::Given(index));
            }
            if matches!(node.deed, Some(Deed::Settle { .. })) {
                actions.push(Action::Settled(index));
            }
            let mine = |write: &&Write| write.by == index;
            let late = state.writes.iter().filter(mine).filter(|write| !write.is_awaited).count();
            let awaited = state.writes.iter().filter(mine).any(|write| write.is_awaited);
            if awaited && late < self.late {
                actions.push(Action::GiveUp(index));
            }
            if node.lives < self.lives {
                actions.push(Action::Boot(index));
            }
            if is_in && node.claims.serves(shard()).is_some() {
                actions.push(Action::Drain(index));
            }
        }
        actions.extend((0..state.writes.len()).map(Action::Land));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        next.step(self, action);
        next.tidy();
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "P6 who holds a shard is its last claimant",
                |_: &Self, state: &State| {
                    state.nodes.iter().all(|node| {
                        let held = node.claims.holds(shard());
                        let holds = held.filter(|_| node.lease.is_trusted(state.now));
                        holds.is_none_or(|epoch| {
                            let stands = state.owner.as_ref();
                            stands.is_some_and(|row| {
                                row.epoch == epoch && row.holder.as_ref() == Some(node.lease.life())
                            })
                        })
                    })
                },
            ),
            Property::sometimes("another owns the shard", |_: &Self, state: &State| {
                let holder = state.owner.as_ref().and_then(|row| row.holder.as_ref());
                holder.is_some_and(|life| life.node != name(0))
            }),
        ]
    }
}

impl State {
    fn step(&mut self, bounds: &Bounds, action: Action) {
        match action {
            Action::Tick => self.now = self.now.after(Duration::from_secs(1)),
            Action::Land(index) => self.land(index),
            Action::Renew(index)
            | Action::Watch(index)
            | Action::Survey(index)
            | Action::Plan(index)
            | Action::Settled(index)
            | Action::Given(index)
            | Action::GiveUp(index)
            | Action::Boot(index)
            | Action::Drain(index) => {
                let Some(node) = self.nodes.get(usize::from(index)) else { return };
                let mut node = node.clone();
                self.step_of(bounds, index, &mut node, action);
                if let Some(place) = self.nodes.get_mut(usize::from(index)) {
                    *place = node;
                }
            }
        }
    }

    fn step_of(&mut self, bounds: &Bounds, index: u8, node: &mut Node, action: Action) {
        match action {
            Action::Renew(_) => {
                node.asked = node.lease.poll(self.now);
                if node.asked == Some(Ask::Read) {
                    node.asked = None;
                    node.lease.read(self.now, Ok(self.leases.get(&name(index)).cloned()));
                }
                if let Some(Ask::Swap { expect, row }) = node.asked.clone() {
                    let name = name(index);
                    self.send(index, node, Rowed::Lease { node: name, expect, row, is_own: true });
                }
            }
            Action::Watch(_) => {
                node.members.observe(self.now, self.leases.clone().into_iter().collect());
                let mut overdue = node.members.overdue(self.now);
                let other = overdue.find(|(other, _)| **other != name(index));
                let marked = other.map(|(other, row)| Rowed::Lease {
                    node: other.clone(),
                    expect: Some(row.version()),
                    row: row.marked(LeaseState::Dead),
                    is_own: false,
                });
                drop(overdue);
                if let Some(row) = marked {
                    self.send(index, node, row);
                }
            }
            Action::Survey(_) => {
                if bounds.rules.keeps(Rule::LeasesAfterOwners) {
                    node.owners = Some(self.owners());
                } else {
                    node.leases = Some(self.leases.clone());
                }
            }
            Action::Plan(_) => self.plan(index, node),
            Action::Settled(_) => {
                node.deed = node.claims.settled(shard());
                if let Some(Deed::Release { expect, row, .. }) = node.deed.clone() {
                    self.send(index, node, Rowed::Owner { expect: Some(expect), row });
                }
            }
            Action::Given(_) => {
                let claim =
                    self.given.and_then(|epoch| node.claims.given(shard(), epoch, &placed(index)));
                if let Some(claim) = claim {
                    self.carry_out(index, node, claim);
                }
            }
            Action::GiveUp(_) => self.give_up(index, node),
            Action::Boot(_) => {
                *node = node_of(bounds, index, node.lives.saturating_add(1));
                for write in self.writes.iter_mut().filter(|write| write.by == index) {
                    write.is_awaited = false;
                }
            }
            Action::Drain(_) => node.lease.drain(),
            Action::Tick | Action::Land(_) => {}
        }
    }

    fn owners(&self) -> BTreeMap<Shard, OwnerRow> {
        self.owner.clone().map(|row| (shard(), row)).into_iter().collect()
    }

    /// Decides. Any node may be the one that should serve: it depends on whom it sees.
    fn plan(&mut self, index: u8, node: &mut Node) {
        let owners = node.owners.take().unwrap_or_else(|| self.owners());
        let leases = node.leases.take().unwrap_or_else(|| self.leases.clone());
        let drains = leases.get(&name(index)).is_none_or(|lease| lease.state != LeaseState::Up);
        let placement = if drains { Placement::default() } else { placed(index) };
        let mut deeds = node.claims.plan(&Survey { owners, leases }, &placement);
        deeds.extend(node.claims.give(&placement, |_| true));
        for deed in deeds {
            self.carry_out(index, node, deed);
        }
    }

    fn carry_out(&mut self, index: u8, node: &mut Node, deed: Deed) {
        let row = match &deed {
            Deed::Claim { expect, row, .. } => {
                Rowed::Owner { expect: expect.clone(), row: row.clone() }
            }
            Deed::Release { expect, row, .. } => {
                Rowed::Owner { expect: Some(expect.clone()), row: row.clone() }
            }
            Deed::Settle { .. } => {
                node.deed = Some(deed);
                return;
            }
            Deed::Drop { .. } => return,
        };
        node.deed = Some(deed);
        self.send(index, node, row);
    }

    fn send(&mut self, by: u8, node: &Node, row: Rowed) {
        // Nobody waits for what marks another: the next list shows it.
        let is_awaited = !matches!(row, Rowed::Lease { is_own: false, .. });
        self.writes.push(Write { by, life: node.lives, is_awaited, row });
    }

    fn land(&mut self, index: usize) {
        if index >= self.writes.len() {
            return;
        }
        let write = self.writes.remove(index);
        let now = self.now;
        let node = self.nodes.get_mut(usize::from(write.by)).filter(|_| write.is_awaited);
        match write.row {
            Rowed::Lease { node: name, expect, row, .. } => {
                let stands = self.leases.get(&name).cloned();
                let matches = stands.as_ref().map(LeaseRow::version) == expect;
                if matches {
                    self.leases.insert(name, row);
                }
                if let Some(node) = node {
                    let outcome = if matches { Outcome::Applied } else { Outcome::Refused(stands) };
                    node.asked = None;
                    node.lease.swapped(now, outcome);
                }
            }
            Rowed::Owner { expect, row } => {
                let stands = self.owner.clone();
                let matches = stands == expect;
                if matches {
                    if row.holder.is_none() {
                        self.given = Some(row.epoch);
                    }
                    self.owner = Some(row);
                }
                if let Some(node) = node {
                    let outcome = if matches { Outcome::Applied } else { Outcome::Refused(stands) };
                    node.hear(&outcome);
                }
            }
        }
    }

    fn give_up(&mut self, index: u8, node: &mut Node) {
        let mut mine = self.writes.iter_mut().filter(|write| write.by == index && write.is_awaited);
        let Some(write) = mine.next() else { return };
        write.is_awaited = false;
        match write.row {
            Rowed::Lease { .. } => {
                node.asked = None;
                node.lease.swapped(self.now, Outcome::Unknown);
            }
            Rowed::Owner { .. } => node.hear(&Outcome::Unknown),
        }
    }

    /// Forgets what changes nothing any more.
    fn tidy(&mut self) {
        let (leases, owner) = (&self.leases, &self.owner);
        // Beats and epochs only rise: what does not match now never will.
        self.writes.retain(|write| {
            write.is_awaited
                || match &write.row {
                    Rowed::Lease { node, expect, .. } => {
                        leases.get(node).map(LeaseRow::version) == *expect
                    }
                    Rowed::Owner { expect, .. } => owner == expect,
                }
        });
        let mut kept = Vec::<Write>::new();
        for write in self.writes.drain(..) {
            if !kept.contains(&write) {
                kept.push(write);
            }
        }
        self.writes = kept;
        for node in &mut self.nodes {
            if node.lease.end() == Some(End::Lost) {
                node.owners = None;
                node.leases = None;
            }
        }
    }
}

impl Node {
    fn hear(&mut self, outcome: &Outcome<OwnerRow>) {
        match self.deed.take() {
            Some(Deed::Claim { shard, .. }) => {
                self.claims.claimed(shard, outcome);
            }
            Some(Deed::Release { shard, .. }) => {
                self.claims.released(shard, outcome);
            }
            Some(Deed::Settle { .. } | Deed::Drop { .. }) | None => {}
        }
    }
}
