//! One socket, one task: reads frames, hears its outlet, writes both in order.
//!
//! What the task owns: the socket, the receiving end of the outlet, the client's subscriptions.
//! Requests to actors run as futures inside this task, so that a slow one holds up neither
//! reading nor delivery; above [`UNACKED_MAX`] of them the socket is not read (P7). A subscription
//! is different: its replay must come before anything newer, so while it runs the outlet waits.
//!
//! What there is most of does without this task: while it sleeps and nothing waits to be written,
//! acks and events go on the wire from the task of the conversation ([`past`]).
//!
//! It ends when the client leaves, when it reads too slowly, when its credential ends, or when
//! the node drains. Nothing is lost by an end: clients resume from what they have.
//!
//! Thousands of these are idle, so the task is kept small: large futures are boxed while they
//! run, one timer serves all deadlines, and empty collections own nothing.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use switchboard_actors::delivery::{Delivery, Outlet};
use switchboard_actors::subscriber::Receiver;
use switchboard_domain::ids::{ConversationId, DeviceId};
use switchboard_domain::limit::TEXT_BYTES_MAX;
use switchboard_domain::person::Principal;
use tokio::time::{Duration, Instant, Sleep, sleep_until};
use uuid::Uuid;

use self::sends::Sends;
use self::subscriptions::Subscriptions;
use self::under_way::UnderWay;
use super::wire::incoming::{self, BadFrame, Incoming};
use super::wire::outgoing::{Frame, Limits};
use super::wire::person::Person;
use super::wire::{Codec, event};
use crate::accounts::api_key::Scope;
use crate::auth::{Identity, Registration};
use crate::edge::doors::Doors;
use crate::edge::limits::Bucket;
use crate::edge::listener::Wire;
use crate::edge::problem::{Close, Code, Problem};
use crate::edge::writing::close_of;
use crate::telemetry::spawn_light;

mod hello;
mod requests;
mod subscriptions;
mod views;
mod surroundings;
mod deliveries;
mod under_way;
mod sends;
mod past;
mod writer;

/// Requests under way for one client. Above it the socket is not read.
pub const UNACKED_MAX: usize = 16;
/// How long a client may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// How often the server pings.
const PING_EVERY: Duration = Duration::from_secs(25);
/// How long after its token's end a socket is closed: time to renew.
const EXPIRY_GRACE: Duration = Duration::from_secs(30);
/// Bad frames in [`BAD_FRAMES_WITHIN`] that end a connection.
const BAD_FRAMES_MAX: u32 = 20;
const BAD_FRAMES_WITHIN: Duration = Duration::from_secs(10);
/// Frames written between two flushes: enough to share one system call, little enough for reading
/// to get its turn.
const BATCH_MAX: usize = 64;

/// What a request under way answers.
enum Answer {
    /// Write this.
    Frame(Bytes),
    /// Write these, in order.
    Frames(Vec<Bytes>),
    /// The token was renewed, or not.
    Renewed(Result<Box<(Identity, Registration)>, Problem>),
    /// Nothing to say.
    Silent,
}

struct Connection {
    doors: Arc<Doors>,
    codec: Codec,
    origin: Option<Box<str>>,
    address: IpAddr,
    socket: WebSocket,
    outlet: Outlet,
    deliveries: Receiver<Delivery>,
    id: Uuid,
    identity: Arc<Identity>,
    /// Makes the socket revocable as long as it lives.
    registration: Registration,
    device: DeviceId,
    subscriptions: Subscriptions,
    /// Live lists by the client's reference; the position of one is not its id.
    views: Vec<(u64, Uuid)>,
    /// What the agent looks at; in a box, because most connections are visitors'.
    looks_at: Option<Box<ConversationId>>,
    under_way: UnderWay,
    sends: Sends,
    /// The replay that the outlet waits for.
    replay: Option<subscriptions::Replay>,
    clock: Deadlines,
    bad_frames: (u32, Instant),
    frames: Bucket,
    /// Where frames go that need no encryption.
    wire: Option<Wire>,
    /// Whole frames that are not on it yet.
    unsent: Vec<u8>,
    /// Whether frames were written that are not sent.
    is_unsent: bool,
}

