//! What happened, in the words of the promises: every send and its outcome, every event a reader
//! heard, and the final reads. One monotonic clock, the harness's own.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use serde::Serialize;

/// One of a conversation's two logs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// What the visitor and the agents see.
    Public,
    /// What agents alone see.
    Internal,
}

/// A conversation by its number in the run, not by its id.
pub type Conversation = u32;

/// The idempotency key of one send: a sender is one (principal, device) in one conversation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Key {
    /// Where it was sent.
    pub conversation: Conversation,
    /// Who sent it, by number in the run.
    pub sender: u32,
    /// Its position in the sender's outbox, dense from 1.
    pub n: u64,
}

/// An event as somebody saw it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Seen {
    /// The conversation it was delivered for.
    pub conversation: Conversation,
    /// The stream it was delivered on.
    pub stream: Stream,
    /// Its position.
    pub seq: u64,
    /// Its identity.
    pub id: Arc<str>,
    /// Its text, for messages, notes and whispers; none for other kinds.
    pub text: Option<Arc<str>>,
}

/// One entry of the history.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Before the bytes of a send, or of its retry, left.
    Attempt {
        /// When, since the start of the run.
        at_us: u64,
        /// Which send.
        key: Key,
        /// Where it belongs.
        stream: Stream,
        /// What it says; no other send of the run says the same.
        text: Arc<str>,
    },
    /// After an ack was read.
    Acked {
        /// When, since the start of the run.
        at_us: u64,
        /// Which send.
        key: Key,
        /// The position it was given.
        seq: u64,
        /// The identity it was given.
        id: Arc<str>,
    },
    /// After a definite refusal of one attempt was read.
    Refused {
        /// Which send.
        key: Key,
        /// Why.
        code: Arc<str>,
    },
    /// An attempt whose outcome nobody told.
    Unknown {
        /// Which send.
        key: Key,
    },
    /// A reader's subscription was answered.
    Subscribed {
        /// The reader, by number in the run.
        reader: u32,
        /// Its connection, by number in the run.
        connection: u32,
        /// What it subscribed to.
        conversation: Conversation,
        /// Which stream.
        stream: Stream,
        /// The position it resumed after.
        after: u64,
        /// The position the server continues from.
        from: u64,
        /// The head the server named.
        head: u64,
        /// Whether the server sends a snapshot instead of everything after `after`.
        snapshot: bool,
    },
    /// A reader heard an event.
    Live {
        /// The reader, by number in the run.
        reader: u32,
        /// Its connection, by number in the run.
        connection: u32,
        /// Whether the reader is a visitor.
        visitor: bool,
        /// What it heard.
        seen: Seen,
    },
    /// Internal text in the raw bytes of a visitor's connection or answer.
    Leaked {
        /// Where.
        conversation: Conversation,
        /// The start of what was read.
        bytes: String,
    },
    /// The last position a reader had heard when it was stopped, after it was given time to catch up.
    Stopped {
        /// The reader, by number in the run.
        reader: u32,
        /// What it followed.
        conversation: Conversation,
        /// Which stream.
        stream: Stream,
        /// The last position it heard.
        last: u64,
    },
    /// An event of the final read, in the order the pages had.
    Final(Seen),
    /// The final read of a stream at another server is not the one that is recorded.
    Differs {
        /// Which conversation.
        conversation: Conversation,
        /// Which stream.
        stream: Stream,
        /// Where, and what was read at each.
        how: String,
    },
    /// The final read of a stream is complete.
    FinalRead {
        /// Which conversation.
        conversation: Conversation,
        /// Which stream.
        stream: Stream,
        /// The head that the last page named.
        head: u64,
    },
}

/// Collects the history of a run from many tasks.
#[derive(Debug)]
pub struct Recorder {
    started: Instant,
    ops: Mutex<Vec<Op>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { started: Instant::now(), ops: Mutex::default() }
    }
}

impl Recorder {
    /// The clock of the history.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Appends one entry.
    pub fn push(&self, op: Op) {
        self.ops.lock().push(op);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.ops.lock().len()
    }

    /// Whether nothing happened yet.
    pub fn is_empty(&self) -> bool {
        self.ops.lock().is_empty()
    }

    /// Takes the history out; the recorder starts anew.
    pub fn take(&self) -> Vec<Op> {
        std::mem::take(&mut *self.ops.lock())
    }
}

/// Writes a history as JSON lines.
///
/// # Errors
/// When the writer fails.
pub fn write_lines(history: &[Op], mut out: impl Write) -> std::io::Result<()> {
    for op in history {
        serde_json::to_writer(&mut out, op)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
