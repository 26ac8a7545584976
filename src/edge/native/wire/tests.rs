use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use switchboard_actors::Published;
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::conversation::{
    AssignedBy, Body, Contact, Conversation, Created, Event, Ordinals, Priority, Rating,
    Resolution, SendKey, Start, Stream, TransferTarget, stamp,
};
use switchboard_domain::ids::{
    AgentId, ConversationId, DepartmentId, DeviceId, EventId, LogId, Number, Seq, Timestamp,
    VisitorId, WidgetId,
};
use switchboard_domain::person::{AgentRef, Author, Principal, Side};
use switchboard_domain::receipt::Receipt;
use uuid::Uuid;

use super::card::Card;
use super::incoming::{BadFrame, Incoming, parse};
use super::outgoing::{Ack, Change, Companion, Company, Frame, Limits, Mode, Presence};
use super::person::{Agent, Person};
use super::time::Rfc3339;
use super::{Codec, event};

const AT: Timestamp = Timestamp(1_790_000_000_123);

fn conversation() -> ConversationId {
    ConversationId::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001)
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + n)
}

fn ada() -> AgentRef {
    AgentRef { id: AgentId::new(id(10)), name: "Ada".into() }
}

fn visitor() -> Author {
    Author { principal: Principal::Visitor(VisitorId::new(id(20))), name: Some("Vic".into()) }
}

fn agent() -> Author {
    Author { principal: Principal::Agent(ada().id), name: Some(ada().name) }
}

fn created() -> Created {
    Created {
        log: LogId::new(id(30)),
        number: Number(1_000_001),
        visitor: Contact {
            id: VisitorId::new(id(20)),
            name: Some("Vic".into()),
            email: Some("vic@example.com".into()),
            phone: None,
            verified: true,
        },
        widget: Some(WidgetId("demo".into())),
        subject: Some("Shoes".into()),
        department: Some(DepartmentId("sales".into())),
        priority: Priority::High,
        skills: vec!["german".into()],
        context: vec![("page".into(), "https://shop.example/".into())],
        fields: Vec::new(),
    }
}

fn published(from: Author, body: Body) -> Published {
    let internal = matches!(
        body,
        Body::Note { .. }
            | Body::Whisper { .. }
            | Body::Tagged { .. }
            | Body::Prioritised { .. }
            | Body::DepartmentChanged { .. }
            | Body::Ticketed { .. }
            | Body::ContactMerged { .. }
            | Body::Watched
    );
    let stream = if internal { Stream::Internal } else { Stream::Public };
    let key = SendKey { device: DeviceId::new(id(40)), n: 7, digest: 1 };
    let event = Event {
        stream,
        seq: Seq(42),
        public_head: Seq(if internal { 57 } else { 42 }),
        id: EventId::new(id(50)),
        at: AT,
        from,
        key: Some(key),
        ordinals: Ordinals::default(),
        body,
    };
    Published::new(conversation(), event)
}

/// Every kind of event.
fn bodies() -> Vec<(Author, Body)> {
    let text: Arc<str> = "\"hello\" – ünï".into();
    let department = || DepartmentId("sales".into());
    vec![
        (visitor(), Body::Created(Box::new(created()))),
        (visitor(), Body::Message { text: Arc::clone(&text), files: vec!["file-1".into()] }),
        (visitor(), Body::Edited { seq: Seq(3), text: Arc::clone(&text) }),
        (agent(), Body::Redacted { seq: Seq(3) }),
        (agent(), Body::Assigned { agent: ada(), by: AssignedBy::Accept, previous: None }),
        (agent(), Body::Assigned { agent: ada(), by: AssignedBy::Assign, previous: Some(ada()) }),
        (Author::SYSTEM, Body::Assigned { agent: ada(), by: AssignedBy::Route, previous: None }),
        (agent(), Body::Unassigned { agent: ada() }),
        (agent(), Body::Transferred { to: TransferTarget::Agent(ada()), previous: Some(ada()) }),
        (
            agent(),
            Body::Transferred { to: TransferTarget::Department(department()), previous: None },
        ),
        (agent(), Body::TransferRefused),
        (Author::SYSTEM, Body::WentOffline),
        (Author::SYSTEM, Body::AgentAvailable { text: Arc::clone(&text) }),
        (Author::SYSTEM, Body::VisitorLeft),
        (Author::SYSTEM, Body::VisitorReturned),
        (visitor(), Body::Closed { resolution: Resolution::None }),
        (agent(), Body::Closed { resolution: Resolution::Resolved }),
        (agent(), Body::Reopened),
        (agent(), Body::Archived),
        (visitor(), Body::Rated(Rating { score: 5, comment: Some(Arc::clone(&text)) })),
        (agent(), Body::Note { text: Arc::clone(&text), transfer: false }),
        (agent(), Body::Note { text: Arc::clone(&text), transfer: true }),
        (agent(), Body::Whisper { text }),
        (agent(), Body::Tagged { tags: vec!["vip".into()] }),
        (agent(), Body::Prioritised { priority: Priority::Urgent, previous: Priority::Low }),
        (agent(), Body::DepartmentChanged { department: None, previous: Some(department()) }),
        (agent(), Body::DepartmentChanged { department: Some(department()), previous: None }),
        (agent(), Body::Ticketed { ticket: Number(1_000_002) }),
        (agent(), Body::ContactMerged { contact: Number(1_000_003) }),
        (agent(), Body::Watched),
    ]
}

