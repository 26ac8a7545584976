use serde_json::{Value, json};

use switchboard_domain::ids::{AgentId, Timestamp};
use switchboard_domain::person::AgentRef;
use switchboard_store::Document;

use super::{Address, Offline, Settings, Side, Widget, minute_of_day};
use crate::directory::record::{decode, encode};
use crate::directory::{Error, LastChange};

fn settings(change: Value) -> Result<Settings, serde_json::Error> {
    let mut settings = json!({"name": "Main"});
    let (Some(members), Value::Object(change)) = (settings.as_object_mut(), change) else {
        panic!("objects")
    };
    members.extend(change);
    serde_json::from_value(settings)
}

fn question(name: &str, kind: &str) -> Value {
    json!({"name": name, "label": "What?", "kind": kind})
}

fn choice(choices: &[&str], kind: &str) -> Value {
    json!({"name": "topic", "label": "What?", "kind": kind, "choices": choices})
}

fn prechat(fields: &[Value]) -> Value {
    json!({"prechat": {"fields": fields}})
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
        ("theme.background", json!({"theme": {"background": "url(//x)"}})),
        ("theme.text", json!({"theme": {"text": "#fff"}})),
        ("theme.radius", json!({"theme": {"radius": 25}})),
        ("auto_open_s", json!({"auto_open_s": 601})),
        ("queue_max", json!({"queue_max": 0})),
        ("queue_max", json!({"queue_max": 10_001})),
        ("offline.redirect_url", json!({"offline": {"behavior": "redirect"}})),
        ("offline.redirect_url", json!({"offline": {"redirect_url": "javascript:alert(1)"}})),
        ("prechat.fields", prechat(&vec![question("a", "text"); 9])),
        ("prechat.fields", prechat(&[question("a", "text"), question("a", "long")])),
        ("prechat.fields.name", prechat(&[question("Not Short", "text")])),
        ("prechat.fields.label", prechat(&[json!({"name": "a", "label": " ", "kind": "text"})])),
        ("prechat.fields.kind", prechat(&[question("email", "text")])),
        ("prechat.fields.choices", prechat(&[question("a", "choice")])),
        ("prechat.fields.choices", prechat(&[choice(&["x"], "text")])),
        ("prechat.fields.choices", prechat(&[choice(&["x", "x"], "choice")])),
        ("prechat.fields.choices", prechat(&[choice(&["c"; 33], "choice")])),
        ("department_required", json!({"department_required": true})),
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
        json!({"locale": "xx"}),
        json!({"auto_open_s": -1}),
        json!({"prechat": {"fields": [{"name": "a", "label": "A", "kind": "html"}]}}),
        json!({"offline": {"behavior": "redirect", "script": "x"}}),
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

#[test]
fn what_was_stored_before_a_setting_came_has_its_default() {
    // As version 1 wrote it: a version byte, then MessagePack with named fields.
    let form = json!({
        "name": "Old", "allowed_origins": ["https://shop.example"], "welcome": "Hi",
        "theme": {"accent": "#112233", "side": "left", "scheme": "dark"}, "departments": ["sales"],
    });
    let mut bytes = vec![1];
    bytes.extend(rmp_serde::to_vec_named(&form).unwrap());
    let read = |bytes: &[u8]| {
        let document = Document { id: "main".into(), version: 3, bytes: bytes.to_vec() };
        decode::<Widget>(&document).unwrap()
    };
    let widget = &read(&bytes).value;
    let settings = &widget.settings;
    assert_eq!(settings.name, "Old");
    assert_eq!(settings.theme.side, Side::Left);
    assert!(settings.enabled && settings.show_avatars);
    assert!(!settings.uploads && !settings.identity_required && settings.prechat.fields.is_empty());
    assert_eq!(settings.offline, Offline::default());
    // The next write is of the newest version, and reads the same.
    let written = encode(widget).unwrap();
    assert_eq!(written[0], 3);
    assert_eq!(read(&written).value, *widget);
}

#[test]
fn every_setting_survives_being_stored() {
    let full = settings(json!({
        "enabled": false, "allowed_origins": ["https://*.shop.example"], "welcome": "Hi",
        "offline_message": "Later", "auto_open_s": 0, "show_avatars": false, "uploads": true,
        "offline": {"behavior": "redirect", "redirect_url": "https://shop.example/contact"},
        "theme": {"accent": "#112233", "background": "#ffffff", "text": "#000000", "radius": 0,
                  "side": "left", "scheme": "light", "title": "Ask"},
        "locale": "ar", "preview_typing": true, "email_required": true, "identity_required": true,
        "prechat": {"fields": [choice(&["a", "b"], "choice"), question("email", "email")]},
        "departments": ["sales"], "department_required": true, "routing": "manual",
        "hours": {"timezone": "Asia/Riyadh", "days": {"sun": [{"from": "09:00", "to": "17:00"}]}},
    }));
    let by = AgentRef { id: AgentId::from_u128(1), name: "Ada".into() };
    let changed = LastChange { by, at: Timestamp(1) };
    let widget = Widget::new("main", full.unwrap()).unwrap().changed_by(Some(changed));
    let document = Document { id: "main".into(), version: 1, bytes: encode(&widget).unwrap() };
    assert_eq!(decode::<Widget>(&document).unwrap().value, widget);
}
