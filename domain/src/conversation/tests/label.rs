//! Priority, department, tags, ticket, watching.

use super::*;

#[test]
fn labels_change_inside_and_only_when_they_differ() {
    let sales = || Some(department("sales"));
    let rows = [
        (
            Command::Prioritise { priority: Priority::High },
            Body::Prioritised { priority: Priority::High, previous: Priority::Medium },
        ),
        (
            Command::SetDepartment { department: sales() },
            Body::DepartmentChanged { department: sales(), previous: None },
        ),
        (tag(&["vip", "a b", "vip"]), Body::Tagged { tags: vec!["a b".into(), "vip".into()] }),
        (
            Command::LinkTicket { ticket: Number(1_000_007) },
            Body::Ticketed { ticket: Number(1_000_007) },
        ),
    ];
    for (command, body) in rows {
        for given in [Vec::new(), active(), closed()] {
            check(&given, (cyd(), command.clone()), Ok(vec![body.clone()]));
            let again = after(&given, &[(cyd(), command.clone())]);
            nothing(&again, (ben(), command.clone()));
        }
        refused(&archived(), (ben(), command.clone()), Rejection::Closed);
        refused(&[], (vera(), command), Rejection::Forbidden);
    }
}

#[test]
fn tags_are_few_short_and_not_empty() {
    let many: Vec<String> = (0..=TAGS_MAX).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    refused(&[], (ben(), tag(&many)), Rejection::TooLarge { what: "tags", max: TAGS_MAX });
    let long = "x".repeat(LABEL_BYTES_MAX + 1);
    refused(
        &[],
        (ben(), tag(&[&long])),
        Rejection::TooLarge { what: "tags", max: LABEL_BYTES_MAX },
    );
    let empty = Rejection::Invalid { what: "tags", why: "must not be empty" };
    refused(&[], (ben(), tag(&["vip", " "])), empty);
    nothing(&[], (ben(), tag(&[])));
}

#[test]
fn supervisors_watch_and_colleagues_learn_of_it() {
    check(&active(), (sue(), Command::Watch), Ok(vec![Body::Watched]));
    refused(&active(), (ben(), Command::Watch), Rejection::Forbidden);
    refused(&active(), (vera(), Command::Watch), Rejection::Forbidden);
    refused(&closed(), (sue(), Command::Watch), Rejection::Closed);
}
