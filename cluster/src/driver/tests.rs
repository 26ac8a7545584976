use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Driver, Settings, Standing, Work};
use crate::claims::LEAVING_MAX;
use crate::ownership::{Boot, Epoch, Many, NodeName, Owner, Ownership as _};
use crate::rows::{
    Fate, LeaseRow, LeaseState, LeaseVersion, MemoryRows, Outcome, OwnerRow, Reply, Rows,
    Unreadable,
};
use crate::shard::{SHARDS, Shard};
use crate::time::{Moment, Times};

const ALL: usize = 1024;

/// A node's way to the rows, which can be cut.
#[derive(Debug)]
struct Way {
    rows: Arc<MemoryRows>,
    is_cut: AtomicBool,
}

impl Way {
    fn now<T: Send + 'static>(&self, reply: Reply<T>, lost: T) -> Reply<T> {
        if self.is_cut.load(Ordering::Relaxed) { Box::pin(std::future::ready(lost)) } else { reply }
    }
}

impl Rows for Way {
    fn leases(&self) -> Reply<Result<Vec<(NodeName, LeaseRow)>, Unreadable>> {
        self.now(self.rows.leases(), Err(Unreadable))
    }

    fn lease(&self, node: &NodeName) -> Reply<Result<Option<LeaseRow>, Unreadable>> {
        self.now(self.rows.lease(node), Err(Unreadable))
    }

    fn swap_lease(
        &self,
        node: &NodeName,
        expect: Option<LeaseVersion>,
        row: LeaseRow,
    ) -> Reply<Outcome<LeaseRow>> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Outcome::Unknown));
        }
        self.rows.swap_lease(node, expect, row)
    }

    fn owners(&self) -> Reply<Result<Vec<(Shard, OwnerRow)>, Unreadable>> {
        self.now(self.rows.owners(), Err(Unreadable))
    }

    fn swap_owner(
        &self,
        shard: Shard,
        expect: Option<OwnerRow>,
        row: OwnerRow,
    ) -> Reply<Outcome<OwnerRow>> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Outcome::Unknown));
        }
        self.rows.swap_owner(shard, expect, row)
    }
}

/// How nodes tell each other what they gave away.
#[derive(Debug, Default)]
struct Links(Mutex<BTreeMap<NodeName, Arc<Many>>>);

/// What the actors of a node heard.
#[derive(Debug, Default)]
struct Heard {
    settled: Mutex<Vec<Shard>>,
    serving: Mutex<BTreeMap<Shard, Epoch>>,
    n_lost: AtomicU64,
    name: Option<NodeName>,
    /// Those that can be told; without any everybody takes, and nobody is told.
    links: Option<Arc<Links>>,
}

impl Work for Heard {
    fn claimed(&self, shard: Shard, epoch: Epoch) {
        let before = self.serving.lock().insert(shard, epoch);
        assert!(before.is_none_or(|before| before < epoch), "{before:?} {epoch:?}");
    }

    fn settle(&self, shard: Shard, epoch: Epoch) -> Reply<()> {
        assert_eq!(self.serving.lock().remove(&shard), Some(epoch));
        self.settled.lock().push(shard);
        Box::pin(tokio::time::sleep(Duration::from_millis(20)))
    }

    fn takes(&self, node: &NodeName) -> bool {
        self.links.as_ref().is_none_or(|links| links.0.lock().contains_key(node))
    }

    fn released(&self, shard: Shard, epoch: Epoch, next: Option<&NodeName>) {
        assert!(!self.serving.lock().contains_key(&shard));
        let (Some(links), Some(me), Some(next)) = (&self.links, &self.name, next) else { return };
        if let Some(next) = links.0.lock().get(next) {
            next.given(me, shard, epoch);
        }
    }

    fn drop_shard(&self, shard: Shard) {
        self.serving.lock().remove(&shard);
    }

    fn drop_all(&self) {
        self.serving.lock().clear();
        self.n_lost.fetch_add(1, Ordering::Relaxed);
    }
}

struct Node {
    driver: Driver,
    many: Arc<Many>,
    way: Arc<Way>,
    heard: Arc<Heard>,
}

impl Node {
    fn start(name: &str, rows: &Arc<MemoryRows>) -> Self {
        Self::linked(name, rows, None)
    }

