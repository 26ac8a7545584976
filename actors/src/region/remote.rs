//! Conversations that live on other nodes: asked, and heard of, over envelopes.
//!
//! What is asked is answered by the owner, or by one who is not with `Moved`. When the link to the
//! owner ends, all that was asked there ends as lost: nobody knows what became of it. Whoever asked
//! asks again, with the same key.

mod form;
mod message;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_cluster::ownership::NodeName;
use switchboard_cluster::transport::{NotSent, Peer, Receiver, Transport};
use switchboard_domain::conversation::Stream;
use switchboard_domain::person::Caller;
use switchboard_store::ConversationKey;
use tokio::sync::oneshot;

pub(crate) use self::message::{News, Word};

pub(super) use self::message::{Answer, Question};

use self::message::Message;
use super::handle::{Handle, Regions};
use crate::answer::{Refusal, Subscribed};
use crate::delivery::{Delivery, Outlet};
use crate::fanout::Subscription;

/// The other nodes, as the conversations of this one see them: it hears what they send, and sends
/// through the transport it is given.
pub struct Remote {
    transport: OnceLock<Arc<dyn Transport>>,
    regions: OnceLock<Weak<Regions>>,
    next_id: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
    /// Nodes that must still hear that they are told of a conversation no more.
    lost: Mutex<Vec<(NodeName, ConversationKey)>>,
}

/// Somebody waits for an answer of another node.
struct Waiting {
    node: NodeName,
    key: ConversationKey,
    answer: oneshot::Sender<Answer>,
    /// The subscription to enter when the answer says so.
    enters: Option<Enters>,
}

/// Who subscribes on this node to a conversation of another.
pub(super) struct Enters {
    pub(super) caller: Caller,
    pub(super) stream: Stream,
    pub(super) ref_id: u64,
    pub(super) outlet: Outlet,
}

/// Who asked, on another node.
#[derive(Clone)]
pub(crate) struct Asker {
    remote: Arc<Remote>,
    node: NodeName,
    id: u64,
}

/// What became of a question.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was answered.
    Answered(Answer),
    /// It was not sent.
    NotSent(NotSent),
    /// The link ended, or time ran out, before the answer came.
    Lost,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting.lock().len();
        f.debug_struct("Remote").field("waiting", &waiting).finish_non_exhaustive()
    }
}

impl Remote {
    /// Nobody is there yet. Give it to the transport as what hears, then
    /// [connect](Self::connect) it.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            transport: OnceLock::new(),
            regions: OnceLock::new(),
            next_id: AtomicU64::new(1),
            waiting: Mutex::default(),
            lost: Mutex::default(),
        })
    }

    /// Sends through that transport from now on. Once.
    pub fn connect(&self, transport: Arc<dyn Transport>) {
        drop(self.transport.set(transport));
    }

    pub(super) fn serve(&self, regions: &Arc<Regions>) {
        drop(self.regions.set(Arc::downgrade(regions)));
    }

    fn handle(&self) -> Option<Handle> {
        self.regions.get()?.upgrade().map(Handle::of)
    }

    /// The envelope of something that an owner tells.
    pub(crate) fn envelope(&self, key: &ConversationKey, news: News) -> Bytes {
        Message::Tell { key: key.clone(), news }.write()
    }

    pub(crate) fn send(&self, node: &NodeName, envelope: &Bytes) -> Result<(), NotSent> {
        self.transport.get().ok_or(NotSent::Down)?.send(node, envelope.clone())
    }

    /// Says something to an owner that nobody waits for.
    pub(crate) fn say(&self, node: &NodeName, key: &ConversationKey, word: Word) {
        // Lossy: the next one says more.
        self.send(node, &Message::Say { key: key.clone(), word }.write()).ok();
    }

    /// Tells a node that it is told of a conversation no more; again later, if it cannot be told.
    pub(crate) fn tell_lost(&self, node: &NodeName, key: &ConversationKey) {
        if self.send(node, &self.envelope(key, News::Lost)) == Err(NotSent::Full) {
            self.lost.lock().push((node.clone(), key.clone()));
        }
    }

    /// Tells what could not be told before.
    pub(super) fn settle(&self) {
        let lost = std::mem::take(&mut *self.lost.lock());
        for (node, key) in lost {
            self.tell_lost(&node, &key);
        }
    }

    /// Nobody on this node listens any more, unless somebody is about to.
    pub(crate) fn unlisten(&self, owner: &NodeName, key: &ConversationKey, stream: Stream) {
        let is_awaited = self.waiting.lock().values().any(|it| {
            it.key == *key && it.enters.as_ref().is_some_and(|enters| enters.stream == stream)
        });
        if !is_awaited {
            self.say(owner, key, Word::Unlisten { stream });
        }
    }

    /// Asks an owner and waits for the answer.
    pub(super) async fn ask(
        &self,
        node: &NodeName,
        key: &ConversationKey,
        question: Question,
        enters: Option<Enters>,
        within: Duration,
    ) -> Outcome {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { node: node.clone(), key: key.clone(), answer, enters };
        self.waiting.lock().insert(id, waiting);
        let _forget = Forget { remote: self, id };
        let envelope = Message::Ask { id, key: key.clone(), question }.write();
        if let Err(why) = self.send(node, &envelope) {
            return Outcome::NotSent(why);
        }
        match tokio::time::timeout(within, answered).await {
            Ok(Ok(answer)) => Outcome::Answered(answer),
            Ok(Err(_)) | Err(_) => Outcome::Lost,
        }
    }

    fn answered(&self, from: &NodeName, id: u64, answer: Answer) {
        let Some(waiting) = self.waiting.lock().remove(&id) else { return };
        if let (Some(enters), Answer::Listening { log, head, state, receipt }) =
            (waiting.enters, &answer)
            && let Some(handle) = self.handle()
        {
            // Here and now: what the owner tells next is for this subscription too.
            let Enters { caller, stream, ref_id, outlet } = enters;
            let subscribed = Box::new(Subscribed {
                stream,
                log: *log,
                head: *head,
                state: Arc::clone(state),
                receipt: *receipt,
            });
            let conversation = waiting.key.conversation;
            let marker = Delivery::Subscribed { conversation, ref_id, subscribed };
            let (principal, role) = (caller.author.principal, caller.role);
            let subscription = Subscription { outlet, principal, role, stream };
            let fanout = handle.fanout(&waiting.key);
            fanout.subscribe_there(&waiting.key, state.heads, subscription, marker, from);
        }
        // Nobody waits any more when it cannot be sent.
        drop(waiting.answer.send(answer));
    }
}

