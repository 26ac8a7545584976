//! Both sides on Socket.IO, in a namespace; rooms are read by REST.

use serde_json::{Value, json};

use super::{Door, answered, ask, listed, tried, written};
use crate::contract::socket::{Says, Socket};
use crate::node::TestNode;
use crate::tokens::token;

const SUPPORT: &str = "32";
/// Who says what the system says.
const SYSTEM: &str = "00000000-0000-0000-0000-000000000000";

pub(super) struct Fullmag {
    socket: Box<Socket>,
    room: String,
    subject: String,
    role: &'static str,
}

impl Fullmag {
    /// Joins a room; a supporter who joins one that waits has it.
    async fn join(node: &TestNode, room: &Value, subject: &str, role: &'static str) -> Self {
        let token = token(subject, role);
        let socket = Socket::connect(node.address, "/chat", Some(&token), Says::Auth, None);
        let socket = Box::new(socket.await.unwrap());
        let (room, subject) = (room.as_str().unwrap().to_owned(), subject.to_owned());
        let mut door = Self { socket, room, subject, role };
        door.does("joinRoom", json!({})).await;
        door
    }

    async fn does(&mut self, event: &str, mut data: Value) {
        data["roomId"] = json!(self.room);
        let answer = self.socket.ask(event, &data).await.unwrap();
        assert_eq!(answer["success"], true, "{event}: {answer}");
    }

    async fn room(&self, node: &TestNode, method: &str, what: &str) -> Value {
        let path = format!("/api/chat/room/{}{what}", self.room);
        answered(node, &ask(method, &path, &self.subject, self.role)).await
    }
}

impl Door for Fullmag {
    const WORDS: [&'static str; 3] = ["waiting", "open", "closed"];

    async fn visit(node: &TestNode, number: &str, text: &str) -> Self {
        let room = answered(node, &ask("GET", "/api/chat/room", number, "customer")).await;
        let mut door = Self::join(node, &room["id"], number, "customer").await;
        door.says(node, text).await;
        door
    }

    async fn take(node: &TestNode, _number: &str, text: &str) -> Self {
        // Lists have no names.
        let list = ask("GET", "/api/chat/support/rooms", SUPPORT, "manager");
        let item = listed(node, &list, "", "/lastMessage", text).await;
        assert_eq!(item["status"], Self::WORDS[0]);
        Self::join(node, &item["id"], SUPPORT, "manager").await
    }

    async fn tries(&mut self, _node: &TestNode, text: &str) -> bool {
        let said = json!({ "roomId": self.room, "senderId": self.subject, "message": text });
        let answer = self.socket.ask("sendMessage", &said).await;
        answer.is_ok_and(|answer| answer["success"] == true)
    }

    async fn hears(&mut self, _node: &TestNode, text: &str) {
        while self.socket.next("newMessage").await.unwrap()["message"] != text {}
    }

    async fn reads(&self, node: &TestNode) -> Option<Vec<String>> {
        let path = format!("/api/chat/room/{}/messages", self.room);
        let read = tried(node, &ask("GET", &path, &self.subject, self.role)).await?;
        Some(written(&read, "", "/message", ("/senderId", SYSTEM)))
    }

    async fn ends(&mut self, node: &TestNode) {
        self.room(node, "POST", "/close").await;
    }

    async fn status(&mut self, node: &TestNode) -> Value {
        self.room(node, "GET", "").await["status"].clone()
    }
}
