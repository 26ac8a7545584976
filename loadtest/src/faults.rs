//! `faults`: three nodes and their database under load, killed, paused, parted from each other and
//! restarted one after the other. Nothing acked is lost, doubled, reordered or missed; every node
//! shows the same in the end; and service comes back by itself.
//!
//! Faults come in slices of one class. A slice has conversations of its own, is judged when it is
//! over and then written down, so that a run that was interrupted goes on with the next one.

mod outage;
mod slices;
mod strike;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use self::outage::{Acks, Times};
use self::slices::{Row, Slices};
use self::strike::{Striker, Struck};
use crate::checker::check;
use crate::cluster::{Cluster, Means, NODES, Parts, net, owners};
use crate::history::write_lines;
use crate::kill::{Sabotage, patience};
use crate::load::{Load, Terms, World};
use crate::machine;
use crate::report::Report;
use crate::rng::Rng;
use crate::server::scratch;

pub use self::strike::Class;

/// What is waited for and does not come in this time is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(120);
/// Faults of one slice of the long form.
const SLICE: u32 = 10;
/// Slices that a planted fault has to show in.
const SLICES_RED: u32 = 4;

/// A campaign of faults.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/debug/switchboard")]
    pub server: PathBuf,
    /// What the nodes are made with.
    #[command(flatten)]
    pub means: Means,
    /// The classes of faults, one after the other; all of them when none is given.
    #[arg(long = "class")]
    pub classes: Vec<Class>,
    /// Faults of each class, with those that were done before.
    #[arg(long, default_value_t = 20)]
    pub count: u32,
    /// Three kills, a pause, a partition and a rolling restart, or the classes that are named, with
    /// less load.
    #[arg(long)]
    pub short: bool,
    /// Conversations under load, each with four senders and two readers.
    #[arg(long, default_value_t = 50)]
    pub conversations: u32,
    /// Messages a second, all together.
    #[arg(long, default_value_t = 200)]
    pub rate: u32,
    /// Nodes of the database.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub databases: u8,
    /// The heap of each, in MiB.
    #[arg(long, default_value_t = 512)]
    pub heap_mib: u32,
    /// Leases last that many times as long as usual, for busy machines.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub lease_factor: u8,
    /// The seed of a run to repeat.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where slices are written down that are done; those of this commit are not done again.
    #[arg(long)]
    pub results: Option<PathBuf>,
    /// Run the nodes with this sabotage and demand the finding that belongs to it.
    #[arg(long)]
    pub expect_red: Option<Sabotage>,
    /// Write the history of each slice with findings as JSON lines into this folder, and keep the
    /// nodes' logs there.
    #[arg(long)]
    pub keep: Option<PathBuf>,
}

impl Args {
    /// The classes to go through and how many of each.
    fn plan(&self) -> Vec<(Class, u32)> {
        use Class::{Kill, Partition, Pause, Rolling};
        if let Some(red) = self.expect_red {
            return vec![(red_by(red), SLICES_RED * self.slice())];
        }
        if self.short && self.classes.is_empty() {
            return vec![(Kill, 3), (Pause, 1), (Partition, 1), (Rolling, 1)];
        }
        let classes = if self.classes.is_empty() { &Class::ALL[..] } else { &self.classes };
        classes.iter().map(|class| (*class, self.count)).collect()
    }

    /// Whether the only node of the database is among what is struck.
    fn loses_the_only_copy(&self) -> bool {
        self.databases == 1 && self.plan().iter().any(|(class, _)| *class == Class::Database)
    }

    /// What the short form asks of a machine that does other things too.
    fn short_form(&mut self) {
        self.conversations = self.conversations.min(12);
        let is_late = self.expect_red.map(red_by).is_some_and(is_late)
            || matches!(self.classes[..], [class] if is_late(class));
        // A planted fault shows in what is under way when a node dies.
        let is_fast = self.expect_red.is_some() && !is_late;
        self.rate = if is_fast { 1_000 } else { self.rate.min(40) };
        // What is to arrive after a longer lease arrives after its client has gone.
        self.lease_factor = if is_late { 1 } else { self.lease_factor.max(2) };
        self.heap_mib = self.heap_mib.min(320);
    }

