//! `kill`: SIGKILL at random moments under load, restart on the same data, and nothing acked is lost,
//! doubled, reordered or missed.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::checker::{Fault, Verdict, check};
use crate::history::write_lines;
use crate::load::{Load, PATIENCE, PATIENCE_RED, World};
use crate::report::Report;
use crate::rng::Rng;
use crate::server::{Server, scratch};

/// Every restart must be ready by then in the long form. The short form runs on
/// machines that do other things: it says the time and asserts none.
const READY_MAX: Duration = Duration::from_secs(3);
/// Kills from which a campaign is a long one.
const TIMED_FROM: u32 = 100;

/// Before the first kill: long enough that the server has written what it derives from the log, so
/// that restarts meet it out of date.
const WARM_UP: Duration = Duration::from_secs(3);

/// A campaign of kills.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// How often to kill it: 20 is the short form, 200 the long one.
    #[arg(long, default_value_t = 20)]
    pub kills: u32,
    /// Conversations under load.
    #[arg(long, default_value_t = 50)]
    pub conversations: u32,
    /// The seed of a run to repeat.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run the server with this sabotage and demand the finding that belongs to it.
    #[arg(long)]
    pub expect_red: Option<Sabotage>,
    /// Write the history as JSON lines.
    #[arg(long)]
    pub history: Option<PathBuf>,
}

/// The faults that a server built with the feature `sabotage` can be told to have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Sabotage {
    /// Acks leave before the engine commits.
    AckBeforeCommit,
    /// A retried key is stored again.
    NoDedupe,
    /// Positions come from memory that a restart forgets.
    SeqFromMemory,
    /// Internal events reach visitors.
    LeakNotes,
    /// The engine does not sync.
    NoFsync,
    /// Agents are given slots that they do not have.
    OverCapacity,
    /// Cards are never given back.
    LeakCards,
    /// Frames that are none are passed over without a word.
    Deaf,
    /// A node acks what it wrote without asking whether it still owns the shard.
    NoLeaseCheck,
}

impl Sabotage {
    /// The name on the command line and in the environment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AckBeforeCommit => "ack_before_commit",
            Self::NoDedupe => "no_dedupe",
            Self::SeqFromMemory => "seq_from_memory",
            Self::LeakNotes => "leak_notes",
            Self::NoFsync => "no_fsync",
            Self::OverCapacity => "over_capacity",
            Self::LeakCards => "leak_cards",
            Self::Deaf => "deaf",
            Self::NoLeaseCheck => "no_lease_check",
        }
    }

    /// The findings of which one proves that the checker of histories saw it; none for what a history
    /// does not show.
    #[must_use]
    pub const fn proves(self) -> &'static [Fault] {
        match self {
            Self::AckBeforeCommit | Self::NoFsync => &[Fault::Lost],
            Self::NoLeaseCheck => {
                &[Fault::Lost, Fault::Split, Fault::AckChanged, Fault::Renumbered]
            }
            Self::NoDedupe => &[Fault::Duplicate],
            Self::SeqFromMemory => &[
                Fault::Split,
                Fault::Lost,
                Fault::Renumbered,
                Fault::NotDense,
                Fault::RealtimeOrder,
                Fault::LiveGap,
                Fault::LiveRepeat,
            ],
            Self::LeakNotes => &[Fault::NoteLeaked],
            Self::OverCapacity | Self::LeakCards | Self::Deaf => &[],
        }
    }

    /// The environment of the sabotaged server.
    #[must_use]
    pub fn environment(self) -> (String, String) {
        ("SWITCHBOARD_SABOTAGE".to_owned(), self.name().to_owned())
    }
}

/// What one campaign did, beside its verdict.
#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    slowest_start: Duration,
}

/// Runs the campaign.
///
/// # Errors
/// When the server cannot be run, or anything was found.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(Rng::fresh_seed);
    let red = args.expect_red.map(|red| format!(", sabotage {}", red.name())).unwrap_or_default();
    let mut report = Report::new(format!(
        "kill: {} kills, {} conversations, seed {seed}{red}",
        args.kills, args.conversations
    ));
    let dir = scratch(&args.server)?;
    let mut server = Server::new(&args.server, dir.path())?;
    server.set_environment(args.expect_red.map(Sabotage::environment).into_iter().collect());
    server.start().await?;
    let world = World::open(server.public, args.conversations).await?;
    let load = Load::start(world.clone());
    world.arm();

    tokio::time::sleep(WARM_UP).await;
    let mut tally = Tally::default();
    let mut rng = Rng::new(seed);
    for kill in 1..=args.kills {
        world.first_in_flight().await?;
        let delay = rng.between(Duration::from_millis(5), Duration::from_millis(800));
        tokio::time::sleep(delay).await;
        server.kill().await?;
        tally.kills += 1;
        world.arm();
        tally.slowest_start = server.start().await?.max(tally.slowest_start);
        if kill % 10 == 0 {
            let acked = world.acked.load(Ordering::Relaxed);
            report.note(format!("{kill} kills, {acked} acked, {} KiB RSS", server.rss_kib()?));
        }
    }
    let world = load.finish(patience(args.expect_red)).await?;
    let exited = server.exited();
    let history = world.recorder.take();
    if let Some(path) = &args.history {
        let file = std::io::BufWriter::new(std::fs::File::create(path)?);
        write_lines(&history, file)?;
    }
    let verdict = check(&history);
    match args.expect_red {
        Some(red) => expect(red, &verdict, &mut report),
        None => {
            report.check("kills", tally.kills == args.kills, format!("{} kills", tally.kills));
            judge(&verdict, &world, &server, &mut report);
            report.check("server ran on", exited.is_none(), format!("exit {exited:?}"));
            let facts = format!("slowest of {} was {:.0?}", tally.kills, tally.slowest_start);
            let in_time = tally.slowest_start <= READY_MAX || args.kills < TIMED_FROM;
            report.check("restarts", in_time, facts);
        }
    }
    drop(server.kill().await);
    report.finish()
}

/// How long to wait for the outcome of the last sends.
pub(crate) fn patience(red: Option<Sabotage>) -> Duration {
    if red.is_some() { PATIENCE_RED } else { PATIENCE }
}

/// The checks that every fault campaign makes of a healthy server.
pub(crate) fn judge(verdict: &Verdict, world: &World, server: &Server, report: &mut Report) {
    report.check("load", verdict.acked > 0, format!("{} sends acked", verdict.acked));
    report.check("history", verdict.is_clean(), verdict.to_string());
    for example in verdict.examples() {
        report.note(example);
    }
    let complaints = world.complaints();
    report.check("clients", complaints.is_empty(), format!("{} complaints", complaints.len()));
    for complaint in complaints {
        report.note(complaint);
    }
    report.check("panics", server.n_panics() == 0, format!("{} in the log", server.n_panics()));
}

/// Demands the finding of a sabotage.
pub(crate) fn expect(red: Sabotage, verdict: &Verdict, report: &mut Report) {
    let seen = red.proves().iter().any(|fault| verdict.count(*fault) > 0);
    report.check(&format!("red by {}", red.name()), seen, verdict.to_string());
    for example in verdict.examples() {
        report.note(example);
    }
}
