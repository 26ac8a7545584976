//! Every dialect with every other, and with our own API: a visitor who comes through one is
//! answered through the other, both hear it without delay, and each reads its own words.

mod phase5;
mod fullmag;
mod ges;
mod tms;
mod localpro;
mod native;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::fullmag::Fullmag;
use self::ges::Ges;
use self::localpro::Localpro;
use self::native::Native;
use self::phase5::Phase5;
use self::tms::Tms;
use crate::http::Call;
use crate::node::TestNode;
use crate::tokens::token;

/// How long something that becomes true by itself may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A door that visitors and agents use, as either of them stands in it.
trait Door: Sized {
    /// Its words for what waits, what is answered, and what has ended.
    const WORDS: [&'static str; 3];

    /// Begins a chat as the customer of that number and says that text.
    async fn visit(node: &TestNode, number: &str, text: &str) -> Self;

    /// Takes the chat of the customer of that number as an agent; it waits, and that text is the
    /// last of it.
    async fn take(node: &TestNode, number: &str, text: &str) -> Self;

    async fn says(&mut self, node: &TestNode, text: &str);

    async fn hears(&mut self, node: &TestNode, text: &str);

    /// Ends the chat, as an agent.
    async fn ends(&mut self, node: &TestNode);

    async fn status(&mut self, node: &TestNode) -> Value;
}

/// What tokens call somebody.
fn name_of(subject: &str) -> String {
    format!("Name of {subject}")
}

/// Asks until an answer is as it should be; answers that.
async fn until(node: &TestNode, call: &Call, is_good: impl Fn(&Value) -> bool) -> Value {
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
async fn answered(node: &TestNode, call: &Call) -> Value {
    let reply = node.send(call).await;
    assert!(reply.status < 300, "{call:?}: {}", reply.body);
    reply.json()
}

/// The item of a list that has that value, in a field or one within it; asks until there is one.
async fn listed(node: &TestNode, call: &Call, list: &str, path: &str, value: &str) -> Value {
    let found = |answer: &Value| {
        let items = answer.pointer(list)?.as_array()?;
        items.iter().find(|item| item.pointer(path).is_some_and(|found| found == value)).cloned()
    };
    found(&until(node, call, |answer| found(answer).is_some()).await).unwrap()
}

fn ask(method: &str, path: &str, subject: &str, role: &str) -> Call {
    Call::new(method, path).token(Some(&token(subject, role)))
}

/// A visitor of one door and an agent of another, from the first word to the last.
async fn talk<V: Door, A: Door>(node: &TestNode, number: &str) {
    // Somebody is there.
    let beat = ask("POST", "/api/v1/admin/presence", "30", "agent");
    answered(node, &beat.json(&json!({ "isOnline": true }))).await;
    let [waiting, active, closed] = V::WORDS;
    let greeting = format!("{number} was here");
    let mut visitor = V::visit(node, number, &greeting).await;
    assert_eq!(visitor.status(node).await, waiting);
    let mut agent = A::take(node, number, &greeting).await;
    assert_eq!(visitor.status(node).await, active);
    assert_eq!(agent.status(node).await, A::WORDS[1]);
    for n in 1..=2 {
        let (question, answer) = (format!("question {n}"), format!("answer {n}"));
        visitor.says(node, &question).await;
        agent.hears(node, &question).await;
        agent.says(node, &answer).await;
        visitor.hears(node, &answer).await;
    }
    agent.ends(node).await;
    assert_eq!(visitor.status(node).await, closed);
    assert_eq!(agent.status(node).await, A::WORDS[2]);
}

/// Visitors of one door, each answered through another.
async fn through<V: Door>() {
    let node = TestNode::start().await;
    Box::pin(talk::<V, Phase5>(&node, "1001")).await;
    Box::pin(talk::<V, Fullmag>(&node, "1002")).await;
    Box::pin(talk::<V, Ges>(&node, "1003")).await;
    Box::pin(talk::<V, Tms>(&node, "1004")).await;
    Box::pin(talk::<V, Localpro>(&node, "1005")).await;
    Box::pin(talk::<V, Native>(&node, "1006")).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_phase5_is_answered_through_any_door() {
    through::<Phase5>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_fullmag_is_answered_through_any_door() {
    through::<Fullmag>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_ges_is_answered_through_any_door() {
    through::<Ges>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_tms_is_answered_through_any_door() {
    through::<Tms>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_localpro_is_answered_through_any_door() {
    through::<Localpro>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_our_own_door_is_answered_through_any_other() {
    through::<Native>().await;
}
