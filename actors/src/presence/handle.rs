//! What the doors and the queue may ask of presence.

use std::sync::Arc;
use std::time::Duration;

use switchboard_domain::conversation::{Command, Rejection, Request};
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, TenantId, Timestamp};
use switchboard_domain::person::AgentRef;
use switchboard_domain::presence::Status;
use switchboard_store::ConversationKey;

use super::{AgentPresence, Message, Profile, Setting, View};
use crate::answer::{Done, Refusal};
use crate::delivery::Outlet;
use crate::mailbox::{Permit, Reply};
use crate::maps::HashMap;
use crate::region;
use crate::remote::home::{Answer, Question};
use crate::tenant::{Found, Tenant};
use crate::world::World;

/// How long a connection that opens waits for presence. While the home of its tenant is away, its
/// client has conversations to go on with.
pub const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

/// Talks to the presence of any tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    world: Arc<World>,
    conversations: region::Handle,
}

impl Handle {
    pub(crate) const fn new(world: Arc<World>, conversations: region::Handle) -> Self {
        Self { world, conversations }
    }

    /// A connection of an agent opened; `connection` tells the connections of this node apart.
    /// [`disconnected`](Self::disconnected) must follow when it closes, also after an error.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when presence does not answer within [`CONNECTED_WITHIN`]; the connection may go
    /// on without, and presence learns of it when it begins again, here or at its next home.
    pub async fn connected(
        &self,
        tenant: &TenantId,
        agent: AgentId,
        connection: u64,
        profile: Profile,
    ) -> Result<AgentPresence, Refusal> {
        let it = self.tenant(tenant);
        it.desks.open(connection, agent);
        it.set_departments(agent, Arc::clone(&profile.departments));
        it.note_desk(agent);
        let question = || Question::Connect { agent, profile: profile.clone() };
        let message = |_permit, reply| {
            let profile = profile.clone();
            Message::Connected { agent, connection, profile, _permit, reply }
        };
        let within = self.world.config.answer_within.min(CONNECTED_WITHIN);
        self.ask_within(within, tenant, question, one, message).await
    }

    /// A connection of an agent closed.
    pub fn disconnected(&self, tenant: &TenantId, agent: AgentId, connection: u64) {
        let tenant = self.tenant(tenant);
        tenant.desks.close(connection);
        tenant.note_desk(agent);
        // Without a permit: one for each connection that was admitted, and it must not get lost.
        // When presence is away, its next life begins from those that are left.
        drop(tenant.presence.cast(Message::Disconnected { agent, connection }));
    }

    /// A heartbeat or any authenticated call: keeps the agent alive for two minutes.
    pub fn alive(&self, tenant: &TenantId, agent: AgentId) {
        self.tenant(tenant).alive(agent);
    }

    /// Chooses a status.
    ///
    /// # Errors
    ///
    /// Nothing was changed, or the outcome is unknown.
    pub async fn set_status(
        &self,
        tenant: &TenantId,
        agent: &AgentRef,
        status: Status,
    ) -> Result<AgentPresence, Refusal> {
        self.set(tenant, agent, Setting::Status(status)).await
    }

    /// Changes how many conversations the agent takes, 1 to 20.
    ///
    /// # Errors
    ///
    /// Nothing was changed, or the outcome is unknown.
    pub async fn set_capacity(
        &self,
        tenant: &TenantId,
        agent: &AgentRef,
        max: usize,
    ) -> Result<AgentPresence, Refusal> {
        self.set(tenant, agent, Setting::Capacity(max)).await
    }

    /// Changes what the agent can.
    ///
    /// # Errors
    ///
    /// Nothing was changed, or the outcome is unknown.
    pub async fn set_skills(
        &self,
        tenant: &TenantId,
        agent: &AgentRef,
        skills: Vec<Arc<str>>,
    ) -> Result<AgentPresence, Refusal> {
        self.set(tenant, agent, Setting::Skills(skills)).await
    }

    /// Says in which department the agent sits now; `None` for none.
    ///
    /// # Errors
    ///
    /// Nothing was changed, or the outcome is unknown.
    pub async fn set_desk(
        &self,
        tenant: &TenantId,
        agent: &AgentRef,
        desk: Option<DepartmentId>,
    ) -> Result<AgentPresence, Refusal> {
        self.set(tenant, agent, Setting::Desk(desk)).await
    }

    /// When each agent was last heard of: now for those with a connection, else when they last
    /// called or left. Those of whom this start of the node has heard nothing are not in it.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when presence does not answer.
    pub async fn seen(&self, tenant: &TenantId) -> Result<HashMap<AgentId, Timestamp>, Refusal> {
        let take = |answer| match answer {
            Answer::Seen { seen } => Ok(seen.into_iter().collect()),
            answer => Err(answer),
        };
        self.ask(tenant, || Question::Seen, take, |_permit, reply| Message::Seen { _permit, reply })
            .await
    }

    /// One agent; `None` for one who was never there.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when presence does not answer.
    pub async fn get(
        &self,
        tenant: &TenantId,
        agent: AgentId,
    ) -> Result<Option<AgentPresence>, Refusal> {
        let take = |answer| match answer {
            Answer::Agent { agent } => Ok(agent),
            answer => Err(answer),
        };
        let get = |_permit, reply| Message::Get { agent, _permit, reply };
        self.ask(tenant, || Question::Get { agent }, take, get).await
    }

    /// All agents who were ever there, by id.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when presence does not answer.
    pub async fn all(&self, tenant: &TenantId) -> Result<Arc<[AgentPresence]>, Refusal> {
        let take = |answer| match answer {
            Answer::Agents { agents } => Ok(agents),
            answer => Err(answer),
        };
        self.ask(tenant, || Question::All, take, |_permit, reply| Message::All { _permit, reply })
            .await
    }

