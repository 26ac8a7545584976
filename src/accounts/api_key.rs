//! API keys: programs that act for a tenant, with the scopes that an administrator gave.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{AgentId, TenantId, Timestamp};
use switchboard_domain::limit::NAME_BYTES_MAX;
use switchboard_domain::person::Role;
use switchboard_store::{Expect, Fault};
use uuid::Uuid;

use crate::auth::secret::{SecretDigest, Token};
use crate::directory::cache::{Cache, Caches};
use crate::directory::record::{Record, damaged, parse};
use crate::directory::{Directory, Error, Versioned, text};

/// Before every key.
pub const PREFIX: &str = "sbk_";
/// Keys of one tenant at most: one for each program, and some that are being replaced.
const KEYS_MAX: usize = 100;
/// How far what is stored of the last use may lag behind, in milliseconds.
const USED_LAG_MS: i64 = 60 * 60 * 1_000;

/// What a key may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Scope {
    ConversationsRead,
    ConversationsWrite,
    AgentsRead,
    AgentsWrite,
    SettingsRead,
    SettingsWrite,
}

impl Scope {
    /// Each with its word.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::ConversationsRead, "conversations:read"),
        (Self::ConversationsWrite, "conversations:write"),
        (Self::AgentsRead, "agents:read"),
        (Self::AgentsWrite, "agents:write"),
        (Self::SettingsRead, "settings:read"),
        (Self::SettingsWrite, "settings:write"),
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(it, _)| *it == self).map_or("", |(_, word)| word)
    }

    /// The scope of a word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, it)| *it == word).map(|(it, _)| it)
    }
}

/// Some scopes. Writing holds no reading: each is given by its own word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// These.
    #[must_use]
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().fold(0, |all, scope| all | Self::bit(scope)))
    }

    /// Whether that one is among them.
    #[must_use]
    pub const fn holds(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().map(|(scope, _)| scope).filter(move |scope| self.holds(*scope))
    }

    /// The role that goes with them: keys see what supervisors see, and those that touch people
    /// or settings do so as administrators. Never that of an owner.
    #[must_use]
    pub const fn role(self) -> Role {
        let beyond = self.holds(Scope::AgentsRead)
            || self.holds(Scope::AgentsWrite)
            || self.holds(Scope::SettingsRead)
            || self.holds(Scope::SettingsWrite);
        if beyond { Role::Admin } else { Role::Supervisor }
    }

    const fn bit(scope: Scope) -> u8 {
        match scope {
            Scope::ConversationsRead => 1,
            Scope::ConversationsWrite => 2,
            Scope::AgentsRead => 4,
            Scope::AgentsWrite => 8,
            Scope::SettingsRead => 16,
            Scope::SettingsWrite => 32,
        }
    }
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id; as a bot it has the same one.
    pub id: Uuid,
    /// What colleagues call it, and how it signs what it writes.
    pub name: Arc<str>,
    /// What it may touch.
    pub scopes: Scopes,
    /// What is kept of its secret.
    pub digest: SecretDigest,
    /// When it ends; `None` for when it is revoked.
    pub expires_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: AgentId,
    /// When.
    pub created_at: Timestamp,
    /// When it was last used, to the hour; `None` for never.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it is still good.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ApiKeyForm {
    name: Arc<str>,
    scopes: BTreeSet<String>,
    digest: SecretDigest,
    expires_at: Option<i64>,
    created_by: u128,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl Record for ApiKey {
    const KIND: &'static str = "api_key";
    const VERSION: u8 = 1;
    type Form = ApiKeyForm;

    fn form(&self) -> ApiKeyForm {
        ApiKeyForm {
            name: Arc::clone(&self.name),
            scopes: self.scopes.iter().map(|scope| scope.word().to_owned()).collect(),
            digest: self.digest,
            expires_at: self.expires_at.map(|at| at.0),
            created_by: self.created_by.uuid().as_u128(),
            created_at: self.created_at.0,
            last_used_at: self.last_used_at.map(|at| at.0),
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: ApiKeyForm = parse::<Self, _>(id, bytes)?;
        let unknown = || damaged::<Self>(id, "a scope is not known");
        let scopes = form.scopes.iter().map(|word| Scope::named(word).ok_or_else(unknown));
        Ok(Self {
            id: id.parse().map_err(|_no_id: uuid::Error| damaged::<Self>(id, "its id"))?,
            name: form.name,
            scopes: Scopes::of(scopes.collect::<Result<Vec<_>, _>>()?),
            digest: form.digest,
            expires_at: form.expires_at.map(Timestamp),
            created_by: AgentId::from_u128(form.created_by),
            created_at: Timestamp(form.created_at),
            last_used_at: form.last_used_at.map(Timestamp),
        })
    }

    fn cache(caches: &Caches) -> Option<&Cache<Self>> {
        Some(&caches.api_keys)
    }
}

/// What an administrator wants of a new key.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// See [`ApiKey::name`].
    pub name: &'a str,
    /// See [`ApiKey::scopes`].
    pub scopes: Scopes,
    /// See [`ApiKey::expires_at`].
    pub expires_at: Option<Timestamp>,
    /// See [`ApiKey::created_by`].
    pub created_by: AgentId,
    /// Now.
    pub now: Timestamp,
}

