//! What two nodes say to each other; of tenants in [`home`].

use std::sync::Arc;

use bytes::Bytes;
use switchboard_domain::conversation::{Conversation, Event, Request, Stream};
use switchboard_domain::ids::{LogId, Seq};
use switchboard_domain::person::{AgentRef, Author, Caller, Principal};
use switchboard_domain::receipt::Receipt;
use switchboard_domain::trail::Page;
use switchboard_store::{ConversationKey, Range};

use super::form::{Form, variants};
use super::{home, shards};
use crate::answer::{Refusal, Stored};

/// The version of the transport in which a request may be answered with where it was stored alone.
pub(super) const STORED_SINCE: u8 = 4;

/// One envelope.
#[derive(Clone, Debug)]
pub(super) enum Envelope {
    /// Of a conversation.
    Conversation(Message),
    /// Of a tenant.
    Tenant(home::Message),
    /// From the doors of a node to those of another, in their own words. Without any, it says that
    /// others were not sent.
    Doors { words: Bytes },
    /// Of shards that change hands; since version 2.
    Shards(shards::Message),
}

/// What is said of a conversation.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// From a node that serves a client to the owner.
    Ask { id: u64, key: ConversationKey, question: Question },
    /// The owner's answer.
    Answer { id: u64, answer: Answer },
    /// From the owner to a node where somebody listens, once for all who do.
    Tell { key: ConversationKey, news: News },
    /// From a node where somebody listens to the owner. Nothing is answered.
    Say { key: ConversationKey, word: Word },
}

/// What is asked of a conversation.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// Carry a request out.
    Carry { request: Request },
    /// Carry a request out of which nobody must know more than where it was stored; since
    /// [`STORED_SINCE`].
    Store { request: Request },
    /// Show the state.
    Look { caller: Caller },
    /// Show a stretch of a stream.
    Read { caller: Caller, stream: Stream, range: Range, limit: usize },
    /// Tell this node of a stream from now on.
    Listen { caller: Caller, stream: Stream },
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A request was carried out.
    Done { events: Vec<Event>, duplicate: bool, state: Arc<Conversation> },
    /// A request was carried out of which nobody must know more.
    Stored { stored: Stored },
    /// The state.
    Seen { state: Arc<Conversation>, own: Receipt, side: Receipt, other: Receipt },
    /// A stretch, or as much of it as fits.
    Stretch { events: Vec<Event>, head: Seq, more: bool },
    /// This node is told of the stream from here on.
    Listening { log: LogId, head: Seq, state: Arc<Conversation>, receipt: Receipt },
    /// Not carried out, or with unknown outcome where it says so.
    Refused { refusal: Refusal },
    /// Not carried out, because the conversation is another's; whose, if that is known.
    Moved { to: Option<Arc<str>> },
}

/// What the listeners are told.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// Durable events, in order.
    Events { events: Vec<Event> },
    /// How far somebody has got.
    Receipt { by: Author, receipt: Receipt },
    /// Somebody types.
    Typing { from: Author, on: bool, preview: Option<Arc<str>> },
    /// The visitor went to another page.
    Page { page: Page },
    /// Who looks at the conversation.
    Viewing { agents: Vec<AgentRef> },
    /// Where it stands in its queue.
    Place { position: u32, eta: Option<(u32, u32)> },
    /// The principal may no longer hear the stream.
    Forbidden { principal: Principal, stream: Stream },
    /// Nobody can say any more what will come: subscribe again.
    Lost,
}

/// What clients of this node say without waiting.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    /// The caller has got so far.
    Receipt { caller: Caller, received: Option<Seq>, read: Option<Seq> },
    /// The caller types.
    Typing { caller: Caller, on: bool, preview: Option<Arc<str>> },
    /// The caller went to another page.
    Page { caller: Caller, page: Page },
    /// Who looks at the conversation.
    Viewing { agents: Vec<AgentRef> },
    /// Nobody here listens to the stream any more.
    Unlisten { stream: Stream },
}

impl Message {
    /// The version of the transport that brought it.
    #[cfg(test)]
    pub(super) const fn since(&self) -> u8 {
        match self {
            Self::Ask { question: Question::Store { .. }, .. }
            | Self::Answer { answer: Answer::Stored { .. }, .. } => STORED_SINCE,
            Self::Ask { .. } | Self::Answer { .. } | Self::Tell { .. } | Self::Say { .. } => 1,
        }
    }
}

impl News {
    /// Whether it goes first when a node takes too little: a later one says more.
    pub(crate) const fn is_ephemeral(&self) -> bool {
        match self {
            Self::Typing { .. } | Self::Page { .. } | Self::Viewing { .. } | Self::Place { .. } => {
                true
            }
            Self::Events { .. } | Self::Receipt { .. } | Self::Forbidden { .. } | Self::Lost => {
                false
            }
        }
    }
}

impl Word {
    /// As [`News::is_ephemeral`].
    pub(crate) const fn is_ephemeral(&self) -> bool {
        match self {
            Self::Typing { .. } | Self::Page { .. } | Self::Viewing { .. } => true,
            Self::Receipt { .. } | Self::Unlisten { .. } => false,
        }
    }
}

variants!(Envelope {
    0 Conversation(message),
    1 Tenant(message),
    2 Doors { words },
    3 Shards(message),
});
variants!(Message {
    0 Ask { id, key, question },
    1 Answer { id, answer },
    2 Tell { key, news },
    3 Say { key, word },
});
variants!(Question {
    0 Carry { request },
    1 Look { caller },
    2 Read { caller, stream, range, limit },
    3 Listen { caller, stream },
    4 Store { request },
});
variants!(Answer {
    0 Done { events, duplicate, state },
    1 Seen { state, own, side, other },
    2 Stretch { events, head, more },
    3 Listening { log, head, state, receipt },
    4 Refused { refusal },
    5 Moved { to },
    6 Stored { stored },
});
variants!(News {
    0 Events { events },
    1 Receipt { by, receipt },
    2 Typing { from, on, preview },
    3 Page { page },
    4 Viewing { agents },
    5 Place { position, eta },
    6 Forbidden { principal, stream },
    7 Lost,
});
variants!(Word {
    0 Receipt { caller, received, read },
    1 Typing { caller, on, preview },
    2 Page { caller, page },
    3 Viewing { agents },
    4 Unlisten { stream },
});

impl From<Message> for Envelope {
    fn from(message: Message) -> Self {
        Self::Conversation(message)
    }
}

impl From<home::Message> for Envelope {
    fn from(message: home::Message) -> Self {
        Self::Tenant(message)
    }
}

impl Envelope {
    /// Its bytes.
    pub(super) fn write(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(512);
        self.put(&mut bytes);
        bytes.into()
    }

    /// What bytes say; `None` for those that say nothing.
    pub(super) fn read(mut bytes: &[u8]) -> Option<Self> {
        let envelope = Self::take(&mut bytes)?;
        bytes.is_empty().then_some(envelope)
    }
}
