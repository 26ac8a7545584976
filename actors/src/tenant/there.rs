//! A tenant among nodes: the way to its home, what comes from there, and what its home answers.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::try_join_all;
use ractor::concurrency::oneshot;
use switchboard_cluster::ownership::{Epoch, NodeName, Owner};
use switchboard_cluster::transport::NotSent;
use switchboard_domain::card::Card;
use switchboard_domain::conversation::{Conversation, Status};
use switchboard_domain::ids::{AgentId, ConversationId};
use switchboard_store::{ConversationKey, Fault, Store};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::link::{At, By};
use super::{Link, Policies, Tenant};
use crate::answer::Refusal;
use crate::cards::Concerns;
use crate::mailbox::{BUSY, Permit, Reply, answered};
use crate::remote::home::{Answer, Bulletin, News, Place, Question, Report, Word};
use crate::remote::{Asker, Outcome};
use crate::world::World;
use crate::{presence, queue, region};

/// How long to wait before a home is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often a node looks who is home, where nothing made it look.
const SETTLE_EVERY: Duration = Duration::from_millis(250);
/// How often other nodes are told of changes at most, so that many travel together.
const TELL_EVERY: Duration = Duration::from_millis(25);
/// The same where only lists are shown: of a busy conversation, which changes with every message.
const TELL_LISTS_EVERY: Duration = Duration::from_millis(100);
/// Checkpoints that are asked for at a time, of conversations that no list shows.
const CHECKPOINTS_AT_ONCE: usize = 64;
/// After how long what ended is nobody's news any more: twice this is remembered, longer than
/// anything old is told.
const FORGET_EVERY: Duration = Duration::from_mins(2);

/// What the home said.
pub(crate) enum Found<T> {
    /// This node is it.
    Here(T),
    /// Another one is.
    There(Answer),
}

/// Keeps every tenant in touch with its home, as long as the actors are there.
pub(crate) fn keep(world: &Arc<World>) {
    let Some(remote) = &world.remote else { return };
    let news = Arc::clone(&remote.news);
    let world = Arc::downgrade(world);
    ractor::concurrency::spawn(async move {
        let mut forgot_at = Instant::now();
        loop {
            let told_at = Instant::now();
            news.wait(told_at).await;
            let Some(world) = Weak::upgrade(&world) else { return };
            let forgets = told_at.duration_since(forgot_at) >= FORGET_EVERY;
            if forgets {
                forgot_at = told_at;
            }
            for tenant in world.tenants.all() {
                tenant.settle(&world);
                tenant.flush();
                if forgets {
                    tenant.cards.forget_gone();
                }
            }
        }
    });
}

/// That tenants have something to tell other nodes.
#[derive(Debug, Default)]
pub(crate) struct HasNews {
    soon: Notify,
    for_lists: Notify,
}

impl HasNews {
    /// Of something that somebody may wait for: the first is told at once.
    pub(crate) fn soon(&self) {
        self.soon.notify_one();
    }

    /// Of something that lists show, and no more.
    pub(crate) fn for_lists(&self) {
        self.for_lists.notify_one();
    }

    /// Waits until it is time to tell, or to look who is home; the time before was then.
    async fn wait(&self, told_at: Instant) {
        let soon = async {
            self.soon.notified().await;
            sleep_until(told_at + TELL_EVERY).await;
        };
        let for_lists = async {
            self.for_lists.notified().await;
            sleep_until(told_at + TELL_LISTS_EVERY).await;
        };
        tokio::select! {
            // In this order: a run under a simulation is the same each time, and what is told soon
            // takes along what lists show.
            biased;
            () = for_lists => {}
            () = soon => {}
            () = sleep_until(told_at + SETTLE_EVERY) => {}
        }
    }
}

/// From this node to the home.
impl Tenant {
    /// Whether presence and queue act here.
    pub(crate) fn is_home(&self) -> bool {
        self.link.as_ref().is_none_or(|link| link.at() == At::Here)
    }

