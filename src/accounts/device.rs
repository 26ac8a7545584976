//! What a browser keeps of an earlier sign-in: a signed word that it was here, for which account.
//! It opens nothing; it only keeps strangers' wrong passwords from counting against it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use switchboard_domain::ids::TenantId;
use switchboard_store::{Expect, Fault};

use crate::directory::record::{Record, parse};
use crate::directory::{Directory, Error, random};

/// The key that signs for one tenant.
pub(super) struct DeviceKey([u8; 32]);

impl Record for DeviceKey {
    const KIND: &'static str = "device_key";
    const VERSION: u8 = 1;
    type Form = [u8; 32];

    fn form(&self) -> [u8; 32] {
        self.0
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        Ok(Self(parse::<Self, _>(id, bytes)?))
    }
}

impl DeviceKey {
    /// A new word for an account.
    pub(super) fn sign(&self, device: u128, email: &str) -> String {
        let signature = self.mac(device, email).finalize().into_bytes();
        let (device, signature) =
            (URL_SAFE_NO_PAD.encode(device.to_be_bytes()), URL_SAFE_NO_PAD.encode(signature));
        format!("{device}.{signature}")
    }

    /// Which browser says so; `None` when the word is not ours or of another account.
    pub(super) fn check(&self, word: &str, email: &str) -> Option<u128> {
        let (device, signature) = word.split_once('.')?;
        let device: [u8; 16] = URL_SAFE_NO_PAD.decode(device).ok()?.try_into().ok()?;
        let device = u128::from_be_bytes(device);
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(device, email).verify_slice(&signature).ok().map(|()| device)
    }

    fn mac(&self, device: u128, email: &str) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0);
        let mac = mac.expect("HMAC takes keys of any length");
        mac.chain_update(device.to_be_bytes()).chain_update(email)
    }
}

impl Directory {
    /// The key of a tenant; `None` before the first sign-in.
    pub(super) async fn device_key(&self, tenant: &TenantId) -> Result<Option<DeviceKey>, Error> {
        let found = self.load_stored::<DeviceKey>(tenant, "own").await?;
        Ok(found.map(|found| DeviceKey(found.value.0)))
    }

    /// The key of a tenant, made at the first sign-in.
    pub(super) async fn make_device_key(&self, tenant: &TenantId) -> Result<DeviceKey, Error> {
        if let Some(found) = self.device_key(tenant).await? {
            return Ok(found);
        }
        let saved = self.save(tenant, "own", Expect::Absent, DeviceKey(random()?)).await;
        match saved {
            Ok(saved) => Ok(DeviceKey(saved.value.0)),
            Err(Error::Changed) => self.device_key(tenant).await?.ok_or(Error::Changed),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_for_its_account_and_key_alone() {
        let key = DeviceKey([1; 32]);
        let word = key.sign(7, "ada@example.com");
        assert!(word.len() < 80, "{word}");
        assert_eq!(key.check(&word, "ada@example.com"), Some(7));
        assert_eq!(key.check(&word, "ben@example.com"), None);
        assert_eq!(DeviceKey([2; 32]).check(&word, "ada@example.com"), None);
        for other in ["", ".", "x.y", &word[1..], &word[..word.len() - 1], &format!("{word}A")] {
            assert_eq!(key.check(other, "ada@example.com"), None, "{other}");
        }
    }
}