/// A conversation with a first message and an agent.
fn state() -> Conversation {
    use switchboard_domain::conversation::{Command, Request, decide};
    use switchboard_domain::person::{Caller, Role};
    let request = Request {
        caller: Caller { author: visitor(), role: Role::Visitor },
        key: None,
        command: Command::Create {
            created: Box::new(created()),
            welcome: None,
            message: Some("hello".into()),
            start: Start::Waiting,
        },
    };
    let drafts =
        decide(None, conversation(), &request, AT).expect("a visitor may begin a conversation");
    let mut n = 60;
    let events = stamp(None, drafts, None, AT, || {
        n += 1;
        EventId::new(id(n))
    });
    Conversation::fold(conversation(), &events).expect("in order").expect("it has begun")
}

fn person(author: &Author) -> Person<'_> {
    Person::from(author)
}

fn refused(code: &'static str) -> Frame<'static> {
    Frame::Refused {
        reference: None,
        re: None,
        conversation: None,
        stream: None,
        code,
        by: None,
        detail: None,
        retry_after_ms: None,
    }
}

/// Calls `sample` with the name and value of every frame but events.
fn frames(mut sample: impl FnMut(&str, &Frame<'_>)) {
    let (ada, vic, ada_author) = (ada(), visitor(), agent());
    let uuid = conversation().uuid();
    let domain_card = DomainCard::of(&state());
    let card = |side| Card::new(&domain_card, side, &Receipt::default());
    let subscribed = |side, stream, mode| Frame::Subscribed {
        conversation: uuid,
        stream,
        log: id(30),
        head: 57,
        mode,
        from: 42,
        state: Some(Box::new(card(side))),
    };
    sample(
        "ready",
        &Frame::Ready {
            connection: id(70),
            node: "node-1",
            principal: person(&ada_author),
            ping_ms: 25_000,
            limits: Limits { text_bytes: 16_384, unacked: 16 },
        },
    );
    sample("subscribed to a visitor", &subscribed(Side::Visitor, None, Mode::Replay));
    sample("subscribed to an agent", &subscribed(Side::Agent, Some("internal"), Mode::Snapshot));
    sample(
        "ack",
        &Frame::Ack(Ack {
            conversation: uuid,
            n: 7,
            seq: 58,
            id: id(50),
            at: Rfc3339(AT),
            duplicate: false,
        }),
    );
    let nack = |code, expect, retry_after_ms| Frame::Nack {
        conversation: uuid,
        n: 7,
        code,
        expect,
        retry_after_ms,
    };
    sample("nack gap", &nack("gap", Some(6), None));
    sample("nack busy", &nack("busy", None, Some(500)));
    sample(
        "receipt",
        &Frame::Receipt { conversation: uuid, by: person(&ada_author), read: 57, received: 58 },
    );
    let typing =
        |preview| Frame::Typing { conversation: uuid, from: person(&vic), on: true, preview };
    sample("typing", &typing(None));
    sample("typing with a preview", &typing(Some("hel")));
    sample("done", &Frame::Done { reference: id(80), conversation: uuid, seq: Some(60) });
    sample("done before", &Frame::Done { reference: id(80), conversation: uuid, seq: None });
    sample(
        "refused",
        &Frame::Refused {
            reference: Some(id(80)),
            re: Some("subscribe"),
            conversation: Some(uuid),
            stream: Some("internal"),
            code: "already_accepted",
            by: Some(Agent::from(&ada)),
            detail: Some("the conversation was already accepted"),
            retry_after_ms: Some(500),
        },
    );
    sample("refused in short", &refused("forbidden"));
    let view = |snapshot, changes| Frame::View {
        reference: id(80),
        version: 9,
        total: 1_234,
        snapshot,
        changes,
    };
    sample("view snapshot", &view(Some(vec![card(Side::Agent)]), None));
    let changes = vec![Change::Put(Box::new(card(Side::Agent))), Change::Drop(uuid)];
    sample("view changes", &view(None, Some(changes)));
    let queue = |eta_s| Frame::Queue { conversation: uuid, position: 3, eta_s };
    sample("queue", &queue(Some((40, 90))));
    sample("queue without an estimate", &queue(None));
    let presence = Presence { agent: Agent::from(&ada), status: "online", capacity: 5, active: 2 };
    sample("presence to agents", &Frame::Presences { agents: vec![presence], snapshot: true });
    sample("presence to visitors", &Frame::AnybodyOnline { online: true });
    let (url, title, at) = ("https://shop.example/shoes", "Shoes", Rfc3339(AT));
    let page = |did| Frame::Page { conversation: conversation().uuid(), url, title, did, at };
    sample("page to agents", &page(None));
    sample("what was done there to agents", &page(Some("Added to cart")));
    let agents = vec![Agent::from(&ada)];
    let viewing = Frame::Viewing { conversation: conversation().uuid(), agents };
    sample("viewing to agents", &viewing);
    let companion = |typing| Companion { agent: Agent::from(&ada), typing };
    let company = |agents| Company { conversation: conversation().uuid(), agents };
    let items = vec![company(vec![companion(false), companion(true)]), company(Vec::new())];
    sample("company to agents", &Frame::Company { items });
    sample("conversation", &Frame::Conversation { conversation: conversation().uuid() });
    sample("preferences", &Frame::Preferences { version: 7 });
    sample("drafts", &Frame::Drafts { version: 7 });
    sample("drain", &Frame::Drain { reconnect_in_ms: 8_123 });
    sample("error", &Frame::Error { code: "bad_frame", detail: Some("not JSON") });
    sample("ping", &Frame::Ping);
    sample("pong", &Frame::Pong);
}

/// A frame in both codecs, as the golden file keeps it.
fn golden(name: &str, json: &[u8], msgpack: &[u8]) -> Value {
    let as_json: Value = serde_json::from_slice(json).unwrap();
    let as_msgpack: Value = rmp_serde::from_slice(msgpack).unwrap();
    assert_eq!(as_json, as_msgpack, "{name}: both codecs have one shape");
    let hex: String = msgpack.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "name": name, "json": String::from_utf8(json.to_vec()).unwrap(), "msgpack": hex })
}

