use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchboard_domain::conversation::{
    Body, Command, Rejection, Request, Resolution, Status, Stream,
};
use switchboard_domain::ids::Seq;
use switchboard_domain::person::Caller;
use switchboard_store::{Range, Store};
use tokio::task::JoinSet;

use super::*;
use crate::answer::Done;
use crate::delivery::Delivery;
use crate::system::Config;
use crate::testing::{
    Node, Prank, accept, agent, connection, create, key, note, pass, send, send_key, supervisor,
    take_all, take_seqs, tenant, visitor,
};

fn seqs(done: &Done) -> Vec<u64> {
    done.events.iter().map(|it| it.event.seq.0).collect()
}

#[track_caller]
fn check_dense(seqs: &[u64], first: u64, last: u64) {
    let expect: Vec<_> = (first..=last).collect();
    let differ = seqs.iter().zip(&expect).find(|(seq, expect)| seq != expect);
    assert!(differ.is_none() && seqs.len() == expect.len(), "{} events, {differ:?}", seqs.len());
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_the_straight_line() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let (outlet, mut client) = connection();
    let conversations = node.system.conversations();
    conversations.subscribe(&key, &agent(1), Stream::Public, 7, &outlet).await.unwrap();
    let done = node.say(&key, 1).await.unwrap();
    assert_eq!(seqs(&done), [2]);
    assert!(!done.duplicate);
    pass(Duration::from_millis(1)).await;
    let told = take_all(&mut client);
    let [Delivery::Subscribed { ref_id: 7, subscribed, .. }, Delivery::Event(event)] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(subscribed.head, Seq(1));
    assert_eq!(event.event.seq, Seq(2));
    let history = node.history(&key, &visitor(1)).await;
    assert_eq!(history.len(), 2);
    assert_eq!(history[1], done.events[0].event);
}

#[tokio::test(start_paused = true)]
async fn foreign_and_unknown_conversations_are_not_found() {
    let node = Node::start().await;
    let key = node.create(1).await;
    for (key, caller) in [(&key, visitor(2)), (&crate::testing::key(99), agent(1))] {
        let result = node.ask(key, caller.clone(), None, send("hello")).await;
        assert!(matches!(result, Err(Refusal::Rejected(Rejection::NotFound))), "{result:?}");
        let state = node.system.conversations().state(key, &caller).await;
        assert!(matches!(state, Err(Refusal::Rejected(Rejection::NotFound))), "{state:?}");
    }
    let internal = node
        .system
        .conversations()
        .history(&key, &visitor(1), Stream::Internal, Range::After(Seq(0)), 10)
        .await;
    assert!(matches!(internal, Err(Refusal::Rejected(Rejection::NotFound))), "{internal:?}");
    pass(Duration::from_millis(1)).await;
    assert_eq!(node.regions().await.live, 1, "what does not exist keeps no actor");
}

/// Asks for a conversation in every way there is; what the store was asked each time.
async fn looks_in_vain(node: &Node, key: &ConversationKey, caller: &Caller) -> [u64; 4] {
    let conversations = node.system.conversations();
    let (outlet, _client) = connection();
    let mut looks = [0; 4];
    for (way, n_reads) in looks.iter_mut().enumerate() {
        let before = node.store.n_reads.load(Ordering::Relaxed);
        let (public, all) = (Stream::Public, Range::After(Seq(0)));
        let answer = match way {
            0 => conversations.state(key, caller).await.map(drop),
            1 => conversations.history(key, caller, public, all, 10).await.map(drop),
            2 => conversations.event(key, caller, public, Seq(1)).await.map(drop),
            _ => conversations.subscribe(key, caller, public, 1, &outlet).await,
        };
        assert!(matches!(answer, Err(Refusal::Rejected(Rejection::NotFound))), "{answer:?}");
        *n_reads = node.store.n_reads.load(Ordering::Relaxed) - before;
    }
    looks
}

