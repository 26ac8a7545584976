//! Every operation of the OpenAPI document, called as everybody, held against a written table.
//!
//! For each call a conversation of its own is begun, so that no answer depends on another. What
//! lies in another visitor's or another tenant's hands must answer exactly like what never was
//! (P10), and no answer to a stranger may hold a byte of it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::openapi::operations;
use crate::tokens::{claims, expired, now_s, other_token, signed, token, unsigned};

/// In every text of the conversations that are asked for.
const CANARY: &str = "canary-7f3a91";
/// A conversation that never was.
const NEVER: &str = "0190a000-0000-7000-8000-000000000000";

/// Who calls, in the order of the table's columns.
const CALLERS: [&str; 10] = [
    "nobody",
    "visitor",
    "other visitor",
    "agent",
    "admin",
    "other admin",
    "expired",
    "alg none",
    "wrong key",
    "garbage",
];

/// What each of the first six is answered; a bad token is 401 on every operation that reads one.
struct Row {
    id: &'static str,
    body: Value,
    answers: [u16; 6],
    /// Whether the operation reads no token at all.
    reads_no_token: bool,
}

fn row(id: &'static str, answers: [u16; 6], body: Value) -> Row {
    Row { id, body, answers, reads_no_token: false }
}

fn open(id: &'static str, answer: u16, body: Value) -> Row {
    Row { id, body, answers: [answer; 6], reads_no_token: true }
}

