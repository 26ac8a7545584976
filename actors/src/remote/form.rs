//! How things look between two nodes: in the order of their fields, numbers in little endian,
//! texts and lists behind their length, variants behind their number.
//!
//! Versions are the transport's, and frozen: a new field or variant is a new version, which is
//! written only when both nodes know it. The second has envelopes of shards, the third also what
//! their conversations hand on, the fourth what is stored without more; all else is the first.
//! Events and states travel as the records that the store keeps, which have versions of their own.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_domain::card::{Card, Last, Rare, Texts};
use switchboard_domain::conversation::{
    Command, Contact, Conversation, Created, Event, Heads, Ordinals, Priority, Rating, Rejection,
    Request, Resolution, SendKey, Start, Status, Stream, Target, TransferTarget,
};
use switchboard_domain::ids::{
    ConversationId, DepartmentId, Id, Number, Seq, TenantId, Timestamp, WidgetId,
};
use switchboard_domain::person::{AgentRef, Author, Caller, Principal, Role};
use switchboard_domain::presence;
use switchboard_domain::queue::Policy;
use switchboard_domain::receipt::Receipt;
use switchboard_domain::trail::Page;
use switchboard_store::record::{
    CheckpointPlace, EventPlace, decode_checkpoint, decode_event, encode_checkpoint, encode_event,
};
use switchboard_store::{ConversationKey, Fault, Range};
use uuid::Uuid;

use crate::answer::{Placed, Refusal, Stored};
use crate::maps::HashSet;

/// Something that travels.
pub(super) trait Form: Sized {
    /// Appends its bytes.
    fn put(&self, to: &mut Vec<u8>);
    /// Takes it from the front of the bytes; `None` when they are not of it.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Form for $number {
            fn put(&self, to: &mut Vec<u8>) {
                to.extend(self.to_le_bytes());
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

/// A type by its fields, in the order in which they travel.
macro_rules! fields {
    ($type:ident { $($field:ident),* }) => {
        impl Form for $type {
            fn put(&self, to: &mut Vec<u8>) {
                $(self.$field.put(to);)*
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                $(let $field = Form::take(from)?;)*
                Some(Self { $($field),* })
            }
        }
    };
}

/// A type around one other.
macro_rules! wrappers {
    ($($type:ident),*) => {$(
        impl Form for $type {
            fn put(&self, to: &mut Vec<u8>) {
                self.0.put(to);
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                Some(Self(Form::take(from)?))
            }
        }
    )*};
}

/// A type by its variants, each with its number and its fields.
macro_rules! variants {
    ($type:ty {
        $($tag:literal $variant:ident $({ $($field:ident),* })? $(($inner:ident))?),* $(,)?
    }) => {
        impl Form for $type {
            fn put(&self, to: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(($inner))? => {
                        to.push($tag);
                        $($($field.put(to);)*)?
                        $($inner.put(to);)?
                    })*
                }
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                match u8::take(from)? {
                    $($tag => {
                        $($(let $field = Form::take(from)?;)*)?
                        $(let $inner = Form::take(from)?;)?
                        Some(Self::$variant $({ $($field),* })? $(($inner))?)
                    })*
                    _ => None,
                }
            }
        }
    };
}

pub(super) use {fields, variants};

