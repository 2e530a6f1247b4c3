//! The web configuration file of the Prometheus exporter toolkit.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use serde_saphyr::{Location, Spanned};
use tokio_rustls::rustls::crypto::SupportedKxGroup;
use tokio_rustls::rustls::crypto::ring::{ALL_CIPHER_SUITES, kx_group};
use tokio_rustls::rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

use super::credentials::BcryptHash;
use super::error::{Place, WebConfigError};
use super::files::{Files, tell_if_open_to_all};
use super::rate::Rate;
use super::tls::{ClientAuth, Pem, TlsSettings};

/// What a web configuration file says.
#[derive(Default)]
pub(super) struct Document {
    pub(super) tls: Option<TlsSettings>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) users: Vec<(String, BcryptHash)>,
    pub(super) rate: Option<Rate>,
}

impl Document {
    pub(super) fn read(path: &Path, files: &mut Files) -> Result<Self, WebConfigError> {
        let content = files.read(path)?;
        let text = std::str::from_utf8(&content).map_err(|error| {
            let before = &content[..error.valid_up_to()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
            let place = Some(Place { line, column: None });
            WebConfigError::at(path, place, "it is not UTF-8")
        })?;
        let file: Option<File> = serde_saphyr::from_str_with_options(text, options())
            .map_err(|error| syntax_error(path, &error))?;
        let document = file.unwrap_or_default().check(path)?;
        let is_key = |tls: &TlsSettings| matches!(tls.key, Pem::Inline { .. });
        if !document.users.is_empty() || document.tls.as_ref().is_some_and(is_key) {
            tell_if_open_to_all(path);
        }
        Ok(document)
    }
}

fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    // A piece of the file in a message could be a key.
    options.with_snippet = false;
    options
}

fn syntax_error(path: &Path, error: &serde_saphyr::Error) -> WebConfigError {
    let place = error.location().filter(|location| *location != Location::UNKNOWN).map(place);
    let mut message = error.without_snippet().to_string();
    // The place is told already, before the message, and options are for programs.
    for end in [" at line ", ", set DuplicateKeyPolicy"] {
        if let Some(end) = message.rfind(end) {
            message.truncate(end);
        }
    }
    WebConfigError::at(path, place, message)
}

fn place(location: Location) -> Place {
    Place { line: location.line(), column: Some(location.column()) }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tls_server_config: Option<TlsSection>,
    http_server_config: Option<HttpSection>,
    basic_auth_users: Option<BTreeMap<String, Spanned<Secret>>>,
    rate_limit: Option<Spanned<RateSection>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsSection {
    cert: Option<Spanned<Secret>>,
    key: Option<Spanned<Secret>>,
    client_ca: Option<Spanned<Secret>>,
    cert_file: Option<Spanned<String>>,
    key_file: Option<Spanned<String>>,
    client_ca_file: Option<Spanned<String>>,
    client_auth_type: Option<Spanned<String>>,
    client_allowed_sans: Option<Spanned<Vec<String>>>,
    min_version: Option<Spanned<String>>,
    max_version: Option<Spanned<String>>,
    cipher_suites: Option<Vec<Spanned<String>>>,
    prefer_server_cipher_suites: Option<bool>,
    curve_preferences: Option<Vec<Spanned<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpSection {
    /// Taken and without effect: clients that offer HTTP/2 are served HTTP/1.1.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    headers: Option<BTreeMap<String, Spanned<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RateSection {
    interval: Option<Spanned<String>>,
    burst: Option<Spanned<i64>>,
}

/// Text that no error shows, not even where something else is expected.
struct Secret(String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret(text.to_owned()))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Secret, E> {
                Ok(Secret(text))
            }
        }
        deserializer.deserialize_str(Text).map_err(|_| D::Error::custom("expected text"))
    }
}

/// What is checked beyond types, and where it is found wrong.
struct Checker<'p>(&'p Path);

