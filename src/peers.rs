//! The other nodes of the cluster, as this one reaches them: credentials, the wire, and where each
//! of them is.

use std::sync::Arc;

use switchboard_actors::region::Remote;
use switchboard_cluster::driver;
use switchboard_cluster::ownership::{Boot, NodeName};
use switchboard_cluster::transport::VERSIONS;
use switchboard_cluster::transport::tls::{self, Files, Tls};
use switchboard_cluster::transport::wire::{self, Wire};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::config::{self, Cluster, Links};
use crate::telemetry::spawn;

/// Why a node cannot take part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cookie cannot be read or is none.
    #[error("the cluster's cookie")]
    Cookie(#[from] config::Error),
    /// The certificates cannot be used.
    #[error("{of}")]
    Tls {
        /// Of which settings.
        of: &'static str,
        /// What is wrong.
        #[source]
        source: tls::Error,
    },
    /// The transport did not start.
    #[error("cluster.listen")]
    Wire(#[from] wire::StartError),
}

/// Reads a node's credentials and checks that others would take them.
///
/// # Errors
///
/// [`Error::Tls`], naming the setting.
pub fn credentials(links: &Links<'_>, node: &NodeName) -> Result<Tls, Error> {
    let files = Files {
        cert: links.cert.to_owned(),
        key: links.key.to_owned(),
        authority: links.authority.to_owned(),
    };
    let of = "cluster.cert, cluster.key and cluster.authority";
    let tls = Tls::load(&files).map_err(|source| Error::Tls { of, source })?;
    let of = "cluster.cert, by cluster.authority";
    tls.check(node).map_err(|source| Error::Tls { of, source })?;
    Ok(tls)
}

/// The other nodes. Dropping it ends all links.
#[derive(Debug)]
pub struct Peers {
    wire: Wire,
    address: Arc<str>,
    remote: Arc<Remote>,
}

impl Peers {
    /// Takes other nodes in from now on; reaches for none before it [follows](Self::follow) who is
    /// there. `None` for a node that is to be alone.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn start(
        config: &Cluster,
        node: NodeName,
        boot: Boot,
    ) -> Result<Option<Self>, Error> {
        let Some(links) = config.links() else { return Ok(None) };
        let tls = credentials(&links, &node)?;
        let cookie = config.read_cookie()?.into();
        let remote = Remote::new();
        let wire =
            wire::Config { node, boot, listen: links.listen, cookie, tls, versions: VERSIONS };
        let wire = Wire::start(wire, remote.receiver()).await?;
        remote.connect(wire.transport());
        let address = config.advertise.clone().unwrap_or_else(|| wire.address().to_string());
        tracing::info!(%address, "other nodes are taken in");
        Ok(Some(Self { wire, address: address.into(), remote }))
    }

    /// Where the others reach this node.
    #[must_use]
    pub fn address(&self) -> Arc<str> {
        Arc::clone(&self.address)
    }

    /// What actors and doors of other nodes are reached through.
    #[must_use]
    pub fn remote(&self) -> Arc<Remote> {
        Arc::clone(&self.remote)
    }

    /// Reaches for whoever is there, as the membership says it.
    #[must_use]
    pub fn follow(self, named: watch::Receiver<driver::Peers>) -> Following {
        let (stop, stopped) = oneshot::channel();
        let (lives, ended) = watch::channel(());
        let running = spawn("peers", run(self.wire, named, stopped, lives));
        Following { stop, ended, running }
    }
}

/// Links to whoever is there; they end with it.
#[derive(Debug)]
pub struct Following {
    stop: oneshot::Sender<()>,
    ended: watch::Receiver<()>,
    running: JoinHandle<()>,
}

impl Following {
    /// Waits until there will be no links any more.
    pub async fn ended(&self) {
        // Nothing is ever sent: it ends when the sender goes.
        let _gone = self.ended.clone().changed().await;
    }

    /// Ends every link.
    pub async fn stop(self) {
        // Errors mean that it has ended already.
        let _told = self.stop.send(());
        let _ended = self.running.await;
    }
}

async fn run(
    mut wire: Wire,
    mut named: watch::Receiver<driver::Peers>,
    mut stopped: oneshot::Receiver<()>,
    _lives: watch::Sender<()>,
) {
    loop {
        let peers = named.borrow_and_update().clone();
        wire.set_peers(peers);
        tokio::select! {
            // Also when nobody holds the other end any more.
            _ = &mut stopped => break,
            () = wire.ended() => {
                tracing::error!("the links to other nodes failed for good");
                return;
            }
            changed = named.changed() => if changed.is_err() {
                // The membership has ended; who is linked stays linked until the end.
                let _stopped = (&mut stopped).await;
                break;
            },
        }
    }
    wire.stop().await;
}
