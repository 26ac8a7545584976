//! Frames from clients: one flat shape on the wire, one enum behind it.

use serde::Deserialize;
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::{ConversationId, DeviceId, LogId, Seq};
use uuid::Uuid;

use super::Codec;

/// A frame, checked for the fields its type needs.
#[derive(Debug, PartialEq)]
#[expect(missing_docs, reason = "fields are those of docs/PROTOCOL.md")]
pub enum Incoming {
    /// Who speaks; again to renew.
    Hello { token: String, device: Option<DeviceId> },
    /// Hear a conversation.
    Subscribe {
        conversation: ConversationId,
        stream: Stream,
        log: Option<LogId>,
        after: Option<Seq>,
    },
    /// Stop hearing it.
    Unsubscribe { conversation: ConversationId, stream: Stream },
    /// Write.
    Send {
        conversation: ConversationId,
        n: u64,
        kind: SendKind,
        body: MessageBody,
        if_head: Option<Seq>,
    },
    /// Everything up to there has arrived.
    Received { conversation: ConversationId, seq: Seq },
    /// Everything up to there has been read.
    Read { conversation: ConversationId, seq: Seq },
    /// Somebody types.
    Typing { conversation: ConversationId, on: bool, preview: Option<String> },
    /// Older or missing events.
    Fetch { conversation: ConversationId, stream: Stream, range: FetchRange, limit: usize },
    /// A change other than a message.
    Do { reference: Uuid, conversation: ConversationId, action: String, args: Box<Args> },
    /// A live list.
    Watch { reference: Uuid, view: View, sort: Sort, limit: usize },
    /// End a live list.
    Unwatch { reference: Uuid },
    /// The visitor is on this page, and did that there, if it says something.
    Page { url: String, title: String, did: String },
    /// The agent looks at this conversation, or at none.
    Viewing { conversation: Option<ConversationId> },
    /// Are you there?
    Ping,
    /// I am.
    Pong,
}

impl Incoming {
    /// Whether others learn of it.
    #[must_use]
    pub const fn writes(&self) -> bool {
        match self {
            Self::Send { .. }
            | Self::Received { .. }
            | Self::Read { .. }
            | Self::Typing { .. }
            | Self::Page { .. }
            | Self::Viewing { .. }
            | Self::Do { .. } => true,
            Self::Hello { .. }
            | Self::Subscribe { .. }
            | Self::Unsubscribe { .. }
            | Self::Fetch { .. }
            | Self::Watch { .. }
            | Self::Unwatch { .. }
            | Self::Ping
            | Self::Pong => false,
        }
    }
}

/// What a send writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendKind {
    /// For everybody.
    Message,
    /// For colleagues.
    Note,
    /// For the owning agent.
    Whisper,
}

/// Which way a fetch reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FetchRange {
    After(Seq),
    Before(Seq),
}

/// How a live list is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Longest waiting first.
    #[default]
    Waiting,
    /// Newest activity first.
    Recent,
}

/// The text of a message and what hangs on it.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageBody {
    /// The text.
    pub text: String,
    /// Ids of files.
    #[serde(default)]
    pub files: Vec<String>,
}

/// Which conversations a live list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// `waiting`, `active`, `closed` or `open`; any when absent.
    #[serde(default)]
    pub status: Option<String>,
    /// Of one department.
    #[serde(default)]
    pub department: Option<String>,
    /// Of an agent by id, of `me`, of `none`.
    #[serde(default)]
    pub agent: Option<String>,
}

/// Arguments of all actions; each takes its own.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct Args {
    pub agent: Option<String>,
    pub department: Option<String>,
    pub reason: Option<String>,
    pub priority: Option<String>,
    pub tags: Option<Vec<String>>,
    pub text: Option<String>,
    pub score: Option<u8>,
    pub comment: Option<String>,
    pub stream: Option<StreamName>,
    pub seq: Option<u64>,
    pub ticket: Option<u64>,
}

/// A stream by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamName {
    /// What everybody sees.
    #[default]
    Public,
    /// What agents see.
    Internal,
}

impl From<StreamName> for Stream {
    fn from(name: StreamName) -> Self {
        match name {
            StreamName::Public => Self::Public,
            StreamName::Internal => Self::Internal,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Hello,
    Subscribe,
    Unsubscribe,
    Send,
    Received,
    Read,
    Typing,
    Fetch,
    Do,
    Watch,
    Unwatch,
    Page,
    Viewing,
    Ping,
    Pong,
    #[serde(other)]
    Unknown,
}

/// Every field of every frame.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flat {
    r#type: Type,
    #[serde(default)]
    conversation: Option<Uuid>,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    kind: Option<SendKind>,
    #[serde(default)]
    body: Option<MessageBody>,
    #[serde(default)]
    if_head: Option<u64>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(default)]
    stream: Option<StreamName>,
    #[serde(default)]
    log: Option<Uuid>,
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    on: Option<bool>,
    #[serde(default)]
    preview: Option<String>,
    #[serde(default, rename = "ref")]
    reference: Option<Uuid>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    args: Option<Box<Args>>,
    #[serde(default)]
    view: Option<View>,
    #[serde(default)]
    sort: Option<Sort>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    did: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    device: Option<Uuid>,
}

