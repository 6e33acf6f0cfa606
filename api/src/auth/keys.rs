//! Keys of users: what one looks like, how it is kept, and whether one that is presented fits.
//!
//! A generated key is `docsfy_`, 43 characters that stand for 32 random bytes, and a checksum of 6: a typing error, or a
//! leaked key in somebody's repository, is told from other text without asking anybody. Nobody can guess it, so its HMAC
//! under the pepper is looked up. A key that a person chose can be guessed; it is compared by argon2id, whose cost is kept
//! from strangers: 12 bits of the HMAC say first which users are worth it (none, nearly always).

use std::{sync::Arc, time::Duration};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::{
    db::users::{Candidate, KeptKey},
    settings::{InvalidSetting, Secret, check_admin_key},
};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::{docsfy_keys, pepper::Pepper};
use crate::{brief_cache::BriefCache, error::ApiError};

const PREFIX: &str = "docsfy_";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters that stand for 32 random bytes.
const RANDOM_CHARS: usize = 43;
/// Characters that stand for a CRC-32.
const CHECKSUM_CHARS: usize = 6;
/// Longest key that is looked at, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 256;

/// For how long a chosen key that fitted is not compared the slow way again.
const REMEMBERED: Duration = Duration::from_mins(1);
const REMEMBERED_KEYS: usize = 1_000;
/// Slow comparisons at the same time; each takes 19 MiB and about 30 ms of a core.
const SLOW_COMPARISONS: usize = 2;

/// Memory in KiB, passes and lanes of argon2id, as OWASP's "Password Storage Cheat Sheet" recommends.
const ARGON2_COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// Knows how keys are kept, and the admin key without keeping it.
pub(crate) struct KeyBook {
    pepper: Pepper,
    admin_hash: [u8; 32],
    /// What an unknown user's key is compared with, so that the time tells nothing.
    decoy: String,
    fitted: BriefCache<[u8; 32], Arc<str>>,
    slow: Arc<Semaphore>,
}

/// A key that somebody presented, in the forms in which keys are kept.
pub(crate) struct Presented<'a> {
    text: &'a str,
    /// HMAC under the pepper.
    pub(crate) hash: [u8; 32],
    /// HMACs under the admin keys of docsfy.
    pub(crate) docsfy_hashes: Vec<Vec<u8>>,
}

impl KeyBook {
    /// Refuses an admin key that is too short.
    pub(crate) fn new(admin_key: &Secret, pepper: Pepper) -> Result<Self, InvalidSetting> {
        check_admin_key(admin_key)?;
        let admin_hash = pepper.mac(admin_key.expose());
        let decoy = slow_hash(&pepper, &new_key()).map_err(|error| InvalidSetting(error.to_string()))?;
        let fitted = BriefCache::new(REMEMBERED_KEYS, REMEMBERED);
        Ok(Self { pepper, admin_hash, decoy, fitted, slow: Arc::new(Semaphore::new(SLOW_COMPARISONS)) })
    }

    /// Whether this is the key of `admin`; in constant time, whatever the lengths are.
    pub(crate) fn is_admin_key(&self, presented: &str) -> bool {
        self.pepper.mac(presented).ct_eq(&self.admin_hash).into()
    }

    /// A text as it is kept where only comparing it matters.
    pub(crate) fn hide(&self, text: &str) -> [u8; 32] {
        self.pepper.mac(text)
    }

