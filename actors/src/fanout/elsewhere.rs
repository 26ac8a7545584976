//! The audience on other nodes. Its owner's node tells each of them once; they pass it on to
//! their own subscribers.

use std::sync::Arc;

use switchboard_cluster::ownership::{Epoch, NodeName, Owner, Ownership};
use switchboard_domain::conversation::{Event, Heads, Stream};
use switchboard_domain::ids::Seq;
use switchboard_domain::person::{Principal, Role};
use switchboard_store::ConversationKey;

use super::{Audience, Fanout, Source, Subscription};
use crate::delivery::{Delivery, Unsubscribed};
use crate::published::Published;
use crate::region::shard;
use crate::remote::{News, Word};

/// Somebody hears one stream on another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) node: NodeName,
    pub(crate) principal: Principal,
    pub(crate) role: Role,
    pub(crate) stream: Stream,
}

/// The owner's side.
impl Fanout {
    /// Enters a listener of another node, when both streams stand at `heads` under `epoch`. Only
    /// the conversation's actor calls this.
    pub(crate) fn listen(
        &self,
        key: &ConversationKey,
        (heads, epoch): (Heads, Epoch),
        listener: Listener,
    ) {
        let mut conversations = self.conversations.lock();
        let audience = conversations.enter(key, heads);
        if audience.told_by().is_some() {
            self.lose_all(key, audience);
        }
        if audience.is_empty() {
            audience.published = heads;
        }
        audience.source = Source::Here(epoch);
        if !audience.hearers.there().contains(&listener) {
            audience.hearers.enter_there(listener);
        }
    }

    /// Nobody on that node listens to the stream any more.
    pub(crate) fn unlisten(&self, key: &ConversationKey, node: &NodeName, stream: Stream) {
        let mut conversations = self.conversations.lock();
        let Some(audience) = conversations.get_mut(key) else { return };
        audience.hearers.retain_there(|it| it.node != *node || it.stream != stream);
        if audience.is_empty() {
            conversations.remove(key);
        }
    }

    /// Somebody on another node said something that is passed on.
    pub(crate) fn said(&self, key: &ConversationKey, by: &NodeName, word: Word) {
        match word {
            Word::Typing { caller, on, preview } => {
                self.hear_typing(key, &caller.author, on, preview.as_ref());
                self.tell(key, Stream::Public, Some(by), || News::Typing {
                    from: caller.author.clone(),
                    on,
                    preview: preview.clone(),
                });
            }
            Word::Page { page, .. } => {
                self.hear_page(key, &Arc::new(page.clone()));
                self.tell(key, Stream::Internal, Some(by), || News::Page { page: page.clone() });
            }
            Word::Viewing { agents } => {
                self.hear_viewing(key, &agents.clone().into());
                let news = || News::Viewing { agents: agents.clone() };
                self.tell(key, Stream::Internal, Some(by), news);
            }
            Word::Unlisten { stream } => self.unlisten(key, by, stream),
            // Receipts go to the conversation itself.
            Word::Receipt { .. } => {}
        }
    }

    /// Tells the nodes where somebody hears the stream, except one. What does not fit is left
    /// out: these are courtesies. Whether anybody was told.
    pub(super) fn tell(
        &self,
        key: &ConversationKey,
        stream: Stream,
        except: Option<&NodeName>,
        news: impl FnOnce() -> News,
    ) -> bool {
        let Some(remote) = &self.remote else { return false };
        let conversations = self.conversations.lock();
        let Some(audience) = conversations.get(key) else { return false };
        let mut nodes = nodes(audience, |it| it.stream == stream);
        nodes.retain(|node| Some(*node) != except);
        if nodes.is_empty() {
            return false;
        }
        let news = news();
        let is_ephemeral = news.is_ephemeral();
        let envelope = remote.envelope(key, news);
        let mut is_told = false;
        for node in nodes {
            // P7: what nobody misses goes first.
            let told = if is_ephemeral {
                remote.offer(node, &envelope)
            } else {
                remote.send(node, &envelope)
            };
            is_told |= told.is_ok();
        }
        is_told
    }

