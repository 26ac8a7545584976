//! Tenants: which there are, and what each begins with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{TenantId, Timestamp};
use switchboard_domain::limit::NAME_BYTES_MAX;
use switchboard_store::{Expect, Fault};

use super::record::{Record, parse};
use super::text::line;
use super::{Directory, Error, PAGE_MAX, Revision, Versioned, random};

/// The tenant that the secret in the environment signs for.
pub const DEFAULT: &str = "default";

/// A customer account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// What its people call it; `None` for its id.
    pub name: Option<Arc<str>>,
    /// Since when.
    pub created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TenantForm {
    name: Option<Arc<str>>,
    created_at: i64,
}

impl Record for Tenant {
    const KIND: &'static str = "tenant";
    // 2: a name, which older forms do not have.
    const VERSION: u8 = 2;
    type Form = TenantForm;

    fn form(&self) -> TenantForm {
        TenantForm { name: self.name.clone(), created_at: self.created_at.0 }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: TenantForm = parse::<Self, _>(id, bytes)?;
        Ok(Self { name: form.name, created_at: Timestamp(form.created_at) })
    }
}

/// A secret of the server itself.
struct ServerSecret([u8; 32]);

impl Record for ServerSecret {
    const KIND: &'static str = "server_secret";
    const VERSION: u8 = 1;
    type Form = [u8; 32];

    fn form(&self) -> [u8; 32] {
        self.0
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        Ok(Self(parse::<Self, _>(id, bytes)?))
    }
}

/// The server's own documents stand under a name that no tenant can have.
fn server() -> TenantId {
    TenantId("".into())
}

/// Whether a text can name a tenant: 1 to 63 of a–z, 0–9 and -. A dot cannot stand in it, for
/// it parts visitor secrets and widget addresses.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn tenant_name(name: &str) -> Result<Arc<str>, Error> {
    let empty = Error::Invalid { field: "name", why: "must not be empty" };
    line("name", name, NAME_BYTES_MAX)?.ok_or(empty)
}

impl Directory {
    /// Makes sure that a tenant exists, with the departments that every tenant begins with. What
    /// the tenant deleted later stays deleted.
    ///
    /// # Errors
    ///
    /// When the name is none, or the store fails.
    pub async fn ensure_tenant(&self, tenant: &TenantId) -> Result<(), Error> {
        if !is_name(&tenant.0) {
            return Err(Error::Invalid { field: "tenant", why: "is not a tenant's name" });
        }
        if self.load_stored::<Tenant>(&server(), &tenant.0).await?.is_some() {
            return Ok(());
        }
        self.seed_departments(tenant).await?;
        // Last, so that a start that was cut short seeds again.
        let new = Tenant { name: None, created_at: self.0.clock.now() };
        match self.save(&server(), &tenant.0, Expect::Absent, new).await {
            Ok(_) | Err(Error::Changed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A tenant.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<Arc<Versioned<Tenant>>>, Error> {
        self.load_stored(&server(), &id.0).await
    }

    /// Makes a tenant, with the departments that every tenant begins with.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`]; [`Error::Invalid`].
    pub async fn create_tenant(&self, id: &TenantId, name: &str) -> Result<(), Error> {
        if !is_name(&id.0) {
            let why = "must be 1 to 63 characters of a-z, 0-9 and -";
            return Err(Error::Invalid { field: "id", why });
        }
        let name = Some(tenant_name(name)?);
        if self.tenant(id).await?.is_some() {
            return Err(Error::Exists);
        }
        self.seed_departments(id).await?;
        let new = Tenant { name, created_at: self.0.clock.now() };
        let made = self.save(&server(), &id.0, Expect::Absent, new).await;
        made.map(drop).map_err(super::department::exists)
    }

    /// Gives a tenant another name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub async fn rename_tenant(
        &self,
        id: &TenantId,
        name: &str,
    ) -> Result<Revision<Tenant>, Error> {
        let name = tenant_name(name)?;
        self.revise(&server(), &id.0, None, |tenant: &mut Tenant| {
            tenant.name = Some(Arc::clone(&name));
            Ok(())
        })
        .await
    }

    /// All tenants.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        let mut tenants: Vec<TenantId> = Vec::new();
        loop {
            let after = tenants.last().map(|tenant| tenant.0.clone());
            let documents =
                self.0.store.documents(&server(), Tenant::KIND, after, PAGE_MAX).await?;
            let is_last = documents.len() < PAGE_MAX;
            tenants.extend(documents.into_iter().map(|document| TenantId(document.id)));
            if is_last {
                return Ok(tenants);
            }
        }
    }

    /// The secret that signs tokens of the tenant `default` when the operator set none, made at
    /// first use and kept, so that its tokens outlive a restart.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn signing_secret(&self) -> Result<[u8; 32], Error> {
        for _ in 0..2 {
            if let Some(kept) = self.load_stored::<ServerSecret>(&server(), "jwt").await? {
                return Ok(kept.value.0);
            }
            let fresh = ServerSecret(random()?);
            match self.save(&server(), "jwt", Expect::Absent, fresh).await {
                Ok(saved) => return Ok(saved.value.0),
                Err(Error::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Changed)
    }
}
