//! Parts that several stored forms share. Their shapes are frozen like the forms themselves.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteArray;
use switchboard_domain::conversation::{
    Contact, Ordinals, Priority, Rating, Resolution, Stream, TransferTarget,
};
use switchboard_domain::ids::{DepartmentId, Id};
use switchboard_domain::person::{AgentRef, Author, Principal};
use uuid::Uuid;

/// A text that is shared, not copied, while it is written.
#[derive(Clone, Debug)]
pub(super) struct Text(pub(super) Arc<str>);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.into()))
    }
}

/// An optional text.
pub(super) type MaybeText = Option<Text>;

pub(super) fn maybe_text(text: Option<&Arc<str>>) -> MaybeText {
    text.cloned().map(Text)
}

pub(super) fn maybe_arc(text: MaybeText) -> Option<Arc<str>> {
    text.map(|text| text.0)
}

pub(super) fn texts(list: &[Arc<str>]) -> Vec<Text> {
    list.iter().cloned().map(Text).collect()
}

pub(super) fn arcs(list: Vec<Text>) -> Vec<Arc<str>> {
    list.into_iter().map(|text| text.0).collect()
}

pub(super) fn text_pairs(list: &[(Arc<str>, Arc<str>)]) -> Vec<(Text, Text)> {
    list.iter().map(|(name, value)| (Text(name.clone()), Text(value.clone()))).collect()
}

pub(super) fn arc_pairs(list: Vec<(Text, Text)>) -> Vec<(Arc<str>, Arc<str>)> {
    list.into_iter().map(|(name, value)| (name.0, value.0)).collect()
}

pub(super) fn maybe_department(department: Option<&DepartmentId>) -> MaybeText {
    maybe_text(department.map(|department| &department.0))
}

/// The 16 bytes of an id of any kind.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Bytes16(ByteArray<16>);

impl<K> From<Id<K>> for Bytes16 {
    fn from(id: Id<K>) -> Self {
        Self(ByteArray::new(id.uuid().into_bytes()))
    }
}

impl<K> From<Bytes16> for Id<K> {
    fn from(id: Bytes16) -> Self {
        Self::new(Uuid::from_bytes(id.0.into_array()))
    }
}

/// Who acted. One letter each, because every event has one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum PrincipalForm {
    #[serde(rename = "v")]
    Visitor(Bytes16),
    #[serde(rename = "a")]
    Agent(Bytes16),
    #[serde(rename = "b")]
    Bot(Bytes16),
    #[serde(rename = "s")]
    System,
}

impl From<Principal> for PrincipalForm {
    fn from(principal: Principal) -> Self {
        match principal {
            Principal::Visitor(id) => Self::Visitor(id.into()),
            Principal::Agent(id) => Self::Agent(id.into()),
            Principal::Bot(id) => Self::Bot(id.into()),
            Principal::System => Self::System,
        }
    }
}

