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

use crate::client::http::Http;
use crate::client::{Connection, Encoding, Error, find};
use crate::history::{Conversation, Op, Recorder, Seen, Stream};

/// Senders in each conversation: the visitor on two devices, two agents.
pub const SENDERS: u32 = 4;

/// How long senders get to learn the outcome of their last send from a healthy server.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The same from a sabotaged one, which may never tell.
pub const PATIENCE_RED: Duration = Duration::from_secs(5);
/// How long a server that was just started may take to let somebody send.
const FIRST_SEND_MAX: Duration = Duration::from_secs(30);
/// How long readers get to hear the end once nothing is sent any more.
const CATCH_UP: Duration = Duration::from_secs(15);

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
    address: SocketAddr,
    /// The history.
    pub recorder: Recorder,
    rooms: Vec<Room>,
    tokens: RwLock<Vec<(&'static str, String)>>,
    /// In every internal text, in no public one; random, so that it is found in raw bytes.
    marker: Arc<str>,
    armed: AtomicBool,
    in_flight: Notify,
    next_sender: AtomicU32,
    next_reader: AtomicU32,
    next_connection: AtomicU32,
    /// Acks read so far.
    pub acked: AtomicU64,
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

type Heads = Arc<std::collections::HashMap<(Conversation, Stream), u64>>;

impl World {
    /// Opens `conversations` conversations on a running server.
    ///
    /// # Errors
    /// When the server refuses what the demo must allow.
    pub async fn open(address: SocketAddr, conversations: u32) -> anyhow::Result<Arc<Self>> {
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
            let created = http.create(None).await.context("a new conversation")?;
            // By hand, so that capacity does not bind.
            let assigned = ada.act(&created.id, "assign", json!({"agent": ada_id})).await?;
            anyhow::ensure!(assigned.is_ok(), "assign was refused: {assigned:?}");
            let secret = created.visitor.secret.context("a new visitor has a secret")?;
            rooms.push(Room { number, id: created.id, log: created.log, secret });
        }
        ada.close().await;
        let run = uuid::Uuid::new_v4().simple().to_string();
        Ok(Arc::new(Self {
            address,
            recorder: Recorder::default(),
            rooms,
            tokens: RwLock::new(tokens),
            marker: format!("internal{}", run.get(..12).unwrap_or(&run)).into(),
            armed: AtomicBool::new(false),
            in_flight: Notify::new(),
            next_sender: AtomicU32::new(0),
            next_reader: AtomicU32::new(0),
            next_connection: AtomicU32::new(0),
            acked: AtomicU64::new(0),
            complaints: Mutex::default(),
            last_refusal: Mutex::default(),
        }))
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
        let refusal = self.last_refusal.lock().clone();
        let refusal = refusal.unwrap_or_else(|| "no connection was refused".to_owned());
        anyhow::bail!("nobody sends: {refusal}; {:?}", self.complaints())
    }

    /// What tasks met that the history cannot say; empty in a healthy run.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().clone()
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
    async fn connect(&self, room: &Room, role: Role, device: &str) -> Result<Connection, Error> {
        let connected = self.try_connect(room, role, device).await;
        if let Err(error) = &connected {
            *self.last_refusal.lock() = Some(format!("{role:?}: {error}"));
        }
        connected
    }

    async fn try_connect(
        &self,
        room: &Room,
        role: Role,
        device: &str,
    ) -> Result<Connection, Error> {
        for renewed in [false, true] {
            let mut connection = Connection::open(self.address, Encoding::Json).await?;
            if role == Role::Visitor {
                connection.forbid(self.marker.clone());
            }
            match (connection.hello(&self.token(room, role), device).await, role) {
                (Ok(_), _) => return Ok(connection),
                (Err(error), Role::Agent(name)) if error.is_auth() && !renewed => {
                    let token = Http::new(self.address).sign_in(name).await?.token;
                    self.tokens.write().retain(|(of, _)| *of != name);
                    self.tokens.write().push((name, token));
                }
                (Err(error), _) => return Err(error),
            }
        }
        Err(Error::Timeout("a new token"))
    }

    /// Reads every stream to its end over HTTP, as an agent and as the visitor, into the history.
    ///
    /// # Errors
    /// When no agent can sign in.
    pub async fn final_reads(&self) -> anyhow::Result<Heads> {
        let mut http = Http::new(self.address);
        let agent = http.sign_in("ada").await?.token;
        let mut heads = std::collections::HashMap::new();
        for room in &self.rooms {
            for stream in [Stream::Public, Stream::Internal] {
                // A stream that cannot be read stays without a final read: the checker says so.
                match self.final_read(&mut http, &agent, room, stream).await {
                    Ok(head) => drop(heads.insert((room.number, stream), head)),
                    Err(error) => self.complain(format!("{} {stream:?}: {error:#}", room.id)),
                }
            }
            if let Err(error) = self.visitor_reads(&mut http, room).await {
                self.complain(format!("{} as the visitor: {error:#}", room.id));
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
    ) -> anyhow::Result<u64> {
        let mut after = 0;
        loop {
            let page = http.page(token, &room.id, stream, after).await?;
            for event in &page.items {
                self.recorder.push(Op::Final(seen(room, stream, event)));
                after = event.seq.max(after);
            }
            if !page.more || page.items.is_empty() {
                let (conversation, head) = (room.number, page.head);
                self.recorder.push(Op::FinalRead { conversation, stream, head });
                return Ok(head);
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
            let answer = http.request(Method::GET, path, Some(&room.secret), None).await?;
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
            for role in [Role::Visitor, Role::Visitor, Role::Agent("ada"), Role::Agent("ben")] {
                senders.spawn(sender::run(world.clone(), room, role, stopped.clone()));
            }
            for role in [Role::Visitor, Role::Agent("ben")] {
                readers.spawn(reader::run(world.clone(), room, role, heads_seen.clone()));
            }
        }
        Self { world, stop_sending, heads, senders, readers }
    }

    /// Lets every sender learn the outcome of its last send, for `patience` at most, reads everything, lets the readers catch
    /// up, and returns when all tasks ended.
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