impl Directory {
    /// Makes a key; its secret is told here and never again.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub async fn create_api_key(
        &self,
        tenant: &TenantId,
        wanted: Wanted<'_>,
    ) -> Result<(Arc<Versioned<ApiKey>>, String), Error> {
        let invalid = |field, why| Error::Invalid { field, why };
        let name = text::line("name", wanted.name, NAME_BYTES_MAX)?;
        let name = name.ok_or_else(|| invalid("name", "must not be empty"))?;
        if wanted.scopes == Scopes::default() {
            return Err(invalid("scopes", "must name at least one"));
        }
        if wanted.expires_at.is_some_and(|at| at <= wanted.now) {
            return Err(invalid("expires_at", "is over"));
        }
        if self.api_keys(tenant).await?.len() >= KEYS_MAX {
            return Err(invalid("name", "is one key too many: revoke another first"));
        }
        let id = self.fresh_id();
        let token = Token::fresh(tenant.clone(), id)?;
        let key = ApiKey {
            id,
            name,
            scopes: wanted.scopes,
            digest: token.digest(),
            expires_at: wanted.expires_at,
            created_by: wanted.created_by,
            created_at: wanted.now,
            last_used_at: None,
        };
        let saved = self.save(tenant, &id.to_string(), Expect::Absent, key).await?;
        Ok((saved, token.reveal(PREFIX)))
    }

    /// All keys of a tenant, oldest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn api_keys(&self, tenant: &TenantId) -> Result<Vec<Arc<Versioned<ApiKey>>>, Error> {
        self.page(tenant, None, KEYS_MAX).await
    }

    /// A key.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn api_key(
        &self,
        tenant: &TenantId,
        id: Uuid,
    ) -> Result<Option<Arc<Versioned<ApiKey>>>, Error> {
        self.load(tenant, &id.to_string()).await
    }

    /// Removes a key; answers which it was.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; when the store fails.
    pub(crate) async fn remove_api_key(
        &self,
        tenant: &TenantId,
        id: Uuid,
    ) -> Result<Arc<Versioned<ApiKey>>, Error> {
        let key = self.api_key(tenant, id).await?.ok_or(Error::NotFound)?;
        self.remove::<ApiKey>(tenant, &id.to_string(), Expect::Any).await?;
        Ok(key)
    }

    /// Notes that a key was used, once in an hour.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub(crate) async fn touch_api_key(
        &self,
        tenant: &TenantId,
        key: &ApiKey,
        now: Timestamp,
    ) -> Result<(), Error> {
        if key.last_used_at.is_some_and(|at| now.ms_since(at) < USED_LAG_MS) {
            return Ok(());
        }
        let id = key.id.to_string();
        self.change(tenant, &id, None, |key: &mut ApiKey| {
            key.last_used_at = key.last_used_at.max(Some(now));
            Ok(())
        })
        .await
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_held_one_by_one() {
        for (scope, word) in Scope::ALL {
            assert_eq!(Scope::named(word), Some(scope));
            assert_eq!(scope.word(), word);
            let alone = Scopes::of([scope]);
            assert_eq!(alone.iter().collect::<Vec<_>>(), [scope]);
            assert!(alone.role() < Role::Owner);
        }
        for word in ["", "conversations", "conversations:*", "Agents:read", "owners:write"] {
            assert_eq!(Scope::named(word), None, "{word}");
        }
    }

    #[test]
    fn only_people_and_settings_make_an_administrator() {
        let chat = Scopes::of([Scope::ConversationsRead, Scope::ConversationsWrite]);
        assert_eq!(chat.role(), Role::Supervisor);
        assert_eq!(Scopes::of([Scope::SettingsRead]).role(), Role::Admin);
    }
}