impl File {
    fn check(self, path: &Path) -> Result<Document, WebConfigError> {
        let checker = Checker(path);
        let http = self.http_server_config.unwrap_or_default();
        let headers = http.headers.unwrap_or_default().into_iter();
        let headers: Result<Vec<_>, _> =
            headers.filter_map(|(name, value)| checker.header(&name, &value).transpose()).collect();
        let users = self.basic_auth_users.unwrap_or_default().into_iter();
        let users: Result<Vec<_>, _> = users.map(|(name, hash)| checker.user(name, hash)).collect();
        Ok(Document {
            tls: self.tls_server_config.map(|tls| checker.tls(tls)).transpose()?.flatten(),
            headers: headers?,
            users: users?,
            rate: match self.rate_limit {
                Some(rate) => checker.rate(rate.value, rate.referenced)?,
                None => None,
            },
        })
    }
}

impl Checker<'_> {
    fn error(&self, location: Location, message: impl Into<String>) -> WebConfigError {
        WebConfigError::at(self.0, Some(place(location)), message)
    }

    fn whole(&self, message: impl Into<String>) -> WebConfigError {
        WebConfigError::of(self.0, message)
    }

    /// An empty section says nothing, as in the toolkit.
    fn tls(&self, tls: TlsSection) -> Result<Option<TlsSettings>, WebConfigError> {
        let certificate = self.pem(tls.cert, tls.cert_file, "cert", "cert_file")?;
        let key = self.pem(tls.key, tls.key_file, "key", "key_file")?;
        let client_ca =
            self.pem(tls.client_ca, tls.client_ca_file, "client_ca", "client_ca_file")?;
        let is_asked = tls.client_auth_type.is_some() || client_ca.is_some();
        let (certificate, key) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) if !is_asked => return Ok(None),
            (None, _) => {
                return Err(self.whole("`tls_server_config` has neither `cert` nor `cert_file`"));
            }
            (_, None) => {
                return Err(self.whole("`tls_server_config` has neither `key` nor `key_file`"));
            }
        };
        let (client_auth, place) = match &tls.client_auth_type {
            Some(name) => (self.client_auth(name)?, Some(name.referenced)),
            None => (ClientAuth::None, None),
        };
        let at = |place: Option<Location>, message| match place {
            Some(place) => self.error(place, message),
            None => self.whole(message),
        };
        let verifies =
            matches!(client_auth, ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify);
        if client_auth == ClientAuth::None && client_ca.is_some() {
            let message = "a client CA is given, and `client_auth_type` asks no client for a \
                certificate";
            return Err(at(place, message));
        }
        if verifies && client_ca.is_none() {
            let message = "this `client_auth_type` needs `client_ca` or `client_ca_file`";
            return Err(at(place, message));
        }
        if let Some(sans) = &tls.client_allowed_sans
            && !matches!(client_auth, ClientAuth::RequireAny | ClientAuth::RequireAndVerify)
        {
            let message = "`client_allowed_sans` needs a `client_auth_type` of \
                `RequireAnyClientCert` or `RequireAndVerifyClientCert`";
            return Err(self.error(sans.referenced, message));
        }
        let versions = self.versions(tls.min_version.as_ref(), tls.max_version.as_ref())?;
        let suites = self.suites(tls.cipher_suites, &versions)?;
        Ok(Some(TlsSettings {
            client_auth,
            client_ca,
            client_sans: tls.client_allowed_sans.map(|sans| sans.value),
            versions,
            suites,
            groups: self.groups(tls.curve_preferences)?,
            prefer_client_order: tls.prefer_server_cipher_suites == Some(false),
            ..TlsSettings::new(certificate, key)
        }))
    }

    fn pem(
        &self,
        inline: Option<Spanned<Secret>>,
        file: Option<Spanned<String>>,
        inline_key: &'static str,
        file_key: &'static str,
    ) -> Result<Option<Pem>, WebConfigError> {
        // Empty is as good as absent, as in the toolkit.
        let inline = inline.filter(|text| !text.value.0.is_empty());
        let file = file.filter(|path| !path.value.is_empty());
        match (inline, file) {
            (None, None) => Ok(None),
            (Some(_), Some(file)) => {
                let message = format!("`{inline_key}` is given as well as `{file_key}`");
                Err(self.error(file.referenced, message))
            }
            (Some(text), None) => Ok(Some(Pem::Inline {
                text: text.value.0,
                file: self.0.to_owned(),
                key: inline_key,
            })),
            (None, Some(file)) => Ok(Some(Pem::File(self.resolve(&file.value)))),
        }
    }

    fn resolve(&self, path: &str) -> PathBuf {
        self.0.parent().unwrap_or_else(|| Path::new("")).join(path)
    }

    fn client_auth(&self, name: &Spanned<String>) -> Result<ClientAuth, WebConfigError> {
        match name.value.as_str() {
            "" | "NoClientCert" => Ok(ClientAuth::None),
            "RequestClientCert" => Ok(ClientAuth::Request),
            // The second is what the toolkit once called it.
            "RequireAnyClientCert" | "RequireClientCert" => Ok(ClientAuth::RequireAny),
            "VerifyClientCertIfGiven" => Ok(ClientAuth::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Ok(ClientAuth::RequireAndVerify),
            other => {
                let message = format!(
                    "`{}` is not a client_auth_type: expected NoClientCert, RequestClientCert, \
                     RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert",
                    other.escape_debug()
                );
                Err(self.error(name.referenced, message))
            }
        }
    }

    fn versions(
        &self,
        min: Option<&Spanned<String>>,
        max: Option<&Spanned<String>>,
    ) -> Result<Vec<&'static SupportedProtocolVersion>, WebConfigError> {
        let number = |version: Option<&Spanned<String>>, default: u8| match version {
            None => Ok(default),
            Some(version) => match version.value.as_str() {
                "TLS13" => Ok(3),
                "TLS12" => Ok(2),
                "TLS10" | "TLS11" => Err(self.error(
                    version.referenced,
                    format!("`{}` is not supported: only TLS12 and TLS13 are", version.value),
                )),
                other => Err(self.error(
                    version.referenced,
                    format!(
                        "`{}` is not a TLS version: expected TLS12 or TLS13",
                        other.escape_debug()
                    ),
                )),
            },
        };
        let (least, most) = (number(min, 2)?, number(max, 3)?);
        if least > most {
            let place = min.or(max).map(|version| version.referenced).unwrap_or(Location::UNKNOWN);
            return Err(self.error(place, "`min_version` is above `max_version`"));
        }
        let all = [(3, &version::TLS13), (2, &version::TLS12)];
        let versions = all.into_iter().filter(|(number, _)| (least..=most).contains(number));
        Ok(versions.map(|(_, version)| version).collect())
    }

    /// The suites named are those of TLS 1.2; TLS 1.3 has its own, which cannot be chosen from.
    fn suites(
        &self,
        names: Option<Vec<Spanned<String>>>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Option<Vec<SupportedCipherSuite>>, WebConfigError> {
        let Some(names) = names.filter(|names| !names.is_empty()) else { return Ok(None) };
        let is_new = |suite: &SupportedCipherSuite| suite.tls13().is_some();
        let name_of = |suite: &SupportedCipherSuite| {
            // Go writes the names of the registry, rustls those of TLS 1.3 with their version.
            format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1)
        };
        let mut chosen: Vec<_> = ALL_CIPHER_SUITES.iter().copied().filter(is_new).collect();
        let mut has_old = false;
        for name in &names {
            // What Go called these two before they had their full names.
            let wanted = match name.value.as_str() {
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"
                | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305" => {
                    format!("{}_SHA256", name.value)
                }
                other => other.to_owned(),
            };
            let suite = ALL_CIPHER_SUITES.iter().find(|suite| name_of(suite) == wanted);
            let suite = suite.ok_or_else(|| {
                let old = ALL_CIPHER_SUITES.iter().filter(|suite| !is_new(suite)).map(name_of);
                let old = old.collect::<Vec<_>>().join(", ");
                let message = format!(
                    "cipher suite `{}` is not supported: only {old} are",
                    name.value.escape_debug()
                );
                self.error(name.referenced, message)
            })?;
            if !is_new(suite) && !chosen.contains(suite) {
                chosen.push(*suite);
                has_old = true;
            }
        }
        if !has_old && !versions.contains(&&version::TLS13) {
            let message = "`cipher_suites` leaves none for TLS 1.2";
            return Err(self.error(names[0].referenced, message));
        }
        Ok(Some(chosen))
    }

    fn groups(
        &self,
        names: Option<Vec<Spanned<String>>>,
    ) -> Result<Option<Vec<&'static dyn SupportedKxGroup>>, WebConfigError> {
        let Some(names) = names.filter(|names| !names.is_empty()) else { return Ok(None) };
        let group = |name: &Spanned<String>| match name.value.as_str() {
            "X25519" => Ok(kx_group::X25519),
            "CurveP256" => Ok(kx_group::SECP256R1),
            "CurveP384" => Ok(kx_group::SECP384R1),
            other => Err(self.error(
                name.referenced,
                format!(
                    "curve `{}` is not supported: only X25519, CurveP256 and CurveP384 are",
                    other.escape_debug()
                ),
            )),
        };
        names.iter().map(group).collect::<Result<_, _>>().map(Some)
    }

    fn header(
        &self,
        name: &str,
        value: &Spanned<String>,
    ) -> Result<Option<(HeaderName, HeaderValue)>, WebConfigError> {
        const KNOWN: [(&str, &[&str]); 5] = [
            ("Strict-Transport-Security", &[]),
            ("X-Content-Type-Options", &["nosniff"]),
            ("X-Frame-Options", &["deny", "sameorigin"]),
            ("X-XSS-Protection", &[]),
            ("Content-Security-Policy", &[]),
        ];
        let at = value.referenced;
        let Some((known, allowed)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            let known = KNOWN.map(|(known, _)| known).join(", ");
            let name = name.escape_debug();
            let message = format!("header `{name}` cannot be configured: only {known} can");
            return Err(self.error(at, message));
        };
        if value.value.is_empty() {
            return Ok(None);
        }
        let text = value.value.escape_debug();
        if !allowed.is_empty() && !allowed.contains(&value.value.as_str()) {
            let allowed = allowed.join(" or ");
            return Err(self.error(at, format!("`{known}` is {allowed}, not `{text}`")));
        }
        let name = known.parse().expect("the name is one of the known ones");
        match HeaderValue::from_str(&value.value) {
            Ok(value) => Ok(Some((name, value))),
            Err(_) => Err(self.error(at, format!("`{known}` cannot be `{text}`"))),
        }
    }

    fn user(
        &self,
        name: String,
        hash: Spanned<Secret>,
    ) -> Result<(String, BcryptHash), WebConfigError> {
        let shown = name.escape_debug().to_string();
        let error =
            |message: &str| self.error(hash.referenced, format!("user `{shown}`: {message}"));
        // RFC 7617, section 2: the colon ends the name.
        if name.contains(':') {
            return Err(error("a name cannot hold a colon"));
        }
        let parsed = BcryptHash::parse(hash.value.0).map_err(|message| error(&message))?;
        Ok((name, parsed))
    }

    fn rate(&self, rate: RateSection, at: Location) -> Result<Option<Rate>, WebConfigError> {
        let interval = match &rate.interval {
            Some(text) => duration(&text.value).ok_or_else(|| {
                let shown = text.value.escape_debug();
                let message =
                    format!("`interval` is a duration such as 1s or 100ms, not `{shown}`");
                self.error(text.referenced, message)
            })?,
            None => Duration::ZERO,
        };
        if interval.is_zero() {
            return Ok(None);
        }
        let Some(burst) = rate.burst else {
            return Err(self.error(at, "`rate_limit` has an `interval` and no `burst`"));
        };
        match u32::try_from(burst.value) {
            Ok(some @ 1..) => Ok(Some(Rate::new(interval, some))),
            _ => {
                Err(self
                    .error(burst.referenced, "`burst` is at least 1: with less, nobody is served"))
            }
        }
    }
}

/// A duration as Go writes it, such as `1m30s` or `0.5s`; a number alone counts nanoseconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(nanoseconds) = text.parse() {
        return Some(Duration::from_nanos(nanoseconds));
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number * unit;
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(())?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn durations_are_those_of_go() {
        for (text, expected) in [
            ("1s", Some(1_000_000)),
            ("100ms", Some(100_000)),
            ("1m30s", Some(90_000_000)),
            ("1.5h", Some(5_400_000_000)),
            ("250us", Some(250)),
            ("250µs", Some(250)),
            ("3000ns", Some(3)),
            ("1000", Some(1)),
            ("0", Some(0)),
            ("", None),
            ("s", None),
            ("1", Some(0)),
            ("1x", None),
            ("1s2", None),
            ("-1s", None),
            (" 1s", None),
            ("1..5s", None),
            ("soon", None),
            ("99999999999999999999h", None),
        ] {
            let expected = expected.map(Duration::from_micros);
            let found = duration(text).map(|found| Duration::from_micros(found.as_micros() as u64));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
