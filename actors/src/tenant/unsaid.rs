//! What a node must still tell another: of each thing the newest alone.

use std::hash::Hash;
use std::sync::Arc;

use switchboard_domain::card::Card;
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId};
use switchboard_domain::queue::Policy;

use super::{Desks, Policies};
use crate::cards::{Cards, n_events};
use crate::maps::{HashMap, HashSet, give_back};
use crate::presence::AgentPresence;
use crate::remote::home::{Bulletin, Place, Report};

/// Things of a kind in one envelope.
const THINGS_MAX: usize = 500;
/// Bytes of cards in one envelope, about: far from the longest, and no other waits long for it.
const CARD_BYTES_MAX: usize = 128 * 1024;

/// What a guest must tell the home.
#[derive(Debug, Default)]
pub(super) struct ToHome {
    cards: HashMap<ConversationId, Arc<Card>>,
    readers: HashSet<ConversationId>,
    desks: HashSet<AgentId>,
    alive: HashSet<AgentId>,
    listening: HashSet<ConversationId>,
    cancelled: HashSet<(AgentId, ConversationId)>,
    policies: HashMap<Option<DepartmentId>, Policy>,
}

/// What a home must tell a guest.
#[derive(Debug, Default)]
pub(super) struct ToGuest {
    cards: HashMap<ConversationId, Arc<Card>>,
    readers: HashSet<ConversationId>,
    agents: HashMap<AgentId, AgentPresence>,
    anybody: Option<bool>,
    places: HashMap<ConversationId, Place>,
    policies: HashMap<Option<DepartmentId>, Policy>,
}

impl ToHome {
    /// A visit begins: these are all cards that are known at first hand. What went with the last
    /// visit alone is forgotten.
    pub(super) fn begin_anew<'a>(&mut self, own: impl Iterator<Item = &'a Arc<Card>>) {
        let policies = std::mem::take(&mut self.policies);
        let cancelled = std::mem::take(&mut self.cancelled);
        *self = Self { policies, cancelled, ..Self::default() };
        for card in own {
            self.card(card);
            self.readers(card.id);
        }
    }

    pub(super) fn card(&mut self, card: &Arc<Card>) {
        put_newer(&mut self.cards, card);
    }

    pub(super) fn readers(&mut self, conversation: ConversationId) {
        self.readers.insert(conversation);
    }

    pub(super) fn desk(&mut self, agent: AgentId) {
        self.desks.insert(agent);
    }

    pub(super) fn alive(&mut self, agent: AgentId) {
        self.alive.insert(agent);
    }

    pub(super) fn listening(&mut self, conversation: ConversationId) {
        self.listening.insert(conversation);
    }

    pub(super) fn cancelled(&mut self, agent: AgentId, conversation: ConversationId) {
        self.cancelled.insert((agent, conversation));
    }

    pub(super) fn policies(&mut self, policies: &Policies) {
        self.policies.extend(policies.iter().map(|(of, policy)| (of.clone(), *policy)));
    }

    /// What fits one envelope.
    pub(super) fn take(&mut self, cards: &Cards, desks: &Desks) -> Report {
        let told = take_cards(&mut self.cards);
        // After the card that they belong to.
        let (readers, listening) = match self.cards.is_empty() {
            true => (take(&mut self.readers), take(&mut self.listening)),
            false => (Vec::new(), Vec::new()),
        };
        Report {
            cards: told,
            readers: readers.into_iter().map(|id| (id, cards.readers_of(id))).collect(),
            desks: take(&mut self.desks).into_iter().map(|it| (it, desks.has(it))).collect(),
            alive: take(&mut self.alive),
            listening,
            cancelled: take(&mut self.cancelled),
            policies: std::mem::take(&mut self.policies).into_iter().collect(),
        }
    }

    /// What was taken could not be told.
    pub(super) fn put_back(&mut self, report: Report) {
        for card in &report.cards {
            self.card(card);
        }
        self.readers.extend(report.readers.into_iter().map(|(id, _)| id));
        self.desks.extend(report.desks.into_iter().map(|(agent, _)| agent));
        self.alive.extend(report.alive);
        self.listening.extend(report.listening);
        self.cancelled.extend(report.cancelled);
        for (of, policy) in report.policies {
            self.policies.entry(of).or_insert(policy);
        }
    }
}

