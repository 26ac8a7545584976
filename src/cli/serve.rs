//! `serve`: a node from its start to its last byte.

use std::io::{self, Write as _};

use anyhow::Context as _;
use futures_util::FutureExt as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use tikv_jemalloc_ctl::{Access as _, AsName as _};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Failed, pid};
use crate::config::{Config, Engine};
use crate::node::Node;
use crate::telemetry;

/// How long the allocator keeps pages that nobody uses, in milliseconds. A burst of connections
/// gives its memory back within a second; keeping it for the next burst would look like a leak.
const KEPT_MS: isize = 1_000;

/// Serves until a signal or a failure, and drains.
pub(super) fn serve(config: &Config) -> Result<Exit, Failed> {
    telemetry::start(&config.log).map_err(Failed::because)?;
    raise_file_limit();
    give_memory_back();
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("switchboard")
        .build()
        .context("starting the runtime")
        .map_err(Failed::because)?;
    runtime.block_on(Box::pin(live(config)))
}

async fn live(config: &Config) -> Result<Exit, Failed> {
    // Before the node starts, so that no signal is missed.
    let mut signals =
        Signals::listen().context("listening for signals").map_err(Failed::because)?;
    let node = tokio::select! {
        node = Box::pin(Node::start(config.clone())) => node.map_err(Failed::because)?,
        // A start may wait for the lease of a life before it.
        () = signals.next() => return Ok(Exit::Done),
    };
    let pid_file = match config.store.engine {
        Engine::Embedded => Some(pid::File::write(&config.store.data_dir)?),
        Engine::Cql | Engine::Memory => None,
    };
    announce(config, &node)?;
    let exit = tokio::select! {
        () = signals.next() => Exit::Done,
        failure = node.failed() => {
            tracing::error!(error = &failure as &dyn std::error::Error, "the node failed");
            Exit::Broken
        }
    };
    // After a failure nothing is acknowledged any more: clients had better come back at once.
    let hurry = async {
        if exit == Exit::Done {
            signals.next().await;
        }
    };
    node.stop(hurry.fuse()).await;
    drop(pid_file);
    Ok(exit)
}

/// Says where to look, for people and for scripts that took a free port.
fn announce(config: &Config, node: &Node) -> io::Result<()> {
    let scheme = if config.server.tls().is_some() { "https" } else { "http" };
    let mut out = io::stdout();
    writeln!(out, "listening on {scheme}://{}", node.address())?;
    if config.server.demo {
        writeln!(out, "demo page    {scheme}://{}/demo", node.address())?;
        writeln!(out, "console      {scheme}://{}/console", node.address())?;
    }
    if let Some(setup) = node.setup() {
        writeln!(out, "Set up Switchboard: {setup}")?;
    }
    writeln!(out, "operations   http://{}/metrics", node.ops_address())?;
    out.flush()
}

/// Told to stop, by a supervisor or by a person.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { terminate, interrupt })
    }

    /// The next one. Cancel safe.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Each connection is an open file: take as many as the system lets us have.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        let error = io::Error::from(error);
        tracing::warn!(error = &error as &dyn std::error::Error, "the limit of open files stays");
    }
}

/// Sets the allocator so that what a burst took is given back. Called before the runtime, for
/// its threads' arenas begin with what is set here.
fn give_memory_back() {
    for name in ["arenas.dirty_decay_ms\0", "arenas.muzzy_decay_ms\0"] {
        if let Err(error) = name.name().write(KEPT_MS) {
            tracing::warn!(error = %error, name, "the allocator keeps its own time");
        }
    }
    if let Err(error) = tikv_jemalloc_ctl::background_thread::write(true) {
        tracing::warn!(error = %error, "the allocator frees without a thread of its own");
    }
}
