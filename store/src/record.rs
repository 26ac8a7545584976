//! Stored forms: what an event and a checkpoint look like as bytes.
//!
//! A record is `version · body · checksum`: one byte, a MessagePack body whose shape belongs to
//! the version, and the CRC-32C (little endian) of everything before it *and of the place it is
//! stored at*. So a flipped bit, a torn write and a record at the wrong key are all noticed on
//! reading, and never answered as content.
//!
//! A shape never changes once it was released: a new one gets a new version, and the old one is
//! upgraded on reading, step by step. The tests hold one frozen record of each version, so a change
//! that would make stored bytes unreadable is seen.
//!
//! Nodes of two releases may share a database. So a release reads a new version before the next one
//! writes it, and what is written now is read by the release before. A record that is newer still
//! is refused by name and stays as it is.

mod part;
mod event;
mod checkpoint;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use switchboard_domain::conversation::{Conversation, Event, Stream};
use switchboard_domain::ids::{Id, Seq, TenantId};
use switchboard_domain::person::Principal;
use uuid::Uuid;

use crate::port::{ConversationKey, Fault};
use checkpoint::CheckpointV2;
use event::{EventV0, EventV2};

/// The version that event records are written in. It is one that the release before reads.
pub const EVENT_VERSION: u8 = 2;
/// The version that checkpoint records are written in; likewise.
pub const CHECKPOINT_VERSION: u8 = 2;

/// Bytes of the checksum at the end.
const CHECKSUM_BYTES: usize = 4;
/// What most message records fit into, so that writing one allocates once.
const EVENT_BYTES_USUAL: usize = 384;
/// The same for checkpoints.
const CHECKPOINT_BYTES_USUAL: usize = 1_024;

/// Where an event is stored.
#[derive(Clone, Copy, Debug)]
pub struct EventPlace<'key> {
    /// Whose log.
    pub key: &'key ConversationKey,
    /// Which stream.
    pub stream: Stream,
    /// Which position.
    pub seq: Seq,
    /// The epoch it was written under.
    pub epoch: u64,
}

/// Where a checkpoint is stored.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointPlace<'key>(pub &'key ConversationKey);

/// The record of `event`, to be stored at `place`.
///
/// # Errors
///
/// [`Fault::Damaged`] if it has no stored form, which the types rule out.
pub fn encode_event(place: EventPlace<'_>, event: &Event) -> Result<Vec<u8>, Fault> {
    seal(&place, EVENT_VERSION, &EventV2::from(event), EVENT_BYTES_USUAL)
}

/// The event whose record was found at `place`.
///
/// # Errors
///
/// [`Fault::Damaged`] when the record is not what was stored there, [`Fault::TooNew`] when a
/// newer program wrote it.
pub fn decode_event(place: EventPlace<'_>, record: &[u8]) -> Result<Event, Fault> {
    let (version, body) = unseal(&place, record)?;
    let form: EventV2 = match version {
        0 => parse::<EventV0>(&place, body)?.into(),
        1 | 2 => parse(&place, body)?,
        newer => return Err(too_new("an event record", newer, EVENT_VERSION)),
    };
    Ok(form.into_event(place.stream, place.seq))
}

/// The record of `checkpoint`, to be stored at `place`.
///
/// # Errors
///
/// [`Fault::Damaged`] if it has no stored form, which the types rule out.
pub fn encode_checkpoint(
    place: CheckpointPlace<'_>,
    checkpoint: &Conversation,
) -> Result<Vec<u8>, Fault> {
    let form = CheckpointV2::from(checkpoint);
    seal(&place, CHECKPOINT_VERSION, &form, CHECKPOINT_BYTES_USUAL)
}

/// The checkpoint whose record was found at `place`.
///
/// # Errors
///
/// [`Fault::Damaged`] when the record is not what was stored there, [`Fault::TooNew`] when a
/// newer program wrote it.
pub fn decode_checkpoint(place: CheckpointPlace<'_>, record: &[u8]) -> Result<Conversation, Fault> {
    let (version, body) = unseal(&place, record)?;
    let form: CheckpointV2 = match version {
        1 | 2 => parse(&place, body)?,
        newer if newer > CHECKPOINT_VERSION => {
            return Err(too_new("a checkpoint record", newer, CHECKPOINT_VERSION));
        }
        unknown => return Err(damaged(&place, &format_args!("version {unknown} never was"))),
    };
    Ok(form.into_conversation(place.0.conversation))
}

