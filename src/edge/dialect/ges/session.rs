//! What opens a chat: `sess_`, the chat's id, and the secret of its visitor.
//!
//! A visitor of this dialect has one chat and no other credential, so both have the same id. The
//! secret is one that we gave to the visitor, as in every other door: 256 random bits of which a
//! digest is kept. Agents read the label without the secret: it names the chat and opens nothing.

use switchboard_domain::ids::{ConversationId, TenantId, VisitorId};
use uuid::Uuid;

use crate::auth::VisitorToken;

const PREFIX: &str = "sess_";
/// Letters of an id.
const ID_CHARS: usize = 32;

/// A label, as somebody says it.
pub(super) struct Label<'a> {
    /// The chat that it names.
    pub(super) conversation: ConversationId,
    /// The rest of it: a secret that nobody has looked at.
    secret: &'a str,
}

impl<'a> Label<'a> {
    /// Reads a label; `None` when it is not of this shape.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_at_checked(ID_CHARS)?;
        let uuid = Uuid::try_parse(id).ok()?;
        // One spelling for each.
        (uuid.simple().to_string() == id)
            .then_some(Self { conversation: ConversationId::new(uuid), secret })
    }

    /// The credential that it is for a visitor of that tenant.
    pub(super) fn credential(&self, tenant: &TenantId) -> Option<VisitorToken> {
        let visitor = VisitorId::new(self.conversation.uuid());
        VisitorToken::with_secret(tenant.clone(), visitor, self.secret)
    }
}

/// The name of a chat, which opens nothing.
pub(super) fn name_of(conversation: ConversationId) -> String {
    format!("{PREFIX}{}", conversation.uuid().simple())
}

/// The label that opens the one chat of a visitor.
pub(super) fn label_of(token: &VisitorToken) -> String {
    format!("{PREFIX}{}{}", token.visitor.uuid().simple(), token.secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> TenantId {
        TenantId("acme".into())
    }

    #[test]
    fn a_label_is_read_back() {
        let token = VisitorToken::new(tenant(), VisitorId::from_u128(7), [9; 32]);
        let text = label_of(&token);
        let label = Label::parse(&text).unwrap();
        assert_eq!(label.conversation, ConversationId::from_u128(7));
        assert_eq!(label.credential(&tenant()).unwrap().reveal(), token.reveal());
        // At least 128 bits of it are random.
        assert!(text.len() - PREFIX.len() - ID_CHARS >= 22);
    }

    #[test]
    fn a_name_opens_nothing() {
        let text = name_of(ConversationId::from_u128(7));
        let label = Label::parse(&text).unwrap();
        assert_eq!(label.conversation, ConversationId::from_u128(7));
        assert!(label.credential(&tenant()).is_none());
    }

    #[test]
    fn other_shapes_are_no_labels() {
        let good = name_of(ConversationId::from_u128(0xab));
        for text in [
            "",
            "sess_",
            "sess_123",
            &good[1..],
            &good[..good.len() - 1],
            &good.to_uppercase(),
            &good.replace("ab", "AB"),
            "sess_00000000-0000-0000-0000-0000000000ab",
            "sess_0000000000000000000000000000000é",
        ] {
            assert!(Label::parse(text).is_none(), "{text}");
        }
        for secret in ["A", "==", &"A".repeat(42), &"A".repeat(44), &"é".repeat(43)] {
            let text = format!("{good}{secret}");
            let label = Label::parse(&text).unwrap();
            assert!(label.credential(&tenant()).is_none(), "{secret}");
        }
    }
}
