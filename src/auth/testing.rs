//! Tokens as honest issuers make them, and as others do.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::{Config, Keys, SecretConfig};
use crate::directory::testing::START_S;

/// The environment's secret: signs for the tenant `default`.
pub(crate) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// The setting that holds it.
pub(crate) fn secret() -> SecretConfig {
    SecretConfig { secret: Some(String::from_utf8(SECRET.to_vec()).unwrap()) }
}

/// A key pair made for these tests alone: PKCS#8, and the public coordinates, in base64url.
#[derive(Debug)]
pub(crate) struct Pair {
    private: &'static str,
    pub(crate) public: &'static [&'static str],
    algorithm: Algorithm,
}

/// `ed-acme` in the key file: signs for `acme`, any role.
pub(crate) const ED_ACME: Pair = Pair {
    private: "MC4CAQAwBQYDK2VwBCIEIMnAHB51IkfA7DkKR5SFzHmW__VPiNaRqvsawxcij4OY",
    public: &["lNiXegGlBlVTzxXgkMBQoPqk80JKOjkbSyyRlDO7dPo"],
    algorithm: Algorithm::EdDSA,
};
/// `ed-other` in the key file: signs for `other`, any role.
pub(crate) const ED_OTHER: Pair = Pair {
    private: "MC4CAQAwBQYDK2VwBCIEIN1DFaGVQk2Eu3_I_OrvpgFkja2r-s7m91eCorqAfADF",
    public: &["Wu_rVO_1JE1-Rgm1cWEx2aoIDOPvjaJRqH5cX_vW_Ps"],
    algorithm: Algorithm::EdDSA,
};
/// `ec-acme` in the key file: signs for `acme`, agents at most.
pub(crate) const EC_ACME: Pair = Pair {
    private: "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgE5kQ6l__rwdB6_ylsRNkpD4-DSLuIiNRuy\
              RaXxpGic-hRANCAASA9ajAkmdAmrqsJ6v4TPCSOfSxFmqyS163Kdm83Zx_c39ngo9mU5WdHvbUVwxPkjFu\
              qUIrxGwE1Snbqdha8jgH",
    public: &[
        "gPWowJJnQJq6rCer-Ezwkjn0sRZqsktetynZvN2cf3M",
        "f2eCj2ZTlZ0e9tRXDE-SMW6pQivEbATVKdup2FryOAc",
    ],
    algorithm: Algorithm::ES256,
};

/// The public keys of the key file.
pub(crate) fn key_set() -> Value {
    json!({"keys": [
        {"kid": "ed-acme", "tenant": "acme", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
         "use": "sig", "x": ED_ACME.public[0]},
        {"kid": "ed-other", "tenant": "other", "kty": "OKP", "crv": "Ed25519",
         "x": ED_OTHER.public[0]},
        {"kid": "ec-acme", "tenant": "acme", "role": "agent", "kty": "EC", "crv": "P-256",
         "x": EC_ACME.public[0], "y": EC_ACME.public[1]},
    ]})
}

/// Keys with that file.
pub(crate) fn load(file: &Value, config: Config) -> Result<Keys, super::keys::Error> {
    let mut kept = tempfile::NamedTempFile::new().unwrap();
    kept.write_all(file.to_string().as_bytes()).unwrap();
    let config = Config { keys_file: Some(kept.path().to_owned()), ..config };
    Keys::load(&secret(), &config)
}

/// The usual keys.
pub(crate) fn keys() -> Keys {
    load(&key_set(), Config::default()).unwrap()
}

/// Claims that are good for an hour.
pub(crate) fn claims() -> Value {
    json!({"sub": "ada", "name": "Ada", "role": "agent", "exp": START_S + 3_600})
}

/// `value` with some members set; null removes.
pub(crate) fn with(mut value: Value, changes: Value) -> Value {
    let (Some(members), Value::Object(changes)) = (value.as_object_mut(), changes) else {
        panic!("objects")
    };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(&name)
        } else {
            members.insert(name, change)
        };
    }
    value
}

/// Header and claims, as text, in one string to be signed.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// A token of these parts under an HMAC secret.
pub(crate) fn sign_hmac(
    algorithm: Algorithm,
    secret: &[u8],
    header: &Value,
    claims: &Value,
) -> String {
    let signed = unsigned(&header.to_string(), &claims.to_string());
    let key = EncodingKey::from_secret(secret);
    let signature = crypto::sign(signed.as_bytes(), &key, algorithm).unwrap();
    format!("{signed}.{signature}")
}

/// A token of these parts under a pair's private key.
pub(crate) fn sign_pair(pair: &Pair, header: &Value, claims: &Value) -> String {
    sign_text(pair, &unsigned(&header.to_string(), &claims.to_string()))
}

/// A token of that text under a pair's private key.
pub(crate) fn sign_text(pair: &Pair, signed: &str) -> String {
    let der = URL_SAFE_NO_PAD.decode(pair.private).unwrap();
    let key = match pair.algorithm {
        Algorithm::EdDSA => EncodingKey::from_ed_der(&der),
        _ => EncodingKey::from_ec_der(&der),
    };
    let signature = crypto::sign(signed.as_bytes(), &key, pair.algorithm).unwrap();
    format!("{signed}.{signature}")
}

/// A good token of the tenant `default`, with some claims changed.
pub(crate) fn default_token(changes: Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    sign_hmac(Algorithm::HS256, SECRET, &header, &with(claims(), changes))
}

/// A good token of the tenant `acme`, with some claims changed.
pub(crate) fn acme_token(changes: Value) -> String {
    let header = json!({"alg": "EdDSA", "kid": "ed-acme"});
    sign_pair(&ED_ACME, &header, &with(claims(), changes))
}
