//! The cards of a tenant's open conversations: what lists, queues and slots are made of.
//!
//! Each card is written by its conversation's actor alone, right after the log, and read by the
//! tenant's actors, which are woken once and then take all changes together. So a busy
//! conversation costs them no message each, and nothing here grows beyond one entry a
//! conversation. The whole outlives those actors, who begin again from it.

mod set;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_domain::card::Card;
use switchboard_domain::conversation::{Conversation, Heads, Status};
use switchboard_domain::ids::{AgentId, ConversationId, TenantId};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;
use switchboard_store::{ConversationKey, Fault, List, ListScope, Store};
use tokio::sync::OnceCell;

pub(crate) use self::set::CardSet;

/// Conversations read at once when the cards are rebuilt.
const PAGE: usize = 500;

/// The open conversations of one tenant.
#[derive(Debug)]
pub(crate) struct Cards {
    tenant: TenantId,
    board: Mutex<Board>,
    rebuilt: OnceCell<()>,
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
    /// What ended while the cards are rebuilt from lists that may be older.
    ended_during_rebuild: Option<HashSet<ConversationId>>,
}

/// Whom a change concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Concerns {
    /// The inbox should take the changes.
    pub(crate) inbox: bool,
    /// The queue should take the changes.
    pub(crate) queue: bool,
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
    pub(crate) fn new(tenant: TenantId) -> Self {
        Self { tenant, board: Mutex::default(), rebuilt: OnceCell::new() }
    }

    /// Takes in what a conversation is now and says whom that concerns.
    pub(crate) fn put(&self, state: &Conversation) -> Concerns {
        self.board.lock().put(&Arc::new(Card::of(state)))
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

    /// Reads the open conversations from the store, once. Before it the lists are not whole.
    pub(crate) async fn rebuild(&self, store: &dyn Store) -> Result<(), Fault> {
        self.rebuilt.get_or_try_init(|| self.read_all(store)).await.map(|_| ())
    }

    async fn read_all(&self, store: &dyn Store) -> Result<(), Fault> {
        self.board.lock().ended_during_rebuild = Some(HashSet::new());
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
            for state in &page {
                let conversation = state.id;
                let key = ConversationKey { tenant: self.tenant.clone(), conversation };
                let receipts = store.receipts(&key).await?;
                self.board.lock().restore(state, readers(receipts.into_iter()));
            }
        }
        self.board.lock().ended_during_rebuild = None;
        Ok(())
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
        if self.open.get(&id).is_some_and(|old| is_older(card, old)) {
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
            if let Some(ended) = &mut self.ended_during_rebuild {
                ended.insert(id);
            }
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
        let queue = old.as_ref().is_none_or(|old| waits_otherwise(old, card));
        Concerns {
            inbox: self.note_for_inbox(id),
            queue: queue && self.note_for_queue(id),
            moved,
            waited,
        }
    }

    /// Takes in a card from a list, unless something newer is known.
    fn restore(&mut self, state: &Conversation, readers: Vec<(AgentId, u32)>) {
        let has_ended =
            self.ended_during_rebuild.as_ref().is_some_and(|ended| ended.contains(&state.id));
        if !has_ended && self.open.get(&state.id).is_none() {
            self.open.put(Arc::new(Card::of(state)));
            self.set_readers(state.id, readers);
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

const fn n_events(heads: Heads) -> u64 {
    heads.public.0 + heads.internal.0
}

fn waits_otherwise(old: &Card, new: &Card) -> bool {
    (old.status, old.waiting_since, old.offline, old.priority, old.department(), old.agent)
        != (new.status, new.waiting_since, new.offline, new.priority, new.department(), new.agent)
}

#[cfg(test)]
mod tests;
