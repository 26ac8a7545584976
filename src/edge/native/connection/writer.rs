//! Writing to a socket whose other end may have stopped reading.
//!
//! Where the bytes are not encrypted, frames go on the wire as they are made, many with one system
//! call, and leave no buffer with an idle connection; through the WebSocket library go its own
//! control frames. Elsewhere everything goes through the library.

use std::mem;

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use futures_util::SinkExt;

use super::super::wire::Codec;
use super::past::append_frame;
use super::{Connection, kind};
use crate::edge::problem::Close;
use crate::edge::writing::{pass, say_goodbye};

/// Bytes of frames that are kept for one system call; what comes then waits until they are sent.
const UNSENT_BYTES_MAX: usize = 32 * 1024;

impl Connection {
    /// Puts a frame before the socket; [`flush`](Self::flush) sends what was put.
    pub(super) async fn write(&mut self, frame: Bytes) -> Result<(), Close> {
        self.doors.metrics.streams.sent.inc();
        if self.wire.is_some() {
            self.begin();
            append_frame(&mut self.unsent, self.codec, &frame);
            if self.unsent.len() >= UNSENT_BYTES_MAX {
                self.send_on().await?;
            }
            return Ok(());
        }
        let message = match self.codec {
            Codec::Json => match Utf8Bytes::try_from(frame) {
                Ok(text) => Message::Text(text),
                // Our JSON is UTF-8; were it not, nobody could read it.
                Err(_) => return Err(Close::Void),
            },
            Codec::MessagePack => Message::Binary(frame),
        };
        self.write_message(message).await
    }

    pub(super) async fn write_message(&mut self, message: Message) -> Result<(), Close> {
        self.begin();
        let outlet = &self.outlet;
        pass(self.socket.feed(message), || outlet.is_closed()).await
    }

    /// The connection writes: from here on nothing goes past it.
    fn begin(&mut self) {
        if !self.is_unsent {
            self.deliveries.hold();
            self.is_unsent = true;
        }
    }

    pub(super) async fn flush(&mut self) -> Result<(), Close> {
        self.send_on().await?;
        self.is_unsent = false;
        Ok(())
    }

    /// Sends what was put, and waits until the socket has taken it.
    async fn send_on(&mut self) -> Result<(), Close> {
        if let Err(unsent) = self.put_on_wire() {
            // The library has written half a frame of its own.
            self.unsent = unsent;
            self.flush_socket().await?;
            self.put_on_wire().map_err(|_cut_short_again| Close::Void)?;
        }
        self.flush_socket().await
    }

    /// Hands the frames to the wire. Their memory is given back: thousands of these are idle.
    fn put_on_wire(&mut self) -> Result<(), Vec<u8>> {
        match &self.wire {
            Some(wire) if !self.unsent.is_empty() => wire.put(mem::take(&mut self.unsent)),
            Some(_) | None => Ok(()),
        }
    }

    async fn flush_socket(&mut self) -> Result<(), Close> {
        let outlet = &self.outlet;
        pass(self.socket.flush(), || outlet.is_closed()).await
    }

    /// Says goodbye, if anybody listens.
    pub(super) async fn close(mut self: Box<Self>, close: Close) {
        tracing::debug!(connection = %self.id, ?close, "a connection ends");
        self.deliveries.hold();
        let principal = self.identity.caller.author.principal;
        self.doors.metrics.streams.ended(kind(principal), close.row().0);
        // What was said before is heard before. Behind half a frame there is no room for it, and
        // whoever has not read that will not read this.
        let _no_room = self.put_on_wire();
        say_goodbye(self.socket, close).await;
    }
}
