//! What the owner before left behind: checkpoints and lists that are older than the logs of a shard
//! that is served here from now on.
//!
//! Whoever owned it marked what it had not written. Each conversation that is marked is woken, or
//! told if it is awake, and writes its checkpoint: slowly, because nobody waits for it.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_cluster::shard::Shard;
use switchboard_store::{ConversationKey, Fault};

use super::handle::{Handle, Regions};
use super::{Message, shard};

use crate::maps::HashSet;

/// How long no other shard must have come before it begins: they come many at a time.
const QUIET: Duration = Duration::from_secs(1);
/// Conversations woken at once, and how long it rests before the next.
const AT_ONCE: usize = 32;
const REST: Duration = Duration::from_millis(250);
/// Marks read at first, and at most: those of other nodes are among them.
const MARKS: usize = 256;
const MARKS_MAX: usize = 64 * 1024;

/// Shards that came here and were not looked through yet.
#[derive(Debug, Default)]
pub(super) struct Mending(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    claimed: BTreeSet<Shard>,
    is_running: bool,
}

impl Handle {
    /// A shard is served here from now on: what the owner before left behind is made right, in
    /// the background.
    pub fn claimed(&self, shard: Shard) {
        self.look_who_is_home();
        let mut state = self.regions().mending.0.lock();
        state.claimed.insert(shard);
        if !std::mem::replace(&mut state.is_running, true) {
            ractor::concurrency::spawn(run(Arc::downgrade(self.shared())));
        }
    }
}

async fn run(regions: Weak<Regions>) {
    loop {
        let Some(shards) = next(&regions).await else { return };
        let Some(regions) = regions.upgrade() else { return };
        if let Err(fault) = Handle::of(Arc::clone(&regions)).mend(&shards).await {
            tracing::warn!(%fault, "what was left behind could not be read, will try again");
            regions.mending.0.lock().claimed.extend(shards);
        }
    }
}

/// The shards that came, once no others come; `None` when there are none.
async fn next(regions: &Weak<Regions>) -> Option<BTreeSet<Shard>> {
    let mut seen = 0;
    loop {
        tokio::time::sleep(QUIET).await;
        let regions = regions.upgrade()?;
        let mut state = regions.mending.0.lock();
        if state.claimed.is_empty() {
            state.is_running = false;
            return None;
        }
        if state.claimed.len() == seen {
            return Some(std::mem::take(&mut state.claimed));
        }
        seen = state.claimed.len();
    }
}

impl Handle {
    async fn mend(&self, shards: &BTreeSet<Shard>) -> Result<(), Fault> {
        let mut mended = HashSet::default();
        let mut limit = MARKS;
        loop {
            let marked = self.regions().store.dirty(limit).await?;
            let is_all = marked.len() < limit || limit >= MARKS_MAX;
            let ours = marked.into_iter().filter(|key| shards.contains(&shard(key)));
            let ours: Vec<ConversationKey> =
                ours.filter(|key| mended.insert(key.clone())).collect();
            for some in ours.chunks(AT_ONCE) {
                for key in some {
                    self.mend_one(key);
                }
                tokio::time::sleep(REST).await;
            }
            if is_all {
                break;
            }
            // Those of others, or of ours that are awake, stand before the rest.
            limit = limit.saturating_mul(2);
        }
        if !mended.is_empty() {
            tracing::info!(
                conversations = mended.len(),
                "checkpoints of owners before are written"
            );
        }
        Ok(())
    }

    fn mend_one(&self, key: &ConversationKey) {
        // The region looks whether it is still served here. One that is away begins with nothing.
        drop(self.regions().region(key).address.cast(Message::Mend { key: key.clone() }));
    }
}
