use super::takeover::{Ask, Next, TakeOver, Taken};
use super::writer::{Appending, Ended, Ticket, Writer};
use super::{At, Head, Heads, LogEpoch, Row, Span, counting, cut};
use crate::ownership::Epoch;
use crate::rows::Outcome;
use crate::rules::Rules;

const RULES: Rules = Rules::ALL;

fn epoch(shard: u64, activation: u64) -> LogEpoch {
    LogEpoch { shard: Epoch(shard), activation }
}

fn at(stream: u8, seq: u64) -> At {
    At { stream, seq }
}

/// A row of an append between two heads.
fn row(by: u64, at: At, after: [u64; 2], upto: [u64; 2]) -> Row<u64> {
    let span = Span { after: Heads(after), upto: Heads(upto) };
    Row { at, epoch: epoch(by, 1), span, stamp: 0, entry: by * 100 + at.seq }
}

/// A row that is an append of its own in the first stream.
fn single(by: u64, seq: u64) -> Row<u64> {
    row(by, at(0, seq), [seq - 1, 0], [seq, 0])
}

fn head(by: u64, start: [u64; 2]) -> Head {
    Head { epoch: epoch(by, 1), start: Heads(start), mark: None }
}

fn adopted(head: &Head, rows: Vec<Row<u64>>) -> (Heads, Vec<u64>) {
    let (heads, rows) = cut(Heads::default(), counting(Some(head), rows, RULES), RULES);
    (heads, rows.iter().map(|row| row.entry).collect())
}

#[test]
fn from_the_start_on_the_heads_epoch_counts_and_below_it_the_highest() {
    let rows =
        vec![single(1, 1), single(1, 2), single(2, 2), single(1, 3), single(3, 3), single(2, 4)];
    assert_eq!(adopted(&head(3, [3, 1]), rows.clone()), (Heads([3, 0]), vec![101, 202, 303]));
    // Under the second head the third's row does not count, and nothing after the hole does.
    assert_eq!(adopted(&head(2, [2, 1]), rows), (Heads([2, 0]), vec![101, 202]));
}

#[test]
fn an_append_is_adopted_whole_or_not_at_all() {
    let span = ([1, 0], [2, 2]);
    let of = |at| row(1, at, span.0, span.1);
    let whole = vec![single(1, 1), of(at(0, 2)), of(at(1, 1)), of(at(1, 2))];
    assert_eq!(adopted(&head(1, [1, 1]), whole.clone()).0, Heads([2, 2]));
    for missing in 1..whole.len() {
        let mut torn = whole.clone();
        torn.remove(missing);
        assert_eq!(adopted(&head(1, [1, 1]), torn), (Heads([1, 0]), vec![101]), "{missing}");
    }
}

#[test]
fn rows_of_a_log_that_nobody_owned_count_for_nothing() {
    assert!(counting(None, vec![single(1, 1)], RULES).is_empty());
}

/// Takes a log over whose head and rows are these; answers what was asked and what came of it.
fn take_over(
    found: Option<Head>,
    rows: Vec<Row<u64>>,
    outcome: &Outcome<Head>,
) -> (Vec<Row<u64>>, Option<Head>, Next<u64>) {
    let (mut machine, ask) = TakeOver::begin(epoch(9, 1), Heads::default(), RULES);
    assert_eq!(ask, Ask::ReadHead);
    let mut next = machine.head(found);
    assert_eq!(next, Next::Ask(Ask::ReadTail { after: Heads::default() }));
    next = machine.tail(rows);
    let mut again = Vec::new();
    if let Next::Ask(Ask::Rewrite(rows)) = next {
        again = rows;
        next = machine.rewritten();
    }
    let Next::Ask(Ask::Swap { expect, head }) = next else { return (again, None, next) };
    assert_eq!(expect, found, "exactly the head that was read");
    (again, Some(head), machine.swapped(outcome))
}

#[test]
fn a_tail_is_written_again_as_it_is_before_the_head_is() {
    let rows = vec![single(2, 2), single(1, 1), single(2, 4), single(1, 2)];
    let found = head(2, [2, 1]);
    let (again, head, next) = take_over(Some(found), rows, &Outcome::Applied);
    assert_eq!(again, [single(1, 1), single(2, 2)]);
    let expect = Head { epoch: epoch(9, 1), start: Heads([3, 1]), mark: None };
    assert_eq!(head, Some(expect));
    assert_eq!(next, Next::Taken(Taken { head: expect, heads: Heads([2, 0]), rows: again }));
}

#[test]
fn a_head_that_is_not_known_to_be_written_serves_nothing() {
    for outcome in [Outcome::Unknown, Outcome::Refused(None)] {
        let (_, _, next) = take_over(None, Vec::new(), &outcome);
        assert_eq!(next, Next::Ask(Ask::ReadHead));
    }
}

#[test]
fn a_newer_owner_ends_a_take_over_and_so_does_the_own_epoch() {
    for by in [9, 10] {
        let (mut machine, _) = TakeOver::<u64>::begin(epoch(9, 1), Heads::default(), RULES);
        assert_eq!(machine.head(Some(head(by, [1, 1]))), Next::Superseded);
    }
}

#[test]
fn a_clean_log_is_taken_without_writing_again_unless_rows_are_missing() {
    let clean = Head { mark: Some(Heads([2, 0])), ..head(2, [1, 1]) };
    let rows = vec![single(2, 1), single(2, 2)];
    let (again, head, next) = take_over(Some(clean), rows.clone(), &Outcome::Applied);
    assert!(again.is_empty());
    assert_eq!(head.map(|head| (head.mark, head.start)), Some((None, Heads([3, 1]))));
    assert!(matches!(next, Next::Taken(Taken { heads: Heads([2, 0]), .. })));
    let (_, _, next) = take_over(Some(clean), rows[..1].to_vec(), &Outcome::Applied);
    assert_eq!(next, Next::Missing { expected: Heads([2, 0]), found: Heads([1, 0]) });
}

