use futures_util::FutureExt;
use switchboard_domain::conversation::Conversation;

use super::*;
use crate::testkit::{append, created, key, message, note};

/// Tables in memory that answer at once, and count what is done.
#[derive(Clone, Debug, Default)]
struct Counted(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    head: Option<Rule>,
    rows: BTreeMap<(bool, Seq, i64), Row>,
    covered: Option<Heads>,
    /// Conditional writes whose outcome nobody is told.
    is_silent: bool,
    /// Whether plain writes are never answered.
    is_stuck: bool,
    /// Conditional writes, plain writes, reads of heads and checkpoints, reads of rows.
    counts: [usize; 4],
}

const CONDITIONS: usize = 0;
const WRITES: usize = 1;
const LOOKS: usize = 2;
const ROWS: usize = 3;

impl Counted {
    fn count<T>(&self, what: usize, deed: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.lock();
        state.counts[what] += 1;
        deed(&mut state)
    }

    /// What was done since this was last asked.
    fn counts(&self) -> [usize; 4] {
        std::mem::take(&mut self.0.lock().counts)
    }

    fn swap(&self, before: Option<Rule>, head: Option<Rule>) -> Applied {
        self.count(CONDITIONS, |state| {
            let holds = state.head == before;
            if holds {
                state.head = head;
            }
            match (state.is_silent, holds) {
                (true, _) => Applied::Unknown,
                (false, true) => Applied::Yes,
                (false, false) => Applied::No,
            }
        })
    }

    fn stretch(&self, stream: Stream, first: Seq, last: Seq) -> Vec<Row> {
        self.count(ROWS, |state| {
            let of = |(public, seq, _): &(bool, Seq, i64)| {
                *public == (stream == Stream::Public) && (first..=last).contains(seq)
            };
            let mut rows: Vec<Row> =
                state.rows.iter().filter(|(place, _)| of(place)).map(|it| it.1.clone()).collect();
            rows.sort_by_key(|row| (row.seq, std::cmp::Reverse(row.epoch)));
            rows
        })
    }
}

impl Tables for Counted {
    async fn head(&self, _key: &ConversationKey) -> Result<Option<Rule>, Fault> {
        Ok(self.count(LOOKS, |state| state.head))
    }

    async fn head_as_read(&self, key: &ConversationKey) -> Result<Option<Rule>, Fault> {
        self.head(key).await
    }

    async fn begin_head(&self, _key: &ConversationKey, head: Rule) -> Result<Applied, Fault> {
        Ok(self.swap(None, Some(head)))
    }

    async fn move_head(
        &self,
        _key: &ConversationKey,
        before: Rule,
        head: Rule,
    ) -> Result<Applied, Fault> {
        Ok(self.swap(Some(before), Some(head)))
    }

    async fn drop_head(&self, _key: &ConversationKey, before: Rule) -> Result<Applied, Fault> {
        Ok(self.swap(Some(before), None))
    }

    async fn tail(
        &self,
        _key: &ConversationKey,
        stream: Stream,
        _partition: i64,
        first: Seq,
    ) -> Result<Vec<Row>, Fault> {
        Ok(self.stretch(stream, first, Seq(u64::MAX)))
    }

    async fn events(&self, _key: &ConversationKey, of: Stretch) -> Result<Vec<Record>, Fault> {
        let rows = self.stretch(of.stream, of.first, of.last).into_iter();
        let record = |row: Row| {
            let Row { seq, epoch, outbox, record: bytes, .. } = row;
            Record { seq, epoch, outbox, bytes }
        };
        Ok(rows.map(record).collect())
    }

    async fn sends(&self, key: &ConversationKey, of: Stretch) -> Result<Vec<Record>, Fault> {
        self.events(key, of).await
    }

