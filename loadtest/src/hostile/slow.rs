//! Readers that stop reading while their rooms get traffic: cut within bounds, memory returns, and
//! whoever was cut resumes without a gap.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::frame::Frame;
use crate::client::http::Http;
use crate::client::{ANSWER_TIMEOUT, Connection, Encoding, Error};
use crate::history::Stream;
use crate::report::Report;
use crate::server::Server;

/// The size of each text: the queue of 256 KiB and the kernel's buffers fill in seconds.
const TEXT_BYTES: usize = 8 * 1024;
/// Readers of one conversation.
const READERS_PER_ROOM: usize = 50;
/// All readers must be cut by then, from the first message on.
const CUT_MAX: Duration = Duration::from_secs(90);
/// Resident memory may grow so much while queues are full.
const GROWTH_KIB_MAX: u64 = 96 * 1024;
/// And so much may stay when the readers are gone.
const REMAINS_KIB_MAX: u64 = 32 * 1024;
/// How long messages flow before the first measurement: the caches of the database are full by
/// then, and what grows later is not theirs.
const WARM_UP: Duration = Duration::from_secs(4);
/// Readers whose resume is checked.
const RESUMED: usize = 20;

struct Room {
    id: String,
    log: String,
    secret: String,
}

pub(super) async fn run(
    server: &Server,
    n_readers: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let address = server.public;
    let mut http = Http::new(address);
    warm_up(address, &mut http).await?;
    let mut rooms = Vec::new();
    let mut readers = Vec::new();
    for _ in 0..n_readers.div_ceil(READERS_PER_ROOM) {
        let created = http.create(None).await?;
        let secret = created.visitor.secret.context("a new visitor has a secret")?;
        rooms.push(Room { id: created.id, log: created.log, secret });
    }
    for number in 0..n_readers {
        let room = rooms.get(number / READERS_PER_ROOM).context("a room for each reader")?;
        readers.push((number / READERS_PER_ROOM, subscribe(address, room).await?));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let files_before = sockets(server.pid()?)?;
    let rss_before = server.rss_kib()?;

    let (stop, stopped) = watch::channel(false);
    let mut senders = JoinSet::new();
    for room in &rooms {
        let (id, secret) = (room.id.clone(), room.secret.clone());
        senders.spawn(flood(address, id, secret, stopped.clone()));
    }
    let started = Instant::now();
    let (mut rss_peak, mut n_left) = (rss_before, n_readers);
    while n_left > 0 && started.elapsed() < CUT_MAX {
        tokio::time::sleep(Duration::from_millis(100)).await;
        rss_peak = server.rss_kib()?.max(rss_peak);
        // The senders' own connections came after the first count.
        let gone = files_before.saturating_sub(sockets(server.pid()?)?.saturating_sub(rooms.len()));
        n_left = n_readers.saturating_sub(gone);
    }
    let took = started.elapsed();
    stop.send_replace(true);
    let mut n_sent = 0;
    while let Some(sent) = senders.join_next().await {
        n_sent += sent??;
    }
    let facts =
        format!("{} of {n_readers} after {took:.1?}, {n_sent} messages", n_readers - n_left);
    report.check("readers that stop are cut", n_left == 0, facts);
    let growth = rss_peak.saturating_sub(rss_before);
    report.check("memory is bounded", growth <= GROWTH_KIB_MAX, format!("grew by {growth} KiB"));

    resume(address, &rooms, readers, report).await?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut remains = u64::MAX;
    while remains > REMAINS_KIB_MAX && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_secs(1)).await;
        remains = server.rss_kib()?.saturating_sub(rss_before);
    }
    report.check(
        "memory returns",
        remains <= REMAINS_KIB_MAX,
        format!("{remains} KiB above before"),
    );
    Ok(())
}

/// Fills the caches with messages that nobody reads.
async fn warm_up(address: SocketAddr, http: &mut Http) -> anyhow::Result<()> {
    let created = http.create(None).await?;
    let secret = created.visitor.secret.context("a new visitor has a secret")?;
    let (stop, stopped) = watch::channel(false);
    let sender = tokio::spawn(flood(address, created.id, secret, stopped));
    tokio::time::sleep(WARM_UP).await;
    stop.send_replace(true);
    sender.await??;
    Ok(())
}

