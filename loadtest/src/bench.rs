//! `bench`: Switchboard, durable, beside a bare relay and Socket.IO, which store nothing. One run,
//! one machine, loopback, interleaved rounds, medians.

mod dialect;
mod engine;
mod idle;
pub mod nodes;
mod page;
mod pairs;
mod peer;

use std::path::PathBuf;
use std::time::Duration;

use peer::{Kind, Peer};

use crate::report::Report;
use crate::server::scratch;

/// Resident memory that a connected visitor with an open, idle conversation may cost.
const IDLE_KIB_MAX: f64 = 8.0;
/// Server CPU per durable message, in costs of the bare relay.
const CPU_RATIO_MAX: f64 = 2.5;
/// The same in the short form, whose machine does other things as well: a median of few seconds
/// says what changed by a third, not by a tenth.
const CPU_RATIO_MAX_SHORT: f64 = 4.0;
/// Server CPU per durable message through a Socket.IO dialect, in costs of our own socket.
const DIALECT_RATIO_MAX: f64 = 2.0;

/// A side-by-side bench.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary, built for release.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// The relay binary; by default beside this program.
    #[arg(long)]
    pub relay: Option<PathBuf>,
    /// Few seconds, no idle connections, no page, and only the ratios of CPU are judged: what the
    /// test command runs.
    #[arg(long)]
    pub short: bool,
    /// Compare only these.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "switchboard,relay,socketio")]
    pub only: Vec<Kind>,
    /// Pairs in closed loop.
    #[arg(long, default_value_t = 200)]
    pub pairs: usize,
    /// Seconds of each round; 8, and 2 in the short form.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Interleaved rounds of which the median counts.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Idle connections for the memory figure, 0 to leave it out; 8,000, and 0 in the short form.
    #[arg(long)]
    pub idle: Option<usize>,
    /// Where to write the table; not in the short form.
    #[arg(long, default_value = "docs/BENCHMARKS.md")]
    pub page: PathBuf,
}

/// The size of a run, after the defaults.
#[derive(Clone, Copy, Debug)]
struct Size {
    pairs: usize,
    round: Duration,
    rounds: usize,
    idle: usize,
}

/// What one program did in the rounds, as medians.
#[derive(Clone, Debug, Default)]
struct Figures {
    cpu_us: f64,
    per_second: f64,
    ack_p50_ms: f64,
    ack_p99_ms: f64,
    heard_p50_ms: f64,
    heard_p99_ms: f64,
    idle_kib: Option<f64>,
}

/// Server CPU per message of one program in costs of another: the median over rounds of what the two
/// cost in the same round. What else the machine does lasts longer than a round and falls on both.
struct Ratios(Vec<(Kind, Vec<pairs::Round>)>);

impl Ratios {
    /// What one costs in costs of the other; `None` when one of them was left out.
    fn of(&self, ours: Kind, peer: Kind) -> Option<f64> {
        let of = |kind| self.0.iter().find(|(of, _)| *of == kind).map(|(_, rounds)| rounds);
        let (ours, peer) = (of(ours)?, of(peer)?);
        Some(pairs::median(ours.iter().zip(peer).map(|(ours, peer)| ours.cpu_over(peer))))
    }
}

/// Runs the bench.
///
/// # Errors
/// When a program cannot be run, or a ratio does not hold.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let size = Size {
        pairs: args.pairs,
        round: Duration::from_secs(args.seconds.unwrap_or(if args.short { 2 } else { 8 })),
        rounds: args.rounds,
        idle: args.idle.unwrap_or(if args.short { 0 } else { 8_000 }),
    };
    let mut report = Report::new(format!(
        "bench: {} pairs, {} rounds of {:?}, {} idle connections",
        size.pairs, size.rounds, size.round, size.idle
    ));
    let dir = scratch(&args.server)?;
    let mut all: Vec<(Kind, Figures)> = Vec::new();

    let (rounds, commit) = side_by_side(args, size, dir.path(), &report).await?;
    for (kind, rounds) in &rounds {
        all.push((*kind, pairs::medians(rounds)));
    }
    for (kind, figures) in all.iter_mut().filter(|_| size.idle > 0) {
        let kib = idle::measure(*kind, args, size.idle, dir.path()).await?;
        report.note(format!("{}: {kib:.1} KiB per idle connection", kind.name()));
        figures.idle_kib = Some(kib);
    }
    let table = page::table(&all, &commit);
    for line in table.lines() {
        report.note(line);
    }
    judge_cpu(args, &Ratios(rounds), &mut report);
    if !args.short {
        judge(&all, &commit, &mut report);
        page::write(&args.page, &table, size)?;
    }
    report.finish()
}

