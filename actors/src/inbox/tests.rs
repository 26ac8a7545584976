use std::collections::BTreeMap;

use switchboard_domain::conversation::{Command, Priority, Resolution};
use switchboard_domain::ids::Seq;
use switchboard_domain::permission::AgentsSee;
use switchboard_domain::person::Caller;

use super::*;
use crate::delivery::{Delivery, Outlet};
use crate::subscriber::{Pushed, Receiver};
use crate::system::Config;
use crate::testing::{
    Node, accept, agent, agent_ref, connection, key, pass, supervisor, take_all, tenant, visitor,
};

fn everything(id: u64) -> Watch {
    Watch {
        id,
        statuses: Vec::new(),
        department: None,
        scope: ListScope::All,
        sort: Sort::Recent,
        limit: 200,
    }
}

/// A client: applies every step and has the list.
#[derive(Default)]
struct Console {
    rows: BTreeMap<u128, Row>,
    version: u64,
    total: usize,
    n_snapshots: usize,
}

impl Console {
    fn apply(&mut self, deliveries: Vec<Delivery>) -> usize {
        let n_steps = deliveries.len();
        for delivery in deliveries {
            let Delivery::View(delta) = delivery else { panic!("{delivery:?}") };
            assert_eq!(delta.version, self.version + 1, "no step is left out");
            self.version = delta.version;
            self.total = delta.total;
            match delta.rows {
                Rows::Snapshot(rows) => {
                    self.n_snapshots += 1;
                    self.rows = rows.into_iter().map(|row| (number(row.card.id), row)).collect();
                }
                Rows::Changes(changes) => changes.into_iter().for_each(|change| match change {
                    Change::Put(row) => drop(self.rows.insert(number(row.card.id), row)),
                    Change::Drop(id) => assert!(self.rows.remove(&number(id)).is_some()),
                }),
            }
        }
        n_steps
    }

    fn shown(&self) -> Vec<u128> {
        self.rows.keys().copied().collect()
    }
}

fn number(id: ConversationId) -> u128 {
    id.uuid().as_u128()
}

async fn watch(node: &Node, caller: &Caller, watch: Watch) -> (Outlet, Receiver<Delivery>) {
    let (outlet, client) = connection();
    node.system.inbox().watch(&tenant(), caller, watch, &outlet).await.unwrap();
    (outlet, client)
}

async fn step(console: &mut Console, client: &mut Receiver<Delivery>) -> usize {
    pass(Duration::from_millis(200)).await;
    console.apply(take_all(client))
}

#[tokio::test(start_paused = true)]
async fn a_list_begins_whole_and_follows() {
    let node = Node::start().await;
    node.create(1).await;
    let (_outlet, mut client) = watch(&node, &agent(1), everything(5)).await;
    let mut console = Console::default();
    assert_eq!(console.apply(take_all(&mut client)), 1, "the snapshot is there at once");
    assert_eq!((console.shown(), console.total), (vec![1], 1));
    node.create(2).await;
    step(&mut console, &mut client).await;
    assert_eq!(console.shown(), [1, 2]);
    node.ask(&key(2), agent(1), None, accept(1)).await.unwrap();
    step(&mut console, &mut client).await;
    assert_eq!(console.rows[&2].card.status, Status::Active);
    let close = Command::Close { resolution: Resolution::None };
    node.ask(&key(1), agent(1), None, close).await.unwrap();
    step(&mut console, &mut client).await;
    assert_eq!((console.shown(), console.total, console.n_snapshots), (vec![2], 1, 1));
}

#[tokio::test(start_paused = true)]
async fn lists_hold_what_their_filter_says() {
    let node = Node::start().await;
    node.create_in(1, Some("sales")).await;
    node.create_in(2, None).await;
    node.create_in(3, Some("sales")).await;
    node.ask(&key(3), agent(1), None, accept(1)).await.unwrap();
    let sales = Some(DepartmentId("sales".into()));
    let mine = ListScope::Agent(agent_ref(1).id);
    let cases = [
        (everything(1), vec![1, 2, 3]),
        (Watch { statuses: vec![Status::Waiting], ..everything(1) }, vec![1, 2]),
        (Watch { department: sales, ..everything(1) }, vec![1, 3]),
        (Watch { scope: mine, ..everything(1) }, vec![3]),
        (Watch { scope: ListScope::Unassigned, ..everything(1) }, vec![1, 2]),
    ];
    for (filter, expect) in cases {
        let (_outlet, mut client) = watch(&node, &agent(1), filter.clone()).await;
        let mut console = Console::default();
        console.apply(take_all(&mut client));
        assert_eq!(console.shown(), expect, "{filter:?}");
    }
    let (_outlet, mut client) = watch(&node, &visitor(1), everything(1)).await;
    let mut console = Console::default();
    console.apply(take_all(&mut client));
    assert!(console.rows.is_empty(), "lists are for agents");
}

