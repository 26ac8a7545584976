//! `crowd`: a tenant with very many open conversations on three nodes, each of them listened to, and
//! thousands of visitors connected; then one node is killed. What a node keeps of a conversation and
//! of a subscription is measured as slopes; what the others notice of the death is counted.
//!
//! Subscriptions are made over the wire, by agents' connections that hear hundreds of conversations
//! each. They stand at another node than the owner, so that what the owner's memory grows by is what
//! a subscription costs the owner, and nothing of the connection.

mod client;
mod death;
mod judge;
mod open;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::client::Client;
use self::death::Tally;
use self::open::Room;
use crate::client::http::Http;
use crate::cluster::{Cluster, Means, NODES, Parts, net, owners};
use crate::history::Recorder;
use crate::machine;
use crate::report::Report;
use crate::rng::Rng;
use crate::server::{Server, scratch};

/// Bytes of a node's resident memory that an open conversation of the cluster may cost.
const OPEN_BYTES_MAX: f64 = 512.0;
/// Bytes that its owner holds for a subscription. They are counted by the allocator, because waking
/// conversations moves resident memory by more than what all their subscriptions take.
const SUBSCRIPTION_BYTES_MAX: f64 = 128.0;
/// Resident memory that comes and goes between two marks for other reasons.
const NOISE_KIB: f64 = 4096.0;
/// Below so many conversations the noise is more than what is measured.
const JUDGED_FROM: usize = 50_000;
/// Conversations leave memory so soon, so that marks are taken in the same state.
const IDLE_MS: (&str, &str) = ("SWITCHBOARD_ACTORS_IDLE_MS", "2000");
/// Memory in pages of the system's own size, and nothing kept for the next thing of its size: what
/// each thread kept would count as held, and is more than many subscriptions.
const EXACT: (&str, &str) = ("MALLOC_CONF", "thp:default,tcache:false");
/// After that time and the allocator's decay.
const SETTLE: Duration = Duration::from_secs(14);
/// At which nodes those of which owners are listened to, by their places.
const LISTENING: [(usize, &[usize]); 2] = [(0, &[1, 2]), (1, &[0])];
/// What does not come about in this time does not at all.
const STUCK_AFTER: Duration = Duration::from_secs(900);
/// Between two lines of progress.
const TOLD_EVERY: Duration = Duration::from_secs(20);

/// A campaign of many conversations and connections.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary, built for release.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// What the nodes are made with.
    #[command(flatten)]
    pub means: Means,
    /// Open conversations, each of which an agent listens to.
    #[arg(long, default_value_t = 100_000)]
    pub open: usize,
    /// Visitors who are connected, each to a conversation of its own.
    #[arg(long, default_value_t = 10_000)]
    pub sockets: usize,
    /// Conversations that each agent's connection listens to: a few less than it may.
    #[arg(long, default_value_t = 500)]
    pub heard: usize,
    /// Messages a second, all visitors together.
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// 1,000 conversations and 200 visitors: too few to judge memory by.
    #[arg(long)]
    pub short: bool,
    /// The heap of the database, in MiB.
    #[arg(long, default_value_t = 1024)]
    pub heap_mib: u32,
    /// Leases last that many times as long as usual, for busy machines.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub lease_factor: u8,
    /// The seed of a run to repeat.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What all tasks of a run share.
#[derive(Debug)]
struct Crowd {
    seed: u64,
    cluster: Vec<std::net::SocketAddr>,
    recorder: Recorder,
    rooms: RwLock<Vec<Arc<Room>>>,
    /// What signs the agent in.
    agent: String,
    /// How long a visitor rests between two messages, on average.
    rest: Duration,
    order: watch::Sender<Order>,
    /// Subscriptions that stand now.
    standing: AtomicU64,
    /// Messages that are not acked.
    under_way: AtomicU64,
    /// Of clients and connections.
    next_number: AtomicU32,
    tally: Mutex<Tally>,
}

