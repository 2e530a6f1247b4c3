//! Lines spelled out piece by piece: any family, any length.

use narthex_model::{Fragment, Histogram, Label, LabelName, MetricFamily, Value, escape_into};

use crate::escape;
use crate::number::{Numeral, push_number};
use crate::output::Output;

/// Spells out the lines of a family.
pub(super) struct Speller<'a, 'o> {
    pub(super) family: &'a MetricFamily,
    /// The line under way.
    pub(super) text: &'a mut Vec<u8>,
    pub(super) output: &'a mut Output<'o>,
}

/// Which line of a series.
#[derive(Clone, Copy)]
pub(super) enum Sample {
    /// The only one.
    Only,
    /// The histogram bucket up to a bound.
    Bucket(f64),
    /// The sum of a histogram's observations.
    Sum,
    /// The number of a histogram's observations.
    Count,
}

impl Sample {
    /// Appends the sample's name.
    pub(super) fn push_name(self, out: &mut Vec<u8>, family: &MetricFamily) {
        escape::push_metric_name(out, family.name());
        out.extend_from_slice(match self {
            Self::Only => b"",
            Self::Bucket(_) => b"_bucket",
            Self::Sum => b"_sum",
            Self::Count => b"_count",
        });
    }

    /// Appends the label of the sample's own, which follows those of the series.
    pub(super) fn push_own_label(self, out: &mut Vec<u8>) {
        if let Self::Bucket(bound) = self {
            out.extend_from_slice(b"le=\"");
            push_number(out, bound);
            out.push(b'"');
        }
    }
}

impl Speller<'_, '_> {
    /// Writes all lines of a series.
    pub(super) fn row(&mut self, index: usize, fragments: &[&Fragment]) {
        let timestamps = self.family.timestamps();
        let timestamp = timestamps.and_then(|all| all.get(index).copied().flatten());
        match self.family.values().value(index) {
            Some(Value::Number(number)) => {
                self.sample(Sample::Only, fragments, number, timestamp);
            }
            Some(Value::Histogram(histogram)) => self.histogram(fragments, histogram, timestamp),
            _ => {}
        }
    }

    /// Writes the lines of a histogram.
    pub(super) fn histogram(
        &mut self,
        fragments: &[&Fragment],
        histogram: Histogram<'_>,
        timestamp: Option<i64>,
    ) {
        for (bound, count) in histogram.buckets() {
            self.sample(Sample::Bucket(bound), fragments, count, timestamp);
        }
        self.sample(Sample::Sum, fragments, histogram.sum(), timestamp);
        self.sample(Sample::Count, fragments, histogram.count(), timestamp);
    }

    /// Writes one line.
    #[cold]
    pub(super) fn sample(
        &mut self,
        sample: Sample,
        fragments: &[&Fragment],
        value: impl Numeral,
        timestamp: Option<i64>,
    ) {
        let text = &mut *self.text;
        text.clear();
        sample.push_name(text, self.family);
        let before_labels = text.len();
        text.push(b'{');
        push_labels(text, self.family, fragments);
        if let Sample::Bucket(_) = sample {
            separate(text);
            sample.push_own_label(text);
        }
        if text.len() > before_labels + 1 {
            text.push(b'}');
        } else {
            text.truncate(before_labels);
        }
        text.push(b' ');
        push_number(text, value);
        if let Some(timestamp) = timestamp {
            text.push(b' ');
            text.extend_from_slice(itoa::Buffer::new().format(timestamp).as_bytes());
        }
        text.push(b'\n');
        self.output.push(text);
    }
}

/// Appends `name="value"`.
pub(super) fn push_constant(out: &mut Vec<u8>, label: &Label) {
    escape::push_label_name(out, &label.name);
    out.extend_from_slice(b"=\"");
    escape_into(out, &label.value);
    out.push(b'"');
}

/// Appends constant and own labels in one sequence sorted by name, absent ones left out.
fn push_labels(out: &mut Vec<u8>, family: &MetricFamily, fragments: &[&Fragment]) {
    let metadata = family.metadata();
    let mut constants = metadata.const_labels().iter().peekable();
    for (name, fragment) in metadata.label_names().iter().zip(fragments) {
        while let Some(label) = constants.next_if(|label| label.name < *name) {
            separate(out);
            push_constant(out, label);
        }
        if !fragment.is_empty() {
            separate(out);
            push_own(out, name, fragment);
        }
    }
    for label in constants {
        separate(out);
        push_constant(out, label);
    }
}

/// Appends a comma unless this is the first label.
fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

/// Appends a label of the series' own.
fn push_own(out: &mut Vec<u8>, name: &LabelName, fragment: &Fragment) {
    if name.is_classic() {
        return fragment.push_bare(out);
    }
    // The fragment has the name in quotes, which this format does not know: only the text after
    // it is of use.
    escape::push_label_name(out, name);
    let at = out.len();
    out.push(b'"');
    escape_into(out, name.as_str());
    out.push(b'"');
    let quoted = out.len() - at;
    out.truncate(at);
    fragment.push_bare(out);
    out.drain(at..at + quoted);
}
