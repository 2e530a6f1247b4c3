//! What a scraper's headers ask for.

use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT, HeaderName};
use narthex_format::Format;

pub(super) fn format(headers: &HeaderMap, offered: &[Format]) -> Format {
    Format::negotiate_among(offered, texts(headers, &ACCEPT))
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

pub(super) fn texts<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

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
