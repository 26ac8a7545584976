//! What people wrote and have not sent: the same in each of their browsers, and nobody else's.

use serde_json::{Value, json};

use crate::accounts::{EMAIL, PASSWORD, set_up, socket, start, start_in};
use crate::browser::Browser;
use crate::harness::{Server, auth};

const PATH: &str = "/v1/agents/me/drafts";
const CHAT: &str = "0190a000-0000-7000-8000-000000000001";

fn path(conversation: &str) -> String {
    format!("{PATH}/{conversation}")
}

async fn write(browser: &mut Browser, body: Value) -> Value {
    let reply = browser.change("PUT", &path(CHAT), &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_in_one_browser_is_told_to_the_other_and_kept() {
    let server = start().await;
    let mut desk = set_up(&server).await;
    let mut phone = Browser::new(server.address());
    assert_eq!(phone.log_in(EMAIL, PASSWORD).await.status, 200);
    assert_eq!(phone.get(PATH).await.json(), json!({"version": 0, "items": []}));
    let mut open = socket(&mut phone, &server).await;

    let body = json!({"mode": "note", "note": "ask the nursery", "since": 3, "age_ms": 0});
    let kept = write(&mut desk, body).await;
    assert_eq!((&kept["version"], &kept["draft"]["conversation"]), (&json!(1), &json!(CHAT)));
    assert_eq!(open.next_of("drafts").await, json!({"type": "drafts", "version": 1}));
    let all = phone.get(PATH).await.json();
    assert_eq!(all, json!({"version": 1, "items": [kept["draft"]]}));
    assert_eq!((&all["items"][0]["mode"], &all["items"][0]["since"]), (&json!("note"), &json!(3)));

    // A page that was away brings older words, and learns of the newer ones.
    let late = write(&mut phone, json!({"message": "Dear", "age_ms": 60_000})).await;
    assert_eq!((&late["draft"], &late["version"]), (&kept["draft"], &json!(1)));

    let data = server.stop().await;
    let server = start_in(data).await;
    let mut desk = desk.moved(server.address());
    assert_eq!(desk.get(PATH).await.json(), all);
    let sent = write(&mut desk, json!({"age_ms": 0})).await;
    assert_eq!(sent, json!({"version": 2, "draft": null}));
    assert_eq!(desk.get(PATH).await.json(), json!({"version": 2, "items": []}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_or_for_nothing_is_refused() {
    let server = start().await;
    let mut desk = set_up(&server).await;
    for (conversation, body, answer) in [
        (CHAT, json!({"message": "x".repeat(16_385), "age_ms": 0}), (422, "invalid")),
        (CHAT, json!({"message": 7, "age_ms": 0}), (400, "bad_request")),
        (CHAT, json!({"message": "Dear"}), (400, "bad_request")),
        (CHAT, json!({"message": "Dear", "age_ms": -1}), (400, "bad_request")),
        ("garbage", json!({"message": "Dear", "age_ms": 0}), (404, "not_found")),
    ] {
        let reply = desk.change("PUT", &path(conversation), &body).await;
        assert_eq!((reply.status, reply.code().as_str()), answer, "{reply:?}");
    }
    assert_eq!(desk.get(PATH).await.json()["version"], 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colleagues_hear_and_read_nothing_of_it() {
    let server = Server::start().await;
    let (ada, ben) = (server.sign_in("ada").await, server.sign_in("ben").await);
    let mut of_ben = server.connect(&ben).await;
    let mut of_ada = server.connect(&ada).await;
    let body = json!({"message": "Dear", "age_ms": 0});
    let reply = server.request("PUT", &path(CHAT), &auth(Some(&ada)), Some(body)).await;
    assert_eq!(reply.status, 200);
    of_ada.next_of("drafts").await;
    let heard = of_ben.settle().await;
    assert!(heard.iter().all(|frame| frame["type"] != "drafts"), "{heard:?}");
    assert_eq!(server.get(PATH, Some(&ben)).await.json(), json!({"version": 0, "items": []}));
    server.stop().await;
}
