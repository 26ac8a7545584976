//! What a connection's queue carries to its client.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::{AgentId, ConversationId};
use switchboard_domain::person::{AgentRef, Author, Principal};
use switchboard_domain::receipt::Receipt;
use switchboard_domain::trail::Page;

use crate::answer::Subscribed;
use crate::inbox::{Company, ViewDelta};
use crate::presence::AgentPresence;
use crate::published::Published;
use crate::subscriber::{Class, Item, Sender};

/// A connection's queue, as the actors hold it.
pub type Outlet = Sender<Delivery>;

/// One thing to tell a client.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A durable event of a subscribed stream, in order.
    Event(Arc<Published>),
    /// A subscription begins here: the connection reads everything up to its head from history,
    /// then goes on with what follows in this queue. No gap, no double (P5).
    Subscribed {
        /// Which conversation.
        conversation: ConversationId,
        /// As given with the request.
        ref_id: u64,
        /// Where the stream stood at this moment.
        subscribed: Box<Subscribed>,
    },
    /// A subscription ended without being asked to.
    Unsubscribed {
        /// Which conversation.
        conversation: ConversationId,
        /// Which stream.
        stream: Stream,
        /// Why.
        why: Unsubscribed,
    },
    /// How far somebody else has received and read.
    Receipt {
        /// Which conversation.
        conversation: ConversationId,
        /// Who.
        by: Author,
        /// How far.
        receipt: Receipt,
    },
    /// Somebody else types.
    Typing {
        /// Which conversation.
        conversation: ConversationId,
        /// Who.
        from: Author,
        /// Whether they type, or stopped.
        on: bool,
        /// What stands in their composer; only from visitors, only to agents.
        preview: Option<Arc<str>>,
    },
    /// The next step of a watched list.
    View(ViewDelta),
    /// Agents of the tenant: all of them as a snapshot, or the one that changed.
    Presence {
        /// Who.
        agents: Arc<[AgentPresence]>,
        /// Whether these are all.
        snapshot: bool,
    },
    /// Whether any agent of the tenant is there; for visitors.
    AnybodyOnline(bool),
    /// Where a waiting conversation stands in its queue; for its visitor.
    QueuePosition {
        /// Which conversation.
        conversation: ConversationId,
        /// 1 is next; exact to 20, then the upper end of a band.
        position: u32,
        /// Shortest and longest expected wait in seconds; `None` when nothing is known.
        eta: Option<(u32, u32)>,
    },
    /// The visitor went to another page; for agents.
    Page {
        /// Which conversation.
        conversation: ConversationId,
        /// Where to.
        page: Arc<Page>,
    },
    /// Who looks at a conversation; for agents.
    Viewing {
        /// Which conversation.
        conversation: ConversationId,
        /// All who look, at this moment.
        agents: Arc<[AgentRef]>,
    },
    /// Who is with conversations of the lists that this connection watches; for agents.
    Company(Arc<[Company]>),
    /// Somebody began a conversation with this visitor.
    Conversation(ConversationId),
    /// What this agent likes was changed.
    Preferences {
        /// The version that is stored now.
        version: u64,
    },
    /// What this agent has not sent was changed.
    Drafts {
        /// The version that is stored now.
        version: u64,
    },
    /// The node goes away: connect again after so long.
    Drain {
        /// In milliseconds.
        reconnect_in_ms: u32,
    },
    /// The connection's credential is no longer good.
    Revoked,
    /// What the door itself has to say, in turn with what the actors say.
    Door(Door),
}

/// What a door puts into the queue of one of its connections.
#[derive(Clone, Debug)]
pub enum Door {
    /// An answer, as it is written.
    Answer(Bytes),
    /// The outcome of a request is unknown: only a fresh start makes it known again.
    Void,
    /// A frame was begun past the queue, and its rest is to be flushed.
    Rest,
}

/// Why a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsubscribed {
    /// The caller may no longer see the conversation.
    Forbidden,
    /// The conversation is quarantined or its owner is gone; subscribe again.
    Lost,
}

/// Which state an item carries, so that a newer one replaces it.
#[derive(Hash)]
enum Slot {
    Receipt(ConversationId, Principal),
    View(u64),
    Presence(AgentId),
    AnybodyOnline,
    QueuePosition(ConversationId),
    Page(ConversationId),
    Viewing(ConversationId),
    Preferences,
    Drafts,
}

impl Slot {
    fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    fn class(&self) -> Class {
        Class::State { slot: self.number() }
    }
}

impl Delivery {
    /// The slot of the steps of a watch.
    pub(crate) fn view_slot(id: u64) -> u64 {
        Slot::View(id).number()
    }
}

impl Item for Delivery {
    fn class(&self) -> Class {
        match self {
            Self::Event(_)
            | Self::Subscribed { .. }
            | Self::Unsubscribed { .. }
            | Self::Conversation(_)
            | Self::Drain { .. }
            | Self::Revoked
            | Self::Door(_) => Class::Durable,
            Self::Typing { .. } | Self::Company(_) => Class::Ephemeral,
            Self::Receipt { conversation, by, .. } => {
                Slot::Receipt(*conversation, by.principal).class()
            }
            Self::View(delta) => Slot::View(delta.id).class(),
            // A snapshot stands for many agents, a change for one.
            Self::Presence { agents, snapshot } => match agents.first() {
                Some(changed) if !snapshot => Slot::Presence(changed.agent.id).class(),
                Some(_) | None => Class::Durable,
            },
            Self::AnybodyOnline(_) => Slot::AnybodyOnline.class(),
            Self::QueuePosition { conversation, .. } => Slot::QueuePosition(*conversation).class(),
            Self::Page { conversation, .. } => Slot::Page(*conversation).class(),
            Self::Viewing { conversation, .. } => Slot::Viewing(*conversation).class(),
            Self::Preferences { .. } => Slot::Preferences.class(),
            Self::Drafts { .. } => Slot::Drafts.class(),
        }
    }

    fn weight(&self) -> usize {
        /// What a frame without text takes, about.
        const FRAME: usize = 256;
        match self {
            Self::Event(published) => FRAME + published.text_bytes(),
            Self::Subscribed { .. } => 4 * FRAME,
            Self::Typing { preview, .. } => FRAME + preview.as_ref().map_or(0, |text| text.len()),
            Self::View(delta) => FRAME + delta.weight(),
            Self::Page { page, .. } => FRAME + page.bytes(),
            Self::Viewing { agents, .. } => FRAME + FRAME / 2 * agents.len(),
            Self::Company(all) => {
                all.iter().map(|it| FRAME / 2 * (1 + it.agents.len())).sum::<usize>() + FRAME
            }
            Self::Presence { agents, .. } => FRAME * agents.len().max(1),
            Self::Unsubscribed { .. }
            | Self::Receipt { .. }
            | Self::AnybodyOnline(_)
            | Self::QueuePosition { .. }
            | Self::Conversation(_)
            | Self::Preferences { .. }
            | Self::Drafts { .. }
            | Self::Drain { .. }
            | Self::Revoked
            | Self::Door(Door::Void | Door::Rest) => FRAME,
            Self::Door(Door::Answer(frame)) => frame.len(),
        }
    }
    /// There are no more ends of subscriptions than subscriptions.
    fn counts(&self) -> bool {
        !matches!(self, Self::Unsubscribed { .. })
    }
}
