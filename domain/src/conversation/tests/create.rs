//! How it begins.

use super::*;

#[test]
fn a_conversation_begins_with_created_welcome_message_and_absence() {
    let mut chat = Chat::empty();
    let command = Command::Create {
        created: Box::new(created()),
        welcome: Some("Welcome!".into()),
        message: Some("hello".into()),
        start: Start::Offline,
    };
    let events = chat.must(&vera(), command);
    let expect = [
        (Body::Created(Box::new(created())), vera().author),
        (message("Welcome!"), Author::SYSTEM),
        (message("hello"), vera().author),
        (Body::WentOffline, Author::SYSTEM),
    ];
    let found: Vec<_> = events.into_iter().map(|event| (event.body, event.from)).collect();
    assert_eq!(found, expect);
    let state = chat.state();
    assert_eq!(state.status, Status::Waiting);
    assert_eq!(state.ordinals, Ordinals { visitor: 1, agent: 0, system: 1 });
    assert_eq!(state.heads, Heads { public: Seq(4), internal: Seq(0) });
    assert!(state.offline);
}

#[test]
fn the_key_of_a_creation_is_on_created_alone() {
    let mut chat = Chat::empty();
    let command = Command::Create {
        created: Box::new(created()),
        welcome: Some("Welcome!".into()),
        message: Some("hello".into()),
        start: Start::Waiting,
    };
    let key = key(1, 1, 7);
    let Ok(Answer::Stored(events)) = chat.ask(&vera(), Some(key), command.clone()) else {
        panic!("refused");
    };
    let keys: Vec<_> = events.iter().map(|event| event.key).collect();
    assert_eq!(keys, [Some(key), None, None]);
    let again = chat.ask(&vera(), Some(key), command);
    assert_eq!(again, Ok(Answer::Duplicate(Stream::Public, Seq(1))));
    assert_eq!(chat.log.len(), 3);
}

#[test]
fn who_may_begin_for_whom() {
    for (caller, expect) in [
        (vera(), Ok(1)),
        (ben(), Ok(1)),
        (bot(), Ok(1)),
        (system(), Ok(1)),
        (otto(), Err(Rejection::Forbidden)),
        (nobody(), Err(Rejection::Forbidden)),
    ] {
        let answer = Chat::empty().ask(&caller, None, create());
        let n_events = answer.map(|answer| match answer {
            Answer::Stored(events) => events.len(),
            Answer::Duplicate(..) => 0,
        });
        assert_eq!(n_events, expect, "{}", name(&caller));
    }
}

#[test]
fn who_writes_to_somebody_has_the_conversation() {
    let begin = |agent: &Caller| Command::Create {
        created: Box::new(created()),
        welcome: None,
        message: Some("hello".into()),
        start: Start::Assigned(agent_ref(agent)),
    };
    let mut chat = Chat::empty();
    let kinds: Vec<_> =
        chat.must(&ben(), begin(&ben())).iter().map(|event| event.body.kind()).collect();
    assert_eq!(kinds, ["created", "assigned", "message"]);
    let state = chat.state();
    assert_eq!((state.status, &state.agent), (Status::Active, &Some(agent_ref(&ben()))));
    assert_eq!(state.waiting_since, None);
    assert_eq!(state.ordinals, Ordinals { visitor: 0, agent: 1, system: 0 });
    // A visitor assigns nobody.
    let refused = Chat::empty().ask(&vera(), None, begin(&ben()));
    assert_eq!(refused, Err(Rejection::Forbidden));
}

#[test]
fn nothing_but_create_speaks_to_what_does_not_exist() {
    for command in [say("hello"), close(), accept(&ben()), Command::GoOffline] {
        let answer = Chat::empty().ask(&sue(), None, command);
        assert_eq!(answer, Err(Rejection::NotFound));
    }
    refused(&[], (vera(), create()), Rejection::Exists);
    refused(&[], (otto(), create()), Rejection::NotFound);
}

#[test]
fn what_is_fixed_at_the_beginning_is_cleaned_and_bounded() {
    let mut raw = created();
    raw.subject = Some(" Order\n4711\u{7} ".into());
    raw.visitor.name = Some("  ".into());
    raw.skills = vec!["tax".into(), "fr".into(), "tax".into()];
    raw.fields = vec![("topic".into(), "a\nb".into()), ("empty".into(), " ".into())];
    let mut chat = Chat::empty();
    let create = |created: Created| Command::Create {
        created: Box::new(created),
        welcome: Some(" ".into()),
        message: None,
        start: Start::Waiting,
    };
    let events = chat.must(&vera(), create(raw));
    assert_eq!(events.len(), 1, "an empty welcome says nothing");
    let state = chat.state();
    assert_eq!(state.subject.as_deref(), Some("Order4711"));
    assert_eq!(state.visitor.name, None);
    assert_eq!(state.skills, ["fr".into(), "tax".into()]);
    assert_eq!(state.fields, [("topic".into(), "a\nb".into())]);

    let long = |n: usize| Some("x".repeat(n).into());
    let too_large = |what, max| Err(Rejection::TooLarge { what, max });
    let nul = |what| Err(Rejection::Invalid { what, why: "must not contain NUL" });
    type Spoil = fn(&mut Created, Option<std::sync::Arc<str>>);
    let spoils: [(Spoil, _, _); 8] = [
        (
            |it, text| it.subject = text,
            long(SUBJECT_BYTES_MAX + 1),
            too_large("subject", SUBJECT_BYTES_MAX),
        ),
        (|it, text| it.subject = text, Some("a\0b".into()), nul("subject")),
        (
            |it, text| it.visitor.name = text,
            long(NAME_BYTES_MAX + 1),
            too_large("contact name", NAME_BYTES_MAX),
        ),
        (
            |it, text| it.visitor.email = text,
            long(EMAIL_BYTES_MAX + 1),
            too_large("contact email", EMAIL_BYTES_MAX),
        ),
        (
            |it, text| it.visitor.phone = text,
            long(PHONE_BYTES_MAX + 1),
            too_large("contact phone", PHONE_BYTES_MAX),
        ),
        (
            |it, text| it.context = vec![("page".into(), text.unwrap_or_default())],
            long(CONTEXT_BYTES_MAX - 3),
            too_large("context", CONTEXT_BYTES_MAX),
        ),
        (
            |it, text| it.fields = vec![(text.unwrap_or_default(), "x".into())],
            long(FIELDS_BYTES_MAX),
            too_large("fields", FIELDS_BYTES_MAX),
        ),
        (
            |it, text| it.skills = vec![text.unwrap_or_default()],
            long(LABEL_BYTES_MAX + 1),
            too_large("skills", LABEL_BYTES_MAX),
        ),
    ];
    for (spoil, text, expect) in spoils {
        let mut raw = created();
        spoil(&mut raw, text);
        assert_eq!(Chat::empty().ask(&vera(), None, create(raw)), expect);
    }
}
