//! What the engine's tests need beyond the port.

use futures_util::future::try_join_all;

use super::{Config, Cql};
use crate::port::Fault;

/// Every table that tests write.
const TABLES: &[&str] = &[
    "event_kept",
    "event_30d",
    "conversation_head",
    "conversation_card",
    "conversation_behind",
    "list_entry",
    "list_bucket",
    "conversation_number",
    "receipt",
    "document",
    "number_block",
    "node_lease",
    "shard_owner",
];

impl Cql {
    /// Empties every table, so that the next test finds nothing.
    ///
    /// # Errors
    ///
    /// When the database refuses.
    pub async fn empty(&self, config: &Config) -> Result<(), Fault> {
        let keyspace = &config.keyspace;
        let truncate = |table| self.engine.database.run(format!("TRUNCATE {keyspace}.{table}"));
        let truncates: Vec<_> = TABLES.iter().map(truncate).collect();
        try_join_all(truncates).await?;
        self.engine.logs.forget_all();
        Ok(())
    }

    /// Runs a statement of a test's own, with the keyspace already in use.
    ///
    /// # Errors
    ///
    /// When the database refuses.
    pub async fn run(&self, cql: &str) -> Result<(), Fault> {
        self.engine.database.run(cql.into()).await
    }
}
