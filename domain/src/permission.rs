//! Who may do what: one table of actions, one rule of sight.
//!
//! A visitor has the public stream of own conversations and nothing else; whatever is foreign or
//! internal answers like the unknown (P10, P13). What a *state* does not allow (a closed
//! conversation, a taken one) is not said here but in `decide`.

use crate::conversation::{Command, Conversation, Rejection, Resolution, Stream};
use crate::ids::{AgentId, DepartmentId, VisitorId};
use crate::limit::{AGENT_EDIT_MS, VISITOR_EDIT_MS};
use crate::person::{Caller, Principal, Role};

/// What can be asked, without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of that name, or reading a stream")]
pub enum Action {
    ReadPublic,
    ReadInternal,
    Create,
    Send,
    Note,
    Whisper,
    Accept,
    Take,
    Assign,
    Route,
    Unassign,
    Requeue,
    Transfer,
    RefuseTransfer,
    Close,
    Resolve,
    Reopen,
    Archive,
    Prioritise,
    SetDepartment,
    Tag,
    Rate,
    Edit,
    EditInternal,
    Redact,
    RedactInternal,
    LinkTicket,
    GoOffline,
    AnnounceAgent,
    LeaveLine,
    ReturnToLine,
    Watch,
}

/// Whom an action is granted to. The system may do everything but rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The conversation's visitor, and agents.
    Everyone,
    /// The conversation's visitor alone: not even the system.
    Visitor,
    /// Agents and higher.
    Agents,
    /// The agent who owns it, any agent while nobody does, and supervisors.
    Movers,
    /// Supervisors and higher.
    Supervisors,
    /// The server itself.
    System,
}

impl Action {
    /// The action that a command is.
    #[must_use]
    pub const fn of(command: &Command) -> Self {
        match command {
            Command::Create { .. } => Self::Create,
            Command::Send { .. } => Self::Send,
            Command::Note { .. } => Self::Note,
            Command::Whisper { .. } => Self::Whisper,
            Command::Accept { .. } => Self::Accept,
            Command::Take { .. } => Self::Take,
            Command::Assign { .. } => Self::Assign,
            Command::Route { .. } => Self::Route,
            Command::Unassign => Self::Unassign,
            Command::Requeue => Self::Requeue,
            Command::Transfer { .. } => Self::Transfer,
            Command::RefuseTransfer => Self::RefuseTransfer,
            Command::Close { resolution: Resolution::None } => Self::Close,
            Command::Close { resolution: Resolution::Resolved } => Self::Resolve,
            Command::Reopen { .. } => Self::Reopen,
            Command::Archive => Self::Archive,
            Command::Prioritise { .. } => Self::Prioritise,
            Command::SetDepartment { .. } => Self::SetDepartment,
            Command::Tag { .. } => Self::Tag,
            Command::Rate(_) => Self::Rate,
            Command::Edit { stream: Stream::Public, .. } => Self::Edit,
            Command::Edit { stream: Stream::Internal, .. } => Self::EditInternal,
            Command::Redact { stream: Stream::Public, .. } => Self::Redact,
            Command::Redact { stream: Stream::Internal, .. } => Self::RedactInternal,
            Command::LinkTicket { .. } => Self::LinkTicket,
            Command::GoOffline => Self::GoOffline,
            Command::AnnounceAgent { .. } => Self::AnnounceAgent,
            Command::LeaveLine => Self::LeaveLine,
            Command::ReturnToLine => Self::ReturnToLine,
            Command::Watch => Self::Watch,
        }
    }

    /// The table.
    #[must_use]
    pub const fn grant(self) -> Grant {
        match self {
            Self::ReadPublic
            | Self::Create
            | Self::Send
            | Self::Close
            | Self::Edit
            | Self::Redact => Grant::Everyone,
            Self::Rate => Grant::Visitor,
            Self::ReadInternal
            | Self::Note
            | Self::Whisper
            | Self::Accept
            | Self::Take
            | Self::RefuseTransfer
            | Self::Resolve
            | Self::Reopen
            | Self::Archive
            | Self::Prioritise
            | Self::SetDepartment
            | Self::Tag
            | Self::EditInternal
            | Self::RedactInternal
            | Self::LinkTicket => Grant::Agents,
            Self::Assign | Self::Unassign | Self::Requeue | Self::Transfer => Grant::Movers,
            Self::Watch => Grant::Supervisors,
            Self::Route
            | Self::GoOffline
            | Self::AnnounceAgent
            | Self::LeaveLine
            | Self::ReturnToLine => Grant::System,
        }
    }

