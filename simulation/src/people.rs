//! Who talks in a simulation, and about what.

use std::sync::Arc;

use switchboard_domain::conversation::{Command, Contact, Created, SendKey, Start};
use switchboard_domain::ids::{AgentId, ConversationId, DeviceId, Id, Number, TenantId, VisitorId};
use switchboard_domain::person::{AgentRef, Author, Caller, Principal, Role};
use switchboard_store::ConversationKey;

/// The conversation of a number.
pub(crate) fn key(n: u32) -> ConversationKey {
    let conversation = ConversationId::from_u128(1_000 + u128::from(n));
    ConversationKey { tenant: TenantId("default".into()), conversation }
}

/// The visitor who began it.
pub(crate) fn visitor(n: u32) -> Caller {
    let principal = Principal::Visitor(VisitorId::from_u128(2_000 + u128::from(n)));
    Caller { author: Author { principal, name: None }, role: Role::Visitor }
}

/// The agent who took it.
pub(crate) fn agent() -> Caller {
    let AgentRef { id, name } = agent_ref();
    let author = Author { principal: Principal::Agent(id), name: Some(name) };
    Caller { author, role: Role::Agent }
}

fn agent_ref() -> AgentRef {
    AgentRef { id: AgentId::from_u128(3_000), name: Arc::from("Ada") }
}

pub(crate) fn accept() -> Command {
    Command::Accept { agent: agent_ref() }
}

pub(crate) fn create(n: u32) -> Command {
    let created = Created::by(
        Contact::anonymous(VisitorId::from_u128(2_000 + u128::from(n))),
        Id::from_u128(4_000 + u128::from(n)),
        Number(1_000_000 + u64::from(n)),
    );
    let created = Box::new(created);
    Command::Create { created, welcome: None, message: None, start: Start::Waiting }
}

pub(crate) fn message(text: &str) -> Command {
    Command::Send { text: text.into(), files: Vec::new(), if_head: None }
}

pub(crate) fn note(text: &str) -> Command {
    Command::Note { text: text.into() }
}

/// The `n`th thing that a device sends; its content is its number.
pub(crate) fn send_key(device: u32, n: u64) -> SendKey {
    SendKey { device: DeviceId::from_u128(u128::from(device) + 1), n, digest: n }
}
