//! Our server through its Socket.IO: a customer and a supporter in a chat, as their clients speak.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use futures_util::SinkExt;
use hyper::Method;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::peer::{Room, Socket, expect, next, open};
use crate::client::http::Http;
use crate::server::{Server, free_port};

/// Signs the tokens of one bench.
const SECRET: &str = "a secret of the bench, long enough";

/// Which dialect is spoken, by its namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Namespace {
    /// `/`
    Phase5,
    /// `/chat`
    Fullmag,
}

/// A server, and the people who speak with it in a dialect. Each supporter has one chat: lists that
/// supporters see live would cost more the more sockets one of them had.
pub(super) struct Dialect {
    namespace: Namespace,
    pub(super) server: Box<Server>,
    n_people: AtomicU64,
}

impl Dialect {
    /// Starts a server of its own.
    pub(super) async fn start(
        namespace: Namespace,
        binary: &Path,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let root = dir.join(format!("dialect-{}", free_port()?.port()));
        std::fs::create_dir(&root)?;
        let mut server = Box::new(Server::new(binary, &root)?);
        server.set_environment(vec![("SWITCHBOARD_JWT_SECRET".to_owned(), SECRET.to_owned())]);
        server.start().await?;
        Ok(Self { namespace, server, n_people: AtomicU64::new(1_000) })
    }

    /// Somebody new: an id and a token.
    fn person(&self, role: &str) -> anyhow::Result<(String, String)> {
        let id = self.n_people.fetch_add(1, Ordering::Relaxed).to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({ "sub": id, "role": role, "name": role, "exp": now + 86_400 });
        let token =
            encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_ref()))?;
        Ok((id, token))
    }

    /// A new customer's chat.
    pub(super) async fn room(&self) -> anyhow::Result<Room> {
        let (owner, secret) = self.person("customer")?;
        let mut http = Http::new(self.server.public);
        let (method, path, body) = match self.namespace {
            Namespace::Phase5 => (Method::POST, "/api/live-chat/start", Some(json!({}))),
            Namespace::Fullmag => (Method::GET, "/api/chat/room", None),
        };
        let begun: Value = http.json(method, path, Some(&secret), body.as_ref()).await?;
        let id = match self.namespace {
            Namespace::Phase5 => begun.pointer("/session/id").map(Value::to_string),
            Namespace::Fullmag => begun.get("id").and_then(Value::as_str).map(str::to_owned),
        };
        Ok(Room { id: id.context("a chat has an id")?, secret, owner })
    }

    /// A connection of the chat's customer, who hears the chat.
    pub(super) async fn customer(&self, room: &Room) -> anyhow::Result<Socket> {
        self.join(&room.secret, room, false).await
    }

    /// A connection of a new supporter, who has the chat and hears it.
    pub(super) async fn supporter(&self, room: &Room) -> anyhow::Result<Socket> {
        let role = match self.namespace {
            Namespace::Phase5 => "agent",
            Namespace::Fullmag => "manager",
        };
        let (_, token) = self.person(role)?;
        self.join(&token, room, true).await
    }

    async fn join(&self, token: &str, room: &Room, accepts: bool) -> anyhow::Result<Socket> {
        let prefix = match self.namespace {
            Namespace::Phase5 => "",
            Namespace::Fullmag => "/chat,",
        };
        let path = "socket.io/?EIO=4&transport=websocket";
        let mut socket = open(self.server.public, path).await?;
        expect(&mut socket, "0{").await?;
        let hello = json!({ "token": token });
        socket.send(Message::text(format!("40{prefix}{hello}"))).await?;
        expect(&mut socket, &format!("40{prefix}{{")).await?;
        let id = &room.id;
        let join = match (self.namespace, accepts) {
            (Namespace::Phase5, true) => format!(r#"["chat:accept",{{"session_id":{id}}}]"#),
            (Namespace::Phase5, false) => format!(r#"["chat:join",{{"session_id":{id}}}]"#),
            (Namespace::Fullmag, _) => format!(r#"["joinRoom",{{"roomId":"{id}"}}]"#),
        };
        socket.send(Message::text(format!("42{prefix}0{join}"))).await?;
        let ack = format!("43{prefix}0[");
        loop {
            // What happens in the chat meanwhile may come first.
            let text = next(&mut socket).await?;
            if text.starts_with(&ack) {
                anyhow::ensure!(text.contains(r#""success":true"#), "refused: {text}");
                return Ok(socket);
            }
        }
    }
}
