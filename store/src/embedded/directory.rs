//! The data directory: which files it holds, and the lock that keeps a second process out.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::error::{Error, attempt_io};

/// Name of the database file in the data directory.
const DATABASE: &str = "switchboard.db";
/// Name of the lock file. It is a file of its own, because SQLite holds POSIX locks on the
/// database, and a process loses those when it closes any handle of the same file.
const LOCK: &str = "switchboard.lock";

/// A data directory that no other process can open until this is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Directory {
    /// Creates the directory if need be, and locks it.
    pub(super) fn lock(path: &Path) -> Result<Self, Error> {
        attempt_io("create the data directory", path, fs::create_dir_all(path))?;
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = attempt_io("open", &lock_path, lock)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { dir: path.to_owned() }),
            Err(TryLockError::Error(source)) => {
                Err(Error::Io { what: "lock", path: lock_path, source })
            }
        }
    }

    pub(super) fn database(&self) -> PathBuf {
        database_in(&self.path)
    }

    /// Makes created and renamed files outlive a power cut.
    pub(super) fn sync(&self) -> Result<(), Error> {
        sync(&self.path)
    }
}

/// Where the database of a data directory is.
pub(super) fn database_in(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}

/// Makes created and renamed files of a directory outlive a power cut.
pub(super) fn sync(dir: &Path) -> Result<(), Error> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    attempt_io("sync", dir, File::open(dir).and_then(|handle| handle.sync_all()))
}
