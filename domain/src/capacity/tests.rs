use proptest::prelude::*;

use super::*;

fn id(n: u128) -> ConversationId {
    ConversationId::from_u128(n)
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(u128),
    ReserveIsRefused(u128),
    Own(u128),
    Release(u128),
    Cancel(u128),
    SetMax(usize),
    Taken(usize),
}
use Step::{Cancel, Own, Release, Reserve, ReserveIsRefused, SetMax, Taken};

/// Each step with its second; two slots at the beginning.
fn check(name: &str, steps: &[(i64, Step)]) {
    let mut capacity = Capacity::rebuilt(2, []).unwrap();
    for (second, step) in steps {
        let now = Timestamp(second * 1_000);
        let refused = Err(Rejection::AtCapacity);
        match *step {
            Reserve(n) => assert_eq!(capacity.reserve(id(n), now), Ok(()), "{name}: {second} s"),
            ReserveIsRefused(n) => {
                assert_eq!(capacity.reserve(id(n), now), refused, "{name}: {second} s");
            }
            Own(n) => capacity.own(id(n)),
            Release(n) => capacity.release(id(n)),
            Cancel(n) => capacity.cancel(id(n)),
            SetMax(max) => assert_eq!(capacity.set_max(max), Ok(()), "{name}: {second} s"),
            Taken(n) => assert_eq!(capacity.n_taken(now), n, "{name}: {second} s"),
        }
    }
}

#[test]
fn slots_are_reserved_owned_and_given_back() {
    check(
        "two slots are two",
        &[
            (0, Reserve(1)),
            (0, Reserve(2)),
            (0, ReserveIsRefused(3)),
            (1, Own(1)),
            (1, Taken(2)),
            (1, ReserveIsRefused(3)),
            (2, Release(1)),
            (2, Reserve(3)),
            (2, Taken(2)),
        ],
    );
    check(
        "a reservation expires after ten seconds",
        &[
            (0, Reserve(1)),
            (0, Reserve(2)),
            (9, ReserveIsRefused(3)),
            (10, Taken(0)),
            (10, Reserve(3)),
            (10, Taken(1)),
        ],
    );
    check(
        "reserving again renews and takes no second slot",
        &[(0, Reserve(1)), (5, Reserve(1)), (12, Taken(1)), (15, Taken(0))],
    );
    check(
        "what was heard late to be given back leaves its slot to whoever asked meanwhile",
        &[
            (0, Own(1)),
            (0, Own(2)),
            (1, Reserve(1)),
            (1, Taken(2)),
            (2, Release(1)),
            (2, ReserveIsRefused(3)),
            (3, Own(1)),
            (3, Release(1)),
            (3, Taken(1)),
        ],
    );
    check(
        "what is owned needs no slot again",
        &[
            (0, Reserve(1)),
            (1, Own(1)),
            (2, Reserve(2)),
            (3, Reserve(1)),
            (3, Taken(2)),
            (20, Taken(1)),
        ],
    );
    check(
        "who accepts twice keeps the slot until nothing came of both",
        &[
            (0, Reserve(1)),
            (1, Reserve(2)),
            (2, Reserve(1)),
            (3, Cancel(1)),
            (3, ReserveIsRefused(3)),
            (4, Cancel(1)),
            (4, Reserve(3)),
        ],
    );
    check(
        "cancelling keeps what is owned",
        &[
            (0, Reserve(1)),
            (0, Cancel(1)),
            (0, Taken(0)),
            (1, Own(1)),
            (1, Cancel(1)),
            (1, Taken(1)),
        ],
    );
}

#[test]
fn a_person_may_give_more_than_fits() {
    check(
        "by assignment",
        &[
            (0, Own(1)),
            (0, Own(2)),
            (0, Own(3)),
            (0, Taken(3)),
            (0, ReserveIsRefused(4)),
            (1, Release(1)),
            (1, ReserveIsRefused(4)),
            (2, Release(2)),
            (2, Reserve(4)),
        ],
    );
    check(
        "and by lowering the maximum",
        &[
            (0, Own(1)),
            (0, Own(2)),
            (0, SetMax(1)),
            (0, Taken(2)),
            (1, Release(1)),
            (1, ReserveIsRefused(3)),
            (2, SetMax(2)),
            (2, Reserve(3)),
        ],
    );
    check(
        "a late confirmation counts, because the log says so",
        &[
            (0, Reserve(1)),
            (11, Reserve(2)),
            (11, Reserve(3)),
            (12, Own(1)),
            (12, Taken(3)),
            (12, ReserveIsRefused(4)),
        ],
    );
}

#[test]
fn slots_are_rebuilt_from_what_is_owned() {
    let capacity = Capacity::rebuilt(3, [id(1), id(2), id(1)]).unwrap();
    assert_eq!((capacity.n_owned(), capacity.n_free(Timestamp(0))), (2, 1));
    let full = Capacity::rebuilt(1, [id(1), id(2)]).unwrap();
    assert_eq!(full.n_free(Timestamp(0)), 0);
    for max in [0, 21, usize::MAX] {
        let invalid = Rejection::Invalid { what: "capacity", why: "must be 1 to 20" };
        assert_eq!(Capacity::rebuilt(max, []), Err(invalid));
    }
    assert_eq!(Capacity::default().max(), CAPACITY_DEFAULT);
}

#[derive(Clone, Copy, Debug)]
enum Random {
    Reserve(u128),
    /// Confirm the oldest reservation that is still good, as a shell that appends in time does.
    Confirm,
    Cancel(u128),
    Release(u128),
    Wait(i64),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// P11: without assignments by people, 20,000 random steps never take more than the maximum.
    #[test]
    fn no_slot_is_given_twice(
        max in CAPACITY_MIN..=CAPACITY_MAX,
        steps in prop::collection::vec(
            prop_oneof![
                4 => (0..40_u128).prop_map(Random::Reserve),
                3 => Just(Random::Confirm),
                1 => (0..40_u128).prop_map(Random::Cancel),
                1 => (0..40_u128).prop_map(Random::Release),
                1 => (0..4_000_i64).prop_map(Random::Wait),
            ],
            200,
        ),
    ) {
        let mut capacity = Capacity::rebuilt(max, []).unwrap();
        let mut now = Timestamp(0);
        for step in steps {
            let before = capacity.n_taken(now);
            match step {
                Random::Reserve(n) => {
                    let known = capacity.owned.contains(&id(n))
                        || capacity.reserved.get(&id(n)).is_some_and(|kept| now < kept.until);
                    let reserved = capacity.reserve(id(n), now);
                    prop_assert_eq!(reserved.is_ok(), known || before < max);
                }
                Random::Confirm => {
                    let good = capacity.reserved.iter().find(|(_, kept)| now < kept.until);
                    if let Some(conversation) = good.map(|(conversation, _)| *conversation) {
                        capacity.own(conversation);
                        prop_assert_eq!(capacity.n_taken(now), before);
                    }
                }
                Random::Cancel(n) => capacity.cancel(id(n)),
                Random::Release(n) => capacity.release(id(n)),
                Random::Wait(ms) => now = now.plus_ms(ms),
            }
            prop_assert!(capacity.n_taken(now) <= max, "P11");
            prop_assert_eq!(capacity.n_free(now), max - capacity.n_taken(now));
        }
    }
}
