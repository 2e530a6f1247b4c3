//! Which formats there are, and how they are called.

use std::convert::Infallible;
use std::io;

use bytes::BufMut;
use narthex_model::{Escaping, Families};

use crate::encoder::Encoder;
use crate::negotiate;

/// An exposition format.
///
/// ```
/// use narthex_format::{Escaping, Format, TextVersion};
///
/// let accept = ["text/plain;version=1.0.0;escaping=allow-utf-8"];
/// let format = Format::negotiate(accept);
/// assert_eq!(
///     format,
///     Format::Text { version: TextVersion::V1_0_0, escaping: Escaping::AllowUtf8 }
/// );
/// assert_eq!(
///     format.content_type(),
///     "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus's text format, which every Prometheus reads.
    ///
    /// Types that it lacks are written as the nearest one it has: unknown as untyped, info and
    /// state set as gauges, a gauge histogram as a histogram. It has neither units, exemplars nor
    /// creation times.
    Text {
        /// The version that the content type names; the pages are the same.
        version: TextVersion,
        /// How names outside the classic set are written.
        escaping: Escaping,
    },
    /// OpenMetrics 1.0 as text.
    ///
    /// A counter without `_total` at the end of its name, or with a value that no counter has, is
    /// written as unknown, an info family without `_info` as a gauge, a unit only where the name
    /// ends with it; a page keeps the rules of the format whatever the families are like.
    OpenMetrics {
        /// The version that the content type names; the pages are the same.
        version: OpenMetricsVersion,
        /// How names outside the classic set are written.
        escaping: Escaping,
        /// Whether there are lines for creation times.
        created: CreatedLines,
    },
    /// `io.prometheus.client.MetricFamily` messages, each after its length.
    ///
    /// Info and state sets are gauges there, as the schema has no other type for them.
    Protobuf {
        /// How names outside the classic set are written.
        escaping: Escaping,
    },
    /// The scrape as it is, for programs that read JSON; no Prometheus asks for it.
    ///
    /// `{"families":[{"name":"","type":"","help":"","unit":"","metrics":[{"labels":{},"value":1,
    /// "timestamp":0,"created":0,"exemplar":{"labels":{},"value":1.0,"timestamp":0}}]}]}`, where a
    /// histogram has `"histogram":{"count":1,"sum":1.0,"buckets":[{"le":1.0,"count":1,
    /// "exemplar":{}}]}` for its value, with cumulative counts, and a summary
    /// `"summary":{"count":1,"sum":1.0,"quantiles":[{"quantile":0.5,"value":1.0}]}`. Times are in
    /// milliseconds; what has no value is left out. The numbers that JSON lacks are the strings
    /// `"NaN"`, `"+Inf"` and `"-Inf"`.
    Json,
}

/// A version of Prometheus's text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextVersion {
    /// 0.0.4
    V0_0_4,
    /// 1.0.0
    V1_0_0,
}

/// A version of OpenMetrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenMetricsVersion {
    /// 0.0.1, as drafts were called; Prometheus 2.5 to 2.33 ask for it.
    V0_0_1,
    /// 1.0.0
    V1_0_0,
}

/// Whether OpenMetrics has a `_created` line a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CreatedLines {
    /// No: Prometheus takes such a line for a series of its own unless it is told otherwise.
    #[default]
    Omitted,
    /// One a series of which the creation time is known.
    Written,
}

impl Format {
    /// The text format 0.0.4 for a scraper that knows of no UTF-8 names.
    pub const TEXT: Self =
        Self::Text { version: TextVersion::V0_0_4, escaping: Escaping::Underscores };

    /// OpenMetrics 1.0.0, without UTF-8 names and lines for creation times.
    pub const OPEN_METRICS: Self = Self::OpenMetrics {
        version: OpenMetricsVersion::V1_0_0,
        escaping: Escaping::Underscores,
        created: CreatedLines::Omitted,
    };

    /// Protobuf for a scraper that knows of no UTF-8 names.
    pub const PROTOBUF: Self = Self::Protobuf { escaping: Escaping::Underscores };

    /// What [`negotiate`](Self::negotiate) offers: text, OpenMetrics and protobuf, in all versions.
    pub const OFFERED: [Self; 5] = [
        Self::TEXT,
        Self::Text { version: TextVersion::V1_0_0, escaping: Escaping::Underscores },
        Self::OPEN_METRICS,
        Self::OpenMetrics {
            version: OpenMetricsVersion::V0_0_1,
            escaping: Escaping::Underscores,
            created: CreatedLines::Omitted,
        },
        Self::PROTOBUF,
    ];

