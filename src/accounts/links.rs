//! One-time links: the set-up of a tenant, invitations, and the way back in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use switchboard_domain::ids::{AgentId, TenantId, Timestamp};
use switchboard_domain::person::Role;
use switchboard_store::{Expect, Fault};

use super::credential::{Credential, Link, LinkKind};
use super::password::Password;
use super::sign_in::fresh_sign_in;
use super::{Accounts, Entered, Error, INVITATION_PREFIX, SETUP_PREFIX, folded};
use crate::auth::secret::Token;
use crate::directory::person::Change;
use crate::directory::record::{Record, parse};
use crate::directory::{self, Directory, PAGE_MAX, Person, tenant as tenants, text};

/// How long an invitation is good, in milliseconds: a week, with a week-end in it.
pub const INVITATION_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Who sets a tenant up: the owner to be, known by its id alone until then.
struct Setup(AgentId);

impl Record for Setup {
    const KIND: &'static str = "setup";
    const VERSION: u8 = 1;
    type Form = u128;

    fn form(&self) -> u128 {
        self.0.uuid().as_u128()
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        Ok(Self(AgentId::from_u128(parse::<Self, _>(id, bytes)?)))
    }
}

/// A link as it is handed out: after this only its digest is known.
#[derive(Debug)]
pub struct Made {
    /// The secret, to stand after the `#` of an address.
    pub token: String,
    /// When it ends; `None` for when it is replaced.
    pub expires_at: Option<Timestamp>,
    /// Whether the person had a password before.
    pub is_reset: bool,
}

impl Directory {
    /// Whether anybody owns a tenant.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn has_owner(&self, tenant: &TenantId) -> Result<bool, directory::Error> {
        // Nearly always it is the one who set the tenant up.
        if let Some(setup) = self.load_stored::<Setup>(tenant, "owner").await?
            && self.person(tenant, setup.value.0).await?.is_some_and(|it| it.value.is_owner())
        {
            return Ok(true);
        }
        Ok(self.count_owners(tenant, 1).await? > 0)
    }

    /// How many own a tenant and are not disabled; counts no further than `enough`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn count_owners(
        &self,
        tenant: &TenantId,
        enough: usize,
    ) -> Result<usize, directory::Error> {
        let (mut n_owners, mut after) = (0, None);
        loop {
            let page = self.people(tenant, after, PAGE_MAX).await?;
            n_owners += page.iter().filter(|person| person.value.is_owner()).count();
            match page.last() {
                Some(last) if page.len() == PAGE_MAX && n_owners < enough => {
                    after = Some(last.value.id);
                }
                Some(_) | None => return Ok(n_owners),
            }
        }
    }

    /// A new link that makes a tenant's owner, in place of the one before; `None` when the tenant
    /// has an owner.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn make_setup(
        &self,
        tenant: &TenantId,
        lifetime: Option<(Timestamp, i64)>,
    ) -> Result<Option<Made>, directory::Error> {
        if self.has_owner(tenant).await? {
            return Ok(None);
        }
        let person = match self.load_stored::<Setup>(tenant, "owner").await? {
            Some(setup) => setup.value.0,
            None => {
                let fresh = Setup(AgentId::new(self.fresh_id()));
                match self.save(tenant, "owner", Expect::Absent, fresh).await {
                    // Another node starts too, and was first.
                    Err(directory::Error::Changed) => {
                        let setup = self.load_stored::<Setup>(tenant, "owner").await?;
                        setup.ok_or(directory::Error::Changed)?.value.0
                    }
                    saved => saved?.value.0,
                }
            }
        };
        // Somebody who set up and was never written as a person begins again.
        let person = match self.person(tenant, person).await? {
            None => person,
            Some(_) => {
                let fresh = Setup(AgentId::new(self.fresh_id()));
                self.save(tenant, "owner", Expect::Any, fresh).await?.value.0
            }
        };
        let expires_at = lifetime.map(|(now, ms)| now.plus_ms(ms));
        let token = Token::fresh(tenant.clone(), person.uuid())?;
        self.change_credential(tenant, person, |credential| {
            *credential = Credential::of(person);
            credential.link =
                Some(Link { digest: token.digest(), expires_at, kind: LinkKind::Setup });
            Ok::<_, directory::Error>(())
        })
        .await?;
        Ok(Some(Made { token: token.reveal(SETUP_PREFIX), expires_at, is_reset: false }))
    }

    /// A new link that sets a person's password, in place of the one before.
    ///
    /// # Errors
    ///
    /// [`directory::Error::Invalid`] without a mail address, [`directory::Error::Exists`] when
    /// somebody else signs in with it.
    pub async fn make_invitation(
        &self,
        tenant: &TenantId,
        person: &Person,
        now: Timestamp,
    ) -> Result<Made, directory::Error> {
        let missing = directory::Error::Invalid { field: "email", why: "is needed to sign in" };
        let credential = self.credential(tenant, person.id).await?;
        let (known, is_reset) = match &credential {
            Some(it) => (it.value.email.clone(), it.value.hash.is_some()),
            None => (None, false),
        };
        let expires_at = now.plus_ms(INVITATION_MS);
        let token = Token::fresh(tenant.clone(), person.id.uuid())?;
        let link = |credential: &mut Credential| {
            credential.link = Some(Link {
                digest: token.digest(),
                expires_at: Some(expires_at),
                kind: LinkKind::Password,
            });
            Ok::<_, directory::Error>(())
        };
        // Who has a password signs in as before, whatever a token has said of them since.
        let email = match known.filter(|_| is_reset) {
            Some(email) => email,
            None => person.email.as_deref().map(folded).ok_or(missing)?,
        };
        self.claim_login(tenant, &email, person.id, link).await?;
        let token = token.reveal(INVITATION_PREFIX);
        Ok(Made { token, expires_at: Some(expires_at), is_reset })
    }
}

