//! One list in order, shared by all who watch the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use switchboard_domain::card::{Card, Sort, SortKey};
use switchboard_domain::conversation::Status;
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId};
use switchboard_store::{Fault, List, ListScope, Store};

use super::{ROWS_MAX, Watch};
use crate::cards::CardSet;
use crate::tenant::Tenant;

/// Rows above which a list forgets what ended longest ago: some windows full.
const ENDED_ROWS_MAX: usize = 5 * ROWS_MAX;

/// What makes two watches the same list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Filter {
    statuses: Vec<Status>,
    department: Option<DepartmentId>,
    scope: Scope,
    sort: Sort,
    sight: Sight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scope {
    All,
    Unassigned,
    Agent(AgentId),
    Visitor(switchboard_domain::ids::VisitorId),
}

/// What the watcher may see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sight {
    /// Every conversation.
    All,
    /// Own ones, and those of one's departments or of none.
    Departments(AgentId, Arc<[DepartmentId]>),
    /// Own ones.
    Own(AgentId),
    /// No conversation: lists are for agents.
    None,
}

impl Filter {
    pub(super) fn of(watch: &Watch, sight: Sight) -> Self {
        let mut statuses = watch.statuses.clone();
        if statuses.is_empty() {
            statuses = vec![Status::Waiting, Status::Active];
        }
        statuses.sort();
        statuses.dedup();
        let scope = match watch.scope {
            ListScope::All => Scope::All,
            ListScope::Unassigned => Scope::Unassigned,
            ListScope::Agent(agent) => Scope::Agent(agent),
            ListScope::Visitor(visitor) => Scope::Visitor(visitor),
        };
        Self { statuses, department: watch.department.clone(), scope, sort: watch.sort, sight }
    }

    fn holds(&self, card: &Card) -> bool {
        self.statuses.contains(&card.status)
            && self.department.as_ref().is_none_or(|it| card.department() == Some(&*it.0))
            && match self.scope {
                Scope::All => true,
                Scope::Unassigned => card.agent.is_none(),
                Scope::Agent(agent) => card.agent == Some(agent),
                Scope::Visitor(visitor) => card.visitor == visitor,
            }
            && self.sight.sees(card)
    }

    /// Those of its statuses that only the store knows.
    fn ended_statuses(&self) -> Vec<Status> {
        self.statuses.iter().copied().filter(|status| !status.is_open()).collect()
    }

    fn stored_scope(&self) -> ListScope {
        match self.scope {
            Scope::All => ListScope::All,
            Scope::Unassigned => ListScope::Unassigned,
            Scope::Agent(agent) => ListScope::Agent(agent),
            Scope::Visitor(visitor) => ListScope::Visitor(visitor),
        }
    }
}

impl Sight {
    fn sees(&self, card: &Card) -> bool {
        match self {
            Self::All => true,
            Self::Departments(agent, departments) => {
                card.agent == Some(*agent)
                    || card
                        .department()
                        .is_none_or(|it| departments.iter().any(|own| *own.0 == *it))
            }
            Self::Own(agent) => card.agent == Some(*agent),
            Self::None => false,
        }
    }
}

/// A list as it is now.
#[derive(Debug, Default)]
pub(super) struct Live {
    order: BTreeSet<SortKey>,
    cards: CardSet,
}

impl Live {
    /// The list of everything open, and of what ended from the store.
    pub(super) async fn read(
        filter: &Filter,
        tenant: &Tenant,
        store: &dyn Store,
    ) -> Result<Self, Fault> {
        let mut list = Self::default();
        let ended = filter.ended_statuses();
        if !ended.is_empty() {
            let stored = store.list(List {
                tenant: tenant.id.clone(),
                statuses: ended,
                department: filter.department.clone(),
                scope: filter.stored_scope(),
                after: None,
                limit: ROWS_MAX,
            });
            for state in stored.await? {
                list.put(filter, state.id, Some(&Arc::new(Card::of(&state))));
            }
        }
        for card in tenant.cards().all() {
            list.put(filter, card.id, Some(&card));
        }
        Ok(list)
    }

    /// Takes in what a conversation is now; `None` for one that is nowhere.
    pub(super) fn put(
        &mut self,
        filter: &Filter,
        conversation: ConversationId,
        card: Option<&Arc<Card>>,
    ) {
        if let Some(old) = self.cards.remove(&conversation) {
            self.order.remove(&old.key(filter.sort));
        }
        if let Some(card) = card.filter(|card| filter.holds(card)) {
            self.order.insert(card.key(filter.sort));
            self.cards.put(Arc::clone(card));
            if !card.status.is_open() {
                self.forget_oldest_ended();
            }
        }
    }

    /// What ended is kept by the store; a list keeps enough of it to fill a window whose rows
    /// leave, however long it is watched.
    fn forget_oldest_ended(&mut self) {
        if self.order.len() <= ENDED_ROWS_MAX {
            return;
        }
        let has_ended = |key: &SortKey| {
            let card = self.cards.get(&key.conversation());
            card.is_some_and(|card| !card.status.is_open())
        };
        if let Some(key) = self.order.iter().copied().rfind(has_ended) {
            self.order.remove(&key);
            self.cards.remove(&key.conversation());
        }
    }

    pub(super) fn total(&self) -> usize {
        self.order.len()
    }

    /// The first rows, in order.
    pub(super) fn top(&self, limit: usize) -> Vec<Arc<Card>> {
        let keys = self.order.iter().take(limit);
        keys.filter_map(|key| self.cards.get(&key.conversation()).cloned()).collect()
    }
}
