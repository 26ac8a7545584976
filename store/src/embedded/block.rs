//! Many events in one row: their heads in one value, their records in another.
//!
//! A row costs SQLite some thousand instructions, a byte of it next to none. So the events of a
//! commit share a row of `recent`, and a run of one stream shares a row of `run`. The heads end
//! with a checksum of themselves and of the place they are stored at; each record has a checksum
//! of its own, so a damaged one harms no other. The heads are apart from the records, so that a
//! search among them does not read the texts.

use std::ops::Range;
use std::sync::Arc;

use switchboard_domain::conversation::{Event, Stream};
use switchboard_domain::ids::{ConversationId, Seq, TenantId};
use uuid::Uuid;

use super::column::Blob16;
use crate::port::{ConversationKey, Fault};
use crate::record::{
    BatchPlace, EventPlace, Place, RunPlace, checksum, damaged, decode_event, stream_code,
};

/// Bytes of the checksum at the end of the heads.
const CHECKSUM_BYTES: usize = 4;
/// Bytes of a head in a run: epoch, whether it has a key, outbox, number, length of the record.
const RUN_HEAD_BYTES: usize = 8 + 1 + 16 + 8 + 4;
/// Bytes of a head in a batch beside its tenant: the same, and whose it is and where.
const BATCH_HEAD_BYTES: usize = 4 + 16 + 1 + 8 + RUN_HEAD_BYTES;

/// What a row says of an event beside its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) stream: Stream,
    pub(super) seq: Seq,
    pub(super) epoch: u64,
    /// Outbox and number of the idempotency key.
    pub(super) key: Option<(Blob16, u64)>,
}

impl Head {
    /// The event, once its record holds.
    pub(super) fn decode(&self, key: &ConversationKey, record: &[u8]) -> Result<Event, Fault> {
        let Self { stream, seq, epoch, .. } = *self;
        decode_event(EventPlace { key, stream, seq, epoch }, record)
    }

    /// Whether that outbox sent it.
    pub(super) fn is_of(&self, device: Blob16) -> bool {
        self.key.is_some_and(|(of, _)| of == device)
    }

    /// Its number in its outbox, 0 without one.
    pub(super) fn n(&self) -> u64 {
        self.key.map_or(0, |(_, n)| n)
    }
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) head: Head,
    pub(super) record: Arc<[u8]>,
}

impl Row {
    /// The event, once its record holds.
    pub(super) fn decode(&self, key: &ConversationKey) -> Result<Event, Fault> {
        self.head.decode(key, &self.record)
    }
}

/// The two values of a row.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) heads: Vec<u8>,
    pub(super) records: Vec<u8>,
}

/// Where the record of a head is among the records. What is not there any more is read as an empty
/// record, which no checksum holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span(Range<usize>);

impl Span {
    pub(super) fn of<'block>(&self, records: &'block [u8]) -> &'block [u8] {
        records.get(self.0.clone()).unwrap_or_default()
    }
}

/// Packs events of one stream, one behind the other.
pub(super) fn pack_run(place: &RunPlace<'_>, rows: &[&Row]) -> Block {
    let mut heads = Vec::with_capacity(rows.len() * RUN_HEAD_BYTES + CHECKSUM_BYTES);
    let mut records = Vec::with_capacity(rows.iter().map(|row| row.record.len()).sum());
    for row in rows {
        push_head(&mut heads, row);
        records.extend_from_slice(&row.record);
    }
    seal(place, &mut heads);
    Block { heads, records }
}

/// The heads of a run and where their records are.
pub(super) fn unpack_run(place: &RunPlace<'_>, heads: &[u8]) -> Result<Vec<(Head, Span)>, Fault> {
    let mut input = unseal(place, heads)?;
    let mut unpacked = Vec::with_capacity(input.bytes.len() / RUN_HEAD_BYTES);
    let mut seq = place.first;
    while !input.bytes.is_empty() {
        let head = input.head(place.stream, seq);
        unpacked.push(head.ok_or_else(|| damaged(place, &"its heads are cut short"))?);
        seq = seq.next();
    }
    if seq != place.last.next() {
        return Err(damaged(place, &"it has not as many heads as events"));
    }
    Ok(unpacked)
}

/// Packs the events of a commit, of any logs.
pub(super) fn pack_batch(place: &BatchPlace, rows: &[(ConversationKey, Row)]) -> Block {
    let mut heads = Vec::with_capacity(rows.len() * (BATCH_HEAD_BYTES + 16) + CHECKSUM_BYTES);
    let mut records = Vec::with_capacity(rows.iter().map(|(_, row)| row.record.len()).sum());
    for (key, row) in rows {
        let tenant = key.tenant.0.as_bytes();
        heads.extend_from_slice(&length(tenant).to_le_bytes());
        heads.extend_from_slice(tenant);
        heads.extend_from_slice(key.conversation.uuid().as_bytes());
        heads.push(stream_code(row.head.stream));
        heads.extend_from_slice(&row.head.seq.0.to_le_bytes());
        push_head(&mut heads, row);
        records.extend_from_slice(&row.record);
    }
    seal(place, &mut heads);
    Block { heads, records }
}

/// The events of a commit.
pub(super) fn unpack_batch(
    place: &BatchPlace,
    heads: &[u8],
    records: &[u8],
) -> Result<Vec<(ConversationKey, Row)>, Fault> {
    let mut input = unseal(place, heads)?;
    let mut unpacked = Vec::new();
    while !input.bytes.is_empty() {
        let entry = input.key().and_then(|key| {
            let stream = stream_of_code(input.byte()?)?;
            let seq = Seq(input.u64()?);
            let (head, span) = input.head(stream, seq)?;
            Some((key, Row { head, record: Arc::from(span.of(records)) }))
        });
        unpacked.push(entry.ok_or_else(|| damaged(place, &"its heads are cut short"))?);
    }
    Ok(unpacked)
}

