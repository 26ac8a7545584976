//! Every dialect with every other, and with our own API: a visitor who comes through one is
//! answered through the other, both hear it without delay, and each reads its own words.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::socket::{Says, Socket};
use crate::http::Call;
use crate::node::TestNode;
use crate::tokens::token;

/// How long something that becomes true by itself may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A door that visitors and agents use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Phase5,
    Ges,
    /// Our own; its visitors are tested elsewhere.
    Native,
}

const VISITED: [Door; 2] = [Door::Phase5, Door::Ges];
const ANSWERED: [Door; 3] = [Door::Phase5, Door::Ges, Door::Native];

impl Door {
    /// Its words for what waits, what is answered, and what has ended.
    const fn words(self) -> [&'static str; 3] {
        match self {
            Self::Phase5 => ["pending", "active", "closed"],
            Self::Ges => ["WAITING", "ACTIVE", "CLOSED"],
            Self::Native => ["waiting", "active", "closed"],
        }
    }

    /// Who answers there.
    const fn agent(self) -> &'static str {
        match self {
            Self::Phase5 => "31",
            Self::Ges => "32",
            Self::Native => "33",
        }
    }
}

/// Asks until an answer is as it should be; answers that.
async fn until(node: &TestNode, call: &Call, is_good: impl Fn(&Value) -> bool) -> Value {
    let patience = Instant::now() + PATIENCE;
    loop {
        let reply = node.send(call).await;
        assert!(reply.status < 300, "{call:?}: {}", reply.body);
        let answer = reply.json();
        if is_good(&answer) {
            return answer;
        }
        assert!(Instant::now() < patience, "{call:?}: {answer}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// The first of a list that has that value, in a field or one within it.
fn found<'a>(list: &'a Value, path: &str, value: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|item| item.pointer(path).is_some_and(|found| found == value))
}

fn ask(method: &str, path: &str, agent: &str) -> Call {
    Call::new(method, path).token(Some(&token(agent, "agent")))
}

async fn connected(node: &TestNode, subject: &str, role: &str) -> Box<Socket> {
    let token = token(subject, role);
    Box::new(Socket::connect(node.address, "/", Some(&token), Says::Auth, None).await.unwrap())
}

/// Waits until a socket of phase5 hears a text.
async fn hears(socket: &mut Socket, text: &str) {
    loop {
        let heard = socket.next("chat:new_message").await.unwrap();
        if heard["message"]["content"] == text {
            return;
        }
    }
}

async fn says(socket: &mut Socket, session: &Value, text: &str) {
    let data = json!({ "session_id": session, "content": text });
    assert_eq!(socket.ask("chat:send_message", &data).await.unwrap()["success"], true);
}

async fn stands(socket: &mut Socket, session: &Value) -> Value {
    let joined = socket.ask("chat:join", &json!({ "session_id": session })).await.unwrap();
    joined["session"]["status"].clone()
}

/// A visitor in a chat of their own.
enum Visitor {
    Phase5 { socket: Box<Socket>, session: Value },
    Ges { session: String },
}

impl Visitor {
    /// Begins a chat as the customer of that number.
    async fn start(node: &TestNode, door: Door, number: &str) -> Self {
        match door {
            Door::Phase5 => {
                let mut socket = connected(node, number, "customer").await;
                let started = socket.ask("chat:start", &json!({})).await.unwrap();
                Self::Phase5 { socket, session: started["session"]["id"].clone() }
            }
            Door::Ges => {
                let said = json!({ "visitorName": format!("Name of {number}") });
                let started = node.send(&Call::new("POST", "/api/v1/chat").json(&said)).await;
                let session = started.json()["data"]["sessionId"].as_str().unwrap().to_owned();
                Self::Ges { session }
            }
            Door::Native => panic!("nobody visits it here"),
        }
    }

    fn chat(session: &str) -> Call {
        Call::new("GET", &format!("/api/v1/chat?sessionId={session}"))
    }

    async fn says(&mut self, node: &TestNode, text: &str) {
        match self {
            Self::Phase5 { socket, session } => says(socket, session, text).await,
            Self::Ges { session } => {
                let said = json!({ "sessionId": session, "message": text });
                let reply = node.send(&Call::new("POST", "/api/v1/chat").json(&said)).await;
                assert_eq!(reply.status, 200, "{}", reply.body);
            }
        }
    }

    async fn hears(&mut self, node: &TestNode, text: &str) {
        match self {
            Self::Phase5 { socket, .. } => hears(socket, text).await,
            Self::Ges { session } => {
                let has =
                    |answer: &Value| found(&answer["data"]["messages"], "/message", text).is_some();
                until(node, &Self::chat(session), has).await;
            }
        }
    }

    async fn status(&mut self, node: &TestNode) -> Value {
        match self {
            Self::Phase5 { socket, session } => stands(socket, session).await,
            Self::Ges { session } => {
                node.send(&Self::chat(session)).await.json()["data"]["status"].clone()
            }
        }
    }
}

/// An agent, and the chat as it is called there.
enum Agent {
    Phase5 { socket: Box<Socket>, session: Value },
    Ges { chat: String },
    Native { conversation: String },
}

impl Agent {
    /// Takes the chat of the customer of that number, which waits.
    async fn take(node: &TestNode, door: Door, number: &str) -> Self {
        let name = format!("Name of {number}");
        let (me, word) = (door.agent(), door.words()[0]);
        let (path, list, field) = match door {
            Door::Phase5 => {
                ("/api/live-chat/agent/sessions?status=", "/sessions", "/customer_name")
            }
            Door::Ges => ("/api/v1/admin/chat?status=", "/data/chats", "/visitorName"),
            Door::Native => ("/v1/conversations?status=", "/items", "/visitor/name"),
        };
        let call = ask("GET", &format!("{path}{word}"), me);
        let in_list = |answer: &Value| {
            answer.pointer(list).and_then(|chats| found(chats, field, &name)).is_some()
        };
        let answer = until(node, &call, in_list).await;
        let item = found(answer.pointer(list).unwrap(), field, &name).unwrap();
        match door {
            Door::Phase5 => {
                let mut socket = connected(node, me, "agent").await;
                let data = json!({ "session_id": item["id"] });
                assert_eq!(socket.ask("chat:accept", &data).await.unwrap()["success"], true);
                Self::Phase5 { socket, session: item["id"].clone() }
            }
            Door::Ges => {
                let chat = item["sessionId"].as_str().unwrap().to_owned();
                let agent = Self::Ges { chat };
                agent.patch(node, "ACTIVE").await;
                agent
            }
            Door::Native => {
                let conversation = item["id"].as_str().unwrap().to_owned();
                let agent = Self::Native { conversation };
                agent.post(node, "accept", &json!({})).await;
                agent
            }
        }
    }

    async fn patch(&self, node: &TestNode, status: &str) {
        let Self::Ges { chat } = self else { panic!("another door") };
        let change = json!({ "sessionId": chat, "status": status });
        let call = ask("PATCH", "/api/v1/admin/chat", Door::Ges.agent()).json(&change);
        let reply = node.send(&call).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    async fn post(&self, node: &TestNode, what: &str, body: &Value) {
        let Self::Native { conversation } = self else { panic!("another door") };
        let path = format!("/v1/conversations/{conversation}/{what}");
        let reply = node.send(&ask("POST", &path, Door::Native.agent()).json(body)).await;
        assert!(reply.status < 300, "{}", reply.body);
    }

    fn chat(&self) -> Call {
        match self {
            Self::Ges { chat } => {
                ask("GET", &format!("/api/v1/admin/chat?sessionId={chat}"), Door::Ges.agent())
            }
            Self::Native { conversation } => {
                ask("GET", &format!("/v1/conversations/{conversation}"), Door::Native.agent())
            }
            Self::Phase5 { .. } => panic!("it listens"),
        }
    }

    async fn says(&mut self, node: &TestNode, text: &str) {
        match self {
            Self::Phase5 { socket, session } => says(socket, session, text).await,
            Self::Ges { chat } => {
                let said = json!({ "sessionId": chat, "message": text });
                let call = ask("POST", "/api/v1/admin/chat", Door::Ges.agent()).json(&said);
                let reply = node.send(&call).await;
                assert_eq!(reply.status, 200, "{}", reply.body);
            }
            Self::Native { .. } => self.post(node, "messages", &json!({ "text": text })).await,
        }
    }

    async fn hears(&mut self, node: &TestNode, text: &str) {
        let has = |answer: &Value| match answer.get("data") {
            Some(chat) => found(&chat["messages"], "/message", text).is_some(),
            None => answer["last"]["text"] == text,
        };
        match self {
            Self::Phase5 { socket, .. } => hears(socket, text).await,
            Self::Ges { .. } | Self::Native { .. } => drop(until(node, &self.chat(), has).await),
        }
    }

    async fn ends(&mut self, node: &TestNode) {
        match self {
            Self::Phase5 { socket, session } => {
                let ended = socket.ask("chat:end", &json!({ "session_id": session })).await;
                assert_eq!(ended.unwrap()["success"], true);
            }
            Self::Ges { .. } => self.patch(node, "CLOSED").await,
            Self::Native { .. } => self.post(node, "close", &json!({})).await,
        }
    }

    async fn status(&mut self, node: &TestNode) -> Value {
        match self {
            Self::Phase5 { socket, session } => stands(socket, session).await,
            Self::Ges { .. } => node.send(&self.chat()).await.json()["data"]["status"].clone(),
            Self::Native { .. } => node.send(&self.chat()).await.json()["status"].clone(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_one_door_is_answered_through_any_other() {
    let node = TestNode::start().await;
    // Somebody is there.
    let beat = json!({ "isOnline": true });
    let call = ask("POST", "/api/v1/admin/presence", Door::Ges.agent()).json(&beat);
    assert_eq!(node.send(&call).await.status, 200);
    let pairs = VISITED.iter().flat_map(|from| ANSWERED.iter().map(move |to| (*from, *to)));
    for (idx, (from, to)) in pairs.enumerate() {
        let number = (1_001 + idx).to_string();
        let [_, active, closed] = from.words();
        let mut visitor = Visitor::start(&node, from, &number).await;
        assert_eq!(visitor.status(&node).await, from.words()[0], "{from:?} {to:?}");
        let mut agent = Agent::take(&node, to, &number).await;
        assert_eq!(visitor.status(&node).await, active, "{from:?} {to:?}");
        assert_eq!(agent.status(&node).await, to.words()[1], "{from:?} {to:?}");
        for n in 1..=2 {
            let (question, answer) = (format!("question {n}"), format!("answer {n}"));
            visitor.says(&node, &question).await;
            agent.hears(&node, &question).await;
            agent.says(&node, &answer).await;
            visitor.hears(&node, &answer).await;
        }
        agent.ends(&node).await;
        assert_eq!(visitor.status(&node).await, closed, "{from:?} {to:?}");
        assert_eq!(agent.status(&node).await, to.words()[2], "{from:?} {to:?}");
    }
    node.stop().await;
}
