//! `fsync`: each ack is preceded by a sync, a failed sync ends all acks and the process, and a full
//! disk refuses sends while reads go on.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::blackout::preload;
use crate::client::frame::Frame;
use crate::client::http::Http;
use crate::client::{ANSWER_TIMEOUT, Connection, Encoding, Error};
use crate::history::Stream;
use crate::kill::Sabotage;
use crate::powercut::{Fail, Preload, build_shim};
use crate::report::Report;
use crate::server::{Server, scratch};

/// After a failed sync the process ends; this bounds the wait for it on a busy machine.
const EXIT_MAX: Duration = Duration::from_secs(20);

/// The proof of sync before ack.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// Messages of the one sender.
    #[arg(long, default_value_t = 300)]
    pub messages: u64,
    /// Run the server with this sabotage and demand that the count tells.
    #[arg(long)]
    pub expect_red: Option<Sabotage>,
}

struct Rig {
    server: Server,
    shim: Preload,
    conversation: String,
    secret: String,
    connection: Connection,
    n: u64,
}

enum Answer {
    Acked,
    Refused(String),
}

impl Rig {
    async fn send(&mut self) -> Result<Answer, Error> {
        self.n += 1;
        let n = self.n;
        let frame = json!({
            "type": "send", "conversation": self.conversation, "n": n, "kind": "message",
            "body": {"text": format!("message {n}")},
        });
        self.connection.send(&frame).await?;
        let answer = async {
            loop {
                match self.connection.next().await? {
                    Frame::Ack { n: of, .. } if of == n => return Ok(Answer::Acked),
                    Frame::Nack { n: of, code, .. } if of == n => return Ok(Answer::Refused(code)),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(ANSWER_TIMEOUT, answer).await.or(Err(Error::Timeout("a send")))?
    }

    async fn connect(&mut self) -> anyhow::Result<()> {
        self.connection = Connection::open(self.server.public, Encoding::Json).await?;
        let device = uuid::Uuid::new_v4().to_string();
        self.connection.hello(&self.secret, &device).await?;
        self.n = 0;
        Ok(())
    }

    /// How many messages are stored, by the last position of the public stream.
    async fn stored(&self) -> anyhow::Result<u64> {
        let mut http = Http::new(self.server.public);
        Ok(http.page(&self.secret, &self.conversation, Stream::Public, 0).await?.head)
    }
}

/// Runs the proof.
///
/// # Errors
/// When the server cannot be run, or anything was found.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let red = args.expect_red.map(|red| format!(", sabotage {}", red.name())).unwrap_or_default();
    let mut report = Report::new(format!("fsync: {} messages, one sender{red}", args.messages));
    let dir = scratch(&args.server)?;
    let library = build_shim(&dir.path().canonicalize()?)?;
    let mut server = Server::new(&args.server, dir.path())?;
    let shim = preload(&server, &library, dir.path())?;
    let sabotage = args.expect_red.map(Sabotage::environment);
    server.set_environment(shim.environment().into_iter().chain(sabotage).collect());
    server.start().await?;
    let created = Http::new(server.public).create(None).await?;
    let secret = created.visitor.secret.context("a new visitor has a secret")?;
    let connection = Connection::open(server.public, Encoding::Json).await?;
    let mut rig = Rig { server, shim, conversation: created.id, secret, connection, n: 0 };
    rig.connect().await?;

    let before = rig.shim.counts()?;
    for _ in 0..args.messages {
        anyhow::ensure!(matches!(rig.send().await?, Answer::Acked), "a send was refused");
    }
    let after = rig.shim.counts()?;
    let syncs = after.syncs - before.syncs;
    let facts = format!("{syncs} syncs for {} acks, one at a time", args.messages);
    if args.expect_red.is_some() {
        report.check("red by too few syncs", syncs < args.messages, facts);
        drop(rig.server.kill().await);
        return report.finish();
    }
    report.check("sync before ack", syncs >= args.messages, facts);
    full_disk(&mut rig, &mut report).await?;
    failed_sync(&mut rig, &mut report).await?;
    drop(rig.server.kill().await);
    report.finish()
}

async fn full_disk(rig: &mut Rig, report: &mut Report) -> anyhow::Result<()> {
    let stored = rig.stored().await?;
    rig.shim.fail_space(Fail::Yes)?;
    let mut codes = Vec::new();
    for _ in 0..5 {
        match rig.send().await {
            Ok(Answer::Acked) => codes.push("ack".to_owned()),
            Ok(Answer::Refused(code)) => {
                codes.push(code);
                rig.n -= 1;
            }
            Err(error) => {
                codes.push(error.to_string());
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = codes.iter().all(|code| code == "storage_full");
    report.check("full disk refuses sends", refused, codes.join(", "));
    let reads = rig.stored().await;
    let facts = format!("head {reads:?}, before {stored}");
    report.check("full disk: reads go on", reads.is_ok_and(|head| head == stored), facts);
    rig.shim.fail_space(Fail::No)?;
    let mut healed = false;
    for _ in 0..100 {
        match rig.send().await {
            Ok(Answer::Acked) => {
                healed = true;
                break;
            }
            Ok(Answer::Refused(_)) => rig.n -= 1,
            Err(_) => drop(rig.connect().await),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    report.check("space again: sends go on", healed, "");
    Ok(())
}

async fn failed_sync(rig: &mut Rig, report: &mut Report) -> anyhow::Result<()> {
    let stored = rig.stored().await?;
    rig.shim.fail_syncs(Fail::Yes)?;
    let answer = rig.send().await;
    let acked = matches!(answer, Ok(Answer::Acked));
    let facts = match answer {
        Ok(Answer::Acked) => "acked".to_owned(),
        Ok(Answer::Refused(code)) => format!("refused with {code}"),
        Err(error) => error.to_string(),
    };
    report.check("no ack after a failed sync", !acked, facts);
    let started = std::time::Instant::now();
    let status = loop {
        if let Some(status) = rig.server.exited() {
            break Some(status);
        }
        if started.elapsed() > EXIT_MAX {
            break None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let exited = status.is_some_and(|status| !status.success());
    report.check("exit after a failed sync", exited, format!("{status:?}"));
    drop(rig.server.kill().await);
    rig.shim.fail_syncs(Fail::No)?;
    rig.server.start().await?;
    let head = rig.stored().await?;
    report.check("nothing acked is lost", head >= stored, format!("head {head}, acked {stored}"));
    Ok(())
}
