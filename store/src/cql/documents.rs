//! Documents and blocks of numbers: written by condition only, since anybody may write them.
//!
//! An answer that did not come is resolved by reading the row serially, which settles what is
//! under way: each write leaves the name of its author.

use std::sync::Arc;

use futures_util::future::try_join_all;
use scylla::statement::prepared::PreparedStatement;
use switchboard_domain::ids::TenantId;
use uuid::Uuid;

use super::Engine;
use super::column::{bigint, counted, slice};
use crate::log::Applied;
use crate::port::{Document, DocumentKey, Expect, Fault, NUMBERS_START};
use crate::record::{DocumentPlace, checksum, damaged};

/// Partitions of one kind of one tenant. Stored: never to be changed.
const SLICES: u32 = 16;
/// Times that a condition is tried anew, because somebody else was faster or nobody answered.
const ATTEMPTS: usize = 8;

type Row = (i64, Vec<u8>, i64, Uuid);

impl Engine {
    /// The stored document.
    pub(super) async fn document(&self, key: &DocumentKey) -> Result<Option<Document>, Fault> {
        let row = self.stored_document(key, &self.database.of.document).await?;
        let document = row.map(|(version, bytes, sum, _)| {
            whole(&key.tenant, key.kind, (Arc::clone(&key.id), version, bytes, sum))
        });
        document.transpose()
    }

    async fn stored_document(
        &self,
        key: &DocumentKey,
        statement: &PreparedStatement,
    ) -> Result<Option<Row>, Fault> {
        let values = (&*key.tenant.0, key.kind, document_slice(key), &*key.id);
        self.database.row(statement, values).await
    }

    /// Writes a document, if what is stored is as expected; answers its new version.
    pub(super) async fn put_document(
        &self,
        key: &DocumentKey,
        expect: Expect,
        bytes: &[u8],
    ) -> Result<u64, Fault> {
        // Writers here take turns: between them conditions would only collide.
        let _turn = self.turns.of(key.id.as_bytes()).await;
        let writer = self.authors.next();
        let now = &self.database.of.document_now;
        let mut is_open = false;
        for _ in 0..ATTEMPTS {
            let stored = self.stored_document(key, now).await;
            let stored = stored.map_err(|fault| doubted(fault, is_open))?;
            if let Some((version, ..)) = stored.as_ref().filter(|row| row.3 == writer) {
                return Ok(counted(*version));
            }
            let version = stored.as_ref().map(|row| counted(row.0));
            if !expect.holds(version) {
                return Err(doubted(Fault::Changed, is_open));
            }
            let next = version.unwrap_or(0) + 1;
            match self.send_document(key, version, (next, bytes), writer).await {
                Ok(Applied::Yes) => return Ok(next),
                Ok(Applied::No) => {}
                Ok(Applied::Unknown) => is_open = true,
                Err(fault) => return Err(doubted(fault, is_open)),
            }
        }
        Err(doubted(Fault::Busy, is_open))
    }

    async fn send_document(
        &self,
        key: &DocumentKey,
        before: Option<u64>,
        (version, bytes): (u64, &[u8]),
        writer: Uuid,
    ) -> Result<Applied, Fault> {
        let (tenant, kind, id) = (&key.tenant, key.kind, &*key.id);
        let place = DocumentPlace { tenant, kind, id, version };
        let sum = i64::from(checksum(&place, bytes));
        let slice = document_slice(key);
        let (version, tenant) = (bigint(version), &*tenant.0);
        let of = &self.database.of;
        match before {
            None => {
                let values = (version, bytes, sum, writer, tenant, kind, slice, id);
                self.database.condition(&of.create_document, values).await
            }
            Some(before) => {
                let before = bigint(before);
                let values = (version, bytes, sum, writer, tenant, kind, slice, id, before);
                self.database.condition(&of.replace_document, values).await
            }
        }
    }

