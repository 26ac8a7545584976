//! What the claims of a node ask of its conversations.

use std::sync::{Arc, OnceLock};

use ractor::concurrency::spawn;
use switchboard_cluster::driver::Work;
use switchboard_cluster::ownership::{Epoch, NodeName, Owner, Ownership};
use switchboard_cluster::rows::Reply;
use switchboard_cluster::shard::Shard;

use crate::region::{self, Remote};

/// Lets conversations go whose shards are given away or lost, and tells whoever is given them. A
/// node claims shards before it has actors; until they [are there](Self::begin) nothing is to
/// settle or to drop.
#[derive(Clone, Debug, Default)]
pub struct Duties {
    conversations: Arc<OnceLock<region::Handle>>,
    /// The other nodes; `None` for the only node of a keyspace.
    remote: Option<Arc<Remote>>,
}

impl Duties {
    /// Of a node among those others; `None` for the only node of a keyspace.
    #[must_use]
    pub fn among(remote: Option<Arc<Remote>>) -> Self {
        Self { conversations: Arc::default(), remote }
    }

    /// Shards that are given away or lost leave the memory of these conversations from now on, and
    /// what owners before left behind of those that come is made right by them. Once.
    pub fn begin(&self, conversations: &region::Handle, ownership: &dyn Ownership) {
        // It is called once.
        let _set = self.conversations.set(conversations.clone());
        // Some may have come since the actors looked through what is marked.
        for shard in Shard::all() {
            if matches!(ownership.owner(shard), Owner::Here(_)) {
                conversations.claimed(shard);
            }
        }
    }
}

impl Work for Duties {
    /// Conversations wake with their first request, but for those that were left behind.
    fn claimed(&self, shard: Shard, epoch: Epoch) {
        if let Some(remote) = &self.remote {
            remote.claimed(shard, epoch);
        }
        if let Some(conversations) = self.conversations.get() {
            conversations.claimed(shard);
        }
    }

    fn settle(&self, shard: Shard, epoch: Epoch) -> Reply<()> {
        let conversations = self.conversations.get().cloned();
        if let Some(remote) = &self.remote {
            remote.begin_to_give(shard, epoch);
        }
        Box::pin(async move {
            if let Some(conversations) = conversations {
                conversations.let_go(shard).await;
            }
        })
    }

    fn takes(&self, node: &NodeName) -> bool {
        self.remote.as_ref().is_none_or(|remote| remote.serves_what_it_is_given(node))
    }

    /// Whoever owns it next claims it at once, and takes each log over with what it is told of it,
    /// or from its rows.
    fn released(&self, shard: Shard, epoch: Epoch, next: Option<&NodeName>) {
        let Some(remote) = &self.remote else { return };
        match next {
            Some(next) => remote.give(next, shard, epoch),
            None => remote.forget_hand_ons(Some(shard)),
        }
    }

    fn drop_shard(&self, shard: Shard) {
        if let Some(remote) = &self.remote {
            remote.forget_hand_ons(Some(shard));
        }
        if let Some(conversations) = self.conversations.get().cloned() {
            spawn(async move { conversations.let_go(shard).await });
        }
    }

    fn drop_all(&self) {
        if let Some(remote) = &self.remote {
            remote.forget_hand_ons(None);
        }
        if let Some(conversations) = self.conversations.get().cloned() {
            spawn(async move { conversations.let_all_go().await });
        }
    }
}
