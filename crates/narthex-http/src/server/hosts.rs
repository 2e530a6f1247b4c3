//! The names that a server answers to.

use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, Uri};

/// Which `Host` headers a listener takes.
///
/// A web page that an attacker serves may point its own name to 127.0.0.1 once it is loaded, and so
/// read what listens there (DNS rebinding). Its requests still name the attacker's host.
#[derive(Clone, Debug)]
pub(super) enum Hosts {
    Any,
    /// Names of this machine's loopback interface, and these.
    Local(Vec<String>),
    /// These, and any address: only a name can be pointed elsewhere.
    Listed(Vec<String>),
}

impl Hosts {
    /// For a listener at this address of the network, or at none of it.
    pub(super) fn of(addr: Option<IpAddr>, allowed: &[String]) -> Self {
        match addr {
            Some(addr) if addr.to_canonical().is_loopback() => Self::Local(allowed.to_owned()),
            Some(_) if !allowed.is_empty() => Self::Listed(allowed.to_owned()),
            _ => Self::Any,
        }
    }

    /// Whether a request is for us; one without a `Host` header is of no browser's making.
    pub(super) fn take(&self, headers: &HeaderMap) -> bool {
        if matches!(self, Self::Any) {
            return true;
        }
        let Some(host) = headers.get(HOST) else { return true };
        let Some(host) = host.to_str().ok().and_then(host_of) else { return false };
        let is_listed = |names: &[String]| names.iter().any(|name| same_name(name, &host));
        match self {
            Self::Any => true,
            Self::Local(names) => is_local(&host) || is_listed(names),
            Self::Listed(names) => address(&host).is_some() || is_local(&host) || is_listed(names),
        }
    }
}

/// The host in `host:port`, of which the port is checked and dropped.
fn host_of(header: &str) -> Option<String> {
    // User information has no place in this header, and would be taken off below.
    if header.contains(['@', '/', '?', '#', '\\']) || header.is_empty() {
        return None;
    }
    let uri: Uri = header.parse().ok()?;
    let authority = uri.authority()?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    is_plain.then(|| authority.host().to_owned())
}

fn is_local(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // RFC 6761, section 6.3: these names are never asked of the DNS.
    let is_name = name == "localhost" || name.ends_with(".localhost");
    is_name || address(host).is_some_and(|addr| addr.to_canonical().is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::from),
        None => host.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::from),
    }
}

fn same_name(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::header::HOST;
    use http::{HeaderMap, HeaderValue};

    use super::Hosts;

    #[track_caller]
    fn check(addr: &str, allowed: &[&str], host: &str, expected: bool) {
        let addr: IpAddr = addr.parse().unwrap();
        let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        assert_eq!(Hosts::of(Some(addr), &allowed).take(&headers), expected, "{host:?} at {addr}");
    }

    #[test]
    fn a_loopback_listener_takes_loopback_names_alone() {
        for host in [
            "localhost",
            "localhost:9100",
            "LOCALHOST:1",
            "localhost.",
            "prometheus.localhost:80",
            "127.0.0.1",
            "127.0.0.1:9100",
            "127.8.9.10:9100",
            "[::1]",
            "[::1]:9100",
            "[::ffff:127.0.0.1]:80",
        ] {
            check("127.0.0.1", &[], host, true);
            check("::1", &[], host, true);
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9100",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example.localhost.",
            "localhost@evil.example",
            "evil.example@localhost",
            "localhost:80@evil.example",
            "evil.example/localhost",
            "localhost/",
            "localhost\\evil",
            "192.0.2.1",
            "0.0.0.0:9100",
            "[::]:9100",
            "[2001:db8::1]:9100",
            "[::ffff:192.0.2.1]",
            "::1",
            "[::1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "localhost:",
            "localhost:http",
            "localhost:123456",
            "localhost:1:2",
            "local host",
            "localhost,evil.example",
            "xn--localhost-.example",
            "localhost\u{e9}",
        ] {
            // Two of them are odd and still ours: a name under `localhost`, and an empty port.
            let is_ours = ["evil.example.localhost.", "localhost:"].contains(&host);
            check("127.0.0.1", &[], host, is_ours);
        }
    }

    #[test]
    fn allowed_names_are_taken_whatever_their_case() {
        check("127.0.0.1", &["metrics.example"], "Metrics.Example:443", true);
        check("127.0.0.1", &["metrics.example"], "other.example", false);
        check("192.0.2.7", &["metrics.example"], "metrics.example.", true);
        check("192.0.2.7", &["metrics.example"], "other.example", false);
        check("192.0.2.7", &["metrics.example"], "192.0.2.7:9100", true);
        check("0.0.0.0", &[], "other.example", true);
    }

    #[test]
    fn a_request_without_a_host_is_of_no_browsers_making() {
        let hosts = Hosts::of(Some("127.0.0.1".parse().unwrap()), &[]);
        assert!(hosts.take(&HeaderMap::new()));
    }
}
