use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

use super::{lease, log};
use crate::rules::Rule;

/// No bound here has so many states. What would run on for ever ends, and fails.
const STATES_MAX: usize = 6_000_000;

/// Goes through a model: how many states, and the promise that was broken, with the steps.
fn check<M>(model: M) -> (usize, Option<(&'static str, String)>)
where
    M: Model<State: Hash + Debug + Clone + PartialEq + Send + Sync> + Send + Sync + 'static,
    M::Action: Debug + Clone + PartialEq + Send + Sync,
{
    let checker = model
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(STATES_MAX)
        .spawn_bfs()
        .join();
    let found = checker.discoveries().into_iter().find(|(name, _)| name.starts_with('P'));
    let broken = found.map(|(name, path)| (name, format!("{:?}", path.into_actions())));
    if broken.is_none() {
        assert!(checker.state_count() < STATES_MAX, "not all of it was seen");
        let seen = checker.discoveries();
        let sometimes = seen.keys().filter(|name| !name.starts_with('P')).count();
        assert_eq!(sometimes, 1, "a model in which nothing ever happens proves nothing");
    }
    (checker.unique_state_count(), broken)
}

#[test]
fn every_promise_of_a_log_holds_in_every_order_of_steps() {
    let one = log::Bounds { activations: 1, ..log::Bounds::SMALL };
    for (what, bounds) in [
        ("two owners", one),
        ("restarts", log::Bounds { messages: 1, ..log::Bounds::SMALL }),
        ("three claims", log::Bounds { messages: 1, claims: 3, ..one }),
        ("an append of two rows", log::Bounds { messages: 1, pairs: 1, ..one }),
        ("put away", log::Bounds { marks: 2, claims: 1, activations: 3, messages: 1, ..one }),
        ("handed on", log::Bounds { hand_offs: 1, messages: 1, claims: 3, ..one }),
        (
            "handed on after it was taken once more",
            log::Bounds { hand_offs: 1, messages: 1, ..log::Bounds::SMALL },
        ),
    ] {
        let (states, broken) = check(bounds);
        assert_eq!(broken, None, "{what}");
        println!("{what}: {states} states");
    }
}

#[test]
fn a_log_breaks_without_any_one_of_its_rules() {
    let small = log::Bounds::SMALL;
    let one = log::Bounds { activations: 1, ..small };
    let handed = log::Bounds { hand_offs: 1, ..one };
    let marked = log::Bounds { marks: 1, claims: 1, activations: 3, ..small };
    for (rule, bounds) in [
        (Rule::CheckAfterWrite, one),
        (Rule::ExactHead, small),
        (Rule::HeadBeforeRows, one),
        (Rule::FirstLifeTakesHead, one),
        (Rule::StartBoundsTheTail, small),
        (Rule::HighestBelowStart, small),
        (Rule::EpochInKey, one),
        (Rule::RewriteTail, one),
        (Rule::RewriteAsIs, one),
        (Rule::SeqNeverReused, one),
        (Rule::RestartTakesOver, small),
        (Rule::BootKeepsNothing, log::Bounds { claims: 3, ..one }),
        (Rule::LowerFirst, one),
        (Rule::DuplicateWaits, one),
        (Rule::DedupeRebuilt, one),
        (Rule::DedupeFromCounting, small),
        (Rule::ClaimAfterTheEnd, one),
        (Rule::WholeAppends, log::Bounds { pairs: 1, messages: 1, ..one }),
        (Rule::SettleBeforeHandOff, handed),
        (Rule::HandOffEndsServing, handed),
        (Rule::DedupeHandedOn, handed),
        (Rule::SettleBeforeMark, marked),
        (Rule::UnknownMarkEnds, marked),
        (Rule::MarkCleared, marked),
        (Rule::OwnerBoundsReads, one),
    ] {
        let (states, broken) = check(bounds.without(rule));
        let (promise, steps) = broken.unwrap_or_else(|| panic!("nothing breaks without {rule:?}"));
        println!("{rule:?}: {promise}, found in {states} states: {steps}");
    }
}

#[test]
fn an_activation_read_from_the_head_is_refused_by_the_head_itself() {
    // The one rule that the machine holds by another: a take-over whose epoch stands in the head
    // already is superseded, so that no two lives share an epoch even then.
    let bounds = log::Bounds { messages: 1, ..log::Bounds::SMALL };
    assert_eq!(check(bounds.without(Rule::ActivationFromMemory)).1, None);
}

#[test]
fn who_holds_a_shard_is_its_last_claimant_in_every_order_of_steps() {
    let small = lease::Bounds::SMALL;
    let longer = lease::Bounds { time: 4, late: 0, ..small };
    for (what, bounds) in [("unknown outcomes", small), ("a longer time", longer)] {
        let (states, broken) = check(bounds);
        assert_eq!(broken, None, "{what}");
        println!("{what}: {states} states");
    }
}

#[test]
fn a_shard_gets_two_holders_without_any_one_rule_of_leases_and_claims() {
    let small = lease::Bounds::SMALL;
    for (rule, bounds) in [
        (Rule::TrustFromSending, lease::Bounds { time: 4, ..small }),
        (Rule::LeasesAfterOwners, lease::Bounds { lives: 2, claims: 3, late: 0, ..small }),
        (Rule::WatchToTheEnd, small),
        (Rule::ClaimAfterTheEnd, small),
        (Rule::HandOffEndsServing, small),
    ] {
        let (states, broken) = check(bounds.without(rule));
        let (_, steps) = broken.unwrap_or_else(|| panic!("nothing breaks without {rule:?}"));
        println!("{rule:?}: found in {states} states: {steps}");
    }
}
