use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use rusqlite::{Connection, ffi};
use switchboard_domain::conversation::{Body, Conversation, Event, Resolution, Stream};
use switchboard_domain::ids::{Seq, Timestamp};

use super::{Config, Embedded, Error, NoMeter, backup, restore, verify};
use crate::port::{ConversationKey, Fault, Page, Range, Store};
use crate::testkit::{self, append, created, event, key, message};

mod damage;
mod disk;
mod saving;
mod upgrade;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory is made")
}

/// Events move to their place early, so that every test sees them on the way.
fn config(dir: &Path) -> Config {
    Config { recent_rows_max: 48, ..Config::new(dir) }
}

fn open(dir: &Path) -> Embedded {
    Embedded::open(config(dir), Arc::new(NoMeter)).expect("it opens")
}

fn database(dir: &Path) -> std::path::PathBuf {
    super::directory::database_in(dir)
}

async fn read(store: &Embedded, key: &ConversationKey) -> Result<Vec<Event>, Fault> {
    let range = Range::After(Seq(0));
    let page = Page { key: key.clone(), stream: Stream::Public, range, limit: usize::MAX };
    store.read(page).await
}

#[tokio::test]
async fn keeps_the_port() {
    for recent_rows_max in [5, Config::new("").recent_rows_max] {
        let dir = dir();
        let number = AtomicU32::new(0);
        testkit::run(async || {
            let number = number.fetch_add(1, Ordering::Relaxed);
            let dir = dir.path().join(number.to_string());
            let config = Config { recent_rows_max, ..Config::new(dir) };
            let store = Embedded::open(config, Arc::new(NoMeter)).expect("it opens");
            Arc::new(store) as Arc<dyn Store>
        })
        .await;
    }
}

#[tokio::test]
async fn reads_never_miss_an_event_that_is_on_its_way() {
    let dir = dir();
    let store = Arc::new(open(dir.path()));
    let (logs, length) = (8, 150);
    let write = async |number| {
        let key = key("acme", number);
        for seq in 1..=length {
            let event = if seq == 1 { created(number) } else { message(seq, "Line") };
            store.append(append(&key, &[event])).await.expect("it is stored");
        }
    };
    let follow = async |number| {
        let key = key("acme", number);
        let (mut known, mut reads) = (0, 0);
        while known < length {
            let stored = read(&store, &key).await.expect("it is read");
            let seqs: Vec<u64> = stored.iter().map(|event| event.seq.0).collect();
            assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
            assert!(seqs.len() as u64 >= known, "{} after {known}", seqs.len());
            known = seqs.len() as u64;
            reads += 1;
        }
        reads
    };
    let writers = join_all((0..logs).map(write));
    let readers = join_all((0..logs).map(follow));
    let (_, reads) = futures_util::future::join(writers, readers).await;
    assert!(reads.into_iter().sum::<u64>() > 8 * 10, "the readers hardly ever looked");
    let (run, recent) = (count(&dir, "run"), count(&dir, "recent"));
    assert!(run > 0 && recent > 0, "{run} runs filed, {recent} batches on the way");
    let report = verify(dir.path()).expect("everything is as it was written");
    assert_eq!((report.conversations, report.events), (logs, logs * length));
}

fn count(dir: &tempfile::TempDir, table: &str) -> i64 {
    let connection = Connection::open(database(dir.path())).expect("SQLite opens it");
    let sql = format!("SELECT count(*) FROM {table}");
    connection.query_row(&sql, (), |row| row.get(0)).expect("rows are counted")
}

