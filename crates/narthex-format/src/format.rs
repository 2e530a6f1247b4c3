//! Which formats there are, and which one a scraper gets.

use std::convert::Infallible;
use std::io;

use bytes::BufMut;
use narthex_model::Scrape;

use crate::encoder::Encoder;

/// An exposition format.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4, which every Prometheus reads.
    ///
    /// Names outside the classic set are escaped with underscores. Types that it lacks are written
    /// as the nearest one it has: unknown as untyped, info and state set as gauges, a gauge
    /// histogram as a histogram.
    Text,
}

impl Format {
    /// Picks the format for the `Accept` headers of a request; there may be none or several.
    ///
    /// Never fails, for a scraper that asks for something else is better served with a page that
    /// every Prometheus reads than with an error. [`Format::Text`] is the only format offered, so
    /// the answer does not depend on the headers.
    ///
    /// ```
    /// use narthex_format::Format;
    ///
    /// assert_eq!(Format::negotiate(["text/html, */*;q=0.8"]), Format::Text);
    /// ```
    pub fn negotiate<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        drop(accept);
        Self::Text
    }

    /// The value of the `Content-Type` header of a page in this format.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Appends the page to `buffer`.
    ///
    /// # Panics
    /// Panics where `buffer` cannot grow and the page is longer than it.
    pub fn encode(self, scrape: &Scrape, buffer: &mut impl BufMut) {
        let Ok(()) = Encoder::new(self).encode(scrape, |chunk| {
            buffer.put_slice(chunk);
            Ok::<(), Infallible>(())
        });
    }

    /// Writes the page to `sink`, in chunks of up to 64 KiB.
    ///
    /// # Errors
    /// Returns the first error of `sink`; what was written before it stays written.
    pub fn write(self, scrape: &Scrape, sink: &mut impl io::Write) -> io::Result<()> {
        Encoder::new(self).encode(scrape, |chunk| sink.write_all(chunk))
    }
}
