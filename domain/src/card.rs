//! The card of a conversation: what a list shows of it, small enough to hold every open one.
//!
//! A live inbox keeps a card per open conversation in memory, so a card costs at most
//! [`BYTES_TYPICAL_MAX`] for a usual conversation: its texts lie in one allocation.

use crate::conversation::{Conversation, Heads, Ordinals, Priority, Resolution, Status};
use crate::ids::{AgentId, ConversationId, LogId, Number, Seq, Timestamp, VisitorId};
use crate::permission::Subject;
use crate::person::{Principal, Side};
use crate::queue;
use crate::receipt::Receipt;

/// Bytes that the card of a usual open conversation may cost, inline and on the heap: a name, an
/// address, a subject, an agent, two tags and a full preview.
pub const BYTES_TYPICAL_MAX: usize = 512;

/// What a list shows of a conversation. An empty text counts as absent.
///
/// Parts marked *agents only* must not be shown to visitors, nor anything that changes with them
/// (P13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Which conversation.
    pub id: ConversationId,
    /// The identity of its history.
    pub log: LogId,
    /// Its integer name.
    pub number: Number,
    /// Who began it.
    pub visitor: VisitorId,
    /// Whether the site says who that is. Agents only.
    pub verified: bool,
    /// Who owns it.
    pub agent: Option<AgentId>,
    /// Where it stands.
    pub status: Status,
    /// How it ended.
    pub resolution: Resolution,
    /// Whether it waits as an offline message.
    pub offline: bool,
    /// Whether it was transferred to its agent, who did not take it up yet.
    pub transferred: bool,
    /// How urgent it is. Agents only: it changes by internal events.
    pub priority: Priority,
    /// When it began.
    pub created_at: Timestamp,
    /// Time of the newest event of either stream. Agents only.
    pub last_at: Timestamp,
    /// Time of the newest public event.
    pub last_public_at: Timestamp,
    /// Since when it waits in line; `None` while it does not wait, and while it waits outside the
    /// line because its visitor has left.
    pub waiting_since: Option<Timestamp>,
    /// The newest positions. The internal one is for agents only.
    pub heads: Heads,
    /// How many public messages each side wrote.
    pub ordinals: Ordinals,
    /// The newest public message; its name and text are among the texts.
    pub last: Option<Last>,
    /// What few open conversations have.
    pub rare: Option<Box<Rare>>,
    /// What it says in words.
    pub texts: Texts,
}

/// What few open conversations have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rare {
    /// The score of the visitor's rating.
    pub score: Option<u8>,
    /// The linked ticket. Agents only.
    pub ticket: Option<Number>,
}

/// The newest public message, as far as it is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// Its position.
    pub seq: Seq,
    /// Who wrote it.
    pub from: Principal,
    /// When.
    pub at: Timestamp,
}

/// In which order a list shows cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// What waits, in the order of the queue; then what does not, newest activity first.
    Waiting,
    /// The newest activity first.
    Recent,
}

/// Where a card stands in a list: lists rise by it. No two cards have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortKey(i64, ConversationId);

impl SortKey {
    /// Beyond any time, and small enough that three of them do not overflow.
    const FAR: i64 = i64::MAX / 4;

    /// What waits is below zero, by the rank in its queue.
    fn waiting(rank: Timestamp, id: ConversationId) -> Self {
        Self(rank.0.clamp(-Self::FAR, Self::FAR) - 2 * Self::FAR, id)
    }

    /// Whatever else is above, the newest first.
    fn recent(at: Timestamp, id: ConversationId) -> Self {
        Self(2 * Self::FAR - at.0.clamp(-Self::FAR, Self::FAR), id)
    }

    /// A place as [`place`](Self::place) said it, for a client that comes back with it.
    #[must_use]
    pub const fn new(place: i64, id: ConversationId) -> Self {
        Self(place, id)
    }

