//! Each predicate holds for a true history and finds the fault planted in it.

use super::*;
use crate::conversation::fixture::*;
use crate::conversation::{AssignedBy, Command, Priority};
use crate::ids::DeviceId;

/// Public: created, Vera 1, assigned, Ben 2, transferred, Vera 3. Internal: note, reason.
fn chat() -> Chat {
    let mut chat = Chat::given(&[]);
    for (n, (caller, command)) in [
        (vera(), say("one")),
        (ben(), accept(&ben())),
        (ben(), say("two")),
        (ben(), note("aside")),
        (ben(), hand_to(&cyd(), "because")),
    ]
    .into_iter()
    .enumerate()
    {
        let n = u64::try_from(n).unwrap();
        let number = if caller == vera() { 1 } else { n };
        chat.ask(&caller, Some(key(1, number, n)), command).unwrap();
    }
    chat.must(&vera(), say("three"));
    chat
}

fn attempts(log: &[Event]) -> Vec<Attempt> {
    log.iter()
        .filter_map(|event| {
            let Event { stream, seq, id, .. } = *event;
            let outcome = Outcome::Acked { stream, seq, id };
            event.key.map(|key| Attempt { principal: event.from.principal, key, outcome })
        })
        .collect()
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "verdicts are asked in place")]
fn holds(verdict: Verdict) {
    assert_eq!(verdict, Ok(()));
}

#[track_caller]
fn breaks(verdict: Verdict, promise: Promise) {
    assert_eq!(verdict.map_err(|violation| violation.promise), Err(promise));
}

/// The history with one event changed.
fn spoilt(idx: usize, spoil: impl FnOnce(&mut Event)) -> Vec<Event> {
    let mut log = chat().log;
    spoil(&mut log[idx]);
    log
}

fn without(idx: usize) -> Vec<Event> {
    let mut log = chat().log;
    log.remove(idx);
    log
}

#[test]
fn p1_finds_what_was_acked_and_lost() {
    let (log, acked) = (chat().log, attempts(&chat().log));
    assert_eq!(acked.len(), 5);
    holds(p1_durable_ack(&log, &acked));
    breaks(p1_durable_ack(&without(1), &acked), Promise::DurableAck);
    let other_id = spoilt(1, |event| event.id = EventId::from_u128(99));
    breaks(p1_durable_ack(&other_id, &acked), Promise::DurableAck);
    let other_author = spoilt(1, |event| event.from = otto().author);
    breaks(p1_durable_ack(&other_author, &acked), Promise::DurableAck);
}

#[test]
fn p2_finds_gaps_doubles_swaps_and_changed_history() {
    let log = chat().log;
    holds(p2_one_order(&log));
    holds(p2_one_order(&[]));
    for idx in 0..log.len() - 1 {
        // The last of a stream is missed by nobody who was not told of it.
        if log[idx + 1..].iter().any(|event| event.stream == log[idx].stream) {
            breaks(p2_one_order(&without(idx)), Promise::OneOrder);
        }
        let mut swapped = log.clone();
        swapped.swap(idx, idx + 1);
        breaks(p2_one_order(&swapped), Promise::OneOrder);
        let mut doubled = log.clone();
        doubled.insert(idx, log[idx].clone());
        breaks(p2_one_order(&doubled), Promise::OneOrder);
    }
    for spoilt in [
        spoilt(2, |event| event.id = EventId::from_u128(1)),
        spoilt(2, |event| event.at = START.plus_ms(-1)),
        spoilt(4, |event| event.public_head = Seq(3)),
        spoilt(0, |event| event.body = Body::Reopened),
        spoilt(3, |event| event.body = log[0].body.clone()),
    ] {
        breaks(p2_one_order(&spoilt), Promise::OneOrder);
    }
    holds(p2_same_for_all(&log, &log[2..5]));
    let changed = spoilt(3, |event| event.body = Body::Reopened);
    breaks(p2_same_for_all(&log, &changed), Promise::OneOrder);
    breaks(p2_same_for_all(&log[..3], &log[3..4]), Promise::OneOrder);
}

#[test]
fn p3_finds_what_is_stored_twice() {
    let log = chat().log;
    holds(p3_safe_retry(&log));
    let key = log[1].key;
    breaks(p3_safe_retry(&spoilt(7, |event| event.key = key)), Promise::SafeRetry);
    let skipping = key.map(|key| SendKey { n: 3, ..key });
    breaks(p3_safe_retry(&spoilt(7, |event| event.key = skipping)), Promise::SafeRetry);
    let other_device = key.map(|key| SendKey { device: DeviceId::from_u128(9), ..key });
    holds(p3_safe_retry(&spoilt(7, |event| event.key = other_device)));
}

#[test]
fn p4_finds_what_was_refused_and_stored() {
    let log = chat().log;
    let mut all = attempts(&log);
    holds(p4_unknown_outcome(&log, &all));
    all[0].outcome = Outcome::Unknown;
    holds(p4_unknown_outcome(&log, &all));
    all[0].outcome = Outcome::Refused;
    breaks(p4_unknown_outcome(&log, &all), Promise::UnknownOutcome);
    all.push(Attempt { outcome: Outcome::Unknown, ..all[0] });
    holds(p4_unknown_outcome(&log, &all));
    breaks(p4_unknown_outcome(&log, &all[2..]), Promise::UnknownOutcome);
}

