//! The first frame: who speaks. And the same again, to renew.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::future::{BoxFuture, FutureExt};
use switchboard_actors::delivery::Delivery;
use switchboard_actors::subscriber::{self, Line};
use switchboard_domain::ids::DeviceId;
use tokio::time::{Duration, Instant, timeout};

use super::past::Past;
use super::sends::Sends;
use super::subscriptions::Subscriptions;
use super::{
    Answer, Connection, Deadlines, EXPIRY_GRACE, Frame, HELLO_WITHIN, Identity, Incoming, Limits,
    PING_EVERY, Person, Registration, TEXT_BYTES_MAX, UNACKED_MAX, UnderWay,
};
use crate::accounts::api_key::Scope;
use crate::accounts::stream_ticket;
use crate::auth::{AuthError, Flaw};
use crate::edge::doors::Doors;
use crate::edge::limits::Bucket;
use crate::edge::listener::Wire;
use crate::edge::native::wire::{Codec, incoming};
use crate::edge::problem::{Close, Code, Problem};
use crate::edge::writing::close_of;

/// Waits for a hello; `None` when there was none that is good.
pub(super) async fn greet(
    mut socket: WebSocket,
    doors: Arc<Doors>,
    codec: Codec,
    origin: Option<Box<str>>,
    address: IpAddr,
    wire: Option<Wire>,
) -> Option<Box<Connection>> {
    let hello = timeout(HELLO_WITHIN, first_frame(&mut socket, codec)).await;
    let (token, device) = match hello {
        Ok(Ok(hello)) => hello,
        Ok(Err(close)) => return refuse(socket, codec, &doors, close, None).await,
        Err(_) => return refuse(socket, codec, &doors, Close::Unauthenticated, None).await,
    };
    let identity = match admit(&doors, &token, origin.as_deref(), address).await {
        Ok(identity) => identity,
        Err(problem) => {
            let close = close_for(&problem);
            return refuse(socket, codec, &doors, close, Some(problem)).await;
        }
    };
    let past = wire.clone().map(|wire| {
        let reader = identity.caller.author.principal;
        let sent = doors.metrics.streams.sent.clone();
        Box::new(Past { wire, codec, reader, sent }) as Box<dyn Line<Delivery>>
    });
    let (outlet, deliveries) = subscriber::queue_beside(past);
    let registration = match doors.auth.register(&identity, &outlet).await {
        Ok(registration) => registration,
        Err(error) => {
            let problem = Problem::from(error);
            let close = close_for(&problem);
            return refuse(socket, codec, &doors, close, Some(problem)).await;
        }
    };
    let id = doors.clock.fresh_id();
    let now = Instant::now();
    let expires_at = expiry(&doors, &identity, now);
    Some(Box::new(Connection {
        codec,
        origin,
        address,
        socket,
        outlet,
        deliveries,
        id,
        identity: Arc::new(identity),
        registration,
        // Without a device of its own a client still gets safe retries within this connection.
        device: device.unwrap_or_else(|| DeviceId::new(id)),
        subscriptions: Subscriptions::default(),
        views: Vec::new(),
        looks_at: None,
        under_way: UnderWay::default(),
        sends: Sends::default(),
        replay: None,
        clock: Deadlines {
            ping_at: now + PING_EVERY,
            heard_at: now,
            expires_at,
            drain_at: None,
            answer_by: None,
        },
        bad_frames: (0, now),
        frames: Bucket::full(doors.budgets.frames, now),
        wire,
        unsent: Vec::new(),
        is_unsent: false,
        doors,
    }))
}

/// The hello; pings before it are answered.
async fn first_frame(
    socket: &mut WebSocket,
    codec: Codec,
) -> Result<(String, Option<DeviceId>), Close> {
    loop {
        let message = match socket.recv().await {
            None => return Err(Close::Gone),
            Some(Err(error)) => return Err(close_of(error)),
            Some(Ok(message)) => message,
        };
        let bytes = match (&message, codec) {
            (Message::Text(text), Codec::Json) => text.as_bytes(),
            (Message::Binary(bytes), Codec::MessagePack) => bytes,
            (Message::Ping(_) | Message::Pong(_), _) => continue,
            (Message::Text(_) | Message::Binary(_), _) => return Err(Close::Protocol),
            (Message::Close(_), _) => return Err(Close::Gone),
        };
        match incoming::parse(codec, bytes) {
            Ok(Incoming::Hello { token, device }) => return Ok((token, device)),
            Ok(Incoming::Ping | Incoming::Pong) => {}
            Ok(_) => return Err(Close::Unauthenticated),
            Err(_) => return Err(Close::Protocol),
        }
    }
}

/// Whose token it is, and whether its tenant lets pages of that origin in.
async fn admit(
    doors: &Doors,
    token: &str,
    origin: Option<&str>,
    address: IpAddr,
) -> Result<Identity, Problem> {
    let found = match stream_ticket::is_ticket(token) {
        // What it opens may have ended since; that is asked when the connection is entered.
        true => doors.accounts.tickets().redeem(token, Instant::now()).ok_or(UNKNOWN_TICKET),
        false => doors.auth.authenticate(token).await,
    };
    let identity = match found {
        Ok(identity) => identity,
        Err(error) => {
            doors.charge(&doors.budgets.refusals, address)?;
            return Err(error.into());
        }
    };
    if !identity.permits(Scope::ConversationsRead) {
        return Err(Code::MissingScope.into());
    }
    match origin {
        Some(origin) if !doors.allows_origin(&identity.tenant, origin) => {
            Err(Code::OriginRefused.into())
        }
        Some(_) | None => Ok(identity),
    }
}

