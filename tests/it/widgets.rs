//! What pages learn of a widget, and how soon; what its settings ask of those who begin.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Answer, End, PATIENCE, Server, auth, request};
use crate::tokens::{now_s, signed};

/// A server, and what an administrator of the demo does to its widget.
struct Setup {
    server: Arc<Server>,
    admin: String,
}

impl Setup {
    async fn new() -> Self {
        let server = Server::start().await;
        let admin = server.sign_in("ada").await;
        Self { server: Arc::new(server), admin }
    }

    async fn change(&self, widget: &str, change: Value) {
        self.server.change_widget(&self.admin, widget, change).await;
    }

    async fn begin(&self, body: Value) -> Answer {
        let mut begin = json!({ "widget": "demo" });
        begin.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.server.post("/v1/conversations", None, begin).await
    }

    /// Ben comes or goes.
    async fn set_status(&self, status: &str) {
        let token = self.server.sign_in("ben").await;
        let (path, headers) = ("/v1/agents/me/status", auth(Some(&token)));
        let body = Some(json!({ "status": status }));
        assert_eq!(self.server.request("PUT", path, &headers, body).await.status, 200);
        // Only an agent who is known can be alive: the next call is the sign of life.
        assert_eq!(self.server.get("/v1/agents/me", Some(&token)).await.status, 200);
    }

    /// The tag of what is shown now.
    async fn tag(&self) -> String {
        self.server.get("/v1/widgets/demo", None).await.header("etag").unwrap().to_owned()
    }

    /// A long poll for what comes after that tag, on its way.
    fn poll(&self, tag: &str, wait: u64) -> tokio::task::JoinHandle<Answer> {
        let server = Arc::clone(&self.server);
        let headers = [("if-none-match", tag.to_owned())];
        let path = format!("/v1/widgets/demo?wait={wait}");
        tokio::spawn(async move { server.request("GET", &path, &headers, None).await })
    }

