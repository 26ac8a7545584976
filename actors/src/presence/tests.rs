use std::collections::BTreeSet;
use std::time::Duration;

use proptest::test_runner::{Config as Cases, TestRunner};
use switchboard_domain::conversation::{Command, Rejection, Request, Resolution};
use switchboard_domain::limit::RESERVATION_MS;
use switchboard_store::Store;
use tokio::task::JoinSet;

use super::*;
use crate::answer::Done;
use crate::clock::Clock as _;
use crate::system::Config;
use crate::testing::{
    Node, Prank, accept, agent, agent_ref, connection, pass, supervisor, take_all, tenant,
};

fn profile(n: u128) -> Profile {
    Profile { name: agent_ref(n).name, role: Role::Agent, departments: Arc::default() }
}

async fn connect(node: &Node, n: u128, connection: u64) -> AgentPresence {
    let presence = node.system.presence();
    presence.connected(&tenant(), agent_ref(n).id, connection, profile(n)).await.unwrap()
}

async fn get(node: &Node, n: u128) -> AgentPresence {
    let presence = node.system.presence();
    presence.get(&tenant(), agent_ref(n).id).await.unwrap().unwrap()
}

async fn take(node: &Node, n: u128, conversation: u128) -> Result<Done, Refusal> {
    let request = Request { caller: agent(n), key: None, command: accept(n) };
    node.system.presence().accept(&crate::testing::key(conversation), request).await
}

/// Lets the actors do what is due, while the hand-turned clock goes along.
async fn turn(node: &Node, time: Duration) {
    for _ in 0..20 {
        node.clock.turn_ms(i64::try_from(time.as_millis()).unwrap() / 20);
        tokio::time::sleep(time / 20).await;
    }
}

