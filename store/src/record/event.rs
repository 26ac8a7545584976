//! The stored forms of an event. Stream and position are its key and not repeated here.

use serde::{Deserialize, Serialize};
use switchboard_domain::conversation::{AssignedBy, Body, Created, Event, SendKey, Stream};
use switchboard_domain::ids::{DepartmentId, Number, Seq, Timestamp, WidgetId};

use super::part::{
    AgentForm, AuthorForm, Bytes16, ContactForm, MaybeText, OrdinalsForm, PriorityForm, RatingForm,
    ResolutionForm, Text, TransferTargetForm, arc_pairs, arcs, maybe_arc, maybe_department,
    maybe_text, text_pairs, texts,
};

/// Version 0: as version 2, but times were whole seconds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventV0 {
    public_head: u64,
    id: Bytes16,
    pub(super) at_s: i64,
    from: AuthorForm,
    key: Option<SendKeyForm>,
    ordinals: OrdinalsForm,
    body: BodyForm,
}

impl From<EventV0> for EventV2 {
    fn from(old: EventV0) -> Self {
        Self {
            public_head: old.public_head,
            id: old.id,
            at_ms: old.at_s.saturating_mul(1_000),
            from: old.from,
            key: old.key,
            ordinals: old.ordinals,
            body: old.body,
        }
    }
}

/// Version 2. Version 1 is the same, only that its contacts end before `verified`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventV2 {
    public_head: u64,
    id: Bytes16,
    at_ms: i64,
    from: AuthorForm,
    key: Option<SendKeyForm>,
    ordinals: OrdinalsForm,
    body: BodyForm,
}

impl From<&Event> for EventV2 {
    fn from(event: &Event) -> Self {
        Self {
            public_head: event.public_head.0,
            id: event.id.into(),
            at_ms: event.at.0,
            from: (&event.from).into(),
            key: event.key.map(SendKeyForm::from),
            ordinals: event.ordinals.into(),
            body: (&event.body).into(),
        }
    }
}

impl EventV2 {
    /// The event that this form is of, at the position it was found at.
    pub(super) fn into_event(self, stream: Stream, seq: Seq) -> Event {
        Event {
            stream,
            seq,
            public_head: Seq(self.public_head),
            id: self.id.into(),
            at: Timestamp(self.at_ms),
            from: self.from.into(),
            key: self.key.map(SendKey::from),
            ordinals: self.ordinals.into(),
            body: self.body.into(),
        }
    }
}

/// Device, number, digest.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct SendKeyForm(Bytes16, u64, u64);

impl From<SendKey> for SendKeyForm {
    fn from(key: SendKey) -> Self {
        Self(key.device.into(), key.n, key.digest)
    }
}

impl From<SendKeyForm> for SendKey {
    fn from(SendKeyForm(device, n, digest): SendKeyForm) -> Self {
        Self { device: device.into(), n, digest }
    }
}

/// What happened, by the name of its kind.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BodyForm {
    Created(Box<CreatedForm>),
    Message { text: Text, files: Vec<Text> },
    Edited { seq: u64, text: Text },
    Redacted { seq: u64 },
    Assigned { agent: AgentForm, by: AssignedByForm, previous: Option<AgentForm> },
    Unassigned { agent: AgentForm },
    Transferred { to: TransferTargetForm, previous: Option<AgentForm> },
    TransferRefused,
    WentOffline,
    AgentAvailable { text: Text },
    VisitorLeft,
    VisitorReturned,
    Closed { resolution: ResolutionForm },
    Reopened,
    Archived,
    Rated(RatingForm),
    Note { text: Text, transfer: bool },
    Whisper { text: Text },
    Tagged { tags: Vec<Text> },
    Prioritised { priority: PriorityForm, previous: PriorityForm },
    Department { department: MaybeText, previous: MaybeText },
    Ticketed { ticket: u64 },
    ContactMerged { contact: u64 },
    Watched,
}

impl From<&Body> for BodyForm {
    fn from(body: &Body) -> Self {
        match body {
            Body::Created(created) => Self::Created(Box::new(created.as_ref().into())),
            Body::Message { text, files } => {
                Self::Message { text: Text(text.clone()), files: texts(files) }
            }
            Body::Edited { seq, text } => Self::Edited { seq: seq.0, text: Text(text.clone()) },
            Body::Redacted { seq } => Self::Redacted { seq: seq.0 },
            Body::Assigned { agent, by, previous } => Self::Assigned {
                agent: agent.into(),
                by: (*by).into(),
                previous: previous.as_ref().map(AgentForm::from),
            },
            Body::Unassigned { agent } => Self::Unassigned { agent: agent.into() },
            Body::Transferred { to, previous } => Self::Transferred {
                to: to.into(),
                previous: previous.as_ref().map(AgentForm::from),
            },
            Body::TransferRefused => Self::TransferRefused,
            Body::WentOffline => Self::WentOffline,
            Body::AgentAvailable { text } => Self::AgentAvailable { text: Text(text.clone()) },
            Body::VisitorLeft => Self::VisitorLeft,
            Body::VisitorReturned => Self::VisitorReturned,
            Body::Closed { resolution } => Self::Closed { resolution: (*resolution).into() },
            Body::Reopened => Self::Reopened,
            Body::Archived => Self::Archived,
            Body::Rated(rating) => Self::Rated(rating.into()),
            Body::Note { text, transfer } => {
                Self::Note { text: Text(text.clone()), transfer: *transfer }
            }
            Body::Whisper { text } => Self::Whisper { text: Text(text.clone()) },
            Body::Tagged { tags } => Self::Tagged { tags: texts(tags) },
            Body::Prioritised { priority, previous } => {
                Self::Prioritised { priority: (*priority).into(), previous: (*previous).into() }
            }
            Body::DepartmentChanged { department, previous } => Self::Department {
                department: maybe_department(department.as_ref()),
                previous: maybe_department(previous.as_ref()),
            },
            Body::Ticketed { ticket } => Self::Ticketed { ticket: ticket.0 },
            Body::ContactMerged { contact } => Self::ContactMerged { contact: contact.0 },
            Body::Watched => Self::Watched,
        }
    }
}

