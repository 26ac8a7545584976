//! A model of the server, as small as the campaigns allow: one lock, one file of JSON lines, one sync
//! per event. The campaigns are proven on it, clean and with each sabotage, so that a green campaign
//! means something. It is no server: no limits, no permissions beyond the two streams.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sabotage {
    None,
    AckBeforeCommit,
    NoDedupe,
    SeqFromMemory,
    LeakNotes,
    NoFsync,
}

struct Watcher {
    stream: &'static str,
    visitor: bool,
    outlet: mpsc::UnboundedSender<String>,
}

#[derive(Default)]
struct Conversation {
    secret: String,
    agent: Option<String>,
    events: HashMap<&'static str, Vec<Value>>,
    sends: HashMap<(String, String, u64), Value>,
    watchers: Vec<Watcher>,
    /// Positions given since the start of the process; only a sabotage looks.
    given: HashMap<&'static str, u64>,
}

struct Model {
    sabotage: Sabotage,
    file: File,
    conversations: HashMap<String, Conversation>,
}

type Shared = Arc<Mutex<Model>>;

fn stream_of(name: Option<&str>) -> &'static str {
    if name == Some("internal") { "internal" } else { "public" }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

impl Model {
    fn open(dir: &str, sabotage: Sabotage) -> anyhow::Result<Self> {
        let path = std::path::Path::new(dir).join("log.jsonl");
        let old = std::fs::read(&path).unwrap_or_default();
        let file = File::options().create(true).append(true).open(&path)?;
        let mut model = Self { sabotage, file, conversations: HashMap::new() };
        let mut whole = 0;
        for line in old.lines() {
            let line = line?;
            // A torn tail was acked to nobody; what follows it neither.
            let Ok(record) = serde_json::from_str::<Value>(&line) else { break };
            whole += line.len() + 1;
            model.apply(&record);
        }
        model.file.set_len(u64::try_from(whole.min(old.len()))?)?;
        if model.sabotage == Sabotage::SeqFromMemory {
            model.conversations.values_mut().for_each(|c| c.given.clear());
        }
        Ok(model)
    }

    fn store(&mut self, record: &Value) -> anyhow::Result<()> {
        self.file.write_all(format!("{record}\n").as_bytes())?;
        if self.sabotage != Sabotage::NoFsync {
            self.file.sync_data()?;
        }
        self.apply(record);
        Ok(())
    }

    fn apply(&mut self, record: &Value) {
        let conversation =
            self.conversations.entry(text(record, "conversation").into()).or_default();
        if let Some(secret) = record.get("secret").and_then(Value::as_str) {
            conversation.secret = secret.to_owned();
        }
        if let Some(agent) = record.get("agent") {
            conversation.agent = agent.as_str().map(str::to_owned);
        }
        let Some(event) = record.get("event") else { return };
        let stream = stream_of(event.get("stream").and_then(Value::as_str));
        conversation.events.entry(stream).or_default().push(event.clone());
        *conversation.given.entry(stream).or_default() += 1;
        if let Some(key) = record.get("key").and_then(|key| {
            Some((
                text(key, "who").to_owned(),
                text(key, "device").to_owned(),
                key.get("n")?.as_u64()?,
            ))
        }) {
            conversation.sends.insert(key, event.clone());
        }
    }

    fn next_event(
        &self,
        id: &str,
        stream: &'static str,
        kind: &str,
        body: &Value,
    ) -> Option<Value> {
        let seq = self.conversations.get(id)?.given.get(stream).copied().unwrap_or(0) + 1;
        let event_id = uuid::Uuid::new_v4().to_string();
        Some(json!({"type": "event", "conversation": id, "stream": stream, "seq": seq,
            "id": event_id, "kind": kind, "body": body}))
    }

    fn publish(&mut self, id: &str, event: &Value) {
        let leak = self.sabotage == Sabotage::LeakNotes;
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let stream = stream_of(event.get("stream").and_then(Value::as_str));
        conversation.watchers.retain(|watcher| {
            let hears = watcher.stream == stream || (leak && watcher.visitor);
            !hears || watcher.outlet.send(event.to_string()).is_ok()
        });
    }

