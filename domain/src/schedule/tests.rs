use super::*;

/// `09:00-12:00 13:00-17:30`; empty for closed.
fn hours(text: &str) -> Vec<Hours> {
    text.split_whitespace()
        .map(|hours| {
            let (opens, closes) = hours.split_once('-').unwrap();
            Hours { opens: opens.parse().unwrap(), closes: closes.parse().unwrap() }
        })
        .collect()
}

/// Monday to Friday, Saturday, Sunday.
fn schedule(zone: &str, weekdays: &str, saturday: &str, sunday: &str) -> Schedule {
    let week = Week {
        monday: hours(weekdays),
        tuesday: hours(weekdays),
        wednesday: hours(weekdays),
        thursday: hours(weekdays),
        friday: hours(weekdays),
        saturday: hours(saturday),
        sunday: hours(sunday),
    };
    Schedule::new(zone.parse().unwrap(), week, BTreeMap::new()).unwrap()
}

fn every_day(zone: &str, text: &str) -> Schedule {
    schedule(zone, text, text, text)
}

fn with_holidays(schedule: &Schedule, holidays: &[(&str, &str)]) -> Schedule {
    let holidays = holidays.iter().map(|(day, text)| (day.parse().unwrap(), hours(text))).collect();
    Schedule::new(schedule.zone.clone(), schedule.week.clone(), holidays).unwrap()
}

fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp(instant.as_millisecond())
}

fn shown(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| instant_of(at).to_string())
}

/// At each time: when it is open next (the same time when it is open), and when it closes.
#[track_caller]
fn check(schedule: &Schedule, rows: &[(&str, Option<&str>, Option<&str>)]) {
    for (time, opening, closing) in rows {
        let is_open = *opening == Some(*time);
        assert_eq!(schedule.is_open(at(time)), is_open, "{time}");
        assert_eq!(shown(schedule.next_opening(at(time))).as_deref(), *opening, "{time} opens");
        assert_eq!(shown(schedule.closes_at(at(time))).as_deref(), *closing, "{time} closes");
    }
}

#[test]
fn hours_are_on_the_wall_clock_of_the_zone() {
    // 2026-01-16 is a Friday; Berlin is one hour ahead of UTC.
    let office = schedule("Europe/Berlin", "09:00-12:00 13:00-17:30", "10:00-12:00", "");
    check(
        &office,
        &[
            ("2026-01-16T07:59:59Z", Some("2026-01-16T08:00:00Z"), None),
            ("2026-01-16T08:00:00Z", Some("2026-01-16T08:00:00Z"), Some("2026-01-16T11:00:00Z")),
            ("2026-01-16T10:59:59Z", Some("2026-01-16T10:59:59Z"), Some("2026-01-16T11:00:00Z")),
            ("2026-01-16T11:00:00Z", Some("2026-01-16T12:00:00Z"), None),
            ("2026-01-16T16:30:00Z", Some("2026-01-17T09:00:00Z"), None),
            ("2026-01-17T11:00:00Z", Some("2026-01-19T08:00:00Z"), None),
            ("2026-01-18T23:30:00Z", Some("2026-01-19T08:00:00Z"), None),
        ],
    );
    let kolkata = every_day("Asia/Kolkata", "09:15-18:00");
    check(
        &kolkata,
        &[
            ("2026-01-16T03:44:00Z", Some("2026-01-16T03:45:00Z"), None),
            ("2026-01-16T03:45:00Z", Some("2026-01-16T03:45:00Z"), Some("2026-01-16T12:30:00Z")),
        ],
    );
}

#[test]
fn hours_past_midnight_are_one_stretch() {
    let night = every_day("America/New_York", "00:00-02:00 22:00-24:00");
    check(
        &night,
        &[
            ("2026-01-16T02:59:00Z", Some("2026-01-16T03:00:00Z"), None),
            ("2026-01-16T03:00:00Z", Some("2026-01-16T03:00:00Z"), Some("2026-01-16T07:00:00Z")),
            ("2026-01-16T05:00:00Z", Some("2026-01-16T05:00:00Z"), Some("2026-01-16T07:00:00Z")),
            ("2026-01-16T07:00:00Z", Some("2026-01-17T03:00:00Z"), None),
        ],
    );
}

