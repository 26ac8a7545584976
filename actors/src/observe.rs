//! What the actors say of themselves: counts, never content.

use switchboard_domain::ids::TenantId;

/// A look at the running actors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Shards that this node owns and serves.
    pub shards: usize,
    /// By region, in order.
    pub regions: Vec<Region>,
    /// By tenant that was touched since the start.
    pub tenants: Vec<Tenant>,
    /// Restarts of supervised actors since the start, without conversations.
    pub restarts: u64,
}

/// One region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Conversations in memory.
    pub live: usize,
    /// Conversations on their way out of memory.
    pub passivating: usize,
    /// Conversations refused for a while after repeated failures.
    pub quarantined: usize,
    /// Conversations with subscribers.
    pub subscribed: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Requests that wait for the region.
    pub mailbox: usize,
    /// Requests that wait for its conversations.
    pub conversations_mailbox: usize,
    /// Activations since the start.
    pub activations: u64,
    /// Passivations since the start.
    pub passivations: u64,
    /// Failures of conversations since the start.
    pub failures: u64,
}

/// The actors of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Which.
    pub tenant: TenantId,
    /// Its agents.
    pub presence: Presence,
    /// Its lists.
    pub inbox: Inbox,
    /// Its queue.
    pub queue: Queue,
}

/// Presence of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Agents known.
    pub agents: usize,
    /// Agents of whom anything is alive.
    pub alive: usize,
    /// Connections that are told of presence.
    pub watchers: usize,
    /// Slots taken, reservations included.
    pub slots_taken: usize,
    /// Slots owned.
    pub slots_owned: usize,
    /// Requests that wait.
    pub mailbox: usize,
}

/// The inbox of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbox {
    /// Cards of open conversations.
    pub cards: usize,
    /// Lists that somebody watches.
    pub lists: usize,
    /// Watches.
    pub views: usize,
    /// Steps told since the start.
    pub steps: u64,
    /// Requests that wait.
    pub mailbox: usize,
}

/// The queue of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Conversations that wait.
    pub waiting: usize,
    /// Conversations given by the queue since the start.
    pub routed: u64,
    /// Requests that wait.
    pub mailbox: usize,
}
