use super::*;

#[derive(Debug, PartialEq, Eq)]
enum Thing {
    Event(usize),
    Card(u64, usize),
    Typing,
}

impl Item for Thing {
    fn class(&self) -> Class {
        match self {
            Self::Event(_) => Class::Durable,
            Self::Card(slot, _) => Class::State { slot: *slot },
            Self::Typing => Class::Ephemeral,
        }
    }

    fn weight(&self) -> usize {
        100
    }
}

#[test]
fn events_keep_their_order() {
    let (sender, mut receiver) = queue();
    for n in 0..10 {
        assert_eq!(sender.push(Thing::Event(n)), Pushed::Queued);
    }
    for n in 0..10 {
        assert_eq!(receiver.try_next(), Some(Ok(Thing::Event(n))));
    }
    assert_eq!(receiver.try_next(), None);
}

#[test]
fn a_connection_that_sleeps_keeps_no_room() {
    let (sender, mut receiver) = queue();
    let room = |receiver: &Receiver<Thing>| receiver.0.queue.lock().items.capacity();
    sender.push(Thing::Event(1));
    receiver.let_past();
    assert!(room(&receiver) > 0, "something waits");
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Event(1))));
    receiver.let_past();
    assert_eq!(room(&receiver), 0);
}

#[test]
fn state_keeps_only_the_newest_of_a_slot() {
    let (sender, mut receiver) = queue();
    assert_eq!(sender.push(Thing::Card(1, 1)), Pushed::Queued);
    assert_eq!(sender.push(Thing::Card(2, 1)), Pushed::Queued);
    assert_eq!(sender.push(Thing::Card(1, 2)), Pushed::Conflated);
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Card(1, 2))));
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Card(2, 1))));
    assert_eq!(receiver.try_next(), None);
}

#[test]
fn ephemeral_items_go_first() {
    let (sender, mut receiver) = queue();
    assert_eq!(sender.push(Thing::Typing), Pushed::Queued);
    for n in 1..ITEMS_MAX {
        assert_eq!(sender.push(Thing::Event(n)), Pushed::Queued);
    }
    assert_eq!(sender.push(Thing::Typing), Pushed::Dropped);
    assert_eq!(sender.push(Thing::Event(ITEMS_MAX)), Pushed::Queued);
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Event(1))));
}

#[test]
fn events_that_do_not_fit_end_the_queue() {
    let (sender, mut receiver) = queue();
    for n in 0..ITEMS_MAX {
        sender.push(Thing::Event(n));
    }
    assert_eq!(sender.push(Thing::Event(ITEMS_MAX)), Pushed::Cut);
    assert_eq!(sender.push(Thing::Event(ITEMS_MAX + 1)), Pushed::Closed);
    assert_eq!(receiver.try_next(), Some(Err(Ended::Slow)));
    assert!(sender.is_closed());
}

#[tokio::test]
async fn a_dropped_connection_closes_its_queue() {
    let (sender, receiver) = queue();
    drop(receiver);
    assert_eq!(sender.push(Thing::Event(1)), Pushed::Closed);
}

/// A client that takes what it has room for, and of the last thing only a part.
#[derive(Clone, Debug, Default)]
struct Client {
    told: Arc<Mutex<Vec<Thing>>>,
    room: Arc<Mutex<usize>>,
}

const REST: Thing = Thing::Event(usize::MAX);

impl Line<Thing> for Client {
    fn tell(&self, item: Thing) -> Option<Thing> {
        let mut room = self.room.lock();
        if *room == 0 || item == Thing::Typing {
            return Some(item);
        }
        *room -= 1;
        self.told.lock().push(item);
        (*room == 0).then_some(REST)
    }
}

fn beside(room: usize) -> (Client, Sender<Thing>, Receiver<Thing>) {
    let client = Client { room: Arc::new(Mutex::new(room)), ..Client::default() };
    let (sender, receiver) = queue_beside(Some(Box::new(client.clone())));
    (client, sender, receiver)
}

#[test]
fn a_sleeping_connection_is_passed_and_a_writing_one_is_not() {
    let (client, sender, mut receiver) = beside(100);
    assert_eq!(sender.push(Thing::Event(1)), Pushed::Queued, "nobody said that it sleeps");
    receiver.let_past();
    assert_eq!(sender.push(Thing::Event(2)), Pushed::Queued, "something waits");
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Event(1))));
    receiver.let_past();
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Event(2))));
    assert_eq!(sender.push(Thing::Event(3)), Pushed::Queued, "what was taken is not written yet");
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Event(3))));
    receiver.let_past();
    assert_eq!(sender.push(Thing::Event(4)), Pushed::Told);
    assert_eq!(sender.push(Thing::Event(5)), Pushed::Told);
    receiver.hold();
    assert_eq!(sender.push(Thing::Event(6)), Pushed::Queued, "it writes");
    assert_eq!(*client.told.lock(), [Thing::Event(4), Thing::Event(5)]);
}

#[test]
fn what_cannot_be_told_waits_and_all_that_follows_it() {
    let (client, sender, mut receiver) = beside(100);
    receiver.let_past();
    assert_eq!(sender.push(Thing::Typing), Pushed::Queued);
    assert_eq!(sender.push(Thing::Event(1)), Pushed::Queued);
    assert_eq!(*client.told.lock(), []);
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Typing)));
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Event(1))));
}

#[tokio::test]
async fn what_was_told_in_part_wakes_the_connection_for_the_rest() {
    let (client, sender, mut receiver) = beside(2);
    receiver.let_past();
    assert_eq!(sender.push(Thing::Event(1)), Pushed::Told);
    {
        let next = receiver.next();
        tokio::pin!(next);
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        assert_eq!(sender.push(Thing::Event(2)), Pushed::Queued);
        assert_eq!(sender.push(Thing::Event(3)), Pushed::Queued);
        assert_eq!(next.await, Ok(REST));
    }
    assert_eq!(receiver.try_next(), Some(Ok(Thing::Event(3))));
    assert_eq!(*client.told.lock(), [Thing::Event(1), Thing::Event(2)]);
}

#[test]
fn nobody_is_told_past_a_queue_that_ended() {
    let (client, sender, mut receiver) = beside(100);
    receiver.let_past();
    drop(receiver);
    assert_eq!(sender.push(Thing::Event(1)), Pushed::Closed);
    assert_eq!(*client.told.lock(), []);
}
