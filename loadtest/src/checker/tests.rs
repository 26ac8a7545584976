//! Each planted fault turns the verdict red by its own name; the clean history does not.

use std::time::{Duration, Instant};

use super::*;
use crate::history::Key;

const SENDERS: u32 = 4;

/// A clean run: `n` sends in each of `conversations`, every third a note, one visitor and one agent
/// following, the agent resumed half-way.
fn clean(conversations: u32, n: u64) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut at_us = 0;
    let mut connection = 0;
    for conversation in 0..conversations {
        let mut heads = HashMap::from([(Stream::Public, 0), (Stream::Internal, 0)]);
        let mut stored = Vec::new();
        let subscribe = |reader, connection, stream, after: u64| Op::Subscribed {
            reader,
            connection,
            conversation,
            stream,
            after,
            from: after + 1,
            head: after,
            snapshot: false,
        };
        let (visitor, agent) = (conversation * 2, conversation * 2 + 1);
        let visitor_connection = connection;
        let mut agent_connection = connection + 1;
        connection += 3;
        ops.push(subscribe(visitor, visitor_connection, Stream::Public, 0));
        ops.push(subscribe(agent, agent_connection, Stream::Public, 0));
        ops.push(subscribe(agent, agent_connection, Stream::Internal, 0));
        for i in 1..=n {
            let sender = u32::try_from(i % u64::from(SENDERS)).unwrap();
            let key = Key { conversation, sender, n: i.div_ceil(u64::from(SENDERS)) };
            let stream = if i % 3 == 0 { Stream::Internal } else { Stream::Public };
            let text: std::sync::Arc<str> = format!("c{conversation}-s{sender}-{i}").into();
            let head = heads.entry(stream).or_default();
            *head += 1;
            let seen = Seen {
                conversation,
                stream,
                seq: *head,
                id: format!("id-{conversation}-{i}").into(),
                text: Some(text.clone()),
            };
            ops.push(Op::Attempt { at_us: at_us + 1, key, stream, text });
            if stream == Stream::Public {
                ops.push(Op::Live {
                    reader: visitor,
                    connection: visitor_connection,
                    visitor: true,
                    seen: seen.clone(),
                });
            }
            ops.push(Op::Live {
                reader: agent,
                connection: agent_connection,
                visitor: false,
                seen: seen.clone(),
            });
            ops.push(Op::Acked { at_us: at_us + 2, key, seq: seen.seq, id: seen.id.clone() });
            at_us += 3;
            stored.push(seen);
            if i == n / 2 {
                agent_connection += 1;
                for (stream, after) in heads.clone() {
                    ops.push(subscribe(agent, agent_connection, stream, after));
                }
            }
        }
        for stream in [Stream::Public, Stream::Internal] {
            let head = heads.get(&stream).copied().unwrap_or(0);
            ops.push(Op::Stopped { reader: agent, conversation, stream, last: head });
            ops.extend(stored.iter().filter(|seen| seen.stream == stream).cloned().map(Op::Final));
            ops.push(Op::FinalRead { conversation, stream, head });
        }
    }
    ops
}

fn position(ops: &[Op], wanted: impl Fn(&Op) -> bool) -> usize {
    ops.iter().position(wanted).unwrap()
}

fn final_of(ops: &[Op], stream: Stream, seq: u64) -> usize {
    position(ops, |op| matches!(op, Op::Final(seen) if seen.stream == stream && seen.seq == seq))
}

fn live_of(ops: &[Op], visitor_only: bool, seq: u64) -> usize {
    position(ops, |op| {
        matches!(op, Op::Live { visitor, seen, .. }
            if *visitor == visitor_only && seen.stream == Stream::Public && seen.seq == seq)
    })
}

fn seen_mut(op: &mut Op) -> &mut Seen {
    match op {
        Op::Final(seen) | Op::Live { seen, .. } => seen,
        other => panic!("{other:?} has no event"),
    }
}

/// Plants a fault in a clean history and demands its name in the verdict.
fn check_planted(fault: Fault, plant: impl FnOnce(&mut Vec<Op>)) {
    let mut ops = clean(2, 60);
    plant(&mut ops);
    let verdict = check(&ops);
    assert!(verdict.count(fault) > 0, "{fault} was planted, the verdict is: {verdict}");
    assert!(verdict.examples().any(|example| example.starts_with(fault.name())));
}

#[test]
fn a_clean_history_passes() {
    let verdict = check(&clean(3, 90));
    assert!(verdict.is_clean(), "{verdict}: {:?}", verdict.examples().collect::<Vec<_>>());
    assert_eq!((verdict.acked, verdict.stored), (270, 270));
}

