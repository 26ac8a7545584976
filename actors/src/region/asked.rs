//! What other nodes ask of conversations that are owned here, and say of them.

use std::sync::Arc;

use ractor::concurrency::oneshot;
use switchboard_cluster::ownership::{NodeName, Owner};
use switchboard_domain::conversation::{Request, Stream};
use switchboard_domain::person::Caller;
use switchboard_store::{ConversationKey, Range};

use super::handle::Handle;
use super::shard;
use crate::answer::{Done, History, Refusal, View};
use crate::conversation::{self, Hears, Stretch};
use crate::mailbox::Reply;
use crate::published::Published;
use crate::remote::{Answer, Asker, Question, Word};

/// Bytes of the events of one answer, about: half of what an envelope may hold.
const STRETCH_BYTES_MAX: usize = 512 * 1024;
/// What an event takes beside its text, about.
const EVENT_BYTES: usize = 512;

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
                self.carry(asker, &key, request, |done| Answer::Done {
                    events: done.events.iter().map(|it| it.event.clone()).collect(),
                    duplicate: done.duplicate,
                    state: done.state,
                });
            }
            Question::Store { request } => {
                self.carry(asker, &key, request, |done| Answer::Stored { stored: (&done).into() });
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

    /// Has a request carried out, in the order in which they come, and answers it from the
    /// conversation's own task.
    fn carry(
        &self,
        asker: Asker,
        key: &ConversationKey,
        request: Request,
        answer: impl FnOnce(Done) -> Answer + Send + 'static,
    ) {
        self.do_here(key, request, move |result| {
            asker.answer(result.map_or_else(no, answer));
        });
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

/// Tells another node why not.
fn no(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Moved => Answer::Moved { to: None },
        refusal => Answer::Refused { refusal },
    }
}
