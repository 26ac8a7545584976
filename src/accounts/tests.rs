//! Sign-ins as time goes by, and what is stored of them.

mod full;

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use switchboard_actors::clock::Clock;
use switchboard_domain::ids::{AgentId, TenantId};
use switchboard_store::{DocumentKey, Store};

use super::credential::{AGE_MS, IDLE_MS, SEEN_LAG_MS};
use super::password::Password;
use super::{Accounts, Entered, Error, From};
use crate::auth::testing::keys;
use crate::auth::{AuthError, Authenticator};
use crate::directory::testing::{Setup, tenant};

const EMAIL: &str = "grace@example.com";
const PASSWORD: &str = "nanoseconds of wire";

struct Bench {
    setup: Setup,
    auth: Authenticator,
    accounts: Accounts,
    acme: TenantId,
}

impl Bench {
    /// A tenant whose owner is just signed in.
    async fn new() -> (Self, Entered) {
        let bench = Self::over(Setup::new().await);
        let made = bench.setup.directory.make_setup(&bench.acme, None).await.unwrap().unwrap();
        let password = Password::from(PASSWORD);
        let entered = bench.accounts.set_up(&made.token, "Grace", EMAIL, password).await.unwrap();
        (bench, entered)
    }

    fn over(setup: Setup) -> Self {
        let clock = Arc::clone(&setup.clock) as Arc<dyn Clock>;
        let auth = Authenticator::new(keys(), setup.directory.clone(), Arc::clone(&clock));
        let accounts = Accounts::new(setup.directory.clone(), auth.clone(), clock, true, true);
        Self { setup, auth, accounts, acme: tenant("acme") }
    }

    async fn restart(self) -> Self {
        let mut setup = self.setup;
        setup.restart().await;
        Self::over(setup)
    }

    async fn is_in(&self, entered: &Entered) -> bool {
        self.auth.authenticate_cookie(&entered.secret).await.is_ok()
    }

    async fn log_in(&self, password: &str, device: Option<&str>) -> Result<Entered, Error> {
        let from = From { address: [192, 0, 2, 1].into(), device };
        self.accounts.log_in(&self.acme, EMAIL, password.into(), from).await
    }

    fn owner(entered: &Entered) -> AgentId {
        entered.identity.person.as_ref().unwrap().value.id
    }
}

#[tokio::test]
async fn a_sign_in_slides_while_it_is_used_and_ends_when_it_is_not() {
    let (bench, entered) = Bench::new().await;
    for _ in 0..5 {
        bench.setup.clock.turn_ms(IDLE_MS - SEEN_LAG_MS);
        assert!(bench.is_in(&entered).await);
    }
    bench.setup.clock.turn_ms(IDLE_MS);
    assert!(!bench.is_in(&entered).await);
    // Nothing wakes it: it is gone with the next sign-in, whatever the clock says.
    let _other = bench.log_in(PASSWORD, None).await.unwrap();
    bench.setup.clock.turn_ms(-IDLE_MS);
    assert!(!bench.is_in(&entered).await);
}

#[tokio::test]
async fn a_socket_lives_as_long_as_its_sign_in_is_used() {
    let (bench, entered) = Bench::new().await;
    let began = entered.identity.clone();
    bench.setup.clock.turn_ms(IDLE_MS / 2);
    assert!(bench.is_in(&entered).await);
    bench.setup.clock.turn_ms(IDLE_MS / 2);
    let extended = bench.auth.extended(&began).await.unwrap().unwrap();
    let left = extended.expires_at.unwrap().ms_since(bench.setup.clock.now());
    assert_eq!(left, IDLE_MS / 2);
    bench.setup.clock.turn_ms(IDLE_MS / 2);
    assert!(bench.auth.extended(&extended).await.unwrap().is_none(), "unused for too long");

    let again = bench.log_in(PASSWORD, None).await.unwrap();
    assert!(bench.auth.extended(&again.identity).await.unwrap().is_some());
    bench.accounts.log_out(&again.identity).await.unwrap();
    assert!(bench.auth.extended(&again.identity).await.unwrap().is_none(), "signed out");
}

#[tokio::test]
async fn a_sign_in_ends_after_thirty_days_however_much_it_is_used() {
    let (bench, entered) = Bench::new().await;
    let step = IDLE_MS / 2;
    for _ in 0..AGE_MS / step - 1 {
        bench.setup.clock.turn_ms(step);
        assert!(bench.is_in(&entered).await);
    }
    let (identity, _) = bench.auth.authenticate_cookie(&entered.secret).await.unwrap();
    assert_eq!(identity.expires_at.unwrap().ms_since(bench.setup.clock.now()), step);
    bench.setup.clock.turn_ms(step);
    assert!(!bench.is_in(&entered).await);
}

#[tokio::test]
async fn a_clock_that_goes_back_signs_nobody_out() {
    let (bench, entered) = Bench::new().await;
    bench.setup.clock.turn_ms(-2 * AGE_MS);
    assert!(bench.is_in(&entered).await);
    assert!(bench.log_in(PASSWORD, None).await.is_ok());
}

