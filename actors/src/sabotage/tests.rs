use std::time::Duration;

use switchboard_domain::conversation::Stream;
use switchboard_store::Store;

use super::Sabotage;
use crate::system::Config;
use crate::testing::{Node, agent, connection, note, pass, take_seqs, visitor};

fn sabotaged(names: &str) -> Config {
    Config { sabotage: Sabotage::named(names), ..Config::standard() }
}

#[tokio::test(start_paused = true)]
async fn without_dedupe_a_retry_is_stored_twice() {
    let node = Node::with(sabotaged("no_dedupe")).await;
    let key = node.create(1).await;
    node.say(&key, 1).await.unwrap();
    assert!(!node.say(&key, 1).await.unwrap().duplicate);
    assert_eq!(node.history(&key, &visitor(1)).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn leaked_notes_reach_the_visitor() {
    let node = Node::with(sabotaged("no_fsync,leak_notes")).await;
    let key = node.create(1).await;
    let (outlet, mut client) = connection();
    let conversations = node.system.conversations();
    conversations.subscribe(&key, &visitor(1), Stream::Public, 1, &outlet).await.unwrap();
    node.ask(&key, agent(1), None, note("between us")).await.unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(take_seqs(&mut client), [1]);
}

#[tokio::test(start_paused = true)]
async fn positions_from_memory_acknowledge_what_is_lost() {
    let node = Node::with(sabotaged("seq_from_memory")).await;
    let key = node.create(1).await;
    pass(Duration::from_secs(2)).await;
    assert!(node.store.checkpoint(&key).await.unwrap().is_some());
    node.say(&key, 1).await.unwrap();
    let next = Node::open(node.store.left_behind(), sabotaged("seq_from_memory")).await;
    let done = next.ask(&key, agent(1), None, crate::testing::send("lost")).await.unwrap();
    assert_eq!(done.events[0].event.seq.0, 2, "taken by the message before");
    let stored = next.history(&key, &visitor(1)).await;
    assert_ne!(stored.last().unwrap(), &done.events[0].event);
}

#[test]
fn no_name_plants_nothing() {
    assert_eq!(Sabotage::named(""), Sabotage::default());
    assert_eq!(Sabotage::named("no_fsync"), Sabotage::default());
}
