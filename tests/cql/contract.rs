//! Every door on three nodes: visitors on one, agents of another door on the second, and the owner
//! of their conversations is the third, until it is killed. Then all go on by their own means.

#[path = "../it/contract/socket.rs"]
#[expect(dead_code, reason = "other tests do more with it")]
mod socket;
#[path = "../it/contract/plain.rs"]
#[expect(dead_code, reason = "other tests do more with it")]
mod plain;
#[path = "../it/contract/pairs/door.rs"]
mod door;
#[path = "../it/contract/pairs/phase5.rs"]
mod phase5;
#[path = "../it/contract/pairs/fullmag.rs"]
mod fullmag;
#[path = "../it/contract/pairs/ges.rs"]
mod ges;
#[path = "../it/contract/pairs/tms.rs"]
mod tms;
#[path = "../it/contract/pairs/localpro.rs"]
mod localpro;
mod native;

use std::time::Duration;

use serde_json::json;
use tokio::sync::{Barrier, Mutex};
use tokio::time::{Instant, sleep};

use self::door::{Door, answered, ask, listed, name_of, tried, until, written};
use self::fullmag::Fullmag;
use self::ges::Ges;
use self::localpro::Localpro;
use self::native::Native;
use self::phase5::Phase5;
use self::socket::{Says, Socket};
use self::tms::Tms;
use crate::cluster::{NODES, migrated, settled, start_with, stopped};
use crate::node::TestNode;
use crate::server::{PATIENCE, Server};
use crate::tokens::{SECRET, token};

/// So long a client may leave a ping unanswered: tests read a socket when they want something.
const PONG_MS: &str = "120000";

/// Who serves whom.
struct Stage {
    of_visitors: TestNode,
    of_agents: TestNode,
    owner: Mutex<Option<Server>>,
    /// All have talked, and nobody was killed yet; somebody was.
    before: Barrier,
    after: Barrier,
}

/// A visitor of one door and an agent of another, before and after the owner is killed.
async fn pair<V: Door, A: Door>(stage: &Stage, first_number: usize) {
    let Stage { of_visitors, of_agents, .. } = stage;
    let [waiting, active, closed] = V::WORDS;
    let (mut visitor, number, greeting) = owned::<V>(stage, first_number).await;
    assert_eq!(visitor.status(of_visitors).await, waiting);
    let mut agent = A::take(of_agents, &number, &greeting).await;
    let mut said = vec![greeting];
    talk(stage, (&mut visitor, &mut agent), "before", &mut said).await;
    stage.before.wait().await;
    stage.after.wait().await;
    talk(stage, (&mut visitor, &mut agent), "after", &mut said).await;
    assert_eq!(visitor.status(of_visitors).await, active);
    assert_eq!(agent.status(of_agents).await, A::WORDS[1]);
    // What was acknowledged is there, once and in order, whichever door one reads it through.
    assert_eq!(visitor.reads(of_visitors).await.unwrap(), said);
    assert_eq!(agent.reads(of_agents).await.unwrap(), said);
    agent.ends(of_agents).await;
    assert_eq!(visitor.status(of_visitors).await, closed);
    assert_eq!(agent.status(of_agents).await, A::WORDS[2]);
}

/// A chat that the node owns which will be killed.
async fn owned<V: Door>(stage: &Stage, first_number: usize) -> (V, String, String) {
    let owner = stage.owner.lock().await;
    let owner = owner.as_ref().unwrap();
    for number in first_number.. {
        let (number, greeting) = (number.to_string(), format!("{number} was here"));
        let before = owner.live();
        let visitor = V::visit(&stage.of_visitors, &number, &greeting).await;
        if owner.live() > before {
            return (visitor, number, greeting);
        }
        assert!(number != (first_number + 50).to_string(), "a conversation of the owner");
    }
    unreachable!("numbers do not end")
}

