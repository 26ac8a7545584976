//! `search`: how long an agent waits for the search box with many conversations, over HTTP.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::http::Http;
use crate::report::Report;
use crate::server::{Server, scratch};

/// What 95 of 100 searches may take: a result while one types.
const P95_MS_MAX: f64 = 150.0;
/// Server CPU that a search may cost on average. Of the time above it is what a machine that does
/// other things as well does not change much.
const CPU_MS_MAX: f64 = 75.0;
/// Clients that open conversations at once.
const CLIENTS: usize = 8;
/// Lists are written about a second behind the log.
const SETTLE: Duration = Duration::from_secs(3);

const NAMES: [&str; 8] = ["Renée", "Otto", "Maya", "سارة", "Jonas", "Zoë", "Łukasz", "Ada"];
const THINGS: [&str; 8] =
    ["fern", "cactus", "moss", "orchid", "pot", "soil", "invoice", "delivery"];
/// What agents look for: common and rare words, some that nobody wrote, addresses.
const QUERIES: [&str; 8] = [
    "fern",
    "renee invoice",
    "łukasz",
    "nothing like it",
    "customer-4711",
    "customer-17@example.com",
    "سارة",
    "where is my d",
];

/// A measurement of the search box.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// Conversations that stay open.
    #[arg(long, default_value_t = 10_000)]
    pub open: u32,
    /// Conversations that are closed before.
    #[arg(long, default_value_t = 1_000)]
    pub closed: u32,
    /// Searches, one after the other.
    #[arg(long, default_value_t = 400)]
    pub searches: u32,
}

/// Runs the measurement.
///
/// # Errors
/// When the server cannot be run, or a search takes too long.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let mut report = Report::new(format!(
        "search: {} searches among {} open and {} closed conversations",
        args.searches, args.open, args.closed
    ));
    let dir = scratch(&args.server)?;
    let mut server = Server::new(&args.server, dir.path())?;
    server.start().await?;
    let token = Http::new(server.public).sign_in("ada").await?.token;
    begin(&server, &token, 0..args.closed, true).await?;
    begin(&server, &token, args.closed..args.closed + args.open, false).await?;
    report.note("the conversations are there");
    tokio::time::sleep(SETTLE).await;

    let before = server.cpu_time()?;
    let (times, n_found) = searches(&server, &token, args.searches).await?;
    let cpu = (server.cpu_time()? - before).as_secs_f64() * 1_000.0 / f64::from(args.searches);
    let [p50, p95, slowest] = [50, 95, 100].map(|percent| percentile_ms(&times, percent));
    let facts =
        format!("{p95:.1} ms, at most {P95_MS_MAX}; p50 {p50:.1} ms, slowest {slowest:.1} ms");
    report.check("p95 of a search", p95 <= P95_MS_MAX, facts);
    let facts = format!("{cpu:.1} ms, at most {CPU_MS_MAX}");
    report.check("server cpu of a search", cpu <= CPU_MS_MAX, facts);
    report.check("something is found", n_found > 0, format!("{n_found} conversations"));
    report.check("panics", server.n_panics() == 0, format!("{} in the log", server.n_panics()));
    server.kill().await?;
    report.finish()
}

/// Begins the conversations of these numbers.
async fn begin(
    server: &Server,
    token: &str,
    numbers: std::ops::Range<u32>,
    closes: bool,
) -> anyhow::Result<()> {
    let address = server.public;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let mine = numbers.clone().skip(client).step_by(CLIENTS);
        let token = token.to_owned();
        clients.spawn(async move {
            let mut http = Http::new(address);
            for number in mine {
                one(&mut http, &token, number, closes).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(())
}

async fn one(http: &mut Http, token: &str, number: u32, closes: bool) -> anyhow::Result<()> {
    let of =
        |words: [&'static str; 8], by: u32| words[usize::try_from(number / by).unwrap_or(0) % 8];
    let (name, thing) = (of(NAMES, 1), of(THINGS, 8));
    let body = json!({
        "widget": "demo",
        "subject": format!("About the {thing}"),
        "contact": {"name": name, "email": format!("customer-{number}@example.com")},
        "context": {"page": format!("https://shop.example/{thing}/{number}"), "title": thing},
        "message": {"text": format!("Hello, where is my {thing}? My number is {number}.")},
    });
    let created: Value = http.json(Method::POST, "/v1/conversations", None, Some(&body)).await?;
    if closes {
        let id = created["id"].as_str().unwrap_or_default();
        let path = format!("/v1/conversations/{id}/close");
        let answer = http.request(Method::POST, &path, Some(token), Some(&json!({}))).await?;
        anyhow::ensure!((200..300).contains(&answer.status), "close answered {}", answer.status);
    }
    Ok(())
}

/// How long each took, rising, and how many conversations were found in all.
async fn searches(server: &Server, token: &str, n: u32) -> anyhow::Result<(Vec<Duration>, usize)> {
    let mut http = Http::new(server.public);
    let (mut times, mut n_found) = (Vec::new(), 0);
    for query in QUERIES.iter().cycle().take(usize::try_from(n)?) {
        let path = format!("/v1/conversations?q={}", encoded(query));
        let started = Instant::now();
        let page: Value = http.json(Method::GET, &path, Some(token), None).await?;
        times.push(started.elapsed());
        n_found += page["items"].as_array().map_or(0, Vec::len);
    }
    times.sort_unstable();
    Ok((times, n_found))
}

/// A query as a browser writes it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// The time that so many percent of the sorted times do not exceed; zero of none.
fn percentile_ms(times: &[Duration], percent: usize) -> f64 {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<_> = (1..=20).map(Duration::from_millis).collect();
        for (percent, ms) in [(50, 10.0), (95, 19.0), (100, 20.0)] {
            assert!((percentile_ms(&times, percent) - ms).abs() < 1e-6, "{percent}");
        }
        assert!(percentile_ms(&[], 95).abs() < 1e-6);
    }
}
