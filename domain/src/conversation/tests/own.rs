//! Who answers.

use super::*;

#[test]
fn one_accept_wins_and_the_other_is_told_who() {
    check(&[], (ben(), accept(&ben())), Ok(vec![assigned(&ben(), AssignedBy::Accept, None)]));
    check(&[], (bot(), accept(&bot())), Ok(vec![assigned(&bot(), AssignedBy::Accept, None)]));
    let taken = Rejection::AlreadyAccepted { by: agent_ref(&ben()) };
    refused(&active(), (cyd(), accept(&cyd())), taken.clone());
    refused(&active(), (sue(), accept(&sue())), taken);
    nothing(&active(), (ben(), accept(&ben())));
    refused(&closed(), (ben(), accept(&ben())), Rejection::Closed);
    refused(&[], (ben(), accept(&cyd())), Rejection::Forbidden);
    refused(&[], (vera(), accept(&ben())), Rejection::Forbidden);
    refused(&[], (system(), accept(&ben())), Rejection::Forbidden);
}

#[test]
fn who_looks_into_what_waits_takes_it_but_never_from_somebody() {
    let take = |agent: &Caller| Command::Take { agent: agent_ref(agent) };
    check(&[], (ben(), take(&ben())), Ok(vec![assigned(&ben(), AssignedBy::Assign, None)]));
    let taken = Rejection::AlreadyAccepted { by: agent_ref(&ben()) };
    refused(&active(), (cyd(), take(&cyd())), taken.clone());
    refused(&active(), (sue(), take(&sue())), taken);
    nothing(&active(), (ben(), take(&ben())));
    refused(&closed(), (ben(), take(&ben())), Rejection::Closed);
    refused(&[], (ben(), take(&cyd())), Rejection::Forbidden);
    refused(&[], (vera(), take(&ben())), Rejection::Forbidden);
}

#[test]
fn the_queue_routes_only_what_waits() {
    check(&[], (system(), route(&ben())), Ok(vec![assigned(&ben(), AssignedBy::Route, None)]));
    let taken = Rejection::AlreadyAccepted { by: agent_ref(&ben()) };
    refused(&active(), (system(), route(&cyd())), taken.clone());
    refused(&active(), (system(), route(&ben())), taken);
    refused(&closed(), (system(), route(&ben())), Rejection::Closed);
    refused(&[], (sue(), route(&ben())), Rejection::Forbidden);
}

#[test]
fn people_assign_what_is_free_or_theirs_and_supervisors_anything() {
    let by = AssignedBy::Assign;
    let had = Some(agent_ref(&ben()));
    check(&[], (ben(), assign(&cyd())), Ok(vec![assigned(&cyd(), by, None)]));
    check(&active(), (ben(), assign(&cyd())), Ok(vec![assigned(&cyd(), by, had.clone())]));
    check(&active(), (sue(), assign(&cyd())), Ok(vec![assigned(&cyd(), by, had)]));
    refused(&active(), (cyd(), assign(&cyd())), Rejection::Forbidden);
    refused(&active(), (sue(), assign(&ben())), Rejection::SameAgent);
    refused(&closed(), (sue(), assign(&ben())), Rejection::Closed);
    refused(&[], (vera(), assign(&ben())), Rejection::Forbidden);
}

#[test]
fn what_is_given_back_waits() {
    let given_back = || Ok(vec![Body::Unassigned { agent: agent_ref(&ben()) }]);
    for command in [Command::Unassign, Command::Requeue] {
        check(&active(), (ben(), command.clone()), given_back());
        check(&active(), (sue(), command.clone()), given_back());
        refused(&active(), (cyd(), command.clone()), Rejection::Forbidden);
        refused(&active(), (vera(), command.clone()), Rejection::Forbidden);
        refused(&closed(), (sue(), command), Rejection::Closed);
    }
    refused(&[], (ben(), Command::Unassign), Rejection::Unassigned);
    nothing(&[], (ben(), Command::Requeue));
    let chat = Chat::given(&after(&active(), &[(ben(), Command::Requeue)]));
    let state = chat.state();
    assert_eq!((state.status, &state.agent), (Status::Waiting, &None));
    assert_eq!(state.waiting_since, Some(state.last_at));
}

