//! Pairs in closed loop: the sender waits for its ack, the peer receives.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::Figures;
use super::peer::{Socket, Voice};
use crate::client::ANSWER_TIMEOUT;

/// The length of each text in bytes.
pub(super) const TEXT_BYTES: usize = 180;
/// Before the clock starts: caches, allocators and the compiler of Node settle.
const WARM_UP: Duration = Duration::from_millis(1000);

/// What one round measured.
#[derive(Clone, Debug)]
pub(super) struct Round {
    cpu_us: f64,
    per_second: f64,
    ack: Latencies,
    heard: Latencies,
}

impl Round {
    /// Server CPU per message in costs of another program's.
    pub(super) fn cpu_over(&self, other: &Self) -> f64 {
        self.cpu_us / other.cpu_us.max(f64::MIN_POSITIVE)
    }
}

/// Sorted latencies in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies(Vec<u32>);

impl Latencies {
    pub(super) fn new(mut all: Vec<u32>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The value below which `percent` of all are, in milliseconds; zero of none.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

impl fmt::Display for Round {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.1} µs cpu, {:.0} msgs/s, ack p50 {:.2} p99 {:.2} ms, heard p50 {:.2} p99 {:.2} ms",
            self.cpu_us,
            self.per_second,
            self.ack.percentile_ms(50),
            self.ack.percentile_ms(99),
            self.heard.percentile_ms(50),
            self.heard.percentile_ms(99),
        )
    }
}

/// The middle one of some figures; zero of none.
pub(super) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// The medians over rounds, figure by figure.
pub(super) fn medians(rounds: &[Round]) -> Figures {
    let median = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    Figures {
        cpu_us: median(|round| round.cpu_us),
        per_second: median(|round| round.per_second),
        ack_p50_ms: median(|round| round.ack.percentile_ms(50)),
        ack_p99_ms: median(|round| round.ack.percentile_ms(99)),
        heard_p50_ms: median(|round| round.heard.percentile_ms(50)),
        heard_p99_ms: median(|round| round.heard.percentile_ms(99)),
        idle_kib: None,
    }
}

/// What pairs speak with, and what it costs.
pub(super) trait Subject {
    /// The name in messages.
    fn name(&self) -> &str;

    /// CPU time that its processes used so far.
    fn cpu_time(&self) -> anyhow::Result<Duration>;

    /// Opens a sender and a receiver that share a room.
    async fn pair(&self) -> anyhow::Result<(Voice, Socket, Socket)>;
}

/// What the tasks of a round share.
struct Clock {
    base: Instant,
    counting: AtomicBool,
    stop: AtomicBool,
    n_heard: AtomicU64,
}

impl Clock {
    fn now_us(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Runs one round with fresh pairs.
pub(super) async fn run(
    subject: &impl Subject,
    n_pairs: usize,
    length: Duration,
) -> anyhow::Result<Round> {
    let clock = Arc::new(Clock {
        base: Instant::now(),
        counting: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        n_heard: AtomicU64::new(0),
    });
    let mut pairs = Vec::new();
    for _ in 0..n_pairs {
        pairs.push(subject.pair().await?);
    }
    let mut senders = JoinSet::new();
    let mut receivers = JoinSet::new();
    for (voice, sender, receiver) in pairs {
        receivers.spawn(receive(clock.clone(), voice.clone(), receiver));
        senders.spawn(send(clock.clone(), voice, sender));
    }
    tokio::time::sleep(WARM_UP).await;
    let cpu_before = subject.cpu_time()?;
    let started = Instant::now();
    clock.counting.store(true, Ordering::SeqCst);
    tokio::time::sleep(length).await;
    clock.counting.store(false, Ordering::SeqCst);
    let elapsed = started.elapsed();
    let cpu = subject.cpu_time()?.saturating_sub(cpu_before);
    let n_heard = clock.n_heard.load(Ordering::SeqCst);
    clock.stop.store(true, Ordering::SeqCst);

    let mut acks = Vec::new();
    while let Some(done) = senders.join_next().await {
        acks.extend(done??);
    }
    let mut heard = Vec::new();
    while let Some(done) = receivers.join_next().await {
        heard.extend(done??);
    }
    anyhow::ensure!(n_heard > 0, "{} delivered nothing", subject.name());
    let n = f64::from(u32::try_from(n_heard).context("fewer than four billion messages")?);
    Ok(Round {
        cpu_us: cpu.as_secs_f64() * 1e6 / n,
        per_second: n / elapsed.as_secs_f64(),
        ack: Latencies::new(acks),
        heard: Latencies::new(heard),
    })
}

/// A text that carries the time it was sent at: `@` and sixteen hex digits, then filling.
pub(super) fn text(now_us: u64) -> String {
    format!("@{now_us:016x} {:.<width$}", "", width = TEXT_BYTES - 18)
}

fn sent_at(frame: &[u8]) -> Option<u64> {
    let start = frame.iter().position(|byte| *byte == b'@')? + 1;
    let digits = std::str::from_utf8(frame.get(start..start + 16)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

async fn send(clock: Arc<Clock>, voice: Voice, mut socket: Socket) -> anyhow::Result<Vec<u32>> {
    let mut latencies = Vec::new();
    let mut n = 0;
    while !clock.stop.load(Ordering::Relaxed) {
        n += 1;
        let sent_us = clock.now_us();
        socket.send(Message::text(voice.frame(n, &text(sent_us)))).await?;
        loop {
            let next = tokio::time::timeout(ANSWER_TIMEOUT, socket.next()).await;
            let payload = next.context("no ack")?.context("the sender was cut")??.into_data();
            if voice.is_ack(&payload, n) {
                break;
            }
            anyhow::ensure!(
                !voice.is_refusal(&payload),
                "a send was refused: {}",
                String::from_utf8_lossy(&payload)
            );
            if let Some(pong) = voice.pong(&payload) {
                socket.send(pong).await?;
            }
        }
        if clock.counting.load(Ordering::Relaxed) {
            latencies.push(u32::try_from(clock.now_us() - sent_us).unwrap_or(u32::MAX));
        }
    }
    Ok(latencies)
}

async fn receive(clock: Arc<Clock>, voice: Voice, mut socket: Socket) -> anyhow::Result<Vec<u32>> {
    let mut latencies = Vec::new();
    while !clock.stop.load(Ordering::Relaxed) {
        let next = tokio::time::timeout(Duration::from_millis(500), socket.next()).await;
        let Ok(next) = next else { continue };
        let payload = next.context("the receiver was cut")??.into_data();
        if let Some(sent_us) = sent_at(&payload) {
            if clock.counting.load(Ordering::Relaxed) {
                clock.n_heard.fetch_add(1, Ordering::Relaxed);
                let us = clock.now_us().saturating_sub(sent_us);
                latencies.push(u32::try_from(us).unwrap_or(u32::MAX));
            }
        } else if let Some(pong) = voice.pong(&payload) {
            socket.send(pong).await?;
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_length_and_carries_its_time() {
        let text = text(123_456);
        assert_eq!(text.len(), TEXT_BYTES);
        let frame = format!(r#"{{"type":"event","body":{{"text":"{text}"}}}}"#);
        assert_eq!(sent_at(frame.as_bytes()), Some(123_456));
        assert_eq!(sent_at(b"ok"), None);
    }

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let all = Latencies::new((1..=100).rev().map(|ms| ms * 1000).collect());
        assert_eq!((all.percentile_ms(50), all.percentile_ms(99)), (51.0, 100.0));
        assert_eq!(Latencies::default().percentile_ms(99), 0.0);
    }
}
