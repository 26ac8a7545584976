//! Campaigns and benches: builds what they need in release and runs the load tool.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::run::{cargo, command, must, root, run};

/// Runs one campaign in the form that `args` ask for; whether it passed.
pub(crate) fn campaign(args: &[String]) -> Result<bool> {
    let server = server()?;
    Ok(run(load_tool()?.args(args).env("SWITCHBOARD_BIN", server))?.succeeded)
}

/// Runs the bench; whether its ratios hold.
pub(crate) fn bench(args: &[String]) -> Result<bool> {
    let server = server()?;
    Ok(run(load_tool()?.arg("bench").args(args).env("SWITCHBOARD_BIN", server))?.succeeded)
}

/// The server as users run it, built in release.
pub(crate) fn server() -> Result<PathBuf> {
    must(&mut cargo(&["build", "--release", "--package", "switchboard"]))?;
    Ok(root().join("target/release/switchboard"))
}

/// The load tool, built in release.
pub(crate) fn load_tool() -> Result<Command> {
    must(&mut cargo(&["build", "--release", "--package", "switchboard-loadtest"]))?;
    Ok(command(root().join("target/release/switchboard-loadtest")))
}
