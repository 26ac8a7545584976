//! The words of this dialect for what the core knows.

use switchboard_domain::conversation::{Resolution, Status};
use switchboard_domain::person::{Principal, Role, Side};

/// The word for where a chat stands. What is put away is closed here, however it ended.
pub(super) const fn status(status: Status, resolution: Resolution) -> &'static str {
    match (status, resolution) {
        (Status::Waiting, _) => "WAITING",
        (Status::Active, _) => "ACTIVE",
        (Status::Closed, Resolution::Resolved) => "RESOLVED",
        (Status::Closed, Resolution::None) | (Status::Archived, _) => "CLOSED",
    }
}

/// The status that a word of an admin asks for, or that a list is narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// `WAITING`
    Waiting,
    /// `ACTIVE`
    Active,
    /// `RESOLVED`
    Resolved,
    /// `CLOSED`
    Closed,
}

impl Wanted {
    /// The status of a word.
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "WAITING" => Self::Waiting,
            "ACTIVE" => Self::Active,
            "RESOLVED" => Self::Resolved,
            "CLOSED" => Self::Closed,
            _ => return None,
        })
    }

    /// Whether a chat that stands there has that word.
    pub(super) fn is_of(self, at: Status, resolution: Resolution) -> bool {
        Self::named(status(at, resolution)) == Some(self)
    }
}

/// The word for a role.
pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Visitor => "USER",
        Role::Agent => "AGENT",
        Role::Supervisor => "SUPERVISOR",
        Role::Admin => "ADMIN",
        Role::Owner => "SUPER_ADMIN",
    }
}

/// The word for who wrote a message.
pub(super) const fn sender(principal: Principal) -> &'static str {
    match principal.side() {
        Side::Visitor => "VISITOR",
        Side::Agent => "ADMIN",
        Side::System => "SYSTEM",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_word_that_finds_it() {
        for (known, resolution, word) in [
            (Status::Waiting, Resolution::None, "WAITING"),
            (Status::Active, Resolution::None, "ACTIVE"),
            (Status::Closed, Resolution::Resolved, "RESOLVED"),
            (Status::Closed, Resolution::None, "CLOSED"),
            (Status::Archived, Resolution::None, "CLOSED"),
            (Status::Archived, Resolution::Resolved, "CLOSED"),
        ] {
            assert_eq!(status(known, resolution), word);
            assert!(Wanted::named(word).unwrap().is_of(known, resolution), "{word}");
        }
        for word in ["", "closed", "ARCHIVED", "OPEN"] {
            assert_eq!(Wanted::named(word), None, "{word}");
        }
    }
}
