//! How our values stand in CQL columns.

use switchboard_domain::conversation::{Event, Stream};
use switchboard_domain::ids::Seq;

use crate::record::stream_code;

/// Positions in one partition of a log: a partition stays below a megabyte.
const BUCKET_EVENTS: u64 = 1_000;

/// A number as `bigint`. CQL's integers end at 2^63, and nothing that is counted gets there.
pub(super) fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What [`bigint`] stored.
pub(super) fn counted(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Any 64 bits, as they are. Not for what is ordered.
pub(super) const fn bits(value: u64) -> i64 {
    value.cast_signed()
}

/// What [`bits`] stored.
pub(super) const fn of_bits(value: i64) -> u64 {
    value.cast_unsigned()
}

/// The partition of a position.
pub(super) fn bucket(seq: Seq) -> i64 {
    bigint(seq.0.saturating_sub(1) / BUCKET_EVENTS)
}

/// A stream as `tinyint`.
pub(super) fn stream(stream: Stream) -> i8 {
    i8::try_from(stream_code(stream)).unwrap_or(i8::MAX)
}

/// Device and number of the outbox that an event came from.
pub(super) fn outbox(event: &Event) -> (Option<uuid::Uuid>, Option<i64>) {
    event.key.map_or((None, None), |key| (Some(key.device.uuid()), Some(bits(key.n))))
}

/// Which of `slices` a name lies in. Stored: never to be changed.
pub(super) fn slice(name: &[u8], slices: u32) -> i16 {
    i16::try_from(crc32c::crc32c(name) % slices).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_a_thousand_from_one() {
        let cases = [(1, 0), (999, 0), (1_000, 0), (1_001, 1), (2_000, 1), (2_001, 2)];
        for (seq, expected) in cases {
            assert_eq!(bucket(Seq(seq)), expected, "{seq}");
        }
    }

    #[test]
    fn slices_are_the_same_in_every_version() {
        // Stored: these numbers never change.
        assert_eq!([slice(b"a", 16), slice(b"b", 16), slice(b"abc", 64)], [0, 4, 55]);
    }
}
