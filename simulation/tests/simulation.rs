//! Some seeds, on every run of the tests; many more by `cargo xtask campaign simulate`.

use switchboard_simulation::{Faults, Outcome, Plan, TakeOvers, Tally, run};

/// Seeds of the short form.
const SEEDS: std::ops::Range<u64> = 1..25;

fn clean(seed: u64, faults: Faults) -> Outcome {
    let plan = Plan { faults, ..Plan::default() };
    let outcome = run(seed, &plan);
    assert!(outcome.is_clean(), "{outcome}\nagain: {}", plan.again(seed));
    outcome
}

#[test]
fn nothing_acked_is_lost_and_nobody_forgotten_whatever_goes_wrong() {
    let (mut acked, mut tally) = (0, Tally::default());
    for seed in SEEDS {
        let outcome = clean(seed, Faults::All);
        acked += outcome.verdict.acked;
        tally += outcome.tally;
    }
    assert!(acked > 1_000, "{acked} acked: hardly anything was tried");
    let Tally { accepted, at_capacity, others, routed } = tally;
    let least = [accepted, at_capacity, others, routed].into_iter().min();
    assert!(least > Some(40), "{tally}: agents had hardly anything to do");
}

#[test]
fn nodes_that_are_killed_and_come_back_at_once_serve_all_the_same() {
    for seed in 1..=3 {
        clean(seed, Faults::Restarts);
    }
}

#[test]
fn conversations_change_hands_warm_when_nodes_end_in_good_order() {
    let outcomes = (1..=4).map(|seed| clean(seed, Faults::Drains)).collect::<Vec<_>>();
    let sum = |of: fn(&TakeOvers) -> u64| outcomes.iter().map(|it| of(&it.take_overs)).sum::<u64>();
    let (warm, cold, unread) = (sum(|it| it.warm), sum(|it| it.cold), sum(|it| it.unread));
    assert!(warm >= 40, "{warm} warm, {cold} cold: hardly any was handed on");
    // A conversation that nobody touched since it came has nothing to hand on: half as many, give
    // or take.
    assert!(cold * 3 <= warm * 2, "{warm} warm, {cold} cold");
    // One conditional write, and not a single read before the first row; others read histories.
    assert!(unread > 0, "{warm} warm, {cold} cold, {unread} unread");
}

#[test]
fn what_a_node_that_ends_answered_unheard_is_not_stored_again() {
    for seed in 1..=4 {
        clean(seed, Faults::DrainsUnheard);
    }
}

#[test]
fn one_seed_is_one_run() {
    // Each goes ways that the others do not.
    let modes = [Faults::All, Faults::Restarts, Faults::Drains, Faults::DrainsUnheard];
    for (faults, seed) in modes.into_iter().flat_map(|faults| [(faults, 3), (faults, 4)]) {
        let plan = Plan { faults, keeps_trace: true, ..Plan::default() };
        let [first, again] = [seed, seed].map(|seed| run(seed, &plan));
        let differs = first.lines.iter().zip(&again.lines).find(|(first, again)| first != again);
        assert_eq!(differs, None, "not the same twice: {}", plan.again(seed));
        assert_eq!(first.trace, again.trace, "{}", plan.again(seed));
    }
}

#[test]
fn two_seeds_are_two_runs() {
    let [one, other] = [7, 8].map(|seed| run(seed, &Plan::default()));
    assert_ne!(one.trace, other.trace);
}

/// Each planted fault, and within how many seeds it must be found.
#[cfg(feature = "sabotage")]
mod planted {
    use super::*;

    #[track_caller]
    fn turns_red(planted: &str, within: u64) {
        let plan = Plan { planted: planted.to_owned(), ..Plan::default() };
        let found = (1..=within).find(|seed| !run(*seed, &plan).verdict.is_clean());
        assert!(found.is_some(), "{planted} was not found in {within} seeds");
    }

    #[test]
    fn a_memory_of_retries_that_is_not_handed_on_is_found() {
        let planted = "no_dedupe_handed_on".to_owned();
        let plan = Plan { planted, faults: Faults::DrainsUnheard, ..Plan::default() };
        let found = (1..=20).find(|seed| !run(*seed, &plan).verdict.is_clean());
        assert!(found.is_some(), "it was not found in 20 seeds");
    }

    /// Whether what it finds is an agent with more than they take.
    #[track_caller]
    fn is_above_capacity(planted: &str, within: u64) {
        let plan = Plan { planted: planted.to_owned(), ..Plan::default() };
        let is_above = |seed: &u64| {
            run(*seed, &plan).surprises.iter().any(|surprise| surprise.starts_with("P11"))
        };
        assert!((1..=within).any(|seed| is_above(&seed)), "{planted} was not found");
    }

    #[test]
    fn slots_given_to_whoever_asks_are_found() {
        is_above_capacity("over_capacity", 10);
    }

    #[test]
    fn slots_that_are_promised_and_not_kept_are_found() {
        is_above_capacity("no_slot_kept", 40);
    }

    #[test]
    fn a_tenant_without_actors_because_it_was_asked_for_early_is_found() {
        let planted = "no_early_tenants".to_owned();
        let plan = Plan { planted, faults: Faults::Restarts, ..Plan::default() };
        let found = (1..=20).find(|seed| !run(*seed, &plan).is_clean());
        assert!(found.is_some(), "it was not found in 20 seeds");
    }

    #[test]
    fn an_ack_without_a_look_at_the_lease_is_found() {
        turns_red("no_lease_check", 20);
    }

    #[test]
    fn a_head_that_moves_from_any_lower_one_is_found() {
        turns_red("loose_head", 60);
    }

    #[test]
    fn a_retry_that_is_stored_again_is_found() {
        turns_red("no_dedupe", 20);
    }
}
