use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::capacity::Capacity;
use crate::limit::{ETA_SAMPLES_MAX, ETA_SAMPLES_MIN};

const MINUTE_MS: i64 = 60_000;

fn id(n: u128) -> ConversationId {
    ConversationId::from_u128(n)
}

fn agent(n: u128) -> AgentId {
    AgentId::from_u128(n)
}

fn department(name: &str) -> DepartmentId {
    DepartmentId(name.into())
}

fn waiting(n: u128, priority: Priority, since_ms: i64) -> Waiting {
    Waiting {
        conversation: id(n),
        department: None,
        widget: None,
        priority,
        skills: Vec::new(),
        since: Timestamp(since_ms),
    }
}

fn candidate(n: u128, n_taken: usize, max: usize) -> Candidate {
    Candidate {
        agent: agent(n),
        takes_offers: true,
        n_taken,
        max,
        skills: Vec::new(),
        departments: Vec::new(),
    }
}

fn order(queue: &Queue, line: Option<&DepartmentId>) -> Vec<u128> {
    queue.places(line).map(|(conversation, _)| conversation.uuid().as_u128()).collect()
}

#[test]
fn urgent_goes_first_and_waiting_is_worth_priority() {
    use Priority::{High, Low, Medium, Urgent};
    let age = AGEING_MS;
    for (name, entries, expect) in [
        ("of equals who came first", vec![(1, Medium, 10), (2, Medium, 5)], vec![2, 1]),
        (
            "priority at the same time",
            vec![(1, Low, 0), (2, Urgent, 0), (3, Medium, 0), (4, High, 0)],
            vec![2, 4, 3, 1],
        ),
        ("one level is worth one age", vec![(1, Medium, 0), (2, High, age - 1)], vec![2, 1]),
        ("and no more", vec![(1, Medium, 0), (2, High, age + 1)], vec![1, 2]),
        (
            "urgent overtakes low for three ages",
            vec![(1, Low, 0), (2, Urgent, 3 * age - 1)],
            vec![2, 1],
        ),
        ("but not longer", vec![(1, Low, 0), (2, Urgent, 3 * age + 1)], vec![1, 2]),
    ] {
        let mut queue = Queue::new(Policy::Manual);
        for (n, priority, since) in entries {
            queue.enter(waiting(n, priority, since));
        }
        assert_eq!(order(&queue, None), expect, "{name}");
    }
}

#[test]
fn entering_again_moves_and_never_doubles() {
    let mut queue = Queue::new(Policy::Manual);
    for n in 1..=3 {
        queue.enter(waiting(n, Priority::Medium, 0));
    }
    queue.enter(waiting(3, Priority::High, 0));
    assert_eq!(order(&queue, None), [3, 1, 2]);
    let sales = department("sales");
    queue.enter(Waiting { department: Some(sales.clone()), ..waiting(1, Priority::Medium, 0) });
    assert_eq!(order(&queue, None), [3, 2]);
    assert_eq!(order(&queue, Some(&sales)), [1]);
    assert_eq!(queue.len(), 3);
    queue.leave(id(1));
    assert_eq!(queue.lines().count(), 1);
    assert_eq!(queue.place(id(1)), None);
    assert_eq!(queue.place(id(2)).map(|place| place.position), Some(2));
}

/// Offers everything that can be offered, reserving as the shell does.
fn route_all(queue: &mut Queue, agents: &mut [Candidate], now: Timestamp) -> Vec<(u128, u128)> {
    let mut offers = Vec::new();
    while let Some(offer) = queue.next(agents, now) {
        for candidate in agents.iter_mut().filter(|it| it.agent == offer.agent) {
            candidate.n_taken += 1;
        }
        offers.push((offer.conversation.uuid().as_u128(), offer.agent.uuid().as_u128()));
        queue.served(offer.conversation, now);
    }
    offers
}

#[test]
fn a_widget_says_how_its_own_are_routed_and_others_go_their_lines_way() {
    let sales = department("sales");
    let through = |n, widget: Option<&str>| Waiting {
        department: Some(sales.clone()),
        widget: widget.map(|name| WidgetId(name.into())),
        ..waiting(n, Priority::Medium, 0)
    };
    let (by_hand, by_itself) = (WidgetId("shop".into()), WidgetId("help".into()));
    for (name, line, bare, expect) in [
        ("the line's way", Policy::LeastBusy, None, vec![2, 3, 4]),
        ("none's way", Policy::LeastBusy, Some(Policy::Manual), vec![2, 3]),
        ("none's way by itself", Policy::Manual, Some(Policy::RoundRobin), vec![2, 4]),
        ("only the widget's way", Policy::Manual, None, vec![2]),
    ] {
        let mut queue = Queue::new(Policy::Manual);
        queue.set_policy(Some(sales.clone()), Some(line));
        queue.set_widget_policies(
            [(by_hand.clone(), Policy::Manual), (by_itself.clone(), Policy::LeastBusy)].into(),
        );
        queue.set_bare_policy(bare);
        let widgets = [Some("shop"), Some("help"), Some("other"), None];
        for (n, widget) in (1..).zip(widgets) {
            queue.enter(through(n, widget));
        }
        assert!(queue.routes(), "{name}");
        let mut agents = [candidate(1, 0, 9)];
        let offers = route_all(&mut queue, &mut agents, Timestamp(MINUTE_MS));
        let given: Vec<u128> = offers.iter().map(|(conversation, _)| *conversation).collect();
        assert_eq!(given, expect, "{name}");
        assert!(!queue.routes(), "{name}: what is left waits for a hand");
    }
}