/// Interleaves the rounds, so that whatever else the machine does falls on all alike.
async fn side_by_side(
    args: &Args,
    size: Size,
    dir: &std::path::Path,
    report: &Report,
) -> anyhow::Result<(Vec<(Kind, Vec<pairs::Round>)>, engine::Commit)> {
    let mut peers = Vec::new();
    for kind in &args.only {
        peers.push((Peer::start(*kind, args, dir).await?, Vec::new()));
    }
    let mut commits = Vec::new();
    for number in 1..=size.rounds {
        let data = dir.join(format!("engine-{number}"));
        let commit = engine::measure(&data, size.pairs, size.round).await?;
        settle().await?;
        report.note(format!("round {number} engine alone: {commit}"));
        commits.push(commit);
        for (peer, rounds) in &mut peers {
            let round = pairs::run(peer, size.pairs, size.round).await?;
            report.note(format!("round {number} {}: {round}", peer.kind().name()));
            rounds.push(round);
            settle().await?;
        }
    }
    let mut done = Vec::new();
    for (peer, rounds) in peers {
        done.push((peer.kind(), rounds));
        peer.stop().await;
    }
    Ok((done, engine::medians(&commits)))
}

/// Lets the disk come to rest: what one program wrote is not carried out while another is measured.
async fn settle() -> anyhow::Result<()> {
    Ok(tokio::task::spawn_blocking(rustix::fs::sync).await?)
}

fn judge_cpu(args: &Args, ratios: &Ratios, report: &mut Report) {
    let max = if args.short { CPU_RATIO_MAX_SHORT } else { CPU_RATIO_MAX };
    if let Some(ratio) = ratios.of(Kind::Switchboard, Kind::Relay) {
        let facts = format!("{ratio:.2} × the relay, at most {max}");
        report.check("server cpu per message", ratio <= max, facts);
    }
    if let Some(ratio) = ratios.of(Kind::Switchboard, Kind::Socketio) {
        let facts = format!("{ratio:.2} × Socket.IO");
        report.check("server cpu below Socket.IO", ratio < 1.0, facts);
    }
    for dialect in [Kind::Phase5, Kind::Fullmag] {
        if let Some(ratio) = ratios.of(dialect, Kind::Native) {
            let facts = format!("{ratio:.2} × our own socket, at most {DIALECT_RATIO_MAX}");
            let what = format!("{}: server cpu per message", dialect.name());
            report.check(&what, ratio <= DIALECT_RATIO_MAX, facts);
        }
        if let Some(ratio) = ratios.of(dialect, Kind::Chat) {
            let facts = format!("{ratio:.2} × Socket.IO on Node");
            let what = format!("{}: server cpu below Socket.IO", dialect.name());
            report.check(&what, ratio < 1.0, facts);
        }
    }
}

fn judge(all: &[(Kind, Figures)], commit: &engine::Commit, report: &mut Report) {
    let of = |kind| all.iter().find(|(of, _)| *of == kind).map(|(_, figures)| figures);
    let Some(ours) = of(Kind::Switchboard) else {
        report.check("switchboard", true, "left out");
        return;
    };
    if let Some(relay) = of(Kind::Relay) {
        let bound = relay.ack_p99_ms + 2.0 * commit.p99_ms;
        let facts = format!(
            "{:.2} ms, at most relay {:.2} + 2 × commit {:.2} = {bound:.2} ms",
            ours.ack_p99_ms, relay.ack_p99_ms, commit.p99_ms
        );
        report.check("p99 of the ack", ours.ack_p99_ms <= bound, facts);
    }
    if let Some(kib) = ours.idle_kib {
        let facts = format!("{kib:.1} KiB, at most {IDLE_KIB_MAX}");
        report.check("memory per idle visitor", kib <= IDLE_KIB_MAX, facts);
    }
}