/// The stream of a [`stream_code`].
pub(super) const fn stream_of_code(code: u8) -> Option<Stream> {
    match code {
        0 => Some(Stream::Public),
        1 => Some(Stream::Internal),
        _ => None,
    }
}

fn push_head(heads: &mut Vec<u8>, row: &Row) {
    let (device, n) = match row.head.key {
        Some((device, n)) => (device.bytes(), n),
        None => ([0; 16], 0),
    };
    heads.extend_from_slice(&row.head.epoch.to_le_bytes());
    heads.push(u8::from(row.head.key.is_some()));
    heads.extend_from_slice(&device);
    heads.extend_from_slice(&n.to_le_bytes());
    heads.extend_from_slice(&length(&row.record).to_le_bytes());
}

/// No record is as long as 4 GiB; one that was would not be found again.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn seal(place: &dyn Place, heads: &mut Vec<u8>) {
    let sum = checksum(place, heads);
    heads.extend_from_slice(&sum.to_le_bytes());
}

/// The heads, once their checksum holds.
fn unseal<'block>(place: &dyn Place, heads: &'block [u8]) -> Result<Input<'block>, Fault> {
    let Some((bytes, sum)) = heads.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(damaged(place, &"its heads are cut short"));
    };
    if checksum(place, bytes) != u32::from_le_bytes(*sum) {
        return Err(damaged(place, &"the checksum of its heads does not hold"));
    }
    Ok(Input { bytes, records_end: 0 })
}

/// Heads that are read one after the other.
struct Input<'block> {
    bytes: &'block [u8],
    /// Where the records of the heads read so far end.
    records_end: usize,
}

impl Input<'_> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*chunk)
    }

    fn byte(&mut self) -> Option<u8> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.chunk()?)).ok()
    }

    fn u64(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_le_bytes)
    }

    fn key(&mut self) -> Option<ConversationKey> {
        let length = self.length()?;
        let (tenant, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        let tenant = TenantId(Arc::from(str::from_utf8(tenant).ok()?));
        let conversation = ConversationId::new(Uuid::from_bytes(self.chunk()?));
        Some(ConversationKey { tenant, conversation })
    }

    fn head(&mut self, stream: Stream, seq: Seq) -> Option<(Head, Span)> {
        let epoch = self.u64()?;
        let has_key = self.byte()? != 0;
        let device = Blob16::from_bytes(self.chunk()?);
        let n = self.u64()?;
        let start = self.records_end;
        self.records_end = start.checked_add(self.length()?)?;
        let key = has_key.then_some((device, n));
        Some((Head { stream, seq, epoch, key }, Span(start..self.records_end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::key;

    fn row(stream: Stream, seq: u64, n: Option<u64>) -> Row {
        let key = n.map(|n| (Blob16::from_bytes([7; 16]), n));
        let head = Head { stream, seq: Seq(seq), epoch: 3, key };
        Row { head, record: Arc::from(format!("record {seq}").as_bytes()) }
    }

    #[test]
    fn a_run_comes_back_and_belongs_to_its_place() {
        let (key, other) = (key("acme", 1), key("acme", 2));
        let rows = [4, 5, 6].map(|seq| row(Stream::Internal, seq, (seq != 5).then_some(seq * 2)));
        let place = RunPlace { key: &key, stream: Stream::Internal, first: Seq(4), last: Seq(6) };
        let Block { heads, records } = pack_run(&place, &rows.iter().collect::<Vec<_>>());
        let unpacked = unpack_run(&place, &heads).expect("it holds");
        let back: Vec<Row> = unpacked
            .iter()
            .map(|(head, span)| Row { head: *head, record: Arc::from(span.of(&records)) })
            .collect();
        assert_eq!(back, rows);
        let elsewhere = [
            RunPlace { key: &other, ..place },
            RunPlace { stream: Stream::Public, ..place },
            RunPlace { first: Seq(3), ..place },
            RunPlace { last: Seq(7), ..place },
        ];
        for place in elsewhere {
            unpack_run(&place, &heads).expect_err("it was stored elsewhere");
        }
        for at in 0..heads.len() {
            let mut bent = heads.clone();
            bent[at] ^= 1;
            unpack_run(&place, &bent).expect_err("a bit is flipped");
            unpack_run(&place, &heads[..at]).expect_err("it is cut short");
        }
    }

    #[test]
    fn a_batch_comes_back_with_its_logs() {
        let rows = [
            (key("acme", 1), row(Stream::Public, 1, None)),
            (key("globex", 2), row(Stream::Internal, 9, Some(4))),
            (key("acme", 1), row(Stream::Public, 2, Some(1))),
        ];
        let place = BatchPlace(12);
        let Block { heads, records } = pack_batch(&place, &rows);
        assert_eq!(unpack_batch(&place, &heads, &records).expect("it holds"), rows);
        unpack_batch(&BatchPlace(13), &heads, &records).expect_err("it is another batch");
        for at in 0..heads.len() {
            let mut bent = heads.clone();
            bent[at] ^= 1;
            unpack_batch(&place, &bent, &records).expect_err("a bit is flipped");
        }
        let cut = unpack_batch(&place, &heads, &records[..9]).expect("the heads hold");
        assert_eq!(cut[1].1.record.len(), 0, "its record is gone, and no checksum holds for it");
    }
}