    /// Removes a document, if what is stored is as expected.
    pub(super) async fn delete_document(
        &self,
        key: &DocumentKey,
        expect: Expect,
    ) -> Result<(), Fault> {
        let _turn = self.turns.of(key.id.as_bytes()).await;
        let of = &self.database.of;
        let mut is_open = false;
        for _ in 0..ATTEMPTS {
            let stored = self.stored_document(key, &of.document_now).await;
            let stored = stored.map_err(|fault| doubted(fault, is_open))?;
            let version = stored.map(|row| row.0);
            if is_open && version.is_none() {
                return Ok(());
            }
            if !expect.holds(version.map(counted)) {
                return Err(doubted(Fault::Changed, is_open));
            }
            let Some(version) = version else { return Ok(()) };
            let values = (&*key.tenant.0, key.kind, document_slice(key), &*key.id, version);
            match self.database.condition(&of.drop_document, values).await {
                Ok(Applied::Yes) => return Ok(()),
                Ok(Applied::No) => {}
                Ok(Applied::Unknown) => is_open = true,
                Err(fault) => return Err(doubted(fault, is_open)),
            }
        }
        Err(doubted(Fault::Busy, is_open))
    }

    /// A page of the documents of one kind.
    pub(super) async fn documents(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, Fault> {
        type Listed = (String, i64, Vec<u8>, i64);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let count = i32::try_from(limit).unwrap_or(i32::MAX);
        let after = after.unwrap_or_default();
        let read = |slice| {
            let slice = i16::try_from(slice).unwrap_or(0);
            let values = (&*tenant.0, kind, slice, after, count);
            self.database.rows::<Listed>(&self.database.of.documents, values)
        };
        let slices: Vec<_> = (0..SLICES).map(read).collect();
        let mut rows: Vec<Listed> = try_join_all(slices).await?.into_iter().flatten().collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        rows.truncate(limit);
        rows.into_iter()
            .map(|(id, version, bytes, sum)| whole(tenant, kind, (id.into(), version, bytes, sum)))
            .collect()
    }

    /// Takes numbers of a tenant for good.
    pub(super) async fn take_numbers(&self, tenant: &TenantId, count: u64) -> Result<u64, Fault> {
        let _turn = self.turns.of(tenant.0.as_bytes()).await;
        let of = &self.database.of;
        // A writer of its own for each attempt: what an unanswered one took is a gap.
        for _ in 0..ATTEMPTS {
            let writer = self.authors.next();
            let row: Option<(i64, Uuid)> = self.database.row(&of.block, (&*tenant.0,)).await?;
            let first = row.map_or(bigint(NUMBERS_START), |(next, _)| next);
            let next = first.saturating_add(bigint(count));
            let applied = if row.is_none() {
                self.database.condition(&of.begin_block, (&*tenant.0, next, writer)).await?
            } else {
                let values = (next, writer, &*tenant.0, first);
                self.database.condition(&of.take_block, values).await?
            };
            let is_taken = match applied {
                Applied::Yes => true,
                Applied::No => false,
                Applied::Unknown => {
                    let row: Option<(i64, Uuid)> =
                        self.database.row(&of.block, (&*tenant.0,)).await?;
                    row.is_some_and(|(_, by)| by == writer)
                }
            };
            if is_taken {
                return Ok(counted(first));
            }
        }
        Err(Fault::Busy)
    }
}

/// What to say when an earlier attempt may have been carried out.
fn doubted(fault: Fault, is_open: bool) -> Fault {
    if is_open { Fault::Unknown } else { fault }
}

fn document_slice(key: &DocumentKey) -> i16 {
    slice(key.id.as_bytes(), SLICES)
}

fn whole(
    tenant: &TenantId,
    kind: &str,
    (id, version, bytes, sum): (Arc<str>, i64, Vec<u8>, i64),
) -> Result<Document, Fault> {
    let version = counted(version);
    let place = DocumentPlace { tenant, kind, id: &id, version };
    if i64::from(checksum(&place, &bytes)) != sum {
        return Err(damaged(&place, &"its checksum does not hold"));
    }
    Ok(Document { id, version, bytes })
}
