//! Campaigns and benches: builds what they need in release and runs the load tool.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::report::{Counts, counts_in};
use crate::run::{cargo, command, must, root, run};
use crate::{cql, credentials};

/// The campaigns of the test command, in their short form.
const SHORT: &[&[&str]] = &[
    &["kill", "--kills", "20"],
    &["powercut", "--cuts", "10"],
    &["fsync"],
    &["accept-race", "--races", "100"],
    &["capacity", "--operations", "500"],
    &["notes"],
    &["hostile", "--readers", "100"],
    &["memory"],
    &["search"],
    &["links", "--envelopes", "500000", "--any-rate"],
];

/// What each planted fault must turn red, and in which campaign.
const PLANTED: &[&[&str]] = &[
    &["kill", "--kills", "6", "--expect-red", "ack_before_commit"],
    &["kill", "--kills", "6", "--expect-red", "no_dedupe"],
    &["kill", "--kills", "6", "--expect-red", "seq_from_memory"],
    &["kill", "--kills", "2", "--expect-red", "leak_notes"],
    &["powercut", "--cuts", "10", "--expect-red", "no_fsync"],
    &["fsync", "--expect-red", "no_fsync"],
    &["capacity", "--operations", "200", "--expect-red", "over_capacity"],
    &["hostile", "--expect-red", "deaf"],
];

/// The same in `faults`, the campaign of a cluster.
const PLANTED_IN_CLUSTER: &[&[&str]] = &[
    &["--expect-red", "no_dedupe"],
    // What the next one is found by leaves the same server green without it.
    &["--class", "late", "--count", "2"],
    &["--expect-red", "no_lease_check"],
];

/// What is built for a cluster's tests in the dev profile: with the tests on CQL, which bring
/// features of their own, so that what those were built from is used again.
const DEV_BUILD: [&str; 5] = ["build", "--workspace", "--bins", "--test", "cql"];
/// The features that can plant faults: all of them at once, so that one build serves all tests.
pub(crate) const SABOTAGED: &str = "switchboard/sabotage,switchboard-simulation/sabotage";
/// Which slices of the long form are done.
const SLICES: &str = "target/faults.jsonl";

/// Runs one campaign in the form that `args` ask for; whether it passed.
pub(crate) fn campaign(args: &[String]) -> Result<bool> {
    if let Some((first, rest)) = args.split_first()
        && first == "model"
    {
        return model(rest);
    }
    if let Some((first, rest)) = args.split_first()
        && first == "simulate"
    {
        return simulate(rest);
    }
    if let Some((first, rest)) = args.split_first()
        && first == "faults"
    {
        return long_faults(rest);
    }
    if let Some((first, rest)) = args.split_first()
        && first == "crowd"
    {
        let server = server()?;
        return Ok(run(among_nodes("crowd", load_tool(), &server)?.command.args(rest))?.succeeded);
    }
    let planted = args.iter().any(|arg| arg.starts_with("--expect-red"));
    let server = if planted { sabotaged_server()? } else { server()? };
    Ok(run(load_tool().args(args).env("SWITCHBOARD_BIN", server))?.succeeded)
}

/// The model of the cluster in its larger bounds, which needs no server.
fn model(args: &[String]) -> Result<bool> {
    let mut model = cargo(&[
        "run",
        "--release",
        "--package",
        "switchboard-cluster",
        "--features",
        "model",
        "--example",
        "model",
        "--",
    ]);
    Ok(run(model.args(args))?.succeeded)
}

/// Whole nodes in one process under the faults of many seeds, which needs no server.
fn simulate(args: &[String]) -> Result<bool> {
    let planted = args.iter().any(|arg| arg.starts_with("--expect-red"));
    let mut simulation = cargo(&["run", "--release", "--package", "switchboard-simulation"]);
    if planted {
        simulation.args(["--features", "sabotage"]);
    }
    Ok(run(simulation.arg("--").args(args))?.succeeded)
}

/// Runs the bench; whether its ratios hold. `links` measures what two nodes carry instead, `nodes`
/// what a message costs across three.
pub(crate) fn bench(args: &[String]) -> Result<bool> {
    if let Some((first, rest)) = args.split_first()
        && first == "links"
    {
        must(&mut cargo(&["build", "--release", "--package", "switchboard-loadtest", "--bins"]))?;
        return Ok(run(load_tool().arg("links").args(rest))?.succeeded);
    }
    let server = server()?;
    if let Some((first, rest)) = args.split_first()
        && first == "nodes"
    {
        return Ok(run(among_nodes("nodes", load_tool(), &server)?.command.args(rest))?.succeeded);
    }
    Ok(run(load_tool().arg("bench").args(args).env("SWITCHBOARD_BIN", server))?.succeeded)
}

