use std::sync::Arc;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use switchboard_actors::Delivery;
use switchboard_actors::clock::Clock;
use switchboard_actors::subscriber::queue;
use switchboard_domain::ids::{Timestamp, VisitorId, WidgetId};
use switchboard_domain::person::{Principal, Role};

use super::{AuthError, Authenticator, CHECKED_MAX, Checked, Identity, Via};
use crate::auth::testing::{
    EC_ACME, ED_OTHER, acme_token, claims, default_token, keys, sign_hmac, sign_pair, with,
};
use crate::auth::{Flaw, VisitorToken};
use crate::directory::identity_key::{IdentityKey, RETIRING_MS, Replaced};
use crate::directory::person::Change;
use crate::directory::testing::{START_S, Setup, tenant};
use crate::directory::visitor::{Access, Contact};
use crate::directory::widget::{Settings, Widget};

async fn set_up() -> (Setup, Authenticator) {
    let setup = Setup::new().await;
    let clock = Arc::clone(&setup.clock) as Arc<dyn Clock>;
    let auth = Authenticator::new(keys(), setup.directory.clone(), clock);
    (setup, auth)
}

fn other_token(change: Value) -> String {
    let header = json!({"alg": "EdDSA", "kid": "ed-other"});
    sign_pair(&ED_OTHER, &header, &with(claims(), change))
}

fn disabling() -> Change {
    Change { disabled: Some(true), ..Change::default() }
}

fn agent_id(identity: &Identity) -> switchboard_domain::ids::AgentId {
    identity.person.as_ref().unwrap().value.id
}

#[tokio::test]
async fn a_valid_token_of_an_unknown_person_provisions_them() {
    let (setup, auth) = set_up().await;
    let token = acme_token(json!({"sub": 42, "email": "ada@example.org", "given_name": "Ada"}));
    let identity = auth.authenticate(&token).await.unwrap();
    let person = &identity.person.as_ref().unwrap().value;
    assert_eq!((&*identity.tenant.0, &identity.via), ("acme", &Via::Token));
    assert_eq!(identity.caller.author.principal, Principal::Agent(person.id));
    assert_eq!(identity.caller.author.name.as_deref(), Some("Ada"));
    assert_eq!(identity.caller.role, Role::Agent);
    assert_eq!(identity.expires_at, Some(Timestamp((START_S + 3_600) * 1_000)));
    assert_eq!((person.number.0, &*person.external_id), (42, "42"));
    let found = setup.directory.person_by_external(&tenant("acme"), "42").await.unwrap();
    assert_eq!(found.unwrap().value.id, person.id);
    let again = auth.authenticate(&token).await.unwrap();
    assert_eq!(again.id(), identity.id());
}

#[tokio::test]
async fn words_for_roles_lead_to_rights_and_principals() {
    let (_setup, auth) = set_up().await;
    for (word, role) in [
        (json!(null), Role::Visitor),
        (json!("customer"), Role::Visitor),
        (json!("user"), Role::Visitor),
        (json!("support"), Role::Agent),
        (json!("manager"), Role::Supervisor),
        (json!("ADMIN"), Role::Admin),
        (json!("SUPER_ADMIN"), Role::Owner),
    ] {
        let identity = auth.authenticate(&acme_token(json!({"role": word}))).await.unwrap();
        assert_eq!(identity.caller.role, role, "{word}");
        let is_agent = identity.caller.author.principal.is_agent();
        assert_eq!(is_agent, role >= Role::Agent, "{word}");
        assert!(identity.is_at_least(Role::Visitor));
        assert_eq!(identity.is_at_least(Role::Admin), role >= Role::Admin, "{word}");
    }
    let unknown = auth.authenticate(&acme_token(json!({"role": "root"}))).await;
    assert!(matches!(unknown, Err(AuthError::UnknownRole)));
}

