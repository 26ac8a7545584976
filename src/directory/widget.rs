//! Widgets: what a site shows its visitors, and from where it may.

mod settings;
mod theme;
mod prechat;
mod offline;
mod hours;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{TenantId, WidgetId};
use switchboard_store::{Expect, Fault};

use super::cache::{Cache, Caches};
use super::department::exists;
use super::last_change::LastChangeForm;
use super::record::{Record, parse};
use super::text::{SHORT_NAME, is_short_name};
use super::{Directory, Error, LastChange, Revision, Versioned, tenant};

pub use hours::{Hours, Span, Weekday, minute_of_day};
pub use offline::{Behavior, Offline};
pub use prechat::{Prechat, Question, QuestionKind};
pub use settings::{Locale, Settings};
pub use theme::{ColorScheme, Side, Theme};

/// A widget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widget {
    /// Its short name within the tenant; never changes.
    pub id: WidgetId,
    /// What an administrator set.
    pub settings: Settings,
    /// Who set it last; `None` when nobody is known.
    pub changed: Option<LastChange>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct WidgetForm {
    settings: Settings,
    changed: Option<LastChangeForm>,
}

impl Record for Widget {
    const KIND: &'static str = "widget";
    /// Version 1 knew name, origins, texts, accent, side, scheme, title, departments, hours and
    /// routing. What came with 2 has its default in what was stored before. Both were the settings
    /// alone; 3 says who changed them last.
    const VERSION: u8 = 3;
    const IS_SHOWN: bool = true;
    type Form = WidgetForm;

    fn form(&self) -> WidgetForm {
        let changed = self.changed.as_ref().map(LastChangeForm::from);
        WidgetForm { settings: self.settings.clone(), changed }
    }

    fn read(version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let WidgetForm { settings, changed } = match version {
            1 | 2 => WidgetForm { settings: parse::<Self, _>(id, bytes)?, changed: None },
            _ => parse::<Self, _>(id, bytes)?,
        };
        let changed = changed.map(LastChange::from);
        Ok(Self { id: WidgetId(id.into()), settings, changed })
    }

    fn last_change(&self) -> Option<&LastChange> {
        self.changed.as_ref()
    }

    fn cache(caches: &Caches) -> Option<&Cache<Self>> {
        Some(&caches.widgets)
    }
}

/// How pages name a widget: bare in the tenant `default`, else `<tenant>.<widget>`. So an address
/// says its tenant, and no tenant can take or find another's by its bare name (P10).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The tenant.
    pub tenant: TenantId,
    /// The widget within it.
    pub widget: WidgetId,
}

impl Address {
    /// Reads an address; `None` when it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (tenant, widget) = text.split_once('.').unwrap_or((tenant::DEFAULT, text));
        (tenant::is_name(tenant) && is_short_name(widget))
            .then(|| Self { tenant: TenantId(tenant.into()), widget: WidgetId(widget.into()) })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if &*self.tenant.0 == tenant::DEFAULT {
            write!(f, "{}", self.widget)
        } else {
            write!(f, "{}.{}", self.tenant, self.widget)
        }
    }
}

impl Widget {
    /// A widget, checked and cleaned.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], naming the field.
    pub fn new(id: &str, mut settings: Settings) -> Result<Self, Error> {
        if !is_short_name(id) {
            return Err(Error::Invalid { field: "id", why: SHORT_NAME });
        }
        settings.check()?;
        Ok(Self { id: WidgetId(id.into()), settings, changed: None })
    }

    /// The same, changed last by somebody.
    #[must_use]
    pub fn changed_by(self, changed: Option<LastChange>) -> Self {
        Self { changed, ..self }
    }
}

impl Directory {
    /// A widget.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn widget(
        &self,
        tenant: &TenantId,
        id: &WidgetId,
    ) -> Result<Option<Arc<Versioned<Widget>>>, Error> {
        self.load(tenant, &id.0).await
    }

    /// Widgets of a tenant, by id, after `after`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn widgets(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Arc<Versioned<Widget>>>, Error> {
        self.page(tenant, after, limit).await
    }

    /// Creates a widget.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`].
    pub async fn create_widget(
        &self,
        tenant: &TenantId,
        widget: Widget,
    ) -> Result<Arc<Versioned<Widget>>, Error> {
        let id = Arc::clone(&widget.id.0);
        let created = self.save(tenant, &id, Expect::Absent, widget).await.map_err(exists)?;
        self.load_origins_of(tenant).await?;
        Ok(created)
    }

    /// Replaces a widget's settings; `version` is the one that the caller read, `None` for any.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Changed`], [`Error::Outdated`].
    pub async fn replace_widget(
        &self,
        tenant: &TenantId,
        widget: Widget,
        version: Option<u64>,
    ) -> Result<Revision<Widget>, Error> {
        let id = Arc::clone(&widget.id.0);
        let replaced = self
            .revise(tenant, &id, version, |stored: &mut Widget| {
                stored.clone_from(&widget);
                Ok(())
            })
            .await?;
        self.load_origins_of(tenant).await?;
        Ok(replaced)
    }

    /// Removes a widget and its keys; answers what it was. Conversations that came through it go on.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Changed`], [`Error::Outdated`].
    pub async fn remove_widget(
        &self,
        tenant: &TenantId,
        id: &WidgetId,
        version: Option<u64>,
    ) -> Result<Arc<Versioned<Widget>>, Error> {
        let removed = self.remove_read::<Widget>(tenant, &id.0, version).await?;
        self.remove_identity_keys(tenant, id).await?;
        self.load_origins_of(tenant).await?;
        Ok(removed)
    }
}

#[cfg(test)]
mod tests;
