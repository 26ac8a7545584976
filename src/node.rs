//! A node: the one file that names every part and says in which order they begin and end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::clock::Clock;
use switchboard_actors::observe::Observed;
use switchboard_actors::sabotage::Sabotage;
use switchboard_actors::system::{Life, StartError};
use switchboard_actors::{Config as ActorsConfig, System};
use switchboard_domain::ids::TenantId;
use switchboard_store::embedded::{self, Embedded};
use switchboard_store::memory::Memory;
use switchboard_store::{Fault, Store};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::accounts::Accounts;
use crate::auth::{self, Authenticator, Keys};
use crate::clock::SystemClock;
use crate::config::{self, Config, Engine};
use crate::directory::origin::Pattern;
use crate::directory::{self, Directory, tenant};
use crate::edge::admin::{self, Admin};
use crate::edge::connections::Connections;
use crate::edge::dialect;
use crate::edge::doors::{Budgets, Doors};
use crate::edge::line;
use crate::edge::listener::{self, Listener, Manner, Tls, tls};
use crate::edge::native::{departments, routes};
use crate::edge::numbers::Numbers;
use crate::edge::problem::{Code, Problem};
use crate::edge::trails::Trails;
use crate::edge::viewers::Viewers;
use crate::metrics::Metrics;
use crate::notices::{self, Teller};
use crate::phase::{self, Phase};
use crate::place::{self, Place};
use crate::telemetry::spawn;

/// Clients that are told to come back at once, per second: what a node takes without trouble.
const RECONNECTS_PER_SECOND: u64 = 1_000;
/// The longest and shortest time over which reconnects are spread.
const SPREAD_MS: (u64, u64) = (200, 10_000);
/// What of the time to stop is kept for the actors' last writes.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);
/// How long a start waits for a database, or for the nodes there are, with too much to do: as long
/// as they may take to find out who of them is gone, and more.
const BUSY_FOR: Duration = Duration::from_secs(60);
/// How long it waits before it asks them again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How long the last tasks may take to let go of the lease, and of the store.
const RELEASE_WITHIN: Duration = Duration::from_secs(2);
/// How often old answers to repeatable requests, and old links, are thrown away.
const PURGE_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long a socket may outlive the key that its site vouched with.
const CUT_EVERY: Duration = Duration::from_secs(5);

