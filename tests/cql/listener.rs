//! A client that hears one conversation live, as ours do: in order, and from where it stands after its
//! subscription was lost.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::server::{PATIENCE, texts};

/// How long it listens before it looks whether it is to go on.
const TURN: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct Heard {
    events: Vec<Value>,
    /// Frames of other kinds, by their type.
    others: Vec<String>,
    /// Times that it had to subscribe.
    subscriptions: usize,
    /// With which code it was closed.
    closed: Option<u16>,
}

/// It ends when it is dropped.
pub(crate) struct Listener {
    heard: Arc<Mutex<Heard>>,
    stops: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Listener {
    /// Greets, and subscribes to a conversation; answers when it hears it.
    pub(crate) fn open(address: SocketAddr, token: &str, conversation: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        let (mut socket, _) =
            tungstenite::client(format!("ws://{address}/v1/stream"), stream).unwrap();
        socket.get_ref().set_read_timeout(Some(TURN)).unwrap();
        say(&mut socket, &json!({ "type": "hello", "token": token }));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let stops = Arc::new(AtomicBool::new(false));
        let ear = Ear {
            socket,
            conversation: conversation.to_owned(),
            log: Value::Null,
            last: 0,
            heard: Arc::clone(&heard),
        };
        let is_over = Arc::clone(&stops);
        let listening = std::thread::spawn(move || ear.listen(&is_over));
        let listener = Self { heard, stops, listening: Some(listening) };
        listener.until("it hears the conversation", |heard| !heard.events.is_empty());
        listener
    }

    /// Waits until it has heard that this was said.
    pub(crate) fn hears(&self, text: &str) {
        self.until(text, |heard| texts(&heard.events).contains(&text));
    }

    /// Waits until it was told that.
    pub(crate) fn is_told(&self, kind: &str) {
        self.until(kind, |heard| heard.others.iter().any(|it| it == kind));
    }

    /// Waits until it is closed; with which code.
    pub(crate) fn closed(&self) -> u16 {
        self.until("it is closed", |heard| heard.closed.is_some());
        self.heard.lock().unwrap().closed.unwrap()
    }

    /// Everything that it heard, in order.
    pub(crate) fn events(&self) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        assert_eq!(heard.closed, None, "one connection all the time");
        heard.events.clone()
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Heard) -> bool) {
        let began = Instant::now();
        loop {
            let heard = self.heard.lock().unwrap();
            if is_so(&heard) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {heard:?}");
            assert!(!self.is_ended(), "{what}: it ended: {heard:?}");
            drop(heard);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it ended by failing: one that was closed says so.
    fn is_ended(&self) -> bool {
        self.listening.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        if let Some(listening) = self.listening.take()
            && listening.join().is_err()
            && !std::thread::panicking()
        {
            panic!("a listener failed");
        }
    }
}

struct Ear {
    socket: WebSocket<TcpStream>,
    conversation: String,
    log: Value,
    last: u64,
    heard: Arc<Mutex<Heard>>,
}

impl Ear {
    fn listen(mut self, stops: &AtomicBool) {
        while !stops.load(Ordering::Relaxed) {
            match self.socket.read() {
                Ok(Message::Text(text)) => self.hear(&serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(frame)) => {
                    let code = frame.map_or(1005, |frame| frame.code.into());
                    self.heard.lock().unwrap().closed = Some(code);
                    // Until it is looked at.
                    while !stops.load(Ordering::Relaxed) {
                        std::thread::sleep(TURN);
                    }
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn hear(&mut self, frame: &Value) {
        match frame["type"].as_str().unwrap() {
            "ready" => self.subscribe(),
            "subscribed" => self.subscribed(frame),
            "event" => self.event(frame),
            "events" => frame["items"].as_array().unwrap().iter().for_each(|it| self.event(it)),
            "refused" => {
                // Its conversation is on its way to another node.
                assert_eq!(frame["code"], "busy", "{frame}");
                std::thread::sleep(TURN);
                self.subscribe();
            }
            "ping" => say(&mut self.socket, &json!({ "type": "pong" })),
            other => self.heard.lock().unwrap().others.push(other.to_owned()),
        }
    }

    fn subscribe(&mut self) {
        self.heard.lock().unwrap().subscriptions += 1;
        let after = if self.log.is_null() { Value::Null } else { json!(self.last) };
        let subscribe = json!({
            "type": "subscribe",
            "conversation": self.conversation,
            "log": self.log,
            "after": after,
        });
        say(&mut self.socket, &subscribe);
    }

    /// Who comes first hears the newest events; who comes back hears all that it missed.
    fn subscribed(&mut self, frame: &Value) {
        if self.log.is_null() {
            self.last = frame["from"].as_u64().unwrap() - 1;
        } else {
            assert_eq!(frame["mode"], "replay", "{frame}");
        }
        self.log = frame["log"].clone();
    }

    fn event(&mut self, event: &Value) {
        let seq = event["seq"].as_u64().unwrap();
        if seq <= self.last {
            return;
        }
        // P5: nothing is left out.
        assert_eq!(seq, self.last + 1, "{event}");
        self.last = seq;
        self.heard.lock().unwrap().events.push(event.clone());
    }
}

fn say(socket: &mut WebSocket<TcpStream>, frame: &Value) {
    socket.send(Message::text(frame.to_string())).unwrap();
}
