//! How a page travels: as it is or compressed.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::chunks::ChunkWriter;
use super::negotiate::texts;

#[cfg(feature = "zstd")]
mod zstd;

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
}

/// What can be offered beside the page as it is, best first.
const COMPRESSED: &[(Coding, &[&str])] = &[
    // A third of gzip's time and a little smaller.
    #[cfg(feature = "zstd")]
    (Coding::Zstd, &["zstd"]),
    (Coding::Gzip, &["gzip", "x-gzip"]),
];

impl Coding {
    /// Picks the coding by RFC 9110, section 12.5.3, except that nobody is turned away: who
    /// accepts no coding gets the page as it is.
    pub(super) fn negotiate(headers: &HeaderMap) -> Self {
        let members: Vec<_> = texts(headers, &ACCEPT_ENCODING)
            .flat_map(|value| value.split(','))
            .filter_map(member_quality)
            .collect();
        let named = |names: &[&str]| {
            let is_named =
                |coding: &str| names.iter().any(|name| coding.eq_ignore_ascii_case(name));
            members.iter().find(|(coding, _)| is_named(coding)).map(|&(_, quality)| quality)
        };
        let any = named(&["*"]).unwrap_or(0);
        let mut best = (Self::Identity, named(&["identity"]).unwrap_or(0));
        // Identity need not be named to be acceptable, but is not preferred then; of others that
        // are equally welcome the first is the best, so that it comes last here.
        for &(coding, names) in COMPRESSED.iter().rev() {
            // A wildcard is more than most who send it can read; gzip is what all of them can.
            let quality = named(names).unwrap_or(if coding == Self::Gzip { any } else { 0 });
            if quality > 0 && quality >= best.1 {
                best = (coding, quality);
            }
        }
        best.0
    }

    /// The value of the `Content-Encoding` header, if there is one.
    pub(super) const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            #[cfg(feature = "zstd")]
            Self::Zstd => Some("zstd"),
        }
    }

    /// What writes to `page` in this coding.
    pub(super) fn compressor(self, page: ChunkWriter) -> Compressor {
        match self {
            Self::Identity => Compressor::Identity(page),
            // Level 1 costs a ninth of level 6 and gives little more than half its ratio, which is
            // the better bargain on a local network.
            Self::Gzip => Compressor::Gzip(Box::new(GzEncoder::new(page, Compression::fast()))),
            #[cfg(feature = "zstd")]
            Self::Zstd => Compressor::Zstd(zstd::Writer::new(page)),
        }
    }
}

/// Compresses what is written to it.
pub(super) enum Compressor {
    Identity(ChunkWriter),
    Gzip(Box<GzEncoder<ChunkWriter>>),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Writer),
}

impl Compressor {
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Identity(page) => page.write_all(bytes),
            Self::Gzip(gzip) => gzip.write_all(bytes),
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.write_all(bytes),
        }
    }

    /// Writes what is left, and ends the page.
    pub(super) fn finish(self) -> io::Result<()> {
        let page = match self {
            Self::Identity(page) => page,
            Self::Gzip(gzip) => gzip.finish()?,
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.finish()?,
        };
        page.finish();
        Ok(())
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

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

    use super::Coding;

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
    #[cfg(feature = "zstd")]
    fn zstd_is_chosen_where_it_is_named_and_not_less_wanted() {
        for values in ["zstd", "gzip, zstd", "gzip, deflate, br, zstd", "gzip;q=0.5, zstd;q=0.5"] {
            assert_eq!(coding(&[values]), Coding::Zstd, "{values}");
        }
        assert_eq!(coding(&["gzip, zstd;q=0.9"]), Coding::Gzip);
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
}
