//! The port: what every engine promises.
//!
//! All calls may be dropped by the caller at any time; a write whose future was dropped is still
//! carried out or not at all. Errors are [`Fault`]s: the rules of the domain never speak here.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use switchboard_domain::conversation::{Conversation, Event, Heads, Sent, Status, Stream};
use switchboard_domain::ids::{
    AgentId, ConversationId, DepartmentId, DeviceId, Seq, TenantId, Timestamp, VisitorId,
};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;

/// The answer of an engine, some time later.
pub type Reply<T> = BoxFuture<'static, Result<T, Fault>>;

/// The first number that [`Store::take_numbers`] gives to a tenant.
pub const NUMBERS_START: u64 = 1_000_000;

/// A conversation, fully named. Every look-up goes through its tenant (P10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConversationKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The conversation within it.
    pub conversation: ConversationId,
}

/// The id alone tells nearly all apart, and each message is looked up in many maps.
impl std::hash::Hash for ConversationKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.conversation.hash(state);
    }
}

/// Events to be stored together or not at all.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose log.
    pub key: ConversationKey,
    /// The owner's epoch, stored with each row.
    pub epoch: u64,
    /// The events, in order; in each stream they follow the stored head without a gap.
    pub events: Arc<[Event]>,
    /// Whether to mark the conversation's checkpoint as behind its log. The owner says so once,
    /// with the first append after a checkpoint.
    pub mark_dirty: bool,
}

/// A stretch of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Whose log.
    pub key: ConversationKey,
    /// Which stream.
    pub stream: Stream,
    /// Where the stretch lies.
    pub range: Range,
    /// At most so many events.
    pub limit: usize,
}

/// Which way to read from a position. The answer is always in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The first events after this position.
    After(Seq),
    /// The last events before this position.
    Before(Seq),
}

/// What the log says of a device of a principal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendLookup {
    /// The newest number stored; 0 for none.
    pub last_n: u64,
    /// The send asked for, if it is stored.
    pub sent: Option<Sent>,
}

/// Which conversations a list holds. Lists are read from checkpoints, so they may be about a
/// second behind the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Only those in one of these; empty means any.
    pub statuses: Vec<Status>,
    /// Only those of one department.
    pub department: Option<DepartmentId>,
    /// Only those of one agent or visitor.
    pub scope: ListScope,
    /// Continue after this [position](List::position). `None` starts at the newest.
    pub after: Option<(Timestamp, ConversationId)>,
    /// At most so many.
    pub limit: usize,
}

impl List {
    /// Where a conversation stands in the list: by its newest activity, newest first. What a
    /// visitor lists is ordered by public activity alone, so that notes move nothing (P13).
    #[must_use]
    pub fn position(&self, conversation: &Conversation) -> (Timestamp, ConversationId) {
        let at = match self.scope {
            ListScope::Visitor(_) => conversation.last_public_at,
            ListScope::All | ListScope::Unassigned | ListScope::Agent(_) => conversation.last_at,
        };
        (at, conversation.id)
    }

    /// Whether a conversation of this tenant belongs into the rest of the list, after `after`.
    #[must_use]
    pub fn holds(&self, conversation: &Conversation) -> bool {
        let position = self.position(conversation);
        (self.statuses.is_empty() || self.statuses.contains(&conversation.status))
            && (self.department.is_none() || self.department == conversation.department)
            && self.scope.holds(conversation)
            && self.after.is_none_or(|after| position < after)
    }
}

/// Whose conversations a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListScope {
    /// Everybody's.
    All,
    /// Those that no agent owns.
    Unassigned,
    /// Those that this agent owns.
    Agent(AgentId),
    /// Those that this visitor began.
    Visitor(VisitorId),
}

impl ListScope {
    /// Whether a conversation is in it.
    #[must_use]
    pub fn holds(self, conversation: &Conversation) -> bool {
        let agent = conversation.agent.as_ref().map(|agent| agent.id);
        match self {
            Self::All => true,
            Self::Unassigned => agent.is_none(),
            Self::Agent(id) => agent == Some(id),
            Self::Visitor(id) => conversation.visitor.id == id,
        }
    }
}

