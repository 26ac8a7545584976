//! In what two states of a thing differ, field by field. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Bytes of a value at most: enough to recognize a text by. What is longer is cut.
const VALUE_BYTES_MAX: usize = 512;
/// Bytes of all differences of an entry at most, so that the entries of a tenant are bounded.
const BYTES_MAX: usize = 8 * 1024;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which, with dots between the names: `theme.color`.
    pub field: Arc<str>,
    /// What it was, as JSON; `None` for nothing. What is too long is a string that ends in `…`.
    pub before: Option<Arc<str>>,
    /// What it is, likewise.
    pub after: Option<Arc<str>>,
}

impl Difference {
    /// What can be read in it.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let values = self.before.as_deref().into_iter().chain(self.after.as_deref());
        std::iter::once(&*self.field).chain(values)
    }

    fn bytes(&self) -> usize {
        self.texts().map(str::len).sum()
    }
}

/// The fields in which `after` differs from `before`, by name, as many as there is room for, and
/// how many more there are. What is empty counts as absent.
pub(super) fn differences(before: &Value, after: &Value) -> (Vec<Difference>, u32) {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    let (mut kept, mut bytes, mut n_left_out) = (Vec::new(), 0, 0);
    for difference in found {
        bytes += difference.bytes();
        if bytes <= BYTES_MAX {
            kept.push(difference);
        } else {
            n_left_out += 1;
        }
    }
    (kept, n_left_out)
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    let both = [before, after];
    let names: BTreeSet<&String> =
        both.into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    // Nothing is compared with an object as one that has none of its fields.
    let have_fields = both.into_iter().all(|value| value.is_object() || value.is_null());
    if have_fields && !names.is_empty() {
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            compare(&path, &before[name], &after[name], found);
        }
        return;
    }
    let (before, after) = (said(before), said(after));
    if before != after {
        found.push(Difference { field: path.into(), before, after });
    }
}

/// A value as it is kept; `None` for an empty one.
fn said(value: &Value) -> Option<Arc<str>> {
    let is_empty = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if is_empty {
        return None;
    }
    let json = value.to_string();
    if json.len() <= VALUE_BYTES_MAX {
        return Some(json.into());
    }
    let text = value.as_str().unwrap_or(&json);
    let cut = text.floor_char_boundary(VALUE_BYTES_MAX);
    Some(Value::from(format!("{}…", &text[..cut])).to_string().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The differences as `field: before -> after`.
    fn check(before: &Value, after: &Value, expected: &[&str]) {
        let (found, n_left_out) = differences(before, after);
        let shown = |value: &Option<Arc<str>>| value.as_deref().unwrap_or("-").to_owned();
        let lines: Vec<String> = found
            .iter()
            .map(|it| format!("{}: {} -> {}", it.field, shown(&it.before), shown(&it.after)))
            .collect();
        assert_eq!((lines, n_left_out), (expected.iter().map(ToString::to_string).collect(), 0));
    }

    #[test]
    fn fields_are_compared_by_name_and_in_their_depth() {
        let before = json!({"name": "Shop", "theme": {"color": "#111", "side": "left"}, "n": 1});
        let after = json!({"name": "Shop", "theme": {"color": "#222", "side": "left"}, "on": true});
        check(
            &before,
            &after,
            &["n: 1 -> -", "on: - -> true", "theme.color: \"#111\" -> \"#222\""],
        );
        check(&before, &before, &[]);
    }

    #[test]
    fn what_is_new_or_gone_has_all_its_fields_but_the_empty_ones() {
        let thing =
            json!({"name": "Ben", "email": null, "skills": [], "off": false, "of": {"a": 1}});
        let (new, gone) = (
            ["name: - -> \"Ben\"", "of.a: - -> 1", "off: - -> false"],
            ["name: \"Ben\" -> -", "of.a: 1 -> -", "off: false -> -"],
        );
        check(&Value::Null, &thing, &new);
        check(&thing, &Value::Null, &gone);
    }

    #[test]
    fn a_value_that_becomes_an_object_is_one_difference() {
        check(&json!({"a": "x"}), &json!({"a": {"b": 1}}), &["a: \"x\" -> {\"b\":1}"]);
    }

    #[test]
    fn long_values_are_cut_between_characters_and_too_many_are_counted() {
        let long = "é".repeat(VALUE_BYTES_MAX);
        let (found, _) = differences(&Value::Null, &json!({"text": long, "list": [long]}));
        for difference in &found {
            let after = difference.after.as_deref().unwrap();
            let text: String = serde_json::from_str(after).unwrap();
            assert!(text.ends_with('…') && text.len() <= VALUE_BYTES_MAX + '…'.len_utf8());
        }
        let many: Map<String, Value> =
            (0..100).map(|n| (format!("f{n}"), json!("x".repeat(400)))).collect();
        let (kept, n_left_out) = differences(&Value::Null, &Value::Object(many));
        assert!(kept.iter().map(Difference::bytes).sum::<usize>() <= BYTES_MAX);
        assert_eq!(kept.len() + n_left_out as usize, 100);
        assert!(n_left_out > 0);
    }
}
