//! Both sides on Socket.IO.

use serde_json::{Value, json};

use super::{Door, ask, listed, name_of};
use crate::contract::socket::{Says, Socket};
use crate::node::TestNode;
use crate::tokens::token;

const AGENT: &str = "31";

pub(super) struct Phase5 {
    socket: Box<Socket>,
    session: Value,
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
        let mut door = Self { socket, session: started["session"]["id"].clone() };
        door.says(node, text).await;
        door
    }

    async fn take(node: &TestNode, number: &str, _text: &str) -> Self {
        let list = ask("GET", "/api/live-chat/agent/sessions?status=pending", AGENT, "agent");
        let name = name_of(number);
        let item = listed(node, &list, "/sessions", "/customer_name", &name).await;
        let socket = Self::connect(node, AGENT, "agent").await;
        let mut door = Self { socket, session: item["id"].clone() };
        door.does("chat:accept", json!({})).await;
        door
    }

    async fn says(&mut self, _node: &TestNode, text: &str) {
        self.does("chat:send_message", json!({ "content": text })).await;
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

    async fn ends(&mut self, _node: &TestNode) {
        self.does("chat:end", json!({})).await;
    }

    async fn status(&mut self, _node: &TestNode) -> Value {
        self.does("chat:join", json!({})).await["session"]["status"].clone()
    }
}