#[test]
fn holidays_replace_the_weekday() {
    let office = every_day("Europe/Berlin", "09:00-17:00");
    let office = with_holidays(
        &office,
        &[("2026-12-24", "09:00-12:00"), ("2026-12-25", ""), ("2026-12-26", "")],
    );
    check(
        &office,
        &[
            ("2026-12-24T10:59:00Z", Some("2026-12-24T10:59:00Z"), Some("2026-12-24T11:00:00Z")),
            ("2026-12-24T11:00:00Z", Some("2026-12-27T08:00:00Z"), None),
            ("2026-12-25T10:00:00Z", Some("2026-12-27T08:00:00Z"), None),
            ("2026-12-27T10:00:00Z", Some("2026-12-27T10:00:00Z"), Some("2026-12-27T16:00:00Z")),
        ],
    );
    let closed_on_mondays_but_one =
        with_holidays(&schedule("UTC", "", "", ""), &[("2026-06-01", "10:00-11:00")]);
    check(
        &closed_on_mondays_but_one,
        &[
            ("2026-05-25T00:00:00Z", Some("2026-06-01T10:00:00Z"), None),
            ("2026-06-01T11:00:00Z", None, None),
        ],
    );
}

#[test]
fn a_day_says_why_it_is_closed() {
    let office = schedule("Europe/Berlin", "09:00-17:00", "", "");
    let office = with_holidays(&office, &[("2026-12-24", "09:00-12:00"), ("2026-12-25", "")]);
    // The wall clock of Berlin; 2026-12-26 is a Saturday.
    for (day, time, reason, moment) in [
        ("2026-12-23", "10:00", Reason::Within, "2026-12-23T09:00:00Z"),
        ("2026-12-23", "08:59", Reason::Outside, "2026-12-23T07:59:00Z"),
        ("2026-12-23", "17:00", Reason::Outside, "2026-12-23T16:00:00Z"),
        ("2026-12-24", "12:00", Reason::Outside, "2026-12-24T11:00:00Z"),
        ("2026-12-25", "10:00", Reason::Holiday, "2026-12-25T09:00:00Z"),
        ("2026-12-25", "00:30", Reason::Holiday, "2026-12-24T23:30:00Z"),
        ("2026-12-26", "10:00", Reason::ClosedDay, "2026-12-26T09:00:00Z"),
        // The clock skips from 02:00 to 03:00.
        ("2026-03-29", "02:30", Reason::ClosedDay, "2026-03-29T01:00:00Z"),
    ] {
        let then = office.moment(day.parse().unwrap(), time.parse().unwrap());
        assert_eq!(shown(then).as_deref(), Some(moment), "{day} {time}");
        assert_eq!(office.reason(at(moment)), reason, "{day} {time}");
    }
}

#[test]
fn never_and_always() {
    check(&schedule("UTC", "", "", ""), &[("2026-01-16T00:00:00Z", None, None)]);
    check(
        &Schedule::always(),
        &[
            ("2026-01-16T00:00:00Z", Some("2026-01-16T00:00:00Z"), None),
            ("2026-01-16T23:59:59.999Z", Some("2026-01-16T23:59:59.999Z"), None),
        ],
    );
    let all_week = schedule("Europe/Berlin", "00:00-24:00", "00:00-24:00", "");
    check(
        &all_week,
        &[("2026-01-14T12:00:00Z", Some("2026-01-14T12:00:00Z"), Some("2026-01-17T23:00:00Z"))],
    );
}

#[test]
fn the_same_hours_are_an_hour_earlier_in_summer() {
    let office = every_day("Europe/Berlin", "09:00-17:00");
    check(
        &office,
        &[
            ("2026-03-28T07:00:00Z", Some("2026-03-28T08:00:00Z"), None),
            ("2026-03-28T16:00:00Z", Some("2026-03-29T07:00:00Z"), None),
            ("2026-03-29T07:00:00Z", Some("2026-03-29T07:00:00Z"), Some("2026-03-29T15:00:00Z")),
            ("2026-10-24T15:00:00Z", Some("2026-10-25T08:00:00Z"), None),
            ("2026-10-25T08:00:00Z", Some("2026-10-25T08:00:00Z"), Some("2026-10-25T16:00:00Z")),
        ],
    );
    // The southern half of the world turns the other way.
    let sydney = every_day("Australia/Sydney", "09:00-17:00");
    check(
        &sydney,
        &[
            ("2026-04-04T06:00:00Z", Some("2026-04-04T23:00:00Z"), None),
            ("2026-10-03T07:00:00Z", Some("2026-10-03T22:00:00Z"), None),
        ],
    );
}

