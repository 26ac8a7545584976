//! People with an account elsewhere: agents, and visitors who come with a token.
//!
//! A person is known by (tenant, source, subject): the source is the issuer or key that signs
//! for it. The first valid token provisions the person; an administrator may do so before. Later
//! tokens bring name, mail address and role up to date.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{AgentId, DepartmentId, Number, TenantId, Timestamp};
use switchboard_domain::limit::{
    CAPACITY_DEFAULT, CAPACITY_MAX, CAPACITY_MIN, EMAIL_BYTES_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX,
    SKILLS_MAX,
};
use switchboard_domain::person::{AgentRef, Role};
use switchboard_store::{Expect, Fault};

use super::cache::{Cache, Caches};
use super::last_change::LastChangeForm;
use super::record::{Record, damaged, parse};
use super::text::{SHORT_NAME, check_email, is_short_name, line};
use super::{Directory, Error, LastChange, Revision, TRIES_MAX, Versioned};
use crate::auth::role;

/// The longest id of a person in another system, in bytes.
pub const EXTERNAL_ID_BYTES_MAX: usize = 256;
/// The highest number that every client can read: 2⁵³ − 1.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;
/// Sources that may know the same subject: the issuers of one tenant.
const SOURCES_MAX: usize = 32;
/// Departments of one person at most.
const DEPARTMENTS_MAX: usize = 32;

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Our id; as a visitor the person has the same one.
    pub id: AgentId,
    /// The integer name: the subject if that is an integer and free.
    pub number: Number,
    /// The id in the system that signs the tokens.
    pub external_id: Arc<str>,
    /// The name to show.
    pub name: Option<Arc<str>>,
    /// The name for visitors, where it is another than for colleagues.
    pub display_name: Option<Arc<str>>,
    /// The given name, where the token tells it apart.
    pub given_name: Option<Arc<str>>,
    /// The family name, where the token tells it apart.
    pub family_name: Option<Arc<str>>,
    /// The mail address.
    pub email: Option<Arc<str>>,
    /// The role last seen, or given when the person was created beforehand.
    pub role: Role,
    /// The highest role that an administrator allows; `None` for what tokens say.
    pub role_max: Option<Role>,
    /// Whether every token is refused.
    pub disabled: bool,
    /// How many conversations at once, until the agent chooses otherwise.
    pub capacity: usize,
    /// Skills, until the agent chooses otherwise.
    pub skills: Vec<Arc<str>>,
    /// The departments that the person works in.
    pub departments: Vec<DepartmentId>,
    /// First seen or created.
    pub created_at: Timestamp,
    /// When the account was made elsewhere, if a token said so.
    pub account_created_at: Option<Timestamp>,
    /// How the account stands elsewhere, if a token said so.
    pub account_status: Option<Arc<str>>,
    /// When the newest token that was taken over was made; 0 for none.
    pub claims_at: Timestamp,
    /// The administrator who changed it last. In a box, because most people are visitors, whom
    /// nobody changes.
    pub changed: Option<Box<LastChange>>,
}

/// What a token or an administrator says of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// See [`Person::name`].
    pub name: Option<Arc<str>>,
    /// See [`Person::given_name`].
    pub given_name: Option<Arc<str>>,
    /// See [`Person::family_name`].
    pub family_name: Option<Arc<str>>,
    /// See [`Person::email`].
    pub email: Option<Arc<str>>,
    /// See [`Person::account_created_at`].
    pub account_created_at: Option<Timestamp>,
    /// See [`Person::account_status`].
    pub account_status: Option<Arc<str>>,
}

/// Who signs for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// An administrator created the person; the first token of an agent takes it over.
    Anyone,
    /// An issuer that was checked.
    Issuer(Arc<str>),
    /// A key, where no issuer is checked.
    Key(Arc<str>),
}

/// A change by an administrator; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The name to show.
    pub name: Option<String>,
    /// The name for visitors; empty removes it.
    pub display_name: Option<String>,
    /// The mail address; empty removes it.
    pub email: Option<String>,
    /// The role: what an own sign-in gets, and the highest that tokens get; `Some(None)` lifts
    /// the bound.
    pub role_max: Option<Option<Role>>,
    /// Whether every token is refused.
    pub disabled: Option<bool>,
    /// How many conversations at once.
    pub capacity: Option<usize>,
    /// All skills.
    pub skills: Option<Vec<String>>,
    /// All departments.
    pub departments: Option<Vec<String>>,
    /// Who asks for it, where that is a person.
    pub by: Option<LastChange>,
}

