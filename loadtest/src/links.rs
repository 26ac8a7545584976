//! `links`: envelopes between two nodes in two processes, over mutual TLS on loopback: how many a
//! second are acknowledged, in what order they arrive, what they cost and whether memory is flat.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use switchboard_cluster::ownership::{Boot, NodeName};
use switchboard_cluster::transport::tls::Tls;
use switchboard_cluster::transport::wire::{Config, Wire};
use switchboard_cluster::transport::{NotSent, Peer, Receiver, VERSIONS};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::machine;
use crate::report::Report;

/// The nodes: the second dials the first and sends.
const NODES: [&str; 2] = ["one", "two"];
/// What the cluster must carry between two nodes.
const PER_SECOND_MIN: u64 = 300_000;
/// What memory may still grow by after the first second.
const GROWTH_KIB_MAX: u64 = 16 * 1024;
/// Bytes of an envelope: a message of a conversation.
const ENVELOPE_BYTES: usize = 200;

/// How envelopes are measured.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Envelopes to send.
    #[arg(long, default_value_t = 5_000_000)]
    pub envelopes: u64,
    /// Only count and check their order; say nothing of the rate.
    #[arg(long)]
    pub any_rate: bool,
}

/// The node that sends, in a process of its own.
#[derive(clap::Args, Debug)]
pub struct SenderArgs {
    /// Where the credentials lie.
    #[arg(long)]
    pub credentials: PathBuf,
    /// Where the other node listens.
    #[arg(long)]
    pub address: String,
    /// Envelopes to send.
    #[arg(long)]
    pub envelopes: u64,
}

/// Counts what it hears.
#[derive(Debug, Default)]
struct Counter {
    heard: AtomicU64,
    disorder: AtomicU64,
    is_up: AtomicBool,
    downs: AtomicU64,
}

impl Receiver for Counter {
    fn up(&self, _peer: &Peer) {
        self.is_up.store(true, Ordering::Release);
    }

