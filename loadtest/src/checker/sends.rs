//! What was sent against what is stored.

use std::collections::{HashMap, HashSet};

use super::{Fault, Log, Stored, Verdict};
use crate::history::{Key, Op, Stream};

/// Everything the history says of one send.
struct Send<'a> {
    stream: Stream,
    text: &'a str,
    /// The highest position that was acked in the same stream before the first attempt left.
    floor: u64,
    /// The first ack: position and identity.
    ack: Option<(u64, &'a str)>,
    attempts: u64,
    refusals: u64,
}

pub(super) fn check(history: &[Op], stored: &Stored<'_>, verdict: &mut Verdict) {
    let sends = collect(history, verdict);
    let mut texts: HashMap<&str, (Key, Stream)> = HashMap::with_capacity(sends.len());
    for (key, send) in &sends {
        texts.insert(send.text, (*key, send.stream));
    }
    for (key, send) in &sends {
        check_send(*key, send, stored, verdict);
    }
    check_events(history, &texts, verdict);
}

fn collect<'a>(history: &'a [Op], verdict: &mut Verdict) -> Vec<(Key, Send<'a>)> {
    let mut positions: HashMap<Key, usize> = HashMap::new();
    let mut sends: Vec<(Key, Send<'a>)> = Vec::new();
    for op in history {
        match op {
            Op::Attempt { key, stream, text, .. } => {
                let position = *positions.entry(*key).or_insert_with(|| {
                    let send = Send {
                        stream: *stream,
                        text,
                        floor: 0,
                        ack: None,
                        attempts: 0,
                        refusals: 0,
                    };
                    sends.push((*key, send));
                    sends.len() - 1
                });
                if let Some((_, send)) = sends.get_mut(position) {
                    send.attempts += 1;
                }
            }
            Op::Acked { key, seq, id, .. } => {
                let Some((_, send)) = positions.get(key).and_then(|at| sends.get_mut(*at)) else {
                    verdict.add(Fault::Unexpected, || format!("ack of a send never made: {key:?}"));
                    continue;
                };
                match send.ack {
                    None => {
                        send.ack = Some((*seq, id));
                        verdict.acked += 1;
                    }
                    Some(first) if first != (*seq, &**id) => verdict.add(Fault::AckChanged, || {
                        format!("{key:?}: first {first:?}, then ({seq}, {id:?})")
                    }),
                    Some(_) => {}
                }
            }
            Op::Refused { key, .. } => {
                verdict.refused += 1;
                if let Some((_, send)) = positions.get(key).and_then(|at| sends.get_mut(*at)) {
                    send.refusals += 1;
                }
            }
            Op::Unknown { .. } => verdict.unknown += 1,
            Op::Subscribed { .. }
            | Op::Live { .. }
            | Op::Leaked { .. }
            | Op::Stopped { .. }
            | Op::Final(_)
            | Op::Differs { .. }
            | Op::FinalRead { .. } => {}
        }
    }
    find_floors(history, &positions, &mut sends);
    sends
}

/// One sweep in the order of time: an ack raises its stream's floor, a first attempt takes it.
fn find_floors(history: &[Op], positions: &HashMap<Key, usize>, sends: &mut [(Key, Send<'_>)]) {
    // At equal times an attempt comes first: the ack was not surely before it.
    let mut sweep: Vec<(u64, bool, Key, u64)> = Vec::with_capacity(history.len());
    for op in history {
        match op {
            Op::Attempt { at_us, key, .. } => sweep.push((*at_us, false, *key, 0)),
            Op::Acked { at_us, key, seq, .. } => sweep.push((*at_us, true, *key, *seq)),
            _ => {}
        }
    }
    sweep.sort_by_key(|(at_us, is_ack, ..)| (*at_us, *is_ack));
    let mut floors: HashMap<Log, u64> = HashMap::new();
    let mut begun: HashSet<Key> = HashSet::new();
    for (_, is_ack, key, seq) in sweep {
        let Some((_, send)) = positions.get(&key).and_then(|at| sends.get_mut(*at)) else {
            continue;
        };
        let floor = floors.entry((key.conversation, send.stream)).or_default();
        if is_ack {
            *floor = seq.max(*floor);
        } else if begun.insert(key) {
            send.floor = *floor;
        }
    }
}

fn check_send(key: Key, send: &Send<'_>, stored: &Stored<'_>, verdict: &mut Verdict) {
    let log = (key.conversation, send.stream);
    let found = stored.by_text.get(send.text).map_or(&[][..], Vec::as_slice);
    if found.len() > 1 {
        verdict.add(Fault::Duplicate, || {
            format!("{key:?} at {:?}", found.iter().map(|seen| seen.seq).collect::<Vec<_>>())
        });
    }
    let here = found.iter().find(|seen| (seen.conversation, seen.stream) == log);
    if let Some((seq, id)) = send.ack {
        match stored.at(log, seq) {
            Some(event) if event.text.as_deref() == Some(send.text) && &*event.id == id => {}
            Some(event) => {
                verdict.add(Fault::Split, || format!("{key:?} acked at {seq}, there is {event:?}"));
                missing(key, here.map(|seen| seen.seq), seq, verdict);
            }
            None => missing(key, here.map(|seen| seen.seq), seq, verdict),
        }
    } else if here.is_some() && send.refusals == send.attempts {
        verdict.add(Fault::RefusedButStored, || format!("{key:?} {:?}", send.text));
    }
    let position = send.ack.map(|(seq, _)| seq).or(here.map(|seen| seen.seq));
    if let Some(seq) = position
        && seq <= send.floor
    {
        verdict.add(Fault::RealtimeOrder, || {
            format!("{key:?} is at {seq}, but {} was acked before it was sent", send.floor)
        });
    }
}

fn missing(key: Key, elsewhere: Option<u64>, seq: u64, verdict: &mut Verdict) {
    match elsewhere {
        Some(other) if other != seq => {
            verdict.add(Fault::Renumbered, || format!("{key:?} acked at {seq}, stored at {other}"));
        }
        Some(_) => {}
        None => verdict.add(Fault::Lost, || format!("{key:?} acked at {seq}, stored nowhere")),
    }
}

/// Every text that anybody saw must have been sent, and seen where it was sent to.
fn check_events(history: &[Op], texts: &HashMap<&str, (Key, Stream)>, verdict: &mut Verdict) {
    for op in history {
        let (seen, visitor) = match op {
            Op::Final(seen) => (seen, false),
            Op::Live { seen, visitor, .. } => (seen, *visitor),
            Op::Leaked { conversation, bytes } => {
                verdict.add(Fault::NoteLeaked, || format!("in {conversation}: {bytes}"));
                continue;
            }
            _ => continue,
        };
        if visitor && seen.stream == Stream::Internal {
            verdict.add(Fault::NoteLeaked, || format!("a visitor heard {seen:?}"));
        }
        let Some(text) = &seen.text else { continue };
        match texts.get(&**text) {
            None => verdict.add(Fault::Unexpected, || format!("{seen:?}")),
            Some((key, Stream::Internal)) if seen.stream == Stream::Public => {
                verdict.add(Fault::NoteLeaked, || format!("{key:?} is public: {seen:?}"));
            }
            Some((key, stream)) => {
                if (key.conversation, *stream) != (seen.conversation, seen.stream) {
                    verdict.add(Fault::WrongConversation, || format!("{key:?} seen as {seen:?}"));
                }
            }
        }
    }
}
