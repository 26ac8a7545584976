//! What can go wrong with the database as a whole, and what an SQLite error means for a call.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{ErrorCode, ffi};

use crate::port::Fault;

/// Opening, saving, restoring or checking a database failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the data directory open.
    #[error("the data directory {} is in use by another process", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The target of a restore holds a database already.
    #[error("{} exists already; restore into an empty directory", path.display())]
    Exists {
        /// The file that is in the way.
        path: PathBuf,
    },
    /// The database belongs to another program.
    #[error("the database was not written by Switchboard")]
    Foreign,
    /// The database belongs to a newer version of this program.
    #[error("the database has schema version {found}, this program reads up to {known}")]
    TooNew {
        /// The version found.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Something stored is not as it was written.
    #[error("the database is damaged: {what}")]
    Damaged {
        /// What, and where.
        what: Arc<str>,
    },
    /// The file system refused.
    #[error("could not {what} {}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// SQLite refused.
    #[error("could not {what}")]
    Sqlite {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: rusqlite::Error,
    },
    /// A record is damaged or too new.
    #[error(transparent)]
    Record(#[from] Fault),
}

/// Says what was attempted when SQLite fails.
pub(super) fn attempt<T>(what: &'static str, outcome: rusqlite::Result<T>) -> Result<T, Error> {
    outcome.map_err(|source| sqlite_error(what, source))
}

fn sqlite_error(what: &'static str, source: rusqlite::Error) -> Error {
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged { what: Arc::from(format!("could not {what}: {source}")) }
        }
        _ => Error::Sqlite { what, source },
    }
}

/// Says what was attempted on which file when the file system fails.
pub(super) fn attempt_io<T>(
    what: &'static str,
    path: &Path,
    outcome: io::Result<T>,
) -> Result<T, Error> {
    outcome.map_err(|source| Error::Io { what, path: path.to_owned(), source })
}

/// The fault of a read that SQLite refused, naming what was read.
pub(super) fn unreadable(what: &dyn fmt::Display, source: &rusqlite::Error) -> Fault {
    Fault::Damaged { what: Arc::from(format!("{what}: {source}")) }
}

/// Why a job stopped before it was done.
#[derive(Debug)]
pub(super) enum Stop {
    /// It refused, before it wrote anything: the transaction goes on without it.
    Refused(Fault),
    /// SQLite failed: the transaction ends.
    Sqlite(rusqlite::Error),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What a stop means for the database as a whole.
pub(super) fn error_of(what: &'static str, stop: Stop) -> Error {
    match stop {
        Stop::Refused(fault) => fault.into(),
        Stop::Sqlite(source) => sqlite_error(what, source),
    }
}

/// What an error of SQLite means for the calls of a batch; `None` when the engine cannot go on.
pub(super) fn meaning(error: &rusqlite::Error) -> Option<Fault> {
    let code = error.sqlite_error_code()?;
    match code {
        ErrorCode::DiskFull => Some(Fault::Full),
        // The index of the write-ahead log could not grow.
        ErrorCode::SystemIoFailure
            if error.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_SHMSIZE) =>
        {
            Some(Fault::Full)
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(Fault::Busy),
        ErrorCode::DatabaseCorrupt => Some(Fault::Damaged { what: error.to_string().into() }),
        _ => None,
    }
}
