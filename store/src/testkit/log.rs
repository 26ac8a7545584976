//! Rules of the log.

use std::sync::Arc;

use futures_util::future::join_all;
use switchboard_domain::conversation::{
    AssignedBy, Body, Contact, Created, Event, Ordinals, Priority, Rating, Resolution, Sent,
    Stream, TransferTarget,
};
use switchboard_domain::ids::{AgentId, DepartmentId, DeviceId, LogId, Number, Seq, WidgetId};
use switchboard_domain::person::{AgentRef, Author, Principal};

use super::sample::{VISITOR, append, created, event, key, keyed, message, note};
use crate::port::{Append, ConversationKey, Fault, Page, Range, SendLookup, Store};

type Shared = Arc<dyn Store>;

async fn store_all(store: &Shared, key: &ConversationKey, events: &[Event]) {
    store.append(append(key, events)).await.expect("a dense append is stored");
}

async fn read(
    store: &Shared,
    key: &ConversationKey,
    stream: Stream,
    range: Range,
    limit: usize,
) -> Vec<Event> {
    let page = Page { key: key.clone(), stream, range, limit };
    store.read(page).await.expect("a stored stretch is read")
}

async fn all(store: &Shared, key: &ConversationKey, stream: Stream) -> Vec<Event> {
    read(store, key, stream, Range::After(Seq(0)), usize::MAX).await
}

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq.0).collect()
}

pub(super) async fn events_are_read_in_order(store: Shared) {
    let key = key("acme", 1);
    assert_eq!(all(&store, &key, Stream::Public).await, [], "an unknown log is empty");
    let events = [created(1), message(2, "Hello"), message(3, "Anybody there?")];
    store_all(&store, &key, &events[..1]).await;
    store_all(&store, &key, &events[1..]).await;
    assert_eq!(all(&store, &key, Stream::Public).await, events);
}

pub(super) async fn the_same_append_changes_nothing(store: Shared) {
    let key = key("acme", 1);
    let events = [created(1), message(2, "Hello"), note(1, 2, "A regular")];
    for _ in 0..3 {
        store_all(&store, &key, &events).await;
    }
    // Another owner may write the same events again after a take-over.
    let mut again = append(&key, &events);
    again.epoch = 2;
    store.append(again).await.expect("the same events may be stored again");
    assert_eq!(all(&store, &key, Stream::Public).await, events[..2]);
    assert_eq!(all(&store, &key, Stream::Internal).await, events[2..]);
}

pub(super) async fn an_overlapping_append_adds_the_rest(store: Shared) {
    let key = key("acme", 1);
    let events = [created(1), message(2, "Hello"), message(3, "Again")];
    store_all(&store, &key, &events[..2]).await;
    store_all(&store, &key, &events[1..]).await;
    assert_eq!(all(&store, &key, Stream::Public).await, events);
}

pub(super) async fn a_taken_position_is_refused(store: Shared) {
    let key = key("acme", 1);
    store_all(&store, &key, &[created(1), message(2, "Hello")]).await;
    let refused = store.append(append(&key, &[message(2, "Other")])).await;
    assert!(
        matches!(refused, Err(Fault::Occupied { stream: Stream::Public, seq: Seq(2) })),
        "{refused:?}"
    );
    let twice = store.append(append(&key, &[message(3, "One"), message(3, "Two")])).await;
    assert!(
        matches!(twice, Err(Fault::Occupied { stream: Stream::Public, seq: Seq(3) })),
        "{twice:?}"
    );
    assert_eq!(all(&store, &key, Stream::Public).await, [created(1), message(2, "Hello")]);
}

pub(super) async fn a_gap_is_refused(store: Shared) {
    let key = key("acme", 1);
    store_all(&store, &key, &[created(1)]).await;
    let cases = [
        (message(3, "Too far"), Stream::Public, 3),
        (note(2, 1, "Too far"), Stream::Internal, 2),
        (event(Stream::Public, 0, 0, Body::Watched), Stream::Public, 0),
    ];
    for (event, in_stream, at) in cases {
        let refused = store.append(append(&key, &[event])).await;
        assert!(
            matches!(refused, Err(Fault::NotDense { stream, seq }) if stream == in_stream && seq.0 == at),
            "{refused:?}"
        );
    }
}