/// Sockets and files that a process holds open.
fn sockets(pid: u32) -> std::io::Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// A reader with the smallest receive buffer, subscribed, that reads no more after that.
async fn subscribe(address: SocketAddr, room: &Room) -> anyhow::Result<Connection> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let stream = socket.connect(address).await?;
    let mut connection = Connection::over(stream, address, Encoding::Json).await?;
    connection.hello(&room.secret, &uuid::Uuid::new_v4().to_string()).await?;
    connection.subscribe(&room.id, Stream::Public, Some(&room.log), Some(0)).await?;
    loop {
        let next = tokio::time::timeout(ANSWER_TIMEOUT, connection.next()).await??;
        if let Frame::Subscribed { .. } = next {
            return Ok(connection);
        }
    }
}

/// Sends large messages in closed loop until told to stop; returns how many.
async fn flood(
    address: SocketAddr,
    conversation: String,
    secret: String,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<u64> {
    let mut connection = Connection::open(address, Encoding::Json).await?;
    connection.hello(&secret, &uuid::Uuid::new_v4().to_string()).await?;
    let text = "x".repeat(TEXT_BYTES);
    let mut n = 0;
    while !*stopped.borrow() {
        n += 1;
        let frame = json!({
            "type": "send", "conversation": conversation, "n": n, "kind": "message",
            "body": {"text": text},
        });
        connection.send(&frame).await?;
        let ack = async {
            loop {
                match connection.next().await? {
                    Frame::Ack { n: of, .. } if of == n => return anyhow::Ok(true),
                    Frame::Nack { n: of, code, .. } if of == n => {
                        anyhow::ensure!(code == "busy", "a message was refused: {code}");
                        return Ok(false);
                    }
                    _ => {}
                }
            }
        };
        if !tokio::time::timeout(ANSWER_TIMEOUT, ack).await.context("no ack")?? {
            n -= 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    connection.close().await;
    Ok(n)
}

/// Some of those who were cut read what had been under way, then resume after it.
async fn resume(
    address: SocketAddr,
    rooms: &[Room],
    readers: Vec<(usize, Connection)>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut codes = std::collections::BTreeMap::<String, u32>::new();
    let mut gaps = Vec::new();
    let step = (readers.len() / RESUMED).max(1);
    let mut n_resumed = 0;
    for (number, (room, connection)) in readers.into_iter().enumerate() {
        if number % step != 0 {
            continue;
        }
        let room = rooms.get(room).context("the room of a reader")?;
        let (last, ended) = drain(connection, 0, None).await;
        *codes.entry(ended).or_default() += 1;
        let mut http = Http::new(address);
        let head = http.page(&room.secret, &room.id, Stream::Public, last).await?.head;
        let mut again = Connection::open(address, Encoding::Json).await?;
        again.hello(&room.secret, &uuid::Uuid::new_v4().to_string()).await?;
        again.subscribe(&room.id, Stream::Public, Some(&room.log), Some(last)).await?;
        let (reached, ended) = drain(again, last, Some(head)).await;
        if reached != head {
            gaps.push(format!("from {last} to {reached} of {head}: {ended}"));
        }
        n_resumed += 1;
    }
    let facts = format!("{n_resumed} resumed, {} with a gap; cut with {codes:?}", gaps.len());
    report.check("whoever was cut resumes", gaps.is_empty() && n_resumed > 0, facts);
    for gap in gaps.iter().take(5) {
        report.note(gap);
    }
    Ok(())
}

/// Reads events in order from `last` on, up to `head` or the end of the connection. Returns the last
/// position without a gap, and how it ended.
async fn drain(mut connection: Connection, mut last: u64, head: Option<u64>) -> (u64, String) {
    loop {
        if head.is_some_and(|head| last >= head) {
            return (last, "reached".to_owned());
        }
        let next = tokio::time::timeout(Duration::from_secs(10), connection.next()).await;
        let items = match next {
            Err(_) => return (last, "silence".to_owned()),
            Ok(Err(Error::Closed { code, .. })) => return (last, code.to_string()),
            Ok(Err(_)) => return (last, "reset".to_owned()),
            Ok(Ok(Frame::Event(event))) => vec![event],
            Ok(Ok(Frame::Events { items, .. })) => items,
            Ok(Ok(Frame::Subscribed { mode, from, .. })) if mode == "snapshot" => {
                // More than 1,000 behind: a snapshot says so, and goes on from there.
                last = from.saturating_sub(1);
                continue;
            }
            Ok(Ok(_)) => continue,
        };
        for event in items {
            if event.seq != last + 1 {
                return (last, format!("{} after {last}", event.seq));
            }
            last = event.seq;
        }
    }
}
