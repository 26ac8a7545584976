//! What passed and what failed: the counts that the last line of the test command tells.

use std::time::{Duration, Instant};

use crate::run::{failures, say};

/// What one step counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// What this machine could not do, and said so.
    pub(crate) skipped: u64,
}

impl Counts {
    /// A step that is a single check.
    pub(crate) const fn single(passed: bool) -> Self {
        let (passed, failed) = if passed { (1, 0) } else { (0, 1) };
        Self { passed, failed, skipped: 0 }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// The steps of a run, in order.
#[derive(Debug)]
pub(crate) struct Report {
    started: Instant,
    steps: Vec<(String, Counts, Duration)>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), steps: Vec::new() }
    }

    /// Enters what a step counted and tells it.
    pub(crate) fn add(&mut self, name: &str, counts: Counts, took: Duration) {
        say(&step_line(name, counts, took));
        self.steps.push((name.to_owned(), counts, took));
    }

    /// Tells again what failed and how each step went, then the totals on a line of their own; whether
    /// all passed.
    pub(crate) fn finish(&self) -> bool {
        say("");
        for failure in failures() {
            say(&failure);
            say("");
        }
        for (name, counts, took) in &self.steps {
            say(&step_line(name, *counts, *took));
        }
        let total = self.steps.iter().fold(Counts::default(), |sum, step| sum.plus(step.1));
        say(&format!("all steps took {} s", self.started.elapsed().as_secs()));
        let skipped = match total.skipped {
            0 => String::new(),
            skipped => format!(", {skipped} skipped"),
        };
        say(&format!("{} passed, {} failed{skipped}", total.passed, total.failed));
        total.failed == 0 && total.passed > 0
    }
}

/// A report of one check.
pub(crate) fn alone(name: &str, problems: Vec<String>) -> bool {
    let mut report = Report::new();
    let counts = Counts::single(problems.is_empty());
    for problem in problems {
        say(&problem);
    }
    report.add(name, counts, Duration::ZERO);
    report.finish()
}

fn step_line(name: &str, counts: Counts, took: Duration) -> String {
    let mark = if counts.failed == 0 { "ok  " } else { "FAIL" };
    format!(
        "{mark} {name:<28} {:>5} passed {:>3} failed {:>5} s",
        counts.passed,
        counts.failed,
        took.as_secs()
    )
}

/// Adds up the test counts that a tool printed: cargo's `test result:` lines; without any,
/// vitest's `Tests` line and `N passed, N failed` lines, which one word with a colon may begin.
/// `None` when the output has no such line.
pub(crate) fn counts_in(output: &str) -> Option<Counts> {
    // Tests of our own reports print such reports.
    let by_cargo = output.lines().filter(|line| line.starts_with("test result:"));
    let by_cargo = by_cargo.filter_map(counts_of_line).reduce(Counts::plus);
    by_cargo.or_else(|| output.lines().filter_map(counts_of_line).reduce(Counts::plus))
}

fn counts_of_line(line: &str) -> Option<Counts> {
    let line = without_colour(line);
    let line = line.trim();
    let counted = line
        .strip_prefix("test result:")
        .or_else(|| line.strip_prefix("Tests "))
        .or_else(|| plain_counts(line))?;
    let number_before = |word: &str| {
        let before = &counted[..counted.find(word)?];
        before.split_whitespace().next_back()?.parse::<u64>().ok()
    };
    match (number_before("passed"), number_before("failed")) {
        (None, None) => None,
        (passed, failed) => Some(Counts {
            passed: passed.unwrap_or(0),
            failed: failed.unwrap_or(0),
            skipped: number_before("skipped").unwrap_or(0),
        }),
    }
}

/// `3 passed, 0 failed`, or the same after a word and a colon.
fn plain_counts(line: &str) -> Option<&str> {
    let counts = match line.split_once(": ") {
        Some((word, counts)) if !word.contains(' ') => counts,
        _ => line,
    };
    counts.starts_with(|c: char| c.is_ascii_digit()).then_some(counts)
}

fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, expected: Option<(u64, u64)>) {
        let counts = counts_in(output).map(|counts| (counts.passed, counts.failed));
        assert_eq!(counts, expected);
    }

    #[test]
    fn what_was_skipped_is_counted_and_is_no_failure() {
        let counts = counts_in("faults: 0 passed, 0 failed, 1 skipped: needs root");
        assert_eq!(counts, Some(Counts { passed: 0, failed: 0, skipped: 1 }));
    }

    #[test]
    fn counts_of_every_tool_are_read() {
        check(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured\ntest result: FAILED. 3 passed; 2 failed; 0 ignored",
            Some((15, 2)),
        );
        check("      Tests  18 passed (18)\n", Some((18, 0)));
        check(
            "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[31m1 failed\u{1b}[39m | \u{1b}[32m4 passed\u{1b}[39m (5)",
            Some((4, 1)),
        );
        check("red: 1 passed, 1 failed\ntest result: ok. 4 passed; 0 failed", Some((4, 0)));
        check("7 passed, 1 failed", Some((7, 1)));
        check("kill: 7 passed, 0 failed", Some((7, 0)));
    }

    #[test]
    fn output_without_counts_has_none() {
        check("building\nall tests passed\n", None);
    }
}
