//! Events on the wire: the same object in `event` frames, in `events` frames and over HTTP.
//!
//! The bytes of an event are made once per codec and kept with it. The idempotency key is told
//! only to the principal who used it; those bytes are made from the others by adding two fields at
//! the end, so nothing is encoded twice.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use switchboard_actors::Published;
use switchboard_domain::conversation::{
    AssignedBy, Body, Created, Event, Priority, Resolution, SendKey, TransferTarget,
};
use switchboard_domain::ids::ConversationId;
use switchboard_domain::person::Principal;
use uuid::Uuid;

use super::person::{Agent, Person};
use super::time::Rfc3339;
use super::{Codec, plain, stream_name};

/// The bytes of an event for `reader`, from the encodings kept with it.
#[must_use]
pub fn encoded(published: &Published, codec: Codec, reader: Principal) -> Bytes {
    let plain = |published: &Published| {
        published.encoded(slot(codec, false), |published| {
            let (conversation, event) = (published.conversation, &published.event);
            let plain =
                if codec == Codec::Json { plain::message(conversation, event) } else { None };
            plain.unwrap_or_else(|| codec.encode(&Frame { conversation, event }))
        })
    };
    match published.event.key {
        Some(key) if published.event.from.principal == reader => published
            .encoded(slot(codec, true), |published| with_key(&plain(published), codec, key)),
        _ => plain(published),
    }
}

/// Where the encodings of an event are kept.
const fn slot(codec: Codec, keyed: bool) -> usize {
    match (codec, keyed) {
        (Codec::Json, false) => 0,
        (Codec::MessagePack, false) => 1,
        (Codec::Json, true) => 2,
        (Codec::MessagePack, true) => 3,
    }
}

/// Adds `device` and `n` at the end of an encoded event.
fn with_key(plain: &Bytes, codec: Codec, key: SendKey) -> Bytes {
    #[derive(Serialize)]
    struct Key {
        device: Uuid,
        n: u64,
    }
    let key = codec.encode(&Key { device: key.device.uuid(), n: key.n });
    let mut bytes = Vec::with_capacity(plain.len() + key.len());
    bytes.extend_from_slice(plain);
    match codec {
        Codec::Json => {
            // `{…}` and `{"device":…}` become `{…,"device":…}`.
            bytes.pop();
            bytes.push(b',');
            bytes.extend_from_slice(&key[1..]);
        }
        Codec::MessagePack => {
            // Both are short maps: the low bits of the first byte count the entries, and an event
            // has at most ten.
            bytes[0] += 2;
            bytes.extend_from_slice(&key[1..]);
        }
    }
    bytes.into()
}

/// An `events` frame of events that are encoded already.
#[must_use]
pub fn batch(
    codec: Codec,
    conversation: ConversationId,
    stream: Option<&'static str>,
    items: &[Bytes],
    more: bool,
) -> Bytes {
    #[derive(Serialize)]
    #[serde(tag = "type", rename = "events")]
    struct Head {
        conversation: Uuid,
        #[serde(skip_serializing_if = "Option::is_none")]
        stream: Option<&'static str>,
    }
    let size: usize = items.iter().map(|item| item.len() + 1).sum();
    let mut bytes = Vec::with_capacity(size + 128);
    bytes.extend_from_slice(&codec.encode(&Head { conversation: conversation.uuid(), stream }));
    match codec {
        Codec::Json => {
            bytes.pop();
            bytes.extend_from_slice(b",\"items\":[");
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    bytes.push(b',');
                }
                bytes.extend_from_slice(item);
            }
            bytes.extend_from_slice(if more { b"],\"more\":true}" } else { b"],\"more\":false}" });
        }
        Codec::MessagePack => {
            bytes[0] += 2;
            bytes.extend_from_slice(b"\xa5items\xdd");
            let n_items = u32::try_from(items.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&n_items.to_be_bytes());
            for item in items {
                bytes.extend_from_slice(item);
            }
            bytes.extend_from_slice(b"\xa4more");
            bytes.push(if more { 0xc3 } else { 0xc2 });
        }
    }
    bytes.into()
}

/// An event without its key.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Whose event.
    pub conversation: ConversationId,
    /// The event.
    pub event: &'a Event,
}

impl Serialize for Frame<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let stream = stream_name(event.stream);
        let n_fields = if stream.is_some() { 10 } else { 8 };
        let mut frame = serializer.serialize_struct("Event", n_fields)?;
        frame.serialize_field("type", "event")?;
        frame.serialize_field("conversation", &self.conversation.uuid())?;
        if let Some(stream) = stream {
            frame.serialize_field("stream", stream)?;
        }
        frame.serialize_field("seq", &event.seq.0)?;
        if stream.is_some() {
            frame.serialize_field("public_head", &event.public_head.0)?;
        }
        frame.serialize_field("id", &event.id.uuid())?;
        frame.serialize_field("at", &Rfc3339(event.at))?;
        frame.serialize_field("kind", event.body.kind())?;
        frame.serialize_field("from", &Person::from(&event.from))?;
        frame.serialize_field("body", &Content(&event.body))?;
        frame.end()
    }
}

