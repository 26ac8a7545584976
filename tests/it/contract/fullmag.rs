//! The FullMag shop.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::socket::{Says, Socket};
use super::{inventory, transcript};
use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::tokens::token;

#[tokio::test(flavor = "multi_thread")]
async fn fullmag_is_spoken_as_its_transcripts_say() {
    transcript::speak("fullmag").await;
}

#[test]
fn every_line_of_fullmag_is_proven() {
    let (_, n_later) = inventory::check("fullmag");
    assert_eq!(n_later, 0);
}

async fn connect(node: &TestNode, namespace: &str, subject: &str, role: &str) -> Socket {
    let token = token(subject, role);
    Socket::connect(node.address, namespace, Some(&token), Says::Auth, None).await.unwrap()
}

async fn get(node: &TestNode, path: &str, subject: &str, role: &str) -> Reply {
    node.send(&Call::new("GET", path).token(Some(&token(subject, role)))).await
}

/// The room of a customer, by its id.
async fn room(node: &TestNode, subject: &str) -> Value {
    get(node, "/api/chat/room", subject, "customer").await.json()["id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_first_calls_gets_one_room() {
    let node = TestNode::start().await;
    let rooms = join_all((0..100).map(|_| room(&node, "1"))).await;
    assert!(rooms[0].is_string());
    assert!(rooms.iter().all(|id| *id == rooms[0]), "{rooms:?}");
    let path = format!("/api/chat/room/{}/close", rooms[0].as_str().unwrap());
    let close = Call::new("POST", &path).token(Some(&token("1", "customer")));
    assert_eq!(node.send(&close).await.status, 200);
    let next = join_all((0..20).map(|_| room(&node, "1"))).await;
    assert!(next.iter().all(|id| *id == next[0] && *id != rooms[0]), "{next:?}");
    assert_ne!(room(&node, "2").await, next[0]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_no_answer_hears_of_a_refusal() {
    let node = TestNode::start().await;
    let mut customer = connect(&node, "/chat", "1", "customer").await;
    customer.tell("register", &json!({ "userId": "2" })).await;
    let refusal = customer.next("exception").await.unwrap();
    assert_eq!(refusal, json!({ "status": "error", "message": "the token is somebody else's" }));
    drop(customer);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_agents_are_support_where_the_settings_say_so() {
    let node = TestNode::start_with(|config| config.dialects.fullmag_agents = true).await;
    let room = room(&node, "1").await;
    let mut agent = connect(&node, "/chat", "3", "agent").await;
    let opened = agent.ask("joinRoom", &json!({ "roomId": room })).await.unwrap();
    assert_eq!(opened["room"]["supportAgentId"], "3");
    drop(agent);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_open_a_room_at_once_one_has_it() {
    let node = TestNode::start().await;
    let room = room(&node, "1").await;
    let path = format!("/api/chat/support/room/{}/assign", room.as_str().unwrap());
    let calls = (0..8).map(|n| {
        let token = token(&format!("m{n}"), "manager");
        let call = Call::new("POST", &path).token(Some(&token));
        let node = &node;
        async move { node.send(&call).await.status }
    });
    let statuses = join_all(calls).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_the_same_one_through_every_door() {
    let node = TestNode::start().await;
    // It begins in another dialect, and is answered from our own API.
    let mut customer = connect(&node, "/", "1", "customer").await;
    let session = customer.ask("chat:start", &json!({})).await.unwrap()["session"]["id"].clone();
    let room = room(&node, "1").await;
    let id = room.as_str().unwrap();
    let mut shopper = connect(&node, "/chat", "1", "customer").await;
    let joined = shopper.ask("joinRoom", &json!({ "roomId": room })).await.unwrap();
    assert_eq!(joined["room"]["status"], "waiting");
    let agent = token("3", "agent");
    let accept = Call::new("POST", &format!("/v1/conversations/{id}/accept"));
    assert_eq!(node.send(&accept.token(Some(&agent)).json(&json!({}))).await.status, 200);
    let support = shopper.next("supportJoined").await.unwrap();
    assert_eq!(support["agentName"], "Name of 3");
    let send = Call::new("POST", &format!("/v1/conversations/{id}/messages"));
    let send = send.token(Some(&agent)).json(&json!({ "text": "from our own door" }));
    assert_eq!(node.send(&send).await.status, 201);
    let heard = loop {
        let heard = shopper.next("newMessage").await.unwrap();
        if heard["senderId"] != Uuid::nil().to_string() {
            break heard;
        }
    };
    assert_eq!(heard["message"], "from our own door");
    assert_eq!((&heard["senderId"], &heard["isFromSupport"]), (&json!("3"), &json!(true)));
    let said = json!({ "roomId": room, "senderId": "1", "message": "from the shop" });
    shopper.ask("sendMessage", &said).await.unwrap();
    let mut texts = Vec::new();
    while texts.len() < 2 {
        let heard = customer.next("chat:new_message").await.unwrap();
        assert_eq!(heard["session_id"], session);
        // The system may say that somebody is there now.
        if heard["message"]["sender_type"] != "system" {
            texts.push(heard["message"]["content"].clone());
        }
    }
    assert_eq!(texts, ["from our own door", "from the shop"]);
    drop((customer, shopper));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_any_door_is_a_request() {
    let node = TestNode::start().await;
    let mut manager = connect(&node, "/chat", "9", "manager").await;
    let body = json!({ "widget": "demo", "message": { "text": "from the widget" } });
    let begun = node.send(&Call::new("POST", "/v1/conversations").json(&body)).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    let request = manager.next("newChatRequest").await.unwrap();
    assert_eq!(request["roomId"], begun.json()["id"]);
    assert_eq!(request["message"], "from the widget");
    drop(manager);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_before_is_in_the_list_and_no_news() {
    let node = TestNode::start().await;
    let room = room(&node, "1").await;
    let mut customer = connect(&node, "/chat", "1", "customer").await;
    let said = |text: &str| json!({ "roomId": room, "senderId": "1", "message": text });
    customer.ask("sendMessage", &said("before")).await.unwrap();
    // Times are milliseconds.
    sleep(Duration::from_millis(5)).await;
    let mut manager = connect(&node, "/chat", "9", "manager").await;
    customer.ask("sendMessage", &said("after")).await.unwrap();
    let body = json!({ "widget": "demo", "message": { "text": "another" } });
    node.send(&Call::new("POST", "/v1/conversations").json(&body)).await;
    let first = manager.next("newChatRequest").await.unwrap();
    assert_eq!(first["message"], "another");
    let rooms = get(&node, "/api/chat/support/rooms", "9", "manager").await.json();
    assert!(rooms.as_array().unwrap().iter().any(|listed| listed["id"] == room), "{rooms}");
    drop((customer, manager));
    node.stop().await;
}
