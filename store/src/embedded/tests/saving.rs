//! Backups, restores, and processes that are killed.

use std::process::{Child, Command, Stdio};

use switchboard_domain::conversation::Conversation;

use super::*;
use crate::load::load;

const CHILD_DIR: &str = "SWITCHBOARD_STORE_TEST_SAVING_DIR";

/// Not a rule of its own: a server to be killed. Prints each conversation it finished.
#[tokio::test]
async fn child_that_appends_for_ever() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let store = open(Path::new(&dir));
    let write = async |first: u64| {
        for number in (first..100_000).step_by(8) {
            let key = key("acme", number);
            store.append(append(&key, &[created(number)])).await.expect("it is stored");
            for seq in 2..=5 {
                let events = [message(seq, "Line")];
                store.append(append(&key, &events)).await.expect("it is stored");
            }
            println!("finished {number}");
        }
    };
    join_all((0..8).map(write)).await;
}

fn spawn_child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test has a file"))
        .args(["--exact", "embedded::tests::saving::child_that_appends_for_ever"])
        .args(["--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the child starts")
}

/// Reads what the child says until it has finished `count` conversations.
fn wait_for(child: &mut Child, count: usize) -> Vec<u64> {
    use std::io::{BufRead, BufReader};
    let output = BufReader::new(child.stdout.as_mut().expect("it is piped"));
    let finished = output.lines().map_while(Result::ok).filter_map(|line| {
        line.split("finished ").nth(1).and_then(|number| number.trim().parse().ok())
    });
    finished.take(count).collect()
}

