use std::time::Duration;

use parking_lot::{Condvar, Mutex as Lock};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::*;
use crate::transport::tests::{Diary, Told, check_order, node, numbered};
use crate::transport::tls::name_of;
use crate::transport::{CREDIT_BYTES, Peer, VERSIONS};

/// Long enough for any machine; nothing waits for it when things go well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed").der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Credentials that name a node, and trust this authority.
    fn tls(&self, name: &str) -> Tls {
        self.tls_trusting(name, self)
    }

    fn tls_trusting(&self, name: &str, trusted: &Self) -> Tls {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).expect("signed").der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Tls::new(vec![certificate], key, vec![trusted.certificate.clone()]).expect("they match")
    }
}

/// A node of a test.
struct Member {
    name: NodeName,
    diary: Arc<Diary>,
    wire: Wire,
}

impl Member {
    async fn start(name: &str, tls: Tls) -> Self {
        Self::with(name, tls, "a cookie", VERSIONS).await
    }

    async fn with(name: &str, tls: Tls, cookie: &str, versions: Versions) -> Self {
        let diary = Arc::new(Diary::default());
        let wire = Wire::start(config(name, tls, cookie, versions), Arc::clone(&diary) as _);
        Self { name: node(name), diary, wire: wire.await.expect("the transport starts") }
    }

    fn dials(&self, others: &[&Self]) {
        self.wire.set_peers(others.iter().map(|other| other.place()));
    }

    fn place(&self) -> (NodeName, Arc<str>) {
        (self.name.clone(), self.wire.address().to_string().into())
    }

    /// Waits until so many links to that node have come up.
    async fn is_up(&self, other: &Self, times: usize) {
        let up = Told::Up(other.name.clone());
        until(|| self.diary.count(|told| *told == up) >= times).await;
    }

    fn send(&self, to: &Self, number: u32) -> Result<(), NotSent> {
        self.wire.transport().send(&to.name, numbered(number))
    }

    async fn has_heard(&self, from: &Self, last: u32) {
        until(|| self.diary.numbers(&from.name).last() == Some(&last)).await;
    }

    fn session(&self, with: &Self) -> Arc<Session> {
        let sessions = self.wire.shared.sessions.read();
        Arc::clone(sessions.get(&with.name).expect("it is connected"))
    }
}

fn config(name: &str, tls: Tls, cookie: &str, versions: Versions) -> Config {
    Config {
        node: node(name),
        boot: Boot(uuid::Uuid::new_v4()),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        cookie: cookie.into(),
        tls,
        versions,
    }
}

