//! The way to conversations that other nodes own.

use std::sync::Arc;
use std::time::Duration;

use switchboard_cluster::ownership::{NodeName, Owner};
use switchboard_cluster::shard::Shard;
use switchboard_cluster::transport::NotSent;
use switchboard_domain::conversation::{Rejection, Request, Stream};
use switchboard_domain::ids::Seq;
use switchboard_domain::person::Caller;
use switchboard_store::{ConversationKey, Range};
use tokio::time::Instant;

use super::handle::{Handle, Others, Regions};
use super::{Message, shard};
use crate::answer::{Done, History, Refusal, Stored, View};
use crate::delivery::Outlet;
use crate::mailbox::BUSY;
use crate::published::Published;
use crate::remote::{Answer, Enters, Outcome, Question, Word};

/// How long to wait before an owner is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
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

impl Unsure {
    /// P3: with its key a request may be sent again, to any node.
    const fn of(request: &Request) -> Self {
        if request.key.is_some() { Self::SendsAgain } else { Self::GivesUp }
    }
}

/// How often an owner was asked in vain, and for how long it is asked again.
#[derive(Clone, Copy)]
struct Attempts {
    unsure: Unsure,
    until: Instant,
    is_in_doubt: bool,
}

/// What follows from an attempt.
enum Next {
    /// It was answered.
    Found(Answer),
    /// The owner is looked for again, a moment later.
    LookAgain,
    /// Nobody is asked any more.
    Ends(Refusal),
}

impl Attempts {
    fn new(unsure: Unsure, within: Duration) -> Self {
        Self { unsure, until: Instant::now() + within, is_in_doubt: false }
    }

    /// What follows from what became of one.
    fn weigh(&mut self, others: &Others, shard: Shard, outcome: Outcome<Answer>) -> Next {
        match outcome {
            Outcome::Answered(Answer::Moved { to }) => {
                if let Some(to) = to {
                    others.ownership.moved(shard, NodeName(to));
                }
                Next::LookAgain
            }
            // An earlier number is on its way again too.
            Outcome::Answered(Answer::Refused {
                refusal: Refusal::Rejected(Rejection::Gap { .. }),
            }) if self.is_in_doubt => Next::LookAgain,
            // A conversation whose node drains is on its way to another.
            Outcome::Answered(Answer::Refused { refusal: Refusal::Draining })
            | Outcome::NotSent(NotSent::Down) => Next::LookAgain,
            Outcome::Answered(Answer::Refused { refusal: Refusal::Unknown })
                if self.unsure == Unsure::Reads =>
            {
                Next::LookAgain
            }
            Outcome::Answered(answer) => Next::Found(answer),
            // Too much waits for that node already: more would only wait too.
            Outcome::NotSent(NotSent::Full | NotSent::TooLong) => Next::Ends(self.in_vain()),
            Outcome::Lost => match self.unsure {
                Unsure::Reads => Next::LookAgain,
                Unsure::SendsAgain => {
                    self.is_in_doubt = true;
                    Next::LookAgain
                }
                Unsure::GivesUp => Next::Ends(Refusal::Unknown),
            },
        }
    }

    /// Why nobody answered.
    const fn in_vain(&self) -> Refusal {
        if self.is_in_doubt { Refusal::Unknown } else { BUSY }
    }

    /// Waits a moment, if there is time for another attempt.
    async fn rest(&self) -> Result<(), Refusal> {
        if Instant::now() + LOOK_AGAIN >= self.until {
            return Err(self.in_vain());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        Ok(())
    }
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
    /// The request as that node understands it.
    fn storing(&self, node: &NodeName, request: &Request) -> Question {
        let request = request.clone();
        if self.remote.answers_stored(node) {
            Question::Store { request }
        } else {
            Question::Carry { request }
        }
    }

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
        let attempts = self.attempts(Unsure::of(&request));
        let question = |_: &_| Question::Carry { request: request.clone() };
        let here = || self.ask_here(key, request.clone());
        match self.find(others, key, attempts, question, || None, here).await? {
            Found::There { answer: Answer::Done { events, duplicate, state }, .. } => {
                let events = events.into_iter();
                let events = events.map(|it| Arc::new(Published::new(key.conversation, it)));
                Ok(Done { events: events.collect(), duplicate, state })
            }
            Found::There { answer, is_in_doubt } => Err(refusal_of(answer, is_in_doubt)),
            Found::Here { result, is_in_doubt } => done_of(result, is_in_doubt),
        }
    }

    /// As [`ask_then`](Self::ask_then), on a node among others. Whoever has to look for the owner
    /// again does so in a task of their own.
    pub(super) fn do_among(
        &self,
        others: &Others,
        key: &ConversationKey,
        request: Request,
        then: impl FnOnce(Result<Stored, Refusal>) + Send + 'static,
    ) {
        let mut attempts = self.attempts(Unsure::of(&request));
        let of = key.clone();
        match others.ownership.owner(shard(key)) {
            Owner::Here(_) => {
                let handle = self.clone();
                self.do_here(key, request.clone(), move |result| match result {
                    // It left while the request waited.
                    Err(Refusal::Moved) => handle.look_again(of, attempts, request, then),
                    result => then(result.map(|done| (&done).into())),
                });
            }
            Owner::There(node) => {
                let question = others.storing(&node, &request);
                // What waits for an answer does not keep the regions, which keep it.
                let regions = Arc::downgrade(self.shared());
                others.remote.ask_then(&node, key, question, attempts.until, move |outcome| {
                    let Some(handle) = regions.upgrade().map(Self::of) else {
                        return then(Err(Refusal::Unknown));
                    };
                    let Some(others) = &handle.regions().others else { return then(Err(BUSY)) };
                    match attempts.weigh(others, shard(&of), outcome) {
                        Next::Found(answer) => then(stored_of(answer, attempts.is_in_doubt)),
                        Next::Ends(refusal) => then(Err(refusal)),
                        Next::LookAgain => handle.look_again(of, attempts, request, then),
                    }
                });
            }
            Owner::Nobody => self.look_again(of, attempts, request, then),
        }
    }