impl Person {
    /// The name, as far as it was told.
    #[must_use]
    pub fn told_name(&self) -> Option<Arc<str>> {
        match (&self.name, &self.given_name, &self.family_name) {
            (Some(name), _, _) | (None, Some(name), None) | (None, None, Some(name)) => {
                Some(Arc::clone(name))
            }
            (None, Some(given), Some(family)) => Some(format!("{given} {family}").into()),
            (None, None, None) => None,
        }
    }

    /// The name that others read; made from the number when none was told.
    #[must_use]
    pub fn shown_name(&self) -> Arc<str> {
        self.display_name.clone().unwrap_or_else(|| self.full_name())
    }

    /// The name that colleagues know; made from the number when none was told.
    #[must_use]
    pub fn full_name(&self) -> Arc<str> {
        self.told_name().unwrap_or_else(|| format!("Agent {}", self.number.0).into())
    }

    /// The person as events and cards name it.
    #[must_use]
    pub fn agent(&self) -> AgentRef {
        AgentRef { id: self.id, name: self.shown_name() }
    }

    /// Whether a change would take the tenant from this owner.
    #[must_use]
    pub fn would_end_as_owner(&self, change: &Change) -> bool {
        let lower = change.role_max.flatten().is_some_and(|role| role < Role::Owner);
        self.is_owner() && (lower || change.disabled == Some(true))
    }

    /// The role in effect when a token says `claimed`.
    #[must_use]
    pub fn effective_role(&self, claimed: Role) -> Role {
        self.role_max.map_or(claimed, |role_max| claimed.min(role_max))
    }

    /// The role of an own sign-in.
    #[must_use]
    pub fn role_in_effect(&self) -> Role {
        self.effective_role(self.role)
    }

