use std::collections::HashSet;

use futures_util::future::join_all;
use switchboard_domain::ids::{Number, Timestamp};
use switchboard_domain::person::Role;

use super::{Change, Profile, Sight, Source};
use crate::directory::Error;
use crate::directory::testing::{Setup, tenant};
use crate::directory::visitor::Contact;

fn sight(name: &str, role: Role, issued_at: i64) -> Sight {
    let profile = Profile { name: Some(name.into()), ..Profile::default() };
    Sight { profile, role, issued_at: Timestamp(issued_at) }
}

fn key() -> Source {
    Source::Key("k1".into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_first_sights_at_once_are_one_person() {
    let setup = Setup::new().await;
    let tasks = (0..100).map(|_| {
        let directory = setup.directory.clone();
        tokio::spawn(async move {
            let sight = sight("Ada", Role::Agent, 0);
            directory.provision(&tenant("acme"), &key(), "ada", &sight).await.unwrap()
        })
    });
    let seen: HashSet<_> = join_all(tasks)
        .await
        .into_iter()
        .map(|person| {
            let person = person.unwrap();
            (person.value.id, person.value.number)
        })
        .collect();
    assert_eq!(seen.len(), 1);
    assert_eq!(setup.directory.people(&tenant("acme"), None, 200).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_on_one_store_see_one_person() {
    let mut setup = Setup::new().await;
    let first = setup.directory.clone();
    setup.restart().await;
    let nodes = [first, setup.directory.clone()];
    for round in 0..50 {
        let sights = nodes.clone().map(|node| {
            tokio::spawn(async move {
                let (subject, sight) = (format!("sub-{round}"), sight("A", Role::Agent, 0));
                node.provision(&tenant("acme"), &key(), &subject, &sight).await.unwrap()
            })
        });
        let [one, two] = join_all(sights).await.try_into().unwrap();
        assert_eq!(one.unwrap().value.id, two.unwrap().value.id, "round {round}");
    }
}

#[tokio::test]
async fn an_integer_subject_is_the_number_and_numbers_stay_unique() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let agent = sight("A", Role::Agent, 0);
    let mut numbers = HashSet::new();
    for (subject, number) in [
        ("42", Some(42)),
        ("9007199254740991", Some(9_007_199_254_740_991)),
        ("1000001", Some(1_000_001)),
        ("007", None),
        ("0", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("9007199254740992", None),
        ("auth0|42", None),
    ] {
        let person = directory.provision(&acme, &key(), subject, &agent).await.unwrap();
        if let Some(number) = number {
            assert_eq!(person.value.number, Number(number), "{subject}");
        }
        assert!(numbers.insert(person.value.number), "{subject}");
        let found = directory.person_by_number(&acme, person.value.number).await.unwrap();
        assert_eq!(found.unwrap().value.id, person.value.id, "{subject}");
    }
    // The same integer from another source is another person under another number.
    let double = directory.provision(&acme, &Source::Key("k2".into()), "42", &agent).await.unwrap();
    assert!(numbers.insert(double.value.number));
    // Visitors pass over what people bear.
    for _ in 0..20 {
        let (visitor, _) = directory.create_visitor(&acme, Contact::default()).await.unwrap();
        assert!(numbers.insert(visitor.value.number), "{:?}", visitor.value.number);
    }
}

#[tokio::test]
async fn sources_of_one_tenant_do_not_speak_for_each_others_people() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let agent = sight("A", Role::Agent, 0);
    let sources = [
        Source::Key("k1".into()),
        Source::Key("k2".into()),
        Source::Issuer("k1".into()),
        Source::Issuer("https://id.example".into()),
    ];
    let mut people = HashSet::new();
    for source in &sources {
        let person = directory.provision(&acme, source, "ada", &agent).await.unwrap();
        assert!(people.insert(person.value.id), "{source:?}");
    }
    for source in &sources {
        let person = directory.provision(&acme, source, "ada", &agent).await.unwrap();
        assert!(people.contains(&person.value.id), "{source:?}");
    }
}

#[tokio::test]
async fn a_person_created_beforehand_is_taken_over_by_the_first_agent_token() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let change = Change { name: Some("Ada".to_owned()), ..Change::default() };
    let made = directory.create_person(&acme, "ada", Role::Agent, &change).await.unwrap();
    let id = made.value.id;
    let again = directory.create_person(&acme, "ada", Role::Agent, &change).await;
    assert!(matches!(again, Err(Error::Exists)));

    let visitor = sight("Not Ada", Role::Visitor, 0);
    let stranger = directory.provision(&acme, &key(), "ada", &visitor).await.unwrap();
    assert_ne!(stranger.value.id, id, "a visitor of that name is another");
    let found = directory.person_by_external(&acme, "ada").await.unwrap().unwrap();
    assert_eq!(found.value.id, id, "who answers comes first");

    let first = Source::Key("k2".into());
    let agent = sight("Ada Lovelace", Role::Supervisor, 5);
    let taken = directory.provision(&acme, &first, "ada", &agent).await.unwrap();
    assert_eq!((taken.value.id, taken.value.role), (id, Role::Supervisor));
    assert_eq!(&*taken.value.shown_name(), "Ada Lovelace");
    let second = Source::Key("k3".into());
    let other = directory.provision(&acme, &second, "ada", &agent).await.unwrap();
    assert_ne!(other.value.id, id, "taken over once only");
    let found = directory.person_by_external(&acme, "ada").await.unwrap().unwrap();
    assert_eq!(found.value.id, id);
}

#[tokio::test]
async fn an_agent_is_found_behind_a_visitor_who_came_first() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let visitor = sight("A", Role::Visitor, 0);
    directory.provision(&acme, &key(), "ada", &visitor).await.unwrap();
    let (second, agent) = (Source::Key("k2".into()), sight("A", Role::Agent, 0));
    let answers = directory.provision(&acme, &second, "ada", &agent).await.unwrap();
    let found = directory.person_by_external(&acme, "ada").await.unwrap().unwrap();
    assert_eq!(found.value.id, answers.value.id);
}

#[tokio::test]
async fn a_creation_that_was_cut_short_can_be_repeated() {
    let mut setup = Setup::new().await;
    let acme = tenant("acme");
    let made =
        setup.directory.create_person(&acme, "ada", Role::Agent, &Change::default()).await.unwrap();
    // As if the process had died before the person was written.
    let id = made.value.id.to_string();
    let person = switchboard_store::DocumentKey {
        tenant: acme.clone(),
        kind: "person",
        id: id.as_str().into(),
    };
    use switchboard_store::{Expect, Store};
    setup.store.delete_document(person, Expect::Any).await.unwrap();
    setup.restart().await;
    let again =
        setup.directory.create_person(&acme, "ada", Role::Agent, &Change::default()).await.unwrap();
    assert_eq!(again.value.id, made.value.id);
}

#[tokio::test]
async fn a_newer_token_brings_up_to_date_and_an_older_one_does_not() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let see = async |name: &str, role, at| {
        let person =
            directory.provision(&acme, &key(), "ada", &sight(name, role, at)).await.unwrap();
        (person.value.shown_name().to_string(), person.value.role, person.version)
    };
    assert_eq!(see("Ada", Role::Agent, 10).await, ("Ada".to_owned(), Role::Agent, 1));
    assert_eq!(see("Ada", Role::Agent, 11).await.2, 1, "nothing new is not written");
    let newer = ("Ada L.".to_owned(), Role::Admin, 2);
    assert_eq!(see("Ada L.", Role::Admin, 20).await, newer);
    assert_eq!(see("Ada", Role::Agent, 10).await, newer, "an old token does not set back");
}