/// When something must happen, and when something last did.
struct Deadlines {
    ping_at: Instant,
    heard_at: Instant,
    expires_at: Option<Instant>,
    drain_at: Option<Instant>,
    /// When to look whether a send waits for its answer for too long.
    answer_by: Option<Instant>,
}

impl Deadlines {
    fn next(&self) -> Instant {
        let others = [self.expires_at, self.drain_at, self.answer_by];
        others.into_iter().flatten().fold(self.ping_at, Instant::min)
    }
}

/// Serves a socket until it ends.
pub async fn run(
    socket: WebSocket,
    doors: Arc<Doors>,
    codec: Codec,
    origin: Option<Box<str>>,
    address: IpAddr,
    wire: Option<Wire>,
) {
    let greeted = Box::pin(hello::greet(socket, doors, codec, origin, address, wire)).await;
    let Some(mut connection) = greeted else { return };
    Box::pin(connection.enter()).await;
    let welcomed = Box::pin(connection.welcome()).await;
    // A task of its own: the one so far has room for the upgrade and the greeting, and would keep
    // it for as long as the client stays.
    spawn_light(async move {
        let close = match welcomed {
            Ok(()) => connection.serve().await,
            Err(close) => close,
        };
        connection.leave();
        Box::pin(connection.close(close)).await;
    });
}

impl Connection {
    /// Makes the connection known to others.
    async fn enter(&mut self) {
        let identity = &self.identity;
        let principal = identity.caller.author.principal;
        self.doors.connections.enter(&self.outlet, &self.identity);
        // A drain that began before the entry did not see it; one that begins later does.
        if self.doors.is_draining() {
            self.outlet.push(Delivery::Drain { reconnect_in_ms: 0 });
        }
        self.doors.metrics.streams.opened(kind(principal));
        tracing::debug!(connection = %self.id, tenant = %identity.tenant, "a client connected");
        self.enter_presence().await;
    }

    /// Takes back everything that others hold of it.
    fn leave(&mut self) {
        self.doors.connections.leave(self.outlet.id());
        self.viewing(None);
        for (conversation, stream) in self.subscriptions.take_all() {
            let key = self.doors.key(&self.identity.tenant, conversation);
            self.doors.conversations.unsubscribe(&key, stream, self.outlet.id());
        }
        self.leave_presence();
    }

    async fn serve(&mut self) -> Close {
        let timer = sleep_until(self.clock.next());
        tokio::pin!(timer);
        loop {
            if let Err(close) = self.turn(timer.as_mut()).await {
                return close;
            }
        }
    }

    /// One thing, and whatever else is ready to be written with it: an ack and the event that it
    /// is of leave with one system call.
    async fn turn(&mut self, timer: std::pin::Pin<&mut Sleep>) -> Result<(), Close> {
        self.step(timer).await?;
        if self.is_unsent {
            self.ready_answers().await?;
            self.ready_deliveries().await?;
            self.flush().await?;
        }
        Ok(())
    }

    /// Waits for one thing to happen and does it.
    async fn step(&mut self, mut timer: std::pin::Pin<&mut Sleep>) -> Result<(), Close> {
        if self.clock.next() < timer.deadline() {
            timer.as_mut().reset(self.clock.next());
        }
        let n_under_way = self.under_way.len();
        if n_under_way == 0 && self.replay.is_none() {
            self.deliveries.let_past();
        }
        tokio::select! {
            biased;
            () = timer.as_mut() => {
                Box::pin(self.tick()).await?;
                timer.reset(self.clock.next());
                Ok(())
            }
            answer = self.under_way.next(), if n_under_way > 0 => self.answer(answer).await,
            page = subscriptions::next_page(&mut self.replay), if self.replay.is_some() => {
                Box::pin(self.replay_page(page)).await
            }
            delivery = self.deliveries.next(), if self.replay.is_none() => {
                self.deliver(delivery).await
            }
            message = async {
                self.sends.fewer_than(UNACKED_MAX - n_under_way).await;
                self.socket.recv().await
            }, if n_under_way < UNACKED_MAX => {
                self.heard(message).await
            }
        }
    }

