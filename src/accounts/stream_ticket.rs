//! Stream tickets: a browser's cookie does not reach into frames, so its socket opens with a
//! ticket that is good once and for half a minute. They live in memory: whoever finds that one is
//! gone asks for another.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, Instant};

use crate::auth::Identity;
use crate::directory::{self, random};

/// Before every ticket.
pub const PREFIX: &str = "sbt_";
/// How long a ticket is good.
pub const LIFETIME: Duration = Duration::from_secs(30);
/// Unused tickets at most, about half a kilobyte each.
const TICKETS_MAX: usize = 50_000;

/// All unused tickets, by digest.
#[derive(Debug, Default)]
pub struct StreamTickets(Mutex<HashMap<[u8; 32], (Instant, Identity)>>);

/// Whether a token is a ticket by its look.
#[must_use]
pub fn is_ticket(token: &str) -> bool {
    token.starts_with(PREFIX)
}

impl StreamTickets {
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
        let mut tickets = self.0.lock();
        if tickets.len() >= TICKETS_MAX {
            tickets.retain(|_, (ends_at, _)| *ends_at > now);
        }
        if tickets.len() >= TICKETS_MAX {
            return Ok(None);
        }
        let entry = (now + LIFETIME, identity.clone());
        tickets.insert(Sha256::digest(&ticket).into(), entry);
        Ok(Some(ticket))
    }

    /// Uses a ticket up; `None` when it is not there or too old.
    #[must_use]
    pub fn redeem(&self, ticket: &str, now: Instant) -> Option<Identity> {
        let digest: [u8; 32] = Sha256::digest(ticket).into();
        let (ends_at, identity) = self.0.lock().remove(&digest)?;
        (ends_at > now).then_some(identity)
    }
}
