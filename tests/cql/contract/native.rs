//! Our own door: both sides hear on the stream, and subscribe again where they stand when a
//! subscription was lost; they write under keys of their own.

use serde_json::{Value, json};

use super::plain::Plain;
use super::socket::Says;
use super::{Door, answered, ask, listed, name_of, tried, written};
use crate::node::TestNode;
use crate::server::DEVICE;
use crate::tokens::token;

const AGENT: &str = "35";

pub(super) struct Native {
    socket: Box<Plain>,
    conversation: String,
    subject: String,
    role: &'static str,
    log: Value,
    last: u64,
    n: u64,
}

impl Native {
    /// Follows a conversation live.
    async fn follow(node: &TestNode, id: &Value, subject: &str, role: &'static str) -> Self {
        let connecting = Plain::connect(node.address, "/v1/stream", None, Says::Auth, None);
        let mut socket = Box::new(connecting.await.unwrap());
        let hello = json!({ "token": token(subject, role) });
        socket.emit("hello", &hello).await.unwrap();
        socket.next("ready").await.unwrap();
        let (conversation, subject) = (id.as_str().unwrap().to_owned(), subject.to_owned());
        let mut door =
            Self { socket, conversation, subject, role, log: Value::Null, last: 0, n: 0 };
        door.subscribe().await;
        door
    }

    async fn subscribe(&mut self) {
        let after = if self.log.is_null() { Value::Null } else { json!(self.last) };
        let wish = json!({ "conversation": self.conversation, "log": self.log, "after": after });
        self.socket.emit("subscribe", &wish).await.unwrap();
    }

    /// The next events of the conversation; none for a frame of another kind.
    async fn events(&mut self) -> Vec<Value> {
        let kinds = ["subscribed", "event", "events", "refused", "ping"];
        let frame = self.socket.next_of(&kinds).await.unwrap();
        match frame["type"].as_str().unwrap() {
            "subscribed" => {
                if self.log.is_null() {
                    self.last = frame["from"].as_u64().unwrap() - 1;
                }
                self.log = frame["log"].clone();
                Vec::new()
            }
            "event" => vec![frame],
            "events" => frame["items"].as_array().unwrap().clone(),
            "refused" => {
                // Its conversation is on its way to another node.
                assert_eq!(frame["code"], "busy", "{frame}");
                self.subscribe().await;
                Vec::new()
            }
            _ => {
                self.socket.emit("pong", &Value::Null).await.unwrap();
                Vec::new()
            }
        }
    }

    async fn does(&self, node: &TestNode, action: &str) {
        let path = format!("/v1/conversations/{}/{action}", self.conversation);
        answered(node, &ask("POST", &path, &self.subject, self.role).json(&json!({}))).await;
    }
}

impl Door for Native {
    const WORDS: [&'static str; 3] = ["waiting", "active", "closed"];

    async fn visit(node: &TestNode, number: &str, text: &str) -> Self {
        let begin = ask("POST", "/v1/conversations", number, "customer");
        let said = json!({ "widget": "demo", "message": { "text": text } });
        let begun = answered(node, &begin.json(&said)).await;
        Self::follow(node, &begun["id"], number, "customer").await
    }

    async fn take(node: &TestNode, number: &str, _text: &str) -> Self {
        let list = ask("GET", "/v1/conversations?status=waiting", AGENT, "agent");
        let item = listed(node, &list, "/items", "/visitor/name", &name_of(number)).await;
        let door = Self::follow(node, &item["id"], AGENT, "agent").await;
        door.does(node, "accept").await;
        door
    }

    async fn tries(&mut self, node: &TestNode, text: &str) -> bool {
        // The same number until it was acknowledged (P3).
        let path = format!("/v1/conversations/{}/messages", self.conversation);
        let said = json!({ "text": text, "device": DEVICE, "n": self.n + 1 });
        let call = ask("POST", &path, &self.subject, self.role).json(&said);
        let is_acked = tried(node, &call).await.is_some();
        self.n += u64::from(is_acked);
        is_acked
    }

    async fn hears(&mut self, _node: &TestNode, text: &str) {
        loop {
            for event in self.events().await {
                let seq = event["seq"].as_u64().unwrap();
                if seq > self.last {
                    // P5: nothing is left out.
                    assert_eq!(seq, self.last + 1, "{event}");
                    self.last = seq;
                }
                if event["body"]["text"] == text {
                    return;
                }
            }
        }
    }

    async fn reads(&self, node: &TestNode) -> Option<Vec<String>> {
        let path = format!("/v1/conversations/{}/messages?after=0&limit=200", self.conversation);
        let read = tried(node, &ask("GET", &path, &self.subject, self.role)).await?;
        Some(written(&read, "/items", "/body/text", ("/from/kind", "system")))
    }

    async fn ends(&mut self, node: &TestNode) {
        self.does(node, "close").await;
    }

    async fn status(&mut self, node: &TestNode) -> Value {
        let path = format!("/v1/conversations/{}", self.conversation);
        answered(node, &ask("GET", &path, &self.subject, self.role)).await["status"].clone()
    }
}
