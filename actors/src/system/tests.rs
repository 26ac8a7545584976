use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchboard_cluster::ownership::{Epoch, NodeName, Owner, Ownership};
use switchboard_cluster::shard::Shard;
use switchboard_domain::conversation::Stream;
use switchboard_domain::person::Role;
use switchboard_domain::presence::Status;
use switchboard_store::Store;

use crate::answer::Refusal;
use crate::delivery::Delivery;
use crate::presence::{AgentPresence, Profile, View};
use crate::supervisor::FAILURES_MAX;
use crate::system::{Config, REPAIR_BATCH, repair};
use crate::tenant::Tenants;
use crate::testing::{
    Node, Troubled, agent, agent_ref, connection, pass, take_all, take_seqs, tenant, visitor,
};
use crate::{queue, region};

#[tokio::test(start_paused = true)]
async fn a_region_that_failed_comes_back_with_its_subscriptions() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let (outlet, mut client) = connection();
    let conversations = node.system.conversations();
    conversations.subscribe(&key, &visitor(1), Stream::Public, 1, &outlet).await.unwrap();
    node.say(&key, 1).await.unwrap();
    node.system.kill_regions();
    pass(Duration::from_millis(100)).await;
    assert!(node.say(&key, 1).await.unwrap().duplicate, "the log knows");
    node.say(&key, 2).await.unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(take_seqs(&mut client), [2, 3]);
    assert!(node.system.observe().await.restarts > 0);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_touched_while_the_actors_start_has_its_actors_too() {
    let node = Node::start().await;
    let (world, root) = (&node.system.world, &node.system.root);
    // Another node asked for a conversation: the regions were there, and the root not yet.
    let tenants = Tenants::default();
    let touched = tenants.get(world, &tenant());
    let ask = || {
        let asked =
            |permit, reply| queue::Message::PoliciesChanged { asked: Some((permit, reply)) };
        touched.queue.ask(Duration::from_secs(1), asked)
    };
    assert!(matches!(ask().await, Err(Refusal::Busy { .. })), "nobody is there yet");
    tenants.live_under(world, root.clone());
    ask().await.expect("they are there");
    assert!(Arc::ptr_eq(&touched, &tenants.get(world, &tenant())));
}

#[tokio::test(start_paused = true)]
async fn presence_that_failed_comes_back_with_its_watchers() {
    let node = Node::start().await;
    let (outlet, mut client) = connection();
    let presence = node.system.presence();
    presence.watch(&tenant(), View::Agents, &outlet).await;
    node.system.tenant(&tenant()).presence.actor().unwrap().kill();
    pass(Duration::from_secs(1)).await;
    take_all(&mut client);
    presence.alive(&tenant(), agent_ref(1).id);
    let chosen = Status::Busy;
    presence.set_status(&tenant(), &agent_ref(1), chosen).await.unwrap();
    let told = take_all(&mut client);
    assert!(matches!(&told[..], [Delivery::Presence { snapshot: false, .. }]), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn presence_that_failed_knows_who_is_connected() {
    let node = Node::start().await;
    let presence = node.system.presence();
    let (stays, leaves) = (agent_ref(1), agent_ref(2));
    for (connection, agent) in [(10, &stays), (20, &leaves)] {
        let name = agent.name.clone();
        let profile = Profile { name, role: Role::Agent, departments: Arc::default() };
        presence.connected(&tenant(), agent.id, connection, profile).await.unwrap();
    }
    node.system.tenant(&tenant()).presence.actor().unwrap().kill();
    // Nobody is there to hear it.
    presence.disconnected(&tenant(), leaves.id, 20);
    pass(Duration::from_secs(1)).await;
    let online = |it: AgentPresence| it.effective == Status::Online;
    let found = presence.get(&tenant(), stays.id).await.unwrap();
    assert!(found.is_some_and(online), "still connected");
    let found = presence.get(&tenant(), leaves.id).await.unwrap();
    assert!(!found.is_some_and(online), "left meanwhile");
    assert!(presence.anybody_online(&tenant()));
}

#[tokio::test(start_paused = true)]
async fn a_system_whose_regions_keep_failing_says_so() {
    let node = Node::start().await;
    let life = node.system.life();
    for _ in 0..=FAILURES_MAX {
        node.system.kill_regions();
        pass(Duration::from_millis(400)).await;
    }
    let ended = tokio::time::timeout(Duration::from_secs(1), life.ended());
    assert!(ended.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn draining_ends_every_actor() {
    let node = Node::start().await;
    let key = node.create(1).await;
    let conversations = node.system.conversations();
    let presence = node.system.presence();
    presence.all(&tenant()).await.unwrap();
    let inbox = node.system.tenant(&tenant()).inbox.actor().unwrap();
    let life = node.system.life();
    let alive = tokio::time::timeout(Duration::from_secs(1), life.ended());
    assert!(alive.await.is_err());
    node.system.drain(Duration::from_secs(5)).await;
    assert!(conversations.state(&key, &agent(1)).await.is_err());
    tokio::time::timeout(Duration::from_secs(1), inbox.wait(None)).await.unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(1), life.ended()).await.unwrap();
}

/// Whoever closes the store after a drain needs to be the last who holds it.
#[tokio::test(start_paused = true)]
async fn draining_lets_go_of_the_store() {
    let store = Arc::new(Troubled::default());
    let node = Node::over(Arc::clone(&store) as _, Config::standard()).await;
    let key = node.create(1).await;
    node.say(&key, 1).await.unwrap();
    node.system.presence().all(&tenant()).await.unwrap();
    drop(node.clock);
    node.system.drain(Duration::from_secs(5)).await;
    pass(Duration::from_secs(20)).await;
    assert_eq!(Arc::strong_count(&store), 1);
}

/// A node that has one shard, and another that has all others.
#[derive(Debug)]
struct OneShard(NodeName, Shard);

impl Ownership for OneShard {
    fn node(&self) -> &NodeName {
        &self.0
    }

    fn owner(&self, shard: Shard) -> Owner {
        if shard == self.1 { Owner::Here(Epoch(2)) } else { Owner::There(NodeName("b".into())) }
    }

    fn holds(&self, shard: Shard, epoch: Epoch) -> bool {
        self.owner(shard) == Owner::Here(epoch)
    }

    fn moved(&self, _shard: Shard, _to: NodeName) {}
}

#[tokio::test(start_paused = true)]
async fn a_start_repairs_what_it_owns_behind_many_of_others() {
    let node = Node::start().await;
    node.store.loses_checkpoints.store(true, Ordering::Relaxed);
    let mut last = node.create(1).await;
    for n in 2..=u128::try_from(2 * REPAIR_BATCH).unwrap() {
        last = node.create(n).await;
    }
    let left = node.store.left_behind();
    let ownership = OneShard(NodeName("a".into()), region::shard(&last));
    let behind = left.dirty(usize::MAX).await.unwrap();
    assert!(behind.len() > REPAIR_BATCH && behind.last() == Some(&last));
    repair(&left, &ownership, None).await.unwrap();
    let mut rest = left.dirty(usize::MAX).await.unwrap();
    assert!(rest.len() > REPAIR_BATCH, "those of others are theirs");
    rest.retain(|key| region::shard(key) == ownership.1);
    assert_eq!(rest, []);
}
