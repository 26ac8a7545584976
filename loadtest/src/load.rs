//! The load of the fault campaigns: conversations with senders in closed loop that retry the same key
//! until they know the outcome, and readers that reconnect and resume. Everything goes on record.

mod reader;
mod sender;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use hyper::Method;
use parking_lot::{Mutex, RwLock};
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::client::http::{Created, Http};
use crate::client::{ANSWER_TIMEOUT, Connection, Encoding, Error, find};
use crate::history::{Conversation, Op, Recorder, Seen, Stream};

/// Senders in each conversation: the visitor on two devices, two agents.
pub const SENDERS: u32 = 4;

/// How long senders get to learn the outcome of their last send from a healthy server.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The same from a sabotaged one, which may never tell.
pub const PATIENCE_RED: Duration = Duration::from_secs(5);
/// How often a server may say that it is busy while conversations are opened.
const OPENING_TRIES: u32 = 40;
/// The pause before what was refused for the moment is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long a server that was just started may take to let somebody send.
const FIRST_SEND_MAX: Duration = Duration::from_secs(30);

/// How clients behave, and what they put up with.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a sender rests after each ack, about.
    pub rest: Duration,
    /// How long a client waits for an answer before it comes again.
    pub answer_within: Duration,
    /// Whether a server that lets it wait so long has failed.
    pub must_answer: bool,
    /// Refusals of one key in a row after which its outbox is stuck.
    pub refusals: u32,
    /// How long readers get to hear the end once nothing is sent any more, and a final read to be
    /// answered.
    pub catch_up: Duration,
}

impl Terms {
    /// One server, which answers as long as it runs.
    pub const ONE: Self = Self {
        rest: Duration::ZERO,
        answer_within: ANSWER_TIMEOUT,
        must_answer: true,
        refusals: 40,
        catch_up: Duration::from_secs(15),
    };
}

/// Who a task speaks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Visitor,
    Agent(&'static str),
}

/// One conversation of the run.
#[derive(Debug)]
struct Room {
    number: Conversation,
    id: String,
    log: String,
    secret: String,
}

/// What all tasks of a run share.
#[derive(Debug)]
pub struct World {
    /// Where clients connect: at any of these.
    addresses: Vec<SocketAddr>,
    terms: Terms,
    /// The history.
    pub recorder: Recorder,
    rooms: Vec<Room>,
    tokens: RwLock<Vec<(&'static str, String)>>,
    /// In every internal text, in no public one; random, so that it is found in raw bytes.
    marker: Arc<str>,
    /// How many senders of each conversation may send.
    admitted: watch::Sender<u32>,
    armed: AtomicBool,
    in_flight: Notify,
    next_sender: AtomicU32,
    next_reader: AtomicU32,
    next_connection: AtomicU32,
    /// Acks read so far.
    pub acked: AtomicU64,
    /// By conversation, when the newest attempt that was acked was made.
    pulse: Vec<AtomicU64>,
    complaints: Mutex<Vec<String>>,
    /// Why the last connection did not come about: what to say when nobody sends.
    last_refusal: Mutex<Option<String>>,
}

/// The running tasks of a load.
#[derive(Debug)]
pub struct Load {
    /// What they share.
    pub world: Arc<World>,
    stop_sending: watch::Sender<bool>,
    /// The heads that readers must reach before they stop.
    heads: watch::Sender<Option<Heads>>,
    senders: JoinSet<()>,
    readers: JoinSet<()>,
}

/// The events of a stream and its head.
type FinalRead = (Vec<Seen>, u64);

type Heads = Arc<std::collections::HashMap<(Conversation, Stream), u64>>;

impl World {
    /// Opens `conversations` conversations on a running server.
    ///
    /// # Errors
    /// When the server refuses what the demo must allow.
    pub async fn open(address: SocketAddr, conversations: u32) -> anyhow::Result<Arc<Self>> {
        Self::open_at(vec![address], conversations, Terms::ONE).await
    }