/// What clients are to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Order {
    /// Talk now and then.
    Talk,
    /// Everybody says something within so long, then as before.
    TalkWithin(Duration),
    /// Nobody begins a message.
    Hush,
    /// It is over.
    Leave,
}

impl Crowd {
    fn next_number(&self) -> u32 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// One more subscription stands.
    fn stands(&self) {
        self.standing.fetch_add(1, Ordering::AcqRel);
        self.tally.lock().stood_us = self.recorder.now_us();
    }

    /// So many subscriptions stand no more.
    fn falls(&self, n: u64) {
        self.standing.fetch_sub(n, Ordering::AcqRel);
        self.tally.lock().n_fallen += n;
    }

    /// All who listened have gone, but for those who are there from the beginning.
    fn begin_anew(&self) {
        self.standing.store(0, Ordering::Release);
        *self.tally.lock() = Tally::of_one_everywhere();
    }

    fn complain(&self, text: String) {
        self.tally.lock().complaints.push(text);
    }
}

/// Runs the campaign, in namespaces of its own.
///
/// # Errors
/// When the cluster cannot be run, or a check fails.
pub async fn run(mut args: Args) -> Result<()> {
    if args.short {
        (args.open, args.sockets) = (args.open.min(1_000), args.sockets.min(200));
        args.heap_mib = args.heap_mib.min(512);
    }
    ensure!(args.sockets <= args.open, "every visitor has a conversation");
    net::within("crowd: many conversations and connections", inside(&args)).await
}

async fn inside(args: &Args) -> Result<()> {
    let seed = args.seed.unwrap_or_else(Rng::fresh_seed);
    let mut report = Report::new(format!(
        "crowd: {} open conversations, {} visitors, {NODES} nodes, leases × {}, seed {seed}",
        args.open, args.sockets, args.lease_factor
    ));
    report.note(format!("commit {}, {}", machine::commit(), machine::describe()));
    let dir = scratch(&args.server)?;
    let parts = Parts {
        binary: &args.server,
        means: &args.means.absolute()?,
        root: dir.path(),
        databases: 1,
        heap_mib: args.heap_mib,
        sync_each: false,
        lease_factor: args.lease_factor,
        settings: &[IDLE_MS, EXACT],
        sabotage: None,
    };
    let mut cluster = Cluster::start(&parts, &report).await?;
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.server.public).collect();
    let agent = Http::new(*addresses.first().context("a node")?).sign_in("ada").await?.token;
    let per_visitor = f64::from(u32::try_from(args.sockets)?) / f64::from(args.rate.max(1));
    let crowd = Arc::new(Crowd {
        seed,
        cluster: addresses,
        recorder: Recorder::default(),
        rooms: RwLock::default(),
        agent,
        rest: Duration::from_secs_f64(per_visitor),
        order: watch::Sender::new(Order::Talk),
        standing: AtomicU64::new(0),
        under_way: AtomicU64::new(0),
        next_number: AtomicU32::new(0),
        tally: Mutex::default(),
    });
    let mut clients = JoinSet::new();
    let gathered = gather(args, &cluster, &crowd, &mut clients, &mut report).await;
    let struck = match gathered {
        Ok(()) => death::strike(&mut cluster, &crowd, args.sockets, &mut report).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &struck {
        for node in &cluster.nodes {
            report.note(format!("{}: {}", node.name, node.server.log_tail()));
        }
        report.note(format!("{error:#}"));
    }
    let victim = struck?;
    judge::judge(&cluster, victim, &crowd, clients, &mut report).await?;
    report.finish()
}

