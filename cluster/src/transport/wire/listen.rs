//! Accepting other nodes. A connection that shakes no hands costs its place among a bounded
//! number, and the oldest gives way to a newcomer: so those who only knock keep nobody out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ractor_cluster::NodeServerMessage;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::{HANDSHAKE_WITHIN, Shared};
use crate::transport::socket::{Cut, Socket, tune};

/// Handshakes under way at once. More nodes than that do not come in the same moment.
const HANDSHAKES_MAX: usize = 128;
/// How long to wait when the process has no descriptor left.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

pub(super) async fn run(shared: Arc<Shared>, listener: TcpListener) {
    let mut handshakes: VecDeque<AbortHandle> = VecDeque::new();
    let mut count: u64 = 0;
    loop {
        let Ok((stream, address)) = listener.accept().await else {
            tokio::time::sleep(AFTER_FAILURE).await;
            continue;
        };
        handshakes.retain(|handshake| !handshake.is_finished());
        if handshakes.len() >= HANDSHAKES_MAX
            && let Some(oldest) = handshakes.pop_front()
        {
            oldest.abort();
        }
        count += 1;
        let label = format!("from {address}, {count}");
        let accept = accept(Arc::clone(&shared), stream, label);
        handshakes.push_back(tokio::spawn(accept).abort_handle());
    }
}

async fn accept(shared: Arc<Shared>, stream: TcpStream, label: String) {
    if tune(&stream).is_err() {
        return;
    }
    let handshake = shared.tls.acceptor().accept(stream);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await else {
        return;
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let Some(certificate) = certificates.and_then(<[_]>::first).map(|it| it.clone().into_owned())
    else {
        return;
    };
    let (Some(server), cut) = (shared.server.get(), Cut::new()) else { return };
    shared.opened(label.clone(), certificate, &cut);
    let stream = Box::new(Socket { stream, cut, label: label.clone() });
    // A server that is gone means that the node goes down.
    drop(server.cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server: true }));
    tokio::spawn(async move { shared.expect_greeting(&label).await });
}
