//! Who talks in a simulation, and about what.

use std::sync::Arc;

use switchboard_actors::presence::Profile;
use switchboard_domain::conversation::{Command, Contact, Created, SendKey, Start};
use switchboard_domain::ids::{
    AgentId, ConversationId, DepartmentId, DeviceId, Id, Number, TenantId, VisitorId,
};
use switchboard_domain::person::{AgentRef, Author, Caller, Principal, Role};
use switchboard_domain::queue::Policy;
use switchboard_loadtest::rng::Rng;
use switchboard_store::ConversationKey;

use crate::node::Routing;

/// The numbers of conversations that wait for whoever is at a desk begin here.
const NEWCOMERS_FROM: u32 = 500;

/// How the tenant has what comes routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenancy {
    /// Each department in its way; without one, agents accept by hand.
    Departments,
    /// All in one way, and there are no departments.
    Bare,
}

impl Tenancy {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        if rng.chance(70) { Self::Departments } else { Self::Bare }
    }

    /// What each node tells its queue when it starts.
    pub(crate) fn routing(self) -> Routing {
        let department = |name: &str, policy| (DepartmentId(name.into()), policy);
        match self {
            Self::Departments => {
                [department("sales", Policy::LeastBusy), department("care", Policy::RoundRobin)]
                    .into()
            }
            Self::Bare => [].into(),
        }
    }

    pub(crate) const fn bare_policy(self) -> Option<Policy> {
        match self {
            Self::Departments => None,
            Self::Bare => Some(Policy::LeastBusy),
        }
    }

    /// Where somebody asks to be served.
    pub(crate) fn any_department(self, rng: &mut Rng) -> Option<DepartmentId> {
        let routing = self.routing();
        routing.get(rng.index(routing.len() + 1)).map(|(department, _)| department.clone())
    }

    /// Whether the queue gives away what waits there.
    pub(crate) fn routes(self, department: Option<&DepartmentId>) -> bool {
        self == Self::Bare || department.is_some()
    }
}

pub(crate) fn tenant() -> TenantId {
    TenantId("default".into())
}

/// The conversation of a number.
pub(crate) fn key(n: u32) -> ConversationKey {
    let conversation = ConversationId::from_u128(1_000 + u128::from(n));
    ConversationKey { tenant: tenant(), conversation }
}

/// The number of the conversation of somebody who waits.
pub(crate) const fn newcomer(n: u32) -> u32 {
    NEWCOMERS_FROM + n
}

/// Whose conversation it is, if somebody's who waits.
pub(crate) fn newcomer_of(conversation: ConversationId) -> Option<u32> {
    let n = u32::try_from(conversation.uuid().as_u128()).ok()?;
    n.checked_sub(1_000 + NEWCOMERS_FROM)
}

/// The visitor who began it.
pub(crate) fn visitor(n: u32) -> Caller {
    let principal = Principal::Visitor(VisitorId::from_u128(2_000 + u128::from(n)));
    Caller { author: Author { principal, name: None }, role: Role::Visitor }
}

/// The agent who took it.
pub(crate) fn agent() -> Caller {
    caller(&agent_ref())
}

/// An agent who calls.
pub(crate) fn caller(AgentRef { id, name }: &AgentRef) -> Caller {
    let author = Author { principal: Principal::Agent(*id), name: Some(Arc::clone(name)) };
    Caller { author, role: Role::Agent }
}

/// Who is at a desk.
pub(crate) fn at_desk(n: usize) -> AgentRef {
    let id = AgentId::from_u128(3_100 + u128::try_from(n).unwrap_or(u128::MAX));
    AgentRef { id, name: format!("Agent {n}").into() }
}

/// What the directory of people says of them.
pub(crate) fn profile(n: usize) -> Profile {
    Profile { name: at_desk(n).name, role: Role::Agent, departments: [].into() }
}

fn agent_ref() -> AgentRef {
    AgentRef { id: AgentId::from_u128(3_000), name: Arc::from("Ada") }
}

pub(crate) fn accept() -> Command {
    Command::Accept { agent: agent_ref() }
}

pub(crate) fn create(n: u32, department: Option<DepartmentId>) -> Command {
    let created = Created {
        department,
        ..Created::by(
            Contact::anonymous(VisitorId::from_u128(2_000 + u128::from(n))),
            Id::from_u128(4_000 + u128::from(n)),
            Number(1_000_000 + u64::from(n)),
        )
    };
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