pub(super) async fn a_refused_append_stores_nothing(store: Shared) {
    let key = key("acme", 1);
    store_all(&store, &key, &[created(1)]).await;
    let mut events = append(&key, &[message(2, "Good"), note(1, 2, "Good"), message(4, "Bad")]);
    events.mark_dirty = true;
    store.append(events).await.expect_err("the third event leaves a gap");
    assert_eq!(all(&store, &key, Stream::Public).await, [created(1)]);
    assert_eq!(all(&store, &key, Stream::Internal).await, []);
    assert_eq!(store.dirty(10).await.expect("marks are read"), []);
}

pub(super) async fn a_refused_append_harms_no_other(store: Shared) {
    let replies: Vec<_> = (0..90)
        .map(|number| {
            let key = key("acme", number);
            let first = if number % 3 == 0 { message(7, "No such place") } else { created(number) };
            store.append(append(&key, &[first]))
        })
        .collect();
    for (number, stored) in join_all(replies).await.into_iter().enumerate() {
        assert_eq!(stored.is_err(), number % 3 == 0, "{stored:?}");
    }
}

pub(super) async fn streams_are_apart(store: Shared) {
    let key = key("acme", 1);
    store_all(&store, &key, &[created(1), note(1, 1, "A"), message(2, "B"), note(2, 2, "C")]).await;
    assert_eq!(all(&store, &key, Stream::Public).await, [created(1), message(2, "B")]);
    assert_eq!(all(&store, &key, Stream::Internal).await, [note(1, 1, "A"), note(2, 2, "C")]);
}

pub(super) async fn tenants_are_apart(store: Shared) {
    let ours = key("acme", 1);
    // The same id, and a name of which the other is a beginning.
    let theirs = [key("acm", 1), key("acme2", 1), key("", 1)];
    store_all(&store, &ours, &[created(1), keyed(message(2, "Secret"), 7, 1)]).await;
    for theirs in &theirs {
        assert_eq!(all(&store, theirs, Stream::Public).await, []);
        let principal = Principal::Visitor(VISITOR);
        let found = store.find_send(theirs, principal, DeviceId::from_u128(7), 1).await;
        assert_eq!(found.expect("a look-up is answered"), SendLookup::default());
        store_all(&store, theirs, &[created(2)]).await;
        assert_eq!(all(&store, theirs, Stream::Public).await, [created(2)]);
    }
    assert_eq!(seqs(&all(&store, &ours, Stream::Public).await), [1, 2]);
}

