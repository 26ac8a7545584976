//! How fast the SQLite engine acknowledges: `cargo run --release -p switchboard-store --features
//! testkit --example acks [directory] [seconds] [conversations]`.
//!
//! Closed loop: each caller appends one message of 180 bytes to one of its share of the
//! conversations (10,000 by default) and waits for the answer. Prints one row for each number of callers: answers per
//! second, percentiles of the wait, CPU time of the whole process per answer, calls per commit.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchboard_store::Store;
use switchboard_store::embedded::{Commit, Config, Embedded, Meter};
use switchboard_store::testkit::{append, created, key, keyed, message};

#[derive(Debug, Default)]
struct Counts {
    commits: AtomicU64,
    commit_us_max: AtomicU64,
    carries: AtomicU64,
    carry_us_max: AtomicU64,
}

impl Meter for Counts {
    fn committed(&self, commit: Commit) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commit_us_max.fetch_max(micros(commit.took), Ordering::Relaxed);
    }

    fn checkpointed(&self, took: Duration) {
        self.carries.fetch_add(1, Ordering::Relaxed);
        self.carry_us_max.fetch_max(micros(took), Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// CPU time of this process so far, from `/proc`: user and system, in ticks of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().into_iter().flat_map(|rest| {
        rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok())
    });
    Duration::from_millis(10 * ticks.sum::<u64>())
}

async fn call(
    store: Arc<Embedded>,
    caller: u64,
    callers: u64,
    conversations: u64,
    until: Instant,
) -> Vec<u64> {
    let text = "x".repeat(180);
    let own: Vec<u64> =
        (0..conversations.max(callers)).filter(|it| it % callers == caller).collect();
    let mut seqs = vec![0_u64; own.len()];
    let mut waits = Vec::new();
    let mut state = caller.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while Instant::now() < until {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let idx = usize::try_from(state).unwrap_or(0) % own.len();
        seqs[idx] += 1;
        let number = own[idx] + callers * 1_000_000;
        let event = match seqs[idx] {
            1 => created(number),
            seq => keyed(message(seq, &text), 7, seq - 1),
        };
        let append = append(&key("default", number), &[event]);
        let began = Instant::now();
        store.append(append).await.expect("it is stored");
        waits.push(micros(began.elapsed()));
    }
    waits
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let conversations = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let dir = tempfile::tempdir_in(parent).expect("a directory is made");
    println!(
        "callers  acks/s  p50 ms  p99 ms  max ms  cpu us/ack  acks/commit  longest commit / carry-over ms"
    );
    for callers in [1, 64, 200, 512] {
        let counts = Arc::new(Counts::default());
        let config = Config::new(dir.path());
        let meter: Arc<dyn Meter> = Arc::<Counts>::clone(&counts);
        let store = Arc::new(Embedded::open(config, meter).expect("it opens"));
        let (began, cpu_before) = (Instant::now(), cpu());
        let until = began + Duration::from_secs(seconds);
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                tokio::spawn(call(Arc::clone(&store), caller, callers, conversations, until))
            })
            .collect();
        let mut waits = Vec::new();
        for task in tasks {
            waits.extend(task.await.expect("a caller ends well"));
        }
        let (took, spent) = (began.elapsed(), cpu() - cpu_before);
        waits.sort_unstable();
        let count = waits.len().max(1);
        let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1e3;
        let at = |percent: usize| ms(waits[(count * percent / 100).min(count - 1)]);
        let total = u64::try_from(count).unwrap_or(1);
        let commits = counts.commits.load(Ordering::Relaxed).max(1);
        println!(
            "{callers:7} {:7} {:7.2} {:7.2} {:7.2} {:11} {:12} {:9.1} / {:.1} ({})",
            total * 1_000 / u64::try_from(took.as_millis()).unwrap_or(1).max(1),
            at(50),
            at(99),
            at(100),
            micros(spent) / total,
            total / commits,
            ms(counts.commit_us_max.load(Ordering::Relaxed)),
            ms(counts.carry_us_max.load(Ordering::Relaxed)),
            counts.carries.load(Ordering::Relaxed),
        );
    }
}
