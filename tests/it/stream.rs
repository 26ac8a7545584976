//! The stream's promises: safe retries, resume, streams kept apart, live lists, actions.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::harness::{Begun, Client, Server, text_of};

const NEW: (Value, Value) = (Value::Null, Value::Null);

fn device(client: u8) -> Value {
    json!(format!("0192aaaa-0000-7000-8000-0000000000{client:02}"))
}

async fn with_device(server: &Server, token: &str, number: u8) -> Client {
    let mut client = Client::open(server.address(), None, None).await.unwrap();
    client.send(json!({ "type": "hello", "token": token, "device": device(number) })).await;
    client.next_of("ready").await;
    client
}

/// The answer to a send: `ack` or `nack`.
async fn answer(client: &mut Client, n: u64) -> Value {
    client
        .next_where("an answer", |frame| {
            (frame["type"] == "ack" || frame["type"] == "nack") && frame["n"] == n
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_is_stored_once_and_told_apart_from_others() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let mut visitor = with_device(&server, &begun.secret, 1).await;

    visitor.write(&begun.id, 2, "too early").await;
    let gap = answer(&mut visitor, 2).await;
    assert_eq!((&gap["code"], &gap["expect"]), (&json!("gap"), &json!(1)));
    visitor.write(&begun.id, 1, "one").await;
    let first = answer(&mut visitor, 1).await;
    assert_eq!(first["duplicate"], false);
    visitor.write(&begun.id, 1, "one").await;
    let again = answer(&mut visitor, 1).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&first["seq"], &json!(true)));
    visitor.write(&begun.id, 1, "other").await;
    assert_eq!(answer(&mut visitor, 1).await["code"], "conflict");
    visitor.write(&begun.id, 2, " \u{7}").await;
    assert_eq!(answer(&mut visitor, 2).await["code"], "invalid");
    visitor.write(&begun.id, 2, &"x".repeat(16_385)).await;
    assert_eq!(answer(&mut visitor, 2).await["code"], "too_large");

    // The same outbox elsewhere goes on where it was.
    let mut elsewhere = with_device(&server, &begun.secret, 1).await;
    elsewhere.write(&begun.id, 1, "one").await;
    assert_eq!(answer(&mut elsewhere, 1).await["seq"], first["seq"]);
    elsewhere.write(&begun.id, 2, "two").await;
    assert_eq!(answer(&mut elsewhere, 2).await["duplicate"], false);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_acked_in_order_without_a_nack() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let mut visitor = server.connect(&begun.secret).await;
    let texts: Vec<String> = (1..=200).map(|n| format!("message {n}")).collect();
    for (n, text) in (1..).zip(&texts) {
        visitor.write(&begun.id, n, text).await;
    }
    let mut last = 0;
    for n in 1..=200 {
        let ack = answer(&mut visitor, n).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        let seq = ack["seq"].as_u64().unwrap();
        assert!(seq > last, "{ack}");
        last = seq;
    }
    let (_, events) = visitor.subscribe(&begun.id, None, NEW).await;
    let newest: Vec<_> = events.iter().map(|event| text_of(&event["body"]["text"])).collect();
    assert_eq!(newest, texts[150..]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_head_is_refused() {
    let server = Server::start().await;
    let ada = server.sign_in("ada").await;
    let begun = server.begin("hello").await;
    let mut visitor = server.connect(&begun.secret).await;
    let mut agent = server.connect(&ada).await;
    let send = |n: u64, if_head: u64| {
        json!({ "type": "send", "conversation": begun.id, "n": n, "kind": "message",
                "body": { "text": "an answer" }, "if_head": if_head })
    };
    visitor.write(&begun.id, 1, "and another thing").await;
    let newest = answer(&mut visitor, 1).await["seq"].as_u64().unwrap();
    agent.send(send(1, newest - 2)).await;
    assert_eq!(answer(&mut agent, 1).await["code"], "stale_head");
    agent.send(send(1, newest)).await;
    assert_eq!(answer(&mut agent, 1).await["type"], "ack");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_replays_and_what_is_too_far_or_other_is_a_snapshot() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let mut visitor = server.connect(&begun.secret).await;
    for n in 1..=80 {
        visitor.write(&begun.id, n, &format!("message {n}")).await;
    }
    answer(&mut visitor, 80).await;
    let (first, events) = visitor.subscribe(&begun.id, None, NEW).await;
    assert_eq!(first["mode"], "snapshot");
    assert_eq!(events.len(), 50);
    let (log, head) = (first["log"].clone(), first["head"].as_u64().unwrap());
    assert_eq!(first["from"], head - 49);

    for (log, after, mode, n_events) in [
        (log.clone(), json!(head), "replay", 0),
        (log.clone(), json!(head - 3), "replay", 3),
        (log.clone(), json!(0), "replay", head),
        (log.clone(), json!(head + 1), "snapshot", 50),
        (json!(begun.id), json!(head), "snapshot", 50),
        (Value::Null, json!(head), "snapshot", 50),
    ] {
        let mut client = server.connect(&begun.secret).await;
        let case = format!("{log} {after}");
        let (subscribed, events) = client.subscribe(&begun.id, None, (log, after)).await;
        assert_eq!(subscribed["mode"], mode, "{case}");
        assert_eq!(events.len() as u64, n_events, "{case}");
        let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert!(seqs.windows(2).all(|two| two[0] + 1 == two[1]), "{case}: {seqs:?}");
    }

    visitor
        .send(json!({ "type": "fetch", "conversation": begun.id, "before": 11, "limit": 5 }))
        .await;
    let page = visitor.next_of("events").await;
    let seqs: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|event| event["seq"].clone()).collect();
    assert_eq!(seqs, [6, 7, 8, 9, 10]);
    assert_eq!(page["more"], true);
    server.stop().await;
}

/// P13: a visitor's socket beside notes, whispers, tags and edits of notes.
#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_beside_a_hundred_notes_sees_nothing_of_them() {
    let server = Server::start().await;
    let ada = server.sign_in("ada").await;
    let begun = server.begin("hello").await;
    let mut visitor = server.connect(&begun.secret).await;
    let mut agent = server.connect(&ada).await;
    visitor.subscribe(&begun.id, None, NEW).await;
    agent.subscribe(&begun.id, Some("internal"), NEW).await;
    let before = server.get(&format!("/v1/conversations/{}", begun.id), Some(&begun.secret)).await;
    // The agent came: the last that the visitor has to hear.
    visitor.next_where("presence", |it| it["type"] == "presence" && it["online"] == true).await;
    visitor.settle().await;

    for n in 1..=100 {
        agent
            .send(json!({ "type": "send", "conversation": begun.id, "n": n, "kind": "note",
                          "body": { "text": "a SECRET for colleagues" } }))
            .await;
    }
    assert_eq!(answer(&mut agent, 100).await["type"], "ack");
    for (action, args) in [
        ("priority", json!({ "priority": "urgent" })),
        ("tag", json!({ "tags": ["SECRET"] })),
        ("department", json!({ "department": "sales" })),
        ("ticket", json!({ "ticket": 1_000_777 })),
        ("edit", json!({ "stream": "internal", "seq": 1, "text": "another SECRET" })),
        ("redact", json!({ "stream": "internal", "seq": 2 })),
    ] {
        act(&mut agent, &begun, action, args).await.unwrap();
    }
    // The agent hears every one; an answer may leave before the event that it is of.
    for seq in 1..=106 {
        let heard = agent.next_where("a note", |it| it["stream"] == "internal").await;
        assert_eq!(heard["seq"], seq, "{heard}");
    }

    assert_eq!(visitor.settle().await, Vec::<Value>::new());
    let after = server.get(&format!("/v1/conversations/{}", begun.id), Some(&begun.secret)).await;
    assert_eq!(before.json(), after.json());
    visitor
        .send(json!({ "type": "subscribe", "conversation": begun.id, "stream": "internal",
                         "log": null, "after": null }))
        .await;
    assert_eq!(visitor.next_of("refused").await["code"], "not_found");
    visitor
        .send(json!({ "type": "fetch", "conversation": begun.id, "stream": "internal",
                         "after": 0 }))
        .await;
    assert_eq!(visitor.next_of("refused").await["code"], "not_found");
    let path = format!("/v1/conversations/{}/messages?stream=internal", begun.id);
    assert_eq!(server.get(&path, Some(&begun.secret)).await.status, 404);
    server.stop().await;
}

