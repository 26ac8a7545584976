//! Who hears what: the subscriptions of a region's conversations.
//!
//! They outlive the conversation actors, so an idle conversation with subscribers costs its
//! entries here and no actor. A conversation's actor alone adds its subscriptions and publishes
//! its events, so a subscription begins exactly between two events (P5). Typing is passed on here
//! and wakes nobody.

mod audience;
mod audiences;
mod elsewhere;

use std::cell::Cell;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_cluster::ownership::Epoch;
use switchboard_domain::conversation::{Event, Heads, Stream};
use switchboard_domain::person::{AgentRef, Author, Caller, Principal, Role, Side};
use switchboard_domain::receipt::Receipt;
use switchboard_domain::trail::Page;
use switchboard_store::ConversationKey;

use crate::delivery::{Delivery, Outlet, Unsubscribed};
use crate::meter::Meter;
use crate::published::Published;
use crate::remote::{News, Remote, Word};

pub(crate) use self::elsewhere::Listener;

use self::audience::{Audience, Source};
use self::audiences::Audiences;

/// Characters of a preview that are passed on: what fits under a transcript.
const PREVIEW_CHARS_MAX: usize = 200;

/// The subscriptions of one region.
#[derive(Debug)]
pub(crate) struct Fanout {
    conversations: Mutex<Audiences>,
    meter: Arc<dyn Meter>,
    leaks_notes: bool,
    /// The other nodes; `None` on a node that is alone.
    remote: Option<Arc<Remote>>,
}

/// One connection hears one stream of one conversation.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) outlet: Outlet,
    pub(crate) principal: Principal,
    pub(crate) role: Role,
    pub(crate) stream: Stream,
}

impl Fanout {
    pub(crate) fn new(
        meter: Arc<dyn Meter>,
        leaks_notes: bool,
        remote: Option<Arc<Remote>>,
    ) -> Self {
        Self { conversations: Mutex::default(), meter, leaks_notes, remote }
    }

    /// Enters a subscription and marks its beginning in the outlet, when both streams stand at
    /// `heads` under `epoch`. The same connection and stream again replaces the older one. Only the
    /// conversation's actor calls this.
    pub(crate) fn subscribe(
        &self,
        key: &ConversationKey,
        (heads, epoch): (Heads, Epoch),
        subscription: Subscription,
        marker: Delivery,
    ) {
        self.enter(key, heads, subscription, marker, Source::Here(epoch));
    }

    fn enter(
        &self,
        key: &ConversationKey,
        heads: Heads,
        subscription: Subscription,
        marker: Delivery,
        source: Source,
    ) {
        let mut conversations = self.conversations.lock();
        let audience = conversations.enter(key, heads);
        if audience.told_by() != source.node() {
            // Nobody can say whether the old owner told these all that it stored.
            self.lose_all(key, audience);
        }
        if source.node().is_some() || audience.is_empty() {
            audience.published = heads;
        }
        audience.source = source;
        let hearers = &mut audience.hearers;
        hearers.retain_here(|old| !old.is(subscription.stream, subscription.outlet.id()));
        self.push(&subscription.outlet, marker);
        hearers.enter(subscription);
    }

    pub(crate) fn unsubscribe(&self, key: &ConversationKey, stream: Stream, outlet_id: u64) {
        let told_by = self.told_by(key);
        self.retain(key, |subscription| !subscription.is(stream, outlet_id));
        if let (Some(remote), Some(owner)) = (&self.remote, told_by)
            && !self.hears(key, stream)
        {
            remote.unlisten(&owner, key, stream);
        }
    }

    /// Passes events on, in order. Only the conversation's actor calls this, after they are
    /// durable and applied.
    pub(crate) fn publish(&self, key: &ConversationKey, events: &[Arc<Published>]) {
        let mut conversations = self.conversations.lock();
        let Some(audience) = conversations.get_mut(key) else { return };
        for published in events {
            match published.event.stream {
                Stream::Public => audience.published.public = published.event.seq,
                Stream::Internal => audience.published.internal = published.event.seq,
            }
        }
        if !audience.hearers.there().is_empty() {
            self.tell_events(key, audience, events);
        }
        self.push_events(audience, events);
        if audience.is_empty() {
            conversations.remove(key);
        }
    }

    fn push_events(&self, audience: &mut Audience, events: &[Arc<Published>]) {
        audience.hearers.retain_here(|subscription| {
            events.iter().all(|published| {
                // P13: whoever hears the internal stream subscribed to it, which visitors cannot.
                if published.event.stream == subscription.stream {
                    self.push(&subscription.outlet, Delivery::Event(Arc::clone(published)))
                } else if self.leaks_notes && subscription.stream == Stream::Public {
                    self.push(&subscription.outlet, Delivery::Event(mislabeled(published)))
                } else {
                    true
                }
            })
        });
    }

