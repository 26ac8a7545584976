use switchboard_cluster::transport::VERSIONS;
use switchboard_domain::conversation::Body;
use switchboard_domain::ids::EventId;

use super::*;
use crate::presence::{AgentPresence, Setting};
use crate::remote::home::{Answer, Bulletin, Place, Question, Report};
use crate::testing::{agent, agent_ref, create, send_key, visitor};

fn bytes_of(it: &impl Form) -> Vec<u8> {
    let mut bytes = Vec::new();
    it.put(&mut bytes);
    bytes
}

/// Reads as it was written, to the last byte; and cut short it is nothing.
fn check<T: Form + std::fmt::Debug>(it: &T) {
    let bytes = bytes_of(it);
    let mut rest = &bytes[..];
    let read = T::take(&mut rest).expect("it reads");
    assert!(rest.is_empty(), "{it:?} leaves {} bytes", rest.len());
    assert_eq!(format!("{read:?}"), format!("{it:?}"));
    for end in 0..bytes.len() {
        assert!(T::take(&mut &bytes[..end]).is_none(), "{it:?} cut at {end}");
    }
}

fn target() -> Target {
    Target { seq: Seq(3), author: Some(visitor(1).author), at: Timestamp(5), redacted: true }
}

#[test]
fn every_command_arrives_as_it_was() {
    let text: Arc<str> = "grüß Gott".into();
    let agent_ref = agent_ref(7);
    let commands = [
        create(1, Some("sales")),
        Command::Send { text: text.clone(), files: vec!["f".into()], if_head: Some(Seq(4)) },
        Command::Note { text: text.clone() },
        Command::Whisper { text: text.clone() },
        Command::Accept { agent: agent_ref.clone() },
        Command::Take { agent: agent_ref.clone() },
        Command::Assign { agent: agent_ref.clone() },
        Command::Route { agent: agent_ref.clone() },
        Command::Unassign,
        Command::Requeue,
        Command::Transfer {
            to: TransferTarget::Department(DepartmentId("sales".into())),
            reason: text.clone(),
        },
        Command::RefuseTransfer,
        Command::Close { resolution: Resolution::Resolved },
        Command::Reopen { agent: Some(agent_ref) },
        Command::Archive,
        Command::Prioritise { priority: Priority::Urgent },
        Command::SetDepartment { department: None },
        Command::Tag { tags: vec!["a".into(), "b".into()] },
        Command::Rate(Rating { score: 5, comment: Some(text.clone()) }),
        Command::Edit { stream: Stream::Internal, target: target(), text: text.clone() },
        Command::Redact { stream: Stream::Public, target: target() },
        Command::LinkTicket { ticket: Number(9) },
        Command::GoOffline,
        Command::AnnounceAgent { text },
        Command::LeaveLine,
        Command::ReturnToLine,
        Command::Watch,
    ];
    for command in commands {
        check(&Request { caller: agent(1), key: Some(send_key(2, 3)), command });
    }
}

#[test]
fn every_refusal_arrives_as_it_was() {
    let rejections = [
        Rejection::NotFound,
        Rejection::AlreadyAccepted { by: agent_ref(1) },
        Rejection::Gap { expect: 7 },
        Rejection::TooLarge { what: "text", max: 4_096 },
        Rejection::Invalid { what: "score", why: "must be 1 to 5" },
        Rejection::AtCapacity,
    ];
    for rejection in rejections {
        check(&Refusal::Rejected(rejection));
    }
    let faults = [Fault::Full, Fault::Busy, Fault::Failed { what: "it broke".into() }];
    for refusal in [Refusal::Busy { retry_after_ms: 250 }, Refusal::Unknown, Refusal::Draining]
        .into_iter()
        .chain(faults.map(Refusal::Store))
    {
        let bytes = bytes_of(&refusal);
        let read = Refusal::take(&mut &bytes[..]).expect("it reads");
        assert!(read.to_string() == refusal.to_string());
    }
}