    /// Opens `conversations` conversations at the first of these servers, which serve the same.
    ///
    /// # Errors
    /// As [`World::open`].
    pub async fn open_at(
        addresses: Vec<SocketAddr>,
        conversations: u32,
        terms: Terms,
    ) -> anyhow::Result<Arc<Self>> {
        let address = *addresses.first().context("a server")?;
        let mut http = Http::new(address);
        let mut tokens = Vec::new();
        let mut ids = Vec::new();
        for name in ["ada", "ben"] {
            let signed_in = http.sign_in(name).await.context("the demo sign-in")?;
            tokens.push((name, signed_in.token));
            ids.push(signed_in.principal.id);
        }
        let mut rooms = Vec::new();
        let mut ada = Connection::open(address, Encoding::Json).await?;
        let token = tokens.first().map(|(_, token)| token.as_str()).unwrap_or_default();
        let ada_id = ada.hello(token, &device()).await?;
        for number in 0..conversations {
            let created = created(&mut http).await.context("a new conversation")?;
            // By hand, so that capacity does not bind.
            let mut assigned = ada.act(&created.id, "assign", json!({"agent": ada_id})).await?;
            for _ in 0..OPENING_TRIES {
                let Err(refusal) = &assigned else { break };
                anyhow::ensure!(refusal.code == "busy", "assign was refused: {refusal:?}");
                tokio::time::sleep(AGAIN_AFTER).await;
                assigned = ada.act(&created.id, "assign", json!({"agent": ada_id})).await?;
            }
            anyhow::ensure!(assigned.is_ok(), "assign was refused: {assigned:?}");
            let secret = created.visitor.secret.context("a new visitor has a secret")?;
            rooms.push(Room { number, id: created.id, log: created.log, secret });
        }
        ada.close().await;
        let run = uuid::Uuid::new_v4().simple().to_string();
        Ok(Arc::new(Self {
            addresses,
            terms,
            recorder: Recorder::default(),
            rooms,
            tokens: RwLock::new(tokens),
            marker: format!("internal{}", run.get(..12).unwrap_or(&run)).into(),
            admitted: watch::Sender::new(SENDERS),
            armed: AtomicBool::new(false),
            in_flight: Notify::new(),
            next_sender: AtomicU32::new(0),
            next_reader: AtomicU32::new(0),
            next_connection: AtomicU32::new(0),
            acked: AtomicU64::new(0),
            pulse: (0..conversations).map(|_| AtomicU64::new(0)).collect(),
            complaints: Mutex::default(),
            last_refusal: Mutex::default(),
        }))
    }

    /// Lets so many senders of each conversation send. The others wait before their next message.
    pub fn admit(&self, senders: u32) {
        self.admitted.send_replace(senders);
    }

    /// From now on the next send wakes [`World::first_in_flight`].
    pub fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Waits for the first send after [`World::arm`].
    ///
    /// # Errors
    /// When nobody can send for 30 s; says why the last connection was refused.
    pub async fn first_in_flight(&self) -> anyhow::Result<()> {
        if tokio::time::timeout(FIRST_SEND_MAX, self.in_flight.notified()).await.is_ok() {
            return Ok(());
        }
        anyhow::bail!("nobody sends: {}; {:?}", self.last_refusal(), self.complaints())
    }

    /// What tasks met that the history cannot say; empty in a healthy run.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().clone()
    }

