use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use switchboard_domain::ids::{AgentId, DepartmentId, TenantId, Timestamp, VisitorId, WidgetId};
use switchboard_domain::person::{AgentRef, Role};
use switchboard_store::{DocumentKey, Expect, Fault, Store};

use super::department::Department;
use super::person::{Change, Profile, Sight, Source};
use super::testing::{Setup, tenant};
use super::visitor::{Access, Contact};
use super::widget::{Settings, Widget};
use super::{Error, LastChange, demo};

fn ids(departments: &[Arc<super::Versioned<Department>>]) -> Vec<String> {
    departments.iter().map(|department| department.value.id.to_string()).collect()
}

#[tokio::test]
async fn a_tenant_begins_with_six_departments_and_deleted_ones_stay_deleted() {
    let mut setup = Setup::new().await;
    let acme = tenant("acme");
    let seeded = setup.directory.departments(&acme).await.unwrap();
    assert_eq!(ids(&seeded), ["billing", "finance", "general", "sales", "support", "technical"]);
    assert_eq!(&*seeded[1].value.name, "Billing & Finance");

    let sales = DepartmentId("sales".into());
    setup.directory.delete_department(&acme, &sales, None).await.unwrap();
    setup.restart().await;

    assert!(setup.directory.department(&acme, &sales).await.unwrap().is_none());
    assert_eq!(setup.directory.departments(&acme).await.unwrap().len(), 5);
    assert_eq!(setup.directory.departments(&tenant("other")).await.unwrap().len(), 6);
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_wins() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let sales = DepartmentId("sales".into());
    let read = directory.department(&acme, &sales).await.unwrap().unwrap();
    let version = Some(read.version);

    let first = Department::new("sales", "First", None).unwrap();
    let second = Department::new("sales", "Second", None).unwrap();
    let won = directory.replace_department(&acme, first, version).await.unwrap().after;
    let lost = directory.replace_department(&acme, second, version).await;
    let deleted = directory.delete_department(&acme, &sales, version).await;

    assert!(won.version > read.version);
    assert!(matches!(lost, Err(Error::Changed)), "{lost:?}");
    assert!(matches!(deleted, Err(Error::Changed)), "{deleted:?}");
    let now = directory.department(&acme, &sales).await.unwrap().unwrap();
    assert_eq!((&*now.value.name, now.version), ("First", won.version));
}

#[tokio::test]
async fn a_hundred_changes_at_once_are_all_kept() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let (visitor, _) = directory.create_visitor(&acme, Contact::default()).await.unwrap();
    let id = visitor.value.id;
    let changes = (0..100).map(|n| async move {
        let field = match n % 3 {
            0 => Contact::new(Some("Vera"), None, None),
            1 => Contact::new(None, Some("vera@example.org"), None),
            _ => Contact::new(None, None, Some("+1 555 0100")),
        };
        directory.update_contact(&tenant("acme"), id, &field.unwrap()).await.unwrap();
    });
    join_all(changes).await;
    let now = directory.visitor(&acme, id).await.unwrap().unwrap();
    let whole = Contact::new(Some("Vera"), Some("vera@example.org"), Some("+1 555 0100")).unwrap();
    assert_eq!((&now.value.contact, now.version), (&whole, 101));
}

