//! The words of this dialect for what the core knows.

use switchboard_domain::conversation::{Priority, Status};
use switchboard_domain::person::{Principal, Side};

use crate::edge::dialect::vocabulary::Words;

const STATUSES: Words<Status> = Words(&[
    (Status::Waiting, "pending"),
    (Status::Active, "active"),
    (Status::Closed, "closed"),
    (Status::Archived, "archived"),
]);

/// The word for a status.
pub(super) fn status(status: Status) -> &'static str {
    STATUSES.word(status)
}

/// The status of a word.
pub(super) fn status_named(word: &str) -> Option<Status> {
    STATUSES.named(word)
}

const PRIORITIES: Words<Priority> = Words(&[
    (Priority::Low, "low"),
    (Priority::Medium, "medium"),
    (Priority::High, "high"),
    (Priority::Urgent, "urgent"),
]);

/// The word for a priority.
pub(super) fn priority(priority: Priority) -> &'static str {
    PRIORITIES.word(priority)
}

/// The priority of a word.
pub(super) fn priority_named(word: &str) -> Option<Priority> {
    PRIORITIES.named(word)
}

/// The word for who wrote a message.
pub(super) const fn kind(principal: Principal) -> &'static str {
    match principal.side() {
        Side::Visitor => "user",
        Side::Agent => "agent",
        Side::System => "system",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for &(known, word) in STATUSES.0 {
            assert_eq!((status_named(word), status(known)), (Some(known), word));
        }
        for &(known, word) in PRIORITIES.0 {
            assert_eq!((priority_named(word), priority(known)), (Some(known), word));
        }
        for word in ["", "waiting", "Closed"] {
            assert_eq!(status_named(word), None, "{word}");
        }
    }
}
