//! The straight line of a request: known? → decide → stamp → append → still owner? → apply →
//! reply → publish.

use std::sync::Arc;

use ractor::ActorProcessingErr;
use switchboard_domain::conversation::{
    Conversation, Event, Known, Rejection, Request, SendKey, Sent, decide, stamp,
};
use switchboard_domain::ids::EventId;
use switchboard_domain::person::Principal;
use switchboard_store::{Append, Fault};

use super::{Answering, State, Trouble, split};
use crate::answer::{Done, Refusal};
use crate::mailbox::BUSY;
use crate::published::Published;

impl State {
    /// Carries a request out. The reply leaves before the event is published; both only after it
    /// is durable.
    pub(super) async fn answer_ask(
        &mut self,
        request: Request,
        answering: Answering,
    ) -> Result<(), ActorProcessingErr> {
        let result = self.ask(&request).await;
        let news = match &result {
            Ok(done) if !done.duplicate => done.events.clone(),
            Ok(_) | Err(_) => Vec::new(),
        };
        let (result, failed) = split(result);
        answering.answer(result);
        failed?;
        if !news.is_empty() {
            self.tell(&news);
        }
        Ok(())
    }

    async fn ask(&mut self, request: &Request) -> Result<Done, Trouble> {
        if self.conversation.is_some() {
            self.seen_by(&request.caller)?;
            if let Some(duplicate) = self.find_duplicate(request).await? {
                return Ok(duplicate);
            }
        }
        let now = self.world.clock.now();
        let state = self.conversation.as_deref();
        let drafts = decide(state, self.key.conversation, request, now)?;
        if drafts.is_empty() {
            let state = self.conversation.clone().ok_or(Rejection::NotFound)?;
            return Ok(Done { events: Vec::new(), duplicate: false, state });
        }
        let clock = &self.world.clock;
        let fresh_id = || EventId::new(clock.fresh_id());
        let events: Arc<[Event]> = stamp(state, drafts, request.key, now, fresh_id).into();
        self.append(&events).await?;
        self.apply(&events)
    }

    /// The answer to a request whose key is stored already.
    async fn find_duplicate(&mut self, request: &Request) -> Result<Option<Done>, Trouble> {
        let Some(key) = request.key else { return Ok(None) };
        let Some(state) = self.conversation.as_ref() else { return Ok(None) };
        if self.world.config.sabotage.skips_dedupe() {
            return Ok(None);
        }
        let principal = request.caller.author.principal;
        let known = match state.dedupe.check(principal, key) {
            Known::LookUp => self.look_up(principal, key).await?,
            known => known,
        };
        match known {
            Known::Fresh => Ok(None),
            // A planted fault: what owners before have stored is not known.
            Known::Gap { .. } if self.is_forgetful => Ok(None),
            Known::Duplicate(sent) => self.repeat(sent).await.map(Some),
            Known::Gap { expect } => Err(Rejection::Gap { expect }.into()),
            // After a look-up nothing is left to look up.
            Known::Conflict | Known::LookUp => Err(Rejection::Conflict.into()),
        }
    }

    async fn look_up(&mut self, principal: Principal, key: SendKey) -> Result<Known, Trouble> {
        let store = &self.world.store;
        let found = store
            .find_send(&self.key, principal, key.device, key.n)
            .await
            .map_err(Trouble::unread)?;
        let Some(state) = self.conversation.as_mut() else { return Ok(Known::Fresh) };
        let dedupe = &mut Arc::make_mut(state).dedupe;
        Ok(dedupe.remember(principal, key, found.last_n, found.sent))
    }

    /// The event that was stored at first, once more.
    async fn repeat(&mut self, sent: Sent) -> Result<Done, Trouble> {
        let event = self.event(sent.stream, sent.seq).await?;
        let state = self.conversation.clone().ok_or(Rejection::NotFound)?;
        Ok(Done { events: event.into_iter().collect(), duplicate: true, state })
    }

    async fn append(&mut self, events: &Arc<[Event]>) -> Result<(), Trouble> {
        let appended = self.world.store.append(Append {
            key: self.key.clone(),
            epoch: self.epoch.0,
            events: Arc::clone(events),
            mark_dirty: !self.is_marked,
        });
        match appended.await {
            Ok(()) => {}
            Err(Fault::Full) => return Err(Refusal::StorageFull.into()),
            Err(Fault::Busy) => return Err(BUSY.into()),
            Err(Fault::Occupied { .. }) if self.world.config.sabotage.counts_from_memory() => {}
            // The outcome is unknown (P4), or the log is not what we thought: read it again.
            Err(fault) => return Err(fail(fault)),
        }
        self.is_marked = true;
        self.is_ahead = true;
        // The lease is checked after the write and before the acknowledgement (P6).
        let skips = self.world.config.sabotage.skips_lease_check();
        if self.world.ownership.holds(self.shard, self.epoch) || skips {
            Ok(())
        } else {
            Err(fail("the shard was lost during an append"))
        }
    }

    fn apply(&mut self, events: &[Event]) -> Result<Done, Trouble> {
        for event in events {
            match self.conversation.as_mut() {
                Some(state) => Arc::make_mut(state).apply(event).map_err(fail)?,
                None => {
                    let state = Conversation::begin(self.key.conversation, event);
                    let state = state.ok_or_else(|| fail("the first event does not begin"))?;
                    self.conversation = Some(Arc::new(state));
                }
            }
        }
        let events: Vec<Arc<Published>> =
            events.iter().map(|event| self.remember(event.clone())).collect();
        let state = self.conversation.clone().ok_or_else(|| fail("nothing was applied"))?;
        Ok(Done { events, duplicate: false, state })
    }
}

/// The conversation must begin again from the log; the caller cannot know the outcome.
fn fail(why: impl Into<ActorProcessingErr>) -> Trouble {
    Trouble::Failed { refusal: Refusal::Unknown, why: why.into() }
}
