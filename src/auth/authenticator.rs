//! From a token to an identity.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use switchboard_actors::clock::Clock;
use switchboard_actors::{Delivery, Outlet};
use switchboard_domain::ids::{AgentId, ConversationId, TenantId, Timestamp, VisitorId, WidgetId};
use switchboard_domain::person::{Author, Caller, Principal, Role};
use uuid::Uuid;

use super::claims::Claims;
use super::keys::{Key, Keys};
use super::revocation::{Came, Registration, Revocations, Standing};
use super::secret::{SecretDigest, Token, VisitorToken};
use super::{Flaw, Refused};
use crate::accounts::api_key::{self, ApiKey, Scope, Scopes};
use crate::accounts::credential::{Credential, SEEN_LAG_MS, SignIn};
use crate::accounts::{SIGN_IN_PREFIX, sign_in};
use crate::directory::identity_key::{self, IdentityKey, Replaced};
use crate::directory::person::{Change, Person, Sight};
use crate::directory::visitor::Access;
use crate::directory::{self, Directory, Revision, Versioned, Visitor, Widget};
use crate::notices::Notice;

/// Checked signatures that are remembered at most, about a kilobyte each.
const CHECKED_MAX: usize = 1_024;

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where it belongs. Every look-up for it goes through this (P10).
    pub tenant: TenantId,
    /// Who, and with what rights.
    pub caller: Caller,
    /// The person behind it; `None` for a visitor without an account.
    pub person: Option<Arc<Versioned<Person>>>,
    /// When the credential ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// What was shown.
    pub via: Via,
}

/// What a caller showed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// A signed token.
    Token,
    /// A token that a site signed with the key of its widget that has this name.
    Site(Arc<str>),
    /// The secret of a visitor without an account.
    VisitorSecret,
    /// The cookie of a browser that is signed in, or a ticket that it was given.
    SignIn(Uuid),
    /// An API key with these scopes.
    Key(Scopes),
    /// Nothing that is ours: the door that let the caller in answers for it.
    Vouched,
}

impl Identity {
    /// Somebody whose browser is signed in.
    #[must_use]
    pub fn signed_in(tenant: &TenantId, person: &Arc<Versioned<Person>>, sign_in: &SignIn) -> Self {
        let author = Author {
            principal: Principal::Agent(person.value.id),
            name: Some(person.value.shown_name()),
        };
        Self {
            tenant: tenant.clone(),
            caller: Caller { author, role: person.value.role_in_effect() },
            person: Some(Arc::clone(person)),
            expires_at: Some(sign_in.ends_at()),
            via: Via::SignIn(sign_in.id),
        }
    }

    /// Our id of whoever it is.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self.caller.author.principal {
            Principal::Visitor(id) => id.uuid(),
            Principal::Agent(id) | Principal::Bot(id) => id.uuid(),
            Principal::System => Uuid::nil(),
        }
    }

    /// Whether a key that the caller came with has that scope; people have all.
    #[must_use]
    pub fn permits(&self, scope: Scope) -> bool {
        match self.via {
            Via::Key(scopes) => scopes.holds(scope),
            Via::Token | Via::Site(_) | Via::VisitorSecret | Via::SignIn(_) | Via::Vouched => true,
        }
    }

    /// Whether the caller has at least that role.
    #[must_use]
    pub fn is_at_least(&self, role: Role) -> bool {
        self.caller.role >= role
    }
}

/// Why nobody came in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthError {
    /// The token is no good; the reason is for logs and tests, not for the caller.
    #[error("the token is not valid")]
    Invalid(Flaw),
    /// The signature is good, the role is none of ours.
    #[error("the token names a role that is not known")]
    UnknownRole,
    /// The token is good, but the person or visitor is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// The directory could not be asked.
    #[error("the directory failed")]
    Directory(#[source] directory::Error),
}

impl From<Refused> for AuthError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(flaw) => Self::Invalid(flaw),
            Refused::UnknownRole => Self::UnknownRole,
        }
    }
}

impl From<directory::Error> for AuthError {
    fn from(error: directory::Error) -> Self {
        Self::Directory(error)
    }
}

/// Checks tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Authenticator(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keys: Keys,
    directory: Directory,
    clock: Arc<dyn Clock>,
    revocations: Revocations,
    checked: Mutex<Checked>,
}

