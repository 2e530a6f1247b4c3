//! A scrape as lines that can be compared.

use narthex_model::{Escaping, Number, Scrape};

use crate::format::{CreatedLines, Format, OpenMetricsVersion};
use crate::number::{Plain, push_number};
use crate::parse::{Event, Mode, Reader};

/// What stands in a snapshot for a time.
const TIME: &str = "<time>";

/// The scrape as text, the same each time: to be compared with what it was when the test was
/// written.
///
/// The text is that of OpenMetrics, with units, exemplars and creation times, but without `# EOF`
/// and with numbers as the text format has them. `<time>` stands for whatever depends on the clock:
/// the times of samples and exemplars, the value of `_created`, and that of a metric whose name
/// ends in `_time_seconds` or `_timestamp_seconds`. Durations are shown as they are.
///
/// ```
/// use narthex_format::testing::snapshot;
/// use narthex_model::{MetricFamily, Scrape};
///
/// let mut runs = MetricFamily::counter("runs_total", "Runs.");
/// runs.push([""; 0], 2u64);
/// runs.push_created(1_520_879_607_789);
/// let last = MetricFamily::gauge("last_run_timestamp_seconds", "When the last run ended.");
/// let scrape = Scrape::new(vec![runs.build()?, last.sample([""; 0], 1520879621.5).build()?]);
/// assert_eq!(
///     snapshot(&scrape),
///     concat!(
///         "# HELP last_run_timestamp_seconds When the last run ended.\n",
///         "# TYPE last_run_timestamp_seconds gauge\n",
///         "last_run_timestamp_seconds <time>\n",
///         "# HELP runs Runs.\n",
///         "# TYPE runs counter\n",
///         "runs_total 2\n",
///         "runs_created <time>\n",
///     ),
/// );
/// # Ok::<(), narthex_model::FamilyError>(())
/// ```
pub fn snapshot(scrape: &Scrape) -> String {
    openmetrics_lines(scrape, Times::Redacted).concat()
}

/// What becomes of times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    Shown,
    Redacted,
}

/// The lines of the scrape in OpenMetrics, with numbers as in the text format, for there `1` and
/// `1.0` are the same.
pub(super) fn openmetrics_lines(scrape: &Scrape, times: Times) -> Vec<String> {
    let format = Format::OpenMetrics {
        version: OpenMetricsVersion::V1_0_0,
        escaping: Escaping::AllowUtf8,
        created: CreatedLines::Written,
    };
    let mut page = Vec::new();
    format.encode(scrape, &mut page);
    let mut lines = Vec::new();
    let mut reader = Reader::openmetrics(&page).mode(Mode::Lenient);
    while let Some(found) = reader.next_located() {
        let (event, line) = found.expect("every page that is written can be read");
        match event {
            Event::Eof => {}
            Event::Sample(sample) => {
                let token = sample.value_token;
                // The token is a part of the line: where it starts tells what stands around it.
                let at = token.as_ptr().addr() - line.text.as_ptr().addr();
                let (start, rest) = (&line.text[..at], &line.text[at + token.len()..]);
                let name = sample.name();
                let mut text = start.to_owned();
                match times {
                    Times::Redacted if is_time(name) => text.push_str(TIME),
                    _ => text.push_str(&plain(sample.value())),
                }
                match times {
                    Times::Shown => text.push_str(rest),
                    Times::Redacted => {
                        let timed = sample.timestamp().is_some();
                        let exemplar = sample.exemplar().map(|e| e.timestamp().is_some());
                        push_rest_redacted(&mut text, rest, timed, exemplar);
                    }
                }
                text.push('\n');
                lines.push(text);
            }
            _ => lines.push(format!("{}\n", line.text)),
        }
    }
    lines
}

/// The lines of the scrape in text.
pub(super) fn text_lines(scrape: &Scrape) -> Vec<String> {
    let Format::Text { version, .. } = Format::TEXT else {
        return Vec::new();
    };
    let mut page = Vec::new();
    Format::Text { version, escaping: Escaping::AllowUtf8 }.encode(scrape, &mut page);
    String::from_utf8_lossy(&page).split_inclusive('\n').map(str::to_owned).collect()
}

fn is_time(name: &str) -> bool {
    ["_created", "_time_seconds", "_timestamp_seconds"].iter().any(|end| name.ends_with(end))
}

/// Appends what follows a value: a timestamp, and an exemplar that may have one too.
fn push_rest_redacted(text: &mut String, rest: &str, timed: bool, exemplar: Option<bool>) {
    if timed {
        text.push(' ');
        text.push_str(TIME);
    }
    let Some(has_time) = exemplar else {
        return;
    };
    // No timestamp has this in it.
    let exemplar = rest.find(" # ").map_or("", |at| &rest[at..]);
    match exemplar.rsplit_once(' ').filter(|_| has_time) {
        Some((without, _)) => {
            text.push_str(without);
            text.push(' ');
            text.push_str(TIME);
        }
        None => text.push_str(exemplar),
    }
}

fn plain(number: Number) -> String {
    match number {
        Number::Unsigned(value) => value.to_string(),
        other => {
            let mut text = Vec::new();
            push_number::<Plain>(&mut text, other.as_f64());
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}
