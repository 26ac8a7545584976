use switchboard_cluster::ownership::NodeName;
use switchboard_domain::conversation::{Body, Event, Ordinals};
use switchboard_domain::ids::{AgentId, Id, Seq, TenantId, Timestamp, VisitorId};

use super::audience::Hearers;
use super::*;
use crate::meter::{Dropped, Unmetered};
use crate::subscriber::{ITEMS_MAX, Receiver, queue};
use crate::testing::{agent, key, take_all, take_seqs, visitor};

const VISITOR: Principal = Principal::Visitor(VisitorId::from_u128(1));
const AGENT: Principal = Principal::Agent(AgentId::from_u128(1));

fn fanout() -> Fanout {
    Fanout::new(Arc::new(Unmetered), false, None)
}

fn event(stream: Stream, seq: u64) -> Arc<Published> {
    let event = Event {
        stream,
        seq: Seq(seq),
        public_head: Seq(seq),
        id: Id::from_u128(1),
        at: Timestamp(0),
        from: Author::SYSTEM,
        key: None,
        ordinals: Ordinals::default(),
        body: Body::Archived,
    };
    Arc::new(Published::new(key(1).conversation, event))
}

fn subscribe(
    fanout: &Fanout,
    principal: Principal,
    stream: Stream,
) -> (Outlet, Receiver<Delivery>) {
    let (outlet, client) = queue();
    enter(fanout, &outlet, principal, stream);
    (outlet, client)
}

fn enter(fanout: &Fanout, outlet: &Outlet, principal: Principal, stream: Stream) {
    let role = if principal.is_agent() { Role::Agent } else { Role::Visitor };
    let subscription = Subscription { outlet: outlet.clone(), principal, role, stream };
    let heads = Heads { public: Seq(5), internal: Seq(2) };
    fanout.subscribe(&key(1), (heads, Epoch(1)), subscription, Delivery::AnybodyOnline(true));
}

#[test]
fn a_visitor_is_there_on_this_node_or_another_until_they_go() {
    let fanout = fanout();
    let (_agent, _hears) = subscribe(&fanout, AGENT, Stream::Public);
    assert!(!fanout.has_visitor(&key(1)), "an agent is no visitor");
    let (here, page) = subscribe(&fanout, VISITOR, Stream::Public);
    assert!(fanout.has_visitor(&key(1)) && !fanout.has_visitor(&key(2)));
    drop(page);
    assert!(!fanout.has_visitor(&key(1)), "the page is closed");
    fanout.unsubscribe(&key(1), Stream::Public, here.id());
    let node = NodeName("other".into());
    let (principal, role, stream) = (VISITOR, Role::Visitor, Stream::Public);
    let heads = Heads { public: Seq(5), internal: Seq(2) };
    let listener = Listener { node: node.clone(), principal, role, stream };
    fanout.listen(&key(1), (heads, Epoch(1)), listener);
    assert!(fanout.has_visitor(&key(1)), "on another node");
    fanout.unlisten(&key(1), &node, Stream::Public);
    assert!(!fanout.has_visitor(&key(1)));
}

#[test]
fn each_stream_reaches_its_subscribers_alone() {
    let fanout = fanout();
    let (_one, mut public) = subscribe(&fanout, VISITOR, Stream::Public);
    let (_two, mut internal) = subscribe(&fanout, AGENT, Stream::Internal);
    fanout.publish(&key(1), &[event(Stream::Public, 6), event(Stream::Internal, 3)]);
    fanout.publish(&key(2), &[event(Stream::Public, 9)]);
    assert_eq!(take_seqs(&mut public), [6]);
    assert_eq!(take_seqs(&mut internal), [3]);
    assert_eq!(fanout.resume(&key(1), Epoch(1)), Some(Heads { public: Seq(6), internal: Seq(3) }));
    assert_eq!(fanout.resume(&key(2), Epoch(1)), None);
}

#[test]
fn subscribing_again_replaces_and_marks_again() {
    let fanout = fanout();
    let (outlet, mut client) = subscribe(&fanout, VISITOR, Stream::Public);
    enter(&fanout, &outlet, VISITOR, Stream::Public);
    fanout.publish(&key(1), &[event(Stream::Public, 6)]);
    assert_eq!(take_seqs(&mut client), [6]);
    assert_eq!(fanout.counts(), (1, 1));
    fanout.unsubscribe(&key(1), Stream::Internal, outlet.id());
    assert_eq!(fanout.counts(), (1, 1));
    fanout.unsubscribe(&key(1), Stream::Public, outlet.id());
    assert_eq!(fanout.counts(), (0, 0));
}

