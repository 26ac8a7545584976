//! Dialling one other node, for as long as it is named.

use std::sync::Arc;
use std::time::Duration;

use ractor_cluster::NodeServerMessage;
use tokio::net::TcpStream;
use tokio::time::Instant;
use uuid::Uuid;

use super::{HANDSHAKE_WITHIN, SET_UP_WITHIN, Shared};
use crate::ownership::NodeName;
use crate::transport::socket::{Cut, Socket, tune};
use crate::transport::tls::name_of;

/// The first wait after a link ended; it doubles while no link lasts.
const BACK_OFF_FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const BACK_OFF_MAX: Duration = Duration::from_secs(2);

pub(super) async fn run(shared: Arc<Shared>, node: NodeName, address: Arc<str>) {
    let mut wait = BACK_OFF_FIRST;
    loop {
        let began = Instant::now();
        match tokio::time::timeout(HANDSHAKE_WITHIN, dial(&shared, &node, &address)).await {
            Ok(Ok((label, cut))) => {
                tokio::join!(cut.done(), async {
                    tokio::select! {
                        () = shared.expect_greeting(&label) => {}
                        () = cut.done() => {}
                    }
                });
            }
            Ok(Err(error)) => tracing::debug!(%node, %error, "not reached"),
            Err(_) => tracing::debug!(%node, "not reached in time"),
        }
        // One that was of use is dialled again at once, or nearly.
        wait = if began.elapsed() > SET_UP_WITHIN { BACK_OFF_FIRST } else { wait };
        tokio::time::sleep(with_jitter(wait)).await;
        wait = (wait * 2).min(BACK_OFF_MAX);
    }
}

/// A connection over which both have shown a certificate.
async fn dial(
    shared: &Arc<Shared>,
    node: &NodeName,
    address: &str,
) -> Result<(String, Cut), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    tune(&stream)?;
    let name = name_of(node).ok_or("no certificate can hold the node's name")?;
    let stream = shared.tls.connector().connect(name, stream).await?;
    let certificates = stream.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(<[_]>::first).ok_or("it shows no certificate")?;
    let server = shared.server.get().ok_or("the transport has not started")?;
    let (cut, label) = (Cut::new(), format!("to {node}, {}", Uuid::new_v4().simple()));
    shared.opened(label.clone(), certificate.clone().into_owned(), &cut);
    let stream = Box::new(Socket { stream, cut: cut.clone(), label: label.clone() });
    server.cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server: false })?;
    Ok((label, cut))
}

/// Between half of it and all of it, so that nodes that lost each other do not knock in step.
fn with_jitter(wait: Duration) -> Duration {
    let drawn = Uuid::new_v4().as_bytes()[0];
    wait / 2 + wait / 2 * u32::from(drawn) / 255
}
