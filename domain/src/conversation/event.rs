//! What happened in a conversation: events, each a fact with a position in one of two streams.

use std::sync::Arc;

use crate::ids::{DepartmentId, DeviceId, EventId, LogId, Number, Seq, Timestamp, WidgetId};
use crate::person::{AgentRef, Author, Side};

/// One of a conversation's two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What the visitor and the agents see.
    Public,
    /// What agents alone see.
    Internal,
}

/// An event: a body that was decided, stamped with position, time and author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which of the two logs.
    pub stream: Stream,
    /// Dense position in that log, from 1.
    pub seq: Seq,
    /// The public head when an internal event was written; equals `seq` in the public stream.
    pub public_head: Seq,
    /// Unique id, a UUIDv7.
    pub id: EventId,
    /// Time of writing; never decreases within a conversation.
    pub at: Timestamp,
    /// Who caused it.
    pub from: Author,
    /// The idempotency key, on the first event that a keyed command caused; else `None`.
    pub key: Option<SendKey>,
    /// How many messages each side had written in this conversation, this event included.
    pub ordinals: Ordinals,
    /// What happened.
    pub body: Body,
}

impl Event {
    /// Where it stands in the one order of both streams: an internal event comes after the public
    /// one at its public head and before the next. Sorting by this merges the two streams.
    #[must_use]
    pub const fn order(&self) -> (Seq, Stream, Seq) {
        (self.public_head, self.stream, self.seq)
    }
}

/// The idempotency key of a send within (conversation, principal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SendKey {
    /// The outbox.
    pub device: DeviceId,
    /// Dense number within the outbox and conversation, from 1.
    pub n: u64,
    /// Digest of the content, so that the same key with other content is told apart.
    pub digest: u64,
}

/// Running counts of public messages per side. Unread counts are differences of these (P12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ordinals {
    /// Messages by the visitor.
    pub visitor: u32,
    /// Messages by agents and bots.
    pub agent: u32,
    /// Messages by the system: welcome, transfer lines.
    pub system: u32,
}

impl Ordinals {
    /// With one more message of `side`.
    #[must_use]
    pub const fn with_one_by(self, side: Side) -> Self {
        match side {
            Side::Visitor => Self { visitor: self.visitor.saturating_add(1), ..self },
            Side::Agent => Self { agent: self.agent.saturating_add(1), ..self },
            Side::System => Self { system: self.system.saturating_add(1), ..self },
        }
    }
}

/// What happened. The public kinds come first, then the internal ones; `Edited` and `Redacted`
/// occur in both streams and speak of a message or note of their own stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The conversation began. Always public seq 1.
    Created(Box<Created>),
    /// Somebody wrote a message.
    Message {
        /// The text as written; control characters stripped, never escaped.
        text: Arc<str>,
        /// Ids of attached files; empty when none.
        files: Vec<Arc<str>>,
    },
    /// The text of an earlier message or note was replaced by its author.
    Edited {
        /// The position of that message in this event's stream.
        seq: Seq,
        /// The new text.
        text: Arc<str>,
    },
    /// The text of an earlier message or note was removed.
    Redacted {
        /// The position of that message in this event's stream.
        seq: Seq,
    },
    /// An agent now owns the conversation; it is active.
    Assigned {
        /// The new agent.
        agent: AgentRef,
        /// How it came about.
        by: AssignedBy,
        /// Who had it before; `None` when it was waiting.
        previous: Option<AgentRef>,
    },
    /// The agent gave it back (or lost it); it is waiting again.
    Unassigned {
        /// Who had it.
        agent: AgentRef,
    },
    /// Handed to another agent (stays active) or to a department (waits there).
    Transferred {
        /// Where to.
        to: TransferTarget,
        /// Who had it; `None` when it was waiting.
        previous: Option<AgentRef>,
    },
    /// The agent it was transferred to refused; it is back where it was.
    TransferRefused,
    /// Nobody was available: the conversation waits as an offline message.
    WentOffline,
    /// An agent came online while an offline conversation waited.
    AgentAvailable {
        /// The line shown to the visitor.
        text: Arc<str>,
    },
    /// The visitor went away for so long that the place in line is given up. It waits on, outside
    /// the line.
    VisitorLeft,
    /// The visitor is back, at the end of the line.
    VisitorReturned,
    /// Ended.
    Closed {
        /// Whether the matter was resolved.
        resolution: Resolution,
    },
    /// An agent opened it again.
    Reopened,
    /// Put away; it can no longer be reopened.
    Archived,
    /// The visitor rated it, once, after close.
    Rated(Rating),
    /// A note for colleagues.
    Note {
        /// The text.
        text: Arc<str>,
        /// Whether it is the reason of a transfer.
        transfer: bool,
    },
    /// A word for the owning agent by a colleague.
    Whisper {
        /// The text.
        text: Arc<str>,
    },
    /// The tags were replaced.
    Tagged {
        /// All tags from now on, sorted, without doubles.
        tags: Vec<Arc<str>>,
    },
    /// The priority changed.
    Prioritised {
        /// The new one.
        priority: Priority,
        /// The old one.
        previous: Priority,
    },
    /// The department changed without a transfer.
    DepartmentChanged {
        /// The new one; `None` for none.
        department: Option<DepartmentId>,
        /// The old one.
        previous: Option<DepartmentId>,
    },
    /// A ticket was linked.
    Ticketed {
        /// The ticket's number.
        ticket: Number,
    },
    /// The contact was merged with another.
    ContactMerged {
        /// The number of the contact that remains.
        contact: Number,
    },
    /// A supervisor began to watch.
    Watched,
}