    /// A key as it is looked up; `sealed` holds docsfy's admin keys. `None` for what cannot be anybody's key.
    pub(crate) fn present<'a>(&self, text: &'a str, sealed: &[Vec<u8>]) -> Option<Presented<'a>> {
        if text.is_empty() || text.len() > MAX_KEY_BYTES || is_mistyped(text) {
            return None;
        }
        let docsfy_hashes = sealed
            .iter()
            .filter_map(|sealed| docsfy_keys::open(&self.pepper, sealed))
            .map(|secret| docsfy_keys::hash(&secret, text).to_vec())
            .collect();
        Some(Presented { text, hash: self.pepper.mac(text), docsfy_hashes })
    }

    /// Whether comparing this user's key would be slow.
    pub(crate) fn takes_long(&self, user: &Candidate, key: &Presented<'_>) -> bool {
        user.key_verifier.as_ref().is_some_and(|verifier| !self.has_fitted(verifier, key))
    }

    fn has_fitted(&self, verifier: &str, key: &Presented<'_>) -> bool {
        self.fitted.get(&key.hash).is_some_and(|fitted| *fitted == *verifier)
    }

    /// Whether a presented key is the one of this user.
    pub(crate) async fn fits(&self, user: &Candidate, key: &Presented<'_>) -> Result<bool, ApiError> {
        if let Some(hash) = &user.key_hash {
            return Ok(hash.ct_eq(&key.hash).into());
        }
        if let Some(hash) = &user.docsfy_key_hash {
            return Ok(key.docsfy_hashes.iter().any(|found| bool::from(found.ct_eq(hash))));
        }
        let Some(verifier) = &user.key_verifier else { return Ok(false) };
        if self.has_fitted(verifier, key) {
            return Ok(true);
        }
        let fits = self.compare_slowly(verifier.clone(), key.text).await?;
        if fits {
            self.fitted.insert(key.hash, verifier.as_str().into());
        }
        Ok(fits)
    }

    /// Takes as long as comparing a chosen key does, and fits nobody.
    pub(crate) async fn fits_nobody(&self, key: &str) -> Result<(), ApiError> {
        self.compare_slowly(self.decoy.clone(), key).await.map(drop)
    }

    /// How a generated key is kept.
    pub(crate) fn keep_generated(&self, key: &str) -> KeptKey {
        KeptKey::Generated { hash: self.pepper.mac(key) }
    }

    /// How a key that a person chose is kept.
    pub(crate) async fn keep_chosen(&self, key: &str) -> Result<KeptKey, ApiError> {
        let (pepper, text) = (self.pepper.clone(), key.to_owned());
        let verifier = self.work_slowly(move || slow_hash(&pepper, &text)).await?.map_err(internal)?;
        Ok(KeptKey::Chosen { tag: tag_of(&self.pepper.mac(key)), verifier })
    }

    async fn compare_slowly(&self, verifier: String, key: &str) -> Result<bool, ApiError> {
        let (pepper, key) = (self.pepper.clone(), key.to_owned());
        let compare = move || -> Result<bool, argon2::password_hash::Error> {
            let parsed = PasswordHash::new(&verifier).map_err(|_| argon2::password_hash::Error::EncodingInvalid)?;
            Ok(argon2(&pepper)?.verify_password(key.as_bytes(), &parsed).is_ok())
        };
        self.work_slowly(compare).await?.map_err(internal)
    }

    async fn work_slowly<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let turn = self.slow.clone().acquire_owned().await.map_err(|closed| ApiError::Internal(closed.into()))?;
        let worked = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        worked.await.map_err(|panic| ApiError::Internal(panic.into()))
    }
}

impl Presented<'_> {
    /// What a chosen key is found by.
    pub(crate) fn tag(&self) -> i16 {
        tag_of(&self.hash)
    }

    /// Whether docsfy or docmill made this key, rather than a person.
    pub(crate) fn is_generated(&self) -> bool {
        self.text.strip_prefix(PREFIX).is_some_and(|rest| rest.len() >= RANDOM_CHARS)
    }

    pub(crate) fn text(&self) -> &str {
        self.text
    }
}

