//! The CQL server for tests: Apache Cassandra, as a plain process on loopback with a small heap.
//! Its jars come from Maven Central once and stay below `target/tools`.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::campaign::SABOTAGED;
use crate::report::Counts;
use crate::run::{cargo, command, root, say};
use crate::suite::counted;
use crate::{credentials, tools};

/// The nodes of a cluster on this machine.
pub(crate) const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

const VERSION: &str = "5.0.6";
/// Enough for the tests.
const HEAP_MIB: u32 = 320;
/// A download of 66 MB, on a slow line.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(180);
/// It answers after about 12 s on two idle cores.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// What of its log is told when it does not start.
const LOG_LINES: usize = 15;

/// What Cassandra opens up in the JVM, as its own scripts do: `--add-exports` and `--add-opens`.
const OPENED: &[(&str, &[&str])] = &[
    (
        "java.base",
        &[
            "java.io",
            "java.lang",
            "java.lang.module",
            "java.lang.reflect",
            "java.net",
            "java.nio",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "jdk.internal.loader",
            "jdk.internal.math",
            "jdk.internal.misc",
            "jdk.internal.module",
            "jdk.internal.perf",
            "jdk.internal.ref",
            "jdk.internal.reflect",
            "jdk.internal.util.jar",
            "sun.nio.ch",
        ],
    ),
    ("java.management.rmi", &["com.sun.jmx.remote.internal.rmi"]),
    ("java.rmi", &["sun.rmi.registry", "sun.rmi.server", "sun.rmi.transport.tcp"]),
    ("java.sql", &["java.sql"]),
    ("jdk.management", &["com.sun.management.internal"]),
];

/// The tests of the store and of the binary on a server of their own, which is stopped whatever
/// comes of them.
pub(crate) fn test() -> Result<Counts> {
    // Of the whole workspace, so that what the other tests were built from is used again.
    let tests = |more: &[&str]| {
        cargo(&[&["test", "--workspace", "--no-fail-fast", "--test", "cql"], more].concat())
    };
    // The build first: it needs both cores, and so does a server that starts.
    if !counted_build(&mut tests(&["--no-run"]))? {
        return Ok(Counts::single(false));
    }
    let server = Server::start().context("starting the CQL server")?;
    let credentials = server.folder.join("credentials");
    credentials::make(&credentials, &NODES)?;
    counted(
        tests(&[])
            .env("CQL_SERVER", server.address.to_string())
            .env("CQL_SERVER_PID", server.process.id().to_string())
            .env("CQL_CREDENTIALS", &credentials),
    )
}

/// The test that shows what the store's own planted fault does, on a server of its own.
pub(crate) fn planted() -> Result<Counts> {
    let test = |more: &[&str]| {
        let args = ["test", "--workspace", "--features", SABOTAGED, "--test", "cql"];
        cargo(&[&args[..], more].concat())
    };
    if !counted_build(&mut test(&["--no-run"]))? {
        return Ok(Counts::single(false));
    }
    let server = Server::start().context("starting the CQL server")?;
    let counts = counted(test(&["loose_head"]).env("CQL_SERVER", server.address.to_string()))?;
    // A test that is not there finds nothing.
    Ok(if counts.passed == 0 { Counts::single(false) } else { counts })
}

fn counted_build(command: &mut Command) -> Result<bool> {
    Ok(crate::run::run(command)?.succeeded)
}

