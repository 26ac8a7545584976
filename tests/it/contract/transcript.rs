//! Transcripts: a file each, spoken to a node of its own, step by step.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::folder;
use super::pattern::{Kept, filled, filled_text, matches};
use super::plain::Plain;
use super::socket::{Says, Socket};
use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::tokens::{SECRET, now_s, signed};

/// How long something that becomes true by itself may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A transcript.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transcript {
    /// Where its sockets are.
    #[serde(default = "root")]
    namespace: String,
    /// What their tokens claim, by name; nothing of those who have none.
    people: BTreeMap<String, Value>,
    pub(super) steps: Vec<Step>,
}

/// One step. It does one of: a request, a connect, an emit, or waiting for an event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Its name, for inventories and failures.
    pub(super) id: String,
    /// Who does it; nobody in particular when absent.
    #[serde(rename = "as", default)]
    who: Option<String>,
    /// Method and path.
    #[serde(default)]
    pub(super) request: Option<String>,
    #[serde(default)]
    pub(super) body: Option<Value>,
    #[serde(default)]
    origin: Option<String>,
    /// The version that a change is of.
    #[serde(default)]
    if_match: Option<String>,
    #[serde(default)]
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) response: Option<Value>,
    /// Whether the answer may take a while to become this one.
    #[serde(default)]
    eventually: bool,
    /// Headers of the answer.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Where the token is said: `auth`, `header`, `query` or `protocol`.
    #[serde(default)]
    pub(super) connect: Option<String>,
    /// The path of a plain WebSocket to connect to; Socket.IO when absent.
    #[serde(default)]
    at: Option<String>,
    /// The answer to a connect that is refused.
    #[serde(default)]
    pub(super) refused: Option<Value>,
    /// The event to emit.
    #[serde(default)]
    pub(super) emit: Option<String>,
    /// Its acknowledgement.
    #[serde(default)]
    pub(super) ack: Option<Value>,
    /// The event to wait for.
    #[serde(default)]
    pub(super) hears: Option<String>,
    /// What is emitted or heard.
    #[serde(default)]
    pub(super) data: Value,
    /// Events that were not heard.
    #[serde(default)]
    hears_no: Vec<String>,
}

fn root() -> String {
    "/".to_owned()
}

/// Every transcript of a dialect by the name of its file.
pub(super) fn all(dialect: &str) -> BTreeMap<String, Transcript> {
    let folder = folder("transcripts").join(dialect);
    let mut transcripts = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            transcripts.insert(name, read(&path));
        }
    }
    transcripts
}

