//! People from outside: created, invited, changed, disabled; their pictures; and tenants.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::accounts::{EMAIL, PASSWORD, set_up, setup_token, socket, start, start_in};
use crate::browser::Browser;
use crate::harness::{End, Server};
use crate::http::{Call, Reply};

const OTHER: &str = "eleven inches of wire";

/// Creates somebody and answers their id.
async fn create(admin: &mut Browser, name: &str, role: &str) -> String {
    let email = format!("{}@example.com", name.to_lowercase());
    let body = json!({"name": name, "email": email, "role": role});
    let reply = admin.post("/v1/agents", &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.json()["account"], "none");
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// Invites somebody and answers the token of the link.
async fn invite(admin: &mut Browser, id: &str, kind: &str) -> String {
    let reply = admin.post(&format!("/v1/agents/{id}/invitation"), &json!({})).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.json()["kind"], kind);
    let link = reply.json()["link"].as_str().unwrap().to_owned();
    let (page, token) = link.split_once("#invite=").unwrap();
    assert_eq!(page, format!("{}/console", admin.origin()));
    token.to_owned()
}

/// Somebody who has come in by an invitation.
async fn join(server: &Server, admin: &mut Browser, name: &str, role: &str) -> (String, Browser) {
    let id = create(admin, name, role).await;
    let token = invite(admin, &id, "invite").await;
    let mut browser = Browser::new(server.address());
    let body = json!({"token": token, "password": PASSWORD});
    let reply = browser.enter("accept", &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["principal"]["role"], role);
    (id, browser)
}

