//! Where to push: a URL.

use std::fmt;

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::error::SettingsFault;

/// An `http` or `https` URL without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    scheme: Scheme,
    authority: Authority,
    /// With the query; begins with a slash.
    path: Box<str>,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, SettingsFault> {
        let expected =
            || SettingsFault::new("the URL has to be `http://HOST:PORT` or `https://...`");
        let parts = text.parse::<Uri>().map_err(|_| expected())?.into_parts();
        let scheme = parts.scheme.ok_or_else(expected)?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(expected());
        }
        let authority = parts.authority.ok_or_else(expected)?;
        if authority.as_str().contains('@') {
            // It would show in logs and errors wherever the URL does.
            return Err(SettingsFault::new(
                "the URL has a user or a password, which belong into `basic_auth`",
            ));
        }
        // The parser takes a port that is none for a part of the host.
        let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if authority.host().is_empty() || (!rest.is_empty() && authority.port_u16().is_none()) {
            return Err(expected());
        }
        if text.contains('#') {
            return Err(SettingsFault::new("the URL has a fragment, which is never sent"));
        }
        let path = parts.path_and_query.map_or_else(|| "/".into(), |path| path.as_str().into());
        Ok(Self { scheme, authority, path })
    }

    /// This URL as the base of another: a path below its own.
    pub(crate) fn join(&self, path: &str) -> Result<Self, SettingsFault> {
        if self.path.contains('?') {
            return Err(SettingsFault::new("the URL of a gateway cannot have a query"));
        }
        let path = format!("{}{path}", self.path.trim_end_matches('/'));
        Ok(Self { path: path.into(), ..self.clone() })
    }

    /// Where a `Location` header leads from here; `None` where it is none.
    pub(crate) fn follow(&self, location: &str) -> Option<Self> {
        let location = location.split('#').next().unwrap_or_default();
        if location.starts_with("//") {
            return Self::parse(&format!("{}:{location}", self.scheme)).ok();
        }
        if location.starts_with('/') {
            return Some(Self { path: location.into(), ..self.clone() });
        }
        Self::parse(location).ok()
    }

    pub(crate) fn uri(&self) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(&*self.path)
            .build()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether what is meant for `other` may be told here as well.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.authority.host().eq_ignore_ascii_case(other.authority.host())
            && self.port() == other.port()
    }

    fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn a41_a_prefix_in_the_url_is_kept() {
        for (url, expected) in [
            ("http://h:9091", "http://h:9091/metrics/job/j"),
            ("http://h:9091/", "http://h:9091/metrics/job/j"),
            ("https://h/prefix", "https://h/prefix/metrics/job/j"),
            ("http://[::1]:1/a/b/", "http://[::1]:1/a/b/metrics/job/j"),
        ] {
            let joined = Url::parse(url).and_then(|url| url.join("/metrics/job/j")).unwrap();
            assert_eq!(joined.to_string(), expected);
            assert_eq!(joined.uri().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a41_what_is_not_a_url_is_refused() {
        for url in [
            "",
            "h:9091",
            "h:9091/metrics",
            "/metrics",
            "ftp://h",
            "http://",
            "http://:1",
            "http://h:x",
            "http://h:",
            "http://u:p@h",
            "http://h/a b",
            "http://h/#f",
        ] {
            assert!(Url::parse(url).is_err(), "{url}");
        }
        assert!(Url::parse("http://h/?a=b").unwrap().join("/metrics").is_err());
    }

    #[test]
    fn redirects_lead_to_urls() {
        let url = Url::parse("http://h:1/a/b").unwrap();
        for (location, expected) in [
            ("/c?d=e", Some("http://h:1/c?d=e")),
            ("http://i/c", Some("http://i/c")),
            ("//i:2/c#f", Some("http://i:2/c")),
            ("https://h:1/a/b", Some("https://h:1/a/b")),
            ("ftp://h/", None),
            ("http://u:p@h/", None),
            ("c", None),
            ("", None),
        ] {
            let led = url.follow(location).map(|url| url.to_string());
            assert_eq!(led.as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| Url::parse(a).unwrap().same_origin(&Url::parse(b).unwrap());
        assert!(same("http://h/a", "http://H:80/b"));
        assert!(same("https://h:443/a", "https://h"));
        assert!(!same("http://h", "http://h:81"));
        assert!(!same("http://h", "http://i"));
        assert!(!same("http://h:443", "https://h"));
    }
}
