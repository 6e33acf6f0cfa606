//! Where a request comes from: the peer of its connection or, when that is a trusted proxy, whom it says it forwards for.

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::{FromRequestParts, Request};
use http::{HeaderMap, HeaderName, header, request::Parts};
use shared::settings::TrustedProxies;

use crate::error::ApiError;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The other end of the connection; the server puts it into each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The address that tries to log in are counted for; the gate puts it into each request. An IPv6 network of 64 bits is one
/// address, because everybody has a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    /// Goes through `X-Forwarded-For` from the nearest proxy on, as far as those who wrote it are trusted.
    pub(crate) fn of(request: &Request, trusted: &TrustedProxies) -> Self {
        let mut address = peer_of(request);
        let listed =
            request.headers().get_all(FORWARDED_FOR).iter().flat_map(|value| value.as_bytes().split(|c| *c == b','));
        let listed: Vec<&[u8]> = listed.collect();
        for text in listed.into_iter().rev() {
            if !trusted.contains(address) {
                break;
            }
            let Some(next) = parse_address(text) else { break };
            address = next;
        }
        Self(network_of(address))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let missing = || ApiError::Internal(anyhow::anyhow!("a request did not pass the gate"));
        parts.extensions.get().copied().ok_or_else(missing)
    }
}

/// The hosts that a request was sent to: the one it names and, through a trusted proxy, those that this was sent to. A page
/// of another site cannot make a browser send either.
pub(crate) fn hosts_of<'a>(request: &'a Request, trusted: &TrustedProxies) -> Vec<&'a str> {
    let headers = request.headers();
    let mut hosts: Vec<&str> = text_values(headers, &header::HOST).collect();
    if trusted.contains(peer_of(request)) {
        hosts.extend(text_values(headers, &FORWARDED_HOST).flat_map(|value| value.split(',')).map(str::trim));
    }
    hosts
}

fn text_values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

fn peer_of(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.0);
    peer.to_canonical()
}

/// An address as proxies write it: some add a port.
fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()));
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    address.or_else(bare).map(|address| address.to_canonical())
}

fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Request {
        let builder = headers.iter().fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value));
        builder.extension(Peer(peer.parse().unwrap())).body(Body::empty()).unwrap()
    }

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let headers: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
        ClientAddress::of(&request(peer, &headers), &"10.0.0.0/8,::1".parse().unwrap()).0.to_string()
    }

    #[test]
    fn only_what_trusted_proxies_say_counts() {
        assert_eq!(address("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("::ffff:10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        // what the client itself claims stands further left
        assert_eq!(address("10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(address("::1", &["1.2.3.4", "198.51.100.1", " 10.9.9.9 "]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["10.0.0.2,10.0.0.3"]), "10.0.0.2");
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        assert_eq!(address("10.0.0.1", &["2001:db8:1:2:3:4:5:6"]), "2001:db8:1:2::");
        assert_eq!(address("10.0.0.1", &["[2001:db8:1:2::7]:4711"]), "2001:db8:1:2::");
        assert_eq!(address("10.0.0.1", &["[2001:db8:1:2::7]"]), "2001:db8:1:2::");
        assert_eq!(address("2001:db8:1:3::7", &["1.2.3.4"]), "2001:db8:1:3::");
    }

    #[test]
    fn a_forwarded_host_counts_only_from_a_trusted_proxy() {
        let headers = [("host", "backend:8000"), ("x-forwarded-host", "docs.example, inner.example")];
        let hosts = |peer, trusted: &str| hosts_of(&request(peer, &headers), &trusted.parse().unwrap()).join(" ");
        assert_eq!(hosts("10.0.0.1", "10.0.0.1"), "backend:8000 docs.example inner.example");
        assert_eq!(hosts("10.0.0.2", "10.0.0.1"), "backend:8000");
    }
}
