//! `notes`: a visitor beside notes, edits and whispers sees no byte, no gap, no number of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::client::frame::Frame;
use crate::client::http::Http;
use crate::client::{ANSWER_TIMEOUT, Connection, Encoding, find};
use crate::history::Stream;
use crate::report::Report;
use crate::server::{Server, scratch};

/// Nothing but pings arrives for so long before and after: what was under way has arrived.
const QUIET: Duration = Duration::from_millis(1500);

/// The proof that notes stay inside.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// Notes, and as many edits and whispers.
    #[arg(long, default_value_t = 100)]
    pub notes: u64,
}

/// A visitor's ways to look at the conversation.
struct Visitor {
    conversation: String,
    secret: String,
    http: Http,
    connection: Connection,
}

impl Visitor {
    async fn get(&mut self, path: &str) -> anyhow::Result<(u16, String)> {
        let answer = self.http.request(Method::GET, path, Some(&self.secret), None).await?;
        Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// Everything HTTP tells: the card, the list, the page, the internal page, an unknown id's.
    async fn look(&mut self) -> anyhow::Result<Vec<(u16, String)>> {
        let id = self.conversation.clone();
        let mut all = Vec::new();
        for path in [
            format!("/v1/conversations/{id}"),
            "/v1/conversations".to_owned(),
            format!("/v1/conversations/{id}/messages?after=0"),
        ] {
            all.push(self.get(&path).await?);
        }
        Ok(all)
    }

    /// Reads until nothing but pings came for a while; returns (frames, bytes) so far.
    async fn settle(&mut self) -> anyhow::Result<(u64, u64)> {
        while let Ok(next) = tokio::time::timeout(QUIET, self.connection.next()).await {
            next?;
        }
        Ok(self.connection.received())
    }

    async fn next_event(&mut self) -> anyhow::Result<crate::client::frame::Event> {
        let event = async {
            loop {
                if let Frame::Event(event) = self.connection.next().await? {
                    return anyhow::Ok(event);
                }
            }
        };
        tokio::time::timeout(ANSWER_TIMEOUT, event).await?
    }
}

/// An agent's sends, one at a time.
struct Agent {
    connection: Connection,
    conversation: String,
    n: u64,
}

impl Agent {
    async fn send(&mut self, kind: &str, text: &str) -> anyhow::Result<u64> {
        self.n += 1;
        self.connection
            .send(&json!({
                "type": "send", "conversation": self.conversation, "n": self.n, "kind": kind,
                "body": {"text": text},
            }))
            .await?;
        let ack = async {
            loop {
                match self.connection.next().await? {
                    Frame::Ack { n, seq, .. } if n == self.n => return anyhow::Ok(seq),
                    Frame::Nack { code, .. } => anyhow::bail!("{kind} was refused: {code}"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(ANSWER_TIMEOUT, ack).await?
    }

    async fn act(&mut self, action: &str, args: Value) -> anyhow::Result<()> {
        let done = self.connection.act(&self.conversation, action, args).await?;
        anyhow::ensure!(done.is_ok(), "{action} was refused: {done:?}");
        Ok(())
    }
}

/// Runs the proof.
///
/// # Errors
/// When the server cannot be run, or the visitor noticed anything.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let mut report = Report::new(format!("notes: {0} notes, {0} edits, {0} whispers", args.notes));
    let dir = scratch(&args.server)?;
    let mut server = Server::new(&args.server, dir.path())?;
    server.start().await?;
    let marker = format!("internal{}", uuid::Uuid::new_v4().simple());

    let mut http = Http::new(server.public);
    let created = http.create(None).await?;
    let secret = created.visitor.secret.context("a new visitor has a secret")?;
    let mut connection = Connection::open(server.public, Encoding::Json).await?;
    connection.forbid(marker.as_str().into());
    connection.hello(&secret, &uuid::Uuid::new_v4().to_string()).await?;
    connection.subscribe(&created.id, Stream::Public, Some(&created.log), Some(0)).await?;
    let conversation = created.id.clone();
    let mut visitor = Visitor { conversation, secret, http, connection };

    let token = Http::new(server.public).sign_in("ada").await?.token;
    let mut connection = Connection::open(server.public, Encoding::Json).await?;
    connection.hello(&token, &uuid::Uuid::new_v4().to_string()).await?;
    let mut agent = Agent { connection, conversation: created.id.clone(), n: 0 };
    agent.act("accept", json!({})).await?;
    let head = agent.send("message", "hello").await?;

    let before = (visitor.settle().await?, visitor.look().await?);
    let poll = long_poll(&visitor, server.public, head);
    let write = write_notes(&mut agent, args.notes, &marker);
    let (poll, written) = tokio::join!(poll, write);
    written?;
    let after = (visitor.settle().await?, visitor.look().await?);

    let (frames, bytes) = (after.0.0 - before.0.0, after.0.1 - before.0.1);
    report.check(
        "live: nothing arrives",
        frames == 0 && bytes == 0,
        format!("{frames} frames, {bytes} bytes"),
    );
    report.check(
        "http: nothing changes",
        before.1 == after.1,
        format!("{} answers before and after", before.1.len()),
    );
    let (waited, body) = poll?;
    report.check(
        "long poll: not woken",
        waited >= Duration::from_millis(1900) && !find(body.as_bytes(), marker.as_bytes()),
        format!("answered after {waited:?}"),
    );
    hidden(&mut visitor, &mut report).await?;

    agent.send("message", "after the notes").await?;
    let event = visitor.next_event().await?;
    let facts = format!("{} follows {head} without a fetch", event.seq);
    report.check("the next message follows", event.seq == head + 1, facts);
    let leaked = visitor.connection.leaked();
    let in_http = after.1.iter().any(|(_, body)| find(body.as_bytes(), marker.as_bytes()));
    report.check("no byte of a note", leaked.is_none() && !in_http, format!("{leaked:?}"));

    // The counter-check: an agent reads all of it, so there was something to leak.
    let page = visitor.http.page(&token, &created.id, Stream::Internal, 0).await?;
    let expected = args.notes * 3;
    report.check("agents read it", page.head >= expected, format!("{} internal events", page.head));
    report.check("panics", server.n_panics() == 0, format!("{} in the log", server.n_panics()));
    server.kill().await?;
    report.finish()
}

async fn write_notes(agent: &mut Agent, n: u64, marker: &str) -> anyhow::Result<()> {
    for i in 0..n {
        let seq = agent.send("note", &format!("{marker} note {i}")).await?;
        agent.send("whisper", &format!("{marker} whisper {i}")).await?;
        let text = format!("{marker} edited {i}");
        agent.act("edit", json!({"stream": "internal", "seq": seq, "text": text})).await?;
    }
    Ok(())
}

/// Waits for news over HTTP while notes are written; returns how long that took, and the answer.
async fn long_poll(
    visitor: &Visitor,
    address: std::net::SocketAddr,
    head: u64,
) -> anyhow::Result<(Duration, String)> {
    let path = format!("/v1/conversations/{}/messages?after={head}&wait=2", visitor.conversation);
    let started = Instant::now();
    let mut http = Http::new(address);
    let answer = http.request(Method::GET, &path, Some(&visitor.secret), None).await?;
    Ok((started.elapsed(), String::from_utf8_lossy(&answer.body).into_owned()))
}

/// What a refusal says, without the id of the request, which every request has of its own.
fn told(refusal: &str) -> anyhow::Result<Map<String, Value>> {
    let mut told: Map<String, Value> = serde_json::from_str(refusal)?;
    anyhow::ensure!(told.remove("request_id").is_some(), "a refusal without an id: {refusal}");
    Ok(told)
}

/// The internal stream of the visitor's own conversation is answered as one that does not exist.
async fn hidden(visitor: &mut Visitor, report: &mut Report) -> anyhow::Result<()> {
    let own = visitor.conversation.clone();
    let unknown = uuid::Uuid::new_v4().to_string();
    let mut answers = Vec::new();
    for id in [&own, &unknown] {
        let path = format!("/v1/conversations/{id}/messages?stream=internal&after=0");
        let (status, body) = visitor.get(&path).await?;
        answers.push((status, told(&body.replace(&**id, "<id>"))?));
    }
    let alike = answers.first() == answers.last() && answers.first().is_some_and(|a| a.0 == 404);
    report.check("http: the internal stream is unknown", alike, format!("{answers:?}"));

    let mut codes = Vec::new();
    for id in [&own, &unknown] {
        visitor.connection.subscribe(id, Stream::Internal, None, Some(0)).await?;
        let refusal = async {
            loop {
                match visitor.connection.next().await? {
                    Frame::Refused(refusal) => return anyhow::Ok(refusal.code),
                    Frame::Subscribed { stream: Stream::Internal, .. } => {
                        return Ok("subscribed".to_owned());
                    }
                    _ => {}
                }
            }
        };
        codes.push(tokio::time::timeout(ANSWER_TIMEOUT, refusal).await??);
    }
    let alike = codes.iter().all(|code| code == "not_found");
    report.check("live: the internal stream is unknown", alike, codes.join(", "));
    Ok(())
}
