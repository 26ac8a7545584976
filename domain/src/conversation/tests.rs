//! The machine as tables: given, when, then.

mod create;
mod write;
mod change;
mod own;
mod life;
mod label;
mod apply;
mod retry;

use super::fixture::*;
use super::*;
use crate::ids::{Number, Seq};
use crate::limit::*;
use crate::person::{AgentRef, Author, Caller};

type Step = (Caller, Command);

/// The bodies of the events that `when` causes after `given`, or its refusal.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "rows of a table are written in place")]
fn check(given: &[Step], when: Step, then: Result<Vec<Body>, Rejection>) {
    let mut chat = Chat::given(given);
    let (caller, command) = when;
    let answered = chat.ask(&caller, None, command.clone()).map(|answer| match answer {
        Answer::Stored(events) => events.into_iter().map(|event| event.body).collect(),
        Answer::Duplicate(stream, seq) => panic!("a duplicate of {stream:?} {seq}"),
    });
    assert_eq!(answered, then, "{} asks {command:?} after {given:?}", name(&caller));
    crate::invariant::whole_history(&chat.log).expect("the history keeps the promises");
}

#[track_caller]
fn refused(given: &[Step], when: Step, rejection: Rejection) {
    check(given, when, Err(rejection));
}

#[track_caller]
fn nothing(given: &[Step], when: Step) {
    check(given, when, Ok(Vec::new()));
}

fn name(caller: &Caller) -> &str {
    caller.author.name.as_deref().unwrap_or("the system")
}

fn system() -> Caller {
    Caller::SYSTEM
}

fn message(text: &str) -> Body {
    Body::Message { text: text.into(), files: Vec::new() }
}

fn assigned(to: &Caller, by: AssignedBy, previous: Option<AgentRef>) -> Body {
    Body::Assigned { agent: agent_ref(to), by, previous }
}

fn active() -> Vec<Step> {
    vec![(ben(), accept(&ben()))]
}

fn closed() -> Vec<Step> {
    vec![(ben(), accept(&ben())), (ben(), close())]
}

fn archived() -> Vec<Step> {
    vec![(ben(), accept(&ben())), (ben(), close()), (ben(), Command::Archive)]
}

fn after(given: &[Step], more: &[Step]) -> Vec<Step> {
    given.iter().chain(more).cloned().collect()
}

/// Public 2 is Vera's, 4 is Ben's; internal 1 is Ben's note.
fn written() -> Chat {
    Chat::given(&[
        (vera(), say("one")),
        (ben(), accept(&ben())),
        (ben(), say("two")),
        (ben(), note("aside")),
    ])
}
