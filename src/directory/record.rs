//! Stored forms: a version byte, then MessagePack with named fields.
//!
//! Each kind of record names its newest version and reads all older ones; a record is written
//! in the newest form whenever it changes. A newer one than this program knows is refused.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use switchboard_domain::ids::TenantId;
use switchboard_store::{Document, DocumentKey, Fault};

use super::cache::{Cache, Caches};
use super::{Error, LastChange};

/// A record as read: its value, and the version that a conditional write names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<R> {
    /// The record.
    pub value: R,
    /// Rises by one with every write, from 1; clients see it as the ETag.
    pub version: u64,
}

/// A record before a change, and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision<R> {
    /// Exactly what the change was made from.
    pub before: Arc<Versioned<R>>,
    /// What it made.
    pub after: Arc<Versioned<R>>,
}

/// A kind of record in the store's documents.
pub(crate) trait Record: Sized + Send + Sync + 'static {
    /// The kind of document.
    const KIND: &'static str;
    /// The newest stored form; [`Record::form`] is of this version.
    const VERSION: u8;
    /// Whether open widgets show it, so that whoever waits for news of a widget hears of changes.
    const IS_SHOWN: bool = false;
    /// Whether an index of its own is kept of it in memory, on every node.
    const IS_INDEXED: bool = false;
    /// Whether its person's open pages are told of changes, on every node.
    const IS_LIVE: bool = false;

    /// The newest stored form.
    type Form: Serialize;

    /// The record in its newest stored form.
    fn form(&self) -> Self::Form;

    /// Reads the form of that version, at most [`Record::VERSION`].
    fn read(version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault>;

    /// Where records of this kind are kept after reading; `None` for nowhere.
    fn cache(_caches: &Caches) -> Option<&Cache<Self>> {
        None
    }

    /// Who changed it last; `None` when that is not known.
    fn last_change(&self) -> Option<&LastChange> {
        None
    }

    /// The name of its document.
    fn key(tenant: &TenantId, id: &str) -> DocumentKey {
        DocumentKey { tenant: tenant.clone(), kind: Self::KIND, id: id.into() }
    }
}

/// Whether a record is of the version that the caller read; `None` for any.
pub(crate) fn check_version<R: Record>(
    stored: &Versioned<R>,
    version: Option<u64>,
) -> Result<(), Error> {
    if version.is_none_or(|version| version == stored.version) {
        return Ok(());
    }
    let last = stored.value.last_change();
    Err(last.map_or(Error::Changed, |last| Error::Outdated(Box::new(last.clone()))))
}

/// The bytes to store.
pub(super) fn encode<R: Record>(record: &R) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![R::VERSION];
    match rmp_serde::encode::write_named(&mut bytes, &record.form()) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(damaged::<R>("its form cannot be written", &error.to_string())),
    }
}

/// The record that a document holds.
pub(super) fn decode<R: Record>(document: &Document) -> Result<Arc<Versioned<R>>, Fault> {
    let Some((&version, form)) = document.bytes.split_first() else {
        return Err(damaged::<R>(&document.id, "it is empty"));
    };
    if version > R::VERSION {
        return Err(Fault::TooNew {
            what: R::KIND,
            found: u32::from(version),
            known: u32::from(R::VERSION),
        });
    }
    let value = R::read(version, &document.id, form)?;
    Ok(Arc::new(Versioned { value, version: document.version }))
}

/// Reads a form; what does not fit is damaged.
pub(crate) fn parse<R: Record, F: DeserializeOwned>(id: &str, bytes: &[u8]) -> Result<F, Fault> {
    rmp_serde::from_slice(bytes).map_err(|error| damaged::<R>(id, &error.to_string()))
}

/// A record that cannot be read.
pub(crate) fn damaged<R: Record>(id: &str, why: &str) -> Fault {
    Fault::Damaged { what: format!("{} {id}: {why}", R::KIND).into() }
}
