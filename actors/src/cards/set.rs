//! Cards by conversation, and how many of them wait in which line.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use switchboard_domain::card::Card;
use switchboard_domain::ids::ConversationId;
use tokio::sync::watch;

use crate::maps::{HashMap, HashSet};

/// A card per conversation. It takes one pointer each: the key is the card's own.
#[derive(Debug, Default)]
pub(crate) struct CardSet {
    all: HashSet<ByConversation>,
    /// How many wait, by department; an empty name for those without one. Always what counting
    /// `all` would give.
    waiting: HashMap<Box<str>, usize>,
    lines: watch::Sender<()>,
}

#[derive(Debug)]
struct ByConversation(Arc<Card>);

impl CardSet {
    pub(crate) fn get(&self, conversation: &ConversationId) -> Option<&Arc<Card>> {
        self.all.get(conversation).map(|it| &it.0)
    }

    /// Puts a card in the place of the one before, which it answers.
    pub(crate) fn put(&mut self, card: Arc<Card>) -> Option<Arc<Card>> {
        // Most cards stay in their line: then nothing is counted and nobody is told.
        let stands = self.get(&card.id).and_then(|before| line_of(before));
        let is_moving = stands != line_of(&card);
        let entered = line_of(&card).filter(|_| is_moving).map(Box::from);
        let before = self.all.replace(ByConversation(card)).map(|it| it.0);
        if is_moving {
            self.move_to(before.as_deref(), entered);
        }
        before
    }

    pub(crate) fn remove(&mut self, conversation: &ConversationId) -> Option<Arc<Card>> {
        let removed = self.all.take(conversation).map(|it| it.0);
        if removed.as_deref().and_then(line_of).is_some() {
            self.move_to(removed.as_deref(), None);
        }
        removed
    }

    /// In no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.all.iter().map(|it| &it.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many wait for a department, or without one.
    pub(crate) fn waiting(&self, department: Option<&str>) -> usize {
        self.waiting.get(department.unwrap_or_default()).copied().unwrap_or(0)
    }

    /// Is told when as many wait no more in some line.
    pub(crate) fn lines(&self) -> watch::Receiver<()> {
        self.lines.subscribe()
    }

    /// One that stood as that card says stands in another line now, or in none.
    fn move_to(&mut self, before: Option<&Card>, entered: Option<Box<str>>) {
        if let Some(line) = before.and_then(line_of)
            && let Some(n) = self.waiting.get_mut(line)
        {
            *n -= 1;
            if *n == 0 {
                self.waiting.remove(line);
            }
        }
        if let Some(line) = entered {
            *self.waiting.entry(line).or_default() += 1;
        }
        self.lines.send_replace(());
    }
}

/// In which line a conversation waits; `None` when it does not wait.
fn line_of(card: &Card) -> Option<&str> {
    card.waiting_since.is_some().then(|| card.department().unwrap_or_default())
}

impl Borrow<ConversationId> for ByConversation {
    fn borrow(&self) -> &ConversationId {
        &self.0.id
    }
}

impl PartialEq for ByConversation {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ByConversation {}

impl Hash for ByConversation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}
