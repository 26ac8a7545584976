//! Widgets: what a site shows its visitors, and from where it may.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{DepartmentId, TenantId, WidgetId};
use switchboard_domain::limit::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use switchboard_store::{Expect, Fault};
use utoipa::ToSchema;

use super::cache::{Cache, Caches};
use super::department::{Routing, exists};
use super::origin::Pattern;
use super::record::{Record, parse};
use super::text::{SHORT_NAME, check_lines, is_short_name, line};
use super::{Directory, Error, Versioned, tenant};

/// Entries of an allow-list at most: a handful of sites share a widget.
const ORIGINS_MAX: usize = 64;
/// Departments that a widget offers at most: more than a visitor reads.
const DEPARTMENTS_MAX: usize = 32;
/// Opening times of one day at most: morning, afternoon, evening.
const SPANS_MAX: usize = 4;
/// Closed days kept at most: ten years of holidays.
const HOLIDAYS_MAX: usize = 366;

/// What an administrator sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WidgetSettings)]
pub struct Settings {
    /// What colleagues call it.
    pub name: String,
    /// Pages that may call for this tenant without our frame between: exact origins, `*.` for
    /// sub-domains, any port only on this machine.
    #[schema(value_type = Vec<String>, max_items = 64)]
    pub allowed_origins: Vec<Pattern>,
    /// The first words of a new conversation, from the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub welcome: Option<String>,
    /// What a visitor reads when nobody is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_message: Option<String>,
    /// How it looks.
    pub theme: Theme,
    /// The departments that a visitor may choose from; none offers no choice.
    #[schema(max_items = 32)]
    pub departments: Vec<String>,
    /// When somebody answers; absent for always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// How its conversations find their agent; absent for their department's way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
}

/// How a widget looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WidgetTheme)]
pub struct Theme {
    /// The color of launcher and own messages, `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accent: Option<String>,
    /// Where the launcher stands.
    pub side: Side,
    /// Light, dark, or as the page's reader has it.
    pub scheme: ColorScheme,
    /// The title of the open widget; absent for the widget's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A side of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WidgetSide)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Side {
    #[default]
    Right,
    Left,
}

/// Bright on dark or dark on bright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ColorScheme {
    #[default]
    Auto,
    Light,
    Dark,
}

/// When somebody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The name of the time zone, such as `Europe/Berlin`.
    pub timezone: String,
    /// Opening times by day of the week; a day that is left out is closed.
    #[serde(default)]
    pub days: BTreeMap<Weekday, Vec<Span>>,
    /// Days closed altogether, `YYYY-MM-DD`.
    #[serde(default)]
    pub holidays: Vec<String>,
}

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// From one time of day to a later one of the same day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`; `24:00` is the end of the day.
    pub to: String,
}

/// A widget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widget {
    /// Its short name within the tenant; never changes.
    pub id: WidgetId,
    /// What an administrator set.
    pub settings: Settings,
}

impl Record for Widget {
    const KIND: &'static str = "widget";
    const VERSION: u8 = 1;
    type Form = Settings;

    fn form(&self) -> Settings {
        self.settings.clone()
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        Ok(Self { id: WidgetId(id.into()), settings: parse::<Self, _>(id, bytes)? })
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
        Ok(Self { id: WidgetId(id.into()), settings })
    }
}

impl Settings {
    fn check(&mut self) -> Result<(), Error> {
        let invalid = |field, why| Err(Error::Invalid { field, why });
        let name = line("name", &self.name, NAME_BYTES_MAX)?
            .ok_or(Error::Invalid { field: "name", why: "is empty" })?;
        self.name = (*name).to_owned();
        if self.allowed_origins.len() > ORIGINS_MAX {
            return invalid("allowed_origins", "has too many entries");
        }
        check_lines("welcome", self.welcome.as_deref().unwrap_or(""), TEXT_BYTES_MAX)?;
        let offline = self.offline_message.as_deref().unwrap_or("");
        check_lines("offline_message", offline, TEXT_BYTES_MAX)?;
        if let Some(title) = &self.theme.title {
            self.theme.title =
                line("theme.title", title, NAME_BYTES_MAX)?.map(|title| (*title).to_owned());
        }
        if !self.theme.accent.as_deref().is_none_or(is_color) {
            return invalid("theme.accent", "must be a color, #rrggbb");
        }
        if self.departments.len() > DEPARTMENTS_MAX {
            return invalid("departments", "has too many entries");
        }
        if !self.departments.iter().all(|id| is_short_name(id)) {
            return invalid("departments", SHORT_NAME);
        }
        self.hours.as_ref().map_or(Ok(()), Hours::check)
    }

    /// The departments that a visitor may choose from.
    pub fn department_ids(&self) -> impl Iterator<Item = DepartmentId> + '_ {
        self.departments.iter().map(|id| DepartmentId(id.as_str().into()))
    }
}

impl Hours {
    fn check(&self) -> Result<(), Error> {
        let invalid = |field, why| Err(Error::Invalid { field, why });
        if jiff::tz::TimeZone::get(&self.timezone).is_err() {
            return invalid("hours.timezone", "is not the name of a time zone");
        }
        for spans in self.days.values() {
            if spans.len() > SPANS_MAX {
                return invalid("hours.days", "has too many opening times on one day");
            }
            let mut end = 0;
            for span in spans {
                match (minute_of_day(&span.from), minute_of_day(&span.to)) {
                    (Some(from), Some(to)) if end <= from && from < to => end = to,
                    (Some(_), Some(_)) => {
                        return invalid("hours.days", "has opening times out of order");
                    }
                    _ => return invalid("hours.days", "has a time that is not HH:MM"),
                }
            }
        }
        if self.holidays.len() > HOLIDAYS_MAX {
            return invalid("hours.holidays", "has too many entries");
        }
        let is_date = |text: &String| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
        if !self.holidays.iter().all(is_date) {
            return invalid("hours.holidays", "has a date that is not YYYY-MM-DD");
        }
        Ok(())
    }
}

/// `HH:MM` as minutes since midnight, up to `24:00`.
#[must_use]
pub fn minute_of_day(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    if bytes.len() != 5 || bytes[2] != b':' {
        return None;
    }
    let pair = |at: usize| text.get(at..at + 2)?.parse::<u16>().ok();
    let (hours, minutes) = (pair(0)?, pair(3)?);
    let is_time = bytes.iter().enumerate().all(|(at, b)| at == 2 || b.is_ascii_digit())
        && minutes < 60
        && (hours < 24 || (hours, minutes) == (24, 0));
    is_time.then_some(hours * 60 + minutes)
}

fn is_color(text: &str) -> bool {
    text.len() == 7 && text.starts_with('#') && text[1..].bytes().all(|b| b.is_ascii_hexdigit())
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
    /// [`Error::NotFound`], [`Error::Changed`].
    pub async fn replace_widget(
        &self,
        tenant: &TenantId,
        widget: Widget,
        version: Option<u64>,
    ) -> Result<Arc<Versioned<Widget>>, Error> {
        let id = Arc::clone(&widget.id.0);
        let replaced = self
            .change(tenant, &id, version, |stored: &mut Widget| {
                stored.clone_from(&widget);
                Ok(())
            })
            .await?;
        self.load_origins_of(tenant).await?;
        Ok(replaced)
    }
}

#[cfg(test)]
mod tests;