numbers!(u8, u16, u32, u64, i64, u128);
wrappers!(TenantId, DepartmentId, WidgetId, Number, Seq, Timestamp);
fields!(ConversationKey { tenant, conversation });
fields!(AgentRef { id, name });
fields!(Author { principal, name });
fields!(Caller { author, role });
fields!(SendKey { device, n, digest });
fields!(Request { caller, key, command });
fields!(Contact { id, name, email, phone, verified });
fields!(Created {
    log,
    number,
    visitor,
    widget,
    subject,
    department,
    priority,
    skills,
    context,
    fields
});
fields!(Target { seq, author, at, redacted });
fields!(Rating { score, comment });
fields!(Ordinals { visitor, agent, system });
fields!(Placed { seq, id, at });
fields!(Stored { placed, duplicate, waits });
fields!(Receipt { received, read, read_at, read_ordinals });
fields!(Page { url, title, did, at });
fields!(Heads { public, internal });
fields!(Last { seq, from, at });
fields!(Rare { score, ticket });
fields!(Card {
    id,
    log,
    number,
    visitor,
    verified,
    agent,
    status,
    resolution,
    offline,
    transferred,
    priority,
    created_at,
    last_at,
    last_public_at,
    waiting_since,
    heads,
    ordinals,
    last,
    rare,
    texts
});
variants!(Principal { 0 Visitor(id), 1 Agent(id), 2 Bot(id), 3 System });
variants!(Role { 0 Visitor, 1 Agent, 2 Supervisor, 3 Admin, 4 Owner });
variants!(Status { 0 Waiting, 1 Active, 2 Closed, 3 Archived });
variants!(presence::Status { 0 Online, 1 Away, 2 Busy, 3 Offline });
variants!(Policy { 0 Manual, 1 LeastBusy, 2 RoundRobin, 3 Skills });
variants!(Stream { 0 Public, 1 Internal });
variants!(Range { 0 After(seq), 1 Before(seq) });
variants!(Priority { 0 Low, 1 Medium, 2 High, 3 Urgent });
variants!(Resolution { 0 None, 1 Resolved });
variants!(TransferTarget { 0 Agent(agent), 1 Department(department) });
variants!(Start { 0 Waiting, 1 Offline, 2 Assigned(agent) });
variants!(Command {
    0 Create { created, welcome, message, start },
    1 Send { text, files, if_head },
    2 Note { text },
    3 Whisper { text },
    4 Accept { agent },
    5 Assign { agent },
    6 Route { agent },
    7 Unassign,
    8 Requeue,
    9 Transfer { to, reason },
    10 RefuseTransfer,
    11 Close { resolution },
    12 Reopen { agent },
    13 Archive,
    14 Prioritise { priority },
    15 SetDepartment { department },
    16 Tag { tags },
    17 Rate(rating),
    18 Edit { stream, target, text },
    19 Redact { stream, target },
    20 LinkTicket { ticket },
    21 GoOffline,
    22 AnnounceAgent { text },
    23 Watch,
    24 Take { agent },
    25 LeaveLine,
    26 ReturnToLine,
});
variants!(Rejection {
    0 NotFound,
    1 Exists,
    2 Forbidden,
    3 Closed,
    4 Open,
    5 AlreadyAccepted { by },
    6 Unassigned,
    7 SameAgent,
    8 NotTransferred,
    9 StaleHead { newest },
    10 Conflict,
    11 Gap { expect },
    12 TooLarge { what, max },
    13 Invalid { what, why },
    14 TooLate,
    15 NoMessage,
    16 AlreadyRated,
    17 AtCapacity,
});
variants!(Refusal {
    0 Rejected(rejection),
    1 Busy { retry_after_ms },
    2 StorageFull,
    3 Unknown,
    4 Quarantined,
    5 Draining,
    6 Store(fault),
    7 Moved,
});

impl Form for bool {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        match u8::take(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Form for usize {
    fn put(&self, to: &mut Vec<u8>) {
        u64::try_from(*self).unwrap_or(u64::MAX).put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Self::try_from(u64::take(from)?).ok()
    }
}

impl<K> Form for Id<K> {
    fn put(&self, to: &mut Vec<u8>) {
        self.uuid().as_u128().put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(Self::new(Uuid::from_u128(u128::take(from)?)))
    }
}

impl Form for Arc<str> {
    fn put(&self, to: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        std::str::from_utf8(take_bytes(from)?).ok().map(Into::into)
    }
}

impl Form for Bytes {
    fn put(&self, to: &mut Vec<u8>) {
        put_bytes(self, to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        take_bytes(from).map(Self::copy_from_slice)
    }
}

impl<T: Form> Form for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.is_some().put(to);
        if let Some(it) = self {
            it.put(to);
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        if bool::take(from)? { Some(Some(T::take(from)?)) } else { Some(None) }
    }
}

impl<T: Form> Form for Vec<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.len().put(to);
        for it in self {
            it.put(to);
        }
    }

