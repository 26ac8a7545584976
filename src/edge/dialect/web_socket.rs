//! WebSockets that carry JSON objects, for the dialects that speak them.
//!
//! A connection has one task. It takes what the client says and what is to be told one after the
//! other, so that two messages of one client never pass each other; while it works on one thing,
//! the socket is not read and what is to be told waits in the outlet, which has a bound (P7).

use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::Bytes;
use futures_util::SinkExt;
use serde::Serialize;
use serde_json::Value;
use switchboard_actors::delivery::Delivery;
use switchboard_actors::subscriber::{self, Ended, Receiver};
use tokio::time::{Duration, Instant, sleep_until};

use super::seat::{Places, Seat};
use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::limits::Bucket;
use crate::edge::problem::{Close, Code, Problem};
use crate::edge::writing::{close_of, pass, say_goodbye};

/// Bytes of one frame: the longest text, escaped, in its envelope.
const FRAME_BYTES_MAX: usize = 128 * 1024;
/// Bytes read at once. More would stay with every idle connection.
const READ_BYTES: usize = 1024;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 2 * 1024;
/// Bytes that may wait for the socket. We flush after each batch, so this only bounds a mistake.
const WRITE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often the server pings.
const PING_EVERY: Duration = Duration::from_secs(25);
/// Frames that are no objects, in [`BAD_FRAMES_WITHIN`], that end a connection.
const BAD_FRAMES_MAX: u32 = 20;
const BAD_FRAMES_WITHIN: Duration = Duration::from_secs(10);
/// Deliveries told between two flushes.
const BATCH_MAX: usize = 64;

/// One side of a connection: what a dialect makes of frames and of deliveries.
pub trait Dialect: Sized + Send + 'static {
    /// Begins a connection.
    fn enter(link: &mut Link) -> impl Future<Output = Result<Self, Close>> + Send;

    /// The client said something: a JSON object.
    fn heard(
        &mut self,
        link: &mut Link,
        said: Value,
    ) -> impl Future<Output = Result<(), Close>> + Send;

    /// Something is to be told.
    fn deliver(
        &mut self,
        link: &mut Link,
        delivery: Delivery,
    ) -> impl Future<Output = Result<(), Close>> + Send;

    /// A frame that says that another was refused.
    fn refusal(problem: &Problem) -> Value;
}

/// A connection, as its dialect uses it: a seat, and a client to tell.
#[derive(Debug)]
pub struct Link {
    seat: Seat,
    socket: WebSocket,
    is_unsent: bool,
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
    /// What others hold of the connection.
    pub const fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }

    /// Tells the client a frame. Waits while the client does not read.
    ///
    /// # Errors
    ///
    /// The connection is over.
    pub async fn tell<T: Serialize + Sync + ?Sized>(&mut self, frame: &T) -> Result<(), Close> {
        match serde_json::to_string(frame) {
            Ok(text) => {
                self.doors.metrics.streams.sent.inc();
                self.write(Message::Text(text.into())).await
            }
            Err(error) => {
                tracing::error!(%error, "a frame could not be encoded");
                Ok(())
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), Close> {
        self.is_unsent = true;
        let outlet = &self.seat.outlet;
        pass(self.socket.feed(message), || outlet.is_closed()).await
    }

    async fn flush(&mut self) -> Result<(), Close> {
        if self.is_unsent {
            let outlet = &self.seat.outlet;
            pass(self.socket.flush(), || outlet.is_closed()).await?;
            self.is_unsent = false;
        }
        Ok(())
    }

    /// Says goodbye, if anybody listens.
    async fn close(self, close: Close) {
        say_goodbye(self.socket, close).await;
    }
}

/// Opens a socket for somebody who was let in.
///
/// # Errors
///
/// A [`Problem`] when the node drains, has no place, or the credential ended meanwhile.
pub async fn open<D: Dialect>(
    doors: Arc<Doors>,
    places: &Places,
    upgrade: WebSocketUpgrade,
    identity: Arc<Identity>,
    address: IpAddr,
) -> Result<Response, Problem> {
    if doors.is_draining() {
        return Err(Code::Draining.into());
    }
    let place = places.take()?;
    let (outlet, mut deliveries) = subscriber::queue();
    let registration = doors.auth.register(&identity, &outlet).await?;
    let began_at = doors.clock.now();
    let seat = Seat::new(doors, identity, address, began_at, outlet);
    let upgrade = upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| {
        Box::pin(async move {
            let (_place, _registration) = (place, registration);
            let mut link = Link { seat, socket, is_unsent: false };
            link.enter().await;
            // A drain that began before the entry did not see it; one that begins later does.
            if link.doors.is_draining() {
                link.outlet.push(Delivery::Drain { reconnect_in_ms: 0 });
            }
            let close = match serve::<D>(&mut link, &mut deliveries).await {
                Ok(never) => match never {},
                Err(close) => close,
            };
            tracing::debug!(tenant = %link.identity.tenant, ?close, "a websocket ends");
            link.leave(close);
            link.close(close).await;
        })
    }))
}

