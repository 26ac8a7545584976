//! Some seeds, on every run of the tests; many more by `cargo xtask campaign simulate`.

use switchboard_simulation::{Faults, Outcome, Plan, run};

/// Seeds of the short form.
const SEEDS: std::ops::Range<u64> = 1..25;

fn clean(seed: u64) -> Outcome {
    let outcome = run(seed, &Plan::default());
    assert!(
        outcome.is_clean(),
        "{outcome}\nagain: cargo xtask campaign simulate --seeds 1 --seed {seed}"
    );
    outcome
}

#[test]
fn nothing_acked_is_lost_doubled_or_reordered_whatever_goes_wrong() {
    let mut acked = 0;
    for seed in SEEDS {
        acked += clean(seed).verdict.acked;
    }
    assert!(acked > 1_000, "{acked} acked: hardly anything was tried");
}

#[test]
fn conversations_change_hands_warm_when_nodes_end_in_good_order() {
    let plan = Plan { faults: Faults::Drains, ..Plan::default() };
    let outcome = run(3, &plan);
    assert!(outcome.is_clean(), "{outcome}");
    let taken = outcome.take_overs;
    assert!(taken.warm >= 8, "{taken:?}: hardly any was handed on");
    assert!(taken.cold <= taken.warm / 4, "{taken:?}");
    // One conditional write, and not a single read before the first row; others read histories.
    assert!(taken.unread > 0, "{taken:?}");
}

#[test]
fn one_seed_is_one_run() {
    let plan = Plan { keeps_trace: true, ..Plan::default() };
    let [first, other, again] = [7, 8, 7].map(|seed| run(seed, &plan));
    let differs = first.lines.iter().zip(&again.lines).find(|(first, again)| first != again);
    assert_eq!(differs, None, "another run of the same seed went another way");
    assert_eq!(first.trace, again.trace);
    assert_ne!(first.trace, other.trace);
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
        let plan = Plan { planted, faults: Faults::DrainsAndDrops, ..Plan::default() };
        let found = (1..=20).find(|seed| !run(*seed, &plan).verdict.is_clean());
        assert!(found.is_some(), "it was not found in 20 seeds");
    }

    #[test]
    fn an_ack_without_a_look_at_the_lease_is_found() {
        turns_red("no_lease_check", 20);
    }

    #[test]
    fn a_head_that_moves_from_any_lower_one_is_found() {
        turns_red("loose_head", 40);
    }

    #[test]
    fn a_retry_that_is_stored_again_is_found() {
        turns_red("no_dedupe", 20);
    }
}
