//! Evolving: events become state. Total: any event in its place can be applied, whatever it says,
//! because the log is the truth and rules were checked when it was written.

use super::dedupe::Dedupe;
use super::event::{Body, Created, Event, Ordinals, Resolution, Stream, TransferTarget};
use super::state::{Conversation, Heads, Preview, Status, Transferred};
use crate::ids::{ConversationId, Seq, Timestamp};
use crate::message;
use crate::person::{AgentRef, Side};

/// An event that does not follow the state; the state is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{stream:?} event {seq} at public head {public_head} does not follow {heads:?}")]
pub struct OutOfOrder {
    /// The stream of the event.
    pub stream: Stream,
    /// Its position.
    pub seq: Seq,
    /// The public head it was written at.
    pub public_head: Seq,
    /// The heads it was applied to.
    pub heads: Heads,
}

impl OutOfOrder {
    fn new(event: &Event, heads: Heads) -> Self {
        let Event { stream, seq, public_head, .. } = *event;
        Self { stream, seq, public_head, heads }
    }
}

impl Conversation {
    /// The state after the first event; `None` unless that is a `created` at public position 1.
    #[must_use]
    pub fn begin(id: ConversationId, event: &Event) -> Option<Self> {
        let Body::Created(created) = &event.body else { return None };
        if event.stream != Stream::Public || event.seq != Seq(1) || event.public_head != Seq(1) {
            return None;
        }
        let mut state = Self::created(id, created, event.at);
        state.heads.public = event.seq;
        state.ordinals = event.ordinals;
        state.record(event);
        Some(state)
    }

    /// Takes in the next event: of the public stream the next position, of the internal stream
    /// the next position at the present public head.
    ///
    /// # Errors
    ///
    /// [`OutOfOrder`] when it is not the next; nothing is changed.
    pub fn apply(&mut self, event: &Event) -> Result<(), OutOfOrder> {
        let mut heads = self.heads;
        heads.advance(event.stream);
        if event.seq != heads.of(event.stream) || event.public_head != heads.public {
            return Err(OutOfOrder::new(event, self.heads));
        }
        self.heads = heads;
        self.ordinals = event.ordinals;
        self.last_at = self.last_at.max(event.at);
        if event.stream == Stream::Public {
            self.last_public_at = self.last_public_at.max(event.at);
        }
        self.record(event);
        self.take_in(event);
        Ok(())
    }

    /// The state after all of `events`, in the order of [`Event::order`]; `None` for none.
    ///
    /// # Errors
    ///
    /// [`OutOfOrder`] at the first event that does not follow, or that should begin and does not.
    pub fn fold<'a>(
        id: ConversationId,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Option<Self>, OutOfOrder> {
        let mut events = events.into_iter();
        let Some(first) = events.next() else { return Ok(None) };
        let Some(mut state) = Self::begin(id, first) else {
            return Err(OutOfOrder::new(first, Heads::default()));
        };
        events.try_for_each(|event| state.apply(event))?;
        Ok(Some(state))
    }

    fn created(id: ConversationId, created: &Created, at: Timestamp) -> Self {
        let Created { log, number, visitor, widget, subject, department, priority, .. } = created;
        Self {
            id,
            log: *log,
            number: *number,
            visitor: visitor.clone(),
            widget: widget.clone(),
            subject: subject.clone(),
            skills: created.skills.clone(),
            context: created.context.clone(),
            fields: created.fields.clone(),
            status: Status::Waiting,
            resolution: Resolution::None,
            offline: false,
            department: department.clone(),
            priority: *priority,
            tags: Vec::new(),
            agent: None,
            transferred: None,
            created_at: at,
            last_at: at,
            last_public_at: at,
            waiting_since: Some(at),
            first_response_at: None,
            closed_at: None,
            heads: Heads::default(),
            ordinals: Ordinals::default(),
            last: None,
            newest: None,
            newest_by_other: None,
            rating: None,
            ticket: None,
            dedupe: Dedupe::default(),
        }
    }

    fn record(&mut self, event: &Event) {
        if let Some(key) = event.key {
            self.dedupe.record(event.from.principal, key, event.stream, event.seq);
        }
    }