/// The written table. Columns: nobody, visitor, other visitor, agent, admin, other tenant's admin.
fn table() -> Vec<Row> {
    let none = || json!(null);
    let text = || json!({"text": "hello"});
    let settings = json!({"name": "Changed"});
    vec![
        open("describe", 200, none()),
        open("getPublicWidget", 200, none()),
        // Without the origin it is a bad request, to everybody.
        open("checkWidget", 400, none()),
        // No link: of nobody, to everybody.
        open("useLink", 404, json!({"token": "sbl_default.x"})),
        open("getStanding", 200, none()),
        open(
            "setUp",
            410,
            json!({"token": "x", "name": "Eve", "email": "e@example.com",
                                  "password": "correct horse"}),
        ),
        open("logIn", 401, json!({"email": "e@example.com", "password": "correct horse"})),
        open("acceptInvitation", 410, json!({"token": "x", "password": "correct horse"})),
        row("getSignedIn", [401, 403, 403, 200, 200, 200], none()),
        // Nobody here came with a cookie: there is nothing to end, and no password.
        row("logOut", [401, 403, 403, 204, 204, 204], none()),
        row(
            "changePassword",
            [401, 403, 403, 403, 403, 403],
            json!({"current": "correct horse", "new": "battery staple"}),
        ),
        row("createStreamTicket", [401, 201, 201, 201, 201, 201], none()),
        open("demoSignIn", 200, json!({"as": "ben"})),
        // Without the upgrade it is a bad request, to everybody.
        open("openStream", 400, none()),
        // Agents begin nothing; another tenant's widget is not there.
        row("beginConversation", [201, 201, 201, 403, 403, 404], json!({"widget": "demo"})),
        row(
            "writeFirst",
            [401, 403, 403, 201, 201, 404],
            json!({"widget": "demo", "contact": {"email": "eve@example.com"},
                   "message": {"text": "hello"}}),
        ),
        row("changeMyContact", [401, 200, 200, 403, 403, 403], json!({"phone": "+49 30 1"})),
        row("listConversations", [401, 200, 200, 200, 200, 200], none()),
        row("getConversation", [401, 200, 404, 200, 200, 404], none()),
        row("changeConversation", [401, 403, 404, 200, 200, 404], json!({"priority": "high"})),
        row("getContext", [401, 403, 403, 200, 200, 404], none()),
        row("listMessages", [401, 200, 404, 200, 200, 404], none()),
        row("sendMessage", [401, 201, 404, 201, 201, 404], text()),
        // The first message is the visitor's: agents edit only their own.
        row("editMessage", [401, 200, 404, 403, 403, 404], text()),
        row("redactMessage", [401, 200, 404, 403, 200, 404], none()),
        row("writeNote", [401, 403, 404, 201, 201, 404], text()),
        row("markRead", [401, 204, 404, 204, 204, 404], json!({"seq": 1})),
        row("markReceived", [401, 204, 404, 204, 204, 404], json!({"seq": 1})),
        // Only an agent can take it or name one: visitors hear so before anything is looked up.
        row("accept", [401, 403, 403, 200, 200, 404], json!({})),
        row("assign", [401, 403, 403, 200, 200, 404], json!({"agent": "ben"})),
        row("reopen", [401, 403, 403, 409, 409, 404], json!({})),
        // It waits: there is nobody to take it from, nothing to refuse or put away.
        row("unassign", [401, 403, 404, 409, 409, 404], json!({})),
        row("requeue", [401, 403, 404, 200, 200, 404], json!({})),
        row(
            "transfer",
            [401, 403, 404, 200, 200, 404],
            json!({"department": "sales", "reason": "theirs"}),
        ),
        row("refuseTransfer", [401, 403, 404, 409, 409, 404], json!({})),
        row("close", [401, 200, 404, 200, 200, 404], json!({})),
        row("resolve", [401, 403, 404, 200, 200, 404], json!({})),
        row("archive", [401, 403, 404, 409, 409, 404], json!({})),
        // Only its visitor rates it, and only after it was closed.
        row("rate", [401, 409, 404, 403, 403, 404], json!({"score": 5})),
        row("linkTicket", [401, 403, 404, 200, 200, 404], json!({"ticket": 1_000_000})),
        row("listAgents", [401, 403, 403, 200, 200, 200], none()),
        row(
            "createAgent",
            [401, 403, 403, 403, 201, 201],
            json!({"external_id": "new", "name": "New", "role": "agent"}),
        ),
        row("changeMe", [401, 403, 403, 200, 200, 200], json!({"display_name": "Lin"})),
        // What is sent is no picture.
        row("setMyAvatar", [401, 403, 403, 415, 415, 415], json!({})),
        row("removeMyAvatar", [401, 403, 403, 204, 204, 204], none()),
        row("setAvatar", [401, 403, 403, 403, 415, 404], json!({})),
        row("removeAvatar", [401, 403, 403, 403, 204, 404], none()),
        row("invite", [401, 403, 403, 403, 201, 404], none()),
        open("getAvatar", 404, none()),
        row("listKeys", [401, 403, 403, 403, 200, 200], none()),
        row(
            "createKey",
            [401, 403, 403, 403, 201, 201],
            json!({"name": "Robot", "scopes": ["conversations:read"]}),
        ),
        row("revokeKey", [401, 403, 403, 403, 204, 404], none()),
        row("listAudit", [401, 403, 403, 403, 200, 200], none()),
        // Only owners of `default`: tests/it/people.rs has one.
        row("listTenants", [401, 403, 403, 403, 403, 403], none()),
        row("createTenant", [401, 403, 403, 403, 403, 403], json!({"id": "new", "name": "New"})),
        row("createTenantSetup", [401, 403, 403, 403, 403, 403], none()),
        row("getMyTenant", [401, 403, 403, 200, 200, 200], none()),
        row("changeMyTenant", [401, 403, 403, 403, 200, 200], json!({"name": "Fern"})),
        row("getMe", [401, 403, 403, 200, 200, 200], none()),
        row("setMyStatus", [401, 403, 403, 200, 200, 200], json!({"status": "away"})),
        row("setMyCapacity", [401, 403, 403, 200, 200, 200], json!({"max": 3})),
        row("setMySkills", [401, 403, 403, 200, 200, 200], json!({"skills": ["rust"]})),
        row("getMyPreferences", [401, 403, 403, 200, 200, 200], none()),
        row(
            "changeMyPreferences",
            [401, 403, 403, 200, 200, 200],
            json!({"values": {"theme": "dark"}}),
        ),
        row("listMyDrafts", [401, 403, 403, 200, 200, 200], none()),
        // One's own words, whatever they are for: nobody is told whether it is there.
        row("keepMyDraft", [401, 403, 403, 200, 200, 200], json!({"message": "Dear", "age_ms": 0})),
        // Ben, of the tenant `default`.
        row("getAgent", [401, 403, 403, 200, 200, 404], none()),
        row("changeAgent", [401, 403, 403, 403, 200, 404], json!({"departments": ["sales"]})),
        row("listDepartments", [401, 403, 403, 200, 200, 200], none()),
        row(
            "createDepartment",
            [401, 403, 403, 403, 201, 201],
            json!({"id": "fresh", "name": "Fresh"}),
        ),
        // A department that only the tenant `default` has.
        row("getDepartment", [401, 403, 403, 200, 200, 404], none()),
        row("replaceDepartment", [401, 403, 403, 403, 200, 404], json!({"name": "Changed"})),
        row("deleteDepartment", [401, 403, 403, 403, 204, 404], none()),
        row(
            "checkHours",
            [401, 403, 403, 403, 200, 200],
            json!({"hours": {"timezone": "UTC"}, "day": "2026-12-24", "time": "10:00"}),
        ),
        row("listWidgets", [401, 403, 403, 200, 200, 200], none()),
        row(
            "createWidget",
            [401, 403, 403, 403, 201, 201],
            json!({"id": "fresh", "settings": settings.clone()}),
        ),
        row("deleteWidget", [401, 403, 403, 403, 204, 404], none()),
        row("rotateIdentityKey", [401, 403, 403, 403, 201, 404], none()),
        row("getEmbedCode", [401, 403, 403, 403, 200, 404], none()),
        row("getWidgetSettings", [401, 403, 403, 403, 200, 404], none()),
        row("replaceWidgetSettings", [401, 403, 403, 403, 200, 404], settings),
    ]
}

