use switchboard_domain::card::BYTES_TYPICAL_MAX;
use switchboard_domain::conversation::Rating;
use switchboard_store::memory::Memory;

use super::*;
use crate::system::Config;
use crate::testing::{Node, accept, agent, agent_ref, pass, supervisor, tenant, visitor};

/// A state of the conversation numbered `n`, as far along as `events` says.
async fn state(node: &Node, n: u128) -> Arc<Conversation> {
    let key = crate::testing::key(n);
    node.system.conversations().state(&key, &supervisor(9)).await.unwrap().state
}

fn card(state: &Conversation) -> Arc<Card> {
    Arc::new(Card::of(state))
}

#[tokio::test(start_paused = true)]
async fn only_the_first_change_wakes_and_only_who_is_concerned() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let waiting = state(&node, 1).await;
    node.clock.turn_ms(2_500);
    node.say(&key, 1).await.unwrap();
    let written = state(&node, 1).await;
    node.ask(&key, agent(1), None, accept(1)).await.unwrap();
    let active = state(&node, 1).await;

    let cards = Cards::new(tenant(), false);
    assert_eq!(
        cards.put(&card(&waiting)),
        Concerns { inbox: true, queue: true, is_pressing: true, ..Concerns::default() }
    );
    assert_eq!(cards.put(&card(&written)), Concerns::default(), "both are awake");
    assert_eq!(cards.take_for_queue().len(), 1);
    assert_eq!(cards.take_for_inbox().len(), 1);
    let moved =
        Some(Moved { conversation: key.conversation, from: None, to: Some(agent_ref(1).id) });
    assert_eq!(
        cards.put(&card(&active)),
        Concerns {
            inbox: true,
            queue: true,
            is_pressing: true,
            moved,
            waited: Some(Duration::from_millis(2_500)),
        }
    );
    assert_eq!(cards.put(&card(&waiting)), Concerns::default(), "older news changes nothing");
    assert_eq!(cards.all()[0].agent, Some(agent_ref(1).id));
}

#[tokio::test(start_paused = true)]
async fn what_ends_leaves_and_is_told_once() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let waiting = state(&node, 1).await;
    let close = switchboard_domain::conversation::Command::Close {
        resolution: switchboard_domain::conversation::Resolution::None,
    };
    node.ask(&key, agent(1), None, close).await.unwrap();
    let closed = state(&node, 1).await;
    let rate = switchboard_domain::conversation::Command::Rate(Rating { score: 5, comment: None });
    node.ask(&key, visitor(1), None, rate).await.unwrap();
    let rated = state(&node, 1).await;

    let cards = Cards::new(tenant(), false);
    cards.put(&card(&waiting));
    cards.put(&card(&closed));
    cards.put(&card(&rated));
    assert_eq!(cards.len(), 0);
    let changed = cards.take_for_inbox();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].card.as_ref().unwrap().score(), Some(5));
    assert!(cards.take_for_inbox().is_empty());
    let queued = cards.take_for_queue();
    assert!(matches!(&queued[..], [(_, None)]), "{queued:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_older_than_the_news_undoes_nothing() {
    let node = Node::start().await;
    for n in 1..=3 {
        node.create(n).await;
    }
    pass(Duration::from_secs(2)).await;
    let store = node.store.memory.clone();
    let cards = Cards::new(tenant(), false);
    // Between the first page and its use, one is written on and one is closed.
    cards.board.lock().gone.newer = Some(HashMap::default());
    node.say(&crate::testing::key(1), 1).await.unwrap();
    let close = switchboard_domain::conversation::Command::Close {
        resolution: switchboard_domain::conversation::Resolution::None,
    };
    node.ask(&crate::testing::key(2), agent(1), None, close).await.unwrap();
    cards.put(&card(&*state(&node, 1).await));
    cards.put(&card(&*state(&node, 2).await));
    for n in 1..=3 {
        let stale = store.checkpoint(&crate::testing::key(n)).await.unwrap().unwrap();
        cards.board.lock().restore(&card(&stale), Vec::new());
    }
    let mut seen: Vec<_> = cards.all().iter().map(|it| (it.id, it.heads.public.0)).collect();
    seen.sort();
    let id = |n| crate::testing::key(n).conversation;
    assert_eq!(seen, [(id(1), 2), (id(3), 1)]);
}

