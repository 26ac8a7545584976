//! Three nodes of one keyspace: one talk over all of them, the owner killed, stopped and back; and
//! what one node keeps in memory and another changes.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use switchboard_cluster::shard::SHARDS;

use crate::listener::Listener;
use crate::server::{
    PATIENCE, Server, Talk, ends, err, public, said, signal, switchboard, texts, variable,
};
use crate::tokens::{SECRET, token};

/// The nodes of the credentials that are made for the test.
pub(crate) const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// Other machines than ours run both databases and all nodes on two cores: leases last as much
/// longer.
const LEASE_FACTOR: &str = "3";

fn credentials(what: &str) -> PathBuf {
    Path::new(&variable("CQL_CREDENTIALS")).join(what)
}

fn takes_part(command: &mut Command, node: &str) {
    command
        .env("SWITCHBOARD_SERVER_NODE", node)
        .env("SWITCHBOARD_CLUSTER_LISTEN", "127.0.0.1:0")
        .env("SWITCHBOARD_CLUSTER_COOKIE_FILE", credentials("cookie"))
        .env("SWITCHBOARD_CLUSTER_CERT", credentials(&format!("{node}.pem")))
        .env("SWITCHBOARD_CLUSTER_KEY", credentials(&format!("{node}.key")))
        .env("SWITCHBOARD_CLUSTER_AUTHORITY", credentials("authority.pem"))
        .env("SWITCHBOARD_CLUSTER_LEASE_FACTOR", LEASE_FACTOR);
}

fn start(keyspace: &str, node: &str) -> Server {
    start_with(keyspace, node, &[])
}

/// The same with other settings.
pub(crate) fn start_with(keyspace: &str, node: &str, settings: &[(&str, &str)]) -> Server {
    Server::start_as(keyspace, |command| {
        takes_part(command, node);
        command.envs(settings.iter().copied());
    })
}

pub(crate) fn migrated(keyspace: &str) -> &str {
    ends(switchboard(&variable("CQL_SERVER"), keyspace, &["migrate"]), 0);
    keyspace
}

/// Waits until something answers as wanted.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: it never came about");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Says something until it is acknowledged; what else was answered meanwhile must be that it is to
/// be tried again.
#[track_caller]
fn acked(at: &Server, talk: &Talk, token: &str, n: u64, text: &str) {
    let is_acked = |status: u16, _: &Value| status == 200 || status == 201;
    let heard = at.insist(talk, token, (n, text), is_acked);
    let (_, before) = heard.split_last().unwrap();
    assert!(before.iter().all(|(status, _)| *status == 503), "{heard:?}");
}

/// The transcript at a node, once its conversation is to be had there.
fn transcript(at: &Server, talk: &Talk, token: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let after = events.len();
        let path = format!("/v1/conversations/{}/messages?after={after}&limit=200", talk.id);
        let page = until("a transcript", || {
            let (status, read) = at.ask("GET", &path, token, &Value::Null);
            assert!(status == 200 || status == 503, "{status} {read}");
            (status == 200).then_some(read)
        });
        events.extend(page["items"].as_array().unwrap().iter().cloned());
        assert!(events.len() > after || page["more"] == false, "{page}");
        if page["more"] == false {
            return events;
        }
    }
}

/// A conversation that begins at one node and is owned by another.
fn begun_at_owned_by(at: &Server, owner: &Server) -> Talk {
    until("a conversation of the other node", || {
        let before = owner.live();
        let talk = at.try_to_begin("Hello")?;
        // Whoever lets another conversation go meanwhile makes this one look like none: the next
        // will do.
        (owner.live() > before).then_some(talk)
    })
}

/// Waits until three nodes have shared the shards and none is on its way.
pub(crate) fn settled(nodes: [&Server; 3]) {
    let all = u64::from(SHARDS);
    let mut before = [0; 3];
    until("every shard has its node", || {
        let shards = nodes.map(Server::shards);
        let is_still = std::mem::replace(&mut before, shards) == shards;
        let is_even = shards.iter().all(|count| *count > all / 4);
        (is_still && is_even && shards.iter().sum::<u64>() == all).then_some(())
    });
}

pub(crate) fn stopped(mut server: Server) -> ExitStatus {
    signal(server.process.id(), Signal::TERM);
    server.process.wait().unwrap()
}

