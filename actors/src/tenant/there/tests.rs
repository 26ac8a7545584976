//! Three nodes over a network in memory: whoever is asked, wherever the home is and whatever
//! happens to it, agents, queue and lists are what the logs say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use switchboard_cluster::transport::{VERSIONS, Versions};
use switchboard_domain::card::Sort;
use switchboard_domain::conversation::{Command, Rejection, Request, Resolution};
use switchboard_domain::ids::DepartmentId;
use switchboard_domain::permission::AgentsSee;
use switchboard_domain::person::Role;
use switchboard_domain::presence::Status;
use switchboard_domain::queue::Policy;
use switchboard_store::ListScope;
use tokio::task::JoinSet;

use super::super::link::shard;
use super::*;
use crate::answer::Done;
use crate::delivery::{Delivery, Outlet};
use crate::inbox::{Change, Rows, Watch};
use crate::presence::{AgentPresence, CONNECTED_WITHIN, Profile, View};
use crate::remote::home::Place;
use crate::subscriber::Receiver;
use crate::system::Config;
use crate::testing::cluster::{Cluster, Dice, name, settle};
use crate::testing::{
    Node, Troubled, accept, agent, agent_ref, connection, create, key, send, send_key, supervisor,
    take_all, tenant, visitor,
};

fn profile(n: u128, departments: &[&str]) -> Profile {
    let departments = departments.iter().map(|it| DepartmentId((*it).into())).collect();
    Profile { name: agent_ref(n).name, role: Role::Agent, departments }
}

async fn connect(cluster: &Cluster, at: usize, n: u128) {
    let presence = cluster.system(at).presence();
    let number = u64::try_from(n).expect("small");
    let shown = presence.connected(&tenant(), agent_ref(n).id, number, profile(n, &[])).await;
    assert_eq!(shown.expect("connected").effective, Status::Online, "agent {n} at {at}");
}

fn disconnect(cluster: &Cluster, at: usize, n: u128) {
    let presence = cluster.system(at).presence();
    presence.disconnected(&tenant(), agent_ref(n).id, u64::try_from(n).expect("small"));
}

async fn take(cluster: &Cluster, at: usize, n: u128, conversation: u128) -> Result<Done, Refusal> {
    let request = Request { caller: agent(n), key: None, command: accept(n) };
    cluster.system(at).presence().accept(&key(conversation), request).await
}

async fn give_to(cluster: &Cluster, at: usize, n: u128, conversation: u128) -> bool {
    let done = take(cluster, at, n, conversation).await;
    done.is_ok_and(|done| done.state.agent.as_ref().is_some_and(|it| *it == agent_ref(n)))
}

fn close() -> Command {
    Command::Close { resolution: Resolution::Resolved }
}

/// Agents as a node shows them, by number.
async fn shown(cluster: &Cluster, at: usize) -> BTreeMap<u128, AgentPresence> {
    let all = cluster.system(at).presence().all(&tenant()).await.expect("shown");
    all.iter().map(|it| (it.agent.id.uuid().as_u128(), it.clone())).collect()
}

/// Makes a node the home.
fn move_home(cluster: &Cluster, to: usize) {
    cluster.table.give(shard(&tenant()), to);
    cluster.announce(shard(&tenant()));
}

fn home(cluster: &Cluster) -> usize {
    cluster.table.of(shard(&tenant())).0
}

fn give(cluster: &Cluster, conversation: u128, to: usize) {
    let shard = region::shard(&key(conversation));
    cluster.table.give(shard, to);
    cluster.announce(shard);
}

/// Somebody who watches agents, or whether anybody is there.
async fn watcher(cluster: &Cluster, at: usize, view: View) -> (Outlet, Receiver<Delivery>) {
    let (outlet, receiver) = connection();
    cluster.system(at).presence().watch(&tenant(), view, &outlet).await;
    (outlet, receiver)
}

/// The statuses that a watcher was shown, the newest of each agent.
fn statuses(watcher: &mut Receiver<Delivery>) -> BTreeMap<u128, Status> {
    let mut statuses = BTreeMap::new();
    for delivery in take_all(watcher) {
        let Delivery::Presence { agents, .. } = delivery else { continue };
        for it in &*agents {
            statuses.insert(it.agent.id.uuid().as_u128(), it.effective);
        }
    }
    statuses
}

/// A dashboard: what the steps of its list make of it.
struct Dashboard {
    outlet: Outlet,
    client: Receiver<Delivery>,
    version: u64,
    rows: BTreeMap<u128, (Status2, Option<u128>)>,
}

type Status2 = switchboard_domain::conversation::Status;

