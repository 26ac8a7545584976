//! Writing to a socket whose other end may have stopped reading.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use bytes::Bytes;
use futures_util::SinkExt;
use tokio::time::{Duration, timeout};

use super::super::wire::Codec;
use super::{Connection, kind};
use crate::edge::problem::Close;
use crate::edge::writing::pass;

/// How long a goodbye may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

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
        self.is_unsent = true;
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
        let principal = self.identity.caller.author.principal;
        self.doors.metrics.streams.ended(kind(principal), close.row().0);
        let goodbye = async {
            if close != Close::Gone {
                let (code, reason) = close.row();
                let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
                self.socket.send(Message::Close(Some(frame))).await?;
            }
            // The peer's own close is what ends the exchange without a reset.
            while let Some(Ok(_)) = self.socket.recv().await {}
            Ok::<_, axum::Error>(())
        };
        let _nobody_listens = timeout(CLOSE_WITHIN, goodbye).await;
    }
}