impl ToGuest {
    pub(super) fn card(&mut self, card: &Arc<Card>) {
        put_newer(&mut self.cards, card);
    }

    pub(super) fn readers(&mut self, conversation: ConversationId) {
        self.readers.insert(conversation);
    }

    pub(super) fn agent(&mut self, shown: &AgentPresence) {
        self.agents.insert(shown.agent.id, shown.clone());
    }

    pub(super) const fn anybody(&mut self, online: bool) {
        self.anybody = Some(online);
    }

    pub(super) fn place(&mut self, conversation: ConversationId, place: Place) {
        self.places.insert(conversation, place);
    }

    pub(super) fn policies(&mut self, policies: &Policies) {
        self.policies.extend(policies.iter().map(|(of, policy)| (of.clone(), *policy)));
    }

    /// Whether no card is left to tell.
    pub(super) fn has_told_cards(&self) -> bool {
        self.cards.is_empty()
    }

    /// What fits one envelope.
    pub(super) fn take(&mut self, cards: &Cards) -> Bulletin {
        let told = take_cards(&mut self.cards);
        let readers = if self.cards.is_empty() { take(&mut self.readers) } else { Vec::new() };
        let agents: Vec<AgentId> = self.agents.keys().take(THINGS_MAX).copied().collect();
        let places: Vec<ConversationId> = self.places.keys().take(THINGS_MAX).copied().collect();
        let bulletin = Bulletin {
            cards: told,
            readers: readers.into_iter().map(|id| (id, cards.readers_of(id))).collect(),
            is_whole: false,
            agents: agents.iter().filter_map(|id| self.agents.remove(id)).collect(),
            anybody: self.anybody.take(),
            places: places.iter().filter_map(|id| self.places.remove_entry(id)).collect(),
            policies: std::mem::take(&mut self.policies).into_iter().collect(),
        };
        give_back(&mut self.places);
        bulletin
    }

    /// What was taken could not be told.
    pub(super) fn put_back(&mut self, bulletin: Bulletin) {
        for card in &bulletin.cards {
            self.card(card);
        }
        self.readers.extend(bulletin.readers.into_iter().map(|(id, _)| id));
        for shown in bulletin.agents {
            self.agents.entry(shown.agent.id).or_insert(shown);
        }
        self.anybody = self.anybody.or(bulletin.anybody);
        for (conversation, place) in bulletin.places {
            self.places.entry(conversation).or_insert(place);
        }
        for (of, policy) in bulletin.policies {
            self.policies.entry(of).or_insert(policy);
        }
    }
}

fn put_newer(cards: &mut HashMap<ConversationId, Arc<Card>>, card: &Arc<Card>) {
    let is_older = |old: &Arc<Card>| n_events(card.heads) < n_events(old.heads);
    if !cards.get(&card.id).is_some_and(is_older) {
        cards.insert(card.id, Arc::clone(card));
    }
}

fn take_cards(cards: &mut HashMap<ConversationId, Arc<Card>>) -> Vec<Arc<Card>> {
    let mut bytes = 0;
    let fit: Vec<ConversationId> = cards
        .values()
        .take_while(|card| {
            let is_room = bytes < CARD_BYTES_MAX;
            bytes += card.bytes();
            is_room
        })
        .map(|card| card.id)
        .collect();
    let taken = fit.iter().filter_map(|id| cards.remove(id)).collect();
    // A visit begins with every card that there is.
    give_back(cards);
    taken
}

fn take<T: Copy + Eq + Hash>(things: &mut HashSet<T>) -> Vec<T> {
    let some: Vec<T> = things.iter().take(THINGS_MAX).copied().collect();
    for it in &some {
        things.remove(it);
    }
    if things.is_empty() && things.capacity() > THINGS_MAX {
        *things = HashSet::default();
    }
    some
}