    async fn put(
        &self,
        _key: &ConversationKey,
        _partition: i64,
        rows: &[Row],
    ) -> Result<(), Fault> {
        self.count(WRITES, |state| {
            for row in rows {
                let place = (row.stream == Stream::Public, row.seq, row.epoch);
                state.rows.insert(place, row.clone());
            }
        });
        if self.0.lock().is_stuck {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn covered(&self, _key: &ConversationKey) -> Result<Option<Heads>, Fault> {
        Ok(self.count(LOOKS, |state| state.covered))
    }

    async fn mark(&self, _key: &ConversationKey) -> Result<(), Fault> {
        Ok(())
    }

    async fn unmark(&self, _key: &ConversationKey) -> Result<(), Fault> {
        Ok(())
    }

    fn now(&self) -> i64 {
        1
    }
}

fn owner(tables: &Counted) -> Logs<Counted> {
    Logs::new(tables.clone(), false)
}

fn owned(epoch: u64, events: &[Event]) -> Append {
    Append { epoch, ..append(&key("acme", 1), events) }
}

/// A log of three events that its first owner has handed on.
async fn handed_on(tables: &Counted) -> (Logs<Counted>, HandOn) {
    let (first, key) = (owner(tables), key("acme", 1));
    first.append(&owned(1, &[created(1)])).await.expect("it begins");
    let both = [message(2, "With a note"), note(1, 2, "With a message")];
    first.append(&owned(1, &both)).await.expect("it is stored");
    let handed = first.hand_on(&key, 1).expect("everything is settled");
    (first, handed)
}

#[test]
fn partitions_hold_a_thousand_from_one() {
    let cases = [(1, 0), (999, 0), (1_000, 0), (1_001, 1), (2_000, 1), (2_001, 2)];
    for (seq, expected) in cases {
        assert_eq!(partition(Seq(seq)), expected, "{seq}");
    }
}

#[tokio::test]
async fn a_log_that_is_handed_on_costs_one_conditional_write_and_no_read() {
    let tables = Counted::default();
    let (_first, handed) = handed_on(&tables).await;
    let (second, key) = (owner(&tables), key("acme", 1));
    tables.counts();
    assert!(second.open_warm(&key, 2, handed).await.expect("it answers"));
    second.append(&owned(2, &[message(3, "Goes on")])).await.expect("it is stored");
    assert_eq!(tables.counts(), [1, 1, 0, 0], "the head, and the row of the message");

    // The same without a word: what the hand-on spares, and how this test can fail.
    let third = owner(&tables);
    third.open(&key, 3).await.expect("it takes over");
    third.append(&owned(3, &[message(4, "And on")])).await.expect("it is stored");
    let [conditions, _, looks, rows] = tables.counts();
    assert_eq!((conditions, looks, rows), (1, 2, 2));
    let page = crate::port::Page {
        key: key.clone(),
        stream: Stream::Public,
        range: crate::port::Range::After(Seq(0)),
        limit: 9,
    };
    let all = third.read(&page).await.expect("it is read");
    let expected =
        [created(1), message(2, "With a note"), message(3, "Goes on"), message(4, "And on")];
    assert_eq!(all, expected);
    assert!(Conversation::fold(key.conversation, &all).is_ok());
}

#[tokio::test]
async fn what_was_handed_on_is_of_no_use_once_the_log_is_another_s() {
    let tables = Counted::default();
    let (first, handed) = handed_on(&tables).await;
    let key = key("acme", 1);
    // Its giver took it once more before it released the shard.
    first.append(&owned(1, &[message(3, "Late")])).await.expect("it is taken over, and stored");
    let second = owner(&tables);
    assert!(!second.open_warm(&key, 2, handed).await.expect("it answers"));
    second.append(&owned(2, &[message(4, "After it")])).await.expect("it is opened and stored");
    assert!(!second.open_warm(&key, 2, handed).await.expect("it answers"), "it is served already");
    let third = owner(&tables);
    assert!(!third.open_warm(&key, 3, handed).await.expect("it answers"));
    assert!(!third.open_warm(&key, 1, handed).await.expect("it answers"), "of a lower epoch");
}

#[tokio::test]
async fn who_handed_a_log_on_appends_no_more_and_hands_it_on_once() {
    let tables = Counted::default();
    let (first, handed) = handed_on(&tables).await;
    let (second, key) = (owner(&tables), key("acme", 1));
    assert_eq!(first.hand_on(&key, 1), None);
    assert!(second.open_warm(&key, 2, handed).await.expect("it answers"));
    let late = first.append(&owned(1, &[message(3, "Late")])).await;
    assert!(matches!(late, Err(Fault::Fenced)), "{late:?}");
    assert_eq!(second.hand_on(&key, 1), None, "not under the epoch of another");
}

#[tokio::test]
async fn a_log_in_doubt_or_not_begun_is_not_handed_on() {
    let tables = Counted::default();
    let (first, key) = (owner(&tables), key("acme", 1));
    assert_eq!(first.hand_on(&key, 1), None, "it is not known");
    first.open(&key, 1).await.expect("it opens");
    assert_eq!(first.hand_on(&key, 1), None, "it has no head");
    first.append(&owned(1, &[created(1)])).await.expect("it begins");
    tables.0.lock().is_stuck = true;
    let events = [message(2, "Nobody knows")];
    let append = owned(1, &events);
    assert!(
        first.append(&append).now_or_never().is_none(),
        "it waits for its rows, and is given up"
    );
    assert_eq!(first.hand_on(&key, 1), None, "nobody knows what is stored");
    tables.0.lock().is_stuck = false;
    first.append(&append).await.expect("it is taken over, and stored");
    assert!(first.hand_on(&key, 1).is_some());
}

#[tokio::test]
async fn an_unknown_outcome_is_read_and_a_wrong_length_refused() {
    let tables = Counted::default();
    let (_first, handed) = handed_on(&tables).await;
    let (second, key) = (owner(&tables), key("acme", 1));
    let shorter = HandOn { starts: Heads { public: Seq(9), internal: Seq(9) }, ..handed };
    assert!(!second.open_warm(&key, 2, shorter).await.expect("it answers"));
    tables.0.lock().is_silent = true;
    tables.counts();
    assert!(second.open_warm(&key, 2, handed).await.expect("it answers"));
    assert_eq!(tables.counts(), [1, 0, 1, 0], "the head is read, which settles it");
}

#[tokio::test]
async fn a_log_that_was_put_away_is_opened_again_without_a_condition_or_a_tail() {
    let tables = Counted::default();
    let (owner, key) = (owner(&tables), key("acme", 1));
    owner.append(&owned(1, &[created(1), message(2, "Before")])).await.expect("it is stored");
    tables.counts();
    // As whoever wakes the conversation does.
    assert!(owner.is_begun(&key).await.expect("it answers"));
    owner.open(&key, 1).await.expect("it is served");
    assert_eq!(tables.counts(), [0, 0, 1, 0], "whether it has begun");
    owner.append(&owned(1, &[message(3, "After")])).await.expect("it is stored");
    assert_eq!(tables.counts(), [0, 1, 0, 0]);
    // Of another epoch of the shard it is another matter.
    owner.open(&key, 2).await.expect("it is taken over");
    assert_eq!(tables.counts(), [1, 1, 2, 2], "and what it adopts is written again");
}
