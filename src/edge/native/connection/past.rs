//! The line past a connection's queue: events and answers go on the wire from the task that has
//! them, while the connection's own task sleeps.

use std::fmt;

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
        let mut frame = Vec::new();
        append_frame(&mut frame, self.codec, &payload);
        let left = match self.wire.send(&frame) {
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

/// Appends a whole WebSocket frame.
pub(super) fn append_frame(frames: &mut Vec<u8>, codec: Codec, payload: &[u8]) {
    let data = match codec {
        Codec::Json => Data::Text,
        Codec::MessagePack => Data::Binary,
    };
    let header = FrameHeader { opcode: OpCode::Data(data), ..FrameHeader::default() };
    frames.reserve(HEADER_BYTES_MAX + payload.len());
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    header.format(length, frames).expect("writing to memory cannot fail");
    frames.extend_from_slice(payload);
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
            let payload = vec![b'x'; length];
            let mut frames = b"before".to_vec();
            append_frame(&mut frames, codec, &payload);
            let frame = frames.strip_prefix(b"before").unwrap();
            assert_eq!(frame[..header.len()], *header, "{codec:?}, {length} bytes");
            assert_eq!(frame[header.len()..], payload, "{codec:?}, {length} bytes");
        }
    }
}