fn golden_of(name: &str, value: &impl Serialize) -> Value {
    golden(name, &Codec::Json.encode(value), &Codec::MessagePack.encode(value))
}

#[test]
fn every_outgoing_frame_is_as_checked_in() {
    let mut made = Vec::new();
    frames(|name, frame| made.push(golden_of(name, frame)));
    let stranger = Principal::System;
    let mut batched = Vec::new();
    for (idx, (from, body)) in bodies().into_iter().enumerate() {
        let name = format!("event {idx} {}", body.kind());
        let reader = from.principal;
        let published = published(from, body);
        let [json, msgpack] = [Codec::Json, Codec::MessagePack]
            .map(|codec| event::encoded(&published, codec, stranger));
        made.push(golden(&name, &json, &msgpack));
        batched.push((json, msgpack));
        if idx == 1 {
            let [json, msgpack] = [Codec::Json, Codec::MessagePack]
                .map(|codec| event::encoded(&published, codec, reader));
            made.push(golden("event 1 to its sender", &json, &msgpack));
        }
    }
    let (json, msgpack): (Vec<_>, Vec<_>) = batched.into_iter().take(2).unzip();
    for (name, more, stream) in [("events", true, None), ("last events", false, Some("internal"))] {
        let json = event::batch(Codec::Json, conversation(), stream, &json, more);
        let msgpack = event::batch(Codec::MessagePack, conversation(), stream, &msgpack, more);
        made.push(golden(name, &json, &msgpack));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/frames.json");
    let made = serde_json::to_string_pretty(&made).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "tests/golden/frames.json is out of date: run with UPDATE_GOLDEN=1");
}