impl Body {
    /// The name of the kind on the wire and in stored records.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Message { .. } => "message",
            Self::Edited { .. } => "edited",
            Self::Redacted { .. } => "redacted",
            Self::Assigned { .. } => "assigned",
            Self::Unassigned { .. } => "unassigned",
            Self::Transferred { .. } => "transferred",
            Self::TransferRefused => "transfer_refused",
            Self::WentOffline => "went_offline",
            Self::AgentAvailable { .. } => "agent_available",
            Self::VisitorLeft => "visitor_left",
            Self::VisitorReturned => "visitor_returned",
            Self::Closed { .. } => "closed",
            Self::Reopened => "reopened",
            Self::Archived => "archived",
            Self::Rated(_) => "rated",
            Self::Note { .. } => "note",
            Self::Whisper { .. } => "whisper",
            Self::Tagged { .. } => "tagged",
            Self::Prioritised { .. } => "prioritised",
            Self::DepartmentChanged { .. } => "department",
            Self::Ticketed { .. } => "ticketed",
            Self::ContactMerged { .. } => "contact_merged",
            Self::Watched => "watched",
        }
    }
}

/// How a conversation began: everything that is fixed or set at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The identity of this history.
    pub log: LogId,
    /// The conversation's integer name.
    pub number: Number,
    /// Who began it.
    pub visitor: Contact,
    /// The widget it came through; `None` for the bare API.
    pub widget: Option<WidgetId>,
    /// What it is about, in the visitor's words.
    pub subject: Option<Arc<str>>,
    /// The department asked for.
    pub department: Option<DepartmentId>,
    /// The priority asked for.
    pub priority: Priority,
    /// Skills an agent needs for it.
    pub skills: Vec<Arc<str>>,
    /// Page, referrer, title, locale and the like, as the widget told; for agents only.
    pub context: Vec<(Arc<str>, Arc<str>)>,
    /// Answers to pre-chat fields; for agents only.
    pub fields: Vec<(Arc<str>, Arc<str>)>,
}

/// A visitor as a conversation knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The visitor.
    pub id: crate::ids::VisitorId,
    /// The name given; `None` when anonymous.
    pub name: Option<Arc<str>>,
    /// The mail address given; for agents only.
    pub email: Option<Arc<str>>,
    /// The phone number given; for agents only.
    pub phone: Option<Arc<str>>,
    /// Whether the site says who this is; else it is what somebody typed. For agents only.
    pub verified: bool,
}

impl Created {
    /// A conversation of whose beginning nothing else is known.
    #[must_use]
    pub const fn by(visitor: Contact, log: LogId, number: Number) -> Self {
        Self {
            log,
            number,
            visitor,
            widget: None,
            subject: None,
            department: None,
            priority: Priority::Medium,
            skills: Vec::new(),
            context: Vec::new(),
            fields: Vec::new(),
        }
    }
}

impl Contact {
    /// A visitor of whom nothing is known.
    #[must_use]
    pub const fn anonymous(id: crate::ids::VisitorId) -> Self {
        Self { id, name: None, email: None, phone: None, verified: false }
    }
}

/// How an agent came to own a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssignedBy {
    /// The agent took it: bound by capacity.
    Accept,
    /// A person gave it: may exceed capacity.
    Assign,
    /// The queue routed it: bound by capacity.
    Route,
}

/// Where a transfer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferTarget {
    /// To an agent, who owns it at once and may refuse.
    Agent(AgentRef),
    /// To a department, where it waits.
    Department(DepartmentId),
}

/// Whether the matter was resolved when the conversation closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// Just closed.
    None,
    /// Closed as resolved.
    Resolved,
}

/// How urgent a conversation is, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Can wait.
    Low,
    /// The usual.
    Medium,
    /// Before the usual.
    High,
    /// Before all others.
    Urgent,
}

/// A visitor's rating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    /// 1 (worst) to 5 (best).
    pub score: u8,
    /// In the visitor's words.
    pub comment: Option<Arc<str>>,
}
