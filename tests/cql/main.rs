//! The binary on a real CQL server, whose address is in `CQL_SERVER`: a start, a talk, a kill, a
//! database that stands still, and what an operator is told.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_switchboard");
const KEYSPACE: &str = "switchboard_serve";
const DEVICE: &str = "018f6f2e-0000-7000-8000-000000000001";
/// What a test waits for before it says that something does not happen.
const PATIENCE: Duration = Duration::from_secs(120);

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; `cargo xtask test --only \"store on CQL\"` has a server")
    })
}

/// The binary with nothing of our own environment that could be a setting.
fn switchboard(node: &str, keyspace: &str, arguments: &[&str]) -> Command {
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
fn ends(mut command: Command, exit: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(exit), "{output:?}");
    output
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A server with demo data.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let free = "127.0.0.1:0";
        let serve = ["serve", "--demo", "--listen", free, "--ops-listen", free];
        let mut serve = switchboard(&variable("CQL_SERVER"), KEYSPACE, &serve);
        let mut process = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = said.find(|line| line.starts_with("listening on"));
        let line = line.expect("the server says where it is");
        // It says more, and whoever listens must not have gone by then.
        let operations = said.find(|line| line.starts_with("operations"));
        assert!(operations.is_some());
        let address = line.split_once("http://").unwrap().1.parse().unwrap();
        Self { process, address }
    }

    /// One request on a connection of its own; its status and its body.
    fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        if !token.is_empty() {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
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

    fn agent(&self) -> String {
        let (status, signed_in) = self.ask("POST", "/v1/demo/sign-in", "", &json!({ "as": "ben" }));
        assert_eq!(status, 200, "{signed_in}");
        signed_in["token"].as_str().unwrap().to_owned()
    }

    fn say(&self, talk: &Talk, token: &str, n: u64, text: &str) -> (u16, Value) {
        let path = format!("/v1/conversations/{}/messages", talk.id);
        self.ask("POST", &path, token, &json!({ "text": text, "device": DEVICE, "n": n }))
    }

    /// Says it again and again under the same key until the answer is as wanted.
    fn insist(
        &self,
        talk: &Talk,
        (n, text): (u64, &str),
        wanted: impl Fn(u16, &Value) -> bool,
    ) -> Vec<(u16, Value)> {
        let began = Instant::now();
        let mut heard = Vec::new();
        loop {
            let (status, body) = self.say(talk, &talk.secret, n, text);
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
    fn transcript(&self, talk: &Talk, token: &str) -> Vec<Value> {
        let path = format!("/v1/conversations/{}/messages?after=0&limit=100", talk.id);
        let (status, read) = self.ask("GET", &path, token, &Value::Null);
        assert_eq!(status, 200, "{read}");
        assert_eq!(read["more"], false);
        read["items"].as_array().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// A conversation that a visitor began.
struct Talk {
    id: String,
    secret: String,
}

fn texts(transcript: &[Value]) -> Vec<&str> {
    let messages = transcript.iter().filter(|event| event["kind"] == "message");
    messages.map(|event| event["body"]["text"].as_str().unwrap()).collect()
}

/// What was said, after the greeting that the widget begins with.
fn said(transcript: &[Value]) -> Vec<&str> {
    texts(transcript).into_iter().skip(1).collect()
}

/// What a visitor is told of an event, without what only its author hears.
fn public(transcript: &[Value]) -> Vec<[&Value; 4]> {
    transcript.iter().map(|it| [&it["seq"], &it["id"], &it["kind"], &it["body"]]).collect()
}

#[test]
fn a_talk_survives_a_kill_and_a_database_that_stands_still() {
    let migrate = || switchboard(&variable("CQL_SERVER"), KEYSPACE, &["migrate"]);
    ends(migrate(), 0);
    ends(migrate(), 0);

    let free = "127.0.0.1:0";
    let doctor = ["doctor"];
    let mut doctor = switchboard(&variable("CQL_SERVER"), KEYSPACE, &doctor);
    doctor.env("SWITCHBOARD_SERVER_LISTEN", free).env("SWITCHBOARD_SERVER_OPS_LISTEN", free);
    let found = String::from_utf8(ends(doctor, 0).stdout).unwrap();
    assert!(found.contains("ok    database: keyspace switchboard_serve on"), "{found}");

    let server = Server::start();
    let begin = json!({ "widget": "demo", "message": { "text": "Hello" } });
    let (status, begun) = server.ask("POST", "/v1/conversations", "", &begin);
    assert_eq!(status, 201, "{begun}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let talk = Talk { id: text(&begun["id"]), secret: text(&begun["visitor"]["secret"]) };
    let agent = server.agent();
    let accept = format!("/v1/conversations/{}/accept", talk.id);
    let (status, accepted) = server.ask("POST", &accept, &agent, &json!({}));
    assert!((200..300).contains(&status), "{status} {accepted}");
    assert_eq!(server.say(&talk, &agent, 1, "Good morning").0, 201);
    let (status, late) = server.say(&talk, &talk.secret, 1, "My order is late");
    assert_eq!(status, 201, "{late}");
    let before = server.transcript(&talk, &talk.secret);
    assert_eq!(said(&before), ["Hello", "Good morning", "My order is late"]);
    assert_eq!(public(&server.transcript(&talk, &agent)), public(&before));
    // SIGKILL: nothing is given back or written.
    drop(server);

    let mut server = Server::start();
    let agent = server.agent();
    assert_eq!(server.transcript(&talk, &talk.secret), before);
    assert_eq!(public(&server.transcript(&talk, &agent)), public(&before));
    let again = server.say(&talk, &talk.secret, 1, "My order is late");
    assert_eq!(again.1["seq"], late["seq"], "{again:?}");
    let unknown = format!("/v1/conversations/{DEVICE}/messages?after=0");
    assert_eq!(server.ask("GET", &unknown, &agent, &Value::Null).0, 404);

    // Nothing is acknowledged without the database, and it is said plainly once the lease ends.
    let database: u32 = variable("CQL_SERVER_PID").parse().unwrap();
    signal(database, Signal::STOP);
    let refused = server.insist(&talk, (2, "Still there?"), |_, body| body["code"] == "busy");
    signal(database, Signal::CONT);
    assert!(refused.iter().all(|(status, _)| *status >= 500), "{refused:?}");
    // It goes on by itself, and what was asked many times is there once.
    server.insist(&talk, (2, "Still there?"), |status, _| status == 201 || status == 200);
    let after = server.transcript(&talk, &talk.secret);
    let expected = ["Hello", "Good morning", "My order is late", "Still there?"];
    assert_eq!(said(&after), expected);
    assert_eq!(after[..before.len()], before);

    signal(server.process.id(), Signal::TERM);
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_database_that_cannot_be_used_is_named_with_its_setting() {
    // Bound and closed again: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap().to_string();
    drop(listener);
    let free = "127.0.0.1:0";
    let serve = ["serve", "--listen", free, "--ops-listen", free];
    for arguments in [&serve[..], &["migrate"]] {
        let refused = err(&ends(switchboard(&nobody, KEYSPACE, arguments), 1));
        assert!(refused.contains(&nobody) && refused.contains("cql.nodes"), "{refused}");
    }
    let absent = err(&ends(switchboard(&variable("CQL_SERVER"), "sb_absent", &serve), 1));
    for told in ["sb_absent", "cql.keyspace", "switchboard migrate"] {
        assert!(absent.contains(told), "{absent}");
    }
    for (variable, value) in [
        ("SWITCHBOARD_CQL_NODES", "nowhere"),
        ("SWITCHBOARD_CQL_KEYSPACE", "not a name"),
        ("SWITCHBOARD_CQL_USERNAME", "alone"),
        ("SWITCHBOARD_CQL_REPLICATION", "0"),
    ] {
        let mut check = switchboard(&nobody, KEYSPACE, &["check-config"]);
        check.env(variable, value);
        let refused = err(&ends(check, 3));
        let key = variable.replace("SWITCHBOARD_CQL_", "cql.").to_lowercase();
        assert!(refused.contains(&key), "{refused}");
    }
}
