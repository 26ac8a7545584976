//! What a handler asks of its caller.

use switchboard_domain::ids::DepartmentId;
use switchboard_domain::permission::{self, Subject};
use switchboard_domain::person::{AgentRef, Author, Principal, Role};

use crate::auth::Identity;
use crate::directory::{LastChange, Person};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// Checks that the caller has at least that role.
///
/// # Errors
///
/// [`Code::Forbidden`].
pub fn require(identity: &Identity, role: Role) -> Result<(), Problem> {
    if identity.is_at_least(role) { Ok(()) } else { Err(Code::Forbidden.into()) }
}

/// The person behind an agent.
///
/// # Errors
///
/// [`Code::Forbidden`] for visitors, with or without an account.
pub fn agent_person(identity: &Identity) -> Result<&Person, Problem> {
    require(identity, Role::Agent)?;
    identity.person.as_ref().map(|person| &person.value).ok_or_else(|| Code::Forbidden.into())
}

/// The caller as an agent.
///
/// # Errors
///
/// [`Code::Forbidden`] for visitors.
pub fn agent(identity: &Identity) -> Result<AgentRef, Problem> {
    agent_person(identity).map(Person::agent)
}

/// A change that the caller makes now, for whoever comes too late with another.
#[must_use]
pub fn change(doors: &Doors, identity: &Identity) -> Option<LastChange> {
    let Author { principal, name } = &identity.caller.author;
    let (Principal::Agent(id) | Principal::Bot(id)) = *principal else { return None };
    let by = AgentRef { id, name: name.clone()? };
    Some(LastChange { by, at: doors.clock.now() })
}

/// Whether the caller may see a conversation.
#[must_use]
pub fn sees(doors: &Doors, identity: &Identity, subject: Subject<'_>) -> bool {
    permission::sees(&identity.caller, doors.agents_see, departments(identity), subject)
}

/// The departments that the caller works in.
#[must_use]
pub fn departments(identity: &Identity) -> &[DepartmentId] {
    identity.person.as_ref().map_or(&[], |person| &person.value.departments)
}
