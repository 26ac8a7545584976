use futures_util::future::join_all;
use switchboard_domain::ids::{AgentId, VisitorId};
use switchboard_domain::person::Principal;

use super::{ANSWER_BYTES_MAX, Claim, Claimed, KEPT_MS, Scope, WORK_MS};
use crate::directory::testing::{Setup, tenant};
use crate::directory::{Directory, Error};

const BODY: [u8; 32] = [1; 32];
const OTHER_BODY: [u8; 32] = [2; 32];

fn scope() -> Scope {
    Scope {
        tenant: tenant("acme"),
        principal: Some(Principal::Agent(AgentId::from_u128(1))),
        route: "POST /v1/conversations".to_owned(),
    }
}

async fn claim(directory: &Directory) -> Claimed {
    directory.claim_idempotency(&scope(), "key", BODY).await.unwrap()
}

async fn new(directory: &Directory) -> Claim {
    match claim(directory).await {
        Claimed::New(claim) => claim,
        other => panic!("not new: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_answer_is_given_again_to_the_same_request_only() {
    let mut setup = Setup::new().await;
    let first = new(&setup.directory).await;
    assert!(!first.resumed);
    assert!(matches!(claim(&setup.directory).await, Claimed::InProgress));
    let other = setup.directory.claim_idempotency(&scope(), "key", OTHER_BODY).await.unwrap();
    assert!(matches!(other, Claimed::Other));
    setup.directory.finish_idempotency(first, b"answer".to_vec()).await.unwrap();

    for _ in 0..2 {
        match claim(&setup.directory).await {
            Claimed::Same(answer) => assert_eq!(&*answer, b"answer"),
            other => panic!("not the same: {other:?}"),
        }
        let other = setup.directory.claim_idempotency(&scope(), "key", OTHER_BODY).await.unwrap();
        assert!(matches!(other, Claimed::Other));
        setup.restart().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_claims_at_once_one_is_new() {
    for _ in 0..20 {
        let setup = Setup::new().await;
        let tasks = (0..100).map(|_| {
            let directory = setup.directory.clone();
            tokio::spawn(async move { claim(&directory).await })
        });
        let mut n_new = 0;
        for claimed in join_all(tasks).await {
            match claimed.unwrap() {
                Claimed::New(_) => n_new += 1,
                Claimed::InProgress => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(n_new, 1);
    }
}

#[tokio::test]
async fn keys_count_in_their_scope_only() {
    let setup = Setup::new().await;
    let id = 1;
    let base = scope();
    let scopes = [
        base.clone(),
        Scope { tenant: tenant("other"), ..base.clone() },
        Scope { principal: None, ..base.clone() },
        Scope { principal: Some(Principal::Agent(AgentId::from_u128(2))), ..base.clone() },
        Scope { principal: Some(Principal::Visitor(VisitorId::from_u128(id))), ..base.clone() },
        Scope { principal: Some(Principal::Bot(AgentId::from_u128(id))), ..base.clone() },
        Scope { route: "POST /v1/agents".to_owned(), ..base.clone() },
        // The key continues the route: together they read the same.
        Scope { route: "POST /v1/conversationsk".to_owned(), ..base },
    ];
    for (n, scope) in scopes.iter().enumerate() {
        let key = if n == scopes.len() - 1 { "ey" } else { "key" };
        let claimed = setup.directory.claim_idempotency(scope, key, BODY).await.unwrap();
        assert!(matches!(claimed, Claimed::New(_)), "{scope:?}");
    }
}

#[tokio::test]
async fn after_a_crash_the_work_goes_on_under_the_same_operation() {
    let mut setup = Setup::new().await;
    let lost = new(&setup.directory).await;
    setup.restart().await;
    let resumed = new(&setup.directory).await;
    assert!(resumed.resumed);
    assert_eq!(resumed.operation, lost.operation);
    // The old process wakes up: what it says no longer counts.
    setup.directory.finish_idempotency(lost, b"late".to_vec()).await.unwrap();
    assert!(matches!(claim(&setup.directory).await, Claimed::InProgress));
    setup.directory.finish_idempotency(resumed, b"good".to_vec()).await.unwrap();
    assert!(matches!(claim(&setup.directory).await, Claimed::Same(answer) if *answer == *b"good"));
}

#[tokio::test]
async fn work_that_takes_too_long_is_taken_over() {
    let setup = Setup::new().await;
    let slow = new(&setup.directory).await;
    setup.clock.turn_ms(WORK_MS - 1);
    assert!(matches!(claim(&setup.directory).await, Claimed::InProgress));
    setup.clock.turn_ms(1);
    let next = new(&setup.directory).await;
    assert_eq!((next.operation, next.resumed), (slow.operation, true));
}

#[tokio::test]
async fn refused_work_gives_its_key_free() {
    let setup = Setup::new().await;
    let refused = new(&setup.directory).await;
    let operation = refused.operation;
    setup.directory.abandon_idempotency(refused).await.unwrap();
    let next = setup.directory.claim_idempotency(&scope(), "key", OTHER_BODY).await.unwrap();
    match next {
        Claimed::New(next) => assert!(!next.resumed && next.operation != operation),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_are_kept_for_a_day_and_then_purged() {
    let setup = Setup::new().await;
    let first = new(&setup.directory).await;
    setup.directory.finish_idempotency(first, b"answer".to_vec()).await.unwrap();
    setup.clock.turn_ms(24 * 60 * 60 * 1_000);
    assert!(matches!(claim(&setup.directory).await, Claimed::Same(_)));
    assert_eq!(setup.directory.purge_idempotency().await.unwrap(), 0);
    for n in 0..450 {
        let key = format!("young-{n}");
        setup.directory.claim_idempotency(&scope(), &key, BODY).await.unwrap();
    }
    setup.clock.turn_ms(KEPT_MS - 24 * 60 * 60 * 1_000);
    assert_eq!(setup.directory.purge_idempotency().await.unwrap(), 1);
    assert!(matches!(claim(&setup.directory).await, Claimed::New(_)));
    setup.clock.turn_ms(KEPT_MS);
    assert_eq!(setup.directory.purge_idempotency().await.unwrap(), 451);
}

#[tokio::test]
async fn a_key_that_expired_but_was_not_purged_is_new() {
    let setup = Setup::new().await;
    let first = new(&setup.directory).await;
    setup.directory.finish_idempotency(first, b"answer".to_vec()).await.unwrap();
    setup.clock.turn_ms(KEPT_MS);
    assert!(!new(&setup.directory).await.resumed);
}

#[tokio::test]
async fn keys_and_answers_are_bounded() {
    let setup = Setup::new().await;
    for key in ["", "a\nb", "ü", "a\0", &"k".repeat(256)] {
        let refused = setup.directory.claim_idempotency(&scope(), key, BODY).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{key:?}");
    }
    let claim = new(&setup.directory).await;
    let refused = setup.directory.finish_idempotency(claim, vec![0; ANSWER_BYTES_MAX + 1]).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })));
}
