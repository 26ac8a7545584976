//! Tokens as honest issuers make them, and as others do.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

/// Signs for the tenant `default`.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// A key pair made for these tests alone; signs for the tenant `other`.
const OTHER_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIN1DFaGVQk2Eu3_I_OrvpgFkja2r-s7m91eCorqAfADF";
pub(crate) const OTHER_PUBLIC: &str = "Wu_rVO_1JE1-Rgm1cWEx2aoIDOPvjaJRqH5cX_vW_Ps";

/// Now, in seconds.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token of the tenant `default`.
pub(crate) fn token(subject: &str, role: &str) -> String {
    signed(SECRET, &json!({"alg": "HS256"}), &claims(subject, role, now_s() + 3_600))
}

/// What such a token says.
pub(crate) fn claims(subject: &str, role: &str, exp: u64) -> Value {
    json!({"sub": subject, "name": format!("Name of {subject}"), "role": role, "exp": exp})
}

/// A token under that secret.
pub(crate) fn signed(secret: &str, header: &Value, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    under(&key, Algorithm::HS256, header, claims)
}

/// A token under the secret of the tenant `default` that ended an hour ago.
pub(crate) fn expired(subject: &str, role: &str) -> String {
    signed(SECRET, &json!({"alg": "HS256"}), &claims(subject, role, now_s() - 3_600))
}

/// A token of the tenant `other`.
pub(crate) fn other_token(subject: &str, role: &str) -> String {
    let key = EncodingKey::from_ed_der(&URL_SAFE_NO_PAD.decode(OTHER_PRIVATE).unwrap());
    let header = json!({"alg": "EdDSA", "kid": "other"});
    under(&key, Algorithm::EdDSA, &header, &claims(subject, role, now_s() + 3_600))
}

/// A token without a signature.
pub(crate) fn unsigned(subject: &str, role: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let claims = claims(subject, role, now_s() + 3_600).to_string();
    format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims))
}

fn under(key: &EncodingKey, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = crypto::sign(signed.as_bytes(), key, algorithm).unwrap();
    format!("{signed}.{signature}")
}
