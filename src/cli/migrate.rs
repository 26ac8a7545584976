//! `migrate`: the tables of a shared database, before the first start and after an upgrade.

use super::{Exit, Failed, say};
use crate::config::{Config, Engine};

/// Brings the tables up to date. The embedded engine does so by itself when it opens them.
pub(super) fn migrate(config: &Config) -> Result<Exit, Failed> {
    match config.store.engine {
        Engine::Cql => shared(config),
        Engine::Embedded | Engine::Memory => {
            say(format_args!("nothing to do: a start brings the embedded tables up to date"))
        }
    }
}

#[cfg(feature = "cql")]
fn shared(config: &Config) -> Result<Exit, Failed> {
    use anyhow::Context as _;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
        .map_err(Failed::because)?;
    let migrated = runtime.block_on(Box::pin(crate::database::migrate(&config.cql)));
    migrated.map_err(Failed::because)?;
    say(format_args!("the tables of keyspace {} are up to date", config.cql.keyspace))
}

#[cfg(not(feature = "cql"))]
fn shared(config: &Config) -> Result<Exit, Failed> {
    // Checking has refused it.
    config.check()?;
    Ok(Exit::Settings)
}