    /// Where it is among others; only their order has a meaning.
    #[must_use]
    pub const fn place(self) -> i64 {
        self.0
    }

    /// Whose place it is.
    #[must_use]
    pub const fn conversation(self) -> ConversationId {
        self.1
    }
}

impl Card {
    /// The card of `state`.
    #[must_use]
    pub fn of(state: &Conversation) -> Self {
        let last = state.last.as_ref();
        let rating = state.rating.as_ref();
        let (skills, tags) = (state.skills.join(SEPARATOR), state.tags.join(SEPARATOR));
        let texts = Texts::of([
            state.subject.as_deref(),
            state.department.as_ref().map(|department| &*department.0),
            state.visitor.name.as_deref(),
            state.visitor.email.as_deref(),
            state.visitor.phone.as_deref(),
            state.agent.as_ref().map(|agent| &*agent.name),
            last.and_then(|last| last.from.name.as_deref()),
            last.map(|last| &*last.text),
            rating.and_then(|rating| rating.comment.as_deref()),
            Some(&skills),
            Some(&tags),
            state.widget.as_ref().map(|widget| &*widget.0),
        ]);
        Self {
            id: state.id,
            log: state.log,
            number: state.number,
            visitor: state.visitor.id,
            verified: state.visitor.verified,
            agent: state.agent.as_ref().map(|agent| agent.id),
            status: state.status,
            resolution: state.resolution,
            offline: state.offline,
            transferred: state.transferred.is_some(),
            priority: state.priority,
            created_at: state.created_at,
            last_at: state.last_at,
            last_public_at: state.last_public_at,
            waiting_since: state.waiting_since,
            heads: state.heads,
            ordinals: state.ordinals,
            last: last.map(|last| Last { seq: last.seq, from: last.from.principal, at: last.at }),
            rare: Rare::of(state),
            texts,
        }
    }

    /// The score of the visitor's rating.
    #[must_use]
    pub fn score(&self) -> Option<u8> {
        self.rare.as_ref()?.score
    }

    /// The linked ticket. Agents only.
    #[must_use]
    pub fn ticket(&self) -> Option<Number> {
        self.rare.as_ref()?.ticket
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.texts.get(Part::Subject)
    }

    /// Its department. Agents only: it changes by internal events.
    #[must_use]
    pub fn department(&self) -> Option<&str> {
        self.texts.get(Part::Department)
    }

    /// The visitor's name.
    #[must_use]
    pub fn visitor_name(&self) -> Option<&str> {
        self.texts.get(Part::VisitorName)
    }

    /// The visitor's mail address. Agents only.
    #[must_use]
    pub fn visitor_email(&self) -> Option<&str> {
        self.texts.get(Part::VisitorEmail)
    }

    /// The visitor's phone number. Agents only.
    #[must_use]
    pub fn visitor_phone(&self) -> Option<&str> {
        self.texts.get(Part::VisitorPhone)
    }

    /// The agent's name.
    #[must_use]
    pub fn agent_name(&self) -> Option<&str> {
        self.texts.get(Part::AgentName)
    }

    /// The name of the newest public message's author.
    #[must_use]
    pub fn last_name(&self) -> Option<&str> {
        self.texts.get(Part::LastName)
    }

    /// The beginning of the newest public message; `None` when redacted or without text.
    #[must_use]
    pub fn last_text(&self) -> Option<&str> {
        self.texts.get(Part::LastText)
    }

