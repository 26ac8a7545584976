//! Socket.IO, for the dialects that speak it: one mount, a namespace each.
//!
//! The library carries packets; who hears what is the region's, as for every other socket. Each
//! connection has one task that owns its outlet and a queue of what the client emitted. The task
//! takes both in order, so that two messages of one client never pass each other, and what the
//! client does not read waits in the outlet, which has a bound in items and bytes and gives the
//! connection up when it is full (P7).
//!
//! It ends when the client leaves or reads too slowly, when its credential ends, or when the node
//! drains. Then transports are closed without a goodbye, which is what makes these clients
//! connect again by themselves.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::{
    ConnectHandler, DisconnectHandler, FromMessageParts, MessageHandler, Value as Packet,
};
use socketioxide::socket::{DisconnectReason, Socket};
use socketioxide::{ParserConfig, SendError, SocketError, SocketIo as Io};
use switchboard_actors::delivery::Delivery;
use switchboard_actors::presence::CONNECTED_WITHIN;
use switchboard_actors::subscriber::{self, Receiver};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};

use super::caller;
use super::cors::Origins;
use super::seat::{ENTRY_WITHIN, Place, Places, Seat, YEAR};
use crate::accounts::api_key::Scope;
use crate::auth::{Identity, Registration};
use crate::edge::doors::Doors;
use crate::edge::limits::{Bucket, PerAddress, Rate};
use crate::edge::listener::Peer;
use crate::edge::problem::{Close, Code, Problem};
use crate::phase::Phase;
use crate::telemetry::{spawn, spawn_light};

/// Where Socket.IO clients look for it.
const PATH: &str = "/socket.io";
/// Bytes of one packet, polled or on a WebSocket: the longest text, escaped, in its envelope.
const PACKET_BYTES_MAX: u16 = 65_535;
/// Bytes read at once. More would stay with every idle connection.
const READ_BYTES: usize = 1024;
/// Packets before the transport; what does not fit waits in the outlet.
const PACKETS_MAX: usize = 128;
/// How long a client may take to enter a namespace; a transport without one is closed.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
// Whoever is let in waits for presence and for conversations before that, while their nodes change.
const _: () =
    assert!(2 * (CONNECTED_WITHIN.as_secs() + ENTRY_WITHIN.as_secs()) < CONNECT_WITHIN.as_secs());
/// Binary attachments of one packet. No dialect has any.
const ATTACHMENTS_MAX: usize = 4;
/// How long they may come after their packet.
const ATTACHMENTS_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of them together.
const ATTACHMENT_BYTES_MAX: usize = 256 * 1024;
/// Events of one client that may wait; who emits more does not wait for answers, and is out.
const HEARD_MAX: usize = 256;
/// Bytes of them.
const HEARD_BYTES_MAX: usize = 256 * 1024;
/// Handshakes of one address in a minute, in production: a transport that says nothing is kept for
/// [`CONNECT_WITHIN`] alone.
const HANDSHAKES_PER_MINUTE: u32 = 120;
/// How long a client may leave packets unread before it counts as too slow.
const STALLED_MAX: Duration = Duration::from_secs(15);
/// How long who leaves waits at most until it was let in.
const LET_IN_WITHIN: Duration = Duration::from_millis(100);
/// How often a full transport is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The packet that says that a session is over.
const CLOSE: &str = "1";

/// One side of a connection: what a dialect makes of emitted events and of deliveries.
pub trait Dialect: Sized + Send + 'static {
    /// What its settings say.
    type Profile: Clone + Send + Sync + 'static;

    /// Whether somebody with a good credential may enter the namespace.
    ///
    /// # Errors
    ///
    /// Why not; the client is told in [`Dialect::words`].
    fn admits(profile: &Self::Profile, identity: &Identity) -> Result<(), Problem> {
        let _ = (profile, identity);
        Ok(())
    }

    /// Begins a connection whose client will know of it in a moment; nothing can be told yet.
    fn enter(
        link: &mut Link,
        profile: Self::Profile,
    ) -> impl Future<Output = Result<Self, Close>> + Send;

    /// The client emitted an event. Every event gets an answer if it asked for one.
    fn heard(
        &mut self,
        link: &mut Link,
        heard: Heard,
    ) -> impl Future<Output = Result<(), Close>> + Send;

    /// Something is to be told.
    fn deliver(
        &mut self,
        link: &mut Link,
        delivery: Delivery,
    ) -> impl Future<Output = Result<(), Close>> + Send;

    /// Why a connection is refused, in words.
    fn words(problem: &Problem) -> String;
}

