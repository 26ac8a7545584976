//! What two nodes say to each other about a tenant: any node to its home, the home to its guests.

use std::sync::Arc;

use switchboard_domain::card::Card;
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, TenantId, Timestamp};
use switchboard_domain::person::AgentRef;
use switchboard_domain::queue::Policy;

use super::form::{Form, fields, variants};
use crate::answer::Refusal;
use crate::presence::{AgentPresence, Profile, Setting};

/// The version of the transport in which a guest says at the beginning of a visit who listens. One
/// of an earlier version is told every place.
pub(super) const LISTENING_SINCE: u8 = 3;

/// What is said of a tenant.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// From any node to the home.
    Ask { id: u64, tenant: TenantId, question: Question },
    /// The home's answer.
    Answer { id: u64, answer: Answer },
    /// From a guest to the home. Nothing is answered.
    Say { tenant: TenantId, visit: u64, word: Word },
    /// From the home to a guest.
    Tell { tenant: TenantId, visit: u64, news: News },
}

/// What is asked of a home. Asked twice, each has the same answer and leaves the same behind.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// A connection of an agent opened.
    Connect { agent: AgentId, profile: Profile },
    /// Change what an agent chose.
    Set { agent: AgentRef, setting: Setting },
    /// Show one agent.
    Get { agent: AgentId },
    /// Show all agents.
    All,
    /// When each agent was last heard of.
    Seen,
    /// Keep a slot for a conversation for a while.
    Reserve { agent: AgentRef, conversation: ConversationId },
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// One agent, if known.
    Agent { agent: Option<AgentPresence> },
    /// All agents.
    Agents { agents: Arc<[AgentPresence]> },
    /// When each agent was last heard of.
    Seen { seen: Vec<(AgentId, Timestamp)> },
    /// A slot is kept; the agent's name.
    Reserved { name: Arc<str> },
    /// Not carried out, or with unknown outcome where it says so.
    Refused { refusal: Refusal },
    /// Not carried out, because this is not the home; which node is, if that is known.
    Moved { to: Option<Arc<str>> },
}

/// What a guest says without waiting.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    /// It begins to follow the home, in a new visit: these agents are connected here, and those
    /// were there when last heard of.
    Follow { desks: Vec<AgentId>, seen: Vec<AgentId> },
    /// It follows still.
    Still,
    /// What changed here.
    Report { report: Report },
}

/// What changed on a guest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Of conversations that it owns, or that changed hands by one of its clients.
    pub(crate) cards: Vec<Arc<Card>>,
    /// How many messages of the visitor each agent has read.
    pub(crate) readers: Vec<(ConversationId, Readers)>,
    /// Agents who have a connection here from now on, or none any more.
    pub(crate) desks: Vec<(AgentId, bool)>,
    /// Agents who gave a sign of life.
    pub(crate) alive: Vec<AgentId>,
    /// Conversations that wait and whose visitor wants to hear its place.
    pub(crate) listening: Vec<ConversationId>,
    /// Reservations of which nothing came.
    pub(crate) cancelled: Vec<(AgentId, ConversationId)>,
    /// How departments route from now on.
    pub(crate) policies: Policies,
}

/// What a home tells a guest.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// What changed. The first has version 1, each later one the next.
    Bulletin { version: u64, bulletin: Bulletin },
    /// The visit is over; which node is home, if that is known.
    Over { to: Option<Arc<str>> },
}

/// What changed at a home.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bulletin {
    /// Of open conversations, and of those that just ended.
    pub(crate) cards: Vec<Arc<Card>>,
    /// How many messages of the visitor each agent has read.
    pub(crate) readers: Vec<(ConversationId, Readers)>,
    /// Whether every open conversation was told by now.
    pub(crate) is_whole: bool,
    /// Agents as they are now.
    pub(crate) agents: Vec<AgentPresence>,
    /// Whether any agent takes conversations, where that changed.
    pub(crate) anybody: Option<bool>,
    /// Where conversations stand in their queues.
    pub(crate) places: Vec<(ConversationId, Place)>,
    /// How departments route from now on.
    pub(crate) policies: Policies,
}

/// How many messages of the visitor each agent has read.
pub(crate) type Readers = Vec<(AgentId, u32)>;
/// How departments route; `None` for conversations without one.
pub(crate) type Policies = Vec<(Option<DepartmentId>, Policy)>;

/// Where a conversation stands in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u32,
    pub(crate) eta: Option<(u32, u32)>,
}

impl Report {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { cards, readers, desks, alive, listening, cancelled, policies } = self;
        cards.is_empty()
            && readers.is_empty()
            && desks.is_empty()
            && alive.is_empty()
            && listening.is_empty()
            && cancelled.is_empty()
            && policies.is_empty()
    }
}

impl Bulletin {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { cards, readers, is_whole, agents, anybody, places, policies } = self;
        cards.is_empty()
            && readers.is_empty()
            && !is_whole
            && agents.is_empty()
            && anybody.is_none()
            && places.is_empty()
            && policies.is_empty()
    }
}

variants!(Message {
    0 Ask { id, tenant, question },
    1 Answer { id, answer },
    2 Say { tenant, visit, word },
    3 Tell { tenant, visit, news },
});
variants!(Question {
    0 Connect { agent, profile },
    1 Set { agent, setting },
    2 Get { agent },
    3 All,
    4 Seen,
    5 Reserve { agent, conversation },
});
variants!(Answer {
    0 Agent { agent },
    1 Agents { agents },
    2 Seen { seen },
    3 Reserved { name },
    4 Refused { refusal },
    5 Moved { to },
});
variants!(Word {
    0 Follow { desks, seen },
    1 Still,
    2 Report { report },
});
variants!(News {
    0 Bulletin { version, bulletin },
    1 Over { to },
});
variants!(Setting {
    0 Status(status),
    1 Capacity(max),
    2 Skills(skills),
    3 Desk(desk),
});
fields!(Report { cards, readers, desks, alive, listening, cancelled, policies });
fields!(Bulletin { cards, readers, is_whole, agents, anybody, places, policies });
fields!(Place { position, eta });
fields!(Profile { name, role, departments });
fields!(AgentPresence { agent, effective, chosen, capacity, active, skills, departments, desk });
