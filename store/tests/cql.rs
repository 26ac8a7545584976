//! The CQL engine on a real server, whose address is in `CQL_SERVER`. The tests share it and
//! take turns, each on empty tables.

mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use switchboard_domain::conversation::{Conversation, Event, Sent, Stream};
use switchboard_domain::ids::{DeviceId, Seq};
use switchboard_domain::person::Principal;
use switchboard_store::cql::{
    Claim, Config, ConnectError, Cql, Lease, LeaseState, Replaced, Retention, migrate,
};
use switchboard_store::testkit::{self, VISITOR, append, created, key, keyed, message, note};
use switchboard_store::{
    Append, ConversationKey, Fault, List, ListScope, Page, Range, SendLookup, Store,
};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;
use wire::Wire;

/// One at a time: the server is small, and one test stops it for a while.
static TURN: Mutex<()> = Mutex::const_new(());

fn config(keyspace: &str) -> Config {
    let node = std::env::var("CQL_SERVER")
        .expect("CQL_SERVER names a server; `cargo xtask test --only \"store on CQL\"` has one");
    Config {
        nodes: vec![node],
        keyspace: keyspace.to_owned(),
        replication: 1,
        retention: Retention::Kept,
        datacenter: None,
        credentials: None,
    }
}

/// Takes the turn, makes the keyspace if it is not there, and empties it.
async fn begin() -> (MutexGuard<'static, ()>, Config) {
    let turn = TURN.lock().await;
    let config = config("switchboard_test");
    migrate(&config).await.expect("the schema is applied");
    migrate(&config).await.expect("and again, which changes nothing");
    connect(&config).await.empty(&config).await.expect("the tables are emptied");
    (turn, config)
}

async fn connect(config: &Config) -> Cql {
    Cql::connect(config).await.expect("the server answers")
}

async fn all(store: &Cql, key: &ConversationKey, stream: Stream) -> Vec<Event> {
    let range = Range::After(Seq(0));
    let page = Page { key: key.clone(), stream, range, limit: usize::MAX };
    store.read(page).await.expect("a log is read")
}

fn owned(epoch: u64, key: &ConversationKey, events: &[Event]) -> Append {
    Append { epoch, ..append(key, events) }
}

#[tokio::test]
async fn keeps_the_port() {
    let (_turn, config) = begin().await;
    let store = connect(&config).await;
    let fresh = async || {
        store.empty(&config).await.expect("the tables are emptied");
        Arc::new(store.clone()) as Arc<dyn Store>
    };
    testkit::run(fresh).await;
}

#[tokio::test]
async fn keeps_the_port_over_lives_and_between_several_owners() {
    let (_turn, config) = begin().await;
    let open = async || Arc::new(connect(&config).await) as Arc<dyn Store>;
    testkit::survives_reopening(open).await;
    testkit::is_shared(open).await;
}

#[tokio::test]
async fn half_an_append_is_not_adopted_and_never_comes_back() {
    let (_turn, config) = begin().await;
    let (first, second) = (connect(&config).await, connect(&config).await);
    let key = key("acme", 1);
    first.append(owned(1, &key, &[created(1)])).await.expect("it begins");
    let both = [message(2, "With a note"), note(1, 2, "With a message")];
    first.append(owned(1, &key, &both)).await.expect("it is stored");
    // As if the owner had died between the two writes.
    let lost = format!(
        "DELETE FROM event_kept WHERE tenant = 'acme' AND conversation = {} AND stream = 1 \
         AND bucket = 0 AND seq = 1",
        key.conversation
    );
    first.run(&lost).await.expect("the row is lost");

    second.open(&key, 2).await.expect("the second owner takes over");
    assert_eq!(all(&second, &key, Stream::Public).await, [created(1)]);
    assert_eq!(all(&second, &key, Stream::Internal).await, []);
    let other = [message(2, "Alone")];
    second.append(owned(2, &key, &other)).await.expect("the position is free");
    // And not for whoever comes next, though the orphan lies there still.
    first.open(&key, 3).await.expect("the third takes over");
    assert_eq!(all(&first, &key, Stream::Public).await, [created(1), message(2, "Alone")]);
}

