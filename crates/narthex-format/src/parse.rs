//! Pages read back: the inverse of the encoders, and of what other programs write.
//!
//! [`parse`] gives the [`Scrape`] a page describes, [`check`] lists everything that is wrong with
//! one, and a [`Reader`] walks a text page of any length without building anything.
//! [`Syntax::detect`] tells from a `Content-Type` which format a page has.
//!
//! Each text format has two readers, by [`Mode`]: a strict one that accepts what the format's own
//! library does, and a lenient one that accepts what a Prometheus server does.
//!
//! ```
//! use narthex_format::parse::{Mode, Syntax, parse};
//!
//! let page = b"# TYPE temperature_celsius gauge\ntemperature_celsius{room=\"attic\"} 30.5\n";
//! let scrape = parse(Syntax::Text, page, Mode::Strict)?;
//! assert_eq!(scrape.value("temperature_celsius", &[("room", "attic")]), Some(30.5));
//! # Ok::<(), narthex_format::parse::ParseError>(())
//! ```

mod assemble;
mod build;
mod cursor;
mod detect;
mod dialect;
mod error;
mod json;
mod labels;
mod limits;
mod native;
mod number;
mod openmetrics;
pub(crate) mod page;
mod parts;
mod protobuf;
mod reader;
mod rules;
mod text;
mod wire;

use narthex_model::Scrape;

pub use error::ParseError;
pub use labels::{LabelIter, Labels};
pub use limits::Limits;
pub use number::Timestamp;
pub use reader::{Event, Exemplar, Reader, Sample};

use crate::format::Format;
use build::ScrapeBuilder;
use page::{Next, Page};

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Syntax {
    /// The text format, 0.0.4 or 1.0.0.
    Text,
    /// OpenMetrics 1.0 as text.
    OpenMetrics,
    /// Protobuf: metric families, each after its length. Both modes are the same here.
    Protobuf,
    /// JSON, as `narthex convert --to json` writes it. Both modes are the same here.
    Json,
}

impl Syntax {
    /// The format, if it is one that is read line by line.
    pub(crate) fn as_text(self) -> Option<TextSyntax> {
        match self {
            Self::Text => Some(TextSyntax::Text),
            Self::OpenMetrics => Some(TextSyntax::OpenMetrics),
            Self::Protobuf | Self::Json => None,
        }
    }
}

/// The syntax of the pages that a format writes.
impl From<Format> for Syntax {
    fn from(format: Format) -> Self {
        match format {
            Format::Text { .. } => Self::Text,
            Format::OpenMetrics { .. } => Self::OpenMetrics,
            Format::Protobuf { .. } => Self::Protobuf,
            Format::Json => Self::Json,
        }
    }
}

/// Whose verdict on a page is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// That of the format's own library: Go's `expfmt` for text, Python's `prometheus_client` for
    /// OpenMetrics.
    #[default]
    Strict,
    /// That of a Prometheus server, which checks much less of OpenMetrics and takes other liberties
    /// with text.
    Lenient,
}

/// Reads a page.
///
/// A series that the page gives twice counts once, with its first value, and a family that the
/// model cannot hold is left out; both are told of in [`Scrape::problems`]. A histogram or summary
/// that lacks a part or contradicts itself, and histograms of one family with different bounds, are
/// kept sample by sample in families of unknown type.
///
/// # Errors
/// Returns a [`ParseError`] for the first thing that is wrong with the page.
pub fn parse(syntax: Syntax, page: &[u8], mode: Mode) -> Result<Scrape, ParseError> {
    parse_within(syntax, page, mode, &Limits::default())
}

/// Reads a page as [`parse`] does, within limits of the caller's choice.
///
/// # Errors
/// Returns a [`ParseError`] for the first thing that is wrong with the page.
pub fn parse_within(
    syntax: Syntax,
    page: &[u8],
    mode: Mode,
    limits: &Limits,
) -> Result<Scrape, ParseError> {
    limits.check_page(page.len())?;
    let text = match syntax {
        Syntax::Protobuf => return protobuf::parse(page, limits),
        Syntax::Json => return json::parse(page, limits),
        Syntax::Text => TextSyntax::Text,
        Syntax::OpenMetrics => TextSyntax::OpenMetrics,
    };
    let mut scrape = ScrapeBuilder::default();
    for draft in Page::read(text, page, mode, limits)?.into_families() {
        assemble::add_family(&draft, text, &mut scrape);
    }
    Ok(scrape.finish())
}

/// Everything that is wrong with a page, in the order of the page and up to the limit on faults.
///
/// A page in text is read on after a fault, so that each wrong line is listed; a faulty line may
/// make others look wrong, such as the histogram that it would have belonged to.
///
/// ```
/// use narthex_format::parse::{Limits, Mode, Syntax, check};
///
/// let page = b"up{job=a} 1\nup 2.5.0\nup 1 now\n";
/// let places: Vec<_> = check(Syntax::Text, page, Mode::Strict, &Limits::default())
///     .iter()
///     .map(|error| (error.line(), error.column()))
///     .collect();
/// assert_eq!(places, [(Some(1), Some(8)), (Some(2), Some(4)), (Some(3), Some(6))]);
/// ```
pub fn check(syntax: Syntax, page: &[u8], mode: Mode, limits: &Limits) -> Vec<ParseError> {
    let Some(text) = syntax.as_text() else {
        return parse_within(syntax, page, mode, limits).err().into_iter().collect();
    };
    let mut faults = Vec::new();
    Page::read_on(text, page, mode, limits, |fault| {
        faults.push(fault);
        if faults.len() < limits.faults { Next::Continue } else { Next::Stop }
    });
    faults.sort_by_key(|fault| (fault.line(), fault.column()));
    faults
}

/// The formats that are text, line by line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextSyntax {
    Text,
    OpenMetrics,
}
