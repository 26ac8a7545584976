//! Makes `docs/SETTINGS.md` from the structs: the texts are their doc comments, the defaults
//! their defaults. The test fails when the page differs; with `UPDATE_GOLDEN=1` it writes it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::{Config, read};

/// Each section, with the file and the struct that it is read into.
const SECTIONS: &[(&str, &str, &str)] = &[
    ("server", include_str!("../config.rs"), "Server"),
    ("listener", include_str!("../edge/listener.rs"), "Config"),
    ("store", include_str!("../config.rs"), "Store"),
    ("cql", include_str!("cql.rs"), "Cql"),
    ("cluster", include_str!("cluster.rs"), "Cluster"),
    ("jwt", include_str!("../auth.rs"), "SecretConfig"),
    ("auth", include_str!("../auth.rs"), "Config"),
    ("actors", include_str!("../config.rs"), "Actors"),
    ("limits", include_str!("../edge/limits.rs"), "Config"),
    ("dialects", include_str!("../edge/dialect.rs"), "Config"),
    ("log", include_str!("../telemetry.rs"), "Config"),
];

const HEAD: &str = "# Settings

Settings come from a TOML file (`--config FILE`), over it the environment, over that the command
line. A key that nothing reads refuses to start and names the nearest known one, as does a value
of the wrong kind. An empty variable counts as not set. Lists are separated by commas in the
environment. Times and sizes say their unit in their name. `switchboard check-config` reads all of
it and says what is wrong.

This page is made from the code; a test compares it.

";

#[test]
fn the_settings_page_says_what_the_code_reads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SETTINGS.md");
    let made = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == made, "docs/SETTINGS.md is out of date: run this test with UPDATE_GOLDEN=1");
}

#[test]
fn every_section_is_in_the_reference() {
    let Value::Object(config) = serde_json::to_value(Config::default()).unwrap() else {
        panic!("settings are an object")
    };
    let sections: Vec<&str> =
        config.iter().filter(|(_, it)| it.is_object()).map(|(key, _)| key.as_str()).collect();
    let mut known: Vec<&str> = SECTIONS.iter().map(|(section, _, _)| *section).collect();
    known.sort_unstable();
    assert_eq!(sections, known);
}

fn page() -> String {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut page = HEAD.to_owned();
    let root = fields(include_str!("../config.rs"), "Config");
    let environment = &root.iter().find(|(key, _)| key == "environment").unwrap().1;
    page.push_str(&table("", &[("environment".to_owned(), environment.clone())], &defaults));
    for (section, source, name) in SECTIONS {
        let about = &root.iter().find(|(key, _)| key == section).unwrap().1;
        write!(page, "\n## `[{section}]`\n\n{about}\n\n").unwrap();
        page.push_str(&table(section, &fields(source, name), &defaults[section]));
    }
    page
}

fn table(section: &str, fields: &[(String, String)], defaults: &Value) -> String {
    let mut table = "| setting | default | environment | |\n|---|---|---|---|\n".to_owned();
    for (key, about) in fields {
        let default = match &defaults[key] {
            Value::Null => "none".to_owned(),
            Value::Array(items) if items.is_empty() => "none".to_owned(),
            Value::String(text) => format!("`\"{text}\"`"),
            other => format!("`{other}`"),
        };
        let full = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        let variable = read::variable_of(&full);
        let about = about.replace('|', "\\|");
        writeln!(table, "| `{key}` | {default} | `{variable}` | {about} |").unwrap();
    }
    table
}

/// The fields of a struct in a source text, each with its doc comment.
fn fields(source: &str, name: &str) -> Vec<(String, String)> {
    let start = format!("pub struct {name} {{");
    let body = source.split(&start).nth(1).expect("the struct is in its file");
    let body = body.split("\n}").next().expect("a struct ends");
    let mut fields = Vec::new();
    let mut about: Vec<&str> = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            about.push(text.trim());
        } else if let Some(field) = line.strip_prefix("pub ") {
            let key = field.split(':').next().expect("a field has a type").to_owned();
            fields.push((key, std::mem::take(&mut about).join(" ")));
        }
    }
    fields
}