    /// Faults of one slice.
    fn slice(&self) -> u32 {
        match self.expect_red.map(red_by) {
            Some(Class::Late) => 1,
            Some(_) => 3,
            None => SLICE,
        }
    }
}

/// The faults that a sabotage shows under.
const fn red_by(red: Sabotage) -> Class {
    match red {
        Sabotage::NoLeaseCheck => Class::Late,
        _ => Class::Kill,
    }
}

const fn is_late(class: Class) -> bool {
    matches!(class, Class::Late)
}

/// Runs the campaign, in namespaces of its own.
///
/// # Errors
/// When the cluster cannot be run, or anything was found.
pub async fn run(mut args: Args) -> Result<()> {
    if args.short || args.expect_red.is_some() {
        args.short_form();
    }
    let title = "faults: kills, pauses, partitions and restarts of a cluster";
    net::within(title, inside(&args)).await
}

async fn inside(args: &Args) -> Result<()> {
    let seed = args.seed.unwrap_or_else(Rng::fresh_seed);
    let red = args.expect_red.map(|red| format!(", sabotage {}", red.name())).unwrap_or_default();
    let mut report = Report::new(format!(
        "faults: {NODES} nodes, {} of the database, leases × {}, {} conversations, {} messages/s, \
         seed {seed}{red}",
        args.databases, args.lease_factor, args.conversations, args.rate
    ));
    report.note(format!("commit {}, {}", machine::commit(), machine::describe()));
    let mut slices = Slices::open(args.results.as_deref(), args.databases, args.lease_factor)?;
    let dir = scratch(&args.server)?;
    let parts = Parts {
        binary: &args.server,
        means: &args.means.absolute()?,
        root: dir.path(),
        databases: args.databases,
        heap_mib: args.heap_mib,
        sync_each: args.loses_the_only_copy(),
        lease_factor: args.lease_factor,
        settings: &[],
        sabotage: args.expect_red,
    };
    let mut cluster = Cluster::start(&parts, &report).await?;
    let ran = campaign(args, seed, &mut cluster, &mut slices, &mut report).await;
    if let Some(keep) = &args.keep {
        keep_logs(&cluster, keep)?;
    }
    ran?;
    for line in slices.table() {
        report.note(line);
    }
    report.finish()
}

/// All slices that are left to do.
async fn campaign(
    args: &Args,
    seed: u64,
    cluster: &mut Cluster,
    slices: &mut Slices,
    report: &mut Report,
) -> Result<()> {
    for (class, count) in args.plan() {
        let mut done = slices.done(class);
        if done > 0 {
            report.note(format!("{}: {done} of {count} were done before", class.name()));
        }
        while done < count {
            let now = args.slice().min(count - done);
            let seed = seed ^ (u64::from(done) << 8) ^ fault_number(class);
            let slice = Slice { args, class, first: done + 1, count: now, seed };
            let (row, is_red) = slice.run(cluster, report).await?;
            done += now;
            slices.add(row)?;
            if args.expect_red.is_some() && is_red {
                return Ok(());
            }
        }
    }
    if let Some(red) = args.expect_red {
        report.check(&format!("red by {}", red.name()), false, "nothing was found");
    }
    Ok(())
}

/// Keeps seeds of classes apart.
const fn fault_number(class: Class) -> u64 {
    match class {
        Class::Kill => 1,
        Class::Pause => 2,
        Class::Partition => 3,
        Class::Database => 4,
        Class::Rolling => 5,
        Class::Late => 6,
    }
}

/// Some faults of one class under one load.
struct Slice<'a> {
    args: &'a Args,
    class: Class,
    first: u32,
    count: u32,
    seed: u64,
}

/// What a slice measured beside its verdict.
#[derive(Default)]
struct Measured {
    /// From the fault until somebody else served each conversation of the victim.
    fail_over: Times,
    /// From the end of the fault until each conversation was served.
    service: Times,
    /// Of each message that was sent during a fault, until its ack.
    waits: Times,
    /// Faults whose times are left out, because others lost leases too: this machine starved them.
    starved: u32,
    /// Leases that no fault explains.
    leases_lost: usize,
}

