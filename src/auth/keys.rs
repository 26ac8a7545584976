//! Keys that tokens are checked with, and the one that we sign with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use switchboard_domain::ids::{TenantId, Timestamp, WidgetId};
use switchboard_domain::person::Role;

use super::claims::{Claims, Object};
use super::{Config, Flaw, Refused, SecretConfig, role};
use crate::directory::person::Source;
use crate::directory::tenant;

/// The longest token that is looked at, in bytes; real ones have a few hundred.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// The longest header of a token, in base64: it names a key and an algorithm.
const HEADER_BYTES_MAX: usize = 2 * 1024;
/// What the key of the environment's secret is called; no key file can say it.
const SECRET_NAME: &str = "(secret)";

/// What the keys of widgets are called, before the widget; no key file can say it.
const WIDGET_NAME: &str = "(widget ";

/// A key.
#[derive(Clone)]
pub struct Key {
    /// Whose tokens it signs.
    pub tenant: TenantId,
    /// Its `kid`.
    pub name: Arc<str>,
    /// The highest role that its tokens get.
    pub role_max: Role,
    /// The only `iss` of its tokens; `None` for any.
    pub issuer: Option<Arc<str>>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("tenant", &self.tenant)
            .field("name", &self.name)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Under which source its people are known: its issuer where that is checked, so that keys
    /// can be exchanged, else itself, so that one key cannot speak for another's people.
    #[must_use]
    pub fn source(&self) -> Source {
        match &self.issuer {
            Some(issuer) => Source::Issuer(Arc::clone(issuer)),
            None => Source::Key(Arc::clone(&self.name)),
        }
    }

    /// The key of a site: whoever it speaks of is a visitor. Its people stay the same when it is
    /// replaced, for they are known under the widget and not under the key's own name.
    pub(super) fn of_widget(tenant: TenantId, widget: &WidgetId, secret: &str) -> Self {
        Self {
            tenant,
            name: format!("{WIDGET_NAME}{widget})").into(),
            role_max: Role::Visitor,
            issuer: None,
            algorithm: Algorithm::HS256,
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }
    }

    fn is_of_widget(&self) -> bool {
        self.name.starts_with(WIDGET_NAME)
    }

    /// Whether its signatures are costly to check.
    pub(super) fn is_slow(&self) -> bool {
        self.algorithm != Algorithm::HS256
    }
}

/// All keys.
pub struct Keys {
    /// The environment's secret: checks tokens without a `kid`.
    default: Option<Arc<Key>>,
    signing: Option<EncodingKey>,
    by_name: HashMap<Arc<str>, Arc<Key>>,
    audience: Option<Arc<str>>,
    leeway_ms: i64,
    names: Names,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("default", &self.default)
            .field("by_name", &self.by_name)
            .finish_non_exhaustive()
    }
}

/// What the claims are called.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) role: String,
    pub(super) name: String,
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) email: String,
    pub(super) account_created_at: String,
    pub(super) account_status: String,
}

impl Names {
    fn of(config: &Config) -> Self {
        let or =
            |name: &Option<String>, usual: &str| name.clone().unwrap_or_else(|| usual.to_owned());
        Self {
            role: or(&config.role_claim, "role"),
            name: or(&config.name_claim, "name"),
            given_name: or(&config.given_name_claim, "given_name"),
            family_name: or(&config.family_name_claim, "family_name"),
            email: or(&config.email_claim, "email"),
            account_created_at: or(&config.account_created_at_claim, "account_created_at"),
            account_status: or(&config.account_status_claim, "account_status"),
        }
    }
}

