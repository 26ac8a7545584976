//! What is kept of an own account, in one document per person.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{AgentId, TenantId, Timestamp};
use switchboard_store::{Expect, Fault};
use uuid::Uuid;

use super::folded;
use crate::auth::secret::{SecretDigest, Token};
use crate::directory::cache::{Cache, Caches};
use crate::directory::record::{Record, damaged, parse};
use crate::directory::{Directory, Error, Versioned, text};

/// A sign-in that nothing was asked with for so long has ended, in milliseconds: a working day
/// and its evening.
pub const IDLE_MS: i64 = 12 * 60 * 60 * 1_000;
/// A sign-in ends after so long whatever was asked, in milliseconds.
pub const AGE_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// How far what is stored of the last request may lag behind, in milliseconds: a write in five
/// minutes and not one per request.
pub const SEEN_LAG_MS: i64 = 5 * 60 * 1_000;
/// Browsers of one person that are signed in at once; the one idle for longest goes.
const SIGN_INS_MAX: usize = 20;

/// An own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub person: AgentId,
    /// The mail address it signs in with, folded; `None` before the set-up.
    pub email: Option<Arc<str>>,
    /// The hash of its password; `None` until the first link was used.
    pub hash: Option<Arc<str>>,
    /// The one link that may set the password.
    pub link: Option<Link>,
    /// Browsers that are signed in, oldest first.
    pub sign_ins: Vec<SignIn>,
}

/// A link that sets the password, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What is kept of its secret.
    pub digest: SecretDigest,
    /// When it ends; `None` for when it is replaced.
    #[serde(with = "millis")]
    pub expires_at: Option<Timestamp>,
    /// What for.
    pub kind: LinkKind,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Makes the owner of a tenant.
    Setup,
    /// Sets a person's first or next password.
    Password,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Its name.
    pub id: Uuid,
    /// What is kept of its secret.
    pub digest: SecretDigest,
    /// Since when.
    pub created_at: Timestamp,
    /// When something was last asked with it, as far as it was written.
    pub seen_at: Timestamp,
}

impl SignIn {
    /// When it ends if nothing more is asked with it.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.seen_at.plus_ms(IDLE_MS).min(self.created_at.plus_ms(AGE_MS))
    }

    /// Whether it is still good. A clock that goes back only makes it last that much longer.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends_at()
    }
}

impl Credential {
    /// Of somebody who has none yet.
    #[must_use]
    pub const fn of(person: AgentId) -> Self {
        Self { person, email: None, hash: None, link: None, sign_ins: Vec::new() }
    }

    /// The sign-in of that secret.
    #[must_use]
    pub fn sign_in(&self, token: &Token, now: Timestamp) -> Option<&SignIn> {
        self.sign_ins.iter().find(|it| token.matches(&it.digest) && it.is_live(now))
    }

    /// The sign-in of that name.
    #[must_use]
    pub fn sign_in_named(&self, id: Uuid, now: Timestamp) -> Option<&SignIn> {
        self.sign_ins.iter().find(|it| it.id == id && it.is_live(now))
    }

    /// Enters a browser, and forgets those whose time is over.
    pub fn enter(&mut self, sign_in: SignIn) {
        let now = sign_in.created_at;
        self.sign_ins.retain(|it| it.is_live(now));
        while self.sign_ins.len() >= SIGN_INS_MAX {
            let idle = self.sign_ins.iter().enumerate().min_by_key(|(_, it)| it.seen_at);
            let Some(idx) = idle.map(|(idx, _)| idx) else { break };
            self.sign_ins.remove(idx);
        }
        self.sign_ins.push(sign_in);
    }

    /// When the person last asked for something.
    #[must_use]
    pub fn seen_at(&self) -> Option<Timestamp> {
        self.sign_ins.iter().map(|it| it.seen_at).max()
    }
}

/// Times as numbers of milliseconds.
mod millis {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use switchboard_domain::ids::Timestamp;

    pub(super) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(|at| at.0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp))
    }
}

/// The stored form.
#[derive(Serialize, Deserialize)]
pub(crate) struct CredentialForm {
    email: Option<Arc<str>>,
    hash: Option<Arc<str>>,
    link: Option<Link>,
    sign_ins: Vec<SignInForm>,
}

#[derive(Serialize, Deserialize)]
struct SignInForm {
    id: u128,
    digest: SecretDigest,
    created_at: i64,
    seen_at: i64,
}

impl Record for Credential {
    const KIND: &'static str = "credential";
    const VERSION: u8 = 1;
    type Form = CredentialForm;

    fn form(&self) -> CredentialForm {
        let sign_ins = self.sign_ins.iter().map(|it| SignInForm {
            id: it.id.as_u128(),
            digest: it.digest,
            created_at: it.created_at.0,
            seen_at: it.seen_at.0,
        });
        CredentialForm {
            email: self.email.clone(),
            hash: self.hash.clone(),
            link: self.link.clone(),
            sign_ins: sign_ins.collect(),
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: CredentialForm = parse::<Self, _>(id, bytes)?;
        let sign_ins = form.sign_ins.into_iter().map(|it| SignIn {
            id: Uuid::from_u128(it.id),
            digest: it.digest,
            created_at: Timestamp(it.created_at),
            seen_at: Timestamp(it.seen_at),
        });
        Ok(Self {
            person: id.parse().map_err(|_not_uuid: uuid::Error| damaged::<Self>(id, "its id"))?,
            email: form.email,
            hash: form.hash,
            link: form.link,
            sign_ins: sign_ins.collect(),
        })
    }

    fn cache(caches: &Caches) -> Option<&Cache<Self>> {
        Some(&caches.credentials)
    }
}

/// Who signs in with a mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Login(AgentId);

impl Record for Login {
    const KIND: &'static str = "login";
    const VERSION: u8 = 1;
    type Form = u128;