/// A node, and everybody's tokens.
struct Cast {
    node: TestNode,
    tokens: [Option<String>; 10],
}

impl Cast {
    async fn new() -> Self {
        let node = TestNode::start().await;
        let begin = Call::new("POST", "/v1/conversations").json(&json!({"widget": "demo"}));
        let secret = async || {
            let begun = node.send(&begin).await.json();
            Some(begun["visitor"]["secret"].as_str().unwrap().to_owned())
        };
        let (visitor, other_visitor) = (secret().await, secret().await);
        let stolen = signed(
            &"x".repeat(32),
            &json!({"alg": "HS256"}),
            &claims("ada", "admin", now_s() + 60),
        );
        let tokens = [
            None,
            visitor,
            other_visitor,
            Some(token("grace", "agent")),
            Some(token("linus", "admin")),
            Some(other_token("mallory", "admin")),
            Some(expired("ada", "admin")),
            Some(unsigned("ada", "admin")),
            Some(stolen),
            Some("garbage".to_owned()),
        ];
        Self { node, tokens }
    }

    fn token_of(&self, caller: &str) -> Option<&str> {
        let idx = CALLERS.iter().position(|name| *name == caller).unwrap();
        self.tokens[idx].as_deref()
    }

    /// Begins a waiting conversation of `visitor`; its second event is the visitor's message.
    async fn begin(&self) -> String {
        let body = json!({"widget": "demo", "subject": CANARY, "message": {"text": CANARY},
                          "contact": {"name": CANARY}});
        let call = Call::new("POST", "/v1/conversations").token(self.token_of("visitor"));
        let begun = self.node.send(&call.json(&body)).await;
        assert_eq!(begun.status, 201, "{begun:?}");
        begun.json()["id"].as_str().unwrap().to_owned()
    }

    /// Makes what the operation acts on, and says its id.
    async fn target(&self, path: &str, n: usize) -> String {
        let admin = |method, path: &str, body: &Value| {
            Call::new(method, path).token(self.token_of("admin")).json(body)
        };
        if path.starts_with("/v1/conversations/{id}") || path == "/v1/agents/me/drafts/{id}" {
            self.begin().await
        } else if path.starts_with("/v1/departments/{id}") {
            let id = format!("own-{n}");
            let made = admin("POST", "/v1/departments", &json!({"id": id, "name": CANARY}));
            assert_eq!(self.node.send(&made).await.status, 201);
            id
        } else if path.starts_with("/v1/widgets/{id}") {
            // What everybody may know of a widget is no secret.
            let name = if path == "/v1/widgets/{id}" { "Own" } else { CANARY };
            let body = json!({"id": format!("own-{n}"), "settings": {"name": name}});
            assert_eq!(self.node.send(&admin("POST", "/v1/widgets", &body)).await.status, 201);
            format!("own-{n}")
        } else if path.starts_with("/v1/keys/{id}") {
            let body = json!({"name": CANARY, "scopes": ["agents:read"]});
            let made = self.node.send(&admin("POST", "/v1/keys", &body)).await;
            assert_eq!(made.status, 201, "{made:?}");
            made.json()["id"].as_str().unwrap().to_owned()
        } else if path.starts_with("/v1/agents/{id}") {
            let id = format!("own-{n}");
            let email = format!("{id}@example.com");
            let body = json!({"external_id": id, "name": CANARY, "role": "agent", "email": email});
            assert_eq!(self.node.send(&admin("POST", "/v1/agents", &body)).await.status, 201);
            id
        } else {
            "demo".to_owned()
        }
    }

    async fn call(&self, caller: &str, method: &str, path: &str, row: &Row) -> Reply {
        let mut call = Call::new(method, path).token(self.token_of(caller));
        if matches!(method, "PUT" | "PATCH" | "DELETE") {
            call = call.header("If-Match", "*");
        }
        if !row.body.is_null() {
            call = call.json(&row.body);
        }
        self.node.send(&call).await
    }
}

