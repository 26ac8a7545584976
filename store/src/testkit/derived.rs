//! Rules of what is derived from logs: checkpoints, marks, lists and receipts; and of purging.

use std::sync::Arc;

use switchboard_domain::conversation::{
    AssignedBy, Body, Conversation, Event, Ordinals, Resolution, Status, Stream,
};
use switchboard_domain::ids::{
    AgentId, ConversationId, DepartmentId, Seq, TenantId, Timestamp, VisitorId,
};
use switchboard_domain::person::{AgentRef, Principal};
use switchboard_domain::receipt::Receipt;

use super::log::bodies;
use super::sample::{VISITOR, append, created, event, key, keyed, message, note};
use crate::load::load;
use crate::port::{ConversationKey, List, ListScope, Page, Range, Reading, Store};

type Shared = Arc<dyn Store>;

const ADA: AgentId = AgentId::from_u128(5);
const BEN: AgentId = AgentId::from_u128(6);

fn agent(id: AgentId) -> AgentRef {
    AgentRef { id, name: "Agent".into() }
}

fn public(seq: u64, body: Body) -> Event {
    event(Stream::Public, seq, seq, body)
}

fn fold(key: &ConversationKey, events: &[Event]) -> Conversation {
    Conversation::fold(key.conversation, events).expect("the sample folds").expect("it begins")
}

async fn store_all(store: &Shared, key: &ConversationKey, events: &[Event]) {
    let mut append = append(key, events);
    append.mark_dirty = true;
    store.append(append).await.expect("a dense append is stored");
}

async fn put(store: &Shared, key: &ConversationKey, checkpoint: &Conversation) {
    let checkpoints = vec![(key.clone(), checkpoint.clone())];
    store.put_checkpoints(checkpoints).await.expect("a checkpoint is written");
}

async fn dirty(store: &Shared) -> Vec<ConversationKey> {
    let mut marked = store.dirty(100).await.expect("marks are read");
    marked.sort();
    marked
}

/// A conversation through all of its states, both streams mixed, long enough for several pages.
fn long_log() -> Vec<Event> {
    let mut events = vec![created(1_000_000)];
    let (mut public_head, mut internal_head) = (1, 0);
    for turn in 0..700 {
        if turn % 3 == 2 {
            internal_head += 1;
            events.push(note(internal_head, public_head, "Aside"));
        } else {
            public_head += 1;
            events.push(keyed(message(public_head, "Line"), 7, public_head - 1));
        }
    }
    for body in bodies().into_iter().skip(1) {
        public_head += 1;
        events.push(public(public_head, body));
    }
    events
}

pub(super) async fn a_conversation_is_loaded_from_its_log(store: Shared) {
    let key = key("acme", 1);
    assert_eq!(load(&*store, &key).await.expect("nothing is loaded"), None);
    let events = long_log();
    store_all(&store, &key, &events).await;
    let loaded = load(&*store, &key).await.expect("the log folds");
    assert_eq!(loaded, Some(fold(&key, &events)));
}

pub(super) async fn a_checkpoint_is_brought_up_to_date(store: Shared) {
    let events = long_log();
    for (number, cut) in [(1, 1), (2, 2), (3, 300), (4, events.len() - 1), (5, events.len())] {
        let key = key("acme", number);
        store_all(&store, &key, &events).await;
        put(&store, &key, &fold(&key, &events[..cut])).await;
        let stored = store.checkpoint(&key).await.expect("a checkpoint is read");
        assert_eq!(stored, Some(fold(&key, &events[..cut])), "kept as it was, cut at {cut}");
        let loaded = load(&*store, &key).await.expect("the tail folds");
        assert_eq!(loaded, Some(fold(&key, &events)), "cut at {cut}");
    }
}

pub(super) async fn an_older_checkpoint_replaces_nothing(store: Shared) {
    let key = key("acme", 1);
    let events = [created(1), message(2, "Hello"), note(1, 2, "Aside"), message(3, "Again")];
    for newest in [3, 4] {
        put(&store, &key, &fold(&key, &events[..newest])).await;
        for older in 1..newest {
            put(&store, &key, &fold(&key, &events[..older])).await;
            let stored = store.checkpoint(&key).await.expect("a checkpoint is read");
            assert_eq!(stored, Some(fold(&key, &events[..newest])));
        }
    }
}

