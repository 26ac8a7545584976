//! Both sides on a WebSocket of plain JSON; sessions are made and changed by REST.

use serde_json::{Value, json};

use super::{Door, answered, ask, listed, name_of, tried, written};
use crate::contract::plain::Plain;
use crate::contract::socket::Says;
use crate::node::TestNode;
use crate::tokens::token;

const AGENT: &str = "34";
const SESSIONS: &str = "/v1/chat/sessions";

pub(super) struct Tms {
    socket: Box<Plain>,
    session: String,
    subject: String,
    role: &'static str,
}

impl Tms {
    async fn connect(node: &TestNode, subject: &str, role: &str) -> Box<Plain> {
        let (path, token) = ("/v1/chat/ws", token(subject, role));
        let socket = Plain::connect(node.address, path, Some(&token), Says::Header, None);
        Box::new(socket.await.unwrap())
    }

    async fn does(&self, node: &TestNode, what: &str, body: &Value) -> Value {
        let path = format!("{SESSIONS}/{}/{what}", self.session);
        answered(node, &ask("POST", &path, &self.subject, self.role).json(body)).await
    }
}

impl Door for Tms {
    const WORDS: [&'static str; 3] = ["waiting", "active", "ended"];

    async fn visit(node: &TestNode, number: &str, text: &str) -> Self {
        let (subject, role) = (number.to_owned(), "customer");
        let socket = Self::connect(node, number, role).await;
        let start = ask("POST", SESSIONS, number, role).json(&json!({ "widget_id": "demo" }));
        let session = answered(node, &start).await["id"].as_str().unwrap().to_owned();
        let mut door = Self { socket, session, subject, role };
        door.says(node, text).await;
        door
    }

    async fn take(node: &TestNode, number: &str, _text: &str) -> Self {
        let (subject, role) = (AGENT.to_owned(), "agent");
        let socket = Self::connect(node, AGENT, role).await;
        let list = ask("GET", &format!("{SESSIONS}?status=waiting"), AGENT, role);
        let item = listed(node, &list, "/sessions", "/customer_name", &name_of(number)).await;
        let session = item["id"].as_str().unwrap().to_owned();
        let door = Self { socket, session, subject, role };
        door.does(node, "assign", &json!({ "agent_id": AGENT })).await;
        door
    }

    async fn tries(&mut self, node: &TestNode, text: &str) -> bool {
        let said = json!({ "session_id": self.session, "content": text });
        self.socket.emit("send_message", &said).await.unwrap();
        loop {
            match self.socket.next_of(&["new_message", "error"]).await {
                Ok(frame) if frame["type"] == "error" => return false,
                // Whoever writes hears it: then it is kept.
                Ok(frame) if frame["message"]["content"] == text => return true,
                Ok(frame) => assert_ne!(frame["session_id"], Value::Null, "{frame}"),
                Err(_) => {
                    self.socket = Self::connect(node, &self.subject, self.role).await;
                    return false;
                }
            }
        }
    }

    async fn hears(&mut self, _node: &TestNode, text: &str) {
        loop {
            let heard = self.socket.next("new_message").await.unwrap();
            if heard["session_id"] == self.session && heard["message"]["content"] == text {
                return;
            }
        }
    }

    async fn reads(&self, node: &TestNode) -> Option<Vec<String>> {
        let path = format!("{SESSIONS}/{}/messages", self.session);
        let read = tried(node, &ask("GET", &path, &self.subject, self.role)).await?;
        Some(written(&read, "/messages", "/content", ("/author_type", "system")))
    }

    async fn ends(&mut self, node: &TestNode) {
        self.does(node, "end", &json!({})).await;
    }

    async fn status(&mut self, node: &TestNode) -> Value {
        let path = format!("{SESSIONS}/{}", self.session);
        answered(node, &ask("GET", &path, &self.subject, self.role)).await["status"].clone()
    }
}