/// What a key's tokens must say.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    pub(super) tenant: &'a str,
    pub(super) role_max: Role,
    pub(super) issuer: Option<&'a str>,
    pub(super) audience: Option<&'a str>,
    pub(super) leeway_ms: i64,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the key file {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a key set.
    #[error("the key file is not a JWKS whose keys name their `tenant`")]
    Shape(#[source] serde_json::Error),
    /// A key is none that we take.
    #[error("key `{name}` {why}")]
    Key {
        /// Its `kid`.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A key cannot be read.
    #[error("key `{name}` cannot be read")]
    Unreadable {
        /// Its `kid`.
        name: String,
        /// Why.
        #[source]
        source: jsonwebtoken::errors::Error,
    },
    /// There is no secret to sign with.
    #[error("there is no secret to sign with; set `jwt.secret`")]
    NoSecret,
    /// Signing failed.
    #[error("cannot sign")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

#[derive(Deserialize)]
struct KeyFile {
    keys: Vec<FileKey>,
}

#[derive(Deserialize)]
struct FileKey {
    tenant: String,
    role: Option<String>,
    issuer: Option<String>,
    /// The private part of a key.
    d: Option<IgnoredAny>,
    #[serde(flatten)]
    jwk: Jwk,
}

/// What a token that we sign is to say.
#[derive(Clone, Debug)]
pub struct Mint<'a> {
    /// Whom it is for.
    pub subject: &'a str,
    /// The name to show.
    pub name: Option<&'a str>,
    /// The mail address.
    pub email: Option<&'a str>,
    /// The role.
    pub role: Role,
    /// When it is made.
    pub now: Timestamp,
    /// How long it is good, in seconds.
    pub lifetime_s: i64,
}

impl Keys {
    /// Reads all keys: the secret of the tenant `default`, and the key file. Without either no
    /// token is accepted.
    ///
    /// # Errors
    ///
    /// [`Error`], naming the key.
    pub fn load(secret: &SecretConfig, config: &Config) -> Result<Self, Error> {
        let mut by_name = HashMap::new();
        if let Some(path) = &config.keys_file {
            let text =
                std::fs::read(path).map_err(|source| Error::Read { path: path.clone(), source })?;
            let file: KeyFile = serde_json::from_slice(&text).map_err(Error::Shape)?;
            for entry in file.keys {
                let key = Key::from_file(entry, config)?;
                if by_name.contains_key(&key.name) {
                    return Err(Error::Key { name: (*key.name).to_owned(), why: "is there twice" });
                }
                by_name.insert(Arc::clone(&key.name), Arc::new(key));
            }
        }
        let secret = secret.secret.as_deref().map(str::as_bytes);
        let default = secret.map(|secret| Key {
            tenant: TenantId(tenant::DEFAULT.into()),
            name: SECRET_NAME.into(),
            role_max: Role::Owner,
            issuer: config.issuer.as_deref().map(Into::into),
            algorithm: Algorithm::HS256,
            decoding: DecodingKey::from_secret(secret),
        });
        Ok(Self {
            default: default.map(Arc::new),
            signing: secret.map(EncodingKey::from_secret),
            by_name,
            audience: config.audience.as_deref().map(Into::into),
            leeway_ms: i64::from(config.leeway_seconds) * 1_000,
            names: Names::of(config),
        })
    }

    /// The tenants that have keys.
    pub fn tenants(&self) -> impl Iterator<Item = TenantId> + '_ {
        self.default.iter().chain(self.by_name.values()).map(|key| key.tenant.clone())
    }

    /// What a valid token says, and the key that signed it.
    ///
    /// # Errors
    ///
    /// What is wrong with the token; callers are told no more than that it is not valid.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<(Arc<Key>, Claims), Refused> {
        let parts = Parts::of(token)?;
        let header = header_of(parts.header)?;
        let key = self.key_of(&header)?;
        let claims = self.check_parts(key, &header, &parts, now)?;
        Ok((Arc::clone(key), claims))
    }

    /// What a token says that is valid under a key of the directory.
    ///
    /// # Errors
    ///
    /// What is wrong with the token; callers are told no more than that it is not valid.
    pub(super) fn check_by(
        &self,
        key: &Key,
        token: &str,
        now: Timestamp,
    ) -> Result<Claims, Refused> {
        let parts = Parts::of(token)?;
        self.check_parts(key, &header_of(parts.header)?, &parts, now)
    }

    /// Which key a token names.
    pub(super) fn name_of(token: &str) -> Option<String> {
        let Object(mut header) = header_of(Parts::of(token).ok()?.header).ok()?;
        match header.remove("kid") {
            Some(Value::String(name)) => Some(name),
            _ => None,
        }
    }

    fn check_parts(
        &self,
        key: &Key,
        Object(header): &Object,
        parts: &Parts<'_>,
        now: Timestamp,
    ) -> Result<Claims, Refused> {
        let algorithm = match key.algorithm {
            Algorithm::EdDSA => "EdDSA",
            Algorithm::ES256 => "ES256",
            _ => "HS256",
        };
        // The algorithm is the key's, whatever the header says.
        if header.get("alg").and_then(Value::as_str) != Some(algorithm) {
            return Err(Flaw::Algorithm.into());
        }
        match crypto::verify(parts.signature, parts.signed.as_bytes(), &key.decoding, key.algorithm)
        {
            Ok(true) => {}
            Ok(false) => return Err(Flaw::Signature.into()),
            Err(error) => {
                tracing::debug!(%error, "cannot check the signature of a token");
                return Err(Flaw::Signature.into());
            }
        }
        Claims::read(object(parts.payload)?, &self.names, &self.expected(key), now)
    }

    /// The key that a header names. Keys, addresses and certificates in it are not looked at.
    fn key_of(&self, Object(header): &Object) -> Result<&Arc<Key>, Refused> {
        let key = match header.get("kid") {
            None => self.default.as_ref(),
            Some(Value::String(name)) => self.by_name.get(name.as_str()),
            Some(_) => None,
        };
        Ok(key.ok_or(Flaw::Key)?)
    }

    fn expected<'a>(&'a self, key: &'a Key) -> Expected<'a> {
        Expected {
            tenant: &key.tenant.0,
            role_max: key.role_max,
            issuer: key.issuer.as_deref(),
            // A site signs for its widget and for nobody else.
            audience: self.audience.as_deref().filter(|_| !key.is_of_widget()),
            leeway_ms: self.leeway_ms,
        }
    }

    /// How late a token is still taken, in milliseconds.
    pub(super) const fn leeway_ms(&self) -> i64 {
        self.leeway_ms
    }

    /// Signs a token of the tenant `default`, which this server accepts.
    ///
    /// # Errors
    ///
    /// [`Error::NoSecret`] without a secret.
    pub fn mint(&self, mint: &Mint<'_>) -> Result<String, Error> {
        let (Some(signing), Some(key)) = (&self.signing, &self.default) else {
            return Err(Error::NoSecret);
        };
        let issued_at = mint.now.0.div_euclid(1_000);
        let said = [
            ("sub", Some(json!(mint.subject))),
            (self.names.name.as_str(), mint.name.map(|name| json!(name))),
            (self.names.email.as_str(), mint.email.map(|email| json!(email))),
            (self.names.role.as_str(), Some(json!(role::word(mint.role)))),
            ("tenant", Some(json!(&*key.tenant.0))),
            ("iss", key.issuer.as_deref().map(|issuer| json!(issuer))),
            ("aud", self.audience.as_deref().map(|audience| json!(audience))),
            ("iat", Some(json!(issued_at))),
            ("exp", Some(json!(issued_at.saturating_add(mint.lifetime_s)))),
        ];
        let claims: Map<String, Value> =
            said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256"}"#);
        let payload = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
        let signed = format!("{header}.{payload}");
        let signature =
            crypto::sign(signed.as_bytes(), signing, Algorithm::HS256).map_err(Error::Sign)?;
        Ok(format!("{signed}.{signature}"))
    }
}

