//! What happened in a run, in order: summed up, so that two runs can be compared, and kept line by
//! line where somebody wants to read it.

use std::fmt::Write as _;
use std::time::Duration;

use xxhash_rust::xxh3::Xxh3;

pub(crate) struct Trace {
    sum: Xxh3,
    events: u64,
    line: String,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(keeps_lines: bool) -> Self {
        let lines = keeps_lines.then(Vec::new);
        Self { sum: Xxh3::new(), events: 0, line: String::new(), lines }
    }

    /// Takes down one event.
    pub(crate) fn add(&mut self, at: Duration, what: std::fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a string does not fail.
        let _written = writeln!(self.line, "{:>9} {what}", at.as_micros());
        self.sum.update(self.line.as_bytes());
        self.events += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.trim_end().to_owned());
        }
    }

    /// How many events there were, and their sum.
    pub(crate) fn sum(&self) -> (u64, u64) {
        (self.events, self.sum.digest())
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

/// A short name for bytes.
pub(crate) fn print_of(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}