async fn assert_complete(store: &Embedded, finished: &[u64]) {
    for number in finished {
        let stored = read(store, &key("acme", *number)).await.expect("it is read");
        assert_eq!(stored.len(), 5, "conversation {number}");
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged() {
    let dir = dir();
    let mut all = Vec::new();
    for round in 0..5 {
        let mut child = spawn_child(dir.path());
        let finished = wait_for(&mut child, 20 + 30 * round);
        child.kill().expect("the child is killed");
        child.wait().expect("the child ends");
        assert!(!finished.is_empty(), "the child wrote nothing");
        all.extend(finished);
        let store = open(dir.path());
        assert_complete(&store, &all).await;
    }
    verify(dir.path()).expect("everything is as it was written");
}

#[tokio::test]
async fn another_process_saves_a_live_store() {
    let (data, saved, fresh) = (dir(), dir(), dir());
    let mut child = spawn_child(data.path());
    let finished = wait_for(&mut child, 50);
    // This process is the second one: it only reads.
    let to = saved.path().join("monday.db");
    let report = backup(data.path(), &to).expect("a live store is saved");
    let refused = Embedded::open(config(data.path()), Arc::new(NoMeter));
    assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
    verify(data.path()).expect("a live store can be checked");
    child.kill().expect("the child is killed");
    child.wait().expect("the child ends");

    assert!(report.conversations >= 50, "{report:?}");
    assert_eq!(restore(&to, fresh.path()).expect("it is restored"), report);
    let store = open(fresh.path());
    assert_complete(&store, &finished).await;
}

#[tokio::test]
async fn a_backup_while_writing_is_a_prefix_of_every_log() {
    let (data, saved, fresh) = (dir(), dir(), dir());
    let store = Arc::new(open(data.path()));
    let writer = Arc::clone(&store);
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writing = tokio::spawn(async move {
        let mut seq = 0;
        while stopped.try_recv().is_err() {
            seq += 1;
            let appends = (0..10).map(|number| {
                let event = if seq == 1 { created(number) } else { message(seq, "Line") };
                writer.append(append(&key("acme", number), &[event]))
            });
            for outcome in join_all(appends.collect::<Vec<_>>()).await {
                outcome.expect("it is stored");
            }
        }
        seq
    });
    while read(&store, &key("acme", 9)).await.expect("it is read").len() < 5 {
        tokio::task::yield_now().await;
    }
    let to = saved.path().join("live.db");
    let report = store.backup(to.clone()).await.expect("a live store is saved");
    stop.send(()).expect("the writer listens");
    let written = writing.await.expect("the writer ends well");
    assert!(report.events >= 50 && report.events <= written * 10, "{report:?} of {written}");

    assert_eq!(restore(&to, fresh.path()).expect("it is restored"), report);
    let restored = open(fresh.path());
    for number in 0..10 {
        let key = key("acme", number);
        let saved = read(&restored, &key).await.expect("it is read");
        let live = read(&store, &key).await.expect("it is read");
        assert!(saved.len() >= 5, "{} of {}", saved.len(), live.len());
        // All but the identity of the history.
        assert!(live[1..].starts_with(&saved[1..]), "{} of {}", saved.len(), live.len());
        // The restored store is whole: it takes the next message.
        let next = saved.len() as u64 + 1;
        restored.append(append(&key, &[message(next, "On")])).await.expect("it is stored");
    }
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_damaged_is_restored() {
    let (data, saved) = (dir(), dir());
    let store = open(data.path());
    let key = key("acme", 1);
    store.append(append(&key, &[created(1), message(2, "Mark this")])).await.expect("stored");
    let to = saved.path().join("a.db");
    store.backup(to.clone()).await.expect("it is saved");
    let again = store.backup(to.clone()).await;
    assert!(matches!(again, Err(Error::Exists { .. })), "{again:?}");
    let over = restore(&to, data.path());
    assert!(matches!(over, Err(Error::InUse { .. })), "{over:?}");
    drop(store);
    let over = restore(&to, data.path());
    assert!(matches!(over, Err(Error::Exists { .. })), "{over:?}");

    let mut bytes = std::fs::read(&to).expect("the file is read");
    let at = bytes.windows(9).position(|it| it == b"Mark this").expect("it is stored plain");
    bytes[at] ^= 1;
    let bad = saved.path().join("bad.db");
    std::fs::write(&bad, bytes).expect("the file is written");
    let fresh = dir();
    let refused = restore(&bad, fresh.path()).expect_err("it is damaged").to_string();
    assert!(refused.contains("event acme/"), "{refused}");
    assert!(!database(fresh.path()).exists(), "nothing is left behind");
    restore(&to, fresh.path()).expect("the directory is still free");
}

async fn loaded(store: &Embedded) -> Conversation {
    let loaded = load(store, &key("acme", 1)).await.expect("it is loaded");
    loaded.expect("it is there")
}

#[tokio::test]
async fn a_restored_history_has_a_new_identity() {
    let (data, saved) = (dir(), dir());
    let store = open(data.path());
    // Some on their way, some at their place, one of them with a checkpoint.
    for number in 0..60 {
        let events = [created(number), message(2, "Line")];
        store.append(append(&key("acme", number), &events)).await.expect("it is stored");
    }
    let before = loaded(&store).await;
    let checkpoints = vec![(key("acme", 1), before.clone())];
    store.put_checkpoints(checkpoints).await.expect("it is written");
    let to = saved.path().join("a.db");
    store.backup(to.clone()).await.expect("it is saved");

    let mut logs = vec![before.log];
    for _ in 0..2 {
        let fresh = dir();
        restore(&to, fresh.path()).expect("it is restored");
        let restored = open(fresh.path());
        let after = loaded(&restored).await;
        assert_eq!(Conversation { log: before.log, ..after.clone() }, before);
        for number in 0..60 {
            let key = key("acme", number);
            let events = read(&restored, &key).await.expect("it is read");
            let state = Conversation::fold(key.conversation, &events).expect("it folds");
            let log = state.expect("it begins").log;
            assert_eq!(log == after.log, number == 1, "each log has its own identity");
            logs.push(log);
        }
    }
    let count = logs.len();
    logs.sort();
    logs.dedup();
    assert_eq!(logs.len(), count, "an identity was given twice");
}
