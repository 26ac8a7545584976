//! The one conversation that a visitor always comes back to, where clients know no other.
//!
//! It is named before it begins, by a conditional write: of many who ask at once, on whichever
//! nodes, one names it and the others find the name.

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{ConversationId, TenantId, VisitorId};
use switchboard_store::{Expect, Fault};

use super::record::{Record, parse};
use super::{Directory, Error, Versioned};

/// Which conversation it is. It may not have begun, and may have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current(pub ConversationId);

#[derive(Serialize, Deserialize)]
pub(crate) struct CurrentForm {
    conversation: u128,
}

impl Record for Current {
    const KIND: &'static str = "current";
    const VERSION: u8 = 1;
    type Form = CurrentForm;

    fn form(&self) -> CurrentForm {
        CurrentForm { conversation: self.0.uuid().as_u128() }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: CurrentForm = parse::<Self, _>(id, bytes)?;
        Ok(Self(ConversationId::from_u128(form.conversation)))
    }
}

impl Directory {
    /// The conversation that a visitor comes back to, as it is named now.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn current(
        &self,
        tenant: &TenantId,
        visitor: VisitorId,
    ) -> Result<Option<Versioned<Current>>, Error> {
        let found = self.load_stored::<Current>(tenant, &visitor.to_string()).await?;
        Ok(found.map(|found| (*found).clone()))
    }

    /// Names another one, in the place of what the caller read.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] when somebody else named one meanwhile; when the store fails.
    pub async fn set_current(
        &self,
        tenant: &TenantId,
        visitor: VisitorId,
        read: Option<&Versioned<Current>>,
        conversation: ConversationId,
    ) -> Result<(), Error> {
        let expect = read.map_or(Expect::Absent, |read| Expect::Version(read.version));
        let saved = self.save(tenant, &visitor.to_string(), expect, Current(conversation)).await;
        saved.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::testing::{Setup, tenant};

    #[tokio::test]
    async fn of_many_names_the_first_stays_until_it_is_read_and_replaced() {
        let setup = Setup::new().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        let visitor = VisitorId::from_u128(1);
        let conversation = ConversationId::from_u128;
        let directory = &setup.directory;
        assert!(directory.current(&acme, visitor).await.unwrap().is_none());
        directory.set_current(&acme, visitor, None, conversation(7)).await.unwrap();
        let late = directory.set_current(&acme, visitor, None, conversation(8)).await;
        assert!(matches!(late, Err(Error::Changed)));
        let read = directory.current(&acme, visitor).await.unwrap().unwrap();
        assert_eq!(read.value, Current(conversation(7)));
        directory.set_current(&acme, visitor, Some(&read), conversation(9)).await.unwrap();
        let late = directory.set_current(&acme, visitor, Some(&read), conversation(10)).await;
        assert!(matches!(late, Err(Error::Changed)));
        assert!(directory.current(&other, visitor).await.unwrap().is_none());
    }
}
