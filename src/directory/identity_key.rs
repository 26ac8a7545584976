//! The keys with which a site says who its visitors are: HS256, one in use for each widget and the
//! one before for a day after a rotation.
//!
//! A key's name says tenant and widget, `sbw_<tenant>.<widget>.<random>`, so no index is needed and
//! no tenant can take another's (P10). The secrets are kept as they are, for signatures are checked
//! with them; they are given out once.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{TenantId, Timestamp, WidgetId};
use switchboard_store::{Expect, Fault};

use super::cache::{Cache, Caches};
use super::record::{Record, parse};
use super::text::is_short_name;
use super::{Directory, Error, TRIES_MAX, random, tenant};

/// How long a key that was replaced is still good, in milliseconds: a day to bring the new one to
/// every server of a site.
pub(crate) const RETIRING_MS: i64 = 24 * 60 * 60 * 1_000;
/// Before every key's name.
const PREFIX: &str = "sbw_";

/// A key of a widget.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityKey {
    /// Its `kid`.
    pub name: Arc<str>,
    /// What signatures are made with: these very characters.
    pub secret: Arc<str>,
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What becomes of the key in use when another replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It is good for another day.
    Retires,
    /// It is refused at once.
    Refused,
}

/// The keys of a widget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdentityKeys {
    current: IdentityKey,
    /// The one before, and until when it is good.
    retiring: Option<(IdentityKey, Timestamp)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct IdentityKeysForm {
    current: IdentityKey,
    retiring: Option<(IdentityKey, i64)>,
}

impl Record for IdentityKeys {
    const KIND: &'static str = "identity_key";
    const VERSION: u8 = 1;
    type Form = IdentityKeysForm;

    fn form(&self) -> IdentityKeysForm {
        IdentityKeysForm {
            current: self.current.clone(),
            retiring: self.retiring.clone().map(|(key, until)| (key, until.0)),
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: IdentityKeysForm = parse::<Self, _>(id, bytes)?;
        let retiring = form.retiring.map(|(key, until)| (key, Timestamp(until)));
        Ok(Self { current: form.current, retiring })
    }

    fn cache(caches: &Caches) -> Option<&Cache<Self>> {
        Some(&caches.identity_keys)
    }
}

/// The tenant and the widget that a key's name says; `None` when it is no name of ours.
#[must_use]
pub fn owner_of(name: &str) -> Option<(TenantId, WidgetId)> {
    let mut parts = name.strip_prefix(PREFIX)?.splitn(3, '.');
    let tenant = parts.next().filter(|name| tenant::is_name(name))?;
    let widget = parts.next().filter(|name| is_short_name(name))?;
    parts.next()?;
    Some((TenantId(tenant.into()), WidgetId(widget.into())))
}

impl Directory {
    /// Makes a key for a widget, in the place of the one in use.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such widget; when the store fails.
    pub async fn rotate_identity_key(
        &self,
        tenant: &TenantId,
        widget: &WidgetId,
        replaced: Replaced,
    ) -> Result<IdentityKey, Error> {
        self.widget(tenant, widget).await?.ok_or(Error::NotFound)?;
        let (random_name, random_secret) = (random::<12>()?, random::<32>()?);
        let name = format!("{PREFIX}{tenant}.{widget}.{}", URL_SAFE_NO_PAD.encode(random_name));
        let secret = URL_SAFE_NO_PAD.encode(random_secret);
        let current = IdentityKey { name: name.into(), secret: secret.into() };
        let until = Timestamp(self.0.clock.now().0.saturating_add(RETIRING_MS));
        for _ in 0..TRIES_MAX {
            let stored = self.load_stored::<IdentityKeys>(tenant, &widget.0).await?;
            let expect = stored.as_ref().map_or(Expect::Absent, |it| Expect::Version(it.version));
            let before = stored.map(|stored| stored.value.current.clone());
            let retiring = before.filter(|_| replaced == Replaced::Retires).map(|key| (key, until));
            let keys = IdentityKeys { current: current.clone(), retiring };
            match self.save(tenant, &widget.0, expect, keys).await {
                Err(Error::Changed) => {}
                answer => return answer.map(|_| current),
            }
        }
        Err(Error::Changed)
    }

