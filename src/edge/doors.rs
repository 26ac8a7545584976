//! What every handler can reach: one struct, shared.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use switchboard_actors::clock::Clock;
use switchboard_actors::sabotage::Sabotage;
use switchboard_actors::{inbox, presence, queue, region};
use switchboard_domain::ids::{ConversationId, TenantId};
use switchboard_domain::permission::AgentsSee;
use switchboard_store::{ConversationKey, Store};
use tokio::time::{Duration, Instant};

use super::connections::Connections;
use super::limits::{self, PerAddress, Rate};
use super::numbers::Numbers;
use super::problem::{Code, Problem};
use super::trails::Trails;
use super::viewers::Viewers;
use crate::accounts::Accounts;
use crate::auth::Authenticator;
use crate::directory::Directory;
use crate::directory::origin::{Origin, Pattern};
use crate::metrics::Metrics;
use crate::phase::{Phase, Watch};

/// See the module.
#[derive(Debug)]
pub struct Doors {
    /// The node's name.
    pub node: Arc<str>,
    /// Whether limits among strangers apply.
    pub production: bool,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Who comes in.
    pub auth: Authenticator,
    /// Own accounts.
    pub accounts: Accounts,
    /// Where clients find us, without a slash at its end: for links and embed code.
    pub public_url: Box<str>,
    /// Pages that may call for every tenant: the public URL and the server's own list.
    pub origins: Vec<Pattern>,
    /// People, widgets, departments.
    pub directory: Directory,
    /// For lists; everything else goes through handles.
    pub store: Arc<dyn Store>,
    /// Conversations.
    pub conversations: region::Handle,
    /// Agents' availability.
    pub presence: presence::Handle,
    /// Live lists.
    pub inbox: inbox::Handle,
    /// Automatic routing.
    pub queue: queue::Handle,
    /// Which conversations plain agents see.
    pub agents_see: AgentsSee,
    /// Open sockets.
    pub connections: Connections,
    /// Where visitors have been lately.
    pub trails: Trails,
    /// Which agents look at which conversation.
    pub viewers: Viewers,
    /// Conversations by the numbers that clients were shown.
    pub numbers: Numbers,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Budgets among strangers.
    pub budgets: Budgets,
    /// Whether demo people may sign in with one click.
    pub demo: bool,
    /// What the node is doing.
    pub phase: Watch,
    /// Planted faults: none in any build that users run.
    pub sabotage: Sabotage,
}

/// Budgets that apply in production.
#[derive(Debug)]
pub struct Budgets {
    /// Conversations begun without a token.
    pub creates: PerAddress,
    /// Refused tokens.
    pub refusals: PerAddress,
    /// Frames of one connection.
    pub frames: Rate,
}

impl Budgets {
    /// The budgets of the settings.
    #[must_use]
    pub fn new(config: &limits::Config) -> Self {
        let minute = Duration::from_secs(60);
        Self {
            creates: PerAddress::new(Rate::new(config.creates_per_minute, minute)),
            refusals: PerAddress::new(Rate::new(config.refusals_per_minute, minute)),
            frames: Rate::new(config.frames_per_second.saturating_mul(10), Duration::from_secs(10)),
        }
    }
}

impl Doors {
    /// Whether the node goes away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.phase.now() >= Phase::Draining
    }

    /// Whether pages of an origin may call for a tenant.
    #[must_use]
    pub fn allows_origin(&self, tenant: &TenantId, origin: &str) -> bool {
        origin.parse::<Origin>().is_ok_and(|origin| {
            self.origins.iter().any(|pattern| pattern.allows(&origin))
                || self.directory.allows_origin(tenant, &origin)
        })
    }

    /// Whether an origin is one of our own pages: the only ones that may act by a cookie.
    #[must_use]
    pub fn is_own_origin(&self, origin: &str) -> bool {
        origin
            .parse::<Origin>()
            .is_ok_and(|origin| self.origins.iter().any(|pattern| pattern.allows(&origin)))
    }

    /// Whether pages of an origin may call for any tenant: all that can be said before the caller
    /// is known.
    #[must_use]
    pub fn knows_origin(&self, origin: &str) -> bool {
        origin.parse::<Origin>().is_ok_and(|origin| {
            self.origins.iter().any(|pattern| pattern.allows(&origin))
                || self.directory.knows_origin(&origin)
        })
    }

    /// A conversation of a tenant.
    #[must_use]
    pub fn key(&self, tenant: &TenantId, conversation: ConversationId) -> ConversationKey {
        ConversationKey { tenant: tenant.clone(), conversation }
    }

    /// Takes one from an address's budget.
    ///
    /// # Errors
    ///
    /// [`Code::RateLimited`] when there is none, in production.
    pub fn charge(&self, budget: &PerAddress, address: IpAddr) -> Result<(), Problem> {
        if !self.production || budget.take(address, Instant::now()) {
            return Ok(());
        }
        Err(Problem { retry_after_ms: Some(60_000), ..Problem::new(Code::RateLimited) })
    }
}

/// The bearer token of a request, if it has one.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