/// Tokens whose costly signature was good, by digest: the token itself is not kept. In two
/// generations, as the caches of the directory.
#[derive(Debug, Default)]
struct Checked {
    young: HashMap<[u8; 32], Arc<(Arc<Key>, Claims)>>,
    old: HashMap<[u8; 32], Arc<(Arc<Key>, Claims)>>,
}

impl Authenticator {
    /// With these keys, over that directory.
    #[must_use]
    pub fn new(keys: Keys, directory: Directory, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            keys,
            directory,
            clock,
            revocations: Revocations::default(),
            checked: Mutex::default(),
        }))
    }

    /// The keys, to mint with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Who shows this token. The first valid token of a person provisions the person.
    ///
    /// # Errors
    ///
    /// [`AuthError`].
    pub async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        if VisitorToken::is_visitor_token(token) {
            self.authenticate_visitor(token).await
        } else if token.starts_with(api_key::PREFIX) {
            self.authenticate_key(token).await
        } else {
            self.authenticate_person(token).await
        }
    }

    /// A visitor without an account whom a door knows by something else than their secret. The
    /// door answers for that.
    ///
    /// # Errors
    ///
    /// When there is no such visitor, or they are disabled.
    pub async fn vouched_visitor(
        &self,
        tenant: &TenantId,
        id: VisitorId,
    ) -> Result<Identity, AuthError> {
        let visitor = self.0.directory.visitor(tenant, id).await?;
        let visitor = visitor.ok_or(AuthError::Invalid(Flaw::Subject))?;
        of_visitor(tenant.clone(), &visitor.value, Via::Vouched)
    }

    /// An agent whom a door knows by the id of their own system alone. The door answers for that.
    ///
    /// # Errors
    ///
    /// When nobody of that id works here, or they are disabled.
    pub async fn vouched_agent(
        &self,
        tenant: &TenantId,
        external_id: &str,
    ) -> Result<Identity, AuthError> {
        let person = self.0.directory.person_by_external(tenant, external_id).await?;
        let person = person.ok_or(AuthError::Invalid(Flaw::Subject))?;
        let role = person.value.role_in_effect();
        if role < Role::Agent {
            return Err(AuthError::Invalid(Flaw::Subject));
        }
        if person.value.disabled {
            return Err(AuthError::Disabled);
        }
        let author = Author {
            principal: Principal::Agent(person.value.id),
            name: Some(person.value.shown_name()),
        };
        Ok(Identity {
            tenant: tenant.clone(),
            caller: Caller { author, role },
            person: Some(person),
            expires_at: None,
            via: Via::Vouched,
        })
    }

    /// Tells every open socket of a visitor of a conversation that was begun with them, on every
    /// node; answers how many on this one hear it.
    pub fn tell_visitor(
        &self,
        tenant: &TenantId,
        visitor: VisitorId,
        conversation: ConversationId,
    ) -> usize {
        self.0.directory.teller().tell(&Notice::begun(tenant, visitor, conversation));
        self.tell_visitor_here(tenant, visitor, conversation)
    }

    /// The same on this node alone.
    pub fn tell_visitor_here(
        &self,
        tenant: &TenantId,
        visitor: VisitorId,
        conversation: ConversationId,
    ) -> usize {
        let delivery = Delivery::Conversation(conversation);
        self.0.revocations.tell(tenant, visitor.uuid(), &delivery)
    }

    /// Tells every open socket of a person on this node that there is a newer version of what they
    /// like.
    pub fn tell_preferences(&self, tenant: &TenantId, person: AgentId, version: u64) {
        self.0.revocations.tell(tenant, person.uuid(), &Delivery::Preferences { version });
    }

    /// Tells every open socket of a person on this node that there is a newer version of what they
    /// have not sent.
    pub fn tell_drafts(&self, tenant: &TenantId, person: AgentId, version: u64) {
        self.0.revocations.tell(tenant, person.uuid(), &Delivery::Drafts { version });
    }

    /// Enters a connection under its identity, so that it hears
    /// [`Delivery::Revoked`](switchboard_actors::Delivery::Revoked) when the identity is no
    /// longer good. To be called before the connection is told that it is ready.
    ///
    /// # Errors
    ///
    /// When the identity was disabled since it was authenticated.
    pub async fn register(
        &self,
        identity: &Identity,
        outlet: &Outlet,
    ) -> Result<Registration, AuthError> {
        let tenant = &identity.tenant;
        let person = identity.person.as_ref().map(|it| (it.value.role_max, it.value.shown_name()));
        let came = Came { via: identity.via.clone(), person };
        let revocations = &self.0.revocations;
        let registration =
            revocations.register(tenant.clone(), identity.id(), came.clone(), outlet);
        // Asked after entering: whoever disables from now on finds the entry.
        match self.standing(tenant, identity.id(), &came).await? {
            Standing::Good | Standing::Renamed => Ok(registration),
            Standing::Over => Err(AuthError::Disabled),
        }
    }

    /// Whether what a connection came with is still good.
    async fn standing(
        &self,
        tenant: &TenantId,
        id: Uuid,
        came: &Came,
    ) -> Result<Standing, directory::Error> {
        let directory = &self.0.directory;
        let mut is_renamed = false;
        let is_good = match &came.person {
            Some((role_max, name)) => {
                let id = AgentId::new(id);
                let person = directory.person(tenant, id).await?;
                is_renamed = person.as_ref().is_some_and(|it| it.value.shown_name() != *name);
                person.is_some_and(|person| {
                    !person.value.disabled && person.value.role_max == *role_max
                }) && match &came.via {
                    Via::SignIn(sign_in) => self.is_signed_in(tenant, id, *sign_in).await?,
                    Via::Site(name) => directory.identity_key(name).await?.is_some(),
                    Via::Token | Via::VisitorSecret | Via::Key(_) | Via::Vouched => true,
                }
            }
            None if matches!(came.via, Via::Key(_)) => {
                directory.api_key(tenant, id).await?.is_some()
            }
            None => {
                let visitor = directory.visitor(tenant, VisitorId::new(id)).await?;
                visitor.is_some_and(|visitor| !visitor.value.disabled)
            }
        };
        Ok(match (is_good, is_renamed) {
            (false, _) => Standing::Over,
            (true, true) => Standing::Renamed,
            (true, false) => Standing::Good,
        })
    }

    /// Something is known anew of a person, a visitor or a key: connections with which it is not
    /// good any more are cut, and those under a name of before come again.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn recheck(&self, tenant: &TenantId, id: Uuid) -> Result<(), directory::Error> {
        let mut n_over = 0;
        for (came, outlet) in self.0.revocations.came(tenant, id) {
            match self.standing(tenant, id, &came).await? {
                Standing::Good => {}
                Standing::Renamed => {
                    outlet.push(Delivery::Drain { reconnect_in_ms: 0 });
                }
                Standing::Over => {
                    outlet.push(Delivery::Revoked);
                    n_over += 1;
                }
            }
        }
        if n_over > 0 {
            tracing::info!(%tenant, %id, n_over, "connections are cut, by what another node knows");
        }
        Ok(())
    }

    /// The same for all whom the keys of a widget let in.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn recheck_site(
        &self,
        tenant: &TenantId,
        widget: &str,
    ) -> Result<(), directory::Error> {
        let is_of_it = |via: &Via| match via {
            Via::Site(name) => identity_key::owner_of(name).is_some_and(|(_, of)| *of.0 == *widget),
            Via::Token | Via::VisitorSecret | Via::SignIn(_) | Via::Key(_) | Via::Vouched => false,
        };
        for id in self.0.revocations.those_by(tenant, is_of_it) {
            self.recheck(tenant, id).await?;
        }
        Ok(())
    }

    /// The same for everybody who is connected.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn recheck_all(&self) -> Result<(), directory::Error> {
        for (tenant, id) in self.0.revocations.everybody() {
            self.recheck(&tenant, id).await?;
        }
        Ok(())
    }

    /// Changes a person; if that takes rights away, open connections are cut, and with another
    /// name they come again. Somebody always owns the tenant.
    ///
    /// # Errors
    ///
    /// [`LastOwner`](directory::Error::LastOwner), or as [`Directory::change_person`].
    pub async fn change_person(
        &self,
        tenant: &TenantId,
        id: AgentId,
        version: Option<u64>,
        change: &Change,
    ) -> Result<Revision<Person>, directory::Error> {
        let directory = &self.0.directory;
        let revision = directory.change_unless_last_owner(tenant, id, version, change).await?;
        let Revision { before, after: changed } = &revision;
        if changed.value.disabled || change.role_max.is_some() {
            self.0.revocations.revoke(tenant, id.uuid());
        } else if changed.value.shown_name() != before.value.shown_name() {
            // Sockets speak under the name that they came with.
            self.0.revocations.renew(tenant, id.uuid());
        }
        if changed.value.disabled && directory.credential(tenant, id).await?.is_some() {
            // Who is let in again signs in again.
            directory
                .change_credential(tenant, id, |credential| {
                    credential.link = None;
                    credential.sign_ins.clear();
                    Ok::<_, directory::Error>(())
                })
                .await?;
        }
        Ok(revision)
    }

    /// Who shows this cookie, and what their pages show with every change they ask for.
    ///
    /// # Errors
    ///
    /// [`AuthError`].
    pub async fn authenticate_cookie(&self, cookie: &str) -> Result<(Identity, String), AuthError> {
        let Shared { directory, clock, .. } = &*self.0;
        let secret = Token::parse(SIGN_IN_PREFIX, cookie);
        let secret = secret.ok_or(AuthError::Invalid(Flaw::Shape))?;
        let (tenant, id) = (&secret.tenant, AgentId::new(secret.owner));
        let now = clock.now();
        let mut credential = directory.credential(tenant, id).await?;
        let is_known = |it: &Arc<Versioned<Credential>>| it.value.sign_in(&secret, now).is_some();
        if !credential.as_ref().is_some_and(is_known) {
            // Another node may have let them in a moment ago.
            credential = directory.credential_stored(tenant, id).await?;
        }
        let sign_in = credential.as_ref().and_then(|it| it.value.sign_in(&secret, now));
        let sign_in = sign_in.ok_or(AuthError::Invalid(Flaw::Secret))?;
        let person = directory.person(tenant, id).await?;
        let person = person.ok_or(AuthError::Invalid(Flaw::Secret))?;
        if person.value.disabled || person.value.role_in_effect() < Role::Agent {
            return Err(AuthError::Disabled);
        }
        let mut sign_in = sign_in.clone();
        if now.ms_since(sign_in.seen_at) >= SEEN_LAG_MS {
            sign_in.seen_at = now;
            let touched = directory.change_credential(tenant, id, |credential| {
                sign_in::touch(credential, sign_in.id, now);
                Ok::<_, directory::Error>(())
            });
            // A store that takes no writes is no reason to sign people out.
            if let Err(error) = touched.await {
                tracing::debug!(%error, "a sign-in was not marked as used");
            }
        }
        let csrf = sign_in::csrf(&secret);
        Ok((Identity::signed_in(tenant, &person, &sign_in), csrf))
    }

    async fn authenticate_key(&self, token: &str) -> Result<Identity, AuthError> {
        let Shared { directory, clock, .. } = &*self.0;
        let token = Token::parse(api_key::PREFIX, token).ok_or(AuthError::Invalid(Flaw::Shape))?;
        let (tenant, now) = (&token.tenant, clock.now());
        let key = directory.api_key(tenant, token.owner).await?;
        let key = key.filter(|key| token.matches(&key.value.digest) && key.value.is_live(now));
        let key = key.ok_or(AuthError::Invalid(Flaw::Secret))?;
        if let Err(error) = directory.touch_api_key(tenant, &key.value, now).await {
            tracing::debug!(%error, "an API key was not marked as used");
        }
        let author = Author {
            principal: Principal::Bot(AgentId::new(key.value.id)),
            name: Some(Arc::clone(&key.value.name)),
        };
        Ok(Identity {
            tenant: token.tenant,
            caller: Caller { author, role: key.value.scopes.role() },
            person: None,
            expires_at: key.value.expires_at,
            via: Via::Key(key.value.scopes),
        })
    }

    /// Refuses an API key from now on; open connections are cut. Answers which it was.
    ///
    /// # Errors
    ///
    /// [`directory::Error::NotFound`]; when the store fails.
    pub async fn revoke_key(
        &self,
        tenant: &TenantId,
        id: Uuid,
    ) -> Result<Arc<Versioned<ApiKey>>, directory::Error> {
        let key = self.0.directory.remove_api_key(tenant, id).await?;
        self.0.revocations.revoke(tenant, id);
        Ok(key)
    }

    /// Makes a key for a widget, in the place of the one in use; connections that came with a key
    /// that is refused from now on are cut.
    ///
    /// # Errors
    ///
    /// As [`Directory::rotate_identity_key`].
    pub async fn rotate_identity_key(
        &self,
        tenant: &TenantId,
        widget: &WidgetId,
        replaced: Replaced,
    ) -> Result<IdentityKey, directory::Error> {
        let key = self.0.directory.rotate_identity_key(tenant, widget, replaced).await?;
        self.cut_refused_keys().await?;
        Ok(key)
    }

    /// Removes a widget; connections of visitors whom its keys let in are cut. Answers what it was.
    ///
    /// # Errors
    ///
    /// As [`Directory::remove_widget`].
    pub async fn remove_widget(
        &self,
        tenant: &TenantId,
        widget: &WidgetId,
        version: Option<u64>,
    ) -> Result<Arc<Versioned<Widget>>, directory::Error> {
        let removed = self.0.directory.remove_widget(tenant, widget, version).await?;
        self.cut_refused_keys().await?;
        Ok(removed)
    }

    /// Cuts the connections that came with a widget's key that is refused by now: because it was
    /// revoked, its widget was removed, or its day after a rotation is over. Answers how many.
    ///
    /// What somebody does is cut at once. When a day is over nobody does anything: so this is also
    /// to be called every few seconds.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn cut_refused_keys(&self) -> Result<usize, directory::Error> {
        let Shared { directory, revocations, .. } = &*self.0;
        let mut n_cut = 0;
        for name in revocations.site_keys() {
            if directory.identity_key(&name).await?.is_some() {
                continue;
            }
            let Some((tenant, _)) = identity_key::owner_of(&name) else { continue };
            let came_with_it = |via: &Via| matches!(via, Via::Site(of) if *of == name);
            n_cut += revocations.revoke_everywhere(&tenant, came_with_it);
        }
        Ok(n_cut)
    }

    /// A caller as they stand now, if they came by a sign-in that is still good; `None` for
    /// credentials that end when they say.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn extended(&self, identity: &Identity) -> Result<Option<Identity>, AuthError> {
        let (&Via::SignIn(id), Some(known)) = (&identity.via, &identity.person) else {
            return Ok(None);
        };
        let now = self.signed_in(&identity.tenant, known.value.id, id).await?;
        Ok(now.filter(|now| now.caller.role == identity.caller.role))
    }

    /// Somebody by a sign-in of that name, as they stand now; `None` when it has ended.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn signed_in(
        &self,
        tenant: &TenantId,
        person: AgentId,
        sign_in: Uuid,
    ) -> Result<Option<Identity>, directory::Error> {
        let Shared { directory, clock, .. } = &*self.0;
        let credential = directory.credential(tenant, person).await?;
        let person = directory.person(tenant, person).await?;
        let (Some(credential), Some(person)) = (credential, person) else { return Ok(None) };
        let sign_in = credential.value.sign_in_named(sign_in, clock.now());
        let sign_in = sign_in.filter(|_| !person.value.disabled);
        Ok(sign_in.map(|sign_in| Identity::signed_in(tenant, &person, sign_in)))
    }

    /// Closes the sockets of one sign-in.
    pub fn end_sign_in(&self, tenant: &TenantId, person: AgentId, ended: Uuid) {
        let is_ended = |via: &Via| *via == Via::SignIn(ended);
        self.0.revocations.revoke_where(tenant, person.uuid(), is_ended);
    }

    /// Closes the sockets of all sign-ins of a person but one.
    pub fn end_sign_ins(&self, tenant: &TenantId, person: AgentId, kept: Option<Uuid>) {
        let is_ended = |via: &Via| matches!(via, Via::SignIn(id) if Some(*id) != kept);
        self.0.revocations.revoke_where(tenant, person.uuid(), is_ended);
    }

    async fn is_signed_in(
        &self,
        tenant: &TenantId,
        person: AgentId,
        id: Uuid,
    ) -> Result<bool, directory::Error> {
        let now = self.0.clock.now();
        let credential = self.0.directory.credential(tenant, person).await?;
        Ok(credential.is_some_and(|it| it.value.sign_in_named(id, now).is_some()))
    }

    /// Refuses a visitor's secret from now on, or takes it again; open connections are cut.
    ///
    /// # Errors
    ///
    /// As [`Directory::set_visitor_access`].
    pub async fn set_visitor_access(
        &self,
        tenant: &TenantId,
        id: VisitorId,
        access: Access,
    ) -> Result<(), directory::Error> {
        self.0.directory.set_visitor_access(tenant, id, access).await?;
        if access == Access::Refused {
            self.0.revocations.revoke(tenant, id.uuid());
        }
        Ok(())
    }

    async fn authenticate_person(&self, token: &str) -> Result<Identity, AuthError> {
        let (checked, via) = match self.check_identity(token).await? {
            Some((checked, name)) => (checked, Via::Site(name)),
            None => (self.check(token)?, Via::Token),
        };
        let (key, claims) = &*checked;
        let sight = Sight {
            profile: claims.profile.clone(),
            role: claims.role,
            issued_at: claims.issued_at,
        };
        let tenant = &key.tenant;
        let person =
            self.0.directory.provision(tenant, &key.source(), &claims.subject, &sight).await?;
        if person.value.disabled {
            return Err(AuthError::Disabled);
        }
        let role = person.value.effective_role(claims.role);
        let author = if role >= Role::Agent {
            Author {
                principal: Principal::Agent(person.value.id),
                name: Some(person.value.shown_name()),
            }
        } else {
            let visitor = VisitorId::new(person.value.id.uuid());
            Author { principal: Principal::Visitor(visitor), name: person.value.told_name() }
        };
        Ok(Identity {
            tenant: tenant.clone(),
            caller: Caller { author, role },
            person: Some(person),
            expires_at: Some(claims.expires_at),
            via,
        })
    }

    async fn authenticate_visitor(&self, token: &str) -> Result<Identity, AuthError> {
        let token = VisitorToken::parse(token).ok_or(AuthError::Invalid(Flaw::Shape))?;
        let visitor = self.0.directory.visitor(&token.tenant, token.visitor).await?;
        /// Compared with when there is no such visitor, so that both take the same steps.
        const NOBODY: SecretDigest = [0; 32];
        let stored = visitor.as_ref().map_or(&NOBODY, |visitor| &visitor.value.secret);
        let Some(visitor) = visitor.as_ref().filter(|_| token.matches(stored)) else {
            return Err(AuthError::Invalid(Flaw::Secret));
        };
        of_visitor(token.tenant, &visitor.value, Via::VisitorSecret)
    }

    /// Checks a token that a site signed with the key of its widget, and answers the key's name;
    /// `None` when it names none.
    async fn check_identity(
        &self,
        token: &str,
    ) -> Result<Option<(Arc<(Arc<Key>, Claims)>, Arc<str>)>, AuthError> {
        let Shared { keys, clock, directory, .. } = &*self.0;
        let Some(name) = Keys::name_of(token) else { return Ok(None) };
        let Some((tenant, widget)) = identity_key::owner_of(&name) else { return Ok(None) };
        let key = directory.identity_key(&name).await?;
        let key = key.ok_or(AuthError::Invalid(Flaw::Key))?;
        let name = key.name;
        let key = Key::of_widget(tenant, &widget, &key.secret);
        let claims = keys.check_by(&key, token, clock.now())?;
        Ok(Some((Arc::new((Arc::new(key), claims)), name)))
    }

    /// Checks a signed token; a costly signature only once.
    fn check(&self, token: &str) -> Result<Arc<(Arc<Key>, Claims)>, Refused> {
        let Shared { keys, clock, checked, .. } = &*self.0;
        let now = clock.now();
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(found) = checked.lock().get(&digest) {
            // All else about a token stays true; that it is good only until it ends.
            return if now.ms_since(found.1.expires_at) < keys.leeway_ms() {
                Ok(found)
            } else {
                Err(Flaw::Expired.into())
            };
        }
        let fresh = Arc::new(keys.check(token, now)?);
        if fresh.0.is_slow() {
            checked.lock().put(digest, Arc::clone(&fresh));
        }
        Ok(fresh)
    }
}

/// A visitor without an account, as a caller.
fn of_visitor(tenant: TenantId, visitor: &Visitor, via: Via) -> Result<Identity, AuthError> {
    if visitor.disabled {
        return Err(AuthError::Disabled);
    }
    let author =
        Author { principal: Principal::Visitor(visitor.id), name: visitor.contact.name.clone() };
    Ok(Identity {
        tenant,
        caller: Caller { author, role: Role::Visitor },
        person: None,
        expires_at: None,
        via,
    })
}

impl Checked {
    fn get(&mut self, digest: &[u8; 32]) -> Option<Arc<(Arc<Key>, Claims)>> {
        if let Some(found) = self.young.get(digest) {
            return Some(Arc::clone(found));
        }
        let found = self.old.remove(digest)?;
        self.put(*digest, Arc::clone(&found));
        Some(found)
    }

    fn put(&mut self, digest: [u8; 32], checked: Arc<(Arc<Key>, Claims)>) {
        if self.young.len() >= CHECKED_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, checked);
    }
}

#[cfg(test)]
mod tests;
