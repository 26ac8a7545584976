//! The cards of a tenant's open conversations: what lists, queues and slots are made of.
//!
//! Each card is written by its conversation's actor alone, right after the log, and read by the
//! tenant's actors, which are woken once and then take all changes together. So a busy
//! conversation costs them no message each, and nothing here grows beyond one entry a
//! conversation. The whole outlives those actors, who begin again from it.

mod set;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use switchboard_domain::card::Card;
use switchboard_domain::conversation::{Conversation, Heads, Status};
use switchboard_domain::ids::{AgentId, ConversationId, TenantId};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;
use switchboard_store::{ConversationKey, Fault, List, ListScope, Store};
use tokio::sync::{OnceCell, watch};

use crate::maps::{HashMap, HashSet};

pub(crate) use self::set::CardSet;

/// Conversations read at once when the cards are rebuilt.
const PAGE: usize = 500;
/// Of how many of them what was read is asked for at a time: a database answers one after the other
/// as slowly as from afar.
const READ_AT_ONCE: usize = 64;

/// The open conversations of one tenant.
#[derive(Debug)]
pub(crate) struct Cards {
    tenant: TenantId,
    board: Mutex<Board>,
    rebuilt: OnceCell<()>,
    /// Whether other nodes tell cards too.
    is_shared: bool,
}

#[derive(Debug, Default)]
struct Board {
    open: CardSet,
    /// How many messages of the visitor each agent has read, where any has.
    readers: HashMap<ConversationId, Vec<(AgentId, u32)>>,
    /// Closed or archived since it was last asked, with its last card.
    ended: HashMap<ConversationId, Arc<Card>>,
    for_inbox: HashSet<ConversationId>,
    for_queue: HashSet<ConversationId>,
    /// What ended, and with how many events: lists that are read and other nodes may be behind.
    gone: Gone,
}

/// What ended lately, in two halves by age.
#[derive(Debug, Default)]
struct Gone {
    /// `None` while nobody can be behind.
    newer: Option<HashMap<ConversationId, u64>>,
    older: HashMap<ConversationId, u64>,
}

impl Gone {
    /// Whether something as new is known to have ended.
    fn has(&self, card: &Card) -> bool {
        let newer = self.newer.as_ref().and_then(|newer| newer.get(&card.id));
        let ended = newer.or_else(|| self.older.get(&card.id));
        ended.is_some_and(|ended| n_events(card.heads) <= *ended)
    }

    fn insert(&mut self, card: &Card) {
        if let Some(newer) = &mut self.newer {
            newer.insert(card.id, n_events(card.heads));
        }
    }
}

/// Whom a change concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Concerns {
    /// The inbox should take the changes.
    pub(crate) inbox: bool,
    /// The queue should take the changes.
    pub(crate) queue: bool,
    /// Somebody may wait for it: it waits otherwise than before, changed hands or ended.
    pub(crate) is_pressing: bool,
    /// The conversation went from one agent to another.
    pub(crate) moved: Option<Moved>,
    /// An agent took it after it waited so long.
    pub(crate) waited: Option<Duration>,
}

/// A conversation went from one agent to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) conversation: ConversationId,
    pub(crate) from: Option<AgentId>,
    pub(crate) to: Option<AgentId>,
}

/// A changed conversation, as the inbox sees it.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) conversation: ConversationId,
    /// The newest card, of an open or a just ended conversation.
    pub(crate) card: Option<Arc<Card>>,
}

impl Cards {
    pub(crate) fn new(tenant: TenantId, is_shared: bool) -> Self {
        let cards = Self { tenant, board: Mutex::default(), rebuilt: OnceCell::new(), is_shared };
        if is_shared {
            cards.board.lock().gone.newer = Some(HashMap::default());
        }
        cards
    }

    /// Takes in what a conversation is now and says whom that concerns.
    pub(crate) fn put(&self, card: &Arc<Card>) -> Concerns {
        self.board.lock().put(card)
    }

    /// Takes a card away of a conversation that is nowhere.
    pub(crate) fn take_away(&self, conversation: ConversationId) -> Concerns {
        self.board.lock().take_away(conversation)
    }

    /// How many wait for a department, or without one.
    pub(crate) fn waiting(&self, department: Option<&str>) -> usize {
        self.board.lock().open.waiting(department)
    }

    /// Whether a conversation waits, in line or outside it.
    pub(crate) fn waits(&self, conversation: ConversationId) -> bool {
        let board = self.board.lock();
        board.open.get(&conversation).is_some_and(|card| card.status == Status::Waiting)
    }

    /// Hears from now on when as many may wait no more in some line.
    pub(crate) fn lines(&self) -> watch::Receiver<()> {
        self.board.lock().open.lines()
    }

    /// Whether something newer is known of a conversation than its card says.
    pub(crate) fn are_behind(&self, state: &Conversation) -> bool {
        let board = self.board.lock();
        match board.open.get(&state.id) {
            Some(card) => n_events(card.heads) < n_events(state.heads),
            None => state.status.is_open(),
        }
    }

