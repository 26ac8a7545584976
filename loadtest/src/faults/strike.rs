//! The faults: what is done to whom, and when it is over.

mod late;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::cluster::net::{Cut, Machine, between};
use crate::cluster::{Cluster, Node, shares};
use crate::history::Conversation;
use crate::load::World;
use crate::rng::Rng;

/// A stop in good order takes 30 s at most.
const STOP_WITHIN: Duration = Duration::from_secs(40);
/// How often what is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The kinds of faults that are counted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum Class {
    /// SIGKILL of a node, and a new start.
    Kill,
    /// SIGSTOP of a node, and SIGCONT.
    Pause,
    /// Links between machines are cut.
    Partition,
    /// A node of the database is killed or stopped.
    Database,
    /// SIGTERM of each node in turn, and a new start.
    Rolling,
    /// What a node writes arrives after others have taken over, while its clients still wait.
    Late,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Kill, Self::Pause, Self::Partition, Self::Database, Self::Rolling, Self::Late];

    /// Its name on the command line and in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Database => "database",
            Self::Rolling => "rolling",
            Self::Late => "late",
        }
    }
}

/// One stretch of a fault, by the recorder's clock.
#[derive(Clone, Debug)]
pub(super) struct Struck {
    pub(super) what: String,
    pub(super) from_us: u64,
    /// When nothing was wrong any more but what the fault had left behind.
    pub(super) healed_us: u64,
    /// The nodes that cannot have kept their leases, or whose leases it may cost.
    pub(super) victims: Vec<usize>,
    /// The conversations that somebody else must take over meanwhile.
    pub(super) orphans: Vec<Conversation>,
}

/// Who strikes whom.
#[derive(Debug)]
pub(super) struct Striker<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) world: &'a World,
    pub(super) rng: &'a mut Rng,
    /// By conversation, the node that owns it while all are there.
    pub(super) owners: &'a [usize],
    pub(super) lease_factor: u8,
    /// How long anything that must come back is waited for.
    pub(super) patience: Duration,
}

