//! The way to conversations that other nodes own, and from other nodes to those owned here.

use std::sync::Arc;
use std::time::Duration;

use ractor::concurrency::oneshot;
use switchboard_cluster::ownership::{NodeName, Owner};
use switchboard_cluster::transport::NotSent;
use switchboard_domain::conversation::{Rejection, Request, Stream};
use switchboard_domain::ids::Seq;
use switchboard_domain::person::Caller;
use switchboard_store::{ConversationKey, Range};
use tokio::time::Instant;

use super::handle::{Handle, Others, Regions};
use super::{Message, shard};
use crate::answer::{Done, History, Refusal, View};
use crate::conversation::{self, Hears, Stretch};
use crate::delivery::Outlet;
use crate::mailbox::{BUSY, Reply};
use crate::published::Published;
use crate::remote::{Answer, Asker, Enters, Outcome, Question, Word};

/// How long to wait before an owner is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Bytes of the events of one answer, about: half of what an envelope may hold.
const STRETCH_BYTES_MAX: usize = 512 * 1024;
/// What an event takes beside its text, about.
const EVENT_BYTES: usize = 512;
/// How often what changed hands is looked for, where nobody asked for it.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// What the owner said, perhaps after an attempt of unknown outcome.
enum Found<T> {
    /// Another node is the owner.
    There { answer: Answer, is_in_doubt: bool },
    /// This one is.
    Here { result: Result<T, Refusal>, is_in_doubt: bool },
}

/// What may be done after an attempt of which nobody knows what became.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unsure {
    /// It only reads, and leaves nothing behind: it is asked again.
    Reads,
    /// It may have been carried out, and may be sent again.
    SendsAgain,
    /// It may have been carried out, and must not be a second time.
    GivesUp,
}

/// Tells other nodes what could not be told before, and lets go what is owned by others, as long
/// as the regions are there.
pub(super) fn keep_settled(regions: &Arc<Regions>) {
    let regions = Arc::downgrade(regions);
    ractor::concurrency::spawn(async move {
        loop {
            tokio::time::sleep(SETTLE_EVERY).await;
            let Some(regions) = regions.upgrade() else { return };
            let Some(others) = &regions.others else { return };
            others.remote.settle();
            for place in regions.places() {
                // A region that is away begins with nothing.
                drop(place.address.cast(Message::Settle));
            }
        }
    });
}

impl Others {
    /// Raises a receipt where the conversation is. Lossy: the next receipt says more.
    pub(super) fn say_receipt(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        received: Option<Seq>,
        read: Option<Seq>,
    ) {
        if let Owner::There(node) = self.ownership.owner(shard(key)) {
            let caller = caller.clone();
            self.remote.say(&node, key, Word::Receipt { caller, received, read });
        }
    }
}

/// From this node to the owner, whichever node that is.
impl Handle {
    /// The other nodes, when the conversation is not owned here.
    pub(super) fn elsewhere(&self, key: &ConversationKey) -> Option<&Others> {
        let others = self.regions().others.as_ref()?;
        match others.ownership.owner(shard(key)) {
            Owner::Here(_) => None,
            Owner::There(_) | Owner::Nobody => Some(others),
        }
    }

    pub(super) async fn ask_owner(
        &self,
        others: &Others,
        key: &ConversationKey,
        request: Request,
    ) -> Result<Done, Refusal> {
        // P3: with its key a request may be sent again, to any node.
        let unsure = if request.key.is_some() { Unsure::SendsAgain } else { Unsure::GivesUp };
        let question = || Question::Carry { request: request.clone() };
        let here = || self.ask_here(key, request.clone());
        match self.find(others, key, question, unsure, || None, here).await? {
            Found::There { answer: Answer::Done { events, duplicate, state }, .. } => {
                let events = events.into_iter();
                let events = events.map(|it| Arc::new(Published::new(key.conversation, it)));
                Ok(Done { events: events.collect(), duplicate, state })
            }
            Found::There { answer, is_in_doubt } => Err(refusal_of(answer, is_in_doubt)),
            Found::Here { result, is_in_doubt } => {
                result.map_err(|refusal| refusal_of(Answer::Refused { refusal }, is_in_doubt))
            }
        }
    }

