//! Secrets that are given out once and of which only a hash is kept: sessions and login links.

use sha2::{Digest, Sha256};

/// Characters of a token. Each of them carries 6 bits, so a token has 258: more than 32 random bytes.
pub(crate) const TOKEN_CHARS: usize = 43;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A new token of letters, digits, `-` and `_`, from the system's generator.
pub(crate) fn new() -> String {
    let random: [u8; TOKEN_CHARS] = rand::random();
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

/// Whether a text could be a token.
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.len() == TOKEN_CHARS && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// What is stored of a token. A plain hash is enough: nobody can guess 258 bits.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_well_formed_and_differ() {
        let token = new();
        assert!(is_well_formed(&token), "{token}");
        assert_ne!(token, new());
        assert!(!is_well_formed(&token[1..]));
        assert!(!is_well_formed(&token.replace(&token[..1], "=")));
    }
}
