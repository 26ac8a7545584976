//! Both sides by REST: who wants to hear asks again.

use serde_json::{Value, json};

use super::{Door, answered, ask, listed, name_of, tried, until, written};
use crate::http::Call;
use crate::node::TestNode;

const ADMIN: &str = "33";

pub(super) struct Ges {
    session: String,
    is_admin: bool,
}

impl Ges {
    fn call(&self, method: &str, query: &str) -> Call {
        if self.is_admin {
            ask(method, &format!("/api/v1/admin/chat{query}"), ADMIN, "agent")
        } else {
            Call::new(method, &format!("/api/v1/chat{query}"))
        }
    }

    fn chat(&self) -> Call {
        self.call("GET", &format!("?sessionId={}", self.session))
    }

    async fn becomes(&self, node: &TestNode, status: &str) {
        let change = json!({ "sessionId": self.session, "status": status });
        answered(node, &self.call("PATCH", "").json(&change)).await;
    }
}

impl Door for Ges {
    const WORDS: [&'static str; 3] = ["WAITING", "ACTIVE", "CLOSED"];

    async fn visit(node: &TestNode, number: &str, text: &str) -> Self {
        let said = json!({ "visitorName": name_of(number), "message": text });
        let started = answered(node, &Call::new("POST", "/api/v1/chat").json(&said)).await;
        let session = started["data"]["sessionId"].as_str().unwrap().to_owned();
        Self { session, is_admin: false }
    }

    async fn take(node: &TestNode, number: &str, _text: &str) -> Self {
        let list = ask("GET", "/api/v1/admin/chat?status=WAITING", ADMIN, "agent");
        let item = listed(node, &list, "/data/chats", "/visitorName", &name_of(number)).await;
        let session = item["sessionId"].as_str().unwrap().to_owned();
        let door = Self { session, is_admin: true };
        door.becomes(node, "ACTIVE").await;
        door
    }

    async fn tries(&mut self, node: &TestNode, text: &str) -> bool {
        let said = json!({ "sessionId": self.session, "message": text });
        tried(node, &self.call("POST", "").json(&said)).await.is_some()
    }

    async fn hears(&mut self, node: &TestNode, text: &str) {
        let has = |answer: &Value| {
            let messages = answer["data"]["messages"].as_array().unwrap();
            messages.iter().any(|message| message["message"] == text)
        };
        until(node, &self.chat(), has).await;
    }

    async fn reads(&self, node: &TestNode) -> Option<Vec<String>> {
        let read = tried(node, &self.chat()).await?;
        Some(written(&read, "/data/messages", "/message", ("/senderType", "SYSTEM")))
    }

    async fn ends(&mut self, node: &TestNode) {
        self.becomes(node, "CLOSED").await;
    }

    async fn status(&mut self, node: &TestNode) -> Value {
        answered(node, &self.chat()).await["data"]["status"].clone()
    }
}
