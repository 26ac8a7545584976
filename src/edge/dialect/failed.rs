//! Why something was not told to a client, and what becomes of its connection.

use crate::edge::problem::{Close, Code, Problem};

/// Why something was not told.
#[derive(Debug)]
pub enum Failed {
    /// The connection cannot be written to.
    Over(Close),
    /// What was to be told could not be found out.
    Problem(Problem),
}

impl Failed {
    /// What is not found is not the client's to hear, and its connection goes on. Else half a
    /// story would be told, so the client begins afresh.
    ///
    /// # Errors
    ///
    /// How the connection ends.
    pub fn settle(self) -> Result<(), Close> {
        match self {
            Self::Over(close) => Err(close),
            Self::Problem(problem) if problem.code == Code::NotFound => Ok(()),
            Self::Problem(problem) => {
                tracing::warn!(code = problem.code.as_str(), "a delivery failed");
                Err(Close::Void)
            }
        }
    }
}

impl From<Close> for Failed {
    fn from(close: Close) -> Self {
        Self::Over(close)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_found_ends_no_connection() {
        let settled = |failed: Failed| failed.settle();
        assert_eq!(settled(Problem::new(Code::NotFound).into()), Ok(()));
        assert_eq!(settled(Problem::new(Code::Busy).into()), Err(Close::Void));
        assert_eq!(settled(Close::Slow.into()), Err(Close::Slow));
    }
}
