//! A session with one peer: what goes to it, what comes from it, and its end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use ractor::concurrency::{OneshotReceiver, oneshot};
use ractor::{ActorRef, MessagingErr};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::gateway::Message;
use super::{SET_UP_WITHIN, Shared};
use crate::ownership::{Boot, NodeName};
use crate::transport::credit::{Credit, Share, cost};
use crate::transport::frame::{Answer, Batch, Frame};
use crate::transport::socket::Cut;
use crate::transport::{NotSent, Peer, Receiver};

/// How often a peer is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(1);
/// How long a peer may answer nothing.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// How soon a peer that is not ready is greeted again.
const GREET_AGAIN: Duration = Duration::from_millis(20);
/// Envelopes of one batch at most.
const BATCH_ENVELOPES: usize = 256;
/// Bytes of one batch, unless one envelope is longer: short enough that a ping behind it is not
/// late.
const BATCH_BYTES: usize = 128 * 1024;
/// Batches that are on the way at once.
const WINDOW: usize = 16;

/// Why a session ends whose peer took something else than what was sent.
const REFUSED: &str = "it did not take a batch";

/// What this node shares with one life of a peer over one connection.
pub(super) struct Session {
    pub(super) node: NodeName,
    pub(super) boot: Boot,
    label: String,
    cut: Cut,
    gateway: ActorRef<Message>,
    /// Tells our side of it from all other links.
    link: u64,
    credit: Credit,
    queue: mpsc::UnboundedSender<Bytes>,
    /// Taken by the task that sends.
    waiting: Mutex<Option<mpsc::UnboundedReceiver<Bytes>>>,
    began: Instant,
    /// When the peer last answered, in milliseconds after `began`.
    heard_ms: AtomicU64,
    is_up: AtomicBool,
    is_ending: AtomicBool,
    /// Held while the receiver is told something of this peer.
    heard: Mutex<Heard>,
}

/// What came from the peer.
#[derive(Debug, Default)]
struct Heard {
    /// Set when the peer is up.
    version: Option<u8>,
    /// The number of the peer's side.
    link: Option<u64>,
    batches: u64,
    has_ended: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(
        node: NodeName,
        boot: Boot,
        label: String,
        cut: Cut,
        gateway: ActorRef<Message>,
    ) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        Self {
            node,
            boot,
            label,
            cut,
            gateway,
            link: Uuid::new_v4().as_u64_pair().0,
            credit: Credit::default(),
            queue,
            waiting: Mutex::new(Some(waiting)),
            began: Instant::now(),
            heard_ms: AtomicU64::new(0),
            is_up: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            heard: Mutex::default(),
        }
    }

    pub(super) fn is_over(&self, label: &str) -> bool {
        self.label == label
    }

    pub(super) fn send(&self, envelope: Bytes, of: Share) -> Result<(), NotSent> {
        if !self.is_up.load(Ordering::Acquire) {
            return Err(NotSent::Down);
        }
        self.credit.take(envelope.len(), of)?;
        self.queue.send(envelope).map_err(|_envelope| NotSent::Down)
    }

    /// The peer greeted us; whether it may.
    pub(super) fn greeted(&self, link: u64, version: u8, receiver: &dyn Receiver) -> bool {
        let mut heard = self.heard.lock();
        if heard.has_ended || *heard.link.get_or_insert(link) != link {
            return false;
        }
        self.raise(&mut heard, version, receiver);
        true
    }

    /// The peer took our greeting.
    fn accepted(&self, version: u8, receiver: &dyn Receiver) {
        self.raise(&mut self.heard.lock(), version, receiver);
    }

    /// The peer is up, if nobody knows that yet.
    fn raise(&self, heard: &mut Heard, version: u8, receiver: &dyn Receiver) {
        if heard.version.is_none() && !heard.has_ended {
            heard.version = Some(version);
            self.is_up.store(true, Ordering::Release);
            tracing::info!(node = %self.node, version, "link is up");
            receiver.up(&Peer { node: self.node.clone(), version });
        }
    }

    /// Passes the envelopes of a batch on; whether it was the next one.
    pub(super) fn take(&self, batch: &Batch, receiver: &dyn Receiver) -> bool {
        let Some(envelopes) = batch.envelopes() else { return false };
        let mut heard = self.heard.lock();
        let is_next = heard.link == Some(batch.link) && batch.number == heard.batches + 1;
        if heard.has_ended || !is_next || heard.version != Some(batch.version) {
            return false;
        }
        heard.batches = batch.number;
        for envelope in envelopes {
            receiver.receive(&self.node, envelope);
        }
        true
    }

    /// Whether it did not end before.
    pub(super) fn begin_ending(&self) -> bool {
        !self.is_ending.swap(true, Ordering::AcqRel)
    }

    /// Ends it: nothing is sent or heard any more. Gives the number of the peer's side.
    pub(super) fn end(&self, receiver: &dyn Receiver) -> Option<u64> {
        self.is_up.store(false, Ordering::Release);
        self.cut.cut();
        let mut heard = self.heard.lock();
        heard.has_ended = true;
        if heard.version.is_some() {
            receiver.down(&self.node);
        }
        heard.link
    }

    /// Puts a frame on its way, in the order of calls; the answer comes later.
    fn say(&self, frame: Vec<u8>) -> Result<OneshotReceiver<Vec<u8>>, MessagingErr<Message>> {
        let (reply, answer) = oneshot();
        // Without a time the framework would wait for ever for an answer that got lost.
        self.gateway.cast(Message::Frame(frame, (reply, SILENT_FOR).into()))?;
        Ok(answer)
    }

    /// Waits for an answer.
    async fn answer(&self, answer: OneshotReceiver<Vec<u8>>) -> Answer {
        match tokio::time::timeout(SILENT_FOR, answer).await {
            Ok(Ok(answer)) => {
                self.heard_ms.fetch_max(ms(self.began.elapsed()), Ordering::Relaxed);
                Answer::read(&answer)
            }
            Ok(Err(_)) | Err(_) => Answer::Refused,
        }
    }

    async fn ask(&self, frame: Vec<u8>) -> Answer {
        match self.say(frame) {
            Ok(answer) => self.answer(answer).await,
            Err(_) => Answer::Refused,
        }
    }

    fn silent_for(&self) -> Duration {
        let heard_at = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(heard_at)
    }

    /// What is on the way to the peer and not acknowledged yet.
    pub(super) fn unanswered(&self) -> usize {
        self.credit.used()
    }

    /// How many batches came.
    #[cfg(test)]
    pub(super) fn batches(&self) -> u64 {
        self.heard.lock().batches
    }

    /// Cuts the connection, as a network would.
    #[cfg(test)]
    pub(super) fn lose_connection(&self) {
        self.cut.cut();
    }
}

