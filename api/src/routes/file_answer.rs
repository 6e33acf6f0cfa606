//! A file of a site as an HTTP answer: conditions, ranges, forms and the rules for browsers.

use std::ops::Range;

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sites::read::SiteFile;

use crate::error::{ApiError, refusal};

/// What a page of a site may load: its own files (site.md 2.2). Everything in it is text of others.
const SITE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// An entity tag with its quotes.
#[derive(Debug, Clone)]
pub(crate) struct ETag(HeaderValue);

impl ETag {
    pub(crate) fn new(text: &str) -> Result<Self, ApiError> {
        HeaderValue::from_str(text).map(Self).map_err(|error| ApiError::Internal(error.into()))
    }

    pub(crate) fn into_value(self) -> HeaderValue {
        self.0
    }

    fn text(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Whether the reader has this version already. Weak tags count: the comparison is about the content.
pub(crate) fn is_known(headers: &HeaderMap, etag: &ETag) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.text())
}

/// What the reader accepts. Parts are parts of the plain form, so that they fit together whatever asks for them.
pub(super) fn accepted_encodings(headers: &HeaderMap) -> Option<&str> {
    if headers.contains_key(header::RANGE) {
        return None;
    }
    headers.get(header::ACCEPT_ENCODING)?.to_str().ok()
}

/// Answers with the file, a part of it, or the word that the reader has it.
pub(super) fn answer(headers: &HeaderMap, file: &SiteFile) -> Response {
    let etag = match ETag::new(&file.etag) {
        Ok(etag) => etag,
        Err(error) => return axum::response::IntoResponse::into_response(error),
    };
    let length = file.bytes.len() as u64;
    let range = if may_be_part(headers, &etag) { requested_range(headers, length) } else { Requested::Whole };
    let mut response = match range {
        _ if is_known(headers, &etag) => empty(StatusCode::NOT_MODIFIED),
        Requested::Whole => Response::new(Body::from(file.bytes.clone())),
        Requested::Part(part) => send_part(file, part, length),
        Requested::Beyond => {
            let mut response = refusal(StatusCode::RANGE_NOT_SATISFIABLE, "Range is not satisfiable");
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
    };
    if response.status() != StatusCode::NOT_MODIFIED {
        describe(&mut response, file);
    }
    let fields = response.headers_mut();
    fields.insert(header::ETAG, etag.into_value());
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(file.cache_rule.cache_control()));
    fields.insert(header::CONTENT_SECURITY_POLICY, SITE_POLICY);
    if file.varies {
        fields.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

fn describe(response: &mut Response, file: &SiteFile) {
    set(response, header::CONTENT_TYPE, &file.content_type);
    let fields = response.headers_mut();
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(encoding) = file.encoding {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
    }
    // what nobody knows how to show is not shown
    if file.content_type == "application/octet-stream" {
        fields.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
}

fn send_part(file: &SiteFile, part: Range<u64>, length: u64) -> Response {
    let shown = format!("bytes {}-{}/{length}", part.start, part.end - 1);
    let at = |position: u64| usize::try_from(position).expect("a position in bytes that are in memory");
    let mut response = Response::new(Body::from(file.bytes.slice(at(part.start)..at(part.end))));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    set(&mut response, header::CONTENT_RANGE, &shown);
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn set(response: &mut Response, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    } else {
        tracing::error!(%name, text, "a header cannot hold this");
    }
}

/// What of a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requested {
    Whole,
    Part(Range<u64>),
    /// Nothing that there is.
    Beyond,
}

/// A reader who goes on with an older version gets the new one whole.
fn may_be_part(headers: &HeaderMap, etag: &ETag) -> bool {
    headers.get(header::IF_RANGE).is_none_or(|condition| condition.as_bytes() == etag.text())
}

/// One range of bytes. Several at once, and what is no range, are answered with the whole file, as RFC 9110 allows.
fn requested_range(headers: &HeaderMap, length: u64) -> Requested {
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some((from, to)) = range.and_then(|range| range.strip_prefix("bytes=")).and_then(|set| set.split_once('-'))
    else {
        return Requested::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (from.trim(), to.trim()) {
        ("", last) => match number(last) {
            Some(0) => Requested::Beyond,
            Some(_) if length == 0 => Requested::Beyond,
            Some(count) => Requested::Part(length.saturating_sub(count)..length),
            None => Requested::Whole,
        },
        (from, "") => match number(from) {
            Some(from) if from < length => Requested::Part(from..length),
            Some(_) => Requested::Beyond,
            None => Requested::Whole,
        },
        (from, to) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from > to => Requested::Whole,
            (Some(from), Some(_)) if from >= length => Requested::Beyond,
            (Some(from), Some(to)) => Requested::Part(from..to.saturating_add(1).min(length)),
            _ => Requested::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &'static str, length: u64) -> Requested {
        requested_range(&HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(text))]), length)
    }

    #[test]
    fn one_range_is_cut_to_what_there_is() {
        assert_eq!(range("bytes=0-4", 10), Requested::Part(0..5));
        assert_eq!(range("bytes=5-", 10), Requested::Part(5..10));
        assert_eq!(range("bytes=-3", 10), Requested::Part(7..10));
        assert_eq!(range("bytes=-99", 10), Requested::Part(0..10));
        assert_eq!(range("bytes=8-99999999999999999999999", 10), Requested::Part(8..10));
    }

    #[test]
    fn a_range_behind_the_end_cannot_be_satisfied() {
        for text in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(range(text, 10), Requested::Beyond, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Requested::Beyond);
        assert_eq!(range("bytes=-5", 0), Requested::Beyond);
    }

    #[test]
    fn what_is_no_single_range_is_answered_whole() {
        for text in ["bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=+1-2", "1-2"] {
            assert_eq!(range(text, 10), Requested::Whole, "{text}");
        }
    }

    #[test]
    fn a_tag_is_known_in_a_list_weak_or_by_star() {
        let etag = ETag::new("\"abc-br\"").unwrap();
        let known =
            |text| is_known(&HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(text))]), &etag);
        for text in ["\"abc-br\"", "\"x\", W/\"abc-br\"", "*"] {
            assert!(known(text), "{text}");
        }
        for text in ["\"abc\"", "abc-br", ""] {
            assert!(!known(text), "{text}");
        }
    }
}
