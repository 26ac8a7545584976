//! `doctor`: what stands in the way of serving, before it does.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use switchboard_cluster::ownership::NodeName;

use super::{Exit, Failed, pid};
use crate::auth::Keys;
use crate::config::{Config, Engine, Links};
use crate::edge::listener::Tls;
use crate::peers;

/// Free space below which a disk is as good as full, in bytes: a day of a busy node.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Syncs that are measured.
const SYNCS: usize = 20;
/// A sync slower than this makes every ack slow.
const SYNC_MAX: Duration = Duration::from_millis(20);

/// How a look ended.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    /// As it should be.
    Fine(String),
    /// It serves, and the operator should know.
    Odd(String),
    /// It will not serve.
    Wrong(String),
}

use Finding::{Fine, Odd, Wrong};

/// Looks at everything and tells; the exit code says whether anything is wrong.
pub(super) fn look(config: &Config) -> Result<Exit, Failed> {
    let mut findings = vec![("settings", settings(config)), ("sign-in", keys(config))];
    if config.server.tls().is_some() {
        findings.push(("certificate", certificate(config)));
    }
    findings.push(("open files", files(config)));
    if config.store.engine == Engine::Embedded {
        let dir = &config.store.data_dir;
        findings.push(("data directory", data(dir)));
        findings.push(("free space", space(dir)));
        findings.push(("disk sync", sync(dir)));
    }
    #[cfg(feature = "cql")]
    if config.store.engine == Engine::Cql {
        findings.push(("database", database(config)));
    }
    if let Some(links) = config.cluster.links() {
        findings.push(("cluster", cluster(config, &links)));
        findings.push(("cluster address", address(config, links.listen)));
    }
    findings.push(("address", address(config, config.server.listen)));
    findings.push(("ops address", address(config, config.server.ops_listen)));
    let mut out = io::stdout();
    let mut exit = Exit::Done;
    for (what, finding) in findings {
        let (word, said) = match finding {
            Fine(said) => ("ok  ", said),
            Odd(said) => ("note", said),
            Wrong(said) => {
                exit = Exit::Failed;
                ("BAD ", said)
            }
        };
        writeln!(out, "{word}  {what}: {said}")?;
    }
    Ok(exit)
}

fn settings(config: &Config) -> Finding {
    match config.check() {
        Ok(()) => Fine("read and complete".to_owned()),
        Err(error) => Wrong(error.to_string()),
    }
}

fn keys(config: &Config) -> Finding {
    let keys = match Keys::load(&config.jwt, &config.auth) {
        Ok(keys) => keys,
        Err(error) => return Wrong(format!("{:#}", anyhow::Error::from(error))),
    };
    let has_keys = config.jwt.secret.is_some() || config.auth.keys_file.is_some();
    if !has_keys && !config.server.demo {
        return Fine(
            "own accounts only; tokens of others need SWITCHBOARD_JWT_SECRET or `auth.keys_file`"
                .to_owned(),
        );
    }
    Fine(format!("keys of {} tenants", keys.tenants().count()))
}

fn certificate(config: &Config) -> Finding {
    let Some((cert, key)) = config.server.tls() else { return Fine("none".to_owned()) };
    match Tls::load(cert, key) {
        Ok(_) => Fine(cert.display().to_string()),
        Err(error) => Wrong(format!("{:#}", anyhow::Error::from(error))),
    }
}

/// Whether other nodes would take this one in.
fn cluster(config: &Config, links: &Links<'_>) -> Finding {
    let node = NodeName(config.server.node.as_str().into());
    if let Err(error) = config.cluster.read_cookie() {
        return Wrong(format!("{:#}", anyhow::Error::from(error)));
    }
    match peers::credentials(links, &node) {
        Ok(_) => Fine(format!("{} names {node}", links.cert.display())),
        Err(error) => Wrong(format!("{:#}", anyhow::Error::from(error))),
    }
}

fn files(config: &Config) -> Finding {
    let Some(most) = getrlimit(Resource::Nofile).maximum else {
        return Fine("unlimited".to_owned());
    };
    let wanted = u64::try_from(config.listener.connections_max).unwrap_or(u64::MAX);
    if most < wanted {
        return Odd(format!(
            "{most} at most, so fewer connections than `listener.connections_max` = {wanted}"
        ));
    }
    Fine(format!("{most} at most"))
}

fn data(dir: &Path) -> Finding {
    match fs::create_dir_all(dir).and_then(|()| tempfile_in(dir).map(drop)) {
        Ok(()) => Fine(dir.display().to_string()),
        Err(error) => Wrong(format!("cannot write in {}: {error}", dir.display())),
    }
}

fn space(dir: &Path) -> Finding {
    match rustix::fs::statvfs(dir) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let shown = format!("{} MiB", free >> 20);
            if free < FREE_BYTES_MIN { Odd(format!("only {shown}")) } else { Fine(shown) }
        }
        Err(error) => Wrong(io::Error::from(error).to_string()),
    }
}

/// The median of a few syncs: what every acknowledgement waits for at least.
fn sync(dir: &Path) -> Finding {
    let measured = || -> io::Result<Duration> {
        let mut probe = tempfile_in(dir)?;
        let mut took = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let began = Instant::now();
            probe.file.write_all(&[0; 4_096])?;
            probe.file.sync_data()?;
            took.push(began.elapsed());
        }
        took.sort_unstable();
        Ok(took[SYNCS / 2])
    };
    match measured() {
        Ok(median) if median > SYNC_MAX => Odd(format!("{median:.1?}: every ack waits for it")),
        Ok(median) => Fine(format!("{median:.1?}")),
        Err(error) => Wrong(error.to_string()),
    }
}

/// Whether the database answers and has the tables; nothing is changed.
#[cfg(feature = "cql")]
fn database(config: &Config) -> Finding {
    let settings = crate::config::Cql { migrate: false, ..config.cql.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let opened = runtime.map(|runtime| {
        runtime.block_on(Box::pin(async { crate::database::open(&settings).await.map(drop) }))
    });
    match opened {
        Ok(Ok(())) => {
            Fine(format!("keyspace {} on {}", settings.keyspace, settings.nodes.join(", ")))
        }
        Ok(Err(error)) => Wrong(error.to_string()),
        Err(error) => Wrong(error.to_string()),
    }
}

fn address(config: &Config, address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Fine(format!("{address} is free")),
        Err(error) => match pid::serving(&config.store.data_dir) {
            Some(pid) => Odd(format!("{address} is taken; process {pid} serves this directory")),
            None => Wrong(format!("{address}: {error}")),
        },
    }
}

/// A file to try things with; removed when dropped.
struct Probe {
    file: fs::File,
    path: std::path::PathBuf,
}

impl Drop for Probe {
    fn drop(&mut self) {
        // An empty file of a known name harms nobody.
        let _removed = fs::remove_file(&self.path);
    }
}

fn tempfile_in(dir: &Path) -> io::Result<Probe> {
    let path = dir.join(format!("doctor-{}.tmp", std::process::id()));
    let file = fs::File::create(&path)?;
    Ok(Probe { file, path })
}
