//! What the engine's tests need beyond the port.

use std::fmt::Write;

use futures_util::future::try_join_all;

use super::{Config, Cql};
#[cfg(feature = "sabotage")]
use super::{ConnectError, sabotage::Sabotage};
use crate::port::{ConversationKey, Fault};
use crate::record::{CHECKPOINT_VERSION, CheckpointPlace, of_version};

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

/// Those whose rows are written with times that follow the heads.
const TIMED_BY_HEADS: &[&str] = &["conversation_card", "conversation_number", "list_entry"];

impl Cql {
    /// Connects an engine in which these faults are planted.
    ///
    /// # Errors
    ///
    /// As [`Cql::connect`].
    #[cfg(feature = "sabotage")]
    pub async fn connect_sabotaged(config: &Config, names: &str) -> Result<Self, ConnectError> {
        Self::connect_with(config, Sabotage::named(names)).await
    }

    /// Empties every table, so that the next test finds nothing.
    ///
    /// # Errors
    ///
    /// When the database refuses.
    pub async fn empty(&self, config: &Config) -> Result<(), Fault> {
        let truncates: Vec<_> =
            TABLES.iter().map(|table| self.empty_table(config, table)).collect();
        try_join_all(truncates).await?;
        self.engine.logs.forget_all();
        Ok(())
    }

    /// To find a table empty takes a hundredth of the time that it takes to make it so. But where
    /// times follow heads, what was deleted of one test hides what the next one writes at the
    /// same heads, so these are made empty in any case.
    async fn empty_table(&self, config: &Config, table: &str) -> Result<(), Fault> {
        let (database, keyspace) = (&self.engine.database, &config.keyspace);
        let hides = TIMED_BY_HEADS.contains(&table);
        let is_used =
            hides || database.run(format!("SELECT * FROM {keyspace}.{table} LIMIT 1")).await? > 0;
        if is_used {
            database.run(format!("TRUNCATE {keyspace}.{table}")).await?;
        }
        Ok(())
    }

    /// How many rows a test's own question finds.
    ///
    /// # Errors
    ///
    /// When the database refuses.
    pub async fn count(&self, cql: &str) -> Result<usize, Fault> {
        self.engine.database.run(cql.into()).await
    }

    /// Runs a statement of a test's own, with the keyspace already in use.
    ///
    /// # Errors
    ///
    /// When the database refuses.
    pub async fn run(&self, cql: &str) -> Result<(), Fault> {
        self.engine.database.run(cql.into()).await.map(drop)
    }

    /// The record of a card, as stored.
    ///
    /// # Errors
    ///
    /// When the database refuses, or there is none.
    pub async fn card_record(&self, key: &ConversationKey) -> Result<Vec<u8>, Fault> {
        let (database, values) = (&self.engine.database, (&*key.tenant.0, key.conversation.uuid()));
        let row: Option<(i64, i64, Vec<u8>)> = database.row(&database.of.card, values).await?;
        row.map(|(.., record)| record).ok_or(Fault::Changed)
    }

    /// Writes the card again as a program of the next version would; answers its record.
    ///
    /// # Errors
    ///
    /// As [`Self::card_record`].
    pub async fn renew_card(&self, key: &ConversationKey) -> Result<Vec<u8>, Fault> {
        let record = self.card_record(key).await?;
        let newer = of_version(&CheckpointPlace(key), &record, CHECKPOINT_VERSION + 1);
        let mut hex = String::new();
        for byte in &newer {
            // A string takes every write.
            let _written = write!(hex, "{byte:02x}");
        }
        let (tenant, id) = (&key.tenant, key.conversation);
        self.run(&format!(
            "UPDATE conversation_card SET record = 0x{hex} \
             WHERE tenant = '{tenant}' AND conversation = {id}"
        ))
        .await?;
        Ok(newer)
    }
}
