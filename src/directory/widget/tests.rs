use serde_json::{Value, json};

use super::{Address, Settings, Widget, minute_of_day};
use crate::directory::Error;

fn settings(change: Value) -> Result<Settings, serde_json::Error> {
    let mut settings = json!({"name": "Main"});
    let (Some(members), Value::Object(change)) = (settings.as_object_mut(), change) else {
        panic!("objects")
    };
    members.extend(change);
    serde_json::from_value(settings)
}

#[test]
fn settings_out_of_bounds_are_refused_by_name() {
    let hours = |days: Value| json!({"hours": {"timezone": "UTC", "days": days}});
    let table = [
        ("name", json!({"name": ""})),
        ("name", json!({"name": "n".repeat(201)})),
        ("allowed_origins", json!({"allowed_origins": vec!["https://a.example"; 65]})),
        ("welcome", json!({"welcome": "w".repeat(16_385)})),
        ("welcome", json!({"welcome": "a\u{0}b"})),
        ("offline_message", json!({"offline_message": "a\u{1b}[31mb"})),
        ("theme.accent", json!({"theme": {"accent": "red"}})),
        ("theme.accent", json!({"theme": {"accent": "#12345g"}})),
        ("theme.accent", json!({"theme": {"accent": "#123;}x"}})),
        ("theme.title", json!({"theme": {"title": "t".repeat(201)}})),
        ("departments", json!({"departments": ["Not Short"]})),
        ("departments", json!({"departments": vec!["d"; 33]})),
        ("hours.timezone", json!({"hours": {"timezone": "Mars/Olympus"}})),
        ("hours.days", hours(json!({"mon": [{"from": "9:00", "to": "17:00"}]}))),
        ("hours.days", hours(json!({"mon": [{"from": "17:00", "to": "09:00"}]}))),
        ("hours.days", hours(json!({"mon": [{"from": "09:00", "to": "24:01"}]}))),
        (
            "hours.days",
            hours(
                json!({"mon": [{"from": "09:00", "to": "12:00"}, {"from": "11:00", "to": "13:00"}]}),
            ),
        ),
        ("hours.days", hours(json!({"mon": vec![json!({"from": "09:00", "to": "10:00"}); 5]}))),
        ("hours.holidays", json!({"hours": {"timezone": "UTC", "holidays": ["2026-02-30"]}})),
        ("hours.holidays", json!({"hours": {"timezone": "UTC", "holidays": ["20261225"]}})),
    ];
    for (name, change) in table {
        match Widget::new("main", settings(change.clone()).unwrap()) {
            Err(Error::Invalid { field, .. }) => assert_eq!(field, name, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }
    assert!(Widget::new("main", settings(json!({})).unwrap()).is_ok());
    for id in ["", "Main", "a b", "-a", "a.b", "../a", &"a".repeat(65)] {
        assert!(Widget::new(id, settings(json!({})).unwrap()).is_err(), "{id}");
    }
}

#[test]
fn settings_that_nobody_knows_are_refused() {
    for change in [
        json!({"tenant": "other"}),
        json!({"is_admin": true}),
        json!({"theme": {"css": "*{}"}}),
        json!({"hours": {"timezone": "UTC", "days": {"monday": []}}}),
        json!({"name": {"$ne": ""}}),
        json!({"routing": "everybody"}),
        json!({"allowed_origins": ["*"]}),
        json!({"allowed_origins": "https://a.example"}),
    ] {
        assert!(settings(change.clone()).is_err(), "{change}");
    }
}

#[test]
fn an_address_says_its_tenant() {
    for (text, tenant, widget) in
        [("demo", "default", "demo"), ("acme.main", "acme", "main"), ("a-1.b_2", "a-1", "b_2")]
    {
        let address = Address::parse(text).unwrap();
        assert_eq!((&*address.tenant.0, &*address.widget.0), (tenant, widget));
        assert_eq!(address.to_string(), text);
    }
    for bad in ["", ".", ".demo", "demo.", "a.b.c", "A.b", "a.B", "a b", "../x", "a/b", "%2e"] {
        assert!(Address::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn times_of_day_are_four_digits_and_a_colon() {
    for (text, minutes) in [("00:00", 0), ("09:05", 545), ("23:59", 1_439), ("24:00", 1_440)] {
        assert_eq!(minute_of_day(text), Some(minutes), "{text}");
    }
    for bad in ["", "9:00", "09:60", "24:01", "25:00", "+9:00", "09-00", "09:00 ", "٠٩:٠"] {
        assert_eq!(minute_of_day(bad), None, "{bad}");
    }
}
