//! Requests to change a conversation. A command is allowed or refused as a whole.

use std::sync::Arc;

use super::event::{Created, Priority, Rating, Resolution, SendKey, Stream, TransferTarget};
use crate::ids::{DepartmentId, Number, Seq, Timestamp};
use crate::person::{AgentRef, Author, Caller};

/// A request: who asks, under which idempotency key, for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// The idempotency key; `None` when the caller wants no safe retry.
    pub key: Option<SendKey>,
    /// What is asked.
    pub command: Command,
}

/// What can be asked of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Begin. Only on a conversation without events.
    Create {
        /// What is fixed at the beginning.
        created: Box<Created>,
        /// The welcome text of the widget, written by the system; `None` for none.
        welcome: Option<Arc<str>>,
        /// The caller's first message; `None` when it comes later.
        message: Option<Arc<str>>,
        /// How it stands at once.
        start: Start,
    },
    /// Write a public message.
    Send {
        /// The text.
        text: Arc<str>,
        /// Ids of attached files.
        files: Vec<Arc<str>>,
        /// The last public message by somebody else that the writer had seen; a newer one
        /// refuses the send as stale. `None` asks for no such check.
        if_head: Option<Seq>,
    },
    /// Write a note for colleagues.
    Note {
        /// The text.
        text: Arc<str>,
    },
    /// Write a word for the owning agent.
    Whisper {
        /// The text.
        text: Arc<str>,
    },
    /// Take a waiting conversation. The caller is the agent.
    Accept {
        /// The caller as an agent.
        agent: AgentRef,
    },
    /// Take a waiting conversation by looking into it: beyond capacity too, but never from
    /// somebody. The caller is the agent.
    Take {
        /// The caller as an agent.
        agent: AgentRef,
    },
    /// Give it to an agent, by a person's decision.
    Assign {
        /// The agent.
        agent: AgentRef,
    },
    /// Give it to an agent, by the queue's decision. Only while it waits.
    Route {
        /// The agent.
        agent: AgentRef,
    },
    /// Give it back: it waits again.
    Unassign,
    /// Put it back into the queue: like `Unassign`, allowed while waiting too (no event then).
    Requeue,
    /// Hand it on.
    Transfer {
        /// Where to.
        to: TransferTarget,
        /// Why; becomes an internal note.
        reason: Arc<str>,
    },
    /// Refuse what was transferred to the caller.
    RefuseTransfer,
    /// End it.
    Close {
        /// Whether the matter was resolved.
        resolution: Resolution,
    },
    /// Open it again. Agents only.
    Reopen {
        /// Who owns it from now on; `None` lets it wait.
        agent: Option<AgentRef>,
    },
    /// Put it away for good.
    Archive,
    /// Change the priority.
    Prioritise {
        /// The new one.
        priority: Priority,
    },
    /// Change the department without handing on.
    SetDepartment {
        /// The new one; `None` for none.
        department: Option<DepartmentId>,
    },
    /// Replace the tags.
    Tag {
        /// All tags from now on.
        tags: Vec<Arc<str>>,
    },
    /// Rate it. Visitor, once, after close.
    Rate(Rating),
    /// Replace the text of an earlier message or note.
    Edit {
        /// The stream of the message.
        stream: Stream,
        /// What the log says of it.
        target: Target,
        /// The new text.
        text: Arc<str>,
    },
    /// Remove the text of an earlier message or note.
    Redact {
        /// The stream of the message.
        stream: Stream,
        /// What the log says of it.
        target: Target,
    },
    /// Link a ticket.
    LinkTicket {
        /// The ticket's number.
        ticket: Number,
    },
    /// Note that nobody is there to answer. By the system.
    GoOffline,
    /// Tell an offline conversation that somebody is there now. By the system.
    AnnounceAgent {
        /// The line to show.
        text: Arc<str>,
    },
    /// Give up the place in line: the visitor has been away for as long as it is kept. By the
    /// system.
    LeaveLine,
    /// Stand at the end of the line again: the visitor is back. By the system.
    ReturnToLine,
    /// Begin to watch. Supervisors.
    Watch,
}

/// How a conversation begins to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// It waits for an agent.
    Waiting,
    /// It waits, and nobody is there.
    Offline,
    /// An agent wrote to somebody: it is that agent's.
    Assigned(AgentRef),
}

/// What the log says of the message or note that an edit or redaction speaks of. The shell reads
/// it, because a conversation's state does not hold its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its position.
    pub seq: Seq,
    /// Its author; `None` when the log has no message or note there.
    pub author: Option<Author>,
    /// When it was written.
    pub at: Timestamp,
    /// Whether it was redacted since.
    pub redacted: bool,
}
