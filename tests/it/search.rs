//! The search box, and the conversations of one visitor.

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{PATIENCE, Server, auth};

/// A query as a browser writes it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn found(server: &Server, token: &str, q: &str) -> Vec<Value> {
    let path = format!("/v1/conversations?q={}", encoded(q));
    let answer = server.get(&path, Some(token)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["items"].as_array().unwrap().iter().map(|card| card["id"].clone()).collect()
}

async fn begin(server: &Server, token: Option<&str>, name: &str, email: &str) -> Value {
    let body = json!({ "widget": "demo", "contact": { "name": name, "email": email },
                       "subject": "Ordering", "message": { "text": "Où est mon colis ?" } });
    let answer = server.post("/v1/conversations", token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_are_found_by_words_and_by_their_names() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let renee = begin(&server, None, "Renée", "renee@example.com").await;
    let other = begin(&server, None, "Otto", "otto@example.com").await;
    let id = renee["id"].as_str().unwrap();
    for q in ["renee", "RENÉE colis", "ou est renee", id, &renee["number"].to_string()] {
        assert_eq!(found(&server, &ben, q).await, [renee["id"].clone()], "{q}");
    }
    let both = [other["id"].clone(), renee["id"].clone()];
    assert_eq!(found(&server, &ben, "colis").await, both, "newest first");
    assert!(found(&server, &ben, "nobody").await.is_empty());

    let close = format!("/v1/conversations/{id}/close");
    assert_eq!(server.post(&close, Some(&ben), json!({})).await.status, 200);
    // What ended is found too, once lists have caught up.
    let is_open = async || {
        let listed = server.get("/v1/conversations?status=closed", Some(&ben)).await.json();
        listed["items"].as_array().unwrap().is_empty()
    };
    timeout(PATIENCE, async { while is_open().await {} }).await.unwrap();
    let number = renee["number"].to_string();
    for q in
        [id, &number, &format!("#{number}"), "Renee@Example.com", "renée COLIS", "ordering ren"]
    {
        assert_eq!(found(&server, &ben, q).await, [renee["id"].clone()], "{q}");
    }
    let both = [renee["id"].clone(), other["id"].clone()];
    assert_eq!(found(&server, &ben, "colis").await, both, "by their newest activity");
    assert!(found(&server, &ben, "nobody").await.is_empty());
    let reopen = format!("/v1/conversations/{id}/reopen");
    assert_eq!(server.post(&reopen, Some(&ben), json!({})).await.status, 200);
    assert_eq!(found(&server, &ben, "renee").await, [renee["id"].clone()], "once");
    // An address that was left later, while waiting, finds as well.
    let late = server.begin("I have to go").await;
    let mine = auth(Some(&late.secret));
    let body = json!({ "email": "late@example.com" });
    let left = server.request("PATCH", "/v1/visitors/me", &mine, Some(body)).await;
    assert_eq!(left.status, 200, "{}", left.text());
    let caught_up = async {
        while found(&server, &ben, "late@example.com").await != [late.body["id"].clone()] {}
    };
    timeout(PATIENCE, caught_up).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_conversations_are_found_by_the_page_that_their_visitor_is_on() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let (eve, otto) = (server.begin("hello").await, server.begin("hello too").await);
    let mut agent = server.connect(&ben).await;
    let none = || (Value::Null, Value::Null);
    agent.subscribe(&eve.id, Some("internal"), none()).await;
    let mut visitor = server.connect(&eve.secret).await;
    visitor.subscribe(&eve.id, None, none()).await;
    for (url, title) in
        [("https://shop.example/cacti", "Cacti"), ("https://shop.example/ferns?a=1", "Fougères")]
    {
        visitor.send(json!({ "type": "page", "url": url, "title": title })).await;
        agent.next_of("page").await;
    }
    for q in ["shop.example/ferns", "fougeres", "hello FERNS", "https://shop.example/ferns?a=1"] {
        assert_eq!(found(&server, &ben, q).await, [json!(eve.id)], "{q}");
    }
    // The page that they began on, until another is told.
    let begin = json!({ "widget": "demo", "message": { "text": "hi" },
                        "context": { "page": "https://shop.example/moss", "title": "Moss" } });
    let begun = server.post("/v1/conversations", None, begin).await.json();
    assert_eq!(found(&server, &ben, "shop.example/moss").await, [begun["id"].clone()]);
    // Only where they are, not where they have been.
    assert!(found(&server, &ben, "cacti").await.is_empty());
    assert_eq!(found(&server, &ben, "hello").await, [json!(otto.id), json!(eve.id)]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_looked_for_is_refused() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let begun = server.begin("hello").await;
    let long = "a".repeat(201);
    for (query, status) in [
        ("q=", 422),
        ("q=%20%0a", 422),
        ("q=%00", 422),
        (&*format!("q={long}"), 422),
        ("q=a%20b%20c%20d%20e%20f%20g%20h%20i", 422),
        ("q=hello&status=open", 400),
        ("q=hello&visitor=0190a000-0000-7000-8000-000000000000", 400),
        ("visitor=0190a000-0000-7000-8000-000000000000&agent=me", 400),
        ("visitor=x", 400),
    ] {
        let answer = server.get(&format!("/v1/conversations?{query}"), Some(&ben)).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
    for (query, status) in [("q=hello", 403), ("visitor=0190a000-0000-7000-8000-000000000000", 400)]
    {
        let answer = server.get(&format!("/v1/conversations?{query}"), Some(&begun.secret)).await;
        assert_eq!(answer.status, status, "{query}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitors_conversations_are_listed() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let first = begin(&server, None, "Eve", "eve@example.com").await;
    let secret = first["visitor"]["secret"].as_str().unwrap();
    begin(&server, Some(secret), "Eve", "eve@example.com").await;
    begin(&server, None, "Otto", "otto@example.com").await;
    let path = format!("/v1/conversations?visitor={}", first["visitor"]["id"].as_str().unwrap());
    let listed = async {
        while server.get(&path, Some(&ben)).await.json()["items"].as_array().unwrap().len() != 2 {}
    };
    timeout(PATIENCE, listed).await.unwrap();
    server.stop().await;
}

/// P10: another tenant's words, numbers, ids and addresses are found by nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_tenant_is_found() {
    let node = crate::node::TestNode::start().await;
    let body =
        json!({ "widget": "demo", "contact": { "name": "Renee", "email": "r@example.com" } });
    let call = crate::http::Call::new("POST", "/v1/conversations").json(&body);
    let begun = node.send(&call).await.json();
    let (number, id) = (begun["number"].to_string(), begun["id"].as_str().unwrap().to_owned());
    for q in ["renee", &number, &id, "r@example.com"] {
        let path = format!("/v1/conversations?q={}", encoded(q));
        let ask = async |token: String| {
            let call = crate::http::Call::new("GET", &path).token(Some(&token));
            node.send(&call).await.json()["items"].as_array().unwrap().len()
        };
        assert_eq!(ask(crate::tokens::other_token("mallory", "admin")).await, 0, "{q}");
        if q == "renee" {
            assert_eq!(ask(crate::tokens::token("linus", "admin")).await, 1);
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_without_rows_only_counts() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    begin(&server, None, "Eve", "eve@example.com").await;
    let mut agent = server.connect(&ben).await;
    let reference = "0190a000-0000-7000-8000-000000000001";
    let view = json!({ "status": "waiting" });
    agent.send(json!({ "type": "watch", "ref": reference, "view": view, "limit": 0 })).await;
    let first = agent.next_of("view").await;
    assert_eq!((&first["total"], &first["snapshot"]), (&json!(1), &json!([])));
    begin(&server, None, "Otto", "otto@example.com").await;
    let next = agent.next_of("view").await;
    assert_eq!((&next["total"], &next["changes"]), (&json!(2), &json!([])));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_paged_in_the_order_of_the_queue() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(json!(server.begin(&format!("hello {n}")).await.id));
    }
    let stranger = server.begin("mine alone").await.secret;
    // What is urgent is served first; what is taken waits no more.
    let path =
        |n: usize, what: &str| format!("/v1/conversations/{}{what}", ids[n].as_str().unwrap());
    let change = json!({ "priority": "urgent" });
    let headers = auth(Some(&ben));
    assert_eq!(server.request("PATCH", &path(4, ""), &headers, Some(change)).await.status, 200);
    assert_eq!(server.post(&path(1, "/accept"), Some(&ben), json!({})).await.status, 200);
    let page = async |more: &str| {
        let path = format!("/v1/conversations?status=waiting&sort=waiting{more}");
        let answer = server.get(&path, Some(&ben)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let mut seen = Vec::new();
    let mut more = "&limit=2".to_owned();
    loop {
        let answer = page(&more).await;
        let items = answer["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|card| card["id"].clone()));
        let Some(next) = answer["next"].as_str() else { break };
        more = format!("&limit=2&cursor={next}");
    }
    let order = [4, 0, 2, 3].map(|n| ids[n].clone());
    assert_eq!(seen[..4], order);
    assert_eq!(seen.len(), 5, "and whoever came last");
    assert!(page("&department=sales").await["items"].as_array().unwrap().is_empty());

    for (query, token, answer) in [
        ("status=waiting&sort=waiting", &stranger, (403, "forbidden")),
        ("sort=waiting", &ben, (400, "bad_request")),
        ("status=waiting&sort=waiting&agent=me", &ben, (400, "bad_request")),
        ("status=waiting&sort=waiting&cursor=x", &ben, (400, "bad_request")),
        ("sort=loudest", &ben, (422, "invalid")),
        ("q=hello&sort=waiting", &ben, (400, "bad_request")),
    ] {
        let refused = server.get(&format!("/v1/conversations?{query}"), Some(token)).await;
        assert_eq!((refused.status, refused.code().as_str()), answer, "{query}");
    }
    server.stop().await;
}
