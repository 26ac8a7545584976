//! The OpenAPI document: what is checked in is what is served, and what is served is true.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use switchboard::edge::native::openapi::document;

use crate::http::Call;
use crate::node::TestNode;

/// The methods that a path can have.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Every operation: method, path, and what the document says of it.
pub(crate) fn operations() -> Vec<(String, String, Value)> {
    let document = serde_json::to_value(document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                operations.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    operations
}

#[test]
fn the_document_that_is_checked_in_is_the_one_that_is_made() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openapi.json");
    let made = document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "tests/golden/openapi.json is out of date: run with UPDATE_GOLDEN=1");
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_its_own_id() {
    let document = serde_json::to_value(document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 20, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let operations = operations();
    let ids: BTreeSet<_> =
        operations.iter().map(|(_, _, operation)| operation["operationId"].to_string()).collect();
    assert_eq!(ids.len(), operations.len());
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|member| collect_references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

/// Every route in the source is in the document: a path that is left out is called by no test.
#[test]
fn no_route_is_left_out() {
    let source = include_str!("../../src/edge/native/routes.rs");
    let actions = include_str!("../../src/edge/native/actions.rs");
    let documented: BTreeSet<String> = operations().into_iter().map(|(_, path, _)| path).collect();
    let quoted = |source: &str, before: &str| -> Vec<String> {
        source
            .split(before)
            .skip(1)
            .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
            .map(str::to_owned)
            .collect()
    };
    let mut routes = quoted(source, ".route(");
    let below = quoted(source, "&conversation(");
    routes.extend(below.iter().map(|path| format!("/v1/conversations/{{id}}{path}")));
    let actions = quoted(actions, "        (");
    routes.extend(actions.iter().map(|name| format!("/v1/conversations/{{id}}/{name}")));
    assert!(routes.len() > 30, "{routes:?}");
    for route in &routes {
        assert!(documented.contains(route), "{route}");
    }
    for path in &documented {
        assert!(routes.contains(path), "{path} is described and not there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_served_and_other_methods_are_refused_by_name() {
    let node = TestNode::start().await;
    let served = node.send(&Call::new("GET", "/openapi.json")).await;
    assert_eq!((served.status, served.json()), (200, serde_json::to_value(document()).unwrap()));

    let operations = operations();
    let paths: BTreeSet<&String> = operations.iter().map(|(_, path, _)| path).collect();
    for path in paths {
        let own: BTreeSet<&str> = operations
            .iter()
            .filter(|(_, of, _)| of == path)
            .map(|(method, _, _)| method.as_str())
            .collect();
        let called = path.replace("{id}", "x").replace("{seq}", "1");
        for method in METHODS.map(str::to_uppercase) {
            let reply = node.send(&Call::new(&method, &called)).await;
            if own.contains(method.as_str()) {
                assert_ne!(reply.status, 405, "{method} {path}");
                continue;
            }
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (405, "method_not_allowed"),
                "{method} {path}"
            );
            let allow =
                reply.header("allow").unwrap_or_else(|| panic!("{method} {path}: {reply:?}"));
            let named: BTreeSet<&str> =
                allow.split(',').map(str::trim).filter(|name| *name != "HEAD").collect();
            assert_eq!(named, own, "{method} {path}");
        }
    }
    node.stop().await;
}
