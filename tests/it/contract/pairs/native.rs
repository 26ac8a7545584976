//! Our own door: both sides on the stream; conversations are begun and changed by REST.

use serde_json::{Value, json};

use super::{Door, answered, ask, listed, name_of, tried, written};
use crate::harness::Client;
use crate::node::TestNode;
use crate::tokens::token;

const AGENT: &str = "35";

pub(super) struct Native {
    client: Client,
    conversation: String,
    subject: String,
    role: &'static str,
    n: u64,
}

impl Native {
    /// Follows a conversation live.
    async fn follow(node: &TestNode, id: &Value, subject: &str, role: &'static str) -> Self {
        let mut client = Client::open(node.address, None, None).await.unwrap();
        client.send(json!({ "type": "hello", "token": token(subject, role) })).await;
        client.next_of("ready").await;
        let (conversation, subject) = (id.as_str().unwrap().to_owned(), subject.to_owned());
        client.subscribe(&conversation, None, (Value::Null, Value::Null)).await;
        Self { client, conversation, subject, role, n: 0 }
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

    async fn tries(&mut self, _node: &TestNode, text: &str) -> bool {
        self.n += 1;
        self.client.write(&self.conversation, self.n, text).await;
        self.client.next_of("ack").await;
        true
    }

    async fn hears(&mut self, _node: &TestNode, text: &str) {
        let is_it = |frame: &Value| frame["type"] == "event" && frame["body"]["text"] == text;
        self.client.next_where(text, is_it).await;
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
