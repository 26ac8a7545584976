//! A connection that can send what no WebSocket library would.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;

use crate::client::http::Http;
use crate::client::{ANSWER_TIMEOUT, Connection, Encoding, Error};

/// How the server answered an offence.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Outcome {
    /// Codes of `error`, `nack` and `refused` frames, in order.
    pub(super) codes: Vec<String>,
    /// The close code; 1006 for an end without one.
    pub(super) close: Option<u16>,
}

impl Outcome {
    pub(super) fn is_error(&self, code: &str) -> bool {
        self.codes.iter().any(|seen| seen == code)
    }
}

/// The opcodes of RFC 6455, and one that is reserved.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Reserved = 3,
    Ping = 9,
}

/// A frame as bytes. `head` is the first byte beside the opcode: 0x80 FIN, 0x70 reserved bits.
pub(super) fn frame(head: u8, opcode: Opcode, masked: Masked, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if matches!(masked, Masked::Yes) { 0x80 } else { 0 };
    let mut bytes = vec![head | opcode as u8];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len), _) if len < 126 => bytes.push(mask_bit | len),
        (_, Ok(len)) => {
            bytes.push(mask_bit | 126);
            bytes.extend(len.to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 127);
            bytes.extend(u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    if matches!(masked, Masked::Yes) {
        // A mask of zeroes is a mask: the payload stays readable in a trace.
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

/// Whether a frame is masked, as frames of clients must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Masked {
    Yes,
    No,
}

/// A visitor with a conversation of its own to offend in.
pub(super) struct Offender {
    pub(super) address: SocketAddr,
    pub(super) conversation: String,
    pub(super) secret: String,
}

impl Offender {
    pub(super) async fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let created = Http::new(address).create(None).await?;
        let secret = created.visitor.secret.context("a new visitor has a secret")?;
        Ok(Self { address, conversation: created.id, secret })
    }

    /// A connection that has not said hello.
    pub(super) async fn silent(
        &self,
        encoding: Encoding,
    ) -> anyhow::Result<WebSocketStream<TcpStream>> {
        Ok(Connection::open(self.address, encoding).await?.into_socket())
    }

    /// A connection that is ready.
    pub(super) async fn ready(
        &self,
        encoding: Encoding,
    ) -> anyhow::Result<WebSocketStream<TcpStream>> {
        let mut connection = Connection::open(self.address, encoding).await?;
        connection.hello(&self.secret, &uuid::Uuid::new_v4().to_string()).await?;
        Ok(connection.into_socket())
    }

    pub(super) fn hello(&self) -> Value {
        json!({"type": "hello", "token": self.secret, "device": uuid::Uuid::new_v4().to_string()})
    }

    pub(super) fn send(&self, n: u64, text: &str) -> Value {
        json!({
            "type": "send", "conversation": self.conversation, "n": n, "kind": "message",
            "body": {"text": text},
        })
    }
}

/// Writes raw bytes and reads on at the same time: a peer that closes early must not be missed
/// because its receive window is full. Ends as [`outcome`] does.
pub(super) async fn offend(
    mut socket: WebSocketStream<TcpStream>,
    bytes: &[u8],
    patience: Duration,
) -> Outcome {
    let write = async {
        let written = socket.get_mut().write_all(bytes).await;
        drop(socket.get_mut().flush().await);
        written
    };
    // A failed write is the server's close; what it said is still to be read.
    drop(tokio::time::timeout(ANSWER_TIMEOUT, write).await);
    outcome(&mut socket, patience).await
}

/// Answers that wait for the owner of a conversation come after the fence's, soon.
const AFTER_FENCE: Duration = Duration::from_millis(500);

/// A ping of the protocol: its answer says that everything before it was read.
pub(super) fn fence(encoding: Encoding) -> Vec<u8> {
    let ping = json!({"type": "ping"});
    match encoding {
        Encoding::Json => frame(0x80, Opcode::Text, Masked::Yes, ping.to_string().as_bytes()),
        Encoding::MessagePack => {
            let bytes = rmp_serde::to_vec_named(&ping).unwrap_or_default();
            frame(0x80, Opcode::Binary, Masked::Yes, &bytes)
        }
    }
}

/// Reads what the server says until it closes or is silent, for `patience` or for less once it has
/// answered the fence.
pub(super) async fn outcome(
    socket: &mut WebSocketStream<TcpStream>,
    mut patience: Duration,
) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        let next = timeout_at(Instant::now() + patience, socket.next()).await;
        let message = match next {
            Err(_) => return outcome,
            Ok(None | Some(Err(_))) => {
                outcome.close = outcome.close.or(Some(1006));
                return outcome;
            }
            Ok(Some(Ok(message))) => message,
        };
        match message {
            tokio_tungstenite::tungstenite::Message::Close(frame) => {
                outcome.close = Some(frame.map_or(1005, |frame| frame.code.into()));
                return outcome;
            }
            message => {
                let bytes = message.into_data();
                let value: Option<Value> = serde_json::from_slice(&bytes)
                    .ok()
                    .or_else(|| rmp_serde::from_slice(&bytes).ok());
                let field = |name: &str| {
                    value.as_ref().and_then(|value| value.get(name)).and_then(Value::as_str)
                };
                if field("type") == Some("pong") {
                    patience = AFTER_FENCE;
                }
                if matches!(field("type"), Some("error" | "nack" | "refused")) {
                    outcome.codes.push(field("code").unwrap_or("?").to_owned());
                }
            }
        }
    }
}

/// Sends bytes to the port as they are; returns the first line of the answer, empty for a close.
/// `None` when the server neither answered nor closed in time.
pub(super) async fn raw(
    address: SocketAddr,
    bytes: &[u8],
    patience: Duration,
) -> Result<Option<String>, Error> {
    let mut stream = TcpStream::connect(address).await?;
    drop(stream.write_all(bytes).await);
    let mut answer = Vec::new();
    let deadline = Instant::now() + patience;
    let mut buffer = [0; 1024];
    loop {
        match timeout_at(deadline, stream.read(&mut buffer)).await {
            Err(_) => return Ok(None),
            Ok(Err(_) | Ok(0)) => break,
            Ok(Ok(n)) => answer.extend(buffer.get(..n).unwrap_or_default()),
        }
        if answer.contains(&b'\n') {
            break;
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}
