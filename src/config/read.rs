//! Reads sections out of a TOML table and variables out of an environment; what nobody took at
//! the end is unknown.

use serde::de::value::Error as Stop;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};

use super::Error;

/// Before each of our names in the environment.
const PREFIX: &str = "SWITCHBOARD_";
/// Names without our prefix that others have used for the same setting.
const ALIASES: &[(&str, &str)] = &[
    ("ALLOWED_ORIGINS", "SWITCHBOARD_SERVER_ALLOWED_ORIGINS"),
    ("CORS_ORIGIN", "SWITCHBOARD_SERVER_ALLOWED_ORIGINS"),
];

/// Settings on their way into structs.
#[derive(Debug)]
pub(super) struct Reader {
    table: Table,
    variables: Vec<Variable>,
    /// Every setting asked for so far, as `section.key`.
    known: Vec<String>,
}

/// A variable of the environment that may be ours.
#[derive(Debug)]
struct Variable {
    /// As the operator wrote it, for messages.
    name: String,
    /// `section_key`, in lower case.
    key: String,
    text: String,
}

impl Reader {
    pub(super) fn new(
        table: Table,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut variables: Vec<Variable> = Vec::new();
        let mut aliased: Vec<Variable> = Vec::new();
        for (name, text) in environment {
            if text.is_empty() || is_service_link(&name) || is_sabotage(&name) {
                continue;
            }
            let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
            let full = alias.map_or(name.as_str(), |(_, full)| full);
            let Some(key) = full.strip_prefix(PREFIX) else { continue };
            let key = key.to_ascii_lowercase();
            let found = if alias.is_some() { &mut aliased } else { &mut variables };
            found.push(Variable { name, key, text });
        }
        // Our own name wins over an alias; two aliases add up.
        for alias in aliased {
            match variables.iter_mut().find(|variable| variable.key == alias.key) {
                None => variables.push(alias),
                Some(same) if same.name.starts_with(PREFIX) => {}
                Some(same) => same.text = format!("{},{}", same.text, alias.text),
            }
        }
        Self { table, variables, known: Vec::new() }
    }

    /// A setting outside all sections.
    pub(super) fn root<T: DeserializeOwned + Default>(&mut self, key: &str) -> Result<T, Error> {
        self.known.push(key.to_owned());
        let in_file = self.table.remove(key).map(|value| (key.to_owned(), value));
        let in_environment =
            self.take(key).map(|variable| (variable.name, Value::String(variable.text)));
        match in_environment.or(in_file) {
            None => Ok(T::default()),
            Some((name, value)) => value
                .try_into()
                .map_err(|error: toml::de::Error| super::value(&name, error.message())),
        }
    }

    /// A section, from the file and then the environment.
    pub(super) fn section<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Error> {
        let fields = fields::<T>();
        self.known.extend(fields.iter().map(|field| format!("{name}.{field}")));
        let mut section = match self.table.remove(name) {
            None => Table::new(),
            Some(Value::Table(section)) => section,
            Some(_) => return Err(super::value(name, "is a section, not a value")),
        };
        if let Some(unknown) = section.keys().find(|key| !fields.contains(&key.as_str())) {
            let key = format!("{name}.{unknown}");
            let own: Vec<String> = fields.iter().map(|field| format!("{name}.{field}")).collect();
            return Err(Error::Unknown { nearest: nearest(&key, own.iter()), key });
        }
        for field in fields {
            let Some(value) = section.get(*field) else { continue };
            // One setting at a time, so that an error can name it.
            let alone = Table::from_iter([((*field).to_owned(), value.clone())]);
            parse::<T>(alone).map_err(|what| super::value(&format!("{name}.{field}"), &what))?;
        }
        for field in fields {
            let Some(variable) = self.take(&format!("{name}_{field}")) else { continue };
            let value = meaning::<T>(field, &variable.text)
                .map_err(|what| super::value(&variable.name, &what))?;
            section.insert((*field).to_owned(), value);
        }
        parse(section).map_err(|what| super::value(name, &what))
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self) -> Result<(), Error> {
        if let Some(key) = self.table.into_iter().map(|(key, _)| key).next() {
            let sections = self.known.iter().map(|key| {
                let section = key.split_once('.').map_or(key.as_str(), |(section, _)| section);
                section.to_owned()
            });
            let sections: Vec<String> = sections.collect();
            return Err(Error::Unknown { nearest: nearest(&key, sections.iter()), key });
        }
        if let Some(variable) = self.variables.into_iter().next() {
            let names: Vec<String> = self.known.iter().map(|key| variable_of(key)).collect();
            let nearest = nearest(&variable.name, names.iter());
            return Err(Error::Unknown { nearest, key: variable.name });
        }
        Ok(())
    }

    fn take(&mut self, key: &str) -> Option<Variable> {
        let idx = self.variables.iter().position(|variable| variable.key == key)?;
        Some(self.variables.swap_remove(idx))
    }
}

/// The variable of a setting.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Whether a variable names planted faults. Only builds that can plant them know it; any other
/// refuses it as unknown.
fn is_sabotage(name: &str) -> bool {
    cfg!(feature = "sabotage") && name == "SWITCHBOARD_SABOTAGE"
}

/// Whether a variable is one that Kubernetes sets for a service of our name: never ours.
fn is_service_link(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    rest == "PORT"
        || rest.starts_with("PORT_")
        || rest.starts_with("SERVICE_HOST")
        || rest.starts_with("SERVICE_PORT")
}

fn parse<T: DeserializeOwned>(section: Table) -> Result<T, String> {
    Value::Table(section)
        .try_into()
        .map_err(|error: toml::de::Error| error.message().trim().to_owned())
}

/// What a text from the environment means to a setting: a number, a switch, a text or a list,
/// whichever its struct takes. The error is of the meaning that the text looks most like.
fn meaning<T: DeserializeOwned>(field: &str, text: &str) -> Result<Value, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let list = Value::Array(items.map(|item| Value::String(item.to_owned())).collect());
    let number = text.parse().ok().map(Value::Integer);
    let switch = text.parse().ok().map(Value::Boolean);
    let mut first_error = None;
    for value in [number, switch, Some(Value::String(text.to_owned())), Some(list)] {
        let Some(value) = value else { continue };
        let alone = Table::from_iter([(field.to_owned(), value.clone())]);
        match parse::<T>(alone) {
            Ok(_) => return Ok(value),
            Err(what) => first_error = first_error.or(Some(what)),
        }
    }
    Err(first_error.unwrap_or_default())
}

/// The fields that a struct reads, as its derived code tells every format.
fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It always stops: the fields are all that is wanted.
    let _stopped = T::deserialize(Probe(&mut fields)).is_err();
    fields
}

struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("a section is a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Stop> {
        *self.0 = fields;
        Err(Stop::custom("seen"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The known name with the fewest letters to change.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    known.min_by_key(|candidate| distance(name, candidate)).cloned().unwrap_or_default()
}

/// Levenshtein's distance, by one row.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (left_idx, left_byte) in left.bytes().enumerate() {
        let mut diagonal = left_idx;
        row[0] = left_idx + 1;
        for (right_idx, right_byte) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(left_byte != right_byte);
            diagonal = row[right_idx + 1];
            row[right_idx + 1] = replaced.min(diagonal + 1).min(row[right_idx] + 1);
        }
    }
    row[right.len()]
}
