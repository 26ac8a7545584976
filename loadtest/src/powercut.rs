//! Power cuts without a virtual machine: the preloaded shim and the roll-back of what it logged.
//!
//! `kill -9` leaves the page cache alone and so says nothing about fsync. The shim
//! (`powercut/shim.c`) logs the old bytes of every write since a file's last sync; [`cut`] then takes
//! a random part of them back, which is what a power cut may leave on a disk.

mod cut;
mod names;
mod undo;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use cut::{Cut, cut};

const SHIM: &str = include_str!("../powercut/shim.c");

/// Compiles the shim into `dir` with the system's C compiler.
///
/// # Errors
/// When there is no `cc` or it refuses the source.
pub fn build_shim(dir: &Path) -> io::Result<PathBuf> {
    let library = dir.join("powercut.so");
    compile(SHIM, &["-shared", "-fPIC"], dir, &library)?;
    Ok(library)
}

fn compile(source: &str, kind: &[&str], dir: &Path, out: &Path) -> io::Result<()> {
    let file = dir.join(out.file_name().unwrap_or_default()).with_extension("c");
    std::fs::write(&file, source)?;
    let run = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror"])
        .args(kind)
        .arg("-o")
        .args([out, &file])
        .args(["-ldl", "-lpthread"])
        .stdin(Stdio::null())
        .output()?;
    if run.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("cc failed: {}", String::from_utf8_lossy(&run.stderr))))
}

/// The environment that puts a program under the shim.
#[derive(Clone, Debug)]
pub struct Preload {
    /// The compiled shim.
    pub library: PathBuf,
    /// The directory whose files are watched.
    pub watched: PathBuf,
    /// Where undo logs go; none: the shim only counts.
    pub side: Option<PathBuf>,
    /// The counters, which outlive the program.
    pub counts: PathBuf,
}

impl Preload {
    /// The variables to set.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut all = vec![
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("POWERCUT_DIR".to_owned(), text(&self.watched)),
            ("POWERCUT_COUNTS".to_owned(), text(&self.counts)),
        ];
        if let Some(side) = &self.side {
            all.push(("POWERCUT_SIDE".to_owned(), text(side)));
        }
        all
    }

    /// What the shim counted so far.
    ///
    /// # Errors
    /// When the counters cannot be read: the program was not started under the shim.
    pub fn counts(&self) -> io::Result<Counts> {
        let bytes = std::fs::read(&self.counts)?;
        let at = |position: usize| -> io::Result<u64> {
            let field = bytes.get(position * 8..position * 8 + 8);
            let field = field.and_then(|field| <[u8; 8]>::try_from(field).ok());
            field.map(u64::from_ne_bytes).ok_or_else(|| io::Error::other("counters are short"))
        };
        Ok(Counts {
            syncs: at(0)?,
            writes: at(1)?,
            bytes: at(2)?,
            syncs_failed: at(5)?,
            syncs_held: at(7)?,
        })
    }

    /// Makes each sync from now on fail with EIO, or succeed again.
    ///
    /// # Errors
    /// When the counters cannot be written.
    pub fn fail_syncs(&self, fail: Fail) -> io::Result<()> {
        self.switch(3, fail)
    }

    /// Makes each growing write from now on fail with ENOSPC, or succeed again.
    ///
    /// # Errors
    /// When the counters cannot be written.
    pub fn fail_space(&self, fail: Fail) -> io::Result<()> {
        self.switch(4, fail)
    }

    /// Makes each sync from now on wait, or lets those that wait go on. A cut while one waits finds
    /// everything that was to become durable with it still at stake.
    ///
    /// # Errors
    /// When the counters cannot be written.
    pub fn hold_syncs(&self, fail: Fail) -> io::Result<()> {
        self.switch(6, fail)
    }

    fn switch(&self, position: u64, fail: Fail) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        let file = std::fs::OpenOptions::new().write(true).open(&self.counts)?;
        file.write_all_at(&u64::from(fail == Fail::Yes).to_ne_bytes(), position * 8)
    }
}

/// Whether an operation of the watched program is to fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fail {
    /// From now on it fails.
    Yes,
    /// From now on it succeeds.
    No,
}

/// What the shim counted in the watched directory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Calls of fsync and fdatasync that succeeded.
    pub syncs: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes of those writes.
    pub bytes: u64,
    /// Syncs that were made to fail.
    pub syncs_failed: u64,
    /// Syncs that were made to wait.
    pub syncs_held: u64,
}
