//! The shim's log of names: files created, unlinked and renamed, and what made that durable.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::undo::{Fields, MAGIC};

#[derive(Clone, Debug)]
enum Change {
    Created { inode: u64, path: PathBuf },
    Unlinked { saved: u64, path: PathBuf },
    Renamed { inode: u64, saved: u64, from: PathBuf, to: PathBuf },
}

/// Changes of names that no sync of their directory (or, for a creation, of the file) has made
/// durable, oldest first.
#[derive(Debug, Default)]
pub(super) struct Names {
    pending: Vec<Change>,
}

impl Names {
    /// Parses the log; a torn last record is dropped.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut fields = Fields { rest: bytes };
        let mut names = Self::default();
        while names.read_one(&mut fields).is_some() {}
        names
    }

    fn read_one(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let (magic, kind) = (fields.u32()?, fields.u32()?);
        let (inode, saved) = (fields.u64()?, fields.u64()?);
        let (from_len, to_len) = (fields.u32()?, fields.u32()?);
        let mut path = |len: u32| {
            let bytes = fields.bytes(usize::try_from(len).ok()?)?;
            Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
        };
        let (from, to) = (path(from_len)?, path(to_len)?);
        match (magic, kind) {
            (MAGIC, 1) => self.pending.push(Change::Created { inode, path: from }),
            (MAGIC, 2) => self.pending.push(Change::Unlinked { saved, path: from }),
            (MAGIC, 3) => self.pending.push(Change::Renamed { inode, saved, from, to }),
            (MAGIC, 4) => self.pending.retain(|change| change.directory() != Some(&from)),
            (MAGIC, 5) => self.pending.retain(|change| {
                !matches!(change, Change::Created { inode: created, .. } if *created == inode)
            }),
            _ => return None,
        }
        Some(())
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Takes back all but the first `keep` changes, newest first: a journal keeps a prefix.
    pub(super) fn roll_back(&self, side: &Path, keep: usize) -> io::Result<usize> {
        let lost: Vec<_> = self.pending.iter().skip(keep).rev().collect();
        for change in &lost {
            change.undo(side)?;
        }
        Ok(lost.len())
    }
}

impl Change {
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Created { path, .. } | Self::Unlinked { path, .. } => path.parent(),
            Self::Renamed { to, .. } => to.parent(),
        }
    }

    fn undo(&self, side: &Path) -> io::Result<()> {
        let is = |path: &Path, inode: u64| {
            std::fs::symlink_metadata(path).is_ok_and(|found| found.ino() == inode)
        };
        match self {
            Self::Created { inode, path } if is(path, *inode) => std::fs::remove_file(path),
            Self::Unlinked { saved, path } if !path.try_exists()? => restore(side, *saved, path),
            Self::Renamed { inode, saved, from, to } if is(to, *inode) => {
                std::fs::rename(to, from)?;
                if *saved == 0 { Ok(()) } else { restore(side, *saved, to) }
            }
            Self::Created { .. } | Self::Unlinked { .. } | Self::Renamed { .. } => Ok(()),
        }
    }
}

fn restore(side: &Path, saved: u64, path: &Path) -> io::Result<()> {
    std::fs::hard_link(side.join(format!("saved-{saved}")), path)
}

/// Every regular file under `dir` by inode, without following links.
pub(super) fn files_under(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    let mut seen = HashSet::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            let kind = entry.metadata()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() && seen.insert(kind.ino()) {
                found.push((kind.ino(), entry.path()));
            }
        }
    }
    Ok(found)
}