    /// Waits until so many wait for news of the tenant, seen from the ops listener.
    async fn until_waiting(&self, n: u64) {
        let ops = self.server.node.ops_address();
        let seen = async {
            loop {
                let observed = request(ops, "GET", "/observe", &[], None).await.json();
                if observed["tenants"][0]["presence"]["watchers"] == n {
                    break;
                }
            }
        };
        timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("never {n} who wait"));
    }

    async fn stop(self) {
        Arc::into_inner(self.server).unwrap().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_is_told_and_the_rest_is_not() {
    let setup = Setup::new().await;
    setup
        .change(
            "demo",
            json!({
                "auto_open_s": 5, "locale": "ar", "email_required": true,
                "theme": { "accent": "#112233", "radius": 4 },
                "prechat": { "fields": [{ "name": "order", "label": "Order", "kind": "text" }] },
                "offline": { "behavior": "redirect", "redirect_url": "https://shop.example/x" },
            }),
        )
        .await;
    let answer = setup.server.get("/v1/widgets/demo", None).await;
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let shown = answer.json();
    assert_eq!(shown["auto_open_s"], 5);
    assert_eq!(shown["locale"], "ar");
    assert_eq!(shown["theme"]["radius"], 4);
    assert_eq!(shown["prechat"]["fields"][0]["name"], "order");
    assert_eq!(shown["offline"]["redirect_url"], "https://shop.example/x");
    assert_eq!(shown["departments"].as_array().unwrap().len(), 3);
    for hidden in ["allowed_origins", "routing", "hours", "enabled"] {
        assert!(shown.get(hidden).is_none(), "{hidden}");
    }
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_saves_the_answer_until_something_changes() {
    let setup = Setup::new().await;
    let path = "/v1/widgets/demo";
    let tag = setup.server.get(path, None).await.header("etag").unwrap().to_owned();
    let again = setup.server.request("GET", path, &[("if-none-match", tag.clone())], None).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(tag.as_str()));
    setup.change("demo", json!({ "welcome": "Changed" })).await;
    let after = setup.server.request("GET", path, &[("if-none-match", tag.clone())], None).await;
    assert_eq!((after.status, &after.json()["welcome"]), (200, &json!("Changed")));
    assert_ne!(after.header("etag"), Some(tag.as_str()));
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_widget_hears_of_each_change_while_it_waits() {
    let setup = Setup::new().await;
    let mut shown = setup.server.get("/v1/widgets/demo", None).await;
    // A setting, a department's name, somebody coming and going, hours that close it.
    for step in 0..5 {
        let tag = shown.header("etag").unwrap().to_owned();
        let poll = setup.poll(&tag, 20);
        setup.until_waiting(1).await;
        match step {
            0 => setup.change("demo", json!({ "theme": { "accent": "#010203" } })).await,
            1 => {
                let mut headers = auth(Some(&setup.admin));
                headers.push(("if-match", "*".to_owned()));
                let name = Some(json!({ "name": "Selling" }));
                let path = "/v1/departments/sales";
                assert_eq!(setup.server.request("PUT", path, &headers, name).await.status, 200);
            }
            2 => setup.set_status("online").await,
            3 => setup.set_status("offline").await,
            _ => {
                let hours = json!({ "hours": { "timezone": "UTC", "days": {} } });
                setup.change("demo", hours).await;
            }
        }
        shown = poll.await.unwrap();
        assert_eq!(shown.status, 200, "step {step}");
        let now = shown.json();
        match step {
            0 => assert_eq!(now["theme"]["accent"], "#010203"),
            1 => assert_eq!(now["departments"][0]["name"], "Selling"),
            2 => assert_eq!(now["online"], true),
            3 => assert_eq!(now["online"], false),
            _ => assert_eq!(now["open"], false),
        }
    }
    // Nothing happens: the same tag, after the wait.
    let tag = shown.header("etag").unwrap().to_owned();
    assert_eq!(setup.poll(&tag, 1).await.unwrap().status, 304);
    // It is switched off while somebody waits.
    let poll = setup.poll(&tag, 20);
    setup.until_waiting(1).await;
    setup.change("demo", json!({ "enabled": false })).await;
    let off = poll.await.unwrap();
    assert_eq!((off.status, off.code().as_str()), (404, "widget_disabled"));
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_that_were_left_leave_nothing_behind() {
    let setup = Setup::new().await;
    let tag = setup.server.get("/v1/widgets/demo", None).await.header("etag").unwrap().to_owned();
    let polls: Vec<_> = (0..20).map(|_| setup.poll(&tag, 20)).collect();
    setup.until_waiting(20).await;
    for poll in polls {
        poll.abort();
        assert!(poll.await.unwrap_err().is_cancelled());
    }
    setup.until_waiting(0).await;
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_may_ask_what_is_wrong() {
    let setup = Setup::new().await;
    let ask = async |widget: &str, origin: &str| {
        let path = format!("/v1/widgets/{widget}/check?origin={origin}");
        let headers = [("origin", "https://stranger.example".to_owned())];
        let answer = setup.server.request("GET", &path, &headers, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        answer.json()
    };
    assert_eq!(ask("demo", "http://localhost:3000").await, json!({ "allowed": true }));
    let wrong = |reason: &str| json!({ "allowed": false, "reason": reason });
    assert_eq!(ask("demo", "https://stranger.example").await, wrong("origin"));
    for odd in ["null", "", "https://localhost:3000", "javascript:alert(1)"] {
        assert_eq!(ask("demo", odd).await, wrong("origin"), "{odd}");
    }
    assert_eq!(ask("nobody", "http://localhost:3000").await, wrong("unknown_widget"));
    assert_eq!(ask("other.demo", "http://localhost:3000").await, wrong("unknown_widget"));
    setup.change("demo", json!({ "enabled": false })).await;
    assert_eq!(ask("demo", "http://localhost:3000").await, wrong("disabled"));
    // The widget itself stays closed to pages that are not known.
    let headers = [("origin", "https://stranger.example".to_owned())];
    let refused = setup.server.request("GET", "/v1/widgets/demo", &headers, None).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "origin_refused"));
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_widget_is_framed_by_its_own_sites_alone() {
    let setup = Setup::new().await;
    let shop = json!({ "id": "shop", "settings": { "name": "Shop",
        "allowed_origins": ["https://shop.example", "https://*.shop.example"] } });
    let made = setup.server.post("/v1/widgets", Some(&setup.admin), shop).await;
    assert_eq!(made.status, 201, "{}", made.text());
    for page in ["widget", "chat"] {
        for (query, ancestors) in [
            ("?widget=shop", "'self' https://shop.example https://*.shop.example"),
            ("?x=1&widget=shop", "'self' https://shop.example https://*.shop.example"),
            ("?widget=demo", "'self' http://localhost:* http://127.0.0.1:*"),
            ("?widget=nobody", "'self'"),
            ("?widget=other.shop", "'self'"),
            ("?widget=shop%20*", "'self'"),
            ("", "'self'"),
        ] {
            let answer = setup.server.get(&format!("/{page}{query}"), None).await;
            assert_eq!(answer.status, 200);
            let policy = answer.header("content-security-policy").unwrap();
            let said = policy.split("frame-ancestors ").nth(1).unwrap();
            assert_eq!(said, ancestors, "/{page}{query}");
        }
    }
    let console = setup.server.get("/console?widget=shop", None).await;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  frame-src 'self'; img-src 'self' blob: data:; base-uri 'none'; \
                  form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; \
                  frame-ancestors 'none'";
    assert_eq!(console.header("content-security-policy"), Some(policy));
    let [one, other] = ["/loader.js", "/chat-widget.js"];
    let (one, other) = (setup.server.get(one, None).await, setup.server.get(other, None).await);
    assert_eq!((one.status, &one.body), (200, &other.body));
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embed_code_names_the_public_address() {
    let data = tempfile::tempdir().unwrap();
    let set = |config: &mut switchboard::config::Config| {
        config.server.public_url = Some("https://chat.example".to_owned());
    };
    let server = Server::start_in(data, set).await;
    let admin = server.sign_in("ada").await;
    let embed = server.get("/v1/widgets/demo/embed", Some(&admin)).await.json();
    assert_eq!(
        embed["html"],
        "<script async src=\"https://chat.example/loader.js\" data-widget=\"demo\"></script>"
    );
    let csp = json!({ "script-src": "https://chat.example", "frame-src": "https://chat.example" });
    assert_eq!(embed["csp"], csp);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_widget_asks_must_be_answered() {
    let setup = Setup::new().await;
    setup
        .change(
            "demo",
            json!({
                "email_required": true, "department_required": true,
                "prechat": { "fields": [
                    { "name": "topic", "label": "Topic", "kind": "choice", "required": true,
                      "choices": ["Order", "Other"] },
                ] },
            }),
        )
        .await;
    let good = json!({ "contact": { "email": "eve@example.com" }, "department": "sales",
                       "fields": { "topic": "Order" } });
    let without = |name: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    for (body, field) in [
        (without("contact"), "email"),
        (without("department"), "department"),
        (without("fields"), "topic"),
    ] {
        let answer = setup.begin(body).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "invalid"));
        assert_eq!(answer.json()["field"], field);
    }
    let mut odd = good.clone();
    odd["fields"]["topic"] = json!("<img src=x>");
    assert_eq!(setup.begin(odd).await.json()["field"], "topic");
    let begun = setup.begin(good.clone()).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    // Who told it once is not asked again.
    let secret = begun.json()["visitor"]["secret"].as_str().unwrap().to_owned();
    let mut again = without("contact");
    again["widget"] = json!("demo");
    let again = setup.server.post("/v1/conversations", Some(&secret), again).await;
    assert_eq!(again.status, 201, "{}", again.text());

    setup.change("demo", json!({ "identity_required": true })).await;
    let answer = setup.begin(good.clone()).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "identity_required"));
    setup.change("demo", json!({ "enabled": false })).await;
    let answer = setup.begin(good).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "widget_disabled"));
    // What began before goes on.
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/conversations/{id}/messages");
    let wrote = setup.server.post(&path, Some(&secret), json!({ "text": "Still here" })).await;
    assert_eq!(wrote.status, 201);
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_too_late_is_told_who_changed_it_and_when() {
    let setup = Setup::new().await;
    let request = async |method: &str, path: &str, tag: &str, body: &Value| {
        let mut headers = auth(Some(&setup.admin));
        headers.push(("if-match", tag.to_owned()));
        let body = Some(body.clone()).filter(|body| !body.is_null());
        setup.server.request(method, path, &headers, body).await
    };
    let me = setup.server.get("/v1/agents/me", Some(&setup.admin)).await.json();
    for (get, delete, body) in [
        ("/v1/widgets/demo/settings", "/v1/widgets/demo", json!({ "name": "Shop" })),
        ("/v1/departments/sales", "/v1/departments/sales", json!({ "name": "Selling" })),
    ] {
        let read = setup.server.get(get, Some(&setup.admin)).await;
        let tag = read.header("etag").unwrap().to_owned();
        // What came with the demo nobody changed yet.
        let early = request("PUT", get, "\"99\"", &body).await;
        assert_eq!((early.status, early.code().as_str()), (412, "changed"));
        assert_eq!((early.json().get("by"), early.json().get("at")), (None, None));
        assert_eq!(request("PUT", get, &tag, &body).await.status, 200);
        for (method, path, body) in [("PUT", get, &body), ("DELETE", delete, &Value::Null)] {
            let late = request(method, path, &tag, body).await;
            assert_eq!((late.status, late.code().as_str()), (412, "changed"), "{method} {path}");
            assert_eq!(late.json()["by"], json!({ "id": me["id"], "name": me["name"] }));
            assert!(late.json()["at"].as_str().unwrap().ends_with('Z'), "{}", late.text());
        }
    }
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_widget_is_gone_and_its_conversations_go_on() {
    let setup = Setup::new().await;
    let server = &setup.server;
    let path = "/v1/widgets/demo";
    let begun = server.begin("hello").await;
    let mut stranger = server.connect(&begun.secret).await;
    let mut agent = server.connect(&setup.admin).await;
    agent.subscribe(&begun.id, None, (json!(null), json!(null))).await;
    let key = format!("{path}/identity-key");
    let key = server.post(&key, Some(&setup.admin), json!({})).await.json();
    let header = json!({ "alg": "HS256", "kid": key["kid"] });
    let claims = json!({ "sub": "eve", "exp": now_s() + 600 });
    let token = signed(key["secret"].as_str().unwrap(), &header, &claims);
    let mut identified = server.connect(&token).await;
    let tag = server.get(path, None).await.header("etag").unwrap().to_owned();
    let poll = setup.poll(&tag, 20);
    // Sockets wait for news of who is there too.
    setup.until_waiting(4).await;

    let mut headers = auth(Some(&setup.admin));
    assert_eq!(server.request("DELETE", path, &headers, None).await.status, 428);
    headers.push(("if-match", "*".to_owned()));
    assert_eq!(server.request("DELETE", path, &headers, None).await.status, 204);

    let gone = poll.await.unwrap();
    assert_eq!((gone.status, gone.code().as_str()), (404, "not_found"));
    assert_eq!(server.get(path, None).await.status, 404);
    assert_eq!(server.request("DELETE", path, &headers, None).await.status, 404);
    assert_eq!(setup.begin(json!({})).await.status, 404);
    let check = format!("{path}/check?origin=http://localhost:3000");
    assert_eq!(server.get(&check, None).await.json()["reason"], "unknown_widget");
    assert_eq!(server.get("/v1/conversations", Some(&token)).await.status, 401);
    let (_, end) = timeout(PATIENCE / 2, identified.end()).await.expect("its end in 5 s");
    assert_eq!(end, End::Code(4500));

    stranger.subscribe(&begun.id, None, (json!(null), json!(null))).await;
    stranger.write(&begun.id, 1, "still here").await;
    assert_eq!(agent.next_of("event").await["body"]["text"], "still here");
    agent.write(&begun.id, 1, "so are we").await;
    let heard = stranger.next_where("the answer", |it| it["body"]["text"] == "so are we").await;
    assert_eq!(heard["type"], "event");

    // Under the same name it is another, and takes no token of the one before.
    let again = json!({ "id": "demo", "settings": { "name": "Demo again" } });
    assert_eq!(server.post("/v1/widgets", Some(&setup.admin), again).await.status, 201);
    assert_eq!(server.get(path, None).await.json()["name"], "Demo again");
    assert_eq!(server.get("/v1/conversations", Some(&token)).await.status, 401);
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_line_lets_no_more_wait_and_takes_messages() {
    let setup = Setup::new().await;
    let shown = async || setup.server.get("/v1/widgets/demo", None).await.json();
    let choice = |shown: &Value, id: &str| {
        let choices = shown["departments"].as_array().unwrap();
        choices.iter().find(|choice| choice["id"] == id).unwrap().clone()
    };
    setup.change("demo", json!({ "queue_max": 1 })).await;
    setup.set_status("online").await;
    assert_eq!(shown().await.get("full"), None);
    let poll = setup.poll(&setup.tag().await, 20);
    setup.until_waiting(1).await;
    let key = [("idempotency-key", "one-and-only".to_owned())];
    let first = || {
        let body = Some(json!({ "widget": "demo", "message": { "text": "Hello" } }));
        setup.server.request("POST", "/v1/conversations", &key, body)
    };
    let waits = first().await;
    assert_eq!(waits.status, 201, "{}", waits.text());
    let full = poll.await.unwrap().json();
    assert_eq!(full["full"], true, "whoever looks is told");
    assert_eq!(choice(&full, "sales").get("full"), None, "that is another line");

    let refused = setup.begin(json!({ "message": { "text": "Me too" } })).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "queue_full"));
    let again = first().await;
    assert_eq!((again.status, &again.json()["id"]), (201, &waits.json()["id"]), "P3");
    let left = setup.begin(json!({ "message": { "text": "Later" }, "leave": true })).await;
    assert_eq!(left.status, 201, "{}", left.text());
    let elsewhere = setup.begin(json!({ "department": "sales" })).await;
    assert_eq!(elsewhere.status, 201, "{}", elsewhere.text());
    let refused = setup.begin(json!({ "department": "sales" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "queue_full"));

    // Where one must be chosen, there is room as long as one has some.
    setup.change("demo", json!({ "department_required": true })).await;
    let now = shown().await;
    assert_eq!((now.get("full"), &choice(&now, "sales")["full"]), (None, &json!(true)));
    setup.change("demo", json!({ "department_required": false })).await;

    let poll = setup.poll(&setup.tag().await, 20);
    setup.until_waiting(1).await;
    let ben = setup.server.sign_in("ben").await;
    for begun in [&waits, &left] {
        let path = format!("/v1/conversations/{}/accept", begun.json()["id"].as_str().unwrap());
        assert_eq!(setup.server.post(&path, Some(&ben), json!({})).await.status, 200);
    }
    let mut now = poll.await.unwrap();
    // Whoever looks between the two is told of the first alone.
    while now.json().get("full").is_some() {
        now = setup.poll(now.header("etag").unwrap(), 20).await.unwrap();
    }
    assert_eq!(setup.begin(json!({})).await.status, 201);

    // Nobody is there: then nobody is busy, and messages are taken as ever.
    setup.set_status("offline").await;
    assert_eq!(shown().await.get("full"), None);
    assert_eq!(setup.begin(json!({})).await.status, 201);
    setup.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_that_are_not_kept_say_what_they_are_at_a_moment() {
    let setup = Setup::new().await;
    let hours = json!({
        "timezone": "Europe/Berlin",
        "days": { "thu": [{ "from": "09:00", "to": "17:00" }] },
        "holidays": ["2026-12-24"],
    });
    let ask = async |day: &str, time: &str| {
        let body = json!({ "hours": hours, "day": day, "time": time });
        setup.server.post("/v1/hours/check", Some(&setup.admin), body).await
    };
    let open = ask("2026-12-17", "10:00").await;
    assert_eq!(open.status, 200);
    let closes = json!({
        "at": "2026-12-17T09:00:00.000Z", "open": true, "reason": "within",
        "closes_at": "2026-12-17T16:00:00.000Z",
    });
    assert_eq!(open.json(), closes);
    // The next Thursday is a holiday.
    let next = "2026-12-31T08:00:00.000Z";
    for (day, time, reason) in [
        ("2026-12-17", "17:00", "outside"),
        ("2026-12-18", "10:00", "closed_day"),
        ("2026-12-24", "10:00", "holiday"),
    ] {
        let said = ask(day, time).await.json();
        let expected = json!([false, reason, next, null]);
        let told = json!([said["open"], said["reason"], said["next_open_at"], said["closes_at"]]);
        assert_eq!(told, expected, "{day} {time}");
    }
    for (day, time, field) in [("2026-02-30", "10:00", "day"), ("2026-12-24", "9", "time")] {
        let refused = ask(day, time).await;
        assert_eq!((refused.status, refused.json()["field"].clone()), (422, json!(field)));
    }
    setup.stop().await;
}
