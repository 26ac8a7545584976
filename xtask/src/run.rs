//! Running other programs: output is shown as it comes and kept for counting.

use std::io::{BufRead, BufReader, Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// What programs that failed wrote last, to be told again at the end of the run.
static FAILURES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Lines of a failed program that are told again: those that speak of failure, and the last ones.
const TELLING_MAX: usize = 60;
const LAST: usize = 25;

fn failed(program: &str, output: &str) {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    failures.push(format!("-- {program}\n{}", excerpt(output)));
}

/// What failed so far; the next call starts afresh.
pub(crate) fn failures() -> Vec<String> {
    std::mem::take(&mut *FAILURES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The lines that say what went wrong, in order: not hundreds of tests that passed.
fn excerpt(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let last = lines.len().saturating_sub(LAST);
    let speaks = |line: &str| {
        ["FAIL", "panicked at", "error:", "error[", "Error:", "×"]
            .iter()
            .any(|sign| line.contains(sign))
    };
    let telling = lines[..last].iter().filter(|line| speaks(line)).take(TELLING_MAX);
    let kept: Vec<&str> = telling.chain(&lines[last..]).copied().collect();
    kept.join("\n")
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
    /// Both outputs, as they came.
    pub(crate) output: String,
}

/// Runs a program in the project's root, shows what it writes to either output and keeps it.
pub(crate) fn run(command: &mut Command) -> Result<Ran> {
    let line = line_of(command);
    say(&format!("$ {line}"));
    // One pipe for both outputs, so that an error stands where it happened.
    let (reader, writer) = pipe().context("making a pipe")?;
    command.stdin(Stdio::null());
    command.stdout(writer.try_clone().context("sharing a pipe")?).stderr(writer);
    let started = command.spawn().with_context(|| format!("starting {line}"));
    // Our own ends of the pipe would keep it open for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = started?;
    let mut output = String::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("reading output")?;
        let line = String::from_utf8_lossy(&line);
        say(&line);
        output.push_str(&line);
        output.push('\n');
    }
    let status = child.wait().context("waiting for a program")?;
    let succeeded = status.success();
    if !succeeded {
        failed(&line, &output);
    }
    Ok(Ran { succeeded, output })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_are_kept_in_order() {
        let mut shell = command("sh");
        let ran = run(shell.args(["-c", "echo one; echo two >&2; echo three"])).unwrap();
        assert!(ran.succeeded);
        assert_eq!(ran.output, "one\ntwo\nthree\n");
    }

    #[test]
    fn what_speaks_of_failure_is_told_again() {
        let passed = "test a ... ok\n".repeat(200);
        let output = format!("{passed}test b ... FAILED\n{passed}the end");
        let told = excerpt(&output);
        assert_eq!(told.lines().next(), Some("test b ... FAILED"));
        assert_eq!(told.lines().last(), Some("the end"));
        assert_eq!(told.lines().count(), 1 + LAST);
    }
}
