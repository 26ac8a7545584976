//! The records behind the doors: people, visitors, widgets, departments, idempotency keys.
//!
//! Every record is a document of the store under (tenant, kind, id), so nothing of one tenant can
//! be reached from another (P10). Changes are conditional on the version read; a few records of
//! each kind are kept after reading.

pub(crate) mod record;
mod last_change;
pub(crate) mod cache;
mod changes;
pub(crate) mod text;
pub mod tenant;
pub mod number;
pub mod origin;
pub mod department;
pub mod widget;
pub mod person;
mod owners;
pub mod preferences;
pub mod drafts;
pub mod visitor;
pub mod current;
pub mod session_label;
pub mod link;
pub mod address;
pub mod identity_key;
pub mod idempotency;
pub mod audit;
pub mod demo;

use std::fmt;
use std::sync::{Arc, OnceLock};

use switchboard_actors::clock::Clock;
use switchboard_domain::ids::TenantId;
use switchboard_store::{Expect, Fault, Store};
use uuid::Uuid;

use crate::accounts::avatar;
use crate::notices::Teller;
use cache::Caches;
use record::{Record, decode, encode};

pub use changes::Touched;
pub use current::Current;
pub use department::Department;
pub use idempotency::{Claim, Claimed, Scope};
pub use last_change::LastChange;
pub use person::Person;
pub(crate) use record::check_version;
pub use record::{Revision, Versioned};
pub use visitor::{Contact, Visitor};
pub use widget::Widget;

/// How often a change is tried again when somebody else changed the same record meanwhile.
pub(crate) const TRIES_MAX: usize = 32;
/// How many provisionings run side by side: callers of one key wait for each other.
const STRIPES: usize = 64;
/// Records on one page of a list at most.
pub const PAGE_MAX: usize = 200;

/// Why a record was not read or changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such record in this tenant.
    #[error("there is no such thing")]
    NotFound,
    /// There is one already.
    #[error("it exists already")]
    Exists,
    /// It was changed since the caller read it.
    #[error("it was changed since it was read")]
    Changed,
    /// The same, and who did it is known.
    #[error("it was changed since it was read")]
    Outdated(Box<LastChange>),
    /// A value is not allowed.
    #[error("`{field}` {why}")]
    Invalid {
        /// Which field, as clients name it.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A link that leads in once was used.
    #[error("the link was used")]
    LinkUsed,
    /// A link that leads in once came too late.
    #[error("the link has expired")]
    LinkExpired,
    /// The tenant would have no owner left.
    #[error("somebody has to own the tenant")]
    LastOwner,
    /// The store broke.
    #[error("the store failed")]
    Store(#[source] Fault),
    /// The operating system gives no random bytes.
    #[error("no random bytes")]
    Random(#[source] getrandom::Error),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Changed => Self::Changed,
            fault => Self::Store(fault),
        }
    }
}

/// All records. Cheap to clone.
#[derive(Clone)]
pub struct Directory(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    caches: Caches,
    changes: changes::Changes,
    numbers: number::Blocks,
    origins: origin::Index,
    faces: avatar::Index,
    stripes: [tokio::sync::Mutex<()>; STRIPES],
    /// Tells other nodes what was written here; nobody, where there are none.
    teller: OnceLock<Teller>,
    /// Tells this start of the process from earlier ones.
    boot: Uuid,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("store", &self.0.store).finish_non_exhaustive()
    }
}

