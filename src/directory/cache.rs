//! A small bounded cache of records as read.
//!
//! Two generations: new entries go into the young one; when it is half the bound it becomes the
//! old one and the old one is forgotten, so that what is asked for stays. A write drops its entry
//! after it is durable, and a read that was under way across any such drop is not kept, so a
//! reader never puts back what a writer has just replaced.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_domain::ids::TenantId;
use switchboard_store::DocumentKey;

use super::department::Department;
use super::identity_key::IdentityKeys;
use super::person::{Accounts, Person};
use super::record::{Record, Versioned};
use super::visitor::Visitor;
use super::widget::Widget;
use crate::accounts::api_key::ApiKey;
use crate::accounts::credential::Credential;

/// Records of one kind kept at most: a few hundred bytes each.
const RECORDS_MAX: usize = 8_192;

/// All caches.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    pub(super) people: Cache<Person>,
    pub(super) accounts: Cache<Accounts>,
    pub(super) visitors: Cache<Visitor>,
    pub(super) widgets: Cache<Widget>,
    pub(super) identity_keys: Cache<IdentityKeys>,
    pub(super) departments: Cache<Department>,
    pub(crate) credentials: Cache<Credential>,
    pub(crate) api_keys: Cache<ApiKey>,
}

impl Caches {
    /// Forgets a record of the kind of that name, if records of it are kept.
    pub(super) fn forget(&self, tenant: &TenantId, kind: &str, id: &str) {
        fn of<R: Record>(caches: &Caches, (tenant, kind, id): (&TenantId, &str, &str)) {
            if R::KIND == kind
                && let Some(cache) = R::cache(caches)
            {
                cache.forget(&R::key(tenant, id));
            }
        }
        let it = (tenant, kind, id);
        of::<Person>(self, it);
        of::<Accounts>(self, it);
        of::<Visitor>(self, it);
        of::<Widget>(self, it);
        of::<IdentityKeys>(self, it);
        of::<Department>(self, it);
        of::<Credential>(self, it);
        of::<ApiKey>(self, it);
    }

    /// Forgets everything.
    pub(super) fn forget_all(&self) {
        self.people.forget_all();
        self.accounts.forget_all();
        self.visitors.forget_all();
        self.widgets.forget_all();
        self.identity_keys.forget_all();
        self.departments.forget_all();
        self.credentials.forget_all();
        self.api_keys.forget_all();
    }
}

/// Records of one kind.
#[derive(Debug)]
pub(crate) struct Cache<R>(Mutex<Generations<R>>);

#[derive(Debug)]
struct Generations<R> {
    young: HashMap<DocumentKey, Arc<Versioned<R>>>,
    old: HashMap<DocumentKey, Arc<Versioned<R>>>,
    /// Rises with every drop.
    drops: u64,
}

/// The moment before a read, to be shown when its result is put in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

impl<R> Default for Cache<R> {
    fn default() -> Self {
        Self(Mutex::new(Generations { young: HashMap::new(), old: HashMap::new(), drops: 0 }))
    }
}

impl<R> Cache<R> {
    /// The record, or the moment at which it was not here.
    pub(super) fn get(&self, key: &DocumentKey) -> Result<Arc<Versioned<R>>, Moment> {
        let mut generations = self.0.lock();
        if let Some(found) = generations.young.get(key) {
            return Ok(Arc::clone(found));
        }
        match generations.old.remove(key) {
            Some(found) => {
                generations.put(key.clone(), Arc::clone(&found));
                Ok(found)
            }
            None => Err(Moment(generations.drops)),
        }
    }

    /// Keeps what was read since `moment`, unless something was dropped meanwhile.
    pub(super) fn put(&self, moment: Moment, key: DocumentKey, record: Arc<Versioned<R>>) {
        let mut generations = self.0.lock();
        if generations.drops == moment.0 {
            generations.put(key, record);
        }
    }

    /// Forgets a record, because it changed.
    pub(super) fn forget(&self, key: &DocumentKey) {
        let mut generations = self.0.lock();
        generations.drops += 1;
        generations.young.remove(key);
        generations.old.remove(key);
    }

    /// Forgets every record.
    fn forget_all(&self) {
        let mut generations = self.0.lock();
        generations.drops += 1;
        generations.young.clear();
        generations.old.clear();
    }
}

impl<R> Generations<R> {
    fn put(&mut self, key: DocumentKey, record: Arc<Versioned<R>>) {
        if self.young.len() >= RECORDS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: usize) -> DocumentKey {
        DocumentKey { tenant: TenantId("acme".into()), kind: "thing", id: id.to_string().into() }
    }

    fn record(value: usize) -> Arc<Versioned<usize>> {
        Arc::new(Versioned { value, version: 1 })
    }

    fn put(cache: &Cache<usize>, id: usize) {
        if let Err(moment) = cache.get(&key(id)) {
            cache.put(moment, key(id), record(id));
        }
    }

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_is_asked_for() {
        let cache = Cache::default();
        put(&cache, 0);
        for id in 1..10 * RECORDS_MAX {
            put(&cache, id);
            assert!(cache.get(&key(0)).is_ok(), "after {id}");
        }
        let generations = cache.0.lock();
        assert!(generations.young.len() + generations.old.len() <= RECORDS_MAX);
    }

    #[test]
    fn a_read_across_a_write_is_not_kept() {
        let cache = Cache::default();
        let moment = cache.get(&key(1)).unwrap_err();
        cache.forget(&key(1));
        cache.put(moment, key(1), record(1));
        assert!(cache.get(&key(1)).is_err());
        let moment = cache.get(&key(1)).unwrap_err();
        cache.forget_all();
        cache.put(moment, key(1), record(1));
        assert!(cache.get(&key(1)).is_err());
        put(&cache, 1);
        put(&cache, 2);
        cache.forget_all();
        assert!(cache.get(&key(1)).is_err() && cache.get(&key(2)).is_err());
    }
}
