//! Labels that clients choose for their conversations, where they come without a token.
//!
//! A label opens its conversation until somebody has shown the secret of its visitor; from then on
//! it opens nothing alone. Of two who choose the same label at once one gets it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{ConversationId, TenantId, VisitorId};
use switchboard_store::{Expect, Fault};

use super::record::{Record, parse};
use super::{Directory, Error, Versioned};

/// Bytes of the shortest label.
const BYTES_MIN: usize = 8;
/// Bytes of the longest label.
const BYTES_MAX: usize = 128;

/// What a label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLabel {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its visitor.
    pub visitor: VisitorId,
    /// Whether it opens nothing without the visitor's secret.
    pub sealed: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SessionLabelForm {
    conversation: u128,
    visitor: u128,
    sealed: bool,
}

impl Record for SessionLabel {
    const KIND: &'static str = "session_label";
    const VERSION: u8 = 1;
    type Form = SessionLabelForm;

    fn form(&self) -> SessionLabelForm {
        SessionLabelForm {
            conversation: self.conversation.uuid().as_u128(),
            visitor: self.visitor.uuid().as_u128(),
            sealed: self.sealed,
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: SessionLabelForm = parse::<Self, _>(id, bytes)?;
        Ok(Self {
            conversation: ConversationId::from_u128(form.conversation),
            visitor: VisitorId::from_u128(form.visitor),
            sealed: form.sealed,
        })
    }
}

/// Whether a text may be a label: 8 to 128 letters, digits and marks that need no escape anywhere.
#[must_use]
pub fn is_label(text: &str) -> bool {
    (BYTES_MIN..=BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:~".contains(&b))
}

impl Directory {
    /// What a label names.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn session_label(
        &self,
        tenant: &TenantId,
        label: &str,
    ) -> Result<Option<Arc<Versioned<SessionLabel>>>, Error> {
        if is_label(label) { self.load(tenant, label).await } else { Ok(None) }
    }

    /// Takes a label.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] when it is taken, [`Error::Invalid`] when it is none.
    pub async fn take_session_label(
        &self,
        tenant: &TenantId,
        label: &str,
        names: SessionLabel,
    ) -> Result<(), Error> {
        if !is_label(label) {
            let why = "must be 8 to 128 letters, digits, and any of -_.:~";
            return Err(Error::Invalid { field: "sessionId", why });
        }
        match self.save(tenant, label, Expect::Absent, names).await {
            Err(Error::Changed) => Err(Error::Exists),
            saved => saved.map(drop),
        }
    }

    /// From now on a label opens nothing without the secret of its visitor.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn seal_session_label(&self, tenant: &TenantId, label: &str) -> Result<(), Error> {
        let seal = |names: &mut SessionLabel| {
            names.sealed = true;
            Ok(())
        };
        self.change(tenant, label, None, seal).await.map(drop)
    }

    /// Gives a label up whose conversation never began.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn give_up_session_label(&self, tenant: &TenantId, label: &str) -> Result<(), Error> {
        self.remove::<SessionLabel>(tenant, label, Expect::Any).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::testing::{Setup, tenant};

    fn names(n: u128) -> SessionLabel {
        let (conversation, visitor) = (ConversationId::from_u128(n), VisitorId::from_u128(n));
        SessionLabel { conversation, visitor, sealed: false }
    }

    #[tokio::test]
    async fn a_label_is_taken_once_in_its_tenant_and_sealed_for_good() {
        let Setup { directory, .. } = Setup::new().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        let label = "session-1-abcdef";
        directory.take_session_label(&acme, label, names(1)).await.unwrap();
        let again = directory.take_session_label(&acme, label, names(2)).await;
        assert!(matches!(again, Err(Error::Exists)), "{again:?}");
        directory.take_session_label(&other, label, names(3)).await.unwrap();
        directory.seal_session_label(&acme, label).await.unwrap();
        let read = async |tenant| directory.session_label(tenant, label).await.unwrap();
        assert_eq!(read(&acme).await.unwrap().value, SessionLabel { sealed: true, ..names(1) });
        assert_eq!(read(&other).await.unwrap().value, names(3));
        directory.give_up_session_label(&other, label).await.unwrap();
        assert!(read(&other).await.is_none());
    }

    #[tokio::test]
    async fn what_is_no_label_names_nothing() {
        let Setup { directory, .. } = Setup::new().await;
        let acme = tenant("acme");
        let long = "a".repeat(BYTES_MAX + 1);
        for text in ["", "short", "with space", "with/slash", "ümläutisch", &long] {
            let taken = directory.take_session_label(&acme, text, names(1)).await;
            assert!(matches!(taken, Err(Error::Invalid { .. })), "{text}");
            assert!(directory.session_label(&acme, text).await.unwrap().is_none());
        }
    }
}