/// An event that a client emitted.
pub struct Heard {
    event: String,
    /// Its first argument as it came; `None` when there is none.
    data: Option<Box<RawValue>>,
    bytes: usize,
    ack: Ack,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heard").field("event", &self.event).finish_non_exhaustive()
    }
}

impl Heard {
    /// Its name.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Its first argument; without one it is null.
    ///
    /// # Errors
    ///
    /// [`Code::BadRequest`] for anything else.
    pub fn data<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        let data = self.data.as_deref().map_or("null", RawValue::get);
        serde_json::from_str(data)
            .map_err(|error| Problem::with(Code::BadRequest, error.to_string()))
    }

    /// What answers it.
    #[must_use]
    pub const fn ack(&self) -> &Ack {
        &self.ack
    }
}

/// What an event packet holds: `["name", first, ...]`. What no dialect has a use for is passed over.
struct Said<'a> {
    event: Cow<'a, str>,
    data: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Said<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Said<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name and arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Said<'de>, A::Error> {
                #[derive(Deserialize)]
                struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
                let Name(event) =
                    parts.next_element()?.ok_or_else(|| A::Error::custom("there is no name"))?;
                let data = parts.next_element()?;
                while parts.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Said { event, data })
            }
        }

        deserializer.deserialize_seq(Parts)
    }
}

/// Takes in what a client emits. No closure, for the library begins a task for each call of one.
struct Ear {
    queue: mpsc::Sender<Heard>,
    waiting: Arc<Waiting>,
}

/// How the library tells handlers of ours from its own.
enum Direct {}

impl MessageHandler<LocalAdapter, Direct> for Ear {
    fn call(&self, socket: Arc<Socket>, packet: Packet, number: Option<i64>) {
        let (text, bytes) = match &packet {
            Packet::Str(text, attachments) => {
                let attached = attachments.iter().flatten().map(Bytes::len).sum::<usize>();
                (text.as_str(), text.len() + attached)
            }
            Packet::Bytes(bytes) => ("", bytes.len()),
        };
        // What cannot be read is an event of no name, which every dialect refuses.
        let Said { event, data } =
            serde_json::from_str(text).unwrap_or(Said { event: Cow::Borrowed(""), data: None });
        let ack = Ack { socket, number };
        let heard =
            Heard { event: event.into_owned(), data: data.map(RawValue::to_owned), bytes, ack };
        if !self.waiting.take_in(bytes) || self.queue.try_send(heard).is_err() {
            self.waiting.flooded();
        }
    }
}

/// Learns that the client left the namespace. No closure either: after one the library takes the
/// socket out in a task of its own, and might take out the one that has entered again meanwhile.
struct Leaving(Arc<Waiting>);

impl DisconnectHandler<LocalAdapter, Direct> for Leaving {
    fn call_with_defer(
        &self,
        socket: Arc<Socket>,
        reason: DisconnectReason,
        then: fn(Arc<Socket>),
    ) {
        if reason == DisconnectReason::ClientNSDisconnect {
            self.0.wait_to_leave(LET_IN_WITHIN);
        }
        self.0.left();
        then(socket);
    }
}

/// Begins to serve who was let in. No closure either: when this is over, so is the letting in, and
/// only then may the same client leave and enter once more.
struct Serving<D>(PhantomData<fn(D)>);

