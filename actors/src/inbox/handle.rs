//! What the doors may ask of the inbox.

use std::sync::Arc;

use switchboard_domain::card::Card;
use switchboard_domain::ids::TenantId;
use switchboard_domain::permission::{self, AgentsSee};
use switchboard_domain::person::Caller;
use switchboard_store::ConversationKey;

use super::list::Sight;
use super::view::Watcher;
use super::{Companion, Message, ROWS_MAX, Watch};
use crate::answer::Refusal;
use crate::delivery::Outlet;
use crate::tenant::Tenant;
use crate::world::World;

/// Talks to the inbox of any tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    world: Arc<World>,
}

impl Handle {
    pub(crate) const fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    /// Watches a list: a snapshot at once, then changes, at most ten steps a second. The same id
    /// of the same outlet again replaces the watch.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the inbox does not answer.
    pub async fn watch(
        &self,
        tenant: &TenantId,
        caller: &Caller,
        mut watch: Watch,
        outlet: &Outlet,
    ) -> Result<(), Refusal> {
        watch.limit = watch.limit.min(ROWS_MAX);
        let tenant = self.tenant(tenant);
        let (outlet_id, id) = (outlet.id(), watch.id);
        let sight = self.sight(&tenant, caller);
        let reader = caller.author.principal.agent();
        tenant.watches.enter(Watcher::new(watch, sight, reader, outlet.clone()));
        let within = self.world.config.answer_within;
        let watch = |_permit, reply| Message::Watch { outlet_id, id, _permit, reply };
        tenant.inbox.ask(within, watch).await
    }

    /// Who is with a conversation now. Those who watch a list that shows it are told, a moment
    /// later; lossy.
    pub fn company(&self, key: &ConversationKey, agents: &[Companion]) {
        let tenant = self.tenant(&key.tenant);
        if tenant.company.put(key.conversation, agents) {
            // An inbox that is away looks at all that it shows when it comes back.
            drop(tenant.inbox.cast(Message::Company));
        }
    }

    /// The cards of all open conversations, in no order. Nobody's sight is asked.
    #[must_use]
    pub fn open_cards(&self, tenant: &TenantId) -> Vec<Arc<Card>> {
        self.tenant(tenant).cards().all()
    }

    /// Ends a watch.
    pub fn unwatch(&self, tenant: &TenantId, id: u64, outlet_id: u64) {
        let tenant = self.tenant(tenant);
        tenant.watches.end(outlet_id, |watch| watch == id);
        Self::tell(&tenant);
    }

    /// Ends all watches of an outlet that is gone.
    pub fn unwatch_all(&self, tenant: &TenantId, outlet_id: u64) {
        let tenant = self.tenant(tenant);
        if tenant.watches.end(outlet_id, |_| true) {
            Self::tell(&tenant);
        }
    }

    fn tell(tenant: &Tenant) {
        // An inbox that is away begins from the watches when it comes back.
        drop(tenant.inbox.cast(Message::Unwatched));
    }

    fn sight(&self, tenant: &Tenant, caller: &Caller) -> Sight {
        let Some(agent) = caller.author.principal.agent() else { return Sight::None };
        match self.world.config.agents_see {
            _ if permission::supervises(caller) => Sight::All,
            AgentsSee::All => Sight::All,
            AgentsSee::Departments => Sight::Departments(agent, tenant.departments_of(agent)),
            AgentsSee::Own => Sight::Own(agent),
        }
    }

    fn tenant(&self, tenant: &TenantId) -> Arc<Tenant> {
        self.world.tenants.get(&self.world, tenant)
    }
}
