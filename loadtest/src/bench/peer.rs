//! The programs that are compared, and how a pair of connections speaks with each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Args;
use super::dialect::{Dialect, Namespace};
use super::pairs::Subject;
use crate::client::http::{Created, Http};
use crate::client::{ANSWER_TIMEOUT, Connection, Encoding, find};
use crate::machine;
use crate::server::{Server, free_port};

/// A program under comparison.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Kind {
    /// This server: durable.
    Switchboard,
    /// The bare relay: stores nothing, parses nothing.
    Relay,
    /// Socket.IO on Node: stores nothing.
    Socketio,
    /// This server, where the sender hears its own message too, as every chat does.
    Native,
    /// The same chat through our Socket.IO, as clients of phase5 speak.
    Phase5,
    /// The same chat through our Socket.IO, as clients of fullmag speak.
    Fullmag,
    /// The same chat on Socket.IO on Node: the same rooms and frames as phase5, nothing stored.
    Chat,
}

impl Kind {
    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Switchboard => "Switchboard",
            Self::Relay => "bare relay",
            Self::Socketio => "Socket.IO",
            Self::Native => "Switchboard, both hear",
            Self::Phase5 => "Switchboard, phase5",
            Self::Fullmag => "Switchboard, fullmag",
            Self::Chat => "Socket.IO, both hear",
        }
    }

    /// What it is, in a table.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Switchboard => "Switchboard, durable",
            Self::Relay => "bare axum relay, stores nothing",
            Self::Socketio => "Socket.IO 4.8 on Node, stores nothing",
            Self::Native => "Switchboard, durable, both hear",
            Self::Phase5 => "Switchboard, durable, as phase5 on Socket.IO, both hear",
            Self::Fullmag => "Switchboard, durable, as fullmag on Socket.IO, both hear",
            Self::Chat => "Socket.IO 4.8 on Node, both hear, stores nothing",
        }
    }

    /// Whether it is a server of ours, which needs time until what is idle has left memory.
    pub(super) const fn is_ours(self) -> bool {
        match self {
            Self::Switchboard | Self::Native | Self::Phase5 | Self::Fullmag => true,
            Self::Relay | Self::Socketio | Self::Chat => false,
        }
    }
}

pub(super) type Socket = WebSocketStream<TcpStream>;

/// A running program.
pub(super) enum Peer {
    Switchboard { kind: Kind, server: Box<Server>, token: String, agent: String },
    Dialect { kind: Kind, dialect: Dialect },
    Other { kind: Kind, address: SocketAddr, child: Child },
}

/// A place for one idle connection.
pub(super) struct Room {
    pub(super) id: String,
    /// What opens it for whoever it belongs to.
    pub(super) secret: String,
    /// Who that is, where frames say it.
    pub(super) owner: String,
}

/// How one sender speaks: its frames, and what an ack looks like.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    kind: Kind,
    room: String,
    /// Who speaks, where frames say it.
    owner: String,
}

impl Peer {
    /// Starts the program and waits until it can be used.
    pub(super) async fn start(kind: Kind, args: &Args, dir: &Path) -> anyhow::Result<Self> {
        match kind {
            Kind::Phase5 | Kind::Fullmag => {
                let namespace =
                    if kind == Kind::Phase5 { Namespace::Phase5 } else { Namespace::Fullmag };
                let dialect = Dialect::start(namespace, &args.server, dir).await?;
                Ok(Self::Dialect { kind, dialect })
            }
            Kind::Switchboard | Kind::Native => {
                let root = dir.join(format!("switchboard-{}", free_port()?.port()));
                std::fs::create_dir(&root)?;
                let mut server = Box::new(Server::new(&args.server, &root)?);
                server.start().await?;
                let signed_in = Http::new(server.public).sign_in("ada").await?;
                let (token, agent) = (signed_in.token, signed_in.principal.id);
                Ok(Self::Switchboard { kind, server, token, agent })
            }
            Kind::Relay => {
                let beside =
                    || std::env::current_exe().map(|exe| exe.with_file_name("switchboard-relay"));
                let path = args.relay.clone().map_or_else(beside, Ok)?;
                listen(kind, Command::new(path).arg("0")).await
            }
            Kind::Socketio | Kind::Chat => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/socketio");
                install(&folder).await?;
                listen(kind, Command::new("node").arg("server.js").arg("0").current_dir(folder))
                    .await
            }
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Switchboard { kind, .. }
            | Self::Dialect { kind, .. }
            | Self::Other { kind, .. } => *kind,
        }
    }

    /// Its process.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        match self {
            Self::Switchboard { server, .. } => server.pid(),
            Self::Dialect { dialect, .. } => dialect.server.pid(),
            Self::Other { child, .. } => child.id().context("the peer ended"),
        }
    }

    pub(super) async fn stop(self) {
        match self {
            Self::Switchboard { mut server, .. } => drop(server.kill().await),
            Self::Dialect { mut dialect, .. } => drop(dialect.server.kill().await),
            Self::Other { mut child, .. } => drop(child.kill().await),
        }
    }

    /// Makes a room; what it costs is not the cost of a connection.
    pub(super) async fn room(&self) -> anyhow::Result<Room> {
        match self {
            Self::Switchboard { server, .. } => {
                let created = Http::new(server.public).create(None).await?;
                let secret = created.visitor.secret.context("a new visitor has a secret")?;
                Ok(Room { id: created.id, secret, owner: String::new() })
            }
            Self::Dialect { dialect, .. } => dialect.room().await,
            Self::Other { .. } => {
                let id = uuid::Uuid::new_v4().simple().to_string();
                Ok(Room { id, secret: String::new(), owner: String::new() })
            }
        }
    }

    /// Opens a connection that will be idle in a room of its own.
    pub(super) async fn idle(&self, room: Room) -> anyhow::Result<(Voice, Socket)> {
        match self {
            Self::Switchboard { kind, server, .. } => {
                let mut visitor = Connection::open(server.public, Encoding::Json).await?;
                visitor.hello(&room.secret, &uuid::Uuid::new_v4().to_string()).await?;
                follow(&mut visitor, &room.id).await?;
                Ok((Voice::new(*kind, room.id), visitor.into_socket()))
            }
            Self::Dialect { kind, dialect } => {
                let socket = dialect.customer(&room).await?;
                Ok((Voice { kind: *kind, room: room.id, owner: room.owner }, socket))
            }
            Self::Other { kind, address, .. } => {
                let voice = Voice::new(*kind, room.id);
                let socket = voice.open(*address).await?;
                Ok((voice, socket))
            }
        }
    }
}

