//! Both sides on Socket.IO.

use serde_json::{Value, json};

use super::{Door, ask, listed, name_of, tried, written};
use crate::contract::socket::{Says, Socket};
use crate::node::TestNode;
use crate::tokens::token;

const AGENT: &str = "31";

pub(super) struct Phase5 {
    socket: Box<Socket>,
    session: Value,
    subject: String,
    role: &'static str,
}

impl Phase5 {
    async fn connect(node: &TestNode, subject: &str, role: &str) -> Box<Socket> {
        let token = token(subject, role);
        Box::new(Socket::connect(node.address, "/", Some(&token), Says::Auth, None).await.unwrap())
    }

    async fn does(&mut self, event: &str, mut data: Value) -> Value {
        data["session_id"] = self.session.clone();
        let answer = self.socket.ask(event, &data).await.unwrap();
        assert_eq!(answer["success"], true, "{event}: {answer}");
        answer
    }
}

impl Door for Phase5 {
    const WORDS: [&'static str; 3] = ["pending", "active", "closed"];

    async fn visit(node: &TestNode, number: &str, text: &str) -> Self {
        let mut socket = Self::connect(node, number, "customer").await;
        let started = socket.ask("chat:start", &json!({})).await.unwrap();
        let session = started["session"]["id"].clone();
        let mut door = Self { socket, session, subject: number.to_owned(), role: "customer" };
        door.says(node, text).await;
        door
    }

    async fn take(node: &TestNode, number: &str, _text: &str) -> Self {
        let list = ask("GET", "/api/live-chat/agent/sessions?status=pending", AGENT, "agent");
        let name = name_of(number);
        let item = listed(node, &list, "/sessions", "/customer_name", &name).await;
        let socket = Self::connect(node, AGENT, "agent").await;
        let session = item["id"].clone();
        let mut door = Self { socket, session, subject: AGENT.to_owned(), role: "agent" };
        door.does("chat:accept", json!({})).await;
        door
    }

    async fn tries(&mut self, _node: &TestNode, text: &str) -> bool {
        let said = json!({ "session_id": self.session, "content": text });
        let answer = self.socket.ask("chat:send_message", &said).await;
        answer.is_ok_and(|answer| answer["success"] == true)
    }

    async fn hears(&mut self, _node: &TestNode, text: &str) {
        loop {
            let heard = self.socket.next("chat:new_message").await.unwrap();
            assert_eq!(heard["session_id"], self.session);
            if heard["message"]["content"] == text {
                return;
            }
        }
    }

    async fn reads(&self, node: &TestNode) -> Option<Vec<String>> {
        let path = format!("/api/live-chat/{}/messages", self.session);
        let read = tried(node, &ask("GET", &path, &self.subject, self.role)).await?;
        Some(written(&read, "/messages", "/content", ("/sender_type", "system")))
    }

    async fn ends(&mut self, _node: &TestNode) {
        self.does("chat:end", json!({})).await;
    }

    async fn status(&mut self, _node: &TestNode) -> Value {
        self.does("chat:join", json!({})).await["session"]["status"].clone()
    }
}
