//! What goes over a link: a greeting, numbered batches of envelopes, and answers.
//!
//! The greeting and the answers keep their form for ever; the form of a batch belongs to the
//! version that two nodes agreed on. A frame that is not understood is refused, and the link ends:
//! nothing is ever left out in silence.

use bytes::{Buf, BufMut, Bytes};
use uuid::Uuid;

use super::Versions;
use crate::ownership::{Boot, NodeName};

/// Bytes of a node's name at most, as one byte tells them.
const NAME_BYTES_MAX: usize = 255;
/// Bytes of a batch before its envelopes.
const BATCH_HEADER_BYTES: usize = 1 + 1 + 8 + 8;
/// Bytes before each envelope of a batch.
const ENVELOPE_HEADER_BYTES: usize = 4;

const GREETING: u8 = 1;
const BATCH: u8 = 2;
const PING: u8 = 3;

/// What one side says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The first on a link: who speaks, in which life, and which versions it knows.
    Greeting {
        /// Who.
        node: NodeName,
        /// In which life.
        boot: Boot,
        /// Tells this link from all others, of any node at any time.
        link: u64,
        /// What it reads and writes.
        versions: Versions,
    },
    /// Envelopes.
    Batch(Batch),
    /// Is anybody there?
    Ping,
}

/// Envelopes of one link, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The version of its form.
    pub version: u8,
    /// Of which link.
    pub link: u64,
    /// From 1, without a gap.
    pub number: u64,
    /// The envelopes, each behind its length.
    body: Bytes,
}

/// What the other side answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It cannot be: the link must end.
    Refused,
    /// Greet again in a moment.
    NotYet,
    /// Taken; to a greeting, with what the other side reads and writes.
    Taken(Versions),
}

impl Frame {
    /// The bytes of a greeting; `None` for a node whose name is too long.
    #[must_use]
    pub fn greeting(node: &NodeName, boot: Boot, link: u64, versions: Versions) -> Option<Vec<u8>> {
        let name = node.0.as_bytes();
        let name_bytes = u8::try_from(name.len()).ok()?;
        let mut bytes = Vec::with_capacity(32 + NAME_BYTES_MAX);
        bytes.extend([GREETING, versions.oldest, versions.newest]);
        bytes.extend(link.to_le_bytes());
        bytes.extend(boot.0.as_bytes());
        bytes.push(name_bytes);
        bytes.extend(name);
        Some(bytes)
    }

    /// The bytes of a ping.
    #[must_use]
    pub fn ping() -> Vec<u8> {
        vec![PING]
    }

    /// Reads a frame; `None` for what is none.
    #[must_use]
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut bytes = Bytes::from(bytes);
        match bytes.try_get_u8().ok()? {
            GREETING => {
                let versions =
                    Versions { oldest: bytes.try_get_u8().ok()?, newest: bytes.try_get_u8().ok()? };
                let link = bytes.try_get_u64_le().ok()?;
                let boot = Boot(Uuid::from_u128(bytes.try_get_u128().ok()?));
                let name_bytes = usize::from(bytes.try_get_u8().ok()?);
                let name = bytes.get(..name_bytes)?;
                let node = NodeName(std::str::from_utf8(name).ok()?.into());
                Some(Self::Greeting { node, boot, link, versions })
            }
            BATCH => {
                let version = bytes.try_get_u8().ok()?;
                let link = bytes.try_get_u64_le().ok()?;
                let number = bytes.try_get_u64_le().ok()?;
                Some(Self::Batch(Batch { version, link, number, body: bytes }))
            }
            PING => Some(Self::Ping),
            _ => None,
        }
    }
}

impl Batch {
    /// The bytes of a batch.
    #[must_use]
    pub fn write(version: u8, link: u64, number: u64, envelopes: &[Bytes]) -> Vec<u8> {
        let bodies: usize =
            envelopes.iter().map(|envelope| ENVELOPE_HEADER_BYTES + envelope.len()).sum();
        let mut bytes = Vec::with_capacity(BATCH_HEADER_BYTES + bodies);
        bytes.extend([BATCH, version]);
        bytes.put_u64_le(link);
        bytes.put_u64_le(number);
        for envelope in envelopes {
            // Envelopes are much shorter than that.
            bytes.put_u32_le(u32::try_from(envelope.len()).unwrap_or(u32::MAX));
            bytes.extend_from_slice(envelope);
        }
        bytes
    }

    /// Its envelopes, which share its bytes; `None` when it is cut short.
    #[must_use]
    pub fn envelopes(&self) -> Option<Vec<Bytes>> {
        let mut rest = self.body.clone();
        let mut envelopes = Vec::new();
        while rest.has_remaining() {
            let bytes = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
            if bytes > rest.len() {
                return None;
            }
            envelopes.push(rest.split_to(bytes));
        }
        Some(envelopes)
    }
}

impl Answer {
    /// Its bytes.
    #[must_use]
    pub fn write(self) -> Vec<u8> {
        match self {
            Self::Refused => vec![0],
            Self::NotYet => vec![1],
            Self::Taken(versions) => vec![2, versions.oldest, versions.newest],
        }
    }

    /// Reads an answer. One that is not understood is a refusal.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        match *bytes {
            [1, ..] => Self::NotYet,
            [2, oldest, newest, ..] => Self::Taken(Versions { oldest, newest }),
            _ => Self::Refused,
        }
    }
}
