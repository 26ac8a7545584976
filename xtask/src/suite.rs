//! The test command: every check, cheapest first, all of them even if one fails.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::report::{Counts, Report, counts_in};
use crate::run::{cargo, command, root, run, say};
use crate::{campaign, cql, tidy, tools};

/// A step's name and what it does.
type Step = (&'static str, fn() -> Result<Counts>);

const STEPS: &[Step] = &[
    ("format", || single(&mut cargo(&["fmt", "--all", "--check"]))),
    ("house rules", house_rules),
    ("lints", || {
        let whole = lint(&["--workspace", "--all-targets", "--test", "cql", "--all-features"])?;
        Ok(whole.plus(lint(&["--package", "switchboard", "--no-default-features"])?))
    }),
    ("tests", || {
        counted(cargo(&["test", "--workspace", "--no-fail-fast"]).env("UI_BUILD", "require"))
    }),
    ("store on CQL", cql::test),
    ("pages", pages),
    ("pages in a browser", browser),
    ("clients in the field", clients),
    ("campaigns", campaign::short),
    ("faults of a cluster", campaign::short_faults),
    ("planted faults", campaign::planted),
    ("bench ratios", campaign::short_bench),
    ("spelling", || single(&mut command(tools::typos()?))),
    ("licences and sources", || {
        let mut deny = command(tools::deny()?);
        single(deny.args(["check", "bans", "licenses", "sources"]))
    }),
];

/// Runs all steps, or those whose name contains `only`; whether all passed.
pub(crate) fn test(only: Option<&str>) -> Result<bool> {
    let mut report = Report::new();
    for (name, step) in STEPS {
        if only.is_some_and(|part| !name.contains(part)) {
            continue;
        }
        say(&format!("\n== {name}"));
        let started = Instant::now();
        let counts = step().unwrap_or_else(|error| {
            say(&format!("{name}: {error:#}"));
            Counts::single(false)
        });
        report.add(name, counts, started.elapsed());
    }
    Ok(report.finish())
}

fn lint(what: &[&str]) -> Result<Counts> {
    single(cargo(&["clippy"]).args(what).args(["--", "-D", "warnings"]))
}

fn house_rules() -> Result<Counts> {
    let problems = tidy::check()?;
    for problem in &problems {
        say(problem);
    }
    Ok(Counts::single(problems.is_empty()))
}

fn pages() -> Result<Counts> {
    tools::node()?;
    let web = root().join("web");
    let installed = single(command("npm").args(["ci", "--ignore-scripts"]).current_dir(&web))?;
    if installed.failed > 0 {
        return Ok(installed);
    }
    counted(command("npm").args(["test"]).current_dir(&web))
}

/// Makes docs/SCREENS.md and its pictures; whether that worked.
pub(crate) fn screens() -> Result<bool> {
    Ok(in_browser("screens")?.failed == 0)
}

fn browser() -> Result<Counts> {
    in_browser("test:browser")
}

/// Clients that the dialects are made for, as their makers ship them.
fn clients() -> Result<Counts> {
    let python = tools::python()?;
    tools::proxies()?;
    counted(script("test:clients")?.env("PYTHON_BIN", python))
}

fn in_browser(name: &str) -> Result<Counts> {
    counted(&mut script(name)?)
}

/// A script of the pages' package that drives the server as users run it, with a browser.
fn script(name: &str) -> Result<Command> {
    let chromium = tools::chromium()?;
    let server = campaign::server()?;
    let mut npm = command("npm");
    npm.args(["run", name]).current_dir(root().join("web"));
    npm.env("SWITCHBOARD_BIN", server).env("CHROMIUM_BIN", chromium);
    Ok(npm)
}

/// A program that is one check.
fn single(command: &mut Command) -> Result<Counts> {
    Ok(Counts::single(run(command)?.succeeded))
}

/// A program that counts its tests itself; without any count it has failed.
pub(crate) fn counted(command: &mut Command) -> Result<Counts> {
    let ran = run(command)?;
    let counts = counts_in(&ran.output).unwrap_or(Counts::single(false));
    Ok(Counts { failed: counts.failed.max(u64::from(!ran.succeeded)), ..counts })
}
