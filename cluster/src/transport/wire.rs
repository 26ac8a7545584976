//! The transport of a cluster: `ractor_cluster` over connections of our own.
//!
//! The framework carries frames from a node to the one remotable actor of another, its gateway.
//! Everything around that is here, because the framework bounds and watches nothing of it:
//! connections are made, accepted, authenticated and cut here; nodes greet one another before they
//! send; batches are numbered and answered; who does not answer for five seconds is cut off.
//!
//! Of two nodes the one whose name sorts last dials, again and again while the other is not there.

mod dial;
mod gateway;
mod link;
mod listen;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use ractor::{Actor, ActorRef};
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{
    IncomingEncryptionMode, NodeEventSubscription, NodeServer, NodeServerMessage,
};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinHandle};

use self::link::Session;
use super::credit::Share;
use super::frame::{Answer, Batch, Frame};
use super::socket::Cut;
use super::tls::{Tls, names};
use super::{ENVELOPE_BYTES_MAX, NotSent, Receiver, Transport, Versions};
use crate::ownership::{Boot, NodeName};

/// The longest frame that is read: a batch of one longest envelope, and room for what the
/// framework puts around it.
const FRAME_BYTES_MAX: u64 = ENVELOPE_BYTES_MAX as u64 + 64 * 1024;
/// How long a connection may take from its first byte to its greeting.
const SET_UP_WITHIN: Duration = Duration::from_secs(5);
/// How long a handshake or a dialled connection may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(3);

/// How a node takes part.
#[derive(Debug)]
pub struct Config {
    /// Its name, which its certificate holds.
    pub node: NodeName,
    /// This life of it.
    pub boot: Boot,
    /// Where it accepts other nodes.
    pub listen: SocketAddr,
    /// A word that all nodes of a cluster know: it keeps clusters apart that share an authority.
    pub cookie: Arc<str>,
    /// Its credentials.
    pub tls: Tls,
    /// What it reads and writes; [`VERSIONS`](super::VERSIONS), except in tests.
    pub versions: Versions,
}

/// Why a node cannot take part.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("listening for nodes on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The framework did not start.
    #[error("starting the transport: {what}")]
    Spawn {
        /// Its words.
        what: Box<str>,
    },
}

/// A node among others. Dropping it ends nothing; [`stop`](Self::stop) does.
#[derive(Debug)]
pub struct Wire {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: AbortHandle,
    server: JoinHandle<()>,
    gateway: ActorRef<gateway::Message>,
}