/// What an operation makes has to have a name of its own in every call.
fn unique(row: &Row, n: usize) -> Row {
    let mut body = row.body.clone();
    for name in ["id", "external_id"] {
        if let Some(Value::String(id)) = body.get_mut(name) {
            *id = format!("{id}-{n}");
        }
    }
    Row { body, ..*row }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_everybody_as_the_table_says() {
    let cast = Cast::new().await;
    let table = table();
    let rows: BTreeMap<&str, &Row> = table.iter().map(|row| (row.id, row)).collect();
    let operations = operations();
    assert_eq!(rows.len(), operations.len(), "an operation without a row, or a row too many");
    let mut wrong = Vec::new();
    let mut n_calls = 0;
    for (method, path, operation) in &operations {
        let id = operation["operationId"].as_str().unwrap();
        let row = rows.get(id).unwrap_or_else(|| panic!("{id} has no row"));
        let seq = if id == "editMessage" || id == "redactMessage" { "3" } else { "1" };
        for (column, caller) in CALLERS.into_iter().enumerate() {
            n_calls += 1;
            let row = unique(row, n_calls);
            let target = cast.target(path, n_calls).await;
            let called = path.replace("{id}", &target).replace("{seq}", seq);
            let reply = cast.call(caller, method, &called, &row).await;
            let expected = match row.answers.get(column) {
                Some(expected) => *expected,
                None if row.reads_no_token => row.answers[0],
                None => 401,
            };
            if reply.status != expected {
                wrong.push(format!(
                    "{id} as {caller}: {} instead of {expected}: {}",
                    reply.status, reply.body
                ));
            }
            let is_stranger = !matches!(caller, "visitor" | "agent" | "admin");
            if is_stranger && reply.body.contains(CANARY) {
                wrong.push(format!("{id} as {caller} tells: {}", reply.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {n_calls}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(n_calls >= 400, "{n_calls}");
    cast.node.stop().await;
}

/// P10: in status and in every byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_foreign_answers_like_what_never_was() {
    let cast = Cast::new().await;
    let table = table();
    let rows: BTreeMap<&str, &Row> = table.iter().map(|row| (row.id, row)).collect();
    let mut n_compared = 0;
    for (method, path, operation) in operations() {
        let row = rows[operation["operationId"].as_str().unwrap()];
        // What is one's own is there for whatever one names.
        if !path.contains("{id}") || row.reads_no_token || path.starts_with("/v1/agents/me/") {
            continue;
        }
        let foreign = cast.target(&path, 10_000 + n_compared).await;
        let never = if path.starts_with("/v1/conversations") { NEVER } else { "never" };
        for caller in ["other visitor", "other admin"] {
            let called = |id: &str| path.replace("{id}", id).replace("{seq}", "3");
            let replies = join_all([foreign.as_str(), never].map(|id| {
                let path = called(id);
                let (cast, method) = (&cast, &method);
                async move { cast.call(caller, method, &path, row).await }
            }))
            .await;
            let [of_foreign, of_never] = <[Reply; 2]>::try_from(replies).unwrap();
            assert_eq!(of_foreign.tells(), of_never.tells(), "{method} {path} as {caller}");
            n_compared += 1;
        }
    }
    assert!(n_compared >= 50, "{n_compared}");
    cast.node.stop().await;
}

/// S14: a field that nobody knows is refused wherever a body is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_body_smuggles_a_field_in() {
    let cast = Cast::new().await;
    let table = table();
    let mut n_refused = 0;
    for (method, path, operation) in operations() {
        let id = operation["operationId"].as_str().unwrap();
        let row = table.iter().find(|row| row.id == id).unwrap();
        // Owners make tenants, and a picture is no JSON.
        let is_other = matches!(id, "createTenant" | "setMyAvatar" | "setAvatar");
        if !row.body.is_object() || row.reads_no_token || is_other {
            continue;
        }
        let target = cast.target(&path, 20_000 + n_refused).await;
        let called = path.replace("{id}", &target).replace("{seq}", "3");
        for (name, value) in [
            ("tenant", json!("other")),
            ("is_admin", json!(true)),
            ("from", json!({"kind": "agent"})),
            ("$where", json!("1")),
        ] {
            let mut body = row.body.clone();
            body[name] = value;
            let smuggler = Row { body, ..*row };
            let caller = if ["rate", "beginConversation", "changeMyContact"].contains(&id) {
                "visitor"
            } else {
                "admin"
            };
            let reply = cast.call(caller, &method, &called, &smuggler).await;
            assert!((400..500).contains(&reply.status), "{id} with {name}: {reply:?}");
            assert_eq!(reply.code(), "bad_request", "{id} with {name}");
            n_refused += 1;
        }
    }
    assert!(n_refused >= 100, "{n_refused}");
    cast.node.stop().await;
}
