//! One file's undo log, as the shim writes it: a header, then records, old bytes behind each.

use crate::rng::Rng;

pub(super) const MAGIC: u32 = 0x4f44_4e55;
const KIND_WRITE: u32 = 1;
const KIND_SIZE: u32 = 2;
const KIND_SYNCED: u32 = 3;

/// Reads fixed fields from the front of a slice; `None` when it is too short.
pub(super) struct Fields<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes(4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_ne_bytes)
    }

    pub(super) fn usize(&mut self) -> Option<usize> {
        self.u64().and_then(|value| usize::try_from(value).ok())
    }
}

/// A change that no sync has made durable: how to take it back.
#[derive(Debug)]
struct Pending {
    offset: usize,
    /// One past the last byte that the change touched.
    end: usize,
    size_before: usize,
    old: Vec<u8>,
}

/// A file's inode and its changes since the last sync, oldest first.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) inode: u64,
    pending: Vec<Pending>,
}

/// How much of what was never synced a cut takes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Loss {
    Nothing,
    /// Each sector at its own random version.
    SomeSectors,
    Everything,
}

impl Log {
    /// Parses a log. A torn last record belongs to a write that never happened and is dropped;
    /// a torn header likewise: `None`, the program was killed while it opened the file.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields { rest: bytes };
        if fields.u32()? != MAGIC {
            return None;
        }
        let path_len = fields.u32()?;
        let inode = fields.u64()?;
        fields.bytes(usize::try_from(path_len).ok()?)?;

        let mut records = Vec::new();
        let mut durable = 0;
        loop {
            let position = bytes.len() - fields.rest.len();
            match record(&mut fields) {
                Some(Record::Change(change)) => records.push((position, change)),
                Some(Record::Synced { upto }) => durable = durable.max(upto),
                None => break,
            }
        }
        let pending = records.into_iter().filter(|(position, _)| *position >= durable);
        Some(Self { inode, pending: pending.map(|(_, change)| change).collect() })
    }

    pub(super) fn is_clean(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes back a part of the pending changes; returns (sectors pending, sectors changed).
    ///
    /// Any version a sector had since the last sync may be the one on the disk; so may any size.
    pub(super) fn roll_back(&self, content: &mut Vec<u8>, loss: Loss, rng: &mut Rng) -> (u64, u64) {
        let sector = if rng.chance(50) { 512 } else { 4096 };
        let sectors = |change: &Pending| change.offset / sector..change.end.div_ceil(sector);
        let now = content.len();
        let longest = self.pending.iter().map(|change| change.end.max(change.size_before)).max();
        content.resize(longest.unwrap_or(0).max(now), 0);

        let mut versions = vec![0_u64; content.len().div_ceil(sector)];
        for touched in self.pending.iter().flat_map(sectors) {
            if let Some(n) = versions.get_mut(touched) {
                *n += 1;
            }
        }
        let n_pending = versions.iter().filter(|n| **n > 0).count();
        for n in &mut versions {
            *n = match loss {
                Loss::Nothing => 0,
                Loss::SomeSectors => rng.below(*n + 1),
                Loss::Everything => *n,
            };
        }
        let n_back = versions.iter().filter(|n| **n > 0).count();

        for change in self.pending.iter().rev() {
            for touched in sectors(change) {
                match versions.get_mut(touched) {
                    Some(n) if *n > 0 => *n -= 1,
                    _ => continue,
                }
                let from = change.offset.max(touched * sector);
                let to = change.end.min((touched + 1) * sector);
                for at in from..to {
                    let old = change.old.get(at - change.offset).copied().unwrap_or(0);
                    if let Some(byte) = content.get_mut(at) {
                        *byte = old;
                    }
                }
            }
        }
        let sizes: Vec<usize> = self.pending.iter().map(|change| change.size_before).collect();
        let size = match loss {
            Loss::Nothing => now,
            Loss::Everything => sizes.first().copied().unwrap_or(now),
            Loss::SomeSectors => sizes.get(rng.index(sizes.len() + 1)).copied().unwrap_or(now),
        };
        content.resize(size, 0);
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        (count(n_pending), count(n_back))
    }
}

enum Record {
    Change(Pending),
    Synced { upto: usize },
}

fn record(fields: &mut Fields<'_>) -> Option<Record> {
    let (magic, kind) = (fields.u32()?, fields.u32()?);
    let (offset, len) = (fields.usize()?, fields.usize()?);
    let (size_before, old_len) = (fields.usize()?, fields.usize()?);
    let old = fields.bytes(old_len)?.to_vec();
    let end = match (magic, kind) {
        (MAGIC, KIND_WRITE) => offset.checked_add(len)?,
        (MAGIC, KIND_SIZE) => size_before.max(offset),
        (MAGIC, KIND_SYNCED) => return Some(Record::Synced { upto: offset }),
        _ => return None,
    };
    Some(Record::Change(Pending { offset, end, size_before, old }))
}