    /// Whether any agent takes conversations at this moment.
    #[must_use]
    pub fn anybody_online(&self, tenant: &TenantId) -> bool {
        self.tenant(tenant).anybody_online()
    }

    /// Takes a waiting conversation within the agent's capacity (P11): reserves a slot, asks the
    /// conversation, and keeps or gives back the slot. `request.command` is `Accept`.
    ///
    /// # Errors
    ///
    /// `AtCapacity`, `AlreadyAccepted` with who has it, or as any request.
    pub async fn accept(&self, key: &ConversationKey, request: Request) -> Result<Done, Refusal> {
        let Command::Accept { agent } = &request.command else {
            let why = "only accepting goes through presence";
            return Err(Rejection::Invalid { what: "command", why }.into());
        };
        self.within_capacity(key, &agent.clone(), |_| request).await
    }

    /// Reserves a slot of an agent, asks the conversation for the change of hands that `request`
    /// makes of the agent's name, and keeps or gives back the slot.
    pub(crate) async fn within_capacity(
        &self,
        key: &ConversationKey,
        agent: &AgentRef,
        request: impl FnOnce(Arc<str>) -> Request,
    ) -> Result<Done, Refusal> {
        let (tenant, conversation) = (&key.tenant, key.conversation);
        let take = |answer| match answer {
            Answer::Reserved { name } => Ok(name),
            answer => Err(answer),
        };
        let question = || Question::Reserve { agent: agent.clone(), conversation };
        let reserved = self.ask(tenant, question, take, |_permit, reply| Message::Reserve {
            agent: agent.clone(),
            conversation,
            _permit,
            reply,
        });
        let name = reserved.await?;
        let result = self.conversations.ask(key, request(name)).await;
        match &result {
            // The log says so to presence itself, which then owns the slot.
            Ok(done) if done.state.agent.as_ref().is_some_and(|it| it.id == agent.id) => {
                self.tenant(tenant).answered(&done.state);
                if done.events.is_empty() {
                    // The slot was owned before.
                    self.cancel(tenant, agent.id, conversation);
                }
            }
            // Perhaps it was stored: the log will tell, or the reservation expires.
            Err(Refusal::Unknown | Refusal::Store(_)) => {}
            Ok(_) | Err(_) => self.cancel(tenant, agent.id, conversation),
        }
        result
    }

    /// Tells an outlet of the tenant's presence: at once and on every change. `View::Agents` gets
    /// `Delivery::Presence`, `View::Anybody` gets `Delivery::AnybodyOnline`.
    pub async fn watch(&self, tenant: &TenantId, view: View, outlet: &Outlet) {
        let outlet = outlet.clone();
        // Every node knows what to show.
        let watch = |_permit, reply| Message::Watch { view, outlet, _permit, reply };
        let watched = self.tenant(tenant);
        let watched = watched.presence.ask(self.world.config.answer_within, watch);
        if let Err(refusal) = watched.await {
            tracing::warn!(%tenant, error = %refusal, "presence not watched");
        }
    }

    /// Tells it no more.
    pub fn unwatch(&self, tenant: &TenantId, outlet_id: u64) {
        // When presence is away, its next life knows no watchers.
        drop(self.tenant(tenant).presence.cast(Message::Unwatch { outlet_id }));
    }

    fn cancel(&self, tenant: &TenantId, agent: AgentId, conversation: ConversationId) {
        self.tenant(tenant).cancel(agent, conversation);
    }

    async fn set(
        &self,
        tenant: &TenantId,
        agent: &AgentRef,
        setting: Setting,
    ) -> Result<AgentPresence, Refusal> {
        let question = || Question::Set { agent: agent.clone(), setting: setting.clone() };
        let set = |_permit, reply| Message::Set {
            agent: agent.clone(),
            setting: setting.clone(),
            _permit,
            reply,
        };
        self.ask(tenant, question, one, set).await
    }

    /// Asks presence at the tenant's home.
    async fn ask<T>(
        &self,
        tenant: &TenantId,
        question: impl Fn() -> Question + Send,
        take: impl FnOnce(Answer) -> Result<T, Answer>,
        message: impl Fn(Permit, Reply<T>) -> Message + Sync,
    ) -> Result<T, Refusal> {
        self.ask_within(self.world.config.answer_within, tenant, question, take, message).await
    }

    /// The same, for as long as the caller has.
    async fn ask_within<T>(
        &self,
        within: Duration,
        tenant: &TenantId,
        question: impl Fn() -> Question + Send,
        take: impl FnOnce(Answer) -> Result<T, Answer>,
        message: impl Fn(Permit, Reply<T>) -> Message + Sync,
    ) -> Result<T, Refusal> {
        let tenant = self.tenant(tenant);
        let here = || tenant.presence.ask(within, &message);
        match tenant.link() {
            None => here().await,
            Some(link) => match Box::pin(tenant.find(link, question, here, within)).await? {
                Found::Here(answer) => Ok(answer),
                Found::There(answer) => take(answer).map_err(refusal_of),
            },
        }
    }

    fn tenant(&self, tenant: &TenantId) -> Arc<Tenant> {
        self.world.tenants.get(&self.world, tenant)
    }
}

fn one(answer: Answer) -> Result<AgentPresence, Answer> {
    match answer {
        Answer::Agent { agent: Some(agent) } => Ok(agent),
        answer => Err(answer),
    }
}

/// Why there was no answer of the kind that was asked for.
fn refusal_of(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused { refusal } => refusal,
        _ => Refusal::Unknown,
    }
}
