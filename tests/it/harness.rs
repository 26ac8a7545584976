//! A node on free ports with a folder of its own, and clients that speak its protocol.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use switchboard::config::{Config, Environment};
use switchboard::node::Node;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Nothing in a test takes longer; what does is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The secret that tests sign with.
pub(crate) const SECRET: &str = "an hs256 secret of the tests, long enough";

/// A node with demo data.
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) data: TempDir,
}

/// The settings of a test's node.
pub(crate) fn config(data: &TempDir) -> Config {
    let mut config = Config { environment: Environment::Development, ..Config::default() };
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.ops_listen = "127.0.0.1:0".parse().unwrap();
    config.server.demo = true;
    config.server.drain_seconds = 9;
    config.store.data_dir = data.path().to_owned();
    config.jwt.secret = Some(SECRET.to_owned());
    config
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), |_| {}).await
    }

    pub(crate) async fn start_in(data: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&data);
        change(&mut config);
        let node = Node::start(config).await.unwrap();
        Self { node, data }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.node.address()
    }

    /// Stops in good order and gives the folder back.
    pub(crate) async fn stop(self) -> TempDir {
        self.node.stop(std::future::pending()).await;
        self.data
    }

    /// A token for an agent of the demo.
    pub(crate) async fn sign_in(&self, name: &str) -> String {
        let answer = self.post("/v1/demo/sign-in", None, json!({ "as": name })).await;
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// A visitor with a conversation and a first message.
    pub(crate) async fn begin(&self, text: &str) -> Begun {
        let body = json!({ "widget": "demo", "message": { "text": text } });
        let answer = self.post("/v1/conversations", None, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let body = answer.json();
        Begun { id: text_of(&body["id"]), secret: text_of(&body["visitor"]["secret"]), body }
    }

    /// Changes some of a widget's settings.
    pub(crate) async fn change_widget(&self, admin: &str, widget: &str, change: Value) {
        let path = format!("/v1/widgets/{widget}/settings");
        let found = self.get(&path, Some(admin)).await.json();
        let mut settings = found["settings"].clone();
        settings.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut headers = auth(Some(admin));
        headers.push(("if-match", "*".to_owned()));
        let answer = self.request("PUT", &path, &headers, Some(settings)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.request("GET", path, &auth(token), None).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.request("POST", path, &auth(token), Some(body)).await
    }

    /// One HTTP request on a connection of its own.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: Option<Value>,
    ) -> Answer {
        request(self.address(), method, path, headers, body).await
    }

    /// A greeted socket, in JSON.
    pub(crate) async fn connect(&self, token: &str) -> Client {
        let mut client = Client::open(self.address(), None, None).await.unwrap();
        client.send(json!({ "type": "hello", "token": token })).await;
        let ready = client.next_of("ready").await;
        assert_eq!(ready["ping_ms"], 25_000);
        client
    }
}

/// A conversation that a stranger began.
pub(crate) struct Begun {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) body: Value,
}

pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub(crate) fn auth(token: Option<&str>) -> Vec<(&'static str, String)> {
    token.map(|token| ("authorization", format!("Bearer {token}"))).into_iter().collect()
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    pub(crate) fn code(&self) -> String {
        text_of(&self.json()["code"])
    }
}

pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: Option<Value>,
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    if !body.is_empty() {
        head.push_str("content-type: application/json\r\n");
    }
    head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        bytes
    };
    let bytes = timeout(PATIENCE * 4, exchange).await.expect("an answer in time");
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = unchunk(&body);
    }
    Answer { status, headers, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
    body
}

/// What a client hears at the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A close frame with that code.
    Code(u16),
    /// Without a word.
    Cut,
}

/// A socket that keeps what it has heard and was not asked for yet.
pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    heard: VecDeque<Value>,
    is_binary: bool,
}

impl Client {
    pub(crate) async fn open(
        address: SocketAddr,
        subprotocol: Option<&str>,
        origin: Option<&str>,
    ) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{address}/v1/stream").into_client_request()?;
        let headers = request.headers_mut();
        if let Some(subprotocol) = subprotocol {
            let value = HeaderValue::from_str(subprotocol).unwrap();
            headers.insert("sec-websocket-protocol", value);
        }
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::from_str(origin).unwrap());
        }
        let connecting = tokio_tungstenite::connect_async(request);
        let (socket, _) = timeout(PATIENCE, connecting).await.expect("a socket in time")?;
        let is_binary = subprotocol.is_some_and(|name| name.ends_with("msgpack"));
        Ok(Self { socket, heard: VecDeque::new(), is_binary })
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        let message = if self.is_binary {
            Message::binary(rmp_serde::to_vec_named(&frame).unwrap())
        } else {
            Message::text(frame.to_string())
        };
        self.send_message(message).await;
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    async fn receive(&mut self) -> Result<Value, End> {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
            return match message {
                Some(Ok(Message::Text(text))) => Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Binary(bytes))) => Ok(rmp_serde::from_slice(&bytes).unwrap()),
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => {
                    Err(End::Code(code.into()))
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => Err(End::Cut),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            };
        }
    }

    /// The next frame of a type; frames of other types wait for their own call.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        self.next_where(kind, |frame| frame["type"] == kind).await
    }

    pub(crate) async fn next_where(
        &mut self,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        if let Some(idx) = self.heard.iter().position(&wanted) {
            return self.heard.remove(idx).unwrap();
        }
        loop {
            let frame = match self.receive().await {
                Ok(frame) => frame,
                Err(end) => panic!("{end:?} while waiting for {what}; heard {:?}", self.heard),
            };
            if wanted(&frame) {
                return frame;
            }
            self.heard.push_back(frame);
        }
    }

    /// Everything until the socket ends.
    pub(crate) async fn end(&mut self) -> (Vec<Value>, End) {
        let mut heard: Vec<Value> = self.heard.drain(..).collect();
        loop {
            match self.receive().await {
                Ok(frame) => heard.push(frame),
                Err(end) => return (heard, end),
            }
        }
    }

    /// Everything heard up to the answer of a ping: what was on its way has arrived.
    pub(crate) async fn settle(&mut self) -> Vec<Value> {
        self.send(json!({ "type": "ping" })).await;
        let mut heard: Vec<Value> = self.heard.drain(..).collect();
        loop {
            match self.receive().await {
                Ok(frame) if frame["type"] == "pong" => return heard,
                Ok(frame) => heard.push(frame),
                Err(end) => panic!("{end:?}"),
            }
        }
    }

    /// Subscribes and answers the `subscribed` frame and the events up to its head.
    pub(crate) async fn subscribe(
        &mut self,
        conversation: &str,
        stream: Option<&str>,
        from: (Value, Value),
    ) -> (Value, Vec<Value>) {
        let mut frame = json!({
            "type": "subscribe", "conversation": conversation, "log": from.0, "after": from.1,
        });
        if let Some(stream) = stream {
            frame["stream"] = json!(stream);
        }
        self.send(frame).await;
        let subscribed = self.next_of("subscribed").await;
        let mut events = Vec::new();
        if subscribed["from"].as_u64() <= subscribed["head"].as_u64() {
            loop {
                let mut batch = self.next_of("events").await;
                let more = batch["more"] == true;
                events.append(batch["items"].as_array_mut().unwrap());
                if !more {
                    break;
                }
            }
        }
        (subscribed, events)
    }

    pub(crate) async fn write(&mut self, conversation: &str, n: u64, text: &str) {
        self.send(json!({
            "type": "send", "conversation": conversation, "n": n, "kind": "message",
            "body": { "text": text },
        }))
        .await;
    }
}
