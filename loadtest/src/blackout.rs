//! `powercut`: the server runs under the shim; each cut is a SIGKILL at a random moment under load
//! after which a random part of what was never synced is taken back. Nothing acked may be missing.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::checker::check;
use crate::kill::{Sabotage, expect, judge, patience};
use crate::load::{Load, World};
use crate::powercut::{Cut, Fail, Preload, build_shim, cut};
use crate::report::Report;
use crate::rng::Rng;
use crate::server::{Server, scratch};

/// A campaign of power cuts.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// How often to cut the power: 10 is the short form, 50 and more the long one. More often while
    /// nothing was taken back.
    #[arg(long, default_value_t = 10)]
    pub cuts: u32,
    /// Conversations under load.
    #[arg(long, default_value_t = 12)]
    pub conversations: u32,
    /// The seed of a run to repeat.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run the server with this sabotage and demand the finding that belongs to it.
    #[arg(long)]
    pub expect_red: Option<Sabotage>,
}

/// Puts the next start of a server under the shim, with an empty side directory.
pub(crate) fn preload(server: &Server, library: &Path, root: &Path) -> std::io::Result<Preload> {
    let root = root.canonicalize()?;
    let side = root.join("side");
    if side.try_exists()? {
        std::fs::remove_dir_all(&side)?;
    }
    std::fs::create_dir(&side)?;
    Ok(Preload {
        library: library.to_owned(),
        watched: server.data_dir(),
        side: Some(side),
        counts: root.join("counts"),
    })
}

/// A server under load syncs sooner than this.
const HELD_WITHIN: Duration = Duration::from_secs(2);

/// Waits until a sync waits; a sabotaged server may never sync.
async fn hold_a_sync(shim: &Preload) -> anyhow::Result<()> {
    let before = shim.counts()?.syncs_held;
    shim.hold_syncs(Fail::Yes)?;
    let deadline = Instant::now() + HELD_WITHIN;
    while shim.counts()?.syncs_held == before && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// How many times as many cuts as asked for there are at most, while nothing was taken back.
const MORE: u32 = 4;

/// Runs the campaign.
///
/// # Errors
/// When the server cannot be run, or anything was found.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(Rng::fresh_seed);
    let red = args.expect_red.map(|red| format!(", sabotage {}", red.name())).unwrap_or_default();
    let mut report = Report::new(format!(
        "powercut: {} cuts, {} conversations, seed {seed}{red}",
        args.cuts, args.conversations
    ));
    let dir = scratch(&args.server)?;
    let library = build_shim(&dir.path().canonicalize()?)?;
    let mut server = Server::new(&args.server, dir.path())?;
    let mut rng = Rng::new(seed);
    let environment = |shim: &Preload| {
        let sabotage = args.expect_red.map(Sabotage::environment);
        shim.environment().into_iter().chain(sabotage).collect::<Vec<_>>()
    };

    let mut shim = preload(&server, &library, dir.path())?;
    server.set_environment(environment(&shim));
    server.start().await?;
    let world = World::open(server.public, args.conversations).await?;
    let load = Load::start(world.clone());
    world.arm();

    let mut lost = Cut::default();
    let (mut n_dirty, mut n_cuts) = (0, 0);
    // Few cuts of a store that writes little may all have left what they found: then some more.
    let cuts_max = args.cuts.saturating_mul(if args.expect_red.is_some() { 1 } else { MORE });
    while n_cuts < args.cuts || (n_cuts < cuts_max && lost.sectors_lost == 0) {
        n_cuts += 1;
        match world.first_in_flight().await {
            Ok(()) => {}
            // The server that never syncs came up without those who were to send: that is the proof too.
            Err(error) if args.expect_red.is_some() && n_cuts > 1 => {
                report.check("somebody sends after a cut", true, format!("{error:#}"));
                return report.finish();
            }
            Err(error) => return Err(error),
        }
        let delay = rng.between(Duration::from_millis(5), Duration::from_millis(800));
        tokio::time::sleep(delay).await;
        // Every other cut comes at the worst moment: all is written and nothing is synced.
        if n_cuts % 2 == 0 {
            hold_a_sync(&shim).await?;
        }
        server.kill().await?;
        shim.hold_syncs(Fail::No)?;
        let taken = cut(&shim.watched, dir.path().join("side").as_path(), &mut rng)?;
        n_dirty += u32::from(taken.sectors_pending > 0);
        lost.files_pending += taken.files_pending;
        lost.sectors_pending += taken.sectors_pending;
        lost.sectors_lost += taken.sectors_lost;
        lost.names_lost += taken.names_lost;
        shim = preload(&server, &library, dir.path())?;
        server.set_environment(environment(&shim));
        world.arm();
        if let Err(error) = server.start().await {
            // A store that does not open has lost everything; under sabotage that is the proof.
            report.check("store opens after a cut", args.expect_red.is_some(), error.to_string());
            return report.finish();
        }
        if n_cuts % 10 == 0 {
            let acked = world.acked.load(Ordering::Relaxed);
            report.note(format!("{n_cuts} cuts, {acked} acked, {lost:?}"));
        }
        if args.expect_red.is_some() && !world.complaints().is_empty() {
            break;
        }
    }
    let world = load.finish(patience(args.expect_red)).await?;
    let verdict = check(&world.recorder.take());
    let facts = format!(
        "{n_dirty} of {n_cuts} cuts had something unsynced, {} of {} sectors taken back, {} names",
        lost.sectors_lost, lost.sectors_pending, lost.names_lost
    );
    match args.expect_red {
        Some(red) => {
            report.note(facts);
            expect(red, &verdict, &mut report);
        }
        None => {
            report.check("cuts had teeth", lost.sectors_lost > 0, facts);
            judge(&verdict, &world, &server, &mut report);
        }
    }
    drop(server.kill().await);
    report.finish()
}