fn read(path: &Path) -> Transcript {
    let text = std::fs::read_to_string(path).unwrap();
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Speaks every transcript of a dialect.
pub(super) async fn speak(dialect: &str) {
    let mut failures = Vec::new();
    for (name, transcript) in all(dialect) {
        let node = TestNode::start().await;
        let mut conversation = Speaking {
            node: &node,
            namespace: transcript.namespace,
            people: transcript.people,
            sockets: BTreeMap::new(),
            cookies: BTreeMap::new(),
            kept: Kept::new(),
        };
        for step in &transcript.steps {
            if let Err(why) = conversation.take(step).await {
                failures.push(format!("{dialect}/{name}, step {}: {why}", step.id));
                break;
            }
        }
        drop(conversation);
        node.stop().await;
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// A socket of one of the two kinds.
enum Client {
    SocketIo(Box<Socket>),
    Plain(Box<Plain>),
}

impl Client {
    /// Emits an event; the answer is its acknowledgement, if such sockets have any.
    async fn emit(&mut self, event: &str, data: &Value) -> Result<Option<Value>, String> {
        match self {
            Self::SocketIo(socket) => socket.ask(event, data).await.map(Some),
            Self::Plain(socket) => socket.emit(event, data).await.map(|()| None),
        }
    }

    async fn next(&mut self, event: &str) -> Result<Value, String> {
        match self {
            Self::SocketIo(socket) => socket.next(event).await,
            Self::Plain(socket) => socket.next(event).await,
        }
    }

    async fn settle(&mut self) -> Result<Vec<String>, String> {
        match self {
            Self::SocketIo(socket) => socket.settle().await,
            Self::Plain(socket) => socket.settle().await,
        }
    }
}

struct Speaking<'a> {
    node: &'a TestNode,
    namespace: String,
    people: BTreeMap<String, Value>,
    sockets: BTreeMap<String, Client>,
    /// The cookies that each was given, as a browser says them again.
    cookies: BTreeMap<String, Vec<String>>,
    kept: Kept,
}

impl Speaking<'_> {
    fn token(&self, who: Option<&str>) -> Option<String> {
        let who = who?;
        let mut claims =
            self.people.get(who).unwrap_or_else(|| panic!("nobody is called {who}")).clone();
        if claims.is_null() {
            return None;
        }
        if let Some(token) = claims.as_str() {
            return Some(token.to_owned());
        }
        if let Some(days) = claims.as_object_mut().unwrap().remove("account_days") {
            let since = now_s() - days.as_u64().unwrap() * 86_400 - 60;
            claims["account_created_at"] = json!(since);
        }
        claims["exp"] = json!(now_s() + 3_600);
        Some(signed(SECRET, &json!({ "alg": "HS256" }), &claims))
    }

    /// The `Cookie` of somebody who was given any.
    fn cookie(&self, who: Option<&str>) -> Option<String> {
        self.cookies.get(who?).map(|cookies| cookies.join("; "))
    }

    /// Keeps the cookies of an answer.
    fn keep_cookies(&mut self, who: Option<&str>, reply: &Reply) {
        let Some(who) = who else { return };
        for (_, value) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let cookie = value.split(';').next().unwrap_or_default().to_owned();
            self.cookies.entry(who.to_owned()).or_default().push(cookie);
        }
    }

    fn socket(&mut self, step: &Step) -> &mut Client {
        let who = step.who.as_deref().expect("somebody");
        self.sockets.get_mut(who).unwrap_or_else(|| panic!("{who} is not connected"))
    }

    async fn take(&mut self, step: &Step) -> Result<(), String> {
        if let Some(request) = &step.request {
            return self.request(step, request).await;
        }
        if let Some(says) = &step.connect {
            return self.connect(step, says).await;
        }
        if let Some(event) = &step.emit {
            let data = filled(&step.data, &self.kept);
            let ack = self.socket(step).emit(event, &data).await?;
            return match &step.ack {
                Some(pattern) => matches(pattern, &ack.unwrap_or_default(), &mut self.kept),
                None => Ok(()),
            };
        }
        if let Some(event) = &step.hears {
            let data = self.socket(step).next(event).await?;
            return matches(&step.data, &data, &mut self.kept);
        }
        let heard = self.socket(step).settle().await?;
        match step.hears_no.iter().find(|event| heard.contains(event)) {
            Some(event) => Err(format!("{event} was heard")),
            None => Ok(()),
        }
    }

    async fn request(&mut self, step: &Step, request: &str) -> Result<(), String> {
        let (method, path) = request.split_once(' ').expect("method and path");
        let path = filled_text(path, &self.kept);
        let token = self.token(step.who.as_deref());
        let mut call = Call::new(method, &path).token(token.as_deref());
        if let Some(origin) = &step.origin {
            call = call.header("Origin", origin);
        }
        if let Some(cookie) = self.cookie(step.who.as_deref()) {
            call = call.header("Cookie", &cookie);
        }
        if let Some(version) = &step.if_match {
            call = call.header("If-Match", version);
        }
        if let Some(body) = &step.body {
            call = call.json(&filled(body, &self.kept));
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let reply = self.node.send(&call).await;
            self.keep_cookies(step.who.as_deref(), &reply);
            let checked = (|| {
                let expected = step.status.unwrap_or(200);
                if reply.status != expected {
                    return Err(format!("{} is not {expected}: {}", reply.status, reply.body));
                }
                for (name, value) in &step.headers {
                    if reply.header(name) != Some(value) {
                        return Err(format!("{name}: {:?}", reply.header(name)));
                    }
                }
                match &step.response {
                    Some(pattern) => matches(pattern, &reply.json(), &mut self.kept),
                    None => Ok(()),
                }
            })();
            if checked.is_ok() || !step.eventually || Instant::now() > until {
                return checked;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn connect(&mut self, step: &Step, says: &str) -> Result<(), String> {
        let says = match says {
            "auth" => Says::Auth,
            "header" => Says::Header,
            "query" => Says::Query,
            "protocol" => Says::Protocol,
            other => return Err(format!("{other} is no place for a token")),
        };
        let token = self.token(step.who.as_deref());
        let origin = step.origin.as_deref();
        let (address, token) = (self.node.address, token.as_deref());
        let connected = match &step.at {
            Some(path) => {
                let path = filled_text(path, &self.kept);
                let mut headers: Vec<_> =
                    origin.map(|origin| ("origin", origin.to_owned())).into_iter().collect();
                let cookie = self.cookie(step.who.as_deref());
                headers.extend(cookie.map(|cookie| ("cookie", cookie)));
                let connected = Plain::connect_with(address, &path, token, says, headers);
                connected.await.map(|socket| Client::Plain(Box::new(socket)))
            }
            None => {
                let connected = Socket::connect(address, &self.namespace, token, says, origin);
                connected.await.map(|socket| Client::SocketIo(Box::new(socket)))
            }
        };
        match (connected, &step.refused) {
            (Ok(socket), None) => {
                let who = step.who.clone().expect("somebody connects");
                self.sockets.insert(who, socket);
                Ok(())
            }
            (Err(refused), Some(pattern)) => matches(pattern, &refused, &mut self.kept),
            (Ok(_), Some(_)) => Err("the connection was not refused".to_owned()),
            (Err(refused), None) => Err(format!("refused: {refused}")),
        }
    }
}
