//! What a person likes of the console: values by name, for its pages to understand.
//!
//! Nothing here knows what a value means, so that pages of another version keep theirs. Changes
//! are merged by name, and of two that meet in one name the later counts: whoever changes one thing
//! undoes nothing else, and no page has to read before it writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard_domain::ids::{AgentId, TenantId};
use switchboard_store::Fault;

use super::record::{Record, parse};
use super::{Directory, Error, Versioned};

/// Names of one person at most. The console has about ten.
const NAMES_MAX: usize = 64;
/// Bytes of a name at most.
const NAME_BYTES_MAX: usize = 64;
/// Bytes of everything as JSON at most: every command of the console with four keys of its own
/// takes a third of it.
const BYTES_MAX: usize = 16 * 1024;

/// What a person likes, or a change of it, in which `null` takes a name away.
pub type Values = BTreeMap<Arc<str>, Value>;

/// What a person likes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preferences {
    /// By name; no value is `null`.
    pub values: Values,
}

impl Preferences {
    fn merge(&mut self, change: &Values) -> Result<(), Error> {
        let invalid = |why| Err(Error::Invalid { field: "preferences", why });
        for (name, value) in change {
            let is_name = (1..=NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_name {
                return invalid("have names of 1 to 64 letters, digits and `_`");
            }
            if value.is_null() {
                self.values.remove(name);
            } else {
                self.values.insert(Arc::clone(name), value.clone());
            }
        }
        if self.values.len() > NAMES_MAX {
            return invalid("have 64 names at most");
        }
        let bytes = self.values.iter().map(|(name, value)| name.len() + value.to_string().len());
        if bytes.sum::<usize>() > BYTES_MAX {
            return invalid("take 16 KiB at most");
        }
        Ok(())
    }
}

/// Version 1: each value as JSON text.
#[derive(Serialize, Deserialize)]
pub(crate) struct PreferencesForm {
    values: BTreeMap<Arc<str>, String>,
}

impl Record for Preferences {
    const KIND: &'static str = "preferences";
    const VERSION: u8 = 1;
    const IS_LIVE: bool = true;
    type Form = PreferencesForm;

    fn form(&self) -> PreferencesForm {
        let text = |(name, value): (&Arc<str>, &Value)| (Arc::clone(name), value.to_string());
        PreferencesForm { values: self.values.iter().map(text).collect() }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: PreferencesForm = parse::<Self, _>(id, bytes)?;
        let value = |(name, text): (Arc<str>, String)| match serde_json::from_str(&text) {
            Ok(value) => Ok((name, value)),
            Err(error) => Err(super::record::damaged::<Self>(id, &error.to_string())),
        };
        Ok(Self { values: form.values.into_iter().map(value).collect::<Result<_, _>>()? })
    }
}

impl Directory {
    /// What a person likes; of version 0 for whoever never said.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn preferences(
        &self,
        tenant: &TenantId,
        person: AgentId,
    ) -> Result<Arc<Versioned<Preferences>>, Error> {
        let found = self.load_stored(tenant, &person.to_string()).await?;
        let nothing = || Arc::new(Versioned { value: Preferences::default(), version: 0 });
        Ok(found.unwrap_or_else(nothing))
    }

    /// Changes what a person likes; answers it as it is then. What changes nothing is not written.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when it would have too many or strange names, or be too large; then
    /// nothing is changed. [`Error::Changed`] when others were quicker again and again.
    pub async fn change_preferences(
        &self,
        tenant: &TenantId,
        person: AgentId,
        change: &Values,
    ) -> Result<Arc<Versioned<Preferences>>, Error> {
        let rule = |preferences: &mut Preferences| {
            let before = preferences.clone();
            preferences.merge(change)?;
            Ok(*preferences != before)
        };
        self.change_or_begin(tenant, &person.to_string(), Preferences::default, rule).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use serde_json::json;

    use super::*;
    use crate::directory::testing::{Setup, tenant};

    const ADA: AgentId = AgentId::from_u128(1);

    fn values(value: Value) -> Values {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn changes_are_merged_by_name_and_null_takes_a_name_away() {
        let mut preferences = Preferences::default();
        preferences.merge(&values(json!({"theme": "dark", "quiet": {"on": true}}))).unwrap();
        preferences.merge(&values(json!({"quiet": {"on": false}, "of_later": [1, 2.5]}))).unwrap();
        preferences.merge(&values(json!({"theme": null, "never": null}))).unwrap();
        let expected = values(json!({"quiet": {"on": false}, "of_later": [1, 2.5]}));
        assert_eq!(preferences.values, expected);
    }

    #[test]
    fn names_and_sizes_are_bounded() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let many: Values = (0..=NAMES_MAX).map(|n| (format!("n{n}").into(), json!(n))).collect();
        for change in [
            values(json!({"": 1})),
            values(json!({"the theme": 1})),
            values(json!({"thème": 1})),
            values(json!({long: 1})),
            values(json!({"large": "x".repeat(BYTES_MAX)})),
            many,
        ] {
            let refused = Preferences::default().merge(&change);
            assert!(matches!(refused, Err(Error::Invalid { field: "preferences", .. })));
        }
        let fits = values(json!({"large": "x".repeat(BYTES_MAX - 16)}));
        Preferences::default().merge(&fits).unwrap();
    }

    #[tokio::test]
    async fn changes_at_once_are_all_kept_each_persons_own() {
        let mut setup = Setup::new().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        let directory = setup.directory.clone();
        let changes: Vec<Values> =
            (0..20).map(|n| Values::from([(format!("n{n}").into(), json!(n))])).collect();
        let all = changes.iter().map(|change| directory.change_preferences(&acme, ADA, change));
        for answer in join_all(all).await {
            answer.unwrap();
        }
        setup.restart().await;
        let kept = setup.directory.preferences(&acme, ADA).await.unwrap();
        assert_eq!((kept.value.values.len(), kept.version), (20, 20));
        assert_eq!(kept.value.values["n7"], json!(7));

        let again = setup.directory.change_preferences(&acme, ADA, &changes[7]).await.unwrap();
        assert_eq!(again.version, 20, "what changes nothing is not written");
        for (tenant, person) in [(&acme, AgentId::from_u128(2)), (&other, ADA)] {
            let nothing = setup.directory.preferences(tenant, person).await.unwrap();
            assert_eq!((nothing.value.values.len(), nothing.version), (0, 0));
        }
    }

    #[tokio::test]
    async fn what_is_refused_changes_nothing() {
        let setup = Setup::new().await;
        let acme = tenant("acme");
        let theme = values(json!({"theme": "dark"}));
        setup.directory.change_preferences(&acme, ADA, &theme).await.unwrap();
        let bad = values(json!({"theme": "light", "no name": 1}));
        let refused = setup.directory.change_preferences(&acme, ADA, &bad).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })));
        let kept = setup.directory.preferences(&acme, ADA).await.unwrap();
        assert_eq!((&kept.value.values, kept.version), (&theme, 1));
    }
}
