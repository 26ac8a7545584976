//! Pages of other sites, people who were put out, tokens in the wrong place.

use serde_json::json;
use tokio_tungstenite::tungstenite;

use crate::harness::{Client, End};
use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::tokens::{other_token, token};

const ALLOWED: [&str; 6] = [
    "https://good.example",
    "https://a.wild.example",
    "https://a.b.wild.example",
    "https://shop.example:8443",
    "http://localhost:3000",
    "http://[::1]:3000",
];

/// S2, as far as a header can carry it.
const REFUSED: [&str; 54] = [
    "null",
    "*",
    "https://",
    "https://evil.example",
    "https://mine.example",
    "http://good.example",
    "https://good.example:8443",
    "https://good.example:443",
    "https://good.example:0443",
    "https://good.example:",
    "https://good.example:x",
    "https://good.example:-1",
    "https://good.example:65536",
    "https://good.example:443:443",
    "https://good.example/",
    "https://good.example/path",
    "https://good.example?x",
    "https://good.example#x",
    "https://good.example.",
    "https://good.example..",
    "https://.good.example",
    "https://Good.example",
    "https://GOOD.EXAMPLE",
    "HTTPS://good.example",
    "https:/good.example",
    "https:good.example",
    "//good.example",
    "good.example",
    "wss://good.example",
    "ftp://good.example",
    "file://good.example",
    "https://good.example.evil.example",
    "https://evilgood.example",
    "https://sub.good.example",
    "https://good.example@evil.example",
    "https://user@good.example",
    "https://user:pass@good.example",
    "https://good.example%2eevil.example",
    "https://good.example evil.example",
    "https://good.example,https://evil.example",
    "https://xn--good-.example",
    "https://wild.example",
    "https://.wild.example",
    "https://*.wild.example",
    "https://evilwild.example",
    "https://a.wild.example.evil.example",
    "https://a.wild.example:8443",
    "http://a.wild.example",
    "https://shop.example",
    "https://localhost:3000",
    "http://localhost:0",
    "http://localhost.evil.example:3000",
    "http://127.1:3000",
    "http://2130706433",
];

/// A node where `default` allows its pages, and `other` one page of its own.
async fn set_up() -> TestNode {
    let node = TestNode::start().await;
    let own = ["https://good.example", "https://*.wild.example", "https://shop.example:8443"];
    let widget = |id: &str, origins: &[&str]| {
        let settings = json!({"name": "Main", "allowed_origins": origins});
        Call::new("POST", "/v1/widgets").json(&json!({"id": id, "settings": settings}))
    };
    let own = widget("main", &own).token(Some(&token("ada", "admin")));
    let mine = widget("main", &["https://mine.example"]).token(Some(&other_token("m", "admin")));
    for call in [own, mine] {
        assert_eq!(node.send(&call).await.status, 201);
    }
    node
}

fn asked_from(origin: &str, token: &str) -> Call {
    Call::new("GET", "/v1/departments").token(Some(token)).header("Origin", origin)
}