impl<D> Clone for Serving<D> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<D: Dialect> ConnectHandler<LocalAdapter, Direct> for Serving<D> {
    fn call(&self, socket: Arc<Socket>, _: Option<Packet>) {
        let begun = socket.extensions.remove::<Begun<D>>();
        let Some(beginning) = begun.and_then(|begun| begun.lock().take()) else { return };
        let waiting = Arc::clone(&beginning.waiting);
        spawn_light(serve(socket.into(), beginning));
        waiting.let_in();
    }
}

/// Answers one event. The library's own can be tried once; this one until the client reads.
#[derive(Debug)]
pub struct Ack {
    socket: Arc<Socket>,
    /// `None` when the client asked for no answer.
    number: Option<i64>,
}

impl Ack {
    /// Whether the client asked for an answer.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.number.is_some()
    }

    fn send<T: Serialize + ?Sized>(&self, data: &T) -> Result<(), SendError> {
        let mut nothing = Packet::Bytes(Bytes::new());
        let Ok(sender) = AckSender::from_message_parts(&self.socket, &mut nothing, &self.number);
        sender.send(data)
    }
}

/// A connection, as its dialect uses it: a seat, and a client to tell.
#[derive(Debug)]
pub struct Link {
    seat: Seat,
    socket: SocketRef,
}

impl Deref for Link {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.seat
    }
}

impl DerefMut for Link {
    fn deref_mut(&mut self) -> &mut Seat {
        &mut self.seat
    }
}

impl Link {
    /// Tells the client an event. Waits while the client does not read.
    ///
    /// # Errors
    ///
    /// The connection is over.
    pub async fn emit<T: Serialize + ?Sized + Sync>(
        &self,
        event: &str,
        data: &T,
    ) -> Result<(), Close> {
        self.put(|| self.socket.emit(event, data)).await
    }

    /// Answers an event. Waits while the client does not read.
    ///
    /// # Errors
    ///
    /// The connection is over.
    pub async fn answer<T: Serialize + ?Sized + Sync>(
        &self,
        ack: &Ack,
        data: &T,
    ) -> Result<(), Close> {
        self.put(|| ack.send(data)).await
    }

    async fn put(&self, send: impl Fn() -> Result<(), SendError> + Send) -> Result<(), Close> {
        self.doors.metrics.streams.sent.inc();
        let mut waited = Duration::ZERO;
        loop {
            match send() {
                Ok(()) => return Ok(()),
                Err(SendError::Socket(SocketError::Closed)) => return Err(Close::Gone),
                Err(SendError::Serialize(error)) => {
                    tracing::error!(%error, "a packet could not be encoded");
                    return Ok(());
                }
                Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                    if waited >= STALLED_MAX || self.outlet.is_closed() {
                        return Err(Close::Slow);
                    }
                    sleep(LOOK_EVERY).await;
                    waited += LOOK_EVERY;
                }
            }
        }
    }

    /// Takes the client out of the namespace, if it is still there: a goodbye to who has left would
    /// reach who has come back. Whether the library has it as connected does not tell: it says so
    /// of who left while it was let in.
    async fn end(self, waiting: &Waiting) {
        let mut waited = Duration::ZERO;
        while !waiting.has_left() && waited < STALLED_MAX {
            // A transport that is full cannot take a goodbye; if it never can, the missed heartbeat
            // ends it.
            let ended = self.socket.clone().disconnect();
            if !matches!(ended, Err(SocketError::InternalChannelFull)) {
                return;
            }
            sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }
}

/// What a connection is made of between the moment it is let in, when it hears already, and its
/// first turn, when its client knows.
struct Beginning<D> {
    seat: Taken,
    dialect: D,
    deliveries: Receiver<Delivery>,
    heard: mpsc::Receiver<Heard>,
    waiting: Arc<Waiting>,
    _registration: Registration,
    _place: Place,
}

type Begun<D> = Arc<Mutex<Option<Beginning<D>>>>;

/// A seat that is left again if its client never comes to know of it.
struct Taken(Option<Seat>);

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(seat) = &mut self.0 {
            seat.leave(Close::Gone);
        }
    }
}

