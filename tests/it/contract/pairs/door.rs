//! What every door can do, and what its clients share.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::http::Call;
use crate::node::TestNode;
use crate::tokens::token;

/// How long something that becomes true by itself may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A door that visitors and agents use, as either of them stands in it.
pub(crate) trait Door: Sized {
    /// Its words for what waits, what is answered, and what has ended.
    const WORDS: [&'static str; 3];

    /// Begins a chat as the customer of that number and says that text.
    async fn visit(node: &TestNode, number: &str, text: &str) -> Self;

    /// Takes the chat of the customer of that number as an agent; it waits, and that text is the
    /// last of it.
    async fn take(node: &TestNode, number: &str, text: &str) -> Self;

    /// Writes once; whether that was acknowledged. Whoever lost the connection has another one then.
    async fn tries(&mut self, node: &TestNode, text: &str) -> bool;

    /// Writes.
    async fn says(&mut self, node: &TestNode, text: &str) {
        assert!(self.tries(node, text).await, "{text} is acknowledged");
    }

    async fn hears(&mut self, node: &TestNode, text: &str);

    /// What people wrote, from the first on; `None` while nobody can say.
    async fn reads(&self, node: &TestNode) -> Option<Vec<String>>;

    /// Ends the chat, as an agent.
    async fn ends(&mut self, node: &TestNode);

    async fn status(&mut self, node: &TestNode) -> Value;
}

/// What tokens call somebody.
pub(crate) fn name_of(subject: &str) -> String {
    format!("Name of {subject}")
}

/// Asks until an answer is as it should be; answers that.
pub(crate) async fn until(node: &TestNode, call: &Call, is_good: impl Fn(&Value) -> bool) -> Value {
    let patience = Instant::now() + PATIENCE;
    loop {
        let answer = answered(node, call).await;
        if is_good(&answer) {
            return answer;
        }
        assert!(Instant::now() < patience, "{call:?}: {answer}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// What is answered to somebody who may ask.
pub(crate) async fn answered(node: &TestNode, call: &Call) -> Value {
    let reply = node.send(call).await;
    assert!(reply.status < 300, "{call:?}: {} {}", reply.status, reply.body);
    reply.json()
}

/// The same; `None` where the node says that it cannot, or does not know what came of it.
pub(crate) async fn tried(node: &TestNode, call: &Call) -> Option<Value> {
    let reply = node.send(call).await;
    assert!(reply.status < 300 || reply.status >= 500, "{call:?}: {}", reply.body);
    (reply.status < 300).then(|| reply.json())
}

/// The texts of a list of messages, without those of the system, whose word stands in that field.
pub(crate) fn written(
    answer: &Value,
    list: &str,
    text: &str,
    (by, system): (&str, &str),
) -> Vec<String> {
    let items = answer.pointer(list).and_then(Value::as_array).unwrap();
    let by_people = items.iter().filter(|item| item.pointer(by).unwrap() != system);
    let texts = by_people.filter_map(|item| item.pointer(text)?.as_str());
    texts.map(str::to_owned).collect()
}

/// The item of a list that has that value, in a field or one within it; asks until there is one.
pub(crate) async fn listed(
    node: &TestNode,
    call: &Call,
    list: &str,
    path: &str,
    value: &str,
) -> Value {
    let found = |answer: &Value| {
        let items = answer.pointer(list)?.as_array()?;
        items.iter().find(|item| item.pointer(path).is_some_and(|found| found == value)).cloned()
    };
    found(&until(node, call, |answer| found(answer).is_some()).await).unwrap()
}

pub(crate) fn ask(method: &str, path: &str, subject: &str, role: &str) -> Call {
    Call::new(method, path).token(Some(&token(subject, role)))
}