    fn page(&self, id: &str, stream: &'static str, after: u64) -> (Vec<Value>, u64) {
        let none = Vec::new();
        let events = self.conversations.get(id).and_then(|c| c.events.get(stream)).unwrap_or(&none);
        let seq = |event: &Value| event.get("seq").and_then(Value::as_u64).unwrap_or(0);
        let items = events.iter().filter(|event| seq(event) > after).cloned().collect();
        (items, events.iter().map(seq).max().unwrap_or(0))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name).map(|at| at + 1);
        at.and_then(|at| args.get(at)).with_context(|| format!("{name} is missing"))
    };
    let sabotage = match std::env::var("SWITCHBOARD_SABOTAGE").as_deref() {
        Ok("ack_before_commit") => Sabotage::AckBeforeCommit,
        Ok("no_dedupe") => Sabotage::NoDedupe,
        Ok("seq_from_memory") => Sabotage::SeqFromMemory,
        Ok("leak_notes") => Sabotage::LeakNotes,
        Ok("no_fsync") => Sabotage::NoFsync,
        _ => Sabotage::None,
    };
    let model = Arc::new(Mutex::new(Model::open(option("--data-dir")?, sabotage)?));
    let app = Router::new()
        .route("/v1/demo/sign-in", post(sign_in))
        .route("/v1/widgets/demo", get(async || "{}"))
        .route("/v1/conversations", post(create).get(own))
        .route("/v1/conversations/{id}", get(card))
        .route("/v1/conversations/{id}/messages", get(messages))
        .route("/v1/stream", get(upgrade))
        .with_state(model);
    let public = tokio::net::TcpListener::bind(option("--listen")?.parse::<SocketAddr>()?).await?;
    axum::serve(public, app).await?;
    Ok(())
}

async fn sign_in(body: String) -> Response {
    let name =
        serde_json::from_str(&body).map_or_else(|_| String::new(), |v| text(&v, "as").into());
    json!({"token": name, "principal": {"kind": "agent", "id": name}}).to_string().into_response()
}

async fn create(State(model): State<Shared>) -> Response {
    let (id, secret) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let secret = format!("sbv_{secret}");
    let mut model = model.lock();
    if model.store(&json!({"conversation": id, "secret": secret})).is_err() {
        return StatusCode::INSUFFICIENT_STORAGE.into_response();
    }
    let made = json!({"id": id, "log": id, "visitor": {"id": secret, "secret": secret}});
    (StatusCode::CREATED, made.to_string()).into_response()
}

async fn own() -> &'static str {
    "[]"
}

async fn card(State(model): State<Shared>, Path(id): Path<String>) -> Response {
    let (_, head) = model.lock().page(&id, "public", u64::MAX);
    json!({"id": id, "head": head}).to_string().into_response()
}

async fn messages(
    State(model): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let field = |name: &str| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    };
    let number = |name| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("");
    let stream = stream_of(field("stream").as_deref());
    let known = model.lock().conversations.contains_key(&id);
    if !known || (stream == "internal" && token.contains("sbv_")) {
        let refusal = json!({"code": "not_found", "request_id": uuid::Uuid::new_v4().to_string()});
        return (StatusCode::NOT_FOUND, refusal.to_string()).into_response();
    }
    for _ in 0..=number("wait") * 20 {
        let (mut items, head) = model.lock().page(&id, stream, number("after"));
        if !items.is_empty() || number("wait") == 0 {
            let more = items.len() > 200;
            items.truncate(200);
            return json!({"items": items, "more": more, "head": head}).to_string().into_response();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    json!({"items": [], "more": false, "head": number("after")}).to_string().into_response()
}

async fn upgrade(State(model): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["switchboard.v1.json"]).on_upgrade(move |socket| stream(model, socket))
}

async fn stream(model: Shared, mut socket: WebSocket) {
    let (outlet, mut inlet) = mpsc::unbounded_channel();
    let (mut token, mut device) = (String::new(), String::new());
    loop {
        tokio::select! {
            text = inlet.recv() => {
                let Some(text) = text else { return };
                if socket.send(Message::Text(String::into(text))).await.is_err() {
                    return;
                }
            }
            message = socket.recv() => {
                let Some(Ok(message)) = message else { return };
                let Ok(frame) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
                if text(&frame, "type") == "hello" {
                    token = text(&frame, "token").to_owned();
                    device = text(&frame, "device").to_owned();
                    let ready = json!({"type": "ready", "principal": {"id": token}});
                    drop(outlet.send(ready.to_string()));
                } else {
                    handle(&model, &frame, &token, &device, &outlet);
                }
            }
        }
    }
}