/// How much of what a client emitted waits, and how far its connection is.
#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    is_flood: AtomicBool,
    is_let_in: AtomicBool,
    has_left: AtomicBool,
    over: Notify,
}

impl Waiting {
    /// Takes in a packet, if it fits.
    fn take_in(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= HEARD_BYTES_MAX
    }

    /// The packet was taken out.
    fn take_out(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The client emitted more than may wait.
    fn flooded(&self) {
        self.is_flood.store(true, Ordering::Relaxed);
        self.over.notify_one();
    }

    /// The client was let in, and the library is done with that.
    fn let_in(&self) {
        self.is_let_in.store(true, Ordering::Release);
    }

    /// Waits until a client that leaves was let in, at most so long. The library tells a client that it may enter a
    /// moment before it is done, and passes over an entry that comes within that moment: whoever
    /// leaves and enters again at once would never be answered. The moment is some instructions of
    /// another thread, which gets the processor if it has lost it in between.
    fn wait_to_leave(&self, within: Duration) {
        let began_at = Instant::now();
        while !self.is_let_in.load(Ordering::Acquire) && began_at.elapsed() < within {
            std::thread::yield_now();
        }
    }

    /// The client left.
    fn left(&self) {
        self.has_left.store(true, Ordering::Release);
        self.over.notify_one();
    }

    fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    /// Waits until the client left, or emitted more than may wait.
    async fn over(&self) -> Close {
        self.over.notified().await;
        if self.is_flood.load(Ordering::Relaxed) { Close::Rate } else { Close::Gone }
    }
}

/// How often clients are asked whether they are there.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// Between two pings.
    pub every: Duration,
    /// Within which one must be answered.
    pub within: Duration,
}

/// The one mount of Socket.IO on a node.
pub struct SocketIo {
    doors: Arc<Doors>,
    io: Io,
    routes: Router,
    places: Places,
}

impl std::fmt::Debug for SocketIo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketIo").finish_non_exhaustive()
    }
}

impl SocketIo {
    /// Mounts it. It ends with the node.
    #[must_use]
    pub fn new(doors: &Arc<Doors>, places: &Places, heartbeat: Heartbeat) -> Self {
        let parser = ParserConfig::common()
            .max_incoming_binaries(ATTACHMENTS_MAX)
            .max_incoming_binary_buf_size(ATTACHMENT_BYTES_MAX)
            .packet_completion_timeout(ATTACHMENTS_WITHIN);
        let (service, io) = Io::builder()
            .req_path(PATH)
            .max_payload(PACKET_BYTES_MAX.into())
            .ws_max_message_size(PACKET_BYTES_MAX.into())
            .ws_max_frame_size(PACKET_BYTES_MAX.into())
            .ws_read_buffer_size(READ_BYTES)
            .max_buffer_size(PACKETS_MAX)
            .ping_interval(heartbeat.every)
            .ping_timeout(heartbeat.within)
            .connect_timeout(CONNECT_WITHIN)
            .with_parser(parser)
            .build_svc();
        let minute = Duration::from_secs(60);
        let handshakes = Handshakes {
            doors: Arc::clone(doors),
            budget: Arc::new(PerAddress::new(Rate::new(HANDSHAKES_PER_MINUTE, minute))),
        };
        let routes = Router::new()
            .route_service(&format!("{PATH}/"), service.clone())
            .route_service(PATH, service)
            .layer(from_fn(tell_of_the_end))
            .layer(from_fn_with_state(handshakes, charge));
        spawn("socket.io drain", drain(doors.phase.clone(), io.clone()));
        Self { doors: Arc::clone(doors), io, routes, places: places.clone() }
    }

