//! Deciding: a request and a state become drafts of events, or a refusal. Nothing is changed here.
//!
//! # Which requests are no-ops
//! A request for what already is answers with no drafts, so that a retry without a key, a double
//! click or two tabs do no harm: `Accept` and `Take` by the owner, `Requeue` while waiting, `Transfer` to the
//! department in which it waits, `Close` of what is closed the same way (a visitor's `Close` of
//! what is closed in any way), `Archive` of what is archived, `Prioritise`, `SetDepartment`, `Tag`
//! and `LinkTicket` with the present value, `GoOffline` and `AnnounceAgent` where they say nothing
//! new. A no-op stores nothing, so its key is not consumed. Writing is never a no-op.
//!
//! # Order of checks
//! Safe retry comes first and is the shell's: `Dedupe::check`. Then existence, permission, the
//! state, and the content last, so that a refusal never tells a stranger about a state.

mod create;
mod write;
mod own;
mod life;
mod label;

use super::command::{Command, Request};
use super::event::{Body, Stream};
use super::rejection::Rejection;
use super::state::{Conversation, Status};
use crate::ids::{ConversationId, Timestamp};
use crate::permission::{Action, allow};
use crate::person::{Author, Caller};

/// A fact that was decided but has no place in the log yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Which of the two logs.
    pub stream: Stream,
    /// What happened.
    pub body: Body,
    /// Who caused it.
    pub from: Author,
}

impl Draft {
    fn public(from: &Author, body: Body) -> Self {
        Self { stream: Stream::Public, body, from: from.clone() }
    }

    fn internal(from: &Author, body: Body) -> Self {
        Self { stream: Stream::Internal, body, from: from.clone() }
    }
}

type Decided = Result<Vec<Draft>, Rejection>;

/// What `request` does to the conversation `id` in `state` (`None`: it has no events yet).
///
/// The first draft is always by the caller: it is the event that carries the request's key. No
/// drafts: the request asks for what already is (see the module's list).
///
/// # Errors
///
/// The [`Rejection`] by rule; then nothing happens at all (P4).
pub fn decide(
    state: Option<&Conversation>,
    id: ConversationId,
    request: &Request,
    now: Timestamp,
) -> Decided {
    let caller = &request.caller;
    let Some(state) = state else {
        let Command::Create { created, welcome, message, start } = &request.command else {
            return Err(Rejection::NotFound);
        };
        return create::create(caller, created, welcome.as_ref(), message.as_ref(), start);
    };
    debug_assert_eq!(state.id, id, "the state is of the conversation asked for");
    allow(caller, Action::of(&request.command), state)?;
    change(state, caller, &request.command, now)
}

fn change(state: &Conversation, caller: &Caller, command: &Command, now: Timestamp) -> Decided {
    let from = &caller.author;
    match command {
        Command::Create { .. } => Err(Rejection::Exists),
        Command::Send { text, files, if_head } => write::send(state, from, text, files, *if_head),
        Command::Note { text } => write::note(state, from, text),
        Command::Whisper { text } => write::whisper(state, from, text),
        Command::Edit { stream, target, text } => {
            write::edit(state, caller, *stream, target, text, now)
        }
        Command::Redact { stream, target } => write::redact(state, caller, *stream, target, now),
        Command::Accept { agent } => own::accept(state, from, agent),
        Command::Take { agent } => own::take(state, from, agent),
        Command::Assign { agent } => own::assign(state, from, agent),
        Command::Route { agent } => own::route(state, from, agent),
        Command::Unassign => own::unassign(state, from),
        Command::Requeue => own::requeue(state, from),
        Command::Transfer { to, reason } => own::transfer(state, from, to, reason),
        Command::RefuseTransfer => own::refuse_transfer(state, from),
        Command::Close { resolution } => life::close(state, from, *resolution),
        Command::Reopen { agent } => life::reopen(state, from, agent.as_ref()),
        Command::Archive => life::archive(state, from),
        Command::Rate(rating) => life::rate(state, from, rating),
        Command::GoOffline => life::go_offline(state, from),
        Command::AnnounceAgent { text } => life::announce_agent(state, from, text),
        Command::LeaveLine => life::leave_line(state, from),
        Command::ReturnToLine => life::return_to_line(state, from),
        Command::Prioritise { priority } => label::prioritise(state, from, *priority),
        Command::SetDepartment { department } => {
            label::set_department(state, from, department.as_ref())
        }
        Command::Tag { tags } => label::tag(state, from, tags),
        Command::LinkTicket { ticket } => label::link_ticket(state, from, *ticket),
        Command::Watch => label::watch(state, from),
    }
}

/// Refuses unless messages may be written.
fn require_open(state: &Conversation) -> Result<(), Rejection> {
    if state.status.is_open() { Ok(()) } else { Err(Rejection::Closed) }
}

/// Refuses what was put away for good.
fn require_kept(state: &Conversation) -> Result<(), Rejection> {
    if state.status == Status::Archived { Err(Rejection::Closed) } else { Ok(()) }
}
