//! A directory in memory, with a clock that tests turn by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use switchboard_actors::clock::Clock;
use switchboard_domain::ids::{TenantId, Timestamp};
use switchboard_store::memory::Memory;
use uuid::Uuid;

use super::Directory;

/// Where every test's clock begins, in seconds.
pub(crate) const START_S: i64 = 1_700_000_000;

/// A clock that stands until it is turned.
#[derive(Debug)]
pub(crate) struct HandClock {
    now: AtomicI64,
    ids: AtomicU64,
}

impl Default for HandClock {
    fn default() -> Self {
        Self { now: AtomicI64::new(START_S * 1_000), ids: AtomicU64::new(1) }
    }
}

impl HandClock {
    pub(crate) fn turn_ms(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    fn fresh_id(&self) -> Uuid {
        let millis = self.now().0.cast_unsigned();
        let n = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&n.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// A tenant by name.
pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId(name.into())
}

/// What a test needs.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) store: Memory,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) directory: Directory,
}

impl Setup {
    /// An empty store with the tenants `acme` and `other`.
    pub(crate) async fn new() -> Self {
        let (store, clock) = (Memory::new(), Arc::new(HandClock::default()));
        let directory = open(&store, &clock).await;
        Self { store, clock, directory }
    }

    /// A moment after the last one.
    pub(crate) fn tick(&self) -> Timestamp {
        self.clock.turn_ms(1);
        self.clock.now()
    }

    /// The directory as a restarted process finds it.
    pub(crate) async fn restart(&mut self) {
        self.directory = open(&self.store, &self.clock).await;
    }
}

async fn open(store: &Memory, clock: &Arc<HandClock>) -> Directory {
    let tenants = ["acme", "other"].map(tenant);
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Directory::open(Arc::new(store.clone()), clock, tenants).await.unwrap()
}
