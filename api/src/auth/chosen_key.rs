//! Which keys a person may choose. A key may not be one that is in use, and the refusal does not say whose it is.

use std::collections::BTreeSet;

use shared::{db, settings::MIN_KEY_CHARS};

use super::keys::{MAX_KEY_BYTES, looks_generated};
use crate::{error::ApiError, state::ApiState};

/// Fewest different characters: a key of one character repeated is the first guess.
const MIN_DIFFERENT_CHARS: usize = 4;

/// Checks what can be seen of a key.
pub(crate) fn check_form(key: &str) -> Result<(), ApiError> {
    let refused = |sentence: String| Err(ApiError::bad_request(sentence));
    if key.chars().count() < MIN_KEY_CHARS {
        return refused(format!("API key must be at least {MIN_KEY_CHARS} characters long"));
    }
    if key.len() > MAX_KEY_BYTES {
        return refused(format!("API key must be at most {MAX_KEY_BYTES} bytes long"));
    }
    // anything else does not survive a header
    if !key.bytes().all(|byte| matches!(byte, b' '..=b'~')) || key.trim() != key {
        return refused("API key must consist of visible ASCII characters, with spaces only between them".into());
    }
    if key.bytes().collect::<BTreeSet<_>>().len() < MIN_DIFFERENT_CHARS {
        return refused(format!("API key must have at least {MIN_DIFFERENT_CHARS} different characters"));
    }
    if looks_generated(key) {
        return refused("API key must not begin with 'docsfy_' as generated keys do".into());
    }
    Ok(())
}

/// Checks that nobody but this user has this key.
pub(crate) async fn check_unused(state: &ApiState, username: &str, key: &str) -> Result<(), ApiError> {
    let keys = state.keys();
    let refused = || ApiError::bad_request("API key cannot be used, choose another one");
    if keys.is_admin_key(key) {
        return Err(refused());
    }
    let mut conn = state.pool().acquire().await?;
    let sealed = db::users::list_docsfy_secrets(&mut conn).await?;
    let presented = keys.present(key, &sealed).ok_or_else(refused)?;
    let candidates =
        db::users::list_candidates(&mut conn, &presented.hash, presented.tag(), &presented.docsfy_hashes).await?;
    drop(conn);
    for user in candidates.iter().filter(|user| user.username != username) {
        if keys.fits(user, &presented).await? {
            return Err(refused());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_easily_guessed_or_cannot_be_sent_is_refused() {
        let refusal = |key: &str| match check_form(key) {
            Ok(()) => "accepted".to_owned(),
            Err(ApiError::Refused(status, sentence)) if status == 400 => sentence,
            Err(error) => panic!("{error:?}"),
        };
        let long_enough = "a".repeat(MAX_KEY_BYTES - 3) + "bcd";
        for good in ["correct horse battery staple", "0123456789abcdef", &long_enough] {
            assert_eq!(refusal(good), "accepted", "{good}");
        }
        for (bad, part) in [
            ("", "at least 16 characters"),
            ("fifteen-chars-k", "at least 16 characters"),
            (&(long_enough.clone() + "e"), "at most 256 bytes"),
            ("ключ-ключ-ключ-ключ", "visible ASCII"),
            ("tab\tin-the-middle-of-it", "visible ASCII"),
            ("nul\0in-the-middle-of-it", "visible ASCII"),
            (" begins-with-a-space", "visible ASCII"),
            ("ends-with-a-space ", "visible ASCII"),
            ("aaaaaaaaaaaaaaaabc", "4 different"),
            ("docsfy_my-own-key-of-mine", "docsfy_"),
        ] {
            assert!(refusal(bad).contains(part), "{bad:?}: {}", refusal(bad));
        }
    }
}
