//! What readers heard against what is stored.

use std::collections::HashMap;

use super::{Fault, Stored, Verdict};
use crate::history::{Conversation, Op, Seen, Stream};

/// A reader's place in one stream of one conversation.
type Place = (u32, Conversation, Stream);

#[derive(Default)]
struct Follow {
    connection: u32,
    /// The last position heard, over all connections.
    last: u64,
    /// The position the running subscription goes on with.
    next: u64,
}

pub(super) fn check(history: &[Op], stored: &Stored<'_>, verdict: &mut Verdict) {
    let mut follows: HashMap<Place, Follow> = HashMap::new();
    for op in history {
        match op {
            Op::Subscribed {
                reader,
                connection,
                conversation,
                stream,
                after,
                from,
                snapshot,
                ..
            } => {
                let place = (*reader, *conversation, *stream);
                let follow = follows.entry(place).or_default();
                follow.connection = *connection;
                if *snapshot {
                    verdict.snapshots += 1;
                } else if *from != after + 1 {
                    verdict.add(Fault::LiveGap, || {
                        format!("{place:?} resumed after {after}, the replay starts at {from}")
                    });
                }
                follow.next = *from;
            }
            Op::Live { reader, connection, seen, .. } => {
                let place = (*reader, seen.conversation, seen.stream);
                verdict.heard += 1;
                match follows.get_mut(&place) {
                    None => {
                        verdict.add(Fault::Unexpected, || format!("{place:?} never subscribed"));
                    }
                    Some(follow) => follow.hear(place, *connection, seen.seq, verdict),
                }
                compare(seen, stored, verdict);
            }
            Op::Stopped { reader, conversation, stream, last } => {
                let head = stored.by_seq.get(&(*conversation, *stream));
                let head = head.and_then(|events| events.keys().max()).copied().unwrap_or(0);
                if *last < head {
                    verdict.add(Fault::LiveGap, || {
                        format!("reader {reader} stopped at {last} of {head} in {conversation} {stream:?}")
                    });
                }
            }
            _ => {}
        }
    }
}

impl Follow {
    fn hear(&mut self, place: Place, connection: u32, seq: u64, verdict: &mut Verdict) {
        if connection != self.connection || seq < self.next {
            verdict.add(Fault::LiveRepeat, || {
                format!("{place:?} heard {seq} on {connection}, expected {}", self.next)
            });
            return;
        }
        if seq > self.next {
            verdict
                .add(Fault::LiveGap, || format!("{place:?} heard {seq}, expected {}", self.next));
        }
        self.next = seq + 1;
        self.last = seq.max(self.last);
    }
}

/// Nobody hears an event before it is durable: what was heard is in the final read, unchanged.
fn compare(seen: &Seen, stored: &Stored<'_>, verdict: &mut Verdict) {
    match stored.at((seen.conversation, seen.stream), seen.seq) {
        Some(event) if event.id == seen.id && event.text == seen.text => {}
        Some(event) => {
            verdict.add(Fault::Split, || format!("heard {seen:?}, stored {event:?}"));
        }
        None => {
            let elsewhere = seen.text.as_deref().and_then(|text| stored.by_text.get(text));
            match elsewhere.and_then(|found| found.first()) {
                Some(other) => verdict
                    .add(Fault::Renumbered, || format!("heard {seen:?}, stored at {}", other.seq)),
                None => verdict.add(Fault::Lost, || format!("heard and not stored: {seen:?}")),
            }
        }
    }
}