/// Why a node did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are no good.
    #[error("the settings")]
    Config(#[from] config::Error),
    /// The data directory cannot be used.
    #[error("opening the store")]
    Open(#[source] embedded::Error),
    /// The database cannot be used.
    #[cfg(feature = "cql")]
    #[error("opening the store")]
    Connect(#[from] switchboard_store::cql::ConnectError),
    /// Another has the node's lease, nobody answers for it, or other nodes cannot be reached.
    #[error("joining the cluster")]
    Place(#[from] place::Error),
    /// The store broke while starting.
    #[error("reading the store")]
    Store(#[from] Fault),
    /// The directory could not be read or seeded.
    #[error("reading the directory")]
    Directory(#[from] directory::Error),
    /// The keys of tokens cannot be used.
    #[error("the keys of tokens")]
    Keys(#[from] auth::keys::Error),
    /// The actors did not start.
    #[error("starting the actors")]
    Actors(#[from] StartError),
    /// The departments could not be read.
    #[error("reading the departments: {}", .0.code.as_str())]
    Departments(Problem),
    /// The certificate cannot be used.
    #[error("the certificate")]
    Tls(#[from] tls::Error),
    /// An address cannot be listened on.
    #[error("listening on {address}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store failed for good while serving. Nothing is acknowledged after that.
    #[error("the store failed for good")]
    Failed(#[source] Fault),
    /// The node's lease, or its links to others, cannot be kept any more.
    #[error("the node's place among others cannot be kept any more")]
    Unleased,
    /// The actors failed so often that nothing starts them again.
    #[error("the actors failed for good")]
    Collapsed,
}

/// A node that serves.
#[derive(Debug)]
pub struct Node {
    address: SocketAddr,
    /// Where the owner to be sets the tenant `default` up.
    setup: Option<String>,
    lead: phase::Lead,
    doors: Arc<Doors>,
    ops_address: SocketAddr,
    /// The ops listener ends with it.
    _ops_lead: phase::Lead,
    actors: Actors,
    life: Life,
    place: Place,
    serving: JoinHandle<usize>,
    drain_within: Duration,
}

impl Node {
    /// Starts every part, from the store outwards; serves when this returns.
    ///
    /// # Errors
    ///
    /// [`Error`]; then nothing is left running.
    pub async fn start(config: Config) -> Result<Self, Error> {
        config.check()?;
        let metrics = Metrics::new();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let (store, place) = Box::pin(open(&config, &metrics)).await?;
        let directory = patiently(
            || Directory::open(Arc::clone(&store), Arc::clone(&clock), [default_tenant()]),
            |why| matches!(why, directory::Error::Store(Fault::Busy | Fault::Unknown)),
        );
        let directory = directory.await?;
        let teller = Teller::through(place.remote());
        directory.tell_through(teller.clone());
        let keys = keys(&config, &directory).await?;
        for tenant in keys.tenants() {
            directory.ensure_tenant(&tenant).await?;
        }
        if config.server.demo {
            directory.seed_demo().await?;
        }
        let system = system(&config, &store, &place, &clock, &metrics).await?;
        place.serve_by(&system.conversations());
        let (lead, phase) = phase::starting();
        let listener = bind(&config, &metrics)?;
        let address = local(&listener, config.server.listen)?;
        let ops = bind_ops(&config)?;
        let ops_address = local(&ops, config.server.ops_listen)?;
        let (asks, asked) = mpsc::channel(1);
        let admin = Admin { metrics: Arc::clone(&metrics), phase: phase.clone(), actors: asks };
        let auth = Authenticator::new(keys, directory.clone(), Arc::clone(&clock));
        let public_url = public_url(&config, address);
        let setup = if config.server.demo { None } else { set_up(&directory, &public_url).await? };
        let accounts = Accounts::new(
            directory.clone(),
            auth.clone(),
            Arc::clone(&clock),
            config.is_production(),
            setup.is_some(),
        );
        let doors = Arc::new(Doors {
            node: config.server.node.as_str().into(),
            production: config.is_production(),
            auth,
            accounts,
            public_url: public_url.into(),
            origins: origins(&config, address),
            directory,
            store,
            conversations: system.conversations(),
            presence: system.presence(),
            inbox: system.inbox(),
            queue: system.queue(),
            agents_see: config.actors.agents_see.into(),
            connections: Connections::new(teller.clone()),
            trails: Trails::new(teller.clone()),
            viewers: Viewers::new(teller, system.inbox()),
            numbers: Numbers::default(),
            metrics,
            budgets: Budgets::new(&config.limits),
            demo: config.server.demo,
            phase: phase.clone(),
            sabotage: Sabotage::from_environment(),
            clock,
        });
        for tenant in doors.directory.tenants().await? {
            let told = patiently(
                || departments::apply_policies(&doors, &tenant),
                |why| matches!(why.code, Code::Busy | Code::UnknownOutcome),
            );
            told.await.map_err(Error::Departments)?;
        }
        spawn("purge", purge(doors.directory.clone(), phase.clone()));
        spawn("refused keys", cut_refused_keys(doors.auth.clone(), phase.clone()));
        let kept = config.actors.place_kept();
        spawn("places in line", line::watch(Arc::clone(&doors), kept, phase.clone()));
        if let Some((remote, named)) = place.remote().zip(place.named()) {
            notices::listen(&doors, &remote, named, phase.clone());
        }
        let life = system.life();
        let actors = Actors::keep(system, asked);
        // Health is readable until the very end: the ops listener has a life of its own.
        let (ops_lead, ops_phase) = phase::starting();
        spawn("ops listener", ops.serve(admin::routes(admin), ops_phase));
        let dialects = dialect::router(&config.dialects, &doors);
        let app = routes::router(Arc::clone(&doors)).merge(dialects);
        let serving = spawn("listener", listener.serve(app, phase));
        lead.advance(Phase::Ready);
        place.take_shards();
        tracing::info!(%address, %ops_address, node = %doors.node, "serving");
        let drain_within = config.server.drain_within();
        Ok(Self {
            address,
            setup,
            ops_address,
            _ops_lead: ops_lead,
            lead,
            doors,
            actors,
            life,
            place,
            serving,
            drain_within,
        })
    }

    /// Where clients come in.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The link with which the tenant `default` is set up, while it has no owner. A secret: to be
    /// shown to whoever started the node, and not logged.
    #[must_use]
    pub fn setup(&self) -> Option<&str> {
        self.setup.as_deref()
    }

    /// Where metrics and health are read.
    #[must_use]
    pub const fn ops_address(&self) -> SocketAddr {
        self.ops_address
    }

    /// What every handler reaches.
    #[must_use]
    pub const fn doors(&self) -> &Arc<Doors> {
        &self.doors
    }

    /// Waits until the store or the actors have failed for good. The process must end then, at
    /// once and with an error: only a start from what is on disk tells what was stored.
    pub async fn failed(&self) -> Error {
        tokio::select! {
            fault = self.doors.store.failed() => Error::Failed(fault),
            () = self.life.ended() => Error::Collapsed,
            () = self.place.ended() => Error::Unleased,
        }
    }

    /// Stops in good order (P9): unready, shards go to other nodes, clients are told when to come
    /// back, what was accepted is settled, sockets close; all within the configured time. `hurry`
    /// cuts it short.
    pub async fn stop(self, hurry: impl Future<Output = ()>) {
        let Self { lead, doors, actors, place, mut serving, drain_within, _ops_lead, .. } = self;
        tokio::pin!(hurry);
        let ends_at = Instant::now() + drain_within;
        lead.advance(Phase::Draining);
        // Clients that are still here are served by way of the nodes that own by then.
        let is_hurried = tokio::select! {
            () = place.hand_off(drain_within / 3) => false,
            () = &mut hurry => true,
        };
        let drain_ms = u64::try_from(drain_within.as_millis()).unwrap_or(u64::MAX);
        let n_clients = u64::try_from(doors.connections.len()).unwrap_or(u64::MAX);
        let spread = (n_clients.saturating_mul(1_000) / RECONNECTS_PER_SECOND)
            .clamp(SPREAD_MS.0, SPREAD_MS.1)
            .min(drain_ms / 4);
        tracing::info!(n_clients, spread_ms = spread, "draining");
        doors.connections.drain(u32::try_from(spread).unwrap_or(u32::MAX));
        let settle_at = ends_at.checked_sub(SETTLE_WITHIN).unwrap_or(ends_at);
        let left = tokio::select! {
            () = std::future::ready(()), if is_hurried => doors.connections.len(),
            left = &mut serving => left.unwrap_or(0),
            () = tokio::time::sleep_until(settle_at) => doors.connections.len(),
            () = &mut hurry => doors.connections.len(),
        };
        if left > 0 {
            tracing::warn!(left, "cutting what is left");
        }
        lead.advance(Phase::Cutting);
        let remaining = ends_at.saturating_duration_since(Instant::now());
        tokio::select! {
            () = actors.drain(remaining.max(Duration::from_millis(100))) => {}
            () = hurry => return,
        }
        place.leave(RELEASE_WITHIN).await;
        let store = Arc::clone(&doors.store);
        drop(doors);
        let_go_by(Instant::now() + RELEASE_WITHIN, &store).await;
        // Closing waits for the engine's threads; only then is the data directory free.
        let _closed = tokio::task::spawn_blocking(move || drop(store)).await;
        tracing::info!("stopped");
    }
}

/// Waits until nobody but the caller holds the store.
async fn let_go_by(deadline: Instant, store: &Arc<dyn Store>) {
    while Arc::strong_count(store) > 1 && Instant::now() < deadline {
        sleep(Duration::from_millis(5)).await;
    }
}

/// The task that holds the actors: answers looks at them until it is told to drain them.
#[derive(Debug)]
struct Actors {
    stop: oneshot::Sender<Duration>,
    ended: JoinHandle<()>,
}

impl Actors {
    fn keep(system: System, mut asked: mpsc::Receiver<oneshot::Sender<Observed>>) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let ended = spawn("actors", async move {
            let deadline = loop {
                tokio::select! {
                    deadline = &mut stopped => break deadline.unwrap_or_default(),
                    Some(reply) = asked.recv() => {
                        // Whoever asked may have gone.
                        let _heard = reply.send(system.observe().await);
                    }
                }
            };
            system.drain(deadline).await;
        });
        Self { stop, ended }
    }

    async fn drain(self, deadline: Duration) {
        // An error means that the task has ended already.
        let _told = self.stop.send(deadline);
        let _ended = self.ended.await;
    }
}

/// Does one step of a start, again for as long as nothing but too much work is in its way. The step
/// may be done twice.
async fn patiently<T, E, F: Future<Output = Result<T, E>>>(
    step: impl Fn() -> F,
    is_busy: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let until = Instant::now() + BUSY_FOR;
    loop {
        match step().await {
            Err(why) if is_busy(&why) && Instant::now() < until => sleep(ASK_AGAIN).await,
            done => return done,
        }
    }
}

fn default_tenant() -> TenantId {
    TenantId(tenant::DEFAULT.into())
}

/// The store, and by what right this node serves it.
async fn open(config: &Config, metrics: &Metrics) -> Result<(Arc<dyn Store>, Place), Error> {
    let store: Arc<dyn Store> = match config.store.engine {
        Engine::Memory => Arc::new(Memory::new()),
        Engine::Embedded => {
            let place = embedded::Config {
                cache_bytes: config.store.cache_bytes(),
                ..embedded::Config::new(config.store.data_dir.clone())
            };
            let meter = Arc::clone(&metrics.store);
            Arc::new(Embedded::open(place, meter).map_err(Error::Open)?)
        }
        #[cfg(feature = "cql")]
        Engine::Cql => {
            let database = crate::database::open(&config.cql).await?;
            let rows = Arc::new(crate::rows::CqlRows::new(database.leases()));
            let place = Place::among(config, rows).await?;
            return Ok((Arc::new(database), place));
        }
        #[cfg(not(feature = "cql"))]
        Engine::Cql => return Err(config.check().err().map_or(Error::Unleased, Error::Config)),
    };
    let place = Place::alone(config, &*store).await?;
    Ok((store, place))
}

/// The keys that were configured; a demo without any signs with a secret of its own.
async fn keys(config: &Config, directory: &Directory) -> Result<Keys, Error> {
    let mut jwt = config.jwt.clone();
    if jwt.secret.is_none() && config.server.demo {
        let own = directory.signing_secret().await?;
        jwt.secret = Some(own.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    Ok(Keys::load(&jwt, &config.auth)?)
}

async fn system(
    config: &Config,
    store: &Arc<dyn Store>,
    place: &Place,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
) -> Result<System, Error> {
    let actors = ActorsConfig {
        idle: config.actors.idle(),
        agents_see: config.actors.agents_see.into(),
        bare_policy: config.dialects.routing.policy(),
        ..ActorsConfig::standard()
    };
    let ownership = place.ownership();
    let meter = Arc::clone(&metrics.actors);
    let (store, clock) = (Arc::clone(store), Arc::clone(clock));
    Ok(System::join(actors, store, clock, ownership, meter, place.remote()).await?)
}

fn bind(config: &Config, metrics: &Arc<Metrics>) -> Result<Listener, Error> {
    let tls = config.server.tls().map(|(cert, key)| Tls::load(cert, key)).transpose()?;
    let manner =
        Manner { is_production: config.is_production(), hops: config.server.behind_proxy, tls };
    let address = config.server.listen;
    Listener::bind(address, &config.listener, manner, metrics)
        .map_err(|source| Error::Bind { address, source })
}

/// Loopback or a private network: no TLS, no caps per address, few sockets.
fn bind_ops(config: &Config) -> Result<Listener, Error> {
    let bounds =
        listener::Config { connections_max: admin::CONNECTIONS_MAX, ..config.listener.clone() };
    let manner = Manner { is_production: false, hops: 0, tls: None };
    let address = config.server.ops_listen;
    // Operators' sockets are not counted among the clients'.
    Listener::bind(address, &bounds, manner, &Metrics::new())
        .map_err(|source| Error::Bind { address, source })
}

fn local(listener: &Listener, address: SocketAddr) -> Result<SocketAddr, Error> {
    listener.local_address().map_err(|source| Error::Bind { address, source })
}

/// Where clients find us, as the settings say or else as we listen.
fn public_url(config: &Config, address: SocketAddr) -> String {
    let scheme = if config.server.tls().is_some() { "https" } else { "http" };
    let set = config.server.public_url.clone();
    set.unwrap_or_else(|| format!("{scheme}://{address}"))
}

/// The link to set the tenant `default` up, while nobody owns it: a new one at each start.
async fn set_up(directory: &Directory, public_url: &str) -> Result<Option<String>, Error> {
    let made = directory.make_setup(&default_tenant(), None).await?;
    Ok(made.map(|made| format!("{public_url}/console#setup={}", made.token)))
}

/// Pages that may call for every tenant: those of the public URL and of the server's own list. On
/// this machine alone we are known by other names too.
fn origins(config: &Config, address: SocketAddr) -> Vec<Pattern> {
    let own = public_url(config, address);
    let is_here = config.server.public_url.is_none() && address.ip().is_loopback();
    let (scheme, _) = own.split_once("://").unwrap_or(("http", ""));
    let names = ["localhost", "127.0.0.1", "[::1]"].map(|name| match is_here {
        true => Some(format!("{scheme}://{name}:{}", address.port())),
        false => None,
    });
    std::iter::once(own.as_str())
        .chain(names.iter().flatten().map(String::as_str))
        .chain(config.server.allowed_origins.iter().map(String::as_str))
        .filter_map(|origin| match origin.parse() {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                tracing::warn!(origin, why, "no browser sends this origin; it allows nothing");
                None
            }
        })
        .collect()
}

async fn purge(directory: Directory, mut phase: phase::Watch) {
    loop {
        tokio::select! {
            () = phase.reached(Phase::Draining) => return,
            () = sleep(PURGE_EVERY) => {}
        }
        match directory.purge_idempotency().await {
            Ok(n_purged) => tracing::debug!(n_purged, "threw old answers away"),
            Err(error) => tracing::warn!(%error, "old answers could not be thrown away"),
        }
        match directory.purge_links().await {
            Ok(n_purged) => tracing::debug!(n_purged, "forgot old links"),
            Err(error) => tracing::warn!(%error, "old links could not be forgotten"),
        }
    }
}

async fn cut_refused_keys(auth: Authenticator, mut phase: phase::Watch) {
    loop {
        tokio::select! {
            () = phase.reached(Phase::Draining) => return,
            () = sleep(CUT_EVERY) => {}
        }
        match auth.cut_refused_keys().await {
            Ok(0) => {}
            Ok(n_cut) => tracing::info!(n_cut, "closed the sockets of keys that are refused"),
            // The next turn asks again.
            Err(error) => {
                tracing::debug!(%error, "the keys of open sockets could not be asked for");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_of_a_start_waits_for_who_is_busy_and_for_nobody_else() {
        let times = Cell::new(0);
        let answers = |answer: fn(u32) -> Result<u32, &'static str>| {
            times.set(0);
            let times = &times;
            let step = move || async move {
                times.set(times.get() + 1);
                answer(times.get())
            };
            patiently(step, |why| *why == "busy")
        };
        assert_eq!(answers(|n| if n < 5 { Err("busy") } else { Ok(n) }).await, Ok(5));
        assert_eq!(answers(|_| Err("refused")).await, Err("refused"));
        assert_eq!(times.get(), 1);
        let began = Instant::now();
        assert_eq!(answers(|_| Err("busy")).await, Err("busy"));
        assert!(began.elapsed() >= BUSY_FOR && times.get() > 100);
    }
}
