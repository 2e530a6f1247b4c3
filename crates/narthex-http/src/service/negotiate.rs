//! What a scraper's headers ask for.

use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};
use narthex_format::Format;

pub(super) fn format(headers: &HeaderMap) -> Format {
    Format::negotiate(texts(headers, &ACCEPT))
}

/// How a page travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// Picks the coding by RFC 9110, section 12.5.3, except that nobody is turned away: who
    /// accepts neither coding gets the page as it is.
    pub(super) fn negotiate(headers: &HeaderMap) -> Self {
        let mut gzip = None;
        let mut identity = None;
        let mut any = None;
        for member in texts(headers, &ACCEPT_ENCODING).flat_map(|value| value.split(',')) {
            let Some((coding, quality)) = member_quality(member) else { continue };
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                gzip = Some(quality);
            } else if coding.eq_ignore_ascii_case("identity") {
                identity = Some(quality);
            } else if coding == "*" {
                any = Some(quality);
            }
        }
        let gzip = gzip.or(any).unwrap_or(0);
        // Identity need not be named to be acceptable, but is not preferred then.
        if gzip > 0 && gzip >= identity.unwrap_or(0) { Self::Gzip } else { Self::Identity }
    }
}

/// A member of `Accept-Encoding` and its quality in thousandths; `None` where it is malformed.
fn member_quality(member: &str) -> Option<(&str, u16)> {
    let mut parts = member.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let quality = match parts.next() {
        None => 1000,
        Some(weight) => {
            let (name, value) = weight.split_once('=')?;
            name.eq_ignore_ascii_case("q").then_some(())?;
            thousandths(value)?
        }
    };
    parts.next().is_none().then_some((coding, quality))
}

/// RFC 9110, section 12.4.2: `0` or `1` with up to three decimals, and no more than 1.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

/// How long the scraper waits; `None` where it does not say so or says nonsense.
pub(super) fn scrape_timeout(headers: &HeaderMap) -> Option<Duration> {
    /// Longer than anybody waits, and far from where instants overflow.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    const NAME: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
    let seconds: f64 = headers.get(NAME)?.to_str().ok()?.trim().parse().ok()?;
    if seconds.is_nan() || seconds <= 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST))
}

fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn coding(values: &[&'static str]) -> Coding {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        Coding::negotiate(&headers)
    }

    #[test]
    fn gzip_is_chosen_where_it_is_acceptable_and_not_less_wanted() {
        for values in [
            &["gzip"][..],
            &["x-gzip"],
            &["GZIP;Q=0.5"],
            &["deflate, gzip, br"],
            &["deflate", "gzip"],
            &["*"],
            &["gzip;q=0.001, identity;q=0"],
            &["gzip ; q=1.000"],
            &["identity, gzip"],
        ] {
            assert_eq!(coding(values), Coding::Gzip, "{values:?}");
        }
    }

    #[test]
    fn the_page_stays_as_it_is_where_gzip_is_refused_or_less_wanted() {
        for values in [
            &[][..],
            &[""],
            &["br"],
            &["identity;q=0"],
            &["gzip;q=0"],
            &["gzip;q=0.000, *;q=1"],
            &["*;q=0"],
            &["gzip;q=0.5, identity;q=0.6"],
            &["gzip;q=2"],
            &["gzip;q=0.0001"],
            &["gzip;q=-1"],
            &["gzip;q=nan"],
            &["gzip;level=9"],
            &["gzip;q=1;q=1"],
            &["gzipped"],
        ] {
            assert_eq!(coding(values), Coding::Identity, "{values:?}");
        }
    }

    fn timeout(value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        let name = "x-prometheus-scrape-timeout-seconds";
        headers.insert(name, HeaderValue::from_static(value));
        scrape_timeout(&headers)
    }

    #[test]
    fn the_scrape_timeout_is_read_in_seconds() {
        assert_eq!(timeout("10"), Some(Duration::from_secs(10)));
        assert_eq!(timeout("1.500"), Some(Duration::from_millis(1500)));
        assert_eq!(timeout("1e300"), Some(Duration::from_secs(86_400)));
    }

    #[test]
    fn a_scrape_timeout_that_is_none_is_ignored() {
        for value in ["", "0", "-1", "NaN", "-inf", "ten", "1s", "0x10"] {
            assert_eq!(timeout(value), None, "{value}");
        }
    }
}