#[tokio::test]
async fn the_same_subject_is_somebody_else_in_every_tenant_and_under_every_key() {
    let (_setup, auth) = set_up().await;
    let header = json!({"alg": "ES256", "kid": "ec-acme"});
    let tokens = [
        default_token(json!({})),
        acme_token(json!({})),
        other_token(json!({})),
        sign_pair(&EC_ACME, &header, &claims()),
    ];
    let mut seen = Vec::new();
    for token in &tokens {
        let identity = auth.authenticate(token).await.unwrap();
        assert!(!seen.contains(&identity.id()), "{seen:?}");
        seen.push(identity.id());
    }
}

#[tokio::test]
async fn disabled_beats_a_valid_token_and_cuts_what_is_open() {
    let (_setup, auth) = set_up().await;
    let token = acme_token(json!({}));
    let identity = auth.authenticate(&token).await.unwrap();
    let (outlet, mut open) = queue();
    let _registration = auth.register(&identity, &outlet).await.unwrap();
    let bystander = auth.authenticate(&acme_token(json!({"sub": "ben"}))).await.unwrap();
    let (other_outlet, mut other_open) = queue();
    let _other = auth.register(&bystander, &other_outlet).await.unwrap();

    let acme = tenant("acme");
    auth.change_person(&acme, agent_id(&identity), None, &disabling()).await.unwrap();

    assert!(matches!(open.try_next(), Some(Ok(Delivery::Revoked))));
    assert!(other_open.try_next().is_none());
    assert!(matches!(auth.authenticate(&token).await, Err(AuthError::Disabled)));
    // Also with a fresh token, in any role.
    for role in ["visitor", "owner"] {
        let fresh = acme_token(json!({"role": role, "iat": START_S}));
        assert!(matches!(auth.authenticate(&fresh).await, Err(AuthError::Disabled)), "{role}");
    }
    let enabling = Change { disabled: Some(false), ..Change::default() };
    auth.change_person(&acme, agent_id(&identity), None, &enabling).await.unwrap();
    assert!(auth.authenticate(&token).await.is_ok());
}

#[tokio::test]
async fn who_is_disabled_between_sign_in_and_registration_does_not_slip_through() {
    let (_setup, auth) = set_up().await;
    let identity = auth.authenticate(&acme_token(json!({}))).await.unwrap();
    auth.change_person(&tenant("acme"), agent_id(&identity), None, &disabling()).await.unwrap();
    let (outlet, _open) = queue();
    assert!(matches!(auth.register(&identity, &outlet).await, Err(AuthError::Disabled)));
}

#[tokio::test]
async fn a_lowered_role_cuts_what_is_open_and_counts_from_then_on() {
    let (_setup, auth) = set_up().await;
    let token = acme_token(json!({"role": "admin"}));
    let identity = auth.authenticate(&token).await.unwrap();
    let (outlet, mut open) = queue();
    let _registration = auth.register(&identity, &outlet).await.unwrap();
    let lower = Change { role_max: Some(Some(Role::Agent)), ..Change::default() };
    auth.change_person(&tenant("acme"), agent_id(&identity), None, &lower).await.unwrap();
    assert!(matches!(open.try_next(), Some(Ok(Delivery::Revoked))));
    assert!(auth.register(&identity, &outlet).await.is_err(), "with the old rights");
    let identity = auth.authenticate(&token).await.unwrap();
    assert_eq!(identity.caller.role, Role::Agent);
    assert!(auth.register(&identity, &outlet).await.is_ok());
}

#[tokio::test]
async fn a_remembered_signature_does_not_outlive_its_token() {
    let (setup, auth) = set_up().await;
    let token = acme_token(json!({"exp": START_S + 10}));
    for _ in 0..2 {
        assert!(auth.authenticate(&token).await.is_ok());
    }
    assert_eq!(auth.0.checked.lock().young.len(), 1);
    setup.clock.turn_ms(14_999);
    assert!(auth.authenticate(&token).await.is_ok(), "within the leeway");
    setup.clock.turn_ms(1);
    let refused = auth.authenticate(&token).await;
    assert!(matches!(refused, Err(AuthError::Invalid(Flaw::Expired))));
}

