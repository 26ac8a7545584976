//! API keys, and every operation called as those who have the wrong half of a credential.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::accounts::{EMAIL, PASSWORD, set_up, start};
use crate::browser::Browser;
use crate::harness::{Client, End, Server};
use crate::http::Call;
use crate::openapi::operations;

const ALL: [&str; 6] = [
    "conversations:read",
    "conversations:write",
    "agents:read",
    "agents:write",
    "settings:read",
    "settings:write",
];

/// Makes a key; answers its id and its secret.
async fn key(owner: &mut Browser, scopes: &[&str]) -> (String, String) {
    let reply = owner.post("/v1/keys", &json!({"name": "Robot", "scopes": scopes})).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let text = |name: &str| reply.json()[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

async fn begin(server: &Server, owner: &mut Browser) -> String {
    let widget = json!({"id": "demo", "settings": {"name": "Shop"}});
    assert_eq!(owner.post("/v1/widgets", &widget).await.status, 201);
    server.begin("Hello?").await.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_does_what_its_scopes_say_under_its_own_name() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let conversation = begin(&server, &mut owner).await;
    let (id, secret) = key(&mut owner, &["conversations:read", "conversations:write"]).await;
    assert!(secret.starts_with(&format!("sbk_default.{id}.")), "{secret}");
    let me = server.get("/v1/auth/me", Some(&secret)).await.json();
    assert_eq!(me["principal"]["kind"], "bot");
    assert_eq!((&me["principal"]["name"], &me["via"]), (&json!("Robot"), &json!("token")));

    let path = format!("/v1/conversations/{conversation}/messages");
    let written = server.post(&path, Some(&secret), json!({"text": "Beep."})).await.json();
    assert_eq!(written["from"], json!({"kind": "bot", "id": id, "name": "Robot"}));
    let refused = server.get("/v1/agents", Some(&secret)).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "missing_scope"));
    let presence = owner.get("/v1/agents").await.json();
    assert_eq!(presence["items"].as_array().unwrap().len(), 1, "a key is no agent");

    let listed = owner.get("/v1/keys").await.json();
    assert_eq!(listed["items"][0]["name"], "Robot");
    assert!(listed["items"][0]["last_used_at"].is_string(), "{listed}");
    assert!(listed["items"][0].get("secret").is_none());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_out_within_five_seconds() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let conversation = begin(&server, &mut owner).await;
    let (id, secret) = key(&mut owner, &["conversations:read"]).await;
    let mut client = server.connect(&secret).await;
    client.subscribe(&conversation, None, (Value::Null, Value::Null)).await;
    client.write(&conversation, 1, "Beep.").await;
    assert_eq!(client.next_of("error").await["code"], "missing_scope");

    let revoke = owner.call("DELETE", &format!("/v1/keys/{id}"));
    assert_eq!(owner.send(&revoke).await.status, 204);
    let (_, end) = timeout(Duration::from_secs(5), client.end()).await.unwrap();
    assert_eq!(end, End::Code(4500));
    assert_eq!(server.get("/v1/auth/me", Some(&secret)).await.status, 401);
    assert_eq!(owner.send(&revoke).await.status, 404);

    // Without the scope to read there is nothing to hear.
    let (_, deaf) = key(&mut owner, &["settings:read"]).await;
    let mut client = Client::open(server.address(), None, None).await.unwrap();
    client.send(json!({"type": "hello", "token": deaf})).await;
    assert_eq!(client.end().await.1, End::Code(4500));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_asked_for_with_sense() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    for (body, field) in [
        (json!({"name": "", "scopes": ["agents:read"]}), "name"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (json!({"name": "x", "scopes": ["everything"]}), "scopes"),
        (json!({"name": "x", "scopes": ["agents:read"], "expires_at": "soon"}), "expires_at"),
        (
            json!({"name": "x", "scopes": ["agents:read"], "expires_at": "2020-01-01T00:00:00Z"}),
            "expires_at",
        ),
    ] {
        let reply = owner.post("/v1/keys", &body).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!(field)), "{reply:?}");
    }
    server.stop().await;
}

