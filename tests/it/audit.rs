//! The audit: who changed what, kept with the tenant and shown to its administrators alone.

use serde_json::{Value, json};

use crate::accounts::{PASSWORD, set_up, start, start_in};
use crate::browser::Browser;
use crate::harness::{Server, auth};

const PATH: &str = "/v1/audit";

async fn page(browser: &mut Browser, query: &str) -> (Vec<Value>, Option<String>) {
    let reply = browser.get(&format!("{PATH}{query}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let mut page = reply.json();
    let next = page["next"].as_str().map(str::to_owned);
    let Value::Array(items) = page["items"].take() else { panic!("{page}") };
    (items, next)
}

/// What an entry says, in a line: who, what, to what, and the fields that differ.
fn said(entry: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let fields: Vec<String> = entry["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}>{}", text(&it["field"]), it["before"], it["after"]))
        .collect();
    let (by, subject) = (&entry["by"], &entry["subject"]);
    [text(&by["name"]), text(&entry["action"]), text(&subject["kind"]), text(&subject["name"])]
        .into_iter()
        .chain(fields)
        .collect::<Vec<_>>()
        .join(" ")
}

async fn change(browser: &mut Browser, method: &str, path: &str, body: Value) -> Value {
    let call = browser.call(method, path).header("If-Match", "*").json(&body);
    let reply = browser.send(&call).await;
    assert!(matches!(reply.status, 200 | 201 | 204), "{method} {path}: {reply:?}");
    if reply.status == 204 { Value::Null } else { reply.json() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_people_departments_widgets_keys_and_the_tenant_are_kept() {
    let server = start().await;
    let mut ada = set_up(&server).await;
    let ben = json!({"name": "Ben", "email": "ben@example.com", "role": "agent"});
    let ben = change(&mut ada, "POST", "/v1/agents", ben).await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/agents/{ben}");
    change(&mut ada, "PATCH", &path, json!({"role": "supervisor", "title": "Lead"})).await;
    change(&mut ada, "PATCH", &path, json!({"role": "supervisor"})).await;
    change(&mut ada, "POST", &format!("{path}/invitation"), json!({})).await;
    let sales = "/v1/departments/sales";
    change(&mut ada, "PUT", sales, json!({"name": "Trade", "routing": "least_busy"})).await;
    change(&mut ada, "DELETE", sales, Value::Null).await;
    let shop = json!({"id": "shop", "settings": {"name": "Shop", "welcome": "Hello"}});
    change(&mut ada, "POST", "/v1/widgets", shop).await;
    let settings = json!({"name": "Shop", "welcome": "Hi", "theme": {"accent": "#123456"}});
    change(&mut ada, "PUT", "/v1/widgets/shop/settings", settings).await;
    let key = json!({"name": "Robot", "scopes": ["agents:read"]});
    let key = change(&mut ada, "POST", "/v1/keys", key).await;
    let id = key["id"].as_str().unwrap();
    change(&mut ada, "DELETE", &format!("/v1/keys/{id}"), Value::Null).await;
    change(&mut ada, "PATCH", "/v1/tenants/me", json!({"name": "Fern"})).await;

    let data = server.stop().await;
    let server = start_in(data).await;
    let mut ada = ada.moved(server.address());
    let (entries, next) = page(&mut ada, "").await;
    assert_eq!(next, None);
    let lines: Vec<String> = entries.iter().rev().map(said).collect();
    let starts = [
        "Grace Hopper created person Grace Hopper",
        "Grace Hopper created person Ben capacity null>5",
        "Grace Hopper changed person Ben role \"agent\">\"supervisor\" title null>\"Lead\"",
        "Grace Hopper invited person Ben link null>\"invite\"",
        "Grace Hopper changed department Trade name \"Sales\">\"Trade\" routing \"manual\">\"least_busy\"",
        "Grace Hopper removed department Trade name \"Trade\">null routing \"least_busy\">null",
        "Grace Hopper created widget Shop",
        "Grace Hopper changed widget Shop theme.accent",
        "Grace Hopper created key Robot name null>\"Robot\" scopes null>[\"agents:read\"]",
        "Grace Hopper removed key Robot name \"Robot\">null scopes [\"agents:read\"]>null",
        "Grace Hopper changed tenant Fern name null>\"Fern\"",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line:?} does not start with {start:?}");
    }
    assert!(lines[7].ends_with("welcome \"Hello\">\"Hi\""), "{}", lines[7]);
    let all = json!(entries).to_string();
    let secret = key["secret"].as_str().unwrap();
    for secret in [PASSWORD, secret, secret.rsplit('.').next().unwrap()] {
        assert!(!all.contains(secret), "the audit holds a secret");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_go_on_and_a_search_finds_what_was_changed() {
    let server = start().await;
    let mut ada = set_up(&server).await;
    for name in ["One", "Two", "Three"] {
        change(&mut ada, "PUT", "/v1/departments/sales", json!({"name": name})).await;
    }
    let (first, next) = page(&mut ada, "?limit=2").await;
    let (rest, end) = page(&mut ada, &format!("?limit=200&cursor={}", next.unwrap())).await;
    let names = |entries: &[Value]| -> Vec<Value> {
        entries.iter().map(|entry| entry["subject"]["name"].clone()).collect()
    };
    assert_eq!((names(&first), end), (vec![json!("Three"), json!("Two")], None));
    assert_eq!(names(&rest), [json!("One"), json!("Grace Hopper")]);
    assert_eq!(rest[1]["by"]["id"], rest[1]["subject"]["id"], "the owner came by a link");

    assert_eq!(names(&page(&mut ada, "?q=tw%C3%B3").await.0), [json!("Three"), json!("Two")]);
    assert_eq!(names(&page(&mut ada, "?q=created%20person").await.0), [json!("Grace Hopper")]);
    assert_eq!(page(&mut ada, "?q=nowhere").await, (vec![], None));
    let nothing = ada.get(&format!("{PATH}?q=%20")).await;
    assert_eq!((nothing.status, nothing.code().as_str()), (422, "invalid"));
    assert_eq!(ada.get(&format!("{PATH}?cursor=x")).await.status, 400);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_password_is_noted_and_a_key_is_named_as_one() {
    let server = start().await;
    let mut ada = set_up(&server).await;
    let new = json!({"current": PASSWORD, "new": "eleven inches of wire"});
    assert_eq!(ada.change("PUT", "/v1/auth/password", &new).await.status, 204);
    let body = json!({"name": "Robot", "scopes": ["settings:read", "settings:write"]});
    let secret = ada.post("/v1/keys", &body).await.json()["secret"].as_str().unwrap().to_owned();
    let fresh = json!({"id": "fresh", "name": "Fresh"});
    let made = server.post("/v1/departments", Some(&secret), fresh).await;
    assert_eq!(made.status, 201, "{made:?}");
    let refused = server.get(PATH, Some(&secret)).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "missing_scope"));

    let (entries, _) = page(&mut ada, "?limit=3").await;
    assert_eq!(entries[0]["by"]["kind"], "key");
    assert_eq!(entries[1]["by"]["kind"], "person");
    assert!(said(&entries[0]).starts_with("Robot created department Fresh"), "{}", entries[0]);
    assert_eq!(said(&entries[2]), "Grace Hopper rotated person Grace Hopper");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_do_not_read_it() {
    let server = Server::start().await;
    let ben = server.sign_in("ben").await;
    let reply = server.request("GET", PATH, &auth(Some(&ben)), None).await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "forbidden"));
    server.stop().await;
}
