//! `cargo xtask`: everything the project does besides building and running itself.

mod campaign;
mod cql;
mod credentials;
mod dev_cluster;
mod report;
mod run;
mod suite;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Checks, campaigns and benches of Switchboard")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that must hold before a change lands: format, lints, house rules, tests of all
    /// crates and pages, browser tests, and the short form of each campaign and of the bench.
    Test {
        /// Only the steps whose name contains this.
        #[arg(long)]
        only: Option<String>,
    },
    /// The house rules that no other tool checks.
    Tidy,
    /// A fault campaign or load test in its long form; arguments go to the load tool. `model` goes
    /// through the larger bounds of the cluster's model; `simulate` runs whole nodes under the faults
    /// of many seeds; `faults` kills, pauses and parts three nodes
    /// and their database, and `crowd` has very many conversations and connections on three nodes and
    /// kills one; both need root.
    Campaign {
        /// Which one, and its options; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Three nodes with demo data over one CQL server, on this machine, until Ctrl-C: to try what a
    /// cluster does when one of them is killed.
    DevCluster,
    /// Becomes one node of the CQL server, for the campaign `faults`.
    #[command(hide = true)]
    CqlNode(cql::NodeArgs),
    /// Makes docs/SCREENS.md and its pictures anew, from the real binary.
    Screens,
    /// Switchboard beside a bare relay and Socket.IO, in one run; `links` measures the envelopes
    /// between two nodes of a cluster, `nodes` what a message costs across three.
    Bench {
        /// `links`, `nodes`, or options of the bench, for example `--short`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> Result<ExitCode> {
    let passed = match Cli::parse().task {
        Task::Test { only } => suite::test(only.as_deref())?,
        Task::Tidy => report::alone("tidy", tidy::check()?),
        Task::Campaign { args } => campaign::campaign(&args)?,
        Task::DevCluster => dev_cluster::run().map(|()| true)?,
        Task::CqlNode(args) => match cql::become_node(&args)? {},
        Task::Screens => suite::screens()?,
        Task::Bench { args } => campaign::bench(&args)?,
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
