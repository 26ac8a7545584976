//! What the embedded engine tells: the implementation of its meter.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use switchboard_store::embedded::{Commit, Meter};

use super::{Catalog, Sizes, Times};

/// Writes of the store.
#[derive(Debug)]
pub struct Store {
    batched: Sizes,
    bytes: Counter,
    committed: Times,
    waited: Times,
    checkpointed: Times,
    refused: Counter,
}

impl Store {
    pub(super) fn new(catalog: &mut Catalog) -> Self {
        Self {
            batched: catalog.sizes(
                "commits_batched",
                "writes",
                "Writes that shared a transaction and its fsync",
            ),
            bytes: catalog.counter("commits_written_bytes", "Bytes of records made durable"),
            committed: catalog
                .times("commits_synced", "From the begin of a transaction until it was synced"),
            waited: catalog
                .times("commits_waited", "How long the first write of a batch had waited"),
            checkpointed: catalog
                .times("store_checkpointed", "Carrying the write-ahead log over into the database"),
            refused: catalog
                .counter("store_calls_refused", "Calls refused because too many waited"),
        }
    }
}

impl Meter for Store {
    fn committed(&self, commit: Commit) {
        self.batched.observe(commit.jobs);
        self.bytes.inc_by(u64::try_from(commit.bytes).unwrap_or(u64::MAX));
        self.committed.observe(commit.took);
        self.waited.observe(commit.waited);
    }

    fn checkpointed(&self, took: Duration) {
        self.checkpointed.observe(took);
    }

    fn refused(&self) {
        self.refused.inc();
    }
}
