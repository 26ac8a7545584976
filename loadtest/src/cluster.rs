//! A cluster under test: nodes of the database and of Switchboard, each on a machine of its own.

pub(crate) mod net;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use switchboard_cluster::ownership::NodeName;
use switchboard_cluster::placement::{Candidate, Placement};
use switchboard_cluster::shard::Shard;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use self::net::{Machine, Network};
use crate::client::http::Http;
use crate::kill::Sabotage;
use crate::report::Report;
use crate::server::Server;

/// How many nodes there are.
pub(crate) const NODES: u8 = 3;
/// The number of one that is alone.
const ALONE: u8 = NODES + 1;
const KEYSPACE: &str = "switchboard_cluster";
/// Of a node that is alone.
const KEYSPACE_ALONE: &str = "switchboard_alone";
/// A node of the database starts in about 12 s on two idle cores.
const DATABASE_WITHIN: Duration = Duration::from_secs(180);
/// Making the tables.
const MIGRATE_WITHIN: Duration = Duration::from_secs(120);
/// What is told of a log.
const LOG_LINES: usize = 15;
/// What a node says when its lease ran out.
const LEASE_LOST: &str = "the lease could not be renewed";

/// What a cluster is made with, beside the server.
#[derive(clap::Args, Clone, Debug)]
pub struct Means {
    /// The program that becomes a node of the database when asked for `cql-node`.
    #[arg(long, env = "CQL_PROGRAM", default_value = "target/debug/xtask")]
    pub database: PathBuf,
    /// Where the nodes' certificates and their cookie are.
    #[arg(long, env = "CQL_CREDENTIALS")]
    pub credentials: PathBuf,
}

impl Means {
    /// The same from the root on, for programs that run in folders of their own.
    pub(crate) fn absolute(&self) -> Result<Self> {
        Ok(Self {
            database: self.database.canonicalize().context("the program of the database")?,
            credentials: self.credentials.canonicalize().context("credentials")?,
        })
    }
}

/// What a cluster is made of.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The server.
    pub(crate) binary: &'a Path,
    pub(crate) means: &'a Means,
    /// Where data and logs are kept.
    pub(crate) root: &'a Path,
    /// How many nodes the database has.
    pub(crate) databases: u8,
    /// Their heap, in MiB.
    pub(crate) heap_mib: u32,
    /// Whether they sync each write before they confirm it.
    pub(crate) sync_each: bool,
    pub(crate) lease_factor: u8,
    /// More of the nodes' environment: names and values.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    pub(crate) sabotage: Option<Sabotage>,
}

/// One node of the database.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) machine: Machine,
    program: PathBuf,
    root: PathBuf,
    heap_mib: u32,
    sync_each: bool,
    child: Option<Child>,
}

