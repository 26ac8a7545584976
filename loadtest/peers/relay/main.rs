//! The bare relay: what a chat costs that does nothing but pass bytes on. Rooms of two by path, no
//! storage, no parsing, small WebSocket buffers. It is the floor that the bench compares with.
//!
//! A text frame goes to the other connection of the room as it is; the sender gets `ok` once it has
//! been handed over.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use parking_lot::Mutex;
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Frames that may wait for one connection.
const QUEUE_FRAMES_MAX: usize = 64;

type Outlet = mpsc::Sender<Utf8Bytes>;

/// The connections of each room, newest last.
type Rooms = Arc<Mutex<HashMap<String, Vec<Outlet>>>>;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0_u16);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?.port())?;
    let app = Router::new().route("/{room}", get(upgrade)).with_state(Rooms::default());
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |socket| {
            // A relay that waits for full packets would lose on latency for no reason.
            drop(socket.set_nodelay(true));
        }),
        app,
    )
    .await
}

async fn upgrade(
    State(rooms): State<Rooms>,
    Path(room): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .read_buffer_size(1024)
        .write_buffer_size(1024)
        .max_write_buffer_size(64 * 1024)
        .max_message_size(64 * 1024)
        .on_upgrade(move |socket| relay(rooms, room, socket))
}

async fn relay(rooms: Rooms, room: String, mut socket: WebSocket) {
    let (outlet, mut inlet) = mpsc::channel(QUEUE_FRAMES_MAX);
    rooms.lock().entry(room.clone()).or_default().push(outlet.clone());
    let ok = Utf8Bytes::from_static("ok");
    loop {
        let sent = tokio::select! {
            text = inlet.recv() => match text {
                Some(text) => socket.send(Message::Text(text)).await,
                None => break,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let peer = rooms.lock().get(&room).and_then(|all| {
                        all.iter().find(|other| !other.same_channel(&outlet)).cloned()
                    });
                    if let Some(peer) = peer
                        && peer.send(text).await.is_err()
                    {
                        break;
                    }
                    socket.send(Message::Text(ok.clone())).await
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => Ok(()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
        };
        if sent.is_err() {
            break;
        }
    }
    let mut rooms = rooms.lock();
    if let Some(all) = rooms.get_mut(&room) {
        all.retain(|other| !other.same_channel(&outlet));
        if all.is_empty() {
            rooms.remove(&room);
        }
    }
}