/// Opens the conversations and lets everybody come, and measures what that costs.
async fn gather(
    args: &Args,
    cluster: &Cluster,
    crowd: &Arc<Crowd>,
    clients: &mut JoinSet<()>,
    report: &mut Report,
) -> Result<()> {
    let is_judged = args.open >= JUDGED_FROM;
    // Somebody is there from the beginning: else everybody who waits is told when somebody comes.
    for node in 0..crowd.cluster.len() {
        clients.spawn(Client::agent(crowd, node, Vec::new()).run());
    }
    while !crowd.tally.lock().is_somebody_everywhere() {
        sleep(Duration::from_millis(10)).await;
    }
    let first = args.open / 10;
    open::open(crowd, 0..first, args.sockets, report).await?;
    let before = settled(cluster, is_judged).await?;
    open::open(crowd, first..args.open, args.sockets, report).await?;
    let after = settled(cluster, is_judged).await?;
    let n = args.open - first;
    let resident = slopes(&before, &after, n, Memory::RESIDENT);
    let passed = resident.iter().all(|bytes| *bytes <= OPEN_BYTES_MAX);
    let nodes = after.iter().map(|memory| memory.resident / 1_048_576.0);
    let facts = format!(
        "{}, give or take {:.0}, of which {} are held; at most {OPEN_BYTES_MAX}; {} MiB resident",
        listed(&resident),
        noise(n),
        listed(&slopes(&before, &after, n, Memory::HELD)),
        listed(&nodes.collect::<Vec<_>>()),
    );
    judged(report, is_judged, "bytes of each node per open conversation", passed, facts);

    // At another node than the owner; which of the two others is all the same.
    let rooms = crowd.rooms.read().clone();
    let owners = owners(rooms.iter().map(|room| &*room.id))?;
    let heard = |owning: &[usize]| {
        let of_them = rooms.iter().zip(&owners).filter(|(_, owner)| owning.contains(owner));
        of_them.map(|(room, _)| Arc::clone(room)).collect::<Vec<_>>()
    };
    // Once for nothing: what so many take once that are awake together is no cost of a subscription.
    let mut rehearsal = JoinSet::new();
    for (listening, owning) in LISTENING {
        let rooms = heard(owning);
        listen(crowd, listening, &rooms, args.heard, &mut rehearsal);
        stand(crowd, rooms.len(), report).await?;
    }
    rehearsal.shutdown().await;
    crowd.begin_anew();
    let mut marks = settled(cluster, is_judged).await?;
    let mut costs = Vec::new();
    for (listening, owning) in LISTENING {
        let rooms = heard(owning);
        listen(crowd, listening, &rooms, args.heard, clients);
        let all = rooms.len();
        stand(crowd, all, report).await?;
        let now = settled(cluster, is_judged).await?;
        for owner in owning {
            let n = heard(&[*owner]).len();
            let one = slope(&marks, &now, *owner, n, Memory::HELD);
            let resident = slope(&marks, &now, *owner, n, Memory::RESIDENT);
            let (owner, there, noise) = (owner + 1, listening + 1, noise(n));
            report.note(format!(
                "node-{owner} owns {n} that are listened to at node-{there}: it holds {one:.0} \
                 bytes for each; resident {resident:.0}, give or take {noise:.0}"
            ));
            costs.push((one, n));
        }
        let there = slope(&marks, &now, listening, all, Memory::HELD);
        report.note(format!("node-{} listens, and holds {there:.0} bytes for each", listening + 1));
        marks = now;
    }
    // Of all three: what comes and goes of itself is less beside all than beside each.
    let n: usize = costs.iter().map(|(_, n)| n).sum();
    let sum: f64 = costs.iter().map(|(bytes, n)| bytes * count(*n)).sum();
    let mean = sum / count(n.max(1));
    let passed = mean <= SUBSCRIPTION_BYTES_MAX;
    let facts = format!("{mean:.0} of {n}, at most {SUBSCRIPTION_BYTES_MAX}");
    judged(report, is_judged, "bytes of the owner per subscription", passed, facts);

    for number in 0..args.sockets {
        let room = rooms.get(number).context("a conversation")?;
        clients.spawn(Client::visitor(crowd, number % crowd.cluster.len(), Arc::clone(room)).run());
        // As visitors come, not as they come back.
        if number % 8 == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    }
    stand(crowd, args.sockets, report).await?;
    let now = settled(cluster, is_judged).await?;
    let n = args.sockets / crowd.cluster.len();
    let per_visitor = listed(&slopes(&marks, &now, n, Memory::RESIDENT));
    report.note(format!("a visitor who is connected costs its node {per_visitor} bytes resident"));
    Ok(())
}