    fn linked(name: &str, rows: &Arc<MemoryRows>, links: Option<&Arc<Links>>) -> Self {
        let way = Arc::new(Way { rows: Arc::clone(rows), is_cut: AtomicBool::new(false) });
        let heard = Arc::new(Heard {
            name: Some(NodeName(name.into())),
            links: links.cloned(),
            ..Heard::default()
        });
        let began = Instant::now();
        let settings = Settings {
            node: NodeName(name.into()),
            address: name.into(),
            weight: 1,
            times: Times::DEFAULT,
            clock: Arc::new(move || Moment(began.elapsed())),
            boots: Arc::new(|| Boot(Uuid::new_v4())),
        };
        let driver =
            Driver::start(settings, Arc::clone(&way) as Arc<dyn Rows>, Arc::clone(&heard) as _);
        Self { many: driver.ownership(), driver, way, heard }
    }

    /// From now on others may give it shards, and tell it of them.
    fn takes(&self, links: &Links) {
        let name = self.heard.name.clone().expect("it has one");
        links.0.lock().insert(name, Arc::clone(&self.many));
        for node in links.0.lock().values() {
            node.asked_in_vain();
        }
    }

    fn cut(&self, is_cut: bool) {
        self.way.is_cut.store(is_cut, Ordering::Relaxed);
    }

    fn epoch(&self, shard: Shard) -> Option<Epoch> {
        match self.many.owner(shard) {
            Owner::Here(epoch) => Some(epoch),
            Owner::There(_) | Owner::Nobody => None,
        }
    }

    fn n_owned(&self) -> usize {
        Shard::all().filter(|shard| self.epoch(*shard).is_some()).count()
    }

    async fn settled(&self) -> Standing {
        self.driver.settled(Duration::from_secs(60)).await
    }
}

/// Lets virtual time pass in small steps, so that everything due is done, and looks after each.
async fn pass(ms: u64, mut look: impl FnMut()) {
    for _ in 0..ms / 50 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        look();
    }
}

/// P6: no shard is anybody's twice.
fn one_owner(nodes: &[&Node]) {
    assert_eq!(owned_twice(nodes), None);
}

fn owned_twice(nodes: &[&Node]) -> Option<Shard> {
    let owners = |shard| nodes.iter().filter_map(|node| node.epoch(shard)).count();
    Shard::all().find(|shard| owners(*shard) > 1)
}