#[tokio::test]
async fn remembered_signatures_are_bounded() {
    let (_setup, auth) = set_up().await;
    let one = auth.check(&acme_token(json!({}))).unwrap();
    let mut checked = Checked::default();
    let digest = |n: u128| {
        let mut digest = [0; 32];
        digest[..16].copy_from_slice(&n.to_be_bytes());
        digest
    };
    for n in 0..10_000 {
        checked.put(digest(n), Arc::clone(&one));
        assert!(checked.get(&digest(0)).is_some(), "what is asked for stays");
    }
    assert!(checked.young.len() + checked.old.len() <= CHECKED_MAX);
}

#[tokio::test]
async fn a_visitors_secret_opens_exactly_its_visitor() {
    let (setup, auth) = set_up().await;
    let contact = Contact::new(Some("Vera"), None, None).unwrap();
    let (visitor, token) = setup.directory.create_visitor(&tenant("acme"), contact).await.unwrap();
    let id = visitor.value.id;
    let identity = auth.authenticate(&token.reveal()).await.unwrap();
    assert_eq!((&*identity.tenant.0, &identity.via), ("acme", &Via::VisitorSecret));
    assert_eq!(identity.caller.author.principal, Principal::Visitor(id));
    assert_eq!(identity.caller.author.name.as_deref(), Some("Vera"));
    assert_eq!((identity.caller.role, identity.expires_at), (Role::Visitor, None));

    let good = token.reveal();
    let elsewhere = good.replace("sbv_acme.", "sbv_other.");
    let nobody = good.replace(&id.to_string(), &VisitorId::from_u128(1).to_string());
    for (name, bad, flaw) in [
        ("another tenant", elsewhere.as_str(), Flaw::Secret),
        ("another visitor", &nobody, Flaw::Secret),
        ("its id in upper case", &good.to_uppercase().replace("SBV_ACME", "sbv_acme"), Flaw::Shape),
        ("cut", &good[..good.len() - 1], Flaw::Shape),
        ("longer", &format!("{good}A"), Flaw::Shape),
        ("the server's own tenant", &good.replace("acme", ""), Flaw::Shape),
        ("a path for a tenant", &good.replace("acme", "../acme"), Flaw::Shape),
    ] {
        let refused = auth.authenticate(bad).await.unwrap_err();
        assert!(
            matches!(refused, AuthError::Invalid(found) if found == flaw),
            "{name} {refused:?}"
        );
    }
    let stored = format!("{:?} {:?}", visitor, setup.store);
    let (_, secret) = good.rsplit_once('.').unwrap();
    assert!(!stored.contains(secret), "the secret itself is stored nowhere");
    assert!(!format!("{token:?}").contains(secret));
}

/// S6: ids and guesses open no history.
#[tokio::test]
async fn of_ten_thousand_foreign_secrets_none_opens_a_visitor() {
    let (setup, auth) = set_up().await;
    let acme = tenant("acme");
    let mut tokens = Vec::new();
    for _ in 0..101 {
        tokens.push(setup.directory.create_visitor(&acme, Contact::default()).await.unwrap());
    }
    let mut n_opened = 0;
    let mut n_tried = 0;
    for (own, (visitor, _)) in tokens.iter().enumerate() {
        for (other, (_, token)) in tokens.iter().enumerate().filter(|(other, _)| *other != own) {
            let text = token.reveal();
            let (_, secret) = text.rsplit_once('.').unwrap();
            let forged = format!("sbv_acme.{}.{secret}", visitor.value.id);
            assert!(VisitorToken::parse(&forged).is_some(), "{other}");
            n_opened += usize::from(auth.authenticate(&forged).await.is_ok());
            n_tried += 1;
        }
    }
    assert_eq!((n_opened, n_tried >= 10_000), (0, true));
}

#[tokio::test]
async fn a_refused_visitor_is_out_at_once() {
    let (setup, auth) = set_up().await;
    let acme = tenant("acme");
    let (visitor, token) = setup.directory.create_visitor(&acme, Contact::default()).await.unwrap();
    let identity = auth.authenticate(&token.reveal()).await.unwrap();
    let (outlet, mut open) = queue();
    let _registration = auth.register(&identity, &outlet).await.unwrap();
    auth.set_visitor_access(&acme, visitor.value.id, Access::Refused).await.unwrap();
    assert!(matches!(open.try_next(), Some(Ok(Delivery::Revoked))));
    assert!(matches!(auth.authenticate(&token.reveal()).await, Err(AuthError::Disabled)));
    assert!(auth.register(&identity, &outlet).await.is_err());
}

