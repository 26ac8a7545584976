//! Which agents are with the conversations of a list: who looks at one, and who types in it.
//!
//! Never stored, and told only to those whose list shows the conversation: whoever may not see it
//! hears nothing. It is the first thing that a connection goes without when it reads too slowly
//! (P7), and at most twice a second is it told at all.

use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_domain::ids::ConversationId;
use switchboard_domain::person::AgentRef;

use crate::delivery::{Delivery, Outlet};
use crate::maps::{HashMap, HashSet};
use crate::subscriber::Pushed;

/// Agents that are told of one conversation: more are not shown anywhere.
const AGENTS_MAX: usize = 8;
/// Conversations of one step: what follows is told with the next.
const ROWS_MAX: usize = 64;

/// An agent who is with a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// Who.
    pub agent: AgentRef,
    /// Whether they type, or only look.
    pub types: bool,
}

/// Who is with a conversation now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// Which one.
    pub conversation: ConversationId,
    /// All of them, up to a bound; empty when the last has left.
    pub agents: Arc<[Companion]>,
}

/// Everybody of a tenant who is with a conversation, as this node knows it.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    now: HashMap<ConversationId, Arc<[Companion]>>,
    changed: HashSet<ConversationId>,
}

impl Board {
    /// Takes in who is with a conversation; answers whether that is the first news since the last
    /// were taken.
    pub(super) fn put(&self, conversation: ConversationId, agents: &[Companion]) -> bool {
        let agents: Arc<[_]> = agents.iter().take(AGENTS_MAX).cloned().collect();
        let mut entries = self.0.lock();
        let before = if agents.is_empty() {
            entries.now.remove(&conversation)
        } else {
            entries.now.insert(conversation, Arc::clone(&agents))
        };
        if before.unwrap_or_default() == agents {
            return false;
        }
        entries.changed.insert(conversation) && entries.changed.len() == 1
    }

    pub(super) fn take_changed(&self) -> HashSet<ConversationId> {
        std::mem::take(&mut self.0.lock().changed)
    }

    /// Who is with one; empty for nobody.
    pub(super) fn of(&self, conversation: ConversationId) -> Arc<[Companion]> {
        self.0.lock().now.get(&conversation).cloned().unwrap_or_default()
    }
}

/// What a connection has been told.
#[derive(Debug)]
pub(super) struct Told {
    outlet: Outlet,
    /// Conversations that it shows somebody with.
    with_company: HashSet<ConversationId>,
    /// Those to look at with the next step.
    due: HashSet<ConversationId>,
    /// Those of them that its lists show.
    seen: HashSet<ConversationId>,
}

impl Told {
    pub(super) fn new(outlet: Outlet) -> Self {
        let (with_company, due, seen) =
            (HashSet::default(), HashSet::default(), HashSet::default());
        Self { outlet, with_company, due, seen }
    }

    /// These came into one of its lists, or something changed with them there.
    pub(super) fn look_at(&mut self, conversations: impl IntoIterator<Item = ConversationId>) {
        self.due.extend(conversations);
    }

    /// Something changed with these: what was told of them is to be taken back, shown or not.
    pub(super) fn look_at_told(&mut self, changed: &HashSet<ConversationId>) {
        self.due.extend(self.with_company.intersection(changed));
    }

    /// One of its lists shows these.
    pub(super) fn see(&mut self, is_shown: impl Fn(ConversationId) -> bool) {
        self.seen.extend(self.due.iter().copied().filter(|id| is_shown(*id)));
    }

    /// Tells what is otherwise than it was told. Whoever is with something that no list shows any
    /// more is with nothing, as far as this connection knows. Answers whether something is left.
    pub(super) fn tell(&mut self, board: &Board) -> bool {
        let seen = std::mem::take(&mut self.seen);
        let due: Vec<_> = self.due.iter().copied().take(ROWS_MAX).collect();
        let mut news = Vec::new();
        for conversation in due {
            self.due.remove(&conversation);
            let agents =
                if seen.contains(&conversation) { board.of(conversation) } else { [].into() };
            let had = self.with_company.remove(&conversation);
            if !agents.is_empty() {
                self.with_company.insert(conversation);
            }
            if had || !agents.is_empty() {
                news.push(Company { conversation, agents });
            }
        }
        if !news.is_empty() {
            self.push(news);
        }
        !self.due.is_empty()
    }

    fn push(&mut self, news: Vec<Company>) {
        let about: Vec<_> = news.iter().map(|company| company.conversation).collect();
        if self.outlet.push(Delivery::Company(news.into())) == Pushed::Dropped {
            // Whatever it shows now is to be told again, when there is room.
            self.due.extend(&about);
            self.with_company.extend(about);
        }
    }
}
