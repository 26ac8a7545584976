//! Reading a conversation: its state, its history, its receipts, and subscribing to it.

use std::sync::Arc;

use switchboard_domain::conversation::{Conversation, Rejection, Stream};
use switchboard_domain::ids::Seq;
use switchboard_domain::permission::{Action, allow};
use switchboard_domain::person::{Caller, Side};
use switchboard_store::{Page, Range};

use super::{Hears, State, Stretch, Trouble};
use crate::answer::{History, Subscribed, View};
use crate::delivery::Delivery;
use crate::fanout::{Listener, Subscription};
use crate::published::Published;

impl State {
    pub(super) async fn look(&mut self, caller: &Caller) -> Result<View, Trouble> {
        self.readable(caller, Stream::Public)?;
        self.load_receipts().await?;
        let state = Arc::clone(self.readable(caller, Stream::Public)?);
        let principal = caller.author.principal;
        let (side, other) = match principal.side() {
            Side::Visitor => (Side::Visitor, Side::Agent),
            Side::Agent | Side::System => (Side::Agent, Side::Visitor),
        };
        let own = self.receipts.of(principal);
        let [side, other] = [side, other].map(|side| self.receipts.furthest_of(side));
        Ok(View { state, own, side, other })
    }

    pub(super) fn stretch(
        &self,
        caller: &Caller,
        stream: Stream,
        range: Range,
        limit: usize,
    ) -> Result<Stretch, Trouble> {
        let head = self.readable(caller, stream)?.heads.of(stream);
        Ok(match self.recent(stream).read(range, limit) {
            Some(events) => Stretch::Here(History::new(events, head, range)),
            None => Stretch::Stored(head),
        })
    }

    /// Enters a subscription between two events: this actor alone publishes, and it is here.
    pub(super) async fn subscribe(
        &mut self,
        caller: &Caller,
        stream: Stream,
        hears: Hears,
    ) -> Result<(), Trouble> {
        self.readable(caller, stream)?;
        self.load_receipts().await?;
        let state = Arc::clone(self.readable(caller, stream)?);
        let heads = state.heads;
        let principal = caller.author.principal;
        let subscribed = Subscribed {
            stream,
            log: state.log,
            head: heads.of(stream),
            state: Arc::clone(&state),
            receipt: self.receipts.of(principal),
        };
        let (conversation, role) = (self.key.conversation, caller.role);
        match hears {
            Hears::Here { ref_id, outlet } => {
                let subscribed = Box::new(subscribed);
                let marker = Delivery::Subscribed { conversation, ref_id, subscribed };
                let subscription = Subscription { outlet, principal, role, stream };
                self.fanout.subscribe(&self.key, (heads, self.epoch), subscription, marker);
            }
            Hears::There(asker) => {
                let node = asker.node().clone();
                let listener = Listener { node, principal, role, stream };
                self.fanout.listen(&self.key, (heads, self.epoch), listener);
                // From here, so that it is said before the next event.
                asker.listens(subscribed);
            }
        }
        if principal.side() == Side::Visitor {
            self.tenant.visitor_listens(&state);
        }
        Ok(())
    }

    /// Raises a receipt. It is a courtesy: what cannot be carried out is left out.
    pub(super) async fn raise_receipt(
        &mut self,
        caller: &Caller,
        received: Option<Seq>,
        read: Option<Seq>,
    ) {
        let principal = caller.author.principal;
        let Ok(state) = self.readable(caller, Stream::Public) else { return };
        let head = state.heads.public;
        if self.load_receipts().await.is_err() {
            return;
        }
        let mut receipt = self.receipts.of(principal);
        let mut moved = received.is_some_and(|upto| receipt.receive(upto, head));
        let upto = read.map(|upto| upto.min(head)).filter(|upto| *upto > receipt.read);
        if let Some(upto) = upto
            && let Ok(Some(published)) = self.event(Stream::Public, upto).await
        {
            moved |= receipt.read(upto, published.event.ordinals, self.world.clock.now());
        }
        if !moved {
            return;
        }
        self.receipts.set(principal, receipt);
        self.fanout.receipt(&self.key, &caller.author, receipt);
        if principal.is_agent() {
            let readers = self.receipts.of_agents();
            self.tenant.put_readers(self.key.conversation, readers, self.epoch);
        }
        self.report();
    }

    /// The event at a position, from memory or the store; `None` beyond the head.
    pub(super) async fn event(
        &self,
        stream: Stream,
        seq: Seq,
    ) -> Result<Option<Arc<Published>>, Trouble> {
        if let Some(published) = self.recent(stream).get(seq) {
            return Ok(Some(Arc::clone(published)));
        }
        let Some(before) = seq.0.checked_sub(1) else { return Ok(None) };
        let range = Range::After(Seq(before));
        let page = Page { key: self.key.clone(), stream, range, limit: 1 };
        let events = self.world.store.read(page).await.map_err(Trouble::unread)?;
        let found = events.into_iter().next();
        Ok(found.map(|event| Arc::new(Published::new(self.key.conversation, event))))
    }

    /// The state, if the caller may read that stream.
    fn readable(&self, caller: &Caller, stream: Stream) -> Result<&Arc<Conversation>, Rejection> {
        let state = self.seen_by(caller)?;
        let action = match stream {
            Stream::Public => Action::ReadPublic,
            Stream::Internal => Action::ReadInternal,
        };
        allow(caller, action, state)?;
        Ok(state)
    }

    async fn load_receipts(&mut self) -> Result<(), Trouble> {
        if !self.receipts.are_loaded() {
            let stored = self.world.store.receipts(&self.key).await.map_err(Trouble::unread)?;
            self.receipts.load(stored);
        }
        Ok(())
    }
}
