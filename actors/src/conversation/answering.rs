//! How a request is answered: to somebody who waits, or by doing at once what is to be done then.

use std::fmt;

use crate::answer::{Done, Refusal};
use crate::mailbox::Reply;

/// How a message came to its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into the mailbox of one that is in memory.
    Straight,
    /// By the region, which wakes it if need be.
    Routed,
}

/// How a request is answered.
pub(crate) enum Answering {
    /// Somebody waits.
    Reply(Reply<Done>),
    /// Nobody has to be woken for it.
    Then(Then),
}

impl Answering {
    pub(crate) fn answer(self, result: Result<Done, Refusal>) {
        match self {
            // Nobody waits any more when it cannot be sent.
            Self::Reply(reply) => drop(reply.send(result)),
            Self::Then(then) => then.run(result),
        }
    }
}

/// What is done when a request ends, in the task of whoever ends it. Whoever drops it leaves the
/// outcome unknown (P4), so it is always done, and once.
pub(crate) struct Then {
    run: Option<Box<Run>>,
    pub(crate) way: Way,
}

type Run = dyn FnOnce(Result<Done, Refusal>, Way) + Send;

impl Then {
    pub(crate) fn new(run: impl FnOnce(Result<Done, Refusal>, Way) + Send + 'static) -> Self {
        Self { run: Some(Box::new(run)), way: Way::Routed }
    }

    fn run(mut self, result: Result<Done, Refusal>) {
        if let Some(run) = self.run.take() {
            run(result, self.way);
        }
    }
}

impl Drop for Then {
    fn drop(&mut self) {
        if let Some(run) = self.run.take() {
            run(Err(Refusal::Unknown), self.way);
        }
    }
}

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Then").field("way", &self.way).finish_non_exhaustive()
    }
}
