//! What a widget does while nobody is there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::directory::Error;
use crate::directory::origin::{Origin, Scheme};

/// The longest address, in bytes: what every browser and server takes.
const URL_BYTES_MAX: usize = 2_048;

/// What a widget does while nobody is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WidgetOffline)]
pub struct Offline {
    /// Take a message, show a form, or lead elsewhere.
    pub behavior: Behavior,
    /// Where `redirect` leads: `https`, or `http` on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
}

/// A way to be away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OfflineBehavior)]
pub enum Behavior {
    /// The conversation begins and waits.
    #[default]
    Message,
    /// The same, with a form that asks for an address to answer to.
    Form,
    /// A link to another page.
    Redirect,
}

impl Offline {
    pub(super) fn check(&self) -> Result<(), Error> {
        let invalid = |why| Err(Error::Invalid { field: "offline.redirect_url", why });
        match self.redirect_url.as_deref() {
            None if self.behavior == Behavior::Redirect => invalid("is needed to lead elsewhere"),
            Some(url) if !is_link(url) => {
                invalid("must be an address with https://, or http:// on this machine")
            }
            None | Some(_) => Ok(()),
        }
    }
}

/// Whether a text is an address that a visitor may be led to. Nothing but its exact spelling is
/// taken, so that no browser reads another scheme or host in it: no `javascript:`, no name and
/// password before the host, no spaces, quotes or backslashes.
fn is_link(url: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
    if url.len() > URL_BYTES_MAX || !url.bytes().all(plain) {
        return false;
    }
    let Some(host_at) = url.find("://").map(|at| at + 3) else { return false };
    let end = url[host_at..].find(['/', '?', '#']).map_or(url.len(), |at| host_at + at);
    url[..end]
        .parse::<Origin>()
        .is_ok_and(|origin| origin.scheme == Scheme::Https || origin.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_are_led_only_to_plain_addresses() {
        for good in [
            "https://shop.example",
            "https://shop.example/contact?from=chat#form",
            "https://shop.example:8443/%D8%B9",
            "http://localhost:3000/contact",
            "http://127.0.0.1/",
        ] {
            assert!(is_link(good), "{good}");
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "javascript://shop.example/%0aalert(1)",
            "JaVaScRiPt:alert(1)",
            " https://shop.example",
            "https://shop.example/a b",
            "https://shop.example/\n",
            "https://shop.example/\"><script>",
            "https://shop.example@evil.example/",
            "https://evil.example\\@shop.example/",
            "http://shop.example/",
            "http://127.0.0.1.evil.example/",
            "data:text/html,x",
            "//shop.example",
            "/contact",
            "https://",
            "https:///x",
            "ftp://shop.example/",
            "https://SHOP.example/",
        ] {
            assert!(!is_link(bad), "{bad}");
        }
        assert!(!is_link(&format!("https://shop.example/{}", "a".repeat(URL_BYTES_MAX))));
    }
}
