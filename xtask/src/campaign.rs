//! Campaigns and benches: builds what they need in release and runs the load tool.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::report::{Counts, counts_in};
use crate::run::{cargo, command, must, root, run};

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

/// Runs one campaign in the form that `args` ask for; whether it passed.
pub(crate) fn campaign(args: &[String]) -> Result<bool> {
    if let Some((first, rest)) = args.split_first()
        && first == "model"
    {
        return model(rest);
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

/// Runs the bench; whether its ratios hold. `links` measures what two nodes carry instead.
pub(crate) fn bench(args: &[String]) -> Result<bool> {
    if let Some((first, rest)) = args.split_first()
        && first == "links"
    {
        must(&mut cargo(&["build", "--release", "--package", "switchboard-loadtest", "--bins"]))?;
        return Ok(run(load_tool().arg("links").args(rest))?.succeeded);
    }
    let server = server()?;
    Ok(run(load_tool().arg("bench").args(args).env("SWITCHBOARD_BIN", server))?.succeeded)
}

/// All short campaigns on the server as users run it.
pub(crate) fn short() -> Result<Counts> {
    let server = server()?;
    all(SHORT, &server)
}

/// All campaigns that must turn red, on the server that has the faults planted.
pub(crate) fn planted() -> Result<Counts> {
    let server = sabotaged_server()?;
    all(PLANTED, &server)
}

/// The bench in its short form, for what a message costs in costs of the relay beside it.
pub(crate) fn short_bench() -> Result<Counts> {
    let server = server()?;
    counted(&["bench", "--short", "--only", "switchboard,relay"], &server)
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

/// The server with the feature that can plant faults. It is kept apart, because the next ordinary
/// build takes its place.
fn sabotaged_server() -> Result<PathBuf> {
    server()?;
    must(&mut cargo(&["build", "--package", "switchboard", "--features", "sabotage"]))?;
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
    campaigns.iter().try_fold(Counts::default(), |sum, args| Ok(sum.plus(counted(args, server)?)))
}

fn counted(args: &[&str], server: &Path) -> Result<Counts> {
    let ran = run(load_tool().args(args).env("SWITCHBOARD_BIN", server))?;
    let counts = counts_in(&ran.output).unwrap_or_else(|| Counts::single(ran.succeeded));
    // A tool that fails without counting a failure failed all the same.
    Ok(Counts { failed: counts.failed.max(u64::from(!ran.succeeded)), ..counts })
}
