//! Which visitors wrote under which mail address: so that conversations are found by it.
//!
//! What is kept says nothing of whose the address is: anybody can type any.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use switchboard_domain::ids::{TenantId, VisitorId};
use switchboard_store::{Expect, Fault};

use super::record::{Record, parse};
use super::{Directory, Error, TRIES_MAX};

/// Visitors that are kept of one address: the last who wrote under it.
const VISITORS_MAX: usize = 64;

/// The visitors of an address, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Writers(Vec<VisitorId>);

#[derive(Serialize, Deserialize)]
struct WritersForm {
    visitors: Vec<u128>,
}

impl Record for Writers {
    const KIND: &'static str = "address";
    const VERSION: u8 = 1;
    type Form = WritersForm;

    fn form(&self) -> WritersForm {
        WritersForm { visitors: self.0.iter().map(|id| id.uuid().as_u128()).collect() }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: WritersForm = parse::<Self, _>(id, bytes)?;
        Ok(Self(form.visitors.into_iter().map(VisitorId::from_u128).collect()))
    }
}

/// The name of its record: a digest, for the address itself is with the conversations.
fn name_of(email: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(email.trim().to_lowercase()))
}

impl Directory {
    /// Notes that a visitor writes under an address.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn note_address(
        &self,
        tenant: &TenantId,
        email: &str,
        visitor: VisitorId,
    ) -> Result<(), Error> {
        let name = name_of(email);
        for _ in 0..TRIES_MAX {
            let stored = self.load_stored::<Writers>(tenant, &name).await?;
            let (mut writers, expect) = match stored {
                None => (Writers::default(), Expect::Absent),
                Some(stored) => (stored.value.clone(), Expect::Version(stored.version)),
            };
            if writers.0.last() == Some(&visitor) {
                return Ok(());
            }
            writers.0.retain(|known| *known != visitor);
            writers.0.push(visitor);
            let too_many = writers.0.len().saturating_sub(VISITORS_MAX);
            writers.0.drain(..too_many);
            match self.save(tenant, &name, expect, writers).await {
                Err(Error::Changed) => {}
                answer => return answer.map(drop),
            }
        }
        Err(Error::Changed)
    }

    /// Visitors who wrote under an address, the newest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn writers(&self, tenant: &TenantId, email: &str) -> Result<Vec<VisitorId>, Error> {
        let found = self.load_stored::<Writers>(tenant, &name_of(email)).await?;
        Ok(found.map(|found| found.value.0.iter().rev().copied().collect()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::directory::testing::{Setup, tenant};

    #[tokio::test]
    async fn the_last_who_wrote_under_an_address_are_kept() {
        let setup = Setup::new().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        let visitor = |n: usize| VisitorId::from_u128(n as u128);
        for n in 0..VISITORS_MAX + 5 {
            setup.directory.note_address(&acme, "Eve@Example.com", visitor(n)).await.unwrap();
        }
        setup.directory.note_address(&acme, "eve@example.com", visitor(10)).await.unwrap();
        let found = setup.directory.writers(&acme, " EVE@example.com").await.unwrap();
        assert_eq!((found.len(), found[0]), (VISITORS_MAX, visitor(10)));
        assert!(!found.contains(&visitor(4)));
        assert!(setup.directory.writers(&other, "eve@example.com").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn nobody_is_lost_when_many_write_at_once() {
        let setup = Setup::new().await;
        let acme = tenant("acme");
        let all = (0..20).map(|n| {
            setup.directory.note_address(&acme, "eve@example.com", VisitorId::from_u128(n))
        });
        assert!(join_all(all).await.iter().all(Result::is_ok));
        let found = setup.directory.writers(&acme, "eve@example.com").await.unwrap();
        assert_eq!(found.len(), 20);
    }
}