impl From<PrincipalForm> for Principal {
    fn from(form: PrincipalForm) -> Self {
        match form {
            PrincipalForm::Visitor(id) => Self::Visitor(id.into()),
            PrincipalForm::Agent(id) => Self::Agent(id.into()),
            PrincipalForm::Bot(id) => Self::Bot(id.into()),
            PrincipalForm::System => Self::System,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AuthorForm {
    principal: PrincipalForm,
    name: MaybeText,
}

impl From<&Author> for AuthorForm {
    fn from(author: &Author) -> Self {
        Self { principal: author.principal.into(), name: maybe_text(author.name.as_ref()) }
    }
}

impl From<AuthorForm> for Author {
    fn from(form: AuthorForm) -> Self {
        Self { principal: form.principal.into(), name: maybe_arc(form.name) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AgentForm {
    id: Bytes16,
    name: Text,
}

impl From<&AgentRef> for AgentForm {
    fn from(agent: &AgentRef) -> Self {
        Self { id: agent.id.into(), name: Text(agent.name.clone()) }
    }
}

impl From<AgentForm> for AgentRef {
    fn from(form: AgentForm) -> Self {
        Self { id: form.id.into(), name: form.name.0 }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ContactForm {
    id: Bytes16,
    name: MaybeText,
    email: MaybeText,
    phone: MaybeText,
    /// Since version 2 of events and of checkpoints; before, nobody was verified.
    #[serde(default)]
    verified: bool,
}

impl From<&Contact> for ContactForm {
    fn from(contact: &Contact) -> Self {
        Self {
            id: contact.id.into(),
            name: maybe_text(contact.name.as_ref()),
            email: maybe_text(contact.email.as_ref()),
            phone: maybe_text(contact.phone.as_ref()),
            verified: contact.verified,
        }
    }
}

impl From<ContactForm> for Contact {
    fn from(form: ContactForm) -> Self {
        Self {
            id: form.id.into(),
            name: maybe_arc(form.name),
            email: maybe_arc(form.email),
            phone: maybe_arc(form.phone),
            verified: form.verified,
        }
    }
}

/// Visitor, agent, system.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct OrdinalsForm(u32, u32, u32);

impl From<Ordinals> for OrdinalsForm {
    fn from(ordinals: Ordinals) -> Self {
        Self(ordinals.visitor, ordinals.agent, ordinals.system)
    }
}

impl From<OrdinalsForm> for Ordinals {
    fn from(OrdinalsForm(visitor, agent, system): OrdinalsForm) -> Self {
        Self { visitor, agent, system }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum StreamForm {
    #[serde(rename = "p")]
    Public,
    #[serde(rename = "i")]
    Internal,
}

impl From<Stream> for StreamForm {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Public => Self::Public,
            Stream::Internal => Self::Internal,
        }
    }
}

impl From<StreamForm> for Stream {
    fn from(form: StreamForm) -> Self {
        match form {
            StreamForm::Public => Self::Public,
            StreamForm::Internal => Self::Internal,
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PriorityForm {
    Low,
    Medium,
    High,
    Urgent,
}

impl From<Priority> for PriorityForm {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Low,
            Priority::Medium => Self::Medium,
            Priority::High => Self::High,
            Priority::Urgent => Self::Urgent,
        }
    }
}

impl From<PriorityForm> for Priority {
    fn from(form: PriorityForm) -> Self {
        match form {
            PriorityForm::Low => Self::Low,
            PriorityForm::Medium => Self::Medium,
            PriorityForm::High => Self::High,
            PriorityForm::Urgent => Self::Urgent,
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResolutionForm {
    None,
    Resolved,
}

impl From<Resolution> for ResolutionForm {
    fn from(resolution: Resolution) -> Self {
        match resolution {
            Resolution::None => Self::None,
            Resolution::Resolved => Self::Resolved,
        }
    }
}

impl From<ResolutionForm> for Resolution {
    fn from(form: ResolutionForm) -> Self {
        match form {
            ResolutionForm::None => Self::None,
            ResolutionForm::Resolved => Self::Resolved,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RatingForm {
    score: u8,
    comment: MaybeText,
}

impl From<&Rating> for RatingForm {
    fn from(rating: &Rating) -> Self {
        Self { score: rating.score, comment: maybe_text(rating.comment.as_ref()) }
    }
}

impl From<RatingForm> for Rating {
    fn from(form: RatingForm) -> Self {
        Self { score: form.score, comment: maybe_arc(form.comment) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TransferTargetForm {
    Agent(AgentForm),
    Department(Text),
}

impl From<&TransferTarget> for TransferTargetForm {
    fn from(target: &TransferTarget) -> Self {
        match target {
            TransferTarget::Agent(agent) => Self::Agent(agent.into()),
            TransferTarget::Department(department) => Self::Department(Text(department.0.clone())),
        }
    }
}

impl From<TransferTargetForm> for TransferTarget {
    fn from(form: TransferTargetForm) -> Self {
        match form {
            TransferTargetForm::Agent(agent) => Self::Agent(agent.into()),
            TransferTargetForm::Department(department) => {
                Self::Department(DepartmentId(department.0))
            }
        }
    }
}
