//! Writing to a socket whose other end may have stopped reading.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use bytes::Bytes;
use futures_util::SinkExt;
use tokio::time::{Duration, sleep, timeout};
use tokio_tungstenite::tungstenite;

use super::super::wire::Codec;
use super::{Connection, kind};
use crate::edge::problem::Close;

/// How long a write may stand still before the client counts as too slow.
const STALLED_MAX: Duration = Duration::from_secs(15);
/// How often a standing write looks whether the outlet has failed meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(500);
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

/// Waits for a step of writing, until the client counts as too slow.
async fn pass(
    step: impl Future<Output = Result<(), axum::Error>>,
    outlet_failed: impl Fn() -> bool,
) -> Result<(), Close> {
    let mut step = pin!(step);
    // Most writes fit the socket's buffer; only those that do not need a timer.
    if let Poll::Ready(done) = futures_util::poll!(step.as_mut()) {
        return done.map_err(close_of);
    }
    let stalled = Box::pin(async {
        let mut waited = Duration::ZERO;
        while waited < STALLED_MAX && !outlet_failed() {
            sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    });
    tokio::select! {
        done = step => done.map_err(close_of),
        () = stalled => Err(Close::Slow),
    }
}

/// What an error of the socket means for its close.
pub(super) fn close_of(error: axum::Error) -> Close {
    use tungstenite::Error;
    use tungstenite::error::CapacityError;
    match error.into_inner().downcast_ref::<Error>() {
        Some(Error::Capacity(CapacityError::MessageTooLong { .. })) => Close::TooLarge,
        Some(Error::Utf8(_)) => Close::NotUtf8,
        Some(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
            Close::Gone
        }
        Some(Error::Protocol(_)) => Close::NotWebSocket,
        Some(_) | None => Close::Gone,
    }
}