/// Carries an action out; answers `done`, or the `refused` frame.
async fn act(
    client: &mut Client,
    begun: &Begun,
    action: &str,
    args: Value,
) -> Result<Value, Value> {
    static REFERENCES: AtomicU64 = AtomicU64::new(1);
    let number = REFERENCES.fetch_add(1, Ordering::Relaxed);
    let reference = json!(format!("0192dddd-0000-7000-8000-{number:012}"));
    client
        .send(json!({ "type": "do", "ref": reference, "conversation": begun.id,
                      "action": action, "args": args }))
        .await;
    let answer = client.next_where(action, |frame| frame["ref"] == reference).await;
    if answer["type"] == "done" { Ok(answer) } else { Err(answer) }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_accepts_one_wins_and_the_other_is_told_who() {
    let server = Server::start().await;
    let (ada, ben) = (server.sign_in("ada").await, server.sign_in("ben").await);
    let (mut ada, mut ben) = (server.connect(&ada).await, server.connect(&ben).await);
    for _ in 0..4 {
        let begun = server.begin("who takes it?").await;
        let (first, second) = tokio::join!(
            act(&mut ada, &begun, "accept", json!({})),
            act(&mut ben, &begun, "accept", json!({}))
        );
        let (winner, loser) = match (&first, &second) {
            (Ok(_), Err(refused)) => ("Ada", refused),
            (Err(refused), Ok(_)) => ("Ben", refused),
            other => panic!("{other:?}"),
        };
        assert_eq!(loser["code"], "already_accepted");
        assert_eq!(loser["by"]["name"], winner);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_follow_the_rules_and_strangers_find_nothing() {
    let server = Server::start().await;
    let ada = server.sign_in("ada").await;
    let begun = server.begin("hello").await;
    let other = server.begin("somebody else").await;
    let mut visitor = server.connect(&begun.secret).await;
    let mut stranger = server.connect(&other.secret).await;
    let mut agent = server.connect(&ada).await;

    let code = |refused: Result<Value, Value>| text_of(&refused.unwrap_err()["code"]);
    assert_eq!(code(act(&mut visitor, &begun, "accept", json!({})).await), "forbidden");
    assert_eq!(code(act(&mut visitor, &begun, "rate", json!({ "score": 5 })).await), "open");
    assert_eq!(code(act(&mut stranger, &begun, "close", json!({})).await), "not_found");
    assert_eq!(code(act(&mut agent, &begun, "fly", json!({})).await), "invalid");
    assert_eq!(code(act(&mut agent, &begun, "close", json!({ "text": "x" })).await), "invalid");
    stranger.write(&begun.id, 1, "let me in").await;
    assert_eq!(answer(&mut stranger, 1).await["code"], "not_found");

    act(&mut agent, &begun, "accept", json!({})).await.unwrap();
    let reason = json!({ "department": "sales", "reason": "not mine" });
    act(&mut agent, &begun, "transfer", reason).await.unwrap();
    act(&mut agent, &begun, "assign", json!({ "agent": "ben" })).await.unwrap();
    act(&mut agent, &begun, "resolve", json!({})).await.unwrap();
    visitor.write(&begun.id, 1, "wait").await;
    assert_eq!(answer(&mut visitor, 1).await["code"], "closed");
    act(&mut visitor, &begun, "rate", json!({ "score": 5, "comment": "fine" })).await.unwrap();
    let again = act(&mut visitor, &begun, "rate", json!({ "score": 1 })).await;
    assert_eq!(code(again), "already_rated");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_repeated_under_its_reference_is_done_once() {
    let server = Server::start().await;
    let ada = server.sign_in("ada").await;
    let begun = server.begin("hello").await;
    let mut agent = server.connect(&ada).await;
    let note = json!({ "type": "do", "ref": begun.id, "conversation": begun.id,
                       "action": "note", "args": { "text": "once" } });
    agent.send(note.clone()).await;
    let first = agent.next_of("done").await;
    agent.send(note).await;
    let second = agent.next_of("done").await;
    assert_eq!(first, second);
    let (subscribed, _) = agent.subscribe(&begun.id, Some("internal"), NEW).await;
    assert_eq!(subscribed["head"], 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_list_follows_what_happens() {
    let server = Server::start().await;
    let ada = server.sign_in("ada").await;
    let mut agent = server.connect(&ada).await;
    let waiting = json!("0192bbbb-0000-7000-8000-000000000001");
    agent
        .send(json!({ "type": "watch", "ref": waiting, "view": { "status": "waiting" },
                      "sort": "waiting", "limit": 50 }))
        .await;
    let snapshot = agent.next_of("view").await;
    assert_eq!((&snapshot["version"], &snapshot["snapshot"]), (&json!(1), &json!([])));

    let begun = server.begin("hello").await;
    let put = agent.next_of("view").await;
    assert_eq!(put["changes"][0]["put"]["id"], begun.id);
    assert_eq!(put["changes"][0]["put"]["unread"], 1);
    assert_eq!((&put["version"], &put["total"]), (&json!(2), &json!(1)));
    act(&mut agent, &begun, "accept", json!({})).await.unwrap();
    let mut version = 2;
    loop {
        let change = agent.next_of("view").await;
        version += 1;
        assert_eq!(change["version"], version, "{change}");
        if change["total"] == 0 {
            assert_eq!(change["changes"][0]["drop"], begun.id);
            break;
        }
    }

    let mut visitor = server.connect(&begun.secret).await;
    visitor.send(json!({ "type": "watch", "ref": waiting, "view": {}, "sort": "recent" })).await;
    assert_eq!(visitor.next_of("refused").await["code"], "forbidden");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_typing_and_presence_reach_the_other_side() {
    let server = Server::start().await;
    let begun = server.begin("hello").await;
    let mut visitor = server.connect(&begun.secret).await;
    assert_eq!(visitor.next_of("presence").await["online"], false);
    let ada = server.sign_in("ada").await;
    let mut agent = server.connect(&ada).await;
    assert_eq!(visitor.next_of("presence").await["online"], true);
    let present = agent.next_of("presence").await;
    assert_eq!(present["snapshot"], true);

    visitor.subscribe(&begun.id, None, NEW).await;
    agent.subscribe(&begun.id, None, NEW).await;
    for on in [true, false] {
        visitor.send(json!({ "type": "typing", "conversation": begun.id, "on": on })).await;
        let typing = agent.next_of("typing").await;
        assert_eq!((&typing["on"], &typing["from"]["kind"]), (&json!(on), &json!("visitor")));
    }
    agent.send(json!({ "type": "read", "conversation": begun.id, "seq": 2 })).await;
    let receipt = visitor.next_of("receipt").await;
    assert_eq!((&receipt["read"], &receipt["by"]["kind"]), (&json!(2), &json!("agent")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_shown_to_agents_alone_and_only_if_the_widget_says_so() {
    let server = Server::start().await;
    let ada = server.sign_in("ada").await;
    let begun = server.begin("hello").await;
    let mut visitor = server.connect(&begun.secret).await;
    let mut agent = server.connect(&ada).await;
    visitor.subscribe(&begun.id, None, NEW).await;
    agent.subscribe(&begun.id, None, NEW).await;
    let types = async |by: &mut Client, heard_by: &mut Client, preview: &str| {
        by.send(json!({ "type": "typing", "conversation": begun.id, "on": true,
                        "preview": preview }))
            .await;
        heard_by.next_of("typing").await.get("preview").cloned()
    };

    assert_eq!(types(&mut visitor, &mut agent, "a secret").await, None, "off by default");
    for on in [true, false, true] {
        // It counts at once, for sockets that are open too.
        server.change_widget(&ada, "demo", json!({ "preview_typing": on })).await;
        let heard = types(&mut visitor, &mut agent, "a secret").await;
        assert_eq!(heard, on.then(|| json!("a secret")));
    }
    let heard = types(&mut visitor, &mut agent, &"ä".repeat(300)).await;
    assert_eq!(heard, Some(json!("ä".repeat(200))));
    assert_eq!(types(&mut agent, &mut visitor, "not for you").await, None);
    server.stop().await;
}
