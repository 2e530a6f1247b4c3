//! The encoder: pages of any length through one reused buffer.

use std::fmt;
use std::io;
use std::ops::ControlFlow;

use narthex_model::{Families, MetricFamily, MetricType, Part, Problem, SpareColumns};

use crate::format::Format;
use crate::json;
use crate::output::{CHUNK, Output};
use crate::protobuf;
use crate::text::{self, Dialect, Syntax};

/// Renders pages, chunk by chunk, through a buffer of 64 KiB that it reuses.
///
/// A page takes no memory per series: the buffer is all there is, whatever the length of the page.
///
/// ```
/// use narthex_format::{Encoder, Format};
/// use narthex_model::{MetricFamily, Scrape};
///
/// let scrape = Scrape::new(vec![MetricFamily::gauge("up", "").sample([""; 0], 1u64).build()?]);
/// let mut encoder = Encoder::new(Format::TEXT);
/// for _ in 0..2 {
///     let mut page = Vec::new();
///     encoder.encode(&scrape, |chunk| std::io::Write::write_all(&mut page, chunk))?;
///     assert_eq!(page, b"# TYPE up gauge\nup 1\n");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Encoder {
    format: Format,
    chunk: Box<[u8; CHUNK]>,
    workspace: Workspace,
    columns: SpareColumns,
    problems: Vec<Problem>,
}

/// Memory that the encoders keep from family to family.
#[derive(Default)]
struct Workspace {
    text: text::Workspace,
    protobuf: protobuf::Workspace,
    json: json::Workspace,
}

