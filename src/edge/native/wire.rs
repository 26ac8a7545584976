//! The frames of `/v1/stream`, in two codecs of one shape: JSON text, and MessagePack with maps by
//! name in human-readable mode. HTTP bodies use the same JSON.
//!
//! An event is encoded once per codec and shared by all who hear it ([`event`]); everything else
//! is encoded for its connection. Incoming frames are parsed into one flat shape that knows every
//! field of the protocol and refuses every other ([`incoming`]), so nothing nested is ever built
//! from a client's bytes.

pub use crate::edge::time;
pub mod person;
pub mod event;
pub mod card;
pub mod incoming;
pub mod outgoing;
mod plain;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use switchboard_domain::conversation::Stream;

/// How deep incoming MessagePack may nest. The protocol's deepest frame has three levels; 32
/// leaves room to grow and is far from any stack limit.
const DEPTH_MAX: usize = 32;

/// How frames are written on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Text frames.
    Json,
    /// Binary frames.
    MessagePack,
}

impl Codec {
    /// The WebSocket subprotocols that we speak, best first.
    pub const SUBPROTOCOLS: [&'static str; 2] = ["switchboard.v1.json", "switchboard.v1.msgpack"];

    /// The codec of a negotiated subprotocol; JSON without one.
    #[must_use]
    pub fn of_subprotocol(subprotocol: Option<&[u8]>) -> Self {
        if subprotocol == Some(Self::SUBPROTOCOLS[1].as_bytes()) {
            Self::MessagePack
        } else {
            Self::Json
        }
    }

    /// The bytes of `value`.
    #[must_use]
    pub fn encode(self, value: &impl Serialize) -> Bytes {
        match self {
            Self::Json => serde_json::to_vec(value)
                .expect("wire types have text keys and no failing serializers")
                .into(),
            Self::MessagePack => {
                let mut bytes = Vec::with_capacity(256);
                let mut serializer =
                    rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
                value.serialize(&mut serializer).expect("writing to memory cannot fail");
                bytes.into()
            }
        }
    }

    /// The value that `bytes` spell; the error says what is wrong, in words for a developer.
    ///
    /// # Errors
    ///
    /// Anything that is not exactly one value of `T`.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, String> {
        match self {
            Self::Json => {
                // Once for all: a parser of bytes looks at each text of the frame by itself.
                let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
                serde_json::from_str(text).map_err(|error| error.to_string())
            }
            Self::MessagePack => {
                let mut rest = bytes;
                let mut deserializer =
                    rmp_serde::Deserializer::new(&mut rest).with_human_readable();
                deserializer.set_max_depth(DEPTH_MAX);
                let value = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
                if rest.is_empty() { Ok(value) } else { Err("bytes after the frame".to_owned()) }
            }
        }
    }
}

/// The name of a stream on the wire; the public one goes without saying.
#[must_use]
pub const fn stream_name(stream: Stream) -> Option<&'static str> {
    match stream {
        Stream::Public => None,
        Stream::Internal => Some("internal"),
    }
}

#[cfg(test)]
mod tests;