#[tokio::test]
async fn sign_ins_outlive_a_restart_and_no_secret_is_stored() {
    let (bench, entered) = Bench::new().await;
    let bench = bench.restart().await;
    assert!(bench.is_in(&entered).await);
    let id = Bench::owner(&entered).to_string().into();
    let key = DocumentKey { tenant: bench.acme.clone(), kind: "credential", id };
    let stored = bench.setup.store.document(&key).await.unwrap().unwrap().bytes;
    let (_, secret) = entered.secret.rsplit_once('.').unwrap();
    for text in [secret, PASSWORD, &entered.csrf, &entered.device] {
        let is_there = stored.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        assert!(!is_there, "{text}");
    }
    assert!(stored.windows(9).any(|bytes| bytes == b"$argon2id"));
}

#[tokio::test]
async fn a_cookie_of_another_secret_tenant_or_person_opens_nothing() {
    let (bench, entered) = Bench::new().await;
    let mut last = entered.secret.clone();
    last.replace_range(last.len() - 2..last.len() - 1, "-");
    for other in [
        entered.secret.replace("acme", "other"),
        entered.secret.replace("sbs_", "sbi_"),
        last,
        String::new(),
        format!("{} ", entered.secret),
    ] {
        let refused = bench.auth.authenticate_cookie(&other).await;
        assert!(matches!(refused, Err(AuthError::Invalid(_))), "{other}");
    }
}

#[tokio::test]
async fn a_weak_hash_is_made_anew_at_the_next_sign_in() {
    let (bench, entered) = Bench::new().await;
    let id = Bench::owner(&entered);
    let weak = Params::new(8 * 1_024, 1, 1, None).unwrap();
    let salt = SaltString::encode_b64(&[7; 16]).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, weak);
    let weak: Arc<str> = weak.hash_password(PASSWORD.as_bytes(), &salt).unwrap().to_string().into();
    let directory = &bench.setup.directory;
    let planted = directory.change_credential(&bench.acme, id, |credential| {
        credential.hash = Some(Arc::clone(&weak));
        Ok::<_, Error>(())
    });
    planted.await.unwrap();

    assert!(matches!(bench.log_in("not the password", None).await, Err(Error::BadCredentials)));
    let kept = directory.credential(&bench.acme, id).await.unwrap().unwrap();
    assert_eq!(kept.value.hash.as_ref(), Some(&weak), "a wrong password changes nothing");
    bench.log_in(PASSWORD, None).await.unwrap();
    let kept = directory.credential(&bench.acme, id).await.unwrap().unwrap();
    assert!(kept.value.hash.as_ref().unwrap().contains("m=19456,t=2,p=1"));
    assert!(bench.log_in(PASSWORD, None).await.is_ok());
}

#[tokio::test]
async fn strangers_lock_themselves_out_and_not_a_known_browser() {
    let (bench, entered) = Bench::new().await;
    for _ in 0..10 {
        assert!(matches!(bench.log_in("wrong password", None).await, Err(Error::BadCredentials)));
    }
    let waits = bench.log_in(PASSWORD, None).await;
    assert!(matches!(waits, Err(Error::TooManyAttempts { retry_after_ms: 1.. })), "{waits:?}");
    assert!(bench.log_in(PASSWORD, Some("forged.word")).await.is_err());
    assert!(bench.log_in(PASSWORD, Some(&entered.device)).await.is_ok());
}

#[tokio::test]
async fn a_link_ends_with_its_time() {
    let (bench, entered) = Bench::new().await;
    let (directory, clock) = (&bench.setup.directory, &bench.setup.clock);
    let owner = &entered.identity.person.as_ref().unwrap().value;
    let made = directory.make_invitation(&bench.acme, owner, clock.now()).await.unwrap();
    assert!(made.is_reset);
    clock.turn_ms(super::links::INVITATION_MS);
    let accept = || bench.accounts.accept(&made.token, Password::from("eleven inches"), None);
    assert!(matches!(accept().await, Err(Error::LinkExpired)));
    clock.turn_ms(-1);
    assert!(accept().await.is_ok());
    assert!(matches!(accept().await, Err(Error::LinkUsed)));
}

#[tokio::test]
async fn a_set_up_that_was_cut_short_begins_again() {
    let bench = Bench::over(Setup::new().await);
    let directory = &bench.setup.directory;
    let first = directory.make_setup(&bench.acme, None).await.unwrap().unwrap();
    let second = directory.make_setup(&bench.acme, None).await.unwrap().unwrap();
    let password = || Password::from(PASSWORD);
    let refused = bench.accounts.set_up(&first.token, "Grace", EMAIL, password()).await;
    assert!(matches!(refused, Err(Error::LinkUsed)));

    // The link was used, and the process ended before the person was written.
    let owner = second.token.split('.').nth(1).unwrap().parse().unwrap();
    let cut = directory.change_credential(&bench.acme, owner, |credential| {
        credential.link = None;
        credential.hash = Some("whatever".into());
        Ok::<_, Error>(())
    });
    cut.await.unwrap();
    let third = directory.make_setup(&bench.acme, None).await.unwrap().unwrap();
    bench.accounts.set_up(&third.token, "Grace", EMAIL, password()).await.unwrap();
    assert!(directory.make_setup(&bench.acme, None).await.unwrap().is_none());
}
