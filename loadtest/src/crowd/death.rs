//! One node is killed: who loses a connection, how often they come again, and whether everything is
//! served as before.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::{Instant, sleep};

use super::{Crowd, Order, STUCK_AFTER, all_stand};
use crate::cluster::{Cluster, owners, shares_of};
use crate::report::Report;
use crate::rng::Rng;

/// Attempts of those who lost their connection, on average.
const ATTEMPTS_MAX: f64 = 3.0;
/// Attempts within the worst second, in lost connections.
const PEAK_MAX: f64 = 2.0;
/// Requests for one lost subscription, on average.
const ASKED_MAX: f64 = 10.0;
/// A node that is silent is given up after this.
const SILENT: Duration = Duration::from_secs(6);
/// Visitors who say something in a second when all are to, so that the database is asked evenly.
const TALKING_PER_SECOND: u64 = 300;
/// Outcome unknown: whoever is told so connects again, and that is no part of a storm.
const VOID: u16 = 4100;

/// What clients met.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Subscriptions that are to stand.
    pub(super) expected: u64,
    pub(super) attempts: Vec<Attempt>,
    pub(super) lost: Vec<Lost>,
    /// Attempts that came to nothing at the node of this number.
    pub(super) refused: [u64; 3],
    /// By node, who is connected.
    connected: [u64; 3],
    /// Subscriptions asked for, and those that fell.
    pub(super) n_asked: u64,
    pub(super) n_fallen: u64,
    /// When the newest one stood.
    pub(super) stood_us: u64,
    pub(super) complaints: Vec<String>,
}

/// A client tries to connect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) at_us: u64,
    pub(super) client: u32,
}

/// A client lost its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    pub(super) at_us: u64,
    pub(super) node: usize,
    pub(super) code: u16,
    /// Whether a message was on its way.
    pub(super) is_in_doubt: bool,
}

impl Tally {
    /// One client is connected to each node.
    pub(super) fn of_one_everywhere() -> Self {
        Self { connected: [1; 3], ..Self::default() }
    }

    /// Counts from here on; answers who is connected where.
    fn begin_anew(&mut self) -> Result<[u64; 3]> {
        ensure!(self.lost.is_empty(), "a connection was lost before: {:?}", self.lost.first());
        self.attempts.clear();
        self.refused = [0; 3];
        (self.n_asked, self.n_fallen) = (0, 0);
        Ok(self.connected)
    }

    pub(super) fn is_somebody_everywhere(&self) -> bool {
        self.connected.iter().all(|connected| *connected > 0)
    }

    pub(super) fn came(&mut self, node: usize) {
        if let Some(connected) = self.connected.get_mut(node) {
            *connected += 1;
        }
    }

    pub(super) fn refused(&mut self, node: usize) {
        if let Some(refused) = self.refused.get_mut(node) {
            *refused += 1;
        }
    }

    pub(super) fn went(&mut self, node: usize) {
        if let Some(connected) = self.connected.get_mut(node) {
            *connected -= 1;
        }
    }
}

/// Kills a node and waits until all is as before; which one it was.
pub(super) async fn strike(
    cluster: &mut Cluster,
    crowd: &Crowd,
    visitors: usize,
    report: &mut Report,
) -> Result<usize> {
    let victim = Rng::new(crowd.seed).index(cluster.nodes.len());
    let connected = crowd.tally.lock().begin_anew()?;
    let from_us = crowd.recorder.now_us();
    let killed = cluster.nodes.get_mut(victim).context("a node")?;
    let name = killed.name.clone();
    killed.server.kill().await?;
    report.note(format!("{name} killed; connected {connected:?}"));
    sleep(SILENT).await;
    all_stand(crowd, report).await?;
    let stood = Duration::from_micros(crowd.tally.lock().stood_us.saturating_sub(from_us));
    report.note(format!("the last subscription stood again after {stood:.1?}"));
    is_served(crowd, victim, visitors, report).await?;
    counted(crowd, connected, victim, from_us, report);
    shares(cluster, victim, report).await?;
    Ok(victim)
}

/// Everybody in a conversation of the dead node's says something and is acked.
async fn is_served(
    crowd: &Crowd,
    victim: usize,
    visitors: usize,
    report: &mut Report,
) -> Result<()> {
    let rooms = crowd.rooms.read().clone();
    let owners = owners(rooms.iter().map(|room| &*room.id))?;
    let n_owned = owners.iter().filter(|owner| **owner == victim).count();
    let of_it = rooms.iter().zip(&owners).take(visitors).filter(|(_, owner)| **owner == victim);
    let orphans: Vec<_> = of_it.map(|(room, _)| room).collect();
    let from_us = crowd.recorder.now_us();
    let within = Duration::from_secs(1 + u64::try_from(visitors)? / TALKING_PER_SECOND);
    crowd.order.send_replace(Order::TalkWithin(within));
    let began = Instant::now();
    let silent = || {
        let is_silent = |pulse: u64| pulse < from_us;
        orphans.iter().filter(|room| is_silent(room.pulse.load(Ordering::Acquire))).count()
    };
    while silent() > 0 && began.elapsed() < STUCK_AFTER {
        sleep(Duration::from_millis(100)).await;
    }
    let facts = format!(
        "of {n_owned}, all of which are heard again, {} have visitors who talk; {} were not acked",
        orphans.len(),
        silent()
    );
    report.check("what the dead node owned is served", silent() == 0, facts);
    Ok(())
}

