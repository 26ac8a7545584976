//! When somebody answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::directory::Error;

/// Opening times of one day at most: morning, afternoon, evening.
const SPANS_MAX: usize = 4;
/// Closed days kept at most: ten years of holidays.
const HOLIDAYS_MAX: usize = 366;

/// When somebody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The name of the time zone, such as `Europe/Berlin`.
    pub timezone: String,
    /// Opening times by day of the week; a day that is left out is closed.
    #[serde(default)]
    pub days: BTreeMap<Weekday, Vec<Span>>,
    /// Days closed altogether, `YYYY-MM-DD`.
    #[serde(default)]
    pub holidays: Vec<String>,
}

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// From one time of day to a later one of the same day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`; `24:00` is the end of the day.
    pub to: String,
}

impl Hours {
    /// Whether they can be kept.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], naming the field.
    pub fn check(&self) -> Result<(), Error> {
        let invalid = |field, why| Err(Error::Invalid { field, why });
        if jiff::tz::TimeZone::get(&self.timezone).is_err() {
            return invalid("hours.timezone", "is not the name of a time zone");
        }
        for spans in self.days.values() {
            if spans.len() > SPANS_MAX {
                return invalid("hours.days", "has too many opening times on one day");
            }
            let mut end = 0;
            for span in spans {
                match (minute_of_day(&span.from), minute_of_day(&span.to)) {
                    (Some(from), Some(to)) if end <= from && from < to => end = to,
                    (Some(_), Some(_)) => {
                        return invalid("hours.days", "has opening times out of order");
                    }
                    _ => return invalid("hours.days", "has a time that is not HH:MM"),
                }
            }
        }
        if self.holidays.len() > HOLIDAYS_MAX {
            return invalid("hours.holidays", "has too many entries");
        }
        let is_date = |text: &String| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
        if !self.holidays.iter().all(is_date) {
            return invalid("hours.holidays", "has a date that is not YYYY-MM-DD");
        }
        Ok(())
    }
}

/// `HH:MM` as minutes since midnight, up to `24:00`.
#[must_use]
pub fn minute_of_day(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    if bytes.len() != 5 || bytes[2] != b':' {
        return None;
    }
    let pair = |at: usize| text.get(at..at + 2)?.parse::<u16>().ok();
    let (hours, minutes) = (pair(0)?, pair(3)?);
    let is_time = bytes.iter().enumerate().all(|(at, b)| at == 2 || b.is_ascii_digit())
        && minutes < 60
        && (hours < 24 || (hours, minutes) == (24, 0));
    is_time.then_some(hours * 60 + minutes)
}