/// The parts of a token.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    /// Both, as they are signed.
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Flaw::Size.into());
        }
        let parts = token.rsplit_once('.');
        let (signed, signature) = parts.ok_or(Flaw::Shape)?;
        match signed.split_once('.') {
            Some((header, payload)) if !payload.contains('.') => {
                Ok(Self { header, payload, signed, signature })
            }
            Some(_) | None => Err(Flaw::Shape.into()),
        }
    }
}

/// A header that says nothing we would have to understand and do not.
fn header_of(header: &str) -> Result<Object, Refused> {
    if header.len() > HEADER_BYTES_MAX {
        return Err(Flaw::Size.into());
    }
    let Object(header) = object(header)?;
    // Extensions that must be understood (RFC 7515 §4.1.11): we understand none.
    if header.contains_key("crit") {
        return Err(Flaw::Critical.into());
    }
    let is_token = match header.get("typ") {
        None => true,
        Some(Value::String(kind)) => {
            kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("at+jwt")
        }
        Some(_) => false,
    };
    if is_token { Ok(Object(header)) } else { Err(Flaw::Type.into()) }
}

/// A part of a token as a JSON object.
fn object(part: &str) -> Result<Object, Refused> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64| Flaw::Shape)?;
    Ok(serde_json::from_slice(&bytes).map_err(|_not_object| Flaw::Shape)?)
}

