//! Web origins: what a browser says of the page that calls, and the lists they are held against.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use switchboard_domain::ids::TenantId;

use super::{Directory, Error, PAGE_MAX};

/// The longest origin, in bytes: a scheme, a host name (253) and a port.
const ORIGIN_BYTES_MAX: usize = 300;

/// How a page was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear; only from this machine.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The origin of a page, exactly as browsers write it (RFC 6454 §6.2): scheme, host in lower case
/// and punycode, and the port unless it is the scheme's own. Any other spelling is refused, for
/// no browser sends it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// How it was loaded.
    pub scheme: Scheme,
    /// The host name or address; IPv6 in brackets.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, host, port) = split(text)?;
        check_host(host)?;
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => port_number(digits)
                .filter(|port| *port != scheme.default_port())
                .ok_or("its port is not as browsers write it")?,
        };
        Ok(Self { scheme, host: host.into(), port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl Origin {
    /// Whether the page came from this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }
}

/// One entry of an allow-list: an origin, in which `*.` may stand before the host for its
/// sub-domains (not for itself) and, on this machine only, `*` for any port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    scheme: Scheme,
    host: Host,
    /// `None` for any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Host {
    Exactly(Box<str>),
    /// Below this host; kept with its leading dot.
    Below(Box<str>),
}

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, host, port) = split(text)?;
        let (host, below) = match host.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (host, false),
        };
        check_host(host)?;
        let is_name = !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err();
        if below && !(is_name && host.contains('.')) {
            return Err("`*.` needs a domain of at least two parts after it");
        }
        let is_here = is_loopback_host(host) && !below;
        if scheme == Scheme::Http && !is_here {
            return Err("http is only allowed on this machine (localhost, 127.0.0.1, [::1])");
        }
        let port = match port {
            Some("*") if is_here => None,
            Some("*") => return Err("any port is only allowed on this machine"),
            Some(digits) => Some(port_number(digits).ok_or("its port is no port")?),
            None => Some(scheme.default_port()),
        };
        let host =
            if below { Host::Below(format!(".{host}").into()) } else { Host::Exactly(host.into()) };
        Ok(Self { scheme, host, port })
    }
}

impl Pattern {
    /// Whether it allows an origin.
    #[must_use]
    pub fn allows(&self, origin: &Origin) -> bool {
        let host = match &self.host {
            Host::Exactly(host) => *host == origin.host,
            // At least one character before the dot; hosts never begin with one.
            Host::Below(below) => origin.host.ends_with(&**below),
        };
        host && self.scheme == origin.scheme && self.port.is_none_or(|port| port == origin.port)
    }
}

impl From<&Origin> for Pattern {
    /// Exactly that origin.
    fn from(origin: &Origin) -> Self {
        Self {
            scheme: origin.scheme,
            host: Host::Exactly(origin.host.clone()),
            port: Some(origin.port),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Exactly(host) => write!(f, "{}://{host}", self.scheme.as_str())?,
            Host::Below(below) => write!(f, "{}://*{below}", self.scheme.as_str())?,
        }
        match self.port {
            None => f.write_str(":*"),
            Some(port) if port == self.scheme.default_port() => Ok(()),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| serde::de::Error::custom(format!("origin `{text}`: {why}")))
    }
}

/// Scheme, host and the text of the port.
fn split(text: &str) -> Result<(Scheme, &str, Option<&str>), &'static str> {
    if text.len() > ORIGIN_BYTES_MAX {
        return Err("it is too long");
    }
    let (scheme, rest) = match text.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err("it must begin with http:// or https://"),
    };
    // The colons of an IPv6 address stand in brackets.
    let after_host =
        if rest.starts_with('[') { rest.find(']').map_or(0, |end| end + 1) } else { 0 };
    match rest[after_host..].find(':') {
        None => Ok((scheme, rest, None)),
        Some(colon) => {
            let colon = after_host + colon;
            Ok((scheme, &rest[..colon], Some(&rest[colon + 1..])))
        }
    }
}

/// A host as browsers write it: a name in lower case and punycode without a dot at its end, an
/// IPv4 address in four decimal parts, or an IPv6 address in its shortest form in brackets.
fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| {
            inner.parse::<std::net::Ipv6Addr>().ok().filter(|a| a.to_string() == inner)
        });
        return address.map(|_| ()).ok_or("its address is not in its shortest form");
    }
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !host.split('.').all(is_label) || host.len() > 253 {
        return Err("its host must be a name in lower case and punycode, or an address");
    }
    // Browsers read a host that ends in a number as an IPv4 address, however it is spelled.
    let ends_in_number = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x"));
    if ends_in_number && host.parse::<std::net::Ipv4Addr>().is_err() {
        return Err("its address must have four decimal parts");
    }
    Ok(())
}

fn port_number(digits: &str) -> Option<u16> {
    let port = digits.parse::<u16>().ok().filter(|port| *port > 0)?;
    (port.to_string() == digits).then_some(port)
}

/// Whether a host can only be this machine.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok_and(|a| a.is_loopback()),
        None => {
            host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|a| a.is_loopback())
        }
    }
}

/// The allow-lists of all widgets, by tenant.
#[derive(Debug, Default)]
pub(super) struct Index(RwLock<HashMap<TenantId, Arc<[Pattern]>>>);

impl Directory {
    /// Whether pages of an origin may call for a tenant, by the lists of its widgets.
    #[must_use]
    pub fn allows_origin(&self, tenant: &TenantId, origin: &Origin) -> bool {
        let lists = self.0.origins.0.read();
        lists.get(tenant).is_some_and(|list| list.iter().any(|pattern| pattern.allows(origin)))
    }

    /// Whether pages of an origin may call for any tenant: what can be said before the caller is
    /// known, as in a preflight.
    #[must_use]
    pub fn knows_origin(&self, origin: &Origin) -> bool {
        let lists = self.0.origins.0.read();
        lists.values().any(|list| list.iter().any(|pattern| pattern.allows(origin)))
    }

    pub(super) async fn load_origins(&self) -> Result<(), Error> {
        for tenant in self.tenants().await? {
            self.load_origins_of(&tenant).await?;
        }
        Ok(())
    }

    /// Reads the lists of a tenant's widgets anew, after one of them changed.
    pub(super) async fn load_origins_of(&self, tenant: &TenantId) -> Result<(), Error> {
        // One at a time, or an older reading could replace a newer one.
        let _alone = self.stripe(tenant, "origins").lock().await;
        let mut list = Vec::new();
        let mut after: Option<Arc<str>> = None;
        loop {
            let widgets = self.widgets(tenant, after.as_deref(), PAGE_MAX).await?;
            for widget in &widgets {
                list.extend(widget.value.settings.allowed_origins.iter().cloned());
            }
            match widgets.last() {
                Some(last) if widgets.len() == PAGE_MAX => {
                    after = Some(Arc::clone(&last.value.id.0));
                }
                Some(_) | None => break,
            }
        }
        self.0.origins.0.write().insert(tenant.clone(), list.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