    /// Writes what is ready without waiting for more.
    async fn ready_deliveries(&mut self) -> Result<(), Close> {
        for _ in 0..BATCH_MAX {
            if self.replay.is_some() {
                break;
            }
            let Some(delivery) = self.deliveries.try_next() else { break };
            self.deliver(delivery).await?;
        }
        Ok(())
    }

    async fn ready_answers(&mut self) -> Result<(), Close> {
        while let Some(answer) = self.under_way.try_next().await {
            self.answer(answer).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, answer: Answer) -> Result<(), Close> {
        match answer {
            Answer::Silent => Ok(()),
            Answer::Frame(frame) => self.write(frame).await,
            Answer::Frames(frames) => {
                for frame in frames {
                    self.write(frame).await?;
                }
                Ok(())
            }
            Answer::Renewed(renewed) => Box::pin(self.renewed(renewed)).await,
        }
    }

    /// Starts a request; its answer is written when it comes, and before what follows from it.
    fn start(&mut self, request: BoxFuture<'static, Answer>) {
        self.deliveries.hold();
        self.under_way.push(request);
    }

    async fn tick(&mut self) -> Result<(), Close> {
        let now = Instant::now();
        if self.clock.expires_at.is_some_and(|at| at <= now) {
            self.extend(now).await?;
        }
        if self.clock.drain_at.is_some_and(|at| at <= now) {
            return Err(Close::Drain);
        }
        if self.clock.answer_by.is_some_and(|at| at <= now) {
            let within = self.doors.conversations.answer_within();
            self.clock.answer_by = self.sends.oldest().map(|since| since + within);
            if self.clock.answer_by.is_some_and(|at| at <= now) {
                return Err(Close::Void);
            }
        }
        if self.clock.ping_at > now {
            return Ok(());
        }
        let silent = now.saturating_duration_since(self.clock.heard_at);
        if silent > PING_EVERY * 2 {
            return Err(Close::NoPong);
        }
        self.clock.ping_at = now + PING_EVERY;
        self.write(self.codec.encode(&Frame::Ping)).await?;
        if silent > PING_EVERY {
            // A client whose program sleeps still answers the protocol's own ping.
            self.write_message(Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    async fn heard(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Close> {
        let message = match message {
            None => return Err(Close::Gone),
            Some(Err(error)) => return Err(close_of(error)),
            Some(Ok(message)) => message,
        };
        let now = Instant::now();
        self.clock.heard_at = now;
        self.doors.metrics.streams.received.inc();
        if self.doors.production && !self.frames.take(self.doors.budgets.frames, now) {
            return Err(Close::Rate);
        }
        let bytes = match (&message, self.codec) {
            (Message::Text(text), Codec::Json) => text.as_bytes(),
            (Message::Binary(bytes), Codec::MessagePack) => bytes,
            (Message::Text(_) | Message::Binary(_), _) => return Err(Close::Protocol),
            (Message::Ping(_) | Message::Pong(_), _) => return Ok(()),
            (Message::Close(_), _) => return Err(Close::Gone),
        };
        match incoming::parse(self.codec, bytes) {
            Ok(Incoming::Send { conversation, n, kind, body, if_head }) if self.may_write() => {
                self.send(conversation, n, kind, body, if_head);
                Ok(())
            }
            // Boxed while it runs: most of what a frame may need would stay in the idle task.
            Ok(frame) => Box::pin(self.handle(frame)).await,
            Err(bad) => Box::pin(self.bad_frame(&bad)).await,
        }
    }

    /// One bad frame gets an `error`; too many end the connection.
    async fn bad_frame(&mut self, bad: &BadFrame) -> Result<(), Close> {
        if self.doors.sabotage.passes_over_bad_frames() {
            return Ok(());
        }
        let now = Instant::now();
        if now.saturating_duration_since(self.bad_frames.1) > BAD_FRAMES_WITHIN {
            self.bad_frames = (0, now);
        }
        self.bad_frames.0 += 1;
        if self.bad_frames.0 > BAD_FRAMES_MAX {
            return Err(Close::Protocol);
        }
        let (code, detail) = match bad {
            BadFrame::Malformed(detail) => (Code::BadFrame, Some(detail.as_str())),
            BadFrame::UnknownType => (Code::UnknownType, None),
        };
        self.write(self.codec.encode(&Frame::Error { code: code.as_str(), detail })).await
    }

    fn may_write(&self) -> bool {
        self.identity.permits(Scope::ConversationsWrite)
    }

    async fn handle(&mut self, frame: Incoming) -> Result<(), Close> {
        if frame.writes() && !self.may_write() {
            let code = Code::MissingScope;
            let frame = Frame::Error { code: code.as_str(), detail: Some(code.title()) };
            return self.write(self.codec.encode(&frame)).await;
        }
        match frame {
            Incoming::Hello { token, device: _ } => {
                self.start(self.renew(token));
                Ok(())
            }
            Incoming::Subscribe { conversation, stream, log, after } => {
                self.subscribe(conversation, stream, log, after).await
            }
            Incoming::Unsubscribe { conversation, stream } => {
                self.subscriptions.remove(conversation, stream);
                let key = self.doors.key(&self.identity.tenant, conversation);
                self.doors.conversations.unsubscribe(&key, stream, self.outlet.id());
                Ok(())
            }
            Incoming::Send { conversation, n, kind, body, if_head } => {
                self.send(conversation, n, kind, body, if_head);
                Ok(())
            }
            Incoming::Received { conversation, seq } => {
                let key = self.doors.key(&self.identity.tenant, conversation);
                self.doors.conversations.receipt(&key, &self.identity.caller, Some(seq), None);
                Ok(())
            }
            Incoming::Read { conversation, seq } => {
                let key = self.doors.key(&self.identity.tenant, conversation);
                self.doors.conversations.receipt(&key, &self.identity.caller, None, Some(seq));
                Ok(())
            }
            Incoming::Typing { conversation, on, preview } => {
                self.typing(conversation, on, preview.as_deref()).await;
                Ok(())
            }
            Incoming::Fetch { conversation, stream, range, limit } => {
                self.start(self.fetch(conversation, stream, range, limit));
                Ok(())
            }
            Incoming::Do { reference, conversation, action, args } => {
                self.start(self.act(reference, conversation, action, args));
                Ok(())
            }
            Incoming::Watch { reference, view, sort, limit } => {
                self.watch(reference, view, sort, limit).await
            }
            Incoming::Unwatch { reference } => {
                self.unwatch(reference);
                Ok(())
            }
            Incoming::Page { url, title, did } => {
                self.page(&url, &title, &did);
                Ok(())
            }
            Incoming::Viewing { conversation } => {
                self.viewing(conversation);
                Ok(())
            }
            Incoming::Ping => self.write(self.codec.encode(&Frame::Pong)).await,
            Incoming::Pong => Ok(()),
        }
    }
}

/// The kind of a principal, as metrics name it.
const fn kind(principal: Principal) -> &'static str {
    match principal {
        Principal::Agent(_) => "agent",
        Principal::Bot(_) => "bot",
        Principal::Visitor(_) | Principal::System => "visitor",
    }
}
