//! What can go wrong with the database, as the port says it.

use std::fmt;
use std::sync::Arc;

use scylla::errors::{
    DbError, ExecutionError, NextPageError, NextRowError, PagerExecutionError, RequestAttemptError,
    RequestError,
};

use crate::port::Fault;

/// Why the engine could not begin. Each names the setting that it is about.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// No node answers.
    #[error("no database node answers at {nodes} (cql.nodes): {why}")]
    Unreachable {
        /// The addresses that were tried.
        nodes: String,
        /// The driver's words.
        why: String,
    },
    /// The keyspace is not there or not ours.
    #[error(
        "keyspace {keyspace} cannot be used (cql.keyspace): {why}; make it with `switchboard migrate`"
    )]
    Keyspace {
        /// Its name.
        keyspace: String,
        /// The database's words.
        why: String,
    },
    /// A migration was refused.
    #[error("applying {what} failed: {why}")]
    Migration {
        /// Which.
        what: String,
        /// The database's words.
        why: String,
    },
    /// The tables are older than this program.
    #[error(
        "the schema has version {found}, this program needs {needed}; run `switchboard migrate`"
    )]
    Schema {
        /// The newest migration applied.
        found: i32,
        /// The one that is needed.
        needed: i32,
    },
    /// The tables are more than one version newer than this program.
    #[error(
        "the schema has version {found}, this program knows {known} and works with one more at \
         most; run a newer version of `switchboard` on this node"
    )]
    SchemaTooNew {
        /// The newest migration applied.
        found: i32,
        /// The newest that this program knows.
        known: i32,
    },
    /// A statement was refused.
    #[error("the database refuses `{statement}`: {why}")]
    Statement {
        /// Which.
        statement: String,
        /// The database's words.
        why: String,
    },
}

/// What is known of a request that was not answered as hoped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was certainly not carried out, and may be tried again later.
    NotDone,
    /// It was carried out, or will be, or not.
    Unknown,
    /// It will never be carried out: the statement or our rights are wrong.
    Wrong,
}

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    /// Whether the database has too much to do, so that less should be asked of it.
    pub(super) is_overload: bool,
    what: Arc<str>,
}

impl Failure {
    fn new(outcome: Outcome, is_overload: bool, what: &dyn fmt::Display) -> Self {
        Self { outcome, is_overload, what: what.to_string().into() }
    }

    /// It was never sent, because too much else was under way.
    pub(super) fn no_turn() -> Self {
        Self::new(Outcome::NotDone, false, &"too much is under way")
    }

    /// An answer that cannot be read.
    pub(super) fn unreadable(what: &dyn fmt::Display) -> Self {
        Self::new(Outcome::Wrong, false, what)
    }

    /// The fault of a read: reading may always be tried again.
    pub(super) fn of_read(self) -> Fault {
        tracing::debug!(fault = %self.what, "the database did not answer a read");
        match self.outcome {
            Outcome::NotDone | Outcome::Unknown => Fault::Busy,
            Outcome::Wrong => Fault::Failed { what: self.what },
        }
    }

    /// The fault of a write.
    pub(super) fn of_write(self) -> Fault {
        tracing::debug!(fault = %self.what, "the database did not answer a write");
        match self.outcome {
            Outcome::NotDone => Fault::Busy,
            Outcome::Unknown => Fault::Unknown,
            Outcome::Wrong => Fault::Failed { what: self.what },
        }
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        match &error {
            ExecutionError::BadQuery(_) => Self::new(Outcome::Wrong, false, &error),
            ExecutionError::LastAttemptError(attempt) => of_attempt(attempt),
            ExecutionError::RequestTimeout(_) => Self::new(Outcome::Unknown, true, &error),
            ExecutionError::EmptyPlan | ExecutionError::ConnectionPoolError(_) => {
                Self::new(Outcome::NotDone, false, &error)
            }
            _ => Self::new(Outcome::Unknown, false, &error),
        }
    }
}

