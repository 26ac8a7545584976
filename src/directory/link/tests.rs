use futures_util::future::join_all;

use super::*;
use crate::directory::Contact;
use crate::directory::testing::{Setup, tenant};

const CONVERSATION: ConversationId = ConversationId::from_u128(7);

async fn visitor_of(setup: &Setup) -> VisitorId {
    let made = setup.directory.create_visitor(&tenant("acme"), Contact::default()).await;
    made.unwrap().0.value.id
}

async fn link_of(setup: &Setup, visitor: VisitorId) -> String {
    setup.directory.create_link(&tenant("acme"), visitor, CONVERSATION).await.unwrap()
}

#[tokio::test]
async fn a_link_leads_in_once_as_its_visitor() {
    let setup = Setup::new().await;
    let visitor = visitor_of(&setup).await;
    let token = link_of(&setup, visitor).await;
    let opened = setup.directory.use_link(&token).await.unwrap();
    assert_eq!((opened.visitor.visitor, opened.conversation), (visitor, CONVERSATION));
    let stored = setup.directory.visitor(&tenant("acme"), visitor).await.unwrap().unwrap();
    assert!(opened.visitor.matches(&stored.value.secret));
    let again = setup.directory.use_link(&token).await;
    assert!(matches!(again, Err(Error::LinkUsed)), "{again:?}");
}

#[tokio::test]
async fn of_many_who_use_a_link_at_once_one_comes_in() {
    let setup = Setup::new().await;
    let token = link_of(&setup, visitor_of(&setup).await).await;
    let used = join_all((0..20).map(|_| setup.directory.use_link(&token))).await;
    assert_eq!(used.iter().filter(|used| used.is_ok()).count(), 1);
    assert!(used.iter().flat_map(|used| used.as_ref().err()).all(|e| matches!(e, Error::LinkUsed)));
}

#[tokio::test]
async fn a_link_ends_after_a_week_and_is_forgotten_later() {
    let setup = Setup::new().await;
    let token = link_of(&setup, visitor_of(&setup).await).await;
    setup.clock.turn_ms(GOOD_MS);
    assert!(matches!(setup.directory.use_link(&token).await, Err(Error::LinkExpired)));
    assert_eq!(setup.directory.purge_links().await.unwrap(), 0);
    setup.clock.turn_ms(KEPT_MS);
    assert_eq!(setup.directory.purge_links().await.unwrap(), 1);
    assert!(matches!(setup.directory.use_link(&token).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn another_link_ends_the_one_before() {
    let setup = Setup::new().await;
    let visitor = visitor_of(&setup).await;
    let (first, second) = (link_of(&setup, visitor).await, link_of(&setup, visitor).await);
    let [first, second] = [&first, &second].map(|token| setup.directory.use_link(token));
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let stored = setup.directory.visitor(&tenant("acme"), visitor).await.unwrap().unwrap();
    assert!(!first.visitor.matches(&stored.value.secret));
    assert!(second.visitor.matches(&stored.value.secret));
}

#[tokio::test]
async fn what_is_no_link_of_ours_leads_nowhere() {
    let setup = Setup::new().await;
    let token = link_of(&setup, visitor_of(&setup).await).await;
    let long = format!("{token}{}", "A".repeat(200));
    for bad in [
        "",
        "sbl_",
        &token[1..],
        &token[..token.len() - 2],
        // P10: the same secret in another tenant.
        &token.replace("acme", "other"),
        &token.replace("acme", "../x"),
        &long,
    ] {
        let used = setup.directory.use_link(bad).await;
        assert!(matches!(used, Err(Error::NotFound)), "{bad}: {used:?}");
    }
    assert!(setup.directory.use_link(&token).await.is_ok());
}

#[tokio::test]
async fn nothing_that_is_stored_leads_in() {
    let setup = Setup::new().await;
    let token = link_of(&setup, visitor_of(&setup).await).await;
    let (acme, _) = (tenant("acme"), ());
    let pages = setup.directory.0.store.documents(&acme, Link::KIND, None, 10).await.unwrap();
    let opened = setup.directory.use_link(&token).await.unwrap();
    for secret in [token.as_str(), &opened.visitor.reveal()] {
        let secret = secret.rsplit('.').next().unwrap();
        let raw = URL_SAFE_NO_PAD.decode(secret).unwrap();
        for document in &pages {
            assert_ne!(&*document.id, secret);
            assert!(!document.bytes.windows(raw.len()).any(|window| window == raw));
        }
    }
    assert_eq!(pages.len(), 1);
}
