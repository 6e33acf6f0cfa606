//! Refuses requests that another site made a browser send (CSRF). The cookie is `SameSite=Strict` already; this is the
//! second lock, for browsers that are old or tricked.

use http::{HeaderMap, Method, header};

/// Whether a request would change something on behalf of a page of another origin than the `hosts` it was sent to. Programs
/// that are no browsers send none of the headers and pass.
pub(crate) fn is_forged(method: &Method, headers: &HeaderMap, hosts: &[&str]) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    is_foreign(headers, hosts)
}

/// Whether a page of another origin made the browser send a request. For a WebSocket this is asked although it begins as a
/// `GET`: browsers let every page open one.
pub(crate) fn is_foreign(headers: &HeaderMap, hosts: &[&str]) -> bool {
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or_default());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    // the scheme is not compared: a proxy may have ended TLS
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    !authority.is_some_and(|authority| hosts.contains(&authority))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn forged(pairs: &[(&'static str, &'static str)]) -> bool {
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        is_forged(&Method::POST, &headers, &[headers["host"].to_str().unwrap()])
    }

    #[test]
    fn only_requests_of_this_origin_or_of_no_browser_change_anything() {
        assert!(!forged(&[("host", "docs.example")]));
        assert!(!forged(&[("host", "docs.example"), ("origin", "https://docs.example")]));
        assert!(!forged(&[("host", "localhost:8000"), ("sec-fetch-site", "same-origin")]));
        assert!(forged(&[("host", "docs.example"), ("origin", "https://evil.example")]));
        assert!(forged(&[("host", "docs.example"), ("origin", "https://docs.example:8443")]));
        assert!(forged(&[("host", "docs.example"), ("origin", "null")]));
        for site in ["cross-site", "same-site", "nonsense"] {
            assert!(forged(&[("host", "h"), ("origin", "http://h"), ("sec-fetch-site", site)]), "{site}");
        }
        let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("https://evil.example"))]);
        assert!(!is_forged(&Method::GET, &headers, &[]));
    }
}
