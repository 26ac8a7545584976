//! The shim and the cut are proven on a program of our own before they judge the server.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::rng::Rng;

const PROBE: &str = include_str!("../../powercut/probe.c");

struct Rig {
    root: tempfile::TempDir,
    preload: Preload,
    probe: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let real = root.path().canonicalize().unwrap();
        let (watched, side) = (real.join("watched"), real.join("side"));
        std::fs::create_dir(&watched).unwrap();
        let probe = real.join("probe");
        compile(PROBE, &[], &real, &probe).unwrap();
        let library = build_shim(&real).unwrap();
        let counts = real.join("counts");
        Self { root, preload: Preload { library, watched, side: Some(side), counts }, probe }
    }

    fn side(&self) -> &Path {
        self.preload.side.as_deref().unwrap()
    }

    /// Runs the probe until it has said `n` records, kills it, and cuts the power.
    /// Returns the last record and the last mark it said.
    fn run_and_cut(&self, mode: &str, n: usize, rng: &mut Rng) -> (u64, u64, Cut) {
        drop(std::fs::remove_dir_all(self.side()));
        std::fs::create_dir(self.side()).unwrap();
        let mut child = Command::new(&self.probe)
            .arg(&self.preload.watched)
            .arg(mode)
            .envs(self.preload.environment())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut last, mut mark) = (0, 0);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.by_ref().take(n) {
            let line = line.unwrap();
            let number = line.trim_start_matches("mark ").trim().parse().unwrap();
            if line.starts_with("mark") {
                mark = number;
            }
            last = number;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What the pipe still held was said before the kill.
        for line in lines {
            let Ok(line) = line else { break };
            if let Ok(number) = line.trim_start_matches("mark ").trim().parse() {
                last = number;
                if line.starts_with("mark") {
                    mark = number;
                }
            }
        }
        (last, mark, cut(&self.preload.watched, self.side(), rng).unwrap())
    }

    /// The highest number up to which every record is intact, and the number in the mark.
    fn intact(&self) -> (u64, u64) {
        let log = std::fs::read(self.preload.watched.join("log")).unwrap_or_default();
        let whole = log
            .chunks_exact(16)
            .zip(1_u64..)
            .take_while(|(record, number)| *record == format!("{number:015}\n").as_bytes());
        let mark = std::fs::read_to_string(self.preload.watched.join("mark")).unwrap_or_default();
        (u64::try_from(whole.count()).unwrap(), mark.trim().parse().unwrap_or(0))
    }

    fn wipe(&self) {
        std::fs::remove_dir_all(&self.preload.watched).unwrap();
        std::fs::create_dir(&self.preload.watched).unwrap();
    }
}

#[test]
fn a_program_that_syncs_loses_nothing_in_30_cuts() {
    let rig = Rig::new();
    let mut rng = Rng::new(11);
    for n in 0..30 {
        let (last, mark, _) = rig.run_and_cut("sync", 20 + n * 7, &mut rng);
        let (log, marked) = rig.intact();
        assert!(log >= last, "cut {n}: said {last}, kept {log}");
        assert!(marked >= mark, "cut {n}: said mark {mark}, kept {marked}");
        // The next run counts on from whole records; a torn tail would be the program's to cut.
        rig.wipe();
    }
    assert!(rig.preload.counts().unwrap().syncs > 600, "the shim counts syncs");
    drop(rig.root);
}

#[test]
fn a_program_that_does_not_sync_loses_records_and_names() {
    let rig = Rig::new();
    let mut rng = Rng::new(12);
    let (mut losing_cuts, mut names_lost, mut marks_lost) = (0, 0, 0);
    for n in 0..30 {
        let (last, mark, cut) = rig.run_and_cut("nosync", 100 + n * 11, &mut rng);
        let (log, marked) = rig.intact();
        losing_cuts += u64::from(log < last);
        marks_lost += u64::from(marked < mark);
        names_lost += cut.names_lost;
        rig.wipe();
    }
    assert!(losing_cuts >= 15, "{losing_cuts} of 30 cuts lost something");
    assert!(names_lost > 0 && marks_lost > 0, "{names_lost} names, {marks_lost} marks");
    assert_eq!(rig.preload.counts().unwrap().syncs, 0);
}

#[test]
fn syncs_and_space_fail_on_command() {
    for (sabotage, word) in [("sync", "fdatasync"), ("space", "write")] {
        let rig = Rig::new();
        std::fs::create_dir(rig.side()).unwrap();
        let mut child = Command::new(&rig.probe)
            .arg(&rig.preload.watched)
            .arg("sync")
            .envs(rig.preload.environment())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        match sabotage {
            "sync" => rig.preload.fail_syncs(Fail::Yes).unwrap(),
            _ => rig.preload.fail_space(Fail::Yes).unwrap(),
        }
        assert!(lines.count() < 1_000_000);
        let end = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&end.stderr).into_owned();
        assert!(said.contains(word) || said.contains("fsync") || said.contains("mark"), "{said}");
        assert_eq!(end.status.code(), Some(1));
    }
}
