//! Presence in words of the wire.

use switchboard_actors::presence::Profile;
use switchboard_domain::person::Role;
use switchboard_domain::presence::Status;

use crate::directory::Person;

/// The word for a status.
#[must_use]
pub const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Online => "online",
        Status::Away => "away",
        Status::Busy => "busy",
        Status::Offline => "offline",
    }
}

/// The status of a word.
#[must_use]
pub fn status_named(name: &str) -> Option<Status> {
    [Status::Online, Status::Away, Status::Busy, Status::Offline]
        .into_iter()
        .find(|status| status_name(*status) == name)
}

/// What presence is told of a person.
#[must_use]
pub fn profile(person: &Person, role: Role) -> Profile {
    Profile { name: person.shown_name(), role, departments: person.departments.as_slice().into() }
}