#[derive(Debug, Default)]
struct Counting(std::sync::Mutex<Vec<Dropped>>);

impl Meter for Counting {
    fn dropped(&self, what: Dropped) {
        self.0.lock().unwrap().push(what);
    }
}

#[test]
fn what_is_not_delivered_is_counted() {
    let counting = Arc::new(Counting::default());
    let fanout = Fanout::new(Arc::clone(&counting) as _, false, None);
    let (_one, _client) = subscribe(&fanout, VISITOR, Stream::Public);
    let (_two, _other) = subscribe(&fanout, AGENT, Stream::Internal);
    for seq in 6..=260 {
        fanout.publish(&key(1), &[event(Stream::Public, seq)]);
    }
    fanout.typing(&key(1), &agent(1), true, None);
    fanout.publish(&key(1), &[event(Stream::Public, 261)]);
    fanout.publish(&key(1), &[event(Stream::Public, 262)]);
    assert_eq!(*counting.0.lock().unwrap(), [Dropped::Ephemeral, Dropped::SlowConnection]);
}

#[test]
fn gone_connections_are_forgotten_when_told_and_when_pruned() {
    let fanout = fanout();
    let (_one, first) = subscribe(&fanout, VISITOR, Stream::Public);
    let (_two, second) = subscribe(&fanout, AGENT, Stream::Public);
    drop(first);
    fanout.publish(&key(1), &[event(Stream::Public, 6)]);
    assert_eq!(fanout.counts(), (1, 1));
    drop(second);
    fanout.prune();
    assert_eq!(fanout.counts(), (0, 0));
}

#[test]
fn receipts_and_places_reach_the_side_they_are_for() {
    let fanout = fanout();
    let (one, mut client) = subscribe(&fanout, VISITOR, Stream::Public);
    let (_two, mut console) = subscribe(&fanout, AGENT, Stream::Public);
    let (_three, mut notes) = subscribe(&fanout, AGENT, Stream::Internal);
    for client in [&mut client, &mut console, &mut notes] {
        take_all(client);
    }
    fanout.receipt(&key(1), &agent(1).author, Receipt::default());
    assert!(matches!(&take_all(&mut client)[..], [Delivery::Receipt { .. }]));
    assert!(take_all(&mut console).is_empty());
    fanout.receipt(&key(1), &visitor(1).author, Receipt::default());
    assert!(take_all(&mut client).is_empty());
    assert!(matches!(&take_all(&mut console)[..], [Delivery::Receipt { .. }]));
    assert!(fanout.place(&key(1), 1, None));
    assert_eq!(take_all(&mut client).len(), 1);
    assert!(take_all(&mut console).is_empty() && take_all(&mut notes).is_empty());
    fanout.unsubscribe(&key(1), Stream::Public, one.id());
    assert!(!fanout.place(&key(1), 2, None), "no visitor is left");
}

#[test]
fn who_is_lost_or_may_not_see_is_told_why() {
    let fanout = fanout();
    let (_one, mut client) = subscribe(&fanout, VISITOR, Stream::Public);
    let (_two, mut console) = subscribe(&fanout, AGENT, Stream::Internal);
    take_all(&mut client);
    take_all(&mut console);
    fanout.recheck(&key(1), |principal, _| !principal.is_agent());
    let told = take_all(&mut console);
    let forbidden = matches!(
        &told[..],
        [Delivery::Unsubscribed { stream: Stream::Internal, why: Unsubscribed::Forbidden, .. }]
    );
    assert!(forbidden, "{told:?}");
    fanout.lose(&key(1));
    let told = take_all(&mut client);
    let lost = matches!(&told[..], [Delivery::Unsubscribed { why: Unsubscribed::Lost, .. }]);
    assert!(lost, "{told:?}");
    assert_eq!(fanout.counts(), (0, 0));
}

