use std::sync::Arc;

use switchboard_actors::clock::Clock;
use switchboard_domain::person::Role;
use switchboard_store::Store;
use switchboard_store::embedded::{Config, Embedded, NoMeter};
use switchboard_store::memory::Memory;

use super::*;
use crate::directory::testing::{HandClock, tenant};

/// Two nodes on one store, each with a directory of its own.
async fn nodes(store: Arc<dyn Store>) -> [Directory; 2] {
    let clock: Arc<dyn Clock> = Arc::new(HandClock::default());
    let open = || Directory::open(Arc::clone(&store), Arc::clone(&clock), [tenant("acme")]);
    [open().await.unwrap(), open().await.unwrap()]
}

async fn owner(node: &Directory, name: &str) -> AgentId {
    let acme = tenant("acme");
    node.create_person(&acme, name, Role::Owner, &Change::default()).await.unwrap().value.id
}

fn to(role: Role) -> Change {
    Change { role_max: Some(Some(role)), ..Change::default() }
}

async fn demote(node: &Directory, id: AgentId) -> Result<(), Error> {
    let change = to(Role::Admin);
    node.change_unless_last_owner(&tenant("acme"), id, None, &change).await.map(drop)
}

async fn names(node: &Directory) -> Vec<Arc<str>> {
    let owners = node.owners(&tenant("acme")).await.unwrap();
    owners.iter().map(|it| Arc::clone(&it.value.external_id)).collect()
}

#[tokio::test]
async fn the_last_owner_stays_and_others_may_go() {
    let [one, two] = nodes(Arc::new(Memory::new())).await;
    let (ada, ben) = (owner(&one, "ada").await, owner(&one, "ben").await);
    demote(&two, ada).await.unwrap();
    assert!(matches!(demote(&one, ben).await, Err(Error::LastOwner)));
    assert!(matches!(demote(&two, ben).await, Err(Error::LastOwner)));
    // The note of before is over: who owns the tenant again counts again.
    one.change_person(&tenant("acme"), ada, None, &to(Role::Owner)).await.unwrap();
    demote(&one, ben).await.unwrap();
    assert_eq!(names(&two).await, ["ada".into()]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_noted_and_stood_still_takes_nobody_away_after_another_did() {
    let [one, two] = nodes(Arc::new(Memory::new())).await;
    let (ada, ben) = (owner(&one, "ada").await, owner(&one, "ben").await);
    // The first has counted two owners and noted one, and stands still before its change.
    let acme = tenant("acme");
    let read = one.person(&acme, ada).await.unwrap().unwrap();
    assert!(matches!(one.note_leaving(&acme, &read).await, Ok(Turn::Noted)));
    // The other sees nobody who stays. It waits, ends the note, and goes first.
    demote(&two, ben).await.unwrap();
    let late = one.change_person(&acme, ada, Some(read.version), &to(Role::Admin)).await;
    assert!(matches!(late, Err(Error::Changed)), "{late:?}");
    assert!(matches!(demote(&one, ada).await, Err(Error::LastOwner)));
    assert_eq!(names(&one).await, ["ada".into()]);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_follows_its_note_is_waited_for() {
    let [one, two] = nodes(Arc::new(Memory::new())).await;
    let (ada, ben) = (owner(&one, "ada").await, owner(&one, "ben").await);
    let acme = tenant("acme");
    let read = one.person(&acme, ada).await.unwrap().unwrap();
    assert!(matches!(one.note_leaving(&acme, &read).await, Ok(Turn::Noted)));
    let (late, refused) = tokio::join!(
        async {
            tokio::time::sleep(PATIENCE / 2).await;
            one.change_person(&acme, ada, Some(read.version), &to(Role::Admin)).await
        },
        demote(&two, ben),
    );
    late.unwrap();
    assert!(matches!(refused, Err(Error::LastOwner)), "{refused:?}");
    assert_eq!(names(&two).await, ["ben".into()]);
}

/// Owners of two nodes take each other's role away at once, again and again.
async fn who_demote_each_other(store: Arc<dyn Store>) {
    let [one, two] = nodes(store).await;
    let (ada, ben) = (owner(&one, "ada").await, owner(&one, "ben").await);
    let acme = tenant("acme");
    for round in 0..6 {
        let demotes = [(one.clone(), ada), (two.clone(), ben)]
            .map(|(node, id)| tokio::spawn(async move { demote(&node, id).await }));
        let [of_ada, of_ben] = demotes;
        let (of_ada, of_ben) = (of_ada.await.unwrap(), of_ben.await.unwrap());
        let left = names(&one).await;
        let is_one = of_ada.is_ok() != of_ben.is_ok();
        assert!(is_one && left.len() == 1, "round {round}: {of_ada:?} {of_ben:?} {left:?}");
        for id in [ada, ben] {
            one.change_person(&acme, id, None, &to(Role::Owner)).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_owners_who_demote_each_other_leave_one_in_memory() {
    who_demote_each_other(Arc::new(Memory::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_owners_who_demote_each_other_leave_one_in_the_embedded_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(Config::new(dir.path()), Arc::new(NoMeter)).unwrap();
    who_demote_each_other(Arc::new(store)).await;
}
