use super::*;
use crate::conversation::fixture::*;
use crate::person::Caller;

/// Who: the conversation's visitor, another one, the agent who owns it, another agent, a bot, a
/// supervisor, an agent's id with a visitor's rights, the system.
fn people() -> [Caller; 8] {
    [vera(), otto(), ben(), cyd(), bot(), sue(), nobody(), Caller::SYSTEM]
}

/// `y` may, `-` is forbidden, `.` finds nothing there.
fn row(action: Action, state: &Conversation) -> String {
    people()
        .iter()
        .map(|caller| match allow(caller, action, state) {
            Ok(()) => 'y',
            Err(Rejection::Forbidden) => '-',
            Err(Rejection::NotFound) => '.',
            Err(other) => panic!("{action:?}: {other:?}"),
        })
        .collect()
}

#[test]
fn the_table_of_an_owned_conversation() {
    use Action::*;
    let chat = Chat::given(&[(ben(), accept(&ben()))]);
    //               vera otto ben cyd bot sue nobody system
    for (action, expect) in [
        (ReadPublic, "y.yyyy-y"),
        (ReadInternal, "..yyyy-y"),
        (Create, "y.yyyy-y"),
        (Send, "y.yyyy-y"),
        (Note, "-.yyyy-y"),
        (Whisper, "-.yyyy-y"),
        (Accept, "-.yyyy-y"),
        (Take, "-.yyyy-y"),
        (Assign, "-.y--y-y"),
        (Route, "-.-----y"),
        (Unassign, "-.y--y-y"),
        (Requeue, "-.y--y-y"),
        (Transfer, "-.y--y-y"),
        (RefuseTransfer, "-.yyyy-y"),
        (Close, "y.yyyy-y"),
        (Resolve, "-.yyyy-y"),
        (Reopen, "-.yyyy-y"),
        (Archive, "-.yyyy-y"),
        (Prioritise, "-.yyyy-y"),
        (SetDepartment, "-.yyyy-y"),
        (Tag, "-.yyyy-y"),
        (Rate, "y.------"),
        (Edit, "y.yyyy-y"),
        (EditInternal, "..yyyy-y"),
        (Redact, "y.yyyy-y"),
        (RedactInternal, "..yyyy-y"),
        (LinkTicket, "-.yyyy-y"),
        (GoOffline, "-.-----y"),
        (AnnounceAgent, "-.-----y"),
        (LeaveLine, "-.-----y"),
        (ReturnToLine, "-.-----y"),
        (Watch, "-.---y-y"),
    ] {
        assert_eq!(row(action, chat.state()), expect, "{action:?}");
    }
}

#[test]
fn what_nobody_owns_any_agent_moves() {
    let chat = Chat::given(&[]);
    for action in [Action::Assign, Action::Unassign, Action::Requeue, Action::Transfer] {
        assert_eq!(row(action, chat.state()), "-.yyyy-y", "{action:?}");
    }
}

#[test]
fn higher_roles_may_all_that_lower_ones_may() {
    let chat = Chat::given(&[(ben(), accept(&ben()))]);
    let roles = [Role::Visitor, Role::Agent, Role::Supervisor, Role::Admin, Role::Owner];
    for action in [Action::Send, Action::Note, Action::Assign, Action::Watch, Action::Route] {
        let allowed: Vec<bool> = roles
            .into_iter()
            .map(|role| allow(&Caller { role, ..cyd() }, action, chat.state()).is_ok())
            .collect();
        assert!(allowed.is_sorted(), "{action:?}: {allowed:?}");
        let grant = action.grant();
        let lowest = allowed.iter().position(|may| *may).map(|idx| roles[idx]);
        let expect = match grant {
            Grant::Everyone | Grant::Agents => Some(Role::Agent),
            Grant::Movers | Grant::Supervisors => Some(Role::Supervisor),
            Grant::Visitor | Grant::System => None,
        };
        assert_eq!(lowest, expect, "{action:?}");
    }
}

#[test]
fn a_visitors_rights_come_from_being_the_visitor_not_from_a_role() {
    let chat = Chat::given(&[]);
    for role in [Role::Agent, Role::Supervisor, Role::Owner] {
        let mighty = Caller { role, ..vera() };
        for action in [Action::Note, Action::Resolve, Action::Watch] {
            assert_eq!(allow(&mighty, action, chat.state()), Err(Rejection::Forbidden));
        }
        assert_eq!(allow(&mighty, Action::ReadInternal, chat.state()), Err(Rejection::NotFound));
        let stranger = Caller { role, ..otto() };
        assert!(!sees(&stranger, AgentsSee::All, &[], Subject::of(chat.state())));
    }
}

#[test]
fn agents_see_by_setting_and_supervisors_everything() {
    let sales = [department("sales")];
    let in_sales = (Some("sales"), None);
    let in_billing = (Some("billing"), None);
    let in_none = (None, None);
    let bens = (Some("billing"), ben().author.principal.agent());
    let cyds = (Some("sales"), cyd().author.principal.agent());
    use AgentsSee::{All, Departments, Own};
    // Which of these does Ben, who works for sales, see; and Sue; and Vera; and Otto?
    for (setting, (department, agent), expect) in [
        (All, in_sales, "yyy."),
        (All, in_billing, "yyy."),
        (All, in_none, "yyy."),
        (All, cyds, "yyy."),
        (Departments, in_sales, "yyy."),
        (Departments, in_billing, ".yy."),
        (Departments, in_none, "yyy."),
        (Departments, bens, "yyy."),
        (Departments, cyds, "yyy."),
        (Own, in_sales, ".yy."),
        (Own, in_none, ".yy."),
        (Own, bens, "yyy."),
        (Own, cyds, ".yy."),
    ] {
        let subject = Subject { visitor: created().visitor.id, agent, department };
        let found: String = [ben(), sue(), vera(), otto()]
            .iter()
            .map(|caller| if sees(caller, setting, &sales, subject) { 'y' } else { '.' })
            .collect();
        assert_eq!(found, expect, "{setting:?} {subject:?}");
        assert!(!sees(&nobody(), setting, &sales, subject), "no role, no sight");
        assert!(sees(&Caller::SYSTEM, setting, &[], subject));
    }
}