/// The checksum of bytes of another's making (a document, the columns of a receipt), stored at
/// `place`.
#[must_use]
pub fn checksum(place: &dyn Place, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(place.checksum(), bytes)
}

/// A place in a store: named in faults, and part of the checksum of what is stored there.
pub trait Place: fmt::Display {
    /// The checksum of the place's name.
    fn checksum(&self) -> u32;
}

/// Where a document is stored, and under which version.
#[derive(Clone, Copy, Debug)]
pub struct DocumentPlace<'key> {
    /// Whose.
    pub tenant: &'key TenantId,
    /// What kind of thing.
    pub kind: &'key str,
    /// Its id within tenant and kind.
    pub id: &'key str,
    /// Its version.
    pub version: u64,
}

/// Where a receipt is stored.
#[derive(Clone, Copy, Debug)]
pub struct ReceiptPlace<'key> {
    /// Of which conversation.
    pub key: &'key ConversationKey,
    /// Whose.
    pub principal: Principal,
}

/// Where a run of events of one stream is stored.
#[derive(Clone, Copy, Debug)]
pub struct RunPlace<'key> {
    /// Whose log.
    pub key: &'key ConversationKey,
    /// Which stream.
    pub stream: Stream,
    /// The position of its first event.
    pub first: Seq,
    /// The position of its last event.
    pub last: Seq,
}

/// Where the events of one commit are stored until they are filed.
#[derive(Clone, Copy, Debug)]
pub struct BatchPlace(pub i64);

impl Place for EventPlace<'_> {
    fn checksum(&self) -> u32 {
        let mut sum = checksum_of_key("event", self.key);
        sum = crc32c::crc32c_append(sum, &[stream_code(self.stream)]);
        sum = crc32c::crc32c_append(sum, &self.seq.0.to_le_bytes());
        crc32c::crc32c_append(sum, &self.epoch.to_le_bytes())
    }
}

impl Place for RunPlace<'_> {
    fn checksum(&self) -> u32 {
        let mut sum = checksum_of_key("run", self.key);
        sum = crc32c::crc32c_append(sum, &[stream_code(self.stream)]);
        sum = crc32c::crc32c_append(sum, &self.first.0.to_le_bytes());
        crc32c::crc32c_append(sum, &self.last.0.to_le_bytes())
    }
}

impl Place for BatchPlace {
    fn checksum(&self) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(b"batch"), &self.0.to_le_bytes())
    }
}

impl Place for CheckpointPlace<'_> {
    fn checksum(&self) -> u32 {
        checksum_of_key("checkpoint", self.0)
    }
}

impl Place for DocumentPlace<'_> {
    fn checksum(&self) -> u32 {
        let mut sum = crc32c::crc32c(b"document");
        for part in [&*self.tenant.0, self.kind, self.id] {
            sum = crc32c::crc32c_append(sum, &part.len().to_le_bytes());
            sum = crc32c::crc32c_append(sum, part.as_bytes());
        }
        crc32c::crc32c_append(sum, &self.version.to_le_bytes())
    }
}

impl Place for ReceiptPlace<'_> {
    fn checksum(&self) -> u32 {
        let sum = checksum_of_key("receipt", self.key);
        crc32c::crc32c_append(sum, &principal_code(self.principal))
    }
}

impl fmt::Display for EventPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, stream, seq, epoch } = self;
        write!(f, "event {}/{}/{stream:?}/{seq} of epoch {epoch}", key.tenant, key.conversation)
    }
}

impl fmt::Display for RunPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, stream, first, last } = self;
        write!(f, "run {}/{}/{stream:?}/{first} to {last}", key.tenant, key.conversation)
    }
}

impl fmt::Display for BatchPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch {}", self.0)
    }
}

impl fmt::Display for CheckpointPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checkpoint {}/{}", self.0.tenant, self.0.conversation)
    }
}

impl fmt::Display for DocumentPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, kind, id, version } = self;
        write!(f, "document {tenant}/{kind}/{id} version {version}")
    }
}