#[tokio::test(start_paused = true)]
async fn the_window_slides_as_conversations_come_and_go() {
    let node = Node::start().await;
    for n in 1..=10 {
        node.clock.turn_ms(1_000);
        node.create(n).await;
    }
    let top = Watch { sort: Sort::Waiting, limit: 3, ..everything(1) };
    let (_outlet, mut client) = watch(&node, &agent(1), top).await;
    let mut console = Console::default();
    console.apply(take_all(&mut client));
    assert_eq!((console.shown(), console.total), (vec![1, 2, 3], 10));
    node.ask(&key(1), agent(1), None, accept(1)).await.unwrap();
    step(&mut console, &mut client).await;
    assert_eq!((console.shown(), console.total), (vec![2, 3, 4], 10));
    let urgent = Command::Prioritise { priority: Priority::Urgent };
    node.ask(&key(9), agent(1), None, urgent).await.unwrap();
    step(&mut console, &mut client).await;
    assert_eq!(console.shown(), [2, 3, 9]);
}

#[tokio::test(start_paused = true)]
async fn closed_lists_come_from_the_store_and_follow() {
    let node = Node::start().await;
    let close = || Command::Close { resolution: Resolution::None };
    for n in 1..=3 {
        node.create(n).await;
    }
    node.ask(&key(1), agent(1), None, close()).await.unwrap();
    pass(Duration::from_secs(2)).await;
    let closed = Watch { statuses: vec![Status::Closed], ..everything(1) };
    let (_outlet, mut client) = watch(&node, &agent(1), closed).await;
    let mut console = Console::default();
    console.apply(take_all(&mut client));
    assert_eq!(console.shown(), [1]);
    node.ask(&key(2), agent(1), None, close()).await.unwrap();
    step(&mut console, &mut client).await;
    assert_eq!(console.shown(), [1, 2]);
    node.ask(&key(1), supervisor(9), None, Command::Reopen { agent: None }).await.unwrap();
    step(&mut console, &mut client).await;
    assert_eq!(console.shown(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_what_ended_does_not_grow_for_ever() {
    let node = Node::start().await;
    let any = vec![Status::Waiting, Status::Active, Status::Closed];
    let all = Watch { statuses: any, limit: 10, ..everything(1) };
    node.create(1).await;
    let (_outlet, mut client) = watch(&node, &agent(1), all).await;
    let mut console = Console::default();
    console.apply(take_all(&mut client));
    for n in 2..=1_100 {
        node.clock.turn_ms(1);
        let key = node.create(n).await;
        let close = Command::Close { resolution: Resolution::None };
        node.ask(&key, agent(1), None, close).await.unwrap();
    }
    step(&mut console, &mut client).await;
    assert_eq!(console.total, 5 * ROWS_MAX);
    assert_eq!(console.shown(), (1_091..=1_100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_list_moves_at_most_ten_times_a_second() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let (_outlet, mut client) = watch(&node, &agent(1), everything(1)).await;
    let mut console = Console::default();
    console.apply(take_all(&mut client));
    let mut n_steps = 0;
    for n in 1..=1_000 {
        node.say(&key, n).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        n_steps += console.apply(take_all(&mut client));
    }
    n_steps += step(&mut console, &mut client).await;
    assert!((5..=15).contains(&n_steps), "{n_steps} steps in about a second");
    assert_eq!(console.rows[&1].card.heads.public, Seq(1_001));
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_steps_gets_one_and_then_the_whole() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let (_outlet, mut client) = watch(&node, &agent(1), everything(1)).await;
    for n in 1..=300 {
        node.say(&key, n).await.unwrap();
        pass(Duration::from_millis(20)).await;
    }
    let mut console = Console::default();
    assert_eq!(console.apply(take_all(&mut client)), 1);
    step(&mut console, &mut client).await;
    assert_eq!((console.version, console.n_snapshots), (2, 1));
    assert_eq!(console.rows[&1].card.heads.public, Seq(301));
}

#[tokio::test(start_paused = true)]
async fn unread_is_the_watchers_own() {
    let node = Node::start().await;
    let key = node.create(1).await;
    for n in 1..=3 {
        node.say(&key, n).await.unwrap();
    }
    let (_one, mut first) = watch(&node, &agent(1), everything(1)).await;
    let (_two, mut second) = watch(&node, &agent(2), everything(1)).await;
    let (mut one, mut two) = (Console::default(), Console::default());
    one.apply(take_all(&mut first));
    two.apply(take_all(&mut second));
    assert_eq!((one.rows[&1].unread, two.rows[&1].unread), (3, 3));
    node.system.conversations().receipt(&key, &agent(1), None, Some(Seq(3)));
    step(&mut one, &mut first).await;
    step(&mut two, &mut second).await;
    assert_eq!((one.rows[&1].unread, two.rows[&1].unread), (1, 3));
    // A node that opens the same store knows as much.
    pass(Duration::from_secs(2)).await;
    let next = Node::open(node.store.left_behind(), Config::standard()).await;
    let (_outlet, mut client) = watch(&next, &agent(1), everything(1)).await;
    let mut console = Console::default();
    console.apply(take_all(&mut client));
    assert_eq!(console.rows[&1].unread, 1);
}

#[tokio::test(start_paused = true)]
async fn agents_see_what_the_tenant_lets_them() {
    let config = Config { agents_see: AgentsSee::Own, ..Config::standard() };
    let node = Node::with(config).await;
    for n in [1, 2] {
        node.create(n).await;
    }
    let assign = Command::Assign { agent: agent_ref(1) };
    node.ask(&key(2), supervisor(9), None, assign).await.unwrap();
    for (caller, expect) in [(agent(1), vec![2]), (agent(2), vec![]), (supervisor(2), vec![1, 2])] {
        let (_outlet, mut client) = watch(&node, &caller, everything(1)).await;
        let mut console = Console::default();
        console.apply(take_all(&mut client));
        assert_eq!(console.shown(), expect, "{caller:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ended_watches_and_lost_connections_are_forgotten() {
    let node = Node::start().await;
    let inbox = node.system.inbox();
    let (one, mut client) = watch(&node, &agent(1), everything(1)).await;
    inbox.watch(&tenant(), &agent(1), everything(2), &one).await.unwrap();
    let (two, lost) = watch(&node, &agent(2), everything(1)).await;
    let views = async || node.system.observe().await.tenants[0].inbox.clone();
    assert_eq!((views().await.views, views().await.lists), (3, 1));
    inbox.unwatch(&tenant(), 2, one.id());
    assert_eq!(views().await.views, 2);
    drop(lost);
    node.create(1).await;
    pass(Duration::from_millis(200)).await;
    assert_eq!(views().await.views, 1);
    take_all(&mut client);
    inbox.unwatch_all(&tenant(), one.id());
    inbox.unwatch_all(&tenant(), two.id());
    assert_eq!((views().await.views, views().await.lists), (0, 0));
    node.create(2).await;
    pass(Duration::from_millis(200)).await;
    assert!(take_all(&mut client).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_failed_shows_its_watchers_everything_afresh() {
    let node = Node::start().await;
    node.create(1).await;
    let (_outlet, mut client) = watch(&node, &agent(1), everything(1)).await;
    let mut console = Console::default();
    console.apply(take_all(&mut client));
    node.system.tenant(&tenant()).inbox.actor().unwrap().kill();
    node.create(2).await;
    pass(Duration::from_secs(1)).await;
    console.apply(take_all(&mut client));
    assert_eq!((console.shown(), console.n_snapshots), (vec![1, 2], 2));
    node.create(3).await;
    step(&mut console, &mut client).await;
    assert_eq!(console.shown(), [1, 2, 3]);
    assert_eq!(node.system.observe().await.restarts, 1);
}

/// What each conversation shows on one connection: who is with it, typists with a mark.
#[derive(Default)]
struct Rooms {
    shown: BTreeMap<u128, Vec<String>>,
    n_told: usize,
}

impl Rooms {
    fn apply(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let Delivery::Company(all) = delivery else { continue };
            self.n_told += 1;
            for company in all.iter() {
                let names = company.agents.iter().map(|it| {
                    let mark = if it.types { " types" } else { "" };
                    format!("{}{mark}", it.agent.name)
                });
                self.shown.insert(number(company.conversation), names.collect());
            }
        }
        self.shown.retain(|_, names| !names.is_empty());
    }

    async fn follow(&mut self, client: &mut Receiver<Delivery>) {
        pass(2 * COMPANY_EVERY).await;
        self.apply(take_all(client));
    }

    fn of(&self, conversation: u128) -> Vec<&str> {
        self.shown.get(&conversation).into_iter().flatten().map(String::as_str).collect()
    }
}

fn with(node: &Node, conversation: u128, agents: &[(u128, bool)]) {
    let company = agents.iter().map(|(n, types)| Companion { agent: agent_ref(*n), types: *types });
    node.system.inbox().company(&key(conversation), &company.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn lists_show_who_is_with_their_conversations() {
    let node = Node::start().await;
    node.create(1).await;
    node.create_in(2, Some("sales")).await;
    with(&node, 1, &[(7, false)]);
    let (_outlet, mut client) = watch(&node, &agent(1), everything(1)).await;
    let mut rooms = Rooms::default();
    rooms.follow(&mut client).await;
    assert_eq!((rooms.of(1), rooms.of(2)), (vec!["agent 7"], vec![]), "as it was before");
    with(&node, 1, &[(7, false), (8, true)]);
    with(&node, 2, &[(7, false)]);
    with(&node, 9, &[(7, false)]);
    rooms.follow(&mut client).await;
    assert_eq!((rooms.of(1), rooms.of(2)), (vec!["agent 7", "agent 8 types"], vec!["agent 7"]));
    assert!(rooms.of(9).is_empty(), "what no list shows");
    with(&node, 1, &[]);
    rooms.follow(&mut client).await;
    assert!(rooms.of(1).is_empty());

    let sales = Watch { department: Some(DepartmentId("sales".into())), ..everything(1) };
    let (_outlet, mut client) = watch(&node, &agent(2), sales).await;
    let mut rooms = Rooms::default();
    with(&node, 1, &[(8, false)]);
    rooms.follow(&mut client).await;
    assert_eq!((rooms.of(1), rooms.of(2)), (vec![], vec!["agent 7"]));
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_see_a_conversation_hears_of_nobody_in_it() {
    let node = Node::with(Config { agents_see: AgentsSee::Own, ..Config::standard() }).await;
    node.create(1).await;
    for (caller, heard) in [(agent(1), 0), (visitor(1), 0), (supervisor(2), 1)] {
        let (_outlet, mut client) = watch(&node, &caller, everything(1)).await;
        let mut rooms = Rooms::default();
        with(&node, 1, &[(7, true)]);
        rooms.follow(&mut client).await;
        with(&node, 1, &[]);
        rooms.apply(take_all(&mut client));
        assert_eq!(rooms.of(1).len(), heard, "{caller:?}");
        if heard == 0 {
            assert_eq!(rooms.n_told, 0, "{caller:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn company_in_what_leaves_the_list_is_taken_back_and_told_again_with_it() {
    let node = Node::start().await;
    node.create(1).await;
    let waiting = Watch { statuses: vec![Status::Waiting], ..everything(1) };
    let (_outlet, mut client) = watch(&node, &agent(1), waiting).await;
    let mut rooms = Rooms::default();
    with(&node, 1, &[(7, false)]);
    rooms.follow(&mut client).await;
    node.ask(&key(1), agent(1), None, accept(1)).await.unwrap();
    rooms.follow(&mut client).await;
    // Nobody is told of what they do not see: it is as if all had left.
    with(&node, 1, &[(7, false), (8, false)]);
    rooms.follow(&mut client).await;
    assert!(rooms.of(1).is_empty());
    node.ask(&key(1), agent(1), None, Command::Unassign).await.unwrap();
    rooms.follow(&mut client).await;
    assert_eq!(rooms.of(1), ["agent 7", "agent 8"]);
}

#[tokio::test(start_paused = true)]
async fn company_is_told_twice_a_second_at_most_and_some_at_a_time() {
    let node = Node::start().await;
    for n in 1..=100 {
        node.create(n).await;
        with(&node, n, &[(7, false)]);
    }
    let (_outlet, mut client) = watch(&node, &agent(1), everything(1)).await;
    let mut rooms = Rooms::default();
    rooms.apply(take_all(&mut client));
    for n in 0..2_000 {
        with(&node, 1, &[(7, n % 2 == 0)]);
        tokio::time::sleep(Duration::from_millis(1)).await;
        rooms.apply(take_all(&mut client));
    }
    rooms.follow(&mut client).await;
    assert!((4..=7).contains(&rooms.n_told), "told {} times in two seconds", rooms.n_told);
    assert_eq!((rooms.shown.len(), rooms.of(1)), (100, vec!["agent 7"]));
    // Of a crowd, as many as can be shown.
    with(&node, 2, &(1..=50).map(|n| (n, false)).collect::<Vec<_>>());
    rooms.follow(&mut client).await;
    assert_eq!(rooms.of(2).len(), 8);
}

#[test]
fn company_that_a_slow_connection_went_without_is_told_when_it_reads_again() {
    let (outlet, mut client) = connection();
    let (board, room) = (Board::default(), ConversationId::from_u128(1));
    let typing =
        || Delivery::Typing { conversation: room, from: agent(1).author, on: true, preview: None };
    let mut told = Told::new(outlet.clone());
    let mut rooms = Rooms::default();
    for agents in [[7].as_slice(), &[]] {
        let with = |n| Companion { agent: agent_ref(n), types: false };
        board.put(room, &agents.iter().copied().map(with).collect::<Vec<_>>());
        while outlet.push(typing()) != Pushed::Dropped {}
        told.look_at([room]);
        told.see(|_| true);
        assert!(told.tell(&board), "it is left for later");
        take_all(&mut client);
        told.see(|_| true);
        assert!(!told.tell(&board));
        rooms.apply(take_all(&mut client));
        assert_eq!(rooms.of(1).len(), agents.len());
    }
}