#[test]
fn a_transfer_to_an_agent_is_theirs_at_once() {
    let transferred = |to: &Caller, previous: Option<&Caller>| Body::Transferred {
        to: TransferTarget::Agent(agent_ref(to)),
        previous: previous.map(agent_ref),
    };
    let reason = Body::Note { text: "tax matter".into(), transfer: true };
    let when = (ben(), hand_to(&cyd(), "tax matter"));
    check(&active(), when.clone(), Ok(vec![transferred(&cyd(), Some(&ben())), reason]));
    check(&[], (ben(), hand_to(&cyd(), " ")), Ok(vec![transferred(&cyd(), None)]));
    refused(&active(), (cyd(), hand_to(&cyd(), "")), Rejection::Forbidden);
    refused(&active(), (ben(), hand_to(&ben(), "")), Rejection::SameAgent);
    refused(&closed(), (ben(), hand_to(&cyd(), "")), Rejection::Closed);
    refused(&active(), (vera(), hand_to(&cyd(), "")), Rejection::Forbidden);

    let mut chat = Chat::given(&after(&active(), &[when]));
    let state = chat.state();
    assert_eq!((state.status, &state.agent), (Status::Active, &Some(agent_ref(&cyd()))));
    assert_eq!(state.transferred, Some(Transferred { previous: Some(agent_ref(&ben())) }));
    let streams: Vec<_> = chat.log[2..].iter().map(|event| event.stream).collect();
    assert_eq!(streams, [Stream::Public, Stream::Internal], "the reason is never public");
    for (caller, command, is_pending) in [
        (vera(), say("hello?"), true),
        (ben(), say("Cyd will help you"), true),
        (cyd(), note("reading"), true),
        (cyd(), accept(&cyd()), true),
        (cyd(), say("hello"), false),
    ] {
        chat.must(&caller, command);
        assert_eq!(chat.state().transferred.is_some(), is_pending);
    }
}

#[test]
fn a_refused_transfer_goes_back() {
    let to_cyd = (ben(), hand_to(&cyd(), ""));
    let pending = after(&active(), std::slice::from_ref(&to_cyd));
    let refuse = || Command::RefuseTransfer;
    for caller in [cyd(), system()] {
        check(&pending, (caller.clone(), refuse()), Ok(vec![Body::TransferRefused]));
        let chat = Chat::given(&after(&pending, &[(caller, refuse())]));
        assert_eq!(chat.state().agent, Some(agent_ref(&ben())));
        assert_eq!(chat.state().transferred, None);
    }
    let chat = Chat::given(&[to_cyd, (cyd(), refuse())]);
    let state = chat.state();
    assert_eq!((state.status, &state.agent), (Status::Waiting, &None), "nobody had it");
    refused(&pending, (ben(), refuse()), Rejection::NotTransferred);
    refused(&pending, (sue(), refuse()), Rejection::NotTransferred);
    refused(&pending, (vera(), refuse()), Rejection::Forbidden);
    refused(&active(), (ben(), refuse()), Rejection::NotTransferred);
    refused(&[], (ben(), refuse()), Rejection::NotTransferred);
    refused(
        &after(&pending, &[(cyd(), say("hello"))]),
        (cyd(), refuse()),
        Rejection::NotTransferred,
    );
    refused(
        &after(&pending, &[(sue(), assign(&ben()))]),
        (ben(), refuse()),
        Rejection::NotTransferred,
    );
    refused(&after(&pending, &[(cyd(), close())]), (cyd(), refuse()), Rejection::Closed);
}

#[test]
fn a_transfer_to_a_department_waits_there() {
    let transferred = |previous: Option<AgentRef>| Body::Transferred {
        to: TransferTarget::Department(department("sales")),
        previous,
    };
    let to_sales = || hand_to_department("sales", "");
    let had = Some(agent_ref(&ben()));
    check(&active(), (ben(), to_sales()), Ok(vec![transferred(had)]));
    check(&[], (ben(), to_sales()), Ok(vec![transferred(None)]));
    nothing(&[(ben(), to_sales())], (ben(), hand_to_department("sales", "again")));
    let chat = Chat::given(&after(&active(), &[(ben(), to_sales())]));
    let state = chat.state();
    assert_eq!((state.status, &state.agent), (Status::Waiting, &None));
    assert_eq!(state.department, Some(department("sales")));
    assert_eq!(state.waiting_since, Some(state.last_at));
    let chat = Chat::given(&[(ben(), to_sales())]);
    assert_eq!(chat.state().waiting_since, Some(chat.state().created_at), "keeps its turn");
    let back = after(
        &active(),
        &[(sue(), Command::SetDepartment { department: Some(department("sales")) })],
    );
    let chat = Chat::given(&after(&back, &[(ben(), to_sales())]));
    assert_eq!(chat.state().status, Status::Waiting, "an active one of that department waits too");
}