    /// How far both streams were published, from where the owner, who is here, goes on; `None`
    /// when nobody listens. Only the conversation's actor calls this.
    pub(crate) fn resume(&self, key: &ConversationKey, epoch: Epoch) -> Option<Heads> {
        let mut conversations = self.conversations.lock();
        let audience = conversations.get_mut(key)?;
        audience.source = Source::Here(epoch);
        Some(audience.published)
    }

    /// Ends all subscriptions, because nobody can say any more what will come of them.
    pub(crate) fn lose(&self, key: &ConversationKey) {
        let lost = self.conversations.lock().remove(key);
        if let Some(mut audience) = lost {
            self.lose_all(key, &mut audience);
        }
    }

    /// Ends all subscriptions of an audience, here and on other nodes.
    fn lose_all(&self, key: &ConversationKey, audience: &mut Audience) {
        audience.hearers.retain_here(|subscription| {
            let (conversation, stream) = (key.conversation, subscription.stream);
            let why = Unsubscribed::Lost;
            self.push(&subscription.outlet, Delivery::Unsubscribed { conversation, stream, why });
            false
        });
        self.lose_listeners(key, audience);
    }

    /// Tells the other side how far somebody has got. Only the conversation's actor calls this.
    pub(crate) fn receipt(&self, key: &ConversationKey, by: &Author, receipt: Receipt) {
        self.hear_receipt(key, by, receipt);
        self.tell(key, Stream::Public, None, || News::Receipt { by: by.clone(), receipt });
    }

    fn hear_receipt(&self, key: &ConversationKey, by: &Author, receipt: Receipt) {
        let side = by.principal.side();
        self.retain(key, |subscription| {
            if subscription.stream != Stream::Public || subscription.principal.side() == side {
                return true;
            }
            let conversation = key.conversation;
            self.push(
                &subscription.outlet,
                Delivery::Receipt { conversation, by: by.clone(), receipt },
            )
        });
    }

    /// Tells the other subscribers that somebody types. Who is not subscribed may not.
    pub(crate) fn typing(
        &self,
        key: &ConversationKey,
        caller: &Caller,
        on: bool,
        preview: Option<Arc<str>>,
    ) {
        let from = &caller.author;
        if !self.is_subscribed(key, from.principal) {
            return;
        }
        let preview = preview.filter(|_| from.principal.side() == Side::Visitor).map(shorten);
        self.hear_typing(key, from, on, preview.as_ref());
        self.pass_on(
            key,
            Stream::Public,
            || News::Typing { from: from.clone(), on, preview: preview.clone() },
            || Word::Typing { caller: caller.clone(), on, preview: preview.clone() },
        );
    }

    fn hear_typing(
        &self,
        key: &ConversationKey,
        from: &Author,
        on: bool,
        preview: Option<&Arc<str>>,
    ) {
        self.retain(key, |subscription| {
            if subscription.stream != Stream::Public || subscription.principal == from.principal {
                return true;
            }
            let for_agent = subscription.principal.is_agent();
            self.push(
                &subscription.outlet,
                Delivery::Typing {
                    conversation: key.conversation,
                    from: from.clone(),
                    on,
                    preview: preview.cloned().filter(|_| for_agent),
                },
            )
        });
    }

    /// Tells the agents among the subscribers where the visitor went. Who is not subscribed may not
    /// say so.
    pub(crate) fn page(&self, key: &ConversationKey, caller: &Caller, page: &Arc<Page>) {
        if !self.is_subscribed(key, caller.author.principal) {
            return;
        }
        self.hear_page(key, page);
        self.pass_on(
            key,
            Stream::Internal,
            || News::Page { page: (**page).clone() },
            || Word::Page { caller: caller.clone(), page: (**page).clone() },
        );
    }

    fn hear_page(&self, key: &ConversationKey, page: &Arc<Page>) {
        let (conversation, page) = (key.conversation, Arc::clone(page));
        self.hear_as_agents(key, &Delivery::Page { conversation, page });
    }

    /// Tells the agents among the subscribers who looks at the conversation.
    pub(crate) fn viewing(&self, key: &ConversationKey, agents: &Arc<[AgentRef]>) {
        self.hear_viewing(key, agents);
        self.pass_on(
            key,
            Stream::Internal,
            || News::Viewing { agents: agents.to_vec() },
            || Word::Viewing { agents: agents.to_vec() },
        );
    }

    fn hear_viewing(&self, key: &ConversationKey, agents: &Arc<[AgentRef]>) {
        let (conversation, agents) = (key.conversation, Arc::clone(agents));
        self.hear_as_agents(key, &Delivery::Viewing { conversation, agents });
    }

