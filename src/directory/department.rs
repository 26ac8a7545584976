//! Departments: the names of queues for people.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use switchboard_domain::ids::{DepartmentId, TenantId};
use switchboard_domain::limit::NAME_BYTES_MAX;
use switchboard_store::{Expect, Fault};
use utoipa::ToSchema;

use super::cache::{Cache, Caches};
use super::last_change::LastChangeForm;
use super::record::{Record, parse};
use super::text::{SHORT_NAME, is_short_name, line};
use super::{Directory, Error, LastChange, PAGE_MAX, Revision, Versioned};

/// What every tenant begins with.
const SEEDED: [(&str, &str); 6] = [
    ("general", "General Support"),
    ("sales", "Sales"),
    ("technical", "Technical Support"),
    ("finance", "Billing & Finance"),
    ("support", "Support"),
    ("billing", "Billing"),
];

/// Departments of one tenant at most: a list that a person can choose from.
const DEPARTMENTS_MAX: usize = PAGE_MAX;

/// How conversations of a department or widget find their agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// Everybody sees what waits; one accepts.
    #[default]
    Manual,
    /// To the agent with the most room.
    LeastBusy,
    /// In turn.
    RoundRobin,
    /// To who has the skills asked for.
    Skills,
}

/// A department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Department {
    /// Its short name; never changes.
    pub id: DepartmentId,
    /// What people read.
    pub name: Arc<str>,
    /// How its conversations find their agent; `None` for the tenant's way.
    pub routing: Option<Routing>,
    /// Who changed it last; `None` when nobody is known.
    pub changed: Option<LastChange>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DepartmentForm {
    name: Arc<str>,
    routing: Option<Routing>,
    /// Since version 2.
    #[serde(default)]
    changed: Option<LastChangeForm>,
}

impl Record for Department {
    const KIND: &'static str = "department";
    const VERSION: u8 = 2;
    const IS_SHOWN: bool = true;
    type Form = DepartmentForm;

    fn form(&self) -> DepartmentForm {
        let changed = self.changed.as_ref().map(LastChangeForm::from);
        DepartmentForm { name: Arc::clone(&self.name), routing: self.routing, changed }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: DepartmentForm = parse::<Self, _>(id, bytes)?;
        let DepartmentForm { name, routing, changed } = form;
        let changed = changed.map(LastChange::from);
        Ok(Self { id: DepartmentId(id.into()), name, routing, changed })
    }

    fn last_change(&self) -> Option<&LastChange> {
        self.changed.as_ref()
    }

    fn cache(caches: &Caches) -> Option<&Cache<Self>> {
        Some(&caches.departments)
    }
}

impl Department {
    /// A department, checked.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], naming the field.
    pub fn new(id: &str, name: &str, routing: Option<Routing>) -> Result<Self, Error> {
        if !is_short_name(id) {
            return Err(Error::Invalid { field: "id", why: SHORT_NAME });
        }
        let name = line("name", name, NAME_BYTES_MAX)?
            .ok_or(Error::Invalid { field: "name", why: "is empty" })?;
        Ok(Self { id: DepartmentId(id.into()), name, routing, changed: None })
    }

    /// The same, changed last by somebody.
    #[must_use]
    pub fn changed_by(self, changed: Option<LastChange>) -> Self {
        Self { changed, ..self }
    }
}

impl Directory {
    /// A department.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn department(
        &self,
        tenant: &TenantId,
        id: &DepartmentId,
    ) -> Result<Option<Arc<Versioned<Department>>>, Error> {
        self.load(tenant, &id.0).await
    }

    /// All departments of a tenant, by id; at most 200.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn departments(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<Arc<Versioned<Department>>>, Error> {
        self.page(tenant, None, DEPARTMENTS_MAX).await
    }

    /// Creates a department.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`]; [`Error::Invalid`] when the tenant has too many.
    pub async fn create_department(
        &self,
        tenant: &TenantId,
        department: Department,
    ) -> Result<Arc<Versioned<Department>>, Error> {
        if self.departments(tenant).await?.len() >= DEPARTMENTS_MAX {
            return Err(Error::Invalid { field: "id", why: "is one department too many" });
        }
        let id = Arc::clone(&department.id.0);
        self.save(tenant, &id, Expect::Absent, department).await.map_err(exists)
    }

    /// Replaces a department; `version` is the one that the caller read, `None` for any.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Changed`], [`Error::Outdated`].
    pub async fn replace_department(
        &self,
        tenant: &TenantId,
        department: Department,
        version: Option<u64>,
    ) -> Result<Revision<Department>, Error> {
        let id = Arc::clone(&department.id.0);
        self.revise(tenant, &id, version, |stored: &mut Department| {
            stored.clone_from(&department);
            Ok(())
        })
        .await
    }

    /// Removes a department; answers what it was. Conversations keep its name.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Changed`], [`Error::Outdated`].
    pub async fn delete_department(
        &self,
        tenant: &TenantId,
        id: &DepartmentId,
        version: Option<u64>,
    ) -> Result<Arc<Versioned<Department>>, Error> {
        self.remove_read::<Department>(tenant, &id.0, version).await
    }

    pub(super) async fn seed_departments(&self, tenant: &TenantId) -> Result<(), Error> {
        for (id, name) in SEEDED {
            let department = Department::new(id, name, None)?;
            match self.save(tenant, id, Expect::Absent, department).await {
                Ok(_) | Err(Error::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A conditional write that expected nothing found something.
pub(super) fn exists(error: Error) -> Error {
    match error {
        Error::Changed => Error::Exists,
        error => error,
    }
}
