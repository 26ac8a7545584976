//! What an administrator sets of a widget.

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::DepartmentId;
use switchboard_domain::intake::{Field, Intake};
use switchboard_domain::limit::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use utoipa::ToSchema;

use super::{Hours, Offline, Prechat, Theme};
use crate::directory::Error;
use crate::directory::department::Routing;
use crate::directory::origin::Pattern;
use crate::directory::text::{SHORT_NAME, check_lines, is_short_name, line};

/// Entries of an allow-list at most: a handful of sites share a widget.
const ORIGINS_MAX: usize = 64;
/// Departments that a widget offers at most: more than a visitor reads.
const DEPARTMENTS_MAX: usize = 32;
/// The longest delay before a widget opens by itself, in seconds: later nobody is surprised.
const AUTO_OPEN_S_MAX: u16 = 600;
/// The highest bound of a line: so many nobody waits out.
const QUEUE_MAX_MAX: u32 = 10_000;

/// What an administrator sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WidgetSettings)]
pub struct Settings {
    /// What colleagues call it.
    pub name: String,
    /// Whether it is shown at all. Conversations that came through it go on.
    pub enabled: bool,
    /// Pages that may frame it, and may call for this tenant without our frame between: exact
    /// origins, `*.` for sub-domains, any port only on this machine.
    #[schema(value_type = Vec<String>, max_items = 64)]
    pub allowed_origins: Vec<Pattern>,
    /// The first words of a new conversation, from the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub welcome: Option<String>,
    /// What a visitor reads when nobody is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_message: Option<String>,
    /// What it does when nobody is there.
    pub offline: Offline,
    /// How it looks.
    pub theme: Theme,
    /// In which language it speaks.
    pub locale: Locale,
    /// After how many seconds it opens by itself, once in a browser's session; absent for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 600)]
    pub auto_open_s: Option<u16>,
    /// Whether agents' pictures are shown.
    pub show_avatars: bool,
    /// Whether visitors may attach files.
    pub uploads: bool,
    /// Whether agents see what a visitor types before it is sent. The widget says so.
    pub preview_typing: bool,
    /// Whether a conversation needs a mail address.
    pub email_required: bool,
    /// What it asks before a conversation.
    pub prechat: Prechat,
    /// The departments that a visitor may choose from; none offers no choice.
    #[schema(max_items = 32)]
    pub departments: Vec<String>,
    /// Whether one of them must be chosen.
    pub department_required: bool,
    /// Whether conversations are only for visitors whom the site has identified.
    pub identity_required: bool,
    /// When somebody answers; absent for always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// How its conversations find their agent; absent for their department's way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// How many may wait in a line — for a department, or without one, through whatever widget —
    /// before this widget lets no more wait in it; absent for any number. It holds while somebody
    /// is there. A message can be left all the same, as `offline` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub queue_max: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            enabled: true,
            allowed_origins: Vec::new(),
            welcome: None,
            offline_message: None,
            offline: Offline::default(),
            theme: Theme::default(),
            locale: Locale::default(),
            auto_open_s: None,
            show_avatars: true,
            uploads: false,
            preview_typing: false,
            email_required: false,
            prechat: Prechat::default(),
            departments: Vec::new(),
            department_required: false,
            identity_required: false,
            hours: None,
            routing: None,
            queue_max: None,
        }
    }
}

/// A language of the widget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WidgetLocale)]
pub enum Locale {
    /// That of the page's reader, as far as it is known.
    #[default]
    Auto,
    /// English.
    En,
    /// Arabic.
    Ar,
}

impl Settings {
    /// Cleans the texts and checks everything against its bounds.
    pub(super) fn check(&mut self) -> Result<(), Error> {
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
        self.offline.check()?;
        self.theme.check()?;
        if self.auto_open_s.is_some_and(|seconds| seconds > AUTO_OPEN_S_MAX) {
            return invalid("auto_open_s", "must be 0 to 600");
        }
        self.prechat.check()?;
        if self.departments.len() > DEPARTMENTS_MAX {
            return invalid("departments", "has too many entries");
        }
        if !self.departments.iter().all(|id| is_short_name(id)) {
            return invalid("departments", SHORT_NAME);
        }
        if self.department_required && self.departments.is_empty() {
            return invalid("department_required", "needs departments to choose from");
        }
        if self.queue_max.is_some_and(|max| !(1..=QUEUE_MAX_MAX).contains(&max)) {
            return invalid("queue_max", "must be 1 to 10000");
        }
        self.hours.as_ref().map_or(Ok(()), Hours::check)
    }

    /// The departments that a visitor may choose from.
    pub fn department_ids(&self) -> impl Iterator<Item = DepartmentId> + '_ {
        self.departments.iter().map(|id| DepartmentId(id.as_str().into()))
    }

    /// What must be answered before a conversation begins.
    #[must_use]
    pub fn intake(&self) -> Intake {
        Intake {
            email_required: self.email_required,
            department_required: self.department_required,
            fields: self.prechat.fields.iter().map(Field::from).collect(),
        }
    }
}
