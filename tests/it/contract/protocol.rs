//! Engine.IO 4 and Socket.IO 5 as our mount speaks them, packet by packet: the cases of the public
//! protocol suites, with our own events where those have an echo (`docs/dialects/socket-io.md`).

use futures_util::future::join;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::tokens::token;

/// Nothing in a test takes longer; what does is broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a session is ended beside a poll: each time the two meet in another moment.
const ENDINGS: usize = 300;
/// What an event that nobody knows is acknowledged with.
const UNKNOWN: &str = r#"{"message":"there is no such event","success":false}"#;

/// A transport that polls.
struct Polling<'a> {
    node: &'a TestNode,
    path: String,
    sid: String,
}

impl<'a> Polling<'a> {
    /// A new session, whose first ping is answered: it comes at once.
    async fn open(node: &'a TestNode) -> Self {
        let path = format!("/socket.io/?EIO=4&transport=polling&token={}", token("1", "customer"));
        let open = node.send(&Call::new("GET", &path)).await;
        assert_eq!(open.status, 200, "{}", open.body);
        let sid = opened(&open.body)["sid"].as_str().unwrap().to_owned();
        let polling = Self { node, path: format!("{path}&sid={sid}"), sid };
        assert_eq!(polling.poll().await.body, "2");
        polling.says("3").await;
        polling
    }

    /// The same, in the namespace `/`.
    async fn enter(node: &'a TestNode) -> Self {
        let polling = Self::open(node).await;
        polling.says("40").await;
        entered(&polling.hears(1).await[0], "");
        polling
    }

    async fn poll(&self) -> Reply {
        self.node.send(&Call::new("GET", &self.path)).await
    }

    async fn post(&self, payload: &str) -> Reply {
        let call = Call::new("POST", &self.path).bytes("text/plain", payload.as_bytes());
        self.node.send(&call).await
    }

    async fn says(&self, payload: &str) {
        let reply = self.post(payload).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok"), "{payload}");
    }

    /// The next packets, in as many polls as it takes.
    async fn hears(&self, n_packets: usize) -> Vec<String> {
        let mut packets = Vec::new();
        while packets.len() < n_packets {
            let reply = self.poll().await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            packets.extend(reply.body.split('\u{1e}').map(str::to_owned));
        }
        packets
    }

    async fn is_closed(&self) {
        let reply = self.poll().await;
        assert_eq!(reply.status, 400, "{}", reply.body);
    }

    /// A WebSocket of the same session.
    async fn upgrade(&self) -> Wire {
        let sid = &self.sid;
        Wire::open(self.node, &format!("EIO=4&transport=websocket&sid={sid}")).await.unwrap()
    }
}