/// The other half of the table of routes and identities: whoever has a cookie and not the page, a
/// page and no cookie any more, or a key and not its scope.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_credential_opens_no_operation() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let conversation = begin(&server, &mut owner).await;
    let site = "https://shop.example";
    let widget = json!({"id": "shop", "settings": {"name": "Shop", "allowed_origins": [site]}});
    assert_eq!(owner.post("/v1/widgets", &widget).await.status, 201);
    let mut gone = Browser::new(server.address());
    assert_eq!(gone.log_in(EMAIL, PASSWORD).await.status, 200);
    let left = gone.clone();
    assert_eq!(gone.post("/v1/auth/logout", &json!({})).await.status, 204);
    let csrf = owner.csrf.clone().unwrap();
    let (_, everything) = key(&mut owner, &ALL).await;

    let (mut wrong, mut n_calls) = (Vec::new(), 0);
    for (method, path, operation) in operations() {
        let who = operation["x-who"].as_str().unwrap();
        if who.starts_with("anybody") {
            continue;
        }
        let id = operation["operationId"].as_str().unwrap();
        let target = if path.starts_with("/v1/conversations") { &conversation } else { "demo" };
        let called = path.replace("{id}", target).replace("{seq}", "1");
        let is_read = method == "GET";
        let with = |call: Call| if is_read { call } else { call.json(&json!({})) };
        let foreign = owner.bare(&method, &called).header("Origin", site);
        let mut table = vec![
            (
                "a page of a widget's site",
                with(foreign.header("X-Switchboard-CSRF", &csrf)),
                if is_read { (403, "origin_refused") } else { (403, "csrf") },
            ),
            (
                "a browser that signed out",
                with(left.call(&method, &called)),
                (401, "unauthenticated"),
            ),
        ];
        if !is_read {
            let ours = owner.bare(&method, &called).header("Origin", &owner.origin());
            table.push(("a cookie without the proof", with(ours), (403, "csrf")));
            let silent = owner.bare(&method, &called).header("X-Switchboard-CSRF", &csrf);
            table.push(("a cookie without an origin", with(silent), (403, "csrf")));
        }
        let securities = operation["security"].as_array().unwrap();
        let scope = securities.iter().find_map(|it| it["key"][0].as_str());
        let secret = match scope {
            None if id == "getSignedIn" => None,
            None => Some(everything.clone()),
            Some(scope) => {
                let others: Vec<&str> = ALL.into_iter().filter(|it| *it != scope).collect();
                let (key_id, secret) = key(&mut owner, &others).await;
                table.push((
                    "a key without the scope",
                    with(Call::new(&method, &called).token(Some(&secret))),
                    (403, "missing_scope"),
                ));
                for (name, call, expected) in table.drain(..) {
                    n_calls += 1;
                    check(&server, id, name, &call, expected, &mut wrong).await;
                }
                let revoke = owner.call("DELETE", &format!("/v1/keys/{key_id}"));
                assert_eq!(owner.send(&revoke).await.status, 204);
                None
            }
        };
        if let Some(secret) = secret {
            let call = with(Call::new(&method, &called).token(Some(&secret)));
            table.push(("a key with every scope", call, (403, "missing_scope")));
        }
        for (name, call, expected) in table {
            n_calls += 1;
            check(&server, id, name, &call, expected, &mut wrong).await;
        }
    }
    assert!(wrong.is_empty(), "{} of {n_calls}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(n_calls >= 150, "{n_calls}");
    server.stop().await;
}

async fn check(
    server: &Server,
    id: &str,
    name: &str,
    call: &Call,
    expected: (u16, &str),
    wrong: &mut Vec<String>,
) {
    let reply = call.send(server.address()).await;
    if (reply.status, reply.code().as_str()) != expected {
        wrong.push(format!(
            "{id} as {name}: {} {} instead of {expected:?}",
            reply.status, reply.body
        ));
    }
}
