//! Text made safe for the place it is put in: HTML text and attributes, paths and addresses.

use std::fmt::Write as _;

/// Appends `text` so that it is text in HTML and in quoted attributes.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    let mut kept = 0;
    for (at, byte) in text.bytes().enumerate() {
        let replacement = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        out.push_str(&text[kept..at]);
        out.push_str(replacement);
        kept = at + 1;
    }
    out.push_str(&text[kept..]);
}

/// `text` as HTML text.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    push_escaped(&mut out, text);
    out
}

/// Whether a character turns the direction of what stands behind it: with it a path or a line of code reads otherwise than it is.
pub(crate) fn is_turn(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A path as part of an address: everything but unreserved characters and `/` is percent-encoded.
pub(crate) fn encode_path(path: &str) -> String {
    encode(path, |byte| matches!(byte, b'/' | b'@' | b'+' | b',' | b'=' | b'$'))
}

/// An address that may already hold percent signs: only what has no place in an address is encoded.
pub(crate) fn encode_url(url: &str) -> String {
    encode(url, |byte| {
        byte.is_ascii_graphic()
            && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    })
}

fn encode(text: &str, allowed: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') || allowed(byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    out
}

/// Undoes percent-encoding; what is no UTF-8 afterwards becomes U+FFFD.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let escaped = digit(at + 1).zip(digit(at + 2)).filter(|_| bytes[at] == b'%');
        if let Some(byte) = escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_cannot_leave_a_quoted_attribute() {
        assert_eq!(escaped("a\"b'c<d>&é"), "a&quot;b&#39;c&lt;d&gt;&amp;é");
    }

    #[test]
    fn decoding_undoes_encoding_and_bears_broken_escapes() {
        let path = "src/a b#c?é%.rs";
        assert_eq!(decode(&encode_path(path)), path);
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(encode_url("https://e.org/a b?c=\"d\"&e=%20"), "https://e.org/a%20b?c=%22d%22&e=%20");
    }
}