    /// Looks for the owner again a moment later, in a task.
    fn look_again(
        &self,
        key: ConversationKey,
        attempts: Attempts,
        request: Request,
        then: impl FnOnce(Result<Stored, Refusal>) + Send + 'static,
    ) {
        let handle = self.clone();
        ractor::concurrency::spawn(async move {
            then(match attempts.rest().await {
                Ok(()) => handle.store(&key, attempts, &request).await,
                Err(refusal) => Err(refusal),
            });
        });
    }

    /// Has the owner carry a request out, whoever that is.
    async fn store(
        &self,
        key: &ConversationKey,
        attempts: Attempts,
        request: &Request,
    ) -> Result<Stored, Refusal> {
        let Some(others) = &self.regions().others else { return Err(BUSY) };
        let question = |node: &_| others.storing(node, request);
        let here = || self.ask_here(key, request.clone());
        match self.find(others, key, attempts, question, || None, here).await? {
            Found::There { answer, is_in_doubt } => stored_of(answer, is_in_doubt),
            Found::Here { result, is_in_doubt } => {
                done_of(result, is_in_doubt).map(|done| (&done).into())
            }
        }
    }

    fn attempts(&self, unsure: Unsure) -> Attempts {
        Attempts::new(unsure, self.regions().config.answer_within)
    }

    pub(super) async fn look_at_owner(
        &self,
        others: &Others,
        key: &ConversationKey,
        caller: &Caller,
    ) -> Result<View, Refusal> {
        let attempts = self.attempts(Unsure::Reads);
        let question = |_: &_| Question::Look { caller: caller.clone() };
        let here = || self.look_here(key, caller);
        match self.find(others, key, attempts, question, || None, here).await? {
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
        let attempts = self.attempts(Unsure::Reads);
        let question = |_: &_| Question::Read { caller: caller.clone(), stream, range, limit };
        let here = || self.read_here(key, caller, stream, range, limit);
        match self.find(others, key, attempts, question, || None, here).await? {
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
        let attempts = self.attempts(Unsure::Reads);
        let question = |_: &_| Question::Listen { caller: caller.clone(), stream };
        let enters =
            || Some(Enters { caller: caller.clone(), stream, ref_id, outlet: outlet.clone() });
        let here = || self.subscribe_here(key, caller, stream, ref_id, outlet);
        match self.find(others, key, attempts, question, enters, here).await? {
            Found::There { answer: Answer::Listening { .. }, .. } => Ok(()),
            Found::There { answer, .. } => Err(refusal_of(answer, false)),
            Found::Here { result, .. } => result,
        }
    }

    /// Asks the owner, whoever that is, until it answers or time is over; `here` asks this node.
    async fn find<T, H: Future<Output = Result<T, Refusal>>>(
        &self,
        others: &Others,
        key: &ConversationKey,
        mut attempts: Attempts,
        question: impl Fn(&NodeName) -> Question,
        enters: impl Fn() -> Option<Enters>,
        here: impl Fn() -> H,
    ) -> Result<Found<T>, Refusal> {
        loop {
            match others.ownership.owner(shard(key)) {
                Owner::Here(_) => match here().await {
                    // It left while the question waited.
                    Err(Refusal::Moved) => {}
                    // Whoever would have said failed: what is only read is read again.
                    Err(Refusal::Unknown) if attempts.unsure == Unsure::Reads => {}
                    result => return Ok(Found::Here { result, is_in_doubt: attempts.is_in_doubt }),
                },
                Owner::There(node) => {
                    let within = attempts.until.saturating_duration_since(Instant::now());
                    let asked = others.remote.ask(&node, key, question(&node), enters(), within);
                    let outcome = asked.await;
                    match attempts.weigh(others, shard(key), outcome) {
                        Next::Found(answer) => {
                            return Ok(Found::There { answer, is_in_doubt: attempts.is_in_doubt });
                        }
                        Next::LookAgain => {}
                        Next::Ends(refusal) => return Err(refusal),
                    }
                }
                Owner::Nobody => {}
            }
            attempts.rest().await?;
        }
    }
}

/// What became of a request on this node.
fn done_of(result: Result<Done, Refusal>, is_in_doubt: bool) -> Result<Done, Refusal> {
    result.map_err(|refusal| refusal_of(Answer::Refused { refusal }, is_in_doubt))
}

/// Where a request was stored.
fn stored_of(answer: Answer, is_in_doubt: bool) -> Result<Stored, Refusal> {
    match answer {
        Answer::Stored { stored } => Ok(stored),
        Answer::Done { events, duplicate, state } => {
            Ok(Stored::new(events.first(), duplicate, &state))
        }
        answer => Err(refusal_of(answer, is_in_doubt)),
    }
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

/// Why nothing could be read. That leaves nothing behind to be in doubt of: it is asked again.
pub(super) fn of_reading(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Unknown => BUSY,
        refusal => refusal,
    }
}

#[cfg(test)]
mod tests;