/// A transport on a WebSocket.
struct Wire(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Wire {
    /// Opens it; the error is the status of the answer that refuses.
    async fn open(node: &TestNode, query: &str) -> Result<Self, u16> {
        let connecting = connect_async(format!("ws://{}/socket.io/?{query}", node.address));
        match timeout(PATIENCE, connecting).await.expect("a socket in time") {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(tokio_tungstenite::tungstenite::Error::Http(reply)) => Err(reply.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A new session of somebody with a token.
    async fn begin(node: &TestNode) -> Self {
        let token = token("1", "customer");
        let query = format!("EIO=4&transport=websocket&token={token}");
        let mut wire = Self::open(node, &query).await.unwrap();
        opened(&wire.hears().await);
        wire
    }

    /// The same, in the namespace `/`.
    async fn enter(node: &TestNode) -> Self {
        let mut wire = Self::begin(node).await;
        wire.says("40").await;
        entered(&wire.hears().await, "");
        wire
    }

    async fn says(&mut self, packet: &str) {
        self.sends(Message::text(packet)).await;
    }

    async fn sends(&mut self, message: Message) {
        // A connection that is closed shows when it is read.
        let _closed = self.0.send(message).await;
    }

    /// The next packet. `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a packet in time") {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next packet that is no ping; those are answered.
    async fn hears(&mut self) -> String {
        loop {
            let packet = self.next().await.expect("a packet");
            if packet != "2" {
                return packet;
            }
            self.says("3").await;
        }
    }

    /// Waits for the end; until then nothing but pings and a goodbye is said.
    async fn is_closed(&mut self) {
        while let Some(packet) = self.next().await {
            assert!(["1", "2"].contains(&packet.as_str()), "{packet}");
        }
    }
}

/// What an open packet says.
fn opened(packet: &str) -> Value {
    serde_json::from_str(packet.strip_prefix('0').expect("an open packet")).unwrap()
}

/// Checks what somebody is told who has entered a namespace.
fn entered(packet: &str, namespace: &str) {
    let said = packet.strip_prefix(&format!("40{namespace}")).expect(packet);
    let said: Value = serde_json::from_str(said).unwrap();
    assert!(said["sid"].is_string() && said.as_object().unwrap().len() == 1, "{said}");
}

/// A node that pings soon, and waits as long as usual or only for a moment.
async fn quick(pong_ms: u64) -> TestNode {
    TestNode::start_with(|config| {
        config.dialects.socket_io_ping_ms = 300;
        config.dialects.socket_io_pong_ms = pong_ms;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_opens_on_either_transport_and_says_its_terms() {
    let node = TestNode::start().await;
    let terms = |packet: &str, upgrades: Value| {
        let mut said = opened(packet);
        assert!(said.as_object_mut().unwrap().remove("sid").unwrap().is_string());
        let expected = json!({
            "upgrades": upgrades, "pingInterval": 25_000, "pingTimeout": 20_000,
            "maxPayload": 65_535,
        });
        assert_eq!(said, expected);
    };
    let polled = node.send(&Call::new("GET", "/socket.io/?EIO=4&transport=polling")).await;
    assert_eq!(polled.status, 200);
    terms(&polled.body, json!(["websocket"]));
    let mut wire = Wire::open(&node, "EIO=4&transport=websocket").await.unwrap();
    terms(&wire.hears().await, json!([]));
    drop(wire);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_transport_or_method_opens_nothing() {
    let node = TestNode::start().await;
    for (method, query) in [
        ("GET", "transport=polling"),
        ("GET", "EIO=abc&transport=polling"),
        ("GET", "EIO=3&transport=polling"),
        ("GET", "EIO=4"),
        ("GET", "EIO=4&transport=abc"),
        ("POST", "EIO=4&transport=polling"),
        ("PUT", "EIO=4&transport=polling"),
    ] {
        let reply = node.send(&Call::new(method, &format!("/socket.io/?{query}"))).await;
        assert_eq!(reply.status, 400, "{method} {query}: {}", reply.body);
    }
    for query in
        ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"]
    {
        assert_eq!(Wire::open(&node, query).await.err(), Some(400), "{query}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_are_polled_as_they_were_posted() {
    let node = TestNode::start().await;
    let polling = Polling::enter(&node).await;
    polling.says(r#"421["one"]"#).await;
    assert_eq!(polling.hears(1).await, [format!("431[{UNKNOWN}]")]);
    polling.says("422[\"two\"]\u{1e}423[\"three\"]\u{1e}424[\"four\"]").await;
    let expected: Vec<_> = (2..=4).map(|n| format!("43{n}[{UNKNOWN}]")).collect();
    assert_eq!(polling.hears(3).await, expected);
    let binary = "451-5[\"five\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQIDBA==";
    polling.says(binary).await;
    assert_eq!(polling.hears(1).await, [format!("435[{UNKNOWN}]")]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_packet_ends_a_polled_session() {
    let node = TestNode::start().await;
    let polling = Polling::open(&node).await;
    let reply = polling.post("abc").await;
    assert_eq!(reply.status, 400, "{}", reply.body);
    polling.is_closed().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_polls_at_once_end_a_session() {
    let node = TestNode::start().await;
    for _ in 0..ENDINGS {
        let polling = Polling::open(&node).await;
        // Whichever of them comes first is told.
        let (one, other) = join(polling.poll(), polling.poll()).await;
        let (told, refused) = if one.status == 200 { (one, other) } else { (other, one) };
        assert_eq!((told.status, told.body.as_str()), (200, "1"));
        assert_eq!(refused.status, 400, "{}", refused.body);
        polling.is_closed().await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_go_on_as_long_as_they_are_answered() {
    let node = quick(20_000).await;
    let (polling, mut wire) = (Polling::open(&node).await, Wire::enter(&node).await);
    polling.says("40").await;
    let mut n_polled = 0;
    while n_polled < 3 {
        let packets = polling.hears(1).await;
        if packets.contains(&"2".to_owned()) {
            n_polled += 1;
            polling.says("3").await;
        }
    }
    for _ in 0..3 {
        assert_eq!(wire.next().await.as_deref(), Some("2"));
        wire.says("3").await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_pings_is_closed() {
    let node = quick(200).await;
    let (polling, mut wire) = (Polling::open(&node).await, Wire::enter(&node).await);
    wire.is_closed().await;
    while polling.poll().await.status == 200 {}
    polling.is_closed().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_closes_either_transport() {
    let node = TestNode::start().await;
    for _ in 0..ENDINGS {
        let polling = Polling::open(&node).await;
        let (polled, posted) = join(polling.poll(), polling.post("1")).await;
        assert_eq!(posted.status, 200, "{}", posted.body);
        // A poll that is open is sent home, or told of the end if it is just being opened; one that
        // comes later is of no session.
        let is_answered = polled.status == 200 && ["6", "1"].contains(&&*polled.body);
        assert!(is_answered || polled.status == 400, "{} {}", polled.status, polled.body);
        polling.is_closed().await;
    }
    let mut wire = Wire::begin(&node).await;
    wire.says("1").await;
    wire.is_closed().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_on_a_websocket_and_nowhere_else() {
    let node = TestNode::start().await;
    let polling = Polling::enter(&node).await;
    let mut wire = polling.upgrade().await;
    wire.says("2probe").await;
    assert_eq!(wire.hears().await, "3probe");
    // The poll that is open is sent home.
    assert_eq!(polling.hears(1).await, ["6"]);
    wire.says("5").await;
    wire.says(r#"421["upgraded"]"#).await;
    assert_eq!(wire.hears().await, format!("431[{UNKNOWN}]"));
    polling.is_closed().await;
    match Wire::open(&node, &format!("EIO=4&transport=websocket&sid={}", polling.sid)).await {
        Ok(mut second) => second.is_closed().await,
        Err(status) => assert_eq!(status, 400),
    }
    wire.says(r#"422["still here"]"#).await;
    assert_eq!(wire.hears().await, format!("432[{UNKNOWN}]"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_entered_with_and_without_words() {
    let node = TestNode::start().await;
    let auth = json!({ "token": token("1", "customer") });
    for (packet, namespace) in [
        ("40".to_owned(), ""),
        (format!("40{auth}"), ""),
        ("40/chat,".to_owned(), "/chat,"),
        (format!("40/chat,{auth}"), "/chat,"),
    ] {
        let mut wire = Wire::begin(&node).await;
        wire.says(&packet).await;
        entered(&wire.hears().await, namespace);
    }
    let mut wire = Wire::begin(&node).await;
    wire.says("40/random").await;
    assert_eq!(wire.hears().await, r#"44/random,{"message":"Invalid namespace"}"#);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_enters_no_namespace_is_closed() {
    let node = TestNode::start().await;
    let mut silent = Wire::begin(&node).await;
    let mut wrong = Wire::begin(&node).await;
    wrong.says("4abc").await;
    wrong.is_closed().await;
    silent.is_closed().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_namespace_keeps_the_transport_and_the_others() {
    let node = TestNode::start().await;
    let mut wire = Wire::enter(&node).await;
    wire.says("41").await;
    wire.says("40").await;
    entered(&wire.hears().await, "");
    wire.says("40/chat").await;
    entered(&wire.hears().await, "/chat,");
    wire.says("41/chat").await;
    wire.says(r#"421["still here"]"#).await;
    assert_eq!(wire.hears().await, format!("431[{UNKNOWN}]"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_with_and_without_attachments_are_acknowledged_by_their_number() {
    let node = TestNode::start().await;
    let mut wire = Wire::enter(&node).await;
    // Without a number nothing is answered.
    wire.says(r#"42["message",1,"2",{"3":[true]}]"#).await;
    wire.says(r#"42456["message",1,"2",{"3":[false]}]"#).await;
    assert_eq!(wire.hears().await, format!("43456[{UNKNOWN}]"));
    let placeholders = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    for (number, answer) in [("", None), ("789", Some(format!("43789[{UNKNOWN}]")))] {
        wire.says(&format!(r#"452-{number}["message",{placeholders}]"#)).await;
        wire.sends(Message::binary(vec![1, 2, 3])).await;
        wire.sends(Message::binary(vec![4, 5, 6])).await;
        if let Some(answer) = answer {
            assert_eq!(wire.hears().await, answer);
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_packet_ends_a_connection_and_no_other() {
    let node = TestNode::start().await;
    let mut other = Wire::enter(&node).await;
    for packet in ["abc", "4abc", "42{}", r#"42abc["message",1]"#, "42[", "459-[1]", "4", ""] {
        let mut wire = Wire::enter(&node).await;
        wire.says(packet).await;
        wire.is_closed().await;
    }
    other.says(r#"421["still here"]"#).await;
    assert_eq!(other.hears().await, format!("431[{UNKNOWN}]"));
    node.stop().await;
}
