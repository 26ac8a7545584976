use switchboard_domain::conversation::{Body, Event, Resolution, Stream};
use switchboard_domain::person::Role;
use switchboard_domain::presence::Status as Chosen;

use super::*;
use crate::delivery::Delivery;
use crate::presence::Profile;
use crate::subscriber::Receiver;
use crate::system::Config;
use crate::testing::{
    Node, Prank, accept, agent, agent_ref, connection, key, pass, supervisor, take_all, tenant,
    visitor,
};

async fn routed(policy: Policy) -> Node {
    let node = Node::start().await;
    node.system.queue().set_policy(&tenant(), None, policy).await.unwrap();
    node
}

async fn come(node: &Node, n: u128, max: usize) {
    let presence = node.system.presence();
    let profile =
        Profile { name: agent_ref(n).name, role: Role::Agent, departments: Arc::default() };
    presence.set_capacity(&tenant(), &agent_ref(n), max).await.unwrap();
    let connection = u64::try_from(n).unwrap();
    presence.connected(&tenant(), agent_ref(n).id, connection, profile).await.unwrap();
}

async fn owner(node: &Node, n: u128) -> Option<AgentRef> {
    let view = node.system.conversations().state(&key(n), &agent(1)).await.unwrap();
    view.state.agent.clone()
}

async fn settle() {
    pass(Duration::from_millis(20)).await;
}

