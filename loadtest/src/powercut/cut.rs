//! The cut itself: read what the shim logged, take a random part back.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::names::{Names, files_under};
use super::undo::{Log, Loss};
use crate::rng::Rng;

/// What a power cut took.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cut {
    /// Files with writes that no sync had made durable.
    pub files_pending: u64,
    /// Sectors of those writes.
    pub sectors_pending: u64,
    /// Sectors that went back to an older version.
    pub sectors_lost: u64,
    /// Creations, removals and renames that were undone.
    pub names_lost: u64,
}

/// Cuts the power of a program that was killed under the shim: `watched` and `side` are its
/// POWERCUT_DIR and POWERCUT_SIDE. A third of the cuts lose everything that was not synced, a sixth
/// nothing, the rest a random part.
///
/// # Errors
/// When a file cannot be read or written; the directory is then of no use.
pub fn cut(watched: &Path, side: &Path, rng: &mut Rng) -> io::Result<Cut> {
    let loss = match rng.below(6) {
        0 => Loss::Nothing,
        1 | 2 => Loss::Everything,
        _ => Loss::SomeSectors,
    };
    let mut paths: HashMap<_, _> = files_under(side)?.into_iter().collect();
    paths.extend(files_under(watched)?);

    let mut done = Cut::default();
    for (_, path) in files_under(side)? {
        if path.extension().is_none_or(|extension| extension != "undo") {
            continue;
        }
        let log = Log::parse(&std::fs::read(&path)?).filter(|log| !log.is_clean());
        let Some(log) = log else { continue };
        let Some(file) = paths.get(&log.inode) else { continue };
        let mut content = std::fs::read(file)?;
        let (pending, lost) = log.roll_back(&mut content, loss, rng);
        std::fs::write(file, content)?;
        done.files_pending += 1;
        done.sectors_pending += pending;
        done.sectors_lost += lost;
    }

    let names = Names::parse(&std::fs::read(side.join("names"))?);
    let keep = match loss {
        Loss::Nothing => names.len(),
        Loss::Everything => 0,
        Loss::SomeSectors => rng.index(names.len() + 1),
    };
    done.names_lost = u64::try_from(names.roll_back(side, keep)?).unwrap_or(u64::MAX);

    // The wal-index is memory: SQLite builds it again.
    for (_, path) in files_under(watched)? {
        if path.to_string_lossy().ends_with("-shm") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(done)
}
