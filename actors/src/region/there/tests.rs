//! Nodes of one process over a network in memory, one store, and owners that change.

use switchboard_cluster::transport::Transport as _;
use switchboard_domain::conversation::Body;

use super::*;
use crate::delivery::{Delivery, Unsubscribed};
use crate::remote::Remote;
use crate::subscriber::Receiver;
use crate::testing::cluster::{Cluster, Dice, name, settle};
use crate::testing::{
    Prank, Troubled, accept, agent, connection, create, key, note, send, send_key, take_all,
    visitor,
};

/// A client that hears one stream wherever it is, and begins again when it is told to.
struct Reader {
    caller: Caller,
    stream: Stream,
    outlet: Outlet,
    client: Receiver<Delivery>,
    is_subscribed: bool,
    /// Everything that it heard, live or when it caught up.
    heard: Vec<(u64, Option<String>)>,
}

impl Reader {
    fn new(caller: Caller, stream: Stream) -> Self {
        let (outlet, client) = connection();
        Self { caller, stream, outlet, client, is_subscribed: false, heard: Vec::new() }
    }

    fn last(&self) -> u64 {
        self.heard.last().map_or(0, |(seq, _)| *seq)
    }

    fn hear(&mut self, published: &Published) {
        // P5: in order, nothing left out, nothing twice.
        assert_eq!(published.event.seq.0, self.last() + 1, "{:?}", self.caller.author);
        self.heard.push((published.event.seq.0, text(published)));
    }

    /// Takes what has come, and subscribes at that node if it must.
    async fn follow(&mut self, at: &Handle, key: &ConversationKey) {
        for delivery in take_all(&mut self.client) {
            match delivery {
                Delivery::Event(published) => self.hear(&published),
                Delivery::Subscribed { subscribed, .. } => {
                    // What is not in the queue is read.
                    let is_whole = self.catch_up(at, key, subscribed.head).await;
                    if !is_whole {
                        self.begin_again();
                        return;
                    }
                }
                Delivery::Unsubscribed { why, .. } => {
                    assert_eq!(why, Unsubscribed::Lost);
                    self.is_subscribed = false;
                }
                _ => {}
            }
        }
        if !self.is_subscribed {
            let entered = at.subscribe(key, &self.caller, self.stream, 1, &self.outlet).await;
            // Whoever listens has changed nothing: there is nothing to be in doubt of.
            assert!(!matches!(entered, Err(Refusal::Unknown)), "{entered:?}");
            self.is_subscribed = entered.is_ok();
        }
    }

    /// As a client does that was cut off: another connection.
    fn begin_again(&mut self) {
        (self.outlet, self.client) = connection();
        self.is_subscribed = false;
    }

    async fn catch_up(&mut self, at: &Handle, key: &ConversationKey, head: Seq) -> bool {
        while self.last() < head.0 {
            let after = Range::After(Seq(self.last()));
            let read = at.history(key, &self.caller, self.stream, after, 7).await;
            assert!(!matches!(read, Err(Refusal::Unknown)), "{read:?}");
            let Ok(history) = read else { return false };
            for published in history.events.iter().filter(|it| it.event.seq <= head) {
                self.hear(published);
            }
        }
        true
    }
}

