use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_cluster::transport::{NotSent, Peer, Transport, VERSIONS, Versions};
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::Seq;
use switchboard_store::Range;
use tokio::time::Instant;

use super::*;
use crate::answer::{Placed, Stored};
use crate::region::shard;
use crate::remote::Outcome;
use crate::remote::home::{Answer, Question};
use crate::remote::warm::tests::warm;
use crate::system::Config;
use crate::testing::cluster::{Cluster, name, settle};
use crate::testing::{accept, agent, create, note, send, send_key, tenant, visitor};

#[tokio::test(start_paused = true)]
async fn who_takes_shards_says_so_to_all_and_is_told_what_it_is_given() {
    let cluster = Cluster::start(3, 1).await;
    settle().await;
    let takes = |at: usize, of: usize| cluster.remote(at).serves_what_it_is_given(&name(of));
    assert!(!takes(0, 1), "it has not said so");
    cluster.remote(1).take_shards();
    settle().await;
    assert_eq!((takes(0, 1), takes(2, 1), takes(1, 0)), (true, true, false));
    // Not while it cannot be told, and again as soon as it can.
    cluster.network.cut(&name(0), &name(1), Duration::ZERO).await;
    assert!(!takes(0, 1));
    cluster.network.connect(&name(0), &name(1));
    settle().await;
    assert!(takes(0, 1));

    let shard = Shard::of("acme", "conversation", b"1");
    cluster.remote(0).give(&name(1), shard, Epoch(7));
    settle().await;
    assert_eq!(cluster.view(1).given(), [(name(0), shard, Epoch(7))]);
    assert_eq!((cluster.view(0).given(), cluster.view(2).given()), (vec![], vec![]));
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_not_begun_to_act_says_so_at_once() {
    let cluster = Cluster::start(1, 1).await;
    let early = Remote::new();
    early.connect(std::sync::Arc::new(cluster.network.node(name(1))));
    cluster.network.listen(&name(1), early.receiver());
    let began = Instant::now();
    let within = Duration::from_secs(5);
    let asked = cluster.remote(0).ask_home(&name(1), &tenant(), Question::All, within).await;
    assert!(matches!(asked, Outcome::Answered(Answer::Moved { to: None })), "{asked:?}");
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
    cluster.stop().await;
}

/// Keeps what is sent.
#[derive(Debug, Default)]
struct Sent(Mutex<Vec<Bytes>>);

impl Transport for Sent {
    fn send(&self, _to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.0.lock().push(envelope);
        Ok(())
    }

    fn offer(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.send(to, envelope)
    }
}

#[test]
fn a_node_of_the_first_version_is_given_shards_without_a_word() {
    let (remote, sent) = (Remote::new(), std::sync::Arc::new(Sent::default()));
    remote.connect(std::sync::Arc::clone(&sent) as _);
    remote.take_shards();
    remote.receiver().up(&Peer { node: name(1), version: 1 });
    remote.give(&name(1), Shard::of("acme", "", b""), Epoch(1));
    assert!(remote.serves_what_it_is_given(&name(1)));
    assert_eq!(sent.0.lock().len(), 0);
    remote.receiver().up(&Peer { node: name(2), version: 2 });
    remote.give(&name(2), Shard::of("acme", "", b""), Epoch(1));
    assert!(!remote.serves_what_it_is_given(&name(2)));
    assert_eq!(sent.0.lock().len(), 2, "that this node takes, and what it gave");
}

#[test]
fn words_of_shards_have_these_bytes() {
    let bytes = |message: Message| Envelope::from(message).write().to_vec();
    assert_eq!(bytes(Message::Takes), [3, 0]);
    let given = Message::Given { shard: 0x0102, epoch: 3 };
    assert_eq!(bytes(given.clone()), [3, 1, 2, 1, 3, 0, 0, 0, 0, 0, 0, 0]);
    for message in [Message::Takes, given] {
        let read = Envelope::read(&bytes(message.clone()));
        assert_eq!(format!("{read:?}"), format!("{:?}", Some(Envelope::from(message))));
    }
}

#[test]
fn a_node_of_the_second_version_is_given_shards_cold() {
    let (remote, sent) = (Remote::new(), std::sync::Arc::new(Sent::default()));
    remote.connect(std::sync::Arc::clone(&sent) as _);
    let (key, warm) = warm(1);
    let shard = Shard::of("acme", "", b"");
    let give_to = |idx: usize, version: u8| {
        remote.receiver().up(&Peer { node: name(idx), version });
        remote.begin_to_give(shard, Epoch(1));
        remote.hand_on(shard, Epoch(1), &key, &warm);
        remote.give(&name(idx), shard, Epoch(1));
        let sent = std::mem::take(&mut *sent.0.lock());
        sent.iter().map(|envelope| envelope[..2].to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(give_to(1, 2), [[3, 1]], "that it was given, and nothing else");
    assert!(!remote.is_giving(shard, Epoch(1)));
    assert_eq!(give_to(2, 3), [[3, 2], [3, 1]], "what is handed on comes first");
    assert_eq!(give_to(1, 2), [[3, 1]], "though another would understand more");
}

#[test]
fn what_is_handed_on_has_these_bytes() {
    let (key, warm) = warm(1);
    let mut form = Vec::new();
    warm.put(&mut form);
    // The epoch and the first positions of the head, how far the log goes, whose state.
    let head = [7_i64.to_le_bytes(), 1_i64.to_le_bytes(), 1_i64.to_le_bytes()].concat();
    let heads = [1_u64.to_le_bytes(), 0_u64.to_le_bytes()].concat();
    let id = 1_u128.to_le_bytes();
    assert_eq!(form[..24], head);
    assert_eq!(form[24..40], heads);
    assert_eq!(form[40..56], id);
    assert_eq!(form.last(), Some(&0), "nobody asked for receipts");
    let conversations = vec![(key.clone(), Bytes::from(form.clone()))];
    let message = Message::Warm { shard: 0x0102, epoch: 3, conversations };
    let bytes = Envelope::from(message.clone()).write().to_vec();
    assert_eq!(bytes[..12], [3, 2, 2, 1, 3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[12..20], 1_u64.to_le_bytes(), "one conversation");
    let read = Envelope::read(&bytes);
    assert_eq!(format!("{read:?}"), format!("{:?}", Some(Envelope::from(message))));
}

/// What a shard that changes hands says and asks, between a node of a version before, from the first
/// that speaks of shards on, and one of this. Each of them fails the test when it hears what its
/// version does not have.
#[tokio::test(start_paused = true)]
async fn a_node_of_a_version_before_and_a_new_one_carry_a_conversation_between_them() {
    let before = (SINCE..VERSIONS.newest).map(|newest| Versions { newest, ..VERSIONS });
    let pairs = |before| [[before, VERSIONS], [VERSIONS, before], [before, before]];
    for versions in before.flat_map(pairs).chain([[VERSIONS, VERSIONS]]) {
        let cluster = Cluster::of_versions(Config::standard(), &versions, 1).await;
        settle().await;
        let (key, warm) = warm(1);
        let shard = shard(&key);
        cluster.ask(1, &key, visitor(1), None, create(1, None)).await.expect("created");
        cluster.ask(1, &key, agent(1), None, accept(1)).await.expect("accepted");
        let at = |idx: usize| cluster.at(idx);
        for (turn, owner) in [(1_u64, 1_usize), (2, 0), (3, 1)] {
            let from = 1 - owner;
            let sent = send_key(1, turn);
            let done = cluster.ask(from, &key, visitor(1), Some(sent), send("before")).await;
            let first = done.expect("stored").events[0].event.clone();
            let (_, epoch) = cluster.table.of(shard);
            // As the driver has it: settled, released, told.
            cluster.remote(from).begin_to_give(shard, epoch);
            at(from).let_go(shard).await;
            cluster.remote(from).hand_on(shard, epoch, &key, &warm);
            cluster.table.give(shard, owner);
            cluster.remote(from).give(&name(owner), shard, epoch);
            cluster.announce(shard);
            settle().await;
            // The word of the shard comes to both, for it is of the version before.
            assert_eq!(cluster.view(owner).given().last(), Some(&(name(from), shard, epoch)));
            for idx in 0..2 {
                let again = cluster.ask(idx, &key, visitor(1), Some(sent), send("before")).await;
                let again = again.expect("known");
                assert!(again.duplicate, "turn {turn} at {idx}");
                assert_eq!(again.events[0].event, first);
                let again = cluster.store(idx, &key, visitor(1), Some(sent), send("before")).await;
                let Stored { placed, duplicate, waits } = again.expect("known");
                let Placed { seq, id, at } = placed.expect("it stands somewhere");
                assert_eq!((seq, id, at), (first.seq, first.id, first.at));
                assert!(duplicate && !waits, "turn {turn} at {idx}");
            }
            let note = cluster.ask(owner, &key, agent(1), None, note("after")).await;
            note.expect("the next owner goes on");
        }
        for idx in 0..2 {
            let all = Range::After(Seq(0));
            let read = at(idx).history(&key, &agent(1), Stream::Public, all, 9).await;
            let read = read.expect("each shows all of it").events;
            let seqs: Vec<_> = read.iter().map(|it| it.event.seq.0).collect();
            assert_eq!(seqs, [1, 2, 3, 4, 5]);
        }
        cluster.stop().await;
    }
}
