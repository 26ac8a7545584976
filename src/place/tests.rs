use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use switchboard_actors::meter::Unmetered;
use switchboard_actors::system::{Config as ActorsConfig, System};
use switchboard_actors::{Refusal, presence};
use switchboard_cluster::ownership::Owner;
use switchboard_cluster::rows::MemoryRows;
use switchboard_cluster::shard::Shard;
use switchboard_cluster::time::Times;
use switchboard_cluster::transport::memory::Network;
use switchboard_domain::conversation::{Command, Contact, Created, Request, SendKey, Start};
use switchboard_domain::ids::{AgentId, ConversationId, DeviceId, Id, Number, VisitorId};
use switchboard_domain::person::{AgentRef, Author, Caller, Principal, Role};
use switchboard_store::ConversationKey;
use switchboard_store::memory::Memory;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;
use crate::clock::SystemClock;

#[test]
fn the_clock_of_leases_never_goes_back() {
    let moments: Vec<Moment> = (0..1_000).map(|_| since_boot()).collect();
    assert!(moments.is_sorted() && moments[0] > Moment::default());
}

#[test]
fn every_life_has_a_boot_of_its_own() {
    assert_ne!(new_boot(), new_boot());
}

/// Tenants, each with a home somewhere, and conversations of each.
const TENANTS: u128 = 16;
const CONVERSATIONS: u128 = 2;
/// How long a request to the rows is on its way, and its answer again: a busy database.
const WAY: Duration = Duration::from_millis(20);
/// What a start does between its lease and its doors.
const START: Duration = Duration::from_secs(3);
/// The promise: nobody waits longer for an answer, while nothing fails.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// What the nodes have in common.
struct World {
    rows: Arc<MemoryRows>,
    store: Memory,
    network: Network,
}

/// A node as `node.rs` puts it together, without doors.
struct Member {
    driver: Driver,
    system: System,
}

impl World {
    fn new() -> Self {
        let rows = Arc::new(MemoryRows::slow(WAY));
        Self { rows, store: Memory::new(), network: Network::new(1) }
    }

    async fn join(&self, name: &str) -> Member {
        let name = NodeName(name.into());
        let remote = Remote::new();
        remote.connect(Arc::new(self.network.node(name.clone())));
        self.network.listen(&name, remote.receiver());
        let duties = Duties::among(Some(Arc::clone(&remote)));
        let began = Instant::now();
        let settings = Settings {
            node: name,
            address: "".into(),
            weight: 1,
            times: Times::DEFAULT,
            clock: Arc::new(move || Moment(began.elapsed())),
            boots: Arc::new(new_boot),
        };
        let rows = Arc::clone(&self.rows) as Arc<dyn Rows>;
        let driver = Driver::start(settings, rows, Arc::new(duties.clone()));
        driver.settled(LEASE_WITHIN).await;
        sleep(START).await;
        let system = System::join(
            ActorsConfig::standard(),
            Arc::new(self.store.clone()),
            Arc::new(SystemClock::default()),
            driver.ownership(),
            Arc::new(Unmetered),
            Some(Arc::clone(&remote)),
        );
        let system = system.await.unwrap();
        duties.begin(&system.conversations(), &*driver.ownership());
        remote.take_shards();
        Member { driver, system }
    }
}

impl Member {
    fn n_owned(&self) -> usize {
        let many = self.driver.ownership();
        Shard::all().filter(|shard| matches!(many.owner(*shard), Owner::Here(_))).count()
    }
}

fn agent(tenant: u128) -> AgentRef {
    AgentRef { id: AgentId::from_u128(tenant), name: "Ada".into() }
}

fn by_agent(tenant: u128) -> Caller {
    let AgentRef { id, name } = agent(tenant);
    Caller {
        author: Author { principal: Principal::Agent(id), name: Some(name) },
        role: Role::Agent,
    }
}

fn visitor(n: u128) -> Caller {
    let principal = Principal::Visitor(VisitorId::from_u128(n));
    Caller { author: Author { principal, name: None }, role: Role::Visitor }
}

fn key(tenant: u128, n: u128) -> ConversationKey {
    let conversation = ConversationId::from_u128(tenant * 100 + n);
    ConversationKey { tenant: TenantId(format!("tenant-{tenant}").into()), conversation }
}