    /// The ids of the conversations, by number.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().map(|room| room.id.as_str())
    }

    /// The conversations of which nothing was acked yet that was sent after this moment of the
    /// recorder's clock.
    #[must_use]
    pub fn silent_since(&self, at_us: u64) -> Vec<Conversation> {
        let is_silent = |pulse: &AtomicU64| pulse.load(Ordering::Relaxed) < at_us;
        let numbers = (0..).zip(&self.pulse).filter(|(_, pulse)| is_silent(pulse));
        numbers.map(|(number, _)| number).collect()
    }

    /// Why the last connection did not come about.
    #[must_use]
    pub fn last_refusal(&self) -> String {
        let refusal = self.last_refusal.lock().clone();
        refusal.unwrap_or_else(|| "no connection was refused".to_owned())
    }

    fn has_acked(&self, conversation: Conversation, sent_us: u64) {
        self.acked.fetch_add(1, Ordering::Relaxed);
        let pulse = usize::try_from(conversation).ok().and_then(|at| self.pulse.get(at));
        if let Some(pulse) = pulse {
            pulse.fetch_max(sent_us, Ordering::Relaxed);
        }
    }

    /// The server that the client of this number tries after that many others.
    fn address(&self, client: u32, tried: u32) -> SocketAddr {
        let at = usize::try_from(client.wrapping_add(tried)).unwrap_or_default();
        let at = self.addresses.get(at % self.addresses.len().max(1)).copied();
        at.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn complain(&self, text: String) {
        let mut complaints = self.complaints.lock();
        if complaints.len() < 20 {
            complaints.push(text);
        }
    }

    fn sending(&self) {
        if self.armed.swap(false, Ordering::SeqCst) {
            self.in_flight.notify_one();
        }
    }

    fn token(&self, room: &Room, role: Role) -> String {
        match role {
            Role::Visitor => room.secret.clone(),
            Role::Agent(name) => {
                let tokens = self.tokens.read();
                let found = tokens.iter().find(|(of, _)| *of == name);
                found.map(|(_, token)| token.clone()).unwrap_or_default()
            }
        }
    }

    /// Connects and says hello; an agent whose token is refused signs in once more.
    async fn connect(
        &self,
        at: SocketAddr,
        room: &Room,
        role: Role,
        device: &str,
    ) -> Result<Connection, Error> {
        let connecting = self.try_connect(at, room, role, device);
        let connected = tokio::time::timeout(self.terms.answer_within, connecting).await;
        let connected = connected.unwrap_or(Err(Error::Timeout("a connection")));
        if let Err(error) = &connected {
            *self.last_refusal.lock() = Some(format!("{role:?}: {error}"));
        }
        connected
    }

    async fn try_connect(
        &self,
        at: SocketAddr,
        room: &Room,
        role: Role,
        device: &str,
    ) -> Result<Connection, Error> {
        for renewed in [false, true] {
            let mut connection = Connection::open(at, Encoding::Json).await?;
            if role == Role::Visitor {
                connection.forbid(self.marker.clone());
            }
            match (connection.hello(&self.token(room, role), device).await, role) {
                (Ok(_), _) => return Ok(connection),
                (Err(error), Role::Agent(name)) if error.is_auth() && !renewed => {
                    let token = Http::new(at).sign_in(name).await?.token;
                    self.tokens.write().retain(|(of, _)| *of != name);
                    self.tokens.write().push((name, token));
                }
                (Err(error), _) => return Err(error),
            }
        }
        Err(Error::Timeout("a new token"))
    }

    /// Reads every stream to its end over HTTP, as an agent and as the visitor, into the history; at
    /// every server, and all must show the same.
    ///
    /// # Errors
    /// When no agent can sign in.
    pub async fn final_reads(&self) -> anyhow::Result<Heads> {
        let mut heads = std::collections::HashMap::new();
        let mut first = std::collections::HashMap::new();
        for address in &self.addresses {
            let mut http = Http::new(*address);
            let agent = http.sign_in("ada").await?.token;
            for room in &self.rooms {
                for stream in [Stream::Public, Stream::Internal] {
                    // A stream that cannot be read stays without a final read: the checker says so.
                    let read = match self.final_read(&mut http, &agent, room, stream).await {
                        Ok(read) => read,
                        Err(error) => {
                            self.complain(format!(
                                "{} {stream:?} at {address}: {error:#}",
                                room.id
                            ));
                            continue;
                        }
                    };
                    let conversation = room.number;
                    match first.get(&(conversation, stream)) {
                        None => {
                            let (events, head) = read.clone();
                            for seen in events {
                                self.recorder.push(Op::Final(seen));
                            }
                            self.recorder.push(Op::FinalRead { conversation, stream, head });
                            heads.insert((conversation, stream), head);
                            first.insert((conversation, stream), read);
                        }
                        Some(same) if *same == read => {}
                        Some(other) => self.recorder.push(Op::Differs {
                            conversation,
                            stream,
                            how: difference(other, &read),
                        }),
                    }
                }
                if let Err(error) = self.visitor_reads(&mut http, room).await {
                    self.complain(format!("{} as the visitor: {error:#}", room.id));
                }
            }
        }
        Ok(Arc::new(heads))
    }

    async fn final_read(
        &self,
        http: &mut Http,
        token: &str,
        room: &Room,
        stream: Stream,
    ) -> anyhow::Result<FinalRead> {
        let deadline = tokio::time::Instant::now() + self.terms.catch_up;
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let page = match http.page(token, &room.id, stream, after).await {
                Ok(page) => page,
                // Whose owner is just changing is to be asked again.
                Err(Error::Status { status: 503, .. })
                    if tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(AGAIN_AFTER).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            for event in &page.items {
                events.push(seen(room, stream, event));
                after = event.seq.max(after);
            }
            if !page.more || page.items.is_empty() {
                return Ok((events, page.head));
            }
        }
    }

    /// The visitor's own view: the first page holds nothing internal, and the internal stream and an
    /// unknown conversation are answered alike.
    async fn visitor_reads(&self, http: &mut Http, room: &Room) -> anyhow::Result<()> {
        let paths = [
            format!("/v1/conversations/{}", room.id),
            format!("/v1/conversations/{}/messages?after=0&limit=200", room.id),
            format!("/v1/conversations/{}/messages?stream=internal&after=0", room.id),
        ];
        for (path, status) in paths.iter().zip([200, 200, 404]) {
            let deadline = tokio::time::Instant::now() + self.terms.catch_up;
            let mut answer = http.request(Method::GET, path, Some(&room.secret), None).await?;
            while answer.status == 503 && tokio::time::Instant::now() < deadline {
                tokio::time::sleep(AGAIN_AFTER).await;
                answer = http.request(Method::GET, path, Some(&room.secret), None).await?;
            }
            if find(&answer.body, self.marker.as_bytes()) {
                let bytes = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
                self.recorder.push(Op::Leaked { conversation: room.number, bytes });
            }
            if answer.status != status {
                self.complain(format!("a visitor's {path} answered {}", answer.status));
            }
        }
        Ok(())
    }
}

