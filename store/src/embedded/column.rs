//! How our values stand in SQLite columns.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use switchboard_domain::ids::{Id, Seq};
use uuid::Uuid;

/// An id as 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blob16([u8; 16]);

impl Blob16 {
    pub(super) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl<K> From<Id<K>> for Blob16 {
    fn from(id: Id<K>) -> Self {
        Self(id.uuid().into_bytes())
    }
}

impl<K> From<Blob16> for Id<K> {
    fn from(blob: Blob16) -> Self {
        Self::new(Uuid::from_bytes(blob.0))
    }
}

impl ToSql for Blob16 {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for Blob16 {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let size = FromSqlError::InvalidBlobSize { expected_size: 16, blob_size: bytes.len() };
        bytes.try_into().map(Self).map_err(|_wrong_size| size)
    }
}

/// A position: SQLite's integers end at 2^63, and no log is that long.
pub(super) fn position(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// Any 64 bits; values from 2^63 up read as negative ones to an operator, and come back as they
/// were. Not for columns that are ordered.
pub(super) const fn integer(value: u64) -> i64 {
    value.cast_signed()
}

/// What [`integer`] or [`position`] stored.
pub(super) const fn unsigned(value: i64) -> u64 {
    value.cast_unsigned()
}
