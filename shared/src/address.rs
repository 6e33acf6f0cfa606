//! Which addresses a repository may be fetched from, and the pin that keeps git at the address that was checked.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::{
    settings::HostAllowlist,
    source::{Protocol, RepoUrl},
};

/// Longest wait for the name service.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The one address that a repository is fetched from. git must be told to connect to it and not to resolve again:
/// a second answer of the name service could be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedAddress {
    /// Host as in the repository's address.
    pub host: String,
    /// Port that is connected to.
    pub port: u16,
    /// Address that was checked.
    pub address: IpAddr,
}

/// Why an address may not be fetched from. The sentence is shown to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The host is `localhost` or written as a private address.
    #[error("Repository URL must not target localhost or private networks")]
    PrivateHost,
    /// The name service gave an address that is not public.
    #[error("Repository URL resolves to a private network address")]
    ResolvesToPrivate,
    /// Unencrypted, and the host is not listed.
    #[error("`http://` is only allowed for hosts listed in REPO_HOST_ALLOWLIST, use `https://`")]
    HttpNotAllowed,
    /// The name service gave no address. The API lets it pass, so that the run ends with this sentence.
    #[error("host `{host}` cannot be resolved")]
    Unresolvable {
        /// Host as in the repository's address.
        host: String,
    },
}

/// Resolves a repository's host once. Every address it has must be public or allowed by the list, and plain http needs
/// the list in any case.
pub async fn resolve_public(url: &RepoUrl, allowlist: &HostAllowlist) -> Result<PinnedAddress, AddressError> {
    let port = url.port_or_default();
    if let Some(address) = url.host_address() {
        check(url, allowlist, address, AddressError::PrivateHost)?;
        return Ok(PinnedAddress { host: url.host.clone(), port, address });
    }
    let is_localhost = url.host == "localhost" || url.host.ends_with(".localhost");
    if is_localhost && !allowlist.allows_host(&url.host) {
        return Err(AddressError::PrivateHost);
    }
    let unresolvable = || AddressError::Unresolvable { host: url.host.clone() };
    let lookup = tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((url.host.as_str(), port)));
    let addresses: Vec<IpAddr> = match lookup.await {
        Ok(Ok(found)) => found.map(|socket| socket.ip()).collect(),
        Ok(Err(_)) | Err(_) => return Err(unresolvable()),
    };
    for address in &addresses {
        check(url, allowlist, *address, AddressError::ResolvesToPrivate)?;
    }
    // the system's order: what can be reached from here comes first
    let address = *addresses.first().ok_or_else(unresolvable)?;
    Ok(PinnedAddress { host: url.host.clone(), port, address })
}

fn check(url: &RepoUrl, list: &HostAllowlist, address: IpAddr, refusal: AddressError) -> Result<(), AddressError> {
    if list.allows(&url.host, address) || list.allows(&url.host, unwrapped(address)) {
        return Ok(());
    }
    if !is_public(address) {
        return Err(refusal);
    }
    if url.protocol == Protocol::Http {
        return Err(AddressError::HttpNotAllowed);
    }
    Ok(())
}

/// Whether an address can belong to anyone on the internet. Addresses that carry an IPv4 address (mapped, 6to4, NAT64)
/// are judged by that one.
pub fn is_public(address: IpAddr) -> bool {
    match unwrapped(address) {
        IpAddr::V4(address) => !RESERVED_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_UNICAST.contains(&address) && !RESERVED_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// The IPv4 address inside an IPv6 address that is only a wrapping of one.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let embedded = |high: u16, low: u16| {
        let [high, low] = [high.to_be_bytes(), low.to_be_bytes()];
        IpAddr::V4(Ipv4Addr::new(high[0], high[1], low[0], low[1]))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded(high, low)
        }
        _ => address,
    }
}

/// IPv4 blocks that are nobody's on the internet (IANA special-purpose registry), multicast and class E.
const RESERVED_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
    // a public number, but inside Azure the service that hands out credentials
    v4(168, 63, 129, 16, 32),
];

/// The only IPv6 block whose addresses are given out.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 3);

/// What of it is reserved: protocol assignments with Teredo, and the two documentation blocks.
const RESERVED_V6: [Ipv6Net; 3] = [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x3fff, 0, 20)];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RepoSource;

    fn url(text: &str) -> RepoUrl {
        let RepoSource::Url(url) = RepoSource::parse_url(text).unwrap() else { panic!("{text} is not a URL") };
        url
    }

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001:0:1::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "140.82.121.3",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "2606:4700::1111",
            "2a01:4f8::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn private_hosts_are_refused_with_the_right_sentence_unless_listed() {
        let nobody = HostAllowlist::default();
        for text in ["https://127.1/a/b", "https://localhost/a/b", "https://x.localhost/a/b", "git@[::1]:a/b"] {
            assert_eq!(resolve_public(&url(text), &nobody).await, Err(AddressError::PrivateHost), "{text}");
        }
        let public = url("http://1.1.1.1/a/b");
        assert_eq!(resolve_public(&public, &nobody).await, Err(AddressError::HttpNotAllowed));

        let list: HostAllowlist = "127.0.0.0/8, 1.1.1.1".parse().unwrap();
        let pinned = resolve_public(&url("http://2130706433:8080/a/b"), &list).await.unwrap();
        assert_eq!((pinned.host.as_str(), pinned.port), ("127.0.0.1", 8080));
        assert!(resolve_public(&url("https://[::ffff:127.0.0.1]/a/b"), &list).await.is_ok());
        assert!(resolve_public(&public, &list).await.is_ok());
    }

    #[tokio::test]
    async fn an_unknown_host_is_an_error_of_its_own() {
        let error = resolve_public(&url("https://no-such-host.invalid/a/b"), &HostAllowlist::default()).await;
        assert_eq!(error, Err(AddressError::Unresolvable { host: "no-such-host.invalid".into() }));
    }

    #[tokio::test]
    async fn a_listed_name_may_have_a_private_address() {
        let list: HostAllowlist = "localhost".parse().unwrap();
        let pinned = resolve_public(&url("http://localhost:81/a/b"), &list).await.unwrap();
        assert!(pinned.address.is_loopback());
    }
}
