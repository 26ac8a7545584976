//! The line past a connection's queue: events and answers go on the wire from the task that has
//! them, while the connection's own task sleeps.

use std::fmt;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use switchboard_actors::Published;
use switchboard_actors::delivery::{Delivery, Door};
use switchboard_actors::subscriber::Line;
use switchboard_domain::conversation::Stream;
use switchboard_domain::person::Principal;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::event;
use crate::edge::listener::Wire;
use crate::edge::listener::wire::Sent;
use crate::edge::native::wire::Codec;

/// Bytes before the payload of a frame: two, and a length of up to eight.
const HEADER_BYTES_MAX: usize = 10;

/// What it takes to tell one client something without its task.
pub(super) struct Past {
    pub(super) wire: Wire,
    pub(super) codec: Codec,
    pub(super) reader: Principal,
    /// Frames sent.
    pub(super) sent: Counter,
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl Line<Delivery> for Past {
    fn tell(&self, delivery: Delivery) -> Option<Delivery> {
        let payload = match &delivery {
            Delivery::Event(published) if is_for(published, self.reader) => {
                event::encoded(published, self.codec, self.reader)
            }
            Delivery::Door(Door::Answer(frame)) => frame.clone(),
            // Whatever needs a thought is the connection's.
            _ => return Some(delivery),
        };
        let left = match self.wire.send(&framed(self.codec, &payload)) {
            Sent::Nothing => return Some(delivery),
            Sent::Begun => Some(Delivery::Door(Door::Rest)),
            Sent::Whole => None,
        };
        self.sent.inc();
        left
    }
}

/// Whether a client may hear an event. P13: whatever happens elsewhere, a visitor's socket never
/// carries an internal one.
pub(super) const fn is_for(published: &Published, reader: Principal) -> bool {
    matches!(published.event.stream, Stream::Public) || reader.is_agent()
}

/// A whole WebSocket frame.
fn framed(codec: Codec, payload: &Bytes) -> Vec<u8> {
    let data = match codec {
        Codec::Json => Data::Text,
        Codec::MessagePack => Data::Binary,
    };
    let header = FrameHeader { opcode: OpCode::Data(data), ..FrameHeader::default() };
    let mut frame = Vec::with_capacity(HEADER_BYTES_MAX + payload.len());
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    header.format(length, &mut frame).expect("writing to memory cannot fail");
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_its_kind_and_length() {
        for (codec, length, header) in [
            (Codec::Json, 5, &[0x81, 5][..]),
            (Codec::MessagePack, 125, &[0x82, 125]),
            (Codec::Json, 126, &[0x81, 126, 0, 126]),
            (Codec::Json, 70_000, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]),
        ] {
            let payload = Bytes::from(vec![b'x'; length]);
            let frame = framed(codec, &payload);
            assert_eq!(frame[..header.len()], *header, "{codec:?}, {length} bytes");
            assert_eq!(frame[header.len()..], payload, "{codec:?}, {length} bytes");
        }
    }
}