impl fmt::Display for ReceiptPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, principal } = self;
        write!(f, "receipt {}/{} of {principal:?}", key.tenant, key.conversation)
    }
}

/// A principal in keys: one byte for its kind, then its id.
#[must_use]
pub fn principal_code(principal: Principal) -> [u8; 17] {
    let (kind, id) = match principal {
        Principal::System => (0, [0; 16]),
        Principal::Visitor(id) => (1, id.uuid().into_bytes()),
        Principal::Agent(id) => (2, id.uuid().into_bytes()),
        Principal::Bot(id) => (3, id.uuid().into_bytes()),
    };
    let mut code = [kind; 17];
    code[1..].copy_from_slice(&id);
    code
}

/// The principal that a [`principal_code`] is of; `None` when it is of none.
#[must_use]
pub fn principal_of_code(code: &[u8]) -> Option<Principal> {
    let (kind, id) = code.split_first()?;
    let id = Uuid::from_slice(id).ok()?;
    match kind {
        0 => Some(Principal::System),
        1 => Some(Principal::Visitor(Id::new(id))),
        2 => Some(Principal::Agent(Id::new(id))),
        3 => Some(Principal::Bot(Id::new(id))),
        _ => None,
    }
}

/// The number of a stream in keys.
#[must_use]
pub const fn stream_code(stream: Stream) -> u8 {
    match stream {
        Stream::Public => 0,
        Stream::Internal => 1,
    }
}

/// A fault that names the place.
#[must_use]
pub fn damaged(place: &dyn Place, why: &dyn fmt::Display) -> Fault {
    Fault::Damaged { what: Arc::from(format!("{place}: {why}")) }
}

/// Checksum of a table and a key in it. The length before the tenant keeps names apart of which
/// one is the beginning of the other.
fn checksum_of_key(table: &str, key: &ConversationKey) -> u32 {
    let tenant = key.tenant.0.as_bytes();
    let mut sum = crc32c::crc32c(table.as_bytes());
    sum = crc32c::crc32c_append(sum, &tenant.len().to_le_bytes());
    sum = crc32c::crc32c_append(sum, tenant);
    crc32c::crc32c_append(sum, key.conversation.uuid().as_bytes())
}

fn seal(
    place: &dyn Place,
    version: u8,
    body: &impl Serialize,
    bytes_usual: usize,
) -> Result<Vec<u8>, Fault> {
    let mut record = Vec::with_capacity(bytes_usual);
    record.push(version);
    rmp_serde::encode::write(&mut record, body).map_err(|why| damaged(place, &why))?;
    let sum = checksum(place, &record);
    record.extend_from_slice(&sum.to_le_bytes());
    Ok(record)
}

/// Version and body of a record, once its checksum holds. The checksum comes first, so that a
/// flipped version is damage and not a newer program.
fn unseal<'record>(place: &dyn Place, record: &'record [u8]) -> Result<(u8, &'record [u8]), Fault> {
    let Some((sealed, sum)) = record.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(damaged(place, &"it is cut short"));
    };
    if checksum(place, sealed) != u32::from_le_bytes(*sum) {
        return Err(damaged(place, &"its checksum does not hold"));
    }
    let Some((version, body)) = sealed.split_first() else {
        return Err(damaged(place, &"it is empty"));
    };
    Ok((*version, body))
}

/// The same record as if it were of another version, for tests.
#[cfg(all(feature = "cql", any(test, feature = "testkit")))]
pub(crate) fn of_version(place: &dyn Place, record: &[u8], version: u8) -> Vec<u8> {
    let body = record.len().saturating_sub(CHECKSUM_BYTES);
    let mut other = record.get(..body).unwrap_or_default().to_vec();
    if let Some(first) = other.first_mut() {
        *first = version;
    }
    let sum = checksum(place, &other);
    other.extend_from_slice(&sum.to_le_bytes());
    other
}

fn parse<T: DeserializeOwned>(place: &dyn Place, body: &[u8]) -> Result<T, Fault> {
    rmp_serde::from_slice(body).map_err(|why| damaged(place, &why))
}

fn too_new(what: &'static str, found: u8, known: u8) -> Fault {
    Fault::TooNew { what, found: found.into(), known: known.into() }
}

#[cfg(test)]
mod tests;
