//! The section `[cql]`: where the database of `store.engine = "cql"` is.

use serde::{Deserialize, Serialize};

use super::{Error, value};

/// Letters of a keyspace's name, as the database bounds it.
const KEYSPACE_MAX: usize = 48;

/// The database of `store.engine = "cql"`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cql {
    /// Addresses of some nodes of the database, `host:port`; the others are learnt from them.
    pub nodes: Vec<String>,
    /// The keyspace that holds the tables.
    pub keyspace: String,
    /// The data centre that is asked. All nodes that share a keyspace must name the same one.
    pub datacenter: Option<String>,
    /// The name to sign in with; goes with `password`.
    pub username: Option<String>,
    /// The password. Better given in the environment than in a file.
    #[serde(skip_serializing)]
    pub password: Option<String>,
    /// How often `switchboard migrate` has a new keyspace keep each row. Nothing that was
    /// acknowledged is lost with one node of the database from 3 on.
    pub replication: u8,
    /// How long events are kept: `kept` until their conversation is purged, else `30d`, `90d` or
    /// `400d`. Each has tables of its own, so choose before the first start.
    pub retention: Retention,
    /// Brings the tables up to date at each start, as `switchboard migrate` does. The name that
    /// signs in must then be allowed to.
    pub migrate: bool,
}

/// How long events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[expect(missing_docs, reason = "each is the value of that name")]
pub enum Retention {
    #[serde(rename = "kept")]
    Kept,
    #[serde(rename = "30d")]
    Days30,
    #[serde(rename = "90d")]
    Days90,
    #[serde(rename = "400d")]
    Days400,
}

impl Default for Cql {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            keyspace: "switchboard".to_owned(),
            datacenter: None,
            username: None,
            password: None,
            replication: 3,
            retention: Retention::Kept,
            migrate: false,
        }
    }
}

/// The password stays out of logs.
impl std::fmt::Debug for Cql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cql")
            .field("nodes", &self.nodes)
            .field("keyspace", &self.keyspace)
            .field("datacenter", &self.datacenter)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Cql {
    /// Whether a database can be reached with it.
    pub(super) fn check(&self) -> Result<(), Error> {
        if !cfg!(feature = "cql") {
            let what = "this program was built without the feature `cql`";
            return Err(value("store.engine", what));
        }
        if self.nodes.is_empty() {
            let what = "`store.engine` = \"cql\" needs `cql.nodes`, the address of a database node";
            return Err(Error::Together(what.to_owned()));
        }
        let is_address = |node: &String| {
            let port = node.rsplit_once(':').map(|(host, port)| (!host.is_empty(), port));
            port.is_some_and(|(has_host, port)| has_host && port.parse::<u16>().is_ok())
        };
        if let Some(node) = self.nodes.iter().find(|node| !is_address(node)) {
            return Err(value("cql.nodes", &format!("{node:?} is not host:port")));
        }
        let is_name = self.keyspace.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name || self.keyspace.is_empty() || self.keyspace.len() > KEYSPACE_MAX {
            return Err(value("cql.keyspace", "must be 1 to 48 letters, digits and underscores"));
        }
        if self.username.is_some() != self.password.is_some() {
            let what = "`cql.username` and `cql.password` go together";
            return Err(Error::Together(what.to_owned()));
        }
        if self.replication == 0 {
            return Err(value("cql.replication", "must be at least 1"));
        }
        Ok(())
    }
}