impl Database {
    /// Starts it and waits until it answers clients.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let [ref launcher, ref arguments @ ..] = self.machine.launcher()[..] else {
            bail!("nothing runs it")
        };
        let child = Command::new(launcher)
            .args(arguments)
            .arg(&self.program)
            .args(["cql-node", "--address", &self.machine.address.to_string()])
            .args(["--seed", &Machine::database(1).address.to_string(), "--folder"])
            .arg(&self.root)
            .args(["--heap-mib", &self.heap_mib.to_string()])
            .args(self.sync_each.then_some("--sync-each"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("starting the database")?;
        self.child = Some(child);
        let began = Instant::now();
        let address = (self.machine.address, 9042);
        loop {
            let connecting = timeout(Duration::from_secs(1), TcpStream::connect(address));
            if matches!(connecting.await, Ok(Ok(_))) {
                return Ok(());
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || began.elapsed() > DATABASE_WITHIN {
                bail!("the database does not answer ({ended:?}): {}", tail(&self.log()));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.as_ref().and_then(Child::id).context("the database does not run")?;
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    pub(crate) async fn kill(&mut self) -> Result<()> {
        match self.child.take() {
            Some(mut child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }
}

/// One node of Switchboard.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) machine: Machine,
    pub(crate) server: Server,
}

impl Node {
    async fn start(parts: &Parts<'_>, member: &Member) -> Result<Self> {
        let Member { name, machine, .. } = member;
        let root = parts.root.join(name);
        std::fs::create_dir_all(&root)?;
        let address = |port: u16| (machine.address, port).into();
        let at = [address(8080), address(9464)];
        let mut server = Server::at(parts.binary, &root, at, machine.launcher())?;
        server.set_environment(environment(parts, member));
        server.start().await?;
        Ok(Self { name: name.clone(), machine: *machine, server })
    }

    /// How many shards it says that it owns.
    pub(crate) async fn shards(&self) -> Result<u64> {
        let mut http = Http::new(self.server.ops);
        let observed: serde_json::Value = http.json(Method::GET, "/observe", None, None).await?;
        observed.get("shards").and_then(serde_json::Value::as_u64).context("shards in /observe")
    }

    /// How often its lease ran out so far.
    pub(crate) fn leases_lost(&self) -> usize {
        self.server.log().matches(LEASE_LOST).count()
    }
}

/// All of them. What runs ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    // Before the databases, which nodes that stop may still need.
    pub(crate) nodes: Vec<Node>,
    pub(crate) databases: Vec<Database>,
    pub(crate) network: Network,
}

impl Cluster {
    /// Starts everything, and answers when every node serves.
    pub(crate) async fn start(parts: &Parts<'_>, report: &Report) -> Result<Self> {
        let began = Instant::now();
        let databases: Vec<Machine> = (1..=parts.databases).map(Machine::database).collect();
        let machines: Vec<Machine> = (1..=NODES).map(Machine::node).collect();
        let all = [&databases[..], &machines[..], &[Machine::node(ALONE)]].concat();
        let network = Network::new(&all)?;
        let root = parts.root.canonicalize()?;
        let mut cluster = Self { nodes: Vec::new(), databases: Vec::new(), network };
        for machine in databases {
            let root = root.join(format!("database-{}", machine.address));
            std::fs::create_dir_all(&root)?;
            let program = parts.means.database.clone();
            let &Parts { heap_mib, sync_each, .. } = parts;
            let mut database =
                Database { machine, program, root, heap_mib, sync_each, child: None };
            // One after the other: those that come must find those that are there.
            database.start().await?;
            cluster.databases.push(database);
        }
        report.note(format!("{} database nodes after {:.0?}", parts.databases, began.elapsed()));
        cluster.migrate(parts, &Member::of(1)).await?;
        for n in 1..=NODES {
            let node = Node::start(parts, &Member::of(n)).await?;
            cluster.nodes.push(node);
        }
        report.note(format!("three nodes serve after {:.0?}", began.elapsed()));
        Ok(cluster)
    }

    /// Starts one more node, on the same database, which is the only one of its keyspace.
    pub(crate) async fn alone(&self, parts: &Parts<'_>) -> Result<Node> {
        self.migrate(parts, &Member::alone()).await?;
        Node::start(parts, &Member::alone()).await
    }

    async fn migrate(&self, parts: &Parts<'_>, member: &Member) -> Result<()> {
        let log = parts.root.join(format!("migrate-{}.log", member.name));
        let file = File::create(&log)?;
        let mut migrate = Command::new(parts.binary.canonicalize()?)
            .arg("migrate")
            .current_dir(parts.root)
            .env_remove("SWITCHBOARD_BIN")
            .envs(environment(parts, member))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()?;
        let status = timeout(MIGRATE_WITHIN, migrate.wait()).await.context("the tables")??;
        ensure!(status.success(), "no tables: {}", tail(&log));
        Ok(())
    }

    /// Waits until every node answers a client.
    pub(crate) async fn answers(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        for node in &self.nodes {
            let mut http = Http::new(node.server.public);
            loop {
                let asked = http.request(Method::GET, "/v1/widgets/demo", None, None).await;
                if asked.is_ok_and(|answer| answer.status == 200) {
                    break;
                }
                ensure!(Instant::now() < deadline, "{} does not answer", node.name);
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// The machines of all nodes but one.
    pub(crate) fn other_nodes(&self, than: usize) -> Vec<Machine> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(at, _)| *at != than).map(|(_, node)| node.machine).collect()
    }

    /// The machines of the database.
    pub(crate) fn database_machines(&self) -> Vec<Machine> {
        self.databases.iter().map(|database| database.machine).collect()
    }

    /// By node, how often its lease ran out so far.
    pub(crate) fn leases_lost(&self) -> Vec<usize> {
        self.nodes.iter().map(Node::leases_lost).collect()
    }
}

/// Who a node is.
#[derive(Debug)]
struct Member {
    name: String,
    machine: Machine,
    /// Whether it has a keyspace of its own, else it shares one with the others.
    is_alone: bool,
}

impl Member {
    fn of(n: u8) -> Self {
        Self { name: name(n), machine: Machine::node(n), is_alone: false }
    }

    fn alone() -> Self {
        Self { name: "alone".to_owned(), machine: Machine::node(ALONE), is_alone: true }
    }
}

fn environment(parts: &Parts<'_>, member: &Member) -> Vec<(String, String)> {
    let Member { name, machine, is_alone } = member;
    let address = |n| format!("{}:9042", Machine::database(n).address);
    let databases: Vec<String> = (1..=parts.databases).map(address).collect();
    let file = |file: &str| parts.means.credentials.join(file).display().to_string();
    let keyspace = if *is_alone { KEYSPACE_ALONE } else { KEYSPACE };
    let settings = vec![
        ("STORE_ENGINE", "cql".to_owned()),
        ("CQL_NODES", databases.join(",")),
        ("CQL_KEYSPACE", keyspace.to_owned()),
        ("CQL_REPLICATION", parts.databases.to_string()),
        ("SERVER_NODE", name.clone()),
    ];
    let among_others = vec![
        ("CLUSTER_LISTEN", format!("{}:7100", machine.address)),
        ("CLUSTER_COOKIE_FILE", file("cookie")),
        ("CLUSTER_CERT", file(&format!("{name}.pem"))),
        ("CLUSTER_KEY", file(&format!("{name}.key"))),
        ("CLUSTER_AUTHORITY", file("authority.pem")),
        ("CLUSTER_LEASE_FACTOR", parts.lease_factor.to_string()),
    ];
    let settings = settings.into_iter().chain(if *is_alone { Vec::new() } else { among_others });
    let settings = settings.map(|(key, value)| (format!("SWITCHBOARD_{key}"), value));
    let more = parts.settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    settings.chain(more).chain(parts.sabotage.map(Sabotage::environment)).collect()
}

/// By conversation, which node owns it while all of them are there, counted from 0.
pub(crate) fn owners<'a>(conversations: impl Iterator<Item = &'a str>) -> Result<Vec<usize>> {
    let all: Vec<usize> = (0..usize::from(NODES)).collect();
    let placement = placement(&all);
    let names: Vec<String> = all.into_iter().map(node_name).collect();
    let owner = |id: &str| {
        let id = Uuid::parse_str(id).context("the id of a conversation")?;
        let shard = Shard::of("default", "conversation", id.as_bytes());
        let owner = placement.of(shard).context("an owner")?;
        names.iter().position(|name| **name == *owner.0).context("a node of ours")
    };
    conversations.map(owner).collect()
}

/// How many shards each node owns while all of them are there.
pub(crate) fn shares() -> Vec<u64> {
    shares_of(&(0..usize::from(NODES)).collect::<Vec<_>>())
}

/// How many shards each of these nodes, counted from 0, owns while no other is there.
pub(crate) fn shares_of(nodes: &[usize]) -> Vec<u64> {
    let placement = placement(nodes);
    let share = |at: &usize| {
        let name = node_name(*at);
        placement.iter().filter(|(_, owner)| *owner.0 == *name).count()
    };
    nodes.iter().map(share).map(|share| u64::try_from(share).unwrap_or_default()).collect()
}

fn placement(nodes: &[usize]) -> Placement {
    let candidate = |at: &usize| Candidate { node: NodeName(node_name(*at).into()), weight: 1 };
    Placement::over(&nodes.iter().map(candidate).collect::<Vec<_>>())
}

/// The name of a node counted from 0.
fn node_name(at: usize) -> String {
    format!("node-{}", at + 1)
}

fn name(n: u8) -> String {
    format!("node-{n}")
}

/// The last lines of a log.
fn tail(path: &Path) -> String {
    let log = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let log = log.unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
}