impl Wire {
    /// Starts to listen. Other nodes are dialled when they are [named](Self::set_peers).
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start(config: Config, receiver: Arc<dyn Receiver>) -> Result<Self, StartError> {
        let Config { node, boot, listen, cookie, tls, versions } = config;
        let unheard = |source| StartError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(unheard)?;
        let address = listener.local_addr().map_err(unheard)?;
        // The framework always listens too: on loopback, and for holders of certificates alone.
        // The life stands for the host, because two nodes of one host string are one to it.
        let server = NodeServer::new(
            0,
            cookie.to_string(),
            node.to_string(),
            boot.0.simple().to_string(),
            Some(IncomingEncryptionMode::Tls(tls.acceptor())),
            Some(NodeConnectionMode::Isolated),
        )
        .with_listen_addr(IpAddr::V4(Ipv4Addr::LOCALHOST))
        .with_max_inbound_frame_size(FRAME_BYTES_MAX);
        let shared = Arc::new(Shared {
            node,
            boot,
            versions,
            tls,
            receiver,
            server: OnceLock::new(),
            connections: Mutex::default(),
            sessions: RwLock::default(),
            links: RwLock::default(),
            dialled: Mutex::default(),
            n_turned_away: AtomicU64::new(0),
        });
        let name = gateway::name(&shared.node, shared.boot);
        let (gateway, _) = Actor::spawn(Some(name), gateway::Behavior, Arc::clone(&shared))
            .await
            .map_err(unstarted)?;
        let (actor, server) = Actor::spawn(None, server, ()).await.map_err(unstarted)?;
        let events = Box::new(Events(Arc::clone(&shared)));
        let id = "sessions".to_owned();
        // It was started the line before.
        drop(actor.cast(NodeServerMessage::SubscribeToEvents { id, subscription: events }));
        drop(shared.server.set(actor));
        let listening = tokio::spawn(listen::run(Arc::clone(&shared), listener)).abort_handle();
        Ok(Self { shared, address, listening, server, gateway })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The side that sends. Cheap to clone.
    #[must_use]
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.shared) as _
    }

    /// The other nodes and their addresses, as known by now. Who is not named any more is not
    /// dialled again; a link that is up stays.
    pub fn set_peers(&self, peers: impl IntoIterator<Item = (NodeName, Arc<str>)>) {
        let named: HashMap<_, _> =
            peers.into_iter().filter(|(node, _)| *node < self.shared.node).collect();
        let mut dialled = self.shared.dialled.lock();
        dialled.retain(|node, dialler| {
            let stays = named.get(node) == Some(&dialler.address);
            if !stays {
                dialler.task.abort();
            }
            stays
        });
        for (node, address) in named {
            dialled.entry(node.clone()).or_insert_with(|| {
                let run = dial::run(Arc::clone(&self.shared), node, Arc::clone(&address));
                Dialler { address, task: tokio::spawn(run).abort_handle() }
            });
        }
    }

    /// What is on the way to a node and not acknowledged yet, in bytes of its credit.
    #[must_use]
    pub fn unanswered(&self, node: &NodeName) -> usize {
        self.shared.sessions.read().get(node).map_or(0, |session| session.unanswered())
    }

    /// Connections of holders of certificates that ended before a node was met over them: with
    /// another cookie, under another's name, or without a version in common.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.shared.n_turned_away.load(Ordering::Relaxed)
    }

    /// Waits until the framework has ended, which it does by itself only when it fails for good.
    pub async fn ended(&mut self) {
        drop((&mut self.server).await);
    }

    /// Ends every link, and listens no more.
    pub async fn stop(self) {
        self.listening.abort();
        for (_, dialler) in self.shared.dialled.lock().drain() {
            dialler.task.abort();
        }
        let sessions: Vec<_> = self.shared.sessions.read().values().cloned().collect();
        for session in sessions {
            self.shared.end(&session, "the node goes away");
        }
        for (_, connection) in self.shared.connections.lock().drain() {
            connection.cut.cut();
        }
        if let Some(server) = self.shared.server.get() {
            server.stop(None);
        }
        drop(self.server.await);
        self.gateway.stop(None);
    }
}

/// What the parts of the transport share.
struct Shared {
    node: NodeName,
    boot: Boot,
    versions: Versions,
    tls: Tls,
    receiver: Arc<dyn Receiver>,
    server: OnceLock<ActorRef<NodeServerMessage>>,
    /// Those that are open, by label.
    connections: Mutex<HashMap<String, Connection>>,
    /// Those that are set up, by peer.
    sessions: RwLock<HashMap<NodeName, Arc<Session>>>,
    /// Those that greeted us, by the number of the peer's link.
    links: RwLock<HashMap<u64, Arc<Session>>>,
    dialled: Mutex<HashMap<NodeName, Dialler>>,
    /// Connections that ended before a node was met over them.
    n_turned_away: AtomicU64,
}

/// A connection whose both sides have shown a certificate.
#[derive(Clone)]
struct Connection {
    cut: Cut,
    certificate: CertificateDer<'static>,
}

struct Dialler {
    address: Arc<str>,
    task: AbortHandle,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Transport for Shared {
    fn send(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.sessions.read().get(to).ok_or(NotSent::Down)?.send(envelope, Share::Whole)
    }

    fn offer(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.sessions.read().get(to).ok_or(NotSent::Down)?.send(envelope, Share::Half)
    }
}

impl Shared {
    /// Takes a connection in; it must be greeted over soon.
    fn opened(&self, label: String, certificate: CertificateDer<'static>, cut: &Cut) {
        let connection = Connection { cut: cut.clone(), certificate };
        self.connections.lock().insert(label, connection);
    }

    /// Cuts a connection over which no node was met in time.
    async fn expect_greeting(&self, label: &str) {
        tokio::time::sleep(SET_UP_WITHIN).await;
        let is_met = self.sessions.read().values().any(|session| session.is_over(label));
        if !is_met && let Some(connection) = self.connections.lock().get(label) {
            connection.cut.cut();
        }
    }

    /// The framework has authenticated a peer and knows its actors.
    fn ready(self: &Arc<Self>, information: &NodeServerSessionInformation) {
        let label = &information.peer_addr;
        let Some(connection) = self.connections.lock().get(label).cloned() else {
            // It came through the framework's own listener, where no node is expected.
            information.actor.stop(None);
            return;
        };
        match self.meet(information, &connection) {
            Ok(session) => self.begin(session),
            Err(why) => {
                tracing::warn!(%label, why, "a node is not let in");
                connection.cut.cut();
            }
        }
    }

