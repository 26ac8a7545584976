//! The accept loop: who may connect, how long each step may take, and how it ends.
//!
//! Each socket holds a place from `accept` until it is dropped, also when it was upgraded and
//! belongs to a stream. So a drain ends when the last socket of any kind has gone.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use crate::config;
use crate::metrics::{Metrics, Refused};
use crate::phase::{self, Phase};
use crate::telemetry::{spawn, spawn_light};

mod gate;
pub mod peer;
mod body;
mod socket;
mod service;
mod refusal;
pub mod tls;
pub mod wire;

pub use peer::Peer;
pub use tls::Tls;
pub use wire::Wire;

use gate::{AddressPlace, Gate, Place};
use refusal::Why;
use service::Service;
use socket::{Socket, Stream, Turns};

/// Connections the kernel holds for us while we are busy: a reconnect storm of a few thousand.
const BACKLOG: u32 = 4_096;
/// How long the loop rests when the process has no file descriptor left.
const REST_WHEN_EXHAUSTED: Duration = Duration::from_millis(100);
/// Sockets that are being told that they are turned away; more are closed without a word.
const TURNED_AWAY_MAX: usize = 64;
/// After so long without a byte the kernel asks whether the other end is there, and how often.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));
/// Most that hyper buffers for a connection in one direction, in bytes.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// File descriptors that are not for clients: store, log, ops listener, and room to refuse.
const FILES_KEPT: usize = 256;

/// The section `[listener]`: bounds of the accept loop and of HTTP.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Sockets at a time. When the process may open fewer files, that counts.
    pub connections_max: usize,
    /// Sockets at a time from one address (an IPv6 network of 64 bits counts as one); only in
    /// `production`. Offices share an address, so it is not small.
    pub connections_per_address_max: usize,
    /// Milliseconds for the TLS handshake.
    pub handshake_timeout_ms: u64,
    /// Milliseconds from the first byte of a request to the end of its head; for the first
    /// request of a connection, from the connection's start.
    pub head_timeout_ms: u64,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Milliseconds that a connection may wait for its next request. Keep it above the same
    /// setting of a proxy before us, or the proxy will meet closed connections.
    pub idle_timeout_ms: u64,
    /// Milliseconds in which a body must bring 1 KiB a second on average, or end.
    pub body_timeout_ms: u64,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Milliseconds that a client may take without reading anything we have written.
    pub write_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_address_max: 256,
            handshake_timeout_ms: 10_000,
            head_timeout_ms: 10_000,
            head_bytes_max: 16 * 1024,
            idle_timeout_ms: 75_000,
            body_timeout_ms: 10_000,
            body_bytes_max: 128 * 1024,
            write_timeout_ms: 30_000,
        }
    }
}

impl Config {
    /// The TLS handshake's bound.
    #[must_use]
    pub const fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }

    /// A request head's bound.
    #[must_use]
    pub const fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms)
    }

    /// The bound of waiting for a next request.
    #[must_use]
    pub const fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    /// The stretch of time a body's pace is measured over.
    #[must_use]
    pub const fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    /// The bound of a write that goes nowhere.
    #[must_use]
    pub const fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    /// Refuses what would let nobody in.
    ///
    /// # Errors
    ///
    /// [`config::Error::Value`].
    pub fn check(&self) -> Result<(), config::Error> {
        let bounds = [
            ("connections_max", as_u64(self.connections_max), 1),
            ("connections_per_address_max", as_u64(self.connections_per_address_max), 1),
            ("handshake_timeout_ms", self.handshake_timeout_ms, 1),
            ("head_timeout_ms", self.head_timeout_ms, 1),
            ("head_bytes_max", as_u64(self.head_bytes_max), 1_024),
            ("idle_timeout_ms", self.idle_timeout_ms, 1),
            ("body_timeout_ms", self.body_timeout_ms, 1),
            ("body_bytes_max", as_u64(self.body_bytes_max), 1_024),
            ("write_timeout_ms", self.write_timeout_ms, 1),
        ];
        for (key, value, least) in bounds {
            if value < least {
                let what = format!("must be at least {least}");
                return Err(config::value(&format!("listener.{key}"), &what));
            }
        }
        Ok(())
    }
}

/// What the accept loop and all of its sockets go by.
#[derive(Debug)]
struct Rules {
    config: Config,
    gate: Arc<Gate>,
    /// Trusted proxies before us.
    hops: u8,
    metrics: Arc<Metrics>,
}

/// A bound address, not yet served.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<Tls>>,
    rules: Arc<Rules>,
}

/// How an address is served, besides the bounds of [`Config`].
#[derive(Debug)]
pub struct Manner {
    /// Whether caps per address apply.
    pub is_production: bool,
    /// Trusted proxies before us.
    pub hops: u8,
    /// The certificate, when clients speak TLS to us.
    pub tls: Option<Arc<Tls>>,
}

