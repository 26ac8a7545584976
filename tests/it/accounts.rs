//! Own accounts from outside: set-up, signing in and out, what a cookie may do and what it may not.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::browser::Browser;
use crate::harness::{Client, End, Server};
use crate::http::{Call, Reply};

pub(crate) const EMAIL: &str = "grace@example.com";
pub(crate) const PASSWORD: &str = "nanoseconds of wire";

/// A node without demo people.
pub(crate) async fn start() -> Server {
    start_in(tempfile::tempdir().unwrap()).await
}

pub(crate) async fn start_in(data: TempDir) -> Server {
    Server::start_in(data, |config| config.server.demo = false).await
}

/// The token of the link that the node gives to whoever started it.
pub(crate) fn setup_token(server: &Server) -> String {
    let link = server.node.setup().expect("a link");
    let (page, token) = link.split_once("#setup=").unwrap();
    assert_eq!(page, format!("http://{}/console", server.address()));
    token.to_owned()
}

/// The browser of the owner who has just set the tenant up.
pub(crate) async fn set_up(server: &Server) -> Browser {
    let mut browser = Browser::new(server.address());
    let reply = try_set_up(&mut browser, &setup_token(server), EMAIL).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    browser
}

async fn try_set_up(browser: &mut Browser, token: &str, email: &str) -> Reply {
    let body = json!({"token": token, "name": "Grace Hopper", "email": email,
                      "password": PASSWORD});
    browser.enter("setup", &body).await
}

/// A socket that opens with a ticket.
pub(crate) async fn socket(browser: &mut Browser, server: &Server) -> Client {
    let ticket = browser.ticket().await;
    let mut client = Client::open(server.address(), None, Some(&browser.origin())).await.unwrap();
    client.send(json!({"type": "hello", "token": ticket})).await;
    client.next_of("ready").await;
    client
}

