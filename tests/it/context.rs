//! What agents learn around a conversation: pages, viewers, who the visitor is and was; and that
//! visitors learn nothing of it.

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Client, PATIENCE, Server};

const NONE: (Value, Value) = (Value::Null, Value::Null);

async fn context(server: &Server, id: &str, agent: &str) -> Value {
    let path = format!("/v1/conversations/{id}/context");
    let answer = server.get(&path, Some(agent)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn look(agent: &mut Client, conversation: &Value) {
    agent.send(json!({ "type": "viewing", "conversation": conversation })).await;
}

fn names(viewing: &Value) -> Vec<&str> {
    let agents = viewing["agents"].as_array().unwrap();
    agents.iter().map(|agent| agent["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_says_who_where_and_what_was_before() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let first = server.begin("the first").await;
    let begin = json!({
        "widget": "demo", "contact": { "name": "Eve", "email": "eve@example.com" },
        "context": { "page": "https://shop.example/a", "title": "A", "locale": "ar",
                     "referrer": "https://search.example/", "user_agent": "forged" },
        "fields": { "order": "<b>7</b>" },
    });
    let headers = [
        ("authorization", format!("Bearer {}", first.secret)),
        ("user-agent", "Test/1.0".to_owned()),
    ];
    let begun = server.request("POST", "/v1/conversations", &headers, Some(begin)).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    // Lists are a moment behind.
    let found = timeout(PATIENCE, async {
        loop {
            let found = context(&server, &id, &ben).await;
            if found["earlier_total"] == 1 {
                break found;
            }
        }
    });
    let found = found.await.unwrap();
    assert_eq!(found["contact"]["email"], "eve@example.com");
    assert_eq!(found["contact"]["verified"], false);
    assert!(found["contact"]["first_seen_at"].is_string());
    let device = json!({ "user_agent": "Test/1.0", "locale": "ar", "address": "127.0.0.0" });
    assert_eq!(found["device"], device);
    assert_eq!(found["page"]["url"], "https://shop.example/a");
    assert_eq!(found["referrer"], "https://search.example/");
    assert_eq!(found["fields"], json!({ "order": "<b>7</b>" }));
    assert_eq!(found["earlier"][0]["id"], first.body["id"]);
    let path = format!("/v1/conversations/{id}/context");
    assert_eq!(server.get(&path, Some(&first.secret)).await.status, 403);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_a_visitor_is_news_to_agents_alone() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let begun = server.begin("hello").await;
    let mut agent = server.connect(&ben).await;
    agent.subscribe(&begun.id, Some("internal"), NONE).await;
    let mut visitor = server.connect(&begun.secret).await;
    visitor.subscribe(&begun.id, None, NONE).await;
    let page = |url: &str| json!({ "type": "page", "url": url, "title": "A page" });
    visitor.send(page("https://shop.example/1")).await;
    let told = agent.next_of("page").await;
    assert_eq!(told["conversation"], begun.id.as_str());
    assert_eq!(
        (&told["url"], &told["title"]),
        (&json!("https://shop.example/1"), &json!("A page"))
    );
    // The same again is no news, and what no agent should open is no page.
    for url in ["https://shop.example/1", "javascript:alert(1)", "https://shop.example/2"] {
        visitor.send(page(url)).await;
    }
    assert_eq!(agent.next_of("page").await["url"], "https://shop.example/2");
    let found = context(&server, &begun.id, &ben).await;
    assert_eq!(found["page"]["url"], "https://shop.example/2");
    assert_eq!(found["pages"].as_array().unwrap().len(), 2);
    // What the site says that was done there.
    let mut deed = page("https://shop.example/2");
    deed["did"] = json!("Added to cart");
    visitor.send(deed).await;
    assert_eq!(agent.next_of("page").await["did"], "Added to cart");
    let found = context(&server, &begun.id, &ben).await;
    let did: Vec<_> = found["pages"].as_array().unwrap().iter().map(|page| &page["did"]).collect();
    assert_eq!(did, [&Value::Null, &Value::Null, &json!("Added to cart")]);
    let heard = visitor.settle().await;
    assert!(heard.iter().all(|frame| frame["type"] != "page"), "{heard:?}");

    // Another visitor cannot speak of this conversation, subscribed or not.
    let other = server.begin("hello too").await;
    let mut stranger = server.connect(&other.secret).await;
    let frame =
        json!({ "type": "subscribe", "conversation": begun.id, "log": null, "after": null });
    stranger.send(frame).await;
    assert_eq!(stranger.next_of("refused").await["code"], "not_found");
    stranger.send(page("https://evil.example/")).await;
    stranger.settle().await;
    visitor.send(page("https://shop.example/3")).await;
    assert_eq!(agent.next_of("page").await["url"], "https://shop.example/3");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colleagues_see_who_looks_until_they_look_away_or_go() {
    let server = Server::start().await;
    let (ada_token, ben_token) = (server.sign_in("ada").await, server.sign_in("ben").await);
    let (one, two) = (server.begin("one").await, server.begin("two").await);
    let (id, other) = (json!(one.id), json!(two.id));
    let mut ada = server.connect(&ada_token).await;
    ada.subscribe(&one.id, Some("internal"), NONE).await;
    let mut visitor = server.connect(&one.secret).await;
    visitor.subscribe(&one.id, None, NONE).await;
    visitor.settle().await;
    let mut ben = server.connect(&ben_token).await;

    look(&mut ben, &id).await;
    assert_eq!(names(&ada.next_of("viewing").await), ["Ben"]);
    look(&mut ada, &id).await;
    assert_eq!(names(&ada.next_of("viewing").await), ["Ben", "Ada"]);
    // Who comes later is told at once.
    ben.subscribe(&one.id, Some("internal"), NONE).await;
    assert_eq!(names(&ben.next_of("viewing").await), ["Ben", "Ada"]);
    look(&mut ben, &other).await;
    assert_eq!(names(&ada.next_of("viewing").await), ["Ada"]);
    look(&mut ben, &id).await;
    assert_eq!(names(&ada.next_of("viewing").await), ["Ada", "Ben"]);
    drop(ben);
    assert_eq!(names(&ada.next_of("viewing").await), ["Ada"]);
    look(&mut ada, &Value::Null).await;
    assert_eq!(names(&ada.next_of("viewing").await), Vec::<&str>::new());

    // P13: not a byte of it reached the visitor, who looks at nothing that others see.
    visitor.send(json!({ "type": "viewing", "conversation": id })).await;
    let heard = visitor.settle().await;
    let kinds: Vec<_> = heard.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert!(kinds.iter().all(|kind| *kind == "presence"), "{kinds:?}");
    let heard = ada.settle().await;
    assert!(heard.iter().all(|frame| frame["type"] != "viewing"), "{heard:?}");
    server.stop().await;
}

/// Who is with a conversation, as the next frame that speaks of it says; typists with a mark.
async fn company(client: &mut Client, conversation: &str) -> Vec<String> {
    loop {
        let frame = client.next_of("company").await;
        let items = frame["items"].as_array().unwrap();
        let Some(item) = items.iter().find(|item| item["conversation"] == conversation) else {
            continue;
        };
        let agents = item["agents"].as_array().unwrap().iter();
        return agents
            .map(|it| format!("{} {}", it["agent"]["name"].as_str().unwrap(), it["typing"]))
            .collect();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_say_who_looks_and_who_types_and_visitors_hear_nothing_of_it() {
    let server = Server::start().await;
    let (ada_token, ben_token) = (server.sign_in("ada").await, server.sign_in("ben").await);
    let begun = server.begin("one").await;
    let mut visitor = server.connect(&begun.secret).await;
    visitor.subscribe(&begun.id, None, NONE).await;
    let watch = |view: Value| {
        let reference = uuid::Uuid::from_u128(7);
        json!({ "type": "watch", "ref": reference, "view": view, "sort": "recent", "limit": 10 })
    };
    // A visitor has no lists to hear it by.
    visitor.send(watch(json!({}))).await;
    assert_eq!(visitor.next_of("refused").await["code"], "forbidden");
    visitor.settle().await;
    let mut ben = server.connect(&ben_token).await;
    ben.send(watch(json!({}))).await;
    ben.next_of("view").await;
    let mut elsewhere = server.connect(&ben_token).await;
    elsewhere.send(watch(json!({ "status": "closed" }))).await;
    elsewhere.next_of("view").await;
    let mut ada = server.connect(&ada_token).await;
    let typing = |on| json!({ "type": "typing", "conversation": begun.id, "on": on });

    look(&mut ada, &json!(begun.id)).await;
    assert_eq!(company(&mut ben, &begun.id).await, ["Ada false"]);
    ada.send(typing(true)).await;
    assert_eq!(company(&mut ben, &begun.id).await, ["Ada true"]);
    // Who comes later is told at once.
    let mut late = server.connect(&ben_token).await;
    late.send(watch(json!({ "status": "waiting" }))).await;
    assert_eq!(company(&mut late, &begun.id).await, ["Ada true"]);
    ada.send(typing(false)).await;
    assert_eq!(company(&mut ben, &begun.id).await, ["Ada false"]);
    drop(ada);
    assert!(company(&mut ben, &begun.id).await.is_empty());

    for mut client in [visitor, elsewhere] {
        let heard = client.settle().await;
        assert!(heard.iter().all(|frame| frame["type"] != "company"), "{heard:?}");
    }
    server.stop().await;
}

/// P10: another tenant's agent cannot look in, nor be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_looks_across_tenants() {
    let node = crate::node::TestNode::start().await;
    let begin = json!({ "widget": "demo", "message": { "text": "hello" } });
    let begin = crate::http::Call::new("POST", "/v1/conversations").json(&begin);
    let id = node.send(&begin).await.json()["id"].clone();
    let connect = async |token: String| {
        let mut client = Client::open(node.address, None, None).await.unwrap();
        client.send(json!({ "type": "hello", "token": token })).await;
        client.next_of("ready").await;
        client
    };
    let mut grace = connect(crate::tokens::token("grace", "agent")).await;
    grace.subscribe(id.as_str().unwrap(), Some("internal"), NONE).await;
    let mut mallory = connect(crate::tokens::other_token("mallory", "admin")).await;
    look(&mut mallory, &id).await;
    mallory.settle().await;
    let heard = grace.settle().await;
    assert!(heard.iter().all(|frame| frame["type"] != "viewing"), "{heard:?}");
    look(&mut grace, &id).await;
    assert_eq!(grace.next_of("viewing").await["agents"].as_array().unwrap().len(), 1);
    drop((grace, mallory));
    node.stop().await;
}
