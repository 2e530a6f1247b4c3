//! The text format 0.0.4.
//!
//! A line is put together in one of two ways. Where a family allows it, a [`Template`] is made once
//! and a line is a few moves of fixed size: the template's head, the series' label fragments, the
//! template's tail, the value. Everything else is spelled out piece by piece by a [`Speller`]:
//! families without labels, with constant labels in between, with timestamps or with names outside
//! the classic set, and single lines that are too long for the moves.

mod spelled;
mod template;

use narthex_model::{Column, Fragment, HistogramColumn, MetricFamily, MetricType};

use crate::escape;
use crate::number::Numeral;
use crate::output::{LINE, Output};
use spelled::{Sample, Speller};
use template::{HistogramTemplate, Template};

/// Memory that an encoder keeps from family to family.
#[derive(Default)]
pub(crate) struct Workspace {
    text: Vec<u8>,
    template: Template,
    histogram: HistogramTemplate,
}

/// Writes a family: HELP, TYPE, and the lines of every series.
pub(crate) fn encode_family(
    family: &MetricFamily,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) {
    write_head(family, &mut workspace.text, output);
    if !Template::suits(family) {
        return spell_rows(family, &mut workspace.text, output);
    }
    match family.series().labels() {
        1 => write_rows::<1>(family, workspace, output),
        2 => write_rows::<2>(family, workspace, output),
        3 => write_rows::<3>(family, workspace, output),
        4 => write_rows::<4>(family, workspace, output),
        5 => write_rows::<5>(family, workspace, output),
        6 => write_rows::<6>(family, workspace, output),
        7 => write_rows::<7>(family, workspace, output),
        8 => write_rows::<8>(family, workspace, output),
        _ => spell_rows(family, &mut workspace.text, output),
    }
}

/// Writes HELP, unless there is none, and TYPE.
fn write_head(family: &MetricFamily, text: &mut Vec<u8>, output: &mut Output<'_>) {
    let metadata = family.metadata();
    text.clear();
    if !metadata.help().is_empty() {
        text.extend_from_slice(b"# HELP ");
        escape::push_metric_name(text, metadata.name());
        text.push(b' ');
        escape::push_help(text, metadata.help());
        text.push(b'\n');
    }
    text.extend_from_slice(b"# TYPE ");
    escape::push_metric_name(text, metadata.name());
    text.push(b' ');
    text.extend_from_slice(type_word(metadata.metric_type()).as_bytes());
    text.push(b'\n');
    output.push(text);
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

/// Writes all rows piece by piece.
fn spell_rows(family: &MetricFamily, text: &mut Vec<u8>, output: &mut Output<'_>) {
    let mut speller = Speller { family, text, output };
    family.series().for_each_slice(|index, fragments| speller.row(index, fragments));
}

/// Writes the rows of a family whose series have `N` labels by templates.
fn write_rows<const N: usize>(
    family: &MetricFamily,
    workspace: &mut Workspace,
    output: &mut Output<'_>,
) {
    let Workspace { text, template, histogram } = workspace;
    match family.values() {
        Column::Unsigned(values) => {
            template.set(family, Sample::Only, text);
            write_numbers::<N>(values, template, Speller { family, text, output });
        }
        Column::Float(values) => {
            template.set(family, Sample::Only, text);
            write_numbers::<N>(values, template, Speller { family, text, output });
        }
        Column::Mixed(values) => {
            template.set(family, Sample::Only, text);
            write_numbers::<N>(values, template, Speller { family, text, output });
        }
        Column::Histogram(column) => {
            histogram.set(family, column.bounds(), text);
            write_histograms::<N>(column, histogram, Speller { family, text, output });
        }
        _ => spell_rows(family, text, output),
    }
}

#[inline(never)]
fn write_numbers<const N: usize>(
    values: &[impl Numeral],
    template: &Template,
    mut speller: Speller<'_, '_>,
) {
    let mut values = values.iter();
    speller.family.series().for_each(|_, fragments: [&Fragment; N]| {
        let Some(&value) = values.next() else {
            return;
        };
        match template.put_line(speller.output.line(), &fragments, value) {
            Some(len) => speller.output.keep(len),
            None => speller.sample(Sample::Only, &fragments, value, None),
        }
    });
}

#[inline(never)]
fn write_histograms<const N: usize>(
    column: &HistogramColumn,
    template: &HistogramTemplate,
    mut speller: Speller<'_, '_>,
) {
    // What the bucket lines of a series begin with.
    let mut start = [0; LINE];
    speller.family.series().for_each(|index, fragments: [&Fragment; N]| {
        let Some(histogram) = column.get(index) else {
            return;
        };
        let Some(start_len) = template.put_start(&mut start, &fragments) else {
            return speller.histogram(&fragments, histogram, None);
        };
        for (tail, (bound, count)) in template.bucket_tails().zip(histogram.buckets()) {
            let line = speller.output.line();
            match template::put_bucket_line(line, &start, start_len, tail, count) {
                Some(len) => speller.output.keep(len),
                None => speller.sample(Sample::Bucket(bound), &fragments, count, None),
            }
        }
        match template.sum.put_line(speller.output.line(), &fragments, histogram.sum()) {
            Some(len) => speller.output.keep(len),
            None => speller.sample(Sample::Sum, &fragments, histogram.sum(), None),
        }
        match template.count.put_line(speller.output.line(), &fragments, histogram.count()) {
            Some(len) => speller.output.keep(len),
            None => speller.sample(Sample::Count, &fragments, histogram.count(), None),
        }
    });
}

#[cfg(test)]
mod tests;