pub(super) async fn marks_stay_until_a_checkpoint_has_caught_up(store: Shared) {
    let keys = [key("acme", 1), key("zorg", 2), key("zorg", 3)];
    assert_eq!(dirty(&store).await, []);
    let events = [created(1), message(2, "Hello"), note(1, 2, "Aside")];
    for key in &keys {
        store_all(&store, key, &events[..1]).await;
        store.append(append(key, &events[1..])).await.expect("a dense append is stored");
    }
    assert_eq!(dirty(&store).await, keys);
    assert_eq!(store.dirty(2).await.expect("marks are read").len(), 2);
    for behind in 1..=2 {
        put(&store, &keys[0], &fold(&keys[0], &events[..behind])).await;
        assert_eq!(dirty(&store).await, keys, "{behind} of 3 events is behind");
    }
    put(&store, &keys[0], &fold(&keys[0], &events)).await;
    assert_eq!(dirty(&store).await, keys[1..]);
    store.append(append(&keys[0], &[message(3, "Unmarked")])).await.expect("it is stored");
    assert_eq!(dirty(&store).await, keys[1..], "only an append that says so marks");
    store_all(&store, &keys[0], &[message(4, "Marked")]).await;
    assert_eq!(dirty(&store).await, keys);
}

/// Twelve conversations of every status, owner, visitor and department, activity in rising order.
fn population() -> Vec<(ConversationKey, Conversation)> {
    (0..12_u64)
        .map(|number| {
            let key = key("acme", number);
            let mut state = fold(&key, &[created(1_000_000 + number)]);
            state.status = match number % 4 {
                0 => Status::Waiting,
                1 => Status::Active,
                2 => Status::Closed,
                _ => Status::Archived,
            };
            state.agent = match number % 3 {
                0 => None,
                1 => Some(agent(ADA)),
                _ => Some(agent(BEN)),
            };
            state.department = (number % 2 == 0).then(|| DepartmentId("sales".into()));
            if number >= 9 {
                state.visitor.id = VisitorId::from_u128(99);
            }
            // Pairs share a time, so that the id has to decide between them.
            let at = Timestamp(1_000 + i64::try_from(number / 2).unwrap_or(0));
            state.last_at = at;
            state.last_public_at = at;
            state.heads.public = Seq(1);
            (key, state)
        })
        .collect()
}

fn everything() -> List {
    List {
        tenant: TenantId("acme".into()),
        statuses: Vec::new(),
        department: None,
        scope: ListScope::All,
        after: None,
        limit: 100,
    }
}

async fn listed(store: &Shared, list: List) -> Vec<u128> {
    let page = store.list(list).await.expect("a list is read");
    page.iter().map(|it| it.id.uuid().as_u128() & 0xffff).collect()
}

