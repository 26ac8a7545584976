//! How what a client of Socket.IO emitted is acknowledged: whether it succeeded, and what came of it.

use serde::Serialize;
use serde_json::{Value, json};

use super::encoded::Encoded;
use super::request::in_words;
use super::socket_io::{Ack, Link};
use crate::edge::problem::{Close, Code, Problem};

/// What became of an event.
pub type Answer = Result<Done, Problem>;

/// What is acknowledged, beside that it succeeded.
#[derive(Debug)]
pub enum Done {
    /// These fields.
    Said(Value),
    /// A message, as everybody hears it.
    Kept(Encoded),
}

impl From<Value> for Done {
    fn from(fields: Value) -> Self {
        Self::Said(fields)
    }
}

/// The acknowledgement of a message.
#[derive(Serialize)]
struct Kept<'a> {
    success: bool,
    message: &'a Encoded,
}

/// Acknowledges an event, if its client asked for that.
///
/// # Errors
///
/// The connection is over.
pub async fn acknowledge(link: &Link, ack: &Ack, answer: Answer) -> Result<(), Close> {
    match answer {
        Ok(Done::Said(mut fields)) => {
            fields["success"] = Value::Bool(true);
            link.answer(ack, &fields).await
        }
        Ok(Done::Kept(message)) => {
            link.answer(ack, &Kept { success: true, message: &message }).await
        }
        // Neither stored nor refused: whoever reads "refused" would send it again.
        Err(problem) if problem.code == Code::UnknownOutcome => Ok(()),
        Err(problem) => {
            let refusal = json!({ "success": false, "message": in_words(&problem) });
            link.answer(ack, &refusal).await
        }
    }
}