async fn patch(browser: &mut Browser, id: &str, body: Value) -> Reply {
    let call = browser.call("PATCH", &format!("/v1/agents/{id}")).header("If-Match", "*");
    browser.send(&call.json(&body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_opens_once_and_the_next_one_resets() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let id = create(&mut owner, "Ben", "agent").await;
    let replaced = invite(&mut owner, &id, "invite").await;
    let token = invite(&mut owner, &id, "invite").await;
    let path = format!("/v1/agents/{id}");
    assert_eq!(owner.get(&path).await.json()["account"], "invited");

    let mut ben = Browser::new(server.address());
    let accept = |token: &str, password: &str| json!({"token": token, "password": password});
    let old = ben.enter("accept", &accept(&replaced, PASSWORD)).await;
    assert_eq!((old.status, old.code().as_str()), (410, "link_used"));
    let weak = ben.enter("accept", &accept(&token, "ben@example.com")).await;
    assert_eq!((weak.status, &weak.json()["field"]), (422, &json!("password")));
    let mut named = accept(&token, PASSWORD);
    named["name"] = json!("Benjamin");
    assert_eq!(ben.enter("accept", &named).await.status, 200);
    assert_eq!(ben.enter("accept", &accept(&token, OTHER)).await.code(), "link_used");
    let shown = owner.get(&path).await.json();
    assert_eq!((&shown["account"], &shown["name"]), (&json!("active"), &json!("Benjamin")));
    assert!(shown["last_seen_at"].is_string(), "{shown}");

    let reset = invite(&mut owner, &id, "reset").await;
    assert_eq!(ben.get("/v1/auth/me").await.status, 200, "a link alone ends nothing");
    let mut phone = Browser::new(server.address());
    assert_eq!(phone.enter("accept", &accept(&reset, OTHER)).await.status, 200);
    assert_eq!(ben.get("/v1/auth/me").await.status, 401);
    assert_eq!(ben.log_in("ben@example.com", PASSWORD).await.status, 401);
    assert_eq!(ben.log_in("ben@example.com", OTHER).await.status, 200);

    // One address, one account; and nobody signs in without one.
    let body = json!({"name": "Twin", "email": "BEN@example.com", "role": "agent"});
    let twin = owner.post("/v1/agents", &body).await.json()["id"].as_str().unwrap().to_owned();
    let invitation = format!("/v1/agents/{twin}/invitation");
    assert_eq!(owner.post(&invitation, &json!({})).await.code(), "already_exists");
    assert_eq!(patch(&mut owner, &twin, json!({"email": ""})).await.status, 200);
    let without = owner.post(&invitation, &json!({})).await;
    assert_eq!((without.status, &without.json()["field"]), (422, &json!("email")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_disabled_is_out_within_five_seconds_and_stays_out() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let (id, mut ben) = join(&server, &mut owner, "Ben", "agent").await;
    let mut open = socket(&mut ben, &server).await;

    assert_eq!(patch(&mut owner, &id, json!({"disabled": true})).await.status, 200);

    let (_, end) = timeout(Duration::from_secs(5), open.end()).await.unwrap();
    assert_eq!(end, End::Code(4500));
    assert_eq!(ben.get("/v1/auth/me").await.status, 401);
    let refused = ben.log_in("ben@example.com", PASSWORD).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "bad_credentials"));
    let invitation = format!("/v1/agents/{id}/invitation");
    assert_eq!(owner.post(&invitation, &json!({})).await.code(), "invalid");

    assert_eq!(patch(&mut owner, &id, json!({"disabled": false})).await.status, 200);
    assert_eq!(ben.get("/v1/auth/me").await.status, 401, "the cookie of before is worth nothing");
    assert_eq!(ben.log_in("ben@example.com", PASSWORD).await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_rise_and_fall_and_somebody_always_owns_the_tenant() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let me = owner.get("/v1/auth/me").await.json()["principal"]["id"].as_str().unwrap().to_owned();
    for change in [json!({"role": "admin"}), json!({"disabled": true})] {
        let reply = patch(&mut owner, &me, change).await;
        assert_eq!((reply.status, reply.code().as_str()), (409, "last_owner"));
    }
    let (admin_id, mut admin) = join(&server, &mut owner, "Linus", "admin").await;
    let (id, mut ben) = join(&server, &mut owner, "Ben", "agent").await;

    // Administrators do not touch owners, nor make some.
    for change in [json!({"role": "agent"}), json!({"name": "x"}), json!({"disabled": true})] {
        assert_eq!(patch(&mut admin, &me, change).await.status, 403);
    }
    let invitation = format!("/v1/agents/{me}/invitation");
    assert_eq!(admin.post(&invitation, &json!({})).await.status, 403);
    assert_eq!(patch(&mut admin, &id, json!({"role": "owner"})).await.status, 403);

    assert_eq!(patch(&mut admin, &id, json!({"role": "supervisor"})).await.status, 200);
    assert_eq!(ben.get("/v1/auth/me").await.json()["principal"]["role"], "supervisor");
    assert_eq!(patch(&mut owner, &admin_id, json!({"role": "owner"})).await.status, 200);
    assert_eq!(admin.get("/v1/auth/me").await.json()["principal"]["role"], "owner");

    // Of two owners who take each other's place away at once, one stays.
    let (first, second) = tokio::join!(
        patch(&mut owner, &admin_id, json!({"role": "agent"})),
        patch(&mut admin, &me, json!({"role": "agent"})),
    );
    let won = [first.status, second.status].iter().filter(|status| **status == 200).count();
    assert_eq!(won, 1, "{first:?} {second:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_read_the_display_name_and_see_the_picture() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let widget = json!({"id": "demo", "settings": {"name": "Shop"}});
    assert_eq!(owner.post("/v1/widgets", &widget).await.status, 201);
    let (id, mut ben) = join(&server, &mut owner, "Ben", "agent").await;
    let mut open = socket(&mut ben, &server).await;
    let named = json!({"display_name": "Benny", "title": "Plant doctor"});
    let reply = ben.change("PATCH", "/v1/agents/me", &named).await;
    assert_eq!(reply.json()["display_name"], "Benny", "{reply:?}");
    assert_eq!(reply.json()["title"], "Plant doctor", "{reply:?}");
    // A socket that speaks under the old name is told to come again, and comes under the new one.
    assert_eq!(open.next_of("drain").await["reconnect_in_ms"], 0);
    assert_eq!(open.end().await.1, End::Code(4001));
    let mut open = socket(&mut ben, &server).await;
    let there = open.next_of("presence").await;
    assert_eq!(there["agents"][0]["agent"]["name"], "Benny", "{there}");
    let me = ben.get("/v1/auth/me").await.json();
    assert_eq!((&me["principal"]["name"], &me["display_name"]), (&json!("Ben"), &json!("Benny")));
    let png = picture();
    let put = ben.call("PUT", "/v1/agents/me/avatar").bytes("image/png", &png);
    assert_eq!(ben.send(&put).await.status, 204);
    let avatar = ben.get("/v1/auth/me").await.json()["avatar"].as_str().unwrap().to_owned();

    let begun = server.begin("Hello?").await;
    let accept = format!("/v1/conversations/{}/accept", begun.id);
    let card = ben.post(&accept, &json!({})).await.json();
    let shown = json!({"id": id, "name": "Benny", "avatar": avatar, "title": "Plant doctor"});
    assert_eq!(card["agent"], shown);
    let path = format!("/v1/conversations/{}", begun.id);
    let seen = server.get(&path, Some(&begun.secret)).await.json();
    assert_eq!(seen["agent"], shown);
    assert!(!seen.to_string().contains("\"Ben\""), "{seen}");

    // To everybody, for ever, as nothing but a picture.
    let served = server.get(&avatar, None).await;
    assert_eq!(served.status, 200);
    assert_eq!(served.header("content-type"), Some("image/png"));
    assert_eq!(served.header("x-content-type-options"), Some("nosniff"));
    assert!(served.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(&served.body[..8], b"\x89PNG\r\n\x1a\n");

    // It outlives a restart, and ends with its person's wish.
    let server = start_in(server.stop().await).await;
    let mut ben = ben.moved(server.address());
    assert_eq!(ben.get(&path).await.json()["agent"]["avatar"], avatar.as_str());
    let gone = ben.call("DELETE", "/v1/agents/me/avatar");
    assert_eq!(ben.send(&gone).await.status, 204);
    assert_eq!(server.get(&avatar, None).await.status, 404);
    let faceless = json!({"id": id, "name": "Benny", "title": "Plant doctor"});
    assert_eq!(ben.get(&path).await.json()["agent"], faceless);

    for (media, bytes, expected) in [
        ("image/png", b"GIF89a".to_vec(), 422),
        ("image/svg+xml", b"<svg/>".to_vec(), 415),
        ("image/png", vec![0; 600 * 1024], 413),
    ] {
        let put = ben.call("PUT", "/v1/agents/me/avatar").bytes(media, &bytes);
        assert_eq!(ben.send(&put).await.status, expected, "{media}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_out_owner_comes_back_by_the_machine() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let data = server.stop().await;
    let reset = |email: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(["account", "reset", email, "--data-dir"]).arg(data.path());
        let output = command.env_clear().output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(reset("nobody@example.com"), (Some(1), String::new()));
    let (code, said) = reset(EMAIL);
    assert_eq!(code, Some(0), "{said}");
    let (page, token) = said.trim().split_once("#invite=").unwrap();
    assert_eq!(page, "http://127.0.0.1:8080/console");

    let server = start_in(data).await;
    owner = owner.moved(server.address());
    assert_eq!(owner.get("/v1/auth/me").await.status, 200, "a link alone ends nothing");
    let mut back = Browser::new(server.address());
    let body = json!({"token": token, "password": OTHER});
    assert_eq!(back.enter("accept", &body).await.json()["principal"]["role"], "owner");
    assert_eq!(owner.get("/v1/auth/me").await.status, 401);
    server.stop().await;
}

/// One red pixel.
fn picture() -> Vec<u8> {
    use base64::Engine as _;
    let text = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5E\
                rkJggg==";
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skills_capacity_and_another_address_take_effect() {
    let server = start().await;
    let mut owner = set_up(&server).await;
    let (id, mut ben) = join(&server, &mut owner, "Ben", "agent").await;
    let change = json!({"skills": ["rust"], "capacity": 7, "email": "benny@example.com",
                        "departments": ["sales"]});
    let shown = patch(&mut owner, &id, change).await.json();
    assert_eq!((&shown["skills"], &shown["capacity"]), (&json!(["rust"]), &json!(7)));
    let mine = ben.get("/v1/agents/me").await.json();
    assert_eq!((&mine["skills"], &mine["capacity"]), (&json!(["rust"]), &json!(7)));
    assert_eq!(ben.log_in("ben@example.com", PASSWORD).await.status, 401);
    assert_eq!(ben.log_in("benny@example.com", PASSWORD).await.status, 200);
    let taken = patch(&mut owner, &id, json!({"email": EMAIL})).await;
    assert_eq!(taken.code(), "already_exists");
    let stale = owner.call("PATCH", &format!("/v1/agents/{id}")).header("If-Match", "\"1\"");
    let stale = stale.json(&json!({"email": "late@example.com"}));
    let stale = owner.send(&stale).await;
    assert_eq!((stale.status, stale.code().as_str()), (412, "changed"));
    let me = owner.get("/v1/agents/me").await.json();
    assert_eq!(stale.json()["by"], json!({"id": me["id"], "name": me["name"]}));
    assert!(stale.json()["at"].as_str().unwrap().ends_with('Z'), "{stale:?}");
    assert_eq!(ben.log_in("benny@example.com", PASSWORD).await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_made_by_the_first_owner_and_know_nothing_of_each_other() {
    let server = start().await;
    let mut operator = set_up(&server).await;
    let body = json!({"id": "acme", "name": "Acme Ltd"});
    let made = operator.post("/v1/tenants", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let first = made.json()["setup"]["link"].as_str().unwrap().to_owned();
    assert_eq!(operator.post("/v1/tenants", &body).await.code(), "already_exists");
    for id in ["", "Ac Me", "a.b"] {
        let reply = operator.post("/v1/tenants", &json!({"id": id, "name": "x"})).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!("id")), "{reply:?}");
    }
    let again = operator.post("/v1/tenants/acme/setup", &json!({})).await;
    let second = again.json()["link"].as_str().unwrap().to_owned();
    let token = |link: &str| link.split_once("#setup=").unwrap().1.to_owned();

    let mut acme = Browser::new(server.address());
    let body =
        |token: String| json!({"token": token, "name": "Wile", "email": EMAIL, "password": OTHER});
    assert_eq!(acme.enter("setup", &body(token(&first))).await.code(), "link_used");
    let me = acme.enter("setup", &body(token(&second))).await.json();
    assert_eq!(me["tenant"], json!({"id": "acme", "name": "Acme Ltd"}));
    assert_eq!(operator.post("/v1/tenants/acme/setup", &json!({})).await.code(), "already_exists");
    assert_eq!(operator.post("/v1/tenants/never/setup", &json!({})).await.code(), "not_found");

    // An owner there is none here, and the same address is another account.
    assert_eq!(acme.get("/v1/tenants").await.status, 403);
    assert_eq!(acme.post("/v1/tenants", &json!({"id": "x", "name": "x"})).await.status, 403);
    let people = acme.get("/v1/agents").await.json();
    assert_eq!(people["items"].as_array().unwrap().len(), 1);
    assert_eq!(people["items"][0]["name"], "Wile");
    let mut other = Browser::new(server.address());
    assert_eq!(other.log_in(EMAIL, OTHER).await.status, 401);
    let named = json!({"email": EMAIL, "password": OTHER, "tenant": "acme"});
    assert_eq!(other.enter("login", &named).await.status, 200);

    let renamed = acme.change("PATCH", "/v1/tenants/me", &json!({"name": "Acme"})).await;
    assert_eq!(renamed.json(), json!({"id": "acme", "name": "Acme"}));
    let all = operator.get("/v1/tenants").await.json();
    assert_eq!(all["items"][0], json!({"id": "acme", "name": "Acme"}));
    assert_eq!(acme.get("/v1/departments").await.json()["items"].as_array().unwrap().len(), 6);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_link_or_secret_is_in_a_query_or_given_twice() {
    let server = start().await;
    let token = setup_token(&server);
    let mut owner = set_up(&server).await;
    let (id, _) = join(&server, &mut owner, "Ben", "agent").await;
    let secret = owner.cookies["__Host-switchboard"].clone();
    for path in ["/v1/agents", "/v1/auth/me", "/v1/keys", "/v1/tenants"] {
        let body = owner.get(path).await.body;
        for held in [&token, &secret, PASSWORD, "$argon2"] {
            assert!(!body.contains(held), "{path}");
        }
    }
    // A link that is asked for with a cookie in the query instead opens nothing.
    let call = Call::new("GET", &format!("/v1/agents/{id}?token={secret}"));
    assert_eq!(owner.clone().send(&Call::new("GET", "/v1/agents")).await.status, 401);
    assert_eq!(call.send(server.address()).await.status, 401);
    server.stop().await;
}
