//! How a widget looks.

use serde::{Deserialize, Serialize};
use switchboard_domain::limit::NAME_BYTES_MAX;
use utoipa::ToSchema;

use crate::directory::Error;
use crate::directory::text::line;

/// The roundest corner, in pixels: more is a circle at the size of a message.
const RADIUS_MAX: u8 = 24;

/// How a widget looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WidgetTheme)]
pub struct Theme {
    /// The color of launcher and own messages, `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accent: Option<String>,
    /// The color behind everything, `#rrggbb`; absent for that of the scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    /// The color of text on it, `#rrggbb`; absent for that of the scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How round corners are, in pixels, 0 to 24; absent for the widget's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 24)]
    pub radius: Option<u8>,
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

impl Theme {
    pub(super) fn check(&mut self) -> Result<(), Error> {
        if let Some(title) = &self.title {
            self.title =
                line("theme.title", title, NAME_BYTES_MAX)?.map(|title| (*title).to_owned());
        }
        for (field, color) in [
            ("theme.accent", &self.accent),
            ("theme.background", &self.background),
            ("theme.text", &self.text),
        ] {
            if !color.as_deref().is_none_or(is_color) {
                return Err(Error::Invalid { field, why: "must be a color, #rrggbb" });
            }
        }
        if self.radius.is_some_and(|radius| radius > RADIUS_MAX) {
            return Err(Error::Invalid { field: "theme.radius", why: "must be 0 to 24" });
        }
        Ok(())
    }
}

fn is_color(text: &str) -> bool {
    text.len() == 7 && text.starts_with('#') && text[1..].bytes().all(|b| b.is_ascii_hexdigit())
}
