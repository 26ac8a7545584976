//! The judge of a history: which promise of one node was broken, where.
//!
//! Every text of a run is unique, so that an event names the send it came from. An unknown outcome
//! may be stored once or not at all; everything else is exact.

mod live;
mod sends;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::history::{Conversation, Op, Seen, Stream};

/// The ways a history can be wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Fault {
    /// Acked or heard, and not in the final read (P1).
    Lost,
    /// One send stored twice (P3).
    Duplicate,
    /// One position with two contents, wherever seen (P2).
    Split,
    /// The final read is not 1, 2, 3 … up to the head (P2).
    NotDense,
    /// Acked or heard at one position, stored at another (P2).
    Renumbered,
    /// Two acks of one key differ (P3).
    AckChanged,
    /// Acked before the other was sent, yet stored after it (P2).
    RealtimeOrder,
    /// Every attempt was refused, yet it is stored (P4).
    RefusedButStored,
    /// A message that nobody sent.
    Unexpected,
    /// A message in a conversation, or a stream, it was not sent to.
    WrongConversation,
    /// The pages of a final read are out of order.
    ReadOrder,
    /// A reader missed an event (P5).
    LiveGap,
    /// A connection heard an event twice or backwards (P5).
    LiveRepeat,
    /// A visitor saw something of the internal stream (P13).
    NoteLeaked,
    /// A stream that nobody could read to its end.
    NoFinalRead,
    /// Two servers that serve the same show a stream differently (P2).
    Differs,
}

impl Fault {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicate => "duplicate",
            Self::Split => "split",
            Self::NotDense => "not_dense",
            Self::Renumbered => "renumbered",
            Self::AckChanged => "ack_changed",
            Self::RealtimeOrder => "realtime_order",
            Self::RefusedButStored => "refused_but_stored",
            Self::Unexpected => "unexpected",
            Self::WrongConversation => "wrong_conversation",
            Self::ReadOrder => "read_order",
            Self::LiveGap => "live_gap",
            Self::LiveRepeat => "live_repeat",
            Self::NoteLeaked => "note_leaked",
            Self::NoFinalRead => "no_final_read",
            Self::Differs => "differs",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// How many examples of one fault a verdict keeps; the rest is counted.
const EXAMPLES_MAX: usize = 5;

/// What the checker found, and how much it looked at.
#[derive(Debug, Default)]
pub struct Verdict {
    found: BTreeMap<Fault, (u64, Vec<String>)>,
    /// Sends that were acked, each key once.
    pub acked: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Attempts whose outcome nobody told.
    pub unknown: u64,
    /// Events that readers heard.
    pub heard: u64,
    /// Events in the final reads.
    pub stored: u64,
    /// Subscriptions answered by a snapshot.
    pub snapshots: u64,
}

impl Verdict {
    /// How often a fault was found.
    #[must_use]
    pub fn count(&self, fault: Fault) -> u64 {
        self.found.get(&fault).map_or(0, |(count, _)| *count)
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// The faults that were found, each with its count.
    pub fn faults(&self) -> impl Iterator<Item = (Fault, u64)> {
        self.found.iter().map(|(fault, (count, _))| (*fault, *count))
    }

    /// Examples, at most five of each fault.
    pub fn examples(&self) -> impl Iterator<Item = String> {
        self.found.iter().flat_map(|(fault, (_, examples))| {
            examples.iter().map(move |example| format!("{fault}: {example}"))
        })
    }

    fn add(&mut self, fault: Fault, example: impl FnOnce() -> String) {
        let (count, examples) = self.found.entry(fault).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(example());
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} acked, {} refused, {} unknown, {} heard, {} stored, {} snapshots; ",
            self.acked, self.refused, self.unknown, self.heard, self.stored, self.snapshots
        )?;
        if self.is_clean() {
            return out.write_str("no findings");
        }
        for (fault, count) in self.faults() {
            write!(out, "{fault} {count} ")?;
        }
        Ok(())
    }
}

type Log = (Conversation, Stream);

/// The final reads: what is stored, by stream and by text.
#[derive(Debug, Default)]
struct Stored<'a> {
    by_seq: HashMap<Log, HashMap<u64, &'a Seen>>,
    by_text: HashMap<&'a str, Vec<&'a Seen>>,
}

impl<'a> Stored<'a> {
    fn at(&self, log: Log, seq: u64) -> Option<&'a Seen> {
        self.by_seq.get(&log).and_then(|events| events.get(&seq)).copied()
    }
}

/// Judges a history.
#[must_use]
pub fn check(history: &[Op]) -> Verdict {
    let mut verdict = Verdict::default();
    let stored = final_reads(history, &mut verdict);
    sends::check(history, &stored, &mut verdict);
    live::check(history, &stored, &mut verdict);
    verdict
}

fn final_reads<'a>(history: &'a [Op], verdict: &mut Verdict) -> Stored<'a> {
    let mut stored = Stored::default();
    let mut last: HashMap<Log, u64> = HashMap::new();
    let mut heads: HashMap<Log, u64> = HashMap::new();
    let mut conversations = std::collections::BTreeSet::new();
    for op in history {
        match op {
            Op::Final(seen) => {
                let log = (seen.conversation, seen.stream);
                verdict.stored += 1;
                let before = last.entry(log).or_default();
                if seen.seq <= *before {
                    verdict.add(Fault::ReadOrder, || {
                        format!("{} after {before} in {log:?}", seen.seq)
                    });
                } else if seen.seq != *before + 1 {
                    verdict
                        .add(Fault::NotDense, || format!("{} after {before} in {log:?}", seen.seq));
                }
                *before = seen.seq.max(*before);
                if let Some(other) = stored.by_seq.entry(log).or_default().insert(seen.seq, seen)
                    && other != seen
                {
                    verdict.add(Fault::Split, || format!("{other:?} and {seen:?}"));
                }
                if let Some(text) = &seen.text {
                    stored.by_text.entry(text).or_default().push(seen);
                }
            }
            Op::FinalRead { conversation, stream, head } => {
                heads.insert((*conversation, *stream), *head);
            }
            Op::Differs { conversation, stream, how } => {
                verdict.add(Fault::Differs, || format!("{conversation} {stream:?}: {how}"));
            }
            Op::Attempt { key, .. } => {
                conversations.insert(key.conversation);
            }
            Op::Subscribed { conversation, .. } => {
                conversations.insert(*conversation);
            }
            Op::Acked { .. }
            | Op::Refused { .. }
            | Op::Unknown { .. }
            | Op::Live { .. }
            | Op::Leaked { .. }
            | Op::Stopped { .. } => {}
        }
    }
    for log in conversations.iter().flat_map(|c| [(*c, Stream::Public), (*c, Stream::Internal)]) {
        match heads.get(&log) {
            None => verdict.add(Fault::NoFinalRead, || format!("{log:?}")),
            Some(head) if *head != last.get(&log).copied().unwrap_or(0) => {
                verdict.add(Fault::NotDense, || format!("{log:?} ends before its head {head}"));
            }
            Some(_) => {}
        }
    }
    stored
}