impl Pepper {
    /// HMAC-SHA256 of a text under the pepper.
    pub(crate) fn mac(&self, text: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.bytes()).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// Whether a text begins as generated keys do.
pub(crate) fn looks_generated(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// A new key from the system's generator.
pub(crate) fn new_key() -> String {
    let mut key = String::with_capacity(PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS);
    key.push_str(PREFIX);
    // bytes above 247 would make the first characters of the alphabet likelier
    let random = std::iter::repeat_with(rand::random::<u8>).filter(|byte| *byte < 248);
    key.extend(random.take(RANDOM_CHARS).map(|byte| char::from(BASE62[usize::from(byte % 62)])));
    let checksum = checksum(&key);
    key + &checksum
}

/// Whether a text has the shape of the keys that are generated here. docsfy's own are shorter, so none of them has it.
pub(crate) fn is_of_our_shape(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|rest| {
        rest.len() == RANDOM_CHARS + CHECKSUM_CHARS && rest.bytes().all(|byte| BASE62.contains(&byte))
    })
}

/// Whether a text has our shape but not the checksum.
fn is_mistyped(text: &str) -> bool {
    if !is_of_our_shape(text) {
        return false;
    }
    let (body, sum) = text.split_at(text.len() - CHECKSUM_CHARS);
    checksum(body) != sum
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[rest % 62];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

fn tag_of(hash: &[u8; 32]) -> i16 {
    i16::from_be_bytes([hash[0] & 0x0f, hash[1]])
}

fn slow_hash(pepper: &Pepper, key: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(argon2(pepper)?.hash_password(key.as_bytes())?.to_string())
}

fn argon2(pepper: &Pepper) -> Result<Argon2<'_>, argon2::password_hash::Error> {
    let (memory, passes, lanes) = ARGON2_COST;
    let params = Params::new(memory, passes, lanes, None)?;
    Ok(Argon2::new_with_secret(pepper.bytes(), Algorithm::Argon2id, Version::V0x13, params)?)
}

fn internal(error: argon2::password_hash::Error) -> ApiError {
    ApiError::Internal(anyhow::anyhow!("cannot hash a key: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> KeyBook {
        KeyBook::new(&Secret::new("sixteen-chars-ok"), Pepper::random()).unwrap()
    }

    fn user(key: KeptKey) -> Candidate {
        let none = Candidate {
            id: 1,
            username: "bob".into(),
            role: shared::user::Role::User,
            key_hash: None,
            key_verifier: None,
            docsfy_key_hash: None,
            key_version: 1,
        };
        match key {
            KeptKey::Generated { hash } => Candidate { key_hash: Some(hash.to_vec()), ..none },
            KeptKey::Chosen { verifier, .. } => Candidate { key_verifier: Some(verifier), ..none },
            KeptKey::Docsfy { hash } => Candidate { docsfy_key_hash: Some(hash.to_vec()), ..none },
        }
    }

    #[test]
    fn only_the_whole_admin_key_matches() {
        let book = book();
        assert!(book.is_admin_key("sixteen-chars-ok"));
        for wrong in ["", "sixteen-chars-o", "sixteen-chars-ok ", "Sixteen-chars-ok", "ключ"] {
            assert!(!book.is_admin_key(wrong), "{wrong:?}");
        }
        assert!(KeyBook::new(&Secret::new("fifteen-chars-k"), Pepper::random()).is_err());
    }

    #[test]
    fn a_mistyped_key_is_known_without_asking_anybody() {
        let key = new_key();
        assert_eq!(key.len(), 56, "{key}");
        assert_ne!(key, new_key());
        assert!(!is_mistyped(&key));
        let last = if key.ends_with('0') { "1" } else { "0" };
        assert!(is_mistyped(&format!("{}{last}", &key[..key.len() - 1])));
        // what docsfy generated, and what people choose, is none of ours
        assert!(!is_mistyped(&format!("docsfy_{}", "a".repeat(43))));
        assert!(!is_mistyped("a-key-that-i-chose-myself"));
        assert!(book().present(&"x".repeat(MAX_KEY_BYTES + 1), &[]).is_none());
    }

    #[tokio::test]
    async fn each_kind_of_key_fits_its_owner_only() {
        let book = book();
        let (generated, chosen) = (new_key(), "correct horse battery");
        let kept = [book.keep_generated(&generated), book.keep_chosen(chosen).await.unwrap()];
        for (kept, right) in kept.into_iter().zip([generated.as_str(), chosen]) {
            let user = user(kept);
            for text in [&generated, chosen, "wrong horse battery"] {
                let presented = book.present(text, &[]).unwrap();
                assert_eq!(book.fits(&user, &presented).await.unwrap(), text == right, "{text}");
            }
        }
    }

    #[tokio::test]
    async fn a_key_that_docsfy_kept_fits_by_docsfys_admin_key() {
        let book = book();
        let (secret, key) = (Secret::new("the-old-admin-key"), "docsfy_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
        let user = user(KeptKey::Docsfy { hash: docsfy_keys::hash(&secret, key) });
        let sealed = docsfy_keys::seal(&book.pepper, &secret).sealed;
        let presented = book.present(key, std::slice::from_ref(&sealed)).unwrap();
        assert!(presented.is_generated());
        assert!(book.fits(&user, &presented).await.unwrap());
        assert!(!book.fits(&user, &book.present(key, &[]).unwrap()).await.unwrap());
    }
}
