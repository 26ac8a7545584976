//! What the actors say of themselves: counts, never content.

/// A look at the running actors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// By region, in order.
    pub regions: Vec<Region>,
    /// Restarts of supervised actors since the start.
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
