//! Who may come in: keys, tokens and the secrets of anonymous visitors.
//!
//! A key belongs to one tenant and has one algorithm and a highest role; a token names its key by
//! `kid`. Nothing else in a token's header is believed, so it cannot bring its own key or
//! algorithm.

pub mod role;
pub mod keys;
pub mod claims;
pub mod secret;
pub mod revocation;
pub mod authenticator;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use authenticator::{AuthError, Authenticator, Identity, Via};
pub use claims::Claims;
pub use keys::{Key, Keys, Mint};
pub use revocation::Registration;
pub use secret::VisitorToken;

/// The shortest HS256 secret, in bytes: the size of the digest (RFC 7518 §3.2).
const SECRET_BYTES_MIN: usize = 32;
/// The longest leeway, in seconds: clocks that differ more are broken.
const LEEWAY_SECONDS_MAX: u32 = 300;

/// The section `[jwt]`: the one secret that needs no file.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretConfig {
    /// Signs and checks HS256 tokens of the tenant `default`; at least 32 bytes. Without it, and
    /// without a key file, no tokens are accepted. Better given in the environment than in a file.
    #[serde(skip_serializing)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for SecretConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretConfig").field("secret", &self.secret.is_some()).finish()
    }
}

impl SecretConfig {
    /// Whether the secret is long enough.
    ///
    /// # Errors
    ///
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        match &self.secret {
            Some(secret) if secret.len() < SECRET_BYTES_MIN => {
                Err(format!("must have at least {SECRET_BYTES_MIN} bytes"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The section `[auth]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A JWKS file of public keys (EdDSA with Ed25519, ES256) that also say `tenant` and, if
    /// wanted, `role` (the highest they give) and `issuer`.
    pub keys_file: Option<PathBuf>,
    /// When set, `iss` must be this, unless a key names its own issuer.
    pub issuer: Option<String>,
    /// When set, `aud` must be or hold this.
    pub audience: Option<String>,
    /// By how many seconds clocks may differ: a token is taken so much too early or too late.
    pub leeway_seconds: u32,
    /// The name of the claim with the role; `role` when absent.
    pub role_claim: Option<String>,
    /// The name of the claim with the name; `name` when absent.
    pub name_claim: Option<String>,
    /// The name of the claim with the given name; `given_name` when absent.
    pub given_name_claim: Option<String>,
    /// The name of the claim with the family name; `family_name` when absent.
    pub family_name_claim: Option<String>,
    /// The name of the claim with the mail address; `email` when absent.
    pub email_claim: Option<String>,
    /// The name of the claim that says when the account was made; `account_created_at` when
    /// absent.
    pub account_created_at_claim: Option<String>,
    /// The name of the claim that says how the account stands; `account_status` when absent.
    pub account_status_claim: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keys_file: None,
            issuer: None,
            audience: None,
            leeway_seconds: 5,
            role_claim: None,
            name_claim: None,
            given_name_claim: None,
            family_name_claim: None,
            email_claim: None,
            account_created_at_claim: None,
            account_status_claim: None,
        }
    }
}

impl Config {
    /// Whether the settings make sense; the keys themselves are checked by [`Keys::load`].
    ///
    /// # Errors
    ///
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        if self.leeway_seconds > LEEWAY_SECONDS_MAX {
            return Err(format!("`leeway_seconds` may be at most {LEEWAY_SECONDS_MAX}"));
        }
        Ok(())
    }
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no good.
    Invalid(Flaw),
    /// The signature is good, the role is none of ours.
    UnknownRole,
}

impl From<Flaw> for Refused {
    fn from(flaw: Flaw) -> Self {
        Self::Invalid(flaw)
    }
}

/// What is wrong with a token. For logs and tests: callers learn only that it is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is none, or it is not in the one place where it belongs.
    Missing,
    /// It is too long.
    Size,
    /// It is not what a token looks like.
    Shape,
    /// It demands extensions.
    Critical,
    /// It is of another type.
    Type,
    /// It names no key of ours.
    Key,
    /// Its algorithm is not its key's.
    Algorithm,
    /// Its signature is wrong.
    Signature,
    /// It does not say when it ends.
    Expiry,
    /// It ended.
    Expired,
    /// It says badly when it begins.
    NotBefore,
    /// It has not begun.
    NotYet,
    /// It says badly when it was made.
    IssuedAt,
    /// It was made by somebody else.
    Issuer,
    /// It was made for somebody else.
    Audience,
    /// It claims another tenant than its key's.
    Tenant,
    /// It does not say whom it is for.
    Subject,
    /// It is not the visitor's secret, or there is no such visitor.
    Secret,
}

#[cfg(test)]
pub(crate) mod testing;
