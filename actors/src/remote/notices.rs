//! What the doors of nodes tell each other, in their own words.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use switchboard_cluster::ownership::NodeName;

use super::Remote;
use super::message::Envelope;

/// Those of the doors who hear what the doors of other nodes tell them. Nothing here may wait.
///
/// From one node everything comes that it told, in order, from [`linked`](Self::linked) on; what
/// was told before, or while too much waited, is lost, and [`missed`](Self::missed) says so.
pub trait Notices: Send + Sync + fmt::Debug + 'static {
    /// A node hears everything from now on, and may know nothing of what stands: tell it.
    fn linked(&self, node: &NodeName);
    /// A node told something that was not heard.
    fn missed(&self, node: &NodeName);
    /// A node tells something.
    fn heard(&self, from: &NodeName, words: &Bytes);
    /// A node is gone.
    fn gone(&self, node: &NodeName);
}

impl Remote {
    /// Passes on what the doors of other nodes tell, from now on. Once.
    pub fn listen(&self, notices: Arc<dyn Notices>) {
        let notices = self.notices.get_or_init(|| notices);
        for node in self.linked() {
            notices.linked(&node);
            notices.missed(&node);
        }
    }

    /// The nodes that are linked now.
    #[must_use]
    pub fn linked(&self) -> Vec<NodeName> {
        self.linked.lock().keys().cloned().collect()
    }

    /// Tells the doors of all other nodes something: of those that are linked each hears it, or
    /// hears that it missed something.
    pub fn tell_all(&self, words: Bytes) {
        let envelope = Envelope::Doors { words }.write();
        for node in self.linked() {
            self.tell_doors(&node, &envelope);
        }
    }

    /// The same to one of them.
    pub fn tell(&self, node: &NodeName, words: Bytes) {
        self.tell_doors(node, &Envelope::Doors { words }.write());
    }

    fn tell_doors(&self, node: &NodeName, envelope: &Bytes) {
        if self.send(node, envelope).is_err() {
            self.behind.lock().insert(node.clone());
        }
    }

    /// Says to nodes that missed something that they did, and from then on tells them again.
    pub(super) fn catch_up(&self) {
        // Taken before it is said, so that what is missed meanwhile is not forgotten.
        let behind = std::mem::take(&mut *self.behind.lock());
        let missed = Envelope::Doors { words: Bytes::new() }.write();
        for node in behind.into_iter().filter(|node| self.is_linked(node)) {
            if self.send(&node, &missed).is_err() {
                self.behind.lock().insert(node);
            } else if let Some(notices) = self.notices.get() {
                notices.linked(&node);
            }
        }
    }

    pub(super) fn hear_of_doors(&self, from: &NodeName, words: &Bytes) {
        let Some(notices) = self.notices.get() else { return };
        if words.is_empty() {
            notices.missed(from);
        } else {
            notices.heard(from, words);
        }
    }

    pub(super) fn doors_linked(&self, node: &NodeName) {
        self.behind.lock().remove(node);
        if let Some(notices) = self.notices.get() {
            notices.linked(node);
            notices.missed(node);
        }
    }

    pub(super) fn doors_gone(&self, node: &NodeName) {
        if let Some(notices) = self.notices.get() {
            notices.gone(node);
        }
    }
}

#[cfg(test)]
mod tests;
