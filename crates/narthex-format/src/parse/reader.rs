//! The reader: what a page says, line by line, without building anything.

use std::borrow::Cow;

use narthex_model::{MetricType, Number};

use super::cursor::Cursor;
use super::dialect::Dialect;
use super::error::{Line, ParseError};
use super::labels::{LabelScanner, Labels};
use super::limits::Limits;
use super::number::Timestamp;
use super::{Mode, openmetrics, text};

pub(super) const METRIC_NAME: &str = "a metric name of letters, digits, `_` and `:`; one with \
                                      other characters is written in quotes within the braces, \
                                      as in `{\"my.metric\"}`";
pub(super) const NUMBER: &str = "a number such as `1`, `2.5`, `+Inf` or `NaN`";

/// Walks a page in text or OpenMetrics, one [`Event`] a line that says something.
///
/// Texts are borrowed from the page, so that a page of any length is read without an allocation a
/// sample; only a text with escapes is copied, when it is asked for. After an error the reader goes
/// on with the next line, and so finds every line that is wrong.
///
/// A reader looks at each line by itself. The rules between lines, such as one TYPE a family or
/// buckets in order, are kept by [`parse`](super::parse) and [`check`](super::check).
///
/// ```
/// use narthex_format::parse::{Event, Reader};
///
/// let page = b"# TYPE up gauge\nup{job=\"a\"} 1\nup{job=\"b\"} 0\n";
/// let mut down = Vec::new();
/// for event in Reader::text(page) {
///     if let Event::Sample(sample) = event?
///         && sample.value().as_f64() == 0.0
///     {
///         down.push(sample.labels().get("job").unwrap_or_default());
///     }
/// }
/// assert_eq!(down, ["b"]);
/// # Ok::<(), narthex_format::parse::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Reader<'a> {
    lines: Lines<'a>,
    dialect: Dialect,
    limits: Limits,
    scanner: LabelScanner<'a>,
    progress: Progress,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Start,
    Lines,
    /// `# EOF` was read, which ends a page in OpenMetrics.
    Ended,
    Done,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// What a family means.
    Help {
        /// The family's name.
        family: Cow<'a, str>,
        /// The text, unescaped.
        text: Cow<'a, str>,
    },
    /// A family's type.
    Type {
        /// The family's name.
        family: Cow<'a, str>,
        /// Its type; text's `untyped` is [`MetricType::Unknown`].
        metric_type: MetricType,
    },
    /// A family's unit.
    Unit {
        /// The family's name.
        family: Cow<'a, str>,
        /// The unit, empty for none.
        unit: &'a str,
    },
    /// A value.
    Sample(Sample<'a>),
    /// The line that ends a page in OpenMetrics.
    Eof,
}

/// A value with its name and labels.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) labels: Labels<'a>,
    pub(super) value: Number,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) exemplar: Option<Exemplar<'a>>,
    /// The value as it stands on the page, to point at.
    pub(crate) value_token: &'a str,
}

impl<'a> Sample<'a> {
    /// The sample's name, which is that of its family or has a suffix such as `_bucket` beside it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels.
    pub fn labels(&self) -> Labels<'a> {
        self.labels
    }

    /// The value.
    pub fn value(&self) -> Number {
        self.value
    }

    /// The time at which the value held, where the page gives it.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// An example of what was counted.
    pub fn exemplar(&self) -> Option<&Exemplar<'a>> {
        self.exemplar.as_ref()
    }
}

/// Samples are equal when they say the same, however their values are spelled.
impl PartialEq for Sample<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.labels == other.labels
            && self.value == other.value
            && self.timestamp == other.timestamp
            && self.exemplar == other.exemplar
    }
}

/// An example of what a sample counted, such as the trace of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) value: Number,
    pub(super) timestamp: Option<Timestamp>,
}

impl<'a> Exemplar<'a> {
    /// The labels.
    pub fn labels(&self) -> Labels<'a> {
        self.labels
    }

    /// The value that was observed.
    pub fn value(&self) -> Number {
        self.value
    }

    /// When it was observed, where the page says so.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }
}

impl<'a> Reader<'a> {
    /// Reads a page in the text format 0.0.4 or 1.0.0, strictly unless [`mode`](Self::mode) is
    /// called.
    pub fn text(page: &'a [u8]) -> Self {
        Self::new(page, Dialect::StrictText)
    }

    /// Reads a page in OpenMetrics 1.0, strictly unless [`mode`](Self::mode) is called.
    pub fn openmetrics(page: &'a [u8]) -> Self {
        Self::new(page, Dialect::StrictOpenMetrics)
    }

    fn new(page: &'a [u8], dialect: Dialect) -> Self {
        Self {
            lines: Lines::new(page),
            dialect,
            limits: Limits::default(),
            scanner: LabelScanner::default(),
            progress: Progress::Start,
        }
    }