#[test]
fn a_skipped_time_is_the_moment_skipped_to() {
    // Berlin, 2026-03-29: 02:00 is followed by 03:00, at 01:00 UTC.
    let opens_in_the_gap = every_day("Europe/Berlin", "02:30-06:00");
    check(
        &opens_in_the_gap,
        &[
            ("2026-03-29T00:59:59Z", Some("2026-03-29T01:00:00Z"), None),
            ("2026-03-29T01:00:00Z", Some("2026-03-29T01:00:00Z"), Some("2026-03-29T04:00:00Z")),
        ],
    );
    let closes_in_the_gap = every_day("Europe/Berlin", "01:00-02:30");
    check(
        &closes_in_the_gap,
        &[
            ("2026-03-29T00:59:59Z", Some("2026-03-29T00:59:59Z"), Some("2026-03-29T01:00:00Z")),
            ("2026-03-29T01:00:00Z", Some("2026-03-29T23:00:00Z"), None),
        ],
    );
    let within_the_gap = every_day("Europe/Berlin", "02:10-02:50");
    check(
        &within_the_gap,
        &[
            ("2026-03-29T00:30:00Z", Some("2026-03-30T00:10:00Z"), None),
            ("2026-03-29T01:00:00Z", Some("2026-03-30T00:10:00Z"), None),
        ],
    );
    // Cairo skips midnight: 2026-04-24 begins at 01:00, at 22:00 UTC of the 23rd.
    let cairo = every_day("Africa/Cairo", "00:00-02:00");
    check(
        &cairo,
        &[
            ("2026-04-23T21:59:59Z", Some("2026-04-23T22:00:00Z"), None),
            ("2026-04-23T22:00:00Z", Some("2026-04-23T22:00:00Z"), Some("2026-04-23T23:00:00Z")),
        ],
    );
}

