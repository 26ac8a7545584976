//! The database of the CQL engine, as the settings say.

use switchboard_store::cql::{self, ConnectError, Cql};

use crate::config;

/// Connects; brings the tables up to date before, if that is wanted.
///
/// # Errors
///
/// Each names the address and the setting that it is about.
pub async fn open(settings: &config::Cql) -> Result<Cql, ConnectError> {
    let place = place(settings);
    if settings.migrate {
        cql::migrate(&place).await?;
    }
    Cql::connect(&place).await
}

/// Makes the keyspace and brings its tables up to what this program needs.
///
/// # Errors
///
/// As [`open`].
pub async fn migrate(settings: &config::Cql) -> Result<(), ConnectError> {
    cql::migrate(&place(settings)).await
}

fn place(settings: &config::Cql) -> cql::Config {
    cql::Config {
        nodes: settings.nodes.clone(),
        keyspace: settings.keyspace.clone(),
        replication: settings.replication,
        retention: match settings.retention {
            config::Retention::Kept => cql::Retention::Kept,
            config::Retention::Days30 => cql::Retention::Days30,
            config::Retention::Days90 => cql::Retention::Days90,
            config::Retention::Days400 => cql::Retention::Days400,
        },
        datacenter: settings.datacenter.clone(),
        credentials: settings.username.clone().zip(settings.password.clone()),
    }
}
