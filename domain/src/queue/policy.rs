//! To whom a conversation goes, of those who could take it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{AgentId, DepartmentId};

/// How a line routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Not by itself: agents accept.
    Manual,
    /// To the agent with the smallest share of slots taken; of equals, in turns.
    LeastBusy,
    /// In turns: to the agent who was given one longest ago.
    RoundRobin,
    /// As least busy, among those who have all the skills asked for. It waits until one is free.
    Skills,
}

/// An agent as routing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub agent: AgentId,
    /// Whether the agent's presence takes offers.
    pub takes_offers: bool,
    /// Slots taken, reservations included.
    pub n_taken: usize,
    /// Slots there are.
    pub max: usize,
    /// What the agent can.
    pub skills: Vec<Arc<str>>,
    /// For whom the agent works; empty means for every department.
    pub departments: Vec<DepartmentId>,
}

impl Candidate {
    /// Whether one more may be given (P11).
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.takes_offers && self.n_taken < self.max
    }

    fn works_for(&self, department: Option<&DepartmentId>) -> bool {
        department.is_none_or(|department| {
            self.departments.is_empty() || self.departments.contains(department)
        })
    }

    fn can(&self, skills: &[Arc<str>]) -> bool {
        skills.iter().all(|skill| self.skills.contains(skill))
    }
}

/// When each agent was last given a conversation, counted in offers.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    n_taken: u64,
    last: BTreeMap<AgentId, u64>,
}

impl Turns {
    pub(super) fn take(&mut self, agent: AgentId) {
        self.n_taken += 1;
        self.last.insert(agent, self.n_taken);
    }

    /// 0 for an agent who was never given one.
    fn last(&self, agent: AgentId) -> u64 {
        self.last.get(&agent).copied().unwrap_or(0)
    }
}

/// The agent for what waits in `line` and asks for `skills`; `None` when none of `agents` can take
/// it now.
pub(super) fn pick(
    policy: Policy,
    line: Option<&DepartmentId>,
    skills: &[Arc<str>],
    agents: &[Candidate],
    turns: &Turns,
) -> Option<AgentId> {
    let in_turn = |it: &Candidate| (turns.last(it.agent), it.agent);
    let fitting = agents.iter().filter(|it| it.is_free() && it.works_for(line));
    let picked = match policy {
        Policy::Manual => None,
        Policy::RoundRobin => fitting.min_by_key(|it| in_turn(it)),
        Policy::LeastBusy => fitting.min_by_key(|it| (share_taken(it), in_turn(it))),
        Policy::Skills => {
            fitting.filter(|it| it.can(skills)).min_by_key(|it| (share_taken(it), in_turn(it)))
        }
    };
    picked.map(|it| it.agent)
}

/// Slots taken per million: exact enough to tell any two shares of up to 20 slots apart.
fn share_taken(candidate: &Candidate) -> usize {
    candidate.n_taken.saturating_mul(1_000_000) / candidate.max.max(1)
}
