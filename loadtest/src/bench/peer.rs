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
use crate::client::http::Http;
use crate::client::{ANSWER_TIMEOUT, Connection, Encoding, find};
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
}

impl Kind {
    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Switchboard => "Switchboard",
            Self::Relay => "bare relay",
            Self::Socketio => "Socket.IO",
        }
    }
}

pub(super) type Socket = WebSocketStream<TcpStream>;

/// A running program.
pub(super) enum Peer {
    Switchboard { server: Box<Server>, token: String, agent: String },
    Other { kind: Kind, address: SocketAddr, child: Child },
}

/// A place for one idle connection.
pub(super) struct Room {
    id: String,
    secret: String,
}

/// How one sender speaks: its frames, and what an ack looks like.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    kind: Kind,
    room: String,
}

impl Peer {
    /// Starts the program and waits until it can be used.
    pub(super) async fn start(kind: Kind, args: &Args, dir: &Path) -> anyhow::Result<Self> {
        match kind {
            Kind::Switchboard => {
                let root = dir.join(format!("switchboard-{}", free_port()?.port()));
                std::fs::create_dir(&root)?;
                let mut server = Box::new(Server::new(&args.server, &root)?);
                server.start().await?;
                let signed_in = Http::new(server.public).sign_in("ada").await?;
                let (token, agent) = (signed_in.token, signed_in.principal.id);
                Ok(Self::Switchboard { server, token, agent })
            }
            Kind::Relay => {
                let beside =
                    || std::env::current_exe().map(|exe| exe.with_file_name("switchboard-relay"));
                let path = args.relay.clone().map_or_else(beside, Ok)?;
                listen(kind, Command::new(path).arg("0")).await
            }
            Kind::Socketio => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/socketio");
                install(&folder).await?;
                listen(kind, Command::new("node").arg("server.js").arg("0").current_dir(folder))
                    .await
            }
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Switchboard { .. } => Kind::Switchboard,
            Self::Other { kind, .. } => *kind,
        }
    }

    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        match self {
            Self::Switchboard { server, .. } => server.pid(),
            Self::Other { child, .. } => child.id().context("the peer ended"),
        }
    }

    pub(super) async fn stop(self) {
        match self {
            Self::Switchboard { mut server, .. } => drop(server.kill().await),
            Self::Other { mut child, .. } => drop(child.kill().await),
        }
    }

    /// Opens a sender and a receiver that share a room.
    pub(super) async fn pair(&self) -> anyhow::Result<(Voice, Socket, Socket)> {
        let room = uuid::Uuid::new_v4().simple().to_string();
        match self {
            Self::Switchboard { server, token, agent } => {
                let created = Http::new(server.public).create(None).await?;
                let secret = created.visitor.secret.context("a new visitor has a secret")?;
                let device = uuid::Uuid::new_v4().to_string();
                let mut sender = Connection::open(server.public, Encoding::Json).await?;
                sender.hello(&secret, &device).await?;
                let mut receiver = Connection::open(server.public, Encoding::Json).await?;
                receiver.hello(token, &uuid::Uuid::new_v4().to_string()).await?;
                let assigned = receiver.act(&created.id, "assign", json!({"agent": agent})).await?;
                anyhow::ensure!(assigned.is_ok(), "assign was refused: {assigned:?}");
                follow(&mut receiver, &created.id).await?;
                let voice = Voice { kind: Kind::Switchboard, room: created.id };
                Ok((voice, sender.into_socket(), receiver.into_socket()))
            }
            Self::Other { kind, address, .. } => {
                let voice = Voice { kind: *kind, room };
                let sender = voice.open(*address).await?;
                let receiver = voice.open(*address).await?;
                Ok((voice, sender, receiver))
            }
        }
    }

    /// Makes a room; what it costs is not the cost of a connection.
    pub(super) async fn room(&self) -> anyhow::Result<Room> {
        match self {
            Self::Switchboard { server, .. } => {
                let created = Http::new(server.public).create(None).await?;
                let secret = created.visitor.secret.context("a new visitor has a secret")?;
                Ok(Room { id: created.id, secret })
            }
            Self::Other { .. } => {
                let id = uuid::Uuid::new_v4().simple().to_string();
                Ok(Room { id, secret: String::new() })
            }
        }
    }

    /// Opens a connection that will be idle in a room of its own.
    pub(super) async fn idle(&self, room: Room) -> anyhow::Result<(Voice, Socket)> {
        match self {
            Self::Switchboard { server, .. } => {
                let mut visitor = Connection::open(server.public, Encoding::Json).await?;
                visitor.hello(&room.secret, &uuid::Uuid::new_v4().to_string()).await?;
                follow(&mut visitor, &room.id).await?;
                let voice = Voice { kind: Kind::Switchboard, room: room.id };
                Ok((voice, visitor.into_socket()))
            }
            Self::Other { kind, address, .. } => {
                let voice = Voice { kind: *kind, room: room.id };
                let socket = voice.open(*address).await?;
                Ok((voice, socket))
            }
        }
    }
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
    async fn open(&self, address: SocketAddr) -> anyhow::Result<Socket> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let url = match self.kind {
            Kind::Socketio => format!("ws://{address}/socket.io/?EIO=4&transport=websocket"),
            Kind::Relay | Kind::Switchboard => format!("ws://{address}/{}", self.room),
        };
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let opened = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await;
        let (mut socket, _) = opened.context("the handshake of a peer")?;
        if self.kind == Kind::Socketio {
            // Engine.IO says hello, Socket.IO joins its namespace, then the room.
            expect(&mut socket, "0{").await?;
            socket.send(Message::text("40")).await?;
            expect(&mut socket, "40").await?;
            socket.send(Message::text(format!(r#"420["join","{}"]"#, self.room))).await?;
            expect(&mut socket, "430").await?;
        }
        Ok(socket)
    }

    /// The frame that sends `text`, with `n` counted from 1.
    pub(super) fn frame(&self, n: u64, text: &str) -> String {
        let room = &self.room;
        match self.kind {
            Kind::Relay => text.to_owned(),
            Kind::Socketio => format!(r#"42{n}["message","{room}","{text}"]"#),
            Kind::Switchboard => format!(
                r#"{{"type":"send","conversation":"{room}","n":{n},"kind":"message","body":{{"text":"{text}"}}}}"#
            ),
        }
    }

    /// Whether a frame acks send `n`.
    pub(super) fn is_ack(&self, frame: &[u8], n: u64) -> bool {
        match self.kind {
            Kind::Relay => frame == b"ok",
            Kind::Socketio => frame.starts_with(format!("43{n}[").as_bytes()),
            Kind::Switchboard => {
                find(frame, br#""type":"ack""#) && find(frame, format!(r#""n":{n},"#).as_bytes())
            }
        }
    }

    /// Whether a frame refuses what was sent.
    pub(super) fn is_refusal(&self, frame: &[u8]) -> bool {
        self.kind == Kind::Switchboard
            && (find(frame, br#""type":"nack""#) || find(frame, br#""type":"error""#))
    }

    /// The answer to a frame that asks for a sign of life.
    pub(super) fn pong(&self, frame: &[u8]) -> Option<Message> {
        match self.kind {
            Kind::Socketio if frame == b"2" => Some(Message::text("3")),
            Kind::Switchboard if find(frame, br#""type":"ping""#) => {
                Some(Message::Text(Utf8Bytes::from_static(r#"{"type":"pong"}"#)))
            }
            Kind::Socketio | Kind::Switchboard | Kind::Relay => None,
        }
    }
}

async fn expect(socket: &mut Socket, start: &str) -> anyhow::Result<()> {
    let next = tokio::time::timeout(ANSWER_TIMEOUT, socket.next()).await?;
    let text = next.context("the peer closed")??.into_text()?;
    anyhow::ensure!(text.starts_with(start), "expected {start}, got {text}");
    Ok(())
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
