//! Names of things: newtypes, so that one id cannot stand where another is meant.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// A 128-bit id of one kind of thing; `K` only keeps kinds apart. Written as a UUID.
///
/// Ids that we give are UUIDv7, so they sort by time of creation; ids that clients give
/// (devices) may be any UUID.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K> Id<K> {
    /// Wraps a UUID.
    #[must_use]
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The id that the 128 bits of `value` spell.
    #[must_use]
    pub const fn from_u128(value: u128) -> Self {
        Self::new(Uuid::from_u128(value))
    }

    /// The UUID inside.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<K> FromStr for Id<K> {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self::new)
    }
}

/// Kinds of [`Id`]. They have no values.
#[derive(Debug)]
pub enum ConversationKind {}
/// See [`ConversationKind`].
#[derive(Debug)]
pub enum EventKind {}
/// See [`ConversationKind`].
#[derive(Debug)]
pub enum LogKind {}
/// See [`ConversationKind`].
#[derive(Debug)]
pub enum AgentKind {}
/// See [`ConversationKind`].
#[derive(Debug)]
pub enum VisitorKind {}
/// See [`ConversationKind`].
#[derive(Debug)]
pub enum DeviceKind {}

/// One chat.
pub type ConversationId = Id<ConversationKind>;
/// One event of a conversation, in either stream.
pub type EventId = Id<EventKind>;
/// The identity of a conversation's history; it changes only if history was lost or restored.
pub type LogId = Id<LogKind>;
/// An agent: a person in the console, or a bot.
pub type AgentId = Id<AgentKind>;
/// A visitor: the person in the widget.
pub type VisitorId = Id<VisitorKind>;
/// One outbox of a principal. Within (conversation, principal, device) sends are numbered.
pub type DeviceId = Id<DeviceKind>;

/// A customer account, by its short name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub Arc<str>);

/// A widget, by its short name within a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WidgetId(pub Arc<str>);

/// A department, by its short name within a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DepartmentId(pub Arc<str>);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for WidgetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DepartmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant-unique integer name of a conversation, agent, contact or ticket; from 1,000,000 up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub u64);

/// A position in one stream of a conversation. The first event has 1; 0 stands before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The position right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A wall-clock time in milliseconds since the Unix epoch, UTC. It informs; it never orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds from `earlier` to this time; negative if `earlier` is later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time `ms` milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}
