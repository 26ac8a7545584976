//! Keys are stored once.

use super::*;

#[test]
fn a_retry_answers_again_and_stores_nothing() {
    let mut chat = Chat::given(&[]);
    let mut ask = |n, digest, text: &str| chat.ask(&vera(), Some(key(1, n, digest)), say(text));
    assert_eq!(ask(2, 2, "two"), Err(Rejection::Gap { expect: 1 }));
    assert_eq!(ask(0, 0, "zero"), Err(Rejection::Gap { expect: 1 }));
    assert!(matches!(ask(1, 1, "one"), Ok(Answer::Stored(_))));
    assert!(matches!(ask(2, 2, "two"), Ok(Answer::Stored(_))));
    assert_eq!(ask(1, 1, "one"), Ok(Answer::Duplicate(Stream::Public, Seq(2))));
    assert_eq!(ask(2, 2, "two"), Ok(Answer::Duplicate(Stream::Public, Seq(3))));
    assert_eq!(ask(2, 9, "other"), Err(Rejection::Conflict));
    assert_eq!(ask(4, 4, "four"), Err(Rejection::Gap { expect: 3 }));
    assert!(ask(3, 3, " ").is_err());
    assert!(matches!(ask(3, 4, "three"), Ok(Answer::Stored(_))), "a refusal consumes nothing");
    assert_eq!(chat.log.len(), 4);
}

#[test]
fn a_retry_is_answered_after_the_end_too() {
    let mut chat = Chat::given(&[]);
    let first = key(1, 1, 1);
    chat.ask(&vera(), Some(first), say("one")).expect("is stored");
    chat.must(&vera(), close());
    let again = chat.ask(&vera(), Some(first), say("one"));
    assert_eq!(again, Ok(Answer::Duplicate(Stream::Public, Seq(2))));
    let next = chat.ask(&vera(), Some(key(1, 2, 2)), say("two"));
    assert_eq!(next, Err(Rejection::Closed));
}

#[test]
fn devices_and_principals_number_apart_and_both_streams_together() {
    let mut chat = Chat::given(&[]);
    for (caller, device, n, command) in [
        (vera(), 1, 1, say("a")),
        (vera(), 2, 1, say("b")),
        (ben(), 1, 1, say("c")),
        (ben(), 1, 2, note("d")),
        (ben(), 1, 3, say("e")),
    ] {
        let answer = chat.ask(&caller, Some(key(device, n, n)), command);
        assert!(matches!(answer, Ok(Answer::Stored(_))), "{answer:?}");
    }
    let again = chat.ask(&ben(), Some(key(1, 2, 2)), note("d"));
    assert_eq!(again, Ok(Answer::Duplicate(Stream::Internal, Seq(1))));
}

#[test]
fn old_sends_and_forgotten_devices_are_found_in_the_log() {
    let mut chat = Chat::given(&[]);
    let n_sends = u64::try_from(SENDS_KEPT_MAX).expect("a small number") + 2;
    for n in 1..=n_sends {
        chat.ask(&vera(), Some(key(1, n, n)), say("x")).expect("is stored");
    }
    assert_eq!(chat.n_look_ups, 0);
    let duplicate = |seq| Ok(Answer::Duplicate(Stream::Public, Seq(seq)));
    assert_eq!(chat.ask(&vera(), Some(key(1, 2, 2)), say("x")), duplicate(3));
    assert_eq!(chat.n_look_ups, 1);
    assert_eq!(chat.ask(&vera(), Some(key(1, 3, 3)), say("x")), duplicate(4));
    assert_eq!(chat.n_look_ups, 1, "the newest are in memory");

    let n_devices = u128::try_from(DEVICES_KEPT_MAX).expect("a small number");
    for device in 2..=n_devices {
        chat.ask(&vera(), Some(key(device, 1, 1)), say("x")).expect("is stored");
    }
    assert!(!chat.state().dedupe.forgotten);
    chat.ask(&vera(), Some(key(99, 1, 1)), say("x")).expect("is stored");
    assert!(chat.state().dedupe.forgotten);
    assert_eq!(chat.state().dedupe.devices.len(), DEVICES_KEPT_MAX);

    let before = chat.log.len();
    assert_eq!(chat.ask(&vera(), Some(key(1, 9, 9)), say("x")), duplicate(10));
    assert_eq!(chat.ask(&vera(), Some(key(1, 9, 8)), say("y")), Err(Rejection::Conflict));
    let gap = Err(Rejection::Gap { expect: n_sends + 1 });
    assert_eq!(chat.ask(&vera(), Some(key(1, n_sends + 2, 0)), say("x")), gap);
    assert_eq!(chat.log.len(), before);
    let next = chat.ask(&vera(), Some(key(1, n_sends + 1, 0)), say("x"));
    assert!(matches!(next, Ok(Answer::Stored(_))), "{next:?}");
    let unheard = chat.ask(&vera(), Some(key(1_000, 2, 0)), say("x"));
    assert_eq!(unheard, Err(Rejection::Gap { expect: 1 }));
    assert!(chat.state().dedupe.devices.iter().all(|it| it.device != key(1_000, 2, 0).device));
    crate::invariant::p3_safe_retry(&chat.log).expect("nothing is stored twice");
}

#[test]
fn a_used_number_without_an_event_is_never_fresh() {
    let mut dedupe = Dedupe::default();
    let principal = vera().author.principal;
    assert_eq!(dedupe.remember(principal, key(1, 3, 3), 5, None), Known::Conflict);
    assert_eq!(dedupe.check(principal, key(1, 6, 6)), Known::Fresh);
    assert_eq!(dedupe.check(principal, key(1, 3, 3)), Known::LookUp);
}