    /// Serves a namespace.
    pub fn namespace<D: Dialect>(
        &self,
        path: &'static str,
        origins: &Arc<Origins>,
        profile: D::Profile,
    ) {
        let doors = Arc::clone(&self.doors);
        let places = self.places.clone();
        let origins = Arc::clone(origins);
        let admit = move |socket: SocketRef, TryData(auth): TryData<Value>| {
            let doors = Arc::clone(&doors);
            let (places, origins) = (places.clone(), Arc::clone(&origins));
            let profile = profile.clone();
            Box::pin(async move {
                let auth = auth.unwrap_or_default();
                let admitted = admit::<D>(&doors, &origins, &places, &socket, &auth, profile).await;
                admitted.map_err(|problem| D::words(&problem))
            })
        };
        self.io.ns(path, Serving::<D>(PhantomData).with(admit));
    }

    /// The routes of its transports.
    pub fn routes(&self) -> Router {
        self.routes.clone()
    }
}

/// Closes every transport once the node drains: clients connect again by themselves, each after a
/// time of its own choice.
async fn drain(mut phase: crate::phase::Watch, io: Io) {
    phase.reached(Phase::Draining).await;
    io.close().await;
}

/// The budget of handshakes.
#[derive(Clone, Debug)]
struct Handshakes {
    doors: Arc<Doors>,
    budget: Arc<PerAddress>,
}