fn check_routing(
    name: &str,
    policy: Policy,
    entries: Vec<Waiting>,
    mut agents: Vec<Candidate>,
    expect: &[(u128, u128)],
) {
    let mut queue = Queue::new(policy);
    entries.into_iter().for_each(|entry| queue.enter(entry));
    let offers = route_all(&mut queue, &mut agents, Timestamp(MINUTE_MS));
    assert_eq!(offers, expect, "{name}");
}

#[test]
fn each_policy_gives_to_its_agent() {
    let four = || (1..=4).map(|n| waiting(n, Priority::Medium, 0)).collect::<Vec<_>>();
    check_routing("manual gives to nobody", Policy::Manual, four(), vec![candidate(1, 0, 5)], &[]);
    check_routing(
        "round robin takes turns whatever is taken",
        Policy::RoundRobin,
        four(),
        vec![candidate(1, 2, 9), candidate(2, 0, 9), candidate(3, 1, 9)],
        &[(1, 1), (2, 2), (3, 3), (4, 1)],
    );
    check_routing(
        "least busy evens out the shares",
        Policy::LeastBusy,
        four(),
        vec![candidate(1, 2, 5), candidate(2, 0, 5)],
        &[(1, 2), (2, 2), (3, 1), (4, 2)],
    );
    check_routing(
        "a share counts, not a number",
        Policy::LeastBusy,
        vec![waiting(1, Priority::Medium, 0)],
        vec![candidate(1, 1, 2), candidate(2, 4, 20)],
        &[(1, 2)],
    );
    check_routing(
        "nobody is given more than fits",
        Policy::RoundRobin,
        four(),
        vec![candidate(1, 4, 5), candidate(2, 5, 5), candidate(3, 7, 5)],
        &[(1, 1)],
    );
    check_routing(
        "who takes no offers gets none",
        Policy::LeastBusy,
        four(),
        vec![Candidate { takes_offers: false, ..candidate(1, 0, 5) }],
        &[],
    );
}

#[test]
fn skills_are_matched_and_hold_nobody_up() {
    let skilled = |n, skills: &[&str]| Candidate {
        skills: skills.iter().map(|skill| (*skill).into()).collect(),
        ..candidate(n, 0, 5)
    };
    let asking = |n, skills: &[&str]| Waiting {
        skills: skills.iter().map(|skill| (*skill).into()).collect(),
        ..waiting(n, Priority::Medium, 0)
    };
    let entries = vec![asking(1, &["fr", "tax"]), asking(2, &["fr"]), asking(3, &[])];
    check_routing(
        "only who has all of them",
        Policy::Skills,
        entries.clone(),
        vec![skilled(1, &["fr"]), skilled(2, &["de"])],
        &[(2, 1), (3, 2)],
    );
    check_routing(
        "other policies do not ask",
        Policy::RoundRobin,
        entries,
        vec![skilled(1, &[])],
        &[(1, 1), (2, 1), (3, 1)],
    );
}

#[test]
fn departments_have_lines_policies_and_people_of_their_own() {
    let (sales, billing) = (department("sales"), department("billing"));
    let of = |n, line: &DepartmentId, since| Waiting {
        department: Some(line.clone()),
        ..waiting(n, Priority::Medium, since)
    };
    let mut queue = Queue::new(Policy::LeastBusy);
    queue.set_policy(Some(billing.clone()), Some(Policy::Manual));
    queue.enter(of(1, &sales, 5));
    queue.enter(of(2, &billing, 1));
    queue.enter(waiting(3, Priority::Medium, 3));
    let seller = Candidate { departments: vec![sales.clone()], ..candidate(1, 0, 1) };
    let biller = Candidate { departments: vec![billing.clone()], ..candidate(2, 0, 1) };
    let offers = route_all(&mut queue, &mut [seller.clone(), biller.clone()], Timestamp(10));
    assert_eq!(offers, [(3, 1)], "the longest waiting of all lines; sales waits for a seller");
    queue.set_policy(Some(billing.clone()), None);
    let anybody = candidate(3, 0, 5);
    let offers = route_all(&mut queue, &mut [anybody], Timestamp(10));
    assert_eq!(offers, [(2, 3), (1, 3)], "who works for no department works for all");
}