    /// Whether this person owns the tenant and may come in.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.role_in_effect() == Role::Owner && !self.disabled
    }

    fn take_over(&mut self, profile: &Profile, role: Role, issued_at: Timestamp) {
        let keep = |kept: &mut Option<Arc<str>>, said: &Option<Arc<str>>| {
            if said.is_some() {
                kept.clone_from(said);
            }
        };
        keep(&mut self.name, &profile.name);
        keep(&mut self.given_name, &profile.given_name);
        keep(&mut self.family_name, &profile.family_name);
        keep(&mut self.email, &profile.email);
        keep(&mut self.account_status, &profile.account_status);
        self.account_created_at = profile.account_created_at.or(self.account_created_at);
        self.role = role;
        self.claims_at = issued_at;
    }

    fn change(&mut self, change: &Change) -> Result<(), Error> {
        let invalid = |field, why| Err(Error::Invalid { field, why });
        if let Some(name) = &change.name {
            self.name = line("name", name, NAME_BYTES_MAX)?;
        }
        if let Some(name) = &change.display_name {
            self.display_name = line("display_name", name, NAME_BYTES_MAX)?;
        }
        if let Some(email) = &change.email {
            self.email = line("email", email, EMAIL_BYTES_MAX)?;
            self.email.as_deref().map_or(Ok(()), check_email)?;
        }
        if let Some(role_max) = change.role_max {
            self.role_max = role_max;
            // Who signs in here has no token that says more.
            self.role = role_max.filter(|role| *role >= Role::Agent).unwrap_or(self.role);
        }
        if let Some(disabled) = change.disabled {
            self.disabled = disabled;
        }
        if let Some(capacity) = change.capacity {
            if !(CAPACITY_MIN..=CAPACITY_MAX).contains(&capacity) {
                return invalid("capacity", "must be from 1 to 20");
            }
            self.capacity = capacity;
        }
        if let Some(skills) = &change.skills {
            if skills.len() > SKILLS_MAX {
                return invalid("skills", "has too many entries");
            }
            let skills = skills.iter().map(|skill| {
                line("skills", skill, LABEL_BYTES_MAX)?
                    .ok_or(Error::Invalid { field: "skills", why: "has an empty entry" })
            });
            self.skills = skills.collect::<Result<_, _>>()?;
        }
        if let Some(departments) = &change.departments {
            if departments.len() > DEPARTMENTS_MAX {
                return invalid("departments", "has too many entries");
            }
            if !departments.iter().all(|id| is_short_name(id)) {
                return invalid("departments", SHORT_NAME);
            }
            let ids = departments.iter().map(|id| DepartmentId(id.as_str().into()));
            self.departments = ids.collect();
        }
        self.changed = change.by.clone().map(Box::new);
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PersonForm {
    number: u64,
    external_id: Arc<str>,
    name: Option<Arc<str>>,
    display_name: Option<Arc<str>>,
    given_name: Option<Arc<str>>,
    family_name: Option<Arc<str>>,
    email: Option<Arc<str>>,
    role: Arc<str>,
    role_max: Option<Arc<str>>,
    disabled: bool,
    capacity: usize,
    skills: Vec<Arc<str>>,
    departments: Vec<Arc<str>>,
    created_at: i64,
    account_created_at: Option<i64>,
    account_status: Option<Arc<str>>,
    claims_at: i64,
    changed: Option<LastChangeForm>,
}

impl Record for Person {
    const KIND: &'static str = "person";
    // 2: a display name; 3: who changed it. Older forms do not have them.
    const VERSION: u8 = 3;
    type Form = PersonForm;

    fn form(&self) -> PersonForm {
        PersonForm {
            number: self.number.0,
            external_id: Arc::clone(&self.external_id),
            name: self.name.clone(),
            display_name: self.display_name.clone(),
            given_name: self.given_name.clone(),
            family_name: self.family_name.clone(),
            email: self.email.clone(),
            role: role::word(self.role).into(),
            role_max: self.role_max.map(|role| role::word(role).into()),
            disabled: self.disabled,
            capacity: self.capacity,
            skills: self.skills.clone(),
            departments: self.departments.iter().map(|id| Arc::clone(&id.0)).collect(),
            created_at: self.created_at.0,
            account_created_at: self.account_created_at.map(|at| at.0),
            account_status: self.account_status.clone(),
            claims_at: self.claims_at.0,
            changed: self.changed.as_deref().map(LastChangeForm::from),
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: PersonForm = parse::<Self, _>(id, bytes)?;
        let role = |word: &str| {
            role::named(word).ok_or_else(|| damaged::<Self>(id, "its role is not known"))
        };
        Ok(Self {
            id: id.parse().map_err(|_not_uuid: uuid::Error| damaged::<Self>(id, "its id"))?,
            number: Number(form.number),
            external_id: form.external_id,
            name: form.name,
            display_name: form.display_name,
            given_name: form.given_name,
            family_name: form.family_name,
            email: form.email,
            role: role(&form.role)?,
            role_max: form.role_max.as_deref().map(role).transpose()?,
            disabled: form.disabled,
            capacity: form.capacity,
            skills: form.skills,
            departments: form.departments.into_iter().map(DepartmentId).collect(),
            created_at: Timestamp(form.created_at),
            account_created_at: form.account_created_at.map(Timestamp),
            account_status: form.account_status,
            claims_at: Timestamp(form.claims_at),
            changed: form.changed.map(|changed| Box::new(changed.into())),
        })
    }

    fn last_change(&self) -> Option<&LastChange> {
        self.changed.as_deref()
    }

    fn cache(caches: &Caches) -> Option<&Cache<Self>> {
        Some(&caches.people)
    }
}

/// Everybody with the same subject, by source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Accounts(Vec<Account>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    source: Source,
    person: u128,
}

impl Record for Accounts {
    const KIND: &'static str = "account";
    const VERSION: u8 = 1;
    type Form = Self;

    fn form(&self) -> Self {
        self.clone()
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        parse::<Self, _>(id, bytes)
    }

    fn cache(caches: &Caches) -> Option<&Cache<Self>> {
        Some(&caches.accounts)
    }
}

impl Accounts {
    fn of(&self, source: &Source) -> Option<AgentId> {
        let found = self.0.iter().find(|account| account.source == *source)?;
        Some(AgentId::from_u128(found.person))
    }
}

/// A subject as the name of a document.
fn check_external_id(text: &str) -> Result<(), Error> {
    if text.is_empty() || text.len() > EXTERNAL_ID_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(Error::Invalid {
            field: "external_id",
            why: "must be 1 to 256 bytes without control characters",
        });
    }
    Ok(())
}

/// The number that a subject is, if it is one.
fn number_of(subject: &str) -> Option<u64> {
    let number = subject.parse().ok().filter(|number| (1..=NUMBER_MAX).contains(number))?;
    (number.to_string() == subject).then_some(number)
}