/// What the third owner of a log shows before and after a row of the second arrives late.
///
/// The first two were overtaken, each while something of theirs was on its way: a row of the
/// first, which the third finds and the second did not; then the head of the second, between the
/// third's reading and its own head; then the second's row, at the position of the first's.
async fn shown_before_and_after(
    config: &Config,
    connect: impl AsyncFn(&Config) -> Cql,
) -> [Vec<Event>; 2] {
    let owner = async || {
        let wire = Wire::to(&config.nodes[0]).await;
        let config = Config { nodes: vec![wire.address.to_string()], ..config.clone() };
        (connect(&config).await, wire)
    };
    let (first, first_wire) = owner().await;
    let (second, second_wire) = owner().await;
    let (third, third_wire) = owner().await;
    let key = key("acme", 1);
    let (row, head) = ("INSERT INTO event_kept", "UPDATE conversation_head");
    let append = |owner: &Cql, epoch: u64, text: &str| {
        let (owner, append) = (owner.clone(), owned(epoch, &key, &[message(2, text)]));
        tokio::spawn(async move { owner.append(append).await })
    };
    let open = |owner: &Cql, epoch: u64| {
        let (owner, key) = (owner.clone(), key.clone());
        tokio::spawn(async move { owner.open(&key, epoch).await })
    };

    first.append(owned(1, &key, &[created(1)])).await.expect("it begins");
    first_wire.hold(row);
    let late_row = append(&first, 1, "Of the first");
    first_wire.holds_one().await;
    second_wire.hold(head);
    let late_head = open(&second, 2);
    second_wire.holds_one().await;
    first_wire.release();
    late_row.await.expect("it ends").expect("the row is stored");
    third_wire.hold(head);
    let newest_head = open(&third, 3);
    third_wire.holds_one().await;
    second_wire.release();
    late_head.await.expect("it ends").expect("the head was as the second read it");
    second_wire.hold(row);
    let later_row = append(&second, 2, "Of the second");
    second_wire.holds_one().await;
    third_wire.release();
    newest_head.await.expect("it ends").expect("the third takes over, at once or again");

    let before = all(&third, &key, Stream::Public).await;
    second_wire.release();
    later_row.await.expect("it ends").expect("the row is stored");
    [before, all(&third, &key, Stream::Public).await]
}

#[tokio::test]
async fn what_an_owner_shows_stays_though_heads_and_rows_of_others_arrive_late() {
    let (_turn, config) = begin().await;
    let [before, after] = shown_before_and_after(&config, connect).await;
    // Neither row was acknowledged, and neither counts.
    assert_eq!(before, [created(1)]);
    assert_eq!(after, before);
}

/// The condition that decides it, taken away: `epoch < ?` for exactly the head that was read.
#[cfg(feature = "sabotage")]
#[tokio::test]
async fn a_loose_head_changes_what_an_owner_shows() {
    let (_turn, config) = begin().await;
    let sabotaged = async |config: &Config| {
        Cql::connect_sabotaged(config, "loose_head").await.expect("the server answers")
    };
    let shown = shown_before_and_after(&config, sabotaged).await;
    assert_eq!(shown[0], [created(1), message(2, "Of the first")]);
    assert_eq!(shown[1], [created(1), message(2, "Of the second")]);
}

/// An engine whose statements are counted.
async fn counted(config: &Config) -> (Cql, Wire) {
    let wire = Wire::to(&config.nodes[0]).await;
    let config = Config { nodes: vec![wire.address.to_string()], ..config.clone() };
    let store = connect(&config).await;
    wire.executed();
    (store, wire)
}

/// What statements do, and to which table.
fn deeds(executed: &[String]) -> Vec<String> {
    let table = |words: &[&str]| {
        let after = words.iter().position(|word| ["FROM", "INTO", "UPDATE"].contains(word));
        after.and_then(|idx| words.get(idx + 1)).copied().unwrap_or("?").to_owned()
    };
    let deed = |statement: &String| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        format!("{} {}", words.first().copied().unwrap_or("?"), table(&words))
    };
    executed.iter().map(deed).collect()
}

