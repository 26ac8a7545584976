//! The file that says which process serves a data directory, and stopping that process.
//!
//! A signal to the process is the plainest way to ask: it needs no port, no secret and no more
//! rights than the operator has, and it is what every supervisor does too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// The file, in the data directory.
const NAME: &str = "switchboard.pid";
/// How often a stopping process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What a stop may take beyond the drain: settling the actors and closing the store.
pub const GRACE: Duration = Duration::from_secs(10);

/// Why a process was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No process serves the directory.
    #[error("no server runs on {dir}")]
    None {
        /// Which.
        dir: PathBuf,
    },
    /// The process cannot be told.
    #[error("telling process {pid} to stop")]
    Tell {
        /// Which.
        pid: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It goes on.
    #[error("process {pid} has not stopped within {within:?}")]
    Stays {
        /// Which.
        pid: i32,
        /// How long was waited.
        within: Duration,
    },
}

/// The file of this process; removed when dropped.
#[derive(Debug)]
pub struct File(PathBuf);

impl File {
    /// Says that this process serves the directory.
    ///
    /// # Errors
    ///
    /// What the file system refuses.
    pub fn write(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        fs::write(&path, format!("{}\n", std::process::id()))?;
        Ok(Self(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // A file that stays names a process that is gone, which readers find out.
        let _removed = fs::remove_file(&self.0);
    }
}

/// The process that serves a directory, if one does. A file left by a killed process names none,
/// also when its number was given to a stranger since.
#[must_use]
pub fn serving(dir: &Path) -> Option<i32> {
    let text = fs::read_to_string(dir.join(NAME)).ok()?;
    let number: i32 = text.trim().parse().ok().filter(|number| *number > 0)?;
    let pid = Pid::from_raw(number)?;
    test_kill_process(pid).ok()?;
    let program = fs::read_link(format!("/proc/{number}/exe")).ok()?;
    let name = program.file_name()?.to_string_lossy().into_owned();
    // The kernel marks the program of a running process that was replaced on disk.
    name.trim_end_matches(" (deleted)").starts_with("switchboard").then_some(number)
}

/// Tells the process that serves a directory to stop, and waits until it has.
///
/// # Errors
///
/// [`Error`].
pub fn drain(dir: &Path, within: Duration) -> Result<i32, Error> {
    let none = || Error::None { dir: dir.to_owned() };
    let number = serving(dir).ok_or_else(none)?;
    let pid = Pid::from_raw(number).ok_or_else(none)?;
    kill_process(pid, Signal::TERM)
        .map_err(|source| Error::Tell { pid: number, source: source.into() })?;
    let began = Instant::now();
    while test_kill_process(pid).is_ok() && serving(dir) == Some(number) {
        if began.elapsed() > within {
            return Err(Error::Stays { pid: number, within });
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_left_behind_names_nobody() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(serving(dir.path()), None);
        for text in ["", "no number", "-1", "0", "2147483647", "1"] {
            fs::write(dir.path().join(NAME), text).unwrap();
            assert_eq!(serving(dir.path()), None, "{text}");
        }
        assert!(matches!(drain(dir.path(), Duration::ZERO), Err(Error::None { .. })));
    }

    #[test]
    fn a_file_names_its_process_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::write(dir.path()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(serving(dir.path()), Some(own));
        drop(file);
        assert_eq!(serving(dir.path()), None);
    }
}
