//! The end: nobody begins a message, everything is read at both nodes that are left, and the checker
//! says whether anything that was acked is lost, doubled, reordered or missed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Crowd, Order, STUCK_AFTER};
use crate::checker::check;
use crate::client::Error;
use crate::client::http::Http;
use crate::cluster::Cluster;
use crate::history::{Op, Seen, Stream};
use crate::report::Report;

/// Who reads at once.
const READERS: usize = 16;
/// The pause before a node that is busy is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long readers get to hear the end.
const CATCH_UP: Duration = Duration::from_secs(60);

type Read = (Vec<Seen>, u64);

/// Ends the talk and says what came of it.
pub(super) async fn judge(
    cluster: &Cluster,
    victim: usize,
    crowd: &Arc<Crowd>,
    mut clients: JoinSet<()>,
    report: &mut Report,
) -> Result<()> {
    crowd.order.send_replace(Order::Hush);
    let began = Instant::now();
    while crowd.under_way.load(Ordering::Acquire) > 0 {
        ensure!(began.elapsed() < STUCK_AFTER, "messages are under way for ever");
        sleep(Duration::from_millis(50)).await;
    }
    let left = crowd.cluster.iter().enumerate().filter(|(node, _)| *node != victim);
    let doors: Vec<_> = left.map(|(_, at)| *at).collect();
    let rooms: Vec<_> = crowd.rooms.read().iter().filter(|it| it.is_judged()).cloned().collect();
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let mine: Vec<_> = rooms.iter().skip(reader).step_by(READERS).cloned().collect();
        let (crowd, doors) = (Arc::clone(crowd), doors.clone());
        readers.spawn(async move {
            let mut doors: Vec<Http> = doors.into_iter().map(Http::new).collect();
            for room in mine {
                for stream in [Stream::Public, Stream::Internal] {
                    read_everywhere(&crowd, &mut doors, &room, stream).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(read) = readers.join_next().await {
        read??;
    }
    // Whoever is behind by then has missed something.
    let began = Instant::now();
    let is_behind = |room: &Arc<super::open::Room>| {
        let head = room.read_to.load(Ordering::Acquire);
        room.heard.load(Ordering::Acquire) < head
            || room.heard_by_agent.load(Ordering::Acquire) < head
    };
    while rooms.iter().any(is_behind) && began.elapsed() < CATCH_UP {
        sleep(Duration::from_millis(100)).await;
    }
    crowd.order.send_replace(Order::Leave);
    while let Some(left) = clients.join_next().await {
        left?;
    }
    let history = crowd.recorder.take();
    let verdict = check(&history);
    report.check("history", verdict.is_clean() && verdict.acked > 0, verdict.to_string());
    for example in verdict.examples() {
        report.note(example);
    }
    let complaints = std::mem::take(&mut crowd.tally.lock().complaints);
    let panics: usize = cluster.nodes.iter().map(|node| node.server.n_panics()).sum();
    let facts = format!("{panics} panics in the logs, {} complaints", complaints.len());
    report.check("clients and nodes", complaints.is_empty() && panics == 0, facts);
    for complaint in complaints.iter().take(5) {
        report.note(complaint);
    }
    report.note(format!("leases that ran out: {:?}", cluster.leases_lost()));
    Ok(())
}

/// Reads a stream at every door; all must show the same.
async fn read_everywhere(
    crowd: &Crowd,
    doors: &mut [Http],
    room: &super::open::Room,
    stream: Stream,
) -> Result<()> {
    let mut first: Option<Read> = None;
    for door in doors {
        let read = read(crowd, door, room, stream).await?;
        match &first {
            None => first = Some(read),
            Some(same) if *same == read => {}
            Some(other) => {
                let how = format!("heads {} and {}", other.1, read.1);
                crowd.recorder.push(Op::Differs { conversation: room.number, stream, how });
            }
        }
    }
    let (events, head) = first.context("a door")?;
    for seen in events {
        crowd.recorder.push(Op::Final(seen));
    }
    crowd.recorder.push(Op::FinalRead { conversation: room.number, stream, head });
    if stream == Stream::Public {
        room.read_to.store(head, Ordering::Release);
    }
    Ok(())
}

async fn read(
    crowd: &Crowd,
    http: &mut Http,
    room: &super::open::Room,
    stream: Stream,
) -> Result<Read> {
    let deadline = Instant::now() + CATCH_UP;
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = match http.page(&crowd.agent, &room.id, stream, after).await {
            Ok(page) => page,
            Err(Error::Status { status: 503, .. }) if Instant::now() < deadline => {
                sleep(AGAIN_AFTER).await;
                continue;
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", room.id)),
        };
        for event in &page.items {
            after = event.seq.max(after);
            events.push(Seen {
                conversation: room.number,
                stream,
                seq: event.seq,
                id: event.id.as_str().into(),
                text: event.text().map(Into::into),
            });
        }
        if !page.more || page.items.is_empty() {
            return Ok((events, page.head));
        }
    }
}