#[tokio::test(start_paused = true)]
async fn among_nodes_what_ended_does_not_come_back_with_older_news() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let waiting = state(&node, 1).await;
    let close = switchboard_domain::conversation::Command::Close {
        resolution: switchboard_domain::conversation::Resolution::None,
    };
    node.ask(&key, supervisor(9), None, close).await.unwrap();
    let closed = state(&node, 1).await;
    let reopen = switchboard_domain::conversation::Command::Reopen { agent: None };
    node.ask(&key, supervisor(9), None, reopen).await.unwrap();
    let reopened = state(&node, 1).await;

    let cards = Cards::new(tenant(), true);
    cards.put(&card(&waiting));
    cards.put(&card(&closed));
    for _ in 0..2 {
        // Told late, by a node that owned it before.
        assert_eq!(cards.put(&card(&waiting)), Concerns::default());
        assert_eq!(cards.len(), 0);
        cards.forget_gone();
    }
    cards.put(&card(&reopened));
    assert_eq!(cards.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cards_are_rebuilt_over_many_pages_and_are_small() {
    let node = Node::start().await;
    for n in 1..=1_203 {
        node.create(n).await;
    }
    node.system.conversations().receipt(
        &crate::testing::key(7),
        &agent(1),
        None,
        Some(switchboard_domain::ids::Seq(1)),
    );
    pass(Duration::from_secs(2)).await;
    let cards = Cards::new(tenant(), false);
    cards.rebuild(&node.store.memory, &|_| {}).await.unwrap();
    assert_eq!(cards.len(), 1_203);
    // Beside the card itself, a place in the map and a row in an order.
    let bytes = size_of::<Arc<Card>>() + cards.all()[0].bytes();
    assert!(bytes <= BYTES_TYPICAL_MAX, "{bytes}");
    let none = Cards::new(tenant(), false);
    none.rebuild(&Memory::new(), &|_| {}).await.unwrap();
    assert_eq!(none.len(), 0);
    let next = Node::open(node.store.left_behind(), Config::standard()).await;
    next.system.presence().all(&tenant()).await.unwrap();
    assert_eq!(next.system.observe().await.tenants[0].inbox.cards, 1_203);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_counted_by_line_and_told_when_that_changes() {
    let node = Node::start().await;
    let states = |n| state(&node, n);
    node.create_in(1, Some("sales")).await;
    let key = node.create_in(2, Some("sales")).await;
    node.create(3).await;
    let cards = Cards::new(tenant(), false);
    let mut lines = cards.lines();
    let heard = |lines: &mut watch::Receiver<()>| {
        let changed = lines.has_changed().unwrap();
        lines.mark_unchanged();
        changed
    };
    let counts = || [Some("sales"), None, Some("billing")].map(|line| cards.waiting(line));
    for n in 1..=3 {
        cards.put(&card(&*states(n).await));
        assert!(heard(&mut lines), "{n}");
    }
    assert_eq!(counts(), [2, 1, 0]);

    node.say(&key, 1).await.unwrap();
    cards.put(&card(&*states(2).await));
    assert!(!heard(&mut lines), "who writes waits where they waited");
    node.ask(&key, agent(1), None, accept(1)).await.unwrap();
    cards.put(&card(&*states(2).await));
    assert!(heard(&mut lines));
    assert_eq!(counts(), [1, 1, 0]);

    cards.take_away(crate::testing::key(2).conversation);
    assert!(!heard(&mut lines), "who has an agent waited no more");
    cards.take_away(crate::testing::key(3).conversation);
    cards.take_away(crate::testing::key(3).conversation);
    assert!(heard(&mut lines));
    assert_eq!(counts(), [1, 0, 0]);
}
