//! What people like of the console: kept with their profile, told to their other open pages.

use serde_json::{Value, json};

use crate::accounts::{EMAIL, PASSWORD, set_up, socket, start, start_in};
use crate::browser::Browser;
use crate::harness::{Server, auth};

const PATH: &str = "/v1/agents/me/preferences";

async fn change(browser: &mut Browser, body: Value) -> Value {
    let reply = browser.change("PATCH", PATH, &json!({ "values": body })).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_liked_in_one_browser_is_told_to_the_other_and_kept() {
    let server = start().await;
    let mut desk = set_up(&server).await;
    let mut phone = Browser::new(server.address());
    assert_eq!(phone.log_in(EMAIL, PASSWORD).await.status, 200);
    let nothing = json!({"version": 0, "values": {}});
    assert_eq!(phone.get(PATH).await.json(), nothing);
    let mut open = socket(&mut phone, &server).await;

    let said = change(&mut desk, json!({"theme": "dark", "undoS": 5, "later": {"a": [1]}})).await;
    assert_eq!(said["version"], 1);
    assert_eq!(open.next_of("preferences").await, json!({"type": "preferences", "version": 1}));
    // What one browser says of one thing leaves the others as they are.
    change(&mut phone, json!({"theme": null, "undoS": 9})).await;
    let kept = json!({"version": 2, "values": {"undoS": 9, "later": {"a": [1]}}});
    assert_eq!(desk.get(PATH).await.json(), kept);
    assert_eq!(open.next_of("preferences").await["version"], 2);

    let data = server.stop().await;
    let server = start_in(data).await;
    let mut desk = desk.moved(server.address());
    assert_eq!(desk.get(PATH).await.json(), kept);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_names_and_large_values_are_refused_whole() {
    let server = start().await;
    let mut desk = set_up(&server).await;
    change(&mut desk, json!({"theme": "dark"})).await;
    for body in [
        json!({"theme": "light", "the theme": 1}),
        json!({"theme": "light", "large": "x".repeat(20_000)}),
    ] {
        let reply = desk.change("PATCH", PATH, &json!({ "values": body })).await;
        assert_eq!((reply.status, reply.code().as_str()), (422, "invalid"), "{reply:?}");
        assert_eq!(reply.json()["field"], "preferences");
    }
    for body in [json!({"values": ["theme"]}), json!({"theme": "light"}), json!({})] {
        let reply = desk.change("PATCH", PATH, &body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "bad_request"), "{reply:?}");
    }
    let kept = json!({"version": 1, "values": {"theme": "dark"}});
    assert_eq!(desk.get(PATH).await.json(), kept);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colleagues_hear_nothing_of_it() {
    let server = Server::start().await;
    let (ada, ben) = (server.sign_in("ada").await, server.sign_in("ben").await);
    let mut of_ben = server.connect(&ben).await;
    let mut of_ada = server.connect(&ada).await;
    let liked = json!({"values": {"theme": "dark"}});
    let reply = server.request("PATCH", PATH, &auth(Some(&ada)), Some(liked)).await;
    assert_eq!(reply.status, 200);
    of_ada.next_of("preferences").await;
    let heard = of_ben.settle().await;
    assert!(heard.iter().all(|frame| frame["type"] != "preferences"), "{heard:?}");
    assert_eq!(server.get(PATH, Some(&ben)).await.json()["version"], 0);
    server.stop().await;
}
