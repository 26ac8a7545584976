//! The words of this dialect for what the core knows.

use switchboard_domain::conversation::{Priority, Resolution, Status};
use switchboard_domain::person::{Principal, Side};
use switchboard_domain::presence::Status as Presence;

use crate::edge::dialect::vocabulary::Words;

/// The word for a status. What is archived is closed here.
pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Waiting => "pending",
        Status::Active => "active",
        Status::Closed | Status::Archived => "closed",
    }
}

/// The statuses of a word.
pub(super) fn statuses_named(word: &str) -> Option<&'static [Status]> {
    Some(match word {
        "pending" => &[Status::Waiting],
        "active" => &[Status::Active],
        "closed" => &[Status::Closed, Status::Archived],
        _ => return None,
    })
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

const PRESENCES: Words<Presence> = Words(&[
    (Presence::Online, "online"),
    (Presence::Offline, "offline"),
    (Presence::Busy, "busy"),
    (Presence::Away, "away"),
]);

/// The word for an availability.
pub(super) fn presence(presence: Presence) -> &'static str {
    PRESENCES.word(presence)
}

/// The availability of a word.
pub(super) fn presence_named(word: &str) -> Option<Presence> {
    PRESENCES.named(word)
}

/// The word for who wrote a message.
pub(super) const fn sender(principal: Principal) -> &'static str {
    match principal.side() {
        Side::Visitor => "customer",
        Side::Agent => "agent",
        Side::System => "system",
    }
}

/// The word for why a chat ended.
pub(super) const fn reason(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::None => "closed",
        Resolution::Resolved => "resolved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for known in [Status::Waiting, Status::Active, Status::Closed, Status::Archived] {
            assert!(statuses_named(status(known)).unwrap().contains(&known));
        }
        for &(known, word) in PRIORITIES.0 {
            assert_eq!(priority_named(priority(known)), Some(known), "{word}");
        }
        for &(known, word) in PRESENCES.0 {
            assert_eq!(presence_named(presence(known)), Some(known), "{word}");
        }
        for word in ["", "waiting", "PENDING"] {
            assert!(statuses_named(word).is_none(), "{word}");
        }
    }
}