#[test]
fn an_offer_on_its_way_is_not_made_twice() {
    let mut queue = Queue::new(Policy::LeastBusy);
    queue.enter(waiting(1, Priority::Medium, 0));
    let agents = [candidate(1, 0, 5), candidate(2, 0, 5)];
    let first = Some(Offer { conversation: id(1), agent: agent(1) });
    let second = Some(Offer { conversation: id(1), agent: agent(2) });
    assert_eq!(queue.next(&agents, Timestamp(0)), first);
    assert_eq!(queue.next(&agents, Timestamp(RESERVATION_MS - 1)), None);
    assert_eq!(queue.next(&agents, Timestamp(RESERVATION_MS)), second, "nothing was heard");
    queue.failed(id(1));
    assert_eq!(queue.next(&agents, Timestamp(RESERVATION_MS + 1)), first, "it failed");
    queue.served(id(1), Timestamp(RESERVATION_MS + 2));
    assert_eq!(queue.next(&agents, Timestamp(MINUTE_MS)), None);
    assert!(queue.is_empty());
}

#[test]
fn the_estimate_speaks_when_it_has_seen_enough() {
    let mut queue = Queue::new(Policy::Manual);
    let serve = |queue: &mut Queue, n: u128, waited_ms| {
        queue.enter(waiting(n, Priority::Medium, 0));
        queue.served(id(n), Timestamp(waited_ms));
    };
    let n_min = i64::try_from(ETA_SAMPLES_MIN).unwrap();
    for second in 1..n_min {
        serve(&mut queue, 1, second * 1_000);
    }
    queue.enter(waiting(2, Priority::High, 0));
    assert_eq!(queue.place(id(2)), Some(Place { position: 1, eta_s: None }));
    queue.leave(id(2));
    serve(&mut queue, 1, n_min * 1_000);
    for n in 1..=3 {
        queue.enter(waiting(n, Priority::Medium, 0));
    }
    let etas: Vec<_> = queue.places(None).map(|(_, place)| place.eta_s).collect();
    assert_eq!(etas, [Some((10, 16)), Some((20, 32)), Some((30, 48))]);
    for n in 1..=3 {
        queue.leave(id(n));
    }
    for _ in 0..ETA_SAMPLES_MAX {
        serve(&mut queue, 9, 0);
    }
    queue.enter(waiting(1, Priority::Medium, 0));
    let eta = queue.place(id(1)).and_then(|place| place.eta_s);
    assert_eq!(eta, Some((1, 1)), "the old ones are forgotten, and nothing takes no time");
}

#[test]
fn positions_are_exact_to_twenty_and_bands_above() {
    for (position, expect) in [
        (1, 1),
        (20, 20),
        (21, 50),
        (50, 50),
        (51, 100),
        (101, 200),
        (201, 500),
        (999, 1_000),
        (1_001, 2_000),
        (731_000, 1_000_000),
        (usize::MAX, usize::MAX),
    ] {
        assert_eq!(Place { position, eta_s: None }.shown(), expect, "{position}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter { n: u128, priority: Priority },
    Leave { n: u128 },
    Route,
    Release { n: u128 },
    AssignByHand { n: u128, agent: usize },
    SetMax { agent: usize, max: usize },
    TurnAway { agent: usize },
    Wait { ms: i64 },
}

fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![
        Just(Priority::Low),
        Just(Priority::Medium),
        Just(Priority::High),
        Just(Priority::Urgent)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..200_u128, priority()).prop_map(|(n, priority)| Step::Enter { n, priority }),
        1 => (1..200_u128).prop_map(|n| Step::Leave { n }),
        6 => Just(Step::Route),
        3 => (1..200_u128).prop_map(|n| Step::Release { n }),
        1 => (1..200_u128, 0..4_usize).prop_map(|(n, agent)| Step::AssignByHand { n, agent }),
        1 => (0..4_usize, 1..=20_usize).prop_map(|(agent, max)| Step::SetMax { agent, max }),
        1 => (0..4_usize).prop_map(|agent| Step::TurnAway { agent }),
        2 => (0..20_000_i64).prop_map(|ms| Step::Wait { ms }),
    ]
}

/// The queue and the slots of four agents, driven together as the shell drives them.
struct Floor {
    queue: Queue,
    slots: Vec<Capacity>,
    away: Vec<bool>,
    now: Timestamp,
}