impl Striker<'_> {
    /// Strikes once; all that it did, each with its end.
    pub(super) async fn strike(&mut self, class: Class) -> Result<Vec<Struck>> {
        match class {
            Class::Kill => Ok(vec![self.kill().await?]),
            Class::Pause => Ok(vec![self.pause().await?]),
            Class::Partition => Ok(vec![self.partition().await?]),
            Class::Database => Ok(vec![self.database().await?]),
            Class::Rolling => self.rolling().await,
            Class::Late => Ok(vec![self.late().await?]),
        }
    }

    async fn kill(&mut self) -> Result<Struck> {
        let victim = self.rng.index(self.cluster.nodes.len());
        let orphans = self.owned(victim);
        let from_us = self.now();
        self.node(victim)?.server.kill().await?;
        // Half of them come back at once and wait for their own lease, half when others serve.
        let comes_late = self.rng.chance(50);
        if comes_late {
            self.taken_over(&orphans, from_us).await;
        }
        self.node(victim)?.server.start().await?;
        let what = format!("{} killed, back {}", self.name(victim), late(comes_late));
        Ok(Struck { what, from_us, healed_us: self.now(), victims: vec![victim], orphans })
    }

    async fn pause(&mut self) -> Result<Struck> {
        let victim = self.rng.index(self.cluster.nodes.len());
        let orphans = self.owned(victim);
        let from_us = self.now();
        self.node(victim)?.server.signal(Signal::STOP)?;
        let lasted = self.last(seconds(2), seconds(30), &orphans, from_us).await;
        self.node(victim)?.server.signal(Signal::CONT)?;
        let what = format!("{} stood still for {lasted:.1?}", self.name(victim));
        Ok(self.over(what, from_us, vec![victim], orphans, lasted))
    }

    async fn partition(&mut self) -> Result<Struck> {
        let victim = self.rng.index(self.cluster.nodes.len());
        let node = [self.node(victim)?.machine];
        let others = self.cluster.other_nodes(victim);
        let databases = self.cluster.database_machines();
        let all = [&others[..], &databases].concat();
        let (kind, cuts) = match self.rng.below(6) {
            0 => ("isolated", between(&node, &all)),
            1 => {
                // One of three nodes of the database, or the only one, is on the smaller side.
                let (near, far) = databases.split_at(1);
                let small = [&node[..], near].concat();
                ("split off with a database node", between(&small, &[&others[..], far].concat()))
            }
            2 => {
                let both = between(&node, &all);
                let way = |cut: &Cut| node.contains(&cut.0);
                if self.rng.chance(50) {
                    ("not heard", both.into_iter().filter(way).collect())
                } else {
                    ("deaf", both.into_iter().filter(|cut| !way(cut)).collect())
                }
            }
            3 => {
                let other = others.get(self.rng.index(others.len())).copied();
                ("parted from one node", between(&node, &Vec::from_iter(other)))
            }
            4 => ("parted from the database", between(&node, &databases)),
            _ => return self.flapping(victim, &between(&node, &all)).await,
        };
        let away = self.away(&cuts);
        let orphans = away.iter().flat_map(|at| self.owned(*at)).collect::<Vec<_>>();
        let from_us = self.now();
        self.cluster.network.cut(&cuts)?;
        let longest = seconds(8 + 5 * u64::from(self.lease_factor));
        let lasted = self.last(seconds(2), longest, &orphans, from_us).await;
        self.cluster.network.heal()?;
        let what = format!("{} {kind} for {lasted:.1?}", self.name(victim));
        let victims = [&[victim][..], &away].concat();
        Ok(self.over(what, from_us, victims, orphans, lasted))
    }

    async fn flapping(&mut self, victim: usize, cuts: &BTreeSet<Cut>) -> Result<Struck> {
        let from_us = self.now();
        let flaps = 2 + self.rng.below(5);
        for _ in 0..flaps {
            self.cluster.network.cut(cuts)?;
            sleep(self.rng.between(Duration::from_millis(200), seconds(4))).await;
            self.cluster.network.heal()?;
            sleep(self.rng.between(Duration::from_millis(50), seconds(2))).await;
        }
        let what = format!("{} isolated {flaps} times in turn", self.name(victim));
        let (healed_us, orphans) = (self.now(), Vec::new());
        Ok(Struck { what, from_us, healed_us, victims: vec![victim], orphans })
    }

    async fn database(&mut self) -> Result<Struck> {
        let at = self.rng.index(self.cluster.databases.len());
        let is_killed = self.rng.chance(50);
        let lasts = self.rng.between(seconds(1), seconds(10));
        let from_us = self.now();
        let database = self.cluster.databases.get_mut(at).context("a database")?;
        let address = database.machine.address;
        let how = if is_killed {
            database.kill().await?;
            sleep(lasts).await;
            database.start().await?;
            "killed"
        } else {
            database.signal(Signal::STOP)?;
            sleep(lasts).await;
            database.signal(Signal::CONT)?;
            "standing still"
        };
        let what = format!("database node {address} {how} for {lasts:.1?}");
        let healed_us = self.now();
        // It touches all.
        let victims = (0..self.cluster.nodes.len()).collect();
        Ok(Struck { what, from_us, healed_us, victims, orphans: Vec::new() })
    }

    async fn rolling(&mut self) -> Result<Vec<Struck>> {
        let mut struck = Vec::new();
        for victim in 0..self.cluster.nodes.len() {
            let orphans = self.owned(victim);
            let from_us = self.now();
            let began = Instant::now();
            let name = self.name(victim);
            let server = &mut self.node(victim)?.server;
            let status = server.stop(STOP_WITHIN).await?;
            let status =
                status.with_context(|| format!("{name} did not stop in {STOP_WITHIN:?}"))?;
            ensure!(status.success(), "{name} ended with {status}: {}", server.log_tail());
            let stopped = began.elapsed();
            server.start().await?;
            let what = format!("{name} stopped in {stopped:.1?}");
            let healed_us = self.now();
            struck.push(Struck { what, from_us, healed_us, victims: vec![victim], orphans });
            // The next one only when this one has its share again, as an operator would.
            self.settled().await?;
        }
        Ok(struck)
    }

    /// Waits until every node owns what it should.
    ///
    /// # Errors
    /// When that does not come about.
    pub(super) async fn settled(&self) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        loop {
            let mut held = Vec::new();
            for node in &self.cluster.nodes {
                held.push(node.shards().await.unwrap_or(0));
            }
            let expected = shares();
            if held == expected {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "nodes own {held:?} shards, not {expected:?}");
            sleep(LOOK_EVERY * 10).await;
        }
    }

    /// Waits for a random time, or, half of the time, just until others have taken over: the moment
    /// at which two could take themselves for the owner. How long that was.
    async fn last(
        &mut self,
        low: Duration,
        high: Duration,
        orphans: &[Conversation],
        from_us: u64,
    ) -> Duration {
        let began = Instant::now();
        if !orphans.is_empty() && self.rng.chance(50) {
            self.taken_over(orphans, from_us).await;
            sleep(self.rng.between(Duration::ZERO, Duration::from_millis(500))).await;
        } else {
            sleep(self.rng.between(low, high)).await;
        }
        began.elapsed()
    }

    /// Waits until any of these is served again, by whoever it is.
    async fn taken_over(&self, orphans: &[Conversation], from_us: u64) {
        // What was on its way to the old owner may still be answered.
        let after_us = from_us + 1_000_000;
        let deadline = Instant::now() + self.patience;
        let is_served = || {
            let silent = self.world.silent_since(after_us);
            orphans.iter().any(|orphan| !silent.contains(orphan))
        };
        while !orphans.is_empty() && !is_served() && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
    }

    /// A fault that is over. Whoever was away for less than a lease keeps its conversations.
    fn over(
        &self,
        what: String,
        from_us: u64,
        victims: Vec<usize>,
        orphans: Vec<Conversation>,
        lasted: Duration,
    ) -> Struck {
        let watched = seconds(5 * u64::from(self.lease_factor));
        let orphans = if lasted > watched { orphans } else { Vec::new() };
        Struck { what, from_us, healed_us: self.now(), victims, orphans }
    }

    /// The nodes that these cuts part from most of the database, both ways: whoever they are, on
    /// the smaller side or on the larger one, their leases run out.
    fn away(&self, cuts: &BTreeSet<Cut>) -> Vec<usize> {
        let databases = self.cluster.database_machines();
        let nodes = self.cluster.nodes.iter().map(|node| node.machine).enumerate();
        let is_away = |node: Machine| is_away(node, &databases, cuts);
        nodes.filter(|(_, node)| is_away(*node)).map(|(at, _)| at).collect()
    }

    fn owned(&self, by: usize) -> Vec<Conversation> {
        let owners = (0..).zip(self.owners);
        owners.filter(|(_, owner)| **owner == by).map(|(conversation, _)| conversation).collect()
    }

    fn now(&self) -> u64 {
        self.world.recorder.now_us()
    }

    fn node(&mut self, at: usize) -> Result<&mut Node> {
        self.cluster.nodes.get_mut(at).context("a node")
    }

    fn name(&self, at: usize) -> String {
        self.cluster.nodes.get(at).map(|node| node.name.clone()).unwrap_or_default()
    }
}

/// Whether these cuts leave a node no majority of the database.
fn is_away(node: Machine, databases: &[Machine], cuts: &BTreeSet<Cut>) -> bool {
    let is_reached = |at: &&Machine| !between(&[node], &[**at]).is_subset(cuts);
    databases.iter().filter(is_reached).count() * 2 <= databases.len()
}

const fn late(is_late: bool) -> &'static str {
    if is_late { "after it was taken over" } else { "at once" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_parted_from_most_of_the_database_is_away() {
        let [one, two] = [1, 2].map(Machine::node);
        let databases = [1, 2, 3].map(Machine::database);
        let [near, far @ ..] = databases;
        // With one of three nodes of the database on the smaller side, that side is away …
        let cuts = between(&[one, near], &[two, far[0], far[1]]);
        assert!(is_away(one, &databases, &cuts) && !is_away(two, &databases, &cuts));
        // … and with the only one there, the larger side is.
        let cuts = between(&[one, near], &[two]);
        assert!(!is_away(one, &[near], &cuts) && is_away(two, &[near], &cuts));
        // One way is not away: what is heard may still be answered.
        let deaf = BTreeSet::from([(near, one)]);
        assert!(!is_away(one, &[near], &deaf));
    }
}