fn create(n: u128) -> Command {
    let visitor = Contact::anonymous(VisitorId::from_u128(n));
    let created = Created::by(visitor, Id::from_u128(n), Number(u64::try_from(n).unwrap()));
    Command::Create {
        created: Box::new(created),
        welcome: None,
        message: None,
        start: Start::Waiting,
    }
}

/// Clients of a node who write and accept all the time, and what they went through.
#[derive(Clone, Default)]
struct Clients {
    is_over: Arc<AtomicBool>,
    waits: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl Clients {
    /// Notes how long an answer took. That nobody could say what it is to be is a failure; what
    /// the rules refuse is an answer.
    fn note<T>(&self, began: Instant, who: String, answer: Result<T, Refusal>) {
        let answer = answer.map(drop);
        assert!(matches!(answer, Ok(()) | Err(Refusal::Rejected(_))), "{who}: {answer:?}");
        self.waits.lock().push((began.elapsed(), who));
    }

    /// The longest wait since it was last asked, and how many there were.
    fn longest(&self) -> (Duration, String, usize) {
        let mut waits = std::mem::take(&mut *self.waits.lock());
        waits.sort();
        let n_waits = waits.len();
        let (longest, who) = waits.pop().expect("there were some");
        (longest, who, n_waits)
    }

    /// One who writes in a conversation through that node.
    fn write(&self, at: &Member, tenant: u128, n: u128) -> JoinHandle<()> {
        let (it, conversations) = (self.clone(), at.system.conversations());
        tokio::spawn(async move {
            let (key, caller) = (key(tenant, n), visitor(tenant * 100 + n));
            let command = create(tenant * 100 + n);
            let begin = Request { caller: caller.clone(), key: None, command };
            conversations.ask(&key, begin).await.expect("it begins");
            for n in 1.. {
                if it.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let began = Instant::now();
                let sent = SendKey { device: DeviceId::from_u128(1), n, digest: n };
                let command =
                    Command::Send { text: "Hello".into(), files: Vec::new(), if_head: None };
                let request = Request { caller: caller.clone(), key: Some(sent), command };
                let done = conversations.ask(&key, request).await;
                assert!(done.is_ok(), "{key:?}: {done:?}");
                it.note(began, format!("a writer in {key:?}"), done);
                sleep(Duration::from_millis(40)).await;
            }
        })
    }

    /// An agent who accepts, over and over, through that node.
    fn accept(&self, at: &Member, tenant: u128) -> JoinHandle<()> {
        let (it, presence): (_, presence::Handle) = (self.clone(), at.system.presence());
        tokio::spawn(async move {
            let key = key(tenant, 0);
            while !it.is_over.load(Ordering::Relaxed) {
                let began = Instant::now();
                let command = Command::Accept { agent: agent(tenant) };
                let request = Request { caller: by_agent(tenant), key: None, command };
                it.note(
                    began,
                    format!("an agent of {key:?}"),
                    presence.accept(&key, request).await,
                );
                sleep(Duration::from_millis(40)).await;
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_a_second_while_a_node_joins_and_while_one_drains() {
    let world = World::new();
    let (one, two) = (world.join("one").await, world.join("two").await);
    sleep(Duration::from_secs(20)).await;
    let clients = Clients::default();
    let mut running = Vec::new();
    for tenant in 1..=TENANTS {
        for n in 0..CONVERSATIONS {
            running.push(clients.write([&one, &two][usize::from(n > 0)], tenant, n));
        }
        running.push(clients.accept([&two, &one][usize::from(tenant % 2 > 0)], tenant));
    }
    sleep(Duration::from_secs(5)).await;
    clients.longest();

    let three = world.join("three").await;
    sleep(Duration::from_secs(10)).await;
    assert!(three.n_owned() > 240, "{}", three.n_owned());
    let (longest, who, n_waits) = clients.longest();
    println!("join: of {n_waits} waits the longest took {longest:?}, of {who}");
    assert!(longest <= WAIT_MAX, "join: {who} waited {longest:?}");

    // Its clients are still there, and served by way of the others.
    one.driver.drain();
    one.driver.ended().await;
    sleep(Duration::from_secs(3)).await;
    let (longest, who, n_waits) = clients.longest();
    println!("drain: of {n_waits} waits the longest took {longest:?}, of {who}");
    assert!(longest <= WAIT_MAX, "drain: {who} waited {longest:?}");
    clients.is_over.store(true, Ordering::Relaxed);
    for client in running {
        client.await.unwrap();
    }
}