#[test]
fn a_time_shown_twice_opens_first_and_closes_last() {
    // Berlin, 2026-10-25: 03:00 is followed by 02:00, at 01:00 UTC; 02:30 is at 00:30 and 01:30.
    let opens_in_the_fold = every_day("Europe/Berlin", "02:30-06:00");
    check(
        &opens_in_the_fold,
        &[
            ("2026-10-25T00:29:59Z", Some("2026-10-25T00:30:00Z"), None),
            ("2026-10-25T00:30:00Z", Some("2026-10-25T00:30:00Z"), Some("2026-10-25T05:00:00Z")),
            ("2026-10-25T01:10:00Z", Some("2026-10-25T01:10:00Z"), Some("2026-10-25T05:00:00Z")),
        ],
    );
    let closes_in_the_fold = every_day("Europe/Berlin", "01:00-02:30");
    check(
        &closes_in_the_fold,
        &[
            ("2026-10-25T00:45:00Z", Some("2026-10-25T00:45:00Z"), Some("2026-10-25T01:30:00Z")),
            ("2026-10-25T01:30:00Z", Some("2026-10-26T00:00:00Z"), None),
        ],
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (text, expect) in [
        ("00:00", Ok(0)),
        ("09:30", Ok(570)),
        ("24:00", Ok(1_440)),
        ("24:01", Err(Invalid::Time)),
        ("09:60", Err(Invalid::Time)),
        ("9:30", Err(Invalid::Time)),
        ("09-30", Err(Invalid::Time)),
        ("+9:30", Err(Invalid::Time)),
        ("", Err(Invalid::Time)),
    ] {
        assert_eq!(text.parse().map(|TimeOfDay(minutes)| minutes), expect, "{text:?}");
    }
    for (text, expect) in [
        ("2026-12-24", true),
        ("2028-02-29", true),
        ("2026-02-29", false),
        ("2026-13-01", false),
        ("24.12.2026", false),
        ("2026-12-24T10:00", false),
    ] {
        let day = text.parse::<Day>();
        assert_eq!(day.is_ok(), expect, "{text:?}");
        assert_eq!(day.map_or_else(|_| text.to_owned(), |day| day.to_string()), text);
    }
    assert_eq!("Mars/Olympus".parse::<Zone>(), Err(Invalid::Zone));
    assert_eq!(
        "europe/berlin".parse::<Zone>().map(|zone| zone.name().to_owned()),
        Ok("Europe/Berlin".into())
    );
    assert_eq!(Zone::utc().name(), "UTC");
    for (text, expect) in [
        ("09:00-12:00 12:00-13:00", None),
        ("13:00-14:00 09:00-12:00", None),
        ("09:00-09:00", Some(Invalid::Empty)),
        ("22:00-02:00", Some(Invalid::Empty)),
        ("09:00-12:00 11:59-13:00", Some(Invalid::Overlap)),
    ] {
        let week = Week { sunday: hours(text), ..Week::default() };
        let found = Schedule::new(Zone::utc(), week, BTreeMap::new()).err();
        assert_eq!(found, expect, "{text}");
        let holidays = BTreeMap::from([("2026-12-24".parse().unwrap(), hours(text))]);
        let found = Schedule::new(Zone::utc(), Week::default(), holidays).err();
        assert_eq!(found, expect, "{text} on a holiday");
    }
    let many: Vec<Hours> = (0..=u16::try_from(HOURS_PER_DAY_MAX).unwrap())
        .map(|n| Hours { opens: TimeOfDay(2 * n), closes: TimeOfDay(2 * n + 1) })
        .collect();
    let week = Week { sunday: many, ..Week::default() };
    let found = Schedule::new(Zone::utc(), week, BTreeMap::new());
    assert_eq!(found, Err(Invalid::TooMany));
}

#[test]
fn days_are_those_of_the_zone() {
    for (zone, time, expect) in [
        ("UTC", "2026-01-16T23:30:00Z", "2026-01-16"),
        ("Europe/Berlin", "2026-01-16T23:30:00Z", "2026-01-17"),
        ("America/New_York", "2026-01-16T04:30:00Z", "2026-01-15"),
        ("Pacific/Kiritimati", "2026-01-16T10:00:00Z", "2026-01-17"),
    ] {
        let zone: Zone = zone.parse().unwrap();
        assert_eq!(zone.day(at(time)).to_string(), expect);
    }
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    for time in [i64::MIN, i64::MAX] {
        let office = every_day("Europe/Berlin", "09:00-17:00");
        assert!(!office.is_open(Timestamp(time)) || office.closes_at(Timestamp(time)).is_some());
        let _ = office.next_opening(Timestamp(time));
    }
}

/// Every five minutes of the days around four changes of clocks: open exactly when the wall clock
/// says so where no hours touch the change, and never closed against it anywhere.
#[test]
fn the_wall_clock_agrees() {
    for (name, text, is_exact) in [
        ("Europe/Berlin", "09:00-17:00", true),
        ("America/St_Johns", "08:15-12:00 12:45-22:30", true),
        ("Africa/Cairo", "01:30-06:00 21:00-22:00", true),
        ("Europe/Berlin", "00:00-02:30 22:00-24:00", false),
        ("Australia/Lord_Howe", "01:45-02:15", false),
    ] {
        let schedule = every_day(name, text);
        let hours = hours(text);
        let changes = schedule.zone.0.following(instant_of(at("2026-01-01T00:00:00Z")));
        let mut n_open = 0;
        for (change, five_minutes) in
            changes.take(4).flat_map(|change| (-400..400).map(move |n| (change.timestamp(), n)))
        {
            let at = Timestamp(change.as_millisecond()).plus_ms(five_minutes * 5 * 60_000);
            let clock = schedule.zone.0.to_datetime(instant_of(at));
            let minutes = i16::from(clock.hour()) * 60 + i16::from(clock.minute());
            let minutes = u16::try_from(minutes).unwrap();
            let says_open =
                hours.iter().any(|hours| (hours.opens.0..hours.closes.0).contains(&minutes));
            let is_open = schedule.is_open(at);
            assert!(is_open || !says_open, "{name} {text} at {clock}");
            assert!(!is_exact || is_open == says_open, "{name} {text} at {clock}");
            n_open += i32::from(is_open);
        }
        assert!(n_open > 0, "{name} {text}");
    }
}