/// Somebody had read so far at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    /// Who.
    pub by: Principal,
    /// Up to which position of the public stream.
    pub upto: Seq,
    /// Since when.
    pub at: Timestamp,
}

/// The name of a document: a small versioned record such as a widget, a person or a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    /// Whose.
    pub tenant: TenantId,
    /// What kind of thing: `widget`, `person`, `department`, …
    pub kind: &'static str,
    /// Its id within tenant and kind.
    pub id: Arc<str>,
}

/// A document as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its id within tenant and kind.
    pub id: Arc<str>,
    /// Rises by one with every write, from 1; clients see it as the ETag.
    pub version: u64,
    /// The stored form, versioned by whoever wrote it.
    pub bytes: Vec<u8>,
}

/// What a conditional write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// Exactly this version.
    Version(u64),
}

impl Expect {
    /// Whether it holds for the stored version, `None` for nothing stored.
    #[must_use]
    pub fn holds(self, stored: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => stored.is_none(),
            Self::Version(version) => stored == Some(version),
        }
    }
}

/// What an owner hands on with a log that it settled: whoever owns it next may begin with this,
/// once, and with the state at these heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOn {
    /// The epoch that the log's head has.
    pub epoch: i64,
    /// The first positions of that epoch.
    pub starts: Heads,
    /// Up to where the log goes; all of it is durable.
    pub heads: Heads,
}

/// An engine.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Begins to serve a log as its owner, under this epoch: what an owner before it left
    /// unsettled is settled, and what that one still writes is never read. The owner opens a log before it
    /// reads where it stands; an append opens it by itself. [`Fault::Fenced`] when the log has an
    /// owner of a higher epoch. A log that is empty loses its mark. A store that only one process can open has
    /// nothing to do.
    fn open(&self, key: &ConversationKey, epoch: u64) -> Reply<()> {
        let _ = (key, epoch);
        ready(Ok(())).boxed()
    }

    /// Whether anything was ever stored of a log, so that it has to be opened before it is read. It
    /// costs a read at most; a store that only one process can open says yes without a look.
    fn is_begun(&self, key: &ConversationKey) -> Reply<bool> {
        let _ = key;
        ready(Ok(true)).boxed()
    }

    /// Ends serving a log whose shard is given away, and answers what its next owner may begin
    /// with. `None` when it is not served under this epoch or anything of it is in doubt, and from
    /// a store that only one process can open.
    fn hand_on(&self, key: &ConversationKey, epoch: u64) -> Option<HandOn> {
        let _ = (key, epoch);
        None
    }

    /// As [`open`](Self::open), with what the owner before handed on: by one conditional write,
    /// which needs the log to be exactly as that owner left it. Whether it was; if not, the log is
    /// to be opened and read.
    fn open_warm(&self, key: &ConversationKey, epoch: u64, handed: HandOn) -> Reply<bool> {
        let _ = (key, epoch, handed);
        ready(Ok(false)).boxed()
    }

    /// Stores events durably; the answer comes only after they would survive a power cut (P1).
    ///
    /// Storing the same events again is allowed and changes nothing. Other content at a stored
    /// position is [`Fault::Occupied`], a position beyond the head a [`Fault::NotDense`]; both
    /// store nothing. After [`Fault::Unknown`] the events are stored together or not at all, and
    /// the owner reads the log again before it goes on.
    fn append(&self, append: Append) -> Reply<()>;

    /// Reads a stretch of one stream. Its owner reads all that was acknowledged; others may read
    /// only what the last checkpoint covers.
    fn read(&self, page: Page) -> Reply<Vec<Event>>;

    /// Looks a send up by its key: the slow path behind
    /// [`Dedupe`](switchboard_domain::conversation::Dedupe).
    fn find_send(
        &self,
        key: &ConversationKey,
        principal: Principal,
        device: DeviceId,
        n: u64,
    ) -> Reply<SendLookup>;

    /// The newest checkpoint; it may be behind the log. `None` when none was written.
    fn checkpoint(&self, key: &ConversationKey) -> Reply<Option<Conversation>>;

    /// Writes checkpoints. An older checkpoint never replaces a newer one (by heads), and only
    /// one that has caught up with the log clears its dirty mark.
    fn put_checkpoints(&self, checkpoints: Vec<(ConversationKey, Conversation)>) -> Reply<()>;

    /// Conversations whose checkpoint is behind the log, at most `limit`: after a crash these
    /// are to be loaded and checkpointed.
    fn dirty(&self, limit: usize) -> Reply<Vec<ConversationKey>>;

    /// A page of a list, newest activity first.
    fn list(&self, list: List) -> Reply<Vec<Conversation>>;

    /// The conversation of that integer name; known from its first checkpoint on.
    fn by_number(&self, tenant: &TenantId, number: u64) -> Reply<Option<ConversationId>>;

    /// Raises receipts; a position never falls. Of when something was read, what is said with the
    /// position for the first time is kept.
    fn put_receipts(&self, receipts: Vec<(ConversationKey, Principal, Receipt)>) -> Reply<()>;

    /// All receipts of a conversation.
    fn receipts(&self, key: &ConversationKey) -> Reply<Vec<(Principal, Receipt)>>;

    /// When people read a conversation: each position that somebody's receipt was stored with, and
    /// when it was read. In no order.
    fn readings(&self, key: &ConversationKey) -> Reply<Vec<Reading>>;

    /// Reads a document.
    fn document(&self, key: &DocumentKey) -> Reply<Option<Document>>;

    /// Writes a document durably; answers its new version. [`Fault::Changed`] when `expect` does
    /// not hold.
    fn put_document(&self, key: DocumentKey, expect: Expect, bytes: Vec<u8>) -> Reply<u64>;

    /// Removes a document; absent is fine unless `expect` says otherwise.
    fn delete_document(&self, key: DocumentKey, expect: Expect) -> Reply<()>;

    /// Documents of one kind, by id, after `after`, at most `limit`.
    fn documents(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Reply<Vec<Document>>;

    /// Takes `count` numbers of a tenant for good; answers the first. Numbers start at 1,000,000
    /// and are never given twice; gaps are allowed.
    fn take_numbers(&self, tenant: &TenantId, count: u64) -> Reply<u64>;

    /// Deletes up to `limit` conversations that were closed before `before`, events, checkpoint
    /// and receipts; answers how many. One whose checkpoint is behind its log is left alone, for
    /// it may be open again.
    fn purge_closed(&self, tenant: &TenantId, before: Timestamp, limit: usize) -> Reply<usize>;

    /// Waits until the engine has failed for good, and says why. After that it acknowledges
    /// nothing; the process must end and be started again.
    fn failed(&self) -> BoxFuture<'static, Fault>;
}

