//! Secrets that we give out: `<kind>_<tenant>.<owner>.<256 bit>`. Anonymous visitors have one
//! (`sbv_`), and in the same shape come sign-ins, links and API keys.
//!
//! Only a digest is stored. A plain SHA-256 is enough: there is nothing to guess in 256 random
//! bits. Digests are compared in constant time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use switchboard_domain::ids::{TenantId, VisitorId};
use uuid::Uuid;

use crate::directory::{self, random, tenant};

/// Before every visitor token.
const PREFIX: &str = "sbv_";
const SECRET_BYTES: usize = 32;
/// The longest token, in bytes: prefix, tenant, UUID and secret have 147.
const TOKEN_BYTES_MAX: usize = 160;

/// The digest of a secret, as stored.
pub type SecretDigest = [u8; 32];

/// What nobody can guess.
struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// Reads its text; `None` when that is none.
    fn parse(text: &str) -> Option<Self> {
        Some(Self(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn digest(&self) -> SecretDigest {
        Sha256::digest(self.0).into()
    }

    fn matches(&self, stored: &SecretDigest) -> bool {
        self.digest().ct_eq(stored).into()
    }
}

/// A visitor's credential.
pub struct VisitorToken {
    /// Where the visitor belongs.
    pub tenant: TenantId,
    /// The visitor.
    pub visitor: VisitorId,
    secret: Secret,
}

impl std::fmt::Debug for VisitorToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VisitorToken").field("visitor", &self.visitor).finish_non_exhaustive()
    }
}

impl VisitorToken {
    /// A credential with that secret.
    #[must_use]
    pub const fn new(tenant: TenantId, visitor: VisitorId, secret: [u8; SECRET_BYTES]) -> Self {
        Self { tenant, visitor, secret: Secret(secret) }
    }

    /// A credential of which somebody says the secret as text; `None` when that is none.
    #[must_use]
    pub fn with_secret(tenant: TenantId, visitor: VisitorId, secret: &str) -> Option<Self> {
        Some(Self { tenant, visitor, secret: Secret::parse(secret)? })
    }

    /// The secret alone, for whoever says the rest in another way.
    #[must_use]
    pub fn secret(&self) -> String {
        self.secret.text()
    }

    /// Whether a token is a visitor's by its look.
    #[must_use]
    pub fn is_visitor_token(token: &str) -> bool {
        token.starts_with(PREFIX)
    }

    /// Reads a token; `None` when it is not of this shape.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        let Token { tenant, owner, secret } = Token::parse(PREFIX, token)?;
        Some(Self { tenant, visitor: VisitorId::new(owner), secret })
    }

    /// The token as text.
    #[must_use]
    pub fn reveal(&self) -> String {
        write(PREFIX, &self.tenant, self.visitor.uuid(), &self.secret)
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        self.secret.digest()
    }

    /// Whether this is the secret of that digest.
    #[must_use]
    pub fn matches(&self, stored: &SecretDigest) -> bool {
        self.secret.matches(stored)
    }
}

/// A secret that says whose it is; what it opens depends on its prefix.
pub struct Token {
    /// Where its owner belongs.
    pub tenant: TenantId,
    /// Whom it is for: a person, or a key.
    pub owner: Uuid,
    secret: Secret,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn fresh(tenant: TenantId, owner: Uuid) -> Result<Self, directory::Error> {
        Ok(Self { tenant, owner, secret: Secret(random()?) })
    }

    /// Reads a token; `None` when it is not of this shape.
    #[must_use]
    pub fn parse(prefix: &str, token: &str) -> Option<Self> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let mut parts = token.strip_prefix(prefix)?.splitn(3, '.');
        let tenant = parts.next().filter(|name| tenant::is_name(name))?;
        let owner = parts.next().and_then(canonical_id)?;
        let secret = Secret::parse(parts.next()?)?;
        Some(Self { tenant: TenantId(tenant.into()), owner, secret })
    }

    /// The token as text.
    #[must_use]
    pub fn reveal(&self, prefix: &str) -> String {
        write(prefix, &self.tenant, self.owner, &self.secret)
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        self.secret.digest()
    }

    /// Whether this is the secret of that digest.
    #[must_use]
    pub fn matches(&self, stored: &SecretDigest) -> bool {
        self.secret.matches(stored)
    }

    /// Another secret, made from this one for one purpose: who has it does not have this one.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> String {
        let digest = Sha256::new().chain_update(purpose).chain_update(self.secret.0).finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }
}

fn write(prefix: &str, tenant: &TenantId, owner: Uuid, secret: &Secret) -> String {
    format!("{prefix}{tenant}.{owner}.{}", secret.text())
}

/// An id in the one spelling that we give out.
fn canonical_id(text: &str) -> Option<Uuid> {
    let id: Uuid = text.parse().ok()?;
    (id.to_string() == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> VisitorToken {
        VisitorToken::new(TenantId("acme".into()), VisitorId::from_u128(7), [9; 32])
    }

    #[test]
    fn a_token_is_read_back() {
        let text = token().reveal();
        let read = VisitorToken::parse(&text).unwrap();
        assert_eq!(
            (read.tenant, read.visitor, read.secret.0),
            (token().tenant, token().visitor, token().secret.0)
        );
    }

    #[test]
    fn only_the_same_secret_matches() {
        let stored = token().digest();
        assert!(token().matches(&stored));
        let mut other = token();
        other.secret.0[31] ^= 1;
        assert!(!other.matches(&stored));
    }

    #[test]
    fn other_shapes_are_no_tokens() {
        let good = token().reveal();
        for text in [
            "",
            "sbv_",
            "sbv_acme",
            "sbv_acme.x.y",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}A"),
            &good.replace("acme", "AC ME"),
        ] {
            assert!(VisitorToken::parse(text).is_none(), "{text}");
        }
    }
}