    /// Chooses whose verdicts to give; by default strict ones.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        use Dialect::{LenientOpenMetrics, LenientText, StrictOpenMetrics, StrictText};
        self.dialect = match (self.dialect, mode) {
            (StrictText | LenientText, Mode::Strict) => StrictText,
            (StrictText | LenientText, Mode::Lenient) => LenientText,
            (StrictOpenMetrics | LenientOpenMetrics, Mode::Strict) => StrictOpenMetrics,
            (StrictOpenMetrics | LenientOpenMetrics, Mode::Lenient) => LenientOpenMetrics,
        };
        self
    }

    /// Bounds what a page may ask for; by default [`Limits::default`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The next event, with the line it was read from.
    #[inline]
    pub(crate) fn next_located(&mut self) -> Option<Result<(Event<'a>, Line<'a>), ParseError>> {
        if self.progress == Progress::Start {
            self.progress = Progress::Lines;
            if let Err(error) = self.limits.check_page(self.lines.page.len()) {
                self.progress = Progress::Done;
                return Some(Err(error));
            }
        }
        while self.progress != Progress::Done {
            let Some(raw) = self.lines.next() else {
                return self.finish().map(Err);
            };
            match self.read_line(raw) {
                Ok(Some(found)) => return Some(Ok(found)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    #[inline]
    fn read_line(&mut self, raw: RawLine<'a>) -> Result<Option<(Event<'a>, Line<'a>)>, ParseError> {
        self.limits.check_line(raw)?;
        let labels = self.limits.labels;
        let is_text = matches!(self.dialect, Dialect::StrictText | Dialect::LenientText);
        let text = match raw.text {
            Ok(text) => text,
            Err(_) if is_text && text::is_comment(raw.bytes) => return Ok(None),
            Err(at) => return Err(ParseError::not_utf8(raw.number, raw.bytes, at)),
        };
        let line = Line { text, number: raw.number };
        let cursor = Cursor::new(line);
        if is_text {
            let event = text::read_line(cursor, self.dialect, &mut self.scanner, labels)?;
            let blank = || text.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
            if !raw.ended && self.dialect == Dialect::StrictText && !blank() {
                let message = "the last line must end with a line feed: without it, the page may \
                               have been cut off";
                return Err(ParseError::rule(line, &text[text.len()..], message));
            }
            return Ok(event.map(|event| (event, line)));
        }
        if self.progress == Progress::Ended {
            let message = "nothing may follow `# EOF`: it ends the page";
            self.progress = Progress::Done;
            return Err(ParseError::rule(line, text, message));
        }
        let event = openmetrics::read_line(cursor, self.dialect, &mut self.scanner, labels)?;
        if event == Event::Eof {
            self.progress = Progress::Ended;
        }
        Ok(Some((event, line)))
    }

    /// What is wrong with the end of the page.
    fn finish(&mut self) -> Option<ParseError> {
        let ended = self.progress == Progress::Ended;
        self.progress = Progress::Done;
        match self.dialect {
            Dialect::StrictText | Dialect::LenientText => None,
            Dialect::StrictOpenMetrics | Dialect::LenientOpenMetrics if ended => None,
            Dialect::StrictOpenMetrics | Dialect::LenientOpenMetrics => {
                let message = "the page ends without `# EOF`: add that line, or see whether the \
                               page was cut off";
                Some(ParseError::at_place(self.lines.number + 1, 1, message))
            }
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Event<'a>, ParseError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_located().map(|found| found.map(|(event, _)| event))
    }
}

/// The lines of a page.
#[derive(Debug)]
struct Lines<'a> {
    page: &'a [u8],
    /// The longest part of the page, from its start, that is UTF-8: most pages are as a whole, and
    /// checking them at once is many times faster than line by line.
    valid: &'a str,
    at: usize,
    number: usize,
}

/// A line that may not be UTF-8.
#[derive(Clone, Copy)]
pub(super) struct RawLine<'a> {
    pub(super) bytes: &'a [u8],
    /// The line, or where it stops to be UTF-8.
    text: Result<&'a str, usize>,
    pub(super) number: usize,
    /// Whether a line feed ends it.
    ended: bool,
}

impl<'a> Lines<'a> {
    fn new(page: &'a [u8]) -> Self {
        let valid = match std::str::from_utf8(page) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&page[..error.valid_up_to()]).unwrap_or_default(),
        };
        Self { page, valid, at: 0, number: 0 }
    }

    #[inline]
    fn next(&mut self) -> Option<RawLine<'a>> {
        let start = self.at;
        let rest = self.page.get(start..).filter(|rest| !rest.is_empty())?;
        self.number += 1;
        let feed = memchr::memchr(b'\n', rest);
        let end = start + feed.unwrap_or(rest.len());
        self.at = end + 1;
        let text = match self.valid.get(start..end) {
            Some(text) => Ok(text),
            None => std::str::from_utf8(&self.page[start..end]).map_err(|e| e.valid_up_to()),
        };
        let bytes = &self.page[start..end];
        Some(RawLine { bytes, text, number: self.number, ended: feed.is_some() })
    }
}
