//! What nodes say to each other of the shards that change hands.
//!
//! Words only: who owns a shard is in the rows, and every claim expects the row that it was told
//! of. They spare the next owner the wait until it has read the rows again.

use std::sync::atomic::Ordering;

use switchboard_cluster::ownership::{Epoch, NodeName};
use switchboard_cluster::shard::Shard;
use switchboard_store::ConversationKey;

use super::Remote;
use super::form::{Form, variants};
use super::message::Envelope;
use super::warm::{Warm, Written};

/// The version of the transport that knows these words. A node that does not is given shards
/// untold, as soon as it is linked.
const SINCE: u8 = 2;

/// The version that also knows what conversations hand on. A node that does not is given them cold:
/// it reads them.
const WARM_SINCE: u8 = 3;

/// What is said of shards.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// The sender serves whatever it is given.
    Takes,
    /// The sender gave a shard away under that epoch, for the receiver to have.
    Given { shard: u16, epoch: u64 },
    /// What conversations of a shard hand on that the sender is about to say it gave.
    Warm { shard: u16, epoch: u64, conversations: Written },
}

variants!(Message {
    0 Takes,
    1 Given { shard, epoch },
    2 Warm { shard, epoch, conversations },
});

impl Message {
    /// The version that brought it: no node of an earlier one is told.
    pub(super) const fn since(&self) -> u8 {
        match self {
            Self::Takes | Self::Given { .. } => SINCE,
            Self::Warm { .. } => WARM_SINCE,
        }
    }
}

impl From<Message> for Envelope {
    fn from(message: Message) -> Self {
        Self::Shards(message)
    }
}

impl Remote {
    /// This node serves whatever it is given from now on: others hear so, now or when they are
    /// linked.
    pub fn take_shards(&self) {
        self.takes_shards.store(true, Ordering::SeqCst);
        for node in self.linked() {
            self.say_takes(&node);
        }
    }

    /// Whether a node is linked and serves what it is given.
    #[must_use]
    pub fn serves_what_it_is_given(&self, node: &NodeName) -> bool {
        let linked = self.linked.lock();
        linked.get(node).is_some_and(|it| it.takes_shards || it.version < SINCE)
    }

    /// A shard is being settled, to be given away: what its conversations hand on is collected, if
    /// there is anybody who would understand it.
    pub(crate) fn begin_to_give(&self, shard: Shard, epoch: Epoch) {
        if self.linked.lock().values().any(|it| it.version >= WARM_SINCE) {
            self.hand_ons.begin(shard, epoch);
        }
    }

    /// Whether a shard is being settled, to be given away.
    pub(crate) fn is_giving(&self, shard: Shard, epoch: Epoch) -> bool {
        self.hand_ons.is_leaving(shard, epoch)
    }

    /// A conversation of such a shard hands this on.
    pub(crate) fn hand_on(&self, shard: Shard, epoch: Epoch, key: &ConversationKey, warm: &Warm) {
        self.hand_ons.collect(shard, epoch, key, warm);
    }

    /// Tells a node that a shard was given away under that epoch, for it to have, and before that
    /// what its conversations hand on. One that does not hear it finds it in the rows.
    pub fn give(&self, node: &NodeName, shard: Shard, epoch: Epoch) {
        let conversations = self.hand_ons.take(shard, epoch);
        let (shard, Epoch(epoch)) = (shard.index(), epoch);
        if !conversations.is_empty() {
            self.say_of_shards(node, Message::Warm { shard, epoch, conversations });
        }
        self.say_of_shards(node, Message::Given { shard, epoch });
    }

    /// A shard is served here under that epoch from now on.
    pub(crate) fn claimed(&self, shard: Shard, epoch: Epoch) {
        self.hand_ons.claimed(shard, epoch);
    }

    /// What a conversation may begin with that is served under that epoch, once; `None` if it is to
    /// be read.
    pub(crate) fn use_up(&self, key: &ConversationKey, epoch: Epoch) -> Option<Warm> {
        self.hand_ons.use_up(key, epoch)
    }

    /// Nothing that was or would be handed on with a shard is of use any more; `None` for all.
    pub(crate) fn forget_hand_ons(&self, shard: Option<Shard>) {
        match shard {
            Some(shard) => self.hand_ons.forget(shard),
            None => self.hand_ons.forget_all(),
        }
    }

    pub(super) fn say_takes(&self, node: &NodeName) {
        if self.takes_shards.load(Ordering::SeqCst) {
            self.say_of_shards(node, Message::Takes);
        }
    }

    fn say_of_shards(&self, node: &NodeName, message: Message) {
        if self.version_of(node) < Some(message.since()) {
            return;
        }
        let is_dear = matches!(message, Message::Warm { .. });
        let said = Envelope::from(message).write();
        // A link that is so full says nothing of use in time; and where much else waits already,
        // what is handed on is not worth the wait.
        let said = if is_dear { self.offer(node, &said) } else { self.send(node, &said) };
        said.ok();
    }

    /// The version that a node is linked by; `None` when it is not.
    pub(super) fn version_of(&self, node: &NodeName) -> Option<u8> {
        self.linked.lock().get(node).map(|it| it.version)
    }

    pub(super) fn hear_of_shards(&self, from: &NodeName, message: Message) {
        if let Message::Takes = message
            && let Some(linked) = self.linked.lock().get_mut(from)
        {
            linked.takes_shards = true;
        }
        // Before there are actors nothing is taken, and what is owned is given a round later.
        let Some(world) = self.world() else { return };
        match message {
            Message::Takes => world.ownership.asked_in_vain(),
            Message::Given { shard, epoch } => {
                if let Some(shard) = Shard::numbered(shard) {
                    world.ownership.given(from, shard, Epoch(epoch));
                }
            }
            Message::Warm { shard, epoch, conversations } => {
                if let Some(shard) = Shard::numbered(shard) {
                    self.hand_ons.keep(shard, Epoch(epoch), conversations);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