fn writer() -> Writer<&'static str, u64> {
    let taken = Taken { head: head(9, [3, 2]), heads: Heads([2, 1]), rows: Vec::new() };
    Writer::open(&taken, RULES)
}

fn append(writer: &mut Writer<&'static str, u64>, key: &'static str, streams: &[u8]) -> Ticket {
    let entries = streams.iter().map(|stream| (*stream, 7)).collect();
    let appended = writer.append(Some(key), entries, 5);
    let Appending::Write(ticket, _) = appended else { panic!("{appended:?}") };
    ticket
}

#[test]
fn appends_are_acknowledged_in_order_after_the_lease_was_asked() {
    let mut writer = writer();
    let first = append(&mut writer, "a", &[0, 1, 0]);
    let second = append(&mut writer, "b", &[1]);
    assert_eq!(writer.append(Some("a"), vec![(0, 7)], 6), Appending::Waits(first));
    writer.stored(second);
    assert_eq!(writer.acknowledge(|| panic!("nothing to ask for")), Ok(Vec::new()));
    writer.stored(first);
    let acked = writer.acknowledge(|| true).expect("still the owner");
    let rows: Vec<_> = acked.iter().flat_map(|append| &append.rows).map(|row| row.at).collect();
    assert_eq!(rows, [at(0, 3), at(1, 2), at(0, 4), at(1, 3)]);
    let spans: Vec<_> = acked.iter().map(|append| append.rows[0].span).collect();
    assert_eq!((spans[0].after, spans[0].upto), (Heads([2, 1]), Heads([4, 2])));
    assert_eq!((spans[1].after, spans[1].upto), (Heads([4, 2]), Heads([4, 3])));
    let bound = writer.vouch(|| true).expect("still the owner");
    assert_eq!((bound.start, bound.heads), (Heads([3, 2]), Heads([4, 3])));
    assert_eq!(writer.vouch(|| false), None);
}

#[test]
fn an_owner_whose_lease_is_over_acknowledges_nothing_ever_again() {
    let mut writer = writer();
    let ticket = append(&mut writer, "a", &[0]);
    writer.stored(ticket);
    assert_eq!(writer.acknowledge(|| false), Err(Ended));
    assert_eq!(writer.acknowledge(|| true), Err(Ended));
    assert_eq!(writer.append(None, vec![(0, 7)], 6), Appending::Refused);
    assert_eq!(writer.unknown(ticket), None);
    assert_eq!(writer.vouch(|| true), None);
}

#[test]
fn a_write_of_unknown_outcome_is_written_again_as_the_same_rows() {
    let mut writer = writer();
    let Appending::Write(first, rows) = writer.append(None, vec![(0, 7)], 5) else { panic!() };
    let second = append(&mut writer, "b", &[0]);
    assert_eq!(writer.unknown(first), Some(rows));
    assert!(!writer.withdraw(first), "only the newest can be taken back");
    assert!(writer.withdraw(second));
    let Appending::Write(_, rows) = writer.append(None, vec![(0, 8)], 6) else { panic!() };
    assert_eq!(rows[0].at, at(0, 4));
    writer.stored(first);
    assert_eq!(writer.unknown(first), None, "it is durable");
}

#[test]
fn a_log_is_put_away_or_handed_on_only_when_all_is_settled() {
    let mut busy = writer();
    let ticket = append(&mut busy, "a", &[0]);
    busy.seal();
    assert_eq!(busy.append(None, vec![(0, 7)], 6), Appending::Refused);
    assert_eq!((busy.mark(), busy.hand_on()), (None, None));
    busy.stored(ticket);
    assert_eq!(busy.acknowledge(|| true).map(|acked| acked.len()), Ok(1));
    let mut marked = busy.clone();
    let marks = Head { mark: Some(Heads([3, 1])), ..head(9, [3, 2]) };
    let swap = Ask::Swap { expect: Some(head(9, [3, 2])), head: marks };
    assert_eq!(marked.mark(), Some(swap));
    assert!(!marked.is_open() && marked.vouch(|| true).is_none(), "an unknown mark ends it too");
    assert!(Writer::<u8, u64>::marked(&Outcome::Applied));
    assert!(!Writer::<u8, u64>::marked(&Outcome::Unknown));

    let warm = busy.hand_on().expect("settled");
    assert_eq!((warm.heads, busy.vouch(|| true)), (Heads([3, 1]), None));
    let (mut machine, ask) = TakeOver::<u64>::begin_warm(epoch(10, 1), warm.clone(), RULES);
    let goal = Head { epoch: epoch(10, 1), start: Heads([4, 2]), mark: None };
    assert_eq!(ask, Ask::Swap { expect: Some(head(9, [3, 2])), head: goal });
    assert!(matches!(machine.swapped(&Outcome::Applied), Next::Taken(_)));
    // Somebody else was there meanwhile: the tail is read after all, from what was handed on.
    let (mut machine, _) = TakeOver::<u64>::begin_warm(epoch(10, 1), warm, RULES);
    assert_eq!(machine.swapped(&Outcome::Refused(None)), Next::Ask(Ask::ReadHead));
    let next = machine.head(Some(head(9, [3, 2])));
    assert_eq!(next, Next::Ask(Ask::ReadTail { after: Heads([3, 1]) }));
}
