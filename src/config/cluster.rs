//! The section `[cluster]`: how the nodes of one keyspace reach each other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchboard_cluster::placement::WEIGHT_MAX;
use switchboard_cluster::time::Times;

use super::{Engine, Error, value};

/// Letters that a cookie has at least.
const COOKIE_MIN: usize = 32;
/// Beyond this a killed node's conversations would wait for a minute.
const LEASE_FACTOR_MAX: u8 = 10;

/// How the nodes of one keyspace reach each other.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Where this node takes the other nodes of `store.engine = "cql"` in, by mutual TLS. When
    /// absent it is the only node of its keyspace. Port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Under which `host:port` the other nodes reach it. When absent, `listen`; needed when that
    /// is every address of the machine.
    pub advertise: Option<String>,
    /// A secret that all nodes of the cluster share, of at least 32 characters. Better given in the
    /// environment, or in `cookie_file`.
    #[serde(skip_serializing)]
    pub cookie: Option<String>,
    /// A file that holds the cookie, in the place of `cookie`.
    pub cookie_file: Option<PathBuf>,
    /// A PEM chain that names this node: `server.node` is one of its DNS names. It is good for
    /// clients and for servers.
    pub cert: Option<PathBuf>,
    /// The PEM key of `cert`.
    pub key: Option<PathBuf>,
    /// The PEM certificate of the authority that signed the certificates of all nodes.
    pub authority: Option<PathBuf>,
    /// Share of the conversations that this node should own, beside those of the others: 1 to 64.
    pub weight: u8,
    /// A lease is renewed every second, trusted for 4 and watched for 5. This many times as long
    /// where the database is slow: 1 to 10, the same on all nodes. A killed node's conversations wait
    /// as much longer.
    pub lease_factor: u8,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            listen: None,
            advertise: None,
            cookie: None,
            cookie_file: None,
            cert: None,
            key: None,
            authority: None,
            weight: 1,
            lease_factor: 1,
        }
    }
}

/// The cookie stays out of logs.
impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("listen", &self.listen)
            .field("advertise", &self.advertise)
            .field("weight", &self.weight)
            .field("lease_factor", &self.lease_factor)
            .finish_non_exhaustive()
    }
}

/// What a node among others needs, all of it there.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    /// Where it takes others in.
    pub listen: SocketAddr,
    /// Its certificate.
    pub cert: &'a Path,
    /// Its key.
    pub key: &'a Path,
    /// Who signed all certificates.
    pub authority: &'a Path,
}

