//! What the actors cost: pairs that talk in a closed loop over the memory engine.
//!
//! `cargo run --release -p switchboard-actors --example closed_loop [pairs] [messages]`
//!
//! Each sender waits for its answer before it sends again; two connections of each conversation
//! hear every message. Prints CPU time of the process per message, engine and hearers included.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use switchboard_actors::clock::Clock;
use switchboard_actors::meter::Unmetered;
use switchboard_actors::subscriber::queue;
use switchboard_actors::{Config, Delivery, System};
use switchboard_cluster::ownership::{Epoch, NodeName, Single};
use switchboard_domain::conversation::{
    Command, Contact, Created, Request, SendKey, Start, Stream,
};
use switchboard_domain::ids::{
    ConversationId, DeviceId, Id, Number, TenantId, Timestamp, VisitorId,
};
use switchboard_domain::person::{Author, Caller, Principal, Role};
use switchboard_store::ConversationKey;
use switchboard_store::memory::Memory;
use uuid::Uuid;

#[derive(Debug)]
struct WallClock(AtomicU64);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or_default())
    }

    fn fresh_id(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

fn visitor(n: u128) -> Caller {
    let principal = Principal::Visitor(VisitorId::from_u128(n));
    Caller { author: Author { principal, name: None }, role: Role::Visitor }
}

fn created(n: u128) -> Command {
    Command::Create {
        created: Box::new(Created::by(
            Contact::anonymous(VisitorId::from_u128(n)),
            Id::from_u128(n),
            Number(1_000_000),
        )),
        welcome: None,
        message: None,
        start: Start::Waiting,
    }
}

/// CPU time of this process so far, user and system.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|it| it.parse::<u64>().ok())
        .sum();
    // A tick is 10 ms on Linux.
    Duration::from_millis(ticks * 10)
}

fn argument(idx: usize, default: u64) -> u64 {
    std::env::args().nth(idx).and_then(|it| it.parse().ok()).unwrap_or(default)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    runtime.block_on(run(argument(1, 200), argument(2, 2_000)))
}

async fn run(pairs: u64, messages: u64) -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(Memory::new());
    let clock = Arc::new(WallClock(AtomicU64::new(1)));
    let ownership = Arc::new(Single::new(NodeName("local".into()), Epoch(1)));
    let meter = Arc::new(Unmetered);
    let system = System::start(Config::standard(), store, clock, ownership, meter).await?;
    let conversations = system.conversations();
    let heard = Arc::new(AtomicU64::new(0));
    let mut senders = Vec::new();
    for n in 1..=pairs {
        let n = u128::from(n);
        let tenant = TenantId("default".into());
        let key = ConversationKey { tenant, conversation: ConversationId::from_u128(n) };
        let create = Request { caller: visitor(n), key: None, command: created(n) };
        conversations.ask(&key, create).await?;
        for _ in 0..2 {
            let (outlet, mut client) = queue();
            conversations.subscribe(&key, &visitor(n), Stream::Public, 1, &outlet).await?;
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                while let Ok(delivery) = client.next().await {
                    if matches!(delivery, Delivery::Event(_)) {
                        heard.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let conversations = conversations.clone();
        senders.push((key, n, conversations));
    }
    let (began, cpu_before) = (Instant::now(), cpu());
    let text: Arc<str> = "x".repeat(180).into();
    let mut tasks = Vec::new();
    for (key, n, conversations) in senders {
        let text = Arc::clone(&text);
        tasks.push(tokio::spawn(async move {
            let caller = visitor(n);
            for n in 1..=messages {
                let command =
                    Command::Send { text: Arc::clone(&text), files: Vec::new(), if_head: None };
                let device = DeviceId::from_u128(1);
                let send_key = Some(SendKey { device, n, digest: n });
                let request = Request { caller: caller.clone(), key: send_key, command };
                conversations.ask(&key, request).await?;
            }
            Ok::<_, switchboard_actors::Refusal>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let (took, cpu) = (began.elapsed(), cpu().saturating_sub(cpu_before));
    let sent = pairs * messages;
    let per_message = cpu / u32::try_from(sent)?;
    println!(
        "{sent} messages of {pairs} pairs in {took:.1?}: {:.2} µs CPU each, {} heard",
        per_message.as_secs_f64() * 1e6,
        heard.load(Ordering::Relaxed)
    );
    system.drain(Duration::from_secs(10)).await;
    Ok(())
}