#[tokio::test]
async fn what_exists_is_not_created_again() {
    let setup = Setup::new().await;
    let (directory, acme) = (&setup.directory, tenant("acme"));
    let settings = || Settings { name: "Main".to_owned(), ..Settings::default() };
    let widget = || Widget::new("main", settings()).unwrap();
    directory.create_widget(&acme, widget()).await.unwrap();
    assert!(matches!(directory.create_widget(&acme, widget()).await, Err(Error::Exists)));
    let sales = Department::new("sales", "Sales", None).unwrap();
    assert!(matches!(directory.create_department(&acme, sales).await, Err(Error::Exists)));
    let absent = Widget::new("absent", settings()).unwrap();
    assert!(matches!(directory.replace_widget(&acme, absent, None).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn numbers_are_never_given_twice() {
    let mut setup = Setup::new().await;
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let directory = &setup.directory;
        let taken = join_all((0..200).map(|_| directory.take_number(setup_tenant()))).await;
        for number in taken {
            assert!(seen.insert(number.unwrap().0));
        }
        setup.restart().await;
    }
    assert_eq!((seen.len(), seen.iter().min().copied()), (600, Some(1_000_000)));
    // Another tenant counts for itself.
    let first = setup.directory.take_number(&tenant("other")).await.unwrap();
    assert_eq!(first.0, 1_000_000);
}

fn setup_tenant() -> &'static TenantId {
    static ACME: std::sync::OnceLock<TenantId> = std::sync::OnceLock::new();
    ACME.get_or_init(|| tenant("acme"))
}

/// P10: whatever is stored for one tenant, its ids lead nowhere in another.
#[tokio::test]
async fn ids_of_one_tenant_lead_nowhere_in_another() {
    let setup = Setup::new().await;
    let (directory, acme, other) = (&setup.directory, tenant("acme"), tenant("other"));
    let source = Source::Key("k".into());
    let sight = Sight { profile: Profile::default(), role: Role::Agent, issued_at: Timestamp(0) };
    let person = directory.provision(&acme, &source, "4711", &sight).await.unwrap();
    let (visitor, _) = directory.create_visitor(&acme, Contact::default()).await.unwrap();
    let settings = Settings { name: "Main".to_owned(), ..Settings::default() };
    let widget = Widget::new("main", settings).unwrap();
    directory.create_widget(&acme, widget).await.unwrap();
    let special = Department::new("special", "Special", None).unwrap();
    directory.create_department(&acme, special).await.unwrap();

    let id = person.value.id;
    assert!(directory.person(&other, id).await.unwrap().is_none());
    assert!(directory.person_by_external(&other, "4711").await.unwrap().is_none());
    assert!(directory.person_by_number(&other, person.value.number).await.unwrap().is_none());
    assert!(directory.people(&other, None, 100).await.unwrap().is_empty());
    assert!(directory.visitor(&other, visitor.value.id).await.unwrap().is_none());
    assert!(directory.known_visitor(&other, visitor.value.id).await.unwrap().is_none());
    assert!(directory.widget(&other, &WidgetId("main".into())).await.unwrap().is_none());
    assert!(directory.widgets(&other, None, 100).await.unwrap().is_empty());
    let special = DepartmentId("special".into());
    assert!(directory.department(&other, &special).await.unwrap().is_none());
    let disabling = Change { disabled: Some(true), ..Change::default() };
    let changed = directory.change_person(&other, id, None, &disabling).await;
    assert!(matches!(changed, Err(Error::NotFound)));
    let refused = directory.set_visitor_access(&other, visitor.value.id, Access::Refused).await;
    assert!(matches!(refused, Err(Error::NotFound)));
    // The same questions in its own tenant find everything, so the test can fail.
    assert!(directory.person(&acme, id).await.unwrap().is_some());
    assert!(directory.person_by_number(&acme, person.value.number).await.unwrap().is_some());
    assert!(directory.known_visitor(&acme, visitor.value.id).await.unwrap().is_some());
    assert!(directory.widget(&acme, &WidgetId("main".into())).await.unwrap().is_some());
    // A subject of the same name elsewhere is somebody else.
    let double = directory.provision(&other, &source, "4711", &sight).await.unwrap();
    assert_ne!(double.value.id, id);
}

#[tokio::test]
async fn the_demo_is_seeded_once() {
    let mut setup = Setup::new().await;
    let default = tenant("default");
    for _ in 0..3 {
        setup.directory.seed_demo().await.unwrap();
        setup.restart().await;
    }
    let directory = &setup.directory;
    let people = directory.people(&default, None, 100).await.unwrap();
    let mut names: Vec<_> =
        people.iter().map(|p| (p.value.shown_name().to_string(), p.value.role)).collect();
    names.sort();
    assert_eq!(names, [("Ada".to_owned(), Role::Admin), ("Ben".to_owned(), Role::Agent)]);
    let widgets = directory.widgets(&default, None, 100).await.unwrap();
    assert_eq!(widgets.len(), 1);
    assert_eq!(&*widgets[0].value.id.0, demo::WIDGET);
    for (origin, allowed) in [
        ("http://localhost:8080", true),
        ("http://127.0.0.1:1234", true),
        ("http://[::1]:9", true),
        ("http://localhost", true),
        ("https://localhost:8080", false),
        ("http://localhost.evil.example:8080", false),
    ] {
        let parsed = origin.parse();
        let is_allowed = parsed.is_ok_and(|origin| directory.allows_origin(&default, &origin));
        assert_eq!(is_allowed, allowed, "{origin}");
    }
}

#[tokio::test]
async fn the_signing_secret_outlives_a_restart() {
    let mut setup = Setup::new().await;
    let first = setup.directory.signing_secret().await.unwrap();
    assert_ne!(first, [0; 32]);
    setup.restart().await;
    assert_eq!(setup.directory.signing_secret().await.unwrap(), first);
}

#[tokio::test]
async fn a_record_newer_than_the_program_is_refused_and_a_damaged_one_named() {
    let setup = Setup::new().await;
    let acme = tenant("acme");
    let id = AgentId::from_u128(7);
    let key = |id: &str| DocumentKey { tenant: acme.clone(), kind: "person", id: id.into() };
    let put = |bytes: Vec<u8>| setup.store.put_document(key(&id.to_string()), Expect::Any, bytes);
    put(vec![99]).await.unwrap();
    let newer = setup.directory.person(&acme, id).await.unwrap_err();
    assert!(matches!(newer, Error::Store(Fault::TooNew { found: 99, known: 3, .. })), "{newer:?}");
    for bytes in [vec![], vec![1], vec![1, 0xc1], vec![1, 0x80]] {
        put(bytes.clone()).await.unwrap();
        let damaged = setup.directory.person(&acme, id).await.unwrap_err();
        let text = format!("{damaged:?}");
        assert!(matches!(damaged, Error::Store(Fault::Damaged { .. })), "{bytes:?}: {text}");
        assert!(text.contains(&id.to_string()), "{text}");
    }
}

#[tokio::test]
async fn every_record_is_read_back_from_the_store_as_it_was_written() {
    let mut setup = Setup::new().await;
    let acme = tenant("acme");
    let settings: Settings = serde_json::from_str(
        r##"{"name":"Main","allowed_origins":["https://*.example.com","http://localhost:*"],
            "welcome":"Hi\nthere","offline_message":"gone","departments":["sales"],
            "theme":{"accent":"#aabbcc","side":"left","scheme":"dark","title":"Ask"},
            "hours":{"timezone":"Europe/Berlin","days":{"mon":[{"from":"09:00","to":"24:00"}]},
                     "holidays":["2026-12-25"]},"routing":"round_robin"}"##,
    )
    .unwrap();
    let widget = Widget::new("main", settings).unwrap();
    let widget = setup.directory.create_widget(&acme, widget).await.unwrap();
    let change = Change {
        name: Some("Ada".to_owned()),
        display_name: Some("A.".to_owned()),
        email: Some("ada@example.org".to_owned()),
        role_max: Some(Some(Role::Supervisor)),
        disabled: Some(true),
        capacity: Some(3),
        skills: Some(vec!["rust".to_owned()]),
        departments: Some(vec!["sales".to_owned()]),
        by: Some(LastChange {
            by: AgentRef { id: AgentId::from_u128(7), name: "Ben".into() },
            at: Timestamp(5),
        }),
    };
    let person = setup.directory.create_person(&acme, "ada", Role::Admin, &change).await.unwrap();
    let contact = Contact::new(Some("Vera"), Some("v@example.org"), Some("123")).unwrap();
    let (visitor, _) = setup.directory.create_visitor(&acme, contact).await.unwrap();

    setup.restart().await;

    let directory = &setup.directory;
    assert_eq!(directory.widget(&acme, &widget.value.id).await.unwrap(), Some(widget));
    assert_eq!(directory.person(&acme, person.value.id).await.unwrap(), Some(person));
    let id: VisitorId = visitor.value.id;
    assert_eq!(directory.visitor(&acme, id).await.unwrap(), Some(visitor));
}