#[tokio::test]
async fn the_first_request_after_a_hand_on_costs_one_conditional_write() {
    let (_turn, config) = begin().await;
    let first = connect(&config).await;
    let (second, wire) = counted(&config).await;
    let (third, cold_wire) = counted(&config).await;
    let key = key("acme", 1);
    let events = [created(1), message(2, "Handed on")];
    first.append(owned(1, &key, &events)).await.expect("it is stored");
    let handed = first.hand_on(&key, 1).expect("everything is settled");
    assert!(second.open_warm(&key, 2, handed).await.expect("it answers"));
    second.append(owned(2, &key, &[message(3, "Goes on")])).await.expect("it is stored");
    assert_eq!(deeds(&wire.executed()), ["UPDATE conversation_head", "INSERT event_kept"]);
    assert!(first.append(owned(1, &key, &[message(3, "Late")])).await.is_err());

    // The same without a word.
    assert!(!third.open_warm(&key, 3, handed).await.expect("it answers"), "of no use any more");
    cold_wire.executed();
    third.append(owned(3, &key, &[message(4, "Cold")])).await.expect("it is stored");
    let cold = deeds(&cold_wire.executed());
    let n_reads = cold.iter().filter(|deed| deed.starts_with("SELECT")).count();
    assert!(n_reads >= 4, "{cold:?}");
    let all = all(&third, &key, Stream::Public).await;
    let expected = [&events[..], &[message(3, "Goes on"), message(4, "Cold")]].concat();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn a_schema_one_ahead_is_worked_with_and_two_ahead_refused() {
    let (_turn, config) = begin().await;
    let store = connect(&config).await;
    let newest = store.count("SELECT number FROM schema_migration WHERE scope = 'all'").await;
    let newest = newest.expect("it answers");
    let enter = async |number: usize| {
        let entered = format!(
            "INSERT INTO schema_migration (scope, number, name) VALUES ('all', {number}, 'later')"
        );
        store.run(&entered).await.expect("it is entered");
    };
    enter(newest + 1).await;
    let ahead = Cql::connect(&config).await.expect("one ahead, as in an upgrade");
    let key = key("acme", 1);
    ahead.append(owned(1, &key, &[created(1)])).await.expect("it is stored");
    migrate(&config).await.expect("and nothing is left to do");
    enter(newest + 2).await;
    let refused = Cql::connect(&config).await;
    for number in [newest + 1, newest + 2] {
        let taken =
            format!("DELETE FROM schema_migration WHERE scope = 'all' AND number = {number}");
        store.run(&taken).await.expect("it is taken away");
    }
    let why = refused.expect_err("two ahead").to_string();
    let both = format!("version {}, this program knows {newest} ", newest + 2);
    assert!(why.contains(&both) && why.contains("newer version of `switchboard`"), "{why}");
    assert_eq!(all(&ahead, &key, Stream::Public).await, [created(1)]);
}

#[tokio::test]
async fn a_card_of_a_newer_program_stays_and_harms_no_other() {
    let (_turn, config) = begin().await;
    let store = connect(&config).await;
    let cards: Vec<_> = [1, 2]
        .map(|number| {
            let key = key("acme", number);
            let card = Conversation::fold(key.conversation, &[created(number)]);
            (key, card.expect("the sample folds").expect("it begins"))
        })
        .into();
    for (key, _) in &cards {
        store.append(owned(1, key, &[created(1)])).await.expect("it begins");
    }
    store.put_checkpoints(cards.clone()).await.expect("they are written");
    let newer = store.renew_card(&cards[0].0).await.expect("it is written");
    store.put_checkpoints(cards.clone()).await.expect("the other is written");
    let record = store.card_record(&cards[0].0).await.expect("it is there");
    assert_eq!(record, newer, "it stays as it is");
    let refused = store.checkpoint(&cards[0].0).await;
    assert!(matches!(refused, Err(Fault::TooNew { found: 3, known: 2, .. })), "{refused:?}");
    assert!(store.checkpoint(&cards[1].0).await.expect("it is read").is_some());
    let list = List {
        tenant: cards[0].0.tenant.clone(),
        statuses: Vec::new(),
        department: None,
        scope: ListScope::All,
        after: None,
        limit: 9,
    };
    let listed: Vec<_> = store.list(list).await.expect("it is listed");
    assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), [cards[1].0.conversation]);
}