    /// Picks the format for the `Accept` headers of a request; there may be none or several.
    ///
    /// Never fails, for a scraper that asks for something else is better served with a page that
    /// every Prometheus reads than with an error: it gets [`Format::TEXT`], and so do browsers,
    /// curl and whoever does not ask. There are 20 different answers: five formats by four
    /// escaping schemes.
    ///
    /// ```
    /// use narthex_format::Format;
    ///
    /// let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1";
    /// assert_eq!(Format::negotiate([prometheus]), Format::OPEN_METRICS);
    /// assert_eq!(Format::negotiate(["text/html, */*;q=0.8"]), Format::TEXT);
    /// ```
    pub fn negotiate<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        Self::negotiate_among(&Self::OFFERED, accept)
    }

    /// Picks one of the `offered` formats, with the escaping scheme that is asked for.
    ///
    /// The clause with the highest quality that names an offered format decides; of equal ones the
    /// first. A clause with quality 0 excludes what it names. Wildcards stand for
    /// [`Format::TEXT`], or the first format where that is not offered, unless a clause names it.
    /// The scheme of an offered format is what a clause gets that asks for none.
    ///
    /// Answers [`Format::TEXT`] where nothing is offered.
    ///
    /// ```
    /// use narthex_format::{CreatedLines, Escaping, Format, OpenMetricsVersion};
    ///
    /// let with_created = Format::OpenMetrics {
    ///     version: OpenMetricsVersion::V1_0_0,
    ///     escaping: Escaping::Underscores,
    ///     created: CreatedLines::Written,
    /// };
    /// let offered = [Format::TEXT, with_created];
    /// let accept = ["application/openmetrics-text;version=1.0.0"];
    /// assert_eq!(Format::negotiate_among(&offered, accept), with_created);
    /// ```
    pub fn negotiate_among<'a>(
        offered: &[Self],
        accept: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        negotiate::negotiate(offered, accept)
    }

    /// The value of the `Content-Type` header of a page in this format.
    ///
    /// The scheme `underscores` is not named where readers older than it expect it: in text 0.0.4
    /// and protobuf.
    pub const fn content_type(self) -> &'static str {
        /// The content types by scheme.
        macro_rules! by_scheme {
            ($escaping:expr, $base:literal) => {
                by_scheme!($escaping, $base, concat!($base, "; escaping=underscores"))
            };
            ($escaping:expr, $base:literal, $underscores:expr) => {
                match $escaping {
                    Escaping::AllowUtf8 => concat!($base, "; escaping=allow-utf-8"),
                    Escaping::Underscores => $underscores,
                    Escaping::Dots => concat!($base, "; escaping=dots"),
                    Escaping::Values => concat!($base, "; escaping=values"),
                }
            };
        }
        match self {
            Self::Text { version: TextVersion::V0_0_4, escaping } => by_scheme!(
                escaping,
                "text/plain; version=0.0.4; charset=utf-8",
                "text/plain; version=0.0.4; charset=utf-8"
            ),
            Self::Text { version: TextVersion::V1_0_0, escaping } => {
                by_scheme!(escaping, "text/plain; version=1.0.0; charset=utf-8")
            }
            Self::OpenMetrics { version: OpenMetricsVersion::V0_0_1, escaping, .. } => {
                by_scheme!(escaping, "application/openmetrics-text; version=0.0.1; charset=utf-8")
            }
            Self::OpenMetrics { version: OpenMetricsVersion::V1_0_0, escaping, .. } => {
                by_scheme!(escaping, "application/openmetrics-text; version=1.0.0; charset=utf-8")
            }
            Self::Protobuf { escaping } => by_scheme!(
                escaping,
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            ),
            Self::Json => "application/json",
        }
    }

    /// Appends the page to `buffer`.
    ///
    /// # Panics
    /// Panics where `buffer` cannot grow and the page is longer than it.
    pub fn encode(self, families: &impl Families, buffer: &mut impl BufMut) {
        let Ok(()) = Encoder::new(self).encode(families, |chunk| {
            buffer.put_slice(chunk);
            Ok::<(), Infallible>(())
        });
    }

    /// Writes the page of a scrape or of a registry to `sink`, in chunks of up to 64 KiB.
    ///
    /// # Errors
    /// Returns the first error of `sink`; what was written before it stays written.
    pub fn write(self, families: &impl Families, sink: &mut impl io::Write) -> io::Result<()> {
        Encoder::new(self).encode(families, |chunk| sink.write_all(chunk))
    }
}
