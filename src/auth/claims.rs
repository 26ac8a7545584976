//! What a token says of a person.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use switchboard_domain::ids::Timestamp;
use switchboard_domain::limit::{EMAIL_BYTES_MAX, NAME_BYTES_MAX};
use switchboard_domain::person::Role;

use super::keys::{Expected, Names};
use super::{Flaw, Refused, role};
use crate::directory::person::{EXTERNAL_ID_BYTES_MAX, NUMBER_MAX, Profile};

/// The longest account status, in bytes: a word.
const STATUS_BYTES_MAX: usize = 64;
/// The last second that we can count in milliseconds with room to add: the year 9999.
const SECONDS_MAX: i64 = 253_402_300_799;

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The person's id in the system that made the token; an integer is written in decimal.
    pub subject: Arc<str>,
    /// What it tells of the person.
    pub profile: Profile,
    /// The role, bounded by the key; visitor when the token names none.
    pub role: Role,
    /// Who made the token, if that was checked.
    pub issuer: Option<Arc<str>>,
    /// When it was made; 0 when it does not say.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A JSON object of a token. A name that is there twice is refused: readers would disagree on it.
#[derive(Clone, Debug)]
pub(super) struct Object(pub(super) BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name is there twice"));
                    }
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

impl Claims {
    /// Reads and checks the claims of a token whose signature is good.
    pub(super) fn read(
        object: Object,
        names: &Names,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let Object(mut claims) = object;
        let (expires_at, issued_at) = times(&claims, expected, now)?;
        let issuer = addressed(&claims, expected)?;
        if let Some(claimed) = claims.get("tenant")
            && claimed.as_str() != Some(expected.tenant)
        {
            return Err(Flaw::Tenant.into());
        }
        let subject = subject(claims.get("sub")).ok_or(Flaw::Subject)?;
        let role = match claims.get(&names.role) {
            None | Some(Value::Null) => Role::Visitor,
            Some(Value::String(word)) => role::named(word).ok_or(Refused::UnknownRole)?,
            Some(_) => return Err(Refused::UnknownRole),
        };
        let mut text = |name: &str, bytes_max| clean(claims.remove(name), bytes_max);
        let profile = Profile {
            name: text(&names.name, NAME_BYTES_MAX),
            given_name: text(&names.given_name, NAME_BYTES_MAX),
            family_name: text(&names.family_name, NAME_BYTES_MAX),
            email: text(&names.email, EMAIL_BYTES_MAX),
            account_status: text(&names.account_status, STATUS_BYTES_MAX),
            account_created_at: claims.get(&names.account_created_at).and_then(any_time),
        };
        let role = role.min(expected.role_max);
        Ok(Self { subject, profile, role, issuer, issued_at, expires_at })
    }
}

/// When the token ends and when it was made, after checking that its time is now.
fn times(
    claims: &BTreeMap<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Refused> {
    let expires_at = claims.get("exp").and_then(seconds).ok_or(Flaw::Expiry)?;
    if now.ms_since(expires_at) >= expected.leeway_ms {
        return Err(Flaw::Expired.into());
    }
    if let Some(not_before) = claims.get("nbf") {
        let not_before = seconds(not_before).ok_or(Flaw::NotBefore)?;
        if not_before.ms_since(now) > expected.leeway_ms {
            return Err(Flaw::NotYet.into());
        }
    }
    let issued_at = claims.get("iat").map_or(Some(Timestamp(0)), seconds).ok_or(Flaw::IssuedAt)?;
    // A token from the future would outlive every correction of what it says.
    Ok((expires_at, issued_at.min(now)))
}

/// Who made the token, if that is checked, after checking that it was made for us.
fn addressed(
    claims: &BTreeMap<String, Value>,
    expected: &Expected<'_>,
) -> Result<Option<Arc<str>>, Refused> {
    if let Some(issuer) = expected.issuer
        && claims.get("iss").and_then(Value::as_str) != Some(issuer)
    {
        return Err(Flaw::Issuer.into());
    }
    if let Some(audience) = expected.audience {
        let is_for_us = match claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => {
                several.iter().all(Value::is_string)
                    && several.iter().any(|one| one.as_str() == Some(audience))
            }
            _ => false,
        };
        if !is_for_us {
            return Err(Flaw::Audience.into());
        }
    }
    Ok(expected.issuer.map(Into::into))
}

/// A subject: a text, or a whole number.
fn subject(value: Option<&Value>) -> Option<Arc<str>> {
    match value? {
        Value::String(text) => {
            let is_good = !text.trim().is_empty()
                && text.len() <= EXTERNAL_ID_BYTES_MAX
                && !text.chars().any(char::is_control);
            is_good.then(|| text.as_str().into())
        }
        Value::Number(number) => {
            let number = number.as_u64().filter(|number| (1..=NUMBER_MAX).contains(number))?;
            Some(number.to_string().into())
        }
        _ => None,
    }
}

/// A NumericDate (RFC 7519 §2): seconds, of which a fraction is dropped.
fn seconds(value: &Value) -> Option<Timestamp> {
    let Value::Number(number) = value else { return None };
    let seconds = match number.as_i64() {
        Some(whole) => whole,
        None => number.to_string().split_once('.')?.0.parse().ok()?,
    };
    (0..=SECONDS_MAX).contains(&seconds).then_some(Timestamp(seconds * 1_000))
}

/// A time as seconds or in RFC 3339.
fn any_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => {
            let at: jiff::Timestamp = text.parse().ok()?;
            Some(Timestamp(at.as_millisecond()))
        }
        other => seconds(other),
    }
}

/// A clean, non-empty text on one line; what is longer than its bound is cut at a character.
fn clean(value: Option<Value>, bytes_max: usize) -> Option<Arc<str>> {
    let Some(Value::String(text)) = value else { return None };
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    let text = text[..text.floor_char_boundary(bytes_max)].trim_end();
    (!text.is_empty()).then(|| text.into())
}
