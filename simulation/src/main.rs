//! Runs seeds, and says of each that fails how to run it again.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use switchboard_loadtest::report::{Report, line};
use switchboard_loadtest::rng::Rng;
use switchboard_simulation::{Faults, Plan, Tally, run};

/// Whole nodes under simulated faults, many seeds one after another.
#[derive(Debug, Parser)]
#[command(about, version)]
struct Args {
    /// How many seeds to run.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first seed; a fresh one by default.
    #[arg(long)]
    seed: Option<u64>,
    /// How many nodes there are.
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// Nothing goes wrong but that nodes are told to end and started again, one after the other.
    #[arg(long)]
    drains: bool,
    /// While a node ends, one of the others does not hear it.
    #[arg(long, requires = "drains")]
    unheard: bool,
    /// As `--drains`, but they are killed.
    #[arg(long, conflicts_with = "drains")]
    restarts: bool,
    /// Write everything that happens in the last run to this file.
    #[arg(long)]
    trace: Option<std::path::PathBuf>,
    /// A planted fault that must turn one of the seeds red; only with the feature `sabotage`.
    #[arg(long)]
    expect_red: Option<String>,
}

impl Args {
    const fn faults(&self) -> Faults {
        match (self.drains, self.unheard, self.restarts) {
            (true, true, _) => Faults::DrainsUnheard,
            (true, false, _) => Faults::Drains,
            (false, _, true) => Faults::Restarts,
            (false, _, false) => Faults::All,
        }
    }
}

fn main() -> ExitCode {
    match simulate(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(format!("FAIL {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn simulate(args: &Args) -> anyhow::Result<()> {
    let planted = args.expect_red.clone().unwrap_or_default();
    let plan = Plan {
        nodes: args.nodes.max(1),
        planted,
        faults: args.faults(),
        keeps_trace: args.trace.is_some(),
        ..Plan::default()
    };
    // Small enough to be read out.
    let first = args.seed.unwrap_or_else(|| Rng::fresh_seed() >> 24);
    let mut report = Report::new(format!("simulate: {} seeds from {first}", args.seeds));
    let (mut acked, mut unknown, mut heard, mut red) = (0, 0, 0, 0);
    let (mut warm, mut cold, mut tally) = (0, 0, Tally::default());
    for seed in first..first.saturating_add(args.seeds) {
        let began = Instant::now();
        let outcome = run(seed, &plan);
        acked += outcome.verdict.acked;
        unknown += outcome.verdict.unknown;
        heard += outcome.verdict.heard;
        warm += outcome.take_overs.warm;
        cold += outcome.take_overs.cold;
        tally += outcome.tally;
        report.note(format!("{outcome}, {} ms", began.elapsed().as_millis()));
        if let Some(path) = &args.trace {
            std::fs::File::create(path)?.write_all(outcome.lines.join("\n").as_bytes())?;
        }
        if outcome.is_clean() {
            continue;
        }
        red += 1;
        if args.expect_red.is_some() {
            break;
        }
        report.check("a seed", false, plan.again(seed));
    }
    if let Some(fault) = &args.expect_red {
        report.check("turned red", red > 0, fault);
    } else {
        let facts = format!(
            "{red} of {} seeds failed: {acked} acked, {unknown} unknown, {heard} heard; \
             conversations: {tally}; they changed nodes {warm} times warm, {cold} cold",
            args.seeds
        );
        report.check("all seeds", red == 0, facts);
    }
    report.finish()
}
