//! The store alone: how long one append takes to be durable at the same concurrency.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use switchboard_store::Store;
use switchboard_store::embedded::{Config, Embedded, NoMeter};
use switchboard_store::testkit::{append, created, key, keyed, message};
use tokio::task::JoinSet;

use super::pairs::{Latencies, median, text};

/// Before the clock starts.
const WARM_UP: Duration = Duration::from_millis(500);

/// Latency of one append, and how many there were.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl fmt::Display for Commit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.0} appends/s, p50 {:.2} p99 {:.2} ms",
            self.per_second, self.p50_ms, self.p99_ms
        )
    }
}

/// The medians over rounds, figure by figure.
pub(super) fn medians(rounds: &[Commit]) -> Commit {
    Commit {
        per_second: median(rounds.iter().map(|round| round.per_second)),
        p50_ms: median(rounds.iter().map(|round| round.p50_ms)),
        p99_ms: median(rounds.iter().map(|round| round.p99_ms)),
    }
}

/// `n` callers append one message at a time, each to a conversation of its own.
pub(super) async fn measure(dir: &Path, n: usize, length: Duration) -> anyhow::Result<Commit> {
    let store: Arc<dyn Store> = Arc::new(Embedded::open(Config::new(dir), Arc::new(NoMeter))?);
    let counting = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for number in 0..u64::try_from(n)? {
        let (store, counting, stop) = (store.clone(), counting.clone(), stop.clone());
        callers.spawn(async move {
            let key = key("bench", number);
            store.append(append(&key, &[created(1_000_000 + number)])).await?;
            let mut latencies = Vec::new();
            for seq in 2.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let event = keyed(message(seq, &text(seq)), u128::from(number), seq - 1);
                let started = Instant::now();
                store.append(append(&key, &[event])).await?;
                if counting.load(Ordering::Relaxed) {
                    let us = started.elapsed().as_micros();
                    latencies.push(u32::try_from(us).unwrap_or(u32::MAX));
                }
            }
            anyhow::Ok(latencies)
        });
    }
    tokio::time::sleep(WARM_UP).await;
    counting.store(true, Ordering::SeqCst);
    let started = Instant::now();
    tokio::time::sleep(length).await;
    counting.store(false, Ordering::SeqCst);
    let elapsed = started.elapsed();
    stop.store(true, Ordering::SeqCst);
    let mut all = Vec::new();
    while let Some(done) = callers.join_next().await {
        all.extend(done??);
    }
    let count = f64::from(u32::try_from(all.len())?);
    let all = Latencies::new(all);
    Ok(Commit {
        per_second: count / elapsed.as_secs_f64(),
        p50_ms: all.percentile_ms(50),
        p99_ms: all.percentile_ms(99),
    })
}