/// P10: of a conversation, a number and a document of another tenant nothing can be told apart from
/// what never was, in time either. Counted, because clocks prove nothing.
#[tokio::test]
async fn what_another_tenant_has_costs_what_nobody_has_does() {
    let (_turn, config) = begin().await;
    let owner = connect(&config).await;
    let (store, wire) = counted(&config).await;
    let theirs = key("acme", 1);
    let events = [created(1), keyed(message(2, "Of theirs"), 7, 1)];
    owner.append(owned(1, &theirs, &events)).await.expect("it is stored");
    let card = Conversation::fold(theirs.conversation, &events);
    let card = card.expect("the sample folds").expect("it begins");
    let number = card.number.0;
    owner.put_checkpoints(vec![(theirs.clone(), card)]).await.expect("it is written");
    let page = |key: &ConversationKey| Page {
        key: key.clone(),
        stream: Stream::Public,
        range: Range::After(Seq(0)),
        limit: 9,
    };
    let mut costs = Vec::new();
    for (conversation, number) in [(1, number), (99, number + 99)] {
        let asked = key("zorg", conversation);
        assert!(!store.is_begun(&asked).await.expect("it answers"));
        assert_eq!(store.checkpoint(&asked).await.expect("it answers"), None);
        assert_eq!(store.read(page(&asked)).await.expect("it answers"), []);
        assert_eq!(store.receipts(&asked).await.expect("it answers"), []);
        assert_eq!(store.readings(&asked).await.expect("it answers"), []);
        let device = DeviceId::from_u128(7);
        let sent = store.find_send(&asked, Principal::Visitor(VISITOR), device, 1).await;
        assert_eq!(sent.expect("it answers"), SendLookup::default());
        assert_eq!(store.by_number(&asked.tenant, number).await.expect("it answers"), None);
        costs.push(deeds(&wire.executed()));
    }
    assert!(costs[0].len() >= 7, "{:?}", costs[0]);
    assert_eq!(costs[0], costs[1]);
    // Which is how this test can fail: of one's own more is asked.
    assert!(store.is_begun(&theirs).await.expect("it answers"));
    assert_eq!(store.read(page(&theirs)).await.expect("it answers"), events);
    assert!(deeds(&wire.executed()).iter().any(|deed| deed == "SELECT event_kept"));
}

#[tokio::test]
async fn a_mark_that_came_before_an_event_that_never_did_goes_when_the_log_is_opened() {
    let (_turn, config) = begin().await;
    let (first, second) = (connect(&config).await, connect(&config).await);
    let key = key("acme", 1);
    let marked = Append { mark_dirty: true, ..owned(1, &key, &[created(1)]) };
    first.append(marked).await.expect("it begins");
    // As if the owner had died between the two writes.
    let lost = format!(
        "DELETE FROM event_kept WHERE tenant = 'acme' AND conversation = {} AND stream = 0 \
         AND bucket = 0 AND seq = 1",
        key.conversation
    );
    first.run(&lost).await.expect("the row is lost");
    assert_eq!(second.dirty(9).await.expect("it answers"), std::slice::from_ref(&key));
    second.open(&key, 2).await.expect("the second owner takes over");
    assert_eq!(all(&second, &key, Stream::Public).await, []);
    assert_eq!(second.dirty(9).await.expect("it answers"), []);
}

#[tokio::test]
async fn who_does_not_own_a_log_reads_what_its_checkpoint_covers() {
    let (_turn, config) = begin().await;
    let (owner, reader) = (connect(&config).await, connect(&config).await);
    let key = key("acme", 1);
    let events = [created(1), message(2, "Covered"), message(3, "Not yet")];
    owner.append(owned(1, &key, &events)).await.expect("it is stored");
    assert_eq!(all(&reader, &key, Stream::Public).await, []);
    let checkpoint = Conversation::fold(key.conversation, &events[..2]);
    let checkpoint = checkpoint.expect("the sample folds").expect("it begins");
    owner.put_checkpoints(vec![(key.clone(), checkpoint)]).await.expect("it is written");
    assert_eq!(all(&reader, &key, Stream::Public).await, events[..2]);
    assert_eq!(all(&owner, &key, Stream::Public).await, events);
}

#[tokio::test]
async fn an_id_that_anybody_can_make_up_costs_a_read_and_no_condition() {
    let (_turn, config) = begin().await;
    let store = connect(&config).await;
    // Every condition and every serial read leaves a promise there.
    let promises = async || store.count("SELECT * FROM system.paxos").await.expect("it answers");
    let before = promises().await;
    // Promises outlive the rows of earlier tests, so these ids are nobody else's.
    let fresh = || key("acme", Uuid::new_v4().as_u64_pair().0 >> 1);
    for _ in 0..20 {
        assert!(!store.is_begun(&fresh()).await.expect("it answers"));
    }
    assert_eq!(promises().await, before);
    let key = fresh();
    store.append(owned(1, &key, &[created(1)])).await.expect("it begins");
    assert!(promises().await > before, "which is how this test can fail");
    assert!(store.is_begun(&key).await.expect("it answers"));
    assert!(connect(&config).await.is_begun(&key).await.expect("it answers"));
}