/// Something broke.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The disk is full. The write was not done; reads go on.
    #[error("the disk is full")]
    Full,
    /// Too many writes wait. The write was not done.
    #[error("the store is busy")]
    Busy,
    /// A position is taken by another event.
    #[error("position {seq} of {stream:?} holds another event")]
    Occupied {
        /// The stream.
        stream: Stream,
        /// The position.
        seq: Seq,
    },
    /// A position before these events is empty.
    #[error("position {seq} of {stream:?} does not follow the head")]
    NotDense {
        /// The stream.
        stream: Stream,
        /// The position of the first event that does not follow.
        seq: Seq,
    },
    /// Another owner, of a higher epoch, has the log. The write was not done.
    #[error("another owner has taken the log over")]
    Fenced,
    /// Nobody can say whether the write was carried out, or still will be.
    #[error("the outcome of the write is unknown")]
    Unknown,
    /// A conditional write found something else.
    #[error("the document was changed meanwhile")]
    Changed,
    /// A stored record fails its checksum or cannot be read.
    #[error("damaged record: {what}")]
    Damaged {
        /// Which record, and what is wrong with it.
        what: Arc<str>,
    },
    /// A stored record or schema is newer than this program.
    #[error("{what} has version {found}, this program reads up to {known}")]
    TooNew {
        /// What.
        what: &'static str,
        /// The version found.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The engine failed; the outcome of writes under way is unknown and nothing more is stored.
    #[error("the store failed: {what}")]
    Failed {
        /// What failed, in the engine's words.
        what: Arc<str>,
    },
}