async fn charge(State(handshakes): State<Handshakes>, request: Request, next: Next) -> Response {
    let has_begun = request.uri().query().is_some_and(|query| query.contains("sid="));
    let charged = match request.extensions().get::<Peer>() {
        Some(peer) if !has_begun => handshakes.doors.charge(&handshakes.budget, peer.address),
        Some(_) | None => Ok(()),
    };
    match charged {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Answers a poll whose session ends in the moment in which it begins to wait. The library then
/// says nothing, which is no payload of the protocol; this says what is so.
async fn tell_of_the_end(request: Request, next: Next) -> Response {
    let is_poll = request.method() == Method::GET;
    let mut response = next.run(request).await;
    let says_nothing = response.status() == StatusCode::OK && response.body().is_end_stream();
    if is_poll && says_nothing {
        *response.body_mut() = Body::from(CLOSE);
        response.headers_mut().insert(CONTENT_LENGTH, CLOSE.len().into());
    }
    response
}

/// Checks who wants to enter a namespace, and begins the connection before its client is told: what
/// is emitted right after that must not fall on deaf ears, and what others say then must be heard.
async fn admit<D: Dialect>(
    doors: &Arc<Doors>,
    origins: &Origins,
    places: &Places,
    socket: &SocketRef,
    auth: &Value,
    profile: D::Profile,
) -> Result<(), Problem> {
    if doors.is_draining() {
        return Err(Code::Draining.into());
    }
    let parts = socket.req_parts();
    let address = parts.extensions.get::<Peer>().map(|peer| peer.address);
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let said = auth.get("token").and_then(Value::as_str);
    let token = caller::handshake_token(said, &parts.headers, &parts.uri);
    let identity = caller::authenticate(doors, token, address).await?;
    caller::require_scope(&identity, Scope::ConversationsRead)?;
    origins.check(&identity.tenant, &parts.headers)?;
    D::admits(&profile, &identity)?;
    let place = places.take()?;
    let (outlet, deliveries) = subscriber::queue();
    let registration = doors.auth.register(&identity, &outlet).await?;
    let (queue, heard) = mpsc::channel(HEARD_MAX);
    let waiting = Arc::new(Waiting::default());
    socket.on_fallback(Ear { queue, waiting: Arc::clone(&waiting) });
    socket.on_disconnect(Leaving(Arc::clone(&waiting)));
    let began_at = doors.clock.now();
    let seat = Seat::new(Arc::clone(doors), identity, address, began_at, outlet);
    let mut link = Link { seat, socket: socket.clone() };
    link.enter().await;
    let entered = D::enter(&mut link, profile).await;
    // What holds the socket must not be held by it.
    let mut seat = link.seat;
    let dialect = match entered {
        Ok(dialect) => dialect,
        Err(close) => {
            seat.leave(close);
            return Err(Code::Busy.into());
        }
    };
    let seat = Taken(Some(seat));
    let (_registration, _place) = (registration, place);
    let beginning = Beginning { seat, dialect, deliveries, heard, waiting, _registration, _place };
    socket.extensions.insert::<Begun<D>>(Arc::new(Mutex::new(Some(beginning))));
    Ok(())
}

async fn serve<D: Dialect>(socket: SocketRef, beginning: Beginning<D>) {
    let Beginning { mut seat, dialect, mut deliveries, mut heard, waiting, .. } = beginning;
    let (_registration, _place) = (beginning._registration, beginning._place);
    let Some(seat) = seat.0.take() else { return };
    let mut link = Link { seat, socket };
    let close = tokio::select! {
        close = run(&mut link, dialect, &mut deliveries, &mut heard, &waiting) => close,
        close = waiting.over() => close,
    };
    tracing::debug!(tenant = %link.identity.tenant, ?close, "a socket.io connection ends");
    link.leave(close);
    link.end(&waiting).await;
}

/// Takes what comes until the connection ends; says why it did.
async fn run<D: Dialect>(
    link: &mut Link,
    mut dialect: D,
    deliveries: &mut Receiver<Delivery>,
    heard: &mut mpsc::Receiver<Heard>,
    waiting: &Waiting,
) -> Close {
    let now = Instant::now();
    let mut frames = Bucket::full(link.doors.budgets.frames, now);
    let expiry_of = |expires_at: Option<Instant>| expires_at.unwrap_or(now + YEAR);
    let mut expiry = pin!(sleep_until(expiry_of(link.expiry(now))));
    loop {
        let turn = tokio::select! {
            delivery = deliveries.next() => match delivery {
                Ok(Delivery::Revoked) => Err(Close::Unauthenticated),
                // The mount closes every transport by itself.
                Ok(Delivery::Drain { .. }) => Ok(()),
                Ok(delivery) => dialect.deliver(link, delivery).await,
                Err(subscriber::Ended::Slow) => Err(Close::Slow),
                Err(subscriber::Ended::Closed) => Err(Close::Gone),
            },
            event = heard.recv() => match event {
                None => Err(Close::Gone),
                Some(event) => {
                    waiting.take_out(event.bytes);
                    link.doors.metrics.streams.received.inc();
                    let rate = link.doors.budgets.frames;
                    if link.doors.production && !frames.take(rate, Instant::now()) {
                        Err(Close::Rate)
                    } else {
                        dialect.heard(link, event).await
                    }
                }
            },
            () = &mut expiry => match link.extended().await {
                Ok(until) => {
                    expiry.as_mut().reset(expiry_of(until));
                    Ok(())
                }
                Err(close) => Err(close),
            },
        };
        if let Err(close) = turn {
            return close;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_and_more_of_it_is_a_flood() {
        let waiting = Waiting::default();
        assert!(waiting.take_in(HEARD_BYTES_MAX));
        waiting.take_out(HEARD_BYTES_MAX);
        assert!(waiting.take_in(HEARD_BYTES_MAX - 1));
        assert!(!waiting.take_in(2));
        waiting.flooded();
        // That the client leaves then does not hide why.
        waiting.left();
        assert_eq!(waiting.over().await, Close::Rate);
    }

    #[test]
    fn who_leaves_while_it_is_let_in_waits_for_that() {
        let waiting = Arc::new(Waiting::default());
        let letting_in = Arc::clone(&waiting);
        let library = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(25));
            letting_in.let_in();
        });
        waiting.wait_to_leave(Duration::from_secs(60));
        assert!(waiting.is_let_in.load(Ordering::Acquire));
        library.join().unwrap();
        // Who never was let in does not hold the thread for good.
        Waiting::default().wait_to_leave(Duration::from_millis(1));
    }

    #[tokio::test]
    async fn who_leaves_is_gone() {
        let waiting = Waiting::default();
        waiting.left();
        assert_eq!(waiting.over().await, Close::Gone);
        assert!(waiting.has_left());
    }
}
