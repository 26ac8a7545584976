//! Rules of documents and numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use switchboard_domain::ids::TenantId;

use crate::port::{Document, DocumentKey, Expect, Fault, NUMBERS_START, Store};

type Shared = Arc<dyn Store>;

fn tenant(name: &str) -> TenantId {
    TenantId(name.into())
}

fn document(tenant_name: &str, kind: &'static str, id: &str) -> DocumentKey {
    DocumentKey { tenant: tenant(tenant_name), kind, id: id.into() }
}

pub(super) async fn documents_are_kept_by_version(store: Shared) {
    let demo = document("acme", "widget", "demo");
    assert_eq!(store.document(&demo).await.expect("documents are read"), None);
    for version in 1..=3 {
        let bytes = vec![u8::try_from(version).unwrap_or(0); 10];
        let put = store.put_document(demo.clone(), Expect::Any, bytes.clone()).await;
        assert_eq!(put.expect("a document is written"), version);
        let stored = store.document(&demo).await.expect("documents are read");
        assert_eq!(stored, Some(Document { id: "demo".into(), version, bytes }));
    }
    for other in [
        document("acm", "widget", "demo"),
        document("acme", "person", "demo"),
        document("acme", "widget", "demo2"),
    ] {
        assert_eq!(store.document(&other).await.expect("documents are read"), None, "{other:?}");
    }
    store.delete_document(demo.clone(), Expect::Any).await.expect("a document is deleted");
    assert_eq!(store.document(&demo).await.expect("documents are read"), None);
    store.delete_document(demo, Expect::Any).await.expect("an absent one may be deleted");
}

pub(super) async fn documents_change_by_condition(store: Shared) {
    let demo = document("acme", "widget", "demo");
    let put = |expect| store.put_document(demo.clone(), expect, vec![1]);
    let steps = [
        (Expect::Version(1), None),
        (Expect::Absent, Some(1)),
        (Expect::Absent, None),
        (Expect::Version(2), None),
        (Expect::Version(1), Some(2)),
        (Expect::Version(1), None),
        (Expect::Any, Some(3)),
    ];
    for (expect, version) in steps {
        let outcome = put(expect).await;
        match version {
            Some(version) => assert_eq!(outcome.expect("the condition holds"), version),
            None => assert!(matches!(outcome, Err(Fault::Changed)), "{expect:?}: {outcome:?}"),
        }
    }
    for expect in [Expect::Absent, Expect::Version(2)] {
        let outcome = store.delete_document(demo.clone(), expect).await;
        assert!(matches!(outcome, Err(Fault::Changed)), "{expect:?}: {outcome:?}");
    }
    store.delete_document(demo, Expect::Version(3)).await.expect("the condition holds");
}

pub(super) async fn one_of_many_conditional_writes_wins(store: Shared) {
    let demo = document("acme", "widget", "demo");
    for round in 1..=5 {
        let expect = if round == 1 { Expect::Absent } else { Expect::Version(round - 1) };
        let writes = (0..16).map(|_| store.put_document(demo.clone(), expect, vec![0]));
        let outcomes = join_all(writes.collect::<Vec<_>>()).await;
        let won: Vec<u64> = outcomes.into_iter().filter_map(Result::ok).collect();
        assert_eq!(won, [round], "exactly one write of a round wins");
    }
}

/// Whoever wants the one open conversation of a contact names it, or finds it named: as a door
/// does, on several nodes at once. When it has ended, one of them names the next.
pub(super) async fn one_of_many_creators_names_what_is_open(stores: &[Shared]) {
    const ROUNDS: u8 = 5;
    const EACH: u8 = 8;
    let name = async |store: &Shared, ended: Option<u64>, mine: u8| {
        let current = document("acme", "current", "contact");
        loop {
            let named = store.document(&current).await.expect("documents are read");
            let version = named.as_ref().map(|it| it.version);
            if let Some(named) = named.filter(|_| version != ended) {
                return (named.version, named.bytes);
            }
            let expect = version.map_or(Expect::Absent, Expect::Version);
            let put = store.put_document(current.clone(), expect, vec![mine]).await;
            // Somebody was sooner; or nobody knows, and what stands says it.
            if matches!(put, Err(Fault::Changed | Fault::Unknown | Fault::Busy)) {
                continue;
            }
            return (put.expect("a document is written"), vec![mine]);
        }
    };
    let mut ended = None;
    for round in 0..ROUNDS {
        let creators = stores.iter().flat_map(|store| (0..EACH).map(move |_| store)).zip(0_u8..);
        let named = creators.map(|(store, mine)| name(store, ended, mine));
        let named = join_all(named.collect::<Vec<_>>()).await;
        let one: BTreeSet<_> = named.into_iter().collect();
        assert_eq!(one.len(), 1, "round {round}: {one:?}");
        ended = one.first().map(|(version, _)| *version);
        assert_eq!(ended, Some(u64::from(round) + 1), "it was named once");
    }
}

pub(super) async fn documents_are_listed_by_kind(store: Shared) {
    for id in ["d", "b", "a", "c"] {
        for (tenant, kind) in [("acme", "widget"), ("acme", "person"), ("zorg", "widget")] {
            let key = document(tenant, kind, id);
            store.put_document(key, Expect::Absent, vec![0]).await.expect("it is new");
        }
    }
    let cases: [(Option<&str>, usize, &[&str]); 5] = [
        (None, 10, &["a", "b", "c", "d"]),
        (None, 2, &["a", "b"]),
        (Some("b"), 10, &["c", "d"]),
        (Some("bb"), 1, &["c"]),
        (Some("d"), 10, &[]),
    ];
    for (after, limit, expected) in cases {
        let page = store.documents(&tenant("acme"), "widget", after.map(Arc::from), limit).await;
        let ids: Vec<_> = page.expect("a list is read").into_iter().map(|it| it.id).collect();
        assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), expected, "after {after:?}");
    }
}

pub(super) async fn numbers_are_given_once(store: Shared) {
    let (acme, zorg) = (tenant("acme"), tenant("zorg"));
    let first = store.take_numbers(&acme, 10).await.expect("numbers are given");
    assert_eq!(first, NUMBERS_START);
    let blocks =
        join_all((1..=40).map(|count| store.take_numbers(&acme, count)).collect::<Vec<_>>());
    let mut given: BTreeSet<u64> = (first..first + 10).collect();
    for (block, count) in blocks.await.into_iter().zip(1..) {
        let first = block.expect("numbers are given");
        for number in first..first + count {
            assert!(given.insert(number), "{number} was given twice");
        }
    }
    let other = store.take_numbers(&zorg, 1).await.expect("numbers are given");
    assert_eq!(other, NUMBERS_START, "each tenant has its own");
}
