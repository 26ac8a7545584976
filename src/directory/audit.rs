//! Who changed what of a tenant's people, keys, departments, widgets and name: one document for
//! each change, newest first.
//!
//! An entry is written after the change that it tells of, and before the change is answered. A
//! process that dies between the two leaves a change without its entry; no entry tells of what was
//! not done. Of each tenant the newest [`KEPT_MAX`] are kept.

mod difference;

use std::fmt::Display;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard_domain::ids::{TenantId, Timestamp};
use switchboard_domain::search::Query;
use switchboard_store::{Expect, Fault};
use utoipa::ToSchema;
use uuid::Uuid;

pub use difference::Difference;
use difference::differences;

use super::record::{Record, parse};
use super::{Directory, Error, PAGE_MAX, Versioned};

/// Entries of one tenant that are kept: years of what a team changes by hand, and at most some
/// megabytes where a program changes things all day.
pub const KEPT_MAX: u64 = 10_000;
/// Pages that one search looks at; the next one goes on from there.
const PAGES_PER_SEARCH_MAX: usize = 5;
/// The id of the document with the newest number.
const HEAD: &str = "head";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditAction)]
pub enum Action {
    /// Something is there that was not.
    Created,
    /// Something is otherwise than it was.
    Changed,
    /// Something is gone.
    Removed,
    /// A link was made with which somebody sets a password, or becomes the owner.
    Invited,
    /// A secret was made in the place of another.
    Rotated,
}

/// What kind of thing it was done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditKind)]
pub enum Kind {
    /// Somebody who answers.
    Person,
    /// An API key.
    Key,
    /// A department.
    Department,
    /// A widget.
    Widget,
    /// A customer account.
    Tenant,
}

impl Kind {
    /// As clients name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Key => "key",
            Self::Department => "department",
            Self::Widget => "widget",
            Self::Tenant => "tenant",
        }
    }
}

impl Action {
    /// As clients name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Invited => "invited",
            Self::Rotated => "rotated",
        }
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Of the person or the API key.
    pub id: Uuid,
    /// The name at that time.
    pub name: Arc<str>,
    /// Whether it is an API key.
    pub is_key: bool,
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// What kind of thing.
    pub kind: Kind,
    /// Its id.
    pub id: Arc<str>,
    /// Its name at that time.
    pub name: Arc<str>,
}

impl Subject {
    /// Something by its id and name.
    #[must_use]
    pub fn new(kind: Kind, id: &impl Display, name: &str) -> Self {
        Self { kind, id: id.to_string().into(), name: name.into() }
    }
}

/// Something that was done, with what administrators see of the thing before and after: no
/// secrets, and `null` for what is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// What was done.
    pub action: Action,
    /// To what.
    pub subject: Subject,
    /// The thing as it was.
    pub before: Value,
    /// The thing as it is.
    pub after: Value,
}

impl Deed {
    /// Something is there that was not.
    #[must_use]
    pub const fn created(subject: Subject, after: Value) -> Self {
        Self { action: Action::Created, subject, before: Value::Null, after }
    }

    /// Something may be otherwise than it was.
    #[must_use]
    pub const fn changed(subject: Subject, before: Value, after: Value) -> Self {
        Self { action: Action::Changed, subject, before, after }
    }

    /// Something is gone.
    #[must_use]
    pub const fn removed(subject: Subject, before: Value) -> Self {
        Self { action: Action::Removed, subject, before, after: Value::Null }
    }
}

/// One change, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Rises by one with every entry of the tenant, from 1; one may be missing.
    pub number: u64,
    /// When, by the clock of the node that wrote it.
    pub at: Timestamp,
    /// Who did it.
    pub by: Actor,
    /// What was done.
    pub action: Action,
    /// To what.
    pub subject: Subject,
    /// In what it differs.
    pub changes: Vec<Difference>,
    /// In how many more things it differs than there is room for.
    pub n_left_out: u32,
}

impl Entry {
    fn is_found_by(&self, query: &Query) -> bool {
        let changes = self.changes.iter().flat_map(Difference::texts);
        let own = [&*self.by.name, &*self.subject.name, &*self.subject.id];
        query.finds_in(
            own.into_iter().chain([self.action.word(), self.subject.kind.word()]).chain(changes),
        )
    }
}