impl Key {
    fn from_file(entry: FileKey, config: &Config) -> Result<Self, Error> {
        let common = &entry.jwk.common;
        let name = common.key_id.clone().unwrap_or_default();
        let refuse = |why| Error::Key { name: name.clone(), why };
        if name.is_empty() || name.starts_with('(') {
            return Err(refuse("needs a `kid` that does not begin with a bracket"));
        }
        if entry.d.is_some() {
            return Err(refuse("holds its private part; keep that where tokens are made"));
        }
        if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return Err(refuse("is not for signatures"));
        }
        let algorithm = algorithm(&entry.jwk.algorithm).map_err(refuse)?;
        let named = match algorithm {
            Algorithm::EdDSA => KeyAlgorithm::EdDSA,
            _ => KeyAlgorithm::ES256,
        };
        if common.key_algorithm.is_some_and(|algorithm| algorithm != named) {
            return Err(refuse("names an `alg` that its curve does not have"));
        }
        let role_max = match entry.role.as_deref() {
            None => Role::Owner,
            Some(word) => role::named(word).ok_or_else(|| refuse("has a `role` not known"))?,
        };
        if !tenant::is_name(&entry.tenant) {
            return Err(refuse("has a `tenant` that is not 1 to 63 of a-z, 0-9 and -"));
        }
        let unreadable = |source| Error::Unreadable { name: name.clone(), source };
        let decoding = DecodingKey::from_jwk(&entry.jwk).map_err(unreadable)?;
        // A key that is no point of its curve shows here and not at the first token.
        crypto::verify("", b"", &decoding, algorithm).map_err(unreadable)?;
        Ok(Self {
            tenant: TenantId(entry.tenant.into()),
            issuer: entry.issuer.or_else(|| config.issuer.clone()).map(Into::into),
            name: name.into(),
            role_max,
            algorithm,
            decoding,
        })
    }
}

/// The one algorithm of a public key.
fn algorithm(parameters: &AlgorithmParameters) -> Result<Algorithm, &'static str> {
    let has_32_bytes =
        |text: &String| URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32);
    let (algorithm, parts) = match parameters {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, vec![&pair.x])
        }
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, vec![&point.x, &point.y])
        }
        AlgorithmParameters::OctetKeyPair(_) | AlgorithmParameters::EllipticCurve(_) => {
            return Err("has a curve other than Ed25519 and P-256");
        }
        AlgorithmParameters::RSA(_) | AlgorithmParameters::OctetKey(_) => {
            return Err("is neither EdDSA nor ES256");
        }
    };
    if parts.into_iter().all(has_32_bytes) {
        Ok(algorithm)
    } else {
        Err("has coordinates that are not 32 bytes in base64url")
    }
}

#[cfg(test)]
mod tests;
