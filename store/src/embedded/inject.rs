//! Faults that tests put at the commit.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::ffi;

/// The result code of the next commit, if it is to fail.
#[derive(Clone, Debug, Default)]
pub(super) struct Inject(Arc<Mutex<Option<i32>>>);

impl Inject {
    /// The next commit fails with this extended result code of SQLite.
    pub(super) fn fail_next_commit(&self, code: i32) {
        *self.0.lock() = Some(code);
    }

    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        match self.0.lock().take() {
            None => Ok(()),
            Some(code) => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
        }
    }
}
