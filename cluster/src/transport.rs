//! Envelopes between nodes: what one node may send another, and what it may rely on.
//!
//! A peer is up or down. While it is up, what is sent to it arrives in the order in which it was
//! sent, once, with nothing left out. When it goes down nobody can say how much of what was on the
//! way arrived; none of it arrives later. So whoever waits for an answer stops waiting at `down`
//! and asks again, and whoever was told things begins anew.
//!
//! Nothing here waits: an envelope is taken if the peer is up and has credit left, which bounds
//! the memory that a slow peer costs. It is given back to the sender otherwise.

mod credit;
pub mod frame;
pub mod memory;
mod socket;
pub mod tls;
pub mod wire;

use std::fmt;

use bytes::Bytes;

use crate::ownership::NodeName;

/// The longest envelope. Longer things travel in parts, so that one of them delays nobody for
/// long: a link carries everything in order.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that may be on the way to one peer or wait for it, all envelopes together.
pub const CREDIT_BYTES: usize = 8 * 1024 * 1024;

/// The forms of envelopes that this program writes and reads. The second also says which shards
/// change hands, the third also what their conversations hand on; in the fourth the sender of a
/// message learns where it was stored and no more.
pub const VERSIONS: Versions = Versions { oldest: 1, newest: 4 };

/// A range of versions, both ends within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest that is still read and written.
    pub oldest: u8,
    /// The newest.
    pub newest: u8,
}

impl Versions {
    /// The newest that both sides know; `None` when there is none.
    #[must_use]
    pub fn agree(self, other: Self) -> Option<u8> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

/// A node that can be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Which.
    pub node: NodeName,
    /// The version that both sides write from now on.
    pub version: u8,
}

/// Why an envelope was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// There is no link to the node at the moment.
    #[error("the node is not connected")]
    Down,
    /// Too much waits for the node already.
    #[error("too much waits for the node")]
    Full,
    /// The envelope is longer than [`ENVELOPE_BYTES_MAX`].
    #[error("the envelope is too long")]
    TooLong,
}

/// The side that sends.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Takes an envelope for a peer, at once or not at all.
    ///
    /// # Errors
    ///
    /// [`NotSent`], and nothing of it will arrive.
    fn send(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent>;

    /// The same for an envelope that nobody misses much: it is refused while half of the peer's
    /// credit is used, long before anything that matters is.
    ///
    /// # Errors
    ///
    /// [`NotSent`], and nothing of it will arrive.
    fn offer(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent>;
}

/// The side that hears. Of one peer it hears one thing at a time, in the order `up`, envelopes,
/// `down`. It must not wait: everything of the peer waits for it.
pub trait Receiver: Send + Sync + fmt::Debug + 'static {
    /// The peer can be sent to.
    fn up(&self, peer: &Peer);
    /// An envelope of a peer that is up.
    fn receive(&self, from: &NodeName, envelope: Bytes);
    /// The peer is gone; what was on the way to it or from it may be lost.
    fn down(&self, node: &NodeName);
}

#[cfg(test)]
mod tests;