/// A store that cannot be read is no reason to sign people out.
fn close_for(problem: &Problem) -> Close {
    match problem.code {
        Code::Unauthenticated | Code::UnknownRole | Code::OriginRefused | Code::MissingScope => {
            Close::Unauthenticated
        }
        Code::RateLimited => Close::Rate,
        _ => Close::Void,
    }
}

async fn refuse(
    mut socket: WebSocket,
    codec: Codec,
    doors: &Doors,
    close: Close,
    problem: Option<Problem>,
) -> Option<Box<Connection>> {
    doors.metrics.streams.closed.of(&close.row().0.to_string()).inc();
    let (code, reason) = close.row();
    let goodbye = async {
        if let Some(problem) = problem {
            let frame =
                Frame::Error { code: problem.code.as_str(), detail: Some(problem.code.title()) };
            let bytes = codec.encode(&frame);
            let message = match codec {
                Codec::Json => Utf8Bytes::try_from(bytes).map(Message::Text).ok(),
                Codec::MessagePack => Some(Message::Binary(bytes)),
            };
            if let Some(message) = message {
                socket.send(message).await?;
            }
        }
        if close != Close::Gone {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            socket.send(Message::Close(Some(frame))).await?;
        }
        while let Some(Ok(_)) = socket.recv().await {}
        Ok::<_, axum::Error>(())
    };
    let _nobody_listens = timeout(Duration::from_secs(1), goodbye).await;
    None
}

fn ready(doors: &Doors, id: uuid::Uuid, codec: Codec, identity: &Identity) -> bytes::Bytes {
    codec.encode(&Frame::Ready {
        connection: id,
        node: &doors.node,
        principal: Person::from(&identity.caller.author),
        ping_ms: u32::try_from(PING_EVERY.as_millis()).unwrap_or(u32::MAX),
        limits: Limits { text_bytes: TEXT_BYTES_MAX, unacked: UNACKED_MAX },
    })
}

/// When a socket with that credential must have renewed it.
fn expiry(doors: &Doors, identity: &Identity, now: Instant) -> Option<Instant> {
    let left_ms = identity.expires_at?.ms_since(doors.clock.now()).max(0);
    let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
    // A token for many years must not overflow the timer.
    now.checked_add(left.min(YEAR)).map(|at| at + EXPIRY_GRACE)
}

/// A ticket that was used, is too old, or never was.
const UNKNOWN_TICKET: AuthError = AuthError::Invalid(Flaw::Secret);

const YEAR: Duration = Duration::from_secs(365 * 86_400);

impl Connection {
    /// Says `ready`, once everybody else knows of the connection: what a client asks for after it,
    /// by whatever way, finds it there.
    pub(super) async fn welcome(&mut self) -> Result<(), Close> {
        let frame = ready(&self.doors, self.id, self.codec, &self.identity);
        self.write(frame).await?;
        self.flush().await
    }

    /// Checks another token of the same person.
    pub(super) fn renew(&self, token: String) -> BoxFuture<'static, Answer> {
        let doors = Arc::clone(&self.doors);
        let (origin, address) = (self.origin.clone(), self.address);
        let outlet = self.outlet.clone();
        async move {
            let renewed = async {
                let identity = admit(&doors, &token, origin.as_deref(), address).await?;
                let registration = doors.auth.register(&identity, &outlet).await?;
                Ok(Box::new((identity, registration)))
            };
            Answer::Renewed(renewed.await)
        }
        .boxed()
    }

    /// The time of the credential is over, as far as was known when it was shown. A sign-in may
    /// have been used elsewhere since: then the socket lives as long as it does.
    pub(super) async fn extend(&mut self, now: Instant) -> Result<(), Close> {
        match self.doors.auth.extended(&self.identity).await {
            Ok(Some(identity)) => {
                self.clock.expires_at = expiry(&self.doors, &identity, now);
                self.identity = Arc::new(identity);
                Ok(())
            }
            Ok(None) => Err(Close::Unauthenticated),
            Err(problem) => Err(close_for(&Problem::from(problem))),
        }
    }

    /// A good token of the same person in the same role goes on; anything else does not.
    pub(super) async fn renewed(
        &mut self,
        renewed: Result<Box<(Identity, Registration)>, Problem>,
    ) -> Result<(), Close> {
        let (identity, registration) = match renewed {
            Ok(renewed) => *renewed,
            Err(problem) => {
                let frame = Frame::Error { code: problem.code.as_str(), detail: None };
                self.write(self.codec.encode(&frame)).await?;
                return match close_for(&problem) {
                    // The token in use may still be good; its own end decides.
                    Close::Unauthenticated | Close::Rate | Close::Void => Ok(()),
                    close => Err(close),
                };
            }
        };
        let (old, new) = (&self.identity, &identity);
        if old.tenant != new.tenant
            || old.caller.author.principal != new.caller.author.principal
            || old.caller.role != new.caller.role
        {
            return Err(Close::Unauthenticated);
        }
        self.clock.expires_at = expiry(&self.doors, &identity, Instant::now());
        let frame = ready(&self.doors, self.id, self.codec, &identity);
        self.identity = Arc::new(identity);
        // From now on it ends with what was shown last, not with what it came with.
        self.registration = registration;
        self.doors.connections.enter(&self.outlet, &self.identity);
        self.write(frame).await
    }
}
