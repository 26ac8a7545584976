//! What is refused can be quoted: by an id of its own, in the header and in the answer.

use serde_json::json;

use crate::http::{Call, Reply};
use crate::node::TestNode;
use crate::tokens::token;

const HEADER: &str = "x-request-id";

fn id_of(reply: &Reply) -> String {
    let id = reply.header(HEADER).unwrap_or_else(|| panic!("{reply:?}")).to_owned();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(reply.json()["request_id"], json!(id), "{reply:?}");
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_has_an_id_of_its_own() {
    let node = TestNode::start().await;
    let agent = token("grace", "agent");
    let mut ids = Vec::new();
    for (call, status) in [
        (Call::new("GET", "/v1/agents"), 401),
        (Call::new("GET", "/v1/agents").token(Some("garbage")), 401),
        (Call::new("GET", "/v1/keys").token(Some(&agent)), 403),
        (Call::new("GET", "/v1/agents/never").token(Some(&agent)), 404),
        (Call::new("GET", "/v1/agents/never").token(Some(&agent)), 404),
        (Call::new("DELETE", "/v1/agents").token(Some(&agent)), 405),
        (Call::new("PUT", "/v1/agents/me/status").token(Some(&agent)).json(&json!({})), 400),
        (Call::new("GET", "/v1/agents").header("Origin", "https://evil.example"), 403),
        // A caller's own id is not taken over: it would stand in our log.
        (Call::new("GET", "/v1/agents").header(HEADER, "of-mine"), 401),
    ] {
        let reply = node.send(&call).await;
        assert_eq!(reply.status, status, "{reply:?}");
        ids.push(id_of(&reply));
    }
    let n_refused = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), n_refused);

    let served = node.send(&Call::new("GET", "/v1/agents").token(Some(&agent))).await;
    assert_eq!((served.status, served.header(HEADER)), (200, None));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_sites_may_read_it() {
    let node = TestNode::start_with(|config| {
        config.server.allowed_origins = vec!["https://good.example".to_owned()];
    })
    .await;
    let call = Call::new("GET", "/v1/agents").header("Origin", "https://good.example");
    let reply = node.send(&call).await;
    let readable = reply.header("access-control-expose-headers").unwrap_or_default();
    assert!(readable.split(", ").any(|name| name.eq_ignore_ascii_case(HEADER)), "{reply:?}");
    node.stop().await;
}
