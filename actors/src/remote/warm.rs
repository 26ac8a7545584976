//! What conversations hand on to the next owner of their shard, so that it need not read them.
//!
//! The giver collects it while a shard is settled, after everything was written, and sends it ahead
//! of the word that the shard was given. The receiver keeps it for a while, and begins a
//! conversation with it once, if it claims the very epoch after the one given. Bounded on both
//! sides (P7): what does not fit, does not come or is not understood is read from the log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_cluster::ownership::Epoch;
use switchboard_cluster::shard::Shard;
use switchboard_domain::conversation::Conversation;
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;
use switchboard_store::{ConversationKey, HandOn};
use tokio::time::Instant;

use super::form::{Form, fields};
use crate::maps::HashMap;
use crate::region::shard as shard_of;

/// Conversations that are handed on with one shard: a busy node has some dozens in memory.
const CONVERSATIONS_MAX: usize = 128;
/// Their bytes: a quarter of an envelope, so that the word behind it is not late.
const BYTES_MAX: usize = 256 * 1024;
/// Bytes that were handed on to this node and wait to be used.
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long they wait. Whoever was talked to when the shard left is asked for within seconds.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// A conversation as its last owner left it.
#[derive(Clone, Debug)]
pub(crate) struct Warm {
    /// What stood in the store.
    pub(crate) handed: HandOn,
    /// With the memory of safe retries.
    pub(crate) state: Arc<Conversation>,
    /// How far everybody has got; `None` when nobody asked for it.
    pub(crate) receipts: Option<Vec<(Principal, Receipt)>>,
}

fields!(HandOn { epoch, starts, heads });
fields!(Warm { handed, state, receipts });

/// Conversations in their written form, by key.
pub(super) type Written = Vec<(ConversationKey, Bytes)>;

/// What leaves with shards, and what came with them.
#[derive(Debug, Default)]
pub(super) struct HandOns {
    leaving: Mutex<HashMap<Shard, Leaving>>,
    kept: Mutex<HashMap<Shard, Kept>>,
}

#[derive(Debug)]
struct Leaving {
    epoch: Epoch,
    since: Instant,
    bytes: usize,
    conversations: Written,
}

#[derive(Debug)]
struct Kept {
    /// Under which the shard was given away.
    epoch: Epoch,
    since: Instant,
    conversations: HashMap<ConversationKey, Bytes>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.conversations.values().map(Bytes::len).sum()
    }
}

impl HandOns {
    /// A shard is being settled: what its conversations hand on is collected from now on.
    pub(super) fn begin(&self, shard: Shard, epoch: Epoch) {
        self.forget(shard);
        let since = Instant::now();
        let leaving = Leaving { epoch, since, bytes: 0, conversations: Vec::new() };
        self.leaving.lock().insert(shard, leaving);
    }

    pub(super) fn is_leaving(&self, shard: Shard, epoch: Epoch) -> bool {
        self.leaving.lock().get(&shard).is_some_and(|it| it.epoch == epoch)
    }

    /// Takes in what a conversation hands on, as long as there is room.
    pub(super) fn collect(&self, shard: Shard, epoch: Epoch, key: &ConversationKey, warm: &Warm) {
        let mut bytes = Vec::with_capacity(1024);
        warm.put(&mut bytes);
        let mut leaving = self.leaving.lock();
        let Some(leaving) = leaving.get_mut(&shard).filter(|it| it.epoch == epoch) else { return };
        let has_room = leaving.conversations.len() < CONVERSATIONS_MAX;
        if has_room && leaving.bytes + bytes.len() <= BYTES_MAX {
            leaving.bytes += bytes.len();
            leaving.conversations.push((key.clone(), bytes.into()));
        }
    }

    /// What leaves with a shard that was given away under that epoch.
    pub(super) fn take(&self, shard: Shard, epoch: Epoch) -> Written {
        let leaving = self.leaving.lock().remove(&shard).filter(|it| it.epoch == epoch);
        leaving.map(|it| it.conversations).unwrap_or_default()
    }

    /// Keeps what came with a shard, unless too much waits already.
    pub(super) fn keep(&self, shard: Shard, epoch: Epoch, conversations: Written) {
        let conversations = conversations.into_iter().collect();
        let came = Kept { epoch, since: Instant::now(), conversations };
        let mut kept = self.kept.lock();
        kept.remove(&shard);
        if kept.values().map(Kept::bytes).sum::<usize>() + came.bytes() <= KEPT_BYTES_MAX {
            kept.insert(shard, came);
        }
    }

    /// What a conversation may begin with under that epoch, once; `None` if it must be read.
    pub(super) fn use_up(&self, key: &ConversationKey, epoch: Epoch) -> Option<Warm> {
        let mut kept = self.kept.lock();
        let it =
            kept.get_mut(&shard_of(key)).filter(|it| it.epoch.0.checked_add(1) == Some(epoch.0))?;
        let bytes = it.conversations.remove(key)?;
        drop(kept);
        let mut rest = &bytes[..];
        let warm = Warm::take(&mut rest).filter(|_| rest.is_empty())?;
        let is_whole = warm.state.id == key.conversation && warm.state.heads == warm.handed.heads;
        is_whole.then_some(warm)
    }

    /// A shard was claimed under that epoch: what came with another is of no use any more.
    pub(super) fn claimed(&self, shard: Shard, epoch: Epoch) {
        let is_of = |kept: &Kept| kept.epoch.0.checked_add(1) == Some(epoch.0);
        self.kept.lock().retain(|of, kept| *of != shard || is_of(kept));
    }

    /// Nothing of a shard is of use any more.
    pub(super) fn forget(&self, shard: Shard) {
        self.leaving.lock().remove(&shard);
        self.kept.lock().remove(&shard);
    }

    /// Nothing of any is.
    pub(super) fn forget_all(&self) {
        *self.leaving.lock() = HashMap::default();
        *self.kept.lock() = HashMap::default();
    }

    /// Drops what has waited for too long.
    pub(super) fn expire(&self) {
        self.leaving.lock().retain(|_, leaving| leaving.since.elapsed() < KEPT_FOR);
        self.kept.lock().retain(|_, kept| kept.since.elapsed() < KEPT_FOR);
    }
}

#[cfg(test)]
pub(super) mod tests;