#[tokio::test]
async fn a_long_log_goes_over_partitions() {
    const EVENTS: u64 = 2_345;
    let (_turn, config) = begin().await;
    let (first, second) = (connect(&config).await, connect(&config).await);
    let key = key("acme", 1);
    let mut events = vec![created(1)];
    events.extend((2..=EVENTS).map(|seq| keyed(message(seq, "Line"), 7, seq - 1)));
    for part in events.chunks(333) {
        first.append(owned(1, &key, part)).await.expect("a part is stored");
    }
    // The new owner finds all of it, as nothing was checkpointed.
    second.open(&key, 2).await.expect("the second owner takes over");
    assert_eq!(all(&second, &key, Stream::Public).await, events);
    let page = |range, limit| Page { key: key.clone(), stream: Stream::Public, range, limit };
    for (range, limit, expected) in [
        (Range::After(Seq(998)), 4, 999..=1_002),
        (Range::Before(Seq(2_002)), 3, 1_999..=2_001),
        (Range::Before(Seq(u64::MAX)), 1_400, EVENTS - 1_399..=EVENTS),
    ] {
        let found = second.read(page(range, limit)).await.expect("a page is read");
        let found: Vec<u64> = found.iter().map(|event| event.seq.0).collect();
        assert_eq!(found, expected.collect::<Vec<_>>(), "{range:?}");
    }
    for n in [1, 999, 1_000, EVENTS - 1] {
        let found = second
            .find_send(&key, Principal::Visitor(VISITOR), DeviceId::from_u128(7), n)
            .await
            .expect("a look-up is answered");
        let sent = Sent { n, digest: n ^ 0xfeed, stream: Stream::Public, seq: Seq(n + 1) };
        assert_eq!(found, SendLookup { last_n: EVENTS - 1, sent: Some(sent) });
    }
}

#[tokio::test]
async fn events_that_are_kept_for_a_time_are_kept_in_their_own_table() {
    let (_turn, config) = begin().await;
    let kept = connect(&config).await;
    let days = connect(&Config { retention: Retention::Days30, ..config }).await;
    let key = key("acme", 1);
    let events = [created(1), message(2, "One"), message(3, "Two")];
    days.append(owned(1, &key, &events)).await.expect("it is stored");
    days.open(&key, 2).await.expect("it is taken over");
    assert_eq!(all(&days, &key, Stream::Public).await, events);
    kept.open(&key, 3).await.expect("it is taken over");
    let range = Range::After(Seq(0));
    let page = Page { key: key.clone(), stream: Stream::Public, range, limit: 9 };
    let elsewhere = kept.read(page).await;
    assert!(matches!(elsewhere, Err(Fault::Damaged { .. })), "{elsewhere:?}");
}