    /// Whether it speaks of the internal stream, which does not exist for visitors.
    const fn is_of_internal_stream(self) -> bool {
        matches!(self, Self::ReadInternal | Self::EditInternal | Self::RedactInternal)
    }
}

/// Whether `caller` may do `action` in `state`, as far as the table says.
///
/// # Errors
///
/// [`Rejection::NotFound`] for another visitor's conversation and for the internal stream,
/// [`Rejection::Forbidden`] otherwise. Sight among agents is [`sees`], asked before.
pub fn allow(caller: &Caller, action: Action, state: &Conversation) -> Result<(), Rejection> {
    if let Principal::Visitor(visitor) = caller.author.principal
        && (visitor != state.visitor.id || action.is_of_internal_stream())
    {
        return Err(Rejection::NotFound);
    }
    let granted = match action.grant() {
        Grant::Everyone => true,
        Grant::Visitor => matches!(caller.author.principal, Principal::Visitor(_)),
        Grant::Agents => answers(caller),
        Grant::Movers => {
            let owner = state.agent.as_ref().map(|agent| agent.id);
            let own = owner.is_none() || owner == caller.author.principal.agent();
            answers(caller) && own || supervises(caller)
        }
        Grant::Supervisors => supervises(caller),
        Grant::System => caller.author.principal == Principal::System,
    };
    let known = matches!(caller.author.principal, Principal::Visitor(_)) || answers(caller);
    if granted && known { Ok(()) } else { Err(Rejection::Forbidden) }
}

/// How long after writing `caller` may still edit own texts, in milliseconds.
#[must_use]
pub const fn edit_window_ms(caller: &Caller) -> i64 {
    match caller.author.principal {
        Principal::Visitor(_) => VISITOR_EDIT_MS,
        Principal::Agent(_) | Principal::Bot(_) | Principal::System => AGENT_EDIT_MS,
    }
}

/// Whether the caller is on the answering side, with a role to match.
fn answers(caller: &Caller) -> bool {
    match caller.author.principal {
        Principal::Visitor(_) => false,
        Principal::Agent(_) | Principal::Bot(_) => caller.role >= Role::Agent,
        Principal::System => true,
    }
}

/// Whether the caller stands above agents: may move what others own and redact what others wrote.
#[must_use]
pub fn supervises(caller: &Caller) -> bool {
    answers(caller)
        && (caller.role >= Role::Supervisor || caller.author.principal == Principal::System)
}

/// Which conversations plain agents see: a setting of the tenant. Supervisors see all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AgentsSee {
    /// Every conversation of the tenant.
    #[default]
    All,
    /// Those of their departments, those without a department, and own ones.
    Departments,
    /// Own ones only; what waits reaches them by routing or by a supervisor.
    Own,
}

/// What sight depends on, of a conversation or its card.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Whose conversation it is.
    pub visitor: VisitorId,
    /// Who owns it.
    pub agent: Option<AgentId>,
    /// Its department.
    pub department: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// Of a conversation.
    #[must_use]
    pub fn of(state: &'a Conversation) -> Self {
        Self {
            visitor: state.visitor.id,
            agent: state.agent.as_ref().map(|agent| agent.id),
            department: state.department.as_ref().map(|department| &*department.0),
        }
    }
}

/// Whether `caller` may know of a conversation at all. `departments` are the caller's. What one
/// does not see is [`Rejection::NotFound`] in every respect.
#[must_use]
pub fn sees(
    caller: &Caller,
    agents_see: AgentsSee,
    departments: &[DepartmentId],
    subject: Subject<'_>,
) -> bool {
    if let Principal::Visitor(visitor) = caller.author.principal {
        return visitor == subject.visitor;
    }
    if !answers(caller) {
        return false;
    }
    if supervises(caller)
        || (subject.agent.is_some() && subject.agent == caller.author.principal.agent())
    {
        return true;
    }
    match agents_see {
        AgentsSee::All => true,
        AgentsSee::Departments => subject
            .department
            .is_none_or(|department| departments.iter().any(|own| *own.0 == *department)),
        AgentsSee::Own => false,
    }
}

#[cfg(test)]
mod tests;