/// Who lost a connection, and how often they came.
fn counted(crowd: &Crowd, connected: [u64; 3], victim: usize, from_us: u64, report: &mut Report) {
    let tally = crowd.tally.lock();
    let at_it = connected.get(victim).copied().unwrap_or_default();
    let n_lost = tally.lost.iter().filter(|lost| lost.node == victim).count();
    let others: Vec<Lost> = tally.lost.iter().filter(|lost| lost.node != victim).copied().collect();
    let is_told = |lost: &&Lost| lost.code == VOID && lost.is_in_doubt;
    let n_told = others.iter().filter(is_told).count();
    let odd = others.iter().find(|lost| !is_told(lost)).map(|lost| {
        let after = Duration::from_micros(lost.at_us.saturating_sub(from_us));
        format!(", one at node-{} with {} after {after:.1?}", lost.node + 1, lost.code)
    });
    let stayed = connected.iter().sum::<u64>() - at_it;
    let facts = format!(
        "{stayed} connected to the others: {} lost, {n_told} more told that an outcome is unknown{}",
        others.len() - n_told,
        odd.as_deref().unwrap_or_default()
    );
    report.check("connections to other nodes stay", odd.is_none(), facts);

    let (attempts, lost) = (float(tally.attempts.len()), float(n_lost.max(1)));
    let facts = format!(
        "{n_lost} of {at_it} connected to it; {attempts} attempts, {:.2} each, at most \
         {ATTEMPTS_MAX}; {:?} in vain",
        attempts / lost,
        tally.refused
    );
    let is_bounded = u64::try_from(n_lost) == Ok(at_it) && attempts / lost <= ATTEMPTS_MAX;
    report.check("who lost a connection comes again", is_bounded, facts);
    let peak = peak(&tally.attempts);
    let last = tally.attempts.last().map_or(0, |last| last.at_us.saturating_sub(from_us));
    let clients: std::collections::HashSet<u32> =
        tally.attempts.iter().map(|attempt| attempt.client).collect();
    let facts = format!(
        "{peak} attempts in the worst second, {} clients, the last attempt after {:.1?}; at most \
         {PEAK_MAX} × {n_lost}",
        clients.len(),
        Duration::from_micros(last)
    );
    report.check("no storm", float(peak) <= PEAK_MAX * lost, facts);
    let (asked, fallen) = (tally.n_asked, tally.n_fallen);
    let each = float(usize::try_from(asked).unwrap_or_default())
        / float(usize::try_from(fallen).unwrap_or_default().max(1));
    let facts = format!("{fallen} lost, {asked} requests, {each:.2} each, at most {ASKED_MAX}");
    report.check("subscriptions come again", each <= ASKED_MAX, facts);
}

/// The two that are left have its shards, as placement says.
async fn shares(cluster: &Cluster, victim: usize, report: &mut Report) -> Result<()> {
    let left: Vec<usize> = (0..cluster.nodes.len()).filter(|node| *node != victim).collect();
    let expected = shares_of(&left);
    let mut shares = Vec::new();
    for node in &left {
        shares.push(cluster.nodes.get(*node).context("a node")?.shards().await?);
    }
    let facts = format!("{shares:?} shards");
    report.check("the others have its shards", shares == expected, facts);
    let resident = left.iter().filter_map(|node| cluster.nodes.get(*node)?.server.rss_kib().ok());
    let mib: Vec<u64> = resident.map(|kib| kib / 1024).collect();
    report.note(format!("{mib:?} MiB resident on the two that are left"));
    Ok(())
}

/// Most attempts of any second.
fn peak(attempts: &[Attempt]) -> usize {
    let mut times: Vec<u64> = attempts.iter().map(|attempt| attempt.at_us).collect();
    times.sort_unstable();
    let within = |(idx, from): (usize, &u64)| {
        times.partition_point(|at| *at < from.saturating_add(1_000_000)) - idx
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

fn float(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_second_is_any_second() {
        let at = |at_us| Attempt { at_us, client: 0 };
        let attempts = [0, 900_000, 1_100_000, 1_899_999, 1_900_000, 5_000_000].map(at);
        assert_eq!(peak(&attempts), 3);
        assert_eq!(peak(&[]), 0);
    }
}