impl Listener {
    /// Takes an address. Clients that come now wait until it is served.
    ///
    /// # Errors
    ///
    /// When the address is taken or not ours.
    pub fn bind(
        address: SocketAddr,
        config: &Config,
        manner: Manner,
        metrics: &Arc<Metrics>,
    ) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let per_address = manner.is_production.then_some(config.connections_per_address_max);
        let inside_max = config.connections_max.min(files_for_clients());
        let gate = Gate::new(inside_max, per_address, metrics.connections.open.clone());
        let metrics = Arc::clone(metrics);
        let rules = Rules { config: config.clone(), gate, hops: manner.hops, metrics };
        Ok(Self { socket, tls: manner.tls, rules: Arc::new(rules) })
    }

    /// The address taken, with its real port.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the node drains; then takes nobody in, ends connections that wait for a next
    /// request, and returns when the last socket has gone, or when the node is cut. Answers how
    /// many sockets were left.
    pub async fn serve(self, app: Router, mut phase: phase::Watch) -> usize {
        let Self { socket, tls, rules } = self;
        if let Some(tls) = &tls {
            spawn("certificate", Arc::clone(tls).keep_fresh(phase.clone()));
        }
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
        loop {
            let accepted = tokio::select! {
                biased;
                () = phase.reached(Phase::Draining) => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, direct)) => match admit(&rules, direct) {
                    Ok(places) => {
                        let connection = Connection {
                            rules: Arc::clone(&rules),
                            tls: tls.clone(),
                            app: app.clone(),
                            direct,
                            places,
                        };
                        spawn_light(connection.run(stream, phase.clone()));
                    }
                    // To tell somebody under TLS would cost the handshake that we cannot afford.
                    Err(why) => {
                        if tls.is_none()
                            && let Ok(permit) = Arc::clone(&turned_away).try_acquire_owned()
                        {
                            spawn_light(async move {
                                refusal::tell(stream, why).await;
                                drop(permit);
                            });
                        }
                    }
                },
                Err(error) => rest(&rules, &error).await,
            }
        }
        drop(socket);
        tokio::select! {
            () = rules.gate.emptied() => {}
            () = phase.reached(Phase::Cutting) => {}
        }
        rules.gate.inside()
    }
}

/// Sockets that the process may open for clients.
fn files_for_clients() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    files.saturating_sub(FILES_KEPT).max(1)
}

/// What a socket holds while it is open.
type Places = (Place, Option<AddressPlace>);

fn admit(rules: &Arc<Rules>, direct: SocketAddr) -> Result<Places, Why> {
    let refused = &rules.metrics.connections;
    let Some(place) = rules.gate.enter() else {
        refused.refuse(Refused::NodeFull);
        return Err(Why::NodeFull);
    };
    // All sockets of a proxy have its address: there, requests are counted instead.
    let address = if rules.hops == 0 { rules.gate.enter_from(direct.ip()) } else { Ok(None) };
    let Ok(address) = address else {
        refused.refuse(Refused::AddressFull);
        return Err(Why::AddressFull);
    };
    refused.accepted.inc();
    Ok((place, address))
}

/// After an accept that failed. A client that went away costs nothing; without descriptors or
/// memory, trying again at once would only burn the CPU that could free some.
async fn rest(rules: &Rules, error: &io::Error) {
    use io::ErrorKind as Kind;
    if matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted) {
        return;
    }
    rules.metrics.connections.refuse(Refused::Exhausted);
    tracing::warn!(error = error as &dyn std::error::Error, "cannot accept, resting");
    tokio::time::sleep(REST_WHEN_EXHAUSTED).await;
}

/// A socket that was let in.
struct Connection {
    rules: Arc<Rules>,
    tls: Option<Arc<Tls>>,
    app: Router,
    direct: SocketAddr,
    places: Places,
}

impl Connection {
    async fn run(self, stream: TcpStream, phase: phase::Watch) {
        let (idle, every) = KEEPALIVE;
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(every);
        // Neither can fail on an open socket, and a closed one is found out at the first read.
        let _set = stream.set_nodelay(true);
        let _set = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        let Some(stream) = self.handshake(stream).await else { return };
        let Self { rules, app, direct, places: (place, address), .. } = self;
        let turns = Turns::new(Arc::clone(&rules));
        let wire = stream.wire().cloned();
        let socket = Socket::new(stream, Arc::clone(&turns), place, address);
        let service = Service { rules: Arc::clone(&rules), app, turns, direct, wire };
        serve_http(&rules, socket, service, phase).await;
    }

    /// `None` when it failed, which was counted.
    async fn handshake(&self, stream: TcpStream) -> Option<Stream> {
        let Some(tls) = &self.tls else { return Some(Stream::plain(stream)) };
        let bound = self.rules.config.handshake_timeout();
        // Boxed: a handshake is large and short, and its room would stay in the task.
        let shaking = Box::pin(tls.acceptor().accept(stream));
        let refused = match tokio::time::timeout(bound, shaking).await {
            Ok(Ok(stream)) => return Some(Stream::Tls(Box::new(stream))),
            Ok(Err(_not_ours)) => Refused::Handshake,
            Err(_elapsed) => Refused::Slow,
        };
        self.rules.metrics.connections.refuse(refused);
        None
    }
}

/// Ends when the connection is closed or upgraded.
async fn serve_http(rules: &Rules, socket: Socket, service: Service, mut phase: phase::Watch) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The head's own time is kept by the socket; this bounds the wait for a next request.
        .header_read_timeout(rules.config.idle_timeout().max(rules.config.head_timeout()))
        .max_header_size(rules.config.head_bytes_max)
        .max_buf_size(BUFFER_BYTES_MAX.max(rules.config.head_bytes_max))
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut next = Phase::Draining;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = phase.reached(next) => {
                if next == Phase::Cutting {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                next = Phase::Cutting;
            }
        }
    };
    if let Err(error) = ended
        && error.is_parse()
    {
        rules.metrics.connections.refuse(Refused::Malformed);
    }
}

fn as_u64(bound: usize) -> u64 {
    u64::try_from(bound).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