impl Directory {
    /// Opens the directory of a store and makes sure that these tenants exist, each with the
    /// departments that every tenant begins with.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        tenants: impl IntoIterator<Item = TenantId>,
    ) -> Result<Self, Error> {
        let boot = clock.fresh_id();
        let directory = Self(Arc::new(Shared {
            store,
            clock,
            caches: Caches::default(),
            changes: changes::Changes::default(),
            numbers: number::Blocks::default(),
            origins: origin::Index::default(),
            faces: avatar::Index::default(),
            stripes: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
            teller: OnceLock::new(),
            boot,
        }));
        for tenant in tenants {
            directory.ensure_tenant(&tenant).await?;
        }
        directory.load_origins().await?;
        directory.load_faces().await?;
        Ok(directory)
    }

    /// Reads a record, from memory if it was read lately.
    pub(crate) async fn load<R: Record>(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<Arc<Versioned<R>>>, Error> {
        let key = R::key(tenant, id);
        let Some(cache) = R::cache(&self.0.caches) else {
            return self.load_stored(tenant, id).await;
        };
        let moment = match cache.get(&key) {
            Ok(found) => return Ok(Some(found)),
            Err(moment) => moment,
        };
        let found = self.load_stored(tenant, id).await?;
        if let Some(found) = &found {
            cache.put(moment, key, Arc::clone(found));
        }
        Ok(found)
    }

    /// Tells other nodes of every change from now on. Once.
    pub fn tell_through(&self, teller: Teller) {
        // It is called once.
        let _set = self.0.teller.set(teller);
    }

    /// What other nodes are told through.
    #[must_use]
    pub fn teller(&self) -> &Teller {
        static NOBODY: Teller = Teller::NOBODY;
        self.0.teller.get().unwrap_or(&NOBODY)
    }

    /// Reads a record anew, for what is kept of it in memory does not have what the caller knows
    /// of: another node may just have written it.
    pub(crate) async fn load_newest<R: Record>(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<Arc<Versioned<R>>>, Error> {
        if let Some(cache) = R::cache(&self.0.caches) {
            cache.forget(&R::key(tenant, id));
        }
        self.load(tenant, id).await
    }

    /// Reads a record as it is stored now.
    pub(crate) async fn load_stored<R: Record>(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<Arc<Versioned<R>>>, Error> {
        let document = self.0.store.document(&R::key(tenant, id)).await?;
        Ok(document.as_ref().map(decode).transpose()?)
    }

    /// Writes a record durably, if what is stored is as expected.
    pub(crate) async fn save<R: Record>(
        &self,
        tenant: &TenantId,
        id: &str,
        expect: Expect,
        record: R,
    ) -> Result<Arc<Versioned<R>>, Error> {
        let key = R::key(tenant, id);
        let bytes = encode(&record)?;
        let written = self.0.store.put_document(key.clone(), expect, bytes).await;
        // Also after a failure: its outcome may be unknown.
        if let Some(cache) = R::cache(&self.0.caches) {
            cache.forget(&key);
        }
        self.tell_of::<R>(tenant, id);
        Ok(Arc::new(Versioned { value: record, version: written? }))
    }

    /// Changes a record by a rule; tries again when another change came between, unless the
    /// caller named the version that it knows.
    pub(crate) async fn change<R: Record + Clone>(
        &self,
        tenant: &TenantId,
        id: &str,
        version: Option<u64>,
        rule: impl FnMut(&mut R) -> Result<(), Error> + Send,
    ) -> Result<Arc<Versioned<R>>, Error> {
        self.revise(tenant, id, version, rule).await.map(|revision| revision.after)
    }

    /// The same, and answers what the record was before.
    pub(crate) async fn revise<R: Record + Clone>(
        &self,
        tenant: &TenantId,
        id: &str,
        version: Option<u64>,
        mut rule: impl FnMut(&mut R) -> Result<(), Error> + Send,
    ) -> Result<Revision<R>, Error> {
        for _ in 0..TRIES_MAX {
            let stored = self.load_stored::<R>(tenant, id).await?.ok_or(Error::NotFound)?;
            check_version(&stored, version)?;
            let mut value = stored.value.clone();
            rule(&mut value)?;
            match self.save(tenant, id, Expect::Version(stored.version), value).await {
                // The next reading says by whom.
                Err(Error::Changed) => {}
                Err(error) => return Err(error),
                Ok(after) => return Ok(Revision { before: stored, after }),
            }
        }
        Err(Error::Changed)
    }

    /// Changes a record by a rule, or what it begins with where there is none; tries again when
    /// another change came between. The rule says whether there is anything to write.
    pub(crate) async fn change_or_begin<R: Record + Clone, E: From<Error>>(
        &self,
        tenant: &TenantId,
        id: &str,
        begin: impl Fn() -> R + Send,
        mut rule: impl FnMut(&mut R) -> Result<bool, E> + Send,
    ) -> Result<Arc<Versioned<R>>, E> {
        for _ in 0..TRIES_MAX {
            let stored = self.load_stored::<R>(tenant, id).await?;
            let expect = stored.as_ref().map_or(Expect::Absent, |it| Expect::Version(it.version));
            let version = stored.as_ref().map_or(0, |it| it.version);
            let mut value = stored.map_or_else(&begin, |stored| stored.value.clone());
            if !rule(&mut value)? {
                return Ok(Arc::new(Versioned { value, version }));
            }
            match self.save(tenant, id, expect, value).await {
                Err(Error::Changed) => {}
                answer => return answer.map_err(E::from),
            }
        }
        Err(Error::Changed.into())
    }

    /// Removes a record that the caller read in that version; `None` for any. Answers what it was.
    pub(crate) async fn remove_read<R: Record>(
        &self,
        tenant: &TenantId,
        id: &str,
        version: Option<u64>,
    ) -> Result<Arc<Versioned<R>>, Error> {
        for _ in 0..TRIES_MAX {
            let stored = self.load_stored::<R>(tenant, id).await?.ok_or(Error::NotFound)?;
            check_version(&stored, version)?;
            match self.remove::<R>(tenant, id, Expect::Version(stored.version)).await {
                Err(Error::Changed) => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(stored),
            }
        }
        Err(Error::Changed)
    }

    /// Removes a record.
    pub(crate) async fn remove<R: Record>(
        &self,
        tenant: &TenantId,
        id: &str,
        expect: Expect,
    ) -> Result<(), Error> {
        let key = R::key(tenant, id);
        let removed = self.0.store.delete_document(key.clone(), expect).await;
        if let Some(cache) = R::cache(&self.0.caches) {
            cache.forget(&key);
        }
        self.tell_of::<R>(tenant, id);
        Ok(removed?)
    }

    /// A page of records of one kind, by id.
    pub(crate) async fn page<R: Record>(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Arc<Versioned<R>>>, Error> {
        let after = after.map(Arc::from);
        let limit = limit.min(PAGE_MAX);
        let documents = self.0.store.documents(tenant, R::KIND, after, limit).await?;
        Ok(documents.iter().map(decode).collect::<Result<_, _>>()?)
    }

    /// The pictures of people.
    pub(crate) fn face_index(&self) -> &avatar::Index {
        &self.0.faces
    }

    /// A fresh id.
    pub(crate) fn fresh_id(&self) -> Uuid {
        self.0.clock.fresh_id()
    }

    /// The lock under which one key is provisioned, so that a crowd of first sights does the
    /// work once.
    pub(crate) fn stripe(&self, tenant: &TenantId, key: &str) -> &tokio::sync::Mutex<()> {
        let hash = xxhash_rust::xxh3::xxh3_64(format!("{tenant}\n{key}").as_bytes());
        let idx = usize::try_from(hash % 64).unwrap_or(0);
        &self.0.stripes[idx]
    }
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod testing;
