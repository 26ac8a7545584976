//! A client of a WebSocket that carries JSON objects, each with its `type`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::socket::Says;

/// Nothing in a test takes longer; what does is broken.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection.
#[derive(Debug)]
pub(super) struct Plain {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    heard: VecDeque<Value>,
}

impl Plain {
    /// Connects; the error is the body of the answer that refuses.
    pub(super) async fn connect(
        address: SocketAddr,
        path: &str,
        token: Option<&str>,
        says: Says,
        origin: Option<&str>,
    ) -> Result<Self, Value> {
        let headers = origin.map(|origin| ("origin", origin.to_owned()));
        Self::connect_with(address, path, token, says, headers.into_iter().collect()).await
    }

    /// The same with headers of the test's own.
    pub(super) async fn connect_with(
        address: SocketAddr,
        path: &str,
        token: Option<&str>,
        says: Says,
        mut headers: Vec<(&'static str, String)>,
    ) -> Result<Self, Value> {
        let token = token.unwrap_or_default();
        let mark = if path.contains('?') { '&' } else { '?' };
        let uri = match says {
            Says::Query if !token.is_empty() => format!("ws://{address}{path}{mark}token={token}"),
            Says::Header if !token.is_empty() => {
                headers.push(("authorization", format!("Bearer {token}")));
                format!("ws://{address}{path}")
            }
            Says::Protocol if !token.is_empty() => {
                headers.push(("sec-websocket-protocol", format!("bearer, {token}")));
                format!("ws://{address}{path}")
            }
            Says::Auth | Says::Header | Says::Query | Says::Protocol => {
                format!("ws://{address}{path}")
            }
        };
        Self::open(&uri, &headers).await
    }

    /// Connects to an address with these headers.
    pub(super) async fn open(uri: &str, headers: &[(&'static str, String)]) -> Result<Self, Value> {
        let mut request = uri.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let connected = timeout(PATIENCE, connect_async(request)).await.expect("a socket in time");
        match connected {
            Ok((stream, _)) => Ok(Self { stream, heard: VecDeque::new() }),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(serde_json::from_slice(body).unwrap_or_default())
            }
            Err(error) => Err(Value::String(error.to_string())),
        }
    }

    /// Sends a text as it is.
    pub(super) async fn say(&mut self, text: String) {
        // A connection that is closed shows when it is read.
        let _closed = self.stream.send(Message::text(text)).await;
    }

    /// Sends an object with its type.
    pub(super) async fn emit(&mut self, kind: &str, data: &Value) -> Result<(), String> {
        let mut frame =
            if data.is_null() { Value::Object(Default::default()) } else { data.clone() };
        frame["type"] = Value::String(kind.to_owned());
        self.say(frame.to_string()).await;
        Ok(())
    }

    /// The next frame that is heard; `None` at the end, and when none comes in time.
    async fn frame(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.unwrap_or(None) {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).ok(),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame of that type, without it; others wait for their own call.
    pub(super) async fn next(&mut self, kind: &str) -> Result<Value, String> {
        let mut frame = self.next_of(&[kind]).await?;
        frame.as_object_mut().unwrap().remove("type");
        Ok(frame)
    }

    /// The next frame of one of those types; others wait for their own call.
    pub(super) async fn next_of(&mut self, kinds: &[&str]) -> Result<Value, String> {
        loop {
            let is_wanted = |frame: &Value| kinds.iter().any(|kind| frame["type"] == *kind);
            if let Some(idx) = self.heard.iter().position(is_wanted) {
                return Ok(self.heard.remove(idx).unwrap());
            }
            match self.frame().await {
                Some(frame) => self.heard.push_back(frame),
                None => return Err(format!("{kinds:?} were not heard, but {:?}", self.heard)),
            }
        }
    }

    /// The types of frames that were heard and not asked for, once all that was on its way came.
    pub(super) async fn settle(&mut self) -> Result<Vec<String>, String> {
        self.emit("ping", &Value::Null).await?;
        self.next("pong").await?;
        let kinds = self.heard.iter().filter_map(|frame| frame["type"].as_str());
        Ok(kinds.map(str::to_owned).collect())
    }

    /// The code with which the server closes it; `None` when it did not say goodbye.
    pub(super) async fn close_code(&mut self) -> Option<u16> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("an end in time") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}
