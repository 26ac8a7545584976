//! Business hours: when a tenant, department or widget is open, and when it opens next.
//!
//! Hours are said on the wall clock of a time zone, a list per weekday; a holiday has hours of its
//! own, or none. Zone rules are the bundled ones, so every node says the same.
//!
//! # When clocks change
//! Opening at a time that the clock skips means the moment it skips to; so does closing. Opening
//! at a time that it shows twice means the first of the two, closing the second. So hours never
//! shrink below what the wall clock shows, and never open twice in one night.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::ids::Timestamp;
use crate::limit::{HOLIDAYS_MAX, HOURS_PER_DAY_MAX, SCHEDULE_DAYS_MAX};

/// When somebody is there to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    zone: Zone,
    week: Week,
    holidays: BTreeMap<Day, Vec<Hours>>,
}

/// The hours of each weekday; a day without any is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the weekday of that name")]
pub struct Week {
    pub monday: Vec<Hours>,
    pub tuesday: Vec<Hours>,
    pub wednesday: Vec<Hours>,
    pub thursday: Vec<Hours>,
    pub friday: Vec<Hours>,
    pub saturday: Vec<Hours>,
    pub sunday: Vec<Hours>,
}

/// From an opening to a closing time of one day. Hours past midnight are two: up to 24:00, and
/// from 00:00 of the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hours {
    /// The first minute open.
    pub opens: TimeOfDay,
    /// The first minute closed; at most 24:00.
    pub closes: TimeOfDay,
}

/// A time on the wall clock, in minutes since 00:00. Written as `09:30`; `24:00` ends a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

/// A day of the calendar. Written as `2026-12-24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

/// A time zone, by its IANA name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// Why it is open or closed at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is open.
    Within,
    /// The day is a holiday without hours.
    Holiday,
    /// The weekday has no hours.
    ClosedDay,
    /// The day has hours, before or after that moment.
    Outside,
}

/// What is wrong with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No zone has that name.
    #[error("there is no time zone of that name")]
    Zone,
    /// No such day exists.
    #[error("a day is written as 2026-12-24")]
    Day,
    /// No such time exists.
    #[error("a time is written as 09:30, from 00:00 to 24:00")]
    Time,
    /// A closing time is not after its opening time.
    #[error("hours must close after they open; past midnight they are two")]
    Empty,
    /// Hours of one day overlap.
    #[error("hours of one day must not overlap")]
    Overlap,
    /// More hours or holidays than the limits.
    #[error("too many hours in one day, or too many holidays")]
    TooMany,
}

impl Schedule {
    /// A schedule of weekdays and holidays; a holiday without hours is closed all day. Hours may
    /// come in any order.
    ///
    /// # Errors
    ///
    /// [`Invalid::Empty`], [`Invalid::Overlap`], [`Invalid::TooMany`].
    pub fn new(
        zone: Zone,
        mut week: Week,
        mut holidays: BTreeMap<Day, Vec<Hours>>,
    ) -> Result<Self, Invalid> {
        if holidays.len() > HOLIDAYS_MAX {
            return Err(Invalid::TooMany);
        }
        for hours in week.days_mut().into_iter().chain(holidays.values_mut()) {
            arrange(hours)?;
        }
        Ok(Self { zone, week, holidays })
    }

    /// Open day and night.
    #[must_use]
    pub fn always() -> Self {
        let mut week = Week::default();
        for day in week.days_mut() {
            day.push(Hours { opens: TimeOfDay::MIDNIGHT, closes: TimeOfDay::END });
        }
        Self { zone: Zone::utc(), week, holidays: BTreeMap::new() }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.span_at(at).is_some()
    }

    /// When it is open next: `at` itself while it is open; `None` when not within a year.
    #[must_use]
    pub fn next_opening(&self, at: Timestamp) -> Option<Timestamp> {
        self.spans_from(at).find(|span| span.until > at).map(|span| span.from.max(at))
    }

    /// When it closes, if it is open now; `None` while closed, and when it stays open for a year.
    #[must_use]
    pub fn closes_at(&self, at: Timestamp) -> Option<Timestamp> {
        let mut until = self.span_at(at)?.until;
        for span in self.spans_from(at) {
            if span.from > until {
                return Some(until);
            }
            until = until.max(span.until);
        }
        None
    }

    /// Why it is open or closed, by the day that the calendar of its zone shows then.
    #[must_use]
    pub fn reason(&self, at: Timestamp) -> Reason {
        if self.is_open(at) {
            return Reason::Within;
        }
        let day = self.zone.day(at);
        match self.holidays.get(&day) {
            Some(hours) if hours.is_empty() => Reason::Holiday,
            None if self.week.day(day.0.weekday()).is_empty() => Reason::ClosedDay,
            _ => Reason::Outside,
        }
    }

    /// When the wall clock of its zone shows that time of that day: the first time of two, and the
    /// moment it skips to for a time that it never shows. `None` at the end of the calendar.
    #[must_use]
    pub fn moment(&self, day: Day, time: TimeOfDay) -> Option<Timestamp> {
        self.zone.instant(day.0, time, Boundary::Opening)
    }

