//! What clients must not be able to do to us, or to others.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, End, Server};

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_frame_is_answered_and_too_many_end_the_connection() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let mut client = server.connect(&begun.secret).await;
    client.send_message(Message::text("{\"type\":")).await;
    assert_eq!(client.next_of("error").await["code"], "bad_frame");
    client.send(json!({ "type": "teleport", "to": [1, 2, 3] })).await;
    assert_eq!(client.next_of("error").await["code"], "unknown_type");
    client.send(json!({ "type": "ping" })).await;
    client.next_of("pong").await;
    for _ in 0..30 {
        client.send_message(Message::text("[".repeat(40_000))).await;
    }
    let (heard, end) = client.end().await;
    assert_eq!(end, End::Code(4501));
    let n_errors = heard.iter().filter(|frame| frame["type"] == "error").count();
    assert_eq!(n_errors, 18, "twenty errors in all");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_opcodes_and_large_frames_end_the_connection_with_their_code() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    for (message, code) in
        [(Message::binary(b"{}".to_vec()), 4501), (Message::text("x".repeat(200_000)), 1009)]
    {
        let mut client = server.connect(&begun.secret).await;
        client.send_message(message).await;
        assert_eq!(client.end().await.1, End::Code(code));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_without_a_good_hello_is_closed() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    // Another secret of the right form, whatever ours ends with.
    let last = if begun.secret.ends_with('A') { 'E' } else { 'A' };
    let other = format!("{}{last}", &begun.secret[..begun.secret.len() - 1]);
    let hello = |token: &str| json!({ "type": "hello", "token": token });
    for (first, code) in [
        (hello(""), 4500),
        (hello("sbv_default"), 4500),
        (hello(&other), 4500),
        (hello("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."), 4500),
        (json!({ "type": "subscribe", "conversation": begun.id }), 4500),
        (json!({ "type": "what" }), 4501),
    ] {
        let mut client = Client::open(server.address(), None, None).await.unwrap();
        client.send(first.clone()).await;
        assert_eq!(client.end().await.1, End::Code(code), "{first}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_are_taken_whole_on_every_door() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let own = format!("http://{}", server.address());
    for (origin, fine) in [
        (own.as_str(), true),
        ("http://localhost:5173", true),
        ("http://[::1]:1", true),
        ("https://evil.example", false),
        ("null", false),
        ("http://localhost.evil:80", false),
        ("http://127.0.0.1.evil", false),
        ("http://localhost@evil:80", false),
        ("http://LOCALHOST:80", false),
        ("file://localhost", false),
        ("", false),
    ] {
        let path = format!("/v1/conversations/{}", begun.id);
        let mut headers = crate::harness::auth(Some(&begun.secret));
        headers.push(("origin", origin.to_owned()));
        let answer = server.request("GET", &path, &headers, None).await;
        assert_eq!(answer.status, if fine { 200 } else { 403 }, "{origin}");
        let echoed = answer.header("access-control-allow-origin");
        assert_eq!(echoed, fine.then_some(origin), "{origin}");
        let preflight =
            [("origin", origin.to_owned()), ("access-control-request-method", "POST".to_owned())];
        let answer = server.request("OPTIONS", &path, &preflight, None).await;
        assert_eq!(answer.status, if fine { 204 } else { 403 }, "{origin}");
        let opened = Client::open(server.address(), None, Some(origin)).await;
        assert_eq!(opened.is_ok(), fine, "{origin}");
    }
    let both = [("origin", own.clone()), ("origin", own)];
    let answer = server.request("GET", "/v1/widgets/demo", &both, None).await;
    assert_eq!(answer.status, 403, "two origins are none");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_headers() {
    let server = Server::start().await;
    for path in ["/v1/widgets/demo", "/v1/nothing", "/console", "/demo", "/widget", "/nothing"] {
        let answer = server.get(path, None).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("referrer-policy").is_some(), "{path}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe-inline"), "{path}: {policy}");
    }
    let widget = server.get("/widget?widget=demo", None).await;
    let policy = widget.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'self' http://localhost:*"), "{policy}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extra_and_wrong_fields_are_refused_everywhere() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let path = |rest: &str| format!("/v1/conversations/{}{rest}", begun.id);
    for (path, body) in [
        ("/v1/conversations".to_owned(), json!({ "widget": "demo", "tenant_id": "other" })),
        ("/v1/conversations".to_owned(), json!({ "widget": { "$ne": null } })),
        (path("/messages"), json!({ "text": "x", "seq": 1 })),
        (path("/messages"), json!({ "text": "x", "from": { "kind": "agent" } })),
        (path("/messages"), json!({ "text": { "$regex": ".*" } })),
        (path("/close"), json!({ "role": "admin" })),
        (path("/read"), json!({ "seq": -1 })),
        (path("/rating"), json!({ "score": 5, "is_admin": true })),
    ] {
        let answer = server.post(&path, Some(&begun.secret), body.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{path} {body}");
    }
    let found = server.get(&path("/messages"), Some(&begun.secret)).await.json();
    assert_eq!(found["head"], begun.body["head"], "nothing was stored");
    let typed = [
        ("authorization", format!("Bearer {}", begun.secret)),
        ("content-type", "text/plain".to_owned()),
    ];
    let answer = server.request("POST", &path("/messages"), &typed, None).await;
    assert_eq!(answer.status, 400, "an empty body lacks its text");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_answered_alike_and_done_once() {
    let server = Server::start().await;
    let keyed = |token: Option<&str>, key: &str| {
        let mut headers = crate::harness::auth(token);
        headers.push(("idempotency-key", key.to_owned()));
        headers
    };
    let body = |text: &str| Some(json!({ "widget": "demo", "message": { "text": text } }));
    let path = "/v1/conversations";
    let first = server.request("POST", path, &keyed(None, "k1"), body("hello")).await;
    let again = server.request("POST", path, &keyed(None, "k1"), body("hello")).await;
    assert_eq!((first.status, first.json()), (201, again.json()));
    let other = server.request("POST", path, &keyed(None, "k1"), body("other")).await;
    assert_eq!((other.status, other.code().as_str()), (422, "key_reused"));
    let secret = crate::harness::text_of(&first.json()["visitor"]["secret"]);
    let id = crate::harness::text_of(&first.json()["id"]);

    let path = format!("/v1/conversations/{id}/messages");
    let body = |text: &str| Some(json!({ "text": text }));
    let headers = keyed(Some(&secret), "k2");
    let first = server.request("POST", &path, &headers, body("once")).await;
    let again = server.request("POST", &path, &headers, body("once")).await;
    assert_eq!((first.status, first.json()), (201, again.json()));
    let other = server.request("POST", &path, &headers, body("twice")).await;
    assert_eq!((other.status, other.code().as_str()), (422, "key_reused"));
    let stored = server.get(&path, Some(&secret)).await.json();
    assert_eq!(stored["head"], first.json()["seq"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_answers_as_soon_as_there_is_something() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let head = begun.body["head"].as_u64().unwrap();
    let path = format!("/v1/conversations/{}/messages?after={head}&wait=20", begun.id);
    let write = async {
        // The poll is surely waiting once this one has come back empty.
        let short = path.replace("wait=20", "wait=1");
        assert_eq!(server.get(&short, Some(&begun.secret)).await.json()["items"], json!([]));
        let path = format!("/v1/conversations/{}/messages", begun.id);
        server.post(&path, Some(&begun.secret), json!({ "text": "news" })).await
    };
    let (polled, _) = tokio::join!(server.get(&path, Some(&begun.secret)), write);
    assert_eq!(polled.json()["items"][0]["body"]["text"], "news");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_tells_clients_when_to_come_back() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let mut client = server.connect(&begun.secret).await;
    let stopping = tokio::spawn(server.stop());
    let drain = client.next_of("drain").await;
    assert!(drain["reconnect_in_ms"].is_u64(), "{drain}");
    let (_, end) = client.end().await;
    assert_eq!(end, End::Code(4001));
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_agent_is_out_at_once() {
    let server = Server::start().await;
    let (ada, ben) = (server.sign_in("ada").await, server.sign_in("ben").await);
    let mut client = server.connect(&ben).await;
    let found = server.get("/v1/agents/ben", Some(&ada)).await;
    let mut headers = crate::harness::auth(Some(&ada));
    headers.push(("if-match", found.header("etag").unwrap().to_owned()));
    let body = json!({ "disabled": true });
    let patched = server.request("PATCH", "/v1/agents/ben", &headers, Some(body)).await;
    assert_eq!(patched.status, 200, "{}", patched.text());
    assert_eq!(client.end().await.1, End::Code(4500));
    assert_eq!(server.get("/v1/agents/me", Some(&ben)).await.status, 401);
    let again = server.request("PATCH", "/v1/agents/ben", &headers, Some(json!({}))).await;
    assert_eq!((again.status, again.code().as_str()), (412, "changed"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_unknown_conversations_answer_alike() {
    let server = Server::start().await;
    let (mine, foreign) = (server.begin("mine").await, server.begin("foreign").await);
    let unknown = "0192cccc-0000-7000-8000-000000000001";
    for rest in ["", "/messages", "/messages?stream=internal"] {
        let ask = async |id: &str| {
            let path = format!("/v1/conversations/{id}{rest}");
            let answer = server.get(&path, Some(&mine.secret)).await;
            let mut body = answer.json();
            // Of each request its own.
            body.as_object_mut().unwrap().remove("request_id");
            (answer.status, body)
        };
        assert_eq!(ask(&foreign.id).await, ask(unknown).await, "{rest}");
        assert_eq!(ask("not-an-id").await.0, 404);
    }
    let own = server.get("/v1/conversations", Some(&mine.secret)).await.json();
    let ids: Vec<&Value> =
        own["items"].as_array().unwrap().iter().map(|card| &card["id"]).collect();
    assert!(ids.iter().all(|id| **id == mine.id), "{ids:?}");
    server.stop().await;
}