/// A server that runs as long as this does.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    /// Where its data is; removed with it.
    pub(crate) folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing of it is needed any more, so it need not end in good order.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        Self::spawned(|_| {})
    }

    /// As [`start`](Self::start); signals of the terminal do not reach it.
    pub(crate) fn start_apart() -> Result<Self> {
        Self::spawned(|java| {
            java.process_group(0);
        })
    }

    fn spawned(change: impl FnOnce(&mut Command)) -> Result<Self> {
        fetch()?;
        let folder = root().join("target/cql").join(std::process::id().to_string());
        let [client, storage] = free_ports()?;
        let place = Place { client, storage, seed: storage, heap_mib: HEAP_MIB, sync_each: false };
        let mut java = place.command(&folder)?;
        let log = std::fs::File::create(folder.join("log")).context("making its log")?;
        java.stdin(Stdio::null()).stdout(log.try_clone().context("sharing its log")?).stderr(log);
        change(&mut java);
        let process = java.spawn().context("running java")?;
        let mut server = Self { process, address: client.into(), folder };
        server.wait()?;
        Ok(server)
    }

    /// Waits until it answers.
    fn wait(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            if TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok() {
                say(&format!("Cassandra {VERSION} answers after {} s", began.elapsed().as_secs()));
                return Ok(());
            }
            let ended = self.process.try_wait().context("looking whether it runs")?;
            if ended.is_some() || began.elapsed() > START_TIMEOUT {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
                match ended {
                    Some(status) => bail!("Cassandra ended with {status}:\n{last}"),
                    None => bail!("Cassandra did not answer in {START_TIMEOUT:?}:\n{last}"),
                }
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// One node of a database, for `cql-node`.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// Where it listens: for clients at port 9042, for the other nodes at 7000.
    #[arg(long)]
    address: Ipv4Addr,
    /// The node that the others ask first; they start after it.
    #[arg(long)]
    seed: Ipv4Addr,
    /// Where its data is kept.
    #[arg(long)]
    folder: PathBuf,
    /// Its heap.
    #[arg(long, default_value_t = HEAP_MIB)]
    heap_mib: u32,
    /// Sync each write before confirming it, instead of all of a second together: without other
    /// nodes that have a copy, a write is lost otherwise when this one is killed.
    #[arg(long)]
    sync_each: bool,
}

/// Becomes that node: this process is its process from then on.
pub(crate) fn become_node(args: &NodeArgs) -> Result<Infallible> {
    let storage = |address| SocketAddrV4::new(address, 7000);
    let place = Place {
        client: SocketAddrV4::new(args.address, 9042),
        storage: storage(args.address),
        seed: storage(args.seed),
        heap_mib: args.heap_mib,
        sync_each: args.sync_each,
    };
    Err(place.command(&args.folder)?.exec()).context("running java")
}

/// Where one server is.
struct Place {
    /// Where it listens for clients.
    client: SocketAddrV4,
    /// Where it listens for the others of its cluster.
    storage: SocketAddrV4,
    seed: SocketAddrV4,
    heap_mib: u32,
    /// Whether each write is synced before it is confirmed.
    sync_each: bool,
}

impl Place {
    /// The server with its data below `folder`, which keeps what an earlier run left there.
    fn command(&self, folder: &Path) -> Result<Command> {
        std::fs::create_dir_all(folder).context("making a folder for its data")?;
        let yaml = folder.join("cassandra.yaml");
        std::fs::write(&yaml, self.settings(folder))?;
        let logging = folder.join("logback.xml");
        std::fs::write(&logging, LOGGING)?;
        let mut java = Command::new("java");
        for (module, packages) in OPENED {
            for package in *packages {
                for way in ["--add-exports", "--add-opens"] {
                    java.arg(format!("{way}={module}/{package}=ALL-UNNAMED"));
                }
            }
        }
        java.arg(format!("-Xms{}m", self.heap_mib))
            .arg(format!("-Xmx{}m", self.heap_mib))
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(["-XX:MaxDirectMemorySize=256m", "-XX:+ExitOnOutOfMemoryError"])
            // Its file of figures is named by process id, of which a namespace has its own.
            .arg("-XX:-UsePerfData")
            .arg("-Djdk.attach.allowAttachSelf=true")
            .arg(format!("-Dcassandra.config=file://{}", yaml.display()))
            .arg(format!("-Dlogback.configurationFile={}", logging.display()))
            .arg(format!("-Dcassandra.storagedir={}", folder.display()))
            .arg("-Dcassandra.skip_wait_for_gossip_to_settle=0")
            .arg("-Dcassandra.ring_delay_ms=2000")
            .arg("-cp")
            .arg(jars().join("*"))
            .arg("org.apache.cassandra.service.CassandraDaemon")
            .current_dir(folder);
        Ok(java)
    }

    fn settings(&self, folder: &Path) -> String {
        let folder = folder.display();
        let Self { client, storage, seed, .. } = self;
        let sync = match self.sync_each {
            true => "commitlog_sync: batch",
            false => "commitlog_sync: periodic\ncommitlog_sync_period: 1000ms",
        };
        format!(
            "cluster_name: switchboard-test\n\
             num_tokens: 4\n\
             partitioner: org.apache.cassandra.dht.Murmur3Partitioner\n\
             {sync}\n\
             data_file_directories: ['{folder}/data']\n\
             commitlog_directory: '{folder}/commitlog'\n\
             hints_directory: '{folder}/hints'\n\
             saved_caches_directory: '{folder}/saved_caches'\n\
             cdc_raw_directory: '{folder}/cdc_raw'\n\
             seed_provider:\n\
             - class_name: org.apache.cassandra.locator.SimpleSeedProvider\n\
             \x20 parameters: [{{seeds: '{seed}'}}]\n\
             listen_address: {}\n\
             rpc_address: {}\n\
             storage_port: {}\n\
             native_transport_port: {}\n\
             endpoint_snitch: SimpleSnitch\n\
             auto_bootstrap: false\n\
             auto_snapshot: false\n\
             memtable_heap_space: 64MiB\n\
             memtable_offheap_space: 32MiB\n\
             file_cache_enabled: false\n\
             commitlog_segment_size: 8MiB\n\
             commitlog_total_space: 64MiB\n\
             concurrent_compactors: 1\n",
            storage.ip(),
            client.ip(),
            storage.port(),
            client.port(),
        )
    }
}

/// Below which the server is kept.
fn home() -> PathBuf {
    root().join("target/tools").join(format!("cassandra-{VERSION}"))
}

/// Where its jars are.
fn jars() -> PathBuf {
    home().join("lib")
}

/// Fetches what the server needs and this machine has not.
pub(crate) fn fetch() -> Result<()> {
    tools::java()?;
    let (home, jars) = (home(), jars());
    let complete = home.join("complete");
    if complete.exists() {
        return Ok(());
    }
    tools::maven()?;
    say(&format!("fetching Apache Cassandra {VERSION} from Maven Central, once"));
    std::fs::create_dir_all(&jars).context("making a folder for the jars")?;
    let pom = home.join("pom.xml");
    std::fs::write(&pom, POM.replace("VERSION", VERSION))?;
    let mut maven = command("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", jars.display()))
        .stdin(Stdio::null());
    let mut fetching = maven.spawn().context("running mvn")?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = fetching.try_wait().context("waiting for mvn")? {
            break status;
        }
        if began.elapsed() > DOWNLOAD_TIMEOUT {
            let _ = fetching.kill();
            let _ = fetching.wait();
            bail!("Cassandra's jars did not come from Maven Central in {DOWNLOAD_TIMEOUT:?}");
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    if !status.success() {
        bail!("Cassandra's jars cannot be had from Maven Central: mvn ended with {status}");
    }
    std::fs::write(complete, VERSION)?;
    Ok(())
}

/// Two addresses that nobody listens at.
fn free_ports() -> Result<[SocketAddrV4; 2]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port");
    // Both are held until both are known, so that they differ.
    let (one, other) = (bind()?, bind()?);
    let place = |bound: &TcpListener| -> Result<SocketAddrV4> {
        Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, bound.local_addr()?.port()))
    };
    Ok([place(&one)?, place(&other)?])
}