    /// Takes in how far agents have read.
    pub(crate) fn set_readers(
        &self,
        conversation: ConversationId,
        receipts: impl Iterator<Item = (Principal, Receipt)>,
    ) -> Concerns {
        let mut board = self.board.lock();
        if board.open.get(&conversation).is_none() {
            return Concerns::default();
        }
        board.set_readers(conversation, readers(receipts));
        Concerns { inbox: board.note_for_inbox(conversation), ..Concerns::default() }
    }

    /// As [`set_readers`](Self::set_readers), told by another node.
    pub(crate) fn set_readers_told(
        &self,
        conversation: ConversationId,
        readers: Vec<(AgentId, u32)>,
    ) -> Concerns {
        let mut board = self.board.lock();
        if board.open.get(&conversation).is_none() {
            return Concerns::default();
        }
        board.set_readers(conversation, readers);
        Concerns { inbox: board.note_for_inbox(conversation), ..Concerns::default() }
    }

    /// How many messages of the visitor each agent has read.
    pub(crate) fn readers_of(&self, conversation: ConversationId) -> Vec<(AgentId, u32)> {
        self.board.lock().readers.get(&conversation).cloned().unwrap_or_default()
    }

    /// Reads the open conversations from the store, once, and says what was not known. Before it the
    /// lists are not whole.
    pub(crate) async fn rebuild(
        &self,
        store: &dyn Store,
        newer: &(dyn Fn(&Arc<Card>) + Sync),
    ) -> Result<(), Fault> {
        // Whoever is concerned here begins from the whole.
        let rebuild = || async { self.read(store, &|card, _| newer(card)).await.map(drop) };
        self.rebuilt.get_or_try_init(rebuild).await.map(|_| ())
    }

    /// Whether the open conversations were read since the start.
    pub(crate) fn are_rebuilt(&self) -> bool {
        self.rebuilt.initialized()
    }

    /// Reads the open conversations from the store, says what is newer there than what is known,
    /// and answers which they are.
    pub(crate) async fn read(
        &self,
        store: &dyn Store,
        newer: &(dyn Fn(&Arc<Card>, Concerns) + Sync),
    ) -> Result<HashSet<ConversationId>, Fault> {
        self.board.lock().gone.newer.get_or_insert_default();
        let mut found = HashSet::default();
        let mut after = None;
        loop {
            let page = store.list(List {
                tenant: self.tenant.clone(),
                statuses: vec![Status::Waiting, Status::Active],
                department: None,
                scope: ListScope::All,
                after,
                limit: PAGE,
            });
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = Some((last.last_at, last.id));
            found.extend(page.iter().map(|state| state.id));
            let mut cards: Vec<Arc<Card>> =
                page.iter().map(|state| Arc::new(Card::of(state))).collect();
            cards.retain(|card| !self.board.lock().knows(card));
            for cards in cards.chunks(READ_AT_ONCE) {
                let receipts = cards.iter().map(async |card| {
                    let key =
                        ConversationKey { tenant: self.tenant.clone(), conversation: card.id };
                    store.receipts(&key).await
                });
                for (card, receipts) in cards.iter().zip(try_join_all(receipts).await?) {
                    let receipts = readers(receipts.into_iter());
                    let concerns = self.board.lock().restore(card, receipts);
                    newer(card, concerns);
                }
            }
        }
        if !self.is_shared {
            self.board.lock().gone.newer = None;
        }
        Ok(found)
    }

    /// Forgets what ended before this was called last.
    pub(crate) fn forget_gone(&self) {
        let gone = &mut self.board.lock().gone;
        if let Some(newer) = &mut gone.newer {
            gone.older = std::mem::take(newer);
        }
    }

    /// What changed since the inbox last asked.
    pub(crate) fn take_for_inbox(&self) -> Vec<Changed> {
        let board = &mut *self.board.lock();
        let changed = std::mem::take(&mut board.for_inbox);
        let ended = std::mem::take(&mut board.ended);
        let card = |id: &ConversationId| board.open.get(id).or_else(|| ended.get(id)).cloned();
        changed
            .iter()
            .map(|conversation| Changed { conversation: *conversation, card: card(conversation) })
            .collect()
    }

    /// What changed for the queue since it last asked, each with its card while open.
    pub(crate) fn take_for_queue(&self) -> Vec<(ConversationId, Option<Arc<Card>>)> {
        let board = &mut *self.board.lock();
        let changed = std::mem::take(&mut board.for_queue);
        changed.into_iter().map(|id| (id, board.open.get(&id).cloned())).collect()
    }

    /// Everything open; changes until now need not be taken any more by whoever asks.
    pub(crate) fn all(&self) -> Vec<Arc<Card>> {
        self.board.lock().open.iter().cloned().collect()
    }

    /// Those of some conversations that are open, in no order.
    pub(crate) fn among(&self, conversations: &HashSet<ConversationId>) -> Vec<Arc<Card>> {
        let board = self.board.lock();
        conversations.iter().filter_map(|id| board.open.get(id).cloned()).collect()
    }