    pub(super) async fn look_at_owner(
        &self,
        others: &Others,
        key: &ConversationKey,
        caller: &Caller,
    ) -> Result<View, Refusal> {
        let question = || Question::Look { caller: caller.clone() };
        let here = || self.look_here(key, caller);
        match self.find(others, key, question, Unsure::Reads, || None, here).await? {
            Found::There { answer: Answer::Seen { state, own, side, other }, .. } => {
                Ok(View { state, own, side, other })
            }
            Found::There { answer, .. } => Err(refusal_of(answer, false)),
            Found::Here { result, .. } => result,
        }
    }

    pub(super) async fn read_at_owner(
        &self,
        others: &Others,
        key: &ConversationKey,
        caller: &Caller,
        stream: Stream,
        range: Range,
        limit: usize,
    ) -> Result<History, Refusal> {
        let question = || Question::Read { caller: caller.clone(), stream, range, limit };
        let here = || self.read_here(key, caller, stream, range, limit);
        match self.find(others, key, question, Unsure::Reads, || None, here).await? {
            Found::There { answer: Answer::Stretch { events, head, more }, .. } => {
                let events = events.into_iter();
                let events = events.map(|it| Arc::new(Published::new(key.conversation, it)));
                Ok(History { events: events.collect(), head, more })
            }
            Found::There { answer, .. } => Err(refusal_of(answer, false)),
            Found::Here { result, .. } => result,
        }
    }

    pub(super) async fn subscribe_at_owner(
        &self,
        others: &Others,
        key: &ConversationKey,
        caller: &Caller,
        stream: Stream,
        ref_id: u64,
        outlet: &Outlet,
    ) -> Result<(), Refusal> {
        let question = || Question::Listen { caller: caller.clone(), stream };
        let enters =
            || Some(Enters { caller: caller.clone(), stream, ref_id, outlet: outlet.clone() });
        let here = || self.subscribe_here(key, caller, stream, ref_id, outlet);
        match self.find(others, key, question, Unsure::Reads, enters, here).await? {
            Found::There { answer: Answer::Listening { .. }, .. } => Ok(()),
            Found::There { answer, .. } => Err(refusal_of(answer, false)),
            Found::Here { result, .. } => result,
        }
    }

