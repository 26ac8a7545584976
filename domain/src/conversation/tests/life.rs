//! Ending, beginning again, rating, absence.

use super::*;

#[test]
fn closing_ends_and_releases() {
    let body = |resolution| Ok(vec![Body::Closed { resolution }]);
    for given in [Vec::new(), active()] {
        for caller in [vera(), ben(), cyd(), sue(), system()] {
            check(&given, (caller, close()), body(Resolution::None));
        }
        check(&given, (ben(), resolve()), body(Resolution::Resolved));
        refused(&given, (vera(), resolve()), Rejection::Forbidden);
        refused(&given, (otto(), close()), Rejection::NotFound);
    }
    let chat = Chat::given(&after(&active(), &[(ben(), resolve())]));
    let state = chat.state();
    assert_eq!((state.status, state.resolution), (Status::Closed, Resolution::Resolved));
    assert_eq!((&state.agent, state.waiting_since), (&None, None));
    assert_eq!(state.closed_at, Some(state.last_at));
}

#[test]
fn closing_again_says_nothing_new_or_corrects_the_resolution() {
    nothing(&closed(), (ben(), close()));
    nothing(&closed(), (vera(), close()));
    let resolved = after(&active(), &[(ben(), resolve())]);
    nothing(&resolved, (ben(), resolve()));
    nothing(&resolved, (vera(), close()));
    check(
        &closed(),
        (ben(), resolve()),
        Ok(vec![Body::Closed { resolution: Resolution::Resolved }]),
    );
    check(&resolved, (ben(), close()), Ok(vec![Body::Closed { resolution: Resolution::None }]));
    refused(&archived(), (ben(), close()), Rejection::Closed);
    let mut chat = Chat::given(&closed());
    let closed_at = chat.state().closed_at;
    chat.must(&ben(), resolve());
    assert_eq!(
        (chat.state().closed_at, chat.state().resolution),
        (closed_at, Resolution::Resolved)
    );
}

#[test]
fn agents_reopen_and_visitors_never_do() {
    check(&closed(), (cyd(), reopen()), Ok(vec![Body::Reopened]));
    let owned = Command::Reopen { agent: Some(agent_ref(&cyd())) };
    let expect = vec![Body::Reopened, assigned(&cyd(), AssignedBy::Assign, None)];
    check(&closed(), (cyd(), owned.clone()), Ok(expect));
    refused(&closed(), (vera(), reopen()), Rejection::Forbidden);
    refused(&[], (ben(), reopen()), Rejection::Open);
    refused(&active(), (ben(), reopen()), Rejection::Open);
    refused(&archived(), (sue(), reopen()), Rejection::Closed);

    let chat = Chat::given(&after(&closed(), &[(cyd(), reopen())]));
    let state = chat.state();
    assert_eq!((state.status, state.resolution), (Status::Waiting, Resolution::None));
    assert_eq!((state.closed_at, state.waiting_since), (None, Some(state.last_at)));
    let chat = Chat::given(&after(&closed(), &[(cyd(), owned)]));
    let state = chat.state();
    assert_eq!((state.status, &state.agent), (Status::Active, &Some(agent_ref(&cyd()))));
    assert_eq!((state.closed_at, state.waiting_since), (None, None));
}

#[test]
fn only_what_is_closed_is_archived() {
    check(&closed(), (ben(), Command::Archive), Ok(vec![Body::Archived]));
    nothing(&archived(), (ben(), Command::Archive));
    refused(&[], (ben(), Command::Archive), Rejection::Open);
    refused(&active(), (ben(), Command::Archive), Rejection::Open);
    refused(&closed(), (vera(), Command::Archive), Rejection::Forbidden);
    let chat = Chat::given(&after(&active(), &[(ben(), resolve()), (ben(), Command::Archive)]));
    let state = chat.state();
    assert_eq!((state.status, state.resolution), (Status::Archived, Resolution::Resolved));
}