/// Version 1.
#[derive(Serialize, Deserialize)]
pub(crate) struct EntryForm {
    at: i64,
    by: Actor,
    action: Action,
    subject: Subject,
    changes: Vec<Difference>,
    n_left_out: u32,
}

impl Record for Entry {
    const KIND: &'static str = "audit";
    const VERSION: u8 = 1;
    type Form = EntryForm;

    fn form(&self) -> EntryForm {
        EntryForm {
            at: self.at.0,
            by: self.by.clone(),
            action: self.action,
            subject: self.subject.clone(),
            changes: self.changes.clone(),
            n_left_out: self.n_left_out,
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: EntryForm = parse::<Self, _>(id, bytes)?;
        let number =
            number_of(id).ok_or_else(|| super::record::damaged::<Self>(id, "no number"))?;
        let EntryForm { at, by, action, subject, changes, n_left_out } = form;
        Ok(Self { number, at: Timestamp(at), by, action, subject, changes, n_left_out })
    }
}

/// The newest number of a tenant.
#[derive(Clone, Copy, Debug, Default)]
struct Head(u64);

impl Record for Head {
    const KIND: &'static str = "audit_head";
    const VERSION: u8 = 1;
    type Form = u64;

    fn form(&self) -> u64 {
        self.0
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        Ok(Self(parse::<Self, _>(id, bytes)?))
    }
}

/// The id of an entry's document: documents are read by rising id, so the newest has the lowest.
fn id_of(number: u64) -> String {
    format!("{:020}", u64::MAX - number)
}

fn number_of(id: &str) -> Option<u64> {
    id.parse().ok().map(|counted_down: u64| u64::MAX - counted_down)
}

/// A page of entries, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those found.
    pub entries: Vec<Arc<Versioned<Entry>>>,
    /// Where the next page begins, as `before`; `None` when there are no older ones. With a search
    /// there may be a next page after an empty one.
    pub next: Option<u64>,
}

impl Directory {
    /// Notes what somebody has done. A change that changed nothing leaves no entry.
    ///
    /// # Errors
    ///
    /// When the store fails, or others were quicker again and again; then what was done stays done.
    pub async fn note(&self, tenant: &TenantId, by: Actor, deed: Deed) -> Result<(), Error> {
        let Deed { action, subject, before, after } = deed;
        let (changes, n_left_out) = differences(&before, &after);
        if action == Action::Changed && changes.is_empty() {
            return Ok(());
        }
        let number = self.next_audit_number(tenant).await?;
        let at = self.0.clock.now();
        let entry = Entry { number, at, by, action, subject, changes, n_left_out };
        self.save(tenant, &id_of(number), Expect::Absent, entry).await?;
        match number.checked_sub(KEPT_MAX) {
            None | Some(0) => Ok(()),
            Some(old) => self.remove::<Entry>(tenant, &id_of(old), Expect::Any).await,
        }
    }

    async fn next_audit_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        let rule = |head: &mut Head| {
            head.0 += 1;
            Ok::<_, Error>(true)
        };
        let head = self.change_or_begin(tenant, HEAD, Head::default, rule).await?;
        Ok(head.value.0)
    }

    /// A page of what was done, newest first, older than the entry `before`; with a query only what
    /// it finds, among the next so many that one call looks at.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn audit(
        &self,
        tenant: &TenantId,
        before: Option<u64>,
        query: Option<&Query>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = limit.clamp(1, PAGE_MAX);
        let at_once = if query.is_some() { PAGE_MAX } else { limit };
        let (mut entries, mut next) = (Vec::new(), before);
        for _ in 0..PAGES_PER_SEARCH_MAX {
            let after = next.map(id_of);
            let page = self.page::<Entry>(tenant, after.as_deref(), at_once).await?;
            let is_last = page.len() < at_once;
            for entry in page {
                next = Some(entry.value.number);
                if query.is_none_or(|query| entry.value.is_found_by(query)) {
                    entries.push(entry);
                }
                if entries.len() == limit {
                    return Ok(Page { entries, next });
                }
            }
            if is_last {
                return Ok(Page { entries, next: None });
            }
        }
        Ok(Page { entries, next })
    }
}

#[cfg(test)]
mod tests;
