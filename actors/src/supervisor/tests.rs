use std::sync::Mutex;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::*;
use crate::meter::Unmetered;
use crate::testing::pass;

/// Fails when told to.
struct Fragile;

impl Actor for Fragile {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorProcessingErr> {
        panic!("told to")
    }
}

/// The lives of one child so far.
type Lives = Arc<Mutex<Vec<ActorRef<()>>>>;

fn fragile(name: &str, on_limit: OnLimit) -> (Child, Lives) {
    let lives = Lives::default();
    let born = Arc::clone(&lives);
    let child = Child::new(name, Kind::Inbox, on_limit, move |supervisor| {
        let born = Arc::clone(&born);
        async move {
            let (actor, _) = Actor::spawn_linked(None, Fragile, (), supervisor).await?;
            born.lock().unwrap().push(actor.clone());
            Ok(actor.get_cell())
        }
    });
    (child, lives)
}

fn n_lives(lives: &Lives) -> usize {
    lives.lock().unwrap().len()
}

fn break_it(lives: &Lives) {
    let newest = lives.lock().unwrap().last().unwrap().clone();
    drop(newest.cast(()));
}

async fn start_with(children: Vec<Child>) -> (ActorRef<Message>, JoinHandle<()>, Arc<AtomicU64>) {
    let restarts = Arc::new(AtomicU64::new(0));
    let meter = Arc::new(Unmetered);
    let begin = Begin { children, meter, restarts: Arc::clone(&restarts) };
    let (actor, ended) = start(begin).await.unwrap();
    (actor, ended, restarts)
}

#[tokio::test(start_paused = true)]
async fn a_failed_child_comes_back_and_its_siblings_stay() {
    let (one, one_lives) = fragile("one", OnLimit::Escalate);
    let (two, two_lives) = fragile("two", OnLimit::Escalate);
    let (supervisor, _ended, restarts) = start_with(vec![one, two]).await;
    break_it(&one_lives);
    pass(Duration::from_millis(100)).await;
    assert_eq!((n_lives(&one_lives), n_lives(&two_lives)), (2, 1));
    assert_eq!(restarts.load(Ordering::Relaxed), 1);
    supervisor.stop(None);
}

#[tokio::test(start_paused = true)]
async fn each_failure_waits_twice_as_long() {
    let (child, lives) = fragile("one", OnLimit::Escalate);
    let (supervisor, _ended, _) = start_with(vec![child]).await;
    for (failures, wait_ms) in [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160)] {
        break_it(&lives);
        tokio::time::sleep(Duration::from_millis(wait_ms - 1)).await;
        assert_eq!(n_lives(&lives), failures);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(n_lives(&lives), failures + 1);
    }
    supervisor.stop(None);
}

#[tokio::test(start_paused = true)]
async fn failures_far_apart_are_borne_for_ever() {
    let (child, lives) = fragile("one", OnLimit::Escalate);
    let (supervisor, _ended, _) = start_with(vec![child]).await;
    for failures in 1..=30 {
        break_it(&lives);
        pass(Duration::from_secs(3)).await;
        assert_eq!(n_lives(&lives), failures + 1);
    }
    supervisor.stop(None);
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_end_the_supervisor() {
    let (child, lives) = fragile("one", OnLimit::Escalate);
    let (_supervisor, ended, _) = start_with(vec![child]).await;
    for _ in 0..=FAILURES_MAX {
        break_it(&lives);
        pass(Duration::from_millis(400)).await;
    }
    assert_eq!(n_lives(&lives), FAILURES_MAX + 1);
    assert!(ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_of_a_lesser_child_make_it_rest() {
    let (child, lives) = fragile("one", OnLimit::Rest);
    let (other, other_lives) = fragile("two", OnLimit::Rest);
    let (supervisor, ended, _) = start_with(vec![child]).await;
    // Children that come later are supervised alike.
    supervisor.cast(Message::Add(other)).unwrap();
    for _ in 0..=FAILURES_MAX {
        break_it(&lives);
        pass(Duration::from_millis(400)).await;
    }
    assert_eq!((n_lives(&lives), n_lives(&other_lives)), (FAILURES_MAX + 1, 1));
    pass(REST).await;
    assert_eq!(n_lives(&lives), FAILURES_MAX + 2);
    assert!(!ended.is_finished());
    supervisor.stop(None);
}
