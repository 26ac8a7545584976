//! A secret in the answer to a repeatable request, as it may be kept: combined with a stream made
//! from the caller's key, which is not kept. Without a key the answer is not kept at all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The secret as it is kept.
#[must_use]
pub fn seal(secret: &str, key: &str) -> Value {
    if key.is_empty() {
        return secret.into();
    }
    URL_SAFE_NO_PAD.encode(combined(secret.as_bytes(), key)).into()
}

/// The answer with the secret at `pointer` as it was; what has none stays as it is.
#[must_use]
pub fn open(mut body: Value, pointer: &str, key: &str) -> Value {
    if !key.is_empty()
        && let Some(place) = body.pointer_mut(pointer)
        && let Some(sealed) = place.as_str()
        && let Ok(bytes) = URL_SAFE_NO_PAD.decode(sealed)
        && let Ok(secret) = String::from_utf8(combined(&bytes, key))
    {
        *place = secret.into();
    }
    body
}

fn combined(bytes: &[u8], key: &str) -> Vec<u8> {
    let blocks = (0u32..).flat_map(|block| {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(b"visitor secret")
            .chain_update(block.to_le_bytes())
            .chain_update(key)
            .finalize()
            .into();
        digest
    });
    bytes.iter().zip(blocks).map(|(byte, mask)| byte ^ mask).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_only_opened_by_its_key() {
        let kept = json!({ "a": { "b": seal("secret", "key") } });
        assert!(!kept.to_string().contains("secret"));
        assert_eq!(open(kept.clone(), "/a/b", "key")["a"]["b"], "secret");
        assert_ne!(open(kept, "/a/b", "other")["a"]["b"], "secret");
        let plain = json!({ "a": { "b": seal("secret", "") } });
        assert_eq!(open(plain, "/a/b", "")["a"]["b"], "secret");
        assert_eq!(open(json!({ "link": null }), "/link", "key"), json!({ "link": null }));
    }
}