#[test]
fn an_acked_message_that_is_gone_is_lost() {
    check_planted(Fault::Lost, |ops| {
        // The tail goes, readers never heard it: only the ack tells.
        let head = ops.iter().filter_map(|op| match op {
            Op::Final(seen) if seen.stream == Stream::Public && seen.conversation == 0 => {
                Some(seen.seq)
            }
            _ => None,
        });
        let head = head.max().unwrap();
        ops.retain(|op| match op {
            Op::Final(seen) | Op::Live { seen, .. } => {
                (seen.conversation, seen.stream, seen.seq) != (0, Stream::Public, head)
            }
            _ => true,
        });
    });
}

#[test]
fn an_event_heard_and_then_gone_is_lost() {
    check_planted(Fault::Lost, |ops| {
        let acked = position(ops, |op| matches!(op, Op::Acked { seq: 5, .. }));
        let Op::Acked { key, .. } = ops.remove(acked) else { unreachable!() };
        ops.push(Op::Unknown { key });
        let at = final_of(ops, Stream::Public, 5);
        ops.remove(at);
    });
}

#[test]
fn one_send_at_two_positions_is_a_duplicate() {
    check_planted(Fault::Duplicate, |ops| {
        let at = final_of(ops, Stream::Public, 7);
        let mut twin = ops.get(at).unwrap().clone();
        seen_mut(&mut twin).seq = 8;
        ops.insert(at + 1, twin);
    });
}

#[test]
fn one_position_with_two_contents_is_split() {
    check_planted(Fault::Split, |ops| {
        let at = live_of(ops, true, 4);
        seen_mut(ops.get_mut(at).unwrap()).id = "another".into();
    });
    check_planted(Fault::Split, |ops| {
        let at = final_of(ops, Stream::Internal, 4);
        seen_mut(ops.get_mut(at).unwrap()).id = "another".into();
    });
}

#[test]
fn a_hole_in_the_final_read_is_not_dense() {
    check_planted(Fault::NotDense, |ops| {
        let at = final_of(ops, Stream::Internal, 3);
        ops.remove(at);
    });
    check_planted(Fault::NotDense, |ops| {
        let at = position(ops, |op| matches!(op, Op::FinalRead { .. }));
        let Some(Op::FinalRead { head, .. }) = ops.get_mut(at) else { unreachable!() };
        *head += 1;
    });
}

#[test]
fn a_message_that_moved_is_renumbered() {
    check_planted(Fault::Renumbered, |ops| {
        let (a, b) = (final_of(ops, Stream::Public, 5), final_of(ops, Stream::Public, 6));
        seen_mut(ops.get_mut(a).unwrap()).seq = 6;
        seen_mut(ops.get_mut(b).unwrap()).seq = 5;
        ops.swap(a, b);
    });
}

#[test]
fn a_second_ack_with_another_position_is_ack_changed() {
    check_planted(Fault::AckChanged, |ops| {
        let at = position(ops, |op| matches!(op, Op::Acked { seq: 5, .. }));
        let mut again = ops.get(at).unwrap().clone();
        let Op::Acked { seq, .. } = &mut again else { unreachable!() };
        *seq = 6;
        ops.insert(at + 1, again);
    });
}

#[test]
fn sent_after_an_ack_but_stored_before_it_breaks_the_order() {
    check_planted(Fault::RealtimeOrder, |ops| {
        // The send of position 6 is made to start after the ack of position 8.
        let late = ops.iter().find_map(|op| match op {
            Op::Acked { seq: 8, at_us, .. } => Some(*at_us),
            _ => None,
        });
        let key = ops.iter().find_map(|op| match op {
            Op::Acked { seq: 6, key, .. } if key.conversation == 0 => Some(*key),
            _ => None,
        });
        for op in ops.iter_mut() {
            if let Op::Attempt { key: of, at_us, .. } | Op::Acked { key: of, at_us, .. } = op
                && Some(*of) == key
            {
                *at_us = late.unwrap() + 1;
            }
        }
    });
}

#[test]
fn a_refused_send_that_is_stored_is_found() {
    check_planted(Fault::RefusedButStored, |ops| {
        let at = position(ops, |op| matches!(op, Op::Acked { seq: 5, .. }));
        let Op::Acked { key, .. } = ops.remove(at) else { unreachable!() };
        ops.push(Op::Refused { key, code: "busy".into() });
    });
}