pub(super) async fn pages_go_both_ways(store: Shared) {
    let key = key("acme", 1);
    let mut events = vec![created(1)];
    events.extend((2..=10).map(|seq| message(seq, "Line")));
    store_all(&store, &key, &events).await;
    store_all(&store, &key, &[note(1, 10, "Apart")]).await;
    let cases: &[(Range, usize, &[u64])] = &[
        (Range::After(Seq(0)), 3, &[1, 2, 3]),
        (Range::After(Seq(3)), 3, &[4, 5, 6]),
        (Range::After(Seq(9)), 3, &[10]),
        (Range::After(Seq(10)), 3, &[]),
        (Range::After(Seq(u64::MAX)), 3, &[]),
        (Range::After(Seq(4)), 0, &[]),
        (Range::Before(Seq(0)), 3, &[]),
        (Range::Before(Seq(1)), 3, &[]),
        (Range::Before(Seq(2)), 3, &[1]),
        (Range::Before(Seq(8)), 3, &[5, 6, 7]),
        (Range::Before(Seq(11)), 2, &[9, 10]),
        (Range::Before(Seq(u64::MAX)), usize::MAX, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ];
    for (range, limit, expected) in cases {
        let page = read(&store, &key, Stream::Public, *range, *limit).await;
        assert_eq!(seqs(&page), *expected, "{range:?}, limit {limit}");
    }
}

pub(super) async fn writers_side_by_side_lose_nothing(store: Shared) {
    const WRITERS: u64 = 32;
    const EVENTS: u64 = 25;
    let write = |writer: u64| {
        let store = Arc::clone(&store);
        async move {
            let key = key("acme", writer);
            store_all(&store, &key, &[created(writer)]).await;
            for seq in 2..=EVENTS {
                store_all(&store, &key, &[message(seq, &format!("{writer}/{seq}"))]).await;
            }
        }
    };
    join_all((0..WRITERS).map(|writer| tokio::spawn(write(writer))))
        .await
        .into_iter()
        .for_each(|ended| ended.expect("a writer ends well"));
    for writer in 0..WRITERS {
        let stored = all(&store, &key("acme", writer), Stream::Public).await;
        assert_eq!(seqs(&stored), (1..=EVENTS).collect::<Vec<_>>());
        assert_eq!(stored[1], message(2, &format!("{writer}/2")));
    }
}

pub(super) async fn two_writers_of_one_position_one_wins(store: Shared) {
    let key = key("acme", 1);
    store_all(&store, &key, &[created(1)]).await;
    let texts: Vec<String> = (0..16).map(|writer| format!("Writer {writer}")).collect();
    let replies = texts.iter().map(|text| store.append(append(&key, &[message(2, text)])));
    let outcomes = join_all(replies.collect::<Vec<_>>()).await;
    let winners: Vec<_> = outcomes.iter().enumerate().filter(|(_, it)| it.is_ok()).collect();
    assert_eq!(winners.len(), 1, "one writer wins");
    let (winner, _) = winners[0];
    assert!(
        outcomes.iter().all(|it| matches!(it, Ok(()) | Err(Fault::Occupied { .. }))),
        "{outcomes:?}"
    );
    assert_eq!(all(&store, &key, Stream::Public).await, [created(1), message(2, &texts[winner])]);
}

pub(super) async fn a_dropped_reply_is_stored_or_not(store: Shared) {
    for number in 0..50 {
        drop(store.append(append(&key("acme", number), &[created(number), message(2, "Hi")])));
    }
    // One writer takes them in turn, so what follows finds them settled.
    store_all(&store, &key("acme", 1_000), &[created(1_000)]).await;
    for number in 0..50 {
        let stored = all(&store, &key("acme", number), Stream::Public).await;
        assert!(matches!(stored.len(), 0 | 2), "half an append is stored");
    }
}

pub(super) async fn sends_are_found(store: Shared) {
    let key = key("acme", 1);
    let by_agent = |event: Event| Event {
        from: Author { principal: Principal::Agent(AgentId::from_u128(5)), name: None },
        ..event
    };
    store_all(
        &store,
        &key,
        &[
            created(1),
            keyed(message(2, "One"), 7, 1),
            keyed(message(3, "Two"), 7, 2),
            by_agent(keyed(message(4, "Theirs"), 7, 1)),
            by_agent(keyed(note(1, 4, "Theirs"), 7, 2)),
            keyed(message(5, "Elsewhere"), 8, 1),
        ],
    )
    .await;
    let visitor = Principal::Visitor(VISITOR);
    let agent = Principal::Agent(AgentId::from_u128(5));
    let sent = |n: u64, stream, seq| Some(Sent { n, digest: n ^ 0xfeed, stream, seq: Seq(seq) });
    let cases = [
        (visitor, 7, 1, 2, sent(1, Stream::Public, 2)),
        (visitor, 7, 2, 2, sent(2, Stream::Public, 3)),
        (visitor, 7, 3, 2, None),
        (visitor, 7, 0, 2, None),
        (visitor, 8, 1, 1, sent(1, Stream::Public, 5)),
        (visitor, 9, 1, 0, None),
        (agent, 7, 1, 2, sent(1, Stream::Public, 4)),
        (agent, 7, 2, 2, sent(2, Stream::Internal, 1)),
        (agent, 8, 1, 0, None),
        (Principal::Bot(AgentId::from_u128(5)), 7, 1, 0, None),
    ];
    for (principal, device, n, last_n, sent) in cases {
        let found = store.find_send(&key, principal, DeviceId::from_u128(device), n).await;
        let expected = SendLookup { last_n, sent };
        assert_eq!(found.expect("a look-up is answered"), expected, "{principal:?} {device} {n}");
    }
}

pub(super) async fn every_kind_of_event_is_kept(store: Shared) {
    let key = key("acme", 1);
    let events: Vec<Event> = bodies()
        .into_iter()
        .zip(1..)
        .map(|(body, seq)| Event {
            ordinals: Ordinals { visitor: 1, agent: 2, system: 3 },
            from: Author { principal: Principal::Bot(AgentId::from_u128(6)), name: None },
            ..event(Stream::Public, seq, seq, body)
        })
        .collect();
    store_all(&store, &key, &events).await;
    assert_eq!(all(&store, &key, Stream::Public).await, events);
}

/// One body of every kind, with every optional part given and, where it matters, absent.
#[must_use]
pub fn bodies() -> Vec<Body> {
    let agent = || AgentRef { id: AgentId::from_u128(5), name: "Ada".into() };
    let sales = || DepartmentId("sales".into());
    let created = Created {
        log: LogId::from_u128(u128::MAX),
        number: Number(1_000_007),
        visitor: Contact {
            id: VISITOR,
            name: Some("Vera".into()),
            email: Some("vera@example.org".into()),
            phone: Some("+49 30 1234".into()),
            verified: true,
        },
        widget: Some(WidgetId("demo".into())),
        subject: Some("Invoice".into()),
        department: Some(sales()),
        priority: Priority::Urgent,
        skills: vec!["german".into()],
        context: vec![("page".into(), "https://example.org/ä".into())],
        fields: vec![("order".into(), "77".into())],
    };
    vec![
        Body::Created(Box::new(created)),
        Body::Message { text: "\u{1f600} <b>".into(), files: vec!["f1".into(), "f2".into()] },
        Body::Message { text: "".into(), files: Vec::new() },
        Body::Edited { seq: Seq(2), text: "Better".into() },
        Body::Redacted { seq: Seq(u64::MAX) },
        Body::Assigned { agent: agent(), by: AssignedBy::Accept, previous: None },
        Body::Assigned { agent: agent(), by: AssignedBy::Assign, previous: Some(agent()) },
        Body::Assigned { agent: agent(), by: AssignedBy::Route, previous: None },
        Body::Unassigned { agent: agent() },
        Body::Transferred { to: TransferTarget::Agent(agent()), previous: Some(agent()) },
        Body::Transferred { to: TransferTarget::Department(sales()), previous: None },
        Body::TransferRefused,
        Body::WentOffline,
        Body::AgentAvailable { text: "Ada is here".into() },
        Body::VisitorLeft,
        Body::VisitorReturned,
        Body::Closed { resolution: Resolution::None },
        Body::Closed { resolution: Resolution::Resolved },
        Body::Reopened,
        Body::Archived,
        Body::Rated(Rating { score: 5, comment: Some("Quick".into()) }),
        Body::Rated(Rating { score: 1, comment: None }),
        Body::Note { text: "Mind the tone".into(), transfer: true },
        Body::Whisper { text: "Offer a refund".into() },
        Body::Tagged { tags: vec!["refund".into(), "vip".into()] },
        Body::Prioritised { priority: Priority::High, previous: Priority::Low },
        Body::DepartmentChanged { department: Some(sales()), previous: None },
        Body::Ticketed { ticket: Number(1_000_009) },
        Body::ContactMerged { contact: Number(1_000_011) },
        Body::Watched,
    ]
}

pub(super) async fn fill_for_reopening(store: Shared) {
    for number in 0..20 {
        let mut all = vec![created(number)];
        all.extend((2..=30).map(|seq| keyed(message(seq, "Kept"), 7, seq - 1)));
        let mut events = append(&key("acme", number), &all);
        events.mark_dirty = number % 2 == 0;
        store.append(events).await.expect("a dense append is stored");
    }
}

pub(super) async fn check_after_reopening(store: Shared) {
    // A new life of the owner, under an epoch of its own.
    let append = |key: &ConversationKey, event: Event| {
        store.append(Append { epoch: 2, ..append(key, &[event]) })
    };
    for number in 0..20 {
        let key = key("acme", number);
        store.open(&key, 2).await.expect("a log is opened again");
        assert_eq!(all(&store, &key, Stream::Public).await.len(), 30);
        append(&key, message(31, "Goes on")).await.expect("a dense append is stored");
        let refused = append(&key, message(30, "Late")).await;
        assert!(matches!(refused, Err(Fault::Occupied { .. })), "{refused:?}");
    }
    assert_eq!(store.dirty(100).await.expect("marks are read").len(), 10);
}

fn owned(epoch: u64, key: &ConversationKey, events: &[Event]) -> Append {
    Append { epoch, ..append(key, events) }
}

pub(super) async fn an_overtaken_owner_is_never_read([first, second, third]: &[Shared; 3]) {
    let key = key("shared", 1);
    let opening = [created(1), message(2, "Hello"), note(1, 2, "A regular")];
    first.append(owned(1, &key, &opening)).await.expect("the first owner writes");
    second.open(&key, 2).await.expect("the second takes over");
    assert_eq!(all(second, &key, Stream::Public).await, opening[..2]);
    // Whether a store can refuse it or only not show it, is its own affair.
    let late = [message(3, "Late"), message(4, "Later"), note(2, 4, "Late")];
    let _ = first.append(owned(1, &key, &late)).await;
    assert_eq!(all(second, &key, Stream::Public).await, opening[..2]);
    let own = [message(3, "Second"), note(2, 3, "Second")];
    second.append(owned(2, &key, &own)).await.expect("the second owner writes");
    let _ = first.append(owned(1, &key, &[message(5, "Much later")])).await;

    let refused = first.open(&key, 1).await;
    let refused = refused.and(first.append(owned(1, &key, &[message(6, "No")])).await);
    // An owner that believes in itself may be let write; one that looks is told.
    assert!(matches!(refused, Ok(()) | Err(Fault::Fenced)), "{refused:?}");
    let new_life = third.open(&key, 1).await;
    assert!(matches!(new_life, Err(Fault::Fenced)), "{new_life:?}");
    third.open(&key, 3).await.expect("the third takes over");
    let public = all(third, &key, Stream::Public).await;
    assert_eq!(public, [&opening[..2], &own[..1]].concat());
    let internal = all(third, &key, Stream::Internal).await;
    assert_eq!(internal, [&opening[2..], &own[1..]].concat());
}

pub(super) async fn an_owner_finds_what_was_acknowledged_to_another(stores: &[Shared; 3]) {
    let key = key("shared", 2);
    let mut events = vec![created(2)];
    stores[0].append(owned(1, &key, &events)).await.expect("the first owner begins it");
    for epoch in 2..=9_u64 {
        let store = &stores[usize::try_from(epoch % 3).unwrap_or(0)];
        store.open(&key, epoch).await.expect("the next owner takes over");
        assert_eq!(all(store, &key, Stream::Public).await, events, "epoch {epoch}");
        let send = keyed(message(epoch, "Mine"), 7, epoch - 1);
        store.append(owned(epoch, &key, std::slice::from_ref(&send))).await.expect("it writes");
        events.push(send);
        let found = store
            .find_send(&key, Principal::Visitor(VISITOR), DeviceId::from_u128(7), 1)
            .await
            .expect("a look-up is answered");
        let sent = Sent { n: 1, digest: 1 ^ 0xfeed, stream: Stream::Public, seq: Seq(2) };
        assert_eq!(found, SendLookup { last_n: epoch - 1, sent: Some(sent) });
    }
}

pub(super) async fn one_of_many_owners_goes_on(stores: &[Shared; 3]) {
    let key = key("shared", 3);
    stores[0].append(owned(1, &key, &[created(3)])).await.expect("the first owner begins it");
    // All at once, each under an epoch of its own: those that lose may be refused.
    let opened = join_all((2..12_u64).map(|epoch| {
        let store = Arc::clone(&stores[usize::try_from(epoch % 3).unwrap_or(0)]);
        let key = key.clone();
        async move { store.open(&key, epoch).await }
    }));
    for outcome in opened.await {
        assert!(matches!(outcome, Ok(()) | Err(Fault::Fenced | Fault::Busy)), "{outcome:?}");
    }
    let last = &stores[1];
    last.open(&key, 20).await.expect("the highest epoch takes over");
    last.append(owned(20, &key, &[message(2, "Alone")])).await.expect("it writes");
    assert_eq!(all(last, &key, Stream::Public).await, [created(3), message(2, "Alone")]);
}
