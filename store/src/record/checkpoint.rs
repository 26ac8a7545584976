//! The stored forms of a checkpoint. The conversation's id is its key and not repeated here.

use serde::{Deserialize, Serialize};
use switchboard_domain::conversation::{
    Conversation, Dedupe, Device, Heads, Preview, Sent, Status, Transferred,
};
use switchboard_domain::ids::{ConversationId, DepartmentId, Number, Seq, Timestamp, WidgetId};

use super::part::{
    AgentForm, AuthorForm, Bytes16, ContactForm, MaybeText, OrdinalsForm, PrincipalForm,
    PriorityForm, RatingForm, ResolutionForm, StreamForm, Text, arc_pairs, arcs, maybe_arc,
    maybe_department, maybe_text, text_pairs, texts,
};

/// Version 2. Times are milliseconds. Version 1 is the same, only that its contact ends before
/// `verified`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CheckpointV2 {
    log: Bytes16,
    number: u64,
    visitor: ContactForm,
    widget: MaybeText,
    subject: MaybeText,
    skills: Vec<Text>,
    context: Vec<(Text, Text)>,
    fields: Vec<(Text, Text)>,
    status: StatusForm,
    resolution: ResolutionForm,
    offline: bool,
    department: MaybeText,
    priority: PriorityForm,
    tags: Vec<Text>,
    agent: Option<AgentForm>,
    transferred: Option<TransferredForm>,
    created_at: i64,
    last_at: i64,
    last_public_at: i64,
    waiting_since: Option<i64>,
    first_response_at: Option<i64>,
    closed_at: Option<i64>,
    /// Public, internal.
    heads: (u64, u64),
    ordinals: OrdinalsForm,
    last: Option<PreviewForm>,
    newest: Option<(u64, PrincipalForm)>,
    newest_by_other: Option<(u64, PrincipalForm)>,
    rating: Option<RatingForm>,
    ticket: Option<u64>,
    devices: Vec<DeviceForm>,
    devices_forgotten: bool,
}

impl From<&Conversation> for CheckpointV2 {
    fn from(state: &Conversation) -> Self {
        Self {
            log: state.log.into(),
            number: state.number.0,
            visitor: (&state.visitor).into(),
            widget: maybe_text(state.widget.as_ref().map(|widget| &widget.0)),
            subject: maybe_text(state.subject.as_ref()),
            skills: texts(&state.skills),
            context: text_pairs(&state.context),
            fields: text_pairs(&state.fields),
            status: state.status.into(),
            resolution: state.resolution.into(),
            offline: state.offline,
            department: maybe_department(state.department.as_ref()),
            priority: state.priority.into(),
            tags: texts(&state.tags),
            agent: state.agent.as_ref().map(AgentForm::from),
            transferred: state.transferred.as_ref().map(TransferredForm::from),
            created_at: state.created_at.0,
            last_at: state.last_at.0,
            last_public_at: state.last_public_at.0,
            waiting_since: state.waiting_since.map(|at| at.0),
            first_response_at: state.first_response_at.map(|at| at.0),
            closed_at: state.closed_at.map(|at| at.0),
            heads: (state.heads.public.0, state.heads.internal.0),
            ordinals: state.ordinals.into(),
            last: state.last.as_ref().map(PreviewForm::from),
            newest: state.newest.map(|(seq, by)| (seq.0, by.into())),
            newest_by_other: state.newest_by_other.map(|(seq, by)| (seq.0, by.into())),
            rating: state.rating.as_ref().map(RatingForm::from),
            ticket: state.ticket.map(|ticket| ticket.0),
            devices: state.dedupe.devices.iter().map(DeviceForm::from).collect(),
            devices_forgotten: state.dedupe.forgotten,
        }
    }
}