fn exact() -> Arc<MemoryRows> {
    Arc::new(MemoryRows::default())
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_owns_everything_and_what_it_serves_is_told() {
    let one = Node::start("one", &exact());
    assert_eq!(one.driver.standing(), Standing::Joining);
    assert_eq!(one.settled().await, Standing::In { is_settled: true });
    assert_eq!((one.n_owned(), one.heard.serving.lock().len()), (ALL, ALL));
    assert_eq!(usize::from(SHARDS), ALL);
    pass(30_000, || assert_eq!(one.n_owned(), ALL)).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_rows_a_node_refuses_within_its_lease_and_comes_back_as_the_same() {
    let one = Node::start("one", &exact());
    one.settled().await;
    let shard = Shard::of("acme", "conversation", b"1");
    let epoch = one.epoch(shard).expect("it is served");
    one.cut(true);
    pass(2_900, || assert!(one.many.holds(shard, epoch))).await;
    pass(1_200, || {}).await;
    assert!(!one.many.holds(shard, epoch), "four seconds after the last renewal was sent");
    assert_eq!(one.n_owned(), 0);
    pass(60_000, || assert_eq!(one.n_owned(), 0)).await;
    one.cut(false);
    pass(2_000, || {}).await;
    assert_eq!(one.epoch(shard), Some(epoch), "nobody else was there: it is the same life");
    assert_eq!((one.n_owned(), one.heard.n_lost.load(Ordering::Relaxed)), (ALL, 0));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_node_waits_for_the_life_before_it() {
    let rows = exact();
    let before = Node::start("one", &rows);
    before.settled().await;
    // As if it was killed: nothing of it writes any more.
    before.cut(true);
    let after = Node::start("one", &rows);
    pass(4_900, || one_owner(&[&before, &after])).await;
    assert_eq!(after.n_owned(), 0);
    assert_eq!(after.settled().await, Standing::In { is_settled: true });
    assert_eq!((before.n_owned(), after.n_owned()), (0, ALL));
    let shard = Shard::of("acme", "conversation", b"1");
    assert_eq!(after.epoch(shard), Some(Epoch(2)));
    // The one before finds that it is over, and waits for its turn.
    before.cut(false);
    pass(3_000, || one_owner(&[&before, &after])).await;
    assert_eq!(before.heard.n_lost.load(Ordering::Relaxed), 1);
    assert_eq!((before.n_owned(), after.n_owned()), (0, ALL));
}

#[tokio::test(start_paused = true)]
async fn shards_move_to_a_node_that_comes_and_from_one_that_is_cut_off() {
    let rows = exact();
    let one = Node::start("one", &rows);
    one.settled().await;
    let two = Node::start("two", &rows);
    pass(20_000, || one_owner(&[&one, &two])).await;
    assert_eq!(one.n_owned() + two.n_owned(), ALL);
    assert!((400..=624).contains(&two.n_owned()), "about half: {}", two.n_owned());
    assert_eq!(one.heard.settled.lock().len(), two.n_owned(), "each was settled before it left");
    let away = Shard::all().find(|shard| two.epoch(*shard).is_some()).expect("two has some");
    assert_eq!(one.many.owner(away), Owner::There(NodeName("two".into())));

    two.cut(true);
    pass(12_000, || one_owner(&[&one, &two])).await;
    assert_eq!((one.n_owned(), two.n_owned()), (ALL, 0));
    two.cut(false);
    pass(20_000, || one_owner(&[&one, &two])).await;
    assert_eq!(two.heard.n_lost.load(Ordering::Relaxed), 1);
    assert_eq!(one.n_owned() + two.n_owned(), ALL);
    assert!((400..=624).contains(&two.n_owned()), "it has its share again: {}", two.n_owned());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_is_followed_as_soon_as_its_watch_is_over() {
    let rows = exact();
    let (one, two) = (Node::start("one", &rows), Node::start("two", &rows));
    pass(20_000, || one_owner(&[&one, &two])).await;
    // Whenever it dies between two renewals: a last renewal is seen within a second, five more are
    // watched, and what it owned is claimed without another round's wait.
    for late in [0, 250, 500, 750] {
        pass(late, || {}).await;
        two.cut(true);
        pass(6_200, || one_owner(&[&one, &two])).await;
        assert_eq!(one.n_owned(), ALL, "{late} ms later");
        two.cut(false);
        pass(20_000, || one_owner(&[&one, &two])).await;
        assert!(two.n_owned() > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_is_claimed_as_soon_as_it_was_given_away() {
    let rows = exact();
    let (one, two) = (Node::start("one", &rows), Node::start("two", &rows));
    pass(20_000, || one_owner(&[&one, &two])).await;
    one.driver.drain();
    let mut waited = BTreeMap::new();
    let mut longest = 0;
    for _ in 0..200 {
        // Somebody asks the node that each of them should go to, as clients do.
        for shard in Shard::all().filter(|shard| two.epoch(*shard).is_none()) {
            two.many.asked_in_vain();
            if one.epoch(shard).is_none() {
                let ms = waited.entry(shard).or_insert(0);
                *ms += 20;
                longest = longest.max(*ms);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    one.driver.ended().await;
    assert_eq!(two.n_owned(), ALL);
    // Less than the second that a round would come after, whatever it was about to do when asked.
    assert!(!waited.is_empty() && longest < 1_000, "a shard was nobody's for {longest} ms");
}

/// How long each shard that changes hands is nobody's, in virtual milliseconds.
#[derive(Default)]
struct Gaps {
    open: BTreeMap<Shard, u64>,
    closed: Vec<u64>,
    at_once_max: usize,
}

impl Gaps {
    const STEP_MS: u64 = 5;

    /// Looks who serves what for so long.
    async fn watch(&mut self, nodes: &[&Node], ms: u64) {
        for _ in 0..ms / Self::STEP_MS {
            tokio::time::sleep(Duration::from_millis(Self::STEP_MS)).await;
            for shard in Shard::all() {
                let n_owners = nodes.iter().filter(|node| node.epoch(shard).is_some()).count();
                assert!(n_owners <= 1, "P6: {shard:?}");
                if n_owners == 0 {
                    *self.open.entry(shard).or_default() += Self::STEP_MS;
                } else {
                    self.closed.extend(self.open.remove(&shard));
                }
            }
            self.at_once_max = self.at_once_max.max(self.open.len());
        }
    }

    /// How many there were, the longest, and how many at once; none is open any more.
    fn seen(&self) -> (usize, u64, usize) {
        assert!(self.open.is_empty(), "nobody's: {:?}", self.open);
        let longest = self.closed.iter().max().copied().unwrap_or_default();
        (self.closed.len(), longest, self.at_once_max)
    }
}

/// A request to a busy database is on its way for so long, and its answer again.
const WAY: Duration = Duration::from_millis(20);

/// Nodes over a database that is as slow as that, each of which the others may give shards to.
async fn linked<const N: usize>(names: [&str; N]) -> (Arc<MemoryRows>, Arc<Links>, [Node; N]) {
    let (rows, links) = (Arc::new(MemoryRows::slow(WAY)), Arc::default());
    let start = |name: &str| {
        let node = Node::linked(name, &rows, Some(&links));
        node.takes(&links);
        node
    };
    let nodes = names.map(start);
    pass(40_000, || {}).await;
    (rows, links, nodes)
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_goes_to_a_node_that_joins_is_nobodys_for_a_moment() {
    let (rows, links, [one, two]) = linked(["one", "two"]).await;
    let three = Node::linked("three", &rows, Some(&links));
    let nodes = [&one, &two, &three];
    let mut gaps = Gaps::default();
    // It has its lease and cannot serve yet: nothing is given to it.
    gaps.watch(&nodes, 10_000).await;
    assert_eq!((three.driver.standing(), three.n_owned()), (Standing::In { is_settled: true }, 0));
    assert_eq!(gaps.seen(), (0, 0, 0));
    three.takes(&links);
    gaps.watch(&nodes, 20_000).await;
    assert!((240..=440).contains(&three.n_owned()), "its share: {}", three.n_owned());
    let (n_moved, longest_ms, at_once) = gaps.seen();
    println!("join: {n_moved} shards, nobody's for {longest_ms} ms at most, {at_once} at once");
    assert_eq!(n_moved, three.n_owned());
    // The actors settle in 20 ms, then two writes; the claim begins with the next step.
    assert!(longest_ms <= 150, "{longest_ms} ms");
    assert!(at_once <= 6 * LEAVING_MAX, "{at_once}");
}

#[tokio::test(start_paused = true)]
async fn a_shard_of_a_node_that_drains_is_nobodys_for_a_moment() {
    let (_rows, _links, [one, two, three]) = linked(["one", "two", "three"]).await;
    let n_owned = one.n_owned();
    let mut gaps = Gaps::default();
    one.driver.drain();
    gaps.watch(&[&one, &two, &three], 10_000).await;
    assert_eq!((one.driver.standing(), one.n_owned()), (Standing::Ended, 0));
    let (n_moved, longest_ms, at_once) = gaps.seen();
    println!("drain: {n_moved} shards, nobody's for {longest_ms} ms at most, {at_once} at once");
    assert_eq!(n_moved, n_owned);
    // The first wait until the others have read that the node drains.
    assert!(longest_ms <= 500, "{longest_ms} ms");
    assert!(at_once <= 6 * LEAVING_MAX, "{at_once}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_be_told_of_is_found_by_the_next_round() {
    let (_rows, links, [one, two]) = linked(["one", "two"]).await;
    // The link to it has ended, and who drains gives its shards away nevertheless.
    links.0.lock().clear();
    one.driver.drain();
    one.driver.ended().await;
    pass(3_000, || one_owner(&[&one, &two])).await;
    assert_eq!(two.n_owned(), ALL);
}

#[tokio::test(start_paused = true)]
async fn who_else_is_there_is_told_with_their_addresses() {
    let rows = exact();
    let (one, two) = (Node::start("one", &rows), Node::start("two", &rows));
    let named = |node: &Node| {
        let peers = node.driver.peers();
        let peers = peers.borrow().clone();
        peers.into_iter().map(|(node, at)| format!("{node} at {at}")).collect::<Vec<_>>()
    };
    pass(3_000, || {}).await;
    assert_eq!((named(&one), named(&two)), (vec!["two at two".into()], vec!["one at one".into()]));
    // One that stands still is there until its lease is marked dead.
    two.cut(true);
    pass(4_000, || {}).await;
    assert_eq!(named(&one).len(), 1);
    pass(8_000, || {}).await;
    assert!(named(&one).is_empty());
    two.cut(false);
    pass(8_000, || {}).await;
    assert_eq!(named(&one), ["two at two"]);
    two.driver.drain();
    two.driver.ended().await;
    pass(3_000, || {}).await;
    assert!(named(&one).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_drains_gives_everything_away_and_ends() {
    let rows = exact();
    let (one, two) = (Node::start("one", &rows), Node::start("two", &rows));
    pass(20_000, || one_owner(&[&one, &two])).await;
    one.driver.drain();
    let began = Instant::now();
    one.driver.ended().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let lease = rows.lease(&NodeName("one".into())).await.expect("it reads").expect("it is there");
    assert_eq!((lease.state, one.driver.standing()), (LeaseState::Released, Standing::Ended));
    // It reads no more who owns what, and yet knows the way.
    let two_name = NodeName("two".into());
    assert!(Shard::all().all(|shard| one.many.owner(shard) == Owner::There(two_name.clone())));
    pass(3_000, || one_owner(&[&one, &two])).await;
    assert_eq!((one.n_owned(), two.n_owned()), (0, ALL));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_is_followed_without_a_watch() {
    let rows = exact();
    let one = Node::start("one", &rows);
    one.settled().await;
    one.driver.leave();
    one.driver.ended().await;
    let next = Node::start("one", &rows);
    let began = Instant::now();
    assert_eq!(next.settled().await, Standing::In { is_settled: true });
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!((one.n_owned(), next.n_owned()), (0, ALL));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_nothing_leaves_at_once() {
    for leave in [Driver::leave, Driver::drain] {
        let nobody = Node::start("one", &exact());
        nobody.cut(true);
        pass(500, || {}).await;
        leave(&nobody.driver);
        nobody.driver.ended().await;
    }
}

/// A sequence of numbers that a seed determines.
struct Dice(AtomicU64);

impl Dice {
    fn throw(&self, sides: u64) -> u64 {
        let next = |x: u64| {
            let x = x ^ (x << 13);
            let x = x ^ (x >> 7);
            x ^ (x << 17)
        };
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |x| Some(next(x)));
        next(before.unwrap_or(1)) % sides
    }
}

#[tokio::test(start_paused = true)]
async fn faults_of_every_kind_make_no_second_owner_and_leave_nothing_behind() {
    for seed in 1..=2_u64 {
        let dice = Arc::new(Dice(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        let has_faults = Arc::new(AtomicBool::new(true));
        let (thrown, are_on) = (Arc::clone(&dice), Arc::clone(&has_faults));
        let rows = Arc::new(MemoryRows::with_fates(move || {
            if !are_on.load(Ordering::Relaxed) {
                return Fate::Answered;
            }
            match thrown.throw(12) {
                0 => Fate::AnswerLost,
                1 => Fate::Lost,
                2 => Fate::Late,
                _ => Fate::Answered,
            }
        }));
        let nodes: Vec<Node> =
            ["one", "two", "three"].iter().map(|name| Node::start(name, &rows)).collect();
        let all: Vec<&Node> = nodes.iter().collect();
        for _ in 0..8 {
            let node = &nodes[usize::try_from(dice.throw(3)).expect("it is small")];
            node.cut(dice.throw(3) > 0);
            pass(1_000 + dice.throw(80) * 100, || {
                assert_eq!(owned_twice(&all), None, "seed {seed}");
                if dice.throw(20) == 0 {
                    rows.land();
                }
            })
            .await;
        }
        has_faults.store(false, Ordering::Relaxed);
        rows.land();
        for node in &nodes {
            node.cut(false);
        }
        pass(40_000, || assert_eq!(owned_twice(&all), None, "seed {seed}")).await;
        let owned: Vec<usize> = nodes.iter().map(Node::n_owned).collect();
        assert_eq!(owned.iter().sum::<usize>(), ALL, "seed {seed}: {owned:?}");
        assert!(owned.iter().all(|n| *n > 200), "seed {seed}: {owned:?}");
        // What the actors were told is what is owned.
        for node in &nodes {
            let serving = node.heard.serving.lock().clone();
            let owned: BTreeMap<_, _> =
                Shard::all().filter_map(|it| Some((it, node.epoch(it)?))).collect();
            assert_eq!(serving, owned, "seed {seed}");
        }
    }
}