async fn is_closed_soon(client: &mut Client) {
    let began = Instant::now();
    let (_, end) = client.end().await;
    assert_eq!(end, End::Code(4500));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_link_makes_the_owner_and_is_good_once() {
    let server = start().await;
    let token = setup_token(&server);
    let mut browser = Browser::new(server.address());
    assert_eq!(
        browser.get("/v1/auth").await.json(),
        json!({"me": null, "demo": false, "setup": true})
    );

    for (field, value, why) in [
        ("password", "short", "at least"),
        ("password", "1234567890", "commonest"),
        ("password", "Grace Hopper", "tried first"),
        ("email", "nobody", "mail address"),
        ("name", " ", "empty"),
    ] {
        let mut body = json!({"token": token, "name": "Grace Hopper", "email": EMAIL,
                              "password": PASSWORD});
        body[field] = json!(value);
        let reply = browser.enter("setup", &body).await;
        assert_eq!((reply.status, reply.code().as_str()), (422, "invalid"), "{reply:?}");
        assert_eq!(reply.json()["field"], field);
        assert!(reply.json()["detail"].as_str().unwrap().contains(why), "{reply:?}");
    }

    let me = try_set_up(&mut browser, &token, EMAIL).await.json();
    assert_eq!(me["principal"]["role"], "owner");
    assert_eq!(me["principal"]["name"], "Grace Hopper");
    assert_eq!(me["tenant"], json!({"id": "default", "name": "default"}));
    assert_eq!((&me["email"], &me["via"]), (&json!(EMAIL), &json!("cookie")));
    let shown = browser.get("/v1/auth/me").await.json();
    assert_eq!((&shown["csrf"], &shown["principal"]), (&me["csrf"], &me["principal"]));
    assert_eq!(browser.get("/v1/auth").await.json()["me"]["email"], EMAIL);

    let again = try_set_up(&mut Browser::new(server.address()), &token, "eve@example.com").await;
    assert_eq!((again.status, again.code().as_str()), (410, "link_used"));
    let standing = Browser::new(server.address()).get("/v1/auth").await.json();
    assert_eq!(standing, json!({"me": null, "demo": false, "setup": false}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_with_the_same_link_one_wins() {
    let server = start().await;
    let token = setup_token(&server);
    let tries = (0..4).map(|n| {
        let (mut browser, token) = (Browser::new(server.address()), token.clone());
        async move {
            let email = format!("owner-{n}@example.com");
            (try_set_up(&mut browser, &token, &email).await.status, email)
        }
    });
    let answers = join_all(tries).await;
    let won: Vec<_> = answers.iter().filter(|(status, _)| *status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for (status, email) in &answers {
        let logged_in = Browser::new(server.address()).log_in(email, PASSWORD).await.status;
        assert_eq!(logged_in == 200, *status == 200, "{email}: {logged_in}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_start_replaces_the_link_until_it_is_used() {
    let server = start().await;
    let first = setup_token(&server);
    let server = start_in(server.stop().await).await;
    let second = setup_token(&server);
    let mut browser = Browser::new(server.address());
    assert_eq!(try_set_up(&mut browser, &first, EMAIL).await.code(), "link_used");
    assert_eq!(try_set_up(&mut browser, &second, EMAIL).await.status, 200);

    let server = start_in(server.stop().await).await;
    assert_eq!(server.node.setup(), None);
    let mut browser = browser.moved(server.address());
    assert_eq!(browser.get("/v1/auth/me").await.json()["email"], EMAIL, "sign-ins outlive a stop");
    assert_eq!(browser.post("/v1/auth/logout", &json!({})).await.status, 204);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_an_account_exists_shows_nowhere() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let mut stranger = Browser::new(server.address());
    let mut seen = Vec::new();
    for (email, password, tenant) in [
        (EMAIL, "not the password", "default"),
        ("nobody@example.com", PASSWORD, "default"),
        (EMAIL, PASSWORD, "never"),
        (EMAIL, PASSWORD, "not a name"),
        ("", "", "default"),
    ] {
        let body = json!({"email": email, "password": password, "tenant": tenant});
        let reply = stranger.enter("login", &body).await;
        seen.push(reply.tells());
        assert!(stranger.cookies.is_empty());
    }
    assert_eq!(seen[0].0, 401);
    assert!(seen[0].2.contains("bad_credentials"), "{seen:?}");
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");

    // In any spelling of the address it is the same account.
    let reply = stranger.log_in(" GRACE@Example.COM", PASSWORD).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let (old, new) =
        (&owner.cookies["__Host-switchboard"], &stranger.cookies["__Host-switchboard"]);
    assert_ne!(old, new);
    assert!(new.len() < 200, "{new}");
    assert_eq!(owner.get("/v1/auth/me").await.status, 200, "both browsers are signed in");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_refusal_does_not_tell_whether_the_account_exists() {
    let server = start().await;
    set_up(&server).await;
    // The quickest of each: what a busy machine adds to one is not the server's doing.
    let mut took = [Duration::MAX; 2];
    let mut browser = Browser::new(server.address());
    for _ in 0..6 {
        for (idx, email) in [EMAIL, "nobody@example.com"].into_iter().enumerate() {
            let began = Instant::now();
            assert_eq!(browser.log_in(email, "not the password").await.status, 401);
            took[idx] = took[idx].min(began.elapsed());
        }
    }
    // Without the hash of nobody the second takes a twentieth.
    let [known, unknown] = took;
    assert!(unknown * 2 > known && known * 2 > unknown, "{known:?} {unknown:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_changes_nothing_without_our_page() {
    let server = start().await;
    let mut browser = set_up(&server).await;
    let (origin, csrf) = (browser.origin(), browser.csrf.clone().unwrap());
    let department = |n: usize| json!({"id": format!("d{n}"), "name": "D"});
    let table: &[(Option<&str>, Option<&str>, u16)] = &[
        (Some(&origin), Some(&csrf), 201),
        (None, Some(&csrf), 403),
        (Some(&origin), None, 403),
        (Some(&origin), Some(""), 403),
        (Some(&origin), Some("x"), 403),
        (Some("https://evil.example"), Some(&csrf), 403),
        (Some("null"), Some(&csrf), 403),
    ];
    for (n, (origin, csrf, expected)) in table.iter().enumerate() {
        let mut call = browser.bare("POST", "/v1/departments").json(&department(n));
        if let Some(origin) = origin {
            call = call.header("Origin", origin);
        }
        if let Some(csrf) = csrf {
            call = call.header("X-Switchboard-CSRF", csrf);
        }
        let reply = browser.send(&call).await;
        assert_eq!(reply.status, *expected, "{origin:?} {csrf:?}: {reply:?}");
    }

    // Neither does a page of a widget's site, though it may call with tokens.
    let site = "https://shop.example";
    let widget = json!({"id": "shop", "settings": {"name": "Shop", "allowed_origins": [site]}});
    assert_eq!(browser.post("/v1/widgets", &widget).await.status, 201);
    let read = browser.bare("GET", "/v1/auth/me").header("Origin", site);
    assert_eq!(browser.send(&read).await.code(), "origin_refused");
    let write = browser.bare("POST", "/v1/departments").header("Origin", site);
    let write = write.header("X-Switchboard-CSRF", &csrf).json(&department(90));
    assert_eq!(browser.send(&write).await.code(), "csrf");
    let sign_in = Call::new("POST", "/v1/auth/login").header("Origin", site);
    let sign_in = sign_in.json(&json!({"email": EMAIL, "password": PASSWORD}));
    assert_eq!(browser.send(&sign_in).await.code(), "origin_refused");

    // Another's proof is none, and a token beside the cookie is what counts.
    let mut other = Browser::new(server.address());
    assert_eq!(other.log_in(EMAIL, PASSWORD).await.status, 200);
    other.csrf = Some(csrf);
    assert_eq!(other.post("/v1/departments", &department(91)).await.code(), "csrf");
    let both = browser.bare("GET", "/v1/auth/me").token(Some("garbage"));
    assert_eq!(browser.send(&both).await.status, 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_ends_this_browser_and_its_sockets_alone() {
    let server = start().await;
    let mut desk = set_up(&server).await;
    let mut phone = Browser::new(server.address());
    assert_eq!(phone.log_in(EMAIL, PASSWORD).await.status, 200);
    let mut of_desk = socket(&mut desk, &server).await;
    let mut of_phone = socket(&mut phone, &server).await;
    let kept = phone.clone();
    let unused = phone.ticket().await;

    assert_eq!(phone.post("/v1/auth/logout", &json!({})).await.status, 204);

    assert!(!phone.cookies.contains_key("__Host-switchboard"));
    assert!(phone.cookies.contains_key("__Host-switchboard-device"));
    is_closed_soon(&mut of_phone).await;
    of_desk.settle().await;
    assert_eq!(kept.clone().get("/v1/auth/me").await.status, 401, "the cookie is worth nothing");
    let mut late = Client::open(server.address(), None, None).await.unwrap();
    late.send(json!({"type": "hello", "token": unused})).await;
    let (_, end) = late.end().await;
    assert_eq!(end, End::Code(4500), "nor is a ticket of before");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_opens_one_socket_and_renews_it() {
    let server = start().await;
    let mut browser = set_up(&server).await;
    let ticket = browser.ticket().await;
    let mut client = Client::open(server.address(), None, None).await.unwrap();
    client.send(json!({"type": "hello", "token": ticket})).await;
    let ready = client.next_of("ready").await;
    assert_eq!(ready["principal"]["name"], "Grace Hopper");

    let mut thief = Client::open(server.address(), None, None).await.unwrap();
    thief.send(json!({"type": "hello", "token": ticket})).await;
    assert_eq!(thief.end().await.1, End::Code(4500));

    let fresh = browser.ticket().await;
    client.send(json!({"type": "hello", "token": fresh})).await;
    client.next_of("ready").await;

    // A ticket opens sockets and nothing else.
    let ticket = browser.ticket().await;
    let call = Call::new("GET", "/v1/auth/me").token(Some(&ticket));
    assert_eq!(browser.send(&call).await.status, 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_password_ends_every_other_sign_in() {
    let server = start().await;
    let mut desk = set_up(&server).await;
    let mut phone = Browser::new(server.address());
    assert_eq!(phone.log_in(EMAIL, PASSWORD).await.status, 200);
    let mut of_desk = socket(&mut desk, &server).await;
    let mut of_phone = socket(&mut phone, &server).await;
    let next = "wires of eleven inches";

    let wrong = json!({"current": "not the password", "new": next});
    assert_eq!(desk.change("PUT", "/v1/auth/password", &wrong).await.code(), "bad_credentials");
    let weak = json!({"current": PASSWORD, "new": "grace hopper"});
    let reply = desk.change("PUT", "/v1/auth/password", &weak).await;
    assert_eq!(reply.json()["field"], "new", "{reply:?}");
    let good = json!({"current": PASSWORD, "new": next});
    assert_eq!(desk.change("PUT", "/v1/auth/password", &good).await.status, 204);

    is_closed_soon(&mut of_phone).await;
    of_desk.settle().await;
    assert_eq!(phone.get("/v1/auth/me").await.status, 401);
    assert_eq!(desk.get("/v1/auth/me").await.status, 200);
    assert_eq!(phone.log_in(EMAIL, PASSWORD).await.status, 401);
    assert_eq!(phone.log_in(EMAIL, next).await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_are_limited_and_lock_nobody_out_who_was_here() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), |config| {
        config.server.demo = false;
        config.environment = switchboard::config::Environment::Production;
    })
    .await;
    let mut owner = set_up(&server).await;
    let mut stranger = Browser::new(server.address());
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(stranger.log_in(EMAIL, "not the password").await);
    }
    let statuses: Vec<u16> = answers.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat());
    assert_eq!(answers[11].code(), "too_many_attempts");
    let wait: u64 = answers[11].header("retry-after").unwrap().parse().unwrap();
    assert!((60..=90).contains(&wait), "{wait}");

    // From the same address: the right password of a stranger waits, a known browser does not.
    assert_eq!(stranger.log_in(EMAIL, PASSWORD).await.status, 429);
    assert_eq!(owner.post("/v1/auth/logout", &json!({})).await.status, 204);
    assert_eq!(owner.log_in(EMAIL, PASSWORD).await.status, 200);
    server.stop().await;
}
