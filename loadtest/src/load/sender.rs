//! One sender: one principal on one device in one conversation, in closed loop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Role, Terms, World, device, pause};
use crate::client::frame::Frame;
use crate::client::{Connection, Error};
use crate::history::{Key, Op, Stream};
use crate::rng::Rng;

struct Sender {
    world: Arc<World>,
    room: usize,
    /// Which one of its conversation, from 0.
    place: u32,
    role: Role,
    number: u32,
    device: String,
    connection: Option<Connection>,
    /// Servers that it has left.
    left: u32,
}

enum Outcome {
    Acked,
    /// Refused; try the same key again after a pause.
    Again(Duration),
    /// Refused in a way that the same outbox cannot go on after.
    Stuck,
    Unknown,
}

/// Sends until told to stop, and then until the outcome of the last send is known.
pub(super) async fn run(
    world: Arc<World>,
    room: usize,
    (place, role): (u32, Role),
    stopped: watch::Receiver<bool>,
) {
    let number = world.next_sender.fetch_add(1, Ordering::SeqCst);
    let mut sender =
        Sender { world, room, place, role, number, device: device(), connection: None, left: 0 };
    let mut n = 0;
    while sender.is_admitted(&stopped).await {
        n += 1;
        if !sender.settle(n).await {
            // A new outbox, so that one fault does not silence the sender for the whole run.
            sender.number = sender.world.next_sender.fetch_add(1, Ordering::SeqCst);
            sender.device = device();
            sender.connection = None;
            n = 0;
        }
        sender.rest(&stopped).await;
    }
    if let Some(connection) = sender.connection {
        connection.close().await;
    }
}

impl Sender {
    /// Waits until it may send; false when it is told to stop.
    async fn is_admitted(&self, stopped: &watch::Receiver<bool>) -> bool {
        let (mut admitted, mut stopped) = (self.world.admitted.subscribe(), stopped.clone());
        // The world and the load are there as long as a sender is.
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => false,
            _ = admitted.wait_for(|admitted| *admitted > self.place) => true,
        }
    }

    /// Between a half and one and a half of the time, so that senders do not march in step.
    async fn rest(&self, stopped: &watch::Receiver<bool>) {
        let rest = self.world.terms.rest;
        if rest.is_zero() || *stopped.borrow() {
            return;
        }
        let mut rng = Rng::new(Rng::fresh_seed());
        let mut stopped = stopped.clone();
        let rested = rng.between(rest / 2, rest + rest / 2);
        // Told to stop or not, the rest is over.
        drop(timeout(rested, stopped.changed()).await);
    }

    /// Sends one text under one key until it is acked; false when the outbox is stuck.
    async fn settle(&mut self, n: u64) -> bool {
        let world = self.world.clone();
        let Some(room) = world.rooms.get(self.room) else { return false };
        let key = Key { conversation: room.number, sender: self.number, n };
        let internal = matches!(self.role, Role::Agent(_)) && n.is_multiple_of(3);
        let (stream, kind, text): (_, _, Arc<str>) = if internal {
            let kind = if n.is_multiple_of(6) { "whisper" } else { "note" };
            let text = format!("{} {} {} {n}", self.world.marker, key.conversation, key.sender);
            (Stream::Internal, kind, text.into())
        } else {
            let text = format!("hello {} {} {n}", key.conversation, key.sender);
            (Stream::Public, "message", text.into())
        };
        let frame = json!({
            "type": "send", "conversation": room.id, "n": n, "kind": kind, "body": {"text": &*text},
        });
        let mut n_refused = 0;
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => {
                    let at = world.address(self.number, self.left);
                    match world.connect(at, room, self.role, &self.device).await {
                        Ok(connection) => connection,
                        Err(_) => {
                            self.left += 1;
                            pause().await;
                            continue;
                        }
                    }
                }
            };
            let at_us = self.world.recorder.now_us();
            let attempt = Op::Attempt { at_us, key, stream, text: text.clone() };
            self.world.recorder.push(attempt);
            self.world.sending();
            match self.attempt(&mut connection, (key, at_us), &frame).await {
                Outcome::Acked => {
                    self.connection = Some(connection);
                    return true;
                }
                Outcome::Again(after) if n_refused < world.terms.refusals => {
                    n_refused += 1;
                    self.connection = Some(connection);
                    tokio::time::sleep(after).await;
                }
                Outcome::Again(_) | Outcome::Stuck => {
                    self.world.complain(format!("{key:?} is refused for ever"));
                    return false;
                }
                Outcome::Unknown => {
                    self.world.recorder.push(Op::Unknown { key });
                    self.left += 1;
                    pause().await;
                }
            }
        }
    }

    async fn attempt(
        &self,
        connection: &mut Connection,
        (key, sent_us): (Key, u64),
        frame: &serde_json::Value,
    ) -> Outcome {
        let exchange = async {
            connection.send(frame).await?;
            loop {
                match connection.next().await? {
                    Frame::Ack { n, seq, id } => {
                        let at_us = self.world.recorder.now_us();
                        let acked = Key { n, ..key };
                        self.world.recorder.push(Op::Acked {
                            at_us,
                            key: acked,
                            seq,
                            id: id.into(),
                        });
                        if n == key.n {
                            self.world.has_acked(key.conversation, sent_us);
                            return Ok::<_, Error>(Outcome::Acked);
                        }
                    }
                    Frame::Nack { n, code, expect, retry_after_ms } if n == key.n => {
                        let refused = Op::Refused { key, code: code.as_str().into() };
                        self.world.recorder.push(refused);
                        if matches!(&*code, "gap" | "conflict") {
                            self.world
                                .complain(format!("{key:?}: nack {code}, expected {expect:?}"));
                            return Ok(Outcome::Stuck);
                        }
                        return Ok(Outcome::Again(Duration::from_millis(
                            retry_after_ms.unwrap_or(20),
                        )));
                    }
                    Frame::Error { code } => {
                        self.world.complain(format!("{key:?}: error {code}"));
                        return Ok(Outcome::Again(Duration::from_millis(50)));
                    }
                    _ => {}
                }
            }
        };
        match timeout(self.world.terms.answer_within, exchange).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                if let Some(leak) = connection.leaked() {
                    let conversation = key.conversation;
                    self.world.recorder.push(Op::Leaked { conversation, bytes: leak });
                }
                if matches!(error, Error::Protocol(_)) {
                    self.world.complain(format!("{key:?}: {error}"));
                }
                Outcome::Unknown
            }
            Err(_) => {
                let Terms { answer_within, must_answer, .. } = self.world.terms;
                if must_answer {
                    self.world.complain(format!("{key:?}: no answer in {answer_within:?}"));
                }
                Outcome::Unknown
            }
        }
    }
}