impl CheckpointV2 {
    /// The checkpoint that this form is of, of the conversation it was found at.
    pub(super) fn into_conversation(self, id: ConversationId) -> Conversation {
        let (public, internal) = self.heads;
        Conversation {
            id,
            log: self.log.into(),
            number: Number(self.number),
            visitor: self.visitor.into(),
            widget: maybe_arc(self.widget).map(WidgetId),
            subject: maybe_arc(self.subject),
            skills: arcs(self.skills),
            context: arc_pairs(self.context),
            fields: arc_pairs(self.fields),
            status: self.status.into(),
            resolution: self.resolution.into(),
            offline: self.offline,
            department: maybe_arc(self.department).map(DepartmentId),
            priority: self.priority.into(),
            tags: arcs(self.tags),
            agent: self.agent.map(Into::into),
            transferred: self.transferred.map(Into::into),
            created_at: Timestamp(self.created_at),
            last_at: Timestamp(self.last_at),
            last_public_at: Timestamp(self.last_public_at),
            waiting_since: self.waiting_since.map(Timestamp),
            first_response_at: self.first_response_at.map(Timestamp),
            closed_at: self.closed_at.map(Timestamp),
            heads: Heads { public: Seq(public), internal: Seq(internal) },
            ordinals: self.ordinals.into(),
            last: self.last.map(Into::into),
            newest: self.newest.map(|(seq, by)| (Seq(seq), by.into())),
            newest_by_other: self.newest_by_other.map(|(seq, by)| (Seq(seq), by.into())),
            rating: self.rating.map(Into::into),
            ticket: self.ticket.map(Number),
            dedupe: Dedupe {
                devices: self.devices.into_iter().map(Device::from).collect(),
                forgotten: self.devices_forgotten,
            },
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatusForm {
    Waiting,
    Active,
    Closed,
    Archived,
}

impl From<Status> for StatusForm {
    fn from(status: Status) -> Self {
        match status {
            Status::Waiting => Self::Waiting,
            Status::Active => Self::Active,
            Status::Closed => Self::Closed,
            Status::Archived => Self::Archived,
        }
    }
}

impl From<StatusForm> for Status {
    fn from(form: StatusForm) -> Self {
        match form {
            StatusForm::Waiting => Self::Waiting,
            StatusForm::Active => Self::Active,
            StatusForm::Closed => Self::Closed,
            StatusForm::Archived => Self::Archived,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct TransferredForm {
    previous: Option<AgentForm>,
}

impl From<&Transferred> for TransferredForm {
    fn from(transferred: &Transferred) -> Self {
        Self { previous: transferred.previous.as_ref().map(AgentForm::from) }
    }
}

impl From<TransferredForm> for Transferred {
    fn from(form: TransferredForm) -> Self {
        Self { previous: form.previous.map(Into::into) }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct PreviewForm {
    seq: u64,
    from: AuthorForm,
    text: Text,
    at: i64,
}

impl From<&Preview> for PreviewForm {
    fn from(preview: &Preview) -> Self {
        Self {
            seq: preview.seq.0,
            from: (&preview.from).into(),
            text: Text(preview.text.clone()),
            at: preview.at.0,
        }
    }
}

impl From<PreviewForm> for Preview {
    fn from(form: PreviewForm) -> Self {
        Self {
            seq: Seq(form.seq),
            from: form.from.into(),
            text: form.text.0,
            at: Timestamp(form.at),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct DeviceForm {
    principal: PrincipalForm,
    device: Bytes16,
    last_n: u64,
    recent: Vec<SentForm>,
}

impl From<&Device> for DeviceForm {
    fn from(device: &Device) -> Self {
        Self {
            principal: device.principal.into(),
            device: device.device.into(),
            last_n: device.last_n,
            recent: device.recent.iter().copied().map(SentForm::from).collect(),
        }
    }
}

impl From<DeviceForm> for Device {
    fn from(form: DeviceForm) -> Self {
        Self {
            principal: form.principal.into(),
            device: form.device.into(),
            last_n: form.last_n,
            recent: form.recent.into_iter().map(Sent::from).collect(),
        }
    }
}

/// Number, digest, stream, position.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct SentForm(u64, u64, StreamForm, u64);

impl From<Sent> for SentForm {
    fn from(sent: Sent) -> Self {
        Self(sent.n, sent.digest, sent.stream.into(), sent.seq.0)
    }
}

impl From<SentForm> for Sent {
    fn from(SentForm(n, digest, stream, seq): SentForm) -> Self {
        Self { n, digest, stream: stream.into(), seq: Seq(seq) }
    }
}