impl Subject for Peer {
    fn name(&self) -> &str {
        self.kind().name()
    }

    fn cpu_time(&self) -> anyhow::Result<Duration> {
        Ok(machine::cpu_time(self.pid()?)?)
    }

    async fn pair(&self) -> anyhow::Result<(Voice, Socket, Socket)> {
        match self {
            Self::Switchboard { kind, server, token, agent } => {
                let created = Http::new(server.public).create(None).await?;
                let desk = Desk { address: server.public, token, agent };
                native_pair(*kind, created, server.public, desk).await
            }
            Self::Dialect { kind, dialect } => {
                let room = dialect.room().await?;
                let sender = dialect.customer(&room).await?;
                let receiver = dialect.supporter(&room).await?;
                let voice = Voice { kind: *kind, room: room.id, owner: room.owner };
                Ok((voice, sender, receiver))
            }
            Self::Other { kind, address, .. } => {
                let room = uuid::Uuid::new_v4().simple().to_string();
                let voice = Voice::new(*kind, room);
                let sender = voice.open(*address).await?;
                let receiver = voice.open(*address).await?;
                Ok((voice, sender, receiver))
            }
        }
    }
}

/// Where an agent works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'a> {
    /// The server that they are connected to.
    pub(super) address: SocketAddr,
    /// What signs them in there.
    pub(super) token: &'a str,
    /// Who it is.
    pub(super) agent: &'a str,
}

/// The visitor of a new conversation, who will send, and the agent to whom it is assigned.
pub(super) async fn native_pair(
    kind: Kind,
    created: Created,
    visitor_at: SocketAddr,
    desk: Desk<'_>,
) -> anyhow::Result<(Voice, Socket, Socket)> {
    let secret = created.visitor.secret.context("a new visitor has a secret")?;
    let device = uuid::Uuid::new_v4().to_string();
    let mut sender = Connection::open(visitor_at, Encoding::Json).await?;
    sender.hello(&secret, &device).await?;
    let mut receiver = Connection::open(desk.address, Encoding::Json).await?;
    receiver.hello(desk.token, &uuid::Uuid::new_v4().to_string()).await?;
    let assigned = receiver.act(&created.id, "assign", json!({"agent": desk.agent})).await?;
    anyhow::ensure!(assigned.is_ok(), "assign was refused: {assigned:?}");
    follow(&mut receiver, &created.id).await?;
    if kind == Kind::Native {
        follow(&mut sender, &created.id).await?;
    }
    let voice = Voice::new(kind, created.id);
    Ok((voice, sender.into_socket(), receiver.into_socket()))
}

/// Subscribes from the start and waits for the answer.
async fn follow(connection: &mut Connection, conversation: &str) -> anyhow::Result<()> {
    use crate::client::frame::Frame;
    use crate::history::Stream;
    connection.subscribe(conversation, Stream::Public, None, None).await?;
    loop {
        match connection.next().await? {
            Frame::Subscribed { .. } => return Ok(()),
            Frame::Refused(refusal) => anyhow::bail!("subscribe was refused: {refusal:?}"),
            _ => {}
        }
    }
}

impl Voice {
    const fn new(kind: Kind, room: String) -> Self {
        Self { kind, room, owner: String::new() }
    }