/// Faults of a cluster in their long form, on a server in release that can use CQL.
fn long_faults(args: &[String]) -> Result<bool> {
    let has = |name: &str| args.iter().any(|arg| arg.starts_with(name));
    let server = if has("--expect-red") { sabotaged_server()? } else { server()? };
    let mut campaign = among_nodes("faults", load_tool(), &server)?;
    if !has("--results") && !has("--short") && !has("--expect-red") {
        campaign.command.args(["--results", SLICES]);
    }
    Ok(run(campaign.command.args(args))?.succeeded)
}

/// A few faults of each kind, on the server that the tests on CQL were made with.
pub(crate) fn short_faults() -> Result<Counts> {
    must(&mut cargo(&DEV_BUILD))?;
    let debug = root().join("target/debug");
    let tool = command(debug.join("switchboard-loadtest"));
    let mut short = among_nodes("faults", tool, &debug.join("switchboard"))?;
    counted(short.command.arg("--short"))
}

/// A campaign or bench of a cluster, and what it needs beside the server.
struct AmongNodes {
    command: Command,
    /// Goes with it.
    credentials: PathBuf,
}

impl Drop for AmongNodes {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.credentials);
    }
}

fn among_nodes(name: &str, mut command: Command, server: &Path) -> Result<AmongNodes> {
    cql::fetch()?;
    let credentials = root().join("target/cql").join(format!("nodes-{}", std::process::id()));
    credentials::make(&credentials, &cql::NODES)?;
    command
        .arg(name)
        .env("SWITCHBOARD_BIN", server)
        .env("CQL_CREDENTIALS", &credentials)
        // Not as whom we run: a build may have put another in our place.
        .env("CQL_PROGRAM", root().join("target/debug/xtask"));
    Ok(AmongNodes { command, credentials })
}

/// All short campaigns on the server as users run it.
pub(crate) fn short() -> Result<Counts> {
    let server = server()?;
    all(SHORT, &server)
}

/// All campaigns that must turn red, on the server that has the faults planted.
pub(crate) fn planted() -> Result<Counts> {
    let server = sabotaged_server()?;
    let alone = all(PLANTED, &server)?;
    let in_cluster = PLANTED_IN_CLUSTER.iter().try_fold(alone, |sum, args| {
        let mut campaign = among_nodes("faults", load_tool(), &server)?;
        Ok::<_, anyhow::Error>(sum.plus(counted(campaign.command.arg("--short").args(*args))?))
    })?;
    let simulated = counted(&mut cargo(&[
        "test",
        "--workspace",
        "--features",
        SABOTAGED,
        "--test",
        "simulation",
    ]))?;
    Ok(in_cluster.plus(simulated).plus(cql::planted()?))
}

/// The bench in its short form, for what a message costs in costs of the relay beside it.
pub(crate) fn short_bench() -> Result<Counts> {
    let server = server()?;
    let args = ["bench", "--short", "--only", "switchboard,relay"];
    counted(load_tool().args(args).env("SWITCHBOARD_BIN", server))
}

/// The server as users run it, built in release, and beside it the load tool: one build for both,
/// because two would compile what they share twice.
pub(crate) fn server() -> Result<PathBuf> {
    must(&mut cargo(&[
        "build",
        "--release",
        "--package",
        "switchboard",
        "--package",
        "switchboard-loadtest",
        "--bins",
    ]))?;
    Ok(root().join("target/release/switchboard"))
}

/// The server in the dev profile with the feature that can plant faults, kept apart, because the
/// next ordinary build takes its place.
fn sabotaged_server() -> Result<PathBuf> {
    server()?;
    must(cargo(&DEV_BUILD).args(["--features", SABOTAGED]))?;
    let kept = root().join("target/sabotage");
    std::fs::create_dir_all(&kept).context("making a place for the sabotaged server")?;
    let server = kept.join("switchboard");
    std::fs::copy(root().join("target/debug/switchboard"), &server)
        .context("keeping the sabotaged server")?;
    Ok(server)
}

/// The load tool, which comes with [`server`].
fn load_tool() -> Command {
    command(root().join("target/release/switchboard-loadtest"))
}

fn all(campaigns: &[&[&str]], server: &Path) -> Result<Counts> {
    campaigns.iter().try_fold(Counts::default(), |sum, args| {
        Ok(sum.plus(counted(load_tool().args(*args).env("SWITCHBOARD_BIN", server))?))
    })
}

fn counted(command: &mut Command) -> Result<Counts> {
    let ran = run(command)?;
    let counts = counts_in(&ran.output).unwrap_or_else(|| Counts::single(ran.succeeded));
    // A tool that fails without counting a failure failed all the same.
    Ok(Counts { failed: counts.failed.max(u64::from(!ran.succeeded)), ..counts })
}
