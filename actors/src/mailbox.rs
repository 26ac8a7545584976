//! Admission to mailboxes, which are unbounded in the framework: whoever sends takes a permit
//! first, and the permit travels with the message until it is handled (P7).

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ractor::concurrency::OneshotReceiver;
use ractor::{ActorRef, MessagingErr, RpcReplyPort};
use tokio::sync::watch;

use crate::answer::Refusal;

/// Where an answer goes.
pub(crate) type Reply<T> = RpcReplyPort<Result<T, Refusal>>;

/// When a caller who was refused as busy should try again. Long enough for a full mailbox to
/// drain, short enough that a person does not notice.
const RETRY_AFTER_MS: u32 = 250;

/// Too much waits here.
pub(crate) const BUSY: Refusal = Refusal::Busy { retry_after_ms: RETRY_AFTER_MS };

/// How much waits for one actor. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Gauge(Arc<Count>);

#[derive(Debug)]
struct Count {
    waiting: AtomicUsize,
    max: usize,
}

/// The right to wait in a mailbox; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Count>);

impl Gauge {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Count { waiting: AtomicUsize::new(0), max }))
    }

    /// A permit, if there is room.
    pub(crate) fn enter(&self) -> Option<Permit> {
        let waiting = self.0.waiting.fetch_add(1, Ordering::Relaxed);
        // The permit exists from here on, so that giving it back undoes the count either way.
        let permit = Permit(Arc::clone(&self.0));
        (waiting < self.0.max).then_some(permit)
    }

    /// Whoever reads zero sees all that was done under permits that were given back.
    pub(crate) fn depth(&self) -> usize {
        self.0.waiting.load(Ordering::Acquire)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Release);
    }
}

/// Where a supervised actor can be reached: the same through its restarts.
pub(crate) struct Address<M> {
    actor: watch::Sender<Option<ActorRef<M>>>,
    gauge: Gauge,
}

impl<M> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("gauge", &self.gauge).finish_non_exhaustive()
    }
}

impl<M: ractor::Message> Address<M> {
    pub(crate) fn new(mailbox_max: usize) -> Self {
        Self { actor: watch::Sender::new(None), gauge: Gauge::new(mailbox_max) }
    }

    /// The actor that lives there from now on.
    pub(crate) fn set(&self, actor: ActorRef<M>) {
        self.actor.send_replace(Some(actor));
    }

    /// The actor that lives there, or lived there last.
    pub(crate) fn actor(&self) -> Option<ActorRef<M>> {
        self.actor.borrow().clone()
    }

    pub(crate) fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// Puts a message into the mailbox; gives it back when nobody lives there at the moment.
    pub(crate) fn cast(&self, message: M) -> Result<(), M> {
        match &*self.actor.borrow() {
            Some(actor) => deliver(actor, message),
            None => Err(message),
        }
    }

    /// Waits until somebody has moved in for the first time.
    async fn is_there(&self) {
        if self.actor.borrow().is_some() {
            return;
        }
        let mut moves = self.actor.subscribe();
        // The sender lives as long as this does.
        drop(moves.wait_for(Option::is_some).await);
    }

    /// Asks with a permit and waits for the answer.
    pub(crate) async fn ask<T>(
        &self,
        within: Duration,
        message: impl FnOnce(Permit, Reply<T>) -> M,
    ) -> Result<T, Refusal> {
        let Some(permit) = self.gauge.enter() else { return Err(BUSY) };
        if tokio::time::timeout(within, self.is_there()).await.is_err() {
            return Err(BUSY);
        }
        let (reply, answer) = ractor::concurrency::oneshot();
        if self.cast(message(permit, reply.into())).is_err() {
            return Err(BUSY);
        }
        answered(within, answer).await
    }
}

/// Puts a message into an actor's mailbox; gives it back when the actor takes no more.
pub(crate) fn deliver<M: ractor::Message>(actor: &ActorRef<M>, message: M) -> Result<(), M> {
    match actor.cast(message) {
        Err(MessagingErr::SendErr(message)) => Err(message),
        // The other errors are of untyped references, which we have none of.
        Ok(()) | Err(MessagingErr::ChannelClosed | MessagingErr::InvalidActorType) => Ok(()),
    }
}

/// Waits for an answer; one that does not come leaves the outcome unknown (P4).
pub(crate) fn answered<T>(
    within: Duration,
    answer: OneshotReceiver<Result<T, Refusal>>,
) -> impl Future<Output = Result<T, Refusal>> {
    let answer = tokio::time::timeout(within, answer);
    async move {
        match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Refusal::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_mailbox_admits_nobody_until_a_permit_comes_back() {
        let gauge = Gauge::new(2);
        let first = gauge.enter();
        let second = gauge.enter();
        assert!(first.is_some() && second.is_some());
        assert!(gauge.enter().is_none());
        assert_eq!(gauge.depth(), 2);
        drop(first);
        assert!(gauge.enter().is_some());
    }
}