impl Floor {
    fn candidates(&self) -> Vec<Candidate> {
        (0..self.slots.len())
            .map(|idx| Candidate {
                takes_offers: !self.away[idx],
                ..candidate(
                    u128::try_from(idx).unwrap(),
                    self.slots[idx].n_taken(self.now),
                    self.slots[idx].max(),
                )
            })
            .collect()
    }

    fn owner(&self, conversation: ConversationId) -> Option<usize> {
        (0..self.slots.len()).find(|idx| self.slots[*idx].owned().any(|it| it == conversation))
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Enter { n, priority } => {
                if self.owner(id(n)).is_none() {
                    self.queue.enter(waiting(n, priority, self.now.0));
                }
            }
            Step::Leave { n } => self.queue.leave(id(n)),
            Step::Route => {
                let candidates = self.candidates();
                let Some(offer) = self.queue.next(&candidates, self.now) else { return Ok(()) };
                let idx = usize::try_from(offer.agent.uuid().as_u128()).unwrap();
                prop_assert!(!self.away[idx], "an offer to somebody who takes none");
                let slots = &mut self.slots[idx];
                let before = slots.n_taken(self.now);
                prop_assert!(before < slots.max(), "P11: {before} of {} taken", slots.max());
                prop_assert_eq!(slots.reserve(offer.conversation, self.now), Ok(()));
                prop_assert!(slots.n_taken(self.now) <= slots.max(), "P11");
                slots.own(offer.conversation);
                prop_assert!(slots.n_taken(self.now) <= slots.max(), "P11");
                self.queue.served(offer.conversation, self.now);
            }
            Step::Release { n } => {
                for slots in &mut self.slots {
                    slots.release(id(n));
                }
            }
            Step::AssignByHand { n, agent } => {
                for slots in &mut self.slots {
                    slots.release(id(n));
                }
                self.slots[agent].own(id(n));
                self.queue.served(id(n), self.now);
            }
            Step::SetMax { agent, max } => {
                prop_assert_eq!(self.slots[agent].set_max(max), Ok(()));
            }
            Step::TurnAway { agent } => self.away[agent] = !self.away[agent],
            Step::Wait { ms } => self.now = self.now.plus_ms(ms),
        }
        let owned: Vec<_> = self.slots.iter().flat_map(Capacity::owned).collect();
        let distinct: BTreeSet<_> = owned.iter().copied().collect();
        prop_assert_eq!(owned.len(), distinct.len(), "one conversation, one agent");
        prop_assert!(
            distinct.iter().all(|it| self.queue.place(*it).is_none()),
            "owned and waiting"
        );
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// P11 under random operations: 100 cases of 150 to 200 steps, at least 15,000 in all.
    #[test]
    fn capacity_holds_under_random_operations(
        policy in prop_oneof![Just(Policy::LeastBusy), Just(Policy::RoundRobin), Just(Policy::Skills)],
        steps in prop::collection::vec(step(), 150..200),
    ) {
        let mut floor = Floor {
            queue: Queue::new(policy),
            slots: vec![Capacity::default(); 4],
            away: vec![false; 4],
            now: Timestamp(0),
        };
        for step in steps {
            floor.take(step)?;
        }
    }

    /// Nobody is overtaken by one that came more than the ages between their priorities later.
    #[test]
    fn overtaking_is_bounded(
        entries in prop::collection::vec((priority(), 0..100 * MINUTE_MS), 2..40),
    ) {
        let mut queue = Queue::new(Policy::Manual);
        for (n, (priority, since)) in (0_u128..).zip(&entries) {
            queue.enter(waiting(n, *priority, *since));
        }
        let served: Vec<(Priority, i64)> = order(&queue, None)
            .into_iter()
            .map(|n| entries[usize::try_from(n).unwrap()])
            .collect();
        prop_assert_eq!(served.len(), entries.len());
        for (idx, (priority, since)) in served.iter().enumerate() {
            for (_, earlier) in served[..idx].iter().filter(|(other, _)| other <= priority) {
                prop_assert!(earlier <= since, "overtaken by no more urgent one");
            }
            for (_, earlier) in &served[..idx] {
                prop_assert!(*earlier <= since + 3 * AGEING_MS, "overtaken without end");
            }
        }
    }

    /// Places agree with the order, whatever came and went.
    #[test]
    fn places_count_from_one(steps in prop::collection::vec((1..30_u128, priority(), any::<bool>()), 1..60)) {
        let mut queue = Queue::new(Policy::Manual);
        for (n, priority, enters) in steps {
            if enters { queue.enter(waiting(n, priority, 0)) } else { queue.leave(id(n)) }
        }
        let mut n_seen = 0;
        for (idx, (conversation, place)) in queue.places(None).enumerate() {
            prop_assert_eq!(place.position, idx + 1);
            prop_assert_eq!(queue.place(conversation), Some(place));
            n_seen += 1;
        }
        prop_assert_eq!(n_seen, queue.len());
    }
}
