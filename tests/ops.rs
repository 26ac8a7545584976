//! The binary as an operator meets it: commands, exit codes, signals.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_switchboard");
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// What a test waits for before it says that something does not happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary with nothing of our own environment that could be a setting.
fn switchboard(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_clear().env("RUST_BACKTRACE", "0");
    command
}

#[track_caller]
fn ends(command: &mut Command, exit: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(exit), "{output:?}");
    output
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server on free ports.
struct Server {
    process: Child,
    address: SocketAddr,
    ops: SocketAddr,
}

impl Server {
    fn start(data_dir: &Path) -> Self {
        let mut serve = switchboard(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        serve.arg(data_dir).args(["--ops-listen", "127.0.0.1:0"]);
        Self::spawn(serve)
    }

    /// One that may open so many files and no more.
    fn start_with_files(data_dir: &Path, files: usize) -> Self {
        let serve = format!(
            "ulimit -n {files}; exec {BINARY} serve --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 \
             --data-dir {}",
            data_dir.display()
        );
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &serve]).env_clear();
        Self::spawn(shell)
    }

    fn spawn(mut serve: Command) -> Self {
        let mut process = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = |before: &str| {
            let mut lines = said.by_ref().map(Result::unwrap);
            let line = lines.find(|line| line.starts_with(before));
            let line = line.expect("the server says where it is");
            let (_, address) = line.split_once("http://").expect(before);
            address.trim_end_matches("/metrics").parse().unwrap()
        };
        let (address, ops) = (address("listening on"), address("operations"));
        Self { process, address, ops }
    }

    fn get(&self, address: SocketAddr, path: &str) -> String {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.process.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::yield_now();
        }
        panic!("the server does not stop");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

#[test]
fn wrong_command_lines_and_settings_have_exit_codes_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("switchboard.toml");
    std::fs::write(&file, "[server]\nlisten_on = \"127.0.0.1:1\"\n").unwrap();
    ends(&mut switchboard(&["--help"]), 0);
    ends(&mut switchboard(&["dance"]), 2);
    ends(&mut switchboard(&[]), 2);
    ends(&mut switchboard(&["check-config"]), 0);
    let unknown = ends(switchboard(&["check-config", "--config"]).arg(&file), 3);
    assert!(err(&unknown).contains("`server.listen_on`; the nearest known one is `server.listen`"));
    let public = ends(&mut switchboard(&["serve", "--listen", "0.0.0.0:0"]), 3);
    assert!(err(&public).contains("server.behind_proxy"), "{public:?}");
    ends(&mut switchboard(&["serve", "--demo", "--listen", "0.0.0.0:0"]), 3);
}

#[test]
fn settings_are_shown_without_their_secrets() {
    let shown = ends(switchboard(&["check-config"]).env("SWITCHBOARD_JWT_SECRET", SECRET), 0);
    assert!(out(&shown).contains("\"listen\": \"127.0.0.1:8080\""));
    assert!(!out(&shown).contains(SECRET));
}

#[test]
fn a_token_is_made_with_the_secret_alone() {
    let arguments = ["token", "--sub", "ada", "--role", "admin"];
    ends(&mut switchboard(&arguments), 1);
    let made = ends(switchboard(&arguments).env("SWITCHBOARD_JWT_SECRET", SECRET), 0);
    assert_eq!(out(&made).trim().split('.').count(), 3);
    ends(switchboard(&arguments).env("SWITCHBOARD_JWT_SECRET", &SECRET[1..]), 3);
    let over = ["token", "--sub", "ada", "--role", "emperor"];
    ends(switchboard(&over).env("SWITCHBOARD_JWT_SECRET", SECRET), 2);
}

