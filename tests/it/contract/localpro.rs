//! LocalPro live chat.

use serde_json::{Value, json};
use switchboard::config::Environment;
use tokio::task::JoinSet;

use super::plain::Plain;
use super::socket::Says;
use super::{inventory, transcript};
use crate::accounts;
use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::tokens::{expired, other_token, token, unsigned};

#[tokio::test(flavor = "multi_thread")]
async fn localpro_is_spoken_as_its_transcripts_say() {
    transcript::speak("localpro").await;
}

#[test]
fn every_line_of_localpro_is_proven_or_comes_later() {
    let (n_proven, n_later) = inventory::check("localpro");
    assert!(n_proven > n_later, "{n_proven} proven, {n_later} later");
}

const SOCKET: &str = "/ws/live-chat";

/// The body of a beginning.
fn beginning(label: &str) -> Value {
    json!({ "sessionId": label, "user": { "name": "John Doe", "email": "john@example.com" } })
}

fn post(path: &str, body: &Value) -> Call {
    Call::new("POST", path).json(body)
}

/// A session that has begun, and the cookie that opens it.
async fn start(node: &TestNode, label: &str) -> String {
    let reply = node.send(&post("/api/live-chat/sessions", &beginning(label))).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let cookie = reply.header("set-cookie").unwrap().split(';').next().unwrap();
    cookie.to_owned()
}

fn at(label: &str, rest: &str) -> String {
    format!("/api/live-chat/sessions/{label}{rest}")
}

async fn user(node: &TestNode, label: &str, cookie: &str) -> Plain {
    let uri = format!("ws://{}{SOCKET}?sessionId={label}", node.address);
    Plain::open(&uri, &[("cookie", cookie.to_owned())]).await.unwrap()
}

async fn agent(node: &TestNode, subject: &str) -> Plain {
    let token = token(subject, "support");
    let path = format!("{SOCKET}?admin=true&userId={subject}");
    Plain::connect(node.address, &path, Some(&token), Says::Header, None).await.unwrap()
}

/// What every label is answered that opens nothing.
const NO_SESSION: &str = r#"{"message":"there is no such session","success":false}"#;

