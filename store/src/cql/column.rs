//! How our values stand in CQL columns.

use switchboard_domain::conversation::Stream;

use crate::record::stream_code;

/// A number as `bigint`. CQL's integers end at 2^63, and nothing that is counted gets there.
pub(super) fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What [`bigint`] stored.
pub(super) fn counted(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A stream as `tinyint`.
pub(super) fn stream(stream: Stream) -> i8 {
    i8::try_from(stream_code(stream)).unwrap_or(i8::MAX)
}

/// Which of `slices` a name lies in. Stored: never to be changed.
pub(super) fn slice(name: &[u8], slices: u32) -> i16 {
    i16::try_from(crc32c::crc32c(name) % slices).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_the_same_in_every_version() {
        // Stored: these numbers never change.
        assert_eq!([slice(b"a", 16), slice(b"b", 16), slice(b"abc", 64)], [0, 4, 55]);
    }
}
