//! `memory`: what an open conversation's card costs, and that closed conversations cost nothing.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::http::Http;
use crate::kill::Sabotage;
use crate::report::Report;
use crate::server::{Server, scratch};

/// Bytes of resident memory that an open conversation's card may cost.
const CARD_BYTES_MAX: f64 = 512.0;
/// Resident memory that allocator and page caches add or give back between two marks for reasons of
/// their own; a slope is zero when it is not more than that.
const NOISE_KIB: f64 = 4096.0;
/// Clients that open conversations at once.
const CLIENTS: usize = 8;
/// Conversations leave memory after this instead of 15 s, so that those still in memory while others
/// are opened stay few, and both marks are taken in the same state.
const IDLE_MS: &str = "2000";
/// Memory in pages of the system's own size: in pages of 2 MiB, which the server asks for, a few bytes
/// for each conversation are not seen until a page is full.
const SMALL_PAGES: (&str, &str) = ("MALLOC_CONF", "thp:default");
/// After that time and the allocator's decay.
const SETTLE: Duration = Duration::from_secs(14);

/// A measurement of slopes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// Closed conversations at the first mark: enough that the store's
    /// page cache is full. 100,000 in the long form.
    #[arg(long, default_value_t = 20_000)]
    pub closed_from: u32,
    /// Closed conversations at the second mark; 300,000 in the long form.
    #[arg(long, default_value_t = 30_000)]
    pub closed_to: u32,
    /// Open conversations at the first mark.
    #[arg(long, default_value_t = 2_000)]
    pub open_from: u32,
    /// Open conversations at the second mark.
    #[arg(long, default_value_t = 10_000)]
    pub open_to: u32,
    /// Run the server with this sabotage and demand that closed conversations cost memory.
    #[arg(long)]
    pub expect_red: Option<Sabotage>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    StaysOpen,
    Closed,
}

/// Runs the measurement.
///
/// # Errors
/// When the server cannot be run, or a slope is too steep.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let mut report = Report::new(format!(
        "memory: {} to {} closed, {} to {} open conversations",
        args.closed_from, args.closed_to, args.open_from, args.open_to
    ));
    let dir = scratch(&args.server)?;
    let mut server = Server::new(&args.server, dir.path())?;
    let settings = [("SWITCHBOARD_ACTORS_IDLE_MS", IDLE_MS), SMALL_PAGES];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let sabotage = args.expect_red.map(Sabotage::environment);
    server.set_environment(settings.into_iter().chain(sabotage).collect());
    server.start().await?;

    let closed = slope(&server, args.closed_from, args.closed_to, End::Closed, &report).await?;
    let noise = NOISE_KIB * 1024.0 / f64::from(args.closed_to - args.closed_from);
    let facts = format!("{closed:.1} bytes, at most {noise:.1} count as zero");
    if let Some(red) = args.expect_red {
        report.check(&format!("red by {}", red.name()), closed > noise, facts);
        server.kill().await?;
        return report.finish();
    }
    report.check("slope per closed conversation", closed <= noise, facts);

    let open = slope(&server, args.open_from, args.open_to, End::StaysOpen, &report).await?;
    let noise = NOISE_KIB * 1024.0 / f64::from(args.open_to - args.open_from);
    let facts = format!("{open:.0} bytes, at most {CARD_BYTES_MAX} and {noise:.0} of noise");
    report.check("resident memory per open card", open <= CARD_BYTES_MAX + noise, facts);
    if let Ok(observed) = observe(&server).await {
        report.note(format!("observe: {observed}"));
    }
    report.check("panics", server.n_panics() == 0, format!("{} in the log", server.n_panics()));
    server.kill().await?;
    report.finish()
}

/// Resident bytes per conversation between two marks.
async fn slope(
    server: &Server,
    from: u32,
    to: u32,
    end: End,
    report: &Report,
) -> anyhow::Result<f64> {
    anyhow::ensure!(from < to, "the second mark is above the first");
    open(server, from, end).await?;
    let before = settled(server).await?;
    report.note(format!("{from} {end:?}: {before} KiB"));
    open(server, to - from, end).await?;
    let after = settled(server).await?;
    report.note(format!("{to} {end:?}: {after} KiB"));
    let kib = f64::from(u32::try_from(after)?) - f64::from(u32::try_from(before)?);
    Ok(kib * 1024.0 / f64::from(to - from))
}

/// Resident memory once idle conversations left: the lowest of the last seconds.
async fn settled(server: &Server) -> anyhow::Result<u64> {
    tokio::time::sleep(SETTLE).await;
    let mut lowest = server.rss_kib()?;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lowest = server.rss_kib()?.min(lowest);
    }
    Ok(lowest)
}

async fn open(server: &Server, n: u32, end: End) -> anyhow::Result<()> {
    let address = server.public;
    let token = Http::new(address).sign_in("ada").await?.token;
    let mut clients = JoinSet::new();
    let share = n.div_ceil(u32::try_from(CLIENTS)?);
    for client in 0..u32::try_from(CLIENTS)? {
        let mine = share.min(n.saturating_sub(client * share));
        let token = token.clone();
        clients.spawn(async move {
            let mut http = Http::new(address);
            for _ in 0..mine {
                one(&mut http, &token, end).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(())
}

async fn one(http: &mut Http, token: &str, end: End) -> anyhow::Result<()> {
    let body = json!({"widget": "demo", "message": {"text": "Hello, where is my parcel?"}});
    let created: Value = http.json(Method::POST, "/v1/conversations", None, Some(&body)).await?;
    let id = created.get("id").and_then(Value::as_str).context("a conversation has an id")?;
    if end == End::Closed {
        let path = format!("/v1/conversations/{id}/close");
        let answer = http.request(Method::POST, &path, Some(token), Some(&json!({}))).await?;
        anyhow::ensure!((200..300).contains(&answer.status), "close answered {}", answer.status);
    }
    Ok(())
}

async fn observe(server: &Server) -> anyhow::Result<String> {
    let answer = Http::new(server.ops).request(Method::GET, "/observe", None, None).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    Ok(text.chars().take(1500).collect())
}