/// Requests as somebody would make them who knows how foreign labels look, and has a session too:
/// the label itself, with no cookie, one's own, or one made up; labels near it; and any others.
fn guesses(own: &str, foreign: &[(String, String)], n: usize) -> Vec<(String, Option<String>)> {
    const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let (own_name, own_secret) = own.split_once('=').unwrap();
    let mut seed: usize = 1;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut guesses = Vec::with_capacity(n);
    while guesses.len() < n {
        let (label, cookie) = &foreign[next(foreign.len())];
        let (name, secret) = cookie.split_once('=').unwrap();
        guesses.push(match guesses.len() % 6 {
            0 => (label.clone(), None),
            1 => (label.clone(), Some(own.to_owned())),
            2 => (label.clone(), Some(format!("{name}={own_secret}"))),
            3 => {
                // One letter of the secret is another.
                let at = secret.len() - 2 - next(40);
                let mut bytes = secret.as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                let secret = String::from_utf8(bytes).unwrap();
                (label.clone(), Some(format!("{name}={secret}; {own_name}={own_secret}")))
            }
            4 => {
                // Another tail at the same moment.
                let tail: String = (0..9).map(|_| char::from(LETTERS[next(36)])).collect();
                (format!("{}{tail}", &label[..22]), None)
            }
            _ => {
                let at = 8 + next(label.len() - 8);
                let mut bytes = label.as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
                (String::from_utf8(bytes).unwrap(), None)
            }
        });
    }
    guesses
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_guesses_none_opens_a_foreign_session() {
    const N_GUESSES: usize = 10_000;
    let node = TestNode::start().await;
    let own = start(&node, "session-1701691234000-mine00mine").await;
    let mut foreign = Vec::new();
    for n in 0..20 {
        // Every second label is too easily guessed to open anything alone.
        let tail = if n % 2 == 0 { "k3j9x0q2z" } else { "abc123" };
        let label = format!("session-17016912345{n:02}-{tail}");
        let cookie = start(&node, &label).await;
        let secret = json!({ "content": format!("secret {n}") });
        let send = post(&at(&label, "/messages"), &secret).header("Cookie", &cookie);
        assert_eq!(node.send(&send).await.status, 201);
        foreign.push((label, cookie));
    }
    let mut asking = JoinSet::new();
    for guesses in guesses(&own, &foreign, N_GUESSES).chunks(N_GUESSES / 8) {
        let (guesses, address) = (guesses.to_vec(), node.address);
        asking.spawn(async move {
            let mut answers = Vec::new();
            for (label, cookie) in guesses {
                let mut call = Call::new("GET", &at(&label, "/messages"));
                if let Some(cookie) = &cookie {
                    call = call.header("Cookie", cookie);
                }
                let reply = call.send(address).await;
                answers.push((label, cookie, reply.status, reply.body));
            }
            answers
        });
    }
    let mut n_asked = 0;
    while let Some(answers) = asking.join_next().await {
        for (label, cookie, status, body) in answers.unwrap() {
            assert_eq!((status, &*body), (404, NO_SESSION), "{label} {cookie:?}");
            n_asked += 1;
        }
    }
    assert_eq!(n_asked, N_GUESSES);
    for (n, (label, cookie)) in foreign.iter().enumerate() {
        let read = Call::new("GET", &at(label, "/messages")).header("Cookie", cookie);
        let read = node.send(&read).await.json();
        assert_eq!(read["data"][1]["content"], format!("secret {n}"));
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_production_strangers_have_budgets() {
    let production = |config: &mut switchboard::config::Config| {
        config.environment = Environment::Production;
        config.server.demo = false;
        config.limits.creates_per_minute = 1_000;
    };
    let node = TestNode::start_with(production).await;
    let label = "session-1701691234567-k3j9x0q2z";
    let cookie = start(&node, label).await;
    let is_refused = |reply: &Reply| {
        assert_eq!(reply.json(), json!({ "success": false, "message": "Too many requests" }));
        assert!(reply.header("retry-after").is_some());
    };
    let mut n_unknown = 0;
    loop {
        let reply = node.send(&Call::new("GET", &at("session-1-nobody0000", ""))).await;
        match reply.status {
            404 => n_unknown += 1,
            429 => break is_refused(&reply),
            _ => panic!("{}", reply.body),
        }
    }
    assert_eq!(n_unknown, 20);
    // Who knows where to go is let in, until all calls are used.
    let read = Call::new("GET", &at(label, "")).header("Cookie", &cookie);
    let mut n_read = 0;
    loop {
        let reply = node.send(&read).await;
        match reply.status {
            200 => n_read += 1,
            429 => break is_refused(&reply),
            _ => panic!("{}", reply.body),
        }
    }
    // The beginning, the unknown ones and the refused one were calls too.
    assert_eq!(1 + 20 + 1 + n_read, 100);
    let refused =
        node.send(&post("/api/live-chat/sessions", &beginning("session-2-k3j9x0q2z"))).await;
    assert_eq!(refused.status, 429);
    let uri = format!("ws://{}{SOCKET}?sessionId={label}", node.address);
    let refused = Plain::open(&uri, &[("cookie", cookie)]).await.unwrap_err();
    assert_eq!(refused["message"], "Too many requests");
    // Agents are no strangers.
    let list = Call::new("GET", "/api/admin/live-chat/sessions");
    let reply = node.send(&list.token(Some(&token("ann", "support")))).await;
    assert_eq!(reply.json()["total"], 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_pages_of_twenty() {
    let node = TestNode::start().await;
    for n in 0..21 {
        start(&node, &format!("session-17016912345{n:02}-k3j9x0q2z")).await;
    }
    let list = |page: usize| {
        let path = format!("/api/admin/live-chat/sessions?page={page}");
        Call::new("GET", &path).token(Some(&token("ann", "support")))
    };
    let first = node.send(&list(1)).await.json();
    assert_eq!(
        (&first["count"], &first["total"], &first["pages"]),
        (&json!(20), &json!(21), &json!(2))
    );
    let second = node.send(&list(2)).await.json();
    assert_eq!(second["data"][0]["sessionId"], "session-1701691234500-k3j9x0q2z");
    assert_eq!(second["count"], 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_opens_an_agents_socket_for_our_own_pages_alone() {
    let server = accounts::start().await;
    let browser = accounts::set_up(&server).await;
    let cookie: Vec<_> =
        browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookie = ("cookie", cookie.join("; "));
    let uri = format!("ws://{}{SOCKET}?admin=true", server.address());
    for origin in [None, Some("https://evil.example".to_owned())] {
        let mut headers = vec![cookie.clone()];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let refused = Plain::open(&uri, &headers).await.unwrap_err();
        assert_eq!(refused["message"], "Pages of this origin may not call here");
    }
    let headers = [cookie, ("origin", browser.origin())];
    let mut socket = Plain::open(&uri, &headers).await.unwrap();
    socket.next("connection_established").await.unwrap();
    drop(socket);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_network_opens_an_agents_socket_by_name() {
    let trusting = |network: &str| {
        let network = network.to_owned();
        TestNode::start_with(|config| config.dialects.localpro_trusted_networks = vec![network])
    };
    let node = trusting("127.0.0.0/8").await;
    let path = |user: &str| format!("ws://{}{SOCKET}?admin=true{user}", node.address);
    let no_token = json!({ "success": false, "message": "A valid token is needed" });
    let seen = Call::new("GET", "/api/admin/live-chat/sessions");
    for (subject, role) in [("ann", "support"), ("carl", "customer")] {
        node.send(&seen.clone().token(Some(&token(subject, role)))).await;
    }
    for user in ["", "&userId=nobody", "&userId=carl"] {
        assert_eq!(Plain::open(&path(user), &[]).await.unwrap_err(), no_token, "{user}");
    }
    // Behind a proxy that nobody told us of, all seem to be near.
    let forwarded = [("x-forwarded-for", "203.0.113.7".to_owned())];
    let refused = Plain::open(&path("&userId=ann"), &forwarded).await.unwrap_err();
    assert_eq!(refused, no_token);
    // A page that somebody near looks at is not somebody near.
    let page = [("origin", "https://evil.example".to_owned())];
    let refused = Plain::open(&path("&userId=ann"), &page).await.unwrap_err();
    assert_eq!(refused["message"], "Pages of this origin may not call here");
    // A bad token is not made good by where it comes from.
    let bad = [("authorization", format!("Bearer {}", expired("ann", "support")))];
    assert_eq!(Plain::open(&path("&userId=ann"), &bad).await.unwrap_err(), no_token);
    let mut socket = Plain::open(&path("&userId=ann"), &[]).await.unwrap();
    let label = "session-1701691234567-k3j9x0q2z";
    start(&node, label).await;
    assert_eq!(socket.next("new_session").await.unwrap()["session"]["sessionId"], label);
    drop(socket);
    node.stop().await;

    let node = trusting("10.0.0.0/8").await;
    node.send(&seen.token(Some(&token("ann", "support")))).await;
    let uri = format!("ws://{}{SOCKET}?admin=true&userId=ann", node.address);
    assert_eq!(Plain::open(&uri, &[]).await.unwrap_err(), no_token);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_on_a_socket_is_answered_and_too_much_of_it_ends_that_socket_alone() {
    let node = TestNode::start().await;
    let (label, other) = ("session-1701691234567-k3j9x0q2z", "session-1701691234568-w8f7r2m1p");
    let (cookie, others) = (start(&node, label).await, start(&node, other).await);
    let mut bystander = user(&node, other, &others).await;
    let mut ann = agent(&node, "ann").await;
    let mut hostile = user(&node, label, &cookie).await;
    let deep = "[".repeat(5_000);
    let refused = json!({ "success": false, "message": "a frame must be a JSON object" });
    for text in ["", "[1]", "\"x\"", "{", &deep] {
        hostile.say(text.to_owned()).await;
        assert_eq!(hostile.next("error").await.unwrap(), refused);
    }
    for _ in 0..20 {
        hostile.say("nonsense".to_owned()).await;
    }
    assert_eq!(hostile.close_code().await, Some(4501));
    let mut hostile = user(&node, label, &cookie).await;
    hostile.say("x".repeat(200 * 1024)).await;
    assert_eq!(hostile.close_code().await, Some(1009));
    // A flood of what is allowed, and of foreign names.
    let mut hostile = user(&node, label, &cookie).await;
    for n in 0..300 {
        let data =
            json!({ "isTyping": n % 2 == 0, "sessionId": if n % 3 == 0 { other } else { label } });
        hostile.emit("typing", &data).await.unwrap();
        hostile.emit("read_receipt", &json!({ "messageId": "x".repeat(1_000) })).await.unwrap();
    }
    hostile.settle().await.unwrap();
    // Nobody else was told anything, and all go on.
    let heard = bystander.settle().await.unwrap();
    // But that somebody is there now.
    let quiet = ["connection_established", "agent_message"];
    assert!(heard.iter().all(|kind| quiet.contains(&&**kind)), "{heard:?}");
    let said = json!({ "content": "still here" });
    let send = post(&at(other, "/messages"), &said).header("Cookie", &others);
    assert_eq!(node.send(&send).await.status, 201);
    let heard = ann.next("user_message").await.unwrap();
    assert_eq!(
        (&heard["sessionId"], &heard["message"]["content"]),
        (&json!(other), &json!("still here"))
    );
    drop((bystander, ann, hostile));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_are_refused_in_the_dialects_own_shape() {
    let node = TestNode::start().await;
    let label = "session-1701691234567-k3j9x0q2z";
    let cookie = start(&node, label).await;
    let messages = at(label, "/messages");
    let deep = format!("{}{}", "{\"content\":".repeat(5_000), "}".repeat(5_000));
    let huge = json!({ "content": "x".repeat(200 * 1024) }).to_string();
    let multipart = "multipart/form-data; boundary=x";
    let files = b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.png\"\r\n\r\nx\r\n--x--\r\n";
    let reply_to = format!("/api/admin/live-chat/sessions/{label}/reply");
    let list = "/api/admin/live-chat/sessions";
    let ann = token("ann", "support");
    for (call, status) in [
        (Call::new("POST", &messages).bytes("application/json", deep.as_bytes()), 400),
        (Call::new("POST", &messages).bytes("application/json", huge.as_bytes()), 413),
        (Call::new("POST", &messages).bytes("application/json", b"\xff\xfe"), 400),
        (Call::new("POST", &messages).bytes("text/plain", b"{\"content\":\"x\"}"), 415),
        (Call::new("POST", &messages).bytes(multipart, files), 501),
        (Call::new("POST", "/api/live-chat/upload").bytes(multipart, files), 501),
        (Call::new("POST", &reply_to).token(Some(&ann)).bytes(multipart, files), 501),
        (Call::new("PUT", &messages), 405),
        (Call::new("GET", list).token(Some(&expired("ann", "support"))), 401),
        (Call::new("GET", list).token(Some(&unsigned("ann", "super_admin"))), 401),
        (Call::new("GET", list).token(Some(cookie.split_once('=').unwrap().1)), 403),
        (Call::new("GET", &at("..%2F..%2Fetc%2Fpasswd", "")), 404),
        (Call::new("GET", &at(&"a".repeat(4_000), "")), 404),
    ] {
        let reply = node.send(&call.header("Cookie", &cookie)).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        let body = reply.json();
        assert_eq!(body["success"], false, "{body}");
        assert!(body["message"].is_string() && body.as_object().unwrap().len() == 2, "{body}");
    }
    let read = node.send(&Call::new("GET", &messages).header("Cookie", &cookie)).await.json();
    assert_eq!(read["total"], 1, "{read}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_take_a_label_at_once_one_has_it() {
    let node = TestNode::start().await;
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        let address = node.address;
        let call = post("/api/live-chat/sessions", &beginning("session-1701691234567-k3j9x0q2z"));
        asking.spawn(async move { call.send(address).await.status });
    }
    let mut statuses = asking.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 19][..]));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_in_what_a_page_says_of_itself_is_none() {
    let node = TestNode::start().await;
    let label = "session-1701691234567-k3j9x0q2z";
    start(&node, label).await;
    let said = json!({
        "widget": "demo",
        "contact": { "name": "Eve" },
        "context": { "session": label },
        "message": { "text": "answer me instead" },
    });
    let begun = node.send(&post("/v1/conversations", &said)).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    // Nor does a label that looks like an id lead away from it.
    start(&node, &id).await;
    let ann = token("ann", "support");
    let of = |session: &str| {
        let path = format!("/api/admin/live-chat/sessions/{session}");
        Call::new("GET", &path).token(Some(&ann))
    };
    // It has its own name, and the label leads where it led.
    let eves = node.send(&of(&id)).await.json();
    let eves = &eves["data"]["session"];
    assert_eq!((&eves["sessionId"], &eves["user"]["name"]), (&json!(id), &json!("Eve")));
    let johns = node.send(&of(label)).await.json();
    assert_eq!(johns["data"]["session"]["user"]["name"], "John Doe");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_another_tenant_find_nothing() {
    let node = TestNode::start().await;
    let label = "session-1701691234567-k3j9x0q2z";
    start(&node, label).await;
    let stranger = other_token("1", "owner");
    let get = |path: &str| Call::new("GET", path).token(Some(&stranger));
    let found = node.send(&get(&format!("/api/admin/live-chat/sessions/{label}"))).await;
    assert_eq!((found.status, &*found.body), (404, NO_SESSION));
    let list = node.send(&get("/api/admin/live-chat/sessions")).await.json();
    assert_eq!(list["total"], 0);
    let history = "/api/admin/live-chat/customers/john@example.com/history";
    assert_eq!(node.send(&get(history)).await.json()["total"], 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_the_same_one_through_our_own_door() {
    let node = TestNode::start().await;
    let label = "session-1701691234567-k3j9x0q2z";
    let cookie = start(&node, label).await;
    let mut john = user(&node, label, &cookie).await;
    let ann = token("ann", "agent");
    // The one session of a visitor has the same id.
    let id = cookie.split('.').nth(1).unwrap();
    let act = |path: &str, body: &Value| {
        post(&format!("/v1/conversations/{id}/{path}"), body).token(Some(&ann))
    };
    assert_eq!(node.send(&act("accept", &json!({}))).await.status, 200);
    assert_eq!(john.next("agent_assigned").await.unwrap()["agent"]["_id"], "ann");
    let said = json!({ "text": "from our own door" });
    assert_eq!(node.send(&act("messages", &said)).await.status, 201);
    let mut heard = john.next("agent_message").await.unwrap();
    while heard["message"]["type"] == "system" {
        heard = john.next("agent_message").await.unwrap();
    }
    assert_eq!(heard["message"]["content"], "from our own door");
    // A note moves nothing that the user reads.
    let read = Call::new("GET", &at(label, "")).header("Cookie", &cookie);
    let before = node.send(&read).await.json();
    let noted = node.send(&act("notes", &json!({ "text": "internal" }))).await;
    assert_eq!(noted.status, 201, "{}", noted.body);
    assert_eq!(node.send(&read).await.json(), before);
    assert_eq!(node.send(&act("close", &json!({}))).await.status, 200);
    let mut changed = john.next("session_status_changed").await.unwrap();
    assert_eq!(changed["status"], "active");
    changed = john.next("session_status_changed").await.unwrap();
    assert_eq!(changed["status"], "closed");
    // A socket of a session that has ended hears that it goes on.
    let mut late = user(&node, label, &cookie).await;
    late.settle().await.unwrap();
    assert_eq!(node.send(&act("reopen", &json!({}))).await.status, 200);
    assert_eq!(late.next("session_status_changed").await.unwrap()["status"], "pending");
    drop((john, late));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_disabled_is_out_at_once_and_a_drain_says_so() {
    let node = TestNode::start().await;
    let label = "session-1701691234567-k3j9x0q2z";
    let cookie = start(&node, label).await;
    let mut ann = agent(&node, "ann").await;
    let mut john = user(&node, label, &cookie).await;
    let admin = token("boss", "admin");
    let change = Call::new("PATCH", "/v1/agents/ann").token(Some(&admin)).header("If-Match", "*");
    let reply = node.send(&change.json(&json!({ "disabled": true }))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(ann.close_code().await, Some(4500));
    let (_, code) = tokio::join!(node.stop(), john.close_code());
    assert_eq!(code, Some(4001));
}