impl Directory {
    /// A person.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn person(
        &self,
        tenant: &TenantId,
        id: AgentId,
    ) -> Result<Option<Arc<Versioned<Person>>>, Error> {
        self.load(tenant, &id.to_string()).await
    }

    /// The person whom other systems know by that id. If several sources know one, it is the
    /// first who answers visitors, else the first that was seen.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn person_by_external(
        &self,
        tenant: &TenantId,
        external_id: &str,
    ) -> Result<Option<Arc<Versioned<Person>>>, Error> {
        if check_external_id(external_id).is_err() {
            return Ok(None);
        }
        let Some(accounts) = self.load::<Accounts>(tenant, external_id).await? else {
            return Ok(None);
        };
        let mut first = None;
        for account in &accounts.value.0 {
            let person = self.person(tenant, AgentId::from_u128(account.person)).await?;
            if person.as_ref().is_some_and(|person| person.value.role >= Role::Agent) {
                return Ok(person);
            }
            first = first.or(person);
        }
        Ok(first)
    }

    /// The person of that number.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn person_by_number(
        &self,
        tenant: &TenantId,
        number: Number,
    ) -> Result<Option<Arc<Versioned<Person>>>, Error> {
        let Some(bearer) = self.bearer(tenant, number).await? else { return Ok(None) };
        let found = self.person(tenant, AgentId::new(bearer)).await?;
        Ok(found.filter(|person| person.value.number == number))
    }

    /// People of a tenant, by id, after `after`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn people(
        &self,
        tenant: &TenantId,
        after: Option<AgentId>,
        limit: usize,
    ) -> Result<Vec<Arc<Versioned<Person>>>, Error> {
        let after = after.map(|id| id.to_string());
        self.page(tenant, after.as_deref(), limit).await
    }

    /// Creates a person before the first token.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] when anybody has that external id; [`Error::Invalid`].
    pub async fn create_person(
        &self,
        tenant: &TenantId,
        external_id: &str,
        role: Role,
        change: &Change,
    ) -> Result<Arc<Versioned<Person>>, Error> {
        self.create_own_person(tenant, None, Some(external_id), role, change).await
    }

    /// Creates a person whose id, without an external one, is the external one too.
    ///
    /// # Errors
    ///
    /// As [`Directory::create_person`].
    pub(crate) async fn create_own_person(
        &self,
        tenant: &TenantId,
        id: Option<AgentId>,
        external_id: Option<&str>,
        role: Role,
        change: &Change,
    ) -> Result<Arc<Versioned<Person>>, Error> {
        let own_id = id.unwrap_or_else(|| AgentId::new(self.fresh_id()));
        let own_name = own_id.to_string();
        let external_id = external_id.unwrap_or(&own_name);
        check_external_id(external_id)?;
        // Checked on a draft, before anything is stored.
        let mut draft = self.draft(AgentId::from_u128(0), Number(0), external_id, role);
        draft.change(change)?;
        let _alone = self.stripe(tenant, external_id).lock().await;
        let accounts: Option<Arc<Versioned<Accounts>>> =
            self.load_stored(tenant, external_id).await?;
        let id = match accounts.as_ref().map(|accounts| &*accounts.value.0) {
            // A creation that was cut short before the person was written goes on.
            Some([Account { source: Source::Anyone, person }])
                if self.person(tenant, AgentId::from_u128(*person)).await?.is_none() =>
            {
                AgentId::from_u128(*person)
            }
            Some([_, ..]) => return Err(Error::Exists),
            Some([]) | None => {
                let id = own_id;
                let account = Account { source: Source::Anyone, person: id.uuid().as_u128() };
                let expect = accounts.map_or(Expect::Absent, |a| Expect::Version(a.version));
                let saved = self.save(tenant, external_id, expect, Accounts(vec![account])).await;
                saved.map_err(super::department::exists)?;
                id
            }
        };
        let number = self.claim_number(tenant, id.uuid(), number_of(external_id)).await?;
        let person = Person { id, number, ..draft };
        let saved = self.save(tenant, &id.to_string(), Expect::Absent, person).await;
        saved.map_err(super::department::exists)
    }

    /// Changes a person; `version` is the one that the caller read, `None` for any.
    ///
    /// Whoever disables a person or lowers a role also revokes what is open, see
    /// [`Authenticator::change_person`](crate::auth::Authenticator::change_person).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Changed`], [`Error::Invalid`].
    pub async fn change_person(
        &self,
        tenant: &TenantId,
        id: AgentId,
        version: Option<u64>,
        change: &Change,
    ) -> Result<Revision<Person>, Error> {
        self.revise(tenant, &id.to_string(), version, |person: &mut Person| person.change(change))
            .await
    }

    /// The person of a valid token, created at first sight and brought up to date. However many
    /// first sights come at once, they see one person.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn provision(
        &self,
        tenant: &TenantId,
        source: &Source,
        subject: &str,
        token: &Sight,
    ) -> Result<Arc<Versioned<Person>>, Error> {
        check_external_id(subject)?;
        let known: Option<Arc<Versioned<Accounts>>> = self.load(tenant, subject).await?;
        let id = known.and_then(|accounts| accounts.value.of(source));
        let person = match id {
            Some(id) => self.person(tenant, id).await?,
            None => None,
        };
        let person = match person {
            Some(person) => person,
            None => self.provision_first(tenant, source, subject, token).await?,
        };
        self.bring_up_to_date(tenant, person, token).await
    }

    async fn provision_first(
        &self,
        tenant: &TenantId,
        source: &Source,
        subject: &str,
        token: &Sight,
    ) -> Result<Arc<Versioned<Person>>, Error> {
        let _alone = self.stripe(tenant, subject).lock().await;
        let id = self.claim_account(tenant, source, subject, token.role).await?;
        if let Some(person) = self.load_stored(tenant, &id.to_string()).await? {
            return Ok(person);
        }
        let number = self.claim_number(tenant, id.uuid(), number_of(subject)).await?;
        let mut person = self.draft(id, number, subject, token.role);
        person.take_over(&token.profile, token.role, token.issued_at);
        match self.save(tenant, &id.to_string(), Expect::Absent, person).await {
            // Another node was first.
            Err(Error::Changed) => {
                self.load_stored(tenant, &id.to_string()).await?.ok_or(Error::Changed)
            }
            answer => answer,
        }
    }

    /// The id that belongs to (source, subject), made at first sight.
    async fn claim_account(
        &self,
        tenant: &TenantId,
        source: &Source,
        subject: &str,
        role: Role,
    ) -> Result<AgentId, Error> {
        for _ in 0..TRIES_MAX {
            let stored: Option<Arc<Versioned<Accounts>>> =
                self.load_stored(tenant, subject).await?;
            let expect = stored.as_ref().map_or(Expect::Absent, |s| Expect::Version(s.version));
            let mut accounts = stored.map(|stored| stored.value.clone()).unwrap_or_default();
            if let Some(id) = accounts.of(source) {
                return Ok(id);
            }
            // Who was created by an administrator is an agent: a visitor of that name is another.
            let n_sources = accounts.0.len();
            let awaited = accounts.0.iter_mut().find(|a| a.source == Source::Anyone);
            let id = match awaited.filter(|_| role >= Role::Agent) {
                Some(account) => {
                    account.source = source.clone();
                    AgentId::from_u128(account.person)
                }
                None if n_sources >= SOURCES_MAX => {
                    return Err(Error::Invalid { field: "sub", why: "has too many sources" });
                }
                None => {
                    let id = AgentId::new(self.0.clock.fresh_id());
                    let person = id.uuid().as_u128();
                    accounts.0.push(Account { source: source.clone(), person });
                    id
                }
            };
            match self.save(tenant, subject, expect, accounts).await {
                Ok(_) => return Ok(id),
                Err(Error::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Changed)
    }

    /// Takes over what a token says, unless a newer one was taken over already.
    async fn bring_up_to_date(
        &self,
        tenant: &TenantId,
        person: Arc<Versioned<Person>>,
        token: &Sight,
    ) -> Result<Arc<Versioned<Person>>, Error> {
        let mut fresh = person.value.clone();
        if token.issued_at < fresh.claims_at {
            return Ok(person);
        }
        fresh.take_over(&token.profile, token.role, fresh.claims_at);
        if fresh == person.value {
            return Ok(person);
        }
        fresh.claims_at = token.issued_at;
        let id = fresh.id.to_string();
        match self.save(tenant, &id, Expect::Version(person.version), fresh).await {
            // What came between may be newer, or a disabling: it counts, and the next sight
            // brings the rest.
            Err(Error::Changed) => self.load_stored(tenant, &id).await?.ok_or(Error::NotFound),
            answer => answer,
        }
    }

    fn draft(&self, id: AgentId, number: Number, external_id: &str, role: Role) -> Person {
        Person {
            id,
            number,
            external_id: external_id.into(),
            name: None,
            display_name: None,
            given_name: None,
            family_name: None,
            email: None,
            role,
            role_max: None,
            disabled: false,
            capacity: CAPACITY_DEFAULT,
            skills: Vec::new(),
            departments: Vec::new(),
            created_at: self.0.clock.now(),
            account_created_at: None,
            account_status: None,
            claims_at: Timestamp(0),
            changed: None,
        }
    }
}

/// What one valid token says.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Of the person.
    pub profile: Profile,
    /// The role, bounded by the key.
    pub role: Role,
    /// When the token was made; 0 when it does not say.
    pub issued_at: Timestamp,
}

#[cfg(test)]
mod tests;