    /// Which conversations are open.
    pub(crate) fn ids(&self) -> HashSet<ConversationId> {
        self.board.lock().open.iter().map(|card| card.id).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.board.lock().open.len()
    }

    /// How many messages of the visitor somebody has not read, by conversation.
    pub(crate) fn unread<'a>(
        &self,
        reader: Option<AgentId>,
        cards: impl Iterator<Item = &'a Arc<Card>>,
    ) -> Vec<u32> {
        let board = self.board.lock();
        cards.map(|card| board.unread(reader, card)).collect()
    }
}

impl Board {
    fn put(&mut self, card: &Arc<Card>) -> Concerns {
        let id = card.id;
        let is_open = card.status.is_open();
        if self.gone.has(card) || self.open.get(&id).is_some_and(|old| is_older(card, old)) {
            return Concerns::default();
        }
        let old = if is_open {
            self.open.put(Arc::clone(card))
        } else {
            self.readers.remove(&id);
            self.open.remove(&id)
        };
        if is_open {
            self.ended.remove(&id);
        } else {
            self.gone.insert(card);
            self.ended.insert(id, Arc::clone(card));
        }
        let from = old.as_ref().and_then(|old| old.agent);
        let to = card.agent.filter(|_| is_open);
        let moved = (from != to).then_some(Moved { conversation: id, from, to });
        let since = old.as_ref().and_then(|old| old.waiting_since);
        let waited = since.filter(|_| to.is_some()).map(|since| {
            let waited_ms = u64::try_from(card.last_at.ms_since(since)).unwrap_or(0);
            Duration::from_millis(waited_ms)
        });
        let is_pressing = old.as_ref().is_none_or(|old| waits_otherwise(old, card));
        Concerns {
            inbox: self.note_for_inbox(id),
            queue: is_pressing && self.note_for_queue(id),
            is_pressing,
            moved,
            waited,
        }
    }

    /// Whether something as new is known.
    fn knows(&self, card: &Card) -> bool {
        let is_as_new = |old: &Arc<Card>| n_events(card.heads) <= n_events(old.heads);
        self.gone.has(card) || self.open.get(&card.id).is_some_and(is_as_new)
    }

    /// Takes in a card from a list, unless something as new is known.
    fn restore(&mut self, card: &Arc<Card>, readers: Vec<(AgentId, u32)>) -> Concerns {
        if self.knows(card) {
            return Concerns::default();
        }
        let concerns = self.put(card);
        self.set_readers(card.id, readers);
        concerns
    }

    fn take_away(&mut self, id: ConversationId) -> Concerns {
        let Some(old) = self.open.remove(&id) else { return Concerns::default() };
        self.readers.remove(&id);
        let moved = old.agent.map(|from| Moved { conversation: id, from: Some(from), to: None });
        Concerns {
            inbox: self.note_for_inbox(id),
            queue: self.note_for_queue(id),
            is_pressing: true,
            moved,
            waited: None,
        }
    }

    fn set_readers(&mut self, id: ConversationId, readers: Vec<(AgentId, u32)>) {
        if readers.is_empty() {
            self.readers.remove(&id);
        } else {
            self.readers.insert(id, readers);
        }
    }

    /// Whether the inbox must be woken: the first change since it last asked.
    fn note_for_inbox(&mut self, id: ConversationId) -> bool {
        let wake = self.for_inbox.is_empty();
        self.for_inbox.insert(id);
        wake
    }

    fn note_for_queue(&mut self, id: ConversationId) -> bool {
        let wake = self.for_queue.is_empty();
        self.for_queue.insert(id);
        wake
    }

    fn unread(&self, reader: Option<AgentId>, card: &Card) -> u32 {
        if self.open.get(&card.id).is_none() {
            return 0;
        }
        let readers = self.readers.get(&card.id).map_or(&[][..], Vec::as_slice);
        let read = readers.iter().find(|(agent, _)| Some(*agent) == reader);
        card.ordinals.visitor.saturating_sub(read.map_or(0, |(_, read)| *read))
    }
}

fn readers(receipts: impl Iterator<Item = (Principal, Receipt)>) -> Vec<(AgentId, u32)> {
    receipts
        .filter_map(|(by, receipt)| Some((by.agent()?, receipt.read_ordinals.visitor)))
        .collect()
}

fn is_older(card: &Card, than: &Card) -> bool {
    n_events(card.heads) < n_events(than.heads)
}

/// How many events both streams have: it never falls.
pub(crate) const fn n_events(heads: Heads) -> u64 {
    heads.public.0 + heads.internal.0
}

fn waits_otherwise(old: &Card, new: &Card) -> bool {
    (old.status, old.waiting_since, old.offline, old.priority, old.department(), old.agent)
        != (new.status, new.waiting_since, new.offline, new.priority, new.department(), new.agent)
}

#[cfg(test)]
mod tests;