#[test]
fn a_server_is_looked_at_drained_backed_up_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup.db"));
    let other = folder.path().join("other");
    let on = |arguments: &[&str], dir: &Path| {
        let mut command = switchboard(arguments);
        command.arg("--data-dir").arg(dir);
        command
    };
    ends(&mut on(&["drain"], &data), 1);
    let mut server = Server::start(&data);
    assert!(server.get(server.ops, "/readyz").ends_with("ready\n"));
    assert!(server.get(server.ops, "/metrics").contains("switchboard_connections_open"));
    assert!(server.get(server.ops, "/observe").contains("\"phase\":\"ready\""));
    assert!(server.get(server.address, "/metrics").starts_with("HTTP/1.1 404"), "not in public");
    ends(&mut on(&["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"], &data), 1);

    let path = backup.to_str().unwrap();
    let made = ends(&mut on(&["backup", path], &data), 0);
    assert!(out(&made).contains("every record is as written"), "{made:?}");
    ends(&mut on(&["backup", path], &data), 1);
    ends(&mut on(&["verify"], &data), 0);
    ends(&mut on(&["restore", path], &data), 1);
    let doctor = on(&["doctor"], &data).arg("--config").arg("/nowhere").output().unwrap();
    assert_eq!(doctor.status.code(), Some(3));

    let drained = ends(&mut on(&["drain"], &data), 0);
    assert!(out(&drained).contains(&server.process.id().to_string()));
    assert_eq!(server.exit_code(), Some(0));
    assert!(!data.join("switchboard.pid").exists());

    ends(&mut on(&["restore", path], &other), 0);
    ends(&mut on(&["restore", path], &other), 1);
    ends(&mut on(&["verify"], &other), 0);
    let mut restored = Server::start(&other);
    restored.signal(rustix::process::Signal::TERM);
    assert_eq!(restored.exit_code(), Some(0));
}

#[test]
fn a_killed_server_leaves_nothing_that_stops_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    server.signal(rustix::process::Signal::KILL);
    assert_eq!(server.exit_code(), None);
    ends(switchboard(&["drain", "--data-dir"]).arg(folder.path()), 1);
    let mut server = Server::start(folder.path());
    server.signal(rustix::process::Signal::INT);
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_second_signal_cuts_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let mut open = TcpStream::connect(server.address).unwrap();
    open.write_all(b"GET /unfinished HTTP/1.1\r\n").unwrap();
    let began = Instant::now();
    server.signal(rustix::process::Signal::TERM);
    // The listener is gone once the drain has begun.
    while TcpStream::connect(server.address).is_ok() {
        std::thread::yield_now();
    }
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_node_with_few_files_turns_clients_away_and_lives() {
    const FILES: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with_files(folder.path(), FILES);
    let mut clients: Vec<TcpStream> =
        (0..FILES).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let metric = "switchboard_connections_refused_total{reason=\"node_full\"} ";
    let refused = || {
        let metrics = server.get(server.ops, "/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(metric));
        line.unwrap().parse::<usize>().unwrap()
    };
    let began = Instant::now();
    while refused() < 256 && began.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert_eq!(refused(), 256, "256 files are kept for the node");
    let mut said = [0; 12];
    let last = clients.last_mut().unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    // Beyond a number that are told at once, others are closed without a word.
    let heard = last.read(&mut said).unwrap_or(0);
    assert!(heard == 0 || &said == b"HTTP/1.1 503", "{said:?}");
    drop(clients);
    while server.get(server.ops, "/observe").contains("\"connections\":44")
        && began.elapsed() < PATIENCE
    {
        std::thread::yield_now();
    }
    assert!(server.get(server.address, "/").starts_with("HTTP/1.1 "));
}

#[test]
fn a_doctor_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let doctor = |listen: &str, ops: &str, secret: &str| {
        switchboard(&["doctor", "--data-dir"])
            .arg(folder.path())
            .env("SWITCHBOARD_SERVER_LISTEN", listen)
            .env("SWITCHBOARD_SERVER_OPS_LISTEN", ops)
            .env("SWITCHBOARD_JWT_SECRET", secret)
            .output()
            .unwrap()
    };
    let well = doctor("127.0.0.1:0", "127.0.0.1:0", SECRET);
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    assert!(out(&well).contains("disk sync"), "{well:?}");
    let ill = doctor(&listen, "127.0.0.1:0", SECRET);
    assert_eq!(ill.status.code(), Some(1));
    assert!(out(&ill).contains("BAD   address"), "{ill:?}");
    let unsigned = doctor("127.0.0.1:0", "127.0.0.1:0", "");
    assert!(out(&unsigned).contains("ok    sign-in: own accounts only"), "{unsigned:?}");
}
