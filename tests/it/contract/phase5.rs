//! The phase5 help desk.

use serde_json::{Value, json};
use tokio_tungstenite::connect_async;

use super::socket::{Says, Socket};
use super::{inventory, transcript};
use crate::http::Call;
use crate::node::TestNode;
use crate::tokens::token;

#[tokio::test(flavor = "multi_thread")]
async fn phase5_is_spoken_as_its_transcripts_say() {
    transcript::speak("phase5").await;
}

#[test]
fn every_line_of_phase5_is_proven_or_comes_later() {
    let (n_proven, n_later) = inventory::check("phase5");
    assert!(n_proven > n_later, "{n_proven} proven, {n_later} later");
}

async fn connect(node: &TestNode, subject: &str, role: &str) -> Socket {
    let token = token(subject, role);
    Socket::connect(node.address, "/", Some(&token), Says::Auth, None).await.unwrap()
}

/// A chat of a customer, by its number.
async fn start(customer: &mut Socket) -> Value {
    customer.ask("chat:start", &json!({})).await.unwrap()["session"]["id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_messages_never_pass_each_other() {
    let node = TestNode::start().await;
    let mut customer = connect(&node, "1", "customer").await;
    let mut agent = connect(&node, "3", "agent").await;
    let session = start(&mut customer).await;
    agent.ask("chat:join", &json!({ "session_id": session })).await.unwrap();
    let texts: Vec<String> = (0..60).map(|n| format!("message {n}")).collect();
    let mut acks = Vec::new();
    for text in &texts {
        let data = json!({ "session_id": session, "content": text });
        acks.push(customer.emit("chat:send_message", &data).await);
    }
    for ack in acks {
        assert_eq!(customer.ack(ack).await.unwrap()["success"], true);
    }
    for text in &texts {
        let heard = agent.next("chat:new_message").await.unwrap();
        assert_eq!(heard["message"]["content"], *text);
    }
    drop((customer, agent));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_ended_or_answered_and_nobody_else_notices() {
    let node = TestNode::start().await;
    let mut customer = connect(&node, "1", "customer").await;
    let mut other = connect(&node, "2", "customer").await;
    let session = start(&mut customer).await;
    let data = json!({ "session_id": session, "content": "x".repeat(4_000) });
    for _ in 0..2_000 {
        customer.emit("chat:send_message", &data).await;
    }
    // How much of it is taken depends on how fast the machine is; how much may wait does not.
    customer.until_answered(2_000).await;
    let n_acked = customer.n_acked();
    start(&mut other).await;
    let path = format!("/api/live-chat/{session}/messages");
    let token = token("1", "customer");
    let reply = node.send(&Call::new("GET", &path).token(Some(&token))).await;
    // What was acknowledged is there.
    assert!(reply.json()["messages"].as_array().unwrap().len() >= n_acked);
    drop((customer, other));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_let_in_hears_from_that_moment_on() {
    let node = TestNode::start().await;
    let mut customer = connect(&node, "1", "customer").await;
    let mut agent = connect(&node, "3", "agent").await;
    let session = start(&mut customer).await;
    agent.ask("chat:accept", &json!({ "session_id": session })).await.unwrap();
    for n in 0..20 {
        let (who, role) = if n % 2 == 0 { ("1", "customer") } else { ("3", "agent") };
        let mut again = connect(&node, who, role).await;
        let other = if n % 2 == 0 { &mut agent } else { &mut customer };
        let said = json!({ "session_id": session, "content": format!("message {n}") });
        assert_eq!(other.ask("chat:send_message", &said).await.unwrap()["success"], true);
        let heard = again.next("chat:new_message").await.unwrap();
        assert_eq!(heard["message"]["content"], said["content"]);
    }
    drop((customer, agent));
    node.stop().await;
}

/// Polls until there is a packet of that kind; answers what it says.
async fn polled(node: &TestNode, session: &str, kind: &str) -> String {
    loop {
        let polled = node.send(&Call::new("GET", session)).await;
        assert_eq!(polled.status, 200, "{}", polled.body);
        let mut packets = polled.body.split('\u{1e}');
        if let Some(said) = packets.find_map(|packet| packet.strip_prefix(kind)) {
            return said.to_owned();
        }
        if polled.body.split('\u{1e}').any(|packet| packet == "2") {
            let pong = Call::new("POST", session).bytes("text/plain", b"3");
            assert_eq!(node.send(&pong).await.status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_polls_first_and_upgrades() {
    let node = TestNode::start().await;
    let token = token("1", "customer");
    let poll = "/socket.io/?EIO=4&transport=polling";
    let open = node.send(&Call::new("GET", poll)).await;
    let opened: Value = serde_json::from_str(open.body.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(opened["upgrades"], json!(["websocket"]));
    assert_eq!(opened["maxPayload"], 65_535);
    let sid = opened["sid"].as_str().unwrap();
    let session = format!("{poll}&sid={sid}");
    let said = format!("40{}", json!({ "token": token }));
    let post = |packet: &str| Call::new("POST", &session).bytes("text/plain", packet.as_bytes());
    assert_eq!(node.send(&post(&said)).await.body, "ok");
    let entered = polled(&node, &session, "40").await;
    assert!(entered.starts_with('{'), "{entered}");
    node.send(&post("420[\"chat:start\",{}]")).await;
    let started = polled(&node, &session, "430").await;
    assert!(started.starts_with("[{"), "{started}");

    let address = node.address;
    let upgrade = format!("ws://{address}/socket.io/?EIO=4&transport=websocket&sid={sid}");
    let (stream, _) = connect_async(upgrade).await.unwrap();
    let mut socket = Socket::upgraded(stream).await;
    let chat = socket.ask("chat:start", &json!({ "subject": "upgraded" })).await.unwrap();
    assert_eq!(chat["session"]["subject"], "upgraded");
    drop(socket);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_closes_transports_without_a_goodbye() {
    let node = TestNode::start().await;
    let mut customer = connect(&node, "1", "customer").await;
    start(&mut customer).await;
    // Clients of Socket.IO do not come back by themselves after a goodbye.
    let (_, said_goodbye) = tokio::join!(node.stop(), customer.end());
    assert!(!said_goodbye);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_disabled_is_out_at_once() {
    let node = TestNode::start().await;
    let mut agent = connect(&node, "3", "agent").await;
    agent.ask("agent:activity_ping", &Value::Null).await.unwrap();
    let admin = token("9", "admin");
    let change = Call::new("PATCH", "/v1/agents/3").token(Some(&admin)).header("If-Match", "*");
    let reply = node.send(&change.json(&json!({ "disabled": true }))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(agent.end().await);
    let token = token("3", "agent");
    let refused = Socket::connect(node.address, "/", Some(&token), Says::Auth, None).await;
    assert_eq!(refused.unwrap_err(), json!({ "message": "A valid token is needed" }));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_the_same_one_through_every_door() {
    let node = TestNode::start().await;
    let mut customer = connect(&node, "1", "customer").await;
    let session = start(&mut customer).await;
    let agent = token("3", "agent");
    let list = Call::new("GET", "/v1/conversations?status=waiting").token(Some(&agent));
    let mut found = Value::Null;
    for _ in 0..100 {
        found = node.send(&list).await.json()["items"][0].clone();
        if found["number"] == session {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(found["number"], session);
    let id = found["id"].as_str().unwrap();
    let accept = Call::new("POST", &format!("/v1/conversations/{id}/accept"));
    assert_eq!(node.send(&accept.token(Some(&agent)).json(&json!({}))).await.status, 200);
    let assigned = customer.next("chat:session_assigned").await.unwrap();
    assert_eq!((&assigned["session_id"], &assigned["agent"]["id"]), (&session, &json!(3)));
    let send = Call::new("POST", &format!("/v1/conversations/{id}/messages"));
    let send = send.token(Some(&agent)).json(&json!({ "text": "from our own door" }));
    assert_eq!(node.send(&send).await.status, 201);
    let heard = customer.next("chat:new_message").await.unwrap();
    assert_eq!(heard["message"]["content"], "from our own door");
    drop(customer);
    node.stop().await;
}
