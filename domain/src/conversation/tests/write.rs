//! Messages, notes and whispers.

use super::*;

#[test]
fn messages_are_written_while_it_is_open() {
    for given in [Vec::new(), active()] {
        for caller in [vera(), ben(), cyd(), sue(), bot(), system()] {
            check(&given, (caller, say("hi\u{7}")), Ok(vec![message("hi")]));
        }
    }
    for given in [closed(), archived()] {
        for caller in [vera(), ben(), sue(), system()] {
            refused(&given, (caller, say("hi")), Rejection::Closed);
        }
    }
    refused(&[], (otto(), say("hi")), Rejection::NotFound);
    refused(&[], (nobody(), say("hi")), Rejection::Forbidden);
}

#[test]
fn writing_takes_nothing_over() {
    let chat = Chat::given(&[(ben(), accept(&ben())), (cyd(), say("a hint"))]);
    assert_eq!(chat.state().agent, Some(agent_ref(&ben())));
    let chat = Chat::given(&[(cyd(), say("a hint"))]);
    assert_eq!((chat.state().status, &chat.state().agent), (Status::Waiting, &None));
}

#[test]
fn what_is_empty_or_too_large_is_no_message() {
    let empty = Rejection::Invalid { what: "text", why: "must not be empty" };
    refused(&[], (vera(), say(" \n")), empty.clone());
    refused(&active(), (ben(), note("")), empty);
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    let too_large = Rejection::TooLarge { what: "text", max: TEXT_BYTES_MAX };
    refused(&[], (vera(), say(&long)), too_large.clone());
    refused(&[], (ben(), Command::Whisper { text: long.as_str().into() }), too_large);
    check(&[], (vera(), say(&long[1..])), Ok(vec![message(&long[1..])]));
}

#[test]
fn files_need_no_text() {
    let send = |text: &str, files: &[&str]| Command::Send {
        text: text.into(),
        files: files.iter().map(|file| (*file).into()).collect(),
        if_head: None,
    };
    let body = Body::Message { text: "".into(), files: vec!["f1".into()] };
    check(&[], (vera(), send(" ", &["f1"])), Ok(vec![body]));
    let many = vec!["f"; FILES_MAX + 1];
    let too_many = Rejection::TooLarge { what: "files", max: FILES_MAX };
    refused(&[], (vera(), send("", &many)), too_many);
    let no_id = Rejection::Invalid { what: "files", why: "must be ids of files" };
    refused(&[], (vera(), send("", &["f1", ""])), no_id);
    let long = "f".repeat(FILE_ID_BYTES_MAX + 1);
    let too_long = Rejection::TooLarge { what: "file id", max: FILE_ID_BYTES_MAX };
    refused(&[], (vera(), send("", &[&long])), too_long);
}

#[test]
fn if_head_speaks_of_messages_by_others_alone() {
    // 1 created, 2 Vera, 3 assigned, 4 Ben, 5 Vera, 6 Vera.
    let given = [
        (vera(), say("one")),
        (ben(), accept(&ben())),
        (ben(), say("two")),
        (vera(), say("three")),
        (vera(), say("four")),
        (ben(), note("aside")),
    ];
    let stale = |newest| Err(Rejection::StaleHead { newest: Seq(newest) });
    for (caller, head, then) in [
        (vera(), 4, Ok(vec![message("x")])),
        (vera(), 3, stale(4)),
        (vera(), 0, stale(4)),
        (ben(), 6, Ok(vec![message("x")])),
        (ben(), 5, stale(6)),
        (cyd(), 6, Ok(vec![message("x")])),
        (cyd(), 4, stale(6)),
    ] {
        check(&given, (caller, say_after("x", head)), then);
    }
    check(&[(vera(), say("one"))], (vera(), say_after("x", 0)), Ok(vec![message("x")]));
    check(&[], (ben(), say_after("x", 0)), Ok(vec![message("x")]));
    refused(&closed(), (vera(), say_after("x", 0)), Rejection::Closed);
}

#[test]
fn notes_and_whispers_stay_inside() {
    let whisper = || Command::Whisper { text: "psst".into() };
    let noted = |text: &str| Body::Note { text: text.into(), transfer: false };
    for caller in [ben(), cyd(), sue(), bot(), system()] {
        check(&active(), (caller.clone(), note("n")), Ok(vec![noted("n")]));
        let whispered = Body::Whisper { text: "psst".into() };
        check(&active(), (caller, whisper()), Ok(vec![whispered]));
    }
    check(&closed(), (ben(), note("n")), Ok(vec![noted("n")]));
    refused(&archived(), (ben(), note("n")), Rejection::Closed);
    refused(&closed(), (ben(), whisper()), Rejection::Closed);
    refused(&active(), (vera(), note("n")), Rejection::Forbidden);
    refused(&active(), (vera(), whisper()), Rejection::Forbidden);
}

#[test]
fn an_internal_event_names_the_public_head_and_moves_none() {
    let mut chat = Chat::given(&[(vera(), say("one"))]);
    let before = chat.state().clone();
    let events = chat.must(&ben(), note("n"));
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.stream, event.seq, event.public_head), (Stream::Internal, Seq(1), Seq(2)));
    let state = chat.state();
    assert_eq!(state.heads, Heads { public: Seq(2), internal: Seq(1) });
    assert_eq!(
        (state.ordinals, &state.last, state.last_public_at),
        (before.ordinals, &before.last, before.last_public_at)
    );
    assert!(state.last_at > before.last_at);
}
