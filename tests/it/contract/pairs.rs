//! Every dialect with every other, and with our own API: a visitor who comes through one is
//! answered through the other, both hear it without delay, and each reads its own words.

mod door;
mod phase5;
mod fullmag;
mod ges;
mod tms;
mod localpro;
mod native;

use serde_json::json;

use self::door::{Door, answered, ask, listed, name_of, tried, until, written};
use self::fullmag::Fullmag;
use self::ges::Ges;
use self::localpro::Localpro;
use self::native::Native;
use self::phase5::Phase5;
use self::tms::Tms;
use crate::node::TestNode;

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
    let said = [greeting.as_str(), "question 1", "answer 1", "question 2", "answer 2"];
    assert_eq!(visitor.reads(node).await.unwrap(), said);
    assert_eq!(agent.reads(node).await.unwrap(), said);
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
