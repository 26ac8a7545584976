//! Events become state.

use super::*;

#[test]
fn the_first_response_is_an_agents_first_public_message() {
    let mut chat = Chat::given(&[(vera(), say("one")), (ben(), note("aside"))]);
    assert_eq!(chat.state().first_response_at, None);
    chat.must(&system(), say("we will be with you"));
    assert_eq!(chat.state().first_response_at, None);
    let at = chat.must(&ben(), say("hello")).first().map(|event| event.at);
    chat.must(&ben(), say("again"));
    assert_eq!(chat.state().first_response_at, at);
}

#[test]
fn an_event_out_of_place_changes_nothing() {
    let mut chat = written();
    let before = chat.state().clone();
    let next = chat.must(&ben(), say("next")).remove(0);
    for (seq, public_head, stream) in [
        (5, 5, Stream::Internal),
        (4, 4, Stream::Public),
        (6, 6, Stream::Public),
        (5, 4, Stream::Public),
        (2, 3, Stream::Internal),
        (2, 5, Stream::Internal),
        (1, 4, Stream::Internal),
        (3, 4, Stream::Internal),
    ] {
        let event = Event { seq: Seq(seq), public_head: Seq(public_head), stream, ..next.clone() };
        let mut state = before.clone();
        let found = state.apply(&event);
        let expect = OutOfOrder {
            stream,
            seq: Seq(seq),
            public_head: Seq(public_head),
            heads: before.heads,
        };
        assert_eq!(found, Err(expect));
        assert_eq!(state, before);
    }
    let mut state = before.clone();
    assert_eq!(state.apply(&next), Ok(()));
    assert_eq!(&state, chat.state());
}

#[test]
fn only_created_at_the_beginning_begins() {
    let chat = written();
    let first = &chat.log[0];
    assert!(Conversation::begin(ID, first).is_some());
    for event in [
        Event { seq: Seq(2), ..first.clone() },
        Event { public_head: Seq(0), ..first.clone() },
        Event { stream: Stream::Internal, ..first.clone() },
        Event { body: Body::Reopened, ..first.clone() },
    ] {
        assert_eq!(Conversation::begin(ID, &event), None);
    }
    assert_eq!(Conversation::fold(ID, &[]), Ok(None));
    assert!(Conversation::fold(ID, &chat.log[1..]).is_err());
    assert!(Conversation::fold(ID, chat.log.iter().filter(|event| event.seq != Seq(3))).is_err());
}

#[test]
fn two_streams_read_apart_merge_into_the_order_of_writing() {
    let mut chat = written();
    for command in [note("b"), say("three"), note("c"), hand_to(&cyd(), "because")] {
        chat.must(&ben(), command);
    }
    let mut apart: Vec<Event> =
        chat.log.iter().filter(|event| event.stream == Stream::Internal).cloned().collect();
    apart.extend(chat.log.iter().filter(|event| event.stream == Stream::Public).cloned());
    assert_ne!(apart, chat.log);
    apart.sort_by_key(Event::order);
    assert_eq!(apart, chat.log);
}
