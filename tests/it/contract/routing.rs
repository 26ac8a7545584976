//! How chats find their agent: their widget's way; that of the settings for those that came through
//! none; their department's.

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::http::Call;
use crate::node::TestNode;
use crate::tokens::token;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

async fn told(node: &TestNode, call: Call) -> Value {
    let reply = node.send(&call).await;
    assert!(reply.status < 300, "{call:?}: {}", reply.body);
    if reply.body.is_empty() { Value::Null } else { reply.json() }
}

fn by_admin(method: &str, path: &str) -> Call {
    Call::new(method, path).token(Some(&token("9", "admin"))).header("If-Match", "*")
}

async fn set_routing(node: &TestNode, routing: Option<&str>) {
    let path = "/v1/widgets/demo/settings";
    let mut settings = told(node, by_admin("GET", path)).await["settings"].clone();
    match routing {
        Some(routing) => settings["routing"] = json!(routing),
        None => drop(settings.as_object_mut().unwrap().remove("routing")),
    }
    told(node, by_admin("PUT", path).json(&settings)).await;
}

/// A chat in sales that comes through the widget.
async fn through_widget(node: &TestNode, number: &str) -> String {
    let begin = Call::new("POST", "/v1/conversations").token(Some(&token(number, "customer")));
    let wish = json!({ "widget": "demo", "department": "sales", "message": { "text": "Hello" } });
    told(node, begin.json(&wish)).await["id"].as_str().unwrap().to_owned()
}

async fn status(node: &TestNode, conversation: &str) -> Value {
    let path = format!("/v1/conversations/{conversation}");
    told(node, by_admin("GET", &path)).await["status"].clone()
}

async fn becomes_active(node: &TestNode, conversation: &str) {
    let patience = Instant::now() + PATIENCE;
    while status(node, conversation).await != "active" {
        assert!(Instant::now() < patience, "{conversation} is given to somebody");
        sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// A chat in sales that comes through no widget.
async fn through_none(node: &TestNode) -> String {
    let said = json!({ "visitorName": "Gil", "message": "Hello", "department": "sales" });
    let begun = told(node, Call::new("POST", "/api/v1/chat").json(&said)).await;
    begun["data"]["id"].as_str().unwrap().to_owned()
}

/// An agent who takes chats, and a department that gives them by itself.
async fn sales_by_itself(node: &TestNode) {
    let beat = Call::new("POST", "/api/v1/admin/presence").token(Some(&token("31", "agent")));
    told(node, beat.json(&json!({ "isOnline": true }))).await;
    let sales = json!({ "name": "Sales", "routing": "least_busy" });
    told(node, by_admin("PUT", "/v1/departments/sales").json(&sales)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_widget_routes_in_its_own_way_and_without_one_chats_wait_for_a_hand() {
    let node = TestNode::start().await;
    sales_by_itself(&node).await;
    let bare = through_none(&node).await;
    // The widget says nothing: the department's way.
    becomes_active(&node, &through_widget(&node, "1").await).await;
    set_routing(&node, Some("manual")).await;
    let by_hand = through_widget(&node, "2").await;
    set_routing(&node, None).await;
    becomes_active(&node, &by_hand).await;
    // Another in between shows that it was not the time that was missing.
    set_routing(&node, Some("manual")).await;
    let waits = through_widget(&node, "3").await;
    let support = json!({ "name": "Support", "routing": "round_robin" });
    told(&node, by_admin("PUT", "/v1/departments/support").json(&support)).await;
    assert_eq!(status(&node, &waits).await, "waiting");
    set_routing(&node, Some("round_robin")).await;
    becomes_active(&node, &waits).await;
    assert_eq!(status(&node, &bare).await, "waiting", "it is older than all that were given");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_without_a_widget_go_the_way_of_the_settings() {
    use switchboard::edge::dialect::ChatRouting;
    let node =
        TestNode::start_with(|config| config.dialects.routing = ChatRouting::Department).await;
    sales_by_itself(&node).await;
    becomes_active(&node, &through_none(&node).await).await;
    node.stop().await;
}
