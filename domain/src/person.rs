//! Who acts: principals, their roles, and the people that events name.

use std::sync::Arc;

use crate::ids::{AgentId, VisitorId};

/// An authenticated caller within its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A person in the widget.
    Visitor(VisitorId),
    /// A person in the console.
    Agent(AgentId),
    /// An agent that is code.
    Bot(AgentId),
    /// The server itself: welcome texts, routing, time-outs.
    System,
}

impl Principal {
    /// Whether this is an agent or a bot: the side that answers.
    #[must_use]
    pub const fn is_agent(self) -> bool {
        matches!(self, Self::Agent(_) | Self::Bot(_))
    }

    /// The agent or bot that this is; `None` for visitors and the system.
    #[must_use]
    pub const fn agent(self) -> Option<AgentId> {
        match self {
            Self::Agent(id) | Self::Bot(id) => Some(id),
            Self::Visitor(_) | Self::System => None,
        }
    }

    /// Which side of a conversation this writes for.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::Visitor(_) => Side::Visitor,
            Self::Agent(_) | Self::Bot(_) => Side::Agent,
            Self::System => Side::System,
        }
    }
}

/// A side of a conversation: who asks, who answers, and the server between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The visitor.
    Visitor,
    /// Agents and bots.
    Agent,
    /// The server itself.
    System,
}

/// What a principal may do, in rising order: each role may do all that the lower ones may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads and writes in own conversations, public stream only.
    Visitor,
    /// Answers visitors.
    Agent,
    /// Sees and moves everybody's conversations, redacts.
    Supervisor,
    /// Changes settings and people.
    Admin,
    /// Everything, including other admins.
    Owner,
}

/// Who wrote an event, with the name that was theirs when they wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The principal.
    pub principal: Principal,
    /// The name to show; `None` for an anonymous visitor and for the system.
    pub name: Option<Arc<str>>,
}

impl Author {
    /// The server itself.
    pub const SYSTEM: Self = Self { principal: Principal::System, name: None };
}

/// An agent as events and cards name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRef {
    /// The agent.
    pub id: AgentId,
    /// The name to show, as it was when this was written.
    pub name: Arc<str>,
}

/// The caller of a command: who, and with what rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who calls.
    pub author: Author,
    /// The rights of the caller in its tenant.
    pub role: Role,
}

impl Caller {
    /// The server itself, allowed everything.
    pub const SYSTEM: Self = Self { author: Author::SYSTEM, role: Role::Owner };
}
