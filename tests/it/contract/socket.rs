//! A Socket.IO client, packet by packet: Engine.IO 4 on a WebSocket, Socket.IO 5 within.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Nothing in a test takes longer; what does is broken.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where a token is said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Says {
    /// In the first packet.
    #[default]
    Auth,
    /// In a header of the handshake.
    Header,
    /// In the address.
    Query,
    /// Among the subprotocols; plain WebSockets alone.
    Protocol,
}

/// A connection in a namespace.
#[derive(Debug)]
pub(super) struct Socket {
    /// What stands before each packet's content: nothing for `/`, else `/name,`.
    prefix: String,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    heard: VecDeque<(String, Value)>,
    acked: Vec<(u64, Value)>,
    next_ack: u64,
    has_left: bool,
}

impl Socket {
    /// Opens a transport and asks for the namespace; the error is what the server says then, null
    /// when it says nothing.
    pub(super) async fn connect(
        address: SocketAddr,
        namespace: &str,
        token: Option<&str>,
        says: Says,
        origin: Option<&str>,
    ) -> Result<Self, Value> {
        let token = token.unwrap_or_default();
        let query = match says {
            Says::Query => format!("&token={token}"),
            Says::Auth | Says::Header | Says::Protocol => String::new(),
        };
        let uri = format!("ws://{address}/socket.io/?EIO=4&transport=websocket{query}");
        let mut request = uri.into_client_request().unwrap();
        if matches!(says, Says::Header) {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let connecting = tokio_tungstenite::connect_async(request);
        let connected = timeout(PATIENCE, connecting).await.expect("a socket in time");
        let (stream, _) = connected.map_err(|error| Value::String(error.to_string()))?;
        Self::enter(stream, namespace, token, says).await
    }

    /// Asks for the namespace on an open transport.
    pub(super) async fn enter(
        stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
        namespace: &str,
        token: &str,
        says: Says,
    ) -> Result<Self, Value> {
        let mut socket = Self::new(stream, namespace);
        let open = socket.packet().await.expect("an open packet");
        assert!(open.starts_with('0'), "{open}");
        match says {
            Says::Auth => {
                let auth = json!({ "token": token });
                socket.write(format!("40{}{auth}", socket.prefix)).await;
            }
            Says::Header | Says::Query | Says::Protocol => {
                socket.write(format!("40{}", socket.prefix)).await;
            }
        }
        loop {
            let Some(packet) = socket.packet().await else { return Err(Value::Null) };
            if let Some(refused) = socket.of_kind(&packet, "44") {
                return Err(serde_json::from_str(refused).unwrap());
            }
            if socket.of_kind(&packet, "40").is_some() {
                return Ok(socket);
            }
        }
    }

    /// Goes on with a session that polled until now.
    pub(super) async fn upgraded(stream: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        let mut socket = Self::new(stream, "/");
        socket.write("2probe".to_owned()).await;
        assert_eq!(socket.packet().await.as_deref(), Some("3probe"));
        socket.write("5".to_owned()).await;
        socket
    }

    fn new(stream: WebSocketStream<MaybeTlsStream<TcpStream>>, namespace: &str) -> Self {
        let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let (heard, acked) = (VecDeque::new(), Vec::new());
        Self { prefix, stream, heard, acked, next_ack: 0, has_left: false }
    }

    /// The content of a packet of that kind in this namespace.
    fn of_kind<'a>(&self, packet: &'a str, kind: &str) -> Option<&'a str> {
        packet.strip_prefix(kind)?.strip_prefix(&self.prefix)
    }

    async fn write(&mut self, packet: String) {
        // A connection that is closed shows when it is read.
        let _closed = self.stream.send(Message::text(packet)).await;
    }

    /// The next packet that is no ping; `None` at the end, and when none comes in time.
    async fn packet(&mut self) -> Option<String> {
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await.unwrap_or(None);
            match message {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => {
                    self.write("3".to_owned()).await;
                }
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Takes one packet in; `false` at the end.
    async fn take(&mut self) -> bool {
        let Some(packet) = self.packet().await else { return false };
        if let Some(event) = self.of_kind(&packet, "42") {
            let mut parts: Vec<Value> = serde_json::from_str(event).unwrap();
            let data = if parts.len() > 1 { parts.swap_remove(1) } else { Value::Null };
            self.heard.push_back((parts[0].as_str().unwrap().to_owned(), data));
        } else if let Some(ack) = self.of_kind(&packet, "43") {
            let start = ack.find('[').unwrap();
            let mut parts: Vec<Value> = serde_json::from_str(&ack[start..]).unwrap();
            self.acked.push((ack[..start].parse().unwrap(), parts.remove(0)));
        } else if self.of_kind(&packet, "41").is_some() {
            self.has_left = true;
        }
        true
    }

    /// Emits an event; the number is that of its acknowledgement.
    pub(super) async fn emit(&mut self, event: &str, data: &Value) -> u64 {
        let ack = self.next_ack;
        self.next_ack += 1;
        let arguments = if data.is_null() { json!([event]) } else { json!([event, data]) };
        self.write(format!("42{}{ack}{arguments}", self.prefix)).await;
        ack
    }

    /// Emits an event without asking for an acknowledgement.
    pub(super) async fn tell(&mut self, event: &str, data: &Value) {
        self.write(format!("42{}{}", self.prefix, json!([event, data]))).await;
    }

    /// What an event is acknowledged with.
    pub(super) async fn ack(&mut self, number: u64) -> Result<Value, String> {
        loop {
            if let Some(idx) = self.acked.iter().position(|(known, _)| *known == number) {
                return Ok(self.acked.remove(idx).1);
            }
            if !self.take().await {
                return Err("there was no acknowledgement".to_owned());
            }
        }
    }

    /// Emits an event and waits for its acknowledgement.
    pub(super) async fn ask(&mut self, event: &str, data: &Value) -> Result<Value, String> {
        let number = self.emit(event, data).await;
        self.ack(number).await
    }

    /// The next event of that name; others wait for their own call.
    pub(super) async fn next(&mut self, event: &str) -> Result<Value, String> {
        loop {
            if let Some(idx) = self.heard.iter().position(|(name, _)| name == event) {
                return Ok(self.heard.remove(idx).unwrap().1);
            }
            if !self.take().await {
                return Err(format!("{event} was not heard, but {:?}", self.heard));
            }
        }
    }

    /// The names of events that were heard and not asked for, once all that was on its way came.
    pub(super) async fn settle(&mut self) -> Result<Vec<String>, String> {
        self.ask("no:such_event", &Value::Null).await?;
        Ok(self.heard.iter().map(|(name, _)| name.clone()).collect())
    }

    /// How many acknowledgements of success came that nobody asked for.
    pub(super) fn n_acked(&self) -> usize {
        self.acked.iter().filter(|(_, answer)| answer["success"] == true).count()
    }

    /// Waits until so many events were acknowledged, or the server has ended it.
    pub(super) async fn until_answered(&mut self, n_events: usize) {
        while !self.has_left && self.acked.len() < n_events && self.take().await {}
    }

    /// Waits until the server ends it; answers whether it said goodbye.
    pub(super) async fn end(&mut self) -> bool {
        while !self.has_left && self.take().await {}
        self.has_left
    }
}
