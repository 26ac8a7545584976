//! Hashing of passwords with argon2id: slow on purpose, so off the async threads and few at once.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Error;
use super::password::Password;
use crate::directory::random;

/// Memory of one hash in KiB, passes over it, and lanes: what OWASP asks of argon2id.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes at once: each takes a core and 19 MiB for some twenty milliseconds.
const RUNNING_MAX: usize = 2;
/// Callers that wait or run at most. More would wait longer than they have patience.
const CALLERS_MAX: usize = 64;
/// The longest wait for a turn.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Compared with when there is no account, so that both take the same time. Of nothing: 32 bytes
/// that no password gives.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c3dpdGNoYm9hcmQtbm9ib2R5$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Makes and compares hashes.
#[derive(Clone, Debug)]
pub struct Hasher {
    callers: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            callers: Arc::new(Semaphore::new(CALLERS_MAX)),
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
        }
    }
}

/// How a password compares with what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Another.
    Differs,
    /// The same.
    Same,
    /// The same, and the hash is weaker than those made now: it had better be made anew.
    SameButWeak,
}

/// A turn: both places are given back when the work is done, also when nobody waits for it.
#[derive(Debug)]
struct Turn {
    _caller: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Hasher {
    /// The hash to store of a password.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when too many wait.
    pub async fn hash(&self, password: Password) -> Result<Arc<str>, Error> {
        let salt: [u8; 16] = random()?;
        self.run(move || {
            let salt = SaltString::encode_b64(&salt).map_err(Error::Hash)?;
            let hash = argon2().hash_password(password.bytes(), &salt).map_err(Error::Hash)?;
            Ok(hash.to_string().into())
        })
        .await
    }

    /// Compares a password with a stored hash, or with nobody's.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when too many wait; [`Error::Hash`] when what is stored is no hash.
    pub async fn compare(
        &self,
        password: Password,
        stored: Option<Arc<str>>,
    ) -> Result<Compared, Error> {
        self.run(move || {
            let text = stored.as_deref().unwrap_or(NOBODY);
            let hash = PasswordHash::new(text).map_err(Error::Hash)?;
            let is_same = argon2().verify_password(password.bytes(), &hash).is_ok();
            Ok(match is_same && stored.is_some() {
                false => Compared::Differs,
                true if is_weak(&hash) => Compared::SameButWeak,
                true => Compared::Same,
            })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let caller = Arc::clone(&self.callers).try_acquire_owned().map_err(|_full| Error::Busy)?;
        let running = timeout(WAIT_MAX, Arc::clone(&self.running).acquire_owned()).await;
        let running = running.map_err(|_late| Error::Busy)?.map_err(|_closed| Error::Busy)?;
        let turn = Turn { _caller: caller, _running: running };
        let done = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(turn);
            answer
        });
        // Only a panic in the library ends the task without an answer.
        done.await.unwrap_or(Err(Error::Busy))
    }
}

fn params() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or(Params::DEFAULT)
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params())
}

/// Whether a hash was made with less than what is asked for now.
fn is_weak(hash: &PasswordHash<'_>) -> bool {
    let Ok(found) = Params::try_from(hash) else { return true };
    hash.algorithm != Algorithm::Argon2id.ident()
        || found.m_cost() < MEMORY_KIB
        || found.t_cost() < PASSES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn horse() -> Password {
        Password::from("correct horse")
    }

    #[tokio::test]
    async fn only_the_same_password_compares_as_the_same() {
        let hasher = Hasher::default();
        let hash = hasher.hash(horse()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let compared = |password: &str| hasher.compare(password.into(), Some(Arc::clone(&hash)));
        assert_eq!(compared("correct horse").await.unwrap(), Compared::Same);
        assert_eq!(compared("Correct horse").await.unwrap(), Compared::Differs);
        assert_eq!(compared("").await.unwrap(), Compared::Differs);
        let again = hasher.hash(horse()).await.unwrap();
        assert_ne!(hash, again, "each has a salt of its own");
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_costs_the_same_work() {
        let compared = Hasher::default().compare(horse(), None).await.unwrap();
        assert_eq!(compared, Compared::Differs);
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert!(!is_weak(&nobody));
        assert_eq!(Params::try_from(&nobody).unwrap().p_cost(), LANES);
        assert_eq!(nobody.hash.unwrap().len(), 32);
    }

    #[tokio::test]
    async fn a_weaker_hash_still_opens_and_says_so() {
        let weak = Params::new(8 * 1_024, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, weak);
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let stored = argon2.hash_password(horse().bytes(), &salt).unwrap().to_string();
        let compared = Hasher::default().compare(horse(), Some(stored.into())).await.unwrap();
        assert_eq!(compared, Compared::SameButWeak);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_or_comes_too_late_is_told_so() {
        let hasher = Hasher::default();
        let running = Arc::clone(&hasher.running).acquire_many_owned(2).await.unwrap();
        let waiting: Vec<_> = (0..CALLERS_MAX)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.run(|| Ok(())).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(matches!(hasher.run(|| Ok(())).await, Err(Error::Busy)), "one too many");
        for waits in waiting {
            assert!(matches!(waits.await.unwrap(), Err(Error::Busy)), "five seconds");
        }
        drop(running);
        assert!(hasher.run(|| Ok(())).await.is_ok());
    }
}