/// Starts what a session needs: it ends with its connection.
pub(super) fn run(shared: &Arc<Shared>, session: &Arc<Session>) {
    let (shared, session) = (Arc::clone(shared), Arc::clone(session));
    tokio::spawn(async move {
        let why = tokio::select! {
            () = session.cut.done() => "it was cut",
            why = watch(&session) => why,
            why = send(&shared, &session) => why,
        };
        shared.end(&session, why);
    });
}

/// Asks again and again whether the peer is there.
async fn watch(session: &Arc<Session>) -> &'static str {
    let mut asked = JoinSet::new();
    loop {
        tokio::time::sleep(PING_EVERY).await;
        if session.silent_for() > SILENT_FOR {
            return "it answered nothing for too long";
        }
        let session = Arc::clone(session);
        asked.spawn(async move { session.ask(Frame::ping()).await });
        while asked.try_join_next().is_some() {}
    }
}

/// Greets the peer, then sends what waits for it.
async fn send(shared: &Shared, session: &Arc<Session>) -> &'static str {
    let Some(mut waiting) = session.waiting.lock().take() else { return "it was sent to twice" };
    let greet = tokio::time::timeout(SET_UP_WITHIN, greet(shared, session));
    let Ok(version) = greet.await else { return "it was not ready in time" };
    let Some(version) = version else { return "it refused the greeting" };
    session.accepted(version, &*shared.receiver);
    let window = Arc::new(Semaphore::new(WINDOW));
    let mut answers = JoinSet::new();
    let mut batch = Vec::with_capacity(BATCH_ENVELOPES);
    let mut ready = Vec::with_capacity(BATCH_ENVELOPES);
    let mut number = 0;
    loop {
        if ready.is_empty() && waiting.recv_many(&mut ready, BATCH_ENVELOPES).await == 0 {
            return "nobody sends any more";
        }
        // What does not fill a batch waits until the one before it is answered: a crowd of envelopes
        // shares batches, and one by itself goes at once.
        while !answers.is_empty() && fills_no_batch(&ready) {
            let room = BATCH_ENVELOPES - ready.len();
            tokio::select! {
                answered = answers.join_next() => match answered {
                    Some(Ok(true)) | None => {}
                    Some(Ok(false) | Err(_)) => return REFUSED,
                },
                count = waiting.recv_many(&mut ready, room) => if count == 0 {
                    return "nobody sends any more";
                },
            }
        }
        let Ok(permit) = Arc::clone(&window).acquire_owned().await else {
            return "its window is gone";
        };
        // What came while the window was full goes along.
        while ready.len() < BATCH_ENVELOPES
            && let Ok(envelope) = waiting.try_recv()
        {
            ready.push(envelope);
        }
        let count = fitting(&ready);
        batch.clear();
        batch.extend(ready.drain(..count));
        let costs: usize = batch.iter().map(|envelope| cost(envelope.len())).sum();
        number += 1;
        // Said here, one after the other; only the answers are waited for apart.
        let said = session.say(Batch::write(version, session.link, number, &batch));
        let Ok(answer) = said else { return "its connection is gone" };
        let of = Arc::clone(session);
        answers.spawn(async move {
            let is_taken = matches!(of.answer(answer).await, Answer::Taken(_));
            if is_taken {
                of.credit.give_back(costs);
            }
            drop(permit);
            is_taken
        });
        while let Some(answered) = answers.try_join_next() {
            if !matches!(answered, Ok(true)) {
                return REFUSED;
            }
        }
    }
}

/// Greets until the peer is ready; `None` when it refuses or knows no version that we know.
async fn greet(shared: &Shared, session: &Session) -> Option<u8> {
    loop {
        let greeting = Frame::greeting(&shared.node, shared.boot, session.link, shared.versions)?;
        match session.ask(greeting).await {
            Answer::Taken(theirs) => return shared.versions.agree(theirs),
            Answer::NotYet => tokio::time::sleep(GREET_AGAIN).await,
            Answer::Refused => return None,
        }
    }
}

/// Whether there is room for more.
fn fills_no_batch(envelopes: &[Bytes]) -> bool {
    let bytes: usize = envelopes.iter().map(Bytes::len).sum();
    envelopes.len() < BATCH_ENVELOPES && bytes < BATCH_BYTES
}

/// How many of the envelopes make a batch: at least one.
fn fitting(envelopes: &[Bytes]) -> usize {
    let mut bytes = 0;
    let fits = envelopes.iter().take_while(|envelope| {
        bytes += envelope.len();
        bytes <= BATCH_BYTES
    });
    fits.count().max(1)
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
