//! The GES website chat.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{inventory, transcript};
use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::tokens::{other_token, token};

#[tokio::test(flavor = "multi_thread")]
async fn ges_is_spoken_as_its_transcripts_say() {
    transcript::speak("ges").await;
}

#[test]
fn every_line_of_ges_is_proven_or_comes_later() {
    let (n_proven, n_later) = inventory::check("ges");
    assert!(n_proven > n_later, "{n_proven} proven, {n_later} later");
}

async fn start(node: &TestNode, said: &Value) -> Value {
    let reply = node.send(&Call::new("POST", "/api/v1/chat").json(said)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["data"].clone()
}

async fn read(node: &TestNode, session: &str) -> Reply {
    let path = format!("/api/v1/chat?sessionId={session}");
    node.send(&Call::new("GET", &path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_say_that_they_write_json_are_read() {
    let node = TestNode::start().await;
    let said = br#"{"visitorName":"John Doe","message":"Need technical help"}"#;
    for call in [
        Call::new("POST", "/api/v1/chat").bytes("text/plain;charset=UTF-8", said),
        Call::new("POST", "/api/v1/chat").bytes("application/octet-stream", said),
    ] {
        let reply = node.send(&call).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.json()["data"]["message"]["message"], "Need technical help");
    }
    node.stop().await;
}

/// Labels near good ones, as somebody would guess who knows how they are made: the id of a foreign
/// chat with a secret that is nearly its own, that of another chat, or any other.
fn guesses(own: &str, foreign: &[String], n: usize) -> Vec<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (own_id, own_secret) = own.split_at(37);
    let mut seed: usize = 1;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut guesses = Vec::with_capacity(n);
    while guesses.len() < n {
        let (id, secret) = foreign[next(foreign.len())].split_at(37);
        guesses.push(match guesses.len() % 5 {
            0 => format!("{id}{own_secret}"),
            1 => format!("{own_id}{secret}"),
            2 => {
                let any: String = (0..43).map(|_| char::from(LETTERS[next(64)])).collect();
                format!("{id}{any}")
            }
            3 => {
                // One letter of the secret is another.
                let at = next(42);
                let mut bytes = secret.as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                format!("{id}{}", String::from_utf8(bytes).unwrap())
            }
            _ => format!("{id}{}", &secret[..next(43)]),
        });
    }
    guesses
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_guesses_none_opens_a_foreign_chat() {
    const N_GUESSES: usize = 10_000;
    let node = TestNode::start().await;
    let own = start(&node, &json!({ "message": "mine" })).await;
    let own = own["sessionId"].as_str().unwrap();
    let mut foreign = Vec::new();
    for n in 0..20 {
        let chat = start(&node, &json!({ "message": format!("secret {n}") })).await;
        foreign.push(chat["sessionId"].as_str().unwrap().to_owned());
    }
    let mut asking = JoinSet::new();
    let guesses = guesses(own, &foreign, N_GUESSES);
    for guesses in guesses.chunks(N_GUESSES / 8) {
        let (guesses, address) = (guesses.to_vec(), node.address);
        asking.spawn(async move {
            let mut answers = Vec::new();
            for guess in guesses {
                let path = format!("/api/v1/chat?sessionId={guess}");
                let reply = Call::new("GET", &path).send(address).await;
                answers.push((guess, reply.status, reply.body));
            }
            answers
        });
    }
    let mut n_asked = 0;
    while let Some(answers) = asking.join_next().await {
        for (guess, status, body) in answers.unwrap() {
            // Every wrong label answers like one that never was.
            assert_eq!(status, 404, "{guess}: {body}");
            assert_eq!(body, r#"{"error":"there is no such chat","success":false}"#, "{guess}");
            n_asked += 1;
        }
    }
    assert_eq!(n_asked, N_GUESSES);
    for (n, session) in foreign.iter().enumerate() {
        let reply = read(&node, session).await.json();
        assert_eq!(reply["data"]["messages"][0]["message"], format!("secret {n}"));
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_of_another_tenant_find_nothing() {
    let node = TestNode::start().await;
    let chat = start(&node, &json!({ "message": "ours" })).await;
    let stranger = other_token("1", "owner");
    let id = chat["id"].as_str().unwrap();
    let by_id = format!("/api/v1/admin/chat?chatId={id}");
    let reply = node.send(&Call::new("GET", &by_id).token(Some(&stranger))).await;
    assert_eq!(reply.status, 404, "{}", reply.body);
    let list = Call::new("GET", "/api/v1/admin/chat").token(Some(&stranger));
    assert_eq!(node.send(&list).await.json()["data"], json!({ "count": 0, "chats": [] }));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_the_same_one_through_our_own_door() {
    let node = TestNode::start().await;
    let chat = start(&node, &json!({ "visitorName": "John Doe", "message": "Hello" })).await;
    let (id, session) = (chat["id"].as_str().unwrap(), chat["sessionId"].as_str().unwrap());
    let agent = token("3", "agent");
    let call = |method: &str, path: &str, body: &Value| {
        Call::new(method, path).token(Some(&agent)).json(body)
    };
    let accept = format!("/v1/conversations/{id}/accept");
    assert_eq!(node.send(&call("POST", &accept, &json!({}))).await.status, 200);
    let send = format!("/v1/conversations/{id}/messages");
    let said = json!({ "text": "from our own door" });
    assert_eq!(node.send(&call("POST", &send, &said)).await.status, 201);
    let read = read(&node, session).await.json();
    assert_eq!(
        (&read["data"]["status"], &read["data"]["assignedTo"]),
        (&json!("ACTIVE"), &json!("3"))
    );
    assert_eq!(read["data"]["messages"][1]["message"], "from our own door");
    // A note moves nothing that the visitor reads.
    let note = format!("/v1/conversations/{id}/notes");
    let noted = node.send(&call("POST", &note, &json!({ "text": "internal" }))).await;
    assert_eq!(noted.status, 201, "{}", noted.body);
    let again = super::ges::read(&node, session).await;
    assert_eq!(again.json(), read);
    node.stop().await;
}
