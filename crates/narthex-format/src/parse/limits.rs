//! How much a page may ask for.

use super::error::ParseError;
use super::reader::RawLine;

/// Bounds on what a page may make its reader do; a page beyond them is refused.
///
/// Memory grows with the length of a page and no faster, so these bounds are generous: they are
/// there for pages that no program writes on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a page; by default 256 MiB.
    pub page: usize,
    /// Bytes of a line; by default 1 MiB.
    pub line: usize,
    /// Labels of a sample; by default 1,024.
    pub labels: usize,
    /// Faults that [`check`](super::check) lists before it stops; by default 100.
    pub faults: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { page: 256 << 20, line: 1 << 20, labels: 1024, faults: 100 }
    }
}

impl Limits {
    /// Bounds the bytes of a page.
    #[must_use]
    pub fn page(mut self, bytes: usize) -> Self {
        self.page = bytes;
        self
    }

    /// Bounds the bytes of a line.
    #[must_use]
    pub fn line(mut self, bytes: usize) -> Self {
        self.line = bytes;
        self
    }

    /// Bounds the labels of a sample.
    #[must_use]
    pub fn labels(mut self, labels: usize) -> Self {
        self.labels = labels;
        self
    }

    /// Bounds the faults that are listed.
    #[must_use]
    pub fn faults(mut self, faults: usize) -> Self {
        self.faults = faults;
        self
    }

    pub(super) fn check_page(&self, len: usize) -> Result<(), ParseError> {
        if len <= self.page {
            return Ok(());
        }
        let message = format!("the page has {len} bytes, but may have {} at most", self.page);
        Err(ParseError::at_place(1, 1, message))
    }

    /// Checks the labels of a metric that starts at byte `at` of a binary page.
    pub(super) fn check_labels(&self, labels: usize, at: usize) -> Result<(), ParseError> {
        if labels <= self.labels {
            return Ok(());
        }
        let message = format!("a sample has {labels} labels, but may have {} at most", self.labels);
        Err(ParseError::at_byte(at, message))
    }

    #[inline]
    pub(super) fn check_line(&self, line: RawLine<'_>) -> Result<(), ParseError> {
        if line.bytes.len() <= self.line {
            return Ok(());
        }
        let (len, limit) = (line.bytes.len(), self.line);
        let message = format!("the line has {len} bytes, but may have {limit} at most");
        let column = String::from_utf8_lossy(&line.bytes[..limit]).chars().count() + 1;
        Err(ParseError::at_place(line.number, column, message))
    }
}
