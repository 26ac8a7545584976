//! One message all the way, and back after a restart.

use serde_json::{Value, json};

use crate::harness::{Client, Server, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_and_an_agent_talk_in_both_codecs() {
    let server = Server::start().await;
    let ada = server.sign_in("ada").await;
    let begun = server.begin("is anybody there?").await;
    let mut visitor = server.connect(&begun.secret).await;

    let codec = Some("switchboard.v1.msgpack");
    let mut agent = Client::open(server.address(), codec, None).await.unwrap();
    agent.send(json!({ "type": "hello", "token": ada })).await;
    let ready = agent.next_of("ready").await;
    assert_eq!(ready["principal"]["name"], "Ada");

    let (subscribed, events) = visitor.subscribe(&begun.id, None, (Value::Null, Value::Null)).await;
    assert_eq!(subscribed["mode"], "snapshot");
    assert_eq!(events[1]["body"]["text"], "Hello! How can we help?");
    let kinds: Vec<_> = events.iter().map(|event| text_of(&event["kind"])).collect();
    assert_eq!(kinds[0], "created");
    agent.subscribe(&begun.id, None, (Value::Null, Value::Null)).await;

    visitor.write(&begun.id, 1, "hello from the widget").await;
    let ack = visitor.next_of("ack").await;
    assert_eq!(ack["duplicate"], false);
    let heard = agent.next_of("event").await;
    assert_eq!(heard["body"]["text"], "hello from the widget");
    assert_eq!(heard["seq"], ack["seq"]);
    assert_eq!(heard["id"], ack["id"]);
    assert!(heard.get("n").is_none(), "the key belongs to its sender alone: {heard}");
    let own = visitor.next_of("event").await;
    assert_eq!(own["n"], 1);

    agent.write(&begun.id, 1, "hello from the console").await;
    agent.next_of("ack").await;
    let answer = visitor.next_of("event").await;
    assert_eq!(answer["body"]["text"], "hello from the console");
    assert_eq!(answer["from"]["name"], "Ada");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything_and_resume_brings_what_was_missed() {
    let server = Server::start().await;
    let begun = server.begin("before the restart").await;
    let mut visitor = server.connect(&begun.secret).await;
    let (subscribed, events) = visitor.subscribe(&begun.id, None, (Value::Null, Value::Null)).await;
    let log = subscribed["log"].clone();
    let last = events.last().unwrap()["seq"].as_u64().unwrap();
    visitor.write(&begun.id, 1, "one").await;
    let first = visitor.next_of("ack").await;
    drop(visitor);
    let data = server.stop().await;

    let server = Server::start_in(data, |_| {}).await;
    let mut visitor = server.connect(&begun.secret).await;
    let (subscribed, missed) = visitor.subscribe(&begun.id, None, (log, json!(last))).await;
    assert_eq!(subscribed["mode"], "replay");
    assert_eq!(missed.len(), 1, "{missed:?}");
    assert_eq!(missed[0]["seq"], first["seq"]);
    assert_eq!(missed[0]["body"]["text"], "one");
    server.stop().await;
}
