//! A small, correct client of the native protocol: what every tool here speaks.

pub mod frame;
pub mod http;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, http::HeaderValue};

use crate::history::Stream;
use frame::Frame;

/// Longer than any answer of a healthy server on a busy machine.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a request of the protocol did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer closed; 1006 stands for a connection that just ended.
    #[error("closed with {code} {reason:?}")]
    Closed {
        /// The close code.
        code: u16,
        /// The reason that came with it.
        reason: String,
    },
    /// The WebSocket failed below the protocol.
    #[error("the websocket failed")]
    WebSocket(#[source] Box<tungstenite::Error>),
    /// The socket could not be opened or set up.
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    /// HTTP failed below the answer.
    #[error("http failed")]
    Http(#[from] hyper::Error),
    /// An answer with another status than the caller needs.
    #[error("{what} answered {status}: {body}")]
    Status {
        /// Method and path.
        what: String,
        /// The status.
        status: u16,
        /// The start of the body.
        body: String,
    },
    /// Bytes that are not what the protocol says.
    #[error("not the protocol: {0}")]
    Protocol(String),
    /// No answer in time.
    #[error("no answer in time to {0}")]
    Timeout(&'static str),
}

impl From<tungstenite::Error> for Error {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
                Self::Closed { code: 1006, reason: String::new() }
            }
            other => Self::WebSocket(Box::new(other)),
        }
    }
}

impl Error {
    /// Whether the server said that the token is not good (any more).
    #[must_use]
    pub fn is_auth(&self) -> bool {
        matches!(self, Self::Closed { code: 4500, .. } | Self::Status { status: 401, .. })
    }
}

/// How frames travel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Encoding {
    /// Text frames.
    #[default]
    Json,
    /// Binary frames, maps by name.
    MessagePack,
}

/// One open connection to `/v1/stream`.
#[derive(Debug)]
pub struct Connection {
    socket: WebSocketStream<TcpStream>,
    encoding: Encoding,
    secret: Option<Arc<str>>,
    leaked: Option<String>,
    n_frames: u64,
    n_bytes: u64,
}

