//! Keys that came from docsfy: it kept them as HMAC-SHA256 under its own admin key, so that key is needed to compare them.
//! It is kept sealed with the pepper, because it may still be in use.

use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use shared::settings::Secret;

use super::pepper::Pepper;

const NONCE_BYTES: usize = 24;

/// An admin key of docsfy as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Tells one admin key from another without telling what it is.
    pub fingerprint: String,
    /// Nonce and ciphertext.
    pub sealed: Vec<u8>,
}

/// Seals an admin key of docsfy.
pub fn seal(pepper: &Pepper, admin_key: &Secret) -> SealedSecret {
    let nonce: [u8; NONCE_BYTES] = rand::random();
    let ciphertext = cipher(pepper)
        .encrypt(&XNonce::from(nonce), admin_key.expose().as_bytes())
        .expect("sealing fails only for texts of more than 256 GiB");
    let fingerprint = hex::encode(&pepper.mac(&format!("docsfy admin key {}", admin_key.expose()))[..16]);
    SealedSecret { fingerprint, sealed: [nonce.as_slice(), &ciphertext].concat() }
}

/// Opens what [`seal`] made; `None` for what another pepper sealed.
pub(crate) fn open(pepper: &Pepper, sealed: &[u8]) -> Option<Secret> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let opened = cipher(pepper).decrypt(&XNonce::from(*nonce), ciphertext).ok()?;
    String::from_utf8(opened).ok().map(Secret::new)
}

/// What docsfy kept of a key.
pub fn hash(admin_key: &Secret, key: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(admin_key.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(key.as_bytes());
    mac.finalize().into_bytes().into()
}

fn cipher(pepper: &Pepper) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&pepper.mac("key that seals docsfy admin keys").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_pepper_opens_what_was_sealed() {
        let pepper = Pepper::random();
        let secret = Secret::new("the-old-admin-key");
        let sealed = seal(&pepper, &secret);
        assert_eq!(open(&pepper, &sealed.sealed), Some(secret.clone()));
        assert_eq!(open(&Pepper::random(), &sealed.sealed), None);
        assert_eq!(open(&pepper, b"short"), None);
        assert_eq!(seal(&pepper, &secret).fingerprint, sealed.fingerprint);
        assert_ne!(seal(&pepper, &secret).sealed, sealed.sealed);
    }

    #[test]
    fn a_key_hashes_as_docsfy_hashes_it() {
        // printf docsfy_test | openssl dgst -sha256 -hmac sixteen-chars-ok
        let expected = "624b4cb3fa1fed66678e2c128c06ff5ce58dd66b0d694b22684461916b48e5f8";
        assert_eq!(hex::encode(hash(&Secret::new("sixteen-chars-ok"), "docsfy_test")), expected);
    }
}