#[test]
fn what_a_tenant_is_told_arrives_as_it_was() {
    let event = Event {
        stream: Stream::Public,
        seq: Seq(1),
        public_head: Seq(1),
        id: EventId::from_u128(1),
        at: Timestamp(5),
        from: visitor(1).author,
        key: None,
        ordinals: Ordinals::default(),
        body: Body::Created(Box::new(created())),
    };
    let state = Conversation::begin(ConversationId::from_u128(1), &event).expect("it begins");
    let plain = Card::of(&state);
    let rare = Rare { score: Some(4), ticket: Some(Number(9)) };
    let rated = Card { rare: Some(Box::new(rare)), status: Status::Closed, ..plain.clone() };
    let (cards, agent) = (vec![Arc::new(plain), Arc::new(rated)], agent_ref(7));
    let readers = vec![(state.id, vec![(agent.id, 3)])];
    let policies =
        vec![(None, Policy::Skills), (Some(DepartmentId("sales".into())), Policy::Manual)];
    let shown = AgentPresence {
        agent: agent.clone(),
        effective: presence::Status::Away,
        chosen: presence::Status::Busy,
        capacity: 5,
        active: 2,
        skills: ["sql".into()].into(),
        departments: [DepartmentId("sales".into())].into(),
        desk: None,
    };
    check(&Report {
        cards: cards.clone(),
        readers: readers.clone(),
        desks: vec![(agent.id, true)],
        alive: vec![agent.id],
        listening: vec![state.id],
        cancelled: vec![(agent.id, state.id)],
        policies: policies.clone(),
    });
    check(&Bulletin {
        cards,
        readers,
        is_whole: true,
        agents: vec![shown.clone()],
        anybody: Some(false),
        places: vec![(state.id, Place { position: 3, eta: Some((40, 90)) })],
        policies,
    });
    for setting in [
        Setting::Status(presence::Status::Offline),
        Setting::Capacity(3),
        Setting::Skills(vec!["sql".into()]),
        Setting::Desk(Some(DepartmentId("sales".into()))),
    ] {
        check(&Question::Set { agent: agent.clone(), setting });
    }
    check(&Answer::Agents { agents: [shown].into() });
}

fn created() -> Created {
    match create(1, Some("sales")) {
        Command::Create { created, .. } => *created,
        other => panic!("{other:?}"),
    }
}

#[test]
fn texts_whose_ends_do_not_fit_are_refused() {
    let ends = |ends: [u16; 12]| Texts::of_parts("grüß", &ends).is_some();
    assert!(ends([0, 2, 2, 4, 6, 6, 6, 6, 6, 6, 6, 6]));
    assert!(!ends([0, 3, 3, 4, 6, 6, 6, 6, 6, 6, 6, 6]), "within a letter");
    assert!(!ends([0, 4, 2, 4, 6, 6, 6, 6, 6, 6, 6, 6]), "backwards");
    assert!(!ends([0, 2, 2, 4, 6, 6, 6, 6, 6, 6, 6, 7]), "beyond");
    assert!(!ends([0; 12]), "something is left");
    assert!(Texts::of_parts("", &[0; 11]).is_none(), "one is missing");
}

#[test]
fn events_arrive_as_they_were() {
    for (stream, body) in [
        (Stream::Public, Body::Message { text: "a".into(), files: Vec::new() }),
        (Stream::Internal, Body::Tagged { tags: vec!["b".into()] }),
    ] {
        check(&Event {
            stream,
            seq: Seq(2),
            public_head: Seq(1),
            id: EventId::from_u128(1),
            at: Timestamp(5),
            from: agent(3).author,
            key: Some(send_key(1, 2)),
            ordinals: Ordinals { visitor: 1, agent: 2, system: 3 },
            body,
        });
    }
}

/// Frozen: a node of the version before must read it.
#[test]
fn the_form_of_version_1_does_not_change() {
    let request = Request {
        caller: visitor(1),
        key: None,
        command: Command::Send { text: "hi".into(), files: Vec::new(), if_head: None },
    };
    let mut expect = vec![0, 1];
    expect.extend([0; 15]);
    // No name, a visitor, no key, a send, "hi", no files, no head.
    expect.extend([0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i']);
    expect.extend([0; 8]);
    expect.push(0);
    assert_eq!(bytes_of(&request), expect);
}

#[test]
fn a_length_that_the_bytes_do_not_bear_out_is_refused() {
    let bytes = u64::MAX.to_le_bytes();
    assert!(Vec::<Event>::take(&mut &bytes[..]).is_none());
    assert!(<Arc<str>>::take(&mut &bytes[..]).is_none());
    assert!(Vec::<u8>::take(&mut &(1_u64 << 60).to_le_bytes()[..]).is_none());
}

/// Everything that is said between nodes, word by word and field by field. What a released version
/// has never changes: a new word or field comes with a new version, and is not said to a node that
/// does not have it.
#[test]
fn what_is_said_belongs_to_the_version() {
    let sources = [
        include_str!("../form.rs"),
        include_str!("../message.rs"),
        include_str!("../home.rs"),
        include_str!("../shards.rs"),
        include_str!("../warm.rs"),
    ];
    let said: Vec<String> = sources.into_iter().flat_map(forms_in).collect();
    let frozen: Vec<&str> = include_str!("version-4.txt").lines().collect();
    assert_eq!(said, frozen, "is it a new version?");
    assert_eq!(VERSIONS.newest, 4, "what it brought is to be frozen");
}

/// The macro calls of a source, a line each.
fn forms_in(source: &str) -> Vec<String> {
    let begins = ["numbers!(", "wrappers!(", "fields!(", "variants!("];
    let calls = source.split("\n").filter(|line| begins.iter().any(|it| line.starts_with(it)));
    let call = |line: &str| {
        let rest = &source[line.as_ptr().addr() - source.as_ptr().addr()..];
        let call = &rest[..rest.find(");").expect("it ends")];
        call.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    calls.map(call).collect()
}