impl Dashboard {
    async fn open(cluster: &Cluster, at: usize) -> Self {
        let (outlet, client) = connection();
        let watch = Watch {
            id: 1,
            statuses: Vec::new(),
            department: None,
            scope: ListScope::All,
            sort: Sort::Recent,
            limit: 200,
        };
        let inbox = cluster.system(at).inbox();
        inbox.watch(&tenant(), &supervisor(9), watch, &outlet).await.expect("watched");
        Self { outlet, client, version: 0, rows: BTreeMap::new() }
    }

    fn follow(&mut self) {
        for delivery in take_all(&mut self.client) {
            let Delivery::View(delta) = delivery else { continue };
            self.version += 1;
            assert_eq!(delta.version, self.version, "every step is one");
            let changes = match delta.rows {
                Rows::Snapshot(rows) => rows.into_iter().map(Change::Put).collect(),
                Rows::Changes(changes) => changes,
            };
            for change in changes {
                match change {
                    Change::Put(row) => {
                        let agent = row.card.agent.map(|it| it.uuid().as_u128());
                        let id = row.card.id.uuid().as_u128();
                        self.rows.insert(id, (row.card.status, agent));
                    }
                    Change::Drop(id) => drop(self.rows.remove(&id.uuid().as_u128())),
                }
            }
        }
        assert!(!self.outlet.is_closed(), "a dashboard was cut off");
    }
}