    /// Tells the other nodes, or the owner, who tells them.
    pub(super) fn pass_on(
        &self,
        key: &ConversationKey,
        stream: Stream,
        news: impl FnOnce() -> News,
        word: impl FnOnce() -> Word,
    ) {
        match (&self.remote, self.told_by(key)) {
            (Some(remote), Some(owner)) => remote.say(&owner, key, word()),
            (Some(_), None) => drop(self.tell(key, stream, None, news)),
            (None, _) => {}
        }
    }

    /// Tells each node of the events that somebody there hears. P13: of the internal stream only
    /// where somebody subscribed to it. A node that cannot be told must subscribe again.
    pub(super) fn tell_events(
        &self,
        key: &ConversationKey,
        audience: &mut Audience,
        events: &[Arc<Published>],
    ) {
        let Some(remote) = &self.remote else { return };
        let mut lost = Vec::new();
        for node in nodes(audience, |_| true) {
            let heard = |it: &&Arc<Published>| {
                let stream = it.event.stream;
                audience.hearers.there().iter().any(|own| own.node == *node && own.stream == stream)
            };
            let events: Vec<Event> =
                events.iter().filter(heard).map(|it| it.event.clone()).collect();
            if events.is_empty() {
                continue;
            }
            let envelope = remote.envelope(key, News::Events { events });
            if remote.send(node, &envelope).is_err() {
                lost.push(node.clone());
            }
        }
        for node in lost {
            remote.tell_lost(&node, key);
            audience.hearers.retain_there(|it| it.node != node);
        }
    }

    /// Ends what other nodes listen to.
    pub(super) fn lose_listeners(&self, key: &ConversationKey, audience: &mut Audience) {
        let Some(remote) = &self.remote else { return };
        for node in nodes(audience, |_| true) {
            remote.tell_lost(node, key);
        }
        audience.hearers.retain_there(|_| false);
    }

    /// Ends the listening of those who may no longer see the conversation.
    pub(super) fn recheck_listeners(
        &self,
        key: &ConversationKey,
        sees: &impl Fn(Principal, Role) -> bool,
    ) {
        let Some(remote) = &self.remote else { return };
        let mut conversations = self.conversations.lock();
        let Some(audience) = conversations.get_mut(key) else { return };
        let ended: Vec<Listener> = audience
            .hearers
            .there()
            .iter()
            .filter(|it| !sees(it.principal, it.role))
            .cloned()
            .collect();
        audience.hearers.retain_there(|it| sees(it.principal, it.role));
        for Listener { node, principal, stream, .. } in ended {
            let envelope = remote.envelope(key, News::Forbidden { principal, stream });
            if remote.send(&node, &envelope).is_err() {
                remote.tell_lost(&node, key);
            }
        }
    }
}

/// The side of a node whose clients listen.
impl Fanout {
    /// Enters a subscription at the moment when the owner said where the streams stand.
    pub(crate) fn subscribe_there(
        &self,
        key: &ConversationKey,
        heads: Heads,
        subscription: Subscription,
        marker: Delivery,
        owner: &NodeName,
    ) {
        self.enter(key, heads, subscription, marker, Source::There(owner.clone()));
    }

    /// The owner on another node that tells of a conversation.
    pub(super) fn told_by(&self, key: &ConversationKey) -> Option<NodeName> {
        self.remote.as_ref()?;
        self.conversations.lock().get(key)?.told_by().cloned()
    }

    pub(super) fn hears(&self, key: &ConversationKey, stream: Stream) -> bool {
        let conversations = self.conversations.lock();
        let audience = conversations.get(key);
        audience.is_some_and(|it| it.hearers.here().iter().any(|own| own.stream == stream))
    }

    /// The owner told something. Answers the streams of it that nobody here listens to.
    pub(crate) fn told(&self, key: &ConversationKey, by: &NodeName, news: News) -> Vec<Stream> {
        if self.told_by(key).as_ref() != Some(by) {
            return match news {
                News::Events { events } => streams(&events),
                _ => Vec::new(),
            };
        }
        match news {
            News::Events { events } => return self.told_events(key, events),
            News::Receipt { by, receipt } => self.hear_receipt(key, &by, receipt),
            News::Typing { from, on, preview } => {
                self.hear_typing(key, &from, on, preview.as_ref());
            }
            News::Page { page } => self.hear_page(key, &Arc::new(page)),
            News::Viewing { agents } => self.hear_viewing(key, &agents.into()),
            News::Place { position, eta } => drop(self.hear_place(key, position, eta)),
            News::Forbidden { principal, stream } => self.forbid(key, principal, stream),
            News::Lost => self.lose(key),
        }
        Vec::new()
    }

