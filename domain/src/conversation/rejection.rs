//! Refusals by rule: part of the answer, never an error of ours. A refused command changed
//! nothing and consumed nothing (P4).

use crate::ids::Seq;
use crate::person::AgentRef;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The conversation has no events, or the caller may not know that it has.
    #[error("there is no such conversation")]
    NotFound,
    /// It exists already.
    #[error("the conversation exists already")]
    Exists,
    /// The caller's role or relation does not allow it.
    #[error("the caller may not do this")]
    Forbidden,
    /// The conversation is closed or archived.
    #[error("the conversation is closed")]
    Closed,
    /// The conversation is not closed yet.
    #[error("the conversation is still open")]
    Open,
    /// Another agent took it first.
    #[error("the conversation was already accepted")]
    AlreadyAccepted {
        /// Who has it.
        by: AgentRef,
    },
    /// Nobody owns it, so it cannot be given back.
    #[error("the conversation has no agent")]
    Unassigned,
    /// The agent has it already.
    #[error("the agent has the conversation already")]
    SameAgent,
    /// There is no transfer to refuse.
    #[error("the conversation was not transferred to the caller")]
    NotTransferred,
    /// Somebody else wrote since the given head.
    #[error("somebody else wrote meanwhile")]
    StaleHead {
        /// The position of their newest message.
        newest: Seq,
    },
    /// The same key was used for other content.
    #[error("the key was used for other content")]
    Conflict,
    /// A number was left out.
    #[error("a number was left out")]
    Gap {
        /// The number expected next.
        expect: u64,
    },
    /// The text or a list is over its limit.
    #[error("{what} is over its limit of {max}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// The limit, in the unit that `limit` gives for it.
        max: usize,
    },
    /// The text is empty or has a NUL, a score is out of range, a tag is empty.
    #[error("{what} is not valid: {why}")]
    Invalid {
        /// Which part.
        what: &'static str,
        /// What would be valid.
        why: &'static str,
    },
    /// The time in which it could be changed is over.
    #[error("the time to change this message is over")]
    TooLate,
    /// There is no message or note at that position.
    #[error("there is no message at that position")]
    NoMessage,
    /// A rating was given already.
    #[error("the conversation was rated already")]
    AlreadyRated,
    /// The agent is at capacity.
    #[error("the agent is at capacity")]
    AtCapacity,
}