    /// Asks the home, whichever node that is, until it answers or time is over; `here` asks this
    /// one.
    pub(crate) async fn find<T, H: Future<Output = Result<T, Refusal>>>(
        &self,
        link: &Link,
        question: impl Fn() -> Question + Send,
        here: impl Fn() -> H + Send,
        within: Duration,
    ) -> Result<Found<T>, Refusal> {
        let until = Instant::now() + within;
        let mut is_in_doubt = false;
        loop {
            if let At::Here = link.at() {
                match here().await {
                    // The home changes.
                    Err(Refusal::Moved) => {}
                    result => return result.map(Found::Here),
                }
            } else if let At::There(node) = link.at() {
                let within = until.saturating_duration_since(Instant::now());
                let asked = link.remote().ask_home(&node, &self.id, question(), within);
                match asked.await {
                    Outcome::Answered(Answer::Moved { to: Some(to) }) => {
                        link.ownership().moved(link.shard(), NodeName(to));
                    }
                    Outcome::Answered(Answer::Moved { to: None })
                    | Outcome::NotSent(NotSent::Down) => {}
                    Outcome::Answered(answer) => return Ok(Found::There(answer)),
                    // Too much waits for that node already: more would only wait too.
                    Outcome::NotSent(NotSent::Full | NotSent::TooLong) => break,
                    // Whatever became of it: asked twice it leaves the same behind.
                    Outcome::Lost => is_in_doubt = true,
                }
            }
            if Instant::now() + LOOK_AGAIN >= until {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(if is_in_doubt { Refusal::Unknown } else { BUSY })
    }

    /// A connection of an agent opened or closed.
    pub(crate) fn note_desk(&self, agent: AgentId) {
        if let Some(link) = &self.link {
            link.note_desk(agent);
        }
    }

    /// An agent gave a sign of life.
    pub(crate) fn alive(&self, agent: AgentId) {
        match &self.link {
            Some(link) if !self.is_home() => link.note_alive(agent),
            Some(_) | None => self.alive_here(agent),
        }
    }

    fn alive_here(&self, agent: AgentId) {
        if let Some(permit) = self.presence.gauge().enter() {
            // Lossy: the next sign of life says the same.
            let alive = presence::Message::Alive { agent, _permit: permit };
            drop(self.presence.cast(alive));
        }
    }

    /// Nothing came of a reservation.
    pub(crate) fn cancel(&self, agent: AgentId, conversation: ConversationId) {
        match &self.link {
            Some(link) if !self.is_home() => link.note_cancelled(agent, conversation),
            // When presence is away, its next life knows no reservations, or they expire.
            Some(_) | None => {
                let cancel = presence::Message::Cancel { agent, conversation };
                drop(self.presence.cast(cancel));
            }
        }
    }

    /// The owner of a conversation answered a client that this is what it is now. The owner says
    /// so itself; but a slot must not be free again before it is heard (P11).
    pub(crate) fn answered(&self, state: &Conversation) {
        if self.link.is_some() {
            self.put_told(&Arc::new(Card::of(state)), By::Answer);
        }
    }

    /// Takes in and tells other nodes what a conversation is now of which nobody lived to tell them,
    /// and whose shard this node holds under that epoch. One that has ended is in no list that is
    /// read from now on, and another node may still tell it as open.
    pub(crate) fn tell_repaired(&self, state: &Conversation, epoch: Epoch) {
        self.put_told(&Arc::new(Card::of(state)), By::Own(epoch));
    }

    /// How departments route changed here.
    pub(crate) fn told_policies(&self, policies: &Policies) {
        if let Some(link) = &self.link {
            link.note_policies(policies, By::Answer);
        }
    }

    /// Tells the visitor of a waiting conversation its place. Whether anybody is told.
    pub(crate) fn tell_place(
        &self,
        conversations: &region::Handle,
        conversation: ConversationId,
        place: Place,
    ) -> bool {
        let key = self.key(conversation);
        if let Some(link) = &self.link
            && let Owner::There(node) = link.ownership().owner(region::shard(&key))
        {
            return link.note_place(&node, conversation, place);
        }
        conversations.fanout(&key).place(&key, place.position, place.eta)
    }

    /// Forgets who listens on other nodes to what does not wait any more.
    pub(crate) fn forget_listening(&self) {
        if let Some(link) = &self.link {
            link.forget_listening(&self.cards);
        }
    }

    /// Whether this node owns a conversation.
    pub(crate) fn owns(&self, key: &ConversationKey) -> bool {
        let ownership = self.link.as_ref().map(Link::ownership);
        ownership.is_none_or(|it| matches!(it.owner(region::shard(key)), Owner::Here(_)))
    }

    fn key(&self, conversation: ConversationId) -> ConversationKey {
        ConversationKey { tenant: self.id.clone(), conversation }
    }

    fn put_told(&self, card: &Arc<Card>, by: By<'_>) {
        let concerns = self.cards.put(card);
        // How long it waited its owner has counted.
        self.tell_actors(Concerns { waited: None, ..concerns });
        if let Some(link) = &self.link {
            link.note_card(card, by, concerns.is_pressing);
        }
    }

    fn put_readers_told(
        &self,
        conversation: ConversationId,
        readers: Vec<(AgentId, u32)>,
        by: &NodeName,
    ) {
        self.tell_actors(self.cards.set_readers_told(conversation, readers));
        if let Some(link) = &self.link {
            link.note_readers(conversation, By::Node(by));
        }
    }
}

/// When the home comes and goes.
impl Tenant {
    /// Looks who is home and does what follows.
    pub(super) fn settle(self: &Arc<Self>, world: &Arc<World>) {
        let Some(link) = &self.link else { return };
        let turn = link.settle(&self.cards, &self.desks);
        if turn.has_ended {
            self.let_actors_look();
        }
        if turn.follows {
            self.say_who_listens(world, link);
        }
        if let Some(epoch) = turn.begins {
            tracing::info!(tenant = %self.id, "this node is the home");
            let (world, tenant) = (Arc::clone(world), Arc::clone(self));
            ractor::concurrency::spawn(async move { tenant.come_home(&world, epoch).await });
        } else if turn.verifies
            && let Some(epoch) = link.home_epoch()
        {
            let (world, tenant) = (Arc::clone(world), Arc::clone(self));
            ractor::concurrency::spawn(async move { tenant.verify_again(&world, epoch).await });
        }
    }

    /// Tells a new home of which conversations of this node that wait the visitors listen.
    fn say_who_listens(&self, world: &World, link: &Link) {
        let Some(conversations) = world.conversations.get() else { return };
        let mut cards = self.cards.all();
        cards.retain(|card| card.status == Status::Waiting);
        for card in cards {
            let key = self.key(card.id);
            // A node that may not say of its own that they are its own will say nothing later.
            let is_others = matches!(link.ownership().owner(region::shard(&key)), Owner::There(_));
            if !is_others && conversations.fanout(&key).has_visitor(&key) {
                link.note_listening(card.id);
            }
        }
    }

    async fn come_home(&self, world: &World, epoch: Epoch) {
        let Some(link) = &self.link else { return };
        match self.verify(link, &*world.store).await {
            Ok(()) => {
                link.may_begin(epoch);
                self.let_actors_look();
            }
            Err(fault) => {
                tracing::warn!(tenant = %self.id, error = %fault, "not at home yet");
                link.failed(epoch);
            }
        }
    }

    async fn verify_again(&self, world: &World, epoch: Epoch) {
        let Some(link) = &self.link else { return };
        let reached_all = link.reaches_all();
        let verified = self.verify(link, &*world.store).await;
        if let Err(fault) = &verified {
            tracing::warn!(tenant = %self.id, error = %fault, "the lists were not verified");
        }
        link.verified(epoch, reached_all && verified.is_ok());
    }

    /// Takes from the store what is newer there than what anybody told: what nodes stored and did
    /// not live to tell.
    async fn verify(&self, link: &Link, store: &dyn Store) -> Result<(), Fault> {
        let put = |card: &Arc<Card>, concerns: Concerns| {
            self.tell_actors(Concerns { waited: None, ..concerns });
            link.note_card(card, By::Store, concerns.is_pressing);
            link.note_readers(card.id, By::Store);
        };
        let open = self.cards.read(store, &put).await?;
        // Their checkpoints are not written yet, or they have ended.
        let mut unlisted: Vec<ConversationId> =
            self.cards.all().iter().map(|card| card.id).collect();
        unlisted.retain(|id| !open.contains(id) && !link.is_own(*id));
        for some in unlisted.chunks(CHECKPOINTS_AT_ONCE) {
            let keys: Vec<ConversationKey> = some.iter().map(|id| self.key(*id)).collect();
            let checkpoint = async |key| match store.checkpoint(key).await {
                // A node of the next release wrote it, and what it told stands.
                Err(Fault::TooNew { .. }) => Ok(None),
                read => read,
            };
            for state in try_join_all(keys.iter().map(checkpoint)).await? {
                if let Some(state) = state.filter(|state| !state.status.is_open()) {
                    self.put_told(&Arc::new(Card::of(&state)), By::Store);
                }
            }
        }
        Ok(())
    }

    fn let_actors_look(&self) {
        // Those who are away look when they come back.
        drop(self.presence.cast(presence::Message::Settle));
        drop(self.queue.cast(queue::Message::Settle));
    }

    pub(super) fn flush(&self) {
        if let Some(link) = &self.link {
            link.flush(&self.cards, &self.desks);
        }
    }

    /// A node is gone, and its connections with it.
    pub(crate) fn gone(&self, node: &NodeName) {
        if let Some(link) = &self.link
            && link.gone(node)
        {
            let gone = presence::Message::Desks { node: node.clone(), is_new: false };
            drop(self.presence.cast(gone));
        }
    }
}

/// From the home to this guest.
impl Tenant {
    pub(crate) fn told(&self, world: &World, from: &NodeName, visit: u64, news: News) {
        let Some(link) = &self.link else { return };
        match news {
            News::Bulletin { version, bulletin } => {
                if link.heard(from, visit, version) {
                    self.take_in((world, link), from, bulletin);
                }
            }
            News::Over { to } => link.over(from, visit, to),
        }
    }

    fn take_in(&self, (world, link): (&World, &Link), from: &NodeName, bulletin: Bulletin) {
        let Bulletin { cards, readers, is_whole, agents, anybody, places, policies } = bulletin;
        for card in &cards {
            self.put_told(card, By::Node(from));
        }
        for (conversation, readers) in readers {
            self.put_readers_told(conversation, readers, from);
        }
        if is_whole {
            for conversation in link.take_unconfirmed() {
                self.tell_actors(self.cards.take_away(conversation));
            }
        }
        for shown in &agents {
            self.set_departments(shown.agent.id, Arc::clone(&shown.departments));
        }
        let agents = link.mirror(agents);
        let anybody = anybody.filter(|online| *online != self.anybody_online());
        if !agents.is_empty() || anybody.is_some() {
            if let Some(online) = anybody {
                self.set_anybody_online(online);
            }
            // An actor that is away shows everything anew when it comes back.
            let mirrored = presence::Message::Mirrored { agents: agents.into(), anybody };
            drop(self.presence.cast(mirrored));
        }
        self.policies.lock().extend(policies);
        if let Some(conversations) = world.conversations.get() {
            for (conversation, Place { position, eta }) in places {
                let key = self.key(conversation);
                conversations.fanout(&key).place(&key, position, eta);
            }
        }
    }
}

/// From any node to this home.
impl Tenant {
    /// Another node asks.
    pub(crate) fn asked(self: &Arc<Self>, world: &Arc<World>, asker: Asker, question: Question) {
        let Some(link) = &self.link else { return };
        self.settle(world);
        let to = match link.at() {
            At::Here => None,
            At::There(node) => Some(Some(node.0)),
            At::Nowhere => Some(None),
        };
        if let Some(to) = to {
            link.ownership().asked_in_vain();
            return asker.answer_home(Answer::Moved { to });
        }
        use presence::Message;
        let within = world.config.answer_within;
        match question {
            Question::Connect { agent, profile } => {
                let connection = presence::connection_of(asker.node());
                link.set_desk(asker.node(), agent, true);
                let connect = |_permit, reply| Message::Connected {
                    agent,
                    connection,
                    profile,
                    _permit,
                    reply,
                };
                self.pass(asker, within, connect, |agent| Answer::Agent { agent: Some(agent) });
            }
            Question::Set { agent, setting } => {
                let set = |_permit, reply| Message::Set { agent, setting, _permit, reply };
                self.pass(asker, within, set, |agent| Answer::Agent { agent: Some(agent) });
            }
            Question::Get { agent } => {
                let get = |_permit, reply| Message::Get { agent, _permit, reply };
                self.pass(asker, within, get, |agent| Answer::Agent { agent });
            }
            Question::All => {
                let all = |_permit, reply| Message::All { _permit, reply };
                self.pass(asker, within, all, |agents| Answer::Agents { agents });
            }
            Question::Seen => {
                let seen = |_permit, reply| Message::Seen { _permit, reply };
                self.pass(asker, within, seen, |seen| Answer::Seen {
                    seen: seen.into_iter().collect(),
                });
            }
            Question::Reserve { agent, conversation } => {
                let reserve =
                    |_permit, reply| Message::Reserve { agent, conversation, _permit, reply };
                self.pass(asker, within, reserve, |name| Answer::Reserved { name });
            }
        }
    }

    /// Passes a question on, in the order in which questions come, and answers it when it is
    /// answered.
    fn pass<T: Send + 'static>(
        &self,
        asker: Asker,
        within: Duration,
        message: impl FnOnce(Permit, Reply<T>) -> presence::Message,
        answer: impl FnOnce(T) -> Answer + Send + 'static,
    ) {
        let Some(permit) = self.presence.gauge().enter() else {
            return asker.answer_home(Answer::Refused { refusal: BUSY });
        };
        let (reply, replied) = oneshot();
        if self.presence.cast(message(permit, reply.into())).is_err() {
            return asker.answer_home(Answer::Moved { to: None });
        }
        ractor::concurrency::spawn(async move {
            asker.answer_home(match answered(within, replied).await {
                Ok(done) => answer(done),
                Err(Refusal::Moved) => Answer::Moved { to: None },
                Err(refusal) => Answer::Refused { refusal },
            });
        });
    }

    /// A guest says something.
    pub(crate) fn said(
        self: &Arc<Self>,
        world: &Arc<World>,
        from: &NodeName,
        visit: u64,
        word: Word,
    ) {
        let Some(link) = &self.link else { return };
        self.settle(world);
        let is_known = match word {
            Word::Follow { desks, seen } => {
                let policies = self.policies.lock().clone();
                let follows = link.followed(from, visit, (desks, seen), &self.cards, &policies);
                if follows {
                    // One that is away looks at all guests when it comes back.
                    let desks = presence::Message::Desks { node: from.clone(), is_new: true };
                    drop(self.presence.cast(desks));
                }
                follows
            }
            Word::Still => link.knows(from, visit),
            Word::Report { report } => {
                let is_known = link.knows(from, visit);
                if is_known {
                    self.take_report(link, from, report);
                }
                is_known
            }
        };
        if !is_known {
            link.say_over(from, visit);
        }
    }

    fn take_report(&self, link: &Link, from: &NodeName, report: Report) {
        let Report { cards, readers, desks, alive, listening, cancelled, policies } = report;
        for card in &cards {
            self.put_told(card, By::Node(from));
        }
        for (conversation, readers) in readers {
            self.put_readers_told(conversation, readers, from);
        }
        if !desks.is_empty() {
            for (agent, is_there) in desks {
                link.set_desk(from, agent, is_there);
            }
            let desks = presence::Message::Desks { node: from.clone(), is_new: false };
            drop(self.presence.cast(desks));
        }
        for agent in alive {
            self.alive_here(agent);
        }
        for conversation in listening {
            // One that was served meanwhile is said again when it waits again.
            if self.cards.waits(conversation) {
                link.set_listening(from, conversation);
                self.listens(conversation);
            }
        }
        for (agent, conversation) in cancelled {
            drop(self.presence.cast(presence::Message::Cancel { agent, conversation }));
        }
        if !policies.is_empty() {
            let policies = policies.into_iter().collect();
            link.note_policies(&policies, By::Node(from));
            self.policies.lock().extend(policies);
            drop(self.queue.cast(queue::Message::PoliciesChanged { asked: None }));
        }
    }
}

#[cfg(test)]
mod tests;