/// When something must happen, and when the client was last heard.
struct Clock {
    ping_at: Instant,
    heard_at: Instant,
    expires_at: Option<Instant>,
    drain_at: Option<Instant>,
}

impl Clock {
    fn next(&self) -> Instant {
        [self.expires_at, self.drain_at].into_iter().flatten().fold(self.ping_at, Instant::min)
    }

    /// Does what is due.
    async fn tick(&mut self, link: &mut Link) -> Result<(), Close> {
        let now = Instant::now();
        if self.expires_at.is_some_and(|at| at <= now) {
            self.expires_at = link.extended().await?;
        }
        if self.drain_at.is_some_and(|at| at <= now) {
            return Err(Close::Drain);
        }
        if self.ping_at > now {
            return Ok(());
        }
        if now.saturating_duration_since(self.heard_at) > PING_EVERY * 2 {
            return Err(Close::NoPong);
        }
        self.ping_at = now + PING_EVERY;
        link.write(Message::Ping(Bytes::new())).await
    }
}

/// What a client may send.
struct Budget {
    frames: Bucket,
    n_bad: u32,
    bad_since: Instant,
}

/// Takes what comes until the connection ends.
async fn serve<D: Dialect>(
    link: &mut Link,
    deliveries: &mut Receiver<Delivery>,
) -> Result<std::convert::Infallible, Close> {
    let mut dialect = D::enter(link).await?;
    link.flush().await?;
    let now = Instant::now();
    let expires_at = link.expiry(now);
    let mut clock = Clock { ping_at: now + PING_EVERY, heard_at: now, expires_at, drain_at: None };
    let frames = Bucket::full(link.doors.budgets.frames, now);
    let mut budget = Budget { frames, n_bad: 0, bad_since: now };
    loop {
        tokio::select! {
            () = sleep_until(clock.next()) => clock.tick(link).await?,
            delivery = deliveries.next() => {
                deliver(&mut dialect, link, &mut clock, delivery).await?;
            }
            message = link.socket.recv() => {
                clock.heard_at = Instant::now();
                heard(&mut dialect, link, &mut budget, message).await?;
            }
        }
        for _ in 0..BATCH_MAX {
            let Some(delivery) = deliveries.try_next() else { break };
            deliver(&mut dialect, link, &mut clock, delivery).await?;
        }
        link.flush().await?;
    }
}

async fn deliver<D: Dialect>(
    dialect: &mut D,
    link: &mut Link,
    clock: &mut Clock,
    delivery: Result<Delivery, Ended>,
) -> Result<(), Close> {
    match delivery {
        Ok(Delivery::Revoked) => Err(Close::Unauthenticated),
        Ok(Delivery::Drain { reconnect_in_ms }) => {
            let wait = Duration::from_millis(u64::from(reconnect_in_ms));
            clock.drain_at = Some(Instant::now() + wait);
            Ok(())
        }
        Ok(delivery) => dialect.deliver(link, delivery).await,
        Err(Ended::Slow) => Err(Close::Slow),
        Err(Ended::Closed) => Err(Close::Gone),
    }
}

async fn heard<D: Dialect>(
    dialect: &mut D,
    link: &mut Link,
    budget: &mut Budget,
    message: Option<Result<Message, axum::Error>>,
) -> Result<(), Close> {
    let message = match message {
        None => return Err(Close::Gone),
        Some(Err(error)) => return Err(close_of(error)),
        Some(Ok(message)) => message,
    };
    link.doors.metrics.streams.received.inc();
    let now = Instant::now();
    if link.doors.production && !budget.frames.take(link.doors.budgets.frames, now) {
        return Err(Close::Rate);
    }
    let text = match message {
        Message::Text(text) => text,
        Message::Binary(_) => return Err(Close::Protocol),
        Message::Ping(_) | Message::Pong(_) => return Ok(()),
        Message::Close(_) => return Err(Close::Gone),
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(said @ Value::Object(_)) => Box::pin(dialect.heard(link, said)).await,
        Ok(_) | Err(_) => {
            if now.saturating_duration_since(budget.bad_since) > BAD_FRAMES_WITHIN {
                (budget.n_bad, budget.bad_since) = (0, now);
            }
            budget.n_bad += 1;
            if budget.n_bad > BAD_FRAMES_MAX {
                return Err(Close::Protocol);
            }
            let problem = Problem::with(Code::BadFrame, "a frame must be a JSON object");
            link.tell(&D::refusal(&problem)).await
        }
    }
}