#[tokio::test(start_paused = true)]
async fn watchers_hear_who_comes_and_who_goes() {
    let node = Node::start().await;
    let presence = node.system.presence();
    let (outlet, mut console) = connection();
    let (visitors, mut widget) = connection();
    presence.watch(&tenant(), View::Agents, &outlet).await;
    presence.watch(&tenant(), View::Anybody, &visitors).await;
    let told = take_all(&mut console);
    assert!(
        matches!(&told[..], [Delivery::Presence { agents, snapshot: true }] if agents.is_empty())
    );
    assert!(matches!(&take_all(&mut widget)[..], [Delivery::AnybodyOnline(false)]));
    connect(&node, 1, 10).await;
    let told = take_all(&mut console);
    let [Delivery::Presence { agents, snapshot: false }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&agents[0].agent, agents[0].effective), (&agent_ref(1), Status::Online));
    assert!(matches!(&take_all(&mut widget)[..], [Delivery::AnybodyOnline(true)]));
    assert!(presence.anybody_online(&tenant()));
    // A reload is not seen; leaving is, ten seconds later and by time alone.
    presence.disconnected(&tenant(), agent_ref(1).id, 10);
    turn(&node, Duration::from_secs(5)).await;
    connect(&node, 1, 11).await;
    presence.disconnected(&tenant(), agent_ref(1).id, 11);
    turn(&node, Duration::from_secs(9)).await;
    assert!(take_all(&mut console).is_empty());
    turn(&node, Duration::from_secs(2)).await;
    let told = take_all(&mut console);
    let [Delivery::Presence { agents, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(agents[0].effective, Status::Offline);
    assert!(matches!(&take_all(&mut widget)[..], [Delivery::AnybodyOnline(false)]));
    presence.unwatch(&tenant(), outlet.id());
    connect(&node, 1, 12).await;
    assert!(take_all(&mut console).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_chose_outlives_the_node() {
    let node = Node::start().await;
    let presence = node.system.presence();
    connect(&node, 1, 10).await;
    presence.set_status(&tenant(), &agent_ref(1), Status::Busy).await.unwrap();
    presence.set_capacity(&tenant(), &agent_ref(1), 7).await.unwrap();
    presence.set_skills(&tenant(), &agent_ref(1), vec!["sql".into()]).await.unwrap();
    let refused = presence.set_capacity(&tenant(), &agent_ref(1), 21).await;
    assert!(matches!(refused, Err(Refusal::Rejected(Rejection::Invalid { .. }))), "{refused:?}");
    let next = Node::open(node.store.left_behind(), Config::standard()).await;
    let found = get(&next, 1).await;
    assert_eq!((found.chosen, found.effective), (Status::Busy, Status::Offline));
    assert_eq!((found.capacity, &found.skills[..]), (7, &["sql".into()][..]));
    assert_eq!(connect(&next, 1, 1).await.effective, Status::Busy);
}

#[tokio::test(start_paused = true)]
async fn accepting_takes_a_slot_and_closing_gives_it_back() {
    let node = Node::start().await;
    let presence = node.system.presence();
    presence.set_capacity(&tenant(), &agent_ref(1), 2).await.unwrap();
    for n in 1..=3 {
        node.create(n).await;
    }
    take(&node, 1, 1).await.unwrap();
    take(&node, 1, 2).await.unwrap();
    let full = take(&node, 1, 3).await;
    assert!(matches!(full, Err(Refusal::Rejected(Rejection::AtCapacity))), "{full:?}");
    let close = Command::Close { resolution: Resolution::Resolved };
    node.ask(&crate::testing::key(1), agent(1), None, close).await.unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(get(&node, 1).await.active, 1);
    take(&node, 1, 3).await.unwrap();
    // A person may assign beyond capacity; that is shown and still binds accepting.
    let key = node.create(4).await;
    let assign = Command::Assign { agent: agent_ref(1) };
    node.ask(&key, supervisor(9), None, assign).await.unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(get(&node, 1).await.active, 3);
}

#[tokio::test(start_paused = true)]
async fn who_loses_the_race_gets_the_slot_back_and_hears_who_won() {
    let node = Arc::new(Node::start().await);
    let presence = node.system.presence();
    for n in [1, 2] {
        presence.set_capacity(&tenant(), &agent_ref(n), 1).await.unwrap();
    }
    for round in 1..=100 {
        let key = node.create(round).await;
        let race = [1, 2].map(|n| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { take(&node, n, round).await })
        });
        let [one, two] = race;
        let results = [one.await.unwrap(), two.await.unwrap()];
        let winner = results.iter().position(Result::is_ok).expect("one wins");
        let lost = &results[1 - winner];
        let Err(Refusal::Rejected(Rejection::AlreadyAccepted { by })) = lost else {
            panic!("{lost:?}")
        };
        assert_eq!(*by, agent_ref(u128::try_from(winner).unwrap() + 1));
        let close = Command::Close { resolution: Resolution::None };
        node.ask(&key, supervisor(9), None, close).await.unwrap();
        pass(Duration::from_millis(1)).await;
    }
    let observed = node.system.observe().await;
    assert_eq!(observed.tenants[0].presence.slots_taken, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slot_of_unknown_outcome_is_kept_until_the_log_or_time_tells() {
    for (prank, active, taken_later) in [(Prank::LostUnknown, 0, 0), (Prank::StoredUnknown, 1, 1)] {
        let node = Node::start().await;
        let key = node.create(1).await;
        node.store.plan(&key, &[prank]);
        let unknown = take(&node, 1, 1).await;
        assert!(matches!(unknown, Err(Refusal::Unknown)), "{unknown:?}");
        let taken = node.system.observe().await.tenants[0].presence.slots_taken;
        assert_eq!(taken, 1, "{prank:?}");
        // The conversation begins again from the log, which tells.
        pass(Duration::from_millis(20)).await;
        assert_eq!(get(&node, 1).await.active, active, "{prank:?}");
        node.clock.turn_ms(RESERVATION_MS);
        let taken = node.system.observe().await.tenants[0].presence.slots_taken;
        assert_eq!(taken, taken_later, "{prank:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quarantined_conversation_keeps_the_slot_that_the_log_gave_it() {
    let node = Node::start().await;
    node.system.presence().set_capacity(&tenant(), &agent_ref(1), 1).await.unwrap();
    let key = node.create(1).await;
    node.create(2).await;
    node.store.plan(&key, &[Prank::LostUnknown; 4]);
    for _ in 0..4 {
        assert!(matches!(node.say(&key, 1).await, Err(Refusal::Unknown)));
        pass(Duration::from_millis(200)).await;
    }
    node.store.plan(&key, &[Prank::StoredUnknown]);
    assert!(matches!(take(&node, 1, 1).await, Err(Refusal::Unknown)));
    turn(&node, Duration::from_secs(11)).await;
    assert!(matches!(node.say(&key, 1).await, Err(Refusal::Quarantined)));
    let full = take(&node, 1, 2).await;
    assert!(matches!(full, Err(Refusal::Rejected(Rejection::AtCapacity))), "{full:?}");
    let behind = node.store.dirty(9).await.unwrap();
    assert!(behind.is_empty(), "stored lists know it too: {behind:?}");
}

#[tokio::test(start_paused = true)]
async fn slots_are_rebuilt_from_what_is_owned() {
    let node = Node::start().await;
    for n in 1..=3 {
        node.create(n).await;
        take(&node, 1, n).await.unwrap();
    }
    pass(Duration::from_secs(2)).await;
    let next = Node::open(node.store.left_behind(), Config::standard()).await;
    let found = get(&next, 1).await;
    assert_eq!((found.active, &found.agent), (3, &agent_ref(1)));
}

/// What people and time do to slots.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Create,
    Accept { agent: u128, conversation: u128 },
    Close { conversation: u128 },
    Unassign { conversation: u128 },
    SetCapacity { agent: u128, max: usize },
    Break { conversation: u128, prank: Prank },
    Wait,
}

fn operation(seed: (u8, u8, u8), n_conversations: u128) -> Operation {
    let (what, one, two) = seed;
    let agent = u128::from(one % 5) + 1;
    let conversation = u128::from(two) % n_conversations.max(1) + 1;
    match what % 16 {
        0..=2 => Operation::Create,
        3..=8 => Operation::Accept { agent, conversation },
        9 | 10 => Operation::Close { conversation },
        11 => Operation::Unassign { conversation },
        12 => Operation::SetCapacity { agent, max: usize::from(two % 4) + 1 },
        13 => Operation::Break { conversation, prank: Prank::StoredUnknown },
        14 => Operation::Break { conversation, prank: Prank::LostUnknown },
        _ => Operation::Wait,
    }
}

/// P11, live: 100 runs of 100 operations, four at a time, on real actors. Whatever happens, no
/// accept takes an agent above the capacity of that moment.
#[test]
fn capacity_holds_under_ten_thousand_random_operations() {
    let seeds = proptest::collection::vec(proptest::prelude::any::<(u8, u8, u8)>(), 100);
    let mut runner = TestRunner::new(Cases { failure_persistence: None, ..Cases::with_cases(100) });
    let run = runner.run(&seeds, |seeds| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(check_capacity(&seeds));
        Ok(())
    });
    run.unwrap();
}

async fn check_capacity(seeds: &[(u8, u8, u8)]) {
    let node = Arc::new(Node::start().await);
    let mut n_conversations = 0;
    let mut max_ever = [1_usize; 6];
    for n in 1..=5 {
        node.system.presence().set_capacity(&tenant(), &agent_ref(n), 1).await.unwrap();
    }
    for batch in seeds.chunks(4) {
        let mut tasks = JoinSet::new();
        for seed in batch {
            let operation = operation(*seed, n_conversations);
            if let Operation::Create = operation {
                n_conversations += 1;
            }
            if let Operation::SetCapacity { agent, max } = operation {
                let agent = usize::try_from(agent).unwrap();
                max_ever[agent] = max_ever[agent].max(max);
            }
            let node = Arc::clone(&node);
            tasks.spawn(async move { carry_out(&node, operation, n_conversations).await });
        }
        tasks.join_all().await;
        pass(Duration::from_millis(20)).await;
        // The truth: who owns what, says each conversation.
        let mut owned = [0_usize; 6];
        for n in 1..=n_conversations {
            let key = crate::testing::key(n);
            let Ok(view) = node.system.conversations().state(&key, &agent(1)).await else {
                continue;
            };
            if let Some(agent) = &view.state.agent {
                owned[usize::try_from(agent.id.uuid().as_u128()).unwrap()] += 1;
            }
        }
        for (agent, n_owned) in owned.iter().enumerate() {
            assert!(*n_owned <= max_ever[agent], "agent {agent} owns {n_owned}: {seeds:?}");
        }
    }
    // Whatever is quarantined can be asked again.
    pass(crate::supervisor::REST).await;
    let shown: BTreeSet<_> = node
        .system
        .presence()
        .all(&tenant())
        .await
        .unwrap()
        .iter()
        .map(|it| (it.agent.id, it.active))
        .collect();
    for (id, active) in shown {
        let mut n_owned = 0;
        for n in 1..=n_conversations {
            let key = crate::testing::key(n);
            let view = node.system.conversations().state(&key, &agent(1)).await;
            n_owned +=
                usize::from(view.is_ok_and(|view| {
                    view.state.agent.as_ref().is_some_and(|agent| agent.id == id)
                }));
        }
        assert_eq!(active, n_owned, "slots follow the log: {seeds:?}");
    }
}

async fn carry_out(node: &Node, operation: Operation, n_created: u128) {
    match operation {
        Operation::Create => {
            let create = crate::testing::create(n_created, None);
            let key = crate::testing::key(n_created);
            // Planned trouble may hit this too.
            drop(node.ask(&key, crate::testing::visitor(n_created), None, create).await);
        }
        Operation::Accept { agent, conversation } => {
            drop(take(node, agent, conversation).await);
        }
        Operation::Close { conversation } => {
            let close = Command::Close { resolution: Resolution::None };
            let key = crate::testing::key(conversation);
            drop(node.ask(&key, supervisor(9), None, close).await);
        }
        Operation::Unassign { conversation } => {
            let key = crate::testing::key(conversation);
            drop(node.ask(&key, supervisor(9), None, Command::Unassign).await);
        }
        Operation::SetCapacity { agent, max } => {
            let presence = node.system.presence();
            presence.set_capacity(&tenant(), &agent_ref(agent), max).await.unwrap();
        }
        Operation::Break { conversation, prank } => {
            node.store.plan(&crate::testing::key(conversation), &[prank]);
        }
        Operation::Wait => {
            node.clock.turn_ms(11_000);
            pass(Duration::from_secs(11)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_desk_is_shown_and_kept_and_a_heartbeat_writes_nothing() {
    let node = Node::start().await;
    let presence = node.system.presence();
    let sales = Some(DepartmentId("sales".into()));
    let beat = || async {
        presence.set_status(&tenant(), &agent_ref(1), Status::Online).await.unwrap();
        presence.set_desk(&tenant(), &agent_ref(1), sales.clone()).await.unwrap()
    };
    assert_eq!(beat().await.desk, sales);
    let stored = || async { node.store.documents(&tenant(), "presence", None, 9).await.unwrap() };
    let before = stored().await;
    node.clock.turn_ms(30_000);
    beat().await;
    assert_eq!(stored().await, before);
    let seen = presence.seen(&tenant()).await.unwrap();
    assert_eq!(seen.get(&agent_ref(1).id), Some(&node.clock.now()));
    // Two minutes without a beat, and the agent is gone.
    turn(&node, Duration::from_secs(119)).await;
    assert!(presence.anybody_online(&tenant()));
    turn(&node, Duration::from_secs(2)).await;
    assert!(!presence.anybody_online(&tenant()));
    let cleared = presence.set_desk(&tenant(), &agent_ref(1), None).await.unwrap();
    assert_eq!((cleared.desk, cleared.effective), (None, Status::Offline));
}