const LOGGING: &str = "<configuration>\
    <appender name=\"OUT\" class=\"ch.qos.logback.core.ConsoleAppender\">\
    <encoder><pattern>%-5level %date{HH:mm:ss} %logger{0} %msg%n</pattern></encoder></appender>\
    <root level=\"WARN\"><appender-ref ref=\"OUT\"/></root></configuration>";

const POM: &str = "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\
    <modelVersion>4.0.0</modelVersion>\
    <groupId>switchboard</groupId><artifactId>cql-test-server</artifactId>\
    <version>1</version><packaging>pom</packaging>\
    <dependencies><dependency><groupId>org.apache.cassandra</groupId>\
    <artifactId>cassandra-all</artifactId><version>VERSION</version></dependency></dependencies>\
    </project>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ() {
        let [one, other] = free_ports().unwrap();
        assert_ne!(one.port(), other.port());
    }

    #[test]
    fn settings_name_the_folder_and_every_address() {
        let at = |last, port| SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), port);
        let (client, storage, seed) = (at(2, 1), at(3, 2), at(4, 5));
        let place = Place { client, storage, seed, heap_mib: 1, sync_each: true };
        let settings = place.settings(Path::new("/somewhere"));
        for expected in [
            "rpc_address: 127.0.0.2\n",
            "native_transport_port: 1\n",
            "listen_address: 127.0.0.3\n",
            "storage_port: 2\n",
            "commitlog_sync: batch\n",
            "'/somewhere/data'",
            "'127.0.0.4:5'",
        ] {
            assert!(settings.contains(expected), "{expected} is not in\n{settings}");
        }
        assert!(settings.lines().any(|line| line.starts_with("  parameters")), "{settings}");
        let usual = Place { sync_each: false, ..place }.settings(Path::new("/somewhere"));
        assert!(usual.contains("commitlog_sync: periodic\ncommitlog_sync_period: 1000ms\n"));
    }
}