fn text(published: &Published) -> Option<String> {
    match &published.event.body {
        Body::Message { text, .. } | Body::Note { text, .. } => Some(text.to_string()),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn any_node_serves_a_conversation_that_another_owns() {
    let cluster = Cluster::start(3, 1).await;
    let key = key(1);
    cluster.ask(1, &key, visitor(1), None, create(1, None)).await.expect("created");
    assert_eq!([cluster.live(0).await, cluster.live(1).await], [1, 0], "only the owner's acts");
    let mut widget = Reader::new(visitor(1), Stream::Public);
    let mut console = Reader::new(agent(1), Stream::Public);
    let mut notes = Reader::new(agent(1), Stream::Internal);
    cluster.ask(2, &key, agent(1), None, accept(1)).await.expect("accepted");
    widget.follow(&cluster.at(1), &key).await;
    console.follow(&cluster.at(2), &key).await;
    notes.follow(&cluster.at(2), &key).await;
    for n in 1..=5 {
        let sent = send_key(1, n);
        let done = cluster.ask(1, &key, visitor(1), Some(sent), send("from the widget")).await;
        let first = done.expect("sent");
        // P3: the same key again is the same event, asked at any node.
        for idx in 0..3 {
            let again = cluster.ask(idx, &key, visitor(1), Some(sent), send("from the widget"));
            let again = again.await.expect("known");
            assert!(again.duplicate);
            assert_eq!(again.events[0].event, first.events[0].event);
        }
        cluster.ask(2, &key, agent(1), None, send("from the console")).await.expect("sent");
        cluster.ask(2, &key, agent(1), None, note("a note")).await.expect("noted");
    }
    settle().await;
    let head = cluster.at(0).state(&key, &agent(1)).await.expect("seen").state.heads;
    for (reader, at) in [(&mut widget, 1), (&mut console, 2), (&mut notes, 2)] {
        reader.follow(&cluster.at(at), &key).await;
        assert_eq!(reader.last(), head.of(reader.stream).0);
    }
    assert_eq!(widget.heard, console.heard);
    assert!(widget.heard.iter().all(|(_, text)| text.as_deref() != Some("a note")), "P13");
    // Every node tells the same history and the same state, and refuses the same.
    for idx in 0..3 {
        let at = cluster.at(idx);
        let seen = at.state(&key, &agent(1)).await.expect("seen");
        assert_eq!(seen.state.heads, head, "at {idx}");
        let all = at.history(&key, &agent(1), Stream::Internal, Range::After(Seq(0)), 100).await;
        assert_eq!(all.expect("read").events.len(), notes.heard.len(), "at {idx}");
        let foreign = at.state(&key, &visitor(2)).await;
        assert!(matches!(foreign, Err(Refusal::Rejected(Rejection::NotFound))), "at {idx}");
        let hidden = at.subscribe(&key, &visitor(1), Stream::Internal, 1, &widget.outlet).await;
        assert!(matches!(hidden, Err(Refusal::Rejected(_))), "at {idx}: {hidden:?}");
    }
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn typing_and_receipts_reach_other_nodes() {
    let cluster = Cluster::start(3, 2).await;
    let key = key(1);
    cluster.ask(1, &key, visitor(1), None, create(1, None)).await.expect("created");
    cluster.ask(2, &key, agent(1), None, accept(1)).await.expect("accepted");
    let mut widget = Reader::new(visitor(1), Stream::Public);
    let mut console = Reader::new(agent(1), Stream::Public);
    widget.follow(&cluster.at(1), &key).await;
    console.follow(&cluster.at(2), &key).await;
    settle().await;
    take_all(&mut widget.client);
    take_all(&mut console.client);
    cluster.at(1).typing(&key, &visitor(1), true, Some("hel".into()));
    cluster.at(2).typing(&key, &agent(1), true, None);
    cluster.at(2).receipt(&key, &agent(1), Some(Seq(2)), Some(Seq(2)));
    settle().await;
    let told = take_all(&mut console.client);
    assert!(
        matches!(&told[..], [Delivery::Typing { preview: Some(text), .. }] if &**text == "hel"),
        "{told:?}"
    );
    let told = take_all(&mut widget.client);
    assert!(matches!(&told[..], [Delivery::Typing { .. }, Delivery::Receipt { .. }]), "{told:?}");
    // Who listens no more is told no more, and its node either.
    cluster.at(1).unsubscribe(&key, Stream::Public, widget.outlet.id());
    settle().await;
    let counts = cluster.at(0).fanout(&key).counts();
    assert_eq!(counts, (1, 0), "the console's node is left");
    assert_eq!(cluster.at(0).fanout(&key).listening(&key), [name(2)]);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_misses_goes_first_when_a_node_takes_too_little() {
    let cluster = Cluster::start(2, 3).await;
    let key = key(1);
    cluster.ask(0, &key, visitor(1), None, create(1, None)).await.expect("created");
    cluster.ask(0, &key, agent(1), None, accept(1)).await.expect("accepted");
    let mut widget = Reader::new(visitor(1), Stream::Public);
    let mut console = Reader::new(agent(1), Stream::Public);
    widget.follow(&cluster.at(1), &key).await;
    console.follow(&cluster.at(0), &key).await;
    settle().await;
    take_all(&mut widget.client);
    let link = cluster.network.node(name(0));
    for bytes in [900_000, 10_000, 0] {
        while link.offer(&name(1), Remote::ballast(bytes)).is_ok() {}
    }
    cluster.at(0).typing(&key, &agent(1), true, None);
    cluster.ask(0, &key, agent(1), None, send("said")).await.expect("said");
    settle().await;
    let told = take_all(&mut widget.client);
    assert!(matches!(&told[..], [Delivery::Event(_)]), "{told:?}");
    cluster.at(0).typing(&key, &agent(1), false, None);
    settle().await;
    let told = take_all(&mut widget.client);
    assert!(matches!(&told[..], [Delivery::Typing { on: false, .. }]), "{told:?}");
    cluster.stop().await;
}

/// What goes wrong between two messages.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Another node owns the conversation from now on, and nobody tells the others.
    Moves,
    /// The link between two nodes is lost and comes back.
    Cut,
    /// The owner loses its links to all others and its shards to one of them, for a while.
    Isolated,
    /// The owner dies, once; a moment later another owns what it had.
    Dies,
}

/// Retries as a client does, at any node, and gives the position.
async fn say(cluster: &Cluster, dice: &mut Dice, key: &ConversationKey, who: u64, n: u64) -> u64 {
    let caller = if who == 1 { visitor(1) } else { agent(1) };
    loop {
        let at = cluster.any(dice);
        let (sent, text) = (send_key(who.into(), n), format!("{who}:{n}"));
        let asked = cluster.store(at, key, caller.clone(), Some(sent), send(&text));
        match asked.await {
            Ok(stored) => return stored.placed.expect("a message stands somewhere").seq.0,
            Err(Refusal::Rejected(rejection)) => panic!("{who}:{n}: {rejection}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// P4: an answer that does not come leaves the outcome unknown, to whoever waits for it and to
/// whoever left something to be done.
#[tokio::test(start_paused = true)]
async fn what_is_never_answered_ends_as_unknown() {
    let store = Troubled::default();
    let cluster = Cluster::over(&[store.clone(), store.clone()], 5).await;
    let key = key(1);
    settle().await;
    cluster.ask(1, &key, visitor(1), None, create(1, None)).await.expect("created");
    store.plan(&key, &[Prank::Slow(Duration::from_secs(60))]);
    let began = Instant::now();
    let waits = cluster.ask(1, &key, visitor(1), Some(send_key(1, 1)), send("one"));
    let leaves = cluster.store(1, &key, visitor(1), Some(send_key(1, 2)), send("two"));
    let (waited, left) = tokio::join!(waits, leaves);
    assert!(matches!(waited, Err(Refusal::Unknown)), "{waited:?}");
    assert!(matches!(left, Err(Refusal::Unknown)), "{left:?}");
    let within = cluster.at(1).answer_within();
    let bound = within..within + Duration::from_secs(2);
    assert!(bound.contains(&began.elapsed()), "{:?}", began.elapsed());
    // It was under way all the same, and with its key it is known.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let again = cluster.store(1, &key, visitor(1), Some(send_key(1, 2)), send("two")).await;
    let again = again.expect("stored");
    assert!(again.duplicate && again.placed.is_some_and(|it| it.seq == Seq(3)), "{again:?}");
    cluster.stop().await;
}

/// Moments in which all clients ask at once, and the conversation moves.
fn beats() -> tokio::time::Interval {
    let mut beats = tokio::time::interval(Duration::from_millis(100));
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    beats
}

/// Lets every task that is ready take its next step.
async fn others_first() {
    let mut is_first = true;
    std::future::poll_fn(|context| {
        if std::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_refused_while_a_conversation_moves() {
    let cluster = Arc::new(Cluster::start(3, 7).await);
    let key = key(1);
    cluster.ask(0, &key, visitor(1), None, create(1, None)).await.expect("created");
    let clients = [0_usize, 1, 2, 0, 1, 2, 0, 1, 2];
    let clients = clients.into_iter().enumerate().map(|(who, at)| {
        let (cluster, key) = (Arc::clone(&cluster), key.clone());
        tokio::spawn(async move {
            let (handle, all) = (cluster.at(at), Range::After(Seq(0)));
            let mut beat = beats();
            for n in 1..=200 {
                beat.tick().await;
                let sent = send_key(who as u128 + 1, n);
                let text = send(&format!("{who}:{n}"));
                let mut said = cluster.store(at, &key, agent(1), Some(sent), text.clone()).await;
                // P4: it left while that was written.
                while matches!(said, Err(Refusal::Unknown)) {
                    said = cluster.store(at, &key, agent(1), Some(sent), text.clone()).await;
                }
                said.expect("it is said");
                handle.state(&key, &agent(1)).await.expect("it is seen");
                let read = handle.history(&key, &agent(1), Stream::Public, all, 5).await;
                read.expect("it is read");
                let (outlet, _client) = connection();
                let entered = handle.subscribe(&key, &agent(1), Stream::Public, 1, &outlet).await;
                entered.expect("it is heard");
                handle.unsubscribe(&key, Stream::Public, outlet.id());
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    let mover = {
        let (cluster, key) = (Arc::clone(&cluster), key.clone());
        tokio::spawn(async move {
            let (mut dice, mut beat) = (Dice(11), beats());
            loop {
                beat.tick().await;
                for _ in 0..dice.below(40) {
                    others_first().await;
                }
                cluster.table.give(shard(&key), cluster.any(&mut dice));
            }
        })
    };
    for client in clients {
        client.await.expect("never refused");
    }
    mover.abort();
    assert!(mover.await.is_err(), "it moved the conversation to the end");
    let Some(cluster) = Arc::into_inner(cluster) else { panic!("somebody still asks") };
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_acked_is_never_lost_doubled_or_reordered() {
    for seed in 1..=8 {
        for trouble in [Trouble::Moves, Trouble::Cut, Trouble::Isolated, Trouble::Dies] {
            Box::pin(through(trouble, seed)).await;
        }
    }
}

async fn through(trouble: Trouble, seed: u64) {
    println!("{trouble:?}, seed {seed}");
    let cluster = Arc::new(Cluster::start(3, seed).await);
    let key = key(1);
    cluster.ask(0, &key, visitor(1), None, create(1, None)).await.expect("created");
    cluster.ask(0, &key, agent(1), None, accept(1)).await.expect("accepted");
    let senders = [1_u64, 2].map(|who| {
        let (cluster, key) = (Arc::clone(&cluster), key.clone());
        tokio::spawn(async move {
            let mut dice = Dice(seed * 31 + who);
            let mut acked = Vec::new();
            for n in 1..=30 {
                let seq = say(&cluster, &mut dice, &key, who, n).await;
                acked.push((seq, format!("{who}:{n}")));
                tokio::time::sleep(Duration::from_millis(dice.below(30))).await;
            }
            acked
        })
    });
    let mut readers = [0, 1, 2].map(|_| Reader::new(visitor(1), Stream::Public));
    let mut dice = Dice(seed * 77 + 5);
    while !senders.iter().all(tokio::task::JoinHandle::is_finished) {
        for (at, reader) in readers.iter_mut().enumerate() {
            reader.follow(&cluster.at(cluster.place_of(at)), &key).await;
        }
        let (one, other) = (cluster.any(&mut dice), cluster.any(&mut dice));
        let (owner, _) = cluster.table.of(shard(&key));
        match trouble {
            Trouble::Moves => cluster.table.give(shard(&key), one),
            Trouble::Cut if one != other => {
                let late = Duration::from_millis(dice.below(40));
                cluster.network.cut(&name(one), &name(other), late).await;
                tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
                cluster.network.connect(&name(one), &name(other));
            }
            Trouble::Isolated if one != owner => {
                let others: Vec<_> = (0..3).filter(|it| *it != owner).collect();
                for it in &others {
                    cluster.network.cut(&name(owner), &name(*it), Duration::ZERO).await;
                }
                cluster.table.give(shard(&key), one);
                cluster.announce(shard(&key));
                tokio::time::sleep(Duration::from_millis(dice.below(300))).await;
                for it in &others {
                    cluster.network.connect(&name(owner), &name(*it));
                }
            }
            Trouble::Dies if one != owner && cluster.dead.lock().is_none() => {
                *cluster.dead.lock() = Some(owner);
                cluster.network.crash(&name(owner)).await;
                // Those who were connected there come to another node.
                readers[owner].begin_again();
                tokio::time::sleep(Duration::from_millis(dice.below(2_000))).await;
                cluster.table.give(shard(&key), one);
                cluster.announce(shard(&key));
            }
            Trouble::Cut | Trouble::Isolated | Trouble::Dies => {}
        }
        tokio::time::sleep(Duration::from_millis(dice.below(200))).await;
    }
    let mut acked = Vec::new();
    for sender in senders {
        let own = sender.await.expect("it sent all");
        assert!(own.is_sorted_by(|one, next| one.0 < next.0), "seed {seed}: reordered");
        acked.extend(own);
    }
    acked.sort();
    cluster.announce(shard(&key));
    // The readers follow until they have heard the last of it.
    let head = acked.last().expect("something was sent").0;
    for (at, reader) in readers.iter_mut().enumerate() {
        for _ in 0..100 {
            if reader.last() >= head {
                break;
            }
            reader.follow(&cluster.at(cluster.place_of(at)), &key).await;
            settle().await;
        }
    }
    for (at, reader) in readers.iter().enumerate() {
        let messages = reader.heard.iter().cloned();
        let messages: Vec<_> =
            messages.filter_map(|(seq, text)| text.map(|text| (seq, text))).collect();
        assert_eq!(messages, acked, "{trouble:?}, seed {seed}, at {at}");
    }
    let Some(cluster) = Arc::into_inner(cluster) else { panic!("somebody still sends") };
    cluster.stop().await;
}
