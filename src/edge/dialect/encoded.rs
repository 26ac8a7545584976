//! What an event says to the clients of a dialect, encoded once for all of them on this node:
//! whoever hears it, and whoever wrote it and is answered.

use bytes::Bytes;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use switchboard_actors::Published;

use crate::edge::problem::{Code, Problem};

/// Where the encodings of an event are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A message of phase5.
    Phase5 = 0,
    /// A message of fullmag.
    Fullmag = 1,
}

/// JSON that is written as it is.
#[derive(Clone, Debug)]
pub struct Encoded(Bytes);

impl Encoded {
    /// What was made of an event before, if anything was.
    #[must_use]
    pub fn of(published: &Published, slot: Slot) -> Option<Self> {
        published.foreign(slot as usize).get().cloned().map(Self)
    }

    /// Makes it of an event, for all who ask later.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`] for what is no JSON.
    pub fn make<T: Serialize>(published: &Published, slot: Slot, it: &T) -> Result<Self, Problem> {
        let json = serde_json::to_vec(it)
            .map_err(|error| Problem::with(Code::Internal, error.to_string()))?;
        Ok(Self(published.foreign(slot as usize).get_or_init(|| json.into()).clone()))
    }
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use switchboard_domain::conversation::{Body, Event, Ordinals, Stream};
    use switchboard_domain::ids::{ConversationId, EventId, Seq, Timestamp};
    use switchboard_domain::person::Author;

    use super::*;

    #[test]
    fn what_was_made_once_is_not_made_again_and_stands_as_it_is() {
        let event = Event {
            stream: Stream::Public,
            seq: Seq(1),
            public_head: Seq(1),
            id: EventId::from_u128(1),
            at: Timestamp(0),
            from: Author::SYSTEM,
            key: None,
            ordinals: Ordinals::default(),
            body: Body::Reopened,
        };
        let published = Published::new(ConversationId::from_u128(1), event);
        assert!(Encoded::of(&published, Slot::Phase5).is_none());
        Encoded::make(&published, Slot::Phase5, &json!({ "content": "\"é\n" })).unwrap();
        let again = Encoded::make(&published, Slot::Phase5, &json!("another")).unwrap();
        assert!(Encoded::of(&published, Slot::Fullmag).is_none());
        let told = serde_json::to_value([again]).unwrap();
        assert_eq!(told, json!([{ "content": "\"é\n" }]));
    }
}