/// A body: fields by kind, so an untagged object.
struct Content<'a>(&'a Body);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::of(self.0).serialize(serializer)
    }
}

/// Every field that a body may have; each kind fills its own.
#[derive(Default, Serialize)]
struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    files: &'a [Arc<str>],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    transfer: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    skills: &'a [Arc<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    widget: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Target<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Agent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Previous<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Target<'a> {
    Agent(Agent<'a>),
    Department(&'a str),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Previous<'a> {
    Agent(Agent<'a>),
    Name(&'a str),
    None(()),
}

impl<'a> Fields<'a> {
    fn of(body: &'a Body) -> Self {
        let text = |text: &'a str| Self { text: Some(text), ..Self::default() };
        match body {
            Body::Created(created) => Self::of_created(created),
            Body::Message { text: words, files } => Self { files, ..text(words) },
            Body::Edited { seq, text: words } => Self { seq: Some(seq.0), ..text(words) },
            Body::Redacted { seq } => Self { seq: Some(seq.0), ..Self::default() },
            Body::Assigned { agent, by, previous } => Self {
                agent: Some(agent.into()),
                by: Some(assigned_by(*by)),
                previous: previous.as_ref().map(|agent| Previous::Agent(agent.into())),
                ..Self::default()
            },
            Body::Unassigned { agent } => Self { agent: Some(agent.into()), ..Self::default() },
            Body::Transferred { to, previous } => Self {
                to: Some(match to {
                    TransferTarget::Agent(agent) => Target::Agent(agent.into()),
                    TransferTarget::Department(department) => Target::Department(&department.0),
                }),
                agent: previous.as_ref().map(Agent::from),
                ..Self::default()
            },
            Body::TransferRefused
            | Body::WentOffline
            | Body::VisitorLeft
            | Body::VisitorReturned
            | Body::Reopened
            | Body::Archived
            | Body::Watched => Self::default(),
            Body::AgentAvailable { text: words } | Body::Whisper { text: words } => text(words),
            Body::Closed { resolution } => {
                Self { resolution: Some(resolution_name(*resolution)), ..Self::default() }
            }
            Body::Rated(rating) => Self {
                score: Some(rating.score),
                comment: rating.comment.as_deref(),
                ..Self::default()
            },
            Body::Note { text: words, transfer } => Self { transfer: *transfer, ..text(words) },
            Body::Tagged { tags } => Self { tags: Some(tags), ..Self::default() },
            Body::Prioritised { priority, previous } => Self {
                priority: Some(priority_name(*priority)),
                previous: Some(Previous::Name(priority_name(*previous))),
                ..Self::default()
            },
            Body::DepartmentChanged { department, previous } => Self {
                department: Some(department.as_ref().map(|department| &*department.0)),
                previous: Some(
                    previous
                        .as_ref()
                        .map_or(Previous::None(()), |department| Previous::Name(&department.0)),
                ),
                ..Self::default()
            },
            Body::Ticketed { ticket } => Self { ticket: Some(ticket.0), ..Self::default() },
            Body::ContactMerged { contact } => Self { contact: Some(contact.0), ..Self::default() },
        }
    }

    fn of_created(created: &'a Created) -> Self {
        Self {
            subject: created.subject.as_deref(),
            department: created.department.as_ref().map(|department| Some(&*department.0)),
            priority: Some(priority_name(created.priority)),
            skills: &created.skills,
            widget: created.widget.as_ref().map(|widget| &*widget.0),
            ..Self::default()
        }
    }
}

const fn assigned_by(by: AssignedBy) -> &'static str {
    match by {
        AssignedBy::Accept => "accept",
        AssignedBy::Assign => "assign",
        AssignedBy::Route => "route",
    }
}

/// The name of a resolution.
#[must_use]
pub const fn resolution_name(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::None => "none",
        Resolution::Resolved => "resolved",
    }
}

/// The name of a priority.
#[must_use]
pub const fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
        Priority::Urgent => "urgent",
    }
}

/// The priority of that name.
#[must_use]
pub fn priority_named(name: &str) -> Option<Priority> {
    [Priority::Low, Priority::Medium, Priority::High, Priority::Urgent]
        .into_iter()
        .find(|priority| priority_name(*priority) == name)
}