    fn receive(&self, _from: &NodeName, envelope: Bytes) {
        let number = envelope.first_chunk().map_or(0, |it| u64::from_le_bytes(*it));
        if number != self.heard.fetch_add(1, Ordering::AcqRel) {
            self.disorder.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn down(&self, _node: &NodeName) {
        self.downs.fetch_add(1, Ordering::Relaxed);
    }
}

/// Measures the link and judges it.
///
/// # Errors
/// When a check fails, or one of the two does not start.
pub async fn run(args: &Args) -> Result<()> {
    let mut report = Report::new("links: envelopes between two nodes in two processes");
    report.note(machine::describe());
    let credentials = tempfile::tempdir().context("a place for credentials")?;
    write_credentials(credentials.path())?;
    let counter = Arc::new(Counter::default());
    let wire = start(NODES[0], credentials.path(), Arc::clone(&counter)).await?;
    let sender = Command::new(std::env::current_exe().context("finding this program")?)
        .arg("links-sender")
        .arg("--credentials")
        .arg(credentials.path())
        .args(["--address", &wire.address().to_string()])
        .args(["--envelopes", &args.envelopes.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting the sender")?;
    let pid = sender.id().context("the sender has ended")?;
    let memory = watch_memory([std::process::id(), pid], &counter, args.envelopes).await?;
    let cpu = [machine::cpu_time(std::process::id())?, machine::cpu_time(pid)?];
    let output = timeout(Duration::from_secs(60), sender.wait_with_output());
    let output = output.await.context("the sender does not end")??;
    let took_us: u64 = String::from_utf8(output.stdout)?.trim().parse().context("its time")?;
    let rate = args.envelopes.saturating_mul(1_000_000) / took_us.max(1);
    let (heard, disorder) =
        (counter.heard.load(Ordering::Acquire), counter.disorder.load(Ordering::Acquire));
    report.check(
        "order",
        heard == args.envelopes && disorder == 0,
        format!("{heard} of {} heard, {disorder} out of order", args.envelopes),
    );
    let each = |time: Duration| time.as_secs_f64() * 1e6 / (args.envelopes.max(1)) as f64;
    report.check(
        "rate",
        args.any_rate || rate >= PER_SECOND_MIN,
        format!(
            "{rate} acked a second of {ENVELOPE_BYTES} bytes (at least {PER_SECOND_MIN}), {:.2} µs \
             of CPU to hear one, {:.2} to send it",
            each(cpu[0]),
            each(cpu[1])
        ),
    );
    let grown = memory.iter().map(|(first, last)| last.saturating_sub(*first)).max().unwrap_or(0);
    report.check(
        "memory",
        grown <= GROWTH_KIB_MAX,
        format!("{memory:?} KiB of each after a tenth and at the end (grows by {grown})"),
    );
    wire.stop().await;
    report.finish()
}

/// Waits until all is heard; gives the memory of both after a tenth of it and at the end.
async fn watch_memory(pids: [u32; 2], counter: &Counter, all: u64) -> Result<[(u64, u64); 2]> {
    let heard = || counter.heard.load(Ordering::Acquire);
    let mut last = (0, Instant::now());
    let mut early = None;
    while heard() < all {
        sleep(Duration::from_millis(20)).await;
        if early.is_none() && heard() >= all / 10 {
            early = Some([machine::rss_kib(pids[0])?, machine::rss_kib(pids[1])?]);
        }
        if heard() > last.0 {
            last = (heard(), Instant::now());
        }
        ensure!(last.1.elapsed() < Duration::from_secs(30), "nothing is heard any more");
    }
    let late = [machine::rss_kib(pids[0])?, machine::rss_kib(pids[1])?];
    let early = early.unwrap_or(late);
    Ok([(early[0], late[0]), (early[1], late[1])])
}

/// Sends and says on standard output how many microseconds it took until all were acknowledged.
///
/// # Errors
/// When it does not reach the other node, or loses it.
pub async fn send(args: &SenderArgs) -> Result<()> {
    let counter = Arc::new(Counter::default());
    let wire = start(NODES[1], &args.credentials, Arc::clone(&counter)).await?;
    let one = NodeName(NODES[0].into());
    wire.set_peers([(one.clone(), args.address.as_str().into())]);
    let reached = timeout(Duration::from_secs(30), async {
        while !counter.is_up.load(Ordering::Acquire) {
            sleep(Duration::from_millis(5)).await;
        }
    });
    reached.await.context("the other node is not reached")?;
    let transport = wire.transport();
    let began = Instant::now();
    let mut number = 0_u64;
    while number < args.envelopes {
        let mut envelope = vec![7; ENVELOPE_BYTES];
        envelope[..8].copy_from_slice(&number.to_le_bytes());
        match transport.send(&one, envelope.into()) {
            Ok(()) => number += 1,
            Err(NotSent::Full) => sleep(Duration::from_millis(1)).await,
            Err(error) => return Err(error).context("the other node is lost"),
        }
    }
    while wire.unanswered(&one) > 0 {
        ensure!(counter.downs.load(Ordering::Relaxed) == 0, "the other node is lost");
        tokio::task::yield_now().await;
    }
    let took = began.elapsed();
    crate::report::line(took.as_micros().to_string());
    // What it used is read from outside.
    sleep(Duration::from_millis(500)).await;
    wire.stop().await;
    Ok(())
}

async fn start(name: &str, credentials: &Path, counter: Arc<Counter>) -> Result<Wire> {
    let read = |what: &str| {
        let path = credentials.join(what);
        std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
    };
    let key = PrivatePkcs8KeyDer::from(read(&format!("{name}.key"))?);
    let tls = Tls::new(
        vec![CertificateDer::from(read(&format!("{name}.der"))?)],
        PrivateKeyDer::Pkcs8(key),
        vec![CertificateDer::from(read("authority.der")?)],
    )?;
    let config = Config {
        node: NodeName(name.into()),
        boot: Boot(Uuid::new_v4()),
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        cookie: "links".into(),
        tls,
        versions: VERSIONS,
    };
    Ok(Wire::start(config, counter).await?)
}

/// An authority and a certificate for each node.
fn write_credentials(place: &Path) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(place.join("authority.der"), params.self_signed(&key)?.der())?;
    let authority = Issuer::new(params, key);
    for name in NODES {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        std::fs::write(
            place.join(format!("{name}.der")),
            params.signed_by(&key, &authority)?.der(),
        )?;
        std::fs::write(place.join(format!("{name}.key")), key.serialize_der())?;
    }
    Ok(())
}