/// Why bytes are not a frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Not in the codec, not of a known shape, or without a field its type needs.
    #[error("{0}")]
    Malformed(String),
    /// A type that this version does not know.
    #[error("the frame's type is not known")]
    UnknownType,
}

/// The type alone: tells a newer client's frame from a broken one.
#[derive(Deserialize)]
struct TypeOnly {
    r#type: Type,
}

/// Reads a frame.
///
/// # Errors
///
/// [`BadFrame`], whatever the bytes.
pub fn parse(codec: Codec, bytes: &[u8]) -> Result<Incoming, BadFrame> {
    match codec.decode::<Flat>(bytes) {
        Ok(flat) => flat.check(),
        Err(problem) => match codec.decode::<TypeOnly>(bytes) {
            Ok(TypeOnly { r#type: Type::Unknown }) => Err(BadFrame::UnknownType),
            Ok(_) | Err(_) => Err(BadFrame::Malformed(problem)),
        },
    }
}

/// How many events a fetch or a list gives when it does not say.
const LIMIT_DEFAULT: usize = 50;
/// How many at most.
pub const LIMIT_MAX: usize = 200;

impl Flat {
    fn check(self) -> Result<Incoming, BadFrame> {
        let stream = Stream::from(self.stream.unwrap_or_default());
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
        let conversation = || need("conversation", self.conversation).map(ConversationId::new);
        let seq = || need("seq", self.seq).map(Seq);
        Ok(match self.r#type {
            Type::Hello => Incoming::Hello {
                token: need("token", self.token)?,
                device: self.device.map(DeviceId::new),
            },
            Type::Subscribe => Incoming::Subscribe {
                conversation: conversation()?,
                stream,
                log: self.log.map(LogId::new),
                after: self.after.map(Seq),
            },
            Type::Unsubscribe => Incoming::Unsubscribe { conversation: conversation()?, stream },
            Type::Send => Incoming::Send {
                conversation: conversation()?,
                n: need("n", self.n)?,
                kind: self.kind.unwrap_or(SendKind::Message),
                body: need("body", self.body)?,
                if_head: self.if_head.map(Seq),
            },
            Type::Received => Incoming::Received { conversation: conversation()?, seq: seq()? },
            Type::Read => Incoming::Read { conversation: conversation()?, seq: seq()? },
            Type::Typing => Incoming::Typing {
                conversation: conversation()?,
                on: need("on", self.on)?,
                preview: self.preview,
            },
            Type::Fetch => Incoming::Fetch {
                conversation: conversation()?,
                stream,
                range: match (self.after, self.before) {
                    (Some(after), None) => FetchRange::After(Seq(after)),
                    (None, Some(before)) => FetchRange::Before(Seq(before)),
                    (Some(_), Some(_)) | (None, None) => {
                        return Err(BadFrame::Malformed(
                            "a fetch needs either `after` or `before`".to_owned(),
                        ));
                    }
                },
                limit,
            },
            Type::Do => Incoming::Do {
                reference: need("ref", self.reference)?,
                conversation: conversation()?,
                action: need("action", self.action)?,
                args: self.args.unwrap_or_default(),
            },
            Type::Watch => Incoming::Watch {
                reference: need("ref", self.reference)?,
                view: self.view.unwrap_or_default(),
                sort: self.sort.unwrap_or_default(),
                // None at all is a list that only counts.
                limit: self.limit.unwrap_or(LIMIT_MAX).min(LIMIT_MAX),
            },
            Type::Unwatch => Incoming::Unwatch { reference: need("ref", self.reference)? },
            Type::Page => Incoming::Page {
                url: need("url", self.url)?,
                title: self.title.unwrap_or_default(),
                did: self.did.unwrap_or_default(),
            },
            Type::Viewing => {
                Incoming::Viewing { conversation: self.conversation.map(ConversationId::new) }
            }
            Type::Ping => Incoming::Ping,
            Type::Pong => Incoming::Pong,
            Type::Unknown => return Err(BadFrame::UnknownType),
        })
    }
}

fn need<T>(field: &str, value: Option<T>) -> Result<T, BadFrame> {
    value.ok_or_else(|| BadFrame::Malformed(format!("the field `{field}` is missing")))
}