/// Forgets who waited, also when the waiting was given up.
struct Forget<'a> {
    remote: &'a Remote,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.remote.waiting.lock().remove(&self.id);
    }
}

/// What hears; a handle of its own, because answers are sent from tasks.
#[derive(Debug)]
struct Hearing(Arc<Remote>);

impl Remote {
    /// The side of it that the transport tells.
    #[must_use]
    pub fn receiver(self: &Arc<Self>) -> Arc<dyn Receiver> {
        Arc::new(Hearing(Arc::clone(self)))
    }
}

impl Receiver for Hearing {
    fn up(&self, _peer: &Peer) {}

    fn receive(&self, from: &NodeName, envelope: Bytes) {
        let remote = &self.0;
        match Message::read(&envelope) {
            Some(Message::Ask { id, key, question }) => {
                let asker = Asker { remote: Arc::clone(remote), node: from.clone(), id };
                match remote.handle() {
                    Some(handle) => handle.asked(asker, key, question),
                    None => asker.answer(Answer::Moved { to: None }),
                }
            }
            Some(Message::Answer { id, answer }) => remote.answered(from, id, answer),
            Some(Message::Tell { key, news }) => {
                let Some(handle) = remote.handle() else { return };
                for stream in handle.fanout(&key).told(&key, from, news) {
                    remote.unlisten(from, &key, stream);
                }
            }
            Some(Message::Say { key, word }) => {
                if let Some(handle) = remote.handle() {
                    handle.said(from, &key, word);
                }
            }
            None => tracing::error!(node = %from, "an envelope that says nothing"),
        }
    }

    fn down(&self, node: &NodeName) {
        // Their senders go, and who waits learns of it.
        self.0.waiting.lock().retain(|_, waiting| waiting.node != *node);
        self.0.lost.lock().retain(|(it, _)| it != node);
        if let Some(handle) = self.0.handle() {
            handle.gone(node);
        }
    }
}

impl Asker {
    pub(crate) const fn node(&self) -> &NodeName {
        &self.node
    }

    pub(super) fn answer(&self, answer: Answer) {
        let mut sent = self.remote.send(&self.node, &self.message(answer));
        if sent == Err(NotSent::TooLong) {
            let fault = switchboard_store::Fault::Failed { what: "the answer is too long".into() };
            let refusal = Refusal::Store(fault);
            sent = self.remote.send(&self.node, &self.message(Answer::Refused { refusal }));
        }
        if let Err(error) = sent {
            // Who asked waits in vain, and asks again.
            tracing::debug!(node = %self.node, %error, "an answer was not sent");
        }
    }

    /// Says where the streams stand to one who listens from now on.
    pub(crate) fn listens(&self, subscribed: Subscribed) {
        let Subscribed { log, head, state, receipt, .. } = subscribed;
        self.answer(Answer::Listening { log, head, state, receipt });
    }

    fn message(&self, answer: Answer) -> Bytes {
        Message::Answer { id: self.id, answer }.write()
    }
}