impl Accounts {
    /// Makes the owner of a link's tenant. Of two with the same link one wins.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn set_up(
        &self,
        token: &str,
        name: &str,
        email: &str,
        password: Password,
    ) -> Result<Entered, Error> {
        let directory = &self.0.directory;
        let token = Token::parse(SETUP_PREFIX, token).ok_or(Error::LinkUsed)?;
        let (tenant, person) = (&token.tenant, AgentId::new(token.owner));
        let credential = directory.credential(tenant, person).await?;
        self.check_link(credential.as_ref().map(|it| &it.value), &token, LinkKind::Setup)?;
        let name = text::line("name", name, switchboard_domain::limit::NAME_BYTES_MAX)?;
        let needed = directory::Error::Invalid { field: "name", why: "must not be empty" };
        let name = name.ok_or(needed)?;
        text::check_email(email.trim())?;
        password.check("password", email, Some(&name))?;
        let hash = self.0.hasher.hash(password).await?;
        let login = folded(email);
        let (sign_in, secret) = fresh_sign_in(tenant, person, &*self.0.clock)?;
        let used = directory.claim_login(tenant, &login, person, |credential| {
            self.use_link(credential, &token, LinkKind::Setup)?;
            credential.hash = Some(Arc::clone(&hash));
            credential.enter(sign_in.clone());
            Ok::<_, Error>(())
        });
        used.await?;
        // A start that finds no owner makes a new link, should it end here.
        let change = Change {
            name: Some((*name).to_owned()),
            email: Some(email.trim().to_owned()),
            ..Change::default()
        };
        let owner = directory.create_own_person(tenant, Some(person), None, Role::Owner, &change);
        let owner = owner.await?;
        if *tenant.0 == *tenants::DEFAULT {
            self.0.awaits_owner.store(false, Ordering::Relaxed);
        }
        self.entered(tenant, &owner, &sign_in, &secret).await
    }

    /// Sets a password by an invitation; ends whatever was signed in before.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn accept(
        &self,
        token: &str,
        password: Password,
        name: Option<&str>,
    ) -> Result<Entered, Error> {
        let directory = &self.0.directory;
        let token = Token::parse(INVITATION_PREFIX, token).ok_or(Error::LinkUsed)?;
        let (tenant, id) = (&token.tenant, AgentId::new(token.owner));
        let credential = directory.credential(tenant, id).await?;
        self.check_link(credential.as_ref().map(|it| &it.value), &token, LinkKind::Password)?;
        let person = directory.person(tenant, id).await?.ok_or(Error::LinkUsed)?;
        if person.value.disabled || person.value.role_in_effect() < Role::Agent {
            return Err(Error::LinkUsed);
        }
        let email = credential.and_then(|it| it.value.email.clone()).ok_or(Error::LinkUsed)?;
        let known = name.map(str::to_owned).or(person.value.told_name().map(|n| (*n).to_owned()));
        password.check("password", &email, known.as_deref())?;
        let hash = self.0.hasher.hash(password).await?;
        let person = match name.map(str::trim).filter(|name| !name.is_empty()) {
            None => person,
            Some(name) => {
                let change = Change { name: Some(name.to_owned()), ..Change::default() };
                directory.change_person(tenant, id, None, &change).await?.after
            }
        };
        let (sign_in, secret) = fresh_sign_in(tenant, id, &*self.0.clock)?;
        let used = directory.change_credential(tenant, id, |credential| {
            self.use_link(credential, &token, LinkKind::Password)?;
            credential.hash = Some(Arc::clone(&hash));
            credential.sign_ins.clear();
            credential.enter(sign_in.clone());
            Ok::<_, Error>(())
        });
        used.await?;
        self.0.auth.end_sign_ins(tenant, id, Some(sign_in.id));
        self.entered(tenant, &person, &sign_in, &secret).await
    }

    fn check_link(
        &self,
        credential: Option<&Credential>,
        token: &Token,
        kind: LinkKind,
    ) -> Result<(), Error> {
        let link = credential.and_then(|credential| credential.link.as_ref());
        let link = link.filter(|link| link.kind == kind && token.matches(&link.digest));
        let link = link.ok_or(Error::LinkUsed)?;
        match link.expires_at {
            Some(at) if self.0.clock.now() >= at => Err(Error::LinkExpired),
            Some(_) | None => Ok(()),
        }
    }

    /// Uses a link up, if it is still the one.
    fn use_link(
        &self,
        credential: &mut Credential,
        token: &Token,
        kind: LinkKind,
    ) -> Result<(), Error> {
        self.check_link(Some(credential), token, kind)?;
        credential.link = None;
        Ok(())
    }
}