    fn told_events(&self, key: &ConversationKey, events: Vec<Event>) -> Vec<Stream> {
        let mut conversations = self.conversations.lock();
        let Some(audience) = conversations.get_mut(key) else { return streams(&events) };
        let mut news = Vec::with_capacity(events.len());
        let mut unheard = Vec::new();
        for event in events {
            let stream = event.stream;
            if !audience.hearers.here().iter().any(|own| own.stream == stream) {
                unheard.push(stream);
                continue;
            }
            let published = audience.published.of(stream);
            if event.seq <= published {
                continue;
            }
            if event.seq != Seq(published.0 + 1) {
                // P5: rather begin anew than leave one out.
                tracing::error!(conversation = %key.conversation, "an owner left events out");
                self.lose_all(key, audience);
                conversations.remove(key);
                return Vec::new();
            }
            match stream {
                Stream::Public => audience.published.public = event.seq,
                Stream::Internal => audience.published.internal = event.seq,
            }
            news.push(Arc::new(Published::new(key.conversation, event)));
        }
        self.push_events(audience, &news);
        if audience.is_empty() {
            conversations.remove(key);
        }
        unheard.dedup();
        unheard
    }

    fn forbid(&self, key: &ConversationKey, principal: Principal, stream: Stream) {
        self.retain(key, |subscription| {
            let ends = subscription.principal == principal && subscription.stream == stream;
            if ends {
                let (conversation, why) = (key.conversation, Unsubscribed::Forbidden);
                self.push(
                    &subscription.outlet,
                    Delivery::Unsubscribed { conversation, stream, why },
                );
            }
            !ends
        });
    }
}

/// When nodes come, go and change hands.
impl Fanout {
    /// A node is gone: it listens no more, and tells no more.
    pub(crate) fn gone(&self, node: &NodeName) {
        self.conversations.lock().retain(|key, audience| {
            audience.hearers.retain_there(|it| it.node != *node);
            if audience.told_by() == Some(node) {
                self.lose_all(key, audience);
            }
            !audience.is_empty()
        });
    }

    /// Ends what somebody is told of by a node that is not the owner any more, and what this node
    /// tells of conversations that are another's now.
    pub(crate) fn settle(&self, ownership: &dyn Ownership) {
        self.conversations.lock().retain(|key, audience| {
            let is_settled = match ownership.owner(shard(key)) {
                // Lost and won again, it may have grown meanwhile.
                Owner::Here(epoch) => audience.source == Source::Here(epoch),
                Owner::There(node) => audience.source == Source::There(node),
                // Somebody will own it soon, perhaps the same.
                Owner::Nobody => true,
            };
            if !is_settled {
                self.lose_all(key, audience);
            }
            is_settled
        });
    }
}

/// The nodes of some listeners, each once.
fn nodes(audience: &Audience, which: impl Fn(&Listener) -> bool) -> Vec<&NodeName> {
    let mut nodes: Vec<&NodeName> = Vec::new();
    for listener in audience.hearers.there().iter().filter(|it| which(it)) {
        if !nodes.contains(&&listener.node) {
            nodes.push(&listener.node);
        }
    }
    nodes
}

fn streams(events: &[Event]) -> Vec<Stream> {
    let mut streams: Vec<Stream> = events.iter().map(|event| event.stream).collect();
    streams.dedup();
    streams
}

#[cfg(test)]
impl Fanout {
    /// The nodes that are told of a conversation.
    pub(crate) fn listening(&self, key: &ConversationKey) -> Vec<NodeName> {
        let conversations = self.conversations.lock();
        let audience = conversations.get(key);
        audience.map_or_else(Vec::new, |it| nodes(it, |_| true).into_iter().cloned().collect())
    }
}