#[tokio::test]
async fn a_key_whose_day_is_over_takes_its_connections_with_it() {
    let (setup, auth) = set_up().await;
    let (acme, main) = (tenant("acme"), WidgetId("main".into()));
    let settings = Settings { name: "Main".to_owned(), ..Settings::default() };
    let widget = Widget::new("main", settings).unwrap();
    setup.directory.create_widget(&acme, widget).await.unwrap();
    let far = json!({"sub": "eve", "exp": START_S + 7 * 24 * 3_600});
    let connect = async |key: &IdentityKey| {
        let header = json!({"alg": "HS256", "kid": &*key.name});
        let token = sign_hmac(Algorithm::HS256, key.secret.as_bytes(), &header, &far);
        let identity = auth.authenticate(&token).await.unwrap();
        let (outlet, queue) = queue();
        (auth.register(&identity, &outlet).await.unwrap(), queue)
    };
    let rotate = || auth.rotate_identity_key(&acme, &main, Replaced::Retires);

    let (_old, mut old_queue) = connect(&rotate().await.unwrap()).await;
    let (_new, mut new_queue) = connect(&rotate().await.unwrap()).await;
    setup.clock.turn_ms(RETIRING_MS - 1);
    assert_eq!(auth.cut_refused_keys().await.unwrap(), 0);
    assert!(old_queue.try_next().is_none());
    setup.clock.turn_ms(1);
    assert_eq!(auth.cut_refused_keys().await.unwrap(), 1);
    assert!(matches!(old_queue.try_next(), Some(Ok(Delivery::Revoked))));
    assert!(new_queue.try_next().is_none());
}

#[tokio::test]
async fn a_door_may_answer_for_whom_there_is_and_for_nobody_else() {
    let (setup, auth) = set_up().await;
    let (acme, other) = (tenant("acme"), tenant("other"));
    let contact = Contact::new(Some("Vera"), None, None).unwrap();
    let (visitor, _) = setup.directory.create_visitor(&acme, contact).await.unwrap();
    let vera = visitor.value.id;
    let identity = auth.vouched_visitor(&acme, vera).await.unwrap();
    assert_eq!(identity.caller.author.principal, Principal::Visitor(vera));
    assert_eq!((identity.caller.role, &identity.via), (Role::Visitor, &Via::Vouched));
    for (tenant, id) in [(&other, vera), (&acme, VisitorId::from_u128(1))] {
        let refused = auth.vouched_visitor(tenant, id).await;
        assert!(matches!(refused, Err(AuthError::Invalid(Flaw::Subject))), "{refused:?}");
    }
    auth.set_visitor_access(&acme, vera, Access::Refused).await.unwrap();
    assert!(matches!(auth.vouched_visitor(&acme, vera).await, Err(AuthError::Disabled)));

    let ada = auth.authenticate(&acme_token(json!({"sub": "ada"}))).await.unwrap();
    let identity = auth.vouched_agent(&acme, "ada").await.unwrap();
    assert_eq!((identity.id(), identity.caller.role), (ada.id(), Role::Agent));
    let eve = acme_token(json!({"sub": "eve", "role": "customer"}));
    auth.authenticate(&eve).await.unwrap();
    for (tenant, name) in [(&other, "ada"), (&acme, "nobody"), (&acme, "eve")] {
        let refused = auth.vouched_agent(tenant, name).await;
        assert!(matches!(refused, Err(AuthError::Invalid(Flaw::Subject))), "{name}: {refused:?}");
    }
    auth.change_person(&acme, agent_id(&ada), None, &disabling()).await.unwrap();
    assert!(matches!(auth.vouched_agent(&acme, "ada").await, Err(AuthError::Disabled)));
}