/// What the conversations say: the open ones, each with its agent.
async fn truth(cluster: &Cluster, count: u128) -> BTreeMap<u128, (Status2, Option<u128>)> {
    let mut open = BTreeMap::new();
    for n in 1..=count {
        let at = cluster.place_of(0);
        for _ in 0..20 {
            match cluster.at(at).state(&key(n), &supervisor(9)).await {
                Ok(view) if view.state.status.is_open() => {
                    let agent = view.state.agent.as_ref().map(|it| it.id.uuid().as_u128());
                    open.insert(n, (view.state.status, agent));
                    break;
                }
                Ok(_) | Err(Refusal::Rejected(Rejection::NotFound)) => break,
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
    open
}

/// The open conversations as a node lists them.
fn listed(cluster: &Cluster, at: usize) -> BTreeMap<u128, (Status2, Option<u128>)> {
    let cards = cluster.system(at).inbox().open_cards(&tenant());
    let row = |card: &Arc<Card>| {
        (card.id.uuid().as_u128(), (card.status, card.agent.map(|it| it.uuid().as_u128())))
    };
    cards.iter().map(row).collect()
}

/// The first conversation is open, and nothing else, as each node has it.
fn check_all_list_the_first(cluster: &Cluster) {
    for at in 0..3 {
        assert_eq!(listed(cluster, at).into_keys().collect::<Vec<_>>(), [1], "at {at}");
    }
}

async fn turn(cluster: &Cluster, time: Duration) {
    for _ in 0..40 {
        cluster.clock.turn_ms(i64::try_from(time.as_millis()).expect("small") / 40);
        tokio::time::sleep(time / 40).await;
    }
}

#[tokio::test(start_paused = true)]
async fn agents_are_the_same_at_every_node() {
    let cluster = Cluster::start(3, 1).await;
    move_home(&cluster, 1);
    let (_console, mut console) = watcher(&cluster, 2, View::Agents).await;
    let (_widget, mut widget) = watcher(&cluster, 0, View::Anybody).await;
    settle().await;
    take_all(&mut widget);
    for (at, n) in [(0, 1), (1, 2), (2, 3)] {
        connect(&cluster, at, n).await;
    }
    settle().await;
    assert_eq!(statuses(&mut console).len(), 3);
    assert!(matches!(&take_all(&mut widget)[..], [Delivery::AnybodyOnline(true)]));
    let presence = cluster.system(0).presence();
    presence.set_status(&tenant(), &agent_ref(3), Status::Busy).await.expect("set");
    presence.set_capacity(&tenant(), &agent_ref(3), 7).await.expect("set");
    let refused = presence.set_capacity(&tenant(), &agent_ref(3), 21).await;
    assert!(matches!(refused, Err(Refusal::Rejected(Rejection::Invalid { .. }))), "{refused:?}");
    settle().await;
    assert_eq!(statuses(&mut console), BTreeMap::from([(3, Status::Busy)]));
    let all = shown(&cluster, 1).await;
    assert_eq!((all[&3].capacity, all[&3].chosen), (7, Status::Busy));
    for at in 0..3 {
        assert_eq!(shown(&cluster, at).await, all, "at {at}");
        assert!(cluster.system(at).presence().anybody_online(&tenant()), "at {at}");
        let seen = cluster.system(at).presence().seen(&tenant()).await.expect("seen");
        assert_eq!(seen.len(), 3, "at {at}");
    }
    // Leaving is seen everywhere, after the time of a reload.
    for (at, n) in [(0, 1), (1, 2)] {
        disconnect(&cluster, at, n);
    }
    turn(&cluster, Duration::from_secs(9)).await;
    assert_eq!(statuses(&mut console), BTreeMap::new());
    turn(&cluster, Duration::from_secs(2)).await;
    let left = BTreeMap::from([(1, Status::Offline), (2, Status::Offline)]);
    assert_eq!(statuses(&mut console), left);
    assert!(matches!(&take_all(&mut widget)[..], [Delivery::AnybodyOnline(false)]));
    // A sign of life without a connection counts wherever it is heard.
    presence.alive(&tenant(), agent_ref(1).id);
    settle().await;
    assert_eq!(statuses(&mut console), BTreeMap::from([(1, Status::Online)]));
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_node_takes_its_connections_with_it_and_no_others() {
    for home_dies in [false, true] {
        let cluster = Cluster::start(3, 2).await;
        // The first node dies, and owns nothing else.
        move_home(&cluster, usize::from(!home_dies));
        for (at, n) in [(0, 1), (1, 2), (2, 3), (0, 4), (2, 4)] {
            connect(&cluster, at, n).await;
        }
        let (_console, mut console) = watcher(&cluster, 2, View::Agents).await;
        let (_other, mut other) = watcher(&cluster, 1, View::Agents).await;
        settle().await;
        for console in [&mut console, &mut other] {
            let before = statuses(console);
            assert_eq!(before.len(), 4);
            assert!(before.values().all(|it| *it == Status::Online));
        }
        *cluster.dead.lock() = Some(0);
        cluster.network.crash(&name(0)).await;
        turn(&cluster, Duration::from_secs(5)).await;
        if home_dies {
            move_home(&cluster, 1);
        }
        // Whoever is connected elsewhere is not seen to go, not for a moment.
        turn(&cluster, Duration::from_secs(12)).await;
        for console in [&mut console, &mut other] {
            assert_eq!(statuses(console), BTreeMap::from([(1, Status::Offline)]), "{home_dies}");
        }
        for at in [1, 2] {
            let all = shown(&cluster, at).await;
            let online = all.iter().filter(|(_, it)| it.effective == Status::Online);
            let online: Vec<u128> = online.map(|(n, _)| *n).collect();
            assert_eq!(online, [2, 3, 4], "at {at}, {home_dies}");
        }
        cluster.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_accepts_at_different_nodes_one_wins_and_the_slot_comes_back() {
    let cluster = Arc::new(Cluster::start(3, 3).await);
    move_home(&cluster, 1);
    for n in [1, 2] {
        let presence = cluster.system(0).presence();
        presence.set_capacity(&tenant(), &agent_ref(n), 1).await.expect("set");
    }
    for round in 1..=30 {
        let owner = usize::try_from(round % 3).expect("small");
        give(&cluster, round, owner);
        let (at, create) = (key(round), create(round, None));
        cluster.ask(2, &at, visitor(round), None, create).await.expect("created");
        let race = [(0, 1), (1, 2)].map(|(at, n)| {
            let cluster = Arc::clone(&cluster);
            tokio::spawn(async move { take(&cluster, at, n, round).await })
        });
        let [one, two] = race;
        let results = [one.await.expect("ends"), two.await.expect("ends")];
        let winner = results.iter().position(Result::is_ok).expect("one wins");
        let lost = &results[1 - winner];
        let Err(Refusal::Rejected(Rejection::AlreadyAccepted { by })) = lost else {
            panic!("{lost:?}")
        };
        assert_eq!(*by, agent_ref(u128::try_from(winner).expect("small") + 1));
        cluster.ask(2, &key(round), supervisor(9), None, close()).await.expect("closed");
        settle().await;
    }
    let observed = cluster.system(1).observe().await;
    assert_eq!(observed.tenants[0].presence.slots_taken, 0);
    let Some(cluster) = Arc::into_inner(cluster) else { panic!("somebody still races") };
    cluster.stop().await;
}

/// The slot of an accept that the last home allowed, and of which nobody has heard, is not given
/// away by the next one.
#[tokio::test(start_paused = true)]
async fn the_next_home_knows_what_the_last_one_reserved() {
    let cluster = Cluster::start(3, 4).await;
    move_home(&cluster, 0);
    let presence = cluster.system(0).presence();
    presence.set_capacity(&tenant(), &agent_ref(1), 1).await.expect("set");
    for n in [1, 2] {
        give(&cluster, n, 1);
        cluster.ask(1, &key(n), visitor(n), None, create(n, None)).await.expect("created");
    }
    let it = cluster.system(0).tenant(&tenant());
    let agent = agent_ref(1);
    let conversation = key(1).conversation;
    let reserve =
        |_permit, reply| presence::Message::Reserve { agent, conversation, _permit, reply };
    it.presence.ask(Duration::from_secs(5), reserve).await.expect("reserved");
    move_home(&cluster, 2);
    let full = take(&cluster, 1, 1, 2).await;
    assert!(matches!(full, Err(Refusal::Rejected(Rejection::AtCapacity))), "{full:?}");
    // Nothing came of it.
    turn(&cluster, Duration::from_secs(11)).await;
    take(&cluster, 1, 1, 2).await.expect("free again");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_queue_goes_on_wherever_the_home_is() {
    let cluster = Cluster::start(3, 5).await;
    move_home(&cluster, 0);
    connect(&cluster, 2, 1).await;
    // Said at any node.
    let queue = cluster.system(2).queue();
    queue.set_policy(&tenant(), None, Policy::LeastBusy).await.expect("set");
    settle().await;
    for (n, home) in [(1, 0), (2, 1), (3, 2), (4, 0)] {
        move_home(&cluster, home);
        give(&cluster, n, usize::try_from(n % 3).expect("small"));
        // At once, before anybody has found the new home.
        cluster.ask(1, &key(n), visitor(n), None, create(n, None)).await.expect("created");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let state = cluster.at(2).state(&key(n), &supervisor(9)).await.expect("seen").state;
        assert_eq!(state.agent, Some(agent_ref(1)), "{n} waits with the home at {home}");
    }
    let observed = cluster.system(1).observe().await;
    assert_eq!(
        observed.tenants[0].queue,
        crate::observe::Queue { routed: 1, ..Default::default() }
    );
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_visitor_hears_its_place_from_another_node() {
    let cluster = Cluster::start(3, 6).await;
    move_home(&cluster, 0);
    for n in [1, 2] {
        give(&cluster, n, 1);
        cluster.ask(2, &key(n), visitor(n), None, create(n, None)).await.expect("created");
        cluster.clock.turn_ms(10);
    }
    let (_outlet, mut widget) = widget(&cluster, 2).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(places(&mut widget), [2]);
    assert!(give_to(&cluster, 2, 7, 1).await);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(places(&mut widget), [1]);
    cluster.stop().await;
}

/// Whoever listens hears their place whichever node is home by then, and though they did not wait
/// when they began to listen. Whoever does not listen is not told, if their node would say so.
#[tokio::test(start_paused = true)]
async fn places_are_told_to_those_who_listen_wherever_the_home_is() {
    let before = Versions { newest: 2, ..VERSIONS };
    for (versions, tells_all) in [(VERSIONS, false), (before, true)] {
        let cluster = Cluster::of_versions(Config::standard(), &[versions; 3], 16).await;
        move_home(&cluster, 0);
        for n in 1..=4 {
            give(&cluster, n, 1);
            cluster.ask(2, &key(n), visitor(n), None, create(n, None)).await.expect("created");
            cluster.clock.turn_ms(10);
        }
        connect(&cluster, 2, 7).await;
        assert!(give_to(&cluster, 2, 7, 2).await);
        let (_second, mut second) = widget(&cluster, 2).await;
        let (_third, mut third) = widget(&cluster, 3).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!((places(&mut second), places(&mut third)), (vec![], vec![2]));
        let is_told = |at: usize, n: u128| {
            let place = Place { position: 9, eta: None };
            let link = cluster.system(at).tenant(&tenant());
            let link = link.link().expect("other nodes");
            link.note_place(&name(1), ConversationId::from_u128(n), place)
        };
        let waits = [tells_all, tells_all, true, tells_all];
        assert_eq!([1, 2, 3, 4].map(|n| is_told(0, n)), waits);
        tokio::time::sleep(Duration::from_secs(6)).await;
        drop((take_all(&mut second), take_all(&mut third)));

        move_home(&cluster, 2);
        cluster.ask(0, &key(2), supervisor(9), None, Command::Unassign).await.expect("waits");
        tokio::time::sleep(Duration::from_secs(12)).await;
        let last = |widget: &mut Receiver<Delivery>| places(widget).last().copied();
        assert_eq!((last(&mut second), last(&mut third)), (Some(4), Some(2)));
        assert_eq!([1, 2, 3, 4].map(|n| is_told(2, n)), [tells_all, true, true, tells_all]);
        cluster.ask(1, &key(3), supervisor(9), None, close()).await.expect("closed");
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(is_told(2, 3), tells_all, "nobody waits there any more");
        let reopen = Command::Reopen { agent: None };
        cluster.ask(1, &key(3), supervisor(9), None, reopen).await.expect("waits again");
        settle().await;
        assert!(is_told(2, 3), "its visitor has listened all the time");
        cluster.stop().await;
    }
}

/// A conversation that goes to the node of its visitor is not subscribed to anew.
#[tokio::test(start_paused = true)]
async fn places_are_told_to_those_whose_conversation_comes_to_their_node() {
    let cluster = Cluster::start(3, 17).await;
    move_home(&cluster, 0);
    give(&cluster, 1, 1);
    connect(&cluster, 2, 7).await;
    cluster.ask(2, &key(1), visitor(1), None, create(1, None)).await.expect("created");
    let (_outlet, mut widget) = widget(&cluster, 1).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(places(&mut widget), [1]);
    cluster.at(1).let_go(region::shard(&key(1))).await;
    give(&cluster, 1, 2);
    // Before anybody has looked whether what is listened to is elsewhere.
    cluster.ask(2, &key(1), visitor(1), Some(send_key(1, 1)), send("hello")).await.expect("sent");
    tokio::time::sleep(Duration::from_secs(6)).await;
    let lost = |it: &Delivery| matches!(it, Delivery::Unsubscribed { .. });
    assert!(!take_all(&mut widget).iter().any(lost), "it listens on");
    let link = cluster.system(0).tenant(&tenant());
    let place = Place { position: 9, eta: None };
    let listens =
        link.link().expect("other nodes").note_place(&name(2), key(1).conversation, place);
    assert!(listens, "the home does not know");
    cluster.stop().await;
}

/// A visitor of another node than the conversation's, and what they hear.
async fn widget(cluster: &Cluster, n: u128) -> (Outlet, Receiver<Delivery>) {
    let (outlet, widget) = connection();
    let public = switchboard_domain::conversation::Stream::Public;
    let subscribed = cluster.at(2).subscribe(&key(n), &visitor(n), public, 1, &outlet).await;
    subscribed.expect("subscribed");
    (outlet, widget)
}

/// The places that a visitor was told.
fn places(widget: &mut Receiver<Delivery>) -> Vec<u32> {
    let told = take_all(widget).into_iter();
    let place = told.filter_map(|it| match it {
        Delivery::QueuePosition { position, .. } => Some(position),
        _ => None,
    });
    place.collect()
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_another_node_sees_the_conversations_of_their_departments() {
    let config = Config { agents_see: AgentsSee::Departments, ..Config::standard() };
    let cluster = Cluster::with(config, 3, 7).await;
    move_home(&cluster, 0);
    give(&cluster, 1, 1);
    let created = create(1, Some("sales"));
    cluster.ask(1, &key(1), visitor(1), None, created).await.expect("created");
    for (n, department) in [(1, "sales"), (2, "support")] {
        let presence = cluster.system(2).presence();
        let (id, profile) = (agent_ref(n).id, profile(n, &[department]));
        presence.connected(&tenant(), id, 1, profile).await.expect("connected");
    }
    settle().await;
    // Read at the owner, which neither of them is connected to.
    let seen = cluster.at(2).state(&key(1), &agent(1)).await;
    assert!(seen.is_ok(), "{seen:?}");
    let hidden = cluster.at(2).state(&key(1), &agent(2)).await;
    assert!(matches!(hidden, Err(Refusal::Rejected(Rejection::NotFound))), "{hidden:?}");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn dashboards_of_any_node_show_what_happens_at_the_others() {
    let cluster = Cluster::start(3, 8).await;
    move_home(&cluster, 0);
    let mut boards = Vec::new();
    for at in 0..3 {
        boards.push(Dashboard::open(&cluster, at).await);
    }
    for n in 1..=9 {
        let at = usize::try_from(n % 3).expect("small");
        give(&cluster, n, at);
        cluster.ask(at, &key(n), visitor(n), None, create(n, None)).await.expect("created");
    }
    assert!(give_to(&cluster, 1, 1, 1).await && give_to(&cluster, 2, 2, 2).await);
    cluster.ask(2, &key(3), supervisor(9), None, close()).await.expect("closed");
    // A list moves on when its watcher has taken the step before.
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        boards.iter_mut().for_each(Dashboard::follow);
    }
    let truth = truth(&cluster, 9).await;
    assert_eq!(truth.len(), 8);
    for (at, board) in boards.iter_mut().enumerate() {
        board.follow();
        assert_eq!(board.rows, truth, "at {at}");
        assert!(board.version <= 10, "{} steps", board.version);
    }
    // Unread is what this agent has not read, wherever the receipt was raised.
    let (sent, said) = (send_key(1, 1), send("hello"));
    cluster.ask(0, &key(1), visitor(1), Some(sent), said).await.expect("said");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let unread = |at| {
        let it = cluster.system(at).tenant(&tenant());
        let cards = it.cards().all();
        let card = cards.iter().filter(|it| it.id == key(1).conversation);
        it.cards().unread(Some(agent_ref(1).id), card)
    };
    assert_eq!([unread(0), unread(1), unread(2)], [[1], [1], [1]]);
    let head = cluster.at(2).state(&key(1), &agent(1)).await.expect("seen").state.heads.public;
    cluster.at(2).receipt(&key(1), &agent(1), Some(head), Some(head));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!([unread(0), unread(1), unread(2)], [[0], [0], [0]]);
    cluster.stop().await;
}

/// What a node stored while it was cut off, and did not live to tell, is in the store.
#[tokio::test(start_paused = true)]
async fn what_nobody_lived_to_tell_is_found() {
    for home_dies in [false, true] {
        let cluster = Cluster::start(4, 9).await;
        move_home(&cluster, if home_dies { 1 } else { 2 });
        for n in 1..=3 {
            give(&cluster, n, 1);
        }
        for n in [1, 2] {
            cluster.ask(3, &key(n), visitor(n), None, create(n, None)).await.expect("created");
        }
        let boards = [2, 3].map(|at| (at, cluster.system(at).inbox()));
        for is_first in [true, false] {
            for (at, inbox) in &boards {
                let n_open = inbox.open_cards(&tenant()).len();
                assert!(is_first || n_open == 2, "at {at}");
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        for other in [0, 2, 3] {
            cluster.network.cut(&name(1), &name(other), Duration::ZERO).await;
        }
        cluster.ask(1, &key(1), supervisor(9), None, close()).await.expect("closed");
        cluster.ask(1, &key(3), visitor(3), None, create(3, None)).await.expect("created");
        tokio::time::sleep(Duration::from_secs(2)).await;
        for (at, _) in &boards {
            assert!(listed(&cluster, *at).contains_key(&1), "at {at} nobody knows");
        }
        cluster.network.crash(&name(1)).await;
        for n in 1..=3 {
            give(&cluster, n, 3);
        }
        if home_dies {
            move_home(&cluster, 2);
        }
        tokio::time::sleep(Duration::from_secs(8)).await;
        for (at, _) in &boards {
            let open: Vec<u128> = listed(&cluster, *at).into_keys().collect();
            assert_eq!(open, [2, 3], "at {at}, {home_dies}");
        }
        cluster.stop().await;
    }
}

/// A node that begins reads what the owner had not written yet; the home knows that it is over.
#[tokio::test(start_paused = true)]
async fn a_node_that_reads_slowly_lists_nothing_that_is_over() {
    let first = Troubled::default();
    let stores = [first.clone(), first.left_behind(), first.left_behind()];
    let cluster = Cluster::over(&stores, 11).await;
    move_home(&cluster, 0);
    give(&cluster, 1, 1);
    cluster.ask(1, &key(1), visitor(1), None, create(1, None)).await.expect("created");
    tokio::time::sleep(Duration::from_secs(5)).await;
    stores[1].loses_checkpoints.store(true, Ordering::Relaxed);
    cluster.ask(1, &key(1), supervisor(9), None, close()).await.expect("closed");
    settle().await;
    stores[2].receipts_take_ms.store(2_000, Ordering::Relaxed);
    for is_first in [true, false] {
        assert_eq!(listed(&cluster, 2), BTreeMap::new(), "{is_first}");
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    cluster.stop().await;
}

/// A node begins to read, becomes the home, and is followed before it has read.
#[tokio::test(start_paused = true)]
async fn who_follows_a_home_that_still_reads_hears_of_all_that_it_reads() {
    let store = Troubled::default();
    let mut cluster = Cluster::over(&[store.clone(), store.left_behind()], 13).await;
    move_home(&cluster, 0);
    give(&cluster, 1, 1);
    cluster.ask(1, &key(1), visitor(1), None, create(1, None)).await.expect("created");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let slow = store.left_behind();
    slow.lists_take_ms.store(2_000, Ordering::Relaxed);
    cluster.join(Config::standard(), VERSIONS, Arc::new(slow)).await;
    assert_eq!(listed(&cluster, 2), BTreeMap::new(), "it reads");
    tokio::time::sleep(Duration::from_secs(1)).await;
    give(&cluster, 1, 2);
    move_home(&cluster, 2);
    tokio::time::sleep(Duration::from_secs(12)).await;
    check_all_list_the_first(&cluster);
    cluster.stop().await;
}

/// A node was killed right after it stored a conversation. When it starts again it finds that, and
/// the home read the store before.
#[tokio::test(start_paused = true)]
async fn what_a_start_repairs_is_listed_by_all() {
    let store = Troubled::default();
    let mut cluster = Cluster::over(&[store.clone(), store.clone()], 12).await;
    give(&cluster, 1, 2);
    for is_first in [true, false] {
        for at in [0, 1] {
            assert_eq!(listed(&cluster, at), BTreeMap::new(), "{is_first}, at {at}");
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    let killed = Node::open(store.left_behind(), Config::standard()).await;
    killed.store.loses_checkpoints.store(true, Ordering::Relaxed);
    killed.create(1).await;
    let left = killed.store.left_behind();
    cluster.join(Config::standard(), VERSIONS, Arc::new(left)).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    check_all_list_the_first(&cluster);
    cluster.stop().await;
}

/// The home may still tell it as open, as it was told before the node was killed.
#[tokio::test(start_paused = true)]
async fn what_a_start_finds_ended_is_not_open_again() {
    let before = Cluster::start(1, 18).await;
    let created = before.ask(0, &key(1), visitor(1), None, create(1, None)).await.expect("created");
    let ended = before.ask(0, &key(1), supervisor(9), None, close()).await.expect("closed");
    before.stop().await;
    let cluster = Cluster::start(2, 18).await;
    let started = cluster.system(1).tenant(&tenant());
    started.tell_repaired(&ended.state, cluster.table.of(region::shard(&key(1))).1);
    started.put_told(&Arc::new(Card::of(&created.state)), By::Node(&name(0)));
    assert_eq!(listed(&cluster, 1), BTreeMap::new());
    cluster.stop().await;
}

/// Home and guest may not agree on whether there is a visit: then another begins.
#[tokio::test(start_paused = true)]
async fn a_guest_whom_the_home_forgot_begins_anew() {
    let cluster = Cluster::start(3, 10).await;
    move_home(&cluster, 0);
    give(&cluster, 1, 2);
    cluster.ask(2, &key(1), visitor(1), None, create(1, None)).await.expect("created");
    assert!(!cluster.system(1).presence().anybody_online(&tenant()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    cluster.system(0).tenant(&tenant()).gone(&name(1));
    cluster.ask(2, &key(1), supervisor(9), None, close()).await.expect("closed");
    settle().await;
    assert_eq!(listed(&cluster, 1).len(), 1, "it was not told");
    // It was not told of anything that ended either: the home does not list it any more.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(listed(&cluster, 1).len(), 0);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_connects_while_no_node_is_home_waits_a_moment_and_is_known_to_the_next() {
    let cluster = Cluster::start(3, 15).await;
    move_home(&cluster, 0);
    connect(&cluster, 1, 1).await;
    cluster.network.crash(&name(0)).await;
    let began = Instant::now();
    let presence = cluster.system(1).presence();
    let refused = presence.connected(&tenant(), agent_ref(2).id, 2, profile(2, &[])).await;
    refused.expect_err("nobody answers");
    assert!(began.elapsed() <= CONNECTED_WITHIN, "after {:?}", began.elapsed());
    for next in [2, 1] {
        move_home(&cluster, next);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let shown = shown(&cluster, next).await;
        for n in [1, 2] {
            assert_eq!(shown[&n].effective, Status::Online, "agent {n} at {next}");
        }
    }
    cluster.stop().await;
}

/// What goes wrong meanwhile.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Nothing.
    None,
    /// Another node is home from now on.
    HomeMoves,
    /// Conversations go to other nodes.
    ConversationsMove,
    /// A link is lost and comes back.
    Cut,
    /// The home is cut off for a while, and another takes its place.
    HomeIsolated,
    /// The home dies, and later another takes its place.
    HomeDies,
}

const N_AGENTS: u64 = 4;
const N_CONVERSATIONS: u64 = 24;

#[tokio::test(start_paused = true)]
async fn capacity_holds_and_everything_comes_to_what_the_logs_say() {
    use Trouble::{ConversationsMove, Cut, HomeDies, HomeIsolated, HomeMoves, None};
    for seed in 1..=3 {
        for trouble in [None, HomeMoves, ConversationsMove, Cut, HomeIsolated, HomeDies] {
            Box::pin(through(trouble, seed)).await;
        }
    }
}

async fn through(trouble: Trouble, seed: u64) {
    println!("{trouble:?}, seed {seed}");
    let cluster = Arc::new(Cluster::start(3, seed).await);
    let mut dice = Dice(seed * 101 + 7);
    move_home(&cluster, 0);
    for n in 1..=N_AGENTS {
        let n = u128::from(n);
        connect(&cluster, cluster.any(&mut dice), n).await;
        let presence = cluster.system(cluster.any(&mut dice)).presence();
        presence.set_capacity(&tenant(), &agent_ref(n), 2).await.expect("set");
    }
    for n in 1..=N_CONVERSATIONS {
        give(&cluster, n.into(), cluster.any(&mut dice));
    }
    let mut boards = [
        Dashboard::open(&cluster, 0).await,
        Dashboard::open(&cluster, 1).await,
        Dashboard::open(&cluster, 2).await,
    ];
    for _ in 0..25 {
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let mut dice = Dice(dice.below(u64::MAX) | 1);
            let cluster = Arc::clone(&cluster);
            tasks.spawn(async move { anything(&cluster, &mut dice).await });
        }
        go_wrong(&cluster, trouble, &mut dice).await;
        tasks.join_all().await;
        cluster.clock.turn_ms(100);
        tokio::time::sleep(Duration::from_millis(dice.below(200))).await;
        let mut owned = BTreeMap::<u128, usize>::new();
        for (_, agent) in truth(&cluster, N_CONVERSATIONS.into()).await.into_values() {
            *owned.entry(agent.unwrap_or(0)).or_default() += 1;
        }
        owned.remove(&0);
        assert!(owned.values().all(|it| *it <= 2), "P11: {trouble:?}, seed {seed}: {owned:?}");
        for board in &mut boards {
            board.follow();
        }
    }
    // It is over: everything is what the logs say, before long.
    turn(&cluster, Duration::from_secs(30)).await;
    boards.iter_mut().for_each(Dashboard::follow);
    tokio::time::sleep(Duration::from_secs(1)).await;
    boards.iter_mut().for_each(Dashboard::follow);
    let lists = [0, 1, 2].map(|at| listed(&cluster, at));
    // Only now: who is asked, and was not in memory, tells what it is.
    let truth = truth(&cluster, N_CONVERSATIONS.into()).await;
    let live: BTreeSet<usize> = (0..3).map(|at| cluster.place_of(at)).collect();
    let agents = shown(&cluster, home(&cluster)).await;
    for (n, it) in &agents {
        let owned = truth.values().filter(|(_, agent)| *agent == Some(*n)).count();
        assert_eq!(it.active, owned, "slots of {n}: {trouble:?}, seed {seed}");
    }
    for at in live {
        assert_eq!(lists[at], truth, "cards: {trouble:?}, seed {seed}, at {at}");
        assert_eq!(boards[at].rows, truth, "lists: {trouble:?}, seed {seed}, at {at}");
        let known = cluster.system(at).tenant(&tenant()).link().expect("linked").agents();
        for (id, it) in known {
            assert_eq!(it, agents[&id.uuid().as_u128()], "{trouble:?}, seed {seed}, at {at}");
        }
    }
    let waiting = truth.values().filter(|(status, _)| *status == Status2::Waiting).count();
    let observed = cluster.system(home(&cluster)).observe().await;
    assert_eq!(observed.tenants[0].queue.waiting, waiting, "{trouble:?}, seed {seed}");
    let Some(cluster) = Arc::into_inner(cluster) else { panic!("somebody still asks") };
    cluster.stop().await;
}

/// Something that people do, at some node. It may be refused.
async fn anything(cluster: &Cluster, dice: &mut Dice) {
    let at = cluster.any(dice);
    let n = u128::from(1 + dice.below(N_CONVERSATIONS));
    let agent = u128::from(1 + dice.below(N_AGENTS));
    match dice.below(8) {
        0 | 1 => drop(cluster.ask(at, &key(n), visitor(n), None, create(n, None)).await),
        2..=4 => drop(take(cluster, at, agent, n).await),
        5 => drop(cluster.ask(at, &key(n), supervisor(9), None, close()).await),
        6 => drop(cluster.ask(at, &key(n), supervisor(9), None, Command::Unassign).await),
        _ => drop(cluster.ask(at, &key(n), visitor(n), None, send("something")).await),
    }
}

async fn go_wrong(cluster: &Cluster, trouble: Trouble, dice: &mut Dice) {
    let (one, other) = (cluster.any(dice), cluster.any(dice));
    let at_home = home(cluster);
    match trouble {
        Trouble::HomeMoves if dice.below(2) == 0 => move_home(cluster, one),
        Trouble::ConversationsMove => give(cluster, u128::from(1 + dice.below(24)), one),
        Trouble::Cut if one != other => {
            let late = Duration::from_millis(dice.below(40));
            cluster.network.cut(&name(one), &name(other), late).await;
            tokio::time::sleep(Duration::from_millis(dice.below(900))).await;
            cluster.network.connect(&name(one), &name(other));
        }
        Trouble::HomeIsolated if dice.below(4) == 0 && one != at_home => {
            let others: Vec<usize> = (0..3).filter(|it| *it != at_home).collect();
            for it in &others {
                cluster.network.cut(&name(at_home), &name(*it), Duration::ZERO).await;
            }
            tokio::time::sleep(Duration::from_millis(dice.below(2_000))).await;
            move_home(cluster, one);
            tokio::time::sleep(Duration::from_millis(dice.below(2_000))).await;
            for it in &others {
                cluster.network.connect(&name(at_home), &name(*it));
            }
        }
        Trouble::HomeDies if cluster.dead.lock().is_none() && one != at_home => {
            *cluster.dead.lock() = Some(at_home);
            cluster.network.crash(&name(at_home)).await;
            tokio::time::sleep(Duration::from_millis(dice.below(6_000))).await;
            move_home(cluster, one);
            for n in 1..=N_CONVERSATIONS {
                if cluster.table.of(region::shard(&key(n.into()))).0 == at_home {
                    give(cluster, n.into(), cluster.any(dice));
                }
            }
        }
        _ => {}
    }
}
