//! The binary as a process, and clients that speak to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_switchboard");
pub(crate) const KEYSPACE: &str = "switchboard_serve";
pub(crate) const DEVICE: &str = "018f6f2e-0000-7000-8000-000000000001";
/// What a test waits for before it says that something does not happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; `cargo xtask test --only \"store on CQL\"` has a server")
    })
}

/// The binary with nothing of our own environment that could be a setting.
pub(crate) fn switchboard(node: &str, keyspace: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .env_clear()
        .env("RUST_BACKTRACE", "0")
        .env("SWITCHBOARD_STORE_ENGINE", "cql")
        .env("SWITCHBOARD_CQL_NODES", node)
        .env("SWITCHBOARD_CQL_KEYSPACE", keyspace)
        .env("SWITCHBOARD_CQL_REPLICATION", "1");
    command
}

#[track_caller]
pub(crate) fn ends(mut command: Command, exit: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(exit), "{output:?}");
    output
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A server with demo data.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    /// Where its inner state is read.
    pub(crate) operations: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_as(KEYSPACE, |_| {})
    }

    pub(crate) fn start_as(keyspace: &str, change: impl FnOnce(&mut Command)) -> Self {
        let free = "127.0.0.1:0";
        let serve = ["serve", "--demo", "--listen", free, "--ops-listen", free];
        let mut serve = switchboard(&variable("CQL_SERVER"), keyspace, &serve);
        change(&mut serve);
        let mut process = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut place = |begins: &str| {
            let line = said.find(|line| line.starts_with(begins)).expect("it says where it is");
            let place = line.split_once("http://").unwrap().1;
            place.split('/').next().unwrap().parse().unwrap()
        };
        let address = place("listening on");
        // The last that it says: whoever listens must not have gone by then.
        let operations = place("operations");
        Self { process, address, operations }
    }

    /// One request on a connection of its own; its status and its body.
    pub(crate) fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        request(self.address, method, path, token, body)
    }

    /// How many conversations are in its memory.
    pub(crate) fn live(&self) -> u64 {
        self.observed()["conversations"]["live"].as_u64().unwrap()
    }

    /// How many shards it owns and serves.
    pub(crate) fn shards(&self) -> u64 {
        self.observed()["shards"].as_u64().unwrap()
    }

    fn observed(&self) -> Value {
        let (status, observed) = request(self.operations, "GET", "/observe", "", &Value::Null);
        assert_eq!(status, 200, "{observed}");
        observed
    }

    pub(crate) fn agent(&self) -> String {
        self.sign_in("ben")
    }

    pub(crate) fn sign_in(&self, name: &str) -> String {
        let (status, signed_in) = self.ask("POST", "/v1/demo/sign-in", "", &json!({ "as": name }));
        assert_eq!(status, 200, "{signed_in}");
        signed_in["token"].as_str().unwrap().to_owned()
    }

    /// A conversation that a visitor begins here.
    pub(crate) fn begin(&self, text: &str) -> Talk {
        self.try_to_begin(text).expect("it is owned by somebody")
    }

    /// The same; `None` when nobody owns it at the moment.
    pub(crate) fn try_to_begin(&self, text: &str) -> Option<Talk> {
        let begin = json!({ "widget": "demo", "message": { "text": text } });
        let (status, begun) = self.ask("POST", "/v1/conversations", "", &begin);
        assert!(status == 201 || status == 503, "{status} {begun}");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Talk { id: text(&begun["id"])?, secret: text(&begun["visitor"]["secret"])? })
    }

    pub(crate) fn say(&self, talk: &Talk, token: &str, n: u64, text: &str) -> (u16, Value) {
        let path = format!("/v1/conversations/{}/messages", talk.id);
        self.ask("POST", &path, token, &json!({ "text": text, "device": DEVICE, "n": n }))
    }

    /// Says it again and again under the same key until the answer is as wanted.
    pub(crate) fn insist(
        &self,
        talk: &Talk,
        token: &str,
        (n, text): (u64, &str),
        wanted: impl Fn(u16, &Value) -> bool,
    ) -> Vec<(u16, Value)> {
        let began = Instant::now();
        let mut heard = Vec::new();
        loop {
            let (status, body) = self.say(talk, token, n, text);
            let is_wanted = wanted(status, &body);
            heard.push((status, body));
            if is_wanted {
                return heard;
            }
            assert!(began.elapsed() < PATIENCE, "{heard:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The events as a reader sees them: kind, author and text.
    pub(crate) fn transcript(&self, talk: &Talk, token: &str) -> Vec<Value> {
        let path = format!("/v1/conversations/{}/messages?after=0&limit=100", talk.id);
        let (status, read) = self.ask("GET", &path, token, &Value::Null);
        assert_eq!(status, 200, "{read}");
        assert_eq!(read["more"], false);
        read["items"].as_array().unwrap().clone()
    }
}

/// One request on a connection of its own; its status and its body.
fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: &Value,
) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n");
    if !token.is_empty() {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if method == "PATCH" || method == "PUT" {
        head.push_str("if-match: *\r\n");
    }
    let length = body.len();
    head.push_str("content-type: application/json\r\nconnection: close\r\n");
    write!(socket, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let json = body.find(['{', '[']).map(|from| &body[from..=body.rfind(['}', ']']).unwrap()]);
    (status, json.map_or(Value::Null, |json| serde_json::from_str(json).unwrap()))
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// A conversation that a visitor began.
pub(crate) struct Talk {
    pub(crate) id: String,
    pub(crate) secret: String,
}

pub(crate) fn texts(transcript: &[Value]) -> Vec<&str> {
    let messages = transcript.iter().filter(|event| event["kind"] == "message");
    messages.map(|event| event["body"]["text"].as_str().unwrap()).collect()
}

/// What was said, after the greeting that the widget begins with.
pub(crate) fn said(transcript: &[Value]) -> Vec<&str> {
    texts(transcript).into_iter().skip(1).collect()
}

/// What a visitor is told of an event, without what only its author hears.
pub(crate) fn public(transcript: &[Value]) -> Vec<[&Value; 4]> {
    transcript.iter().map(|it| [&it["seq"], &it["id"], &it["kind"], &it["body"]]).collect()
}
