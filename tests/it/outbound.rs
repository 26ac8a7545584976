//! An agent writes first: who meets it live, who needs a link, and that a link leads in once.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Answer, PATIENCE, SECRET, Server, auth};
use crate::tokens::{now_s, signed};

/// A token of the site that says who a visitor is.
fn customer(subject: &str, email: &str) -> String {
    let claims = json!({ "sub": subject, "name": subject, "email": email, "role": "customer",
                         "exp": now_s() + 600 });
    signed(SECRET, &json!({ "alg": "HS256" }), &claims)
}

async fn write(server: &Server, agent: &str, to: Value) -> Answer {
    let mut body = json!({ "widget": "demo", "message": { "text": "Hello from us" } });
    body.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
    server.post("/v1/conversations/outbound", Some(agent), body).await
}

fn to_address(email: &str) -> Value {
    json!({ "contact": { "email": email, "name": "Eve" } })
}

fn token_of(answer: &Answer) -> String {
    answer.json()["link"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leads_a_stranger_into_the_conversation_once() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let written = write(&server, &ben, to_address("eve@example.com")).await;
    assert_eq!(written.status, 201, "{}", written.text());
    let card = written.json();
    assert_eq!((&card["status"], &card["live"]), (&json!("active"), &json!(false)));
    assert_eq!(
        (&card["agent"]["name"], &card["visitor"]["verified"]),
        (&json!("Ben"), &json!(false))
    );
    let link = card["link"].as_str().unwrap().to_owned();
    let address = server.address();
    assert!(link.starts_with(&format!("http://{address}/chat?widget=demo#sbl_default.")), "{link}");

    // Twenty come at once: one is let in.
    let body = json!({ "token": token_of(&written) });
    let used = join_all((0..20).map(|_| server.post("/v1/links", None, body.clone()))).await;
    let (good, bad): (Vec<_>, Vec<_>) = used.into_iter().partition(|used| used.status == 200);
    assert_eq!(good.len(), 1);
    assert!(bad.iter().all(|used| used.status == 410 && used.code() == "link_used"));
    let opened = good[0].json();
    assert_eq!(opened["conversation"], card["id"]);
    let secret = opened["visitor"]["secret"].as_str().unwrap();

    // Whoever it was, reads and answers, and the agent hears it.
    let mut agent = server.connect(&ben).await;
    let id = card["id"].as_str().unwrap();
    agent.subscribe(id, None, (json!(null), json!(null))).await;
    let mut eve = server.connect(secret).await;
    let (subscribed, events) = eve.subscribe(id, None, (json!(null), json!(null))).await;
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "assigned", "message"]);
    assert_eq!(events[2]["from"]["name"], "Ben");
    assert!(subscribed["state"]["visitor"].get("verified").is_none());
    eve.write(id, 1, "Hello you").await;
    let heard = agent.next_of("event").await;
    assert_eq!(heard["body"]["text"], "Hello you");
    // Nobody was asked to route it.
    let waiting = server.get("/v1/conversations?status=waiting", Some(&ben)).await.json();
    assert_eq!(waiting["items"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_somebody_typed_meets_nobody() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    // Mallory says that she is Eve, in a widget that is open.
    let body = json!({ "widget": "demo", "contact": { "email": "eve@example.com" } });
    let mallory = server.post("/v1/conversations", None, body).await.json();
    let mut socket = server.connect(mallory["visitor"]["secret"].as_str().unwrap()).await;
    let written = write(&server, &ben, to_address("eve@example.com")).await.json();
    assert_ne!(written["link"], json!(null));
    assert_eq!(written["live"], false);
    assert_ne!(written["visitor"]["id"], mallory["visitor"]["id"]);
    let heard = socket.settle().await;
    assert!(heard.iter().all(|frame| frame["type"] != "conversation"), "{heard:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_site_identified_is_met_live() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let token = customer("eve", "Eve@Example.com");
    let (mut here, mut there) = (server.connect(&token).await, server.connect(&token).await);
    let written = write(&server, &ben, to_address("eve@example.com")).await.json();
    assert_eq!((&written["link"], &written["live"]), (&json!(null), &json!(true)));
    assert_eq!(written["visitor"]["verified"], true);
    for socket in [&mut here, &mut there] {
        let told = socket.next_of("conversation").await;
        assert_eq!(told, json!({ "type": "conversation", "conversation": written["id"] }));
    }
    let id = written["id"].as_str().unwrap();
    let (_, events) = here.subscribe(id, None, (json!(null), json!(null))).await;
    assert_eq!(events[2]["body"]["text"], "Hello from us");

    // Of two people with one address nobody can say which it is.
    let _twin = server.connect(&customer("twin", "eve@example.com")).await;
    let again = write(&server, &ben, to_address("eve@example.com")).await.json();
    assert_ne!(again["link"], json!(null));
    let heard = here.settle().await;
    assert!(heard.iter().all(|frame| frame["type"] != "conversation"), "{heard:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_whom_we_know_is_met_by_id() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let begun = server.begin("hello").await;
    let visitor = begun.body["visitor"]["id"].clone();
    // Not here: nobody is told, and the visitor finds it when they come back.
    let written = write(&server, &ben, json!({ "visitor": visitor })).await.json();
    assert_eq!((&written["link"], &written["live"]), (&json!(null), &json!(false)));
    // Lists are a moment behind.
    let found = async {
        let list = "/v1/conversations?status=open";
        while server.get(list, Some(&begun.secret)).await.json()["items"][1].is_null() {}
    };
    timeout(PATIENCE, found).await.unwrap();
    let mut socket = server.connect(&begun.secret).await;
    let written = write(&server, &ben, json!({ "visitor": visitor })).await.json();
    assert_eq!(written["live"], true);
    assert_eq!(socket.next_of("conversation").await["conversation"], written["id"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_before_anything_begins() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let agents = server.get("/v1/agents/me", Some(&ben)).await.json();
    for (body, status) in [
        (json!({}), 422),
        (json!({ "contact": { "email": "a@b.c" }, "visitor": agents["id"] }), 422),
        (json!({ "contact": { "email": " " } }), 422),
        (json!({ "contact": { "email": "eve@example.com\nbcc: x@y.z" } }), 422),
        (json!({ "contact": { "email": "a@b.c" }, "department": "nowhere" }), 422),
        (json!({ "contact": { "email": "a@b.c" }, "widget": "nowhere" }), 404),
        (json!({ "contact": { "email": "a@b.c" }, "message": { "text": " " } }), 422),
        // An agent is nobody's visitor.
        (json!({ "visitor": agents["id"] }), 404),
        (json!({ "visitor": "0190a000-0000-7000-8000-000000000000" }), 404),
    ] {
        let answer = write(&server, &ben, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let all = server.get("/v1/conversations", Some(&ben)).await.json();
    assert_eq!(all["items"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_gives_the_same_link() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let mut body = to_address("eve@example.com");
    body["widget"] = json!("demo");
    body["message"] = json!({ "text": "Hello" });
    let mut headers = auth(Some(&ben));
    headers.push(("idempotency-key", "once".to_owned()));
    let path = "/v1/conversations/outbound";
    let first = server.request("POST", path, &headers, Some(body.clone())).await;
    let second = server.request("POST", path, &headers, Some(body)).await;
    assert_eq!(first.json(), second.json());
    let used = server.post("/v1/links", None, json!({ "token": token_of(&second) })).await;
    assert_eq!(used.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_tells_of_themselves_unless_the_site_does() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let path = "/v1/visitors/me";
    let patch = async |token: &str, body: Value| {
        server.request("PATCH", path, &auth(Some(token)), Some(body)).await
    };
    let me = patch(&begun.secret, json!({ "name": "Eve", "email": "eve@example.com" })).await;
    assert_eq!(me.status, 200, "{}", me.text());
    let me = patch(&begun.secret, json!({ "phone": "+49 30 1234" })).await.json();
    assert_eq!((&me["name"], &me["phone"]), (&json!("Eve"), &json!("+49 30 1234")));
    let bad = patch(&begun.secret, json!({ "email": "no address" })).await;
    assert_eq!((bad.status, &bad.json()["field"]), (422, &json!("email")));
    let told = patch(&customer("eve", "eve@example.com"), json!({ "name": "Other" })).await;
    assert_eq!(told.status, 403);
    server.stop().await;
}