#[test]
fn a_visitors_card_has_nothing_that_internal_events_move() {
    let mut state = state();
    let card = |state: &Conversation| {
        let card = DomainCard::of(state);
        serde_json::to_value(Card::new(&card, Side::Visitor, &Receipt::default())).unwrap()
    };
    let before = card(&state);
    for hidden in ["tags", "priority", "department", "skills", "ticket", "internal_head"] {
        assert!(before.get(hidden).is_none(), "{hidden}");
    }
    assert!(before["visitor"].get("email").is_none());
    state.heads.internal = Seq(9);
    state.last_at = AT.plus_ms(1_000);
    state.priority = Priority::Urgent;
    state.department = None;
    state.tags = vec!["vip".into()];
    state.ticket = Some(Number(5));
    assert_eq!(card(&state), before);
}

#[test]
fn incoming_frames_are_read_in_both_codecs() {
    let uuid = conversation().uuid();
    let frames = [
        json!({"type": "hello", "token": "t", "device": uuid}),
        json!({"type": "hello", "token": "t"}),
        json!({"type": "page", "url": "https://a.example/", "title": "A"}),
        json!({"type": "page", "url": "https://a.example/", "did": "Added to cart"}),
        json!({"type": "viewing", "conversation": uuid}),
        json!({"type": "viewing", "conversation": null}),
        json!({"type": "subscribe", "conversation": uuid, "log": null, "after": null}),
        json!({"type": "subscribe", "conversation": uuid, "stream": "internal", "log": uuid,
               "after": 41}),
        json!({"type": "unsubscribe", "conversation": uuid}),
        json!({"type": "send", "conversation": uuid, "n": 7, "kind": "message",
               "body": {"text": "hi", "files": ["f"]}, "if_head": 57}),
        json!({"type": "send", "conversation": uuid, "n": 7, "body": {"text": "hi"}}),
        json!({"type": "received", "conversation": uuid, "seq": 58}),
        json!({"type": "read", "conversation": uuid, "seq": 58}),
        json!({"type": "typing", "conversation": uuid, "on": true, "preview": "h"}),
        json!({"type": "fetch", "conversation": uuid, "after": 100, "limit": 200}),
        json!({"type": "fetch", "conversation": uuid, "before": 100}),
        json!({"type": "do", "ref": uuid, "conversation": uuid, "action": "accept", "args": {}}),
        json!({"type": "do", "ref": uuid, "conversation": uuid, "action": "transfer",
               "args": {"department": "sales", "reason": "r"}}),
        json!({"type": "watch", "ref": uuid, "view": {"status": "open", "agent": "me"},
               "sort": "recent", "limit": 200}),
        json!({"type": "unwatch", "ref": uuid}),
        json!({"type": "ping"}),
        json!({"type": "pong"}),
    ];
    for frame in frames {
        let text = parse(Codec::Json, frame.to_string().as_bytes());
        let binary = parse(Codec::MessagePack, &rmp_serde::to_vec_named(&frame).unwrap());
        assert!(text.is_ok(), "{frame}: {text:?}");
        assert_eq!(text, binary, "{frame}");
    }
}

