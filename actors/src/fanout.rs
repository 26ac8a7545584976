//! Who hears what: the subscriptions of a region's conversations.
//!
//! They outlive the conversation actors, so an idle conversation with subscribers costs its
//! entries here and no actor. A conversation's actor alone adds its subscriptions and publishes
//! its events, so a subscription begins exactly between two events (P5). Typing is passed on here
//! and wakes nobody.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_domain::conversation::{Event, Heads, Stream};
use switchboard_domain::person::{Author, Caller, Principal, Role, Side};
use switchboard_domain::receipt::Receipt;
use switchboard_domain::trail::Page;
use switchboard_store::ConversationKey;

use crate::delivery::{Delivery, Outlet, Unsubscribed};
use crate::meter::Meter;
use crate::published::Published;

/// Characters of a preview that are passed on: what fits under a transcript.
const PREVIEW_CHARS_MAX: usize = 200;

/// The subscriptions of one region.
#[derive(Debug)]
pub(crate) struct Fanout {
    conversations: Mutex<HashMap<ConversationKey, Audience>>,
    meter: Arc<dyn Meter>,
    leaks_notes: bool,
}

/// Who hears one conversation.
#[derive(Debug)]
struct Audience {
    /// How far both streams were published. What is stored beyond it nobody heard, because the
    /// conversation failed in between.
    published: Heads,
    subscriptions: Vec<Subscription>,
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
    pub(crate) fn new(meter: Arc<dyn Meter>, leaks_notes: bool) -> Self {
        Self { conversations: Mutex::default(), meter, leaks_notes }
    }

    /// Enters a subscription and marks its beginning in the outlet, when both streams stand at
    /// `heads`. The same connection and stream again replaces the older one. Only the
    /// conversation's actor calls this.
    pub(crate) fn subscribe(
        &self,
        key: &ConversationKey,
        heads: Heads,
        subscription: Subscription,
        marker: Delivery,
    ) {
        let mut conversations = self.conversations.lock();
        let audience = conversations.entry(key.clone()).or_insert_with(|| Audience {
            published: heads,
            // Most conversations have one subscriber: the visitor.
            subscriptions: Vec::with_capacity(1),
        });
        let subscriptions = &mut audience.subscriptions;
        subscriptions.retain(|old| !old.is(subscription.stream, subscription.outlet.id()));
        self.push(&subscription.outlet, marker);
        subscriptions.push(subscription);
    }

    pub(crate) fn unsubscribe(&self, key: &ConversationKey, stream: Stream, outlet_id: u64) {
        self.retain(key, |subscription| !subscription.is(stream, outlet_id));
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
        audience.subscriptions.retain(|subscription| {
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
        if audience.subscriptions.is_empty() {
            conversations.remove(key);
        }
    }

    /// How far both streams were published; `None` when nobody listens.
    pub(crate) fn published(&self, key: &ConversationKey) -> Option<Heads> {
        self.conversations.lock().get(key).map(|audience| audience.published)
    }

    /// Ends all subscriptions, because nobody can say any more what will come of them.
    pub(crate) fn lose(&self, key: &ConversationKey) {
        self.retain(key, |subscription| {
            self.push(
                &subscription.outlet,
                Delivery::Unsubscribed {
                    conversation: key.conversation,
                    stream: subscription.stream,
                    why: Unsubscribed::Lost,
                },
            );
            false
        });
    }

    /// Tells the other side how far somebody has got.
    pub(crate) fn receipt(&self, key: &ConversationKey, by: &Author, receipt: Receipt) {
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
        let preview = preview.filter(|_| from.principal.side() == Side::Visitor).map(shorten);
        self.retain_if(
            key,
            |subscriptions| subscriptions.iter().any(|own| own.principal == from.principal),
            |subscription| {
                if subscription.stream != Stream::Public || subscription.principal == from.principal
                {
                    return true;
                }
                let for_agent = subscription.principal.is_agent();
                self.push(
                    &subscription.outlet,
                    Delivery::Typing {
                        conversation: key.conversation,
                        from: from.clone(),
                        on,
                        preview: preview.clone().filter(|_| for_agent),
                    },
                )
            },
        );
    }

    /// Tells the agents among the subscribers where the visitor went. Who is not subscribed may not
    /// say so.
    pub(crate) fn page(&self, key: &ConversationKey, caller: &Caller, page: &Arc<Page>) {
        let from = caller.author.principal;
        self.retain_if(
            key,
            |subscriptions| subscriptions.iter().any(|own| own.principal == from),
            |subscription| {
                let conversation = key.conversation;
                let page = Arc::clone(page);
                subscription.stream != Stream::Internal
                    || self.push(&subscription.outlet, Delivery::Page { conversation, page })
            },
        );
    }

    /// Tells the agents among the subscribers. P13: whoever hears the internal stream is one.
    pub(crate) fn tell_agents(&self, key: &ConversationKey, delivery: &Delivery) {
        self.retain(key, |subscription| {
            subscription.stream != Stream::Internal
                || self.push(&subscription.outlet, delivery.clone())
        });
    }

    /// Tells the visitors among the subscribers; whether anyone heard it.
    pub(crate) fn tell_visitors(&self, key: &ConversationKey, delivery: &Delivery) -> bool {
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

    /// Ends the subscriptions of those who may no longer see the conversation.
    pub(crate) fn recheck(&self, key: &ConversationKey, sees: impl Fn(Principal, Role) -> bool) {
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
            audience.subscriptions.retain(|subscription| !subscription.outlet.is_closed());
            !audience.subscriptions.is_empty()
        });
    }

    /// Conversations with subscribers, and subscriptions.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let conversations = self.conversations.lock();
        let subscriptions = conversations.values().map(|audience| audience.subscriptions.len());
        (conversations.len(), subscriptions.sum())
    }

    fn retain(&self, key: &ConversationKey, keep: impl Fn(&Subscription) -> bool) {
        self.retain_if(key, |_| true, keep);
    }

    fn retain_if(
        &self,
        key: &ConversationKey,
        admit: impl Fn(&[Subscription]) -> bool,
        keep: impl Fn(&Subscription) -> bool,
    ) {
        let mut conversations = self.conversations.lock();
        let Some(audience) = conversations.get_mut(key) else { return };
        if !admit(&audience.subscriptions) {
            return;
        }
        audience.subscriptions.retain(keep);
        if audience.subscriptions.is_empty() {
            conversations.remove(key);
        }
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
