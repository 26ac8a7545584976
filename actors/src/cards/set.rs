//! Cards by conversation.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use switchboard_domain::card::Card;
use switchboard_domain::ids::ConversationId;

/// A card per conversation. It takes one pointer each: the key is the card's own.
#[derive(Debug, Default)]
pub(crate) struct CardSet(HashSet<ByConversation>);

#[derive(Debug)]
struct ByConversation(Arc<Card>);

impl CardSet {
    pub(crate) fn get(&self, conversation: &ConversationId) -> Option<&Arc<Card>> {
        self.0.get(conversation).map(|it| &it.0)
    }

    /// Puts a card in the place of the one before, which it answers.
    pub(crate) fn put(&mut self, card: Arc<Card>) -> Option<Arc<Card>> {
        self.0.replace(ByConversation(card)).map(|it| it.0)
    }

    pub(crate) fn remove(&mut self, conversation: &ConversationId) -> Option<Arc<Card>> {
        self.0.take(conversation).map(|it| it.0)
    }

    /// In no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.0.iter().map(|it| &it.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
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