#[test]
fn a_refusal_after_an_unknown_outcome_is_no_fault() {
    let mut ops = clean(1, 30);
    let at = position(&ops, |op| matches!(op, Op::Acked { seq: 5, .. }));
    let Op::Acked { key, .. } = ops.remove(at) else { unreachable!() };
    ops.push(Op::Unknown { key });
    let attempt = position(&ops, |op| matches!(op, Op::Attempt { key: of, .. } if *of == key));
    let again = ops.get(attempt).unwrap().clone();
    ops.push(again);
    ops.push(Op::Refused { key, code: "busy".into() });
    assert!(check(&ops).is_clean());
}

#[test]
fn a_message_that_nobody_sent_is_unexpected() {
    check_planted(Fault::Unexpected, |ops| {
        let at = final_of(ops, Stream::Public, 5);
        seen_mut(ops.get_mut(at).unwrap()).text = Some("from nowhere".into());
    });
}

#[test]
fn a_message_in_a_foreign_conversation_is_found() {
    check_planted(Fault::WrongConversation, |ops| {
        let at = live_of(ops, false, 5);
        seen_mut(ops.get_mut(at).unwrap()).conversation = 1;
    });
}

#[test]
fn pages_out_of_order_are_found() {
    check_planted(Fault::ReadOrder, |ops| {
        let (a, b) = (final_of(ops, Stream::Public, 5), final_of(ops, Stream::Public, 6));
        ops.swap(a, b);
    });
}

#[test]
fn a_missed_event_is_a_live_gap() {
    check_planted(Fault::LiveGap, |ops| {
        let at = live_of(ops, true, 5);
        ops.remove(at);
    });
    // A resume that starts too late.
    check_planted(Fault::LiveGap, |ops| {
        let at = position(ops, |op| matches!(op, Op::Subscribed { after, .. } if *after > 0));
        let Some(Op::Subscribed { from, .. }) = ops.get_mut(at) else { unreachable!() };
        *from += 1;
    });
    // A reader that never hears the end.
    check_planted(Fault::LiveGap, |ops| {
        let at = position(ops, |op| matches!(op, Op::Stopped { .. }));
        let Some(Op::Stopped { last, .. }) = ops.get_mut(at) else { unreachable!() };
        *last -= 1;
    });
}

#[test]
fn an_event_heard_twice_is_a_live_repeat() {
    check_planted(Fault::LiveRepeat, |ops| {
        let at = live_of(ops, true, 5);
        let twin = ops.get(at).unwrap().clone();
        ops.insert(at + 1, twin);
    });
}

#[test]
fn a_note_that_a_visitor_sees_is_leaked() {
    // On the visitor's own stream.
    check_planted(Fault::NoteLeaked, |ops| {
        let at = position(
            ops,
            |op| matches!(op, Op::Live { visitor: false, seen, .. } if seen.stream == Stream::Internal),
        );
        let Some(Op::Live { visitor, .. }) = ops.get_mut(at) else { unreachable!() };
        *visitor = true;
    });
    // Stored in the public stream.
    check_planted(Fault::NoteLeaked, |ops| {
        let at = final_of(ops, Stream::Internal, 2);
        seen_mut(ops.get_mut(at).unwrap()).stream = Stream::Public;
    });
    // Somewhere in the bytes.
    check_planted(Fault::NoteLeaked, |ops| {
        ops.push(Op::Leaked { conversation: 0, bytes: "…".into() });
    });
}

#[test]
fn a_stream_without_a_final_read_is_found() {
    check_planted(Fault::NoFinalRead, |ops| {
        let at = position(ops, |op| matches!(op, Op::FinalRead { .. }));
        ops.remove(at);
    });
}

#[test]
fn servers_that_show_a_stream_differently_are_found() {
    check_planted(Fault::Differs, |ops| {
        let (conversation, stream) = (0, Stream::Public);
        ops.push(Op::Differs { conversation, stream, how: "heads 5 and 6".to_owned() });
    });
}

#[test]
fn three_hundred_thousand_events_take_seconds() {
    let ops = clean(50, 1_600);
    assert!(ops.len() > 300_000, "{}", ops.len());
    let started = Instant::now();
    let verdict = check(&ops);
    assert!(verdict.is_clean(), "{verdict}");
    // A bound against quadratic work, wide enough for a busy machine and a debug build.
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn a_history_is_written_as_json_lines() {
    let ops = clean(1, 12);
    let mut out = Vec::new();
    crate::history::write_lines(&ops, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), ops.len());
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["op"], "subscribed");
}
