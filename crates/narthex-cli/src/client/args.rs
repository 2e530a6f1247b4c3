//! What of a request is given on the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command};
use http::header::AUTHORIZATION;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Uri};

use super::Client;
use super::access::{AccessArgs, UsageError};

/// How a page is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct RequestArgs {
    /// Seconds to wait for a whole answer; the server is told.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "10",
        value_parser = seconds,
        help_heading = "Request"
    )]
    timeout: Duration,

    /// Header to send, in place of one of the same name that would be sent otherwise. Repeatable.
    #[arg(
        id = "header",
        long = "header",
        value_name = "NAME: VALUE",
        value_parser = HeaderParser,
        help_heading = "Request"
    )]
    headers: Vec<(HeaderName, HeaderValue)>,

    #[command(flatten)]
    access: AccessArgs,
}

impl RequestArgs {
    /// What asks for the page at `url`, once all files that it takes are read.
    pub(crate) fn client(&self, url: &Url) -> Result<Client, UsageError> {
        if !url.is_https() && self.access.is_for_https() {
            let message = "`--ca`, `--cert` and `--key` are for https, and the address is http";
            return Err(UsageError::new(message));
        }
        let mut headers = self.headers.clone();
        let is_replaced = headers.iter().any(|(name, _)| *name == AUTHORIZATION);
        if let Some(text) = self.access.authorization()?.filter(|_| !is_replaced) {
            let mut value = HeaderValue::try_from(text).expect("it is printable");
            value.set_sensitive(true);
            headers.push((AUTHORIZATION, value));
        }
        Client::new(url, self.timeout, headers, &self.access.tls()?)
    }
}

/// An address that can be fetched.
#[derive(Clone, Debug)]
pub(crate) struct Url {
    scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) path: PathAndQuery,
}

impl Url {
    /// The host without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let host = self.authority.host();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    pub(crate) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected `http://HOST:PORT/PATH` or `https://...`".to_owned();
        let parts = text.parse::<Uri>().map_err(|_| expected())?.into_parts();
        let is_known = |scheme: &Scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme);
        let scheme = parts.scheme.filter(is_known).ok_or_else(expected)?;
        let authority = parts.authority.ok_or_else(expected)?;
        if authority.as_str().contains('@') {
            return Err("it has a user, which belongs into `--user`".to_owned());
        }
        // The parser takes a port that is none for a part of the host.
        let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if authority.host().is_empty() || (!rest.is_empty() && authority.port_u16().is_none()) {
            return Err(expected());
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { scheme, authority, path })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// Reads `NAME: VALUE`, and does not repeat in an error what may be a password.
#[derive(Clone)]
struct HeaderParser;

impl TypedValueParser for HeaderParser {
    type Value = (HeaderName, HeaderValue);

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, arg, value)?;
        header(&text).ok_or_else(|| {
            let message = "invalid value for '--header': expected 'NAME: VALUE'";
            command.clone().error(ErrorKind::ValueValidation, message)
        })
    }
}

fn header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a number of seconds above 0, such as 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Url, header, seconds};

    #[test]
    fn urls_name_a_host_and_perhaps_more() {
        for (text, expected) in [
            ("http://localhost:9999/metrics?a=b", Ok(("localhost", 9999, "/metrics?a=b"))),
            ("http://localhost", Ok(("localhost", 80, "/"))),
            ("HTTP://[::1]:1", Ok(("::1", 1, "/"))),
            ("http://a/#b", Ok(("a", 80, "/"))),
            ("https://localhost/", Ok(("localhost", 443, "/"))),
            ("HTTPS://[::1]:1/a", Ok(("::1", 1, "/a"))),
            ("http://u:p@localhost/", Err("it has a user, which belongs into `--user`")),
            ("ftp://localhost/", Err("expected `http://")),
            ("localhost:9999", Err("expected `http://")),
            ("localhost:9999/metrics", Err("expected `http://")),
            ("/metrics", Err("expected `http://")),
            ("http://", Err("expected `http://")),
            ("http://:80/", Err("expected `http://")),
            ("http://a:b/", Err("expected `http://")),
            ("http://a:/", Err("expected `http://")),
            ("http://a:65536/", Err("expected `http://")),
            ("http://a b/", Err("expected `http://")),
            ("", Err("expected `http://")),
        ] {
            let url = text.parse::<Url>();
            match (&url, expected) {
                (Ok(url), Ok(expected)) => {
                    assert_eq!((url.host(), url.port(), url.path.as_str()), expected, "{text}");
                }
                (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
                _ => panic!("{text}: {url:?}"),
            }
        }
    }

    #[test]
    fn headers_are_name_and_value() {
        for (text, expected) in [
            ("X-One: 1", Some(("x-one", "1"))),
            ("x:a:b", Some(("x", "a:b"))),
            ("x:", Some(("x", ""))),
            ("x", None),
            (": 1", None),
            ("a b: 1", None),
            ("x: a\nb", None),
        ] {
            let header = header(text);
            let parts = header.as_ref().map(|(name, value)| (name.as_str(), value.as_bytes()));
            assert_eq!(parts, expected.map(|(name, value)| (name, value.as_bytes())), "{text:?}");
        }
    }

    #[test]
    fn seconds_are_finite_and_above_zero() {
        for (text, expected) in
            [("0.5", Some(500)), ("10", Some(10_000)), ("0", None), ("-1", None), ("inf", None)]
        {
            assert_eq!(seconds(text).ok().map(|time| time.as_millis()), expected, "{text}");
        }
    }
}
