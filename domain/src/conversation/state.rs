//! What a conversation is now: the fold of its events.

use std::sync::Arc;

use super::dedupe::Dedupe;
use super::event::{Contact, Ordinals, Priority, Rating, Resolution, Stream};
use crate::ids::{ConversationId, DepartmentId, LogId, Number, Seq, Timestamp, WidgetId};
use crate::person::{AgentRef, Author, Principal};

/// The state of one conversation. It holds no messages: only what rules and lists need.
///
/// It is stored as the conversation's checkpoint; the log is the truth, and folding the events
/// after [`heads`](Self::heads) brings an old checkpoint up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Which conversation.
    pub id: ConversationId,
    /// The identity of its history.
    pub log: LogId,
    /// Its integer name.
    pub number: Number,
    /// Who began it.
    pub visitor: Contact,
    /// The widget it came through.
    pub widget: Option<WidgetId>,
    /// What it is about.
    pub subject: Option<Arc<str>>,
    /// Skills an agent needs for it.
    pub skills: Vec<Arc<str>>,
    /// Page, referrer, title, locale and the like; for agents only.
    pub context: Vec<(Arc<str>, Arc<str>)>,
    /// Answers to pre-chat fields; for agents only.
    pub fields: Vec<(Arc<str>, Arc<str>)>,
    /// Where it stands.
    pub status: Status,
    /// How it ended; `Resolution::None` while open.
    pub resolution: Resolution,
    /// Whether it waits as an offline message.
    pub offline: bool,
    /// The department it belongs to.
    pub department: Option<DepartmentId>,
    /// How urgent it is.
    pub priority: Priority,
    /// Sorted, without doubles; for agents only.
    pub tags: Vec<Arc<str>>,
    /// Who owns it. Some exactly while active.
    pub agent: Option<AgentRef>,
    /// Set from a transfer to an agent until that agent writes, refuses or loses it: who had it.
    pub transferred: Option<Transferred>,
    /// When it began.
    pub created_at: Timestamp,
    /// Time of the newest event of either stream; for agents only (P13).
    pub last_at: Timestamp,
    /// Time of the newest public event: what visitors see as the last activity.
    pub last_public_at: Timestamp,
    /// Since when it waits in line; `None` while it does not wait, and while it waits outside the
    /// line because its visitor has left.
    pub waiting_since: Option<Timestamp>,
    /// When an agent first wrote a public message.
    pub first_response_at: Option<Timestamp>,
    /// When it was last closed; `None` while open.
    pub closed_at: Option<Timestamp>,
    /// The newest position in each stream.
    pub heads: Heads,
    /// How many public messages each side wrote.
    pub ordinals: Ordinals,
    /// The newest public message, shortened for lists.
    pub last: Option<Preview>,
    /// The newest public message: position and author.
    pub newest: Option<(Seq, Principal)>,
    /// The newest public message by somebody other than `newest`'s author. The two together
    /// answer "the newest by somebody else" for any principal.
    pub newest_by_other: Option<(Seq, Principal)>,
    /// The visitor's rating.
    pub rating: Option<Rating>,
    /// The linked ticket.
    pub ticket: Option<Number>,
    /// Keys of sends that are stored (P3).
    pub dedupe: Dedupe,
}

impl Conversation {
    /// Whether it waits and has a place in line.
    #[must_use]
    pub const fn is_in_line(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// The position of the newest public message by somebody other than `principal`; `None` when
    /// nobody else wrote.
    #[must_use]
    pub fn newest_by_others(&self, principal: Principal) -> Option<Seq> {
        [self.newest, self.newest_by_other]
            .into_iter()
            .flatten()
            .find(|(_, author)| *author != principal)
            .map(|(seq, _)| seq)
    }
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Nobody owns it yet.
    Waiting,
    /// An agent owns it.
    Active,
    /// Ended; agents may reopen it.
    Closed,
    /// Ended for good.
    Archived,
}

impl Status {
    /// Whether messages may be written.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Active)
    }
}

/// The newest position in each stream; 0 before the first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Heads {
    /// Of the public stream.
    pub public: Seq,
    /// Of the internal stream.
    pub internal: Seq,
}

impl Heads {
    /// The newest position in `stream`.
    #[must_use]
    pub const fn of(self, stream: Stream) -> Seq {
        match stream {
            Stream::Public => self.public,
            Stream::Internal => self.internal,
        }
    }

    /// Moves on by one event in `stream`.
    pub(super) const fn advance(&mut self, stream: Stream) {
        match stream {
            Stream::Public => self.public = self.public.next(),
            Stream::Internal => self.internal = self.internal.next(),
        }
    }
}

/// A transfer to an agent that the agent has not taken up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// Who had it before; `None` when it was waiting.
    pub previous: Option<AgentRef>,
}

/// A message, shortened for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Its position in the public stream.
    pub seq: Seq,
    /// Who wrote it.
    pub from: Author,
    /// Its beginning, at most [`crate::limit::PREVIEW_CHARS_MAX`] characters; empty once redacted.
    pub text: Arc<str>,
    /// When it was written.
    pub at: Timestamp,
}
