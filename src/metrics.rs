//! Counts and times of a node, for Prometheus.
//!
//! Names are `switchboard_<noun>_<verb>_<unit>[_total]`; labels have few values that are known
//! here. Counting on the way of a message is one or two relaxed atomic additions: no lock, no
//! label looked up by hash. `docs/OPERATIONS.md` holds the table of all of them; a test compares.

use std::fmt;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

pub mod split;
pub mod histogram;
pub mod actors;
pub mod store;
pub mod requests;
pub mod process;

pub use histogram::{Sizes, Times};
pub use split::Split;

/// The media type of [`Metrics::render`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything a node counts. Parts are cheap to clone and count for all clones.
pub struct Metrics {
    registry: Registry,
    /// Sockets, seen by the accept loop.
    pub connections: Connections,
    /// HTTP requests, seen by the routes.
    pub requests: requests::Requests,
    /// WebSocket streams, seen by the connections.
    pub streams: Streams,
    /// Conversations and their actors; implements the actors' meter.
    pub actors: Arc<actors::Actors>,
    /// The embedded engine; implements its meter.
    pub store: Arc<store::Store>,
}

/// Sockets.
#[derive(Clone, Debug)]
pub struct Connections {
    /// Open now.
    pub open: Gauge,
    /// Taken in since the start.
    pub accepted: Counter,
    /// Turned away or cut, by reason.
    pub refused: Split<Counter>,
}

/// WebSocket streams.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Open now, by kind of principal.
    pub open: Split<Gauge>,
    /// Ended since the start, by close code.
    pub closed: Split<Counter>,
    /// Frames from clients.
    pub received: Counter,
    /// Frames to clients.
    pub sent: Counter,
}

/// Why the accept loop turned a connection away or cut it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The node holds as many as it may.
    NodeFull,
    /// Their address holds as many as it may.
    AddressFull,
    /// No file descriptor, buffer or memory was left.
    Exhausted,
    /// The TLS handshake failed.
    Handshake,
    /// A handshake, head or body did not come in time, or nothing was read.
    Slow,
    /// What came was not HTTP.
    Malformed,
}

impl Refused {
    const NAMES: &[&str] =
        &["node_full", "address_full", "exhausted", "handshake", "slow", "malformed"];

    const fn name(self) -> &'static str {
        match self {
            Self::NodeFull => "node_full",
            Self::AddressFull => "address_full",
            Self::Exhausted => "exhausted",
            Self::Handshake => "handshake",
            Self::Slow => "slow",
            Self::Malformed => "malformed",
        }
    }
}

impl Connections {
    /// Counts one that was turned away or cut.
    pub fn refuse(&self, why: Refused) {
        self.refused.of(why.name()).inc();
    }
}

impl Streams {
    /// Counts a stream that said who it is: `visitor`, `agent` or `bot`.
    pub fn opened(&self, principal: &str) {
        self.open.of(principal).inc();
    }

    /// Counts its end by close code.
    pub fn ended(&self, principal: &str, code: u16) {
        self.open.of(principal).dec();
        // Codes that no table of ours holds are a client's own words.
        let mut digits = [0; 4];
        self.closed.of(close_code(code, &mut digits)).inc();
    }
}

/// The codes of `edge/problem.rs`; others count together.
const CLOSE_CODES: &[&str] =
    &["1000", "1002", "1007", "1009", "4001", "4008", "4012", "4013", "4100", "4500", "4501"];

/// The digits of a code, without allocating: streams end by the thousand.
fn close_code(code: u16, digits: &mut [u8; 4]) -> &str {
    let mut rest = code;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    std::str::from_utf8(digits).unwrap_or("other")
}

impl Metrics {
    /// All metrics, at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let mut catalog = Catalog(Registry::with_prefix("switchboard"));
        let connections = Connections {
            open: catalog.gauge("connections_open", "Sockets open now"),
            accepted: catalog.counter("connections_accepted", "Sockets taken in"),
            refused: catalog.split(
                "connections_refused",
                "Sockets turned away or cut, by reason",
                "reason",
                Refused::NAMES,
            ),
        };
        let streams = Streams {
            open: catalog.split(
                "streams_open",
                "WebSocket streams open now, by kind of principal",
                "principal",
                &["visitor", "agent", "bot"],
            ),
            closed: catalog.split(
                "streams_closed",
                "WebSocket streams that ended, by close code",
                "code",
                CLOSE_CODES,
            ),
            received: catalog.counter("frames_received", "Frames from clients"),
            sent: catalog.counter("frames_sent", "Frames to clients"),
        };
        let requests = requests::Requests::new(&mut catalog);
        let actors = Arc::new(actors::Actors::new(&mut catalog));
        let store = Arc::new(store::Store::new(&mut catalog));
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        catalog.add("build", "What runs here", build);
        catalog.0.register_collector(Box::new(process::Process));
        Arc::new(Self { registry: catalog.0, connections, requests, streams, actors, store })
    }

    /// All metrics as text, of the media type [`MEDIA_TYPE`].
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a text cannot fail; what a collector could not read is left out.
        let _written = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Metrics on their way into the registry.
#[derive(Debug)]
pub struct Catalog(Registry);

impl Catalog {
    fn add(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.0.register(name, help, metric);
    }

    fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.add(name, help, counter.clone());
        counter
    }

    fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.add(name, help, gauge.clone());
        gauge
    }

    fn split<M>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[&'static str],
    ) -> Split<M>
    where
        Split<M>: Metric,
        M: Default,
    {
        let split = Split::new(label, values);
        self.add(name, help, split.clone());
        split
    }

    fn times(&mut self, name: &str, help: &str) -> Times {
        let times = Times::default();
        self.0.register_with_unit(name, help, Unit::Seconds, times.clone());
        times
    }

    fn split_sizes(
        &mut self,
        name: &str,
        unit: &str,
        help: &str,
        label: &'static str,
        values: &[&'static str],
    ) -> Split<Sizes> {
        let split = Split::new(label, values);
        self.0.register_with_unit(name, help, Unit::Other(unit.to_owned()), split.clone());
        split
    }

    fn sizes(&mut self, name: &str, unit: &str, help: &str) -> Sizes {
        let sizes = Sizes::default();
        self.0.register_with_unit(name, help, Unit::Other(unit.to_owned()), sizes.clone());
        sizes
    }
}

#[cfg(test)]
mod tests;
