//! What nodes say to each other of the shards that change hands.
//!
//! Words only: who owns a shard is in the rows, and every claim expects the row that it was told
//! of. They spare the next owner the wait until it has read the rows again.

use std::sync::atomic::Ordering;

use switchboard_cluster::ownership::{Epoch, NodeName};
use switchboard_cluster::shard::Shard;

use super::Remote;
use super::form::{Form, variants};
use super::message::Envelope;

/// The version of the transport that knows these words. A node that does not is given shards
/// untold, as soon as it is linked.
const SINCE: u8 = 2;

/// What is said of shards.
#[derive(Clone, Copy, Debug)]
pub(super) enum Message {
    /// The sender serves whatever it is given.
    Takes,
    /// The sender gave a shard away under that epoch, for the receiver to have.
    Given { shard: u16, epoch: u64 },
}

variants!(Message { 0 Takes, 1 Given { shard, epoch } });

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

    /// Tells a node that a shard was given away under that epoch, for it to have. One that does not
    /// hear it finds it in the rows.
    pub fn give(&self, node: &NodeName, shard: Shard, epoch: Epoch) {
        self.say_of_shards(node, Message::Given { shard: shard.index(), epoch: epoch.0 });
    }

    pub(super) fn say_takes(&self, node: &NodeName) {
        if self.takes_shards.load(Ordering::SeqCst) {
            self.say_of_shards(node, Message::Takes);
        }
    }

    fn say_of_shards(&self, node: &NodeName, message: Message) {
        let version = self.linked.lock().get(node).map(|it| it.version);
        if version >= Some(SINCE) {
            // A link that is so full says nothing of use in time.
            self.send(node, &Envelope::from(message).write()).ok();
        }
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
        }
    }
}

#[cfg(test)]
mod tests;
