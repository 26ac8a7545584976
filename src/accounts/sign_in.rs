//! Signing in and out, and changing the password.

use std::sync::Arc;

use switchboard_actors::clock::Clock;
use switchboard_domain::ids::{AgentId, TenantId};
use switchboard_domain::person::Role;
use tokio::time::Instant;
use uuid::Uuid;

use super::attempts::Attempt;
use super::credential::{Credential, SignIn};
use super::hasher::Compared;
use super::password::Password;
use super::{Accounts, Entered, Error, From, SIGN_IN_PREFIX, counted_as, folded};
use crate::auth::secret::Token;
use crate::auth::{Identity, Via};
use crate::directory::{self, Person, Versioned};

/// What pages show with every change is made from the secret of the sign-in, which they cannot
/// read, for this purpose.
const CSRF: &str = "switchboard csrf";

impl Accounts {
    /// Signs somebody in. Whether the account exists can be told neither from the answer nor from
    /// its time.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn log_in(
        &self,
        tenant: &TenantId,
        email: &str,
        password: Password,
        from: From<'_>,
    ) -> Result<Entered, Error> {
        let directory = &self.0.directory;
        let login = folded(email);
        let device = self.known_device(tenant, &login, from.device).await?;
        let attempt = self.begin_attempt(tenant, &login, &from, device)?;
        if password.is_too_long() {
            return Err(Error::BadCredentials);
        }
        let credential = directory.credential_of(tenant, &login).await?;
        let hash = credential.as_ref().and_then(|it| it.value.hash.clone());
        let compared = match self.0.hasher.compare(password.clone(), hash).await {
            Ok(compared) => compared,
            Err(error) => {
                give_back(attempt);
                return Err(error);
            }
        };
        if compared == Compared::Differs {
            return Err(Error::BadCredentials);
        }
        let credential = credential.ok_or(Error::BadCredentials)?;
        let id = credential.value.person;
        let person = directory.person(tenant, id).await?.ok_or(Error::BadCredentials)?;
        if person.value.disabled || person.value.role_in_effect() < Role::Agent {
            return Err(Error::BadCredentials);
        }
        give_back(attempt);
        let known = credential.value.hash.clone();
        let stronger = match compared {
            Compared::SameButWeak => Some(self.0.hasher.hash(password).await?),
            Compared::Same | Compared::Differs => None,
        };
        let (sign_in, secret) = fresh_sign_in(tenant, id, &*self.0.clock)?;
        let entered = directory.change_credential(tenant, id, |credential| {
            // The password may have been changed since it was compared.
            if credential.hash != known {
                return Err(Error::BadCredentials);
            }
            if let Some(stronger) = &stronger {
                credential.hash = Some(Arc::clone(stronger));
            }
            credential.enter(sign_in.clone());
            Ok(())
        });
        entered.await?;
        self.entered(tenant, &person, &sign_in, &secret).await
    }

    /// Ends the caller's sign-in; its sockets are closed.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn log_out(&self, identity: &Identity) -> Result<(), Error> {
        let (&Via::SignIn(id), Some(person)) = (&identity.via, &identity.person) else {
            return Ok(());
        };
        let (tenant, person) = (&identity.tenant, person.value.id);
        let left = self.0.directory.change_credential(tenant, person, |credential| {
            credential.sign_ins.retain(|it| it.id != id);
            Ok::<_, Error>(())
        });
        left.await?;
        self.0.auth.end_sign_in(tenant, person, id);
        Ok(())
    }

    /// Sets another password; the caller's sign-in goes on, all others end.
    ///
    /// # Errors
    ///
    /// [`Error::BadCredentials`] when `current` is wrong.
    pub async fn change_password(
        &self,
        identity: &Identity,
        current: Password,
        new: Password,
        from: From<'_>,
    ) -> Result<(), Error> {
        let person = identity.person.as_ref().ok_or(Error::NoAccount)?;
        let (tenant, id) = (&identity.tenant, person.value.id);
        let credential = self.0.directory.credential(tenant, id).await?;
        let known = credential.as_ref().map(|it| (it.value.hash.clone(), it.value.email.clone()));
        let Some((Some(hash), Some(email))) = known else { return Err(Error::NoAccount) };
        new.check("new", &email, person.value.told_name().as_deref())?;
        // Whoever is signed in already is no stranger, and may still be guessing.
        let attempt = self.begin_attempt(tenant, &email, &from, Some(id.uuid().as_u128()))?;
        if current.is_too_long()
            || self.0.hasher.compare(current, Some(Arc::clone(&hash))).await? == Compared::Differs
        {
            return Err(Error::BadCredentials);
        }
        give_back(attempt);
        let fresh = self.0.hasher.hash(new).await?;
        let mine = match identity.via {
            Via::SignIn(id) => Some(id),
            _ => None,
        };
        let changed = self.0.directory.change_credential(tenant, id, |credential| {
            if credential.hash.as_ref() != Some(&hash) {
                return Err(Error::BadCredentials);
            }
            credential.hash = Some(Arc::clone(&fresh));
            credential.link = None;
            credential.sign_ins.retain(|it| Some(it.id) == mine);
            Ok(())
        });
        changed.await?;
        self.0.auth.end_sign_ins(tenant, id, mine);
        Ok(())
    }

    /// A ticket with which the caller's socket opens.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when there are too many.
    pub fn issue_ticket(&self, identity: &Identity) -> Result<String, Error> {
        self.0.tickets.issue(identity, Instant::now())?.ok_or(Error::Busy)
    }

    /// What somebody's browser is to keep after they came in.
    pub(super) async fn entered(
        &self,
        tenant: &TenantId,
        person: &Arc<Versioned<Person>>,
        sign_in: &SignIn,
        secret: &Token,
    ) -> Result<Entered, Error> {
        let email = self.0.directory.credential(tenant, person.value.id).await?;
        let email = email.and_then(|it| it.value.email.clone()).unwrap_or_default();
        let key = self.0.directory.make_device_key(tenant).await?;
        let device = key.sign(self.0.clock.fresh_id().as_u128(), &email);
        Ok(Entered {
            identity: Identity::signed_in(tenant, person, sign_in),
            secret: secret.reveal(SIGN_IN_PREFIX),
            csrf: csrf(secret),
            device,
        })
    }

    async fn known_device(
        &self,
        tenant: &TenantId,
        login: &str,
        word: Option<&str>,
    ) -> Result<Option<u128>, Error> {
        let Some(word) = word else { return Ok(None) };
        let key = self.0.directory.device_key(tenant).await?;
        Ok(key.and_then(|key| key.check(word, login)))
    }

    fn begin_attempt(
        &self,
        tenant: &TenantId,
        login: &str,
        from: &From<'_>,
        device: Option<u128>,
    ) -> Result<Option<Attempt<'_>>, Error> {
        if !self.0.is_limited {
            return Ok(None);
        }
        let account = counted_as(tenant, login);
        let begun = self.0.attempts.begin(from.address, account, device, Instant::now());
        begun.map(Some).map_err(|wait| Error::TooManyAttempts {
            retry_after_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
        })
    }
}

fn give_back(attempt: Option<Attempt<'_>>) {
    if let Some(attempt) = attempt {
        attempt.give_back();
    }
}

/// What a page shows with its changes, under the sign-in of that secret.
#[must_use]
pub fn csrf(secret: &Token) -> String {
    secret.derive(CSRF)
}

/// A sign-in that begins now: always with a secret of its own, so that none can be planted.
pub(super) fn fresh_sign_in(
    tenant: &TenantId,
    person: AgentId,
    clock: &dyn Clock,
) -> Result<(SignIn, Token), directory::Error> {
    let secret = Token::fresh(tenant.clone(), person.uuid())?;
    let now = clock.now();
    let id: Uuid = clock.fresh_id();
    Ok((SignIn { id, digest: secret.digest(), created_at: now, seen_at: now }, secret))
}

/// Marks a sign-in as used now.
pub(crate) fn touch(
    credential: &mut Credential,
    id: Uuid,
    now: switchboard_domain::ids::Timestamp,
) {
    for sign_in in credential.sign_ins.iter_mut().filter(|it| it.id == id) {
        sign_in.seen_at = sign_in.seen_at.max(now);
    }
}