    /// The visitor's words beside the score.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.texts.get(Part::Comment)
    }

    /// The skills it asks for.
    pub fn skills(&self) -> impl Iterator<Item = &str> {
        self.texts.list(Part::Skills)
    }

    /// Its tags. Agents only.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.texts.list(Part::Tags)
    }

    /// The widget it came through.
    #[must_use]
    pub fn widget(&self) -> Option<&str> {
        self.texts.get(Part::Widget)
    }

    /// How many messages of the other side somebody on `side` with `receipt` has not read (P12).
    #[must_use]
    pub fn unread(&self, side: Side, receipt: &Receipt) -> u32 {
        receipt.unread(side, self.ordinals)
    }

    /// Where it stands in a list.
    #[must_use]
    pub fn key(&self, sort: Sort) -> SortKey {
        match (sort, self.waiting_since) {
            (Sort::Waiting, Some(since)) => {
                SortKey::waiting(queue::rank(self.priority, since), self.id)
            }
            (Sort::Waiting, None) | (Sort::Recent, _) => SortKey::recent(self.last_at, self.id),
        }
    }

    /// What it takes to say who may see it.
    #[must_use]
    pub fn sight(&self) -> Subject<'_> {
        Subject { visitor: self.visitor, agent: self.agent, department: self.department() }
    }

    /// What it costs, inline and on the heap, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.texts.all.len() + self.rare.as_deref().map_or(0, size_of_val)
    }
}

impl Rare {
    fn of(state: &Conversation) -> Option<Box<Self>> {
        let rare = Self { score: state.rating.as_ref().map(|it| it.score), ticket: state.ticket };
        (rare.score.is_some() || rare.ticket.is_some()).then(|| Box::new(rare))
    }
}

// With the two counts of an `Arc` it fills a size class of the allocator.
const _: () = assert!(size_of::<Card>() <= 240);

/// Between the items of a list within a text: NUL is in no text (`message`).
const SEPARATOR: &str = "\0";

/// The texts of a card, in the order in which they lie. A new one is a new form between nodes.
#[derive(Clone, Copy)]
enum Part {
    Subject,
    Department,
    VisitorName,
    VisitorEmail,
    VisitorPhone,
    AgentName,
    LastName,
    LastText,
    Comment,
    Skills,
    Tags,
    Widget,
}

const N_PARTS: usize = Part::Widget as usize + 1;

/// Texts end to end in one allocation, and where each ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    all: Box<str>,
    ends: [u16; N_PARTS],
}

impl Texts {
    /// These texts, in the order of [`Part`]. One that would not fit 64 KiB is left out; the
    /// limits of the parts sum to a small fraction of that.
    fn of(parts: [Option<&str>; N_PARTS]) -> Self {
        let parts = parts.map(Option::unwrap_or_default);
        // Made in its own size: a card is made for every message.
        let mut all = String::with_capacity(parts.iter().map(|part| part.len()).sum());
        let mut end = 0;
        let ends = parts.map(|part| {
            if let Ok(fits) = u16::try_from(all.len() + part.len()) {
                all.push_str(part);
                end = fits;
            }
            end
        });
        Self { all: all.into_boxed_str(), ends }
    }

    /// All texts end to end, and where each ends: how they travel.
    #[must_use]
    pub const fn parts(&self) -> (&str, &[u16]) {
        (&self.all, &self.ends)
    }

    /// What [`parts`](Self::parts) gave; `None` for what it cannot have given.
    #[must_use]
    pub fn of_parts(all: &str, ends: &[u16]) -> Option<Self> {
        let ends: [u16; N_PARTS] = ends.try_into().ok()?;
        let is_whole = ends.last().is_some_and(|end| usize::from(*end) == all.len());
        let are_ends =
            ends.is_sorted() && ends.iter().all(|end| all.is_char_boundary((*end).into()));
        (is_whole && are_ends).then(|| Self { all: all.into(), ends })
    }

    fn get(&self, part: Part) -> Option<&str> {
        let idx = part as usize;
        let start = idx.checked_sub(1).map_or(0, |before| self.ends[before]);
        let text = self.all.get(usize::from(start)..usize::from(self.ends[idx]))?;
        (!text.is_empty()).then_some(text)
    }

    fn list(&self, part: Part) -> impl Iterator<Item = &str> {
        self.get(part).into_iter().flat_map(|list| list.split(SEPARATOR))
    }
}

#[cfg(test)]
mod tests;