/// A check, or a line of progress where there are too few to tell.
fn judged(report: &mut Report, is_judged: bool, name: &str, passed: bool, facts: String) {
    if is_judged {
        report.check(name, passed, facts);
    } else {
        report.note(format!("too few to judge: {name}: {facts}"));
    }
}

/// Has agents listen to these at that node.
fn listen(
    crowd: &Arc<Crowd>,
    at: usize,
    rooms: &[Arc<Room>],
    each: usize,
    clients: &mut JoinSet<()>,
) {
    for rooms in rooms.chunks(each.max(1)) {
        clients.spawn(Client::agent(crowd, at, rooms.to_vec()).run());
    }
}

/// Waits until so many more subscriptions stand.
async fn stand(crowd: &Crowd, more: usize, report: &Report) -> Result<()> {
    let before = crowd.tally.lock().expected;
    let all = before + u64::try_from(more)?;
    crowd.tally.lock().expected = all;
    all_stand(crowd, report).await
}

/// Waits until all subscriptions stand.
async fn all_stand(crowd: &Crowd, report: &Report) -> Result<()> {
    let all = crowd.tally.lock().expected;
    let began = Instant::now();
    let mut told = began;
    loop {
        let standing = crowd.standing.load(Ordering::Acquire);
        if standing == all {
            report.note(format!("{all} subscriptions stand, after {:.1?}", began.elapsed()));
            return Ok(());
        }
        ensure!(began.elapsed() < STUCK_AFTER, "{standing} of {all} subscriptions stand");
        if told.elapsed() > TOLD_EVERY {
            report.note(format!("{standing} of {all} subscriptions stand"));
            told = Instant::now();
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// What a node takes, in bytes.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// As the system counts it, in pages.
    resident: f64,
    /// As the node's allocator counts it, to the byte.
    held: f64,
}

impl Memory {
    const RESIDENT: fn(&Self) -> f64 = |memory| memory.resident;
    const HELD: fn(&Self) -> f64 = |memory| memory.held;

    async fn of(server: &Server) -> Result<Self> {
        let resident = f64::from(u32::try_from(server.rss_kib()?)?) * 1024.0;
        let held = server.metric("switchboard_process_allocated_bytes").await?;
        Ok(Self { resident, held })
    }

    fn lower(self, other: Self) -> Self {
        Self { resident: self.resident.min(other.resident), held: self.held.min(other.held) }
    }
}

/// By node, its memory once idle conversations left: the lowest of some seconds. What is not judged
/// is looked at once.
async fn settled(cluster: &Cluster, is_judged: bool) -> Result<Vec<Memory>> {
    let (settles, looks) = if is_judged { (SETTLE, 6) } else { (Duration::ZERO, 1) };
    sleep(settles).await;
    let mut lowest = vec![Memory { resident: f64::MAX, held: f64::MAX }; cluster.nodes.len()];
    for _ in 0..looks {
        for (node, lowest) in cluster.nodes.iter().zip(&mut lowest) {
            *lowest = lowest.lower(Memory::of(&node.server).await?);
        }
        sleep(Duration::from_secs(1)).await;
    }
    Ok(lowest)
}

fn slopes(before: &[Memory], after: &[Memory], n: usize, of: fn(&Memory) -> f64) -> Vec<f64> {
    (0..before.len()).map(|node| slope(before, after, node, n, of)).collect()
}

/// Bytes of one node for each of so many.
fn slope(
    before: &[Memory],
    after: &[Memory],
    node: usize,
    n: usize,
    of: fn(&Memory) -> f64,
) -> f64 {
    let bytes = |marks: &[Memory]| marks.get(node).map_or(0.0, of);
    (bytes(after) - bytes(before)) / count(n.max(1))
}

fn listed(figures: &[f64]) -> String {
    figures.iter().map(|it| format!("{it:.0}")).collect::<Vec<_>>().join(", ")
}

fn noise(n: usize) -> f64 {
    NOISE_KIB * 1024.0 / count(n.max(1))
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}
