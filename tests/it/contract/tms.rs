//! TMS.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::plain::Plain;
use super::socket::Says;
use super::{inventory, transcript};
use crate::accounts;
use crate::http::Call;
use crate::node::TestNode;
use crate::tokens::token;

#[tokio::test(flavor = "multi_thread")]
async fn tms_is_spoken_as_its_transcripts_say() {
    transcript::speak("tms").await;
}

#[test]
fn every_line_of_tms_is_proven_or_comes_later() {
    let (n_proven, n_later) = inventory::check("tms");
    assert!(n_proven > n_later, "{n_proven} proven, {n_later} later");
}

const PATH: &str = "/v1/chat/ws";

async fn connect(node: &TestNode, subject: &str, role: &str) -> Plain {
    let token = token(subject, role);
    Plain::connect(node.address, PATH, Some(&token), Says::Header, None).await.unwrap()
}

/// A session of a customer, by its id.
async fn start(node: &TestNode, subject: &str) -> String {
    let token = token(subject, "customer");
    let call = Call::new("POST", "/v1/chat/sessions").token(Some(&token));
    let reply = node.send(&call.json(&json!({ "widget_id": "demo" }))).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_hears_every_message_of_every_session_once_and_in_order() {
    let node = TestNode::start().await;
    let mut agent = connect(&node, "ann", "agent").await;
    // Once there is an answer the agent is known to be there, and nobody has to be told so later.
    agent.settle().await.unwrap();
    let mut customers = Vec::new();
    for n in 0..5 {
        let subject = format!("c{n}");
        let customer = connect(&node, &subject, "customer").await;
        customers.push((start(&node, &subject).await, customer));
    }
    for n in 0..20 {
        for (session, customer) in &mut customers {
            let data = json!({ "session_id": session, "content": format!("message {n}") });
            customer.emit("send_message", &data).await.unwrap();
        }
    }
    let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // The welcome and twenty of each.
    for _ in 0..5 * 21 {
        let frame = agent.next("new_message").await.unwrap();
        let session = frame["session_id"].as_str().unwrap().to_owned();
        let content = frame["message"]["content"].as_str().unwrap().to_owned();
        heard.entry(session).or_default().push(content);
    }
    let expected: Vec<_> = std::iter::once("Hello! How can we help?".to_owned())
        .chain((0..20).map(|n| format!("message {n}")))
        .collect();
    for (session, _) in &customers {
        assert_eq!(heard[session], expected);
    }
    assert!(!agent.settle().await.unwrap().contains(&"new_message".to_owned()));
    drop((agent, customers));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_and_too_much_of_it_ends_the_connection() {
    let node = TestNode::start().await;
    let mut other = connect(&node, "ann", "agent").await;
    let mut hostile = connect(&node, "eve", "customer").await;
    let deep = "[".repeat(5_000);
    for text in ["", "[1]", "\"x\"", "{", &deep] {
        hostile.say(text.to_owned()).await;
        let told = hostile.next("error").await.unwrap();
        assert_eq!(told, json!({ "error": "a frame must be a JSON object" }));
    }
    for _ in 0..20 {
        hostile.say("nonsense".to_owned()).await;
    }
    assert_eq!(hostile.close_code().await, Some(4501));
    let mut hostile = connect(&node, "eve", "customer").await;
    hostile.say("x".repeat(200 * 1024)).await;
    assert_eq!(hostile.close_code().await, Some(1009));
    other.settle().await.unwrap();
    drop(other);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_disabled_is_out_at_once_and_a_drain_says_so() {
    let node = TestNode::start().await;
    let mut agent = connect(&node, "ann", "agent").await;
    let mut customer = connect(&node, "cid", "customer").await;
    let admin = token("boss", "admin");
    let change = Call::new("PATCH", "/v1/agents/ann").token(Some(&admin)).header("If-Match", "*");
    let reply = node.send(&change.json(&json!({ "disabled": true }))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(agent.close_code().await, Some(4500));
    let (_, code) = tokio::join!(node.stop(), customer.close_code());
    assert_eq!(code, Some(4001));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_opens_a_socket_for_our_own_pages_alone() {
    let server = accounts::start().await;
    let browser = accounts::set_up(&server).await;
    let cookie: Vec<_> =
        browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookie = ("cookie", cookie.join("; "));
    let uri = format!("ws://{}{PATH}", server.address());
    let refused = json!({ "error": "Pages of this origin may not call here" });
    for origin in [None, Some("https://evil.example".to_owned())] {
        let mut headers = vec![cookie.clone()];
        headers.extend(origin.map(|origin| ("origin", origin)));
        assert_eq!(Plain::open(&uri, &headers).await.unwrap_err(), refused);
    }
    let headers = [cookie, ("origin", browser.origin())];
    let mut socket = Plain::open(&uri, &headers).await.unwrap();
    socket.settle().await.unwrap();
    drop(socket);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_the_same_one_through_every_door() {
    let node = TestNode::start().await;
    let mut customer = connect(&node, "cid", "customer").await;
    let session = start(&node, "cid").await;
    let agent = token("ann", "agent");
    let post = |path: &str, body: Value| {
        Call::new("POST", &format!("/v1/conversations/{session}/{path}"))
            .token(Some(&agent))
            .json(&body)
    };
    assert_eq!(node.send(&post("accept", json!({}))).await.status, 200);
    let assigned = customer.next("session_assigned").await.unwrap();
    assert_eq!(assigned["session"]["assigned_agent_id"], "ann");
    assert_eq!(
        node.send(&post("messages", json!({ "text": "from our own door" }))).await.status,
        201
    );
    // The welcome comes first, and that somebody is there now.
    let mut heard = customer.next("new_message").await.unwrap();
    while heard["message"]["author_type"] == "system" {
        heard = customer.next("new_message").await.unwrap();
    }
    assert_eq!(heard["message"]["content"], "from our own door");
    assert_eq!(node.send(&post("resolve", json!({}))).await.status, 200);
    assert_eq!(customer.next("session_ended").await.unwrap()["session"]["status"], "ended");
    drop(customer);
    node.stop().await;
}
