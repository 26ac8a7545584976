//! The agents of a tenant: who is there, and with how many free slots.

use std::sync::Arc;

use switchboard_domain::conversation::Request;
use switchboard_domain::ids::{AgentId, DepartmentId, TenantId};
use switchboard_domain::person::{AgentRef, Role};
use switchboard_domain::presence::Status;
use switchboard_store::ConversationKey;

use crate::answer::{Done, Refusal};
use crate::delivery::Outlet;

/// What the directory of people says of an agent who connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name to show.
    pub name: Arc<str>,
    /// The rights.
    pub role: Role,
    /// For whom the agent works; empty means for every department.
    pub departments: Arc<[DepartmentId]>,
}

/// An agent as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPresence {
    /// Who.
    pub agent: AgentRef,
    /// The status that others see: the chosen one while anything of the agent is alive.
    pub effective: Status,
    /// The status the agent chose.
    pub chosen: Status,
    /// How many conversations the agent takes.
    pub capacity: usize,
    /// How many the agent has.
    pub active: usize,
    /// What the agent can.
    pub skills: Arc<[Arc<str>]>,
    /// For whom the agent works; empty means for every department.
    pub departments: Arc<[DepartmentId]>,
}

/// Talks to the presence of any tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle;

impl Handle {
    /// A connection of an agent opened; `connection` tells the connections of this node apart.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when presence does not answer; the connection may go on without.
    pub async fn connected(
        &self,
        _tenant: &TenantId,
        _agent: AgentId,
        _connection: u64,
        _profile: Profile,
    ) -> Result<AgentPresence, Refusal> {
        Err(Refusal::Unknown)
    }

    /// A connection of an agent closed.
    pub fn disconnected(&self, _tenant: &TenantId, _agent: AgentId, _connection: u64) {}

    /// A heartbeat or any authenticated call: keeps the agent alive for two minutes.
    pub fn alive(&self, _tenant: &TenantId, _agent: AgentId) {}

    /// Chooses a status.
    ///
    /// # Errors
    ///
    /// Nothing was changed, or the outcome is unknown.
    pub async fn set_status(
        &self,
        _tenant: &TenantId,
        _agent: &AgentRef,
        _status: Status,
    ) -> Result<AgentPresence, Refusal> {
        Err(Refusal::Unknown)
    }

    /// Changes how many conversations the agent takes, 1 to 20.
    ///
    /// # Errors
    ///
    /// Nothing was changed, or the outcome is unknown.
    pub async fn set_capacity(
        &self,
        _tenant: &TenantId,
        _agent: &AgentRef,
        _max: usize,
    ) -> Result<AgentPresence, Refusal> {
        Err(Refusal::Unknown)
    }

    /// Changes what the agent can.
    ///
    /// # Errors
    ///
    /// Nothing was changed, or the outcome is unknown.
    pub async fn set_skills(
        &self,
        _tenant: &TenantId,
        _agent: &AgentRef,
        _skills: Vec<Arc<str>>,
    ) -> Result<AgentPresence, Refusal> {
        Err(Refusal::Unknown)
    }

    /// One agent; `None` for one who was never there.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when presence does not answer.
    pub async fn get(
        &self,
        _tenant: &TenantId,
        _agent: AgentId,
    ) -> Result<Option<AgentPresence>, Refusal> {
        Err(Refusal::Unknown)
    }

    /// All agents who were ever there, by id.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when presence does not answer.
    pub async fn all(&self, _tenant: &TenantId) -> Result<Arc<[AgentPresence]>, Refusal> {
        Err(Refusal::Unknown)
    }

    /// Whether any agent takes conversations at this moment.
    #[must_use]
    pub fn anybody_online(&self, _tenant: &TenantId) -> bool {
        false
    }

    /// Takes a waiting conversation within the agent's capacity (P11): reserves a slot, asks the
    /// conversation, and keeps or gives back the slot. `request.command` is `Accept`.
    ///
    /// # Errors
    ///
    /// `AtCapacity`, `AlreadyAccepted` with who has it, or as any request.
    pub async fn accept(&self, _key: &ConversationKey, _request: Request) -> Result<Done, Refusal> {
        Err(Refusal::Unknown)
    }

    /// Tells an outlet of the tenant's presence: at once and on every change. `View::Agents` gets
    /// `Delivery::Presence`, `View::Anybody` gets `Delivery::AnybodyOnline`.
    pub async fn watch(&self, _tenant: &TenantId, _view: View, _outlet: &Outlet) {}

    /// Tells it no more.
    pub fn unwatch(&self, _tenant: &TenantId, _outlet_id: u64) {}
}

/// What a watcher of presence is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Every agent; for agents.
    Agents,
    /// Whether anybody is there; for visitors.
    Anybody,
}
