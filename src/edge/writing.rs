//! Writing to a WebSocket whose other end may have stopped reading.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use tokio::time::{Duration, sleep, timeout};
use tokio_tungstenite::tungstenite;

use super::problem::Close;

/// How long a write may stand still before the client counts as too slow.
const STALLED_MAX: Duration = Duration::from_secs(15);
/// How often a standing write looks whether the outlet has failed meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a goodbye may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Waits for a step of writing, until the client counts as too slow.
///
/// # Errors
///
/// Why the connection is over.
pub async fn pass(
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
#[must_use]
pub fn close_of(error: axum::Error) -> Close {
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

/// Says goodbye to whoever listens, and waits for the peer's own close, but not for long: that is
/// what ends the exchange without a reset.
pub async fn say_goodbye(mut socket: WebSocket, close: Close) {
    let goodbye = async {
        if close != Close::Gone {
            let (code, reason) = close.row();
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            socket.send(Message::Close(Some(frame))).await?;
        }
        while let Some(Ok(_)) = socket.recv().await {}
        Ok::<_, axum::Error>(())
    };
    let _nobody_listens = timeout(GOODBYE_WITHIN, goodbye).await;
}
