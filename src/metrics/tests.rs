use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::*;

/// Where the table of metrics stands in the handbook.
const TABLE_START: &str = "<!-- metrics: made from the code, a test compares -->\n";
const TABLE_END: &str = "<!-- end of metrics -->\n";

/// A node that has seen something of everything.
fn shown() -> String {
    let metrics = Metrics::new();
    metrics.requests.answered(Some("/v1/{id}"), http::StatusCode::OK, Duration::from_millis(1));
    metrics.render()
}

#[test]
fn names_have_our_prefix_and_few_characters() {
    let shown = shown();
    let names: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let rest = name.strip_prefix("switchboard_").unwrap_or_else(|| panic!("{name}"));
        assert!(rest.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(!rest.contains("__") && !rest.ends_with('_'), "{name}");
        assert!(rest == "build" || rest.contains('_'), "{name} says no noun and verb");
    }
}

#[test]
fn labels_are_bounded() {
    let metrics = Metrics::new();
    metrics.requests.answered(None, http::StatusCode::NOT_FOUND, Duration::ZERO);
    let before = metrics.render().lines().count();
    for n in 0..1_000_u16 {
        metrics.streams.opened(&format!("principal {n}"));
        metrics.streams.ended(&format!("principal {n}"), 3_000 + n);
        metrics.requests.answered(None, http::StatusCode::NOT_FOUND, Duration::ZERO);
    }
    assert_eq!(metrics.render().lines().count(), before);
    assert_eq!(metrics.streams.closed.of("other").get(), 1_000);
}

#[test]
fn a_stream_ends_under_its_code() {
    let metrics = Metrics::new();
    metrics.streams.opened("visitor");
    metrics.streams.ended("visitor", 4_008);
    assert_eq!(metrics.streams.closed.of("4008").get(), 1);
    assert_eq!(metrics.streams.open.of("visitor").get(), 0);
}

#[test]
fn every_close_of_ours_is_counted_by_its_code() {
    use crate::edge::problem::Close;
    let closes = [
        Close::Gone,
        Close::NotWebSocket,
        Close::NotUtf8,
        Close::TooLarge,
        Close::Drain,
        Close::Slow,
        Close::NoPong,
        Close::Rate,
        Close::Void,
        Close::Unauthenticated,
        Close::Protocol,
    ];
    let codes: Vec<String> = closes.iter().map(|close| close.row().0.to_string()).collect();
    assert_eq!(codes, CLOSE_CODES);
}

#[test]
fn the_handbook_lists_what_is_counted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    let (before, rest) = page.split_once(TABLE_START).expect("the handbook has the table");
    let (written, after) = rest.split_once(TABLE_END).expect("the table ends");
    let made = table(&shown());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, [before, TABLE_START, &made, TABLE_END, after].concat()).unwrap();
    } else {
        assert!(written == made, "the metrics of docs/OPERATIONS.md: run with UPDATE_GOLDEN=1");
    }
}

fn table(shown: &str) -> String {
    let mut kinds: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in shown.lines() {
        let mut words = line.splitn(4, ' ');
        let (Some("#"), Some(what), Some(name), Some(text)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let entry = kinds.entry(name).or_default();
        match what {
            "HELP" => entry.1 = text,
            "TYPE" => entry.0 = text,
            _ => {}
        }
    }
    let mut table = "\n| metric | kind | labels | |\n|---|---|---|---|\n".to_owned();
    for (name, (kind, help)) in kinds {
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let labels = labels_of(shown, name);
        writeln!(table, "| `{name}{suffix}` | {kind} | {labels} | {help} |").unwrap();
    }
    table.push('\n');
    table
}

/// The labels of a metric, but for a histogram's own.
fn labels_of(shown: &str, name: &str) -> String {
    let line = shown
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', '_', ' '])));
    let labels = line.and_then(|line| line.split_once('{')).map_or("", |(_, rest)| rest);
    let labels = labels.rsplit_once('}').map_or("", |(labels, _)| labels);
    let names = labels.split("\",").filter_map(|label| label.split_once('='));
    let names: Vec<String> =
        names.filter(|(name, _)| *name != "le").map(|(name, _)| format!("`{name}`")).collect();
    names.join(", ")
}
