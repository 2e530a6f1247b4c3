//! The text formats: Prometheus's own and OpenMetrics.
//!
//! A line is put together in one of two ways. Where a family allows it, a [`Template`] is made once
//! and a line is a few moves of fixed size: the template's head, the series' label fragments, the
//! template's tail, the value. Everything else is spelled out piece by piece by a [`Speller`]:
//! families without labels, with constant labels in between, with timestamps, exemplars or escaped
//! label names, and single lines that are too long for the moves.

mod openmetrics;
mod shown;
mod spelled;
mod template;

use narthex_model::{Column, Fragment, HistogramColumn, MetricType, Part, Problem};

use crate::number::{Numeral, Plain, Pointed, Spelling};
use crate::output::{LINE, Output};
use shown::Shown;
pub(crate) use shown::{Dialect, Syntax};
use spelled::{Row, Sample, Speller};
use template::{HistogramTemplate, Template};

/// Memory that an encoder keeps from family to family.
#[derive(Default)]
pub(crate) struct Workspace {
    text: Vec<u8>,
    template: Template,
    histogram: HistogramTemplate,
    openmetrics: openmetrics::Names,
    /// As what the OpenMetrics family is written whose parts are under way, if it is.
    written_as: Option<MetricType>,
}

impl Workspace {
    /// Forgets the page before.
    pub(crate) fn start_page(&mut self) {
        self.openmetrics.clear();
    }
}

/// Writes a part of a family: before the first one its head, and the lines of every series.
///
/// # Errors
/// Returns why the family is not on the page.
pub(crate) fn encode_part(
    part: Part<'_>,
    dialect: Dialect,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) -> Result<(), Problem> {
    let shown = Shown::new(part.family(), dialect);
    if shown.is_openmetrics() {
        return openmetrics::encode_part(shown, part.is_first(), workspace, output);
    }
    if part.is_first() {
        write_head(&shown, &mut workspace.text, output);
    }
    write_all_rows::<Plain>(shown, workspace, output);
    Ok(())
}

/// Writes HELP, unless there is none, and TYPE.
fn write_head(shown: &Shown<'_>, text: &mut Vec<u8>, output: &mut Output<'_>) {
    text.clear();
    let help = shown.family.metadata().help();
    if !help.is_empty() {
        text.extend_from_slice(b"# HELP ");
        shown.push_family_name(text, b"");
        text.push(b' ');
        push_help(text, help);
        text.push(b'\n');
    }
    text.extend_from_slice(b"# TYPE ");
    shown.push_family_name(text, b"");
    text.push(b' ');
    text.extend_from_slice(type_word(shown.metric_type).as_bytes());
    text.push(b'\n');
    output.push(text);
}

/// Appends a HELP text: backslash and line feed are escaped, quotes are not.
fn push_help(out: &mut Vec<u8>, help: &str) {
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            byte => out.push(byte),
        }
    }
}

/// The type as the format names it; Prometheus refuses a whole page for a type it does not know.
fn type_word(metric_type: MetricType) -> &'static str {
    match metric_type {
        MetricType::Counter => "counter",
        MetricType::Gauge | MetricType::Info | MetricType::StateSet => "gauge",
        MetricType::Histogram | MetricType::GaugeHistogram => "histogram",
        MetricType::Summary => "summary",
        _ => "untyped",
    }
}

/// Writes the rows by templates where the family allows it.
fn write_all_rows<S: Spelling>(
    shown: Shown<'_>,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) {
    if !Template::suits(&shown) {
        return spell_rows(shown, &mut workspace.text, output);
    }
    match shown.family.series().labels() {
        1 => write_rows::<S, 1>(shown, workspace, output),
        2 => write_rows::<S, 2>(shown, workspace, output),
        3 => write_rows::<S, 3>(shown, workspace, output),
        4 => write_rows::<S, 4>(shown, workspace, output),
        5 => write_rows::<S, 5>(shown, workspace, output),
        6 => write_rows::<S, 6>(shown, workspace, output),
        7 => write_rows::<S, 7>(shown, workspace, output),
        8 => write_rows::<S, 8>(shown, workspace, output),
        _ => spell_rows(shown, &mut workspace.text, output),
    }
}

