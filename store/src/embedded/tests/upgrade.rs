//! A database of an older version.

use rusqlite::Transaction;
use switchboard_domain::ids::DeviceId;

use super::*;
use crate::embedded::schema;
use crate::port::SendLookup;
use crate::record::{EventPlace, encode_event, stream_code};
use crate::testkit::keyed;

/// Longer than a run, so that filing has something to cut.
const LENGTH: u64 = 150;
/// Events of each log that are in `event`; from [`RECENT`] on they are in `recent`.
const MOVED: u64 = 120;
const RECENT: u64 = 110;
const DEVICE: u128 = 7;

fn line(seq: u64) -> Event {
    keyed(message(seq, &format!("Line {seq}")), DEVICE, seq)
}

fn log(number: u64) -> Vec<Event> {
    std::iter::once(created(number)).chain((2..=LENGTH).map(line)).collect()
}

/// Writes a database as version 1 left it when it was killed while it moved events.
fn write_version_1(dir: &Path) {
    let mut connection = Connection::open(database(dir)).expect("SQLite opens it");
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").expect("it is set");
    let transaction = connection.transaction().expect("it begins");
    schema::write_version_1(&transaction).expect("the tables are made");
    for number in [1, 2, 3] {
        for event in log(number) {
            if event.seq.0 <= MOVED {
                insert(&transaction, "event", &key("acme", number), &event);
            }
            if event.seq.0 >= RECENT {
                insert(&transaction, "recent", &key("acme", number), &event);
            }
        }
    }
    // One that was only begun.
    insert(&transaction, "recent", &key("globex", 9), &created(9));
    transaction.commit().expect("it is written");
}

fn insert(transaction: &Transaction<'_>, table: &str, key: &ConversationKey, event: &Event) {
    let place = EventPlace { key, stream: event.stream, seq: event.seq, epoch: 3 };
    let record = encode_event(place, event).expect("it has a form");
    let sql = format!(
        "INSERT INTO {table} (tenant, conversation, stream, seq, epoch, device, n, record) \
         VALUES (?1, ?2, ?3, ?4, 3, ?5, ?6, ?7)"
    );
    let columns = (
        &*key.tenant.0,
        key.conversation.uuid().into_bytes(),
        stream_code(event.stream),
        event.seq.0.cast_signed(),
        event.key.map(|key| key.device.uuid().into_bytes()),
        event.key.map(|key| key.n.cast_signed()),
        record,
    );
    transaction.execute(&sql, columns).expect("it is stored");
}

#[tokio::test]
async fn events_of_version_1_are_filed_in_runs() {
    let dir = dir();
    write_version_1(dir.path());
    let before = verify(dir.path()).expect("the old version is checked too");
    assert_eq!((before.conversations, before.events), (4, 3 * LENGTH + 1));
    for round in 0..2 {
        let store = open(dir.path());
        for number in [1, 2, 3] {
            let stored = read(&store, &key("acme", number)).await.expect("it is read");
            assert!(stored == log(number), "round {round}: {} events", stored.len());
        }
        assert_eq!(read(&store, &key("globex", 9)).await.expect("it is read"), [created(9)]);
        drop(store);
        assert_eq!(verify(dir.path()).expect("it is whole"), before);
    }
    assert_eq!(count(&dir, "run"), 3 * 3 + 1, "150 events are three runs");
    assert_eq!(count(&dir, "sqlite_schema WHERE name IN ('event', 'recent_1', 'log')"), 0);
}

#[tokio::test]
async fn a_send_of_version_1_is_known_and_the_log_goes_on() {
    let dir = dir();
    write_version_1(dir.path());
    let store = open(dir.path());
    let key = key("acme", 2);
    let author = line(5).from.principal;
    let device = DeviceId::from_u128(DEVICE);
    for n in [2, 5, 64, LENGTH] {
        let SendLookup { last_n, sent } =
            store.find_send(&key, author, device, n).await.expect("it is looked up");
        assert_eq!(last_n, LENGTH);
        assert_eq!(sent.expect("it was sent").seq, Seq(n));
    }
    let again = store.append(append(&key, &log(2))).await;
    again.expect("what is stored as it is may be stored again");
    store.append(append(&key, &[line(LENGTH + 1)])).await.expect("the next one follows");
    assert_eq!(read(&store, &key).await.expect("it is read").len() as u64, LENGTH + 1);
}

#[tokio::test]
async fn a_backup_of_version_1_is_restored() {
    let (saved, fresh) = (dir(), dir());
    write_version_1(saved.path());
    let report = restore(&database(saved.path()), fresh.path()).expect("it is restored");
    assert_eq!((report.conversations, report.events), (4, 3 * LENGTH + 1));
    let store = open(fresh.path());
    for number in [1, 2, 3] {
        let stored = read(&store, &key("acme", number)).await.expect("it is read");
        assert!(stored[1..] == log(number)[1..], "all but the identity of the history");
        assert_ne!(stored[0], created(number), "it has a new identity");
    }
}
