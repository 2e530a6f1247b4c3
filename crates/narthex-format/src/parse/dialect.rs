//! Where the readers that narthex agrees with differ in syntax.

use super::cursor::Escapes;
use super::number::Numbers;

/// A text format as one of its readers understands it.
///
/// Strict is what the format's own library accepts (Go's `expfmt` for text, Python's
/// `prometheus_client` for OpenMetrics), lenient is what a Prometheus server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    StrictText,
    LenientText,
    StrictOpenMetrics,
    LenientOpenMetrics,
}

impl Dialect {
    /// Whether blanks may stand anywhere within the braces.
    pub(super) fn blanks_in_braces(self) -> bool {
        self != Self::LenientOpenMetrics
    }

    /// Whether a comma may follow the last label.
    pub(super) fn trailing_comma(self) -> bool {
        self != Self::StrictOpenMetrics
    }

    /// Whether labels may follow each other without a comma.
    pub(super) fn commas_are_optional(self) -> bool {
        self == Self::LenientText
    }

    /// Which escapes names and label values may have.
    pub(super) fn escapes(self) -> Escapes {
        match self {
            Self::StrictText => Escapes::Known,
            Self::LenientText | Self::StrictOpenMetrics | Self::LenientOpenMetrics => Escapes::Any,
        }
    }

    /// What a number is.
    pub(super) fn numbers(self) -> Numbers {
        match self {
            Self::StrictOpenMetrics => Numbers::Python,
            Self::StrictText | Self::LenientText | Self::LenientOpenMetrics => Numbers::Go,
        }
    }

    /// Whether a label name is taken.
    pub(super) fn reserves(self, name: &str) -> bool {
        match self {
            Self::StrictOpenMetrics => name.starts_with("__"),
            Self::StrictText | Self::LenientText | Self::LenientOpenMetrics => name == "__name__",
        }
    }
}