    /// Asks the owner, whoever that is, until it answers or time is over; `here` asks this node.
    /// `unsure` says what may be asked again.
    async fn find<T, H: Future<Output = Result<T, Refusal>>>(
        &self,
        others: &Others,
        key: &ConversationKey,
        question: impl Fn() -> Question,
        unsure: Unsure,
        enters: impl Fn() -> Option<Enters>,
        here: impl Fn() -> H,
    ) -> Result<Found<T>, Refusal> {
        let until = Instant::now() + self.regions().config.answer_within;
        let mut is_in_doubt = false;
        loop {
            let node = match others.ownership.owner(shard(key)) {
                Owner::Here(_) => match here().await {
                    // It left while the question waited.
                    Err(Refusal::Moved) => None,
                    // Whoever would have said failed: what is only read is read again.
                    Err(Refusal::Unknown) if unsure == Unsure::Reads => None,
                    result => return Ok(Found::Here { result, is_in_doubt }),
                },
                Owner::There(node) => Some(node),
                Owner::Nobody => None,
            };
            if let Some(node) = node {
                let within = until.saturating_duration_since(Instant::now());
                let asked = others.remote.ask(&node, key, question(), enters(), within);
                match asked.await {
                    Outcome::Answered(Answer::Moved { to }) => {
                        if let Some(to) = to {
                            others.ownership.moved(shard(key), NodeName(to));
                        }
                    }
                    // An earlier number is on its way again too.
                    Outcome::Answered(Answer::Refused {
                        refusal: Refusal::Rejected(Rejection::Gap { .. }),
                    }) if is_in_doubt => {}
                    // A conversation whose node drains is on its way to another.
                    Outcome::Answered(Answer::Refused { refusal: Refusal::Draining })
                    | Outcome::NotSent(NotSent::Down) => {}
                    Outcome::Answered(Answer::Refused { refusal: Refusal::Unknown })
                        if unsure == Unsure::Reads => {}
                    Outcome::Answered(answer) => {
                        return Ok(Found::There { answer, is_in_doubt });
                    }
                    // Too much waits for that node already: more would only wait too.
                    Outcome::NotSent(NotSent::Full | NotSent::TooLong) => {
                        return Err(if is_in_doubt { Refusal::Unknown } else { BUSY });
                    }
                    Outcome::Lost => match unsure {
                        Unsure::Reads => {}
                        Unsure::SendsAgain => is_in_doubt = true,
                        Unsure::GivesUp => return Err(Refusal::Unknown),
                    },
                }
            }
            if Instant::now() + LOOK_AGAIN >= until {
                return Err(if is_in_doubt { Refusal::Unknown } else { BUSY });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// As much of a stretch as fits an envelope, from the end that the reader goes on from.
fn stretch(history: History, range: Range) -> Answer {
    let History { events, head, mut more } = history;
    let mut left = STRETCH_BYTES_MAX;
    let mut fits = |published: &Arc<Published>| {
        let bytes = published.text_bytes() + EVENT_BYTES;
        let is_first = left == STRETCH_BYTES_MAX;
        left = left.saturating_sub(bytes);
        is_first || left > 0
    };
    let n_events = events.len();
    let events: Vec<_> = match range {
        Range::After(_) => events.iter().take_while(|it| fits(it)).cloned().collect(),
        Range::Before(_) => {
            let mut last: Vec<_> = events.iter().rev().take_while(|it| fits(it)).cloned().collect();
            last.reverse();
            last
        }
    };
    more |= events.len() < n_events;
    Answer::Stretch { events: events.iter().map(|it| it.event.clone()).collect(), head, more }
}

/// Why there was no answer of the kind that was asked for.
fn refusal_of(answer: Answer, is_in_doubt: bool) -> Refusal {
    match answer {
        // By rule: had an earlier attempt been stored, it would have been found.
        Answer::Refused { refusal: refusal @ Refusal::Rejected(_) } => refusal,
        Answer::Refused { refusal } if !is_in_doubt => refusal,
        // P4: an earlier attempt may have been stored.
        _ => Refusal::Unknown,
    }
}

/// Tells another node why not.
fn no(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Moved => Answer::Moved { to: None },
        refusal => Answer::Refused { refusal },
    }
}

/// Why nothing could be read. That leaves nothing behind to be in doubt of: it is asked again.
pub(super) fn of_reading(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Unknown => BUSY,
        refusal => refusal,
    }
}

/// From other nodes to this one.
impl Handle {
    /// Another node asks.
    pub(crate) fn asked(&self, asker: Asker, key: ConversationKey, question: Question) {
        let Some(others) = &self.regions().others else { return };
        let to = match others.ownership.owner(shard(&key)) {
            Owner::Here(_) => None,
            Owner::There(node) => Some(Some(node.0)),
            Owner::Nobody => Some(None),
        };
        if let Some(to) = to {
            others.ownership.asked_in_vain();
            return asker.answer(Answer::Moved { to });
        }
        match question {
            Question::Carry { request } => {
                let request = Box::new(request);
                let ask = |reply| {
                    let answering = conversation::Answering::Reply(reply);
                    conversation::Message::Ask { request, answering }
                };
                self.pass(asker, key, ask, |done: Done| Answer::Done {
                    events: done.events.iter().map(|it| it.event.clone()).collect(),
                    duplicate: done.duplicate,
                    state: done.state,
                });
            }
            Question::Look { caller } => {
                let caller = Box::new(caller);
                let look = |reply| conversation::Message::Look { caller, reply };
                self.pass(asker, key, look, |view: View| Answer::Seen {
                    state: view.state,
                    own: view.own,
                    side: view.side,
                    other: view.other,
                });
            }
            Question::Read { caller, stream, range, limit } => {
                self.read_for(asker, key, caller, stream, (range, limit));
            }
            Question::Listen { caller, stream } => self.listen(asker, key, caller, stream),
        }
    }

    /// Passes a question on, in the order in which questions come, and answers it when it is
    /// answered.
    fn pass<T: Send + 'static>(
        &self,
        asker: Asker,
        key: ConversationKey,
        message: impl FnOnce(Reply<T>) -> conversation::Message,
        answer: impl FnOnce(T) -> Answer + Send + 'static,
    ) {
        let (reply, answered) = oneshot();
        let way = match self.send(&key, message(reply.into())) {
            Ok(way) => way,
            Err(refusal) => return asker.answer(no(refusal)),
        };
        let handle = self.clone();
        ractor::concurrency::spawn(async move {
            asker.answer(match handle.answer_of(&key, way, answered).await {
                Ok(done) => answer(done),
                Err(refusal) => no(refusal),
            });
        });
    }

    /// As [`pass`](Self::pass); what is not in memory is read here, for which rows count is known
    /// to the owner alone.
    fn read_for(
        &self,
        asker: Asker,
        key: ConversationKey,
        caller: Caller,
        stream: Stream,
        (range, limit): (Range, usize),
    ) {
        let (reply, answered) = oneshot();
        let caller = Box::new(caller);
        let read =
            conversation::Message::Read { caller, stream, range, limit, reply: reply.into() };
        let way = match self.send(&key, read) {
            Ok(way) => way,
            Err(refusal) => return asker.answer(no(refusal)),
        };
        let handle = self.clone();
        ractor::concurrency::spawn(async move {
            let read = match handle.answer_of(&key, way, answered).await {
                Ok(Stretch::Here(history)) => Ok(history),
                Ok(Stretch::Stored(head)) => handle.stored(&key, stream, range, limit, head).await,
                Err(refusal) => Err(refusal),
            };
            asker.answer(match read {
                Ok(history) => stretch(history, range),
                Err(refusal) => no(refusal),
            });
        });
    }

    /// As [`pass`](Self::pass); but that it listens, the conversation says itself.
    fn listen(&self, asker: Asker, key: ConversationKey, caller: Caller, stream: Stream) {
        let (reply, answered) = oneshot();
        let (caller, hears) = (Box::new(caller), Hears::There(asker.clone()));
        let subscribe =
            conversation::Message::Subscribe { caller, stream, hears, reply: reply.into() };
        let way = match self.send(&key, subscribe) {
            Ok(way) => way,
            Err(refusal) => return asker.answer(no(refusal)),
        };
        let handle = self.clone();
        ractor::concurrency::spawn(async move {
            if let Err(refusal) = handle.answer_of(&key, way, answered).await {
                asker.answer(no(refusal));
            }
        });
    }

    /// A client of another node says something.
    pub(crate) fn said(&self, by: &NodeName, key: &ConversationKey, word: Word) {
        match word {
            Word::Receipt { caller, received, read } => {
                let caller = Box::new(caller);
                // Lossy: the next receipt says more.
                drop(self.send(key, conversation::Message::Receipt { caller, received, read }));
            }
            word => self.fanout(key).said(key, by, word),
        }
    }

    /// A node is gone.
    pub(crate) fn gone(&self, node: &NodeName) {
        for place in self.regions().places() {
            place.fanout.gone(node);
        }
    }
}

#[cfg(test)]
mod tests;
