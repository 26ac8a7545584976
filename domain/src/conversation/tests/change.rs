//! Edits and redactions.

use super::*;

#[track_caller]
fn change(chat: &mut Chat, caller: &Caller, command: Command) -> Result<usize, Rejection> {
    chat.ask(caller, None, command).map(|answer| match answer {
        Answer::Stored(events) => events.len(),
        Answer::Duplicate(..) => 0,
    })
}

#[test]
fn authors_edit_within_their_window() {
    let (public, internal) = (Stream::Public, Stream::Internal);
    for (caller, stream, seq, later_ms, expect) in [
        (vera(), public, 2, 0, Ok(1)),
        (vera(), public, 2, VISITOR_EDIT_MS - 10, Ok(1)),
        (vera(), public, 2, VISITOR_EDIT_MS, Err(Rejection::TooLate)),
        (ben(), public, 4, AGENT_EDIT_MS - 10, Ok(1)),
        (ben(), public, 4, AGENT_EDIT_MS, Err(Rejection::TooLate)),
        (ben(), internal, 1, 0, Ok(1)),
        (vera(), public, 4, 0, Err(Rejection::Forbidden)),
        (ben(), public, 2, 0, Err(Rejection::Forbidden)),
        (cyd(), public, 4, 0, Err(Rejection::Forbidden)),
        (sue(), public, 4, 0, Err(Rejection::Forbidden)),
        (vera(), internal, 1, 0, Err(Rejection::NotFound)),
        (vera(), internal, 9, 0, Err(Rejection::NotFound)),
        (otto(), public, 2, 0, Err(Rejection::NotFound)),
        (vera(), public, 1, 0, Err(Rejection::NoMessage)),
        (vera(), public, 9, 0, Err(Rejection::NoMessage)),
        (ben(), internal, 2, 0, Err(Rejection::NoMessage)),
    ] {
        let mut chat = written();
        chat.now = chat.now.plus_ms(later_ms);
        let command = chat.edit(stream, seq, "new");
        let found = change(&mut chat, &caller, command);
        assert_eq!(found, expect, "{} edits {stream:?} {seq} after {later_ms} ms", name(&caller));
    }
}

#[test]
fn authors_redact_in_time_and_supervisors_always() {
    let (public, internal) = (Stream::Public, Stream::Internal);
    let day_ms = 86_400_000;
    for (caller, stream, seq, later_ms, expect) in [
        (vera(), public, 2, 0, Ok(1)),
        (vera(), public, 2, VISITOR_EDIT_MS, Err(Rejection::TooLate)),
        (ben(), public, 4, 0, Ok(1)),
        (ben(), public, 2, 0, Err(Rejection::Forbidden)),
        (ben(), internal, 1, AGENT_EDIT_MS, Err(Rejection::TooLate)),
        (sue(), public, 2, day_ms, Ok(1)),
        (sue(), public, 4, day_ms, Ok(1)),
        (sue(), internal, 1, day_ms, Ok(1)),
        (system(), public, 2, day_ms, Ok(1)),
        (sue(), public, 1, 0, Err(Rejection::NoMessage)),
        (vera(), internal, 1, 0, Err(Rejection::NotFound)),
    ] {
        let mut chat = written();
        chat.now = chat.now.plus_ms(later_ms);
        let command = chat.redact(stream, seq);
        let found = change(&mut chat, &caller, command);
        assert_eq!(found, expect, "{} redacts {stream:?} {seq}", name(&caller));
    }
}

#[test]
fn a_clock_set_back_opens_no_window() {
    let mut chat = written();
    chat.now = chat.now.plus_ms(VISITOR_EDIT_MS);
    chat.must(&ben(), say("later"));
    chat.now = START;
    let command = chat.edit(Stream::Public, 2, "new");
    assert_eq!(change(&mut chat, &vera(), command), Err(Rejection::TooLate));
    let events = chat.must(&ben(), say("in the past"));
    assert_eq!(events.first().map(|event| event.at), Some(chat.state().last_at));
}

#[test]
fn what_was_redacted_is_no_message_any_more() {
    let mut chat = written();
    let command = chat.redact(Stream::Public, 2);
    chat.must(&vera(), command);
    let edit = chat.edit(Stream::Public, 2, "new");
    assert_eq!(change(&mut chat, &vera(), edit), Err(Rejection::NoMessage));
    let redact = chat.redact(Stream::Public, 2);
    assert_eq!(change(&mut chat, &sue(), redact), Err(Rejection::NoMessage));
}

#[test]
fn visitors_change_texts_while_open_agents_until_archived() {
    let mut chat = written();
    chat.must(&ben(), close());
    let own = |chat: &Chat, seq| chat.edit(Stream::Public, seq, "new");
    let (veras, bens) = (own(&chat, 2), own(&chat, 4));
    assert_eq!(change(&mut chat, &vera(), veras), Err(Rejection::Closed));
    assert_eq!(change(&mut chat, &ben(), bens.clone()), Ok(1));
    chat.must(&ben(), Command::Archive);
    assert_eq!(change(&mut chat, &ben(), bens), Err(Rejection::Closed));
    let redact = chat.redact(Stream::Public, 2);
    assert_eq!(change(&mut chat, &sue(), redact), Ok(1), "privacy outlives the archive");
}

#[test]
fn the_preview_follows_edits_and_redactions_of_the_newest_message() {
    let mut chat = written();
    let text = |chat: &Chat| chat.state().last.as_ref().map(|last| last.text.to_string());
    let edit = chat.edit(Stream::Public, 4, "two\nlines");
    chat.must(&ben(), edit);
    assert_eq!(text(&chat).as_deref(), Some("two lines"));
    let edit = chat.edit(Stream::Public, 2, "older");
    chat.must(&vera(), edit);
    assert_eq!(text(&chat).as_deref(), Some("two lines"));
    let redact = chat.redact(Stream::Public, 4);
    chat.must(&ben(), redact);
    assert_eq!(text(&chat).as_deref(), Some(""));
}