impl From<BodyForm> for Body {
    fn from(form: BodyForm) -> Self {
        match form {
            BodyForm::Created(created) => Self::Created(Box::new((*created).into())),
            BodyForm::Message { text, files } => Self::Message { text: text.0, files: arcs(files) },
            BodyForm::Edited { seq, text } => Self::Edited { seq: Seq(seq), text: text.0 },
            BodyForm::Redacted { seq } => Self::Redacted { seq: Seq(seq) },
            BodyForm::Assigned { agent, by, previous } => Self::Assigned {
                agent: agent.into(),
                by: by.into(),
                previous: previous.map(Into::into),
            },
            BodyForm::Unassigned { agent } => Self::Unassigned { agent: agent.into() },
            BodyForm::Transferred { to, previous } => {
                Self::Transferred { to: to.into(), previous: previous.map(Into::into) }
            }
            BodyForm::TransferRefused => Self::TransferRefused,
            BodyForm::WentOffline => Self::WentOffline,
            BodyForm::AgentAvailable { text } => Self::AgentAvailable { text: text.0 },
            BodyForm::VisitorLeft => Self::VisitorLeft,
            BodyForm::VisitorReturned => Self::VisitorReturned,
            BodyForm::Closed { resolution } => Self::Closed { resolution: resolution.into() },
            BodyForm::Reopened => Self::Reopened,
            BodyForm::Archived => Self::Archived,
            BodyForm::Rated(rating) => Self::Rated(rating.into()),
            BodyForm::Note { text, transfer } => Self::Note { text: text.0, transfer },
            BodyForm::Whisper { text } => Self::Whisper { text: text.0 },
            BodyForm::Tagged { tags } => Self::Tagged { tags: arcs(tags) },
            BodyForm::Prioritised { priority, previous } => {
                Self::Prioritised { priority: priority.into(), previous: previous.into() }
            }
            BodyForm::Department { department, previous } => Self::DepartmentChanged {
                department: maybe_arc(department).map(DepartmentId),
                previous: maybe_arc(previous).map(DepartmentId),
            },
            BodyForm::Ticketed { ticket } => Self::Ticketed { ticket: Number(ticket) },
            BodyForm::ContactMerged { contact } => Self::ContactMerged { contact: Number(contact) },
            BodyForm::Watched => Self::Watched,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct CreatedForm {
    log: Bytes16,
    number: u64,
    visitor: ContactForm,
    widget: MaybeText,
    subject: MaybeText,
    department: MaybeText,
    priority: PriorityForm,
    skills: Vec<Text>,
    context: Vec<(Text, Text)>,
    fields: Vec<(Text, Text)>,
}

impl From<&Created> for CreatedForm {
    fn from(created: &Created) -> Self {
        Self {
            log: created.log.into(),
            number: created.number.0,
            visitor: (&created.visitor).into(),
            widget: maybe_text(created.widget.as_ref().map(|widget| &widget.0)),
            subject: maybe_text(created.subject.as_ref()),
            department: maybe_department(created.department.as_ref()),
            priority: created.priority.into(),
            skills: texts(&created.skills),
            context: text_pairs(&created.context),
            fields: text_pairs(&created.fields),
        }
    }
}

impl From<CreatedForm> for Created {
    fn from(form: CreatedForm) -> Self {
        Self {
            log: form.log.into(),
            number: Number(form.number),
            visitor: form.visitor.into(),
            widget: maybe_arc(form.widget).map(WidgetId),
            subject: maybe_arc(form.subject),
            department: maybe_arc(form.department).map(DepartmentId),
            priority: form.priority.into(),
            skills: arcs(form.skills),
            context: arc_pairs(form.context),
            fields: arc_pairs(form.fields),
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AssignedByForm {
    Accept,
    Assign,
    Route,
}

impl From<AssignedBy> for AssignedByForm {
    fn from(by: AssignedBy) -> Self {
        match by {
            AssignedBy::Accept => Self::Accept,
            AssignedBy::Assign => Self::Assign,
            AssignedBy::Route => Self::Route,
        }
    }
}

impl From<AssignedByForm> for AssignedBy {
    fn from(form: AssignedByForm) -> Self {
        match form {
            AssignedByForm::Accept => Self::Accept,
            AssignedByForm::Assign => Self::Assign,
            AssignedByForm::Route => Self::Route,
        }
    }
}
