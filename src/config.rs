//! Settings: a file, then the environment over it, then the command line. Keys that nothing reads
//! refuse to start.
//!
//! Each part owns its `Config` struct beside its code; this file puts them together. The setting
//! `listen` of the section `[server]` is `SWITCHBOARD_SERVER_LISTEN` in the environment; an empty
//! variable counts as not set. `docs/SETTINGS.md` is made from these structs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchboard_domain::permission;

use crate::auth;
use crate::edge::{dialect, limits, listener};
use crate::telemetry;

mod cluster;
mod cql;
mod read;

pub use cluster::{Cluster, Links};
pub use cql::{Cql, Retention};

/// The longest time a stop may take, in seconds: what orchestrators wait before they kill.
const DRAIN_SECONDS_MAX: u64 = 30;

/// All settings.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Config {
    /// `production`, or `development`, where rate limits and caps per address do not apply and
    /// demo data may be seeded.
    pub environment: Environment,
    /// Addresses, TLS and what stands before us.
    pub server: Server,
    /// Bounds of the accept loop and of HTTP.
    pub listener: listener::Config,
    /// Where and how things are stored.
    pub store: Store,
    /// The database of `store.engine = "cql"`.
    pub cql: Cql,
    /// How the nodes of one keyspace reach each other.
    pub cluster: Cluster,
    /// The secret that needs no file.
    pub jwt: auth::SecretConfig,
    /// Keys and claims of tokens.
    pub auth: auth::Config,
    /// How conversations live in memory.
    pub actors: Actors,
    /// Budgets of strangers; they apply in `production`.
    pub limits: limits::Config,
    /// APIs of earlier systems that are spoken beside our own.
    pub dialects: dialect::Config,
    /// Logs.
    pub log: telemetry::Config,
}

/// What kind of place a server runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Among strangers.
    #[default]
    Production,
    /// On a developer's machine.
    Development,
}

/// Addresses, TLS and what stands before us.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where clients come in. Port 0 takes a free one. An address that is not loopback needs
    /// `tls_cert` and `tls_key`, or `behind_proxy`.
    pub listen: SocketAddr,
    /// Where metrics, health and the inner state are read. There is no sign-in: keep it private.
    pub ops_listen: SocketAddr,
    /// How clients reach us, such as `https://chat.example.com`: for links, embed code and as an
    /// allowed origin. When absent, it is taken from `listen`.
    pub public_url: Option<String>,
    /// How many trusted proxies stand before us; each must append to `X-Forwarded-For`.
    pub behind_proxy: u8,
    /// The name of this node in logs and in the protocol.
    pub node: String,
    /// A PEM chain; with `tls_key` clients speak TLS to us. It is read again when the file changes
    /// and on SIGHUP.
    pub tls_cert: Option<PathBuf>,
    /// The PEM key of `tls_cert`.
    pub tls_key: Option<PathBuf>,
    /// Origins that may call besides `public_url` and the widgets' own lists: scheme, host and
    /// port exactly. `ALLOWED_ORIGINS` and `CORS_ORIGIN` in the environment say the same.
    pub allowed_origins: Vec<String>,
    /// How long a stop may take before what is left is cut, in seconds, at most 30.
    pub drain_seconds: u64,
    /// Seeds demo data and allows its one-click sign-in on this machine. Only in `development`
    /// and on a loopback `listen`.
    pub demo: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
            public_url: None,
            behind_proxy: 0,
            node: "node-1".to_owned(),
            tls_cert: None,
            tls_key: None,
            allowed_origins: Vec::new(),
            drain_seconds: 25,
            demo: false,
        }
    }
}

impl Server {
    /// The time that a stop may take.
    #[must_use]
    pub const fn drain_within(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// The files of TLS, when clients speak TLS to us.
    #[must_use]
    pub fn tls(&self) -> Option<(&Path, &Path)> {
        Some((self.tls_cert.as_deref()?, self.tls_key.as_deref()?))
    }
}

/// Where and how things are stored.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `embedded`; `cql` for ScyllaDB or Apache Cassandra, where a program has that feature; or
    /// `memory`, which forgets everything at the end.
    pub engine: Engine,
    /// The folder of the embedded engine; made when it is missing.
    pub data_dir: PathBuf,
    /// MiB of database pages that the embedded engine keeps in memory for writing; a quarter as
    /// much again for reading. The system's own cache is behind it, so more only saves copying.
    pub cache_mib: u16,
}

impl Store {
    /// Pages kept in memory, in bytes.
    #[must_use]
    pub fn cache_bytes(&self) -> usize {
        usize::from(self.cache_mib) << 20
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { engine: Engine::Embedded, data_dir: PathBuf::from("./data"), cache_mib: 8 }
    }
}

/// A storage engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// One file in the data folder.
    Embedded,
    /// A database that nodes share.
    Cql,
    /// Nothing is kept.
    Memory,
}

/// How conversations live in memory.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Actors {
    /// Milliseconds without a command after which a conversation leaves memory.
    pub idle_ms: u64,
    /// Seconds for which whoever waits keeps their place in line after they closed the page; 0 keeps
    /// it until they are answered.
    pub place_kept_s: u64,
    /// Which conversations plain agents see: `all`, those of their `departments`, or their `own`.
    pub agents_see: AgentsSee,
}

impl Default for Actors {
    fn default() -> Self {
        Self { idle_ms: 15_000, place_kept_s: 600, agents_see: AgentsSee::All }
    }
}