#[tokio::test]
async fn leases_and_claims_change_only_as_they_were_seen() {
    let (_turn, config) = begin().await;
    let leases = connect(&config).await.leases();
    let up = |boot, beat| Lease {
        boot: Uuid::from_u128(boot),
        beat,
        state: LeaseState::Up,
        address: "127.0.0.1:1".to_owned(),
        weight: 3,
    };
    let replace = async |seen: Option<&Lease>, lease: &Lease| {
        leases.replace_lease("one", seen.map(|seen| (seen.boot, seen.beat)), lease).await
    };
    let not = |lease: Lease| Replaced::Not(Some(lease));
    assert_eq!(leases.lease("one").await.expect("it answers"), None);
    assert_eq!(replace(Some(&up(1, 1)), &up(1, 2)).await, Replaced::Not(None));
    assert_eq!(replace(None, &up(1, 1)).await, Replaced::Done);
    assert_eq!(replace(None, &up(2, 1)).await, not(up(1, 1)), "somebody has begun it");
    assert_eq!(replace(Some(&up(1, 1)), &up(1, 2)).await, Replaced::Done, "it beats");
    let dead = |beat| Lease { state: LeaseState::Dead, ..up(1, beat) };
    assert_eq!(replace(Some(&up(1, 1)), &dead(2)).await, not(up(1, 2)), "it has beaten meanwhile");
    assert_eq!(replace(Some(&up(1, 2)), &dead(3)).await, Replaced::Done);
    assert_eq!(replace(Some(&up(1, 2)), &up(1, 3)).await, not(dead(3)), "the dead do not beat");
    assert_eq!(replace(Some(&dead(3)), &up(2, 4)).await, Replaced::Done, "a new life begins");
    assert_eq!(leases.lease("one").await.expect("it answers"), Some(up(2, 4)));
    let listed = leases.leases().await.expect("it answers");
    assert_eq!(listed, [("one".to_owned(), up(2, 4))]);

    let claim = |epoch, node: Option<&str>| Claim {
        epoch,
        owner: node.map(|node| (node.to_owned(), Uuid::from_u128(1))),
    };
    let replace =
        async |seen: Option<&Claim>, claim: &Claim| leases.replace_claim(7, seen, claim).await;
    let not = |claim: Claim| Replaced::Not(Some(claim));
    let (one, two, three) = (claim(1, Some("one")), claim(2, Some("two")), claim(2, Some("three")));
    assert_eq!(replace(None, &one).await, Replaced::Done);
    assert_eq!(replace(None, &claim(1, Some("two"))).await, not(one.clone()));
    assert_eq!(replace(Some(&one), &two).await, Replaced::Done);
    assert_eq!(replace(Some(&one), &three).await, not(two.clone()));
    let other_node = claim(2, Some("one"));
    assert_eq!(replace(Some(&other_node), &three).await, not(two.clone()), "a node has one name");
    assert_eq!(replace(Some(&two), &claim(2, None)).await, Replaced::Done, "it is released");
    assert_eq!(replace(Some(&claim(2, None)), &claim(3, Some("one"))).await, Replaced::Done);
    assert_eq!(leases.claim(7).await.expect("it answers"), Some(claim(3, Some("one"))));
    let listed = leases.claims().await.expect("it answers");
    assert_eq!(listed, [(7, claim(3, Some("one")))]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_its_setting() {
    let _turn = TURN.lock().await;
    // Bound and closed again: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address").to_string();
    drop(listener);
    let nobody = Config { nodes: vec![address.clone()], ..config("sb_nobody") };
    let refused = Cql::connect(&nobody).await.expect_err("nobody answers");
    let told = refused.to_string();
    assert!(matches!(refused, ConnectError::Unreachable { .. }), "{told}");
    assert!(told.contains(&address) && told.contains("cql.nodes"), "{told}");

    for keyspace in ["sb_absent", "not a name", ""] {
        let refused = Cql::connect(&config(keyspace)).await.expect_err("there are no tables");
        let told = refused.to_string();
        assert!(told.contains("cql.keyspace") && told.contains(keyspace), "{told}");
    }
}

/// Stops the server and lets it go on.
fn signal(name: &str) {
    let pid = std::env::var("CQL_SERVER_PID").expect("CQL_SERVER_PID is the server's");
    let sent = std::process::Command::new("kill").args([name, &pid]).status();
    assert!(sent.expect("kill can be run").success());
    // On a busy machine its threads stand still one after another.
    let began = Instant::now();
    while name == "-STOP" && !stands_still(&pid) {
        assert!(began.elapsed() < Duration::from_secs(10), "it does not stop");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn stands_still(pid: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let mut states = threads.flatten().map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    });
    states.all(|is_stopped| is_stopped)
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_busy_or_unknown_and_then_goes_on() {
    let (_turn, config) = begin().await;
    let store = connect(&config).await;
    let key = key("acme", 1);
    store.append(owned(1, &key, &[created(1)])).await.expect("it begins");
    signal("-STOP");
    let stopped = Instant::now();
    let append = store.append(owned(1, &key, &[message(2, "Perhaps")]));
    let (written, read) = tokio::join!(append, store.checkpoint(&key));
    let answered_in = stopped.elapsed();
    signal("-CONT");
    assert!(matches!(written, Err(Fault::Unknown)), "{written:?}");
    assert!(matches!(read, Err(Fault::Busy)), "{read:?}");
    assert!(answered_in < Duration::from_secs(60), "nobody waits for ever: {answered_in:?}");

    // The same store goes on by itself. What was unknown is stored once or not at all.
    let tried = AtomicUsize::new(0);
    while let Err(fault) = store.open(&key, 1).await {
        assert!(matches!(fault, Fault::Busy | Fault::Unknown), "{fault:?}");
        assert!(tried.fetch_add(1, Ordering::Relaxed) < 200, "it does not recover: {fault:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let found = all(&store, &key, Stream::Public).await;
    let next = match found.as_slice() {
        [_] => 2,
        [_, second] => {
            assert_eq!(*second, message(2, "Perhaps"));
            3
        }
        other => panic!("{other:?}"),
    };
    store.append(owned(1, &key, &[message(next, "Surely")])).await.expect("it goes on");
    let found = all(&store, &key, Stream::Public).await;
    assert_eq!(found.last(), Some(&message(next, "Surely")));
    assert_eq!(u64::try_from(found.len()).unwrap_or(0), next);
}