impl Cluster {
    /// What is needed to reach other nodes; `None` for a node that is alone.
    #[must_use]
    pub fn links(&self) -> Option<Links<'_>> {
        Some(Links {
            listen: self.listen?,
            cert: self.cert.as_deref()?,
            key: self.key.as_deref()?,
            authority: self.authority.as_deref()?,
        })
    }

    /// The cookie, as set or as in its file.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when the file cannot be read; [`Error::Value`] when the cookie is too short.
    pub fn read_cookie(&self) -> Result<String, Error> {
        let (key, cookie) = match (&self.cookie, &self.cookie_file) {
            (_, Some(path)) => {
                let unread = |source| Error::Read { path: path.clone(), source };
                ("cluster.cookie_file", std::fs::read_to_string(path).map_err(unread)?)
            }
            (cookie, None) => ("cluster.cookie", cookie.clone().unwrap_or_default()),
        };
        let cookie = cookie.trim().to_owned();
        if cookie.len() < COOKIE_MIN {
            return Err(value(key, &format!("must have at least {COOKIE_MIN} characters")));
        }
        Ok(cookie)
    }

    /// How long things of a lease take.
    #[must_use]
    pub fn times(&self) -> Times {
        let factor = u32::from(self.lease_factor.clamp(1, LEASE_FACTOR_MAX));
        let seconds = |n: u32| Duration::from_secs(u64::from(n * factor));
        // The same proportions as those of the default.
        Times::new(seconds(1), seconds(4), seconds(5)).unwrap_or(Times::DEFAULT)
    }

    /// Whether the parts go together.
    pub(super) fn check(&self, engine: Engine) -> Result<(), Error> {
        if !(1..=WEIGHT_MAX).contains(&self.weight) {
            return Err(value("cluster.weight", &format!("must be 1 to {WEIGHT_MAX}")));
        }
        if !(1..=LEASE_FACTOR_MAX).contains(&self.lease_factor) {
            let what = format!("must be 1 to {LEASE_FACTOR_MAX}");
            return Err(value("cluster.lease_factor", &what));
        }
        let Some(listen) = self.listen else { return self.check_absent() };
        if engine != Engine::Cql {
            return Err(together(
                "`cluster.listen` needs `store.engine` = \"cql\": nodes share their database",
            ));
        }
        if self.cookie.is_some() && self.cookie_file.is_some() {
            return Err(together(
                "`cluster.cookie` and `cluster.cookie_file` say the same: set one",
            ));
        }
        if self.cookie.is_none() && self.cookie_file.is_none() {
            return Err(together(
                "`cluster.listen` needs `cluster.cookie` or `cluster.cookie_file`, a secret that \
                 all nodes share",
            ));
        }
        if self.cookie.is_some() {
            self.read_cookie()?;
        }
        for (key, file) in
            [("cert", &self.cert), ("key", &self.key), ("authority", &self.authority)]
        {
            if file.is_none() {
                return Err(together(&format!(
                    "`cluster.listen` needs `cluster.{key}`: nodes know each other by certificates"
                )));
            }
        }
        match &self.advertise {
            Some(advertise) if !is_reachable(advertise) => {
                let what = format!("{advertise:?} is not host:port that others can reach");
                Err(value("cluster.advertise", &what))
            }
            None if listen.ip().is_unspecified() => Err(together(&format!(
                "`cluster.listen` = {listen} is every address of this machine: set \
                 `cluster.advertise` to the one under which other nodes reach it"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Nothing may be set that only means something among nodes.
    fn check_absent(&self) -> Result<(), Error> {
        let set = [
            ("advertise", self.advertise.is_some()),
            ("cookie", self.cookie.is_some()),
            ("cookie_file", self.cookie_file.is_some()),
            ("cert", self.cert.is_some()),
            ("key", self.key.is_some()),
            ("authority", self.authority.is_some()),
        ];
        match set.into_iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(together(&format!(
                "`cluster.{key}` needs `cluster.listen`: without it the node is alone"
            ))),
            None => Ok(()),
        }
    }
}

fn together(what: &str) -> Error {
    Error::Together(what.to_owned())
}

/// Whether it is a host and a port that can be dialled.
fn is_reachable(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let is_somewhere = match address.parse::<SocketAddr>() {
        Ok(address) => !address.ip().is_unspecified(),
        Err(_) => !host.is_empty() && !host.contains([':', '/', '@', ' ']),
    };
    is_somewhere && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Cluster {
        Cluster {
            listen: Some("127.0.0.1:7000".parse().unwrap()),
            cookie: Some("0123456789abcdef0123456789abcdef".to_owned()),
            cert: Some("node.pem".into()),
            key: Some("node.key".into()),
            authority: Some("authority.pem".into()),
            ..Cluster::default()
        }
    }

    #[track_caller]
    fn refused(cluster: &Cluster, key: &str) {
        let refused = cluster.check(Engine::Cql).unwrap_err().to_string();
        assert!(refused.contains(key), "{key}: {refused}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        whole().check(Engine::Cql).unwrap();
        Cluster::default().check(Engine::Embedded).unwrap();
        Cluster { lease_factor: 3, ..Cluster::default() }.check(Engine::Cql).unwrap();
        let embedded = whole().check(Engine::Embedded).unwrap_err().to_string();
        assert!(embedded.contains("store.engine"), "{embedded}");
        let anywhere = Some("0.0.0.0:7000".parse().unwrap());
        for (wrong, key) in [
            (Cluster { cookie: None, ..whole() }, "cluster.cookie"),
            (Cluster { cookie: Some("short".to_owned()), ..whole() }, "cluster.cookie"),
            (Cluster { cookie_file: Some("file".into()), ..whole() }, "cluster.cookie_file"),
            (Cluster { cert: None, ..whole() }, "cluster.cert"),
            (Cluster { key: None, ..whole() }, "cluster.key"),
            (Cluster { authority: None, ..whole() }, "cluster.authority"),
            (Cluster { listen: None, ..whole() }, "cluster.listen"),
            (Cluster { listen: anywhere, ..whole() }, "cluster.advertise"),
            (Cluster { weight: 0, ..whole() }, "cluster.weight"),
            (Cluster { weight: 65, ..whole() }, "cluster.weight"),
            (Cluster { lease_factor: 0, ..whole() }, "cluster.lease_factor"),
            (Cluster { lease_factor: 11, ..whole() }, "cluster.lease_factor"),
        ] {
            refused(&wrong, key);
        }
    }

    #[test]
    fn an_advertised_address_can_be_dialled() {
        for (address, is_fine) in [
            ("node-1.example:7000", true),
            ("192.0.2.1:7000", true),
            ("[2001:db8::1]:7000", true),
            ("node-1.example", false),
            (":7000", false),
            ("node-1.example:0", false),
            ("0.0.0.0:7000", false),
            ("[::]:7000", false),
            ("https://node-1:7000", false),
        ] {
            let cluster = Cluster { advertise: Some(address.to_owned()), ..whole() };
            assert_eq!(cluster.check(Engine::Cql).is_ok(), is_fine, "{address}");
        }
    }

    #[test]
    fn the_cookie_is_read_from_its_file_and_shown_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cookie");
        let cookie = whole().cookie.unwrap();
        std::fs::write(&path, format!("{cookie}\n")).unwrap();
        let mut cluster = Cluster { cookie: None, cookie_file: Some(path.clone()), ..whole() };
        assert_eq!(cluster.read_cookie().unwrap(), cookie);
        std::fs::write(&path, "short").unwrap();
        let short = cluster.read_cookie().unwrap_err().to_string();
        assert!(short.contains("cluster.cookie_file"), "{short}");
        cluster.cookie_file = Some("/nowhere/cookie".into());
        let absent = cluster.read_cookie().unwrap_err().to_string();
        assert!(absent.contains("/nowhere/cookie"), "{absent}");
        assert!(!format!("{:?}", whole()).contains(&cookie));
        assert!(!serde_json::to_string(&whole()).unwrap().contains(&cookie));
    }

    #[test]
    fn leases_keep_their_proportions_whatever_the_factor() {
        for factor in 1..=LEASE_FACTOR_MAX {
            let times = Cluster { lease_factor: factor, ..whole() }.times();
            let seconds = |n: u64| Duration::from_secs(n * u64::from(factor));
            assert_eq!(times.renew_every(), seconds(1));
            assert_eq!((times.trust_for(), times.watch_for()), (seconds(4), seconds(5)));
        }
    }
}