async fn until(is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("it never came about");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envelopes_arrive_both_ways_in_order() {
    let authority = Authority::new();
    let one = Member::start("one", authority.tls("one")).await;
    let two = Member::start("two", authority.tls("two")).await;
    two.dials(&[&one]);
    one.is_up(&two, 1).await;
    two.is_up(&one, 1).await;
    for number in 1..=5_000 {
        one.send(&two, number).expect("there is credit");
        two.send(&one, number).expect("there is credit");
    }
    one.has_heard(&two, 5_000).await;
    two.has_heard(&one, 5_000).await;
    let expect: Vec<u32> = (1..=5_000).collect();
    assert_eq!(one.diary.numbers(&two.name), expect);
    assert_eq!(two.diary.numbers(&one.name), expect);
    // All credit comes back with the answers.
    until(|| one.wire.unanswered(&two.name) == 0).await;
    one.wire.stop().await;
    until(|| two.diary.count(|told| *told == Told::Down(node("one"))) == 1).await;
    assert_eq!(two.send_to("one"), Err(NotSent::Down));
    two.wire.stop().await;
}

impl Member {
    fn send_to(&self, name: &str) -> Result<(), NotSent> {
        self.wire.transport().send(&node(name), numbered(1))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_not_the_certificate_the_name_the_cookie_or_a_version_is_turned_away() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let one = Member::start("one", authority.tls("one")).await;
    let newer = Versions { oldest: VERSIONS.newest + 1, newest: VERSIONS.newest + 2 };
    let cookie = "a cookie";
    let liar = Member::start("two", authority.tls("three")).await;
    let rude = Member::with("two", authority.tls("two"), "another", VERSIONS).await;
    let modern = Member::with("two", authority.tls("two"), cookie, newer).await;
    let stranger = Member::start("two", foreign.tls_trusting("two", &authority)).await;
    for (who, is_seen) in [(&liar, true), (&rude, true), (&modern, true), (&stranger, false)] {
        let before = one.wire.turned_away();
        who.dials(&[&one]);
        if is_seen {
            until(|| one.wire.turned_away() >= before + 2 || is_refused(&one, who)).await;
        } else {
            // Its handshake fails: it never becomes a connection that could be counted.
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert!(one.wire.shared.connections.lock().is_empty());
        }
        assert_eq!(who.send(&one, 1), Err(NotSent::Down));
        who.wire.set_peers([]);
    }
    assert_eq!(one.diary.all(), []);
    // One who has all of it is let in, beside them.
    let two = Member::start("two", authority.tls("two")).await;
    two.dials(&[&one]);
    one.is_up(&two, 1).await;
    for who in [liar, rude, modern, stranger, two, one] {
        who.wire.stop().await;
    }
}

#[test]
fn credentials_that_others_would_not_take_are_known_beforehand() {
    use crate::transport::tls::Error;
    let (authority, foreign) = (Authority::new(), Authority::new());
    authority.tls("one").check(&node("one")).expect("they are its own");
    let other = authority.tls("two").check(&node("one"));
    assert!(matches!(other, Err(Error::Unnamed { .. })), "{other:?}");
    let stranger = foreign.tls_trusting("one", &authority).check(&node("one"));
    assert!(matches!(stranger, Err(Error::Foreign(_))), "{stranger:?}");
}

/// A node that is met, and refused when it greets.
fn is_refused(one: &Member, who: &Member) -> bool {
    one.wire.shared.versions.agree(who.wire.shared.versions).is_none()
        && who.wire.shared.sessions.read().is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_version_of_skew_is_tolerated() {
    let authority = Authority::new();
    let newer = Versions { newest: VERSIONS.newest + 1, ..VERSIONS };
    let old = Member::start("one", authority.tls("one")).await;
    let new = Member::with("two", authority.tls("two"), "a cookie", newer).await;
    new.dials(&[&old]);
    new.is_up(&old, 1).await;
    old.is_up(&new, 1).await;
    new.send(&old, 1).expect("up");
    old.send(&new, 1).expect("up");
    old.has_heard(&new, 1).await;
    new.has_heard(&old, 1).await;
    old.wire.stop().await;
    new.wire.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_over_lost_connections() {
    let authority = Authority::new();
    let one = Member::start("one", authority.tls("one")).await;
    let two = Member::start("two", authority.tls("two")).await;
    two.dials(&[&one]);
    let mut number = 0;
    for links in 1..=4 {
        two.is_up(&one, links).await;
        one.is_up(&two, links).await;
        for _ in 0..2_000 {
            number += 1;
            // Some are refused while the link is down; what is taken keeps its order.
            two.send(&one, number).ok();
        }
        if links < 4 {
            two.session(&one).lose_connection();
            until(|| two.diary.count(|it| *it == Told::Down(one.name.clone())) >= links).await;
        }
    }
    one.has_heard(&two, number).await;
    check_order(&one.diary.all(), &two.name);
    check_order(&two.diary.all(), &one.name);
    // Of the last link nothing is missing.
    let last: Vec<u32> = (number - 1_999..=number).collect();
    assert!(one.diary.numbers(&two.name).ends_with(&last));
    one.wire.stop().await;
    two.wire.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn knocking_stalling_and_long_frames_disturb_nobody() {
    let authority = Authority::new();
    let one = Member::start("one", authority.tls("one")).await;
    let two = Member::start("two", authority.tls("two")).await;
    two.dials(&[&one]);
    two.is_up(&one, 1).await;
    // A thousand that connect and say nothing, or begin a handshake and stop.
    let mut knocking = Vec::new();
    for idx in 0..1_000_u32 {
        let mut stream = TcpStream::connect(one.wire.address()).await.expect("connected");
        if idx % 2 == 0 {
            // The beginning of a handshake record.
            stream.write_all(&[22, 3, 1, 2, 0, 1]).await.expect("written");
        }
        knocking.push(stream);
    }
    // A member with a certificate that announces a frame of 16 MiB.
    let stream = TcpStream::connect(one.wire.address()).await.expect("connected");
    let name = name_of(&node("one")).expect("a name");
    let connector = authority.tls("three").connector();
    let mut member = connector.connect(name, stream).await.expect("the certificate is good");
    member.write_all(&(16_u64 << 20).to_be_bytes()).await.expect("written");
    member.write_all(&vec![0; 256 * 1024]).await.ok();
    let mut farewell = [0; 64];
    let closed = tokio::time::timeout(PATIENCE, member.read(&mut farewell));
    // Cut off with or without a farewell, before the frame is whole.
    assert!(matches!(closed.await, Ok(Ok(0) | Err(_))), "a frame of 16 MiB is read");
    // Those who are there are heard as ever, and a newcomer comes in.
    for number in 1..=1_000 {
        two.send(&one, number).expect("there is credit");
    }
    one.has_heard(&two, 1_000).await;
    let three = Member::start("zoe", authority.tls("zoe")).await;
    three.dials(&[&one]);
    one.is_up(&three, 1).await;
    assert_eq!(one.diary.count(|told| matches!(told, Told::Down(_))), 0);
    drop(knocking);
    for who in [one, two, three] {
        who.wire.stop().await;
    }
}

/// Hears nothing until it is let go.
#[derive(Debug, Default)]
struct Sleeper {
    is_awake: Lock<bool>,
    wakes: Condvar,
    heard: Lock<usize>,
}

impl Receiver for Sleeper {
    fn up(&self, _peer: &Peer) {}

    fn receive(&self, _from: &NodeName, _envelope: Bytes) {
        let mut is_awake = self.is_awake.lock();
        while !*is_awake {
            self.wakes.wait(&mut is_awake);
        }
        *self.heard.lock() += 1;
    }

    fn down(&self, _node: &NodeName) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_peer_that_hears_nothing_costs_its_credit_and_no_more() {
    let authority = Authority::new();
    let sleeper = Arc::new(Sleeper::default());
    let config = config("one", authority.tls("one"), "a cookie", VERSIONS);
    let slow = Wire::start(config, Arc::clone(&sleeper) as _).await.expect("it starts");
    let two = Member::start("two", authority.tls("two")).await;
    two.wire.set_peers([(node("one"), slow.address().to_string().into())]);
    until(|| two.diary.count(|told| *told == Told::Up(node("one"))) == 1).await;
    let envelope = Bytes::from(vec![7; 16 * 1024]);
    let mut taken = 0;
    while two.wire.transport().send(&node("one"), envelope.clone()).is_ok() {
        taken += 1;
        assert!(taken * envelope.len() <= CREDIT_BYTES, "more is taken than there is credit");
    }
    assert!(taken > 0, "nothing was taken");
    assert_eq!(two.wire.transport().send(&node("one"), envelope), Err(NotSent::Full));
    *sleeper.is_awake.lock() = true;
    sleeper.wakes.notify_all();
    until(|| *sleeper.heard.lock() == taken).await;
    slow.stop().await;
    two.wire.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_while_a_batch_is_unanswered_shares_the_next_one() {
    let authority = Authority::new();
    let sleeper = Arc::new(Sleeper::default());
    let config = config("one", authority.tls("one"), "a cookie", VERSIONS);
    let slow = Wire::start(config, Arc::clone(&sleeper) as _).await.expect("it starts");
    let two = Member::start("two", authority.tls("two")).await;
    two.wire.set_peers([(node("one"), slow.address().to_string().into())]);
    until(|| two.diary.count(|told| *told == Told::Up(node("one"))) == 1).await;
    for number in 1..=10 {
        two.wire.transport().send(&node("one"), numbered(number)).expect("there is credit");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    *sleeper.is_awake.lock() = true;
    sleeper.wakes.notify_all();
    until(|| *sleeper.heard.lock() == 10).await;
    until(|| two.wire.unanswered(&node("one")) == 0).await;
    let session = slow.shared.sessions.read().get(&node("two")).cloned().expect("it is up");
    assert_eq!(session.batches(), 2);
    slow.stop().await;
    two.wire.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_silent_for_five_seconds_ends_and_comes_back() {
    let authority = Authority::new();
    let one = Member::start("one", authority.tls("one")).await;
    let two = Member::start("two", authority.tls("two")).await;
    // Between them a stretch of network that swallows everything while told to.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = listener.local_addr().expect("an address");
    let (swallows, swallowing) = watch::channel(false);
    let behind = one.wire.address();
    let network = tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut swallowing = swallowing.clone();
            tokio::spawn(async move {
                drop(swallowing.wait_for(|it| !*it).await);
                let Ok(mut far) = TcpStream::connect(behind).await else { return };
                let is_swallowed = async { drop(swallowing.wait_for(|it| *it).await) };
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => return,
                    () = is_swallowed => {}
                }
                // Both ends stay open, and hear nothing more.
                std::future::pending::<()>().await;
            });
        }
    });
    two.wire.set_peers([(one.name.clone(), place.to_string().into())]);
    one.is_up(&two, 1).await;
    two.is_up(&one, 1).await;
    swallows.send(true).ok();
    let is_down = |of: &Member, whom: &Member| {
        of.diary.count(|told| *told == Told::Down(whom.name.clone())) == 1
    };
    until(|| is_down(&one, &two) && is_down(&two, &one)).await;
    swallows.send(false).ok();
    one.is_up(&two, 2).await;
    two.is_up(&one, 2).await;
    network.abort();
    one.wire.stop().await;
    two.wire.stop().await;
}