impl Actors {
    /// The idle time.
    #[must_use]
    pub const fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    /// How long a place in line is kept for somebody who is gone; `None` for as long as it takes.
    #[must_use]
    pub const fn place_kept(&self) -> Option<Duration> {
        match self.place_kept_s {
            0 => None,
            kept_s => Some(Duration::from_secs(kept_s)),
        }
    }
}

/// See [`permission::AgentsSee`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is the variant of that name")]
pub enum AgentsSee {
    All,
    Departments,
    Own,
}

impl From<AgentsSee> for permission::AgentsSee {
    fn from(setting: AgentsSee) -> Self {
        match setting {
            AgentsSee::All => Self::All,
            AgentsSee::Departments => Self::Departments,
            AgentsSee::Own => Self::Own,
        }
    }
}

/// Why the settings are no good.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("reading the settings in {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML: {what}")]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where and what.
        what: String,
    },
    /// A key that nothing reads.
    #[error("unknown setting `{key}`; the nearest known one is `{nearest}`")]
    Unknown {
        /// As the operator wrote it: `section.key`, or the name of the variable.
        key: String,
        /// In the same manner.
        nearest: String,
    },
    /// A value of the wrong kind or out of range.
    #[error("setting `{key}`: {what}")]
    Value {
        /// As the operator wrote it.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Together(String),
}

impl Config {
    /// Reads the file, if there is one, then the environment over it. Nothing is checked that
    /// shows only when settings meet: see [`Config::check`].
    ///
    /// # Errors
    ///
    /// [`Error`], naming the key.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| Error::Read { path: path.to_owned(), source })?,
        };
        let table = text.parse().map_err(|error: toml::de::Error| Error::Syntax {
            path: file.map(Path::to_owned).unwrap_or_default(),
            what: error.to_string(),
        })?;
        let mut reader = read::Reader::new(table, environment);
        let config = Self {
            environment: reader.root("environment")?,
            server: reader.section("server")?,
            listener: reader.section("listener")?,
            store: reader.section("store")?,
            cql: reader.section("cql")?,
            cluster: reader.section("cluster")?,
            jwt: reader.section("jwt")?,
            auth: reader.section("auth")?,
            actors: reader.section("actors")?,
            limits: reader.section("limits")?,
            dialects: reader.section("dialects")?,
            log: reader.section("log")?,
        };
        reader.finish()?;
        Ok(config)
    }

    /// Checks what shows only when settings meet, or when they are used.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] or [`Error::Together`].
    pub fn check(&self) -> Result<(), Error> {
        self.server.check()?;
        self.listener.check()?;
        telemetry::check(&self.log).map_err(|error| Error::Value {
            key: "log.filter".to_owned(),
            what: std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default(),
        })?;
        self.jwt.check().map_err(|what| value("jwt.secret", &what))?;
        self.dialects.check().map_err(|(key, what)| value(key, &what))?;
        self.auth.check().map_err(|what| value("auth", &what))?;
        if self.store.cache_mib == 0 {
            return Err(value("store.cache_mib", "must be at least 1"));
        }
        self.cluster.check(self.store.engine)?;
        if self.store.engine == Engine::Cql {
            self.cql.check()?;
        }
        if self.actors.idle_ms == 0 {
            return Err(value("actors.idle_ms", "must be at least 1"));
        }
        if self.server.demo && self.is_production() {
            return Err(Error::Together(
                "`server.demo` opens the console to everybody on this machine: it needs \
                 `environment = \"development\"`"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether limits that only make sense among strangers apply.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }
}

impl Server {
    fn check(&self) -> Result<(), Error> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            let what = "`server.tls_cert` and `server.tls_key` go together";
            return Err(Error::Together(what.to_owned()));
        }
        let is_public = !self.listen.ip().is_loopback();
        if is_public && self.tls_cert.is_none() && self.behind_proxy == 0 {
            return Err(Error::Together(format!(
                "`server.listen` = {} is public: set `server.tls_cert` and `server.tls_key`, or \
                 `server.behind_proxy` when a proxy before us ends TLS",
                self.listen
            )));
        }
        if is_public && self.demo {
            return Err(Error::Together(format!(
                "`server.demo` needs a loopback `server.listen`, not {}",
                self.listen
            )));
        }
        if self.drain_seconds > DRAIN_SECONDS_MAX {
            let what = format!("must be at most {DRAIN_SECONDS_MAX}");
            return Err(value("server.drain_seconds", &what));
        }
        if self.node.is_empty() || !self.node.chars().all(is_name_char) {
            let what = "must be letters, digits, `-`, `_` and `.`";
            return Err(value("server.node", what));
        }
        let public_url = self.public_url.iter().map(|url| ("server.public_url", url));
        let allowed = self.allowed_origins.iter().map(|url| ("server.allowed_origins", url));
        for (key, origin) in public_url.chain(allowed) {
            if !is_origin(origin) {
                let what = format!("{origin:?} is not scheme://host[:port] without a path");
                return Err(value(key, &what));
            }
        }
        Ok(())
    }
}

pub(crate) fn value(key: &str, what: &str) -> Error {
    Error::Value { key: key.to_owned(), what: what.to_owned() }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// Whether a text is an origin: `https` anywhere, `http` too, for a proxy or a developer. A host
/// may begin with `*.`.
fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let authority = rest.strip_prefix("*.").unwrap_or(rest);
    !authority.contains(['*', '@', '/', '?', '#'])
        && authority.parse::<http::uri::Authority>().is_ok_and(|it| !it.host().is_empty())
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