    /// Opens a connection to a peer that is not ours and enters the room.
    async fn open(&self, address: SocketAddr) -> anyhow::Result<Socket> {
        if self.kind == Kind::Relay {
            return open(address, &self.room).await;
        }
        // Engine.IO says hello, Socket.IO joins its namespace, then the room.
        let mut socket = open(address, "socket.io/?EIO=4&transport=websocket").await?;
        expect(&mut socket, "0{").await?;
        socket.send(Message::text("40")).await?;
        expect(&mut socket, "40").await?;
        socket.send(Message::text(format!(r#"420["join","{}"]"#, self.room))).await?;
        expect(&mut socket, "430").await?;
        Ok(socket)
    }

    /// The frame that sends `text`, with `n` counted from 1.
    pub(super) fn frame(&self, n: u64, text: &str) -> String {
        let room = &self.room;
        match self.kind {
            Kind::Relay => text.to_owned(),
            Kind::Socketio => format!(r#"42{n}["message","{room}","{text}"]"#),
            Kind::Chat => format!(
                r#"42{n}["chat:send_message",{{"session_id":"{room}","content":"{text}"}}]"#
            ),
            Kind::Phase5 => {
                format!(r#"42{n}["chat:send_message",{{"session_id":{room},"content":"{text}"}}]"#)
            }
            Kind::Fullmag => format!(
                r#"42/chat,{n}["sendMessage",{{"roomId":"{room}","senderId":"{}","message":"{text}"}}]"#,
                self.owner
            ),
            Kind::Switchboard | Kind::Native => format!(
                r#"{{"type":"send","conversation":"{room}","n":{n},"kind":"message","body":{{"text":"{text}"}}}}"#
            ),
        }
    }

    /// Whether a frame acks send `n`.
    pub(super) fn is_ack(&self, frame: &[u8], n: u64) -> bool {
        match self.kind {
            Kind::Relay => frame == b"ok",
            Kind::Socketio | Kind::Chat | Kind::Phase5 => {
                frame.starts_with(format!("43{n}[").as_bytes())
            }
            Kind::Fullmag => frame.starts_with(format!("43/chat,{n}[").as_bytes()),
            Kind::Switchboard | Kind::Native => {
                find(frame, br#""type":"ack""#) && find(frame, format!(r#""n":{n},"#).as_bytes())
            }
        }
    }

    /// Whether a frame refuses what was sent.
    pub(super) fn is_refusal(&self, frame: &[u8]) -> bool {
        match self.kind {
            Kind::Switchboard | Kind::Native => {
                find(frame, br#""type":"nack""#) || find(frame, br#""type":"error""#)
            }
            Kind::Phase5 | Kind::Fullmag => find(frame, br#""success":false"#),
            Kind::Relay | Kind::Socketio | Kind::Chat => false,
        }
    }

    /// The answer to a frame that asks for a sign of life.
    pub(super) fn pong(&self, frame: &[u8]) -> Option<Message> {
        match self.kind {
            Kind::Socketio | Kind::Chat | Kind::Phase5 | Kind::Fullmag => {
                (frame == b"2").then(|| Message::text("3"))
            }
            Kind::Switchboard | Kind::Native => find(frame, br#""type":"ping""#)
                .then(|| Message::Text(Utf8Bytes::from_static(r#"{"type":"pong"}"#))),
            Kind::Relay => None,
        }
    }
}

/// Opens a WebSocket with small buffers.
pub(super) async fn open(address: SocketAddr, path: &str) -> anyhow::Result<Socket> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let url = format!("ws://{address}/{path}");
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    let opened = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await;
    Ok(opened.context("the handshake of a peer")?.0)
}

/// The next frame, which must begin like that.
pub(super) async fn expect(socket: &mut Socket, start: &str) -> anyhow::Result<()> {
    let text = next(socket).await?;
    anyhow::ensure!(text.starts_with(start), "expected {start}, got {text}");
    Ok(())
}

/// The next packet of Socket.IO that is no ping; those are answered.
pub(super) async fn next(socket: &mut Socket) -> anyhow::Result<Utf8Bytes> {
    loop {
        let next = tokio::time::timeout(ANSWER_TIMEOUT, socket.next()).await?;
        let text = next.context("the peer closed")??.into_text()?;
        if text.as_str() != "2" {
            return Ok(text);
        }
        socket.send(Message::text("3")).await?;
    }
}

/// Runs a program that says `listening on <port>` first.
async fn listen(kind: Kind, command: &mut Command) -> anyhow::Result<Peer> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} does not start", kind.name()))?;
    let out = child.stdout.take().context("standard output is piped")?;
    let mut lines = BufReader::new(out).lines();
    let line = tokio::time::timeout(ANSWER_TIMEOUT, lines.next_line()).await??;
    let port = line.as_deref().and_then(|line| line.strip_prefix("listening on "));
    let port: u16 = port.and_then(|port| port.parse().ok()).context("no port was named")?;
    Ok(Peer::Other { kind, address: SocketAddr::from(([127, 0, 0, 1], port)), child })
}

/// Installs the locked packages of the Socket.IO peer, once.
async fn install(folder: &Path) -> anyhow::Result<()> {
    if PathBuf::from(folder).join("node_modules/socket.io").is_dir() {
        return Ok(());
    }
    let run = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(Duration::from_secs(180), run).await?;
    let run = run.context("npm is needed for the Socket.IO peer")?;
    anyhow::ensure!(run.status.success(), "npm ci: {}", String::from_utf8_lossy(&run.stderr));
    Ok(())
}