    /// Nothing is set aside for a length that the bytes do not bear out.
    fn take(from: &mut &[u8]) -> Option<Self> {
        (0..usize::take(from)?).map(|_| T::take(from)).collect()
    }
}

impl<A: Form, B: Form> Form for (A, B) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl<T: Form> Form for Arc<[T]> {
    fn put(&self, to: &mut Vec<u8>) {
        self.len().put(to);
        for it in &**self {
            it.put(to);
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Vec::take(from).map(Into::into)
    }
}

impl<T: Form> Form for Box<T> {
    fn put(&self, to: &mut Vec<u8>) {
        (**self).put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(Self::new(T::take(from)?))
    }
}

/// The place that records on their way are said to be stored at.
static UNDER_WAY: LazyLock<TenantId> = LazyLock::new(|| TenantId("under way".into()));

fn under_way(conversation: ConversationId) -> ConversationKey {
    ConversationKey { tenant: UNDER_WAY.clone(), conversation }
}

impl Form for Event {
    fn put(&self, to: &mut Vec<u8>) {
        self.stream.put(to);
        self.seq.put(to);
        let key = under_way(ConversationId::from_u128(0));
        let place = EventPlace { key: &key, stream: self.stream, seq: self.seq, epoch: 0 };
        // The types rule a failure out; no record is none that the other side could read.
        put_bytes(&encode_event(place, self).unwrap_or_default(), to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let (stream, seq) = (Form::take(from)?, Form::take(from)?);
        let key = under_way(ConversationId::from_u128(0));
        let place = EventPlace { key: &key, stream, seq, epoch: 0 };
        decode_event(place, take_bytes(from)?).ok()
    }
}

impl Form for Arc<Card> {
    fn put(&self, to: &mut Vec<u8>) {
        (**self).put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Card::take(from).map(Self::new)
    }
}

impl Form for Texts {
    fn put(&self, to: &mut Vec<u8>) {
        let (all, ends) = self.parts();
        put_bytes(all.as_bytes(), to);
        ends.len().put(to);
        for end in ends {
            end.put(to);
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let all = std::str::from_utf8(take_bytes(from)?).ok()?;
        Self::of_parts(all, &Vec::take(from)?)
    }
}

impl Form for Arc<Conversation> {
    fn put(&self, to: &mut Vec<u8>) {
        self.id.put(to);
        let key = under_way(self.id);
        put_bytes(&encode_checkpoint(CheckpointPlace(&key), self).unwrap_or_default(), to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let key = under_way(Form::take(from)?);
        decode_checkpoint(CheckpointPlace(&key), take_bytes(from)?).ok().map(Self::new)
    }
}

/// What a store says in its own words stays words.
impl Form for Fault {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::Full => to.push(0),
            Self::Busy => to.push(1),
            fault => {
                to.push(2);
                put_bytes(fault.to_string().as_bytes(), to);
            }
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        match u8::take(from)? {
            0 => Some(Self::Full),
            1 => Some(Self::Busy),
            2 => Some(Self::Failed { what: Form::take(from)? }),
            _ => None,
        }
    }
}

/// Words of the program itself, of which there are few. Those of another version that this one
/// does not have are kept, up to a bound.
impl Form for &'static str {
    fn put(&self, to: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        const WORDS_MAX: usize = 256;
        const BYTES_MAX: usize = 128;
        static WORDS: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
        let word = std::str::from_utf8(take_bytes(from)?).ok()?;
        let mut words = WORDS.lock();
        if let Some(known) = words.get(word) {
            return Some(known);
        }
        if words.len() >= WORDS_MAX || word.len() > BYTES_MAX {
            return Some("value");
        }
        let kept: &'static str = Box::leak(word.into());
        words.insert(kept);
        Some(kept)
    }
}

fn put_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    bytes.len().put(to);
    to.extend_from_slice(bytes);
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::take(from)?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests;