pub(super) async fn lists_filter(store: Shared) {
    store.put_checkpoints(population()).await.expect("checkpoints are written");
    let other = key("zorg", 77);
    put(&store, &other, &fold(&other, &[created(1)])).await;
    let sales = || Some(DepartmentId("sales".into()));
    let open = || vec![Status::Waiting, Status::Active];
    let cases: Vec<(List, &[u128])> = vec![
        (everything(), &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (List { limit: 3, ..everything() }, &[11, 10, 9]),
        (List { limit: 0, ..everything() }, &[]),
        (List { statuses: vec![Status::Waiting], ..everything() }, &[8, 4, 0]),
        (List { statuses: vec![Status::Archived], ..everything() }, &[11, 7, 3]),
        (List { statuses: open(), ..everything() }, &[9, 8, 5, 4, 1, 0]),
        (List { statuses: vec![Status::Closed, Status::Closed], ..everything() }, &[10, 6, 2]),
        (List { department: sales(), ..everything() }, &[10, 8, 6, 4, 2, 0]),
        (List { department: Some(DepartmentId("sale".into())), ..everything() }, &[]),
        (List { scope: ListScope::Unassigned, ..everything() }, &[9, 6, 3, 0]),
        (List { scope: ListScope::Agent(ADA), ..everything() }, &[10, 7, 4, 1]),
        (List { scope: ListScope::Agent(BEN), statuses: open(), ..everything() }, &[8, 5]),
        (List { scope: ListScope::Unassigned, department: sales(), ..everything() }, &[6, 0]),
        (List { scope: ListScope::Visitor(VISITOR), ..everything() }, &[8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (
            List {
                scope: ListScope::Visitor(VisitorId::from_u128(99)),
                statuses: vec![Status::Active, Status::Archived],
                department: None,
                ..everything()
            },
            &[11, 9],
        ),
        (
            List { scope: ListScope::Visitor(VISITOR), department: sales(), ..everything() },
            &[8, 6, 4, 2, 0],
        ),
        (List { tenant: TenantId("zorg".into()), ..everything() }, &[77]),
        (List { tenant: TenantId("acm".into()), ..everything() }, &[]),
    ];
    for (list, expected) in cases {
        assert_eq!(listed(&store, list.clone()).await, expected, "{list:?}");
    }
}

pub(super) async fn lists_page_through_everything_once(store: Shared) {
    store.put_checkpoints(population()).await.expect("checkpoints are written");
    let scopes = [ListScope::All, ListScope::Agent(ADA), ListScope::Visitor(VISITOR)];
    for scope in scopes {
        for statuses in [vec![], vec![Status::Waiting, Status::Active, Status::Closed]] {
            let whole = List { scope, statuses, ..everything() };
            let expected = listed(&store, whole.clone()).await;
            for limit in [1, 2, 5] {
                let mut list = List { limit, ..whole.clone() };
                let mut found = Vec::new();
                loop {
                    let page = store.list(list.clone()).await.expect("a page is read");
                    let Some(last) = page.last() else { break };
                    list.after = Some(list.position(last));
                    found.extend(page.iter().map(|it| it.id.uuid().as_u128() & 0xffff));
                }
                assert_eq!(found, expected, "{scope:?} by {limit}");
            }
        }
    }
}

pub(super) async fn lists_follow_checkpoints(store: Shared) {
    let key = key("acme", 1);
    let mut events = vec![created(1)];
    let waiting = List { statuses: vec![Status::Waiting], ..everything() };
    let adas = List { scope: ListScope::Agent(ADA), ..everything() };
    store_all(&store, &key, &events).await;
    assert_eq!(listed(&store, waiting.clone()).await, [], "lists are read from checkpoints");
    put(&store, &key, &fold(&key, &events)).await;
    assert_eq!(listed(&store, waiting.clone()).await, [1]);
    assert_eq!(listed(&store, adas.clone()).await, []);
    let accepted = Body::Assigned { agent: agent(ADA), by: AssignedBy::Accept, previous: None };
    events.push(public(2, accepted));
    put(&store, &key, &fold(&key, &events)).await;
    assert_eq!(listed(&store, waiting).await, []);
    assert_eq!(listed(&store, adas).await, [1]);
}

pub(super) async fn notes_do_not_move_what_visitors_list(store: Shared) {
    let (older, newer) = (key("acme", 1), key("acme", 2));
    let late = |event: Event, ms| Event { at: event.at.plus_ms(ms), ..event };
    let noted = [created(1), late(note(1, 1, "Aside"), 60_000)];
    put(&store, &older, &fold(&older, &noted)).await;
    put(&store, &newer, &fold(&newer, &[late(created(2), 1_000)])).await;
    let visitors = List { scope: ListScope::Visitor(VISITOR), ..everything() };
    assert_eq!(listed(&store, visitors).await, [2, 1]);
    assert_eq!(listed(&store, everything()).await, [1, 2]);
}

pub(super) async fn numbers_name_conversations(store: Shared) {
    store.put_checkpoints(population()).await.expect("checkpoints are written");
    let cases = [("acme", 1_000_003, Some(3)), ("acme", 999_999, None), ("zorg", 1_000_003, None)];
    for (tenant, number, expected) in cases {
        let found = store.by_number(&TenantId(tenant.into()), number).await;
        let expected: Option<ConversationId> =
            expected.map(|conversation| key("acme", conversation).conversation);
        assert_eq!(found.expect("a number is looked up"), expected, "{tenant} {number}");
    }
}

pub(super) async fn receipts_only_rise(store: Shared) {
    let (ours, theirs) = (key("acme", 1), key("acme", 2));
    let visitor = Principal::Visitor(VISITOR);
    let ordinals = |visitor| Ordinals { visitor, agent: 1, system: 0 };
    let receipt = |received, read, count| Receipt {
        received: Seq(received),
        read: Seq(read),
        read_at: None,
        read_ordinals: ordinals(count),
    };
    assert_eq!(store.receipts(&ours).await.expect("receipts are read"), []);
    let steps = [
        (receipt(3, 2, 2), receipt(3, 2, 2)),
        (receipt(2, 1, 1), receipt(3, 2, 2)),
        (receipt(5, 2, 9), receipt(5, 2, 2)),
        (receipt(4, 4, 4), receipt(5, 4, 4)),
    ];
    for (put, expected) in steps {
        store.put_receipts(vec![(ours.clone(), visitor, put)]).await.expect("it is written");
        let stored = store.receipts(&ours).await.expect("receipts are read");
        assert_eq!(stored, [(visitor, expected)], "after {put:?}");
    }
    let others = [Principal::Agent(ADA), Principal::Bot(ADA), Principal::System];
    let batch = others.map(|principal| (ours.clone(), principal, receipt(1, 1, 1)));
    store.put_receipts(batch.to_vec()).await.expect("a batch is written");
    let mut stored = store.receipts(&ours).await.expect("receipts are read");
    stored.sort_by_key(|(principal, _)| *principal);
    let principals: Vec<_> = stored.into_iter().map(|(principal, _)| principal).collect();
    assert_eq!(
        principals,
        [visitor, Principal::Agent(ADA), Principal::Bot(ADA), Principal::System]
    );
    assert_eq!(store.receipts(&theirs).await.expect("receipts are read"), []);
}

pub(super) async fn it_is_kept_when_something_was_read(store: Shared) {
    let (ours, theirs) = (key("acme", 1), key("acme", 2));
    let (visitor, agent) = (Principal::Visitor(VISITOR), Principal::Agent(ADA));
    let read = |upto, at: Option<i64>| Receipt {
        received: Seq(upto),
        read: Seq(upto),
        read_at: at.map(Timestamp),
        ..Receipt::default()
    };
    let (first, second) = (1_700_000_000_000, 1_700_000_000_500);
    for (by, receipt) in [
        (visitor, read(2, Some(first))),
        // Told again, and by somebody who does not know when it was.
        (visitor, read(2, Some(first))),
        (visitor, Receipt { received: Seq(9), ..read(2, None) }),
        (visitor, read(5, Some(second))),
        (agent, read(3, Some(second))),
    ] {
        store.put_receipts(vec![(ours.clone(), by, receipt)]).await.expect("it is written");
    }
    let mut readings = store.readings(&ours).await.expect("they are read");
    readings.sort_by_key(|reading| (reading.at, reading.by));
    let reading = |by, upto, at| Reading { by, upto: Seq(upto), at: Timestamp(at) };
    assert_eq!(
        readings,
        [reading(visitor, 2, first), reading(visitor, 5, second), reading(agent, 3, second)]
    );
    assert_eq!(store.readings(&theirs).await.expect("they are read"), []);
}

fn closed_log(number: u64) -> Vec<Event> {
    vec![
        created(number),
        message(2, "Bye"),
        note(1, 2, "Nice"),
        public(3, Body::Closed { resolution: Resolution::Resolved }),
    ]
}

async fn close(store: &Shared, key: &ConversationKey, number: u64) {
    let events = closed_log(number);
    store_all(store, key, &events).await;
    put(store, key, &fold(key, &events)).await;
    let receipt = Receipt {
        received: Seq(1),
        read: Seq(1),
        read_at: Some(Timestamp(1)),
        ..Receipt::default()
    };
    store.put_receipts(vec![(key.clone(), Principal::System, receipt)]).await.expect("written");
}

async fn is_gone(store: &Shared, key: &ConversationKey) -> bool {
    let streams = [Stream::Public, Stream::Internal];
    let mut left = 0;
    for stream in streams {
        let page = Page { key: key.clone(), stream, range: Range::After(Seq(0)), limit: 9 };
        left += store.read(page).await.expect("the log is read").len();
    }
    left += store.receipts(key).await.expect("receipts are read").len();
    left += store.readings(key).await.expect("they are read").len();
    left += usize::from(store.checkpoint(key).await.expect("it is read").is_some());
    assert!(matches!(left, 0 | 7), "{left} of 7 things are left");
    left == 0
}

pub(super) async fn old_closed_conversations_are_purged(store: Shared) {
    let acme = TenantId("acme".into());
    for number in 0..250 {
        close(&store, &key("acme", number), number).await;
    }
    close(&store, &key("zorg", 1), 1).await;
    let open = key("acme", 1_000);
    let events = [created(1_000), message(2, "Still here")];
    store_all(&store, &open, &events).await;
    put(&store, &open, &fold(&open, &events)).await;
    // Reopened since its checkpoint.
    store_all(&store, &key("acme", 0), &[public(4, Body::Reopened)]).await;

    let closed_at = closed_log(0)[3].at;
    let purge = |before, limit| store.purge_closed(&acme, before, limit);
    assert_eq!(purge(closed_at, 1_000).await.expect("nothing is that old"), 0);
    let late = closed_at.plus_ms(1);
    assert_eq!(purge(late, 7).await.expect("some are purged"), 7);
    assert_eq!(purge(late, 1_000).await.expect("the rest is purged"), 242);
    assert_eq!(purge(late, 1_000).await.expect("nothing is left"), 0);
    for number in 1..250 {
        assert!(is_gone(&store, &key("acme", number)).await, "{number} is left");
    }
    assert!(!is_gone(&store, &key("zorg", 1)).await);
    let kept = [key("acme", 0), open];
    for key in kept {
        assert!(load(&*store, &key).await.expect("it is loaded").is_some(), "{key:?} is gone");
    }
    assert_eq!(listed(&store, everything()).await.len(), 2);
}

pub(super) async fn a_purged_conversation_may_begin_again(store: Shared) {
    let key = key("acme", 1);
    close(&store, &key, 1).await;
    let purged = store.purge_closed(&key.tenant, Timestamp(i64::MAX), 10).await;
    assert_eq!(purged.expect("it is purged"), 1);
    let refused = store.append(append(&key, &[message(4, "Late")])).await;
    refused.expect_err("its log is empty again");
    store_all(&store, &key, &[created(2)]).await;
}
