//! Files that are not as they were written.

use std::fs;
use std::os::unix::fs::FileExt;

use super::*;
use crate::load::load;

fn line(number: u64, seq: u64) -> Event {
    message(seq, &format!("Line {seq} of conversation {number}."))
}

fn log(number: u64, upto: u64) -> Vec<Event> {
    std::iter::once(created(number)).chain((2..=upto).map(|seq| line(number, seq))).collect()
}

/// A closed database of 40 conversations of 20 events, nothing left in the write-ahead log.
async fn fill(dir: &Path) {
    let store = open(dir);
    for number in 0..40 {
        let events = log(number, 20);
        store.append(append(&key("acme", number), &events)).await.expect("it is stored");
    }
}

/// Everything that can be read, or the faults; never anything else than what was written.
async fn read_everything(dir: &Path) -> Result<usize, Error> {
    let store = Embedded::open(config(dir), Arc::new(NoMeter))?;
    let mut faults = 0;
    for number in 0..40 {
        match read(&store, &key("acme", number)).await {
            Ok(events) => {
                let whole = log(number, 20);
                assert!(whole.starts_with(&events), "wrong content was answered");
            }
            Err(fault) => {
                assert!(matches!(fault, Fault::Damaged { .. }), "{fault:?}");
                faults += 1;
            }
        }
    }
    Ok(faults)
}

#[tokio::test]
async fn a_flipped_bit_of_a_record_is_named_and_harms_no_other() {
    let dir = dir();
    fill(dir.path()).await;
    let path = database(dir.path());
    let bytes = fs::read(&path).expect("the file is read");
    // SQLite leaves stale copies of rows behind, so every copy is bent.
    let needle = b"Line 7 of conversation 7.";
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the file is opened");
    for at in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(needle)) {
        file.write_all_at(&[bytes[at] ^ 1], at as u64).expect("a bit is flipped");
    }
    drop(file);

    assert_eq!(read_everything(dir.path()).await.expect("it opens"), 1);
    let named = verify(dir.path()).expect_err("it is damaged").to_string();
    assert!(named.contains("event acme/") && named.contains("checksum"), "{named}");
    let store = open(dir.path());
    let mut damaged = 0;
    for number in 0..40 {
        match load(&store, &key("acme", number)).await {
            Ok(loaded) => assert!(loaded.is_some()),
            Err(fault) => {
                assert!(fault.to_string().contains("event acme/"), "{fault}");
                damaged += 1;
            }
        }
    }
    assert_eq!(damaged, 1);
    // A retry that has to be compared with the damaged record is refused, the others are stored.
    let retries =
        (0..40).map(|number| store.append(append(&key("acme", number), &log(number, 21))));
    let outcomes = join_all(retries.collect::<Vec<_>>()).await;
    let refused = outcomes.iter().filter(|it| matches!(it, Err(Fault::Damaged { .. }))).count();
    let stored = outcomes.iter().filter(|it| it.is_ok()).count();
    assert_eq!((refused, stored), (1, 39), "{outcomes:?}");
}

#[tokio::test]
async fn flipped_bits_anywhere_never_answer_wrong_content() {
    let pristine = dir();
    fill(pristine.path()).await;
    let bytes = fs::read(database(pristine.path())).expect("the file is read");
    let mut noticed = 0;
    for sample in 0..100 {
        let mut flipped = bytes.clone();
        // Spread over the whole file, every bit of a byte in turn.
        let bit = bytes.len() * 8 / 100 * sample + sample * 13 % 8;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let dir = dir();
        fs::write(database(dir.path()), flipped).expect("the file is written");
        let outcome = read_everything(dir.path()).await;
        noticed += usize::from(outcome.map_or(true, |faults| faults > 0));
    }
    assert!(noticed > 25, "only {noticed} of 100 flips were noticed on reading");
}

#[tokio::test]
async fn a_truncated_file_is_noticed() {
    let pristine = dir();
    fill(pristine.path()).await;
    let bytes = fs::read(database(pristine.path())).expect("the file is read");
    for eighths in 0..8 {
        let dir = dir();
        let cut = &bytes[..bytes.len() * eighths / 8];
        fs::write(database(dir.path()), cut).expect("the file is written");
        let verified = verify(dir.path());
        if eighths == 0 {
            // An empty file is an empty database; what was in it nobody can know.
            continue;
        }
        assert!(verified.is_err(), "cut to {eighths}/8");
        if let Ok(faults) = read_everything(dir.path()).await {
            assert!(faults > 0, "cut to {eighths}/8");
        }
    }
}

#[tokio::test]
async fn a_torn_tail_of_the_write_ahead_log_loses_the_tail_only() {
    let pristine = dir();
    let store = open(pristine.path());
    let key = key("acme", 1);
    store.append(append(&key, &[created(1)])).await.expect("it is stored");
    for seq in 2..=10 {
        store.append(append(&key, &[message(seq, "Line")])).await.expect("it is stored");
    }
    let wal_path = pristine.path().join("switchboard.db-wal");
    // Read while it is open, as a killed machine would leave it. This drops SQLite's locks in this
    // process, so the store is not used any more.
    let main = fs::read(database(pristine.path())).expect("the file is read");
    let wal = fs::read(&wal_path).expect("the log is read");
    drop(store);
    let mut lengths = Vec::new();
    for cut in (0..=wal.len()).rev().step_by(97).take(600) {
        let dir = dir();
        fs::write(database(dir.path()), &main).expect("the file is written");
        fs::write(dir.path().join("switchboard.db-wal"), &wal[..cut]).expect("it is written");
        let store = open(dir.path());
        let events = read(&store, &key).await.expect("it is read");
        let is_prefix = events.iter().zip(1..).all(|(event, seq)| event.seq == Seq(seq));
        assert!(is_prefix, "cut to {cut} bytes");
        lengths.push(events.len());
    }
    assert_eq!(lengths.first(), Some(&10), "the whole log has everything");
    assert!(lengths.is_sorted_by(|longer, shorter| longer >= shorter), "{lengths:?}");
    assert!(lengths.iter().any(|length| *length < 10), "some cut loses something");
}
