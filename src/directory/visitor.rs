//! Anonymous visitors: known by a secret that we gave them, stored as a digest.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{AgentId, Number, TenantId, Timestamp, VisitorId};
use switchboard_domain::limit::{EMAIL_BYTES_MAX, NAME_BYTES_MAX, PHONE_BYTES_MAX};
use switchboard_domain::person::Role;
use switchboard_store::{Expect, Fault};

use super::cache::{Cache, Caches};
use super::record::{Record, damaged, parse};
use super::text::{check_email, line};
use super::{Directory, Error, Person, Versioned, random};
use crate::auth::secret::{SecretDigest, VisitorToken};

/// How to reach a visitor, as far as they told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// Their name.
    pub name: Option<Arc<str>>,
    /// Their mail address.
    pub email: Option<Arc<str>>,
    /// Their phone number.
    pub phone: Option<Arc<str>>,
}

impl Contact {
    /// What a visitor typed, cleaned and checked.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], naming the field.
    pub fn new(
        name: Option<&str>,
        email: Option<&str>,
        phone: Option<&str>,
    ) -> Result<Self, Error> {
        let clean = |field, text: Option<&str>, bytes_max| {
            text.map_or(Ok(None), |text| line(field, text, bytes_max))
        };
        let email = clean("email", email, EMAIL_BYTES_MAX)?;
        email.as_deref().map_or(Ok(()), check_email)?;
        Ok(Self {
            name: clean("name", name, NAME_BYTES_MAX)?,
            email,
            phone: clean("phone", phone, PHONE_BYTES_MAX)?,
        })
    }

    /// This, and what it does not say as `other` says it.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            email: self.email.or(other.email),
            phone: self.phone.or(other.phone),
        }
    }

    /// Takes over what `newer` says.
    fn update(&mut self, newer: &Self) {
        let fields = [
            (&mut self.name, &newer.name),
            (&mut self.email, &newer.email),
            (&mut self.phone, &newer.phone),
        ];
        for (kept, said) in fields {
            if said.is_some() {
                kept.clone_from(said);
            }
        }
    }
}

/// A visitor of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// How to reach them.
    pub contact: Contact,
    /// Whether the site says so, by a signed token; else it is what they told.
    pub verified: bool,
    /// First seen.
    pub created_at: Timestamp,
}

/// A visitor without an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// Our id.
    pub id: VisitorId,
    /// The integer name.
    pub number: Number,
    /// How to reach them.
    pub contact: Contact,
    /// What is kept of their secret.
    pub secret: SecretDigest,
    /// Whether their secret is refused.
    pub disabled: bool,
    /// First seen.
    pub created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct VisitorForm {
    number: u64,
    name: Option<Arc<str>>,
    email: Option<Arc<str>>,
    phone: Option<Arc<str>>,
    secret: SecretDigest,
    disabled: bool,
    created_at: i64,
}

impl Record for Visitor {
    const KIND: &'static str = "visitor";
    const VERSION: u8 = 1;
    type Form = VisitorForm;

    fn form(&self) -> VisitorForm {
        VisitorForm {
            number: self.number.0,
            name: self.contact.name.clone(),
            email: self.contact.email.clone(),
            phone: self.contact.phone.clone(),
            secret: self.secret,
            disabled: self.disabled,
            created_at: self.created_at.0,
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: VisitorForm = parse::<Self, _>(id, bytes)?;
        Ok(Self {
            id: id.parse().map_err(|_not_uuid: uuid::Error| damaged::<Self>(id, "its id"))?,
            number: Number(form.number),
            contact: Contact { name: form.name, email: form.email, phone: form.phone },
            secret: form.secret,
            disabled: form.disabled,
            created_at: Timestamp(form.created_at),
        })
    }

    fn cache(caches: &Caches) -> Option<&Cache<Self>> {
        Some(&caches.visitors)
    }
}

impl Directory {
    /// A visitor without an account.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn visitor(
        &self,
        tenant: &TenantId,
        id: VisitorId,
    ) -> Result<Option<Arc<Versioned<Visitor>>>, Error> {
        self.load(tenant, &id.to_string()).await
    }

    /// A visitor, with or without an account.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn known_visitor(
        &self,
        tenant: &TenantId,
        id: VisitorId,
    ) -> Result<Option<Known>, Error> {
        if let Some(visitor) = self.visitor(tenant, id).await? {
            let Visitor { contact, created_at, .. } = visitor.value.clone();
            return Ok(Some(Known { contact, verified: false, created_at }));
        }
        let person = self.person(tenant, AgentId::new(id.uuid())).await?;
        // Whoever answers is nobody's visitor.
        let is_visitor = |person: &Person| person.effective_role(person.role) == Role::Visitor;
        let person = person.filter(|person| is_visitor(&person.value));
        Ok(person.map(|person| Known {
            contact: Contact {
                name: person.value.told_name(),
                email: person.value.email.clone(),
                phone: None,
            },
            verified: true,
            created_at: person.value.created_at,
        }))
    }

    /// Creates a visitor. The token is given out once; only its digest is kept.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn create_visitor(
        &self,
        tenant: &TenantId,
        contact: Contact,
    ) -> Result<(Arc<Versioned<Visitor>>, VisitorToken), Error> {
        let id = VisitorId::new(self.0.clock.fresh_id());
        let token = VisitorToken::new(tenant.clone(), id, random()?);
        let visitor = Visitor {
            id,
            number: self.claim_number(tenant, id.uuid(), None).await?,
            contact,
            secret: token.digest(),
            disabled: false,
            created_at: self.0.clock.now(),
        };
        let saved = self.save(tenant, &id.to_string(), Expect::Absent, visitor).await?;
        Ok((saved, token))
    }

    /// Gives a visitor another secret; the one so far is no longer good.
    pub(super) async fn replace_secret(
        &self,
        tenant: &TenantId,
        id: VisitorId,
        secret: SecretDigest,
    ) -> Result<(), Error> {
        self.change(tenant, &id.to_string(), None, |visitor: &mut Visitor| {
            visitor.secret = secret;
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Takes over what a visitor told of themselves; what they left out stays.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; when the store fails.
    pub async fn update_contact(
        &self,
        tenant: &TenantId,
        id: VisitorId,
        contact: &Contact,
    ) -> Result<Arc<Versioned<Visitor>>, Error> {
        self.change(tenant, &id.to_string(), None, |visitor: &mut Visitor| {
            visitor.contact.update(contact);
            Ok(())
        })
        .await
    }

    /// Refuses a visitor's secret from now on, or takes it again.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; when the store fails.
    pub async fn set_visitor_access(
        &self,
        tenant: &TenantId,
        id: VisitorId,
        access: Access,
    ) -> Result<Arc<Versioned<Visitor>>, Error> {
        self.change(tenant, &id.to_string(), None, |visitor: &mut Visitor| {
            visitor.disabled = access == Access::Refused;
            Ok(())
        })
        .await
    }
}

/// Whether somebody may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// With a valid secret.
    Granted,
    /// Not at all.
    Refused,
}