    fn take_in(&mut self, event: &Event) {
        match &event.body {
            Body::Message { text, .. } if event.stream == Stream::Public => {
                self.take_in_message(event, text);
            }
            Body::Edited { seq, text } if event.stream == Stream::Public => {
                self.change_preview(*seq, text);
            }
            Body::Redacted { seq } if event.stream == Stream::Public => {
                self.change_preview(*seq, "");
            }
            Body::Assigned { agent, .. } => self.own(agent),
            Body::Unassigned { .. } | Body::Reopened => self.wait(event.at),
            Body::Transferred { to: TransferTarget::Agent(agent), previous } => {
                self.own(agent);
                self.transferred = Some(Transferred { previous: previous.clone() });
            }
            Body::Transferred { to: TransferTarget::Department(department), .. } => {
                self.department = Some(department.clone());
                self.wait(event.at);
            }
            Body::TransferRefused => {
                match self.transferred.take().and_then(|transferred| transferred.previous) {
                    Some(previous) => self.own(&previous),
                    None => self.wait(event.at),
                }
            }
            Body::WentOffline => self.offline = self.status == Status::Waiting,
            Body::AgentAvailable { .. } => self.offline = false,
            Body::VisitorLeft => self.waiting_since = None,
            Body::VisitorReturned => self.be_in_line(event.at),
            Body::Closed { resolution } => self.close(*resolution, event.at),
            Body::Archived => {
                self.close(self.resolution, event.at);
                self.status = Status::Archived;
            }
            Body::Rated(rating) => self.rating = Some(rating.clone()),
            Body::Tagged { tags } => self.tags.clone_from(tags),
            Body::Prioritised { priority, .. } => self.priority = *priority,
            Body::DepartmentChanged { department, .. } => self.department.clone_from(department),
            Body::Ticketed { ticket } => self.ticket = Some(*ticket),
            Body::Created(_)
            | Body::Message { .. }
            | Body::Edited { .. }
            | Body::Redacted { .. }
            | Body::Note { .. }
            | Body::Whisper { .. }
            | Body::ContactMerged { .. }
            | Body::Watched => {}
        }
    }

    fn take_in_message(&mut self, event: &Event, text: &str) {
        let author = event.from.principal;
        if self.newest.is_some_and(|(_, newest)| newest != author) {
            self.newest_by_other = self.newest;
        }
        self.newest = Some((event.seq, author));
        self.last = Some(Preview {
            seq: event.seq,
            from: event.from.clone(),
            text: message::preview(text),
            at: event.at,
        });
        if author.side() == Side::Visitor {
            self.be_in_line(event.at);
        }
        if author.side() == Side::Agent {
            self.first_response_at = self.first_response_at.or(Some(event.at));
            let owner = self.agent.as_ref().map(|agent| agent.id);
            if owner == author.agent() {
                self.transferred = None;
            }
        }
    }

    fn change_preview(&mut self, seq: Seq, text: &str) {
        if let Some(last) = self.last.as_mut().filter(|last| last.seq == seq) {
            last.text = message::preview(text);
        }
    }

    fn own(&mut self, agent: &AgentRef) {
        self.status = Status::Active;
        self.agent = Some(agent.clone());
        self.transferred = None;
        self.waiting_since = None;
        self.offline = false;
        self.open();
    }

    /// Whoever waits outside the line stands at its end from `at`.
    fn be_in_line(&mut self, at: Timestamp) {
        if self.status == Status::Waiting {
            self.waiting_since = self.waiting_since.or(Some(at));
        }
    }

    /// Waits from `at`, or goes on waiting since when it did.
    fn wait(&mut self, at: Timestamp) {
        self.status = Status::Waiting;
        self.agent = None;
        self.transferred = None;
        self.waiting_since = self.waiting_since.or(Some(at));
        self.open();
    }

    fn open(&mut self) {
        self.resolution = Resolution::None;
        self.closed_at = None;
    }

    /// Closed since `at`, or since when it was.
    fn close(&mut self, resolution: Resolution, at: Timestamp) {
        self.status = Status::Closed;
        self.resolution = resolution;
        self.agent = None;
        self.transferred = None;
        self.waiting_since = None;
        self.offline = false;
        self.closed_at = self.closed_at.or(Some(at));
    }
}
