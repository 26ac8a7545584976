//! `nodes`: what a message costs when its visitor, its agent and its owner are on three nodes, in
//! costs of a node that is alone on the same database. The CPU time of all nodes counts, that of the
//! database does not. Rounds are interleaved.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::pairs::{self, Subject};
use super::peer::{Desk, Kind, Socket, Voice, native_pair};
use crate::client::http::Http;
use crate::cluster::{Cluster, Means, NODES, Node, Parts, net, owners};
use crate::machine;
use crate::report::Report;
use crate::server::scratch;

/// What three nodes may cost, in costs of the one that is alone.
const RATIO_MAX: f64 = 2.5;
/// Leases last that many times as long as usual: a machine on which all nodes, their database and
/// their load share two cores starves each of them now and then.
const LEASE_FACTOR: u8 = 3;

/// A bench of messages across nodes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary, built for release.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// What the nodes are made with.
    #[command(flatten)]
    pub means: Means,
    /// Pairs in closed loop.
    #[arg(long, default_value_t = 100)]
    pub pairs: usize,
    /// Seconds of each round.
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
    /// Interleaved rounds of which the median counts.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// The heap of the database, in MiB.
    #[arg(long, default_value_t = 1024)]
    pub heap_mib: u32,
}

/// Runs the bench, in namespaces of its own.
///
/// # Errors
/// When the cluster cannot be run, or the ratio does not hold.
pub async fn run(args: &Args) -> Result<()> {
    net::within("nodes: messages across three nodes", inside(args)).await
}

async fn inside(args: &Args) -> Result<()> {
    let length = Duration::from_secs(args.seconds);
    let mut report = Report::new(format!(
        "nodes: {} pairs, {} rounds of {length:?}, on one node and across {NODES}",
        args.pairs, args.rounds
    ));
    report.note(format!("commit {}, {}", machine::commit(), machine::describe()));
    let dir = scratch(&args.server)?;
    let parts = Parts {
        binary: &args.server,
        means: &args.means.absolute()?,
        root: dir.path(),
        databases: 1,
        heap_mib: args.heap_mib,
        sync_each: false,
        lease_factor: LEASE_FACTOR,
        settings: &[],
        sabotage: None,
    };
    let cluster = Cluster::start(&parts, &report).await?;
    let node = cluster.alone(&parts).await?;
    let alone = Group::of("alone", &[&node]).await?;
    let across = Group::of("across nodes", &cluster.nodes.iter().collect::<Vec<_>>()).await?;
    let mut ratios = Vec::new();
    for number in 1..=args.rounds {
        let mut cost = Vec::new();
        for group in [&alone, &across] {
            let round = pairs::run(group, args.pairs, length).await?;
            report.note(format!("round {number} {}: {round}", group.name));
            cost.push(round);
        }
        if let [alone, across] = &cost[..] {
            ratios.push(across.cpu_over(alone));
        }
    }
    let ratio = pairs::median(ratios.into_iter());
    let facts = format!("{ratio:.2} × a node that is alone, at most {RATIO_MAX}");
    report.check("server cpu per message across nodes", ratio <= RATIO_MAX, facts);
    let panics: usize =
        cluster.nodes.iter().chain([&node]).map(|node| node.server.n_panics()).sum();
    report.check("panics", panics == 0, format!("{panics} in the logs"));
    report.finish()
}

/// Nodes that serve the same conversations.
struct Group {
    name: &'static str,
    doors: Vec<Door>,
}

/// One of them, as clients see it.
struct Door {
    address: SocketAddr,
    pid: u32,
    /// What signs the agent in.
    token: String,
    agent: String,
}

impl Group {
    async fn of(name: &'static str, nodes: &[&Node]) -> Result<Self> {
        let mut doors = Vec::new();
        for node in nodes {
            let address = node.server.public;
            let signed_in = Http::new(address).sign_in("ada").await?;
            let (token, agent) = (signed_in.token, signed_in.principal.id);
            doors.push(Door { address, pid: node.server.pid()?, token, agent });
        }
        Ok(Self { name, doors })
    }

    /// The door that comes that many after the owner's; with one door it is always that.
    fn after(&self, owner: usize, by: usize) -> Result<&Door> {
        self.doors.get((owner + by) % self.doors.len().max(1)).context("a node")
    }
}

impl Subject for Group {
    fn name(&self) -> &str {
        self.name
    }

    fn cpu_time(&self) -> Result<Duration> {
        self.doors.iter().map(|door| Ok(machine::cpu_time(door.pid)?)).sum()
    }

    async fn pair(&self) -> Result<(Voice, Socket, Socket)> {
        let created = Http::new(self.after(0, 0)?.address).create(None).await?;
        let owner =
            owners(std::iter::once(&*created.id))?.into_iter().next().context("an owner")?;
        let (visitor, agent) = (self.after(owner, 1)?, self.after(owner, 2)?);
        let desk = Desk { address: agent.address, token: &agent.token, agent: &agent.agent };
        native_pair(Kind::Switchboard, created, visitor.address, desk).await
    }
}
