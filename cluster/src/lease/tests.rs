use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::ownership::{Boot, NodeName};

fn at(ms: u64) -> Moment {
    Moment(Duration::from_millis(ms))
}

fn lease(boot: u128) -> Lease {
    let life = Life { node: NodeName("one".into()), boot: Boot(Uuid::from_u128(boot)) };
    Lease::join(life, Arc::from("one:1"), 1, Times::DEFAULT, Rules::ALL)
}

fn row(boot: u128, beat: u64, state: LeaseState) -> LeaseRow {
    let boot = Boot(Uuid::from_u128(boot));
    LeaseRow { boot, beat, state, address: Arc::from("one:1"), weight: 1 }
}

/// What is asked at that time: the version expected, and what is written.
fn swap(lease: &mut Lease, ms: u64) -> (Option<u64>, u64, LeaseState) {
    match lease.poll(at(ms)) {
        Some(Ask::Swap { expect, row }) => (expect.map(|it| it.beat), row.beat, row.state),
        asked => panic!("{asked:?}"),
    }
}

fn read(lease: &mut Lease, ms: u64, found: Option<LeaseRow>) {
    assert_eq!(lease.poll(at(ms)), Some(Ask::Read));
    lease.read(at(ms), Ok(found));
}

/// A lease that was joined at zero, on a row that nobody had.
fn joined() -> Lease {
    let mut lease = lease(1);
    read(&mut lease, 0, None);
    assert_eq!(swap(&mut lease, 0), (None, 1, LeaseState::Up));
    assert_eq!(lease.trusted_until(), None);
    lease.swapped(at(300), Outcome::Applied);
    lease
}

#[test]
fn a_lease_is_trusted_from_when_its_renewal_was_sent() {
    let mut lease = joined();
    assert_eq!(lease.trusted_until(), Some(at(4_000)));
    assert_eq!(lease.poll(at(999)), None);
    assert_eq!(swap(&mut lease, 1_000), (Some(1), 2, LeaseState::Up));
    assert_eq!(lease.poll(at(2_500)), None, "one at a time");
    lease.swapped(at(2_700), Outcome::Applied);
    assert_eq!(lease.trusted_until(), Some(at(5_000)));
    assert!(lease.is_trusted(at(4_999)) && !lease.is_trusted(at(5_000)));
    assert_eq!(swap(&mut lease, 2_700), (Some(2), 3, LeaseState::Up));
}

#[test]
fn a_renewal_of_unknown_outcome_counts_from_its_first_attempt_if_it_shows() {
    let mut lease = joined();
    swap(&mut lease, 1_000);
    lease.swapped(at(1_800), Outcome::Unknown);
    read(&mut lease, 1_800, Some(row(1, 1, LeaseState::Up)));
    assert_eq!(lease.trusted_until(), Some(at(4_000)), "nothing is known yet");
    assert_eq!(swap(&mut lease, 1_900), (Some(1), 2, LeaseState::Up));
    lease.swapped(at(2_000), Outcome::Refused(Some(row(1, 2, LeaseState::Up))));
    assert_eq!(lease.trusted_until(), Some(at(5_000)), "from the first attempt");
    assert_eq!(swap(&mut lease, 2_000), (Some(2), 3, LeaseState::Up));
}

#[test]
fn a_lease_that_another_took_is_lost_for_good() {
    for stands in [
        Some(row(1, 2, LeaseState::Dead)),
        Some(row(2, 9, LeaseState::Up)),
        Some(row(1, 2, LeaseState::Released)),
        None,
    ] {
        let mut lease = joined();
        swap(&mut lease, 1_000);
        lease.swapped(at(1_100), Outcome::Refused(stands));
        assert_eq!((lease.end(), lease.trusted_until()), (Some(End::Lost), None));
        assert_eq!((lease.poll(at(9_000)), lease.wakes_at()), (None, None));
    }
}

#[test]
fn a_node_that_was_cut_off_goes_on_if_nobody_took_its_lease() {
    let mut lease = joined();
    swap(&mut lease, 1_000);
    lease.swapped(at(3_000), Outcome::Unknown);
    assert_eq!(lease.poll(at(3_000)), Some(Ask::Read));
    lease.read(at(6_000), Err(Unreadable));
    assert!(!lease.is_trusted(at(6_000)));
    read(&mut lease, 7_000, Some(row(1, 1, LeaseState::Up)));
    swap(&mut lease, 7_000);
    lease.swapped(at(7_100), Outcome::Applied);
    assert_eq!(lease.trusted_until(), Some(at(11_000)));
}

#[test]
fn a_new_life_waits_for_the_end_of_the_one_before() {
    let mut lease = lease(2);
    read(&mut lease, 0, Some(row(1, 7, LeaseState::Up)));
    read(&mut lease, 4_000, Some(row(1, 8, LeaseState::Up)));
    read(&mut lease, 8_999, Some(row(1, 8, LeaseState::Up)));
    read(&mut lease, 9_300, Some(row(1, 8, LeaseState::Up)));
    assert_eq!(swap(&mut lease, 9_300), (Some(8), 9, LeaseState::Up));
    lease.swapped(at(9_400), Outcome::Applied);
    assert_eq!(swap(&mut lease, 10_300), (Some(9), 10, LeaseState::Up));
    // One that has ended is not waited for.
    for state in [LeaseState::Dead, LeaseState::Released] {
        let mut lease = self::lease(2);
        read(&mut lease, 0, Some(row(1, 7, state)));
        assert_eq!(swap(&mut lease, 0), (Some(7), 8, LeaseState::Up));
    }
}

#[test]
fn joining_with_unknown_outcome_shows_in_the_row() {
    let mut lease = lease(1);
    read(&mut lease, 0, None);
    swap(&mut lease, 0);
    lease.swapped(at(2_000), Outcome::Unknown);
    read(&mut lease, 2_000, Some(row(1, 1, LeaseState::Up)));
    assert_eq!(lease.trusted_until(), Some(at(4_000)));
}

#[test]
fn that_a_node_drains_is_said_as_soon_as_a_renewal_under_way_is_answered() {
    let mut lease = joined();
    assert_eq!(swap(&mut lease, 1_000), (Some(1), 2, LeaseState::Up));
    lease.drain();
    assert_eq!(lease.poll(at(1_010)), None, "one at a time");
    lease.swapped(at(1_040), Outcome::Applied);
    assert_eq!(swap(&mut lease, 1_040), (Some(2), 3, LeaseState::Draining));
    lease.swapped(at(1_080), Outcome::Applied);
    assert_eq!(lease.wakes_at(), Some(at(2_040)), "it was said");
}

#[test]
fn a_drained_lease_is_released_once_and_not_trusted_from_then_on() {
    let mut lease = joined();
    lease.drain();
    assert_eq!(swap(&mut lease, 400), (Some(1), 2, LeaseState::Draining));
    lease.release();
    assert_eq!(lease.trusted_until(), None);
    // The answer to what was under way ends nothing.
    lease.swapped(at(500), Outcome::Applied);
    assert_eq!((lease.end(), lease.trusted_until()), (None, None));
    assert_eq!(swap(&mut lease, 500), (Some(2), 3, LeaseState::Released));
    lease.swapped(at(600), Outcome::Unknown);
    read(&mut lease, 800, Some(row(1, 3, LeaseState::Released)));
    assert_eq!(lease.end(), Some(End::Released));
}