/// Writes all rows piece by piece.
fn spell_rows(shown: Shown<'_>, text: &mut Vec<u8>, output: &mut Output<'_>) {
    let mut speller = Speller { shown, text, output };
    shown.family.series().for_each_slice(|index, fragments| {
        speller.row(index, &Row::new(&shown, index, fragments), |_| true);
    });
}

/// Writes the rows of a family whose series have `N` labels by templates.
fn write_rows<S: Spelling, const N: usize>(
    shown: Shown<'_>,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) {
    let Workspace { text, template, histogram, .. } = workspace;
    match shown.family.values() {
        Column::Unsigned(values) => {
            template.set(&shown, Sample::Only, text);
            write_numbers::<S, N>(values, template, Speller { shown, text, output });
        }
        Column::Float(values) => {
            template.set(&shown, Sample::Only, text);
            write_numbers::<S, N>(values, template, Speller { shown, text, output });
        }
        Column::Mixed(values) => {
            template.set(&shown, Sample::Only, text);
            write_numbers::<S, N>(values, template, Speller { shown, text, output });
        }
        Column::Histogram(column) => {
            histogram.set(&shown, column.bounds(), text);
            write_histograms::<S, N>(column, histogram, Speller { shown, text, output });
        }
        _ => spell_rows(shown, text, output),
    }
}

#[inline(never)]
fn write_numbers<S: Spelling, const N: usize>(
    values: &[impl Numeral],
    template: &Template,
    mut speller: Speller<'_, '_>,
) {
    speller.shown.family.series().for_each_batch(|first, batch: &[[&Fragment; N]]| {
        let values = values.get(first..).unwrap_or_default();
        for (fragments, &value) in batch.iter().zip(values) {
            match template.put_line::<S, N>(speller.output.line(), fragments, value) {
                Some(len) => speller.output.keep(len),
                None => speller.sample(Sample::Only, &Row::plain(fragments), value, None),
            }
        }
    });
}

#[inline(never)]
fn write_histograms<S: Spelling, const N: usize>(
    column: &HistogramColumn,
    template: &HistogramTemplate,
    mut speller: Speller<'_, '_>,
) {
    // What the bucket lines of a series begin with.
    let mut start = [0; LINE];
    let series = speller.shown.family.series();
    let mut write = |index, fragments: &[&Fragment; N]| {
        let Some(histogram) = column.get(index) else {
            return;
        };
        let row = Row::plain(fragments);
        let Some(start_len) = template.put_start(&mut start, fragments) else {
            return speller.histogram(&row, histogram, |_| true);
        };
        for (tail, (bound, count)) in template.bucket_tails().zip(histogram.buckets()) {
            let line = speller.output.line();
            match template::put_bucket_line::<S>(line, &start, start_len, tail, count) {
                Some(len) => speller.output.keep(len),
                None => speller.sample(Sample::Bucket(bound), &row, count, None),
            }
        }
        let (sum, count) = (histogram.sum(), histogram.count());
        match template.sum.put_line::<S, N>(speller.output.line(), fragments, sum) {
            Some(len) => speller.output.keep(len),
            None => speller.sample(Sample::Sum, &row, sum, None),
        }
        match template.count.put_line::<S, N>(speller.output.line(), fragments, count) {
            Some(len) => speller.output.keep(len),
            None => speller.sample(Sample::Count, &row, count, None),
        }
    };
    series.for_each_batch(|first, batch: &[[&Fragment; N]]| {
        (first..).zip(batch).for_each(|(index, fragments)| write(index, fragments));
    });
}

#[cfg(test)]
mod tests;