impl Slice<'_> {
    async fn run(&self, cluster: &mut Cluster, report: &mut Report) -> Result<(Row, bool)> {
        let Self { args, class, first, count, seed } = *self;
        let name = format!("{} {first}–{}", class.name(), first + count - 1);
        report.note(format!("{name}: seed {seed}"));
        let addresses: Vec<SocketAddr> =
            cluster.nodes.iter().map(|node| node.server.public).collect();
        let world = World::open_at(addresses, args.conversations, terms(args)).await?;
        let owners = owners(world.ids())?;
        let load = Load::start(Arc::clone(&world));
        let mut problems = Vec::new();
        let mut struck = Vec::new();
        let mut rng = Rng::new(seed);
        problems.extend(serves(&world, 1).await.err());
        for number in first..first + count {
            sleep(rng.between(Duration::from_millis(500), Duration::from_secs(2))).await;
            let before = cluster.leases_lost();
            let mut striker = Striker {
                cluster,
                world: &world,
                rng: &mut rng,
                owners: &owners,
                lease_factor: args.lease_factor,
                patience: STUCK_AFTER,
            };
            // Whose share has not come back is waited for: afterwards it is clear who owns what.
            if let Err(problem) = striker.settled().await {
                problems.push(problem);
                break;
            }
            let all = match striker.strike(class).await {
                Ok(all) => all,
                Err(problem) => {
                    problems.push(problem.context(format!("{} {number}", class.name())));
                    break;
                }
            };
            let healed_us = all.last().map_or(0, |last| last.healed_us);
            problems.extend(serves(&world, healed_us).await.err());
            cluster.answers(STUCK_AFTER).await?;
            problems.extend(revive(cluster).await?);
            let after = cluster.leases_lost();
            report.note(format!("{number}: {}", told(&all)));
            let leases_lost = lost_otherwise(&before, &after, &all);
            struck.push(Fault { stretches: all, leases_lost });
        }
        self.judge(&name, cluster, load, (struck, problems), report).await
    }

    /// Ends the load, and says what came of it.
    async fn judge(
        &self,
        name: &str,
        cluster: &mut Cluster,
        load: Load,
        (struck, problems): (Vec<Fault>, Vec<anyhow::Error>),
        report: &mut Report,
    ) -> Result<(Row, bool)> {
        for problem in &problems {
            report.note(format!("{problem:#}"));
        }
        // Whatever went wrong: what is read in the end is read of a cluster that is whole.
        cluster.network.heal()?;
        let world = load.finish(patience(self.args.expect_red).max(STUCK_AFTER)).await?;
        let history = world.recorder.take();
        let verdict = check(&history);
        let measured = Measured::of(&struck, &history);
        let is_red = self.args.expect_red.is_some_and(|red| {
            let proof = red.proves().iter().any(|fault| verdict.count(*fault) > 0);
            if proof {
                report.check(&format!("red by {}", red.name()), true, verdict.to_string());
            } else {
                report.note(format!("{name}: {verdict}"));
            }
            proof
        });
        let complaints = world.complaints();
        let panics: usize = cluster.nodes.iter().map(|node| node.server.n_panics()).sum();
        if self.args.expect_red.is_none() {
            let is_clean = verdict.is_clean() && verdict.acked > 0;
            report.check(&format!("{name}, history"), is_clean, verdict.to_string());
            let facts = format!("{} faults, {} stuck", struck.len(), problems.len());
            report.check(&format!("{name}, service comes back"), problems.is_empty(), facts);
            let facts = format!("{} complaints, {panics} panics", complaints.len());
            let is_fine = complaints.is_empty() && panics == 0;
            report.check(&format!("{name}, clients and nodes"), is_fine, facts);
            report.note(measured.told());
        }
        for told in verdict.examples().chain(complaints.iter().cloned()) {
            report.note(told);
        }
        let findings = verdict.faults().map(|(_, count)| count).sum::<u64>();
        if let Some(keep) = self.args.keep.as_ref().filter(|_| findings > 0) {
            std::fs::create_dir_all(keep)?;
            let file = std::fs::File::create(keep.join(format!("{name}.jsonl")))?;
            write_lines(&history, std::io::BufWriter::new(file))?;
        }
        let n_problems = u64::try_from(problems.len() + complaints.len()).unwrap_or(u64::MAX);
        let row = Row {
            class: self.class.name().to_owned(),
            count: u32::try_from(struck.len()).unwrap_or(u32::MAX),
            seed: self.seed,
            acked: verdict.acked,
            unknown: verdict.unknown,
            heard: verdict.heard,
            stored: verdict.stored,
            findings: findings.saturating_add(n_problems),
            fail_over: measured.fail_over.millis(),
            service: measured.service.millis(),
            waits: measured.waits.summary(),
            starved: measured.starved,
            leases_lost: measured.leases_lost,
        };
        Ok((row, is_red))
    }
}