#[test]
fn a_talk_over_three_nodes_survives_its_owner_killed_and_stopped() {
    let keyspace = migrated("switchboard_cluster");
    let [here, there, owner] = NODES.map(|node| start(keyspace, node));
    let talk = begun_at_owned_by(&here, &owner);
    let agent = there.agent();
    let accept = format!("/v1/conversations/{}/accept", talk.id);
    let (status, accepted) = there.ask("POST", &accept, &agent, &json!({}));
    assert!((200..300).contains(&status), "{status} {accepted}");
    let widget = Listener::open(here.address, &talk.secret, &talk.id);
    let console = Listener::open(there.address, &agent, &talk.id);
    let says = |n: u64| [format!("from the visitor {n}"), format!("from the agent {n}")];
    let exchange = |n: u64| {
        let [of_visitor, of_agent] = says(n);
        acked(&here, &talk, &talk.secret, n, &of_visitor);
        acked(&there, &talk, &agent, n, &of_agent);
        for listener in [&widget, &console] {
            listener.hears(&of_visitor);
            listener.hears(&of_agent);
        }
    };
    (1..=3).for_each(exchange);

    // SIGKILL: nothing is handed over.
    drop(owner);
    (4..=6).for_each(exchange);
    // A retry of what the killed owner acknowledged is the same event.
    let [of_visitor, _] = says(1);
    acked(&there, &talk, &talk.secret, 1, &of_visitor);

    // It comes back, gets its shards, and is stopped in good order.
    let owner = start(keyspace, NODES[2]);
    let mut n = 7;
    until("the conversation comes back", || {
        exchange(n);
        n += 1;
        (owner.live() > 0).then_some(())
    });
    let parting = Listener::open(owner.address, &agent, &talk.id);
    let pid = owner.process.id();
    let stopping = std::thread::spawn(move || stopped(owner));
    for _ in 0..20 {
        exchange(n);
        n += 1;
    }
    parting.is_told("drain");
    assert_eq!(parting.closed(), 4001);
    let exit = stopping.join().unwrap();
    assert_eq!(exit.code(), Some(0), "process {pid}");
    exchange(n);

    let all: Vec<String> = (1..=n).flat_map(says).collect();
    let expected: Vec<&str> =
        std::iter::once("Hello").chain(all.iter().map(String::as_str)).collect();
    let read = transcript(&here, &talk, &talk.secret);
    assert_eq!(said(&read), expected);
    assert_eq!(public(&transcript(&there, &talk, &agent)), public(&read));
    assert_eq!(texts(&widget.events()), texts(&read), "live, on one connection");
    assert_eq!(texts(&console.events()), texts(&read), "live, on one connection");
    drop((widget, console));
    for server in [here, there] {
        assert_eq!(stopped(server).code(), Some(0));
    }
}

#[test]
fn what_one_node_changes_the_others_know() {
    let keyspace = migrated("switchboard_known");
    let [one, two] = [NODES[0], NODES[1]].map(|node| start(keyspace, node));
    let (admin, agent) = (one.sign_in("ada"), two.sign_in("ben"));
    let talk = until("a conversation", || one.try_to_begin("Hello"));
    let console = Listener::open(two.address, &agent, &talk.id);
    // Both nodes have read the widget by now.
    let settings = |at: &Server| {
        let (status, shown) = at.ask("GET", "/v1/widgets/demo", "", &Value::Null);
        assert_eq!(status, 200, "{shown}");
        shown
    };
    assert_eq!(settings(&one)["name"], settings(&two)["name"]);
    let (status, found) = one.ask("GET", "/v1/widgets/demo/settings", &admin, &Value::Null);
    assert_eq!(status, 200, "{found}");
    let mut changed = found["settings"].clone();
    changed["name"] = json!("Moss & Meadow");
    let (status, put) = one.ask("PUT", "/v1/widgets/demo/settings", &admin, &changed);
    assert_eq!(status, 200, "{put}");
    until("the other node shows it", || (settings(&two)["name"] == "Moss & Meadow").then_some(()));
    // What somebody likes in a browser at one node is told to the one at the other.
    let preferences = "/v1/agents/me/preferences";
    let liked = json!({ "values": { "theme": "dark" } });
    let elsewhere = one.sign_in("ben");
    let (status, kept) = one.ask("PATCH", preferences, &elsewhere, &liked);
    assert_eq!(status, 200, "{kept}");
    console.is_told("preferences");
    assert_eq!(two.ask("GET", preferences, &agent, &Value::Null), (200, kept));
    let draft = "/v1/agents/me/drafts/0190a000-0000-7000-8000-000000000001";
    let (status, kept) =
        one.ask("PUT", draft, &elsewhere, &json!({ "message": "Dear", "age_ms": 0 }));
    assert_eq!(status, 200, "{kept}");
    console.is_told("drafts");
    // Who is disabled on one node is out on the other.
    assert_eq!(two.ask("GET", "/v1/agents/me", &agent, &Value::Null).0, 200);
    let (status, patched) =
        one.ask("PATCH", "/v1/agents/ben", &admin, &json!({ "disabled": true }));
    assert_eq!(status, 200, "{patched}");
    assert_eq!(console.closed(), 4500);
    assert_eq!(two.ask("GET", "/v1/agents/me", &agent, &Value::Null).0, 401);
    for server in [one, two] {
        assert_eq!(stopped(server).code(), Some(0));
    }
}

