//! Hostile clients at each dialect: what they say is refused in the dialect's own shape, and whoever
//! else is there notices nothing.

use serde_json::{Value, json};

use super::plain::Plain;
use super::socket::{Says, Socket};
use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::tokens::{expired, other_token, signed, token, unsigned};

/// More than any body may have.
const TOO_LARGE: usize = 129 * 1024;

/// A dialect as strangers see it.
struct Door {
    name: &'static str,
    /// What asks for a list, as an agent of that role.
    list: &'static str,
    role: &'static str,
    /// What takes a body of JSON, whoever says it.
    post: &'static str,
    /// What a refusal says besides words, and where the words are.
    refusal: fn(u16) -> Value,
    words: &'static str,
    /// Where its sockets are.
    socket: Option<Place>,
}

/// Where a socket is.
#[derive(Clone, Copy)]
enum Place {
    Namespace(&'static str),
    Path(&'static str),
}

const DOORS: [Door; 5] = [
    Door {
        name: "phase5",
        list: "/api/live-chat/agent/sessions",
        role: "agent",
        post: "/api/live-chat/start",
        refusal: |_| json!({ "success": false }),
        words: "message",
        socket: Some(Place::Namespace("/")),
    },
    Door {
        name: "fullmag",
        list: "/api/chat/support/rooms",
        role: "manager",
        post: "/api/chat/support/room/00000000-0000-7000-8000-000000000000/assign",
        refusal: |status| {
            let error = match status {
                400 => "Bad Request",
                401 => "Unauthorized",
                404 => "Not Found",
                413 => "Payload Too Large",
                other => panic!("{other} is not expected"),
            };
            json!({ "statusCode": status, "error": error })
        },
        words: "message",
        socket: Some(Place::Namespace("/chat")),
    },
    Door {
        name: "ges",
        list: "/api/v1/admin/chat",
        role: "agent",
        post: "/api/v1/chat",
        refusal: |_| json!({ "success": false }),
        words: "error",
        socket: None,
    },
    Door {
        name: "tms",
        list: "/v1/chat/sessions",
        role: "agent",
        post: "/v1/chat/sessions",
        refusal: |_| json!({}),
        words: "error",
        socket: Some(Place::Path("/v1/chat/ws")),
    },
    Door {
        name: "localpro",
        list: "/api/admin/live-chat/sessions",
        role: "support",
        post: "/api/live-chat/sessions",
        refusal: |_| json!({ "success": false }),
        words: "message",
        socket: Some(Place::Path("/ws/live-chat?admin=true")),
    },
];

impl Door {
    /// Checks a refusal: status, words, and nothing else that the dialect does not say.
    fn refuses(&self, reply: &Reply, status: u16, what: &str) {
        assert_eq!(reply.status, status, "{} {what}: {}", self.name, reply.body);
        let mut said = reply.json();
        let words = said.as_object_mut().unwrap().remove(self.words);
        assert!(words.is_some_and(|words| words.is_string()), "{} {what}", self.name);
        assert_eq!(said, (self.refusal)(status), "{} {what}", self.name);
    }
}

/// Credentials that are no good.
fn forgeries(role: &str) -> Vec<(&'static str, String)> {
    let strange = json!({ "sub": "1", "role": role });
    vec![
        ("expired", expired("1", role)),
        ("unsigned", unsigned("1", role)),
        (
            "of another key",
            signed("another secret, and long enough", &json!({ "alg": "HS256" }), &strange),
        ),
        ("without an end", signed(crate::tokens::SECRET, &json!({ "alg": "HS256" }), &strange)),
        ("cut", token("1", role)[..60].to_owned()),
        ("made longer", format!("{}A", token("1", role))),
        ("no token", "null".to_owned()),
        ("huge", "A.".repeat(3_000)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_no_good_opens_nothing() {
    let node = TestNode::start().await;
    for door in DOORS {
        for (what, forged) in forgeries(door.role) {
            let call = Call::new("GET", door.list).token(Some(&forged));
            door.refuses(&node.send(&call).await, 401, what);
            for says in [Says::Auth, Says::Header, Says::Query] {
                let refused = match (door.socket, says) {
                    (Some(Place::Namespace(path)), _) => {
                        let opened = Socket::connect(node.address, path, Some(&forged), says, None);
                        opened.await.err()
                    }
                    (Some(Place::Path(path)), Says::Header | Says::Query) => {
                        let opened = Plain::connect(node.address, path, Some(&forged), says, None);
                        opened.await.err()
                    }
                    (Some(Place::Path(_)), Says::Auth | Says::Protocol) | (None, _) => continue,
                };
                let refused = refused.unwrap_or_else(|| panic!("{} {what} {says:?}", door.name));
                let words = [&refused["message"], &refused["error"]];
                assert!(
                    words.contains(&&json!("A valid token is needed")),
                    "{} {what} {says:?}: {refused}",
                    door.name
                );
            }
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_good_are_refused_and_cost_nothing() {
    let node = TestNode::start().await;
    let mut bystander = Bystander::new(&node).await;
    let deep = |open: &str| open.repeat(20_000).into_bytes();
    for door in DOORS {
        let role = if door.name == "fullmag" { door.role } else { "customer" };
        let post = |body: &[u8]| {
            Call::new("POST", door.post)
                .token(Some(&token("1", role)))
                .bytes("application/json", body)
        };
        for (what, body) in [
            ("a deep list", deep("[")),
            ("deep objects", deep("{\"a\":")),
            ("no text", vec![0xFF, 0xFE, 0x00]),
            ("half a text", b"{\"message\":\"\\ud800".to_vec()),
            ("a number", b"1e999".to_vec()),
            ("words", b"hello".to_vec()),
        ] {
            door.refuses(&node.send(&post(&body)).await, 400, what);
            bystander.goes_on().await;
        }
        let huge = format!("{{\"message\":\"{}\"}}", "x".repeat(TOO_LARGE));
        door.refuses(&node.send(&post(huge.as_bytes())).await, 413, "too much");
        bystander.goes_on().await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_of_another_tenant_finds_nothing_anywhere() {
    let node = TestNode::start().await;
    let mut bystander = Bystander::new(&node).await;
    let begin = Call::new("POST", "/v1/conversations").token(Some(&token("7", "customer")));
    let said = json!({ "widget": "demo", "message": { "text": "ours alone" } });
    let begun = node.send(&begin.json(&said)).await.json();
    let (id, number) = (begun["id"].as_str().unwrap(), &begun["number"]);
    let unknown = "00000000-0000-7000-8000-000000000000";
    for role in ["agent", "supervisor", "owner", "customer"] {
        let stranger = other_token("7", role);
        for (path, name, absent) in [
            ("/api/live-chat/{}/messages", number.to_string(), "987654".to_owned()),
            ("/api/chat/room/{}", id.to_owned(), unknown.to_owned()),
            ("/api/chat/room/{}/messages", id.to_owned(), unknown.to_owned()),
            ("/api/v1/admin/chat?chatId={}", id.to_owned(), unknown.to_owned()),
            ("/v1/chat/sessions/{}", id.to_owned(), unknown.to_owned()),
            ("/v1/chat/sessions/{}/messages", id.to_owned(), unknown.to_owned()),
            ("/api/admin/live-chat/sessions/{}", id.to_owned(), unknown.to_owned()),
        ] {
            let get = async |name: &str| {
                let call = Call::new("GET", &path.replace("{}", name)).token(Some(&stranger));
                node.send(&call).await
            };
            let (found, never) = (get(&name).await, get(&absent).await);
            // As if it had never been; and whoever may not ask at all is told just that.
            assert!([403, 404].contains(&found.status), "{path} {role}: {}", found.body);
            assert_eq!((found.status, found.body), (never.status, never.body), "{path} {role}");
        }
    }
    for door in DOORS {
        let call = Call::new("GET", door.list).token(Some(&other_token("7", door.role)));
        let list = node.send(&call).await;
        assert_eq!(list.status, 200, "{}: {}", door.name, list.body);
        assert!(!list.body.contains(id), "{}: {}", door.name, list.body);
    }
    bystander.goes_on().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_floods_a_namespace_is_out_or_answered_and_nobody_else_notices() {
    let node = TestNode::start().await;
    let mut bystander = Bystander::new(&node).await;
    for place in ["/", "/chat"] {
        let token = token("66", "customer");
        let connected = Socket::connect(node.address, place, Some(&token), Says::Auth, None);
        let mut flood = connected.await.unwrap();
        let nonsense = json!({ "roomId": "x".repeat(4_000), "session_id": { "a": [[[[1]]]] } });
        for n in 0..2_000 {
            flood.emit(if n % 2 == 0 { "joinRoom" } else { "chat:join" }, &nonsense).await;
        }
        flood.until_answered(2_000).await;
        assert_eq!(flood.n_acked(), 0);
        bystander.goes_on().await;
    }
    let (path, token) = ("/v1/chat/ws", token("66", "customer"));
    let connected = Plain::connect(node.address, path, Some(&token), Says::Header, None);
    let mut flood = connected.await.unwrap();
    for _ in 0..2_000 {
        let frame = json!({ "session_id": "x".repeat(4_000), "content": [[[[1]]]] });
        flood.emit("send_message", &frame).await.unwrap();
    }
    // Each is answered in the end, or too many were nonsense.
    let told = flood.next("error").await.unwrap();
    assert!(told["error"].is_string(), "{told}");
    bystander.goes_on().await;
    node.stop().await;
}

/// A customer and an agent in a chat, beside whatever happens.
struct Bystander {
    customer: Box<Socket>,
    agent: Box<Socket>,
    session: Value,
    n: usize,
}

impl Bystander {
    async fn new(node: &TestNode) -> Self {
        let connect = async |subject: &str, role: &str| {
            let token = token(subject, role);
            let socket = Socket::connect(node.address, "/", Some(&token), Says::Auth, None);
            Box::new(socket.await.unwrap())
        };
        let (mut customer, mut agent) =
            (connect("901", "customer").await, connect("902", "agent").await);
        let started = customer.ask("chat:start", &json!({})).await.unwrap();
        let session = started["session"]["id"].clone();
        let accepted = agent.ask("chat:accept", &json!({ "session_id": session })).await.unwrap();
        assert_eq!(accepted["success"], true, "{accepted}");
        Self { customer, agent, session, n: 0 }
    }

    /// Both still hear each other, and nothing else.
    async fn goes_on(&mut self) {
        self.n += 1;
        for is_answer in [false, true] {
            let text = format!("{} {}", if is_answer { "answer" } else { "question" }, self.n);
            let data = json!({ "session_id": self.session, "content": text });
            let (from, to) = if is_answer {
                (&mut self.agent, &mut self.customer)
            } else {
                (&mut self.customer, &mut self.agent)
            };
            assert_eq!(from.ask("chat:send_message", &data).await.unwrap()["success"], true);
            loop {
                let heard = to.next("chat:new_message").await.unwrap();
                assert_eq!(heard["session_id"], self.session);
                if heard["message"]["content"] == text {
                    break;
                }
            }
        }
    }
}
