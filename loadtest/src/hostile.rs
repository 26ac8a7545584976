//! `hostile`: clients that stop reading and clients that send anything but the protocol. The server
//! lives, memory returns, and a pair beside them notices nothing.

mod attacks;
mod bystander;
mod offender;
mod slow;

use std::path::PathBuf;

use bystander::Bystander;

use crate::kill::Sabotage;
use crate::report::Report;
use crate::rng::Rng;
use crate::server::{Server, scratch};

/// A campaign of bad clients.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// Readers that stop reading: 100 is the short form, 1,000 the long one.
    #[arg(long, default_value_t = 100)]
    pub readers: usize,
    /// Frames made by damaging good ones.
    #[arg(long, default_value_t = 500)]
    pub damaged: u32,
    /// The seed of a run to repeat.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run the server with this sabotage and demand that bad frames go unanswered.
    #[arg(long)]
    pub expect_red: Option<Sabotage>,
}

/// Runs the campaign.
///
/// # Errors
/// When the server cannot be run, or anything was found.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(Rng::fresh_seed);
    let mut report = Report::new(format!(
        "hostile: {} readers that stop, {} damaged frames, seed {seed}",
        args.readers, args.damaged
    ));
    let dir = scratch(&args.server)?;
    let mut server = Server::new(&args.server, dir.path())?;
    server.set_environment(args.expect_red.map(Sabotage::environment).into_iter().collect());
    server.start().await?;
    if let Some(red) = args.expect_red {
        let (n_cases, unanswered) = attacks::nonsense(server.public).await?;
        let facts =
            format!("{} of {n_cases} passed over: {}", unanswered.len(), unanswered.join(", "));
        report.check(&format!("red by {}", red.name()), unanswered.len() == n_cases, facts);
        server.kill().await?;
        return report.finish();
    }

    let bystander = Bystander::start(server.public).await?;
    attacks::run(&mut server, args.damaged, &mut Rng::new(seed), &mut report).await?;
    judge(bystander, "beside bad frames", &mut report).await;

    let bystander = Bystander::start(server.public).await?;
    slow::run(&server, args.readers, &mut report).await?;
    judge(bystander, "beside readers that stop", &mut report).await;

    let exited = server.exited();
    report.check("server ran on", exited.is_none(), format!("exit {exited:?}"));
    report.check("panics", server.n_panics() == 0, format!("{} in the log", server.n_panics()));
    drop(server.kill().await);
    report.finish()
}

async fn judge(bystander: Bystander, when: &str, report: &mut Report) {
    match bystander.stop().await {
        Ok(told) => {
            let name = format!("bystander {when}");
            report.check(&name, told.n > 0, told.to_string());
        }
        Err(error) => report.check(&format!("bystander {when}"), false, format!("{error:#}")),
    }
}