impl Connection {
    /// Opens the socket; [`Connection::hello`] comes next.
    ///
    /// # Errors
    /// When the server cannot be reached or does not speak WebSocket there.
    pub async fn open(address: SocketAddr, encoding: Encoding) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        Self::over(stream, address, encoding).await
    }

    /// As [`Connection::open`], over a socket with options of its own.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub async fn over(
        stream: TcpStream,
        address: SocketAddr,
        encoding: Encoding,
    ) -> Result<Self, Error> {
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{address}/v1/stream").into_client_request()?;
        let protocol = match encoding {
            Encoding::Json => "switchboard.v1.json",
            Encoding::MessagePack => "switchboard.v1.msgpack",
        };
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        let opening = tokio_tungstenite::client_async_with_config(request, stream, Some(config()));
        let (socket, _) =
            timeout(ANSWER_TIMEOUT, opening).await.or(Err(Error::Timeout("the handshake")))??;
        Ok(Self { socket, encoding, secret: None, leaked: None, n_frames: 0, n_bytes: 0 })
    }

    /// Watches the raw bytes for a text that must never arrive here.
    pub fn forbid(&mut self, secret: Arc<str>) {
        self.secret = Some(secret);
    }

    /// The first frame that held the forbidden text.
    pub fn leaked(&mut self) -> Option<String> {
        self.leaked.take()
    }

    /// Frames and payload bytes received so far, pings and pongs of WebSocket aside.
    #[must_use]
    pub fn received(&self) -> (u64, u64) {
        (self.n_frames, self.n_bytes)
    }

    /// Says hello and waits until the server is ready; returns the caller's id.
    ///
    /// # Errors
    /// When the token is refused ([`Error::is_auth`]) or the connection ends.
    pub async fn hello(&mut self, token: &str, device: &str) -> Result<String, Error> {
        self.send(&json!({"type": "hello", "token": token, "device": device})).await?;
        let ready = async {
            loop {
                match self.next().await? {
                    Frame::Ready { principal, .. } => return Ok(principal.id),
                    Frame::Error { code, .. } => return Err(Error::Protocol(code)),
                    _ => {}
                }
            }
        };
        timeout(ANSWER_TIMEOUT, ready).await.or(Err(Error::Timeout("hello")))?
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn send(&mut self, frame: &Value) -> Result<(), Error> {
        let message = match self.encoding {
            Encoding::Json => Message::text(frame.to_string()),
            Encoding::MessagePack => {
                let bytes = rmp_serde::to_vec_named(frame);
                Message::binary(bytes.map_err(|error| Error::Protocol(error.to_string()))?)
            }
        };
        self.send_raw(message).await
    }

    /// Sends a WebSocket message as it is.
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn send_raw(&mut self, message: Message) -> Result<(), Error> {
        Ok(self.socket.send(message).await?)
    }

    /// Waits for the next frame; answers pings. Cancel-safe.
    ///
    /// # Errors
    /// When the connection ended, or bytes arrive that are no frame.
    pub async fn next(&mut self) -> Result<Frame, Error> {
        loop {
            let payload = self.next_payload().await?;
            let frame = match self.encoding {
                Encoding::Json => serde_json::from_slice(&payload).map_err(|e| e.to_string()),
                Encoding::MessagePack => {
                    rmp_serde::from_slice(&payload).map_err(|error| error.to_string())
                }
            };
            match frame {
                Ok(Frame::Ping) => self.send(&json!({"type": "pong"})).await?,
                Ok(frame) => return Ok(frame),
                Err(error) => {
                    return Err(Error::Protocol(format!(
                        "{error}: {}",
                        String::from_utf8_lossy(payload.get(..300).unwrap_or(&payload))
                    )));
                }
            }
        }
    }

    /// Waits for the bytes of the next frame. Cancel-safe.
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn next_payload(&mut self) -> Result<Bytes, Error> {
        loop {
            let payload = match self.socket.next().await {
                None => return Err(Error::Closed { code: 1006, reason: String::new() }),
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(Message::Text(text))) => Bytes::from(text),
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = frame
                        .map_or((1005, String::new()), |f| (f.code.into(), f.reason.to_string()));
                    return Err(Error::Closed { code, reason });
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            };
            self.n_frames += 1;
            self.n_bytes += u64::try_from(payload.len()).unwrap_or(u64::MAX);
            if let Some(secret) = &self.secret
                && find(&payload, secret.as_bytes())
            {
                self.leaked = Some(String::from_utf8_lossy(&payload).into_owned());
            }
            return Ok(payload);
        }
    }

    /// Subscribes; the answer arrives as [`Frame::Subscribed`].
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn subscribe(
        &mut self,
        conversation: &str,
        stream: Stream,
        log: Option<&str>,
        after: Option<u64>,
    ) -> Result<(), Error> {
        let mut frame = json!({
            "type": "subscribe", "conversation": conversation, "log": log, "after": after,
        });
        if stream == Stream::Internal
            && let Some(fields) = frame.as_object_mut()
        {
            fields.insert("stream".to_owned(), "internal".into());
        }
        self.send(&frame).await
    }

    /// Sends the command `action` and waits for its answer; other frames are passed over.
    /// `Ok(Err(..))` is a refusal by rule.
    ///
    /// # Errors
    /// When the connection ended or nobody answered.
    pub async fn act(
        &mut self,
        conversation: &str,
        action: &str,
        args: Value,
    ) -> Result<Result<(), frame::Refusal>, Error> {
        let reference = uuid::Uuid::new_v4().to_string();
        self.send(&json!({
            "type": "do", "ref": reference, "conversation": conversation,
            "action": action, "args": args,
        }))
        .await?;
        let answer = async {
            loop {
                match self.next().await? {
                    Frame::Done { reference: of, .. } if of == reference => return Ok(Ok(())),
                    Frame::Refused(refusal)
                        if refusal.reference.as_deref() == Some(&*reference) =>
                    {
                        return Ok(Err(refusal));
                    }
                    _ => {}
                }
            }
        };
        timeout(ANSWER_TIMEOUT, answer).await.or(Err(Error::Timeout("a command")))?
    }

    /// The socket itself, for loops that count and look no closer.
    #[must_use]
    pub fn into_socket(self) -> WebSocketStream<TcpStream> {
        self.socket
    }

    /// Closes politely; whatever goes wrong no longer matters.
    pub async fn close(mut self) {
        drop(timeout(Duration::from_secs(1), self.socket.close(None)).await);
    }
}

/// Small buffers: thousands of connections live in one process.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0)
}

/// Whether `needle` occurs in `hay`.
#[must_use]
pub fn find(hay: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && hay.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_anywhere_and_an_empty_one_nowhere() {
        for (hay, needle, found) in
            [("abc", "bc", true), ("abc", "abc", true), ("abc", "abcd", false), ("abc", "", false)]
        {
            assert_eq!(find(hay.as_bytes(), needle.as_bytes()), found, "{hay} {needle}");
        }
    }
}
