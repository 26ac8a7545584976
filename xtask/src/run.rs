//! Running other programs: output is shown as it comes and kept for counting.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Prints a line.
pub(crate) fn say(line: &str) {
    // A closed pipe on our own output is no reason to stop checking.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) succeeded: bool,
    pub(crate) output: String,
}

/// Runs a program in the project's root, shows its output and keeps what it wrote to stdout.
pub(crate) fn run(command: &mut Command) -> Result<Ran> {
    say(&format!("$ {}", line_of(command)));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", line_of(command)))?;
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("reading output")?;
            let line = String::from_utf8_lossy(&line);
            say(&line);
            output.push_str(&line);
            output.push('\n');
        }
    }
    let status = child.wait().context("waiting for a program")?;
    Ok(Ran { succeeded: status.success(), output })
}

/// Runs a program that must succeed.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    if !run(command)?.succeeded {
        bail!("{} failed", line_of(command));
    }
    Ok(())
}

/// A command in the project's root.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// `cargo` in the project's root, the same that runs us.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut cargo = command(env!("CARGO"));
    cargo.args(args);
    cargo
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