#[test]
fn what_is_no_frame_is_refused_in_words() {
    let uuid = conversation().uuid();
    for (frame, words) in [
        (json!(null), "invalid type"),
        (json!([]), "invalid length"),
        (json!({}), "missing field `type`"),
        (json!({"type": "hello"}), "`token` is missing"),
        (json!({"type": "hello", "token": 5}), "invalid type"),
        (json!({"type": "hello", "token": "t", "role": "admin"}), "unknown field `role`"),
        (json!({"type": "subscribe"}), "`conversation` is missing"),
        (json!({"type": "subscribe", "conversation": "x"}), "UUID"),
        (json!({"type": "fetch", "conversation": uuid}), "either `after` or `before`"),
        (json!({"type": "fetch", "conversation": uuid, "after": 1, "before": 2}), "either"),
        (json!({"type": "send", "conversation": uuid, "n": -1, "body": {"text": ""}}), "invalid"),
        (
            json!({"type": "send", "conversation": uuid, "n": 1,
                   "body": {"text": {"$regex": ".*"}}}),
            "invalid type",
        ),
        (
            json!({"type": "send", "conversation": uuid, "n": 1, "body": {"text": "", "seq": 1}}),
            "unknown field `seq`",
        ),
        (
            json!({"type": "do", "ref": uuid, "conversation": uuid, "action": "tag",
                   "args": {"tenant": "other"}}),
            "unknown field `tenant`",
        ),
    ] {
        for (codec, bytes) in [
            (Codec::Json, frame.to_string().into_bytes()),
            (Codec::MessagePack, rmp_serde::to_vec_named(&frame).unwrap()),
        ] {
            match parse(codec, &bytes) {
                Err(BadFrame::Malformed(said)) if codec == Codec::Json => {
                    assert!(said.contains(words), "{frame}: {said}");
                }
                Err(BadFrame::Malformed(_)) => {}
                other => panic!("{frame}: {other:?}"),
            }
        }
    }
    let unknown = br#"{"type":"teleport","to":[1,2,{"deep":true}]}"#;
    assert_eq!(parse(Codec::Json, unknown), Err(BadFrame::UnknownType));
    let twice = br#"{"type":"ping","type":"pong"}"#;
    assert!(matches!(parse(Codec::Json, twice), Err(BadFrame::Malformed(_))));
    let trailing = [rmp_serde::to_vec_named(&json!({"type": "ping"})).unwrap(), vec![0xc0]];
    assert!(parse(Codec::MessagePack, &trailing.concat()).is_err());
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [33, 1_000, 100_000] {
        let text = format!("{{\"type\":{}", "[".repeat(depth));
        assert!(parse(Codec::Json, text.as_bytes()).is_err());
        let mut binary = b"\x81\xa4type".to_vec();
        binary.extend(std::iter::repeat_n(0x91, depth));
        assert!(parse(Codec::MessagePack, &binary).is_err());
    }
}

proptest! {
    /// The shortcut for what there is most of is no second protocol.
    #[test]
    fn acks_and_messages_are_as_the_general_way_writes_them(
        text in any::<String>(),
        name in proptest::option::of(any::<String>()),
        (n, seq, ms) in (any::<u64>(), any::<u64>(), any::<i64>()),
        (who, duplicate) in (0usize..4, any::<bool>()),
        files in 0usize..2,
    ) {
        let at = Timestamp(ms);
        let ack =
            Ack { conversation: id(1), n, seq, id: id(2), at: Rfc3339(at), duplicate };
        for codec in [Codec::Json, Codec::MessagePack] {
            prop_assert_eq!(ack.encoded(codec), codec.encode(&Frame::Ack(ack)));
        }
        let principal = [visitor().principal, agent().principal, Principal::System,
                         Principal::Bot(AgentId::new(id(3)))][who];
        let from = Author { principal, name: name.map(Arc::from) };
        let body = Body::Message { text: text.into(), files: vec!["file".into(); files] };
        let mut made = published(from, body);
        made.event.seq = Seq(seq);
        made.event.at = at;
        for codec in [Codec::Json, Codec::MessagePack] {
            let general = event::Frame { conversation: made.conversation, event: &made.event };
            let stranger = Principal::Visitor(VisitorId::new(id(4)));
            let written = event::encoded(&made, codec, stranger);
            prop_assert_eq!(written, codec.encode(&general));
        }
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for codec in [Codec::Json, Codec::MessagePack] {
            let _any_answer = parse(codec, &bytes);
        }
    }

    #[test]
    fn damaged_frames_never_panic(at in 0usize..200, byte in any::<u8>()) {
        let frame = json!({"type": "send", "conversation": conversation().uuid(), "n": 7,
                           "kind": "message", "body": {"text": "hi", "files": ["f"]}});
        for (codec, mut bytes) in [
            (Codec::Json, frame.to_string().into_bytes()),
            (Codec::MessagePack, rmp_serde::to_vec_named(&frame).unwrap()),
        ] {
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(Incoming::Send { n, .. }) = parse(codec, &bytes) {
                prop_assert!(n < u64::MAX);
            }
        }
    }
}
