//! Times as text: RFC 3339, UTC, milliseconds.

use serde::{Serialize, Serializer};
use switchboard_domain::ids::Timestamp;

/// A time that writes itself as `2026-01-31T12:34:56.789Z`.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(pub Timestamp);

const TEXT_BYTES: usize = 24;
const DAY_MS: i64 = 86_400_000;
/// The last millisecond that four digits of a year can say.
const LAST_MS: i64 = 253_402_300_799_999;

impl Rfc3339 {
    /// Room for the text.
    pub(in crate::edge) const fn buffer() -> [u8; TEXT_BYTES] {
        [0; TEXT_BYTES]
    }

    /// The text, without allocation. Times before 1970 or after 9999 are written as those ends.
    pub(in crate::edge) fn write(self, out: &mut [u8; TEXT_BYTES]) -> &str {
        let ms = self.0.0.clamp(0, LAST_MS);
        let (day, ms_of_day) = (ms / DAY_MS, ms % DAY_MS);
        let (year, month, day_of_month) = civil(day);
        out.copy_from_slice(b"0000-00-00T00:00:00.000Z");
        digits(&mut out[0..4], year);
        digits(&mut out[5..7], month);
        digits(&mut out[8..10], day_of_month);
        digits(&mut out[11..13], ms_of_day / 3_600_000);
        digits(&mut out[14..16], ms_of_day / 60_000 % 60);
        digits(&mut out[17..19], ms_of_day / 1_000 % 60);
        digits(&mut out[20..23], ms_of_day % 1_000);
        std::str::from_utf8(out).expect("digits and punctuation only")
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write(&mut Self::buffer()))
    }
}

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.write(&mut Self::buffer()))
    }
}

/// Writes `value` right-aligned over the zeros in `out`.
fn digits(out: &mut [u8], value: i64) {
    let mut rest = value;
    for place in out.iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

/// Year, month and day of a day since 1970-01-01, by Hinnant's days-from-civil turned around:
/// years begin in March, so that the leap day is the last of its year.
const fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_767_225_599_001, "2025-12-31T23:59:59.001Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-1, "1970-01-01T00:00:00.000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Rfc3339(Timestamp(ms)).to_string(), text, "{ms}");
        }
    }
}
