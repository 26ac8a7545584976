//! Both sides hear on a WebSocket of plain JSON and write by REST; users have a cookie.

use serde_json::{Value, json};

use super::{Door, answered, ask, listed, name_of, tried, written};
use crate::contract::plain::Plain;
use crate::contract::socket::Says;
use crate::http::Call;
use crate::node::TestNode;
use crate::tokens::token;

const AGENT: &str = "36";
const SOCKET: &str = "/ws/live-chat";
const SESSIONS: &str = "/api/live-chat/sessions";
const ADMIN_SESSIONS: &str = "/api/admin/live-chat/sessions";

pub(super) struct Localpro {
    socket: Box<Plain>,
    session: String,
    /// Of a user; agents have none.
    cookie: Option<String>,
}

impl Localpro {
    fn call(&self, method: &str, what: &str) -> Call {
        match &self.cookie {
            Some(cookie) => {
                let path = format!("{SESSIONS}/{}{what}", self.session);
                Call::new(method, &path).header("Cookie", cookie)
            }
            None => {
                let path = format!("{ADMIN_SESSIONS}/{}{what}", self.session);
                ask(method, &path, AGENT, "support")
            }
        }
    }
}

impl Door for Localpro {
    const WORDS: [&'static str; 3] = ["pending", "active", "closed"];

    async fn visit(node: &TestNode, number: &str, text: &str) -> Self {
        let session = format!("session-{number}-k3j9x0q2z");
        let user = json!({ "name": name_of(number), "email": format!("{number}@example.com") });
        let said = json!({ "sessionId": session, "user": user });
        let begun = node.send(&Call::new("POST", SESSIONS).json(&said)).await;
        assert_eq!(begun.status, 201, "{}", begun.body);
        let cookie = begun.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let uri = format!("ws://{}{SOCKET}?sessionId={session}", node.address);
        let socket = Plain::open(&uri, &[("cookie", cookie.clone())]).await.unwrap();
        let mut door = Self { socket: Box::new(socket), session, cookie: Some(cookie) };
        door.says(node, text).await;
        door
    }

    async fn take(node: &TestNode, number: &str, _text: &str) -> Self {
        let (path, token) = (format!("{SOCKET}?admin=true"), token(AGENT, "support"));
        let socket = Plain::connect(node.address, &path, Some(&token), Says::Query, None).await;
        let list = ask("GET", &format!("{ADMIN_SESSIONS}?status=pending"), AGENT, "support");
        let item = listed(node, &list, "/data", "/user/name", &name_of(number)).await;
        let session = item["sessionId"].as_str().unwrap().to_owned();
        let door = Self { socket: Box::new(socket.unwrap()), session, cookie: None };
        let assign = door.call("PATCH", "/assign").json(&json!({ "agentId": AGENT }));
        answered(node, &assign).await;
        door
    }

    async fn tries(&mut self, node: &TestNode, text: &str) -> bool {
        let what = if self.cookie.is_some() { "/messages" } else { "/reply" };
        tried(node, &self.call("POST", what).json(&json!({ "content": text }))).await.is_some()
    }

    async fn hears(&mut self, _node: &TestNode, text: &str) {
        let kind = if self.cookie.is_some() { "agent_message" } else { "user_message" };
        loop {
            let heard = self.socket.next(kind).await.unwrap();
            if heard["sessionId"] == self.session && heard["message"]["content"] == text {
                return;
            }
        }
    }

    async fn reads(&self, node: &TestNode) -> Option<Vec<String>> {
        let (what, list) = match self.cookie {
            Some(_) => ("/messages?limit=200", "/data"),
            None => ("", "/data/messages"),
        };
        let read = tried(node, &self.call("GET", what)).await?;
        Some(written(&read, list, "/content", ("/type", "system")))
    }

    async fn ends(&mut self, node: &TestNode) {
        let change = json!({ "status": "closed" });
        answered(node, &self.call("PATCH", "/status").json(&change)).await;
    }

    async fn status(&mut self, node: &TestNode) -> Value {
        let data = answered(node, &self.call("GET", "")).await["data"].clone();
        let session = if self.cookie.is_some() { &data } else { &data["session"] };
        session["status"].clone()
    }
}
