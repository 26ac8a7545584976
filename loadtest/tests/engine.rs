//! The store engine alone, in a process of its own, under the power-cut shim: whatever it acked is
//! there after the cut, in order and whole.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use switchboard_loadtest::powercut::{Cut, Fail, Preload, build_shim, cut};
use switchboard_loadtest::rng::Rng;
use switchboard_loadtest::writer::{stored, text};

const CUTS: u32 = 15;

/// When the power is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// At any time.
    Any,
    /// While a sync is awaited: all of a commit is written and none of it synced.
    AtSync,
}

/// Runs the writer for a while, kills it, and cuts the power; returns the highest position acked in
/// each conversation.
fn run_and_cut(
    shim: &Preload,
    (length, moment): (Duration, Moment),
    rng: &mut Rng,
) -> anyhow::Result<(Vec<u64>, Cut)> {
    let side = shim.side.as_deref().unwrap_or(Path::new(""));
    drop(std::fs::remove_dir_all(side));
    std::fs::create_dir(side)?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard-loadtest"))
        .arg("writer")
        .arg("--data-dir")
        .arg(&shim.watched)
        .envs(shim.environment())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut acked = vec![0; 16];
    let out = child.stdout.take().ok_or_else(|| anyhow::anyhow!("standard output is piped"))?;
    let started = Instant::now();
    let mut killed = false;
    for line in BufReader::new(out).lines() {
        let line = line?;
        let (conversation, seq) = line.split_once(' ').unwrap_or_default();
        if let (Ok(at), Ok(seq)) = (conversation.parse::<usize>(), seq.parse())
            && let Some(highest) = acked.get_mut(at)
        {
            *highest = seq;
        }
        if !killed && started.elapsed() > length {
            if moment == Moment::AtSync {
                hold_a_sync(shim)?;
            }
            child.kill()?;
            killed = true;
        }
    }
    child.wait()?;
    shim.hold_syncs(Fail::No)?;
    Ok((acked, cut(&shim.watched, side, rng)?))
}

fn hold_a_sync(shim: &Preload) -> anyhow::Result<()> {
    let before = shim.counts()?.syncs_held;
    shim.hold_syncs(Fail::Yes)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while shim.counts()?.syncs_held == before {
        anyhow::ensure!(Instant::now() < deadline, "the writer syncs no more");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[tokio::test]
async fn the_engine_loses_nothing_it_acked_in_power_cuts() {
    let seed = Rng::fresh_seed();
    let mut rng = Rng::new(seed);
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let real = root.path().canonicalize().unwrap();
    std::fs::create_dir(real.join("data")).unwrap();
    let shim = Preload {
        library: build_shim(&real).unwrap(),
        watched: real.join("data"),
        side: Some(real.join("side")),
        counts: real.join("counts"),
    };
    let (mut n_acked, mut n_lost) = (0, 0);
    for number in 0..CUTS {
        let length = rng.between(Duration::from_millis(5), Duration::from_millis(400));
        let moment = if number % 2 == 0 { Moment::Any } else { Moment::AtSync };
        let (acked, taken) = run_and_cut(&shim, (length, moment), &mut rng).unwrap();
        n_lost += taken.sectors_lost;
        let all = stored(&shim.watched).await.unwrap();
        for (conversation, (texts, acked)) in (0_u64..).zip(all.iter().zip(acked)) {
            let head = u64::try_from(texts.len()).unwrap() + 1;
            assert!(head >= acked, "seed {seed}, cut {number}: acked {acked}, stored {head}");
            for (seq, stored) in (2..).zip(texts) {
                assert_eq!(*stored, text(conversation, seq), "seed {seed}, cut {number}");
            }
            n_acked = acked.max(n_acked);
        }
    }
    assert!(n_acked > 50, "seed {seed}: only {n_acked} acked in one conversation");
    assert!(n_lost > 0, "seed {seed}: no cut took anything back");
}