/// Paging only reads.
impl From<PagerExecutionError> for Failure {
    fn from(error: PagerExecutionError) -> Self {
        match error {
            PagerExecutionError::NextPageError(error) => of_page(&error),
            PagerExecutionError::SerializationError(error) => {
                Self::new(Outcome::Wrong, false, &error)
            }
            error => Self::new(Outcome::Unknown, false, &error),
        }
    }
}

impl From<NextRowError> for Failure {
    fn from(error: NextRowError) -> Self {
        match error {
            NextRowError::NextPageError(error) => of_page(&error),
            error => Self::new(Outcome::Wrong, false, &error),
        }
    }
}

fn of_page(error: &NextPageError) -> Failure {
    match error {
        NextPageError::RequestFailure(RequestError::LastAttemptError(attempt)) => {
            of_attempt(attempt)
        }
        NextPageError::RequestFailure(RequestError::RequestTimeout(_)) => {
            Failure::new(Outcome::Unknown, true, error)
        }
        _ => Failure::new(Outcome::NotDone, false, error),
    }
}

fn of_attempt(error: &RequestAttemptError) -> Failure {
    let (outcome, is_overload) = match error {
        RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_) => (Outcome::Wrong, false),
        RequestAttemptError::UnableToAllocStreamId => (Outcome::NotDone, true),
        RequestAttemptError::DbError(error, _) => of_answer(error),
        _ => (Outcome::Unknown, false),
    };
    Failure::new(outcome, is_overload, error)
}

/// Only what the coordinator says before it has sent a write to any replica is certain.
const fn of_answer(error: &DbError) -> (Outcome, bool) {
    match error {
        DbError::Unavailable { .. } | DbError::IsBootstrapping => (Outcome::NotDone, false),
        DbError::RateLimitReached { rejected_by_coordinator: true, .. } => (Outcome::NotDone, true),
        DbError::Overloaded
        | DbError::RateLimitReached { .. }
        | DbError::ReadTimeout { .. }
        | DbError::WriteTimeout { .. } => (Outcome::Unknown, true),
        DbError::SyntaxError
        | DbError::Invalid
        | DbError::Unauthorized
        | DbError::AuthenticationError
        | DbError::ConfigError => (Outcome::Wrong, false),
        _ => (Outcome::Unknown, false),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scylla::errors::{OperationType, WriteType};
    use scylla::statement::Consistency;

    use super::*;

    #[test]
    fn only_what_no_replica_can_have_seen_is_surely_not_stored() {
        let consistency = Consistency::LocalQuorum;
        let timeout = DbError::WriteTimeout {
            consistency,
            received: 1,
            required: 2,
            write_type: WriteType::Simple,
        };
        let limited = |rejected_by_coordinator| DbError::RateLimitReached {
            op_type: OperationType::Write,
            rejected_by_coordinator,
        };
        let cases = [
            (DbError::Unavailable { consistency, required: 2, alive: 1 }, Outcome::NotDone, false),
            (limited(true), Outcome::NotDone, true),
            (limited(false), Outcome::Unknown, true),
            (DbError::Overloaded, Outcome::Unknown, true),
            (timeout, Outcome::Unknown, true),
            (DbError::ServerError, Outcome::Unknown, false),
            (DbError::Invalid, Outcome::Wrong, false),
        ];
        for (answer, outcome, is_overload) in cases {
            let told = format!("{answer:?}");
            let attempt = RequestAttemptError::DbError(answer, String::new());
            let failure = Failure::from(ExecutionError::LastAttemptError(attempt));
            assert_eq!((failure.outcome, failure.is_overload), (outcome, is_overload), "{told}");
        }
        let late = Failure::from(ExecutionError::RequestTimeout(Duration::ZERO));
        assert!(matches!(late.of_write(), Fault::Unknown), "never told as not stored");
    }
}