#[test]
fn p5_finds_gaps_doubles_and_what_was_heard_too_early() {
    let seqs = |seqs: &[u64]| seqs.iter().copied().map(Seq).collect::<Vec<_>>();
    holds(p5_live_delivery(Seq(4), &seqs(&[5, 6, 7]), Seq(7)));
    holds(p5_live_delivery(Seq(9), &[], Seq(0)));
    for heard in [&[6, 7][..], &[5, 5], &[5, 7], &[5, 6, 5], &[4]] {
        breaks(p5_live_delivery(Seq(4), &seqs(heard), Seq(9)), Promise::LiveDelivery);
    }
    breaks(p5_live_delivery(Seq(4), &seqs(&[5, 6]), Seq(5)), Promise::LiveDelivery);
}

#[test]
fn p6_finds_an_owner_of_the_past() {
    holds(p6_one_owner(&[]));
    holds(p6_one_owner(&[1, 1, 2, 5]));
    breaks(p6_one_owner(&[1, 2, 1]), Promise::OneOwner);
}

#[test]
fn p7_finds_what_is_over_its_bound() {
    let bound = Load { n_items: 256, n_bytes: 262_144 };
    holds(p7_bounded(bound, bound));
    breaks(p7_bounded(Load { n_items: 257, n_bytes: 1 }, bound), Promise::Bounded);
    breaks(p7_bounded(Load { n_items: 1, n_bytes: 262_145 }, bound), Promise::Bounded);
    let mut state = chat().state().clone();
    holds(p7_bounded_state(&state));
    let device = state.dedupe.devices[0].clone();
    state.dedupe.devices.extend(vec![device; DEVICES_KEPT_MAX]);
    breaks(p7_bounded_state(&state), Promise::Bounded);
    let mut state = chat().state().clone();
    state.tags = vec!["x".into(); TAGS_MAX + 1];
    breaks(p7_bounded_state(&state), Promise::Bounded);
}

#[test]
fn p8_finds_a_state_that_the_log_does_not_say() {
    let chat = chat();
    holds(p8_contained(ID, chat.state(), &chat.log));
    let mut state = chat.state().clone();
    state.priority = Priority::Urgent;
    breaks(p8_contained(ID, &state, &chat.log), Promise::Contained);
    breaks(p8_contained(ID, chat.state(), &chat.log[..4]), Promise::Contained);
    breaks(p8_contained(ID, chat.state(), &chat.log[1..]), Promise::Contained);
    breaks(p8_contained(ID, chat.state(), &[]), Promise::Contained);
}

#[test]
fn p9_and_p10_compare() {
    holds(p9_drain(Timestamp(5), Timestamp(30_005)));
    breaks(p9_drain(Timestamp(5), Timestamp(30_006)), Promise::Drain);
    let (one, other) = (TenantId("one".into()), TenantId("other".into()));
    holds(p10_tenants(&one, &one));
    breaks(p10_tenants(&one, &other), Promise::Tenants);
}

#[test]
fn p11_finds_what_was_taken_twice() {
    holds(p11_capacity(4, 5));
    breaks(p11_capacity(5, 5), Promise::Capacity);
    breaks(p11_capacity(6, 5), Promise::Capacity);
    let mut chat = chat();
    holds(p11_one_wins(&chat.log));
    for command in [Command::RefuseTransfer, note("back at Ben"), Command::Unassign] {
        let caller = if command == Command::Unassign { ben() } else { cyd() };
        chat.must(&caller, command);
    }
    chat.must(&cyd(), accept(&cyd()));
    chat.must(&cyd(), close());
    holds(p11_one_wins(&chat.log));

    let taking =
        |by| Body::Assigned { agent: agent_ref(&cyd()), by, previous: Some(agent_ref(&ben())) };
    for (by, verdict) in [
        (AssignedBy::Accept, Err(Promise::Capacity)),
        (AssignedBy::Route, Err(Promise::Capacity)),
        (AssignedBy::Assign, Ok(())),
    ] {
        let log = spoilt(3, |event| event.body = taking(by));
        let found = p11_one_wins(&log[..4]).map_err(|violation| violation.promise);
        assert_eq!(found, verdict, "{by:?}");
    }
    let unnamed =
        Body::Assigned { agent: agent_ref(&cyd()), by: AssignedBy::Assign, previous: None };
    breaks(p11_one_wins(&spoilt(3, |event| event.body = unnamed)), Promise::Capacity);
}

#[test]
fn p12_finds_a_count_that_no_message_made() {
    let log = chat().log;
    holds(p12_derived_counts(&log));
    for idx in 0..log.len() {
        let log = spoilt(idx, |event| event.ordinals.visitor += 1);
        breaks(p12_derived_counts(&log), Promise::DerivedCounts);
    }
}

#[test]
fn p13_finds_a_leaked_note() {
    let log = chat().log;
    holds(p13_notes_inside(&log));
    let internal = log.iter().position(|event| event.stream == Stream::Internal).unwrap();
    let leaked = spoilt(internal, |event| event.stream = Stream::Public);
    breaks(p13_notes_inside(&leaked), Promise::NotesInside);
    let hidden = spoilt(1, |event| event.stream = Stream::Internal);
    breaks(p13_notes_inside(&hidden), Promise::NotesInside);
    let public: Vec<Event> =
        log.iter().filter(|event| event.stream == Stream::Public).cloned().collect();
    holds(p13_visitor_sees(&public));
    breaks(p13_visitor_sees(&log), Promise::NotesInside);
    breaks(p13_visitor_sees(&[public[1].clone(), public[3].clone()]), Promise::NotesInside);
}

#[test]
fn a_violation_names_its_promise() {
    let violation = p11_capacity(5, 5).unwrap_err();
    assert_eq!(violation.to_string(), "P11 is broken: 5 of 5 slots were taken");
}
