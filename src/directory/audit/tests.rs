use futures_util::future::join_all;
use serde_json::json;
use switchboard_actors::clock::Clock;

use super::*;
use crate::directory::testing::{Setup, tenant};

fn ada() -> Actor {
    Actor { id: Uuid::from_u128(1), name: "Ada".into(), is_key: false }
}

fn renamed(n: u64) -> Deed {
    let subject = Subject::new(Kind::Department, &"sales", "Sales");
    Deed::changed(subject, json!({"name": n}), json!({"name": n + 1}))
}

async fn numbers(setup: &Setup, before: Option<u64>, limit: usize) -> (Vec<u64>, Option<u64>) {
    let page = setup.directory.audit(&tenant("acme"), before, None, limit).await.unwrap();
    (page.entries.iter().map(|entry| entry.value.number).collect(), page.next)
}

#[tokio::test]
async fn entries_outlive_a_restart_and_are_read_newest_first() {
    let mut setup = Setup::new().await;
    let (acme, other) = (tenant("acme"), tenant("other"));
    for n in 0..5 {
        setup.tick();
        setup.directory.note(&acme, ada(), renamed(n)).await.unwrap();
    }
    setup.restart().await;
    assert_eq!(numbers(&setup, None, 2).await, (vec![5, 4], Some(4)));
    assert_eq!(numbers(&setup, Some(4), 2).await, (vec![3, 2], Some(2)));
    assert_eq!(numbers(&setup, Some(2), 2).await, (vec![1], None));
    let page = setup.directory.audit(&acme, None, None, 1).await.unwrap();
    let newest = &page.entries[0].value;
    let change =
        Difference { field: "name".into(), before: Some("4".into()), after: Some("5".into()) };
    assert_eq!(
        (&newest.by, newest.action, &*newest.changes),
        (&ada(), Action::Changed, &[change][..])
    );
    assert_eq!(newest.at, setup.clock.now());
    let foreign = setup.directory.audit(&other, None, None, 50).await.unwrap();
    assert_eq!((foreign.entries.len(), foreign.next), (0, None));
}

#[tokio::test]
async fn changes_at_once_have_numbers_of_their_own() {
    let setup = Setup::new().await;
    let acme = tenant("acme");
    let all = (0..20).map(|n| setup.directory.note(&acme, ada(), renamed(n)));
    for answer in join_all(all).await {
        answer.unwrap();
    }
    assert_eq!(numbers(&setup, None, 50).await.0, (1..=20).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_changes_nothing_leaves_no_entry() {
    let setup = Setup::new().await;
    let acme = tenant("acme");
    let subject = Subject::new(Kind::Department, &"sales", "Sales");
    let same = Deed::changed(subject.clone(), json!({"name": "Sales"}), json!({"name": "Sales"}));
    setup.directory.note(&acme, ada(), same).await.unwrap();
    assert!(numbers(&setup, None, 50).await.0.is_empty());
    let invited =
        Deed { action: Action::Invited, ..Deed::changed(subject, Value::Null, Value::Null) };
    setup.directory.note(&acme, ada(), invited).await.unwrap();
    assert_eq!(numbers(&setup, None, 50).await.0, [1]);
}

#[tokio::test]
async fn the_oldest_go_when_there_are_too_many() {
    let setup = Setup::new().await;
    let acme = tenant("acme");
    let newest = KEPT_MAX + 2;
    for n in 1..=3 {
        setup.directory.note(&acme, ada(), renamed(n)).await.unwrap();
    }
    let rule = |head: &mut Head| {
        head.0 = KEPT_MAX;
        Ok::<_, Error>(true)
    };
    setup.directory.change_or_begin(&acme, HEAD, Head::default, rule).await.unwrap();
    for n in 4..=5 {
        setup.directory.note(&acme, ada(), renamed(n)).await.unwrap();
    }
    assert_eq!(numbers(&setup, None, 50).await.0, [newest, newest - 1, 3]);
}

#[tokio::test]
async fn a_search_finds_who_what_and_values_and_goes_on_where_it_stopped() {
    let setup = Setup::new().await;
    let acme = tenant("acme");
    let looked_at = u64::try_from(PAGES_PER_SEARCH_MAX * PAGE_MAX).unwrap();
    let removed =
        Deed::removed(Subject::new(Kind::Widget, &"shop", "Shöp"), json!({"welcome": "Hallo"}));
    setup.directory.note(&acme, ada(), removed).await.unwrap();
    for n in 0..looked_at {
        setup.directory.note(&acme, ada(), renamed(n)).await.unwrap();
    }
    let search = async |text: &str, before: Option<u64>| {
        let query = Query::new(text).unwrap();
        let page = setup.directory.audit(&acme, before, Some(&query), 50).await.unwrap();
        (page.entries.iter().map(|entry| entry.value.number).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(search("shop", None).await, (vec![], Some(2)));
    for text in ["shop", "ada removed", "widget hallo", "welcome"] {
        assert_eq!(search(text, Some(2)).await, (vec![1], None), "{text}");
    }
    assert_eq!(search("ben", Some(2)).await, (vec![], None));
    assert_eq!(search("ada sales", None).await.0.len(), 50);
}