#[tokio::test]
async fn bad_values_are_refused_and_nothing_is_stored() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let text = |text: &str| Some(text.to_owned());
    let long = "x".repeat(300);
    let table: Vec<(&str, &str, Change)> = vec![
        ("", "external_id", Change::default()),
        (&long, "external_id", Change::default()),
        ("a\nb", "external_id", Change::default()),
        ("ok", "name", Change { name: text(&long), ..Change::default() }),
        ("ok", "name", Change { name: text("a\0b"), ..Change::default() }),
        ("ok", "email", Change { email: text("nobody"), ..Change::default() }),
        ("ok", "email", Change { email: text("a b@example.org"), ..Change::default() }),
        ("ok", "email", Change { email: text("@example.org"), ..Change::default() }),
        ("ok", "email", Change { email: text("a@x,b@y"), ..Change::default() }),
        ("ok", "capacity", Change { capacity: Some(0), ..Change::default() }),
        ("ok", "capacity", Change { capacity: Some(21), ..Change::default() }),
        ("ok", "skills", Change { skills: Some(vec![" ".to_owned()]), ..Change::default() }),
        ("ok", "skills", Change { skills: Some(vec!["s".to_owned(); 17]), ..Change::default() }),
        (
            "ok",
            "departments",
            Change { departments: Some(vec!["No Good".to_owned()]), ..Change::default() },
        ),
        (
            "ok",
            "departments",
            Change { departments: Some(vec!["d".to_owned(); 33]), ..Change::default() },
        ),
    ];
    for (external_id, at, change) in &table {
        let refused = directory.create_person(&acme, external_id, Role::Agent, change).await;
        match refused {
            Err(Error::Invalid { field, .. }) => assert_eq!(field, *at),
            other => panic!("{at}: {other:?}"),
        }
    }
    assert!(directory.people(&acme, None, 10).await.unwrap().is_empty());
    assert!(directory.person_by_external(&acme, "ok").await.unwrap().is_none());
}

#[tokio::test]
async fn an_administrator_bounds_a_role_and_tokens_do_not_lift_it() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let admin = sight("Ada", Role::Admin, 0);
    let person = directory.provision(&acme, &key(), "ada", &admin).await.unwrap();
    let id = person.value.id;
    let bound = |role_max| Change { role_max: Some(role_max), ..Change::default() };
    directory.change_person(&acme, id, None, &bound(Some(Role::Agent))).await.unwrap();
    let person = directory.provision(&acme, &key(), "ada", &admin).await.unwrap();
    assert_eq!(person.value.effective_role(Role::Admin), Role::Agent);
    assert_eq!(person.value.effective_role(Role::Visitor), Role::Visitor);
    directory.change_person(&acme, id, None, &bound(None)).await.unwrap();
    let person = directory.provision(&acme, &key(), "ada", &admin).await.unwrap();
    assert_eq!(person.value.effective_role(Role::Admin), Role::Admin);
}
