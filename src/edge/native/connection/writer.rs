//! Writing to a socket whose other end may have stopped reading.

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use futures_util::SinkExt;

use super::super::wire::Codec;
use super::{Connection, kind};
use crate::edge::problem::Close;
use crate::edge::writing::{pass, say_goodbye};

impl Connection {
    /// Puts a frame before the socket; [`flush`](Self::flush) sends what was put.
    pub(super) async fn write(&mut self, frame: Bytes) -> Result<(), Close> {
        self.doors.metrics.streams.sent.inc();
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
        if !self.is_unsent {
            self.deliveries.hold();
            self.is_unsent = true;
        }
        let outlet = &self.outlet;
        pass(self.socket.feed(message), || outlet.is_closed()).await
    }

    pub(super) async fn flush(&mut self) -> Result<(), Close> {
        let outlet = &self.outlet;
        pass(self.socket.flush(), || outlet.is_closed()).await?;
        self.is_unsent = false;
        Ok(())
    }

    /// Says goodbye, if anybody listens.
    pub(super) async fn close(mut self: Box<Self>, close: Close) {
        tracing::debug!(connection = %self.id, ?close, "a connection ends");
        self.deliveries.hold();
        let principal = self.identity.caller.author.principal;
        self.doors.metrics.streams.ended(kind(principal), close.row().0);
        say_goodbye(self.socket, close).await;
    }
}