/// An agent who hears many conversations stays connected when the node of most of them dies.
#[test]
fn hundreds_of_subscriptions_that_end_at_once_cut_nobody() {
    let fanout = fanout();
    let (outlet, mut client) = queue();
    let n = 2 * ITEMS_MAX;
    for number in 1..=n {
        let subscription = Subscription {
            outlet: outlet.clone(),
            principal: AGENT,
            role: Role::Agent,
            stream: Stream::Public,
        };
        let key = key(u128::try_from(number).unwrap());
        let marker = Delivery::AnybodyOnline(true);
        fanout.subscribe(&key, (Heads::default(), Epoch(1)), subscription, marker);
    }
    take_all(&mut client);
    for number in 1..=n {
        fanout.lose(&key(u128::try_from(number).unwrap()));
    }
    assert!(outlet.push(Delivery::Revoked).is_heard());
    let told = take_all(&mut client);
    let n_lost = told.iter().filter(|it| matches!(it, Delivery::Unsubscribed { .. })).count();
    assert_eq!((n_lost, told.len()), (n, n + 1), "and nothing else is shed for it");
}

/// The memory of an idle visitor is mostly the connection's; who listens costs the owner an audience
/// and its place in the table, which is seven sixteenths full at least.
#[test]
fn a_subscription_is_small() {
    let place = (size_of::<usize>() + 1) * 16 / 7;
    let entry = size_of::<Audience>() + place;
    assert!(entry <= 120, "{entry} bytes");
}

#[test]
fn who_hears_alone_takes_no_room_of_their_own() {
    let (outlet, _client) = queue();
    let here = |stream| Subscription {
        outlet: outlet.clone(),
        principal: AGENT,
        role: Role::Agent,
        stream,
    };
    let there = Listener {
        node: NodeName("two".into()),
        principal: VISITOR,
        role: Role::Visitor,
        stream: Stream::Public,
    };
    let mut hearers = Hearers::default();
    hearers.enter_there(there.clone());
    assert!(matches!(hearers, Hearers::There(_)));
    hearers.enter(here(Stream::Public));
    hearers.enter(here(Stream::Internal));
    assert_eq!((hearers.here().len(), hearers.there()), (2, &[there][..]));
    hearers.retain_here(|it| it.stream == Stream::Internal);
    assert_eq!((hearers.here().len(), hearers.there().len()), (1, 1));
    hearers.retain_there(|_| false);
    assert!(matches!(&hearers, Hearers::Here(it) if it.stream == Stream::Internal));
    hearers.retain_there(|_| false);
    hearers.retain_here(|_| false);
    assert!(matches!(hearers, Hearers::Nobody));
}

#[test]
fn audiences_are_found_by_tenant_and_conversation() {
    let heads = Heads { public: Seq(1), internal: Seq(0) };
    let other = ConversationKey { tenant: TenantId("other".into()), ..key(1) };
    let mut audiences = Audiences::default();
    for number in 1..=100_u32 {
        audiences.enter(&key(number.into()), heads).published.public = Seq(number.into());
    }
    assert!(audiences.get(&other).is_none());
    audiences.enter(&other, heads);
    assert_eq!(audiences.get(&key(7)).map(|it| it.published.public), Some(Seq(7)));
    assert!(audiences.remove(&key(7)).is_some() && audiences.get_mut(&key(7)).is_none());
    audiences.retain(|key, _| *key == other);
    assert_eq!(audiences.iter().count(), 1);
    assert!(audiences.remove(&other).is_some() && audiences.remove(&other).is_none());
}

/// P13: a visitor hears nothing of where agents look, nor back what it told of itself.
#[test]
fn pages_and_viewers_reach_the_internal_stream_alone() {
    let fanout = fanout();
    let (_one, mut public) = subscribe(&fanout, VISITOR, Stream::Public);
    let (_two, mut internal) = subscribe(&fanout, AGENT, Stream::Internal);
    let (_three, mut public_of_agent) = subscribe(&fanout, AGENT, Stream::Public);
    for client in [&mut public, &mut internal, &mut public_of_agent] {
        take_all(client);
    }
    let page = Page::new("https://shop.example/", "", Timestamp(1));
    let page = Arc::new(page.unwrap_or_else(|| panic!("it is a page")));
    fanout.page(&key(1), &visitor(1), &page);
    fanout.viewing(&key(1), &[].into());
    let heard = take_all(&mut internal);
    assert!(
        matches!(heard.as_slice(), [Delivery::Page { .. }, Delivery::Viewing { .. }]),
        "{heard:?}"
    );
    for client in [&mut public, &mut public_of_agent] {
        assert!(take_all(client).is_empty());
    }
    // Somebody else's page is nobody's news.
    fanout.page(&key(1), &visitor(2), &page);
    assert!(take_all(&mut internal).is_empty());
}
