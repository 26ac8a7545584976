//! Full and failing disks.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use futures_util::FutureExt;

use super::*;

/// Appends messages until one is refused; answers how many were acknowledged, and the fault.
async fn fill(store: &Embedded, key: &ConversationKey, from: u64) -> (u64, Fault) {
    let text = "x".repeat(4_000);
    for seq in from.. {
        let event = if seq == 1 { created(1) } else { message(seq, &text) };
        if let Err(fault) = store.append(append(key, &[event])).await {
            return (seq - 1, fault);
        }
    }
    unreachable!("every disk is full at last")
}

#[tokio::test]
async fn an_injected_full_disk_refuses_and_goes_on() {
    let dir = dir();
    let store = open(dir.path());
    let key = key("acme", 1);
    store.append(append(&key, &[created(1)])).await.expect("it is stored");
    store.inject.fail_next_commit(ffi::SQLITE_FULL);
    let refused = store.append(append(&key, &[message(2, "Full")])).await;
    assert!(matches!(refused, Err(Fault::Full)), "{refused:?}");
    assert_eq!(read(&store, &key).await.expect("reads go on"), [created(1)]);
    // The position is free: what was refused is not stored.
    store.append(append(&key, &[message(2, "Other")])).await.expect("there is room again");
    let stored = read(&store, &key).await.expect("it is read");
    assert_eq!(stored, [created(1), message(2, "Other")]);
}

#[tokio::test]
async fn a_failed_sync_ends_all_acknowledgements() {
    for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR] {
        let dir = dir();
        let store = open(dir.path());
        let key = key("acme", 1);
        store.append(append(&key, &[created(1)])).await.expect("it is stored");
        let mut failed = store.failed();
        assert!((&mut failed).now_or_never().is_none());
        store.inject.fail_next_commit(code);
        let unknown = store.append(append(&key, &[message(2, "Lost")])).await;
        assert!(matches!(unknown, Err(Fault::Failed { .. })), "{unknown:?}");
        assert!(matches!(failed.await, Fault::Failed { .. }));
        for _ in 0..3 {
            let later = store.append(append(&key, &[message(2, "Later")])).await;
            assert!(matches!(later, Err(Fault::Failed { .. })), "{later:?}");
            let later = read(&store, &key).await;
            assert!(matches!(later, Err(Fault::Failed { .. })), "{later:?}");
        }
        drop(store);
        let reopened = open(dir.path());
        assert_eq!(read(&reopened, &key).await.expect("it is read"), [created(1)]);
    }
}

/// A data directory on a file system of 3 MiB; `None` where the machine does not let us mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = dir();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the small disk stays mounted");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_serves_reads() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not run: only root may mount a small disk");
        return;
    };
    let dir = disk.0.path().join("data");
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).expect("there is room for ballast");
    // Opening needs room for the index of the write-ahead log, and only for that.
    let reserve = disk.0.path().join("reserve");
    std::fs::write(&reserve, vec![1; 64 << 10]).expect("there is room for a reserve");
    let key = key("acme", 1);
    let acked = {
        let store = open(&dir);
        let (acked, fault) = fill(&store, &key, 1).await;
        assert!(matches!(fault, Fault::Full), "{fault:?}");
        assert!(acked > 20, "only {acked} fitted");
        let stored = read(&store, &key).await.expect("reads go on");
        assert_eq!(stored.len() as u64, acked);
        let (none, fault) = fill(&store, &key, acked + 1).await;
        assert!(matches!(fault, Fault::Full) && none == acked, "{fault:?} after {none}");
        // Somebody makes room: writing goes on without a restart.
        std::fs::remove_file(&ballast).expect("the ballast is removed");
        let (acked, fault) = fill(&store, &key, acked + 1).await;
        assert!(acked > none + 20, "only {acked} fitted after {none}");
        assert!(matches!(fault, Fault::Full), "{fault:?}");
        acked
    };
    std::fs::remove_file(&reserve).expect("the reserve is removed");
    let store = open(&dir);
    assert_eq!(read(&store, &key).await.expect("it is read").len() as u64, acked);
    drop(store);
    verify(&dir).expect("everything is as it was written");
}

const CHILD_DIR: &str = "SWITCHBOARD_STORE_TEST_CHILD_DIR";
const CHILD_APPENDS: &str = "SWITCHBOARD_STORE_TEST_CHILD_APPENDS";

/// Not a rule of its own: what [`run_child`] runs in another process.
#[tokio::test]
async fn child_that_appends_until_it_fails() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let store = open(Path::new(&dir));
    let key = key("acme", 1);
    let text = "x".repeat(4_000);
    let appends = std::env::var(CHILD_APPENDS).expect("the number of appends is given");
    let mut after_failure = 0;
    for seq in 1..=appends.parse().expect("it is a number") {
        let event = if seq == 1 { created(1) } else { message(seq, &text) };
        match store.append(append(&key, &[event])).await {
            Ok(()) => println!("acked {seq}"),
            Err(Fault::Failed { what }) => {
                println!("failed {what}");
                after_failure += 1;
                if after_failure == 5 {
                    break;
                }
            }
            Err(other) => println!("refused {other}"),
        }
    }
    if after_failure > 0 {
        store.failed().await;
        println!("ended");
    }
}