fn handle(
    model: &Shared,
    frame: &Value,
    token: &str,
    device: &str,
    outlet: &mpsc::UnboundedSender<String>,
) {
    let id = text(frame, "conversation");
    let answer = |value: Value| drop(outlet.send(value.to_string()));
    let visitor = token.starts_with("sbv_");
    match text(frame, "type") {
        "subscribe" => {
            let stream = stream_of(frame.get("stream").and_then(Value::as_str));
            let after = frame.get("after").and_then(Value::as_u64).unwrap_or(0);
            let mut model = model.lock();
            let (items, head) = model.page(id, stream, after);
            if (visitor && stream == "internal") || !model.conversations.contains_key(id) {
                return answer(json!({"type": "refused", "re": "subscribe", "code": "not_found"}));
            }
            answer(json!({"type": "subscribed", "conversation": id, "stream": stream, "log": id,
                "head": head, "mode": "replay", "from": after + 1}));
            answer(json!({"type": "events", "conversation": id, "stream": stream, "items": items}));
            if let Some(conversation) = model.conversations.get_mut(id) {
                conversation.watchers.push(Watcher { stream, visitor, outlet: outlet.clone() });
            }
        }
        "send" => send(model, frame, token, device, outlet),
        "do" => {
            let reference = frame.get("ref").cloned().unwrap_or_default();
            let args = frame.get("args").cloned().unwrap_or_default();
            let mut model = model.lock();
            let holder = model.conversations.get(id).and_then(|c| c.agent.clone());
            let stored = match (text(frame, "action"), holder) {
                ("accept", Some(by)) => {
                    return answer(json!({"type": "refused", "ref": reference,
                        "code": "already_accepted", "by": {"id": by}}));
                }
                ("accept" | "assign", _) => {
                    model.store(&json!({"conversation": id, "agent": token}))
                }
                ("edit", _) => {
                    let stream = stream_of(args.get("stream").and_then(Value::as_str));
                    let Some(event) = model.next_event(id, stream, "edited", &args) else { return };
                    let stored = model.store(&json!({"conversation": id, "event": event}));
                    model.publish(id, &event);
                    stored
                }
                _ => model.store(&json!({"conversation": id, "agent": null})),
            };
            match stored {
                Ok(()) => answer(json!({"type": "done", "ref": reference})),
                Err(_) => {
                    answer(json!({"type": "refused", "ref": reference, "code": "storage_full"}));
                }
            }
        }
        _ => {}
    }
}

fn send(
    shared: &Shared,
    frame: &Value,
    token: &str,
    device: &str,
    outlet: &mpsc::UnboundedSender<String>,
) {
    let (id, kind) = (text(frame, "conversation"), text(frame, "kind"));
    let Some(n) = frame.get("n").and_then(Value::as_u64) else { return };
    let key = (token.to_owned(), device.to_owned(), n);
    let mut model = shared.lock();
    let known = model.conversations.get(id).and_then(|c| c.sends.get(&key)).cloned();
    let ack = |event: &Value| {
        let ack = json!({"type": "ack", "conversation": id, "n": n, "seq": event.get("seq"),
            "id": event.get("id")});
        drop(outlet.send(ack.to_string()));
    };
    if let Some(event) = known.filter(|_| model.sabotage != Sabotage::NoDedupe) {
        return ack(&event);
    }
    let stream = if kind == "message" { "public" } else { "internal" };
    let body = frame.get("body").cloned().unwrap_or_default();
    let Some(event) = model.next_event(id, stream, kind, &body) else { return };
    let record = json!({"conversation": id, "event": event,
        "key": {"who": token, "device": device, "n": n}});
    if model.sabotage == Sabotage::AckBeforeCommit {
        // In memory and heard at once, on the disk some time later.
        model.apply(&record);
        model.publish(id, &event);
        ack(&event);
        let shared = shared.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            drop(shared.lock().file.write_all(format!("{record}\n").as_bytes()));
        });
        return;
    }
    match model.store(&record) {
        Ok(()) => {
            model.publish(id, &event);
            ack(&event);
        }
        Err(error) => {
            let full = error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull);
            if !full {
                // What a failed sync left on the disk is unknown: no ack may follow.
                std::process::abort();
            }
            let nack = json!({"type": "nack", "conversation": id, "n": n, "code": "storage_full"});
            drop(outlet.send(nack.to_string()));
        }
    }
}