impl Encoder {
    /// An encoder for pages in `format`.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            chunk: Box::new([0; CHUNK]),
            workspace: Workspace::default(),
            columns: SpareColumns::default(),
            problems: Vec::new(),
        }
    }

    /// The format of the pages.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What the last page left out, and why.
    ///
    /// A [`Scrape`](narthex_model::Scrape) has left out already what no page can have; this is what
    /// only this format cannot, such as a gauge `h_created` beside a histogram `h` in OpenMetrics.
    /// Of a page that came straight from a registry it is both.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Renders one page, handing `sink` every chunk as it fills up.
    ///
    /// The families are those of a scrape, or of a registry, which are then rendered one after the
    /// other as they are at that moment. A large family of a registry comes in parts, so that no
    /// page takes more than a few hundred kilobytes, whatever its length. Where a format needs to
    /// know all values of a family beforehand they do have to fit into memory: those of histograms
    /// and summaries in protobuf and OpenMetrics, and everything in JSON.
    ///
    /// # Errors
    /// Returns the first error of `sink`, which is not called again after it.
    pub fn encode<E>(
        &mut self,
        families: &impl Families,
        sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut columns = std::mem::take(&mut self.columns);
        let divides: fn(MetricType) -> bool = match self.format {
            Format::Text { .. } => |_| true,
            Format::OpenMetrics { .. } | Format::Protobuf { .. } => is_number,
            Format::Json => |_| false,
        };
        let mut page = self.page(sink);
        let mut result = Ok(());
        let problems = families.visit(&mut columns, &divides, &mut |part| {
            result = page.encode_part(part);
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let result = result.and_then(|()| page.finish());
        self.columns = columns;
        self.problems.extend(problems);
        result
    }

    /// Starts a page to which families are added one by one.
    ///
    /// The families must differ in name; sorted by name they make a page that can be compared with
    /// others.
    ///
    /// ```
    /// use narthex_format::{Encoder, Format};
    /// use narthex_model::MetricFamily;
    ///
    /// let mut body = Vec::new();
    /// let mut encoder = Encoder::new(Format::TEXT);
    /// let mut page = encoder.page(|chunk| std::io::Write::write_all(&mut body, chunk));
    /// for name in ["a", "b"] {
    ///     page.encode_family(&MetricFamily::gauge(name, "").sample([""; 0], 0.5).build()?)?;
    /// }
    /// page.finish()?;
    /// assert_eq!(body, b"# TYPE a gauge\na 0.5\n# TYPE b gauge\nb 0.5\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn page<S, E>(&mut self, sink: S) -> Page<'_, S>
    where
        S: FnMut(&[u8]) -> Result<(), E>,
    {
        self.workspace.text.start_page();
        self.workspace.json.start_page();
        self.problems.clear();
        Page { encoder: self, sink, filled: 0 }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Writes the page of a registry or of a scrape to `sink`, chunk by chunk.
///
/// A registry's families are written one after the other, without a scrape or a page in memory; see
/// [`Encoder::encode`], which does the same and may be kept for the next page.
///
/// # Errors
/// Returns the first error of `sink`; what was written before it stays written.
///
/// ```
/// use narthex_format::{Format, write};
/// use narthex_model::{MetricFamily, Scrape};
///
/// let scrape = Scrape::new(vec![MetricFamily::gauge("up", "").sample([""; 0], 1u64).build()?]);
/// let mut page = Vec::new();
/// write(&scrape, Format::TEXT, &mut page)?;
/// assert_eq!(page, b"# TYPE up gauge\nup 1\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(
    families: &impl Families,
    format: Format,
    sink: &mut impl io::Write,
) -> io::Result<()> {
    format.write(families, sink)
}

/// Whether the values of a type are single numbers, on which nothing but their own lines depends.
fn is_number(metric_type: MetricType) -> bool {
    matches!(metric_type, MetricType::Counter | MetricType::Gauge | MetricType::Unknown)
}

/// A page under way, to which families are added one by one; see [`Encoder::page`].
///
/// One that is dropped before [`finish`](Self::finish) lacks its end.
#[must_use = "a page lacks its end until it is finished"]
pub struct Page<'a, S> {
    encoder: &'a mut Encoder,
    sink: S,
    /// Bytes at the start of the encoder's chunk that the sink has not seen yet.
    filled: usize,
}

impl<S, E> Page<'_, S>
where
    S: FnMut(&[u8]) -> Result<(), E>,
{
    /// Adds a family: its head once, then its rows.
    ///
    /// # Errors
    /// Returns the first error of the sink, which then lacks a part of the family.
    pub fn encode_family(&mut self, family: &MetricFamily) -> Result<(), E> {
        self.encode_part(Part::whole(family))
    }

    /// Adds a part of a family: its head before the first one, then the rows of this part.
    fn encode_part(&mut self, part: Part<'_>) -> Result<(), E> {
        self.put(|format, workspace, output, problems| {
            let Workspace { text, protobuf, json } = workspace;
            let outcome = match format {
                Format::Text { escaping, .. } => {
                    let dialect = Dialect { syntax: Syntax::Prometheus, escaping };
                    text::encode_part(part, dialect, text, output)
                }
                Format::OpenMetrics { escaping, created, .. } => {
                    let dialect = Dialect { syntax: Syntax::OpenMetrics(created), escaping };
                    text::encode_part(part, dialect, text, output)
                }
                Format::Protobuf { escaping } => {
                    protobuf::encode_part(part, escaping, protobuf, output);
                    Ok(())
                }
                Format::Json => {
                    json::encode_family(part.family(), json, output);
                    Ok(())
                }
            };
            problems.extend(outcome.err());
        })
    }

    /// Ends the page: writes what comes last, and hands the sink what it has not seen yet.
    ///
    /// # Errors
    /// Returns the error of the sink.
    pub fn finish(mut self) -> Result<(), E> {
        self.put(|format, workspace, output, _| match format {
            Format::Text { .. } | Format::Protobuf { .. } => {}
            Format::OpenMetrics { .. } => output.push(b"# EOF\n"),
            Format::Json => json::end_page(&workspace.json, output),
        })?;
        match &self.encoder.chunk[..self.filled] {
            [] => Ok(()),
            rest => (self.sink)(rest),
        }
    }

    /// Lets `write` write to the page.
    fn put(
        &mut self,
        write: impl FnOnce(Format, &mut Workspace, &mut Output<'_>, &mut Vec<Problem>),
    ) -> Result<(), E> {
        let mut result = Ok(());
        let mut forward = |bytes: &[u8]| {
            if result.is_ok() {
                result = (self.sink)(bytes);
            }
        };
        let Encoder { format, chunk, workspace, problems, .. } = &mut *self.encoder;
        let mut output = Output::new(chunk, self.filled, &mut forward);
        write(*format, workspace, &mut output, problems);
        self.filled = output.filled();
        result
    }
}

impl<S> fmt::Debug for Page<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("format", &self.encoder.format).finish_non_exhaustive()
    }
}