#[test]
fn a_visitor_rates_once_after_the_end() {
    let rate = |score, comment: Option<&str>| {
        Command::Rate(Rating { score, comment: comment.map(Into::into) })
    };
    let rated = |score, comment: Option<&str>| {
        Ok(vec![Body::Rated(Rating { score, comment: comment.map(Into::into) })])
    };
    for score in SCORE_MIN..=SCORE_MAX {
        check(&closed(), (vera(), rate(score, Some("thanks"))), rated(score, Some("thanks")));
    }
    check(&archived(), (vera(), rate(1, Some(" "))), rated(1, None));
    for score in [0, 6, 255] {
        let invalid = Rejection::Invalid { what: "score", why: "must be 1 to 5" };
        refused(&closed(), (vera(), rate(score, None)), invalid);
    }
    refused(&[], (vera(), rate(5, None)), Rejection::Open);
    refused(&active(), (vera(), rate(5, None)), Rejection::Open);
    let again = after(&closed(), &[(vera(), rate(5, None))]);
    refused(&again, (vera(), rate(4, None)), Rejection::AlreadyRated);
    let reopened = after(&again, &[(ben(), reopen()), (ben(), close())]);
    refused(&reopened, (vera(), rate(4, None)), Rejection::AlreadyRated);
    for caller in [ben(), sue(), bot(), system()] {
        refused(&closed(), (caller, rate(5, None)), Rejection::Forbidden);
    }
    refused(&closed(), (otto(), rate(5, None)), Rejection::NotFound);
    let long = "x".repeat(COMMENT_BYTES_MAX + 1);
    let too_large = Rejection::TooLarge { what: "comment", max: COMMENT_BYTES_MAX };
    refused(&closed(), (vera(), rate(5, Some(&long))), too_large);
}

#[test]
fn whoever_is_away_for_long_waits_outside_the_line_and_comes_back_at_its_end() {
    let left = vec![(system(), Command::LeaveLine)];
    check(&[], (system(), Command::LeaveLine), Ok(vec![Body::VisitorLeft]));
    nothing(&left, (system(), Command::LeaveLine));
    nothing(&active(), (system(), Command::LeaveLine));
    nothing(&[(system(), Command::GoOffline)], (system(), Command::LeaveLine));
    refused(&closed(), (system(), Command::LeaveLine), Rejection::Closed);
    check(&left, (system(), Command::ReturnToLine), Ok(vec![Body::VisitorReturned]));
    nothing(&[], (system(), Command::ReturnToLine));
    nothing(&active(), (system(), Command::ReturnToLine));
    refused(&closed(), (system(), Command::ReturnToLine), Rejection::Closed);
    for caller in [sue(), vera()] {
        refused(&[], (caller.clone(), Command::LeaveLine), Rejection::Forbidden);
        refused(&left, (caller, Command::ReturnToLine), Rejection::Forbidden);
    }
    let chat = Chat::given(&left);
    assert_eq!((chat.state().status, chat.state().waiting_since), (Status::Waiting, None));
    for (step, status, is_in_line) in [
        ((system(), Command::ReturnToLine), Status::Waiting, true),
        ((vera(), say("I am back")), Status::Waiting, true),
        ((ben(), say("Are you there?")), Status::Waiting, false),
        ((ben(), hand_to_department("sales", "")), Status::Waiting, true),
        ((ben(), accept(&ben())), Status::Active, false),
        ((vera(), close()), Status::Closed, false),
    ] {
        let chat = Chat::given(&after(&left, std::slice::from_ref(&step)));
        let state = chat.state();
        assert_eq!((state.status, state.is_in_line()), (status, is_in_line), "{step:?}");
        if is_in_line {
            assert_eq!(state.waiting_since, Some(state.last_at), "{step:?}");
        }
    }
}

#[test]
fn absence_is_said_once_and_ends_when_somebody_comes() {
    let announce = || Command::AnnounceAgent { text: "An agent is now available".into() };
    let offline = vec![(system(), Command::GoOffline)];
    check(&[], (system(), Command::GoOffline), Ok(vec![Body::WentOffline]));
    nothing(&offline, (system(), Command::GoOffline));
    nothing(&active(), (system(), Command::GoOffline));
    refused(&closed(), (system(), Command::GoOffline), Rejection::Closed);
    let available = Body::AgentAvailable { text: "An agent is now available".into() };
    check(&offline, (system(), announce()), Ok(vec![available]));
    nothing(&after(&offline, &[(system(), announce())]), (system(), announce()));
    nothing(&[], (system(), announce()));
    refused(&closed(), (system(), announce()), Rejection::Closed);
    for caller in [sue(), vera()] {
        refused(&offline, (caller.clone(), announce()), Rejection::Forbidden);
        refused(&[], (caller, Command::GoOffline), Rejection::Forbidden);
    }
    for (step, still) in [
        ((vera(), say("anybody?")), true),
        ((system(), announce()), false),
        ((ben(), accept(&ben())), false),
        ((ben(), hand_to(&cyd(), "")), false),
        ((vera(), close()), false),
        ((ben(), hand_to_department("sales", "")), true),
    ] {
        let chat = Chat::given(&after(&offline, std::slice::from_ref(&step)));
        assert_eq!(chat.state().offline, still, "{step:?}");
    }
}