    fn meet(
        &self,
        information: &NodeServerSessionInformation,
        connection: &Connection,
    ) -> Result<Session, &'static str> {
        let name = information.peer_name.as_ref().map(|it| it.name.as_str());
        let (node, boot) = name.and_then(read_name).ok_or("it has no proper name")?;
        if !names(&connection.certificate, &node) {
            return Err("its certificate does not name it");
        }
        let wanted = gateway::name(&node, boot);
        let actors = information.actor.get_cell().get_children();
        let gateway = actors.into_iter().find(|it| it.get_name().as_ref() == Some(&wanted));
        let gateway = gateway.ok_or("it has no gateway")?.into();
        let (label, cut) = (information.peer_addr.clone(), connection.cut.clone());
        Ok(Session::new(node, boot, label, cut, gateway))
    }

    fn begin(self: &Arc<Self>, session: Session) {
        let session = Arc::new(session);
        let older = self.sessions.write().insert(session.node.clone(), Arc::clone(&session));
        if let Some(older) = older {
            self.end(&older, "a newer link took its place");
        }
        link::run(self, &session);
    }

    /// Ends a session and tells so.
    fn end(&self, session: &Arc<Session>, why: &str) {
        if !session.begin_ending() {
            return;
        }
        tracing::info!(node = %session.node, why, "link ended");
        {
            let mut sessions = self.sessions.write();
            if sessions.get(&session.node).is_some_and(|it| Arc::ptr_eq(it, session)) {
                sessions.remove(&session.node);
            }
        }
        if let Some(link) = session.end(&*self.receiver) {
            self.links.write().remove(&link);
        }
    }

    /// The connection is gone.
    fn lost(&self, label: &str) {
        if let Some(connection) = self.connections.lock().remove(label) {
            connection.cut.cut();
        }
        let session = self.sessions.read().values().find(|session| session.is_over(label)).cloned();
        match session {
            Some(session) => self.end(&session, "its connection is gone"),
            None => drop(self.n_turned_away.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Takes a frame for this node.
    fn take(&self, bytes: Vec<u8>) -> Answer {
        match Frame::read(bytes) {
            Some(Frame::Greeting { node, boot, link, versions }) => {
                self.greet(&node, boot, link, versions)
            }
            Some(Frame::Batch(batch)) => self.take_batch(&batch),
            Some(Frame::Ping) => Answer::Taken(self.versions),
            None => Answer::Refused,
        }
    }

    fn greet(&self, node: &NodeName, boot: Boot, link: u64, versions: Versions) -> Answer {
        let session = self.sessions.read().get(node).cloned();
        let Some(session) = session.filter(|session| session.boot == boot) else {
            return Answer::NotYet;
        };
        let Some(version) = self.versions.agree(versions) else {
            tracing::error!(%node, ?versions, ours = ?self.versions, "no version in common");
            return Answer::Refused;
        };
        // Known by its number before anything can arrive under it.
        self.links.write().insert(link, Arc::clone(&session));
        if session.greeted(link, version, &*self.receiver) {
            Answer::Taken(self.versions)
        } else {
            self.links.write().remove(&link);
            Answer::Refused
        }
    }

    fn take_batch(&self, batch: &Batch) -> Answer {
        let session = self.links.read().get(&batch.link).cloned();
        match session {
            Some(session) if session.take(batch, &*self.receiver) => Answer::Taken(self.versions),
            Some(_) | None => Answer::Refused,
        }
    }
}

/// Hears from the framework what becomes of connections.
struct Events(Arc<Shared>);

impl NodeEventSubscription for Events {
    fn node_session_opened(&self, information: NodeServerSessionInformation) {
        if !self.0.connections.lock().contains_key(&information.peer_addr) {
            information.actor.stop(None);
        }
    }

    fn node_session_authenticated(&self, _information: NodeServerSessionInformation) {}

    fn node_session_ready(&self, information: NodeServerSessionInformation) {
        self.0.ready(&information);
    }

    fn node_session_disconnected(&self, information: NodeServerSessionInformation) {
        self.0.lost(&information.peer_addr);
    }
}

/// The node and its life, as the framework names them.
fn read_name(name: &str) -> Option<(NodeName, Boot)> {
    let (node, boot) = name.rsplit_once('@')?;
    Some((NodeName(node.into()), Boot(uuid::Uuid::parse_str(boot).ok()?)))
}

fn unstarted(error: impl fmt::Display) -> StartError {
    StartError::Spawn { what: error.to_string().into() }
}

#[cfg(test)]
mod tests;
