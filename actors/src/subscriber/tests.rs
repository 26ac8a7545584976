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