    fn form(&self) -> u128 {
        self.0.uuid().as_u128()
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        Ok(Self(AgentId::from_u128(parse::<Self, _>(id, bytes)?)))
    }
}

impl Directory {
    /// The account of a person; `None` for who never was to have one.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn credential(
        &self,
        tenant: &TenantId,
        person: AgentId,
    ) -> Result<Option<Arc<Versioned<Credential>>>, Error> {
        self.load(tenant, &person.to_string()).await
    }

    /// The account of a person as it is stored now.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub(crate) async fn credential_stored(
        &self,
        tenant: &TenantId,
        person: AgentId,
    ) -> Result<Option<Arc<Versioned<Credential>>>, Error> {
        self.load_newest(tenant, &person.to_string()).await
    }

    /// Changes the account of a person, begun if there is none, by a rule that may refuse.
    ///
    /// # Errors
    ///
    /// The rule's; when the store fails.
    pub(crate) async fn change_credential<E: From<Error>>(
        &self,
        tenant: &TenantId,
        person: AgentId,
        mut rule: impl FnMut(&mut Credential) -> Result<(), E> + Send,
    ) -> Result<Arc<Versioned<Credential>>, E> {
        let begin = || Credential::of(person);
        let rule = |credential: &mut Credential| rule(credential).map(|()| true);
        self.change_or_begin(tenant, &person.to_string(), begin, rule).await
    }

    /// Lets a person who signs in here do so with another mail address.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], [`Error::Exists`] when somebody else signs in with it.
    pub async fn move_login(
        &self,
        tenant: &TenantId,
        person: AgentId,
        email: &str,
    ) -> Result<(), Error> {
        let credential = self.credential(tenant, person).await?;
        let Some(known) = credential.and_then(|it| it.value.email.clone()) else { return Ok(()) };
        let email = folded(email);
        if *known == *email {
            return Ok(());
        }
        text::check_email(&email)?;
        self.claim_login(tenant, &email, person, |_| Ok::<_, Error>(())).await
    }

    /// The account that signs in with a mail address, folded.
    pub(crate) async fn credential_of(
        &self,
        tenant: &TenantId,
        email: &str,
    ) -> Result<Option<Arc<Versioned<Credential>>>, Error> {
        let Some(login) = self.load_stored::<Login>(tenant, email).await? else { return Ok(None) };
        let credential = self.credential(tenant, login.value.0).await?;
        // What is left of an address that the person no longer has opens nothing.
        Ok(credential.filter(|it| it.value.email.as_deref() == Some(email)))
    }

    /// Makes a mail address, folded, that of a person's account and no other's, together with
    /// whatever else the rule changes.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] when somebody else signs in with it; the rule's.
    pub(crate) async fn claim_login<E: From<Error>>(
        &self,
        tenant: &TenantId,
        email: &str,
        person: AgentId,
        mut rule: impl FnMut(&mut Credential) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let _alone = self.stripe(tenant, email).lock().await;
        let login = self.load_stored::<Login>(tenant, email).await?;
        let expect = login.as_ref().map_or(Expect::Absent, |login| Expect::Version(login.version));
        if let Some(login) = login
            && login.value.0 != person
        {
            let other = self.load_stored::<Credential>(tenant, &login.value.0.to_string()).await?;
            if other.is_some_and(|other| other.value.email.as_deref() == Some(email)) {
                return Err(Error::Exists.into());
            }
        }
        self.save(tenant, email, expect, Login(person)).await?;
        // Still under the lock: whoever looks next finds both.
        let changed = self.change_credential(tenant, person, |credential| {
            rule(credential)?;
            credential.email = Some(email.into());
            Ok::<_, E>(())
        });
        changed.await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in(n: u128, created_at: i64, seen_at: i64) -> SignIn {
        SignIn {
            id: Uuid::from_u128(n),
            digest: [0; 32],
            created_at: Timestamp(created_at),
            seen_at: Timestamp(seen_at),
        }
    }

    #[test]
    fn a_sign_in_ends_when_idle_and_when_old() {
        let fresh = sign_in(1, 0, 0);
        assert!(fresh.is_live(Timestamp(IDLE_MS - 1)));
        assert!(!fresh.is_live(Timestamp(IDLE_MS)));
        let busy = sign_in(1, 0, AGE_MS - 1);
        assert!(busy.is_live(Timestamp(AGE_MS - 1)));
        assert!(!busy.is_live(Timestamp(AGE_MS)));
        assert!(fresh.is_live(Timestamp(-AGE_MS)), "a clock that goes back ends nothing");
    }

    #[test]
    fn browsers_are_bounded_and_the_most_idle_goes() {
        let mut credential = Credential::of(AgentId::from_u128(1));
        for n in 0..20 {
            credential.enter(sign_in(n, 1_000, 1_000));
        }
        credential.sign_ins[0].seen_at = Timestamp(2_000);
        credential.enter(sign_in(99, 1_000, 1_000));
        let ids: Vec<u128> = credential.sign_ins.iter().map(|it| it.id.as_u128()).collect();
        assert_eq!(ids.len(), SIGN_INS_MAX);
        assert!(ids.contains(&0) && ids.contains(&99) && !ids.contains(&1), "{ids:?}");
        credential.enter(sign_in(100, IDLE_MS + 1_500, IDLE_MS + 1_500));
        let ids: Vec<u128> = credential.sign_ins.iter().map(|it| it.id.as_u128()).collect();
        assert_eq!(ids, [0, 100], "those that ended are forgotten");
    }
}
