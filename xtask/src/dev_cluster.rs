//! `cargo xtask dev-cluster`: a CQL server and three nodes with demo data on this machine, until
//! Ctrl-C.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::cql::{self, NODES, Server};
use crate::credentials;
use crate::run::{cargo, must, root, say};

const KEYSPACE: &str = "switchboard_dev";
/// Where clients come in at the first node; the others follow.
const FIRST_PORT: u16 = 8081;
/// A node waits for its lease, and on a busy machine for the database.
const START_WITHIN: Duration = Duration::from_secs(90);
/// A stop in good order takes 25 s at most; after that a node is killed.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// How often it looks whether anything has ended.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Runs until Ctrl-C, and stops whatever it started.
pub(crate) fn run() -> Result<()> {
    cql::fetch()?;
    must(&mut cargo(&["build", "--package", "switchboard"]))?;
    let stopped = interrupted()?;
    // Apart from the terminal: Ctrl-C is for us, and the nodes stop before their database does.
    let server = Server::start_apart().context("starting the CQL server")?;
    let credentials = server.folder.join("credentials");
    credentials::make(&credentials, &NODES)?;
    must(settings(&mut binary(), &server, &credentials, NODES[0]).arg("migrate"))?;
    let mut nodes = Nodes(Vec::new());
    for (node, port) in NODES.into_iter().zip(FIRST_PORT..) {
        let mut command = binary();
        settings(&mut command, &server, &credentials, node);
        nodes.0.push(Node::start(command, node, port, &server.folder)?);
        if stopped.try_recv().is_ok() {
            return Ok(());
        }
    }
    say("");
    for node in &nodes.0 {
        let Node { name, port, process, log, .. } = node;
        say(&format!("{name}: http://127.0.0.1:{port}/demo and /console, log {}", log.display()));
        say(&format!("        to kill it: kill -9 {}", process.id()));
    }
    say("\nOpen the demo page of one and the console of another. Ctrl-C stops all of it.");
    loop {
        match stopped.recv_timeout(LOOK_EVERY) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => nodes.look(),
        }
        if nodes.0.iter().all(|node| node.has_ended) {
            bail!("every node has ended");
        }
    }
    say("stopping");
    Ok(())
}

/// Tells of Ctrl-C, or of being told to end.
fn interrupted() -> Result<Receiver<()>> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _within = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // Nobody listens any more when all is stopping.
        let _told = tell.send(());
    });
    Ok(told)
}

/// The binary with no setting but ours.
fn binary() -> Command {
    let mut command = Command::new(root().join("target/debug/switchboard"));
    command.current_dir(root());
    let ours = |name: &OsString| name.to_string_lossy().starts_with("SWITCHBOARD_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

fn settings<'a>(
    command: &'a mut Command,
    server: &Server,
    credentials: &Path,
    node: &str,
) -> &'a mut Command {
    command
        .env("SWITCHBOARD_STORE_ENGINE", "cql")
        .env("SWITCHBOARD_CQL_NODES", server.address.to_string())
        .env("SWITCHBOARD_CQL_KEYSPACE", KEYSPACE)
        .env("SWITCHBOARD_CQL_REPLICATION", "1")
        .env("SWITCHBOARD_SERVER_NODE", node)
        .env("SWITCHBOARD_CLUSTER_LISTEN", "127.0.0.1:0")
        .env("SWITCHBOARD_CLUSTER_COOKIE_FILE", credentials.join("cookie"))
        .env("SWITCHBOARD_CLUSTER_CERT", credentials.join(format!("{node}.pem")))
        .env("SWITCHBOARD_CLUSTER_KEY", credentials.join(format!("{node}.key")))
        .env("SWITCHBOARD_CLUSTER_AUTHORITY", credentials.join("authority.pem"))
}

/// All nodes; they are stopped with it, before the database is.
struct Nodes(Vec<Node>);

struct Node {
    name: &'static str,
    port: u16,
    process: Child,
    log: PathBuf,
    has_ended: bool,
    /// Whoever listens must not have gone as long as it may say something.
    said: Option<BufReader<ChildStdout>>,
}

impl Node {
    /// Starts a node and waits until it says where it is.
    fn start(mut command: Command, name: &'static str, port: u16, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let mut process = command
            .args(["serve", "--demo", "--ops-listen", "127.0.0.1:0", "--listen"])
            .arg(format!("127.0.0.1:{port}"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let Some(stdout) = process.stdout.take() else { bail!("{name} says nothing") };
        let (tell, told) = mpsc::channel();
        // A thread, because reading cannot be given up.
        std::thread::spawn(move || {
            let mut said = BufReader::new(stdout);
            let mut line = String::new();
            while said.read_line(&mut line).is_ok_and(|length| length > 0) {
                if line.starts_with("operations") {
                    let _told = tell.send(said);
                    return;
                }
                line.clear();
            }
        });
        let mut node = Self { name, port, process, log, has_ended: false, said: None };
        match told.recv_timeout(START_WITHIN) {
            Ok(said) => node.said = Some(said),
            Err(_) => {
                let told = std::fs::read_to_string(&node.log).unwrap_or_default();
                node.kill();
                bail!("{name} did not start:\n{told}");
            }
        }
        Ok(node)
    }

    fn kill(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

impl Nodes {
    /// Says which nodes have ended since it was last asked.
    fn look(&mut self) {
        for node in self.0.iter_mut().filter(|node| !node.has_ended) {
            if let Ok(Some(status)) = node.process.try_wait() {
                node.has_ended = true;
                say(&format!("{} has ended: {status}", node.name));
            }
        }
    }
}

impl Drop for Nodes {
    /// In good order, all at once; whoever takes too long is killed.
    fn drop(&mut self) {
        self.look();
        for node in self.0.iter().filter(|node| !node.has_ended) {
            let mut kill = Command::new("kill");
            let _told = kill.args(["-TERM", &node.process.id().to_string()]).status();
        }
        let began = Instant::now();
        while self.0.iter().any(|node| !node.has_ended) && began.elapsed() < STOP_WITHIN {
            std::thread::sleep(LOOK_EVERY);
            self.look();
        }
        self.0.iter_mut().filter(|node| !node.has_ended).for_each(Node::kill);
    }
}
