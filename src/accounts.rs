//! Own accounts: people who sign in here, with a mail address and a password.
//!
//! All that is kept for a person is one document, its [`credential`]: the digest of the password,
//! the one link that may set it, the browsers that are signed in. So every change here is one
//! conditional write, and of two that use the same link one wins.

pub mod password;
pub mod hasher;
pub mod credential;
pub mod attempts;
pub mod device;
pub mod stream_ticket;
pub mod links;
pub mod sign_in;
pub mod api_key;
pub mod avatar;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use switchboard_actors::clock::Clock;
use switchboard_domain::ids::{AgentId, TenantId};
use tokio::time::Instant;
use uuid::Uuid;

use crate::auth::{Authenticator, Identity};
use crate::directory::{self, Directory};

use attempts::Attempts;
use hasher::Hasher;
use stream_ticket::StreamTickets;

/// Before the secret in the cookie of a browser that is signed in.
pub const SIGN_IN_PREFIX: &str = "sbs_";
/// Before the secret of a link that sets up a tenant.
pub const SETUP_PREFIX: &str = "sbu_";
/// Before the secret of a link that sets a password.
pub const INVITATION_PREFIX: &str = "sbi_";

/// Why an account did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No such account, another password, or disabled: nobody is told which.
    #[error("the mail address or the password is wrong")]
    BadCredentials,
    /// Too many wrong passwords.
    #[error("too many attempts")]
    TooManyAttempts {
        /// When the next is allowed.
        retry_after_ms: u32,
    },
    /// The link was used, replaced, or never was.
    #[error("the link was used or replaced")]
    LinkUsed,
    /// The link is too old.
    #[error("the link has expired")]
    LinkExpired,
    /// The caller did not come with an account.
    #[error("the caller has no password here")]
    NoAccount,
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked")]
    Busy,
    /// A value is not allowed, or the store failed.
    #[error("the directory failed")]
    Directory(#[from] directory::Error),
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hash(#[source] argon2::password_hash::Error),
}

/// Who came in, and what their browser is to keep.
#[derive(Debug)]
pub struct Entered {
    /// Who.
    pub identity: Identity,
    /// The secret of the sign-in.
    pub secret: String,
    /// What the pages show with every change they ask for.
    pub csrf: String,
    /// Says next time that this browser was here before.
    pub device: String,
}

/// Where an attempt comes from.
#[derive(Clone, Debug)]
pub struct From<'a> {
    /// The address.
    pub address: IpAddr,
    /// What the browser kept of an earlier sign-in.
    pub device: Option<&'a str>,
}

/// Own accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Accounts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    directory: Directory,
    auth: Authenticator,
    clock: Arc<dyn Clock>,
    hasher: Hasher,
    attempts: Attempts,
    tickets: StreamTickets,
    /// Whether attempts are counted.
    is_limited: bool,
    /// Whether the tenant `default` waits for its owner.
    awaits_owner: AtomicBool,
}

impl Accounts {
    /// Accounts over that directory; `is_limited` says whether attempts are counted,
    /// `awaits_owner` whether the tenant `default` waits for its owner.
    #[must_use]
    pub fn new(
        directory: Directory,
        auth: Authenticator,
        clock: Arc<dyn Clock>,
        is_limited: bool,
        awaits_owner: bool,
    ) -> Self {
        let teller = directory.teller();
        let (attempts, tickets) =
            (Attempts::new(teller.clone()), StreamTickets::new(teller.clone()));
        Self(Arc::new(Shared {
            directory,
            auth,
            clock,
            hasher: Hasher::default(),
            attempts,
            tickets,
            is_limited,
            awaits_owner: AtomicBool::new(awaits_owner),
        }))
    }

    /// Whether the tenant `default` waits for its owner.
    #[must_use]
    pub fn awaits_owner(&self) -> bool {
        self.0.awaits_owner.load(Ordering::Relaxed)
    }

    /// Looks whether the tenant `default` has got an owner by way of another node.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn look_for_owner(&self) -> Result<(), directory::Error> {
        let default = TenantId(directory::tenant::DEFAULT.into());
        if self.awaits_owner() && self.0.directory.has_owner(&default).await? {
            self.0.awaits_owner.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Tickets with which sockets open.
    #[must_use]
    pub fn tickets(&self) -> &StreamTickets {
        &self.0.tickets
    }

    /// Another node has issued a ticket to somebody who is signed in.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn hear_ticket(
        &self,
        digest: stream_ticket::TicketDigest,
        tenant: &TenantId,
        person: AgentId,
        sign_in: Uuid,
    ) -> Result<(), directory::Error> {
        let found = self.0.auth.signed_in(tenant, person, sign_in).await?;
        if let Some(identity) = found
            && !self.0.tickets.keep(digest, identity, Instant::now())
        {
            tracing::debug!(%tenant, "a ticket of another node is one too many");
        }
        Ok(())
    }

    /// A password is being tried on another node, or is not to be counted after all.
    pub fn hear_attempt(
        &self,
        address: IpAddr,
        account: [u8; 16],
        device: Option<u128>,
        is_back: bool,
    ) {
        let account = attempts::Account(account);
        self.0.attempts.heard(address, account, device, is_back, Instant::now());
    }
}

/// A mail address as accounts are known by: people type it in any case.
#[must_use]
pub fn folded(email: &str) -> Arc<str> {
    email.trim().to_lowercase().into()
}

/// What an attempt is counted under.
fn counted_as(tenant: &TenantId, email: &str) -> attempts::Account {
    attempts::Account::of(&tenant.0, email)
}

#[cfg(test)]
mod tests;
