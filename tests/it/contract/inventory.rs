//! Inventories: each line of a document, and the step that proves it.
//!
//! `tests/inventory/<dialect>.toml` has a table for each kind of line. A value is the proof,
//! `<transcript>.<step>`, or `part two` for what is not spoken yet. A rule about hours or crowds
//! that no transcript can show has a test as its proof, `test <file> <name>`. The test fails on
//! anything else, and on a proof whose step has nothing to do with the line.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::folder;
use super::transcript::{Step, all};

/// What a line is that is not spoken yet.
const LATER: &str = "part two";

/// The lines of a document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inventory {
    /// Method and path.
    paths: BTreeMap<String, String>,
    /// Events that clients emit.
    emitted: BTreeMap<String, String>,
    /// Events that clients hear.
    heard: BTreeMap<String, String>,
    /// Fields that clients say.
    said: BTreeMap<String, String>,
    /// Fields that clients are told.
    told: BTreeMap<String, String>,
    /// Words for a status and the like.
    words: BTreeMap<String, String>,
    /// Limits, headers and other rules, in our words.
    rules: BTreeMap<String, String>,
    /// Refusals, in our words.
    errors: BTreeMap<String, String>,
}

/// Checks the inventory of a dialect; answers how many lines are proven and how many come later.
pub(super) fn check(dialect: &str) -> (usize, usize) {
    let path = folder("inventory").join(format!("{dialect}.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let inventory: Inventory = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let mut steps: BTreeMap<String, Step> = BTreeMap::new();
    for (name, transcript) in all(dialect) {
        for step in transcript.steps {
            let name = format!("{name}.{}", step.id);
            assert!(steps.insert(name.clone(), step).is_none(), "two steps are called {name}");
        }
    }
    type Proves = fn(&str, &Step) -> bool;
    let kinds: [(&str, &BTreeMap<String, String>, Proves); 8] = [
        ("path", &inventory.paths, asks_for),
        ("emitted", &inventory.emitted, |event, step| step.emit.as_deref() == Some(event)),
        ("heard", &inventory.heard, |event, step| step.hears.as_deref() == Some(event)),
        ("said", &inventory.said, says_field),
        ("told", &inventory.told, is_told_field),
        ("word", &inventory.words, has_word),
        ("rule", &inventory.rules, |_, _| true),
        ("error", &inventory.errors, |_, step| refuses(step)),
    ];
    let (mut n_proven, mut n_later) = (0, 0);
    let mut failures = Vec::new();
    for (kind, lines, proves) in kinds {
        for (line, proof) in lines {
            if proof == LATER {
                n_later += 1;
                continue;
            }
            if let Some(test) = proof.strip_prefix("test ").filter(|_| kind == "rule") {
                if is_test(test) {
                    n_proven += 1;
                } else {
                    failures.push(format!("rule `{line}`: there is no test {test}"));
                }
                continue;
            }
            match steps.get(proof) {
                Some(step) if proves(line, step) => n_proven += 1,
                Some(_) => failures.push(format!("{kind} `{line}` is not in {proof}")),
                None => failures.push(format!("{kind} `{line}`: there is no step {proof}")),
            }
        }
    }
    assert!(failures.is_empty(), "{dialect}: {failures:#?}");
    (n_proven, n_later)
}

/// Whether a file of the workspace has that test.
fn is_test(named: &str) -> bool {
    let (file, name) = named.split_once(' ').expect("a file and a name");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
    text.contains(&format!("fn {name}()"))
}

/// Whether a step requests the path; a segment `:name` stands for any.
fn asks_for(line: &str, step: &Step) -> bool {
    let Some(request) = &step.request else { return false };
    let request = request.split('?').next().unwrap_or_default();
    let (line, request) = (line.split('/'), request.split('/'));
    let (line, request): (Vec<_>, Vec<_>) = (line.collect(), request.collect());
    line.len() == request.len()
        && line.iter().zip(request).all(|(line, found)| line.starts_with(':') || *line == found)
}

fn says_field(line: &str, step: &Step) -> bool {
    let emitted = step.emit.as_ref().map(|_| &step.data);
    [step.body.as_ref(), emitted].into_iter().flatten().any(|said| has_field(said, line))
        || step.request.as_deref().is_some_and(|request| request.contains(&format!("?{line}=")))
}

fn is_told_field(line: &str, step: &Step) -> bool {
    let heard = step.hears.as_ref().map(|_| &step.data);
    let told = [step.response.as_ref(), step.ack.as_ref(), heard];
    told.into_iter().flatten().any(|told| has_field(told, line))
}

/// Whether a value has a field, or a path of fields `customer.name`, somewhere.
fn has_field(value: &Value, path: &str) -> bool {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    match value {
        Value::Object(fields) => {
            let here =
                fields.get(first).is_some_and(|found| rest.is_empty() || has_field(found, rest));
            here || fields.values().any(|value| has_field(value, path))
        }
        Value::Array(items) => items.iter().any(|item| has_field(item, path)),
        _ => false,
    }
}

/// Whether a word stands in a step: `status=pending` is a field with that value.
fn has_word(line: &str, step: &Step) -> bool {
    let (field, word) = line.split_once('=').expect("a field and its word");
    let values = [step.body.as_ref(), step.response.as_ref(), step.ack.as_ref(), Some(&step.data)];
    values.into_iter().flatten().any(|value| has_value(value, field, word))
        || step.request.as_deref().is_some_and(|request| request.ends_with(line))
}

fn has_value(value: &Value, field: &str, word: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            (name == field && value.as_str() == Some(word)) || has_value(value, field, word)
        }),
        Value::Array(items) => items.iter().any(|item| has_value(item, field, word)),
        _ => false,
    }
}

fn refuses(step: &Step) -> bool {
    let is_status = step.status.is_some_and(|status| status >= 400);
    let is_ack = step.ack.as_ref().is_some_and(|ack| ack["success"] == false);
    let is_told = step.hears.as_deref() == Some("error");
    is_status || is_ack || is_told || step.refused.is_some()
}
