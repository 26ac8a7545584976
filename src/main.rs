//! The `switchboard` command.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use switchboard::config::{Config, Environment};
use switchboard::node::Node;
use switchboard::telemetry;
use tokio::signal::unix::{SignalKind, signal};

/// Gives memory back after a burst, which the system's allocator does not.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until told to stop.
    Serve(Serve),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// A file of settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where clients come in.
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
    /// Where metrics and health are read.
    #[arg(long)]
    ops_listen: Option<std::net::SocketAddr>,
    /// The folder of the store.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Seeds demo data; implies `environment = "development"`.
    #[arg(long)]
    demo: bool,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let Command::Serve(serve) = cli.command;
    let mut config = Config::load(serve.config.as_deref(), std::env::vars())?;
    config.server.listen = serve.listen.unwrap_or(config.server.listen);
    config.server.ops_listen = serve.ops_listen.unwrap_or(config.server.ops_listen);
    config.store.data_dir = serve.data_dir.unwrap_or(config.store.data_dir);
    if serve.demo {
        config.server.demo = true;
        config.environment = Environment::Development;
    }
    telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let node = Node::start(config).await?;
        tokio::select! {
            error = node.failed() => return Err(error.into()),
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        node.stop(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
        Ok(())
    })
}
