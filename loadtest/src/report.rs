//! What an operator reads: progress lines, one line per check, and the summary at the end.

use std::io::Write;
use std::time::Instant;

/// Writes one line to standard output; a closed pipe is not this program's failure.
pub fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{}", text.as_ref()));
    drop(out.flush());
}

/// The checks of one run: each passes or fails once, in the order they were made.
#[derive(Debug)]
pub struct Report {
    title: String,
    /// Where lines go.
    line: fn(String),
    started: Instant,
    n_passed: usize,
    failed: Vec<String>,
    /// Why nothing could be checked.
    skipped: Option<String>,
}

impl Report {
    /// Starts a run and prints its title.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self::to(line, title.into())
    }

    fn to(line: fn(String), title: String) -> Self {
        line(format!("== {title}"));
        Self {
            title,
            line,
            started: Instant::now(),
            n_passed: 0,
            failed: Vec::new(),
            skipped: None,
        }
    }

    /// Records one check. `facts` says what was seen, whether it passed or failed.
    pub fn check(&mut self, name: &str, passed: bool, facts: impl AsRef<str>) {
        let facts = facts.as_ref();
        (self.line)(format!("{} {name}: {facts}", if passed { "ok  " } else { "FAIL" }));
        if passed {
            self.n_passed += 1;
        } else {
            self.failed.push(format!("{name}: {facts}"));
        }
    }

    /// Says why this machine cannot run it: that is neither a pass nor a failure.
    pub fn skip(&mut self, why: &str) {
        self.skipped = Some(why.to_owned());
    }

    /// A line of progress; it counts for nothing.
    pub fn note(&self, text: impl AsRef<str>) {
        (self.line)(format!(
            "     [{:6.1} s] {}",
            self.started.elapsed().as_secs_f64(),
            text.as_ref()
        ));
    }

    /// The title up to its colon.
    fn name(&self) -> &str {
        self.title.split(':').next().unwrap_or_default()
    }

    /// Prints the failures again and the summary line.
    ///
    /// # Errors
    /// When any check failed, or none was made: a run that checks nothing proves nothing.
    pub fn finish(self) -> anyhow::Result<()> {
        for failure in &self.failed {
            (self.line)(format!("FAIL {failure}"));
        }
        let n_failed = self.failed.len();
        (self.line)(format!("{} took {:.1} s", self.title, self.started.elapsed().as_secs_f64()));
        let skipped = self.skipped.as_ref().map(|why| format!(", 1 skipped: {why}"));
        let (name, n_passed) = (self.name(), self.n_passed);
        let skipped_told = skipped.clone().unwrap_or_default();
        (self.line)(format!("{name}: {n_passed} passed, {n_failed} failed{skipped_told}"));
        anyhow::ensure!(n_failed == 0, "{n_failed} checks failed");
        anyhow::ensure!(self.n_passed > 0 || skipped.is_some(), "nothing was checked");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A red report in the output of green tests would mislead.
    fn report(title: &str) -> Report {
        Report::to(drop, title.to_owned())
    }

    #[test]
    fn a_run_fails_with_one_failed_check_and_without_any() {
        let mut clean = report("clean");
        clean.check("a", true, "");
        assert!(clean.finish().is_ok());
        let mut red = report("red");
        red.check("a", true, "");
        red.check("b", false, "");
        assert!(red.finish().is_err());
        assert!(report("empty").finish().is_err());
        let mut skipped = report("skipped");
        skipped.skip("needs root");
        assert!(skipped.finish().is_ok());
    }
}
