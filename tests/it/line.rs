//! Places in line of those who closed the page.

use serde_json::{Value, json};

use crate::harness::{Begun, Client, Server, auth, text_of};

const NEW: (Value, Value) = (Value::Null, Value::Null);

/// A server that keeps a place for a second.
async fn brief() -> Server {
    Server::start_in(tempfile::tempdir().unwrap(), |config| config.actors.place_kept_s = 1).await
}

/// The visitor's page, subscribed.
async fn page(server: &Server, begun: &Begun) -> Client {
    let mut client = server.connect(&begun.secret).await;
    client.subscribe(&begun.id, None, NEW).await;
    client
}

/// The next event that is not a message.
async fn happens(watcher: &mut Client) -> Value {
    watcher
        .next_where("a line", |frame| frame["type"] == "event" && frame["kind"] != "message")
        .await
}

async fn card(server: &Server, agent: &str, begun: &Begun) -> Value {
    server.get(&format!("/v1/conversations/{}", begun.id), Some(agent)).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_closes_the_page_loses_the_place_later_and_comes_back_at_the_end() {
    let server = brief().await;
    let ada = server.sign_in("ada").await;
    let mut agent = server.connect(&ada).await;
    let gone = server.begin("I cannot wait").await;
    let stays = server.begin("I can").await;
    agent.subscribe(&gone.id, None, NEW).await;
    let _staying = page(&server, &stays).await;
    let mut leaving = page(&server, &gone).await;
    let first = leaving.next_of("queue").await;
    assert_eq!(first["position"], 1);
    drop(leaving);
    let left = happens(&mut agent).await;
    assert_eq!((&left["kind"], &left["from"]["kind"]), (&json!("visitor_left"), &json!("system")));
    let waits = card(&server, &ada, &gone).await;
    assert_eq!((&waits["status"], &waits["waiting_since"]), (&json!("waiting"), &Value::Null));
    assert_eq!(text_of(&waits["last"]["text"]), "I cannot wait", "nothing is lost");
    assert!(card(&server, &ada, &stays).await["waiting_since"].is_string());

    let mut back = page(&server, &gone).await;
    assert_eq!(happens(&mut agent).await["kind"], "visitor_returned");
    let place = back.next_of("queue").await;
    assert_eq!(place["position"], 2, "at the end");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_an_address_or_never_listened_keeps_the_place() {
    let server = brief().await;
    let ada = server.sign_in("ada").await;
    let _agent = server.connect(&ada).await;
    let reachable = server.begin("write to me").await;
    let by_request = server.begin("I ask by request").await;
    let email = json!({ "email": "vera@shop.example" });
    let headers = auth(Some(&reachable.secret));
    let answer = server.request("PATCH", "/v1/visitors/me", &headers, Some(email)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    drop(page(&server, &reachable).await);
    // One more leaves after them, and is seen to have left: then they would have been.
    let last = server.begin("not reachable").await;
    let mut watcher = server.connect(&ada).await;
    watcher.subscribe(&last.id, None, NEW).await;
    drop(page(&server, &last).await);
    assert_eq!(happens(&mut watcher).await["kind"], "visitor_left");
    for begun in [&reachable, &by_request] {
        assert!(card(&server, &ada, begun).await["waiting_since"].is_string());
    }
    server.stop().await;
}
