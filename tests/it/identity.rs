//! A site says who its visitors are: with the key of its widget, and with nothing else.

use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use crate::harness::{Client, End, PATIENCE, Server};
use crate::tokens::{now_s, signed};

struct Site {
    kid: String,
    secret: String,
}

impl Site {
    async fn new(server: &Server, query: &str) -> Self {
        let admin = server.sign_in("ada").await;
        let path = format!("/v1/widgets/demo/identity-key{query}");
        let made = server.post(&path, Some(&admin), json!({})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let text = |name: &str| made.json()[name].as_str().unwrap().to_owned();
        Self { kid: text("kid"), secret: text("secret") }
    }

    fn token(&self, claims: &Value) -> String {
        signed(&self.secret, &json!({ "alg": "HS256", "typ": "JWT", "kid": self.kid }), claims)
    }

    fn eve(&self) -> String {
        let name = ("Eve", "eve@example.com");
        self.token(&json!({ "sub": "eve", "name": name.0, "email": name.1, "exp": now_s() + 60 }))
    }
}

async fn status(server: &Server, token: &str) -> u16 {
    server.get("/v1/conversations", Some(token)).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_site_identifies_is_a_verified_visitor() {
    let server = Server::start().await;
    let site = Site::new(&server, "").await;
    let ben = server.sign_in("ben").await;
    // What is typed beside it does not count.
    let body = json!({ "widget": "demo", "contact": { "email": "other@example.com" },
                       "message": { "text": "hello" } });
    let begun = server.post("/v1/conversations", Some(&site.eve()), body).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let path = format!("/v1/conversations/{}", begun.json()["id"].as_str().unwrap());
    let card = server.get(&path, Some(&ben)).await.json();
    let visitor = &card["visitor"];
    assert_eq!((&visitor["verified"], &visitor["name"]), (&json!(true), &json!("Eve")));
    assert_eq!(visitor["email"], "eve@example.com");
    let context = server.get(&format!("{path}/context"), Some(&ben)).await.json();
    assert_eq!(context["contact"]["verified"], true);

    // Another key of the widget, the same people.
    let rotated = Site::new(&server, "").await;
    let mut socket = server.connect(&rotated.eve()).await;
    let (_, events) =
        socket.subscribe(card["id"].as_str().unwrap(), None, (Value::Null, Value::Null)).await;
    assert!(!events.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_makes_nobody_more_than_a_visitor() {
    let server = Server::start().await;
    let site = Site::new(&server, "").await;
    for role in ["admin", "owner", "agent"] {
        let token = site.token(&json!({ "sub": "ada", "role": role, "exp": now_s() + 60 }));
        assert_eq!(server.get("/v1/agents", Some(&token)).await.status, 403, "{role}");
        assert_eq!(server.get("/v1/widgets", Some(&token)).await.status, 403, "{role}");
        let mut socket = Client::open(server.address(), None, None).await.unwrap();
        socket.send(json!({ "type": "hello", "token": token })).await;
        assert_eq!(socket.next_of("ready").await["principal"]["kind"], "visitor");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_key_did_not_sign_is_refused() {
    let server = Server::start().await;
    let site = Site::new(&server, "").await;
    assert_eq!(status(&server, &site.eve()).await, 200);
    let claims = json!({ "sub": "eve", "exp": now_s() + 60 });
    let header = |kid: &str, alg: &str| json!({ "alg": alg, "kid": kid });
    let foreign = site.kid.replace("default", "other");
    let nameless = site.kid.rsplit_once('.').unwrap().0.to_owned();
    for token in [
        site.token(&json!({ "sub": "eve" })),
        site.token(&json!({ "sub": "eve", "exp": now_s() - 60 })),
        site.token(&json!({ "exp": now_s() + 60 })),
        site.token(&json!({ "sub": "eve", "tenant": "other", "exp": now_s() + 60 })),
        signed("another secret of the same length, about", &header(&site.kid, "HS256"), &claims),
        signed(&site.secret, &header(&site.kid, "none"), &claims),
        signed(&site.secret, &header(&site.kid, "HS384"), &claims),
        signed(&site.secret, &header(&foreign, "HS256"), &claims),
        signed(&site.secret, &header(&nameless, "HS256"), &claims),
        signed(&site.secret, &header("(widget demo)", "HS256"), &claims),
        signed(&site.secret, &json!({ "alg": "HS256" }), &claims),
        signed(&site.secret, &json!({ "alg": "HS256", "kid": site.kid, "crit": ["x"] }), &claims),
    ] {
        assert_eq!(status(&server, &token).await, 401, "{token}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_key_is_good_until_it_is_revoked() {
    let server = Server::start().await;
    let first = Site::new(&server, "").await;
    let second = Site::new(&server, "").await;
    assert_eq!(status(&server, &first.eve()).await, 200);
    assert_eq!(status(&server, &second.eve()).await, 200);
    let third = Site::new(&server, "?revoke=1").await;
    for (site, expected) in [(&first, 401), (&second, 401), (&third, 200)] {
        assert_eq!(status(&server, &site.eve()).await, expected);
    }
    let admin = server.sign_in("ada").await;
    let path = "/v1/widgets/demo/identity-key?revoke=yes";
    assert_eq!(server.post(path, Some(&admin), json!({})).await.status, 400);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_came_with_a_revoked_key_are_closed_and_no_others() {
    const WITHIN: Duration = Duration::from_secs(5);
    const { assert!(WITHIN.as_secs() < PATIENCE.as_secs()) };
    let server = Server::start().await;
    let first = Site::new(&server, "").await;
    let mut stays = server.connect(&first.eve()).await;
    let mut renewed = server.connect(&first.eve()).await;
    let mut left = server.connect(&first.eve()).await;
    let begun = server.begin("a stranger").await;
    let mut stranger = server.connect(&begun.secret).await;

    // A day to bring the new key to every server: nobody is cut.
    let second = Site::new(&server, "").await;
    renewed.send(json!({ "type": "hello", "token": second.eve() })).await;
    renewed.next_of("ready").await;
    stays.settle().await;

    // Another one: the first is refused from now on, the second for another day not.
    let third = Site::new(&server, "").await;
    for socket in [&mut stays, &mut left] {
        let (_, end) = timeout(WITHIN, socket.end()).await.expect("its end in time");
        assert_eq!(end, End::Code(4500));
    }
    renewed.settle().await;
    let mut newest = server.connect(&third.eve()).await;

    Site::new(&server, "?revoke=1").await;
    for socket in [&mut renewed, &mut newest] {
        let (_, end) = timeout(WITHIN, socket.end()).await.expect("its end in time");
        assert_eq!(end, End::Code(4500));
    }
    stranger.settle().await;
    server.stop().await;
}