/// One fault, which may have had several stretches.
struct Fault {
    stretches: Vec<Struck>,
    /// Leases that ran out meanwhile though it did not touch their nodes.
    leases_lost: usize,
}

impl Measured {
    fn of(faults: &[Fault], history: &[crate::history::Op]) -> Self {
        let acks = Acks::of(history);
        let mut measured = Self::default();
        for fault in faults {
            measured.leases_lost += fault.leases_lost;
            if fault.leases_lost > 0 {
                measured.starved += 1;
                continue;
            }
            for stretch in &fault.stretches {
                let first = acks.first_after(stretch.from_us, &stretch.orphans);
                measured.fail_over.extend(first.into_iter().flatten());
                let first = acks.first_after(stretch.healed_us, &acks.conversations());
                measured.service.extend(first.into_iter().flatten());
                measured.waits.extend(acks.waits(stretch.from_us..stretch.healed_us));
            }
        }
        measured
    }

    fn told(&self) -> String {
        let Self { fail_over, service, waits, starved, leases_lost } = self;
        format!(
            "s, p50 / p99 / longest: {} conversations taken over after {}; served after the fault: \
             {}; a message waits {}; {starved} faults left out, {leases_lost} leases lost otherwise",
            fail_over.len(),
            fail_over.told(),
            service.told(),
            waits.told()
        )
    }
}

/// How clients of a cluster behave: whoever is not answered goes elsewhere.
fn terms(args: &Args) -> Terms {
    // Of one sender; each waits for its ack before it sends again.
    let senders = f64::from(args.conversations * crate::load::SENDERS);
    Terms {
        rest: Duration::from_secs_f64(senders / f64::from(args.rate.max(1))),
        // A node answers after 5 s at the latest, if it is only to say that it cannot.
        answer_within: Duration::from_secs(if args.expect_red.is_some() { 20 } else { 7 }),
        must_answer: false,
        refusals: u32::MAX,
        catch_up: Duration::from_secs(60),
    }
}

/// Waits until every conversation had an ack of something that was sent after this moment.
async fn serves(world: &World, after_us: u64) -> Result<()> {
    let deadline = Instant::now() + STUCK_AFTER;
    loop {
        let silent = world.silent_since(after_us);
        if silent.is_empty() {
            return Ok(());
        }
        let why = world.last_refusal();
        anyhow::ensure!(Instant::now() < deadline, "no ack in {STUCK_AFTER:?}: {silent:?}; {why}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A node that ended by itself is a finding; it is started again, so that the rest can go on.
async fn revive(cluster: &mut Cluster) -> Result<Vec<anyhow::Error>> {
    let mut problems = Vec::new();
    for node in &mut cluster.nodes {
        if let Some(status) = node.server.exited() {
            let log = node.server.log_tail();
            problems.push(anyhow::anyhow!("{} ended by itself, {status}: {log}", node.name));
            node.server.start().await?;
        }
    }
    Ok(problems)
}

/// Leases that ran out on nodes that the fault did not touch.
fn lost_otherwise(before: &[usize], after: &[usize], all: &[Struck]) -> usize {
    let is_victim = |at: usize| all.iter().any(|struck| struck.victims.contains(&at));
    let lost = before.iter().zip(after).enumerate().filter(|(at, _)| !is_victim(*at));
    lost.map(|(_, (before, after))| after.saturating_sub(*before)).sum()
}

fn told(all: &[Struck]) -> String {
    all.iter().map(|struck| struck.what.as_str()).collect::<Vec<_>>().join(", ")
}

fn keep_logs(cluster: &Cluster, keep: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(keep)?;
    for node in &cluster.nodes {
        std::fs::write(keep.join(format!("{}.log", node.name)), node.server.log())?;
    }
    Ok(())
}
