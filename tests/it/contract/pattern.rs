//! What an answer must look like: a value with placeholders.
//!
//! `$any`, `$number`, `$text`, `$time` and `$uuid` stand for anything of their kind. Any other
//! `$name` stands for one value: the first that is met is kept, later ones must equal it. Objects
//! have exactly the named fields, unless one is `"...": $any`. Lists have exactly those items,
//! unless the first is `$has`: then each of the others must be among them.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the names stand for.
pub(super) type Kept = BTreeMap<String, Value>;

/// Fills the kept names in. `$letters-16` is a text of so many letters.
pub(super) fn filled(pattern: &Value, kept: &Kept) -> Value {
    match pattern {
        Value::String(text) if text.starts_with("$letters-") => {
            Value::String("x".repeat(text["$letters-".len()..].parse().expect("a number")))
        }
        Value::String(text) => match text.strip_prefix('$').and_then(|name| kept.get(name)) {
            Some(value) => value.clone(),
            None => Value::String(filled_text(text, kept)),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, kept)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), filled(value, kept))).collect()
        }
        other => other.clone(),
    }
}

/// Fills names in a text: `/api/live-chat/{session}/messages`.
pub(super) fn filled_text(text: &str, kept: &Kept) -> String {
    kept.iter().fold(text.to_owned(), |text, (name, value)| {
        let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace(&format!("{{{name}}}"), &plain)
    })
}

/// Whether a value is as the pattern says; keeps what new names stand for when it is.
pub(super) fn matches(pattern: &Value, value: &Value, kept: &mut Kept) -> Result<(), String> {
    let mut met = kept.clone();
    check(pattern, value, &mut met, "")?;
    *kept = met;
    Ok(())
}

fn check(pattern: &Value, value: &Value, kept: &mut Kept, at: &str) -> Result<(), String> {
    let differs = || Err(format!("at `{at}`: {value} is not {pattern}"));
    match pattern {
        Value::String(name) if name.starts_with('$') => {
            let is_good = match &name[1..] {
                "any" => true,
                "number" => value.is_number(),
                "text" => value.is_string(),
                "time" => value.as_str().is_some_and(is_time),
                "uuid" => value.as_str().is_some_and(|text| uuid::Uuid::try_parse(text).is_ok()),
                name => match kept.get(name) {
                    Some(known) => known == value,
                    None => {
                        kept.insert(name.to_owned(), value.clone());
                        true
                    }
                },
            };
            if is_good { Ok(()) } else { differs() }
        }
        Value::Object(fields) => {
            let Some(found) = value.as_object() else { return differs() };
            for (name, pattern) in fields.iter().filter(|(name, _)| *name != "...") {
                let at = format!("{at}.{name}");
                let Some(value) = found.get(name) else {
                    return Err(format!("`{at}` is missing in {value}"));
                };
                check(pattern, value, kept, &at)?;
            }
            let more = found.keys().find(|name| !fields.contains_key(*name));
            match more.filter(|_| !fields.contains_key("...")) {
                Some(name) => Err(format!("`{at}.{name}` is more than was expected: {value}")),
                None => Ok(()),
            }
        }
        Value::Array(items) => {
            let Some(found) = value.as_array() else { return differs() };
            if items.first().is_some_and(|first| first == "$has") {
                for item in &items[1..] {
                    let has = found.iter().any(|value| check(item, value, kept, at).is_ok());
                    if !has {
                        return Err(format!("at `{at}`: no {item} among {value}"));
                    }
                }
                return Ok(());
            }
            if items.len() != found.len() {
                return differs();
            }
            for (idx, (item, value)) in items.iter().zip(found).enumerate() {
                check(item, value, kept, &format!("{at}[{idx}]"))?;
            }
            Ok(())
        }
        exact if exact == value => Ok(()),
        _ => differs(),
    }
}

/// RFC 3339, UTC, with milliseconds.
fn is_time(text: &str) -> bool {
    let shape = "0000-00-00T00:00:00.000Z";
    text.len() == shape.len()
        && text.chars().zip(shape.chars()).all(|(found, shape)| match shape {
            '0' => found.is_ascii_digit(),
            other => found == other,
        })
}

#[test]
fn a_pattern_is_exact_where_it_does_not_say_otherwise() {
    use serde_json::json;
    for (pattern, value, fits) in [
        (json!({"a": 1}), json!({"a": 1}), true),
        (json!({"a": 1}), json!({"a": 1, "b": 2}), false),
        (json!({"a": 1, "...": "$any"}), json!({"a": 1, "b": 2}), true),
        (json!({"a": 1}), json!({}), false),
        (json!(["$has", {"a": 2}]), json!([{"a": 1}, {"a": 2}]), true),
        (json!(["$has", {"a": 3}]), json!([{"a": 1}, {"a": 2}]), false),
        (json!([1]), json!([1, 2]), false),
        (json!({"a": "$x", "b": "$x"}), json!({"a": 1, "b": 1}), true),
        (json!({"a": "$x", "b": "$x"}), json!({"a": 1, "b": 2}), false),
        (json!("$time"), json!("2026-01-31T12:34:56.789Z"), true),
        (json!("$time"), json!("2026-01-31"), false),
        (json!("$number"), json!("1"), false),
    ] {
        let checked = matches(&pattern, &value, &mut Kept::new());
        assert_eq!(checked.is_ok(), fits, "{pattern} {value} {checked:?}");
    }
}