    /// The key of that name, if it is good now.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn identity_key(&self, name: &str) -> Result<Option<IdentityKey>, Error> {
        let Some((tenant, widget)) = owner_of(name) else { return Ok(None) };
        let is_it = |key: &IdentityKey| *key.name == *name;
        if let Some(known) = self.identity_keys(&tenant, &widget).await?.into_iter().find(is_it) {
            return Ok(Some(known));
        }
        // Another node may have made it a moment ago.
        self.load_newest::<IdentityKeys>(&tenant, &widget.0).await?;
        Ok(self.identity_keys(&tenant, &widget).await?.into_iter().find(is_it))
    }

    /// The keys of a widget that are good now. None are without the widget, whatever is stored.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn identity_keys(
        &self,
        tenant: &TenantId,
        widget: &WidgetId,
    ) -> Result<Vec<IdentityKey>, Error> {
        let (Some(_), Some(keys)) = (
            self.widget(tenant, widget).await?,
            self.load::<IdentityKeys>(tenant, &widget.0).await?,
        ) else {
            return Ok(Vec::new());
        };
        let IdentityKeys { current, retiring } = &keys.value;
        let now = self.0.clock.now();
        let retiring = retiring.as_ref().filter(|(_, until)| now < *until).map(|(key, _)| key);
        Ok([Some(current), retiring].into_iter().flatten().cloned().collect())
    }

    /// Forgets the keys of a widget that is no more.
    pub(super) async fn remove_identity_keys(
        &self,
        tenant: &TenantId,
        widget: &WidgetId,
    ) -> Result<(), Error> {
        match self.remove_read::<IdentityKeys>(tenant, &widget.0, None).await {
            Err(Error::NotFound) => Ok(()),
            answer => answer.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::testing::{Setup, tenant};
    use crate::directory::widget::{Settings, Widget};

    #[tokio::test]
    async fn a_replaced_key_is_good_for_a_day_unless_it_is_refused() {
        let setup = Setup::new().await;
        let (directory, acme) = (&setup.directory, tenant("acme"));
        let main = WidgetId("main".into());
        let rotate = |replaced| directory.rotate_identity_key(&acme, &main, replaced);
        assert!(matches!(rotate(Replaced::Retires).await, Err(Error::NotFound)));
        let settings = Settings { name: "Main".to_owned(), ..Settings::default() };
        directory.create_widget(&acme, Widget::new("main", settings).unwrap()).await.unwrap();

        let is_good = async |key: &IdentityKey| {
            directory.identity_key(&key.name).await.unwrap().as_ref() == Some(key)
        };
        let first = rotate(Replaced::Retires).await.unwrap();
        assert_eq!(owner_of(&first.name), Some((acme.clone(), main.clone())));
        let second = rotate(Replaced::Retires).await.unwrap();
        assert!(is_good(&first).await && is_good(&second).await);
        setup.clock.turn_ms(RETIRING_MS);
        assert!(!is_good(&first).await && is_good(&second).await);
        let third = rotate(Replaced::Retires).await.unwrap();
        let fourth = rotate(Replaced::Refused).await.unwrap();
        for old in [&first, &second, &third] {
            assert!(!is_good(old).await);
        }
        assert!(is_good(&fourth).await);
        // P10: the same name in another tenant.
        let foreign = fourth.name.replace("acme", "other");
        assert_eq!(directory.identity_key(&foreign).await.unwrap(), None);
    }

    #[test]
    fn other_names_are_no_keys_of_widgets() {
        for name in ["", "sbw_", "sbw_acme", "sbw_acme.main", "sbw_.main.x", "sbw_a.B.x", "other"] {
            assert_eq!(owner_of(name), None, "{name}");
        }
    }
}
