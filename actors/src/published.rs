//! An event on its way to subscribers, with room for its encodings.

use std::sync::OnceLock;

use bytes::Bytes;
use switchboard_domain::conversation::{Body, Event};
use switchboard_domain::ids::ConversationId;

/// How many encodings of one event a node may hold.
pub const ENCODINGS: usize = 4;
/// How many more of the doors for earlier systems, of which most events have none.
pub const FOREIGN: usize = 2;

/// A durable event, shared by all who hear it, so that each encoding is made once.
#[derive(Debug)]
pub struct Published {
    /// Whose event.
    pub conversation: ConversationId,
    /// The event.
    pub event: Event,
    encodings: [OnceLock<Bytes>; ENCODINGS],
    foreign: OnceLock<Box<[OnceLock<Bytes>; FOREIGN]>>,
}

impl Published {
    /// An event that nobody has encoded yet.
    #[must_use]
    pub fn new(conversation: ConversationId, event: Event) -> Self {
        Self { conversation, event, encodings: Default::default(), foreign: OnceLock::new() }
    }

    /// The bytes of this event in the encoding numbered `slot`, made by `encode` if nobody asked
    /// before. The door numbers its encodings; a slot beyond [`ENCODINGS`] is encoded each time.
    pub fn encoded(&self, slot: usize, encode: impl FnOnce(&Self) -> Bytes) -> Bytes {
        match self.encodings.get(slot) {
            Some(cell) => cell.get_or_init(|| encode(self)).clone(),
            None => encode(self),
        }
    }

    /// The bytes of this event in the foreign encoding numbered `slot`, which must be below
    /// [`FOREIGN`]: that door makes them when nobody did.
    ///
    /// # Panics
    ///
    /// For a slot that there is not.
    #[must_use]
    pub fn foreign(&self, slot: usize) -> &OnceLock<Bytes> {
        &self.foreign.get_or_init(Box::default)[slot]
    }

    /// How many bytes of text it carries, for the bounds of queues and caches.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        if let Body::Message { text, .. }
        | Body::Edited { text, .. }
        | Body::Note { text, .. }
        | Body::Whisper { text } = &self.event.body
        {
            text.len()
        } else {
            0
        }
    }
}
