//! Opening hours: what they say of a moment, asked by who sets them, before they are kept.

use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_domain::person::Role;
use switchboard_domain::schedule::{self, Hours as OpenHours, Invalid, Schedule, Week};
use utoipa::ToSchema;

use super::super::caller::require;
use super::super::extract::{Caller, Json};
use super::super::wire::time::Rfc3339;
use crate::directory::Error;
use crate::directory::widget::{Hours, Weekday};
use crate::edge::problem::Problem;

/// Opening hours, kept or not, and a moment on the wall clock of their time zone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HoursQuestion)]
pub struct Question {
    hours: Hours,
    /// `YYYY-MM-DD`.
    day: String,
    /// `HH:MM`.
    time: String,
}

/// What opening hours say of a moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HoursAnswer)]
pub struct Verdict {
    /// The moment: of a time that the clock shows twice the first, of one that it skips the moment
    /// it skips to.
    #[schema(value_type = String, format = DateTime)]
    at: Rfc3339,
    open: bool,
    reason: Reason,
    /// When it closes; absent while closed, and when it stays open for a year.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    closes_at: Option<Rfc3339>,
    /// When it opens next; absent while open, and when that is not within a year.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_open_at: Option<Rfc3339>,
}

/// Why it is open or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HoursReason)]
pub enum Reason {
    /// It is open.
    Within,
    /// The day is closed altogether.
    Holiday,
    /// The weekday has no hours.
    ClosedDay,
    /// The day has hours, before or after that moment.
    Outside,
}

/// `POST /v1/hours/check`: nothing is kept of it.
///
/// # Errors
///
/// [`Problem`].
pub async fn check(
    Caller(identity): Caller,
    Json { value: Question { hours, day, time }, .. }: Json<Question>,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    hours.check()?;
    let invalid = |field, why| Problem::from(Error::Invalid { field, why });
    let schedule =
        schedule(&hours).map_err(|_why| invalid("hours", "cannot be used as they are"))?;
    let day = day.parse().map_err(|_why: Invalid| invalid("day", "is not YYYY-MM-DD"))?;
    let time = time.parse().map_err(|_why: Invalid| invalid("time", "is not HH:MM"))?;
    let at = schedule.moment(day, time).ok_or_else(|| invalid("day", "is too far away"))?;
    let open = schedule.is_open(at);
    Ok(axum::Json(Verdict {
        at: Rfc3339(at),
        open,
        reason: schedule.reason(at).into(),
        closes_at: schedule.closes_at(at).map(Rfc3339),
        next_open_at: schedule.next_opening(at).filter(|_| !open).map(Rfc3339),
    })
    .into_response())
}

impl From<schedule::Reason> for Reason {
    fn from(reason: schedule::Reason) -> Self {
        match reason {
            schedule::Reason::Within => Self::Within,
            schedule::Reason::Holiday => Self::Holiday,
            schedule::Reason::ClosedDay => Self::ClosedDay,
            schedule::Reason::Outside => Self::Outside,
        }
    }
}

/// The schedule that a widget's hours say.
pub(super) fn schedule(hours: &Hours) -> Result<Schedule, Invalid> {
    let mut week = Week::default();
    for (weekday, spans) in &hours.days {
        let day = match weekday {
            Weekday::Mon => &mut week.monday,
            Weekday::Tue => &mut week.tuesday,
            Weekday::Wed => &mut week.wednesday,
            Weekday::Thu => &mut week.thursday,
            Weekday::Fri => &mut week.friday,
            Weekday::Sat => &mut week.saturday,
            Weekday::Sun => &mut week.sunday,
        };
        for span in spans {
            day.push(OpenHours { opens: span.from.parse()?, closes: span.to.parse()? });
        }
    }
    let closed = |day: &String| Ok((day.parse()?, Vec::new()));
    let holidays = hours.holidays.iter().map(closed).collect::<Result<_, Invalid>>()?;
    Schedule::new(hours.timezone.parse()?, week, holidays)
}

#[cfg(test)]
mod tests {
    use switchboard_domain::ids::Timestamp;

    use super::*;

    #[test]
    fn hours_are_those_of_their_time_zone_and_holidays_are_closed() {
        let hours: Hours = serde_json::from_value(serde_json::json!({
            "timezone": "Europe/Berlin",
            "days": { "mon": [{ "from": "09:00", "to": "17:00" }] },
            "holidays": ["2026-01-12"],
        }))
        .unwrap();
        let schedule = schedule(&hours).unwrap();
        // Monday 2026-01-05; Berlin is an hour ahead.
        let midnight = 1_767_571_200_000;
        for (hour, open) in [(7, false), (8, true), (15, true), (16, false), (24 * 7 + 10, false)] {
            let at = Timestamp(midnight + hour * 3_600_000);
            assert_eq!(schedule.is_open(at), open, "{hour}");
        }
    }
}