/// Whether an answer may be read by a page: its origin is echoed exactly, or not at all.
fn is_readable(reply: &Reply, origin: &str) -> bool {
    match reply.header("access-control-allow-origin") {
        None => false,
        Some(echoed) => {
            assert_eq!(echoed, origin);
            assert_eq!(reply.header("vary"), Some("Origin"));
            true
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pages_that_a_tenant_allows_may_call_for_it() {
    let node = set_up().await;
    let token = token("ada", "agent");
    for origin in ALLOWED {
        let reply = node.send(&asked_from(origin, &token)).await;
        assert_eq!((reply.status, is_readable(&reply, origin)), (200, true), "{origin}");
        let socket = Client::open(node.address, None, Some(origin)).await;
        let mut socket = socket.unwrap_or_else(|error| panic!("{origin}: {error}"));
        socket.send(json!({"type": "hello", "token": token})).await;
        socket.next_of("ready").await;
    }
    // Only `other` allows that page: it opens a socket, and no tenant but its own behind it.
    let mut socket = Client::open(node.address, None, Some("https://mine.example")).await.unwrap();
    socket.send(json!({"type": "hello", "token": token})).await;
    let (heard, end) = socket.end().await;
    assert_eq!((heard[0]["code"].as_str(), end), (Some("origin_refused"), End::Code(4500)));
    for origin in REFUSED {
        let reply = node.send(&asked_from(origin, &token)).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "origin_refused"), "{origin}");
        if origin == "https://mine.example" {
            continue;
        }
        assert!(!is_readable(&reply, origin), "{origin}");
        match Client::open(node.address, None, Some(origin)).await {
            Err(tungstenite::Error::Http(reply)) => assert_eq!(reply.status(), 403, "{origin}"),
            Err(error) => panic!("{origin}: {error}"),
            Ok(_) => panic!("{origin} opened a socket"),
        }
    }
    let theirs = asked_from("https://mine.example", &other_token("m", "agent"));
    assert_eq!(node.send(&theirs).await.status, 200);
    let twice = asked_from("https://good.example", &token).header("Origin", "https://evil.example");
    assert_eq!(node.send(&twice).await.status, 403);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preflight_is_answered_to_known_pages_only() {
    let node = set_up().await;
    let preflight = |origin: &str| {
        Call::new("OPTIONS", "/v1/conversations")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type")
    };
    let good = node.send(&preflight("https://good.example")).await;
    assert_eq!((good.status, is_readable(&good, "https://good.example")), (204, true));
    let allowed = |name: &str| good.header(name).unwrap().to_ascii_lowercase();
    assert!(allowed("access-control-allow-methods").contains("post"));
    assert!(allowed("access-control-allow-headers").contains("authorization"));
    assert_eq!(good.header("access-control-allow-credentials"), Some("true"));
    let evil = node.send(&preflight("https://evil.example")).await;
    assert_eq!((evil.status, is_readable(&evil, "https://evil.example")), (403, false));
    node.stop().await;
}

/// S11: stored `disabled` beats a valid token, and does not wait for the token to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_disabled_is_out_at_once_and_nobody_else() {
    let node = TestNode::start().await;
    let (grace, linus) = (token("grace", "agent"), token("linus", "agent"));
    let mut sockets = Vec::new();
    for token in [&grace, &grace, &linus] {
        let mut socket = Client::open(node.address, None, None).await.unwrap();
        socket.send(json!({"type": "hello", "token": token})).await;
        socket.next_of("ready").await;
        sockets.push(socket);
    }
    let disable = Call::new("PATCH", "/v1/agents/grace")
        .token(Some(&token("ada", "admin")))
        .header("If-Match", "*")
        .json(&json!({"disabled": true}));
    assert_eq!(node.send(&disable).await.status, 200);
    let mut bystander = sockets.pop().unwrap();
    for mut socket in sockets {
        assert_eq!(socket.end().await.1, End::Code(4500));
    }
    bystander.settle().await;
    let me = |token: &str| Call::new("GET", "/v1/agents/me").token(Some(token));
    assert_eq!(node.send(&me(&grace)).await.status, 401);
    assert_eq!(node.send(&me(&linus)).await.status, 200);
    let mut again = Client::open(node.address, None, None).await.unwrap();
    again.send(json!({"type": "hello", "token": grace})).await;
    assert_eq!(again.end().await.1, End::Code(4500));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_counts_only_where_it_belongs() {
    let node = TestNode::start().await;
    let good = token("ada", "admin");
    let me = |path: &str| Call::new("GET", path);
    let path = "/v1/agents/me";
    let table = [
        ("in the query", me(&format!("{path}?token={good}"))),
        ("as access_token", me(&format!("{path}?access_token={good}"))),
        ("in a cookie", me(path).header("Cookie", &format!("token={good}"))),
        ("under Basic", me(path).header("Authorization", &format!("Basic {good}"))),
        ("without a scheme", me(path).header("Authorization", &good)),
        ("in a header of its own", me(path).header("X-Token", &good)),
        ("nothing", me(path).header("Authorization", "Bearer ")),
    ];
    for (name, call) in table {
        assert_eq!(node.send(&call).await.status, 401, "{name}");
    }
    let lower = me(path).header("Authorization", &format!("bearer {good}"));
    assert_eq!(node.send(&lower).await.status, 200);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demos_sign_in_is_for_this_machine_alone() {
    let node = TestNode::start().await;
    let sign_in = || Call::new("POST", "/v1/demo/sign-in").json(&json!({"as": "ada"}));
    assert_eq!(node.send(&sign_in()).await.status, 200);
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("Forwarded", "for=127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("Via", "1.1 proxy"),
    ] {
        let reply = node.send(&sign_in().header(name, value)).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{name}");
    }
    let evil = sign_in().header("Origin", "https://evil.example");
    assert_eq!(node.send(&evil).await.status, 403);
    node.stop().await;
}