    fn span_at(&self, at: Timestamp) -> Option<Span> {
        self.spans_from(at).take_while(|span| span.from <= at).find(|span| at < span.until)
    }

    /// The spans of the day before that of `at`, of its day, and of a year of days after it.
    fn spans_from(&self, at: Timestamp) -> impl Iterator<Item = Span> {
        let today = self.zone.day(at).0;
        let first = today.yesterday().unwrap_or(today);
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        days.take(SCHEDULE_DAYS_MAX).flat_map(move |day| {
            self.hours_of(day).iter().filter_map(move |hours| {
                let from = self.zone.instant(day, hours.opens, Boundary::Opening)?;
                let until = self.zone.instant(day, hours.closes, Boundary::Closing)?;
                (from < until).then_some(Span { from, until })
            })
        })
    }

    fn hours_of(&self, day: Date) -> &[Hours] {
        self.holidays.get(&Day(day)).unwrap_or_else(|| self.week.day(day.weekday()))
    }
}

impl Week {
    fn day(&self, weekday: Weekday) -> &Vec<Hours> {
        match weekday {
            Weekday::Monday => &self.monday,
            Weekday::Tuesday => &self.tuesday,
            Weekday::Wednesday => &self.wednesday,
            Weekday::Thursday => &self.thursday,
            Weekday::Friday => &self.friday,
            Weekday::Saturday => &self.saturday,
            Weekday::Sunday => &self.sunday,
        }
    }

    fn days_mut(&mut self) -> [&mut Vec<Hours>; 7] {
        let Self { monday, tuesday, wednesday, thursday, friday, saturday, sunday } = self;
        [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
    }
}

impl TimeOfDay {
    /// The beginning of a day.
    pub const MIDNIGHT: Self = Self(0);
    /// The end of a day, 24:00.
    pub const END: Self = Self(24 * 60);
}

impl FromStr for TimeOfDay {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (hours, minutes) = text.split_once(':').ok_or(Invalid::Time)?;
        let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
        if minutes >= 60 || hours * 60 + minutes > Self::END.0 {
            return Err(Invalid::Time);
        }
        Ok(Self(hours * 60 + minutes))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for Day {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_plain = text.len() == "2026-12-24".len();
        let date = text.parse().ok().filter(|_| is_plain);
        date.map(Self).ok_or(Invalid::Day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Zone {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self).ok_or(Invalid::Zone)
    }
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The day that the calendar shows at `at`.
    #[must_use]
    pub fn day(&self, at: Timestamp) -> Day {
        Day(self.0.to_datetime(instant_of(at)).date())
    }

    /// When the wall clock of `day` shows `time`; `None` at the end of the calendar.
    fn instant(&self, day: Date, time: TimeOfDay, boundary: Boundary) -> Option<Timestamp> {
        let midnight = if time == TimeOfDay::END { day.tomorrow().ok()? } else { day };
        let time = if time == TimeOfDay::END { TimeOfDay::MIDNIGHT } else { time };
        let hour = i8::try_from(time.0 / 60).ok()?;
        let minute = i8::try_from(time.0 % 60).ok()?;
        let shown = self.0.to_ambiguous_timestamp(midnight.at(hour, minute, 0, 0));
        let instant = match (shown.offset(), boundary) {
            (AmbiguousOffset::Unambiguous { .. }, _)
            | (AmbiguousOffset::Fold { .. }, Boundary::Opening) => shown.earlier().ok()?,
            (AmbiguousOffset::Fold { .. }, Boundary::Closing) => shown.later().ok()?,
            (AmbiguousOffset::Gap { .. }, _) => {
                self.0.following(shown.earlier().ok()?).next()?.timestamp()
            }
        };
        Some(Timestamp(instant.as_millisecond()))
    }
}

#[derive(Clone, Copy)]
enum Boundary {
    Opening,
    Closing,
}

#[derive(Clone, Copy)]
struct Span {
    from: Timestamp,
    until: Timestamp,
}

/// The instant of a time; the ends of the calendar for what lies beyond them.
fn instant_of(at: Timestamp) -> jiff::Timestamp {
    let end = if at.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(end)
}

/// Sorts the hours of a day and checks them.
fn arrange(hours: &mut [Hours]) -> Result<(), Invalid> {
    hours.sort();
    if hours.len() > HOURS_PER_DAY_MAX {
        return Err(Invalid::TooMany);
    }
    if hours.iter().any(|hours| hours.opens >= hours.closes) {
        return Err(Invalid::Empty);
    }
    if hours.windows(2).any(|pair| pair[1].opens < pair[0].closes) {
        return Err(Invalid::Overlap);
    }
    Ok(())
}

fn two_digits(text: &str) -> Result<u16, Invalid> {
    if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Invalid::Time);
    }
    text.parse().ok().ok_or(Invalid::Time)
}

#[cfg(test)]
mod tests;