/// Runs the child under a command that watches its disk or makes it fail; answers its lines, `None`
/// where the command cannot be run.
fn run_child(dir: &Path, wrapper: &[&str], appends: u32) -> Option<Vec<String>> {
    let own = std::env::current_exe().expect("this test has a file");
    let (program, arguments) = wrapper.split_first().expect("a wrapper is named");
    let child = Command::new(program)
        .args(arguments)
        .arg(own)
        .args(["--exact", "embedded::tests::disk::child_that_appends_until_it_fails"])
        .args(["--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
        .env(CHILD_APPENDS, appends.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            eprintln!("not run: {program}: {error}");
            return None;
        }
    };
    let output = child.stdout.take().expect("it is piped");
    let lines: Vec<String> = BufReader::new(output).lines().map_while(Result::ok).collect();
    child.wait().expect("the child ends");
    if lines.is_empty() {
        eprintln!("not run: {program} is not allowed here");
        return None;
    }
    Some(lines)
}

/// After its first failure the child may acknowledge nothing, and what it acknowledged is there.
async fn check_child(dir: &Path, lines: &[String]) {
    let failed_idx = lines.iter().position(|line| line.starts_with("failed"));
    let failed_idx = failed_idx.unwrap_or_else(|| panic!("the disk never failed: {lines:?}"));
    let acked = |line: &&String| line.contains("acked ");
    let before = lines[..failed_idx].iter().filter(acked).count();
    assert!(before > 0, "nothing was acknowledged before the failure");
    assert_eq!(lines[failed_idx..].iter().filter(acked).count(), 0, "{lines:?}");
    assert!(lines.iter().any(|line| line == "ended"), "the failure was not told: {lines:?}");
    let store = open(dir);
    let stored = read(&store, &key("acme", 1)).await.expect("it is read");
    assert!(stored.len() >= before, "{before} acknowledged, {} stored", stored.len());
    drop(store);
    verify(dir).expect("everything is as it was written");
}

#[tokio::test]
async fn a_sync_that_the_kernel_fails_ends_all_acknowledgements() {
    // Opening syncs a few times; these fall into commits.
    for first_bad in [20, 57] {
        let dir = dir();
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={first_bad}+");
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
        let Some(lines) = run_child(dir.path(), &strace, 2_000) else { return };
        check_child(dir.path(), &lines).await;
    }
}

#[tokio::test]
async fn a_write_that_the_kernel_fails_ends_all_acknowledgements() {
    let dir = dir();
    // No file may grow beyond 512 blocks; the signal is ignored, so the write itself fails.
    let limited = ["bash", "-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""];
    let Some(lines) = run_child(dir.path(), &limited, 2_000) else { return };
    check_child(dir.path(), &lines).await;
}

/// How often the kernel was asked to sync while the child appended one message after another.
fn count_syncs(dir: &Path, appends: u32) -> Option<usize> {
    let trace = dir.join("trace");
    let trace_name = trace.to_str().expect("the name is plain");
    let strace = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", trace_name];
    let lines = run_child(&dir.join("data"), &strace, appends)?;
    let acked = lines.iter().filter(|line| line.contains("acked ")).count();
    assert_eq!(acked, usize::try_from(appends).expect("it is small"), "{lines:?}");
    let trace = std::fs::read_to_string(trace).expect("the trace is read");
    Some(trace.lines().filter(|line| line.contains("= 0")).count())
}

#[tokio::test]
async fn every_acknowledgement_has_its_sync() {
    let (few, many) = (dir(), dir());
    // The difference leaves out what opening and closing sync.
    let Some(few) = count_syncs(few.path(), 10) else { return };
    let Some(many) = count_syncs(many.path(), 110) else { return };
    assert!(many >= few + 100, "{few} syncs for 10 appends, {many} for 110");
}

#[tokio::test]
async fn a_panic_of_the_writer_leaves_nobody_waiting() {
    let dir = dir();
    let store = open(dir.path());
    let broken: crate::port::Reply<()> = store.shared.write(0, |_| panic!("a planted panic"));
    let behind = store.append(append(&key("acme", 1), &[created(1)]));
    for outcome in [broken.await, behind.await] {
        assert!(matches!(outcome, Err(Fault::Failed { .. })), "{outcome:?}");
    }
    assert!(store.failed().await.to_string().contains("panicked"));
    let later = store.append(append(&key("acme", 1), &[created(1)])).await;
    assert!(matches!(later, Err(Fault::Failed { .. })), "{later:?}");
}

#[tokio::test]
async fn a_panic_of_a_read_harms_no_other() {
    let dir = dir();
    let store = open(dir.path());
    for _ in 0..4 {
        let broken: crate::port::Reply<()> = store.shared.read(|_| panic!("a planted panic"));
        let outcome = broken.await;
        assert!(matches!(outcome, Err(Fault::Failed { .. })), "{outcome:?}");
        assert_eq!(read(&store, &key("acme", 1)).await.expect("others are read"), []);
    }
}

/// The planted fault that the campaigns have to find.
#[cfg(feature = "sabotage")]
#[tokio::test]
async fn sabotaged_acknowledgements_are_lost() {
    use super::super::sabotage::Sabotage;

    let dir = dir();
    let sabotage = Sabotage::named("other,ack_before_commit");
    let store = Embedded::open_sabotaged(config(dir.path()), Arc::new(NoMeter), sabotage);
    let store = store.expect("it opens");
    store.inject.fail_next_commit(ffi::SQLITE_FULL);
    let acked = store.append(append(&key("acme", 1), &[created(1)])).await;
    acked.expect("it is acknowledged before the commit");
    drop(store);
    assert_eq!(read(&open(dir.path()), &key("acme", 1)).await.expect("it is read"), []);
    assert_eq!(Sabotage::named("no_fsync").synchronous(), "OFF");
    assert_eq!(Sabotage::named("").synchronous(), "FULL");
}
