//! One node: a start, a talk, a kill, a database that stands still, and what an operator is told.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::server::{
    DEVICE, KEYSPACE, Server, ends, err, public, said, signal, switchboard, variable,
};

#[test]
fn a_talk_survives_a_kill_and_a_database_that_stands_still() {
    let migrate = || switchboard(&variable("CQL_SERVER"), KEYSPACE, &["migrate"]);
    ends(migrate(), 0);
    ends(migrate(), 0);

    let free = "127.0.0.1:0";
    let doctor = ["doctor"];
    let mut doctor = switchboard(&variable("CQL_SERVER"), KEYSPACE, &doctor);
    doctor.env("SWITCHBOARD_SERVER_LISTEN", free).env("SWITCHBOARD_SERVER_OPS_LISTEN", free);
    let found = String::from_utf8(ends(doctor, 0).stdout).unwrap();
    assert!(found.contains("ok    database: keyspace switchboard_serve on"), "{found}");

    let server = Server::start();
    let talk = server.begin("Hello");
    let agent = server.agent();
    let accept = format!("/v1/conversations/{}/accept", talk.id);
    let (status, accepted) = server.ask("POST", &accept, &agent, &json!({}));
    assert!((200..300).contains(&status), "{status} {accepted}");
    assert_eq!(server.say(&talk, &agent, 1, "Good morning").0, 201);
    let (status, late) = server.say(&talk, &talk.secret, 1, "My order is late");
    assert_eq!(status, 201, "{late}");
    let before = server.transcript(&talk, &talk.secret);
    assert_eq!(said(&before), ["Hello", "Good morning", "My order is late"]);
    assert_eq!(public(&server.transcript(&talk, &agent)), public(&before));
    // SIGKILL: nothing is given back or written.
    drop(server);

    let mut server = Server::start();
    let agent = server.agent();
    assert_eq!(server.transcript(&talk, &talk.secret), before);
    assert_eq!(public(&server.transcript(&talk, &agent)), public(&before));
    let again = server.say(&talk, &talk.secret, 1, "My order is late");
    assert_eq!(again.1["seq"], late["seq"], "{again:?}");
    let unknown = format!("/v1/conversations/{DEVICE}/messages?after=0");
    assert_eq!(server.ask("GET", &unknown, &agent, &Value::Null).0, 404);

    // Nothing is acknowledged without the database, and it is said plainly once the lease ends.
    let database: u32 = variable("CQL_SERVER_PID").parse().unwrap();
    signal(database, Signal::STOP);
    let refused =
        server.insist(&talk, &talk.secret, (2, "Still there?"), |_, body| body["code"] == "busy");
    signal(database, Signal::CONT);
    assert!(refused.iter().all(|(status, _)| *status >= 500), "{refused:?}");
    // It goes on by itself, and what was asked many times is there once.
    server.insist(&talk, &talk.secret, (2, "Still there?"), |status, _| {
        status == 201 || status == 200
    });
    let after = server.transcript(&talk, &talk.secret);
    let expected = ["Hello", "Good morning", "My order is late", "Still there?"];
    assert_eq!(said(&after), expected);
    assert_eq!(after[..before.len()], before);

    signal(server.process.id(), Signal::TERM);
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_database_that_cannot_be_used_is_named_with_its_setting() {
    // Bound and closed again: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap().to_string();
    drop(listener);
    let free = "127.0.0.1:0";
    let serve = ["serve", "--listen", free, "--ops-listen", free];
    for arguments in [&serve[..], &["migrate"]] {
        let refused = err(&ends(switchboard(&nobody, KEYSPACE, arguments), 1));
        assert!(refused.contains(&nobody) && refused.contains("cql.nodes"), "{refused}");
    }
    let absent = err(&ends(switchboard(&variable("CQL_SERVER"), "sb_absent", &serve), 1));
    for told in ["sb_absent", "cql.keyspace", "switchboard migrate"] {
        assert!(absent.contains(told), "{absent}");
    }
    for (variable, value) in [
        ("SWITCHBOARD_CQL_NODES", "nowhere"),
        ("SWITCHBOARD_CQL_KEYSPACE", "not a name"),
        ("SWITCHBOARD_CQL_USERNAME", "alone"),
        ("SWITCHBOARD_CQL_REPLICATION", "0"),
    ] {
        let mut check = switchboard(&nobody, KEYSPACE, &["check-config"]);
        check.env(variable, value);
        let refused = err(&ends(check, 3));
        let key = variable.replace("SWITCHBOARD_CQL_", "cql.").to_lowercase();
        assert!(refused.contains(&key), "{refused}");
    }
}
