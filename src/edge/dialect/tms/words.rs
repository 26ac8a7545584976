//! The words of this dialect for what the core knows.

use switchboard_domain::conversation::{Conversation, Priority, Status};
use switchboard_domain::person::{Principal, Side};

use crate::edge::dialect::vocabulary::Words;

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It waits for an agent.
    Waiting,
    /// An agent has it.
    Active,
    /// It was moved to an agent who has not written yet.
    Transferred,
    /// It is over, put away or not.
    Ended,
}

const STANDINGS: Words<Standing> = Words(&[
    (Standing::Waiting, "waiting"),
    (Standing::Active, "active"),
    (Standing::Transferred, "transferred"),
    (Standing::Ended, "ended"),
]);

impl Standing {
    /// Of a conversation.
    pub(super) const fn of(state: &Conversation) -> Self {
        match state.status {
            Status::Waiting => Self::Waiting,
            Status::Active if state.transferred.is_some() => Self::Transferred,
            Status::Active => Self::Active,
            Status::Closed | Status::Archived => Self::Ended,
        }
    }

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        STANDINGS.word(self)
    }

    /// That of a word.
    pub(super) fn named(word: &str) -> Option<Self> {
        STANDINGS.named(word)
    }
}

/// The word for a priority.
pub(super) const fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
        Priority::Urgent => "urgent",
    }
}

/// The word for who wrote.
pub(super) const fn author(principal: Principal) -> &'static str {
    match principal.side() {
        Side::Visitor => "customer",
        Side::Agent => "agent",
        Side::System => "system",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for &(standing, word) in STANDINGS.0 {
            assert_eq!((Standing::named(word), standing.word()), (Some(standing), word));
        }
        for word in ["", "closed", "ACTIVE"] {
            assert_eq!(Standing::named(word), None, "{word}");
        }
    }
}
