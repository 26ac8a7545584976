//! Stream tickets: a browser's cookie does not reach into frames, so its socket opens with a
//! ticket that is good once and for half a minute. They live in memory, those of people who are
//! signed in on every node: whoever finds that one is gone asks for another.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, Instant};

use crate::auth::{Identity, Via};
use crate::directory::{self, random};
use crate::notices::{Notice, Teller};

/// Before every ticket.
pub const PREFIX: &str = "sbt_";
/// How long a ticket is good.
pub const LIFETIME: Duration = Duration::from_secs(30);
/// Unused tickets at most, about half a kilobyte each.
const TICKETS_MAX: usize = 50_000;

/// The digest of a ticket.
pub type TicketDigest = [u8; 32];

/// All unused tickets, by digest.
#[derive(Debug, Default)]
pub struct StreamTickets {
    unused: Mutex<HashMap<TicketDigest, (Instant, Identity)>>,
    teller: Teller,
}

/// Whether a token is a ticket by its look.
#[must_use]
pub fn is_ticket(token: &str) -> bool {
    token.starts_with(PREFIX)
}

impl StreamTickets {
    /// None so far; other nodes are told through that.
    #[must_use]
    pub fn new(teller: Teller) -> Self {
        Self { teller, ..Self::default() }
    }

    /// A ticket for that caller; `None` when there are too many.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn issue(
        &self,
        identity: &Identity,
        now: Instant,
    ) -> Result<Option<String>, directory::Error> {
        let secret: [u8; 32] = random()?;
        let ticket = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let digest = digest(&ticket);
        if !self.keep(digest, identity.clone(), now) {
            return Ok(None);
        }
        if let Via::SignIn(sign_in) = identity.via {
            let tenant = identity.tenant.0.clone();
            let (person, sign_in) = (identity.id().as_u128(), sign_in.as_u128());
            self.teller.tell(&Notice::Ticket { digest, tenant, person, sign_in });
        }
        Ok(Some(ticket))
    }

    /// Keeps a ticket, issued just now here or on another node; not when there are too many.
    pub fn keep(&self, digest: TicketDigest, identity: Identity, now: Instant) -> bool {
        let mut unused = self.unused.lock();
        if unused.len() >= TICKETS_MAX {
            unused.retain(|_, (ends_at, _)| *ends_at > now);
        }
        if unused.len() >= TICKETS_MAX {
            return false;
        }
        unused.insert(digest, (now + LIFETIME, identity));
        true
    }

    /// Uses a ticket up; `None` when it is not there or too old.
    #[must_use]
    pub fn redeem(&self, ticket: &str, now: Instant) -> Option<Identity> {
        let digest = digest(ticket);
        let (ends_at, identity) = self.unused.lock().remove(&digest)?;
        self.teller.tell(&Notice::TicketUsed { digest });
        (ends_at > now).then_some(identity)
    }

    /// A ticket was used on another node.
    pub fn used(&self, digest: &TicketDigest) {
        self.unused.lock().remove(digest);
    }
}

fn digest(ticket: &str) -> TicketDigest {
    Sha256::digest(ticket).into()
}