impl Load {
    /// Starts the senders and readers of every conversation.
    #[must_use]
    pub fn start(world: Arc<World>) -> Self {
        let (stop_sending, stopped) = watch::channel(false);
        let (heads, heads_seen) = watch::channel(None);
        let mut senders = JoinSet::new();
        let mut readers = JoinSet::new();
        for room in 0..world.rooms.len() {
            let roles = [Role::Visitor, Role::Visitor, Role::Agent("ada"), Role::Agent("ben")];
            for sender in (0..).zip(roles) {
                senders.spawn(sender::run(world.clone(), room, sender, stopped.clone()));
            }
            for role in [Role::Visitor, Role::Agent("ben")] {
                readers.spawn(reader::run(world.clone(), room, role, heads_seen.clone()));
            }
        }
        Self { world, stop_sending, heads, senders, readers }
    }

    /// Lets every sender learn the outcome of its last send, for `patience` at most, reads
    /// everything, lets the readers catch up, and returns when all tasks ended.
    ///
    /// # Errors
    /// When no final read can be made.
    pub async fn finish(mut self, patience: Duration) -> anyhow::Result<Arc<World>> {
        self.stop_sending.send_replace(true);
        let settle = async { while self.senders.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, settle).await.is_err() {
            self.world.complain("senders did not learn the outcome of their last send".to_owned());
            self.senders.shutdown().await;
        }
        let heads = self.world.final_reads().await?;
        self.heads.send_replace(Some(heads));
        while self.readers.join_next().await.is_some() {}
        Ok(self.world)
    }
}

/// A new conversation, from a server that may have too much to do for a moment.
async fn created(http: &mut Http) -> Result<Created, Error> {
    for _ in 0..OPENING_TRIES {
        match http.create(None).await {
            Err(Error::Status { status: 503, .. }) => tokio::time::sleep(AGAIN_AFTER).await,
            outcome => return outcome,
        }
    }
    http.create(None).await
}

/// The first place where two reads of one stream differ.
fn difference(one: &FinalRead, other: &FinalRead) -> String {
    let (events, others) = (&one.0, &other.0);
    let at = events.iter().zip(others).position(|(one, other)| one != other);
    let at = at.unwrap_or(events.len().min(others.len()));
    let (found, other_found) = (events.get(at), others.get(at));
    format!("heads {} and {}; {found:?} and {other_found:?}", one.1, other.1)
}

fn device() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn seen(room: &Room, stream: Stream, event: &crate::client::frame::Event) -> Seen {
    Seen {
        conversation: room.number,
        stream,
        seq: event.seq,
        id: event.id.as_str().into(),
        text: event.text().map(Into::into),
    }
}

/// The pause before the next try to reach a server that was killed.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(8)).await;
}