async fn talk<V: Door, A: Door>(
    stage: &Stage,
    (visitor, agent): (&mut V, &mut A),
    when: &str,
    said: &mut Vec<String>,
) {
    let Stage { of_visitors, of_agents, .. } = stage;
    for n in 1..=2 {
        let (question, answer) = (format!("question {n} {when}"), format!("answer {n} {when}"));
        insists(visitor, of_visitors, &question).await;
        agent.hears(of_agents, &question).await;
        insists(agent, of_agents, &answer).await;
        visitor.hears(of_visitors, &answer).await;
        said.extend([question, answer]);
    }
}

/// Writes until it is acknowledged. After an attempt that was not, the client looks first whether
/// it was kept all the same.
async fn insists<D: Door>(door: &mut D, node: &TestNode, text: &str) {
    let began = Instant::now();
    while !door.tries(node, text).await {
        assert!(began.elapsed() < PATIENCE, "{text} was never acknowledged");
        sleep(Duration::from_millis(200)).await;
        let Some(read) = door.reads(node).await else { continue };
        if read.iter().any(|it| it == text) {
            return;
        }
    }
}

/// A socket of an agent on the node that is killed: it ends without a goodbye, after which these
/// clients connect again by themselves, to whichever node answers.
async fn comes_back(stage: &Stage, namespace: &str, role: &str) {
    let token = token("39", role);
    let connect = |address| {
        let token = token.clone();
        async move { Socket::connect(address, namespace, Some(&token), Says::Auth, None).await }
    };
    let address = stage.owner.lock().await.as_ref().unwrap().address;
    let mut socket = connect(address).await.unwrap();
    stage.before.wait().await;
    assert!(!socket.end().await, "whoever is sent away does not come back by itself");
    stage.after.wait().await;
    let began = Instant::now();
    let mut socket = loop {
        match connect(stage.of_agents.address).await {
            Ok(socket) => break socket,
            // Nobody can say yet whom it would hear.
            Err(why) => assert!(began.elapsed() < PATIENCE, "it does not come back: {why}"),
        }
        sleep(Duration::from_millis(200)).await;
    };
    let answer = socket.ask("no:such_event", &json!({})).await.unwrap();
    assert_eq!(answer["success"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_every_door_a_talk_survives_its_owner() {
    let keyspace = migrated("switchboard_doors");
    let settings =
        [("SWITCHBOARD_JWT_SECRET", SECRET), ("SWITCHBOARD_DIALECTS_SOCKET_IO_PONG_MS", PONG_MS)];
    let [here, there, owner] = NODES.map(|node| start_with(keyspace, node, &settings));
    // Agents who have to wait for a conversation that changes its node are another test's.
    settled([&here, &there, &owner]);
    let stage = Stage {
        of_visitors: TestNode { address: here.address },
        of_agents: TestNode { address: there.address },
        owner: Mutex::new(Some(owner)),
        before: Barrier::new(9),
        after: Barrier::new(9),
    };
    // Somebody is there.
    let beat = ask("POST", "/api/v1/admin/presence", "30", "agent");
    answered(&stage.of_agents, &beat.json(&json!({ "isOnline": true }))).await;
    let kill = async {
        stage.before.wait().await;
        // SIGKILL: nothing is handed over.
        drop(stage.owner.lock().await.take());
        stage.after.wait().await;
    };
    tokio::join!(
        Box::pin(pair::<Phase5, Fullmag>(&stage, 1_000)),
        Box::pin(pair::<Fullmag, Ges>(&stage, 2_000)),
        Box::pin(pair::<Ges, Tms>(&stage, 3_000)),
        Box::pin(pair::<Tms, Localpro>(&stage, 4_000)),
        Box::pin(pair::<Localpro, Native>(&stage, 5_000)),
        Box::pin(pair::<Native, Phase5>(&stage, 6_000)),
        Box::pin(comes_back(&stage, "/", "agent")),
        Box::pin(comes_back(&stage, "/chat", "manager")),
        kill,
    );
    for server in [here, there] {
        assert_eq!(stopped(server).code(), Some(0));
    }
}