#[tokio::test(start_paused = true)]
async fn waiting_conversations_go_to_who_has_room_and_no_further() {
    let node = routed(Policy::LeastBusy).await;
    for n in 1..=5 {
        node.clock.turn_ms(1_000);
        node.create(n).await;
    }
    settle().await;
    assert_eq!(owner(&node, 1).await, None, "nobody is there");
    come(&node, 1, 2).await;
    settle().await;
    let mut owners = Vec::new();
    for n in 1..=5 {
        owners.push(owner(&node, n).await);
    }
    // The name comes from presence.
    let one = Some(agent_ref(1));
    assert_eq!(owners, [one.clone(), one.clone(), None, None, None]);
    come(&node, 2, 1).await;
    settle().await;
    assert_eq!(owner(&node, 3).await, Some(agent_ref(2)));
    // A slot that is given back is given on.
    let close = Command::Close { resolution: Resolution::None };
    node.ask(&key(1), agent(1), None, close).await.unwrap();
    settle().await;
    assert_eq!(owner(&node, 4).await, one);
    assert_eq!(owner(&node, 5).await, None);
    let observed = node.system.observe().await.tenants[0].queue.clone();
    assert_eq!((observed.waiting, observed.routed), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn manual_lines_route_nothing_until_told() {
    let node = Node::start().await;
    node.create(1).await;
    node.create_in(2, Some("sales")).await;
    come(&node, 1, 5).await;
    settle().await;
    assert_eq!((owner(&node, 1).await, owner(&node, 2).await), (None, None));
    let sales = Some(DepartmentId("sales".into()));
    node.system.queue().set_policy(&tenant(), sales, Policy::RoundRobin).await.unwrap();
    settle().await;
    assert_eq!((owner(&node, 1).await, owner(&node, 2).await), (None, Some(agent_ref(1))));
}

#[tokio::test(start_paused = true)]
async fn who_is_away_is_given_nothing() {
    let node = routed(Policy::LeastBusy).await;
    come(&node, 1, 5).await;
    let presence = node.system.presence();
    presence.set_status(&tenant(), &agent_ref(1), Chosen::Away).await.unwrap();
    node.create(1).await;
    settle().await;
    assert_eq!(owner(&node, 1).await, None);
    presence.set_status(&tenant(), &agent_ref(1), Chosen::Online).await.unwrap();
    settle().await;
    assert_eq!(owner(&node, 1).await, Some(agent_ref(1)));
}

#[tokio::test(start_paused = true)]
async fn routing_and_accepting_together_never_exceed_capacity() {
    let node = Arc::new(routed(Policy::RoundRobin).await);
    for n in 1..=4 {
        come(&node, n, 2).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=40_u128 {
        let node = Arc::clone(&node);
        tasks.spawn(async move {
            let key = node.create(n).await;
            let who = n % 4 + 1;
            let request = Request { caller: agent(who), key: None, command: accept(who) };
            drop(node.system.presence().accept(&key, request).await);
        });
    }
    tasks.join_all().await;
    settle().await;
    let all = node.system.presence().all(&tenant()).await.unwrap();
    let active: Vec<_> = all.iter().map(|it| it.active).collect();
    assert_eq!(active, [2, 2, 2, 2]);
    let mut n_owned = 0;
    for n in 1..=40 {
        n_owned += usize::from(owner(&node, n).await.is_some());
    }
    assert_eq!(n_owned, 8);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_given_when_a_promised_slot_runs_out() {
    let node = routed(Policy::LeastBusy).await;
    come(&node, 1, 1).await;
    // Promised to an accept of which nothing was ever heard.
    let (agent, conversation) = (agent_ref(1), key(9).conversation);
    let reserve =
        |_permit, reply| presence::Message::Reserve { agent, conversation, _permit, reply };
    let it = node.system.tenant(&tenant());
    it.presence.ask(Duration::from_secs(5), reserve).await.unwrap();
    node.create(1).await;
    settle().await;
    assert_eq!(owner(&node, 1).await, None);
    node.clock.turn_ms(switchboard_domain::limit::RESERVATION_MS);
    pass(LOOK_EVERY).await;
    settle().await;
    assert_eq!(owner(&node, 1).await, Some(agent_ref(1)));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_again_routes_what_waited() {
    let node = routed(Policy::LeastBusy).await;
    node.create(1).await;
    pass(Duration::from_secs(2)).await;
    let next = Node::open(node.store.left_behind(), Config::standard()).await;
    next.system.queue().set_policy(&tenant(), None, Policy::LeastBusy).await.unwrap();
    come(&next, 1, 1).await;
    settle().await;
    assert_eq!(owner(&next, 1).await, Some(agent_ref(1)));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_failed_goes_on_where_it_was() {
    let node = routed(Policy::LeastBusy).await;
    node.create(1).await;
    settle().await;
    node.system.tenant(&tenant()).queue.actor().unwrap().kill();
    settle().await;
    node.create(2).await;
    pass(Duration::from_secs(1)).await;
    come(&node, 1, 5).await;
    settle().await;
    assert_eq!(
        (owner(&node, 1).await, owner(&node, 2).await),
        (Some(agent_ref(1)), Some(agent_ref(1)))
    );
}

fn positions(client: &mut Receiver<Delivery>) -> Vec<u32> {
    let told = take_all(client).into_iter();
    told.filter_map(|delivery| match delivery {
        Delivery::QueuePosition { position, .. } => Some(position),
        _ => None,
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn visitors_hear_their_place_when_it_changes_and_not_too_often() {
    let node = Node::start().await;
    let mut clients = Vec::new();
    for n in 1..=3 {
        node.clock.turn_ms(1_000);
        let key = node.create(n).await;
        let (outlet, client) = connection();
        let conversations = node.system.conversations();
        conversations.subscribe(&key, &visitor(n), Stream::Public, 1, &outlet).await.unwrap();
        clients.push(client);
    }
    let (outlet, mut console) = connection();
    let conversations = node.system.conversations();
    conversations.subscribe(&key(1), &agent(1), Stream::Public, 1, &outlet).await.unwrap();
    pass(Duration::from_secs(6)).await;
    let told: Vec<_> = clients.iter_mut().map(positions).collect();
    assert_eq!(told, [vec![1], vec![2], vec![3]]);
    assert!(positions(&mut console).is_empty(), "places are for visitors");
    node.ask(&key(1), agent(1), None, accept(1)).await.unwrap();
    pass(Duration::from_secs(6)).await;
    let told: Vec<_> = clients.iter_mut().map(positions).collect();
    assert_eq!(told, [vec![], vec![1], vec![2]]);
    // Back and forth within five seconds is told once, and what is as before not at all.
    for _ in 0..5 {
        node.ask(&key(1), supervisor(9), None, Command::Requeue).await.unwrap();
        node.ask(&key(1), agent(1), None, accept(1)).await.unwrap();
    }
    pass(Duration::from_secs(6)).await;
    let n_told: usize = clients.iter_mut().map(|client| positions(client).len()).sum();
    assert!(n_told <= 3, "{n_told}");
}

async fn n_announced(node: &Node, n: u128) -> usize {
    let history = node.history(&key(n), &visitor(n)).await;
    let texts = history.iter().filter_map(|event| match &event.body {
        Body::AgentAvailable { text } => Some(&**text),
        _ => None,
    });
    texts.filter(|text| *text == "An agent is now available").count()
}

#[tokio::test(start_paused = true)]
async fn who_wrote_while_nobody_was_there_is_told_once_that_somebody_is() {
    let node = Node::start().await;
    for n in 1..=4 {
        node.create(n).await;
    }
    // The first two are offline messages, of which the second is taken by somebody who is away.
    for n in 1..=2 {
        node.ask(&key(n), Caller::SYSTEM, None, Command::GoOffline).await.unwrap();
    }
    node.ask(&key(2), agent(9), None, accept(9)).await.unwrap();
    settle().await;
    come(&node, 1, 5).await;
    settle().await;
    let mut told = Vec::new();
    for n in 1..=3 {
        told.push(n_announced(&node, n).await);
    }
    assert_eq!(told, [1, 0, 0]);
    // Another one who comes is no news; what goes offline while somebody is there is.
    come(&node, 2, 5).await;
    settle().await;
    assert_eq!(n_announced(&node, 1).await, 1);
    node.ask(&key(4), Caller::SYSTEM, None, Command::GoOffline).await.unwrap();
    settle().await;
    assert_eq!(n_announced(&node, 4).await, 1);
    let view = node.system.conversations().state(&key(4), &agent(1)).await.unwrap();
    assert!(!view.state.offline);
}

#[tokio::test(start_paused = true)]
async fn those_told_that_somebody_is_there_keep_their_places_in_lists() {
    let node = Node::start().await;
    // Neither the order in which they came nor that of their ids.
    let order = [7, 3, 12, 1, 9, 5, 11, 2, 10, 4, 8, 6];
    for n in order {
        node.clock.turn_ms(1_000);
        node.create(n).await;
        node.ask(&key(n), Caller::SYSTEM, None, Command::GoOffline).await.unwrap();
    }
    settle().await;
    come(&node, 1, 5).await;
    settle().await;
    let mut told = Vec::new();
    for n in order {
        let history = node.history(&key(n), &visitor(n)).await;
        let is_it = |event: &&Event| matches!(event.body, Body::AgentAvailable { .. });
        // Ids rise with time.
        told.push(history.iter().find(is_it).unwrap().id);
    }
    assert!(told.is_sorted(), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn who_could_not_be_told_is_told_when_somebody_comes_next() {
    let node = Node::start().await;
    for n in 1..=2 {
        node.create(n).await;
        node.ask(&key(n), Caller::SYSTEM, None, Command::GoOffline).await.unwrap();
    }
    settle().await;
    node.store.plan(&key(1), &[Prank::Full]);
    come(&node, 1, 5).await;
    settle().await;
    assert_eq!((n_announced(&node, 1).await, n_announced(&node, 2).await), (0, 1));
    let presence = node.system.presence();
    for status in [Chosen::Offline, Chosen::Online] {
        presence.set_status(&tenant(), &agent_ref(1), status).await.unwrap();
        settle().await;
    }
    assert_eq!((n_announced(&node, 1).await, n_announced(&node, 2).await), (1, 1));
}
