//! The server under test as a process: started, watched, killed, started again on its data.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::client::http::Http;
use crate::machine;

/// A start takes milliseconds, and of a node among others as long as leases last; this bounds a hang.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// One server with its data directory, its ports and its log.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    /// What runs the binary, with its arguments; nothing but the system when empty.
    launcher: Vec<String>,
    root: PathBuf,
    environment: Vec<(String, String)>,
    /// Where clients connect.
    pub public: SocketAddr,
    /// Where metrics and health are.
    pub ops: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// Prepares a server that keeps its data and log under `root`. It is not started yet.
    ///
    /// # Errors
    /// When there is no such binary or no free port.
    pub fn new(binary: &Path, root: &Path) -> anyhow::Result<Self> {
        Self::at(binary, root, [free_port()?, free_port()?], Vec::new())
    }

    /// Prepares one that is reached at these addresses, for clients and for operators, once
    /// `launcher` has run the binary.
    ///
    /// # Errors
    /// When there is no such binary.
    pub fn at(
        binary: &Path,
        root: &Path,
        [public, ops]: [SocketAddr; 2],
        launcher: Vec<String>,
    ) -> anyhow::Result<Self> {
        let binary = binary.canonicalize().with_context(|| format!("no server at {binary:?}"))?;
        let root = root.canonicalize()?;
        std::fs::create_dir_all(root.join("data"))?;
        Ok(Self { binary, launcher, root, environment: Vec::new(), public, ops, child: None })
    }

    /// Sets environment variables for the next starts, instead of those set before.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.environment = environment;
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Everything the server said, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(self.root.join("server.log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last lines of the log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
    }

    /// How many panics the log tells of.
    #[must_use]
    pub fn n_panics(&self) -> usize {
        self.log().matches("panicked at").count()
    }

    /// Starts the server and waits until it is ready; returns how long that took.
    ///
    /// # Errors
    /// When it exits or does not get ready in time; the error holds its last words.
    pub async fn start(&mut self) -> anyhow::Result<Duration> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.root.join("server.log"))?;
        let mut command = match self.launcher.split_first() {
            None => Command::new(&self.binary),
            Some((launcher, arguments)) => {
                let mut command = Command::new(launcher);
                command.args(arguments).arg(&self.binary);
                command
            }
        };
        let child = command
            .args(["serve", "--demo", "--listen", &self.public.to_string()])
            .args(["--ops-listen", &self.ops.to_string(), "--data-dir"])
            .arg(self.data_dir())
            .current_dir(&self.root)
            // Ours, not a setting of the server: it refuses names it does not know.
            .env_remove("SWITCHBOARD_BIN")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        self.child = Some(child);
        let started = Instant::now();
        // Ready is what a client sees: its first request is answered.
        let mut http = Http::new(self.public);
        loop {
            if let Ok(answer) = http.request(Method::GET, "/v1/widgets/demo", None, None).await
                && answer.status == 200
            {
                return Ok(started.elapsed());
            }
            let exited = self.exited();
            anyhow::ensure!(
                exited.is_none(),
                "the server exited ({exited:?}): {}",
                self.log_tail()
            );
            anyhow::ensure!(
                started.elapsed() < START_TIMEOUT,
                "the server is not ready after {START_TIMEOUT:?}: {}",
                self.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()?).ok().and_then(Pid::from_raw).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Stops it in good order; how it ended, or nothing when that took too long.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn stop(&mut self, within: Duration) -> anyhow::Result<Option<ExitStatus>> {
        self.signal(Signal::TERM)?;
        let child = self.child.as_mut().context("the server does not run")?;
        match tokio::time::timeout(within, child.wait()).await {
            Ok(ended) => {
                let status = ended?;
                self.child = None;
                Ok(Some(status))
            }
            Err(_) => Ok(None),
        }
    }

    /// The exit status, once the process ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// `kill -9`, and waits until the process is gone.
    ///
    /// # Errors
    /// When it had ended before: a server that ends by itself is a finding.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let ended = self.exited();
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        anyhow::ensure!(
            ended.is_none(),
            "the server ended by itself ({ended:?}): {}",
            self.log_tail()
        );
        Ok(())
    }

    /// The process id while it runs.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.as_ref().and_then(Child::id).context("the server does not run")
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    /// When it does not run.
    pub fn rss_kib(&self) -> anyhow::Result<u64> {
        Ok(machine::rss_kib(self.pid()?)?)
    }

    /// What it says of itself under that name, which must have no labels.
    ///
    /// # Errors
    /// When it does not answer, or says nothing of it.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let answer = Http::new(self.ops).request(Method::GET, "/metrics", None, None).await?;
        let text = std::str::from_utf8(&answer.body)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("it says nothing of {name}"))?.parse()?)
    }

    /// CPU time used so far.
    ///
    /// # Errors
    /// When it does not run.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        Ok(machine::cpu_time(self.pid()?)?)
    }
}

/// An address on loopback that nobody listens on now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// A directory for one campaign, beside the binary: on the disk of the build, never in a memory file
/// system, whose syncs cost nothing.
///
/// # Errors
/// When it cannot be made.
pub fn scratch(binary: &Path) -> std::io::Result<tempfile::TempDir> {
    let beside = binary.parent().map_or_else(|| Path::new(".").to_owned(), Path::to_owned);
    tempfile::Builder::new().prefix("loadtest-").tempdir_in(beside)
}
