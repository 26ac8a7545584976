//! Memory of a program per idle connection.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinSet;

use super::Args;
use super::peer::{Kind, Peer, Room};
use crate::machine::rss_kib;

/// Longer than the time after which an idle conversation leaves memory (15 s), and than the repair
/// and check-pointing that follows.
const SETTLE: Duration = Duration::from_secs(25);
/// Connections opened at once.
const OPENERS: usize = 16;

/// KiB of resident memory per connection: a fresh program, `n` connections, each in a conversation
/// or room of its own, all idle.
pub(super) async fn measure(kind: Kind, args: &Args, n: usize, dir: &Path) -> anyhow::Result<f64> {
    let peer = Arc::new(Peer::start(kind, args, dir).await?);
    // The first connections pay for what is made once.
    let mut sockets = open(&peer, rooms(&peer, 20).await?).await?;
    // The conversations are there before the first mark: the pages that the store caches for them
    // are bounded and no cost of a connection.
    let rooms = rooms(&peer, n).await?;
    let settle = if kind.is_ours() { SETTLE } else { SETTLE / 10 };
    tokio::time::sleep(settle).await;
    let before = rss_kib(peer.pid()?)?;
    let mut more = open(&peer, rooms).await?;
    tokio::time::sleep(settle).await;
    let after = rss_kib(peer.pid()?)?;
    let cut = sockets.try_join_next().is_some() || more.try_join_next().is_some();
    anyhow::ensure!(!cut, "{} cut an idle connection", kind.name());
    drop((sockets, more));
    if let Ok(peer) = Arc::try_unwrap(peer) {
        peer.stop().await;
    }
    let kib = u32::try_from(after.saturating_sub(before))?;
    Ok(f64::from(kib) / f64::from(u32::try_from(n)?.max(1)))
}

async fn rooms(peer: &Peer, n: usize) -> anyhow::Result<Vec<Room>> {
    let mut rooms = Vec::with_capacity(n);
    for _ in 0..n {
        rooms.push(peer.room().await?);
    }
    Ok(rooms)
}

/// Opens connections and keeps each alive in a task that ends only when it is cut.
async fn open(peer: &Arc<Peer>, mut rooms: Vec<Room>) -> anyhow::Result<JoinSet<()>> {
    let mut opening = JoinSet::new();
    let mut alive = JoinSet::new();
    let share = rooms.len().div_ceil(OPENERS);
    while !rooms.is_empty() {
        let mine = rooms.split_off(rooms.len().saturating_sub(share));
        let peer = peer.clone();
        opening.spawn(async move {
            let mut opened = Vec::with_capacity(mine.len());
            for room in mine {
                opened.push(peer.idle(room).await?);
            }
            anyhow::Ok(opened)
        });
    }
    while let Some(opened) = opening.join_next().await {
        for (voice, mut socket) in opened?? {
            alive.spawn(async move {
                while let Some(Ok(message)) = socket.next().await {
                    if let Some(pong) = voice.pong(&message.into_data())
                        && socket.send(pong).await.is_err()
                    {
                        break;
                    }
                }
            });
        }
    }
    Ok(alive)
}