/// P10, in time too: counted, because clocks prove nothing.
#[tokio::test(start_paused = true)]
async fn a_foreign_conversation_costs_the_store_what_an_unknown_one_does() {
    let node = Node::start().await;
    let key = node.create(1).await;
    node.say(&key, 1).await.unwrap();
    let unknown = looks_in_vain(&node, &crate::testing::key(99), &visitor(2)).await;
    assert!(unknown.iter().all(|n_reads| *n_reads > 0), "{unknown:?}");

    let n_reads = || node.store.n_reads.load(Ordering::Relaxed);
    let before = n_reads();
    node.system.conversations().state(&key, &agent(1)).await.unwrap();
    node.system.conversations().state(&key, &agent(1)).await.unwrap();
    assert!(n_reads() - before <= 1, "it is in memory");
    assert_eq!(looks_in_vain(&node, &key, &visitor(2)).await, unknown, "in memory");

    pass(Duration::from_secs(60)).await;
    assert_eq!(node.regions().await.live, 0);
    assert_eq!(looks_in_vain(&node, &key, &visitor(2)).await, unknown, "asleep");
}

#[tokio::test(start_paused = true)]
async fn retries_gaps_and_conflicts_are_told_apart() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let first = node.say(&key, 1).await.unwrap();
    let again = node.say(&key, 1).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.events[0].event, first.events[0].event);
    let gap = node.say(&key, 3).await;
    assert!(matches!(gap, Err(Refusal::Rejected(Rejection::Gap { expect: 2 }))), "{gap:?}");
    let other = switchboard_domain::conversation::SendKey { digest: 99, ..send_key(1, 1) };
    let conflict = node.ask(&key, visitor(1), Some(other), send("other")).await;
    assert!(matches!(conflict, Err(Refusal::Rejected(Rejection::Conflict))), "{conflict:?}");
    assert_eq!(node.history(&key, &visitor(1)).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_known_after_passivation_and_among_many_devices() {
    let node = Node::start().await;
    let key = node.create(1).await;
    for device in 1..=20 {
        let done = node.ask(&key, visitor(1), Some(send_key(device, 1)), send("x")).await.unwrap();
        assert_eq!(seqs(&done), [u64::try_from(device).unwrap() + 1]);
    }
    node.idle().await;
    assert_eq!(node.regions().await.live, 0);
    // Device 1 was forgotten by the bounded memory, and only the log knows it.
    let again = node.ask(&key, visitor(1), Some(send_key(1, 1)), send("x")).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(seqs(&again), [2]);
    assert!(node.store.n_find_sends.load(Ordering::Relaxed) > 0);
    assert_eq!(node.history(&key, &visitor(1)).await.len(), 21);
}

#[tokio::test(start_paused = true)]
async fn a_panic_loses_nothing_and_the_log_is_read_again() {
    for prank in [Prank::Panic, Prank::StoredThenPanic, Prank::LostUnknown, Prank::StoredUnknown] {
        let node = Node::start().await;
        let key = node.create(1).await;
        node.say(&key, 1).await.unwrap();
        node.store.plan(&key, &[prank]);
        let failed = node.say(&key, 2).await;
        assert!(matches!(failed, Err(Refusal::Unknown)), "{prank:?}: {failed:?}");
        // The outcome was unknown; a retry makes it one event, wherever the first try got.
        let retried = node.say(&key, 2).await.unwrap();
        let stored = matches!(prank, Prank::StoredThenPanic | Prank::StoredUnknown);
        assert_eq!(retried.duplicate, stored, "{prank:?}");
        assert_eq!(seqs(&retried), [3], "{prank:?}");
        node.say(&key, 3).await.unwrap();
        assert_eq!(node.history(&key, &visitor(1)).await.len(), 4, "{prank:?}");
        let regions = node.regions().await;
        assert_eq!((regions.failures, regions.live), (1, 1), "{prank:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_before_a_failure_is_heard_after_it() {
    for (prank, expect) in [(Prank::StoredThenPanic, vec![2, 3, 4]), (Prank::Panic, vec![2, 3])] {
        let node = Node::start().await;
        let key = node.create(1).await;
        let (outlet, mut client) = connection();
        let conversations = node.system.conversations();
        conversations.subscribe(&key, &agent(1), Stream::Public, 1, &outlet).await.unwrap();
        node.say(&key, 1).await.unwrap();
        node.say(&key, 2).await.unwrap();
        node.store.plan(&key, &[prank]);
        assert!(matches!(node.say(&key, 3).await, Err(Refusal::Unknown)));
        // Nobody asks; it begins again by itself.
        pass(Duration::from_millis(50)).await;
        assert_eq!(take_seqs(&mut client), expect, "{prank:?}");
        assert_eq!(node.regions().await.live, 1);
    }
}

/// P6: the lease is checked after the write and before the acknowledgement.
#[tokio::test(start_paused = true)]
async fn what_was_written_without_a_lease_is_neither_acknowledged_nor_told() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let (outlet, mut client) = connection();
    let conversations = node.system.conversations();
    conversations.subscribe(&key, &agent(1), Stream::Public, 1, &outlet).await.unwrap();
    node.store.plan(&key, &[Prank::Slow(Duration::from_secs(1))]);
    let (both, ()) = tokio::join!(node.say(&key, 1), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        node.lease.lose();
    });
    assert!(matches!(both, Err(Refusal::Unknown)), "{both:?}");
    pass(Duration::from_secs(1)).await;
    assert!(take_seqs(&mut client).is_empty());
    // Where the shard is not served, nothing begins.
    let refused = node.say(&key, 1).await;
    assert!(matches!(refused, Err(Refusal::Moved)), "{refused:?}");
    assert_eq!(node.regions().await.live, 0);
}

/// The lease runs out during an append and is renewed under the same epoch: nobody took over, and
/// nobody but the conversation itself can tell what it stored.
#[tokio::test(start_paused = true)]
async fn what_was_written_without_a_lease_is_told_when_that_is_had_again() {
    for fails in [1, FAILURES_MAX] {
        let node = Node::start().await;
        let key = node.create(1).await;
        node.ask(&key, agent(1), None, accept(1)).await.unwrap();
        let listed = || node.system.tenant(&tenant()).cards().len();
        let mut pranks = vec![Prank::Panic; fails - 1];
        pranks.push(Prank::Slow(Duration::from_secs(1)));
        node.store.plan(&key, &pranks);
        for _ in 1..fails {
            assert!(matches!(node.say(&key, 1).await, Err(Refusal::Unknown)));
            pass(Duration::from_millis(900)).await;
        }
        let close = Command::Close { resolution: Resolution::Resolved };
        let (closed, ()) = tokio::join!(node.ask(&key, agent(1), None, close), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            node.lease.lose();
        });
        assert!(matches!(closed, Err(Refusal::Unknown)), "{closed:?}");
        pass(Duration::from_secs(3)).await;
        assert_eq!(listed(), 1, "nobody may say so yet");
        node.lease.regain();
        pass(Duration::from_secs(1)).await;
        assert_eq!(listed(), 0, "after {fails} failures");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_writes_and_serves_reads() {
    let node = Node::start().await;
    let key = node.create(1).await;
    node.store.plan(&key, &[Prank::Full]);
    let full = node.say(&key, 1).await;
    assert!(matches!(full, Err(Refusal::StorageFull)), "{full:?}");
    assert_eq!(node.history(&key, &visitor(1)).await.len(), 1);
    assert_eq!(seqs(&node.say(&key, 1).await.unwrap()), [2]);
    assert_eq!(node.regions().await.failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_poison_conversation_is_quarantined_and_disturbs_nobody() {
    let node = Node::start().await;
    let (poison, other) = (node.create(1).await, node.create(2).await);
    node.store.plan(&poison, &[Prank::Panic; 5]);
    for n in 0..5 {
        assert!(matches!(node.say(&poison, 1).await, Err(Refusal::Unknown)), "{n}");
        node.say(&other, n + 1).await.unwrap();
    }
    pass(Duration::from_millis(1)).await;
    assert!(matches!(node.say(&poison, 1).await, Err(Refusal::Quarantined)));
    node.say(&other, 6).await.unwrap();
    assert_eq!(node.regions().await.quarantined, 1);
    pass(REST).await;
    assert_eq!(seqs(&node.say(&poison, 1).await.unwrap()), [2]);
    pass(REST).await;
    assert_eq!(node.regions().await.quarantined, 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_no_failure_of_a_conversation() {
    let node = Node::start().await;
    let key = node.create(1).await;
    node.idle().await;
    node.store.is_busy.store(true, Ordering::Relaxed);
    for _ in 0..9 {
        let refused = node.say(&key, 1).await;
        assert!(matches!(refused, Err(Refusal::Store(Fault::Busy))), "{refused:?}");
    }
    node.store.is_busy.store(false, Ordering::Relaxed);
    assert_eq!(seqs(&node.say(&key, 1).await.unwrap()), [2]);
    let regions = node.regions().await;
    assert_eq!((regions.failures, regions.quarantined), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_program_wrote_is_refused_by_name_and_no_failure() {
    let node = Node::start().await;
    let key = node.create(1).await;
    node.idle().await;
    node.store.is_newer.store(true, Ordering::Relaxed);
    for _ in 0..9 {
        let refused = node.say(&key, 1).await;
        let newer =
            matches!(refused, Err(Refusal::Store(Fault::TooNew { found: 9, known: 8, .. })));
        assert!(newer, "{refused:?}");
    }
    // As on a node that was upgraded meanwhile.
    node.store.is_newer.store(false, Ordering::Relaxed);
    assert_eq!(seqs(&node.say(&key, 1).await.unwrap()), [2]);
    let regions = node.regions().await;
    assert_eq!((regions.failures, regions.quarantined), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn conversations_of_a_shard_that_is_given_away_leave_settled_and_no_other_does() {
    let node = Node::start().await;
    let (given, kept) = (node.create(1).await, node.create(2).await);
    assert_ne!(shard(&given), shard(&kept));
    node.say(&given, 1).await.unwrap();
    let conversations = node.system.conversations();
    conversations.let_go(shard(&given)).await;
    assert_eq!(node.regions().await.live, 1);
    let checkpoint = node.store.checkpoint(&given).await.unwrap().unwrap();
    assert_eq!(checkpoint.heads.public, Seq(2));
    // Still owned, it wakes again.
    node.say(&given, 2).await.unwrap();
    assert_eq!(node.regions().await.live, 2);

    node.lease.lose();
    conversations.let_all_go().await;
    assert_eq!(node.regions().await.live, 0);
    for key in [&given, &kept] {
        assert!(matches!(node.say(key, 3).await, Err(Refusal::Moved)));
    }
    conversations.let_go(shard(&given)).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_conversation_leaves_with_its_checkpoint_and_comes_back() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let (outlet, mut client) = connection();
    let conversations = node.system.conversations();
    conversations.subscribe(&key, &visitor(1), Stream::Public, 1, &outlet).await.unwrap();
    node.say(&key, 1).await.unwrap();
    node.idle().await;
    let regions = node.regions().await;
    assert_eq!((regions.live, regions.passivations, regions.subscriptions), (0, 1, 1));
    let checkpoint = node.store.checkpoint(&key).await.unwrap().unwrap();
    assert_eq!(checkpoint.heads.public, Seq(2));
    assert!(node.store.dirty(9).await.unwrap().is_empty());
    take_all(&mut client);
    // The subscription outlived the actor.
    node.say(&key, 2).await.unwrap();
    pass(Duration::from_millis(1)).await;
    check_dense(&take_seqs(&mut client), 3, 3);
    assert_eq!(node.regions().await.activations, 2);
}

#[tokio::test(start_paused = true)]
async fn what_arrives_while_a_conversation_leaves_wakes_it_again_in_order() {
    // Nothing is written before the conversation leaves, and then it takes three seconds.
    let checkpoint_every = Duration::from_secs(60);
    let node = Node::with(Config { mailbox_max: 5, checkpoint_every, ..Config::standard() }).await;
    node.store.checkpoints_take_ms.store(3_000, Ordering::Relaxed);
    let key = node.create(1).await;
    node.say(&key, 1).await.unwrap();
    tokio::time::sleep(Duration::from_secs(14)).await;
    for _ in 0..40 {
        if node.regions().await.passivating == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(node.regions().await.passivating, 1);
    let mut asks = Vec::new();
    for n in 2..=7 {
        let (conversations, key) = (node.system.conversations(), key.clone());
        let request = Request { caller: visitor(1), key: Some(send_key(1, n)), command: send("x") };
        asks.push(tokio::spawn(async move { conversations.ask(&key, request).await }));
        tokio::task::yield_now().await;
    }
    let mut results = Vec::new();
    for ask in asks {
        results.push(ask.await.unwrap().map(|done| seqs(&done)));
    }
    for (result, expect) in results[..5].iter().zip(3..) {
        assert_eq!(result.as_ref().unwrap(), &[expect]);
    }
    assert!(matches!(results[5], Err(Refusal::Busy { .. })), "what waits is bounded too");
    let regions = node.regions().await;
    assert_eq!((regions.live, regions.failures), (1, 0));
}

/// Senders write in a closed loop while the idle time is so short that the conversation leaves
/// again and again under them.
#[tokio::test(start_paused = true)]
async fn requests_during_passivation_wait_and_keep_their_order() {
    let idle = Duration::from_millis(10);
    let node = Arc::new(Node::with(Config { idle, ..Config::standard() }).await);
    let mut senders = JoinSet::new();
    for n in 1..=8_u128 {
        let node = Arc::clone(&node);
        senders.spawn(async move {
            let key = node.create(n).await;
            let mut last = 1;
            for k in 1..=200_u64 {
                // Between just before and just after the moment of leaving.
                tokio::time::sleep(Duration::from_micros(9_000 + (k * 37) % 4_000)).await;
                let both = tokio::join!(node.say(&key, 2 * k - 1), node.say(&key, 2 * k));
                for done in [both.0.unwrap(), both.1.unwrap()] {
                    last += 1;
                    assert_eq!(seqs(&done), [last]);
                }
            }
            let history = node.history(&key, &visitor(n)).await;
            check_dense(&history.iter().map(|it| it.seq.0).collect::<Vec<_>>(), 1, 401);
        });
    }
    senders.join_all().await;
    let regions = node.regions().await;
    assert!(regions.passivations > 100, "{regions:?}");
    assert_eq!(regions.failures, 0);
}

/// Whenever one subscribes, history up to the marker and the events after it are the whole.
#[tokio::test(start_paused = true)]
async fn a_subscription_begins_without_gap_or_double() {
    check_subscriptions().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subscription_begins_without_gap_or_double_on_many_threads() {
    check_subscriptions().await;
}

async fn check_subscriptions() {
    // All of them fit a queue, so that nobody is cut as slow.
    const SENDS: u64 = 60;
    let node = Arc::new(Node::start().await);
    let key = node.create(1).await;
    let mut tasks = JoinSet::new();
    for sender in 1..=4_u128 {
        let (node, key) = (Arc::clone(&node), key.clone());
        tasks.spawn(async move {
            for n in 1..=SENDS {
                let send_key = Some(send_key(sender, n));
                node.ask(&key, visitor(1), send_key, send("x")).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    for reader in 0..50_u64 {
        let (node, key) = (Arc::clone(&node), key.clone());
        tasks.spawn(async move {
            for _ in 0..reader * 9 {
                tokio::task::yield_now().await;
            }
            let (outlet, mut client) = connection();
            let conversations = node.system.conversations();
            conversations
                .subscribe(&key, &agent(1), Stream::Public, reader, &outlet)
                .await
                .unwrap();
            let Ok(Delivery::Subscribed { subscribed, .. }) = client.next().await else {
                panic!("no marker first")
            };
            let history = conversations
                .history(&key, &agent(1), Stream::Public, Range::After(Seq(0)), 10_000)
                .await
                .unwrap();
            let mut seqs: Vec<_> = history.events.iter().map(|it| it.event.seq.0).collect();
            // The client replays up to the head it was told, not further.
            seqs.retain(|seq| *seq <= subscribed.head.0);
            while *seqs.last().unwrap() < 4 * SENDS + 1 {
                let Ok(Delivery::Event(published)) = client.next().await else { panic!("cut off") };
                seqs.push(published.event.seq.0);
            }
            check_dense(&seqs, 1, 4 * SENDS + 1);
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_accepts_one_wins_and_the_other_is_told_who() {
    let node = Arc::new(Node::start().await);
    for n in 1..=1_000 {
        let key = node.create(n).await;
        let both = [1, 2].map(|who| {
            let (node, key) = (Arc::clone(&node), key.clone());
            tokio::spawn(async move { node.ask(&key, agent(who), None, accept(who)).await })
        });
        let [one, two] = both;
        let results = [one.await.unwrap(), two.await.unwrap()];
        let winner = results.iter().position(Result::is_ok).expect("one wins");
        let loser = &results[1 - winner];
        let Err(Refusal::Rejected(Rejection::AlreadyAccepted { by })) = loser else {
            panic!("{loser:?}")
        };
        let who = u128::try_from(winner).unwrap() + 1;
        assert_eq!(*by, crate::testing::agent_ref(who));
        let view = node.system.conversations().state(&key, &agent(1)).await.unwrap();
        assert_eq!(view.state.agent.as_ref(), Some(by));
        assert_eq!(view.state.heads.public, Seq(2));
    }
}

#[tokio::test(start_paused = true)]
async fn notes_never_reach_a_public_subscription() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let conversations = node.system.conversations();
    let (outlet, mut visitor_client) = connection();
    conversations.subscribe(&key, &visitor(1), Stream::Public, 1, &outlet).await.unwrap();
    let refused = conversations.subscribe(&key, &visitor(1), Stream::Internal, 2, &outlet).await;
    assert!(matches!(refused, Err(Refusal::Rejected(Rejection::NotFound))), "{refused:?}");
    let (outlet, mut agent_client) = connection();
    conversations.subscribe(&key, &agent(1), Stream::Internal, 3, &outlet).await.unwrap();
    let marker = take_all(&mut visitor_client);
    assert_eq!(marker.len(), 1);
    for n in 1..=100 {
        node.ask(&key, agent(1), None, note(&format!("note {n}"))).await.unwrap();
    }
    node.ask(&key, agent(1), None, Command::Tag { tags: vec!["vip".into()] }).await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert!(take_all(&mut visitor_client).is_empty());
    // The marker is no event, so 101 events came.
    check_dense(&take_seqs(&mut agent_client), 1, 101);
    node.say(&key, 1).await.unwrap();
    pass(Duration::from_millis(1)).await;
    check_dense(&take_seqs(&mut visitor_client), 2, 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_connection_is_cut_and_others_go_on() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let conversations = node.system.conversations();
    let (slow, mut slow_client) = connection();
    let (quick, mut quick_client) = connection();
    conversations.subscribe(&key, &agent(1), Stream::Public, 1, &slow).await.unwrap();
    conversations.subscribe(&key, &agent(2), Stream::Public, 2, &quick).await.unwrap();
    let mut heard = Vec::new();
    for n in 1..=400 {
        node.say(&key, n).await.unwrap();
        tokio::task::yield_now().await;
        heard.extend(take_seqs(&mut quick_client));
    }
    pass(Duration::from_millis(1)).await;
    heard.extend(take_seqs(&mut quick_client));
    check_dense(&heard, 2, 401);
    assert_eq!(crate::testing::has_ended(&mut slow_client), Some(crate::subscriber::Ended::Slow));
    assert_eq!(node.regions().await.subscriptions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_refuses_as_busy_and_stores_nothing_of_it() {
    let config = Config { mailbox_max: 4, ..Config::standard() };
    let node = Arc::new(Node::with(config).await);
    let key = node.create(1).await;
    node.store.plan(&key, &[Prank::Slow(Duration::from_secs(1))]);
    let mut asks = JoinSet::new();
    for _ in 0..20 {
        let (node, key) = (Arc::clone(&node), key.clone());
        asks.spawn(async move { node.ask(&key, visitor(1), None, send("x")).await });
    }
    let results = asks.join_all().await;
    let n_stored = results.iter().filter(|it| it.is_ok()).count();
    let n_busy = results.iter().filter(|it| matches!(it, Err(Refusal::Busy { .. }))).count();
    assert_eq!((n_stored, n_busy), (4, 16));
    assert_eq!(node.history(&key, &visitor(1)).await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_unknown_and_a_retry_finds_it() {
    let node = Node::start().await;
    let key = node.create(1).await;
    node.store.plan(&key, &[Prank::Slow(Duration::from_secs(8))]);
    let slow = node.say(&key, 1).await;
    assert!(matches!(slow, Err(Refusal::Unknown)), "{slow:?}");
    let retried = node.say(&key, 1).await.unwrap();
    assert!(retried.duplicate);
    assert_eq!(seqs(&retried), [2]);
}

#[tokio::test(start_paused = true)]
async fn receipts_rise_reach_the_other_side_and_are_kept() {
    let node = Node::start().await;
    let key = node.create(1).await;
    for n in 1..=3 {
        node.say(&key, n).await.unwrap();
    }
    let conversations = node.system.conversations();
    let (outlet, mut client) = connection();
    conversations.subscribe(&key, &visitor(1), Stream::Public, 1, &outlet).await.unwrap();
    take_all(&mut client);
    for (received, read) in [(4, 3), (2, 2), (99, 99)] {
        conversations.receipt(&key, &agent(1), Some(Seq(received)), Some(Seq(read)));
    }
    pass(Duration::from_secs(3)).await;
    let told = take_all(&mut client);
    // Conflated: only the newest of those that moved waits in the queue; clamped to the head.
    let [Delivery::Receipt { receipt, by, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((receipt.received, receipt.read), (Seq(4), Seq(4)));
    assert_eq!(receipt.read_ordinals.visitor, 3);
    assert_eq!(*by, agent(1).author);
    assert_eq!(node.store.receipts(&key).await.unwrap().len(), 1);
    node.idle().await;
    let view = conversations.state(&key, &visitor(1)).await.unwrap();
    assert_eq!(view.other.read, Seq(4));
    assert_eq!(view.own.read, Seq(0));
    let own = conversations.state(&key, &agent(1)).await.unwrap().own;
    assert_eq!((own.received, own.read), (Seq(4), Seq(4)));
}

#[tokio::test(start_paused = true)]
async fn typing_is_for_subscribers_and_wakes_nobody() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let conversations = node.system.conversations();
    let (outlet, mut agent_client) = connection();
    conversations.subscribe(&key, &agent(1), Stream::Public, 1, &outlet).await.unwrap();
    let (outlet, mut visitor_client) = connection();
    conversations.subscribe(&key, &visitor(1), Stream::Public, 2, &outlet).await.unwrap();
    node.idle().await;
    take_all(&mut agent_client);
    take_all(&mut visitor_client);
    let long = "y".repeat(300);
    conversations.typing(&key, &visitor(1), true, Some(long.as_str().into()));
    conversations.typing(&key, &visitor(2), true, None);
    conversations.typing(&key, &agent(1), true, Some("secret".into()));
    let told = take_all(&mut agent_client);
    let [Delivery::Typing { from, on: true, preview: Some(preview), .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(*from, visitor(1).author);
    assert_eq!(preview.len(), 200);
    let told = take_all(&mut visitor_client);
    let [Delivery::Typing { preview: None, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(node.regions().await.live, 0);
}

#[tokio::test(start_paused = true)]
async fn checkpoints_left_behind_are_repaired_at_the_start() {
    let node = Node::start().await;
    node.store.loses_checkpoints.store(true, Ordering::Relaxed);
    let key = node.create(1).await;
    node.say(&key, 1).await.unwrap();
    pass(Duration::from_secs(3)).await;
    assert!(node.store.checkpoint(&key).await.unwrap().is_none());
    assert_eq!(node.store.dirty(9).await.unwrap(), std::slice::from_ref(&key));
    // The node dies; another one opens what it left.
    let next = Node::open(node.store.left_behind(), Config::standard()).await;
    let checkpoint = next.store.checkpoint(&key).await.unwrap().unwrap();
    assert_eq!(checkpoint.heads.public, Seq(2));
    assert!(next.store.dirty(9).await.unwrap().is_empty());
    assert!(next.say(&key, 1).await.unwrap().duplicate);
}

#[tokio::test(start_paused = true)]
async fn what_an_owner_before_left_behind_is_made_right_where_its_shard_comes() {
    let before = Node::start().await;
    let after = Node::open(before.store.left_behind(), Config::standard()).await;
    // Both have the store; the one before never writes a checkpoint.
    before.store.loses_checkpoints.store(true, Ordering::Relaxed);
    let (asleep, awake) = (before.create(1).await, before.create(2).await);
    for key in [&asleep, &awake] {
        before.say(key, 1).await.unwrap();
    }
    // This one is asked for by somebody before it is looked at.
    after.system.conversations().state(&awake, &agent(1)).await.unwrap();
    pass(Duration::from_secs(3)).await;
    assert_eq!(after.store.dirty(9).await.unwrap().len(), 2, "nobody was told of the shards");
    for key in [&asleep, &awake] {
        after.system.conversations().claimed(shard(key));
    }
    pass(Duration::from_secs(6)).await;
    assert!(after.store.dirty(9).await.unwrap().is_empty());
    for key in [&asleep, &awake] {
        let checkpoint = after.store.checkpoint(key).await.unwrap().unwrap();
        assert_eq!(checkpoint.heads.public, Seq(2));
    }
    // A shard that nobody claimed stays as it is.
    before.say(&asleep, 2).await.unwrap();
    pass(Duration::from_secs(6)).await;
    assert_eq!(after.store.dirty(9).await.unwrap(), std::slice::from_ref(&asleep));
}

#[tokio::test(start_paused = true)]
async fn checkpoints_are_coalesced_and_marks_follow_the_log() {
    let node = Node::start().await;
    let key = node.create(1).await;
    for n in 1..=50 {
        node.say(&key, n).await.unwrap();
    }
    assert_eq!(node.store.dirty(9).await.unwrap().len(), 1);
    pass(Duration::from_secs(2)).await;
    assert!(node.store.dirty(9).await.unwrap().is_empty());
    assert_eq!(node.store.checkpoint(&key).await.unwrap().unwrap().heads.public, Seq(51));
    node.say(&key, 51).await.unwrap();
    assert_eq!(node.store.dirty(9).await.unwrap().len(), 1, "the next append marks again");
}

#[tokio::test(start_paused = true)]
async fn draining_settles_everything_and_refuses_the_rest() {
    let node = Node::start().await;
    let mut keys = Vec::new();
    for n in 1..=40 {
        let key = node.create(n).await;
        node.say(&key, 1).await.unwrap();
        keys.push(key);
    }
    let conversations = node.system.conversations();
    let slow = key(1);
    node.store.plan(&slow, &[Prank::Slow(Duration::from_secs(2))]);
    // One is under way and two wait behind it when the draining begins.
    let mut accepted = Vec::new();
    for n in 2..=4 {
        let (conversations, key) = (conversations.clone(), slow.clone());
        let request =
            Request { caller: visitor(1), key: Some(send_key(1, n)), command: send("last") };
        accepted.push(tokio::spawn(async move { conversations.ask(&key, request).await }));
        pass(Duration::from_millis(1)).await;
    }
    let store = node.store.clone();
    node.system.drain(Duration::from_secs(30)).await;
    for (accepted, expect) in accepted.into_iter().zip(3..) {
        let done = accepted.await.unwrap().expect("what was accepted is carried out");
        assert_eq!(seqs(&done), [expect]);
    }
    assert!(store.dirty(99).await.unwrap().is_empty());
    for key in &keys {
        let checkpoint = store.checkpoint(key).await.unwrap().unwrap();
        let expect = if *key == slow { 5 } else { 2 };
        assert_eq!(checkpoint.heads.public, Seq(expect));
    }
    let refused = conversations.state(&slow, &agent(1)).await;
    assert!(matches!(refused, Err(Refusal::Draining)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn who_loses_sight_loses_the_subscription() {
    use switchboard_domain::permission::AgentsSee;
    let config = Config { agents_see: AgentsSee::Own, ..Config::standard() };
    let node = Node::with(config).await;
    let key = node.create(1).await;
    let assign = |who| Command::Assign { agent: crate::testing::agent_ref(who) };
    node.ask(&key, supervisor(9), None, assign(1)).await.unwrap();
    let conversations = node.system.conversations();
    let (outlet, mut client) = connection();
    conversations.subscribe(&key, &agent(1), Stream::Public, 1, &outlet).await.unwrap();
    let other = conversations.subscribe(&key, &agent(2), Stream::Public, 1, &outlet).await;
    assert!(matches!(other, Err(Refusal::Rejected(Rejection::NotFound))), "{other:?}");
    take_all(&mut client);
    node.ask(&key, supervisor(9), None, assign(2)).await.unwrap();
    pass(Duration::from_millis(1)).await;
    let told = take_all(&mut client);
    assert!(matches!(&told[..], [Delivery::Unsubscribed { .. }]), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn many_conversations_keep_their_own_order() {
    let node = Arc::new(Node::start().await);
    let mut tasks = JoinSet::new();
    for n in 1..=60_u128 {
        let node = Arc::clone(&node);
        tasks.spawn(async move {
            let key = node.create(n).await;
            for k in 1..=20 {
                assert_eq!(seqs(&node.say(&key, k).await.unwrap()), [k + 1]);
            }
        });
    }
    tasks.join_all().await;
    let mut by_status = BTreeMap::new();
    for n in 1..=60 {
        let view = node.system.conversations().state(&key(n), &agent(1)).await.unwrap();
        *by_status.entry(view.state.status).or_insert(0) += 1;
        assert_eq!(view.state.ordinals.visitor, 20);
    }
    assert_eq!(by_status, BTreeMap::from([(Status::Waiting, 60)]));
    let created = node.history(&key(1), &visitor(1)).await;
    assert!(matches!(created[0].body, Body::Created(_)));
    let again = node.ask(&key(1), visitor(1), None, create(1, None)).await;
    assert!(matches!(again, Err(Refusal::Rejected(Rejection::Exists))), "{again:?}");
}