    /// Tells the agents among the subscribers. P13: whoever hears the internal stream is one.
    fn hear_as_agents(&self, key: &ConversationKey, delivery: &Delivery) {
        self.retain(key, |subscription| {
            subscription.stream != Stream::Internal
                || self.push(&subscription.outlet, delivery.clone())
        });
    }

    /// Tells the visitors among the subscribers where they stand; whether anyone heard it.
    pub(crate) fn place(
        &self,
        key: &ConversationKey,
        position: u32,
        eta: Option<(u32, u32)>,
    ) -> bool {
        let is_told = self.tell(key, Stream::Public, None, || News::Place { position, eta });
        self.hear_place(key, position, eta) || is_told
    }

    fn hear_place(&self, key: &ConversationKey, position: u32, eta: Option<(u32, u32)>) -> bool {
        let conversation = key.conversation;
        let delivery = &Delivery::QueuePosition { conversation, position, eta };
        let is_heard = Cell::new(false);
        self.retain(key, |subscription| {
            if subscription.principal.side() != Side::Visitor {
                return true;
            }
            let heard = self.push(&subscription.outlet, delivery.clone());
            is_heard.set(is_heard.get() || heard);
            heard
        });
        is_heard.get()
    }

    /// Whether a visitor listens, here or on another node. Only the owner's node can say so.
    pub(crate) fn has_visitor(&self, key: &ConversationKey) -> bool {
        let conversations = self.conversations.lock();
        let Some(audience) = conversations.get(key) else { return false };
        let is_visitor = |principal: &Principal| principal.side() == Side::Visitor;
        let hearers = &audience.hearers;
        let here = hearers.here().iter().filter(|it| !it.outlet.is_closed());
        let there = hearers.there().iter().map(|it| &it.principal);
        let mut listening = here.map(|it| &it.principal).chain(there);
        listening.any(is_visitor)
    }

    /// Ends the subscriptions of those who may no longer see the conversation.
    pub(crate) fn recheck(&self, key: &ConversationKey, sees: impl Fn(Principal, Role) -> bool) {
        self.recheck_listeners(key, &sees);
        self.retain(key, |subscription| {
            let kept = sees(subscription.principal, subscription.role);
            if !kept {
                self.push(
                    &subscription.outlet,
                    Delivery::Unsubscribed {
                        conversation: key.conversation,
                        stream: subscription.stream,
                        why: Unsubscribed::Forbidden,
                    },
                );
            }
            kept
        });
    }

    /// Drops the subscriptions of connections that are gone.
    pub(crate) fn prune(&self) {
        self.conversations.lock().retain(|_, audience| {
            audience.hearers.retain_here(|subscription| !subscription.outlet.is_closed());
            !audience.is_empty()
        });
    }

    /// Conversations with subscribers, and subscriptions.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let conversations = self.conversations.lock();
        let mut counts = (0, 0);
        for audience in conversations.iter() {
            counts = (counts.0 + 1, counts.1 + audience.hearers.here().len());
        }
        counts
    }

    fn retain(&self, key: &ConversationKey, keep: impl Fn(&Subscription) -> bool) {
        let mut conversations = self.conversations.lock();
        let Some(audience) = conversations.get_mut(key) else { return };
        audience.hearers.retain_here(keep);
        if audience.is_empty() {
            conversations.remove(key);
        }
    }

    fn is_subscribed(&self, key: &ConversationKey, principal: Principal) -> bool {
        let conversations = self.conversations.lock();
        let audience = conversations.get(key);
        audience.is_some_and(|it| it.hearers.here().iter().any(|own| own.principal == principal))
    }

    /// Whether the outlet still listens.
    fn push(&self, outlet: &Outlet, delivery: Delivery) -> bool {
        let pushed = outlet.push(delivery);
        self.meter.pushed(pushed);
        pushed.is_heard()
    }
}

impl Subscription {
    fn is(&self, stream: Stream, outlet_id: u64) -> bool {
        self.stream == stream && self.outlet.id() == outlet_id
    }
}

/// An internal event under the name of the other stream: a socket drops one under its own name.
/// Only a planted fault asks for it.
fn mislabeled(published: &Published) -> Arc<Published> {
    let event = Event { stream: Stream::Public, ..published.event.clone() };
    Arc::new(Published::new(published.conversation, event))
}

fn shorten(preview: Arc<str>) -> Arc<str> {
    match preview.char_indices().nth(PREVIEW_CHARS_MAX) {
        Some((end, _)) => Arc::from(&preview[..end]),
        None => preview,
    }
}

#[cfg(test)]
mod tests;
