//! A visitor and an agent who just talk while others misbehave.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::frame::Frame;
use crate::client::http::Http;
use crate::client::{ANSWER_TIMEOUT, Connection, Encoding};
use crate::history::Stream;

/// The pause between two messages.
const PACE: Duration = Duration::from_millis(10);

/// The pair, talking until it is stopped. Any disturbance ends it with an error.
pub(super) struct Bystander {
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<Told>>,
}

/// What the pair went through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) n: u64,
    slowest: Duration,
    total: Duration,
}

impl fmt::Display for Told {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = self.total / u32::try_from(self.n.max(1)).unwrap_or(u32::MAX);
        write!(
            out,
            "{} messages acked and heard, mean {mean:.1?}, slowest {:.1?}",
            self.n, self.slowest
        )
    }
}

impl Bystander {
    pub(super) async fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let mut http = Http::new(address);
        let created = http.create(None).await?;
        let secret = created.visitor.secret.context("a new visitor has a secret")?;
        let token = http.sign_in("ben").await?.token;
        let mut visitor = Connection::open(address, Encoding::Json).await?;
        visitor.hello(&secret, &uuid::Uuid::new_v4().to_string()).await?;
        let mut agent = Connection::open(address, Encoding::MessagePack).await?;
        agent.hello(&token, &uuid::Uuid::new_v4().to_string()).await?;
        agent.subscribe(&created.id, Stream::Public, Some(&created.log), Some(0)).await?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(talk(visitor, agent, created.id, stopped));
        Ok(Self { stop, task })
    }

    pub(super) async fn stop(self) -> anyhow::Result<Told> {
        self.stop.send_replace(true);
        self.task.await?
    }
}

async fn talk(
    mut visitor: Connection,
    mut agent: Connection,
    conversation: String,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Told> {
    let mut told = Told::default();
    while !*stopped.borrow() {
        told.n += 1;
        let n = told.n;
        let started = Instant::now();
        let text = format!("talk {n}");
        let frame = json!({
            "type": "send", "conversation": conversation, "n": n, "kind": "message",
            "body": {"text": text},
        });
        visitor.send(&frame).await?;
        let ack = async {
            loop {
                match visitor.next().await? {
                    Frame::Ack { n: of, .. } if of == n => return anyhow::Ok(()),
                    Frame::Nack { code, .. } => anyhow::bail!("message {n} was refused: {code}"),
                    _ => {}
                }
            }
        };
        let heard = async {
            loop {
                // The first may come with the replay.
                let items = match agent.next().await? {
                    Frame::Event(event) => vec![event],
                    Frame::Events { items, .. } => items,
                    _ => continue,
                };
                if items.iter().any(|event| event.text() == Some(&text)) {
                    return anyhow::Ok(());
                }
            }
        };
        let acked = tokio::time::timeout(ANSWER_TIMEOUT, ack).await;
        acked.with_context(|| format!("no ack of message {n}"))??;
        let heard = tokio::time::timeout(ANSWER_TIMEOUT, heard).await;
        heard.with_context(|| format!("message {n} was acked and not heard"))??;
        told.total += started.elapsed();
        told.slowest = told.slowest.max(started.elapsed());
        tokio::time::sleep(PACE).await;
    }
    Ok(told)
}
