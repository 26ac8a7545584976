//! What was done so far: one line of JSON for each slice, and one table of them all.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::strike::Class;
use crate::machine;

/// One slice, as it is written down.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Row {
    pub(super) class: String,
    pub(super) count: u32,
    pub(super) seed: u64,
    pub(super) acked: u64,
    pub(super) unknown: u64,
    pub(super) heard: u64,
    pub(super) stored: u64,
    pub(super) findings: u64,
    /// In milliseconds, like all times.
    pub(super) fail_over: Vec<u64>,
    pub(super) service: Vec<u64>,
    /// p50, p99 and the longest: there are too many to keep.
    pub(super) waits: [u64; 3],
    pub(super) starved: u32,
    pub(super) leases_lost: usize,
}

/// A row with what it was measured on.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Line {
    commit: String,
    databases: u8,
    lease_factor: u8,
    #[serde(flatten)]
    row: Row,
}

/// The slices of this commit and this kind of cluster.
#[derive(Debug)]
pub(super) struct Slices {
    file: Option<PathBuf>,
    commit: String,
    databases: u8,
    lease_factor: u8,
    rows: Vec<Row>,
}

impl Slices {
    /// Those that are written down there, if anywhere.
    pub(super) fn open(file: Option<&Path>, databases: u8, lease_factor: u8) -> Result<Self> {
        let commit = machine::commit();
        let mut rows = Vec::new();
        if let Some(file) = file.filter(|file| file.exists()) {
            let text = std::fs::read_to_string(file)?;
            for line in text.lines().filter(|line| !line.is_empty()) {
                let line: Line = serde_json::from_str(line)
                    .with_context(|| format!("a slice in {}", file.display()))?;
                let of = (&*line.commit, line.databases, line.lease_factor);
                if of == (&*commit, databases, lease_factor) {
                    rows.push(line.row);
                }
            }
        }
        Ok(Self { file: file.map(Path::to_owned), commit, databases, lease_factor, rows })
    }

    /// How many faults of a class were done.
    pub(super) fn done(&self, class: Class) -> u32 {
        self.of(class).map(|row| row.count).sum()
    }

    /// Writes a slice down.
    pub(super) fn add(&mut self, row: Row) -> Result<()> {
        if let Some(path) = &self.file {
            let line = Line {
                commit: self.commit.clone(),
                databases: self.databases,
                lease_factor: self.lease_factor,
                row: row.clone(),
            };
            let mut file = File::options().create(true).append(true).open(path)?;
            writeln!(file, "{}", serde_json::to_string(&line)?)?;
        }
        self.rows.push(row);
        Ok(())
    }

    fn of(&self, class: Class) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.class == class.name())
    }

    /// Everything that was done, a line for each class; times in seconds.
    pub(super) fn table(&self) -> Vec<String> {
        let mut lines = vec![
            "| class | faults | acked | unknown outcomes | heard | stored | findings | taken over \
             after, s: p50 / p99 / longest | served after the fault | a message's longest wait | \
             starved faults, leases |"
                .to_owned(),
            "|---|---|---|---|---|---|---|---|---|---|---|".to_owned(),
        ];
        for class in Class::ALL {
            let rows: Vec<&Row> = self.of(class).collect();
            if rows.is_empty() {
                continue;
            }
            let sum = |of: fn(&Row) -> u64| rows.iter().map(|row| of(row)).sum::<u64>();
            let times = |of: fn(&Row) -> &Vec<u64>| {
                let mut times: Vec<u64> = rows.iter().flat_map(|row| of(row)).copied().collect();
                times.sort_unstable();
                let at = |percent: usize| {
                    let rank = (times.len() * percent).div_ceil(100).max(1);
                    seconds(times.get(rank - 1).copied())
                };
                format!("{} / {} / {}", at(50), at(99), at(100))
            };
            let longest = rows.iter().map(|row| row.waits[2]).max();
            lines.push(format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {}, {} |",
                class.name(),
                sum(|row| row.count.into()),
                sum(|row| row.acked),
                sum(|row| row.unknown),
                sum(|row| row.heard),
                sum(|row| row.stored),
                sum(|row| row.findings),
                times(|row| &row.fail_over),
                times(|row| &row.service),
                seconds(longest),
                sum(|row| row.starved.into()),
                rows.iter().map(|row| row.leases_lost).sum::<usize>(),
            ));
        }
        lines
    }
}

/// Milliseconds as seconds with one place; a dash for none.
fn seconds(millis: Option<u64>) -> String {
    let tenths = |millis: u64| (millis + 50) / 100;
    millis.map_or_else(
        || "–".to_owned(),
        |millis| format!("{}.{}", tenths(millis) / 10, tenths(millis) % 10),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(count: u32) -> Row {
        Row {
            class: "kill".to_owned(),
            count,
            seed: 7,
            acked: 100,
            unknown: 2,
            heard: 200,
            stored: 101,
            findings: 0,
            fail_over: vec![5_940, 6_060],
            service: vec![20],
            waits: [3, 400, 6_100],
            starved: 0,
            leases_lost: 1,
        }
    }

    #[test]
    fn what_was_written_down_is_done_and_is_in_the_table() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("faults.jsonl");
        let mut slices = Slices::open(Some(&file), 1, 3).unwrap();
        slices.add(row(10)).unwrap();
        slices.add(row(5)).unwrap();
        let again = Slices::open(Some(&file), 1, 3).unwrap();
        assert_eq!((again.done(Class::Kill), again.done(Class::Pause)), (15, 0));
        // Of another kind of cluster nothing is known.
        assert_eq!(Slices::open(Some(&file), 3, 3).unwrap().done(Class::Kill), 0);
        let table = again.table();
        let expected = "| kill | 15 | 200 | 4 | 400 | 202 | 0 | 5.9 / 6.1 / 6.1 | 0.0 / 0.0 / 0.0 \
                        | 6.1 | 0, 2 |";
        assert_eq!(table.last().map(String::as_str), Some(expected));
        assert_eq!(table.len(), 3);
    }
}