#[test]
fn two_owners_who_demote_each_other_at_two_nodes_leave_one() {
    let keyspace = migrated("switchboard_owners");
    let nodes = [NODES[0], NODES[1]]
        .map(|node| start_with(keyspace, node, &[("SWITCHBOARD_JWT_SECRET", SECRET)]));
    let names = ["olga", "oscar"];
    let owners = names.map(|name| token(name, "owner"));
    for (node, owner) in nodes.iter().zip(&owners) {
        assert_eq!(node.ask("GET", "/v1/agents/me", owner, &Value::Null).0, 200);
    }
    let demote = |by: usize| {
        let other = format!("/v1/agents/{}", names[1 - by]);
        nodes[by].ask("PATCH", &other, &owners[by], &json!({ "role": "admin" }))
    };
    for round in 0..10 {
        let outcomes = std::thread::scope(|scope| {
            [0, 1].map(|by| scope.spawn(move || demote(by))).map(|it| it.join().unwrap())
        });
        let done = outcomes.each_ref().map(|(status, _)| *status == 200);
        assert!(done[0] != done[1], "round {round}: {outcomes:?}");
        let (winner, loser) = if done[0] { (0, 1) } else { (1, 0) };
        let (status, refused) = &outcomes[loser];
        // Counted, or an owner no more when it asked.
        assert!(*status == 409 || *status == 403, "{status} {refused}");
        let other = format!("/v1/agents/{}", names[loser]);
        let (status, again) =
            nodes[winner].ask("PATCH", &other, &owners[winner], &json!({ "role": "owner" }));
        assert_eq!(status, 200, "round {round}: {again}");
        until("the other node knows it", || {
            let (_, me) = nodes[loser].ask("GET", "/v1/agents/me", &owners[loser], &Value::Null);
            (me["role"] == "owner").then_some(())
        });
    }
    for server in nodes {
        assert_eq!(stopped(server).code(), Some(0));
    }
}

#[test]
fn credentials_that_others_would_not_take_are_named_with_their_setting() {
    let keyspace = migrated("switchboard_credentials");
    let free = "127.0.0.1:0";
    let serve = ["serve", "--listen", free, "--ops-listen", free];
    let nowhere = Path::new("/nowhere/cert.pem");
    for (variable_name, value, told) in [
        ("CERT", credentials("node-2.pem"), "cluster.cert"),
        ("CERT", nowhere.to_owned(), "/nowhere/cert.pem"),
        ("KEY", credentials("node-2.key"), "cluster.key"),
        ("AUTHORITY", credentials("node-1.pem"), "cluster.authority"),
        ("COOKIE_FILE", credentials("authority.pem.absent"), "authority.pem.absent"),
    ] {
        let mut command = switchboard(&variable("CQL_SERVER"), keyspace, &serve);
        takes_part(&mut command, NODES[0]);
        command.env(format!("SWITCHBOARD_CLUSTER_{variable_name}"), &value);
        let refused = err(&ends(command, 1));
        assert!(refused.contains(told), "{variable_name}: {refused}");
    }
}
