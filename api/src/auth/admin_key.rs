//! The key of the built-in user `admin`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::settings::{InvalidSetting, Secret, check_admin_key};
use subtle::ConstantTimeEq;

use super::pepper::Pepper;

/// Knows the admin key without keeping it: a keyed hash is compared, in constant time and whatever the lengths are.
#[derive(Clone)]
pub(crate) struct AdminKey {
    pepper: Pepper,
    expected: [u8; 32],
}

impl AdminKey {
    /// Refuses a key that is too short.
    pub(crate) fn new(key: &Secret, pepper: Pepper) -> Result<Self, InvalidSetting> {
        check_admin_key(key)?;
        let expected = keyed_hash(&pepper, key.expose());
        Ok(Self { pepper, expected })
    }

    /// Whether this is the key.
    pub(crate) fn matches(&self, presented: &str) -> bool {
        keyed_hash(&self.pepper, presented).ct_eq(&self.expected).into()
    }
}

fn keyed_hash(pepper: &Pepper, text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(pepper.bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_key_matches() {
        let key = AdminKey::new(&Secret::new("sixteen-chars-ok"), Pepper::random()).unwrap();
        assert!(key.matches("sixteen-chars-ok"));
        for wrong in ["", "sixteen-chars-o", "sixteen-chars-ok ", "Sixteen-chars-ok", "ключ"] {
            assert!(!key.matches(wrong), "{wrong:?}");
        }
        assert!(AdminKey::new(&Secret::new("fifteen-chars-k"), Pepper::random()).is_err());
    }
}