#[tokio::test]
async fn a_purge_leaves_no_texts_behind() {
    let dir = dir();
    let store = open(dir.path());
    let (kept, gone) = (key("acme", 1), key("acme", 2));
    for (key, number) in [(&kept, 1), (&gone, 2)] {
        let lines = (2..=200).map(|seq| message(seq, "A line that is long enough to add up."));
        let mut events: Vec<Event> = std::iter::once(created(number)).chain(lines).collect();
        if number == 2 {
            let closed = Body::Closed { resolution: Resolution::Resolved };
            events.push(event(Stream::Public, 201, 201, closed));
        }
        for page in events.chunks(50) {
            store.append(append(key, page)).await.expect("it is stored");
        }
        let state = Conversation::fold(key.conversation, &events).expect("it folds");
        let state = state.expect("it begins");
        store.put_checkpoints(vec![(key.clone(), state)]).await.expect("it is put");
    }
    let purged = store.purge_closed(&gone.tenant, Timestamp(i64::MAX), 10).await;
    assert_eq!(purged.expect("it is purged"), 1);
    let (runs, blocks) = (count(&dir, "run"), count(&dir, "block"));
    assert!(runs > 0 && runs == blocks, "{runs} runs, all of them long, have {blocks} blocks");
    assert_eq!(read(&store, &kept).await.expect("it is read").len(), 200);
}

#[tokio::test]
async fn survives_reopening() {
    let dir = dir();
    testkit::survives_reopening(async || Arc::new(open(dir.path())) as Arc<dyn Store>).await;
    verify(dir.path()).expect("everything is as it was written");
}

#[tokio::test]
async fn a_second_opener_is_refused_by_name() {
    let dir = dir();
    let first = open(dir.path());
    let second = Embedded::open(config(dir.path()), Arc::new(NoMeter));
    let refusal = second.expect_err("the directory is taken");
    assert!(matches!(refusal, Error::InUse { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("is in use by another process"), "{refusal}");
    drop(first);
    open(dir.path());
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let dir = dir();
    drop(open(dir.path()));
    let connection = Connection::open(database(dir.path())).expect("SQLite opens it");
    connection.pragma_update(None, "user_version", 99).expect("the version is set");
    drop(connection);
    let refusal = Embedded::open(config(dir.path()), Arc::new(NoMeter)).expect_err("it is newer");
    assert!(matches!(refusal, Error::TooNew { found: 99, known: 4 }), "{refusal:?}");
    assert_eq!(
        refusal.to_string(),
        "the database has schema version 99, this program reads up to 4"
    );
    let connection = Connection::open(database(dir.path())).expect("SQLite opens it");
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .expect("the version is read");
    assert_eq!(version, 99);
}

#[test]
fn a_foreign_database_is_refused() {
    let dir = dir();
    let connection = Connection::open(database(dir.path())).expect("SQLite opens it");
    connection.execute_batch("CREATE TABLE diary (day TEXT)").expect("a table is made");
    drop(connection);
    let refusal = Embedded::open(config(dir.path()), Arc::new(NoMeter)).expect_err("not ours");
    assert!(matches!(refusal, Error::Foreign), "{refusal:?}");
}

#[test]
fn the_pragmas_are_as_decided() {
    let dir = dir();
    let store = open(dir.path());
    let connection = Connection::open(database(dir.path())).expect("SQLite opens it");
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get_ref(0).map(|it| format!("{it:?}")))
            .expect("the pragma is read")
    };
    assert_eq!(pragma("page_size"), "Integer(4096)");
    assert_eq!(pragma("auto_vacuum"), "Integer(2)", "incremental");
    assert_eq!(pragma("journal_mode"), format!("{:?}", rusqlite::types::ValueRef::from("wal")));
    drop(store);
}

#[tokio::test]
async fn too_much_waiting_is_refused_and_the_rest_is_stored() {
    let dir = dir();
    let bounded = Config { writes_max: 8, ..config(dir.path()) };
    let store = Embedded::open(bounded, Arc::new(NoMeter)).expect("it opens");
    let replies: Vec<_> = (0..2_000)
        .map(|number| store.append(append(&key("acme", number), &[created(number)])))
        .collect();
    let outcomes = join_all(replies).await;
    let refused = outcomes.iter().filter(|it| matches!(it, Err(Fault::Busy))).count();
    assert!(refused > 0, "2,000 calls do not fit into a queue of 8");
    for (number, outcome) in (0..).zip(outcomes) {
        let stored = read(&store, &key("acme", number)).await.expect("it is read");
        assert_eq!(stored.is_empty(), outcome.is_err(), "{outcome:?}");
    }
}
